//! What the state of the journal means for trading, told to the engine as an event.
//!
//! Looked at once a turn: two loads and a comparison. The rules are rows J7 to J10 of the fault table: what cannot be kept
//! must not be done. Whatever is said is an input like any other, so a replay says it again.

use smc_core::event::JournalState;
use smc_journal::Writer;

/// Follows one writer.
pub struct JournalWatch {
    limit: Option<u64>,
    told: JournalState,
    /// Bytes synced when syncing last made progress, and when that was.
    synced: u64,
    progress_at: u64,
    /// How long something had waited for the disk at the last look.
    waiting_ns: u64,
}

impl JournalWatch {
    /// `unsynced_ns_max`: how long a committed record may wait for the disk before orders stop. None where nobody
    /// syncs: then neither that nor a disk that fills up is looked at, only what makes the journal unusable.
    pub const fn new(unsynced_ns_max: Option<u64>) -> Self {
        Self { limit: unsynced_ns_max, told: JournalState::Good, synced: 0, progress_at: 0, waiting_ns: 0 }
    }

    /// The state, if it is another than was told last. `mono_ns` never goes back.
    pub fn look(&mut self, journal: &Writer, mono_ns: u64) -> Option<JournalState> {
        let synced = journal.synced_bytes();
        if synced != self.synced || journal.unsynced_bytes() == 0 || self.progress_at == 0 {
            (self.synced, self.progress_at) = (synced, mono_ns);
        }
        self.waiting_ns = mono_ns.saturating_sub(self.progress_at);
        let state = self.state(journal, mono_ns);
        // A loss is for the rest of the process: what came after it may be on the disk or not.
        let is_news = state != self.told && self.told != JournalState::Lost;
        is_news.then(|| {
            self.told = state;
            state
        })
    }

    /// How long syncing had made no progress at the last look, nanoseconds; `u64::MAX` where nobody looks at it.
    pub const fn waiting_ns(&self) -> u64 {
        if self.limit.is_some() { self.waiting_ns } else { u64::MAX }
    }

    fn state(&self, journal: &Writer, mono_ns: u64) -> JournalState {
        let health = journal.health();
        let is_late = |limit| mono_ns.saturating_sub(self.progress_at) > limit;
        if health.sync_failed() || health.is_cut() || health.helper_gone() {
            JournalState::Lost
        } else if health.prepare_failed() || self.limit.is_some_and(is_late) {
            JournalState::Behind
        } else if health.mirror_failed() || health.low_space() && self.limit.is_some() {
            JournalState::Low
        } else {
            JournalState::Good
        }
    }
}
