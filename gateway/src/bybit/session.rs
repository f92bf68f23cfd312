//! The order session as a pure state machine: what to send next, and what the venue's words mean for our orders.
//!
//! Knows no socket and no clock: bytes come in through [`Session::on_trade`], [`Session::on_private`] and
//! [`Session::on_rest`], go out through the wires it is handed, and time is the `now` of the call. One session outlives
//! many connections, because what it still has to find out survives them.
//!
//! ```text
//! REST     clock, key, dead man (once) ──┐
//! private  open ─► log on ─► subscribe ──┼─► round of reconciliation ─► Ready ─► a link is lost: from its beginning
//! trade    open ─► log on ───────────────┘   (rounds)
//! ```
//!
//! Answers are read in `answers`, reports in `reports`, rounds run in `rounds`; this file holds the state, sends, and
//! watches the clock.

use super::budget::Budget;
use super::encode::{self, Encoder, PING};
use super::errors::{Reaction, reaction};
use super::orders::{Order, Orders, Phase, VenueId};
use super::rest::{self, Ask, Rest};
use super::rounds::Rounds;
use super::settings::{
    Category, GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
use super::sign::Signer;
use crate::common::Refusals;
use crate::requests::{InFlight, Request, RequestKind};
use smc_core::event::{Event, EventBody, GatewayState, OrderUpdate, OrderUpdateKind, RequestBudget};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, TsNs};
use smc_net::Call;

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

/// An order or cancel without an answer, or without a report after it, for this long is unknown.
const ANSWER_TIMEOUT: u64 = 2 * SECOND;
/// A REST request without an answer for this long is given up.
pub(super) const REST_TIMEOUT: u64 = 5 * SECOND;
/// A step of a link without an answer for this long ends the connection.
const STEP_TIMEOUT: u64 = 10 * SECOND;
/// How late beyond our time window an order may still show up in the venue's lists.
const VENUE_TIMEOUT: u64 = 30 * SECOND;
/// How often the clocks are compared, and the sockets pinged.
const CLOCK_EVERY: u64 = 20 * SECOND;
/// After a ping something has to be heard within this time.
const SILENCE_MAX: u64 = 30 * SECOND;
/// Deadlines are looked at this often, so that an idle turn costs nothing.
const CHECK_EVERY: u64 = 10 * MS;
/// A connection that is going down waits so long for the answers still under way.
const DRAIN_TIMEOUT: u64 = SECOND;
/// A log-on carries a time until which it is good.
const LOG_ON_LIFE_MS: u64 = 10_000;
/// What failed at the start is asked again after this pause.
const RETRY_PAUSE: u64 = SECOND;
/// First pause between two questions about an order; doubles up to the longest.
const ASK_FIRST: u64 = 250 * MS;
const ASK_LONGEST: u64 = 5 * SECOND;
/// Missing fills are asked for so many times before the order is told without them.
pub(super) const ASKS_MAX: u32 = 5;
/// REST requests under way at once.
const FLIGHTS_MAX: usize = 64;
/// The smallest pieces of money that an account may hold besides those it trades.
const FEE_COIN: &str = "MNT";

/// What became of bytes handed to a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// On their way.
    Yes,
    /// Nothing of them was taken; the connection lives.
    No,
    /// The connection broke; a part may be on its way.
    Cut,
}

/// Where bytes go.
pub(super) type Wire<'w> = dyn FnMut(&[u8]) -> Sent + 'w;
/// Where requests go; false when there is no room.
pub(super) type RestWire<'w> = dyn FnMut(Call) -> bool + 'w;

/// All the ways out.
pub(super) struct Wires<'w> {
    pub trade: &'w mut Wire<'w>,
    pub private: &'w mut Wire<'w>,
    pub rest: &'w mut RestWire<'w>,
}

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
    pub fn event(&mut self, venue_ms: Option<u64>, instrument: InstrumentId, body: EventBody) {
        let ts_event = venue_ms.filter(|&ms| ms > 0).map_or(self.now, TsNs::from_ms);
        self.count += 1;
        (self.emit)(Event { seq: 0, ts_event, ts_recv: self.now, instrument, body });
    }

    /// Emits an update of an order.
    pub fn order(
        &mut self,
        venue_ms: Option<u64>,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        venue_order_id: u64,
        kind: OrderUpdateKind,
    ) {
        let update = OrderUpdate { client_order_id, venue_order_id, kind };
        self.event(venue_ms, instrument, EventBody::Order(update));
    }
}

