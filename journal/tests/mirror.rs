//! A journal with a mirror: what the mirror is at any time, what it refuses, and what can be repaired from it.
//!
//! `JOURNAL_REPAIRS` sets the rounds of the random tests (60 by default); a failure prints its seed.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{Dice, SMALL, append, files, fill, header, payload, read_all, segment, segments, settings};
use smc_core::TsNs;
use smc_journal::{
    AppendError, JournalError, JournalSettings, MirrorFault, Reader, RecordKind, RepairError, Repaired,
    Retention, Snapshot, SyncPolicy, Tail, Writer, plan_prune, prune, repair, verify,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A directory with room for a journal and its mirror.
struct Home {
    _dir: tempfile::TempDir,
    journal: PathBuf,
    mirror: PathBuf,
}

fn home() -> Home {
    let dir = tempfile::tempdir().unwrap();
    let (journal, mirror) = (dir.path().join("journal"), dir.path().join("mirror"));
    Home { _dir: dir, journal, mirror }
}

impl Home {
    fn settings(&self) -> JournalSettings {
        JournalSettings {
            sync: SyncPolicy::Every(Duration::from_millis(1)),
            mirror: Some(self.mirror.clone()),
            ..settings(&self.journal, SMALL)
        }
    }

    /// A journal of runs up to each of these records, the last one closed if wanted.
    fn make(&self, runs: &[u64], is_closed: bool) -> u64 {
        let mut writer = Writer::create(&self.settings(), &header()).unwrap();
        for (run, &last) in runs.iter().enumerate() {
            if run > 0 {
                drop(writer);
                writer = Writer::resume(&self.settings(), &header()).unwrap().0;
            }
            fill(&mut writer, last);
        }
        let last = writer.next_seq() - 1;
        if !is_closed {
            drop(writer);
            return last;
        }
        writer.close().unwrap();
        last + 1
    }

    fn repair(&self) -> Result<Repaired, RepairError> {
        repair(&self.journal, &self.mirror, false)
    }
}

fn rounds() -> u64 {
    std::env::var("JOURNAL_REPAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_mirror_is_the_journal_byte_for_byte() {
    for is_closed in [false, true] {
        let home = home();
        let last = home.make(&[70, 230, 231, 500], is_closed);
        assert_eq!(read_all(&home.mirror), Ok(last));
        let (ours, theirs) = (verify(&home.journal).unwrap(), verify(&home.mirror).unwrap());
        assert_eq!((ours.chain, ours.records, ours.is_closed), (theirs.chain, theirs.records, is_closed));
        let mut journal = segments(&home.journal);
        journal.retain(|name, _| segments(&home.mirror).contains_key(name));
        assert!(journal == segments(&home.mirror), "segments differ");
        assert_eq!(journal.len(), ours.segments as usize, "spares are not mirrored");
    }
}

#[test]
fn the_mirror_is_followed_while_it_is_written() {
    let home = home();
    let mut writer = Writer::create(&home.settings(), &header()).unwrap();
    let mut tail = Tail::open(&home.mirror).unwrap();
    for last in [1, 40, 90, 400] {
        fill(&mut writer, last);
        wait("the mirror lags", || writer.unmirrored_bytes() == 0);
        while tail.next_seq() <= last {
            if let Some(record) = tail.poll().unwrap() {
                assert_eq!(record.payload, payload(record.seq));
            }
        }
        assert_eq!(read_all(&home.mirror), Ok(last));
        assert!(verify(&home.mirror).unwrap().is_sound());
    }
    // Nobody else may write there meanwhile.
    let second = JournalSettings { dir: home.mirror.clone(), mirror: None, ..home.settings() };
    assert!(matches!(Writer::resume(&second, &header()), Err(JournalError::Locked { .. })));
    assert!(matches!(
        repair(&home.mirror, &home.journal, false),
        Err(RepairError::Journal(JournalError::Locked { .. }))
    ));
}

#[test]
fn a_mirror_in_the_journals_own_directory_or_of_another_journal_is_refused() {
    let home = home();
    fs::create_dir_all(&home.journal).unwrap();
    let own = JournalSettings { mirror: Some(home.journal.join(".")), ..home.settings() };
    let fault = |error: Option<JournalError>| match error {
        Some(JournalError::Mirror { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(fault(Writer::create(&own, &header()).err()), MirrorFault::SameDirectory);
    let last = home.make(&[100], true);
    // Of another journal, with the same header.
    let other = self::home();
    let mut writer = Writer::create(&other.settings(), &header()).unwrap();
    append(&mut writer, RecordKind::Config, 0, b"another");
    fill(&mut writer, 60);
    drop(writer);
    let theirs = files(&other.mirror);
    let wrong = JournalSettings { mirror: Some(other.mirror.clone()), ..home.settings() };
    assert_eq!(
        fault(Writer::resume(&wrong, &header()).err()),
        MirrorFault::Diverges { segment: 1, offset: 512 }
    );
    assert!(
        matches!(Writer::create(&JournalSettings { dir: other.journal.join("new"), ..wrong.clone() }, &header()), Err(JournalError::NotEmpty { dir }) if dir == other.mirror)
    );
    assert_eq!(files(&other.mirror), theirs, "the other's mirror is untouched");
    assert_eq!(read_all(&home.journal), Ok(last));
    let text = Writer::resume(&wrong, &header()).err().unwrap().to_string();
    assert!(text.contains("mirror") && text.contains("segment 00000001 differs at offset 512"), "{text}");
}

/// Whatever part of a mirror is there: it is completed. Whatever else is there: it is refused and left.
#[test]
fn j04_j05_a_resumed_journal_completes_its_mirror_or_refuses_it() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let home = home();
        home.make(&[60 + dice.below(200), 300, 330], dice.below(2) == 0);
        let list = verify(&home.mirror).unwrap().list;
        let info = &list[dice.below(list.len() as u64) as usize];
        let path = segment(&home.mirror, info.number);
        let mut bytes = fs::read(&path).unwrap();
        let is_refused = match dice.below(6) {
            0 => {
                fs::remove_dir_all(&home.mirror).unwrap();
                false
            }
            // Files from one on are gone, and of the one before only the first bytes were written.
            1 | 2 => {
                for later in info.number + 1..=list.len() as u32 {
                    fs::remove_file(segment(&home.mirror, later)).unwrap();
                }
                // A write is torn between sectors or pages, so never within a word.
                let keep = 512 + dice.below((info.bytes_used - 512) / 8 + 1) as usize * 8;
                bytes[keep..].fill(0);
                fs::write(&path, &bytes).unwrap();
                false
            }
            3 => {
                bytes[256..512].fill(0);
                fs::write(&path, &bytes).unwrap();
                false
            }
            4 => {
                // A bit that is set where the journal has it not, or the other way.
                let at = 512 + dice.below(info.bytes_used - 512) as usize;
                bytes[at] ^= 1 << dice.below(8);
                let word = &bytes[at / 8 * 8..at / 8 * 8 + 8];
                let is_gone = word.iter().all(|&byte| byte == 0);
                fs::write(&path, &bytes).unwrap();
                !is_gone
            }
            _ => {
                bytes[SMALL as usize - 3] = 1;
                fs::write(&path, &bytes).unwrap();
                true
            }
        };
        let before = files(&home.mirror);
        match Writer::resume(&home.settings(), &header()) {
            Ok((mut writer, recovery)) => {
                assert!(!is_refused);
                fill(&mut writer, recovery.records + 100);
                writer.close().unwrap();
                assert!(segments(&home.journal) == segments(&home.mirror));
                assert!(verify(&home.mirror).unwrap().is_sound());
            }
            Err(JournalError::Mirror { dir, .. }) => {
                assert!(is_refused && dir == home.mirror);
                assert_eq!(files(&home.mirror), before);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The journal lost its end, the mirror did not: resuming refuses, repairing brings it back.
#[test]
fn j06_what_the_mirror_has_more_is_not_overwritten_and_can_be_had_back() {
    for keep in [1, 2, 4] {
        let home = home();
        let last = home.make(&[300], false);
        let whole = segments(&home.mirror);
        let newest = whole.len() as u32;
        for later in keep + 1..=newest {
            fs::remove_file(segment(&home.journal, later)).unwrap();
        }
        let path = segment(&home.journal, keep);
        let mut bytes = fs::read(&path).unwrap();
        let reader = Reader::open(&home.mirror).unwrap();
        let lost =
            reader.records().map(Result::unwrap).filter(|record| record.segment == keep).last().unwrap();
        bytes[lost.offset as usize..].fill(0);
        fs::write(&path, bytes).unwrap();
        let mirror = files(&home.mirror);
        match Writer::resume(&home.settings(), &header()) {
            Err(JournalError::Mirror { fault: MirrorFault::Ahead { segment, offset }, .. }) => {
                assert_eq!((segment, offset), (keep, lost.offset));
            }
            other => panic!("{:?}", other.err()),
        }
        let dry = repair(&home.journal, &home.mirror, true).unwrap();
        assert_eq!(verify(&home.journal).unwrap().records, lost.seq - 1, "a dry run changes nothing");
        let done = home.repair().unwrap();
        let numbers: Vec<_> = done.segments.iter().map(|replaced| replaced.number).collect();
        assert_eq!(numbers, dry.segments.iter().map(|replaced| replaced.number).collect::<Vec<_>>());
        assert_eq!(numbers, (keep..=newest).collect::<Vec<_>>());
        assert_eq!(files(&home.mirror), mirror);
        assert!(segments(&home.journal) == whole);
        let (mut writer, recovery) = Writer::resume(&home.settings(), &header()).unwrap();
        assert_eq!(recovery.records, last);
        fill(&mut writer, last + 50);
        writer.close().unwrap();
        assert!(verify(&home.journal).unwrap().is_sound());
    }
}

/// Bits flipped anywhere that counts: repaired byte for byte, the damaged file kept, no other file touched.
#[test]
fn j03_flipped_bits_are_repaired_from_the_mirror() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let home = home();
        home.make(&[90, 250, 400], true);
        let whole = files(&home.journal);
        let verdict = verify(&home.journal).unwrap();
        let mut hurt = std::collections::BTreeSet::new();
        for _ in 0..1 + dice.below(4) {
            let info = &verdict.list[dice.below(verdict.list.len() as u64) as usize];
            let path = segment(&home.journal, info.number);
            let mut bytes = fs::read(&path).unwrap();
            let at = dice.below(info.bytes_used) as usize;
            if (384..392).contains(&at) {
                continue;
            }
            bytes[at] ^= 1 << dice.below(8);
            fs::write(&path, bytes).unwrap();
            hurt.insert(info.number);
        }
        hurt.retain(|&number| {
            fs::read(segment(&home.journal, number)).unwrap() != whole[&segment(&home.journal, number)]
        });
        let damaged: Vec<_> =
            hurt.iter().map(|&number| fs::read(segment(&home.journal, number)).unwrap()).collect();
        let done = home.repair().unwrap();
        let numbers: Vec<_> = done.segments.iter().map(|replaced| replaced.number).collect();
        assert_eq!(numbers, hurt.iter().copied().collect::<Vec<_>>());
        assert_eq!(done.chain, verdict.chain);
        assert_eq!(verify(&home.journal).unwrap(), verdict);
        for (replaced, damaged) in done.segments.iter().zip(&damaged) {
            assert_eq!(&fs::read(replaced.kept.as_ref().unwrap()).unwrap(), damaged);
            fs::remove_file(replaced.kept.as_ref().unwrap()).unwrap();
        }
        for (path, mut bytes) in files(&home.journal) {
            let mut was = whole[&path].clone();
            if path.extension() == Some("smcj".as_ref()) {
                bytes[384..392].fill(0);
                was[384..392].fill(0);
            }
            assert!(bytes == was, "{}", path.display());
        }
        assert_eq!(home.repair().unwrap().segments, [], "nothing is left to do");
    }
}

/// Segments deleted, cut, emptied, swapped, doubled or replaced by another journal's: repaired byte for byte.
#[test]
fn j04_j05_lost_cut_and_swapped_segments_are_repaired_from_the_mirror() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let home = home();
        home.make(&[90, 250, 400], dice.below(2) == 0);
        let verdict = verify(&home.journal).unwrap();
        let whole = segments(&home.mirror);
        let count = verdict.segments;
        let pick = |dice: &mut Dice| 1 + dice.below(u64::from(count)) as u32;
        for _ in 0..1 + dice.below(2) {
            let (one, two) = (pick(&mut dice), pick(&mut dice));
            let (first, second) = (segment(&home.journal, one), segment(&home.journal, two));
            match dice.below(6) {
                0 => drop(fs::remove_file(&first)),
                1 => {
                    if let Ok(bytes) = fs::read(&first) {
                        fs::write(&first, &bytes[..dice.below(bytes.len().max(1) as u64) as usize]).unwrap();
                    }
                }
                2 if first.exists() && second.exists() => {
                    fs::rename(&first, home.journal.join("x")).unwrap();
                    fs::rename(&second, &first)
                        .or_else(|_| fs::rename(home.journal.join("x"), &first))
                        .unwrap();
                    let _ = fs::rename(home.journal.join("x"), &second);
                }
                3 => drop(fs::copy(&first, &second)),
                4 => fs::write(&first, b"").unwrap(),
                _ => {
                    let mut bytes = fs::read(&first).unwrap_or_default();
                    let from = dice.below(bytes.len() as u64 + 1) as usize;
                    bytes[from..].fill(0);
                    fs::write(&first, bytes).unwrap();
                }
            }
        }
        let done = home.repair().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(done.chain, verdict.chain);
        let mut ours = segments(&home.journal);
        ours.retain(|name, _| whole.contains_key(name));
        assert!(ours == whole);
        assert_eq!(verify(&home.journal).unwrap().records, verdict.records);
        assert!(verify(&home.journal).unwrap().is_sound());
    }
}

/// Payload edited, checksums and linkage behind it made right again: only chain hashes tell, and the mirror knows.
#[test]
fn j16_tampering_is_repaired_from_the_mirror() {
    let home = home();
    home.make(&[200], true);
    let whole = segments(&home.journal);
    let verdict = verify(&home.journal).unwrap();
    for edited in 1..=verdict.segments {
        let mut link = None;
        for number in edited..=verdict.segments {
            let path = segment(&home.journal, number);
            let mut bytes = fs::read(&path).unwrap();
            if number == edited {
                // The second record: one before it must be left to know the mirror by.
                let first = u32::from_le_bytes(bytes[516..520].try_into().unwrap()) as usize;
                bytes[512 + first.next_multiple_of(8) + 32] ^= 1;
            } else if let Some(crc) = link {
                bytes[280..284].copy_from_slice(&u32::to_le_bytes(crc));
                let crc = crc32c::crc32c(&bytes[260..384]);
                bytes[256..260].copy_from_slice(&crc.to_le_bytes());
            }
            let mut at = 512;
            while bytes[at + 4..at + 8] != [0; 4] {
                let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
                if let Some(crc) = link {
                    bytes[at + 28..at + 32].copy_from_slice(&u32::to_le_bytes(crc));
                }
                bytes[at..at + 4].fill(0);
                let end = at + length.next_multiple_of(8);
                let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[at + 32..end]), &bytes[at..at + 32]);
                bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
                link = Some(crc);
                at = end;
            }
            fs::write(&path, bytes).unwrap();
        }
        assert!(!verify(&home.journal).unwrap().is_sound(), "segment {edited}");
        let done = home.repair().unwrap_or_else(|error| panic!("segment {edited}: {error}"));
        assert_eq!(done.segments.len(), (verdict.segments - edited + 1) as usize);
        assert!(segments(&home.journal) == whole);
        assert_eq!(verify(&home.journal).unwrap(), verdict);
    }
}

/// What cannot be repaired is left exactly as it is, and named.
#[test]
fn j03_j04_what_the_mirror_cannot_repair_is_left_alone() {
    let home = home();
    home.make(&[200], false);
    let refuse = |what: &str| {
        let before = (files(&home.journal), files(&home.mirror));
        let error = repair(&home.journal, &home.mirror, false).unwrap_err();
        assert_eq!((files(&home.journal), files(&home.mirror)), before, "{what}");
        error
    };
    let (journal, mirror) = (segment(&home.journal, 2), segment(&home.mirror, 2));
    let whole = fs::read(&journal).unwrap();
    let hurt = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    // Both damaged at the same segment.
    hurt(&journal, 700);
    hurt(&mirror, 900);
    match refuse("both") {
        RepairError::NoSegment { damage, mirror } => assert_eq!((damage.segment, mirror.segment), (2, 2)),
        other => panic!("{other}"),
    }
    hurt(&mirror, 900);
    // The mirror damaged elsewhere is no hindrance.
    let other = segment(&home.mirror, 1);
    hurt(&other, 700);
    assert_eq!(home.repair().unwrap().segments.len(), 1);
    assert_eq!(fs::read(&journal).unwrap()[512..], whole[512..]);
    hurt(&other, 700);

    // A mirror of another journal with the same header.
    let another = self::home();
    let mut writer = Writer::create(&another.settings(), &header()).unwrap();
    append(&mut writer, RecordKind::Config, 0, b"another");
    fill(&mut writer, 220);
    drop(writer);
    hurt(&journal, 700);
    let before = files(&home.journal);
    let error = repair(&home.journal, &another.mirror, false).unwrap_err();
    assert!(matches!(error, RepairError::Unsound(_)), "{error}");
    for number in 1..=40 {
        let _ = fs::remove_file(segment(&home.journal, number));
    }
    let error = repair(&home.journal, &another.mirror, false).unwrap_err();
    assert!(matches!(error, RepairError::NothingInCommon), "{error}");
    for (path, bytes) in before {
        fs::write(path, bytes).unwrap();
    }

    // The mirror ends earlier than the damaged file seems to.
    hurt(&journal, 700);
    let newest = verify(&home.journal).unwrap().segments;
    let reader = Reader::open(&home.mirror).unwrap();
    let last = reader.records().map(Result::unwrap).last().unwrap();
    let path = segment(&home.mirror, newest);
    let mut bytes = fs::read(&path).unwrap();
    bytes[last.offset as usize..].fill(0);
    fs::write(&path, bytes).unwrap();
    hurt(&segment(&home.journal, newest), 700);
    match refuse("behind") {
        RepairError::Behind { mirror_seq, journal_seq } => assert_eq!((mirror_seq, journal_seq), (199, 200)),
        other => panic!("{other}"),
    }
    assert!(matches!(repair(&home.journal, &home.journal, false), Err(RepairError::Journal(_))));
    assert!(matches!(repair(&home.journal, home.journal.join("none"), false), Err(RepairError::Journal(_))));
}

/// A mirror whose file goes away, or whose disk is full, is told once and costs the journal nothing.
#[test]
fn j08_j09_a_mirror_that_fails_is_told_and_the_journal_goes_on() {
    let home = home();
    let mut writer = Writer::create(&home.settings(), &header()).unwrap();
    fill(&mut writer, 20);
    fs::remove_dir_all(&home.mirror).unwrap();
    let mut last = 20;
    wait("nobody noticed", || {
        last += 1;
        fill(&mut writer, last);
        writer.health().mirror_failed()
    });
    assert!(writer.health().is_ok(), "{}", writer.health());
    assert!(writer.health().to_string().contains("mirror no longer written"), "{}", writer.health());
    fill(&mut writer, last + 300);
    let unmirrored = writer.unmirrored_bytes();
    assert!(unmirrored > 0);
    writer.close().unwrap();
    assert_eq!(read_all(&home.journal), Ok(last + 301));
    // Resumed, it has its mirror again.
    let (writer, _) = Writer::resume(&home.settings(), &header()).unwrap();
    assert!(!writer.health().mirror_failed());
    writer.close().unwrap();
    assert_eq!(read_all(&home.mirror), Ok(last + 302));
}

#[test]
fn a_pruned_journal_begins_a_mirror_at_its_base_and_is_repaired_from_it() {
    let home = home();
    home.make(&[300], true);
    fs::remove_dir_all(&home.mirror).unwrap();
    let retention = Retention { bytes_max: Some(SMALL * 4), from: None };
    let plan = plan_prune(&home.journal, &retention).unwrap().unwrap();
    let base = Snapshot {
        place: plan.place,
        ts: TsNs(1),
        build: [1; 16],
        config: b"c".to_vec(),
        state: b"s".to_vec(),
    };
    prune(&home.journal, &base).unwrap();
    let (mut writer, _) = Writer::resume(&home.settings(), &header()).unwrap();
    fill(&mut writer, 500);
    writer.close().unwrap();
    let verdict = verify(&home.journal).unwrap();
    assert_eq!(verify(&home.mirror).unwrap().chain, verdict.chain);
    assert_eq!(Reader::open(&home.mirror).unwrap().first_seq(), plan.last_seq + 1);
    let path = segment(&home.journal, plan.place.segment + 1);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..2000]).unwrap();
    assert_eq!(home.repair().unwrap().segments.len(), 1);
    assert_eq!(verify(&home.journal).unwrap(), verdict);
    // A mirror that goes further back than a journal that was pruned meanwhile stays as it is.
    let plan = plan_prune(&home.journal, &retention).unwrap().unwrap();
    let base = Snapshot { place: plan.place, ..base };
    prune(&home.journal, &base).unwrap();
    let (writer, _) = Writer::resume(&home.settings(), &header()).unwrap();
    writer.close().unwrap();
    assert!(verify(&home.mirror).unwrap().records > verify(&home.journal).unwrap().records);
    assert!(verify(&home.mirror).unwrap().is_sound());
}

/// The writer at full speed never waits for the mirror.
#[test]
fn a_slow_mirror_does_not_hold_the_writer() {
    let home = home();
    let settings = JournalSettings { segment_bytes: 1 << 20, ..home.settings() };
    let mut writer = Writer::create(&settings, &header()).unwrap();
    for _ in 0..30_000 {
        while let Err(error) = writer.append(RecordKind::Input, TsNs(1), &[3; 100]) {
            assert_eq!(error, AppendError::NoSegment);
            std::thread::yield_now();
        }
    }
    writer.close().unwrap();
    assert_eq!(verify(&home.mirror).unwrap().chain, verify(&home.journal).unwrap().chain);
}
