//! `smc validate`: a strategy before the referee; keys and signed reports.

use crate::engine::{EnginePipeline, plain};
use crate::plan::Plan;
use crate::report::Context;
use crate::signature::{Signer, verify};
use crate::workers::Workers;
use crate::{ValidateError, referee, report};
use clap::Parser;
use smc_core::words::{Name, Price, Qty, Timeframe};
use smc_history::data::load;
use smc_history::flags::{name, step, timeframe};
use smc_import::{Format, Known};
use smc_settings::file::FileConfig;
use smc_trials::{Head, Ledger};
use std::fmt::Display;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Judge a strategy: is its result more than luck, and may it move up.
///
/// Runs the configuration with every cell of the plan's grid, searched again in each walk-forward step, in each split of
/// cross-validation and in each of 1,200 permutations of the market; counts every look in the ledger of trials; and prints what
/// was asked of each criterion and what was found. The latest fifth of the data is kept back; --open-hold-out opens it, once a
/// version and once for all versions, when everything else holds and no trial of the ledger had looked at it. Exit code 0 is
/// accepted, 1 rejected.
///
///   smc validate --new-key referee.pem
///   smc validate --config c.toml --plan plan.toml --data bars.csv --key referee.pem --out report.jsonl
///   smc validate --verify report.jsonl --key referee.pem.pub
#[derive(Debug, Parser)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Make an Ed25519 key: FILE, readable by its owner alone, and FILE.pub
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_key: Option<PathBuf>,
    /// Check a signed report and print it; the key is the public one
    #[arg(long, value_name = "REPORT", requires = "key", conflicts_with_all = ["config", "plan", "data", "out"])]
    verify: Option<PathBuf>,
    /// The key: private to sign a report, public to verify one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The configuration
    #[arg(long, value_name = "FILE", requires_all = ["plan", "data"])]
    config: Option<PathBuf>,
    /// What is asked: strategy, grid, lengths, limits
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Files of bars, all instruments over the same times; may be given several times
    #[arg(long, value_name = "FILE", num_args = 1..)]
    data: Vec<PathBuf>,
    /// The instrument of the files, where neither they nor their names say it
    #[arg(long, value_parser = name)]
    symbol: Option<Name>,
    /// Format of the files, where it cannot be seen
    #[arg(long, value_name = "NAME")]
    format: Option<Format>,
    /// Length of bars that do not say it: 1m, 4h
    #[arg(long, value_parser = timeframe)]
    timeframe: Option<Timeframe>,
    /// Price step of the files; as fine as their rows without it
    #[arg(long, value_parser = step)]
    tick: Option<i64>,
    /// Quantity step of the files
    #[arg(long, value_parser = step)]
    lot: Option<i64>,
    /// The ledger of trials; beside the configuration without it. With --verify it must still hold what the report knew
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Where the report goes: two lines, the report and its signature
    #[arg(long, value_name = "FILE", requires = "key")]
    out: Option<PathBuf>,
    /// Open the hold-out, if everything else holds: once a version, and once for all versions that keep some of the same data back
    #[arg(long)]
    open_hold_out: bool,
    /// Threads; as many as the machine has without it. Results do not depend on them
    #[arg(long, value_name = "COUNT")]
    workers: Option<NonZeroUsize>,
    /// Time that the ledger's entries and the report bear, in nanoseconds since the epoch; now, without it
    #[arg(long, value_name = "NS")]
    at: Option<u64>,
    /// Print the report's JSON instead of text
    #[arg(long)]
    json: bool,
}

/// How it ended.
#[derive(Debug)]
pub enum Failure {
    /// The answer is no: rejected, or not what was signed. Exit 1.
    No(String),
    /// Wrong use or bad input. Exit 2.
    Wrong(String),
}

impl From<ValidateError> for Failure {
    fn from(error: ValidateError) -> Self {
        Self::Wrong(error.to_string())
    }
}

fn wrong(subject: impl Display, reason: impl Display) -> Failure {
    Failure::Wrong(format!("{subject}: {reason}"))
}

/// Does what the flags ask for; results go to `out`, progress to `err`.
pub fn run(args: &Args, out: &mut impl Write, err: &mut (impl Write + Send)) -> Result<(), Failure> {
    let print = |out: &mut dyn Write, text: &str| {
        out.write_all(text.as_bytes()).map_err(|error| wrong("output", error))
    };
    if let Some(path) = &args.new_key {
        let public = Signer::create(path)?;
        return print(out, &format!("private {}\npublic  {}\n", path.display(), public.display()));
    }
    if let (Some(path), Some(key)) = (&args.verify, &args.key) {
        let (line, document) = verified(path, key, args.ledger.as_deref())?;
        return print(out, &if args.json { line + "\n" } else { report::text(&document) });
    }
    let (Some(config), Some(plan)) = (&args.config, &args.plan) else {
        return Err(Failure::Wrong("give --config, --plan and --data; or --verify; or --new-key".into()));
    };
    // What could fail cheaply fails before an hour of work.
    let signer = args.key.as_deref().map(Signer::open).transpose()?;
    let (document, is_accepted) = judged(args, config, plan, err)?;
    let line = report::line(&document)?;
    if let (Some(path), Some(signer)) = (&args.out, &signer) {
        std::fs::write(path, signer.sign(&line)?).map_err(|error| wrong(path.display(), error))?;
    }
    print(out, &if args.json { line + "\n" } else { report::text(&document) })?;
    if is_accepted { Ok(()) } else { Err(Failure::No("rejected".into())) }
}