/// How far a socket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// No connection.
    Off,
    /// A connection stands; waits for the clock, because a log-on carries a time.
    Open,
    /// Logging on since.
    LoggingOn(TsNs),
    /// Logged on, the subscription is still to be sent; of the private socket alone.
    LoggedOn,
    /// Subscribing since; of the private socket alone.
    Subscribing(TsNs),
    /// Good.
    On,
}

/// One socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub step: Step,
    pub heard: TsNs,
    pinged: TsNs,
    /// The connection is no good any more; its owner closes it.
    pub wants_cut: bool,
}

impl Link {
    const OFF: Self = Self { step: Step::Off, heard: TsNs(0), pinged: TsNs(0), wants_cut: false };

    fn open(&mut self, now: TsNs) {
        *self = Self { step: Step::Open, heard: now, pinged: now, wants_cut: false };
    }

    pub fn is_on(&self) -> bool {
        self.step == Step::On && !self.wants_cut
    }

    /// Waited too long for an answer, or for anything.
    fn is_stuck(&self, now: TsNs) -> bool {
        match self.step {
            Step::LoggingOn(since) | Step::Subscribing(since) => now.since(since) >= STEP_TIMEOUT,
            Step::On => now.since(self.heard) >= SILENCE_MAX,
            Step::Off | Step::Open | Step::LoggedOn => false,
        }
    }

    fn look_after(&mut self, now: TsNs, wire: &mut Wire<'_>) {
        self.wants_cut |= self.is_stuck(now);
        if self.step == Step::On && now.since(self.pinged) >= CLOCK_EVERY {
            self.pinged = now;
            self.wants_cut |= wire(PING) == Sent::Cut;
        }
    }
}

/// A REST request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub tag: u64,
    pub kind: AskKind,
    pub sent: TsNs,
}

/// What a REST request asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AskKind {
    Time,
    Key,
    DeadMan,
    /// A page of the present round.
    Round,
    /// An order, among those of late or those that have ended.
    Order {
        id: ClientOrderId,
        is_past: bool,
    },
    /// A page of an order's fills, with the sum of the pages before.
    Fills {
        id: ClientOrderId,
        sum: Qty,
    },
    Cancel {
        id: ClientOrderId,
        instrument: InstrumentId,
    },
    CancelForeign {
        number: u64,
        instrument: InstrumentId,
    },
    CancelAll,
}

/// What has to be known once before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Not asked before this moment.
    NotBefore(TsNs),
    Asked,
    Yes,
}

/// The session.
pub(super) struct Session {
    pub encoder: Encoder,
    pub rest: Rest,
    pub category: Category,
    pub instance: u16,
    has_fast_fills: bool,
    dead_man_s: Option<u16>,
    /// Assets whose balances the engine wants.
    pub watched: Vec<Name>,
    /// Base and quote of each instrument, by which a fee without a coin is told.
    pub assets: Vec<(InstrumentId, Name, Name)>,
    pub trade: Link,
    pub private: Link,
    pub in_flight: InFlight,
    pub flights: Vec<Flight>,
    /// Further pages of orders' fills: the sum of the pages before, and where the next begins.
    pub fill_pages: Vec<(ClientOrderId, Qty, String)>,
    next_tag: u64,
    pub orders: Orders,
    pub budget: Budget,
    pub rounds: Rounds,
    /// The venue's clock minus ours.
    pub offset_ns: i64,
    pub clock: Known,
    pub clock_asked: TsNs,
    pub key: Known,
    pub dead_man: Known,
    /// No new orders since: the trade socket's server goes down.
    pub draining: Option<TsNs>,
    next_check: TsNs,
    /// Said last.
    told: GatewayState,
    /// Of log-ons, subscriptions and the key.
    pub refusals: Refusals,
    pub fatal: Option<GatewayFatal>,
    pub counters: GatewayCounters,
}

