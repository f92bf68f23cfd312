//! The helper thread: everything about a journal that is slow.
//!
//! Prepares segments ahead (reserved blocks, header on disk, pages present), hashes and syncs what the writer has
//! committed, ties each segment to the one before once that is hashed, and watches that nobody cuts a file in
//! use. It never writes a record and never makes the writer wait. One turn a millisecond.
//!
//! Syncing and the page being written: a synced page is write-protected, and the next store to it faults
//! (3 to 4 us). So whole pages are synced once the writer has left them, the page being written only when its
//! oldest unsynced record has waited half the window, and then the helper takes the fault itself by making the
//! page writable again at once. What remains is the writer storing within those few microseconds.

use crate::error::JournalError;
use crate::format::{HEADER_BYTES, Header, IDENTITY_BYTES, Identity, LINK_AT, Link, SYNCED_AT, synced_word};
use crate::index::{self, Index};
use crate::live::{Board, Health, Live, Marks};
use crate::map::{self, Region};
use crate::record::Source;
use crate::writer::Start;
use crate::{JournalSettings, SyncPolicy, set};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const TURN: Duration = Duration::from_millis(1);
/// How often files in use are looked at, a failed preparation is tried again, and pages ahead are made writable.
const SLOW_TURN: Duration = Duration::from_millis(50);
/// Pages ahead of the writer that are kept writable although the kernel writes dirty ones back.
const WARM_BYTES: u64 = 256 << 10;
/// Hashing waits until this much has gathered, so that the lines have left the writer's cache.
const HASH_BYTES: u64 = 256 << 10;
const PAGE: u64 = 4096;

/// The helper's end of a journal.
pub(crate) struct Helper {
    dir: PathBuf,
    /// Identity of the next segment to prepare.
    identity: Identity,
    sync: SyncPolicy,
    board: Arc<Board>,
    ring: rtrb::Producer<Arc<Live>>,
    /// In the order of their numbers: left ones, the one being written, spares.
    lives: VecDeque<Followed>,
    /// Chain hash before the first of `lives` that is not sealed.
    chain: blake3::Hash,
    /// Greatest time of all records before it.
    ts_max: u64,
    slow_at: Instant,
}

/// What the helper leaves behind when it ends.
pub(crate) struct Done {
    /// Chain hash of everything committed.
    pub chain: blake3::Hash,
}

struct Followed {
    live: Arc<Live>,
    /// `None` until the segment before is sealed.
    hasher: Option<blake3::Hasher>,
    /// Made with the hasher, of what is hashed.
    index: Option<Index>,
    hashed: u64,
    synced: u64,
    /// Since when the page being written has had something unsynced.
    waiting_since: Option<Instant>,
    is_sealed: bool,
}

impl Helper {
    pub fn new(
        settings: &JournalSettings,
        header: &Header,
        start: &Start,
        live: Arc<Live>,
        board: Arc<Board>,
        ring: rtrb::Producer<Arc<Live>>,
    ) -> Self {
        let identity = Identity {
            number: start.number + 1,
            segment_bytes: settings.segment_bytes,
            header: header.clone(),
        };
        Self {
            dir: settings.dir.clone(),
            identity,
            sync: settings.sync,
            board,
            ring,
            lives: VecDeque::from([Followed::new(live)]),
            chain: blake3::Hash::from_bytes(start.link.prev_chain),
            ts_max: start.ts_max,
            slow_at: Instant::now(),
        }
    }

    /// Runs until told to stop; then everything committed is hashed and, if so set, synced.
    pub fn run(mut self) -> Done {
        let _gone = Gone(Arc::clone(&self.board));
        loop {
            let is_stopping = self.board.is_stopping.load(Ordering::Acquire);
            let did_much = self.turn(is_stopping);
            if is_stopping {
                return Done { chain: self.chain };
            }
            if !did_much {
                std::thread::park_timeout(TURN);
            }
        }
    }

