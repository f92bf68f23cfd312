//! Recorded markets as plain bars, and what is done to them: cut, put into another order, moved by a tick.

use crate::ValidateError;
use smc_metrics::permutation::Ohlc;
use smc_metrics::{BadInput, Random};
use std::ops::Range;

/// The closed bars of one instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct Market {
    /// Its symbol.
    pub name: String,
    /// What identifies the data: a hash of what it was read from.
    pub source: String,
    /// Smallest step of a price.
    pub tick: f64,
    /// Length of a bar in nanoseconds.
    pub bar_ns: u64,
    /// Start of each bar, in nanoseconds since the epoch; ascending.
    pub open_ns: Vec<u64>,
    /// Prices of each bar.
    pub prices: Vec<Ohlc>,
    /// Quantity traded in each bar.
    pub volume: Vec<f64>,
}

/// One market or several over the same bars. Never empty; times ascend; prices are positive and shaped as bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Markets(Vec<Market>);

impl Markets {
    /// Checks all of it; bars at other times than the first market's are refused, since what moves together is permuted
    /// together.
    pub fn new(markets: Vec<Market>) -> Result<Self, ValidateError> {
        let bad = |what, wanted| Err(BadInput::Domain { what, wanted }.into());
        let Some(first) = markets.first() else { return Err(BadInput::Empty { what: "markets" }.into()) };
        if first.open_ns.is_empty() {
            return Err(BadInput::Empty { what: "bars" }.into());
        }
        if !first.open_ns.is_sorted_by(|a, b| a < b) {
            return bad("times of bars", "ascending");
        }
        for market in &markets {
            if market.open_ns != first.open_ns || market.bar_ns != first.bar_ns || market.bar_ns == 0 {
                return bad("times of bars", "the same in every market");
            }
            let count = market.open_ns.len();
            if market.prices.len() != count || market.volume.len() != count {
                return bad("bars", "of a price and a volume each");
            }
            if !(market.tick > 0.0 && market.tick.is_finite()) {
                return bad("tick", "above 0");
            }
            let is_sound = |bar: &Ohlc| {
                let Ohlc { open, high, low, close } = *bar;
                low > 0.0 && low <= open.min(close) && open.max(close) <= high && high.is_finite()
            };
            if let Some(at) = market.prices.iter().position(|bar| !is_sound(bar)) {
                return Err(BadInput::Element { what: "bars", at, wanted: "a bar of positive prices" }.into());
            }
        }
        Ok(Self(markets))
    }

    /// All of them.
    pub fn all(&self) -> &[Market] {
        &self.0
    }

    /// The first one.
    pub fn first(&self) -> &Market {
        &self.0[0]
    }

    /// Bars of each.
    pub fn count(&self) -> usize {
        self.first().open_ns.len()
    }

    /// First moment, and first moment behind the last bar, in nanoseconds since the epoch.
    pub fn span(&self) -> (u64, u64) {
        let Market { open_ns, bar_ns, .. } = self.first();
        (open_ns[0], open_ns[open_ns.len() - 1] + bar_ns)
    }

    /// The first `count` bars, at least one and at most all.
    #[must_use]
    pub fn prefix(&self, count: usize) -> Self {
        self.piece(0..count.clamp(1, self.count()))
    }

    fn piece(&self, bars: Range<usize>) -> Self {
        let cut = |market: &Market| Market {
            name: market.name.clone(),
            source: market.source.clone(),
            open_ns: market.open_ns[bars.clone()].to_vec(),
            prices: market.prices[bars.clone()].to_vec(),
            volume: market.volume[bars.clone()].to_vec(),
            ..*market
        };
        Self(self.0.iter().map(cut).collect())
    }

    /// The same bars with other prices, of each market as many as it has. Volume stays with its time.
    #[must_use]
    pub fn with_prices(&self, prices: Vec<Vec<Ohlc>>) -> Self {
        assert_eq!(prices.len(), self.0.len());
        let change = |(market, prices): (&Market, Vec<Ohlc>)| {
            assert_eq!(prices.len(), market.prices.len());
            let Market { name, source, tick, bar_ns, open_ns, prices: _, volume } = market;
            Market {
                name: name.clone(),
                source: source.clone(),
                tick: *tick,
                bar_ns: *bar_ns,
                open_ns: open_ns.clone(),
                prices,
                volume: volume.clone(),
            }
        };
        Self(self.0.iter().zip(prices).map(change).collect())
    }

    /// Every price moved by a tick up, down, or not at all; bars keep their shape and prices stay positive.
    #[must_use]
    pub fn jittered(&self, seed: u64) -> Self {
        let jitter = |(nth, market): (usize, &Market)| {
            let mut random = Random::of_run(seed, nth as u64);
            let mut moved = |price: f64| {
                let steps = random.below(3) as f64 - 1.0;
                let moved = price + steps * market.tick;
                if moved > 0.0 { moved } else { price }
            };
            let bar = |bar: &Ohlc| {
                let (open, close) = (moved(bar.open), moved(bar.close));
                let (high, low) = (moved(bar.high), moved(bar.low));
                Ohlc { open, high: high.max(open).max(close), low: low.min(open).min(close), close }
            };
            market.prices.iter().map(bar).collect()
        };
        self.with_prices(self.0.iter().enumerate().map(jitter).collect())
    }

    /// The same up to and with bar `last`; wildly other prices and quantities behind it.
    #[must_use]
    pub fn perturbed(&self, last: usize, random: &mut Random) -> Self {
        let change = |market: &Market| {
            let mut market = market.clone();
            let mut from = market.prices[last].close;
            for (bar, volume) in market.prices.iter_mut().zip(&mut market.volume).skip(last + 1) {
                *bar = wild(from, random);
                *volume = (1.0 + *volume) * 3.0 * random.unit();
                from = bar.close;
            }
            market
        };
        Self(self.0.iter().map(change).collect())
    }
}

