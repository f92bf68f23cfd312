//! What a search found: the trials in their order, the best of them, the one that is chosen, and how far to believe it.

use crate::heat::HeatMap;
use crate::record::Facts;
use crate::{Method, OptimizeError, Point, Score, Space};
use serde::{Deserialize, Serialize};
use smc_metrics::overfitting::Overfitting;
use smc_metrics::sharpe::{SharpeRatio, Trials, effective_trials, variance_of_ratios};
use smc_metrics::stability::{Plateau, centre_among};
use smc_metrics::{Panel, Series};
use std::collections::HashMap;

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was scored; the score may be undefined.
    Scored(Score),
    /// The configuration was good, but no score could be made of it.
    Failed(String),
    /// The configuration refuses these values together.
    Refused(String),
}

impl Ending {
    /// The score's value, if there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Scored(score) => score.value,
            _ => None,
        }
    }

    /// Why there is no value.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Scored(Score { value: Some(_), .. }) => None,
            Self::Scored(score) => {
                Some(format!("{} is undefined after {} trades", score.metric, score.trades))
            }
            Self::Failed(reason) | Self::Refused(reason) => Some(reason.clone()),
        }
    }
}

/// One trial. Its number is its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Which values.
    pub point: Point,
    /// How it ended.
    pub ending: Ending,
}

/// The trial that is chosen: the centre of the best plateau.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chosen {
    /// Which trial.
    pub trial: usize,
    /// What lies around it. Its `profitable` counts every trial of a search that is spread evenly, and of one that goes where
    /// scores are high only the first, evenly spread ones.
    pub plateau: Plateau,
}

/// Whether the result is luck. What cannot be said has a reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Luck {
    /// Trials of the strategy in the ledger, all searches and versions.
    pub made: u64,
    /// Independent ones among them, never below the root of `made`; none without returns.
    pub effective: Result<u64, String>,
    /// Deflated Sharpe ratio of the trial with the best score.
    pub dsr_best: Result<f64, String>,
    /// Deflated Sharpe ratio of the chosen one.
    pub dsr_chosen: Result<f64, String>,
    /// Probability of overfitting, by cutting the trials' returns into 16 blocks.
    pub pbo: Result<f64, String>,
}

/// Blocks for the probability of overfitting.
const PBO_BLOCKS: usize = 16;
/// Trials whose returns are compared with each other; of more, every second, third, … one.
const COMPARED_MAX: usize = 1_000;
/// A neighbour in a search that is no grid differs at most so much of the range in each number.
const NEAR: f64 = 0.1;

/// A finished search.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub(crate) space: Space,
    pub(crate) method: Method,
    pub(crate) facts: Facts,
    /// All trials, in the order of their numbers.
    pub trials: Vec<Trial>,
    /// What the scores are.
    pub metric: String,
    /// Numbers of the trials with a score, best first; of equal ones the first.
    pub ranking: Vec<usize>,
    /// The one to go on with.
    pub chosen: Chosen,
    /// How far to believe it.
    pub luck: Luck,
    /// Scores over each pair of parameters, or over the only one.
    pub maps: Vec<HeatMap>,
}

impl Outcome {
    /// `even`: so many of the trials, the first ones, are spread evenly over the space. A search that goes where scores are
    /// high says nothing about the share of good points, but its beginning does.
    pub(crate) fn new(
        space: &Space,
        method: Method,
        facts: Facts,
        trials: Vec<Trial>,
        even: usize,
        made: u64,
    ) -> Result<Self, OptimizeError> {
        let values: Vec<Option<f64>> = trials.iter().map(|trial| trial.ending.value()).collect();
        let mut ranking: Vec<usize> = (0..trials.len()).filter(|nth| values[*nth].is_some()).collect();
        ranking.sort_by(|a, b| values[*b].partial_cmp(&values[*a]).unwrap_or(std::cmp::Ordering::Equal));
        let Some(best) = ranking.first().copied() else {
            let reason = trials
                .first()
                .and_then(|trial| trial.ending.reason())
                .unwrap_or_else(|| "there is none".into());
            return Err(OptimizeError::NoScore { trials: trials.len(), reason });
        };
        let metric = trials.iter().find_map(|trial| match &trial.ending {
            Ending::Scored(score) => Some(score.metric.clone()),
            _ => None,
        });
        let chosen = choose(space, method, &trials, &values, &ranking, even);
        let luck = Luck::of(&trials, best, chosen.trial, made);
        let maps = HeatMap::all(space, &trials, chosen.trial, best);
        let metric = metric.unwrap_or_default();
        Ok(Self { space: space.clone(), method, facts, trials, metric, ranking, chosen, luck, maps })
    }

