//! Pattern mode: BOS and CHoCH as shapes of four alternating swings (public definition), as they become known.
//!
//! Pure; a few comparisons a bar, a few steps per pattern that changes, no allocation. Of the last four swings
//! of the swing scope `a, b, c` are locked and `d` is provisional. With `d` a high: BOS if `a < c < b < d`,
//! CHoCH if `c < a < b < d`; with `d` a low every inequality is mirrored. The pattern stands on `b`: its bar,
//! its level, its direction. A more extreme `d` keeps it true, so it is said once.
//!
//! * `PatternConfirmed {id, cause_id = swing b, bar = b's bar, top = bottom = level, extra = 0 BOS or
//!   1 CHoCH}`: at the pivot that makes the pattern true.
//! * `PatternBroken {same fields, value = j}`: bar `j` was the first from `b + 2` on whose source (close, or the
//!   wick when `close_break` is off) was strictly beyond the level. Known at `j`, or with the pattern if that
//!   comes later.
//! * `PatternSuperseded {same fields, value = j}`: a pattern on a later bar broke at `j` or before it; terminal.
//!   Follows `PatternBroken` at once when the later one broke first; otherwise it comes when the later one is
//!   known, which broke at the same bar or was confirmed after its break.
//! * `Expired {same fields}`: more than [`PATTERNS_MAX`] of a side wait to break, the oldest left; terminal.
//!
//! Within one bar the nearest level breaks first, of equals the newest; up before down.
//!
//! What has broken and is not superseded forms a stack: bars and breaks both ascend in it. A break takes from
//! its end those not older than itself. Of more than [`PATTERNS_MAX`] the oldest is let go without a word:
//! only a pattern confirmed that many breaks after its own could still reach it.

use alloc::boxed::Box;
use alloc::vec;

use super::params::SmcParams;
use super::shelf::Shelf;
use super::snapshot;
use super::structure::source;
use super::swings::Swing;
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::Direction;

/// Patterns of one side that may wait for their break at once.
pub const PATTERNS_MAX: u16 = 512;

/// Patterns of the swing scope.
pub(super) struct Patterns {
    is_close_break: bool,
    /// The last four swings, `a, b, c, d`, the provisional one last.
    chain: [Option<Link>; 4],
    /// What `d` completes has been said.
    is_said: bool,
    /// Confirmed, not broken.
    waiting: Sides<Waiting>,
    /// Broken, not superseded, with the bar of the break; bars and breaks ascend. The last one stands on the
    /// latest bar that any broken pattern ever stood on.
    broken: Shelf<(Pattern, u32)>,
    /// Lowest level of each side, as it sees it, that the next bar may take. A cache.
    nearest: Sides<i64>,
}

/// A swing that a pattern may come to stand on.
#[derive(Clone, Copy)]
struct Link {
    swing_id: u32,
    direction: Direction,
    bar: u32,
    /// As its own side sees it.
    level: i64,
    /// First bar beyond the level.
    first_break: Option<u32>,
}

/// A confirmed pattern.
#[derive(Clone, Copy)]
struct Pattern {
    id: u32,
    swing_id: u32,
    direction: Direction,
    bar: u32,
    /// As its side sees it.
    level: i64,
    is_choch: bool,
}

impl Patterns {
    pub fn new(params: &SmcParams) -> Self {
        Self {
            is_close_break: params.close_break,
            chain: [None; 4],
            is_said: false,
            waiting: Sides::new(|_| Waiting::new()),
            broken: Shelf::new(PATTERNS_MAX, (NO_PATTERN, 0)),
            nearest: Sides { up: i64::MAX, down: i64::MAX },
        }
    }

