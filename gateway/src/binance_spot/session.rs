//! The order session as a pure state machine: what to send next, and what the venue's words mean for our orders.
//!
//! Knows no socket and no clock: bytes come in through [`Session::on_message`], go out through the wire it is
//! handed, and time is the `now` of the call. One session outlives many connections, because what it still has
//! to find out survives them.
//!
//! ```text
//! Offline ─connected─► Clock ─► Logon ─► Subscribe ─► Reconciling ─► Ready
//!    ▲                 (time, session.logon,          the first round,   │ shutdown told,
//!    │                  userDataStream.subscribe)     see `rounds`       │ day is over
//!    └──────────────── cut, refused, silent ◄──── Draining ◄─────────────┘
//! ```
//!
//! Answers are read in `answers`, reports in `reports`; this file holds the state, sends, and watches the clock.

use super::atomic::{Held, PAIRS_MAX};
use super::budget::Budget;
use super::encode::{Encoder, Named, Query, TRADES_PAGE, TradesQuery};
use super::facts::NOTHING_TOLD;
use super::orders::{Order, Orders, Phase};
use super::rest::Rest;
use super::rounds::Rounds;
use super::settings::{GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, SendError};
use super::trades::Trades;
use crate::requests::{InFlight, Request, RequestKind};
use crate::sign::{Secret, Signer};
use smc_core::event::{Event, EventBody, GatewayState, OrderUpdate, OrderUpdateKind, RequestBudget};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Qty, TsNs};

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

/// An order or cancel without an answer for this long is unknown.
const ANSWER_TIMEOUT: u64 = 2 * SECOND;
/// A query without an answer for this long is asked again.
const QUERY_TIMEOUT: u64 = 5 * SECOND;
/// A step of the session without an answer for this long ends the connection.
const STEP_TIMEOUT: u64 = 10 * SECOND;
/// The venue's own timeout inside the matching engine; an order may arrive this late.
const VENUE_TIMEOUT: u64 = 10 * SECOND;
/// How often the clocks are compared; shows at once whether the connection is alive.
const CLOCK_EVERY: u64 = 20 * SECOND;
/// Deadlines are looked at this often, so that an idle turn costs nothing.
const CHECK_EVERY: u64 = 10 * MS;
/// A connection that is going down waits so long for the answers still under way.
const DRAIN_TIMEOUT: u64 = SECOND;
/// The venue cuts after 24 hours; better at a moment of our choice.
const CONNECTION_LIFE: u64 = (23 * 3_600 + 50 * 60) * SECOND;
/// First pause between two questions about an order; doubles up to the longest.
const ASK_FIRST: u64 = 250 * MS;
const ASK_LONGEST: u64 = 5 * SECOND;
/// Missing fills are asked for so many times before the order is told without them.
pub(super) const ASKS_MAX: u32 = 5;

/// The venue's weights of our queries.
const WEIGHT_STATUS: u32 = 4;
const WEIGHT_TRADES: u32 = 5;

/// What became of bytes handed to the wire.
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
        let ts_event = venue_ms.map_or(self.now, TsNs::from_ms);
        self.count += 1;
        (self.emit)(Event { seq: 0, ts_event, ts_recv: self.now, instrument, body });
    }

    /// Emits an update of an order.
    pub fn order(
        &mut self,
        venue_ms: Option<u64>,
        instrument: InstrumentId,
        id: ClientOrderId,
        venue_order_id: u64,
        kind: OrderUpdateKind,
    ) {
        let update = OrderUpdate { client_order_id: id, venue_order_id, kind };
        self.event(venue_ms, instrument, EventBody::Order(update));
    }
}

/// How far the session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// No connection.
    Offline,
    /// Comparing clocks, because a logon carries a time stamp.
    Clock,
    /// Logging on.
    Logon,
    /// Subscribing the private stream.
    Subscribe,
    /// The first round: everything the venue has of ours is read.
    Reconciling,
    /// Orders may be sent.
    Ready,
    /// No new orders; waits for answers before it leaves.
    Draining {
        /// Since when.
        since: TsNs,
    },
}

