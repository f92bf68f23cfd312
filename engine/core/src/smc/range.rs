//! Dealing range: between the last swing high and the last swing low, each pushed out by what came later.
//!
//! Pure; a bar that stays inside the range and in its zone costs four comparisons, a change a few more and
//! one division by a constant. A pivot that becomes (or extends) the provisional swing sets its edge anew;
//! every later bar beyond an edge moves it. Readable always; with `range_events` it also says, after the
//! swings of the bar:
//!
//! * `RangeChanged {id 0, cause_id = the swing that is the edge, 0 when a later bar pushed it, direction =
//!   the edge that moved, bar = the bar the edge is at, top, bottom}`: an edge is not where it was last
//!   said to be; nothing is said before both sides have had a swing. When both moved, up first.
//! * `ZoneChanged {id 0, direction = side of the last swing, bar = known, top, bottom, extra = zone of the
//!   close, value = zone before}`. Zones: 0 undefined (no range, or one without height), 1 discount, 2
//!   equilibrium, 3 premium, 4 between.
//!
//! `Halves`: discount strictly under the middle, premium strictly over it, equilibrium exactly on it.
//! `Bands`: the outer 5 % and the 5 % around the middle, edges included, `between` elsewhere. Both are
//! exact in whole prices: with height `h` and `q = floor(h / 20)`, the outer bands are the closes at most
//! `q` from an edge, and the middle one those with `|2 close - top - bottom| <= q`. So the mirror image
//! says the mirror image.

use super::params::{RangeBands, SmcParams};
use super::snapshot::{self, sound};
use super::swings::Swing;
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
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

/// Zone of a close; the numbers are the events' codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
enum RangeZone {
    #[default]
    Undefined = 0,
    Discount = 1,
    Equilibrium = 2,
    Premium = 3,
    Between = 4,
}

impl RangeZone {
    const ALL: [Self; 5] = [Self::Undefined, Self::Discount, Self::Equilibrium, Self::Premium, Self::Between];
}

/// One edge, as its side sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Edge {
    /// [`NEVER`] before the first swing of the side.
    price: i64,
    bar: u32,
    /// 0 once a later bar has pushed it.
    swing_id: u32,
}

impl Default for Edge {
    fn default() -> Self {
        Self { price: NEVER, bar: 0, swing_id: 0 }
    }
}

impl Edge {
    /// True when the bar went beyond. A third of all bars do, so it is done without a branch.
    #[inline]
    fn push(&mut self, bar: u32, high: i64) -> bool {
        let is_beyond = self.price < high;
        let keep = u32::from(is_beyond).wrapping_sub(1);
        self.price = self.price.max(high);
        self.bar = self.bar & keep | bar & !keep;
        self.swing_id &= keep;
        is_beyond
    }
}

/// Both edges; none before the first swing of that side.
pub(super) struct DealingRange {
    is_told: bool,
    bands: RangeBands,
    edges: Sides<Edge>,
    /// Side of the last swing.
    swing_side: Direction,
    /// Prices of the edges as last said.
    told: Sides<Option<i64>>,
    /// An edge was touched since the last look.
    is_moved: bool,
    zone: RangeZone,
    /// Closes from `.0` to `.1` are in `zone`. A cache, made again with every change of the range.
    zone_span: (i64, i64),
}

/// A price that none exceeds.
const NEVER: i64 = i64::MAX;
/// A span that no close lies in.
const NOWHERE: (i64, i64) = (i64::MAX, i64::MIN);

impl DealingRange {
    pub fn new(params: &SmcParams) -> Self {
        Self {
            is_told: params.range_events,
            bands: params.range_bands,
            edges: Sides::new(|_| Edge::default()),
            swing_side: Direction::Up,
            told: Sides::default(),
            is_moved: false,
            zone: RangeZone::Undefined,
            zone_span: NOWHERE,
        }
    }

    /// A bar before its swings are known: it may push the edges.
    #[inline]
    pub fn on_bar(&mut self, bar: u32, seen: &Sides<Candle>) {
        let is_up = self.edges.up.push(bar, seen.up.high);
        let is_down = self.edges.down.push(bar, seen.down.high);
        self.is_moved |= is_up | is_down;
    }

    /// A pivot became or extended the provisional swing.
    pub fn on_swing(&mut self, swing: &Swing) {
        let Swing { direction, bar, id: swing_id, price, .. } = *swing;
        let price = seen_from(direction, price.0);
        *self.edges.of_mut(direction) = Edge { price, bar, swing_id };
        self.swing_side = direction;
        self.is_moved = true;
    }

