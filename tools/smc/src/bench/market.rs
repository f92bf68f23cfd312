//! The bench's market: one trade, one new best price and one depth change a bar, so that orders are dense on the wire.
//!
//! A seeded walk with drifts, fast to simulate: what is timed is the engine, and everything the venue does between two
//! messages is time in which nothing is measured. It is a load and not a likeness of any market.

use crate::failure::Failure;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, SCALE};
use smc_core::{InstrumentId, Price, Qty, Side, TsNs};
use smc_feeds::binance_spot::{Decoded, Decoder, TimeUnit, decode};
use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use venue_sim::market::{MarketOp, MarketOpKind, MarketSource, SymbolInfo};

/// Market time between two steps: one bar of the lowest timeframe.
const STEP_NS: u64 = 1_000_000_000;
/// Levels a side, one tick apart.
const LEVELS: i64 = 5;
const TICK: i64 = SCALE / 100;
const START: TsNs = TsNs(1_767_225_600_000_000_000); // 2026-01-01 00:00 UTC

/// The walk.
pub struct Walk {
    symbols: [SymbolInfo; 1],
    random: Random,
    at: TsNs,
    /// Best bid in ticks; the best ask lies two ticks above.
    bid: i64,
    drift: i64,
    drift_left: u64,
    /// Recorded prices in ticks, gone through again and again; none for a walk of its own.
    prices: Vec<i64>,
    steps: usize,
    ready: VecDeque<MarketOp>,
}

/// Splitmix64.
pub struct Random(pub u64);

impl Random {
    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// Between minus `reach` and `reach`.
    fn within(&mut self, reach: i64) -> i64 {
        self.below(2 * reach as u64 + 1) as i64 - reach
    }
}

/// BTCUSDT as the simulator's other markets have it.
pub fn spec() -> InstrumentSpec {
    let name = |text| Name::new(text).unwrap_or_default();
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(TICK),
        lot: Qty(1_000),
        qty_min: Qty(1_000),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    }
}

impl Walk {
    /// The walk of a seed, around 60 000.
    pub fn new(seed: u64) -> Self {
        Self::along(seed, &[])
    }

    /// The same along recorded prices, in ticks, where there are any: one a step, gone through again and again.
    pub fn along(seed: u64, prices: &[i64]) -> Self {
        let mut walk = Self {
            symbols: [SymbolInfo::new(spec())],
            random: Random(seed),
            at: START,
            bid: prices.first().copied().unwrap_or(6_000_000),
            drift: 0,
            drift_left: 0,
            prices: prices.to_vec(),
            steps: 0,
            ready: VecDeque::with_capacity(64),
        };
        walk.quote();
        walk
    }

    fn step(&mut self) {
        self.at = TsNs(self.at.0 + STEP_NS);
        if self.drift_left == 0 {
            self.drift_left = 5 + self.random.below(40);
            self.drift = self.random.within(25);
        }
        self.drift_left -= 1;
        let by = match self.prices.get(self.steps % self.prices.len().max(1)) {
            Some(price) => price - self.bid,
            None => self.drift + self.random.within(60),
        };
        self.steps += 1;
        let (side, price) = if by > 0 { (Side::Buy, self.bid + 2) } else { (Side::Sell, self.bid) };
        let qty = Qty(1_000 * (1 + self.random.below(20_000) as i64));
        self.say(MarketOpKind::Trade { price: Price(price * TICK), qty, aggressor: side });
        self.pull();
        self.bid = (self.bid + by).clamp(1_000_000, 20_000_000);
        self.quote();
    }

    fn pull(&mut self) {
        for (side, tick) in self.levels() {
            self.say(MarketOpKind::Level { side, price: Price(tick * TICK), qty: Qty::ZERO });
        }
    }

    fn quote(&mut self) {
        for (side, tick) in self.levels() {
            let qty = Qty(1_000 * (20_000 + self.random.below(200_000) as i64));
            self.say(MarketOpKind::Level { side, price: Price(tick * TICK), qty });
        }
    }

    fn levels(&self) -> impl Iterator<Item = (Side, i64)> + use<> {
        let bid = self.bid;
        (0..LEVELS).flat_map(move |depth| [(Side::Buy, bid - depth), (Side::Sell, bid + 2 + depth)])
    }

    fn say(&mut self, kind: MarketOpKind) {
        self.ready.push_back(MarketOp { at: self.at, symbol: 0, kind });
    }
}

impl MarketSource for Walk {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        START
    }

    fn next(&mut self) -> Option<MarketOp> {
        while self.ready.is_empty() {
            self.step();
        }
        self.ready.pop_front()
    }
}

/// The trades' prices, in ticks, of a recording of Binance's streams: gzip or text, one timed message a line.
pub fn recorded_prices(path: &Path) -> Result<Vec<i64>, Failure> {
    let symbols = [(InstrumentId(0), spec().symbol)];
    let mut decoder = Decoder::new(&symbols, TimeUnit::Millis);
    let prices: Vec<i64> = recorded_messages(path)?
        .iter_mut()
        .filter_map(|message| match decode(message, &mut decoder) {
            Ok(Decoded::Trade { trade, .. }) => Some(trade.price.0 / TICK),
            _ => None,
        })
        .collect();
    if prices.is_empty() {
        return Err(Failure::wrong(path.display(), "no trades of BTCUSDT in it"));
    }
    Ok(prices)
}

/// The messages of a recording: gzip or text, one timed message a line.
pub fn recorded_messages(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let fail = |error| Failure::wrong(path.display(), error);
    let bytes = std::fs::read(path).map_err(fail)?;
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).map_err(fail)?;
    } else {
        text = String::from_utf8(bytes).map_err(|error| Failure::wrong(path.display(), error))?;
    }
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, text)| text.as_bytes().to_vec())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_market() {
        let ops = |seed| {
            let mut walk = Walk::new(seed);
            (0..10_000).map_while(move |_| walk.next()).collect::<Vec<_>>()
        };
        assert_eq!(ops(3), ops(3));
        assert_ne!(ops(3), ops(4));
        assert_eq!(ops(3).len(), 10_000);
    }
}
