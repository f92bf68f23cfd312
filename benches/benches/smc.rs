//! Market structure: all of it for one closed bar, and a trade that closes no bar.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, START, bars};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smc_core::bars::BarBuilder;
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::words::{Price, Qty, SCALE, Timeframe};
use std::hint::black_box;

fn engine() -> SmcEngine {
    SmcEngine::new(BTC, Timeframe::parse("15m").unwrap(), &SmcParams::default())
}

fn run(engine: &mut SmcEngine, bars: &[Bar]) -> (u64, Option<Structure>) {
    let (mut ids, mut said, mut last) = (IdSource::new(), 0, None);
    for bar in bars {
        engine.on_bar(bar, &mut ids, &mut |structure| {
            said += 1;
            last = Some(structure);
        });
    }
    (said, last)
}

fn bench(c: &mut Criterion) {
    let bars = bars();
    let said = run(&mut engine(), &bars);
    assert!(said.0 > bars.len() as u64 / 10, "{} structures in {} bars", said.0, bars.len());
    assert_eq!(said, run(&mut engine(), &bars), "the same bars, the same structure");

    let mut group = c.benchmark_group("smc");
    group.throughput(Throughput::Elements(bars.len() as u64));
    group.sample_size(20);
    group.bench_function("closed bars", |b| {
        b.iter_batched_ref(engine, |engine| black_box(run(engine, &bars)), BatchSize::LargeInput);
    });
    group.throughput(Throughput::Elements(1));
    let mut builder = BarBuilder::new(Timeframe::parse("1m").unwrap());
    let mut nth = 0;
    group.bench_function("trade that closes no bar", |b| {
        b.iter(|| {
            nth += 1;
            let price = Price(60_000 * SCALE + nth % 1_024);
            assert!(builder.on_trade(START, black_box(price), Qty(SCALE)).is_none());
        });
    });
    assert_eq!(builder.late() + builder.refused(), 0);
}

criterion_group!(group, bench);
criterion_main!(group);
