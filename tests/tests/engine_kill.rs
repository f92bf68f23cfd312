//! `kill -9` of an engine that writes its journal at full speed: no committed record is lost, no torn one accepted, every
//! order that left has its cause, the replay is identical, and a snapshot leads to the same state as all the inputs.
//!
//! The child is this test binary again: the real engine thread, journal and shadow, a market and a venue made up on the
//! spot, no sockets, so that a kill falls into the middle of journaling nearly every time. It tells the id of every order
//! that it hands on, through a pipe, before the venue answers. `ENGINE_KILLS` sets the count (100 by default).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use smc_core::codec;
use smc_core::config::EngineConfig;
use smc_core::engine::Engine;
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::{NewOrder, OrderKind, Output};
use smc_core::strategy::Confluence;
use smc_core::words::*;
use smc_journal::{Header, JournalSettings, Reader, RecordKind, SyncPolicy, snapshots, verify};
use smc_replay::{Shadow, Under, rebuild, replay};
use smc_runtime::config::FileConfig;
use smc_runtime::counters::Counters;
use smc_runtime::engine_thread::{EngineThread, Outbound};
use smc_runtime::latency::Latencies;
use smc_runtime::resume::{self, Opened};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::{BUSY, Random, smc};

const CHILD: &str = "ENGINE_KILL_CHILD";
/// Kills of one journal before a new one is begun, so that replaying stays short.
const KILLS_PER_JOURNAL: u64 = 10;
const BTC: InstrumentId = InstrumentId(0);
const MS: u64 = 1_000_000;

fn config() -> (FileConfig, EngineConfig) {
    let file = FileConfig::parse(BUSY).unwrap();
    let engine = file.engine().unwrap();
    (file, engine)
}

fn core(config: &EngineConfig) -> Engine<Confluence> {
    Engine::new(config.clone(), Confluence::for_config(config)).unwrap()
}

fn settings(dir: &Path) -> JournalSettings {
    let sync = SyncPolicy::Every(Duration::from_millis(5));
    JournalSettings { segment_bytes: 1 << 20, sync, ..JournalSettings::new(dir) }
}

fn header() -> Header {
    Header { build: smc_core::build_hash(), environment: "sim".into(), ..Header::default() }
}

/// A market that walks and a venue that answers at once. It forgets everything with the process.
struct World {
    random: u64,
    now: TsNs,
    /// Best bid in ticks of 0.01; the best ask is two above.
    bid: i64,
    drift: i64,
    nth: u64,
    working: Vec<NewOrder>,
}

impl World {
    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.random >> 33) % end
    }

    fn price(&self, ticks: i64) -> Price {
        Price(ticks * SCALE / 100)
    }

    /// A quote, a trade, sometimes time.
    fn market(&mut self) -> (InstrumentId, EventBody) {
        self.nth += 1;
        self.now = TsNs(self.now.0 + 20 * MS);
        if self.nth.is_multiple_of(2) {
            if self.below(40) == 0 {
                self.drift = self.below(61) as i64 - 30;
            }
            self.bid = (self.bid + self.drift + self.below(41) as i64 - 20).clamp(1_000_000, 9_000_000);
            let qty = Qty(SCALE * (1 + self.below(5) as i64));
            let (bid, ask) = (self.price(self.bid), self.price(self.bid + 2));
            return (
                BTC,
                EventBody::Quote(Quote { bid, bid_qty: qty, ask, ask_qty: qty, update_id: self.nth }),
            );
        }
        let is_buy = self.below(2) == 0;
        let price = self.price(if is_buy { self.bid + 2 } else { self.bid });
        let aggressor = if is_buy { Side::Buy } else { Side::Sell };
        let qty = Qty(SCALE / 100 * (1 + self.below(100) as i64));
        (BTC, EventBody::Trade(Trade { price, qty, aggressor, trade_id: self.nth }))
    }

    /// What the venue says to what was handed on, and to the market.
    fn answers(&mut self, out: &mut Vec<Output>) -> Vec<EventBody> {
        let mut said = Vec::new();
        let update =
            |id, kind| EventBody::Order(OrderUpdate { client_order_id: id, venue_order_id: 1, kind });
        for output in out.drain(..) {
            match output {
                Output::NewOrder(order) => {
                    said.push(update(order.order().client_order_id, OrderUpdateKind::Ack));
                    self.working.push(*order.order());
                }
                Output::Cancel(cancel) => {
                    let id = cancel.client_order_id;
                    let known = self.working.iter().position(|order| order.client_order_id == id);
                    said.push(update(
                        id,
                        match known {
                            Some(at) => {
                                self.working.swap_remove(at);
                                OrderUpdateKind::Canceled { cum_qty: Qty::ZERO }
                            }
                            None => OrderUpdateKind::CancelReject { code: -2011 },
                        },
                    ));
                }
                _ => {}
            }
        }
        let (bid, ask) = (self.price(self.bid), self.price(self.bid + 2));
        let mut at = 0;
        while let Some(order) = self.working.get(at).copied() {
            let touch = if order.side == Side::Buy { ask } else { bid };
            let fills = match order.kind {
                OrderKind::Market => true,
                OrderKind::StopLimit if order.side == Side::Sell => bid <= order.stop_price,
                OrderKind::StopLimit => ask >= order.stop_price,
                _ if order.side == Side::Buy => ask <= order.price,
                _ => bid >= order.price,
            };
            if !fills {
                at += 1;
                continue;
            }
            self.working.swap_remove(at);
            self.nth += 1;
            let kind = OrderUpdateKind::Fill {
                trade_id: self.now.0 / 1_000 + self.nth,
                side: order.side,
                price: touch,
                qty: order.qty,
                cum_qty: order.qty,
                fee: Money(1),
                fee_asset: Name::new("USDT").unwrap(),
                is_maker: false,
            };
            said.push(update(order.client_order_id, kind));
        }
        said
    }
}

