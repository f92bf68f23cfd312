//! Binance spot market data: JSON streams and depth snapshots to events.

mod decode;
mod describe;
mod ladder;
mod message;
mod number;
mod scanner;
mod symbols;
mod sync;
mod tape;

pub use decode::{Decoder, LEVELS_MAX, Snapshot, decode};
pub use describe::{Describer, Description, Value, describe};
pub use ladder::Ladder;
pub use message::{ControlId, DecodeError, Decoded, Levels, TimeUnit};
pub use sync::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};
