//! Every cut and every flipped bit of a small journal: a valid prefix or a refusal, never an altered record.
//!
//! Journals of 4 KiB exhaustively; of 64 KiB every so many cuts and bits, or all of them with `JOURNAL_EXHAUSTIVE=1`
//! (`cargo xtask journal-exhaustive`). Each of one segment as a kill leaves it, and of two, closed.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{SMALL, fill, header, payload, settings};
use smc_journal::{Ending, Reader, RecordKind, Writer, segment, verify};
use std::fs;
use std::path::{Path, PathBuf};

const LARGE: u64 = 64 << 10;

/// Steps between two cuts and between two bits: a large journal is sampled unless told otherwise. Primes, so that
/// every place in a record and every bit of a byte has its turn.
fn steps(segment_bytes: u64) -> (usize, usize) {
    let is_all = segment_bytes <= SMALL || std::env::var_os("JOURNAL_EXHAUSTIVE").is_some();
    if is_all { (1, 1) } else { (61, 509) }
}

/// A journal that fills `segments` segments nearly, closed or as a kill leaves it.
fn make(dir: &Path, bytes: u64, segments: u32, is_closed: bool) -> u64 {
    let mut writer = Writer::create(&settings(dir, bytes), &header()).unwrap();
    let mut last = 0;
    while writer.segment() < segments || writer.offset() < bytes * 3 / 4 {
        last += 1;
        fill(&mut writer, last);
    }
    if is_closed {
        writer.close().unwrap();
        last += 1;
    } else {
        drop(writer);
    }
    last
}

/// What a reader may say about a broken journal: nothing altered, nothing out of order, an honest ending.
/// Returns the records it gave and whether it noticed anything.
fn read_broken(dir: &Path) -> (u64, bool) {
    let Ok(reader) = Reader::open(dir) else { return (0, true) };
    let mut records = reader.records();
    let mut last = 0;
    let mut is_noticed = false;
    for record in records.by_ref() {
        let Ok(record) = record else {
            is_noticed = true;
            break;
        };
        last += 1;
        assert_eq!(record.seq, last);
        match record.kind {
            RecordKind::Input => {
                assert_eq!(record.payload, payload(last), "record {last} was altered");
                assert_eq!(record.ts.0, last * 10);
            }
            RecordKind::Close => assert_eq!(record.payload.len(), 40),
            kind => panic!("record {last} became {kind:?}"),
        }
        assert_eq!(record.flags, 0);
    }
    is_noticed |= matches!(records.ending(), Some(Ending::Torn { .. } | Ending::Damaged(_)) | None);
    (last, is_noticed)
}

fn each_case(dir: &Path, segments: u32, mut case: impl FnMut(&Path, &[u8], u32)) {
    for number in 1..=segments {
        let path: PathBuf = dir.join(format!("{number:08}.smcj"));
        let bytes = fs::read(&path).unwrap();
        case(&path, &bytes, number);
        fs::write(&path, &bytes).unwrap();
    }
}

fn check_every_cut(bytes: u64, segments: u32, is_closed: bool) {
    let dir = tempfile::tempdir().unwrap();
    let last = make(dir.path(), bytes, segments, is_closed);
    assert_eq!(read_broken(dir.path()), (last, false));
    let mut cases = 0;
    each_case(dir.path(), segments, |path, bytes, _| {
        for cut in (0..bytes.len()).step_by(steps(bytes.len() as u64).0) {
            fs::write(path, &bytes[..cut]).unwrap();
            let (records, is_noticed) = read_broken(dir.path());
            assert!(is_noticed && records < last, "cut at {cut}");
            assert!(!verify(dir.path()).unwrap().is_sound());
            let _ = segment::scan(&bytes[..cut]);
            cases += 1;
        }
    });
    println!("{cases} cuts");
}