fn first_events(now: TsNs) -> Vec<(InstrumentId, EventBody)> {
    let name = |text| Name::new(text).unwrap();
    let spec = InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(SCALE / 100),
        lot: Qty(SCALE / 100_000),
        qty_min: Qty(SCALE / 100_000),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    };
    let balance = |asset, units: i64| {
        EventBody::Balance(Balance { asset: name(asset), free: Qty(units * SCALE), locked: Qty::ZERO })
    };
    assert!(now.0 > 0);
    vec![
        (BTC, EventBody::Instrument(spec)),
        (InstrumentId::NONE, balance("USDT", 1_000_000)),
        (InstrumentId::NONE, balance("BTC", 50)),
        (InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready)),
        (BTC, EventBody::Feed(FeedState::Live)),
    ]
}

/// Trades until it is killed, on a new journal or on the one it finds.
#[test]
fn child_that_trades_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let dir = Path::new(&dir);
    let (file, config) = config();
    let text = file.deciding_text();
    let under = Under { text: &text, build: smc_core::build_hash() };
    let is_new = resume::config_of(&settings(dir)).unwrap().is_none();
    let (opened, core) = if is_new {
        let opened = resume::create(&settings(dir), &header(), &text, TsNs(1)).unwrap();
        (opened, core(&config))
    } else {
        resume::resume(&settings(dir), &header(), &under, || Ok(core(&config))).unwrap()
    };
    let Opened { journal, recovery } = opened;
    let mut copy = self::core(&config);
    let next = journal.next_seq();
    let mut world = World {
        random: next,
        now: recovery.as_ref().map_or(TsNs(1_767_225_600_000_000_000), |found| found.last_ts),
        bid: 6_000_000,
        drift: 0,
        nth: 0,
        working: Vec::new(),
    };
    let mut core = core;
    let mut state = Vec::new();
    core.save(&mut state);
    copy.load(&state).unwrap();
    let shadow = Shadow::new(dir, next, copy, &under, 10_000).unwrap();
    let stop: &'static AtomicBool = Box::leak(Box::default());
    std::thread::spawn(move || follow(shadow, stop));

    let open: Vec<_> =
        core.open_orders().map(|order| (order.instrument, order.client_order_id, order.filled_qty)).collect();
    let counters = Counters::create(&dir.join("counters.smc")).unwrap();
    let mut engine =
        EngineThread::new(core, journal, counters, Latencies::new().probe(), config.timer_interval_ns);
    let mut pipe = std::io::stderr().lock();
    let mut pending: Vec<Output> = Vec::new();
    let mut take = |world: &World, instrument, body, pending: &mut Vec<Output>| {
        let event = Event { seq: 0, ts_event: world.now, ts_recv: world.now, instrument, body };
        let mut forward = |out: Outbound| {
            if let Output::NewOrder(order) = &out.output {
                pipe.write_all(&order.order().client_order_id.0.to_le_bytes()).unwrap();
            }
            pending.push(out.output);
        };
        // Events are made faster than the disk gives segments, and an event is journaled whole.
        while !engine.has_segment_ahead() {
            std::thread::yield_now();
        }
        engine.take(event, 0, &mut forward).unwrap();
    };
    if !is_new {
        take(&world, InstrumentId::NONE, EventBody::Operator(Command::Start.into()), &mut pending);
        take(&world, InstrumentId::NONE, EventBody::Gateway(GatewayState::Down), &mut pending);
        for (instrument, client_order_id, cum_qty) in open {
            let kind = OrderUpdateKind::Canceled { cum_qty };
            let body = EventBody::Order(OrderUpdate { client_order_id, venue_order_id: 1, kind });
            take(&world, instrument, body, &mut pending);
        }
        pending.clear();
    }
    for (instrument, body) in first_events(world.now) {
        take(&world, instrument, body, &mut pending);
    }
    loop {
        let (instrument, body) = world.market();
        take(&world, instrument, body, &mut pending);
        for body in world.answers(&mut pending) {
            take(&world, BTC, body, &mut pending);
        }
    }
}

