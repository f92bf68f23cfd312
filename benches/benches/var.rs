//! Value at risk: one more return in each sliding engine, and the risk of a book as it would be after an order.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use criterion::{Criterion, criterion_group, criterion_main};
use smc_core::var::{
    Decay, FilteredHistorical, PortfolioVar, PortfolioVarSettings, RESIDUALS_DROPPED, SlidingHistorical,
    Tail, filtered_historical, historical,
};
use std::hint::black_box;

const WINDOW: usize = 500;
/// Long enough that no branch is learned by heart.
const RETURNS: usize = 65_536;

fn returns() -> Vec<f64> {
    let mut random = 42u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    (0..RETURNS).map(|_| (0..6).map(|_| next()).sum::<f64>() / 100.0).collect()
}

fn sliding(c: &mut Criterion, returns: &[f64], tail: Tail) {
    let mut engine = SlidingHistorical::new(WINDOW, tail).unwrap();
    returns.iter().for_each(|value| engine.on_return(*value));
    assert_eq!(engine.risk(), historical(&mut returns[RETURNS - WINDOW..].to_vec(), tail));
    let mut at = 0;
    c.bench_function("var/historical, window 500", |b| {
        b.iter(|| {
            at = (at + 1) % RETURNS;
            engine.on_return(returns[at]);
            black_box(engine.risk())
        });
    });
    let mut engine = FilteredHistorical::new(WINDOW, Decay::USUAL, RESIDUALS_DROPPED, tail).unwrap();
    returns.iter().for_each(|value| engine.on_return(*value));
    let mut room = [0.0; WINDOW];
    let batch = filtered_historical(returns, Decay::USUAL, RESIDUALS_DROPPED, tail, &mut room);
    assert_eq!(engine.risk(), batch.risk);
    c.bench_function("var/filtered historical, window 500", |b| {
        b.iter(|| {
            at = (at + 1) % RETURNS;
            engine.on_return(returns[at]);
            black_box(engine.risk())
        });
    });
}

fn portfolio(c: &mut Criterion, returns: &[f64], tail: Tail) {
    for (instruments, held) in [(8, 1), (8, 8), (64, 64)] {
        let settings = PortfolioVarSettings { instruments, window: WINDOW, tail, decay: Decay::USUAL };
        let mut portfolio = PortfolioVar::new(settings).unwrap();
        for step in returns.chunks_exact(instruments).take(2 * WINDOW - 7) {
            portfolio.push(step);
        }
        let mut weights = vec![0.0; instruments];
        weights[..held].fill(0.1);
        weights[0] = -0.3;
        // One instrument's historical VaR is that of its returns.
        let mut alone = vec![0.0; instruments];
        alone[0] = 1.0;
        let first = returns.chunks_exact(instruments).skip(WINDOW - 7).take(WINDOW);
        let mut column: Vec<f64> = first.map(|step| step[0]).collect();
        let risk = portfolio.of_book(&alone).unwrap().historical;
        assert_eq!(Some(risk), historical(&mut column, tail));
        c.bench_function(&format!("var/book of {held} of {instruments} instruments, window 500"), |b| {
            b.iter(|| portfolio.with_order(black_box(&weights)));
        });
    }
}

fn bench(c: &mut Criterion) {
    let (returns, tail) = (returns(), Tail::ONE_PERCENT);
    sliding(c, &returns, tail);
    portfolio(c, &returns, tail);
}

criterion_group!(group, bench);
criterion_main!(group);
