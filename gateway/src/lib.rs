//! Approved orders to bytes, venue answers to events; one module per venue.
//!
//! A gateway takes nothing but [`ApprovedOrder`](smc_core::risk::ApprovedOrder)s and cancels, and says what
//! became of them in the core's words. It never decides, never sends an order twice, never guesses an outcome:
//! what it does not know it reports as unknown and asks the venue until the venue has proved it. It reads no
//! clock: time is the `now` its caller read.
// The allocation test needs an allocator of its own, and that is `unsafe`.
#![cfg_attr(not(test), forbid(unsafe_code))]

pub mod binance_spot;
pub mod binance_usdm;
pub mod bybit;
mod common;
mod digits;
mod json_line;
pub mod oanda;
mod requests;
pub mod sign;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;
