//! Rounds of reconciliation: everything the venue has of ours, told between a beginning and an end.
//!
//! ```text
//! begin ─► Account ─► Orders ─► Fills (each instrument, page by page) ─► Resolving ─► end
//!          balances   rows      trades since the last look               doubts asked
//! ```
//!
//! One round after each connection, before orders may be sent, and one whenever the core wants it. Rows come before acks
//! of the same state. A spot account tells no positions: its coins may have come from anywhere.

use super::encode::{Named, Query, TRADES_PAGE, TradesQuery};
use super::message::*;
use super::orders::{Order, Phase};
use super::session::{ASKS_MAX, Out, SECOND, Sent, Session, Step, Wire};
use super::trades::StrangeTrade;
use crate::requests::{Request, RequestKind};
use smc_core::event::{EventBody, OrderUpdateKind, ReconcileRound, VenueOrder};
use smc_core::output::OrderKind;
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, TsNs};

/// A round beside the trading waits so long for doubts to end.
const ROUND_LONGEST: u64 = 20 * SECOND;

/// How far a round has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// None is under way.
    Idle,
    /// Reading balances.
    Account,
    /// Reading what works.
    Orders,
    /// Reading trades of the instrument at this place.
    Fills(usize),
    /// Asking about what is in doubt.
    Resolving,
}

/// The round under way, or the last.
pub(super) struct Rounds {
    number: u32,
    stage: Stage,
    /// The request of the stage is under way.
    is_sent: bool,
    is_complete: bool,
    is_wanted: bool,
    begun: TsNs,
}

impl Rounds {
    pub const fn new() -> Self {
        Self {
            number: 0,
            stage: Stage::Idle,
            is_sent: false,
            is_complete: false,
            is_wanted: false,
            begun: TsNs(0),
        }
    }

    pub const fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    pub const fn is_resolving(&self) -> bool {
        matches!(self.stage, Stage::Resolving)
    }

    /// The connection is gone: the next round is the first of another.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    pub const fn want(&mut self) {
        self.is_wanted = true;
    }

    pub(super) const fn enter(&mut self, stage: Stage) {
        (self.stage, self.is_sent) = (stage, false);
    }
}

impl Session {
    /// Begins, goes on with or ends a round. Called every turn while one is under way.
    pub(super) fn drive_round(&mut self, out: &mut Out<'_>, wire: &mut Wire<'_>) {
        if !matches!(self.step, Step::Reconciling | Step::Ready) {
            return;
        }
        if self.rounds.is_idle() {
            if self.step == Step::Ready && !self.rounds.is_wanted {
                return;
            }
            let number = self.rounds.number + 1;
            self.rounds = Rounds { number, begun: out.now, is_complete: true, ..Rounds::new() };
            self.rounds.enter(Stage::Account);
            self.tell_round(false, out);
        }
        if self.rounds.is_sent {
            return;
        }
        if matches!(self.rounds.stage, Stage::Fills(place) if place >= self.encoder.instruments()) {
            self.rounds.enter(Stage::Resolving);
        }
        match self.rounds.stage {
            Stage::Idle => {}
            Stage::Account => {
                self.ask_round(RequestKind::Account, &Query::Account, InstrumentId::NONE, out, wire)
            }
            // An order under way may or may not be in the list.
            Stage::Orders if self.in_flight.orders_waiting() > 0 || self.is_holding() => {}
            Stage::Orders => {
                (self.listed_at, self.epoch) = (out.now, self.epoch + 1);
                self.ask_round(RequestKind::OpenOrders, &Query::OpenOrders, InstrumentId::NONE, out, wire);
            }
            Stage::Fills(place) => match self.encoder.instrument_at(place) {
                None => {}
                Some(instrument) => {
                    // Where nothing was read before, the end of the list is enough: orders from before are asked about.
                    let from = self.trades.from(instrument);
                    let limit = if from.is_some() { TRADES_PAGE } else { 1 };
                    let query = TradesQuery { instrument, order: None, from, limit };
                    self.ask_round(RequestKind::Range, &Query::Trades(&query), instrument, out, wire);
                }
            },
            Stage::Resolving => self.ask_strangers(out, wire),
        }
    }

    fn ask_round(
        &mut self,
        kind: RequestKind,
        query: &Query<'_>,
        instrument: InstrumentId,
        out: &mut Out<'_>,
        wire: &mut Wire<'_>,
    ) {
        // The first round goes before everything else; later ones have to fit into the budget.
        let weight = query.weight(self.encoder.instruments());
        let has_room = self.budget.query(out.now, weight);
        if !has_room && self.step == Step::Ready {
            return;
        }
        self.rounds.is_sent = self.send_query(kind, query, instrument, out.now, wire).is_some();
    }

