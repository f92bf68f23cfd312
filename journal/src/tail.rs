//! Following a live journal from another thread or process.
//!
//! Takes no lock and tells the writer nothing: polls the commit word of the next record, and goes on to the next
//! segment at the end mark, or when a resumed writer says where it cut. A slow or dead follower costs the
//! writer nothing.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{HEADER_BYTES, Header, KIND_END};
use crate::index::Index;
use crate::record::{Record, Source};
use crate::segment::{Step, Walk};
use crate::set::{self, Segment};
use crate::snapshot::{self, Place};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks for a resumed writer's segment while nothing comes; each look is a few system calls.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A place in a journal that moves on as records come.
pub struct Tail {
    dir: PathBuf,
    current: Segment,
    /// Where to go before the next poll.
    next: Option<Segment>,
    walk: Walk,
    /// Records before this one are passed over.
    from_seq: u64,
    look_at: Instant,
}

impl Tail {
    /// Follows from the first record.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_from(dir, 1)
    }

    /// Follows from record `seq`, which may not be written yet. Finds it as [`Reader::seek`](crate::Reader::seek)
    /// does: what is passed over is not checked.
    pub fn open_from(dir: impl AsRef<Path>, seq: u64) -> Result<Self, JournalError> {
        let dir = dir.as_ref();
        let current = segment_of(dir, seq)?.ok_or_else(|| JournalError::Empty { dir: dir.to_owned() })?;
        let (first_seq, prev_crc) = current.head.link.map_or((1, 0), |link| (link.first_seq, link.prev_crc));
        let walk = indexed(dir, &current, seq)
            .unwrap_or_else(|| Walk::new(current.number, first_seq, Some(prev_crc)));
        Ok(Self { dir: dir.to_owned(), current, next: None, walk, from_seq: seq, look_at: Instant::now() })
    }

    /// The next record if it is committed. Damage stays: every later call names it again.
    pub fn poll(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        if !self.settle()? {
            return Ok(None);
        }
        let before = self.walk;
        match self.walk.step(&self.current.region) {
            Ok(Step::Record(record)) => Ok(Some(record)),
            Ok(_) => Ok(None),
            Err(damage) => {
                if self.current.region.is_torn() {
                    return Err(before.damage(Reason::Cut).into());
                }
                // Torn by a crash, and a resumed writer went on behind it?
                self.walk = before;
                self.next = resumed(&self.dir, &before)?;
                if self.next.is_some() { Ok(None) } else { Err(damage.into()) }
            }
        }
    }

    /// Where `record`, just polled, stands.
    pub fn place_of(&self, seq: u64, segment: u32, offset: u64) -> Option<Place> {
        if segment != self.current.number {
            return None;
        }
        let crc = self.current.region.word(offset)? as u32;
        let prev_chain = self.current.head.link.map_or([0; 32], |link| link.prev_chain);
        Some(Place { seq, segment, offset, crc, prev_chain })
    }

    /// Who writes it.
    pub fn header(&self) -> &Header {
        &self.current.head.identity.header
    }

    /// Number of the next record.
    pub fn next_seq(&self) -> u64 {
        self.walk.next_seq
    }

    /// The file that is followed no longer lies where it was opened: the journal was removed, or another lies in its place, and
    /// whatever comes now comes elsewhere. One system call; a path that cannot be looked at says nothing.
    pub fn is_replaced(&self) -> bool {
        match std::fs::metadata(set::path(&self.dir, self.current.number)) {
            Ok(about) => (about.dev(), about.ino()) != self.current.file,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// The last record read was a clean close.
    pub fn is_closed(&self) -> bool {
        self.walk.is_closed
    }

    /// Goes to where the next wanted record is committed; false if there is none yet.
    fn settle(&mut self) -> Result<bool, JournalError> {
        loop {
            if let Some(next) = self.next.take() {
                self.walk = Walk::new(next.number, self.walk.next_seq, self.walk.prev_crc);
                self.current = next;
            }
            if self.walk.is_ended {
                self.next = Some(self.after_end()?);
                continue;
            }
            let region = &self.current.region;
            if region.word(self.walk.offset).is_none_or(|commit| commit == 0) {
                if region.is_torn() {
                    return Err(self.walk.damage(Reason::Cut).into());
                }
                let now = Instant::now();
                if now >= self.look_at {
                    self.look_at = now + LOOK_EVERY;
                    self.next = resumed(&self.dir, &self.walk)?;
                }
                if self.next.is_none() {
                    return Ok(false);
                }
                continue;
            }
            let is_end = region.word(self.walk.offset + 24).is_some_and(|word| word as u16 == KIND_END);
            if !is_end && self.walk.next_seq >= self.from_seq {
                return Ok(true);
            }
            let before = self.walk;
            if self.walk.step(region).is_err() {
                // Let `poll` find and name it.
                self.walk = before;
                return Ok(true);
            }
        }
    }

    /// The segment behind an end mark: it was there before the mark was.
    fn after_end(&self) -> Result<Segment, JournalError> {
        let segment = self.walk.segment.saturating_add(1);
        let missing = Damage { segment, offset: 0, seq: self.walk.next_seq, reason: Reason::Missing };
        Segment::open(&self.dir, segment)?.ok_or_else(|| missing.into())
    }
}

/// The last segment that says it begins at or before record `seq`; the first if none does.
fn segment_of(dir: &Path, seq: u64) -> Result<Option<Segment>, JournalError> {
    let first = snapshot::base_numbers(dir)?.pop().unwrap_or(1);
    let mut numbers = set::numbers(dir)?;
    numbers.retain(|&number| number >= first);
    let mut found: Option<Segment> = None;
    let (mut low, mut high) = (0, numbers.len());
    while low < high {
        let middle = low.midpoint(high);
        let number = numbers.get(middle).copied().unwrap_or(first);
        let segment = Segment::open(dir, number)?
            .filter(|segment| segment.head.link.is_some_and(|link| link.first_seq <= seq || number == first));
        if segment.is_some() {
            (found, low) = (segment, middle + 1);
        } else {
            high = middle;
        }
    }
    Ok(found)
}

/// A walk at or before record `seq`, where the segment is left and has its index.
fn indexed(dir: &Path, segment: &Segment, seq: u64) -> Option<Walk> {
    let next = Segment::open(dir, segment.number.saturating_add(1)).ok()??;
    let index = Index::read(dir, segment, &next.head.link?)?;
    index.walk_to_seq(&segment.region, seq)
}

/// The next segment, if it says that the walk's segment ends exactly where the walk is.
fn resumed(dir: &Path, walk: &Walk) -> Result<Option<Segment>, JournalError> {
    let next = match Segment::open(dir, walk.segment.saturating_add(1)) {
        Ok(next) => next,
        // Being made, or a spare being removed: look again later.
        Err(JournalError::Damage(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(next.filter(|next| {
        next.head.link.is_some_and(|link| {
            link.is_run_start
                && link.prev_used == walk.offset
                && link.first_seq == walk.next_seq
                && Some(link.prev_crc) == walk.prev_crc
                && walk.offset >= HEADER_BYTES
        })
    }))
}
