//! What an answer to one of our requests means.
//!
//! Every answer finds its request by id, in any order. A definite refusal ends the order; a doubtful one puts it
//! in doubt; nothing here sends anything (see `session`).

use super::decode::{Scratch, decode};
use super::errors::{Reaction, reaction};
use super::message::*;
use super::orders::{Order, Phase};
use super::session::{MS, Out, SECOND, Session, Step};
use super::settings::GatewayFatal;
use crate::requests::{Request, RequestKind};
use smc_core::event::{Balance, EventBody, OrderUpdateKind};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Qty, TsNs};

/// Told with a cancel whose outcome was lost when the order turns out to be still working.
const CODE_OUTCOME_LOST: i32 = -1_007;
/// Pauses where the venue says to wait but not how long.
const WAIT_ORDERS: u64 = 10 * SECOND;
const WAIT_WEIGHT: u64 = 60 * SECOND;
/// Clock samples that took longer say too little.
const CLOCK_TRIP_MAX: u64 = SECOND;

impl Session {
    /// Reads one message and acts on it.
    pub fn on_message(&mut self, payload: &mut [u8], scratch: &mut Scratch, out: &mut Out<'_>) {
        self.counters.messages += 1;
        let read = decode(payload, scratch, |message| match message {
            Message::Answer(answer) => self.on_answer(&answer, out),
            Message::Execution(report) => self.on_report(&report, out),
            Message::AccountPosition { update_time_ms, balances, .. } => {
                self.on_balances(&balances, Some(update_time_ms), out);
            }
            // The event stream is over, or soon will be: only a new connection has one for sure.
            Message::StreamTerminated { .. } | Message::ServerShutdown { .. } => self.drain(out.now),
            // A change is followed by the new absolute balance; lists are never ours.
            Message::BalanceUpdate(_) | Message::ExternalLock(_) | Message::ListStatus { .. } => {}
        });
        if read.is_err() {
            self.counters.refused += 1;
        }
    }

    fn on_answer(&mut self, answer: &Answer<'_, '_>, out: &mut Out<'_>) {
        let request = match answer.id {
            AnswerId::Number(id) => self.in_flight.take(id),
            AnswerId::Text(_) | AnswerId::Null => None,
        };
        let orders_waiting = self.in_flight.waiting(RequestKind::Place);
        self.budget.learn(&answer.limits, out.now, orders_waiting);
        self.counters.weight_used = self.budget.weight_used();
        self.counters.orders_used = self.budget.orders_used();
        let Some(request) = request else {
            self.counters.stray_answers += 1;
            // An error to nobody: the session was revoked.
            self.wants_cut |= answer.status == 401;
            return;
        };
        if let Outcome::Error(error) = &answer.outcome {
            self.on_error(&request, answer.status, error, out);
            return;
        }
        match (request.kind, &answer.outcome) {
            (RequestKind::Time, Outcome::Time { server_time_ms }) => {
                self.on_clock(&request, *server_time_ms, out.now);
                if self.step == Step::Clock {
                    self.enter(Step::Logon);
                }
            }
            (RequestKind::Logon, Outcome::Session { server_time_ms, .. }) => {
                self.on_clock(&request, *server_time_ms, out.now);
                self.enter(Step::Subscribe);
            }
            (RequestKind::Subscribe, Outcome::Subscription { .. }) => self.enter(Step::Account),
            (RequestKind::Account, Outcome::Account { can_trade, update_time_ms, balances }) => {
                self.on_account(*can_trade, balances, *update_time_ms, out);
            }
            (RequestKind::OpenOrders, Outcome::Orders(rows)) => self.on_open_orders(rows, out),
            (RequestKind::Place, Outcome::Order(order)) => self.on_placed(&request, order, out),
            (RequestKind::Cancel, Outcome::Order(order)) => {
                let status = order.status.unwrap_or(OrderStatus::Canceled);
                let cum_qty = order.executed_qty.unwrap_or_default();
                let place = (request.instrument, request.order, order.order_id);
                self.settle(place, status, cum_qty, order.time_ms, out);
            }
            (RequestKind::Status, Outcome::Order(order)) => self.on_status(&request, order, out),
            (RequestKind::Trades, Outcome::Trades(rows)) => self.on_trades(&request, Some(rows), out),
            // An empty list has no shape of its own.
            (RequestKind::Trades, Outcome::Orders(rows)) if rows.is_empty() => {
                self.on_trades(&request, None, out)
            }
            // The venue said yes, in words we do not understand: as doubtful as no answer at all.
            (RequestKind::Place, _) => self.doubt_place(&request, out),
            (RequestKind::Cancel, _) => self.doubt_cancel(&request, out),
            (RequestKind::Status | RequestKind::Trades, _) => {
                self.may_ask_again(request.order);
                self.give_up_fills(request.order, out);
            }
            _ => self.wants_cut = true,
        }
    }

