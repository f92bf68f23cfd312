//! The sparse index of a segment: where about every 64 KiB a record begins, so that a reader need not walk to it.
//!
//! A helper of readers and never a source of truth. The writer's helper thread writes one as a side file when it seals a
//! segment; a reader takes it only if it is of exactly this segment (its links say so: where the records end, behind
//! which checksum, before which number) and of these records (the one at the entry checks, and has the stated number
//! and linkage). Otherwise it is built in memory by walking, or the walk begins at the segment's first record: the
//! result is the same, later. `FORMAT.md` draws the file.

use crate::crc;
use crate::format::{HEADER_BYTES, KIND_END, Link, RECORD_HEADER_BYTES, padded};
use crate::map::Region;
use crate::record::Source;
use crate::segment::{Step, Walk};
use crate::set::{Segment, Set};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const MAGIC: [u8; 8] = *b"SMCJIDX\x1a";
const VERSION: u32 = 1;
/// Bytes of records between two entries, at least.
const DISTANCE: u64 = 64 << 10;
const EXTENSION: &str = "idx";

const NUMBER_AT: usize = 12;
const IDENTITY_CRC_AT: usize = 16;
const COUNT_AT: usize = 20;
const USED_AT: usize = 24;
const NEXT_SEQ_AT: usize = 32;
const TS_MAX_AT: usize = 40;
const LAST_CRC_AT: usize = 48;
const CRC_AT: usize = 52;
const HEAD_BYTES: usize = 56;
const ENTRY_BYTES: usize = 32;
/// Entries of the largest segment, and one for the first record.
const COUNT_MAX: u64 = crate::format::SEGMENT_BYTES_MAX / DISTANCE + 1;

const _: () = {
    assert!(NUMBER_AT == MAGIC.len() + 4);
    assert!(CRC_AT + 4 == HEAD_BYTES);
    assert!(HEAD_BYTES.is_multiple_of(8));
    assert!(ENTRY_BYTES.is_multiple_of(8));
};

/// A record that a walk may begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub seq: u64,
    /// Greatest time of all records before it, in this and earlier segments.
    pub ts_max: u64,
    pub offset: u64,
    /// Checksum of the record before.
    pub prev_crc: u32,
}

/// The index of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    number: u32,
    /// Checksum of the segment's identity block.
    identity_crc: u32,
    entries: Vec<Entry>,
    /// Where the records end, the end mark among them.
    used: u64,
    /// Number of the first record behind.
    next_seq: u64,
    /// Checksum of the last record or end mark.
    last_crc: u32,
    /// Greatest time up to the end.
    pub ts_max: u64,
}

/// What an entry needs to know of a record.
struct Seen {
    offset: u64,
    size: u64,
    seq: u64,
    ts: u64,
    prev_crc: u32,
    crc: u32,
    is_end: bool,
}

impl Index {
    /// An index of no records yet, behind earlier records with the greatest time `ts_max`.
    pub fn begin(number: u32, identity_crc: u32, ts_max: u64) -> Self {
        Self {
            number,
            identity_crc,
            entries: Vec::new(),
            used: HEADER_BYTES,
            next_seq: 0,
            last_crc: 0,
            ts_max,
        }
    }

    /// Takes the records up to `to` without checking them: for who knows them to be committed.
    pub fn extend(&mut self, region: &Region, to: u64) {
        while self.used < to
            && let Some(seen) = look(region, self.used)
        {
            self.take(&seen);
        }
    }

    fn take(&mut self, seen: &Seen) {
        let Seen { offset, seq, prev_crc, .. } = *seen;
        if !seen.is_end && self.entries.last().is_none_or(|last| offset - last.offset >= DISTANCE) {
            self.entries.push(Entry { seq, ts_max: self.ts_max, offset, prev_crc });
        }
        self.used = offset + seen.size;
        self.next_seq = if seen.is_end { seq } else { seq.saturating_add(1) };
        self.last_crc = seen.crc;
        if !seen.is_end {
            self.ts_max = self.ts_max.max(seen.ts);
        }
    }

    /// Puts the file beside its segment, whole or not at all. Nobody needs it, so nothing is said where that fails.
    pub fn write(&self, dir: &Path) {
        let path = path(dir, self.number);
        let draft = path.with_extension("idx.tmp");
        if fs::write(&draft, self.to_bytes()).and_then(|()| fs::rename(&draft, &path)).is_err() {
            let _ = fs::remove_file(&draft);
        }
    }

