//! What a feed is told at start, and what it counts.

use std::fmt;

use smc_core::words::{Name, Timeframe};
use smc_net::{Endpoint, WsLimits};

/// Characters that the topics of one connection may have together.
pub const TOPIC_CHARS_MAX: usize = 21_000;
/// Topics of one request; spot takes no more.
pub const TOPICS_PER_REQUEST: usize = 10;
/// Lengths of candles that one feed can have.
pub const KLINES_MAX: usize = 8;

/// The venue's kinds of market: each has connections, limits and rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Coins against coins.
    Spot,
    /// Perpetual and dated contracts settled in USDT or USDC.
    Linear,
}

impl Category {
    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
        }
    }
}

/// Everything a feed needs to know. Host, port and trust are the endpoint's.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Where the streams are.
    pub stream: Endpoint,
    /// Path of the public streams, without the category.
    pub stream_path: String,
    /// Which market.
    pub category: Category,
    /// What to subscribe.
    pub streams: Streams,
    /// Best levels a side that the engine sees.
    pub view_levels_max: usize,
    /// How long which silence is borne.
    pub silence: Silence,
    /// Connecting, upgrading and each answer to a subscription may take this long.
    pub connect_timeout_ns: u64,
    /// Age at which a connection is renewed on a second one.
    pub renew_after_ns: u64,
    /// Start of the jitter's chance.
    pub seed: u64,
    /// Buffers of the stream connection.
    pub ws_limits: WsLimits,
}

impl FeedSettings {
    /// The usual settings for this endpoint.
    pub fn new(stream: Endpoint, category: Category) -> Self {
        Self {
            stream,
            stream_path: "/v5/public".to_owned(),
            category,
            streams: Streams::default(),
            view_levels_max: 100,
            silence: Silence::default(),
            connect_timeout_ns: 10_000_000_000,
            renew_after_ns: 23 * 3_600_000_000_000,
            seed: 1,
            ws_limits: WsLimits::default(),
        }
    }
}

/// Which topics each instrument gets.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Trades.
    pub trades: bool,
    /// Best bid and ask, every 10 ms (`orderbook.1`).
    pub best: bool,
    /// The book with so many levels a side: 50 every 20 ms, 200 every 100 ms, 1000 every 200 ms.
    pub depth: Option<u16>,
    /// Mark price and funding; on spot the topic tells neither.
    pub ticker: bool,
    /// The venue's candles of these lengths; only closed ones with trades become events.
    pub klines: [Option<Timeframe>; KLINES_MAX],
}

impl Default for Streams {
    fn default() -> Self {
        Self { trades: true, best: true, depth: Some(50), ticker: true, klines: [None; KLINES_MAX] }
    }
}

/// Longest silence of a subscribed topic before its instrument counts as stale; 0 never.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Trades; quiet markets are silent for long.
    pub trade_ns: u64,
    /// Best bid and ask; the venue repeats them after 3 s without change.
    pub best_ns: u64,
    /// Progress of the book: messages that only repeat the past are silence too.
    pub depth_ns: u64,
    /// Mark price and funding.
    pub ticker_ns: u64,
    /// Every topic together, pongs not counted: the connection is then dropped.
    pub connection_ns: u64,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            trade_ns: 0,
            best_ns: 10_000_000_000,
            depth_ns: 15_000_000_000,
            ticker_ns: 60_000_000_000,
            connection_ns: 20_000_000_000,
        }
    }
}

/// Why a feed cannot be made from its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// No instruments.
    NoInstruments,
    /// A symbol with bytes that no symbol of the venue has, or none.
    BadSymbol(Name),
    /// The same symbol twice.
    DuplicateSymbol(Name),
    /// More text of topics than one connection carries.
    TooManyTopics {
        /// Characters asked for.
        needed: usize,
        /// Allowed.
        max: usize,
    },
    /// Nothing to subscribe.
    NoStreams,
    /// The venue has no candles of this length.
    NoSuchKline(Timeframe),
    /// The venue has no book of this depth.
    NoSuchDepth(u16),
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstruments => f.write_str("no instruments"),
            Self::BadSymbol(name) => write!(f, "`{name}` is not a symbol"),
            Self::DuplicateSymbol(name) => write!(f, "symbol {name} twice"),
            Self::TooManyTopics { needed, max } => {
                write!(f, "topics of {needed} characters, one connection carries {max}")
            }
            Self::NoStreams => f.write_str("no streams to subscribe"),
            Self::NoSuchKline(timeframe) => write!(f, "the venue has no candles of {timeframe}"),
            Self::NoSuchDepth(depth) => write!(f, "book depth {depth} is not 50, 200 or 1000"),
        }
    }
}

impl std::error::Error for FeedError {}

/// What happened so far. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounters {
    /// Messages received.
    pub messages: u64,
    /// Messages refused: not decoded, unknown symbol, impossible content.
    pub refused: u64,
    /// Messages that the scanner left to the tape.
    pub tape_uses: u64,
    /// Messages, and trades, that only repeated the past.
    pub old: u64,
    /// Holes in a book's numbers.
    pub gaps: u64,
    /// Books invalid for another reason: crossed, unsorted, impossible levels.
    pub invalid_books: u64,
    /// Books brought (back) into step.
    pub resyncs: u64,
    /// Topics asked for again, because of a hole or of silence.
    pub asked_again: u64,
    /// Connections lost or given up.
    pub disconnects: u64,
    /// Connections started after the first.
    pub reconnects: u64,
    /// Times an instrument went stale.
    pub stale: u64,
    /// Control requests refused by the venue.
    pub control_errors: u64,
}
