//! Venue market data: bytes become events.
//!
//! One module per venue; a venue's words (JSON names, error codes, sync rules) never leave its module.
//! What comes out is [`smc_core::Event`] alone. Nothing here reads a clock: time is the `now` argument of
//! the turn. Nothing here panics on input: every byte came from a network.
#![forbid(unsafe_code)]

mod backoff;
mod binance;
pub mod binance_spot;
pub mod binance_usdm;
pub mod bybit;
mod chunks;
mod ladder;
mod number;
pub mod oanda;
mod symbols;
mod text;

pub use backoff::Backoff;
