//! Continuing a journal: what can be kept, what is dropped, and where the new segment hangs.
//!
//! Runs once at start, under the lock. Changes no record: completes chain blocks the killed helper had not
//! written, and sets aside segments that a power cut left behind a hole.

use crate::error::{Damage, JournalError};
use crate::format::{HEADER_BYTES, Header, Link, SYNCED_AT, synced_word};
use crate::helper::{chain_hasher, write_link};
use crate::lock::{Owner, boot_id};
use crate::reader::Ending;
use crate::record::Source;
use crate::set::{self, Segment, Set, Walker};
use crate::writer::Start;
use smc_core::TsNs;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a resumed writer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Records kept: all from 1 to this.
    pub records: u64,
    /// Time of the last one.
    pub last_ts: TsNs,
    /// Segments kept.
    pub segments: u32,
    /// Where the kept records end, if something stood behind them, and what.
    pub torn: Option<Damage>,
    /// Bytes dropped there.
    pub dropped_bytes: u64,
    /// Segments set aside (renamed) because a power cut left a hole before them.
    pub dropped_segments: u32,
    /// The last run closed the journal.
    pub was_closed: bool,
    /// Another build wrote the newest segment.
    pub build_changed: bool,
    /// Another configuration was in force.
    pub config_changed: bool,
}

/// Judges the journal and prepares its continuation.
pub(crate) fn recover(
    dir: &Path,
    header: &Header,
    before: &Owner,
) -> Result<(Start, Recovery), JournalError> {
    let set = Set::open(dir)?;
    let last = set.segments.last().map(|last| &last.head.identity.header);
    let found = last.ok_or_else(|| JournalError::Empty { dir: dir.to_owned() })?;
    refuse_another(found, header)?;
    let mut walker = Walker::new(&set);
    walker.begin()?;
    let (mut last_ts, mut ts_max) = (TsNs(0), TsNs(0));
    while let Some(record) = walker.next() {
        match record {
            Ok(record) => (last_ts, ts_max) = (record.ts, ts_max.max(record.ts)),
            Err(damage) if is_power_loss(&set, &damage, before) => break,
            Err(damage) => return Err(damage.into()),
        }
    }
    let mut out = Recovery {
        records: walker.walk.next_seq - 1,
        last_ts,
        segments: walker.walk.segment,
        torn: None,
        dropped_bytes: 0,
        dropped_segments: 0,
        was_closed: false,
        build_changed: found.build != header.build,
        config_changed: found.config_hash != header.config_hash,
    };
    match walker.ending.take() {
        Some(Ending::Closed) => out.was_closed = true,
        Some(Ending::Torn { at, dropped_bytes }) => {
            (out.torn, out.dropped_bytes) = (Some(at), dropped_bytes);
        }
        Some(Ending::Damaged(at)) => {
            if let Some(segment) = set.segments.get(walker.index) {
                let walk = &walker.walk;
                out.dropped_bytes = crate::segment::behind(&segment.region, walk.offset, walk.next_seq).bytes;
            }
            out.torn = Some(at);
            out.dropped_segments = set_aside(&set, walker.index)?;
        }
        Some(Ending::Open) | None => {}
    }
    let (number, link) = tie(dir, &set, &walker)?;
    Ok((Start { number, link, ts_max: ts_max.0 }, out))
}

/// Removes what an earlier writer had prepared and not used, highest number first.
pub(crate) fn remove_spares(dir: &Path, newest: u32) -> Result<(), JournalError> {
    for number in set::numbers(dir)?.into_iter().rev().take_while(|&number| number > newest) {
        let path = set::path(dir, number);
        fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
    }
    Ok(())
}

fn refuse_another(found: &Header, header: &Header) -> Result<(), JournalError> {
    let mismatch = |name, found: &str, expected: &str| {
        Err(JournalError::Mismatch { name, found: found.to_owned(), expected: expected.to_owned() })
    };
    if found.account != header.account {
        return mismatch("account", &found.account, &header.account);
    }
    if found.environment != header.environment {
        return mismatch("environment", &found.environment, &header.environment);
    }
    if found.instruments_hash != header.instruments_hash {
        let hex = |hash: [u8; 32]| blake3::Hash::from_bytes(hash).to_hex();
        let (found, expected) = (hex(found.instruments_hash), hex(header.instruments_hash));
        return mismatch("instrument table", found.as_str(), expected.as_str());
    }
    Ok(())
}

