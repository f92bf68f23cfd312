//! What the venue says of an account: transactions, orders, the account itself, and why one is refused.
//!
//! Texts live in the payload. Prices, units and money are exact or refused; what only informs (balances, average prices)
//! may have more decimals than we keep and is cut.

use smc_core::event::CashKind;
use smc_core::words::{DecimalError, Money, Name, Price, Qty, Side, TsNs};
use std::fmt;

/// One line of the transaction stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The stream lives; every five seconds.
    Heartbeat {
        /// The account's newest transaction.
        last_id: u64,
        /// The venue's time.
        ts: TsNs,
    },
    /// Something happened in the account.
    Transaction(Transaction<'a>),
}

/// Something that happened in the account. Ids rise by one from transaction to transaction; that of an order is the id of
/// the transaction that made it, that of a trade the id of the fill that opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// Its number in the account.
    pub id: u64,
    /// When.
    pub ts: TsNs,
    /// What.
    pub body: Body<'a>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// An order was made; its id is the transaction's.
    Created(Order<'a>),
    /// An order was not made.
    Refused {
        /// The order as it was wanted.
        order: Order<'a>,
        /// The venue's word.
        why: &'a str,
    },
    /// An order filled.
    Filled(Fill<'a>),
    /// An order ended without (further) fill.
    Cancelled {
        /// The venue's id of the order.
        order_id: u64,
        /// The client's name; empty for orders without one.
        client_id: &'a str,
        /// The venue's word.
        why: &'a str,
    },
    /// A cancel was refused.
    CancelRefused {
        /// The venue's id of the order; 0 where it is not known by one.
        order_id: u64,
        /// The client's name; empty where it is not known by one.
        client_id: &'a str,
        /// The venue's word.
        why: &'a str,
    },
    /// Money came or went without a fill.
    Cash {
        /// What for.
        kind: CashKind,
        /// How much of it for which instrument, in the account's currency; the name is empty for the account as such.
        rows: Vec<(&'a str, Money)>,
    },
    /// The account's terms or its margin changed.
    Account(&'a str),
    /// A type that changes nothing of ours.
    Other(&'a str),
}

/// An order: as a transaction or a list tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// The client's name; empty for orders without one.
    pub client_id: &'a str,
    /// What it is.
    pub kind: Kind,
    /// The instrument; empty for orders that close a trade, whose instrument it is.
    pub instrument: &'a str,
    /// Signed units; 0 for orders that close a trade, whose units they are.
    pub units: Qty,
    /// Limit or trigger price; 0 where there is none.
    pub price: Price,
    /// Worst price at which it may fill; 0 where there is none.
    pub bound: Price,
    /// It fills at once or not at all.
    pub is_immediate: bool,
    /// The trade it closes; 0 for none.
    pub trade_id: u64,
    /// The fill that made it; 0 for none.
    pub fill_id: u64,
    /// A stop loss comes with its fill.
    pub has_stop: bool,
    /// A take profit comes with its fill.
    pub has_target: bool,
}

/// Types of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fills at once.
    Market,
    /// Fills at its price or better.
    Limit,
    /// Fills once the market is at its price or worse.
    Stop,
    /// Fills once the market touches its price from either side.
    Touched,
    /// Closes a trade in profit.
    TakeProfit,
    /// Closes a trade in loss, at a fixed, guaranteed or trailing price.
    StopLoss,
}

impl Kind {
    /// Of a word such as `LIMIT` or, with the ending cut, `LIMIT_ORDER`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "MARKET" | "FIXED_PRICE" => Self::Market,
            "LIMIT" => Self::Limit,
            "STOP" => Self::Stop,
            "MARKET_IF_TOUCHED" => Self::Touched,
            "TAKE_PROFIT" => Self::TakeProfit,
            "STOP_LOSS" | "GUARANTEED_STOP_LOSS" | "TRAILING_STOP_LOSS" => Self::StopLoss,
            _ => return None,
        })
    }

    /// Belongs to a trade.
    pub const fn is_of_trade(self) -> bool {
        matches!(self, Self::TakeProfit | Self::StopLoss)
    }
}

/// An order filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill<'a> {
    /// The venue's id of the order.
    pub order_id: u64,
    /// The client's name of it; empty for orders without one.
    pub client_id: &'a str,
    /// The instrument.
    pub instrument: &'a str,
    /// By how much the position changed: signed.
    pub units: Qty,
    /// The average price.
    pub price: Price,
    /// Commission and fees for guarantees, in the account's currency; never negative.
    pub fee: Money,
    /// Financing settled with it: received, or paid if negative.
    pub financing: Money,
    /// The trade it opened, and its signed units.
    pub opened: Option<(u64, Qty)>,
    /// What it did to trades adds up to its units, or none is told.
    pub is_balanced: bool,
}

