//! Binance USD-M futures market data: JSON streams and depth snapshots to events.
//!
//! How futures spell their messages: `decode` takes the `scanner` first and the `tape` for the rest; `describe`, `history`
//! and `spec` are the cold side: tools and start-up. All else it shares with spot: see `binance`. Two connections, because
//! the venue sends quotes and books under one path and everything else under another.

mod decode;
mod describe;
mod history;
mod scanner;
mod spec;
mod tape;

use crate::binance::{feed, market};

pub use crate::binance::describe::{Description, Value};
pub use crate::binance::market::Notes;
pub use crate::binance::message::{ControlId, DecodeError, Decoded, Snapshot};
pub use crate::binance::settings::{
    FeedCounters, FeedError, FeedSettings, KLINES_MAX, STREAMS_MAX, Silence, Streams, TradeStream,
};
pub use decode::Decoder;
pub use describe::Describer;
pub use history::{
    CANDLES_MAX, HistoryError, SERVER_TIME_PATH, candle_interval, candles, candles_path, server_time,
};
pub use spec::instrument_spec;

pub use crate::binance::rules::SpecError;

/// Market data of one Binance USD-M venue for a fixed set of instruments.
pub type BinanceUsdmFeed = feed::Feed<Decoder>;
/// The pure half of [`BinanceUsdmFeed`].
pub type Market = market::Market<Decoder>;
