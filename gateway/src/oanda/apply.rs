//! What a transaction means for our orders: the one place where fills, ends and money are told.
//!
//! The same transaction comes over the stream, in lists and in answers, before or after the answer to the request that
//! caused it. Each is taken once, by its number; which way it came first makes no difference.

use super::encode::side_of;
use super::errors;
use super::message::{Body, Fill, Kind, Line, Order as Row, Transaction};
use super::orders::{OpenTrade, Order, Phase};
use super::session::{Out, SECOND, Session};
use super::tape::{Scratch, decode_line};
use smc_core::event::{Cash, CashKind, EventBody, OrderUpdateKind, VenueOrder};
use smc_core::output::OrderKind;
use smc_core::words::{ClientOrderId, InstrumentId, Money, Price, Qty, TsNs};

/// After a fill of a part the venue says what became of the rest; where it does not, it is asked after this pause.
pub(super) const REST_PAUSE: u64 = SECOND;
/// Bookings of one transaction are told apart by so many places.
const BOOKINGS: u64 = 1 << 10;

/// How a transaction came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// As it happened, or listed after it.
    Course,
    /// Asked for, as the proof of what became of an order; may be from before the process.
    Proof,
}

/// An order that the venue has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending<'r, 'a> {
    /// The venue's id.
    pub venue_id: u64,
    pub row: &'r Row<'a>,
    /// Signed; of one that closes a trade, what is left of that.
    pub units: Qty,
    /// It is not about to end, which would be told as a refusal.
    pub is_working: bool,
    /// When, by the venue; 0 where it is not told.
    pub ts: TsNs,
}

impl Session {
    /// Our order's id; none for orders of other instances, programs and people.
    pub fn ours(&self, client_id: &str) -> Option<ClientOrderId> {
        ClientOrderId::parse(client_id.as_bytes()).filter(|id| id.instance() == self.instance)
    }

    /// One line of the transaction stream.
    pub fn on_line(&mut self, payload: &mut [u8], scratch: &mut Scratch, out: &mut Out<'_>) {
        self.counters.messages += 1;
        self.heard(out.now);
        let read = decode_line(payload, scratch, |line| match line {
            Line::Heartbeat { last_id, .. } => self.ledger.hear(*last_id),
            Line::Transaction(transaction) => self.apply(transaction, Via::Course, false, out),
        });
        if read.is_err() {
            self.refuse();
            // What cannot be read may have been about us: the list that follows says so again, or shows that it is over.
            self.wants_list = true;
        }
    }

    /// Something could not be read: what the account holds shows whether it mattered.
    pub fn refuse(&mut self) {
        self.counters.refused += 1;
        self.rounds.want();
    }

    /// Takes in a transaction, once. `is_over`: it is known to be followed by the end of the order that it makes.
    pub fn apply(&mut self, transaction: &Transaction<'_>, via: Via, is_over: bool, out: &mut Out<'_>) {
        let Transaction { id, ts, ref body } = *transaction;
        let is_new = match via {
            Via::Course => self.ledger.take(id),
            Via::Proof => self.ledger.take_proof(id),
        };
        if !is_new {
            self.counters.fills_repeated += u64::from(matches!(body, Body::Filled(_)));
            return;
        }
        match body {
            Body::Created(row) => self.on_created(id, ts, row, is_over, out),
            Body::Refused { order, why } => self.on_refused(id, ts, order, why, out),
            Body::Filled(fill) => self.on_fill(id, ts, fill, out),
            Body::Cancelled { order_id, client_id, why } => {
                self.on_cancelled(id, ts, (*order_id, client_id), why, out);
            }
            Body::CancelRefused { order_id, client_id, why } => {
                self.on_cancel_refused(ts, (*order_id, client_id), why, out);
            }
            Body::Cash { kind, rows } => self.on_cash(id, ts, *kind, rows, out),
            Body::Account(_) => self.rounds.want(),
            Body::Other(_) => {}
        }
    }

