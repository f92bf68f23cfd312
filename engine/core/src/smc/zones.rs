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
use alloc::vec::Vec;

use super::ladder::Ladder;
use super::snapshot;
use super::view::{Candle, Fact, Say, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
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
        let slot = Slot { zone: blank(direction), older: NONE, newer: NONE };
        let mut book = Self {
            direction,
            rules,
            slots: vec![slot; usize::from(cap)].into_boxed_slice(),
            free: NONE,
            oldest: NONE,
            newest: NONE,
            fresh: Ladder::new(cap),
            unbroken: Ladder::new(cap),
            flipped: Ladder::new(cap),
        };
        book.clear();
        book
    }

    /// Forgets all zones.
    fn clear(&mut self) {
        let cap = self.slots.len() as u16;
        for (slot, newer) in self.slots.iter_mut().zip(1..=cap) {
            slot.newer = if newer < cap { newer } else { NONE };
        }
        (self.free, self.oldest, self.newest) = (0, NONE, NONE);
        self.fresh.clear();
        self.unbroken.clear();
        self.flipped.clear();
    }

    /// One closed bar, as this side sees it, in the life of all zones.
    #[inline]
    pub fn on_bar<F: FnMut(Structure)>(&mut self, candle: &Candle, say: &mut Say<'_, F>) {
        // Every source lies between low and high, so most bars end here.
        let is_met = self.flipped.has_above(-candle.high)
            | self.fresh.has_above(candle.low - 1)
            | self.unbroken.has_above(candle.low);
        if is_met {
            self.meet(candle, say);
        }
    }

    fn meet<F: FnMut(Structure)>(&mut self, candle: &Candle, say: &mut Say<'_, F>) {
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
        let at = self.place(zone);
        let (touch, break_) = self.levels(at);
        self.fresh.insert(touch, at);
        self.unbroken.insert(break_, at);
    }

    /// Puts a zone into a free slot, of which there must be one, as the newest.
    fn place(&mut self, zone: Zone) -> u16 {
        let at = self.free;
        let newest = self.newest;
        let slot = self.slot(at);
        self.free = core::mem::replace(slot, Slot { zone, older: newest, newer: NONE }).newer;
        match newest {
            NONE => self.oldest = at,
            _ => self.slot(newest).newer = at,
        }
        self.newest = at;
        at
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

    /// All zones, newest first: no later one became known after an earlier one.
    pub fn newest(&self) -> impl Iterator<Item = &Zone> {
        let mut at = self.newest;
        core::iter::from_fn(move || {
            let slot = self.slots.get(usize::from(at))?;
            at = slot.older;
            Some(&slot.zone)
        })
    }

    /// The flipped ones, by level.
    pub fn flipped(&self) -> impl Iterator<Item = &Zone> {
        self.flipped.slots().filter_map(|at| Some(&self.slots.get(usize::from(at))?.zone))
    }

    /// The fresh zone that price meets next.
    pub fn nearest_fresh(&self) -> Option<&Zone> {
        Some(&self.slots[usize::from(self.fresh.nearest()?)].zone)
    }

    /// Saves or loads it after `count` bars: the zones by age, then the order of the flipped ones. The ladders of
    /// the others follow from age.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let mut zones: Vec<Zone> = self.iter().copied().collect();
        let mut flipped = self.flipped_by_age();
        let (mut len, mut flipped_len) = (zones.len(), flipped.len());
        io.len(&mut len, self.slots.len())?;
        io.len(&mut flipped_len, len)?;
        zones.resize(len, blank(self.direction));
        flipped.resize(flipped_len, 0);
        for zone in &mut zones {
            zone_state(io, zone, count)?;
        }
        for age in &mut flipped {
            io.number(age)?;
        }
        if io.is_loading() && !self.fill(&zones, &flipped) {
            return Err(io.bad_value());
        }
        Ok(())
    }

    /// How old, by rank, the flipped zones are, in the order of their ladder.
    fn flipped_by_age(&self) -> Vec<u16> {
        let (mut ranks, mut at) = (vec![0; self.slots.len()], self.oldest);
        for rank in 0.. {
            let Some(slot) = self.slots.get(usize::from(at)) else { break };
            ranks[usize::from(at)] = rank;
            at = slot.newer;
        }
        self.flipped.slots().map(|slot| ranks[usize::from(slot)]).collect()
    }

    /// Makes the book anew; false when `flipped` does not name the flipped zones once each, by level.
    fn fill(&mut self, zones: &[Zone], flipped: &[u16]) -> bool {
        self.clear();
        for zone in zones {
            let at = self.place(*zone);
            let (touch, break_) = self.levels(at);
            if zone.state == ZoneState::Fresh {
                self.fresh.insert(touch, at);
            }
            if zone.state != ZoneState::Flipped {
                self.unbroken.insert(break_, at);
            }
        }
        // In a new book the rank of a zone is its slot.
        let mut is_left: Vec<bool> = zones.iter().map(Zone::is_flipped).collect();
        let mut key_before = i64::MIN;
        for &at in flipped {
            match is_left.get_mut(usize::from(at)) {
                Some(is_left) if *is_left => *is_left = false,
                _ => return false,
            }
            let key = -self.edges(at).0;
            if key < key_before {
                return false;
            }
            key_before = key;
            self.flipped.insert(key, at);
        }
        !is_left.contains(&true)
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
        let touch = match self.rules.touch_depth_ppm {
            // Most rules touch at the near edge, and a wide division is slow.
            0 => top,
            _ => top - crate::words::clamp_i64(crate::words::div_ceil(depth, 1_000_000)),
        };
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

const fn blank(direction: Direction) -> Zone {
    Zone {
        id: 0,
        cause_id: 0,
        direction,
        state: ZoneState::Fresh,
        top: Price(0),
        bottom: Price(0),
        bar: 0,
        known_bar: 0,
        volume: Qty(0),
    }
}

/// The direction is that of its book.
fn zone_state(io: &mut StateIo<'_>, zone: &mut Zone, count: u32) -> Result<(), StateError> {
    let Zone { id, cause_id, direction: _, state, top, bottom, bar, known_bar, volume } = zone;
    io.number(id)?;
    io.number(cause_id)?;
    io.choice(state, &[ZoneState::Fresh, ZoneState::Touched, ZoneState::Flipped])?;
    snapshot::price(io, &mut top.0)?;
    snapshot::price(io, &mut bottom.0)?;
    snapshot::bar(io, bar, count)?;
    snapshot::bar(io, known_bar, count)?;
    io.number(volume)?;
    snapshot::sound(io, bottom <= top && bar <= known_bar && volume.0 >= 0)
}

const fn source(source: Source, wick: i64, body: i64, close: i64) -> i64 {
    match source {
        Source::Wick => wick,
        Source::Close => close,
        Source::Body => body,
    }
}
