//! One order book topic: snapshots, deltas, and the numbers that hold them together.
//!
//! Pure. A topic remembers what its readers have: the best levels as last sent. A delta is the difference to the
//! best levels now, so a level that moves into the depth is sent whole and one that falls out of it is deleted.

use super::topics::DEPTHS;
use super::words::{Category, Stepped};
use crate::exchange::book::Book;
use smc_core::{Side, TsNs};
use std::fmt::Write;

/// Depth 1 repeats its snapshot after so many nanoseconds without a change.
const REPEAT_NS: u64 = 3_000_000_000;

/// What does not change about a topic.
#[derive(Clone, Copy, Debug)]
pub struct Paper<'a> {
    /// The category decides the order of the keys.
    pub category: Category,
    /// The symbol.
    pub symbol: &'a str,
    /// Price step.
    pub tick: i64,
    /// Quantity step.
    pub lot: i64,
}

/// Levels of one side, best first: price and quantity.
type Levels = Vec<(i64, i64)>;

/// The state of one topic.
#[derive(Clone, Debug)]
pub struct BookTopic {
    /// Index into [`DEPTHS`].
    index: usize,
    bids: Levels,
    asks: Levels,
    /// Number of the last message; 1 would mean that the service has started anew.
    update_id: u64,
    /// The book's own number at the last message.
    seq: u64,
    sent_at: TsNs,
}

impl BookTopic {
    /// A topic whose first message will be `update_id + 1`.
    pub const fn new(index: usize, update_id: u64) -> Self {
        Self { index, bids: Vec::new(), asks: Vec::new(), update_id, seq: 0, sent_at: TsNs(0) }
    }

    fn depth(&self) -> usize {
        DEPTHS.get(self.index).map_or(1, |(depth, _)| *depth)
    }

    /// Number of the message that told its readers of a book as it is now; 0 while none has.
    pub fn number_of(&self, book_id: u64) -> u64 {
        if self.seq == book_id { self.update_id } else { 0 }
    }

    /// Whether a message may be due at a tick of 10 ms.
    pub fn is_tick(&self, tick: u64) -> bool {
        DEPTHS.get(self.index).is_some_and(|(_, every)| tick.is_multiple_of(*every))
    }

    /// The whole book of the topic as its readers have it, for one who joins them. When nobody reads the topic it
    /// is taken afresh.
    pub fn snapshot(
        &mut self,
        paper: Paper<'_>,
        book: &Book,
        is_read: bool,
        changed_at: TsNs,
        now: TsNs,
    ) -> String {
        if !is_read || self.seq == 0 {
            self.update_id += 1;
            self.take(book);
            self.sent_at = now;
        }
        self.message(paper, "snapshot", &self.bids, &self.asks, changed_at, now)
    }

    /// What is due when the book may have changed; none when there is nothing to say.
    pub fn update(&mut self, paper: Paper<'_>, book: &Book, changed_at: TsNs, now: TsNs) -> Option<String> {
        let is_top = self.depth() == 1;
        if self.seq == book.update_id() {
            let is_repeat = is_top && now.since(self.sent_at) >= REPEAT_NS;
            return is_repeat.then(|| {
                self.sent_at = now;
                self.message(paper, "snapshot", &self.bids, &self.asks, changed_at, now)
            });
        }
        let (old_bids, old_asks) = (std::mem::take(&mut self.bids), std::mem::take(&mut self.asks));
        self.take(book);
        if old_bids == self.bids && old_asks == self.asks {
            return None;
        }
        self.update_id += 1;
        self.sent_at = now;
        if is_top {
            return Some(self.message(paper, "snapshot", &self.bids, &self.asks, changed_at, now));
        }
        let bids = difference(&old_bids, &self.bids, Side::Buy);
        let asks = difference(&old_asks, &self.asks, Side::Sell);
        Some(self.message(paper, "delta", &bids, &asks, changed_at, now))
    }

    fn take(&mut self, book: &Book) {
        self.bids = book.levels(Side::Buy).take(self.depth()).collect();
        self.asks = book.levels(Side::Sell).take(self.depth()).collect();
        self.seq = book.update_id();
    }

