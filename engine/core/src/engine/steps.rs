//! How a trade's steps become orders: stops, pairs, replacements, closing orders.
//!
//! What is wanted is the bracket's to say (`bracket`); each order goes through the gate ([`Engine::decide`]). A pair is
//! decided whole before any of it is sent: its target first, since a stop alone is still a stop.

use super::Engine;
use super::bracket::{Leg, closing_side};
use super::market::Market;
use crate::orders::{Fill, Order};
use crate::outbox::Outbox;
use crate::output::{AlertKind, NewOrder, OrderKind, OrderTerms, Output, Purpose, ReplaceOrder, TimeInForce};
use crate::risk::{ApprovedOrder, Beside};
use crate::strategy::Strategy;
use crate::words::{ClientOrderId, Price, Qty, Side, TsNs};

/// Ids that belong to an entry with which stop and target come.
const ATTACHED: u64 = 2;

/// What is sent.
impl<S: Strategy> Engine<S> {
    /// The id of an entry, and what the venue is asked with it: stop and target, where it takes them along.
    pub(super) fn entry_terms(&mut self, at: usize, plan: &super::Plan) -> (ClientOrderId, OrderTerms) {
        let id = self.next_order_id();
        let Some(market) = self.markets.get(at).filter(|market| market.contract().can_attach) else {
            return (id, OrderTerms::PLAIN);
        };
        let target_on_fill = if market.pairs(plan, true) { plan.target } else { Price::ZERO };
        self.order_sequence += ATTACHED;
        self.counters.orders_attached += ATTACHED;
        (id, OrderTerms { stop_on_fill: plan.stop, target_on_fill, ..OrderTerms::PLAIN })
    }

    /// A stop over `qty`, with the target beside it where the venue keeps pairs. Not over what a target has left that began
    /// to fill: its price is the market's now, no venue takes a pair there, and it is watched.
    pub(super) fn place_stop(&mut self, at: usize, qty: Qty, outbox: &mut Outbox) {
        let Some(market) = self.markets.get(at) else { return };
        let Some(plan) = market.bracket.plan else { return };
        let is_untouched = market.bracket.progress.closed == Qty::ZERO;
        let can_pair = market.pairs(&plan, market.contract().can_oco && is_untouched);
        let (stop_id, target) = if can_pair {
            let (target_id, stop_id) = (self.next_order_id(), self.next_order_id());
            (stop_id, self.decide_target(at, target_id, stop_id, qty, outbox))
        } else {
            (self.next_order_id(), None)
        };
        let target_id = target.map_or(ClientOrderId::NONE, |target| target.order().client_order_id);
        let Some(order) = self.stop_order(at, stop_id, qty, target_id) else { return };
        let beside = target.map(|_| Beside::Paired(target_id));
        let Some(approved) = self.decide(at, &order, beside, outbox) else {
            if target.is_some() {
                // Decided and never sent.
                self.orders.release_unsent(target_id);
            }
            self.tell_unprotected(at, outbox);
            self.wait_before_retry(at);
            return;
        };
        self.send(approved, outbox);
        if let Some(target) = target {
            self.send(target, outbox);
        }
        if let Some(market) = self.markets.get_mut(at) {
            market.bracket.stop = Leg::sent(stop_id, qty, order.stop_price);
            if target.is_some() {
                market.bracket.target = Leg::sent(target_id, qty, Price::ZERO);
            }
        }
    }

    /// A stop over `qty` in the place of the working one.
    pub(super) fn replace_stop(&mut self, at: usize, old: ClientOrderId, qty: Qty, outbox: &mut Outbox) {
        let id = self.next_order_id();
        let Some(order) = self.stop_order(at, id, qty, ClientOrderId::NONE) else { return };
        let Some(approved) = self.decide(at, &order, Some(Beside::Replaced(old)), outbox) else {
            self.wait_before_retry(at);
            return;
        };
        let replaced = self.orders.begin_replace(old, id);
        let replaced_venue_id = replaced.map_or(0, |order| order.venue_order_id);
        outbox.push(Output::Replace(ReplaceOrder { replaced: old, replaced_venue_id, order: approved }));
        let now = self.now;
        if let Some(market) = self.markets.get_mut(at) {
            market.bracket.note_cancel(old, now);
            market.bracket.next = Leg::sent(id, qty, order.stop_price);
        }
    }

    /// Closes `qty` at the market.
    pub(super) fn place_exit(&mut self, at: usize, qty: Qty, why: Purpose, outbox: &mut Outbox) {
        let client_order_id = self.next_order_id();
        let Some(market) = self.markets.get(at) else { return };
        let side = closing_side(self.positions.qty(market.id));
        let qty = self.exit_qty(market, side, qty);
        let order = NewOrder {
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Ioc,
            ..self.closing_order(market, client_order_id, qty, why)
        };
        match self.decide(at, &order, None, outbox) {
            Some(approved) => {
                self.send(approved, outbox);
                if let Some(market) = self.markets.get_mut(at) {
                    market.bracket.exit = Leg::sent(client_order_id, qty, Price::ZERO);
                }
            }
            None => self.wait_before_retry(at),
        }
    }

    /// Whether the target may rest beside a stop that is still to be decided.
    fn decide_target(
        &mut self,
        at: usize,
        id: ClientOrderId,
        stop_id: ClientOrderId,
        qty: Qty,
        outbox: &mut Outbox,
    ) -> Option<ApprovedOrder> {
        let market = self.markets.get(at)?;
        let plain = self.closing_order(market, id, qty, Purpose::Target);
        let terms = OrderTerms { oco: stop_id, ..plain.terms };
        let order = NewOrder { price: market.bracket.plan?.target, terms, ..plain };
        self.decide(at, &order, None, outbox)
    }

