//! One symbol's order book: background quantity and clients' orders in one queue per price.
//!
//! Pure. Each price has one aggregate background quantity, and the clients' orders that rest there in order of
//! time, each with the background quantity that stands ahead of it:
//!
//! ```text
//! background 8      |-- 5 --|A 2|-- 3 --|B 1|          A.ahead = 5, B.ahead = 8
//! front of queue -> 1 2 3 4 5 a a 6 7 8 b
//! ```
//!
//! Invariant: `ahead` never falls from the front of a queue to its end, and never exceeds the background.

use super::order::OrderId;
use smc_core::Side;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One resting order of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// The order.
    pub order: OrderId,
    /// Its account.
    pub account: usize,
    /// Quantity still to fill; more than zero.
    pub leaves: i64,
    /// Background quantity to be taken before it.
    pub ahead: i64,
}

#[derive(Clone, Debug, Default)]
struct Level {
    background: i64,
    queue: VecDeque<Resting>,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.background == 0 && self.queue.is_empty()
    }

    fn visible(&self) -> i64 {
        self.queue.iter().fold(self.background, |sum, resting| sum.saturating_add(resting.leaves))
    }

    /// `qty` of background leaves from the front of the queue.
    fn advance(&mut self, qty: i64) {
        for resting in &mut self.queue {
            resting.ahead = (resting.ahead - qty).max(0);
        }
    }
}

/// A piece of a level: what stands at one place of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Price of the level.
    pub price: i64,
    /// Quantity of the piece.
    pub qty: i64,
    /// The client's order; none for background.
    pub maker: Option<Resting>,
}

#[derive(Clone, Debug, Default)]
struct HalfBook {
    levels: BTreeMap<i64, Level>,
    /// Prices at which clients' orders rest.
    own: BTreeSet<i64>,
}

/// The book.
#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: HalfBook,
    asks: HalfBook,
    /// Number of the last change, as the venue counts them in depth and book ticker messages.
    update_id: u64,
    /// Levels changed since [`Book::take_changes`].
    changes: Vec<(Side, i64)>,
}

impl Book {
    /// An empty book whose first change will be `update_id + 1`.
    pub fn new(update_id: u64) -> Self {
        Self { update_id, ..Self::default() }
    }

    fn half(&self, side: Side) -> &HalfBook {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn half_mut(&mut self, side: Side) -> &mut HalfBook {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Number of the last change.
    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// The levels changed since the last call, oldest first; each raised the update id by one.
    pub fn take_changes(&mut self) -> Vec<(Side, i64)> {
        std::mem::take(&mut self.changes)
    }

    /// Best price and its visible quantity.
    pub fn best(&self, side: Side) -> Option<(i64, i64)> {
        self.levels(side).next()
    }

    /// Visible levels, best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = (i64, i64)> + '_> {
        let levels = self.half(side).levels.iter().map(|(price, level)| (*price, level.visible()));
        match side {
            Side::Buy => Box::new(levels.rev()),
            Side::Sell => Box::new(levels),
        }
    }

    /// Visible quantity at a price.
    pub fn visible(&self, side: Side, price: i64) -> i64 {
        self.half(side).levels.get(&price).map_or(0, Level::visible)
    }

    /// Background quantity at a price.
    pub fn background(&self, side: Side, price: i64) -> i64 {
        self.half(side).levels.get(&price).map_or(0, |level| level.background)
    }

    /// Best price with background quantity.
    pub fn best_background(&self, side: Side) -> Option<(i64, i64)> {
        let with_background =
            |(price, level): (&i64, &Level)| (level.background > 0).then_some((*price, level.background));
        let levels = self.half(side).levels.iter();
        match side {
            Side::Buy => levels.rev().find_map(with_background),
            Side::Sell => levels.into_iter().find_map(with_background),
        }
    }

    /// The clients' order that is first at the best price where any rests.
    pub fn best_own(&self, side: Side) -> Option<(i64, Resting)> {
        let half = self.half(side);
        let price = match side {
            Side::Buy => half.own.last()?,
            Side::Sell => half.own.first()?,
        };
        Some((*price, *half.levels.get(price)?.queue.front()?))
    }

    /// The clients' orders at one price, first in the queue first.
    pub fn queue(&self, side: Side, price: i64) -> impl Iterator<Item = Resting> + '_ {
        self.half(side).levels.get(&price).into_iter().flat_map(|level| level.queue.iter().copied())
    }

    /// The first piece of the best level.
    pub fn front(&self, side: Side) -> Option<Slice> {
        self.slices(side).next()
    }

