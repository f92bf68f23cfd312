//! Simulated venues: a real server with TLS, WebSocket and HTTP that speaks a venue's dialect.
//!
//! Accounts, filters, rate limits and price-time matching lie on a background market that comes from a
//! [`market::MarketSource`]. The exchange and the dialect do no input or output and read no clock; only
//! the server at the edge does.

// A venue's order has sixty fields, and `json!` takes a step for each piece of each.
#![recursion_limit = "256"]

pub mod credentials;
pub mod dialect;
pub mod exchange;
pub mod faults;
pub mod market;
mod server;
mod settings;

pub use dialect::oanda::{OandaFaults, OandaLimits, OandaSettings};
pub use dialect::{
    Deed, HandOrder, SeenOrder, Summary, TrueBalance, TrueBook, TrueOrder, TruePosition, TrueTrade, Truth,
};
pub use faults::{Fault, FaultPlan};
pub use server::{Peer, Sim, Taken};
pub use settings::{
    AccountSettings, Credential, LimitSettings, LockStepError, SimError, SimSettings, VenueKind,
};
