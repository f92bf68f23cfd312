//! Nanoseconds per append of 64 B and 128 B payloads, beside a plain copy with checksum to memory in the same
//! run, for three ways to keep bytes: not synced; the journal itself synced, pages as the writer leaves them; the journal
//! not synced and a mirror thread that copies to a second, synced file. Unpaced and at 100,000/s, with the page faults of
//! the writer's thread and the most records that the disk did not have. Rounds alternate; the figures are over all
//! rounds. Then: iterating, seeking, verifying.
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
const PACED_ROUNDS: usize = 3;
const WAYS: [Way; 3] = [Way::Off, Way::Synced, Way::Mirrored];

/// Who makes the bytes survive a power cut.
#[derive(Clone, Copy)]
enum Way {
    Off,
    Synced,
    Mirrored,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "sync off",
            Self::Synced => "sync 10 ms",
            Self::Mirrored => "mirror 10 ms",
        }
    }
}

fn main() {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    println!("per append, ns, over batches of {BATCH} (and of 1, with the clock's own cost, for p99.9)");
    for len in [64, 128] {
        let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
        let mut plain = Vec::new();
        let mut unpaced: [Vec<f64>; 3] = Default::default();
        for _ in 0..ROUNDS {
            plain.extend(plain_copy(&payload));
            for (way, samples) in WAYS.iter().zip(&mut unpaced) {
                samples.extend(appends(&base, *way, &payload));
            }
        }
        let floor = print(&format!("{len} B copy + crc to RAM"), &mut plain, None);
        for (way, samples) in WAYS.iter().zip(&mut unpaced) {
            print(&format!("{len} B append, {}", way.name()), samples, Some(floor));
        }
        let mut single: [Paced; 3] = Default::default();
        for _ in 0..PACED_ROUNDS {
            for (way, sum) in WAYS.iter().zip(&mut single) {
                paced(&base, *way, &payload, sum);
            }
        }
        for (way, Paced { samples, faults, unkept }) in WAYS.iter().zip(&mut single) {
            print(&format!("{len} B at 100k/s, {}", way.name()), samples, None);
            println!(
                "    page faults of the writer, a round: {faults:?}; most records not on a disk: {unkept:?}"
            );
        }
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

fn writer(base: &std::path::Path, way: Way) -> (Writer, PathBuf) {
    let home = base.join(format!("append-speed-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&home);
    let mut settings = JournalSettings::new(home.join("journal"));
    if !matches!(way, Way::Synced) {
        settings.sync = SyncPolicy::Off;
    }
    if matches!(way, Way::Mirrored) {
        settings.mirror = Some(home.join("mirror"));
    }
    (Writer::create(&settings, &Header::default()).unwrap(), home)
}

fn appends(base: &std::path::Path, way: Way, payload: &[u8]) -> Vec<f64> {
    let (mut writer, dir) = writer(base, way);
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

/// What paced rounds of one way gave.
#[derive(Default)]
struct Paced {
    samples: Vec<f64>,
    /// Of the writer's thread, a round each.
    faults: Vec<u64>,
    /// Most records at a time that no disk had, a round each. Means nothing where nobody syncs.
    unkept: Vec<u64>,
}

/// At a steady rate, each append timed by itself: what the syncer does to the tail.
fn paced(base: &std::path::Path, way: Way, payload: &[u8], sum: &mut Paced) {
    const COUNT: usize = 200_000;
    let (mut writer, dir) = writer(base, way);
    let mut out = vec![1.0; COUNT]; // touched now, so that the faults counted are the journal's
    out.clear();
    let record_bytes = 32 + payload.len() as u64;
    let mut unkept = 0;
    let faults = minor_faults();
    let start = Instant::now();
    for n in 0..COUNT as u32 {
        let due = Duration::from_micros(10) * n;
        while start.elapsed() < due {
            std::hint::spin_loop();
        }
        let before = Instant::now();
        writer.append(RecordKind::Input, TsNs(u64::from(n)), black_box(payload)).unwrap();
        out.push(before.elapsed().as_nanos() as f64);
        if n % 64 == 0 {
            let bytes = match way {
                Way::Mirrored => writer.unmirrored_bytes(),
                Way::Synced | Way::Off => writer.unsynced_bytes(),
            };
            unkept = bytes.div_ceil(record_bytes).max(unkept);
        }
    }
    sum.faults.push(minor_faults() - faults);
    sum.unkept.push(unkept);
    sum.samples.append(&mut out);
    drop(writer);
    let _ = std::fs::remove_dir_all(dir);
}

fn minor_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    stat.split(' ').nth(9).and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn iterate(base: &std::path::Path) {
    let (mut writer, home) = writer(base, Way::Off);
    let dir = home.join("journal");
    for n in 0..2_000_000u64 {
        while writer.append(RecordKind::Input, TsNs(n), &[5; 80]).is_err() {
            std::thread::yield_now();
        }
    }
    drop(writer);
    let reader = Reader::open(&dir).unwrap();
    let mut times = Vec::new();
    for _ in 0..10 {
        let start = Instant::now();
        let count = reader.records().filter(Result::is_ok).count();
        times.push(start.elapsed().as_nanos() as f64 / count as f64);
    }
    // The first pass also maps the pages.
    println!("iterating records of 80 B, first pass: {:.1} million/s", 1e3 / times[0]);
    times.sort_by(f64::total_cmp);
    println!("the same, ten passes: median {:.1}, best {:.1} million/s", 1e3 / times[5], 1e3 / times[0]);
    let start = Instant::now();
    let verdict = smc_journal::verify(&dir).unwrap();
    println!("verify with chain: {:.2} s ({verdict})", start.elapsed().as_secs_f64());
    let mut times = Vec::new();
    for n in 0..1_000u64 {
        let seq = 1 + n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (1 << 20);
        let start = Instant::now();
        let found = reader.seek(seq).next().unwrap().unwrap().seq;
        times.push(start.elapsed().as_nanos() as f64);
        assert_eq!(found, seq);
    }
    print("seek to a record, indexes read", &mut times, None);
    let _ = std::fs::remove_dir_all(home);
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
