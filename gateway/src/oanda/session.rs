//! The order session as a pure state machine: what to send next, and what the venue's words mean for our orders.
//!
//! Knows no socket and no clock: lines come in through [`Session::on_line`], answers through [`Session::on_rest`], requests
//! go out through the wires it is handed, and time is the `now` of the call. One session outlives many connections,
//! because what it still has to find out survives them.
//!
//! ```text
//! stream stands ─► account looked at ─► what it missed is listed ─► doubts answered ─► round told ─► Ready
//!       ▲                                                                                             │
//!       └──────────────────────────────── cut, silent, refused ◄──────────────────────────────────────┘
//! ```
//!
//! Transactions are applied in `apply`, answers are read in `answers`, rounds run in `rounds`; this file holds the state,
//! sends, and watches the clock.

use super::budget::Budget;
use super::clock::Clock;
use super::encode::{Ask, Encoder, Spec};
use super::ledger::Ledger;
use super::orders::{Order, Orders, Phase};
use super::proofs::History;
use super::rounds::Rounds;
use super::settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, Recalled, SendError,
    check,
};
use crate::common::Refusals;
use smc_core::event::{
    AccountSequence, Event, EventBody, GatewayState, OrderUpdate, OrderUpdateKind, RequestBudget, VenueClock,
};
use smc_core::output::{CancelOrder, NewOrder, OrderKind};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, TsNs};
use smc_net::Call;

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

/// An order or cancel without an answer for this long is unknown.
pub(super) const ORDER_TIMEOUT: u64 = 4 * SECOND;
/// A question without an answer for this long is given up.
pub(super) const ASK_TIMEOUT: u64 = 10 * SECOND;
/// The venue sends a heartbeat every five seconds.
const SILENCE_MAX: u64 = 11 * SECOND;
/// Deadlines are looked at this often, so that an idle turn costs nothing.
const CHECK_EVERY: u64 = 10 * MS;
/// A transaction that was heard of and has not come over the stream is listed after this pause.
const HOLE_PAUSE: u64 = 300 * MS;
/// What failed is asked again after this pause.
pub(super) const RETRY_PAUSE: u64 = SECOND;
/// The account's figures are asked for so often.
const FIGURES_EVERY: u64 = 15 * SECOND;
/// How far the account was told is said with each round, and so often between.
const SEQUENCE_EVERY: u64 = 5 * SECOND;
/// Questions under way at once.
const FLIGHTS_MAX: usize = 16;

/// Where requests go; false when there is no room.
pub(super) type RestWire<'w> = dyn FnMut(Call) -> bool + 'w;

/// Where events go, with the time they are seen.
pub(super) struct Out<'e> {
    pub now: TsNs,
    pub count: u32,
    emit: &'e mut dyn FnMut(Event),
}

impl<'e> Out<'e> {
    pub fn new(now: TsNs, emit: &'e mut dyn FnMut(Event)) -> Self {
        Self { now, count: 0, emit }
    }

    /// Emits one event; stamped with our time where the venue gives none.
    pub fn event(&mut self, venue: TsNs, instrument: InstrumentId, body: EventBody) {
        let ts_event = if venue.0 > 0 { venue } else { self.now };
        self.count += 1;
        (self.emit)(Event { seq: 0, ts_event, ts_recv: self.now, instrument, body });
    }

    /// Emits an update of an order.
    pub fn order(
        &mut self,
        venue: TsNs,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        venue_order_id: u64,
        kind: OrderUpdateKind,
    ) {
        let update = OrderUpdate { client_order_id, venue_order_id, kind };
        self.event(venue, instrument, EventBody::Order(update));
    }
}

/// The transaction stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    pub is_open: bool,
    heard: TsNs,
    /// The connection is no good any more; its owner closes it.
    pub wants_cut: bool,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub tag: u64,
    pub kind: AskKind,
    pub sent: TsNs,
}

