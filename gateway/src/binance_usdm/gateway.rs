//! The gateway the engine's turn calls: a session on two sockets and a REST client, made again when they break.
//!
//! Runs on the engine's thread. `place` and `cancel` write to the socket before they return; `turn` is one bounded pass over
//! what the sockets hold. Reads no clock, never blocks.

use super::message::Scratch;
use super::session::{MS, Out, SECOND, Sent, Session, Step};
use super::settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
use crate::sign::Signer;
use smc_core::Event;
use smc_core::output::{CancelOrder, NewOrder, ReplaceOrder};
use smc_core::risk::ApprovedOrder;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};
use smc_net::{Caller, Endpoint, NetError, WsClient, WsLimits};

/// First pause before another attempt; doubles up to the longest.
const RETRY_FIRST: u64 = 200 * MS;
/// After a refused upgrade (403, 418, 429): trying again soon would make it worse.
const RETRY_REFUSED: u64 = 30 * SECOND;
/// Sockets that are not open after this long are given up.
const CONNECT_TIMEOUT: u64 = 10 * SECOND;
/// A REST request without an answer for this long is given up.
const REST_TIMEOUT: u64 = 5 * SECOND;
/// REST connections kept.
const REST_CONNECTIONS: usize = 3;

/// Orders and account of one Binance USD-M futures account.
pub struct BinanceUsdmGateway {
    orders: Endpoint,
    orders_path: String,
    events: Endpoint,
    events_path: String,
    session: Session,
    scratch: Scratch,
    caller: Caller,
    /// The order connection and the connection of the account's events.
    wires: Option<[WsClient; 2]>,
    /// When the present sockets were begun.
    begun: TsNs,
    /// The session knows that the sockets stand.
    is_open: bool,
    /// Bytes of sockets that are gone.
    received_before: u64,
    sent_before: u64,
    last_error: Option<NetError>,
}

impl BinanceUsdmGateway {
    /// Checks the settings. Connects with the first [`turn`](Self::turn).
    pub fn new(settings: GatewaySettings, instruments: &[GatewayInstrument]) -> Result<Self, GatewayError> {
        let signer = Signer::new(&settings.secret).map_err(GatewayError::Key)?;
        let times = (settings.recv_window_ms, settings.dead_man_ms);
        let mut session = Session::new(&settings.api_key, signer, times, settings.instance, instruments)?;
        session.budget.ban = settings.hold;
        Ok(Self {
            session,
            orders: settings.orders,
            orders_path: settings.orders_path,
            events: settings.events,
            events_path: settings.events_path,
            scratch: Scratch::new(),
            caller: Caller::new(settings.rest, REST_CONNECTIONS, REST_TIMEOUT),
            wires: None,
            begun: TsNs(0),
            is_open: false,
            received_before: 0,
            sent_before: 0,
            last_error: None,
        })
    }

