//! The gateway the engine's turn calls: a session on two sockets and a REST client, made again when they break.
//!
//! Runs on the engine's thread. `place` and `cancel` write to the socket before they return; `turn` is one bounded pass
//! over what the sockets hold. Reads no clock, never blocks, and on the way of an order allocates only while connecting.

use super::answers::RestOutcome;
use super::session::{MS, Out, REST_TIMEOUT, SECOND, Sent, Session, Step, Wires};
use super::settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
use super::tape::Scratch;
use smc_core::Event;
use smc_core::output::{CancelOrder, NewOrder, ReplaceOrder};
use smc_core::risk::ApprovedOrder;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};
use smc_net::{Caller, Endpoint, NetError, Outcome, WsClient, WsLimits};

/// First pause before another connection; doubles up to the longest.
const RETRY_FIRST: u64 = 100 * MS;
const RETRY_LONGEST: u64 = 30 * SECOND;
/// After a refused upgrade (403, 429): trying again soon would make it worse.
const RETRY_REFUSED: u64 = 60 * SECOND;
/// After 403 the venue wants ten minutes.
const RETRY_FORBIDDEN: u64 = 600 * SECOND;
/// A connection that is not open after this long is given up.
const CONNECT_TIMEOUT: u64 = 10 * SECOND;
/// A connection that was good for so long forgives earlier failures.
const STEADY: u64 = 5 * SECOND;
/// REST connections kept.
const REST_CONNECTIONS: usize = 3;

/// Orders and account of one category of one Bybit account.
pub struct BybitGateway {
    session: Session,
    scratch: Scratch,
    trade: Socket,
    private: Socket,
    rest: Caller,
    last_error: Option<NetError>,
}

/// One socket with its way back.
struct Socket {
    endpoint: Endpoint,
    path: String,
    wire: Option<WsClient>,
    /// When the present connection was begun.
    begun: TsNs,
    /// The session knows that the connection stands.
    is_open: bool,
    /// No new connection before this.
    retry_at: TsNs,
    /// Connections since one was last good.
    attempts: u32,
    /// State of the jitter; no clock, no system randomness.
    jitter: u64,
    /// Bytes of connections that are gone.
    received_before: u64,
    sent_before: u64,
}

impl BybitGateway {
    /// Checks the settings and prepares every template. Connects with the first [`turn`](Self::turn).
    pub fn new(settings: GatewaySettings, instruments: &[GatewayInstrument]) -> Result<Self, GatewayError> {
        let session = Session::new(&settings, instruments)?;
        let seed = 0x9e37_79b9_7f4a_7c15 ^ u64::from(settings.instance);
        Ok(Self {
            session,
            scratch: Scratch::new(),
            trade: Socket::new(settings.stream.clone(), settings.trade_path, seed),
            private: Socket::new(settings.stream, settings.private_path, seed.rotate_left(17)),
            rest: Caller::new(settings.rest, REST_CONNECTIONS, REST_TIMEOUT),
            last_error: None,
        })
    }

    /// One bounded turn: reads the sockets, drives log-on, reconciliation and open questions, emits events.
    /// Returns the events emitted.
    pub fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32 {
        let mut out = Out::new(now, emit);
        if self.session.fatal.is_none() {
            self.trade.connect(now, &mut self.last_error);
            self.private.connect(now, &mut self.last_error);
        }
        self.read(&mut out);
        self.open(&mut out);
        self.write(&mut out);
        if self.session.trade.wants_cut {
            self.trade.cut(None, now, &mut self.last_error);
            self.session.on_trade_cut(&mut out);
        }
        if self.session.private.wants_cut {
            self.private.cut(None, now, &mut self.last_error);
            self.session.on_private_cut(&mut out);
        }
        self.session.tell_state(&mut out);
        out.count
    }

    /// Closes every connection, on which whatever was under way is unknown from now on; the next [`turn`](Self::turn) makes
    /// new ones.
    #[cold]
    pub fn hang_up(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) {
        let mut out = Out::new(now, emit);
        self.trade.cut(None, now, &mut self.last_error);
        self.session.on_trade_cut(&mut out);
        self.private.cut(None, now, &mut self.last_error);
        self.session.on_private_cut(&mut out);
        self.session.tell_state(&mut out);
    }

