//! Forex files as LEAN keeps them: quotes of one day, and hours of bids and asks.

use super::binance::closed_bar;
use super::{Draft, LineRow, Taken, fields, needed};
use crate::number::decimal;
use smc_core::TsNs;
use smc_core::event::{Bar, EventBody, Quote};
use smc_core::words::{Price, Qty, Timeframe};

const DAY_MS: i64 = 86_400_000;
const HOUR_SECS: u32 = 3_600;

/// `ms since midnight, bid, ask`; the day is in the file's name. Midnight is UTC's, not New York's: the files of forex
/// end on Fridays at 21:00 in summer, and the payroll figures of 2 May 2014 move prices at 12:30. No sizes are told: 1
/// stands for them.
pub struct Ticks {
    midnight: TsNs,
    nth: u64,
}

impl Ticks {
    pub fn new(name: &str) -> Result<Self, String> {
        let midnight = day_in(name).ok_or_else(|| format!("no date YYYYMMDD in the name `{name}`"))?;
        Ok(Self { midnight, nth: 0 })
    }
}

/// Eight digits in a row that are a date.
fn day_in(name: &str) -> Option<TsNs> {
    let bytes = name.as_bytes();
    let digits = |at: usize| bytes.get(at..at + 8).filter(|run| run.iter().all(u8::is_ascii_digit));
    let run = (0..bytes.len()).find_map(digits)?;
    smc_detect::csv::parse_time(std::str::from_utf8(run).ok()?)
}

fn price(text: &str, column: &str) -> Result<Price, String> {
    needed(decimal(text).filter(|units| *units > 0).map(Price), column, text)
}

impl LineRow for Ticks {
    fn row(&mut self, line: &str, _: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        let [ms, bid, ask] = fields(line)?;
        // Some of the files write milliseconds with a fraction of zeros.
        let whole = decimal(ms).filter(|units| units % 100_000_000 == 0).map(|units| units / 100_000_000);
        let ns = whole.filter(|ms| (0..DAY_MS).contains(ms)).map(|ms| ms as u64 * 1_000_000);
        let ts = TsNs(self.midnight.0 + needed(ns, "time", ms)?);
        let (bid, ask) = (price(bid, "bid")?, price(ask, "ask")?);
        if bid > ask {
            return Err(format!("bid {bid} above ask {ask}"));
        }
        self.nth += 1;
        let (bid_qty, ask_qty) = (Qty(100_000_000), Qty(100_000_000));
        out.push(Draft::at(ts, EventBody::Quote(Quote { bid, bid_qty, ask, ask_qty, update_id: self.nth })));
        Ok(Taken::Events)
    }
}

/// `YYYYMMDD hh:mm, bid open, high, low, close, size, ask open, high, low, close, size`, stamped in UTC: a bar of mids. Half
/// a unit of 1e-8 is rounded down. No volume is told.
pub struct Hours;

impl LineRow for Hours {
    fn row(&mut self, line: &str, _: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        let [ts, bo, bh, bl, bc, _, ao, ah, al, ac] = fields(line)?;
        let open_ts = needed(smc_detect::csv::parse_time(ts), "time", ts)?;
        let mid = |bid: &str, ask: &str, column: &str| -> Result<Price, String> {
            let (bid, ask) = (price(bid, column)?, price(ask, column)?);
            Ok(Price(bid.0.midpoint(ask.0)))
        };
        let timeframe = needed(Timeframe::from_secs(HOUR_SECS), "timeframe", "1h")?;
        let bar = Bar {
            open_ts,
            open: mid(bo, ao, "open")?,
            high: mid(bh, ah, "high")?,
            low: mid(bl, al, "low")?,
            close: mid(bc, ac, "close")?,
            volume: Qty(0),
            trades: 1,
        };
        out.push(closed_bar(timeframe, bar)?);
        Ok(Taken::Events)
    }
}
