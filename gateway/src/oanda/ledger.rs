//! Which transactions have been taken in.
//!
//! The account numbers its transactions by one rising sequence, and the same one comes over the stream, in lists and in
//! answers, in any order. Everything up to a number has been taken; what was taken beyond it, past a hole, is kept by
//! number until a list or the stream fills the hole.
//!
//! ```text
//!   before us │ all taken                │ hole │ some taken │ heard of
//!           start                    applied_to                told
//! ```
//!
//! A process that goes on from another's journal starts where that journal proves that everything was told, and lists what
//! follows, as after a hole. Of that it may have been told a part already: trades that were counted are known by number.

use smc_core::words::TsNs;

/// Transactions from before the process that were taken in as proofs, remembered against repetition.
const PROVED_MAX: usize = 1_024;

/// The account's sequence as far as we know it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    is_known: bool,
    start: u64,
    applied_to: u64,
    /// Taken beyond `applied_to`; rising.
    above: Vec<u64>,
    /// The highest number heard of.
    told: u64,
    proved: Vec<u64>,
    /// Since when there is something we have only heard of.
    behind_since: Option<TsNs>,
    /// The process before us had told everything up to here; none where nobody knows.
    resumed: Option<u64>,
    /// The newest that the first look showed.
    looked_at: u64,
    /// Trades that the engine had counted before this process; rising.
    counted: Vec<u64>,
}

impl Ledger {
    /// Another process had told everything up to a number, and these trades, before that or beyond. Before the account is looked at.
    pub fn resume(&mut self, told_to: u64, trades: impl IntoIterator<Item = u64>) {
        if self.is_known || told_to == 0 {
            return;
        }
        self.resumed = Some(told_to);
        self.counted = trades.into_iter().collect();
        self.counted.sort_unstable();
    }

    /// The account was looked at when this was its newest. Only the first look counts: what came before it is what the account
    /// shows, but for what another process had still to tell.
    pub fn begin(&mut self, last_id: u64) {
        if !self.is_known {
            // An account that has not come so far is not the one that was told of.
            self.resumed = self.resumed.filter(|&told_to| told_to <= last_id);
            let start = self.resumed.unwrap_or(last_id);
            (self.is_known, self.start, self.applied_to) = (true, start, start);
            self.looked_at = last_id;
            self.told = self.told.max(last_id);
        }
    }

    /// Nothing is missing between what the process before us told and what we take.
    pub const fn is_seamless(&self) -> bool {
        self.is_known && self.resumed.is_some()
    }

    /// What another process had still to tell is not all told yet.
    pub const fn is_resuming(&self) -> bool {
        self.resumed.is_some() && (!self.is_known || self.applied_to < self.looked_at)
    }

    /// The engine had counted this trade before this process.
    pub fn was_counted(&self, trade_id: u64) -> bool {
        self.counted.binary_search(&trade_id).is_ok()
    }

    /// The venue does not go back to where we are: begins anew with the next look.
    pub fn forget(&mut self) {
        *self = Self { proved: std::mem::take(&mut self.proved), ..Self::default() };
    }

    /// The account was looked at.
    pub const fn is_known(&self) -> bool {
        self.is_known
    }

    /// All up to this number was taken.
    pub const fn applied_to(&self) -> u64 {
        self.applied_to
    }

    /// Everything up to here was told before us, or is what the account showed at the first look.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The newest that was taken.
    pub fn newest(&self) -> u64 {
        self.above.last().copied().unwrap_or(self.applied_to)
    }

    /// True once for each transaction since the start. Before the start is known nothing is new: the look comes first.
    pub fn take(&mut self, id: u64) -> bool {
        self.told = self.told.max(id);
        if !self.is_known || id <= self.applied_to {
            return false;
        }
        let Err(at) = self.above.binary_search(&id) else { return false };
        self.above.insert(at, id);
        self.close_up();
        true
    }

    /// True once for each transaction, also for one from before the start.
    pub fn take_proof(&mut self, id: u64) -> bool {
        if !self.is_known || id > self.start {
            return self.take(id);
        }
        if self.proved.contains(&id) {
            return false;
        }
        if self.proved.len() >= PROVED_MAX {
            self.proved.remove(0);
        }
        self.proved.push(id);
        true
    }

    /// It was taken, as a proof or otherwise.
    pub fn has(&self, id: u64) -> bool {
        let is_ours = self.start < id && id <= self.applied_to;
        is_ours || self.above.binary_search(&id).is_ok() || self.proved.contains(&id)
    }

    /// A list that is whole told everything up to here.
    pub fn listed_to(&mut self, id: u64) {
        if self.is_known && id > self.applied_to {
            self.applied_to = id;
            self.told = self.told.max(id);
            self.close_up();
        }
    }

    /// The account has a transaction of this number.
    pub fn hear(&mut self, id: u64) {
        self.told = self.told.max(id);
    }

    /// Since when something was heard of and not taken.
    pub fn behind_since(&mut self, now: TsNs) -> Option<TsNs> {
        if !self.is_known || self.told <= self.applied_to {
            self.behind_since = None;
        } else {
            self.behind_since.get_or_insert(now);
        }
        self.behind_since
    }

    fn close_up(&mut self) {
        let mut taken = 0;
        for &id in &self.above {
            if id > self.applied_to + 1 {
                break;
            }
            self.applied_to = self.applied_to.max(id);
            taken += 1;
        }
        self.above.drain(..taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transaction_is_taken_once_whatever_the_order() {
        let mut ledger = Ledger::default();
        assert!(!ledger.take(7), "nothing before the first look");
        ledger.begin(10);
        assert_eq!(
            [12, 11, 12, 14, 10, 14].map(|id| ledger.take(id)),
            [true, true, false, true, false, false]
        );
        assert_eq!((ledger.applied_to(), ledger.newest()), (12, 14));
        assert!(ledger.behind_since(TsNs(5)).is_some());
        ledger.listed_to(16);
        assert_eq!((ledger.applied_to(), ledger.newest()), (16, 16));
        assert!(ledger.behind_since(TsNs(6)).is_none());
        assert!(!ledger.take(13) && !ledger.take(16) && ledger.take(17));
    }

    #[test]
    fn a_process_that_goes_on_begins_where_the_other_had_told_everything() {
        let mut ledger = Ledger::default();
        ledger.resume(10, [9, 14, 12]);
        assert!(!ledger.take(12), "the account is looked at first");
        ledger.begin(15);
        assert_eq!((ledger.start(), ledger.applied_to(), ledger.is_seamless()), (10, 10, true));
        assert!(ledger.behind_since(TsNs(1)).is_some());
        assert!(ledger.is_resuming());
        assert!(ledger.take(12) && ledger.was_counted(12) && !ledger.was_counted(13));
        ledger.listed_to(15);
        assert!(!ledger.is_resuming());
        // Another account, or one that was made anew.
        let mut ledger = Ledger::default();
        ledger.resume(10, []);
        ledger.begin(7);
        assert_eq!((ledger.start(), ledger.is_seamless()), (7, false));
    }

    #[test]
    fn a_proof_from_before_the_start_counts_once() {
        let mut ledger = Ledger::default();
        ledger.begin(10);
        assert_eq!([4, 4, 11, 11].map(|id| ledger.take_proof(id)), [true, false, true, false]);
        assert!(ledger.has(4) && ledger.has(11) && !ledger.has(5) && !ledger.has(12));
    }
}
