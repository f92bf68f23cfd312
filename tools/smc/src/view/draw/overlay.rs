//! What lies over and under the candles: zones, pools, breaks and sweeps, our levels and fills.

use super::super::model::{Chart, OrderStage, Zone, ZoneKind};
use super::canvas::Canvas;
use super::scale::Scale;
use super::{Scene, text};
use ratatui::style::Color;
use smc_core::output::{Purpose, StructureKind};
use smc_core::words::{Direction, Price, Side};

/// Zones painted per kind, side and role: the newest; more would hide each other.
const ZONES_EACH: usize = 3;
/// The same for zones that changed sides.
const FLIPPED_EACH: usize = 1;
/// Pools painted, newest first.
const POOLS: usize = 6;
/// Breaks and sweeps painted, newest first.
const MARKS: usize = 24;

/// A line of ours across the chart.
pub struct Level {
    /// Where.
    pub price: Price,
    /// Its name in the margin.
    pub name: &'static str,
    /// Its colour.
    pub colour: Color,
    /// A real order, not only a plan.
    pub is_order: bool,
}

/// Working orders, the average price of the position, and what the signal plans beyond them.
pub fn levels(scene: &Scene<'_>) -> Vec<Level> {
    let theme = scene.theme;
    let instrument = scene.instrument();
    let mut levels = Vec::new();
    let position = scene.market().and_then(|market| market.position).filter(|position| position.qty.0 != 0);
    let working = scene.model.trading.working().filter(|row| row.order.instrument == instrument);
    let mut serves = position.is_some();
    for row in working.filter(|row| row.stage != OrderStage::Sent || row.order.purpose == Purpose::Entry) {
        serves = true;
        let colour = match row.order.purpose {
            Purpose::Entry => theme.accent,
            Purpose::Stop => theme.down,
            Purpose::Target => theme.up,
            Purpose::Flatten => theme.gold,
        };
        if let Some(price) = text::order_price(&row.order) {
            levels.push(Level { price, name: text::purpose(row.order.purpose), colour, is_order: true });
        }
    }
    let has_level = |price| levels.iter().any(|level: &Level| level.price == price);
    if let Some(position) = position.filter(|position| !has_level(position.average)) {
        levels.push(Level { price: position.average, name: "avg", colour: theme.accent, is_order: false });
    }
    if let Some(signal) = scene.model.last_signal.filter(|signal| serves && signal.instrument == instrument) {
        for (price, name, colour) in [(signal.stop, "stop", theme.down), (signal.target, "target", theme.up)]
        {
            if !levels.iter().any(|level| level.name == name) {
                levels.push(Level { price, name, colour, is_order: false });
            }
        }
    }
    levels
}

/// Paints our lines: orders whole, plans dotted.
pub fn draw_levels(scene: &Scene<'_>, levels: &[Level], scale: &Scale, canvas: &mut Canvas, margin: i64) {
    for level in levels.iter().filter(|level| scale.is_seen(level.price)) {
        let row = scale.row_of(level.price);
        // An order is seen all along, a plan near its name.
        let (symbol, from) = if level.is_order { ('╌', 0) } else { ('┈', canvas.width() * 2 / 3) };
        for x in from..canvas.width() {
            canvas.put_if_free(x, row, symbol, level.colour);
        }
        let name = if margin < 6 && level.name == "target" { "tgt" } else { level.name };
        let len = name.chars().count() as i64;
        canvas.text(canvas.width() - len.max(margin - 1), row, name, level.colour);
    }
    if let Some(last) = scene.market().and_then(|market| market.last) {
        let row = scale.row_of(last);
        let newest = scale.x_of(scale.first_bar + scale.candles.len() as i64 - 1);
        for x in newest + 1..canvas.width() {
            canvas.put_if_free(x, row, '┈', scene.theme.dim);
        }
    }
}

/// Paints the bands of open zones.
pub fn zones(scene: &Scene<'_>, chart: &Chart, scale: &Scale, canvas: &mut Canvas) {
    let theme = scene.theme;
    let mut zones = shown(chart, scale);
    // Order blocks over gaps, the untouched over the touched, the newest over all.
    zones.sort_by_key(|zone| {
        (!zone.is_flipped, zone.kind == ZoneKind::OrderBlock, !zone.is_touched, zone.bar)
    });
    for zone in zones {
        let side = usize::from(zone.direction == Direction::Down);
        let colours = match (zone.kind, zone.is_touched) {
            (ZoneKind::OrderBlock, false) => theme.block,
            (ZoneKind::OrderBlock, true) => theme.block_touched,
            (ZoneKind::Gap, false) => theme.gap,
            (ZoneKind::Gap, true) => theme.gap_touched,
        };
        let colour = if zone.is_flipped { theme.flipped } else { colours[side] };
        canvas.band(scale.x_of(zone.bar), scale.y_of(zone.top), scale.y_of(zone.bottom), colour);
    }
}

