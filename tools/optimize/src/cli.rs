//! `smc optimize` as a library: its flags, and what it does with them.

use crate::method::Method;
use crate::page::{said, short};
use crate::{
    Backtest, Base, Evaluate, Judgement, Metric, OptimizeError, Outcome, Path as Key, Progress, Search,
    Space, Spec, Subject, files,
};
use clap::{Parser, ValueEnum};
use smc_core::words::{Name, Price, Qty, Timeframe, TsNs};
use smc_import::{Format, Known, number};
use smc_settings::file::FileConfig;
use smc_trials::Data;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Search for the parameters of a configuration that trade best
///
/// Any key of the configuration file can be varied. Trials run on all cores, and the result is the same for the same seed,
/// whatever the number of workers. A search that was interrupted, even by kill -9, goes on where it was: give the same command
/// again.
///
/// Every trial is written into the ledger of trials before its score is shown, because the more is tried, the more the best of
/// it is luck; the count goes into the deflated Sharpe ratio. What is chosen is the centre of a plateau, where neighbours do
/// about as well, and not the highest peak. The result says nothing yet about data that the search has not seen.
#[derive(Parser, Clone, Debug)]
#[command(name = "optimize", after_long_help = EXAMPLES)]
pub struct Args {
    /// Configuration whose keys are varied; all others stay as they are
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Files of market data, or the directory of a journal, as for `smc backtest`; may be given several times
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub data: Vec<PathBuf>,
    /// Directory of the results and of the record from which an interrupted search goes on
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Vary a key: smc.pivot_left=2..6, "strategy.reward_to_risk_ppm_min=1000000..3000000 step 250000",
    /// "sizing.risk_fraction_ppm=log 500..10000", strategy.entry_kind=take,rest; may be given many times
    ///
    /// PATH is SECTION.KEY of the configuration file; instruments.0.collar_ppm is a key of the first instrument. SPEC is one of
    ///   2..6                      whole numbers, both ends among them
    ///   0.5..2 step 0.25          in steps
    ///   0.5..2 points 7           so many, evenly spaced
    ///   log 500..10000            spread evenly in the logarithm (no grid)
    ///   log 500..8000 points 5    each the same times the one before
    ///   take,rest                 words; so is ["take", "rest"]
    ///   5,10,20                   numbers in ascending order
    #[arg(long, value_name = "PATH=SPEC", help_heading = "Space", verbatim_doc_comment)]
    pub vary: Vec<String>,
    /// A TOML file with a table [space] of the same: "smc.pivot_left" = "2..6"
    #[arg(long, value_name = "FILE", help_heading = "Space")]
    pub space: Option<PathBuf>,

    /// What trials are judged by
    #[arg(long, value_enum, default_value_t, help_heading = "Score")]
    pub metric: Metric,
    /// Trials of fewer closed trades have no score
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Score")]
    pub trades_min: u64,
    /// Length of the periods of returns: 1d, 1h, 1m; a day, or shorter where the data is
    #[arg(long, value_name = "LENGTH", value_parser = timeframe, help_heading = "Score")]
    pub period: Option<Timeframe>,