impl Fill<'_> {
    /// Buy or sell.
    pub const fn side(&self) -> Side {
        if self.units.0 < 0 { Side::Sell } else { Side::Buy }
    }
}

/// An order of a list, with where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRow<'a> {
    /// The venue's id.
    pub id: u64,
    /// The order.
    pub order: Order<'a>,
    /// Where it stands.
    pub state: OrderState,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Works.
    Pending,
    /// Ended by this transaction: a fill or a cancel; 0 where it is not told.
    Ended(u64),
}

/// The account. Money is in its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// The newest transaction it shows.
    pub last_id: u64,
    /// Its currency.
    pub currency: Name,
    /// Cash.
    pub balance: Money,
    /// Cash and open profit.
    pub equity: Money,
    /// Free to secure new positions.
    pub free: Money,
    /// Both sides of an instrument can be held at once.
    pub is_hedging: bool,
    /// Pending orders; none in the summary. A row that cannot be read is a reason.
    pub orders: Vec<Result<OrderRow<'a>, Refusal>>,
    /// Open trades.
    pub trades: Vec<Result<Trade<'a>, Refusal>>,
    /// What is held, flat instruments too.
    pub positions: Vec<Result<PositionRow<'a>, Refusal>>,
}

/// An open trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade<'a> {
    /// The venue's id.
    pub id: u64,
    /// The instrument.
    pub instrument: &'a str,
    /// Still open of it: signed.
    pub units: Qty,
}

/// What is held of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRow<'a> {
    /// The instrument.
    pub instrument: &'a str,
    /// Signed, both sides together.
    pub units: Qty,
    /// Average price of the side that is held; 0 when flat.
    pub average: Price,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Transactions it shows, oldest first; a row that cannot be read is a reason.
    pub transactions: Vec<Result<Transaction<'a>, Refusal>>,
    /// The account's newest transaction; 0 where it is not told.
    pub last_id: u64,
    /// The venue's word for what is wrong; empty where nothing is or it has only a sentence.
    pub code: &'a str,
    /// The venue's sentence.
    pub text: &'a str,
    /// The order that was asked for.
    pub order: Option<Result<OrderRow<'a>, Refusal>>,
    /// The account that was asked for.
    pub account: Option<Result<Account<'a>, Refusal>>,
}

/// Whatever the venue says of an account, for tools that do not know what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A line of the transaction stream, or one transaction.
    Line(Line<'a>),
    /// The answer to a request.
    Answer(Answer<'a>),
    /// Orders, trades or positions: the answers to questions that the gateway does not ask.
    Lists {
        /// Orders in whatever state.
        orders: Vec<Result<OrderRow<'a>, Refusal>>,
        /// Trades, open and closed.
        trades: Vec<Result<Trade<'a>, Refusal>>,
        /// What is held.
        positions: Vec<Result<PositionRow<'a>, Refusal>>,
    },
    /// What the gateway has no use for.
    Ignored(&'static str),
}

/// Why a line, a row or an answer was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not JSON.
    NotJson,
    /// JSON without any mark that we know.
    UnknownShape,
    /// A field that must be there is not.
    Missing {
        /// The venue's name of it.
        field: &'static str,
    },
    /// A field has another type or range than it must have.
    WrongType {
        /// The venue's name of it.
        field: &'static str,
    },
    /// A word that we do not know where we must.
    UnknownWord {
        /// The venue's name of the field.
        field: &'static str,
    },
    /// Decimal text that is no number or does not fit.
    BadDecimal {
        /// The venue's name of the field.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// Zero or less where something must be.
    NotPositive {
        /// The venue's name of the field.
        field: &'static str,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not JSON"),
            Self::UnknownShape => f.write_str("an object without any known mark"),
            Self::Missing { field } => write!(f, "field {field} is missing"),
            Self::WrongType { field } => write!(f, "field {field} has the wrong type or range"),
            Self::UnknownWord { field } => write!(f, "field {field} holds an unknown word"),
            Self::BadDecimal { field, error } => write!(f, "field {field}: {error}"),
            Self::NotPositive { field } => write!(f, "field {field} is not positive"),
        }
    }
}

impl std::error::Error for Refusal {}