    /// The side file of a segment, if there is one and it is of this segment between these two links.
    pub fn read(dir: &Path, segment: &Segment, next: &Link) -> Option<Self> {
        let path = path(dir, segment.number);
        if fs::metadata(&path).ok()?.len() > HEAD_BYTES as u64 + COUNT_MAX * ENTRY_BYTES as u64 {
            return None;
        }
        let index = Self::from_bytes(&fs::read(path).ok()?)?;
        index.is_of(segment, next).then_some(index)
    }

    fn is_of(&self, segment: &Segment, next: &Link) -> bool {
        let Some(link) = segment.head.link else { return false };
        let is_begun_so = self
            .entries
            .first()
            .is_none_or(|first| (first.seq, first.prev_crc) == (link.first_seq, link.prev_crc));
        let is_ended_so = (self.used, self.next_seq, self.last_crc)
            == (next.prev_used, next.first_seq, next.prev_crc)
            || self.used == HEADER_BYTES && next.prev_used == HEADER_BYTES;
        self.number == segment.number
            && Some(self.identity_crc) == identity_crc(&segment.region)
            && is_begun_so
            && is_ended_so
    }

    /// Builds it from checked records; stops in front of damage.
    fn build(segment: &Segment, link: &Link, used: u64, ts_max: u64) -> Self {
        let region = &segment.region;
        let mut index = Self::begin(segment.number, identity_crc(region).unwrap_or(0), ts_max);
        let mut walk = Walk::new(segment.number, link.first_seq, Some(link.prev_crc));
        while walk.offset < used {
            let offset = walk.offset;
            match walk.step(region) {
                Ok(Step::Record(_) | Step::End) => {}
                Ok(Step::Nothing) | Err(_) => break,
            }
            let Some(seen) = look(region, offset) else { break };
            index.take(&seen);
        }
        if index.used < used {
            // Whatever is behind, no later segment may be looked into before this place was: there a walk refuses.
            index.ts_max = u64::MAX;
        }
        index
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend(self.identity_crc.to_le_bytes());
        out.extend((self.entries.len() as u32).to_le_bytes());
        out.extend(self.used.to_le_bytes());
        out.extend(self.next_seq.to_le_bytes());
        out.extend(self.ts_max.to_le_bytes());
        out.extend(self.last_crc.to_le_bytes());
        out.extend([0; 4]);
        for entry in &self.entries {
            out.extend(entry.seq.to_le_bytes());
            out.extend(entry.ts_max.to_le_bytes());
            out.extend(entry.offset.to_le_bytes());
            out.extend(entry.prev_crc.to_le_bytes());
            out.extend([0; 4]);
        }
        let crc = crc::bytes(&out);
        if let Some(field) = out.get_mut(CRC_AT..HEAD_BYTES) {
            field.copy_from_slice(&crc.to_le_bytes());
        }
        out
    }

    /// `None` for whatever is not exactly what `to_bytes` writes.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(HEAD_BYTES)?;
        let u32_at = |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let u64_at = |at: usize| head.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let mut plain = bytes.to_vec();
        plain.get_mut(CRC_AT..HEAD_BYTES)?.fill(0);
        if head.get(..8)? != MAGIC || u32_at(8)? != VERSION || u32_at(CRC_AT)? != crc::bytes(&plain) {
            return None;
        }
        let (entries, rest) = body.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || entries.len() as u64 != u64::from(u32_at(COUNT_AT)?) {
            return None;
        }
        let index = Self {
            number: u32_at(NUMBER_AT)?,
            identity_crc: u32_at(IDENTITY_CRC_AT)?,
            entries: entries.iter().map(entry).collect(),
            used: u64_at(USED_AT)?,
            next_seq: u64_at(NEXT_SEQ_AT)?,
            last_crc: u32_at(LAST_CRC_AT)?,
            ts_max: u64_at(TS_MAX_AT)?,
        };
        let is_ascending =
            index.entries.is_sorted_by(|a, b| a.offset < b.offset && a.seq < b.seq && a.ts_max <= b.ts_max);
        is_ascending.then_some(index)
    }

    /// The last entry with a number of at most `seq`, as the walk that begins there.
    pub fn walk_to_seq(&self, region: &Region, seq: u64) -> Option<Walk> {
        self.walk_at(region, self.entries.partition_point(|entry| entry.seq <= seq))
    }

    /// The last entry before which no record is as late as `ts`.
    fn walk_to_ts(&self, region: &Region, ts: u64) -> Option<Walk> {
        self.walk_at(region, self.entries.partition_point(|entry| entry.ts_max < ts))
    }

    /// The entry before `count`, if the record there is the one it speaks of.
    fn walk_at(&self, region: &Region, count: usize) -> Option<Walk> {
        let entry = self.entries.get(count.checked_sub(1)?)?;
        if entry.offset < HEADER_BYTES {
            return None;
        }
        let mut walk = Walk::new(self.number, entry.seq, Some(entry.prev_crc));
        walk.offset = entry.offset;
        let mut probe = walk;
        matches!(probe.step(region), Ok(Step::Record(_))).then_some(walk)
    }
}

