//! What an answer to one of our requests means, on either interface.
//!
//! Every answer finds its request by number, in any order. A definite refusal ends the order; a doubtful one puts it in
//! doubt; nothing here sends anything (see `session`).

use super::errors::{Reaction, reaction};
use super::message::{AlgoReport, Fields, OrderRow, Refusal, Scratch, Status, VenueError, answer};
use super::orders::{Kind, Order, Phase, Request};
use super::reports::FillRow;
use super::session::{MS, Out, SECOND, Session, Step};
use super::settings::GatewayFatal;
use simd_json::prelude::*;
use simd_json::tape::Value;
use smc_core::event::{EventBody, Margin, OrderUpdateKind, VenueClock, VenueOrder, VenuePosition};
use smc_core::output::OrderKind;
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, TsNs};
use smc_net::{HttpResponse, Outcome};

/// Told with a cancel whose outcome was lost when the order turns out to be still working, and with one that could not be
/// sent.
const CODE_OUTCOME_LOST: i32 = -1_007;
/// Pauses where the venue says to wait but not how long.
const WAIT_ORDERS: u64 = 10 * SECOND;
const WAIT_WEIGHT: u64 = 60 * SECOND;
/// Added to a moment that the venue names: its clock is known to half a round trip.
const WAIT_MARGIN_MS: u64 = 500;
/// Clock samples that took longer say too little.
const CLOCK_TRIP_MAX: u64 = SECOND;
/// Rows of a whole page of trades.
const TRADES_PAGE: usize = 1_000;

impl Session {
    /// Reads one message of the order connection and acts on it.
    pub fn on_message(&mut self, payload: &mut [u8], scratch: &mut Scratch, out: &mut Out<'_>) {
        self.counters.messages += 1;
        let read = scratch.parse(payload, |value| {
            let answer = answer(value)?;
            for row in answer.root.rows("rateLimits")? {
                self.learn_limit(&row?, out.now)?;
            }
            let Some(request) = answer.id.and_then(|id| self.requests.take(id)) else {
                self.counters.stray_answers += 1;
                // An error to nobody: the session was revoked.
                self.wants_cut |= answer.status == 401;
                return Ok(());
            };
            match &answer.result {
                Err(error) => self.on_error(&request, answer.status, error, out),
                Ok(result) => self.on_result(&request, result, out),
            }
            Ok(())
        });
        self.counters.refused += u64::from(read.is_err());
    }

    fn learn_limit(&mut self, row: &Fields<'_, '_>, now: TsNs) -> Result<(), Refusal> {
        let unit = match row.text("interval")? {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            _ => 86_400,
        };
        let small = |field| u32::try_from(row.integer(field)?).map_err(|_| Refusal::WrongType(field));
        let interval_s = u64::from(small("intervalNum")?).saturating_mul(unit);
        self.budget.learn(row.text("rateLimitType")?, interval_s, small("limit")?, small("count")?, now);
        self.counters.weight_used = self.budget.weight_used();
        Ok(())
    }

    /// The venue said yes. In words that we do not understand, that is as doubtful as no answer at all.
    fn on_result(&mut self, request: &Request, result: &Fields<'_, '_>, out: &mut Out<'_>) {
        let is_read = match request.kind {
            Kind::Logon => {
                self.encoder.is_logged_on = true;
                self.enter(Step::Resolving, out.now);
                true
            }
            Kind::Place => self.on_placed(request, result, out).is_ok(),
            _ => self.on_cancelled(request, result, out).is_ok(),
        };
        if !is_read {
            self.lost(request, out);
        }
    }

    fn on_placed(
        &mut self,
        request: &Request,
        result: &Fields<'_, '_>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let (instrument, id) = (request.instrument, request.order);
        let (venue_id, time_ms) = match result.integer_or_none("algoId")? {
            Some(algo_id) => (algo_id, result.integer_or_none("createTime")?),
            None => (result.integer("orderId")?, result.integer_or_none("updateTime")?),
        };
        // An order that is gone already was told by its reports; the answer was late.
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        // Triggered meanwhile: the number of the plain order is the one that counts.
        if order.venue_id == 0 {
            order.venue_id = venue_id;
        }
        order.is_doubt_told = false;
        if matches!(order.phase, Phase::Placing | Phase::InDoubt) && !order.is_cancel_lost {
            order.phase = Phase::Live;
        }
        self.counters.acks += 1;
        out.order(time_ms, (instrument, id, venue_id), OrderUpdateKind::Ack);
        if result.find("algoId").is_none()
            && let Ok(row) = OrderRow::of_row(result)
            && row.status.is_final()
        {
            self.settle((instrument, id, venue_id), row.status, row.filled, time_ms, out);
        }
        Ok(())
    }