    /// From this moment on: 2024-01-01 or 2024-01-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = "Data")]
    pub from: Option<TsNs>,
    /// Before this moment; keep what comes behind it for a test out of sample
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = "Data")]
    pub to: Option<TsNs>,
    /// The instrument of the files, where neither they nor their names say it
    #[arg(long, value_parser = name, help_heading = "Data")]
    pub symbol: Option<Name>,
    /// Format of the files, where it cannot be seen
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    pub format: Option<Format>,
    /// Length of bars that do not say it: 1m, 4h
    #[arg(long, value_name = "LENGTH", value_parser = timeframe, help_heading = "Data")]
    pub timeframe: Option<Timeframe>,
    /// Price step of the files; as fine as their rows without it
    #[arg(long, value_name = "STEP", value_parser = step, help_heading = "Data")]
    pub tick: Option<i64>,
    /// Quantity step of the files
    #[arg(long, value_name = "STEP", value_parser = step, help_heading = "Data")]
    pub lot: Option<i64>,

    /// How the space is searched
    #[arg(long, value_enum, default_value_t = MethodWord::Lhs, help_heading = "Method")]
    pub method: MethodWord,
    /// How many points are tried; a grid has as many as it has
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Method")]
    pub trials: u64,
    /// Points that TPE proposes together. It is no matter of cores: what is proposed depends on it. At least as many as there
    /// are workers keeps them all busy
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = "Method")]
    pub batch: u64,
    /// First points of TPE, spread evenly
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Method")]
    pub startup: u64,
    /// Where all chance comes from: of the points, and of the exchange where `[backtest]` has no seed
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Method")]
    pub seed: u64,
    /// Threads that make trials; all cores by default. The result does not depend on it
    #[arg(long, value_name = "N", help_heading = "Method")]
    pub workers: Option<NonZeroUsize>,

    /// The ledger of trials; beside the configuration without it, as `smc backtest` has it
    #[arg(long, value_name = "FILE", help_heading = "Ledger")]
    pub ledger: Option<PathBuf>,
    /// Strategy that these trials are counted under, with all others of that name; the name of the configuration's file without
    /// it
    #[arg(long, value_name = "NAME", help_heading = "Ledger")]
    pub strategy: Option<String>,

    /// Say what would be tried, and try nothing
    #[arg(long)]
    pub plan: bool,
    /// Rows in the table of the best
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub best: usize,
    /// The result as one JSON document
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  smc optimize --config trade.toml --data BTCUSDT-1m.csv --out pivots --method grid \\
      --vary smc.pivot_left=2..6 --vary smc.pivot_right=2..6
  smc optimize --config trade.toml --data BTCUSDT-1m.csv --out wide --method tpe --trials 300 --space space.toml

Files in --out: result.html (tables and heat maps), result.json, trials.csv, chosen.toml (the configuration with the chosen
values), trials.jsonl (the record of finished trials)

Methods:
  grid    every point: the only one that knows all neighbours
  lhs     Latin hypercube: every value of every parameter about as often
  tpe     goes where scores are high: the most for few trials, and the least evidence that they are no luck
  random  what the others are to be compared with";

/// How the space is searched, as a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodWord {
    /// Every point
    Grid,
    /// Latin hypercube
    Lhs,
    /// Any points
    Random,
    /// Tree-structured Parzen estimators
    Tpe,
}

/// Market data, ready for trials.
pub struct Opened {
    /// The backtest on it.
    pub evaluate: Box<dyn Evaluate>,
    /// What identifies it.
    pub data: Data,
    /// Version of strategy and engine, for the ledger.
    pub version: String,
}

impl Args {
    /// The method with its numbers.
    pub const fn method(&self) -> Method {
        let trials = self.trials;
        match self.method {
            MethodWord::Grid => Method::Grid,
            MethodWord::Lhs => Method::LatinHypercube { trials },
            MethodWord::Random => Method::Random { trials },
            MethodWord::Tpe => Method::Tpe { trials, batch: self.batch, startup: self.startup },
        }
    }

    /// The market data, read for backtests.
    fn open(&self, base: &FileConfig) -> Result<Opened, String> {
        let known = Known {
            format: self.format,
            symbol: self.symbol,
            assets: (None, None),
            steps: (self.tick.map(Price), self.lot.map(Qty)),
            timeframe: self.timeframe,
        };
        let span = (self.from.unwrap_or(TsNs(0)), self.to.unwrap_or(TsNs(u64::MAX)));
        let judgement = Judgement {
            metric: self.metric,
            trades_min: self.trades_min,
            period_ns: self.period.map(Timeframe::nanos),
        };
        let beside = self.config.parent().unwrap_or(Path::new("."));
        let backtest = Backtest::open(base, beside, &self.data, &known, span, judgement);
        let backtest = backtest.map_err(|error| error.to_string())?;
        let (data, version) = (backtest.data(), env!("CARGO_PKG_VERSION").to_owned());
        Ok(Opened { evaluate: Box::new(backtest), data, version })
    }

