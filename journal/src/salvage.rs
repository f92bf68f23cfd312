//! Salvage: the valid beginning of a damaged journal, as a new one.
//!
//! Reads only: the damaged journal is not changed by a byte, nor locked, so one that is being written is taken as it stands.
//! What is kept is copied as it is, segment by segment: numbers, times, kinds and chain hashes stay what they were. The
//! new journal ends with a Source record that says from where it is, up to which record, and why it ends there; and with
//! a Close record. What stands behind the damage is counted for the report, and never exported.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{HEADER_BYTES, SYNCED_AT, padded, synced_word};
use crate::lock::Lock;
use crate::mirror::copy_whole;
use crate::reader::Reader;
use crate::record::{RecordKind, Source, parse};
use crate::segment::{Step, Walk};
use crate::set::{self, Segment, Set};
use crate::verify::{SegmentInfo, Verdict, judge};
use crate::writer::Writer;
use crate::{JournalSettings, SyncPolicy, map, snapshot};
use smc_core::TsNs;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// Number of the first record.
    pub first_seq: u64,
    /// Number of the last record that was copied.
    pub last_seq: u64,
    /// Segments copied.
    pub segments: u32,
    /// Where and why the valid records end; none if all of the journal is sound.
    pub damage: Option<Damage>,
    /// Records behind the damage that check by themselves. They are not in the copy: what they follow is not known.
    pub behind: u64,
    /// Chain hash over the copied records.
    pub chain: [u8; 32],
    /// The note at the end of the copy.
    pub note: String,
}

/// Where the valid records end.
struct End {
    segment: u32,
    /// Behind the last record, in front of an end mark.
    offset: u64,
    last_seq: u64,
    last_ts: TsNs,
    /// Number of segments to copy.
    count: usize,
}

/// Writes the valid records of the journal in `dir` as a new journal `out`, whose directory must not hold one. `Err` with
/// the damage if not even the first record can be had.
pub fn salvage(dir: impl AsRef<Path>, out: impl AsRef<Path>) -> Result<Salvaged, JournalError> {
    let (dir, out) = (dir.as_ref(), out.as_ref());
    let (set, at_header) = Set::open_prefix(dir)?;
    if set.segments.is_empty() {
        let missing = Damage { segment: 1, offset: 0, seq: 0, reason: Reason::Missing };
        return Err(at_header.unwrap_or(missing).into());
    }
    let reader = Reader::of(set);
    let verdict = judge(&reader);
    let set = reader.set();
    let damage = first_damage(&verdict, at_header);
    let end = match find_end(set, &verdict) {
        Some(end) => end,
        None => {
            let nothing = Damage { segment: 1, offset: HEADER_BYTES, seq: 1, reason: Reason::Unwritten };
            return Err(damage.unwrap_or(nothing).into());
        }
    };
    let behind = match &damage {
        Some(_) => count_behind(dir, end.segment, end.offset, end.last_seq.saturating_add(1))?,
        None => 0,
    };
    let note = note(dir, reader.first_seq(), &end, damage.as_ref(), behind);
    fs::create_dir_all(out).map_err(JournalError::io("create", out))?;
    // Before the lock: it is not taken where a journal is, perhaps the damaged one itself.
    if !set::numbers(out)?.is_empty() || !snapshot::base_numbers(out)?.is_empty() {
        return Err(JournalError::NotEmpty { dir: out.to_owned() });
    }
    let lock = Lock::take(out)?;
    let copied = copy(set, &verdict.list, &end, out).and_then(|()| {
        drop(lock);
        finish(set, &end, out, &note)?;
        chain_of(out, end.count)
    });
    let chain = copied.inspect_err(|_| remove(out))?;
    let (first_seq, last_seq, segments) = (reader.first_seq(), end.last_seq, end.count as u32);
    Ok(Salvaged { first_seq, last_seq, segments, damage, behind, chain, note })
}

/// What ends the valid records: what the walk met or, behind its end, a header that does not check.
fn first_damage(verdict: &Verdict, at_header: Option<Damage>) -> Option<Damage> {
    let walked = verdict.damage.clone().or_else(|| verdict.torn.clone());
    // The walk misses the very file whose header is the better answer.
    let is_missing = |damage: &Damage| damage.reason == Reason::Missing;
    match (walked, at_header) {
        (Some(walked), Some(at_header)) if is_missing(&walked) && walked.segment == at_header.segment => {
            Some(at_header)
        }
        (walked, at_header) => walked.or(at_header),
    }
}

/// Behind the last record that holds, also under the chain hash.
fn find_end(set: &Set, verdict: &Verdict) -> Option<End> {
    // A chain hash that does not match says "something in this segment", so none of it is kept.
    let tampered = verdict
        .damage
        .as_ref()
        .filter(|damage| matches!(damage.reason, Reason::Chain | Reason::Close))
        .map(|damage| damage.segment);
    let infos = verdict.list.iter().take_while(|info| tampered.is_none_or(|segment| info.number < segment));
    let count = infos.clone().count();
    let with_records = infos.filter(|info| info.records > 0).last()?;
    let last = verdict.list.get(..count)?.last()?;
    let segment = set.segments.get(count - 1)?;
    let link = segment.head.link;
    let (first_seq, prev_crc) = match link {
        Some(link) => (link.first_seq, Some(link.prev_crc)),
        None => (with_records.last_seq.saturating_sub(last.records).saturating_add(1), None),
    };
    let mut walk = Walk::new(segment.number, first_seq, prev_crc);
    let mut offset = walk.offset;
    while walk.offset < last.bytes_used {
        match walk.step(&segment.region) {
            Ok(Step::Record(_)) => offset = walk.offset,
            Ok(Step::End | Step::Nothing) | Err(_) => break,
        }
    }
    let (last_seq, last_ts) = (with_records.last_seq, with_records.last_ts);
    Some(End { segment: segment.number, offset, last_seq, last_ts, count })
}

