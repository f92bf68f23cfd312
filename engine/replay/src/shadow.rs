//! The shadow: a second engine that follows a live journal and takes snapshots of itself.
//!
//! The trading thread takes none: its state is a function of the journal, so whoever reads the journal has it too. The
//! shadow runs on a thread of its own, behind the live one by as much as it likes. At every digest record it also
//! compares: an engine whose outputs are not those of its inputs is found while it runs, not in an audit.

use crate::rebuild::Under;
use smc_core::TsNs;
use smc_core::codec::{self, CodecError};
use smc_core::digest::Digest;
use smc_core::engine::Engine;
use smc_core::event::Event;
use smc_core::outbox::Outbox;
use smc_core::output::Output;
use smc_core::state::State;
use smc_core::strategy::Strategy;
use smc_journal::{
    JournalError, Place, RecordKind, Snapshot, Tail, remove_snapshot, snapshots, write_snapshot,
};
use std::fmt;
use std::path::{Path, PathBuf};

/// Snapshots kept: the newest, and one before it in case that one is damaged.
const KEPT: usize = 2;
/// Records taken in one turn.
pub const RECORDS_PER_TURN_MAX: usize = 4_096;

/// Follows a journal.
pub struct Shadow<S> {
    dir: PathBuf,
    tail: Tail,
    core: Engine<S>,
    outbox: Outbox,
    text: String,
    build: [u8; 16],
    /// Records between two snapshots; 0 takes none.
    every: u64,
    taken_at: u64,
    is_asked: bool,
    is_closed: bool,
    last: Option<Step>,
    checked: Option<(u64, Digest)>,
}

/// A record that a shadow has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub ts: TsNs,
    /// The segment that it stands in.
    pub segment: u32,
}

/// Who looks on while a shadow follows. Changes nothing of what it sees.
pub trait Onlooker<S> {
    /// An input is about to be taken; `core` is as it was before.
    fn before(&mut self, core: &Engine<S>, step: &Step, event: &Event);
    /// It was taken, and this is what the engine said to it. The first output is the record after the input's, and so on.
    fn after(&mut self, core: &Engine<S>, step: &Step, event: &Event, said: &[Output]);
}

/// Nobody.
impl<S> Onlooker<S> for () {
    fn before(&mut self, _: &Engine<S>, _: &Step, _: &Event) {}
    fn after(&mut self, _: &Engine<S>, _: &Step, _: &Event, _: &[Output]) {}
}

/// Why a shadow ended.
#[derive(Debug)]
pub enum ShadowError {
    /// The journal cannot be followed, or a snapshot not be written.
    Journal(JournalError),
    /// An input that does not read.
    Content {
        /// Which record.
        seq: u64,
        /// What is wrong.
        error: CodecError,
    },
    /// The live engine's digest is not that of its inputs.
    Digest {
        /// At which record.
        seq: u64,
    },
}

impl fmt::Display for ShadowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Content { seq, error } => write!(f, "record {seq}: {error}"),
            Self::Digest { seq } => write!(
                f,
                "record {seq}: the digest is not that of the inputs before it; stop, and run `smc replay --verify`"
            ),
        }
    }
}

impl std::error::Error for ShadowError {}

impl<S: Strategy + State> Shadow<S> {
    /// Follows the journal in `dir` from record `next` on; `core` must be where the records before it lead. `every`: records
    /// between two snapshots, 0 takes none but those asked for.
    pub fn new(
        dir: &Path,
        next: u64,
        core: Engine<S>,
        under: &Under<'_>,
        every: u64,
    ) -> Result<Self, JournalError> {
        Ok(Self {
            dir: dir.to_owned(),
            tail: Tail::open_from(dir, next)?,
            core,
            outbox: Outbox::new(),
            text: under.text.to_owned(),
            build: under.build,
            every,
            taken_at: next.saturating_sub(1),
            is_asked: false,
            is_closed: false,
            last: None,
            checked: None,
        })
    }