impl Session {
    pub fn new(settings: &GatewaySettings, instruments: &[GatewayInstrument]) -> Result<Self, GatewayError> {
        check(settings, instruments)?;
        let category = settings.category;
        let mut watched: Vec<Name> = match category {
            Category::Spot => instruments.iter().flat_map(|i| [i.spec.base, i.spec.quote]).collect(),
            Category::Linear => instruments.iter().map(|i| i.spec.quote).collect(),
        };
        let mut settle: Vec<Name> = instruments.iter().map(|i| i.spec.quote).collect();
        if category == Category::Spot {
            watched.extend(Name::new(FEE_COIN));
            settle.clear();
        }
        for names in [&mut watched, &mut settle] {
            names.sort_unstable();
            names.dedup();
        }
        let signer = Signer::new(&settings.secret).map_err(GatewayError::Key)?;
        let (api_key, recv_window_ms) = (settings.api_key.clone(), settings.recv_window_ms);
        Ok(Self {
            encoder: Encoder::new(category, instruments, recv_window_ms)?,
            rest: Rest { category, api_key, signer, recv_window_ms },
            category,
            instance: settings.instance,
            has_fast_fills: settings.has_fast_fills,
            dead_man_s: settings.dead_man_s,
            watched,
            assets: instruments.iter().map(|i| (i.id, i.spec.base, i.spec.quote)).collect(),
            trade: Link::OFF,
            private: Link::OFF,
            in_flight: InFlight::new(),
            flights: Vec::with_capacity(FLIGHTS_MAX),
            fill_pages: Vec::new(),
            next_tag: 1,
            orders: Orders::new(),
            budget: Budget::new(),
            rounds: Rounds::new(settle, instruments),
            offset_ns: 0,
            clock: Known::NotBefore(TsNs(0)),
            clock_asked: TsNs(0),
            key: Known::NotBefore(TsNs(0)),
            dead_man: if settings.dead_man_s.is_some() { Known::NotBefore(TsNs(0)) } else { Known::Yes },
            draining: None,
            next_check: TsNs(0),
            told: GatewayState::Down,
            refusals: Refusals::default(),
            fatal: None,
            counters: GatewayCounters::default(),
        })
    }

    /// The trade socket stands.
    pub fn on_trade_open(&mut self, now: TsNs) {
        self.counters.connects += 1;
        self.draining = None;
        self.trade.open(now);
    }

    /// The private socket stands.
    pub fn on_private_open(&mut self, now: TsNs) {
        self.counters.connects += 1;
        self.private.open(now);
    }

    /// The trade socket is gone, and with it every answer that was under way.
    pub fn on_trade_cut(&mut self, out: &mut Out<'_>) {
        self.counters.cuts += u64::from(self.trade.step != Step::Off);
        self.trade = Link::OFF;
        self.draining = None;
        while let Some(request) = self.in_flight.take_any() {
            if !request.is_late {
                self.lost(&request, out);
            }
        }
        self.break_rounds(out);
        self.tell_state(out);
    }

    /// The private socket is gone, and reports may be missed from now on.
    pub fn on_private_cut(&mut self, out: &mut Out<'_>) {
        self.counters.cuts += u64::from(self.private.step != Step::Off);
        self.private = Link::OFF;
        self.break_rounds(out);
        self.tell_state(out);
    }

    /// Orders may be sent.
    pub fn is_ready(&self) -> bool {
        self.are_links_on() && self.draining.is_none() && self.rounds.is_settled() && self.fatal.is_none()
    }

    pub fn are_links_on(&self) -> bool {
        self.trade.is_on() && self.private.is_on() && self.is_known()
    }

    fn is_known(&self) -> bool {
        self.clock == Known::Yes && self.key == Known::Yes && self.dead_man == Known::Yes
    }

    /// Sends an order. The only way here is [`BybitGateway::place`](super::BybitGateway::place).
    pub fn place(&mut self, now: TsNs, order: &NewOrder, wire: &mut Wire<'_>) -> Result<(), SendError> {
        if !self.is_ready() {
            return Err(SendError::NotReady);
        }
        let terms = &order.terms;
        let is_plain = terms.stop_on_fill == Price::ZERO && terms.target_on_fill == Price::ZERO;
        if !is_plain || terms.oco != ClientOrderId::NONE {
            return Err(SendError::Unsupported);
        }
        if let Err(until) = self.budget.order(now) {
            self.counters.rate_limited += 1;
            return Err(SendError::RateLimited { until });
        }
        let (id, instrument) = (order.client_order_id, order.instrument);
        if self.orders.get(id).is_some() || self.orders.is_done(id, TsNs(0)) {
            return Err(SendError::Duplicate);
        }
        if self.orders.is_full() {
            return Err(SendError::Full);
        }
        let request = self.in_flight.issue(RequestKind::Place, id, instrument, now).ok_or(SendError::Full)?;
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.place(request, time_ms, order).map(wire);
        self.sent(request, sent)?;
        let is_waiting = order.stop_price > Price::ZERO;
        self.orders.insert(Order { is_waiting, ..Order::new(id, instrument, now, Phase::Placing) });
        self.budget.create.count(now);
        self.counters.orders_sent += 1;
        Ok(())
    }