    fn on_cancelled(
        &mut self,
        request: &Request,
        result: &Fields<'_, '_>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let (instrument, id) = (request.instrument, request.order);
        if let Some(algo_id) = result.integer_or_none("algoId")? {
            let filled = self.orders.get(id).map_or(Qty::ZERO, |order| order.reported);
            self.settle((instrument, id, algo_id), Status::Canceled, filled, None, out);
            return Ok(());
        }
        let row = OrderRow::of_row(result)?;
        let status = if row.status.is_final() { row.status } else { Status::Canceled };
        self.settle((instrument, id, row.order_id), status, row.filled, row.time_ms, out);
        Ok(())
    }

    fn on_error(&mut self, request: &Request, status: u16, error: &VenueError<'_>, out: &mut Out<'_>) {
        let reaction = reaction(status, error.code, error.message, error.retry_after_ms);
        match reaction {
            Reaction::WaitUntil(until_ms) => self.wait(error.code, until_ms, out.now),
            Reaction::Clock => self.is_clock_wrong = true,
            Reaction::Reconnect => self.drain(out.now),
            // The key lost its rights; the next start will tell whether for good.
            Reaction::Fatal | Reaction::ListenKey => self.wants_cut = true,
            _ => {}
        }
        match request.kind {
            Kind::Place => self.on_place_refused(request, reaction, error.code, out),
            Kind::Cancel | Kind::RestCancel => self.on_cancel_refused(request, reaction, error.code, out),
            Kind::Status | Kind::Trades => self.on_query_refused(request, reaction, out),
            Kind::Logon
            | Kind::Time
            | Kind::ListenKey
            | Kind::PositionMode
            | Kind::Account
            | Kind::Positions
                if reaction == Reaction::Fatal =>
            {
                let step = match request.kind {
                    Kind::Logon => "session.logon",
                    Kind::ListenKey => "listenKey",
                    Kind::PositionMode => "positionSide",
                    _ => "account",
                };
                if self.refusals.note(out.now) {
                    let message = error.message.to_owned();
                    self.fatal = Some(GatewayFatal { code: error.code, step, message });
                }
                self.lost(request, out);
            }
            _ => self.lost(request, out),
        }
    }

    /// No new orders and no questions until the venue listens again.
    fn wait(&mut self, code: i32, until_ms: u64, now: TsNs) {
        let until = match (until_ms, code) {
            (0, -1_015) => TsNs(now.0.saturating_add(WAIT_ORDERS)),
            (0, _) => TsNs(now.0.saturating_add(WAIT_WEIGHT)),
            (until_ms, _) => self.budget.ours(until_ms.saturating_add(WAIT_MARGIN_MS).saturating_mul(MS)),
        };
        // Too many requests of an address; too many orders stop orders alone.
        match code {
            -1_015 => self.budget.block(until),
            _ => self.budget.ban.raise(until.0),
        }
    }

    fn on_place_refused(&mut self, request: &Request, reaction: Reaction, code: i32, out: &mut Out<'_>) {
        match reaction {
            // A duplicate is proof that the first one arrived; its state is what we do not know.
            Reaction::Unknown | Reaction::AskForIt => self.doubt_place(request, out),
            _ => {
                let Some(order) = self.orders.get(request.order) else { return };
                if order.phase == Phase::Live {
                    // A report said it works, the answer says it was refused: let the venue decide.
                    return order.doubt(Phase::InDoubt, out.now);
                }
                self.orders.finish(request.order, out.now);
                self.counters.rejects += 1;
                out.order(None, (request.instrument, request.order, 0), OrderUpdateKind::Reject { code });
            }
        }
    }

