//! Oanda v20 market data: the price stream, prices and conversions by REST, candles, rules.
//!
//! ```text
//!  stream ─► decode ─► market ─► events           stream   one endless HTTP answer, a JSON object a line
//!            │  scanner   ▲                       decode   scanner first, tape for the rest
//!            └─ tape      │                       market   pure: what becomes an event, feed states, statuses
//!  REST ─► spec, pricing ─┘                       answers  rules, prices, what currencies are worth
//! ```
//!
//! `feed` joins them and is what a thread turns. `history`, `describe` and the paths are the cold side: tools and start-up.
//!
//! The venue gives at most four prices a second and instrument, without numbers: a lost one cannot be noticed. It has no
//! trades. Whether a market is open is what its prices say, never what a clock says.

mod decode;
mod describe;
mod feed;
mod fields;
mod history;
mod market;
mod message;
mod pricing;
mod scanner;
mod settings;
mod spec;

pub use decode::Decoder;
pub use describe::Describer;
pub use feed::OandaFeed;
pub use history::{CANDLES_MAX, HistoryError, PriceSide, candle_interval, candles, candles_path};
pub use market::Market;
pub use message::{DecodeError, Decoded, Tick};
pub use pricing::{Pricing, pricing, pricing_path, server_time};
pub use settings::{FeedCounters, FeedError, FeedSettings, Silence};
pub use spec::{SpecError, instrument_spec, instruments_path};
