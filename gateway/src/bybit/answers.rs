//! What an answer to one of our requests means: over the trade socket, and over REST.
//!
//! The answer to an order says that it was taken, not that it is on the book: that is the order topic's to say, and where
//! it does not, the order is asked about. A refusal is certain only where the venue's number says so.

use super::errors::{Reaction, reaction, reaction_to_status};
use super::message::{Answer, Message};
use super::orders::{Order, Phase};
use super::session::{AskKind, Flight, Known, Out, SECOND, Session, Step};
use super::settings::Category;
use super::tape::{Reply, Scratch, decode, decode_reply};
use crate::requests::{Request, RequestKind};
use smc_core::event::{EventBody, KeyScope, OrderUpdateKind, VenueClock};
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};

/// Orders wait so long where the venue names no moment.
const WAIT_ORDERS: u64 = SECOND;
/// After 403 "access too frequent" the venue wants ten minutes without a request.
const BAN_FORBIDDEN: u64 = 600 * SECOND;
/// After 429 or its twin among the numbers: the venue protects itself.
const BAN_PROTECTION: u64 = 5 * SECOND;
/// A moment that the venue names further ahead is not believed.
const WAIT_MAX: u64 = 60 * SECOND;
/// Added to a moment that a refusal names: the venue's clock is known to half a round trip.
const WAIT_MARGIN: u64 = SECOND / 4;

/// What became of a REST request.
pub(super) enum RestOutcome<'b> {
    /// The venue answered.
    Answer {
        /// HTTP status.
        status: u16,
        body: &'b mut [u8],
        /// The venue's clock when its limit is whole again; 0 where it is not told.
        reset_ms: u64,
    },
    /// No byte of it has left.
    NotSent,
    /// It left, and no whole answer came.
    Unknown,
}

impl Session {
    /// One message of the trade socket.
    pub fn on_trade(&mut self, payload: &mut [u8], scratch: &mut Scratch, out: &mut Out<'_>) {
        self.counters.messages += 1;
        self.trade.heard = out.now;
        let read = decode(payload, scratch, |message| match message {
            Message::LoggedOn { is_yes: true, .. } => {
                if matches!(self.trade.step, Step::LoggingOn(_)) {
                    self.trade.step = Step::On;
                }
            }
            Message::LoggedOn { is_yes: false, code, text } => {
                self.on_refused_link(true, code, text, out.now)
            }
            Message::Answer(answer) => self.on_answer(&answer, out),
            Message::Pong => {}
            _ => self.counters.stray_answers += 1,
        });
        if read.is_err() {
            // An answer that cannot be read is as good as none: its request is late after a while.
            self.counters.refused += 1;
        }
    }

    fn on_answer(&mut self, answer: &Answer<'_>, out: &mut Out<'_>) {
        let id = answer.req_id.parse().unwrap_or(-1);
        let Some(request) = self.in_flight.take(id) else {
            self.counters.stray_answers += 1;
            // Without a name the venue tells what ails the whole session.
            if answer.req_id.is_empty() && reaction(answer.code) == Reaction::Reconnect {
                self.drain(out.now);
            }
            return;
        };
        if request.kind == RequestKind::Place {
            let reset = self.reset_of(answer.limit.reset_ms, out.now);
            self.budget.learn(answer.limit, reset);
            self.counters.orders_used = answer.limit.limit.saturating_sub(answer.limit.left);
        }
        let meant = if answer.code == 0 { Reaction::Done } else { reaction(answer.code) };
        match meant {
            Reaction::Wait => {
                let reset = self.reset_of(answer.limit.reset_ms, out.now);
                self.budget.create.close(TsNs(reset.0.saturating_add(WAIT_MARGIN)));
            }
            Reaction::Clock => self.clock_asked = TsNs(0),
            Reaction::Reconnect => self.drain(out.now),
            // The key has lost its rights; the next log-on will tell whether for good.
            Reaction::Fatal => self.trade.wants_cut = true,
            _ => {}
        }
        let code = i32::try_from(answer.code).unwrap_or(0);
        match (request.kind, answer.code) {
            (RequestKind::Place, 0) => self.on_taken(&request, answer, out),
            (RequestKind::Place, _) => self.on_place_refused(&request, meant, code, out),
            (_, 0) => self.on_cancel_taken(request.order, request.instrument, out),
            _ => self.on_cancel_refused(request.order, request.instrument, meant, code, out),
        }
    }

