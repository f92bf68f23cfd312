//! Saving a whole engine and loading it: four timeframes, 10,000 bars on the shortest, a full book.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, START, calendar, config, event, spec, walk};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use smc_core::book::LADDER_LEVELS_MAX;
use smc_core::config::EngineConfig;
use smc_core::event::{Bar, BookUpdate, Event, EventBody, FeedState, GatewayState, Level, Trade};
use smc_core::smc::SmcParams;
use smc_core::strategy::Confluence;
use smc_core::words::{Price, Qty, SCALE, Side, Timeframe, TsNs};
use smc_core::{Engine, Outbox};
use std::hint::black_box;

const BARS: usize = 10_000;
const MINUTE_NS: u64 = 60_000_000_000;

fn engine(config: &EngineConfig) -> Engine<Confluence> {
    Engine::new(config.clone(), Confluence::for_config(config)).unwrap()
}

/// The prices of a bar in the order of its minute.
fn trades_of(bar: &Bar, minute: u64) -> impl Iterator<Item = (TsNs, EventBody)> {
    let prices = [bar.open, bar.high, bar.low, bar.close];
    let ts = move |nth: u64| TsNs(START.0 + minute * MINUTE_NS + nth * 15_000_000_000);
    prices.into_iter().zip(0..).map(move |(price, nth)| {
        let trade = Trade {
            price: Price(price.0 * SCALE / 100),
            qty: Qty(SCALE),
            aggressor: Side::Buy,
            trade_id: minute * 4 + nth,
        };
        (ts(nth), EventBody::Trade(trade))
    })
}

/// As many levels as the book keeps.
fn levels(side: Side, mid: i64) -> impl Iterator<Item = EventBody> {
    (0..LADDER_LEVELS_MAX as i64).map(move |nth| {
        let mut levels = [Level::default(); 4];
        let price = Price(mid - side.sign() * (nth + 1) * SCALE / 100);
        levels[0] = Level { price, qty: Qty(SCALE) };
        EventBody::Book(BookUpdate {
            update_id: nth as u64 + 1,
            is_snapshot_start: side == Side::Buy && nth == 0,
            is_last: nth + 1 == LADDER_LEVELS_MAX as i64,
            side,
            len: 1,
            levels,
        })
    })
}

fn events() -> Vec<Event> {
    let mut events = vec![
        event(1, START, EventBody::Instrument(spec())),
        event(2, START, EventBody::Feed(FeedState::Live)),
        event(3, START, EventBody::Gateway(GatewayState::Ready)),
    ];
    for (bar, minute) in walk(BARS + 1).iter().zip(0..) {
        for (ts, body) in trades_of(bar, minute) {
            events.push(event(events.len() as u64 + 1, ts, body));
        }
    }
    let (last, mid) = (events.last().unwrap().ts_recv, 1_000 * SCALE);
    for body in levels(Side::Buy, mid).chain(levels(Side::Sell, mid)) {
        events.push(event(events.len() as u64 + 1, last, body));
    }
    events
}

fn bench(c: &mut Criterion) {
    let mut usual = config();
    usual.timeframes = ["1m", "5m", "15m", "1h"].map(|text| Timeframe::parse(text).unwrap()).to_vec();
    let mut full = usual.clone();
    (full.smc, full.calendar) = (SmcParams::everything(), calendar());
    let events = events();
    let mut outbox = Outbox::new();
    let mut group = c.benchmark_group("state");
    group.sample_size(50);
    for (name, config) in [("default settings", usual), ("everything", full)] {
        let mut warm = engine(&config);
        for event in &events {
            warm.on_event(event, &mut outbox);
            outbox.clear();
        }
        assert!(warm.counters().bars > BARS as u64 * 5 / 4, "{:?}", warm.counters());
        assert_eq!(warm.book(BTC).unwrap().levels(Side::Sell).count(), LADDER_LEVELS_MAX);
        let (mut saved, mut again, mut second) = (Vec::new(), Vec::new(), engine(&config));
        warm.save(&mut saved);
        second.load(&saved).unwrap();
        second.save(&mut again);
        assert!(saved == again, "the same state, the same bytes");
        println!("state, {name}: {} bytes", saved.len());

        group.throughput(Throughput::Bytes(saved.len() as u64));
        group.bench_function(format!("save, {name}"), |b| {
            b.iter(|| {
                again.clear();
                warm.save(black_box(&mut again));
            });
        });
        group.bench_function(format!("load, {name}"), |b| {
            b.iter(|| second.load(black_box(&saved)).unwrap());
        });
        group.bench_function(format!("load onto a new engine, {name}"), |b| {
            b.iter_batched_ref(
                || engine(&config),
                |engine| engine.load(black_box(&saved)).unwrap(),
                BatchSize::LargeInput,
            );
        });
    }
}

criterion_group!(group, bench);
criterion_main!(group);
