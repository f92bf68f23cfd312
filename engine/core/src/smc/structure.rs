//! Market structure: a close beyond the last pivot goes on with the trend (BOS) or turns it (CHoCH).
//!
//! Pure, constant work per bar. Per side only the newest confirmed pivot counts; each breaks at most once.
//!
//! * `Bos`, `Choch {direction, id, cause_id = pivot, bar = the pivot's bar, top = bottom = level,
//!   extra = displacement}`: at `known`, the source (close, or the wick when `close_break` is off) went
//!   strictly beyond the level. `Choch` when the bias was against the direction, else `Bos`; the bias is the
//!   direction afterwards. Up is tested before down.
//! * Displacement is `|close - open|` of the breaking bar in ppm of ATR. A "market structure shift" is a
//!   `Choch` whose displacement the reader finds large enough.
//!
//! With `displacement_min_ppm` a bar too weak does not break; then a later one needs a fresh cross, that is,
//! the bar before it was not beyond the level.

use super::atr::Atr;
use super::params::SmcParams;
use super::pivots::Pivot;
use super::view::{Candle, Fact, Say, Sides};
use crate::output::{Structure, StructureKind};
use crate::words::Direction;

/// Levels and bias of one scope.
pub(super) struct Breaks {
    is_close_break: bool,
    displacement_min_ppm: i64,
    /// The newest pivot of each side, until it breaks.
    levels: Sides<Option<Pivot>>,
    bias: Option<Direction>,
}

/// A break that just happened.
pub(super) struct Break {
    pub id: u32,
}

impl Breaks {
    pub fn new(params: &SmcParams) -> Self {
        Self {
            is_close_break: params.close_break,
            displacement_min_ppm: i64::from(params.displacement_min_ppm),
            levels: Sides::default(),
            bias: None,
        }
    }

    /// Tests one side; `candle` and the one `before` it as that side sees them.
    pub fn on_bar<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        candle: &Candle,
        before: impl FnOnce() -> Candle,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) -> Option<Break> {
        let slot = self.levels.of_mut(direction);
        let pivot = (*slot)?;
        if source(candle, self.is_close_break) <= pivot.price {
            return None;
        }
        let displacement = atr.ppm_of(candle.close - candle.open);
        if self.displacement_min_ppm > 0 {
            let is_fresh = source(&before(), self.is_close_break) <= pivot.price;
            if displacement < self.displacement_min_ppm || !is_fresh {
                return None;
            }
        }
        *slot = None;
        let is_turn = self.bias == Some(direction.opposite());
        self.bias = Some(direction);
        let id = say.new_id();
        let kind = if is_turn { StructureKind::Choch } else { StructureKind::Bos };
        let Pivot { id: cause_id, bar, price } = pivot;
        say.fact(
            direction,
            Fact { kind, id, cause_id, bar, top: price, bottom: price, extra: displacement, value: 0 },
        );
        Some(Break { id })
    }

    /// A newer pivot takes the place of the level on its side.
    pub fn on_pivot(&mut self, direction: Direction, pivot: &Pivot) {
        *self.levels.of_mut(direction) = Some(*pivot);
    }

    pub const fn bias(&self) -> Option<Direction> {
        self.bias
    }

    pub const fn level(&self, direction: Direction) -> Option<&Pivot> {
        self.levels.of(direction).as_ref()
    }
}

const fn source(candle: &Candle, is_close_break: bool) -> i64 {
    if is_close_break { candle.close } else { candle.high }
}
