//! Equity from 1 and how far it fell below its peak. The start counts as a peak.

use crate::Series;
use crate::figure::{Value, finite};
use crate::sum::Sum;
use libm::sqrt;

/// Equity after each period, from 1 before the first: `w_t = (1 + r_1) .. (1 + r_t)`.
pub fn equity(returns: Series<'_>) -> impl Iterator<Item = f64> {
    walk(returns.iter()).map(|(equity, _)| equity)
}

/// Equity and the peak that it stands under.
fn walk(returns: impl Iterator<Item = f64>) -> impl Iterator<Item = (f64, f64)> {
    returns.scan((1.0, 1.0), |(equity, peak), value| {
        *equity *= 1.0 + value;
        *peak = f64::max(*peak, *equity);
        Some((*equity, *peak))
    })
}

/// The deepest fall below the peak, as a fraction of the peak: 0 or less.
pub fn max_drawdown(returns: impl Iterator<Item = f64>) -> f64 {
    walk(returns).map(|(equity, peak)| equity / peak - 1.0).fold(0.0, f64::min)
}

/// How far and how long equity was below its peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawdown {
    /// Deepest, as a fraction of the peak: 0 or less.
    pub max: Value,
    /// The period (from 0) at whose end it was deepest; none when there was none.
    pub trough: Option<usize>,
    /// Periods of the longest run below the peak.
    pub longest_underwater: usize,
    /// Root of the mean square of all drawdowns (over n).
    pub ulcer: Value,
    /// Mean of all drawdowns, positive.
    pub pain: Value,
    /// Equity at the end.
    pub equity: Value,
    /// Equity was 0 or less at some time.
    pub is_wiped_out: bool,
}

impl Drawdown {
    /// Of equity that these returns make.
    pub fn of(returns: Series<'_>) -> Self {
        let [mut squares, mut sizes] = [Sum::default(); 2];
        let (mut deepest, mut trough) = (0.0, None);
        let (mut run, mut longest_underwater) = (0, 0);
        let (mut last, mut lowest) = (1.0, f64::INFINITY);
        for (at, (equity, peak)) in walk(returns.iter()).enumerate() {
            let fall = equity / peak - 1.0;
            squares.add(fall * fall);
            sizes.add(fall.abs());
            if fall < deepest {
                (deepest, trough) = (fall, Some(at));
            }
            run = if fall < 0.0 { run + 1 } else { 0 };
            longest_underwater = longest_underwater.max(run);
            (last, lowest) = (equity, f64::min(lowest, equity));
        }
        let n = returns.count() as f64;
        let end = finite(last);
        // Once equity is beyond numbers, what is under its peak is unknown.
        let known = |value: f64| finite(squares.value()).and(finite(value));
        Self {
            max: known(deepest),
            trough,
            longest_underwater,
            ulcer: known(sqrt(squares.value() / n)),
            pain: known(sizes.value() / n),
            equity: end,
            is_wiped_out: lowest <= 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Undefined;

    #[test]
    fn the_start_is_a_peak_and_the_trough_is_told() {
        let returns = [-0.5, -0.5, 1.0, 2.0];
        let fall = Drawdown::of(Series::new("returns", &returns).unwrap());
        assert_eq!((fall.max, fall.trough, fall.longest_underwater), (Ok(-0.75), Some(1), 3));
        assert_eq!((fall.equity, fall.is_wiped_out), (Ok(1.5), false));
        assert_eq!(max_drawdown(returns.into_iter()), -0.75);
    }

    #[test]
    fn equity_beyond_numbers_has_no_drawdown() {
        let returns = [1e60, 1e60, 1e60, 1e60, 1e60, 1e60, -0.5];
        let fall = Drawdown::of(Series::new("returns", &returns).unwrap());
        assert_eq!((fall.max, fall.equity), (Err(Undefined::Overflow), Err(Undefined::Overflow)));
    }
}