    /// Sends a cancel: over the trade socket, or over REST while that is down. Passes whatever the limits say.
    pub fn cancel(
        &mut self,
        now: TsNs,
        cancel: &CancelOrder,
        wire: &mut Wire<'_>,
        rest: &mut RestWire<'_>,
    ) -> Result<(), SendError> {
        let (id, instrument) = (cancel.client_order_id, cancel.instrument);
        if id == ClientOrderId::NONE {
            return self.cancel_foreign(now, cancel, rest);
        }
        let is_waiting = self.orders.get(id).is_some_and(|order| order.is_waiting);
        if self.trade.is_on() {
            let request =
                self.in_flight.issue(RequestKind::Cancel, id, instrument, now).ok_or(SendError::Full)?;
            let time_ms = self.venue_ms(now);
            let sent = self.encoder.cancel(request, time_ms, instrument, id, is_waiting).map(wire);
            self.sent(request, sent)?;
        } else {
            let symbol = self.encoder.symbol_of(instrument).ok_or(SendError::UnknownInstrument)?;
            let ask = self.rest.cancel(symbol, id, is_waiting);
            self.ask_outside(AskKind::Cancel { id, instrument }, &ask, now, rest)?;
        }
        self.counters.cancels_sent += 1;
        Ok(())
    }

    /// Another hand's order has to be named by the venue's own text.
    #[cold]
    fn cancel_foreign(
        &mut self,
        now: TsNs,
        cancel: &CancelOrder,
        rest: &mut RestWire<'_>,
    ) -> Result<(), SendError> {
        let (number, instrument) = (cancel.venue_order_id, cancel.instrument);
        let symbol = self.encoder.symbol_of(instrument).ok_or(SendError::UnknownInstrument)?;
        let text: VenueId = self.orders.foreign(number).ok_or(SendError::Unsupported)?;
        let ask = self.rest.cancel_foreign(symbol, &text);
        self.ask_outside(AskKind::CancelForeign { number, instrument }, &ask, now, rest)?;
        self.counters.cancels_sent += 1;
        Ok(())
    }

    /// Asks the venue to cancel whatever works in an instrument. Each order's end is told as its own report.
    pub fn cancel_all(
        &mut self,
        now: TsNs,
        instrument: InstrumentId,
        rest: &mut RestWire<'_>,
    ) -> Result<(), SendError> {
        let symbol = self.encoder.symbol_of(instrument).ok_or(SendError::UnknownInstrument)?;
        let ask = self.rest.cancel_all(symbol);
        self.ask_outside(AskKind::CancelAll, &ask, now, rest)
    }

    fn ask_outside(
        &mut self,
        kind: AskKind,
        ask: &Ask,
        now: TsNs,
        rest: &mut RestWire<'_>,
    ) -> Result<(), SendError> {
        if self.clock != Known::Yes {
            return Err(SendError::NotReady);
        }
        if self.ask(kind, ask, now, rest) { Ok(()) } else { Err(SendError::Full) }
    }

    /// Settles the bookkeeping of bytes handed to the wire. What broke half-way counts as sent: it may arrive.
    fn sent(&mut self, request: u64, sent: Result<Sent, SendError>) -> Result<(), SendError> {
        match sent {
            Ok(Sent::Yes) => Ok(()),
            Ok(Sent::Cut) => {
                self.trade.wants_cut = true;
                Ok(())
            }
            Ok(Sent::No) => {
                self.in_flight.withdraw(request);
                Err(SendError::Backpressure)
            }
            Err(error) => {
                self.in_flight.withdraw(request);
                Err(error)
            }
        }
    }

    /// Takes over an order that its owner believes to be working (after a restart): it is asked about before
    /// the session becomes ready. False when the table is full.
    pub fn resolve(&mut self, now: TsNs, instrument: InstrumentId, id: ClientOrderId, filled: Qty) -> bool {
        if self.orders.get(id).is_some() {
            return true;
        }
        let order = Order { reported: filled, ..Order::new(id, instrument, now, Phase::InDoubt) };
        self.orders.insert(order)
    }

