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

use alloc::boxed::Box;
use alloc::vec;

use super::params::{PivotProfile, SmcParams};
use super::view::{Candle, History, Sides};
use crate::words::Direction;

/// A confirmed pivot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pivot {
    pub id: u32,
    pub bar: u32,
    /// As its side sees it: the greater, the more extreme.
    pub price: i64,
}

/// Finds pivots; at most one a bar.
pub(super) struct Pivots {
    profile: PivotProfile,
    right: u32,
    first: u32,
    has_ties: bool,
    order: [Direction; 2],
    windows: Sides<SlidingMax>,
    /// Side of the last pivot said by the leg rule.
    leg: Option<Direction>,
}

impl Pivots {
    pub fn new(params: &SmcParams) -> Self {
        let right = u32::from(params.pivot_right);
        let (span, first) = match params.pivot_profile {
            PivotProfile::Window => (u32::from(params.pivot_left) + 1 + right, params.pivot_first),
            PivotProfile::Leg => (right, 0),
        };
        Self {
            profile: params.pivot_profile,
            right,
            first,
            has_ties: params.pivot_ties,
            order: match params.pivot_high_first {
                true => [Direction::Up, Direction::Down],
                false => [Direction::Down, Direction::Up],
            },
            windows: Sides::new(|_| SlidingMax::new(span)),
            leg: None,
        }
    }

    /// Takes closed bar `k`, already in `history`; returns side, bar and price of the pivot it confirms.
    pub fn on_bar(
        &mut self,
        k: u32,
        seen: &Sides<Candle>,
        history: &History,
    ) -> Option<(Direction, u32, i64)> {
        self.windows.up.push(k, seen.up.high);
        self.windows.down.push(k, seen.down.high);
        let bar = k.checked_sub(self.right)?;
        if bar < self.first {
            return None;
        }
        let [first, second] = self.order;
        for direction in [first, second] {
            let price = history.at(bar, direction).high;
            if self.is_pivot(direction, bar, price) {
                return self.say(direction).then_some((direction, bar, price));
            }
        }
        None
    }

    fn is_pivot(&self, direction: Direction, bar: u32, price: i64) -> bool {
        let window = self.windows.of(direction);
        match self.profile {
            PivotProfile::Window => window.max() == price && (self.has_ties || window.is_alone(bar)),
            PivotProfile::Leg => price > window.max(),
        }
    }

    /// False when the leg rule has said this side already.
    fn say(&mut self, direction: Direction) -> bool {
        match self.profile {
            PivotProfile::Window => true,
            PivotProfile::Leg => self.leg.replace(direction) != Some(direction),
        }
    }
}

/// Greatest value of the last `span` bars.
///
/// The deque holds, oldest first, the bars that no later bar exceeds; their values never rise, so the first
/// one is the greatest. Each bar enters once and leaves once.
struct SlidingMax {
    /// Power-of-two ring; only `head..tail`, masked, means something.
    ring: Box<[(u32, i64)]>,
    mask: u32,
    head: u32,
    tail: u32,
    span: u32,
}

impl SlidingMax {
    fn new(span: u32) -> Self {
        let len = (span + 1).next_power_of_two();
        Self { ring: vec![(0, 0); len as usize].into_boxed_slice(), mask: len - 1, head: 0, tail: 0, span }
    }

    fn push(&mut self, bar: u32, value: i64) {
        while self.head != self.tail && self.slot(self.tail.wrapping_sub(1)).1 < value {
            self.tail = self.tail.wrapping_sub(1);
        }
        self.ring[(self.tail & self.mask) as usize] = (bar, value);
        self.tail = self.tail.wrapping_add(1);
        // One bar enters, so at most one is out of date: `bar - span` or none.
        if bar - self.slot(self.head).0 >= self.span {
            self.head = self.head.wrapping_add(1);
        }
    }

    /// Valid after the first push.
    fn max(&self) -> i64 {
        self.slot(self.head).1
    }

    /// Bar `bar` has the greatest value and no other bar of the window has it too.
    fn is_alone(&self, bar: u32) -> bool {
        let (first_bar, value) = self.slot(self.head);
        let second = self.head.wrapping_add(1);
        first_bar == bar && (second == self.tail || self.slot(second).1 != value)
    }

    fn slot(&self, at: u32) -> (u32, i64) {
        self.ring[(at & self.mask) as usize]
    }
}