/// A hole with valid records behind it is what a power cut leaves: some pages were written back, others not.
/// It can only be where nothing had been synced, and only if the machine was restarted since.
fn is_power_loss(set: &Set, damage: &Damage, before: &Owner) -> bool {
    let synced = set
        .segments
        .iter()
        .find(|segment| segment.number == damage.segment)
        .map_or(u64::MAX, |segment| segment.head.synced);
    !before.boot.is_empty() && before.boot != boot_id() && damage.offset >= synced.max(HEADER_BYTES)
}

/// Renames the segments behind `index`, highest first, so that their numbers are free and nothing is lost.
fn set_aside(set: &Set, index: usize) -> Result<u32, JournalError> {
    let later = set.segments.get(index + 1..).unwrap_or_default();
    for segment in later.iter().rev() {
        let path = set::path(&set.dir, segment.number);
        let aside = (1u32..)
            .map(|n| path.with_extension(format!("smcj.dropped{n}")))
            .find(|aside| !aside.exists())
            .unwrap_or_else(|| path.with_extension("smcj.dropped"));
        fs::rename(&path, &aside).map_err(JournalError::io("set aside", &path))?;
    }
    Ok(later.len() as u32)
}

/// Writes the chain blocks that are not there yet and says how the new segment hangs on the last one.
fn tie(dir: &Path, set: &Set, walker: &Walker<'_>) -> Result<(u32, Link), JournalError> {
    let kept = set.segments.get(..=walker.index).unwrap_or_default();
    let linked = kept.iter().rposition(|segment| segment.head.link.is_some()).unwrap_or(0);
    let mut link = kept.get(linked).and_then(|segment| segment.head.link).unwrap_or(Link {
        first_seq: 1,
        prev_used: 0,
        prev_crc: 0,
        is_run_start: true,
        prev_chain: [0; 32],
    });
    for (index, segment) in kept.iter().enumerate().skip(linked) {
        if index > linked {
            let path = set::path(dir, segment.number);
            let file = File::options().write(true).open(&path).map_err(JournalError::io("open", &path))?;
            write_link(&file, &link)
                .and_then(|()| file.sync_data())
                .map_err(JournalError::io("complete", &path))?;
        }
        let used = walker.used.get(index).copied().unwrap_or(walker.walk.offset);
        link = link_behind(segment, &link, used);
    }
    for (index, segment) in kept.iter().enumerate() {
        let used = walker.used.get(index).copied().unwrap_or(walker.walk.offset);
        if segment.head.synced < used {
            mark_synced(dir, segment, used)?;
        }
    }
    let number = walker.walk.segment.saturating_add(1);
    Ok((number, Link { is_run_start: true, ..link }))
}

/// What the dead writer had not synced is made to stay now, and said to.
fn mark_synced(dir: &Path, segment: &Segment, used: u64) -> Result<(), JournalError> {
    let path = set::path(dir, segment.number);
    let sync = || -> std::io::Result<()> {
        let file = File::options().write(true).open(&path)?;
        file.sync_all()?;
        file.write_all_at(&synced_word(used).to_le_bytes(), SYNCED_AT)?;
        file.sync_data()
    };
    sync().map_err(JournalError::io("sync", &path))
}

/// How a segment hangs on `segment`, whose own link and end are given.
fn link_behind(segment: &Segment, link: &Link, used: u64) -> Link {
    let mut hasher = chain_hasher(&blake3::Hash::from_bytes(link.prev_chain), &segment.region);
    hasher.update(segment.region.bytes(HEADER_BYTES, used - HEADER_BYTES).unwrap_or_default());
    // The segment was walked with the same numbers, so its records are known to be valid.
    let mut walk = crate::segment::Walk::new(segment.number, link.first_seq, Some(link.prev_crc));
    while walk.offset < used && walk.step(&segment.region).is_ok() {}
    Link {
        first_seq: walk.next_seq,
        prev_used: used,
        prev_crc: walk.prev_crc.unwrap_or(0),
        is_run_start: false,
        prev_chain: *hasher.finalize().as_bytes(),
    }
}
