//! What the venue says on the private and the trade socket and in REST answers, and why a message is refused.
//!
//! Texts live in the payload. Prices and quantities are exact or refused; what only informs (balances, average prices)
//! may have more decimals than we keep and is cut, a fee is rounded against us.

use super::budget::Limit;
use super::orders::{End, VenueId};
use smc_core::words::{DecimalError, Money, Name, Price, Qty, Side};
use std::fmt;

/// One message of a socket. `L` is a list of rows, read one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a, L> {
    /// Orders, as they are now.
    Orders(L),
    /// Fills, and money that came or went like one.
    Executions {
        /// The rows.
        rows: L,
        /// The faster topic, which knows fewer fields.
        is_fast: bool,
    },
    /// Positions, changed or not.
    Positions(L),
    /// The account.
    Wallet(L),
    /// A socket has been logged on, or has not.
    LoggedOn {
        /// Whether it was.
        is_yes: bool,
        /// The venue's number; 0 where it gives none.
        code: i64,
        /// The venue's words.
        text: &'a str,
    },
    /// The topics are subscribed, or are not.
    Subscribed {
        /// Whether they are.
        is_yes: bool,
        /// The venue's words.
        text: &'a str,
    },
    /// The answer to a ping.
    Pong,
    /// The answer to an order or a cancel: taken or refused, not what became of it.
    Answer(Answer<'a>),
    /// A topic that we have no use for.
    Ignored {
        /// Which.
        topic: &'a str,
    },
}

/// The answer to a request over the trade socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The request's name; empty where it had none.
    pub req_id: &'a str,
    /// What was asked.
    pub op: &'a str,
    /// 0 when it was taken.
    pub code: i64,
    /// The venue's words.
    pub text: &'a str,
    /// The venue's name of the order, where it was taken.
    pub order_id: VenueId,
    /// What is left of the endpoint's limit.
    pub limit: Limit,
}

/// An order as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRow<'a> {
    /// The market; none in REST answers, whose whole list has one.
    pub category: Option<&'a str>,
    /// The instrument.
    pub symbol: &'a str,
    /// The venue's name.
    pub venue_id: VenueId,
    /// The client's name; empty for orders without one.
    pub link_id: &'a str,
    /// Buy or sell.
    pub side: Side,
    /// A market order.
    pub is_market: bool,
    /// Only ever makes.
    pub is_maker_only: bool,
    /// Where it stands.
    pub status: Status,
    /// Why it was cancelled; the venue's word.
    pub cancel_type: &'a str,
    /// Why it was refused; the venue's word.
    pub reject_reason: &'a str,
    /// Limit price; 0 for market orders.
    pub price: Price,
    /// Quantity asked for.
    pub qty: Qty,
    /// Filled of it.
    pub cum_qty: Qty,
    /// Trigger price; 0 where there is none.
    pub trigger: Price,
    /// When it last changed.
    pub updated_ms: u64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for its trigger.
    Waiting,
    /// Works.
    Working,
    /// Filled whole.
    Filled,
    /// Cancelled by whomever, filled in part or not.
    Cancelled,
    /// Refused after it had been taken.
    Rejected,
}

impl Status {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "New" | "PartiallyFilled" | "Triggered" => Self::Working,
            "Untriggered" => Self::Waiting,
            "Filled" => Self::Filled,
            "Cancelled" | "PartiallyFilledCanceled" | "Deactivated" => Self::Cancelled,
            "Rejected" => Self::Rejected,
            _ => return None,
        })
    }
}

impl OrderRow<'_> {
    /// How it ended; none while it works. What somebody wished is a cancel; what its own terms did is an expiry: a
    /// post-only order that would have taken, the rest of an immediate one, self-trade prevention.
    pub fn end(&self) -> Option<End> {
        let is_wished = matches!(
            self.reject_reason,
            "" | "EC_NoError" | "EC_PerCancelRequest" | "EC_OrigClOrdIDDoesNotExist" | "UNKNOWN"
        ) && self.cancel_type != "CancelBySmp"
            && self.cancel_type != "CancelByReduceOnly";
        match self.status {
            Status::Waiting | Status::Working => None,
            Status::Filled => Some(End::Filled),
            Status::Cancelled => Some(if is_wished { End::Canceled } else { End::Expired }),
            // Filled in part and then refused: what was filled counts.
            Status::Rejected if self.cum_qty > Qty::ZERO => Some(End::Expired),
            Status::Rejected => Some(End::Rejected),
        }
    }
}