fn follow(mut shadow: Shadow<Confluence>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        match shadow.turn() {
            Ok(0) => std::thread::sleep(Duration::from_micros(200)),
            Ok(_) => {}
            Err(error) => panic!("the shadow: {error}"),
        }
    }
}

/// What all the kills left.
#[derive(Default, Debug)]
struct Tally {
    kills: u64,
    records: u64,
    torn: u64,
    orders_sent: u64,
    fills: u64,
    snapshots_used: u64,
}

#[test]
fn j01_killed_engines_lose_nothing_and_replay_to_the_same() {
    let kills: u64 = std::env::var("ENGINE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let mut random = Random::from_env(5);
    let mut tally = Tally::default();
    while tally.kills < kills {
        let dir = tempfile::tempdir().unwrap();
        let (mut sent, mut kept) = (BTreeSet::new(), 0);
        for _ in 0..KILLS_PER_JOURNAL.min(kills - tally.kills) {
            sent.extend(kill_one(dir.path(), &mut random));
            tally.kills += 1;
            if Reader::open(dir.path()).is_err() {
                assert!(sent.is_empty() && kept == 0, "nothing was begun");
                continue;
            }
            kept = judge(dir.path(), &sent, kept, &mut tally);
        }
        tally.records += kept;
        tally.orders_sent += sent.len() as u64;
    }
    println!("{tally:?}");
    assert!(kills < 50 || tally.orders_sent > kills, "too few orders to prove anything");
    assert!(kills < 50 || tally.snapshots_used > kills / 4, "too few snapshots to prove anything");
}

/// `smc journal prune` on a journal of many segments: what is left verifies, replays, and goes on to the same state.
#[test]
fn a_pruned_journal_verifies_replays_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::from_env(9);
    for _ in 0..4 {
        kill_one(dir.path(), &mut random);
    }
    let (file, config) = config();
    let text = file.deciding_text();
    let under = Under { text: &text, build: smc_core::build_hash() };
    let go_on = || {
        let resumed = resume::resume(&settings(dir.path()), &header(), &under, || Ok(core(&config))).unwrap();
        let (Opened { journal, .. }, mut core) = resumed;
        journal.close().unwrap();
        let mut state = Vec::new();
        core.save(&mut state);
        state
    };
    let before = go_on();
    let sound = verify(dir.path()).unwrap();
    let journal = dir.path().to_str().unwrap();
    let plan = smc(&["journal", "prune", journal, "--keep", "3MiB", "--dry-run"]);
    assert_eq!(plan.code, 0, "{}", plan.tail());
    assert_eq!(verify(dir.path()).unwrap(), sound, "a dry run changes nothing");
    let done = smc(&["journal", "prune", journal, "--keep", "3MiB", "--json"]);
    assert_eq!(done.code, 0, "{}", done.tail());
    let pruned = verify(dir.path()).unwrap();
    assert!(pruned.is_sound() && pruned.first_seq > 1 && pruned.chain == sound.chain, "{pruned}");
    for words in [&["journal", "verify"][..], &["replay", "--verify"], &["journal", "tail", "-n", "3"]] {
        let done = smc(&[words, &[journal]].concat());
        assert_eq!(done.code, 0, "{words:?}: {}{}", done.stdout, done.tail());
    }
    // Without snapshots the base is the beginning.
    for seq in snapshots(dir.path()).unwrap() {
        smc_journal::remove_snapshot(dir.path(), seq).unwrap();
    }
    assert!(go_on() == before, "the base leads elsewhere");
    let again = smc(&["journal", "prune", journal, "--keep", "3GiB"]);
    assert!(
        again.code == 0 && again.stdout.contains("nothing to remove"),
        "{}{}",
        again.stdout,
        again.tail()
    );
    let wrong = smc(&["journal", "prune", journal]);
    assert_eq!(wrong.code, 2);
}

