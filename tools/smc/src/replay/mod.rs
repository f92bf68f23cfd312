//! `smc replay`: the engine again over a journal, and answers to what people ask of it.

mod diff;
mod explain;
mod show;
mod until;
mod what_if;

#[cfg(test)]
mod tests;

use crate::failure::{Failure, Outcome};
use crate::run::config_of;
use clap::Parser;
use serde_json::Value;
use smc_core::config::EngineConfig;
use smc_core::engine::Engine;
use smc_core::strategy::Confluence;
use smc_journal::{JournalError, Reader, RecordKind, verify};
use smc_replay::{DiffOptions, Question, Replay, ReplayError, replay_first as run_again};
use smc_runtime::config::FileConfig;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Run the engine again over a journal: compare every byte, ask how it stood, why, what if, what is different.
#[derive(Parser)]
pub struct Args {
    /// The journal's directory
    journal: PathBuf,
    /// Check every record and chain hash first; exit 1 when anything differs
    #[arg(long, group = "question")]
    verify: bool,
    /// The engine as it stood after this record
    #[arg(long, value_name = "SEQ", group = "question")]
    until: Option<u64>,
    /// Why: a record's number, order:CLIENT_ORDER_ID or signal:NUMBER
    #[arg(long, value_name = "SEQ", group = "question", value_parser = question)]
    explain: Option<Question>,
    /// The same market under this configuration, decisions and simulated profit side by side
    #[arg(long, value_name = "CONFIG", group = "question", conflicts_with = "config")]
    what_if: Option<PathBuf>,
    /// What another journal has that this one has not, and the other way; exit 1 when they differ
    #[arg(long, value_name = "JOURNAL2", group = "question", conflicts_with = "config")]
    diff: Option<PathBuf>,
    /// With --diff: times of records and stamps of events do not count
    #[arg(long, requires = "diff")]
    ignore_time: bool,
    /// Decide under this configuration instead of the journal's own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

fn question(text: &str) -> Result<Question, String> {
    Question::parse(text)
        .ok_or_else(|| "not a record's number, order:CLIENT_ORDER_ID or signal:NUMBER".to_string())
}

/// A replay and how long it took.
pub struct Timed {
    /// What it found.
    pub replay: Replay,
    /// Wall seconds.
    pub seconds: f64,
}

/// Answers.
pub fn replay(args: &Args) -> Outcome {
    if let Some(other) = &args.diff {
        return compare(args, other);
    }
    if let Some(seq) = args.until {
        let (reader, config) = open(args)?;
        let state =
            smc_replay::until(&reader, config, seq).map_err(|error| unanswered(&args.journal, &error))?;
        return print(args, || until::json(&state), || until::text(&state));
    }
    if let Some(question) = args.explain {
        let (reader, config) = open(args)?;
        let why = smc_replay::explain(&reader, config, question)
            .map_err(|error| unanswered(&args.journal, &error))?;
        return print(args, || explain::json(&why), || explain::text(&why));
    }
    if let Some(other) = &args.what_if {
        return what_if_of(args, other);
    }
    run_and_compare(args)
}

fn run_and_compare(args: &Args) -> Outcome {
    let records = if args.verify { sound(&args.journal)? } else { u64::MAX };
    let Timed { replay, seconds } = replay_dir(&args.journal, args.config.as_deref(), records)?;
    let per_second = |count: u64| count as f64 / seconds.max(1e-9);
    let verdict = replay.difference.as_ref().map_or("identical".to_string(), ToString::to_string);
    let document = || {
        serde_json::json!({
            "journal": args.journal, "replay": verdict, "records": replay.records, "inputs": replay.inputs,
            "outputs": replay.outputs, "outputs_of_pruned_inputs": replay.of_pruned_inputs,
            "orders": replay.orders, "digests": replay.digests, "runs": replay.runs, "digest": replay.digest,
            "closed": replay.is_closed, "seconds": seconds,
            "inputs_per_second": per_second(replay.inputs), "records_per_second": per_second(replay.records),
        })
    };
    let text = || {
        let pruned = match replay.of_pruned_inputs {
            0 => String::new(),
            outputs => format!("; the first {outputs} outputs answer an input that was pruned"),
        };
        let closed = if replay.is_closed { "" } else { "; the journal was not closed" };
        let runs = match replay.runs {
            0 => String::new(),
            runs => format!("; continued {runs} times after the process died"),
        };
        format!(
            "{} inputs, {} outputs ({} orders), {} digests compared in {seconds:.3} s \
             ({:.2} million inputs/s, {:.2} million records/s)\ndigest {}{closed}{runs}{pruned}\n{verdict}\n",
            replay.inputs,
            replay.outputs,
            replay.orders,
            replay.digests,
            per_second(replay.inputs) / 1e6,
            per_second(replay.records) / 1e6,
            replay.digest
        )
    };
    print(args, document, text)?;
    match (args.verify, &replay.difference) {
        (true, Some(_)) => Err(Failure::No(format!("{}: the replay differs", args.journal.display()))),
        _ => Ok(()),
    }
}

fn what_if_of(args: &Args, other: &Path) -> Outcome {
    let (reader, own) = open(args)?;
    let text = std::fs::read_to_string(other).map_err(|error| Failure::wrong(other.display(), error))?;
    let other = FileConfig::parse(&text)
        .and_then(|config| config.engine())
        .map_err(|error| Failure::wrong(other.display(), error))?;
    let symbols = own.instruments.iter().map(|it| it.symbol.to_string()).collect();
    let specs = specs(&reader, &args.journal)?;
    let found = smc_replay::what_if::what_if(&reader, own, other)
        .map_err(|error| unanswered(&args.journal, &error))?;
    let show = show::Show::new(specs, symbols);
    print(args, || what_if::json(&found), || what_if::text(&found, &show))
}

/// The venue's rules, for decimals.
fn specs(
    reader: &Reader,
    dir: &Path,
) -> Result<std::collections::BTreeMap<smc_core::InstrumentId, smc_core::instrument::InstrumentSpec>, Failure>
{
    let mut specs = std::collections::BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|damage| Failure::No(format!("{}: {damage}", dir.display())))?;
        if let Ok(smc_replay::Content::Input(event)) = smc_replay::content(&record)
            && let smc_core::event::EventBody::Instrument(spec) = event.body
        {
            specs.insert(event.instrument, spec);
        }
    }
    Ok(specs)
}

