//! An order update as columns: its kind says which of them are there.

use super::spread;
use crate::words::UpdateKind;
use smc_core::event::{OrderUpdate, OrderUpdateKind};
use smc_core::words::Name;
use smc_core::{ClientOrderId, Money, Price, Qty, Side};

/// An order update, flat: what its kind does not have is absent.
pub(crate) struct Update {
    pub client_order_id: ClientOrderId,
    pub venue_order_id: u64,
    pub kind: UpdateKind,
    pub code: Option<i32>,
    pub trade_id: Option<u64>,
    pub side: Option<Side>,
    pub price: Option<Price>,
    pub qty: Option<Qty>,
    pub cum_qty: Option<Qty>,
    pub fee: Option<Money>,
    pub fee_asset: Option<Name>,
    pub is_maker: Option<bool>,
}

/// An update of which nothing is told yet.
const NOTHING: Update = Update {
    client_order_id: ClientOrderId::NONE,
    venue_order_id: 0,
    kind: UpdateKind::Ack,
    code: None,
    trade_id: None,
    side: None,
    price: None,
    qty: None,
    cum_qty: None,
    fee: None,
    fee_asset: None,
    is_maker: None,
};

spread! {
    Update = NOTHING;
    client_order_id (client_order_id) "" "Our id of the order.";
    venue_order_id (venue_order_id) "" "The venue's id; 0 when not told.";
    kind (kind) "" "What happened.";
    code (code) "" "Of `reject` and `cancel_reject`: the venue's error number.";
    trade_id (trade_id) "" "Of `fill`: the venue's trade number.";
    side (side) "" "Of `fill`: bought or sold.";
    price (price) "quote per base" "Of `fill`: its price.";
    qty (qty) "base" "Of `fill`: its quantity.";
    cum_qty (cum_qty) "base" "Of `fill`, `canceled` and `expired`: filled so far, as the venue counts.";
    fee (fee) "fee_asset" "Of `fill`: the fee.";
    fee_asset (fee_asset) "" "Of `fill`: the asset that the fee is taken in.";
    is_maker (is_maker) "" "Of `fill`: we were the resting side.";
}

impl From<OrderUpdate> for Update {
    fn from(update: OrderUpdate) -> Self {
        let OrderUpdate { client_order_id, venue_order_id, kind } = update;
        let mut out = Self { client_order_id, venue_order_id, ..NOTHING };
        out.kind = match kind {
            OrderUpdateKind::Ack => UpdateKind::Ack,
            OrderUpdateKind::Reject { code } => {
                out.code = Some(code);
                UpdateKind::Reject
            }
            OrderUpdateKind::Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker } => {
                out.side = Some(side);
                (out.trade_id, out.price, out.qty) = (Some(trade_id), Some(price), Some(qty));
                (out.cum_qty, out.fee) = (Some(cum_qty), Some(fee));
                (out.fee_asset, out.is_maker) = (Some(fee_asset), Some(is_maker));
                UpdateKind::Fill
            }
            OrderUpdateKind::Canceled { cum_qty } => {
                out.cum_qty = Some(cum_qty);
                UpdateKind::Canceled
            }
            OrderUpdateKind::Expired { cum_qty } => {
                out.cum_qty = Some(cum_qty);
                UpdateKind::Expired
            }
            OrderUpdateKind::CancelReject { code } => {
                out.code = Some(code);
                UpdateKind::CancelReject
            }
            OrderUpdateKind::Unknown => UpdateKind::Unknown,
            OrderUpdateKind::NotFound => UpdateKind::NotFound,
        };
        out
    }
}

impl Update {
    /// The update, if the columns that its kind needs are there.
    pub(super) fn whole(self) -> Option<OrderUpdate> {
        let kind = match self.kind {
            UpdateKind::Ack => OrderUpdateKind::Ack,
            UpdateKind::Reject => OrderUpdateKind::Reject { code: self.code? },
            UpdateKind::Fill => OrderUpdateKind::Fill {
                trade_id: self.trade_id?,
                side: self.side?,
                price: self.price?,
                qty: self.qty?,
                cum_qty: self.cum_qty?,
                fee: self.fee?,
                fee_asset: self.fee_asset?,
                is_maker: self.is_maker?,
            },
            UpdateKind::Canceled => OrderUpdateKind::Canceled { cum_qty: self.cum_qty? },
            UpdateKind::Expired => OrderUpdateKind::Expired { cum_qty: self.cum_qty? },
            UpdateKind::CancelReject => OrderUpdateKind::CancelReject { code: self.code? },
            UpdateKind::Unknown => OrderUpdateKind::Unknown,
            UpdateKind::NotFound => OrderUpdateKind::NotFound,
        };
        let Self { client_order_id, venue_order_id, .. } = self;
        Some(OrderUpdate { client_order_id, venue_order_id, kind })
    }
}
