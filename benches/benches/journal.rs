//! One append of 64 and 128 bytes, beside the same bytes copied to plain memory with a checksum.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smc_core::TsNs;
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Appends of one sample, so that a bench does not fill the disk; the time is scaled to what criterion asked for.
const APPENDS_MAX: u64 = 50_000;
/// Bytes of a record beside its payload.
const FRAME: usize = 32;

fn bench(c: &mut Criterion) {
    check();
    let mut group = c.benchmark_group("journal");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    for len in [64, 128] {
        let payload: Vec<u8> = (0..len as u8).collect();
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("append/{len}"), |b| {
            b.iter_custom(|iters| {
                let count = iters.min(APPENDS_MAX);
                scaled(appends(&payload, count), iters, count)
            });
        });
        let mut memory = vec![1u8; 8 << 20];
        let slots = memory.len() / (len + FRAME);
        let mut nth = 0;
        group.bench_function(format!("copy and checksum/{len}"), |b| {
            b.iter(|| {
                let payload = black_box(&payload[..]);
                let at = nth % slots * (len + FRAME);
                nth += 1;
                let slot = &mut memory[at..at + len + FRAME];
                slot[FRAME..].copy_from_slice(payload);
                slot[8..16].copy_from_slice(&nth.to_le_bytes());
                let crc = crc32c::crc32c(&slot[8..]);
                slot[..4].copy_from_slice(&crc.to_le_bytes());
                black_box(slot);
            });
        });
    }
}

/// What was appended is read back.
fn check() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    for seq in 1..=1_000u64 {
        assert_eq!(writer.append(RecordKind::Input, TsNs(seq), &seq.to_le_bytes()).unwrap(), seq);
    }
    writer.close().unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let inputs = reader.records().map(Result::unwrap).filter(|record| record.kind == RecordKind::Input);
    assert!(
        inputs.map(|record| record.payload.to_vec()).eq((1..=1_000u64).map(|seq| seq.to_le_bytes().to_vec()))
    );
}

fn appends(payload: &[u8], count: u64) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    let started = Instant::now();
    for seq in 0..count {
        while let Err(error) = writer.append(RecordKind::Input, TsNs(seq), black_box(payload)) {
            assert_eq!(error, AppendError::NoSegment);
            std::thread::yield_now();
        }
    }
    started.elapsed()
}

fn writer(dir: &std::path::Path) -> Writer {
    let settings = JournalSettings { sync: SyncPolicy::Off, ..JournalSettings::new(dir) };
    Writer::create(&settings, &Header::default()).unwrap()
}

fn scaled(elapsed: Duration, iters: u64, count: u64) -> Duration {
    elapsed.mul_f64(iters as f64 / count.max(1) as f64)
}

criterion_group!(group, bench);
criterion_main!(group);
