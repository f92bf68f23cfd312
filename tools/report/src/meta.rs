//! What an outcome does not know of itself: names, sources, how it was looked at.

use smc_core::instrument::InstrumentSpec;
use smc_core::output::REASONS_MAX;
use smc_core::words::InstrumentId;
use smc_metrics::PeriodsPerYear;
use smc_metrics::bootstrap::Resampling;
use smc_metrics::promotion::Criterion;

/// Everything that stands on a report and is not in the outcome. All texts may hold anything; they are escaped.
#[derive(Clone, Debug)]
pub struct Meta {
    /// What the report is called.
    pub title: String,
    /// The strategy.
    pub strategy: String,
    /// Its version, and the hash of the build that ran it.
    pub version: String,
    /// The configuration as it was read.
    pub configuration: String,
    /// Where the market came from.
    pub sources: Vec<Source>,
    /// Instruments in the order of the configuration.
    pub instruments: Vec<Instrument>,
    /// Sessions in the order of the calendar.
    pub sessions: Vec<String>,
    /// What the places of a signal's reasons stand for; the built-in strategy's unless said otherwise.
    pub reason_names: [String; REASONS_MAX],
    /// Seed of the run.
    pub seed: u64,
    /// Trials that were made before this one was shown; none when no ledger was kept.
    pub trials: Option<TrialCount>,
    /// The program that wrote the report, as it names itself.
    pub generated_by: String,
    /// Days a year, as [`smc_backtest::Outcome::days_per_year`] tells them.
    pub days_per_year: PeriodsPerYear,
    /// Risk-free rate per period of the outcome.
    pub risk_free: f64,
    /// How intervals are drawn.
    pub resampling: Resampling,
    /// Something to compare with.
    pub benchmark: Option<Benchmark>,
    /// What a validation gate said.
    pub verdict: Option<Verdict>,
}

impl Meta {
    /// Nothing but a title: days of a market that never closes, 1,000 resamples from seed 1.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            strategy: String::new(),
            version: String::new(),
            configuration: String::new(),
            sources: Vec::new(),
            instruments: Vec::new(),
            sessions: Vec::new(),
            reason_names: ["sweep", "shift", "zone", "target", "bias", "session"].map(String::from),
            seed: 0,
            trials: None,
            generated_by: String::new(),
            days_per_year: PeriodsPerYear::CRYPTO_DAYS,
            risk_free: 0.0,
            resampling: Resampling { seed: 1, resamples: 1_000, block_mean: None },
            benchmark: None,
            verdict: None,
        }
    }

    /// An instrument's symbol, or its number.
    pub fn symbol(&self, id: InstrumentId) -> String {
        self.instruments.get(id.index()).map_or_else(|| format!("#{}", id.0), |it| it.symbol.clone())
    }

    /// Decimals of prices; all there are for an instrument that is not known.
    pub fn price_decimals(&self, id: InstrumentId) -> u8 {
        self.instruments.get(id.index()).map_or(8, |it| it.price_decimals.min(8))
    }
}

/// Data that a run was made of.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file or feed.
    pub name: String,
    /// What identifies its content.
    pub hash: String,
}

/// How an instrument is written.
#[derive(Clone, Debug)]
pub struct Instrument {
    /// The venue's symbol.
    pub symbol: String,
    /// Decimals of its prices.
    pub price_decimals: u8,
    /// Decimals of its quantities.
    pub qty_decimals: u8,
}

impl Instrument {
    /// As the venue's rules have it.
    pub fn of(spec: &InstrumentSpec) -> Self {
        Self {
            symbol: spec.symbol.to_string(),
            price_decimals: decimals(spec.tick.0),
            qty_decimals: decimals(spec.lot.0),
        }
    }
}

/// Decimals of multiples of a step in 1e-8.
fn decimals(step: i64) -> u8 {
    let (mut left, mut decimals) = (step, 8);
    while decimals > 0 && left % 10 == 0 {
        left /= 10;
        decimals -= 1;
    }
    decimals
}

/// What a ledger of trials counted.
#[derive(Clone, Copy, Debug)]
pub struct TrialCount {
    /// Looks at performance, this one among them.
    pub made: u64,
    /// Of them independent, and the variance of their Sharpe ratios per period, for the deflated ratio; none when it is
    /// not known.
    pub independent: Option<(u64, f64)>,
}

/// Returns of something else over the periods of the outcome.
#[derive(Clone, Debug)]
pub struct Benchmark {
    /// What it is.
    pub name: String,
    /// One a period, as many as [`smc_backtest::Outcome::returns`] has.
    pub returns: Vec<f64>,
}

/// What a validation gate said.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The step that was asked for, in words.
    pub step: String,
    /// Every criterion, and how many observations it rests on.
    pub rows: Vec<(Criterion, usize)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_its_decimals() {
        assert_eq!([100_000_000, 1_000_000, 2_500_000, 1, 0].map(decimals), [0, 2, 3, 8, 0]);
    }
}
