//! How much prices move, and how much together: exponentially weighted, from one closed bar to the next.
//!
//! One update a bar and one a pair of instruments, no memory after construction. Two returns are compared only when
//! they cover the same span: a bar that is missing in one of two instruments is no sign of independence. Where there
//! are few returns nothing is said, and who asks must take that for the worst.

use super::heat::Correlations;
use crate::state::{StateError, StateIo};
use crate::words::{Price, TsNs};
use alloc::vec;
use alloc::vec::Vec;

/// Fewer returns than this say nothing.
pub const RETURNS_MIN: u32 = 20;

/// Returns of all instruments on one timeframe.
pub struct Returns {
    /// Weight of the past, per bar.
    lambda: f64,
    series: Vec<Series>,
    /// In the order of [`Correlations`]; empty with one instrument.
    pairs: Vec<Pair>,
}

/// One instrument.
#[derive(Clone, Copy, Default)]
struct Series {
    /// Close and opening time of the last bar; 0 before the first.
    close: Price,
    open_ts: TsNs,
    /// Opening time of the bar before: the last return is from there.
    since: TsNs,
    last: f64,
    variance: f64,
    /// Returns seen.
    count: u32,
}

/// Two instruments, over the bars that both had.
#[derive(Clone, Copy, Default)]
struct Pair {
    covariance: f64,
    variances: [f64; 2],
    /// Returns seen.
    count: u32,
}

impl Returns {
    /// Of `instruments` instruments; `lambda_ppm` is the weight of the past.
    pub fn new(instruments: usize, lambda_ppm: u32) -> Self {
        let pairs = Correlations::pairs(instruments);
        Self {
            lambda: f64::from(lambda_ppm) / 1e6,
            series: vec![Series::default(); instruments],
            pairs: vec![Pair::default(); pairs],
        }
    }

    /// Takes a closed bar of one instrument and tells the correlations that it changed. A bar that is not newer than
    /// the last one changes nothing.
    pub fn on_bar(&mut self, at: usize, open_ts: TsNs, close: Price, table: &mut Correlations) {
        let lambda = self.lambda;
        let Some(series) = self.series.get_mut(at) else { return };
        if close.0 <= 0 || open_ts <= series.open_ts && series.close.0 > 0 {
            return;
        }
        let is_first = series.close.0 <= 0;
        let change = close.0.saturating_sub(series.close.0) as f64 / series.close.0.max(1) as f64;
        (series.since, series.open_ts, series.close) = (series.open_ts, open_ts, close);
        if is_first {
            return;
        }
        series.last = change;
        series.variance = weighted(lambda, series.variance, change * change, series.count);
        series.count = series.count.saturating_add(1);
        let this = *series;
        for other in 0..self.series.len() {
            self.compare(at, other, &this, table);
        }
    }

    fn compare(&mut self, at: usize, other: usize, this: &Series, table: &mut Correlations) {
        let Some(that) = self.series.get(other) else { return };
        let is_same_span = that.count > 0 && (that.since, that.open_ts) == (this.since, this.open_ts);
        let Some(pair) = Correlations::place(self.series.len(), at, other).filter(|_| is_same_span) else {
            return;
        };
        let Some(pair) = self.pairs.get_mut(pair) else { return };
        let (mine, theirs) = (this.last * this.last, that.last * that.last);
        let (low, high) = if at < other { (mine, theirs) } else { (theirs, mine) };
        pair.covariance = weighted(self.lambda, pair.covariance, this.last * that.last, pair.count);
        pair.variances[0] = weighted(self.lambda, pair.variances[0], low, pair.count);
        pair.variances[1] = weighted(self.lambda, pair.variances[1], high, pair.count);
        pair.count = pair.count.saturating_add(1);
        table.set(at, other, pair.correlation_ppm());
    }

    /// Standard deviation of a return, as a share of the price; none after too few.
    pub fn volatility(&self, at: usize) -> Option<f64> {
        let series = self.series.get(at).filter(|series| series.count >= RETURNS_MIN)?;
        Some(libm::sqrt(series.variance)).filter(|volatility| volatility.is_finite())
    }

    /// Tells all correlations anew.
    pub fn fill(&self, table: &mut Correlations) {
        let instruments = self.series.len();
        for high in 0..instruments {
            for low in 0..high {
                let pair = Correlations::place(instruments, low, high).and_then(|pair| self.pairs.get(pair));
                table.set(low, high, pair.and_then(Pair::correlation_ppm));
            }
        }
    }

    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { lambda: _, series, pairs } = self;
        series.iter_mut().try_for_each(|series| series.state(io))?;
        pairs.iter_mut().try_for_each(|pair| pair.state(io))
    }
}

