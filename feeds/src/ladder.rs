//! One side of a book: all levels we know, and the best of them that the engine sees.
//!
//! Pure, fixed capacity, no allocation after the constructor. Two borders matter and are kept apart:
//!
//! ```text
//! worst ............................................. best
//! |   known, deep      | trusted: no hole in it            |
//! |                    |          | view: the engine's copy |
//! 0                    trusted_from   len - view          len
//! ```
//!
//! A snapshot shows only so many levels; what lies deeper is known only where it has changed since. Such
//! levels are kept, but never shown, because between them may be levels that nobody told us of.

use smc_core::event::Level;
use smc_core::words::{Price, Qty, Side};

/// The levels of one side, worst first, so that changes near the best price move little memory.
pub struct Ladder {
    side: Side,
    /// Strictly increasing by `key`. Invariant: `len <= capacity`.
    levels: Vec<Level>,
    capacity: usize,
    /// The best so many levels are what the engine has. Invariant: `view <= levels.len()`.
    view: usize,
    /// Most levels the engine is shown.
    view_max: usize,
    /// Levels with a key below this one may have holes between them.
    trusted_from: i64,
    /// Levels dropped for want of room.
    trimmed: u64,
}

impl Ladder {
    /// An empty side with room for `capacity` levels, of which the engine sees the best `view_max`.
    pub fn new(side: Side, capacity: usize, view_max: usize) -> Self {
        let capacity = capacity.max(16);
        // At least half stays hidden when full, so that making room never takes what the engine sees.
        let view_max = view_max.clamp(1, capacity / 2);
        let levels = Vec::with_capacity(capacity);
        Self { side, levels, capacity, view: 0, view_max, trusted_from: i64::MIN, trimmed: 0 }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.levels.clear();
        self.view = 0;
        self.trusted_from = i64::MIN;
    }

    /// Takes the snapshot's levels, best first. `is_whole` says that the snapshot held the entire side.
    /// False when they are not strictly sorted; the ladder is then empty.
    pub fn load(&mut self, best_first: &[Level], is_whole: bool) -> bool {
        self.clear();
        let kept = best_first.get(..self.capacity.min(best_first.len())).unwrap_or_default();
        for level in kept.iter().rev() {
            let key = self.key(level.price);
            if self.levels.last().is_some_and(|worse| self.key(worse.price) >= key) || level.qty.0 <= 0 {
                self.clear();
                return false;
            }
            self.levels.push(*level);
        }
        if !is_whole || kept.len() < best_first.len() {
            self.trusted_from = self.levels.first().map_or(i64::MIN, |worst| self.key(worst.price));
        }
        true
    }

    /// Sets one level, 0 removes it. `show` gets what the engine has to hear of.
    #[inline]
    pub fn set(&mut self, level: Level, show: &mut impl FnMut(Level)) {
        let key = self.key(level.price);
        let at = self.position(key);
        let is_known = self.levels.get(at).is_some_and(|old| old.price == level.price);
        let is_seen = at >= self.levels.len() - self.view;
        match (is_known, level.qty.0 == 0) {
            (true, true) => {
                self.levels.remove(at);
                if is_seen {
                    self.view -= 1;
                    show(level);
                }
            }
            (true, false) => {
                if let Some(old) = self.levels.get_mut(at) {
                    let is_changed = old.qty != level.qty;
                    *old = level;
                    if is_seen && is_changed {
                        show(level);
                    }
                }
            }
            // Removing an unknown price is normal: it lay deeper than the snapshot.
            (false, true) => {}
            (false, false) => self.insert(at, key, level, show),
        }
    }

    fn insert(&mut self, at: usize, key: i64, level: Level, show: &mut impl FnMut(Level)) {
        let mut at = at;
        if self.levels.len() == self.capacity {
            if at == 0 {
                self.trimmed += 1;
                self.trusted_from = self.trusted_from.max(self.first_key());
                return;
            }
            at -= self.trim().min(at);
        }
        // Directly behind the view counts as in it while there is room and nothing is missing between.
        let hidden = self.levels.len() - self.view;
        let extends = at == hidden && self.view < self.view_max && key >= self.trusted_from;
        self.levels.insert(at, level);
        if at > hidden || extends {
            if self.view == self.view_max {
                // The new level pushes the worst one out of sight, which the engine must hear first.
                if let Some(worst) = self.levels.get(hidden) {
                    show(Level { price: worst.price, qty: Qty::ZERO });
                }
            } else {
                self.view += 1;
            }
            show(level);
        }
    }

    /// Makes room by dropping the worst sixteenth; returns how many went.
    #[cold]
    fn trim(&mut self) -> usize {
        let hidden = self.levels.len() - self.view;
        let count = (self.capacity / 16).max(1).min(hidden.max(1));
        self.levels.drain(..count);
        self.view = self.view.min(self.levels.len());
        self.trimmed += count as u64;
        self.trusted_from = self.trusted_from.max(self.first_key());
        count
    }

    /// Shows further levels once the view has become short; called once after each message. `fill` also
    /// fills a view that is merely not full, as after a snapshot.
    pub fn refill(&mut self, fill: bool, show: &mut impl FnMut(Level)) {
        if !fill && self.view >= self.view_max / 2 {
            return;
        }
        while self.view < self.view_max {
            let Some(next) = (self.levels.len() - self.view).checked_sub(1) else { return };
            let Some(&level) = self.levels.get(next) else { return };
            if self.key(level.price) < self.trusted_from {
                return;
            }
            self.view += 1;
            show(level);
        }
    }

    /// Whether so little of the side is trusted that a new snapshot is needed.
    pub fn is_thin(&self) -> bool {
        self.trusted_from != i64::MIN && self.view < self.view_max.div_ceil(4)
    }

