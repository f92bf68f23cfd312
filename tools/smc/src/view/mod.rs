//! What a person sees while an engine runs. Reads the journal's tail, the mapped counters and the observer's picture, as any
//! other process could; never touches the engine, but for the kill that a person asks for.
//!
//! `model` folds records into a picture of the market and of our trading; `draw` paints that picture into a
//! frame; `screen` owns the terminal and the keys; `plain` is the view where there is no terminal.

mod draw;
mod model;
mod plain;
mod screen;

pub use draw::{date, fixed, moment, signed};
pub use plain::plain;
pub use screen::screen;

use smc_observe::{Picture, View};
use smc_runtime::control::{Status, StatusSource};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Where the full-screen view has its numbers from.
pub trait Source {
    /// Counters and latencies; none when the engine has ended.
    fn status(&mut self) -> io::Result<Option<Status>>;
    /// The observer's picture; none where nobody observes.
    fn picture(&mut self) -> io::Result<Option<Arc<Picture>>>;
    /// A person may kill from here.
    fn has_kill(&self) -> bool;
    /// Kills the engine; what it said to that.
    fn kill(&mut self) -> String;
}

/// The engine of this process.
pub struct Here<'a> {
    /// Counters and latencies.
    pub status: &'a StatusSource,
    /// The picture.
    pub view: Option<View>,
}

impl Source for Here<'_> {
    fn status(&mut self) -> io::Result<Option<Status>> {
        Ok(Some(self.status.status()))
    }

    fn picture(&mut self) -> io::Result<Option<Arc<Picture>>> {
        Ok(self.view.as_ref().map(View::picture))
    }

    fn has_kill(&self) -> bool {
        false
    }

    fn kill(&mut self) -> String {
        "`smc ctl kill` kills".into()
    }
}

/// What the full-screen view shows.
pub struct Screen<'a> {
    /// The journal's directory.
    pub journal: &'a Path,
    /// Numbers.
    pub source: &'a mut dyn Source,
}
