//! What a trading idea sees and says: market structure in, intents out.
//!
//! A strategy implements [`Strategy`] in a few lines; the engine calls it by static dispatch on the engine
//! thread. It never sees an order, a socket or a clock, and cannot send anything: the engine sizes its
//! intents, asks the gate and looks after the bracket. Give it state of fixed size; it must not allocate.
//!
//! A whole idea: in London, buy the first fair value gap after a change of character.
//!
//! ```
//! use smc_core::output::{Structure, StructureKind};
//! use smc_core::strategy::{EntryKind, Intent, Intents, MarketView, Strategy};
//! use smc_core::words::{Direction, Price, Timeframe, TsNs};
//!
//! /// London's place in the calendar of the configuration.
//! const LONDON: usize = 0;
//!
//! #[derive(Default)]
//! struct FirstGap {
//!     /// The change of character that waits for its gap.
//!     turn: Option<u32>,
//! }
//!
//! impl Strategy for FirstGap {
//!     fn on_structure(&mut self, view: &MarketView<'_>, said: &Structure, intents: &mut Intents) {
//!         let Some(smc) = view.structure_of(said.timeframe) else { return };
//!         match (said.kind, said.direction) {
//!             (StructureKind::Choch, Direction::Up) if smc.is_in_session(LONDON) => self.turn = Some(said.id),
//!             (StructureKind::Choch, Direction::Down) => self.turn = None,
//!             (StructureKind::FvgCreated, Direction::Up) => {
//!                 let Some(turn) = self.turn.take() else { return };
//!                 let (entry, stop) = (said.top, Price(said.bottom.0 - smc.atr().0));
//!                 let target = Price(entry.0 + 2 * (entry.0 - stop.0));
//!                 let expires = TsNs(view.now.0 + 10 * said.timeframe.nanos());
//!                 let entry = Intent::enter(Direction::Up, entry, stop, target, EntryKind::Rest, expires);
//!                 intents.push(entry.because(&[turn, said.id]));
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! // An engine with it; the compiler joins the two, nothing is looked up at run time.
//! # fn config() -> smc_core::config::EngineConfig {
//! #     use smc_core::words::{Money, Name, Qty, SCALE};
//! #     let limits = smc_core::risk::Limits {
//! #         strategies_allowed: 1 << 1,
//! #         order_qty_max: Qty(SCALE),
//! #         order_notional_max: Money(SCALE),
//! #         collar_ppm: 20_000,
//! #         collar_passive_ppm: 100_000,
//! #         reference_age_max_ns: 1,
//! #         reference_skew_max_ns: 1,
//! #         position_qty_max: Qty(SCALE),
//! #         open_orders_max: 10,
//! #         duplicate_window_ns: 1,
//! #         repeat_max: 20,
//! #     };
//! #     let account_limits = smc_core::risk::AccountLimits {
//! #         gross_max: Money(SCALE),
//! #         net_max: Money(SCALE),
//! #         leverage_max_milli: 3_000,
//! #         open_orders_max: 50,
//! #         messages_max: 20,
//! #         messages_window_ns: 1_000_000_000,
//! #         runaway_denials_max: 20,
//! #         runaway_window_ns: 1_000_000_000,
//! #         entry_forgiven_after_ns: 1,
//! #         margin_use_ppm_max: 800_000,
//! #         var_ppm_max: None,
//! #         order_lifetime_ns_max: 60_000_000_000,
//! #         clock_offset_ns_max: 500_000_000,
//! #         budget_reserve_ppm: 200_000,
//! #     };
//! #     let symbol = Name::new("EURUSDT").unwrap();
//! #     let instruments = vec![smc_core::config::InstrumentConfig { symbol, venue: 0, bars_from: None, limits }];
//! #     let timeframes = vec![Timeframe::parse("5m").unwrap()];
//! #     let quote = Name::new("USDT").unwrap();
//! #     smc_core::config::EngineConfig::new(quote, instruments, timeframes, account_limits)
//! # }
//! let mut engine = smc_core::Engine::new(config(), FirstGap::default()).unwrap();
//! let mut outbox = smc_core::Outbox::new();
//! # let (seq, ts_event, ts_recv) = (1, TsNs(0), TsNs(0));
//! # let (instrument, body) = (smc_core::InstrumentId(0), smc_core::event::EventBody::Timer);
//! # let event = smc_core::event::Event { seq, ts_event, ts_recv, instrument, body };
//! engine.on_event(&event, &mut outbox); // as events come in; then hand the outbox on
//! ```

mod confluence;
mod manage;
mod params;

pub use confluence::{CONDITIONS, Condition, ConditionKind, Confluence, Look, Measure, Standing};
pub use manage::{BreakEven, Distance, Management, PARTS_MAX, Part, Reach, Trail};
pub use params::{BiasSource, ConfluenceParams, SessionSet, ShiftScope, StopAt};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        /// How the trade is looked after on its way.
        manage: Management,
    },
    /// Cancel the entry and close the position.
    Exit,
}

impl Intent {
    /// An entry that names no reasons yet, with one stop and one target.
    pub const fn enter(
        direction: Direction,
        entry: Price,
        stop: Price,
        target: Price,
        kind: EntryKind,
        expires: TsNs,
    ) -> Self {
        Self::Enter {
            direction,
            entry,
            stop,
            target,
            kind,
            reasons: [0; REASONS_MAX],
            expires,
            manage: Management::PLAIN,
        }
    }

    /// The same, looked after in this way.
    pub const fn managed(mut self, by: Management) -> Self {
        if let Self::Enter { manage, .. } = &mut self {
            *manage = by;
        }
        self
    }

    /// The same with the structures it rests on, at most [`REASONS_MAX`].
    pub fn because(mut self, ids: &[u32]) -> Self {
        if let Self::Enter { reasons, .. } = &mut self {
            for (reason, id) in reasons.iter_mut().zip(ids) {
                *reason = *id;
            }
        }
        self
    }
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
