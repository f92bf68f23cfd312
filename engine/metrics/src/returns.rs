//! Metrics of a series of returns: section 6 of the reference, formula by formula.
//!
//! Returns are simple ones, fractions of equity per period. A risk-free rate is per period, too (one library takes a
//! yearly one and takes its root).

use crate::bootstrap::{self, Resampling};
use crate::drawdown::Drawdown;
use crate::figure::{Figure, Undefined, Value, finite, ratio};
use crate::moments::Moments;
use crate::sum::{Sum, sum};
use crate::{BadInput, PeriodsPerYear, Series};
use libm::{pow, sqrt};
use smc_core::var::{Tail, historical, quantile_linear};

/// Everything that section 6 says of one series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReturnMetrics {
    /// Periods.
    pub n: usize,
    /// Of the figures that are a year's.
    pub per_year: PeriodsPerYear,
    /// `prod(1 + r) - 1`.
    pub total_return: Value,
    /// Compound growth a year by the count of periods; -1 once equity was gone.
    pub cagr: Value,
    /// Mean return a period.
    pub mean: Value,
    /// Deviation (n - 1) a year.
    pub ann_vol: Value,
    /// Mean excess per deviation (n - 1), a year.
    pub sharpe: Value,
    /// Root of the mean square of what fell short of the risk-free rate (over n), a year.
    pub downside_dev: Value,
    /// Mean excess per downside deviation, a year.
    pub sortino: Value,
    /// Deepest fall below the peak; 0 or less.
    pub max_drawdown: Value,
    /// Longest run of periods below the peak.
    pub longest_underwater: usize,
    /// Growth a year per deepest fall.
    pub calmar: Value,
    /// Root of the mean square of drawdowns.
    pub ulcer_index: Value,
    /// Mean of drawdowns.
    pub pain_index: Value,
    /// Total return per deepest fall.
    pub recovery_factor: Value,
    /// Sum of gains per sum of losses.
    pub omega_0: Value,
    /// Sum of returns per sum of losses.
    pub gain_to_pain: Value,
    /// The same as `omega_0`: by periods, not by trades.
    pub profit_factor: Value,
    /// Share of positive returns among those that are not 0.
    pub win_rate: Value,
    /// Mean gain per mean loss.
    pub payoff: Value,
    /// Skew, corrected for bias.
    pub skew: Value,
    /// Excess kurtosis, corrected for bias.
    pub excess_kurt: Value,
    /// 95 % quantile per 5 % quantile, both without sign.
    pub tail_ratio: Value,
    /// Loss at the interpolated 5 % quantile.
    pub var_95_linear: Value,
    /// Expected shortfall of the worst 5 %.
    pub es_95: Value,
}

/// How many figures [`ReturnMetrics::figures`] has.
pub const FIGURES: usize = 23;

impl ReturnMetrics {
    /// `rf` is the risk-free rate per period.
    pub fn of(returns: Series<'_>, rf: f64, per_year: PeriodsPerYear) -> Result<Self, BadInput> {
        crate::input::check_numbers("risk-free rate", &[rf])?;
        let n = returns.count();
        let year = sqrt(per_year.get());
        let moments = Moments::of(returns);
        let excess: Vec<f64> = returns.iter().map(|value| value - rf).collect();
        let excess = Moments::of(Series::drawn(&excess));
        let shortfall =
            sqrt(sum(returns.iter().map(|value| (value - rf).min(0.0)).map(|s| s * s)) / n as f64);
        let fall = Drawdown::of(returns);
        let total_return = fall.equity.map(|equity| equity - 1.0);
        let cagr = growth(&fall, n, per_year);
        let per_fall = |above: Value| match fall.max? {
            0.0 => Err(Undefined::NoDrawdown),
            deepest => finite(above? / deepest.abs()),
        };
        let sides = Sides::of(returns);
        let tails = Tails::of(returns);
        let omega = ratio(sides.gains, sides.losses, Undefined::NoLosses);
        Ok(Self {
            n,
            per_year,
            total_return,
            cagr,
            mean: finite(moments.mean),
            ann_vol: moments.deviation().and_then(|deviation| finite(deviation * year)),
            sharpe: excess.sharpe().and_then(|sharpe| finite(sharpe * year)),
            downside_dev: finite(shortfall * year),
            sortino: ratio(excess.mean, shortfall, Undefined::NoLosses)
                .and_then(|value| finite(value * year)),
            max_drawdown: fall.max,
            longest_underwater: fall.longest_underwater,
            calmar: per_fall(cagr),
            ulcer_index: fall.ulcer,
            pain_index: fall.pain,
            recovery_factor: per_fall(total_return),
            omega_0: omega,
            gain_to_pain: ratio(sum(returns.iter()), sides.losses, Undefined::NoLosses),
            profit_factor: omega,
            win_rate: sides.win_rate(),
            payoff: sides.payoff(),
            skew: moments.skew(),
            excess_kurt: moments.excess_kurtosis(),
            tail_ratio: tails.ratio,
            var_95_linear: tails.var,
            es_95: tails.es,
        })
    }

