//! Historical VaR: what was lost before, by exact rank.

use crate::state::{State, StateError, StateIo};

use super::window::SortedWindow;
use super::{Tail, TailRisk, WINDOW_MAX, is_return};

/// VaR and ES of `returns`, which are sorted on the way. The VaR is one of them (inverse distribution function).
pub fn historical(returns: &mut [f64], tail: Tail) -> Option<TailRisk> {
    returns.sort_unstable_by(f64::total_cmp);
    tail.of_sorted(returns)
}

/// The quantile of ascending `sorted` at `p`, interpolated at position `(len - 1) p`. For reports: its VaR was never
/// observed.
pub fn quantile_linear(sorted: &[f64], p: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    let position = sorted.len().checked_sub(1)? as f64 * p;
    // Not negative, so cutting off rounds down.
    let below = position as usize;
    let (low, part) = (*sorted.get(below)?, position - below as f64);
    let high = *sorted.get(below + 1).unwrap_or(&low);
    // From the nearer end, so that the ends themselves come out exactly.
    let value = if part < 0.5 { low + (high - low) * part } else { high - (high - low) * (1.0 - part) };
    value.is_finite().then_some(value)
}

/// [`historical`] over the last returns, one at a time.
///
/// A return that is not a number is a hole: the history begins anew behind it.
#[derive(Clone, Debug)]
pub struct SlidingHistorical {
    window: SortedWindow,
    tail: Tail,
}

impl SlidingHistorical {
    /// Over `window` returns, 1 to [`WINDOW_MAX`].
    pub fn new(window: usize, tail: Tail) -> Option<Self> {
        let is_possible = (1..=WINDOW_MAX).contains(&window);
        is_possible.then(|| Self { window: SortedWindow::new(window), tail })
    }

    /// Takes the next return.
    pub fn on_return(&mut self, value: f64) {
        if is_return(value) {
            self.window.push(value);
        } else {
            self.window.clear();
        }
    }

    /// VaR and ES; `None` while the window is not full. The tail is summed each time: a running sum would drift.
    pub fn risk(&self) -> Option<TailRisk> {
        if self.window.is_full() { self.tail.of_sorted(self.window.sorted()) } else { None }
    }
}

impl State for SlidingHistorical {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { window, tail: _ } = self;
        window.state(io)
    }
}
