//! Salvage: the valid beginning of a damaged journal as a new one, and not a byte of the old one changed.
//!
//! `JOURNAL_SALVAGES` sets the rounds (80 by default); a failure prints its seed.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{Dice, SMALL, append, files, fill, header, payload, segment, settings};
use smc_core::TsNs;
use smc_journal::{
    JournalError, Reader, Reason, RecordKind, Retention, Salvaged, Snapshot, SyncPolicy, Writer, plan_prune,
    prune, salvage, verify,
};
use std::fs;
use std::path::Path;

fn rounds() -> u64 {
    std::env::var("JOURNAL_SALVAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(80)
}

fn make(dir: &Path, is_closed: bool) {
    let mut writer = Writer::create(&settings(dir, SMALL), &header()).unwrap();
    fill(&mut writer, 120);
    drop(writer);
    let (mut writer, _) = Writer::resume(&settings(dir, SMALL), &header()).unwrap();
    fill(&mut writer, 200);
    writer.close().unwrap();
    let (mut writer, _) = Writer::resume(&settings(dir, SMALL), &header()).unwrap();
    fill(&mut writer, 330);
    if is_closed {
        writer.close().unwrap();
    }
}

/// The copy is sound and closed, holds exactly the records of `dir` up to `saved.last_seq`, and says so at its end.
fn check(dir: &Path, out: &Path, saved: &Salvaged) {
    let verdict = verify(out).unwrap();
    assert!(verdict.is_sound() && verdict.is_closed, "{verdict}");
    assert_eq!(verdict.records, saved.last_seq - saved.first_seq + 3, "note and close besides");
    let copy = Reader::open(out).unwrap();
    let copied: Vec<_> = copy.records().map(Result::unwrap).collect();
    for record in &copied {
        match record.kind {
            RecordKind::Input => assert_eq!(record.payload, payload(record.seq)),
            kind => assert!(matches!(kind, RecordKind::Close | RecordKind::Source), "{kind:?}"),
        }
    }
    let note = &copied[copied.len() - 2];
    assert_eq!(
        (note.kind, note.payload, note.seq),
        (RecordKind::Source, saved.note.as_bytes(), saved.last_seq + 1)
    );
    assert!(saved.note.contains(&dir.display().to_string()));
    assert!(saved.note.contains(&format!("records {} to {}", saved.first_seq, saved.last_seq)));
    if let Some(damage) = &saved.damage {
        assert!(saved.note.contains(&damage.to_string()));
    }
    if let Ok(old) = Reader::open(dir) {
        assert_eq!(copy.header(), old.header());
        for (old, new) in old.records().map_while(Result::ok).zip(&copied).take(verdict.records as usize - 2)
        {
            assert_eq!((old.seq, old.ts, old.kind, old.payload), (new.seq, new.ts, new.kind, new.payload));
            assert_eq!((old.segment, old.offset), (new.segment, new.offset));
        }
    }
}

#[test]
fn a_sound_journal_is_copied_whole() {
    for is_closed in [false, true] {
        let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make(dir.path(), is_closed);
        let before = files(dir.path());
        let saved = salvage(dir.path(), out.path()).unwrap();
        assert_eq!(files(dir.path()), before);
        let verdict = verify(dir.path()).unwrap();
        assert_eq!((saved.last_seq, saved.damage.clone(), saved.behind), (verdict.records, None, 0));
        check(dir.path(), out.path(), &saved);
        if is_closed {
            assert_eq!(saved.chain, verdict.chain);
        }
        // It is a journal like any other.
        let (mut writer, recovery) = Writer::resume(&settings(out.path(), SMALL), &header()).unwrap();
        assert!(recovery.was_closed);
        append(&mut writer, RecordKind::Run, 1, b"on");
        writer.close().unwrap();
    }
}

/// Whatever is done to one byte, or to the files: what is saved is what a walk accepts, and the old journal stays.
#[test]
fn j03_j04_what_holds_is_saved_and_the_damaged_journal_is_not_touched() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        make(dir.path(), dice.below(2) == 0);
        let total = verify(dir.path()).unwrap();
        let info = &total.list[dice.below(total.list.len() as u64) as usize];
        let path = segment(dir.path(), info.number);
        let mut bytes = fs::read(&path).unwrap();
        let mut at = dice.below(info.bytes_used) as usize;
        match dice.below(4) {
            0 => fs::remove_file(&path).unwrap(),
            1 => fs::write(&path, &bytes[..at]).unwrap(),
            _ => {
                if (384..392).contains(&at) {
                    at += 8;
                }
                bytes[at] ^= 1 << dice.below(8);
                fs::write(&path, &bytes).unwrap();
            }
        }
        let before = files(dir.path());
        let saved = match salvage(dir.path(), out.path()) {
            Ok(saved) => saved,
            Err(JournalError::Damage(damage)) => {
                assert_eq!(damage.segment, 1, "only where not even the first record is left");
                assert_eq!(files(out.path()).len(), 0);
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(files(dir.path()), before);
        check(dir.path(), out.path(), &saved);
        let damage = saved.damage.clone().unwrap();
        assert!(damage.segment.abs_diff(info.number) <= 1, "{damage}, done to {}", info.number);
        assert!(saved.last_seq + 1 >= info.first_seq && saved.last_seq <= info.last_seq, "{damage}");
        // All records behind but the one hit, and those of a file that is gone or cut.
        assert!(saved.behind + saved.last_seq <= total.records);
        let is_there = fs::metadata(&path).is_ok_and(|now| now.len() == SMALL);
        if is_there {
            let hit = u64::from(at >= 512);
            assert!(saved.behind + saved.last_seq + hit >= total.records, "{damage}: {}", saved.behind);
        }
    }
}

#[test]
fn j16_a_tampered_segment_is_not_saved() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(dir.path(), true);
    let list = verify(dir.path()).unwrap().list;
    // The chain block of segment 4 says what segment 3 must be.
    let path = segment(dir.path(), 4);
    let mut bytes = fs::read(&path).unwrap();
    bytes[290] ^= 1;
    let crc = crc32c::crc32c(&bytes[260..384]);
    bytes[256..260].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let saved = salvage(dir.path(), out.path()).unwrap();
    assert_eq!(saved.last_seq, list[1].last_seq);
    assert_eq!(saved.damage.as_ref().map(|damage| &damage.reason), Some(&Reason::Chain));
    assert_eq!(saved.chain, {
        let own = verify(out.path()).unwrap();
        own.list[1].chain
    });
    check(dir.path(), out.path(), &saved);
}

