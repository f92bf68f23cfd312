//! Price levels in order, the one that price meets first at the end.
//!
//! Zones that wait for price are all on one side of it, and new ones come to be near it. So the level that
//! is reached next is the last one, a new level lies only a few steps from the end, and a bar that reaches
//! nothing costs one comparison.

use alloc::boxed::Box;
use alloc::vec;

/// One level and the slot of its object.
#[derive(Clone, Copy, Default)]
struct Rung {
    key: i64,
    slot: u16,
}

/// Levels with keys ascending; equal keys in the order they came.
pub(super) struct Ladder {
    /// Rungs at `len` and beyond mean nothing.
    rungs: Box<[Rung]>,
    len: usize,
    /// Key of the last level, [`EMPTY`] without one: what most bars need to know, without a look at the rungs.
    last_key: i64,
}

/// A key that no limit is below.
const EMPTY: i64 = i64::MIN;

impl Ladder {
    pub fn new(cap: u16) -> Self {
        Self { rungs: vec![Rung::default(); usize::from(cap)].into_boxed_slice(), len: 0, last_key: EMPTY }
    }

    /// At most `cap` are in at once; the owner sees to it.
    pub fn insert(&mut self, key: i64, slot: u16) {
        let mut at = self.len;
        while at > 0 && self.rungs[at - 1].key > key {
            self.rungs[at] = self.rungs[at - 1];
            at -= 1;
        }
        self.rungs[at] = Rung { key, slot };
        self.len += 1;
        self.find_last();
    }

    /// Whether a level is strictly above `limit`.
    #[inline]
    pub const fn has_above(&self, limit: i64) -> bool {
        limit < self.last_key
    }

    /// Takes out the last level if it is strictly above `limit`.
    pub fn pop_above(&mut self, limit: i64) -> Option<u16> {
        if !self.has_above(limit) {
            return None;
        }
        self.len = self.len.checked_sub(1)?;
        let slot = self.rungs[self.len].slot;
        self.find_last();
        Some(slot)
    }

    fn find_last(&mut self) {
        self.last_key = self.len.checked_sub(1).map_or(EMPTY, |last| self.rungs[last].key);
    }

    /// Takes out one that is in.
    pub fn remove(&mut self, key: i64, slot: u16) {
        let mut at = self.rungs[..self.len].partition_point(|rung| rung.key < key);
        while self.rungs[at].slot != slot {
            at += 1;
        }
        assert!(at < self.len, "a level that is not in was to be removed");
        self.rungs.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.find_last();
    }

    /// Forgets all.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Slots by level, the one that price meets next last.
    pub fn slots(&self) -> impl Iterator<Item = u16> {
        self.rungs[..self.len].iter().map(|rung| rung.slot)
    }

    /// Slot of the level that price meets next.
    pub fn nearest(&self) -> Option<u16> {
        Some(self.rungs[self.len.checked_sub(1)?].slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_leaves_first_and_the_newest_of_equals() {
        let mut ladder = Ladder::new(4);
        for (key, slot) in [(5, 0), (9, 1), (7, 2), (7, 3)] {
            ladder.insert(key, slot);
        }
        ladder.remove(9, 1);
        assert_eq!(ladder.nearest(), Some(3));
        assert_eq!(ladder.pop_above(7), None);
        assert_eq!([ladder.pop_above(6), ladder.pop_above(6), ladder.pop_above(6)], [Some(3), Some(2), None]);
        assert_eq!((ladder.pop_above(4), ladder.pop_above(i64::MIN)), (Some(0), None));
    }
}
