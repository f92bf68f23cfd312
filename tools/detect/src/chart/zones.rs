//! Gaps and order blocks: boxes from their bar until they end, paler when touched, dashed when broken.
//!
//! Blocks of the internal structure are left out; they would cover the bars.

use super::canvas::{Anchor, Label, Rect};
use super::picture::{Picture, by};
use super::scale::{BOTTOM, RIGHT, Scale};
use super::scene::{Scene, Zone, float};
use smc_core::output::Scope;

/// Zones older than the picture that are drawn on each side, the nearest to the last price first.
const OLD_ZONES_MAX: usize = 4;

impl<'a> Picture<'a> {
    pub(super) fn zones(&mut self) {
        let Scale { first, last, .. } = self.scale;
        let close = self.bars.last().map_or(0.0, |bar| float(bar.close));
        let is_seen = |zone: &&Zone| {
            zone.known <= last
                && zone.ended.is_none_or(|ended| ended >= first)
                && zone.bottom < self.scale.high
                && self.scale.low < zone.top
                && zone.scope == Scope::Swing
        };
        let scene: &'a Scene = self.scene;
        let (mut old, mut new): (Vec<&Zone>, Vec<&Zone>) =
            scene.zones.iter().filter(is_seen).partition(|zone| zone.known < first);
        // What is older than the picture only matters near the price.
        old.retain(|zone| zone.touched.is_none() && zone.flipped.is_none());
        old.sort_by(|a, b| distance(a, close).total_cmp(&distance(b, close)));
        let (mut above, mut below) = (0, 0);
        old.retain(|zone| {
            let count = if zone.bottom > close { &mut above } else { &mut below };
            *count += 1;
            *count <= OLD_ZONES_MAX
        });
        new.extend(old);
        // Gaps under blocks.
        new.sort_by_key(|zone| (!zone.is_gap, zone.bar));
        for zone in &new {
            self.zone(zone);
        }
        self.drawn = new;
    }

    fn zone(&mut self, zone: &Zone) {
        let last = self.scale.last;
        let seen = |bar: Option<u32>| bar.filter(|&bar| bar <= last);
        let (touched, flipped, ended) = (seen(zone.touched), seen(zone.flipped), seen(zone.ended));
        let (y, bottom) = (self.scale.y(zone.top), self.scale.y(zone.bottom));
        let height = (bottom - y).max(0.8);
        let x_of = |bar: Option<u32>| bar.map_or(RIGHT, |bar| self.scale.x(bar));
        let fresh_end = touched.or(flipped).or(ended);
        let mut parts = vec![("", zone.bar, fresh_end)];
        // A mitigated gap has done its work; a tested block still stands, and broken it is a breaker.
        if !zone.is_gap {
            if touched.is_some() {
                parts.push((" done", touched.unwrap_or(0), flipped.or(ended)));
            }
            if flipped.is_some() {
                parts.push((" flip", flipped.unwrap_or(0), ended));
            }
        }
        let (own, other) = match zone.is_gap {
            true => (by(zone.direction, "gu", "gd"), ""),
            false => (by(zone.direction, "ou", "od"), by(zone.direction, "od", "ou")),
        };
        let mut rects = Vec::new();
        for (state, from, until) in parts {
            let color = if state == " flip" { other } else { own };
            let state = if state.is_empty() && fresh_end.is_some() { " done" } else { state };
            let (x, end) = (self.scale.x(from), x_of(until));
            if x < end {
                rects.push((
                    format!("{color}{state}"),
                    Rect { x, y, width: end - x, height: height.min(BOTTOM - y) },
                ));
            }
        }
        for (class, rect) in rects {
            self.canvas.rect(&class, rect);
        }
    }

    /// Blocks that still stand at the last bar are named.
    pub(super) fn zone_labels(&mut self) {
        let last = self.scale.last;
        let is_over = |bar: Option<u32>| bar.is_some_and(|bar| bar <= last);
        for zone in self.drawn.iter().rev() {
            if is_over(zone.ended) {
                continue;
            }
            let (top, bottom) = (self.scale.y(zone.top), self.scale.y(zone.bottom));
            if bottom - top < 7.0 || (zone.is_gap && (is_over(zone.touched) || is_over(zone.flipped))) {
                continue;
            }
            let is_flipped = is_over(zone.flipped);
            let role = if is_flipped { zone.direction.opposite() } else { zone.direction };
            let (text, class) = match zone.is_gap {
                true => ("FVG", by(role, "tu halo", "td halo")),
                false if is_flipped => ("breaker", by(role, "tob halo", "tod halo")),
                false => ("OB", by(role, "tob halo", "tod halo")),
            };
            let label = Label { class, text, size: 9.5, anchor: Anchor::Start };
            let y = f64::midpoint(top, bottom) + 3.4;
            let x = self.scale.x(last) + self.scale.step + 4.0;
            let own = self.scale.x(zone.bar) + 3.0;
            self.canvas.label(label, &[(x, y), (x + 26.0, y), (own, y)]);
        }
    }
}

fn distance(zone: &Zone, price: f64) -> f64 {
    (f64::midpoint(zone.top, zone.bottom) - price).abs()
}