fn check_every_bit(bytes: u64, segments: u32, is_closed: bool) {
    let dir = tempfile::tempdir().unwrap();
    let last = make(dir.path(), bytes, segments, is_closed);
    let used: Vec<u64> = verify(dir.path()).unwrap().list.iter().map(|info| info.bytes_used).collect();
    let mut cases = 0;
    each_case(dir.path(), segments, |path, bytes, number| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        let used = used[number as usize - 1];
        let mut broken = bytes.to_vec();
        for bit in (0..bytes.len() * 8).step_by(steps(bytes.len() as u64).1) {
            let at = bit / 8;
            broken[at] ^= 1 << (bit % 8);
            std::os::unix::fs::FileExt::write_all_at(&file, &[broken[at]], at as u64).unwrap();
            let (records, is_noticed) = read_broken(dir.path());
            // The synced mark checks itself and is only used after a power cut; behind the end of a segment
            // that has a next one nothing is read.
            let is_harmless = (384..392).contains(&at) || at as u64 >= used && number < segments;
            assert!(is_noticed || is_harmless && records == last, "byte {at} bit {} of {number}", bit % 8);
            if let Ok(scan) = segment::scan(&broken) {
                assert!(scan.records <= last);
            }
            broken[at] = bytes[at];
            std::os::unix::fs::FileExt::write_all_at(&file, &[bytes[at]], at as u64).unwrap();
            cases += 1;
        }
    });
    println!("{cases} flipped bits");
}

#[test]
fn j04_every_cut_of_a_killed_journal() {
    check_every_cut(SMALL, 1, false);
    check_every_cut(LARGE, 1, false);
}

#[test]
fn j04_every_cut_of_a_closed_journal() {
    check_every_cut(SMALL, 2, true);
    check_every_cut(LARGE, 2, true);
}

#[test]
fn j03_every_bit_of_a_killed_journal() {
    check_every_bit(SMALL, 1, false);
    check_every_bit(LARGE, 1, false);
}

#[test]
fn j03_every_bit_of_a_closed_journal() {
    check_every_bit(SMALL, 2, true);
    check_every_bit(LARGE, 2, true);
}

/// A page as it was earlier, put back: the records on it are valid but fewer, and valid ones follow.
#[test]
fn j05_a_stale_or_misplaced_page_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), 1 << 16), &header()).unwrap();
    let path = dir.path().join("00000001.smcj");
    fill(&mut writer, 150);
    let earlier = fs::read(&path).unwrap();
    let page = writer.offset() as usize / 4096 * 4096;
    fill(&mut writer, 400);
    drop(writer);
    let bytes = fs::read(&path).unwrap();
    let mut broken = bytes.clone();
    broken[page..page + 4096].copy_from_slice(&earlier[page..page + 4096]);
    fs::write(&path, &broken).unwrap();
    let damage = verify(dir.path()).unwrap().damage.unwrap();
    assert!((page as u64..page as u64 + 4096).contains(&damage.offset), "{damage}");
    for (a, b) in [(1, 2), (2, 3), (1, 4)] {
        let mut broken = bytes.clone();
        broken[a * 4096..][..4096].copy_from_slice(&bytes[b * 4096..][..4096]);
        broken[b * 4096..][..4096].copy_from_slice(&bytes[a * 4096..][..4096]);
        fs::write(&path, &broken).unwrap();
        assert!(verify(dir.path()).unwrap().damage.is_some(), "pages {a} and {b}");
    }
}

/// Records of another journal with the same numbers do not pass: each names the checksum of the one before.
#[test]
fn j05_records_of_another_journal_do_not_pass() {
    let ours = tempfile::tempdir().unwrap();
    let theirs = tempfile::tempdir().unwrap();
    let mut offset = 0;
    for (dir, first) in [(&ours, b"a"), (&theirs, b"b")] {
        let mut writer = Writer::create(&settings(dir.path(), 1 << 14), &header()).unwrap();
        common::append(&mut writer, RecordKind::Config, 0, first);
        offset = writer.offset() as usize;
        fill(&mut writer, 40);
    }
    let name = "00000001.smcj";
    let mut bytes = fs::read(ours.path().join(name)).unwrap();
    let other = fs::read(theirs.path().join(name)).unwrap();
    bytes[offset..].copy_from_slice(&other[offset..]);
    fs::write(ours.path().join(name), bytes).unwrap();
    let damage = verify(ours.path()).unwrap().damage.unwrap();
    assert_eq!((damage.offset, damage.seq), (offset as u64, 2), "{damage}");
}
