//! Closed candles over REST, to warm structure up before the streams begin. Cold: at start.
//!
//! The venue repeats the last price in a candle without trades; such candles are left out, as nobody who
//! watched the trades would have seen a bar. Every number is exact or the answer is refused.

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::{Array, Value};
use smc_core::event::Bar;
use smc_core::words::{Name, Price, Qty, Timeframe, TsNs};

use super::subscribe::percent_encoded;
use crate::number::decimal;

/// Candles of one answer.
pub const CANDLES_MAX: u16 = 1_000;

/// Why an answer cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up.
        at: usize,
    },
    /// JSON, but no list of candles.
    NoList,
    /// A candle that lacks a field, or whose field is no number of that kind.
    BadField {
        /// Which candle, from 0.
        row: usize,
        /// Which field, from 0.
        column: usize,
    },
    /// A candle with its high under its low, open or close, off its grid, or not after the one before it.
    BadCandle {
        /// Which candle, from 0.
        row: usize,
    },
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "candles: not JSON at byte {at}"),
            Self::NoList => f.write_str("candles: not a list"),
            Self::BadField { row, column } => {
                write!(f, "candles: field {column} of candle {row} is not what it must be")
            }
            Self::BadCandle { row } => write!(f, "candles: candle {row} contradicts itself or its neighbour"),
        }
    }
}

impl std::error::Error for HistoryError {}

/// The longest of the intervals that divides `timeframe`: candles of it make bars of `timeframe`.
pub fn candle_interval(kline_secs: &[u32], timeframe: Timeframe) -> Timeframe {
    let divides = |&&secs: &&u32| timeframe.secs().is_multiple_of(secs);
    let longest = kline_secs.iter().filter(divides).max().and_then(|&secs| Timeframe::from_secs(secs));
    longest.unwrap_or(timeframe)
}

/// The request for the newest candles; the last of the answer may still be forming.
pub fn candles_path(path: &str, symbol: Name, interval: Timeframe, limit: u16) -> String {
    let symbol = percent_encoded(symbol.as_str());
    format!("{path}?symbol={symbol}&interval={interval}&limit={}", limit.clamp(1, CANDLES_MAX))
}

/// Reads the answer's body, which may be changed: candles with trades, oldest first.
pub fn candles(body: &mut [u8], interval: Timeframe) -> Result<Vec<Bar>, HistoryError> {
    let tape = simd_json::to_tape(body).map_err(|error| HistoryError::BadJson { at: error.index() })?;
    let rows = tape.as_value().into_array().ok_or(HistoryError::NoList)?;
    let mut bars = Vec::with_capacity(rows.len());
    let mut before = None;
    for (row, value) in rows.iter().enumerate() {
        let cells = value.into_array().ok_or(HistoryError::BadField { row, column: 0 })?;
        let bar = Row { row, cells }.bar()?;
        let is_sound = bar.low <= bar.open.min(bar.close)
            && bar.open.max(bar.close) <= bar.high
            && interval.open_of(bar.open_ts) == bar.open_ts
            && before < Some(bar.open_ts);
        if !is_sound {
            return Err(HistoryError::BadCandle { row });
        }
        before = Some(bar.open_ts);
        if bar.trades > 0 {
            bars.push(bar);
        }
    }
    Ok(bars)
}

/// `[open time, open, high, low, close, volume, close time, quote volume, trades, …]`
struct Row<'t, 'a> {
    row: usize,
    cells: Array<'t, 'a>,
}

impl<'t, 'a> Row<'t, 'a> {
    fn bar(&self) -> Result<Bar, HistoryError> {
        let trades = u32::try_from(self.whole(8)?).unwrap_or(u32::MAX);
        Ok(Bar {
            open_ts: TsNs::from_ms(self.whole(0)?),
            open: Price(self.number(1)?),
            high: Price(self.number(2)?),
            low: Price(self.number(3)?),
            close: Price(self.number(4)?),
            volume: Qty(self.number(5)?),
            trades,
        })
    }

    fn cell(&self, column: usize) -> Result<Value<'t, 'a>, HistoryError> {
        self.cells.get(column).ok_or_else(|| self.fault(column))
    }

    fn whole(&self, column: usize) -> Result<u64, HistoryError> {
        self.cell(column)?.as_u64().ok_or_else(|| self.fault(column))
    }

    fn number(&self, column: usize) -> Result<i64, HistoryError> {
        let text = self.cell(column)?.into_string().ok_or_else(|| self.fault(column))?;
        decimal(text.as_bytes()).map_err(|_| self.fault(column))
    }

    const fn fault(&self, column: usize) -> HistoryError {
        HistoryError::BadField { row: self.row, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tf(text: &str) -> Timeframe {
        Timeframe::parse(text).unwrap()
    }

    fn read(text: &str) -> Result<Vec<Bar>, HistoryError> {
        candles(&mut text.as_bytes().to_vec(), tf("1m"))
    }

    fn row(open_ms: u64, high: &str, trades: u32) -> String {
        format!(
            r#"[{open_ms},"5.0","{high}","4.0","5.5","10",{},"1",{trades},"1","1","0"]"#,
            open_ms + 59_999
        )
    }

    #[test]
    fn candles_without_trades_are_left_out() {
        let text = format!("[{},{},{}]", row(60_000, "7", 3), row(120_000, "7", 0), row(180_000, "8", 1));
        let bars = read(&text).unwrap();
        assert_eq!(bars.iter().map(|bar| bar.open_ts.as_ms()).collect::<Vec<_>>(), [60_000, 180_000]);
        assert_eq!((bars[1].high, bars[1].volume), (Price(800_000_000), Qty(1_000_000_000)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(matches!(read("[[1"), Err(HistoryError::BadJson { .. })));
        assert_eq!(read("{}"), Err(HistoryError::NoList));
        assert_eq!(read("[7]"), Err(HistoryError::BadField { row: 0, column: 0 }));
        assert_eq!(read("[[60000,\"x\"]]"), Err(HistoryError::BadField { row: 0, column: 8 }));
        assert_eq!(
            read(&format!("[{}]", row(60_000, "nan", 1))),
            Err(HistoryError::BadField { row: 0, column: 2 })
        );
        assert_eq!(read(&format!("[{}]", row(60_000, "3", 1))), Err(HistoryError::BadCandle { row: 0 }));
        assert_eq!(read(&format!("[{}]", row(60_001, "7", 1))), Err(HistoryError::BadCandle { row: 0 }));
        let twice = format!("[{},{}]", row(60_000, "7", 1), row(60_000, "7", 1));
        assert_eq!(read(&twice), Err(HistoryError::BadCandle { row: 1 }));
    }
}
