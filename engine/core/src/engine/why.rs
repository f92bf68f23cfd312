//! What the engine noted down about its last event, so that a replay can say why it did what it did.
//!
//! Plain copies of what the decisions were made from, taken where an order, a cancel or a refusal is made, and only
//! once [`Engine::note_why`](super::Engine::note_why) was called: a live engine takes none. Never read by the engine
//! itself: no output, digest or state depends on it.

use super::bracket::{Motive, Step};
use super::plan::Plan;
use crate::instrument::InstrumentSpec;
use crate::output::Purpose;
use crate::risk::Asked;
use crate::sizing::policy::Stake;
use crate::sizing::{Rate, Size, SizeRequest, size_from_risk};
use crate::strategy::Intent;
use crate::words::{ClientOrderId, InstrumentId, Money, Price, Qty, SCALE};
use alloc::vec::Vec;

/// Sizings, moves and refusals kept of one event, each; what is beyond is not kept.
const NOTES_MAX: usize = 64;

/// Why the last event had the outputs it had. Each list in the order in which things happened.
#[derive(Clone, Copy, Debug)]
pub struct Why<'a> {
    /// Orders that the gate was asked about.
    pub asked: &'a [Asked],
    /// How the quantities of entries came about.
    pub sizings: &'a [Sizing],
    /// Steps that the trades under way took.
    pub moves: &'a [Move],
    /// Entries that the strategy wanted and the engine did not try.
    pub ignored: &'a [Ignored],
}

impl Why<'_> {
    /// Nothing was noted.
    pub(super) const NOTHING: Self = Self { asked: &[], sizings: &[], moves: &[], ignored: &[] };
}

/// How the quantity of one entry came about.
#[derive(Clone, Copy, Debug)]
pub struct Sizing {
    /// The signal it is for.
    pub signal_id: u32,
    /// What the account was worth.
    pub equity: Money,
    /// Share of it that the stop may cost.
    pub risk_fraction: Rate,
    /// Where Kelly's criterion decides that share: from what.
    pub stake: Option<Stake>,
    /// Entry on the tick.
    pub entry: Price,
    /// Stop on the tick.
    pub stop: Price,
    /// Spread then; the stop must be further away.
    pub spread: Price,
    /// Fee of one fill.
    pub fee: Rate,
    /// The venue's rules.
    pub spec: InstrumentSpec,
    /// The largest quantity by each limit, not yet in lots; all there is where a limit is not in use.
    pub caps: [(Cap, Qty); CAPS],
    /// What came out.
    pub size: Size,
}

/// How many limits an entry's quantity has, besides the venue's.
pub const CAPS: usize = 8;

/// What limits an entry's quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// One order must be able to close it: largest quantity of an order.
    OrderQty,
    /// The same: largest value of an order.
    OrderNotional,
    /// Largest part of equity in one entry.
    EquityFraction,
    /// Largest position.
    Position,
    /// What the free balance pays for.
    Balance,
    /// What all open trades and entries may lose at their stops.
    OpenHeat,
    /// The same, for those that move together in this direction.
    ClusterHeat,
    /// The configured quantity, where it is fixed.
    FixedQuantity,
    /// The venue's largest order.
    Venue,
}

impl Sizing {
    /// The quantity that the risk alone would give, in lots.
    pub fn qty_by_risk(&self) -> Qty {
        let request = SizeRequest {
            equity: self.equity,
            risk_fraction: self.risk_fraction,
            entry: self.entry,
            stop: self.stop,
            multiplier: Qty(SCALE),
            fee: self.fee,
            lot: self.spec.lot,
            qty_min: Qty::ZERO,
            qty_max: Qty(i64::MAX),
            notional_min: Money::ZERO,
        };
        size_from_risk(&request).qty
    }

    /// The tightest limit.
    pub fn tightest(&self) -> (Cap, Qty) {
        let venue = (Cap::Venue, self.spec.qty_max);
        self.caps.iter().copied().fold(venue, |least, cap| if cap.1 < least.1 { cap } else { least })
    }
}

/// A step of the trade under way, and what it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// What was done.
    pub step: Step,
    /// Why.
    pub motive: Motive,
    /// The trade's plan.
    pub plan: Option<Plan>,
    /// Why the position is to be closed at the market, if it is.
    pub leaving: Option<Purpose>,
    /// Entry, stop, the stop to take its place, target and exit that may still fill.
    pub legs: [Option<ClientOrderId>; LEGS],
    /// Where the stop belongs; 0 without a trade.
    pub stop: Price,
    /// What the closing order would be; 0 when there is nothing but dust.
    pub held: Qty,
}

/// Orders that one trade may have.
pub const LEGS: usize = 5;

/// An entry that the strategy wanted and the engine did not try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// What was wanted.
    pub intent: Intent,
    /// Why it was not tried.
    pub reason: Ignorance,
}

/// Why an entry was not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignorance {
    /// The bar that caused it ended too long ago.
    Old {
        /// So long.
        age_ns: u64,
        /// So long is allowed.
        age_ns_max: u64,
    },
    /// One trade per instrument: one is under way.
    Busy,
    /// On the tick, entry, stop and target do not lie in order.
    Misordered,
    /// The market was at the stop or the target already.
    Missed,
}

/// Where the notes stand.
pub(super) struct Notes {
    /// The event they are about, by the engine's count.
    event: u64,
    sizings: Vec<Sizing>,
    moves: Vec<Move>,
    ignored: Vec<Ignored>,
}

impl Notes {
    pub(super) fn new() -> Self {
        Self {
            event: 0,
            sizings: Vec::with_capacity(NOTES_MAX),
            moves: Vec::with_capacity(NOTES_MAX),
            ignored: Vec::with_capacity(NOTES_MAX),
        }
    }

    /// Are they about this event?
    pub(super) fn is_of(&self, event: u64) -> bool {
        self.event == event
    }

    /// Forgets what is not about this event.
    pub(super) fn begin(&mut self, event: u64) {
        self.event = event;
        self.sizings.clear();
        self.moves.clear();
        self.ignored.clear();
    }

    pub(super) fn size(&mut self, sizing: Sizing) {
        push(&mut self.sizings, sizing);
    }

    pub(super) fn step(&mut self, step: Move) {
        push(&mut self.moves, step);
    }

    pub(super) fn ignore(&mut self, ignored: Ignored) {
        push(&mut self.ignored, ignored);
    }

    pub(super) fn read<'a>(&'a self, event: u64, asked: &'a [Asked]) -> Why<'a> {
        if !self.is_of(event) {
            return Why::NOTHING;
        }
        Why { asked, sizings: &self.sizings, moves: &self.moves, ignored: &self.ignored }
    }
}

/// Within the capacity taken by the constructor.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < NOTES_MAX {
        list.push(item);
    }
}
