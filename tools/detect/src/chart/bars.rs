//! Candles, and what they broke: breaks of structure and swings.

use super::canvas::{Anchor, Label, n};
use super::picture::{Picture, SMALL, by};
use super::scale::Scale;
use super::scene::float;
use smc_core::output::{Scope, StructureKind};
use smc_core::words::Direction;
use std::fmt::Write;

impl Picture<'_> {
    pub(super) fn candles(&mut self) {
        let width = (self.scale.step * 0.68).max(0.8);
        let (mut wicks, mut bodies) = ([String::new(), String::new()], [String::new(), String::new()]);
        for (bar, at) in self.bars.iter().zip(self.scale.first..) {
            let x = self.scale.x(at);
            let side = usize::from(bar.close < bar.open);
            let (high, low) = (self.scale.y(float(bar.high)), self.scale.y(float(bar.low)));
            let (top, bottom) =
                (self.scale.y(float(bar.open.max(bar.close))), self.scale.y(float(bar.open.min(bar.close))));
            let _ = write!(wicks[side], "M{} {}V{}", n(x), n(high), n(low));
            let height = (bottom - top).max(1.0);
            let _ = write!(
                bodies[side],
                "M{} {}h{}v{}h{}z",
                n(x - width / 2.0),
                n(top),
                n(width),
                n(height),
                n(-width)
            );
        }
        for (side, (wick, body)) in [("wu", "bu"), ("wd", "bd")].into_iter().enumerate() {
            self.canvas.path(wick, &wicks[side]);
            self.canvas.path(body, &bodies[side]);
        }
    }

    pub(super) fn breaks(&mut self) {
        let Scale { first, last, .. } = self.scale;
        let seen = |bar: u32| first <= bar && bar <= last;
        for at in self.scene.breaks.iter().filter(|at| seen(at.known) && self.scale.sees(at.level)) {
            let y = self.scale.y(at.level);
            let class = match at.scope {
                Scope::Swing => by(at.direction, "ku", "kd"),
                Scope::Internal => by(at.direction, "iu", "id"),
            };
            self.canvas.line(class, (self.scale.x(at.bar), y), (self.scale.x(at.known), y));
        }
    }

    pub(super) fn break_labels(&mut self, kinds: &[StructureKind]) {
        let Scale { first, last, .. } = self.scale;
        for at in &self.scene.breaks {
            let is_seen = first <= at.known && at.known <= last && self.scale.sees(at.level);
            if !is_seen || !kinds.contains(&at.kind) || at.scope != Scope::Swing {
                continue;
            }
            let text = match at.kind {
                StructureKind::Mss => "MSS",
                StructureKind::Choch => "CHoCH",
                _ => "BOS",
            };
            let (from, to, y) = (self.scale.x(at.bar), self.scale.x(at.known), self.scale.y(at.level));
            let middle = f64::midpoint(from, to);
            let label = Label {
                class: by(at.direction, "tu halo", "td halo"),
                text,
                size: SMALL,
                anchor: Anchor::Middle,
            };
            let (near, far) = match at.direction {
                Direction::Up => (y - 3.5, y + 10.5),
                Direction::Down => (y + 10.5, y - 3.5),
            };
            self.canvas.label(label, &[(middle, near), (from, near), (to, near), (middle, far), (from, far)]);
        }
    }

    pub(super) fn swing_labels(&mut self) {
        let Scale { first, last, .. } = self.scale;
        for swing in &self.scene.swings {
            if swing.bar < first || swing.bar > last || swing.known > last || swing.label.is_empty() {
                continue;
            }
            let (x, y) = (self.scale.x(swing.bar), self.scale.y(swing.price));
            let label = Label { class: "mark halo", text: swing.label, size: SMALL, anchor: Anchor::Middle };
            let places = match swing.direction {
                Direction::Up => [y - 4.0, y - 14.0],
                Direction::Down => [y + 11.0, y + 21.0],
            };
            self.canvas.label(label, &places.map(|y| (x, y)));
        }
    }
}