    fn stop_order(
        &self,
        at: usize,
        id: ClientOrderId,
        qty: Qty,
        target_id: ClientOrderId,
    ) -> Option<NewOrder> {
        let market = self.markets.get(at)?;
        let stop_price = market.bracket.progress.stop;
        let plain = self.closing_order(market, id, qty, Purpose::Stop);
        Some(NewOrder {
            kind: OrderKind::StopLimit,
            price: market.stop_limit(market.bracket.plan?.direction, stop_price),
            stop_price,
            terms: OrderTerms { oco: target_id, ..plain.terms },
            ..plain
        })
    }

    /// A limit order without a price that closes.
    fn closing_order(&self, market: &Market, id: ClientOrderId, qty: Qty, purpose: Purpose) -> NewOrder {
        NewOrder {
            client_order_id: id,
            instrument: market.id,
            side: closing_side(self.positions.qty(market.id)),
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Price::ZERO,
            stop_price: Price::ZERO,
            qty,
            purpose,
            signal_id: market.bracket.plan.map_or(0, |plan| plan.signal_id),
            terms: OrderTerms { reduce_only: market.contract().can_reduce_only, ..OrderTerms::PLAIN },
        }
    }

    /// All of it; after a refusal no more than the venue says is free, in case its books know a fee ours do not.
    fn exit_qty(&self, market: &Market, side: Side, qty: Qty) -> Qty {
        let free = match (&market.spec, side) {
            (Some(spec), Side::Sell) if market.bracket.refusals > 0 && market.contract().is_spot() => {
                self.account.free(self.config.venue_of(market.id), spec.base)
            }
            _ => return qty,
        };
        match market.whole_lots(free).min(qty) {
            Qty(0) => qty,
            less => less,
        }
    }

    pub(super) fn wait_before_retry(&mut self, at: usize) {
        let retry_at = TsNs(self.now.0.saturating_add(self.config.execution.retry_ns));
        if let Some(market) = self.markets.get_mut(at) {
            market.bracket.retry_at = retry_at;
            market.bracket.refusals = market.bracket.refusals.saturating_add(1);
        }
    }
}

/// What is heard.
impl<S: Strategy> Engine<S> {
    /// A fill of an order that closes: of a stop it is the end of the trade, as is a target that has filled whole. The
    /// other of its pair is being cancelled by the venue.
    pub(super) fn on_closing_fill(&mut self, fill: &Fill) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(fill.order.instrument.index()) else { return };
        let bracket = &mut market.bracket;
        bracket.refusals = 0;
        bracket.progress.closed = Qty(bracket.progress.closed.0.saturating_add(fill.qty.0));
        // What came with the entry may be told of before the entry: then nobody knows yet how much it covers.
        let is_early = fill.order.parent != ClientOrderId::NONE && !fill.order.is_open();
        if fill.order.terms.oco != ClientOrderId::NONE {
            bracket.note_ending(fill.order.terms.oco, now);
        }
        match (fill.order.purpose, fill.order.kind) {
            (Purpose::Stop, OrderKind::StopLimit) => {
                // It was reached, whether or not we saw the trade; once it is through, nothing of the trade stays.
                bracket.stop_reached.get_or_insert(now);
                if fill.is_closing || is_early {
                    bracket.leave(Purpose::Stop);
                }
            }
            (Purpose::Target, OrderKind::Limit) if fill.is_closing => bracket.leave(Purpose::Target),
            _ => {}
        }
    }

    /// An order that closes ended without (or before) filling.
    pub(super) fn on_closing_closed(&mut self, order: &Order, is_refused: bool, outbox: &mut Outbox) {
        let at = order.instrument.index();
        let is_kept = self.orders.get(order.replaces).is_some();
        let Some(market) = self.markets.get_mut(at) else { return };
        match (order.purpose, order.kind) {
            // The one that was to be replaced works on.
            (Purpose::Stop, OrderKind::StopLimit) if is_refused && is_kept => {
                market.bracket.note_kept(order.replaces);
                self.wait_before_retry(at);
            }
            // The market is beyond the stop, or the venue will not have it: no second try, out.
            (Purpose::Stop, OrderKind::StopLimit) if is_refused => {
                self.tell_unprotected(at, outbox);
                if let Some(market) = self.markets.get_mut(at) {
                    market.bracket.leave(Purpose::Flatten);
                }
            }
            (Purpose::Stop, OrderKind::StopLimit) => {}
            // The stop works without it, and the target is watched from now on.
            (Purpose::Target, OrderKind::Limit) => {}
            _ => {
                let lot = market.spec.map_or(Qty::ZERO, |spec| spec.lot);
                if market.bracket.leaving.is_none() && order.filled_qty == Qty::ZERO {
                    market.bracket.waive_part(lot);
                }
                self.wait_before_retry(at);
            }
        }
    }

    /// An order that the venue does not answer is unknown, and told once. Nothing is sent in its stead.
    pub(super) fn check_answers(&mut self, outbox: &mut Outbox) {
        let wait = self.config.execution.ack_ns_max;
        while let Some(order) = self.orders.overdue(self.now, wait) {
            let waited = i64::try_from(self.now.since(order.accepted_ts)).unwrap_or(i64::MAX);
            self.alert(AlertKind::Unacknowledged, order.instrument, order.client_order_id, waited, outbox);
        }
    }
}
