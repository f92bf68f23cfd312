//! What futures refuse beyond what spot does: codes and messages of the venue's list.

use crate::exchange::reject::Reject;

const fn r(code: i32, msg: &'static str) -> Reject {
    Reject::new(code, msg)
}

pub const LISTEN_KEY: Reject =
    r(-1125, "This listenKey does not exist. Please use `POST /fapi/v1/listenKey` to recreate `listenKey`");
pub const UNSUPPORTED: Reject = r(-1020, "This operation is not supported.");
pub const TIF_NOT_REQUIRED: Reject = r(-1114, "TimeInForce parameter sent when not required.");
pub const RESPONSE_TYPE: Reject = r(-1136, "Invalid newOrderRespType.");
pub const OPEN_ORDERS: Reject = r(-2025, "Reach max open order limit.");
pub const PRICE_TOO_HIGH: Reject = r(-4002, "Price greater than max price.");
pub const QTY_TOO_SMALL: Reject = r(-4004, "Quantity less than min quantity.");
pub const QTY_TOO_LARGE: Reject = r(-4005, "Quantity greater than max quantity.");
pub const PRICE_TOO_LOW: Reject = r(-4013, "Price less than min price.");
pub const PRICE_OFF_TICK: Reject = r(-4014, "Price not increased by tick size.");
pub const PRICE_ABOVE_MARK: Reject = r(-4016, "Price is higher than mark price multiplier cap.");
pub const DEPTH_LIMIT: Reject = r(-4021, "Invalid depth limit.");
pub const QTY_OFF_STEP: Reject = r(-4023, "Qty not increased by step size.");
pub const PRICE_BELOW_MARK: Reject = r(-4024, "Price is lower than mark price multiplier floor.");
pub const STOP_ORDERS: Reject = r(-4045, "Reach max stop order limit.");
pub const SAME_MARGIN_TYPE: Reject = r(-4046, "No need to change margin type.");
pub const SAME_POSITION_MODE: Reject = r(-4059, "No need to change position side.");
pub const POSITION_SIDE: Reject = r(-4060, "Invalid position side.");
pub const POSITION_MODE: Reject = r(-4061, "Order's position side does not match user's setting.");
pub const WORKING_TYPE: Reject = r(-4031, "Invalid parameter working type");
pub const ALGO_ONLY: Reject =
    r(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.");
pub const COUNTERPARTY: Reject =
    r(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit");
pub const QTY_WITH_CLOSE: Reject = r(-4137, "Quantity must be zero with closePosition equals true");
pub const CLOSED: Reject = r(-4141, "Symbol is closed");
pub const FOK: Reject =
    r(-5021, "Due to the order could not be filled immediately, the FOK order has been rejected.");
pub const GTX: Reject = r(
    -5022,
    "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history",
);
pub const TOO_MANY_CHANGES: Reject = r(-5026, "Exceed maximum modify order limit.");
pub const SAME_ORDER: Reject = r(-5027, "No need to modify the order.");
pub const STP_MODE: Reject = r(-5039, "Invalid self trade prevention mode");

/// −4164, with the symbol's least notional.
pub fn notional(least: &str) -> Reject {
    let msg = format!("Order's notional must be no smaller than {least} (unless you choose reduce only)");
    Reject { msg: msg.into(), ..r(-4164, "") }
}
