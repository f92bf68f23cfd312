//! Keeping one book in step with the venue: an image at any time, then changes numbered without a hole.
//!
//! Pure: no socket, no clock; after the constructor nothing allocates. The venue's rule (v5 documentation,
//! "Orderbook"): an image replaces the book whenever it comes; a message with `u` = 1 is an image, because the
//! venue's service has restarted; quantity 0 deletes, deleting an unknown price is harmless; only the best levels up
//! to the topic's depth are kept, because the venue does not tell what happens deeper. That `u` grows by exactly one
//! is measured, not promised; a hole costs one new subscription and nothing else.

use smc_core::event::{BookUpdate, Level};
use smc_core::words::{Price, Side};

use crate::chunks::Chunks;
use crate::ladder::Ladder;

/// One message of a book topic.
#[derive(Clone, Copy, Debug)]
pub struct BookMessage<'a> {
    /// A full image.
    pub is_snapshot: bool,
    /// `u`.
    pub update_id: u64,
    /// Bids.
    pub bids: &'a [Level],
    /// Asks.
    pub asks: &'a [Level],
}

/// Why a book cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Updates are missing.
    Gap {
        /// The number that had to come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// The best bid is not below the best ask.
    Crossed {
        /// Best bid.
        bid: Price,
        /// Best ask.
        ask: Price,
    },
    /// A price or quantity that cannot be.
    BadLevel(Level),
    /// The image's levels are out of order.
    Unsorted,
}

/// What a message did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The book is this image now, and shown.
    Loaded,
    /// Applied and shown.
    Applied,
    /// Already contained in the book: ignored.
    Old,
    /// A change without an image before it: ignored.
    Waiting,
    /// The book is invalid from now on; its topic must be subscribed again.
    Broken(Fault),
}

/// One instrument's book over one connection.
pub struct BookSync {
    bids: Ladder,
    asks: Ladder,
    depth: usize,
    /// Last update contained. Means something only while `is_live`.
    id: u64,
    is_live: bool,
}

impl BookSync {
    /// Takes all memory it will ever use: for a topic of `depth` levels a side, of which the engine sees the best
    /// `view_levels_max`.
    pub fn new(depth: u16, view_levels_max: usize) -> Self {
        let depth = usize::from(depth).max(1);
        // A message may bring a whole new book before the old one is cut off.
        let capacity = depth * 2 + super::decode::LEVELS_MAX.min(depth * 2);
        let view = view_levels_max.min(depth);
        Self {
            bids: Ladder::new(Side::Buy, capacity, view),
            asks: Ladder::new(Side::Sell, capacity, view),
            depth,
            id: 0,
            is_live: false,
        }
    }

    /// Whether the book is in step with the venue.
    pub const fn is_live(&self) -> bool {
        self.is_live
    }

    /// The book's number; none while out of step.
    pub const fn id(&self) -> Option<u64> {
        if self.is_live { Some(self.id) } else { None }
    }

    /// Bids; not to be trusted unless live.
    pub const fn bids(&self) -> &Ladder {
        &self.bids
    }

    /// Asks; not to be trusted unless live.
    pub const fn asks(&self) -> &Ladder {
        &self.asks
    }

    /// Throws the book away: the connection or the subscription is new.
    pub fn reset(&mut self) {
        self.is_live = false;
        self.bids.clear();
        self.asks.clear();
    }

    /// Takes one message. `show` gets what the engine may see; on `Broken` the last of it was not marked `is_last`,
    /// so that a half message is never trusted.
    pub fn on_message(&mut self, message: &BookMessage<'_>, show: &mut impl FnMut(BookUpdate)) -> Step {
        if message.is_snapshot || message.update_id == 1 {
            return self.load(message, show);
        }
        if !self.is_live {
            return Step::Waiting;
        }
        if message.update_id <= self.id {
            return Step::Old;
        }
        let expected = self.id.saturating_add(1);
        if message.update_id != expected {
            return self.broken(Fault::Gap { expected, got: message.update_id });
        }
        let is_bad = |level: &&Level| level.price.0 <= 0 || level.qty.0 < 0;
        if let Some(bad) = message.bids.iter().chain(message.asks).find(is_bad) {
            return self.broken(Fault::BadLevel(*bad));
        }
        self.id = message.update_id;
        let mut chunks = Chunks::new(self.id, false);
        for (ladder, side, levels) in
            [(&mut self.bids, Side::Buy, message.bids), (&mut self.asks, Side::Sell, message.asks)]
        {
            for level in levels {
                ladder.set(*level, &mut |seen| chunks.add(side, seen, show));
            }
            ladder.keep_best(self.depth);
            ladder.refill(false, &mut |seen| chunks.add(side, seen, show));
        }
        if let Some(fault) = self.crossed() {
            return self.broken(fault);
        }
        chunks.finish(show);
        Step::Applied
    }

    /// Shows the whole view as an image: another connection's book takes this one's place.
    pub fn show_all(&mut self, show: &mut impl FnMut(BookUpdate)) {
        let mut chunks = Chunks::new(self.id, true);
        for (ladder, side) in [(&mut self.bids, Side::Buy), (&mut self.asks, Side::Sell)] {
            ladder.hide_all();
            ladder.refill(true, &mut |level| chunks.add(side, level, show));
        }
        chunks.finish(show);
    }