    /// The answer was made about half-way between question and answer.
    fn on_clock(&mut self, request: &Request, server_time_ms: u64, now: TsNs) {
        let trip = now.since(request.sent);
        if self.step == Step::Clock || trip <= CLOCK_TRIP_MAX {
            let middle_ms = TsNs(request.sent.0 + trip / 2).as_ms();
            self.offset_ms = i64::try_from(i128::from(server_time_ms) - i128::from(middle_ms)).unwrap_or(0);
            self.budget.set_offset_ms(self.offset_ms);
        }
    }

    fn on_account(
        &mut self,
        can_trade: bool,
        balances: &Rows<'_, '_, BalanceRow<'_>>,
        update_time_ms: u64,
        out: &mut Out<'_>,
    ) {
        if !can_trade {
            let message = "the account may not trade (canTrade is false)".to_owned();
            self.fatal = Some(GatewayFatal { code: 0, step: "account.status", message });
            self.wants_cut = true;
            return;
        }
        self.on_balances(balances, Some(update_time_ms), out);
        // Zero balances are left out of the answer.
        for &asset in &self.watched {
            if balances.iter().all(|row| row.asset.as_bytes() != asset.as_bytes()) {
                let nothing = Balance { asset, free: Qty::ZERO, locked: Qty::ZERO };
                out.event(Some(update_time_ms), InstrumentId::NONE, EventBody::Balance(nothing));
            }
        }
        self.enter(Step::OpenOrders);
    }

    /// Hands on the balances that matter to us and fit our words.
    pub(super) fn on_balances(
        &mut self,
        balances: &Rows<'_, '_, BalanceRow<'_>>,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) {
        for row in balances.iter() {
            let asset = Name::new(row.asset).filter(|asset| self.watched.contains(asset));
            if let (Some(asset), Some(free), Some(locked)) = (asset, row.free, row.locked) {
                out.event(time_ms, InstrumentId::NONE, EventBody::Balance(Balance { asset, free, locked }));
            }
        }
    }

    /// The venue's list of what is working: adopts what is ours, doubts what we thought was working and is not
    /// in the list.
    fn on_open_orders(&mut self, rows: &Rows<'_, '_, OrderResult<'_>>, out: &mut Out<'_>) {
        for row in rows.iter() {
            let (Some(instrument), Some(id)) =
                (self.encoder.instrument_of(row.symbol), self.ours(row.client_order_id))
            else {
                self.counters.foreign += 1;
                continue;
            };
            // Finished while the list was under way: the list is older than what we know.
            if self.orders.is_done(id, self.listed_at) {
                continue;
            }
            if self.orders.get(id).is_none() {
                self.orders.insert(Order::new(id, instrument, out.now, Phase::Live));
            }
            self.on_state(instrument, id, &row, out);
        }
        let (listed_at, epoch, now) = (self.listed_at, self.epoch, out.now);
        for order in self.orders.iter_mut() {
            let is_absent = order.answered_on != epoch;
            // Missing fills of an order that still worked when we last heard: its end may be missing as well.
            let was_working = matches!(order.phase, Phase::Live | Phase::MissingFills { then: None, .. });
            if is_absent && was_working && order.sent <= listed_at {
                order.doubt(Phase::InDoubt, now);
            }
        }
        self.enter(Step::Resolving);
    }

