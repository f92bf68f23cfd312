//! A grid of cells two pixels high, for the chart: bands below, candles over them, glyphs and words on top.
//!
//! Everything outside the grid is dropped, so painters need no clipping of their own.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// The grid. Columns and pixel rows count from the upper left.
pub struct Canvas {
    width: i64,
    rows: i64,
    /// Per pixel.
    under: Vec<Color>,
    /// Per pixel.
    ink: Vec<Option<Color>>,
    /// Per cell.
    glyphs: Vec<Option<Glyph>>,
}

#[derive(Clone, Copy)]
struct Glyph {
    symbol: char,
    colour: Color,
    is_bold: bool,
}

impl Canvas {
    /// An empty grid.
    pub fn new(area: Rect, ground: Color) -> Self {
        let (width, rows) = (usize::from(area.width), usize::from(area.height));
        Self {
            width: width as i64,
            rows: rows as i64,
            under: vec![ground; width * rows * 2],
            ink: vec![None; width * rows * 2],
            glyphs: vec![None; width * rows],
        }
    }

    /// Columns.
    pub const fn width(&self) -> i64 {
        self.width
    }

    /// Rows of cells.
    pub const fn rows(&self) -> i64 {
        self.rows
    }

    /// A band from column `x` on to the right end, pixel rows `top..=bottom`.
    pub fn band(&mut self, x: i64, top: i64, bottom: i64, colour: Color) {
        for y in top.max(0)..=bottom.min(self.rows * 2 - 1) {
            for x in x.max(0)..self.width {
                if let Some(pixel) = self.pixel(x, y).and_then(|at| self.under.get_mut(at)) {
                    *pixel = colour;
                }
            }
        }
    }

    /// A pixel of a candle's body.
    pub fn ink(&mut self, x: i64, y: i64, colour: Color) {
        if let Some(pixel) = self.pixel(x, y).and_then(|at| self.ink.get_mut(at)) {
            *pixel = Some(colour);
        }
    }

    /// A glyph in a cell, over whatever is there.
    pub fn put(&mut self, x: i64, row: i64, symbol: char, colour: Color) {
        self.set(x, row, Glyph { symbol, colour, is_bold: false });
    }

    /// A glyph in a cell where nothing is yet.
    pub fn put_if_free(&mut self, x: i64, row: i64, symbol: char, colour: Color) -> bool {
        let is_free = self.is_free(x, row);
        if is_free {
            self.put(x, row, symbol, colour);
        }
        is_free
    }

    /// Words over whatever is there.
    pub fn text(&mut self, x: i64, row: i64, text: &str, colour: Color) {
        for (nth, symbol) in text.chars().enumerate() {
            self.set(x + nth as i64, row, Glyph { symbol, colour, is_bold: true });
        }
    }

    /// Words where nothing is yet, all or none.
    pub fn text_if_free(&mut self, x: i64, row: i64, text: &str, colour: Color) -> bool {
        let len = text.chars().count() as i64;
        let is_free = (x..x + len).all(|x| self.is_free(x, row));
        if is_free {
            for (nth, symbol) in text.chars().enumerate() {
                self.put(x + nth as i64, row, symbol, colour);
            }
        }
        is_free
    }

    /// Inside, no candle, no glyph.
    pub fn is_free(&self, x: i64, row: i64) -> bool {
        let has_ink = |y| self.pixel(x, y).and_then(|at| self.ink.get(at)).is_none_or(Option::is_some);
        self.cell(x, row).and_then(|at| self.glyphs.get(at)).is_some_and(Option::is_none)
            && !has_ink(row * 2)
            && !has_ink(row * 2 + 1)
    }

    /// Paints the grid.
    pub fn render(&self, area: Rect, buf: &mut Buffer) {
        for row in 0..self.rows {
            for x in 0..self.width {
                let place = (area.x.saturating_add(x as u16), area.y.saturating_add(row as u16));
                let (Some(cell), Some(at)) = (buf.cell_mut(place), self.cell(x, row)) else { continue };
                let (symbol, front, back, is_bold) = self.look(x, row, at);
                cell.set_char(symbol).set_fg(front).set_bg(back);
                cell.modifier = if is_bold { Modifier::BOLD } else { Modifier::empty() };
            }
        }
    }

    /// What a cell shows: symbol, its colour, the colour behind it.
    fn look(&self, x: i64, row: i64, at: usize) -> (char, Color, Color, bool) {
        let under = |y| self.pixel(x, y).and_then(|at| self.under.get(at)).copied().unwrap_or(Color::Reset);
        let ink = |y| self.pixel(x, y).and_then(|at| self.ink.get(at)).copied().flatten();
        let (above, below) = (under(row * 2), under(row * 2 + 1));
        if let Some(Some(glyph)) = self.glyphs.get(at) {
            return (glyph.symbol, glyph.colour, below, glyph.is_bold);
        }
        let (symbol, front, back) = match (ink(row * 2), ink(row * 2 + 1)) {
            (Some(colour), Some(_)) => ('█', colour, below),
            (Some(colour), None) => ('▀', colour, below),
            (None, Some(colour)) => ('▄', colour, above),
            (None, None) if above == below => (' ', above, below),
            (None, None) => ('▀', above, below),
        };
        (symbol, front, back, false)
    }

    fn set(&mut self, x: i64, row: i64, glyph: Glyph) {
        if let Some(cell) = self.cell(x, row).and_then(|at| self.glyphs.get_mut(at)) {
            *cell = Some(glyph);
        }
    }

    fn cell(&self, x: i64, row: i64) -> Option<usize> {
        let is_inside = (0..self.width).contains(&x) && (0..self.rows).contains(&row);
        is_inside.then_some((row * self.width + x) as usize)
    }

    fn pixel(&self, x: i64, y: i64) -> Option<usize> {
        let is_inside = (0..self.width).contains(&x) && (0..self.rows * 2).contains(&y);
        is_inside.then_some((y * self.width + x) as usize)
    }
}
