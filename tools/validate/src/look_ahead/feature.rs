//! Batch features: a column made from a slice of bars.
//!
//! The law, for every `t` and every `s <= t`: `build(bars[..=t])[s]` has the bits of `build(bars)[s]`. It is tested as it is
//! written: the column is built anew from every prefix and compared as a whole, so a value that is repainted later is found as
//! well as one that is early. Quadratic, for features that cost nanoseconds a bar.

use super::{Found, Searched, Test};
use crate::market::wild;
use crate::workers::Workers;
use smc_metrics::Random;
use smc_metrics::permutation::Ohlc;

/// What a feature may look at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureBar {
    /// Start of the bar, in nanoseconds since the epoch.
    pub open_ns: u64,
    /// Its prices.
    pub prices: Ohlc,
    /// Its volume.
    pub volume: f64,
}

/// How much a feature remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// After this many bars its value is that of any earlier start, bit for bit.
    Bars(usize),
    /// After this many bars it is so within 1e-9 of its size.
    Fading(usize),
    /// It never forgets where it began; there is no warm-up to hold it to.
    Endless,
}

/// A feature of one market.
pub trait Feature: Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// How much it remembers.
    fn memory(&self) -> Memory;

    /// A value a bar; NaN where there is none. Known at the close of its bar: that is the promise under test.
    fn build(&self, bars: &[FeatureBar]) -> Vec<f64>;
}

/// Bars of other data that follow a perturbed cut.
const FUTURE_BARS: usize = 48;

/// Truncation behind every bar and perturbation behind every bar. Stops at the first bar where either finds something;
/// truncation is told before perturbation.
pub fn search(feature: &dyn Feature, bars: &[FeatureBar], seed: u64, workers: Workers) -> Searched {
    let whole = bits(&feature.build(bars));
    let look = |last: usize| {
        truncated(feature, bars, &whole, last).or_else(|| perturbed(feature, bars, &whole, last, seed))
    };
    let found = workers.first(bars.len(), look).map(|(_, found)| found);
    let looked = found.as_ref().map_or(bars.len(), |found| found.last + 1);
    Searched { name: feature.name().into(), bars: bars.len(), cuts: looked, perturbed: looked, found }
}

/// Truncation alone, behind every bar.
pub fn search_truncation(feature: &dyn Feature, bars: &[FeatureBar], workers: Workers) -> Option<Found> {
    let whole = bits(&feature.build(bars));
    workers.first(bars.len(), |last| truncated(feature, bars, &whole, last)).map(|(_, found)| found)
}

/// Perturbation alone, behind every bar.
pub fn search_perturbation(
    feature: &dyn Feature,
    bars: &[FeatureBar],
    seed: u64,
    workers: Workers,
) -> Option<Found> {
    let whole = bits(&feature.build(bars));
    workers.first(bars.len(), |last| perturbed(feature, bars, &whole, last, seed)).map(|(_, found)| found)
}

fn truncated(feature: &dyn Feature, bars: &[FeatureBar], whole: &[u64], last: usize) -> Option<Found> {
    differs(&feature.build(&bars[..=last]), whole, last, Test::Truncation)
}

fn perturbed(
    feature: &dyn Feature,
    bars: &[FeatureBar],
    whole: &[u64],
    last: usize,
    seed: u64,
) -> Option<Found> {
    let mut other = bars[..=last].to_vec();
    let mut random = Random::of_run(seed, last as u64);
    for bar in bars.iter().skip(last + 1).take(FUTURE_BARS) {
        let from = other[other.len() - 1].prices.close;
        other.push(FeatureBar {
            prices: wild(from, &mut random),
            volume: bar.volume * random.unit(),
            ..*bar
        });
    }
    differs(&feature.build(&other), whole, last, Test::Perturbation)
}

fn differs(built: &[f64], whole: &[u64], last: usize, by: Test) -> Option<Found> {
    // A column that is too short says something else about its missing bars.
    let bit = |at: usize| built.get(at).map(|value| bit(*value));
    let at = (0..=last).find(|at| bit(*at) != whole.get(*at).copied())?;
    Some(Found { by, last, at })
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| bit(*value)).collect()
}

/// All NaN are one: none.
fn bit(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// A bar whose value depends on where the data began, after the warm-up that the feature declares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cold {
    /// Where the later data began.
    pub start: usize,
    /// The bar.
    pub at: usize,
    /// Its value from the beginning.
    pub from_first: f64,
    /// Its value from `start`.
    pub from_start: f64,
}

/// Warm-up: from each of some starts, after the declared warm-up, the values are those from the first bar.
pub fn search_cold(
    feature: &dyn Feature,
    bars: &[FeatureBar],
    starts: &[usize],
    workers: Workers,
) -> Option<Cold> {
    let (warm_up, tolerance) = match feature.memory() {
        Memory::Bars(bars) => (bars, 0.0),
        Memory::Fading(bars) => (bars, 1e-9),
        Memory::Endless => return None,
    };
    let whole = feature.build(bars);
    let same = |a: f64, b: f64| bit(a) == bit(b) || (a - b).abs() <= tolerance * f64::max(a.abs(), b.abs());
    let look = |nth: usize| {
        let start = starts[nth];
        let late = feature.build(bars.get(start..)?);
        let at = (start + warm_up..bars.len()).find(|at| !same(whole[*at], late[at - start]))?;
        Some(Cold { start, at, from_first: whole[at], from_start: late[at - start] })
    };
    workers.first(starts.len(), look).map(|(_, cold)| cold)
}