/// Records behind a place that check by themselves, there and in all later files, whatever their headers say.
fn count_behind(dir: &Path, segment: u32, offset: u64, next_seq: u64) -> Result<u64, JournalError> {
    let mut count = 0;
    for number in set::numbers(dir)?.into_iter().filter(|&number| number >= segment) {
        let path = set::path(dir, number);
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        if file.metadata().map_err(JournalError::io("read", &path))?.len() <= HEADER_BYTES {
            continue;
        }
        let region = map::Region::open(&file).map_err(JournalError::io("map", &path))?;
        let from = if number == segment { offset } else { HEADER_BYTES };
        count += valid_records(&region, from, next_seq).0;
    }
    Ok(count)
}

/// How many records from `from` on check by themselves, and the greatest number among them.
pub(crate) fn valid_records<S: Source + ?Sized>(source: &S, from: u64, next_seq: u64) -> (u64, u64) {
    // Numbers that could be there; bounds the work on bytes that merely look like a length.
    const AHEAD_MAX: u64 = 1 << 40;
    let (mut count, mut last_seq) = (0, 0);
    let mut at = from;
    while let Some(word) = source.word(at) {
        let seq = source.word(at.saturating_add(8)).unwrap_or(0);
        let is_plausible = word != 0 && seq >= next_seq && seq - next_seq < AHEAD_MAX;
        at += match parse(source, at) {
            Ok(Some(record)) if is_plausible => {
                if record.kind_code != crate::format::KIND_END {
                    count += 1;
                    last_seq = last_seq.max(record.seq);
                }
                record.size
            }
            _ => padded(1),
        };
    }
    (count, last_seq)
}

fn note(dir: &Path, first: u64, end: &End, damage: Option<&Damage>, behind: u64) -> String {
    let from = format!("salvaged from {}: records {first} to {}", dir.display(), end.last_seq);
    match damage {
        None => format!("{from}, all of it"),
        Some(damage) => {
            format!(
                "{from}; ends at {damage}; {behind} records behind it check by themselves and are not here"
            )
        }
    }
}

/// The segments up to the end, each as long as it was and zero behind its records.
fn copy(set: &Set, list: &[SegmentInfo], end: &End, out: &Path) -> Result<(), JournalError> {
    if let Some(base) = &set.base {
        let number = base.place.segment;
        let from = snapshot::base_path(&set.dir, number);
        copy_whole(&from, &snapshot::base_path(out, number)).map_err(JournalError::io("copy", &from))?;
    }
    for (segment, info) in set.segments.iter().zip(list).take(end.count) {
        let used = if segment.number == end.segment { end.offset } else { info.bytes_used };
        let path = set::path(out, segment.number);
        copy_segment(segment, used, &path).map_err(JournalError::io("write", &path))?;
    }
    Ok(())
}

/// A file with a segment's header and records, zero behind them, synced.
pub(crate) fn copy_segment(segment: &Segment, used: u64, path: &Path) -> io::Result<()> {
    let file = File::options().write(true).create(true).truncate(true).open(path)?;
    map::preallocate(&file, segment.region.len())?;
    // Header without its synced mark, which is this file's own matter.
    file.write_all_at(segment.region.bytes(0, SYNCED_AT).unwrap_or_default(), 0)?;
    let records = segment.region.bytes(HEADER_BYTES, used.saturating_sub(HEADER_BYTES)).unwrap_or_default();
    file.write_all_at(records, HEADER_BYTES)?;
    file.sync_all()?;
    file.write_all_at(&synced_word(used).to_le_bytes(), SYNCED_AT)?;
    file.sync_data()
}

/// The note and the Close record, in a segment of their own as of any resumed journal.
fn finish(set: &Set, end: &End, out: &Path, note: &str) -> Result<(), JournalError> {
    let Some(last) = set.segments.get(end.count - 1) else { return Ok(()) };
    let settings = JournalSettings {
        segment_bytes: last.head.identity.segment_bytes,
        sync: SyncPolicy::Every(Duration::from_millis(10)),
        ..JournalSettings::new(out)
    };
    let (mut writer, _) = Writer::resume(&settings, &last.head.identity.header)?;
    // Rather a note cut short than none.
    let room = (settings.segment_bytes - HEADER_BYTES) as usize / 2;
    let cut = note.floor_char_boundary(room);
    let note = note.get(..cut).unwrap_or(note).as_bytes();
    if writer.append(RecordKind::Source, end.last_ts, note).is_err() {
        return Err(JournalError::Unhealthy(writer.health()));
    }
    writer.close()
}

/// Chain hash of the first `count` segments of the copy.
fn chain_of(out: &Path, count: usize) -> Result<[u8; 32], JournalError> {
    let verdict = judge(&Reader::open(out)?);
    if let Some(damage) = verdict.damage.or(verdict.torn) {
        return Err(damage.into());
    }
    Ok(verdict.list.get(count.saturating_sub(1)).map_or([0; 32], |info| info.chain))
}

/// A copy that failed half-way is no journal.
fn remove(out: &Path) {
    for number in set::numbers(out).unwrap_or_default().into_iter().rev() {
        let _ = fs::remove_file(set::path(out, number));
    }
    for number in snapshot::base_numbers(out).unwrap_or_default() {
        let _ = fs::remove_file(snapshot::base_path(out, number));
    }
}
