//! Snapshots: what the caller's state was after a record, so that not everything before it need be run again.
//!
//! A snapshot is a file of its own beside the segments, so that taking one costs the writer nothing and losing one loses
//! nothing: one that is damaged, of another history, or ahead of the journal is passed over. A *base* is the same file
//! under a segment's name: it says that the segments before were pruned on purpose, and what they came to. It is the
//! only thing that lets a journal begin elsewhere than at segment 1. `FORMAT.md` draws the bytes.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{HEADER_BYTES, Link};
use crate::index;
use crate::record::parse;
use crate::set::{self, Set};
use smc_core::TsNs;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// First eight bytes of every snapshot and base.
const MAGIC: [u8; 8] = *b"SMCSNAP\x1a";
const VERSION: u32 = 1;
/// Up to where the caller's bytes begin.
const HEAD_BYTES: usize = 128;
const HASH_BYTES: usize = 32;
/// A snapshot larger than this is not ours.
const BYTES_MAX: u64 = 1 << 31;
const PREFIX: &str = "snapshot-";
const BASE: &str = "base";

/// The state after a record, with the configuration it came about under. The journal does not know what the bytes
/// of either mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Behind which record.
    pub place: Place,
    /// Time of that record.
    pub ts: TsNs,
    /// Hash of the program that made it.
    pub build: [u8; 16],
    /// The configuration in force.
    pub config: Vec<u8>,
    /// The state.
    pub state: Vec<u8>,
}

/// A record, named so that it can be found at once and not mistaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number; 0 for "before the first".
    pub seq: u64,
    /// Its segment; in a base the first segment that is kept.
    pub segment: u32,
    /// Where it begins there; in a base the end of the header, as the record stands in a segment that is gone.
    pub offset: u64,
    /// Its checksum, in a base that of the last record or end mark before the segment.
    pub crc: u32,
    /// Chain hash of all segments before the place's.
    pub prev_chain: [u8; 32],
}

impl Place {
    /// The beginning of a segment, as its link states it.
    fn of_link(segment: u32, link: &Link) -> Self {
        Self {
            seq: link.first_seq.saturating_sub(1),
            segment,
            offset: HEADER_BYTES,
            crc: link.prev_crc,
            prev_chain: link.prev_chain,
        }
    }
}

/// Writes a snapshot beside the journal: whole and on disk, or not at all.
pub fn write_snapshot(dir: impl AsRef<Path>, snapshot: &Snapshot) -> Result<PathBuf, JournalError> {
    let path = dir.as_ref().join(format!("{PREFIX}{:020}", snapshot.place.seq));
    write(&path, snapshot)?;
    Ok(path)
}

/// Writes what the segments before `snapshot.place.segment` came to; from then on they do not count.
pub(crate) fn write_base(dir: &Path, snapshot: &Snapshot) -> Result<(), JournalError> {
    write(&base_path(dir, snapshot.place.segment), snapshot)
}

/// Numbers of the records that snapshots stand behind, ascending.
pub fn snapshots(dir: impl AsRef<Path>) -> Result<Vec<u64>, JournalError> {
    names(dir.as_ref(), |name| name.strip_prefix(PREFIX)?.parse().ok())
}

/// Reads the snapshot behind record `seq`. Whether the journal agrees is [`Reader::records_after`]'s to say.
///
/// [`Reader::records_after`]: crate::Reader::records_after
pub fn read_snapshot(dir: impl AsRef<Path>, seq: u64) -> Result<Snapshot, JournalError> {
    let snapshot = read(&dir.as_ref().join(format!("{PREFIX}{seq:020}")))?;
    if snapshot.place.seq == seq { Ok(snapshot) } else { Err(bad(&snapshot.place, Reason::Magic)) }
}

/// Removes the snapshot behind record `seq`.
pub fn remove_snapshot(dir: impl AsRef<Path>, seq: u64) -> Result<(), JournalError> {
    let path = dir.as_ref().join(format!("{PREFIX}{seq:020}"));
    fs::remove_file(&path).map_err(JournalError::io("remove", &path))
}

