//! Our side: orders, executions (the fills of one order as one line), trades won and lost.

use super::chart::push_bounded;
use smc_core::event::{OrderUpdate, OrderUpdateKind};
use smc_core::output::{NewOrder, Position, Purpose};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, Side, TsNs};
use std::collections::VecDeque;

/// Orders kept; when full, those that are over leave first.
const ORDERS_MAX: usize = 128;
/// Executions kept.
const EXECUTIONS_MAX: usize = 128;

/// Orders, fills and results.
#[derive(Default)]
pub struct Trading {
    /// Newest last; over ones stay for a while.
    pub orders: VecDeque<OrderRow>,
    /// Newest last.
    pub executions: VecDeque<Execution>,
    /// Round trips that ended with a profit after fees.
    pub won: u64,
    /// And the others.
    pub lost: u64,
    /// Per instrument: the round trip that is under way.
    trips: Vec<Trip>,
}

/// From flat to flat, or from one side to the other.
struct Trip {
    instrument: InstrumentId,
    /// Position after the last fill.
    qty: Qty,
    /// Realised since start, after the last fill.
    realised: i64,
    /// Realised since start, before the trip's first fill: that fill's fee is part of the trip.
    realised_before: i64,
}

/// One of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRow {
    /// As it was sent.
    pub order: NewOrder,
    /// Filled so far.
    pub filled_qty: Qty,
    /// Where it stands.
    pub stage: OrderStage,
    /// When it was sent.
    pub ts: TsNs,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStage {
    /// Sent, nothing heard.
    Sent,
    /// At the venue.
    Working,
    /// A cancel is on its way.
    Canceling,
    /// The outcome is being asked for.
    Unknown,
    /// Over.
    Over,
}

/// All fills of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The order.
    pub client_order_id: ClientOrderId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Bought or sold.
    pub side: Side,
    /// What the order was for; none if it was sent before we looked.
    pub purpose: Option<Purpose>,
    /// First fill.
    pub first_ts: TsNs,
    /// Last fill.
    pub last_ts: TsNs,
    /// Sum, positive.
    pub qty: Qty,
    /// Sum of price times quantity, in 1e-16.
    notional: i128,
    /// How many fills.
    pub fills: u32,
    /// Realised since start when the last fill came, 1e-8.
    pub realised: i64,
    /// What the round trip brought, if this order ended one, 1e-8.
    pub result: Option<i64>,
    /// Position after the last fill.
    pub position: Qty,
}

impl Execution {
    /// The first fill of an order.
    pub const fn new(position: &Position, purpose: Option<Purpose>, now: TsNs) -> Self {
        Self {
            client_order_id: position.client_order_id,
            instrument: position.instrument,
            side: if position.fill_qty.0 < 0 { Side::Sell } else { Side::Buy },
            purpose,
            first_ts: now,
            last_ts: now,
            qty: Qty::ZERO,
            notional: 0,
            fills: 0,
            realised: position.realised.0,
            result: None,
            position: position.qty,
        }
        .with(position, now)
    }

    /// The same with one more fill.
    #[must_use]
    pub const fn with(mut self, position: &Position, now: TsNs) -> Self {
        let qty = position.fill_qty.abs();
        let notional = position.fill_price.0 as i128 * qty.0 as i128;
        self.last_ts = now;
        self.qty = Qty(self.qty.0.saturating_add(qty.0));
        self.notional = self.notional.saturating_add(notional);
        self.fills = self.fills.saturating_add(1);
        self.realised = position.realised.0;
        self.position = position.qty;
        self
    }

    /// Average price.
    pub const fn price(&self) -> Price {
        match self.qty.0 {
            0 => Price(0),
            qty => Price(smc_core::words::clamp_i64(self.notional / qty as i128)),
        }
    }
}

impl Trading {
    /// Orders that are not over, oldest first.
    pub fn working(&self) -> impl Iterator<Item = &OrderRow> {
        self.orders.iter().filter(|row| row.stage != OrderStage::Over)
    }

    pub(super) fn on_order(&mut self, order: &NewOrder, now: TsNs) {
        if self.orders.len() >= ORDERS_MAX
            && let Some(at) = self.orders.iter().position(|row| row.stage == OrderStage::Over)
        {
            self.orders.remove(at);
        }
        let row = OrderRow { order: *order, filled_qty: Qty::ZERO, stage: OrderStage::Sent, ts: now };
        push_bounded(&mut self.orders, ORDERS_MAX, row);
    }

