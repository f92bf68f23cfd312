//! The order session as a pure state machine: what to send next, and what the venue's words mean for our orders.
//!
//! Knows no socket and no clock: bytes come in through [`Session::on_message`] and its siblings, go out through the wire it
//! is handed and the list of REST calls, and time is the `now` of the call. One session outlives many connections, because
//! what it still has to find out survives them.
//!
//! ```text
//! Offline ─► Clock ─► Keys ─► Connecting ─► Logon ─► Resolving ─► Sweeping ─► Round ─► Ready
//!    ▲       (time; listen key, position mode;  (Ed25519   (each order   (missed   (account, positions,
//!    │        both sockets)                      only)      by query)     trades)   orders)    │
//!    └───────────────── cut, refused, silent, key expired ◄──── Draining ◄─────────────────────┘
//! ```
//!
//! Answers are read in `answers`, the account's events in `reports`; this file holds the state, sends, and watches the
//! clock.

use super::budget::Budget;
use super::encode::{Encoder, Target};
use super::orders::{Kind, Order, Orders, Phase, Request, Requests};
use super::settings::{GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, SendError};
use crate::common::Refusals;
use crate::sign::Signer;
use smc_core::event::{Event, EventBody, GatewayState, OrderUpdate, OrderUpdateKind, ReconcileRound};
use smc_core::output::{CancelOrder, NewOrder, OrderKind};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, TsNs};
use smc_net::{Call, Method};
use std::collections::VecDeque;

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

/// An order or cancel without an answer for this long is unknown.
const ANSWER_TIMEOUT: u64 = 2 * SECOND;
/// A step of the session without an answer for this long ends the connection.
const STEP_TIMEOUT: u64 = 15 * SECOND;
/// The venue's own timeout inside the matching engine; an order may arrive this late.
const VENUE_TIMEOUT: u64 = 10 * SECOND;
/// How often the clocks are compared.
const CLOCK_EVERY: u64 = 30 * SECOND;
/// The listen key lives for an hour.
const KEEP_ALIVE_EVERY: u64 = 25 * 60 * SECOND;
/// Margin and balances are read anew at least so often, and at most once a second when something changed.
const ACCOUNT_EVERY: u64 = 30 * SECOND;
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
    pub fn order(&mut self, venue_ms: Option<u64>, place: Place, kind: OrderUpdateKind) {
        let (instrument, client_order_id, venue_order_id) = place;
        let update = OrderUpdate { client_order_id, venue_order_id, kind };
        self.event(venue_ms, instrument, EventBody::Order(update));
    }
}

/// Which order: instrument, our id, the venue's id.
pub(super) type Place = (InstrumentId, ClientOrderId, u64);

/// How far the session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is under way; the first question waits for its time.
    Offline,
    /// Comparing clocks, because everything signed carries a time stamp.
    Clock,
    /// Getting the listen key and the position mode.
    Keys,
    /// The sockets are being opened.
    Connecting,
    /// Logging on.
    Logon,
    /// Asking about orders in doubt.
    Resolving,
    /// Fetching trades that happened while we were away.
    Sweeping,
    /// The first round of reconciliation.
    Round,
    /// Orders may be sent.
    Ready,
    /// No new orders; waits for answers before it leaves.
    Draining {
        /// Since when.
        since: TsNs,
    },
}

/// A round of reconciliation under way: which parts are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub number: u32,
    pub waits_for: u32,
    pub is_complete: bool,
    /// When its questions left.
    pub since: TsNs,
}

/// What is kept of each instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    pub id: InstrumentId,
    /// The last trade of ours that was handed on; 0 for none.
    pub last_trade: u64,
    /// Trades from there on are to be fetched.
    pub wants_sweep: bool,
}

