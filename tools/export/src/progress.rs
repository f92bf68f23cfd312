//! How far long work has come: one line on a terminal, nothing anywhere else.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Records between two looks at the clock.
const LOOK_EVERY: u64 = 65_536;
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Tells how many records are done.
pub struct Progress {
    verb: &'static str,
    /// When it was told last; `None` if nobody looks.
    told: Option<Instant>,
    has_told: bool,
}

impl Progress {
    /// On a terminal, `verb` and the count; otherwise nothing.
    pub fn new(verb: &'static str) -> Self {
        Self { verb, told: stderr().is_terminal().then(Instant::now), has_told: false }
    }

    /// Never tells anything.
    pub fn silent() -> Self {
        Self { verb: "", told: None, has_told: false }
    }

    /// `records` are done.
    pub fn on_record(&mut self, records: u64) {
        if records.is_multiple_of(LOOK_EVERY)
            && let Some(told) = &mut self.told
            && told.elapsed() >= TELL_EVERY
        {
            *told = Instant::now();
            self.has_told = true;
            let _ = write!(stderr(), "\r{} {records} records", self.verb);
        }
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.has_told) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
