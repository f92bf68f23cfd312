//! Searches over parameters of the configuration file for the values that trade best, and says how far to believe them.
//!
//! A [`Space`] says which keys are varied over which values; a [`Method`] which points of it are tried. Trials run on all
//! cores, and what comes out depends on space, method and seed alone, never on how many workers there were or how often the
//! search was killed: finished trials are kept in an append-only record (`record.rs`), from which it goes on.
//!
//! Every trial is in the ledger of trials before its score is shown to anybody. What is chosen is the centre of a plateau,
//! not the highest peak.
//!
//! Reads no clock: the caller says what time it is.
#![forbid(unsafe_code)]

mod backtest;
pub mod cli;
mod config;
mod error;
mod evaluate;
mod files;
mod heat;
mod method;
mod outcome;
mod page;
mod parzen;
mod record;
mod search;
mod space;
mod spec;

pub use backtest::{Backtest, Judgement, Metric};
pub use config::{Base, Path};
pub use error::OptimizeError;
pub use evaluate::{Evaluate, Score, Subject};
pub use files::write_files;
pub use heat::{Cell, HeatMap};
pub use method::{Method, TRIALS_MAX};
pub use outcome::{Chosen, Ending, Luck, Outcome, Trial};
pub use search::{Progress, Search};
pub use space::{Parameter, Point, Space};
pub use spec::Spec;