    /// Sends an order the gate approved. `Ok` means that it may be on its way: its outcome comes as an event.
    /// `Err` means that nothing left.
    pub fn place(&mut self, now: TsNs, order: &ApprovedOrder) -> Result<(), SendError> {
        self.place_order(now, order.order())
    }

    /// For [`place`](Self::place), and for tests, which cannot make an approval.
    pub(crate) fn place_order(&mut self, now: TsNs, order: &NewOrder) -> Result<(), SendError> {
        let wire = self.trade.wire.as_mut().ok_or(SendError::NotReady)?;
        self.session.place(now, order, &mut |bytes| send(wire, bytes))
    }

    /// Sends a cancel: over the trade socket, or over REST while that is down. Passes whatever the limits say.
    pub fn cancel(&mut self, now: TsNs, cancel: &CancelOrder) -> Result<(), SendError> {
        let (wire, rest) = (&mut self.trade.wire, &mut self.rest);
        let mut trade = |bytes: &[u8]| wire.as_mut().map_or(Sent::No, |wire| send(wire, bytes));
        self.session.cancel(now, cancel, &mut trade, &mut |call| rest.call(now.0, call))
    }

    /// Never sends anything: the venue changes an order under its old client id, which is not what the core means by a
    /// replacement. The instrument's rules say so (`can_replace`), and the core does not ask.
    pub fn replace(&mut self, _now: TsNs, _replace: &ReplaceOrder) -> Result<(), SendError> {
        Err(SendError::Unsupported)
    }

    /// Asks the venue to cancel whatever works in an instrument, orders of other hands too.
    pub fn cancel_all(&mut self, now: TsNs, instrument: InstrumentId) -> Result<(), SendError> {
        let rest = &mut self.rest;
        self.session.cancel_all(now, instrument, &mut |call| rest.call(now.0, call))
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

    /// True while orders may be sent.
    pub fn is_ready(&self) -> bool {
        self.session.is_ready() && self.trade.wire.is_some()
    }

    /// Why the venue will not let us in, once it has said so. No order is sent from then on.
    pub fn fatal(&self) -> Option<&GatewayFatal> {
        self.session.fatal.as_ref()
    }

    /// Why the last connection ended or could not be made.
    pub fn last_error(&self) -> Option<&NetError> {
        self.last_error.as_ref()
    }

    /// What was done since start.
    pub fn counters(&self) -> GatewayCounters {
        self.session.counters
    }

    /// Raw bytes received over all connections.
    pub fn bytes_received(&self) -> u64 {
        let of = |socket: &Socket| {
            socket.received_before + socket.wire.as_ref().map_or(0, WsClient::bytes_received)
        };
        of(&self.trade) + of(&self.private) + self.rest.bytes_received()
    }

    /// Raw bytes sent over all connections.
    pub fn bytes_sent(&self) -> u64 {
        let of = |socket: &Socket| socket.sent_before + socket.wire.as_ref().map_or(0, WsClient::bytes_sent);
        of(&self.trade) + of(&self.private) + self.rest.bytes_sent()
    }

    /// Connections being made, requests on their way out, and bytes the sockets have not taken yet; 0 when quiet.
    pub fn in_flight(&self) -> u32 {
        self.trade.in_flight() + self.private.in_flight() + self.rest.in_flight()
    }

    fn read(&mut self, out: &mut Out<'_>) {
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        let read = self.trade.poll(&mut |payload| session.on_trade(payload, scratch, out));
        if let Some(error) = read {
            self.trade.cut(Some(error), out.now, &mut self.last_error);
            session.on_trade_cut(out);
        }
        let read = self.private.poll(&mut |payload| session.on_private(payload, scratch, out));
        if let Some(error) = read {
            self.private.cut(Some(error), out.now, &mut self.last_error);
            session.on_private_cut(out);
        }
        let now = out.now.0;
        self.rest.turn(now, &mut |tag, outcome| match outcome {
            Outcome::Answer(response) => {
                let (status, mut body) = (response.status, response.body.to_vec());
                let reset = response.header("x-bapi-limit-reset-timestamp");
                let reset_ms = reset.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                let answer = RestOutcome::Answer { status, body: &mut body, reset_ms };
                session.on_rest(tag, answer, scratch, out);
            }
            Outcome::NotSent(_) => session.on_rest(tag, RestOutcome::NotSent, scratch, out),
            Outcome::Unknown(_) => session.on_rest(tag, RestOutcome::Unknown, scratch, out),
        });
    }

    /// Tells the session of connections that stand since the last turn, and gives up those that take too long.
    fn open(&mut self, out: &mut Out<'_>) {
        if self.trade.has_opened() {
            self.session.on_trade_open(out.now);
        }
        if self.private.has_opened() {
            self.session.on_private_open(out.now);
        }
        for (socket, step) in
            [(&mut self.trade, self.session.trade.step), (&mut self.private, self.session.private.step)]
        {
            if step == Step::On && out.now.since(socket.begun) >= STEADY {
                socket.attempts = 0;
            }
            if socket.is_late(out.now) {
                socket.cut(Some(NetError::TimedOut), out.now, &mut self.last_error);
            }
        }
    }

    fn write(&mut self, out: &mut Out<'_>) {
        let now = out.now.0;
        self.rest.hold_until(self.session.budget.banned_until().0);
        let (trade, private, rest) = (&mut self.trade, &mut self.private, &mut self.rest);
        let mut wires = Wires {
            trade: &mut |bytes| trade.send(bytes),
            private: &mut |bytes| private.send(bytes),
            rest: &mut |call| rest.call(now, call),
        };
        self.session.drive(out, &mut wires);
    }
}

impl Socket {
    fn new(endpoint: Endpoint, path: String, jitter: u64) -> Self {
        Self {
            endpoint,
            path,
            wire: None,
            begun: TsNs(0),
            is_open: false,
            retry_at: TsNs(0),
            attempts: 0,
            jitter,
            received_before: 0,
            sent_before: 0,
        }
    }

