//! Pruning: old segments go, what they came to stays.
//!
//! Two steps, so that the caller can work out the state in between: [`plan_prune`] says which segments may go and at which
//! place the journal then begins; [`prune`] gets the state at that place, writes it as the base, and removes. The base
//! counts from the moment its file has its name: killed before, nothing has changed; killed after, readers begin at the
//! base and the next prune removes the rest. Works beside a live writer and readers, which hold what they have mapped.

use crate::error::{JournalError, Reason};
use crate::format::HEADER_BYTES;
use crate::record::parse;
use crate::set::{Segment, Set};
use crate::snapshot::{self, Place, Snapshot};
use smc_core::TsNs;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Newest segments with records that never go, whatever their age: the one being written and the one before it,
/// which its helper may still be hashing.
const NEWEST_KEPT: usize = 2;
const LOCK_NAME: &str = "journal.prune";

/// What is to be kept. A segment goes when either says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments all of whose records are from before this time may go.
    pub from: Option<TsNs>,
    /// The oldest go while all segments together are larger.
    pub bytes_max: Option<u64>,
}

/// What a prune would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunePlan {
    /// Segments that go, oldest first; never none.
    pub segments: Vec<u32>,
    /// Their bytes.
    pub bytes: u64,
    /// Number of the last record that goes.
    pub last_seq: u64,
    /// Where the journal begins then: what the state is wanted at.
    pub place: Place,
}

/// Why an old segment stays, though age or size would let it go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing old enough is there.
    Young,
    /// It is the newest, or the one before.
    Newest,
    /// It was not all synced; resuming the journal once does that.
    Unsynced(u32),
}

/// Which segments may go. `Ok(Err(kept))` says why none may.
pub fn plan_prune(
    dir: impl AsRef<Path>,
    retention: &Retention,
) -> Result<Result<PrunePlan, Kept>, JournalError> {
    let set = Set::open(dir.as_ref())?;
    let has_records = |segment: &&Segment| matches!(parse(&segment.region, HEADER_BYTES), Ok(Some(_)));
    let written = set.segments.iter().take_while(has_records).count();
    let mut total: u64 = set.segments.iter().map(|segment| segment.head.identity.segment_bytes).sum();
    let mut plan: Option<PrunePlan> = None;
    let mut kept = Kept::Young;
    for (index, segment) in set.segments.iter().enumerate() {
        let Some(next) = set.segments.get(index + 1) else { break };
        let is_old = retention.from.is_some_and(|from| first_ts(next).is_some_and(|ts| ts < from));
        let is_too_much = retention.bytes_max.is_some_and(|max| total > max);
        if !is_old && !is_too_much {
            break;
        }
        if index + NEWEST_KEPT >= written {
            kept = Kept::Newest;
            break;
        }
        let Some(link) = next.head.link.filter(|link| segment.head.synced >= link.prev_used) else {
            kept = Kept::Unsynced(segment.number);
            break;
        };
        let Some(place) = snapshot::place_at(&set, next.number) else { break };
        let bytes = segment.head.identity.segment_bytes;
        total -= bytes;
        let plan = plan.get_or_insert(PrunePlan { segments: Vec::new(), bytes: 0, last_seq: 0, place });
        plan.segments.push(segment.number);
        plan.bytes += bytes;
        plan.last_seq = link.first_seq.saturating_sub(1);
        plan.place = place;
    }
    Ok(plan.ok_or(kept))
}

/// Makes `base` the beginning and removes what is before it; how many segments went. The base's place must be one
/// that [`plan_prune`] gave, on this journal.
pub fn prune(dir: impl AsRef<Path>, base: &Snapshot) -> Result<u32, JournalError> {
    let dir = dir.as_ref();
    let _alone = alone(dir)?;
    let set = Set::open(dir)?;
    if snapshot::place_at(&set, base.place.segment) != Some(base.place) {
        let Place { segment, offset, seq, .. } = base.place;
        return Err(crate::Damage { segment, offset, seq, reason: Reason::Snapshot }.into());
    }
    drop(set);
    snapshot::write_base(dir, base)?;
    for seq in snapshot::snapshots(dir)?.into_iter().filter(|&seq| seq < base.place.seq) {
        snapshot::remove_snapshot(dir, seq)?;
    }
    snapshot::remove_pruned(dir, base.place.segment)
}

/// Held by the one that prunes.
struct Alone(File);

/// As of the journal's own lock: a child on its way to another program must not keep it.
impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// One prune at a time.
fn alone(dir: &Path) -> Result<Alone, JournalError> {
    let path = dir.join(LOCK_NAME);
    let file = File::create(&path).map_err(JournalError::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Alone(file)),
        Err(TryLockError::WouldBlock) => {
            Err(JournalError::Locked { dir: dir.to_owned(), owner: "another prune".into() })
        }
        Err(TryLockError::Error(source)) => Err(JournalError::io("lock", &path)(source)),
    }
}

fn first_ts(segment: &Segment) -> Option<TsNs> {
    match parse(&segment.region, HEADER_BYTES) {
        Ok(Some(record)) => Some(TsNs(record.ts)),
        _ => None,
    }
}
