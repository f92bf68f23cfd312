//! A journal's inputs through the engine again: the same outputs, byte for byte, or the first that differs.
//!
//! Knows the core, its settings and the journal; no socket, thread or clock. What a live process, a backtest and a
//! person with a question share stands here.

mod verify;

pub use verify::{Difference, Replay, ReplayError, describe_bytes, replay};
