//! What became of the orders in doubt: asked about until the venue has proved it.
//!
//! ```text
//! in doubt ─► by its name ─► works
//!                │     └───► ended ─► by which transaction ─► applied
//!                └► not known ─► since it was sent nothing is listed of it, and it can not be under way ─► never arrived
//!                        └─────► from before the process, and no journal says how far the account was told: the past is
//!                                searched as well
//! ```
//!
//! Asks and never acts: nothing here sends, changes or cancels an order.

use super::apply::{Pending, REST_PAUSE, Via};
use super::encode::Spec;
use super::message::{Answer, Body, OrderRow, OrderState, Transaction};
use super::orders::{Order, Phase};
use super::session::{AskKind, MS, Out, RETRY_PAUSE, RestWire, SECOND, Session};
use smc_core::event::OrderUpdateKind;
use smc_core::words::{ClientOrderId, InstrumentId, Qty, TsNs};

/// First pause between two questions about an order; doubles up to the longest.
const ASK_FIRST: u64 = 250 * MS;
const ASK_LONGEST: u64 = 5 * SECOND;
/// Transactions from before the process that are searched for an order which the venue knows no more.
const HISTORY: u64 = 5_000;
/// Of one page.
const PAGE: u64 = 1_000;
/// How late a request whose answer was lost may still be carried out.
const ARRIVAL: u64 = 30 * SECOND;

/// How far the search of the past has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum History {
    /// Nobody has wanted it.
    Unwanted,
    /// The next page begins here, and is not asked for before the moment.
    At(u64, TsNs),
    Asked,
    Done,
}

impl Session {
    /// Asks about every order in doubt whose time has come.
    pub fn ask_about_orders(&mut self, now: TsNs, wire: &mut RestWire<'_>) {
        // What happened before this process is told in its order; the list of it answers most questions.
        if self.ledger.is_resuming() {
            return;
        }
        loop {
            let is_due =
                |order: &&Order| order.phase == Phase::InDoubt && !order.is_asked && now >= order.ask_at;
            let Some(order) = self.orders.iter().find(is_due).copied() else { return };
            let id = order.id;
            let (kind, ask) = match order.proof {
                0 => (AskKind::Details { id }, self.encoder.details(Spec::of(order.venue_id, id))),
                proof => (AskKind::Proof { id }, self.encoder.transaction(proof)),
            };
            if !self.ask(kind, ask, now, wire) {
                return;
            }
            self.counters.queries += 1;
            if let Some(order) = self.orders.get(id) {
                order.is_asked = true;
                let pause = ASK_FIRST.saturating_mul(1 << order.asks.min(8)).min(ASK_LONGEST);
                order.ask_at = TsNs(now.0.saturating_add(pause));
                order.asks = order.asks.saturating_add(1);
            }
        }
    }

    /// Searches what happened before the process for orders that the venue knows no more.
    pub fn search_history(&mut self, now: TsNs, wire: &mut RestWire<'_>) {
        if self.history == History::Unwanted {
            if !self.ledger.is_known() || !self.wants_history {
                return;
            }
            let first = self.ledger.start().saturating_sub(HISTORY) + 1;
            self.history = History::At(first, now);
        }
        let History::At(from, at) = self.history else { return };
        let start = self.ledger.start();
        if from > start {
            self.history = History::Done;
            return;
        }
        let to = start.min(from + PAGE - 1);
        if now >= at && self.ask(AskKind::History { from, to }, self.encoder.range(from, to), now, wire) {
            self.history = History::Asked;
            self.counters.queries += 1;
        }
    }

    /// The page could not be had.
    pub fn history_later(&mut self, from: u64, now: TsNs) {
        self.history = History::At(from, TsNs(now.0.saturating_add(RETRY_PAUSE)));
    }

    pub fn unask(&mut self, id: ClientOrderId) {
        if let Some(order) = self.orders.get(id) {
            order.is_asked = false;
        }
    }

    /// The venue's word on an order that was in doubt when it was asked.
    pub fn on_details(
        &mut self,
        id: ClientOrderId,
        sent: TsNs,
        status: u16,
        answer: &Answer<'_>,
        out: &mut Out<'_>,
    ) {
        self.unask(id);
        let Some(order) = self.orders.get(id).filter(|order| order.phase == Phase::InDoubt) else { return };
        if status == 404 {
            // Only the account itself can say so, not whatever stands before it.
            if answer.last_id == 0 && answer.code.is_empty() {
                return;
            }
            order.answered = sent;
            let is_late = sent.since(order.sent) >= ARRIVAL;
            // The past may know it; what the process before us sent may still be under way.
            self.wants_history |= order.is_from_before && !self.ledger.is_seamless();
            if is_late {
                order.absent.get_or_insert(sent);
                self.wants_list = true;
            }
            return self.prove_absent(out);
        }
        match &answer.order {
            Some(Ok(row)) if row.order.client_id.is_empty() || self.ours(row.order.client_id) == Some(id) => {
                self.on_order_row(id, sent, row, answer.last_id, out);
            }
            _ => self.counters.refused += 1,
        }
    }

