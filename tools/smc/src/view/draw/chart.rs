//! The chart: candles of the chosen timeframe, prices at the right, times below.

use super::canvas::Canvas;
use super::overlay;
use super::scale::Scale;
use super::{Scene, rule, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use smc_core::words::{Price, SCALE, TsNs};

/// Distances from bar to bar that may be chosen, in columns.
pub const PITCHES: [i64; 3] = [1, 2, 4];
/// Times that the axis may be divided into, in seconds.
const TIME_STEPS: [u64; 18] = [
    1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800, 2_592_000,
];

/// Paints the chart panel.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let Some(chart) = scene.chart() else {
        rule(scene, area, buf, vec![Span::styled("chart", scene.theme.accent)]);
        let note = Rect { y: area.y.saturating_add(area.height / 2), height: 1.min(area.height), ..area };
        let words = "waiting for the first trade";
        super::line(note, buf, vec![Span::styled(words, scene.theme.dim)]);
        return;
    };
    rule(scene, area, buf, titles(scene));
    let Some((plot, price_axis, time_axis)) = split(scene, area) else { return };
    let margin = margin(plot.width);
    let pitch = PITCHES.get(scene.choice.pitch).copied().unwrap_or(2);
    let levels = overlay::levels(scene);
    let wanted: Vec<Price> = levels.iter().map(|level| level.price).collect();
    let columns = i64::from(plot.width) - margin;
    let Some(scale) = Scale::new(chart, columns, i64::from(plot.height), pitch, &wanted) else { return };
    let mut canvas = Canvas::new(plot, scene.theme.ground);
    overlay::zones(scene, chart, &scale, &mut canvas);
    candles(scene, &scale, &mut canvas);
    overlay::fills(scene, &scale, &mut canvas);
    overlay::marks(scene, chart, &scale, &mut canvas);
    overlay::draw_levels(scene, &levels, &scale, &mut canvas, margin);
    overlay::pools(scene, chart, &scale, &mut canvas);
    overlay::zone_labels(scene, chart, &scale, &mut canvas);
    canvas.render(plot, buf);
    prices(scene, &scale, &levels, price_axis, buf);
    times(scene, &scale, chart.timeframe.secs().into(), time_axis, buf);
}

/// Plot, price axis and time axis; none when there is no room for a chart.
fn split(scene: &Scene<'_>, area: Rect) -> Option<(Rect, Rect, Rect)> {
    let price = scene.market().and_then(|market| market.last).unwrap_or(Price(SCALE));
    let axis_width = text::fixed(price.0, scene.price_decimals()).chars().count() as u16 + 2;
    let width = area.width.checked_sub(axis_width).filter(|width| *width >= 8)?;
    let height = area.height.checked_sub(2).filter(|height| *height >= 3)?;
    let plot = Rect { x: area.x, y: area.y + 1, width, height };
    let price_axis = Rect { x: area.x + width, y: area.y + 1, width: axis_width, height };
    let time_axis = Rect { x: area.x, y: area.y + 1 + height, width: area.width, height: 1 };
    Some((plot, price_axis, time_axis))
}

/// Columns right of the newest bar, for the names of lines and zones.
const fn margin(width: u16) -> i64 {
    match width {
        0..24 => 0,
        24..56 => 5,
        _ => 8,
    }
}

/// The symbol and the timeframes, the chosen one bright.
fn titles<'a>(scene: &Scene<'a>) -> Vec<Span<'a>> {
    let theme = scene.theme;
    let mut spans = Vec::new();
    for (nth, chart) in scene.market().map_or(&[][..], |market| &market.charts).iter().enumerate() {
        let name = format!(" {} ", chart.timeframe);
        let style = if nth == scene.timeframe() {
            Style::new().fg(theme.ground).bg(theme.accent).add_modifier(Modifier::BOLD)
        } else {
            Style::new().fg(theme.dim)
        };
        spans.push(Span::styled(name, style));
    }
    spans
}

