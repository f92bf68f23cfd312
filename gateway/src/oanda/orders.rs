//! The orders the gateway still has to hear something about.
//!
//! The core keeps the orders of record; this holds only what is needed to find out what became of an order when a
//! connection or an answer is lost, and which trade an order closes.

use super::message::Kind;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};

/// Orders under way and working at once.
const ORDERS_MAX: usize = 512;
/// Finished orders remembered, so that an older word does not bring them back.
const DONE_MAX: usize = 2_048;
/// Open trades known.
const TRADES_MAX: usize = 1_024;
/// Orders of other hands whose instrument is remembered.
const FOREIGN_MAX: usize = 256;

/// What we know of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub id: ClientOrderId,
    pub instrument: InstrumentId,
    /// The venue's id; 0 while it is not known.
    pub venue_id: u64,
    /// Asked for; 0 while it is not known.
    pub qty: Qty,
    /// Sum of the fills handed on.
    pub reported: Qty,
    /// Asked for by the engine, of an order from before; 0 where it is not known. The venue speaks of the part that is
    /// left: an order that fills in part goes on under another number.
    pub asked: Qty,
    /// What the parts before the one that the venue speaks of have filled, of an order from before.
    pub filled_before: Qty,
    /// When the order left, or when we began to care.
    pub sent: TsNs,
    pub phase: Phase,
    /// The trade it closes, and how.
    pub trade: Option<(Kind, u64)>,
    /// It fills at once or not at all.
    pub is_immediate: bool,
    /// Stop and target come with its fill.
    pub has_stop: bool,
    pub has_target: bool,
    /// The engine was told that it works.
    pub is_acked: bool,
    /// It was made before this process, or before what the venue still lists.
    pub is_from_before: bool,
    /// The engine held it for over before this process: that it was made and how it ended is not told again.
    pub is_closed: bool,
    /// A cancel was sent and its outcome is unknown.
    pub is_cancel_lost: bool,
    /// The engine was told that the order's state is unknown, and nothing since.
    pub is_doubt_told: bool,
    /// Not asked before this moment.
    pub ask_at: TsNs,
    /// Questions asked since the order became doubtful.
    pub asks: u32,
    /// A question is under way.
    pub is_asked: bool,
    /// The venue last answered a question about it that was asked at this moment.
    pub answered: TsNs,
    /// The venue did not know it when it was asked at this moment, late enough to mean something.
    pub absent: Option<TsNs>,
    /// Something in a list could not be read while it was looked for.
    pub is_clouded: bool,
    /// The transaction that ended it and is still to be read; 0 for none.
    pub proof: u64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sent, not answered.
    Placing,
    /// The venue has it.
    Live,
    /// Its state is in doubt: ask.
    InDoubt,
}

impl Order {
    pub const fn new(id: ClientOrderId, instrument: InstrumentId, sent: TsNs, phase: Phase) -> Self {
        Self {
            id,
            instrument,
            venue_id: 0,
            qty: Qty::ZERO,
            reported: Qty::ZERO,
            asked: Qty::ZERO,
            filled_before: Qty::ZERO,
            sent,
            phase,
            trade: None,
            is_immediate: false,
            has_stop: false,
            has_target: false,
            is_acked: false,
            is_from_before: false,
            is_closed: false,
            is_cancel_lost: false,
            is_doubt_told: false,
            ask_at: sent,
            asks: 0,
            is_asked: false,
            answered: TsNs(0),
            absent: None,
            is_clouded: false,
            proof: 0,
        }
    }

    /// What it was when it ended, if it did: it goes on, or is told of again.
    pub fn after(self, done: Option<Done>) -> Self {
        match done {
            None => self,
            Some(Done { qty, reported, is_recalled, .. }) => {
                Self { qty, reported, is_closed: is_recalled, ..self }
            }
        }
    }

    /// The venue speaks of a part of it that asks for so much.
    pub fn note_part(&mut self, part: Qty) {
        if self.asked > Qty::ZERO {
            self.filled_before = Qty(self.asked.0.saturating_sub(part.0).max(0));
        }
    }

    /// Puts it in doubt, to be asked about from `at` on.
    pub const fn doubt(&mut self, at: TsNs) {
        self.phase = Phase::InDoubt;
        self.ask_at = at;
        self.asks = 0;
        self.absent = None;
    }
}

/// An order that has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    id: ClientOrderId,
    /// The transaction that ended it; 0 where none did.
    pub by: u64,
    /// Asked for, and told of it.
    pub qty: Qty,
    pub reported: Qty,
    /// Its end came before we had heard of it, and has been told to nobody.
    is_untold: bool,
    /// Its end was told by a process before us.
    pub is_recalled: bool,
}

impl Done {
    const fn new(id: ClientOrderId, by: u64) -> Self {
        Self { id, by, qty: Qty::ZERO, reported: Qty::ZERO, is_untold: false, is_recalled: false }
    }
}

/// An open trade: orders that close one name no instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenTrade {
    pub id: u64,
    pub instrument: InstrumentId,
    /// Signed, as last told.
    pub units: Qty,
    /// Our order that opened it; [`ClientOrderId::NONE`] where it is not known.
    pub opened_by: ClientOrderId,
    /// What that order will have filled in the end, as far as it is known; 0 where it is not. The engine takes stop and
    /// target for as large.
    pub entry_qty: Qty,
}

