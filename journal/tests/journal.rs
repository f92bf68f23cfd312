//! The journal as its users see it: write, close, read, resume, refuse.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{SMALL, append, fill, header, payload, read_all, settings};
use smc_core::TsNs;
use smc_journal::{
    AppendError, Ending, Header, JournalError, Reader, Reason, RecordKind, SyncPolicy, Tail, Writer, verify,
};
use std::fs;
use std::path::Path;
use std::time::Duration;

fn segment(dir: &Path, number: u32) -> std::path::PathBuf {
    dir.join(format!("{number:08}.smcj"))
}

/// A closed journal of several segments.
fn closed(dir: &Path, last: u64) {
    let mut writer = Writer::create(&settings(dir, SMALL), &header()).unwrap();
    fill(&mut writer, last);
    writer.close().unwrap();
}

#[test]
fn what_was_appended_is_read_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 400);
    assert_eq!(read_all(dir.path()), Ok(401));
    let verdict = verify(dir.path()).unwrap();
    assert!(verdict.is_sound() && verdict.is_closed, "{verdict}");
    assert_eq!(verdict.records, 401);
    assert!(verdict.segments > 5, "{verdict}");
    assert_eq!(verdict.list.iter().map(|info| info.records).sum::<u64>(), 401);
    assert_eq!(verdict.list[0].first_seq, 1);
    assert_eq!(verdict.list[1].first_seq, verdict.list[0].last_seq + 1);
    assert_eq!(verdict.list[1].first_ts, TsNs(verdict.list[1].first_seq * 10));
    let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let (segments, others): (Vec<_>, Vec<_>) =
        files.partition(|path| path.extension() == Some("smcj".as_ref()));
    assert_eq!(segments.len(), verdict.segments as usize, "spares are gone");
    // The lock file, and an index of every segment but the last.
    assert_eq!(others.len(), verdict.segments as usize, "{others:?}");
}

#[test]
fn an_empty_journal_and_empty_payloads_are_fine() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    assert_eq!(writer.append(RecordKind::Run, TsNs(5), &[]), Ok(1));
    assert_eq!(writer.append(RecordKind::Config, TsNs(4), b"x"), Ok(2), "time may go back");
    drop(writer);
    let reader = Reader::open(dir.path()).unwrap();
    let mut records = reader.records();
    let kinds: Vec<_> = records.by_ref().map(|record| record.unwrap().kind).collect();
    assert_eq!(kinds, [RecordKind::Run, RecordKind::Config]);
    assert_eq!(records.ending(), Some(&Ending::Open));
    assert_eq!(reader.header(), &header());
}

#[test]
fn refusals_of_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        Writer::create(&settings(dir.path(), 100), &header()),
        Err(JournalError::Setting { name: "segment_bytes", .. })
    ));
    let long = Header { account: "a".repeat(33), ..header() };
    assert!(Writer::create(&settings(dir.path(), SMALL), &long).is_err());
    assert!(matches!(
        Writer::resume(&settings(dir.path(), SMALL), &header()),
        Err(JournalError::Empty { .. })
    ));
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    assert_eq!(writer.append(RecordKind::Close, TsNs(0), &[]), Err(AppendError::ReservedKind));
    let max = match writer.append(RecordKind::Input, TsNs(0), &[0; 4096]) {
        Err(AppendError::TooLong { len: 4096, max }) => max,
        other => panic!("{other:?}"),
    };
    assert_eq!(writer.next_seq(), 1);
    assert_eq!(append(&mut writer, RecordKind::Input, 0, &vec![7; max]), 1);
    assert_eq!(append(&mut writer, RecordKind::Input, 0, &vec![8; max]), 2);
    writer.close().unwrap();
    assert_eq!(verify(dir.path()).unwrap().records, 3);
    assert!(matches!(
        Writer::create(&settings(dir.path(), SMALL), &header()),
        Err(JournalError::NotEmpty { .. })
    ));
}

#[test]
fn j11_a_second_writer_is_refused_by_the_owners_name() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    for result in [
        Writer::create(&settings(dir.path(), SMALL), &header()).err(),
        Writer::resume(&settings(dir.path(), SMALL), &header()).err(),
    ] {
        match result {
            Some(JournalError::Locked { owner, .. }) => {
                assert!(owner.contains(&format!("pid {}", std::process::id())), "{owner}");
            }
            other => panic!("{other:?}"),
        }
    }
    drop(writer);
    assert!(Writer::resume(&settings(dir.path(), SMALL), &header()).is_ok());
}

#[test]
fn resume_goes_on_in_a_new_segment_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    fill(&mut writer, 100);
    drop(writer);
    for round in 1..8 {
        let (mut writer, recovery) = Writer::resume(&settings(dir.path(), SMALL), &header()).unwrap();
        assert_eq!(recovery.torn, None);
        assert_eq!(writer.next_seq(), recovery.records + 1);
        assert_eq!(recovery.was_closed, round % 2 == 0, "round {round}");
        append(&mut writer, RecordKind::Run, 0, b"again");
        let next = writer.next_seq();
        fill(&mut writer, next + round * 20);
        if round % 2 == 1 {
            writer.close().unwrap()
        } else {
            drop(writer)
        }
        let verdict = verify(dir.path()).unwrap();
        assert!(verdict.is_sound(), "round {round}: {verdict}");
    }
    read_all(dir.path()).unwrap();
}

