//! Paints the model into a frame. Pure: no clock, no terminal, no file; any size, also one cell.
//!
//! ```text
//! header
//! chart                         | position
//!                               | orders
//!                               | structure per timeframe
//!                               | fills, log
//! latencies, engine, feed
//! ```

mod canvas;
mod chart;
mod header;
mod overlay;
mod pages;
mod scale;
mod side_panel;
mod strip;
mod text;
mod theme;

pub use chart::PITCHES;
pub use pages::Page;
pub use text::{alert, date, denied, fixed, moment, purpose, side, signed, state_change};
pub use theme::{Depth, Theme};

use super::model::{Chart, Market, Model};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use smc_core::words::InstrumentId;
use smc_observe::Picture;
use smc_runtime::control::Status;

/// Everything a frame shows.
pub struct Scene<'a> {
    /// From the journal.
    pub model: &'a Model,
    /// From the counters and histograms.
    pub status: &'a Status,
    /// What the observer sees.
    pub picture: Option<&'a Picture>,
    /// Colours.
    pub theme: &'a Theme,
    /// What the person chose.
    pub choice: Choice,
    /// Market seconds per second.
    pub speed: f64,
    /// How the threads are joined.
    pub topology: &'a str,
    /// Events the engine took in the last second.
    pub events_per_second: u64,
    /// A person may kill from here.
    pub has_kill: bool,
    /// The question that is asked, or the last answer.
    pub word: Option<&'a str>,
}

/// What the person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Instrument, from 0.
    pub market: usize,
    /// Timeframe, from 0.
    pub timeframe: usize,
    /// Zoom: index into [`PITCHES`].
    pub pitch: usize,
    /// What the middle shows.
    pub page: Page,
}

impl Default for Choice {
    fn default() -> Self {
        Self { market: 0, timeframe: 0, pitch: 1, page: Page::Market }
    }
}

impl<'a> Scene<'a> {
    fn market(&self) -> Option<&'a Market> {
        self.model.markets.get(self.choice.market)
    }

    fn instrument(&self) -> InstrumentId {
        InstrumentId(u16::try_from(self.choice.market).unwrap_or(u16::MAX))
    }

    /// The chosen timeframe, or the last one there is.
    fn timeframe(&self) -> usize {
        let count = self.market().map_or(0, |market| market.charts.len());
        self.choice.timeframe.min(count.saturating_sub(1))
    }

    fn chart(&self) -> Option<&'a Chart> {
        self.market()?.charts.get(self.timeframe())
    }

    fn price_decimals(&self) -> u32 {
        self.market().and_then(|market| market.price_decimals).unwrap_or(2)
    }

    fn qty_decimals(&self) -> u32 {
        self.market().and_then(|market| market.qty_decimals).unwrap_or(5)
    }
}

/// Paints a frame.
pub fn draw(scene: &Scene<'_>, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    buf.set_style(area, Style::new().fg(scene.theme.text).bg(scene.theme.ground));
    let strip_height = match area.height {
        0..8 => 0,
        8..16 => 1,
        16..34 => 3,
        _ => 6,
    };
    let [top, rest] = split_rows(area, 1);
    header::draw(scene, top, buf);
    let [body, bottom] = split_rows(rest, rest.height.saturating_sub(strip_height));
    strip::draw(scene, bottom, buf);
    if let Some(word) = scene.word {
        pages::word(scene, word, top, buf);
    }
    if scene.choice.page != Page::Market {
        return pages::draw(scene, body, buf);
    }
    let side_width = match area.width {
        0..64 => 0,
        64..96 => 31,
        96..130 => 42,
        _ => 46,
    };
    let chart_width = body.width.saturating_sub(side_width);
    chart::draw(scene, Rect { width: chart_width, ..body }, buf);
    if side_width > 1 {
        let x = body.x.saturating_add(chart_width).saturating_add(1);
        side_panel::draw(scene, Rect { x, width: side_width - 1, ..body }, buf);
    }
}

/// The first `height` rows, and the others.
fn split_rows(area: Rect, height: u16) -> [Rect; 2] {
    let height = height.min(area.height);
    let rest = Rect { y: area.y.saturating_add(height), height: area.height - height, ..area };
    [Rect { height, ..area }, rest]
}

/// A line in the first row of an area, cut at its end.
fn line(area: Rect, buf: &mut Buffer, spans: Vec<Span<'_>>) {
    if area.height > 0 && area.width > 0 {
        Line::from(spans).render(Rect { height: 1, ..area }, buf);
    }
}

/// Left and right words in one row; the right ones leave when there is no room for both.
fn line_both(area: Rect, buf: &mut Buffer, left: Vec<Span<'_>>, right: Vec<Span<'_>>) {
    let (left, right) = (Line::from(left), Line::from(right));
    let width = right.width() as u16;
    if left.width() as u16 + width < area.width && area.height > 0 {
        let x = area.x + area.width - width;
        right.render(Rect { x, width, height: 1, ..area }, buf);
    }
    if area.height > 0 {
        left.render(Rect { height: 1, ..area }, buf);
    }
}

/// The head of a panel: a rule with words in it.
fn rule(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, words: Vec<Span<'_>>) {
    let area = Rect { height: area.height.min(1), ..area };
    let style = Style::new().fg(scene.theme.rule);
    let dashes = "─".repeat(area.width.into());
    line(area, buf, vec![Span::styled(dashes, style)]);
    if area.width > 4 {
        let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        line(inner, buf, words);
    }
}

/// The head of a panel with one name and maybe a note at its right end.
fn head(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, name: &str, note: &str) {
    let style = Style::new().fg(scene.theme.accent).add_modifier(Modifier::BOLD);
    rule(scene, area, buf, vec![Span::styled(format!(" {name} "), style)]);
    let width = note.chars().count() as u16 + 2;
    if !note.is_empty() && area.height > 0 && width + name.len() as u16 + 6 < area.width {
        let x = area.x + area.width - width - 1;
        let words = Span::styled(format!(" {note} "), scene.theme.dim);
        line(Rect { x, width, height: 1, ..area }, buf, vec![words]);
    }
}

#[cfg(test)]
mod tests;
