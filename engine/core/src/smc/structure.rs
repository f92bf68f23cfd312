//! Market structure: a close beyond the last pivot goes on with the trend (BOS) or turns it (CHoCH, MSS).
//!
//! Pure, constant work per bar. Per side only the newest confirmed pivot counts; each breaks at most once.
//! Each scope has levels and a bias of its own.
//!
//! * `Bos`, `Choch`, `Mss {direction, id, cause_id = pivot, bar = the pivot's bar, top = bottom = level,
//!   extra = displacement, value = bias before (-1, 0, +1)}`: at `known`, the source (close, or the wick when
//!   `close_break` is off) went strictly beyond the level. `Choch` when the bias was against the direction,
//!   else `Bos`; the bias is the direction afterwards. Up is tested before down.
//! * Displacement is `|close - open|` of the breaking bar in ppm of ATR. `Mss` (market structure shift) takes
//!   the place of a `Choch` whose displacement is at least `mss_min_ppm`, when that is above 0.
//!
//! Two settings hold a break back: `displacement_min_ppm`, when the bar is too weak, and the internal scope's
//! `ignores_swing_level`, when the newest swing pivot of that side, broken or not, has the very price of the
//! level. With either of them a break needs a fresh cross, that is, the bar before was not beyond the level;
//! so a level held back once does not break late, by price merely staying there.
//!
//! A swing high is strong while the bias is down, for it is where that trend comes from, and weak otherwise;
//! lows mirrored.

use super::atr::Atr;
use super::params::SmcParams;
use super::pivots::Pivot;
use super::snapshot;
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::Direction;

/// Is a swing expected to hold?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// The bias points away from it.
    Strong,
    /// The bias points at it, or there is none yet.
    Weak,
}

/// Levels and bias of one scope.
pub(super) struct Breaks {
    is_close_break: bool,
    displacement_min_ppm: i64,
    mss_min_ppm: i64,
    /// A level at the price handed in does not break.
    may_ignore: bool,
    /// Something may hold a break back: then the bar before must not be beyond the level.
    needs_fresh_cross: bool,
    /// The newest pivot of each side, until it breaks.
    levels: Sides<Option<Pivot>>,
    /// Prices of the levels, [`NEVER`] where there is none. A cache.
    armed: Sides<i64>,
    /// Price of the newest pivot of each side, broken or not.
    newest: Sides<Option<i64>>,
    bias: Option<Direction>,
}

/// A price that none exceeds.
const NEVER: i64 = i64::MAX;

/// A break that just happened.
pub(super) struct Break {
    pub id: u32,
}

impl Breaks {
    /// `may_ignore`: levels at the prices handed to [`on_bar`](Self::on_bar) are held back.
    pub fn new(params: &SmcParams, may_ignore: bool) -> Self {
        Self {
            is_close_break: params.close_break,
            displacement_min_ppm: i64::from(params.displacement_min_ppm),
            mss_min_ppm: i64::from(params.mss_min_ppm),
            may_ignore,
            needs_fresh_cross: params.displacement_min_ppm > 0 || may_ignore,
            levels: Sides::default(),
            armed: Sides { up: NEVER, down: NEVER },
            newest: Sides::default(),
            bias: None,
        }
    }

    /// The bar is beyond a level. False for most bars, and then there is nothing to test.
    #[inline]
    pub const fn is_reached(&self, seen: &Sides<Candle>) -> bool {
        self.armed.up < source(&seen.up, self.is_close_break)
            || self.armed.down < source(&seen.down, self.is_close_break)
    }

    /// Tests one side; `candle` and the one `before` it as that side sees them. A level at the `ignored` price
    /// does not break.
    #[inline]
    pub fn on_bar<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        candle: &Candle,
        before: impl FnOnce() -> Candle,
        ignored: Option<i64>,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) -> Option<Break> {
        let pivot = (*self.levels.of(direction))?;
        if source(candle, self.is_close_break) <= pivot.price {
            return None;
        }
        if self.may_ignore && ignored == Some(pivot.price) {
            return None;
        }
        if self.needs_fresh_cross && source(&before(), self.is_close_break) > pivot.price {
            return None;
        }
        let displacement = atr.ppm_of(candle.close - candle.open);
        if displacement < self.displacement_min_ppm {
            return None;
        }
        Some(self.take(direction, &pivot, displacement, say))
    }

    /// The level breaks.
    fn take<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        pivot: &Pivot,
        displacement: i64,
        say: &mut Say<'_, F>,
    ) -> Break {
        *self.levels.of_mut(direction) = None;
        *self.armed.of_mut(direction) = NEVER;
        let before = self.bias.replace(direction);
        let kind = match before == Some(direction.opposite()) {
            false => StructureKind::Bos,
            true if self.mss_min_ppm > 0 && displacement >= self.mss_min_ppm => StructureKind::Mss,
            true => StructureKind::Choch,
        };
        let id = say.new_id();
        let Pivot { id: cause_id, bar, price } = *pivot;
        let value = before.map_or(0, |before| seen_from(before, 1));
        say.fact(
            direction,
            Fact { kind, id, cause_id, bar, top: price, bottom: price, extra: displacement, value },
        );
        Break { id }
    }

    /// A newer pivot takes the place of the level on its side.
    pub fn on_pivot(&mut self, direction: Direction, pivot: &Pivot) {
        *self.levels.of_mut(direction) = Some(*pivot);
        *self.armed.of_mut(direction) = pivot.price;
        *self.newest.of_mut(direction) = Some(pivot.price);
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        for direction in [Direction::Up, Direction::Down] {
            let blank = || Pivot { id: 0, bar: 0, price: 0 };
            io.option(self.levels.of_mut(direction), blank, |io, pivot| snapshot::pivot(io, pivot, count))?;
            io.option(self.newest.of_mut(direction), || 0, snapshot::price)?;
            *self.armed.of_mut(direction) = self.levels.of(direction).map_or(NEVER, |pivot| pivot.price);
        }
        io.option(&mut self.bias, || Direction::Up, snapshot::direction)
    }

    pub const fn bias(&self) -> Option<Direction> {
        self.bias
    }

    pub const fn level(&self, direction: Direction) -> Option<&Pivot> {
        self.levels.of(direction).as_ref()
    }

    /// Price of the newest pivot of each side, broken or not.
    pub const fn newest(&self) -> Sides<Option<i64>> {
        self.newest
    }

    /// How swings of this side stand.
    pub fn strength(&self, direction: Direction) -> Strength {
        if self.bias == Some(direction.opposite()) { Strength::Strong } else { Strength::Weak }
    }
}

/// The price of a bar that breaks levels.
pub(super) const fn source(candle: &Candle, is_close_break: bool) -> i64 {
    if is_close_break { candle.close } else { candle.high }
}
