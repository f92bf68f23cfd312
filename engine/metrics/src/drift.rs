//! Has the world moved away from what a model was trained on: population stability, Kolmogorov and Smirnov, CUSUM.

use crate::figure::finite;
use crate::sum::sum;
use crate::{BadInput, Series, Value, input};
use libm::{exp, log, sqrt};

/// Population stability index: `sum (q - p) ln(q / p)` over bins, shares below `floor` counting as `floor`.
pub fn psi(expected: &[u64], actual: &[u64], floor: f64) -> Result<Value, BadInput> {
    if !(floor > 0.0 && floor < 1.0) {
        return Err(BadInput::Domain { what: "floor", wanted: "between 0 and 1" });
    }
    input::check_length("actual counts", actual.len(), expected.len())?;
    let shares = |what, counts: &[u64]| {
        let total: u128 = counts.iter().map(|count| u128::from(*count)).sum();
        if total == 0 {
            return Err(BadInput::Empty { what });
        }
        Ok(counts.iter().map(|count| (*count as f64 / total as f64).max(floor)).collect::<Vec<_>>())
    };
    let (p, q) = (shares("expected counts", expected)?, shares("actual counts", actual)?);
    Ok(finite(sum(p.iter().zip(&q).map(|(p, q)| (q - p) * log(q / p)))))
}

/// Kolmogorov and Smirnov: the largest distance of two samples' distribution functions.
pub fn ks_two_sample(a: Series<'_>, b: Series<'_>) -> f64 {
    let sorted = |series: Series<'_>| {
        let mut values: Vec<f64> = series.iter().map(|value| value + 0.0).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    let (n, m) = (a.len() as i128, b.len() as i128);
    let (mut i, mut j, mut widest) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        // Both past the next value, ties and all.
        let value = f64::min(a[i], b[j]);
        i += a[i..].iter().take_while(|other| **other <= value).count();
        j += b[j..].iter().take_while(|other| **other <= value).count();
        // Times n m, so that it stays whole.
        widest = widest.max((i as i128 * m - j as i128 * n).abs());
    }
    widest as f64 / n as f64 / m as f64
}

/// The largest distance of a sample's distribution function from that of the uniform distribution on `[0, 1]`: are
/// p-values what they should be.
pub fn ks_uniform(sample: Series<'_>) -> f64 {
    let mut values = sample.values().to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len() as f64;
    let step = |(nth, value): (usize, &f64)| {
        let value = value.clamp(0.0, 1.0);
        f64::max((nth + 1) as f64 / n - value, value - nth as f64 / n)
    };
    values.iter().enumerate().map(step).fold(0.0, f64::max)
}

/// Probability of a distance of at least `d` when nothing differs, for `n` values (of two samples `n m / (n + m)`):
/// Kolmogorov's limit with Stephens' correction, some 1e-3 from n = 10 on.
pub fn ks_p_value(d: f64, n: f64) -> f64 {
    let root = sqrt(n);
    let x = (root + 0.12 + 0.11 / root) * d;
    if x < 0.2 {
        // The series needs many terms here, and all of them say 1.
        return 1.0;
    }
    let term = |k: i32| {
        let k_x = f64::from(k) * x;
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * exp(-2.0 * k_x * k_x)
    };
    sum((1..=100).map(term)).clamp(0.0, 1.0)
}

/// One-sided CUSUM: says when results are lower than they were for too long.
///
/// Gathers how much each result lies below the mean by more than `slack` deviations, and forgets what is made up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cusum {
    mean: f64,
    deviation: f64,
    slack: f64,
    limit: f64,
    /// In deviations; 0 or more.
    gathered: f64,
}

impl Cusum {
    /// Against the mean and deviation of training; 0.25 and 5 deviations are the usual slack and limit.
    pub fn new(mean: f64, deviation: f64, slack: f64, limit: f64) -> Result<Self, BadInput> {
        if !mean.is_finite() {
            return Err(BadInput::Domain { what: "mean", wanted: "a finite number" });
        }
        for (what, value) in [("deviation", deviation), ("limit", limit)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(BadInput::Domain { what, wanted: "above 0" });
            }
        }
        if !(slack >= 0.0 && slack.is_finite()) {
            return Err(BadInput::Domain { what: "slack", wanted: "0 or more" });
        }
        Ok(Self { mean, deviation, slack, limit, gathered: 0.0 })
    }

    /// Takes a result; true while more than the limit is gathered. A result that is no number counts as none.
    pub fn on_result(&mut self, result: f64) -> bool {
        if result.is_finite() {
            let short = (self.mean - result) / self.deviation - self.slack;
            self.gathered = (self.gathered + short).clamp(0.0, f64::MAX);
        }
        self.gathered > self.limit
    }

    /// What is gathered, in deviations.
    pub const fn gathered(&self) -> f64 {
        self.gathered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn the_distance_is_that_of_the_functions() {
        for nth in 0..300 {
            let mut random = Random::of_run(9, nth);
            let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| random.below(6) as f64).collect() };
            let (a, b) = (draw(1 + nth as usize % 7), draw(5));
            let share = |values: &[f64], at: f64| {
                values.iter().filter(|value| **value <= at).count() as f64 / values.len() as f64
            };
            let gaps = (0..6).map(|at| (share(&a, f64::from(at)) - share(&b, f64::from(at))).abs());
            let slow = gaps.fold(0.0, f64::max);
            let fast = ks_two_sample(Series::new("a", &a).unwrap(), Series::new("b", &b).unwrap());
            assert!((fast - slow).abs() < 1e-12, "{a:?} {b:?}");
        }
    }

    #[test]
    fn p_values_are_those_of_the_tables() {
        // Critical distances at 5 % and 1 %: Miller's table, n = 20 and 100.
        for (n, d, p) in [(20.0, 0.294_08, 0.05), (20.0, 0.352_41, 0.01), (100.0, 0.134_03, 0.05)] {
            assert!((ks_p_value(d, n) - p).abs() < 1e-3, "{n} {d}");
        }
        assert_eq!((ks_p_value(0.0, 10.0), ks_p_value(1.0, 1e6)), (1.0, 0.0));
    }

    #[test]
    fn shares_have_a_floor_and_counts_a_sum() {
        let value = psi(&[0, 10], &[5, 5], 1e-4).unwrap().unwrap();
        let expected = (0.5 - 1e-4) * (0.5f64 / 1e-4).ln() + (0.5 - 1.0) * 0.5f64.ln();
        assert!((value - expected).abs() < 1e-12);
        assert_eq!(psi(&[3, 4], &[30, 40], 1e-4), Ok(Ok(0.0)));
        assert!(psi(&[0], &[1], 1e-4).is_err() && psi(&[1, 1], &[1], 1e-4).is_err());
        assert!(psi(&[1], &[1], 0.0).is_err() && psi(&[], &[], 0.1).is_err());
        assert!(psi(&[u64::MAX, u64::MAX], &[1, 1], 1e-4).unwrap().is_ok());
    }

    #[test]
    fn a_fall_of_a_deviation_is_noticed_within_seven_results() {
        let mut cusum = Cusum::new(0.2, 1.0, 0.25, 5.0).unwrap();
        assert!((0..1_000).all(|_| !cusum.on_result(0.2)));
        let late = (1..).find(|_| cusum.on_result(-0.8));
        assert_eq!(late, Some(7), "each adds three quarters of a deviation");
        let before = cusum;
        assert!(cusum.on_result(f64::NAN), "what is no number changes nothing");
        assert_eq!(cusum, before);
        assert!(Cusum::new(0.0, 0.0, 0.25, 5.0).is_err());
    }
}