    /// Our moment of the limit's reset; a little ahead where the venue names none that can be believed.
    fn reset_of(&self, reset_ms: u64, now: TsNs) -> TsNs {
        let at = self.our_time(reset_ms);
        let is_sound = reset_ms > 0 && at > now && at.since(now) <= WAIT_MAX;
        if is_sound { at } else { TsNs(now.0.saturating_add(WAIT_ORDERS)) }
    }

    /// Taken, not on the book yet.
    fn on_taken(&mut self, request: &Request, answer: &Answer<'_>, out: &Out<'_>) {
        // An order that is gone already was told by its reports; the answer was late.
        let Some(order) = self.orders.get(request.order) else { return };
        if !order.venue_id.is_known() {
            order.venue_id = answer.order_id;
        }
        if order.phase == Phase::Placing {
            order.phase = Phase::Accepted(out.now);
        }
    }

    fn on_place_refused(&mut self, request: &Request, meant: Reaction, code: i32, out: &mut Out<'_>) {
        let (instrument, id) = (request.instrument, request.order);
        // A duplicate is proof that the first one arrived; its state is what we do not know. A server that goes down says
        // no, but not what it did before.
        if matches!(meant, Reaction::Unknown | Reaction::Duplicate | Reaction::Reconnect | Reaction::Done) {
            return self.doubt_place(request, out);
        }
        let Some(order) = self.orders.get(id) else { return };
        match order.phase {
            Phase::Placing => {}
            // Late: it was given up and is being asked about. The refusal is certain.
            Phase::InDoubt if !order.venue_id.is_known() => {}
            // A report said it works, the answer says it was refused: let the venue decide.
            Phase::Live | Phase::Accepted(_) => return order.doubt(Phase::InDoubt, out.now),
            _ => return,
        }
        self.orders.finish(id, out.now);
        self.counters.rejects += 1;
        out.order(None, instrument, id, 0, OrderUpdateKind::Reject { code });
    }

    /// The venue will try to cancel; what comes of it is the order topic's to say.
    fn on_cancel_taken(&mut self, id: ClientOrderId, instrument: InstrumentId, out: &Out<'_>) {
        if self.orders.is_done(id, TsNs(0)) {
            return;
        }
        if self.orders.get(id).is_none() {
            // An order from before a restart that nobody told us about.
            self.orders.insert(Order::new(id, instrument, out.now, Phase::Live));
        }
        if let Some(order) = self.orders.get(id) {
            order.cancel_taken = Some(out.now);
        }
    }

    fn on_cancel_refused(
        &mut self,
        id: ClientOrderId,
        instrument: InstrumentId,
        meant: Reaction,
        code: i32,
        out: &mut Out<'_>,
    ) {
        if matches!(meant, Reaction::Unknown | Reaction::Reconnect) {
            return self.doubt_cancel(id, instrument, out);
        }
        let number = self.orders.get(id).map_or(0, |order| order.venue_id.number());
        self.counters.cancel_rejects += 1;
        out.order(None, instrument, id, number, OrderUpdateKind::CancelReject { code });
        let is_state_doubtful =
            matches!(meant, Reaction::TooLate | Reaction::NoSuchOrder | Reaction::Refuse | Reaction::Done);
        if !is_state_doubtful || self.orders.is_done(id, TsNs(0)) {
            return;
        }
        match self.orders.get(id) {
            Some(order) if order.is_asking() => {}
            Some(order) => order.doubt(Phase::InDoubt, out.now),
            // An order from before a restart that nobody told us about.
            None => drop(self.orders.insert(Order::new(id, instrument, out.now, Phase::InDoubt))),
        }
    }

