//! The writer: the hot end of the journal.
//!
//! `append` copies the record into prefaulted memory and commits it with one store. It never allocates, locks,
//! reads a clock or enters the kernel, also not when it goes on to the next segment: that one was prepared by the
//! helper thread and waits in a ring. If none waits, the caller is told and nothing blocks.
//! Make the writer before pinning the thread that uses it: its helper inherits the processor set.
//! Measured by `examples/append_speed.rs`.

use crate::crc;
use crate::error::{AppendError, JournalError};
use crate::format::{
    CLOSE_PAYLOAD_BYTES, HEADER_BYTES, Header, Identity, KIND_END, Link, RECORD_HEADER_BYTES, RESERVE_BYTES,
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, padded,
};
use crate::helper::{self, Done, Helper};
use crate::live::{Board, Health, Live};
use crate::lock::Lock;
use crate::map::Pen;
use crate::mirror::{Mirror, Site};
use crate::record::{RecordKind, header_words};
use crate::recovery::{self, Recovery};
use crate::{JournalSettings, SyncPolicy, set};
use smc_core::TsNs;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

/// Prepared segments that wait for the writer.
pub(crate) const SEGMENTS_AHEAD: usize = 2;

/// Appends records. One per journal, on one thread at a time.
pub struct Writer {
    pen: Pen,
    /// Where the next record goes.
    offset: u64,
    /// Records end here; behind it is room for the end mark or a Close record.
    limit: u64,
    next_seq: u64,
    prev_crc: u32,
    /// Of the last record: what the end mark and the Close record carry, as the writer has no clock.
    last_ts: u64,
    board: Arc<Board>,
    ready: rtrb::Consumer<Arc<Live>>,
    /// Bytes committed to segments the writer has left.
    left_total: u64,
    helper: Option<JoinHandle<Done>>,
    mirror: Option<Mirror>,
    sync: SyncPolicy,
    /// Held for the writer's life.
    _lock: Lock,
}

/// Where a writer begins.
pub(crate) struct Start {
    pub number: u32,
    pub link: Link,
    /// Greatest time of all records before.
    pub ts_max: u64,
}

impl Writer {
    /// Begins a new journal. Refuses a directory that holds one.
    pub fn create(settings: &JournalSettings, header: &Header) -> Result<Self, JournalError> {
        let settings = checked(settings, header)?;
        let dir = &settings.dir;
        fs::create_dir_all(dir).map_err(JournalError::io("create", dir))?;
        let lock = Lock::take(dir)?;
        if !set::numbers(dir)?.is_empty() {
            return Err(JournalError::NotEmpty { dir: dir.clone() });
        }
        let site = Site::open(&settings)?;
        site.as_ref().map_or(Ok(()), Site::check_empty)?;
        let link = Link { first_seq: 1, prev_used: 0, prev_crc: 0, is_run_start: true, prev_chain: [0; 32] };
        let start = Start { number: 1, link, ts_max: 0 };
        Self::start(&settings, header, lock, &start)?.with_mirror(site, &settings, &start)
    }

    /// Continues a journal after a crash or a clean close, in a new segment. Refuses one that is damaged, of
    /// another account, environment or instrument table, of an unknown version, or being written.
    pub fn resume(settings: &JournalSettings, header: &Header) -> Result<(Self, Recovery), JournalError> {
        let settings = checked(settings, header)?;
        let lock = Lock::take(&settings.dir)?;
        let site = Site::open(&settings)?;
        let (start, recovery) = recovery::recover(&settings.dir, header, &lock.before)?;
        site.as_ref().map_or(Ok(()), |site| site.catch_up(&settings.dir, &start))?;
        let writer = Self::start(&settings, header, lock, &start)?;
        recovery::remove_spares(&settings.dir, start.number)?;
        let writer = writer.with_helper(&settings, header, &start)?;
        Ok((writer.with_mirror(site, &settings, &start)?, recovery))
    }

    /// The number the next record will get.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Appends one record and returns its number. Once this returns the record survives the process.
    /// On error nothing was written; [`AppendError::NoSegment`] may pass, and the call may be repeated.
    #[inline]
    pub fn append(&mut self, kind: RecordKind, ts: TsNs, payload: &[u8]) -> Result<u64, AppendError> {
        if matches!(kind, RecordKind::Close | RecordKind::Unknown) {
            return Err(AppendError::ReservedKind);
        }
        self.append_checked(kind.code(), 0, ts, payload)
    }

    /// Appends a record as another writer wrote it: also of a kind, or with flags, that this version does not
    /// know. For bringing a journal back from an export; all else is as with [`Writer::append`].
    pub fn append_coded(
        &mut self,
        kind_code: u16,
        flags: u16,
        ts: TsNs,
        payload: &[u8],
    ) -> Result<u64, AppendError> {
        if kind_code == RecordKind::Close.code() || kind_code == KIND_END {
            return Err(AppendError::ReservedKind);
        }
        self.append_checked(kind_code, flags, ts, payload)
    }

