//! What one public message says, and why one is refused.
//!
//! Shared by the scanner and the tape decoder, so that the two can be compared. Prices and quantities are exact;
//! times are nanoseconds. `S` is how a symbol is named: the engine's id on the way in, the symbol's text where a
//! tool only describes messages.

use std::fmt;

use smc_core::event::{Bar, Level, Trade};
use smc_core::words::{DecimalError, InstrumentId, Name, Price, Timeframe, TsNs};

/// One decoded message. Rows live in the decoder, texts in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a, S = InstrumentId> {
    /// A full image of the book, or changes of it in absolute quantities.
    Book {
        /// Of which instrument.
        symbol: S,
        /// Levels a side that the topic carries.
        depth: u16,
        /// A full image.
        is_snapshot: bool,
        /// When the matching engine made it (`cts`); where that is absent, when the venue built the message.
        ts: TsNs,
        /// The topic's number (`u`); 1 after a restart of the venue's service.
        update_id: u64,
        /// Number across topics (`seq`): the smaller, the earlier.
        seq: u64,
        /// Bids; of an image best first.
        bids: &'a [Level],
        /// Asks; of an image best first.
        asks: &'a [Level],
    },
    /// Trades, oldest first.
    Trades {
        /// Of which instrument.
        symbol: S,
        /// When the venue built the message.
        ts_sent: TsNs,
        /// The trades.
        trades: &'a [TradeRow],
    },
    /// What is known of the market besides prices in the book. What is none has not changed, or is not told.
    Ticker {
        /// Of which instrument.
        symbol: S,
        /// Everything is told, not only what changed.
        is_snapshot: bool,
        /// When the venue built the message.
        ts: TsNs,
        /// Price by which the venue values positions; none on spot.
        mark: Option<Price>,
        /// Price of the last trade.
        last: Option<Price>,
        /// Funding of a long position at `funding_at`, in 1e-8 of its value; positive is paid, negative received.
        funding_e8: Option<i64>,
        /// When funding is booked next.
        funding_at: Option<TsNs>,
    },
    /// The venue's candle, forming or closed. It does not tell how many trades are in it.
    Kline {
        /// Of which instrument.
        symbol: S,
        /// When the venue built the message.
        ts: TsNs,
        /// Its length; none for lengths that do not divide a day (weeks, months).
        timeframe: Option<Timeframe>,
        /// The candle; `trades` is 1 where something was traded, else 0.
        bar: Bar,
        /// The final message of this bar. Structure acts on these only.
        is_closed: bool,
    },
    /// A control request was accepted.
    ControlAck {
        /// What was asked: `subscribe`, `unsubscribe`, `auth`.
        op: &'static str,
        /// The request's name; empty where the venue tells none.
        req_id: &'a str,
    },
    /// A control request was refused, with all its topics.
    ControlError {
        /// The request's name; empty where the venue tells none.
        req_id: &'a str,
        /// The venue's words.
        message: &'a str,
    },
    /// The answer to a ping, in one of its four shapes.
    Pong,
    /// A known topic that the engine has no use for.
    Ignored {
        /// The topic without its symbol.
        topic: &'static str,
    },
}