    /// The space: from the file, then from the flags.
    pub fn space(&self) -> Result<Space, OptimizeError> {
        let text = std::fs::read_to_string(&self.config).map_err(OptimizeError::io(&self.config))?;
        let base = Base::parse(&text).map_err(|error| match error {
            OptimizeError::Base(reason) => {
                OptimizeError::Base(format!("{}: {reason}", self.config.display()))
            }
            other => other,
        })?;
        let mut specs: Vec<(Key, Spec)> = Vec::new();
        if let Some(path) = &self.space {
            let text = std::fs::read_to_string(path).map_err(OptimizeError::io(path))?;
            let named = |reason: String| OptimizeError::Space(format!("{}: {reason}", path.display()));
            specs.extend(Space::parse_file(&text).map_err(|error| named(error.to_string()))?);
        }
        for flag in &self.vary {
            let (path, spec) =
                Space::parse_flag(flag).map_err(|error| OptimizeError::Space(format!("--vary {error}")))?;
            // A flag wins over the file, as everywhere.
            specs.retain(|(other, _)| self.space.is_none() || *other != path);
            specs.push((path, spec));
        }
        Space::new(base, specs)
    }
}

/// Makes the search that the flags ask for, of backtests. `clock` is nanoseconds since the epoch, for the ledger; results go to
/// `out`, words for people to `notes`; `is_watched` says that a person sees them at once.
pub fn run(
    args: &Args,
    clock: &dyn Fn() -> u64,
    out: &mut dyn Write,
    notes: &mut dyn Write,
    is_watched: bool,
) -> Result<(), OptimizeError> {
    run_on(args, |base| args.open(base), clock, out, notes, is_watched)
}

/// The same of whatever `open` makes of the base configuration.
pub fn run_on(
    args: &Args,
    open: impl FnOnce(&FileConfig) -> Result<Opened, String>,
    clock: &dyn Fn() -> u64,
    out: &mut dyn Write,
    notes: &mut dyn Write,
    is_watched: bool,
) -> Result<(), OptimizeError> {
    let space = args.space()?;
    let method = args.method();
    method.check(&space)?;
    if args.plan {
        return plan(&space, method, out).map_err(OptimizeError::io("standard output"));
    }
    let text = space.base().with([])?;
    let base = Base::read(&text).map_err(OptimizeError::Base)?;
    let Opened { evaluate, data, version } = open(&base).map_err(OptimizeError::Data)?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let ledger = args.ledger.clone().unwrap_or_else(|| args.config.with_extension("trials"));
    let stem = || args.config.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let strategy = args.strategy.clone().unwrap_or_else(stem);
    let search = Search {
        space: &space,
        method,
        seed: args.seed,
        workers: args.workers.unwrap_or(cores),
        subject: Subject { strategy, version, data },
        evaluate: &*evaluate,
        out: &args.out,
        ledger: &ledger,
        clock,
    };
    let mut line = Line { notes, is_watched, started: Instant::now(), told: None, has_said_kept: false };
    let outcome = search.run(&mut |progress| line.on_progress(progress))?;
    line.end();
    files::write_files(&outcome, &args.out, args.best)?;
    let said = if args.json { json(&outcome, args.best, out) } else { tell(&outcome, args, out) };
    said.map_err(OptimizeError::io("standard output"))
}

fn name(text: &str) -> Result<Name, String> {
    let name = Name::new(text).filter(|name| !name.as_bytes().is_empty());
    name.ok_or_else(|| format!("1 to {} letters", Name::MAX))
}

fn step(text: &str) -> Result<i64, String> {
    number::decimal(text).filter(|units| *units > 0).ok_or_else(|| "a step such as 0.01".into())
}

