//! The search itself: scores over the grid, and the cell that is taken.
//!
//! The score is the Sharpe ratio per period; a candidate that never moves scores 0. Taken is the centre of the best plateau,
//! not the peak (section 5 of the reference), so a lonely lucky cell does not win.

use crate::ValidateError;
use crate::pipeline::Record;
use smc_metrics::Series;
use smc_metrics::moments::Moments;
use smc_metrics::stability::{Plateau, ScoreMap};
use std::ops::Range;

/// Periods that a search may look at: ascending ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look(pub Vec<Range<usize>>);

impl Look {
    /// One range.
    pub fn at(periods: Range<usize>) -> Self {
        Self(vec![periods])
    }

    /// The values of these periods.
    pub fn of<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.0.iter().flat_map(|range| &values[range.clone()]).copied().collect()
    }
}

/// What a search took.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The candidate.
    pub candidate: usize,
    /// Its score where the search looked.
    pub score: f64,
    /// What lies around it.
    pub plateau: Plateau,
    /// Scores of all candidates.
    pub scores: Vec<f64>,
}

/// Sharpe ratio per period; 0 where there is none.
pub fn score(returns: &[f64]) -> Result<f64, ValidateError> {
    Ok(Moments::of(Series::new("returns", returns)?).sharpe().unwrap_or(0.0))
}

/// Searches the grid of this shape.
pub fn choose(records: &[Record], shape: &[usize], look_at: &Look) -> Result<Chosen, ValidateError> {
    let scores: Vec<f64> =
        records.iter().map(|record| score(&look_at.of(&record.returns))).collect::<Result<_, _>>()?;
    let map = ScoreMap::new(shape.to_vec(), scores.clone())?;
    let place = map.centre();
    let candidate = place.iter().zip(shape).fold(0, |cell, (index, count)| cell * count + index);
    Ok(Chosen { candidate, score: scores[candidate], plateau: map.plateau(&place)?, scores })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_sees_only_where_it_may_look() {
        let record = |good: Range<usize>| {
            let value = |at| if good.contains(&at) { 0.02 } else { -0.01 } + 0.001 * (at % 3) as f64;
            Record { returns: (0..30).map(value).collect(), ..Record::blank(30) }
        };
        let records = [record(0..10), record(10..20), record(20..30)];
        for nth in 0..3 {
            let look = Look::at(nth * 10..nth * 10 + 10);
            // Neighbours matter: the middle is a neighbour of both ends, so only its own score decides among them.
            let chosen = choose(&records, &[3], &look).unwrap();
            assert!(
                chosen.scores[nth] > 0.0 && chosen.scores.iter().filter(|score| **score > 0.0).count() == 1
            );
        }
        let look = Look(vec![0..5, 25..30]);
        assert_eq!(look.of(&(0..30).collect::<Vec<_>>()), [0, 1, 2, 3, 4, 25, 26, 27, 28, 29]);
        assert_eq!(score(&[0.0, 0.0]).unwrap(), 0.0);
        assert!(score(&[]).is_err());
    }
}
