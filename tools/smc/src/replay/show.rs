//! Words for people: prices with the instrument's decimals, times as UTC text, trees with record numbers.

use crate::view::{date, fixed};
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{InstrumentId, Money, Price, Qty, TsNs};
use smc_replay::{Field, Value, words};
use std::collections::BTreeMap;

/// Columns that a line may fill.
const WIDTH: usize = 118;

/// Symbols and decimals.
pub struct Show {
    specs: BTreeMap<InstrumentId, InstrumentSpec>,
    symbols: Vec<String>,
}

impl Show {
    pub fn new(specs: BTreeMap<InstrumentId, InstrumentSpec>, symbols: Vec<String>) -> Self {
        Self { specs, symbols }
    }

    pub fn symbol(&self, id: InstrumentId) -> String {
        let known = self.symbols.get(id.index()).cloned();
        known.unwrap_or_else(|| if id == InstrumentId::NONE { "-".into() } else { format!("#{}", id.0) })
    }

    pub fn price(&self, id: InstrumentId, price: Price) -> String {
        match self.specs.get(&id) {
            // What is off the grid (a stop before rounding, an average) is told as it is.
            Some(spec) if spec.tick.0 > 0 && price.0 % spec.tick.0 == 0 => {
                fixed(price.0, decimals(spec.tick.0))
            }
            _ => price.to_string(),
        }
    }

    pub fn qty(&self, id: InstrumentId, qty: Qty) -> String {
        match self.specs.get(&id) {
            Some(spec) if spec.lot.0 > 0 && qty.0 % spec.lot.0 == 0 => fixed(qty.0, decimals(spec.lot.0)),
            _ => qty.to_string(),
        }
    }

    pub fn value(&self, id: Option<InstrumentId>, value: &Value) -> String {
        let id = id.unwrap_or(InstrumentId::NONE);
        match value {
            Value::Price(price) => self.price(id, *price),
            Value::Qty(qty) => self.qty(id, *qty),
            Value::Money(amount) => money(*amount),
            Value::Time(ts) => time(*ts),
            Value::Number(n) => n.to_string(),
            Value::Flag(is) => if *is { "yes" } else { "no" }.into(),
            Value::Word(word) => word.clone(),
        }
    }

    /// `price 65000.10, qty 0.5`; the instrument by its symbol.
    pub fn fields(&self, id: Option<InstrumentId>, fields: &[Field]) -> String {
        let said = fields.iter().map(|(name, value)| match (*name, value) {
            ("instrument", Value::Number(n)) => {
                self.symbol(InstrumentId(u16::try_from(*n).unwrap_or(u16::MAX)))
            }
            (name, value) => format!("{} {}", name.replace('_', " "), self.value(id, value)),
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

/// Decimals of a grid: 0.01 has two.
fn decimals(step: i64) -> u32 {
    let mut left = step;
    let mut decimals = 8;
    while decimals > 0 && left % 10 == 0 {
        left /= 10;
        decimals -= 1;
    }
    decimals
}

/// Money to the cent.
pub fn money(amount: Money) -> String {
    fixed(amount.0, 2)
}

/// `2024-08-09 00:12:05.250 UTC`; finer where it is finer.
pub fn time(ts: TsNs) -> String {
    let (seconds, nanos) = (ts.0 / 1_000_000_000 % 86_400, ts.0 % 1_000_000_000);
    let fraction = match nanos % 1_000_000 {
        0 => format!("{:03}", nanos / 1_000_000),
        _ => format!("{nanos:09}"),
    };
    format!("{} {:02}:{:02}:{:02}.{fraction} UTC", date(ts), seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Only the time of day, to the second.
pub fn clock(ts: TsNs) -> String {
    let seconds = ts.0 / 1_000_000_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `1.5 s`, `250 ms`, `90 min`.
pub fn duration(nanos: u64) -> String {
    match nanos {
        0 => "0 s".into(),
        1..1_000_000 => format!("{} ns", nanos),
        1_000_000..1_000_000_000 => format!("{} ms", nanos as f64 / 1e6),
        1_000_000_000..600_000_000_000 => format!("{} s", (nanos / 1_000_000) as f64 / 1e3),
        _ => format!("{:.1} min", nanos as f64 / 60e9),
    }
}

/// Parts per million as percent: `0.25 %`.
pub fn percent_e8(share: i64) -> String {
    format!("{} %", smc_core::words::Qty(share.saturating_mul(100)))
}

/// Lower-case words with underscores, for JSON.
pub fn key(name: &impl std::fmt::Debug) -> String {
    words(name).replace(' ', "_")
}

/// A line, the record that says it, and what hangs from it.
#[derive(Default)]
pub struct Node {
    text: String,
    kids: Vec<Node>,
}

impl Node {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), kids: Vec::new() }
    }

    /// With its record in front.
    pub fn at(seq: Option<u64>, text: impl std::fmt::Display) -> Self {
        match seq {
            Some(seq) => Self::new(format!("#{seq} {text}")),
            None => Self::new(format!("(not journaled) {text}")),
        }
    }

    pub fn push(&mut self, kid: Self) {
        self.kids.push(kid);
    }

    pub fn extend(&mut self, kids: impl IntoIterator<Item = Self>) {
        self.kids.extend(kids);
    }

    pub fn with(mut self, kids: impl IntoIterator<Item = Self>) -> Self {
        self.extend(kids);
        self
    }

    /// All lines; long ones go on under their beginning.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        self.write("", "", &mut out);
        out
    }

    fn write(&self, first: &str, rest: &str, out: &mut String) {
        let under = if self.kids.is_empty() { "    " } else { "│   " };
        let mut lead = first.to_string();
        for line in wrapped(&self.text, WIDTH.saturating_sub(rest.chars().count() + 4)) {
            out.push_str(format!("{lead}{line}").trim_end());
            out.push('\n');
            lead = format!("{rest}{under}");
        }
        for (nth, kid) in self.kids.iter().enumerate() {
            let is_last = nth + 1 == self.kids.len();
            let (branch, on) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            kid.write(&format!("{rest}{branch}"), &format!("{rest}{on}"), out);
        }
    }
}

/// Broken at spaces; a word longer than the width stays whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_string()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines
            .last()
            .is_some_and(|line| !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width);
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_those_of_the_grid() {
        assert_eq!(decimals(1_000_000), 2);
        assert_eq!(decimals(1), 8);
        assert_eq!(decimals(100_000_000), 0);
        assert_eq!(decimals(50_000_000), 1);
        assert_eq!(percent_e8(250_000), "0.25 %");
        assert_eq!(duration(250_000_000), "250 ms");
        assert_eq!(time(TsNs(1_723_161_605_250_000_000)), "2024-08-09 00:00:05.250 UTC");
    }

    #[test]
    fn long_lines_go_on_under_their_beginning() {
        let leaf = Node::new("word ".repeat(40).trim());
        let text = Node::new("root").with([leaf, Node::new("last")]).lines();
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 2), "{text}");
        assert!(
            text.starts_with("root\n├─ word")
                && text.contains("\n│      word")
                && text.ends_with("└─ last\n")
        );
    }
}
