//! The first line: what trades, at which price, when, and whether all is well.

use super::{Scene, line_both, text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use smc_core::event::{FeedState, GatewayState};

/// Paints the header.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let is_wide = area.width >= 120;
    let mut left =
        vec![Span::styled(" smc ", Style::new().fg(theme.ground).bg(theme.accent)), Span::raw(" ")];
    if let Some(market) = scene.market() {
        let decimals = scene.price_decimals();
        let bold = Style::new().fg(theme.bright).add_modifier(Modifier::BOLD);
        left.push(Span::styled(market.symbol.clone(), bold));
        left.push(Span::raw("  "));
        if let Some(last) = market.last {
            let colour = market.move_direction.map_or(theme.text, |direction| theme.direction(direction));
            let arrow = market.move_direction.map_or(" ", text::arrow);
            let style = Style::new().fg(colour).add_modifier(Modifier::BOLD);
            left.push(Span::styled(format!("{} {arrow}", text::grouped(last.0, decimals)), style));
            if let Some(first) = market.first.filter(|first| first.0 > 0 && area.width >= 100) {
                let change = (last.0 as f64 / first.0 as f64 - 1.0) * 100.0;
                let colour = theme.profit(last.0.saturating_sub(first.0));
                left.push(Span::styled(format!(" {change:+.2}%"), colour));
            }
        }
        if let Some(quote) = market.quote.filter(|_| is_wide) {
            let words =
                format!("   {} / {}", text::fixed(quote.bid.0, decimals), text::fixed(quote.ask.0, decimals));
            left.push(Span::styled(words, theme.dim));
        }
    }
    line_both(area, buf, left, right(scene, is_wide));
}

fn right<'a>(scene: &Scene<'a>, is_wide: bool) -> Vec<Span<'a>> {
    let theme = scene.theme;
    let mut spans = Vec::new();
    if scene.model.now.0 > 0 {
        if is_wide {
            spans.push(Span::styled(format!("{} ", text::date(scene.model.now)), theme.dim));
        }
        spans.push(Span::styled(text::clock(scene.model.now), theme.bright));
        spans.push(Span::styled(if is_wide { " UTC" } else { "" }, theme.dim));
    }
    spans.push(Span::styled(format!("  {}×", speed(scene.speed)), theme.dim));
    if is_wide {
        spans.push(Span::styled(format!("  {}", scene.topology), theme.dim));
    }
    let state = scene.status.state.as_str();
    let colour = match state {
        "NORMAL" => theme.up,
        "WARN" | "REDUCE_ONLY" => theme.gold,
        _ => theme.down,
    };
    spans.push(Span::styled(format!("  {state}"), Style::new().fg(colour).add_modifier(Modifier::BOLD)));
    let feed = scene.market().and_then(|market| market.feed);
    let (feed_word, feed_colour) = match feed {
        Some(FeedState::Live) => ("live", theme.up),
        Some(FeedState::Syncing) => ("syncing", theme.gold),
        Some(FeedState::Stale) => ("stale", theme.down),
        Some(FeedState::Down) | None => ("down", theme.down),
    };
    let (orders_word, orders_colour) = match scene.model.gateway {
        Some(GatewayState::Ready) => ("ready", theme.up),
        Some(GatewayState::Syncing) => ("syncing", theme.gold),
        Some(GatewayState::Down) | None => ("down", theme.down),
    };
    light(&mut spans, theme.dim, feed_colour, "feed", is_wide.then_some(feed_word));
    light(&mut spans, theme.dim, orders_colour, "orders", is_wide.then_some(orders_word));
    spans.push(Span::raw(" "));
    spans
}

/// A lamp with its name, and its word where there is room.
fn light(
    spans: &mut Vec<Span<'_>>,
    dim: Color,
    colour: Color,
    name: &'static str,
    word: Option<&'static str>,
) {
    spans.push(Span::styled("  ● ", colour));
    spans.push(Span::styled(name, dim));
    if let Some(word) = word {
        spans.push(Span::styled(format!(" {word}"), colour));
    }
}

fn speed(speed: f64) -> String {
    if speed < 10.0 && speed.fract() != 0.0 { format!("{speed:.1}") } else { format!("{speed:.0}") }
}