    /// What became of the REST request with this tag.
    pub fn on_rest(&mut self, tag: u64, outcome: RestOutcome<'_>, scratch: &mut Scratch, out: &mut Out<'_>) {
        let Some(at) = self.flights.iter().position(|flight| flight.tag == tag) else { return };
        let flight = self.flights.swap_remove(at);
        self.counters.messages += 1;
        match outcome {
            RestOutcome::Answer { status, body, reset_ms } => {
                let mut is_limited = false;
                let is_read = decode_reply(body, scratch, |reply| {
                    is_limited = reply.head.code == 10_006;
                    self.on_reply(&flight, reply, out);
                })
                .is_ok();
                if is_limited {
                    let reset = self.reset_of(reset_ms, out.now);
                    self.budget.query.close(TsNs(reset.0.saturating_add(WAIT_MARGIN)));
                }
                if !is_read {
                    self.counters.refused += 1;
                    let meant = reaction_to_status(status);
                    self.on_rest_refused(&flight, meant, i64::from(status), "", out);
                }
                match status {
                    403 => self.budget.ban(TsNs(out.now.0.saturating_add(BAN_FORBIDDEN))),
                    429 => self.budget.ban(TsNs(out.now.0.saturating_add(BAN_PROTECTION))),
                    _ => {}
                }
            }
            RestOutcome::Unknown => self.on_rest_lost(&flight, out),
            RestOutcome::NotSent => self.on_rest_unsent(&flight, out),
        }
    }

    fn on_reply(&mut self, flight: &Flight, reply: &Reply<'_, '_>, out: &mut Out<'_>) {
        let (code, text) = (reply.head.code, reply.head.text);
        if code != 0 {
            return self.on_rest_refused(flight, reaction(code), code, text, out);
        }
        // The clock is told to everybody.
        if !matches!(flight.kind, AskKind::Time) {
            self.refusals.forget();
        }
        match flight.kind {
            AskKind::Time => match reply.time_ns() {
                Some(venue_ns) => {
                    if self.on_clock(flight.sent, venue_ns, out.now) {
                        let clock = VenueClock { offset_ns: self.offset_ns };
                        out.event(None, InstrumentId::NONE, EventBody::Clock(clock));
                    }
                }
                None => self.on_rest_lost(flight, out),
            },
            AskKind::Key => match reply.key_scopes(self.category == Category::Spot) {
                Some((can_trade, can_withdraw)) => {
                    self.key = Known::Yes;
                    let scope = KeyScope { can_trade, can_withdraw };
                    out.event(None, InstrumentId::NONE, EventBody::Key(scope));
                }
                None => self.on_rest_lost(flight, out),
            },
            AskKind::DeadMan => self.dead_man = Known::Yes,
            AskKind::Round => self.on_round_page(reply, out),
            AskKind::Order { id, is_past } => self.on_order_found(flight, id, is_past, reply, out),
            AskKind::Fills { id, sum } => self.on_fills(id, sum, reply, out),
            AskKind::Cancel { id, instrument } => self.on_cancel_taken(id, instrument, out),
            AskKind::CancelForeign { .. } | AskKind::CancelAll => {}
        }
    }

    /// The list with one order, or none.
    fn on_order_found(
        &mut self,
        flight: &Flight,
        id: ClientOrderId,
        is_past: bool,
        reply: &Reply<'_, '_>,
        out: &mut Out<'_>,
    ) {
        let (margin, look) = (self.arrival_margin(), self.rounds.look);
        // Settled by a report in the meantime: the answer is older than what we know.
        let Some(order) = self.orders.get(id) else { return };
        order.is_asked = false;
        let (instrument, venue_id, sent) = (order.instrument, order.venue_id, order.sent);
        let Some(rows) = reply.list() else { return };
        for row in rows.orders() {
            match row {
                Ok(row) if self.ours(row.link_id) == Some(id) => {
                    return self.on_state(id, instrument, &row, out);
                }
                Ok(_) => {}
                // It is there, and we cannot read it: no proof of anything.
                Err(_) => {
                    self.counters.refused += 1;
                    return;
                }
            }
        }
        let Some(order) = self.orders.get(id).filter(|order| order.phase == Phase::InDoubt) else {
            return self.give_up_fills(id, out);
        };
        if !is_past {
            // Not among those of late: it may have ended earlier.
            order.is_past = true;
            order.ask_at = out.now;
            return;
        }
        order.is_past = false;
        order.answered_on = look;
        // Both lists were asked after the order's last moment to arrive: it never did. One that the venue has named once
        // was there; its lists lag, or have forgotten it, and nothing is proved.
        let is_proof = flight.sent.since(sent) > margin && !venue_id.is_known();
        if is_proof {
            self.orders.finish(id, out.now);
            self.counters.not_found += 1;
            out.order(None, instrument, id, 0, OrderUpdateKind::NotFound);
        }
    }

