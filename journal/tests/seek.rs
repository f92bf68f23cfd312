//! Random access: what seeking gives is what a plain walk gives, whatever has become of the index files.
//!
//! `JOURNAL_SEEKS` sets the rounds of each test (30 by default); a failure prints its seed.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{Dice, append, header, settings};
use smc_core::TsNs;
use smc_journal::{Damage, Ending, Reader, RecordKind, Records, Tail, Writer, verify};
use std::fs;
use std::path::{Path, PathBuf};

const SEGMENT: u64 = 256 << 10;

fn rounds() -> u64 {
    std::env::var("JOURNAL_SEEKS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

/// A journal of several segments with times that go back, over a few restarts.
fn make(dir: &Path, dice: &mut Dice) -> u64 {
    let settings = settings(dir, SEGMENT);
    let mut writer = Writer::create(&settings, &header()).unwrap();
    let mut ts = 1_000;
    for run in 0..3 {
        if run > 0 {
            drop(writer);
            writer = Writer::resume(&settings, &header()).unwrap().0;
        }
        for _ in 0..300 + dice.below(2_500) {
            ts = (ts + dice.below(100)).saturating_sub(dice.below(3) * dice.below(60));
            append(
                &mut writer,
                RecordKind::Input,
                ts,
                &vec![dice.below(256) as u8; dice.below(700) as usize],
            );
        }
    }
    let next = writer.next_seq();
    if dice.below(2) == 0 {
        writer.close().unwrap();
        return next;
    }
    next - 1
}

type Rest = (Vec<(u64, u64, Vec<u8>)>, Option<Damage>, Option<Ending>);

fn rest(mut records: Records<'_>) -> Rest {
    let (mut out, mut refusal) = (Vec::new(), None);
    for record in records.by_ref() {
        match record {
            Ok(record) => out.push((record.seq, record.ts.0, record.payload.to_vec())),
            Err(damage) => refusal = Some(damage),
        }
    }
    (out, refusal, records.ending().cloned())
}

/// Compares with the walk, from numbers and times drawn and at both ends.
fn check(dir: &Path, dice: &mut Dice) {
    let reader = Reader::open(dir).unwrap();
    let (all, refusal, ending) = rest(reader.records());
    let last = all.last().map_or(0, |record| record.0);
    let latest = all.iter().map(|record| record.1).max().unwrap_or(0);
    let mut seqs = vec![0, 1, 2, last, last + 1, u64::MAX];
    seqs.extend((0..12).map(|_| dice.below(last + 2)));
    let mut times = vec![0, 1, latest, latest + 1, u64::MAX];
    times.extend((0..12).map(|_| dice.below(latest + 2)));
    // Both from a reader whose indexes are found out step by step and from a new one.
    for is_new in [false, true] {
        let new = || Reader::open(dir).unwrap();
        for &seq in &seqs {
            let own = is_new.then(new);
            let found = rest(own.as_ref().unwrap_or(&reader).seek(seq));
            let from = all.partition_point(|record| record.0 < seq);
            assert_eq!(found, (all[from..].to_vec(), refusal.clone(), ending.clone()), "record {seq}");
        }
        for &ts in &times {
            let own = is_new.then(new);
            let found = rest(own.as_ref().unwrap_or(&reader).seek_time(TsNs(ts)));
            let from = all.iter().position(|record| record.1 >= ts).unwrap_or(all.len());
            assert_eq!(found, (all[from..].to_vec(), refusal.clone(), ending.clone()), "time {ts}");
        }
    }
    for &seq in seqs.iter().filter(|&&seq| refusal.is_none() && (1..=last).contains(&seq)) {
        let mut tail = Tail::open_from(dir, seq).unwrap();
        let first = (0..last).find_map(|_| tail.poll().unwrap().map(|record| record.seq));
        assert_eq!(first, Some(seq));
    }
}

fn indexes(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut out: Vec<_> = files.filter(|path| path.extension() == Some("idx".as_ref())).collect();
    out.sort();
    out
}

/// Something that can happen to an index file.
fn harm(files: &[PathBuf], dice: &mut Dice) {
    for path in files {
        let Ok(mut bytes) = fs::read(path) else { continue };
        match dice.below(7) {
            0 => fs::remove_file(path).unwrap(),
            1 => fs::write(path, &bytes[..dice.below(bytes.len() as u64 + 1) as usize]).unwrap(),
            2 | 3 => {
                let bit = dice.below(bytes.len() as u64 * 8) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
                fs::write(path, bytes).unwrap();
            }
            4 => {
                bytes.extend([0; 32]);
                fs::write(path, bytes).unwrap();
            }
            5 => {
                let other = fs::read(&files[dice.below(files.len() as u64) as usize]).unwrap_or_default();
                fs::write(path, other).unwrap();
            }
            _ => {}
        }
    }
}

#[test]
fn j05_seeking_is_walking_whatever_became_of_the_indexes() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &mut dice);
        let files = indexes(dir.path());
        check(dir.path(), &mut dice);
        harm(&files, &mut dice);
        check(dir.path(), &mut dice);
        // Of another journal with the same names, sizes and headers.
        let other = tempfile::tempdir().unwrap();
        make(other.path(), &mut dice);
        for file in &files {
            let _ = fs::copy(other.path().join(file.file_name().unwrap()), file);
        }
        check(dir.path(), &mut dice);
    }
}