    fn on_placed(&mut self, request: &Request, result: &OrderResult<'_>, out: &mut Out<'_>) {
        // An order that is gone already was told by its reports; the answer was late.
        let Some(order) = self.orders.get(request.order) else { return };
        order.venue_id = result.order_id;
        order.is_doubt_told = false;
        if matches!(order.phase, Phase::Placing | Phase::InDoubt) && !order.is_cancel_lost {
            order.phase = Phase::Live;
        }
        self.counters.acks += 1;
        let (instrument, id) = (request.instrument, request.order);
        out.order(result.time_ms, instrument, id, result.order_id, OrderUpdateKind::Ack);
    }

    fn on_status(&mut self, request: &Request, result: &OrderResult<'_>, out: &mut Out<'_>) {
        self.may_ask_again(request.order);
        // Settled by a report in the meantime: the answer is older than what we know.
        if self.orders.get(request.order).is_some() {
            self.on_state(request.instrument, request.order, result, out);
        }
    }

    /// The venue's word on an order's present state.
    fn on_state(
        &mut self,
        instrument: InstrumentId,
        id: ClientOrderId,
        result: &OrderResult<'_>,
        out: &mut Out<'_>,
    ) {
        let epoch = self.epoch;
        let Some(status) = result.status else { return };
        let Some(order) = self.orders.get(id) else { return };
        order.answered_on = epoch;
        let is_cancel_lost = std::mem::take(&mut order.is_cancel_lost);
        if !status.is_final() {
            order.is_doubt_told = false;
            self.counters.acks += 1;
            out.order(result.time_ms, instrument, id, result.order_id, OrderUpdateKind::Ack);
            if is_cancel_lost {
                let code = CODE_OUTCOME_LOST;
                self.counters.cancel_rejects += 1;
                out.order(None, instrument, id, result.order_id, OrderUpdateKind::CancelReject { code });
            }
        }
        let cum_qty = result.executed_qty.unwrap_or_default();
        self.settle((instrument, id, result.order_id), status, cum_qty, result.time_ms, out);
    }

    /// All trades of one order, oldest first.
    fn on_trades(&mut self, request: &Request, rows: Option<&Rows<'_, '_, TradeRow<'_>>>, out: &mut Out<'_>) {
        self.may_ask_again(request.order);
        let (instrument, id) = (request.instrument, request.order);
        let Some(order) = self.orders.get(id) else { return };
        let Phase::MissingFills { executed, then } = order.phase else { return };
        let venue_id = order.venue_id;
        let mut sum = Qty::ZERO;
        for row in rows.iter().flat_map(|rows| rows.iter()).filter(|row| row.order_id == venue_id) {
            sum = Qty(sum.0.saturating_add(row.qty.0));
            if !self.orders.is_new_trade(instrument, row.trade_id) {
                self.counters.fills_repeated += 1;
                continue;
            }
            self.counters.fills += 1;
            out.order(
                Some(row.time_ms),
                instrument,
                id,
                venue_id,
                OrderUpdateKind::Fill {
                    trade_id: row.trade_id,
                    side: row.side,
                    price: row.price,
                    qty: row.qty,
                    cum_qty: sum,
                    fee: row.fee,
                    fee_asset: Name::new(row.fee_asset).unwrap_or_default(),
                    is_maker: row.is_maker,
                },
            );
        }
        let Some(order) = self.orders.get(id) else { return };
        order.reported = order.reported.max(sum);
        self.settle((instrument, id, venue_id), then.unwrap_or(OrderStatus::New), executed, None, out);
        self.give_up_fills(id, out);
    }

    pub(super) fn may_ask_again(&mut self, id: ClientOrderId) {
        if let Some(order) = self.orders.get(id) {
            order.is_asked = false;
        }
    }

    fn on_error(&mut self, request: &Request, status: u16, error: &VenueError<'_>, out: &mut Out<'_>) {
        let reaction = reaction(status, error.code, error.message, error.retry_after_ms);
        match reaction {
            Reaction::WaitUntil(until_ms) => self.wait(error.code, until_ms, out.now),
            Reaction::Clock => self.is_clock_wrong = true,
            Reaction::Reconnect => self.drain(out.now),
            // The key lost its rights; the next logon will tell whether for good.
            Reaction::Fatal => self.wants_cut = true,
            _ => {}
        }
        match request.kind {
            RequestKind::Place => self.on_place_refused(request, reaction, error.code, out),
            RequestKind::Cancel => self.on_cancel_refused(request, reaction, error.code, out),
            RequestKind::Status | RequestKind::Trades => self.on_query_refused(request, reaction, out),
            RequestKind::Time if self.step != Step::Clock => {}
            kind => self.on_step_refused(kind, reaction, error),
        }
    }