    /// The end of the bar: says what changed.
    #[inline]
    pub fn tell<F: FnMut(Structure)>(&mut self, candle: &Candle, say: &mut Say<'_, F>) {
        if !self.is_told {
            return;
        }
        if self.is_moved {
            self.tell_edges(say);
        }
        if candle.close < self.zone_span.0 || self.zone_span.1 < candle.close {
            self.tell_zone(candle.close, say);
        }
    }

    /// Top and bottom.
    pub fn edges(&self) -> Option<(Price, Price)> {
        let (top, bottom) = self.span()?;
        Some((Price(top), Price(bottom)))
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

    fn span(&self) -> Option<(i64, i64)> {
        let [top, bottom] = [self.edges.up.price, self.edges.down.price];
        (top != NEVER && bottom != NEVER).then_some((top, seen_from(Direction::Down, bottom)))
    }

    #[inline(never)]
    fn tell_edges<F: FnMut(Structure)>(&mut self, say: &mut Say<'_, F>) {
        self.is_moved = false;
        let Some((top, bottom)) = self.span() else { return };
        for direction in [Direction::Up, Direction::Down] {
            let edge = *self.edges.of(direction);
            if self.told.of_mut(direction).replace(edge.price) == Some(edge.price) {
                continue;
            }
            let (a, b) = (seen_from(direction, top), seen_from(direction, bottom));
            let fact = Fact {
                kind: StructureKind::RangeChanged,
                id: 0,
                cause_id: edge.swing_id,
                bar: edge.bar,
                top: a.max(b),
                bottom: a.min(b),
                extra: 0,
                value: 0,
            };
            say.fact(direction, fact);
        }
        // The cached span was that of another range.
        self.zone_span = NOWHERE;
    }

    #[inline(never)]
    fn tell_zone<F: FnMut(Structure)>(&mut self, close: i64, say: &mut Say<'_, F>) {
        let Some((top, bottom)) = self.span() else { return };
        let before = self.zone;
        (self.zone, self.zone_span) = zone_of(close, top, bottom, self.bands);
        if self.zone == before {
            return;
        }
        let direction = self.swing_side;
        let (a, b) = (seen_from(direction, top), seen_from(direction, bottom));
        let fact = Fact {
            kind: StructureKind::ZoneChanged,
            id: 0,
            cause_id: 0,
            bar: say.known,
            top: a.max(b),
            bottom: a.min(b),
            extra: self.zone as i64,
            value: before as i64,
        };
        say.fact(direction, fact);
    }
}

/// Zone of `close`, and the closes around it that share it.
fn zone_of(close: i64, top: i64, bottom: i64, bands: RangeBands) -> (RangeZone, (i64, i64)) {
    if top <= bottom {
        return (RangeZone::Undefined, (i64::MIN, i64::MAX));
    }
    // Prices are within ±2^61, so sums and differences of two fit.
    let (height, sum) = (top - bottom, top + bottom);
    let q = match bands {
        RangeBands::Halves => 0,
        RangeBands::Bands => height / 20,
    };
    // The whole prices of the middle: those with |2 price - sum| <= q. May be none.
    let (middle_from, middle_to) = ((sum - q + 1).div_euclid(2), (sum + q).div_euclid(2));
    let (discount_to, premium_from) = match bands {
        RangeBands::Halves => (middle_from - 1, middle_to + 1),
        RangeBands::Bands => (bottom + q, top - q),
    };
    if close <= discount_to {
        (RangeZone::Discount, (i64::MIN, discount_to))
    } else if premium_from <= close {
        (RangeZone::Premium, (premium_from, i64::MAX))
    } else if close < middle_from {
        (RangeZone::Between, (discount_to + 1, middle_from - 1))
    } else if middle_to < close {
        (RangeZone::Between, (middle_to + 1, premium_from - 1))
    } else {
        (RangeZone::Equilibrium, (middle_from, middle_to))
    }
}

impl DealingRange {
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        for direction in [Direction::Up, Direction::Down] {
            let edge = self.edges.of_mut(direction);
            let mut known = Some(*edge).filter(|edge| edge.price != NEVER);
            io.option(&mut known, Edge::default, |io, edge| {
                snapshot::price(io, &mut edge.price)?;
                snapshot::bar(io, &mut edge.bar, count)?;
                io.number(&mut edge.swing_id)
            })?;
            *edge = known.unwrap_or_default();
            io.option(self.told.of_mut(direction), || 0, snapshot::price)?;
        }
        snapshot::direction(io, &mut self.swing_side)?;
        io.choice(&mut self.zone, &RangeZone::ALL)?;
        if io.is_loading() {
            // Edges are looked at again: what was said is known, so nothing is said twice.
            self.is_moved = true;
            self.zone_span = NOWHERE;
        }
        sound(io, self.span().is_none_or(|(top, bottom)| bottom <= top))
    }
}
