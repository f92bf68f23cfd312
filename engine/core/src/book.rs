//! One instrument's book: best bid and ask, a ladder of depth, and the reference price risk is measured against.
//!
//! Pure. Runs on the engine thread for every market-data event; no allocation after the constructor.
//! Trusted only while the feed says `Live`, both sides are there, and they do not cross; never guesses.
//! Two sources are joined by the venue's book number: the quote stream (fast) and the depth stream (deep);
//! the newer one names the best prices.

use crate::event::{BookUpdate, FeedState, Level, Quote, Trade};
use crate::state::{State, StateError, StateIo};
use crate::words::{Price, Side, TsNs};
use alloc::vec::Vec;

/// Levels kept a side; the deepest falls out.
pub const LADDER_LEVELS_MAX: usize = 256;

/// A price to measure against, and when we saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Mid of the book (rounded down to 1e-8), or the last trade's price.
    pub price: Price,
    /// Our receive time of what it was made of.
    pub ts: TsNs,
}

/// Highest bid and lowest ask, each with its quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// Best bid.
    pub bid: Level,
    /// Best ask.
    pub ask: Level,
}

impl Top {
    /// Ask minus bid; not positive when locked or crossed.
    pub const fn spread(&self) -> Price {
        Price(self.ask.price.0.saturating_sub(self.bid.price.0))
    }

    /// Positive prices that neither touch nor cross.
    const fn is_sound(&self) -> bool {
        0 < self.bid.price.0 && self.bid.price.0 < self.ask.price.0
    }

    /// Half way, rounded down.
    const fn mid(&self) -> Price {
        Price(self.bid.price.0 + (self.ask.price.0 - self.bid.price.0) / 2)
    }
}

/// The book of one instrument.
pub struct Book {
    feed: FeedState,
    bids: Ladder,
    asks: Ladder,
    /// Number of the last message applied to the ladders.
    ladder_update_id: u64,
    /// False between the first and the last event of a message: half-applied levels name no best price.
    is_ladder_whole: bool,
    quote: Option<Quote>,
    last_trade: Option<Reference>,
    last_trusted: Option<Reference>,
    /// Last price known at all, kept over disconnects: values positions, never permits orders.
    mark: Price,
}

impl Default for Book {
    fn default() -> Self {
        Self::new()
    }
}

impl Book {
    /// An empty, untrusted book.
    pub fn new() -> Self {
        Self {
            feed: FeedState::Down,
            bids: Ladder::new(Side::Buy),
            asks: Ladder::new(Side::Sell),
            ladder_update_id: 0,
            is_ladder_whole: false,
            quote: None,
            last_trade: None,
            last_trusted: None,
            mark: Price::ZERO,
        }
    }

    /// Takes a best bid and ask; one older than the last is ignored.
    pub fn on_quote(&mut self, quote: &Quote, ts: TsNs) {
        if self.quote.is_some_and(|last| quote.update_id < last.update_id) {
            return;
        }
        self.quote = Some(*quote);
        self.refresh(ts);
    }

    /// Takes up to four absolute levels.
    pub fn on_update(&mut self, update: &BookUpdate, ts: TsNs) {
        if update.is_snapshot_start {
            self.bids.clear();
            self.asks.clear();
        }
        let ladder = match update.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        for level in update.levels.iter().take(usize::from(update.len)) {
            ladder.set(*level);
        }
        self.ladder_update_id = update.update_id;
        self.is_ladder_whole = update.is_last;
        if update.is_last {
            self.refresh(ts);
        }
    }

    /// Takes the feed's state. Losing the feed empties the book: stale levels never meet new ones.
    pub fn on_feed(&mut self, feed: FeedState, ts: TsNs) {
        let before = core::mem::replace(&mut self.feed, feed);
        match feed {
            FeedState::Down | FeedState::Syncing if before != feed => self.clear(),
            // What came while synchronising counts from now on; what lay still while stale is still old.
            FeedState::Live if before != feed && before != FeedState::Stale => self.refresh(ts),
            _ => {}
        }
    }

    /// Takes a public trade.
    pub fn on_trade(&mut self, trade: &Trade, ts: TsNs) {
        if trade.price > Price::ZERO {
            self.last_trade = Some(Reference { price: trade.price, ts });
            if self.last_trusted.is_none() {
                self.mark = trade.price;
            }
        }
    }

    /// Live, both sides there, not crossed.
    pub fn is_trusted(&self) -> bool {
        self.feed == FeedState::Live && self.top().is_some_and(|top| top.is_sound())
    }

    /// The price orders are measured against: mid of the last trusted book, else the last trade.
    /// None unless the feed is live, whatever was known before.
    pub fn reference(&self) -> Option<Reference> {
        match self.feed {
            FeedState::Live => self.last_trusted.or(self.last_trade),
            _ => None,
        }
    }

    /// Last price known, however old and through disconnects; 0 before the first. For valuing positions only.
    pub fn mark(&self) -> Price {
        self.mark
    }

