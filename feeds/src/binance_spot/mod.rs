//! Binance spot market data: JSON or binary streams and depth snapshots to events.
//!
//! How spot spells its messages: `decode` takes the `scanner` first and the `tape` for the rest; `describe`, `history` and
//! `spec` are the cold side: tools and start-up. All else it shares with futures: see `binance`.

mod decode;
mod describe;
mod history;
mod sbe;
mod scanner;
mod spec;
mod tape;

use crate::binance::{feed, market};

pub use crate::binance::market::Notes;
pub use crate::binance::message::{
    ControlId, DecodeError, Decoded, FrameFault, LEVELS_MAX, Levels, Snapshot, TimeUnit,
};
pub use crate::binance::settings::{
    BinaryStream, FeedCounters, FeedError, FeedSettings, KLINES_MAX, STREAMS_MAX, Silence, Streams,
    TradeStream,
};
pub use crate::binance::sync::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};
pub use crate::ladder::Ladder;
pub use decode::{Decoder, decode};
pub use describe::{Describer, Description, Value, describe};
pub use history::{CANDLES_MAX, HistoryError, candle_interval, candles, candles_path};
pub use sbe::{SbeDecoder, SbeStreams, is_frame};
pub use spec::{SpecError, instrument_spec};

/// Market data of one Binance spot venue for a fixed set of instruments.
pub type BinanceSpotFeed = feed::Feed<Decoder>;
/// The same from the venue's binary streams.
pub type BinanceSpotSbeFeed = feed::Feed<SbeStreams>;
/// The pure half of [`BinanceSpotFeed`].
pub type Market = market::Market<Decoder>;
/// The pure half of [`BinanceSpotSbeFeed`].
pub type SbeMarket = market::Market<SbeStreams>;