/// The table.
pub(super) struct Orders {
    live: Vec<Order>,
    /// The orders that finished last.
    done: Vec<Done>,
    done_next: usize,
    trades: Vec<OpenTrade>,
    foreign: Vec<(u64, InstrumentId)>,
}

impl Orders {
    pub fn new() -> Self {
        Self {
            live: Vec::with_capacity(ORDERS_MAX),
            done: vec![Done::new(ClientOrderId::NONE, 0); DONE_MAX],
            done_next: 0,
            trades: Vec::with_capacity(TRADES_MAX),
            foreign: Vec::with_capacity(FOREIGN_MAX),
        }
    }

    pub fn is_full(&self) -> bool {
        self.live.len() >= ORDERS_MAX
    }

    /// Keeps an order; false when the table is full.
    pub fn insert(&mut self, order: Order) -> bool {
        let has_room = !self.is_full();
        if has_room {
            self.live.push(order);
        }
        has_room
    }

    pub fn get(&mut self, id: ClientOrderId) -> Option<&mut Order> {
        self.live.iter_mut().find(|order| order.id == id)
    }

    /// Ours with this id of the venue's.
    pub fn named(&self, venue_id: u64) -> Option<ClientOrderId> {
        self.live.iter().find(|order| venue_id != 0 && order.venue_id == venue_id).map(|order| order.id)
    }

    /// Forgets an order that is finished, by this transaction.
    pub fn finish(&mut self, id: ClientOrderId, by: u64) {
        let mut done = Done::new(id, by);
        if let Some(at) = self.live.iter().position(|order| order.id == id) {
            let order = self.live.swap_remove(at);
            (done.qty, done.reported, done.is_recalled) = (order.qty, order.reported, order.is_closed);
        }
        self.remember(done);
    }

    /// Remembers an order that ended before this process: it may go on under its name.
    pub fn recall(&mut self, id: ClientOrderId, qty: Qty, reported: Qty) {
        self.remember(Done { qty, reported, is_recalled: true, ..Done::new(id, 0) });
    }

    /// Notes the end of an order that nobody has told us of yet.
    pub fn finish_untold(&mut self, id: ClientOrderId, by: u64) {
        self.remember(Done { is_untold: true, ..Done::new(id, by) });
    }

    /// Whether the end of an order is still to be told; it counts as told from now on.
    pub fn take_untold(&mut self, id: ClientOrderId) -> bool {
        self.done_mut(id).is_some_and(|done| std::mem::take(&mut done.is_untold))
    }

    fn remember(&mut self, done: Done) {
        if let Some(slot) = self.done.get_mut(self.done_next % DONE_MAX) {
            *slot = done;
        }
        self.done_next = self.done_next.wrapping_add(1);
    }

    /// How it ended, for the orders that finished last; the last end where it had several.
    pub fn done(&self, id: ClientOrderId) -> Option<Done> {
        self.done.iter().filter(|done| done.id == id).max_by_key(|done| done.by).copied()
    }

    /// The same, to be changed.
    pub fn done_mut(&mut self, id: ClientOrderId) -> Option<&mut Done> {
        self.done.iter_mut().filter(|done| done.id == id).max_by_key(|done| done.by)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.live.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.live.iter_mut()
    }

    /// Remembers an open trade; the oldest one leaves when there is no room.
    pub fn note_trade(&mut self, trade: OpenTrade) {
        if let Some(known) = self.trades.iter_mut().find(|known| known.id == trade.id) {
            known.units = trade.units;
            // A list of trades does not say whose they are.
            if known.opened_by == ClientOrderId::NONE {
                (known.opened_by, known.entry_qty) = (trade.opened_by, trade.entry_qty);
            }
            return;
        }
        if self.trades.len() >= TRADES_MAX {
            self.trades.remove(0);
        }
        self.trades.push(trade);
    }

    /// Forgets the trades that are not in this list.
    pub fn keep_trades(&mut self, is_open: impl Fn(u64) -> bool) {
        self.trades.retain(|trade| is_open(trade.id));
    }

    pub fn trade(&self, id: u64) -> Option<OpenTrade> {
        self.trades.iter().find(|trade| trade.id == id).copied()
    }

    /// Remembers another hand's order.
    pub fn note_foreign(&mut self, venue_id: u64, instrument: InstrumentId) {
        if self.foreign.iter().any(|(known, _)| *known == venue_id) {
            return;
        }
        if self.foreign.len() >= FOREIGN_MAX {
            self.foreign.remove(0);
        }
        self.foreign.push((venue_id, instrument));
    }

    /// The instrument of another hand's order.
    pub fn foreign(&self, venue_id: u64) -> Option<InstrumentId> {
        self.foreign.iter().find(|(known, _)| *known == venue_id).map(|(_, instrument)| *instrument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_limit_and_remembers_what_ended_an_order() {
        let mut orders = Orders::new();
        let order = |n: u64| Order::new(ClientOrderId(n), InstrumentId(0), TsNs(n), Phase::Placing);
        assert!((1..=ORDERS_MAX as u64).all(|n| orders.insert(order(n))));
        assert!(!orders.insert(order(9_999)));
        orders.finish(ClientOrderId(5), 70);
        assert!(orders.get(ClientOrderId(5)).is_none());
        let ended_by = |n: u64| orders.done(ClientOrderId(n)).map(|done| done.by);
        assert_eq!((ended_by(5), ended_by(6)), (Some(70), None));
        assert!(orders.insert(order(9_999)));
    }
}
