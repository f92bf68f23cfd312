//! A seeded dealer: prices follow a [`Plot`](crate::market::plot::Plot) each, spreads and liquidity the time of day.
//!
//! Spreads widen and liquidity falls around the daily pause; while the market is closed one price that is not
//! tradeable stands; the next session opens with a gap.

use super::calendar::{self, SECOND_NS};
use super::{FxBar, FxInstrument, FxLevel, FxQuote, LEVELS, QuoteSource};
use crate::market::plot::{Plot, Tempo};
use crate::market::random::Random;
use smc_core::words::SCALE;
use smc_core::{Price, Qty, TsNs};
use std::collections::VecDeque;

/// What a generated dealer is made of.
#[derive(Clone, Debug)]
pub struct FxGeneratorSettings {
    /// The same seed gives the same quotes.
    pub seed: u64,
    /// Instruments and their first prices.
    pub instruments: Vec<(String, f64)>,
    /// When the market opens.
    pub start_ts: TsNs,
    /// Mean market time between two prices of one instrument, in nanoseconds.
    pub step_ns: u64,
    /// One-minute candles of history before the opening, closed minutes not counted.
    pub history_minutes: usize,
    /// Long-run deviation of one second's noise as a share of price.
    pub noise: f64,
    /// Spread by day, in tenths of a pip.
    pub spread_tenths: i64,
    /// Units at the best price by day.
    pub units: i64,
    /// Whether the market has pauses and weekends; without them it never closes.
    pub has_sessions: bool,
}

impl Default for FxGeneratorSettings {
    fn default() -> Self {
        let instruments =
            [("EUR_USD", 1.1), ("GBP_USD", 1.3), ("USD_JPY", 145.0), ("EUR_GBP", 0.85), ("XAU_USD", 2_650.0)];
        Self {
            seed: 1,
            instruments: instruments.map(|(name, price)| (name.to_owned(), price)).to_vec(),
            start_ts: TsNs(1_767_772_800_000_000_000), // Wednesday 2026-01-07 08:00 UTC
            step_ns: 500_000_000,
            history_minutes: 3_000,
            noise: 0.000_012,
            spread_tenths: 13,
            units: 500_000,
            has_sessions: true,
        }
    }
}

/// The dealer.
pub struct FxGenerator {
    settings: FxGeneratorSettings,
    instruments: Vec<FxInstrument>,
    lanes: Vec<Lane>,
    ready: VecDeque<FxQuote>,
}

/// One instrument's path.
struct Lane {
    plot: Plot,
    random: Random,
    /// When its last price came and when its next one does.
    last: TsNs,
    next: TsNs,
    bars: Vec<FxBar>,
    is_open: bool,
}

impl FxGenerator {
    /// A market that begins as told; none when a name or a number in the settings makes no sense.
    pub fn new(settings: FxGeneratorSettings) -> Option<Self> {
        let names = settings.instruments.iter().map(|(name, _)| FxInstrument::named(name));
        let instruments = names.collect::<Option<Vec<_>>>()?;
        let is_price = |price: f64| price.is_finite() && price > 0.0001 && price < 1_000_000.0;
        let is_sane = !instruments.is_empty()
            && settings.instruments.iter().all(|(_, price)| is_price(*price))
            && settings.step_ns > 0
            && settings.units > 0
            && settings.spread_tenths > 0
            && settings.noise.is_finite()
            && settings.history_minutes <= 1_000_000;
        if !is_sane {
            return None;
        }
        let mut made = Self { settings, instruments, lanes: Vec::new(), ready: VecDeque::new() };
        for index in 0..made.instruments.len() {
            let lane = made.lane(index);
            made.lanes.push(lane);
        }
        let start = made.settings.start_ts;
        for index in 0..made.lanes.len() {
            let quote = made.quote(index, start);
            made.ready.push_back(quote);
        }
        Some(made)
    }