    pub(super) fn on_cancel(&mut self, id: ClientOrderId) {
        if let Some(row) = self.row(id) {
            row.stage = OrderStage::Canceling;
        }
    }

    pub(super) fn on_update(&mut self, update: &OrderUpdate) {
        let Some(row) = self.row(update.client_order_id) else { return };
        match update.kind {
            OrderUpdateKind::Ack if matches!(row.stage, OrderStage::Sent | OrderStage::Unknown) => {
                row.stage = OrderStage::Working;
            }
            OrderUpdateKind::Fill { cum_qty, .. } => {
                row.filled_qty = row.filled_qty.max(cum_qty);
                if row.filled_qty >= row.order.qty {
                    row.stage = OrderStage::Over;
                }
            }
            OrderUpdateKind::Reject { .. }
            | OrderUpdateKind::Canceled { .. }
            | OrderUpdateKind::Expired { .. }
            | OrderUpdateKind::NotFound => row.stage = OrderStage::Over,
            OrderUpdateKind::Unknown => row.stage = OrderStage::Unknown,
            OrderUpdateKind::CancelReject { .. } => row.stage = OrderStage::Working,
            OrderUpdateKind::Ack => {}
        }
    }

    /// What an order was for, if it is still known.
    pub fn purpose(&self, id: ClientOrderId) -> Option<Purpose> {
        self.orders.iter().rev().find(|row| row.order.client_order_id == id).map(|row| row.order.purpose)
    }

    /// Whether nothing more will be filled of an order: it is over, and what the venue filled has been counted.
    pub fn is_settled(&self, id: ClientOrderId) -> bool {
        let Some(row) = self.orders.iter().rev().find(|row| row.order.client_order_id == id) else {
            return true;
        };
        let counted = self.executions.iter().rev().find(|execution| execution.client_order_id == id);
        row.stage == OrderStage::Over
            && row.filled_qty <= counted.map_or(Qty::ZERO, |execution| execution.qty)
    }

    /// Whether a stop is at the venue or on its way there.
    pub fn has_stop(&self, instrument: InstrumentId) -> bool {
        self.working().any(|row| row.order.instrument == instrument && row.order.purpose == Purpose::Stop)
    }

    /// A fill; `held` is the position after it without dust.
    pub(super) fn on_position(&mut self, position: &Position, held: Qty, now: TsNs) {
        let result = self.trip(position, held);
        match result {
            Some(1..) => self.won += 1,
            Some(_) => self.lost += 1,
            None => {}
        }
        let known = self.executions.iter_mut().rev().find(|known| {
            known.client_order_id == position.client_order_id && known.instrument == position.instrument
        });
        if let Some(known) = known {
            *known = known.with(position, now);
            known.result = result.or(known.result);
            return;
        }
        let purpose = self.purpose(position.client_order_id);
        let execution = Execution { result, ..Execution::new(position, purpose, now) };
        push_bounded(&mut self.executions, EXECUTIONS_MAX, execution);
    }

    /// Goes on with the instrument's round trip; what it brought, if this fill ended it.
    fn trip(&mut self, position: &Position, qty: Qty) -> Option<i64> {
        let instrument = position.instrument;
        let realised = position.realised.0;
        let Some(trip) = self.trips.iter_mut().find(|trip| trip.instrument == instrument) else {
            if self.trips.len() < super::MARKETS_MAX {
                self.trips.push(Trip { instrument, qty, realised, realised_before: 0 });
            }
            return None;
        };
        let was_flat = trip.qty.0 == 0;
        let is_ended = !was_flat && trip.qty.0.signum() != qty.0.signum();
        let result = is_ended.then(|| realised.saturating_sub(trip.realised_before));
        if is_ended {
            trip.realised_before = realised;
        } else if was_flat {
            trip.realised_before = trip.realised;
        }
        (trip.qty, trip.realised) = (qty, realised);
        result
    }

    fn row(&mut self, id: ClientOrderId) -> Option<&mut OrderRow> {
        self.orders.iter_mut().rev().find(|row| row.order.client_order_id == id)
    }
}
