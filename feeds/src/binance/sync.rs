//! Keeping one book in step with the venue: snapshot, buffered deltas, the chain of update ids.
//!
//! Pure: no socket, no clock; the caller brings deltas and snapshots and is told when a new snapshot is
//! needed. After the constructor nothing allocates. Deltas are buffered until a snapshot is there. The venue's
//! two rules (book documents; spot's corrected 2025-11-12), told apart by whether a delta names the one before it:
//!
//! * Spot counts without holes. Deltas with `u <= id` are dropped; the first that is left must satisfy
//!   `U <= id + 1 <= u`; later an `U > id + 1` is a gap. A snapshot whose id is `U - 1` of the first delta is complete
//!   as well.
//! * Futures count with holes, and `pu` names the delta before. Deltas with `u < id` are dropped; the first that is
//!   left must satisfy `U <= id <= u`, or follow on the snapshot itself (`pu = id`); later a `pu` other than the last
//!   `u` is a gap. Only a delta that ends before the book does is taken for a repetition.
//!
//! A crossed book, reversed ids, a price or quantity that cannot be: the book is invalid, nothing of it is
//! shown any more, and the caller asks for a snapshot.

use smc_core::event::{BookUpdate, Level, Quote};
use smc_core::words::{Price, Side};

use super::buffer::DeltaBuffer;
use crate::chunks::Chunks;
use crate::ladder::Ladder;

/// Sizes of one book, all taken at start.
#[derive(Clone, Copy, Debug)]
pub struct BookLimits {
    /// Levels a side that are kept.
    pub ladder_levels_max: usize,
    /// Best levels a side that the engine sees.
    pub view_levels_max: usize,
    /// Deltas buffered while no snapshot is there.
    pub buffer_deltas_max: usize,
    /// Levels in all of them together.
    pub buffer_levels_max: usize,
    /// Whether the best bid and ask message must agree with the book where both have the same id.
    pub verify_top: bool,
}

impl Default for BookLimits {
    fn default() -> Self {
        Self {
            ladder_levels_max: 8_192,
            view_levels_max: 100,
            buffer_deltas_max: 1_024,
            buffer_levels_max: 65_536,
            verify_top: true,
        }
    }
}

/// A depth message: absolute quantities, updates `first_id` to `last_id`.
#[derive(Clone, Copy, Debug)]
pub struct Delta<'a> {
    /// `U`.
    pub first_id: u64,
    /// `u`.
    pub last_id: u64,
    /// `pu`: the last update of the delta before it. None on spot, where ids have no holes.
    pub previous_id: Option<u64>,
    /// Changed bids.
    pub bids: &'a [Level],
    /// Changed asks.
    pub asks: &'a [Level],
}

impl Delta<'_> {
    /// Follows on a book, or on another delta, that ends with `id`.
    pub(super) fn follows(&self, id: u64) -> bool {
        self.previous_id.map_or(self.first_id <= id.saturating_add(1), |previous| previous == id)
    }

    /// Follows on a snapshot numbered `id`, as the first delta applied to it.
    fn follows_snapshot(&self, id: u64) -> bool {
        self.follows(id) || self.previous_id.is_some() && self.first_id <= id && id <= self.last_id
    }

    /// Holds nothing that a snapshot numbered `id` does not hold.
    fn is_in_snapshot(&self, id: u64) -> bool {
        if self.previous_id.is_some() { self.last_id < id } else { self.last_id <= id }
    }

    /// The id that had to come and the one that came.
    fn gap(&self, id: u64) -> Fault {
        match self.previous_id {
            Some(previous) => Fault::Gap { expected: id, got: previous },
            None => Fault::Gap { expected: id.saturating_add(1), got: self.first_id },
        }
    }
}

