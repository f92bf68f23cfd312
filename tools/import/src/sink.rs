//! Events into the journal, and where an interrupted import goes on.
//!
//! The journal itself says how far it is: a source record begins a file and another ends it, and every input between
//! belongs to it. Whoever goes on parses the file from its start and drops as many events as are there already; what a
//! row becomes depends on the rows before it alone, so the result is the one of an uninterrupted import.

use serde::{Deserialize, Serialize};
use smc_core::TsNs;
use smc_core::codec::Buffer;
use smc_core::event::Event;
use smc_core::words::InstrumentId;
use smc_journal::{
    AppendError, Damage, Header, Health, JournalError, JournalSettings, Reader, RecordKind, SyncPolicy,
    Writer,
};
use std::fmt;
use std::path::Path;

use crate::rows::Draft;

/// What a source record says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Source {
    /// The inputs that follow come from this file.
    Begin(File),
    /// Those were all of it.
    End {
        /// Of which file: its hash.
        blake3: String,
        /// Rows read.
        rows: u64,
        /// Rows that became events.
        taken: u64,
        /// Rows left out on purpose.
        skipped: u64,
        /// Rows refused.
        refused: u64,
    },
}

/// A file that was imported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct File {
    /// Without directories.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of it as it is on the disk.
    pub blake3: String,
    /// Its format.
    pub format: String,
    /// The instrument.
    pub symbol: String,
    /// Version of the importer.
    pub importer: String,
}

/// Why the journal does not take what it should.
#[derive(Debug)]
pub enum SinkError {
    /// The journal.
    Journal(JournalError),
    /// A record was not taken.
    Append(AppendError, Health),
    /// It was not made by an import.
    NotAnImport,
    /// A source record that does not read.
    Source(u64),
    /// It was made under another configuration, or with one where none is given now.
    OtherConfig,
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Append(error, health) => write!(f, "{error} ({health})"),
            Self::NotAnImport => {
                f.write_str("holds a journal that no import made; choose an empty directory")
            }
            Self::Source(seq) => write!(f, "record {seq} does not read as a note about a file"),
            Self::OtherConfig => f.write_str("was begun with another configuration"),
        }
    }
}

impl std::error::Error for SinkError {}

impl From<Damage> for SinkError {
    fn from(damage: Damage) -> Self {
        Self::Journal(damage.into())
    }
}

/// What a journal holds of earlier imports.
#[derive(Default)]
pub struct Past {
    /// Files that are whole.
    pub finished: Vec<File>,
    /// One that is not, and how many of its events are there.
    pub unfinished: Option<(File, u64)>,
    /// Time of the last input.
    pub last_ts: TsNs,
}

/// The writing end.
pub struct Sink {
    writer: Writer,
    buffer: Buffer,
    last_ts: TsNs,
}

/// Environment of journals that imports make.
pub const ENVIRONMENT: &str = "import";

impl Sink {
    /// Begins a journal, or goes on with one that an import made. `config` is the deciding text to be kept in it.
    pub fn open(
        dir: &Path,
        segment_bytes: u64,
        header: &Header,
        config: Option<&str>,
    ) -> Result<(Self, Past), SinkError> {
        let settings = JournalSettings {
            segment_bytes,
            sync: SyncPolicy::Every(std::time::Duration::from_millis(200)),
            ..JournalSettings::new(dir)
        };
        let past = match past(dir, config)? {
            None => {
                let writer = Writer::create(&settings, header).map_err(SinkError::Journal)?;
                let mut sink = Self { writer, buffer: Buffer::default(), last_ts: TsNs(0) };
                if let Some(text) = config {
                    sink.append(RecordKind::Config, TsNs(0), text.as_bytes())?;
                }
                return Ok((sink, Past::default()));
            }
            Some(past) => past,
        };
        let (writer, _) = Writer::resume(&settings, header).map_err(SinkError::Journal)?;
        Ok((Self { writer, buffer: Buffer::default(), last_ts: past.last_ts }, past))
    }

    /// Notes where inputs come from, or that they are all there.
    pub fn note(&mut self, source: &Source) -> Result<(), SinkError> {
        // Text and numbers: this cannot fail, and an empty note would be refused when it is read.
        let text = toml::to_string(source).unwrap_or_default();
        self.append(RecordKind::Source, self.last_ts, text.as_bytes())
    }

    /// Appends an input. Its receive time never lies before the last one's; the venue's own stamp stays.
    pub fn input(&mut self, instrument: InstrumentId, draft: &Draft) -> Result<(), SinkError> {
        self.last_ts = self.last_ts.max(draft.ts_recv);
        let event = Event {
            seq: self.writer.next_seq(),
            ts_event: draft.ts_event,
            ts_recv: self.last_ts,
            instrument,
            body: draft.body,
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let appended = self.append(RecordKind::Input, self.last_ts, buffer.encode(&event));
        self.buffer = buffer;
        appended
    }

    /// Takes note of an event that is in the journal already.
    pub fn pass(&mut self, draft: &Draft) {
        self.last_ts = self.last_ts.max(draft.ts_recv);
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.writer.next_seq() - 1
    }

    /// Ends the journal in order.
    pub fn close(self) -> Result<(), SinkError> {
        self.writer.close().map_err(SinkError::Journal)
    }

    /// Parsing is faster than a disk can give room: a segment that is not ready yet is waited for.
    fn append(&mut self, kind: RecordKind, ts: TsNs, payload: &[u8]) -> Result<(), SinkError> {
        loop {
            match self.writer.append(kind, ts, payload) {
                Ok(_) => return Ok(()),
                Err(AppendError::NoSegment) if self.writer.health().is_ok() => {
                    std::thread::sleep(std::time::Duration::from_micros(100));
                }
                Err(error) => return Err(SinkError::Append(error, self.writer.health())),
            }
        }
    }
}

/// What an earlier import left; none where no journal is.
fn past(dir: &Path, config: Option<&str>) -> Result<Option<Past>, SinkError> {
    let reader = match Reader::open(dir) {
        Ok(reader) => reader,
        Err(JournalError::Empty { .. }) => return Ok(None),
        Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(SinkError::Journal(error)),
    };
    if reader.header().environment != ENVIRONMENT {
        return Err(SinkError::NotAnImport);
    }
    let mut past = Past::default();
    let mut found_config = None;
    for record in reader.records() {
        let record = record?;
        match record.kind {
            RecordKind::Config => found_config = Some(record.payload),
            RecordKind::Source => {
                let text = std::str::from_utf8(record.payload).map_err(|_| SinkError::Source(record.seq))?;
                match toml::from_str(text).map_err(|_| SinkError::Source(record.seq))? {
                    Source::Begin(file) => past.unfinished = Some((file, 0)),
                    Source::End { .. } => past.finished.extend(past.unfinished.take().map(|(file, _)| file)),
                }
            }
            RecordKind::Input => {
                past.last_ts = past.last_ts.max(record.ts);
                if let Some((_, count)) = &mut past.unfinished {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    let is_empty = past.finished.is_empty() && past.unfinished.is_none() && found_config.is_none();
    if !is_empty && found_config != config.map(str::as_bytes) {
        return Err(SinkError::OtherConfig);
    }
    Ok(Some(past))
}