    fn on_cancel_refused(&mut self, request: &Request, reaction: Reaction, code: i32, out: &mut Out<'_>) {
        if reaction == Reaction::Unknown {
            return self.doubt_cancel(request, out);
        }
        let (instrument, id) = (request.instrument, request.order);
        let venue_id = self.orders.get(id).map_or(request.venue_id, |order| order.venue_id);
        self.counters.cancel_rejects += 1;
        out.order(None, (instrument, id, venue_id), OrderUpdateKind::CancelReject { code });
        let is_doubtful = matches!(reaction, Reaction::NoSuchOrder | Reaction::AskForIt | Reaction::Refuse);
        if !is_doubtful || id == ClientOrderId::NONE || self.orders.is_done(id, TsNs(0)) {
            return;
        }
        match self.orders.get(id) {
            Some(order) if order.is_asking() => {}
            Some(order) => order.doubt(Phase::InDoubt, out.now),
            // An order from before a restart that nobody told us about.
            None => {
                let order = Order::new(id, instrument, out.now, Phase::InDoubt);
                self.orders.insert(Order { is_guess: true, ..order });
            }
        }
    }

    fn on_query_refused(&mut self, request: &Request, reaction: Reaction, out: &mut Out<'_>) {
        let margin = self.arrival_margin();
        let (instrument, id) = (request.instrument, request.order);
        let Some(order) = self.orders.get(id) else { return };
        order.is_asked = false;
        if order.phase != Phase::InDoubt {
            return self.give_up_fills(id, out);
        }
        if reaction != Reaction::NoSuchOrder {
            return;
        }
        let (venue_id, filled) = (order.venue_id, order.reported);
        if order.is_guess && !order.is_denied {
            // Perhaps it is of the other kind.
            (order.is_algo, order.is_denied, order.ask_at) = (!order.is_algo, true, out.now);
        } else if venue_id != 0 && !order.is_algo {
            // The venue knew it once: it ended without a fill so long ago that it was forgotten.
            self.settle((instrument, id, venue_id), Status::Canceled, filled, None, out);
        } else if out.now.since(order.sent) > margin {
            self.orders.finish(id, out.now);
            self.counters.not_found += 1;
            out.order(None, (instrument, id, venue_id), OrderUpdateKind::NotFound);
        } else {
            // Too early to be proof: the request may still be on its way.
            (order.is_seen, order.is_denied) = (true, false);
            let proof_at = TsNs(order.sent.0.saturating_add(margin).saturating_add(MS));
            order.ask_at = order.ask_at.min(proof_at);
        }
    }

    /// What became of a REST call.
    pub fn on_rest(&mut self, tag: u64, outcome: &Outcome, scratch: &mut Scratch, out: &mut Out<'_>) {
        let Some(request) = self.requests.take(tag) else { return };
        match outcome {
            Outcome::Answer(response) => self.on_response(&request, response, scratch, out),
            // Nothing left: the cancel is not on its way, and its owner may try again.
            Outcome::NotSent(_) if request.kind == Kind::RestCancel => {
                let code = CODE_OUTCOME_LOST;
                let place = (request.instrument, request.order, request.venue_id);
                out.order(None, place, OrderUpdateKind::CancelReject { code });
            }
            Outcome::NotSent(_) | Outcome::Unknown(_) => self.lost(&request, out),
        }
    }

    fn on_response(
        &mut self,
        request: &Request,
        response: &HttpResponse,
        scratch: &mut Scratch,
        out: &mut Out<'_>,
    ) {
        let number = |name: &str| response.header(name).and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(used) = number("x-mbx-used-weight-1m").and_then(|used| u32::try_from(used).ok()) {
            self.budget.learn_weight(used, out.now);
            self.counters.weight_used = used;
        }
        if matches!(response.status, 418 | 429)
            && let Some(secs) = number("retry-after")
        {
            self.budget.ban.raise(out.now.0.saturating_add(secs.saturating_mul(SECOND)));
        }
        let mut body = response.body.to_vec();
        let read = scratch.parse(&mut body, |value| {
            if response.status == 200 {
                return self.on_body(request, value, out);
            }
            let error = VenueError::of(&Fields::of(value, "body")?)?;
            self.on_error(request, response.status, &error, out);
            Ok(())
        });
        if read.is_err() {
            // Not the venue's words, perhaps those of something in between. Only the status counts then.
            self.counters.refused += 1;
            let message = String::from_utf8_lossy(&response.body).into_owned();
            let error = VenueError { code: 0, message: &message, retry_after_ms: None };
            match response.status {
                200 => self.lost(request, out),
                status => self.on_error(request, status, &error, out),
            }
        }
    }

