//! Levels: previous highs and lows, equal highs and lows, sweeps, the dealing range.

use super::canvas::{Anchor, Label, Rect};
use super::picture::{Picture, SMALL, by, cross, ring};
use super::scale::{RIGHT, Scale};
use smc_core::output::StructureKind;

/// A period narrower than its name is not drawn.
const PERIOD_WIDTH_MIN: f64 = 40.0;

impl Picture<'_> {
    /// Premium above the middle of the dealing range, discount below, at the right edge.
    pub(super) fn range(&mut self) {
        const STRIP: f64 = 9.0;
        let known = self.scene.ranges.iter().rev().find(|range| range.from <= self.scale.last);
        let Some(range) = known.filter(|range| range.bottom < range.top) else { return };
        let middle = f64::midpoint(range.top, range.bottom);
        let (top, half, bottom) = (self.scale.y(range.top), self.scale.y(middle), self.scale.y(range.bottom));
        let x = RIGHT - STRIP;
        self.canvas.rect("prem", Rect { x, y: top, width: STRIP, height: half - top });
        self.canvas.rect("disc", Rect { x, y: half, width: STRIP, height: bottom - half });
        self.canvas.keep_free(Rect { x, y: top, width: STRIP, height: bottom - top });
        if self.scale.sees(middle) {
            self.canvas.line("eq", (x - 6.0, half), (RIGHT, half));
        }
        let at = x - 9.0;
        for (class, text, price, down) in [
            ("td halo", "premium", range.top, 10.0),
            ("tp halo", "equilibrium", middle, 3.5),
            ("tu halo", "discount", range.bottom, -4.0),
        ] {
            if self.scale.sees(price) {
                let label = Label { class, text, size: SMALL, anchor: Anchor::End };
                let y = self.scale.y(price) + down;
                self.canvas.label(label, &[(at, y), (at, y - 12.0), (at, y + 12.0)]);
            }
        }
    }

    /// Previous day, week and month.
    pub(super) fn periods(&mut self) {
        let Scale { first, last, .. } = self.scale;
        for period in &self.scene.periods {
            let until = period.until.unwrap_or(u32::MAX);
            if period.from > last || until <= first || !(1..=3).contains(&period.code) {
                continue;
            }
            let letter = ["D", "W", "M"][(period.code - 1).unsigned_abs() as usize % 3];
            let (x, end) = (
                self.scale.x_left(period.from.max(first)),
                if until > last { RIGHT } else { self.scale.x_left(until) },
            );
            // On a chart of days, yesterday is a bar like any other.
            if end - x < PERIOD_WIDTH_MIN && until <= last {
                continue;
            }
            for (level, side) in [(period.high, "H"), (period.low, "L")] {
                if !self.scale.sees(level) {
                    continue;
                }
                let y = self.scale.y(level);
                self.canvas.line("prev", (x, y), (end, y));
                let text = format!("P{letter}{side}");
                let label = Label { class: "tp halo", text: &text, size: SMALL, anchor: Anchor::Start };
                let now = until > last;
                let at = if now { self.scale.x(last) + self.scale.step + 6.0 } else { x + 3.0 };
                self.canvas.label(
                    label,
                    &[(at, y - 3.0), (at, y + 10.0), (at + 26.0, y - 3.0), (at + 26.0, y + 10.0)],
                );
            }
        }
    }

    /// Pools, swept levels and the marks of their sweeps.
    pub(super) fn liquidity(&mut self) {
        let Scale { first, last, .. } = self.scale;
        let (mut crosses, mut rings) = (String::new(), String::new());
        for sweep in &self.scene.sweeps {
            let is_daily = self.scene.timeframe.secs() >= 86_400;
            let is_noise = is_daily && !sweep.is_pivot;
            if is_noise || sweep.known < first || sweep.known > last || !self.scale.sees(sweep.level) {
                continue;
            }
            let (x, y) = (self.scale.x(sweep.known), self.scale.y(sweep.level));
            if sweep.is_pivot {
                self.canvas.line("lev", (self.scale.x(sweep.bar), y), (x, y));
            }
            let away = by(sweep.direction, "-", "+");
            cross(&mut crosses, x, if away == "-" { y - 5.0 } else { y + 5.0 });
        }
        for pool in &self.scene.pools {
            let ended = pool.ended.filter(|(bar, _)| *bar <= last);
            let is_past = ended.is_some_and(|(bar, _)| bar < first);
            if pool.known > last || is_past || !self.scale.sees(pool.level) {
                continue;
            }
            let y = self.scale.y(pool.level);
            let (x, end) = (self.scale.x(pool.bar), ended.map_or(RIGHT, |(bar, _)| self.scale.x(bar)));
            self.canvas.line(if ended.is_some() { "pool gone" } else { "pool" }, (x, y), (end, y));
            match ended {
                Some((_, StructureKind::PoolSwept)) => cross(&mut crosses, end, y),
                Some((_, StructureKind::PoolRun)) => ring(&mut rings, end, y),
                _ => {}
            }
        }
        self.canvas.path("x", &crosses);
        self.canvas.path("run", &rings);
    }

    pub(super) fn pool_labels(&mut self) {
        let Scale { first, last, .. } = self.scale;
        for pool in &self.scene.pools {
            let is_past = pool.ended.is_some_and(|(bar, _)| bar < first);
            if pool.known > last || is_past || !self.scale.sees(pool.level) {
                continue;
            }
            let name = by(pool.direction, "EQH", "EQL");
            let text = if pool.members > 2 { format!("{name} x{}", pool.members) } else { name.into() };
            let label = Label { class: "tl halo", text: &text, size: 9.5, anchor: Anchor::Start };
            let y = self.scale.y(pool.level);
            let (above, below) = (y - 3.0, y + 10.0);
            let x = self.scale.x(pool.bar) + 2.0;
            let near = by(pool.direction, "above", "below") == "above";
            let (near, far) = if near { (above, below) } else { (below, above) };
            let end = pool.ended.map_or(RIGHT - 44.0, |(bar, _)| self.scale.x(bar.min(last)) - 30.0).max(x);
            self.canvas.label(label, &[(x, near), (end, near), (x, far), (end, far)]);
        }
    }
}
