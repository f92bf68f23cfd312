//! A list of files into one journal, from start to end or from where it stopped.

use crate::format::{Format, Guess, guess};
use crate::rows::{self, Draft, Hints, Step, Taken};
use crate::sink::{ENVIRONMENT, File, Sink, SinkError, Source};
use crate::source::open;
use smc_core::digest::Digest;
use smc_core::event::{EventBody, FeedState};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{InstrumentId, Money, Name, Price, Qty, Timeframe, TsNs};
use smc_journal::Header;
use smc_settings::file::FileConfig;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Events looked at to find out how fine prices and quantities are.
const LOOKED_AT: usize = 2_000;
/// Rows between two calls about progress.
const TELL_EVERY: u64 = 20_000;
/// Quote assets by which a symbol is taken apart, longest first.
const QUOTES: [&str; 19] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "TRY",
    "BRL", "BTC", "ETH", "BNB", "PERP",
];

/// What to import, into what.
#[derive(Clone, Debug)]
pub struct Job {
    /// The journal's directory.
    pub journal: PathBuf,
    /// In the order in which they are to be journaled: the order of time.
    pub files: Vec<PathBuf>,
    /// The format of all files; found out for each where it is not told.
    pub format: Option<Format>,
    /// The instrument; found out where it is not told.
    pub symbol: Option<Name>,
    /// Base and quote asset; taken from the symbol where they are not told.
    pub assets: (Option<Name>, Option<Name>),
    /// Price and quantity steps; as fine as the first rows where they are not told.
    pub steps: (Option<Price>, Option<Qty>),
    /// Length of bars that do not say it.
    pub timeframe: Option<Timeframe>,
    /// The configuration to keep in the journal, so that engines can be run over it.
    pub config: Option<FileConfig>,
    /// Length of a segment.
    pub segment_bytes: u64,
    /// The first row that is refused ends the import.
    pub is_strict: bool,
}

/// How far an import is.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// The file.
    pub file: &'a Path,
    /// Part of it read, 0 to 1.
    pub part: f64,
    /// Rows of it read.
    pub rows: u64,
    /// Rows a second since it was begun.
    pub rows_per_s: f64,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileReport {
    /// Its name.
    pub file: String,
    /// Its format.
    pub format: String,
    /// The instrument.
    pub symbol: String,
    /// It was in the journal already.
    pub was_there: bool,
    /// Rows read.
    pub rows: u64,
    /// Rows that became events.
    pub taken: u64,
    /// Events.
    pub events: u64,
    /// Events that an earlier, interrupted import had written.
    pub events_before: u64,
    /// Rows left out on purpose, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Rows refused, by reason without its numbers.
    pub refused: BTreeMap<String, u64>,
    /// Rows whose time lies before that of a row before.
    pub out_of_order: u64,
    /// Time of the first and last event.
    pub span: Option<(TsNs, TsNs)>,
    /// Rows a second.
    pub rows_per_s: f64,
}

/// What became of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// In the order of the job.
    pub files: Vec<FileReport>,
    /// Records in the journal now.
    pub records: u64,
}

/// Why an import ended before its end.
#[derive(Debug)]
pub enum ImportError {
    /// A file cannot be used.
    File(PathBuf, String),
    /// A row was refused and the job is strict.
    Row(PathBuf, u64, String),
    /// The journal.
    Sink(PathBuf, SinkError),
    /// The configuration does not fit.
    Config(String),
    /// Another file was begun and not finished in this journal.
    Unfinished(String),
    /// A file of this name was begun, and its content has changed since.
    Changed(PathBuf),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, reason) => write!(f, "{}: {reason}", path.display()),
            Self::Row(path, line, reason) => write!(f, "{}:{line}: {reason}", path.display()),
            Self::Sink(dir, error) => write!(f, "journal {}: {error}", dir.display()),
            Self::Config(reason) => f.write_str(reason),
            Self::Unfinished(file) => {
                write!(f, "the import of {file} was begun here and has to be finished first")
            }
            Self::Changed(path) => write!(f, "{}: changed since its import was begun here", path.display()),
        }
    }
}

impl std::error::Error for ImportError {}

/// What is known of a file before its rows are read.
struct Planned {
    path: PathBuf,
    file: File,
    format: Format,
    symbol: Name,
    instrument: InstrumentId,
}