    fn on_body(&mut self, request: &Request, body: Value<'_, '_>, out: &mut Out<'_>) -> Result<(), Refusal> {
        let object = || Fields::of(body, "body");
        let rows = || {
            let list = body.as_array().ok_or(Refusal::WrongType("body"))?;
            list.iter().map(|row| Fields::of(row, "body")).collect::<Result<Vec<_>, _>>()
        };
        match request.kind {
            Kind::Time => self.on_clock(request, object()?.integer("serverTime")?, out),
            Kind::ListenKey => {
                let key = object()?.text("listenKey")?;
                let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if key.is_empty() || !is_plain {
                    return Err(Refusal::WrongType("listenKey"));
                }
                key.clone_into(&mut self.listen_key);
            }
            Kind::PositionMode => {
                if object()?.flag("dualSidePosition")? {
                    let message =
                        "the account holds long and short apart; set its position mode to one-way".to_owned();
                    self.fatal = Some(GatewayFatal { code: -4_061, step: "positionSide", message });
                    self.wants_cut = true;
                }
                self.is_mode_known = true;
            }
            Kind::RestCancel => self.on_cancelled(request, &object()?, out)?,
            Kind::Status => self.on_status(request, &object()?, out)?,
            Kind::Trades => self.on_trades(request, &rows()?, out)?,
            Kind::Sweep => self.on_sweep(request, &rows()?, out)?,
            Kind::Account => self.on_account(request, &object()?, out)?,
            Kind::Positions => self.on_positions(&rows()?, out)?,
            Kind::OpenOrders => self.on_open_orders(&rows()?, out)?,
            Kind::OpenAlgos => self.on_open_algos(&rows()?, out)?,
            Kind::KeepAlive | Kind::Countdown | Kind::Logon | Kind::Place | Kind::Cancel => {}
        }
        Ok(())
    }

    /// The answer was made about half-way between question and answer.
    fn on_clock(&mut self, request: &Request, server_time_ms: u64, out: &mut Out<'_>) {
        let trip = out.now.since(request.sent);
        if self.step == Step::Clock || trip <= CLOCK_TRIP_MAX {
            let middle = i128::from(request.sent.0) + i128::from(trip / 2);
            let offset = i128::from(server_time_ms) * i128::from(MS) - middle;
            let offset_ns = i64::try_from(offset).unwrap_or(0);
            self.budget.offset_ns = offset_ns;
            out.event(Some(server_time_ms), InstrumentId::NONE, EventBody::Clock(VenueClock { offset_ns }));
        }
        if self.step == Step::Clock {
            self.enter(Step::Keys, out.now);
        }
    }

    fn on_status(
        &mut self,
        request: &Request,
        body: &Fields<'_, '_>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let id = request.order;
        let algo = match body.find("algoId") {
            Some(_) => Some(AlgoReport::of_row(body)?),
            None => None,
        };
        let row = if algo.is_none() { Some(OrderRow::of_row(body)?) } else { None };
        self.may_ask_again(id);
        // Settled by a report in the meantime: the answer is older than what we know.
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        (order.is_seen, order.is_guess) = (true, false);
        if let Some(report) = algo {
            // Triggered meanwhile: the answer is older.
            let was_plain = !order.is_algo;
            order.is_algo = order.is_algo || report.order_id.is_none();
            if !was_plain || report.order_id.is_some() {
                self.answer_lost_cancel(id, report.state == "NEW", report.algo_id, out);
                self.on_algo(&report, out);
            }
            return Ok(());
        }
        let Some(row) = row else { return Ok(()) };
        order.is_algo = false;
        order.venue_id = row.order_id;
        let place = (request.instrument, id, row.order_id);
        if !row.status.is_final() {
            order.is_doubt_told = false;
            self.counters.acks += 1;
            out.order(row.time_ms, place, OrderUpdateKind::Ack);
        }
        self.answer_lost_cancel(id, !row.status.is_final(), row.order_id, out);
        self.settle(place, row.status, row.filled, row.time_ms, out);
        Ok(())
    }

    /// A cancel whose outcome was lost has an outcome now: it did not arrive, or the order is over.
    fn answer_lost_cancel(&mut self, id: ClientOrderId, is_working: bool, venue_id: u64, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        if std::mem::take(&mut order.is_cancel_lost) && is_working {
            let place = (order.instrument, id, venue_id);
            self.counters.cancel_rejects += 1;
            out.order(None, place, OrderUpdateKind::CancelReject { code: CODE_OUTCOME_LOST });
        }
    }

