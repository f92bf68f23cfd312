//! What a person sees while an engine runs. Reads the journal's tail and the mapped counters, as any other
//! process could; never touches the engine.
//!
//! `model` folds records into a picture of the market and of our trading; `draw` paints that picture into a
//! frame; `screen` owns the terminal and the keys; `plain` is the view where there is no terminal.

mod draw;
mod model;
mod plain;
mod screen;

pub use draw::{date, fixed, signed};
pub use plain::plain;
pub use screen::screen;

use smc_runtime::control::StatusSource;
use smc_runtime::launch::Topology;
use std::path::Path;

/// What the full-screen view shows.
pub struct Screen<'a> {
    /// The journal's directory.
    pub journal: &'a Path,
    /// Counters and latencies.
    pub status: &'a StatusSource,
    /// Market seconds per second.
    pub speed: f64,
    /// How the threads are joined.
    pub topology: Topology,
}
