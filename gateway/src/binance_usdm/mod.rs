//! Binance USD-M futures: orders over the WebSocket API (`/ws-fapi/v1`), events over the private stream, everything else
//! over REST.
//!
//! ```text
//! place, cancel ─► session ─► encode ─► wire, REST      gateway   joins session, sockets and REST client, reconnects
//!                   │  ▲                                session   what to send next (pure)
//!                   │  └─ orders, budget                answers, reports   what the venue's words mean (pure)
//! events ◄── answers, reports ◄── message ◄── wire      message   bytes to words (pure)
//! ```
//!
//! Promises: an order is sent once and never again under any id; its outcome is reported as the venue proved it, and as
//! unknown until then; a fill is handed on once per trade; cancels pass when nothing else may.
//!
//! Known limits: the account must be in one-way mode. Orders are not modified, because the venue's way of doing it is not
//! what the engine calls a replacement. The venue has no question about a key's rights; what it refuses tells.

mod answers;
mod budget;
#[cfg(test)]
mod corpus_tests;
mod encode;
pub mod errors;
mod gateway;
mod message;
mod orders;
mod params;
mod reports;
#[cfg(test)]
mod request_tests;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
#[cfg(test)]
mod wire_tests;

#[cfg(feature = "bench")]
pub use encode::encoding;
pub use gateway::BinanceUsdmGateway;
pub use message::{Refusal, Scratch, describe};
pub use settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
