//! `smc backtest`: history through the same engine, and what came of it.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use serde_json::{Value, json};
use smc_backtest::{Ended, Market, Outcome as Run, Wanted, fitting_period_ns, run_recorded};
use smc_core::codec;
use smc_core::event::{Event, EventBody};
use smc_core::instrument::InstrumentSpec;
use smc_core::risk::Check;
use smc_core::strategy::Confluence;
use smc_core::words::{InstrumentId, Money, Name, Price, Qty, Timeframe, TsNs};
use smc_history::flags::{moment, name, step, timeframe};
use smc_history::{Study, StudyError};
use smc_import::{Format, Known};
use smc_journal::{Reader, RecordKind};
use smc_metrics::figure::Figure;
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::trades::TradeMetrics;
use smc_metrics::{PeriodsPerYear, Series};
use smc_report::{Benchmark, Instrument, Meta, Source, TrialCount};
use smc_runtime::config::FileConfig;
use smc_trials::{Data, Ledger, Trial};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What trials are compared by: the Sharpe ratio of a period.
const SCORE: &str = "sharpe_per_period";

/// Run history through the same engine, against an exchange in simulated time.
///
/// The exchange is that of `[backtest]` in the configuration: latency, queues, fees by date, funding, financing, impact.
/// Data are files of any format that `smc journal import` knows (archives, captures, candles, CSV, Parquet) and journals; of
/// bars alone, decisions at a close act from the next opening, and everything inside a bar is taken to go against us.
#[derive(Parser)]
pub struct Args {
    /// The configuration; with --recorded that of the journal without it
    #[arg(long, value_name = "FILE", required_unless_present = "recorded")]
    config: Option<PathBuf>,
    /// Files of market data, or the directory of a journal; may be given several times
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
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
    /// From this moment on: 2024-01-01 or 2024-01-01T08:00:00Z
    #[arg(long, value_parser = moment)]
    from: Option<TsNs>,
    /// Before this moment
    #[arg(long, value_parser = moment)]
    to: Option<TsNs>,
    /// Seed of all draws; that of the configuration, or 1, without it
    #[arg(long)]
    seed: Option<u64>,
    /// Length of the periods of returns: 1d, 1h, 1m; a day, or shorter where the data is
    #[arg(long, value_parser = timeframe)]
    period: Option<Timeframe>,
    /// Keep the run as a journal in this empty directory: replay, explain, verify as with a live one
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Write the report there: one page of HTML for people, JSON and CSV for programs
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// The journal's own answers instead of a simulated exchange: decisions must come out the same, bit for bit
    #[arg(long, conflicts_with_all = ["journal", "from", "to"])]
    recorded: bool,
    /// The ledger that this look at performance is counted in; beside the configuration without it
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Runs and reports.
pub fn backtest(args: &Args) -> Outcome {
    let started = Instant::now();
    let known = Known {
        format: args.format,
        symbol: args.symbol,
        assets: (None, None),
        steps: (args.tick.map(Price), args.lot.map(Qty)),
        timeframe: args.timeframe,
    };
    let done = if args.recorded { recorded(args)? } else { simulated(args, &known)? };
    let seconds = started.elapsed().as_secs_f64();
    let sheet = Sheet::of(&done.outcome);
    let trials = record(args, &done, &sheet)?;
    if let Some(dir) = &args.report {
        let meta = meta(args, &done, trials);
        smc_report::write(dir, &meta, &done.outcome).map_err(|error| Failure::wrong(dir.display(), error))?;
    }
    if args.json {
        println!("{}", sheet.json(args, &done, seconds));
    } else {
        print!("{}", sheet.text(args, &done, seconds));
    }
    match done.outcome.ended {
        Ended::EndOfData => Ok(()),
        Ended::Liquidated { .. } => Err(Failure::No("the venue would have liquidated the account".into())),
    }
}

/// A run and what it was made of.
pub struct Done {
    pub outcome: Run,
    pub file: FileConfig,
    /// Name, hash and rows refused of each source.
    pub sources: Vec<(String, String, u64)>,
    /// Seconds of the run alone.
    pub run_s: f64,
    /// Rules of the instruments; none of a recorded run, whose journal has them.
    pub specs: Vec<InstrumentSpec>,
    /// The first instrument's price at the beginning and at the end of each period; empty of a recorded run.
    pub prices: Vec<f64>,
    pub seed: u64,
}

fn simulated(args: &Args, known: &Known) -> Result<Done, Failure> {
    let wrong = |error: StudyError| Failure::Wrong(error.to_string());
    let config = args.config.as_deref().unwrap_or(Path::new(""));
    let mut study = Study::open(config, &args.data, known).map_err(wrong)?;
    for refused in &study.loaded.refused {
        eprintln!("smc: {}:{}: {}", refused.file.display(), refused.line, refused.reason);
    }
    study.venue.seed = args.seed.unwrap_or(study.venue.seed);
    if args.from.is_some() || args.to.is_some() {
        let (from, to) = (args.from.unwrap_or(TsNs(0)), args.to.unwrap_or(TsNs(u64::MAX)));
        study.loaded.market = study.loaded.market.between(from, to);
    }
    let span =
        study.loaded.market.span().ok_or_else(|| Failure::Wrong("no data between --from and --to".into()))?;
    let wanted = Wanted { period_ns: period(args, span), record: args.report.is_some() };
    let started = Instant::now();
    let outcome = match &args.journal {
        None => study.run(wanted),
        Some(dir) => study.run_into(dir, 64 << 20, wanted),
    };
    let run_s = started.elapsed().as_secs_f64();
    let sources = study.loaded.sources.iter();
    let sources = sources.map(|source| (source.name.clone(), source.hash.clone(), source.refused)).collect();
    let outcome = outcome.map_err(wrong)?;
    let prices = prices(&study.loaded.market, &outcome);
    let (specs, seed) = (study.loaded.market.instruments, study.venue.seed);
    Ok(Done { outcome, sources, file: study.file, run_s, specs, prices, seed })
}

/// What who bought the first instrument at the beginning and kept it would have seen.
fn prices(market: &Market, run: &Run) -> Vec<f64> {
    let price = |event: &Event| match &event.body {
        EventBody::Bar(_, bar) => Some(bar.close.0),
        EventBody::Trade(trade) => Some(trade.price.0),
        EventBody::Quote(quote) => Some(quote.bid.0 + (quote.ask.0 - quote.bid.0) / 2),
        _ => None,
    };
    let mut own = market.events.iter().filter(|event| event.instrument == InstrumentId(0)).peekable();
    let Some(mut last) = own.find_map(price) else { return Vec::new() };
    let mut out = vec![last as f64];
    for point in &run.points {
        while let Some(event) = own.next_if(|event| event.ts_event <= point.ts) {
            last = price(event).unwrap_or(last);
        }
        out.push(last as f64);
    }
    out
}

fn period(args: &Args, span: (TsNs, TsNs)) -> u64 {
    args.period.map_or_else(|| fitting_period_ns(span), Timeframe::nanos)
}

/// The inputs of a journal under this configuration, and whether they say what the journal says.
fn recorded(args: &Args) -> Result<Done, Failure> {
    let [dir] = args.data.as_slice() else {
        return Err(Failure::Wrong("--recorded takes one journal".into()));
    };
    let wrong = |error: &dyn std::fmt::Display| Failure::wrong(dir.display(), error);
    let reader = Reader::open(dir).map_err(|error| wrong(&error))?;
    let file = match &args.config {
        None => crate::replay::own_config(dir, &reader)?,
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| Failure::wrong(path.display(), error))?;
            FileConfig::parse(&text).map_err(|error| Failure::wrong(path.display(), error))?
        }
    };
    let config = file.engine().map_err(|error| wrong(&error))?;
    let (mut inputs, mut outputs, mut damage): (Vec<Event>, Vec<Vec<u8>>, _) = (Vec::new(), Vec::new(), None);
    for record in reader.records() {
        match record {
            Ok(record) if record.kind == RecordKind::Input => match codec::decode(record.payload) {
                Ok(event) => inputs.push(event),
                Err(error) => return Err(wrong(&format!("record {}: {error}", record.seq))),
            },
            Ok(record) if record.kind == RecordKind::Output => outputs.push(record.payload.to_vec()),
            Ok(_) => {}
            Err(error) => {
                damage = Some(error);
                break;
            }
        }
    }
    if let Some(error) = damage {
        return Err(wrong(&error));
    }
    let span = inputs.first().zip(inputs.last()).map(|(first, last)| (first.ts_recv, last.ts_recv));
    let span = span.ok_or_else(|| wrong(&"no inputs"))?;
    let wanted = Wanted { period_ns: period(args, span), record: args.report.is_some() };
    let (mut said, mut different) = (0usize, None);
    let started = Instant::now();
    let outcome = run_recorded(&config, Confluence::for_config(&config), inputs, wanted, |event, outbox| {
        for (_, bytes) in outbox.encoded() {
            if different.is_none() && outputs.get(said).is_none_or(|recorded| recorded != bytes) {
                different = Some(event.seq);
            }
            said += 1;
        }
    });
    let run_s = started.elapsed().as_secs_f64();
    let outcome = outcome.map_err(|error| Failure::Wrong(error.to_string()))?;
    if different.is_none() && said != outputs.len() {
        different = Some(0);
    }
    if let Some(seq) = different {
        return Err(Failure::No(format!(
            "{}: decisions differ from the journal's, first at input {seq}; is this its configuration?",
            dir.display()
        )));
    }
    eprintln!("smc: {said} outputs, every one the journal's");
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let hash = outcome.digest.to_string();
    let (specs, prices) = (Vec::new(), Vec::new());
    Ok(Done { outcome, file, sources: vec![(name, hash, 0)], run_s, specs, prices, seed: 0 })
}

