//! A tiny market for tests: one symbol, a mid price that walks tick by tick, a few levels a side, trades at
//! the touch. Deterministic for a seed; not meant to look like a real market.

use super::{MarketOp, MarketOpKind, MarketSource, SymbolInfo};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, SCALE};
use smc_core::{Price, Qty, Side, TsNs};
use std::collections::VecDeque;

/// Levels kept on each side of the mid.
const LEVELS: i64 = 20;
/// Market time between two steps.
const STEP_NS: u64 = 20_000_000;

/// The walk. One step every 20 ms: a trade at the touch or a changed level, sometimes a tick up or down.
pub struct RandomWalk {
    symbols: [SymbolInfo; 1],
    /// State of the generator (splitmix64).
    state: u64,
    start: TsNs,
    at: TsNs,
    steps_left: u64,
    /// Best bid in ticks; the best ask lies one tick above.
    bid_ticks: i64,
    ready: VecDeque<MarketOpKind>,
}

impl RandomWalk {
    /// A market of `steps` steps of 20 ms, opening at `start` around 60 000.00 BTCUSDT.
    pub fn new(seed: u64, start: TsNs, steps: u64) -> Self {
        let mut walk = Self {
            symbols: [SymbolInfo::new(btcusdt())],
            state: seed,
            start,
            at: start,
            steps_left: steps,
            bid_ticks: 6_000_000,
            ready: VecDeque::new(),
        };
        for depth in 0..LEVELS {
            for side in [Side::Buy, Side::Sell] {
                walk.push_level(side, depth);
            }
        }
        walk
    }

    /// Splitmix64: the next 64 bits.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> i64 {
        (self.random() % bound) as i64
    }

    fn price(&self, side: Side, depth: i64) -> Price {
        let ticks = match side {
            Side::Buy => self.bid_ticks - depth,
            Side::Sell => self.bid_ticks + 1 + depth,
        };
        Price(ticks * self.symbols[0].spec.tick.0)
    }

    fn push_level(&mut self, side: Side, depth: i64) {
        let qty = Qty((1 + self.below(300_000)) * self.symbols[0].spec.lot.0);
        let price = self.price(side, depth);
        self.ready.push_back(MarketOpKind::Level { side, price, qty });
    }

    fn step(&mut self) {
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        match self.below(10) {
            0 => self.shift(side),
            1..=4 => {
                let qty = Qty((1 + self.below(20_000)) * self.symbols[0].spec.lot.0);
                let price = self.price(side.opposite(), 0);
                self.ready.push_back(MarketOpKind::Trade { price, qty, aggressor: side });
                self.push_level(side.opposite(), 0);
            }
            _ => {
                let depth = self.below(LEVELS as u64);
                self.push_level(side, depth);
            }
        }
    }

    /// Moves both best prices one tick towards `side`: up for a buy.
    fn shift(&mut self, side: Side) {
        let eaten = self.price(side.opposite(), 0);
        let lost = self.price(side, LEVELS - 1);
        self.ready.push_back(MarketOpKind::Level { side: side.opposite(), price: eaten, qty: Qty::ZERO });
        self.ready.push_back(MarketOpKind::Level { side, price: lost, qty: Qty::ZERO });
        self.bid_ticks += side.sign();
        self.push_level(side, 0);
        self.push_level(side.opposite(), LEVELS - 1);
    }
}

impl MarketSource for RandomWalk {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        self.start
    }

    fn next(&mut self) -> Option<MarketOp> {
        while self.ready.is_empty() {
            self.steps_left = self.steps_left.checked_sub(1)?;
            self.at = TsNs(self.at.0 + STEP_NS);
            self.step();
        }
        let kind = self.ready.pop_front()?;
        Some(MarketOp { at: self.at, symbol: 0, kind })
    }
}

/// The rules of BTCUSDT as the venue states them (tick 0.01, step 0.00001, at least 5 USDT an order).
fn btcusdt() -> InstrumentSpec {
    let name = |text| Name::new(text).unwrap_or_default();
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(SCALE / 100),
        lot: Qty(SCALE / 100_000),
        qty_min: Qty(SCALE / 100_000),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_market_in_order_of_time() {
        let all = |seed| {
            let mut walk = RandomWalk::new(seed, TsNs(1_000), 500);
            std::iter::from_fn(move || walk.next()).collect::<Vec<_>>()
        };
        let ops = all(7);
        assert_eq!(ops, all(7));
        assert_ne!(ops, all(8));
        assert!(ops.is_sorted_by_key(|op| op.at));
        assert_eq!(ops.iter().filter(|op| op.at == TsNs(1_000)).count(), 2 * LEVELS as usize);
    }
}
