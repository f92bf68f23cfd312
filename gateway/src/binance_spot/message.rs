//! What the venue says on the WebSocket API connection: answers to requests, and events of the account.
//!
//! Plain words borrowed from the message; nothing here parses (see `decode`) or decides (see `session`). Lists
//! are views into the parser's tape: every row was checked when the message was, so reading them cannot fail.

use simd_json::tape::Array;
use smc_core::words::{DecimalError, Money, Name, Price, Qty, Side};
use std::fmt;
use std::marker::PhantomData;

/// One message.
#[derive(Clone, Debug)]
pub enum Message<'t, 'a> {
    /// The answer to a request.
    Answer(Answer<'t, 'a>),
    /// `executionReport`: something happened to an order.
    Execution(ExecutionReport<'a>),
    /// `outboundAccountPosition`: absolute balances of the assets that were touched.
    AccountPosition {
        /// `E`.
        event_time_ms: u64,
        /// `u`: last update of the account.
        update_time_ms: u64,
        /// `B`.
        balances: Rows<'t, 'a, BalanceRow<'a>>,
    },
    /// `balanceUpdate`: a deposit, withdrawal or transfer.
    BalanceUpdate(BalanceChange<'a>),
    /// `externalLockUpdate`: part of a balance was locked or freed by another product of the venue.
    ExternalLock(BalanceChange<'a>),
    /// `listStatus`: state of an order list; its orders are told by reports of their own.
    ListStatus {
        /// `E`.
        event_time_ms: u64,
        /// `s`.
        symbol: &'a str,
        /// `g`.
        list_id: i64,
        /// `l`.
        status_type: &'a str,
        /// `L`.
        order_status: &'a str,
        /// `C`.
        client_id: &'a str,
    },
    /// `eventStreamTerminated`: no more events will come.
    StreamTerminated {
        /// `E`.
        event_time_ms: u64,
    },
    /// `serverShutdown`: the connection will be cut.
    ServerShutdown {
        /// `E`.
        event_time_ms: u64,
    },
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Answer<'t, 'a> {
    /// The request's id.
    pub id: AnswerId<'a>,
    /// As HTTP's: 200 done, 4xx refused, 5xx unknown.
    pub status: u16,
    /// Result or error.
    pub outcome: Outcome<'t, 'a>,
    /// What is used of the account's and the address' limits, after this request.
    pub limits: RateLimits,
}

/// The id of a request as the answer repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerId<'a> {
    /// An integer: the only kind we send.
    Number(i64),
    /// Text: some other client's.
    Text(&'a str),
    /// The venue could not tell which request it was, or there was none.
    Null,
}

/// Result or error, told apart by shape: an answer does not say which method it answers.
#[derive(Clone, Debug)]
pub enum Outcome<'t, 'a> {
    /// `order.place`, `order.cancel`, `order.status`.
    Order(OrderResult<'a>),
    /// `openOrders.status`, and everything else that is a list of orders. May be empty.
    Orders(Rows<'t, 'a, OrderResult<'a>>),
    /// `myTrades`; never empty, because an empty list has no shape.
    Trades(Rows<'t, 'a, TradeRow<'a>>),
    /// `account.status`.
    Account {
        /// Whether the key's account may trade.
        can_trade: bool,
        /// When it last changed.
        update_time_ms: u64,
        /// All of them, or those that are not zero.
        balances: Rows<'t, 'a, BalanceRow<'a>>,
    },
    /// `session.logon`, `session.status`, `session.logout`.
    Session {
        /// Whether a key is logged on.
        is_authorized: bool,
        /// The venue's clock.
        server_time_ms: u64,
    },
    /// `userDataStream.subscribe`.
    Subscription {
        /// Number of the subscription on this connection.
        id: i64,
    },
    /// `time`.
    Time {
        /// The venue's clock.
        server_time_ms: u64,
    },
    /// An order list (`orderListId`, `orders`): a pair was taken, or ended by the cancel of one of it.
    OrderList {
        /// The list.
        id: i64,
        /// Its orders, by name and number.
        orders: Rows<'t, 'a, OrderResult<'a>>,
        /// `orderReports`: what the request did to them; on a cancel those that it ended.
        reports: Rows<'t, 'a, OrderResult<'a>>,
    },
    /// `apiRestrictions`: what the key may do.
    Rights {
        /// Place and cancel spot orders.
        can_trade: bool,
        /// Take money out.
        can_withdraw: bool,
    },
    /// `order.cancelReplace`, both halves done.
    Replaced(ReplaceResult),
    /// A result without content (`ping`).
    Empty,
    /// A result of a shape we never ask for.
    Other,
    /// Refused, or unknown.
    Error(VenueError<'a>),
}

/// An error answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueError<'a> {
    /// The venue's number.
    pub code: i32,
    /// Its words.
    pub message: &'a str,
    /// When the venue will listen again, in its milliseconds (429 and 418).
    pub retry_after_ms: Option<u64>,
    /// What became of the two halves of a replacement.
    pub replaced: Option<ReplaceResult>,
}

/// What became of the two halves of `order.cancelReplace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaceResult {
    /// The old order's cancel.
    pub cancel: Half,
    /// The new order.
    pub new: Half,
}

/// One half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Done: the order as it is now.
    Done {
        /// The venue's id.
        order_id: u64,
        /// State of the order, where told.
        status: Option<OrderStatus>,
        /// Cumulative filled quantity, where told.
        executed_qty: Option<Qty>,
        /// When, where told.
        time_ms: Option<u64>,
    },
    /// Refused, with the venue's number.
    Refused(i32),
    /// Not tried.
    NotTried,
}

/// An order as answers describe it. What an answer does not tell is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderResult<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// The venue's id.
    pub order_id: u64,
    /// The order's client id; on an answer to a cancel, `origClientOrderId`.
    pub client_order_id: &'a str,
    /// `transactTime`, else `updateTime`, else `time`.
    pub time_ms: Option<u64>,
    /// State of the order.
    pub status: Option<OrderStatus>,
    /// Side.
    pub side: Option<Side>,
    /// Order type, as the venue spells it.
    pub order_type: Option<&'a str>,
    /// Limit price.
    pub price: Option<Price>,
    /// Trigger price.
    pub stop_price: Option<Price>,
    /// Quantity asked for.
    pub qty: Option<Qty>,
    /// Cumulative filled quantity.
    pub executed_qty: Option<Qty>,
    /// It belongs to an order list (`orderListId` is a number).
    pub is_of_list: bool,
}

impl OrderResult<'_> {
    /// State of the order in the core's sense: what the venue calls expired of a list is one of a pair that ended with the
    /// other. Answers do not say why one expired; a stop that was refused as it woke reads the same, and is placed anew.
    pub fn state(&self) -> Option<OrderStatus> {
        match self.status {
            Some(OrderStatus::Expired) if self.is_of_list => Some(OrderStatus::Canceled),
            status => status,
        }
    }
}

/// One of our trades, as `myTrades` lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRow<'a> {
    /// Symbol.
    pub symbol: &'a str,
    /// The venue's number of the trade.
    pub trade_id: u64,
    /// Bought or sold.
    pub side: Side,
    /// The order that traded.
    pub order_id: u64,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Fee, in `fee_asset`.
    pub fee: Money,
    /// Asset of the fee.
    pub fee_asset: &'a str,
    /// When.
    pub time_ms: u64,
    /// We were the resting side.
    pub is_maker: bool,
}

/// Balance of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceRow<'a> {
    /// The asset.
    pub asset: &'a str,
    /// Free; none where the number does not fit our words (some tokens come in trillions).
    pub free: Option<Qty>,
    /// Locked in orders; none where the number does not fit.
    pub locked: Option<Qty>,
}

/// A change of one balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceChange<'a> {
    /// `E`.
    pub event_time_ms: u64,
    /// The asset.
    pub asset: &'a str,
    /// The change, signed; none where it does not fit.
    pub delta: Option<Qty>,
    /// `T`: when it was cleared.
    pub time_ms: u64,
}

