//! A row of a file into events: one file a family of formats, one door for all.

mod bars;
mod binance;
mod book;
mod bybit;
mod capture;
mod lean;
mod oanda;

pub(crate) use capture::timed;

use crate::format::Format;
use crate::source::{LineError, Lines, Text};
use smc_core::TsNs;
use smc_core::event::EventBody;
use smc_core::words::{Name, Timeframe};
use std::io;

/// An event before it has a place: what happened, when at the venue, when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The venue's stamp.
    pub ts_event: TsNs,
    /// When it was received; the venue's stamp where nobody noted it.
    pub ts_recv: TsNs,
    /// What happened.
    pub body: EventBody,
}

impl Draft {
    /// Seen when it happened: archives know no other time.
    pub const fn at(ts: TsNs, body: EventBody) -> Self {
        Self { ts_event: ts, ts_recv: ts, body }
    }
}

/// What became of a row that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Events.
    Events,
    /// Nothing, on purpose; the reason is counted.
    Skipped(&'static str),
    /// Column names or an empty line.
    Nothing,
}

/// One step through a file.
pub enum Step {
    /// A row, by its line, and what became of it: `Err` says why it was refused.
    Row(u64, Result<Taken, String>),
    /// The rest cannot be read.
    Broken(io::Error),
    /// No more rows.
    End,
}

/// The rows of one file.
pub trait Rows {
    /// Goes on by one row; its events are appended to `out`.
    fn step(&mut self, out: &mut Vec<Draft>) -> Step;
}

/// What the caller says of a file, and what its name says.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// The instrument; messages of others are skipped.
    pub symbol: Name,
    /// Length of bars that do not say it themselves.
    pub timeframe: Option<Timeframe>,
}

/// The rows of `text`, which has `format`.
pub fn open(format: Format, text: Text, hints: &Hints) -> Result<Box<dyn Rows>, String> {
    let Text { reader, name, .. } = text;
    let by_line = |reader, row: Box<dyn LineRow>| -> Box<dyn Rows> {
        Box::new(ByLine { lines: Lines::new(reader), row })
    };
    Ok(match format {
        Format::BinanceTrades => by_line(reader, Box::new(binance::Trades)),
        Format::BinanceAggTrades => by_line(reader, Box::new(binance::AggTrades)),
        Format::BinanceKlines => by_line(reader, Box::new(binance::Klines)),
        Format::BinanceBookTicker => by_line(reader, Box::new(binance::BookTicker)),
        Format::SidedTrades => by_line(reader, Box::new(binance::SidedTrades)),
        Format::BybitTrades => by_line(reader, Box::new(bybit::Trades::new(hints.symbol))),
        Format::BybitBook => by_line(reader, Box::new(bybit::Book::new(hints.symbol))),
        Format::BinanceSpotCapture => by_line(reader, Box::new(capture::Spot::new(hints.symbol))),
        Format::BinanceUsdmCapture => by_line(reader, Box::new(capture::Usdm::new(hints.symbol))),
        Format::LeanTicks => by_line(reader, Box::new(lean::Ticks::new(&name)?)),
        Format::LeanHours => by_line(reader, Box::new(lean::Hours)),
        Format::OandaCandles => Box::new(oanda::Candles::read(reader, hints)?),
        Format::Ohlcv => Box::new(bars::Bars::new(reader, hints)?),
    })
}

/// A format whose rows are lines.
pub(crate) trait LineRow {
    /// Reads one line that is not empty. `is_first` lets a header be one.
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String>;
}

struct ByLine {
    lines: Lines,
    row: Box<dyn LineRow>,
}

impl Rows for ByLine {
    fn step(&mut self, out: &mut Vec<Draft>) -> Step {
        let number = self.lines.number() + 1;
        let outcome = match self.lines.read() {
            None => return Step::End,
            Some(Err(LineError::Io(error))) => return Step::Broken(error),
            Some(Err(LineError::TooLong)) => Err("the line is too long".into()),
            Some(Err(LineError::NotText)) => Err("not UTF-8 text".into()),
            Some(Ok(line)) if line.trim().is_empty() => Ok(Taken::Nothing),
            Some(Ok(line)) => {
                let before = out.len();
                let outcome = self.row.row(line, number == 1, out);
                if outcome.is_err() {
                    out.truncate(before);
                }
                outcome
            }
        };
        Step::Row(number, outcome)
    }
}

/// The fields of a CSV line, at least `N` of them.
pub(crate) fn fields<const N: usize>(line: &str) -> Result<[&str; N], String> {
    let mut out = [""; N];
    let mut count = 0;
    for field in line.split(',') {
        if let Some(slot) = out.get_mut(count) {
            *slot = field.trim();
        }
        count += 1;
    }
    if count < N { Err(format!("{count} columns where {N} were expected")) } else { Ok(out) }
}

/// A line of names where the first field of every row is a number.
pub(crate) fn is_header(line: &str) -> bool {
    line.trim_start().starts_with(|first: char| first.is_ascii_alphabetic() || first == '"')
}

/// Says which column is wrong, and what stands there.
pub(crate) fn needed<T>(value: Option<T>, column: &str, text: &str) -> Result<T, String> {
    value.ok_or_else(|| {
        let shown: String = text.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect();
        format!("{column} `{shown}` is not usable")
    })
}
