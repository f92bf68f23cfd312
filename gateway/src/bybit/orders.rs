//! The orders the gateway still has to hear something about.
//!
//! Fixed size, no allocation after start. The core keeps the orders of record; this holds only what is needed to find out
//! what became of an order when a connection or an answer is lost, and the venue's texts, which the core has no room for.

use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs, number_of_text};

/// Orders under way and working at once.
const ORDERS_MAX: usize = 512;
/// Finished orders remembered, so that an older word does not bring them back.
const DONE_MAX: usize = 256;
/// Trades remembered against repetition; a power of two.
const TRADES_MAX: usize = 4_096;
/// Orders of other hands whose texts are remembered.
const FOREIGN_MAX: usize = 256;
/// Fills whose fees are still to come.
const OWED_MAX: usize = 256;

/// The venue's name of an order: a UUID, or digits on spot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VenueId {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl VenueId {
    const MAX: usize = 40;
    /// Not told.
    pub const NONE: Self = Self { bytes: [0; Self::MAX], len: 0 };

    /// Takes letters, digits and dashes; none for anything else or longer.
    pub fn new(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let mut id = Self::NONE;
        id.bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        id.len = text.len() as u8;
        text.bytes().all(is_plain).then_some(id)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }

    /// Whether the venue has told it.
    pub const fn is_known(&self) -> bool {
        self.len > 0
    }

    /// The number that stands for it in the core's words; 0 when it is not known.
    pub fn number(&self) -> u64 {
        if self.is_known() { number_of_text(self.as_str().as_bytes()) } else { 0 }
    }
}

impl std::fmt::Debug for VenueId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it; the fills tell it.
    Filled,
    /// By somebody's wish.
    Canceled,
    /// By its own terms: time in force, post-only, self-trade, reduce-only.
    Expired,
    /// The venue would not have it after all.
    Rejected,
}

/// What we know of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub id: ClientOrderId,
    pub instrument: InstrumentId,
    pub venue_id: VenueId,
    /// Sum of the fills handed on.
    pub reported: Qty,
    /// When the order left, or when we began to care.
    pub sent: TsNs,
    pub phase: Phase,
    /// It waits for its trigger, as far as we know.
    pub is_waiting: bool,
    /// Fills were given up: `reported` counts more than was handed on.
    pub is_short: bool,
    /// The venue took a cancel at this moment; what came of it is still to be heard.
    pub cancel_taken: Option<TsNs>,
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
    /// It is not among the orders of late: ask the history next.
    pub is_past: bool,
    /// Round of looking in which the venue last answered a question about it.
    pub answered_on: u64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sent, not answered.
    Placing,
    /// The venue took the request at this moment; whether it is on the book is still to be heard.
    Accepted(TsNs),
    /// The venue has it.
    Live,
    /// Its state is in doubt: ask.
    InDoubt,
    /// Fills are missing: ask for them.
    MissingFills {
        /// What the venue says was filled in total.
        executed: Qty,
        /// The end to tell once the fills are complete; none while it is working.
        then: Option<End>,
    },
}

impl Order {
    pub const fn new(id: ClientOrderId, instrument: InstrumentId, sent: TsNs, phase: Phase) -> Self {
        Self {
            id,
            instrument,
            venue_id: VenueId::NONE,
            reported: Qty::ZERO,
            sent,
            phase,
            is_waiting: false,
            is_short: false,
            cancel_taken: None,
            is_cancel_lost: false,
            is_doubt_told: false,
            ask_at: sent,
            asks: 0,
            is_asked: false,
            is_past: false,
            answered_on: 0,
        }
    }

    /// True while the venue has to be asked about it.
    pub const fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::InDoubt | Phase::MissingFills { .. })
    }

    /// Puts it in doubt, to be asked from `at` on.
    pub const fn doubt(&mut self, phase: Phase, at: TsNs) {
        self.phase = phase;
        self.ask_at = at;
        self.asks = 0;
        self.is_asked = false;
        self.is_past = false;
    }
}

/// The table.
pub(super) struct Orders {
    live: Vec<Order>,
    /// The orders that finished last, and when.
    done: [(ClientOrderId, TsNs); DONE_MAX],
    done_next: usize,
    trades: Vec<(u64, InstrumentId)>,
    foreign: Vec<(VenueId, InstrumentId)>,
    foreign_next: usize,
    owed: [u64; OWED_MAX],
    owed_next: usize,
}

