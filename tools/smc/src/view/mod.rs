//! What a person sees while an engine runs. Reads the journal's tail and the mapped counters, as any other
//! process could; never touches the engine.

mod plain;

pub use plain::plain;

use smc_runtime::control::StatusSource;
use smc_runtime::launch::Topology;
use std::io;
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

/// Shows the full-screen view until `is_over`; true when the person asked to stop.
pub fn screen(screen: &Screen<'_>, is_over: &dyn Fn() -> bool) -> io::Result<bool> {
    let _ = (screen.speed, screen.topology);
    plain(screen.journal, screen.status, is_over, &mut io::stdout());
    Ok(false)
}
