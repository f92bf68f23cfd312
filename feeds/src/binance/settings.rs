//! What a feed is told at start, and what it counts.

use std::fmt;

use smc_core::words::{Name, Timeframe};
use smc_net::{Endpoint, Hold, WsLimits};

use super::message::TimeUnit;
use super::sync::BookLimits;

/// Streams that one connection may carry.
pub const STREAMS_MAX: usize = 1_024;

/// Everything a feed needs to know. Hosts, ports and trust are the endpoints'.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Where the streams are.
    pub stream: Endpoint,
    /// Where snapshots are.
    pub rest: Endpoint,
    /// Where binary streams are, for feeds that read them; spot only.
    pub binary: Option<BinaryStream>,
    /// Path of the combined stream of quotes and books; on spot, of everything.
    pub stream_path: String,
    /// Path of the combined stream of trades, candles, mark prices and contract terms on futures, of candles beside
    /// binary streams.
    pub market_path: String,
    /// Path of the depth snapshot, without its query.
    pub snapshot_path: String,
    /// Path of the instruments' rules, asked for anew when the venue says that they changed; futures only.
    pub rules_path: String,
    /// Levels a side asked of a snapshot: 100, 500, 1000 or (spot only) 5000; the larger, the more weight it costs.
    pub snapshot_limit: u16,
    /// Unit of the venue's stamps; other than milliseconds is asked for in the connection's URL.
    pub time_unit: TimeUnit,
    /// What to subscribe.
    pub streams: Streams,
    /// Sizes of each book.
    pub book: BookLimits,
    /// How long which silence is borne.
    pub silence: Silence,
    /// Connecting, upgrading and subscribing may take this long.
    pub connect_timeout_ns: u64,
    /// A snapshot may take this long.
    pub request_timeout_ns: u64,
    /// Age at which a connection is renewed on a second one; the venue cuts at 24 hours.
    pub renew_after_ns: u64,
    /// Request weight used in a minute from which on snapshots wait for the next minute; the venue allows 6000, 2400 on
    /// futures.
    pub weight_max: u32,
    /// Start of the jitter's chance.
    pub seed: u64,
    /// Buffers of the stream connection.
    pub ws_limits: WsLimits,
    /// Shared with whoever else speaks to the venue from this address.
    pub hold: Hold,
}

impl FeedSettings {
    /// The usual settings for these endpoints of spot.
    pub fn new(stream: Endpoint, rest: Endpoint) -> Self {
        Self {
            stream,
            rest,
            binary: None,
            stream_path: "/stream".to_owned(),
            market_path: String::new(),
            rules_path: String::new(),
            snapshot_path: "/api/v3/depth".to_owned(),
            snapshot_limit: 1_000,
            time_unit: TimeUnit::Millis,
            streams: Streams::default(),
            book: BookLimits::default(),
            silence: Silence::default(),
            connect_timeout_ns: 10_000_000_000,
            request_timeout_ns: 10_000_000_000,
            renew_after_ns: 23 * 3_600_000_000_000,
            weight_max: 4_800,
            seed: 1,
            ws_limits: WsLimits::default(),
            hold: Hold::default(),
        }
    }

    /// The usual settings for these endpoints of spot, with quotes, trades and books from `binary` and candles, which are
    /// not to be had there, from `stream`.
    pub fn binary(binary: BinaryStream, stream: Endpoint, rest: Endpoint) -> Self {
        Self { market_path: "/stream".to_owned(), binary: Some(binary), ..Self::new(stream, rest) }
    }

    /// The usual settings for these endpoints of USD-M futures. A stream asked for under the other's path would be
    /// confirmed and never speak.
    pub fn futures(stream: Endpoint, rest: Endpoint) -> Self {
        Self {
            stream_path: "/public/stream".to_owned(),
            market_path: "/market/stream".to_owned(),
            rules_path: "/fapi/v1/exchangeInfo".to_owned(),
            snapshot_path: "/fapi/v1/depth".to_owned(),
            streams: Streams {
                trades: TradeStream::Aggregate,
                mark: true,
                contract: true,
                ..Streams::default()
            },
            weight_max: 1_920,
            ..Self::new(stream, rest)
        }
    }
}

