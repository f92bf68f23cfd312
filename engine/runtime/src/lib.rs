//! The process around the core: threads, rings, turns, control port, counters.
//!
//! Knows everyone and is known by the tools alone. The hot path is one function per topology, in [`topology`];
//! what a turn does to one event is [`engine_thread::EngineThread::take`].

pub mod account_lock;
pub mod clock;
pub mod control;
pub mod counters;
pub mod engine_thread;
pub mod idle;
pub mod journal_watch;
pub mod latency;
pub mod launch;
pub mod mapped;
pub mod operator;
pub mod progress;
pub mod resume;
pub mod topology;
pub mod triggers;
pub mod venue;
pub mod venues;
mod warm_up;
pub mod watchdog;

pub use smc_settings::file as config;