/// A bar that no market has: it opens anywhere within a tenth of the last close, and moves as far.
pub(crate) fn wild(last: f64, random: &mut Random) -> Ohlc {
    let mut step = |price: f64| price * (0.9 + 0.2 * random.unit());
    let (open, close) = (step(last), step(last));
    let (high, low) = (step(last).max(open).max(close), step(last).min(open).min(close));
    // A long walk of these stays among prices that sums can hold.
    let scale = if (1e-3..1e7).contains(&close) { 1.0 } else { 100.0 / close };
    Ohlc { open: open * scale, high: high * scale, low: low * scale, close: close * scale }
}

/// Periods in which returns are counted: those in which there is a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Periods {
    /// Length in nanoseconds; periods begin at multiples of it since the epoch.
    length_ns: u64,
    /// Number of each period since the epoch, ascending.
    numbers: Vec<u64>,
    /// The first bar of each period.
    first_bars: Vec<usize>,
    /// The period of each bar.
    of_bar: Vec<u32>,
}

impl Periods {
    /// The periods of these markets.
    pub fn of(markets: &Markets, length_ns: u64) -> Result<Self, ValidateError> {
        if length_ns == 0 {
            return Err(BadInput::Domain { what: "period", wanted: "longer than nothing" }.into());
        }
        let mut periods = Self { length_ns, numbers: Vec::new(), first_bars: Vec::new(), of_bar: Vec::new() };
        for (bar, open_ns) in markets.first().open_ns.iter().enumerate() {
            let number = open_ns / length_ns;
            if periods.numbers.last() != Some(&number) {
                periods.numbers.push(number);
                periods.first_bars.push(bar);
            }
            periods.of_bar.push(periods.numbers.len() as u32 - 1);
        }
        Ok(periods)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.numbers.len()
    }

    /// The period of a bar.
    pub fn of_bar(&self, bar: usize) -> usize {
        self.of_bar[bar] as usize
    }

    /// The period of a moment; of one in a hole between periods the period before it, none before the first.
    pub fn of_moment(&self, moment_ns: u64) -> Option<usize> {
        self.numbers.partition_point(|number| *number <= moment_ns / self.length_ns).checked_sub(1)
    }

    /// Bars before period `nth`; all of them behind the last period.
    pub fn bars_before(&self, nth: usize) -> usize {
        self.first_bars.get(nth).copied().unwrap_or(self.of_bar.len())
    }

    /// When period `nth` begins, in nanoseconds since the epoch.
    pub fn start_ns(&self, nth: usize) -> u64 {
        self.numbers[nth] * self.length_ns
    }

    /// Length of one in nanoseconds.
    pub const fn length_ns(&self) -> u64 {
        self.length_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(count: usize) -> Market {
        let open_ns = (0..count as u64).map(|nth| nth * 10).collect();
        let bar = Ohlc { open: 100.0, high: 101.0, low: 99.0, close: 100.5 };
        let (prices, volume) = (vec![bar; count], vec![1.0; count]);
        Market { name: "A".into(), source: "x".into(), tick: 0.5, bar_ns: 10, open_ns, prices, volume }
    }

    #[test]
    fn what_is_no_market_is_refused() {
        assert!(Markets::new(vec![]).is_err());
        assert!(Markets::new(vec![market(0)]).is_err());
        assert!(Markets::new(vec![market(3), market(4)]).is_err());
        let mut bad = market(3);
        bad.prices[2].low = 100.2;
        assert!(Markets::new(vec![bad]).is_err());
        let mut bad = market(3);
        bad.open_ns[2] = 10;
        assert!(Markets::new(vec![bad]).is_err());
    }

    #[test]
    fn a_period_without_bars_is_none() {
        let mut holed = market(10);
        holed.open_ns = vec![0, 10, 20, 30, 90, 100, 110, 120, 130, 140];
        let markets = Markets::new(vec![holed]).unwrap();
        let periods = Periods::of(&markets, 30).unwrap();
        assert_eq!(periods.numbers, [0, 1, 3, 4]);
        assert_eq!((0..=4).map(|nth| periods.bars_before(nth)).collect::<Vec<_>>(), [0, 3, 4, 7, 10]);
        assert_eq!(periods.of_bar(5), 2);
        assert_eq!([29, 30, 70, 90].map(|ns| periods.of_moment(ns)), [Some(0), Some(1), Some(1), Some(2)]);
    }

    #[test]
    fn jitter_is_a_tick_and_what_is_past_stays() {
        let markets = Markets::new(vec![market(50)]).unwrap();
        let moved = markets.jittered(3);
        let far = |(a, b): (&Ohlc, &Ohlc)| (a.close - b.close).abs();
        let all = || markets.first().prices.iter().zip(&moved.first().prices);
        assert!(all().map(far).all(|gap| gap == 0.0 || gap == 0.5));
        assert!(all().map(far).any(|gap| gap > 0.0));
        assert!(Markets::new(moved.0.clone()).is_ok());
        let other = markets.perturbed(20, &mut Random::new(1));
        assert_eq!(other.first().prices[..=20], markets.first().prices[..=20]);
        assert!(other.first().prices[21..].iter().zip(&markets.first().prices[21..]).all(|(a, b)| a != b));
        let volume = |markets: &Markets| markets.first().volume.clone();
        assert_eq!(volume(&other)[..=20], volume(&markets)[..=20]);
        assert!(volume(&other)[21..].iter().zip(&volume(&markets)[21..]).all(|(a, b)| a != b));
        assert!(Markets::new(other.0.clone()).is_ok());
    }
}