    /// Drops whatever lies deeper than the best `count` levels, of venues that no longer tell what happens there.
    pub fn keep_best(&mut self, count: usize) {
        if let Some(deeper) = self.levels.len().checked_sub(count) {
            self.levels.drain(..deeper);
            self.view = self.view.min(self.levels.len());
        }
    }

    /// The engine is about to get a snapshot: nothing is in its view.
    pub const fn hide_all(&mut self) {
        self.view = 0;
    }

    /// Best level.
    pub fn best(&self) -> Option<Level> {
        self.levels.last().copied()
    }

    /// Levels known.
    pub const fn len(&self) -> usize {
        self.levels.len()
    }

    /// Whether no level is known.
    pub const fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Levels from the best on.
    pub fn best_first(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().rev()
    }

    /// Levels dropped so far for want of room.
    pub const fn trimmed(&self) -> u64 {
        self.trimmed
    }

    /// Grows towards the best price on both sides.
    #[inline]
    const fn key(&self, price: Price) -> i64 {
        match self.side {
            Side::Buy => price.0,
            Side::Sell => -price.0,
        }
    }

    fn first_key(&self) -> i64 {
        self.levels.first().map_or(i64::MIN, |worst| self.key(worst.price))
    }

    /// Index of the first level that is not worse than `key`. Most changes are near the best price, so the
    /// last few levels are looked at one by one before the search halves the rest.
    #[inline]
    fn position(&self, key: i64) -> usize {
        let mut at = self.levels.len();
        for level in self.levels.iter().rev().take(8) {
            if self.key(level.price) < key {
                return at;
            }
            at -= 1;
        }
        self.levels.get(..at).map_or(0, |rest| rest.partition_point(|level| self.key(level.price) < key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    /// The engine's copy, kept only from what it is shown, always equals the best trusted levels of a plain
    /// map that is told everything.
    fn check(side: Side, seed: u64) {
        let sign = if side == Side::Buy { 1 } else { -1 };
        let mut ladder = Ladder::new(side, 4_096, 10);
        let mut whole: BTreeMap<i64, i64> = BTreeMap::new();
        let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
        let mut random = seed;
        for message in 0..3_000 {
            let mut shown = Vec::new();
            for _ in 0..message % 7 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let price = 1_000 + (random % 60) as i64 + message / 50 * sign;
                let qty = if random >> 40 & 1 == 0 { 0 } else { (random >> 20 & 7) as i64 };
                ladder.set(level(price, qty), &mut |level| shown.push(level));
                if qty == 0 {
                    whole.remove(&(sign * price))
                } else {
                    whole.insert(sign * price, qty)
                };
            }
            ladder.refill(false, &mut |level| shown.push(level));
            for level in shown {
                let key = sign * level.price.0;
                if level.qty.0 == 0 {
                    assert!(seen.remove(&key).is_some(), "removed a level that was never shown");
                } else {
                    seen.insert(key, level.qty.0);
                }
                assert!(seen.len() <= 10, "view larger than its limit");
            }
            let best: BTreeMap<i64, i64> =
                whole.iter().rev().take(seen.len()).map(|(&k, &q)| (k, q)).collect();
            assert_eq!(seen, best, "seed {seed}, message {message}");
            assert!(seen.len() >= whole.len().min(5), "view ran short");
            let kept: Vec<_> = ladder.best_first().map(|l| (sign * l.price.0, l.qty.0)).collect();
            assert_eq!(kept, whole.iter().rev().map(|(&k, &q)| (k, q)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_the_engine_sees_is_the_top_of_the_whole_side() {
        for seed in 1..6 {
            check(Side::Buy, seed);
            check(Side::Sell, seed);
        }
    }

    #[test]
    fn levels_beyond_the_snapshot_are_kept_but_never_shown() {
        let mut ladder = Ladder::new(Side::Buy, 64, 4);
        assert!(ladder.load(&[level(10, 1), level(9, 1), level(8, 1)], false));
        let mut shown = Vec::new();
        ladder.refill(true, &mut |level| shown.push(level.price.0));
        ladder.set(level(5, 1), &mut |level| shown.push(level.price.0));
        assert_eq!((shown.as_slice(), ladder.len()), (&[10, 9, 8][..], 4));
        for price in [10, 9, 8] {
            ladder.set(level(price, 0), &mut |_| ());
        }
        ladder.refill(false, &mut |_| panic!("shown across a possible hole"));
        assert!(ladder.is_thin());
    }

    #[test]
    fn a_full_ladder_drops_its_worst_levels_and_says_so() {
        let mut ladder = Ladder::new(Side::Sell, 16, 4);
        for price in 1..=40 {
            ladder.set(level(price, 1), &mut |_| ());
        }
        assert_eq!((ladder.len(), ladder.best().map(|best| best.price.0)), (16, Some(1)));
        for price in (-40..=0).rev() {
            ladder.set(level(price, 1), &mut |_| ());
        }
        assert!(ladder.len() <= 16 && ladder.trimmed() > 40);
        assert_eq!(ladder.best().map(|best| best.price.0), Some(-40));
    }

    #[test]
    fn unsorted_or_empty_snapshot_levels_are_refused() {
        let mut ladder = Ladder::new(Side::Buy, 16, 4);
        assert!(!ladder.load(&[level(9, 1), level(10, 1)], true));
        assert!(!ladder.load(&[level(9, 1), level(9, 1)], true));
        assert!(!ladder.load(&[level(9, 0)], true));
        assert!(ladder.is_empty());
        assert!(ladder.load(&[], true));
    }
}
