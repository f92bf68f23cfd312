//! Title and legend.

use super::canvas::{Anchor, Label, Rect};
use super::picture::{NORMAL, Picture, SMALL, cross, ring};
use super::scale::LEFT;
use crate::csv::Iso;
use smc_core::words::TsNs;

impl Picture<'_> {
    pub(super) fn head(&mut self) {
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

/// Date and time to the minute.
fn minute(ts: TsNs) -> String {
    let text = Iso(ts).to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}
