//! What the venue has that we did not send, and what we sent that it does not have.
//!
//! The venue's list of working orders is told row by row in rounds (see `engine::reconcile`, which says what follows
//! from it). Every order remembers the round in which it was heard of last; one that was not heard of in a complete
//! round is **absent**. Reports count as hearing, so a list that is older than a report contradicts nobody.
//!
//! An order of our own id goes into the table of our orders: the fills it already has are missing until they are told,
//! and stay reserved. An order of another hand goes into a table of its own: the fills it already has are the
//! position's business, its rest is reserved.

use super::order::Order;
use super::{Fill, Ignored, OrderEffect, Orders, effect};
use crate::event::{OrderUpdate, OrderUpdateKind, VenueOrder};
use crate::output::{CancelOrder, OrderKind};
use crate::words::{ClientOrderId, InstrumentId, Price, Qty, Side, TsNs};
use alloc::vec::Vec;

/// Open orders of other hands the table can hold.
pub const FOREIGN_MAX: usize = 64;

/// What one row of the venue's list was to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// As we thought.
    Known,
    /// It lives although we thought it dead, or has filled more than was told.
    Changed,
    /// It is over, by the venue's own word before this round.
    Contradicted,
    /// Nobody here knew it; from now on it reserves.
    Adopted(Order),
    /// Nobody here knew it, and there is no room.
    NoRoom,
}

/// Rounds.
impl Orders {
    /// A round begins; its number. What is heard from now on is heard in it.
    pub(crate) fn begin_round(&mut self) -> u32 {
        self.round = self.round.saturating_add(1);
        self.round
    }

    pub(crate) fn rounds_begun(&self) -> u32 {
        self.round
    }

    /// Takes a row about an order with an id of ours, told in round `since` or later.
    pub(crate) fn on_listed(
        &mut self,
        instrument: InstrumentId,
        row: &VenueOrder,
        since: u32,
        now: TsNs,
    ) -> Listed {
        let Some(before) = self.find(row.client_order_id) else { return self.adopt(instrument, row, now) };
        let is_over = before.ending.is_some() || before.filled_qty >= before.qty.max(row.qty);
        if before.instrument != instrument || is_over {
            let is_older = before.instrument == instrument && before.heard >= since;
            return if is_older { Listed::Known } else { Listed::Contradicted };
        }
        let mut after = before;
        if before.is_adopted {
            after.qty = before.qty.max(row.qty); // Known by a fill so far.
        }
        after.on_row(row, self.round);
        self.store(&before, &after);
        let is_known = before.is_open() && after.missing_qty() == Qty::ZERO;
        if is_known { Listed::Known } else { Listed::Changed }
    }

    fn adopt(&mut self, instrument: InstrumentId, row: &VenueOrder, now: TsNs) -> Listed {
        let order = Order { heard: self.round, ..Order::adopted(instrument, row, now) };
        if !order.is_open() {
            return Listed::Known;
        }
        if self.is_full() || instrument.index() >= self.reserved.len() {
            self.lost = self.lost.saturating_add(1);
            return Listed::NoRoom;
        }
        self.last_sequence = self.last_sequence.max(order.client_order_id.sequence());
        self.account(&order, 1);
        self.open.push(order);
        Listed::Adopted(order)
    }

    /// The next open order of `instrument` that nobody spoke of since round `since` began: it counts as absent and
    /// unknown from now on, and is not named again in this round.
    pub(crate) fn next_absent(&mut self, instrument: InstrumentId, since: u32) -> Option<Order> {
        next_absent(&mut self.open, instrument, since)
    }

    /// The same among the orders of other hands.
    pub(crate) fn next_absent_foreign(&mut self, instrument: InstrumentId, since: u32) -> Option<Order> {
        next_absent(&mut self.foreign, instrument, since)
    }

    /// Ends an order that is gone from the venue without a word. A sign of life brings it back.
    pub(crate) fn close_absent(&mut self, id: ClientOrderId) -> Option<Order> {
        let before = *self.get(id)?;
        let mut after = before;
        after.on_absence();
        self.store(&before, &after);
        (!after.is_open()).then_some(after)
    }

    /// Is it still open whether an order works, or what it has filled?
    pub(crate) fn is_in_doubt(&self, instrument: InstrumentId) -> bool {
        let is_doubtful = |order: &Order| order.ending.is_none() && (order.is_unknown || !order.is_alive);
        self.of(instrument).chain(self.foreign(instrument)).any(is_doubtful)
    }

    /// Fills of an open order of the instrument are still to come.
    pub(crate) fn is_awaiting(&self, instrument: InstrumentId) -> bool {
        self.of(instrument).chain(self.foreign(instrument)).any(|order| order.missing_qty() > Qty::ZERO)
    }

