//! The gateway the engine's turn calls: a session on one stream and two REST clients, made again when they break.
//!
//! Orders and cancels have connections of their own, so that no question stands in their way. Runs on the engine's thread;
//! `turn` is one bounded pass. Reads no clock and never blocks. Connections are made one after another, because the venue
//! refuses more than two in a second.

use super::answers::RestOutcome;
use super::session::{ASK_TIMEOUT, MS, ORDER_TIMEOUT, Out, SECOND, Session};
use super::settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, Recalled, SendError,
};
use super::tape::Scratch;
use smc_core::Event;
use smc_core::output::{CancelOrder, NewOrder, ReplaceOrder};
use smc_core::risk::ApprovedOrder;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};
use smc_net::{Caller, Endpoint, NetError, Outcome, StreamClient, StreamLimits};

/// Connections for orders and cancels.
const ORDER_CONNECTIONS: usize = 3;
/// Connections for questions.
const ASK_CONNECTIONS: usize = 1;
/// Orders that may wait for a connection; more would leave too late.
const ORDERS_WAITING_MAX: usize = 16;
/// Between two connections that are begun.
const SPACING: u64 = 1_100 * MS;
/// First pause before another stream; doubles up to the longest.
const RETRY_FIRST: u64 = 250 * MS;
const RETRY_LONGEST: u64 = 30 * SECOND;
/// After a stream that was refused: trying again soon would make it worse.
const RETRY_REFUSED: u64 = 10 * SECOND;
/// A stream that is not open after this long is given up.
const CONNECT_TIMEOUT: u64 = 10 * SECOND;
/// A stream that was good for so long forgives earlier failures.
const STEADY: u64 = 5 * SECOND;

/// Orders and account of one Oanda account.
pub struct OandaGateway {
    session: Session,
    scratch: Scratch,
    endpoint: Endpoint,
    stream_path: String,
    stream: Option<StreamClient>,
    /// When the present stream was begun.
    begun: TsNs,
    /// No new stream before this.
    retry_at: TsNs,
    /// Streams since one was last good.
    attempts: u32,
    /// State of the jitter; no clock, no system randomness.
    jitter: u64,
    /// No further connection is begun before this.
    spaced_until: TsNs,
    orders: Caller,
    asks: Caller,
    past_received: u64,
    past_sent: u64,
    last_error: Option<NetError>,
}

impl OandaGateway {
    /// Checks the settings. Connects with the first [`turn`](Self::turn).
    pub fn new(settings: GatewaySettings, instruments: &[GatewayInstrument]) -> Result<Self, GatewayError> {
        let session = Session::new(&settings, instruments)?;
        Ok(Self {
            stream_path: session.encoder.stream_path(),
            session,
            scratch: Scratch::new(),
            endpoint: settings.stream,
            stream: None,
            begun: TsNs(0),
            retry_at: TsNs(0),
            attempts: 0,
            jitter: 0x9e37_79b9_7f4a_7c15 ^ u64::from(settings.instance),
            spaced_until: TsNs(0),
            orders: Caller::new(settings.rest.clone(), ORDER_CONNECTIONS, ORDER_TIMEOUT),
            asks: Caller::new(settings.rest, ASK_CONNECTIONS, ASK_TIMEOUT),
            past_received: 0,
            past_sent: 0,
            last_error: None,
        })
    }

    /// One bounded turn: reads stream and answers, drives reconciliation and open questions, emits events. Returns the
    /// events emitted.
    pub fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32 {
        let mut out = Out::new(now, emit);
        if self.session.fatal.is_none() {
            self.connect(now);
        }
        self.read_stream(&mut out);
        self.read_answers(&mut out);
        let until = self.session.budget.banned_until().0;
        self.orders.hold_until(until);
        self.asks.hold_until(until);
        let asks = &mut self.asks;
        self.session.drive(&mut out, &mut |call| asks.call(now.0, call));
        if self.session.link.wants_cut {
            self.cut(NetError::TimedOut, &mut out);
        }
        if self.session.fatal.is_some() && self.stream.is_some() {
            self.cut(NetError::Closed { code: None }, &mut out);
        }
        out.count
    }

    /// Closes every connection, on which whatever was under way is unknown from now on; the next [`turn`](Self::turn) makes
    /// new ones.
    #[cold]
    pub fn hang_up(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) {
        let mut out = Out::new(now, emit);
        self.cut(NetError::Closed { code: None }, &mut out);
    }

