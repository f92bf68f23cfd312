//! The n-th call of every system call that keeps bytes fails or stalls, in a real process: rows J7, J8 and J10; and a
//! file cut under a writer at full speed: row J9.
//!
//! The faults come from `io_faults.c`, loaded before libc; without a C compiler the tests that need it say so and pass.
//! `JOURNAL_STALL_MS` sets the stall (1,500 by default; the row asks for 10,000).
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{append, fill, header, payload, settings};
use smc_core::TsNs;
use smc_journal::{AppendError, Health, JournalSettings, Reader, RecordKind, SyncPolicy, Writer, verify};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const CHILD: &str = "JOURNAL_IO_CHILD";
const MARK: &str = "SMC_IO_FAULT_MARK";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

fn synced(dir: &Path) -> JournalSettings {
    JournalSettings { sync: SyncPolicy::Every(Duration::from_millis(1)), ..settings(dir, 1 << 14) }
}

/// The library of faults, built once for a test; none where there is no C compiler.
fn library(home: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/io_faults.c");
    let out = home.join("io_faults.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&out)
        .arg(&source)
        .arg("-ldl")
        .output();
    match built {
        Ok(done) if done.status.success() => Some(out),
        Ok(done) => panic!("{}", String::from_utf8_lossy(&done.stderr)),
        Err(error) => {
            println!("skipped: no C compiler ({error})");
            None
        }
    }
}

/// What a child with one fault said: lines of `word number`.
struct Said {
    text: String,
    has_struck: bool,
}

impl Said {
    fn number(&self, word: &str) -> u64 {
        let line = self.text.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no `{word}` in {}", self.text)).parse().unwrap()
    }

    fn has(&self, word: &str) -> bool {
        self.text.lines().any(|line| line.starts_with(word))
    }
}

fn child(library: &Path, home: &Path, test: &str, fault: &str) -> Said {
    let mark = home.join("struck");
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, home.join("journal"))
        .env("LD_PRELOAD", library)
        .env("SMC_IO_FAULT", fault)
        .env(MARK, &mark)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{fault}: {}\n{text}\n{err}", done.status);
    Said { text, has_struck: mark.exists() }
}