/// What a request asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskKind {
    Place {
        id: ClientOrderId,
        instrument: InstrumentId,
    },
    Replace {
        id: ClientOrderId,
        old: ClientOrderId,
        instrument: InstrumentId,
    },
    Cancel {
        id: ClientOrderId,
        instrument: InstrumentId,
    },
    CancelForeign {
        venue_id: u64,
        instrument: InstrumentId,
    },
    /// The account whole, for a round.
    Account,
    Figures,
    /// Transactions after what was taken.
    Since,
    /// An order.
    Details {
        id: ClientOrderId,
    },
    /// The transaction that ended an order.
    Proof {
        id: ClientOrderId,
    },
    /// A page of what happened before the process.
    History {
        from: u64,
        to: u64,
    },
}

impl AskKind {
    const fn changes_something(self) -> bool {
        matches!(
            self,
            Self::Place { .. } | Self::Replace { .. } | Self::Cancel { .. } | Self::CancelForeign { .. }
        )
    }
}

/// The session.
pub(super) struct Session {
    pub encoder: Encoder,
    pub instance: u16,
    pub link: Link,
    pub flights: Vec<Flight>,
    next_tag: u64,
    pub orders: Orders,
    pub ledger: Ledger,
    pub budget: Budget,
    pub clock: Clock,
    pub rounds: Rounds,
    pub history: History,
    /// The venue did not know an order from before this process by its name.
    pub wants_history: bool,
    /// Currency of the account; empty before it was looked at.
    pub currency: Name,
    /// What is listed was asked for not before this.
    pub list_at: TsNs,
    pub wants_list: bool,
    /// The last whole list was asked for at this moment.
    pub listed: TsNs,
    /// When the account's figures are asked for next.
    pub figures_at: TsNs,
    /// The engine was told what the token may do.
    pub is_key_told: bool,
    /// Reads refused in a row for want of authorization.
    pub refusals: Refusals,
    next_check: TsNs,
    /// Said last.
    told: GatewayState,
    /// Said last of how far the account was told, and not said again before the moment.
    told_to: u64,
    sequence_at: TsNs,
    pub fatal: Option<GatewayFatal>,
    pub counters: GatewayCounters,
    /// The venue's words for what it refused last.
    pub last_refusal: String,
}

impl Session {
    pub fn new(settings: &GatewaySettings, instruments: &[GatewayInstrument]) -> Result<Self, GatewayError> {
        check(settings, instruments)?;
        Ok(Self {
            encoder: Encoder::new(settings, instruments),
            instance: settings.instance,
            link: Link::default(),
            flights: Vec::with_capacity(FLIGHTS_MAX * 2),
            next_tag: 1,
            orders: Orders::new(),
            ledger: Ledger::default(),
            budget: Budget::new(),
            clock: Clock::default(),
            rounds: Rounds::new(),
            history: History::Unwanted,
            wants_history: false,
            currency: Name::EMPTY,
            list_at: TsNs(0),
            wants_list: false,
            listed: TsNs(0),
            figures_at: TsNs(0),
            is_key_told: false,
            refusals: Refusals::default(),
            next_check: TsNs(0),
            told: GatewayState::Down,
            told_to: 0,
            sequence_at: TsNs(0),
            fatal: None,
            counters: GatewayCounters::default(),
            last_refusal: String::new(),
        })
    }

    /// The venue has begun to answer the stream.
    pub fn on_open(&mut self, now: TsNs) {
        self.counters.connects += 1;
        self.link = Link { is_open: true, heard: now, wants_cut: false };
    }

    /// The stream is gone: transactions may be missed from now on.
    pub fn on_cut(&mut self, out: &mut Out<'_>) {
        self.counters.cuts += u64::from(self.link.is_open);
        self.link = Link::default();
        self.break_rounds(out.now);
        self.tell_state(out);
    }

    /// The stream or a read was refused for want of authorization: for good, or once more.
    pub fn on_unauthorized(&mut self, status: u16, step: &'static str, text: &str, now: TsNs) {
        if self.refusals.note(now) {
            self.fail(i32::from(status), step, text);
        }
    }

    /// Orders may be sent.
    pub fn is_ready(&self) -> bool {
        self.link.is_open && !self.link.wants_cut && self.rounds.is_settled() && self.fatal.is_none()
    }