/// One public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRow {
    /// When it happened (`T`).
    pub ts: TsNs,
    /// The trade; its number is [`number_of_text`](smc_core::words::number_of_text) of the venue's id.
    pub trade: Trade,
    /// Number across topics.
    pub seq: u64,
    /// Arranged outside the book: says nothing about prices in it.
    pub is_block: bool,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up; 0 where it does not know.
        at: usize,
    },
    /// JSON, but not an object.
    NotAnObject,
    /// An object without any mark that we know.
    UnknownShape,
    /// A topic that we do not know.
    UnknownTopic(Name),
    /// A request of a client to the venue, not a message of the venue.
    ClientRequest,
    /// A symbol that is not in the table.
    UnknownSymbol(Name),
    /// The topic names one symbol and the data another.
    OtherSymbol,
    /// A field that must be there is not.
    Missing {
        /// The venue's name of the field.
        field: &'static str,
    },
    /// A field has another JSON type than it must have, or is out of range for it.
    WrongType {
        /// The venue's name of the field.
        field: &'static str,
    },
    /// Decimal text that is no number or does not fit.
    BadNumber {
        /// The venue's name of the field.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// A negative price or quantity.
    Negative {
        /// The venue's name of the field.
        field: &'static str,
    },
    /// Zero where a value must be.
    Zero {
        /// The venue's name of the field.
        field: &'static str,
    },
    /// More rows than the decoder keeps room for.
    TooManyRows {
        /// The room.
        max: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "not JSON at byte {at}"),
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::UnknownShape => f.write_str("an object without any known mark"),
            Self::UnknownTopic(name) => write!(f, "unknown topic {name}"),
            Self::ClientRequest => f.write_str("a client's request, not a venue's message"),
            Self::UnknownSymbol(name) => write!(f, "unknown symbol {name}"),
            Self::OtherSymbol => f.write_str("topic and data name different symbols"),
            Self::Missing { field } => write!(f, "field {field} is missing"),
            Self::WrongType { field } => write!(f, "field {field} has the wrong type or range"),
            Self::BadNumber { field, error } => write!(f, "field {field}: {error}"),
            Self::Negative { field } => write!(f, "field {field} is negative"),
            Self::Zero { field } => write!(f, "field {field} is zero"),
            Self::TooManyRows { max } => write!(f, "more than {max} rows"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Room for the rows of one message, taken once.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Bids of the message decoded last.
    pub bids: Vec<Level>,
    /// Asks of the message decoded last.
    pub asks: Vec<Level>,
    /// Trades of the message decoded last.
    pub trades: Vec<TradeRow>,
    levels_max: usize,
}

/// Trades of one message; the venue sends at most so many.
pub const TRADES_MAX: usize = 1_024;

impl Rows {
    /// Room for `levels_max` levels a side.
    pub fn new(levels_max: usize) -> Self {
        Self {
            bids: Vec::with_capacity(levels_max),
            asks: Vec::with_capacity(levels_max),
            trades: Vec::with_capacity(TRADES_MAX),
            levels_max,
        }
    }

    /// Levels kept a side.
    pub const fn levels_max(&self) -> usize {
        self.levels_max
    }

    /// Empties all, keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
        self.trades.clear();
    }
}

/// The part of `text` that fits a [`Name`], for error messages.
pub(super) fn short_name(text: &str) -> Name {
    let mut end = text.len().min(Name::MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).and_then(Name::new).unwrap_or_default()
}

/// Topics that we know and have no use for.
pub(super) const IGNORED_TOPICS: [&str; 9] = [
    "orderbook.rpi",
    "orderbook.full",
    "allLiquidation",
    "liquidation",
    "priceLimit",
    "adlAlert",
    "insurance",
    "system.status",
    "kline_lt",
];

/// The venue's words for the lengths of candles that divide a day.
pub(super) const INTERVALS: [(&str, u32); 11] = [
    ("1", 60),
    ("3", 180),
    ("5", 300),
    ("15", 900),
    ("30", 1_800),
    ("60", 3_600),
    ("120", 7_200),
    ("240", 14_400),
    ("360", 21_600),
    ("720", 43_200),
    ("D", 86_400),
];

/// The length that the venue's word stands for.
pub(super) fn timeframe_of(interval: &str) -> Option<Timeframe> {
    INTERVALS.iter().find(|(word, _)| *word == interval).and_then(|&(_, secs)| Timeframe::from_secs(secs))
}

/// The venue's word for a length.
pub(super) fn interval_of(timeframe: Timeframe) -> Option<&'static str> {
    INTERVALS.iter().find(|&&(_, secs)| secs == timeframe.secs()).map(|&(word, _)| word)
}
