//! Bybit v5: orders and account of one category (spot or linear) over the trade socket, the private socket and REST.
//!
//! ```text
//! place, cancel ─► session ─► encode ─► trade socket       gateway   joins session and connections, reconnects
//!                   │  ▲  └─► rest ───► REST               session   what to send next (pure)
//!                   │  └─ orders, budget, rounds           answers, reports   what the venue's words mean (pure)
//! events ◄── answers, reports ◄── tape ◄── all three       tape      bytes to messages (pure)
//! ```
//!
//! Promises: an order is sent once and never again under any id; its outcome is reported as the venue proved it, and as
//! unknown until then; a fill is handed on once per execution; cancels pass when nothing else may.
//!
//! The core's words carry numbers where the venue has UUIDs: an order's and an execution's number is
//! [`number_of_text`](smc_core::words::number_of_text) of its name. Two executions that shared one would cost the second;
//! among a million the chance is one in 37 million, and the core tells such a loss as a position that differs.
//!
//! Known limits: an order keeps its client id when it is amended, so that the core's replacement, which is a new order,
//! cannot be said; hedge mode is refused; the fills of a delivery are seen as a position that has changed.

mod answers;
mod budget;
#[cfg(test)]
mod corpus_tests;
mod describe;
mod encode;
pub mod errors;
mod gateway;
pub mod message;
mod orders;
mod reports;
#[cfg(test)]
mod request_tests;
mod rest;
mod rounds;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
pub mod sign;
mod tape;

pub use describe::describe;
#[cfg(feature = "bench")]
pub use encode::encoding;
pub use gateway::BybitGateway;
pub use settings::{
    Category, GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, SendError,
};
pub use tape::{List, Scratch, decode};
