//! Is it luck, given how much was searched: deflated Sharpe ratio, probability of overfitting, reality check.

use crate::ValidateError;
use crate::pipeline::Record;
use smc_metrics::bootstrap::Resampling;
use smc_metrics::moments::Moments;
use smc_metrics::overfitting::Overfitting;
use smc_metrics::reality_check::{RealityCheck, superior_ability};
use smc_metrics::sharpe::{SharpeRatio, Trials, effective_trials, variance_of_ratios};
use smc_metrics::{Panel, Series, Undefined, Value};

/// How much a track record proves after that many trials.
#[derive(Clone, Debug, PartialEq)]
pub struct Deflated {
    /// The measured ratio of the curve out of sample, per period.
    pub sharpe: Result<SharpeRatio, Undefined>,
    /// Probability that the true ratio is above 0.
    pub psr: Value,
    /// Periods after which such a ratio is above 0 with 95 %.
    pub min_track_record: Value,
    /// Trials of the strategy that the ledger has.
    pub trials_made: u64,
    /// Independent ones among them.
    pub trials_effective: u64,
    /// Variance of the ratios of trials.
    pub variance: Value,
    /// The ratio that luck alone is expected to show after these trials.
    pub expected_best: Value,
    /// Probability that the true ratio is above that.
    pub dsr: Value,
}

/// Confidence of the minimum track record.
pub const CONFIDENCE: f64 = 0.95;

/// Deflates the curve out of sample. The variance is that of the candidates or that of all scores that the ledger has, whichever
/// is larger, so that a wide search is not forgotten by showing a narrow one. That curve was not itself searched, so this asks more than it must; but somebody looked
/// at it as often as the ledger says, and that is what deflation is for.
pub fn deflate(
    out_of_sample: Series<'_>,
    candidates: &Panel,
    trials_made: u64,
    scores_made: &[f64],
) -> Result<Deflated, ValidateError> {
    let sharpe = SharpeRatio::of(out_of_sample);
    let trials_effective = effective_trials(candidates, trials_made);
    let of_ledger = Series::new("scores of the ledger", scores_made)
        .map_or(Err(Undefined::TooFew { needed: 2, got: 0 }), |scores| Moments::of(scores).variance());
    // Neither known: nothing is deflated and the criterion fails.
    let variance = match (variance_of_ratios(candidates), of_ledger) {
        (Ok(shown), Ok(made)) => Ok(f64::max(shown, made)),
        (shown, made) => shown.or(made),
    };
    let trials = match variance {
        Ok(variance) => Ok(Trials::new(trials_effective.max(1), variance)?),
        Err(reason) => Err(reason),
    };
    Ok(Deflated {
        psr: sharpe.and_then(|ratio| ratio.probability_above(0.0)),
        min_track_record: sharpe.and_then(|ratio| ratio.min_track_record(0.0, CONFIDENCE)),
        expected_best: trials.map(Trials::expected_best),
        dsr: sharpe.and_then(|ratio| ratio.deflated(trials?)),
        sharpe,
        trials_made,
        trials_effective,
        variance,
    })
}

/// Returns of all candidates over periods `0..within`: a column each.
pub fn matrix(records: &[Record], within: usize) -> Result<Panel, ValidateError> {
    let row = |period: usize| -> Vec<f64> { records.iter().map(|record| record.returns[period]).collect() };
    let rows: Vec<Vec<f64>> = (0..within).map(row).collect();
    Ok(Panel::from_rows("returns of the candidates", &rows)?)
}

/// Probability of overfitting; undefined for a single candidate, which nobody chose.
pub fn overfitting(
    candidates: &Panel,
    blocks: usize,
) -> Result<Result<Overfitting, Undefined>, ValidateError> {
    if candidates.columns() < 2 {
        return Ok(Err(Undefined::TooFew { needed: 2, got: candidates.columns() }));
    }
    Ok(Ok(Overfitting::of(candidates, blocks)?))
}

/// White's and Hansen's tests of all candidates against holding nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// White's reality check.
    pub white: RealityCheck,
    /// p of Hansen's test.
    pub hansen: Value,
}

/// Both tests.
pub fn reality_check(candidates: &Panel, how: Resampling) -> Result<Checked, ValidateError> {
    Ok(Checked { white: RealityCheck::of(candidates, how)?, hansen: superior_ability(candidates, how)? })
}