    /// An order was made: ours, one that came with ours, or another hand's.
    fn on_created(&mut self, at: u64, ts: TsNs, row: &Row<'_>, is_over: bool, out: &mut Out<'_>) {
        let trade = self.orders.trade(row.trade_id);
        let instrument = match row.kind.is_of_trade() {
            true => trade.map(|trade| trade.instrument),
            false => self.encoder.instrument_of(row.instrument),
        };
        let units = match row.kind.is_of_trade() {
            true => Qty(trade.map_or(0, |trade| trade.units.0.saturating_neg())),
            false => row.units,
        };
        let Some(instrument) = instrument else {
            // Of a trade that we have not heard of, or of an instrument that is not ours.
            if row.kind.is_of_trade() {
                self.rounds.want();
            }
            return;
        };
        let Some(id) = self.ours(row.client_id).or_else(|| attached(row, trade)) else {
            self.orders.note_foreign(at, instrument);
            self.counters.foreign += 1;
            if !is_over && row.kind != Kind::Market && units != Qty::ZERO {
                let order = venue_order(ClientOrderId::NONE, at, row, units);
                out.event(ts, instrument, EventBody::VenueOrder(order));
            }
            return;
        };
        let done = self.orders.done(id);
        if done.is_some_and(|done| done.by > at) {
            // An older word about an order that has ended. Where that was heard first, its end is told only now, when it
            // is known what it was an order for.
            if self.orders.take_untold(id) {
                out.order(ts, instrument, id, at, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
            }
            return;
        }
        if self.orders.get(id).is_none() {
            // Came with another, was left over of a part that filled, or was sent by a process of this instance before us.
            let order = Order::new(id, instrument, out.now, Phase::Placing);
            self.orders.insert(order.after(done));
        }
        if self.orders.get(id).is_some_and(|order| order.venue_id > at) {
            // What it was before a part of it filled.
            return;
        }
        let is_working = row.kind != Kind::Market && !is_over;
        self.on_pending(id, &Pending { venue_id: at, row, units, is_working, ts }, out);
    }

    /// The venue has the order.
    pub fn on_pending(&mut self, id: ClientOrderId, pending: &Pending<'_, '_>, out: &mut Out<'_>) {
        let Pending { venue_id, row, units, is_working, ts } = *pending;
        let asked = self.asked(row, units);
        let Some(order) = self.orders.get(id) else { return };
        order.venue_id = venue_id;
        order.trade = (row.trade_id != 0).then_some((row.kind, row.trade_id));
        order.is_immediate = row.is_immediate;
        if order.qty == Qty::ZERO {
            order.qty = asked;
        }
        order.note_part(asked);
        (order.phase, order.proof, order.absent) = (Phase::Live, 0, None);
        let is_cancel_lost = is_working && std::mem::take(&mut order.is_cancel_lost);
        let is_news = is_working && !order.is_closed && (!order.is_acked || order.is_doubt_told);
        if is_news {
            (order.is_acked, order.is_doubt_told) = (true, false);
        }
        let instrument = order.instrument;
        if is_news {
            self.counters.acks += 1;
            out.order(ts, instrument, id, venue_id, OrderUpdateKind::Ack);
        }
        if is_cancel_lost {
            self.counters.cancel_rejects += 1;
            let kind = OrderUpdateKind::CancelReject { code: errors::OUTCOME_LOST };
            out.order(ts, instrument, id, venue_id, kind);
            if let Some(order) = self.orders.get(id) {
                // The core asks for a word after a refused cancel; it has just been had.
                order.is_acked = true;
            }
            out.order(ts, instrument, id, venue_id, OrderUpdateKind::Ack);
        }
    }

    /// The quantity that the engine knows an order by; 0 where we do not know it.
    pub fn asked(&self, row: &Row<'_>, units: Qty) -> Qty {
        match row.kind.is_of_trade() {
            true => self.orders.trade(row.trade_id).map_or(Qty::ZERO, |trade| trade.entry_qty),
            false => units.abs(),
        }
    }

    fn on_refused(&mut self, by: u64, ts: TsNs, row: &Row<'_>, why: &str, out: &mut Out<'_>) {
        let trade = self.orders.trade(row.trade_id);
        let Some(id) = self.ours(row.client_id).or_else(|| attached(row, trade)) else { return };
        self.last_refusal.clear();
        self.last_refusal.push_str(why);
        let known = self.orders.get(id).map(|order| (order.instrument, order.is_acked));
        match known {
            // Works already: another request with its id was refused, and we send none.
            Some((_, true)) => {}
            Some((instrument, false)) => self.reject(id, instrument, errors::code(why), by, ts, out),
            None if self.orders.done(id).is_some() => {}
            // Came with an entry, and is known to the engine by that.
            None => {
                let instrument = trade.map(|trade| trade.instrument);
                if let Some(instrument) = instrument.or_else(|| self.encoder.instrument_of(row.instrument)) {
                    self.reject(id, instrument, errors::code(why), by, ts, out);
                }
            }
        }
    }

    /// Tells that an order was refused, and forgets it.
    pub fn reject(
        &mut self,
        id: ClientOrderId,
        instrument: InstrumentId,
        code: i32,
        by: u64,
        ts: TsNs,
        out: &mut Out<'_>,
    ) {
        self.counters.rejects += 1;
        self.orders.finish(id, by);
        out.order(ts, instrument, id, 0, OrderUpdateKind::Reject { code });
    }

    fn on_fill(&mut self, at: u64, ts: TsNs, fill: &Fill<'_>, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(fill.instrument) else { return };
        let id = self.ours(fill.client_id).or_else(|| self.orders.named(fill.order_id));
        if !fill.is_balanced {
            self.refuse();
        }
        let qty = fill.units.abs();
        // Told by the process before us. What follows from it is taken in again, for that process may not have come so far.
        let was_counted = self.ledger.was_counted(at);
        let added = if was_counted { Qty::ZERO } else { qty };
        let mut cum_qty = qty;
        if let Some(order) = id.and_then(|id| self.orders.get(id)) {
            // A part has one fill. Of an order from before us one that the account showed at our first look may be the one that
            // its owner knows; what came later is new to everybody.
            let is_perhaps_known = order.is_from_before && at <= self.ledger.start();
            cum_qty = if is_perhaps_known {
                order.reported.max(Qty(order.filled_before.0.saturating_add(qty.0)))
            } else {
                Qty(order.reported.0.saturating_add(added.0))
            };
            order.reported = cum_qty;
        } else if let Some(done) = id.and_then(|id| self.orders.done_mut(id)) {
            // Each part of an entry that fills brings a stop and a target of its own, all under the entry's two names.
            cum_qty = Qty(done.reported.0.saturating_add(added.0));
            done.reported = cum_qty;
        }
        if let Some((trade_id, units)) = fill.opened {
            let opened_by = id.unwrap_or(ClientOrderId::NONE);
            let order = id.and_then(|id| self.orders.get(id)).map(|order| (order.is_immediate, order.qty));
            let entry_qty = match order {
                Some((false, asked)) => asked.max(cum_qty),
                _ => cum_qty,
            };
            self.orders.note_trade(OpenTrade { id: trade_id, instrument, units, opened_by, entry_qty });
        }
        let client_order_id = id.unwrap_or(ClientOrderId::NONE);
        let kind = OrderUpdateKind::Fill {
            trade_id: at,
            side: fill.side(),
            price: fill.price,
            qty,
            cum_qty,
            fee: fill.fee,
            fee_asset: self.currency,
            is_maker: false,
        };
        if was_counted {
            self.counters.fills_repeated += 1;
        } else {
            self.counters.fills += 1;
            self.counters.foreign += u64::from(id.is_none());
            out.order(ts, instrument, client_order_id, fill.order_id, kind);
        }
        if fill.financing != Money::ZERO {
            self.book((at, 0), ts, instrument, (CashKind::Financing, fill.financing), out);
        }
        self.figures_at = self.figures_at.min(TsNs(out.now.0.saturating_add(SECOND)));
        if let Some(id) = id {
            self.after_fill(id, at, fill, ts, out);
        }
    }

    /// What a fill leaves of its order, and what comes with it.
    fn after_fill(&mut self, id: ClientOrderId, at: u64, fill: &Fill<'_>, ts: TsNs, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else {
            if self.orders.done(id).is_none() {
                self.orders.finish(id, at);
                if let Some(done) = self.orders.done_mut(id) {
                    done.reported = fill.units.abs();
                }
            }
            return;
        };
        order.venue_id = order.venue_id.max(fill.order_id);
        order.is_acked = true;
        let order = *order;
        let is_whole = order.qty > Qty::ZERO && order.reported >= order.qty;
        let is_over = order.is_immediate || order.trade.is_some();
        self.tell_attached(&order, fill, ts, out);
        match (is_whole, is_over) {
            (true, _) => self.orders.finish(id, at),
            (false, true) => {
                self.orders.finish(id, at);
                if !order.is_closed {
                    let kind = OrderUpdateKind::Expired { cum_qty: order.reported };
                    out.order(ts, order.instrument, id, order.venue_id, kind);
                }
            }
            (false, false) => {
                if let Some(order) = self.orders.get(id) {
                    order.doubt(TsNs(out.now.0.saturating_add(REST_PAUSE)));
                    order.proof = 0;
                }
            }
        }
    }

