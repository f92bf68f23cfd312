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
/// Points of the profit curve kept.
const CURVE_MAX: usize = 512;

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
    /// Realised profit after each round trip, 1e-8 of the quote currency.
    pub curve: VecDeque<i64>,
    /// Per instrument: the position before, and what was realised when it was opened.
    trips: Vec<(InstrumentId, Qty, i64, i64)>,
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
    /// Position after the last fill.
    pub position: Qty,
}

impl Execution {
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

    pub(super) fn on_update(&mut self, update: &OrderUpdate, _now: TsNs) {
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

    pub(super) fn on_position(&mut self, position: &Position, now: TsNs) {
        self.execute(position, now);
        let Some(trip) = self.trip(position.instrument) else { return };
        let (_, before, realised_before, opened_at) = *trip;
        let after = position.qty;
        let is_ended = before.0 != 0 && before.0.signum() != after.0.signum();
        // A trip's fees count from its first fill on.
        let opens_at = if before.0 == 0 { realised_before } else { position.realised.0 };
        let opened = if before.0 == 0 || is_ended { opens_at } else { opened_at };
        *trip = (position.instrument, after, position.realised.0, opened);
        if is_ended {
            match position.realised.0 > opened_at {
                true => self.won += 1,
                false => self.lost += 1,
            }
            push_bounded(&mut self.curve, CURVE_MAX, position.realised.0);
        }
    }

    /// Adds the fill to its order's line.
    fn execute(&mut self, position: &Position, now: TsNs) {
        let qty = position.fill_qty.abs();
        let notional = i128::from(position.fill_price.0) * i128::from(qty.0);
        let known = self.executions.iter_mut().rev().find(|known| {
            known.client_order_id == position.client_order_id && known.instrument == position.instrument
        });
        if let Some(known) = known {
            known.last_ts = now;
            known.qty = Qty(known.qty.0.saturating_add(qty.0));
            known.notional = known.notional.saturating_add(notional);
            known.fills = known.fills.saturating_add(1);
            known.realised = position.realised.0;
            known.position = position.qty;
            return;
        }
        let purpose = self.row(position.client_order_id).map(|row| row.order.purpose);
        let execution = Execution {
            client_order_id: position.client_order_id,
            instrument: position.instrument,
            side: if position.fill_qty.0 < 0 { Side::Sell } else { Side::Buy },
            purpose,
            first_ts: now,
            last_ts: now,
            qty,
            notional,
            fills: 1,
            realised: position.realised.0,
            position: position.qty,
        };
        push_bounded(&mut self.executions, EXECUTIONS_MAX, execution);
    }

    fn row(&mut self, id: ClientOrderId) -> Option<&mut OrderRow> {
        self.orders.iter_mut().rev().find(|row| row.order.client_order_id == id)
    }

    fn trip(&mut self, instrument: InstrumentId) -> Option<&mut (InstrumentId, Qty, i64, i64)> {
        if !self.trips.iter().any(|trip| trip.0 == instrument) {
            if self.trips.len() >= super::MARKETS_MAX {
                return None;
            }
            self.trips.push((instrument, Qty::ZERO, 0, 0));
        }
        self.trips.iter_mut().find(|trip| trip.0 == instrument)
    }
}