/// Writes for a while, or until something is wrong, and says how far it came.
#[test]
fn child_with_a_fault() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut writer = match Writer::create(&synced(Path::new(&dir)), &header()) {
        Ok(writer) => writer,
        Err(error) => return println!("\nrefused {error}"),
    };
    let started = Instant::now();
    let mut grieved: Option<Health> = None;
    while started.elapsed() < Duration::from_millis(150) {
        let seq = writer.next_seq();
        match writer.append(RecordKind::Input, TsNs(seq * 10), &payload(seq)) {
            Ok(_) => {}
            Err(AppendError::NoSegment) => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => panic!("{error}"),
        }
        if grieved.is_none() && !writer.health().is_ok() {
            grieved = Some(writer.health());
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    // A preparation that failed is tried again some 50 ms later.
    while writer.health().prepare_failed() && started.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("\nacked {}", writer.next_seq() - 1);
    if let Some(health) = grieved {
        println!("errno {}", health.errno());
        println!("{}", if health.sync_failed() { "sync-failed" } else { "prepare-failed" });
        println!("{}", if writer.health().is_ok() { "well-again" } else { "still-ill" });
    }
    if let Err(error) = writer.close() {
        println!("not-closed {error}");
    }
}

#[test]
fn j07_j08_every_call_that_fails_is_told_and_costs_nothing_committed() {
    let home = tempfile::tempdir().unwrap();
    let Some(library) = library(home.path()) else { return };
    let mut struck = 0;
    let faults = [
        ("msync", EIO, 6),
        ("fsync", EIO, 6),
        ("fdatasync", EIO, 3),
        ("posix_fallocate", ENOSPC, 6),
        ("posix_fallocate", 122, 3),
        ("pwrite", ENOSPC, 9),
        ("rename", EIO, 4),
    ];
    for (call, errno, calls) in faults {
        for nth in 1..=calls {
            let fault = format!("{call}:{nth}:{errno}");
            let here = home.path().join(fault.replace(':', "-"));
            std::fs::create_dir_all(&here).unwrap();
            let said = child(&library, &here, "child_with_a_fault", &fault);
            if !said.has_struck {
                continue;
            }
            struck += 1;
            if said.has("refused") {
                continue; // before the first record: nothing was promised
            }
            // An error while closing is told by the close.
            let is_told = said.has("sync-failed") || said.has("prepare-failed") || said.has("not-closed");
            assert!(is_told, "{fault}: a failed call went unnoticed\n{}", said.text);
            if said.has("errno") {
                assert_eq!(said.number("errno"), errno as u64, "{fault}: {}", said.text);
            }
            // What was not synced may never count as synced again; a segment that could not be had may be had later.
            if said.has("sync-failed") {
                assert!(said.has("still-ill") && said.has("not-closed"), "{fault}: {}", said.text);
            }
            if said.has("prepare-failed") {
                assert!(said.has("well-again"), "{fault}: {}", said.text);
            }
            let verdict = verify(here.join("journal")).unwrap();
            assert!(verdict.is_sound(), "{fault}: {verdict}");
            assert!(verdict.records >= said.number("acked"), "{fault}: {verdict}\n{}", said.text);
            assert!(common::read_all(&here.join("journal")).is_ok());
        }
    }
    println!("{struck} faults struck");
    assert!(struck >= 20, "only {struck} faults struck");
}

/// Writes on while the disk stands still, and says how much that was.
#[test]
fn child_with_a_stalled_disk() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let settings = JournalSettings { segment_bytes: 64 << 20, ..synced(Path::new(&dir)) };
    let mut writer = Writer::create(&settings, &header()).unwrap();
    let mark = PathBuf::from(std::env::var_os(MARK).unwrap());
    let (mut during, mut worst) = (0, 0);
    let mut stalled_at: Option<u64> = None;
    let started = Instant::now();
    loop {
        append(&mut writer, RecordKind::Input, 0, &[7; 100]);
        let unsynced = writer.unsynced_bytes();
        // From the fault until the disk has taken something again.
        if stalled_at.is_none() && mark.exists() {
            stalled_at = Some(writer.synced_bytes());
        }
        during += u64::from(stalled_at.is_some());
        worst = worst.max(unsynced);
        if stalled_at.is_some_and(|synced| writer.synced_bytes() > synced) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "the disk never came back");
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("\nduring {during}\nworst {worst}\nhealth-ok {}", u8::from(writer.health().is_ok()));
    writer.close().unwrap();
}

#[test]
fn j10_a_disk_that_stands_still_does_not_hold_the_writer() {
    let home = tempfile::tempdir().unwrap();
    let Some(library) = library(home.path()) else { return };
    let stall: u64 = std::env::var("JOURNAL_STALL_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(1_500);
    let said = child(&library, home.path(), "child_with_a_stalled_disk", &format!("msync:3:stall:{stall}"));
    assert!(said.has_struck, "{}", said.text);
    // One append a millisecond, less what the machine takes for other things.
    assert!(said.number("during") > stall / 20, "{}", said.text);
    assert!(said.number("worst") > said.number("during") * 100, "what waits is counted: {}", said.text);
    assert_eq!(said.number("health-ok"), 1, "slow is not broken: {}", said.text);
    assert!(verify(home.path().join("journal")).unwrap().is_sound());
    println!(
        "{} records in a stall of {stall} ms, {} bytes waiting at worst",
        said.number("during"),
        said.number("worst")
    );
}

/// A file cut at a random place while records are appended as fast as they can be: the writer gets an error, never a
/// signal, and whatever stands before the cut is what was written.
#[test]
fn j09_a_file_cut_under_a_writer_at_full_speed_ends_in_an_error() {
    let mut seed: u64 = 0x2545_F491_4F6C_DD1D;
    let mut by_store = 0;
    for round in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(&settings(dir.path(), 1 << 20), &header()).unwrap();
        fill(&mut writer, 200);
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        // Half the rounds cut before the place being written, half a little ahead of it.
        let base = if round % 2 == 0 { 0 } else { writer.offset() };
        let cut = base + (seed >> 33) % 60_000;
        let path = dir.path().join("00000001.smcj");
        File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let before = writer.next_seq();
        let error = loop {
            let seq = writer.next_seq();
            match writer.append(RecordKind::Input, TsNs(seq * 10), &payload(seq)) {
                Ok(_) if seq < before + 100_000 => {}
                Ok(seq) => panic!("round {round}: record {seq} behind a cut at {cut}"),
                Err(AppendError::NoSegment) => std::thread::yield_now(),
                Err(error) => break error,
            }
        };
        assert_eq!(error, AppendError::Cut);
        by_store += u32::from(writer.next_seq() < before + 2_000);
        assert_eq!(writer.append(RecordKind::Input, TsNs(0), b"x"), Err(AppendError::Cut), "it stays");
        while !writer.health().is_cut() {
            std::thread::yield_now();
        }
        drop(writer);
        assert!(Reader::open(dir.path()).is_err(), "a cut file is refused");
    }
    assert!(by_store > 0, "no round touched a lost page");
}