/// Something happened to an order of the account, ours or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionReport<'a> {
    /// `E`: when the report was made.
    pub event_time_ms: u64,
    /// `T`: when it happened.
    pub time_ms: u64,
    /// `s`.
    pub symbol: &'a str,
    /// The order's client id: `C` where it is given, else `c`. (On a cancel `c` names the cancel.)
    pub client_order_id: &'a str,
    /// `c` as it stands.
    pub own_client_id: &'a str,
    /// `i`: the venue's id of the order.
    pub order_id: u64,
    /// `S`.
    pub side: Side,
    /// `o`: order type, as the venue spells it.
    pub order_type: &'a str,
    /// `f`: time in force, as the venue spells it.
    pub time_in_force: &'a str,
    /// `p`.
    pub price: Price,
    /// `P`: trigger price; 0 for none.
    pub stop_price: Price,
    /// `q`.
    pub qty: Qty,
    /// `x`: what happened.
    pub execution: Execution,
    /// `X`: state of the order after it.
    pub status: OrderStatus,
    /// `r`: `NONE`, or why the order was rejected.
    pub reject_reason: &'a str,
    /// `eR`: why it expired, where told.
    pub expiry_reason: Option<&'a str>,
    /// `l`: quantity of this fill; 0 when it is none.
    pub last_qty: Qty,
    /// `L`: price of this fill.
    pub last_price: Price,
    /// `z`: cumulative filled quantity.
    pub cum_qty: Qty,
    /// `t`: the venue's number of the trade; none when there is none (−1).
    pub trade_id: Option<u64>,
    /// `n`: fee, in `fee_asset`.
    pub fee: Money,
    /// `N`.
    pub fee_asset: Option<&'a str>,
    /// `m`: we were the resting side.
    pub is_maker: bool,
}

