//! Warm-up: a past told in the venue's candles leaves the same state as a past that was watched.

#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod engine_harness;

use engine_harness::{Rng, config};
use smc_core::event::{Bar, Event, EventBody, FeedState, Trade};
use smc_core::output::{Output, Structure};
use smc_core::smc::SmcParams;
use smc_core::strategy::Strategy;
use smc_core::words::{InstrumentId, Price, Qty, SCALE, Side, Timeframe, TsNs};
use smc_core::{Engine, EngineConfig, Outbox};

const BTC: InstrumentId = InstrumentId(0);
const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_040 * SECOND;

/// Watches, never trades.
struct Watcher;

impl Strategy for Watcher {}

fn settings() -> EngineConfig {
    EngineConfig { smc: SmcParams::everything(), ..config() }
}

struct Watch {
    engine: Engine<Watcher>,
    outbox: Outbox,
    said: Vec<(u64, Output)>,
}

impl Watch {
    fn new() -> Self {
        let engine = Engine::new(settings(), Watcher).unwrap();
        Self { engine, outbox: Outbox::new(), said: Vec::new() }
    }

    fn feed(&mut self, at: u64, body: EventBody) {
        let ts = TsNs(at);
        let event = Event { seq: 0, ts_event: ts, ts_recv: ts, instrument: BTC, body };
        self.engine.on_event(&event, &mut self.outbox);
        self.said.extend(self.outbox.drain().map(|output| (at, output)));
    }

    fn structures(&self, from: u64) -> Vec<Structure> {
        let of = |&(at, output): &(u64, Output)| match output {
            Output::Structure(structure) if at >= from => Some(structure),
            _ => None,
        };
        self.said.iter().filter_map(of).collect()
    }

    fn bars(&self) -> impl Iterator<Item = (u64, Timeframe, Bar)> {
        self.said.iter().filter_map(|&(at, output)| match output {
            Output::BarClosed(_, timeframe, bar) => Some((at, timeframe, bar)),
            _ => None,
        })
    }
}

/// A seeded market of trades and timers.
fn market(seed: u64, seconds: u64) -> Vec<(u64, EventBody)> {
    let (mut rng, mut price, mut events) = (Rng(seed), 50_000 * SCALE, vec![]);
    let mut at = START;
    while at < START + seconds * SECOND {
        at += 1 + rng.below(SECOND / 2);
        price += (rng.below(41) as i64 - 20) * SCALE / 10;
        let qty = Qty(1 + rng.below(1_000) as i64);
        let aggressor = if rng.chance(50) { Side::Buy } else { Side::Sell };
        let trade = Trade { price: Price(price), qty, aggressor, trade_id: events.len() as u64 };
        events.push((at, EventBody::Trade(trade)));
        if rng.chance(20) {
            events.push((at, EventBody::Timer));
        }
    }
    events
}

#[test]
fn candles_first_and_trades_after_end_where_watching_all_along_does() {
    for seed in 1..6 {
        let events = market(seed, 3 * 3_600);
        let mut all_along = Watch::new();
        all_along.feed(START, EventBody::Feed(FeedState::Live));
        for &(at, body) in &events {
            all_along.feed(at, body);
        }

        // We come late, in the middle of every bucket.
        let since = START + 2 * 3_600 * SECOND + 17 * SECOND + seed * SECOND / 7;
        let mut late = Watch::new();
        let mut candles = all_along.bars().peekable();
        while let Some((at, timeframe, bar)) = candles.next_if(|&(at, ..)| at < since) {
            late.feed(at, EventBody::Bar(timeframe, bar));
        }
        late.feed(since, EventBody::Feed(FeedState::Live));
        for &(at, body) in events.iter().filter(|&&(at, _)| at >= since) {
            late.feed(at, body);
            // The venue sends every candle once it is closed; only those of the buckets we joined late are
            // needed, the others change nothing.
            while let Some((closed_at, timeframe, bar)) = candles.next_if(|&(closed_at, ..)| closed_at <= at)
            {
                if bar.open_ts < TsNs(since) || seed % 2 == 0 {
                    late.feed(closed_at, EventBody::Bar(timeframe, bar));
                }
            }
        }
        let (ours, theirs) = (late.structures(0), all_along.structures(0));
        assert!(theirs.len() > 5_000, "too quiet to prove anything");
        assert_eq!(ours.len(), theirs.len());
        for (nth, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "seed {seed}, structure {nth}");
        }
    }
}

#[test]
fn a_bucket_joined_late_is_not_closed_from_what_was_seen_of_it() {
    let mut watch = Watch::new();
    let since = START + 17 * SECOND + 1;
    watch.feed(since, EventBody::Feed(FeedState::Live));
    for &(at, body) in market(1, 200).iter().filter(|&&(at, _)| at >= since) {
        watch.feed(at, body);
    }
    for timeframe in settings().timeframes {
        let first = watch.bars().find(|&(_, tf, _)| tf == timeframe).unwrap().2;
        let next = timeframe.open_of(TsNs(since)).0 + timeframe.nanos();
        assert!((next..next + 2 * timeframe.nanos()).contains(&first.open_ts.0), "{timeframe}");
    }
}
