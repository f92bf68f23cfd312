//! Replay: the journal's inputs through a fresh engine, its outputs against the journal's, byte for byte.

use smc_core::codec::{self, Buffer};
use smc_core::engine::Engine;
use smc_core::event::Event;
use smc_core::outbox::Outbox;
use smc_core::output::{NewOrder, Output};
use smc_core::strategy::Strategy;
use smc_journal::{Damage, Reader, RecordKind};
use std::collections::VecDeque;

/// What a replay found.
#[derive(Debug, Default)]
pub struct Replay {
    /// Inputs run.
    pub inputs: u64,
    /// Outputs compared.
    pub outputs: u64,
    /// Digest records compared.
    pub digests: u64,
    /// Orders among the outputs.
    pub orders: u64,
    /// The first record that differs, if one does.
    pub difference: Option<Difference>,
    /// The engine's digest at the end, as text.
    pub digest: String,
    /// The journal ends with its close record.
    pub is_closed: bool,
}

/// Where the journal and the replay part.
#[derive(Debug, PartialEq, Eq)]
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
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damage(damage) => write!(f, "{damage}"),
            Self::Content { seq, error } => write!(f, "record {seq}: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Runs every input of the journal through `core` and compares everything it says. Stops at the first difference.
pub fn replay<S: Strategy>(reader: &Reader, core: &mut Engine<S>) -> Result<Replay, ReplayError> {
    let mut result = Replay::default();
    let mut outbox = Outbox::new();
    let mut buffer = Buffer::default();
    let mut expected: VecDeque<Output> = VecDeque::new();
    let mut last_seq = 0;
    for record in reader.records() {
        let record = record.map_err(ReplayError::Damage)?;
        if record.kind == RecordKind::Run {
            // The process before died between an input and its outputs: nothing was sent for them.
            expected.clear();
        }
        if record.kind != RecordKind::Output
            && let Some(output) = expected.front()
        {
            let replay = describe(output);
            result.difference =
                Some(Difference { seq: record.seq, journal: "no further output".into(), replay });
            break;
        }
        match record.kind {
            RecordKind::Input => {
                let event: Event = codec::decode(record.payload)
                    .map_err(|error| ReplayError::Content { seq: record.seq, error })?;
                core.on_event(&event, &mut outbox);
                expected.extend(outbox.outputs().iter().copied());
                outbox.clear();
                result.inputs += 1;
            }
            RecordKind::Output => {
                let said = expected.pop_front();
                let is_same = said.as_ref().is_some_and(|said| buffer.encode(said) == record.payload);
                result.outputs += 1;
                result.orders += u64::from(matches!(said, Some(Output::NewOrder(_))));
                if !is_same {
                    let journal = describe_bytes(record.payload);
                    let replay = said.as_ref().map_or_else(|| "no output".into(), describe);
                    result.difference = Some(Difference { seq: record.seq, journal, replay });
                    break;
                }
            }
            RecordKind::Digest => {
                result.digests += 1;
                if record.payload != core.digest().to_bytes() {
                    let journal = format!("digest {}", hex(record.payload));
                    let replay = format!("digest {}", core.digest());
                    result.difference = Some(Difference { seq: record.seq, journal, replay });
                    break;
                }
            }
            RecordKind::Close => result.is_closed = true,
            RecordKind::Config
            | RecordKind::Snapshot
            | RecordKind::Run
            | RecordKind::Source
            | RecordKind::Unknown => {}
        }
        last_seq = record.seq;
    }
    // A process that died between an input and its outputs leaves the last outputs out: nothing was sent for
    // them. A journal that was closed has no such excuse.
    if result.is_closed
        && result.difference.is_none()
        && let Some(output) = expected.front()
    {
        let difference =
            Difference { seq: last_seq, journal: "no further output".into(), replay: describe(output) };
        result.difference = Some(difference);
    }
    result.digest = core.digest().to_string();
    Ok(result)
}

fn describe(output: &Output) -> String {
    describe_bytes(Buffer::default().encode(output))
}

/// An output's bytes as a person reads them.
pub fn describe_bytes(bytes: &[u8]) -> String {
    match codec::decode::<Output<NewOrder>>(bytes) {
        Ok(output) => format!("{output:?}"),
        Err(error) => format!("{} bytes that are no output ({error})", bytes.len()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
