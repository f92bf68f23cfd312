//! Scores over two parameters at a time, whatever the others were.

use crate::outcome::Trial;
use crate::{Parameter, Space};

/// Scores of trials that fell into one field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Trials with a score.
    pub trials: u64,
    /// Their mean score.
    pub mean: Option<f64>,
    /// The best of them.
    pub best: Option<f64>,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The parameter's path.
    pub path: String,
    /// What its fields hold: a value, or the first and the last of several.
    pub labels: Vec<String>,
}

/// Scores over a pair of parameters; over one, where there is no other.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Option<Axis>,
    /// Row by row from the bottom, each from the left.
    pub cells: Vec<Cell>,
    /// Which cell holds the chosen trial.
    pub chosen: usize,
    /// Which one the best.
    pub best: usize,
}

/// A parameter with more values than these is cut into so many fields.
const FIELDS_ALL: u64 = 16;
const FIELDS: u64 = 12;

impl HeatMap {
    pub(crate) fn all(space: &Space, trials: &[Trial], chosen: usize, best: usize) -> Vec<Self> {
        let parameters = space.parameters();
        let count = parameters.len();
        if count == 1 {
            return vec![Self::of(&parameters[0], 0, None, trials, chosen, best)];
        }
        let pairs = (0..count).flat_map(|x| (x + 1..count).map(move |y| (x, y)));
        pairs
            .map(|(x, y)| Self::of(&parameters[x], x, Some((&parameters[y], y)), trials, chosen, best))
            .collect()
    }

    fn of(
        x: &Parameter,
        x_nth: usize,
        y: Option<(&Parameter, usize)>,
        trials: &[Trial],
        chosen: usize,
        best: usize,
    ) -> Self {
        let columns = fields(x) as usize;
        let rows = y.map_or(1, |(y, _)| fields(y) as usize);
        let cell = |trial: &Trial| {
            let row = y.map_or(0, |(y, nth)| field(y, trial.point[nth]) as usize);
            row * columns + field(x, trial.point[x_nth]) as usize
        };
        let mut scores: Vec<Vec<f64>> = vec![Vec::new(); rows * columns];
        for trial in trials {
            scores[cell(trial)].extend(trial.ending.value());
        }
        let summed = |scores: &Vec<f64>| Cell {
            trials: scores.len() as u64,
            mean: (!scores.is_empty()).then(|| smc_metrics::sum::mean(scores)),
            best: scores.iter().copied().reduce(f64::max),
        };
        Self {
            x: Axis { path: x.path.to_string(), labels: labels(x) },
            y: y.map(|(y, _)| Axis { path: y.path.to_string(), labels: labels(y) }),
            cells: scores.iter().map(summed).collect(),
            chosen: cell(&trials[chosen]),
            best: cell(&trials[best]),
        }
    }
}

fn fields(parameter: &Parameter) -> u64 {
    let count = parameter.spec.count();
    if count <= FIELDS_ALL { count } else { FIELDS }
}

fn field(parameter: &Parameter, index: u64) -> u64 {
    if parameter.spec.count() <= FIELDS_ALL {
        return index;
    }
    ((parameter.spec.unit(index) * FIELDS as f64) as u64).min(FIELDS - 1)
}

fn labels(parameter: &Parameter) -> Vec<String> {
    if parameter.spec.count() <= FIELDS_ALL {
        return (0..parameter.spec.count()).map(|index| parameter.text(index)).collect();
    }
    let edge = |nth: u64| parameter.spec.at(nth as f64 / FIELDS as f64);
    // A field begins with the first value that falls into it; rounding may put the edge's own value into the one before.
    let first = |nth: u64| if field(parameter, edge(nth)) < nth { edge(nth) + 1 } else { edge(nth) };
    let last = |nth: u64| if nth + 1 == FIELDS { parameter.spec.count() - 1 } else { first(nth + 1) - 1 };
    let label = |nth: u64| match (parameter.text(first(nth)), parameter.text(last(nth))) {
        (first, last) if first == last => first,
        (first, last) => format!("{first}–{last}"),
    };
    (0..FIELDS).map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Base, Path, Spec};

    #[test]
    fn a_label_says_exactly_what_falls_into_its_field() {
        let base = Base::parse(include_str!("../../smc/presets/demo.toml")).unwrap();
        for spec in ["1..40", "log 500..10000", "100..999", "1..17"] {
            let path = Path::parse("sizing.risk_fraction_ppm").unwrap();
            let space = Space::new(base.clone(), vec![(path, Spec::parse(spec).unwrap())]).unwrap();
            let parameter = &space.parameters()[0];
            let labels = labels(parameter);
            for index in 0..parameter.spec.count() {
                let label = &labels[field(parameter, index) as usize];
                let ends: Vec<u64> = label.split('–').map(|end| end.parse().unwrap()).collect();
                let value: u64 = parameter.text(index).parse().unwrap();
                assert!(ends[0] <= value && value <= ends[ends.len() - 1], "{spec}: {value} in {label}");
            }
        }
    }
}
