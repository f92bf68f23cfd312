//! `smc replay`: the engine again over a journal.

use crate::failure::{Failure, Outcome};
use crate::run::config_of;
use clap::Parser;
use smc_core::engine::Engine;
use smc_core::strategy::Confluence;
use smc_journal::{JournalError, Reader, RecordKind, verify};
use smc_replay::{Replay, replay as run_again};
use smc_runtime::config::FileConfig;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Run the engine again over a journal and compare everything it says, byte for byte.
#[derive(Parser)]
pub struct Args {
    /// The journal's directory
    journal: PathBuf,
    /// Check every record and chain hash first; exit 1 when anything differs
    #[arg(long)]
    verify: bool,
    /// Decide under this configuration instead of the journal's own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// A replay and how long it took.
pub struct Timed {
    /// What it found.
    pub replay: Replay,
    /// Wall seconds.
    pub seconds: f64,
}

/// Replays and reports.
pub fn replay(args: &Args) -> Outcome {
    if args.verify {
        sound(&args.journal)?;
    }
    let Timed { replay, seconds } = replay_dir(&args.journal, args.config.as_deref())?;
    let rate = replay.inputs as f64 / seconds.max(1e-9);
    let verdict = replay.difference.as_ref().map_or("identical".to_string(), ToString::to_string);
    if args.json {
        let document = serde_json::json!({
            "journal": args.journal, "replay": verdict, "inputs": replay.inputs, "outputs": replay.outputs,
            "orders": replay.orders, "digests": replay.digests, "digest": replay.digest, "closed": replay.is_closed,
            "seconds": seconds, "inputs_per_second": rate,
        });
        println!("{document}");
    } else {
        println!(
            "{} inputs, {} outputs ({} orders), {} digests compared in {seconds:.3} s ({:.2} million inputs/s)",
            replay.inputs,
            replay.outputs,
            replay.orders,
            replay.digests,
            rate / 1e6
        );
        println!(
            "digest {}{}",
            replay.digest,
            if replay.is_closed { "" } else { "; the journal was not closed" }
        );
        println!("{verdict}");
    }
    match (args.verify, replay.difference) {
        (true, Some(_)) => Err(Failure::No(format!("{}: the replay differs", args.journal.display()))),
        _ => Ok(()),
    }
}

/// Refuses a journal with anything damaged or torn off, naming the record.
pub fn sound(dir: &Path) -> Outcome {
    let verdict = verify(dir).map_err(|error| unusable(dir, &error))?;
    match verdict.damage.or(verdict.torn) {
        None => Ok(()),
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

/// Replays a journal under its own configuration, or under another.
pub fn replay_dir(dir: &Path, config: Option<&Path>) -> Result<Timed, Failure> {
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
    let strategy = Confluence::for_config(&config);
    let mut core = Engine::new(config, strategy).map_err(|error| Failure::wrong(dir.display(), error))?;
    let started = Instant::now();
    let replay =
        run_again(&reader, &mut core).map_err(|error| Failure::No(format!("{}: {error}", dir.display())))?;
    Ok(Timed { replay, seconds: started.elapsed().as_secs_f64() })
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
