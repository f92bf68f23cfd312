//! Trials as backtests: history through the unchanged engine, read once and shared by all workers.

use crate::{Evaluate, Score};
use smc_backtest::{Ended, Market, Outcome, Wanted, fitting_period_ns, run};
use smc_core::strategy::Confluence;
use smc_core::words::TsNs;
use smc_history::{DataError, data, venue};
use smc_import::Known;
use smc_metrics::figure::Value;
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::trades::TradeMetrics;
use smc_metrics::{PeriodsPerYear, Series};
use smc_settings::file::FileConfig;
use smc_trials::Data;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What a trial is judged by. All are above 0 where money was made and below where it was lost, so that the share of
/// profitable points means something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Metric {
    /// Mean return per deviation, a year
    #[default]
    Sharpe,
    /// Mean return per downside deviation, a year
    Sortino,
    /// Growth a year per worst drawdown
    Calmar,
    /// Growth a year
    Cagr,
    /// Growth over all
    TotalReturn,
    /// Growth over all per worst drawdown
    RecoveryFactor,
    /// Mean of the trades, in multiples of their risk
    ExpectancyR,
    /// The same per deviation, times the root of their count: system quality
    Sqn,
}

impl Metric {
    /// As the ledger names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sharpe => "sharpe",
            Self::Sortino => "sortino",
            Self::Calmar => "calmar",
            Self::Cagr => "cagr",
            Self::TotalReturn => "total_return",
            Self::RecoveryFactor => "recovery_factor",
            Self::ExpectancyR => "trade_expectancy_r",
            Self::Sqn => "trade_sqn",
        }
    }

    fn of(self, returns: &[f64], multiples: &[f64], per_year: PeriodsPerYear) -> Option<f64> {
        let by_period = |figure: fn(&ReturnMetrics) -> Value| {
            let series = Series::new("returns", returns).ok()?;
            figure(&ReturnMetrics::of(series, 0.0, per_year).ok()?).ok()
        };
        let by_trade = |figure: fn(&TradeMetrics) -> Value| {
            figure(&TradeMetrics::of(Series::new("R", multiples).ok()?)).ok()
        };
        match self {
            Self::Sharpe => by_period(|of| of.sharpe),
            Self::Sortino => by_period(|of| of.sortino),
            Self::Calmar => by_period(|of| of.calmar),
            Self::Cagr => by_period(|of| of.cagr),
            Self::TotalReturn => by_period(|of| of.total_return),
            Self::RecoveryFactor => by_period(|of| of.recovery_factor),
            Self::ExpectancyR => by_trade(|of| of.expectancy_r),
            Self::Sqn => by_trade(|of| of.sqn),
        }
    }
}

/// What the flags say of the data's files: read with other steps, as bars of another length or as another instrument they are another
/// market.
fn said(known: &Known) -> String {
    let Known { format, symbol, assets: _, steps: (tick, lot), timeframe } = known;
    let mut said = String::new();
    let mut say = |what: &str, value: Option<String>| {
        if let Some(value) = value {
            said += &format!(", {what} {value}");
        }
    };
    say("format", format.map(|format| format!("{format:?}")));
    say("symbol", symbol.map(|symbol| symbol.to_string()));
    say("tick", tick.map(|tick| tick.to_string()));
    say("lot", lot.map(|lot| lot.to_string()));
    say("bars of", timeframe.map(|timeframe| timeframe.to_string()));
    said
}

/// How trials are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// By what.
    pub metric: Metric,
    /// Fewer closed trades than these have no score.
    pub trades_min: u64,
    /// Length of the periods of returns; days, or shorter where there are few of them.
    pub period_ns: Option<u64>,
}

/// A market, and what is asked of a trial on it.
pub struct Backtest {
    market: Market,
    /// Identifies market and files of the base configuration.
    source: String,
    span: (TsNs, TsNs),
    /// Files that the configuration names lie beside this.
    beside: PathBuf,
    judgement: Judgement,
    period_ns: u64,
    /// Hashes of the files that the base configuration names.
    files: String,
    /// How the data's files were read.
    known: String,
}

