//! A seeded market: order flow around a [`Plot`](super::plot::Plot), at one symbol.
//!
//! Each step moves the plot's price; an aggressor takes every level that stands in the way, the book closes
//! behind it, makers add, change and pull quotes. The book is therefore always the consequence of its own trades.

use super::plot::{Plot, Tempo};
use super::random::Random;
use super::{Kline, MarketOp, MarketOpKind, MarketSource, SymbolInfo};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, SCALE};
use smc_core::{Price, Qty, Side, TsNs};
use std::collections::{BTreeMap, VecDeque};

/// What a generated market is made of.
#[derive(Clone, Debug)]
pub struct GeneratorSettings {
    /// The same seed gives the same market.
    pub seed: u64,
    /// Symbol, upper case; base and quote asset.
    pub symbol: [String; 3],
    /// First price, in quote currency.
    pub price: f64,
    /// Price step.
    pub tick: Price,
    /// Quantity step.
    pub lot: Qty,
    /// When the market opens.
    pub start_ts: TsNs,
    /// Mean market time between two steps of the order flow, in nanoseconds.
    pub step_ns: u64,
    /// One-minute candles of history before the opening.
    pub history_minutes: usize,
    /// Long-run deviation of one second's noise as a share of price; the legs of the story grow with it.
    pub noise: f64,
    /// Legs of the story last so many times as long as those of a market for five-second bars.
    pub leg_stretch: f64,
    /// The story has days and nights instead of legs at any hour.
    pub has_days: bool,
    /// Quantities are so many times larger.
    pub qty_scale: f64,
}

impl Default for GeneratorSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            symbol: ["BTCUSDT", "BTC", "USDT"].map(str::to_owned),
            price: 60_000.0,
            tick: Price(SCALE / 100),
            lot: Qty(1_000),
            start_ts: TsNs(1_767_225_600_000_000_000), // 2026-01-01 00:00 UTC
            step_ns: 250_000_000,
            history_minutes: 240,
            noise: Tempo::default().calm,
            leg_stretch: 1.0,
            has_days: false,
            qty_scale: 1.0,
        }
    }
}

/// Levels kept on each side.
const LEVELS: usize = 24;

/// The market. See the module's description.
pub struct Generator {
    symbols: [SymbolInfo; 1],
    settings: GeneratorSettings,
    plot: Plot,
    random: Random,
    now: TsNs,
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    ready: VecDeque<MarketOp>,
    klines: Vec<Kline>,
}

impl Generator {
    /// None when the symbol's names are too long or the steps are not positive.
    pub fn new(settings: GeneratorSettings) -> Option<Self> {
        let [symbol, base, quote] = &settings.symbol;
        let is_sane =
            settings.tick.0 > 0 && settings.lot.0 > 0 && settings.step_ns > 0 && settings.price > 0.0;
        let shape = [settings.noise, settings.leg_stretch, settings.qty_scale];
        if !is_sane || shape.iter().any(|number| !number.is_finite() || *number <= 0.0) {
            return None;
        }
        let spec = InstrumentSpec {
            symbol: Name::new(symbol)?,
            base: Name::new(base)?,
            quote: Name::new(quote)?,
            tick: settings.tick,
            lot: settings.lot,
            qty_min: settings.lot,
            qty_max: Qty((9_000.0 * settings.qty_scale.max(1.0) * SCALE as f64) as i64),
            notional_min: Money(5 * SCALE),
            status: TradingStatus::Trading,
            contract: Contract::SPOT,
        };
        let mut plot = plot(&settings);
        let klines = history(&mut plot, &settings);
        let mut generator = Self {
            symbols: [SymbolInfo::new(spec)],
            random: Random::new(settings.seed ^ 0x5EED_B00C),
            now: settings.start_ts,
            plot,
            settings,
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            ready: VecDeque::with_capacity(256),
            klines,
        };
        generator.make_quotes();
        Some(generator)
    }

    fn step(&mut self) {
        let wait = self.settings.step_ns as f64 * self.random.between(0.2, 1.8);
        // Stamps are whole milliseconds, as the venue's are.
        self.now = TsNs((self.now.0 + wait as u64).div_ceil(1_000_000) * 1_000_000);
        let before = self.plot.price();
        let price = self.plot.step(wait / 1e9);
        let fair = to_grid(price, self.settings.tick.0);
        self.take_through(fair);
        if self.random.chance(0.55) {
            self.take_some(price >= before);
        }
        self.make_quotes();
    }

