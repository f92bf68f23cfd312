//! Is the best of many strategies better than the benchmark, given that it was searched for: White's reality check
//! (2000) and Hansen's test for superior predictive ability (2005).

use crate::bootstrap::{self, Resampling};
use crate::figure::{Figure, Undefined, Value, at_least, finite};
use crate::moments::Moments;
use crate::permutation::p_value_of;
use crate::sum::sum;
use crate::{BadInput, Panel, Random, Series, input};
use libm::{log, sqrt};

/// White's test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealityCheck {
    /// Largest mean advantage, times the root of the count of periods.
    pub v: f64,
    /// Resamples whose own largest, centred, was as large.
    pub count_ge: usize,
    /// `(1 + count_ge) / (1 + resamples)`.
    pub p_value: f64,
    /// Periods.
    pub n: usize,
}

impl RealityCheck {
    /// Over resamples that are given by the places of their periods. `advantage` is each strategy's performance minus
    /// the benchmark's. Refuses places that there are not, and resamples of another length.
    pub fn with_resamples<R: AsRef<[usize]>>(advantage: &Panel, resamples: &[R]) -> Result<Self, BadInput> {
        let n = advantage.rows();
        let test = Test::of(advantage);
        for (nth, resample) in resamples.iter().enumerate() {
            input::check_length("resample", resample.as_ref().len(), n)?;
            if resample.as_ref().iter().any(|index| *index >= n) {
                return Err(BadInput::Element { what: "resamples", at: nth, wanted: "made of the periods" });
            }
        }
        let count_ge = resamples.iter().filter(|drawn| test.is_as_large(drawn.as_ref())).count();
        Ok(test.with(count_ge, resamples.len()))
    }

    /// Over resamples of the stationary bootstrap, one at a time.
    pub fn of(advantage: &Panel, how: Resampling) -> Result<Self, BadInput> {
        let test = Test::of(advantage);
        let count_ge = count(advantage.rows(), how, |drawn| test.is_as_large(drawn))?;
        Ok(test.with(count_ge, how.resamples))
    }

    /// As a report shows it.
    pub fn figure(&self) -> Figure {
        Figure::new("reality_check_p", "5.reality_check", finite(self.p_value), self.n)
    }
}

/// What resamples are held against.
struct Test<'a> {
    advantage: &'a Panel,
    means: Vec<f64>,
    root: f64,
    v: f64,
}

impl<'a> Test<'a> {
    fn of(advantage: &'a Panel) -> Self {
        let (means, root) = (means(advantage, 0..advantage.rows()), sqrt(advantage.rows() as f64));
        Self { advantage, v: largest_of(&means, root), means, root }
    }

    /// The largest of this resample, centred, is no smaller than the real one.
    fn is_as_large(&self, drawn: &[usize]) -> bool {
        let drawn = means(self.advantage, drawn.iter().copied());
        largest(drawn.iter().zip(&self.means).map(|(drawn, mean)| self.root * (drawn - mean))) >= self.v
    }

    fn with(&self, count_ge: usize, resamples: usize) -> RealityCheck {
        RealityCheck {
            v: self.v,
            count_ge,
            p_value: p_value_of(count_ge, resamples),
            n: self.advantage.rows(),
        }
    }
}

/// Hansen's test with its consistent p-value: strategies count by their deviation, and those that are plainly worse
/// than the benchmark do not blur the rest. Undefined when no strategy varies.
///
/// The formula is that of the paper, and asymptotic: over hundreds of periods its p is too small (at most 0.05 in 6.5 to 9 % of cases
/// without any edge), because deviations are taken as known. It stands beside [`RealityCheck`] and is no criterion.
pub fn superior_ability(advantage: &Panel, how: Resampling) -> Result<Value, BadInput> {
    let n = advantage.rows();
    if let Err(few) = at_least(3, n) {
        return Ok(Err(few));
    }
    let root = sqrt(n as f64);
    let block = how.block(n)?;
    let means = means(advantage, 0..n);
    let deviations: Vec<f64> = means
        .iter()
        .enumerate()
        .map(|(nth, mean)| long_run_deviation(advantage, nth, *mean, block))
        .collect();
    if deviations.iter().all(|deviation| *deviation == 0.0) {
        return Ok(Err(Undefined::NoVariation));
    }
    // What lies below it is taken as worse for good (Hansen's equation for the threshold).
    let worse = -sqrt(2.0 * log(log(n as f64)).max(0.0));
    let centres: Vec<f64> = means
        .iter()
        .zip(&deviations)
        .map(|(mean, deviation)| if root * mean >= worse * deviation { *mean } else { 0.0 })
        .collect();
    let studentized = |of: &dyn Fn(usize) -> f64| {
        let varying = (0..means.len()).filter(|nth| deviations[*nth] > 0.0);
        largest(varying.map(|nth| root * of(nth) / deviations[nth])).max(0.0)
    };
    let real = studentized(&|nth| means[nth]);
    let count_ge = count(n, how, |drawn| {
        let drawn = self::means(advantage, drawn.iter().copied());
        studentized(&|nth| drawn[nth] - centres[nth]) >= real
    })?;
    Ok(Ok(p_value_of(count_ge, how.resamples)))
}