    /// Sends an order the gate approved. `Ok` means that it may be on its way: its outcome comes as an event.
    /// `Err` means that nothing left.
    pub fn place(&mut self, now: TsNs, order: &ApprovedOrder) -> Result<(), SendError> {
        self.place_order(now, order.order())
    }

    /// For [`place`](Self::place), and for tests, which cannot make an approval.
    pub(crate) fn place_order(&mut self, now: TsNs, order: &NewOrder) -> Result<(), SendError> {
        let orders = &mut self.orders;
        self.session
            .place(now, order, &mut |call| orders.open() < ORDERS_WAITING_MAX && orders.call(now.0, call))
    }

    /// Puts an order in the place of a working one, in one step at the venue.
    pub fn replace(&mut self, now: TsNs, replace: &ReplaceOrder) -> Result<(), SendError> {
        self.replace_order(now, &replace.cancel(), replace.order.order())
    }

    /// For [`replace`](Self::replace), and for tests, which cannot make an approval.
    pub(crate) fn replace_order(
        &mut self,
        now: TsNs,
        cancel: &CancelOrder,
        order: &NewOrder,
    ) -> Result<(), SendError> {
        let orders = &mut self.orders;
        self.session.replace(now, cancel, order, &mut |call| {
            orders.open() < ORDERS_WAITING_MAX && orders.call(now.0, call)
        })
    }

    /// Sends a cancel. Passes whatever the limits say.
    pub fn cancel(&mut self, now: TsNs, cancel: &CancelOrder) -> Result<(), SendError> {
        let orders = &mut self.orders;
        self.session.cancel(now, cancel, &mut |call| orders.call(now.0, call))
    }

    /// Asks for another round of reconciliation as soon as one can be had.
    pub fn want_round(&mut self, _now: TsNs) {
        self.session.want_round();
    }

    /// Takes over an order that the caller believes to be working (after a restart), with the quantity it knows
    /// to be filled. The venue is asked about it, and its state is told as events, before the gateway is ready.
    /// False when the table of orders is full.
    pub fn resolve(
        &mut self,
        now: TsNs,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        filled: Qty,
    ) -> bool {
        self.session.resolve(now, instrument, client_order_id, filled)
    }

    /// Says what the engine knows of an order from before this process: the venue speaks of parts. After
    /// [`resolve`](Self::resolve) of those that work, for those that are over too: what is listed may speak of them again.
    pub fn recall(&mut self, order: &Recalled) {
        self.session.recall(order);
    }

    /// Goes on where another process ended: that one had told everything up to transaction `told_to` (0 when it never said so)
    /// and counted these fills, before that and beyond. All that came after is asked for and told before the gateway is ready.
    pub fn resume(&mut self, told_to: u64, fills: impl IntoIterator<Item = u64>) {
        self.session.resume(told_to, fills);
    }

    /// True while orders may be sent.
    pub fn is_ready(&self) -> bool {
        self.session.is_ready()
    }

    /// Whether the venue has begun to answer the stream.
    pub fn is_subscribed(&self) -> bool {
        self.session.link.is_open
    }

    /// Why the venue will not let us in, once it has said so. No order is sent from then on.
    pub fn fatal(&self) -> Option<&GatewayFatal> {
        self.session.fatal.as_ref()
    }

    /// Why the last stream ended or could not be made.
    pub fn last_error(&self) -> Option<&NetError> {
        self.last_error.as_ref()
    }

    /// The venue's words for what it refused last; empty before.
    pub fn last_refusal(&self) -> &str {
        &self.session.last_refusal
    }

    /// What was done since start.
    pub fn counters(&self) -> GatewayCounters {
        self.session.counters
    }

    /// Raw bytes received over all connections.
    pub fn bytes_received(&self) -> u64 {
        let stream = self.stream.as_ref().map_or(0, StreamClient::bytes_received);
        self.past_received + stream + self.orders.bytes_received() + self.asks.bytes_received()
    }

    /// Raw bytes sent over all connections.
    pub fn bytes_sent(&self) -> u64 {
        let stream = self.stream.as_ref().map_or(0, StreamClient::bytes_sent);
        self.past_sent + stream + self.orders.bytes_sent() + self.asks.bytes_sent()
    }

