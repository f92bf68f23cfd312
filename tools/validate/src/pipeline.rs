//! What is judged: a strategy together with the search for its parameters.
//!
//! A pipeline turns bars into a record for every candidate of its grid. Every test that asks "would this have been found
//! in noise, too" runs the pipeline again as a whole, search included.

use crate::look_ahead::Searched;
use crate::market::{Markets, Periods};
use crate::workers::Workers;
use crate::{ValidateError, choice};
use smc_metrics::BadInput;
use std::collections::BTreeMap;

/// One parameter and the values that are tried, in their natural order: a step from one to the next is small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// As texts, as a configuration has them.
    pub values: Vec<String>,
}

/// A full grid of parameters. Candidate `k` is cell `k`, the last parameter moving fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid(Vec<Parameter>);

/// Most cells of a grid.
pub const CANDIDATES_MAX: usize = 100_000;

impl Grid {
    /// Name of the parameter of a grid that has none.
    pub const AS_CONFIGURED: &str = "as configured";

    /// A value or more a parameter. No parameters are one candidate.
    pub fn new(mut parameters: Vec<Parameter>) -> Result<Self, ValidateError> {
        if parameters.is_empty() {
            parameters.push(Parameter { name: Self::AS_CONFIGURED.into(), values: vec!["yes".into()] });
        }
        let cells = parameters.iter().try_fold(1usize, |cells, one| cells.checked_mul(one.values.len()));
        let is_sound = cells.is_some_and(|cells| (1..=CANDIDATES_MAX).contains(&cells));
        let bad =
            BadInput::Domain { what: "grid", wanted: "a value or more a parameter, 100,000 cells at most" };
        if is_sound { Ok(Self(parameters)) } else { Err(bad.into()) }
    }

    /// The parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0
    }

    /// Values of each parameter.
    pub fn shape(&self) -> Vec<usize> {
        self.0.iter().map(|parameter| parameter.values.len()).collect()
    }

    /// Candidates.
    pub fn count(&self) -> usize {
        self.0.iter().map(|parameter| parameter.values.len()).product()
    }

    /// Index of each parameter's value.
    pub fn place(&self, candidate: usize) -> Vec<usize> {
        let mut rest = candidate;
        let mut place: Vec<usize> = self
            .0
            .iter()
            .rev()
            .map(|parameter| {
                let index = rest % parameter.values.len();
                rest /= parameter.values.len();
                index
            })
            .collect();
        place.reverse();
        place
    }

    /// The candidate at a place.
    pub fn candidate(&self, place: &[usize]) -> usize {
        place.iter().zip(&self.0).fold(0, |cell, (index, parameter)| cell * parameter.values.len() + index)
    }

    /// Names and values of a candidate.
    pub fn values(&self, candidate: usize) -> BTreeMap<String, String> {
        let place = self.place(candidate);
        self.0.iter().zip(place).map(|(one, index)| (one.name.clone(), one.values[index].clone())).collect()
    }
}

/// What the world does to a run beyond what is configured: the noise tests turn these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Times the usual latency. A pipeline over bars, which have none, acts a part of a bar late where this is above 1.
    pub latency: f64,
    /// Times the configured fees.
    pub fees: f64,
    /// Share of fills that happen; the others are lost.
    pub fills: f64,
    /// Of what is drawn in the run.
    pub seed: u64,
    /// Whether decisions are told apart. Where only results count, their times are enough ([`Decision::what`] may be 0) and cheaper.
    pub tells_decisions: bool,
}

impl Conditions {
    /// As configured.
    pub const fn plain(seed: u64) -> Self {
        Self { latency: 1.0, fees: 1.0, fills: 1.0, seed, tells_decisions: true }
    }

    /// The same, of which only results count.
    #[must_use]
    pub const fn for_results(self) -> Self {
        Self { tells_decisions: false, ..self }
    }
}

/// Something that was decided: an order to enter, to change, to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When, in nanoseconds since the epoch: the close of the last bar that it may rest on, or later.
    pub at_ns: u64,
    /// All of it, as a number: other decisions have other numbers.
    pub what: u64,
}

/// A closed trade. Money is a fraction of the equity at its opening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// When it was decided; one of the record's decisions.
    pub decided_ns: u64,
    /// First fill, in nanoseconds since the epoch.
    pub opened_ns: u64,
    /// Last fill.
    pub closed_ns: u64,
    /// Net profit in multiples of what was risked.
    pub r: f64,
    /// Profit at the prices of its fills.
    pub gross: f64,
    /// Fees, funding, financing: what lies between `gross` and the net profit; negative where they were paid to us.
    pub costs: f64,
    /// Half spreads, impact and slippage: a cost as well, that the prices of fills and so `gross` have in them already.
    pub slippage: f64,
}

impl Trade {
    /// Net profit.
    pub fn net(&self) -> f64 {
        self.gross - self.costs
    }

    /// All that was paid, in fees and in prices.
    pub fn paid(&self) -> f64 {
        self.costs + self.slippage
    }
}

