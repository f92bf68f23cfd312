//! Tree-structured Parzen estimators: our points and draws, and the library's densities.
//!
//! Parameters are estimated one by one, in units of their range: numbers by normals around what was tried, words by how
//! often they were.

use crate::space::{Point, Space};
use crate::spec::Spec;
use rand_core::TryRng;
use smc_metrics::Random;
use std::convert::Infallible;
use tpe::density_estimation::DefaultEstimatorBuilder;
use tpe::{TpeOptimizer, TpeOptimizerBuilder};

/// Part of the points that count as good.
const GOOD: f64 = 0.15;
/// Draws of which the most promising is taken.
const CANDIDATES: usize = 24;

/// Part of the points that are drawn from everywhere: where all good points lie on one hill, estimators see no other. Measured over 24
/// seeds on the hill of the tests: the median stays, the worst of 150 trials rises from 0.944 to 1.000 (the top is 1.05).
const ANYWHERE: f64 = 0.05;

/// One a parameter.
pub(crate) struct Estimators<'a> {
    space: &'a Space,
    each: Vec<TpeOptimizer<DefaultEstimatorBuilder>>,
    /// The library looks for the least; this is the greatest finite loss told.
    worst: f64,
}

impl<'a> Estimators<'a> {
    /// From all points whose scores are known; a point without a score is as bad as can be.
    pub(crate) fn new(space: &'a Space, points: &[Point], scores: &[Option<f64>]) -> Self {
        let each = space.parameters().iter().map(|parameter| optimizer(&parameter.spec)).collect();
        let worst = scores.iter().flatten().map(|score| -score).fold(f64::NEG_INFINITY, f64::max);
        let mut estimators = Self { space, each, worst };
        for (point, score) in points.iter().zip(scores) {
            estimators.tell(point, score.map_or(f64::INFINITY, |score| -score));
        }
        estimators
    }

    /// A promising point.
    pub(crate) fn ask(&mut self, random: &mut Random) -> Point {
        if random.unit() < ANYWHERE {
            return self.space.any(random);
        }
        let parameters = self.space.parameters().iter().zip(&mut self.each);
        parameters
            .map(|(parameter, each)| {
                let Ok(found) = each.ask(&mut Draws(random));
                match &parameter.spec {
                    Spec::Words(words) => (found as u64).min(words.len() as u64 - 1),
                    spec => spec.at(found),
                }
            })
            .collect()
    }

    /// Takes a point without a score for a bad one.
    pub(crate) fn lie(&mut self, point: &[u64]) {
        self.tell(point, if self.worst.is_finite() { self.worst } else { f64::INFINITY });
    }

    fn tell(&mut self, point: &[u64], loss: f64) {
        for ((parameter, each), index) in self.space.parameters().iter().zip(&mut self.each).zip(point) {
            let at = match &parameter.spec {
                Spec::Words(_) => *index as f64,
                spec => spec.unit(*index),
            };
            assert!(each.tell(at, loss).is_ok(), "a value lies within its range, a loss is a number");
        }
    }
}

fn optimizer(spec: &Spec) -> TpeOptimizer<DefaultEstimatorBuilder> {
    let (estimator, range) = match spec {
        Spec::Words(words) => (tpe::histogram_estimator(), tpe::categorical_range(words.len())),
        _ => (tpe::parzen_estimator(), tpe::range(0.0, 1.0)),
    };
    let range = range.unwrap_or_else(|error| unreachable!("two words or more, or the unit range: {error}"));
    let mut builder = TpeOptimizerBuilder::new();
    let built = builder.gamma(GOOD).candidates(CANDIDATES).build(estimator, range);
    built.unwrap_or_else(|error| unreachable!("constants within their ranges: {error}"))
}

/// Our generator, as the library takes one.
struct Draws<'a>(&'a mut Random);

impl TryRng for Draws<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.bits())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