    /// Sends an order. The only way here is [`OandaGateway::place`](super::OandaGateway::place).
    pub fn place(&mut self, now: TsNs, order: &NewOrder, wire: &mut RestWire<'_>) -> Result<(), SendError> {
        self.check_new(now, order)?;
        let ask = self.encoder.place(order)?;
        let (id, instrument) = (order.client_order_id, order.instrument);
        self.send(AskKind::Place { id, instrument }, ask, now, wire)?;
        self.keep(now, order, None);
        Ok(())
    }

    /// Sends an order in the place of another, in one step.
    pub fn replace(
        &mut self,
        now: TsNs,
        cancel: &CancelOrder,
        order: &NewOrder,
        wire: &mut RestWire<'_>,
    ) -> Result<(), SendError> {
        self.check_new(now, order)?;
        let old = cancel.client_order_id;
        let known = self.orders.get(old).map(|order| (order.venue_id, order.trade));
        let (venue_id, trade) = known.unwrap_or_default();
        let spec = Spec::of(if venue_id != 0 { venue_id } else { cancel.venue_order_id }, old);
        let ask = self.encoder.replace(spec, order, trade)?;
        let (id, instrument) = (order.client_order_id, order.instrument);
        self.send(AskKind::Replace { id, old, instrument }, ask, now, wire)?;
        self.keep(now, order, trade);
        Ok(())
    }

    fn check_new(&mut self, now: TsNs, order: &NewOrder) -> Result<(), SendError> {
        if !self.is_ready() {
            return Err(SendError::NotReady);
        }
        if let Err(until) = self.budget.order(now) {
            self.counters.rate_limited += 1;
            return Err(SendError::RateLimited { until });
        }
        let id = order.client_order_id;
        if self.orders.get(id).is_some() || self.orders.done(id).is_some() {
            return Err(SendError::Duplicate);
        }
        if self.orders.is_full() { Err(SendError::Full) } else { Ok(()) }
    }

    fn keep(&mut self, now: TsNs, order: &NewOrder, trade: Option<(super::message::Kind, u64)>) {
        let is_market = order.kind == OrderKind::Market;
        self.orders.insert(Order {
            qty: order.qty,
            trade,
            is_immediate: is_market || order.time_in_force != smc_core::output::TimeInForce::Gtc,
            has_stop: trade.is_none() && order.terms.stop_on_fill > Price::ZERO,
            has_target: trade.is_none() && order.terms.target_on_fill > Price::ZERO,
            ..Order::new(order.client_order_id, order.instrument, now, Phase::Placing)
        });
        self.counters.orders_sent += 1;
    }

    /// Sends a cancel. Passes whatever the limits say.
    pub fn cancel(
        &mut self,
        now: TsNs,
        cancel: &CancelOrder,
        wire: &mut RestWire<'_>,
    ) -> Result<(), SendError> {
        let (id, instrument) = (cancel.client_order_id, cancel.instrument);
        let (kind, spec) = match id {
            ClientOrderId::NONE if cancel.venue_order_id == 0 => return Err(SendError::Unsupported),
            ClientOrderId::NONE => {
                let venue_id = cancel.venue_order_id;
                (AskKind::CancelForeign { venue_id, instrument }, Spec::Venue(venue_id))
            }
            _ => {
                let known = self.orders.get(id).map_or(0, |order| order.venue_id);
                let venue_id = if known != 0 { known } else { cancel.venue_order_id };
                (AskKind::Cancel { id, instrument }, Spec::of(venue_id, id))
            }
        };
        self.send(kind, self.encoder.cancel(spec), now, wire)?;
        self.counters.cancels_sent += 1;
        Ok(())
    }

    fn send(&mut self, kind: AskKind, ask: Ask, now: TsNs, wire: &mut RestWire<'_>) -> Result<(), SendError> {
        let tag = self.next_tag;
        self.next_tag += 1;
        if !wire(self.encoder.call(tag, ask)) {
            return Err(SendError::Backpressure);
        }
        self.flights.push(Flight { tag, kind, sent: now });
        self.budget.count(now);
        Ok(())
    }