impl Backtest {
    /// Reads the files once; `from` is the first moment that counts and `to` the first behind.
    pub fn open(
        base: &FileConfig,
        beside: &Path,
        files: &[PathBuf],
        known: &Known,
        (from, to): (TsNs, TsNs),
        judgement: Judgement,
    ) -> Result<Self, DataError> {
        let loaded = data::load(base, files, known)?;
        let hashes: Vec<&str> = loaded.sources.iter().map(|source| source.hash.as_str()).collect();
        let source = hashes.join("+");
        let mut market = loaded.market;
        if from > TsNs(0) || to < TsNs(u64::MAX) {
            market = market.between(from, to);
        }
        let span = market.span().ok_or(DataError::Nothing)?;
        let named = [&base.backtest.latency_file, &base.backtest.funding_file];
        let mut hashed = String::new();
        for file in named.into_iter().flatten() {
            let path = beside.join(file);
            let bytes =
                std::fs::read(&path).map_err(|error| DataError::File(path.clone(), error.to_string()))?;
            hashed += &format!(", {} {}", file.display(), blake3::hash(&bytes).to_hex());
        }
        Ok(Self {
            market,
            source,
            span,
            beside: beside.to_owned(),
            judgement,
            period_ns: judgement.period_ns.unwrap_or_else(|| fitting_period_ns(span)),
            files: hashed,
            known: said(known),
        })
    }

    /// What the ledger says of the data.
    pub fn data(&self) -> Data {
        Data { source: self.source.clone(), from_ns: self.span.0.0, to_ns: self.span.1.0.saturating_add(1) }
    }

    /// The market by the rules of this configuration: a copy only where they are others.
    fn market_of(&self, config: &FileConfig) -> Result<Cow<'_, Market>, DataError> {
        let mut instruments = self.market.instruments.clone();
        for (at, spec) in instruments.iter_mut().enumerate() {
            venue::rules(config, spec, at)?;
        }
        if instruments == self.market.instruments {
            return Ok(Cow::Borrowed(&self.market));
        }
        Ok(Cow::Owned(Market { instruments, ..self.market.clone() }))
    }

    fn judge(&self, outcome: &Outcome) -> Score {
        let Judgement { metric, trades_min, .. } = self.judgement;
        let returns = outcome.returns();
        let multiples: Vec<f64> = outcome.trades.iter().filter_map(smc_backtest::Trade::r).collect();
        let per_year = PeriodsPerYear::new(outcome.periods_per_year()).ok();
        let trades = outcome.trades.len() as u64;
        // Whoever lost the account has no score, whatever was gained before.
        let counts = trades >= trades_min && outcome.ended == Ended::EndOfData;
        let value =
            per_year.filter(|_| counts).and_then(|per_year| metric.of(&returns, &multiples, per_year));
        Score { value, metric: metric.name().into(), periods: outcome.points.len() as u64, returns, trades }
    }
}

impl Evaluate for Backtest {
    /// The exchange draws by the seed of `[backtest]` where it has one, so that `smc backtest` of the same configuration comes
    /// to the same.
    fn score(&self, config: &FileConfig, seed: u64) -> Result<Score, String> {
        let engine = config.engine().map_err(|error| error.to_string())?;
        let mut venue = venue::settings(config, &self.beside).map_err(|error| error.to_string())?;
        venue.seed = config.backtest.seed.unwrap_or(seed);
        let market = self.market_of(config).map_err(|error| error.to_string())?;
        let wanted = Wanted { period_ns: self.period_ns, record: false };
        let outcome = run(&engine, Confluence::for_config(&engine), &market, &venue, wanted);
        Ok(self.judge(&outcome.map_err(|error| error.to_string())?))
    }

    fn identity(&self) -> String {
        let Judgement { metric, trades_min, .. } = self.judgement;
        let (build, period_ns) = (smc_core::BUILD, self.period_ns);
        let (files, known) = (&self.files, &self.known);
        format!(
            "{} of {trades_min} trades or more, periods of {period_ns} ns, engine {build}{files}{known}",
            metric.name()
        )
    }
}