/// The session.
pub(super) struct Session {
    pub(super) encoder: Encoder,
    pub(super) instance: u16,
    recv_window_ms: u32,
    /// Assets whose balances the engine wants: what we buy, sell and pay fees with.
    pub(super) watched: Vec<Name>,
    pub(super) in_flight: InFlight,
    pub(super) orders: Orders,
    pub(super) budget: Budget,
    pub(super) step: Step,
    /// The request of the present step is under way (or the step has none).
    pub(super) is_step_sent: bool,
    pub(super) rounds: Rounds,
    pub(super) trades: Trades,
    pub(super) rest: Rest,
    /// The first order of a pair, waiting for the second.
    pub(super) held: Option<Held>,
    /// Stops of the pairs under way, each with the number of its request: what goes out alone if the pair is refused.
    pub(super) paired_stops: Vec<(u64, NewOrder)>,
    /// When the request for open orders left.
    pub(super) listed_at: TsNs,
    /// Counts connections and lists: what an order was last told by.
    pub(super) epoch: u64,
    /// Venue's stamp of the last balances.
    pub(super) balances_at: u64,
    pub(super) budget_told: (RequestBudget, TsNs),
    /// The key can take money out.
    pub(super) can_withdraw: bool,
    /// Key or signature were refused so often since they were last accepted.
    pub(super) refusals: u32,
    /// Orders could be sent once.
    pub(super) was_ready: bool,
    /// The venue's clock minus ours.
    pub(super) offset_ms: i64,
    clock_asked: TsNs,
    pub(super) is_clock_wrong: bool,
    opened: TsNs,
    next_check: TsNs,
    /// Said last. A gateway is down until it says otherwise, so the first thing it says is `Syncing`.
    told: GatewayState,
    /// The connection is no good any more; its owner closes it.
    pub(super) wants_cut: bool,
    pub(super) fatal: Option<GatewayFatal>,
    pub(super) counters: GatewayCounters,
}

