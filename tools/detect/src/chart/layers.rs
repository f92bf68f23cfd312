//! What is drawn over what: ground, sessions, zones, levels, candles, breaks, labels, axes.

use super::canvas::{Anchor, Canvas, Label, Rect, n};
use super::scale::{BOTTOM, LEFT, RIGHT, Scale, TOP, time_ticks};
use super::scene::{Scene, Zone, float};
use super::style::STYLE;
use super::{HEIGHT, WIDTH};
use crate::csv::Iso;
use smc_core::event::Bar;
use smc_core::output::{Scope, StructureKind};
use smc_core::words::{Direction, TsNs};
use std::fmt::Write;

/// What the head of the chart says.
pub struct Title {
    /// The market, or the file's name.
    pub name: String,
    /// How structure was read.
    pub params: String,
    /// Names of the sessions by index.
    pub sessions: Vec<String>,
}

const SMALL: f64 = 10.0;
const NORMAL: f64 = 11.5;
/// Zones older than the picture that are drawn on each side, the nearest to the last price first.
const OLD_ZONES_MAX: usize = 4;

/// The bars `first..=last` of the scene with what was known by the last of them; none when there are no bars.
pub fn draw(scene: &Scene, first: u32, last: u32, title: &Title) -> Option<String> {
    let bars = scene.bars.get(first as usize..=last as usize).filter(|bars| !bars.is_empty())?;
    let rows = session_rows(scene, first, last);
    let scale = Scale::new(first, bars, rows.len() as f64 * SESSION_ROW);
    let mut picture = Picture { scene, bars, rows, scale, title, canvas: Canvas::new(STYLE) };
    picture.ground();
    picture.sessions();
    picture.grid();
    picture.volume();
    picture.range();
    picture.zones();
    picture.periods();
    picture.liquidity();
    picture.candles();
    picture.breaks();
    picture.labels();
    picture.last_price();
    picture.head();
    Some(picture.canvas.finish())
}

/// Height of a session's strip.
const SESSION_ROW: f64 = 12.0;
/// Sessions beyond are not drawn.
const SESSION_ROWS_MAX: usize = 6;

/// Indices of the sessions that meet the bars, ascending.
fn session_rows(scene: &Scene, first: u32, last: u32) -> Vec<i64> {
    let is_seen = |from: u32, until: Option<u32>| from <= last && until.is_none_or(|until| first < until);
    let seen = scene.sessions.iter().filter(|session| is_seen(session.from, session.until));
    let rows: std::collections::BTreeSet<i64> = seen.map(|session| session.index).collect();
    rows.into_iter().take(SESSION_ROWS_MAX).collect()
}

struct Picture<'a> {
    scene: &'a Scene,
    bars: &'a [Bar],
    /// Sessions seen, by index: each has a row of its own.
    rows: Vec<i64>,
    scale: Scale,
    title: &'a Title,
    canvas: Canvas,
}

/// A class by direction.
const fn by(direction: Direction, up: &'static str, down: &'static str) -> &'static str {
    match direction {
        Direction::Up => up,
        Direction::Down => down,
    }
}

