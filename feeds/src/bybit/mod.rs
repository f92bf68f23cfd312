//! Bybit v5 market data, spot and linear: JSON topics to events.
//!
//! ```text
//!  session ─► decode ─► market ─► events          session    one connection, its requests and pings
//!             │  scanner     │                    decode     scanner first, tape for the rest
//!             └─ tape        └─ sync ─ ladder     market     pure: what becomes an event, feed states
//!                                                 sync       pure: the venue's book rule
//! ```
//!
//! `feed` joins them and is what a thread turns. `describe`, `spec` and `history` are the cold side: tools and start-up.

mod decode;
mod describe;
mod feed;
mod history;
mod market;
mod message;
mod scanner;
mod session;
mod settings;
mod spec;
mod subscribe;
mod sync;
mod tape;

pub use decode::{Decoder, LEVELS_MAX, decode};
pub use describe::{Describer, describe};
pub use feed::BybitFeed;
pub use history::{
    CANDLES_MAX, HistoryError, TIME_PATH, candle_interval, candles, candles_path, server_time,
};
pub use market::{Again, Funding, Lane, Market, Notes};
pub use message::{DecodeError, Decoded, TradeRow};
pub use settings::{
    Category, FeedCounters, FeedError, FeedSettings, KLINES_MAX, Silence, Streams, TOPIC_CHARS_MAX,
    TOPICS_PER_REQUEST,
};
pub use spec::{SpecError, instrument_spec, instruments_path};
pub use sync::{BookMessage, BookSync, Fault, Step};
