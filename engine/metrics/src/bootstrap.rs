//! The bootstrap for series whose values hang together in time: resamples in blocks, and intervals from them.

use crate::figure::{Interval, Value};
use crate::{BadInput, Random, Series};
use smc_core::var::quantile_linear;

/// Share of resamples inside an interval.
pub const LEVEL: f64 = 0.9;
/// Share of resamples that must define a figure for it to have an interval.
const DEFINED_MIN: f64 = 0.95;

/// How resamples are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// Of the generator; resample `k` is drawn by run `k`.
    pub seed: u64,
    /// How many.
    pub resamples: usize,
    /// Mean length of a block, at least 1; none is the cube root of the sample's size.
    pub block_mean: Option<f64>,
}

impl Resampling {
    /// The block that holds for a sample of `n`.
    pub(crate) fn block(&self, n: usize) -> Result<f64, BadInput> {
        let block = self.block_mean.unwrap_or_else(|| libm::cbrt(n as f64));
        let bad = BadInput::Domain { what: "mean block", wanted: "1 or more" };
        if block.is_finite() && block >= 1.0 { Ok(block) } else { Err(bad) }
    }
}

/// A resample of the stationary bootstrap (Politis and Romano, 1994): blocks of geometric length from random starts,
/// around the end to the beginning. `indices` is overwritten; `n` is its length and that of the sample.
pub fn stationary(indices: &mut [usize], block_mean: f64, random: &mut Random) {
    let n = indices.len();
    let mut at = 0;
    for (nth, index) in indices.iter_mut().enumerate() {
        let starts = nth == 0 || random.unit() * block_mean < 1.0;
        at = if starts { random.below(n) } else { (at + 1) % n };
        *index = at;
    }
}

/// A resample of the circular block bootstrap: blocks of one length (the last one cut) from random starts.
pub fn blocks(indices: &mut [usize], block: usize, random: &mut Random) {
    let n = indices.len();
    for piece in indices.chunks_mut(block.max(1)) {
        let start = random.below(n);
        for (step, index) in piece.iter_mut().enumerate() {
            *index = (start + step) % n;
        }
    }
}

/// Intervals of some figures over resamples of a series by the stationary bootstrap: the 5 % and 95 % quantiles. None
/// where fewer than 95 % of the resamples define the figure.
pub fn intervals<const K: usize>(
    series: Series<'_>,
    how: Resampling,
    statistic: impl Fn(&[f64]) -> [Value; K],
) -> Result<[Option<Interval>; K], BadInput> {
    let n = series.count();
    let block = how.block(n)?;
    let (mut indices, mut drawn) = (vec![0; n], vec![0.0; n]);
    let mut found: [Vec<f64>; K] = std::array::from_fn(|_| Vec::with_capacity(how.resamples));
    for nth in 0..how.resamples {
        stationary(&mut indices, block, &mut Random::of_run(how.seed, nth as u64));
        for (value, index) in drawn.iter_mut().zip(&indices) {
            *value = series.values()[*index];
        }
        for (found, value) in found.iter_mut().zip(statistic(&drawn)) {
            found.extend(value);
        }
    }
    Ok(found.map(|mut found| {
        found.sort_unstable_by(f64::total_cmp);
        let is_enough = found.len() as f64 >= DEFINED_MIN * how.resamples as f64;
        let low = quantile_linear(&found, (1.0 - LEVEL) / 2.0)?;
        let high = quantile_linear(&found, (1.0 + LEVEL) / 2.0)?;
        is_enough.then_some(Interval { low, high, level: LEVEL, resamples: found.len() })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::finite;
    use crate::sum::mean;

    #[test]
    fn blocks_have_their_mean_length_and_every_value_is_as_likely() {
        let (n, mean_block) = (200, 5.0);
        let (mut indices, mut starts, mut counts) = (vec![0; n], 0, vec![0u32; n]);
        for nth in 0..2_000 {
            stationary(&mut indices, mean_block, &mut Random::of_run(3, nth));
            starts += 1 + indices.windows(2).filter(|pair| pair[1] != (pair[0] + 1) % n).count();
            indices.iter().for_each(|index| counts[*index] += 1);
        }
        // A new start may happen to go on where the old block would have: one in n.
        let expected = 2_000.0 * (1.0 + 199.0 / mean_block * (1.0 - 1.0 / n as f64));
        assert!((starts as f64 / expected - 1.0).abs() < 0.01, "{starts} {expected}");
        assert!(counts.iter().all(|count| (1_500..2_500).contains(count)));
    }

    #[test]
    fn fixed_blocks_go_on_around_the_end() {
        let mut indices = vec![0; 11];
        blocks(&mut indices, 4, &mut Random::new(9));
        for piece in indices.chunks(4) {
            assert!(piece.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 11));
        }
    }

    /// Nine in ten intervals of a mean hold the mean that was drawn from.
    #[test]
    fn intervals_cover_as_often_as_they_say() {
        let mut hits = 0;
        for nth in 0..400 {
            let mut random = Random::of_run(11, nth);
            let values: Vec<f64> = (0..100).map(|_| 1.0 + random.normal()).collect();
            let how = Resampling { seed: nth, resamples: 200, block_mean: Some(1.0) };
            let series = Series::new("values", &values).unwrap();
            let [interval] = intervals(series, how, |drawn| [finite(mean(drawn))]).unwrap();
            let Interval { low, high, .. } = interval.unwrap();
            hits += u32::from(low <= 1.0 && 1.0 <= high);
        }
        // 360 expected; four deviations are 24, and small resamples are a little narrow.
        assert!((330..=384).contains(&hits), "{hits}");
    }

    #[test]
    fn a_figure_that_is_rarely_defined_has_no_interval() {
        let how = Resampling { seed: 1, resamples: 50, block_mean: None };
        let values = [1.0, 2.0, 3.0];
        let series = Series::new("values", &values).unwrap();
        let rare = |drawn: &[f64]| [if drawn[0] == 1.0 { Ok(1.0) } else { Err(crate::Undefined::NoGains) }];
        assert_eq!(intervals(series, how, rare).unwrap(), [None]);
        let bad = Resampling { block_mean: Some(0.5), ..how };
        assert!(intervals(series, bad, rare).is_err());
    }
}
