//! Files of history and a configuration, made ready for a backtest.
//!
//! `smc backtest`, `smc optimize` and `smc validate` begin here, so that all of them mean the same by the same files.
//!
//! | module | does |
//! |---|---|
//! | [`data`] | files and journals into a market |
//! | [`venue`] | `[backtest]` into the exchange's settings |
//! | [`study`] | both together; a run of it |
//! | [`log`] | a run into a journal |
//! | [`flags`] | words of command lines |
#![forbid(unsafe_code)]

pub mod data;
pub mod flags;
pub mod log;
pub mod study;
pub mod venue;

pub use data::{DataError, Loaded, Refused, Source};
pub use log::JournalLog;
pub use study::{Study, StudyError};
