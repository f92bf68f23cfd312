//! What the journal's tests share.
#![allow(dead_code, clippy::unwrap_used)]

use smc_core::TsNs;
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::path::Path;

pub const SMALL: u64 = 4096;

pub fn settings(dir: &Path, segment_bytes: u64) -> JournalSettings {
    JournalSettings { dir: dir.to_owned(), segment_bytes, sync: SyncPolicy::Off, mirror: None }
}

pub fn header() -> Header {
    Header {
        build: [1; 16],
        config_hash: [2; 32],
        instruments_hash: [3; 32],
        account: "tester".into(),
        environment: "sim".into(),
    }
}

/// Appends, waiting for the helper where segments are so small that the test outruns it.
pub fn append(writer: &mut Writer, kind: RecordKind, ts: u64, payload: &[u8]) -> u64 {
    loop {
        match writer.append(kind, TsNs(ts), payload) {
            Ok(seq) => return seq,
            Err(AppendError::NoSegment) => std::thread::yield_now(),
            Err(error) => panic!("append: {error}"),
        }
    }
}

/// Payload of record `seq`: length and bytes follow from the number, so that any reader can check it.
pub fn payload(seq: u64) -> Vec<u8> {
    let len = (seq * 37 % 101) as usize;
    (0..len).map(|at| (seq as usize * 31 + at * 7) as u8).collect()
}

/// Appends records numbered up to `last`.
pub fn fill(writer: &mut Writer, last: u64) {
    while writer.next_seq() <= last {
        let seq = writer.next_seq();
        append(writer, RecordKind::Input, seq * 10, &payload(seq));
    }
}

/// Everything but Close and Run records, checked against `payload`; Err is the damage's text.
pub fn read_all(dir: &Path) -> Result<u64, String> {
    let reader = Reader::open(dir).map_err(|error| error.to_string())?;
    let mut last = 0;
    for record in reader.records() {
        let record = record.map_err(|damage| damage.to_string())?;
        assert_eq!(record.seq, last + 1, "numbers run on");
        last = record.seq;
        if record.kind == RecordKind::Input {
            assert_eq!(record.payload, payload(record.seq), "record {last} was altered");
            assert_eq!(record.ts, TsNs(record.seq * 10));
        }
    }
    Ok(last)
}