/// Fees in other coins than the first, of one fill.
pub const EXTRA_FEES_MAX: usize = 4;

/// A fill, or money that came or went like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionRow<'a> {
    /// The market; none in REST answers.
    pub category: Option<&'a str>,
    /// The instrument.
    pub symbol: &'a str,
    /// The venue's name of the order.
    pub venue_id: VenueId,
    /// The client's name of the order; empty for makers in the faster topic, whoever they are.
    pub link_id: &'a str,
    /// Number of the execution: [`number_of_text`](smc_core::words::number_of_text) of its UUID.
    pub trade_id: u64,
    /// What it is.
    pub kind: ExecutionKind,
    /// Buy or sell; none where no side applies.
    pub side: Option<Side>,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Quantity of the order, where told.
    pub order_qty: Option<Qty>,
    /// Still open of the order, where told.
    pub leaves_qty: Option<Qty>,
    /// Paid; negative when received.
    pub fee: Money,
    /// The coin of the fee; empty where the venue leaves it out.
    pub fee_coin: &'a str,
    /// Further fees: coin and amount. Slots that are not used are empty.
    pub extra_fees: [(Name, Money); EXTRA_FEES_MAX],
    /// We were the resting side.
    pub is_maker: bool,
    /// When it happened.
    pub time_ms: u64,
}

/// What an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionKind {
    /// A trade, whoever wanted it: it moves the position.
    Trade,
    /// Funding: money alone.
    Funding,
    /// Settlement, delivery, whatever else: money, and perhaps a position that has to be looked at.
    Other,
}

impl ExecutionKind {
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "Trade" | "AdlTrade" | "BustTrade" | "BlockTrade" | "MovePosition" | "FutureSpread" => {
                Self::Trade
            }
            "Funding" => Self::Funding,
            _ => Self::Other,
        }
    }
}

/// A position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionRow<'a> {
    /// The market; none in REST answers.
    pub category: Option<&'a str>,
    /// The instrument.
    pub symbol: &'a str,
    /// Signed.
    pub qty: Qty,
    /// Average entry price; 0 when flat.
    pub average: Price,
    /// 0 where there is one position to an instrument; 1 and 2 for the two of hedge mode.
    pub index: i64,
    /// Not being liquidated or reduced by the venue.
    pub is_normal: bool,
}

/// The account. Money is in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletRow<L> {
    /// Coins and open profit, as the venue values them; none where it tells none.
    pub equity: Option<Money>,
    /// Free to secure new positions.
    pub free: Option<Money>,
    /// The coins.
    pub coins: L,
}

/// A coin of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoinRow<'a> {
    /// Which.
    pub coin: &'a str,
    /// Owned, what is borrowed taken off; never negative.
    pub total: Qty,
    /// Tied up in spot orders, or as margin of orders and positions; at most the total.
    pub locked: Qty,
}

/// The head of a REST answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHead<'a> {
    /// 0 when it was done.
    pub code: i64,
    /// The venue's words.
    pub text: &'a str,
    /// The venue's time; 0 where it tells none.
    pub time_ms: u64,
}

/// Why a message or a row was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not JSON.
    NotJson,
    /// JSON without any mark that we know.
    UnknownShape,
    /// A request of a client to the venue, not a message of the venue.
    ClientRequest,
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
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not JSON"),
            Self::UnknownShape => f.write_str("an object without any known mark"),
            Self::ClientRequest => f.write_str("a client's request, not a venue's message"),
            Self::Missing { field } => write!(f, "field {field} is missing"),
            Self::WrongType { field } => write!(f, "field {field} has the wrong type or range"),
            Self::UnknownWord { field } => write!(f, "field {field} holds an unknown word"),
            Self::BadDecimal { field, error } => write!(f, "field {field}: {error}"),
        }
    }
}

impl std::error::Error for Refusal {}