    /// The trial with the best score.
    pub fn best(&self) -> usize {
        self.ranking.first().copied().unwrap_or(self.chosen.trial)
    }

    /// How neighbours were found, in words.
    pub fn rule(&self) -> &'static str {
        match self.method {
            Method::Grid => "neighbours are one step away in one number, with the same words",
            _ => {
                "neighbours have the same words and differ in no number by more than a tenth of its range (or one value), \
                 in the logarithm where it is spread so; where these are fewer than two a number, the nearest so many"
            }
        }
    }
}

fn choose(
    space: &Space,
    method: Method,
    trials: &[Trial],
    values: &[Option<f64>],
    ranking: &[usize],
    even: usize,
) -> Chosen {
    // Where there is no score there is no profit, and nothing is worse.
    let worst = values.iter().flatten().copied().fold(0.0, f64::min);
    let scores: Vec<f64> = values.iter().map(|value| value.unwrap_or(worst)).collect();
    let near = Neighbourhood::new(space, method, trials);
    let with_neighbours = |nth: &usize| !near.of(*nth).is_empty();
    let centre = match method {
        // In the order of the cells, as a map of scores takes equal ones.
        Method::Grid => {
            let candidates = (0..trials.len()).filter(|nth| values[*nth].is_some()).filter(with_neighbours);
            centre_among(&scores, candidates, |nth| near.of(nth))
        }
        _ => centre_among(&scores, ranking.iter().copied().filter(with_neighbours), |nth| near.of(nth)),
    };
    let trial = centre.or(ranking.first().copied()).unwrap_or(0);
    let around: Vec<f64> = near.of(trial).into_iter().map(|other| scores[other]).collect();
    Chosen { trial, plateau: Plateau::of(scores[trial], &around, &scores[..even]) }
}

/// Which trials are neighbours.
struct Neighbourhood<'a> {
    space: &'a Space,
    is_grid: bool,
    trials: &'a [Trial],
    /// Numbers of trials by their points, for grids.
    places: HashMap<&'a [u64], usize>,
    /// Coordinates in `[0, 1)` of the numbers of each trial, for all others.
    units: Vec<Vec<f64>>,
    /// How far a neighbour may be in each.
    reach: Vec<f64>,
}

impl<'a> Neighbourhood<'a> {
    fn new(space: &'a Space, method: Method, trials: &'a [Trial]) -> Self {
        let is_grid = method == Method::Grid;
        let numbers = || space.parameters().iter().enumerate().filter(|(_, one)| one.spec.is_ordered());
        let units = |trial: &Trial| numbers().map(|(nth, one)| one.spec.unit(trial.point[nth])).collect();
        let places = trials.iter().enumerate().map(|(nth, trial)| (trial.point.as_slice(), nth));
        Self {
            space,
            is_grid,
            trials,
            places: if is_grid { places.collect() } else { HashMap::new() },
            units: if is_grid { Vec::new() } else { trials.iter().map(units).collect() },
            // A hair more than a step, which is not exact.
            reach: numbers().map(|(_, one)| NEAR.max(1.0 / one.spec.count() as f64) + 1e-9).collect(),
        }
    }

    fn of(&self, trial: usize) -> Vec<usize> {
        if self.is_grid { self.steps(trial) } else { self.near(trial) }
    }

