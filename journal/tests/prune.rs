//! Snapshots and pruning: what is passed over, what is refused, and what is left after a kill at any step.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{SMALL, fill, header, payload, settings};
use smc_core::TsNs;
use smc_journal::{
    JournalError, JournalSettings, Kept, Place, PrunePlan, Reader, RecordKind, Retention, Snapshot,
    SyncPolicy, Tail, Writer, plan_prune, prune, read_snapshot, snapshots, verify, write_snapshot,
};
use std::fs;
use std::path::Path;
use std::time::Duration;

fn synced(dir: &Path) -> JournalSettings {
    JournalSettings { sync: SyncPolicy::Every(Duration::from_millis(1)), ..settings(dir, SMALL) }
}

/// A closed journal of many small segments, all synced.
fn make(dir: &Path, last: u64) {
    let mut writer = Writer::create(&synced(dir), &header()).unwrap();
    fill(&mut writer, last);
    writer.close().unwrap();
}

fn plan(dir: &Path, segments: usize) -> PrunePlan {
    let from = Reader::open(dir).unwrap().segment_count() - segments;
    let retention = Retention { bytes_max: Some(from as u64 * SMALL), from: None };
    plan_prune(dir, &retention).unwrap().unwrap()
}

fn base(place: Place) -> Snapshot {
    Snapshot {
        place,
        ts: TsNs(place.seq * 10),
        build: [1; 16],
        config: b"config".to_vec(),
        state: place.seq.to_le_bytes().into(),
    }
}

/// Every record from `first` on, checked; the number of the last.
fn read_from(dir: &Path, first: u64) -> u64 {
    let reader = Reader::open(dir).unwrap();
    assert_eq!(reader.first_seq(), first);
    let mut last = first - 1;
    for record in reader.records() {
        let record = record.unwrap();
        last += 1;
        assert_eq!(record.seq, last);
        if record.kind == RecordKind::Input {
            assert_eq!(record.payload, payload(last));
        }
    }
    last
}

#[test]
fn a_pruned_journal_begins_at_its_base_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    make(dir, 300);
    let before = verify(dir).unwrap();
    let plan = plan(dir, 3);
    assert_eq!(plan.segments, [1, 2, 3]);
    assert_eq!(plan.place.seq, plan.last_seq);
    assert_eq!(prune(dir, &base(plan.place)).unwrap(), 3);
    let verdict = verify(dir).unwrap();
    assert!(verdict.is_sound() && verdict.is_closed, "{verdict}");
    assert_eq!(verdict.chain, before.chain, "the chain hash is the one of the whole journal");
    assert_eq!((verdict.first_seq, verdict.records), (plan.last_seq + 1, 301 - plan.last_seq));
    assert_eq!(read_from(dir, plan.last_seq + 1), 301);
    assert_eq!(Reader::open(dir).unwrap().base(), Some(&base(plan.place)));
    let mut tail = Tail::open(dir).unwrap();
    assert_eq!(tail.poll().unwrap().unwrap().seq, plan.last_seq + 1);

    let (mut writer, recovery) = Writer::resume(&synced(dir), &header()).unwrap();
    assert_eq!(recovery.records, 301);
    fill(&mut writer, 600);
    writer.close().unwrap();
    assert!(verify(dir).unwrap().is_sound());
    assert_eq!(read_from(dir, plan.last_seq + 1), 601);
    // Once more, from a base to a later one.
    let again = self::plan(dir, 4);
    assert_eq!(again.segments, [4, 5, 6, 7]);
    prune(dir, &base(again.place)).unwrap();
    assert_eq!(read_from(dir, again.last_seq + 1), 601);
    assert!(verify(dir).unwrap().is_sound());
}

#[test]
fn a_prune_killed_at_any_step_leaves_the_old_or_the_new_journal() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 300);
    let plan = plan(dir.path(), 3);
    let name = |number: u32| dir.path().join(format!("{number:08}.smcj"));
    let kept: Vec<_> =
        plan.segments.iter().map(|&number| (name(number), fs::read(name(number)).unwrap())).collect();
    fs::write(dir.path().join("00000004.tmp"), b"half a base").unwrap();
    assert_eq!(read_from(dir.path(), 1), 301, "a base without its name is none");
    prune(dir.path(), &base(plan.place)).unwrap();
    // Each subset that a killed removal can leave: the first ones gone, the others still there.
    for gone in 0..=kept.len() {
        for (path, bytes) in &kept[gone..] {
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(read_from(dir.path(), plan.last_seq + 1), 301);
        assert!(verify(dir.path()).unwrap().is_sound());
        assert_eq!(prune(dir.path(), &base(plan.place)).unwrap(), (kept.len() - gone) as u32);
    }
}