#[test]
fn j13_resume_refuses_another_account_environment_or_instrument_table() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 3);
    for (name, other) in [
        ("account", Header { account: "other".into(), ..header() }),
        ("environment", Header { environment: "live".into(), ..header() }),
        ("instrument table", Header { instruments_hash: [9; 32], ..header() }),
    ] {
        match Writer::resume(&settings(dir.path(), SMALL), &other) {
            Err(JournalError::Mismatch { name: found, .. }) => assert_eq!(found, name),
            other => panic!("{name}: {:?}", other.err()),
        }
    }
    let other = Header { build: [9; 16], config_hash: [8; 32], ..header() };
    let (_, recovery) = Writer::resume(&settings(dir.path(), SMALL), &other).unwrap();
    assert!(recovery.build_changed && recovery.config_changed);
}

#[test]
fn j02_a_torn_tail_is_dropped_reported_and_stays_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), 8192), &header()).unwrap();
    fill(&mut writer, 30);
    let offset = writer.offset() as usize;
    drop(writer);
    let mut bytes = fs::read(segment(dir.path(), 1)).unwrap();
    bytes[offset..offset + 50].fill(0xEE);
    fs::write(segment(dir.path(), 1), bytes).unwrap();
    let verdict = verify(dir.path()).unwrap();
    assert_eq!((verdict.records, verdict.dropped_bytes), (30, 50), "{verdict}");
    assert!(!verdict.is_sound() && verdict.damage.is_none());
    let (mut writer, recovery) = Writer::resume(&settings(dir.path(), 8192), &header()).unwrap();
    assert_eq!((recovery.records, recovery.dropped_bytes), (30, 50));
    assert_eq!(recovery.torn.map(|torn| (torn.segment, torn.offset, torn.seq)), Some((1, offset as u64, 31)));
    fill(&mut writer, 60);
    writer.close().unwrap();
    assert_eq!(read_all(dir.path()), Ok(61));
    assert!(verify(dir.path()).unwrap().is_sound());
    let mut tail = Tail::open(dir.path()).unwrap();
    let mut last = 0;
    while last < 61 {
        if let Some(record) = tail.poll().unwrap() {
            last = record.seq;
        }
    }
    assert!(tail.is_closed());
}

#[test]
fn j03_damage_in_the_middle_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 100);
    let reader = Reader::open(dir.path()).unwrap();
    let (number, offset) =
        reader.records().map(Result::unwrap).find(|r| r.seq == 37).map(|r| (r.segment, r.offset)).unwrap();
    drop(reader);
    let mut bytes = fs::read(segment(dir.path(), number)).unwrap();
    bytes[offset as usize + 33] ^= 4;
    fs::write(segment(dir.path(), number), bytes).unwrap();
    let verdict = verify(dir.path()).unwrap();
    let damage = verdict.damage.unwrap();
    assert_eq!((damage.segment, damage.offset, damage.seq), (number, offset, 37));
    let text = damage.to_string();
    let start = format!("segment {number:08} offset {offset} record 37: checksum mismatch");
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(verdict.records, 36);
    assert!(matches!(
        Writer::resume(&settings(dir.path(), SMALL), &header()),
        Err(JournalError::Damage(found)) if found == damage
    ));
}

#[test]
fn j04_a_missing_swapped_or_duplicated_segment_is_refused() {
    for newest_killed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let make = |dir: &Path| {
            let _ = fs::remove_dir_all(dir);
            let mut writer = Writer::create(&settings(dir, SMALL), &header()).unwrap();
            fill(&mut writer, 300);
            let newest = writer.segment();
            if newest_killed {
                drop(writer)
            } else {
                writer.close().unwrap()
            }
            newest
        };
        let reason = |dir: &Path| verify(dir).unwrap().damage.map(|damage| (damage.segment, damage.reason));
        let newest = make(dir.path());
        for number in 1..=newest {
            make(dir.path());
            fs::remove_file(segment(dir.path(), number)).unwrap();
            assert_eq!(reason(dir.path()), Some((number, Reason::Missing)), "newest {newest}");
        }
        make(dir.path());
        fs::copy(segment(dir.path(), 2), segment(dir.path(), newest + 1)).unwrap();
        assert_eq!(reason(dir.path()), Some((newest + 1, Reason::Number { found: 2 })));
        make(dir.path());
        fs::rename(segment(dir.path(), 2), dir.path().join("x")).unwrap();
        fs::rename(segment(dir.path(), 3), segment(dir.path(), 2)).unwrap();
        fs::rename(dir.path().join("x"), segment(dir.path(), 3)).unwrap();
        assert_eq!(reason(dir.path()), Some((2, Reason::Number { found: 3 })));
    }
}