    /// A path that has its history behind it.
    fn lane(&self, index: usize) -> Lane {
        let settings = &self.settings;
        let start_s = calendar::seconds(settings.start_ts);
        let mut from_s = start_s - start_s.rem_euclid(60);
        let mut left = settings.history_minutes;
        while left > 0 && from_s > 60 {
            from_s -= 60;
            left -= usize::from(self.is_open(stamp(from_s)));
        }
        let seed = settings.seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
        let tempo = Tempo { calm: settings.noise, has_days: true, ..Tempo::default() };
        let price = settings.instruments.get(index).map_or(1.0, |(_, price)| *price);
        let mut lane = Lane {
            plot: Plot::at(seed, price, tempo, from_s as f64),
            random: Random::new(seed ^ 0xF0_0D),
            last: settings.start_ts,
            next: settings.start_ts,
            bars: Vec::with_capacity(settings.history_minutes),
            is_open: self.is_open(settings.start_ts),
        };
        for minute_s in (from_s..start_s - 59).step_by(60) {
            let is_open = self.is_open(stamp(minute_s));
            for second in (0..60).step_by(5) {
                let price = lane.plot.step(5.0);
                if !is_open {
                    continue;
                }
                let at = stamp(minute_s + second);
                let quote = make(settings, &self.instruments, index, at, price, &mut lane.random, true);
                match lane.bars.last_mut().filter(|bar| bar.open_s == minute_s) {
                    Some(bar) => bar.see(&quote),
                    None => lane.bars.push(FxBar::of(minute_s, &quote)),
                }
            }
        }
        lane
    }

    fn is_open(&self, ts: TsNs) -> bool {
        !self.settings.has_sessions || calendar::is_open(ts)
    }

    /// The price of an instrument at an instant; advances its path to it.
    fn quote(&mut self, index: usize, at: TsNs) -> FxQuote {
        let is_open = self.is_open(at);
        let (settings, instruments) = (&self.settings, &self.instruments);
        let Some(lane) = self.lanes.get_mut(index) else { return EMPTY };
        let passed = at.0.saturating_sub(lane.last.0) as f64 / SECOND_NS as f64;
        let price = lane.plot.step(passed.clamp(0.001, 3_600.0));
        lane.last = at;
        lane.is_open = is_open;
        make(settings, instruments, index, at, price, &mut lane.random, is_open)
    }

    /// When an instrument speaks next: soon while it is dealt, else when the market opens again.
    fn plan(&mut self, index: usize) {
        let (has_sessions, step_ns) = (self.settings.has_sessions, self.settings.step_ns);
        let Some(lane) = self.lanes.get_mut(index) else { return };
        let mut at = TsNs(lane.last.0 + (step_ns as f64 * lane.random.between(0.2, 1.8)) as u64 + 1);
        if !lane.is_open && has_sessions {
            let mut second = lane.last.0 / SECOND_NS + 1;
            while !calendar::is_open(TsNs(second * SECOND_NS)) {
                second += 1;
            }
            at = TsNs(second * SECOND_NS + lane.random.bits() % SECOND_NS);
        }
        lane.next = at;
    }
}

const EMPTY: FxQuote = FxQuote {
    at: TsNs(0),
    instrument: 0,
    bids: [FxLevel { price: Price(0), units: Qty(0) }; LEVELS],
    asks: [FxLevel { price: Price(0), units: Qty(0) }; LEVELS],
    closeout_bid: Price(0),
    closeout_ask: Price(0),
    is_tradeable: false,
};

fn stamp(seconds: i64) -> TsNs {
    TsNs(u64::try_from(seconds).unwrap_or(0) * SECOND_NS)
}

/// A quote around a price: one to four levels a side, wider and thinner near the roll and while closed.
fn make(
    settings: &FxGeneratorSettings,
    instruments: &[FxInstrument],
    index: usize,
    at: TsNs,
    price: f64,
    random: &mut Random,
    is_open: bool,
) -> FxQuote {
    let Some(instrument) = instruments.get(index) else { return EMPTY };
    let tick = instrument.tick();
    let from_roll = if settings.has_sessions { calendar::seconds_from_roll(at) } else { i64::MAX };
    let (wide, thin) = match from_roll {
        ..600 => (6, 5),
        600..3_600 => (2, 2),
        _ => (1, 1),
    };
    // A price has ten of its ticks in a pip; metals count in cents and are spread wider.
    let scale = if instrument.kind == "METAL" { 20 } else { 1 };
    let jitter = (random.bits() % 4) as i64;
    let spread = ((settings.spread_tenths * wide * scale + jitter) * instrument.pip() / 10).max(tick);
    let middle = (price * SCALE as f64) as i64;
    let bid = ((middle - spread / 2).div_euclid(tick) * tick).max(tick);
    let ask = bid + spread / tick * tick;
    let levels = 1 + (random.bits() % LEVELS as u64) as usize;
    let metal = if instrument.kind == "METAL" { 1_000 } else { 1 };
    let units = (settings.units / thin / metal).max(1);
    let mut side = |from: i64, sign: i64| {
        let mut ladder = [FxLevel::default(); LEVELS];
        let mut price = from;
        for (depth, level) in ladder.iter_mut().enumerate().take(levels) {
            let units = units * [1, 2, 5, 10].get(depth).copied().unwrap_or(1) * SCALE;
            *level = FxLevel { price: Price(price), units: Qty(units) };
            price += sign * tick * (1 + (random.bits() % 2) as i64);
        }
        ladder
    };
    let bids = side(bid, -1);
    let asks = side(ask, 1);
    let beyond = 9 * wide * tick;
    FxQuote {
        at,
        instrument: index,
        bids,
        asks,
        closeout_bid: Price((bid - beyond).max(tick)),
        closeout_ask: Price(ask + beyond),
        is_tradeable: is_open,
    }
}

