//! A series against another one over the same periods.

use crate::figure::{Figure, Undefined, Value, finite, ratio};
use crate::input::check_length;
use crate::moments::{Comovement, Moments};
use crate::sum::{Sum, mean};
use crate::{BadInput, PeriodsPerYear, Series};
use libm::{log1p, sqrt};

/// What a strategy adds to a benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BenchmarkMetrics {
    /// Periods.
    pub n: usize,
    /// Of the figures that are a year's.
    pub per_year: PeriodsPerYear,
    /// Covariance per variance of the benchmark.
    pub beta: Value,
    /// Mean return that the benchmark does not explain, times periods a year (not compounded).
    pub alpha_ann_simple: Value,
    /// Deviation (n - 1) of the difference, a year.
    pub tracking_error_ann: Value,
    /// Mean difference per its deviation, per period.
    pub information_ratio_per_period: Value,
    /// Pearson's.
    pub correlation: Value,
    /// How straight the cumulative log return is: R² on time. About the strategy alone.
    pub stability_r2: Value,
    /// Mean return per mean of the benchmark, over periods in which the benchmark rose.
    pub up_capture: Value,
    /// The same over periods in which it fell.
    pub down_capture: Value,
}

impl BenchmarkMetrics {
    /// Refuses series of different lengths.
    pub fn of(
        returns: Series<'_>,
        benchmark: Series<'_>,
        per_year: PeriodsPerYear,
    ) -> Result<Self, BadInput> {
        check_length("benchmark", benchmark.count(), returns.count())?;
        let together = Comovement::of(returns.values(), benchmark.values());
        let beta = together.beta.map_err(of_benchmark);
        let alpha = |beta: f64| mean(returns.values()) - beta * mean(benchmark.values());
        let gaps: Vec<f64> =
            returns.iter().zip(benchmark.iter()).map(|(ours, theirs)| ours - theirs).collect();
        let gaps = Moments::of(Series::drawn(&gaps));
        Ok(Self {
            n: returns.count(),
            per_year,
            beta,
            alpha_ann_simple: beta.and_then(|beta| finite(alpha(beta) * per_year.get())),
            tracking_error_ann: gaps.deviation().and_then(|sigma| finite(sigma * sqrt(per_year.get()))),
            information_ratio_per_period: gaps.sharpe(),
            correlation: together.correlation,
            stability_r2: stability(returns),
            up_capture: capture(returns, benchmark, |theirs| theirs > 0.0),
            down_capture: capture(returns, benchmark, |theirs| theirs < 0.0),
        })
    }

    /// All of them as a report shows them.
    pub fn figures(&self) -> [Figure; 8] {
        let figure = |name, formula, value| Figure::new(name, formula, value, self.n);
        [
            figure("beta", "6.beta", self.beta),
            figure("alpha_ann_simple", "6.alpha", self.alpha_ann_simple).yearly(self.per_year),
            figure("tracking_error_ann", "6.tracking_error", self.tracking_error_ann).yearly(self.per_year),
            figure("information_ratio_per_period", "6.information_ratio", self.information_ratio_per_period),
            figure("correlation", "6.correlation", self.correlation),
            figure("stability_r2", "6.stability_r2", self.stability_r2),
            figure("up_capture", "own.up_capture", self.up_capture),
            figure("down_capture", "own.down_capture", self.down_capture),
        ]
    }
}

const fn of_benchmark(reason: Undefined) -> Undefined {
    match reason {
        Undefined::NoVariation => Undefined::NoBenchmark,
        other => other,
    }
}

/// R² of a straight line through the cumulative log return.
pub fn stability(returns: Series<'_>) -> Value {
    if returns.iter().any(|value| value <= -1.0) {
        return Err(Undefined::WipedOut);
    }
    let mut total = Sum::default();
    let curve: Vec<f64> = returns
        .iter()
        .map(|value| {
            total.add(log1p(value));
            total.value()
        })
        .collect();
    let times: Vec<f64> = (0..curve.len()).map(|at| at as f64).collect();
    Comovement::of(&curve, &times).correlation.map(|correlation| correlation * correlation)
}

fn capture(returns: Series<'_>, benchmark: Series<'_>, counts: impl Fn(f64) -> bool) -> Value {
    let [mut ours, mut theirs] = [Sum::default(); 2];
    for (own, other) in returns.iter().zip(benchmark.iter()).filter(|(_, other)| counts(*other)) {
        ours.add(own);
        theirs.add(other);
    }
    ratio(ours.value(), theirs.value(), Undefined::NoBenchmark)
}
