//! `smc bench journal`: what the journal costs the thread that writes it, and how fast it is read again.
//!
//! The machine's limit stands beside it in the same run: the same bytes, with the same checksum, into plain memory. Rounds
//! of limit, append without and with the syncing thread alternate, so that a noisy minute hits all alike. Everything that
//! was written is verified before a figure is shown.

use super::machine::Machine;
use super::rig::{Home, Load, round};
use crate::failure::{Failure, Outcome};
use crate::replay::{replay_dir, sound, unusable};
use clap::Parser;
use serde::Serialize;
use smc_core::TsNs;
use smc_journal::{
    AppendError, Header, JournalError, JournalSettings, Reader, RecordKind, SyncPolicy, Tail, Writer,
    copy_with_checksum, verify,
};
use smc_runtime::idle::Idle;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Appends of a few nanoseconds are timed this many at a time; their percentiles are of such groups.
const GROUP: usize = 32;
const GROUPS: usize = 8_000;
/// Bytes of a record beside its payload.
const FRAME: usize = 32;
/// Memory that the limit is written to, the length of a segment.
const MEMORY: usize = 64 << 20;
/// Appends one by one, and the time from one to the next.
const PACED: u32 = 100_000;
const PACE: Duration = Duration::from_micros(10);
/// Records read back.
const ITERATED: u64 = 4_000_000;
const PASSES: usize = 5;
const WINDOW: Duration = Duration::from_millis(10);

/// The journal: append, tail, iterate, verify, replay.
#[derive(Parser)]
pub struct Args {
    /// Rounds of each, alternating
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Directory on the disk to measure; the system's temporary one otherwise
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Replay this journal instead of one made by a short run over TLS
    #[arg(long, value_name = "JOURNAL")]
    replay: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// One row, nanoseconds a step.
#[derive(Serialize)]
struct Row {
    name: String,
    /// How many steps one sample times.
    group: usize,
    p50_ns: f64,
    p99_ns: f64,
    p999_ns: f64,
    max_ns: f64,
    samples: usize,
    /// Median over the median of the limit in the same rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    to_limit: Option<f64>,
}

/// A rate, the median of some passes.
#[derive(Serialize)]
struct Rate {
    name: &'static str,
    million_per_s: f64,
    /// What is counted, and how many of it in one pass.
    of: String,
}

/// Measures and reports.
pub fn journal(args: &Args) -> Outcome {
    if !(1..=100).contains(&args.rounds) {
        return Err(Failure::Wrong("--rounds must be 1 to 100".into()));
    }
    let machine = Machine::look();
    let home = Home::within(args.dir.as_deref())?;
    let mut rows = Vec::new();
    for len in [64, 128] {
        rows.extend(appends(&home.path().join("append"), len, args.rounds)?);
    }
    rows.push(followed(&home.path().join("tail"))?);
    let mut rates = read_back(&home.path().join("read"))?;
    rates.extend(replayed(args, &home)?);
    if args.json {
        let document = serde_json::json!({
            "machine": machine, "rounds": args.rounds, "sync_ms": WINDOW.as_millis() as u64, "rows": rows,
            "rates": rates,
        });
        println!("{document}");
        return Ok(());
    }
    println!("{}", machine.line());
    println!("x{GROUP}: timed {GROUP} at a time; the others one by one, two clock reads included");
    println!("synced: every {} ms by the journal's own thread\n", WINDOW.as_millis());
    println!("{:38} {:>8} {:>8} {:>9} {:>11}  to limit", "nanoseconds", "p50", "p99", "p99.9", "max");
    for row in &rows {
        let name = if row.group > 1 { format!("{} x{}", row.name, row.group) } else { row.name.clone() };
        let Row { p50_ns, p99_ns, p999_ns, max_ns, .. } = row;
        let to_limit = row.to_limit.map_or(String::new(), |ratio| format!("{ratio:8.2}"));
        println!("{name:38} {p50_ns:8.1} {p99_ns:8.1} {p999_ns:9.1} {max_ns:11.0}  {to_limit}");
    }
    println!();
    for rate in &rates {
        println!("{:38} {:8.1} million/s  {}", rate.name, rate.million_per_s, rate.of);
    }
    Ok(())
}

fn row(name: String, group: usize, mut samples: Vec<f64>) -> Row {
    samples.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (samples.len().saturating_sub(1) as f64 * share) as usize;
        samples.get(place).copied().unwrap_or_default()
    };
    let (p50_ns, p99_ns, p999_ns, max_ns) = (at(0.5), at(0.99), at(0.999), at(1.0));
    Row { name, group, p50_ns, p99_ns, p999_ns, max_ns, samples: samples.len(), to_limit: None }
}