    /// A page of an order's fills. All pages together are everything that was filled of it.
    fn on_fills(&mut self, id: ClientOrderId, before: Qty, reply: &Reply<'_, '_>, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        order.is_asked = false;
        let Some(rows) = reply.list() else { return self.give_up_fills(id, out) };
        let venue_id = order.venue_id;
        let mut sum = before;
        let mut is_whole = true;
        let rows: Vec<_> = rows.executions().collect();
        for row in rows.into_iter().rev() {
            match row {
                Ok(row) if row.venue_id == venue_id => {
                    if row.kind == super::message::ExecutionKind::Trade {
                        sum = Qty(sum.0.saturating_add(row.qty.0));
                    }
                    self.on_execution(&row, false, false, out);
                }
                Ok(_) => {}
                Err(_) => is_whole = false,
            }
        }
        self.counters.refused += u64::from(!is_whole);
        let Some(order) = self.orders.get(id) else { return };
        order.reported = order.reported.max(sum);
        let Phase::MissingFills { executed, then } = order.phase else { return };
        if order.reported < executed
            && let Some(next) = super::rest::cursor(reply.cursor()).filter(|next| !next.is_empty())
        {
            self.fill_pages.push((id, sum, next.to_owned()));
            return;
        }
        let instrument = order.instrument;
        self.settle((instrument, id, venue_id), then, executed, None, out);
        self.give_up_fills(id, out);
    }

    /// A REST request that was refused.
    fn on_rest_refused(
        &mut self,
        flight: &Flight,
        meant: Reaction,
        code: i64,
        text: &str,
        out: &mut Out<'_>,
    ) {
        match meant {
            Reaction::Clock => self.clock_asked = TsNs(0),
            // 10006 is the limit of one endpoint.
            Reaction::Wait if !matches!(code, 403 | 429 | 10_006) => {
                self.budget.ban(TsNs(out.now.0.saturating_add(BAN_PROTECTION)));
            }
            _ => {}
        }
        let short = i32::try_from(code).unwrap_or(0);
        match flight.kind {
            AskKind::Cancel { id, instrument } => self.on_cancel_refused(id, instrument, meant, short, out),
            AskKind::CancelForeign { number, instrument } => {
                self.counters.cancel_rejects += 1;
                let kind = OrderUpdateKind::CancelReject { code: short };
                out.order(None, instrument, ClientOrderId::NONE, number, kind);
                self.want_round();
            }
            AskKind::Key | AskKind::Round if meant == Reaction::Fatal => {
                if self.refusals.note(out.now) {
                    self.fail(code, "the key", text);
                } else {
                    self.on_rest_lost(flight, out);
                }
            }
            AskKind::DeadMan if !matches!(meant, Reaction::Unknown | Reaction::Wait | Reaction::Clock) => {
                self.fail(code, "the dead-man switch", text);
            }
            _ => self.on_rest_lost(flight, out),
        }
    }

    /// A REST request of which no byte has left.
    fn on_rest_unsent(&mut self, flight: &Flight, out: &mut Out<'_>) {
        match flight.kind {
            AskKind::Cancel { id, instrument } => {
                let number = self.orders.get(id).map_or(0, |order| order.venue_id.number());
                self.counters.cancel_rejects += 1;
                // Told as the venue's "server error": nothing was cancelled, and trying again may help.
                let kind = OrderUpdateKind::CancelReject { code: 10_016 };
                out.order(None, instrument, id, number, kind);
            }
            _ => self.on_rest_lost(flight, out),
        }
    }

    /// A REST request whose outcome we cannot know.
    pub fn on_rest_lost(&mut self, flight: &Flight, out: &mut Out<'_>) {
        match flight.kind {
            AskKind::Time => {
                if self.clock != Known::Yes {
                    self.clock = Self::later(out.now);
                }
            }
            AskKind::Key => self.key = Self::later(out.now),
            AskKind::DeadMan => self.dead_man = Self::later(out.now),
            AskKind::Round => self.on_round_lost(out),
            AskKind::Order { id, .. } | AskKind::Fills { id, .. } => {
                if let Some(order) = self.orders.get(id) {
                    order.is_asked = false;
                }
                self.give_up_fills(id, out);
            }
            AskKind::Cancel { id, instrument } => self.doubt_cancel(id, instrument, out),
            AskKind::CancelForeign { .. } | AskKind::CancelAll => self.want_round(),
        }
    }
}
