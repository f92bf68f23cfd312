//! One market message: the checked scanner beside the simd-json tape, each kind by itself, thousands of distinct messages
//! in turn. Both must say the same of every message before either is timed.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, messages, spec};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smc_feeds::binance_spot::{Decoded, Decoder, TimeUnit, decode};
use std::hint::black_box;

fn bench(c: &mut Criterion) {
    let symbols = [(BTC, spec().symbol)];
    let mut decoder = Decoder::new(&symbols, TimeUnit::Millis);
    let mut tape = Decoder::new(&symbols, TimeUnit::Millis);
    let mut kinds = [("trade", vec![]), ("bookTicker", vec![]), ("depth", vec![])];
    for message in messages(20_000) {
        let (mut one, mut other) = (message.clone(), message.clone());
        let decoded = decode(&mut one, &mut decoder);
        assert_eq!(decoded, tape.decode_by_tape(&mut other));
        let kind = match decoded.unwrap() {
            Decoded::Trade { .. } => 0,
            Decoded::BookTicker { .. } => 1,
            Decoded::Depth { .. } => 2,
            _ => continue,
        };
        kinds[kind].1.push(message);
    }
    assert_eq!(decoder.tape_uses(), 0, "the scanner knows the venue's own form");
    let distinct: usize = kinds.iter().map(|(_, messages)| messages.len()).sum();
    assert!(distinct >= 1_024, "{distinct} messages");

    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for (name, messages) in &kinds {
        let mut turn = messages.iter().cycle();
        group.bench_function(format!("{name}/scanner"), |b| {
            b.iter_batched_ref(
                || turn.next().unwrap().clone(),
                |message| _ = black_box(decode(message, &mut decoder)),
                BatchSize::SmallInput,
            );
        });
        let mut turn = messages.iter().cycle();
        group.bench_function(format!("{name}/tape"), |b| {
            b.iter_batched_ref(
                || turn.next().unwrap().clone(),
                |message| _ = black_box(tape.decode_by_tape(message)),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(group, bench);
criterion_main!(group);