/// Limit, append without and append with syncing, in turns; and appends one by one at a steady rate while syncing.
fn appends(dir: &Path, len: usize, rounds: usize) -> Result<[Row; 4], Failure> {
    let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
    let (mut limit, mut off, mut on, mut paced) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        limit.extend(plain_copy(&payload)?);
        off.extend(flat_out(dir, SyncPolicy::Off, &payload)?);
        on.extend(flat_out(dir, SyncPolicy::Every(WINDOW), &payload)?);
        paced.extend(steady(dir, &payload)?);
    }
    let limit = row(format!("{len} B to memory, with checksum"), GROUP, limit);
    let beside = |row: Row| Row { to_limit: Some(row.p50_ns / limit.p50_ns), ..row };
    let off = beside(row(format!("{len} B appended"), GROUP, off));
    let on = beside(row(format!("{len} B appended, synced"), GROUP, on));
    let paced = row(format!("{len} B appended, synced, 100,000/s"), 1, paced);
    Ok([limit, off, on, paced])
}

/// Times `step` in groups; the first tenth is warming up.
fn grouped(mut step: impl FnMut(u64) -> Result<(), Failure>) -> Result<Vec<f64>, Failure> {
    let mut samples = Vec::with_capacity(GROUPS);
    for group in 0..GROUPS + GROUPS / 10 {
        let started = Instant::now();
        for nth in 0..GROUP {
            step((group * GROUP + nth) as u64 + 1)?;
        }
        let ns = started.elapsed().as_nanos() as f64 / GROUP as f64;
        if group >= GROUPS / 10 {
            samples.push(ns);
        }
    }
    Ok(samples)
}

fn plain_copy(payload: &[u8]) -> Result<Vec<f64>, Failure> {
    let mut memory = vec![1u8; MEMORY];
    let size = FRAME + payload.len();
    let mut at = 0;
    grouped(|seq| {
        if at + size > MEMORY {
            at = 0;
        }
        let slot = memory.get_mut(at..at + size).unwrap_or_default();
        let is_copied = copy_with_checksum(slot, seq, black_box(payload));
        black_box(slot); // or the compiler leaves out what nobody reads
        at += size;
        if is_copied { Ok(()) } else { Err(Failure::No("the limit's memory is too small".into())) }
    })
}

fn writer(dir: &Path, sync: SyncPolicy) -> Result<Writer, Failure> {
    let _ = std::fs::remove_dir_all(dir);
    let settings = JournalSettings { sync, ..JournalSettings::new(dir) };
    Writer::create(&settings, &Header::default()).map_err(|error| Failure::wrong(dir.display(), error))
}

#[inline]
fn append(writer: &mut Writer, ts: u64, payload: &[u8]) -> Result<(), Failure> {
    loop {
        match writer.append(RecordKind::Input, TsNs(ts), payload) {
            Ok(_) => return Ok(()),
            // Flat out the writer is faster than any disk can give it room.
            Err(AppendError::NoSegment) if !writer.health().prepare_failed() => std::thread::yield_now(),
            Err(error) => return Err(Failure::No(format!("append: {error} ({})", writer.health()))),
        }
    }
}

/// Closes, and makes sure that all of it can be read.
fn closed(writer: Writer, dir: &Path, records: u64) -> Result<(), Failure> {
    let fail = |error: JournalError| unusable(dir, &error);
    writer.close().map_err(fail)?;
    let verdict = verify(dir).map_err(fail)?;
    if verdict.is_sound() && verdict.records == records + 1 {
        Ok(())
    } else {
        Err(Failure::No(format!("what was appended does not read back: {verdict}")))
    }
}

fn flat_out(dir: &Path, sync: SyncPolicy, payload: &[u8]) -> Result<Vec<f64>, Failure> {
    let mut writer = writer(dir, sync)?;
    let samples = grouped(|seq| append(&mut writer, seq, black_box(payload)))?;
    let records = writer.next_seq() - 1;
    closed(writer, dir, records)?;
    Ok(samples)
}

/// Each append timed by itself: what the syncing thread does to the tail.
fn steady(dir: &Path, payload: &[u8]) -> Result<Vec<f64>, Failure> {
    let mut writer = writer(dir, SyncPolicy::Every(WINDOW))?;
    let mut samples = vec![1.0; PACED as usize]; // touched now, so that the faults are the journal's
    samples.clear();
    let started = Instant::now();
    for nth in 0..PACED {
        let due = PACE * nth;
        while started.elapsed() < due {
            std::hint::spin_loop();
        }
        let before = Instant::now();
        append(&mut writer, u64::from(nth), black_box(payload))?;
        samples.push(before.elapsed().as_nanos() as f64);
    }
    closed(writer, dir, u64::from(PACED))?;
    Ok(samples)
}

