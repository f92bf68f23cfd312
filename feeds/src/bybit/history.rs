//! Closed candles from `GET /v5/market/kline`, to warm structure up before the streams begin, and the venue's time.
//! Cold: at start.
//!
//! The venue repeats the last price in a candle without trades; such candles are left out, as nobody who watched the
//! trades would have seen a bar. Every number is exact or the answer is refused.

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::{Array, Object, Tape, Value};
use smc_core::event::Bar;
use smc_core::words::{Name, Price, Qty, Timeframe, TsNs};

use super::message::{INTERVALS, interval_of};
use super::settings::Category;
use super::tape::stamp;
use crate::number::decimal;

/// Candles of one answer.
pub const CANDLES_MAX: u16 = 1_000;
/// The request for the venue's time.
pub const TIME_PATH: &str = "/v5/market/time";

/// Why an answer cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up.
        at: usize,
    },
    /// The venue refused the request.
    Refused {
        /// Its error number.
        code: i64,
    },
    /// JSON, but not this answer.
    NoList,
    /// A candle that lacks a field, or whose field is no number of that kind.
    BadField {
        /// Which candle of the answer, from 0: the newest is first.
        row: usize,
        /// Which field, from 0.
        column: usize,
    },
    /// A candle with its high under its low, open or close, off its grid, or not before the one above it.
    BadCandle {
        /// Which candle of the answer, from 0: the newest is first.
        row: usize,
    },
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "not JSON at byte {at}"),
            Self::Refused { code } => write!(f, "the venue refused with {code}"),
            Self::NoList => f.write_str("not the answer that was asked for"),
            Self::BadField { row, column } => {
                write!(f, "candles: field {column} of candle {row} is not what it must be")
            }
            Self::BadCandle { row } => write!(f, "candles: candle {row} contradicts itself or its neighbour"),
        }
    }
}

impl std::error::Error for HistoryError {}

/// The venue's longest interval that divides `timeframe`: candles of it make bars of `timeframe`. None for a length
/// that no whole number of minutes divides.
pub fn candle_interval(timeframe: Timeframe) -> Option<Timeframe> {
    let divides = |secs: &u32| timeframe.secs().is_multiple_of(*secs);
    INTERVALS.iter().map(|&(_, secs)| secs).filter(divides).max().and_then(Timeframe::from_secs)
}

/// The request for the newest candles; the first of the answer may still be forming.
pub fn candles_path(category: Category, symbol: Name, interval: Timeframe, limit: u16) -> String {
    let word = interval_of(interval).unwrap_or("1");
    let limit = limit.clamp(1, CANDLES_MAX);
    format!("/v5/market/kline?category={}&symbol={symbol}&interval={word}&limit={limit}", category.word())
}

/// Reads the answer's body, which may be changed: candles with trades, oldest first.
pub fn candles(body: &mut [u8], interval: Timeframe) -> Result<Vec<Bar>, HistoryError> {
    let tape = simd_json::to_tape(body).map_err(|error| HistoryError::BadJson { at: error.index() })?;
    let result = result(&tape)?;
    let rows = result.get("list").and_then(|list| list.into_array()).ok_or(HistoryError::NoList)?;
    let mut bars = Vec::with_capacity(rows.len());
    let mut after = None;
    for (row, value) in rows.iter().enumerate() {
        let cells = value.into_array().ok_or(HistoryError::BadField { row, column: 0 })?;
        let bar = Row { row, cells }.bar()?;
        let is_sound = bar.low <= bar.open.min(bar.close)
            && bar.open.max(bar.close) <= bar.high
            && interval.open_of(bar.open_ts) == bar.open_ts
            && after.is_none_or(|after| bar.open_ts < after);
        if !is_sound {
            return Err(HistoryError::BadCandle { row });
        }
        after = Some(bar.open_ts);
        if bar.trades > 0 {
            bars.push(bar);
        }
    }
    bars.reverse();
    Ok(bars)
}

/// The venue's time from the body of [`TIME_PATH`], which may be changed.
pub fn server_time(body: &mut [u8]) -> Result<TsNs, HistoryError> {
    let tape = simd_json::to_tape(body).map_err(|error| HistoryError::BadJson { at: error.index() })?;
    let nanos = result(&tape)?.get("timeNano").and_then(|value| value.into_string());
    nanos.and_then(|text| text.parse().ok()).map(TsNs).ok_or(HistoryError::NoList)
}

