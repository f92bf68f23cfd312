//! What the journal's tests share.
#![allow(dead_code, clippy::unwrap_used)]

use smc_core::TsNs;
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

/// A generator of numbers that needs no crate; tests print the seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) % end
    }
}

/// Every file of a directory, none where there is no directory.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

/// The segments of a directory by name, without the synced mark, which is each file's own.
pub fn segments(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for (path, mut bytes) in files(dir) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".smcj") {
            bytes[384..392].fill(0);
            out.insert(name, bytes);
        }
    }
    out
}

pub fn segment(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.smcj"))
}