    fn connect(&mut self, now: TsNs, last_error: &mut Option<NetError>) {
        if self.wire.is_some() || now < self.retry_at {
            return;
        }
        self.begun = now;
        self.is_open = false;
        match WsClient::connect(&self.endpoint, &self.path, WsLimits::default()) {
            Ok(wire) => self.wire = Some(wire),
            Err(error) => {
                self.schedule_retry(now, RETRY_FIRST);
                *last_error = Some(error);
            }
        }
    }

    /// Reads what is there; the reason where the connection is gone.
    fn poll(&mut self, read: &mut dyn FnMut(&mut [u8])) -> Option<NetError> {
        self.wire.as_mut()?.poll(&mut |payload: &mut [u8]| read(payload)).err()
    }

    fn send(&mut self, bytes: &[u8]) -> Sent {
        self.wire.as_mut().map_or(Sent::No, |wire| send(wire, bytes))
    }

    /// True once for each connection.
    fn has_opened(&mut self) -> bool {
        let is_open = self.wire.as_ref().is_some_and(WsClient::is_open);
        is_open && !std::mem::replace(&mut self.is_open, is_open)
    }

    fn is_late(&self, now: TsNs) -> bool {
        let is_opening = self.wire.as_ref().is_some_and(|wire| !wire.is_open());
        is_opening && now.since(self.begun) >= CONNECT_TIMEOUT
    }

    fn in_flight(&self) -> u32 {
        let Some(wire) = &self.wire else { return 0 };
        u32::from(!wire.is_open()) + u32::from(wire.pending_send() > 0)
    }

    /// Gives the connection up.
    #[cold]
    fn cut(&mut self, error: Option<NetError>, now: TsNs, last_error: &mut Option<NetError>) {
        if let Some(mut wire) = self.wire.take() {
            wire.close();
            self.received_before += wire.bytes_received();
            self.sent_before += wire.bytes_sent();
        }
        self.is_open = false;
        let pause = match &error {
            Some(NetError::UpgradeRefused { status: 403, .. }) => RETRY_FORBIDDEN,
            Some(NetError::UpgradeRefused { status: 418 | 429, .. }) => RETRY_REFUSED,
            _ => RETRY_FIRST,
        };
        self.schedule_retry(now, pause);
        *last_error = error.or(last_error.take());
    }

    /// Doubling pauses, each shortened by up to half at random, so that many engines do not come back at once; a pause
    /// that the venue asked for is kept whole.
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

fn send(wire: &mut WsClient, bytes: &[u8]) -> Sent {
    match wire.send_text(bytes) {
        Ok(()) => Sent::Yes,
        Err(error) if error.is_fatal() => Sent::Cut,
        Err(_) => Sent::No,
    }
}