    /// One bounded turn: reads the sockets, drives logon, reconciliation and open questions, emits events. Returns the
    /// events emitted.
    pub fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32 {
        let mut out = Out::new(now, emit);
        self.turn_rest(&mut out);
        self.read(&mut out);
        self.drive(&mut out);
        while let Some(call) = self.session.calls.pop_front() {
            let tag = call.tag;
            if !self.caller.call(now.0, call) {
                let full = smc_net::Outcome::NotSent(NetError::Closed { code: None });
                self.session.on_rest(tag, &full, &mut self.scratch, &mut out);
                break;
            }
        }
        if self.session.wants_cut {
            self.cut(None, &mut out);
        }
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

    /// Sends an order the gate approved. `Ok` means that it may be on its way: its outcome comes as an event. `Err` means
    /// that nothing left.
    pub fn place(&mut self, now: TsNs, order: &ApprovedOrder) -> Result<(), SendError> {
        self.place_order(now, order.order())
    }

    /// For [`place`](Self::place), and for tests, which cannot make an approval.
    pub(crate) fn place_order(&mut self, now: TsNs, order: &NewOrder) -> Result<(), SendError> {
        let [wire, _] = self.wires.as_mut().ok_or(SendError::NotReady)?;
        self.session.place(now, order, &mut |bytes| send(wire, bytes))
    }

    /// Sends a cancel. Passes whatever the limits say.
    pub fn cancel(&mut self, now: TsNs, cancel: &CancelOrder) -> Result<(), SendError> {
        match self.wires.as_mut().filter(|_| self.is_open) {
            Some([wire, _]) => self.session.cancel(now, cancel, Some(&mut |bytes: &[u8]| send(wire, bytes))),
            None => self.session.cancel(now, cancel, None),
        }
    }

    /// Never: the venue changes a working order without giving it a new id, and even after it has begun to fill, which is
    /// not what the engine calls a replacement. Instruments say so in their contract terms.
    pub const fn replace(&mut self, _now: TsNs, _replace: &ReplaceOrder) -> Result<(), SendError> {
        Err(SendError::Unsupported)
    }

    /// Takes over an order that the caller believes to be working (after a restart), with the quantity it knows to be
    /// filled. The venue is asked about it, and its state is told as events, before the gateway is ready. False when the
    /// table of orders is full.
    pub fn resolve(
        &mut self,
        now: TsNs,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        filled: Qty,
    ) -> bool {
        self.session.resolve(now, instrument, client_order_id, filled)
    }

    /// Asks for another round of reconciliation; it begins as soon as the one under way has ended.
    pub const fn want_round(&mut self, _now: TsNs) {
        self.session.is_round_wanted = true;
    }

    /// True while orders may be sent.
    pub fn is_ready(&self) -> bool {
        self.session.step == Step::Ready && self.wires.is_some()
    }

    /// Why the venue will not let us in, once it has said so. The gateway stays down from then on.
    pub const fn fatal(&self) -> Option<&GatewayFatal> {
        self.session.fatal.as_ref()
    }

    /// Why the last connection ended or could not be made.
    pub const fn last_error(&self) -> Option<&NetError> {
        self.last_error.as_ref()
    }

    /// What was done since start.
    pub const fn counters(&self) -> GatewayCounters {
        self.session.counters
    }

    /// Raw bytes received over all connections.
    pub fn bytes_received(&self) -> u64 {
        let of = self.wires.iter().flatten().map(WsClient::bytes_received).sum::<u64>();
        self.received_before + of + self.caller.bytes_received()
    }

    /// Raw bytes sent over all connections.
    pub fn bytes_sent(&self) -> u64 {
        let of = self.wires.iter().flatten().map(WsClient::bytes_sent).sum::<u64>();
        self.sent_before + of + self.caller.bytes_sent()
    }

    /// Connections being made, and bytes the sockets have not taken yet; 0 when quiet.
    pub fn in_flight(&self) -> u32 {
        let of = |wire: &WsClient| u32::from(!wire.is_open()) + u32::from(wire.pending_send() > 0);
        self.wires.iter().flatten().map(of).sum::<u32>() + self.caller.in_flight()
    }

    fn turn_rest(&mut self, out: &mut Out<'_>) {
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        // A ban holds back what merely waits; what is under way is answered.
        self.caller.hold_until(session.budget.blocked_until().0);
        let now = out.now.0;
        self.caller.turn(now, &mut |tag, outcome| session.on_rest(tag, &outcome, scratch, out));
    }

    fn read(&mut self, out: &mut Out<'_>) {
        let Some([orders, events]) = &mut self.wires else { return };
        let (session, scratch) = (&mut self.session, &mut self.scratch);
        // Events first: a fill that came before the answer is told before it.
        let read = events.poll(&mut |payload: &mut [u8]| session.on_event(payload, scratch, out));
        let read = read
            .and_then(|_| orders.poll(&mut |payload: &mut [u8]| session.on_message(payload, scratch, out)));
        if let Err(error) = read {
            self.cut(Some(error), out);
        }
    }

    fn drive(&mut self, out: &mut Out<'_>) {
        if self.session.step == Step::Connecting && self.wires.is_none() {
            self.connect(out);
        }
        let Some(wires) = &mut self.wires else { return self.session.drive(out, None) };
        if !wires.iter().all(WsClient::is_open) {
            if out.now.since(self.begun) >= CONNECT_TIMEOUT {
                return self.cut(Some(NetError::TimedOut), out);
            }
            return self.session.drive(out, None);
        }
        if !self.is_open {
            self.is_open = true;
            self.session.on_open(out.now);
        }
        let [wire, _] = wires;
        self.session.drive(out, Some(&mut |bytes: &[u8]| send(wire, bytes)));
    }

    #[cold]
    fn connect(&mut self, out: &mut Out<'_>) {
        (self.begun, self.is_open) = (out.now, false);
        let path = format!("{}{}", self.events_path, self.session.listen_key);
        let orders = WsClient::connect(&self.orders, &self.orders_path, WsLimits::default());
        let both = orders.and_then(|orders| {
            let events = WsClient::connect(&self.events, &path, WsLimits::default())?;
            Ok([orders, events])
        });
        match both {
            Ok(wires) => self.wires = Some(wires),
            Err(error) => self.cut(Some(error), out),
        }
    }

    /// Gives the sockets up; whatever was under way is unknown from now on.
    #[cold]
    fn cut(&mut self, error: Option<NetError>, out: &mut Out<'_>) {
        for mut wire in self.wires.take().into_iter().flatten() {
            wire.close();
            self.received_before += wire.bytes_received();
            self.sent_before += wire.bytes_sent();
        }
        self.is_open = false;
        let pause = match &error {
            Some(NetError::UpgradeRefused { status: 403 | 418 | 429, .. }) => RETRY_REFUSED,
            _ => RETRY_FIRST,
        };
        self.session.postpone(out.now, pause);
        self.session.on_cut(out);
        self.last_error = error.or(self.last_error.take());
    }
}

fn send(wire: &mut WsClient, bytes: &[u8]) -> Sent {
    match wire.send_text(bytes) {
        Ok(()) => Sent::Yes,
        Err(error) if error.is_fatal() => Sent::Cut,
        Err(_) => Sent::No,
    }
}
