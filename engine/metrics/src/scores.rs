//! How good probabilities were: log loss, Brier, area under the curve, calibration error.

use crate::figure::{Figure, Undefined, Value, finite, ratio};
use crate::sum::sum;
use crate::{BadInput, Series, input};
use libm::log;

/// Probabilities nearer to 0 or 1 than this count as this for the log loss.
const CLIP: f64 = 1e-6;
/// Most bins of the calibration error.
pub const BINS_MAX: usize = 10_000;

/// Scores of forecasts of one event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Forecasts.
    pub n: usize,
    /// Mean of `-ln` of the probability that was given to what happened.
    pub log_loss: Value,
    /// Mean square of the difference.
    pub brier: Value,
    /// Probability that one that happened was given more than one that did not; ties count half.
    pub auc: Value,
    /// Mean distance of forecast and frequency over equal bins, by their counts.
    pub ece: Value,
}

/// Forecasts and what happened.
#[derive(Clone, Copy, Debug)]
pub struct Forecasts<'a> {
    happened: &'a [bool],
    p: &'a [f64],
}

impl<'a> Forecasts<'a> {
    /// One probability an outcome, each between 0 and 1; at least one.
    pub fn new(happened: &'a [bool], p: &'a [f64]) -> Result<Self, BadInput> {
        let p = Series::new("p", p)?.values();
        input::check_length("p", p.len(), happened.len())?;
        match p.iter().position(|p| !(0.0..=1.0).contains(p)) {
            Some(at) => Err(BadInput::Element { what: "p", at, wanted: "between 0 and 1" }),
            None => Ok(Self { happened, p }),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (bool, f64)> {
        self.happened.iter().copied().zip(self.p.iter().copied())
    }
}

impl Scores {
    /// Scores, the calibration error over `bins` equal bins.
    pub fn of(forecasts: Forecasts<'_>, bins: usize) -> Result<Self, BadInput> {
        let n = forecasts.p.len();
        let loss = |(happened, p): (bool, f64)| {
            let p = p.clamp(CLIP, 1.0 - CLIP);
            -log(if happened { p } else { 1.0 - p })
        };
        let square = |(happened, p): (bool, f64)| {
            let gap = p - f64::from(u8::from(happened));
            gap * gap
        };
        Ok(Self {
            n,
            log_loss: finite(sum(forecasts.pairs().map(loss)) / n as f64),
            brier: finite(sum(forecasts.pairs().map(square)) / n as f64),
            auc: auc(forecasts),
            ece: ece(forecasts, bins)?,
        })
    }

    /// All of them as a report shows them.
    pub fn figures(&self) -> [Figure; 4] {
        let figure = |name, formula, value| Figure::new(name, formula, value, self.n);
        [
            figure("log_loss", "8.log_loss", self.log_loss),
            figure("brier", "8.brier", self.brier),
            figure("auc", "8.auc", self.auc),
            figure("ece", "8.ece", self.ece),
        ]
    }
}

/// By ranks: twice the sum of ranks stays whole.
fn auc(forecasts: Forecasts<'_>) -> Value {
    let mut all: Vec<(bool, f64)> = forecasts.pairs().collect();
    all.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let positives = all.iter().filter(|(happened, _)| *happened).count() as u128;
    let negatives = all.len() as u128 - positives;
    let (mut below, mut wins_x2) = (0u128, 0u128);
    // Zeros of both signs are one value.
    for tied in all.chunk_by(|(_, a), (_, b)| a == b) {
        let hits = tied.iter().filter(|(happened, _)| *happened).count() as u128;
        let misses = tied.len() as u128 - hits;
        wins_x2 += hits * (2 * below + misses);
        below += misses;
    }
    ratio(wins_x2 as f64, (2 * positives * negatives) as f64, Undefined::OneClass)
}

fn ece(forecasts: Forecasts<'_>, bins: usize) -> Result<Value, BadInput> {
    if bins == 0 || bins > BINS_MAX {
        return Err(BadInput::Domain { what: "bins", wanted: "from 1 to 10,000" });
    }
    // Per bin: forecasts minus outcomes. Counts cancel against the weight.
    let mut gaps = vec![crate::sum::Sum::default(); bins];
    for (happened, p) in forecasts.pairs() {
        // Not negative, so cutting off rounds down; 1 belongs to the last bin.
        let bin = ((p * bins as f64) as usize).min(bins - 1);
        gaps[bin].add(p - f64::from(u8::from(happened)));
    }
    let total = sum(gaps.into_iter().map(|gap| gap.value().abs()));
    Ok(finite(total / forecasts.p.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        for nth in 0..200 {
            let mut random = Random::of_run(6, nth);
            let n = 1 + random.below(30);
            let happened: Vec<bool> = (0..n).map(|_| random.below(2) == 1).collect();
            // Few values, so that ties are many.
            let p: Vec<f64> = (0..n).map(|_| random.below(5) as f64 / 4.0).collect();
            let mut pairs = (0.0, 0.0);
            for (a, _) in happened.iter().enumerate().filter(|(_, happened)| **happened) {
                for (b, _) in happened.iter().enumerate().filter(|(_, happened)| !**happened) {
                    pairs.0 += if p[a] > p[b] {
                        1.0
                    } else if p[a] == p[b] {
                        0.5
                    } else {
                        0.0
                    };
                    pairs.1 += 1.0;
                }
            }
            let scores = Scores::of(Forecasts::new(&happened, &p).unwrap(), 10).unwrap();
            let expected = if pairs.1 == 0.0 { Err(Undefined::OneClass) } else { Ok(pairs.0 / pairs.1) };
            assert_eq!(scores.auc, expected);
        }
    }

    #[test]
    fn certainty_has_a_finite_loss_and_edges_have_a_bin() {
        let scores = Scores::of(Forecasts::new(&[true, false], &[0.0, 1.0]).unwrap(), 10).unwrap();
        assert!((scores.log_loss.unwrap() - 1e6f64.ln()).abs() < 1e-9);
        assert_eq!((scores.brier, scores.ece, scores.auc), (Ok(1.0), Ok(1.0), Ok(0.0)));
    }

    #[test]
    fn what_is_no_forecast_is_refused() {
        assert!(Forecasts::new(&[], &[]).is_err());
        assert!(Forecasts::new(&[true], &[1.1]).is_err());
        assert!(Forecasts::new(&[true], &[f64::NAN]).is_err());
        assert!(Forecasts::new(&[true, false], &[0.5]).is_err());
        let one = Forecasts::new(&[true], &[0.5]).unwrap();
        assert!(Scores::of(one, 0).is_err() && Scores::of(one, usize::MAX).is_err());
    }
}
