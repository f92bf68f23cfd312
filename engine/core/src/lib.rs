//! The pure engine: events in, outputs out.
//!
//! Knows nobody: no socket, file, clock, thread, log or `unsafe`, and takes memory only in constructors.
//! Everything it decides is a function of (build, configuration, event sequence), so that replaying the
//! journal gives the same bytes. The one door is [`Engine::on_event`](engine::Engine::on_event).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bars;
pub mod book;
pub mod calendar;
pub mod codec;
pub mod config;
pub mod digest;
pub mod engine;
pub mod event;
pub mod instrument;
pub mod maths;
pub mod orders;
pub mod outbox;
pub mod output;
pub mod position;
pub mod risk;
pub mod sizing;
pub mod smc;
pub mod state;
pub mod strategy;
pub mod words;

/// Version and source hash of this crate: the same text makes the same decisions. `build.rs` computes it.
pub const BUILD: &str = env!("SMC_CORE_BUILD");

/// [`BUILD`] as journals and snapshots carry it.
pub fn build_hash() -> [u8; 16] {
    let mut digest = digest::Digest::default();
    digest.fold(BUILD.as_bytes());
    digest.to_bytes()
}

pub use config::EngineConfig;
pub use engine::Engine;
pub use event::{Event, EventBody};
pub use outbox::Outbox;
pub use output::Output;
pub use words::{ClientOrderId, InstrumentId, Money, Price, Qty, Side, Timeframe, TsNs};