    /// One pass; true if there may be more to do at once.
    fn turn(&mut self, is_stopping: bool) -> bool {
        let now = Instant::now();
        let is_slow_turn = now >= self.slow_at;
        if is_slow_turn {
            self.slow_at = now + SLOW_TURN;
            self.guard();
        }
        let has_failed = self.board.health().prepare_failed();
        let prepared = !is_stopping && (!has_failed || is_slow_turn) && self.prepare_next();
        let mut sealed = false;
        for index in 0..self.lives.len() {
            if self.lives.get(index).is_some_and(|followed| followed.is_sealed) {
                continue;
            }
            // Up to the one being written: what the writer enters behind our back waits for the next turn,
            // when the one before it is sealed and the chain hash known.
            if !self.follow(index, now, is_stopping, is_slow_turn) {
                break;
            }
            sealed = true;
        }
        // A sealed segment goes once the writer has let go of it: unmapping is this thread's work.
        while self.lives.front().is_some_and(|front| front.is_sealed && Arc::strong_count(&front.live) == 1) {
            self.lives.pop_front();
        }
        prepared || sealed
    }

    /// Makes one more segment if the ring has room. A failure is told and tried again on a slow turn.
    fn prepare_next(&mut self) -> bool {
        if self.ring.is_full() {
            return false;
        }
        match prepare(&self.dir, &self.identity, None, self.sync != SyncPolicy::Off) {
            Ok(live) => {
                self.board.lower(Health::PREPARE_FAILED);
                let live = Arc::new(live);
                self.identity.number += 1;
                self.lives.push_back(Followed::new(Arc::clone(&live)));
                self.ring.push(live).is_ok()
            }
            Err(error) => {
                self.board.raise(Health::PREPARE_FAILED, errno(&error));
                false
            }
        }
    }

    /// Hashes, syncs and perhaps seals one segment; true if it was sealed.
    fn follow(&mut self, index: usize, now: Instant, is_stopping: bool, is_slow_turn: bool) -> bool {
        let Some(followed) = self.lives.get_mut(index) else { return false };
        // Left before committed: if it is left, what is committed is all there will be.
        let is_left = followed.live.marks.is_left.load(Ordering::Acquire);
        let committed = followed.live.marks.committed.load(Ordering::Acquire);
        if committed == 0 || self.board.is_cut() {
            return false;
        }
        let is_last_call = is_left || is_stopping;
        if is_slow_turn && !is_left {
            let _ = followed.live.region.prefault(committed, WARM_BYTES);
        }
        if let SyncPolicy::Every(window) = self.sync
            && !self.board.health().sync_failed()
        {
            followed.sync(&self.board, committed, window, now, is_last_call);
        }
        if is_last_call || committed - followed.hashed >= HASH_BYTES {
            followed.hash(&self.chain, self.ts_max, committed);
        }
        if is_last_call && let Some(hasher) = &followed.hasher {
            // At a stop this is the current segment's hash so far, and the last one computed.
            self.chain = hasher.finalize();
        }
        if !is_left {
            return false;
        }
        followed.is_sealed = true;
        let side = followed.index.take();
        self.tie(index + 1, committed);
        if let Some(side) = side {
            self.ts_max = side.ts_max;
            side.write(&self.dir);
        }
        true
    }

    /// Writes how the segment at `index` hangs on the one before, which ends at `prev_used`.
    fn tie(&mut self, index: usize, prev_used: u64) {
        let Some(next) = self.lives.get(index) else { return };
        let link = Link {
            first_seq: next.live.marks.first_seq.load(Ordering::Relaxed),
            prev_used,
            prev_crc: next.live.marks.first_prev_crc.load(Ordering::Relaxed),
            is_run_start: false,
            prev_chain: *self.chain.as_bytes(),
        };
        if let Err(source) = write_link(&next.live.file, &link) {
            self.board.raise(Health::SYNC_FAILED, source.raw_os_error().unwrap_or(0));
        }
    }