#[test]
fn where_a_journal_is_nothing_is_written() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(dir.path(), true);
    make(out.path(), true);
    let before = (files(dir.path()), files(out.path()));
    assert!(matches!(salvage(dir.path(), out.path()), Err(JournalError::NotEmpty { .. })));
    assert!(matches!(salvage(dir.path(), dir.path()), Err(JournalError::NotEmpty { .. })));
    assert_eq!((files(dir.path()), files(out.path())), before);
    assert!(matches!(salvage(out.path().join("none"), dir.path()), Err(JournalError::Io { .. })));
}

#[test]
fn a_journal_that_is_being_written_is_taken_as_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), 1 << 16);
    settings.sync = SyncPolicy::Every(std::time::Duration::from_millis(1));
    let mut writer = Writer::create(&settings, &header()).unwrap();
    for round in 1..6 {
        fill(&mut writer, round * 700);
        let out = tempfile::tempdir().unwrap();
        let saved = salvage(dir.path(), out.path()).unwrap();
        assert_eq!((saved.last_seq, &saved.damage), (round * 700, &None));
        check(dir.path(), out.path(), &saved);
    }
    writer.close().unwrap();
    assert!(verify(dir.path()).unwrap().is_sound());
}

#[test]
fn a_pruned_journal_keeps_its_base() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut synced = settings(dir.path(), SMALL);
    synced.sync = SyncPolicy::Every(std::time::Duration::from_millis(1));
    let mut writer = Writer::create(&synced, &header()).unwrap();
    fill(&mut writer, 300);
    writer.close().unwrap();
    let retention = Retention { bytes_max: Some(SMALL * 4), from: None };
    let plan = plan_prune(dir.path(), &retention).unwrap().unwrap();
    let base = Snapshot {
        place: plan.place,
        ts: TsNs(1),
        build: [1; 16],
        config: b"c".to_vec(),
        state: b"s".to_vec(),
    };
    prune(dir.path(), &base).unwrap();
    let newest = Reader::open(dir.path()).unwrap().segment_count() as u32 + plan.place.segment - 1;
    let path = segment(dir.path(), newest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[600] ^= 1;
    fs::write(&path, bytes).unwrap();
    let saved = salvage(dir.path(), out.path()).unwrap();
    assert_eq!(saved.first_seq, plan.last_seq + 1);
    assert_eq!(Reader::open(out.path()).unwrap().base(), Some(&base));
    check(dir.path(), out.path(), &saved);
}
