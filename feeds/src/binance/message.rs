//! What one message of spot or futures says, and why one is refused.
//!
//! Shared by the scanners and the tape decoders, so that they can be compared. Prices and quantities are
//! exact; times are nanoseconds. `S` is how a symbol is named: the engine's id on the way in, the symbol's
//! text where a tool only describes messages.

use std::fmt;

use smc_core::event::{Bar, Level, Quote, Trade};
use smc_core::words::{DecimalError, InstrumentId, Name, Price, Timeframe, TsNs};

/// One decoded message. Level slices live in the decoder, texts in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a, S = InstrumentId> {
    /// A single trade.
    Trade {
        /// Of which instrument.
        symbol: S,
        /// When the venue sent it (`E`).
        ts_sent: TsNs,
        /// When it happened (`T`).
        ts: TsNs,
        /// The trade.
        trade: Trade,
        /// Made in the market. Futures tell other movements (insurance fund, liquidation) as trades at prices far off.
        is_market: bool,
    },
    /// All fills of one taker order at one price; `trade.trade_id` is the aggregate's number.
    AggTrade {
        /// Of which instrument.
        symbol: S,
        /// When the venue sent it (`E`).
        ts_sent: TsNs,
        /// When it happened (`T`).
        ts: TsNs,
        /// Price and whole quantity.
        trade: Trade,
        /// First single trade in it.
        first_trade_id: u64,
        /// Last single trade in it.
        last_trade_id: u64,
    },
    /// Best bid and ask. An empty side has price and quantity 0.
    BookTicker {
        /// Of which instrument.
        symbol: S,
        /// When they came to be (`T`); spot does not tell.
        ts: Option<TsNs>,
        /// The best prices.
        quote: Quote,
    },
    /// Changes of the book, in absolute quantities.
    Depth {
        /// Of which instrument.
        symbol: S,
        /// When it happened (`T` of futures), else when the venue sent it (`E`).
        ts: TsNs,
        /// First update in it (`U`).
        first_id: u64,
        /// Last update in it (`u`).
        last_id: u64,
        /// Last update of the message before it (`pu`); futures only.
        previous_id: Option<u64>,
        /// Changed bids.
        bids: &'a [Level],
        /// Changed asks.
        asks: &'a [Level],
    },
    /// The venue's candle, forming or closed. Whether its prices can belong together is for the taker to
    /// check: the venue's own documentation has an impossible one.
    Kline {
        /// Of which instrument.
        symbol: S,
        /// When the venue sent it (`E`).
        ts: TsNs,
        /// Its length; none for lengths that do not divide a day (3 days, weeks, months).
        timeframe: Option<Timeframe>,
        /// Last nanosecond that still belongs to it, rounded to the venue's stamp.
        ts_close: TsNs,
        /// The candle.
        bar: Bar,
        /// The final message of this bar. Structure acts on these only.
        is_closed: bool,
    },
    /// The top of the book, or a REST snapshot: a full image up to some depth.
    PartialDepth {
        /// Of which instrument: told by the stream's name, not by the message.
        symbol: Option<S>,
        /// When it was made (`T`, else `E`); spot does not tell.
        ts: Option<TsNs>,
        /// The book's number.
        last_update_id: u64,
        /// Bids, best first.
        bids: &'a [Level],
        /// Asks, best first.
        asks: &'a [Level],
    },
    /// The price by which the venue values positions, with what is to be paid for holding them. Futures only.
    Mark {
        /// Of which instrument.
        symbol: S,
        /// When the venue sent it (`E`).
        ts: TsNs,
        /// The mark price.
        price: Price,
        /// Share of a position's value that its longs pay its shorts at `funding_ts`, in 1e-8; none for contracts
        /// that expire.
        funding_rate: Option<i64>,
        /// When that is due.
        funding_ts: TsNs,
    },
    /// The terms of a contract changed, or its status. Futures only.
    Contract {
        /// Of which instrument.
        symbol: S,
        /// When the venue said so.
        ts: TsNs,
    },
    /// The venue is about to cut this connection.
    ServerShutdown {
        /// When the venue said so.
        ts: TsNs,
    },
    /// A control request was accepted.
    ControlAck {
        /// The request's number.
        id: ControlId<'a>,
    },
    /// A control request was refused.
    ControlError {
        /// The request's number, where the venue tells it.
        id: ControlId<'a>,
        /// The venue's error number.
        code: i64,
        /// The venue's words.
        message: &'a str,
    },
    /// A known event that the engine has no use for, by the venue's name.
    Ignored {
        /// The venue's name of the event.
        event: &'static str,
    },
}