    /// Stop and target belong to the trade that a fill opens. Where it opened none, because it closed another, there are
    /// none; where it filled before this process, they are asked about.
    fn tell_attached(&mut self, order: &Order, fill: &Fill<'_>, ts: TsNs, out: &mut Out<'_>) {
        let kinds = [(order.has_stop, 1, Kind::StopLoss), (order.has_target, 2, Kind::TakeProfit)];
        for (is_wanted, places, kind) in kinds {
            let id = order.id.after(places);
            if is_wanted && self.orders.take_untold(id) {
                // Its end was heard before the fill that it came with.
                let kind = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
                out.order(ts, order.instrument, id, 0, kind);
            }
            if !is_wanted || self.orders.done(id).is_some() || self.orders.get(id).is_some() {
                continue;
            }
            let Some((trade_id, _)) = fill.opened else {
                self.reject(id, order.instrument, errors::code("NO_TRADE_OPENED"), 0, ts, out);
                continue;
            };
            let child = Order::new(id, order.instrument, out.now, Phase::InDoubt);
            let child = if order.is_from_before {
                Order { is_from_before: true, is_acked: true, ..child }
            } else {
                // Told of next, unless that came before the fill and meant nothing to us then.
                let qty = self.orders.trade(trade_id).map_or(Qty::ZERO, |trade| trade.entry_qty);
                let ask_at = TsNs(out.now.0.saturating_add(REST_PAUSE));
                Order { qty, trade: Some((kind, trade_id)), ask_at, ..child }
            };
            self.orders.insert(child);
        }
    }

