//! `smc journal`: everything that looks after journals. A word with a file of its own has its flags there.

mod export;
mod import;
mod prune;
mod repair;
mod restore;
mod salvage;
mod tail;

use crate::failure::{Failure, Outcome};
use crate::replay::unusable;
use clap::{Args, Subcommand};
use smc_core::TsNs;
use smc_core::codec;
use smc_core::event::Event;
use smc_core::output::{NewOrder, Output};
use smc_journal::{Damage, Reader, Record, RecordKind, Verdict, verify};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// Look after journals.
#[derive(Subcommand)]
pub enum Command {
    /// List the segments
    Ls(Which),
    /// Check every record and chain hash; exit 1 when damaged or cut
    Verify(Which),
    /// Print the records
    Dump(Dump),
    Tail(tail::TailArgs),
    Import(Box<import::ImportArgs>),
    Prune(prune::PruneArgs),
    /// Write what holds of a damaged journal as a new one
    Salvage(salvage::Salvage),
    /// Take damaged segments from the mirror; exit 1 when that cannot be done
    Repair(repair::Repair),
    /// Write the records as tables, one file each, for spreadsheets, pandas, DuckDB
    Export(export::Export),
    Restore(smc_export::args::RestoreArgs),
}

/// Which journal.
#[derive(Args)]
pub struct Which {
    /// The journal's directory
    journal: PathBuf,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Which records.
#[derive(Args)]
pub struct Dump {
    /// The journal's directory
    journal: PathBuf,
    /// First record
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Last record
    #[arg(long, default_value_t = u64::MAX)]
    to: u64,
    /// From the first record of this time or later: 2026-01-31T12:00:00Z, or ns since the epoch
    #[arg(long, value_parser = time)]
    from_time: Option<TsNs>,
    /// Up to the first record of a later time than this
    #[arg(long, value_parser = time)]
    to_time: Option<TsNs>,
    /// Only this kind: config, input, output, digest, snapshot, close, run or source
    #[arg(long)]
    kind: Option<String>,
    /// One JSON document a line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn journal(command: &Command) -> Outcome {
    match command {
        Command::Ls(which) => ls(which),
        Command::Verify(which) => check(which),
        Command::Dump(which) => dump(which),
        Command::Tail(args) => tail::tail(args),
        Command::Import(args) => import::import(args),
        Command::Prune(args) => prune::prune(args),
        Command::Salvage(which) => salvage::salvage(which),
        Command::Repair(which) => repair::repair(which),
        Command::Export(args) => export::export(args),
        Command::Restore(args) => restore::restore(args),
    }
}

fn ls(which: &Which) -> Outcome {
    let verdict = verify(&which.journal).map_err(|error| unusable(&which.journal, &error))?;
    if which.json {
        println!("{}", as_json(&verdict));
        return Ok(());
    }
    println!("segment   records      first       last        bytes used     of bytes  chain");
    for info in &verdict.list {
        println!(
            "{:08}{:>9}{:>11}{:>11}{:>15}{:>14}  {}",
            info.number,
            info.records,
            info.first_seq,
            info.last_seq,
            info.bytes_used,
            info.bytes,
            hex(&info.chain[..8])
        );
    }
    Ok(())
}

fn check(which: &Which) -> Outcome {
    let verdict = verify(&which.journal).map_err(|error| unusable(&which.journal, &error))?;
    if which.json {
        println!("{}", as_json(&verdict));
    } else {
        let end = if verdict.is_closed { "closed" } else { "not closed" };
        println!(
            "{} records in {} segments, {end}, chain {}",
            verdict.records,
            verdict.segments,
            hex(&verdict.chain)
        );
    }
    let kept =
        format!("records {} to {} can be kept", verdict.first_seq, verdict.first_seq + verdict.records - 1);
    match (verdict.damage, verdict.torn) {
        (None, None) => Ok(()),
        (Some(damage), _) => Err(Failure::No(format!("damaged: {damage}; {kept}"))),
        (None, Some(torn)) => {
            Err(Failure::No(format!("cut: {torn}; {} bytes dropped, {kept}", verdict.dropped_bytes)))
        }
    }
}

/// A place in a journal and what is wrong there; null where nothing is.
fn as_place(damage: Option<&Damage>) -> Option<serde_json::Value> {
    damage.map(|damage| {
        serde_json::json!({
            "segment": damage.segment, "offset": damage.offset, "seq": damage.seq, "text": damage.to_string(),
        })
    })
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    let segments = verdict.list.iter().map(|info| {
        serde_json::json!({
            "number": info.number, "records": info.records, "first_seq": info.first_seq, "last_seq": info.last_seq,
            "first_ts_ns": info.first_ts.0, "last_ts_ns": info.last_ts.0, "bytes_used": info.bytes_used,
            "bytes": info.bytes, "chain": hex(&info.chain),
        })
    });
    serde_json::json!({
        "sound": verdict.is_sound(), "closed": verdict.is_closed, "records": verdict.records,
        "first_seq": verdict.first_seq, "last_seq": verdict.first_seq + verdict.records - 1, "times_back": verdict.went_back,
        "damage": as_place(verdict.damage.as_ref()), "cut": as_place(verdict.torn.as_ref()),
        "dropped_bytes": verdict.dropped_bytes,
        "chain": hex(&verdict.chain), "segments": segments.collect::<Vec<_>>(),
    })
}

fn dump(which: &Dump) -> Outcome {
    let reader = Reader::open(&which.journal).map_err(|error| unusable(&which.journal, &error))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let records = which.from_time.map_or_else(|| reader.seek(which.from), |ts| reader.seek_time(ts));
    for record in records {
        let record =
            record.map_err(|damage| Failure::No(format!("{}: {damage}", which.journal.display())))?;
        if record.seq > which.to || which.to_time.is_some_and(|to| record.ts > to) {
            break;
        }
        let kind = record.kind.name();
        if record.seq < which.from || which.kind.as_deref().is_some_and(|wanted| wanted != kind) {
            continue;
        }
        if !tail::print(which.json, &record, &mut out)? {
            return Ok(());
        }
    }
    tail::written(out.flush())?;
    Ok(())
}

/// A record on a line, with its end.
pub fn line(record: &Record<'_>) -> String {
    format!("{:>9} {} {:<8} {}\n", record.seq, record.ts.0, record.kind.name(), describe(record))
}

/// A record's content as a person reads it.
fn describe(record: &Record<'_>) -> String {
    let plain = || format!("{} bytes", record.payload.len());
    match record.kind {
        RecordKind::Config | RecordKind::Source => String::from_utf8_lossy(record.payload).into_owned(),
        RecordKind::Input => codec::decode::<Event>(record.payload).map_or_else(
            |error| error.to_string(),
            |event| format!("{:?} {:?}", event.instrument, event.body),
        ),
        RecordKind::Output => codec::decode::<Output<NewOrder>>(record.payload)
            .map_or_else(|error| error.to_string(), |output| format!("{output:?}")),
        RecordKind::Digest => hex(record.payload),
        RecordKind::Close | RecordKind::Snapshot | RecordKind::Run | RecordKind::Unknown => plain(),
    }
}

/// A moment as people or programs write it.
fn time(text: &str) -> Result<TsNs, String> {
    if let Ok(ns) = text.parse() {
        return Ok(TsNs(ns));
    }
    let moment: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(moment.as_nanosecond()).map(TsNs).map_err(|_| "before 1970, or after 2554".to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
