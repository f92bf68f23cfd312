//! One event through the whole engine (three timeframes, structure, strategy, gate), without journal and sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{Random, SEED, config, event, events};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smc_core::event::{Event, EventBody, Quote, Trade};
use smc_core::strategy::Confluence;
use smc_core::words::{Price, Qty, SCALE, Side, TsNs};
use smc_core::{Engine, Outbox};
use std::hint::black_box;

const SECOND_NS: u64 = 1_000_000_000;
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

    group.throughput(Throughput::Elements(1));
    let last = events.last().unwrap().ts_recv;
    let mut random = Random(SEED);
    let prices: Vec<i64> = (0..4_096)
        .scan(60_000 * SCALE, |price, _| {
            *price += (random.below(20_001) as i64 - 10_000) * SCALE / 1_000;
            *price = (*price).max(SCALE);
            Some(*price / (SCALE / 100) * (SCALE / 100))
        })
        .collect();
    let mut nth = 0;
    let mut turn = move |step_ns: u64| {
        nth += 1;
        let price = prices[nth % prices.len()];
        (TsNs(last.0 + SECOND_NS + nth as u64 * step_ns), nth as u64, price)
    };
    let trade = |nth: u64, price: i64| {
        EventBody::Trade(Trade { price: Price(price), qty: Qty(SCALE), aggressor: Side::Buy, trade_id: nth })
    };
    // In this order: each leaves time where the next may go on.
    let (_, seq, price) = turn(0);
    let still = TsNs(last.0 + SECOND_NS);
    run(&mut warm, &mut outbox, &[event(seq, still, trade(seq, price))]);
    group.bench_function("quote", |b| {
        b.iter(|| {
            let (ts, seq, price) = turn(0);
            let (bid, ask) = (Price(price), Price(price + SCALE / 100));
            let quote = Quote { bid, bid_qty: Qty(SCALE), ask, ask_qty: Qty(SCALE), update_id: seq };
            warm.on_event(black_box(&event(seq, ts, EventBody::Quote(quote))), &mut outbox);
            outbox.clear();
        });
    });
    let bars = warm.counters().bars;
    group.bench_function("trade that closes no bar", |b| {
        b.iter(|| {
            let (ts, seq, price) = turn(0);
            warm.on_event(black_box(&event(seq, ts, trade(seq, price))), &mut outbox);
            outbox.clear();
        });
    });
    assert_eq!(warm.counters().bars, bars, "no bar closed");
    group.bench_function("trade that closes one bar or more", |b| {
        b.iter(|| {
            let (ts, seq, price) = turn(SECOND_NS);
            warm.on_event(black_box(&event(seq, ts, trade(seq, price))), &mut outbox);
            outbox.clear();
        });
    });
    assert!(warm.counters().bars > bars, "bars closed");
}

criterion_group!(group, bench);
criterion_main!(group);
