//! The memory-mapped journal: one append-only sequence of records, one writer, any number of readers.
//!
//! [`Writer`] appends on the hot thread (a copy and a commit store: no allocation, lock or system call); its
//! helper thread prepares segments ahead, syncs, and hashes. [`Reader`] iterates over a journal at rest without
//! copying, from the first record or from any number or time, [`Tail`] follows a live one, [`verify`] judges one, and
//! [`Writer::resume`] continues one after a crash. Damage is never silent: a reader returns a valid prefix and says what was
//! dropped, or refuses. A mirror ([`JournalSettings::mirror`]) is a second copy that a thread of its own keeps;
//! [`repair`](fn@repair) takes damaged segments from it, [`salvage`](fn@salvage) saves what holds where there is none.
//! `FORMAT.md` draws the bytes. This crate knows nothing about what the payloads mean.

mod crc;
mod error;
mod format;
mod helper;
mod index;
mod live;
mod lock;
mod map;
mod mirror;
mod prune;
mod reader;
mod record;
mod recovery;
mod repair;
mod salvage;
pub mod segment;
mod set;
mod sigbus;
mod snapshot;
mod tail;
mod verify;
mod writer;

pub use crc::copy_with_checksum;
pub use error::{AppendError, Damage, JournalError, Reason};
pub use format::{Header, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, VERSION};
pub use live::Health;
pub use map::preallocate;
pub use mirror::MirrorFault;
pub use prune::{Kept, PrunePlan, Retention, plan_prune, prune};
pub use reader::{Ending, Reader, Records, SegmentHead};
pub use record::{Record, RecordKind};
pub use recovery::Recovery;
pub use repair::{RepairError, Repaired, Replaced, repair};
pub use salvage::{Salvaged, salvage};
pub use sigbus::MapWatch;
pub use snapshot::{Place, Snapshot, read_snapshot, remove_snapshot, snapshots, write_snapshot};
pub use tail::Tail;
pub use verify::{SegmentInfo, Verdict, verify};
pub use writer::Writer;

use std::path::PathBuf;
use std::time::Duration;

/// Where and how a journal is written.
#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// The directory; made if absent. One journal per directory.
    pub dir: PathBuf,
    /// Length of each segment, rounded up to whole pages. 64 MiB is a good value.
    pub segment_bytes: u64,
    /// When the helper thread asks the disk to keep what was committed.
    pub sync: SyncPolicy,
    /// A directory, best on another disk, in which a thread of its own keeps a copy: itself a journal. Synced each window
    /// also where the journal is not (then each 10 ms).
    pub mirror: Option<PathBuf>,
}

/// When committed records are made to survive a power cut. They survive the process in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// The operating system decides.
    Off,
    /// Whole pages as the writer leaves them, and the page being written once its oldest unsynced record is
    /// half this old: at most about this much is lost, plus what one sync takes.
    Every(Duration),
}

impl JournalSettings {
    /// 64 MiB segments, synced every 10 ms, no mirror.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let sync = SyncPolicy::Every(Duration::from_millis(10));
        Self { dir: dir.into(), segment_bytes: 64 << 20, sync, mirror: None }
    }
}
