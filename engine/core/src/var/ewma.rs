//! Exponentially weighted variance: what moved lately counts most, around a mean of zero.

use libm::sqrt;

use crate::state::{State, StateError, StateIo};

use super::is_return;

/// How slowly the past is forgotten: `lambda` of the variance stays at each return.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    lambda: f64,
    /// `1 - lambda`.
    fresh: f64,
}

impl Decay {
    /// The usual 0.94.
    pub const USUAL: Self = Self { lambda: 0.94, fresh: 1.0 - 0.94 };

    /// `None` unless `0 <= lambda <= 1`.
    pub fn new(lambda: f64) -> Option<Self> {
        (0.0..=1.0).contains(&lambda).then_some(Self { lambda, fresh: 1.0 - lambda })
    }

    /// The variance after a return whose square is `square`.
    #[inline]
    pub(super) fn step(self, variance: f64, square: f64) -> f64 {
        self.lambda * variance + self.fresh * square
    }
}

/// The deviation of all `returns`, oldest first, after the last one: the square of the first return is the first
/// variance, and the recursion is applied from that return on. `None` without returns.
pub fn ewma(returns: &[f64], decay: Decay) -> Option<f64> {
    let first = returns.first()?;
    let mut variance = first * first;
    for value in returns {
        variance = decay.step(variance, value * value);
    }
    Some(sqrt(variance)).filter(|sigma| sigma.is_finite())
}

/// [`ewma`] over all returns since the start, one at a time.
///
/// A return that is not a number is a hole: the history begins anew behind it.
#[derive(Clone, Debug)]
pub struct Ewma {
    decay: Decay,
    /// `None` before the first return.
    variance: Option<f64>,
}

impl Ewma {
    /// Before the first return.
    pub const fn new(decay: Decay) -> Self {
        Self { decay, variance: None }
    }

    /// Takes the next return. Gives the deviation that was known before it (its own size if it is the first one);
    /// `None` for a hole.
    pub fn on_return(&mut self, value: f64) -> Option<f64> {
        if !is_return(value) {
            self.variance = None;
            return None;
        }
        let square = value * value;
        let before = self.variance.unwrap_or(square);
        self.variance = Some(self.decay.step(before, square));
        Some(sqrt(before))
    }

    /// The deviation now: the forecast for the next return.
    pub fn sigma(&self) -> Option<f64> {
        self.variance.map(sqrt)
    }
}

impl State for Ewma {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { decay: _, variance } = self;
        io.option(
            variance,
            || 0.0,
            |io, variance| {
                io.number(variance)?;
                io.sound(variance.is_finite() && *variance >= 0.0)
            },
        )
    }
}