    /// Best bid and ask by the newer of quote and ladder. Says nothing about trust.
    pub fn top(&self) -> Option<Top> {
        match &self.quote {
            Some(quote) if quote.update_id >= self.ladder_update_id || !self.is_ladder_whole => Some(Top {
                bid: Level { price: quote.bid, qty: quote.bid_qty },
                ask: Level { price: quote.ask, qty: quote.ask_qty },
            }),
            _ if self.is_ladder_whole => Some(Top { bid: self.bids.best()?, ask: self.asks.best()? }),
            _ => None,
        }
    }

    /// Best bid of a trusted book.
    pub fn best_bid(&self) -> Option<Level> {
        self.trusted_top().map(|top| top.bid)
    }

    /// Best ask of a trusted book.
    pub fn best_ask(&self) -> Option<Level> {
        self.trusted_top().map(|top| top.ask)
    }

    /// Ask minus bid of a trusted book.
    pub fn spread(&self) -> Option<Price> {
        self.trusted_top().map(|top| top.spread())
    }

    /// Best bid and ask, only while trusted.
    pub fn trusted_top(&self) -> Option<Top> {
        self.top().filter(|top| self.feed == FeedState::Live && top.is_sound())
    }

    /// The ladder's levels of one side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> {
        match side {
            Side::Buy => self.bids.levels.iter().rev().copied(),
            Side::Sell => self.asks.levels.iter().rev().copied(),
        }
    }

    /// What the feed said last.
    pub fn feed(&self) -> FeedState {
        self.feed
    }

    /// The last public trade.
    pub fn last_trade(&self) -> Option<Reference> {
        self.last_trade
    }

    fn refresh(&mut self, ts: TsNs) {
        if let Some(top) = self.trusted_top() {
            let price = top.mid();
            self.last_trusted = Some(Reference { price, ts });
            self.mark = price;
        }
    }

    #[cold]
    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
        self.ladder_update_id = 0;
        self.is_ladder_whole = false;
        self.quote = None;
        self.last_trusted = None;
        self.last_trade = None;
    }
}

/// One side's levels, **best last**: most changes happen near the best price, so few levels move.
struct Ladder {
    side: Side,
    /// Invariant: strictly better from one to the next, no zero quantity, at most [`LADDER_LEVELS_MAX`].
    levels: Vec<Level>,
}

impl Ladder {
    fn new(side: Side) -> Self {
        Self { side, levels: Vec::with_capacity(LADDER_LEVELS_MAX) }
    }

    fn clear(&mut self) {
        self.levels.clear();
    }

    fn best(&self) -> Option<Level> {
        self.levels.last().copied()
    }

    /// Sets the quantity at a price; 0 (or less) removes the level.
    fn set(&mut self, level: Level) {
        let at = match self.side {
            Side::Buy => self.levels.partition_point(|l| l.price < level.price),
            Side::Sell => self.levels.partition_point(|l| l.price > level.price),
        };
        let is_there = self.levels.get(at).is_some_and(|l| l.price == level.price);
        if level.qty.0 <= 0 {
            if is_there {
                self.levels.remove(at);
            }
        } else if is_there {
            if let Some(slot) = self.levels.get_mut(at) {
                *slot = level;
            }
        } else {
            self.insert(at, level);
        }
    }

    fn insert(&mut self, at: usize, level: Level) {
        if self.levels.len() < LADDER_LEVELS_MAX {
            self.levels.insert(at, level);
        } else if at > 0 {
            // Full: the deepest, at the front, falls out and everything below `at` moves down one.
            self.levels.copy_within(1..at, 0);
            if let Some(slot) = self.levels.get_mut(at - 1) {
                *slot = level;
            }
        }
    }
}

impl Book {
    /// `now` is the time of the last event.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self {
            feed,
            bids,
            asks,
            ladder_update_id,
            is_ladder_whole,
            quote,
            last_trade,
            last_trusted,
            mark,
        } = self;
        io.choice(feed, &FeedState::ALL)?;
        bids.state(io)?;
        asks.state(io)?;
        io.number(ladder_update_id)?;
        io.flag(is_ladder_whole)?;
        io.option(quote, || Quote::BLANK, |io, quote| quote.state(io))?;
        for reference in [&mut *last_trade, &mut *last_trusted] {
            let blank = Reference { price: Price::ZERO, ts: TsNs(0) };
            io.option(reference, || blank, |io, reference| reference.state(io, now))?;
        }
        io.unsigned(&mut mark.0)?;
        // The mark is the newest of what is known; losing the feed leaves the mark alone.
        let known = last_trusted.or(*last_trade);
        io.sound(known.is_none_or(|known| known.price == *mark))?;
        io.sound(last_trusted.is_none() || matches!(feed, FeedState::Stale | FeedState::Live))
    }
}

impl Reference {
    fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { price, ts } = self;
        io.number(price)?;
        io.past(ts, now)?;
        io.sound(*price > Price::ZERO)
    }
}

impl Ladder {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { side, levels } = self;
        io.list(levels, LADDER_LEVELS_MAX, Level::default, |io, level| {
            level.state(io)?;
            io.sound(level.qty.0 > 0)
        })?;
        let is_ordered = levels.is_sorted_by(|worse, better| match side {
            Side::Buy => worse.price < better.price,
            Side::Sell => worse.price > better.price,
        });
        io.sound(is_ordered)
    }
}
