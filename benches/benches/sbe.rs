//! One binary market frame of each kind, thousands of distinct frames in turn. Each must say what was written into it
//! before it is timed. Beside it, `decode` times the JSON twins.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, spec};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smc_feeds::binance_spot::{Decoded, SbeDecoder};
use std::hint::black_box;

const FRAMES: i64 = 4_096;

/// Header, block and groups as the venue writes them, and the symbol behind.
fn frame(block_len: u16, template: u16, body: &[&[u8]]) -> Vec<u8> {
    let mut frame = Vec::new();
    for word in [block_len, template, 1, 0] {
        frame.extend_from_slice(&word.to_le_bytes());
    }
    body.iter().for_each(|part| frame.extend_from_slice(part));
    let symbol = spec().symbol;
    frame.push(symbol.as_bytes().len() as u8);
    frame.extend_from_slice(symbol.as_bytes());
    frame
}

fn words(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Prices with two decimals, quantities with five.
const EXPONENTS: [u8; 2] = [(-2i8).cast_unsigned(), (-5i8).cast_unsigned()];

fn trade(n: i64) -> Vec<u8> {
    let entry = words(&[3_735_683_259 + n, 6_183_763 + n % 500, 1 + n * 7 % 150_000]);
    let stamps = words(&[1_723_161_255_343_123 + n, 1_723_161_255_342_000 + n]);
    frame(18, 10_000, &[&stamps, &EXPONENTS, &[25, 0, 1, 0, 0, 0], &entry, &[(n % 2) as u8]])
}

fn best(n: i64) -> Vec<u8> {
    let ids = words(&[1_723_161_255_342_055 + n, 50_093_239_212 + n]);
    let amounts = words(&[6_183_763 + n % 500, 378_826 + n, 6_183_764 + n % 500, 154_698 + n]);
    frame(50, 10_001, &[&ids, &EXPONENTS, &amounts])
}

/// Ten levels a side.
fn depth(n: i64) -> Vec<u8> {
    let ids = words(&[1_723_161_255_342_000 + n, 157 + 4 * n, 160 + 4 * n]);
    let side = |sign: i64| {
        words(&(0..10).flat_map(|at| [6_183_763 + n + sign * at, at * 61_700]).collect::<Vec<_>>())
    };
    let head = [16, 0, 10, 0];
    frame(26, 10_003, &[&ids, &EXPONENTS, &head, &side(-1), &head, &side(1)])
}

fn bench(c: &mut Criterion) {
    let mut decoder = SbeDecoder::new(&[(BTC, spec().symbol)]);
    let mut group = c.benchmark_group("sbe");
    group.throughput(Throughput::Elements(1));
    type Make = fn(i64) -> Vec<u8>;
    let kinds: [(&str, Make); 3] = [("trade", trade), ("bestBidAsk", best), ("depth10", depth)];
    for (name, make) in kinds {
        let frames: Vec<Vec<u8>> = (0..FRAMES).map(make).collect();
        let mut said = 0;
        for (n, frame) in (0..).zip(&frames) {
            let check = &mut |decoded: Decoded<'_>| match decoded {
                Decoded::Trade { trade, .. } => assert_eq!(trade.trade_id, 3_735_683_259 + n),
                Decoded::BookTicker { quote, .. } => assert_eq!(quote.update_id, 50_093_239_212 + n),
                Decoded::Depth { last_id, bids, asks, .. } => {
                    assert_eq!((last_id, bids.len(), asks.len()), (160 + 4 * n, 10, 10));
                }
                other => panic!("{other:?}"),
            };
            said += decoder.decode(frame, check).unwrap();
        }
        assert_eq!(i64::from(said), FRAMES);
        let mut turn = frames.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| decoder.decode(turn.next().unwrap(), &mut |decoded| _ = black_box(decoded)));
        });
    }
}

criterion_group!(group, bench);
criterion_main!(group);
