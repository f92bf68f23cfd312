//! Binance spot market data: JSON streams and depth snapshots to events.

mod decode;
mod describe;
mod message;
mod number;
mod scanner;
mod symbols;
mod tape;

pub use decode::{Decoder, LEVELS_MAX, Snapshot, decode};
pub use describe::{Describer, Description, Value, describe};
pub use message::{ControlId, DecodeError, Decoded, Levels, TimeUnit};
