//! Is a choice of parameters a plateau or a peak of luck: the map of scores around it.

use crate::{BadInput, Random};

/// Scores over a full grid of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreMap {
    /// Values of each parameter.
    shape: Vec<usize>,
    /// The last parameter moves fastest.
    scores: Vec<f64>,
}

/// Neighbours must keep this share of the chosen score.
pub const KEPT_MIN: f64 = 0.7;
/// This share of all cells must make money.
pub const PROFITABLE_MIN: f64 = 0.6;

/// What a map says about a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// Score of the cell.
    pub score: f64,
    /// Lowest score among cells one step away in one parameter, per the cell's own; none where the cell's own is not
    /// positive or it has no neighbour.
    pub kept: Option<f64>,
    /// Neighbours.
    pub neighbours: usize,
    /// Share of all cells with a score above 0.
    pub profitable: f64,
    /// Cells of the map.
    pub cells: usize,
}

impl Plateau {
    /// Of a cell with this score, its neighbours' scores and those of all cells of the map, its own among them.
    pub fn of(score: f64, neighbours: &[f64], all: &[f64]) -> Self {
        let lowest = neighbours.iter().copied().fold(f64::INFINITY, f64::min);
        let profitable = all.iter().filter(|score| **score > 0.0).count();
        Self {
            score,
            kept: (score > 0.0 && !neighbours.is_empty())
                .then(|| lowest / score)
                .filter(|kept| kept.is_finite()),
            neighbours: neighbours.len(),
            profitable: profitable as f64 / all.len() as f64,
            cells: all.len(),
        }
    }

    /// Both shares are reached.
    pub fn is_stable(&self) -> bool {
        self.kept.is_some_and(|kept| kept >= KEPT_MIN) && self.profitable >= PROFITABLE_MIN
    }
}

impl ScoreMap {
    /// `shape` says how many values each parameter has; `scores` are all cells, the last parameter moving fastest.
    pub fn new(shape: Vec<usize>, scores: Vec<f64>) -> Result<Self, BadInput> {
        let cells = shape.iter().try_fold(1usize, |cells, count| cells.checked_mul(*count));
        let cells = cells.filter(|cells| *cells > 0 && !shape.is_empty());
        let cells = cells.ok_or(BadInput::Domain { what: "shape", wanted: "a value or more a parameter" })?;
        crate::input::check_length("scores", scores.len(), cells)?;
        crate::input::check_numbers("scores", &scores)?;
        Ok(Self { shape, scores })
    }

    /// What the map says about the cell at `place`, one index a parameter.
    pub fn plateau(&self, place: &[usize]) -> Result<Plateau, BadInput> {
        crate::input::check_length("place", place.len(), self.shape.len())?;
        if let Some(at) = place.iter().zip(&self.shape).position(|(index, count)| index >= count) {
            return Err(BadInput::Element { what: "place", at, wanted: "in the map" });
        }
        Ok(self.plateau_at(self.cell(place)))
    }

    /// The centre of the best plateau: the cell whose worst score, itself and neighbours, is largest; of equal ones
    /// the one with the larger mean, then the first.
    pub fn centre(&self) -> Vec<usize> {
        let cells = 0..self.scores.len();
        let centre = centre_among(&self.scores, cells, |cell| self.neighbours(cell).collect());
        self.place(centre.unwrap_or(0))
    }

    fn plateau_at(&self, cell: usize) -> Plateau {
        let neighbours: Vec<f64> = self.neighbours(cell).map(|other| self.scores[other]).collect();
        Plateau::of(self.scores[cell], &neighbours, &self.scores)
    }

    /// Cells one step away in one parameter.
    fn neighbours(&self, cell: usize) -> impl Iterator<Item = usize> {
        let mut stride = self.scores.len();
        self.shape.iter().flat_map(move |count| {
            stride /= count;
            let index = cell / stride % count;
            let below = (index > 0).then(|| cell - stride);
            let above = (index + 1 < *count).then(|| cell + stride);
            [below, above].into_iter().flatten()
        })
    }

    fn cell(&self, place: &[usize]) -> usize {
        place.iter().zip(&self.shape).fold(0, |cell, (index, count)| cell * count + index)
    }

    fn place(&self, cell: usize) -> Vec<usize> {
        let mut rest = cell;
        let mut place: Vec<usize> = self
            .shape
            .iter()
            .rev()
            .map(|count| {
                let index = rest % count;
                rest /= count;
                index
            })
            .collect();
        place.reverse();
        place
    }
}