/// The newest base of a directory, if there is one.
pub(crate) fn newest_base(dir: &Path) -> Result<Option<Snapshot>, JournalError> {
    let Some(number) = base_numbers(dir)?.pop() else { return Ok(None) };
    let base = read(&base_path(dir, number))?;
    if base.place.segment != number {
        return Err(bad(&base.place, Reason::Number { found: base.place.segment }));
    }
    Ok(Some(base))
}

/// Segments that bases stand for, ascending.
pub(crate) fn base_numbers(dir: &Path) -> Result<Vec<u32>, JournalError> {
    names(dir, |name| name.strip_suffix(BASE)?.strip_suffix('.')?.parse().ok())
}

pub(crate) fn base_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.{BASE}"))
}

/// A base must be exactly what its segment's link says of the segments before it.
pub(crate) fn check_base(base: &Snapshot, link: Option<&Link>) -> Result<(), Damage> {
    let agrees = link.is_some_and(|link| Place::of_link(base.place.segment, link) == base.place);
    if agrees { Ok(()) } else { Err(damage(&base.place, Reason::Base)) }
}

/// The place at the beginning of segment `number`; none where its link is not written yet.
pub(crate) fn place_at(set: &Set, number: u32) -> Option<Place> {
    let segment = set.segments.iter().find(|segment| segment.number == number)?;
    segment.head.link.map(|link| Place::of_link(number, &link))
}

/// Where the record behind `place` begins, if the journal has that very record.
pub(crate) fn behind_place(set: &Set, place: &Place) -> Result<u64, Damage> {
    let not_there = || damage(place, Reason::Snapshot);
    let segment =
        set.segments.iter().find(|segment| segment.number == place.segment).ok_or_else(not_there)?;
    let chain = segment.head.link.map(|link| link.prev_chain);
    if chain.is_some_and(|chain| chain != place.prev_chain && place.prev_chain != [0; 32]) {
        return Err(not_there());
    }
    if place.offset == HEADER_BYTES && place_at(set, place.segment).as_ref() == Some(place) {
        return Ok(HEADER_BYTES);
    }
    match parse(&segment.region, place.offset) {
        Ok(Some(record)) if record.seq == place.seq && record.crc == place.crc => {
            Ok(place.offset + record.size)
        }
        _ => Err(not_there()),
    }
}

fn names<T: Ord>(dir: &Path, number: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, JournalError> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io("read", dir))? {
        let name = entry.map_err(JournalError::io("read", dir))?.file_name();
        out.extend(name.to_str().and_then(&number));
    }
    out.sort_unstable();
    Ok(out)
}

fn write(path: &Path, snapshot: &Snapshot) -> Result<(), JournalError> {
    let draft = path.with_extension("tmp");
    let make = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(&to_bytes(snapshot))?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    make().map_err(|source| {
        let _ = fs::remove_file(&draft);
        JournalError::io("write", path)(source)
    })
}

fn to_bytes(snapshot: &Snapshot) -> Vec<u8> {
    let Snapshot { place, ts, build, config, state } = snapshot;
    let mut out = Vec::with_capacity(HEAD_BYTES + config.len() + state.len() + HASH_BYTES);
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(place.segment.to_le_bytes());
    out.extend(place.seq.to_le_bytes());
    out.extend(place.offset.to_le_bytes());
    out.extend(place.crc.to_le_bytes());
    out.extend([0; 4]);
    out.extend(place.prev_chain);
    out.extend(ts.0.to_le_bytes());
    out.extend((config.len() as u64).to_le_bytes());
    out.extend((state.len() as u64).to_le_bytes());
    out.extend(build);
    out.resize(HEAD_BYTES, 0);
    out.extend(config);
    out.extend(state);
    let hash = blake3::hash(&out);
    out.extend(hash.as_bytes());
    out
}

