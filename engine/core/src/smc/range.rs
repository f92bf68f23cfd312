//! Dealing range: between the last swing high and the last swing low, each pushed out by what came later.
//!
//! Pure, constant work per bar; says nothing, is read. A pivot that becomes (or extends) the provisional
//! swing sets its edge anew; every later bar beyond an edge moves it.

use super::view::{Candle, Sides, seen_from};
use crate::words::{Direction, Price, clamp_i64};

/// Where price is in its dealing range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RangeHalf {
    /// Lower half: cheap.
    Discount,
    /// Exactly the middle.
    Equilibrium,
    /// Upper half: dear.
    Premium,
}

/// Both edges, each as its side sees it; none before the first swing of that side.
#[derive(Default)]
pub(super) struct DealingRange {
    edges: Sides<Option<i64>>,
}

impl DealingRange {
    pub fn on_bar(&mut self, seen: &Sides<Candle>) {
        self.edges.up = self.edges.up.map(|edge| edge.max(seen.up.high));
        self.edges.down = self.edges.down.map(|edge| edge.max(seen.down.high));
    }

    pub fn on_swing(&mut self, direction: Direction, price: i64) {
        *self.edges.of_mut(direction) = Some(price);
    }

    /// Top and bottom.
    pub fn edges(&self) -> Option<(Price, Price)> {
        Some((Price(self.edges.up?), Price(seen_from(Direction::Down, self.edges.down?))))
    }

    /// `(price - bottom) / (top - bottom)` in ppm, rounded down; none while the range has no height.
    pub fn position_ppm(&self, price: Price) -> Option<i64> {
        let (top, bottom) = self.edges()?;
        let height = i128::from(top.0) - i128::from(bottom.0);
        if height <= 0 {
            return None;
        }
        let above = (i128::from(price.0) - i128::from(bottom.0)) * 1_000_000;
        Some(clamp_i64(above.div_euclid(height)))
    }

    /// Which half `price` is in, exactly; none while the range has no height.
    pub fn half(&self, price: Price) -> Option<RangeHalf> {
        let (top, bottom) = self.edges()?;
        let twice = 2 * i128::from(price.0) - i128::from(top.0) - i128::from(bottom.0);
        match (bottom < top, twice) {
            (false, _) => None,
            (_, 0) => Some(RangeHalf::Equilibrium),
            (_, 1..) => Some(RangeHalf::Premium),
            _ => Some(RangeHalf::Discount),
        }
    }
}
