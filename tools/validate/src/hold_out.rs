//! The latest part of the data, which no search and no test may see, opened once a strategy version, and once for all versions.

use crate::ValidateError;
use crate::choice::score;
use crate::market::{Markets, Periods};
use crate::pipeline::{Conditions, Pipeline, Record, Trial, run_checked};
use crate::walk_forward::stitch;
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::{PeriodsPerYear, Series, Value};
use smc_trials::{Data, HoldOut, HoldOutError, Ledger, Trial as Entry};
use std::ops::Range;

/// Share of the periods that is kept back.
pub const SHARE: f64 = 0.2;
/// It covers at least this long: half a year.
pub const LEAST_NS: u64 = 182 * 86_400_000_000_000;

/// Where the data is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Periods that may be searched and tested.
    pub open: Range<usize>,
    /// Periods that are kept back.
    pub kept: Range<usize>,
    /// First moment that is kept back, in nanoseconds since the epoch.
    pub from_ns: u64,
    /// Bars before it.
    pub bars: usize,
    /// It covers less than half a year: it says too little to be opened, and nothing can be accepted.
    pub is_short: bool,
}

impl Cut {
    /// The latest fifth.
    pub fn of(markets: &Markets, periods: &Periods) -> Result<Self, ValidateError> {
        let count = periods.count();
        // Rounded up: rather too much is kept back than too little.
        let kept = (count as f64 * SHARE).ceil() as usize;
        let open = count - kept.min(count);
        let from_ns = if open < count { periods.start_ns(open) } else { markets.span().1 };
        let covered = markets.span().1 - from_ns;
        if open == 0 {
            return Err(ValidateError::TooShort { what: "a search and a hold-out", needed: 2, got: count });
        }
        let (bars, is_short) = (periods.bars_before(open), covered < LEAST_NS);
        Ok(Self { open: 0..open, kept: open..count, from_ns, bars, is_short })
    }
}

/// What became of the hold-out.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    /// Nobody asked, or something else failed already: it stays closed and may be asked for later.
    Closed(&'static str),
    /// It was open before, for this version or another one that saw some of the same data; the refusal is in the ledger.
    Refused {
        /// When it was opened, in nanoseconds since the epoch.
        opened_ns: u64,
    },
    /// Opened now.
    Read(Box<Reading>),
}

/// What the hold-out said.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What the chosen candidate did there.
    pub record: Record,
    /// Sharpe ratio per period.
    pub score: f64,
    /// Total return.
    pub profit: Value,
}

impl Opened {
    /// It was read and made money.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Read(reading) if reading.profit.is_ok_and(|profit| profit > 0.0))
    }
}

/// Who asks for what.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// All data.
    pub markets: &'a Markets,
    /// Where it is cut.
    pub cut: &'a Cut,
    /// What the search over the open part took.
    pub candidate: usize,
    /// Length of a period.
    pub period_ns: u64,
    /// As the open part was run.
    pub under: Conditions,
    /// When, in nanoseconds since the epoch.
    pub at_ns: u64,
}

/// The question to the ledger.
pub fn question(pipeline: &dyn Pipeline, markets: &Markets, cut: &Cut, at_ns: u64) -> HoldOut {
    let (strategy, version) = (pipeline.strategy().to_owned(), pipeline.version().to_owned());
    let data = Data { source: source(markets), from_ns: cut.from_ns, to_ns: markets.span().1 };
    HoldOut { at_ns, strategy, version, data }
}

/// Opens it through the ledger: first the entry, then the look.
pub fn open(
    pipeline: &dyn Pipeline,
    ledger: &mut Ledger,
    asked: &Asked<'_>,
) -> Result<Opened, ValidateError> {
    let Asked { markets, cut, candidate, period_ns, under, at_ns } = *asked;
    let entry = question(pipeline, markets, cut, at_ns);
    let HoldOut { strategy, version, data, .. } = entry.clone();
    match ledger.open_hold_out(entry) {
        Ok(_) => {}
        Err(HoldOutError::Opened { at_ns }) => return Ok(Opened::Refused { opened_ns: at_ns }),
        Err(HoldOutError::Ledger(error)) => return Err(error.into()),
    }
    let periods = Periods::of(markets, period_ns)?;
    let records = run_checked(pipeline, markets, &periods, &[candidate], under)?;
    let trial = Trial::single(records, periods);
    let record = stitch(&trial, &[(0, cut.kept.clone())]);
    let score = score(&record.returns)?;
    let returns = Series::new("returns", &record.returns)?;
    let profit = ReturnMetrics::of(returns, 0.0, PeriodsPerYear::CRYPTO_DAYS)?.total_return;
    ledger.record(Entry {
        at_ns,
        strategy,
        version,
        parameters: pipeline.grid().values(candidate),
        data,
        stage: "hold_out".into(),
        metric: METRIC.into(),
        score: Some(score),
        periods: record.returns.len() as u64,
    })?;
    Ok(Opened::Read(Box::new(Reading { record, score, profit })))
}

/// What scores are.
pub const METRIC: &str = "sharpe_per_period";

/// What identifies the data of all markets together: their sources, each once.
pub fn source(markets: &Markets) -> String {
    let mut sources: Vec<&str> = markets.all().iter().map(|market| market.source.as_str()).collect();
    sources.dedup();
    sources.join("+")
}