/// The centre of the best plateau where cells are no grid, or not all of it is asked: among `candidates`, the cell whose
/// worst score, itself and neighbours, is largest; of equal ones the one with the larger mean, then the first. None
/// where there is no candidate.
///
/// # Panics
/// Where a candidate or neighbour is no cell.
pub fn centre_among(
    scores: &[f64],
    candidates: impl IntoIterator<Item = usize>,
    neighbours: impl Fn(usize) -> Vec<usize>,
) -> Option<usize> {
    let mut best: Option<(usize, (f64, f64))> = None;
    for cell in candidates {
        // The worst of a neighbourhood is no better than the cell itself: candidates in descending order end soon.
        if best.is_some_and(|(_, (worst, _))| scores[cell] < worst) {
            continue;
        }
        let all: Vec<f64> = neighbours(cell).into_iter().chain([cell]).map(|other| scores[other]).collect();
        let found = (all.iter().copied().fold(f64::INFINITY, f64::min), crate::sum::mean(&all));
        if best.is_none_or(|(_, before)| found > before) {
            best = Some((cell, found));
        }
    }
    best.map(|(cell, _)| cell)
}

/// A Latin hypercube: `count` points in as many dimensions as asked for, each in `[0, 1)`; every one of `count` equal
/// slices of every dimension holds one point.
pub fn latin_hypercube(dimensions: usize, count: usize, random: &mut Random) -> Vec<Vec<f64>> {
    let mut points = vec![Vec::with_capacity(dimensions); count];
    let mut slices: Vec<usize> = (0..count).collect();
    for _ in 0..dimensions {
        random.shuffle(&mut slices);
        for (point, slice) in points.iter_mut().zip(&slices) {
            point.push((*slice as f64 + random.unit()) / count as f64);
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_is_chosen_over_a_peak() {
        #[rustfmt::skip]
        let map = ScoreMap::new(vec![3, 5], vec![
            -1.0, 0.8, 0.9, 0.8, 0.1,
             5.0, 0.9, 1.0, 0.9, 0.1,
            -1.0, 0.8, 0.9, 0.8, 0.1,
        ]).unwrap();
        assert_eq!(map.centre(), [1, 2]);
        let plateau = map.plateau(&[1, 2]).unwrap();
        assert_eq!((plateau.kept, plateau.neighbours, plateau.profitable), (Some(0.9), 4, 13.0 / 15.0));
        assert!(plateau.is_stable());
        let peak = map.plateau(&[1, 0]).unwrap();
        assert_eq!((peak.kept, peak.neighbours), (Some(-0.2), 3));
        assert!(!peak.is_stable());
        assert_eq!(map.plateau(&[0, 0]).unwrap().kept, None, "a loss has no share to keep");
    }

    #[test]
    fn places_and_cells_are_the_same_thing() {
        let map = ScoreMap::new(vec![2, 3, 4], (0..24).map(f64::from).collect()).unwrap();
        for cell in 0..24 {
            let place = map.place(cell);
            assert_eq!(map.cell(&place), cell);
            let steps = |other: usize| -> usize {
                map.place(other).iter().zip(&place).map(|(a, b)| a.abs_diff(*b)).sum()
            };
            let near: Vec<usize> = (0..24).filter(|other| steps(*other) == 1).collect();
            let mut found: Vec<usize> = map.neighbours(cell).collect();
            found.sort_unstable();
            assert_eq!(found, near);
        }
    }

    #[test]
    fn a_hypercube_has_a_point_in_every_slice() {
        let points = latin_hypercube(3, 20, &mut Random::new(2));
        for dimension in 0..3 {
            let mut slices: Vec<usize> =
                points.iter().map(|point| (point[dimension] * 20.0) as usize).collect();
            slices.sort_unstable();
            assert_eq!(slices, (0..20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn maps_that_are_none_are_refused() {
        assert!(ScoreMap::new(vec![], vec![1.0]).is_err());
        assert!(ScoreMap::new(vec![2, 0], vec![]).is_err());
        assert!(ScoreMap::new(vec![usize::MAX, 2], vec![]).is_err());
        assert!(ScoreMap::new(vec![2], vec![1.0]).is_err());
        assert!(ScoreMap::new(vec![1], vec![f64::NAN]).is_err());
        let map = ScoreMap::new(vec![1], vec![1.0]).unwrap();
        assert!(map.plateau(&[1]).is_err() && map.plateau(&[0, 0]).is_err());
        assert!(!map.plateau(&[0]).unwrap().is_stable(), "a cell alone shows nothing");
    }
}
