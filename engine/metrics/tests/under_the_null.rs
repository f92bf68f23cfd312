//! Where there is nothing to be found, p-values are uniform and the deflated ratio stays unconvinced (V-10).
//!
//! Seeded, so a test passes always or never. Kolmogorov and Smirnov's test says whether a sample is uniform.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use smc_metrics::bootstrap::Resampling;
use smc_metrics::drift::{ks_p_value, ks_uniform};
use smc_metrics::permutation::{Ohlc, Permuter, p_value};
use smc_metrics::reality_check::{RealityCheck, superior_ability};
use smc_metrics::sharpe::{SharpeRatio, Trials, variance_of_ratios};
use smc_metrics::{Panel, Random, Series};

fn noise(random: &mut Random, n: usize) -> Vec<f64> {
    (0..n).map(|_| 0.01 * random.normal()).collect()
}

fn uniformity(p_values: &[f64]) -> f64 {
    let d = ks_uniform(Series::new("p-values", p_values).unwrap());
    ks_p_value(d, p_values.len() as f64)
}

fn assert_uniform(what: &str, p_values: &[f64]) {
    let p = uniformity(p_values);
    let small = p_values.iter().filter(|p| **p <= 0.05).count();
    println!("{what}: {} values, {small} at most 0.05, KS p {p:.3}", p_values.len());
    assert!(p > 0.01, "{what}: KS p {p}");
}

#[test]
fn the_probabilistic_ratio_is_uniform() {
    let of = |seed| {
        let returns = noise(&mut Random::of_run(1, seed), 250);
        SharpeRatio::of(Series::new("returns", &returns).unwrap()).unwrap().probability_above(0.0).unwrap()
    };
    let all: Vec<f64> = (0..10_000).map(of).collect();
    assert_uniform("PSR", &all);
    // And the test can fail: an edge of a tenth of a deviation is seen at once.
    let shifted: Vec<f64> = (0..500)
        .map(|seed| {
            let mut returns = noise(&mut Random::of_run(1, seed), 250);
            returns.iter_mut().for_each(|value| *value += 0.001);
            let series = Series::new("returns", &returns).unwrap();
            SharpeRatio::of(series).unwrap().probability_above(0.0).unwrap()
        })
        .collect();
    assert!(uniformity(&shifted) < 1e-6);
}

#[test]
fn the_deflated_ratio_of_the_best_of_many_is_rarely_high() {
    let (mut deflated, mut naive) = (0, 0);
    for seed in 0..1_000 {
        let mut random = Random::of_run(2, seed);
        let rows: Vec<Vec<f64>> = (0..250).map(|_| noise(&mut random, 20)).collect();
        let panel = Panel::from_rows("returns", &rows).unwrap();
        let ratio = |nth| {
            let column: Vec<f64> = panel.column(nth).collect();
            SharpeRatio::of(Series::new("returns", &column).unwrap()).unwrap()
        };
        let best = (0..20).map(ratio).max_by(|a, b| a.sr.total_cmp(&b.sr)).unwrap();
        let trials = Trials::new(20, variance_of_ratios(&panel).unwrap()).unwrap();
        deflated += u32::from(best.deflated(trials).unwrap() > 0.95);
        naive += u32::from(best.probability_above(0.0).unwrap() > 0.95);
    }
    println!("above 0.95: {deflated} of 1000 deflated, {naive} not deflated");
    assert!(deflated <= 60, "{deflated}");
    assert!(naive > 500, "without deflation luck convinces: {naive}");
}

#[test]
fn reality_checks_of_equals_are_uniform() {
    let mut white = Vec::new();
    let mut hansen = Vec::new();
    for seed in 0..400 {
        let mut random = Random::of_run(3, seed);
        let rows: Vec<Vec<f64>> = (0..120).map(|_| noise(&mut random, 4)).collect();
        let panel = Panel::from_rows("advantage", &rows).unwrap();
        let how = Resampling { seed, resamples: 199, block_mean: Some(1.0) };
        white.push(RealityCheck::of(&panel, how).unwrap().p_value);
        hansen.push(superior_ability(&panel, how).unwrap().unwrap());
    }
    assert_uniform("reality check", &white);
    // Hansen's statistic is never below 0, so large p-values crowd; the small ones are what a decision rests on.
    let small = |p_values: &[f64], level: f64| {
        p_values.iter().filter(|p| **p <= level).count() as f64 / p_values.len() as f64
    };
    assert!(
        small(&hansen, 0.05) < 0.085 && small(&hansen, 0.2) < 0.27,
        "{} {}",
        small(&hansen, 0.05),
        small(&hansen, 0.2)
    );
}

/// The whole pipeline of a small trend follower, its best of three settings included, on a random walk.
#[test]
fn permutation_tests_of_a_search_on_noise_are_uniform() {
    fn search(bars: &[Ohlc]) -> f64 {
        let profit = |span: usize| -> f64 {
            (span..bars.len() - 1)
                .map(|t| {
                    let side = if bars[t].close > bars[t - span].close { 1.0 } else { -1.0 };
                    side * (bars[t + 1].close / bars[t + 1].open).ln()
                })
                .sum()
        };
        [2, 5, 9].into_iter().map(profit).fold(f64::NEG_INFINITY, f64::max)
    }
    let of = |seed| {
        let mut random = Random::of_run(4, seed);
        let mut last = 100.0;
        let bars: Vec<Ohlc> = (0..80)
            .map(|_| {
                let open = last * (0.002 * random.normal()).exp();
                let close = open * (0.01 * random.normal()).exp();
                last = close;
                let (high, low) = (open.max(close) * 1.001, open.min(close) * 0.999);
                Ohlc { open, high, low, close }
            })
            .collect();
        let permuter = Permuter::new(&[bars.as_slice()], 1).unwrap();
        let permuted: Vec<f64> =
            (0..99).map(|nth| search(&permuter.permute(&mut Random::of_run(seed, nth))[0])).collect();
        p_value(search(&bars), &permuted).unwrap()
    };
    let all: Vec<f64> = (0..500).map(of).collect();
    assert_uniform("MCPT", &all);
}
