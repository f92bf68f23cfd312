//! `smc journal`: ls, verify, dump, tail.

mod import;
mod prune;
mod tail;

use crate::failure::{Failure, Outcome};
use crate::replay::unusable;
use clap::{Args, Subcommand};
use smc_core::codec;
use smc_core::event::Event;
use smc_core::output::{NewOrder, Output};
use smc_journal::{Reader, Record, RecordKind, Verdict, verify};
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
    /// Print the last records, and with -f those that come
    Tail(tail::TailArgs),
    /// Bring archives, captured feeds, candles or bars into a journal
    Import(Box<import::ImportArgs>),
    /// Remove old segments and keep what they came to
    Prune(prune::PruneArgs),
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
    let kept = verdict.records;
    match (verdict.damage, verdict.torn) {
        (None, None) => Ok(()),
        (Some(damage), _) => Err(Failure::No(format!("damaged: {damage}; records 1 to {kept} can be kept"))),
        (None, Some(torn)) => Err(Failure::No(format!(
            "cut: {torn}; {} bytes dropped, records 1 to {kept} can be kept",
            verdict.dropped_bytes
        ))),
    }
}

fn as_json(verdict: &Verdict) -> serde_json::Value {
    let place = |damage: &Option<smc_journal::Damage>| {
        damage.as_ref().map(|damage| {
            serde_json::json!({
                "segment": damage.segment, "offset": damage.offset, "seq": damage.seq, "text": damage.to_string(),
            })
        })
    };
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
        "damage": place(&verdict.damage), "cut": place(&verdict.torn), "dropped_bytes": verdict.dropped_bytes,
        "chain": hex(&verdict.chain), "segments": segments.collect::<Vec<_>>(),
    })
}

fn dump(which: &Dump) -> Outcome {
    let reader = Reader::open(&which.journal).map_err(|error| unusable(&which.journal, &error))?;
    let mut out = BufWriter::new(io::stdout().lock());
    for record in reader.records() {
        let record =
            record.map_err(|damage| Failure::No(format!("{}: {damage}", which.journal.display())))?;
        if record.seq > which.to {
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