impl QuoteSource for FxGenerator {
    fn instruments(&self) -> &[FxInstrument] {
        &self.instruments
    }

    fn start_ts(&self) -> TsNs {
        self.settings.start_ts
    }

    fn next(&mut self) -> Option<FxQuote> {
        if let Some(quote) = self.ready.pop_front() {
            if self.ready.is_empty() {
                // Their next prices are planned once all have opened.
                for index in 0..self.lanes.len() {
                    self.plan(index);
                }
            }
            return Some(quote);
        }
        let (index, at) =
            self.lanes.iter().enumerate().map(|(i, lane)| (i, lane.next)).min_by_key(|it| it.1)?;
        let quote = self.quote(index, at);
        self.plan(index);
        Some(quote)
    }

    fn bars(&self, instrument: usize) -> &[FxBar] {
        self.lanes.get(instrument).map_or(&[], |lane| &lane.bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotes(settings: FxGeneratorSettings, count: usize) -> Vec<FxQuote> {
        let mut source = FxGenerator::new(settings).expect("sane settings");
        std::iter::from_fn(|| source.next()).take(count).collect()
    }

    fn short(seed: u64) -> FxGeneratorSettings {
        FxGeneratorSettings { seed, history_minutes: 10, ..FxGeneratorSettings::default() }
    }

    #[test]
    fn the_same_seed_gives_the_same_quotes_in_order_of_time_and_never_crossed() {
        let first = quotes(short(3), 2_000);
        assert_eq!(first, quotes(short(3), 2_000));
        assert_ne!(first, quotes(short(4), 2_000));
        assert!(first.is_sorted_by_key(|quote| quote.at));
        for quote in &first {
            let asks: Vec<_> = quote.asks.iter().filter(|level| level.units.0 > 0).collect();
            let bids: Vec<_> = quote.bids.iter().filter(|level| level.units.0 > 0).collect();
            assert!(quote.bid() < quote.ask() && quote.closeout_bid < quote.bid());
            assert!(
                asks.is_sorted_by_key(|level| level.price) && bids.is_sorted_by(|a, b| a.price > b.price)
            );
        }
        let opening = first.iter().filter(|quote| quote.at == short(3).start_ts).count();
        assert_eq!(opening, short(3).instruments.len());
    }

    #[test]
    fn a_weekend_is_one_price_that_is_not_tradeable_and_then_a_gap() {
        let friday = TsNs((calendar::days_of(2026, 1, 9) * 86_400 + 21 * 3_600 + 58 * 60) as u64 * SECOND_NS);
        let instruments = vec![("EUR_USD".to_owned(), 1.1)];
        let settings = FxGeneratorSettings { start_ts: friday, instruments, ..short(1) };
        let all = quotes(settings, 400);
        let closed: Vec<_> = all.iter().filter(|quote| !quote.is_tradeable).collect();
        let open_again = all.iter().find(|quote| quote.at > closed[0].at).expect("the market opens again");
        assert_eq!(closed.len(), 1);
        let hours = (open_again.at.0 - closed[0].at.0) / SECOND_NS / 3_600;
        assert_eq!(hours, 48);
        assert!(open_again.is_tradeable && calendar::is_open(open_again.at));
    }

    #[test]
    fn history_holds_the_minutes_asked_for_up_to_the_opening() {
        let source = FxGenerator::new(FxGeneratorSettings { history_minutes: 700, ..short(1) });
        let source = source.expect("sane settings");
        let bars = source.bars(0);
        assert_eq!((bars.len(), bars[0].volume), (700, 12));
        assert_eq!(bars.last().map(|bar| bar.open_s + 60), Some(calendar::seconds(source.start_ts())));
    }
}