    /// How the helper thread fares. One load; meant to be read once a turn.
    #[inline]
    pub fn health(&self) -> Health {
        self.board.health()
    }

    /// Bytes committed and not yet known to survive a power cut. The runtime's limit on this is what turns a
    /// slow disk into CANCEL_ONLY. Grows without end under [`SyncPolicy::Off`].
    pub fn unsynced_bytes(&self) -> u64 {
        let committed = self.left_total + (self.offset - HEADER_BYTES);
        committed.saturating_sub(self.synced_bytes())
    }

    /// Bytes known to survive a power cut; stands still while the disk does.
    pub fn synced_bytes(&self) -> u64 {
        self.board.synced_total.load(Ordering::Relaxed)
    }

    /// A prepared segment waits: appends of less than a segment's length cannot fail for want of one.
    pub fn has_segment_ahead(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Bytes committed that the mirror's disk does not keep yet. Means nothing without a mirror; grows without end when it
    /// has failed.
    pub fn unmirrored_bytes(&self) -> u64 {
        let committed = self.left_total + (self.offset - HEADER_BYTES);
        committed.saturating_sub(self.board.mirrored_total.load(Ordering::Relaxed))
    }

    /// Number of the segment being written.
    pub fn segment(&self) -> u32 {
        self.pen.live().number
    }

    /// Offset in the segment at which the next record goes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Ends the journal cleanly: a Close record with the chain hash, everything synced, spares removed.
    pub fn close(mut self) -> Result<(), JournalError> {
        let done = self.stop_helper();
        let health = self.health();
        let (Some(done), true) = (done, health.is_ok() || health.prepare_failed() && !health.is_cut()) else {
            return Err(JournalError::Unhealthy(health));
        };
        let mut payload = [0; CLOSE_PAYLOAD_BYTES];
        payload[..32].copy_from_slice(done.chain.as_bytes());
        payload[32..].copy_from_slice(&(self.next_seq - 1).to_le_bytes());
        self.write(RecordKind::Close.code(), 0, self.last_ts, &payload);
        self.next_seq += 1;
        let live = self.pen.live();
        if self.sync != SyncPolicy::Off {
            helper::sync_whole(live, self.offset).map_err(JournalError::io("sync", &live.path))?;
        }
        // Waits until the mirror has the Close record too.
        self.mirror = None;
        if health.sync_failed() { Err(JournalError::Unhealthy(health)) } else { Ok(()) }
    }

    #[cfg(test)]
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Begins writing in a new segment, without helper yet when spares of an earlier run must go first.
    fn start(
        settings: &JournalSettings,
        header: &Header,
        mut lock: Lock,
        start: &Start,
    ) -> Result<Self, JournalError> {
        let identity =
            Identity { number: start.number, segment_bytes: settings.segment_bytes, header: header.clone() };
        let is_durable = settings.sync != SyncPolicy::Off;
        let live = Arc::new(helper::prepare(&settings.dir, &identity, Some(&start.link), is_durable)?);
        lock.write_owner(&settings.dir, start.number)?;
        live.marks.first_seq.store(start.link.first_seq, Ordering::Relaxed);
        live.marks.committed.store(HEADER_BYTES, Ordering::Release);
        let (_, ready) = rtrb::RingBuffer::new(1);
        let writer = Self {
            pen: Pen::new(live),
            offset: HEADER_BYTES,
            limit: settings.segment_bytes - RESERVE_BYTES,
            next_seq: start.link.first_seq,
            prev_crc: start.link.prev_crc,
            last_ts: 0,
            board: Arc::default(),
            ready,
            left_total: 0,
            helper: None,
            mirror: None,
            sync: settings.sync,
            _lock: lock,
        };
        if start.number == 1 { writer.with_helper(settings, header, start) } else { Ok(writer) }
    }

    /// Starts the helper thread and waits for its first prepared segment or its first refusal.
    fn with_helper(
        mut self,
        settings: &JournalSettings,
        header: &Header,
        start: &Start,
    ) -> Result<Self, JournalError> {
        let (ring, ready) = rtrb::RingBuffer::new(SEGMENTS_AHEAD);
        self.ready = ready;
        // The registers of checksum detection are read here, not on the first append.
        let _ = crc::record([0; 4], &[]);
        let helper = Helper::new(settings, header, start, self.pen.shared(), Arc::clone(&self.board), ring);
        let thread = std::thread::Builder::new()
            .name("smc-journal".into())
            .spawn(move || helper.run())
            .map_err(JournalError::io("start the helper thread of", &settings.dir))?;
        self.helper = Some(thread);
        while self.ready.is_empty() && self.health().is_ok() {
            std::thread::yield_now();
        }
        Ok(self)
    }

    /// Starts the mirror's thread, if there is to be one.
    fn with_mirror(
        mut self,
        site: Option<Site>,
        settings: &JournalSettings,
        start: &Start,
    ) -> Result<Self, JournalError> {
        let follow = |site: Site| site.follow(settings, start, Arc::clone(&self.board));
        self.mirror = site.map(follow).transpose()?;
        Ok(self)
    }

    /// Appends a record whose kind is the caller's to write.
    #[inline]
    fn append_checked(
        &mut self,
        kind_code: u16,
        flags: u16,
        ts: TsNs,
        payload: &[u8],
    ) -> Result<u64, AppendError> {
        if self.limit - self.offset < padded(RECORD_HEADER_BYTES + payload.len() as u64) {
            self.next_segment(payload.len())?;
        }
        let seq = self.next_seq;
        self.write(kind_code, flags, ts.0, payload);
        // Asked afterwards: a store behind the end of a cut file says so itself, and nothing was sent yet.
        if self.pen.is_torn() {
            return Err(self.refuse_torn());
        }
        self.next_seq = seq + 1;
        Ok(seq)
    }

    #[inline]
    fn write(&mut self, kind_code: u16, flags: u16, ts: u64, payload: &[u8]) {
        let mut words = header_words(payload.len(), self.next_seq, ts, kind_code, flags, self.prev_crc);
        let crc = crc::record(words, payload);
        words[0] |= u64::from(crc);
        self.pen.write(self.offset, words, payload);
        self.prev_crc = crc;
        self.last_ts = ts;
        self.offset += padded(RECORD_HEADER_BYTES + payload.len() as u64);
        self.pen.live().marks.committed.store(self.offset, Ordering::Release);
    }

    /// The segment's file was cut or deleted. Nothing is hashed, synced or written any more.
    #[cold]
    #[inline(never)]
    fn refuse_torn(&mut self) -> AppendError {
        self.board.raise(Health::CUT, 0);
        // Nothing fits any more: the next call ends in `next_segment`, which refuses without a store.
        self.limit = self.offset;
        AppendError::Cut
    }

    /// Goes on in the next segment, so that this one is sealed and may be taken away. Nothing happens while none is prepared,
    /// or before anything was written into this one.
    #[cold]
    pub fn rotate(&mut self) -> Result<(), AppendError> {
        if self.offset == HEADER_BYTES || !self.has_segment_ahead() {
            return Ok(());
        }
        self.next_segment(0)
    }

    /// Marks this segment's end and goes on in a prepared one.
    #[cold]
    #[inline(never)]
    fn next_segment(&mut self, payload_len: usize) -> Result<(), AppendError> {
        if self.board.is_cut() || self.pen.is_torn() {
            return Err(AppendError::Cut);
        }
        let room = self.limit - HEADER_BYTES;
        if room < padded((RECORD_HEADER_BYTES as usize).saturating_add(payload_len) as u64) {
            let max = (room - RECORD_HEADER_BYTES) as usize;
            return Err(AppendError::TooLong { len: payload_len, max });
        }
        let next = self.ready.pop().map_err(|_| AppendError::NoSegment)?;
        self.write(KIND_END, 0, self.last_ts, &[]);
        next.marks.first_seq.store(self.next_seq, Ordering::Relaxed);
        next.marks.first_prev_crc.store(self.prev_crc, Ordering::Relaxed);
        next.marks.committed.store(HEADER_BYTES, Ordering::Release);
        self.pen.live().marks.is_left.store(true, Ordering::Release);
        self.left_total += self.offset - HEADER_BYTES;
        self.offset = HEADER_BYTES;
        // The helper holds the old segment until it has seen us go: this drop only counts down.
        self.pen = Pen::new(next);
        Ok(())
    }

    /// Lets the helper finish and removes the spares. `None` if there is no helper, or it died.
    fn stop_helper(&mut self) -> Option<Done> {
        let thread = self.helper.take()?;
        self.board.is_stopping.store(true, Ordering::Release);
        thread.thread().unpark();
        let done = thread.join().ok();
        let mut spares: Vec<_> = std::iter::from_fn(|| self.ready.pop().ok()).collect();
        // The highest first: whenever we are stopped, the numbers left have no hole.
        spares.sort_by_key(|live| std::cmp::Reverse(live.number));
        for live in spares {
            let _ = fs::remove_file(&live.path);
        }
        done
    }
}

/// Without [`Writer::close`]: what was appended stays and is synced, the journal counts as not closed.
impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.stop_helper();
        // Last, as it copies what the helper wrote when it ended.
        self.mirror = None;
    }
}

fn checked(settings: &JournalSettings, header: &Header) -> Result<JournalSettings, JournalError> {
    let bytes = settings.segment_bytes;
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) {
        let problem = format!("{bytes} is not within {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}");
        return Err(JournalError::Setting { name: "segment_bytes", problem });
    }
    if let Some(name) = header.misfit() {
        return Err(JournalError::Setting { name, problem: "too long, or has a zero byte".into() });
    }
    Ok(JournalSettings { segment_bytes: bytes.next_multiple_of(4096), ..settings.clone() })
}
