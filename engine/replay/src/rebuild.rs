//! The engine that a journal comes to: from the newest snapshot that fits, or from the first input.
//!
//! A snapshot is a short cut and never an authority. One that does not read, was made under another configuration or by
//! another build, or stands behind a record that this journal does not have, is passed over for the one before it; in
//! the end everything is run again. Only the base of a pruned journal must be right: what it stands for is gone.

use smc_core::codec::{self, CodecError};
use smc_core::config::ConfigError;
use smc_core::engine::Engine;
use smc_core::event::Event;
use smc_core::outbox::Outbox;
use smc_core::state::{State, StateError};
use smc_core::strategy::Strategy;
use smc_journal::{Damage, JournalError, Place, Reader, RecordKind, Snapshot, read_snapshot, snapshots};
use std::fmt;
use std::path::Path;

/// Under what a journal's inputs were decided, and by whom.
#[derive(Clone, Copy)]
pub struct Under<'a> {
    /// The configuration's deciding text.
    pub text: &'a str,
    /// Hash of the program; snapshots of another are passed over.
    pub build: [u8; 16],
}

/// An engine at a place of a journal.
pub struct Rebuilt<S> {
    /// The engine.
    pub core: Engine<S>,
    /// The record behind which a snapshot or base was taken up; none where the first input was the beginning.
    pub from: Option<u64>,
    /// Inputs run.
    pub inputs: u64,
    /// Number of the last record looked at.
    pub last_seq: u64,
}

/// Why a journal does not come to an engine.
#[derive(Debug)]
pub enum RebuildError {
    /// The journal.
    Journal(JournalError),
    /// The core refuses the configuration.
    Core(ConfigError),
    /// A record's checksum is right and its content is not: written by another version.
    Content {
        /// Which record.
        seq: u64,
        /// What is wrong.
        error: CodecError,
    },
    /// The state of a pruned journal's base does not load: made by another version or under another configuration.
    Base(Option<StateError>),
}

impl fmt::Display for RebuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Core(error) => write!(f, "{error}"),
            Self::Content { seq, error } => write!(f, "record {seq}: {error}"),
            Self::Base(None) => f.write_str("was pruned under another configuration"),
            Self::Base(Some(error)) => {
                write!(f, "was pruned by a version whose state this one does not read: {error}")
            }
        }
    }
}

impl std::error::Error for RebuildError {}

impl From<Damage> for RebuildError {
    fn from(damage: Damage) -> Self {
        Self::Journal(damage.into())
    }
}

/// Brings an engine to the end of the journal in `dir`, or to record `until`. `make` gives a fresh engine.
pub fn rebuild<S: Strategy + State>(
    dir: &Path,
    reader: &Reader,
    under: &Under<'_>,
    until: Option<u64>,
    make: impl Fn() -> Result<Engine<S>, ConfigError>,
) -> Result<Rebuilt<S>, RebuildError> {
    let until = until.unwrap_or(u64::MAX);
    let start = match from_snapshot(dir, reader, under, until, &make)? {
        Some(start) => start,
        None => from_beginning(reader, under, &make)?,
    };
    run_on(reader, start, until)
}

/// An engine and the place behind which it stands.
struct Start<S> {
    core: Engine<S>,
    place: Option<Place>,
}

fn from_snapshot<S: Strategy + State>(
    dir: &Path,
    reader: &Reader,
    under: &Under<'_>,
    until: u64,
    make: impl Fn() -> Result<Engine<S>, ConfigError>,
) -> Result<Option<Start<S>>, RebuildError> {
    let seqs = snapshots(dir).map_err(RebuildError::Journal)?;
    for seq in seqs.into_iter().rev().filter(|&seq| seq <= until) {
        let Ok(snapshot) = read_snapshot(dir, seq) else { continue };
        let Snapshot { place, build, config, state, .. } = snapshot;
        let fits = build == under.build && config == under.text.as_bytes() && seq >= reader.first_seq();
        if !fits || reader.records_after(&place).is_err() {
            continue;
        }
        let mut core = make().map_err(RebuildError::Core)?;
        if core.load(&state).is_ok() {
            return Ok(Some(Start { core, place: Some(place) }));
        }
    }
    Ok(None)
}

fn from_beginning<S: Strategy + State>(
    reader: &Reader,
    under: &Under<'_>,
    make: impl Fn() -> Result<Engine<S>, ConfigError>,
) -> Result<Start<S>, RebuildError> {
    let mut core = make().map_err(RebuildError::Core)?;
    let Some(base) = reader.base() else { return Ok(Start { core, place: None }) };
    if base.config != under.text.as_bytes() {
        return Err(RebuildError::Base(None));
    }
    core.load(&base.state).map_err(|error| RebuildError::Base(Some(error)))?;
    Ok(Start { core, place: Some(base.place) })
}

fn run_on<S: Strategy>(reader: &Reader, start: Start<S>, until: u64) -> Result<Rebuilt<S>, RebuildError> {
    let Start { mut core, place } = start;
    let records = match &place {
        Some(place) => reader.records_after(place)?,
        None => reader.records(),
    };
    let from = place.map(|place| place.seq);
    let (mut inputs, mut last_seq) = (0, from.unwrap_or(0));
    let mut outbox = Outbox::new();
    for record in records {
        let record = record?;
        if record.seq > until {
            break;
        }
        last_seq = record.seq;
        if record.kind == RecordKind::Input {
            let event: Event = codec::decode(record.payload)
                .map_err(|error| RebuildError::Content { seq: record.seq, error })?;
            core.on_event(&event, &mut outbox);
            outbox.clear();
            inputs += 1;
        }
    }
    Ok(Rebuilt { core, from, inputs, last_seq })
}
