//! A number that people may be shown: with its formula, its sample size, and the reason when there is none.

use crate::PeriodsPerYear;
use std::fmt;

/// A number, or why there is none. An `Ok` is finite.
pub type Value = Result<f64, Undefined>;

/// Why a figure has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Undefined {
    /// Fewer observations than the formula needs.
    TooFew {
        /// How many it needs.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// All values are the same.
    NoVariation,
    /// The benchmark is the same in all periods, or never on the side that is asked about.
    NoBenchmark,
    /// Nothing was gained and nothing lost.
    AllZero,
    /// Nothing was gained.
    NoGains,
    /// Nothing was lost.
    NoLosses,
    /// Equity never fell below its peak.
    NoDrawdown,
    /// The quantile that divides is zero.
    NoTail,
    /// Only one class, or no class, of outcomes.
    OneClass,
    /// What should be above a threshold is not: no length of track record would prove it.
    NotAbove,
    /// Equity is gone, so growth has no logarithm.
    WipedOut,
    /// The estimated variance is not positive: moments that no distribution has, or too small a sample.
    NoVariance,
    /// Nothing is held.
    Flat,
    /// The result is beyond the range of numbers.
    Overflow,
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooFew { needed, got } => return write!(f, "needs {needed} observations, has {got}"),
            Self::NoVariation => "all values are the same",
            Self::NoBenchmark => "the benchmark does not move so",
            Self::AllZero => "nothing was gained and nothing lost",
            Self::NoGains => "nothing was gained",
            Self::NoLosses => "nothing was lost",
            Self::NoDrawdown => "equity never fell below its peak",
            Self::NoTail => "the lower quantile is zero",
            Self::OneClass => "all outcomes are of one class",
            Self::NotAbove => "not above the threshold",
            Self::WipedOut => "equity is gone",
            Self::NoVariance => "the estimated variance is not positive",
            Self::Flat => "nothing is held",
            Self::Overflow => "beyond the range of numbers",
        })
    }
}

impl std::error::Error for Undefined {}

/// Where a figure may be expected: quantiles of its bootstrap distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Share of resamples between the ends: 0.9.
    pub level: f64,
    /// Resamples in which the figure is defined.
    pub resamples: usize,
}

/// One figure of a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Its name in reports.
    pub name: &'static str,
    /// Formula: `SECTION.name` of the reference on validation.
    pub formula: &'static str,
    /// The point estimate.
    pub value: Value,
    /// Observations behind it: periods or trades.
    pub n: usize,
    /// Periods a year, if it is a figure a year.
    pub per_year: Option<PeriodsPerYear>,
    /// None when no interval was asked for, or too few resamples define the figure.
    pub interval: Option<Interval>,
}

impl Figure {
    /// A figure per period or of no time, without an interval.
    pub const fn new(name: &'static str, formula: &'static str, value: Value, n: usize) -> Self {
        Self { name, formula, value, n, per_year: None, interval: None }
    }

    /// The figure is one a year, of this many periods.
    #[must_use]
    pub const fn yearly(self, per_year: PeriodsPerYear) -> Self {
        Self { per_year: Some(per_year), ..self }
    }
}

/// The number if it is one.
pub(crate) fn finite(value: f64) -> Value {
    // Adding zero makes a negative zero a plain one.
    if value.is_finite() { Ok(value + 0.0) } else { Err(Undefined::Overflow) }
}

/// A quotient; `reason` when the divisor is zero.
pub(crate) fn ratio(above: f64, below: f64, reason: Undefined) -> Value {
    if below == 0.0 { Err(reason) } else { finite(above / below) }
}

/// `reason` unless there are `needed` of them.
pub(crate) const fn at_least(needed: usize, got: usize) -> Result<(), Undefined> {
    if got >= needed { Ok(()) } else { Err(Undefined::TooFew { needed, got }) }
}
