//! A generated market through the whole engine (three timeframes, structure, strategy, gate), without journal and sockets.
//! Single events of each kind are among the stages.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{config, events};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smc_core::event::Event;
use smc_core::strategy::Confluence;
use smc_core::{Engine, Outbox};

const COUNT: usize = 50_000;

fn engine() -> Engine<Confluence> {
    let config = config();
    let strategy = Confluence::for_config(&config);
    Engine::new(config, strategy).unwrap()
}

fn run(engine: &mut Engine<Confluence>, outbox: &mut Outbox, events: &[Event]) {
    for event in events {
        engine.on_event(event, outbox);
        outbox.clear();
    }
}

fn bench(c: &mut Criterion) {
    let events = events(COUNT);
    let mut outbox = Outbox::new();
    let mut warm = engine();
    run(&mut warm, &mut outbox, &events);
    let counters = warm.counters();
    assert!(counters.bars > 100 && counters.structures > 100, "{counters:?}");
    let mut twin = engine();
    run(&mut twin, &mut outbox, &events);
    assert_eq!(warm.digest(), twin.digest(), "the same events, the same answers");

    let mut group = c.benchmark_group("engine");
    group.sample_size(20);
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("trades and quotes of a generated market", |b| {
        b.iter_batched_ref(engine, |engine| run(engine, &mut outbox, &events), BatchSize::LargeInput);
    });
}

criterion_group!(group, bench);
criterion_main!(group);