/// What a candidate did.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Net return of each period, open positions at their marks; as many as there are periods.
    pub returns: Vec<f64>,
    /// Was something held in the period?
    pub held: Vec<bool>,
    /// Value of all fills of the period, per equity.
    pub traded: Vec<f64>,
    /// What was decided, in order. Returns of a period and a trade that closed are known too late to show what a decision
    /// rested on; the search for knowledge of the future looks at these.
    pub decisions: Vec<Decision>,
    /// Closed trades in the order in which they closed. A trade that is open at the end of the data is not among them.
    pub trades: Vec<Trade>,
}

impl Record {
    /// Nothing happened.
    pub fn blank(periods: usize) -> Self {
        Self {
            returns: vec![0.0; periods],
            held: vec![false; periods],
            traded: vec![0.0; periods],
            decisions: Vec::new(),
            trades: Vec::new(),
        }
    }
}

/// A strategy and its search, pure: the same arguments give the same records, on any thread.
///
/// Laws that the referee tests and does not take on trust: what a record says up to a moment depends on the bars up to it
/// alone. Because of them one run over everything is enough to know what a candidate did in any part of it.
pub trait Pipeline: Sync {
    /// Family of strategies that were searched together; the name in the ledger.
    fn strategy(&self) -> &str;

    /// Its code and rules: a hash or a release.
    fn version(&self) -> &str;

    /// What is tried.
    fn grid(&self) -> &Grid;

    /// Runs candidates over all bars; a record each, in their order, over the given periods of these markets.
    fn run(
        &self,
        markets: &Markets,
        periods: &Periods,
        candidates: &[usize],
        under: Conditions,
    ) -> Result<Vec<Record>, ValidateError>;

    /// Searches the features that the decisions of a candidate rest on for knowledge of the future, over these markets.
    fn search_features(
        &self,
        markets: &Markets,
        candidate: usize,
        seed: u64,
        workers: Workers,
    ) -> Vec<Searched> {
        let _ = (markets, candidate, seed, workers);
        Vec::new()
    }

    /// Files that runs rest on beside the data: name and BLAKE3 of each.
    fn files(&self) -> &[(String, String)] {
        &[]
    }
}

/// Every candidate's record over some markets, checked.
#[derive(Clone, Debug)]
pub struct Trial {
    /// A candidate each.
    pub records: Vec<Record>,
    /// Of all of them.
    pub periods: Periods,
    shape: Vec<usize>,
}

impl Trial {
    /// Runs the whole grid.
    pub fn of(
        pipeline: &dyn Pipeline,
        markets: &Markets,
        period_ns: u64,
        under: Conditions,
    ) -> Result<Self, ValidateError> {
        let periods = Periods::of(markets, period_ns)?;
        let grid = pipeline.grid();
        let all: Vec<usize> = (0..grid.count()).collect();
        let records = run_checked(pipeline, markets, &periods, &all, under)?;
        Ok(Self { records, periods, shape: grid.shape() })
    }

    /// Of records that are already there, as those of one parameter.
    pub fn single(records: Vec<Record>, periods: Periods) -> Self {
        let shape = vec![records.len()];
        Self { records, periods, shape }
    }

    /// The candidate that the search takes when it may look at some periods: the centre of the best plateau of scores.
    pub fn choose(&self, look_at: &choice::Look) -> Result<choice::Chosen, ValidateError> {
        choice::choose(&self.records, &self.shape, look_at)
    }
}

/// Runs candidates and refuses records that are none.
pub fn run_checked(
    pipeline: &dyn Pipeline,
    markets: &Markets,
    periods: &Periods,
    candidates: &[usize],
    under: Conditions,
) -> Result<Vec<Record>, ValidateError> {
    let records = pipeline.run(markets, periods, candidates, under)?;
    let wrong = |what: &str| Err(ValidateError::Pipeline(format!("the pipeline gave {what}")));
    if records.len() != candidates.len() {
        return wrong("another count of records than candidates");
    }
    for record in &records {
        let count = periods.count();
        if [record.returns.len(), record.held.len(), record.traded.len()] != [count; 3] {
            return wrong("a record of other periods");
        }
        if !record.returns.iter().chain(&record.traded).all(|value| value.is_finite()) {
            return wrong("a return that is no number");
        }
        if !record.decisions.is_sorted_by_key(|decision| decision.at_ns) {
            return wrong("decisions out of order");
        }
        let is_decided =
            |at_ns: u64| record.decisions.binary_search_by_key(&at_ns, |made| made.at_ns).is_ok();
        let is_sound = |trade: &Trade| {
            trade.decided_ns <= trade.opened_ns
                && is_decided(trade.decided_ns)
                && [trade.r, trade.gross, trade.costs, trade.slippage].iter().all(|value| value.is_finite())
                && trade.opened_ns <= trade.closed_ns
        };
        if !record.trades.iter().all(is_sound) || !record.trades.is_sorted_by_key(|trade| trade.closed_ns) {
            return wrong("trades that are none, that nobody decided, or out of order");
        }
    }
    Ok(records)
}
