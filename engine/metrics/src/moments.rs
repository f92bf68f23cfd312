//! Mean, deviation, skew and kurtosis of a sample.

use crate::figure::{Undefined, Value, at_least, finite};
use crate::sum::{Sum, mean};
use crate::{Series, sum};
use libm::sqrt;

/// Sample moments, in two passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Observations.
    pub n: usize,
    /// Arithmetic mean; not finite when the sum overflowed.
    pub mean: f64,
    /// Sums of powers of the distance from the mean.
    squares: f64,
    cubes: f64,
    fourths: f64,
}

impl Moments {
    /// Of all values.
    pub fn of(series: Series<'_>) -> Self {
        let mean = mean(series.values());
        let [mut squares, mut cubes, mut fourths] = [Sum::default(); 3];
        for value in series.iter() {
            let gap = value - mean;
            let square = gap * gap;
            squares.add(square);
            cubes.add(square * gap);
            fourths.add(square * square);
        }
        let (squares, cubes, fourths) = (squares.value(), cubes.value(), fourths.value());
        Self { n: series.count(), mean, squares, cubes, fourths }
    }

    /// Sum of squared distances from the mean; exactly 0 for equal values.
    pub(crate) const fn squares(&self) -> f64 {
        self.squares
    }

    /// Some values differ by more than rounding.
    pub fn varies(&self) -> bool {
        let rounding = f64::EPSILON * self.mean;
        self.squares / self.n as f64 > rounding * rounding
    }

    /// Variance over `n - 1`.
    pub fn variance(&self) -> Value {
        at_least(2, self.n)?;
        finite(self.squares / (self.n - 1) as f64)
    }

    /// Standard deviation over `n - 1`; 0 when nothing varies.
    pub fn deviation(&self) -> Value {
        self.variance().map(sqrt)
    }

    /// Mean per deviation; undefined when nothing varies.
    pub fn sharpe(&self) -> Value {
        let deviation = self.deviation()?;
        if self.varies() { finite(self.mean / deviation) } else { Err(Undefined::NoVariation) }
    }

    /// Skew, corrected for bias (G1).
    pub fn skew(&self) -> Value {
        at_least(3, self.n)?;
        let n = self.n as f64;
        let spread = self.spread()?;
        finite(self.cubes / n / (spread * sqrt(spread)) * sqrt(n * (n - 1.0)) / (n - 2.0))
    }

    /// Kurtosis beyond that of the normal distribution, corrected for bias (G2).
    pub fn excess_kurtosis(&self) -> Value {
        at_least(4, self.n)?;
        let n = self.n as f64;
        let spread = self.spread()?;
        let biased = self.fourths / n / (spread * spread) - 3.0;
        finite((n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * biased + 6.0))
    }

    /// Variance over `n`, if it is one.
    fn spread(&self) -> Value {
        if self.varies() { finite(self.squares / self.n as f64) } else { Err(Undefined::NoVariation) }
    }
}

/// How two series of one length move together.
pub(crate) struct Comovement {
    pub beta: Value,
    pub correlation: Value,
}

impl Comovement {
    /// `y` on `x`; both have `n` values.
    pub fn of(y: &[f64], x: &[f64]) -> Self {
        let (mean_y, mean_x) = (mean(y), mean(x));
        let gaps = || y.iter().zip(x).map(|(y, x)| (y - mean_y, x - mean_x));
        let yy = sum::sum(gaps().map(|(y, _)| y * y));
        let xx = sum::sum(gaps().map(|(_, x)| x * x));
        let xy = sum::sum(gaps().map(|(y, x)| x * y));
        let enough = at_least(2, y.len());
        let beta = if xx == 0.0 { Err(Undefined::NoVariation) } else { finite(xy / xx) };
        let correlation = if xx == 0.0 || yy == 0.0 {
            Err(Undefined::NoVariation)
        } else {
            finite(xy / sqrt(xx) / sqrt(yy))
        };
        // Rounding may leave it a hair outside.
        let correlation = correlation.map(|value| value.clamp(-1.0, 1.0));
        Self { beta: enough.and(beta), correlation: enough.and(correlation) }
    }
}