impl Orders {
    pub fn new() -> Self {
        Self {
            live: Vec::with_capacity(ORDERS_MAX),
            done: [(ClientOrderId::NONE, TsNs(0)); DONE_MAX],
            done_next: 0,
            trades: vec![(0, InstrumentId::NONE); TRADES_MAX],
            foreign: vec![(VenueId::NONE, InstrumentId::NONE); FOREIGN_MAX],
            foreign_next: 0,
            owed: [0; OWED_MAX],
            owed_next: 0,
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

    /// Ours with this name of the venue's.
    pub fn named(&self, venue_id: &VenueId) -> Option<ClientOrderId> {
        self.live.iter().find(|order| order.venue_id.is_known() && order.venue_id == *venue_id).map(|o| o.id)
    }

    /// Forgets an order that is finished.
    pub fn finish(&mut self, id: ClientOrderId, now: TsNs) {
        if let Some(at) = self.live.iter().position(|order| order.id == id) {
            self.live.swap_remove(at);
        }
        if let Some(slot) = self.done.get_mut(self.done_next % DONE_MAX) {
            *slot = (id, now);
        }
        self.done_next = self.done_next.wrapping_add(1);
    }

    /// True for the last orders that finished, if they did so at `since` or later.
    pub fn is_done(&self, id: ClientOrderId, since: TsNs) -> bool {
        self.done.iter().any(|&(done, when)| done == id && when >= since)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.live.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.live.iter_mut()
    }

    /// True the first time a trade is seen. An old trade may be forgotten; the core counts by id as well.
    pub fn is_new_trade(&mut self, instrument: InstrumentId, trade_id: u64) -> bool {
        let Some(slot) = self.trades.get_mut((trade_id % TRADES_MAX as u64) as usize) else { return true };
        let is_new = *slot != (trade_id, instrument);
        *slot = (trade_id, instrument);
        is_new
    }

    /// The fee of a fill that was handed on without one is still to come.
    pub fn owe(&mut self, trade_id: u64) {
        if let Some(slot) = self.owed.get_mut(self.owed_next % OWED_MAX) {
            *slot = trade_id;
        }
        self.owed_next = self.owed_next.wrapping_add(1);
    }

    /// True once for a fill whose fee was still to come.
    pub fn pay(&mut self, trade_id: u64) -> bool {
        let slot = self.owed.iter_mut().find(|owed| **owed == trade_id);
        slot.map(|slot| *slot = 0).is_some()
    }

    /// Remembers the text of another hand's order.
    pub fn note_foreign(&mut self, venue_id: VenueId, instrument: InstrumentId) {
        if self.foreign.iter().any(|(known, _)| *known == venue_id) {
            return;
        }
        if let Some(slot) = self.foreign.get_mut(self.foreign_next % FOREIGN_MAX) {
            *slot = (venue_id, instrument);
        }
        self.foreign_next = self.foreign_next.wrapping_add(1);
    }

    /// The text of another hand's order by its number.
    pub fn foreign(&self, number: u64) -> Option<VenueId> {
        self.foreign.iter().find(|(id, _)| id.is_known() && id.number() == number).map(|&(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_limit_and_forgets_what_is_finished() {
        let mut orders = Orders::new();
        let order = |n: u64| Order::new(ClientOrderId(n), InstrumentId(0), TsNs(n), Phase::Placing);
        assert!((1..=ORDERS_MAX as u64).all(|n| orders.insert(order(n))));
        assert!(!orders.insert(order(9_999)));
        orders.finish(ClientOrderId(5), TsNs(70));
        assert!(orders.get(ClientOrderId(5)).is_none());
        assert!(orders.is_done(ClientOrderId(5), TsNs(70)) && !orders.is_done(ClientOrderId(5), TsNs(71)));
        assert!(orders.insert(order(9_999)));
    }

    #[test]
    fn names_of_the_venue_come_back_by_their_number() {
        let mut orders = Orders::new();
        let uuid = VenueId::new("fd4300ae-7847-404e-b947-b46980a4d140").unwrap();
        let digits = VenueId::new("1321003749386327552").unwrap();
        assert_eq!(digits.number(), 1_321_003_749_386_327_552);
        orders.note_foreign(uuid, InstrumentId(0));
        orders.note_foreign(digits, InstrumentId(0));
        assert_eq!(orders.foreign(uuid.number()), Some(uuid));
        assert_eq!(orders.foreign(digits.number()), Some(digits));
        assert_eq!((orders.foreign(0), orders.foreign(1)), (None, None));
        assert_eq!(VenueId::new("a\"b"), None);
        assert_eq!(VenueId::new(&"9".repeat(41)), None);
    }

    #[test]
    fn a_fee_that_is_owed_is_paid_once() {
        let mut orders = Orders::new();
        orders.owe(77);
        assert!(orders.pay(77) && !orders.pay(77) && !orders.pay(78));
    }
}
