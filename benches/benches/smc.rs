//! Market structure: one closed bar of everything, of structure alone, as history grows.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{bars_of, calendar, walk};
use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::words::{InstrumentId, Timeframe};
use std::hint::black_box;

/// How many structures were said, and a fold of them that nobody can optimise away: what is timed is the engine
/// and not a reader.
fn run(engine: &mut SmcEngine, bars: &[Bar]) -> (u64, i64) {
    let (mut ids, mut said, mut fold) = (IdSource::new(), 0, 0);
    for bar in bars {
        engine.on_bar(bar, &mut ids, &mut |structure: Structure| {
            said += 1;
            fold ^= structure.top.0 ^ structure.extra;
        });
    }
    (said, fold)
}

fn new(params: &SmcParams, calendar: &Calendar) -> SmcEngine {
    SmcEngine::with_calendar(InstrumentId(0), Timeframe::parse("15m").unwrap(), params, calendar)
}

fn time(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    bars: &[Bar],
    params: &SmcParams,
    calendar: &Calendar,
) {
    let said = run(&mut new(params, calendar), bars);
    assert!(said.0 > bars.len() as u64 / 10, "{} structures in {} bars", said.0, bars.len());
    assert_eq!(said, run(&mut new(params, calendar), bars), "the same bars, the same structure");
    group.throughput(Throughput::Elements(bars.len() as u64));
    group.bench_function(name, |b| {
        b.iter_batched_ref(
            || new(params, calendar),
            |engine| black_box(run(engine, bars)),
            BatchSize::PerIteration,
        );
    });
}

/// The next bars of an engine that has seen so many before: always the same ones, so that only history differs.
fn time_after(group: &mut BenchmarkGroup<'_, WallTime>, history: usize, long: &[Bar], calendar: &Calendar) {
    let params = SmcParams::everything();
    let (past, next) = long.split_at(long.len() - AFTER_BARS);
    let mut veteran = new(&params, calendar);
    run(&mut veteran, &past[past.len() - history..]);
    let mut state = Vec::new();
    veteran.save(&mut state);
    group.throughput(Throughput::Elements(next.len() as u64));
    group.bench_function(format!("{history} bars"), |b| {
        let veteran = || {
            let mut engine = new(&params, calendar);
            engine.load(&state).unwrap();
            engine
        };
        b.iter_batched_ref(veteran, |engine| black_box(run(engine, next)), BatchSize::PerIteration);
    });
}

/// Bars timed after each length of history: more than any branch predictor learns by heart.
const AFTER_BARS: usize = 20_000;

fn closed_bars(c: &mut Criterion) {
    let (none, calendar) = (Calendar::default(), calendar());
    let lean = SmcParams { order_blocks: false, gaps: false, liquidity: false, ..SmcParams::default() };
    let mut group = c.benchmark_group("smc bar");
    group.sample_size(20);
    for (market, file) in [
        ("EURUSD 15m", "smc/EURUSD_15M.csv"),
        ("BTC 1m", "market/crypto-1m/btc-perp-20211231-20220201_1m.csv.gz"),
    ] {
        let bars = bars_of(file);
        time(&mut group, &format!("{market}: everything"), &bars, &SmcParams::everything(), &calendar);
        time(&mut group, &format!("{market}: default"), &bars, &SmcParams::default(), &none);
        time(&mut group, &format!("{market}: pivots, swings, structure"), &bars, &lean, &none);
    }
    group.finish();

    // Flat in the length of history: the cost of a bar does not know how many came before it.
    let mut group = c.benchmark_group("smc bar after");
    group.sample_size(10);
    let is_timed = std::env::args().any(|arg| arg == "--bench");
    let history_max = if is_timed { 1_000_000 } else { 1_000 };
    let long = walk(history_max + AFTER_BARS);
    for history in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|&count| count <= history_max) {
        time_after(&mut group, history, &long, &calendar);
    }
    group.finish();
}

criterion_group!(group, closed_bars);
criterion_main!(group);