    /// Takes over an order that its owner believes to be working (after a restart): it is asked about before the session
    /// becomes ready. False when the table is full.
    pub fn resolve(&mut self, now: TsNs, instrument: InstrumentId, id: ClientOrderId, filled: Qty) -> bool {
        if self.orders.get(id).is_some() {
            return true;
        }
        let order = Order::new(id, instrument, now, Phase::InDoubt);
        let (is_from_before, is_acked, is_doubt_told) = (true, true, true);
        self.orders.insert(Order { reported: filled, is_from_before, is_acked, is_doubt_told, ..order })
    }

    /// What the engine knows of an order that it sent before this process, whether it holds it for over or not.
    pub fn recall(&mut self, told: &Recalled) {
        let &Recalled { client_order_id, asked, filled, is_immediate, has_stop, has_target } = told;
        match self.orders.get(client_order_id) {
            Some(order) => {
                (order.asked, order.qty) = (asked, asked);
                (order.is_immediate, order.has_stop, order.has_target) = (is_immediate, has_stop, has_target);
            }
            None => self.orders.recall(client_order_id, asked, filled),
        }
    }

    /// The process before us had told everything up to this transaction, and these fills: what follows is listed and told
    /// before the session becomes ready.
    pub fn resume(&mut self, told_to: u64, fills: impl IntoIterator<Item = u64>) {
        self.ledger.resume(told_to, fills);
    }

    /// Asks a question; false when there is no room for it now.
    pub fn ask(&mut self, kind: AskKind, ask: Ask, now: TsNs, wire: &mut RestWire<'_>) -> bool {
        let open = self.flights.iter().filter(|flight| !flight.kind.changes_something()).count();
        if open >= FLIGHTS_MAX || !self.budget.question(now) {
            return false;
        }
        let tag = self.next_tag;
        self.next_tag += 1;
        let is_sent = wire(self.encoder.call(tag, ask));
        if is_sent {
            self.flights.push(Flight { tag, kind, sent: now });
        }
        is_sent
    }

    /// Asks what is due and looks at the deadlines. Called once per turn.
    pub fn drive(&mut self, out: &mut Out<'_>, wire: &mut RestWire<'_>) {
        // While not ready every turn counts: a simulator in lock step lets no time pass before we are.
        if out.now >= self.next_check || !self.is_ready() {
            self.next_check = TsNs(out.now.0.saturating_add(CHECK_EVERY));
            self.check_deadlines(out);
            if self.fatal.is_none() {
                self.catch_up(out.now, wire);
                self.drive_rounds(out, wire);
                self.ask_about_orders(out.now, wire);
                self.search_history(out.now, wire);
                self.ask_figures(out.now, wire);
            }
            self.tell_facts(out);
            self.tell_sequence(false, out);
        }
        self.tell_state(out);
    }

    /// Answers that are overdue, and a stream that says nothing.
    fn check_deadlines(&mut self, out: &mut Out<'_>) {
        let now = out.now;
        let limit = |kind: AskKind| if kind.changes_something() { ORDER_TIMEOUT } else { ASK_TIMEOUT };
        // The client's own deadline comes first; this one is for an outcome that is never told.
        let is_over = |flight: &Flight| now.since(flight.sent) >= limit(flight.kind) + 2 * SECOND;
        while let Some(at) = self.flights.iter().position(is_over) {
            let flight = self.flights.swap_remove(at);
            self.on_lost(&flight, out);
        }
        self.link.wants_cut |= self.link.is_open && now.since(self.link.heard) >= SILENCE_MAX;
    }

    pub fn is_asking(&self, is: impl Fn(AskKind) -> bool) -> bool {
        self.flights.iter().any(|flight| is(flight.kind))
    }

    /// The stream said something.
    pub fn heard(&mut self, now: TsNs) {
        self.link.heard = now;
    }