impl Session {
    pub fn new(
        api_key: &str,
        secret: &Secret,
        recv_window_ms: u32,
        instance: u16,
        instruments: &[GatewayInstrument],
    ) -> Result<Self, GatewayError> {
        if instruments.is_empty() {
            return Err(GatewayError::NoInstruments);
        }
        for (at, one) in instruments.iter().enumerate() {
            let is_twice =
                |other: &GatewayInstrument| other.id == one.id || other.spec.symbol == one.spec.symbol;
            if instruments.iter().skip(at + 1).any(is_twice) {
                return Err(GatewayError::TwiceNamed(one.spec.symbol));
            }
        }
        if api_key.is_empty()
            || !api_key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            return Err(GatewayError::BadApiKey);
        }
        if !(1..=60_000).contains(&recv_window_ms) {
            return Err(GatewayError::BadRecvWindow(recv_window_ms));
        }
        let mut watched: Vec<Name> = instruments.iter().flat_map(|i| [i.spec.base, i.spec.quote]).collect();
        // Fees may be taken in the venue's own token.
        watched.extend(Name::new("BNB"));
        watched.sort_unstable();
        watched.dedup();
        Ok(Self {
            encoder: Encoder::new(
                instruments,
                recv_window_ms,
                api_key,
                Signer::new(secret).map_err(GatewayError::Key)?,
            )?,
            instance,
            recv_window_ms,
            watched,
            in_flight: InFlight::new(),
            orders: Orders::new(),
            budget: Budget::new(),
            rounds: Rounds::new(),
            trades: Trades::new(instruments.iter().map(|instrument| instrument.id)),
            rest: Rest::new(false),
            held: None,
            paired_stops: Vec::with_capacity(PAIRS_MAX),
            balances_at: 0,
            budget_told: NOTHING_TOLD,
            can_withdraw: false,
            refusals: 0,
            was_ready: false,
            step: Step::Offline,
            is_step_sent: false,
            listed_at: TsNs(0),
            epoch: 0,
            offset_ms: 0,
            clock_asked: TsNs(0),
            is_clock_wrong: false,
            opened: TsNs(0),
            next_check: TsNs(0),
            told: GatewayState::Down,
            wants_cut: false,
            fatal: None,
            counters: GatewayCounters::default(),
        })
    }

    /// A connection stands.
    pub fn on_open(&mut self, now: TsNs) {
        self.epoch += 1;
        self.counters.connects += 1;
        self.opened = now;
        self.next_check = now;
        self.enter(Step::Clock);
    }

    /// The connection is gone, and with it every answer that was under way.
    pub fn on_cut(&mut self, out: &mut Out<'_>) {
        self.wants_cut = false;
        self.counters.cuts += u64::from(self.step != Step::Offline);
        self.enter(Step::Offline);
        self.rest.offline_since = Some(out.now);
        self.rounds.reset();
        self.drop_held(out);
        for trade in self.trades.strange() {
            trade.asked = None;
        }
        while let Some(request) = self.in_flight.take_any() {
            if !request.is_late {
                self.lost(&request, out);
            }
        }
        self.tell_state(out);
    }

    /// Sends an order. The only way here is [`BinanceSpotGateway::place`](super::BinanceSpotGateway::place).
    pub fn place(&mut self, now: TsNs, order: &NewOrder, wire: &mut Wire<'_>) -> Result<(), SendError> {
        match order.terms.oco {
            ClientOrderId::NONE => self.place_alone(now, order, wire),
            _ => self.place_paired(now, order, wire),
        }
    }

    pub(super) fn place_alone(
        &mut self,
        now: TsNs,
        order: &NewOrder,
        wire: &mut Wire<'_>,
    ) -> Result<(), SendError> {
        self.admit(now, order, 1)?;
        let (id, instrument) = (order.client_order_id, order.instrument);
        let request = self.in_flight.issue(RequestKind::Place, id, instrument, now).ok_or(SendError::Full)?;
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.place(request, time_ms, order).map(wire);
        self.sent(request, sent)?;
        self.orders.insert(Order::new(id, instrument, now, Phase::Placing));
        self.budget.count_order();
        self.counters.orders_sent += 1;
        Ok(())
    }

    /// Sends a cancel. Passes whatever the limits say, as soon as the session is logged on.
    pub fn cancel(&mut self, now: TsNs, cancel: &CancelOrder, wire: &mut Wire<'_>) -> Result<(), SendError> {
        if self.cancel_held(cancel.client_order_id) {
            return Ok(());
        }
        if !self.is_logged_on() || self.wants_cut {
            return self.cancel_by_rest(now, cancel);
        }
        let (id, instrument) = (cancel.client_order_id, cancel.instrument);
        let request =
            self.in_flight.issue(RequestKind::Cancel, id, instrument, now).ok_or(SendError::Full)?;
        if id == ClientOrderId::NONE {
            self.in_flight.note_venue_id(request, cancel.venue_order_id);
        }
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.cancel(request, time_ms, cancel).map(wire);
        self.sent(request, sent)?;
        self.counters.cancels_sent += 1;
        Ok(())
    }

    pub(super) fn is_logged_on(&self) -> bool {
        !matches!(self.step, Step::Offline | Step::Clock | Step::Logon | Step::Subscribe)
    }

    /// Another round of reconciliation, as soon as the one under way is over.
    pub fn want_round(&mut self) {
        self.rounds.want();
    }

    /// Settles the bookkeeping of bytes handed to the wire. What broke half-way counts as sent: it may arrive.
    pub(super) fn sent(&mut self, request: u64, sent: Result<Sent, SendError>) -> Result<(), SendError> {
        match sent {
            Ok(Sent::Yes) => Ok(()),
            Ok(Sent::Cut) => {
                self.wants_cut = true;
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

    /// Sends what is due and looks at the deadlines. Called once per turn while connected.
    pub fn drive(&mut self, out: &mut Out<'_>, wire: &mut Wire<'_>) {
        if self.wants_cut {
            return;
        }
        self.send_step(out.now, wire);
        self.drive_held(out, wire);
        self.tell_state(out);
        self.drive_round(out, wire);
        // While reconciling every turn counts: a simulator in lock step lets no time pass before we are ready.
        if out.now >= self.next_check || self.step == Step::Reconciling {
            self.next_check = TsNs(out.now.0.saturating_add(CHECK_EVERY));
            self.check_deadlines(out);
            self.ask(out.now, Some(wire));
            self.compare_clocks(out.now, wire);
            self.check_progress(out.now);
        }
        self.end_round(out);
        self.tell_state(out);
    }

    /// The request of the present step, once.
    fn send_step(&mut self, now: TsNs, wire: &mut Wire<'_>) {
        if self.is_step_sent || self.step != Step::Clock && self.waits_for_rights() {
            return;
        }
        let (kind, query) = match self.step {
            Step::Clock => (RequestKind::Time, Query::Time),
            // Only an Ed25519 key logs on; with another each request is signed.
            Step::Logon => (RequestKind::Logon, Query::Logon),
            Step::Subscribe => (RequestKind::Subscribe, Query::Subscribe),
            Step::Offline | Step::Reconciling | Step::Ready | Step::Draining { .. } => return,
        };
        if kind == RequestKind::Time {
            self.clock_asked = now;
        }
        self.is_step_sent = self.send_query(kind, &query, InstrumentId::NONE, now, wire).is_some();
    }

    /// Requests whose answers are overdue.
    fn check_deadlines(&mut self, out: &mut Out<'_>) {
        let now = out.now;
        let is_over = |request: &Request| {
            let allowed = match request.kind {
                RequestKind::Place
                | RequestKind::Cancel
                | RequestKind::Replace
                | RequestKind::Pair
                | RequestKind::CancelAll => ANSWER_TIMEOUT,
                RequestKind::Status | RequestKind::Trades | RequestKind::Stranger => QUERY_TIMEOUT,
                _ => STEP_TIMEOUT,
            };
            now.since(request.sent) >= allowed
        };
        while let Some(request) = self.in_flight.next_late(is_over) {
            self.lost(&request, out);
        }
    }

    /// A request whose outcome we cannot know.
    pub(super) fn lost(&mut self, request: &Request, out: &mut Out<'_>) {
        match request.kind {
            RequestKind::Place => self.doubt_place(request, out),
            RequestKind::Cancel => self.doubt_cancel(request, out),
            RequestKind::Replace => {
                self.doubt_place(request, out);
                self.doubt_old(request, out);
            }
            RequestKind::Pair => {
                self.take_paired_stop(request.id);
                self.doubt_place(request, out);
                self.doubt_place(&Request { order: request.other, ..*request }, out);
            }
            // What it ended is told by reports; what it did not, only a look can tell.
            RequestKind::CancelAll => self.rounds.want(),
            RequestKind::Stranger => self.on_stranger(request, None, out),
            RequestKind::Account | RequestKind::OpenOrders | RequestKind::Range
                if self.on_round_trouble(request.kind, out) => {}
            RequestKind::Status | RequestKind::Trades => {
                self.may_ask_again(request.order);
                self.give_up_fills(request.order, out);
            }
            _ => self.wants_cut |= self.step != Step::Offline,
        }
    }

    /// Nobody can tell whether the order arrived. If a report has told already, there is no doubt.
    pub(super) fn doubt_place(&mut self, request: &Request, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(request.order).filter(|order| order.phase == Phase::Placing) else {
            return;
        };
        order.doubt(Phase::InDoubt, out.now);
        order.is_doubt_told = true;
        self.counters.unknown += 1;
        out.order(None, request.instrument, request.order, 0, OrderUpdateKind::Unknown);
    }

    /// Nobody can tell whether the cancel arrived.
    pub(super) fn doubt_cancel(&mut self, request: &Request, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(request.order) else { return };
        order.is_cancel_lost = true;
        order.is_doubt_told = true;
        if !order.is_asking() {
            order.doubt(Phase::InDoubt, out.now);
        }
        let venue_id = order.venue_id;
        self.counters.unknown += 1;
        out.order(None, request.instrument, request.order, venue_id, OrderUpdateKind::Unknown);
    }

    /// Asks about every order in doubt whose time has come.
    /// Over the connection, or by REST.
    pub(super) fn ask(&mut self, now: TsNs, mut wire: Option<&mut Wire<'_>>) {
        // Before the first list is read every question may turn out to be needless.
        let is_time =
            self.step == Step::Ready || self.step == Step::Reconciling && self.rounds.is_resolving();
        if wire.is_some() && !is_time {
            return;
        }
        let time_ms = self.venue_ms(now);
        for order in self.orders.iter_mut() {
            if !order.is_asking() || order.is_asked || now < order.ask_at {
                continue;
            }
            // Fills are asked for by the venue's id; an order whose id we do not know is asked for that first.
            let wants_trades = matches!(order.phase, Phase::MissingFills { .. }) && order.venue_id != 0;
            let (kind, weight) = match wants_trades {
                true => (RequestKind::Trades, WEIGHT_TRADES),
                false => (RequestKind::Status, WEIGHT_STATUS),
            };
            if !self.budget.query(now, weight) {
                return;
            }
            let Some(id) = self.in_flight.issue(kind, order.id, order.instrument, now) else { return };
            let trades = TradesQuery {
                instrument: order.instrument,
                order: Some(order.venue_id),
                from: order.trades_from,
                limit: TRADES_PAGE,
            };
            let query = match wants_trades {
                true => Query::Trades(&trades),
                false => Query::Status(order.instrument, Named::Ours(order.id)),
            };
            let sent = match &mut wire {
                Some(wire) => self.encoder.frame(id, time_ms, &query).map(wire),
                None => self.rest.put(id, self.encoder.call(time_ms, &query), &mut self.in_flight),
            };
            match sent {
                Ok(Sent::Yes) => {}
                Ok(Sent::Cut) => self.wants_cut = true,
                Ok(Sent::No) | Err(_) => {
                    self.in_flight.withdraw(id);
                    return;
                }
            }
            order.is_asked = true;
            let pause = ASK_FIRST.saturating_mul(1 << order.asks.min(8)).min(ASK_LONGEST);
            order.ask_at = TsNs(now.0.saturating_add(pause));
            order.asks = order.asks.saturating_add(1);
            self.counters.queries += 1;
        }
    }

    /// Keeps the clocks compared, and thereby notices a connection that has silently died.
    fn compare_clocks(&mut self, now: TsNs, wire: &mut Wire<'_>) {
        let is_due = self.is_clock_wrong || now.since(self.clock_asked) >= CLOCK_EVERY;
        let is_free = self.in_flight.waiting(RequestKind::Time) == 0;
        let is_on = matches!(self.step, Step::Reconciling | Step::Ready);
        if is_on && is_due && is_free && self.budget.query(now, 1) {
            self.is_clock_wrong = false;
            self.clock_asked = now;
            self.send_query(RequestKind::Time, &Query::Time, InstrumentId::NONE, now, wire);
        }
    }

    /// Steps that end by themselves.
    fn check_progress(&mut self, now: TsNs) {
        match self.step {
            Step::Ready if now.since(self.opened) >= CONNECTION_LIFE => self.drain(now),
            Step::Draining { since } => {
                let orders = self.in_flight.orders_waiting();
                let is_idle = orders + self.in_flight.waiting(RequestKind::Cancel) == 0;
                self.wants_cut |= is_idle || now.since(since) >= DRAIN_TIMEOUT;
            }
            _ => {}
        }
    }

    /// Leaves this connection as soon as no answer is under way.
    pub(super) fn drain(&mut self, now: TsNs) {
        match self.step {
            Step::Ready | Step::Reconciling => self.enter(Step::Draining { since: now }),
            Step::Draining { .. } => {}
            _ => self.wants_cut = true,
        }
    }

    pub(super) fn enter(&mut self, step: Step) {
        self.step = step;
        self.is_step_sent = false;
    }

    /// The margin after which "no such order" is proof that it never arrived.
    pub(super) fn arrival_margin(&self) -> u64 {
        VENUE_TIMEOUT + u64::from(self.recv_window_ms) * MS
    }

    pub(super) fn venue_ms(&self, now: TsNs) -> u64 {
        now.as_ms().saturating_add_signed(self.offset_ms)
    }

    fn state(&self) -> GatewayState {
        match self.step {
            Step::Offline | Step::Clock | Step::Logon | Step::Subscribe => GatewayState::Down,
            Step::Reconciling | Step::Draining { .. } => GatewayState::Syncing,
            Step::Ready => GatewayState::Ready,
        }
    }

    /// Says the state when it is another than said before.
    pub fn tell_state(&mut self, out: &mut Out<'_>) {
        let state = self.state();
        if self.told != state {
            self.told = state;
            out.event(None, InstrumentId::NONE, EventBody::Gateway(state));
        }
    }
}