/// F-03: a long journal restarts from its newest snapshot, and comes to the state of all its inputs. Prints both times;
/// `ENGINE_RESTART_MIB` sets the length (48 by default; the row asks for 1024, `cargo xtask journal-restart`).
#[test]
fn f03_a_long_journal_restarts_from_a_snapshot_to_the_same_state() {
    let mib: u64 = std::env::var("ENGINE_RESTART_MIB").ok().and_then(|n| n.parse().ok()).unwrap_or(48);
    let dir = tempfile::tempdir().unwrap();
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_trades_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let written = || {
        let files = std::fs::read_dir(dir.path()).unwrap();
        files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum::<u64>() >> 20
    };
    tests::wait_until_within(Duration::from_secs(600), "a long journal with snapshots", || {
        assert!(child.try_wait().unwrap().is_none(), "the child ended");
        written() >= mib && snapshots(dir.path()).is_ok_and(|found| !found.is_empty())
    });
    child.kill().unwrap();
    child.wait().unwrap();

    let (file, config) = config();
    let text = file.deciding_text();
    let under = Under { text: &text, build: smc_core::build_hash() };
    let started = std::time::Instant::now();
    let resumed = resume::resume(&settings(dir.path()), &header(), &under, || Ok(core(&config))).unwrap();
    let restart = started.elapsed();
    let (Opened { journal, recovery }, mut short) = resumed;
    let records = recovery.unwrap().records;
    journal.close().unwrap();
    let started = std::time::Instant::now();
    let reader = Reader::open(dir.path()).unwrap();
    let mut straight = core(&config);
    assert_eq!(replay(&reader, &mut straight).unwrap().difference, None);
    let full = started.elapsed();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    short.save(&mut a);
    straight.save(&mut b);
    assert!(a == b, "the snapshot leads elsewhere");
    println!(
        "{} MiB, {records} records: restart {:.2} s, full replay {:.2} s, state {} KiB",
        written(),
        restart.as_secs_f64(),
        full.as_secs_f64(),
        a.len() >> 10
    );
}

/// Starts a child, kills it, and gives the ids of the orders that it handed on.
fn kill_one(dir: &Path, random: &mut Random) -> BTreeSet<u64> {
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_trades_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    });
    std::thread::sleep(Duration::from_micros(15_000 + random.below(150_000)));
    assert!(
        child.try_wait().unwrap().is_none(),
        "ended by itself: {}",
        String::from_utf8_lossy(&reader.join().unwrap())
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let bytes = reader.join().unwrap();
    let told = String::from_utf8_lossy(&bytes);
    assert!(!told.contains("panicked"), "{told}");
    // A last id that the kill cut in two was not handed on whole.
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// Checks a journal that a kill left; how many records it has.
fn judge(dir: &Path, sent: &BTreeSet<u64>, kept: u64, tally: &mut Tally) -> u64 {
    let verdict = verify(dir).unwrap();
    assert_eq!(verdict.damage, None);
    assert!(verdict.records >= kept, "{} of {kept} records are left", verdict.records);
    tally.torn += u64::from(verdict.torn.is_some());
    let reader = Reader::open(dir).unwrap();
    let (file, config) = config();
    let mut straight = core(&config);
    let found = replay(&reader, &mut straight).unwrap();
    assert_eq!(found.difference, None);
    let mut journaled = BTreeSet::new();
    for record in reader.records().map(Result::unwrap) {
        if record.kind == RecordKind::Output
            && let Output::<NewOrder>::NewOrder(order) = codec::decode(record.payload).unwrap()
        {
            journaled.insert(order.client_order_id.0);
        }
    }
    let unexplained: Vec<_> = sent.difference(&journaled).collect();
    assert!(unexplained.is_empty(), "orders without a journaled cause: {unexplained:?}");
    // The short way and the long way lead to the same state, to the byte.
    let text = file.deciding_text();
    let under = Under { text: &text, build: smc_core::build_hash() };
    let short = rebuild(dir, &reader, &under, None, || Ok(core(&config))).unwrap();
    let mut short_core = short.core;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    straight.save(&mut a);
    short_core.save(&mut b);
    assert!(a == b, "a snapshot behind record {:?} leads elsewhere", short.from);
    assert_eq!(short.from.is_some(), !snapshots(dir).unwrap().is_empty(), "a good snapshot was passed over");
    tally.snapshots_used += u64::from(short.from.is_some());
    tally.fills += straight.fills();
    verdict.records
}
