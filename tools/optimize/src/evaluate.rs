//! What gives a configuration its score.

use serde::{Deserialize, Serialize};
use smc_settings::file::FileConfig;
use smc_trials::Data;

/// A backtest, or anything else that makes a score of a configuration. Called from many threads at once, and must say the
/// same whenever it is asked the same.
pub trait Evaluate: Sync {
    /// The score of a configuration, or why it could not be tried. All trials of a search get the same seed, so that they
    /// differ by their parameters alone.
    fn score(&self, config: &FileConfig, seed: u64) -> Result<Score, String>;

    /// What its scores depend on besides configuration, seed and data: a search that was begun under another does not go on.
    fn identity(&self) -> String {
        String::new()
    }
}

/// How well a configuration did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The more the better; none where the metric is undefined, as without trades.
    pub value: Option<f64>,
    /// What it is: `sharpe_per_period`, …
    pub metric: String,
    /// Observations behind it.
    pub periods: u64,
    /// Returns of the periods, for what is said about luck; empty where there are none.
    pub returns: Vec<f64>,
    /// Closed trades.
    pub trades: u64,
}

impl Score {
    /// A record keeps numbers alone.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.value.is_some_and(|value| !value.is_finite()) {
            return Err("its score is no finite number".into());
        }
        match self.returns.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(format!("return {at} is no finite number")),
            None => Ok(()),
        }
    }
}

/// Whose trials these are, for the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Family of strategies that are searched together.
    pub strategy: String,
    /// Its code and rules: a hash or a release.
    pub version: String,
    /// What is traded on, by its hash.
    pub data: Data,
}