/// The session.
pub(super) struct Session {
    pub encoder: Encoder,
    pub requests: Requests,
    pub orders: Orders,
    pub budget: Budget,
    pub step: Step,
    /// When the present step began.
    pub step_since: TsNs,
    /// The request of the present step is under way (or the step has none).
    is_step_sent: bool,
    /// REST calls that the owner hands on.
    pub calls: VecDeque<Call>,
    pub listen_key: String,
    pub is_mode_known: bool,
    pub round: Option<Round>,
    pub rounds: u32,
    pub is_round_wanted: bool,
    pub instruments: Vec<Watched>,
    /// Assets whose balances the engine wants: what profit is counted and fees are paid in.
    pub assets: Vec<Name>,
    pub is_account_changed: bool,
    account_asked: TsNs,
    pub instance: u16,
    recv_window_ms: u32,
    dead_man_ms: u32,
    dead_man_set: TsNs,
    kept_alive: TsNs,
    clock_asked: TsNs,
    pub is_clock_wrong: bool,
    opened: TsNs,
    next_check: TsNs,
    /// No first question before this.
    retry_at: TsNs,
    failures: u32,
    told: GatewayState,
    /// The connections are no good any more; their owner closes them.
    pub wants_cut: bool,
    pub refusals: Refusals,
    pub fatal: Option<GatewayFatal>,
    pub counters: GatewayCounters,
}

impl Session {
    pub fn new(
        api_key: &str,
        signer: Signer,
        (recv_window_ms, dead_man_ms): (u32, u32),
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
        let is_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if api_key.is_empty() || !api_key.bytes().all(is_key) {
            return Err(GatewayError::BadApiKey);
        }
        if !(1..=60_000).contains(&recv_window_ms) {
            return Err(GatewayError::BadRecvWindow(recv_window_ms));
        }
        if (1..4_000).contains(&dead_man_ms) {
            let (given_ms, least_ms, most_ms) = (dead_man_ms, 4_000, u32::MAX);
            return Err(GatewayError::BadDeadMan { given_ms, least_ms, most_ms });
        }
        let mut assets: Vec<Name> = instruments.iter().map(|one| one.spec.quote).collect();
        // Fees may be taken in the venue's own token.
        assets.extend(Name::new("BNB"));
        assets.sort_unstable();
        assets.dedup();
        let watched = |one: &GatewayInstrument| Watched { id: one.id, last_trade: 0, wants_sweep: false };
        Ok(Self {
            encoder: Encoder::new(instruments, api_key, signer, recv_window_ms)?,
            requests: Requests::new(),
            orders: Orders::new(),
            budget: Budget::new(),
            step: Step::Offline,
            step_since: TsNs(0),
            is_step_sent: false,
            calls: VecDeque::new(),
            listen_key: String::new(),
            is_mode_known: false,
            round: None,
            rounds: 0,
            is_round_wanted: false,
            instruments: instruments.iter().map(watched).collect(),
            assets,
            is_account_changed: false,
            account_asked: TsNs(0),
            instance,
            recv_window_ms,
            dead_man_ms,
            dead_man_set: TsNs(0),
            kept_alive: TsNs(0),
            clock_asked: TsNs(0),
            is_clock_wrong: false,
            opened: TsNs(0),
            next_check: TsNs(0),
            retry_at: TsNs(0),
            failures: 0,
            told: GatewayState::Down,
            wants_cut: false,
            refusals: Refusals::default(),
            fatal: None,
            counters: GatewayCounters::default(),
        })
    }

    /// Both sockets stand.
    pub fn on_open(&mut self, now: TsNs) {
        self.counters.connects += 1;
        (self.opened, self.next_check) = (now, now);
        self.encoder.is_logged_on = false;
        let step = if self.encoder.can_log_on() { Step::Logon } else { Step::Resolving };
        self.enter(step, now);
    }

    /// A connection is gone, and with it every answer that was under way there.
    pub fn on_cut(&mut self, out: &mut Out<'_>) {
        self.wants_cut = false;
        self.counters.cuts += u64::from(self.step != Step::Offline);
        self.encoder.is_logged_on = false;
        self.listen_key.clear();
        while let Some(request) = self.requests.take_socket() {
            if !request.is_late {
                self.lost(&request, out);
            }
        }
        if let Some(round) = self.round.take() {
            self.tell_round(ReconcileRound { number: round.number, is_end: true, is_complete: false }, out);
        }
        self.rounds = 0;
        // What happens from here on is not told: every order has to be asked about again.
        for order in self.orders.iter_mut() {
            order.is_seen = false;
            if order.phase == Phase::Live {
                order.doubt(Phase::InDoubt, out.now);
            }
        }
        for one in &mut self.instruments {
            one.wants_sweep = one.last_trade != 0;
        }
        self.enter(Step::Offline, out.now);
        self.tell_state(out);
    }

