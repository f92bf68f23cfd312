//! What an observer tells of a journal is what the engine that wrote it knows, and observing leaves no trace.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is test code, which the lint cannot see")]

mod common;

use common::{Book, World, world};
use smc_core::event::{Act, Command, EventBody, FeedState, LimitName, RiskScope};
use smc_core::output::{Control, Output, Purpose, TradingState};
use smc_core::strategy::Confluence;
use smc_core::words::{InstrumentId, Qty};
use smc_observe::{Observer, Picture, View};
use smc_replay::explain;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const BTC: InstrumentId = InstrumentId(0);

/// Follows until a picture shows everything that was written.
fn catch_up(observer: &mut Observer<Confluence>, last: u64) {
    let (view, began) = (observer.view(), Instant::now());
    while view.picture().seq < last {
        observer.turn().unwrap();
        assert!(began.elapsed() < Duration::from_secs(20), "stands at {}, not {last}", view.picture().seq);
    }
}

/// A run with a position or an open order at its end, and what somebody outside sees of it.
fn seen(dir: &Path, seed: u64) -> (World<Confluence>, View) {
    let mut world = world(seed);
    world.run(6_000);
    while world.engine.position(BTC) == Qty::ZERO || world.engine.open_orders().count() == 0 {
        world.run(1);
    }
    let mut book = Book::begin(dir);
    book.write(&world);
    let mut observer = Observer::open(dir).unwrap();
    catch_up(&mut observer, book.next_seq() - 1);
    (world, observer.view())
}

fn limit<'a>(picture: &'a Picture, scope: &str, name: &str) -> &'a smc_observe::picture::LimitUse {
    let found = picture.limits.iter().find(|limit| limit.scope_name == scope && limit.name == name);
    found.unwrap_or_else(|| panic!("no {scope} {name}"))
}

#[test]
fn the_picture_is_what_the_engine_knows() {
    let dir = tempfile::tempdir().unwrap();
    let (world, view) = seen(dir.path(), 11);
    let (core, picture) = (&world.engine, view.picture());
    let btc = &picture.instruments[0];
    assert_eq!((btc.symbol.as_str(), btc.position), ("BTCUSDT", core.position(BTC)));
    assert_eq!(
        (btc.average, btc.open_pnl),
        (core.positions().average(BTC), core.positions().unrealised(BTC))
    );
    assert_eq!((btc.feed, btc.feed_since.is_some()), (FeedState::Live, true));
    assert_eq!(picture.money.equity, Some(core.equity()));
    assert_eq!((picture.money.realised, picture.money.fees), (core.realised(), core.fees()));
    assert_eq!((picture.digest.clone(), picture.time), (core.digest().to_string(), core.now()));
    let open: Vec<String> = core.open_orders().map(|order| order.client_order_id.to_string()).collect();
    assert_eq!(picture.orders.len(), open.len());
    assert!(picture.orders.iter().all(|order| open.contains(&order.client_order_id)));
    assert!(picture.orders.is_sorted_by_key(|order| order.sent_at));

    // Counted from the journal, against what the engine said.
    let (counts, counters) = (&picture.counts, core.counters());
    let denied: u64 = counts.denials.values().sum();
    assert!(
        denied >= counters.orders_denied && counts.decisions == counters.orders_sent + counters.orders_denied
    );
    assert_eq!((counts.fills, counts.signals), (counters.fills, counters.signals));
    assert_eq!(counts.structures.values().flat_map(BTreeMap::values).sum::<u64>(), counters.structures);
    assert_eq!(counts.alerts.values().sum::<u64>(), counters.alerts);
    assert_eq!(picture.strategies[0].orders, counters.orders_sent);
    assert!(counters.fills > 0 && counters.structures > 100, "the run has something to count");
    assert!(counts.acks > 0 && counts.acks <= counters.orders_sent);
    assert_eq!(picture.strategies[0].parameters["stop_distance_ppm_min"], "800");

    // JSON and back: what a dashboard of another process reads.
    let text = serde_json::to_string(&*picture).unwrap();
    assert_eq!(serde_json::from_str::<Picture>(&text).unwrap(), *picture);
}

