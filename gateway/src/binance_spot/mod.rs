//! Binance spot: orders and account over the WebSocket API (`/ws-api/v3`): in a session with an
//! Ed25519 key, each request signed with an HMAC or RSA key.
//!
//! ```text
//! place, cancel ─► session ─► encode ─► wire          gateway   joins session and connection, reconnects
//!                   │  ▲                              session   what to send next (pure)
//!                   │  └─ requests, orders, budget    answers, reports   what the venue's words mean (pure)
//! events ◄── answers, reports ◄── decode ◄── wire     decode    scanner or tape ─► slots ─► message (pure)
//! ```
//!
//! Promises: an order is sent once and never again under any id, but for the stop of a pair that was refused for sure; its
//! outcome is reported as the venue proved it, and as unknown until then; a fill is handed on once per trade; cancels pass
//! when nothing else may.
//!
//! Known limits: an order's missed fills are fetched in one page of a thousand trades; balances are told for the
//! instruments' own assets and BNB; amendments that keep an order's place in the queue are not spoken; one of a pair is not to be
//! replaced, for the venue would cancel the other and answer with the list.

#[cfg(test)]
mod allocation_tests;
mod answers;
mod atomic;
mod budget;
#[cfg(test)]
mod chaos_tests;
#[cfg(test)]
mod corpus_tests;
pub mod decode;
mod describe;
#[cfg(test)]
mod desk;
mod encode;
pub mod errors;
mod facts;
mod form;
mod gateway;
#[cfg(test)]
mod gateway_tests;
pub mod message;
mod orders;
#[cfg(test)]
mod replace_tests;
mod reports;
#[cfg(test)]
mod request_tests;
mod rest;
#[cfg(test)]
mod rest_tests;
#[cfg(test)]
mod round_tests;
mod rounds;
mod scan;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
mod slots;
mod tape;
mod template;
mod trades;

pub use decode::{Scratch, decode};
#[cfg(feature = "bench")]
pub use encode::encoding;
pub use gateway::BinanceSpotGateway;
pub use message::{Message, Refusal};
pub use settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