    /// Breaks of closed bar `known`.
    #[inline]
    pub fn on_bar<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        let reach = Sides::new(|direction| source(seen.of(direction), self.is_close_break));
        if self.nearest.up < reach.up || self.nearest.down < reach.down {
            self.take(&reach, say);
        }
    }

    fn take<F: FnMut(Structure)>(&mut self, reach: &Sides<i64>, say: &mut Say<'_, F>) {
        for link in self.chain.iter_mut().flatten() {
            if link.level < *reach.of(link.direction) && link.first_break.is_none() {
                link.first_break = Some(say.known);
            }
        }
        for direction in [Direction::Up, Direction::Down] {
            while let Some(pattern) = self.waiting.of_mut(direction).pop_under(*reach.of(direction)) {
                self.take_broken(&pattern, say.known, say);
            }
        }
        self.find_nearest();
    }

    /// After any change of a level that may be taken.
    fn find_nearest(&mut self) {
        self.nearest = Sides::new(|direction| {
            let waiting = self.waiting.of(direction).nearest().unwrap_or(i64::MAX);
            let links = self.chain.iter().flatten();
            let open = links.filter(|link| link.direction == direction && link.first_break.is_none());
            open.map(|link| link.level).fold(waiting, i64::min)
        });
    }

    /// The provisional swing is new or went further.
    pub fn on_swing<F: FnMut(Structure)>(&mut self, swing: &Swing, say: &mut Say<'_, F>) {
        let Swing { id: swing_id, direction, bar, price, .. } = *swing;
        // The pivot's window includes this bar, so none is beyond it yet.
        let link = Link { swing_id, direction, bar, level: seen_from(direction, price.0), first_break: None };
        if self.chain[3].is_none_or(|last| last.swing_id != swing_id) {
            self.chain.rotate_left(1);
            self.is_said = false;
        }
        self.chain[3] = Some(link);
        if !self.is_said
            && let Some((base, is_choch)) = self.completed()
        {
            self.is_said = true;
            self.confirm(&base, is_choch, say);
        }
        self.find_nearest();
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let mut before = None;
        for link in &mut self.chain {
            io.option(link, || NO_LINK, |io, link| link_state(io, link, count))?;
            let direction = link.map(|link| link.direction);
            // Once there is one, the others follow, and the sides take turns.
            snapshot::sound(io, before.is_none() || before.map(Direction::opposite) == direction)?;
            before = direction;
        }
        io.flag(&mut self.is_said)?;
        for direction in [Direction::Up, Direction::Down] {
            self.waiting.of_mut(direction).state(io, direction, count)?;
        }
        let mut last = None;
        self.broken.state(io, (NO_PATTERN, 0), |io, (pattern, at)| {
            snapshot::direction(io, &mut pattern.direction)?;
            pattern_state(io, pattern, count)?;
            snapshot::bar(io, at, count)?;
            let is_next = last.is_none_or(|(bar, break_)| bar < pattern.bar && break_ < *at);
            last = Some((pattern.bar, *at));
            snapshot::sound(io, is_next)
        })?;
        self.find_nearest();
        Ok(())
    }

    /// The swing that the pattern stands on, and whether it is a CHoCH.
    fn completed(&self) -> Option<(Link, bool)> {
        let [Some(a), Some(b), Some(c), Some(d)] = self.chain else { return None };
        // Everything as `d` and `b` see it; `a` and `c` are of the other side.
        let (a, c) = (-a.level, -c.level);
        let is_shape = a.max(c) < b.level && b.level < d.level && a != c;
        is_shape.then_some((b, c < a))
    }

    fn confirm<F: FnMut(Structure)>(&mut self, base: &Link, is_choch: bool, say: &mut Say<'_, F>) {
        let Link { swing_id, direction, bar, level, first_break } = *base;
        let pattern = Pattern { id: say.new_id(), swing_id, direction, bar, level, is_choch };
        tell(StructureKind::PatternConfirmed, &pattern, 0, say);
        match first_break {
            Some(at) => self.take_broken(&pattern, at, say),
            None => self.waiting.of_mut(direction).admit(pattern, say),
        }
    }

    fn take_broken<F: FnMut(Structure)>(&mut self, pattern: &Pattern, at: u32, say: &mut Say<'_, F>) {
        tell(StructureKind::PatternBroken, pattern, at, say);
        // A pattern that broke before it was confirmed stands on the latest bar of all.
        if self.broken.last().is_some_and(|(latest, _)| pattern.bar < latest.bar) {
            tell(StructureKind::PatternSuperseded, pattern, at, say);
            return;
        }
        while let Some((older, broken_at)) = self.broken.last().copied()
            && at <= broken_at
        {
            self.broken.remove(self.broken.len() - 1);
            tell(StructureKind::PatternSuperseded, &older, broken_at, say);
        }
        if self.broken.is_full() {
            self.broken.remove(0);
        }
        self.broken.push((*pattern, at));
    }
}