fn timeframe(text: &str) -> Result<Timeframe, String> {
    Timeframe::parse(text).ok_or_else(|| "a length such as 5s, 15m, 4h or 1d".into())
}

fn moment(text: &str) -> Result<TsNs, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let found: jiff::Timestamp = whole.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(found.as_nanosecond()).map(TsNs).map_err(|_| "before 1970".into())
}

fn plan(space: &Space, method: Method, out: &mut dyn Write) -> std::io::Result<()> {
    for parameter in space.parameters() {
        let (path, spec) = (&parameter.path, &parameter.spec);
        writeln!(out, "{path:<40} {} values: {spec}", spec.count())?;
    }
    let trials = match method {
        Method::Grid => space.points(),
        Method::LatinHypercube { trials } | Method::Random { trials } | Method::Tpe { trials, .. } => {
            trials.min(space.points())
        }
    };
    let points = match space.points() {
        u64::MAX => "more than 10^19".into(),
        points => points.to_string(),
    };
    writeln!(out, "{points} points; {} tries {trials} of them", method.name())
}

fn json(outcome: &Outcome, best: usize, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}", files::document(outcome, best))
}

fn tell(outcome: &Outcome, args: &Args, out: &mut dyn Write) -> std::io::Result<()> {
    let row = |nth: usize| {
        let values = outcome.space.texts(&outcome.trials[nth].point);
        let values: Vec<String> = values.iter().map(|(path, text)| format!("{path}={text}")).collect();
        let score = outcome.trials[nth].ending.value().map(short).unwrap_or_default();
        format!("{nth:>7} {score:>10}  {}", values.join(" "))
    };
    writeln!(out, "{:>7} {:>10}  {}", "trial", "score", outcome.metric)?;
    for nth in outcome.ranking.iter().take(args.best) {
        writeln!(out, "{}", row(*nth))?;
    }
    let reasons: Vec<String> = outcome.trials.iter().filter_map(|trial| trial.ending.reason()).collect();
    if let Some(first) = reasons.first() {
        writeln!(
            out,
            "{} of {} trials have no score; the first one: {first}",
            reasons.len(),
            outcome.trials.len()
        )?;
    }
    writeln!(out, "\nchosen\n{}", row(outcome.chosen.trial))?;
    for line in said(outcome) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "Not tested out of sample: that is for smc validate.")?;
    writeln!(out, "Wrote {} in {}", files::FILES.join(", "), args.out.display())
}

/// One line on a terminal, nothing anywhere else.
struct Line<'a> {
    notes: &'a mut dyn Write,
    is_watched: bool,
    started: Instant,
    told: Option<Instant>,
    has_said_kept: bool,
}

const TELL_EVERY: Duration = Duration::from_millis(200);

impl Line<'_> {
    fn on_progress(&mut self, progress: &Progress) {
        let Progress { done, total, kept, best } = *progress;
        if kept > 0 && !std::mem::replace(&mut self.has_said_kept, true) {
            let _ = writeln!(self.notes, "going on: {kept} of {total} trials were made before");
        }
        let is_time = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if !self.is_watched || !is_time {
            return;
        }
        self.told = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = done.saturating_sub(kept) as f64 / seconds.max(1e-9);
        let left =
            if rate > 0.0 { format!(", {}", ahead((total - done) as f64 / rate)) } else { String::new() };
        let best = best.map(|(trial, score)| format!(", best {} (trial {trial})", short(score)));
        let _ = write!(self.notes, "\r\x1b[K{done} of {total} trials{}{left}", best.unwrap_or_default());
        let _ = self.notes.flush();
    }

    fn end(&mut self) {
        if self.told.is_some() {
            let _ = write!(self.notes, "\r\x1b[K");
        }
    }
}

fn ahead(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s left"),
        seconds if seconds < 5_400.0 => format!("{:.0} min left", seconds / 60.0),
        seconds => format!("{:.1} h left", seconds / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