    /// Connections being made, requests on their way out, and bytes the sockets have not taken yet; 0 when quiet.
    pub fn in_flight(&self) -> u32 {
        let is_sending = self.stream.as_ref().is_some_and(|stream| stream.pending_send() > 0);
        u32::from(is_sending) + self.orders.in_flight() + self.asks.in_flight()
    }

    fn connect(&mut self, now: TsNs) {
        if now < self.spaced_until {
            return;
        }
        let is_begun = if self.stream.is_none() && now >= self.retry_at {
            self.begin_stream(now);
            true
        } else {
            self.session.link.is_open && (self.asks.keep_warm(now.0) || self.orders.keep_warm(now.0))
        };
        if is_begun {
            self.spaced_until = TsNs(now.0.saturating_add(SPACING));
        }
    }

    fn begin_stream(&mut self, now: TsNs) {
        self.begun = now;
        let authorization = self.session.encoder.authorization();
        let headers = [("Authorization", authorization), ("Accept-Datetime-Format", "RFC3339")];
        match StreamClient::connect(&self.endpoint, &self.stream_path, &headers, StreamLimits::default()) {
            Ok(stream) => self.stream = Some(stream),
            Err(error) => {
                self.schedule_retry(now, RETRY_FIRST);
                self.last_error = Some(error);
            }
        }
    }

    fn read_stream(&mut self, out: &mut Out<'_>) {
        let Some(stream) = &mut self.stream else { return };
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        if !session.link.is_open && stream.is_open() {
            session.on_open(out.now);
            // The first question takes a connection as well.
            self.spaced_until = TsNs(out.now.0.saturating_add(SPACING));
        }
        let read = stream.poll(&mut |line: &mut [u8]| {
            if !session.link.is_open {
                session.on_open(out.now);
            }
            session.on_line(line, scratch, out);
        });
        let is_open = session.link.is_open;
        if is_open && out.now.since(self.begun) >= STEADY {
            self.attempts = 0;
        }
        match read {
            Err(error) => self.cut(error, out),
            Ok(_) if !is_open && out.now.since(self.begun) >= CONNECT_TIMEOUT => {
                self.cut(NetError::TimedOut, out)
            }
            Ok(_) => {}
        }
    }

    fn read_answers(&mut self, out: &mut Out<'_>) {
        let (session, scratch, now) = (&mut self.session, &mut self.scratch, out.now.0);
        for caller in [&mut self.orders, &mut self.asks] {
            caller.turn(now, &mut |tag, outcome| match outcome {
                Outcome::Answer(response) => {
                    let mut body = response.body.to_vec();
                    let outcome = RestOutcome::Answer {
                        status: response.status,
                        date: response.header("date"),
                        retry_after: response.header("retry-after"),
                        body: &mut body,
                    };
                    session.on_rest(tag, outcome, scratch, out);
                }
                Outcome::NotSent(_) => session.on_rest(tag, RestOutcome::NotSent, scratch, out),
                Outcome::Unknown(_) => session.on_rest(tag, RestOutcome::Unknown, scratch, out),
            });
        }
    }

    /// Gives the stream up.
    #[cold]
    fn cut(&mut self, error: NetError, out: &mut Out<'_>) {
        if let Some(stream) = self.stream.take() {
            self.past_received += stream.bytes_received();
            self.past_sent += stream.bytes_sent();
        }
        let pause = match &error {
            NetError::StreamRefused { status: status @ (401 | 403), body } => {
                let text = String::from_utf8_lossy(body).into_owned();
                self.session.on_unauthorized(*status, "the transaction stream", &text, out.now);
                RETRY_FIRST
            }
            NetError::StreamRefused { status: 400..=499, .. } => RETRY_REFUSED,
            _ => RETRY_FIRST,
        };
        self.schedule_retry(out.now, pause);
        self.last_error = Some(error);
        self.session.on_cut(out);
    }

    /// Doubling pauses, each shortened by up to half at random, so that many engines do not come back at once; a pause
    /// after a refusal is kept whole.
    fn schedule_retry(&mut self, now: TsNs, first: u64) {
        let pause = first.saturating_mul(1 << self.attempts.min(16)).min(RETRY_LONGEST.max(first));
        self.attempts = self.attempts.saturating_add(1);
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let shorter = if first == RETRY_FIRST { self.jitter % (pause / 2 + 1) } else { 0 };
        self.retry_at = TsNs(now.0.saturating_add(pause - shorter));
    }
}
