//! SVG elements, and labels that keep out of each other's way.

use super::{HEIGHT, WIDTH};
use std::fmt::{Display, Write};

/// The picture being written. Numbers that are none make no element.
pub(super) struct Canvas {
    out: String,
    taken: Vec<Rect>,
}

/// A box on the picture.
#[derive(Clone, Copy)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    fn meets(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// Where a text hangs on its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A label: text of a class, of a size in pixels.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    pub class: &'a str,
    pub text: &'a str,
    pub size: f64,
    pub anchor: Anchor,
}

impl Label<'_> {
    /// Roomy: fonts differ.
    fn width(&self) -> f64 {
        self.text.chars().count() as f64 * self.size * 0.66 + 3.0
    }

    /// The box of the text with its baseline's anchor at a point.
    fn rect(&self, x: f64, y: f64) -> Rect {
        let width = self.width();
        let x = match self.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        Rect { x, y: y - self.size * 0.85, width, height: self.size * 1.1 }
    }
}

impl Canvas {
    pub fn new(style: &str) -> Self {
        let mut out = String::new();
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
             height=\"{HEIGHT}\" font-family=\"Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\">\n\
             <style>{style}</style>\n"
        );
        Self { out, taken: Vec::new() }
    }

    pub fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }

    pub fn rect(&mut self, class: &str, rect: Rect) {
        let Rect { x, y, width, height } = rect;
        let is_sane =
            [x, y, width, height].iter().all(|value| value.is_finite()) && width >= 0.0 && height >= 0.0;
        if is_sane {
            let (x, y, width, height) = (n(x), n(y), n(width), n(height));
            let _ = writeln!(
                self.out,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
            );
        }
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        if [from.0, from.1, to.0, to.1].iter().all(|value| value.is_finite()) {
            let (x1, y1, x2, y2) = (n(from.0), n(from.1), n(to.0), n(to.1));
            let _ = writeln!(
                self.out,
                "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
            );
        }
    }

    pub fn path(&mut self, class: &str, data: &str) {
        if !data.is_empty() {
            let _ = writeln!(self.out, "<path class=\"{class}\" d=\"{data}\"/>");
        }
    }

    /// Writes where asked, whatever is there, and keeps the place.
    pub fn text(&mut self, label: Label<'_>, x: f64, y: f64) {
        self.taken.push(label.rect(x, y));
        self.put(label, x, y);
    }

    /// Writes at the first of the places that is free and on the picture; nowhere when none is.
    pub fn label(&mut self, label: Label<'_>, places: &[(f64, f64)]) -> bool {
        let is_free = |&&(x, y): &&(f64, f64)| {
            let rect = label.rect(x, y);
            let is_inside = rect.x >= super::scale::LEFT
                && rect.x + rect.width <= super::scale::RIGHT
                && rect.y >= super::scale::TOP
                && rect.y + rect.height <= super::scale::BOTTOM;
            is_inside && !self.taken.iter().any(|taken| taken.meets(&rect))
        };
        let Some(&(x, y)) = places.iter().find(is_free) else { return false };
        self.text(label, x, y);
        true
    }

    /// A place no label may go.
    pub fn keep_free(&mut self, rect: Rect) {
        self.taken.push(rect);
    }

    fn put(&mut self, label: Label<'_>, x: f64, y: f64) {
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        let anchor = match label.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, size, class) = (n(x), n(y), label.size, label.class);
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\">"
        );
        for c in label.text.chars() {
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                c if c.is_control() => self.out.push('?'),
                c => self.out.push(c),
            }
        }
        self.out.push_str("</text>\n");
    }
}

/// A coordinate: a tenth of a pixel is fine enough.
pub(super) fn n(value: f64) -> impl Display {
    (value * 10.0).round() / 10.0
}
