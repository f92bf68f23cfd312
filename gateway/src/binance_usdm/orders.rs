//! The orders the gateway still has to hear something about, and the requests that wait for answers.
//!
//! Fixed size, no allocation after start. This is not the engine's order book of record (the core keeps that); it holds
//! only what is needed to find out what became of an order when a connection or an answer is lost.

use super::encode::Target;
use super::message::Status;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};

/// Orders under way and working at once.
pub(super) const ORDERS_MAX: usize = 512;
/// Finished orders remembered, so that an older list does not bring them back.
const DONE_MAX: usize = 128;
/// Trades remembered against repetition; a power of two.
const TRADES_MAX: usize = 4_096;

/// What we know of one order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub id: ClientOrderId,
    pub instrument: InstrumentId,
    /// The venue's id: of the conditional order until it is triggered, of the plain order from then on. 0: not told yet.
    pub venue_id: u64,
    /// A conditional order that is not triggered yet, as far as we know.
    pub is_algo: bool,
    /// Whether it is conditional is only a guess: it was made before this process.
    pub is_guess: bool,
    /// The other interface has said that it does not know the order.
    pub is_denied: bool,
    /// Sum of the fills handed on.
    pub reported: Qty,
    /// When the order left, or when we began to care.
    pub sent: TsNs,
    pub phase: Phase,
    /// Fills were given up: `reported` counts more than was handed on.
    pub is_short: bool,
    /// A cancel was sent and its outcome is unknown.
    pub is_cancel_lost: bool,
    /// The engine was told that its state is unknown, and nothing since.
    pub is_doubt_told: bool,
    /// Not asked before this moment.
    pub ask_at: TsNs,
    /// Questions asked since it became doubtful.
    pub asks: u32,
    /// A question is under way.
    pub is_asked: bool,
    /// The venue has told its state since the last connection was made.
    pub is_seen: bool,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sent, not answered.
    Placing,
    /// The venue has it.
    Live,
    /// Its state is in doubt: ask for it.
    InDoubt,
    /// Fills are missing: ask for its trades.
    MissingFills {
        /// What the venue says was filled in total.
        executed: Qty,
        /// The final state to tell once the fills are complete; none while it is working.
        then: Option<Status>,
    },
}

impl Order {
    pub const fn new(id: ClientOrderId, instrument: InstrumentId, sent: TsNs, phase: Phase) -> Self {
        Self {
            id,
            instrument,
            venue_id: 0,
            is_algo: false,
            is_guess: false,
            is_denied: false,
            reported: Qty::ZERO,
            sent,
            phase,
            is_short: false,
            is_cancel_lost: false,
            is_doubt_told: false,
            ask_at: sent,
            asks: 0,
            is_asked: false,
            is_seen: false,
        }
    }

    /// True while the venue has to be asked about it.
    pub const fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::InDoubt | Phase::MissingFills { .. })
    }

    /// Puts it in doubt, to be asked from `at` on.
    pub fn doubt(&mut self, phase: Phase, at: TsNs) {
        (self.phase, self.ask_at, self.asks, self.is_asked) = (phase, at, 0, false);
    }

    /// What a request about it names.
    pub const fn target(&self) -> Target {
        Target { instrument: self.instrument, id: self.id, venue_id: self.venue_id, is_algo: self.is_algo }
    }
}

/// A finished order.
#[derive(Clone, Copy, Debug)]
struct Done {
    id: ClientOrderId,
    instrument: InstrumentId,
    venue_id: u64,
    when: TsNs,
}

/// The table.
pub(super) struct Orders {
    live: Vec<Order>,
    done: Vec<Done>,
    done_next: usize,
    trades: Vec<(u64, InstrumentId)>,
}

