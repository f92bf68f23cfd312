//! Bybit's public archives: trades, and order books as JSON lines.

use super::book::{Book as Ladder, Stamps};
use super::{Draft, LineRow, Taken, fields, is_header, needed};
use crate::number::{decimal, seconds};
use serde::Deserialize;
use smc_core::TsNs;
use smc_core::event::{EventBody, Level, Trade};
use smc_core::words::{Name, Price, Qty, Side};
use smc_feeds::binance_spot::Delta;

/// `timestamp, symbol, side, size, price, …`: seconds with a fraction. The archive's trade ids are text, so trades are
/// numbered by their place.
pub struct Trades {
    symbol: Name,
    count: u64,
}

impl Trades {
    pub const fn new(symbol: Name) -> Self {
        Self { symbol, count: 0 }
    }
}

impl LineRow for Trades {
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        if is_first && is_header(line) {
            return Ok(Taken::Nothing);
        }
        let [ts, symbol, side, size, at] = fields(line)?;
        if symbol.as_bytes() != self.symbol.as_bytes() {
            return Ok(Taken::Skipped("rows of other symbols"));
        }
        let aggressor = match side {
            "Buy" => Side::Buy,
            "Sell" => Side::Sell,
            other => return needed(None, "side", other),
        };
        let price = needed(decimal(at).filter(|units| *units > 0).map(Price), "price", at)?;
        let qty = needed(decimal(size).filter(|units| *units >= 0).map(Qty), "size", size)?;
        let ts = needed(seconds(ts), "timestamp", ts)?;
        self.count += 1;
        out.push(Draft::at(ts, EventBody::Trade(Trade { price, qty, aggressor, trade_id: self.count })));
        Ok(Taken::Events)
    }
}

/// `{"topic":…,"type":"snapshot"|"delta","ts":ms,"data":{"s":…,"b":…,"a":…,"u":…}}`: in a delta `u` rises by one.
pub struct Book {
    symbol: Name,
    ladder: Ladder,
    levels: [Vec<Level>; 2],
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    ts: u64,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    s: &'a str,
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
    u: u64,
}

impl Book {
    pub fn new(symbol: Name) -> Self {
        Self { symbol, ladder: Ladder::new(), levels: [Vec::new(), Vec::new()] }
    }
}

impl LineRow for Book {
    fn row(&mut self, line: &str, _: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        let message: Message<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let Data { s, b, a, u } = message.data;
        if s.as_bytes() != self.symbol.as_bytes() {
            return Ok(Taken::Skipped("rows of other symbols"));
        }
        let ts = needed(message.ts.checked_mul(1_000_000), "ts", "a number too large")?;
        let at = Stamps { ts_event: TsNs(ts), ts_recv: TsNs(ts) };
        for (side, levels) in self.levels.iter_mut().zip([b, a]) {
            side.clear();
            for [price, qty] in levels {
                let price = needed(decimal(price).filter(|units| *units > 0).map(Price), "price", price)?;
                let qty = needed(decimal(qty).filter(|units| *units >= 0).map(Qty), "size", qty)?;
                side.push(Level { price, qty });
            }
        }
        let [bids, asks] = &self.levels;
        match message.kind {
            // The venue keeps its window full: what enters it is told.
            "snapshot" => self.ladder.snapshot(u, [bids, asks], usize::MAX, at, out),
            "delta" => {
                self.ladder.delta(&Delta { first_id: u, last_id: u, previous_id: None, bids, asks }, at, out)
            }
            other => needed(None, "type", other),
        }
    }
}