    fn load(&mut self, message: &BookMessage<'_>, show: &mut impl FnMut(BookUpdate)) -> Step {
        self.id = message.update_id;
        // The venue tells all that happens inside this depth: nothing is missing from what we keep.
        let is_sorted = self.bids.load(message.bids, true) && self.asks.load(message.asks, true);
        if !is_sorted {
            return self.broken(Fault::Unsorted);
        }
        self.bids.keep_best(self.depth);
        self.asks.keep_best(self.depth);
        if let Some(fault) = self.crossed() {
            return self.broken(fault);
        }
        self.is_live = true;
        self.show_all(show);
        Step::Loaded
    }

    #[cold]
    fn broken(&mut self, fault: Fault) -> Step {
        self.reset();
        Step::Broken(fault)
    }

    fn crossed(&self) -> Option<Fault> {
        match (self.bids.best(), self.asks.best()) {
            (Some(bid), Some(ask)) if bid.price >= ask.price => {
                Some(Fault::Crossed { bid: bid.price, ask: ask.price })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::words::Qty;
    use std::collections::BTreeMap;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn message<'a>(u: u64, is_snapshot: bool, bids: &'a [Level], asks: &'a [Level]) -> BookMessage<'a> {
        BookMessage { is_snapshot, update_id: u, bids, asks }
    }

    fn live() -> BookSync {
        let mut book = BookSync::new(50, 10);
        let image = (&[level(10, 1), level(9, 2)][..], &[level(12, 1)][..]);
        assert_eq!(book.on_message(&message(100, true, image.0, image.1), &mut |_| ()), Step::Loaded);
        book
    }

    fn check(u: u64, bids: &[Level], asks: &[Level], expected: Step) {
        let mut book = live();
        let mut is_ended = false;
        let step = book.on_message(&message(u, false, bids, asks), &mut |update| is_ended |= update.is_last);
        assert_eq!(step, expected);
        let is_good = !matches!(step, Step::Broken(_));
        assert_eq!(book.is_live(), is_good);
        assert_eq!(is_ended, matches!(step, Step::Applied | Step::Loaded), "a broken message never ends");
    }

    #[test]
    fn numbers_grow_by_one_or_the_book_starts_again() {
        check(101, &[level(11, 1)], &[], Step::Applied);
        check(100, &[level(11, 1)], &[], Step::Old);
        check(57, &[level(11, 1)], &[], Step::Old);
        check(102, &[], &[], Step::Broken(Fault::Gap { expected: 101, got: 102 }));
        check(1, &[level(5, 1)], &[level(6, 1)], Step::Loaded);
        let mut book = BookSync::new(50, 10);
        assert_eq!(book.on_message(&message(7, false, &[], &[]), &mut |_| ()), Step::Waiting);
    }

    #[test]
    fn an_impossible_book_is_invalid() {
        check(101, &[level(12, 1)], &[], Step::Broken(Fault::Crossed { bid: Price(12), ask: Price(12) }));
        check(101, &[level(9, -1)], &[], Step::Broken(Fault::BadLevel(level(9, -1))));
        // Crossed for a moment inside one message is fine: only its end counts.
        check(101, &[level(12, 1)], &[level(12, 0), level(13, 2)], Step::Applied);
        let mut book = live();
        let unsorted = [level(9, 1), level(10, 1)];
        let step = book.on_message(&message(3, true, &unsorted, &[]), &mut |_| ());
        assert_eq!((step, book.is_live()), (Step::Broken(Fault::Unsorted), false));
    }

    #[test]
    fn an_image_after_the_first_replaces_everything() {
        let mut book = live();
        let step = book.on_message(&message(40, true, &[level(3, 1)], &[level(4, 1)]), &mut |_| ());
        assert_eq!(step, Step::Loaded);
        assert_eq!((book.bids().len(), book.asks().len(), book.id()), (1, 1, Some(40)));
    }

    /// The twin: a plain map that is told everything and cut to the depth after each message. What the engine was
    /// shown always equals the top of it.
    #[test]
    fn the_book_is_the_best_levels_of_a_plain_map() {
        const DEPTH: usize = 20;
        for seed in 1..8u64 {
            let (mut book, mut map) = (BookSync::new(DEPTH as u16, 10), BTreeMap::<i64, i64>::new());
            let mut seen = BTreeMap::<i64, i64>::new();
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            for u in 1..2_000u64 {
                let mut levels = Vec::new();
                for _ in 0..u % 9 {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    levels.push(level(1_000 + (random % 80) as i64, (random >> 30 & 3) as i64));
                }
                if u == 1 {
                    levels.clear();
                }
                let mut show = |update: BookUpdate| {
                    if update.is_snapshot_start {
                        seen.clear();
                    }
                    for level in update.levels.iter().take(update.len.into()) {
                        match level.qty.0 {
                            0 => drop(seen.remove(&level.price.0)),
                            qty => drop(seen.insert(level.price.0, qty)),
                        }
                    }
                };
                book.on_message(&message(u, u == 1, &levels, &[]), &mut show);
                for level in &levels {
                    match level.qty.0 {
                        0 => drop(map.remove(&level.price.0)),
                        qty => drop(map.insert(level.price.0, qty)),
                    }
                }
                while map.len() > DEPTH {
                    map.pop_first();
                }
                let kept: Vec<_> = book.bids().best_first().map(|l| (l.price.0, l.qty.0)).collect();
                assert_eq!(
                    kept,
                    map.iter().rev().map(|(&p, &q)| (p, q)).collect::<Vec<_>>(),
                    "seed {seed} u {u}"
                );
                let top: BTreeMap<_, _> = map.iter().rev().take(seen.len()).map(|(&p, &q)| (p, q)).collect();
                assert_eq!(seen, top, "seed {seed} u {u}");
                assert!(seen.len() >= map.len().min(5));
            }
        }
    }
}