/// Runs a job. `tell` hears how far it is, `refuse` every row that is refused: file, line, reason.
pub fn import(
    job: &Job,
    tell: &mut dyn FnMut(&Progress<'_>),
    refuse: &mut dyn FnMut(&Path, u64, &str),
) -> Result<Report, ImportError> {
    let plans = job.files.iter().map(|path| plan(job, path)).collect::<Result<Vec<_>, _>>()?;
    let text = job.config.as_ref().map(FileConfig::deciding_text);
    let header = header(job, &plans, text.as_deref());
    let fail = |error| ImportError::Sink(job.journal.clone(), error);
    let (mut sink, mut past) =
        Sink::open(&job.journal, job.segment_bytes, &header, text.as_deref()).map_err(fail)?;
    let mut report = Report::default();
    for plan in &plans {
        let is_there = past.finished.iter().any(|file| file.blake3 == plan.file.blake3);
        if is_there {
            let File { file, format, symbol, .. } = plan.file.clone();
            report.files.push(FileReport { file, format, symbol, was_there: true, ..FileReport::default() });
            continue;
        }
        let before = match past.unfinished.take() {
            None => None,
            Some((file, count)) if file.blake3 == plan.file.blake3 => Some(count),
            Some((file, _)) if file.file == plan.file.file => {
                return Err(ImportError::Changed(plan.path.clone()));
            }
            Some((file, _)) => return Err(ImportError::Unfinished(file.file)),
        };
        report.files.push(one(job, plan, before, &mut sink, tell, refuse)?);
    }
    report.records = sink.records() + 1;
    sink.close().map_err(fail)?;
    Ok(report)
}

fn plan(job: &Job, path: &Path) -> Result<Planned, ImportError> {
    let fail = |reason: String| ImportError::File(path.to_owned(), reason);
    let hints = Hints { symbol: job.symbol.unwrap_or_default(), timeframe: job.timeframe };
    let Guess { format, symbol } = guess(path, job.format, &hints).map_err(fail)?;
    let symbol =
        symbol.ok_or_else(|| fail("which instrument this is cannot be seen; say --symbol".into()))?;
    let instrument = match &job.config {
        None => InstrumentId(0),
        Some(config) => {
            let place =
                config.instruments.iter().position(|known| known.symbol.as_bytes() == symbol.as_bytes());
            let place = place.and_then(|place| u16::try_from(place).ok());
            InstrumentId(place.ok_or_else(|| {
                ImportError::Config(format!("{symbol} is no instrument of the configuration"))
            })?)
        }
    };
    let (bytes, blake3) = hash(path).map_err(|error| fail(error.to_string()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let importer = concat!("smc-import ", env!("CARGO_PKG_VERSION")).to_owned();
    let file = File {
        file: name,
        bytes,
        blake3,
        format: format.word().into(),
        symbol: symbol.to_string(),
        importer,
    };
    Ok(Planned { path: path.to_owned(), file, format, symbol, instrument })
}

fn hash(path: &Path) -> io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hasher.finalize().to_hex().to_string())),
            count => {
                hasher.update(buffer.get(..count).unwrap_or_default());
                bytes += count as u64;
            }
        }
    }
}

/// The instruments of an import are named, not described: their steps may be found out from the rows.
fn header(job: &Job, plans: &[Planned], config: Option<&str>) -> Header {
    let fold = |texts: &mut dyn Iterator<Item = &[u8]>| {
        let mut digest = Digest::default();
        texts.for_each(|text| digest.fold(text));
        let mut out = [0; 32];
        out[..16].copy_from_slice(&digest.to_bytes());
        out
    };
    let first = plans.first().map(|plan| plan.symbol);
    let instruments_hash = match &job.config {
        Some(config) => fold(&mut config.instruments.iter().map(|known| known.symbol.as_bytes())),
        None => fold(&mut first.iter().map(|name| name.as_bytes())),
    };
    Header {
        build: smc_core::build_hash(),
        config_hash: fold(&mut config.iter().map(|text| text.as_bytes())),
        instruments_hash,
        account: String::new(),
        environment: ENVIRONMENT.into(),
    }
}

/// The events of a file that the journal does not have yet.
struct Outflow<'a> {
    sink: &'a mut Sink,
    instrument: InstrumentId,
    /// Events still to be dropped.
    there: u64,
    report: FileReport,
    latest: TsNs,
}

impl Outflow<'_> {
    fn give(&mut self, draft: &Draft) -> Result<(), SinkError> {
        self.report.events += 1;
        let first = self.report.span.map_or(draft.ts_event, |(first, _)| first);
        self.report.span = Some((first, draft.ts_event));
        if self.there > 0 {
            self.there -= 1;
            self.sink.pass(draft);
            return Ok(());
        }
        self.sink.input(self.instrument, draft)
    }
}