    /// The next attempt waits, longer each time.
    pub fn postpone(&mut self, now: TsNs, first: u64) {
        let pause = first.saturating_mul(1 << self.failures.min(8)).min(30 * SECOND);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = TsNs(now.0.saturating_add(pause)).max(self.budget.blocked_until());
    }

    /// Sends an order. The only way here is [`BinanceUsdmGateway::place`](super::BinanceUsdmGateway::place).
    pub fn place(&mut self, now: TsNs, order: &NewOrder, wire: &mut Wire<'_>) -> Result<(), SendError> {
        if self.step != Step::Ready || self.wants_cut {
            return Err(SendError::NotReady);
        }
        let terms = &order.terms;
        if terms.stop_on_fill != Price::ZERO
            || terms.target_on_fill != Price::ZERO
            || terms.oco != ClientOrderId::NONE
        {
            return Err(SendError::Unsupported);
        }
        let (id, instrument) = (order.client_order_id, order.instrument);
        if self.orders.get(id).is_some() || self.orders.is_done(id, TsNs(0)) {
            return Err(SendError::Duplicate);
        }
        if self.orders.is_full() {
            return Err(SendError::Full);
        }
        if let Err(until) = self.budget.order(now) {
            self.counters.rate_limited += 1;
            return Err(SendError::RateLimited { until });
        }
        let is_algo = order.kind == OrderKind::StopLimit;
        let target = Target { instrument, id, venue_id: 0, is_algo };
        let request = self.requests.issue(Kind::Place, target, now).ok_or(SendError::Full)?;
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.place(request, time_ms, order).map(wire);
        self.sent(request, sent)?;
        self.orders.insert(Order { is_algo, ..Order::new(id, instrument, now, Phase::Placing) });
        self.counters.orders_sent += 1;
        Ok(())
    }

    /// Sends a cancel: over the order connection, and where that is not to be had, over REST. Passes whatever the limits
    /// say.
    pub fn cancel(
        &mut self,
        now: TsNs,
        cancel: &CancelOrder,
        wire: Option<&mut Wire<'_>>,
    ) -> Result<(), SendError> {
        let (id, instrument) = (cancel.client_order_id, cancel.instrument);
        let known = self.orders.get(id).filter(|_| id != ClientOrderId::NONE).map(|order| order.target());
        let is_named = id != ClientOrderId::NONE || cancel.venue_order_id != 0;
        if self.encoder.find(instrument).is_none() || !is_named {
            return Err(SendError::UnknownInstrument);
        }
        let stranger = Target { instrument, id, venue_id: cancel.venue_order_id, is_algo: false };
        let target = known.unwrap_or(stranger);
        let is_on =
            !matches!(self.step, Step::Offline | Step::Clock | Step::Keys | Step::Connecting | Step::Logon);
        let time_ms = self.venue_ms(now);
        match wire.filter(|_| is_on && !self.wants_cut) {
            Some(wire) => {
                let request = self.requests.issue(Kind::Cancel, target, now).ok_or(SendError::Full)?;
                let sent = self.encoder.cancel(request, time_ms, target).map(wire);
                self.sent(request, sent)?;
            }
            None => {
                let tag = self.requests.issue(Kind::RestCancel, target, now).ok_or(SendError::Full)?;
                let call = self.encoder.cancel_call(tag, time_ms, target)?;
                // Before everything that merely asks.
                self.calls.push_front(call);
            }
        }
        self.counters.cancels_sent += 1;
        Ok(())
    }