    /// Fills that the venue spoke of are part of a position that was taken over: they are awaited no longer.
    pub(crate) fn settle_fills(&mut self, instrument: InstrumentId) {
        let awaiting = |order: &&Order| order.instrument == instrument && order.missing_qty() > Qty::ZERO;
        while let Some(before) = self.open.iter().find(awaiting).copied() {
            self.store(&before, &Order { filled_qty: before.cum_qty, ..before });
        }
        while let Some(at) = self.foreign.iter().position(|order| awaiting(&order)) {
            self.change_foreign(at, |order| order.filled_qty = order.cum_qty);
        }
    }
}

/// Orders of other hands.
impl Orders {
    /// Open orders of an instrument that other hands made.
    pub fn foreign(&self, instrument: InstrumentId) -> impl Iterator<Item = &Order> {
        self.foreign.iter().filter(move |order| order.instrument == instrument)
    }

    /// Takes a row about an order of another hand.
    pub(crate) fn on_foreign_listed(
        &mut self,
        instrument: InstrumentId,
        row: &VenueOrder,
        now: TsNs,
    ) -> Listed {
        let round = self.round;
        if let Some(at) = self.foreign_at(instrument, row.venue_order_id) {
            let is_changed = self
                .foreign
                .get(at)
                .is_some_and(|order| row.filled_qty > order.cum_qty || order.ending.is_some());
            self.change_foreign(at, |order| order.on_row(row, round));
            return if is_changed { Listed::Changed } else { Listed::Known };
        }
        let row = VenueOrder { client_order_id: ClientOrderId::NONE, ..*row };
        let order =
            Order { filled_qty: row.filled_qty, heard: round, ..Order::adopted(instrument, &row, now) };
        if !order.is_open() {
            return Listed::Known;
        }
        if self.foreign.len() >= FOREIGN_MAX || instrument.index() >= self.reserved.len() {
            self.lost = self.lost.saturating_add(1);
            return Listed::NoRoom;
        }
        self.account(&order, 1);
        self.foreign.push(order);
        Listed::Adopted(order)
    }

    /// Takes a report about an order of another hand; none when it is not in the table. Its fills count by their
    /// trade ids alone: how many there were before we knew it nobody says.
    pub(crate) fn on_foreign(
        &mut self,
        instrument: InstrumentId,
        update: &OrderUpdate,
    ) -> Option<OrderEffect> {
        let at = self.foreign_at(instrument, update.venue_order_id)?;
        let before = *self.foreign.get(at)?;
        if let OrderUpdateKind::Fill { side, .. } = update.kind {
            if side != before.side {
                return Some(OrderEffect::Ignored(Ignored::Malformed));
            }
            return Some(self.adopt_fill(instrument, update));
        }
        let round = self.round;
        let after = self.change_foreign(at, |order| {
            order.hear(update, round);
            order.on_report(&update.kind);
        })?;
        Some(effect(&before, &after, &update.kind))
    }

