//! The engine thread: numbers each input as it takes it, journals it, lets the core decide, journals the
//! decision, and only then hands orders on.
//!
//! ```text
//! event ─► seq ─► journal(input) ─► core.on_event ─► journal(outputs) ─► forward(order | cancel)
//! ```
//!
//! Never reads a clock for a decision, never blocks, never allocates after construction. If the journal cannot
//! take a record the order it would have explained is not sent, and the thread stops.

use crate::counters::{ACTS_KEPT, Counters, INSTRUMENTS_MAX, Slot};
use crate::journal_watch::JournalWatch;
use crate::latency::{Bucketed, Probe, Stretch};
use crate::topology::RunError;
use smc_core::codec::Buffer;
use smc_core::engine::Engine;
use smc_core::event::{Event, EventBody};
use smc_core::outbox::Outbox;
use smc_core::output::Output;
use smc_core::risk::VENUES_MAX;
use smc_core::strategy::Strategy;
use smc_core::{InstrumentId, TsNs};
use smc_journal::{AppendError, RecordKind, Writer};
use std::cell::Cell;

/// Records between two digest records.
pub const DIGEST_EVERY: u64 = 65_536;

/// Rounds of reconciliation are looked for so often, and asked of one venue so often.
const ROUNDS_SEEN_EVERY_NS: u64 = 100_000_000;
const ROUNDS_ASKED_EVERY_NS: u64 = 1_000_000_000;

/// A jump of the clock over more grid points than this emits one timer, not all of them.
const TIMERS_AT_ONCE_MAX: u64 = 32;

/// One output on its way to the gateway, with the moment its event was read and the moment it was decided.
#[derive(Clone, Copy, Debug)]
pub struct Outbound {
    /// An order or a cancel.
    pub output: Output,
    /// [`mono_ns`](crate::clock::mono_ns) of the turn that read the cause.
    pub read_at: u64,
    /// The same when the outputs were in the journal.
    pub decided_at: u64,
}

/// One thing for the order path to do.
#[derive(Clone, Copy, Debug)]
pub enum Errand {
    /// Send it.
    Send(Outbound),
    /// Ask this venue for everything that works and is held there.
    Round(u8),
}

/// The core, its journal and its timer grid.
pub struct EngineThread<S: Strategy> {
    core: Engine<S>,
    journal: Writer,
    outbox: Outbox,
    buffer: Buffer,
    counters: Counters,
    probe: Probe,
    timer_ns: u64,
    /// Next point of the timer grid; 0 until the first event tells the time.
    next_timer: TsNs,
    last_ts: TsNs,
    records_to_digest: u64,
    outputs_out: u64,
    acts_taken: u64,
    /// Turns that did something, by how long they took.
    turns: Bucketed,
    has_turned: Cell<bool>,
    watch: JournalWatch,
    /// When each venue was last asked for a round of reconciliation.
    rounds_asked: [TsNs; VENUES_MAX],
    /// When it was last looked whether one is wanted; none before the first look, which only begins the counting, because
    /// how often a thread is idle before its first event is chance.
    rounds_seen: Option<TsNs>,
}

impl<S: Strategy> EngineThread<S> {
    /// Takes over a journal whose configuration record is already written.
    pub fn new(core: Engine<S>, journal: Writer, counters: Counters, probe: Probe, timer_ns: u64) -> Self {
        // A core that was brought back may be held down already, and may say nothing about it for long.
        counters.set(Slot::State, core.state() as u64);
        counters.set_held(core.held());
        Self {
            core,
            journal,
            outbox: Outbox::new(),
            buffer: Buffer::default(),
            counters,
            probe,
            timer_ns: timer_ns.max(1),
            next_timer: TsNs(0),
            last_ts: TsNs(0),
            records_to_digest: DIGEST_EVERY,
            outputs_out: 0,
            acts_taken: 0,
            turns: Bucketed::default(),
            has_turned: Cell::new(false),
            watch: JournalWatch::new(None),
            rounds_asked: [TsNs(0); VENUES_MAX],
            rounds_seen: None,
        }
    }

    /// Says what a slow or full disk is to mean; without it only a journal that is lost matters.
    pub fn watched_by(mut self, watch: JournalWatch) -> Self {
        self.watch = watch;
        self
    }

    /// Takes one event, after the timers that were due before it.
    /// `forward` gets orders and cancels, each already committed in the journal with its cause.
    pub fn take(
        &mut self,
        mut event: Event,
        read_at: u64,
        forward: &mut impl FnMut(Outbound),
    ) -> Result<(), AppendError> {
        // Threads read their clocks apart from each other; the engine's time never goes back.
        event.ts_recv = event.ts_recv.max(self.last_ts);
        self.advance_to(event.ts_recv, read_at, forward)?;
        self.handle(event, read_at, forward)
    }