impl ExecutionReport<'_> {
    /// Ended because the other of its pair began to fill, or ended.
    pub fn is_ended_by_pair(&self) -> bool {
        self.expiry_reason == Some("OCO_TRIGGER")
    }
}

/// Makes an enum of the venue's words that reads and writes them.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// None for a word we do not know.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The venue's word.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

words! {
    /// What happened to an order (`x`).
    Execution {
        /// Accepted.
        New = "NEW",
        /// Cancelled by its owner.
        Canceled = "CANCELED",
        /// Amended.
        Replaced = "REPLACED",
        /// Refused by the matching engine.
        Rejected = "REJECTED",
        /// Traded.
        Trade = "TRADE",
        /// Ended by the venue.
        Expired = "EXPIRED",
        /// Kept from trading with the same owner.
        TradePrevention = "TRADE_PREVENTION",
        /// A liquidation's fill; futures only, here so that no fill is ever lost for its name.
        Calculated = "CALCULATED",
    }
}

words! {
    /// State of an order (`X`, `status`).
    OrderStatus {
        /// Working, nothing filled.
        New = "NEW",
        /// Part of an order list, not yet working.
        PendingNew = "PENDING_NEW",
        /// Working, partly filled.
        PartiallyFilled = "PARTIALLY_FILLED",
        /// Done.
        Filled = "FILLED",
        /// Cancelled by its owner.
        Canceled = "CANCELED",
        /// Unused by the venue.
        PendingCancel = "PENDING_CANCEL",
        /// Refused by the matching engine.
        Rejected = "REJECTED",
        /// Ended by the venue.
        Expired = "EXPIRED",
        /// Ended by self-trade prevention.
        ExpiredInMatch = "EXPIRED_IN_MATCH",
    }
}

