//! The life that order blocks and fair value gaps share: fresh, touched, broken into the opposite role, ended.
//!
//! Pure; a bar that reaches nothing costs three comparisons per side, every change a few steps more. One
//! book holds the zones of one side; rules are written for the bullish side, the other is mirrored.
//!
//! Inside one bar: ends of flipped zones, touches, breaks; each nearest level first, the newest of equals
//! first. A zone broken at this bar can end at the next at the earliest. Who is broken was touched, at the
//! latest by the same bar, so each zone says its life in order. Every event repeats id, cause, bar and edges
//! of the zone and carries the direction it was born with.
//!
//! * `Expired`: the book was full, the oldest zone left to make room; terminal. `extra` is 0.

use alloc::boxed::Box;
use alloc::vec;

use super::ladder::Ladder;
use super::view::{Candle, Fact, Say, seen_from};
use crate::output::{Structure, StructureKind};
use crate::words::{Direction, Price, Qty};

/// An order block or a fair value gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its object id.
    pub id: u32,
    /// An order block's break; of a joined gap the one it took in, of another gap 0.
    pub cause_id: u32,
    /// As it was born: bullish zones are `Up`. See [`Zone::role`].
    pub direction: Direction,
    /// How far its life has gone.
    pub state: ZoneState,
    /// Upper edge.
    pub top: Price,
    /// Lower edge.
    pub bottom: Price,
    /// The block bar, or the middle bar of a gap.
    pub bar: u32,
    /// Bar whose close created it.
    pub known_bar: u32,
    /// An order block: volume of the breaking bar and the two before it. A gap: 0.
    pub volume: Qty,
}

impl Zone {
    /// The side it now speaks for: a breaker and an inverted gap have changed sides.
    pub const fn role(&self) -> Direction {
        match self.state {
            ZoneState::Flipped => self.direction.opposite(),
            _ => self.direction,
        }
    }

    /// A breaker block, or an inverted gap.
    pub const fn is_flipped(&self) -> bool {
        matches!(self.state, ZoneState::Flipped)
    }
}

/// How far a zone's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ZoneState {
    /// Price has not come back.
    Fresh = 0,
    /// Tested (order block) or mitigated (gap).
    Touched = 1,
    /// Broken: a breaker block or an inverted gap, in the opposite role.
    Flipped = 2,
}

/// Which price of a bar is compared.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The wick: the low for a break, the high for an end.
    Wick,
    Close,
    /// The lower of open and close for a break; the upper for an end.
    Body,
}

/// What makes one kind of zone different from the other.
#[derive(Clone, Copy)]
pub(super) struct ZoneRules {
    pub touched: StructureKind,
    pub broken: StructureKind,
    pub ended: StructureKind,
    /// How deep a touch must be.
    pub touch_depth_ppm: u32,
    pub break_source: Source,
    /// Broken beyond the middle rather than beyond the far edge.
    pub is_broken_at_middle: bool,
    pub end_source: Source,
}

const NONE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Slot {
    zone: Zone,
    /// Neighbours in age; `newer` links the free slots too.
    older: u16,
    newer: u16,
}

/// The living zones of one side.
pub(super) struct ZoneBook {
    direction: Direction,
    rules: ZoneRules,
    slots: Box<[Slot]>,
    free: u16,
    oldest: u16,
    newest: u16,
    /// Fresh zones by the level that touches them.
    fresh: Ladder,
    /// Fresh and touched zones by the level that breaks them.
    unbroken: Ladder,
    /// Flipped zones by their far edge, negated: the lowest top is met first.
    flipped: Ladder,
}

impl ZoneBook {
    pub fn new(direction: Direction, rules: ZoneRules, cap: u16) -> Self {
        let zone = Zone {
            id: 0,
            cause_id: 0,
            direction,
            state: ZoneState::Fresh,
            top: Price(0),
            bottom: Price(0),
            bar: 0,
            known_bar: 0,
            volume: Qty(0),
        };
        let mut slots = vec![Slot { zone, older: NONE, newer: NONE }; usize::from(cap)].into_boxed_slice();
        for (slot, newer) in slots.iter_mut().zip(1..cap) {
            slot.newer = newer;
        }
        Self {
            direction,
            rules,
            slots,
            free: 0,
            oldest: NONE,
            newest: NONE,
            fresh: Ladder::new(cap),
            unbroken: Ladder::new(cap),
            flipped: Ladder::new(cap),
        }
    }