    /// Sends a REST request; false when there is no room for it.
    pub fn ask(&mut self, kind: AskKind, ask: &Ask, now: TsNs, rest: &mut RestWire<'_>) -> bool {
        let is_cancel =
            matches!(kind, AskKind::Cancel { .. } | AskKind::CancelForeign { .. } | AskKind::CancelAll);
        if self.flights.len() >= FLIGHTS_MAX && !is_cancel {
            return false;
        }
        let tag = self.next_tag;
        self.next_tag += 1;
        let is_sent = rest(self.rest.call(tag, ask, self.venue_ms(now)));
        if is_sent {
            self.flights.push(Flight { tag, kind, sent: now });
        }
        is_sent
    }

    /// Sends what is due and looks at the deadlines. Called once per turn.
    pub fn drive(&mut self, out: &mut Out<'_>, wires: &mut Wires<'_>) {
        // While not ready every turn counts: a simulator in lock step lets no time pass before we are.
        if out.now >= self.next_check || !self.is_ready() {
            self.next_check = TsNs(out.now.0.saturating_add(CHECK_EVERY));
            if self.fatal.is_none() {
                self.find_out(out.now, wires.rest);
                self.log_on(out.now, wires);
                self.drive_rounds(out, wires.rest);
            }
            self.check_deadlines(out);
            self.trade.look_after(out.now, wires.trade);
            self.private.look_after(out.now, wires.private);
            self.ask_about_orders(out.now, wires.rest);
            self.check_drain(out.now);
            self.tell_budget(out);
        }
        self.tell_state(out);
    }

    /// Clock, key and dead man.
    fn find_out(&mut self, now: TsNs, rest: &mut RestWire<'_>) {
        let is_due = |known: Known| matches!(known, Known::NotBefore(at) if at <= now);
        let is_stale = self.clock == Known::Yes && now.since(self.clock_asked) >= CLOCK_EVERY;
        let is_asking = self.flights.iter().any(|flight| flight.kind == AskKind::Time);
        if (is_due(self.clock) || is_stale) && !is_asking && self.budget.query(now) {
            self.clock_asked = now;
            self.ask(AskKind::Time, &rest::time(), now, rest);
        }
        if self.clock != Known::Yes {
            return;
        }
        if is_due(self.key) && self.budget.query(now) && self.ask(AskKind::Key, &rest::key(), now, rest) {
            self.key = Known::Asked;
        }
        if let Some(seconds) = self.dead_man_s
            && is_due(self.dead_man)
            && self.budget.query(now)
            && self.ask(AskKind::DeadMan, &rest::dead_man(self.category, seconds), now, rest)
        {
            self.dead_man = Known::Asked;
        }
    }

    /// What failed is asked again a little later.
    pub const fn later(now: TsNs) -> Known {
        Known::NotBefore(TsNs(now.0.saturating_add(RETRY_PAUSE)))
    }

    /// Sockets that wait for the clock, or for their next frame.
    fn log_on(&mut self, now: TsNs, wires: &mut Wires<'_>) {
        if !self.is_known() {
            return;
        }
        let expires_ms = self.venue_ms(now).saturating_add(LOG_ON_LIFE_MS);
        let (key, signer) = (self.rest.api_key.as_str(), &self.rest.signer);
        if self.trade.step == Step::Open {
            let frame = encode::log_on("reqId", key, expires_ms, signer);
            step(&mut self.trade, Step::LoggingOn(now), frame.as_bytes(), wires.trade);
        }
        if self.private.step == Step::Open {
            let frame = encode::log_on("req_id", key, expires_ms, signer);
            step(&mut self.private, Step::LoggingOn(now), frame.as_bytes(), wires.private);
        }
        if self.private.step == Step::LoggedOn {
            let frame = encode::subscribe(self.category, self.has_fast_fills, self.dead_man_s.is_some());
            step(&mut self.private, Step::Subscribing(now), frame.as_bytes(), wires.private);
        }
    }

    /// A log-on or subscription was refused: by what can pass, or for good.
    pub fn on_refused_link(&mut self, is_trade: bool, code: i64, text: &str, now: TsNs) {
        let link = if is_trade { &mut self.trade } else { &mut self.private };
        link.wants_cut = true;
        // What the venue cannot do just now says nothing of the key.
        let is_ours = code == 0 || matches!(reaction(code), Reaction::Fatal | Reaction::Refuse);
        if is_ours && self.refusals.note(now) {
            let step = if is_trade { "trade log-on" } else { "private log-on" };
            self.fail(code, step, text);
        }
    }

