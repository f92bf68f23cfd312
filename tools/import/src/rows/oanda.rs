//! Candles as the Oanda v20 REST answers them: one document, or one a line.

use super::binance::closed_bar;
use super::{Draft, Hints, Rows, Step, Taken, needed};
use crate::number::decimal;
use serde::Deserialize;
use serde_json::Value;
use smc_core::TsNs;
use smc_core::event::Bar;
use smc_core::words::{Price, Qty, Timeframe};
use std::io::{BufRead, Read};

/// Answers are small: 5,000 candles at most.
const BYTES_MAX: u64 = 256 << 20;

/// All candles of a file.
pub struct Candles {
    candles: std::vec::IntoIter<(Value, Option<Timeframe>)>,
    nth: u64,
}

#[derive(Deserialize)]
struct Candle {
    complete: bool,
    time: String,
    volume: u64,
    mid: Option<Prices>,
    bid: Option<Prices>,
    ask: Option<Prices>,
}

#[derive(Deserialize)]
struct Prices {
    o: String,
    h: String,
    l: String,
    c: String,
}

impl Candles {
    pub fn read(reader: Box<dyn BufRead>, hints: &Hints) -> Result<Self, String> {
        let mut candles = Vec::new();
        let documents = serde_json::Deserializer::from_reader(reader.take(BYTES_MAX)).into_iter::<Value>();
        for document in documents {
            let document = document.map_err(|error| error.to_string())?;
            // A recorded answer may stand inside a note about the request.
            let answer = document.get("msg").unwrap_or(&document);
            let query = document.get("query").and_then(|query| query.get("granularity"));
            let granularity = answer.get("granularity").or(query).and_then(Value::as_str);
            let timeframe = granularity.and_then(length).or(hints.timeframe);
            let list =
                answer.get("candles").and_then(Value::as_array).ok_or("no `candles` in the document")?;
            candles.extend(list.iter().map(|candle| (candle.clone(), timeframe)));
        }
        Ok(Self { candles: candles.into_iter(), nth: 0 })
    }
}

/// `S5`, `M15`, `H4`, `D`.
fn length(granularity: &str) -> Option<Timeframe> {
    let (unit, count) = granularity.split_at_checked(1)?;
    let count: u32 = if count.is_empty() { 1 } else { count.parse().ok()? };
    let secs = match unit {
        "S" => 1,
        "M" if granularity.len() > 1 => 60,
        "H" => 3_600,
        "D" => 86_400,
        _ => return None,
    };
    Timeframe::from_secs(secs * count)
}

impl Rows for Candles {
    fn step(&mut self, out: &mut Vec<Draft>) -> Step {
        let Some((value, timeframe)) = self.candles.next() else { return Step::End };
        self.nth += 1;
        Step::Row(self.nth, take(value, timeframe, out))
    }
}

/// The mid where it is told, else the middle of bid and ask, else the one side there is.
fn take(value: Value, timeframe: Option<Timeframe>, out: &mut Vec<Draft>) -> Result<Taken, String> {
    let candle: Candle = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if !candle.complete {
        return Ok(Taken::Skipped("candles not closed yet"));
    }
    let timeframe = timeframe.ok_or("no granularity in the answer; say --timeframe")?;
    let open_ts = needed(smc_detect::csv::parse_time(&candle.time), "time", &candle.time)?;
    let sides = match (&candle.mid, &candle.bid, &candle.ask) {
        (Some(mid), _, _) => [mid, mid],
        (None, Some(bid), Some(ask)) => [bid, ask],
        (None, Some(only), None) | (None, None, Some(only)) => [only, only],
        (None, None, None) => return Err("neither mid, bid nor ask".into()),
    };
    let price = |of: fn(&Prices) -> &str, column: &str| -> Result<Price, String> {
        let [a, b] = sides.map(of);
        let read = |text: &str| needed(decimal(text).filter(|units| *units > 0), column, text);
        Ok(Price(read(a)?.midpoint(read(b)?)))
    };
    let volume = i64::try_from(candle.volume).ok().and_then(|ticks| ticks.checked_mul(100_000_000));
    let bar = Bar {
        open_ts: TsNs(open_ts.0),
        open: price(|p| &p.o, "o")?,
        high: price(|p| &p.h, "h")?,
        low: price(|p| &p.l, "l")?,
        close: price(|p| &p.c, "c")?,
        volume: Qty(needed(volume, "volume", "a number too large")?),
        trades: u32::try_from(candle.volume).unwrap_or(u32::MAX).max(1),
    };
    out.push(candle_at(timeframe, bar)?);
    Ok(Taken::Events)
}

/// The venue's days begin at 17:00 in New York: such a candle is no bar of ours on the UTC grid.
fn candle_at(timeframe: Timeframe, bar: Bar) -> Result<Draft, String> {
    closed_bar(timeframe, bar)
}
