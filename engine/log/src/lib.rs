//! What a process says of itself: [`tracing`] events as lines for people or as JSON lines, on standard error or in a file.
//!
//! Callers never wait for a disk, a pipe or a terminal: an event is put into a bounded queue, or counted as lost when that is
//! full, and a thread of its own writes it. A place in the code that says too much in a second is held back, and one line says
//! how often. What came from outside cannot forge a line: control characters are written as escapes ([`inert`]).
//! Secrets are kept out by type ([`Redacted`]).
//!
//! Not for the hot path: making an event allocates and takes a short lock. There nothing is said but by branches that run once
//! (a venue is lost, a thread cannot be pinned). Spans are not recorded: nobody here opens one, which is also why
//! `tracing-subscriber` is not needed.

mod collector;
mod file;
mod line;
mod redacted;
mod writer;

pub use collector::{Collector, Handle};
pub use file::Rotation;
pub use line::inert;
pub use redacted::Redacted;
pub use tracing::Level;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Lines that may wait for the writer.
const LINES_WAITING_MAX: usize = 1_024;

/// How and where.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For people or for programs.
    pub form: Form,
    /// Nothing below this is said.
    pub level: Level,
    /// Where to.
    pub sink: Sink,
    /// Lines that one place in the code may say in a second.
    pub per_second_max: u32,
}

impl Default for Settings {
    /// For people, on standard error, from `INFO` on, 20 lines a second and place.
    fn default() -> Self {
        Self { form: Form::Human, level: Level::INFO, sink: Sink::Stderr, per_second_max: 20 }
    }
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `smc: ready; journal /var/lib/smc/journal`; in a file with time and level before it.
    Human,
    /// One JSON object a line: `ts`, `level`, `target`, `thread`, `message`, and the event's own fields under `fields`.
    Json,
}

/// Where lines go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Standard error.
    Stderr,
    /// A file that is renamed when it is full.
    File(Rotation),
}

/// Why there is no log.
#[derive(Debug)]
pub enum LogError {
    /// The file cannot be opened.
    File(PathBuf, io::Error),
    /// The writer's thread cannot be started.
    Thread(io::Error),
    /// This process has one already.
    Twice,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "log file {}: {error}", path.display()),
            Self::Thread(error) => write!(f, "the log's thread could not be started: {error}"),
            Self::Twice => f.write_str("this process has a log already"),
        }
    }
}

impl std::error::Error for LogError {}

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// Makes the log of this process; once.
pub fn init(settings: Settings) -> Result<Handle, LogError> {
    let (collector, handle) = Collector::start(settings)?;
    tracing::subscriber::set_global_default(collector).map_err(|_| LogError::Twice)?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// The log of this process, if it has one.
pub fn handle() -> Option<Handle> {
    HANDLE.get().cloned()
}