#[test]
fn the_newest_order_is_one_that_can_be_explained() {
    let dir = tempfile::tempdir().unwrap();
    let (_, view) = seen(dir.path(), 12);
    let reader = smc_journal::Reader::open(dir.path()).unwrap();
    let seq = view.picture().last_order.unwrap();
    let config = common::file().engine().unwrap();
    let told = explain(&reader, config, smc_replay::Question::Record(seq)).unwrap();
    assert!(told.target.seq == Some(seq) && !told.decisions.is_empty(), "{:?}", told.target);
}

#[test]
fn limits_are_used_as_the_gate_would_count() {
    let dir = tempfile::tempdir().unwrap();
    let (world, view) = seen(dir.path(), 13);
    let (core, picture) = (&world.engine, view.picture());
    let reserved = core.orders().reserved(BTC);
    let held = i128::from(core.position(BTC).0);
    let worst = (held + reserved.buy_qty).abs().max((held - reserved.sell_qty).abs());
    let position = limit(&picture, "instrument BTCUSDT", "position_qty_max");
    assert_eq!(position.used.map(|used| i128::from(used.0)), Some(worst));
    assert_eq!((position.raw, position.unit.as_str()), (Some(position.limit.0), "base"));
    let share = worst * 1_000_000;
    assert_eq!(
        position.use_ppm.map(i128::from),
        Some((share + i128::from(position.limit.0) - 1) / i128::from(position.limit.0))
    );

    let unit = i128::from(core.positions().valuation(BTC).unwrap().0);
    let gross = limit(&picture, "engine", "gross_max");
    let expected = (worst * unit + 99_999_999) / 100_000_000;
    assert_eq!(gross.used.map(|used| i128::from(used.0)), Some(expected), "worst case at the mark");
    let times = limit(&picture, "engine", "leverage_max_milli");
    let leverage = times.used.unwrap().0 as f64 / 1e8;
    assert!((leverage - expected as f64 / core.equity().0 as f64).abs() < 0.001, "{leverage}");
    assert_eq!(times.raw, Some(3_000));
    let open = limit(&picture, "engine", "open_orders_max");
    assert_eq!(open.used, Some(Qty(core.open_orders().count() as i64 * smc_core::words::SCALE)));
    assert!(limit(&picture, "instrument BTCUSDT", "collar_ppm").used.is_none(), "nothing without an order");
    // What the gate holds against it with an order of nothing is what is told.
    assert!(picture.limits.iter().all(|limit| limit.limit.0 > 0), "every limit is one");
}

#[test]
fn an_operators_words_are_seen_and_their_effect() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(14);
    world.run(200);
    let lower = Act {
        scope: RiskScope::instrument(BTC),
        limit: LimitName::PositionQtyMax,
        value: 100_000_000,
        operator: 1_000,
        ..Command::SetLimit.into()
    };
    world.feed(InstrumentId::NONE, EventBody::Operator(lower));
    world.command(Command::Kill);
    let mut book = Book::begin(dir.path());
    book.write(&world);
    let mut observer = Observer::open(dir.path()).unwrap();
    catch_up(&mut observer, book.next_seq() - 1);
    let picture = observer.view().picture();
    assert_eq!(limit(&picture, "instrument BTCUSDT", "position_qty_max").raw, Some(100_000_000));
    assert_eq!(picture.state, TradingState::Halt);
    let held = &picture.held[0];
    assert_eq!((held.scope, held.control), (RiskScope::ENGINE, Control::Trigger), "no person asked");
    let [set, kill] = [&picture.acts[0], &picture.acts[1]];
    assert_eq!(
        (set.command.as_str(), set.limit.as_str(), set.operator),
        ("set limit", "position_qty_max", Some(1_000))
    );
    assert_eq!((kill.command.as_str(), kill.state, kill.operator), ("kill", TradingState::Halt, None));
    assert_eq!((picture.counts.acts["kill"], picture.counts.acts["arm"]), (1, 0));
    let told: Vec<&str> = picture.alerts.iter().map(|alert| alert.text.as_str()).collect();
    let fell = "state: engine NORMAL -> HALT by trigger (kill)";
    assert!(told.contains(&fell) && told.contains(&"control: engine, trigger"), "{told:?}");
    assert!(picture.orders.iter().all(|order| order.purpose != Purpose::Entry || order.status != "working"));
}