    /// Settles the bookkeeping of bytes handed to the wire. What broke half-way counts as sent: it may arrive.
    fn sent(&mut self, request: u64, sent: Result<Sent, SendError>) -> Result<(), SendError> {
        match sent {
            Ok(Sent::Yes) => Ok(()),
            Ok(Sent::Cut) => {
                self.wants_cut = true;
                Ok(())
            }
            Ok(Sent::No) => {
                self.requests.take(request);
                Err(SendError::Backpressure)
            }
            Err(error) => {
                self.requests.take(request);
                Err(error)
            }
        }
    }

    /// Takes over an order that its owner believes to be working (after a restart): it is asked about before the session
    /// becomes ready. False when the table is full.
    pub fn resolve(&mut self, now: TsNs, instrument: InstrumentId, id: ClientOrderId, filled: Qty) -> bool {
        if self.orders.get(id).is_some() {
            return true;
        }
        let order = Order::new(id, instrument, now, Phase::InDoubt);
        self.orders.insert(Order { reported: filled, is_guess: true, ..order })
    }

    /// Sends what is due and looks at the deadlines. Called once per turn; without a wire while the sockets are not open.
    pub fn drive(&mut self, out: &mut Out<'_>, wire: Option<&mut Wire<'_>>) {
        if self.wants_cut || self.fatal.is_some() {
            return self.tell_state(out);
        }
        self.send_step(out, wire);
        // On the way to ready every turn counts: a simulator in lock step lets no time pass before we are ready.
        let is_on_its_way = !matches!(self.step, Step::Offline | Step::Ready | Step::Draining { .. });
        if out.now >= self.next_check || is_on_its_way {
            self.next_check = TsNs(out.now.0.saturating_add(CHECK_EVERY));
            while let Some(request) = self.requests.next_late(out.now, ANSWER_TIMEOUT) {
                self.lost(&request, out);
            }
            self.ask(out.now);
            self.sweep(out.now);
            self.look_after(out);
            self.check_progress(out);
            if let Some(news) = self.budget.news(out.now) {
                out.event(None, InstrumentId::NONE, EventBody::Budget(news));
            }
        }
        self.tell_state(out);
    }

    /// The request of the present step, once.
    fn send_step(&mut self, out: &mut Out<'_>, wire: Option<&mut Wire<'_>>) {
        let now = out.now;
        if self.step == Step::Offline && now >= self.retry_at && now >= self.budget.blocked_until() {
            self.enter(Step::Clock, now);
        }
        if std::mem::replace(&mut self.is_step_sent, true) {
            return;
        }
        match self.step {
            Step::Offline => self.is_step_sent = false,
            Step::Clock => self.call(Kind::Time, now),
            Step::Keys => {
                self.call(Kind::ListenKey, now);
                if !self.is_mode_known {
                    self.call(Kind::PositionMode, now);
                }
            }
            Step::Logon => {
                let Some(wire) = wire else { return self.is_step_sent = false };
                let Some(id) = self.requests.issue(Kind::Logon, NOBODY, now) else { return };
                let time_ms = self.venue_ms(now);
                let sent = wire(self.encoder.logon(id, time_ms));
                self.is_step_sent = self.sent(id, Ok(sent)).is_ok();
            }
            Step::Round => self.begin_round(out),
            Step::Connecting | Step::Resolving | Step::Sweeping | Step::Ready | Step::Draining { .. } => {}
        }
    }

    /// A REST call that is about no order.
    fn call(&mut self, kind: Kind, now: TsNs) {
        let Some(tag) = self.requests.issue(kind, NOBODY, now) else { return };
        let time_ms = self.venue_ms(now);
        let call = match kind {
            Kind::Time => self.encoder.time_call(tag),
            Kind::ListenKey => self.encoder.listen_key_call(tag, Method::Post),
            Kind::KeepAlive => self.encoder.listen_key_call(tag, Method::Put),
            Kind::PositionMode => self.encoder.account_call(tag, time_ms, "/fapi/v1/positionSide/dual"),
            Kind::Positions => self.encoder.account_call(tag, time_ms, "/fapi/v3/positionRisk"),
            Kind::OpenOrders => self.encoder.account_call(tag, time_ms, "/fapi/v1/openOrders"),
            Kind::OpenAlgos => self.encoder.account_call(tag, time_ms, "/fapi/v1/openAlgoOrders"),
            _ => self.encoder.account_call(tag, time_ms, "/fapi/v3/account"),
        };
        if kind == Kind::Time {
            self.clock_asked = now;
        }
        self.calls.push_back(call);
    }