/// Deviation of `sqrt(n)` times a mean under the stationary bootstrap, in closed form (Politis and Romano).
fn long_run_deviation(advantage: &Panel, nth: usize, mean: f64, block: f64) -> f64 {
    let column: Vec<f64> = advantage.column(nth).collect();
    if !Moments::of(Series::drawn(&column)).varies() {
        // What rounding alone leaves is no deviation.
        return 0.0;
    }
    let gaps: Vec<f64> = column.iter().map(|value| value - mean).collect();
    let n = gaps.len();
    let stays = 1.0 - 1.0 / block;
    let covariance = |lag: usize| sum((0..n - lag).map(|at| gaps[at] * gaps[at + lag])) / n as f64;
    let weight = |lag: usize| {
        let share = lag as f64 / n as f64;
        (1.0 - share) * libm::pow(stays, lag as f64) + share * libm::pow(stays, (n - lag) as f64)
    };
    // Blocks this long are never drawn.
    let lags = (1..n).take_while(|lag| libm::pow(stays, *lag as f64) > 1e-9);
    let variance = covariance(0) + 2.0 * sum(lags.map(|lag| weight(lag) * covariance(lag)));
    sqrt(variance.max(0.0))
}

/// How many resamples of the stationary bootstrap are so. There is one at a time: all of them would be gigabytes over a year of
/// minutes.
fn count(n: usize, how: Resampling, mut is_so: impl FnMut(&[usize]) -> bool) -> Result<usize, BadInput> {
    let (block, mut places) = (how.block(n)?, vec![0; n]);
    let mut one = |nth: &usize| {
        bootstrap::stationary(&mut places, block, &mut Random::of_run(how.seed, *nth as u64));
        is_so(&places)
    };
    Ok((0..how.resamples).filter(|nth| one(nth)).count())
}

/// Mean of each strategy over some periods.
fn means(advantage: &Panel, periods: impl ExactSizeIterator<Item = usize>) -> Vec<f64> {
    let n = periods.len() as f64;
    let mut sums = vec![crate::sum::Sum::default(); advantage.columns()];
    for period in periods {
        for (sum, value) in sums.iter_mut().zip(advantage.row(period)) {
            sum.add(*value);
        }
    }
    sums.into_iter().map(|sum| sum.value() / n).collect()
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

fn largest_of(means: &[f64], root: f64) -> f64 {
    largest(means.iter().map(|mean| root * mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Resampling = Resampling { seed: 4, resamples: 200, block_mean: None };

    fn panel(seed: u64, n: usize, means: &[f64]) -> Panel {
        let mut random = Random::new(seed);
        let rows: Vec<Vec<f64>> =
            (0..n).map(|_| means.iter().map(|mean| mean + random.normal()).collect()).collect();
        Panel::from_rows("advantage", &rows).unwrap()
    }

    #[test]
    fn an_edge_is_found_and_poor_strategies_hide_it_from_white_only() {
        let p_values = |means: &[f64]| {
            let panel = panel(8, 100, means);
            (RealityCheck::of(&panel, HOW).unwrap().p_value, superior_ability(&panel, HOW).unwrap().unwrap())
        };
        let (white, hansen) = p_values(&[0.4, 0.0, 0.0]);
        assert!(white < 0.02 && hansen < 0.02, "{white} {hansen}");
        let (white, hansen) = p_values(&[-0.5, -0.5, -0.5]);
        assert!(white > 0.9 && hansen > 0.5, "{white} {hansen}");
        // A weak edge among strategies that are wildly worse and noisier.
        let mut rows: Vec<Vec<f64>> = Vec::new();
        let mut random = Random::new(21);
        for _ in 0..100 {
            rows.push(
                (0..9)
                    .map(|k| if k == 0 { 0.3 + random.normal() } else { -9.0 + 9.0 * random.normal() })
                    .collect(),
            );
        }
        let panel = Panel::from_rows("advantage", &rows).unwrap();
        let white = RealityCheck::of(&panel, HOW).unwrap().p_value;
        let hansen = superior_ability(&panel, HOW).unwrap().unwrap();
        assert!(white > 0.5 && hansen < 0.05, "{white} {hansen}");
    }

    #[test]
    fn the_closed_form_deviation_is_that_of_the_resamples() {
        let panel = panel(3, 60, &[0.0]);
        let how = Resampling { seed: 5, resamples: 20_000, block_mean: Some(4.0) };
        let mean = means(&panel, 0..60)[0];
        let mut squares = Vec::new();
        let note = |drawn: &[usize]| {
            let drawn = means(&panel, drawn.iter().copied())[0];
            squares.push(60.0 * (drawn - mean) * (drawn - mean));
            true
        };
        assert_eq!(count(60, how, note), Ok(20_000));
        let measured = sqrt(sum(squares) / 20_000.0);
        let closed = long_run_deviation(&panel, 0, mean, 4.0);
        assert!((measured / closed - 1.0).abs() < 0.03, "{measured} {closed}");
    }

    #[test]
    fn resamples_of_other_periods_are_refused() {
        let panel = panel(1, 3, &[0.0]);
        assert!(RealityCheck::with_resamples(&panel, &[[0, 1, 3]]).is_err());
        assert!(RealityCheck::with_resamples(&panel, &[[0, 1]]).is_err());
        let none: [[usize; 3]; 0] = [];
        assert_eq!(RealityCheck::with_resamples(&panel, &none).unwrap().p_value, 1.0);
        let flat = Panel::from_rows("advantage", &[[0.1], [0.1], [0.1]]).unwrap();
        assert_eq!(superior_ability(&flat, HOW), Ok(Err(Undefined::NoVariation)));
    }
}