/// The indexes of a reader's segments, each read, or built for a search by time, when first asked for.
pub(crate) struct Indexes {
    cells: Vec<OnceLock<Index>>,
}

impl Indexes {
    pub fn of(set: &Set) -> Self {
        Self { cells: set.segments.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Where to begin for record `seq`: which segment, and a walk at or before that record.
    pub fn place_of_seq(&self, set: &Set, seq: u64) -> Option<(usize, Walk)> {
        let starts = |segment: &Segment| segment.head.link.is_some_and(|link| link.first_seq <= seq);
        let at = set.segments.partition_point(starts).saturating_sub(1);
        let segment = set.segments.get(at)?;
        // Not built where it is missing: that is a walk over all segments before, this one alone is enough.
        let indexed = self.known(set, at).and_then(|index| index.walk_to_seq(&segment.region, seq));
        indexed.or_else(|| first_of(segment)).map(|walk| (at, walk))
    }

    /// Where to begin for the first record as late as `ts`.
    pub fn place_of_ts(&self, set: &Set, ts: u64) -> Option<(usize, Walk)> {
        // Segments whose end is told, so that they have an index; those behind are walked.
        let told = (0..set.segments.len()).take_while(|&at| ends(set, at).is_some()).count();
        let (mut low, mut high) = (0, told);
        while low < high {
            let middle = low.midpoint(high);
            if self.get(set, middle).is_some_and(|index| index.ts_max < ts) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let segment = set.segments.get(low)?;
        let indexed = self.get(set, low).and_then(|index| index.walk_to_ts(&segment.region, ts));
        indexed.or_else(|| first_of(segment)).map(|walk| (low, walk))
    }

    fn get(&self, set: &Set, at: usize) -> Option<&Index> {
        if let Some(index) = self.cells.get(at)?.get() {
            return Some(index);
        }
        // The greatest time before a segment comes from the one before it: back to one that knows, then forward.
        let known = (0..=at).rev().find(|&before| self.known(set, before).is_some());
        for missing in known.map_or(0, |known| known + 1)..=at {
            let segment = set.segments.get(missing)?;
            let (link, next) = ends(set, missing)?;
            let before = missing.checked_sub(1).and_then(|before| self.cells.get(before)?.get());
            let index =
                Index::build(segment, &link, next.prev_used, before.map_or(0, |before| before.ts_max));
            let _ = self.cells.get(missing)?.set(index);
        }
        self.cells.get(at)?.get()
    }

    /// One already had, or in a file.
    fn known(&self, set: &Set, at: usize) -> Option<&Index> {
        let cell = self.cells.get(at)?;
        if cell.get().is_none() {
            let (_, next) = ends(set, at)?;
            let _ = cell.set(Index::read(&set.dir, set.segments.get(at)?, &next)?);
        }
        cell.get()
    }
}

/// Removes the side file of a segment that goes, or that begins anew.
pub(crate) fn remove(dir: &Path, number: u32) {
    let _ = fs::remove_file(path(dir, number));
}

/// What stands in the segment's identity block as its checksum.
pub(crate) fn identity_crc(region: &Region) -> Option<u32> {
    region.word(248).map(|word| (word >> 32) as u32)
}

/// The links at the two ends of a segment.
fn ends(set: &Set, at: usize) -> Option<(Link, Link)> {
    Some((set.segments.get(at)?.head.link?, set.segments.get(at + 1)?.head.link?))
}

fn first_of(segment: &Segment) -> Option<Walk> {
    segment.head.link.map(|link| Walk::new(segment.number, link.first_seq, Some(link.prev_crc)))
}

fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.{EXTENSION}"))
}

/// The header of a committed record.
fn look(region: &Region, offset: u64) -> Option<Seen> {
    let commit = region.word(offset)?;
    let last = region.word(offset + 24)?;
    let length = commit >> 32;
    (length >= RECORD_HEADER_BYTES).then_some(Seen {
        offset,
        size: padded(length),
        seq: region.word(offset + 8)?,
        ts: region.word(offset + 16)?,
        prev_crc: (last >> 32) as u32,
        crc: commit as u32,
        is_end: last as u16 == KIND_END,
    })
}

fn entry(bytes: &[u8; ENTRY_BYTES]) -> Entry {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    Entry { seq: word(0), ts_max: word(8), offset: word(16), prev_crc: word(24) as u32 }
}