/// An entry that lies, in a file whose checksum is right: the record there is not the one it speaks of.
#[test]
fn j05_an_entry_that_lies_is_not_followed() {
    let mut dice = Dice(7);
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), &mut dice);
    for file in indexes(dir.path()) {
        let honest = fs::read(&file).unwrap();
        // Number, offset and linkage of the second entry; and times that say "later than it is".
        for (at, add) in [(88, 1u64), (88 + 16, 8), (88 + 16, 1 << 40), (88 + 24, 1)] {
            let mut bytes = honest.clone();
            if bytes.len() < 120 {
                continue;
            }
            let word = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()).wrapping_add(add);
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            bytes[52..56].fill(0);
            let crc = crc32c::crc32c(&bytes);
            bytes[52..56].copy_from_slice(&crc.to_le_bytes());
            fs::write(&file, bytes).unwrap();
            check(dir.path(), &mut dice);
        }
        fs::write(&file, honest).unwrap();
    }
}

/// Damage behind the place sought is refused as the walk refuses it; damage before it is `verify`'s to find.
#[test]
fn j03_damage_is_refused_from_wherever_one_seeks() {
    for seed in 0..rounds() {
        println!("seed {seed}");
        let mut dice = Dice(seed ^ 0x33);
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), &mut dice);
        let list = verify(dir.path()).unwrap().list;
        let info = &list[dice.below(list.len() as u64) as usize];
        let path = dir.path().join(format!("{:08}.smcj", info.number));
        let mut bytes = fs::read(&path).unwrap();
        let at = 512 + dice.below(info.bytes_used - 512) as usize;
        bytes[at] ^= 1 << dice.below(8);
        fs::write(&path, bytes).unwrap();
        harm(&indexes(dir.path()), &mut dice);
        let reader = Reader::open(dir.path()).unwrap();
        let (all, refusal, ending) = rest(reader.records());
        let valid = all.len() as u64;
        for _ in 0..20 {
            let seq = 1 + dice.below(valid + 1);
            let from = all.partition_point(|record| record.0 < seq);
            let wanted = (all[from..].to_vec(), refusal.clone(), ending.clone());
            assert_eq!(rest(reader.seek(seq)), wanted, "record {seq} of {valid}");
        }
    }
}

/// A walk that passes over nothing can only be told from one that does by what it does not notice.
#[test]
fn seeking_does_not_walk_from_the_first_record() {
    let mut dice = Dice(1);
    let dir = tempfile::tempdir().unwrap();
    let last = make(dir.path(), &mut dice);
    let path = dir.path().join("00000001.smcj");
    let mut bytes = fs::read(&path).unwrap();
    bytes[600] ^= 1;
    fs::write(&path, bytes).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert!(reader.records().any(|record| record.is_err()));
    let late = reader.seek(400);
    assert_eq!(late.map(|record| record.unwrap().seq).last(), Some(last));
    assert!(!verify(dir.path()).unwrap().is_sound());
    // Also within a segment: about 64 KiB before the damage would have shown otherwise.
    let first = reader.seek(reader.seek(300).next().unwrap().unwrap().seq).next().unwrap().unwrap();
    assert_eq!((first.segment, first.seq), (1, 300));
}