    fn on_order_row(
        &mut self,
        id: ClientOrderId,
        sent: TsNs,
        row: &OrderRow<'_>,
        last_id: u64,
        out: &mut Out<'_>,
    ) {
        let units = row.order.units;
        let asked = self.asked(&row.order, units);
        // A row of what the order was before a part of it filled says nothing of what was left.
        let Some(order) = self.orders.get(id).filter(|order| row.id >= order.venue_id) else { return };
        order.answered = sent;
        order.absent = None;
        match row.state {
            OrderState::Pending => {
                let (venue_id, row, is_working, ts) = (row.id, &row.order, true, TsNs(0));
                self.on_pending(id, &Pending { venue_id, row, units, is_working, ts }, out);
            }
            OrderState::Ended(by) => {
                order.venue_id = row.id;
                order.trade = (row.order.trade_id != 0).then_some((row.order.kind, row.order.trade_id));
                order.is_immediate = row.order.is_immediate;
                if order.is_from_before {
                    (order.has_stop, order.has_target) = (row.order.has_stop, row.order.has_target);
                }
                if order.qty == Qty::ZERO {
                    order.qty = asked;
                }
                order.note_part(asked);
                let is_told = by != 0 && self.ledger.has(by);
                if is_told && last_id != 0 && last_id <= self.ledger.applied_to() {
                    // Its fill was told, and nothing that was made of the rest.
                    return self.end_short(id, by, out);
                }
                // Not answered before the transaction is.
                order.answered = TsNs(0);
                if by == 0 || is_told {
                    order.ask_at = TsNs(out.now.0.saturating_add(REST_PAUSE));
                    self.wants_list = true;
                } else {
                    (order.proof, order.ask_at) = (by, out.now);
                }
            }
        }
    }

    /// The venue has ended an order by what we have told already: what it did not fill, it will not.
    fn end_short(&mut self, id: ClientOrderId, by: u64, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id).copied() else { return };
        self.orders.finish(id, by);
        if order.qty == Qty::ZERO || order.reported < order.qty {
            let kind = OrderUpdateKind::Expired { cum_qty: order.reported };
            out.order(TsNs(0), order.instrument, id, order.venue_id, kind);
        }
    }

    /// The transaction that ended an order.
    pub fn on_proof(&mut self, id: ClientOrderId, answer: &Answer<'_>, out: &mut Out<'_>) {
        self.unask(id);
        let Some(proof) = self.orders.get(id).map(|order| order.proof) else { return };
        match answer.transactions.first() {
            Some(Ok(transaction)) if transaction.id == proof => {
                self.apply(transaction, Via::Proof, false, out);
                // Where it was told before, or a part filled, the order itself is looked at again.
                if let Some(order) = self.orders.get(id).filter(|order| order.proof == proof) {
                    order.proof = 0;
                }
            }
            Some(Err(_)) => self.refuse(),
            _ => self.counters.refused += 1,
        }
    }

    /// Something in a list could not be read: none of the orders that are looked for in it is proved absent any more.
    pub fn cloud(&mut self) {
        for order in self.orders.iter_mut() {
            order.is_clouded |= order.phase != Phase::Live;
        }
    }

    /// A page of the past: it settles orders in doubt from before this process, and nothing else.
    pub fn on_history(&mut self, from: u64, to: u64, answer: &Answer<'_>, out: &mut Out<'_>) {
        for row in &answer.transactions {
            let Ok(transaction) = row else {
                self.counters.refused += 1;
                self.cloud();
                continue;
            };
            if transaction.id < from || transaction.id > to {
                continue;
            }
            let client_id = match &transaction.body {
                Body::Created(order) => order.client_id,
                Body::Filled(fill) => fill.client_id,
                Body::Cancelled { client_id, .. } => client_id,
                _ => continue,
            };
            let order = self.ours(client_id).and_then(|id| self.orders.get(id));
            if order.is_some_and(|order| order.is_from_before && order.phase == Phase::InDoubt) {
                self.on_past(transaction, out);
            }
        }
        // A page may end before it was asked to.
        let last_row = answer.transactions.iter().flatten().map(|row| row.id).max();
        let next = last_row.map_or(to, |last| last.max(from)) + 1;
        self.history = if next > self.ledger.start() { History::Done } else { History::At(next, out.now) };
        self.prove_absent(out);
    }

    fn on_past(&mut self, transaction: &Transaction<'_>, out: &mut Out<'_>) {
        let Body::Created(row) = &transaction.body else {
            return self.apply(transaction, Via::Proof, false, out);
        };
        // That it was made says nothing of now; the rest of it follows.
        if let Some(order) = self.ours(row.client_id).and_then(|id| self.orders.get(id)) {
            order.venue_id = transaction.id;
            order.qty = row.units.abs();
            order.note_part(row.units.abs());
            order.is_immediate = row.is_immediate;
            (order.has_stop, order.has_target) = (row.has_stop, row.has_target);
        }
    }

    /// Orders that the venue does not know, and of which nothing is told by what has happened since they were sent.
    pub fn prove_absent(&mut self, out: &mut Out<'_>) {
        let listed = self.listed;
        // Of a seamless sequence the lists are the whole past that an order from before can have.
        let is_searched = self.history == History::Done || self.ledger.is_seamless();
        loop {
            let is_absent = |order: &&Order| {
                let is_searched = !order.is_from_before || is_searched;
                // One that was seen made is not absent, whatever the venue says now, and what could not be read may have
                // been about it.
                let is_unseen = order.venue_id == 0 && !order.is_clouded;
                let is_listed = order.absent.is_some_and(|at| listed > at);
                order.phase == Phase::InDoubt && is_searched && is_unseen && is_listed
            };
            let Some((id, instrument)) = self.orders.iter().find(is_absent).map(|o| (o.id, o.instrument))
            else {
                return;
            };
            self.tell_not_found(id, instrument, out);
        }
    }

    pub fn tell_not_found(&mut self, id: ClientOrderId, instrument: InstrumentId, out: &mut Out<'_>) {
        if self.orders.get(id).is_some() {
            self.counters.not_found += 1;
            self.orders.finish(id, 0);
            out.order(TsNs(0), instrument, id, 0, OrderUpdateKind::NotFound);
        }
    }
}
