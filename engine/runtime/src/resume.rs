//! How a process gets its journal: a new one, or the one a crashed process left, continued.
//!
//! Continuing runs every journaled input through a fresh core, which is then exactly where the dead process was; the
//! venue is asked about every order the core believes alive before anything new is sent. Never sends anything
//! itself; runs once, before the threads start.

use crate::config::{FileConfig, FileError};
use smc_core::TsNs;
use smc_core::codec;
use smc_core::engine::Engine;
use smc_core::event::Event;
use smc_core::outbox::Outbox;
use smc_core::strategy::Strategy;
use smc_journal::{AppendError, Header, JournalError, JournalSettings, Reader, RecordKind, Recovery, Writer};
use std::fmt;

/// Why there is no journal to write to.
#[derive(Debug)]
pub enum ResumeError {
    /// The journal itself.
    Journal(JournalError),
    /// It took no record.
    Append(AppendError),
    /// It was written under another configuration.
    OtherConfig,
    /// Its configuration record does not read.
    Config(FileError),
    /// It does not begin with a configuration.
    NoConfig,
    /// An input that this version does not read.
    Content {
        /// Which record.
        seq: u64,
        /// What is wrong.
        error: codec::CodecError,
    },
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Append(error) => write!(f, "{error}"),
            Self::OtherConfig => f.write_str(
                "was written under another configuration; start a new journal in an empty directory, or go back to the old one",
            ),
            Self::Config(error) => write!(f, "its configuration: {error}"),
            Self::NoConfig => f.write_str("does not begin with a configuration"),
            Self::Content { seq, error } => write!(f, "record {seq}: {error}"),
        }
    }
}

impl std::error::Error for ResumeError {}

/// The configuration a journal began with; none where there is no journal yet.
pub fn config_of(settings: &JournalSettings) -> Result<Option<FileConfig>, ResumeError> {
    let reader = match Reader::open(&settings.dir) {
        Ok(reader) => reader,
        Err(JournalError::Empty { .. }) => return Ok(None),
        Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(ResumeError::Journal(error)),
    };
    let first = reader.records().next();
    match first {
        Some(Ok(record)) if record.kind == RecordKind::Config => {
            let text = String::from_utf8_lossy(record.payload);
            FileConfig::parse(&text).map(Some).map_err(ResumeError::Config)
        }
        Some(Err(damage)) => Err(ResumeError::Journal(JournalError::Damage(damage))),
        _ => Err(ResumeError::NoConfig),
    }
}

/// A journal ready for the next record.
pub struct Opened {
    /// The writer.
    pub journal: Writer,
    /// What was found, when an old journal goes on.
    pub recovery: Option<Recovery>,
}

/// Begins a journal, its configuration first.
pub fn create(
    settings: &JournalSettings,
    header: &Header,
    text: &str,
    now: TsNs,
) -> Result<Opened, ResumeError> {
    let mut journal = Writer::create(settings, header).map_err(ResumeError::Journal)?;
    journal.append(RecordKind::Config, now, text.as_bytes()).map_err(ResumeError::Append)?;
    Ok(Opened { journal, recovery: None })
}

/// Continues a journal: brings `core` to where it ended, and marks the new process.
pub fn resume<S: Strategy>(
    settings: &JournalSettings,
    header: &Header,
    core: &mut Engine<S>,
) -> Result<Opened, ResumeError> {
    let (mut journal, recovery) = Writer::resume(settings, header).map_err(ResumeError::Journal)?;
    rebuild(settings, core)?;
    journal.append(RecordKind::Run, recovery.last_ts, &[]).map_err(ResumeError::Append)?;
    Ok(Opened { journal, recovery: Some(recovery) })
}

fn rebuild<S: Strategy>(settings: &JournalSettings, core: &mut Engine<S>) -> Result<(), ResumeError> {
    let reader = Reader::open(&settings.dir).map_err(ResumeError::Journal)?;
    let mut outbox = Outbox::new();
    for record in reader.records() {
        let record = record.map_err(|damage| ResumeError::Journal(JournalError::Damage(damage)))?;
        if record.kind == RecordKind::Input {
            let event: Event = codec::decode(record.payload)
                .map_err(|error| ResumeError::Content { seq: record.seq, error })?;
            core.on_event(&event, &mut outbox);
            outbox.clear();
        }
    }
    Ok(())
}
