//! The dealer's prices as accounts meet them: what is left of each bucket, candles so far, and home conversion.
//!
//! A client's fill takes from the buckets of the current quote; the next quote fills them again.

use super::wire::UNIT;
use crate::market::fx::calendar;
use crate::market::fx::{FxBar, FxInstrument, FxLevel, FxQuote, LEVELS, QuoteSource};
use smc_core::{Price, Qty, Side};

/// Seconds of the finest candle.
pub const BAR_S: i64 = 5;
/// Five-second candles kept for one instrument; the oldest leave.
const BARS_MAX: usize = 1 << 19;
/// One in a conversion factor.
pub const FACTOR_ONE: i128 = 1_000_000_000_000;

/// All instruments.
pub struct Market {
    lanes: Vec<Lane>,
    conversion_ppm: i128,
    is_factor_hidden: bool,
}

/// One instrument: its rules, the current quote, its candles.
struct Lane {
    rules: FxInstrument,
    /// The quote, less what clients have taken of it.
    quote: FxQuote,
    history: Vec<FxBar>,
    bars: Vec<FxBar>,
}

/// What a walk through a ladder found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Units to be had, at most those asked for.
    pub units: i64,
    /// What they cost, in 1e-8 of the quote currency.
    pub cash: i128,
    /// Whether the ladder has more beyond the bound.
    pub is_bound: bool,
}

impl Market {
    /// The market of a source, before its first quote.
    pub fn new(source: &dyn QuoteSource, conversion_ppm: u32) -> Self {
        let lane = |(index, rules): (usize, &FxInstrument)| Lane {
            rules: *rules,
            quote: nothing(index),
            history: source.bars(index).to_vec(),
            bars: Vec::new(),
        };
        let lanes = source.instruments().iter().enumerate().map(lane).collect();
        Self { lanes, conversion_ppm: i128::from(conversion_ppm.min(500_000)), is_factor_hidden: false }
    }

    /// Takes the next quote.
    pub fn on_quote(&mut self, quote: &FxQuote) {
        let Some(lane) = self.lanes.get_mut(quote.instrument) else { return };
        lane.quote = *quote;
        if !quote.is_tradeable {
            return;
        }
        let second = calendar::seconds(quote.at);
        let open_s = second - second.rem_euclid(BAR_S);
        match lane.bars.last_mut().filter(|bar| bar.open_s == open_s) {
            Some(bar) => bar.see(quote),
            None => lane.bars.push(FxBar::of(open_s, quote)),
        }
        if lane.bars.len() > BARS_MAX {
            lane.bars.drain(..BARS_MAX / 4);
        }
    }

    /// Puts another quote in the place of the current one, which no candle sees; returns that one.
    pub fn swap_quote(&mut self, quote: FxQuote) -> Option<FxQuote> {
        let lane = self.lanes.get_mut(quote.instrument)?;
        Some(std::mem::replace(&mut lane.quote, quote))
    }

    /// Makes the next fills leave a conversion factor null, or stops that.
    pub fn hide_factor(&mut self, is_hidden: bool) {
        self.is_factor_hidden = is_hidden;
    }

    /// Whether the next fill leaves a conversion factor null.
    pub fn is_factor_hidden(&self) -> bool {
        self.is_factor_hidden
    }

