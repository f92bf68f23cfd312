//! Which points are tried, in which order: a function of space, method, seed, and the scores of earlier batches.

use crate::space::{Point, Space};
use crate::{OptimizeError, parzen};
use smc_metrics::Random;
use smc_metrics::stability::latin_hypercube;
use std::collections::HashSet;
use std::ops::Range;

/// How the space is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every point, the last parameter moving fastest.
    Grid,
    /// A Latin hypercube of so many points: every value of a parameter is tried about as often. Points that fall on one
    /// of before are left out.
    LatinHypercube {
        /// Points of the hypercube.
        trials: u64,
    },
    /// So many points, each as likely, none twice.
    Random {
        /// How many.
        trials: u64,
    },
    /// Tree-structured Parzen estimators: points near good ones, away from bad ones, none twice.
    Tpe {
        /// How many, the first ones too.
        trials: u64,
        /// Points that are proposed together, before the scores of any of them are known. What is proposed depends on it, so
        /// it is a setting and no matter of workers.
        batch: u64,
        /// The first points, from a Latin hypercube.
        startup: u64,
    },
}

/// Most trials of a search.
pub const TRIALS_MAX: u64 = 1_000_000;

/// The run of the generator that hypercubes are drawn from; runs below are those of trials.
const HYPERCUBE: u64 = u64::MAX;
/// Draws for a point that was not tried yet, before any such point is taken.
const DRAWS_MAX: usize = 256;

impl Method {
    /// As the command line says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::LatinHypercube { .. } => "lhs",
            Self::Random { .. } => "random",
            Self::Tpe { .. } => "tpe",
        }
    }

    /// What decides the points: a search may be made longer later, where its first points stay the same.
    pub fn identity(self) -> String {
        match self {
            Self::Grid | Self::Random { .. } => self.name().into(),
            Self::LatinHypercube { trials } => format!("lhs of {trials}"),
            Self::Tpe { batch, startup, .. } => format!("tpe in batches of {batch} after {startup}"),
        }
    }

    /// Refuses what cannot be searched so.
    pub fn check(self, space: &Space) -> Result<(), OptimizeError> {
        let fault = |reason: String| Err(OptimizeError::Method(reason));
        let trials = match self {
            Self::Grid => {
                let endless = space.parameters().iter().find(|parameter| !parameter.spec.is_listed());
                if let Some(parameter) = endless {
                    let reason = format!(
                        "`{}` is no grid; add `points COUNT`, or search by lhs or tpe",
                        parameter.spec
                    );
                    return Err(OptimizeError::parameter(&parameter.path, reason));
                }
                space.points()
            }
            Self::LatinHypercube { trials } | Self::Random { trials } => trials,
            Self::Tpe { batch: 0, .. } => return fault("a batch has one point or more".into()),
            Self::Tpe { startup: 0, .. } => return fault("the first points are one or more".into()),
            Self::Tpe { trials, startup, .. } => {
                if startup > TRIALS_MAX {
                    return fault(format!("{startup} first points, at most {TRIALS_MAX} are possible"));
                }
                trials
            }
        };
        match trials {
            0 => fault("no trials; say how many".into()),
            1..=TRIALS_MAX => Ok(()),
            _ => fault(format!(
                "{trials} trials, at most {TRIALS_MAX} are possible; narrow the space, or search by lhs or tpe"
            )),
        }
    }
}

/// The points proposed so far, and those that follow.
pub(crate) struct Proposals<'a> {
    space: &'a Space,
    method: Method,
    seed: u64,
    points: Vec<Point>,
    tried: HashSet<Point>,
}

impl<'a> Proposals<'a> {
    /// `method` was checked against the space.
    pub(crate) fn new(space: &'a Space, method: Method, seed: u64) -> Self {
        Self { space, method, seed, points: Vec::new(), tried: HashSet::new() }
    }

    /// The points, by the number of their trial.
    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Trials of the whole search; of a hypercube the least that is known before it is drawn.
    pub(crate) fn total(&self) -> u64 {
        let points = self.space.points();
        match self.method {
            Method::Grid => points,
            Method::LatinHypercube { trials } if self.points.is_empty() => trials.min(points),
            Method::LatinHypercube { .. } => self.points.len() as u64,
            Method::Random { trials } | Method::Tpe { trials, .. } => trials.min(points),
        }
    }

    /// Proposes the next batch: the numbers of its trials, none when the search is over. `scores` are those of all points
    /// so far, none where there is no score.
    pub(crate) fn propose(&mut self, scores: &[Option<f64>]) -> Range<usize> {
        assert_eq!(scores.len(), self.points.len(), "a batch is proposed when the one before is done");
        let from = self.points.len();
        match self.method {
            _ if from > 0 && !matches!(self.method, Method::Tpe { .. }) => {}
            Method::Grid => self.points.extend((0..self.space.points()).map(|nth| self.space.nth(nth))),
            Method::LatinHypercube { trials } => self.hypercube(trials),
            Method::Random { .. } => {
                for _ in 0..self.total() {
                    let random = Random::of_run(self.seed, self.points.len() as u64);
                    self.untried(random, |space, random| space.any(random));
                }
            }
            Method::Tpe { startup, .. } if from == 0 => {
                self.hypercube(startup);
                self.points.truncate(usize::try_from(self.total()).unwrap_or(usize::MAX));
            }
            Method::Tpe { batch, .. } => {
                let left = self.total().saturating_sub(from as u64);
                let mut estimators = parzen::Estimators::new(self.space, &self.points, scores);
                for _ in 0..batch.min(left) {
                    let random = Random::of_run(self.seed, self.points.len() as u64);
                    self.untried(random, |_, random| estimators.ask(random));
                    // Until its score is known the point counts as a bad one, so that the next of this batch goes elsewhere.
                    if let Some(point) = self.points.last() {
                        estimators.lie(point);
                    }
                }
            }
        }
        from..self.points.len()
    }

    fn hypercube(&mut self, trials: u64) {
        let dimensions = self.space.parameters().len();
        let count = usize::try_from(trials).unwrap_or(usize::MAX);
        let units = latin_hypercube(dimensions, count, &mut Random::of_run(self.seed, HYPERCUBE));
        for unit in units {
            let parameters = self.space.parameters().iter().zip(unit);
            let point: Point = parameters.map(|(parameter, unit)| parameter.spec.at(unit)).collect();
            if self.tried.insert(point.clone()) {
                self.points.push(point);
            }
        }
    }

    /// Adds a point that was not tried: as `draw` says, after many draws any, at last the first that there is.
    fn untried(&mut self, random: Random, mut draw: impl FnMut(&Space, &mut Random) -> Point) {
        let mut random = random;
        for nth in 0..DRAWS_MAX {
            let point =
                if nth < DRAWS_MAX / 2 { draw(self.space, &mut random) } else { self.space.any(&mut random) };
            if self.tried.insert(point.clone()) {
                self.points.push(point);
                return;
            }
        }
        // One of the first `tried + 1` points was not tried, if there is any.
        for nth in 0..self.space.points() {
            let point = self.space.nth(nth);
            if self.tried.insert(point.clone()) {
                self.points.push(point);
                return;
            }
        }
    }
}
