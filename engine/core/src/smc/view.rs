//! What the concepts share: a bar seen from a side, the recent bars, and the way to say a fact.
//!
//! Every rule is written once, for the bullish side. The bearish side runs the same code on the mirrored bar
//! (prices negated, high and low swapped), so the two cannot drift apart.

use alloc::boxed::Box;
use alloc::vec;

use super::snapshot;
use crate::event::Bar;
use crate::output::{Scope, Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, InstrumentId, Price, Timeframe};

/// Prices of a bar as a side sees them: as they are from `Up`, mirrored from `Down`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Candle {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
    pub volume: i64,
    /// Too wild to be an order block.
    pub is_wild: bool,
}

impl Candle {
    pub fn new(bar: &Bar, is_wild: bool) -> Self {
        let Bar { open, high, low, close, volume, .. } = *bar;
        Self { open: open.0, high: high.0, low: low.0, close: close.0, volume: volume.0, is_wild }
    }

    pub fn seen_from(self, direction: Direction) -> Self {
        match direction {
            Direction::Up => self,
            Direction::Down => {
                let Self { open, high, low, close, .. } = self;
                Self { open: -open, high: -low, low: -high, close: -close, ..self }
            }
        }
    }
}

/// A price as a side sees it; its own inverse.
pub(super) const fn seen_from(direction: Direction, price: i64) -> i64 {
    match direction {
        Direction::Up => price,
        Direction::Down => -price,
    }
}

/// One of something for each direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides<T> {
    pub up: T,
    pub down: T,
}

impl<T> Sides<T> {
    pub fn new(mut make: impl FnMut(Direction) -> T) -> Self {
        Self { up: make(Direction::Up), down: make(Direction::Down) }
    }

    pub const fn of(&self, direction: Direction) -> &T {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    pub const fn of_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}

/// The last bars, as many as any concept looks back.
pub(super) struct History {
    /// Power-of-two ring; the slot of bar `k` is `k & mask`.
    candles: Box<[Candle]>,
    mask: u32,
}

impl History {
    /// Keeps at least `bars` bars.
    pub fn new(bars: u32) -> Self {
        let len = bars.next_power_of_two();
        Self { candles: vec![Candle::default(); len as usize].into_boxed_slice(), mask: len - 1 }
    }

    pub fn push(&mut self, bar: u32, candle: Candle) {
        self.candles[(bar & self.mask) as usize] = candle;
    }

    /// Bar `bar`, which must be among the last ones.
    pub fn at(&self, bar: u32, direction: Direction) -> Candle {
        self.candles[(bar & self.mask) as usize].seen_from(direction)
    }
}

impl History {
    /// Saves or loads it after `count` bars.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        for bar in count.saturating_sub(self.mask + 1)..count {
            snapshot::candle(io, &mut self.candles[(bar & self.mask) as usize])?;
        }
        Ok(())
    }
}

/// A fact about to be said; prices as its side sees them.
pub(super) struct Fact {
    pub kind: StructureKind,
    pub id: u32,
    pub cause_id: u32,
    pub bar: u32,
    pub top: i64,
    pub bottom: i64,
    pub extra: i64,
    pub value: i64,
}

/// The way out for facts of one bar.
pub(super) struct Say<'a, F> {
    pub instrument: InstrumentId,
    pub timeframe: Timeframe,
    /// The bar whose close makes everything said here known.
    pub known: u32,
    /// Scope of what is said now.
    pub scope: Scope,
    pub ids: &'a mut super::IdSource,
    pub emit: &'a mut F,
}

impl<F: FnMut(Structure)> Say<'_, F> {
    /// The id of a new object.
    pub fn new_id(&mut self) -> u32 {
        self.ids.take()
    }

    pub fn fact(&mut self, direction: Direction, fact: Fact) {
        let (top, bottom) = match direction {
            Direction::Up => (fact.top, fact.bottom),
            Direction::Down => (-fact.bottom, -fact.top),
        };
        (self.emit)(Structure {
            instrument: self.instrument,
            timeframe: self.timeframe,
            kind: fact.kind,
            direction,
            id: fact.id,
            cause_id: fact.cause_id,
            bar: fact.bar,
            known_bar: self.known,
            top: Price(top),
            bottom: Price(bottom),
            extra: fact.extra,
            value: fact.value,
            scope: self.scope,
        });
    }
}
