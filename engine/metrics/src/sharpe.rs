//! How much a Sharpe ratio can be believed: probabilistic and deflated Sharpe ratio, minimum track record (Bailey and
//! López de Prado, 2012 and 2014).
//!
//! All ratios here are per period, not a year.

use crate::figure::{Figure, Undefined, Value, at_least, finite};
use crate::moments::{Comovement, Moments};
use crate::sum::mean;
use crate::{BadInput, Panel, Series};
use libm::sqrt;
use smc_core::maths::normal;

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;
/// Trials whose returns correlate more than this are one trial.
const SAME_TRIAL: f64 = 0.5;

/// A measured ratio and the shape of the returns that it was measured on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharpeRatio {
    /// Mean per deviation (n - 1).
    pub sr: f64,
    /// Observations.
    pub n: u64,
    /// Skew of the returns.
    pub skew: f64,
    /// Kurtosis of the returns; 3 for the normal distribution.
    pub kurt: f64,
}

impl SharpeRatio {
    /// Measured on returns; four of them are the least.
    pub fn of(returns: Series<'_>) -> Result<Self, Undefined> {
        let moments = Moments::of(returns);
        let (sr, skew, kurt) = (moments.sharpe()?, moments.skew()?, moments.excess_kurtosis()? + 3.0);
        Ok(Self { sr, n: moments.n as u64, skew, kurt })
    }

    /// Probability that the true ratio is above `benchmark` (PSR).
    pub fn probability_above(&self, benchmark: f64) -> Value {
        at_least(2, usize::try_from(self.n).unwrap_or(usize::MAX))?;
        let distance = (self.sr - benchmark) * sqrt((self.n - 1) as f64);
        finite(normal::cdf(distance / sqrt(self.spread()?)))
    }

    /// Observations after which a ratio like this one is above `benchmark` with probability `confidence` (MinTRL).
    pub fn min_track_record(&self, benchmark: f64, confidence: f64) -> Value {
        if self.sr <= benchmark {
            return Err(Undefined::NotAbove);
        }
        let z = normal::quantile(confidence) / (self.sr - benchmark);
        finite(1.0 + self.spread()? * z * z)
    }

    /// Probability that the true ratio is above what the best of `trials` would have shown by luck (DSR).
    pub fn deflated(&self, trials: Trials) -> Value {
        self.probability_above(trials.expected_best())
    }

    /// As a report shows them: against `benchmark`, with `confidence`, after `trials`.
    pub fn figures(&self, benchmark: f64, confidence: f64, trials: Trials) -> [Figure; 4] {
        let n = usize::try_from(self.n).unwrap_or(usize::MAX);
        let figure = |name, formula, value| Figure::new(name, formula, value, n);
        [
            figure("sharpe_per_period", "5.sharpe", finite(self.sr)),
            figure("psr", "5.psr", self.probability_above(benchmark)),
            figure("min_track_record", "5.min_track_record", self.min_track_record(benchmark, confidence)),
            figure("dsr", "5.dsr", self.deflated(trials)),
        ]
    }

    /// Variance of the estimate, times n - 1.
    fn spread(&self) -> Value {
        let spread = 1.0 - self.skew * self.sr + (self.kurt - 1.0) / 4.0 * self.sr * self.sr;
        if spread > 0.0 { finite(spread) } else { Err(Undefined::NoVariance) }
    }
}

/// Trials that were made before one was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trials {
    count: u64,
    variance: f64,
}

impl Trials {
    /// `count` independent trials (at least 1) whose ratios have this variance (0 or more).
    pub fn new(count: u64, variance: f64) -> Result<Self, BadInput> {
        if count == 0 {
            return Err(BadInput::Domain { what: "count of trials", wanted: "1 or more" });
        }
        if !(variance.is_finite() && variance >= 0.0) {
            return Err(BadInput::Domain { what: "variance of trials", wanted: "0 or more" });
        }
        Ok(Self { count, variance })
    }

    /// The best ratio that luck alone is expected to show: 0 for one trial.
    pub fn expected_best(self) -> f64 {
        if self.count == 1 {
            return 0.0;
        }
        let n = self.count as f64;
        // Upper quantiles by symmetry: 1 - 1/N would lose the digits that matter.
        let (high, higher) = (-normal::quantile(1.0 / n), -normal::quantile(1.0 / n / std::f64::consts::E));
        sqrt(self.variance) * ((1.0 - EULER) * high + EULER * higher)
    }
}

