//! Filtered historical VaR: past returns in units of the deviation that was known before each, times today's.
//!
//! The recursion of the deviation runs over all returns since the start and is never cut off; the window is one of
//! residuals. The first residuals, made before the recursion has settled, are dropped. A return after a deviation of
//! zero has no residual, and no figure is given while such a one is among those asked for.

use libm::sqrt;

use crate::state::{State, StateError, StateIo};

use super::ewma::{Decay, Ewma};
use super::window::SortedWindow;
use super::{Tail, TailRisk, WINDOW_MAX};

/// Residuals that are not used at the start.
pub const RESIDUALS_DROPPED: usize = 20;

/// What [`filtered_historical`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilteredReading {
    /// Deviation for the next return.
    pub sigma: Option<f64>,
    /// Residuals used.
    pub residuals: usize,
    /// In units of returns.
    pub risk: Option<TailRisk>,
}

/// A return in units of the deviation before it. Zero is positive, so that equal residuals have equal bits.
#[inline]
pub(super) fn residual(value: f64, sigma: f64) -> f64 {
    value / sigma + 0.0
}

/// VaR and ES after all `returns`, oldest first, without the first `dropped` residuals. `room` is where residuals go:
/// the last ones that fit are used.
pub fn filtered_historical(
    returns: &[f64],
    decay: Decay,
    dropped: usize,
    tail: Tail,
    room: &mut [f64],
) -> FilteredReading {
    let made = returns.len().saturating_sub(dropped);
    let used = made.min(room.len());
    let mut variance = returns.first().map_or(0.0, |first| first * first);
    for (nth, value) in returns.iter().enumerate() {
        if let Some(place) = (nth + used).checked_sub(returns.len()) {
            room[place] = residual(*value, sqrt(variance));
        }
        variance = decay.step(variance, value * value);
    }
    let sigma = Some(sqrt(variance)).filter(|sigma| sigma.is_finite() && !returns.is_empty());
    let residuals = &mut room[..used];
    residuals.sort_unstable_by(f64::total_cmp);
    let risk = sigma.and_then(|sigma| tail.of_sorted(residuals)?.scaled(sigma));
    FilteredReading { sigma, residuals: used, risk }
}

/// [`filtered_historical`] over the last residuals, one return at a time.
///
/// A return that is not a number is a hole: the history begins anew behind it.
#[derive(Clone, Debug)]
pub struct FilteredHistorical {
    ewma: Ewma,
    /// Residuals still to be dropped.
    to_drop: usize,
    dropped: usize,
    residuals: SortedWindow,
    tail: Tail,
}

impl FilteredHistorical {
    /// Over `window` residuals, 1 to [`WINDOW_MAX`], after the first `dropped` ones.
    pub fn new(window: usize, decay: Decay, dropped: usize, tail: Tail) -> Option<Self> {
        let is_possible = (1..=WINDOW_MAX).contains(&window);
        is_possible.then(|| Self {
            ewma: Ewma::new(decay),
            to_drop: dropped,
            dropped,
            residuals: SortedWindow::new(window),
            tail,
        })
    }

    /// Takes the next return.
    pub fn on_return(&mut self, value: f64) {
        match self.ewma.on_return(value) {
            None => {
                self.residuals.clear();
                self.to_drop = self.dropped;
            }
            Some(_) if self.to_drop > 0 => self.to_drop -= 1,
            Some(sigma_before) => {
                let residual = residual(value, sigma_before);
                self.residuals.push(if residual.is_finite() { residual } else { f64::NAN });
            }
        }
    }

    /// VaR and ES; `None` while the window is not full.
    pub fn risk(&self) -> Option<TailRisk> {
        if !self.residuals.is_full() {
            return None;
        }
        self.tail.of_sorted(self.residuals.sorted())?.scaled(self.ewma.sigma()?)
    }
}

impl State for FilteredHistorical {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { ewma, to_drop, dropped, residuals, tail: _ } = self;
        ewma.state(io)?;
        io.len(to_drop, *dropped)?;
        residuals.state(io)
    }
}
