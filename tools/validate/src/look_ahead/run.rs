//! Pipelines: what a run says up to a moment must be what it says when the data ends there, or goes on otherwise.

use super::{Found, Searched, Test};
use crate::ValidateError;
use crate::market::{Markets, Periods};
use crate::pipeline::{Conditions, Pipeline, Record, run_checked};
use crate::workers::Workers;
use smc_metrics::Random;

/// Behind which bars a run is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Behind every bar.
    Every,
    /// Behind this many, evenly. Where the step between them is a number of whole days they all fall on one hour.
    Evenly(usize),
}

impl Cuts {
    fn of(self, bars: usize) -> Vec<usize> {
        match self {
            Self::Every => (0..bars).collect(),
            Self::Evenly(count) => {
                let count = count.min(bars);
                (1..=count).map(|nth| (nth * bars / count.max(1)).saturating_sub(1)).collect()
            }
        }
    }
}

/// Runs one candidate on data that ends behind each cut and on data that goes on otherwise (behind every 16th cut; of fewer than 1,024
/// behind more of them, so that there are 64), and compares
/// what had been decided by then, the trades that had closed, and the returns of whole periods.
pub fn search(
    pipeline: &dyn Pipeline,
    markets: &Markets,
    period_ns: u64,
    candidate: usize,
    under: Conditions,
    cuts: Cuts,
    workers: Workers,
) -> Result<Searched, ValidateError> {
    let run = |markets: &Markets| -> Result<(Record, Periods), ValidateError> {
        let periods = Periods::of(markets, period_ns)?;
        let mut records = run_checked(pipeline, markets, &periods, &[candidate], under)?;
        let record = records.pop().ok_or_else(|| ValidateError::Pipeline("no record".into()))?;
        Ok((record, periods))
    };
    let (whole, periods) = run(markets)?;
    let cuts = cuts.of(markets.count());
    let compare = |record: &Record, last: usize, by: Test| {
        let known_ns = markets.first().open_ns[last] + markets.first().bar_ns;
        // What fills at the close of the cut may be the next bar's opening: trades and periods are compared a bar later, when
        // it is known. Decisions are compared at once.
        let count = periods.of_bar(last);
        let period = (0..count).find(|at| {
            record.returns[*at].to_bits() != whole.returns[*at].to_bits()
                || record.held[*at] != whole.held[*at]
                || record.traded[*at].to_bits() != whole.traded[*at].to_bits()
        });
        let decided = |of: &Record| of.decisions.partition_point(|made| made.at_ns <= known_ns);
        let decisions = decided(record).max(decided(&whole));
        let decision = (0..decisions).find(|at| record.decisions.get(*at) != whole.decisions.get(*at));
        let closed = |of: &Record| of.trades.partition_point(|trade| trade.closed_ns < known_ns);
        let trades = closed(record).max(closed(&whole));
        let trade = (0..trades).find(|at| record.trades.get(*at) != whole.trades.get(*at));
        decision.or(trade).or(period).map(|at| Found { by, last, at })
    };
    let each = (cuts.len() / PERTURBED_LEAST).clamp(1, PERTURBED_EACH);
    let failed = |error| Some(Err(error));
    let look = |nth: usize| {
        let last = cuts[nth];
        match run(&markets.prefix(last + 1)) {
            Ok((record, _)) => {
                if let Some(found) = compare(&record, last, Test::Truncation) {
                    return Some(Ok(found));
                }
            }
            Err(error) => return failed(error),
        }
        if !nth.is_multiple_of(each) {
            return None;
        }
        match run(&markets.perturbed(last, &mut Random::of_run(under.seed, last as u64))) {
            Ok((record, _)) => compare(&record, last, Test::Perturbation).map(Ok),
            Err(error) => failed(error),
        }
    };
    let found = workers.first(cuts.len(), look).map(|(_, found)| found).transpose()?;
    let perturbed = cuts.len().div_ceil(each);
    let name = format!("{} {}", pipeline.strategy(), pipeline.version());
    Ok(Searched { name, bars: markets.count(), cuts: cuts.len(), perturbed, found })
}

const PERTURBED_EACH: usize = 16;
/// At least so many, where there are as many cuts.
const PERTURBED_LEAST: usize = 64;
