//! How a process gets its journal: a new one, or the one a crashed process left, continued.
//!
//! Continuing brings a fresh core to exactly where the dead process was, from a snapshot or from the first input; the
//! venue is asked about every order the core believes alive before anything new is sent. Never sends anything
//! itself; runs once, before the threads start.

use crate::config::{FileConfig, FileError};
use smc_core::TsNs;
use smc_core::config::ConfigError;
use smc_core::engine::Engine;
use smc_core::state::State;
use smc_core::strategy::Strategy;
use smc_journal::{AppendError, Header, JournalError, JournalSettings, Reader, RecordKind, Recovery, Writer};
use smc_replay::{RebuildError, Under, rebuild};
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
    /// It does not lead to an engine.
    Rebuild(RebuildError),
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
            Self::Rebuild(error) => write!(f, "{error}"),
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
    // A pruned journal keeps its configuration with its base.
    let text = match (reader.base(), reader.records().next()) {
        (Some(base), _) => String::from_utf8_lossy(&base.config).into_owned(),
        (None, Some(Ok(record))) if record.kind == RecordKind::Config => {
            String::from_utf8_lossy(record.payload).into_owned()
        }
        (None, Some(Err(damage))) => return Err(ResumeError::Journal(JournalError::Damage(damage))),
        // Killed before its first record: as good as none.
        (None, None) => return Ok(None),
        (None, Some(Ok(_))) => return Err(ResumeError::NoConfig),
    };
    FileConfig::parse(&text).map(Some).map_err(ResumeError::Config)
}

/// Whether an engine of `config` may go on with the journal, if there is one; gives back what the journal began with. The order ids of
/// the configuration become the journal's: the core that is rebuilt must count its orders as the dead one did.
pub fn agree(settings: &JournalSettings, config: &mut FileConfig) -> Result<Option<FileConfig>, ResumeError> {
    let former = config_of(settings)?;
    if let Some(former) = &former {
        config.engine.order_sequence_first = former.engine.order_sequence_first;
        if former.deciding_text() != config.deciding_text() {
            return Err(ResumeError::OtherConfig);
        }
    }
    Ok(former)
}

/// A journal ready for the next record.
pub struct Opened {
    /// The writer.
    pub journal: Writer,
    /// What was found, when an old journal goes on.
    pub recovery: Option<Recovery>,
}

/// Begins a journal, its configuration first; also in a directory where a process was killed before it had written that.
pub fn create(
    settings: &JournalSettings,
    header: &Header,
    text: &str,
    now: TsNs,
) -> Result<Opened, ResumeError> {
    let is_empty = |dir| {
        Reader::open(dir).is_ok_and(|reader| reader.base().is_none() && reader.records().next().is_none())
    };
    let mut journal = match Writer::create(settings, header) {
        Err(JournalError::NotEmpty { dir }) if is_empty(&dir) => {
            Writer::resume(settings, header).map(|(writer, _)| writer)
        }
        created => created,
    }
    .map_err(ResumeError::Journal)?;
    journal.append(RecordKind::Config, now, text.as_bytes()).map_err(ResumeError::Append)?;
    Ok(Opened { journal, recovery: None })
}

/// Continues a journal: brings a core to where it ended, and marks the new process. `make` gives a fresh core.
pub fn resume<S: Strategy + State>(
    settings: &JournalSettings,
    header: &Header,
    under: &Under<'_>,
    make: impl Fn() -> Result<Engine<S>, ConfigError>,
) -> Result<(Opened, Engine<S>), ResumeError> {
    let (mut journal, recovery) = Writer::resume(settings, header).map_err(ResumeError::Journal)?;
    let reader = Reader::open(&settings.dir).map_err(ResumeError::Journal)?;
    let rebuilt = rebuild(&settings.dir, &reader, under, None, make).map_err(ResumeError::Rebuild)?;
    journal.append(RecordKind::Run, recovery.last_ts, &[]).map_err(ResumeError::Append)?;
    Ok((Opened { journal, recovery: Some(recovery) }, rebuilt.core))
}
