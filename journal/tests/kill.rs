//! Real `kill -9` of a writing process: every record it acknowledged is there afterwards.
//!
//! The child is this test binary again, told by an environment variable. It writes the number of each appended
//! record to a pipe, then appends the next. `JOURNAL_KILLS` sets the count (100 by default).
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{append, fill, header, payload, read_all, segments, settings};
use smc_core::TsNs;
use smc_journal::{JournalError, RecordKind, Writer, verify};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "JOURNAL_KILL_CHILD";
const MIRROR: &str = "JOURNAL_KILL_MIRROR";

/// Appends for ever, saying after each record which it was; begins or resumes as needed.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = Path::new(&dir);
    let mut settings = settings(dir, 1 << 16);
    settings.sync = smc_journal::SyncPolicy::Every(Duration::from_millis(1));
    settings.mirror = std::env::var_os(MIRROR).map(Into::into);
    let mut writer = match Writer::create(&settings, &header()) {
        Ok(writer) => writer,
        Err(_) => Writer::resume(&settings, &header()).unwrap().0,
    };
    // Standard error is not captured by the test harness when written to directly.
    let mut pipe = std::io::stderr().lock();
    append(&mut writer, RecordKind::Run, 0, b"run");
    loop {
        let seq = writer.next_seq();
        append(&mut writer, RecordKind::Input, seq * 10, &payload(seq));
        // Not every one waits for the pipe, so that kills also fall into plain appending and rotation.
        if seq % 16 == 0 {
            pipe.write_all(&seq.to_le_bytes()).unwrap();
        }
    }
}

#[test]
fn j01_every_acknowledged_record_survives_kill_9() {
    each_journal(every_acknowledged_record_survives);
}

fn every_acknowledged_record_survives(kills: u64, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let kept = kill_again_and_again(dir.path(), None, kills, seed);
    assert!(kept > 0);
    println!("{kept} records, {} segments", verify(dir.path()).unwrap().segments);
    let (mut writer, recovery) = Writer::resume(&settings(dir.path(), 1 << 16), &header()).unwrap();
    assert_eq!(recovery.records, kept);
    fill(&mut writer, kept + 10);
    assert_eq!(writer.append(RecordKind::Digest, TsNs(0), &[0; 16]), Ok(kept + 11));
    writer.close().unwrap();
    assert!(verify(dir.path()).unwrap().is_sound());
}

/// Killed at any moment the mirror is a valid prefix of the journal; resumed, it is all of it.
#[test]
fn j01_the_mirror_of_a_killed_journal_is_a_prefix_and_is_completed() {
    each_journal(the_mirror_is_a_prefix_and_is_completed);
}

fn the_mirror_is_a_prefix_and_is_completed(kills: u64, seed: u64) {
    let home = tempfile::tempdir().unwrap();
    let (dir, mirror) = (home.path().join("journal"), home.path().join("mirror"));
    let kept = kill_again_and_again(&dir, Some(&mirror), kills, seed);
    assert!(kept > 0);
    let lag = kept - verify(&mirror).map_or(0, |theirs| theirs.records);
    println!("{kept} records, the mirror {lag} behind at the last kill");
    let mut settings = settings(&dir, 1 << 16);
    settings.mirror = Some(mirror.clone());
    let (mut writer, recovery) = Writer::resume(&settings, &header()).unwrap();
    assert_eq!(recovery.records, kept);
    fill(&mut writer, kept + 10);
    writer.close().unwrap();
    assert!(verify(&mirror).unwrap().is_sound());
    let (ours, theirs) = (segments(&dir), segments(&mirror));
    assert_eq!(ours.len(), theirs.len());
    for ((info, ours), theirs) in verify(&dir).unwrap().list.iter().zip(ours.values()).zip(theirs.values()) {
        // Behind the end the journal may have the half of a record that was being written at a kill.
        let used = info.bytes_used as usize;
        assert!(ours[..used] == theirs[..used], "segment {} is not complete", info.number);
        assert!(theirs[used..].iter().all(|&byte| byte == 0));
    }
    assert_eq!(read_all(&mirror), Ok(kept + 11));
}

/// Kills of one journal before the next is begun: each kill reads all of it again.
const KILLS_PER_JOURNAL: u64 = 50;

/// As many journals as the count of kills needs, each with a seed of its own.
fn each_journal(test: fn(kills: u64, seed: u64)) {
    let kills: u64 = std::env::var("JOURNAL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let mut done = 0;
    while done < kills {
        let count = KILLS_PER_JOURNAL.min(kills - done);
        test(count, 0x9E37_79B9_7F4A_7C15 + done);
        done += count;
    }
    println!("{kills} kills");
}

/// Starts a writer and kills it, many times over; the records it leaves.
fn kill_again_and_again(dir: &Path, mirror: Option<&Path>, kills: u64, mut seed: u64) -> u64 {
    let (mut kept, mut behind) = (0, 0);
    for round in 0..kills {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "child_that_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD, dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(mirror) = mirror {
            command.env(MIRROR, mirror);
        }
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut acked = 0;
            let mut word = [0; 8];
            while pipe.read_exact(&mut word).is_ok() {
                acked = u64::from_le_bytes(word);
            }
            acked
        });
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        std::thread::sleep(Duration::from_micros(3_000 + (seed >> 33) % 30_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let acked = reader.join().unwrap();
        if kept == 0 && verify(dir).is_err() {
            continue; // killed before it had made the first segment
        }
        let verdict = verify(dir).unwrap();
        assert!(verdict.damage.is_none(), "round {round}: {verdict}");
        assert!(verdict.records >= acked.max(kept), "round {round}: {acked} acknowledged, {verdict}");
        assert_eq!(read_all(dir), Ok(verdict.records));
        if let Some(mirror) = mirror {
            behind += u64::from(check_mirror(mirror, verdict.records, round) < verdict.records);
        }
        kept = verdict.records;
    }
    if mirror.is_some() {
        println!("behind at {behind} of {kills} kills");
    }
    kept
}

/// A mirror holds a valid prefix at whatever moment its thread was killed; how many records.
fn check_mirror(mirror: &Path, records: u64, round: u64) -> u64 {
    match verify(mirror) {
        Ok(theirs) => {
            // A write that was killed between two pages leaves a torn record at the end, and nothing behind it.
            assert!(theirs.damage.is_none() && theirs.records <= records, "round {round}: mirror {theirs}");
            assert_eq!(read_all(mirror), Ok(theirs.records));
            theirs.records
        }
        // Killed before it had made the first segment.
        Err(error) => {
            assert!(matches!(error, JournalError::Empty { .. } | JournalError::Io { .. }), "{error}");
            0
        }
    }
}
