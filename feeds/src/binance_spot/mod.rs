//! Binance spot market data: JSON streams and depth snapshots to events.

mod decode;
mod describe;
mod feed;
mod ladder;
mod market;
mod message;
mod number;
mod scanner;
mod session;
mod settings;
mod snapshots;
mod subscribe;
mod symbols;
mod sync;
mod tape;

pub use decode::{Decoder, LEVELS_MAX, Snapshot, decode};
pub use describe::{Describer, Description, Value, describe};
pub use feed::BinanceSpotFeed;
pub use ladder::Ladder;
pub use market::{Market, Notes};
pub use message::{ControlId, DecodeError, Decoded, Levels, TimeUnit};
pub use settings::{FeedCounters, FeedError, FeedSettings, STREAMS_MAX, Silence, Streams, TradeStream};
pub use sync::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};