fn verified(path: &Path, key: &Path, ledger: Option<&Path>) -> Result<(String, serde_json::Value), Failure> {
    let signed = std::fs::read_to_string(path).map_err(|error| wrong(path.display(), error))?;
    let no = |reason: &dyn Display| Failure::No(format!("{}: {reason}", path.display()));
    let line = verify(&signed, key).map_err(|error| no(&error))?;
    let document: serde_json::Value = serde_json::from_str(line).map_err(|error| no(&error))?;
    if let Some(ledger) = ledger {
        let known = Head {
            entries: document["ledger"]["entries"].as_u64().unwrap_or(0),
            hash: document["ledger"]["head"].as_str().unwrap_or_default().to_owned(),
        };
        let told = Ledger::verify(ledger, Some(&known));
        told.map_err(|error| Failure::No(format!("{}: {error}", ledger.display())))?;
    }
    Ok((line.to_owned(), document))
}

fn judged(
    args: &Args,
    config: &Path,
    plan: &Path,
    err: &mut (impl Write + Send),
) -> Result<(serde_json::Value, bool), Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| wrong(path.display(), error));
    let (config_text, plan_text) = (read(config)?, read(plan)?);
    let asked = Plan::parse(&plan_text).map_err(|error| wrong(plan.display(), error))?;
    let file = FileConfig::parse(&config_text).map_err(|error| wrong(config.display(), error))?;
    let known = Known {
        format: args.format,
        symbol: args.symbol,
        assets: (None, None),
        steps: (args.tick.map(Price), args.lot.map(Qty)),
        timeframe: args.timeframe,
    };
    let base = config.parent().unwrap_or(Path::new("."));
    let mut loaded = load(&file, &args.data, &known).map_err(|error| Failure::Wrong(error.to_string()))?;
    for refused in &loaded.refused {
        let _ = writeln!(err, "smc: {}:{}: {}", refused.file.display(), refused.line, refused.reason);
    }
    for (at, spec) in loaded.market.instruments.iter_mut().enumerate() {
        smc_history::venue::rules(&file, spec, at).map_err(|error| Failure::Wrong(error.to_string()))?;
    }
    let (markets, timeframe) = plain(&loaded)?;
    let grid = asked.grid()?;
    let stem = || config.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let strategy = asked.strategy.clone().unwrap_or_else(stem);
    let pipeline = EnginePipeline::new(&strategy, &config_text, base, grid, &loaded, timeframe)?;
    let settings = asked.settings(&markets, args.open_hold_out)?;

    let beside = || config.with_extension("trials");
    let path = args.ledger.clone().unwrap_or_else(beside);
    let mut ledger = Ledger::open(&path).map_err(|error| wrong(path.display(), error))?;
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let at_ns = args.at.unwrap_or_else(now);
    let workers = args.workers.map_or_else(Workers::of_machine, Workers::new);
    let told = Mutex::new((String::new(), err));
    let progress = |stage: &str, done: usize, of: usize| {
        let Ok(mut told) = told.lock() else { return };
        // A line a stage, and one a twentieth of a long one.
        let step = (of / 20).max(1);
        if told.0 != stage || (done > 0 && done.is_multiple_of(step)) {
            stage.clone_into(&mut told.0);
            let part = if of > 1 { format!(" {done} of {of}") } else { String::new() };
            // Whoever does not listen misses progress, nothing else.
            let _ = writeln!(told.1, "smc: {stage}{part}");
        }
    };
    let verdict = referee::validate(&pipeline, &markets, &settings, &mut ledger, at_ns, workers, &progress)?;
    let program = std::env::current_exe().and_then(std::fs::read);
    let program = program
        .map_or_else(|_| "unknown".to_owned(), |bytes| format!("blake3 {}", blake3::hash(&bytes).to_hex()));
    let configuration = format!("{config_text}\n# plan\n{plan_text}");
    let context = Context { at_ns, program: &program, configuration: &configuration };
    let document = report::json(&verdict, &pipeline, &markets, &settings, &context);
    Ok((document, verdict.is_accepted()))
}