    /// One bounded pass; how many records it took.
    pub fn turn(&mut self) -> Result<usize, ShadowError> {
        self.turn_seen(&mut ())
    }

    /// The same with somebody looking on.
    pub fn turn_seen(&mut self, onlooker: &mut impl Onlooker<S>) -> Result<usize, ShadowError> {
        for taken in 0..RECORDS_PER_TURN_MAX {
            let Some(record) = self.tail.poll().map_err(ShadowError::Journal)? else { return Ok(taken) };
            let (seq, ts, segment, offset) = (record.seq, record.ts, record.segment, record.offset);
            let step = Step { seq, ts, segment };
            self.last = Some(step);
            // A closed journal may be gone on with.
            self.is_closed = false;
            match record.kind {
                RecordKind::Input => {
                    let event: Event =
                        codec::decode(record.payload).map_err(|error| ShadowError::Content { seq, error })?;
                    onlooker.before(&self.core, &step, &event);
                    self.core.on_event(&event, &mut self.outbox);
                    onlooker.after(&self.core, &step, &event, self.outbox.outputs());
                    self.outbox.clear();
                    if self.is_asked {
                        self.take(seq, ts, segment, offset)?;
                    }
                }
                RecordKind::Digest => {
                    if record.payload != self.core.digest().to_bytes() {
                        return Err(ShadowError::Digest { seq });
                    }
                    self.checked = Some((seq, self.core.digest()));
                    if self.every > 0 && seq - self.taken_at >= self.every {
                        self.take(seq, ts, segment, offset)?;
                    }
                }
                RecordKind::Close => {
                    // What a clean end leaves is the best place to begin from.
                    if self.every > 0 {
                        self.take(seq, ts, segment, offset)?;
                    }
                    self.is_closed = true;
                }
                _ => {}
            }
        }
        Ok(RECORDS_PER_TURN_MAX)
    }

    /// A snapshot is to be taken behind the next input, whatever the configuration says. The state is that of the inputs, as
    /// any; that the live engine's is the same is known at the next digest record.
    pub const fn ask_snapshot(&mut self) {
        self.is_asked = true;
    }

    /// The digest record that was found right last, and what it says; none before the first.
    pub const fn checked(&self) -> Option<(u64, Digest)> {
        self.checked
    }

    /// The record taken last; none before the first.
    pub const fn last(&self) -> Option<Step> {
        self.last
    }

    /// Another journal lies where this one was opened, or none: what is followed here grows no more.
    pub fn is_replaced(&self) -> bool {
        self.tail.is_replaced()
    }

    /// The journal was closed and nobody has gone on with it.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The engine as far as it has come.
    pub const fn core(&self) -> &Engine<S> {
        &self.core
    }

    /// The same, for figures whose making needs room to reckon in.
    pub const fn core_mut(&mut self) -> &mut Engine<S> {
        &mut self.core
    }

    fn take(&mut self, seq: u64, ts: TsNs, segment: u32, offset: u64) -> Result<(), ShadowError> {
        let Some(place) = self.tail.place_of(seq, segment, offset) else { return Ok(()) };
        (self.taken_at, self.is_asked) = (seq, false);
        save(&self.dir, &mut self.core, place, ts, &Under { text: &self.text, build: self.build })
            .map_err(ShadowError::Journal)
    }
}

/// Writes a snapshot of `core`, which stands behind `place`, and removes those no longer needed.
pub fn save<S: Strategy + State>(
    dir: &Path,
    core: &mut Engine<S>,
    place: Place,
    ts: TsNs,
    under: &Under<'_>,
) -> Result<(), JournalError> {
    let mut state = Vec::new();
    core.save(&mut state);
    let (config, build) = (under.text.as_bytes().to_vec(), under.build);
    write_snapshot(dir, &Snapshot { place, ts, build, config, state })?;
    let all = snapshots(dir)?;
    let old = all.len().saturating_sub(KEPT);
    all.into_iter().take(old).try_for_each(|seq| remove_snapshot(dir, seq))
}