    /// Takes an act of a person, and says that it was taken and under which number.
    #[cold]
    pub fn take_act(
        &mut self,
        event: Event,
        read_at: u64,
        forward: &mut impl FnMut(Outbound),
    ) -> Result<(), AppendError> {
        // The timers before it first: what comes next is its own record.
        self.advance_to(event.ts_recv.max(self.last_ts), read_at, forward)?;
        let seq = self.journal.next_seq();
        self.take(event, read_at, forward)?;
        self.acts_taken += 1;
        self.counters.set_nth(Slot::ActSeq, self.acts_taken as usize % ACTS_KEPT, seq);
        // Whoever sees that it was taken also sees its number, and the state that it led to.
        self.counters.publish(Slot::ActsTaken, self.acts_taken);
        Ok(())
    }

    /// Emits the timers that are due at `now`. Called before each event and when idle: the grid depends on time
    /// alone, so both ways give the same sequence.
    pub fn advance_to(
        &mut self,
        now: TsNs,
        read_at: u64,
        forward: &mut impl FnMut(Outbound),
    ) -> Result<(), AppendError> {
        if self.next_timer.0 == 0 {
            self.next_timer = TsNs(now.0 - now.0 % self.timer_ns + self.timer_ns);
        }
        if now.since(self.next_timer) > TIMERS_AT_ONCE_MAX * self.timer_ns {
            self.next_timer = TsNs(now.0 - now.0 % self.timer_ns);
        }
        while self.next_timer <= now {
            let ts = self.next_timer;
            self.next_timer = TsNs(ts.0 + self.timer_ns);
            let timer = Event {
                seq: 0,
                ts_event: ts,
                ts_recv: ts,
                instrument: InstrumentId::NONE,
                body: EventBody::Timer,
            };
            self.handle(timer, read_at, forward)?;
        }
        Ok(())
    }

    fn handle(
        &mut self,
        mut event: Event,
        read_at: u64,
        forward: &mut impl FnMut(Outbound),
    ) -> Result<(), AppendError> {
        event.seq = self.journal.next_seq();
        self.last_ts = event.ts_recv;
        let bytes = self.buffer.encode(&event);
        self.journal.append(RecordKind::Input, event.ts_recv, bytes)?;
        self.core.answer(&event, &mut self.outbox);

        let mut has_order = false;
        for (output, bytes) in self.outbox.encoded() {
            self.journal.append(RecordKind::Output, event.ts_recv, bytes)?;
            has_order |= output.is_for_venue();
        }
        if has_order {
            self.forward_orders(read_at, forward);
        }
        // The fingerprint is for later; an order is not kept waiting for it.
        self.core.fold(&self.outbox);
        self.digest_record(1 + self.outbox.len() as u64)?;
        self.note(&event);
        self.outbox.clear();
        Ok(())
    }

    fn forward_orders(&mut self, read_at: u64, forward: &mut impl FnMut(Outbound)) {
        let decided_at = crate::clock::mono_ns();
        self.probe.note(Stretch::WireToDecision, decided_at.saturating_sub(read_at));
        for output in self.outbox.outputs() {
            if output.is_for_venue() {
                forward(Outbound { output: *output, read_at, decided_at });
            }
        }
    }

    /// Every [`DIGEST_EVERY`] records the digest goes into the journal, so that a replay finds where it differs.
    fn digest_record(&mut self, records: u64) -> Result<(), AppendError> {
        self.records_to_digest = self.records_to_digest.saturating_sub(records);
        if self.records_to_digest == 0 {
            self.records_to_digest = DIGEST_EVERY;
            self.write_digest()?;
        }
        Ok(())
    }

    fn write_digest(&mut self) -> Result<(), AppendError> {
        self.journal.append(RecordKind::Digest, self.last_ts, &self.core.digest().to_bytes())?;
        Ok(())
    }

    /// Plain stores into mapped memory: what the outside may see without asking.
    fn note(&mut self, event: &Event) {
        let (counters, counts) = (&self.counters, self.core.counters());
        counters.set(Slot::EventsIn, counts.events);
        counters.set(Slot::LastEventNs, event.ts_recv.0);
        counters.set(Slot::JournalSeq, self.journal.next_seq() - 1);
        if let EventBody::Trade(trade) = event.body
            && event.instrument.index() < INSTRUMENTS_MAX
        {
            counters.set_nth(Slot::LastPriceE8, event.instrument.index(), trade.price.0 as u64);
        }
        if self.outbox.is_empty() {
            return;
        }
        self.outputs_out += self.outbox.len() as u64;
        counters.set(Slot::OutputsOut, self.outputs_out);
        counters.set(Slot::OrdersSent, counts.orders_sent);
        counters.set(Slot::CancelsSent, counts.cancels);
        counters.set(Slot::OrdersDenied, counts.orders_denied);
        counters.set(Slot::Fills, counts.fills);
        counters.set(Slot::Signals, counts.signals);
        counters.set(Slot::Structures, counts.structures);
        counters.set(Slot::State, self.core.state() as u64);
        if self.outbox.outputs().iter().any(|output| matches!(output, Output::State(_))) {
            counters.set_held(self.core.held());
        }
        for nth in 0..self.core.config().instruments.len().min(INSTRUMENTS_MAX) {
            counters.set_nth(Slot::PositionE8, nth, self.core.position(InstrumentId(nth as u16)).0 as u64);
        }
        counters.set(Slot::RealisedE8, self.core.realised().0 as u64);
        counters.set(Slot::FeesE8, self.core.fees().0 as u64);
        counters.set(Slot::EquityE8, self.core.equity().0 as u64);
        let digest = self.core.digest().to_bytes();
        let (low, high) = digest.split_at(8);
        for (slot, half) in [(Slot::DigestA, low), (Slot::DigestB, high)] {
            let mut word = [0; 8];
            word.copy_from_slice(half);
            counters.set(slot, u64::from_le_bytes(word));
        }
    }