    /// An aggressor takes every level that stands between the book and the new fair price.
    fn take_through(&mut self, fair: i64) {
        while let Some((&price, &qty)) = self.asks.first_key_value()
            && price <= fair
        {
            self.trade(price, qty, Side::Buy);
            self.set(Side::Sell, price, 0);
        }
        while let Some((&price, &qty)) = self.bids.last_key_value()
            && price >= fair
        {
            self.trade(price, qty, Side::Sell);
            self.set(Side::Buy, price, 0);
        }
    }

    /// Ordinary trades at the touch, a little more often with the move than against it.
    fn take_some(&mut self, is_rising: bool) {
        let count = 1 + self.random.bits() % 3;
        for _ in 0..count {
            let aggressor =
                if self.random.chance(if is_rising { 0.62 } else { 0.38 }) { Side::Buy } else { Side::Sell };
            let top = match aggressor {
                Side::Buy => self.asks.first_key_value(),
                Side::Sell => self.bids.last_key_value(),
            };
            let Some((&price, &resting)) = top else { return };
            let qty = self.qty(0.004).min(resting);
            self.trade(price, qty, aggressor);
            self.set(aggressor.opposite(), price, resting - qty);
        }
    }

    /// Makers quote around the fair price: the spread widens with volatility, far levels are pulled, gaps filled.
    fn make_quotes(&mut self) {
        let tick = self.settings.tick.0;
        let fair = to_grid(self.plot.price(), tick);
        let half = tick * (1 + (self.random.between(0.0, 6.0) * self.plot.heat() * self.plot.heat()) as i64);
        for side in [Side::Buy, Side::Sell] {
            self.pull_far(side);
            let best = fair - side.sign() * half;
            if self.is_inside(side, best) {
                let qty = self.qty(0.06);
                self.set(side, best, qty);
            }
            while self.levels(side) < LEVELS {
                let steps = self.random.heavy(30.0).min(2_000.0) as i64 + 1;
                let price = best - side.sign() * steps * tick;
                let qty = self.qty(0.08);
                self.set(side, price, qty);
            }
            self.change_one(side);
        }
    }

    /// Better than the best of its side, and not crossing the other.
    fn is_inside(&self, side: Side, price: i64) -> bool {
        let best = |book: &BTreeMap<i64, i64>, is_low: bool| {
            if is_low { book.first_key_value() } else { book.last_key_value() }.map(|(price, _)| *price)
        };
        match side {
            Side::Buy => {
                best(&self.bids, false).is_none_or(|bid| price > bid)
                    && best(&self.asks, true).is_none_or(|ask| price < ask)
            }
            Side::Sell => {
                best(&self.asks, true).is_none_or(|ask| price < ask)
                    && best(&self.bids, false).is_none_or(|bid| price > bid)
            }
        }
    }

    fn pull_far(&mut self, side: Side) {
        while self.levels(side) >= LEVELS {
            let far = match side {
                Side::Buy => self.bids.first_key_value(),
                Side::Sell => self.asks.last_key_value(),
            };
            let Some((&price, _)) = far else { return };
            self.set(side, price, 0);
        }
    }

    fn change_one(&mut self, side: Side) {
        let nth = (self.random.bits() % 6) as usize;
        let price = match side {
            Side::Buy => self.bids.keys().rev().nth(nth).copied(),
            Side::Sell => self.asks.keys().nth(nth).copied(),
        };
        if let Some(price) = price {
            let qty = self.qty(0.08);
            self.set(side, price, qty);
        }
    }

    fn levels(&self, side: Side) -> usize {
        match side {
            Side::Buy => self.bids.len(),
            Side::Sell => self.asks.len(),
        }
    }

    fn qty(&mut self, scale: f64) -> i64 {
        let scale = scale * self.settings.qty_scale;
        let lots = self.random.heavy(scale) * SCALE as f64 / self.settings.lot.0 as f64;
        (lots as i64).max(1) * self.settings.lot.0
    }

    fn set(&mut self, side: Side, price: i64, qty: i64) {
        let book = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        if qty > 0 {
            book.insert(price, qty)
        } else {
            book.remove(&price)
        };
        self.say(MarketOpKind::Level { side, price: Price(price), qty: Qty(qty) });
    }

    fn trade(&mut self, price: i64, qty: i64, aggressor: Side) {
        self.say(MarketOpKind::Trade { price: Price(price), qty: Qty(qty), aggressor });
    }

    fn say(&mut self, kind: MarketOpKind) {
        self.ready.push_back(MarketOp { at: self.now, symbol: 0, kind });
    }
}

impl MarketSource for Generator {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        self.settings.start_ts
    }

    fn next(&mut self) -> Option<MarketOp> {
        while self.ready.is_empty() {
            self.step();
        }
        self.ready.pop_front()
    }

    fn klines(&self, _symbol: usize) -> &[Kline] {
        &self.klines
    }
}

