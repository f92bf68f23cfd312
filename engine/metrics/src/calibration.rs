//! Scores into probabilities: Platt's sigmoid and isotonic regression. To be fitted on data that no model saw.

use crate::{BadInput, Series, input};
use libm::{exp, log1p};

/// `p = 1 / (1 + exp(a s + b))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Platt {
    /// Slope; negative when higher scores are likelier.
    pub a: f64,
    /// Intercept.
    pub b: f64,
}

/// Newton's method is there long before.
const STEPS_MAX: u32 = 200;

impl Platt {
    /// Maximum likelihood with targets `(N+ + 1) / (N+ + 2)` and `1 / (N- + 2)`, so that it is finite for scores that
    /// separate the outcomes. Newton's method with halved steps (Lin, Lin and Weng, 2007).
    pub fn fit(scores: &[f64], happened: &[bool]) -> Result<Self, BadInput> {
        let series = Series::new("score", scores)?;
        input::check_length("y", happened.len(), series.count())?;
        // Scores far apart would overflow squares; a line through scaled ones is the same line.
        let scale = scores.iter().fold(0.0, |scale: f64, score| scale.max(score.abs()));
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let positives = happened.iter().filter(|happened| **happened).count() as f64;
        let negatives = happened.len() as f64 - positives;
        let target = |happened: &bool| match happened {
            true => (positives + 1.0) / (positives + 2.0),
            false => 1.0 / (negatives + 2.0),
        };
        let rows: Vec<(f64, f64)> =
            scores.iter().zip(happened).map(|(score, happened)| (score / scale, target(happened))).collect();
        let start = Self { a: 0.0, b: libm::log((negatives + 1.0) / (positives + 1.0)) };
        let Self { a, b } = descend(&rows, start);
        let a = a / scale;
        // Scores so near to 0 that no number is as steep as the sigmoid.
        if a.is_finite() { Ok(Self { a, b }) } else { Err(BadInput::Number { what: "score", at: 0 }) }
    }

    /// The probability of a score.
    pub fn probability(&self, score: f64) -> f64 {
        let z = self.a * score + self.b;
        // Of the two forms the one that does not overflow.
        if z >= 0.0 { exp(-z) / (1.0 + exp(-z)) } else { 1.0 / (1.0 + exp(z)) }
    }

    /// Negative log likelihood, without overflow.
    fn loss(&self, rows: &[(f64, f64)]) -> f64 {
        crate::sum::sum(rows.iter().map(|(score, target)| {
            let z = self.a * score + self.b;
            if z >= 0.0 { target * z + log1p(exp(-z)) } else { (target - 1.0) * z + log1p(exp(z)) }
        }))
    }
}

fn descend(rows: &[(f64, f64)], start: Platt) -> Platt {
    let mut fit = start;
    let mut loss = fit.loss(rows);
    for _ in 0..STEPS_MAX {
        // Gradient and curvature of the loss in (a, b); the ridge keeps equal scores from dividing by zero.
        let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 1e-12, 0.0, 1e-12);
        for (score, target) in rows {
            let p = fit.probability(*score);
            let (slope, weight) = (target - p, p * (1.0 - p));
            ga += slope * score;
            gb += slope;
            haa += weight * score * score;
            hab += weight * score;
            hbb += weight;
        }
        let determinant = haa * hbb - hab * hab;
        let (da, db) = ((hab * gb - hbb * ga) / determinant, (hab * ga - haa * gb) / determinant);
        let drop = ga * da + gb * db;
        if !(da.is_finite() && db.is_finite()) || drop >= 0.0 {
            break;
        }
        let mut step = 1.0;
        let better = loop {
            let next = Platt { a: fit.a + step * da, b: fit.b + step * db };
            let next_loss = next.loss(rows);
            if next_loss < loss + 1e-4 * step * drop {
                break Some((next, next_loss));
            }
            step /= 2.0;
            if step < 1e-10 {
                break None;
            }
        };
        match better {
            Some((next, next_loss)) => (fit, loss) = (next, next_loss),
            None => break,
        }
    }
    fit
}

/// A rising step curve, linear between its knots, flat outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Isotonic {
    /// Ascending scores, each once, with the value there; values do not fall. At least one.
    knots: Vec<(f64, f64)>,
}

