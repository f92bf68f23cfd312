//! Pivots: bars whose high (or low) stands out among their neighbours.
//!
//! Pure; two monotonic deques over fixed rings, amortised constant work per bar, no allocation.
//!
//! * `PivotConfirmed {direction, id, bar, top = bottom = price}`: bar `known - right` is a pivot. A fact for
//!   ever; what later happens to the level is said by `LevelSwept`, `Bos` and `Choch`. `Up` is a high.
//!
//! Window rule (public definition): with `i = k - right`, `high[i]` is the greatest of
//! `high[i - left ..= k]`. Equal highs do not spoil it unless `pivot_ties` is off. A bar that is both high
//! and low counts once, as high unless `pivot_high_first` is off.
//!
//! Leg rule: `high[k - right]` is strictly above the `right` bars after it, and the last leg said was not a
//! high already; lows mirrored. The first leg counts as a turn.
//!
//! A pivot confirmed at `k` cannot be beyond itself at `k`, so the first bar that can break it is `k + 1`.

use super::params::{InternalParams, PivotProfile, SmcParams};
use super::sliding_max::SlidingMax;
use super::snapshot;
use super::view::{Candle, History, Sides};
use crate::state::{StateError, StateIo};
use crate::words::Direction;

/// A confirmed pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pivot {
    pub id: u32,
    pub bar: u32,
    /// As its side sees it: the greater, the more extreme.
    pub price: i64,
}

/// Which bars are pivots of one scope.
#[derive(Clone, Copy)]
pub(super) struct PivotRule {
    profile: PivotProfile,
    left: u32,
    right: u32,
    first: u32,
    has_ties: bool,
    is_high_first: bool,
}

impl PivotRule {
    pub fn swing(params: &SmcParams) -> Self {
        Self {
            profile: params.pivot_profile,
            left: params.pivot_left.into(),
            right: params.pivot_right.into(),
            first: params.pivot_first,
            has_ties: params.pivot_ties,
            is_high_first: params.pivot_high_first,
        }
    }

    /// What the internal scope does not say for itself it takes from the swing scope.
    pub fn internal(params: &SmcParams, inner: &InternalParams) -> Self {
        Self {
            profile: inner.pivot_profile,
            left: inner.pivot_left.into(),
            right: inner.pivot_right.into(),
            first: inner.pivot_first,
            ..Self::swing(params)
        }
    }
}

/// Finds pivots; at most one a bar.
pub(super) struct Pivots {
    profile: PivotProfile,
    right: u32,
    first: u32,
    has_ties: bool,
    order: [Direction; 2],
    window: SlidingMax,
    /// Side of the last pivot said by the leg rule.
    leg: Option<Direction>,
}

impl Pivots {
    pub fn new(rule: PivotRule) -> Self {
        let PivotRule { profile, left, right, first, has_ties, is_high_first } = rule;
        let (span, first) = match profile {
            PivotProfile::Window => (left + 1 + right, first),
            PivotProfile::Leg => (right, 0),
        };
        Self {
            profile,
            right,
            first,
            has_ties,
            order: match is_high_first {
                true => [Direction::Up, Direction::Down],
                false => [Direction::Down, Direction::Up],
            },
            window: SlidingMax::new(span, profile == PivotProfile::Window && !has_ties),
            leg: None,
        }
    }

    /// Takes closed bar `k`, already in `history`; returns side, bar and price of the pivot it confirms.
    #[inline]
    pub fn on_bar(
        &mut self,
        k: u32,
        seen: &Sides<Candle>,
        history: &History,
    ) -> Option<(Direction, u32, i64)> {
        self.window.push(seen);
        let bar = k.checked_sub(self.right)?;
        if bar < self.first {
            return None;
        }
        let candle = history.at(bar, Direction::Up);
        let prices = [candle.high, -candle.low];
        let hits = [self.is_hit(Direction::Up, prices[0]), self.is_hit(Direction::Down, prices[1])];
        let direction = match self.order {
            [Direction::Up, _] if hits[0] => Direction::Up,
            _ if hits[1] => Direction::Down,
            _ if hits[0] => Direction::Up,
            _ => return None,
        };
        self.say(direction).then_some((direction, bar, prices[direction as usize]))
    }

    #[inline]
    fn is_hit(&self, direction: Direction, price: i64) -> bool {
        let max = self.window.max(direction);
        match self.profile {
            PivotProfile::Window => price == max && (self.has_ties || self.window.is_alone(direction)),
            PivotProfile::Leg => price > max,
        }
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.window.state(io, count)?;
        io.option(&mut self.leg, || Direction::Up, snapshot::direction)
    }

    /// False when the leg rule has said this side already.
    fn say(&mut self, direction: Direction) -> bool {
        match self.profile {
            PivotProfile::Window => true,
            PivotProfile::Leg => self.leg.replace(direction) != Some(direction),
        }
    }
}