    /// Notices a file in use that lost bytes or its name, and a disk that fills up.
    fn guard(&self) {
        match self.lives.back().map(|last| map::free_blocks(&last.live.file)) {
            Some(Ok((free, total))) if free < total / 5 => self.board.raise(Health::LOW_SPACE, 0),
            _ => self.board.lower(Health::LOW_SPACE),
        }
        for followed in &self.lives {
            let is_whole = followed
                .live
                .file
                .metadata()
                .is_ok_and(|now| now.len() == followed.live.region.len() && now.nlink() > 0);
            if !is_whole || followed.live.region.is_torn() {
                // The flag of the segment being written stops the writer at its next record.
                followed.live.region.tear();
                self.board.raise(Health::CUT, 0);
            }
        }
    }
}

impl Followed {
    fn new(live: Arc<Live>) -> Self {
        let (hasher, index) = (None, None);
        Self { live, hasher, index, hashed: HEADER_BYTES, synced: 0, waiting_since: None, is_sealed: false }
    }

    fn hash(&mut self, chain: &blake3::Hash, ts_max: u64, committed: u64) {
        let region = &self.live.region;
        let hasher = self.hasher.get_or_insert_with(|| chain_hasher(chain, region));
        hasher.update(region.bytes(self.hashed, committed - self.hashed).unwrap_or_default());
        self.hashed = committed;
        let begin = || Index::begin(self.live.number, index::identity_crc(region).unwrap_or(0), ts_max);
        self.index.get_or_insert_with(begin).extend(region, committed);
    }

    fn sync(&mut self, board: &Board, committed: u64, window: Duration, now: Instant, is_last_call: bool) {
        if committed == self.synced && !is_last_call {
            return;
        }
        let page = committed & !(PAGE - 1);
        let since = *self.waiting_since.get_or_insert(now);
        let is_due = now.duration_since(since) >= window / 2;
        if !is_due && !is_last_call {
            return;
        }
        // Due: the pages left behind; the page being written only if nothing was left behind meanwhile, that
        // is if its records themselves are that old.
        let target = if is_last_call || self.synced >= page { committed } else { page };
        let result = if is_last_call {
            sync_whole(&self.live, committed)
        } else {
            let result = self.live.region.sync(self.synced, target - self.synced);
            if target > page {
                let _ = self.live.region.prefault(page, PAGE);
            }
            result.and_then(|()| write_synced(&self.live, target))
        };
        #[cfg(test)]
        let result = if board.fail_sync.load(Ordering::Relaxed) {
            Err(io::Error::from_raw_os_error(libc::EIO))
        } else {
            result
        };
        match result {
            Ok(()) => {
                let before = self.synced.max(HEADER_BYTES);
                board.synced_total.fetch_add(target.saturating_sub(before), Ordering::Relaxed);
                self.synced = target;
                self.waiting_since = (target < committed).then_some(now);
            }
            // Pages may be marked clean though they are not on the disk: trying again would prove nothing.
            Err(source) => board.raise(Health::SYNC_FAILED, source.raw_os_error().unwrap_or(0)),
        }
    }
}

/// Makes a segment: blocks reserved, header (and link) on disk, name in place, mapped, pages present.
pub(crate) fn prepare(
    dir: &Path,
    identity: &Identity,
    link: Option<&Link>,
    is_durable: bool,
) -> Result<Live, JournalError> {
    let path = set::path(dir, identity.number);
    let draft = path.with_extension("tmp");
    let make = || -> io::Result<(File, Region)> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&draft)?;
        map::preallocate(&file, identity.segment_bytes)?;
        file.write_all_at(&identity.to_bytes(), 0)?;
        if let Some(link) = link {
            write_link(&file, link)?;
        }
        if is_durable {
            file.sync_all()?;
        }
        fs::rename(&draft, &path)?;
        if is_durable {
            File::open(dir)?.sync_all()?;
        }
        let region = Region::open_for_writing(&file)?;
        region.prefault(0, identity.segment_bytes)?;
        Ok((file, region))
    };
    let (file, region) = make().map_err(|source| {
        let _ = fs::remove_file(&draft);
        JournalError::io("prepare", &path)(source)
    })?;
    Ok(Live { number: identity.number, path, file, region, marks: Marks::default() })
}