impl Isotonic {
    /// Least squares by pooling adjacent violators; equal scores are averaged first.
    pub fn fit(scores: &[f64], outcomes: &[f64]) -> Result<Self, BadInput> {
        let (x, y) = (Series::new("x", scores)?, Series::new("y", outcomes)?);
        input::check_length("y", y.count(), x.count())?;
        let mut rows: Vec<(f64, f64)> = x.iter().zip(y.iter()).collect();
        // By outcome too, so that the order of the input cannot matter.
        rows.sort_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)).then(a.1.total_cmp(&b.1)));
        let mut pools: Vec<Pool> = Vec::new();
        for tied in rows.chunk_by(|a, b| a.0 == b.0) {
            let sum = crate::sum::sum(tied.iter().map(|(_, y)| *y));
            let mut pool = Pool { first: tied[0].0, last: tied[0].0, sum, count: tied.len() as f64 };
            while let Some(before) = pools.pop_if(|before| before.mean() >= pool.mean()) {
                pool = before.with(pool);
            }
            pools.push(pool);
        }
        let knots = pools.iter().flat_map(|pool| {
            // A pool of one score is one knot.
            let ends = if pool.first == pool.last { 1 } else { 2 };
            [(pool.first, pool.mean()), (pool.last, pool.mean())].into_iter().take(ends)
        });
        Ok(Self { knots: knots.collect() })
    }

    /// The value at a score.
    pub fn value(&self, score: f64) -> f64 {
        let after = self.knots.partition_point(|(x, _)| *x <= score);
        let before = after.checked_sub(1).and_then(|nth| self.knots.get(nth));
        match (before, self.knots.get(after)) {
            (Some((x, low)), Some((next, high))) => {
                let share = (score - x) / (next - x);
                low * (1.0 - share) + high * share
            }
            (Some((_, end)), None) | (None, Some((_, end))) => *end,
            // There is a knot at least.
            (None, None) => 0.0,
        }
    }
}

/// Neighbours that have one value.
struct Pool {
    first: f64,
    last: f64,
    sum: f64,
    count: f64,
}

impl Pool {
    fn mean(&self) -> f64 {
        self.sum / self.count
    }

    fn with(self, next: Self) -> Self {
        Self { last: next.last, sum: self.sum + next.sum, count: self.count + next.count, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn the_sigmoid_that_was_drawn_from_is_found() {
        let mut random = Random::new(12);
        let truth = Platt { a: -1.5, b: 0.4 };
        let scores: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let happened: Vec<bool> =
            scores.iter().map(|score| random.unit() < truth.probability(*score)).collect();
        let fit = Platt::fit(&scores, &happened).unwrap();
        assert!((fit.a - truth.a).abs() < 0.08 && (fit.b - truth.b).abs() < 0.08, "{fit:?}");
        // Scores in another unit give the same probabilities.
        let scaled: Vec<f64> = scores.iter().map(|score| score * 1e50).collect();
        let other = Platt::fit(&scaled, &happened).unwrap();
        for score in [-2.0, 0.0, 3.0] {
            assert!((fit.probability(score) - other.probability(score * 1e50)).abs() < 1e-9);
        }
    }

    #[test]
    fn outcomes_of_one_class_and_scores_that_separate_stay_finite() {
        for (scores, happened) in [
            (vec![1.0, 2.0, 3.0], vec![true; 3]),
            (vec![1.0, 2.0, 3.0], vec![false; 3]),
            (vec![0.5; 4], vec![true, false, true, true]),
            (vec![-1.0, -0.5, 0.5, 1.0], vec![false, false, true, true]),
            (vec![0.0], vec![true]),
        ] {
            let fit = Platt::fit(&scores, &happened).unwrap();
            assert!(fit.a.is_finite() && fit.b.is_finite());
            let p = fit.probability(scores[0]);
            assert!((0.0..=1.0).contains(&p));
        }
        assert_eq!(Platt { a: 1.0, b: 0.0 }.probability(1e308), 0.0);
        assert!(Platt::fit(&[5e-324, -5e-324], &[true, false]).is_err());
        assert!(Platt::fit(&[], &[]).is_err() && Platt::fit(&[1.0], &[]).is_err());
    }

    /// Each value is the largest of the least means of runs that end there or later: the min-max formula, slowly.
    #[test]
    fn pools_are_the_least_squares_fit() {
        for nth in 0..300 {
            let mut random = Random::of_run(2, nth);
            let n = 1 + random.below(14);
            let x: Vec<f64> = (0..n).map(|_| random.below(8) as f64).collect();
            let y: Vec<f64> = (0..n).map(|_| random.below(2) as f64).collect();
            let fit = Isotonic::fit(&x, &y).unwrap();
            let mean = |from: f64, to: f64| {
                let run: Vec<f64> =
                    x.iter().zip(&y).filter(|(x, _)| (from..=to).contains(*x)).map(|(_, y)| *y).collect();
                run.iter().sum::<f64>() / run.len() as f64
            };
            for at in &x {
                let below = x.iter().filter(|x| *x <= at);
                let least = |from: &f64| {
                    x.iter().filter(|x| *x >= at).map(|to| mean(*from, *to)).fold(f64::INFINITY, f64::min)
                };
                let slow = below.map(least).fold(f64::NEG_INFINITY, f64::max);
                assert!((fit.value(*at) - slow).abs() < 1e-12, "{x:?} {y:?} {at}");
            }
        }
    }

    #[test]
    fn between_knots_it_is_straight_and_outside_flat() {
        let fit = Isotonic::fit(&[3.0, 1.0, 1.0, 2.0], &[1.0, 0.0, 0.5, 0.5]).unwrap();
        let values = [-9.0, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0].map(|at| fit.value(at));
        assert_eq!(values, [0.25, 0.25, 0.375, 0.5, 0.75, 1.0, 1.0]);
        assert!(Isotonic::fit(&[f64::NAN], &[1.0]).is_err() && Isotonic::fit(&[1.0], &[]).is_err());
    }
}
