//! Walk-forward: search in each training span, trade the next test span with what was found, move on.
//!
//! The stitched tests are the only curve that reports call "out of sample".

use crate::ValidateError;
use crate::choice::{Look, score};
use crate::pipeline::{Record, Trade, Trial};
use smc_metrics::sharpe::walk_forward_efficiency;
use smc_metrics::walk_forward::WalkForward;
use smc_metrics::{Series, Value};
use std::ops::Range;

/// One search and its test.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Periods that were searched.
    pub train: Range<usize>,
    /// Periods that were traded.
    pub test: Range<usize>,
    /// What was found.
    pub candidate: usize,
    /// Its score where it was found.
    pub score_in: f64,
    /// Its score in the test.
    pub score_out: f64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Walked {
    /// In order.
    pub steps: Vec<Step>,
    /// The stitched tests: returns, what was held and traded, and the trades that closed in them.
    pub out_of_sample: Record,
    /// Mean return out of sample per mean return in sample.
    pub efficiency: Value,
}

impl Walked {
    /// Periods that were tested, in all; one range, since tests follow without a hole.
    pub fn tested(&self) -> Range<usize> {
        match (self.steps.first(), self.steps.last()) {
            (Some(first), Some(last)) => first.test.start..last.test.end,
            _ => 0..0,
        }
    }
}

/// Walks over periods `0..within`. Refuses to when they are not enough for two tests.
pub fn walk(trial: &Trial, how: WalkForward, within: usize) -> Result<Walked, ValidateError> {
    let splits = how.splits(within)?;
    if splits.len() < 2 {
        return Err(ValidateError::TooShort {
            what: "walk-forward",
            needed: how.train + how.gap + 2 * how.test,
            got: within,
        });
    }
    let mut steps = Vec::with_capacity(splits.len());
    let mut inside = Vec::new();
    let mut out_of_sample = Record::blank(0);
    for split in splits {
        let chosen = trial.choose(&Look::at(split.train.clone()))?;
        let record = &trial.records[chosen.candidate];
        inside.extend_from_slice(&record.returns[split.train.clone()]);
        append(&mut out_of_sample, record, trial, split.test.clone());
        steps.push(Step {
            candidate: chosen.candidate,
            score_in: chosen.score,
            score_out: score(&record.returns[split.test.clone()])?,
            train: split.train,
            test: split.test,
        });
    }
    let efficiency = walk_forward_efficiency(
        Series::new("in-sample returns", &inside)?,
        Series::new("out-of-sample returns", &out_of_sample.returns)?,
    );
    Ok(Walked { steps, out_of_sample, efficiency })
}

/// Appends what a record did in some periods. A trade belongs to the period in which it closed.
pub fn append(to: &mut Record, record: &Record, trial: &Trial, periods: Range<usize>) {
    to.returns.extend_from_slice(&record.returns[periods.clone()]);
    to.held.extend_from_slice(&record.held[periods.clone()]);
    to.traded.extend_from_slice(&record.traded[periods.clone()]);
    to.trades.extend(trades_of(record, trial, periods));
}

/// Trades that closed in some periods; one that closes with a bar closes in the bar's period.
pub fn trades_of<'a>(
    record: &'a Record,
    trial: &'a Trial,
    periods: Range<usize>,
) -> impl Iterator<Item = Trade> + 'a {
    let closed_in = move |trade: &&Trade| {
        trial
            .periods
            .of_moment(trade.closed_ns.saturating_sub(1))
            .is_some_and(|period| periods.contains(&period))
    };
    record.trades.iter().filter(closed_in).copied()
}
