//! `smc journal import`: recorded markets into a journal.

use crate::failure::{Failure, Outcome};
use clap::Args;
use smc_core::words::{Name, Price, Qty, Timeframe};
use smc_export::args::RestoreArgs;
use smc_history::flags::{name, step, timeframe};
use smc_import::{FileReport, Format, ImportError, Job, Progress, Report, import as run};
use smc_runtime::config::FileConfig;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rows refused that are shown one by one.
const SHOWN_MAX: u64 = 20;
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Bring archives, captured feeds, candles or bars into a journal.
///
/// The format of each file is found out; .gz, .zip and .parquet are unpacked. Killed at any moment, the same command goes
/// on where it stopped; given again with more files it appends those. Rows that cannot be used are named by line. A
/// directory that `export` wrote becomes the same journal again.
#[derive(Args)]
pub struct ImportArgs {
    /// The journal's directory: empty, or made by an import
    journal: PathBuf,
    /// Files in the order of time
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The format of all files: binance-trades, binance-agg-trades, binance-klines, binance-book-ticker, sided-trades,
    /// bybit-trades, bybit-book, binance-spot-capture, binance-usdm-capture, lean-ticks, lean-hours, oanda-candles, ohlcv
    #[arg(long, value_name = "NAME")]
    format: Option<Format>,
    /// The instrument, where neither the file nor its name says it
    #[arg(long, value_parser = name)]
    symbol: Option<Name>,
    /// Base asset, where the symbol cannot be taken apart
    #[arg(long, value_parser = name)]
    base: Option<Name>,
    /// Quote asset
    #[arg(long, value_parser = name)]
    quote: Option<Name>,
    /// Price step; as fine as the first rows without it
    #[arg(long, value_parser = step)]
    tick: Option<i64>,
    /// Quantity step; as fine as the first rows without it
    #[arg(long, value_parser = step)]
    lot: Option<i64>,
    /// Length of bars that do not say it: 1m, 4h
    #[arg(long, value_parser = timeframe)]
    timeframe: Option<Timeframe>,
    /// Keep this configuration in the journal, so that replay and what-if need nothing else
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Length of a journal segment
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    segment_mib: u64,
    /// End at the first row that cannot be used
    #[arg(long)]
    strict: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Imports and reports. The directory that an export wrote goes back the way it came.
pub fn import(args: &ImportArgs) -> Outcome {
    if let [dir] = args.files.as_slice()
        && dir.is_dir()
    {
        let (dir, journal) = (dir.clone(), args.journal.clone());
        return super::restore::restore(&RestoreArgs { dir, journal, json: args.json });
    }
    let config = match &args.config {
        None => None,
        Some(path) => {
            let fail = |error: &dyn std::fmt::Display| Failure::wrong(path.display(), error);
            let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
            Some(FileConfig::parse(&text).map_err(|error| fail(&error))?)
        }
    };
    let job = Job {
        journal: args.journal.clone(),
        files: args.files.clone(),
        format: args.format,
        symbol: args.symbol,
        assets: (args.base, args.quote),
        steps: (args.tick.map(Price), args.lot.map(Qty)),
        timeframe: args.timeframe,
        config,
        segment_bytes: args.segment_mib.saturating_mul(1 << 20),
        is_strict: args.strict,
    };
    let is_terminal = std::io::stderr().is_terminal();
    let mut told = Instant::now();
    let mut tell = |progress: &Progress<'_>| {
        if is_terminal && (told.elapsed() >= TELL_EVERY || progress.part >= 1.0) {
            told = Instant::now();
            let Progress { file, part, rows, rows_per_s } = progress;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            eprint!("\r\x1b[K{name}  {:3.0} %  {rows} rows  {:.2} million/s", part * 100.0, rows_per_s / 1e6);
            let _ = std::io::stderr().flush();
        }
    };
    let mut refused = 0;
    let mut refuse = |file: &Path, line: u64, reason: &str| {
        refused += 1;
        if refused <= SHOWN_MAX {
            eprintln!("{}{}:{line}: {reason}", if is_terminal { "\r\x1b[K" } else { "" }, file.display());
        } else if refused == SHOWN_MAX + 1 {
            eprintln!("more rows were refused; the summary counts them");
        }
    };
    let report = run(&job, &mut tell, &mut refuse);
    if is_terminal {
        eprintln!();
    }
    let report = report.map_err(|error| match error {
        ImportError::Sink(..) => Failure::No(error.to_string()),
        other => Failure::Wrong(other.to_string()),
    })?;
    if args.json {
        println!("{}", as_json(&report));
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    for file in &report.files {
        let FileReport { file: name, format, symbol, rows, taken, events, out_of_order, rows_per_s, .. } =
            file;
        if file.was_there {
            println!("{name}: in the journal already");
            continue;
        }
        println!(
            "{name}: {format}, {symbol}: {rows} rows, {taken} taken, {events} events, {:.2} million rows/s",
            rows_per_s / 1e6
        );
        if let Some((first, last)) = file.span {
            println!("  from {} to {}", smc_detect::csv::Iso(first), smc_detect::csv::Iso(last));
        }
        if file.events_before > 0 {
            println!("  went on behind {} events of an earlier import", file.events_before);
        }
        for (what, counts) in [("skipped", &file.skipped), ("refused", &file.refused)] {
            counts.iter().for_each(|(reason, count)| println!("  {what} {count}: {reason}"));
        }
        if *out_of_order > 0 {
            println!("  {out_of_order} rows out of the order of time, kept where they stand");
        }
    }
    println!("{} records in the journal", report.records);
}

fn as_json(report: &Report) -> serde_json::Value {
    let files = report.files.iter().map(|file| {
        serde_json::json!({
            "file": file.file, "format": file.format, "symbol": file.symbol, "was_there": file.was_there,
            "rows": file.rows, "taken": file.taken, "events": file.events, "events_before": file.events_before,
            "skipped": file.skipped, "refused": file.refused, "out_of_order": file.out_of_order,
            "first_ts_ns": file.span.map(|(first, _)| first.0), "last_ts_ns": file.span.map(|(_, last)| last.0),
            "rows_per_second": file.rows_per_s,
        })
    });
    serde_json::json!({ "files": files.collect::<Vec<_>>(), "records": report.records })
}