/// What is shown of a run.
pub struct Sheet {
    per_year: Option<PeriodsPerYear>,
    figures: Vec<Figure>,
}

impl Sheet {
    /// Of returns by period and of trades in multiples of their risk.
    pub fn of(run: &Run) -> Self {
        let returns = run.returns();
        let per_year = PeriodsPerYear::new(run.periods_per_year()).ok();
        let mut figures = Vec::new();
        if let (Ok(series), Some(per_year)) = (Series::new("returns", &returns), per_year)
            && let Ok(metrics) = ReturnMetrics::of(series, 0.0, per_year)
        {
            figures.extend(metrics.figures());
        }
        let r: Vec<f64> = run.trades.iter().filter_map(smc_backtest::Trade::r).collect();
        if let Ok(series) = Series::new("R", &r) {
            let of_trades = TradeMetrics::of(series).figures();
            figures.extend(of_trades.map(|figure| Figure { name: of_trade(figure.name), ..figure }));
        }
        Self { per_year, figures }
    }

    fn get(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    fn json(&self, args: &Args, done: &Done, seconds: f64) -> Value {
        let run = &done.outcome;
        let costs = run.costs;
        let figures: BTreeMap<&str, Value> = self
            .figures
            .iter()
            .map(|figure| {
                let value = match figure.value {
                    Ok(value) => json!({ "value": value, "formula": figure.formula, "n": figure.n }),
                    Err(reason) => {
                        json!({ "value": null, "why": reason.to_string(), "formula": figure.formula, "n": figure.n })
                    }
                };
                (figure.name, value)
            })
            .collect();
        json!({
            "span": [run.span.0.0, run.span.1.0], "currency": run.currency.as_str(),
            "starting_equity": run.starting_equity.to_string(), "equity": run.equity.to_string(),
            "trades": run.trades.len(), "open": run.open.len(), "signals": run.counters.signals,
            "orders_sent": run.counters.orders_sent, "orders_denied": run.counters.orders_denied,
            "denied_by": denied(run).into_iter().collect::<BTreeMap<_, _>>(),
            "fills": run.counters.fills, "rejects": run.counters.rejects, "bars": run.counters.bars,
            "structures": run.counters.structures, "inputs": run.inputs, "digest": run.digest.to_string(),
            "liquidated": match run.ended { Ended::Liquidated { at, .. } => Some(at.0), Ended::EndOfData => None },
            "period_ns": run.period_ns, "periods": run.points.len(),
            "periods_per_year": self.per_year.map(PeriodsPerYear::get),
            "costs": {
                "maker_fees": costs.maker_fees.to_string(), "taker_fees": costs.taker_fees.to_string(),
                "spread": costs.spread.to_string(), "impact": costs.impact.to_string(),
                "funding": costs.funding.to_string(), "financing": costs.financing.to_string(),
                "turnover": costs.turnover.to_string(), "maker_fills": costs.fills[0], "taker_fills": costs.fills[1],
            },
            "figures": figures,
            "sources": done.sources.iter().map(|(name, hash, refused)| {
                json!({ "name": name, "hash": hash, "refused": refused })
            }).collect::<Vec<_>>(),
            "journal": args.journal, "recorded": args.recorded,
            "run_seconds": done.run_s, "seconds": seconds,
        })
    }

    fn text(&self, args: &Args, done: &Done, seconds: f64) -> String {
        use std::fmt::Write as _;
        let run = &done.outcome;
        let mut out = String::new();
        let moment = |ts: TsNs| {
            let found = jiff::Timestamp::from_nanosecond(ts.0.into()).unwrap_or_default();
            found.strftime("%Y-%m-%d %H:%M").to_string()
        };
        let money = |amount: Money| format!("{:.2}", amount.0 as f64 / 1e8);
        let value = |name: &str, factor: f64, unit: &str| match self.get(name) {
            None => "-".to_owned(),
            Some(Figure { value: Ok(value), n, .. }) => format!("{:.2}{unit} (n {n})", value * factor),
            Some(Figure { value: Err(reason), .. }) => format!("- ({reason})"),
        };
        let mut row = |name: &str, text: String| {
            let _ = writeln!(out, "{name:22}{text}");
        };
        row("span", format!("{} to {} UTC", moment(run.span.0), moment(run.span.1)));
        let currency = run.currency;
        row("equity", format!("{} to {} {currency}", money(run.starting_equity), money(run.equity)));
        row("return", value("total_return", 100.0, " %"));
        row("a year", value("cagr", 100.0, " %"));
        row("sharpe", value("sharpe", 1.0, ""));
        row("deepest fall", value("max_drawdown", 100.0, " %"));
        row("trades", format!("{} closed, {} open", run.trades.len(), run.open.len()));
        row("won", value("trade_win_rate", 100.0, " %"));
        row("expectancy", value("trade_expectancy_r", 1.0, " R"));
        row("profit factor", value("trade_profit_factor", 1.0, ""));
        let costs = run.costs;
        let fees = Money(costs.maker_fees.0.saturating_add(costs.taker_fees.0));
        let held = Money(costs.funding.0.saturating_add(costs.financing.0));
        let lost = Money(costs.spread.0.saturating_add(costs.impact.0));
        row(
            "costs",
            format!(
                "fees {}, spread and impact {}, holding {} {currency}",
                money(fees),
                money(lost),
                money(held)
            ),
        );
        row(
            "orders",
            format!(
                "{} signals, {} sent, {} denied, {} fills ({} resting)",
                run.counters.signals,
                run.counters.orders_sent,
                run.counters.orders_denied,
                run.counters.fills,
                costs.fills[0]
            ),
        );
        for (name, count) in denied(run) {
            row("", format!("{count} denied by {name}"));
        }
        if let Ended::Liquidated { at, equity } = run.ended {
            row("LIQUIDATED", format!("{} UTC with {} {currency} left", moment(at), money(equity)));
        }
        let refused: u64 = done.sources.iter().map(|(_, _, refused)| refused).sum();
        if refused > 0 {
            row("rows refused", refused.to_string());
        }
        row("digest", run.digest.to_string());
        if let Some(dir) = &args.report {
            row("report", dir.join("report.html").display().to_string());
        }
        if let Some(dir) = &args.journal {
            row("journal", format!("{0}  (smc replay {0} --verify)", dir.display()));
        }
        let rate = run.inputs as f64 / done.run_s.max(1e-9) / 1e6;
        row("time", format!("{seconds:.2} s, {:.2} s of it the run: {rate:.2} million events/s", done.run_s));
        out
    }
}

/// Names of trade figures beside those of periods.
fn of_trade(name: &'static str) -> &'static str {
    match name {
        "win_rate" => "trade_win_rate",
        "payoff" => "trade_payoff",
        "expectancy_r" => "trade_expectancy_r",
        "profit_factor" => "trade_profit_factor",
        other => other,
    }
}

fn denied(run: &Run) -> Vec<(&'static str, u64)> {
    let named = Check::ALL.iter().map(|check| (check.name(), run.denied[*check as usize - 1]));
    named.filter(|(_, count)| *count > 0).collect()
}

/// What a report says besides the outcome.
fn meta(args: &Args, done: &Done, trials: TrialCount) -> Meta {
    let named = named(args);
    let mut meta = Meta::new(strategy_name(named));
    meta.strategy = "confluence".into();
    let build: String = smc_core::build_hash().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    meta.version = format!("{} (build {build})", env!("CARGO_PKG_VERSION"));
    meta.configuration = args
        .config
        .as_ref()
        .and_then(|path| std::fs::read_to_string(path).ok())
        .unwrap_or_else(|| done.file.deciding_text());
    let source = |(name, hash, _): &(String, String, u64)| Source { name: name.clone(), hash: hash.clone() };
    meta.sources = done.sources.iter().map(source).collect();
    meta.instruments = done.specs.iter().map(Instrument::of).collect();
    meta.sessions = done.file.engine().map_or_else(
        |_| Vec::new(),
        |config| config.calendar.sessions.iter().map(|session| session.name.to_string()).collect(),
    );
    meta.seed = done.seed;
    meta.trials = Some(trials);
    meta.generated_by = format!("smc {}", env!("CARGO_PKG_VERSION"));
    if let Ok(days) = PeriodsPerYear::new(done.outcome.days_per_year()) {
        meta.days_per_year = days;
    }
    let returns: Vec<f64> = done.prices.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    if !returns.is_empty() && returns.len() == done.outcome.returns().len() {
        let symbol = done.specs.first().map_or("the market", |spec| spec.symbol.as_str());
        meta.benchmark = Some(Benchmark { name: format!("{symbol} bought and kept"), returns });
    }
    meta
}

/// The file that a run is called by.
fn named(args: &Args) -> &Path {
    args.config.as_deref().or(args.data.first().map(PathBuf::as_path)).unwrap_or(Path::new("backtest"))
}

/// Counts this look at performance before anything of it is shown; how many there were.
fn record(args: &Args, done: &Done, sheet: &Sheet) -> Result<TrialCount, Failure> {
    let named = named(args);
    let path = args.ledger.clone().unwrap_or_else(|| beside(named));
    let fail = |error: &dyn std::fmt::Display| Failure::wrong(path.display(), error);
    let mut ledger = Ledger::open(&path).map_err(|error| fail(&error))?;
    let run = &done.outcome;
    let year = sheet.per_year.map_or(1.0, PeriodsPerYear::get).sqrt();
    let score = sheet.get("sharpe").and_then(|figure| figure.value.ok()).map(|sharpe| sharpe / year);
    let sources: Vec<&str> = done.sources.iter().map(|(_, hash, _)| hash.as_str()).collect();
    let now = jiff::Timestamp::now().as_nanosecond();
    let parameters = BTreeMap::from([("config".to_owned(), done.file.deciding_text())]);
    let trial = Trial {
        at_ns: u64::try_from(now).unwrap_or(0),
        strategy: strategy_name(named),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        parameters,
        data: Data {
            source: sources.join("+"),
            from_ns: run.span.0.0,
            to_ns: run.span.1.0.saturating_add(1),
        },
        stage: "backtest".to_owned(),
        metric: SCORE.to_owned(),
        score,
        periods: run.points.len() as u64,
    };
    let strategy = trial.strategy.clone();
    ledger.record(trial).map_err(|error| fail(&error))?;
    // All of them as if each were another idea: no fewer were tried, and what is deflated by too many is not flattered.
    let same = || ledger.trials(&strategy).filter(|trial| trial.metric == SCORE);
    let scores: Vec<f64> = same().filter_map(|trial| trial.score).collect();
    let (made, count) = (ledger.trials(&strategy).count() as u64, scores.len() as f64);
    let mean = scores.iter().sum::<f64>() / count.max(1.0);
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    Ok(TrialCount { made, independent: Some((made, variance)) })
}

/// The configuration file's ledger: its name with `.trials` in the place of its ending.
pub fn beside(config: &Path) -> PathBuf {
    config.with_extension("trials")
}

/// What searches over a configuration are counted under: the name of its file.
pub fn strategy_name(config: &Path) -> String {
    config.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