#[test]
fn j04_a_missing_resumed_segment_is_known_from_the_lock_file() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 5);
    let (mut writer, _) = Writer::resume(&settings(dir.path(), SMALL), &header()).unwrap();
    fill(&mut writer, 9);
    writer.close().unwrap();
    fs::remove_file(segment(dir.path(), 2)).unwrap();
    assert_eq!(verify(dir.path()).unwrap().damage.unwrap().reason, Reason::Missing);
}

#[test]
fn j12_an_unknown_version_is_refused_and_untouched() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 20);
    let mut bytes = fs::read(segment(dir.path(), 1)).unwrap();
    bytes[8] = 2;
    fs::write(segment(dir.path(), 1), &bytes).unwrap();
    for result in [
        Reader::open(dir.path()).err(),
        Writer::resume(&settings(dir.path(), SMALL), &header()).err(),
        Tail::open(dir.path()).err(),
    ] {
        match result {
            Some(JournalError::Damage(damage)) => {
                assert_eq!(damage.reason, Reason::Version { found: 2 });
                assert_eq!(
                    damage.to_string(),
                    "segment 00000001 offset 0: format version 2 is not known here"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fs::read(segment(dir.path(), 1)).unwrap(), bytes);
}

/// Edit a payload, then repair its checksum and every link and checksum behind it: only the chain can tell.
#[test]
fn j16_tampering_with_repaired_checksums_is_caught_by_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    closed(dir.path(), 60);
    let segments = verify(dir.path()).unwrap().segments;
    let originals: Vec<_> = (1..=segments).map(|n| fs::read(segment(dir.path(), n)).unwrap()).collect();
    for edited in 0..originals.len() {
        let mut link = 0u32;
        for (index, original) in originals.iter().enumerate() {
            let mut bytes = original.clone();
            if index == edited {
                bytes[512 + padded(original, 512) + 32] ^= 1;
            }
            bytes[280..284].copy_from_slice(&link.to_le_bytes());
            let crc = crc32c(&bytes[260..384]);
            bytes[256..260].copy_from_slice(&crc.to_le_bytes());
            let mut at = 512;
            while bytes.get(at + 4).is_some_and(|&length| length != 0) {
                let size = padded(&bytes, at);
                bytes[at + 28..at + 32].copy_from_slice(&link.to_le_bytes());
                link = record_crc(&bytes[at..at + size]);
                bytes[at..at + 4].copy_from_slice(&link.to_le_bytes());
                at += size;
            }
            fs::write(segment(dir.path(), index as u32 + 1), bytes).unwrap();
        }
        read_all_but_altered(dir.path());
        let damage = verify(dir.path()).unwrap().damage.unwrap();
        assert_eq!((damage.segment, damage.reason), (edited as u32 + 1, Reason::Chain));
    }
}

/// Without the chain everything fits: the test above is about the chain and nothing else.
fn read_all_but_altered(dir: &Path) {
    assert!(Reader::open(dir).unwrap().records().all(|record| record.is_ok()));
}

fn padded(bytes: &[u8], at: usize) -> usize {
    (u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize).next_multiple_of(8)
}

/// The checksum as FORMAT.md says it, written a second time.
fn record_crc(record: &[u8]) -> u32 {
    let mut bytes = record[32..].to_vec();
    bytes.extend([0; 4]);
    bytes.extend(&record[4..32]);
    crc32c(&bytes)
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn j09_a_cut_segment_stops_the_writer_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), 1 << 20), &header()).unwrap();
    fill(&mut writer, 10);
    fs::remove_file(segment(dir.path(), 1)).unwrap();
    while !writer.health().is_cut() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(writer.append(RecordKind::Input, TsNs(0), &[]), Err(AppendError::Cut));
    assert!(matches!(writer.close(), Err(JournalError::Unhealthy(health)) if health.is_cut()));
}

#[test]
fn syncing_catches_up_and_the_header_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), 1 << 16);
    settings.sync = SyncPolicy::Every(Duration::from_millis(2));
    let mut writer = Writer::create(&settings, &header()).unwrap();
    fill(&mut writer, 3000);
    while writer.unsynced_bytes() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(writer.health().is_ok(), "{}", writer.health());
    fill(&mut writer, 3010);
    assert!(writer.unsynced_bytes() > 0);
    writer.close().unwrap();
    assert_eq!(read_all(dir.path()), Ok(3011));
    let bytes = fs::read(segment(dir.path(), 1)).unwrap();
    assert_ne!(bytes[384..392], [0; 8]);
}

#[test]
fn a_reader_and_a_tail_see_a_live_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    let mut tail = Tail::open(dir.path()).unwrap();
    assert!(tail.poll().unwrap().is_none());
    for last in [1, 5, 90, 91, 200] {
        fill(&mut writer, last);
        while tail.next_seq() <= last {
            if let Some(record) = tail.poll().unwrap() {
                assert_eq!(record.payload, payload(record.seq));
            }
        }
        assert!(tail.poll().unwrap().is_none());
        assert_eq!(read_all(dir.path()), Ok(last));
        let mut late = Tail::open_from(dir.path(), last).unwrap();
        let seq = loop {
            if let Some(record) = late.poll().unwrap() {
                break record.seq;
            }
        };
        assert_eq!(seq, last);
    }
}