    fn message(
        &self,
        paper: Paper<'_>,
        kind: &str,
        bids: &[(i64, i64)],
        asks: &[(i64, i64)],
        changed_at: TsNs,
        now: TsNs,
    ) -> String {
        let ts = now.as_ms();
        // The stamp comes first on spot and at depth 1, the type elsewhere: so it is on the wire.
        let head = if paper.category.is_spot() || self.depth() == 1 {
            format!(r#""ts":{ts},"type":"{kind}""#)
        } else {
            format!(r#""type":"{kind}","ts":{ts}"#)
        };
        format!(
            r#"{{"topic":"orderbook.{}.{s}",{head},"data":{{"s":"{s}","b":{},"a":{},"u":{},"seq":{}}},"cts":{}}}"#,
            self.depth(),
            levels_text(bids, paper),
            levels_text(asks, paper),
            self.update_id,
            self.seq,
            changed_at.as_ms(),
            s = paper.symbol,
        )
    }
}

/// The book as a REST request gets it. It shares its numbers with the deepest topic.
pub fn rest_book(paper: Paper<'_>, book: &Book, limit: usize, changed_at: TsNs, now: TsNs) -> String {
    let side = |side| book.levels(side).take(limit).collect::<Levels>();
    format!(
        r#"{{"s":"{}","a":{},"b":{},"ts":{},"u":{},"seq":{},"cts":{}}}"#,
        paper.symbol,
        levels_text(&side(Side::Sell), paper),
        levels_text(&side(Side::Buy), paper),
        now.as_ms(),
        book.update_id(),
        book.update_id(),
        changed_at.as_ms(),
    )
}

/// What turns the old levels into the new ones, best first: a new quantity, or zero for a level that is gone.
fn difference(old: &[(i64, i64)], new: &[(i64, i64)], side: Side) -> Levels {
    let is_better = |a: i64, b: i64| if side == Side::Buy { a > b } else { a < b };
    let (mut old, mut new) = (old.iter().copied().peekable(), new.iter().copied().peekable());
    let mut changes = Levels::new();
    loop {
        match (old.peek().copied(), new.peek().copied()) {
            (None, None) => return changes,
            (Some((price, _)), Some((other, _))) if is_better(price, other) => {
                changes.push((price, 0));
                old.next();
            }
            (Some((price, _)), None) => {
                changes.push((price, 0));
                old.next();
            }
            (Some(before), Some(after)) if before.0 == after.0 => {
                if before.1 != after.1 {
                    changes.push(after);
                }
                old.next();
                new.next();
            }
            (_, Some(after)) => {
                changes.push(after);
                new.next();
            }
        }
    }
}

fn levels_text(levels: &[(i64, i64)], paper: Paper<'_>) -> String {
    let mut text = String::from("[");
    for (index, (price, qty)) in levels.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let price = Stepped { value: *price, step: paper.tick };
        let _ = match qty {
            0 => write!(text, r#"{comma}["{price}","0"]"#),
            _ => write!(text, r#"{comma}["{price}","{}"]"#, Stepped { value: *qty, step: paper.lot }),
        };
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const PAPER: Paper<'static> =
        Paper { category: Category::Linear, symbol: "BTCUSDT", tick: 10_000_000, lot: 100_000 };

    #[test]
    fn a_level_that_moves_into_the_depth_is_sent_and_one_that_falls_out_is_deleted() {
        let old = [(105, 1), (104, 2), (103, 3)];
        let new = [(106, 9), (105, 1), (104, 5)];
        assert_eq!(difference(&old, &new, Side::Buy), [(106, 9), (104, 5), (103, 0)]);
        assert_eq!(difference(&new, &old, Side::Buy), [(106, 0), (104, 2), (103, 3)]);
        assert_eq!(difference(&[(5, 1)], &[], Side::Sell), [(5, 0)]);
    }

    #[test]
    fn the_top_is_sent_whole_and_again_after_three_seconds() {
        let mut book = Book::new(10);
        let mut topic = BookTopic::new(0, 100);
        let at = TsNs::from_ms;
        book.set_background(Side::Buy, 6_304_080_000_000, 332_300_000);
        let first = topic.update(PAPER, &book, at(4), at(5)).unwrap();
        assert_eq!(
            first,
            r#"{"topic":"orderbook.1.BTCUSDT","ts":5,"type":"snapshot","data":{"s":"BTCUSDT","b":[["63040.8","3.323"]],"a":[],"u":101,"seq":11},"cts":4}"#
        );
        assert_eq!(topic.update(PAPER, &book, at(4), at(3_004)), None);
        let again = topic.update(PAPER, &book, at(4), at(3_005)).unwrap();
        assert_eq!(again, first.replace("\"ts\":5,", "\"ts\":3005,"));
        book.set_background(Side::Buy, 6_304_070_000_000, 1);
        assert_eq!(topic.update(PAPER, &book, at(4), at(3_006)), None, "not the top");
    }

    proptest! {
        /// Whoever applies the differences has the levels.
        #[test]
        fn differences_lead_from_each_picture_to_the_next(
            steps in prop::collection::vec(prop::collection::btree_map(1i64..40, 1i64..5, 0..20), 1..20),
            depth in 1usize..8,
        ) {
            let mut held = BTreeMap::new();
            let mut before = Levels::new();
            for step in steps {
                let now: Levels = step.into_iter().rev().take(depth).collect();
                for (price, qty) in difference(&before, &now, Side::Buy) {
                    if qty == 0 { prop_assert!(held.remove(&price).is_some()); } else { held.insert(price, qty); }
                }
                let levels: Levels = held.iter().rev().map(|(price, qty)| (*price, *qty)).collect();
                prop_assert_eq!(&levels, &now);
                before = now;
            }
        }
    }
}
