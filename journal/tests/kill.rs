//! Real `kill -9` of a writing process: every record it acknowledged is there afterwards.
//!
//! The child is this test binary again, told by an environment variable. It writes the number of each appended
//! record to a pipe, then appends the next. `JOURNAL_KILLS` sets the count (100 by default).
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{append, fill, header, payload, read_all, settings};
use smc_core::TsNs;
use smc_journal::{RecordKind, Writer, verify};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "JOURNAL_KILL_CHILD";

/// Appends for ever, saying after each record which it was; begins or resumes as needed.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = Path::new(&dir);
    let mut settings = settings(dir, 1 << 16);
    settings.sync = smc_journal::SyncPolicy::Every(Duration::from_millis(1));
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
    let kills: u64 = std::env::var("JOURNAL_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut kept = 0;
    for round in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
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
        if round == 0 && verify(dir.path()).is_err() {
            continue; // killed before it had made the first segment
        }
        let verdict = verify(dir.path()).unwrap();
        assert!(verdict.damage.is_none(), "round {round}: {verdict}");
        assert!(verdict.records >= acked.max(kept), "round {round}: {acked} acknowledged, {verdict}");
        assert_eq!(read_all(dir.path()), Ok(verdict.records));
        kept = verdict.records;
    }
    assert!(kept > 0);
    println!("{kept} records, {} segments", verify(dir.path()).unwrap().segments);
    let (mut writer, recovery) = Writer::resume(&settings(dir.path(), 1 << 16), &header()).unwrap();
    assert_eq!(recovery.records, kept);
    fill(&mut writer, kept + 10);
    assert_eq!(writer.append(RecordKind::Digest, TsNs(0), &[0; 16]), Ok(kept + 11));
    writer.close().unwrap();
    assert!(verify(dir.path()).unwrap().is_sound());
}