    /// Number of instruments.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// The index of a name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.rules.name.as_str() == name)
    }

    /// The rules of an instrument. Panics on an index that did not come from here.
    pub fn rules(&self, instrument: usize) -> &FxInstrument {
        &self.lanes[instrument].rules
    }

    /// What the dealer says now, less what clients took. Panics as [`rules`](Self::rules) does.
    pub fn quote(&self, instrument: usize) -> &FxQuote {
        &self.lanes[instrument].quote
    }

    /// One-minute candles before the start, then five-second candles.
    pub fn bars(&self, instrument: usize) -> (&[FxBar], &[FxBar]) {
        self.lanes.get(instrument).map_or((&[], &[]), |lane| (&lane.history, &lane.bars))
    }

    /// What `units` would fill at, no worse than `bound`.
    pub fn walk(&self, instrument: usize, side: Side, units: i64, bound: Option<i64>) -> Walk {
        let mut walk = Walk::default();
        for level in ladder(self.quote(instrument), side) {
            if level.units.0 <= 0 || walk.units == units {
                continue;
            }
            let is_beyond = bound.is_some_and(|bound| match side {
                Side::Buy => level.price.0 > bound,
                Side::Sell => level.price.0 < bound,
            });
            if is_beyond {
                walk.is_bound = true;
                break;
            }
            let taken = level.units.0.min(units - walk.units);
            walk.units += taken;
            walk.cash += i128::from(taken) * i128::from(level.price.0) / i128::from(UNIT);
        }
        walk
    }

    /// Takes units from the best levels.
    pub fn take(&mut self, instrument: usize, side: Side, mut units: i64) {
        let Some(lane) = self.lanes.get_mut(instrument) else { return };
        let ladder = match side {
            Side::Buy => &mut lane.quote.asks,
            Side::Sell => &mut lane.quote.bids,
        };
        for level in ladder.iter_mut() {
            let taken = level.units.0.min(units);
            level.units.0 -= taken;
            units -= taken;
        }
        // Levels that are used up leave, so that the best price is the first again.
        let mut left = [FxLevel::default(); LEVELS];
        for (slot, level) in left.iter_mut().zip(ladder.iter().filter(|level| level.units.0 > 0)) {
            *slot = *level;
        }
        *ladder = left;
    }

    /// Whether there is a way from one currency to the other.
    pub fn converts(&self, from: &str, to: &str) -> bool {
        self.has_pair(from, to) || (self.has_pair(from, "USD") && self.has_pair("USD", to))
    }

    fn has_pair(&self, from: &str, to: &str) -> bool {
        from == to
            || self.lanes.iter().any(|lane| is_pair(&lane.rules, from, to) || is_pair(&lane.rules, to, from))
    }

    /// The rate between two currencies in 1e-12, at the middle of the quotes; directly or over the dollar.
    pub fn rate(&self, from: &str, to: &str) -> Option<i128> {
        let direct = |from: &str, to: &str| {
            if from == to {
                return Some(FACTOR_ONE);
            }
            let mid = |lane: &&Lane| i128::from(lane.quote.mid()).max(1);
            let forth =
                self.lanes.iter().find(|lane| is_pair(&lane.rules, from, to)).map(|l| mid(&l) * 10_000);
            let back = || self.lanes.iter().find(|lane| is_pair(&lane.rules, to, from));
            forth.or_else(|| back().map(|lane| FACTOR_ONE * i128::from(UNIT) / mid(&lane)))
        };
        direct(from, to).or_else(|| Some(direct(from, "USD")? * direct("USD", to)? / FACTOR_ONE))
    }

    /// What a gain (true) or a loss (false) in a currency is worth in another: the rate less or plus the markup.
    pub fn factor(&self, from: &str, to: &str, is_gain: bool) -> i128 {
        let rate = self.rate(from, to).unwrap_or(FACTOR_ONE);
        if from == to {
            return rate;
        }
        let markup = if is_gain { -self.conversion_ppm } else { self.conversion_ppm };
        rate * (1_000_000 + markup) / 1_000_000
    }

    /// An amount of the quote currency in the home currency, at the factor for its sign.
    pub fn to_home(&self, instrument: usize, home: &str, value: i128) -> i128 {
        value * self.factor(self.rules(instrument).quote.as_str(), home, value >= 0) / FACTOR_ONE
    }

    /// The value of units at the middle price in the home currency, without markup.
    pub fn value(&self, instrument: usize, home: &str, units: i64) -> i128 {
        let quoted = i128::from(units.abs()) * i128::from(self.quote(instrument).mid()) / i128::from(UNIT);
        quoted * self.rate(self.rules(instrument).quote.as_str(), home).unwrap_or(FACTOR_ONE) / FACTOR_ONE
    }
}

fn is_pair(rules: &FxInstrument, base: &str, quote: &str) -> bool {
    rules.base.as_str() == base && rules.quote.as_str() == quote
}

fn ladder(quote: &FxQuote, side: Side) -> &[FxLevel; LEVELS] {
    match side {
        Side::Buy => &quote.asks,
        Side::Sell => &quote.bids,
    }
}

/// What is known before the first quote.
const fn nothing(instrument: usize) -> FxQuote {
    let none = [FxLevel { price: Price(0), units: Qty(0) }; LEVELS];
    FxQuote {
        at: smc_core::TsNs(0),
        instrument,
        bids: none,
        asks: none,
        closeout_bid: Price(0),
        closeout_ask: Price(0),
        is_tradeable: false,
    }
}
