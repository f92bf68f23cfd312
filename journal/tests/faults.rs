//! The disk's bad days: full, and without power.

#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{fill, header, read_all, settings};
use smc_core::TsNs;
use smc_journal::{AppendError, JournalError, RecordKind, SyncPolicy, Writer, verify};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const CHILD: &str = "JOURNAL_FULL_DISK";

/// Runs in a mount namespace of its own, on a file system of 1 MiB.
#[test]
fn child_on_a_full_disk() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = Path::new(&dir);
    let filler = dir.join("filler");
    fs::write(&filler, vec![1; 400 << 10]).unwrap();
    let mut writer = Writer::create(&settings(dir, 256 << 10), &header()).unwrap();
    let mut append_until_full = || loop {
        match writer.append(RecordKind::Input, TsNs(0), &[1; 1000]) {
            Ok(_) => {}
            Err(AppendError::NoSegment) if writer.health().prepare_failed() => break writer.next_seq() - 1,
            Err(AppendError::NoSegment) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let before = append_until_full();
    // The reason goes away, and so does the refusal.
    fs::remove_file(&filler).unwrap();
    while append_until_full() == before {}
    assert_eq!(writer.health().errno(), 28, "{}", writer.health());
    assert!(!writer.health().is_ok());
    fs::write(&filler, vec![1; 200 << 10]).unwrap();
    while !writer.health().low_space() {
        std::thread::yield_now();
    }
    fs::remove_file(&filler).unwrap();
    let last = writer.next_seq() - 1;
    assert!(last > 700, "{last} records in 1 MiB");
    writer.close().unwrap();
    let verdict = verify(dir).unwrap();
    assert!(verdict.is_sound() && verdict.records == last + 1, "{verdict}");
    // No room for even one more segment: resuming says so, and leaves the journal as it was.
    assert!(matches!(
        Writer::resume(&settings(dir, 512 << 10), &header()),
        Err(JournalError::Io { source, .. }) if source.raw_os_error() == Some(28)
    ));
    assert_eq!(verify(dir).unwrap(), verdict);
    println!("full disk done");
}

#[test]
fn j08_a_full_disk_is_noticed_when_preparing_and_costs_nothing_committed() {
    let dir = tempfile::tempdir().unwrap();
    let script =
        "mount -t tmpfs -o size=1m none \"$1\" && exec \"$2\" --exact child_on_a_full_disk --nocapture";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir.path())
        .output();
    let Ok(output) = output else {
        println!("skipped: unshare absent");
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if out.is_empty() {
        println!("skipped: no small file system to be had: {err}");
        return;
    }
    assert!(out.contains("full disk done"), "{out}\n{err}");
}

/// Synced pages are there, of the others any subset: what is kept is a prefix that holds all synced records.
#[test]
fn j06_after_a_power_cut_a_prefix_with_everything_synced_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), 1 << 16);
    settings.sync = SyncPolicy::Every(Duration::from_millis(1));
    let mut writer = Writer::create(&settings, &header()).unwrap();
    fill(&mut writer, 100);
    while writer.unsynced_bytes() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(5));
    let path = dir.path().join("00000001.smcj");
    let on_disk = fs::read(&path).unwrap();
    let synced = writer.offset() as usize;
    fill(&mut writer, 400);
    drop(writer);
    let all = fs::read(&path).unwrap();
    let first = synced / 4096;
    let last = 400 * 82 / 4096;
    for lost in 0..1u32 << (last - first).min(5) {
        // Pages not written back are as they were at the sync, and so is the header.
        let mut bytes = all.clone();
        bytes[..4096].copy_from_slice(&on_disk[..4096]);
        for page in 0..5 {
            if lost >> page & 1 == 1 {
                let range = (first + page) * 4096..(first + page + 1) * 4096;
                bytes[range.clone()].copy_from_slice(&on_disk[range]);
            }
        }
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join("00000001.smcj"), &bytes).unwrap();
        let is_whole = bytes[4096..] == all[4096..];
        let is_same_boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let lock = copy.path().join("journal.lock");
        fs::write(&lock, format!("pid 1\nboot {is_same_boot}segment 1\n")).unwrap();
        let there = smc_journal::JournalSettings { dir: copy.path().to_owned(), ..settings.clone() };
        if verify(copy.path()).unwrap().damage.is_some() {
            // Without a restart of the machine a hole is no power cut, but damage.
            assert!(matches!(Writer::resume(&there, &header()), Err(JournalError::Damage(_))));
        }
        fs::write(&lock, "pid 1\nboot another\nsegment 1\n").unwrap();
        let (mut writer, recovery) = Writer::resume(&there, &header()).unwrap();
        assert!(recovery.records >= 100, "pages {lost:b}: {recovery:?}");
        assert_eq!(recovery.records == 400, is_whole);
        fill(&mut writer, recovery.records + 50);
        writer.close().unwrap();
        assert_eq!(read_all(copy.path()), Ok(recovery.records + 51));
        assert!(verify(copy.path()).unwrap().is_sound());
    }
}

/// A flipped bit in what had been synced is never taken for a power cut.
#[test]
fn j06_damage_below_the_synced_mark_is_refused_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), 1 << 16);
    settings.sync = SyncPolicy::Every(Duration::from_millis(1));
    let mut writer = Writer::create(&settings, &header()).unwrap();
    fill(&mut writer, 100);
    drop(writer);
    let path = dir.path().join("00000001.smcj");
    let mut bytes = fs::read(&path).unwrap();
    bytes[1000] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::write(dir.path().join("journal.lock"), "pid 1\nboot another\nsegment 1\n").unwrap();
    assert!(matches!(Writer::resume(&settings, &header()), Err(JournalError::Damage(_))));
}