/// How a control request was numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlId<'a> {
    /// No number, or null.
    None,
    /// A number: the only form we send.
    Number(u64),
    /// A text.
    Text(&'a str),
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
    /// An `e` that we do not know.
    UnknownEvent(Name),
    /// A request of a client to the venue, not a message of the venue.
    ClientRequest,
    /// A symbol that is not in the table.
    UnknownSymbol(Name),
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
    /// More levels on one side than the decoder keeps room for.
    TooManyLevels {
        /// The room.
        max: usize,
    },
    /// A binary frame that is not laid out as it says.
    Frame(FrameFault),
}

/// What is wrong with the layout of a binary frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// The frame ends before what belongs to it.
    Short {
        /// Bytes that would be needed.
        needed: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// Bytes behind the end, in a version that has none there.
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// Another schema than that of market streams.
    Schema(u16),
    /// A message that is not one of the four streams'.
    Template(u16),
    /// A block or entry shorter than the oldest version's.
    Block {
        /// Its length as received.
        got: usize,
        /// The length that is needed.
        needed: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "not JSON at byte {at}"),
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::UnknownShape => f.write_str("an object without any known mark"),
            Self::UnknownEvent(name) => write!(f, "unknown event {name}"),
            Self::ClientRequest => f.write_str("a client's request, not a venue's message"),
            Self::UnknownSymbol(name) => write!(f, "unknown symbol {name}"),
            Self::Missing { field } => write!(f, "field {field} is missing"),
            Self::WrongType { field } => write!(f, "field {field} has the wrong type or range"),
            Self::BadNumber { field, error } => write!(f, "field {field}: {error}"),
            Self::Negative { field } => write!(f, "field {field} is negative"),
            Self::Zero { field } => write!(f, "field {field} is zero"),
            Self::TooManyLevels { max } => write!(f, "more than {max} levels on a side"),
            Self::Frame(fault) => match fault {
                FrameFault::Short { needed, got } => write!(f, "{got} bytes, needs {needed}"),
                FrameFault::Trailing { bytes } => write!(f, "{bytes} bytes behind the end"),
                FrameFault::Schema(id) => write!(f, "schema {id} is not the market streams'"),
                FrameFault::Template(id) => write!(f, "unknown template {id}"),
                FrameFault::Block { got, needed } => write!(f, "a block of {got} bytes, needs {needed}"),
            },
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<FrameFault> for DecodeError {
    fn from(fault: FrameFault) -> Self {
        Self::Frame(fault)
    }
}

/// Unit of the venue's stamps on one connection (`timeUnit` in its URL). Never guessed from the size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Milliseconds: the venue's default.
    #[default]
    Millis,
    /// Microseconds: the connection asked for `timeUnit=MICROSECOND`.
    Micros,
}

impl TimeUnit {
    /// The venue's stamp in nanoseconds; none when it does not fit.
    pub fn stamp(self, value: u64) -> Option<TsNs> {
        let unit = match self {
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
        };
        value.checked_mul(unit).map(TsNs)
    }
}

/// Levels kept a side of one message: the venue's largest snapshot.
pub const LEVELS_MAX: usize = 5_000;

/// A full image of the book up to the asked depth, best levels first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The book's number.
    pub last_update_id: u64,
    /// Bids, best first.
    pub bids: &'a [Level],
    /// Asks, best first.
    pub asks: &'a [Level],
}

/// Room for the levels of one message, taken once.
#[derive(Clone, Debug)]
pub struct Levels {
    /// Bids of the message decoded last.
    pub bids: Vec<Level>,
    /// Asks of the message decoded last.
    pub asks: Vec<Level>,
    max: usize,
}

impl Levels {
    /// Room for `max` levels a side.
    pub fn new(max: usize) -> Self {
        Self { bids: Vec::with_capacity(max), asks: Vec::with_capacity(max), max }
    }

    /// Levels kept a side.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Empties both sides, keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }
}

/// The part of `text` that fits a [`Name`], for error messages.
pub(crate) fn short_name(text: &str) -> Name {
    let mut end = text.len().min(Name::MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).and_then(Name::new).unwrap_or_default()
}