#[test]
fn j04_segments_that_are_missing_without_a_fitting_base_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 300);
    let plan = plan(dir.path(), 3);
    prune(dir.path(), &base(plan.place)).unwrap();
    let path = dir.path().join("00000004.base");
    let bytes = fs::read(&path).unwrap();
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        assert!(Reader::open(dir.path()).is_err(), "bit {bit}");
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(JournalError::Damage(damage)) if damage.segment == 1));
    // A base of another journal, sound in itself.
    let other = tempfile::tempdir().unwrap();
    make(other.path(), 280);
    let theirs = self::plan(other.path(), 3);
    prune(other.path(), &base(theirs.place)).unwrap();
    fs::copy(other.path().join("00000004.base"), &path).unwrap();
    let is_same = theirs.place == plan.place;
    assert!(is_same || Reader::open(dir.path()).is_err());
    // The newest segments missing, too.
    fs::write(&path, &bytes).unwrap();
    fs::remove_file(dir.path().join("00000005.smcj")).unwrap();
    assert!(matches!(Reader::open(dir.path()), Err(JournalError::Damage(damage)) if damage.segment == 5));
}

#[test]
fn the_newest_and_the_unsynced_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    fill(&mut writer, 300);
    drop(writer);
    let all = Retention { bytes_max: Some(0), from: None };
    assert_eq!(plan_prune(dir.path(), &all).unwrap(), Err(Kept::Unsynced(1)));
    // Resuming syncs what the dead writer had not.
    let (mut writer, _) = Writer::resume(&synced(dir.path()), &header()).unwrap();
    fill(&mut writer, 301);
    let count = verify(dir.path()).unwrap().list.iter().filter(|info| info.records > 0).count();
    let plan = plan_prune(dir.path(), &all).unwrap().unwrap();
    assert_eq!(plan.segments.len(), count - 2, "{plan:?}");
    // Beside the live writer.
    prune(dir.path(), &base(plan.place)).unwrap();
    fill(&mut writer, 400);
    assert!(writer.health().is_ok(), "{}", writer.health());
    writer.close().unwrap();
    assert!(verify(dir.path()).unwrap().is_sound());
    assert_eq!(read_from(dir.path(), plan.last_seq + 1), 401);
    let young = Retention { from: Some(TsNs(0)), bytes_max: None };
    assert_eq!(plan_prune(dir.path(), &young).unwrap(), Err(Kept::Young));
    let old = Retention { from: Some(TsNs(3_600)), bytes_max: None };
    let plan = plan_prune(dir.path(), &old).unwrap().unwrap();
    assert!(plan.last_seq < 360 && plan.last_seq > 300, "{plan:?}");
}

#[test]
fn j15_a_snapshot_counts_only_where_the_journal_has_its_record() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 300);
    let reader = Reader::open(dir.path()).unwrap();
    for record in reader.records().map(Result::unwrap) {
        let place = reader.place_of(&record).unwrap();
        let mut rest = reader.records_after(&place).unwrap();
        let next = rest.next();
        assert_eq!(next.map(|next| next.unwrap().seq), (record.seq < 301).then_some(record.seq + 1));
        if record.seq % 50 == 0 {
            assert_eq!(rest.last().map(|last| last.unwrap().seq), (record.seq < 300).then_some(301));
            write_snapshot(dir.path(), &base(place)).unwrap();
        }
        // A record later, earlier, with another checksum, elsewhere.
        for wrong in [
            Place { seq: place.seq + 1, ..place },
            Place { crc: place.crc ^ 1, ..place },
            Place { offset: place.offset + 8, ..place },
            Place { segment: place.segment + 1, ..place },
            Place { prev_chain: [9; 32], ..place },
            Place { segment: 99, ..place },
        ] {
            assert!(reader.records_after(&wrong).is_err(), "{wrong:?}");
        }
    }
    assert_eq!(snapshots(dir.path()).unwrap(), [50, 100, 150, 200, 250, 300]);
    let snapshot = read_snapshot(dir.path(), 200).unwrap();
    assert_eq!(reader.records_after(&snapshot.place).unwrap().next().unwrap().unwrap().seq, 201);
    fs::copy(
        dir.path().join(format!("snapshot-{:020}", 100)),
        dir.path().join(format!("snapshot-{:020}", 120)),
    )
    .unwrap();
    assert!(read_snapshot(dir.path(), 120).is_err(), "a file under another's name");
}

#[test]
fn j14_times_that_go_back_are_kept_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    for ts in [5, 9, 3, 3, 2, 10] {
        common::append(&mut writer, RecordKind::Output, ts, b"x");
    }
    writer.close().unwrap();
    let verdict = verify(dir.path()).unwrap();
    assert!(verdict.is_sound());
    assert_eq!(verdict.went_back, 2);
}