    /// No retry can help.
    pub fn fail(&mut self, code: i64, step: &'static str, text: &str) {
        let code = i32::try_from(code).unwrap_or(0);
        self.fatal.get_or_insert(GatewayFatal { code, step, message: text.to_owned() });
    }

    /// Requests whose answers are overdue, and answers whose reports are.
    fn check_deadlines(&mut self, out: &mut Out<'_>) {
        let now = out.now;
        while let Some(request) = self.in_flight.next_late(|r| now.since(r.sent) >= ANSWER_TIMEOUT) {
            self.lost(&request, out);
        }
        let is_over = |flight: &Flight| now.since(flight.sent) >= REST_TIMEOUT + SECOND;
        while let Some(at) = self.flights.iter().position(is_over) {
            let flight = self.flights.swap_remove(at);
            self.on_rest_lost(&flight, out);
        }
        let mut doubted = None;
        for order in self.orders.iter_mut() {
            let is_unheard = matches!(order.phase, Phase::Accepted(at) if now.since(at) >= ANSWER_TIMEOUT);
            let is_cancel_unheard = order.cancel_taken.is_some_and(|at| now.since(at) >= ANSWER_TIMEOUT);
            if is_cancel_unheard {
                order.cancel_taken = None;
                order.is_cancel_lost = true;
            }
            if is_unheard || is_cancel_unheard && !order.is_asking() {
                order.doubt(Phase::InDoubt, now);
                order.is_doubt_told = true;
                doubted = Some((order.instrument, order.id, order.venue_id.number()));
                break;
            }
        }
        if let Some((instrument, id, number)) = doubted {
            self.counters.unknown += 1;
            out.order(None, instrument, id, number, OrderUpdateKind::Unknown);
        }
    }

    /// A request over the trade socket whose outcome we cannot know.
    pub fn lost(&mut self, request: &Request, out: &mut Out<'_>) {
        match request.kind {
            RequestKind::Cancel => self.doubt_cancel(request.order, request.instrument, out),
            _ => self.doubt_place(request, out),
        }
    }

    /// Nobody can tell whether the order arrived. If a report has told already, there is no doubt.
    pub fn doubt_place(&mut self, request: &Request, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(request.order).filter(|order| order.phase == Phase::Placing) else {
            return;
        };
        order.doubt(Phase::InDoubt, out.now);
        order.is_doubt_told = true;
        self.counters.unknown += 1;
        out.order(None, request.instrument, request.order, 0, OrderUpdateKind::Unknown);
    }

    /// Nobody can tell whether the cancel arrived.
    pub fn doubt_cancel(&mut self, id: ClientOrderId, instrument: InstrumentId, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        order.is_cancel_lost = true;
        order.is_doubt_told = true;
        if !order.is_asking() {
            order.doubt(Phase::InDoubt, out.now);
        }
        let number = order.venue_id.number();
        self.counters.unknown += 1;
        out.order(None, instrument, id, number, OrderUpdateKind::Unknown);
    }

    /// Asks about every order in doubt whose time has come.
    fn ask_about_orders(&mut self, now: TsNs, rest: &mut RestWire<'_>) {
        if self.clock != Known::Yes || self.key != Known::Yes {
            return;
        }
        while let Some((id, sum, cursor)) = self.fill_pages.pop() {
            self.ask_fills_page(id, sum, &cursor, now, rest);
        }
        loop {
            let is_due = |order: &&Order| order.is_asking() && !order.is_asked && now >= order.ask_at;
            let Some(order) = self.orders.iter().find(is_due).copied() else { return };
            let Some(symbol) = self.encoder.symbol_of(order.instrument) else { return };
            // Fills are asked for by the venue's name; an order whose name we do not know is asked for that first.
            let wants_fills = matches!(order.phase, Phase::MissingFills { .. }) && order.venue_id.is_known();
            let (id, is_past) = (order.id, order.is_past);
            let (kind, ask) = match (wants_fills, is_past) {
                (true, _) => {
                    let ask = self.rest.fills(symbol, order.venue_id.as_str(), "");
                    (AskKind::Fills { id, sum: Qty::ZERO }, ask)
                }
                (false, false) => (AskKind::Order { id, is_past }, self.rest.order(symbol, id)),
                (false, true) => (AskKind::Order { id, is_past }, self.rest.past_order(symbol, id)),
            };
            if !self.budget.query(now) || !self.ask(kind, &ask, now, rest) {
                return;
            }
            self.counters.queries += 1;
            if let Some(order) = self.orders.get(id) {
                order.is_asked = true;
                let pause = ASK_FIRST.saturating_mul(1 << order.asks.min(8)).min(ASK_LONGEST);
                order.ask_at = TsNs(now.0.saturating_add(pause));
                order.asks = order.asks.saturating_add(1);
            }
        }
    }

