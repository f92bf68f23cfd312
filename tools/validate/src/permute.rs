//! Permutation tests of the whole pipeline: the market's own moves in another order, and the search once more.

use crate::ValidateError;
use crate::choice::Look;
use crate::market::{Markets, Periods};
use crate::pipeline::{Conditions, Pipeline, Trial};
use crate::walk_forward::walk;
use crate::workers::Workers;
use smc_metrics::Random;
use smc_metrics::permutation::{Ohlc, Permuter, p_value};
use smc_metrics::walk_forward::WalkForward;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What came of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Permuted {
    /// The score in the real order.
    pub real: f64,
    /// Scores in the others.
    pub scores: Vec<f64>,
    /// `(1 + #{permuted >= real}) / (1 + m)`.
    pub p_value: f64,
}

/// How a test is run.
#[derive(Clone, Copy)]
pub struct Permuting<'a> {
    /// Of the orders; permutation `k` is drawn by run `k`.
    pub seed: u64,
    /// How many orders.
    pub permutations: usize,
    /// Length of a period.
    pub period_ns: u64,
    /// Who shares them.
    pub workers: Workers,
    /// Told how many are done.
    pub told: &'a (dyn Fn(usize) + Sync),
}

/// In sample: the score of what the search takes when it may look at everything. All bars but the first are permuted.
pub fn in_sample(
    pipeline: &dyn Pipeline,
    markets: &Markets,
    under: Conditions,
    how: Permuting<'_>,
) -> Result<Permuted, ValidateError> {
    let under = under.for_results();
    test(markets, 1, how, |markets| {
        let trial = Trial::of(pipeline, markets, how.period_ns, under)?;
        let periods = trial.periods.count();
        Ok(trial.choose(&Look::at(0..periods))?.score)
    })
}

/// Walk-forward: the score of the stitched tests. The first training span stays as it was, so that every order begins with
/// what the real one began with.
pub fn walk_forward(
    pipeline: &dyn Pipeline,
    markets: &Markets,
    under: Conditions,
    walking: WalkForward,
    how: Permuting<'_>,
) -> Result<Permuted, ValidateError> {
    let keep = Periods::of(markets, how.period_ns)?.bars_before(walking.train).max(1);
    let under = under.for_results();
    test(markets, keep, how, |markets| {
        let trial = Trial::of(pipeline, markets, how.period_ns, under)?;
        let walked = walk(&trial, walking, trial.periods.count())?;
        crate::choice::score(&walked.out_of_sample.returns)
    })
}

fn test(
    markets: &Markets,
    keep: usize,
    how: Permuting<'_>,
    score: impl Fn(&Markets) -> Result<f64, ValidateError> + Sync,
) -> Result<Permuted, ValidateError> {
    let prices: Vec<&[Ohlc]> = markets.all().iter().map(|market| market.prices.as_slice()).collect();
    let permuter = Permuter::new(&prices, keep)?;
    let real = score(markets)?;
    let done = AtomicUsize::new(0);
    let scores = how.workers.try_map(how.permutations, |nth| {
        let mut random = Random::of_run(how.seed, nth as u64);
        let score = score(&markets.with_prices(permuter.permute(&mut random)));
        (how.told)(done.fetch_add(1, Relaxed) + 1);
        score
    })?;
    Ok(Permuted { real, p_value: p_value(real, &scores)?, scores })
}
