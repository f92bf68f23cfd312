//! The gateway the engine's turn calls: a session on a connection that it makes again when it breaks.
//!
//! Runs on the engine's thread. `place` and `cancel` write to the socket before they return; `turn` is one
//! bounded pass over what the socket holds. Reads no clock, never blocks, and allocates only while connecting.

use super::decode::Scratch;
use super::session::{MS, Out, SECOND, Sent, Session, Step};
use super::settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
use smc_core::Event;
use smc_core::output::{CancelOrder, NewOrder, ReplaceOrder};
use smc_core::risk::ApprovedOrder;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};
use smc_net::{Caller, Endpoint, NetError, Outcome, WsClient, WsLimits};

/// First pause before another connection; doubles up to the longest.
const RETRY_FIRST: u64 = 100 * MS;
const RETRY_LONGEST: u64 = 30 * SECOND;
/// After a refused upgrade (403, 418, 429): trying again soon would make it worse.
const RETRY_REFUSED: u64 = 60 * SECOND;
/// Connections that REST may use at once, and how long a request may be without an answer.
const REST_CONNECTIONS: usize = 2;
const REST_TIMEOUT: u64 = 5 * SECOND;
/// A connection that is not open after this long is given up.
const CONNECT_TIMEOUT: u64 = 10 * SECOND;

/// Orders and account of one Binance spot account over its WebSocket API.
pub struct BinanceSpotGateway {
    endpoint: Endpoint,
    path: String,
    session: Session,
    rest: Option<Caller>,
    scratch: Scratch,
    wire: Option<WsClient>,
    /// When the present connection was begun.
    begun: TsNs,
    /// The session knows that the connection stands.
    is_open: bool,
    /// No new connection before this.
    retry_at: TsNs,
    /// Connections since the session was last ready.
    attempts: u32,
    /// State of the jitter; no clock, no system randomness.
    jitter: u64,
    /// Bytes of connections that are gone.
    received_before: u64,
    sent_before: u64,
    last_error: Option<NetError>,
}

impl BinanceSpotGateway {
    /// Checks the settings and prepares every template. Connects with the first [`turn`](Self::turn).
    pub fn new(settings: GatewaySettings, instruments: &[GatewayInstrument]) -> Result<Self, GatewayError> {
        let GatewaySettings { endpoint, path, rest, api_key, secret, recv_window_ms, instance, hold } =
            settings;
        let mut session = Session::new(&api_key, &secret, recv_window_ms, instance, instruments)?;
        session.rest.is_open = rest.is_some();
        session.budget.ban = hold;
        Ok(Self {
            session,
            rest: rest.map(|rest| Caller::new(rest, REST_CONNECTIONS, REST_TIMEOUT)),
            endpoint,
            path,
            scratch: Scratch::new(),
            wire: None,
            begun: TsNs(0),
            is_open: false,
            retry_at: TsNs(0),
            attempts: 0,
            jitter: 0x9e37_79b9_7f4a_7c15 ^ u64::from(instance),
            received_before: 0,
            sent_before: 0,
            last_error: None,
        })
    }

    /// One bounded turn: reads the socket, drives logon, reconciliation and open questions, emits events.
    /// Returns the events emitted.
    pub fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32 {
        let mut out = Out::new(now, emit);
        if self.wire.is_none() {
            self.connect(now);
        }
        self.read(&mut out);
        self.write(&mut out);
        self.turn_rest(&mut out);
        if self.session.wants_cut {
            self.cut(None, &mut out);
        }
        self.session.tell_ban(&mut out);
        self.session.tell_state(&mut out);
        out.count
    }

    /// Closes every connection, on which whatever was under way is unknown from now on; the next [`turn`](Self::turn) makes
    /// new ones.
    #[cold]
    pub fn hang_up(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) {
        let mut out = Out::new(now, emit);
        self.cut(None, &mut out);
        self.session.tell_state(&mut out);
    }

    /// Sends an order the gate approved. `Ok` means that it may be on its way: its outcome comes as an event.
    /// `Err` means that nothing left.
    pub fn place(&mut self, now: TsNs, order: &ApprovedOrder) -> Result<(), SendError> {
        self.place_order(now, order.order())
    }

    /// For [`place`](Self::place), and for tests, which cannot make an approval.
    pub(crate) fn place_order(&mut self, now: TsNs, order: &NewOrder) -> Result<(), SendError> {
        let wire = self.wire.as_mut().ok_or(SendError::NotReady)?;
        self.session.place(now, order, &mut |bytes| send(wire, bytes))
    }

    /// Sends a cancel: by REST while there is no connection. Passes whatever the limits say.
    pub fn cancel(&mut self, now: TsNs, cancel: &CancelOrder) -> Result<(), SendError> {
        let wire = &mut self.wire;
        self.session.cancel(now, cancel, &mut |bytes| send_over(wire, bytes))
    }

    /// Puts an order in the place of a working one. `Ok` means that it may be on its way; `Err` that nothing left and
    /// the old order works on.
    pub fn replace(&mut self, now: TsNs, replace: &ReplaceOrder) -> Result<(), SendError> {
        let wire = self.wire.as_mut().ok_or(SendError::NotReady)?;
        self.session.replace(now, &replace.cancel(), replace.order.order(), &mut |bytes| send(wire, bytes))
    }

