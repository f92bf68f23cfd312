//! Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey et al., 2017).

use crate::combinations::{self, Combinations};
use crate::figure::{Figure, finite};
use crate::folds::edges_even;
use crate::moments::Moments;
use crate::{BadInput, Panel, Series};
use libm::{log, sqrt};

/// Most halves that are tried: 22 blocks.
const HALVES_MAX: u64 = 705_432;

/// How often the best in one half of the periods is no better than the median in the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Overfitting {
    /// A half each, in lexicographic order of its blocks: logit of the relative rank out of sample of the trial that
    /// was best in sample.
    pub logits: Vec<f64>,
    /// Share of logits that are 0 or less.
    pub pbo: f64,
    /// Trials that were compared.
    pub trials: usize,
    /// Periods that were cut into halves.
    pub periods: usize,
}

impl Overfitting {
    /// Cuts the periods into an even number of blocks, as equal as possible, larger ones first; needs at least two
    /// trials, a period a block and two a half (one has no deviation).
    pub fn of(trials: &Panel, blocks: usize) -> Result<Self, BadInput> {
        let halves = combinations::count(blocks, blocks / 2);
        if blocks < 2 || blocks % 2 == 1 || halves.is_none_or(|halves| halves > HALVES_MAX) {
            return Err(BadInput::Domain { what: "blocks", wanted: "an even number from 2 to 22" });
        }
        if trials.columns() < 2 {
            return Err(BadInput::Domain { what: "trials", wanted: "two or more" });
        }
        if trials.rows() < blocks.max(4) {
            return Err(BadInput::Domain {
                what: "periods",
                wanted: "one or more a block, two or more a half",
            });
        }
        let pieces: Vec<Vec<Piece>> = edges_even(trials.rows(), blocks)
            .into_iter()
            .map(|rows| (0..trials.columns()).map(|trial| Piece::of(trials, trial, rows.clone())).collect())
            .collect();
        let mut logits = Vec::with_capacity(halves.unwrap_or(0) as usize);
        let mut poor = 0u32;
        for inside in Combinations::new(blocks, blocks / 2) {
            let is_inside = |block: &usize| inside.binary_search(block).is_ok();
            let outside: Vec<usize> = (0..blocks).filter(|block| !is_inside(block)).collect();
            let best = best(&ratios(&pieces, &inside));
            // Twice the rank, so that it stays whole.
            let rank_x2 = rank_x2(&ratios(&pieces, &outside), best);
            let above_x2 = 2 * (trials.columns() + 1) - rank_x2;
            logits.push(log(rank_x2 as f64 / above_x2 as f64));
            poor += u32::from(rank_x2 <= above_x2);
        }
        let pbo = f64::from(poor) / logits.len() as f64;
        Ok(Self { logits, pbo, trials: trials.columns(), periods: trials.rows() })
    }

    /// As a report shows it.
    pub fn figure(&self) -> Figure {
        Figure::new("pbo", "5.pbo", finite(self.pbo), self.periods)
    }
}

/// Mean and squares of one trial in some periods; two of them make those of both (Chan's formula).
#[derive(Clone, Copy)]
struct Piece {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Piece {
    fn of(trials: &Panel, trial: usize, rows: std::ops::Range<usize>) -> Self {
        let values: Vec<f64> = rows.map(|row| trials.row(row)[trial]).collect();
        let moments = Moments::of(Series::drawn(&values));
        Self { n: values.len() as f64, mean: moments.mean, squares: moments.squares() }
    }

    fn with(self, other: Self) -> Self {
        let n = self.n + other.n;
        let gap = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + gap * (other.n / n),
            squares: self.squares + other.squares + gap * gap * (self.n * other.n / n),
        }
    }

    /// A trial that never moves has the ratio 0 if it made nothing and is otherwise beyond all that move.
    fn ratio(self) -> f64 {
        let deviation = sqrt(self.squares / (self.n - 1.0));
        if self.mean == 0.0 { 0.0 } else { self.mean / deviation }
    }
}

fn ratios(pieces: &[Vec<Piece>], blocks: &[usize]) -> Vec<f64> {
    let (first, rest) = blocks.split_first().map_or((0, [].as_slice()), |(first, rest)| (*first, rest));
    let mut all = pieces[first].clone();
    for block in rest {
        for (sum, piece) in all.iter_mut().zip(&pieces[*block]) {
            *sum = sum.with(*piece);
        }
    }
    all.into_iter().map(Piece::ratio).collect()
}