impl OrderStatus {
    /// True when it will never change again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired | Self::ExpiredInMatch)
    }
}

/// Which of the venue's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Weight of requests, per address.
    RequestWeight,
    /// Unfilled orders, per account.
    Orders,
    /// Anything else.
    Other,
}

/// One limit and what is used of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Which.
    pub kind: LimitKind,
    /// Length of its window, aligned to the clock.
    pub interval_s: u32,
    /// Allowed per window.
    pub limit: u32,
    /// Used in this window.
    pub count: u32,
}

/// Limits kept of one answer.
pub const RATE_LIMITS_MAX: usize = 8;

/// The limits an answer tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    len: usize,
    rows: [Option<RateLimit>; RATE_LIMITS_MAX],
}

impl RateLimits {
    /// Those told.
    pub fn iter(&self) -> impl Iterator<Item = &RateLimit> {
        self.rows.iter().flatten()
    }

    /// Keeps one more; beyond [`RATE_LIMITS_MAX`] they are dropped (the venue has three).
    pub(super) fn push(&mut self, limit: RateLimit) {
        if let Some(slot) = self.rows.get_mut(self.len) {
            *slot = Some(limit);
            self.len += 1;
        }
    }
}

/// A checked list inside a message.
pub struct Rows<'t, 'a, T> {
    array: Option<Array<'t, 'a>>,
    row: PhantomData<T>,
}

impl<T> Clone for Rows<'_, '_, T> {
    fn clone(&self) -> Self {
        Self { array: self.array, row: PhantomData }
    }
}

impl<T> fmt::Debug for Rows<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.len())
    }
}

/// Something that can be read from a list's element.
pub(super) trait Row<'a>: Sized {
    /// Reads one element.
    fn read(value: simd_json::tape::Value<'_, 'a>) -> Result<Self, Refusal>;
}

impl<'t, 'a, T> Rows<'t, 'a, T> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.array.as_ref().map_or(0, Array::len)
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[allow(private_bounds, reason = "only rows of this module exist")]
impl<'t, 'a, T: Row<'a>> Rows<'t, 'a, T> {
    /// No list at all.
    pub(super) const fn none() -> Self {
        Self { array: None, row: PhantomData }
    }

    /// Reads every row once; the first that cannot be read refuses the list.
    pub(super) fn checked(array: Array<'t, 'a>) -> Result<Self, Refusal> {
        for value in array.iter() {
            T::read(value)?;
        }
        Ok(Self { array: Some(array), row: PhantomData })
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.array.iter().flat_map(|array| array.iter()).filter_map(|value| T::read(value).ok())
    }
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not JSON.
    NotJson,
    /// JSON, but neither an answer nor an event.
    UnknownShape,
    /// An event of a kind we do not know; its name, empty when longer than fifteen bytes.
    UnknownEvent {
        /// `e`.
        name: Name,
    },
    /// A field is missing.
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field holds another type than its own, or is out of its range.
    WrongType {
        /// Its name.
        field: &'static str,
    },
    /// A field holds a word we do not know.
    UnknownWord {
        /// Its name.
        field: &'static str,
    },
    /// A field holds a number that we cannot keep exactly.
    BadDecimal {
        /// Its name.
        field: &'static str,
        /// Why.
        error: DecimalError,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not JSON"),
            Self::UnknownShape => f.write_str("neither an answer nor an account event"),
            Self::UnknownEvent { name } => write!(f, "unknown event `{name}`"),
            Self::Missing { field } => write!(f, "field `{field}` is missing"),
            Self::WrongType { field } => write!(f, "field `{field}` has the wrong type or range"),
            Self::UnknownWord { field } => write!(f, "field `{field}` holds an unknown word"),
            Self::BadDecimal { field, error } => write!(f, "field `{field}`: {error}"),
        }
    }
}

impl std::error::Error for Refusal {}