fn one(
    job: &Job,
    plan: &Planned,
    before: Option<u64>,
    sink: &mut Sink,
    tell: &mut dyn FnMut(&Progress<'_>),
    refuse: &mut dyn FnMut(&Path, u64, &str),
) -> Result<FileReport, ImportError> {
    let fail = |error| ImportError::Sink(job.journal.clone(), error);
    let broken = |reason: String| ImportError::File(plan.path.clone(), reason);
    let text = open(&plan.path).map_err(|error| broken(error.to_string()))?;
    let read = Arc::clone(&text.read);
    let hints = Hints { symbol: plan.symbol, timeframe: job.timeframe };
    let mut rows = rows::open(plan.format, text, &hints).map_err(broken)?;
    if before.is_none() {
        sink.note(&Source::Begin(plan.file.clone())).map_err(fail)?;
    }
    let File { file, format, symbol, .. } = plan.file.clone();
    let report =
        FileReport { file, format, symbol, events_before: before.unwrap_or(0), ..FileReport::default() };
    let there = before.unwrap_or(0);
    let mut out = Outflow { sink, instrument: plan.instrument, there, report, latest: TsNs(0) };
    let started = Instant::now();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut waiting: Option<VecDeque<Draft>> = Some(VecDeque::new());
    loop {
        drafts.clear();
        let (line, outcome) = match rows.step(&mut drafts) {
            Step::End => break,
            Step::Broken(error) => return Err(broken(error.to_string())),
            Step::Row(line, outcome) => (line, outcome),
        };
        match outcome {
            Ok(Taken::Nothing) => continue,
            Ok(Taken::Events) => out.report.taken += 1,
            Ok(Taken::Skipped(reason)) => *out.report.skipped.entry(reason.into()).or_default() += 1,
            Err(reason) => {
                *out.report.refused.entry(without_numbers(&reason)).or_default() += 1;
                refuse(&plan.path, line, &reason);
                if job.is_strict {
                    return Err(ImportError::Row(plan.path.clone(), line, reason));
                }
            }
        }
        out.report.rows += 1;
        if let Some(last) = drafts.last() {
            out.report.out_of_order += u64::from(last.ts_recv < out.latest);
            out.latest = out.latest.max(last.ts_recv);
        }
        // The first rows wait until they have said how fine their numbers are.
        match &mut waiting {
            Some(first) => {
                first.extend(drafts.iter().copied());
                if first.len() >= LOOKED_AT {
                    begin(job, plan, &mut waiting, &mut out)
                        .map_err(|reason| reason.into_error(job, plan))?;
                }
            }
            None => drafts.iter().try_for_each(|draft| out.give(draft)).map_err(fail)?,
        }
        if out.report.rows.is_multiple_of(TELL_EVERY) {
            tell(&progress(plan, &read, out.report.rows, started));
        }
    }
    begin(job, plan, &mut waiting, &mut out).map_err(|reason| reason.into_error(job, plan))?;
    let Outflow { sink, mut report, there, .. } = out;
    if there > 0 {
        return Err(ImportError::Changed(plan.path.clone()));
    }
    report.rows_per_s = report.rows as f64 / started.elapsed().as_secs_f64().max(1e-9);
    tell(&progress(plan, &read, report.rows, started));
    let total = |counts: &BTreeMap<String, u64>| counts.values().sum();
    let (skipped, refused) = (total(&report.skipped), total(&report.refused));
    let (blake3, rows, taken) = (plan.file.blake3.clone(), report.rows, report.taken);
    sink.note(&Source::End { blake3, rows, taken, skipped, refused }).map_err(fail)?;
    Ok(report)
}

fn progress<'a>(plan: &'a Planned, read: &AtomicU64, rows: u64, started: Instant) -> Progress<'a> {
    let part = read.load(Ordering::Relaxed) as f64 / plan.file.bytes.max(1) as f64;
    let rows_per_s = rows as f64 / started.elapsed().as_secs_f64().max(1e-9);
    Progress { file: &plan.path, part: part.min(1.0), rows, rows_per_s }
}

/// Why the first events could not be given.
enum BeginError {
    Sink(SinkError),
    File(String),
}