/// The first of the best.
fn best(ratios: &[f64]) -> usize {
    let better = |best: usize, (nth, ratio): (usize, &f64)| if *ratio > ratios[best] { nth } else { best };
    ratios.iter().enumerate().fold(0, better)
}

/// Twice the rank from the worst, 1; ties share their mean.
fn rank_x2(ratios: &[f64], of: usize) -> usize {
    let value = ratios[of];
    let below = ratios.iter().filter(|ratio| **ratio < value).count();
    let equal = ratios.iter().filter(|ratio| **ratio == value).count();
    2 * below + equal + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    fn noise(seed: u64, periods: usize, trials: usize) -> Vec<Vec<f64>> {
        let mut random = Random::new(seed);
        (0..periods).map(|_| (0..trials).map(|_| random.normal()).collect()).collect()
    }

    /// The slow twin: every half is put together and measured as it is.
    fn slow(rows: &[Vec<f64>], blocks: usize) -> Vec<f64> {
        let size = rows.len() / blocks;
        let ratios = |chosen: &[usize]| -> Vec<f64> {
            let of = |trial: usize| {
                let of_block = |block: &usize| rows[block * size..][..size].iter().map(move |row| row[trial]);
                let values: Vec<f64> = chosen.iter().flat_map(of_block).collect();
                let n = values.len() as f64;
                let mean = values.iter().sum::<f64>() / n;
                mean / (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
            };
            (0..rows[0].len()).map(of).collect()
        };
        Combinations::new(blocks, blocks / 2)
            .map(|inside| {
                let outside: Vec<usize> = (0..blocks).filter(|block| !inside.contains(block)).collect();
                let (seen, unseen) = (ratios(&inside), ratios(&outside));
                let best = (0..seen.len()).max_by(|a, b| seen[*a].total_cmp(&seen[*b])).unwrap();
                let rank = 1 + unseen.iter().filter(|ratio| **ratio < unseen[best]).count();
                let share = rank as f64 / (unseen.len() + 1) as f64;
                (share / (1.0 - share)).ln()
            })
            .collect()
    }

    #[test]
    fn pieces_put_together_are_the_whole() {
        for seed in 0..20 {
            let rows = noise(seed, 48, 7);
            let fast = Overfitting::of(&Panel::from_rows("trials", &rows).unwrap(), 6).unwrap();
            for (fast, slow) in fast.logits.iter().zip(slow(&rows, 6)) {
                assert!((fast - slow).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn noise_is_overfitted_and_an_edge_is_not() {
        let mean_of = |edge: f64| {
            let pbo = |seed| {
                let mut rows = noise(seed, 200, 10);
                rows.iter_mut().for_each(|row| row[3] += edge);
                Overfitting::of(&Panel::from_rows("trials", &rows).unwrap(), 8).unwrap().pbo
            };
            (0..40).map(pbo).sum::<f64>() / 40.0
        };
        // Of noise, the best in one half is in the upper half of the other as often as not.
        let (noise, edge) = (mean_of(0.0), mean_of(0.5));
        assert!((0.4..0.65).contains(&noise), "{noise}");
        assert!(edge < 0.02, "{edge}");
    }

    #[test]
    fn trials_that_never_move_have_a_place_and_ties_share_theirs() {
        // All the same: the first is best, its rank is the middle.
        let rows = vec![[0.0; 3]; 8];
        let all = Overfitting::of(&Panel::from_rows("trials", &rows).unwrap(), 2).unwrap();
        assert_eq!((all.logits, all.pbo), (vec![0.0, 0.0], 1.0));
        let rows: Vec<[f64; 3]> = (0..8).map(|t| [0.0, if t % 2 == 0 { 1.0 } else { -2.0 }, 0.1]).collect();
        let all = Overfitting::of(&Panel::from_rows("trials", &rows).unwrap(), 2).unwrap();
        assert!(all.logits.iter().all(|logit| (logit - 3f64.ln()).abs() < 1e-15) && all.pbo == 0.0);
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let panel = Panel::from_rows("trials", &noise(1, 12, 2)).unwrap();
        for blocks in [0, 1, 3, 14, 24, usize::MAX - 1, usize::MAX] {
            assert!(Overfitting::of(&panel, blocks).is_err(), "{blocks}");
        }
        assert!([2, 6, 12].iter().all(|blocks| Overfitting::of(&panel, *blocks).is_ok()));
        assert!(Overfitting::of(&Panel::from_rows("trials", &noise(1, 12, 1)).unwrap(), 2).is_err());
    }
}
