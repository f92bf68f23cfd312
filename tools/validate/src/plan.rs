//! What a validation is asked to do: a small TOML file beside the configuration.
//!
//! ```toml
//! strategy = "sweep and turn"     # its name in the ledger of trials; the configuration file's without it
//! step = "paper"                  # paper, probation, full
//! seed = 1
//! period = "1d"
//! periods_per_year = 365          # 252 for markets with weekends
//! test = 30                       # periods of a walk-forward test; the training span is six of them
//! drawdown_limit = 0.2
//!
//! [grid]                          # keys of the configuration and their values, in their natural order
//! "strategy.reward_to_risk_ppm_min" = [1000000, 1500000, 2000000]
//! ```
//!
//! Everything else has the reference's numbers; a number that is weakened here stands in the report.

use crate::ValidateError;
use crate::look_ahead::run::Cuts;
use crate::market::{Markets, Periods};
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
    drawdown_limit: f64,
    permutations_in_sample: Option<usize>,
    permutations_walk_forward: Option<usize>,
    /// Cuts in the search for knowledge of the future; behind every bar where it is `0`. As many as [`CUT_BARS_MAX`] allows without
    /// it.
    cuts: Option<usize>,
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

/// Cuts times bars of a search for knowledge of the future that nobody limited: up to 31,000 bars every one is a cut, of a year of
/// minutes some 1,900. That is about a tenth of what the permutations cost.
pub const CUT_BARS_MAX: usize = 1_000_000_000;
/// However long the data is.
const CUTS_MIN: usize = 64;

/// How far the periods a year may lie from those that the data has.
const YEAR_OFF_MAX: f64 = 0.15;

impl Plan {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ValidateError> {
        toml::from_str(text).map_err(|error| ValidateError::Pipeline(error.to_string()))
    }

    /// How the tests are run over these markets; `opens_hold_out` is the command's to say, not the file's. Refuses periods a year
    /// that the data contradicts: every figure a year would be another.
    pub fn settings(&self, markets: &Markets, opens_hold_out: bool) -> Result<Settings, ValidateError> {
        let bad = |what: &str| ValidateError::Pipeline(format!("plan: {what}"));
        let period =
            Timeframe::parse(&self.period).ok_or_else(|| bad("period is a length such as 1d or 1h"))?;
        let periods = Periods::of(markets, period.nanos())?.count();
        self.check_year(markets, periods)?;
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
        settings.drawdown_limit = self.drawdown_limit;
        let bars = markets.count();
        let cuts = self.cuts.unwrap_or_else(|| (CUT_BARS_MAX / bars).max(CUTS_MIN));
        settings.cuts = if cuts == 0 || cuts >= bars { Cuts::Every } else { Cuts::Evenly(cuts) };
        settings.opens_hold_out = opens_hold_out;
        Ok(settings)
    }

    fn check_year(&self, markets: &Markets, periods: usize) -> Result<(), ValidateError> {
        const DAY_NS: f64 = 86_400e9;
        let (from_ns, to_ns) = markets.span();
        let span = (to_ns - from_ns) as f64;
        let of_year = |span: f64| periods as f64 * 365.25 * DAY_NS / span;
        // A weekend before the first bar or behind the last is not in the span, or one is too many: it matters where that is short.
        let (fewest, most) = (of_year(span + 3.0 * DAY_NS), of_year((span - 3.0 * DAY_NS).max(DAY_NS)));
        let asked = self.periods_per_year;
        if asked >= fewest * (1.0 - YEAR_OFF_MAX) && asked <= most * (1.0 + YEAR_OFF_MAX) {
            return Ok(());
        }
        Err(ValidateError::Pipeline(format!(
            "plan: periods_per_year is {asked}, and the data has {:.0} periods of {} a year",
            of_year(span),
            self.period
        )))
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
    use crate::market::Market;
    use smc_metrics::permutation::Ohlc;

    #[test]
    fn a_plan_is_the_reference_but_for_what_it_says() {
        let text = "strategy = \"a\"\nperiods_per_year = 252\ndrawdown_limit = 0.1\ntest = 20\n\
                    [grid]\n\"strategy.x\" = [1, 2]\n[grid.smc]\ny = [\"0.1 atr\"]\n";
        let plan = Plan::parse(text).unwrap();
        let weekdays = markets((0..700).filter(|day| (day + 3) % 7 < 5));
        let settings = plan.settings(&weekdays, true).unwrap();
        assert_eq!((settings.walk_forward.train, settings.cpcv.embargo), (120, 5));
        assert_eq!((settings.permutations_in_sample, settings.permutations_walk_forward), (1_000, 200));
        let grid = plan.grid().unwrap();
        let names: Vec<&str> = grid.parameters().iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["smc.y", "strategy.x"]);
        assert_eq!(grid.parameters()[0].values, ["\"0.1 atr\""]);
        assert!(Plan::parse("strategy = \"a\"").is_err(), "no limits");
        assert!(Plan::parse(&format!("{text}z = 1\n")).unwrap().grid().is_err());
        for typed in ["risk_fraction = 0.01", "paper_entries_matched = 1.0", "paper_slippage_error = 0.0"] {
            let refused = Plan::parse(&format!("{typed}\n{text}")).unwrap_err().to_string();
            assert!(refused.contains("unknown field"), "what is typed in is no evidence: {refused}");
        }
    }

    /// A bar on each of these days.
    fn markets(days: impl Iterator<Item = u64>) -> Markets {
        const DAY_NS: u64 = 86_400_000_000_000;
        let open_ns: Vec<u64> = days.map(|day| day * DAY_NS).collect();
        let bar = Ohlc { open: 1.0, high: 1.0, low: 1.0, close: 1.0 };
        let (prices, volume) = (vec![bar; open_ns.len()], vec![1.0; open_ns.len()]);
        let (name, source) = ("A".into(), "x".into());
        Markets::new(vec![Market { name, source, tick: 0.1, bar_ns: DAY_NS, open_ns, prices, volume }])
            .unwrap()
    }

    #[test]
    fn a_year_that_the_data_contradicts_is_refused() {
        let settings = |year: f64, markets: &Markets| {
            let text = format!("periods_per_year = {year}\ndrawdown_limit = 0.1\n");
            Plan::parse(&text).unwrap().settings(markets, false)
        };
        // Every day, weekdays, weekdays and Sundays (currencies by UTC).
        let [all, week, six] =
            [7, 5, 6].map(|count| markets((0..700).filter(move |day| (day + 4) % 7 < count)));
        assert!(settings(365.0, &all).is_ok() && settings(252.0, &all).is_err());
        assert!(settings(252.0, &week).is_ok() && settings(365.0, &week).is_err());
        let refused = settings(252.0, &six).unwrap_err().to_string();
        assert!(refused.contains("the data has 313 periods of 1d a year"), "{refused}");
        // A week and a half does not contradict much.
        assert!(settings(252.0, &markets((4..14).filter(|day| (day + 4) % 7 < 5))).is_ok());
    }

    #[test]
    fn every_bar_is_a_cut_where_that_can_be_paid() {
        let cuts = |keys: &str, bars: u64| {
            let text = format!("period = \"1d\"\nperiods_per_year = 365\ndrawdown_limit = 0.1\n{keys}");
            Plan::parse(&text).unwrap().settings(&markets(0..bars), false).unwrap().cuts
        };
        assert_eq!((cuts("", 30_000), cuts("", 50_000)), (Cuts::Every, Cuts::Evenly(20_000)));
        assert_eq!((cuts("cuts = 0\n", 50_000), cuts("cuts = 7\n", 500)), (Cuts::Every, Cuts::Evenly(7)));
    }
}
