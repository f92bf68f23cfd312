//! What a validation is asked to do: a small TOML file beside the configuration.
//!
//! ```toml
//! strategy = "sweep and turn"     # its name in the ledger of trials; the configuration file's without it
//! step = "paper"                  # paper, probation, full
//! seed = 1
//! period = "1d"
//! periods_per_year = 365          # 252 for markets with weekends
//! test = 30                       # periods of a walk-forward test; the training span is six of them
//! risk_fraction = 0.0025          # of equity, one R
//! drawdown_limit = 0.2
//!
//! [grid]                          # keys of the configuration and their values, in their natural order
//! "strategy.reward_to_risk_ppm_min" = [1000000, 1500000, 2000000]
//! ```
//!
//! Everything else has the reference's numbers; a number that is weakened here stands in the report.

use crate::ValidateError;
use crate::look_ahead::run::Cuts;
use crate::pipeline::{Grid, Parameter};
use crate::referee::Settings;
use serde::Deserialize;
use smc_core::words::Timeframe;
use smc_metrics::promotion::Step;
use smc_metrics::walk_forward::WalkForward;
use smc_metrics::{PeriodsPerYear, folds};

/// As the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Family of strategies: its name in the ledger; the configuration file's without it, under which backtests count too.
    pub strategy: Option<String>,
    #[serde(default)]
    step: Wish,
    #[serde(default = "one")]
    seed: u64,
    #[serde(default = "day")]
    period: String,
    periods_per_year: f64,
    #[serde(default = "month")]
    test: usize,
    train: Option<usize>,
    /// Longest that a trade is held, in periods: kept between a search and its test.
    #[serde(default = "gap")]
    gap: usize,
    risk_fraction: f64,
    drawdown_limit: f64,
    permutations_in_sample: Option<usize>,
    permutations_walk_forward: Option<usize>,
    /// Cuts in the search for knowledge of the future; behind every bar where it is `0`.
    #[serde(default = "cuts")]
    cuts: usize,
    paper_entries_matched: Option<f64>,
    paper_slippage_error: Option<f64>,
    /// Parameters, as they stand in the file.
    #[serde(default)]
    grid: toml::Table,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wish {
    #[default]
    Paper,
    Probation,
    Full,
}

const fn one() -> u64 {
    1
}

fn day() -> String {
    "1d".into()
}

const fn month() -> usize {
    30
}

const fn gap() -> usize {
    1
}

const fn cuts() -> usize {
    64
}

impl Plan {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ValidateError> {
        toml::from_str(text).map_err(|error| ValidateError::Pipeline(error.to_string()))
    }

    /// How the tests are run, over some periods; `opens_hold_out` is the command's to say, not the file's.
    pub fn settings(&self, periods: usize, opens_hold_out: bool) -> Result<Settings, ValidateError> {
        let bad = |what: &str| ValidateError::Pipeline(format!("plan: {what}"));
        let period =
            Timeframe::parse(&self.period).ok_or_else(|| bad("period is a length such as 1d or 1h"))?;
        let mut settings = Settings::of_reference(self.seed, PeriodsPerYear::new(self.periods_per_year)?);
        settings.step = match self.step {
            Wish::Paper => Step::ToPaper,
            Wish::Probation => Step::ToProbation,
            Wish::Full => Step::ToFull,
        };
        settings.period_ns = period.nanos();
        let train = self.train.unwrap_or(6 * self.test);
        settings.walk_forward = WalkForward { train, test: self.test, gap: self.gap, is_anchored: false };
        settings.cpcv.purge = self.gap;
        settings.cpcv.embargo = folds::embargo_default(periods);
        settings.permutations_in_sample =
            self.permutations_in_sample.unwrap_or(settings.permutations_in_sample);
        settings.permutations_walk_forward =
            self.permutations_walk_forward.unwrap_or(settings.permutations_walk_forward);
        settings.risk_fraction = self.risk_fraction;
        settings.drawdown_limit = self.drawdown_limit;
        settings.cuts = if self.cuts == 0 { Cuts::Every } else { Cuts::Evenly(self.cuts) };
        settings.opens_hold_out = opens_hold_out;
        settings.paper_entries_matched = self.paper_entries_matched;
        settings.paper_slippage_error = self.paper_slippage_error;
        Ok(settings)
    }

    /// The grid: sections may be written with dots in quotes or as tables.
    pub fn grid(&self) -> Result<Grid, ValidateError> {
        let mut parameters = Vec::new();
        collect("", &self.grid, &mut parameters)?;
        Grid::new(parameters)
    }
}

fn collect(above: &str, table: &toml::Table, to: &mut Vec<Parameter>) -> Result<(), ValidateError> {
    for (key, value) in table {
        let name = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
        match value {
            toml::Value::Table(inner) => collect(&name, inner, to)?,
            toml::Value::Array(values) => {
                to.push(Parameter { name, values: values.iter().map(ToString::to_string).collect() });
            }
            _ => return Err(ValidateError::Pipeline(format!("plan: grid: {name} is not a list of values"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_the_reference_but_for_what_it_says() {
        let text = "strategy = \"a\"\nperiods_per_year = 252\nrisk_fraction = 0.01\ndrawdown_limit = 0.1\ntest = 20\n\
                    [grid]\n\"strategy.x\" = [1, 2]\n[grid.smc]\ny = [\"0.1 atr\"]\n";
        let plan = Plan::parse(text).unwrap();
        let settings = plan.settings(500, true).unwrap();
        assert_eq!((settings.walk_forward.train, settings.cpcv.embargo), (120, 5));
        assert_eq!((settings.permutations_in_sample, settings.permutations_walk_forward), (1_000, 200));
        let grid = plan.grid().unwrap();
        let names: Vec<&str> = grid.parameters().iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["smc.y", "strategy.x"]);
        assert_eq!(grid.parameters()[0].values, ["\"0.1 atr\""]);
        assert!(Plan::parse("strategy = \"a\"").is_err(), "no limits");
        assert!(Plan::parse(&format!("{text}z = 1\n")).unwrap().grid().is_err());
    }
}
