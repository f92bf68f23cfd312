//! One engine killed again and again goes on with its journal: fills that happened while it was dead are found and
//! counted once, and its position stays what the venue's account says.
//!
//! The venue is `smc sim` in its own process, whose market goes on while the engine is dead. Each time the engine
//! must become ready again with a live feed. In the end the venue's own list of trades (REST, signed) is compared
//! with the journal. `SMC_TEST_SEED` sets the moments of the kills.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use serde_json::Value;
use smc_core::codec;
use smc_core::event::{Event, EventBody, FeedState, GatewayState, OrderUpdateKind};
use smc_core::output::{NewOrder, Output};
use smc_core::words::{Name, Qty, SCALE};
use smc_journal::{RecordKind, Tail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::{
    Child, Random, Rec, SimProcess, VenueAccount, VenueTrade, records_of, resting_config_text, smc,
    wait_until,
};

/// How often the engine is killed at least; then on until an order has filled while it was dead, within reason.
const KILLS: usize = 8;
const KILLS_MAX: usize = 24;
/// Market seconds per second.
const SPEED: f64 = 20.0;
/// What the account owns before the first order; see `smc sim`.
const BTC_FIRST: i64 = 5 * SCALE;

#[test]
fn a_killed_engine_goes_on_and_finds_what_filled_while_it_was_dead() {
    let mut random = Random::from_env(3);
    let dir = tempfile::tempdir().unwrap();
    let sim = SimProcess::start(&dir.path().join("sim"), SPEED, random.below(1 << 32));
    let desk = Desk::new(dir.path(), &sim);
    let (mut run, mut found) = (0, 0);
    while run < KILLS || (found == 0 && run < KILLS_MAX) {
        let before = desk.records_len();
        let log = dir.path().join(format!("log-{run}"));
        let mut engine = Child::smc(&desk.args, &log);
        desk.wait_until_ready(before, &mut engine, &log);
        std::thread::sleep(Duration::from_millis(700 + random.below(1_500)));
        engine.kill();
        let told = std::fs::read_to_string(&log).unwrap();
        assert!(!told.contains("panicked"), "run {run}: {told}");
        found = Story::read(&records_of(&desk.journal)).fills_while_dead;
        run += 1;
        std::thread::sleep(Duration::from_millis(200 + random.below(1_000)));
    }
    let mut args = desk.args.to_vec();
    args.extend(["--seconds", "5"].map(String::from));
    let last = smc(&args);
    assert_eq!(last.code, 0, "{}", last.tail());

    let records = records_of(&desk.journal);
    let story = Story::read(&records);
    println!("{}", story.line());
    assert_eq!(story.runs.len(), run + 1);
    for (nth, run) in story.runs.iter().enumerate() {
        assert!(run.was_ready && run.was_live, "run {nth}: {run:?}");
    }
    assert!(story.fills_while_dead > 0, "nothing filled while the engine was dead: {}", story.line());
    story.agrees_with(&VenueAccount::open(&sim).trades());

    let done = smc(&["replay", "--json", "--verify", text(&desk.journal)]);
    assert_eq!(done.code, 0, "{}", done.tail());
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["replay"], "identical", "{document}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The files of the engine that is killed.
struct Desk {
    journal: PathBuf,
    args: [String; 7],
}

impl Desk {
    fn new(home: &Path, sim: &SimProcess) -> Self {
        let (config, journal, control) = (home.join("smc.toml"), home.join("journal"), home.join("control"));
        std::fs::write(&config, resting_config_text(sim)).unwrap();
        let words =
            ["run", "--config", text(&config), "--journal", text(&journal), "--control", text(&control)];
        Self { args: words.map(String::from), journal }
    }

    fn records_len(&self) -> u64 {
        if self.journal.exists() { records_of(&self.journal).len() as u64 } else { 0 }
    }

    /// Follows the journal past record `before` until gateway and feed are good.
    fn wait_until_ready(&self, before: u64, engine: &mut Child, log: &Path) {
        let (mut tail, mut is_ready, mut is_live) = (None, false, false);
        wait_until("gateway ready and feed live", || {
            let told = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(!engine.is_over(), "the engine ended: {}", told());
            if tail.is_none() {
                tail = Tail::open_from(&self.journal, before + 1).ok();
            }
            let Some(tail) = &mut tail else { return false };
            while let Some(record) = tail.poll().unwrap() {
                if record.kind != RecordKind::Input {
                    continue;
                }
                match codec::decode::<Event>(record.payload).unwrap().body {
                    EventBody::Gateway(state) => is_ready = state == GatewayState::Ready,
                    EventBody::Feed(state) => is_live = state == FeedState::Live,
                    _ => {}
                }
            }
            is_ready && is_live
        });
    }
}

/// One life of the engine, as the journal tells it.
#[derive(Debug, Default)]
struct Life {
    /// Venue time of its first input.
    begun_ns: u64,
    was_ready: bool,
    was_live: bool,
    gateway: Vec<GatewayState>,
}

/// What the journal tells.
#[derive(Debug, Default)]
struct Story {
    runs: Vec<Life>,
    /// By trade number; and how often it was put into the position.
    trades: BTreeMap<u64, (VenueTrade, u32)>,
    fills_while_dead: u32,
    /// Fills that were told again and not counted again.
    repeated: u32,
    checks: u32,
    position: i64,
    fees_btc: i64,
    balance_btc: i64,
}

impl Story {
    fn read(records: &[Rec]) -> Self {
        let mut story = Self { runs: vec![Life::default()], balance_btc: BTC_FIRST, ..Self::default() };
        // The trade number of the last input, when it was a fill.
        let mut fill = None;
        for record in records {
            match record.kind {
                RecordKind::Run => story.runs.push(Life::default()),
                RecordKind::Input => fill = story.input(&codec::decode(&record.payload).unwrap()),
                RecordKind::Output => {
                    let output = codec::decode::<Output<NewOrder>>(&record.payload).unwrap();
                    if let Output::Position(position) = output {
                        story.position = position.qty.0;
                        let id = fill.take().expect("a position changes by a fill");
                        story.trades.get_mut(&id).unwrap().1 += 1;
                    }
                }
                _ => {}
            }
        }
        for (id, (trade, counted)) in &story.trades {
            assert_eq!(*counted, 1, "trade {id} {trade:?}");
        }
        story
    }

    fn input(&mut self, event: &Event) -> Option<u64> {
        let run = self.runs.last_mut().unwrap();
        if run.begun_ns == 0 {
            run.begun_ns = event.ts_recv.0;
        }
        match event.body {
            EventBody::Gateway(state) => {
                let before = run.gateway.last().copied().unwrap_or(GatewayState::Down);
                let is_said_first = run.gateway.is_empty();
                assert!(state != before || is_said_first, "{state:?} was said twice: {run:?}");
                run.gateway.push(state);
                run.was_ready |= state == GatewayState::Ready;
                if state == GatewayState::Ready {
                    self.check();
                }
            }
            EventBody::Feed(state) => run.was_live |= state == FeedState::Live,
            EventBody::Balance(balance) if balance.asset == Name::new("BTC").unwrap() => {
                self.balance_btc = balance.free.0 + balance.locked.0;
                // Before that the fills of the time since the last run are still being asked for.
                if run.gateway.last() == Some(&GatewayState::Ready) {
                    self.check();
                }
            }
            EventBody::Order(update) => {
                if let OrderUpdateKind::Fill { trade_id, price, qty, fee, fee_asset, .. } = update.kind {
                    let trade = VenueTrade { price, qty, fee };
                    if self.trades.insert(trade_id, (trade, 0)).is_some_and(|(_, counted)| counted > 0) {
                        self.repeated += 1;
                        self.trades.insert(trade_id, (trade, 1));
                    } else {
                        let is_while_dead = self.runs.len() > 1 && event.ts_event.0 < self.begun_ns();
                        self.fills_while_dead += u32::from(is_while_dead);
                        self.fees_btc += if fee_asset == Name::new("BTC").unwrap() { fee.0 } else { 0 };
                    }
                    return Some(trade_id);
                }
            }
            _ => {}
        }
        None
    }

    fn begun_ns(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.begun_ns)
    }

    /// What the engine believes to hold is what the venue says it holds.
    fn check(&mut self) {
        self.checks += 1;
        // Fees taken in BTC are in the position already.
        let (ours, theirs) = (Qty(self.position), Qty(self.balance_btc - BTC_FIRST));
        assert_eq!(ours, theirs, "run {}: {}", self.runs.len(), self.line());
    }

    /// Every trade the venue knows up to our last one is ours, with the same numbers, and no other.
    fn agrees_with(&self, venue: &BTreeMap<u64, VenueTrade>) {
        let ours: BTreeMap<u64, VenueTrade> =
            self.trades.iter().map(|(id, (trade, _))| (*id, *trade)).collect();
        let last = ours.keys().next_back().copied().unwrap_or(0);
        let theirs: BTreeMap<u64, VenueTrade> =
            venue.range(..=last).map(|(id, trade)| (*id, *trade)).collect();
        assert_eq!(ours, theirs);
    }

    fn line(&self) -> String {
        format!(
            "{} runs, {} trades, {} of them while dead, {} told again, position {}, base fees {}, {} checks",
            self.runs.len(),
            self.trades.len(),
            self.fills_while_dead,
            self.repeated,
            Qty(self.position),
            Qty(self.fees_btc),
            self.checks
        )
    }
}
