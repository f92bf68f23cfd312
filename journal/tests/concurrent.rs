//! Writer and followers at the same time.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{SMALL, append, fill, header, payload, settings};
use proptest::prelude::*;
use smc_journal::{Reader, RecordKind, SyncPolicy, Tail, Writer, verify};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn tails_follow_every_record_while_it_is_written() {
    const LAST: u64 = 60_000;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), 1 << 16);
    settings.sync = SyncPolicy::Every(Duration::from_millis(1));
    let mut writer = Writer::create(&settings, &header()).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut tail = Tail::open(dir.path()).unwrap();
                let mut last = 0;
                while last < LAST {
                    let Some(record) = tail.poll().unwrap() else {
                        std::thread::yield_now();
                        continue;
                    };
                    assert_eq!(record.seq, last + 1);
                    assert_eq!(record.payload, payload(record.seq));
                    last = record.seq;
                }
            });
        }
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let reader = Reader::open(dir.path()).unwrap();
                for (expected, record) in (1..).zip(reader.records()) {
                    assert_eq!(record.unwrap().seq, expected);
                }
            }
        });
        while writer.next_seq() <= LAST {
            let seq = writer.next_seq();
            append(&mut writer, RecordKind::Input, seq * 10, &payload(seq));
        }
        is_done.store(true, Ordering::Relaxed);
    });
    writer.close().unwrap();
    assert!(verify(dir.path()).unwrap().is_sound());
}

#[test]
fn a_tail_goes_on_behind_a_resumed_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
    let mut tail = Tail::open(dir.path()).unwrap();
    let mut last = 0;
    for round in 1..5 {
        fill(&mut writer, round * 30);
        drop(writer);
        writer = Writer::resume(&settings(dir.path(), SMALL), &header()).unwrap().0;
        while last < round * 30 {
            if let Some(record) = tail.poll().unwrap() {
                assert_eq!(record.seq, last + 1);
                last = record.seq;
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(u16, u64, Vec<u8>),
    Restart,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    let payload = proptest::collection::vec(any::<u8>(), 0..700);
    prop_oneof![
        30 => (1..8u16, any::<u64>(), payload).prop_map(|(kind, ts, payload)| Step::Append(kind, ts, payload)),
        1 => Just(Step::Restart),
        1 => Just(Step::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is appended, over whatever restarts, is read back; and cut short anywhere, a prefix of it is.
    #[test]
    fn what_is_read_is_what_was_appended(steps in proptest::collection::vec(step(), 0..120), cut in any::<u64>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(&settings(dir.path(), SMALL), &header()).unwrap();
        let mut expected = Vec::new();
        for step in steps {
            match step {
                Step::Append(6, ..) => {}
                Step::Append(kind, ts, payload) => {
                    let seq = append(&mut writer, RecordKind::from_code(kind), ts, &payload);
                    expected.push((kind, ts, payload));
                    prop_assert_eq!(seq, expected.len() as u64);
                }
                Step::Restart | Step::Close => {
                    if matches!(step, Step::Close) {
                        expected.push((6, 0, Vec::new()));
                        writer.close().unwrap();
                    } else {
                        drop(writer);
                    }
                    writer = Writer::resume(&settings(dir.path(), SMALL), &header()).unwrap().0;
                }
            }
        }
        drop(writer);
        let check = |is_whole: bool| {
            let Ok(reader) = Reader::open(dir.path()) else { return 0 };
            let mut count = 0;
            for (record, expected) in reader.records().zip(&expected) {
                let Ok(record) = record else { break };
                count += 1;
                if expected.0 != 6 {
                    assert_eq!((record.kind_code, record.ts.0, record.payload), (expected.0, expected.1, &expected.2[..]));
                }
            }
            assert!(!is_whole || count == expected.len());
            count
        };
        check(true);
        prop_assert!(verify(dir.path()).unwrap().is_sound());
        // Zeros from a random place of the newest segment on: what a lost page leaves.
        let newest = Reader::open(dir.path()).unwrap().segment_count();
        let path = dir.path().join(format!("{newest:08}.smcj"));
        let mut bytes = std::fs::read(&path).unwrap();
        let from = 512 + (cut % (SMALL - 512)) as usize;
        bytes[from..].fill(0);
        std::fs::write(&path, bytes).unwrap();
        check(false);
        let verdict = verify(dir.path()).unwrap();
        prop_assert!(verdict.damage.is_none(), "{}", verdict);
        let (_, recovery) = Writer::resume(&settings(dir.path(), SMALL), &header()).unwrap();
        prop_assert_eq!(recovery.records, verdict.records);
    }

    #[test]
    fn scanning_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = smc_journal::segment::scan(&bytes);
    }
}