    /// Ends the round when nothing is in doubt any more, or has been for too long.
    pub(super) fn end_round(&mut self, out: &mut Out<'_>) {
        let is_on = matches!(self.step, Step::Reconciling | Step::Ready);
        if !is_on || self.wants_cut || !self.rounds.is_resolving() {
            return;
        }
        let (epoch, is_first) = (self.epoch, self.step == Step::Reconciling);
        let is_over = out.now.since(self.rounds.begun) >= ROUND_LONGEST;
        let is_resolved = |order: &Order| match order.phase {
            Phase::Placing | Phase::Live => true,
            Phase::InDoubt => is_first && (order.answered_on == epoch || order.asks >= ASKS_MAX),
            Phase::MissingFills { .. } => false,
        };
        let is_named = self.trades.strange().is_empty();
        let is_done = is_named && self.orders.iter().all(is_resolved);
        if !is_done && (is_first || !is_over) {
            return;
        }
        let is_unanswered = |order: &Order| order.phase == Phase::InDoubt && order.answered_on != epoch;
        self.rounds.is_complete &= is_done && !self.orders.iter().any(is_unanswered);
        self.tell_round(true, out);
        self.rounds.enter(Stage::Idle);
        if is_first {
            self.was_ready = true;
            self.enter(Step::Ready);
        }
    }

    /// A request of the round has no usable answer. True when the round goes on beside the trading, without it.
    pub(super) fn on_round_trouble(&mut self, kind: RequestKind, out: &mut Out<'_>) -> bool {
        let is_essential = kind != RequestKind::Range;
        if self.step != Step::Ready && is_essential {
            return false;
        }
        self.rounds.is_complete = false;
        match self.rounds.stage {
            Stage::Fills(place) if !is_essential => self.rounds.enter(Stage::Fills(place + 1)),
            Stage::Idle => {}
            _ => {
                self.tell_round(true, out);
                self.rounds.enter(Stage::Idle);
            }
        }
        true
    }

    fn tell_round(&self, is_end: bool, out: &mut Out<'_>) {
        let Rounds { number, is_complete, .. } = self.rounds;
        let round = ReconcileRound { number, is_end, is_complete: is_end && is_complete };
        out.event(None, InstrumentId::NONE, EventBody::Round(round));
    }