    /// Begins a round: its beginning is told when its questions leave, its rows as they come.
    fn begin_round(&mut self, out: &mut Out<'_>) {
        self.rounds += 1;
        self.is_round_wanted = false;
        let parts = [Kind::Positions, Kind::OpenOrders, Kind::OpenAlgos, Kind::Account];
        let waits_for = parts.len() as u32;
        self.round = Some(Round { number: self.rounds, waits_for, is_complete: true, since: out.now });
        self.tell_round(ReconcileRound { number: self.rounds, is_end: false, is_complete: false }, out);
        self.account_asked = out.now;
        self.is_account_changed = false;
        for kind in parts {
            self.call(kind, out.now);
        }
    }

    /// A part of the round has come, or will not come.
    pub(super) fn end_round_part(&mut self, is_good: bool, out: &mut Out<'_>) {
        let Some(round) = &mut self.round else { return };
        round.waits_for = round.waits_for.saturating_sub(1);
        round.is_complete &= is_good;
        if round.waits_for > 0 {
            return;
        }
        let Round { number, is_complete, .. } = *round;
        self.round = None;
        self.counters.rounds += u64::from(is_complete);
        self.tell_round(ReconcileRound { number, is_end: true, is_complete }, out);
        if self.step == Step::Round {
            match is_complete {
                true => {
                    self.failures = 0;
                    self.enter(Step::Ready, out.now);
                }
                false => self.wants_cut = true,
            }
        }
    }

    fn tell_round(&self, round: ReconcileRound, out: &mut Out<'_>) {
        for one in &self.instruments {
            out.event(None, one.id, EventBody::Round(round));
        }
    }

    /// A request whose outcome we cannot know.
    pub(super) fn lost(&mut self, request: &Request, out: &mut Out<'_>) {
        match request.kind {
            Kind::Place => self.doubt_place(request, out),
            Kind::Cancel | Kind::RestCancel => self.doubt_cancel(request, out),
            Kind::Status | Kind::Trades => {
                self.may_ask_again(request.order);
                self.give_up_fills(request.order, out);
            }
            Kind::Positions | Kind::OpenOrders | Kind::OpenAlgos => self.end_round_part(false, out),
            Kind::Account => self.end_account(request, false, out),
            Kind::Sweep => self.want_sweep(request.instrument),
            Kind::Countdown | Kind::KeepAlive => {}
            Kind::Time if self.step != Step::Clock => self.is_clock_wrong = true,
            Kind::Time | Kind::ListenKey | Kind::PositionMode | Kind::Logon => self.wants_cut = true,
        }
    }

    /// The account is asked for by rounds and between them; only the former end a part of one.
    pub(super) fn end_account(&mut self, request: &Request, is_good: bool, out: &mut Out<'_>) {
        if self.round.is_some_and(|round| round.since == request.sent) {
            self.end_round_part(is_good, out);
        }
        self.is_account_changed |= !is_good;
    }

    pub(super) fn want_sweep(&mut self, instrument: InstrumentId) {
        self.instruments.iter_mut().filter(|one| one.id == instrument).for_each(|one| one.wants_sweep = true);
    }

    /// Nobody can tell whether the order arrived. If a report has told already, there is no doubt.
    pub(super) fn doubt_place(&mut self, request: &Request, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(request.order).filter(|order| order.phase == Phase::Placing) else {
            return;
        };
        order.doubt(Phase::InDoubt, out.now);
        order.is_doubt_told = true;
        self.counters.unknown += 1;
        out.order(None, (request.instrument, request.order, 0), OrderUpdateKind::Unknown);
    }