    /// No new orders and no queries until the venue listens again.
    fn wait(&mut self, code: i32, until_ms: u64, now: TsNs) {
        let until = match (until_ms, code) {
            (0, -1_015) => TsNs(now.0.saturating_add(WAIT_ORDERS)),
            (0, _) => TsNs(now.0.saturating_add(WAIT_WEIGHT)),
            (until_ms, _) => self.budget.ours(until_ms.saturating_mul(MS)),
        };
        self.budget.block(until);
    }

    fn on_place_refused(&mut self, request: &Request, reaction: Reaction, code: i32, out: &mut Out<'_>) {
        let (instrument, id) = (request.instrument, request.order);
        match reaction {
            // A duplicate is proof that the first one arrived; its state is what we do not know.
            Reaction::Unknown | Reaction::Duplicate => self.doubt_place(request, out),
            _ => {
                let Some(order) = self.orders.get(id) else { return };
                if order.phase == Phase::Live {
                    // A report said it works, the answer says it was refused: let the venue decide.
                    order.doubt(Phase::InDoubt, out.now);
                    return;
                }
                self.orders.finish(id, out.now);
                self.counters.rejects += 1;
                out.order(None, instrument, id, 0, OrderUpdateKind::Reject { code });
            }
        }
    }

    fn on_cancel_refused(&mut self, request: &Request, reaction: Reaction, code: i32, out: &mut Out<'_>) {
        if reaction == Reaction::Unknown {
            self.doubt_cancel(request, out);
            return;
        }
        let (instrument, id) = (request.instrument, request.order);
        let venue_id = self.orders.get(id).map_or(0, |order| order.venue_id);
        self.counters.cancel_rejects += 1;
        out.order(None, instrument, id, venue_id, OrderUpdateKind::CancelReject { code });
        let is_state_doubtful =
            matches!(reaction, Reaction::CancelTooLate | Reaction::NoSuchOrder | Reaction::Refuse);
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

    fn on_query_refused(&mut self, request: &Request, reaction: Reaction, out: &mut Out<'_>) {
        let (margin, epoch) = (self.arrival_margin(), self.epoch);
        let (instrument, id) = (request.instrument, request.order);
        let Some(order) = self.orders.get(id) else { return };
        order.is_asked = false;
        if order.phase != Phase::InDoubt {
            self.give_up_fills(id, out);
            return;
        }
        match reaction {
            Reaction::NoSuchOrder if out.now.since(order.sent) > margin => {
                let venue_id = order.venue_id;
                self.orders.finish(id, out.now);
                self.counters.not_found += 1;
                out.order(None, instrument, id, venue_id, OrderUpdateKind::NotFound);
            }
            // Too early to be proof: the request may still be on its way.
            Reaction::NoSuchOrder => {
                order.answered_on = epoch;
                let proof_at = TsNs(order.sent.0.saturating_add(margin).saturating_add(MS));
                order.ask_at = order.ask_at.min(proof_at);
            }
            Reaction::Archived => {
                let venue_id = order.venue_id;
                self.settle((instrument, id, venue_id), OrderStatus::Canceled, Qty::ZERO, None, out);
            }
            _ => {}
        }
    }

    /// A step of the session was refused: by what can pass, or for good.
    fn on_step_refused(&mut self, kind: RequestKind, reaction: Reaction, error: &VenueError<'_>) {
        self.wants_cut = true;
        if matches!(reaction, Reaction::Fatal | Reaction::Refuse) {
            let step = match kind {
                RequestKind::Time => "time",
                RequestKind::Logon => "session.logon",
                RequestKind::Subscribe => "userDataStream.subscribe",
                RequestKind::Account => "account.status",
                _ => "openOrders.status",
            };
            self.fatal = Some(GatewayFatal { code: error.code, step, message: error.message.to_owned() });
        }
    }
}