    fn on_cancelled(&mut self, by: u64, ts: TsNs, name: (u64, &str), why: &str, out: &mut Out<'_>) {
        let (order_id, client_id) = name;
        let Some(id) = self.ours(client_id).or_else(|| self.orders.named(order_id)) else {
            if let Some(instrument) = self.orders.foreign(order_id) {
                let kind = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
                out.order(ts, instrument, ClientOrderId::NONE, order_id, kind);
            }
            return;
        };
        let Some(order) = self.orders.get(id).copied() else {
            if self.orders.done(id).is_none() {
                self.orders.finish_untold(id, by);
            }
            return;
        };
        // What is left of an order that filled in part goes on under the same name: its first half may end later.
        if order.venue_id != 0 && order_id != 0 && order_id < order.venue_id {
            return;
        }
        if order.is_closed {
            return self.orders.finish(id, by);
        }
        let cum_qty = order.reported;
        let is_wished =
            matches!(why, "CLIENT_REQUEST" | "CLIENT_REQUEST_REPLACED" | "LINKED_TRADE_CLOSED" | "MIGRATION");
        // Past a hole there may be a fill of it that is still to come, and what has filled was not refused.
        let is_sure = self.ledger.applied_to() >= by || self.ledger.start() >= by;
        let is_lived = order.is_acked || cum_qty > Qty::ZERO || why == "TIME_IN_FORCE_EXPIRED" || !is_sure;
        let kind = match (is_wished, is_lived) {
            (true, _) => OrderUpdateKind::Canceled { cum_qty },
            (false, true) => OrderUpdateKind::Expired { cum_qty },
            (false, false) => {
                self.last_refusal.clear();
                self.last_refusal.push_str(why);
                return self.reject(id, order.instrument, errors::code(why), by, ts, out);
            }
        };
        self.orders.finish(id, by);
        let venue_id = if order_id != 0 { order_id } else { order.venue_id };
        out.order(ts, order.instrument, id, venue_id, kind);
    }

