//! Binance spot market data: JSON streams and depth snapshots to events.
//!
//! ```text
//!  session ─► decode ─► market ─► events          session    one stream connection
//!             │  scanner     │                    decode     scanner first, tape for the rest
//!             └─ tape        ├─ sync ─ ladder     market     pure: what becomes an event, feed states
//!  snapshots ────────────────┘                    sync       pure: the venue's book rule
//! ```
//!
//! `feed` joins them and is what a thread turns. `describe` and `spec` are the cold side: tools and start-up.

mod buffer;
mod decode;
mod describe;
mod feed;
mod history;
mod market;
mod message;
mod sbe;
mod scanner;
mod session;
mod settings;
mod snapshots;
mod spec;
mod subscribe;
mod sync;
mod tape;

pub use crate::ladder::Ladder;
pub use decode::{Decoder, LEVELS_MAX, Snapshot, decode};
pub use describe::{Describer, Description, Value, describe};
pub use feed::BinanceSpotFeed;
pub use history::{CANDLES_MAX, HistoryError, candle_interval, candles, candles_path};
pub use market::{Market, Notes};
pub use message::{ControlId, DecodeError, Decoded, Levels, TimeUnit};
pub use sbe::{SbeDecoder, SbeError, is_frame};
pub use settings::{
    FeedCounters, FeedError, FeedSettings, KLINES_MAX, STREAMS_MAX, Silence, Streams, TradeStream,
};
pub use spec::{SpecError, instrument_spec};
pub use sync::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};