    /// Counts a fill that no order of ours explains, once: its order is what the report says of it. One of our own ids
    /// is remembered, as large as its fills, until a row tells its size.
    pub(crate) fn adopt_fill(&mut self, instrument: InstrumentId, update: &OrderUpdate) -> OrderEffect {
        let OrderUpdateKind::Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker } =
            update.kind
        else {
            return OrderEffect::UnknownOrder;
        };
        let is_senseless = qty <= Qty::ZERO || price <= Price::ZERO || cum_qty < Qty::ZERO;
        if is_senseless || instrument.index() >= self.reserved.len() {
            return OrderEffect::Ignored(Ignored::Malformed);
        }
        if self.trades.contains(instrument, trade_id) {
            return OrderEffect::Ignored(Ignored::DuplicateFill);
        }
        self.trades.record(instrument, trade_id);
        let round = self.round;
        let (order, is_closing) = match self.foreign_at(instrument, update.venue_order_id) {
            Some(at) if update.client_order_id == ClientOrderId::NONE => {
                let filled = self.change_foreign(at, |order| {
                    order.hear(update, round);
                    order.on_life();
                    order.cum_qty = order.cum_qty.max(cum_qty);
                    order.filled_qty = Qty(order.filled_qty.0.saturating_add(qty.0)).min(order.cum_qty);
                    order.last_fill_price = price;
                });
                match filled {
                    Some(order) => (order, !order.is_open()),
                    None => return OrderEffect::UnknownOrder,
                }
            }
            _ => {
                let order = self.remember_fill(instrument, update, (side, price, qty, cum_qty));
                (order, !order.is_open())
            }
        };
        let overfill = Qty((order.filled_qty.0 - order.qty.0).max(0));
        OrderEffect::Filled(Fill {
            order,
            trade_id,
            price,
            qty,
            fee,
            fee_asset,
            is_maker,
            is_closing,
            is_late: false,
            overfill,
        })
    }

    /// Asks for the cancel of the `nth` order of another hand, if there is one of the instrument that is not over.
    pub(crate) fn cancel_foreign(&mut self, instrument: InstrumentId, nth: usize) -> Option<CancelOrder> {
        let is_working = |order: &&mut Order| order.instrument == instrument && order.ending.is_none();
        let order = self.foreign.iter_mut().filter(is_working).nth(nth)?;
        order.is_cancel_pending = true;
        let (client_order_id, venue_order_id) = (order.client_order_id, order.venue_order_id);
        Some(CancelOrder { instrument, client_order_id, venue_order_id })
    }

    /// Forgets the orders of other hands that were absent from the last complete round, or are over at the venue.
    pub(crate) fn forget_absent_foreign(&mut self, instrument: InstrumentId) {
        let is_gone =
            |order: &Order| order.instrument == instrument && (order.absent > 0 || order.ending.is_some());
        while let Some(at) = self.foreign.iter().position(is_gone) {
            self.drop_foreign(at);
        }
    }

    /// Forgets an order of another hand.
    pub(crate) fn forget_foreign(&mut self, instrument: InstrumentId, venue_order_id: u64) {
        if let Some(at) = self.foreign_at(instrument, venue_order_id) {
            self.drop_foreign(at);
        }
    }

    pub(super) fn are_foreign_ids_unique(&self) -> bool {
        let of = |order: &Order| (order.instrument.0, order.venue_order_id);
        let mut ids: Vec<(u16, u64)> = self.foreign.iter().map(of).collect();
        ids.sort_unstable();
        ids.is_sorted_by(|a, b| a < b)
    }

    fn foreign_at(&self, instrument: InstrumentId, venue_order_id: u64) -> Option<usize> {
        let is_it = |order: &Order| order.instrument == instrument && order.venue_order_id == venue_order_id;
        self.foreign.iter().position(is_it)
    }

    /// Changes one and keeps the sums; what is over afterwards leaves the table.
    fn change_foreign(&mut self, at: usize, change: impl FnOnce(&mut Order)) -> Option<Order> {
        let before = *self.foreign.get(at)?;
        let slot = self.foreign.get_mut(at)?;
        change(slot);
        let after = *slot;
        self.account(&before, -1);
        self.account(&after, 1);
        if !after.is_open() {
            self.drop_foreign(at);
        }
        Some(after)
    }

    fn drop_foreign(&mut self, at: usize) {
        if at < self.foreign.len() {
            let gone = self.foreign.swap_remove(at);
            self.account(&gone, -1);
        }
    }

    /// The order that a fill speaks of, as far as the fill tells.
    fn remember_fill(
        &mut self,
        instrument: InstrumentId,
        update: &OrderUpdate,
        (side, price, qty, cum_qty): (Side, Price, Qty, Qty),
    ) -> Order {
        let row = VenueOrder {
            client_order_id: update.client_order_id,
            venue_order_id: update.venue_order_id,
            side,
            kind: OrderKind::Limit,
            price,
            stop_price: Price::ZERO,
            qty: qty.max(cum_qty),
            filled_qty: qty.max(cum_qty),
        };
        let order = Order {
            filled_qty: qty,
            last_fill_price: price,
            heard: self.round,
            ..Order::adopted(instrument, &row, TsNs(0))
        };
        if order.client_order_id != ClientOrderId::NONE && self.find(order.client_order_id).is_none() {
            self.last_sequence = self.last_sequence.max(order.client_order_id.sequence());
            match order.is_open() && !self.is_full() {
                true => {
                    self.account(&order, 1);
                    self.open.push(order);
                }
                false => self.history.push(&Order { cum_qty: qty, qty, ..order }),
            }
        }
        order
    }
}

fn next_absent(orders: &mut [Order], instrument: InstrumentId, since: u32) -> Option<Order> {
    let is_absent =
        |order: &&mut Order| order.instrument == instrument && order.ending.is_none() && order.heard < since;
    let order = orders.iter_mut().find(is_absent)?;
    order.heard = since;
    order.absent = order.absent.saturating_add(1);
    order.on_unknown();
    Some(*order)
}

impl Order {
    /// The venue lists it as working.
    fn on_row(&mut self, row: &VenueOrder, round: u32) {
        self.heard = round;
        self.absent = 0;
        if row.venue_order_id != 0 {
            self.venue_order_id = row.venue_order_id;
        }
        self.cum_qty = self.cum_qty.max(row.filled_qty);
        self.on_life();
    }

    /// Complete rounds in a row without it.
    pub(crate) fn absent(&self) -> u8 {
        self.absent
    }

    /// Proven to have reached the venue.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_alive
    }
}
