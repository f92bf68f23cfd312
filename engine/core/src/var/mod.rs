//! Value at risk (VaR), expected shortfall (ES), and tests of such forecasts.
//!
//! Pure, floating point in a fixed order: the same returns give the same bits. Returns are fractions of equity (0.01 is
//! 1 %), VaR and ES positive losses of the same unit. What is not defined (too few returns, a tail of nothing) is
//! `None`, never NaN or 0, and a limit on an undefined risk lets nothing through.
//!
//! Each limit method has a batch form, for reports, and an engine that takes one return at a time; both give the same
//! bits (`tests/var_laws.rs`). [`PortfolioVar`] asks all three about the book as it is weighted now. The bench `var`
//! measures them.

mod backtest;
mod ewma;
mod filtered;
mod historical;
mod monitor;
mod parametric;
mod portfolio;
mod window;

pub use backtest::{
    Christoffersen, LikelihoodRatio, Transitions, Zone, ZoneReading, christoffersen, kupiec, shortfall_z2,
    traffic_light,
};
pub use ewma::{Decay, Ewma, ewma};
pub use filtered::{FilteredHistorical, FilteredReading, RESIDUALS_DROPPED, filtered_historical};
pub use historical::{SlidingHistorical, historical, quantile_linear};
pub use monitor::{FORECASTS_KEPT, MonitorReading, VarMonitor};
pub use parametric::{CornishFisher, Moments, NormalTail, cornish_fisher, student_t};
pub use portfolio::{BookRisk, INSTRUMENTS_MAX, PortfolioVar, PortfolioVarSettings};

/// Longest window: a sorted array stays quick up to here.
pub const WINDOW_MAX: usize = 1_000;
/// Largest return that is one. Squares and sums of such returns stay finite; no market makes it.
const RETURN_MAX: f64 = 1e100;

/// Loss that the tail begins with, and mean loss of the tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TailRisk {
    /// Value at risk.
    pub var: f64,
    /// Expected shortfall.
    pub es: f64,
}

impl TailRisk {
    /// Nothing to lose.
    pub const NONE: Self = Self { var: 0.0, es: 0.0 };

    fn finite(self) -> Option<Self> {
        (self.var.is_finite() && self.es.is_finite()).then_some(self)
    }

    /// Of residuals, in units of the deviation that scales them.
    fn scaled(self, sigma: f64) -> Option<Self> {
        Self { var: self.var * sigma, es: self.es * sigma }.finite()
    }
}

/// The worst part of all returns, in basis points, so that ranks are exact: 100 is the worst 1 %, a VaR of 99 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tail {
    /// 0 to 10,000.
    basis_points: u16,
}

impl Tail {
    /// One per cent.
    pub const ONE_PERCENT: Self = Self { basis_points: 100 };

    /// `None` above 10,000 basis points, which is everything.
    pub const fn from_basis_points(basis_points: u64) -> Option<Self> {
        if basis_points <= 10_000 { Some(Self { basis_points: basis_points as u16 }) } else { None }
    }

    /// As a share of 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.basis_points) / 10_000.0
    }

    /// Which of `len` returns in ascending order is the VaR, counted from 1: the tail's share of them, rounded up.
    pub const fn rank(self, len: usize) -> usize {
        (len as u128 * self.basis_points as u128).div_ceil(10_000) as usize
    }

    /// VaR and ES of `len` returns, of which `worst` holds the lowest [`rank`](Self::rank) or more in ascending order.
    /// The sum over the tail begins with the worst.
    fn of_worst(self, worst: &[f64], len: usize) -> Option<TailRisk> {
        let at_var = *worst.get(self.rank(len).checked_sub(1)?)?;
        // Exact: the count of returns in the tail, in ten thousandths.
        let share = len as u128 * u128::from(self.basis_points);
        let (whole, part) = ((share / 10_000) as usize, (share % 10_000) as f64);
        let mut sum = 0.0;
        for value in worst.get(..whole)? {
            sum += value;
        }
        if part > 0.0 {
            sum += part / 10_000.0 * worst.get(whole)?;
        }
        TailRisk { var: -at_var, es: -(sum / (share as f64 / 10_000.0)) }.finite()
    }

    /// VaR and ES of all returns in ascending order; `None` if one of them is not a number.
    fn of_sorted(self, sorted: &[f64]) -> Option<TailRisk> {
        let is_sound = sorted.first()?.is_finite() && sorted.last()?.is_finite();
        if is_sound { self.of_worst(sorted, sorted.len()) } else { None }
    }
}

/// False for what no market says: not a number, or absurdly large. Such a return is a hole in the history.
fn is_return(value: f64) -> bool {
    value.abs() <= RETURN_MAX
}
