//! Why the venue refuses a request: its codes and its exact messages.

use std::borrow::Cow;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The venue's code.
    pub code: i32,
    /// The venue's message.
    pub msg: Cow<'static, str>,
    /// HTTP status and `status` of WebSocket API answers.
    pub status: u16,
    /// Market time in milliseconds to wait until, for exceeded limits.
    pub retry_after_ms: Option<u64>,
    /// What the venue adds in an object of its own, as it writes it.
    pub data: Option<Box<str>>,
}

impl Reject {
    /// A refusal with status 400.
    pub const fn new(code: i32, msg: &'static str) -> Self {
        Self { code, msg: Cow::Borrowed(msg), status: 400, retry_after_ms: None, data: None }
    }

    fn text(code: i32, msg: String) -> Self {
        Self { code, msg: Cow::Owned(msg), status: 400, retry_after_ms: None, data: None }
    }

    /// The same refusal under another HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// −1013: a filter of the symbol.
    pub fn filter(name: &str) -> Self {
        Self::text(-1013, format!("Filter failure: {name}"))
    }

    /// −1102: a parameter that must be there.
    pub fn mandatory(name: &str) -> Self {
        Self::text(-1102, format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed."))
    }

    /// −1102: one of two must be there.
    pub fn either(first: &str, second: &str) -> Self {
        Self::text(-1102, format!("Param '{first}' or '{second}' must be sent, but both were empty/null!"))
    }

    /// −1106: a parameter that must not be there.
    pub fn not_required(name: &str) -> Self {
        Self::text(-1106, format!("Parameter '{name}' sent when not required."))
    }

    /// −1100: characters outside the legal range.
    pub fn illegal_chars(name: &str, range: &str) -> Self {
        Self::text(
            -1100,
            format!("Illegal characters found in parameter '{name}'; legal range is '{range}'."),
        )
    }

    /// −1111: more decimals than the venue keeps.
    pub fn precision(name: &str) -> Self {
        Self::text(-1111, format!("Parameter '{name}' has too much precision."))
    }

    /// −1130: a value that means nothing.
    pub fn invalid(name: &str) -> Self {
        Self::text(-1130, format!("Data sent for parameter '{name}' is not valid."))
    }

    /// −1003: too much request weight.
    pub fn weight(limit: u32, retry_after_ms: u64) -> Self {
        let msg = format!(
            "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
        );
        Self {
            code: -1003,
            msg: Cow::Owned(msg),
            status: 429,
            retry_after_ms: Some(retry_after_ms),
            data: None,
        }
    }

    /// −1015: too many unfilled orders.
    pub fn order_rate(limit: u32, interval: &str, retry_after_ms: u64) -> Self {
        let msg = format!("Too many new orders; current limit is {limit} orders per {interval}.");
        Self {
            code: -1015,
            msg: Cow::Owned(msg),
            status: 429,
            retry_after_ms: Some(retry_after_ms),
            data: None,
        }
    }

    /// −4028: a leverage that no bracket allows.
    pub fn leverage(leverage: u32) -> Self {
        Self::text(-4028, format!("Leverage {leverage} is not valid"))
    }

    /// −1000: nothing the client did; the simulator contradicts itself.
    pub const UNKNOWN: Self = Self::new(-1000, "An unknown error occurred while processing the request.");
    /// −1021: the timestamp lies too far back.
    pub const TIMESTAMP_OLD: Self =
        Self::new(-1021, "Timestamp for this request is outside of the recvWindow.");
    /// −1021: the timestamp lies in the future.
    pub const TIMESTAMP_AHEAD: Self =
        Self::new(-1021, "Timestamp for this request was 1000ms ahead of the server's time.");
    /// −1022: the signature does not fit.
    pub const SIGNATURE: Self = Self::new(-1022, "Signature for this request is not valid.");
    /// −1115.
    pub const TIME_IN_FORCE: Self = Self::new(-1115, "Invalid timeInForce.");
    /// −1116.
    pub const ORDER_TYPE: Self = Self::new(-1116, "Invalid orderType.");
    /// −1117.
    pub const SIDE: Self = Self::new(-1117, "Invalid side.");
    /// −1120.
    pub const INTERVAL: Self = Self::new(-1120, "Invalid interval.");
    /// −1121.
    pub const SYMBOL: Self = Self::new(-1121, "Invalid symbol.");
    /// −1127: a query over too long a time.
    pub const MORE_THAN_A_DAY: Self = Self::new(-1127, "More than 24 hours between startTime and endTime.");
    /// −1128: parameters that do not go together.
    pub const COMBINATION: Self = Self::new(-1128, "Combination of optional parameters invalid.");
    /// −1145.
    pub const CANCEL_RESTRICTIONS: Self =
        Self::new(-1145, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED.");
    /// −2010: not enough funds.
    pub const BALANCE: Self = Self::new(-2010, "Account has insufficient balance for requested action.");
    /// −2010: the client order id names an open order.
    pub const DUPLICATE: Self = Self::new(-2010, "Duplicate order sent.");
    /// −2010: a maker-only order would take.
    pub const WOULD_MATCH: Self = Self::new(-2010, "Order would immediately match and take.");
    /// −2010: the stop price lies on the wrong side of the last price.
    pub const WOULD_TRIGGER: Self = Self::new(-2010, "Order would trigger immediately.");
    /// −2010: the symbol does not trade.
    pub const CLOSED: Self = Self::new(-2010, "Market is closed.");
    /// −2010: a list's prices do not lie on both sides of the last price.
    pub const OCO_PRICES: Self =
        Self::new(-2010, "The relationship of the prices for the orders is not correct.");
    /// −1158.
    pub const OCO_ORDER_TYPE: Self = Self::new(-1158, "Order type not supported in OCO.");
    /// −1165.
    pub const OCO_BUY_LIMIT: Self = Self::new(-1165, "A limit order in a buy OCO must be below.");
    /// −1166.
    pub const OCO_SELL_LIMIT: Self = Self::new(-1166, "A limit order in a sell OCO must be above.");
    /// −1168.
    pub const OCO_BOTH_LIMIT: Self = Self::new(-1168, "At least one OCO order must be contingent.");
    /// −1196.
    pub const OCO_BUY_STOP: Self = Self::new(-1196, "A stop loss order in a buy OCO must be above.");
    /// −1197.
    pub const OCO_SELL_STOP: Self = Self::new(-1197, "A stop loss order in a sell OCO must be below.");
    /// −2010: price times quantity is nothing, or more than the venue can count.
    pub const NO_VALUE: Self = Self::new(-2010, "Price * QTY is zero or less.");
    /// −2011: no such open order.
    pub const UNKNOWN_ORDER: Self = Self::new(-2011, "Unknown order sent.");
    /// −2011: the two names mean different orders.
    pub const CANCEL_MISMATCH: Self =
        Self::new(-2011, "Cancel order is invalid. Check origClOrdId and orderId.");
    /// −2011: the order is not in the state the client asked for.
    pub const RESTRICTED: Self = Self::new(-2011, "Order was not canceled due to cancel restrictions.");
    /// −2013.
    pub const NO_SUCH_ORDER: Self = Self::new(-2013, "Order does not exist.");
    /// −2013 of an order list; the venue documents the number, not the words.
    pub const NO_SUCH_LIST: Self = Self::new(-2013, "Order list does not exist.");
    /// −2014.
    pub const KEY_FORMAT: Self = Self::new(-2014, "API-key format invalid.");
    /// −2015.
    pub const KEY: Self = Self::new(-2015, "Invalid API-key, IP, or permissions for action.");
    /// −2035.
    pub const SUBSCRIPTION_ACTIVE: Self = Self::new(-2035, "User Data Stream subscription already active.");
    /// −2036.
    pub const SUBSCRIPTION_INACTIVE: Self = Self::new(-2036, "User Data Stream subscription not active.");

    /// Margin −2019: the account cannot secure the order.
    pub const MARGIN: Self = Self::new(-2019, "Margin is insufficient.");
    /// Margin −2021: the price that the order waits for is there already.
    pub const TRIGGERS_AT_ONCE: Self = Self::new(-2021, "Order would immediately trigger.");
    /// Margin −2022: there is nothing, or not so much, to reduce.
    pub const REDUCE_ONLY: Self = Self::new(-2022, "ReduceOnly Order is rejected.");
    /// Margin −2027: the position would be larger than its leverage allows.
    pub const POSITION_LIMIT: Self =
        Self::new(-2027, "Exceeded the maximum allowable position at current leverage.");
    /// Margin −2028: at that leverage the account could not secure what it has.
    pub const LEVERAGE_MARGIN: Self =
        Self::new(-2028, "Leverage is smaller than permitted: insufficient margin balance.");
    /// Margin −4003.
    pub const QTY_NOT_POSITIVE: Self = Self::new(-4003, "Quantity less than or equal to zero.");
    /// Margin −4116: the client order id names an open order.
    pub const DUPLICATE_NAME: Self = Self::new(-4116, "ClientOrderId is duplicated.");
    /// Margin −5025: only resting limit orders change.
    pub const NOT_A_LIMIT_ORDER: Self = Self::new(-5025, "Only limit order is supported.");
}