    /// Asks for what was missed.
    fn catch_up(&mut self, now: TsNs, wire: &mut RestWire<'_>) {
        let behind = self.ledger.behind_since(now);
        let is_due = self.wants_list || behind.is_some_and(|since| now.since(since) >= HOLE_PAUSE);
        let can = self.ledger.is_known() && now >= self.list_at;
        if is_due && can && !self.is_asking(|kind| kind == AskKind::Since) {
            let ask = self.encoder.since(self.ledger.applied_to());
            if self.ask(AskKind::Since, ask, now, wire) {
                if !self.wants_list {
                    // Where a list does not fill the hole, another would not soon either.
                    self.list_at = TsNs(now.0.saturating_add(RETRY_PAUSE));
                }
                self.wants_list = false;
                self.counters.queries += 1;
            }
        }
    }

    /// A list could not be had: again, a little later.
    pub fn list_later(&mut self, now: TsNs) {
        self.wants_list = true;
        self.list_at = TsNs(now.0.saturating_add(RETRY_PAUSE));
    }

    fn ask_figures(&mut self, now: TsNs, wire: &mut RestWire<'_>) {
        let is_idle = self.is_ready() && !self.is_asking(|kind| kind == AskKind::Figures);
        if is_idle && now >= self.figures_at && self.ask(AskKind::Figures, self.encoder.summary(), now, wire)
        {
            self.figures_at = TsNs(now.0.saturating_add(FIGURES_EVERY));
        }
    }

    /// Nobody can tell whether the order arrived. If a transaction has told already, there is no doubt.
    pub fn doubt_place(&mut self, id: ClientOrderId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id).filter(|order| order.phase == Phase::Placing) else { return };
        order.doubt(out.now);
        order.is_doubt_told = true;
        let instrument = order.instrument;
        self.counters.unknown += 1;
        out.order(TsNs(0), instrument, id, 0, OrderUpdateKind::Unknown);
    }

    /// Nobody can tell whether the cancel arrived.
    pub fn doubt_cancel(&mut self, id: ClientOrderId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        order.is_cancel_lost = true;
        if order.phase == Phase::Live {
            order.doubt(out.now);
        }
        order.is_doubt_told = true;
        let (instrument, venue_id) = (order.instrument, order.venue_id);
        self.counters.unknown += 1;
        out.order(TsNs(0), instrument, id, venue_id, OrderUpdateKind::Unknown);
    }

    /// No retry can help.
    pub fn fail(&mut self, code: i32, step: &'static str, text: &str) {
        self.fatal.get_or_insert(GatewayFatal { code, step, message: text.to_owned() });
    }

    fn tell_facts(&mut self, out: &mut Out<'_>) {
        if let Some(offset_ns) = self.clock.news() {
            out.event(TsNs(0), InstrumentId::NONE, EventBody::Clock(VenueClock { offset_ns }));
        }
        if self.is_key_told
            && let Some((left, limit, banned_until, resets_at)) = self.budget.news(out.now)
        {
            let budget = RequestBudget { left, limit, banned_until, resets_at };
            out.event(TsNs(0), InstrumentId::NONE, EventBody::Budget(budget));
        }
    }

    /// Says how far the account has been told, where that is news. `is_due`: at once.
    pub fn tell_sequence(&mut self, is_due: bool, out: &mut Out<'_>) {
        let told_to = self.ledger.applied_to();
        if told_to != self.told_to && (is_due || self.is_ready() && out.now >= self.sequence_at) {
            (self.told_to, self.sequence_at) = (told_to, TsNs(out.now.0.saturating_add(SEQUENCE_EVERY)));
            out.event(TsNs(0), InstrumentId::NONE, EventBody::Sequence(AccountSequence { told_to }));
        }
    }

    fn state(&self) -> GatewayState {
        match (self.link.is_open && self.fatal.is_none(), self.is_ready()) {
            (false, _) => GatewayState::Down,
            (true, false) => GatewayState::Syncing,
            (true, true) => GatewayState::Ready,
        }
    }

    /// Says the state when it is another than said before.
    pub fn tell_state(&mut self, out: &mut Out<'_>) {
        let state = self.state();
        if self.told != state {
            self.told = state;
            if state == GatewayState::Ready {
                self.refusals.on_ready();
            }
            out.event(TsNs(0), InstrumentId::NONE, EventBody::Gateway(state));
        }
    }
}
