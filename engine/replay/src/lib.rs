//! A journal's inputs through the engine again: the same outputs, byte for byte, or the first that differs.
//!
//! Knows the core, its settings and the journal; no socket, thread or clock. What a live process, a backtest and a
//! person with a question share stands here.

mod rebuild;
mod shadow;
mod verify;

pub use rebuild::{RebuildError, Rebuilt, Under, rebuild};
pub use shadow::{Shadow, ShadowError, save};
pub use verify::{Difference, Replay, ReplayError, describe_bytes, replay};
