//! Nanoseconds per append of 64 B and 128 B payloads, beside a plain copy with checksum to memory in the same
//! run, for the syncer off and on. Rounds alternate; the figures are over all rounds.
//!
//! `cargo run --release -p smc-journal --example append_speed [directory]`
#![allow(clippy::unwrap_used)] // a harness: a failure is its result

use smc_core::TsNs;
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const BATCH: usize = 32;
const BATCHES: usize = 8_000;

fn main() {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    println!("per append, ns, over batches of {BATCH} (and of 1, with the clock's own cost, for p99.9)");
    for len in [64, 128] {
        let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let mut plain = Vec::new();
        let mut off = Vec::new();
        let mut on = Vec::new();
        for _ in 0..ROUNDS {
            plain.extend(plain_copy(&payload));
            off.extend(appends(&base, SyncPolicy::Off, &payload));
            on.extend(appends(&base, SyncPolicy::Every(Duration::from_millis(10)), &payload));
        }
        let floor = print(&format!("{len} B copy + crc to RAM"), &mut plain, None);
        print(&format!("{len} B append, sync off"), &mut off, Some(floor));
        print(&format!("{len} B append, sync 10 ms"), &mut on, Some(floor));
        let mut single = paced(&base, &payload);
        print(&format!("{len} B one by one, 100k/s, sync 10 ms"), &mut single, None);
    }
    iterate(&base);
}

/// CRC32C as the journal computes it: inline where the processor can, so that the floor is an honest one.
#[inline]
fn checksum(payload: &[u8], head: [u64; 3]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") {
        #[target_feature(enable = "sse4.2")]
        #[inline]
        fn inline(payload: &[u8], head: [u64; 3]) -> u32 {
            let mut crc = u64::from(u32::MAX);
            for word in payload.as_chunks::<8>().0 {
                crc = std::arch::x86_64::_mm_crc32_u64(crc, u64::from_le_bytes(*word));
            }
            for word in head {
                crc = std::arch::x86_64::_mm_crc32_u64(crc, word);
            }
            !(crc as u32)
        }
        // SAFETY: the processor has SSE4.2, as just checked.
        return unsafe { inline(payload, head) };
    }
    head.iter().fold(crc32c::crc32c(payload), |crc, word| crc32c::crc32c_append(crc, &word.to_le_bytes()))
}

/// The same bytes to plain memory: header words, payload, checksum.
fn plain_copy(payload: &[u8]) -> Vec<f64> {
    let mut memory = vec![1u8; 64 << 20];
    let size = 32 + payload.len();
    let mut at = 0;
    batches(|seq| {
        if memory.len() - at < size {
            at = 0;
        }
        let slot = &mut memory[at..at + size];
        let payload = black_box(payload);
        slot[8..16].copy_from_slice(&seq.to_le_bytes());
        slot[32..].copy_from_slice(payload);
        let crc = checksum(payload, [seq, seq, size as u64]);
        slot[..4].copy_from_slice(&crc.to_le_bytes());
        black_box(slot); // or the compiler leaves out what nobody reads
        at += size;
    })
}

fn writer(base: &std::path::Path, sync: SyncPolicy) -> (Writer, PathBuf) {
    let dir = base.join(format!("append-speed-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    let settings = JournalSettings { sync, ..JournalSettings::new(&dir) };
    (Writer::create(&settings, &Header::default()).unwrap(), dir)
}

fn appends(base: &std::path::Path, sync: SyncPolicy, payload: &[u8]) -> Vec<f64> {
    let (mut writer, dir) = writer(base, sync);
    let out = batches(|seq| {
        while let Err(error) = writer.append(RecordKind::Input, TsNs(seq), black_box(payload)) {
            assert_eq!(error, AppendError::NoSegment);
            std::thread::yield_now();
        }
    });
    drop(writer);
    let _ = std::fs::remove_dir_all(dir);
    out
}

fn batches(mut one: impl FnMut(u64)) -> Vec<f64> {
    let mut out = Vec::with_capacity(BATCHES);
    let mut seq = 0;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for _ in 0..BATCH {
            seq += 1;
            one(seq);
        }
        out.push(start.elapsed().as_nanos() as f64 / BATCH as f64);
    }
    out
}

/// At a steady rate, each append timed by itself: what the syncer does to the tail.
fn paced(base: &std::path::Path, payload: &[u8]) -> Vec<f64> {
    let (mut writer, dir) = writer(base, SyncPolicy::Every(Duration::from_millis(10)));
    let mut out = vec![1.0; 200_000]; // touched now, so that the faults counted are the journal's
    out.clear();
    let faults = minor_faults();
    let start = Instant::now();
    for n in 0..200_000u32 {
        let due = Duration::from_micros(10) * n;
        while start.elapsed() < due {
            std::hint::spin_loop();
        }
        let before = Instant::now();
        writer.append(RecordKind::Input, TsNs(u64::from(n)), black_box(payload)).unwrap();
        out.push(before.elapsed().as_nanos() as f64);
    }
    println!("page faults of this thread in the paced run below: {}", minor_faults() - faults);
    drop(writer);
    let _ = std::fs::remove_dir_all(dir);
    out
}

fn minor_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    stat.split(' ').nth(9).and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn iterate(base: &std::path::Path) {
    let (mut writer, dir) = writer(base, SyncPolicy::Off);
    for n in 0..2_000_000u64 {
        while writer.append(RecordKind::Input, TsNs(n), &[5; 80]).is_err() {
            std::thread::yield_now();
        }
    }
    drop(writer);
    let reader = Reader::open(&dir).unwrap();
    for _ in 0..3 {
        let start = Instant::now();
        let mut records = reader.records();
        let count = records.by_ref().take(2_000_000).filter(Result::is_ok).count();
        let secs = start.elapsed().as_secs_f64();
        println!("iterating {count} records of 80 B: {:.1} million/s", count as f64 / secs / 1e6);
    }
    let start = Instant::now();
    let verdict = smc_journal::verify(&dir).unwrap();
    println!("verify with chain: {:.2} s ({verdict})", start.elapsed().as_secs_f64());
    let _ = std::fs::remove_dir_all(dir);
}

fn print(name: &str, samples: &mut [f64], floor: Option<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize];
    let ratio = floor.map_or(String::new(), |floor| format!("  p50 x{:.2}", at(0.5) / floor));
    println!(
        "{name:40} p50 {:7.1}  p99 {:8.1}  p99.9 {:9.1}  max {:10.0}{ratio}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    at(0.5)
}
