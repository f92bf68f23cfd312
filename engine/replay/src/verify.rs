//! Replay: the journal's inputs through a fresh engine, its outputs against the journal's, byte for byte.

use crate::course::Course;
use smc_core::codec;
use smc_core::engine::Engine;
use smc_core::state::{State, StateError};
use smc_core::strategy::Strategy;
use smc_journal::{Damage, Reader};

/// What a replay found.
#[derive(Debug, Default)]
pub struct Replay {
    /// Records read.
    pub records: u64,
    /// Inputs run.
    pub inputs: u64,
    /// Outputs compared.
    pub outputs: u64,
    /// Outputs at the beginning of a pruned journal whose input is gone: not compared.
    pub of_pruned_inputs: u64,
    /// Digest records compared.
    pub digests: u64,
    /// Orders among the outputs.
    pub orders: u64,
    /// Times that a killed process was continued.
    pub runs: u64,
    /// The first record that differs, if one does.
    pub difference: Option<Difference>,
    /// The engine's digest at the end, as text.
    pub digest: String,
    /// The journal ends with its close record.
    pub is_closed: bool,
}

/// Where the journal and the replay part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Sequence number of the journal's record; of the last one when the journal has none.
    pub seq: u64,
    /// What the journal says.
    pub journal: String,
    /// What the replay says.
    pub replay: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record {}: journal has {}, replay has {}", self.seq, self.journal, self.replay)
    }
}

/// Why a replay could not run to the end.
#[derive(Debug)]
pub enum ReplayError {
    /// The journal is damaged.
    Damage(Damage),
    /// A record's checksum is right and its content is not: written by another version.
    Content {
        /// Which record.
        seq: u64,
        /// What is wrong.
        error: codec::CodecError,
    },
    /// There is no such record.
    NoRecord {
        /// What was asked for.
        seq: u64,
        /// The last one there is.
        last: u64,
    },
    /// No output is about it.
    NotFound(String),
    /// An engine cannot be built from the configuration.
    Config(String),
    /// The journal was pruned, and what its older records came to does not load.
    Base(StateError),
    /// The question needs records that were pruned.
    Pruned,
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damage(damage) => write!(f, "{damage}"),
            Self::Content { seq, error } => write!(f, "record {seq}: {error}"),
            Self::NoRecord { seq, last } => write!(f, "no record {seq}: the journal has 1 to {last}"),
            Self::NotFound(what) => write!(f, "no record is about {what}"),
            Self::Config(text) => write!(f, "{text}"),
            Self::Base(error) => write!(
                f,
                "what the pruned records came to does not load under this configuration and version: {error}"
            ),
            Self::Pruned => {
                f.write_str("the journal was pruned: the records that this question needs are gone")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

/// Runs every input of the journal through `core` and compares everything it says. Stops at the first difference.
pub fn replay<S: Strategy + State>(reader: &Reader, core: &mut Engine<S>) -> Result<Replay, ReplayError> {
    replay_first(reader, core, u64::MAX)
}

/// The same over the first `records` records. Who knows how many there are, because the journal has just been found
/// sound as a whole, spares a second look at the empty rest of its last segment: some 30 ms.
pub fn replay_first<S: Strategy + State>(
    reader: &Reader,
    core: &mut Engine<S>,
    records: u64,
) -> Result<Replay, ReplayError> {
    let mut course = Course::begin(reader, core)?;
    for record in reader.records().take(usize::try_from(records).unwrap_or(usize::MAX)) {
        course.take(&record.map_err(ReplayError::Damage)?)?;
        if course.result.difference.is_some() {
            break;
        }
    }
    Ok(course.end())
}