    /// All trades of one order, oldest first.
    fn on_trades(
        &mut self,
        request: &Request,
        rows: &[Fields<'_, '_>],
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let id = request.order;
        let trades = rows.iter().map(TradeRow::read).collect::<Result<Vec<_>, _>>()?;
        self.may_ask_again(id);
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        let Phase::MissingFills { executed, then } = order.phase else { return Ok(()) };
        let (instrument, venue_id) = (order.instrument, order.venue_id);
        let mut sum = Qty::ZERO;
        for trade in trades.iter().filter(|trade| trade.order_id == venue_id) {
            sum = Qty(sum.0.saturating_add(trade.qty.0));
            self.on_fill((instrument, id, venue_id), &trade.fill(sum), Some(trade.time_ms), out);
        }
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        order.reported = order.reported.max(sum);
        let status = then.unwrap_or(Status::Working);
        self.settle((instrument, id, venue_id), status, executed, None, out);
        self.give_up_fills(id, out);
        Ok(())
    }

    /// Trades that happened while we were away, of whatever hand.
    fn on_sweep(
        &mut self,
        request: &Request,
        rows: &[Fields<'_, '_>],
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let instrument = request.instrument;
        let trades = rows.iter().map(TradeRow::read).collect::<Result<Vec<_>, _>>()?;
        for trade in &trades {
            let id = self.orders.by_venue_id(instrument, trade.order_id).unwrap_or(ClientOrderId::NONE);
            let before = self.orders.get(id).map_or(Qty::ZERO, |order| order.reported);
            let cum_qty = Qty(before.0.saturating_add(trade.qty.0));
            self.counters.foreign += u64::from(id == ClientOrderId::NONE);
            self.on_fill((instrument, id, trade.order_id), &trade.fill(cum_qty), Some(trade.time_ms), out);
        }
        if trades.len() >= TRADES_PAGE {
            self.want_sweep(instrument);
        }
        Ok(())
    }

    fn on_account(
        &mut self,
        request: &Request,
        body: &Fields<'_, '_>,
        out: &mut Out<'_>,
    ) -> Result<(), Refusal> {
        let equity = Money(body.rough("totalMarginBalance")?);
        let free = Money(body.rough("availableBalance")?);
        let assets = body.rows("assets")?.collect::<Result<Vec<_>, _>>()?;
        for &asset in &self.assets {
            let is_it = |row: &&Fields<'_, '_>| row.text("asset").ok().and_then(Name::new) == Some(asset);
            let amount = assets.iter().find(is_it).map_or(Ok(0), |row| row.rough("walletBalance"))?;
            self.tell_wallet(None, asset, amount, out);
        }
        out.event(None, InstrumentId::NONE, EventBody::Margin(Margin { equity, free }));
        self.end_account(request, true, out);
        Ok(())
    }

    /// What is held; instruments that the answer leaves out are flat.
    fn on_positions(&mut self, rows: &[Fields<'_, '_>], out: &mut Out<'_>) -> Result<(), Refusal> {
        let mut held = vec![VenuePosition { qty: Qty::ZERO, average: Price::ZERO }; self.instruments.len()];
        for row in rows {
            let Some(id) = self.encoder.instrument_of(row.text("symbol")?) else { continue };
            let place = self.instruments.iter().position(|one| one.id == id);
            let Some(position) = place.and_then(|at| held.get_mut(at)) else { continue };
            position.qty = Qty(position.qty.0.saturating_add(row.decimal("positionAmt")?));
            position.average = Price(row.rough("entryPrice")?.max(0));
        }
        for (one, position) in self.instruments.iter().zip(held) {
            out.event(None, one.id, EventBody::VenuePosition(position));
        }
        self.end_round_part(true, out);
        Ok(())
    }

    fn on_open_orders(&mut self, rows: &[Fields<'_, '_>], out: &mut Out<'_>) -> Result<(), Refusal> {
        let rows = rows.iter().map(OrderRow::of_row).collect::<Result<Vec<_>, _>>()?;
        for row in &rows {
            let kind = match (row.is_market, row.is_maker) {
                (true, _) => OrderKind::Market,
                (false, true) => OrderKind::LimitMaker,
                (false, false) => OrderKind::Limit,
            };
            let instrument = self.encoder.instrument_of(row.symbol).unwrap_or(InstrumentId::NONE);
            // What a conditional order has become may carry another name.
            let ours = self.ours(row.client_order_id);
            let ours = ours.or_else(|| self.orders.by_venue_id(instrument, row.order_id));
            let Some(side) = row.side else { return Err(Refusal::Missing("side")) };
            let listed = VenueOrder {
                client_order_id: ours.unwrap_or(ClientOrderId::NONE),
                venue_order_id: row.order_id,
                side,
                kind,
                price: row.price,
                stop_price: Price::ZERO,
                qty: row.qty,
                filled_qty: row.filled,
            };
            self.tell_listed(row.symbol, listed, false, out);
        }
        self.doubt_unlisted(
            false,
            |order| {
                rows.iter().any(|row| {
                    row.order_id == order.venue_id || engine_id(row.client_order_id) == Some(order.id)
                })
            },
            out.now,
        );
        self.end_round_part(true, out);
        Ok(())
    }

