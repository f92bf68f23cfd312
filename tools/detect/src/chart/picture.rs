//! What is drawn over what.

use super::canvas::{Canvas, n};
use super::ground::{SESSION_ROW, session_rows};
use super::scale::Scale;
use super::scene::{Scene, Zone};
use super::style::STYLE;
use smc_core::event::Bar;
use smc_core::output::StructureKind;
use smc_core::words::Direction;
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

/// The bars `first..=last` of the scene with what was known by the last of them; none when there are no bars.
pub fn draw(scene: &Scene, first: u32, last: u32, title: &Title) -> Option<String> {
    let bars = scene.bars.get(first as usize..=last as usize).filter(|bars| !bars.is_empty())?;
    let rows = session_rows(scene, first, last);
    let scale = Scale::new(first, bars, rows.len() as f64 * SESSION_ROW);
    let mut picture =
        Picture { scene, bars, rows, scale, title, drawn: Vec::new(), canvas: Canvas::new(STYLE) };
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

/// The picture in the making.
pub(super) struct Picture<'a> {
    pub scene: &'a Scene,
    pub bars: &'a [Bar],
    /// Sessions seen, by index: each has a row of its own.
    pub rows: Vec<i64>,
    pub scale: Scale,
    pub title: &'a Title,
    /// Zones on the picture, in the order they were drawn.
    pub drawn: Vec<&'a Zone>,
    pub canvas: Canvas,
}

/// Sizes of text.
pub(super) const SMALL: f64 = 10.0;
/// Sizes of text.
pub(super) const NORMAL: f64 = 11.5;

impl Picture<'_> {
    /// Names, the rare and important first, so that they get the good places.
    fn labels(&mut self) {
        self.break_labels(&[StructureKind::Mss, StructureKind::Choch]);
        self.break_labels(&[StructureKind::Bos]);
        self.swing_labels();
        self.pool_labels();
        self.zone_labels();
    }
}

/// A class by direction.
pub(super) const fn by(direction: Direction, up: &'static str, down: &'static str) -> &'static str {
    match direction {
        Direction::Up => up,
        Direction::Down => down,
    }
}

/// The mark of a sweep.
pub(super) fn cross(data: &mut String, x: f64, y: f64) {
    const ARM: f64 = 3.2;
    let (l, r, t, b) = (n(x - ARM), n(x + ARM), n(y - ARM), n(y + ARM));
    let _ = write!(data, "M{l} {t}L{r} {b}M{l} {b}L{r} {t}");
}

/// The mark of a run.
pub(super) fn ring(data: &mut String, x: f64, y: f64) {
    const RADIUS: f64 = 3.0;
    let _ =
        write!(data, "M{} {}a{RADIUS} {RADIUS} 0 1 0 6 0a{RADIUS} {RADIUS} 0 1 0 -6 0", n(x - RADIUS), n(y));
}
