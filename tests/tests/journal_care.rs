//! Looking after journals from the command line: reading from a record or a time, salvage, and repair from the mirror that
//! `process.mirror` asks for. Exit codes: 0 done, 1 the answer is no, 2 wrong use.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use smc_core::TsNs;
use smc_journal::{Header, JournalSettings, RecordKind, Writer, verify};
use std::fs;
use std::path::{Path, PathBuf};
use tests::{BUSY, demo, smc};

/// A closed journal of 300 records, one each second from the epoch on, with a mirror.
fn journal(home: &Path) -> (PathBuf, PathBuf) {
    let (dir, mirror) = (home.join("journal"), home.join("mirror"));
    let settings =
        JournalSettings { segment_bytes: 8192, mirror: Some(mirror.clone()), ..JournalSettings::new(&dir) };
    let mut writer = Writer::create(&settings, &Header::default()).unwrap();
    for second in 1..=300 {
        while writer.append(RecordKind::Source, TsNs(second * 1_000_000_000), b"a note").is_err() {
            std::thread::yield_now();
        }
    }
    writer.close().unwrap();
    (dir, mirror)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_dump_begins_and_ends_where_it_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (dir, _) = journal(home.path());
    let dir = dir.to_str().unwrap();
    let seqs = |args: &[&str]| -> Vec<u64> {
        let done = smc(&[&["journal", "dump", "--json", dir], args].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        let seq =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap();
        done.stdout.lines().map(seq).collect()
    };
    assert_eq!(seqs(&[]), (1..=301).collect::<Vec<_>>());
    assert_eq!(seqs(&["--from", "290", "--to", "292"]), [290, 291, 292]);
    assert_eq!(seqs(&["--from-time", "1970-01-01T00:04:58Z"]), [298, 299, 300, 301]);
    assert_eq!(seqs(&["--from-time", "298000000001", "--to-time", "299500000000"]), [299]);
    assert_eq!(seqs(&["--from-time", "1970-01-01T01:04:58+01:00", "--from", "300"]), [300, 301]);
    assert_eq!(seqs(&["--to-time", "2000000000"]), [1, 2]);
    assert_eq!(seqs(&["--from", "1000"]), [0; 0]);
    assert_eq!(smc(&["journal", "dump", dir, "--from-time", "yesterday"]).code, 2);
}

#[test]
fn j03_repair_and_salvage_answer_by_exit_codes() {
    let home = tempfile::tempdir().unwrap();
    let (dir, mirror) = journal(home.path());
    let whole = verify(&dir).unwrap();
    let (text, from) = (dir.to_str().unwrap(), mirror.to_str().unwrap());
    let repair = ["journal", "repair", text, "--from", from];
    assert_eq!(smc(&repair).code, 0, "nothing to do");
    flip(&dir.join("00000002.smcj"), 700);
    assert_eq!(smc(&["journal", "verify", text]).code, 1);

    let out = home.path().join("saved");
    let saved = smc(&["journal", "salvage", "--json", text, out.to_str().unwrap()]);
    assert_eq!(saved.code, 0, "{}", saved.stderr);
    let said: serde_json::Value = serde_json::from_str(&saved.stdout).unwrap();
    assert_eq!(said["last_seq"].as_u64(), verify(&dir).unwrap().records.into());
    assert_eq!(said["damage"]["segment"], 2);
    assert_eq!(said["records_behind"], 300 - said["last_seq"].as_u64().unwrap());
    assert_eq!(smc(&["journal", "verify", out.to_str().unwrap()]).code, 0);
    assert_eq!(smc(&["journal", "salvage", text, out.to_str().unwrap()]).code, 2, "there is one already");

    let dry = smc(&[&repair[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0);
    assert!(dry.stdout.contains("segment 00000002 would be taken"), "{}", dry.stdout);
    assert!(!verify(&dir).unwrap().is_sound());
    let done = smc(&[&repair[..], &["--json"]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let said: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(said["segments"][0]["number"], 2);
    assert_eq!(verify(&dir).unwrap(), whole);
    assert!(dir.join("00000002.smcj.damaged1").exists());

    flip(&dir.join("00000002.smcj"), 700);
    flip(&mirror.join("00000002.smcj"), 700);
    let no = smc(&repair);
    assert_eq!(no.code, 1);
    assert!(no.stderr.contains("the mirror has no sound one"), "{}", no.stderr);
    assert_eq!(smc(&["journal", "repair", text, "--from", "/no/such/mirror"]).code, 2);
    assert_eq!(smc(&["journal", "repair", "/no/such/journal", "--from", from]).code, 2);
    assert_eq!(smc(&["journal", "repair", text]).code, 2);
}

#[test]
fn a_mirror_in_the_configuration_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let (config, mirror) = (home.path().join("config.toml"), home.path().join("mirror"));
    fs::write(&config, format!("{BUSY}\n[process]\nmirror = {mirror:?}\n")).unwrap();
    let run = home.path().join("run");
    let args =
        ["--fast", "--seconds", "2", "--speed", "60", "--seed", "3", "--config", config.to_str().unwrap()];
    demo(&run, &args);
    let (ours, theirs) = (verify(run.join("journal")).unwrap(), verify(&mirror).unwrap());
    assert!(theirs.is_sound() && theirs.is_closed, "{theirs}");
    assert_eq!(ours.chain, theirs.chain);
}
