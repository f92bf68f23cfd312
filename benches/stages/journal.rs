//! One append to the journal: input records of 64 and 128 bytes into a prepared segment.

use super::{Named, Stage};
use smc_core::TsNs;
use smc_journal::{Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::hint::black_box;
use tempfile::TempDir;

pub const STAGES: &[Named] = &[
    ("journal/append 64 bytes", || Box::new(Append::new(64))),
    ("journal/append 128 bytes", || Box::new(Append::new(128))),
];

const SEGMENT_BYTES: u64 = 4 << 20;
/// Appends after which a new journal is begun, so that hours of timing do not fill the disk.
const APPENDS_MAX: u64 = 1 << 18;

/// A journal in a directory of its own, gone with it. The disk may be as slow as it likes: nothing is synced.
pub(super) fn journal() -> (TempDir, Writer) {
    let dir = tempfile::tempdir().expect("a directory");
    let settings = JournalSettings {
        sync: SyncPolicy::Off,
        segment_bytes: SEGMENT_BYTES,
        ..JournalSettings::new(dir.path())
    };
    let writer = Writer::create(&settings, &Header::default()).expect("a journal");
    (dir, writer)
}

/// Waits for the helper thread, so that no append has to.
pub(super) fn wait_for_segment(has_segment: impl Fn() -> bool) {
    while !has_segment() {
        std::thread::yield_now();
    }
}

struct Append {
    dir: TempDir,
    writer: Writer,
    payload: Vec<u8>,
    seq: u64,
}

impl Append {
    fn new(len: u8) -> Self {
        let payload: Vec<u8> = (0..len).collect();
        let (dir, mut writer) = journal();
        writer.append(RecordKind::Input, TsNs(1), &payload).expect("the first segment");
        writer.close().expect("a close");
        let reader = Reader::open(dir.path()).expect("a journal");
        let inputs = reader.records().map(|record| record.expect("a sound record"));
        let inputs = inputs.filter(|record| record.kind == RecordKind::Input);
        assert!(inputs.map(|record| record.payload.to_vec()).eq([payload.clone()]));
        let (dir, writer) = journal();
        Self { dir, writer, payload, seq: 0 }
    }
}

impl Stage for Append {
    fn prepare(&mut self) {
        if self.seq >= APPENDS_MAX {
            (self.dir, self.writer) = journal();
            self.seq = 0;
        }
        wait_for_segment(|| self.writer.has_segment_ahead());
    }

    #[inline]
    fn step(&mut self) {
        self.seq += 1;
        let appended = self.writer.append(RecordKind::Input, TsNs(self.seq), black_box(&self.payload));
        assert!(appended.is_ok());
    }
}