    /// One closed bar, as this side sees it, in the life of all zones.
    #[inline]
    pub fn on_bar<F: FnMut(Structure)>(&mut self, candle: &Candle, say: &mut Say<'_, F>) {
        let rules = self.rules;
        let back = source(rules.end_source, candle.high, candle.open.max(candle.close), candle.close);
        while let Some(slot) = self.flipped.pop_above(-back) {
            self.tell(rules.ended, slot, say);
            self.release(slot);
        }
        while let Some(slot) = self.fresh.pop_above(candle.low - 1) {
            self.slot(slot).zone.state = ZoneState::Touched;
            self.tell(rules.touched, slot, say);
        }
        let fall = source(rules.break_source, candle.low, candle.open.min(candle.close), candle.close);
        while let Some(slot) = self.unbroken.pop_above(fall) {
            self.slot(slot).zone.state = ZoneState::Flipped;
            let (top, _) = self.edges(slot);
            self.flipped.insert(-top, slot);
            self.tell(rules.broken, slot, say);
        }
    }

    /// A new zone; the oldest leaves when the book is full. Edges as prices, not as the side sees them.
    pub fn admit<F: FnMut(Structure)>(&mut self, zone: Zone, say: &mut Say<'_, F>) {
        if self.free == NONE {
            self.expire_oldest(say);
        }
        let at = self.free;
        let newest = self.newest;
        let slot = self.slot(at);
        self.free = core::mem::replace(slot, Slot { zone, older: newest, newer: NONE }).newer;
        match newest {
            NONE => self.oldest = at,
            _ => self.slot(newest).newer = at,
        }
        self.newest = at;
        let (touch, break_) = self.levels(at);
        self.fresh.insert(touch, at);
        self.unbroken.insert(break_, at);
    }

    /// Takes out the newest zone if it is that of `bar` and still fresh.
    pub fn take_newest(&mut self, bar: u32) -> Option<Zone> {
        let at = self.newest;
        let zone = self.slots.get(usize::from(at))?.zone;
        if zone.bar != bar || zone.state != ZoneState::Fresh {
            return None;
        }
        let (touch, break_) = self.levels(at);
        self.fresh.remove(touch, at);
        self.unbroken.remove(break_, at);
        self.release(at);
        Some(zone)
    }

    /// All zones, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        let mut at = self.oldest;
        core::iter::from_fn(move || {
            let slot = self.slots.get(usize::from(at))?;
            at = slot.newer;
            Some(&slot.zone)
        })
    }

    /// The fresh zone that price meets next.
    pub fn nearest_fresh(&self) -> Option<&Zone> {
        Some(&self.slots[usize::from(self.fresh.nearest()?)].zone)
    }

    #[cold]
    fn expire_oldest<F: FnMut(Structure)>(&mut self, say: &mut Say<'_, F>) {
        let at = self.oldest;
        let (touch, break_) = self.levels(at);
        match self.slot(at).zone.state {
            ZoneState::Flipped => {
                let (top, _) = self.edges(at);
                self.flipped.remove(-top, at);
            }
            ZoneState::Touched => self.unbroken.remove(break_, at),
            ZoneState::Fresh => {
                self.fresh.remove(touch, at);
                self.unbroken.remove(break_, at);
            }
        }
        self.tell(StructureKind::Expired, at, say);
        self.release(at);
    }

    fn release(&mut self, at: u16) {
        let Slot { older, newer, .. } = *self.slot(at);
        match older {
            NONE => self.oldest = newer,
            _ => self.slot(older).newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.slot(newer).older = older,
        }
        self.slot(at).newer = self.free;
        self.free = at;
    }

    /// Touching and breaking level, as the side sees them.
    fn levels(&mut self, at: u16) -> (i64, i64) {
        let (top, bottom) = self.edges(at);
        let height = i128::from(top - bottom);
        // Rounded so that the integer comparisons say what the exact ones would: `low <= level`
        // rounds the level down, `close < level` rounds it up.
        let depth = height * i128::from(self.rules.touch_depth_ppm);
        let touch = top - crate::words::clamp_i64(crate::words::div_ceil(depth, 1_000_000));
        let break_ = if self.rules.is_broken_at_middle { bottom + (top - bottom + 1) / 2 } else { bottom };
        (touch, break_)
    }

    /// Top and bottom, as the side sees them.
    fn edges(&mut self, at: u16) -> (i64, i64) {
        let Zone { top, bottom, direction, .. } = self.slot(at).zone;
        let (a, b) = (seen_from(direction, top.0), seen_from(direction, bottom.0));
        (a.max(b), a.min(b))
    }

    fn tell<F: FnMut(Structure)>(&mut self, kind: StructureKind, at: u16, say: &mut Say<'_, F>) {
        let (top, bottom) = self.edges(at);
        let direction = self.direction;
        let Zone { id, cause_id, bar, .. } = self.slot(at).zone;
        say.fact(direction, Fact { kind, id, cause_id, bar, top, bottom, extra: 0, value: 0 });
    }

    fn slot(&mut self, at: u16) -> &mut Slot {
        &mut self.slots[usize::from(at)]
    }
}

const fn source(source: Source, wick: i64, body: i64, close: i64) -> i64 {
    match source {
        Source::Wick => wick,
        Source::Close => close,
        Source::Body => body,
    }
}