/// Independent trials among many: trials whose returns correlate more than 0.5 are joined, chains too; never below the
/// root of `made`, the count that the ledger of trials has. A trial whose returns never vary is like no other.
pub fn effective_trials(returns: &Panel, made: u64) -> u64 {
    let columns: Vec<Vec<f64>> = (0..returns.columns()).map(|nth| returns.column(nth).collect()).collect();
    let mut cluster: Vec<usize> = (0..columns.len()).collect();
    for (nth, column) in columns.iter().enumerate() {
        for (other, earlier) in columns[..nth].iter().enumerate() {
            let is_same = Comovement::of(column, earlier).correlation.is_ok_and(|c| c > SAME_TRIAL);
            let (from, to) = (cluster[nth], cluster[other]);
            if is_same && from != to {
                cluster.iter_mut().filter(|name| **name == from).for_each(|name| *name = to);
            }
        }
    }
    cluster.sort_unstable();
    cluster.dedup();
    let root = made.isqrt();
    let root = if root * root < made { root + 1 } else { root };
    (cluster.len() as u64).max(root)
}

/// Variance (n - 1) of the ratios of trials, for [`Trials::new`]; trials without a ratio do not count.
pub fn variance_of_ratios(returns: &Panel) -> Value {
    let mut ratios = Vec::with_capacity(returns.columns());
    for nth in 0..returns.columns() {
        let column: Vec<f64> = returns.column(nth).collect();
        ratios.extend(Moments::of(Series::drawn(&column)).sharpe());
    }
    at_least(2, ratios.len())?;
    Moments::of(Series::drawn(&ratios)).variance()
}

/// Growth out of sample per growth in sample, both a year: walk-forward efficiency.
pub fn walk_forward_efficiency(in_sample: Series<'_>, out_of_sample: Series<'_>) -> Value {
    let (inside, outside) = (mean(in_sample.values()), mean(out_of_sample.values()));
    if inside > 0.0 { finite(outside / inside) } else { Err(Undefined::NoGains) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_that_move_together_are_one_and_the_root_is_the_least() {
        // Columns 0 and 1 move together, 1 and 2, but not 0 and 2; column 3 is alone; column 4 never moves.
        let rows: Vec<[f64; 5]> = (0..64u32)
            .map(|t| {
                let bit = |nth: u32| if t >> nth & 1 == 0 { 1.0 } else { -1.0 };
                [bit(0), bit(0) + bit(1), bit(1), bit(2), 0.5]
            })
            .collect();
        let panel = Panel::from_rows("returns", &rows).unwrap();
        assert_eq!(effective_trials(&panel, 1), 3);
        assert_eq!(effective_trials(&panel, 9), 3);
        assert_eq!(effective_trials(&panel, 10), 4);
        assert_eq!(effective_trials(&panel, u64::MAX), 1 << 32);
    }

    #[test]
    fn published_values_of_the_reference() {
        let factor = |count| Trials::new(count, 1.0).unwrap().expected_best();
        assert!((factor(10) - 1.575).abs() < 5e-4);
        assert_eq!(factor(1), 0.0);
        assert!(factor(u64::MAX) > 9.0, "large counts keep their digits");
        let measured = SharpeRatio { sr: 2.5 / 250f64.sqrt(), n: 1_250, skew: -3.0, kurt: 10.0 };
        let deflated = |count| measured.deflated(Trials::new(count, 0.5 / 250.0).unwrap()).unwrap();
        assert!((deflated(100) - 0.900_397).abs() < 1e-6);
        assert!((deflated(46) - 0.950_502).abs() < 1e-6);
    }

    #[test]
    fn a_track_record_as_long_as_the_least_one_is_just_convincing() {
        let mut measured = SharpeRatio { sr: 0.1, n: 1_000, skew: -0.5, kurt: 6.0 };
        let needed = measured.min_track_record(0.02, 0.95).unwrap();
        measured.n = needed.ceil() as u64;
        assert!(measured.probability_above(0.02).unwrap() >= 0.95);
        measured.n -= 1;
        assert!(measured.probability_above(0.02).unwrap() < 0.95);
    }

    #[test]
    fn moments_that_no_distribution_has_are_told() {
        let impossible = SharpeRatio { sr: 1.0, n: 10, skew: 5.0, kurt: 1.0 };
        assert_eq!(impossible.probability_above(0.0), Err(Undefined::NoVariance));
        assert_eq!(impossible.min_track_record(2.0, 0.95), Err(Undefined::NotAbove));
        assert!(Trials::new(0, 1.0).is_err() && Trials::new(2, -1.0).is_err());
    }
}