/// Names the zones at the right end, where there is room.
pub fn zone_labels(scene: &Scene<'_>, chart: &Chart, scale: &Scale, canvas: &mut Canvas) {
    for zone in shown(chart, scale) {
        let name = match (zone.kind, zone.is_flipped) {
            (ZoneKind::OrderBlock, false) => "OB",
            (ZoneKind::OrderBlock, true) => "brk",
            (ZoneKind::Gap, false) => "FVG",
            (ZoneKind::Gap, true) => "iFVG",
        };
        let role = if zone.is_flipped { zone.direction.opposite() } else { zone.direction };
        let name = format!("{name}{}", text::arrow(role));
        let len = name.chars().count() as i64;
        let (top, bottom) = (scale.y_of(zone.top).max(0), scale.y_of(zone.bottom).min(canvas.rows() * 2 - 1));
        let colour = if zone.is_touched { scene.theme.dim } else { scene.theme.direction(role) };
        canvas.text_if_free(canvas.width() - len, (top + bottom).div_euclid(4), &name, colour);
    }
}

/// Zones worth painting, newest first.
fn shown<'a>(chart: &'a Chart, scale: &Scale) -> Vec<&'a Zone> {
    let mut counts = [0usize; 8];
    let zones = chart.zones.iter().rev().filter(|zone| scale.overlaps(zone.bottom, zone.top));
    zones
        .filter(|zone| {
            let class = usize::from(zone.kind == ZoneKind::Gap)
                + 2 * usize::from(zone.direction == Direction::Down)
                + 4 * usize::from(zone.is_flipped);
            counts[class] += 1;
            counts[class] <= if zone.is_flipped { FLIPPED_EACH } else { ZONES_EACH }
        })
        .collect()
}

/// Paints the lines of untaken liquidity.
pub fn pools(scene: &Scene<'_>, chart: &Chart, scale: &Scale, canvas: &mut Canvas) {
    let colour = scene.theme.violet;
    for pool in chart.pools.iter().rev().filter(|pool| scale.is_seen(pool.level)).take(POOLS) {
        let row = scale.row_of(pool.level);
        let from = scale.x_of(pool.bar).max(0);
        for x in from..canvas.width() {
            canvas.put_if_free(x, row, '·', colour);
        }
        let name = match pool.direction {
            Direction::Up => format!("EQH{}", pool.members),
            Direction::Down => format!("EQL{}", pool.members),
        };
        let label_row = if pool.direction == Direction::Up { row - 1 } else { row + 1 };
        // The first place along the line where it hides nothing.
        let _ = (from..canvas.width()).any(|x| canvas.text_if_free(x, label_row, &name, colour));
    }
}

/// Paints breaks as lines with their names, and sweeps as crosses.
pub fn marks(scene: &Scene<'_>, chart: &Chart, scale: &Scale, canvas: &mut Canvas) {
    let theme = scene.theme;
    for mark in chart.marks.iter().rev().filter(|mark| scale.is_seen(mark.level)).take(MARKS) {
        let row = scale.row_of(mark.level);
        let (from, to) = (scale.x_of(mark.from_bar), scale.x_of(mark.bar));
        let beyond = if mark.direction == Direction::Up { -1 } else { 1 };
        let (name, colour) = match mark.kind {
            StructureKind::Bos => ("BOS", theme.direction(mark.direction)),
            StructureKind::Choch => ("CHoCH", theme.gold),
            StructureKind::Mss => ("MSS", theme.gold),
            _ => {
                let extreme = scale.candle(mark.bar).map(|candle| match mark.direction {
                    Direction::Up => candle.high,
                    Direction::Down => candle.low,
                });
                if let Some(extreme) = extreme {
                    canvas.put_if_free(to, scale.row_of(extreme) + beyond, '×', theme.violet);
                }
                continue;
            }
        };
        for x in from.max(0)..to.min(canvas.width()) {
            canvas.put_if_free(x, row, '─', colour);
        }
        let len = name.chars().count() as i64;
        let middle = (from.max(0) + to - len) / 2;
        let _ = canvas.text_if_free(middle, row + beyond, name, colour)
            || canvas.text_if_free(to - len, row + beyond, name, colour)
            || canvas.text_if_free(to + 1, row + beyond, name, colour)
            || canvas.text_if_free(to + 1, row, name, colour);
    }
}

/// Paints an arrow where an order of ours was filled: under the bar for a purchase, over it for a sale.
pub fn fills(scene: &Scene<'_>, scale: &Scale, canvas: &mut Canvas) {
    let instrument = scene.instrument();
    for execution in scene.model.trading.executions.iter().rev() {
        let Some((bar, candle)) = scale.bar_at(execution.first_ts) else { break };
        if execution.instrument != instrument {
            continue;
        }
        let (x, colour) = (scale.x_of(bar), scene.theme.side(execution.side));
        let (symbol, row, away) = match execution.side {
            Side::Buy => ('▲', scale.row_of(candle.low) + 1, 1),
            Side::Sell => ('▼', scale.row_of(candle.high) - 1, -1),
        };
        let _ =
            canvas.put_if_free(x, row, symbol, colour) || canvas.put_if_free(x, row + away, symbol, colour);
    }
}
