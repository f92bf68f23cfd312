//! `smc journal export` and `restore` as a person meets them: documents, exit codes, one clear line.

#![allow(clippy::unwrap_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use smc_core::codec::Buffer;
use smc_core::event::{Event, EventBody, Trade};
use smc_core::{InstrumentId, Price, Qty, Side, TsNs};
use smc_journal::{Header, JournalSettings, Reader, RecordKind, Writer};
use std::path::Path;
use std::process::Command;
use tests::{binary, finish, only_line, records_of, smc};

/// A journal of `count` trades, closed.
fn trades(dir: &Path, count: u64) {
    let mut writer = Writer::create(&JournalSettings::new(dir), &Header::default()).unwrap();
    let mut buffer = Buffer::default();
    for seq in 1..=count {
        let trade = Trade { price: Price(seq as i64), qty: Qty(-1), aggressor: Side::Sell, trade_id: seq };
        let (ts, body) = (TsNs(seq * 1_000), EventBody::Trade(trade));
        let event = Event { seq, ts_event: ts, ts_recv: ts, instrument: InstrumentId(0), body };
        writer.append(RecordKind::Input, ts, buffer.encode(&event)).unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn a_journal_goes_to_csv_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    trades(&dir.path().join("journal"), 20);
    let done = smc(&["journal", "export", &path("journal"), &path("out"), "--csv", "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&document["records"], &document["restorable"]), (&21.into(), &true.into()));
    let text = std::fs::read_to_string(path("out/trades.csv")).unwrap();
    assert_eq!(text.lines().nth(1), Some("1,1000,1000,1000,1,0,0.00000001,-0.00000001,sell,1"));
    let done = smc(&["journal", "restore", &path("out"), &path("back")]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(records_of(&dir.path().join("journal")), records_of(&dir.path().join("back")));
    let done = smc(&["journal", "verify", &path("back")]);
    assert_eq!(done.code, 0, "{}", done.stderr);
}

#[test]
fn refusals_are_one_line_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    trades(&dir.path().join("journal"), 20);
    let export = |out: &str, more: &[&str]| {
        let (journal, out) = (path("journal"), path(out));
        smc(&[&["journal", "export", &journal, &out, "--csv"], more].concat())
    };
    assert_eq!(export("part", &["--to", "5"]).code, 0);
    let done = smc(&["journal", "restore", &path("part"), &path("back")]);
    assert!(done.code == 2 && only_line(&done).contains("not from one made with --from, --to or --tables"));
    let done = export("part", &[]);
    assert!(done.code == 2 && only_line(&done).contains("exists and is not empty"));
    let done = export("new", &["--tables", "trade"]);
    assert!(done.code == 2 && only_line(&done).contains("no table `trade`; there are trades,"));
    let done = export("new", &["--from", "9", "--to", "8"]);
    assert!(done.code == 2 && only_line(&done).contains("no record is between them"));

    let reader = Reader::open(dir.path().join("journal")).unwrap();
    let offset = reader.records().nth(9).unwrap().unwrap().offset as usize;
    drop(reader);
    let segment = dir.path().join("journal/00000001.smcj");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[offset + 40] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let done = export("new", &[]);
    assert!(
        done.code == 1 && only_line(&done).contains("Records 1 to 9 hold: add --to 9"),
        "{}",
        done.stderr
    );
    assert_eq!(export("new", &["--to", "9"]).code, 0);
}

#[test]
fn a_program_that_is_not_beside_the_binary_is_named_with_how_to_build_it() {
    let dir = tempfile::tempdir().unwrap();
    let alone = dir.path().join("smc");
    std::fs::copy(binary(), &alone).unwrap();
    let run = |args: &[&str]| finish(Command::new(&alone).args(args), b"");
    for args in [&["parquet", "csv", "x"][..], &["journal", "export", "x", "y", "--parquet"]] {
        let done = run(args);
        assert_eq!(done.code, 2);
        assert!(only_line(&done).contains("cargo build --release -p smc-parquet"), "{}", done.stderr);
    }
    let done = run(&["jornal"]);
    assert!(done.code == 2 && only_line(&done).contains("no command `jornal`"), "{}", done.stderr);
    // A program of that name gets the words behind it.
    std::fs::write(dir.path().join("smc-echo"), "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    let chmod = finish(Command::new("chmod").arg("+x").arg(dir.path().join("smc-echo")), b"");
    assert_eq!(chmod.code, 0);
    let done = run(&["echo", "a b", "--json"]);
    assert_eq!((done.code, done.stdout.as_str()), (7, "a b --json\n"));
}