/// A price in quote currency on the tick grid, in 1e-8.
fn to_grid(price: f64, tick: i64) -> i64 {
    ((price * SCALE as f64) as i64).div_euclid(tick) * tick
}

/// The story, from the first minute of the history on.
fn plot(settings: &GeneratorSettings) -> Plot {
    let tempo = Tempo { calm: settings.noise, stretch: settings.leg_stretch, has_days: settings.has_days };
    let first_secs = settings.start_ts.0 as f64 / 1e9 - settings.history_minutes as f64 * 60.0;
    Plot::at(settings.seed, settings.price, tempo, first_secs)
}

/// The minutes before the opening: the same story, without a book.
fn history(plot: &mut Plot, settings: &GeneratorSettings) -> Vec<Kline> {
    const MINUTE: u64 = 60_000_000_000;
    let first = settings.start_ts.0.saturating_sub(settings.history_minutes as u64 * MINUTE);
    let mut random = Random::new(settings.seed ^ 0x0A15_7042);
    let minute = |nth: usize| {
        let prices: Vec<i64> = (0..60).map(|_| to_grid(plot.step(1.0), settings.tick.0)).collect();
        let extreme = |pick: fn(i64, i64) -> i64| Price(prices.iter().copied().fold(prices[0], pick));
        let volume = (random.heavy(2.0 * settings.qty_scale) * SCALE as f64) as i64;
        let taken = (volume as f64 * random.between(0.35, 0.65)) as i64;
        let value = |qty: i64| Price(prices[59]).notional_floor(Qty(qty)).0;
        Kline {
            open_ts: TsNs(first + nth as u64 * MINUTE),
            open: Price(prices[0]),
            high: extreme(i64::max),
            low: extreme(i64::min),
            close: Price(prices[59]),
            volume: Qty(volume),
            quote_volume: value(volume),
            taker_buy_volume: Qty(taken),
            taker_buy_quote_volume: value(taken),
            trades: 200 + (random.bits() % 400) as u32,
        }
    };
    (0..settings.history_minutes).map(minute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(seed: u64, count: usize) -> Vec<MarketOp> {
        let mut market = Generator::new(GeneratorSettings { seed, ..GeneratorSettings::default() }).unwrap();
        (0..count).map(|_| market.next().unwrap()).collect()
    }

    #[test]
    fn a_seed_is_a_market() {
        assert_eq!(ops(5, 5_000), ops(5, 5_000));
        assert_ne!(ops(5, 5_000), ops(6, 5_000));
    }

    /// What the exchange relies on: time never goes back, the opening book is whole, a trade happens at a level
    /// that stood there, and the book is uncrossed at the end of every step.
    #[test]
    fn every_step_leaves_an_honest_book() {
        let market = Generator::new(GeneratorSettings::default()).unwrap();
        let (start, tick) = (market.start_ts(), market.settings.tick.0);
        let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
        let mut last = start;
        let mut trades = 0;
        for op in ops(1, 60_000) {
            assert!(op.at >= last);
            if op.at > last && last > start {
                let (bid, ask): (&i64, &i64) =
                    (bids.keys().next_back().unwrap(), asks.keys().next().unwrap());
                assert!(bid < ask, "crossed at {last:?}");
            }
            last = op.at;
            match op.kind {
                MarketOpKind::Level { side, price, qty } => {
                    assert_eq!(price.0 % tick, 0);
                    let book = if side == Side::Buy { &mut bids } else { &mut asks };
                    if qty.0 > 0 {
                        book.insert(price.0, qty.0)
                    } else {
                        book.remove(&price.0)
                    };
                }
                MarketOpKind::Trade { price, qty, aggressor } => {
                    trades += 1;
                    let book = if aggressor == Side::Buy { &asks } else { &bids };
                    assert!(book[&price.0] >= qty.0, "took more than stood there");
                }
            }
        }
        assert!(trades > 3_000, "{trades} trades");
    }

    #[test]
    fn history_is_contiguous_and_ends_at_the_opening() {
        let market = Generator::new(GeneratorSettings::default()).unwrap();
        let klines = market.klines(0);
        assert_eq!(klines.len(), 240);
        for pair in klines.windows(2) {
            assert_eq!(pair[1].open_ts.0 - pair[0].open_ts.0, 60_000_000_000);
        }
        assert_eq!(klines[239].open_ts.0 + 60_000_000_000, market.start_ts().0);
        assert!(
            klines
                .iter()
                .all(|k| k.low <= k.open && k.open <= k.high && k.low <= k.close && k.close <= k.high)
        );
    }
}
