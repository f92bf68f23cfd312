//! What a feed is told at start, and what it counts.

use std::fmt;

use smc_core::words::Name;
use smc_net::{Endpoint, Secret, StreamLimits};

/// Instruments that one stream may carry.
pub const INSTRUMENTS_MAX: usize = 128;

/// Everything a feed needs to know. Hosts, ports and trust are the endpoints'. Its Debug shows no token.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Where the streams are.
    pub stream: Endpoint,
    /// Where everything else is.
    pub rest: Endpoint,
    /// The account whose prices are asked for, as `101-004-1234567-001`.
    pub account: String,
    /// The token that may read it.
    pub token: Secret,
    /// Rules, statuses and rates become events. Not where orders for these instruments go to another venue.
    pub tells_rules: bool,
    /// How long which silence is borne.
    pub silence: Silence,
    /// Connecting and asking may take this long.
    pub connect_timeout_ns: u64,
    /// A REST answer may take this long.
    pub request_timeout_ns: u64,
    /// How often it is asked what currencies are worth.
    pub rates_every_ns: u64,
    /// How often rules are read again.
    pub rules_every_ns: u64,
    /// Start of the jitter's chance.
    pub seed: u64,
    /// Buffers of the stream.
    pub limits: StreamLimits,
}

impl FeedSettings {
    /// The usual settings.
    pub fn new(stream: Endpoint, rest: Endpoint, account: &str, token: Secret) -> Self {
        Self {
            stream,
            rest,
            account: account.to_owned(),
            token,
            tells_rules: true,
            silence: Silence::default(),
            connect_timeout_ns: 10_000_000_000,
            request_timeout_ns: 10_000_000_000,
            rates_every_ns: 10_000_000_000,
            rules_every_ns: 3_600_000_000_000,
            seed: 1,
            limits: StreamLimits::default(),
        }
    }
}

/// Longest silence; 0 never.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Of the stream as a whole: it is then dropped. The venue sends a heartbeat every five seconds.
    pub connection_ns: u64,
    /// Of the prices of an open market before its instrument counts as stale.
    pub price_ns: u64,
    /// Of the prices of all open markets while heartbeats go on: the stream is then dropped.
    pub prices_ns: u64,
}

impl Default for Silence {
    fn default() -> Self {
        Self { connection_ns: 10_000_000_000, price_ns: 60_000_000_000, prices_ns: 180_000_000_000 }
    }
}

/// Why a feed cannot be made from its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// No instruments.
    NoInstruments,
    /// An instrument with a name that no path can carry.
    BadSymbol(Name),
    /// The same instrument twice.
    DuplicateSymbol(Name),
    /// More instruments than one stream carries.
    TooManyInstruments {
        /// Asked for.
        needed: usize,
        /// Allowed.
        max: usize,
    },
    /// The account's id holds bytes that no id has.
    BadAccount,
    /// The token is empty or holds bytes that no token has.
    BadToken,
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstruments => f.write_str("no instruments"),
            Self::BadSymbol(name) => write!(f, "`{name}` is not an instrument's name"),
            Self::DuplicateSymbol(name) => write!(f, "instrument {name} twice"),
            Self::TooManyInstruments { needed, max } => {
                write!(f, "{needed} instruments, one stream carries {max}")
            }
            Self::BadAccount => f.write_str("the account's id holds characters that no id has"),
            Self::BadToken => f.write_str("the token is empty or holds characters that no token has"),
        }
    }
}

impl std::error::Error for FeedError {}

/// What happened so far. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounters {
    /// Lines received.
    pub messages: u64,
    /// Lines and answers refused: not decoded, unknown instrument, impossible content.
    pub refused: u64,
    /// Lines that the scanner left to the tape.
    pub tape_uses: u64,
    /// Prices that only repeated the past.
    pub old: u64,
    /// Always 0: the venue numbers nothing.
    pub gaps: u64,
    /// Times the stream stood again.
    pub resyncs: u64,
    /// Streams lost or given up.
    pub disconnects: u64,
    /// Streams started after the first.
    pub reconnects: u64,
    /// Times an instrument went stale.
    pub stale: u64,
    /// REST requests that brought nothing.
    pub requests_failed: u64,
}
