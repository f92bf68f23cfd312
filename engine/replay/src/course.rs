//! Engine and journal side by side: inputs go through the engine, what it says is held against what it said then.

use crate::verify::{Difference, Replay, ReplayError};
use smc_core::codec::{self, Buffer};
use smc_core::engine::Engine;
use smc_core::event::Event;
use smc_core::outbox::Outbox;
use smc_core::output::{NewOrder, Output};
use smc_core::state::State;
use smc_core::strategy::Strategy;
use smc_journal::{Reader, Record, RecordKind};
use std::collections::VecDeque;

/// A replay under way.
pub(crate) struct Course<'a, S> {
    pub core: &'a mut Engine<S>,
    pub result: Replay,
    outbox: Outbox,
    buffer: Buffer,
    /// Said by the replay, not yet met in the journal.
    expected: VecDeque<Output>,
    /// Nothing but outputs so far, in a pruned journal: they answer an input that is gone, for segments begin anywhere.
    answers_pruned: bool,
    last_seq: u64,
}

impl<'a, S: Strategy + State> Course<'a, S> {
    /// Brings a fresh engine to where the journal begins: nowhere, or what its pruned records came to.
    pub fn begin(reader: &Reader, core: &'a mut Engine<S>) -> Result<Self, ReplayError> {
        if let Some(base) = reader.base() {
            core.load(&base.state).map_err(ReplayError::Base)?;
        }
        Ok(Self {
            core,
            result: Replay::default(),
            outbox: Outbox::new(),
            buffer: Buffer::default(),
            expected: VecDeque::new(),
            answers_pruned: reader.base().is_some(),
            last_seq: 0,
        })
    }

    /// Takes the next record. The first difference is kept in the result; the caller may stop there or go on.
    #[inline]
    pub fn take(&mut self, record: &Record<'_>) -> Result<(), ReplayError> {
        if record.kind == RecordKind::Run {
            // The process before died between an input and its outputs: nothing was sent for them.
            self.expected.clear();
        }
        if record.kind != RecordKind::Output {
            // Outputs stand directly behind their input: nothing that follows answers one that is gone.
            self.answers_pruned = false;
            if !self.expected.is_empty() {
                self.miss(record.seq);
            }
        }
        self.result.records += 1;
        match record.kind {
            RecordKind::Input => self.input(record)?,
            RecordKind::Output => self.output(record),
            RecordKind::Digest => self.digest(record),
            RecordKind::Close => self.result.is_closed = true,
            RecordKind::Run => self.result.runs += 1,
            RecordKind::Config | RecordKind::Snapshot | RecordKind::Source | RecordKind::Unknown => {}
        }
        self.last_seq = record.seq;
        Ok(())
    }

    /// The result, after the last record.
    pub fn end(mut self) -> Replay {
        // A process that died between an input and its outputs leaves the last outputs out: nothing was sent for
        // them. A journal that was closed has no such excuse.
        if self.result.is_closed && !self.expected.is_empty() {
            self.miss(self.last_seq);
        }
        self.result.digest = self.core.digest().to_string();
        self.result
    }

    /// What the last input caused and the journal has not shown yet.
    pub fn expected(&self) -> impl Iterator<Item = &Output> {
        self.expected.iter()
    }

    fn input(&mut self, record: &Record<'_>) -> Result<(), ReplayError> {
        let event: Event =
            codec::decode(record.payload).map_err(|error| ReplayError::Content { seq: record.seq, error })?;
        self.core.on_event(&event, &mut self.outbox);
        self.result.inputs += 1;
        if !self.outbox.is_empty() {
            self.expected.extend(self.outbox.outputs().iter().copied());
            self.outbox.clear();
        }
        Ok(())
    }

    fn output(&mut self, record: &Record<'_>) {
        if self.answers_pruned {
            self.result.of_pruned_inputs += 1;
            return;
        }
        let said = self.expected.pop_front();
        self.result.outputs += 1;
        self.result.orders += u64::from(matches!(said, Some(Output::NewOrder(_) | Output::Replace(_))));
        if said.as_ref().is_none_or(|said| self.buffer.encode(said) != record.payload) {
            let replay = said.as_ref().map_or_else(|| "no output".into(), describe);
            self.differs(record.seq, describe_bytes(record.payload), replay);
        }
    }

    fn digest(&mut self, record: &Record<'_>) {
        self.result.digests += 1;
        if record.payload != self.core.digest().to_bytes() {
            let hex: String = record.payload.iter().map(|byte| format!("{byte:02x}")).collect();
            self.differs(record.seq, format!("digest {hex}"), format!("digest {}", self.core.digest()));
        }
    }

    #[cold]
    fn miss(&mut self, seq: u64) {
        if let Some(output) = self.expected.front() {
            let replay = describe(output);
            self.differs(seq, "no further output".into(), replay);
        }
        self.expected.clear();
    }

    #[cold]
    fn differs(&mut self, seq: u64, journal: String, replay: String) {
        self.result.difference.get_or_insert(Difference { seq, journal, replay });
    }
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
