//! The orders the gateway still has to hear something about.
//!
//! Fixed size, no allocation after start. This is not the engine's order book of record (the core keeps that);
//! it holds only what is needed to find out what became of an order when a connection or an answer is lost.

use super::message::OrderStatus;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};

/// Orders under way and working at once.
pub(super) const ORDERS_MAX: usize = 512;

/// Finished orders remembered, so that an older list of open orders does not bring them back.
const DONE_MAX: usize = 64;

/// What we know of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub id: ClientOrderId,
    pub instrument: InstrumentId,
    /// 0 until the venue told it.
    pub venue_id: u64,
    /// Sum of the fills handed on.
    pub reported: Qty,
    /// When the order left, or when we began to care.
    pub sent: TsNs,
    pub phase: Phase,
    /// Fills were given up: `reported` counts more than was handed on.
    pub is_short: bool,
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
    /// Trades below this number were read; none before the first page.
    pub trades_from: Option<u64>,
    /// Quantity in the pages read so far.
    pub trades_sum: Qty,
    /// Connection on which the venue last answered a question about it.
    pub answered_on: u64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sent, not answered.
    Placing,
    /// The venue has it.
    Live,
    /// Its state is in doubt: ask `order.status`.
    InDoubt,
    /// Fills are missing: ask `myTrades`.
    MissingFills {
        /// What the venue says was filled in total.
        executed: Qty,
        /// The final state to tell once the fills are complete; none while it is working.
        then: Option<OrderStatus>,
    },
}

impl Order {
    pub const fn new(id: ClientOrderId, instrument: InstrumentId, sent: TsNs, phase: Phase) -> Self {
        Self {
            id,
            instrument,
            venue_id: 0,
            reported: Qty::ZERO,
            sent,
            phase,
            is_short: false,
            is_cancel_lost: false,
            is_doubt_told: false,
            ask_at: sent,
            asks: 0,
            is_asked: false,
            trades_from: None,
            trades_sum: Qty::ZERO,
            answered_on: 0,
        }
    }

    /// True while the venue has to be asked about it.
    pub const fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::InDoubt | Phase::MissingFills { .. })
    }

    /// Puts it in doubt, to be asked from `at` on.
    pub fn doubt(&mut self, phase: Phase, at: TsNs) {
        self.phase = phase;
        self.ask_at = at;
        self.asks = 0;
        self.is_asked = false;
        (self.trades_from, self.trades_sum) = (None, Qty::ZERO);
    }
}

/// An order that is finished.
#[derive(Clone, Copy, Debug)]
struct Done {
    id: ClientOrderId,
    now: TsNs,
    instrument: InstrumentId,
    venue_id: u64,
}

impl Done {
    const NONE: Self =
        Self { id: ClientOrderId::NONE, now: TsNs(0), instrument: InstrumentId::NONE, venue_id: 0 };
}

/// The table.
pub(super) struct Orders {
    live: Vec<Order>,
    /// The orders that finished last.
    done: [Done; DONE_MAX],
    done_next: usize,
}

impl Orders {
    pub fn new() -> Self {
        Self { live: Vec::with_capacity(ORDERS_MAX), done: [Done::NONE; DONE_MAX], done_next: 0 }
    }

    pub fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Orders that can still be kept.
    pub fn room(&self) -> usize {
        ORDERS_MAX.saturating_sub(self.live.len())
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

    /// Forgets an order that is finished.
    pub fn finish(&mut self, id: ClientOrderId, now: TsNs) {
        let at = self.live.iter().position(|order| order.id == id);
        let order = at.map(|at| self.live.swap_remove(at));
        let (instrument, venue_id) =
            order.map_or((InstrumentId::NONE, 0), |order| (order.instrument, order.venue_id));
        if let Some(slot) = self.done.get_mut(self.done_next % DONE_MAX) {
            *slot = Done { id, now, instrument, venue_id };
        }
        self.done_next = self.done_next.wrapping_add(1);
    }

    /// Forgets an order that the venue has not taken and that is to be sent once more.
    pub fn forget(&mut self, id: ClientOrderId) {
        self.live.retain(|order| order.id != id);
    }

    /// True for the last orders that finished, if they did so at `since` or later.
    pub fn is_done(&self, id: ClientOrderId, since: TsNs) -> bool {
        self.done.iter().any(|done| done.id == id && done.now >= since)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.live.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.live.iter_mut()
    }

    /// Our id of the order that the venue names so: of a working one, or of one that finished lately.
    pub fn id_of(&self, instrument: InstrumentId, venue_id: u64) -> Option<ClientOrderId> {
        let is_it = |order: &&Order| order.venue_id == venue_id && order.instrument == instrument;
        let done =
            || self.done.iter().find(|done| done.venue_id == venue_id && done.instrument == instrument);
        if venue_id == 0 {
            return None;
        }
        self.live.iter().find(is_it).map(|order| order.id).or_else(|| done().map(|done| done.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_limit_and_forgets_what_is_finished() {
        let mut orders = Orders::new();
        for n in 0..ORDERS_MAX as u64 {
            assert!(orders.insert(Order::new(
                ClientOrderId(n + 1),
                InstrumentId(0),
                TsNs(n),
                Phase::Placing
            )));
        }
        let one_more = Order::new(ClientOrderId(9_999), InstrumentId(0), TsNs(0), Phase::Placing);
        assert!(!orders.insert(one_more));
        orders.finish(ClientOrderId(5), TsNs(70));
        assert!(orders.get(ClientOrderId(5)).is_none());
        assert!(orders.is_done(ClientOrderId(5), TsNs(70)) && !orders.is_done(ClientOrderId(5), TsNs(71)));
        assert!(!orders.is_done(ClientOrderId(6), TsNs(0)));
        assert!(orders.insert(one_more));
    }
}