    /// The venue's list of what is working: tells each row, adopts what is ours, doubts what we thought was working and
    /// is not in the list.
    pub(super) fn on_open_orders(&mut self, rows: &Rows<'_, '_, OrderResult<'_>>, out: &mut Out<'_>) {
        for row in rows.iter() {
            let Some(instrument) = self.encoder.instrument_of(row.symbol) else { continue };
            let ours = self.ours(row.client_order_id);
            // Finished while the list was under way: the list is older than what we know.
            if ours.is_some_and(|id| self.orders.is_done(id, self.listed_at)) {
                continue;
            }
            match venue_order(&row, ours.unwrap_or(ClientOrderId::NONE)) {
                Some(told) => out.event(row.time_ms, instrument, EventBody::VenueOrder(told)),
                None => self.rounds.is_complete = false,
            }
            let Some(id) = ours else {
                self.counters.foreign += 1;
                continue;
            };
            if self.orders.get(id).is_none()
                && !self.orders.insert(Order::new(id, instrument, out.now, Phase::Live))
            {
                self.rounds.is_complete = false;
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
        self.rounds.enter(Stage::Fills(0));
    }

    /// A page of an instrument's trades, oldest first.
    pub(super) fn on_range(
        &mut self,
        request: &Request,
        rows: Option<&Rows<'_, '_, TradeRow<'_>>>,
        out: &mut Out<'_>,
    ) {
        let Stage::Fills(place) = self.rounds.stage else { return };
        let instrument = request.instrument;
        let was_read = self.trades.from(instrument).is_some();
        let mut is_cut_short = false;
        for row in rows.iter().flat_map(|rows| rows.iter()) {
            if was_read {
                if !self.trades.has_room() {
                    is_cut_short = true;
                    break;
                }
                self.on_range_row(instrument, &row, out);
            }
            self.trades.read_to(instrument, row.trade_id.saturating_add(1));
        }
        if rows.is_none() && !was_read {
            self.trades.read_to(instrument, 0);
        }
        self.rounds.is_complete &= !is_cut_short;
        let is_full = was_read && !is_cut_short && rows.is_some_and(|rows| rows.len() >= TRADES_PAGE);
        self.rounds.enter(Stage::Fills(if is_full { place } else { place + 1 }));
    }

    fn on_range_row(&mut self, instrument: InstrumentId, row: &TradeRow<'_>, out: &mut Out<'_>) {
        if let Some(id) = self.orders.id_of(instrument, row.order_id) {
            let reported = self.orders.get(id).map_or(Qty::ZERO, |order| order.reported);
            let cum_qty = Qty(reported.0.saturating_add(row.qty.0));
            if self.on_trade_row(instrument, id, row, cum_qty, out)
                && let Some(order) = self.orders.get(id)
            {
                order.reported = cum_qty;
                let (phase, venue_id) = (order.phase, order.venue_id);
                if let Phase::MissingFills { executed, then } = phase {
                    let status = then.unwrap_or(OrderStatus::New);
                    self.settle((instrument, id, venue_id), status, executed, None, out);
                }
            }
            return;
        }
        if !self.is_new_trade(instrument, row.trade_id) {
            self.counters.fills_repeated += 1;
            return;
        }
        self.trades.keep(StrangeTrade {
            instrument,
            order_id: row.order_id,
            trade_id: row.trade_id,
            side: row.side,
            price: row.price,
            qty: row.qty,
            fee: row.fee,
            fee_asset: Name::new(row.fee_asset).unwrap_or_default(),
            is_maker: row.is_maker,
            time_ms: row.time_ms,
            asked: None,
            asks: 0,
        });
    }

    /// Asks whose the orders are that trades were listed of. What cannot be learned is another hand's.
    fn ask_strangers(&mut self, out: &mut Out<'_>, wire: &mut Wire<'_>) {
        let is_waiting = self.trades.strange().iter().any(|trade| trade.asked.is_some());
        let Some(next) = self.trades.strange().first().copied().filter(|_| !is_waiting) else { return };
        if next.asks >= ASKS_MAX {
            self.tell_strangers(next.instrument, next.order_id, ClientOrderId::NONE, out);
            return;
        }
        let query = Query::Status(next.instrument, Named::Theirs(next.order_id));
        if !self.budget.query(out.now, query.weight(1)) {
            return;
        }
        let asked = self.send_query(RequestKind::Stranger, &query, next.instrument, out.now, wire);
        if let Some(trade) = self.trades.strange().first_mut() {
            trade.asked = asked;
            trade.asks += u32::from(asked.is_some());
        }
    }

    /// The venue said whose an order is, or would not say.
    pub(super) fn on_stranger(
        &mut self,
        request: &Request,
        order: Option<&OrderResult<'_>>,
        out: &mut Out<'_>,
    ) {
        let is_it = |trade: &&mut StrangeTrade| trade.asked == Some(request.id);
        let Some(trade) = self.trades.strange().iter_mut().find(is_it) else { return };
        trade.asked = None;
        let (instrument, order_id) = (trade.instrument, trade.order_id);
        if let Some(order) = order.filter(|order| order.order_id == order_id) {
            let id = self.ours(order.client_order_id).unwrap_or(ClientOrderId::NONE);
            self.tell_strangers(instrument, order_id, id, out);
        }
    }

    fn tell_strangers(
        &mut self,
        instrument: InstrumentId,
        order_id: u64,
        id: ClientOrderId,
        out: &mut Out<'_>,
    ) {
        let mut cum_qty = Qty::ZERO;
        while let Some(trade) = self.trades.take(instrument, order_id) {
            cum_qty = Qty(cum_qty.0.saturating_add(trade.qty.0));
            let StrangeTrade { trade_id, side, price, qty, fee, fee_asset, is_maker, .. } = trade;
            self.counters.fills += u64::from(id != ClientOrderId::NONE);
            let fill =
                OrderUpdateKind::Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker };
            out.order(Some(trade.time_ms), instrument, id, order_id, fill);
        }
    }

    /// Sends a request that is about no order of ours; its id when it is under way.
    pub(super) fn send_query(
        &mut self,
        kind: RequestKind,
        query: &Query<'_>,
        instrument: InstrumentId,
        now: TsNs,
        wire: &mut Wire<'_>,
    ) -> Option<u64> {
        let id = self.in_flight.issue(kind, ClientOrderId::NONE, instrument, now)?;
        let time_ms = self.venue_ms(now);
        let sent: Result<Sent, _> = self.encoder.frame(id, time_ms, query).map(wire);
        self.sent(id, sent).is_ok().then_some(id)
    }
}

/// A row of the list in the core's words; none where the venue left out what belongs to it.
fn venue_order(row: &OrderResult<'_>, client_order_id: ClientOrderId) -> Option<VenueOrder> {
    Some(VenueOrder {
        client_order_id,
        venue_order_id: row.order_id,
        side: row.side?,
        kind: kind_of(row.order_type?),
        price: row.price?,
        stop_price: row.stop_price.unwrap_or(Price::ZERO),
        qty: row.qty?,
        filled_qty: row.executed_qty?,
    })
}

/// The nearest of our order kinds.
fn kind_of(word: &str) -> OrderKind {
    match word {
        "LIMIT_MAKER" => OrderKind::LimitMaker,
        "MARKET" | "STOP_LOSS" | "TAKE_PROFIT" => OrderKind::Market,
        "STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT" => OrderKind::StopLimit,
        _ => OrderKind::Limit,
    }
}