/// The journal of a run that is observed, stopped observing in the middle, or not observed at all is the same, byte for byte.
#[test]
fn an_observer_that_dies_changes_nothing() {
    let run = |observe: bool| {
        let dir = tempfile::tempdir().unwrap();
        let mut world = world(15);
        let mut book = Book::begin(dir.path());
        let mut observer = None;
        for round in 0..20 {
            world.run(50);
            book.write(&world);
            if observe {
                let observer = observer.get_or_insert_with(|| Observer::open(dir.path()).unwrap());
                observer.turn().unwrap();
            }
            if round == 10 {
                observer = None;
            }
        }
        book.digest(&world.engine.digest().to_bytes());
        let records: Vec<Vec<u8>> = {
            let reader = smc_journal::Reader::open(dir.path()).unwrap();
            reader.records().map(|record| record.unwrap().payload.to_vec()).collect()
        };
        let names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        (records, names.len())
    };
    assert!(run(true) == run(false));
}

#[test]
fn an_engine_that_says_what_it_did_not_is_found_and_the_last_picture_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(16);
    world.run(100);
    let mut book = Book::begin(dir.path());
    book.write(&world);
    let last = book.next_seq() - 1;
    book.digest(&[7; 16]);
    let mut observer = Observer::open(dir.path()).unwrap();
    let view = observer.view();
    let error = loop {
        if let Err(error) = observer.turn() {
            break error.to_string();
        }
    };
    assert!(error.contains("digest"), "{error}");
    assert_eq!(view.picture().seq, last + 1);
    let over = view.over().unwrap();
    assert!(over.is_mismatch && over.reason.contains("digest"), "known at once, with its reason");
    drop(observer);
    assert!(view.over().unwrap().is_mismatch, "the first reason counts");
}

#[test]
fn a_snapshot_that_was_asked_for_is_one_to_go_on_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(17);
    world.run(500);
    let mut book = Book::begin(dir.path());
    book.write(&world);
    let mut observer = Observer::open(dir.path()).unwrap();
    catch_up(&mut observer, book.next_seq() - 1);
    assert!(smc_journal::snapshots(dir.path()).unwrap().is_empty(), "nobody asked");
    observer.view().ask_snapshot();
    world.run(500);
    book.write(&world);
    catch_up(&mut observer, book.next_seq() - 1);
    assert_eq!(smc_journal::snapshots(dir.path()).unwrap().len(), 1);
    let mut second = Observer::open(dir.path()).unwrap();
    let began = second.view().picture().seq;
    assert!(began > 500, "begins behind the snapshot, at {began}");
    catch_up(&mut second, book.next_seq() - 1);
    assert_eq!(second.core().digest(), world.engine.digest());
    let said = world.outputs().filter(|output| matches!(output, Output::Structure(_))).count() as u64;
    let counted: u64 = second.view().picture().counts.structures.values().flat_map(BTreeMap::values).sum();
    assert!(counted < said, "counts begin with the observer: {counted} of {said}");
}

/// A closed journal has one last picture, not a hundred a second; and one that is gone on with is closed no more.
#[test]
fn a_closed_journal_is_drawn_once_and_may_be_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(18);
    world.run(200);
    let mut book = Book::begin(dir.path());
    book.write(&world);
    let mut observer = Observer::open(dir.path()).unwrap();
    let view = observer.view();
    catch_up(&mut observer, book.next_seq() - 1);
    book.close();
    let follow = |observer: &mut Observer<Confluence>, is_closed: bool| {
        let began = Instant::now();
        while view.picture().journal.is_closed != is_closed {
            observer.turn().unwrap();
            assert!(began.elapsed() < Duration::from_secs(20), "never {is_closed}");
        }
    };
    follow(&mut observer, true);
    let last = view.picture();
    for _ in 0..20 {
        observer.turn().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(std::sync::Arc::ptr_eq(&last, &view.picture()), "drawn again, though nothing came");
    let (mut book, steps) = (Book::go_on(dir.path()), world.steps.len());
    world.run(50);
    book.write_since(&world, steps);
    follow(&mut observer, false);
    assert!(!observer.is_closed() && !observer.is_replaced());
    std::fs::rename(dir.path().join("00000002.smcj"), dir.path().join("gone")).unwrap();
    assert!(observer.is_replaced());
}