impl Orders {
    pub fn new() -> Self {
        Self {
            live: Vec::with_capacity(ORDERS_MAX),
            done: Vec::with_capacity(DONE_MAX),
            done_next: 0,
            trades: vec![(u64::MAX, InstrumentId::NONE); TRADES_MAX],
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

    /// Whose a venue's order id is.
    pub fn by_venue_id(&self, instrument: InstrumentId, venue_id: u64) -> Option<ClientOrderId> {
        let is_it = |of: InstrumentId, id: u64| of == instrument && id == venue_id && venue_id != 0;
        let live = self.live.iter().find(|order| !order.is_algo && is_it(order.instrument, order.venue_id));
        let done = || self.done.iter().find(|done| is_it(done.instrument, done.venue_id)).map(|done| done.id);
        live.map(|order| order.id).or_else(done)
    }

    /// Forgets an order that is finished.
    pub fn finish(&mut self, id: ClientOrderId, now: TsNs) {
        let Some(at) = self.live.iter().position(|order| order.id == id) else { return };
        let order = self.live.swap_remove(at);
        let done = Done { id, instrument: order.instrument, venue_id: order.venue_id, when: now };
        if self.done.len() < DONE_MAX {
            self.done.push(done);
        } else if let Some(slot) = self.done.get_mut(self.done_next % DONE_MAX) {
            *slot = done;
        }
        self.done_next = self.done_next.wrapping_add(1);
    }

    /// True for the last orders that finished, if they did so at `since` or later.
    pub fn is_done(&self, id: ClientOrderId, since: TsNs) -> bool {
        self.done.iter().any(|done| done.id == id && done.when >= since)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.live.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Order> {
        self.live.iter_mut()
    }

    /// True the first time a trade is seen. An old trade may be forgotten; the core counts by id as well.
    pub fn is_new_trade(&mut self, instrument: InstrumentId, trade_id: u64) -> bool {
        let spread = trade_id ^ (u64::from(instrument.0) << 7);
        let Some(slot) = self.trades.get_mut((spread % TRADES_MAX as u64) as usize) else { return true };
        let is_new = *slot != (trade_id, instrument);
        *slot = (trade_id, instrument);
        is_new
    }
}

/// What a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    // On the WebSocket API.
    Logon,
    Place,
    Cancel,
    // Over REST.
    Time,
    ListenKey,
    KeepAlive,
    PositionMode,
    RestCancel,
    Status,
    Trades,
    Sweep,
    Account,
    Positions,
    OpenOrders,
    OpenAlgos,
    Countdown,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub id: u64,
    pub kind: Kind,
    /// The order it is about; [`ClientOrderId::NONE`] for the rest.
    pub order: ClientOrderId,
    pub instrument: InstrumentId,
    /// The venue's id of the order, where the request named it.
    pub venue_id: u64,
    pub sent: TsNs,
    /// Nobody waits any more (its time is over), but a late answer still maps back until the place is needed.
    pub is_late: bool,
}

/// Requests that can wait at once.
const REQUESTS_MAX: usize = 512;

/// The requests under way.
pub(super) struct Requests {
    open: Vec<Request>,
    next_id: u64,
}

impl Requests {
    pub fn new() -> Self {
        Self { open: Vec::with_capacity(REQUESTS_MAX), next_id: 1 }
    }

    /// Gives the next id and remembers what it is for; none when too many wait.
    pub fn issue(&mut self, kind: Kind, target: Target, now: TsNs) -> Option<u64> {
        if self.open.len() >= REQUESTS_MAX {
            let late = self.open.iter().position(|request| request.is_late)?;
            self.open.swap_remove(late);
        }
        let id = self.next_id;
        self.next_id += 1;
        let Target { instrument, id: order, venue_id, .. } = target;
        self.open.push(Request { id, kind, order, instrument, venue_id, sent: now, is_late: false });
        Some(id)
    }

    /// Takes the request that `id` answers.
    pub fn take(&mut self, id: u64) -> Option<Request> {
        let at = self.open.iter().position(|request| request.id == id)?;
        Some(self.open.swap_remove(at))
    }

    /// The next request on the WebSocket API that has waited for longer than `allowed`; it is late from now on.
    pub fn next_late(&mut self, now: TsNs, allowed: u64) -> Option<Request> {
        let is_over = |request: &&mut Request| {
            !request.is_late && request.kind.is_socket() && now.since(request.sent) >= allowed
        };
        let late = self.open.iter_mut().find(is_over)?;
        late.is_late = true;
        Some(*late)
    }

    /// Takes any request of the WebSocket API; for the end of a connection, which no answer survives.
    pub fn take_socket(&mut self) -> Option<Request> {
        let at = self.open.iter().position(|request| request.kind.is_socket())?;
        Some(self.open.swap_remove(at))
    }

    /// Requests of a kind that are still waited for.
    pub fn waiting(&self, kind: Kind) -> usize {
        self.open.iter().filter(|request| request.kind == kind && !request.is_late).count()
    }
}

impl Kind {
    const fn is_socket(self) -> bool {
        matches!(self, Self::Logon | Self::Place | Self::Cancel)
    }
}
