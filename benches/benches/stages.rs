//! Every stage of the hot path by itself, named as in `counts.txt`: `cargo bench -p benches --bench stages -- decode/spot`.
//!
//! A batch of steps is timed by one pair of clock reads. Where a batch is one step (trades that close bars, orders of the
//! engine) the reads, some 25 ns, are in the figure.

use benches::stages::{Stage, all};
use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use std::time::{Duration, Instant};

/// The time of at least so many steps, scaled to what was asked for; what makes a batch ready is left out.
fn time(b: &mut Bencher<'_>, stage: &mut dyn Stage) {
    b.iter_custom(|iters| {
        let batches = iters.div_ceil(stage.batch());
        let mut total = Duration::ZERO;
        for _ in 0..batches {
            stage.prepare();
            let started = Instant::now();
            stage.steps();
            total += started.elapsed();
        }
        total.mul_f64(iters as f64 / (batches * stage.batch()) as f64)
    });
}

fn bench(c: &mut Criterion) {
    for &(name, make) in all() {
        let (room, what) = name.split_once('/').unwrap_or(("", name));
        let mut group = c.benchmark_group(room);
        group.throughput(Throughput::Elements(1));
        // Made only where it is wanted: some take a moment.
        let mut stage = None;
        group.bench_function(what, |b| time(b, &mut **stage.get_or_insert_with(make)));
        group.finish();
    }
}

criterion_group!(group, bench);
criterion_main!(group);
