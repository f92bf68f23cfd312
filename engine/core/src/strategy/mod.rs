//! What a trading idea sees and says: market structure in, intents out.
//!
//! A strategy implements [`Strategy`] in a few lines; the engine calls it by static dispatch on the engine
//! thread. It never sees an order, a socket or a clock, and cannot send anything: the engine sizes its
//! intents, asks the gate and looks after the bracket. Give it state of fixed size; it must not allocate.
//!
//! ```
//! use smc_core::event::Bar;
//! use smc_core::strategy::{Intents, MarketView, Strategy};
//! use smc_core::words::Timeframe;
//!
//! /// Watches, never trades.
//! struct Watcher {
//!     bars: u32,
//! }
//!
//! impl Strategy for Watcher {
//!     fn on_bar(&mut self, _view: &MarketView<'_>, _timeframe: Timeframe, _bar: &Bar, _intents: &mut Intents) {
//!         self.bars += 1;
//!     }
//! }
//! ```

mod confluence;
mod params;

pub use confluence::Confluence;
pub use params::ConfluenceParams;

use crate::book::Book;
use crate::event::{Bar, Quote};
use crate::instrument::InstrumentSpec;
use crate::output::{REASONS_MAX, Structure};
use crate::smc::SmcEngine;
use crate::words::{Direction, InstrumentId, Price, Qty, Timeframe, TsNs};

/// A trading idea. Every method has an empty default: implement what the idea needs.
///
/// Order of calls when a bar closes: `on_structure` for everything that bar made known, then `on_bar`. The
/// view already contains that bar, and nothing later.
pub trait Strategy {
    /// Its number, part of every order id it causes.
    fn number(&self) -> u8 {
        1
    }

    /// A structure came to be, changed or ended.
    fn on_structure(&mut self, view: &MarketView<'_>, structure: &Structure, intents: &mut Intents) {
        let _ = (view, structure, intents);
    }

    /// A bar closed.
    fn on_bar(&mut self, view: &MarketView<'_>, timeframe: Timeframe, bar: &Bar, intents: &mut Intents) {
        let _ = (view, timeframe, bar, intents);
    }

    /// Best bid or ask changed. Called often: a few nanoseconds here are paid on every quote.
    fn on_quote(&mut self, view: &MarketView<'_>, quote: &Quote, intents: &mut Intents) {
        let _ = (view, quote, intents);
    }
}

/// Read access to one instrument's market at one event.
#[derive(Clone, Copy)]
pub struct MarketView<'a> {
    /// Time of the event.
    pub now: TsNs,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The venue's rules, once told.
    pub spec: Option<&'a InstrumentSpec>,
    /// The book.
    pub book: &'a Book,
    /// Signed position; 0 when it is dust that no order could close.
    pub position: Qty,
    /// An entry is working or a position is open: further entries on this instrument will be ignored.
    pub is_engaged: bool,
    /// All timeframes, ascending.
    pub timeframes: &'a [Timeframe],
    /// One structure engine per timeframe, same order.
    pub smc: &'a [SmcEngine],
}

impl<'a> MarketView<'a> {
    /// Market structure of one timeframe; none when it is not configured.
    pub fn structure_of(&self, timeframe: Timeframe) -> Option<&'a SmcEngine> {
        let at = self.timeframes.iter().position(|&t| t == timeframe)?;
        self.smc.get(at)
    }

    /// Market structure of the highest timeframe.
    pub fn structure_of_highest(&self) -> Option<&'a SmcEngine> {
        self.smc.last()
    }
}

/// How an entry goes to the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Limit order that rests at the entry price and takes what crosses it.
    Rest,
    /// Limit order that only makes: refused by the venue if it would take.
    RestMakerOnly,
    /// Takes now what is on offer up to the entry price; the rest is dropped.
    Take,
}

/// What a strategy wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a position with a stop and a target. The engine sizes it.
    Enter {
        /// Long or short.
        direction: Direction,
        /// Entry price; rounded to the tick on the passive side.
        entry: Price,
        /// Where the idea is wrong; rounded to the tick away from the entry.
        stop: Price,
        /// Where it has paid; rounded to the tick towards the entry.
        target: Price,
        /// How the entry goes to the market.
        kind: EntryKind,
        /// Ids of the structures it rests on; 0 marks an unused slot.
        reasons: [u32; REASONS_MAX],
        /// What of the entry has not filled by then is cancelled.
        expires: TsNs,
    },
    /// Cancel the entry and close the position.
    Exit,
}

/// Intents one call may make.
pub const INTENTS_MAX: usize = 4;

/// A strategy's intents, in order, at most [`INTENTS_MAX`]; more are counted and dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Intents {
    slots: [Option<Intent>; INTENTS_MAX],
    len: usize,
    dropped: u32,
}

impl Intents {
    /// Adds one.
    pub fn push(&mut self, intent: Intent) {
        match self.slots.get_mut(self.len) {
            Some(slot) => {
                *slot = Some(intent);
                self.len += 1;
            }
            None => self.dropped += 1,
        }
    }

    /// In the order they were pushed.
    pub fn iter(&self) -> impl Iterator<Item = &Intent> {
        self.slots.iter().take(self.len).flatten()
    }

    /// True when nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many did not fit.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_beyond_the_limit_are_counted() {
        let mut intents = Intents::default();
        for _ in 0..INTENTS_MAX + 3 {
            intents.push(Intent::Exit);
        }
        assert_eq!(intents.iter().count(), INTENTS_MAX);
        assert_eq!(intents.dropped(), 3);
    }
}