fn candles(scene: &Scene<'_>, scale: &Scale, canvas: &mut Canvas) {
    for (nth, candle) in scale.candles.iter().enumerate() {
        let x = scale.x_of(scale.first_bar + nth as i64);
        let colour = if candle.close >= candle.open { scene.theme.up } else { scene.theme.down };
        let (high, low) = (scale.y_of(candle.high), scale.y_of(candle.low));
        let mut top = scale.y_of(candle.open.max(candle.close));
        let mut bottom = scale.y_of(candle.open.min(candle.close));
        // A cell cannot hold half a body and half a wick: where the wick goes on, the body fills its cell.
        if high.div_euclid(2) < top.div_euclid(2) {
            top = top.div_euclid(2) * 2;
        }
        if low.div_euclid(2) > bottom.div_euclid(2) {
            bottom = bottom.div_euclid(2) * 2 + 1;
        }
        for y in top.max(0)..=bottom.min(canvas.rows() * 2 - 1) {
            for side in -(scale.body / 2)..=scale.body / 2 {
                canvas.ink(x + side, y, colour);
            }
        }
        for row in high.div_euclid(2).max(0)..=low.div_euclid(2).min(canvas.rows() - 1) {
            let is_body = top.div_euclid(2) <= row && row <= bottom.div_euclid(2);
            if !is_body {
                canvas.put(x, row, wick(row, high, low), colour);
            }
        }
    }
}

/// A wick that ends inside its cell is half as long.
const fn wick(row: i64, high: i64, low: i64) -> char {
    if high > row * 2 {
        '╷'
    } else if low < row * 2 + 1 {
        '╵'
    } else {
        '│'
    }
}

/// Ticks, the prices of our lines, the last price.
fn prices(scene: &Scene<'_>, scale: &Scale, levels: &[overlay::Level], area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let decimals = scene.price_decimals();
    let mut tag = |price: Price, style: Style| {
        let row = scale.row_of(price);
        if scale.is_seen(price) && (0..i64::from(area.height)).contains(&row) {
            let words =
                format!("{:>width$} ", text::fixed(price.0, decimals), width = area.width as usize - 1);
            buf.set_stringn(area.x, area.y + row as u16, words, area.width.into(), style);
        }
    };
    let step = price_step(scale.price_at(0).0.saturating_sub(scale.price_at(4).0));
    let (top, bottom) = (scale.price_at(0).0, scale.price_at(area.height.into()).0);
    let mut price = bottom.saturating_sub(bottom.rem_euclid(step)).saturating_add(step);
    // At most one tick in four rows; the bound is for ranges that would overflow.
    for _ in 0..area.height {
        if price >= top {
            break;
        }
        tag(Price(price), Style::new().fg(theme.dim));
        price = price.saturating_add(step);
    }
    for level in levels {
        tag(level.price, Style::new().fg(level.colour));
    }
    if let Some(market) = scene.market()
        && let Some(last) = market.last
    {
        let colour: Color = market.move_direction.map_or(theme.text, |direction| theme.direction(direction));
        tag(last, Style::new().fg(theme.ground).bg(colour).add_modifier(Modifier::BOLD));
    }
}

/// The least of 1, 2, 5 times a power of ten that is not less than `at_least`; at least 1.
fn price_step(at_least: i64) -> i64 {
    let mut power = 1i64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step >= at_least {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn times(scene: &Scene<'_>, scale: &Scale, bar_seconds: u64, area: Rect, buf: &mut Buffer) {
    const APART: u64 = 13;
    let columns_per_bar = scale.pitch.unsigned_abs().max(1);
    let fits = |step: &&u64| **step >= bar_seconds && **step / bar_seconds * columns_per_bar >= APART;
    let step = TIME_STEPS.iter().find(fits).copied().unwrap_or(2_592_000);
    let mut free_from = 0;
    for (nth, candle) in scale.candles.iter().enumerate() {
        let x = scale.x_of(scale.first_bar + nth as i64);
        let is_tick = (candle.open_ts.0 / 1_000_000_000).is_multiple_of(step);
        let words = label(candle.open_ts, bar_seconds);
        let len = words.chars().count() as i64;
        if is_tick && x >= free_from && x + len <= i64::from(area.width) {
            buf.set_string(area.x + x as u16, area.y, words, Style::new().fg(scene.theme.dim));
            free_from = x + len + 1;
        }
    }
}

fn label(ts: TsNs, bar_seconds: u64) -> String {
    let clock = text::clock(ts);
    match bar_seconds {
        0..60 => clock,
        60..86_400 => clock.chars().take(5).collect(),
        _ => text::date(ts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_the_price_axis_are_round() {
        assert_eq!([0, 1, 2, 3, 7, 11, 30, 200].map(price_step), [1, 1, 2, 5, 10, 20, 50, 200]);
        assert!(price_step(i64::MAX) > 0);
    }
}