fn compare(args: &Args, other: &Path) -> Outcome {
    let open = |dir: &Path| Reader::open(dir).map_err(|error| unusable(dir, &error));
    let (a, b) = (open(&args.journal)?, open(other)?);
    let list_max = if args.json { diff::KEPT } else { diff::SHOWN + 1 };
    let options = DiffOptions { ignore_time: args.ignore_time, list_max };
    let found = smc_replay::diff(&a, &b, options).map_err(|error| {
        let name = format!("{} or {}", args.journal.display(), other.display());
        Failure::No(format!("{name}: {error}"))
    })?;
    print(args, || diff::json(&found), || diff::text(&found))?;
    if found.is_equal() { Ok(()) } else { Err(Failure::No("the journals differ".into())) }
}

/// To standard output; a reader that has seen enough is no failure.
fn print(args: &Args, document: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Outcome {
    let text = if args.json { format!("{}\n", document()) } else { text() };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::wrong("output", error)),
        _ => Ok(()),
    }
}

/// Damage and content are answers (exit 1); a record that is not there is wrong use (exit 2).
fn unanswered(dir: &Path, error: &ReplayError) -> Failure {
    match error {
        ReplayError::Damage(_) | ReplayError::Content { .. } => {
            Failure::No(format!("{}: {error}", dir.display()))
        }
        _ => Failure::wrong(dir.display(), error),
    }
}

/// Refuses a journal with anything damaged or torn off, naming the record; says how many records there are.
pub fn sound(dir: &Path) -> Result<u64, Failure> {
    let verdict = verify(dir).map_err(|error| unusable(dir, &error))?;
    match verdict.damage.or(verdict.torn) {
        None => Ok(verdict.records),
        Some(damage) => Err(Failure::No(format!("{}: {damage}", dir.display()))),
    }
}

/// Damage is an answer (exit 1); a directory without a journal is wrong use (exit 2).
pub fn unusable(dir: &Path, error: &JournalError) -> Failure {
    match error {
        JournalError::Damage(damage) => Failure::No(format!("{}: {damage}", dir.display())),
        other => Failure::wrong(dir.display(), other),
    }
}

/// Replays the first records of a journal under its own configuration, or under another.
pub fn replay_dir(dir: &Path, config: Option<&Path>, records: u64) -> Result<Timed, Failure> {
    let (reader, config) = open_with(dir, config)?;
    let strategy = Confluence::for_config(&config);
    let mut core = Engine::new(config, strategy).map_err(|error| Failure::wrong(dir.display(), error))?;
    let started = Instant::now();
    let replay = run_again(&reader, &mut core, records)
        .map_err(|error| Failure::No(format!("{}: {error}", dir.display())))?;
    Ok(Timed { replay, seconds: started.elapsed().as_secs_f64() })
}

fn open(args: &Args) -> Result<(Reader, EngineConfig), Failure> {
    open_with(&args.journal, args.config.as_deref())
}

fn open_with(dir: &Path, config: Option<&Path>) -> Result<(Reader, EngineConfig), Failure> {
    let reader = Reader::open(dir).map_err(|error| unusable(dir, &error))?;
    let config = match config {
        None => own_config(dir, &reader)?,
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| Failure::wrong(path.display(), error))?;
            FileConfig::parse(&text).map_err(|error| Failure::wrong(path.display(), error))?
        }
    };
    let config = config.engine().map_err(|error| Failure::wrong(dir.display(), error))?;
    Ok((reader, config))
}

/// The configuration that a journal's inputs were decided under.
pub fn own_config(dir: &Path, reader: &Reader) -> Result<FileConfig, Failure> {
    if let Some(base) = reader.base() {
        return config_of(dir, &base.config);
    }
    let first = reader.records().next();
    match first {
        Some(Ok(record)) if record.kind == RecordKind::Config => config_of(dir, record.payload),
        Some(Err(damage)) => Err(Failure::No(format!("{}: {damage}", dir.display()))),
        _ => Err(Failure::wrong(
            dir.display(),
            "the journal does not begin with a configuration; pass --config FILE",
        )),
    }
}

/// Why a record of a journal says what it says, while its engine may still be writing it.
pub fn explain_live(journal: &Path, what: &str, as_json: bool) -> Outcome {
    let question = question(what).map_err(Failure::Wrong)?;
    let (reader, config) = open_with(journal, None)?;
    let why = smc_replay::explain(&reader, config, question).map_err(|error| unanswered(journal, &error))?;
    if as_json {
        println!("{}", explain::json(&why));
    } else {
        print!("{}", explain::text(&why));
    }
    Ok(())
}