impl BeginError {
    fn into_error(self, job: &Job, plan: &Planned) -> ImportError {
        match self {
            Self::Sink(error) => ImportError::Sink(job.journal.clone(), error),
            Self::File(reason) => ImportError::File(plan.path.clone(), reason),
        }
    }
}

/// The instrument's rules, that its data can be trusted, and the first rows.
fn begin(
    job: &Job,
    plan: &Planned,
    waiting: &mut Option<VecDeque<Draft>>,
    out: &mut Outflow<'_>,
) -> Result<(), BeginError> {
    let Some(first) = waiting.take() else { return Ok(()) };
    let Some(earliest) = first.front() else { return Ok(()) };
    let spec = spec_of(job.assets, job.steps, plan.symbol, first.iter()).map_err(BeginError::File)?;
    let at = |body| Draft { ts_event: earliest.ts_event, ts_recv: earliest.ts_recv, body };
    let span = out.report.span.take();
    // A book says by itself when it is in step.
    let has_book =
        matches!(plan.format, Format::BybitBook | Format::BinanceSpotCapture | Format::BinanceUsdmCapture);
    let state = if has_book { FeedState::Syncing } else { FeedState::Live };
    for draft in [at(EventBody::Instrument(spec)), at(EventBody::Feed(state))].iter().chain(&first) {
        out.give(draft).map_err(BeginError::Sink)?;
    }
    out.report.span = span.or(out.report.span);
    Ok(())
}

/// An instrument as its first rows show it.
pub(crate) fn spec_of<'a>(
    assets: (Option<Name>, Option<Name>),
    steps: (Option<Price>, Option<Qty>),
    symbol: Name,
    first: impl Iterator<Item = &'a Draft>,
) -> Result<InstrumentSpec, String> {
    let (base, quote) = match assets {
        (Some(base), Some(quote)) => (base, quote),
        (base, quote) => {
            let text = symbol.to_string();
            let known = QUOTES.iter().find(|quote| text.len() > quote.len() && text.ends_with(*quote));
            let split = known.and_then(|known| {
                let head = text.strip_suffix(known)?.trim_end_matches(['-', '_']);
                Some((Name::new(head)?, Name::new(known)?))
            });
            let (found_base, found_quote) = split
                .ok_or_else(|| format!("the assets of {symbol} cannot be seen; say --base and --quote"))?;
            (base.unwrap_or(found_base), quote.unwrap_or(found_quote))
        }
    };
    let (mut prices, mut sizes) = (Step10::default(), Step10::default());
    for draft in first {
        match &draft.body {
            EventBody::Trade(trade) => (prices.see(trade.price.0), sizes.see(trade.qty.0)),
            EventBody::Quote(quote) => {
                prices.see(quote.bid.0);
                sizes.see(quote.bid_qty.0);
                (prices.see(quote.ask.0), sizes.see(quote.ask_qty.0))
            }
            EventBody::Bar(_, bar) => {
                prices.see(bar.high.0);
                (prices.see(bar.low.0), sizes.see(bar.volume.0))
            }
            EventBody::Book(update) => {
                for level in update.levels.iter().take(usize::from(update.len)) {
                    prices.see(level.price.0);
                    sizes.see(level.qty.0);
                }
                ((), ())
            }
            _ => ((), ()),
        };
    }
    let (tick, lot) = (steps.0.unwrap_or(Price(prices.step())), steps.1.unwrap_or(Qty(sizes.step())));
    Ok(InstrumentSpec {
        symbol,
        base,
        quote,
        tick,
        lot,
        qty_min: lot,
        qty_max: Qty(i64::MAX),
        notional_min: Money(0),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    })
}

/// The finest power of ten that all numbers seen are multiples of.
struct Step10(i64);

impl Default for Step10 {
    fn default() -> Self {
        Self(100_000_000)
    }
}

impl Step10 {
    fn see(&mut self, units: i64) {
        while self.0 > 1 && units % self.0 != 0 {
            self.0 /= 10;
        }
    }

    const fn step(&self) -> i64 {
        self.0
    }
}

/// Reasons are counted by kind: what stands in a cell would make each its own.
fn without_numbers(reason: &str) -> String {
    let mut out = String::new();
    let mut is_cell = false;
    for c in reason.chars() {
        match c {
            '`' => {
                is_cell = !is_cell;
                out.push(c);
            }
            _ if is_cell => {}
            '0'..='9' => {
                if !out.ends_with('#') {
                    out.push('#');
                }
            }
            c => out.push(c),
        }
    }
    out
}