/// Readers of a file that is cut meanwhile name the cut instead of taking it for the end.
#[test]
fn j09_a_file_cut_under_a_reader_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), 1 << 20), &header()).unwrap();
    fill(&mut writer, 4_000);
    writer.close().unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let mut records = reader.records();
    assert_eq!(records.by_ref().take(100).filter(Result::is_ok).count(), 100);
    File::options().write(true).open(dir.path().join("00000001.smcj")).unwrap().set_len(100_000).unwrap();
    let damage = records.find_map(Result::err).unwrap();
    assert_eq!(damage.reason, smc_journal::Reason::Cut, "{damage}");
}

/// No room for another file: told, and nothing committed is lost.
#[test]
fn j08_child_without_inodes() {
    let Some(dir) = std::env::var_os("JOURNAL_FEW_INODES") else { return };
    let dir = Path::new(&dir);
    let mut writer = Writer::create(&settings(dir, 4096), &header()).unwrap();
    loop {
        let seq = writer.next_seq();
        match writer.append(RecordKind::Input, TsNs(seq * 10), &payload(seq)) {
            Ok(_) => {}
            Err(AppendError::NoSegment) if writer.health().prepare_failed() => break,
            Err(AppendError::NoSegment) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(writer.health().errno(), ENOSPC);
    let last = writer.next_seq() - 1;
    writer.close().unwrap();
    assert_eq!(common::read_all(dir), Ok(last + 1));
    println!("few inodes done");
}

#[test]
fn j08_a_file_system_without_inodes_is_noticed_when_preparing() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=8m,nr_inodes=9 none \"$1\" && exec \"$2\" --exact j08_child_without_inodes --nocapture";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env("JOURNAL_FEW_INODES", dir.path())
        .output();
    let Ok(output) = output else { return println!("skipped: unshare absent") };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if out.is_empty() {
        return println!("skipped: no small file system to be had: {err}");
    }
    assert!(out.contains("few inodes done"), "{out}\n{err}");
}

/// Not enough address space for a segment: refused with the system's word, nothing left behind that is no journal.
#[test]
fn j17_child_without_memory() {
    let Some(dir) = std::env::var_os("JOURNAL_NO_MEMORY") else { return };
    match Writer::create(&settings(Path::new(&dir), 1 << 30), &header()) {
        Ok(_) => panic!("1 GiB mapped in 400 MiB"),
        Err(error) => println!("\nrefused {error}"),
    }
}

#[test]
fn j17_a_start_without_memory_fails_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 400000; exec \"$0\" --exact j17_child_without_memory --nocapture --test-threads=1",
        ])
        .arg(std::env::current_exe().unwrap())
        .env("JOURNAL_NO_MEMORY", dir.path())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && out.contains("refused cannot prepare"), "{out}");
}