    fn on_open_algos(&mut self, rows: &[Fields<'_, '_>], out: &mut Out<'_>) -> Result<(), Refusal> {
        let rows = rows.iter().map(AlgoReport::of_row).collect::<Result<Vec<_>, _>>()?;
        for row in &rows {
            let listed = VenueOrder {
                client_order_id: self.ours(row.client_id).unwrap_or(ClientOrderId::NONE),
                venue_order_id: row.algo_id,
                side: row.side,
                kind: OrderKind::StopLimit,
                price: row.price,
                stop_price: row.trigger,
                qty: row.qty,
                filled_qty: Qty::ZERO,
            };
            self.tell_listed(row.symbol, listed, true, out);
        }
        self.doubt_unlisted(
            true,
            |order| rows.iter().any(|row| engine_id(row.client_id) == Some(order.id)),
            out.now,
        );
        self.end_round_part(true, out);
        Ok(())
    }

    /// Orders that we thought were working and that a list which is younger than they does not hold: their end was lost.
    fn doubt_unlisted(&mut self, is_algo: bool, is_listed: impl Fn(&Order) -> bool, now: TsNs) {
        let Some(round) = self.round else { return };
        for order in self.orders.iter_mut() {
            let is_meant = order.phase == Phase::Live && order.is_algo == is_algo && order.sent < round.since;
            if is_meant && !is_listed(order) {
                order.doubt(Phase::InDoubt, now);
            }
        }
    }

    /// Tells an order that works, and takes it over if it is ours and unknown here.
    fn tell_listed(&mut self, symbol: &str, listed: VenueOrder, is_algo: bool, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(symbol) else { return };
        let (id, venue_id) = (listed.client_order_id, listed.venue_order_id);
        let since = self.round.map_or(TsNs(0), |round| round.since);
        // Finished while the list was under way: the list is older than what we know.
        if id != ClientOrderId::NONE && self.orders.is_done(id, since) {
            return;
        }
        if id != ClientOrderId::NONE && self.orders.get(id).is_none() {
            let order = Order::new(id, instrument, out.now, Phase::InDoubt);
            self.orders.insert(Order { venue_id, is_algo, ..order });
        }
        out.event(None, instrument, EventBody::VenueOrder(listed));
    }
}

/// A client id of the engine's form, of whatever instance.
fn engine_id(client_order_id: &str) -> Option<ClientOrderId> {
    ClientOrderId::parse(client_order_id.as_bytes())
}

/// One of the account's trades.
pub(super) struct TradeRow<'a> {
    trade_id: u64,
    order_id: u64,
    qty: Qty,
    price: Price,
    fee: Money,
    fee_asset: &'a str,
    side: smc_core::words::Side,
    is_maker: bool,
    time_ms: u64,
}

impl<'a> TradeRow<'a> {
    pub fn read(row: &Fields<'_, 'a>) -> Result<Self, Refusal> {
        Ok(Self {
            trade_id: row.integer("id")?,
            order_id: row.integer("orderId")?,
            qty: Qty(row.decimal("qty")?),
            price: Price(row.decimal("price")?),
            fee: Money(row.decimal_or_none("commission")?.unwrap_or(0)),
            fee_asset: row.text_or_none("commissionAsset")?.unwrap_or(""),
            side: row.side("side")?,
            is_maker: row.flag("maker")?,
            time_ms: row.integer("time")?,
        })
    }

    fn fill(&self, cum_qty: Qty) -> FillRow {
        let kind = OrderUpdateKind::Fill {
            trade_id: self.trade_id,
            side: self.side,
            price: self.price,
            qty: self.qty,
            cum_qty,
            fee: self.fee,
            fee_asset: Name::new(self.fee_asset).unwrap_or_default(),
            is_maker: self.is_maker,
        };
        FillRow { trade_id: self.trade_id, kind }
    }
}