fn read(path: &Path) -> Result<Snapshot, JournalError> {
    let length = fs::metadata(path).map_err(JournalError::io("read", path))?.len();
    let nowhere = Place { seq: 0, segment: 0, offset: 0, crc: 0, prev_chain: [0; 32] };
    if length > BYTES_MAX {
        return Err(bad(&nowhere, Reason::Length { found: length, room: BYTES_MAX }));
    }
    let bytes = fs::read(path).map_err(JournalError::io("read", path))?;
    from_bytes(&bytes).map_err(|reason| bad(&nowhere, reason))
}

fn from_bytes(bytes: &[u8]) -> Result<Snapshot, Reason> {
    let needed = (HEAD_BYTES + HASH_BYTES) as u64;
    let short = || Reason::Short { needed, got: bytes.len() as u64 };
    let (head, _) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(short)?;
    if head[..8] != MAGIC {
        return Err(Reason::Magic);
    }
    let field = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&head[at..at + 8]);
        u64::from_le_bytes(word)
    };
    let version = field(8) as u32;
    if version != VERSION {
        return Err(Reason::Version { found: version });
    }
    let body_end = bytes.len().checked_sub(HASH_BYTES).filter(|&end| end >= HEAD_BYTES).ok_or_else(short)?;
    let (hashed, hash) = bytes.split_at(body_end);
    if blake3::hash(hashed) != *hash {
        return Err(Reason::Chain);
    }
    let mut prev_chain = [0; 32];
    prev_chain.copy_from_slice(&head[40..72]);
    let mut build = [0; 16];
    build.copy_from_slice(&head[96..112]);
    let (config_bytes, state_bytes) = (field(80), field(88));
    let body = &hashed[HEAD_BYTES..];
    if config_bytes.checked_add(state_bytes) != Some(body.len() as u64) {
        return Err(Reason::Length {
            found: config_bytes.saturating_add(state_bytes),
            room: body.len() as u64,
        });
    }
    let (config, state) = body.split_at(config_bytes as usize);
    Ok(Snapshot {
        place: Place {
            seq: field(16),
            segment: (field(8) >> 32) as u32,
            offset: field(24),
            crc: field(32) as u32,
            prev_chain,
        },
        ts: TsNs(field(72)),
        build,
        config: config.to_vec(),
        state: state.to_vec(),
    })
}

fn damage(place: &Place, reason: Reason) -> Damage {
    Damage { segment: place.segment, offset: place.offset, seq: place.seq, reason }
}

fn bad(place: &Place, reason: Reason) -> JournalError {
    JournalError::Damage(damage(place, reason))
}

/// Removes bases and segments below the newest base: what a prune that was killed left over.
pub(crate) fn remove_pruned(dir: &Path, base: u32) -> Result<u32, JournalError> {
    let mut removed = 0;
    let remove = |path: PathBuf| fs::remove_file(&path).map_err(JournalError::io("remove", &path));
    for number in set::numbers(dir)?.into_iter().filter(|&number| number < base) {
        remove(set::path(dir, number))?;
        index::remove(dir, number);
        removed += 1;
    }
    for number in base_numbers(dir)?.into_iter().filter(|&number| number < base) {
        remove(base_path(dir, number))?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j15_a_snapshot_reads_back_and_no_cut_or_flipped_bit_passes() {
        let snapshot = Snapshot {
            place: Place { seq: 7, segment: 2, offset: 640, crc: 9, prev_chain: [3; 32] },
            ts: TsNs(5),
            build: [4; 16],
            config: b"config".to_vec(),
            state: (0..200).collect(),
        };
        let bytes = to_bytes(&snapshot);
        assert_eq!(from_bytes(&bytes), Ok(snapshot));
        for cut in 0..bytes.len() {
            assert!(from_bytes(&bytes[..cut]).is_err(), "cut at {cut} passed");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(from_bytes(&flipped).is_err(), "bit {bit} passed");
        }
    }
}