    /// Nobody can tell whether the cancel arrived.
    pub(super) fn doubt_cancel(&mut self, request: &Request, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(request.order) else { return };
        (order.is_cancel_lost, order.is_doubt_told) = (true, true);
        if !order.is_asking() {
            order.doubt(Phase::InDoubt, out.now);
        }
        let venue_id = order.venue_id;
        self.counters.unknown += 1;
        out.order(None, (request.instrument, request.order, venue_id), OrderUpdateKind::Unknown);
    }

    pub(super) fn may_ask_again(&mut self, id: ClientOrderId) {
        if let Some(order) = self.orders.get(id) {
            order.is_asked = false;
        }
    }

    /// Asks about every order in doubt whose time has come.
    fn ask(&mut self, now: TsNs) {
        if matches!(self.step, Step::Offline | Step::Clock | Step::Keys | Step::Connecting | Step::Logon) {
            return;
        }
        let time_ms = self.venue_ms(now);
        let Self { orders, requests, encoder, budget, calls, counters, .. } = self;
        for order in orders.iter_mut() {
            if !order.is_asking() || order.is_asked || now < order.ask_at {
                continue;
            }
            // Trades are asked for by the venue's id of the plain order; one whose id we do not know is asked for first.
            let wants_trades =
                matches!(order.phase, Phase::MissingFills { .. }) && order.venue_id != 0 && !order.is_algo;
            let (kind, weight) = if wants_trades { (Kind::Trades, 5) } else { (Kind::Status, 1) };
            if !budget.ask(now, weight) {
                return;
            }
            let target = order.target();
            let Some(tag) = requests.issue(kind, target, now) else { return };
            let call = match wants_trades {
                true => encoder.trades_call(tag, time_ms, order.instrument, ("orderId", order.venue_id)),
                false => encoder.status_call(tag, time_ms, target),
            };
            let Some(call) = call else {
                requests.take(tag);
                continue;
            };
            calls.push_back(call);
            order.is_asked = true;
            let pause = ASK_FIRST.saturating_mul(1 << order.asks.min(8)).min(ASK_LONGEST);
            order.ask_at = TsNs(now.0.saturating_add(pause));
            order.asks = order.asks.saturating_add(1);
            counters.queries += 1;
        }
    }

    /// Asks for the trades since the last one that was handed on.
    fn sweep(&mut self, now: TsNs) {
        if !matches!(self.step, Step::Sweeping | Step::Round | Step::Ready) {
            return;
        }
        let time_ms = self.venue_ms(now);
        for at in 0..self.instruments.len() {
            let Some(one) = self.instruments.get_mut(at).filter(|one| one.wants_sweep) else { continue };
            if !self.budget.ask(now, 5) {
                return;
            }
            let (instrument, from) = (one.id, one.last_trade.saturating_add(1));
            let target = Target { instrument, ..NOBODY };
            let Some(tag) = self.requests.issue(Kind::Sweep, target, now) else { return };
            one.wants_sweep = false;
            self.calls.extend(self.encoder.trades_call(tag, time_ms, instrument, ("fromId", from)));
            self.counters.queries += 1;
        }
    }