/// Why a book cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Updates are missing.
    Gap {
        /// The id that had to come.
        expected: u64,
        /// The id that came.
        got: u64,
    },
    /// `U` is larger than `u`.
    IdsReversed {
        /// `U`.
        first: u64,
        /// `u`.
        last: u64,
    },
    /// The best bid is not below the best ask.
    Crossed {
        /// Best bid.
        bid: Price,
        /// Best ask.
        ask: Price,
    },
    /// A negative quantity or a price that is not positive.
    BadLevel(Level),
    /// Snapshot levels out of order.
    Unsorted,
    /// The best bid and ask message with the book's own id says something else.
    TopDiffers {
        /// The id both have.
        update_id: u64,
    },
    /// No room to buffer: the snapshot took too long.
    BufferFull,
    /// The market has left the part of the book that the snapshot told.
    Thin,
    /// Messages come, but for long only such as repeat the past: the venue's ids have gone back.
    Repeats,
}

/// What a delta did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Kept until a snapshot comes.
    Buffered,
    /// Already contained in the book: ignored.
    Old,
    /// Applied and shown.
    Applied,
    /// The book is invalid from now on; a snapshot is needed.
    Broken(Fault),
}

/// What a snapshot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotStep {
    /// The book is in step and shown.
    Live {
        /// Buffered deltas applied on top.
        applied: u32,
        /// Buffered deltas that the snapshot already contained.
        dropped: u32,
    },
    /// Older than the first buffered delta: ask again, nothing was applied.
    TooOld {
        /// The snapshot's id.
        snapshot: u64,
        /// `U` of the first buffered delta.
        first: u64,
    },
    /// Snapshot or buffered deltas are bad: ask again.
    Broken(Fault),
}

/// What a best bid and ask message is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteStep {
    /// Not older than the book.
    Fresh,
    /// Older than the book: ignore it, or the top would move back.
    Old,
    /// It contradicts the book at the same id: the book is invalid from now on.
    Broken(Fault),
}

/// One instrument's book.
pub struct BookSync {
    bids: Ladder,
    asks: Ladder,
    /// Last update contained. Means something only while `is_live`.
    id: u64,
    is_live: bool,
    /// No delta was applied since the snapshot.
    is_fresh: bool,
    buffer: DeltaBuffer,
    /// The newest best bid and ask message.
    quote: Option<Quote>,
    tops_confirmed: u64,
    verify_top: bool,
}

