//! Why the venue refuses: its codes and texts, by category where they differ.

use super::words::Category;
use crate::exchange::reject::Reject;
use std::borrow::Cow;

/// A refusal: what `retCode` and `retMsg` carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The venue's code.
    pub code: i32,
    /// The venue's text.
    pub msg: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a fixed text.
    pub const fn new(code: i32, msg: &'static str) -> Self {
        Self { code, msg: Cow::Borrowed(msg) }
    }

    /// A refusal with a text of its own.
    pub const fn text(code: i32, msg: String) -> Self {
        Self { code, msg: Cow::Owned(msg) }
    }

    /// 10001: a parameter that is missing or means nothing.
    pub fn param(name: &str) -> Self {
        Self::text(10001, format!("params error: {name} invalid"))
    }

    /// 10002: the request was made too long ago, or in the future.
    pub fn time(sent_ms: u64, now_ms: u64, window_ms: u64) -> Self {
        Self::text(
            10002,
            format!(
                "invalid request, please check your server timestamp or recv_window param. req_timestamp[{sent_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]"
            ),
        )
    }

    /// 10004: the signature does not fit what it should sign.
    pub fn sign(origin: &str) -> Self {
        Self::text(10004, format!("error sign! origin_string[{origin}]"))
    }

    /// 10001: a category word that is none, or one the request has no use for.
    pub const CATEGORY: Self = Self::new(10001, "Illegal category");
    /// 10003.
    pub const KEY: Self = Self::new(10003, "API key is invalid.");
    /// 110017: nothing is left that a reducing order could reduce.
    pub const REDUCE_ONLY: Self =
        Self::new(110017, "current position is zero, cannot fix reduce-only order qty");
    /// 110090: the position would be too large for its leverage.
    pub const POSITION_LIMIT: Self =
        Self::new(110090, "your position will exceed the risk limit, please adjust your leverage");
    /// 10006.
    pub const RATE: Self = Self::new(10006, "Too many visits. Exceeded the API Rate Limit.");
    /// 10018, with HTTP 403: the address asks too often and is shut out.
    pub const SHUT_OUT: Self = Self::new(10018, "access too frequent");
    /// 10016: the simulator contradicts itself; nothing the client did.
    pub const INTERNAL: Self = Self::new(10016, "Internal System Error.");
    /// 10017.
    pub const ROUTE: Self = Self::new(10017, "Route not found.");

    /// No such instrument.
    pub const fn symbol(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170121, "Invalid symbol.")
        } else {
            Self::new(10001, "params error: symbol invalid")
        }
    }

    /// The instrument does not trade.
    pub const fn closed(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170151, "This trading pair is not available now.")
        } else {
            Self::new(110074, "This contract is not live")
        }
    }

    /// No such open order to cancel.
    pub const fn too_late_to_cancel(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170213, "Order does not exist.")
        } else {
            Self::new(110001, "order not exists or too late to cancel")
        }
    }

    /// No such open order to amend.
    pub const fn too_late_to_replace(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170213, "Order does not exist.")
        } else {
            Self::new(110001, "order not exists or too late to replace")
        }
    }

    /// An `orderLinkId` used before.
    pub const fn duplicate(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170141, "Duplicate clientOrderId")
        } else {
            Self::new(110072, "OrderLinkedID is duplicate")
        }
    }

    /// A price off the grid.
    pub const fn price_step(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170134, "Order price has too many decimals.")
        } else {
            Self::new(10001, "params error: price invalid")
        }
    }

    /// A price above the highest.
    pub const fn price_high(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170132, "Order price too high.")
        } else {
            Self::new(110003, "price is invalid")
        }
    }

    /// A price below the lowest.
    pub const fn price_low(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170133, "Order price lower than the minimum.")
        } else {
            Self::new(110003, "price is invalid")
        }
    }

    /// A quantity off the grid.
    pub const fn qty_step(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170137, "Order volume decimal too long.")
        } else {
            Self::new(10001, "Qty invalid")
        }
    }

    /// A quantity below the smallest.
    pub const fn qty_low(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170136, "Order quantity lower than the minimum.")
        } else {
            Self::new(10001, "The number of contracts is less than minimum")
        }
    }

    /// A quantity above the largest.
    pub const fn qty_high(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170124, "Order amount too large.")
        } else {
            Self::new(10001, "The number of contracts exceeds maximum limit allowed")
        }
    }

    /// A value below the smallest.
    pub const fn notional(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170140, "Order value exceeded lower limit.")
        } else {
            Self::new(110094, "Order does not meet minimum order value")
        }
    }

    /// Not enough funds or margin.
    pub const fn funds(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170131, "Insufficient balance.")
        } else {
            Self::new(110007, "CheckMarginRatio fail! InsufficientAB")
        }
    }

    /// Too many open orders.
    pub const fn too_many(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170810, "Cannot exceed maximum active orders.")
        } else {
            Self::new(110020, "Cannot have more than 500 active orders.")
        }
    }

    /// An amend to no more than is filled.
    pub const fn below_filled(category: Category) -> Self {
        if category.is_spot() {
            Self::new(170313, "The quantity cannot be lower than what is filled.")
        } else {
            Self::new(110064, "The quantity set is less than what is filled.")
        }
    }

    /// An amend that changes nothing.
    pub const NOT_MODIFIED: Self =
        Self::new(10001, "The order remains unchanged as the parameters entered match the existing ones.");

    /// What the exchange behind the dialect said, in this venue's words.
    pub fn of(reject: &Reject, category: Category) -> Self {
        match reject {
            r if *r == Reject::BALANCE || *r == Reject::MARGIN => Self::funds(category),
            r if *r == Reject::SYMBOL => Self::symbol(category),
            r if *r == Reject::CLOSED => Self::closed(category),
            r if *r == Reject::DUPLICATE || *r == Reject::DUPLICATE_NAME => Self::duplicate(category),
            r if *r == Reject::REDUCE_ONLY => Self::REDUCE_ONLY,
            r if *r == Reject::POSITION_LIMIT => Self::POSITION_LIMIT,
            r if *r == Reject::NOT_A_LIMIT_ORDER => Self::param("price"),
            r if *r == Reject::UNKNOWN_ORDER => Self::too_late_to_cancel(category),
            r if *r == Reject::NO_VALUE || *r == Reject::QTY_NOT_POSITIVE => Self::qty_low(category),
            r if *r == Reject::filter("NOTIONAL") => Self::notional(category),
            r if *r == Reject::filter("PRICE_FILTER") => Self::price_step(category),
            r if *r == Reject::filter("LOT_SIZE") => Self::qty_step(category),
            r if *r == Reject::filter("MARKET_LOT_SIZE") => Self::qty_high(category),
            r if *r == Reject::filter("MAX_NUM_ORDERS") => Self::too_many(category),
            _ => Self::INTERNAL,
        }
    }
}