/// Where the binary streams of spot are, and who asks.
#[derive(Clone, Debug)]
pub struct BinaryStream {
    /// The host.
    pub endpoint: Endpoint,
    /// Name of an Ed25519 key: the venue wants it at the upgrade. Nothing is signed with the key.
    pub api_key: String,
}

/// Lengths of candles that one feed can have.
pub const KLINES_MAX: usize = 8;

/// Which streams each instrument gets.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// Where trades come from.
    pub trades: TradeStream,
    /// Best bid and ask in real time.
    pub book_ticker: bool,
    /// The book, every 100 ms.
    pub depth: bool,
    /// The venue's candles of these lengths; only closed ones with trades become events.
    pub klines: [Option<Timeframe>; KLINES_MAX],
    /// The mark price, every second; futures only.
    pub mark: bool,
    /// Changes of contract terms and status, which are then read anew; futures only.
    pub contract: bool,
}

impl Default for Streams {
    fn default() -> Self {
        let klines = [None; KLINES_MAX];
        let trades = TradeStream::Single;
        Self { trades, book_ticker: true, depth: true, klines, mark: false, contract: false }
    }
}

/// Where trades come from. Never both: each trade would count twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TradeStream {
    /// No trades.
    None,
    /// Each trade by itself.
    Single,
    /// All fills of a taker order at a price together.
    Aggregate,
}

/// Longest silence of a subscribed stream before its instrument counts as stale; 0 never.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Trades; quiet markets are silent for long.
    pub trade_ns: u64,
    /// Best bid and ask.
    pub book_ticker_ns: u64,
    /// Progress of the book: messages that only repeat the past are silence too.
    pub depth_ns: u64,
    /// The mark price, where there is one.
    pub mark_ns: u64,
    /// Every stream of a connection together: it is then dropped.
    pub connection_ns: u64,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            trade_ns: 0,
            book_ticker_ns: 5_000_000_000,
            depth_ns: 5_000_000_000,
            mark_ns: 10_000_000_000,
            connection_ns: 15_000_000_000,
        }
    }
}

/// Why a feed cannot be made from its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// No instruments.
    NoInstruments,
    /// An instrument without a symbol.
    EmptySymbol,
    /// The same symbol twice.
    DuplicateSymbol(Name),
    /// More streams than one connection carries.
    TooManyStreams {
        /// Asked for.
        needed: usize,
        /// Allowed.
        max: usize,
    },
    /// Nothing to subscribe.
    NoStreams,
    /// A feed of binary streams without an address for them.
    NoBinaryStream,
    /// Binary streams have single trades only.
    NoAggregates,
    /// The venue has no candles of this length.
    NoSuchKline(Timeframe),
    /// A snapshot depth that the venue does not take.
    SnapshotLimit {
        /// Asked for.
        asked: u16,
        /// Allowed.
        max: u16,
    },
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstruments => f.write_str("no instruments"),
            Self::EmptySymbol => f.write_str("an instrument without a symbol"),
            Self::DuplicateSymbol(name) => write!(f, "symbol {name} twice"),
            Self::TooManyStreams { needed, max } => {
                write!(f, "{needed} streams, one connection carries {max}")
            }
            Self::NoStreams => f.write_str("no streams to subscribe"),
            Self::NoBinaryStream => f.write_str("no address of binary streams"),
            Self::NoAggregates => f.write_str("binary streams have single trades only"),
            Self::NoSuchKline(timeframe) => write!(f, "the venue has no candles of {timeframe}"),
            Self::SnapshotLimit { asked, max } => {
                write!(f, "snapshot depth {asked} is not within 1 to {max}")
            }
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
    /// Messages that only repeated the past.
    pub old: u64,
    /// Holes in a book's chain of ids.
    pub gaps: u64,
    /// Books invalid for another reason: crossed, reversed ids, contradicted by a quote, thin, buffer full.
    pub invalid_books: u64,
    /// Holes in the chain of trade ids.
    pub trade_gaps: u64,
    /// Books brought (back) into step.
    pub resyncs: u64,
    /// Snapshots asked for.
    pub snapshots: u64,
    /// Snapshots that were too old, bad, late or refused.
    pub snapshots_failed: u64,
    /// Connections lost or given up.
    pub disconnects: u64,
    /// Connections started after the first.
    pub reconnects: u64,
    /// Times an instrument went stale.
    pub stale: u64,
    /// Control requests refused by the venue.
    pub control_errors: u64,
}