fn result<'t, 'a>(tape: &'t Tape<'a>) -> Result<Object<'t, 'a>, HistoryError> {
    let root = tape.as_value().into_object().ok_or(HistoryError::NoList)?;
    match root.get("retCode").and_then(|code| code.as_i64()) {
        Some(0) => {}
        Some(code) => return Err(HistoryError::Refused { code }),
        None => return Err(HistoryError::NoList),
    }
    root.get("result").and_then(|result| result.into_object()).ok_or(HistoryError::NoList)
}

/// `[start, open, high, low, close, volume, turnover]`, all texts.
struct Row<'t, 'a> {
    row: usize,
    cells: Array<'t, 'a>,
}

impl<'t, 'a> Row<'t, 'a> {
    fn bar(&self) -> Result<Bar, HistoryError> {
        let bar = Bar {
            open_ts: self.text(0)?.parse().ok().and_then(stamp).ok_or(self.fault(0))?,
            open: Price(self.number(1)?),
            high: Price(self.number(2)?),
            low: Price(self.number(3)?),
            close: Price(self.number(4)?),
            volume: Qty(self.number(5)?),
            trades: 0,
        };
        Ok(Bar { trades: u32::from(bar.volume > Qty::ZERO), ..bar })
    }

    fn text(&self, column: usize) -> Result<&'a str, HistoryError> {
        let cell: Option<Value<'t, 'a>> = self.cells.get(column);
        cell.and_then(|cell| cell.into_string()).ok_or(self.fault(column))
    }

    fn number(&self, column: usize) -> Result<i64, HistoryError> {
        decimal(self.text(column)?.as_bytes()).map_err(|_| self.fault(column))
    }

    const fn fault(&self, column: usize) -> HistoryError {
        HistoryError::BadField { row: self.row, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candles_come_oldest_first_and_empty_ones_are_left_out() {
        let hour = Timeframe::from_secs(3_600).unwrap();
        let body = |rows: &str| {
            format!(r#"{{"retCode":0,"retMsg":"OK","result":{{"list":[{rows}]}},"time":1}}"#).into_bytes()
        };
        let newest = r#"["7200000","3","4","2","3.5","10","1"]"#;
        let empty = r#"["3600000","3","3","3","3","0","0"]"#;
        let oldest = r#"["0","1","3","1","3","1.5","1"]"#;
        let bars = candles(&mut body(&format!("{newest},{empty},{oldest}")), hour).unwrap();
        assert_eq!(bars.iter().map(|bar| bar.open_ts.as_ms()).collect::<Vec<_>>(), [0, 7_200_000]);
        let refused = |rows: &str| candles(&mut body(rows), hour).unwrap_err();
        assert_eq!(refused(&format!("{oldest},{newest}")), HistoryError::BadCandle { row: 1 });
        assert_eq!(refused(r#"["1","1","3","1","3","1.5","1"]"#), HistoryError::BadCandle { row: 0 });
        assert_eq!(refused(r#"["0","1","3","x","3"]"#), HistoryError::BadField { row: 0, column: 3 });
        let mut error = br#"{"retCode":10001,"retMsg":"bad","result":{}}"#.to_vec();
        assert_eq!(candles(&mut error, hour), Err(HistoryError::Refused { code: 10_001 }));
    }

    #[test]
    fn the_longest_interval_that_divides_is_asked_for() {
        let of = |secs| candle_interval(Timeframe::from_secs(secs).unwrap()).map(Timeframe::secs);
        assert_eq!(
            [of(60), of(600), of(7_200), of(86_400), of(30)],
            [Some(60), Some(300), Some(7_200), Some(86_400), None]
        );
        let path = candles_path(
            Category::Linear,
            Name::new("BTCUSDT").unwrap(),
            Timeframe::from_secs(3_600).unwrap(),
            9,
        );
        assert_eq!(path, "/v5/market/kline?category=linear&symbol=BTCUSDT&interval=60&limit=9");
    }

    #[test]
    fn the_venues_time_is_in_nanoseconds() {
        let mut body =
            br#"{"retCode":0,"result":{"timeSecond":"1688639403","timeNano":"1688639403423213947"}}"#
                .to_vec();
        assert_eq!(server_time(&mut body), Ok(TsNs(1_688_639_403_423_213_947)));
        assert_eq!(server_time(&mut b"{}".to_vec()), Err(HistoryError::NoList));
    }
}
