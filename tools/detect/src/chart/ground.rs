//! The ground: sessions, grid, axes, volume.

use super::canvas::{Anchor, Label, Rect, n};
use super::picture::{NORMAL, Picture};
use super::scale::{BOTTOM, LEFT, RIGHT, Scale, TOP, time_ticks};
use super::scene::{Scene, float};
use super::{HEIGHT, WIDTH};
use std::fmt::Write;

/// Height of a session's strip.
pub(super) const SESSION_ROW: f64 = 12.0;
/// Longest bars on which sessions are drawn.
const SESSION_SECS_MAX: u32 = 3_600;
/// Sessions beyond are not drawn.
const SESSION_ROWS_MAX: usize = 6;

/// Indices of the sessions that meet the bars, ascending.
pub(super) fn session_rows(scene: &Scene, first: u32, last: u32) -> Vec<i64> {
    // Bars of hours are too coarse to show a session.
    if scene.timeframe.secs() > SESSION_SECS_MAX {
        return Vec::new();
    }
    let is_seen = |from: u32, until: Option<u32>| from <= last && until.is_none_or(|until| first < until);
    let seen = scene.sessions.iter().filter(|session| is_seen(session.from, session.until));
    let rows: std::collections::BTreeSet<i64> = seen.map(|session| session.index).collect();
    rows.into_iter().take(SESSION_ROWS_MAX).collect()
}

impl Picture<'_> {
    pub(super) fn ground(&mut self) {
        self.canvas.rect("bg", Rect { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT });
    }

    /// A strip for each session in the row of its name, and a breath of its colour down the plot.
    pub(super) fn sessions(&mut self) {
        const CLASSES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];
        let Scale { first, last, .. } = self.scale;
        for session in &self.scene.sessions {
            let until = session.until.unwrap_or(last + 1).min(last + 1);
            let Some(row) = self.rows.iter().position(|index| *index == session.index) else { continue };
            if session.from > last || until <= first {
                continue;
            }
            let (x, end) = (self.scale.x_left(session.from.max(first)), self.scale.x_left(until));
            let class = CLASSES[row % CLASSES.len()];
            let y = TOP + row as f64 * SESSION_ROW;
            self.canvas.rect(&format!("{class} air"), Rect { x, y, width: end - x, height: BOTTOM - y });
            let strip = Rect { x, y: y + 1.0, width: end - x, height: SESSION_ROW - 2.0 };
            self.canvas.rect(class, strip);
            let index = usize::try_from(session.index).unwrap_or(usize::MAX);
            let text = self.title.sessions.get(index).map_or("", String::as_str);
            let label = Label { class: "ts", text, size: 8.5, anchor: Anchor::Start };
            let is_wide = end - x > text.chars().count() as f64 * 5.4 + 6.0;
            if is_wide && !text.is_empty() {
                self.canvas.text(label, x + 4.0, y + SESSION_ROW - 3.4);
            }
            self.canvas.keep_free(strip);
        }
    }

    pub(super) fn grid(&mut self) {
        let (ticks, decimals) = self.scale.price_ticks();
        let tag = self.bars.last().map_or(0.0, |bar| self.scale.y(float(bar.close)));
        for price in ticks {
            let y = self.scale.y(price);
            self.canvas.line("grid", (LEFT, y), (RIGHT, y));
            // Where the last price has its tag.
            if (y - tag).abs() < 15.0 {
                continue;
            }
            let text = format!("{price:.decimals$}");
            let label = Label { class: "axis", text: &text, size: NORMAL, anchor: Anchor::Start };
            self.canvas.text(label, RIGHT + 8.0, y + 4.0);
        }
        let mut free_from = LEFT;
        let ticks = time_ticks(&self.scale, self.scene.timeframe, self.bars);
        // Days first: hours go where days leave room.
        let mut texts: Vec<(f64, f64, &str, bool)> = Vec::new();
        for tick in ticks.iter().filter(|tick| tick.is_major) {
            let x = self.scale.x_left(tick.bar);
            self.canvas.line("day", (x, TOP), (x, BOTTOM + 6.0));
            let width = tick.text.len() as f64 * 6.6 + 10.0;
            if free_from <= x && x + width <= WIDTH {
                texts.push((x, width, &tick.text, true));
                free_from = x + width;
            }
        }
        for tick in ticks.iter().filter(|tick| !tick.is_major) {
            let (x, half) = (self.scale.x(tick.bar), 20.0);
            let is_free = x - half >= LEFT
                && x + half <= RIGHT
                && !texts.iter().any(|(at, width, _, is_major)| {
                    let from = if *is_major { *at } else { at - half };
                    x - half < from + width && from < x + half
                });
            self.canvas.line("grid", (x, TOP), (x, BOTTOM));
            if is_free {
                texts.push((x, 2.0 * half, &tick.text, false));
            }
        }
        for (x, _, text, is_major) in texts {
            let (class, anchor, x) =
                if is_major { ("mark", Anchor::Start, x + 5.0) } else { ("axis", Anchor::Middle, x) };
            self.canvas.text(Label { class, text, size: NORMAL, anchor }, x, BOTTOM + 18.0);
        }
        self.canvas.rect("plot", Rect { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP });
    }

    /// A skirt of volume, where the file has one.
    pub(super) fn volume(&mut self) {
        const HEIGHT_MAX: f64 = 56.0;
        let most = self.bars.iter().map(|bar| bar.volume.0).max().unwrap_or(0);
        if most <= 0 {
            return;
        }
        let mut data = String::new();
        let width = (self.scale.step * 0.7).max(0.6);
        for (bar, at) in self.bars.iter().zip(self.scale.first..) {
            let height = bar.volume.0 as f64 / most as f64 * HEIGHT_MAX;
            let x = self.scale.x(at) - width / 2.0;
            let _ = write!(data, "M{} {}v{}h{}v{}z", n(x), n(BOTTOM), n(-height), n(width), n(height));
        }
        self.canvas.path("vol", &data);
    }

    pub(super) fn last_price(&mut self) {
        let Some(bar) = self.bars.last() else { return };
        let y = self.scale.y(float(bar.close));
        self.canvas.line("last", (self.scale.x(self.scale.last), y), (RIGHT, y));
        let rect = Rect { x: RIGHT + 1.0, y: (y - 9.0).max(0.0), width: WIDTH - RIGHT - 5.0, height: 18.0 };
        self.canvas.rect("tag", rect);
        let text = bar.close.to_string();
        let label = Label { class: "tagt", text: &text, size: NORMAL, anchor: Anchor::Start };
        self.canvas.text(label, RIGHT + 8.0, y + 4.0);
    }
}