    fn steps(&self, trial: usize) -> Vec<usize> {
        let mut point = self.trials[trial].point.clone();
        let mut found = Vec::new();
        for (nth, parameter) in self.space.parameters().iter().enumerate() {
            if !parameter.spec.is_ordered() {
                continue;
            }
            let here = point[nth];
            for other in [here.checked_sub(1), here.checked_add(1)].into_iter().flatten() {
                point[nth] = other;
                found.extend(self.places.get(point.as_slice()));
            }
            point[nth] = here;
        }
        found
    }

    fn near(&self, trial: usize) -> Vec<usize> {
        if self.reach.is_empty() {
            return Vec::new();
        }
        let words = |nth: usize| {
            let named = self.space.parameters().iter().zip(&self.trials[nth].point);
            named.filter(|(parameter, _)| !parameter.spec.is_ordered()).map(|(_, index)| *index)
        };
        let alike = (0..self.trials.len()).filter(|other| *other != trial && words(*other).eq(words(trial)));
        let mut all: Vec<(bool, f64, usize)> = alike
            .map(|other| {
                let apart = self.units[trial].iter().zip(&self.units[other]).map(|(a, b)| (a - b).abs());
                let is_near = apart.clone().zip(&self.reach).all(|(apart, reach)| apart <= *reach);
                (!is_near, apart.map(|apart| apart * apart).sum(), other)
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let near = all.iter().take_while(|(is_far, ..)| !is_far).count();
        all.truncate(near.max(2 * self.reach.len()));
        all.into_iter().map(|(.., other)| other).collect()
    }
}

impl Luck {
    fn of(trials: &[Trial], best: usize, chosen: usize, made: u64) -> Self {
        let returns = |nth: usize| match &trials.get(nth)?.ending {
            Ending::Scored(score) if !score.returns.is_empty() => Some(score.returns.as_slice()),
            _ => None,
        };
        let all: Vec<&[f64]> = (0..trials.len()).filter_map(returns).collect();
        let periods = all.iter().map(|returns| returns.len()).max().unwrap_or(0);
        let compared: Vec<&[f64]> =
            all.iter().copied().step_by(all.len().div_ceil(COMPARED_MAX).max(1)).collect();
        // An account that was lost earlier earns nothing afterwards.
        let row = |period: usize| -> Vec<f64> {
            compared.iter().map(|returns| returns.get(period).copied().unwrap_or(0.0)).collect()
        };
        let rows: Vec<Vec<f64>> = (0..periods).map(row).collect();
        let panel = if all.is_empty() { Err("the trials have no returns".to_owned()) } else { Ok(()) }
            .and_then(|()| Panel::from_rows("returns", &rows).map_err(|error| error.to_string()));
        // Where not all are compared, none is taken for another one's twin.
        let effective = panel
            .as_ref()
            .map_err(Clone::clone)
            .map(|panel| if compared.len() < all.len() { made } else { effective_trials(panel, made) });
        let deflated = |nth: usize| -> Result<f64, String> {
            let panel = panel.as_ref().map_err(Clone::clone)?;
            let own = returns(nth).ok_or("the trial has no returns")?;
            let own = Series::new("returns", own).map_err(|error| error.to_string())?;
            let count = effective.clone()?;
            let variance = match count {
                1 => 0.0,
                _ => variance_of_ratios(panel).map_err(|reason| format!("spread of the trials: {reason}"))?,
            };
            let trials = Trials::new(count, variance).map_err(|error| error.to_string())?;
            let ratio = SharpeRatio::of(own).and_then(|ratio| ratio.deflated(trials));
            ratio.map_err(|reason| reason.to_string())
        };
        let pbo = panel.as_ref().map_err(Clone::clone).and_then(|panel| {
            Overfitting::of(panel, PBO_BLOCKS).map(|found| found.pbo).map_err(|error| error.to_string())
        });
        Self {
            made,
            effective: effective.clone(),
            dsr_best: deflated(best),
            dsr_chosen: deflated(chosen),
            pbo,
        }
    }
}