/// The first one counts whole; a sum that overflowed stays the largest number.
fn weighted(lambda: f64, past: f64, new: f64, count: u32) -> f64 {
    if count == 0 { new } else { (lambda * past + (1.0 - lambda) * new).clamp(-f64::MAX, f64::MAX) }
}

impl Pair {
    /// Rounded up; none after too few returns, and where one of the two did not move.
    fn correlation_ppm(&self) -> Option<i32> {
        let [low, high] = self.variances;
        let correlation = self.covariance / (libm::sqrt(low) * libm::sqrt(high));
        if self.count < RETURNS_MIN || !correlation.is_finite() {
            return None;
        }
        Some(libm::ceil(correlation.clamp(-1.0, 1.0) * 1e6) as i32)
    }

    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { covariance, variances, count } = self;
        io.finite(covariance)?;
        variances.iter_mut().try_for_each(|variance| {
            io.finite(variance)?;
            io.sound(*variance >= 0.0)
        })?;
        io.number(count)
    }
}

impl Series {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { close, open_ts, since, last, variance, count } = self;
        io.unsigned(&mut close.0)?;
        io.number(open_ts)?;
        io.number(since)?;
        io.finite(last)?;
        io.finite(variance)?;
        io.sound(*variance >= 0.0)?;
        io.number(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::SCALE;

    /// The slow twin: weights written out over the whole series.
    fn slow(lambda: f64, products: &[f64]) -> f64 {
        let mut weight = 1.0;
        let mut sum = 0.0;
        for (age, product) in products.iter().rev().enumerate() {
            let is_first = age + 1 == products.len();
            sum += if is_first { weight * product } else { weight * (1.0 - lambda) * product };
            weight *= lambda;
        }
        sum
    }

    #[test]
    fn it_agrees_with_weights_written_out() {
        let (mut returns, mut table) = (Returns::new(2, 940_000), Correlations::new(2));
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
        };
        let (mut prices, mut series) = ([100.0, 50.0], [Vec::new(), Vec::new()]);
        for bar in 1..200u64 {
            let common = random();
            for at in 0..2 {
                let price: f64 = prices[at] * (1.0 + 0.01 * (common + 0.5 * random()));
                let (before, after) = ((prices[at] * 1e8) as i64, (price * 1e8) as i64);
                prices[at] = price;
                returns.on_bar(at, TsNs(bar), Price(after), &mut table);
                if bar > 1 {
                    series[at].push((after - before) as f64 / before as f64);
                }
            }
            let products = |a: usize, b: usize| -> Vec<f64> {
                series[a].iter().zip(&series[b]).map(|(a, b)| a * b).collect()
            };
            let is_known = series[0].len() >= RETURNS_MIN as usize;
            assert_eq!(returns.volatility(0).is_some(), is_known);
            assert_eq!(table.get(0, 1).is_some(), is_known);
            if is_known {
                let (a, b) = (slow(0.94, &products(0, 0)), slow(0.94, &products(1, 1)));
                let wanted = slow(0.94, &products(0, 1)) / libm::sqrt(a * b) * 1e6;
                assert!((f64::from(table.get(0, 1).unwrap()) - wanted).abs() <= 1.01, "bar {bar}");
                assert!((returns.volatility(1).unwrap() - libm::sqrt(b)).abs() < 1e-12);
            }
        }
        assert!(table.get(1, 0).unwrap() > 700_000, "most of it is common");
        let mut again = Correlations::new(2);
        returns.fill(&mut again);
        assert_eq!(again.get(0, 1), table.get(0, 1));
    }

    #[test]
    fn bars_of_different_spans_are_not_compared() {
        let (mut returns, mut table) = (Returns::new(2, 940_000), Correlations::new(2));
        for bar in 1..100u64 {
            let close = Price(SCALE + (bar % 7) as i64);
            returns.on_bar(0, TsNs(bar), close, &mut table);
            if bar % 2 == 0 {
                returns.on_bar(1, TsNs(bar), close, &mut table);
            }
            returns.on_bar(1, TsNs(bar / 2), close, &mut table);
        }
        assert!(returns.volatility(1).is_some());
        assert_eq!(table.get(0, 1), None);
    }
}