fn tell<F: FnMut(Structure)>(kind: StructureKind, pattern: &Pattern, at: u32, say: &mut Say<'_, F>) {
    let Pattern { id, swing_id, direction, bar, level, is_choch } = *pattern;
    say.fact(
        direction,
        Fact {
            kind,
            id,
            cause_id: swing_id,
            bar,
            top: level,
            bottom: level,
            extra: is_choch.into(),
            value: at.into(),
        },
    );
}

const NO_PATTERN: Pattern =
    Pattern { id: 0, swing_id: 0, direction: Direction::Up, bar: 0, level: 0, is_choch: false };

const NO_LINK: Link = Link { swing_id: 0, direction: Direction::Up, bar: 0, level: 0, first_break: None };

fn link_state(io: &mut StateIo<'_>, link: &mut Link, count: u32) -> Result<(), StateError> {
    let Link { swing_id, direction, bar, level, first_break } = link;
    io.number(swing_id)?;
    snapshot::direction(io, direction)?;
    snapshot::bar(io, bar, count)?;
    snapshot::price(io, level)?;
    io.option(first_break, || 0, |io, at| snapshot::bar(io, at, count))
}

/// All but the direction.
fn pattern_state(io: &mut StateIo<'_>, pattern: &mut Pattern, count: u32) -> Result<(), StateError> {
    let Pattern { id, swing_id, direction: _, bar, level, is_choch } = pattern;
    io.number(id)?;
    io.number(swing_id)?;
    snapshot::bar(io, bar, count)?;
    snapshot::price(io, level)?;
    io.flag(is_choch)
}

/// Patterns of one side that have not broken, the level that price meets first at the end.
struct Waiting {
    /// Levels descending, equal ones in the order they came. Places at `len` and beyond mean nothing.
    patterns: Box<[Pattern]>,
    len: usize,
}

impl Waiting {
    fn new() -> Self {
        Self { patterns: vec![NO_PATTERN; usize::from(PATTERNS_MAX)].into_boxed_slice(), len: 0 }
    }

    /// The level that price meets first.
    fn nearest(&self) -> Option<i64> {
        Some(self.patterns[self.len.checked_sub(1)?].level)
    }

    /// Takes out the last one if its level is under `reach`.
    #[inline]
    fn pop_under(&mut self, reach: i64) -> Option<Pattern> {
        let last = self.len.checked_sub(1)?;
        let pattern = self.patterns[last];
        if reach <= pattern.level {
            return None;
        }
        self.len = last;
        Some(pattern)
    }

    fn admit<F: FnMut(Structure)>(&mut self, pattern: Pattern, say: &mut Say<'_, F>) {
        if self.len == self.patterns.len() {
            self.expire_oldest(say);
        }
        // A new level is near price, so a few steps from the end.
        let mut at = self.len;
        while at > 0 && self.patterns[at - 1].level < pattern.level {
            self.patterns[at] = self.patterns[at - 1];
            at -= 1;
        }
        self.patterns[at] = pattern;
        self.len += 1;
    }

    fn state(&mut self, io: &mut StateIo<'_>, direction: Direction, count: u32) -> Result<(), StateError> {
        io.len(&mut self.len, self.patterns.len())?;
        let mut level_before = i64::MAX;
        for pattern in &mut self.patterns[..self.len] {
            pattern.direction = direction;
            pattern_state(io, pattern, count)?;
            snapshot::sound(io, pattern.level <= level_before)?;
            level_before = pattern.level;
        }
        Ok(())
    }

    #[cold]
    fn expire_oldest<F: FnMut(Structure)>(&mut self, say: &mut Say<'_, F>) {
        let oldest = self.patterns[..self.len].iter().enumerate().min_by_key(|(_, pattern)| pattern.bar);
        let Some((at, pattern)) = oldest else { return };
        tell(StructureKind::Expired, pattern, 0, say);
        self.patterns.copy_within(at + 1..self.len, at);
        self.len -= 1;
    }
}