    fn on_cancel_refused(&mut self, ts: TsNs, name: (u64, &str), why: &str, out: &mut Out<'_>) {
        let (order_id, client_id) = name;
        let code = errors::code(why);
        let Some(id) = self.ours(client_id).or_else(|| self.orders.named(order_id)) else {
            if let Some(instrument) = self.orders.foreign(order_id) {
                self.counters.cancel_rejects += 1;
                let kind = OrderUpdateKind::CancelReject { code };
                out.order(ts, instrument, ClientOrderId::NONE, order_id, kind);
            }
            return;
        };
        self.refuse_cancel(id, code, ts, out);
    }

    /// Tells that a cancel was refused; what became of the order is asked.
    pub fn refuse_cancel(&mut self, id: ClientOrderId, code: i32, ts: TsNs, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id) else { return };
        order.is_cancel_lost = false;
        order.is_doubt_told = true;
        if order.phase == Phase::Live {
            order.doubt(out.now);
        }
        let (instrument, venue_id) = (order.instrument, order.venue_id);
        self.counters.cancel_rejects += 1;
        out.order(ts, instrument, id, venue_id, OrderUpdateKind::CancelReject { code });
    }

    /// A cancel of an order that we do not have was refused. Whoever asked for it still has it.
    pub fn refuse_stray_cancel(
        &mut self,
        (id, instrument): (ClientOrderId, InstrumentId),
        code: i32,
        out: &mut Out<'_>,
    ) {
        if self.orders.take_untold(id) {
            return out.order(TsNs(0), instrument, id, 0, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
        }
        // An end that was told crossed the cancel.
        if self.orders.done(id).is_none() && self.resolve(out.now, instrument, id, Qty::ZERO) {
            self.refuse_cancel(id, code, TsNs(0), out);
        }
    }

    fn on_cash(&mut self, at: u64, ts: TsNs, kind: CashKind, rows: &[(&str, Money)], out: &mut Out<'_>) {
        for (nth, &(name, amount)) in rows.iter().enumerate() {
            // Money about an instrument that is not ours is the account's.
            let instrument = self.encoder.instrument_of(name).unwrap_or(InstrumentId::NONE);
            if amount != Money::ZERO {
                self.book((at, nth as u64 + 1), ts, instrument, (kind, amount), out);
            }
        }
        self.figures_at = self.figures_at.min(TsNs(out.now.0.saturating_add(SECOND)));
    }

    /// Tells money of a transaction, the nth booking in it.
    fn book(
        &self,
        (at, nth): (u64, u64),
        ts: TsNs,
        instrument: InstrumentId,
        (kind, amount): (CashKind, Money),
        out: &mut Out<'_>,
    ) {
        let booking_id = at.saturating_mul(BOOKINGS).saturating_add(nth.min(BOOKINGS - 1));
        let cash = Cash { kind, asset: self.currency, amount, booking_id };
        out.event(ts, instrument, EventBody::Cash(cash));
    }
}

/// The id of a stop or target that came with one of our orders, by the trade which that opened, where the venue has lost
/// the name it was given.
fn attached(row: &Row<'_>, trade: Option<OpenTrade>) -> Option<ClientOrderId> {
    let trade = trade.filter(|trade| trade.opened_by != ClientOrderId::NONE && row.client_id.is_empty())?;
    (row.fill_id != 0 && row.fill_id == trade.id).then_some(match row.kind {
        Kind::TakeProfit => trade.opened_by.after(2),
        _ => trade.opened_by.after(1),
    })
}

/// An order that works, in the core's words.
pub(super) fn venue_order(id: ClientOrderId, venue_order_id: u64, row: &Row<'_>, units: Qty) -> VenueOrder {
    let (kind, price, stop_price) = match row.kind {
        Kind::Market => (OrderKind::Market, Price::ZERO, Price::ZERO),
        Kind::Limit | Kind::TakeProfit => (OrderKind::Limit, row.price, Price::ZERO),
        Kind::Stop | Kind::Touched | Kind::StopLoss => {
            let price = if row.bound > Price::ZERO { row.bound } else { row.price };
            (OrderKind::StopLimit, price, row.price)
        }
    };
    VenueOrder {
        client_order_id: id,
        venue_order_id,
        side: side_of(units),
        kind,
        price,
        stop_price,
        qty: units.abs(),
        filled_qty: Qty::ZERO,
    }
}