impl BookSync {
    /// Takes all memory it will ever use.
    pub fn new(limits: &BookLimits) -> Self {
        Self {
            bids: Ladder::new(Side::Buy, limits.ladder_levels_max, limits.view_levels_max),
            asks: Ladder::new(Side::Sell, limits.ladder_levels_max, limits.view_levels_max),
            id: 0,
            is_live: false,
            is_fresh: false,
            buffer: DeltaBuffer::new(limits.buffer_deltas_max, limits.buffer_levels_max),
            quote: None,
            tops_confirmed: 0,
            verify_top: limits.verify_top,
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

    /// Throws away book and buffer: the connection is new.
    pub fn reset(&mut self) {
        self.is_live = false;
        self.bids.clear();
        self.asks.clear();
        self.buffer.clear();
        self.quote = None;
    }

    /// Takes one depth message. `show` gets what the engine may see; on `Broken` the last of it was not
    /// marked `is_last`, so that a half message is never trusted.
    pub fn on_delta(&mut self, delta: &Delta<'_>, show: &mut impl FnMut(BookUpdate)) -> Step {
        if let Err(fault) = sound(delta) {
            self.reset();
            return Step::Broken(fault);
        }
        if !self.is_live {
            return match self.buffer.push(delta) {
                true => Step::Buffered,
                false => Step::Broken(Fault::BufferFull),
            };
        }
        if self.is_fresh && delta.is_in_snapshot(self.id) || !self.is_fresh && delta.last_id <= self.id {
            return Step::Old;
        }
        if !self.joins(delta) {
            let fault = delta.gap(self.id);
            self.reset();
            // What came after the gap is where the next snapshot has to reach.
            self.buffer.push(delta);
            return Step::Broken(fault);
        }
        self.id = delta.last_id;
        self.is_fresh = false;
        let mut chunks = Chunks::new(delta.last_id, false);
        apply(&mut self.bids, Side::Buy, delta.bids, &mut chunks, show);
        apply(&mut self.asks, Side::Sell, delta.asks, &mut chunks, show);
        let fault = self.crossed().or_else(|| self.thin()).or_else(|| self.top_fault());
        if let Some(fault) = fault {
            self.reset();
            return Step::Broken(fault);
        }
        chunks.finish(show);
        Step::Applied
    }

    /// Takes a snapshot, best levels first. `limit` is the depth that was asked for: fewer levels are all.
    pub fn on_snapshot(
        &mut self,
        id: u64,
        bids: &[Level],
        asks: &[Level],
        limit: usize,
        show: &mut impl FnMut(BookUpdate),
    ) -> SnapshotStep {
        if let Some(first) = self.buffer.get(0)
            && !first.is_in_snapshot(id)
            && !first.follows_snapshot(id)
        {
            return SnapshotStep::TooOld { snapshot: id, first: first.first_id };
        }
        self.is_live = false;
        self.is_fresh = true;
        self.id = id;
        if !self.bids.load(bids, bids.len() < limit) || !self.asks.load(asks, asks.len() < limit) {
            self.reset();
            return SnapshotStep::Broken(Fault::Unsorted);
        }
        let replayed = self.replay_buffer();
        let (applied, dropped) = match replayed {
            Ok(counts) => counts,
            Err(fault) => {
                self.reset();
                return SnapshotStep::Broken(fault);
            }
        };
        if let Some(fault) = self.top_fault() {
            self.reset();
            return SnapshotStep::Broken(fault);
        }
        self.buffer.clear();
        self.is_live = true;
        self.show_all(show);
        SnapshotStep::Live { applied, dropped }
    }

    /// Takes a best bid and ask message. Its ids are the book's, and at equal ids the tops must be equal.
    /// It mostly comes before the delta that reaches its id, so the last one is kept for that moment.
    pub fn on_quote(&mut self, quote: &Quote) -> QuoteStep {
        if self.is_live && quote.update_id < self.id {
            return QuoteStep::Old;
        }
        self.quote = Some(*quote);
        if self.is_live
            && let Some(fault) = self.top_fault()
        {
            self.reset();
            return QuoteStep::Broken(fault);
        }
        QuoteStep::Fresh
    }

    /// How often a best bid and ask message confirmed the book.
    pub const fn tops_confirmed(&self) -> u64 {
        self.tops_confirmed
    }

    fn top_fault(&mut self) -> Option<Fault> {
        let quote = self.quote.filter(|quote| self.verify_top && quote.update_id == self.id)?;
        let top = |ladder: &Ladder| ladder.best().unwrap_or_default();
        let is_same = top(&self.bids) == Level { price: quote.bid, qty: quote.bid_qty }
            && top(&self.asks) == Level { price: quote.ask, qty: quote.ask_qty };
        if !is_same {
            return Some(Fault::TopDiffers { update_id: self.id });
        }
        self.tops_confirmed += 1;
        None
    }

    /// Applies what was buffered, unseen by the engine; it gets the result as one snapshot.
    fn replay_buffer(&mut self) -> Result<(u32, u32), Fault> {
        let (mut applied, mut dropped) = (0, 0);
        if let Some(fault) = self.crossed() {
            return Err(fault);
        }
        for at in 0..self.buffer.len() {
            let Some(delta) = self.buffer.get(at) else { break };
            if self.is_fresh && delta.is_in_snapshot(self.id) {
                dropped += 1;
                continue;
            }
            let (id, is_fresh) = (self.id, self.is_fresh);
            if is_fresh && !delta.follows_snapshot(id) || !is_fresh && !delta.follows(id) {
                return Err(delta.gap(id));
            }
            self.id = delta.last_id;
            self.is_fresh = false;
            for level in delta.bids {
                self.bids.set(*level, &mut |_| ());
            }
            for level in delta.asks {
                self.asks.set(*level, &mut |_| ());
            }
            applied += 1;
            let (bid, ask) = (self.bids.best(), self.asks.best());
            if let Some(fault) = crossed(bid, ask) {
                return Err(fault);
            }
        }
        Ok((applied, dropped))
    }

    fn show_all(&mut self, show: &mut impl FnMut(BookUpdate)) {
        let mut chunks = Chunks::new(self.id, true);
        for (ladder, side) in [(&mut self.bids, Side::Buy), (&mut self.asks, Side::Sell)] {
            ladder.hide_all();
            ladder.refill(true, &mut |level| chunks.add(side, level, show));
        }
        chunks.finish(show);
    }

    fn joins(&self, delta: &Delta<'_>) -> bool {
        if self.is_fresh { delta.follows_snapshot(self.id) } else { delta.follows(self.id) }
    }

    fn crossed(&self) -> Option<Fault> {
        crossed(self.bids.best(), self.asks.best())
    }

    fn thin(&self) -> Option<Fault> {
        (self.bids.is_thin() || self.asks.is_thin()).then_some(Fault::Thin)
    }
}

#[inline]
fn apply(
    ladder: &mut Ladder,
    side: Side,
    levels: &[Level],
    chunks: &mut Chunks,
    show: &mut impl FnMut(BookUpdate),
) {
    for level in levels {
        ladder.set(*level, &mut |seen| chunks.add(side, seen, show));
    }
    ladder.refill(false, &mut |seen| chunks.add(side, seen, show));
}

fn crossed(bid: Option<Level>, ask: Option<Level>) -> Option<Fault> {
    match (bid, ask) {
        (Some(bid), Some(ask)) if bid.price >= ask.price => {
            Some(Fault::Crossed { bid: bid.price, ask: ask.price })
        }
        _ => None,
    }
}

fn sound(delta: &Delta<'_>) -> Result<(), Fault> {
    if delta.first_id > delta.last_id {
        return Err(Fault::IdsReversed { first: delta.first_id, last: delta.last_id });
    }
    match delta.bids.iter().chain(delta.asks).find(|level| level.price.0 <= 0 || level.qty.0 < 0) {
        Some(level) => Err(Fault::BadLevel(*level)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::words::Qty;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn delta<'a>(ids: (u64, u64), bids: &'a [Level], asks: &'a [Level]) -> Delta<'a> {
        Delta { first_id: ids.0, last_id: ids.1, previous_id: None, bids, asks }
    }

    fn live_book() -> BookSync {
        let mut book = BookSync::new(&BookLimits::default());
        let step = book.on_snapshot(100, &[level(10, 1)], &[level(12, 1)], 1_000, &mut |_| ());
        assert_eq!(step, SnapshotStep::Live { applied: 0, dropped: 0 });
        book
    }

    fn check(ids: (u64, u64), bids: &[Level], asks: &[Level], expected: Step) {
        let mut book = live_book();
        let step = book.on_delta(&delta(ids, bids, asks), &mut |_| ());
        assert_eq!(step, expected);
        assert_eq!(book.is_live(), matches!(step, Step::Applied | Step::Old));
    }

    #[test]
    fn the_chain_of_ids_decides() {
        check((101, 101), &[level(11, 1)], &[], Step::Applied);
        check((99, 103), &[level(11, 1)], &[], Step::Applied);
        check((90, 100), &[level(13, 1)], &[], Step::Old);
        check((102, 103), &[], &[], Step::Broken(Fault::Gap { expected: 101, got: 102 }));
        check((105, 101), &[], &[], Step::Broken(Fault::IdsReversed { first: 105, last: 101 }));
    }

    /// Futures: a snapshot numbered 100, then deltas `(U, u, pu)`, each with what must become of it.
    fn check_linked(deltas: &[((u64, u64, u64), Step)]) {
        let mut book = live_book();
        for &((first_id, last_id, previous), expected) in deltas {
            let delta = Delta { previous_id: Some(previous), ..delta((first_id, last_id), &[], &[]) };
            assert_eq!(book.on_delta(&delta, &mut |_| ()), expected, "{first_id} {last_id} {previous}");
        }
    }

    #[test]
    fn where_ids_have_holes_each_delta_names_the_one_before() {
        let gap = |expected, got| Step::Broken(Fault::Gap { expected, got });
        check_linked(&[((90, 99, 80), Step::Old), ((95, 104, 94), Step::Applied)]);
        // The last update of the first one may be the snapshot itself; all of it is applied.
        check_linked(&[((98, 100, 97), Step::Applied), ((130, 140, 100), Step::Applied)]);
        // Nothing happened between snapshot and delta.
        check_linked(&[((120, 125, 100), Step::Applied), ((90, 99, 80), Step::Old)]);
        check_linked(&[((101, 125, 99), gap(100, 99))]);
        // Contiguous by number, and yet one is missing.
        check_linked(&[((95, 104, 94), Step::Applied), ((105, 110, 103), gap(104, 103))]);
        check_linked(&[((95, 104, 94), Step::Applied), ((95, 104, 94), Step::Old)]);
    }

    #[test]
    fn a_snapshot_must_reach_the_first_buffered_linked_delta() {
        let linked = |ids, previous| Delta { previous_id: Some(previous), ..delta(ids, &[], &[]) };
        let outcome = |id| {
            let mut book = BookSync::new(&BookLimits::default());
            let show = &mut |_| ();
            for (ids, previous) in [((104, 105), 99), ((111, 115), 105)] {
                assert_eq!(book.on_delta(&linked(ids, previous), show), Step::Buffered);
            }
            book.on_snapshot(id, &[level(10, 1)], &[level(12, 1)], 1_000, show)
        };
        let live = |applied, dropped| SnapshotStep::Live { applied, dropped };
        assert_eq!(outcome(98), SnapshotStep::TooOld { snapshot: 98, first: 104 });
        assert_eq!(outcome(100), SnapshotStep::TooOld { snapshot: 100, first: 104 });
        assert_eq!([outcome(99), outcome(104), outcome(105)], [live(2, 0), live(2, 0), live(2, 0)]);
        assert_eq!([outcome(112), outcome(115), outcome(120)], [live(1, 1), live(1, 1), live(0, 2)]);
        // Between the first two ids of the chain nothing happened, and yet no delta tells of 108.
        assert!(matches!(outcome(108), SnapshotStep::Broken(Fault::Gap { .. })));
    }

    #[test]
    fn an_impossible_book_is_invalid() {
        let crossed = Fault::Crossed { bid: Price(12), ask: Price(12) };
        check((101, 101), &[level(12, 1)], &[], Step::Broken(crossed));
        let negative = level(9, -1);
        check((101, 101), &[negative], &[], Step::Broken(Fault::BadLevel(negative)));
        let worthless = level(0, 1);
        check((101, 101), &[], &[worthless], Step::Broken(Fault::BadLevel(worthless)));
        // Crossed for a moment inside one message is fine: only its end counts.
        check((101, 101), &[level(12, 1)], &[level(12, 0), level(13, 2)], Step::Applied);
    }

    #[test]
    fn a_broken_message_never_ends_for_the_engine() {
        let mut book = live_book();
        let mut shown = Vec::new();
        let step = book.on_delta(&delta((101, 101), &[level(12, 1)], &[]), &mut |update| shown.push(update));
        assert!(matches!(step, Step::Broken(_)));
        assert!(shown.iter().all(|update| !update.is_last));
    }

    #[test]
    fn a_snapshot_must_reach_the_first_buffered_delta() {
        let mut book = BookSync::new(&BookLimits::default());
        let show = &mut |_| ();
        for ids in [(101, 105), (106, 110)] {
            assert_eq!(book.on_delta(&delta(ids, &[level(9, 2)], &[]), show), Step::Buffered);
        }
        let (bids, asks) = ([level(10, 1)], [level(12, 1)]);
        let too_old = SnapshotStep::TooOld { snapshot: 99, first: 101 };
        assert_eq!(book.on_snapshot(99, &bids, &asks, 1_000, show), too_old);
        assert!(!book.is_live());
        let live = SnapshotStep::Live { applied: 1, dropped: 1 };
        assert_eq!(book.on_snapshot(105, &bids, &asks, 1_000, show), live);
        assert_eq!(book.id(), Some(110));
        assert_eq!(book.bids().len(), 2);
    }

    #[test]
    fn a_hole_among_buffered_deltas_needs_a_snapshot_behind_it() {
        let mut book = BookSync::new(&BookLimits::default());
        let show = &mut |_| ();
        for ids in [(101, 105), (108, 110)] {
            assert_eq!(book.on_delta(&delta(ids, &[], &[]), show), Step::Buffered);
        }
        let too_old = SnapshotStep::TooOld { snapshot: 104, first: 108 };
        assert_eq!(book.on_snapshot(104, &[], &[], 1_000, show), too_old);
        let live = SnapshotStep::Live { applied: 1, dropped: 0 };
        assert_eq!(book.on_snapshot(107, &[], &[], 1_000, show), live);
    }

    #[test]
    fn the_buffer_has_an_end() {
        let mut book = BookSync::new(&BookLimits { buffer_deltas_max: 2, ..BookLimits::default() });
        let show = &mut |_| ();
        assert_eq!(book.on_delta(&delta((1, 1), &[], &[]), show), Step::Buffered);
        assert_eq!(book.on_delta(&delta((2, 2), &[], &[]), show), Step::Buffered);
        assert_eq!(book.on_delta(&delta((3, 3), &[], &[]), show), Step::Broken(Fault::BufferFull));
        assert_eq!(book.on_delta(&delta((4, 4), &[], &[]), show), Step::Buffered);
    }

    #[test]
    fn events_hold_four_levels_of_one_side_and_mark_both_ends() {
        let mut book = BookSync::new(&BookLimits::default());
        let bids: Vec<_> = (1..=6).rev().map(|price| level(price, 1)).collect();
        let asks: Vec<_> = (10..=11).map(|price| level(price, 1)).collect();
        let mut shown = Vec::new();
        book.on_snapshot(7, &bids, &asks, 1_000, &mut |update| shown.push(update));
        let ends: Vec<_> = shown.iter().map(|u| (u.side, u.len, u.is_snapshot_start, u.is_last)).collect();
        assert_eq!(
            ends,
            [(Side::Buy, 4, true, false), (Side::Buy, 2, false, false), (Side::Sell, 2, false, true)]
        );
        assert_eq!(shown[1].levels[2..], [Level::default(); 2]);
        shown.clear();
        // Nothing visible changed, and the engine still hears of it.
        book.on_delta(&delta((8, 8), &[], &[]), &mut |update| shown.push(update));
        assert_eq!((shown.len(), shown[0].len, shown[0].is_last), (1, 0, true));
    }

    #[test]
    fn a_top_that_differs_at_the_same_id_is_a_fault() {
        let quote = |update_id, bid_qty| Quote {
            bid: Price(10),
            bid_qty: Qty(bid_qty),
            ask: Price(12),
            ask_qty: Qty(1),
            update_id,
        };
        let differs = |update_id| Fault::TopDiffers { update_id };
        let mut book = live_book();
        assert_eq!(book.on_quote(&quote(100, 1)), QuoteStep::Fresh);
        assert_eq!(book.on_quote(&quote(99, 7)), QuoteStep::Old);
        assert_eq!(book.tops_confirmed(), 1);
        assert_eq!(book.on_quote(&quote(100, 2)), QuoteStep::Broken(differs(100)));
        assert!(!book.is_live());
        // The quote comes first, the delta that reaches its id later.
        let mut book = live_book();
        assert_eq!(book.on_quote(&quote(101, 2)), QuoteStep::Fresh);
        let step = book.on_delta(&delta((101, 101), &[level(10, 3)], &[]), &mut |_| ());
        assert_eq!(step, Step::Broken(differs(101)));
    }
}