    /// All pieces in the order in which an aggressor takes them.
    pub fn slices(&self, side: Side) -> Box<dyn Iterator<Item = Slice> + '_> {
        let levels = self.half(side).levels.iter();
        match side {
            Side::Buy => Box::new(levels.rev().flat_map(level_slices)),
            Side::Sell => Box::new(levels.flat_map(level_slices)),
        }
    }

    /// The background quantity of a level becomes `qty`; nobody keeps more ahead of it than that.
    pub fn set_background(&mut self, side: Side, price: i64, qty: i64) {
        let level = self.half_mut(side).levels.entry(price).or_default();
        let is_change = level.background != qty;
        level.background = qty;
        for resting in &mut level.queue {
            resting.ahead = resting.ahead.min(qty);
        }
        self.drop_if_empty(side, price);
        if is_change {
            self.touch(side, price);
        }
    }

    /// An aggressor takes `qty` background from the front of a level's queue.
    pub fn take_background(&mut self, side: Side, price: i64, qty: i64) {
        if let Some(level) = self.half_mut(side).levels.get_mut(&price) {
            level.background = (level.background - qty).max(0);
            level.advance(qty);
        }
        self.drop_if_empty(side, price);
        self.touch(side, price);
    }

    /// `qty` background went from the front of the queue, by a trade whose level the source sets itself.
    pub fn advance_queue(&mut self, side: Side, price: i64, qty: i64) {
        if let Some(level) = self.half_mut(side).levels.get_mut(&price) {
            level.advance(qty);
        }
    }

    /// A client's order joins the end of its level's queue.
    pub fn rest(&mut self, side: Side, price: i64, order: OrderId, account: usize, leaves: i64) {
        assert!(leaves > 0, "rests nothing");
        let half = self.half_mut(side);
        let level = half.levels.entry(price).or_default();
        level.queue.push_back(Resting { order, account, leaves, ahead: level.background });
        half.own.insert(price);
        self.touch(side, price);
    }

    /// A client's resting order loses `qty`; it leaves the queue when nothing is left.
    pub fn reduce(&mut self, side: Side, price: i64, order: OrderId, qty: i64) {
        let half = self.half_mut(side);
        let Some(level) = half.levels.get_mut(&price) else { return };
        let Some(at) = level.queue.iter().position(|resting| resting.order == order) else { return };
        let Some(resting) = level.queue.get_mut(at) else { return };
        assert!(resting.leaves >= qty, "takes more than rests");
        resting.leaves -= qty;
        if resting.leaves == 0 {
            level.queue.remove(at);
            if level.queue.is_empty() {
                half.own.remove(&price);
            }
        }
        self.drop_if_empty(side, price);
        self.touch(side, price);
    }

    /// Counts a change of a level even when its quantity stays: the venue may repeat a level.
    pub fn touch(&mut self, side: Side, price: i64) {
        self.update_id += 1;
        self.changes.push((side, price));
    }

    fn drop_if_empty(&mut self, side: Side, price: i64) {
        let half = self.half_mut(side);
        if half.levels.get(&price).is_some_and(Level::is_empty) {
            half.levels.remove(&price);
        }
    }
}

fn level_slices<'a>((price, level): (&'a i64, &'a Level)) -> impl Iterator<Item = Slice> + 'a {
    let mut taken = 0;
    let mut queue = level.queue.iter();
    let mut pending: Option<Resting> = None;
    let mut is_tail_done = false;
    std::iter::from_fn(move || {
        if let Some(resting) = pending.take() {
            return Some(Slice { price: *price, qty: resting.leaves, maker: Some(resting) });
        }
        match queue.next() {
            Some(resting) if resting.ahead > taken => {
                let qty = resting.ahead - taken;
                taken = resting.ahead;
                pending = Some(*resting);
                Some(Slice { price: *price, qty, maker: None })
            }
            Some(resting) => Some(Slice { price: *price, qty: resting.leaves, maker: Some(*resting) }),
            None if !is_tail_done && level.background > taken => {
                is_tail_done = true;
                Some(Slice { price: *price, qty: level.background - taken, maker: None })
            }
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(price: i64, qty: i64, order: Option<OrderId>) -> (i64, i64, Option<OrderId>) {
        (price, qty, order)
    }

    fn all(book: &Book, side: Side) -> Vec<(i64, i64, Option<OrderId>)> {
        book.slices(side).map(|s| (s.price, s.qty, s.maker.map(|m| m.order))).collect()
    }

    #[test]
    fn clients_orders_stand_behind_the_background_that_was_there_before() {
        let mut book = Book::new(0);
        book.set_background(Side::Buy, 100, 5);
        book.rest(Side::Buy, 100, 1, 0, 2);
        book.set_background(Side::Buy, 100, 8);
        book.rest(Side::Buy, 100, 2, 0, 1);
        book.set_background(Side::Buy, 100, 9);
        let expected = [
            slice(100, 5, None),
            slice(100, 2, Some(1)),
            slice(100, 3, None),
            slice(100, 1, Some(2)),
            slice(100, 1, None),
        ];
        assert_eq!(all(&book, Side::Buy), expected);
        assert_eq!(book.best(Side::Buy), Some((100, 12)));
        assert_eq!(book.update_id(), 5);
    }

    #[test]
    fn a_shrinking_level_lets_orders_move_up() {
        let mut book = Book::new(0);
        book.set_background(Side::Sell, 100, 5);
        book.rest(Side::Sell, 100, 1, 0, 2);
        book.set_background(Side::Sell, 100, 3);
        assert_eq!(all(&book, Side::Sell), [slice(100, 3, None), slice(100, 2, Some(1))]);
        book.set_background(Side::Sell, 100, 7);
        assert_eq!(
            all(&book, Side::Sell),
            [slice(100, 3, None), slice(100, 2, Some(1)), slice(100, 4, None)]
        );
        book.take_background(Side::Sell, 100, 3);
        assert_eq!(all(&book, Side::Sell), [slice(100, 2, Some(1)), slice(100, 4, None)]);
    }

    #[test]
    fn empty_levels_leave() {
        let mut book = Book::new(0);
        book.rest(Side::Sell, 100, 1, 0, 2);
        book.reduce(Side::Sell, 100, 1, 2);
        assert_eq!(book.best(Side::Sell), None);
        assert_eq!(book.best_own(Side::Sell), None);
        assert_eq!(book.take_changes(), [(Side::Sell, 100), (Side::Sell, 100)]);
    }
}
