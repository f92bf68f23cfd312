//! What an answer to one of our requests means.
//!
//! Every answer finds its request by id, in any order. A definite refusal ends the order; a doubtful one puts it
//! in doubt; nothing here sends anything (see `session`).

use super::decode::{Scratch, decode};
use super::encode::TRADES_PAGE;
use super::errors::{Reaction, reaction};
use super::message::*;
use super::orders::{Order, Phase};
use super::rounds::Stage;
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
/// Added to a moment that the venue names: its clock is known to half a round trip.
const WAIT_MARGIN_MS: u64 = 500;
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
                self.balances_at = self.balances_at.max(update_time_ms);
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

    pub(super) fn on_answer(&mut self, answer: &Answer<'_, '_>, out: &mut Out<'_>) {
        let request = match answer.id {
            AnswerId::Number(id) => self.in_flight.take(id),
            AnswerId::Text(_) | AnswerId::Null => None,
        };
        let orders_waiting = self.in_flight.orders_waiting();
        self.budget.learn(&answer.limits, out.now, orders_waiting);
        self.counters.weight_used = self.budget.weight_used();
        self.counters.orders_used = self.budget.orders_used();
        self.tell_budget(out);
        let Some(request) = request else {
            self.counters.stray_answers += 1;
            // An error to nobody: the session was revoked.
            self.wants_cut |= answer.status == 401;
            return;
        };
        // A round does not wait for what came too late.
        if request.is_late && request.kind.is_of_round() {
            return;
        }
        if let Outcome::Error(error) = &answer.outcome {
            self.on_error(&request, answer.status, error, out);
            return;
        }
        match (request.kind, &answer.outcome) {
            (RequestKind::Time, Outcome::Time { server_time_ms }) => {
                self.on_clock(&request, *server_time_ms, out);
                if self.step == Step::Clock {
                    let is_session = self.encoder.is_session();
                    self.enter(if is_session { Step::Logon } else { Step::Subscribe });
                }
            }
            (RequestKind::Logon, Outcome::Session { server_time_ms, .. }) => {
                self.on_clock(&request, *server_time_ms, out);
                self.enter(Step::Subscribe);
            }
            (RequestKind::Subscribe, Outcome::Subscription { .. }) => self.enter(Step::Reconciling),
            (RequestKind::Account, Outcome::Account { can_trade, update_time_ms, balances }) => {
                self.on_account(*can_trade, balances, *update_time_ms, out);
            }
            (RequestKind::OpenOrders, Outcome::Orders(rows)) => self.on_open_orders(rows, out),
            (RequestKind::Range, Outcome::Trades(rows)) => self.on_range(&request, Some(rows), out),
            // An empty list has no shape of its own.
            (RequestKind::Range, Outcome::Orders(rows)) if rows.is_empty() => {
                self.on_range(&request, None, out);
            }
            (RequestKind::Stranger, Outcome::Order(order)) => self.on_stranger(&request, Some(order), out),
            (RequestKind::Stranger, _) => self.on_stranger(&request, None, out),
            (RequestKind::Place, Outcome::Order(order)) => {
                self.on_placed(&request, order.order_id, order.time_ms, out);
            }
            (RequestKind::Replace, Outcome::Replaced(result)) => self.on_replaced(&request, result, out),
            (RequestKind::Pair, Outcome::OrderList { orders, .. }) => self.on_paired(&request, orders, out),
            // One of a pair takes the other along.
            (RequestKind::Cancel, Outcome::OrderList { reports, .. }) => {
                self.on_pair_canceled(&request, reports, out);
            }
            // Reports tell what ended.
            (RequestKind::CancelAll, _) => {}
            (RequestKind::Cancel, Outcome::Order(order)) => {
                self.refusals = 0;
                let status = order.state().unwrap_or(OrderStatus::Canceled);
                let cum_qty = order.executed_qty.unwrap_or_default();
                let place = (request.instrument, request.order, order.order_id);
                self.settle(place, status, cum_qty, order.time_ms, out);
            }
            (RequestKind::Status, Outcome::Order(order)) => self.on_status(&request, order, out),
            (RequestKind::Trades, Outcome::Trades(rows)) => self.on_trades(&request, Some(rows), out),
            (RequestKind::Trades, Outcome::Orders(rows)) if rows.is_empty() => {
                self.on_trades(&request, None, out)
            }
            // The venue said yes, in words we do not understand: as doubtful as no answer at all.
            (RequestKind::Place | RequestKind::Cancel | RequestKind::Replace | RequestKind::Pair, _) => {
                self.lost(&request, out)
            }
            (RequestKind::Status | RequestKind::Trades, _) => {
                self.may_ask_again(request.order);
                self.give_up_fills(request.order, out);
            }
            (kind, _) => self.wants_cut |= !self.on_round_trouble(kind, out),
        }
    }

    /// The answer was made about half-way between question and answer.
    fn on_clock(&mut self, request: &Request, server_time_ms: u64, out: &mut Out<'_>) {
        let trip = out.now.since(request.sent);
        if self.step == Step::Clock || !self.rest.is_clock_known || trip <= CLOCK_TRIP_MAX {
            let middle_ms = TsNs(request.sent.0 + trip / 2).as_ms();
            self.offset_ms = i64::try_from(i128::from(server_time_ms) - i128::from(middle_ms)).unwrap_or(0);
            self.budget.set_offset_ms(self.offset_ms);
            self.rest.is_clock_known = true;
            self.tell_clock(out);
        }
    }

    fn on_account(
        &mut self,
        can_trade: bool,
        balances: &Rows<'_, '_, BalanceRow<'_>>,
        update_time_ms: u64,
        out: &mut Out<'_>,
    ) {
        self.tell_key(can_trade, out);
        if !can_trade {
            let message = "the account may not trade (canTrade is false)".to_owned();
            self.fatal = Some(GatewayFatal { code: 0, step: "account.status", message });
            self.wants_cut = true;
            return;
        }
        // Older than what the stream has told meanwhile: that stands.
        if update_time_ms >= self.balances_at {
            self.on_balances(balances, Some(update_time_ms), out);
            // Zero balances are left out of the answer.
            for &asset in &self.watched {
                if balances.iter().all(|row| row.asset.as_bytes() != asset.as_bytes()) {
                    let nothing = Balance { asset, free: Qty::ZERO, locked: Qty::ZERO };
                    out.event(Some(update_time_ms), InstrumentId::NONE, EventBody::Balance(nothing));
                }
            }
        }
        self.rounds.enter(Stage::Orders);
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

    pub(super) fn on_placed(
        &mut self,
        request: &Request,
        order_id: u64,
        time_ms: Option<u64>,
        out: &mut Out<'_>,
    ) {
        // An order that is gone already was told by its reports; the answer was late.
        let Some(order) = self.orders.get(request.order) else { return };
        order.venue_id = order_id;
        order.is_doubt_told = false;
        self.refusals = 0;
        if matches!(order.phase, Phase::Placing | Phase::InDoubt) && !order.is_cancel_lost {
            order.phase = Phase::Live;
        }
        self.counters.acks += 1;
        let (instrument, id) = (request.instrument, request.order);
        out.order(time_ms, instrument, id, order_id, OrderUpdateKind::Ack);
    }

    fn on_status(&mut self, request: &Request, result: &OrderResult<'_>, out: &mut Out<'_>) {
        self.may_ask_again(request.order);
        // Settled by a report in the meantime: the answer is older than what we know.
        if self.orders.get(request.order).is_some() {
            self.on_state(request.instrument, request.order, result, out);
        }
    }

    /// The venue's word on an order's present state.
    pub(super) fn on_state(
        &mut self,
        instrument: InstrumentId,
        id: ClientOrderId,
        result: &OrderResult<'_>,
        out: &mut Out<'_>,
    ) {
        let epoch = self.epoch;
        let Some(status) = result.state() else { return };
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
        let (mut sum, mut next) = (order.trades_sum, order.trades_from);
        for row in rows.iter().flat_map(|rows| rows.iter()).filter(|row| row.order_id == venue_id) {
            sum = Qty(sum.0.saturating_add(row.qty.0));
            next = Some(row.trade_id.saturating_add(1));
            self.on_trade_row(instrument, id, &row, sum, out);
        }
        let is_full = rows.is_some_and(|rows| rows.len() >= TRADES_PAGE);
        let Some(order) = self.orders.get(id) else { return };
        if is_full && next > order.trades_from {
            // The next page at once.
            (order.trades_from, order.trades_sum, order.ask_at, order.asks) = (next, sum, out.now, 0);
            return;
        }
        (order.trades_from, order.trades_sum) = (None, Qty::ZERO);
        order.reported = order.reported.max(sum);
        self.settle((instrument, id, venue_id), then.unwrap_or(OrderStatus::New), executed, None, out);
        self.give_up_fills(id, out);
    }

    /// A trade from a list, handed on unless it was before. True when it was new.
    pub(super) fn on_trade_row(
        &mut self,
        instrument: InstrumentId,
        id: ClientOrderId,
        row: &TradeRow<'_>,
        cum_qty: Qty,
        out: &mut Out<'_>,
    ) -> bool {
        if !self.is_new_trade(instrument, row.trade_id) {
            self.counters.fills_repeated += 1;
            return false;
        }
        self.counters.fills += 1;
        let fill = OrderUpdateKind::Fill {
            trade_id: row.trade_id,
            side: row.side,
            price: row.price,
            qty: row.qty,
            cum_qty,
            fee: row.fee,
            fee_asset: Name::new(row.fee_asset).unwrap_or_default(),
            is_maker: row.is_maker,
        };
        out.order(Some(row.time_ms), instrument, id, row.order_id, fill);
        true
    }

    pub(super) fn may_ask_again(&mut self, id: ClientOrderId) {
        if let Some(order) = self.orders.get(id) {
            order.is_asked = false;
        }
    }

    fn on_error(&mut self, request: &Request, status: u16, error: &VenueError<'_>, out: &mut Out<'_>) {
        let reaction = reaction(status, error.code, error.message, error.retry_after_ms);
        match reaction {
            Reaction::WaitUntil(until_ms) => self.wait(status, error.code, until_ms, out.now),
            Reaction::Clock => self.is_clock_wrong = true,
            Reaction::Reconnect if !request.is_rest => self.drain(out.now),
            // The key lost its rights, or the address its place on the list.
            Reaction::Fatal => self.on_key_refused(request.kind.name(), error.code, error.message, out),
            _ => {}
        }
        self.tell_budget(out);
        match request.kind {
            RequestKind::Place => self.on_place_refused(request, reaction, error.code, out),
            RequestKind::Cancel => self.on_cancel_refused(request, reaction, error.code, out),
            RequestKind::Replace => match &error.replaced {
                Some(result) => self.on_replaced(request, result, out),
                None if reaction == Reaction::Unknown => self.lost(request, out),
                None => self.on_place_refused(request, reaction, error.code, out),
            },
            RequestKind::Pair => self.on_pair_refused(request, reaction, error.code, out),
            // Nothing was there to end, or nobody knows.
            RequestKind::CancelAll => {
                if reaction != Reaction::CancelTooLate {
                    self.rounds.want();
                }
            }
            RequestKind::Stranger => self.on_stranger(request, None, out),
            RequestKind::Range | RequestKind::Account | RequestKind::OpenOrders
                if request.is_late || self.on_round_trouble(request.kind, out) => {}
            RequestKind::Status | RequestKind::Trades => self.on_query_refused(request, reaction, out),
            RequestKind::Time if request.is_rest || self.step != Step::Clock => {}
            kind => self.on_step_refused(kind, reaction, error, out),
        }
    }

    /// No new orders and no queries until the venue listens again.
    pub(super) fn wait(&mut self, status: u16, code: i32, until_ms: u64, now: TsNs) {
        let until = match (until_ms, code) {
            (0, -1_015) => TsNs(now.0.saturating_add(WAIT_ORDERS)),
            (0, _) => TsNs(now.0.saturating_add(WAIT_WEIGHT)),
            (until_ms, _) => self.budget.ours(until_ms.saturating_add(WAIT_MARGIN_MS).saturating_mul(MS)),
        };
        // Too many requests of an address; too many orders stop orders alone.
        match (status, code) {
            (403 | 418 | 429, code) if code != -1_015 => self.budget.ban(until),
            _ => self.budget.block(until),
        }
    }

    pub(super) fn on_place_refused(
        &mut self,
        request: &Request,
        reaction: Reaction,
        code: i32,
        out: &mut Out<'_>,
    ) {
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
        let venue_id = self.orders.get(id).map_or(request.venue_id, |order| order.venue_id);
        self.counters.cancel_rejects += 1;
        out.order(None, instrument, id, venue_id, OrderUpdateKind::CancelReject { code });
        let is_state_doubtful =
            matches!(reaction, Reaction::CancelTooLate | Reaction::NoSuchOrder | Reaction::Refuse);
        if !is_state_doubtful || id == ClientOrderId::NONE || self.orders.is_done(id, TsNs(0)) {
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
    fn on_step_refused(
        &mut self,
        kind: RequestKind,
        reaction: Reaction,
        error: &VenueError<'_>,
        out: &mut Out<'_>,
    ) {
        self.wants_cut = true;
        if reaction == Reaction::Refuse {
            self.on_key_refused(kind.name(), error.code, error.message, out);
        }
    }
}