    /// A further page of an order's fills. Where it cannot be sent, the order is asked for from the first page.
    fn ask_fills_page(
        &mut self,
        id: ClientOrderId,
        sum: Qty,
        cursor: &str,
        now: TsNs,
        rest: &mut RestWire<'_>,
    ) {
        let Some(&mut Order { instrument, venue_id, .. }) = self.orders.get(id) else { return };
        let Some(symbol) = self.encoder.symbol_of(instrument) else { return };
        let ask = self.rest.fills(symbol, venue_id.as_str(), cursor);
        let is_asked = self.budget.query(now) && self.ask(AskKind::Fills { id, sum }, &ask, now, rest);
        if let Some(order) = self.orders.get(id) {
            order.is_asked = is_asked;
        }
    }

    /// Leaves the trade socket as soon as no answer is under way.
    pub fn drain(&mut self, now: TsNs) {
        self.draining.get_or_insert(now);
    }

    fn check_drain(&mut self, now: TsNs) {
        let Some(since) = self.draining else { return };
        let waiting =
            self.in_flight.waiting(RequestKind::Place) + self.in_flight.waiting(RequestKind::Cancel);
        self.trade.wants_cut |= waiting == 0 || now.since(since) >= DRAIN_TIMEOUT;
    }

    fn tell_budget(&mut self, out: &mut Out<'_>) {
        if self.clock == Known::Yes
            && let Some((left, limit, banned_until, resets_at)) = self.budget.news(out.now)
        {
            let budget = RequestBudget { left, limit, banned_until, resets_at };
            out.event(None, InstrumentId::NONE, EventBody::Budget(budget));
        }
    }

    /// The margin after which "no such order" is proof that it never arrived.
    pub fn arrival_margin(&self) -> u64 {
        VENUE_TIMEOUT + u64::from(self.rest.recv_window_ms) * MS
    }

    pub fn venue_ms(&self, now: TsNs) -> u64 {
        now.0.saturating_add_signed(self.offset_ns) / MS
    }

    /// Our moment of a moment of the venue.
    pub fn our_time(&self, venue_ms: u64) -> TsNs {
        TsNs(venue_ms.saturating_mul(MS).saturating_add_signed(self.offset_ns.saturating_neg()))
    }

    fn state(&self) -> GatewayState {
        match (self.are_links_on() && self.fatal.is_none(), self.is_ready()) {
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
                self.refusals.forget();
            }
            out.event(None, InstrumentId::NONE, EventBody::Gateway(state));
        }
    }
}

fn step(link: &mut Link, next: Step, frame: &[u8], wire: &mut Wire<'_>) {
    match wire(frame) {
        Sent::Yes => link.step = next,
        Sent::No => {}
        Sent::Cut => link.wants_cut = true,
    }
}

fn check(settings: &GatewaySettings, instruments: &[GatewayInstrument]) -> Result<(), GatewayError> {
    if instruments.is_empty() {
        return Err(GatewayError::NoInstruments);
    }
    for (at, one) in instruments.iter().enumerate() {
        let is_twice = |other: &GatewayInstrument| other.id == one.id || other.spec.symbol == one.spec.symbol;
        if instruments.iter().skip(at + 1).any(is_twice) {
            return Err(GatewayError::TwiceNamed(one.spec.symbol));
        }
    }
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if settings.api_key.is_empty() || !settings.api_key.bytes().all(is_key) {
        return Err(GatewayError::BadApiKey);
    }
    if !(1..=60_000).contains(&settings.recv_window_ms) {
        return Err(GatewayError::BadRecvWindow(settings.recv_window_ms));
    }
    match settings.dead_man_s.filter(|seconds| !(3..=300).contains(seconds)) {
        Some(seconds) => Err(GatewayError::BadDeadMan {
            given_ms: u32::from(seconds) * 1_000,
            least_ms: 3_000,
            most_ms: 300_000,
        }),
        None => Ok(()),
    }
}