impl Picture<'_> {
    fn ground(&mut self) {
        self.canvas.rect("bg", Rect { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT });
    }

    /// A strip for each session in the row of its name, and a breath of its colour down the plot.
    fn sessions(&mut self) {
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

    fn grid(&mut self) {
        let (ticks, decimals) = self.scale.price_ticks();
        for price in ticks {
            let y = self.scale.y(price);
            self.canvas.line("grid", (LEFT, y), (RIGHT, y));
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
    fn volume(&mut self) {
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

    /// Premium above the middle of the dealing range, discount below, at the right edge.
    fn range(&mut self) {
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
        let at = x - 4.0;
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

    fn zones(&mut self) {
        let Scale { first, last, .. } = self.scale;
        let close = self.bars.last().map_or(0.0, |bar| float(bar.close));
        let is_seen = |zone: &&Zone| {
            zone.known <= last
                && zone.ended.is_none_or(|ended| ended >= first)
                && zone.bottom < self.scale.high
                && self.scale.low < zone.top
                && zone.scope == Scope::Swing
        };
        let (mut old, mut new): (Vec<&Zone>, Vec<&Zone>) =
            self.scene.zones.iter().filter(is_seen).partition(|zone| zone.known < first);
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
        for zone in new {
            self.zone(zone);
        }
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

    /// Previous day, week and month.
    fn periods(&mut self) {
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
    fn liquidity(&mut self) {
        let Scale { first, last, .. } = self.scale;
        let (mut crosses, mut rings) = (String::new(), String::new());
        for sweep in &self.scene.sweeps {
            if sweep.known < first || sweep.known > last || !self.scale.sees(sweep.level) {
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

    fn candles(&mut self) {
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

    fn breaks(&mut self) {
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

    /// Names, the rare and important first, so that they get the good places.
    fn labels(&mut self) {
        self.break_labels(&[StructureKind::Mss, StructureKind::Choch]);
        self.break_labels(&[StructureKind::Bos]);
        self.swing_labels();
        self.pool_labels();
        self.zone_labels();
    }

    fn break_labels(&mut self, kinds: &[StructureKind]) {
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

    fn swing_labels(&mut self) {
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

    fn pool_labels(&mut self) {
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

    /// Blocks that still stand at the last bar are named.
    fn zone_labels(&mut self) {
        let Scale { first, last, .. } = self.scale;
        let is_over = |bar: Option<u32>| bar.is_some_and(|bar| bar <= last);
        for zone in self.scene.zones.iter().rev() {
            if zone.known > last || zone.known < first || is_over(zone.ended) || zone.scope != Scope::Swing {
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

    fn last_price(&mut self) {
        let Some(bar) = self.bars.last() else { return };
        let y = self.scale.y(float(bar.close));
        self.canvas.line("last", (self.scale.x(self.scale.last), y), (RIGHT, y));
        let rect = Rect { x: RIGHT + 1.0, y: (y - 9.0).max(0.0), width: WIDTH - RIGHT - 5.0, height: 18.0 };
        self.canvas.rect("tag", rect);
        let text = bar.close.to_string();
        let label = Label { class: "tagt", text: &text, size: NORMAL, anchor: Anchor::Start };
        self.canvas.text(label, RIGHT + 8.0, y + 4.0);
    }

    fn head(&mut self) {
        let (Some(first), Some(last)) = (self.bars.first(), self.bars.last()) else { return };
        let title = format!("{}  ·  {}", self.title.name, self.scene.timeframe);
        let title = Label { class: "title", text: &title, size: 17.0, anchor: Anchor::Start };
        self.canvas.text(title, LEFT, 27.0);
        let count = self.bars.len();
        let sub = format!(
            "{count} bars, {} to {} UTC  ·  {}",
            minute(first.open_ts),
            minute(last.open_ts),
            self.title.params
        );
        self.canvas.text(Label { class: "sub", text: &sub, size: NORMAL, anchor: Anchor::Start }, LEFT, 47.0);
        self.legend();
    }

    fn legend(&mut self) {
        const ENTRIES: [(&str, &str); 11] = [
            ("gu", "bullish gap"),
            ("gd", "bearish gap"),
            ("ou", "bullish order block"),
            ("od", "bearish order block"),
            ("ou flip", "breaker"),
            ("-ku", "break of structure"),
            ("-iu", "internal"),
            ("-pool", "equal highs / lows"),
            ("x", "sweep"),
            ("o", "run"),
            ("-prev", "previous day, week, month"),
        ];
        let mut x = LEFT;
        let y = 60.0;
        for (class, text) in ENTRIES {
            let middle = y + 4.0;
            match class {
                "x" => {
                    let mut data = String::new();
                    cross(&mut data, x + 8.0, middle);
                    self.canvas.path("x", &data);
                }
                "o" => {
                    let mut data = String::new();
                    ring(&mut data, x + 8.0, middle);
                    self.canvas.path("run", &data);
                }
                _ => match class.strip_prefix('-') {
                    Some(class) => self.canvas.line(class, (x, middle), (x + 18.0, middle)),
                    None => self.canvas.rect(class, Rect { x, y, width: 18.0, height: 8.0 }),
                },
            }
            let label = Label { class: "sub", text, size: SMALL, anchor: Anchor::Start };
            self.canvas.text(label, x + 23.0, y + 7.5);
            x += 23.0 + text.len() as f64 * 5.4 + 20.0;
        }
    }
}

fn distance(zone: &Zone, price: f64) -> f64 {
    (f64::midpoint(zone.top, zone.bottom) - price).abs()
}

fn cross(data: &mut String, x: f64, y: f64) {
    const ARM: f64 = 3.2;
    let (l, r, t, b) = (n(x - ARM), n(x + ARM), n(y - ARM), n(y + ARM));
    let _ = write!(data, "M{l} {t}L{r} {b}M{l} {b}L{r} {t}");
}

fn ring(data: &mut String, x: f64, y: f64) {
    const RADIUS: f64 = 3.0;
    let _ =
        write!(data, "M{} {}a{RADIUS} {RADIUS} 0 1 0 6 0a{RADIUS} {RADIUS} 0 1 0 -6 0", n(x - RADIUS), n(y));
}

/// Date and time to the minute.
fn minute(ts: TsNs) -> String {
    let text = Iso(ts).to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}
