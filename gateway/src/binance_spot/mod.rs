//! Binance spot: orders and account over the WebSocket API (`/ws-api/v3`) with an Ed25519 session.

pub mod decode;
mod describe;
pub mod errors;
pub mod message;
mod scan;
pub mod sign;
mod slots;
mod tape;
#[cfg(test)]
mod testing;