/// Syncs header and records, and notes it in the header.
pub(crate) fn sync_whole(live: &Live, committed: u64) -> io::Result<()> {
    live.region.sync(0, committed)?;
    write_synced(live, committed)
}

/// The commit word goes last, so that a half-written link counts as none.
pub(crate) fn write_link(file: &File, link: &Link) -> io::Result<()> {
    let bytes = link.to_bytes();
    let (commit, body) = bytes.split_at(8);
    file.write_all_at(body, LINK_AT + 8)?;
    file.write_all_at(commit, LINK_AT)
}

/// The hash of a segment begins with the hash of the one before and with its own identity.
pub(crate) fn chain_hasher<S: Source + ?Sized>(chain: &blake3::Hash, segment: &S) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(chain.as_bytes());
    hasher.update(segment.bytes(0, IDENTITY_BYTES as u64).unwrap_or_default());
    hasher
}

fn write_synced(live: &Live, offset: u64) -> io::Result<()> {
    live.file.write_all_at(&synced_word(offset).to_le_bytes(), SYNCED_AT)
}

fn errno(error: &JournalError) -> i32 {
    match error {
        JournalError::Io { source, .. } => source.raw_os_error().unwrap_or(0),
        _ => 0,
    }
}

/// Tells the writer when the helper ends without having been told to.
struct Gone(Arc<Board>);

impl Drop for Gone {
    fn drop(&mut self) {
        if !self.0.is_stopping.load(Ordering::Acquire) {
            self.0.raise(Health::HELPER_GONE, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RecordKind, Writer};
    use smc_core::TsNs;

    #[test]
    fn a_failed_sync_is_told_once_and_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let settings = JournalSettings {
            segment_bytes: 4096,
            sync: SyncPolicy::Every(Duration::from_millis(1)),
            ..JournalSettings::new(dir.path())
        };
        let mut writer = Writer::create(&settings, &Header::default()).unwrap();
        writer.board().fail_sync.store(true, Ordering::Relaxed);
        writer.append(RecordKind::Input, TsNs(1), b"x").unwrap();
        while !writer.health().sync_failed() {
            std::thread::yield_now();
        }
        assert_eq!(writer.health().errno(), libc::EIO);
        writer.board().fail_sync.store(false, Ordering::Relaxed);
        // The disk is well again, but nobody knows what it has lost: nothing may count as synced any more.
        let unsynced = writer.unsynced_bytes();
        writer.append(RecordKind::Input, TsNs(1), b"y").unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert!(writer.unsynced_bytes() > unsynced);
        assert!(writer.health().to_string().starts_with("sync failed"));
        assert!(matches!(writer.close(), Err(JournalError::Unhealthy(health)) if health.sync_failed()));
        assert_eq!(crate::verify(dir.path()).unwrap().records, 2);
    }

    #[test]
    fn a_half_written_link_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { number: 1, segment_bytes: 4096, header: Header::default() };
        let live = prepare(dir.path(), &identity, None, false).unwrap();
        let link = Link { first_seq: 1, prev_used: 2, prev_crc: 3, is_run_start: false, prev_chain: [4; 32] };
        live.file.write_all_at(&link.to_bytes()[8..100], LINK_AT + 8).unwrap();
        assert_eq!(crate::segment::read_head(&live.region).unwrap().link, None);
        write_link(&live.file, &link).unwrap();
        assert_eq!(crate::segment::read_head(&live.region).unwrap().link, Some(link));
    }
}