    /// Asks the venue to end every order on an instrument, those of other hands too. What ended comes as events.
    pub fn cancel_all(&mut self, now: TsNs, instrument: InstrumentId) -> Result<(), SendError> {
        let wire = &mut self.wire;
        self.session.cancel_all(now, instrument, &mut |bytes| send_over(wire, bytes))
    }

    /// Another round of reconciliation: everything the venue has of ours is told again.
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
        self.session.step == Step::Ready && self.wire.is_some()
    }

    /// Why the venue will not let us in, once it has said so. The gateway stays down from then on.
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
        let by_rest = self.rest.as_ref().map_or(0, Caller::bytes_received);
        by_rest + self.received_before + self.wire.as_ref().map_or(0, WsClient::bytes_received)
    }

    /// Raw bytes sent over all connections.
    pub fn bytes_sent(&self) -> u64 {
        let by_rest = self.rest.as_ref().map_or(0, Caller::bytes_sent);
        by_rest + self.sent_before + self.wire.as_ref().map_or(0, WsClient::bytes_sent)
    }

    /// Connections being made, and bytes the socket has not taken yet; 0 when quiet.
    pub fn in_flight(&self) -> u32 {
        let by_rest = self.rest.as_ref().map_or(0, Caller::in_flight);
        let Some(wire) = &self.wire else { return by_rest };
        by_rest
            + u32::from(self.session.is_holding())
            + u32::from(!wire.is_open())
            + u32::from(wire.pending_send() > 0)
    }

    /// Hands on what waits for REST, and what came of it.
    fn turn_rest(&mut self, out: &mut Out<'_>) {
        let Some(caller) = &mut self.rest else { return };
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        // A ban holds back what merely waits; what is under way is answered.
        caller.hold_until(session.budget.banned_until().0);
        session.drive_rest(out.now);
        while let Some(call) = session.rest.calls.pop() {
            let tag = call.tag;
            if !caller.call(out.now.0, call) {
                let full = Outcome::NotSent(NetError::TimedOut);
                session.on_rest(tag, full, scratch, out);
            }
        }
        caller.turn(out.now.0, &mut |tag, outcome| session.on_rest(tag, outcome, scratch, out));
    }

    #[cold]
    fn connect(&mut self, now: TsNs) {
        if self.session.fatal.is_some() || now < self.retry_at || now < self.session.budget.blocked_until() {
            return;
        }
        self.begun = now;
        self.is_open = false;
        match WsClient::connect(&self.endpoint, &self.path, WsLimits::default()) {
            Ok(wire) => self.wire = Some(wire),
            Err(error) => {
                self.schedule_retry(now, RETRY_FIRST);
                self.last_error = Some(error);
            }
        }
    }

    fn read(&mut self, out: &mut Out<'_>) {
        let Some(wire) = &mut self.wire else { return };
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        if let Err(error) = wire.poll(&mut |payload: &mut [u8]| session.on_message(payload, scratch, out)) {
            self.cut(Some(error), out);
        }
    }

    fn write(&mut self, out: &mut Out<'_>) {
        let Some(wire) = &mut self.wire else { return };
        if !wire.is_open() {
            if out.now.since(self.begun) >= CONNECT_TIMEOUT {
                self.cut(Some(NetError::TimedOut), out);
            }
            return;
        }
        if !self.is_open {
            self.is_open = true;
            self.session.on_open(out.now);
        }
        self.session.drive(out, &mut |bytes| send(wire, bytes));
        if self.session.step == Step::Ready {
            self.attempts = 0;
        }
    }

    /// Gives the connection up; whatever was under way is unknown from now on.
    #[cold]
    fn cut(&mut self, error: Option<NetError>, out: &mut Out<'_>) {
        if let Some(mut wire) = self.wire.take() {
            wire.close();
            self.received_before += wire.bytes_received();
            self.sent_before += wire.bytes_sent();
        }
        self.is_open = false;
        self.session.on_cut(out);
        let pause = match &error {
            Some(NetError::UpgradeRefused { status: 403 | 418 | 429, .. }) => RETRY_REFUSED,
            _ => RETRY_FIRST,
        };
        self.schedule_retry(out.now, pause);
        self.last_error = error.or(self.last_error.take());
    }

    /// Doubling pauses, each shortened by up to half at random, so that many engines do not come back at once.
    fn schedule_retry(&mut self, now: TsNs, first: u64) {
        let pause = first.saturating_mul(1 << self.attempts.min(16)).min(RETRY_LONGEST.max(first));
        self.attempts = self.attempts.saturating_add(1);
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let pause = pause - self.jitter % (pause / 2 + 1);
        self.retry_at = TsNs(now.0.saturating_add(pause));
    }
}

fn send_over(wire: &mut Option<WsClient>, bytes: &[u8]) -> Sent {
    wire.as_mut().map_or(Sent::No, |wire| send(wire, bytes))
}

fn send(wire: &mut WsClient, bytes: &[u8]) -> Sent {
    match wire.send_text(bytes) {
        Ok(()) => Sent::Yes,
        Err(error) if error.is_fatal() => Sent::Cut,
        Err(_) => Sent::No,
    }
}