    /// Clock, listen key, account, rounds and the dead man's timer, each when it is due.
    fn look_after(&mut self, out: &mut Out<'_>) {
        let now = out.now;
        if !matches!(self.step, Step::Resolving | Step::Sweeping | Step::Round | Step::Ready) {
            return;
        }
        let is_clock_due = self.is_clock_wrong || now.since(self.clock_asked) >= CLOCK_EVERY;
        if is_clock_due && self.requests.waiting(Kind::Time) == 0 && self.budget.ask(now, 1) {
            self.is_clock_wrong = false;
            self.call(Kind::Time, now);
        }
        if now.since(self.kept_alive) >= KEEP_ALIVE_EVERY && self.budget.ask(now, 1) {
            self.kept_alive = now;
            self.call(Kind::KeepAlive, now);
        }
        if self.step != Step::Ready {
            return;
        }
        if self.is_round_wanted && self.round.is_none() && self.budget.ask(now, 91) {
            self.begin_round(out);
        }
        let asked = now.since(self.account_asked);
        let is_account_due = asked >= ACCOUNT_EVERY || self.is_account_changed && asked >= SECOND;
        if is_account_due && self.requests.waiting(Kind::Account) == 0 && self.budget.ask(now, 5) {
            self.is_account_changed = false;
            self.account_asked = now;
            self.call(Kind::Account, now);
        }
        let is_dead_man_due = now.since(self.dead_man_set) >= u64::from(self.dead_man_ms) * MS / 4;
        if self.dead_man_ms > 0 && is_dead_man_due {
            self.dead_man_set = now;
            let (time_ms, countdown) = (self.venue_ms(now), self.dead_man_ms);
            for one in &self.instruments {
                let target = Target { instrument: one.id, ..NOBODY };
                let Some(tag) = self.requests.issue(Kind::Countdown, target, now) else { return };
                self.calls.extend(self.encoder.countdown_call(tag, time_ms, one.id, countdown));
            }
        }
    }

    /// Steps that end by themselves.
    fn check_progress(&mut self, out: &mut Out<'_>) {
        let now = out.now;
        match self.step {
            Step::Clock | Step::Keys | Step::Logon | Step::Round
                if now.since(self.step_since) >= STEP_TIMEOUT =>
            {
                self.wants_cut = true;
            }
            Step::Keys if !self.listen_key.is_empty() && self.is_mode_known => {
                self.kept_alive = now;
                self.enter(Step::Connecting, now);
            }
            Step::Resolving => {
                let is_resolved = |order: &Order| match order.phase {
                    Phase::Placing | Phase::Live => true,
                    Phase::InDoubt => order.is_seen || order.asks >= ASKS_MAX && !order.is_asked,
                    Phase::MissingFills { .. } => false,
                };
                if self.orders.iter().all(is_resolved) {
                    self.enter(Step::Sweeping, now);
                }
            }
            Step::Sweeping => {
                let is_swept = self.instruments.iter().all(|one| !one.wants_sweep);
                if is_swept && self.requests.waiting(Kind::Sweep) == 0 {
                    self.enter(Step::Round, now);
                }
            }
            Step::Ready if now.since(self.opened) >= CONNECTION_LIFE => self.drain(now),
            Step::Draining { since } => {
                let is_idle = self.requests.waiting(Kind::Place) + self.requests.waiting(Kind::Cancel) == 0;
                self.wants_cut |= is_idle || now.since(since) >= DRAIN_TIMEOUT;
            }
            _ => {}
        }
    }

    /// Leaves these connections as soon as no answer is under way.
    pub(super) fn drain(&mut self, now: TsNs) {
        match self.step {
            Step::Ready | Step::Resolving | Step::Sweeping | Step::Round => {
                self.enter(Step::Draining { since: now }, now);
            }
            Step::Draining { .. } => {}
            _ => self.wants_cut = true,
        }
    }

    pub(super) fn enter(&mut self, step: Step, now: TsNs) {
        (self.step, self.step_since, self.is_step_sent) = (step, now, false);
    }

    /// The margin after which "no such order" is proof that it never arrived.
    pub(super) fn arrival_margin(&self) -> u64 {
        VENUE_TIMEOUT + u64::from(self.recv_window_ms) * MS
    }

    fn venue_ms(&self, now: TsNs) -> u64 {
        now.0.saturating_add_signed(self.budget.offset_ns) / MS
    }

    /// Says the state when it is another than said before.
    pub fn tell_state(&mut self, out: &mut Out<'_>) {
        let state = match self.step {
            Step::Ready => GatewayState::Ready,
            Step::Resolving | Step::Sweeping | Step::Round | Step::Draining { .. } => GatewayState::Syncing,
            _ => GatewayState::Down,
        };
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

/// What requests name that are about no order.
pub(super) const NOBODY: Target =
    Target { instrument: InstrumentId::NONE, id: ClientOrderId::NONE, venue_id: 0, is_algo: false };