    /// All of them as a report shows them, without intervals.
    pub fn figures(&self) -> [Figure; FIGURES] {
        let Self { n, per_year, .. } = *self;
        let figure = |name, formula, value| Figure::new(name, formula, value, n);
        [
            figure("total_return", "6.total_return", self.total_return),
            figure("cagr", "6.cagr", self.cagr).yearly(per_year),
            figure("mean", "6.mean", self.mean),
            figure("ann_vol", "6.ann_vol", self.ann_vol).yearly(per_year),
            figure("sharpe", "6.sharpe", self.sharpe).yearly(per_year),
            figure("downside_dev", "6.downside_dev", self.downside_dev).yearly(per_year),
            figure("sortino", "6.sortino", self.sortino).yearly(per_year),
            figure("max_drawdown", "6.max_drawdown", self.max_drawdown),
            figure("longest_underwater", "6.longest_underwater", Ok(self.longest_underwater as f64)),
            figure("calmar", "6.calmar", self.calmar).yearly(per_year),
            figure("ulcer_index", "6.ulcer_index", self.ulcer_index),
            figure("pain_index", "6.pain_index", self.pain_index),
            figure("recovery_factor", "6.recovery_factor", self.recovery_factor),
            figure("omega_0", "6.omega_0", self.omega_0),
            figure("gain_to_pain", "6.gain_to_pain", self.gain_to_pain),
            figure("profit_factor", "6.profit_factor", self.profit_factor),
            figure("win_rate", "6.win_rate", self.win_rate),
            figure("payoff", "6.payoff", self.payoff),
            figure("skew", "6.skew", self.skew),
            figure("excess_kurt", "6.excess_kurt", self.excess_kurt),
            figure("tail_ratio", "6.tail_ratio", self.tail_ratio),
            figure("var_95_linear", "6.var_95_linear", self.var_95_linear),
            figure("es_95", "6.es_95", self.es_95),
        ]
    }

    /// All of them with 90 % intervals from resamples in blocks, which keep what hangs together in time.
    pub fn report(
        returns: Series<'_>,
        rf: f64,
        per_year: PeriodsPerYear,
        how: Resampling,
    ) -> Result<[Figure; FIGURES], BadInput> {
        let mut figures = Self::of(returns, rf, per_year)?.figures();
        let intervals = bootstrap::intervals(returns, how, |drawn| {
            let metrics = Self::of(Series::drawn(drawn), rf, per_year).map(|metrics| metrics.figures());
            metrics.map_or([Err(Undefined::Overflow); FIGURES], |figures| figures.map(|figure| figure.value))
        })?;
        for (figure, interval) in figures.iter_mut().zip(intervals) {
            figure.interval = interval.filter(|_| figure.value.is_ok());
        }
        Ok(figures)
    }
}

fn growth(fall: &Drawdown, n: usize, per_year: PeriodsPerYear) -> Value {
    let equity = fall.equity?;
    if fall.is_wiped_out {
        return Ok(-1.0);
    }
    finite(pow(equity, per_year.get() / n as f64) - 1.0)
}

/// Gains and losses apart.
struct Sides {
    gains: f64,
    /// Positive.
    losses: f64,
    winners: usize,
    losers: usize,
}

impl Sides {
    fn of(returns: Series<'_>) -> Self {
        let [mut gains, mut losses] = [Sum::default(); 2];
        let (mut winners, mut losers) = (0, 0);
        for value in returns.iter() {
            if value > 0.0 {
                gains.add(value);
                winners += 1;
            } else if value < 0.0 {
                losses.add(-value);
                losers += 1;
            }
        }
        Self { gains: gains.value(), losses: losses.value(), winners, losers }
    }

    fn win_rate(&self) -> Value {
        ratio(self.winners as f64, (self.winners + self.losers) as f64, Undefined::AllZero)
    }

    fn payoff(&self) -> Value {
        match (self.winners, self.losers) {
            (_, 0) => Err(Undefined::NoLosses),
            (0, _) => Err(Undefined::NoGains),
            (winners, losers) => finite(self.gains / winners as f64 / (self.losses / losers as f64)),
        }
    }
}

/// What lies far out.
struct Tails {
    ratio: Value,
    var: Value,
    es: Value,
}

impl Tails {
    fn of(returns: Series<'_>) -> Self {
        let mut sorted = returns.values().to_vec();
        let risk = Tail::from_basis_points(500).and_then(|tail| historical(&mut sorted, tail));
        // Sorted now. The quantiles of finite returns are none only where their distance overflows.
        let quantile = |p| quantile_linear(&sorted, p).ok_or(Undefined::Overflow);
        let (low, high) = (quantile(0.05), quantile(0.95));
        let tail_ratio = |low: f64, high: f64| ratio(high.abs(), low.abs(), Undefined::NoTail);
        Self {
            ratio: low.and_then(|low| tail_ratio(low, high?)),
            var: low.and_then(|low| finite(-low)),
            es: risk.map_or(Err(Undefined::Overflow), |risk| finite(risk.es)),
        }
    }
}