    /// What has become of the journal, when it is something else than before: an event to be taken like any other.
    /// Called once a turn.
    pub fn journal_event(&mut self, now: TsNs, mono_ns: u64) -> Option<Event> {
        let state = self.watch.look(&self.journal, mono_ns)?;
        let (seq, instrument) = (0, InstrumentId::NONE);
        Some(Event { seq, ts_event: now, ts_recv: now, instrument, body: EventBody::Journal(state) })
    }

    /// Tells the venues of which the core wants another round of reconciliation, each at most once a second. Called when
    /// idle.
    pub fn rounds_wanted(&mut self, now: TsNs, ask: &mut impl FnMut(u8)) {
        if now.since(*self.rounds_seen.get_or_insert(now)) < ROUNDS_SEEN_EVERY_NS {
            return;
        }
        self.rounds_seen = Some(now);
        for (venue, asked) in (0..).zip(&mut self.rounds_asked) {
            if now.since(*asked) >= ROUNDS_ASKED_EVERY_NS && self.core.wants_round_at(venue) {
                *asked = now;
                ask(venue);
            }
        }
    }

    /// The journal goes on in a new segment, if one is ready and there is anything in the present one.
    #[cold]
    pub fn rotate(&mut self) -> Result<(), AppendError> {
        self.journal.rotate()
    }

    /// The journal has a segment ready behind the one being written: whoever makes events faster than a disk can take
    /// them asks before each.
    pub fn has_segment_ahead(&self) -> bool {
        self.journal.has_segment_ahead()
    }

    /// A turn that did something took so long. A count in memory of its own: what it comes to is stored when idle.
    #[inline]
    pub fn note_turn(&mut self, nanos: u64) {
        self.turns.note(nanos);
        self.has_turned.set(true);
    }

    /// What changes without an output: open orders, the turns so far, what waits for the disk. Called when idle.
    pub fn note_idle(&self) {
        self.counters.set(Slot::OpenOrders, self.core.open_orders().count() as u64);
        self.counters.set(Slot::JournalUnsyncedNs, self.watch.waiting_ns());
        if self.has_turned.replace(false) {
            for (nth, count) in self.turns.counts.iter().enumerate() {
                self.counters.set_nth(Slot::Turns, nth, *count);
            }
            self.counters.set(Slot::TurnsNs, self.turns.sum_ns);
        }
    }

    /// The counters, for what other threads' owners tell the engine's owner to store.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The core, to look at.
    pub const fn core(&self) -> &Engine<S> {
        &self.core
    }

    /// Writes the last digest and closes the journal.
    pub fn close(mut self) -> Result<Engine<S>, RunError> {
        self.write_digest().map_err(RunError::Journal)?;
        self.journal.close().map_err(RunError::Close)?;
        Ok(self.core)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileConfig;
    use crate::counters::CountersView;
    use crate::latency::Latencies;
    use smc_core::event::{Command, RiskScope};
    use smc_core::output::{Control, TradingState};
    use smc_core::strategy::Confluence;
    use smc_journal::{Header, JournalSettings};

    /// A core that goes on under a kill says nothing about it: whoever looks at the counters must see it nevertheless.
    #[test]
    fn what_a_core_was_brought_back_with_is_published_before_it_says_anything() {
        let text = include_str!("../../../tools/smc/presets/demo.toml");
        let config = FileConfig::parse(text).unwrap().engine().unwrap();
        let mut core = Engine::new(config.clone(), Confluence::for_config(&config)).unwrap();
        let (seq, ts_event, ts_recv, instrument) = (1, TsNs(1), TsNs(1), InstrumentId::NONE);
        let body = EventBody::Operator(Command::Kill.into());
        core.on_event(&Event { seq, ts_event, ts_recv, instrument, body }, &mut Outbox::new());
        let dir = tempfile::tempdir().unwrap();
        let settings = JournalSettings::new(dir.path().join("journal"));
        let journal = Writer::create(&settings, &Header::default()).unwrap();
        let path = dir.path().join("counters");
        let counters = Counters::create(&path).unwrap();
        let _thread = EngineThread::new(core, journal, counters, Latencies::new().probe(), 1);
        let view = CountersView::open(&path).unwrap();
        assert_eq!(view.get(Slot::State), TradingState::Halt as u64);
        assert_eq!(view.held(), [(RiskScope::ENGINE, TradingState::Halt as u64, Control::Trigger as u64)]);
    }
}