/// From the moment before an append to the moment a follower on another thread has the record, at a steady rate.
fn followed(dir: &Path) -> Result<Row, Failure> {
    let mut writer = writer(dir, SyncPolicy::Every(WINDOW))?;
    let mut tail = Tail::open(dir).map_err(|error| unusable(dir, &error))?;
    let started = Instant::now();
    let follower = std::thread::spawn(move || -> Result<Vec<f64>, JournalError> {
        let mut lags = Vec::with_capacity(PACED as usize);
        while lags.len() < PACED as usize {
            match tail.poll()? {
                Some(record) => {
                    lags.push((started.elapsed().as_nanos() as u64).saturating_sub(record.ts.0) as f64)
                }
                None => std::hint::spin_loop(),
            }
        }
        Ok(lags)
    });
    for nth in 0..PACED {
        let due = PACE * nth;
        while started.elapsed() < due {
            std::hint::spin_loop();
        }
        append(&mut writer, started.elapsed().as_nanos() as u64, &[7; 64])?;
    }
    let lags = follower.join().map_err(|_| Failure::No("the follower panicked".into()))?;
    let lags = lags.map_err(|error| unusable(dir, &error))?;
    closed(writer, dir, u64::from(PACED))?;
    Ok(row("tail: appended to followed, 100,000/s".into(), 1, lags))
}

/// Writing flat out through segments, then reading the same again.
fn read_back(dir: &Path) -> Result<Vec<Rate>, Failure> {
    const PAYLOAD: [u8; 80] = [5; 80];
    let fail = |error: JournalError| unusable(dir, &error);
    let mut writer = writer(dir, SyncPolicy::Off)?;
    let started = Instant::now();
    for nth in 0..ITERATED {
        append(&mut writer, nth, &PAYLOAD)?;
    }
    let written = started.elapsed().as_secs_f64();
    writer.close().map_err(fail)?;
    let bytes = ITERATED as f64 * (PAYLOAD.len() + FRAME) as f64;
    let of = |what: &str, seconds: f64| format!("{what}, {:.1} GB/s", bytes / seconds / 1e9);
    let (mut iterated, mut verified) = (Vec::new(), Vec::new());
    for _ in 0..PASSES {
        let reader = Reader::open(dir).map_err(fail)?;
        let started = Instant::now();
        let records = reader.records().filter(|record| black_box(record).is_ok()).count() as u64;
        iterated.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let verdict = verify(dir).map_err(fail)?;
        verified.push(started.elapsed().as_secs_f64());
        if records != ITERATED + 1 || !verdict.is_sound() {
            return Err(Failure::No(format!("{records} records read back: {verdict}")));
        }
    }
    let (iterated, verified) = (median(iterated), median(verified));
    let rate = |name, seconds, of| Rate { name, million_per_s: ITERATED as f64 / seconds / 1e6, of };
    Ok(vec![
        rate("write, segments made meanwhile", written, of("records of 80 B", written)),
        rate("iterate, each record checked", iterated, of("records of 80 B", iterated)),
        rate("verify, and the chain hash", verified, of("records of 80 B", verified)),
    ])
}

/// A journal through the whole engine again, every output compared.
fn replayed(args: &Args, home: &Home) -> Result<Vec<Rate>, Failure> {
    let journal = match &args.replay {
        Some(journal) => journal.clone(),
        None => {
            let load = Load { seed: 7, length: Duration::from_secs(4), idle: Idle::Yield };
            round(&home.path().join("round"), load, &Arc::new(AtomicBool::new(false)))?
        }
    };
    let records = sound(&journal)?;
    let (mut seconds, mut counts) = (Vec::new(), (0, 0));
    for _ in 0..PASSES {
        let timed = replay_dir(&journal, None, records)?;
        if let Some(difference) = timed.replay.difference {
            return Err(Failure::No(format!("the replay differs: {difference}")));
        }
        seconds.push(timed.seconds);
        counts = (timed.replay.inputs, timed.replay.outputs);
    }
    let seconds = median(seconds);
    let of = format!("inputs, {} inputs and {} outputs in {:.3} s", counts.0, counts.1, seconds);
    let million_per_s = counts.0 as f64 / seconds / 1e6;
    Ok(vec![Rate { name: "replay, whole engine, all compared", million_per_s, of }])
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
