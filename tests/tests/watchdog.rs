//! `smc watchdog` beside a real engine at a simulated venue: an engine that hangs, and one that is killed, leave no entry
//! waiting; what protects a position stays; and while the engine lives the watchdog does nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use serde_json::Value;
use smc_core::codec;
use smc_core::event::{Event, EventBody, OrderUpdateKind};
use smc_core::output::{NewOrder, Output, Purpose};
use smc_core::words::Qty;
use smc_journal::RecordKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tests::{Child, Random, Rec, SimProcess, VenueAccount, records_of, resting_config_text, smc, wait_until};

/// Market seconds per second.
const SPEED: f64 = 5.0;
/// Twice the engine's timer is the least.
const SILENCE_MS: &str = "500";
const ROUNDS_MAX: usize = 20;

#[test]
fn entries_of_an_engine_that_hangs_or_dies_are_withdrawn_and_stops_are_not() {
    let mut random = Random::from_env(11);
    let dir = tempfile::tempdir().unwrap();
    let sim = SimProcess::start(&dir.path().join("sim"), SPEED, random.below(1 << 32));
    let desk = Desk::new(dir.path(), &sim);
    let mut account = VenueAccount::open(&sim);
    let mut engine = desk.engine("engine-0");
    let dog = desk.watchdog("dog");

    // Until an entry has waited each time: some fill before the silence is long enough.
    let (mut rounds, mut withdrawn) = (0, [0; 2]);
    while withdrawn.contains(&0) {
        assert!(rounds < ROUNDS_MAX, "too few entries waited: {withdrawn:?}");
        let (before, sent, is_hanging) = (dog.canceled(), dog.words("cancel"), rounds % 2 == 0);
        desk.wait_until_entry_waits();
        assert_eq!(dog.words("cancel"), sent, "the engine lives");
        match is_hanging {
            true => engine.signal(libc::SIGSTOP),
            false => engine.kill(),
        }
        rounds += 1;
        wait_until("the watchdog has cleared the venue", || dog.words("clear") == rounds);
        check(&mut account, &desk);
        withdrawn[usize::from(is_hanging)] += dog.canceled() - before;
        match is_hanging {
            true => engine.signal(libc::SIGCONT),
            false => engine = desk.engine(&format!("engine-{rounds}")),
        }
        wait_until("the engine is heard again", || dog.words("alive") == rounds);
    }
    println!("{rounds} rounds, withdrawn from the dead {}, from the hanging {}", withdrawn[0], withdrawn[1]);

    // The next life finds out, and the whole story is one.
    desk.wait_until_entry_waits();
    let (code, _) = engine.end();
    assert_eq!(code, 0);
    let done = smc(&["replay", "--json", "--verify", text(&desk.journal)]);
    assert_eq!(done.code, 0, "{}", done.tail());
    let ours = account.trades();
    let told = Story::read(&records_of(&desk.journal));
    let last = told.trades.last().copied().unwrap_or(0);
    let theirs: Vec<u64> = ours.range(..=last).map(|(id, _)| *id).collect();
    assert_eq!(told.trades, theirs, "every fill is counted once");
}

/// At the venue no entry waits, and every stop that the journal has working is still there.
fn check(account: &mut VenueAccount, desk: &Desk) {
    let story = Story::read(&records_of(&desk.journal));
    let open = account.open_orders();
    for (id, kind) in &open {
        let purpose = story.open.get(id);
        assert_ne!(purpose, Some(&Purpose::Entry), "{id} {kind} waits for nobody");
    }
    for (id, purpose) in story.open.iter().filter(|(_, purpose)| **purpose == Purpose::Stop) {
        let is_there = open.iter().any(|(there, _)| there == id);
        let is_filled = account.trades().len() > story.trades.len();
        assert!(is_there || is_filled, "{id} {purpose:?} is gone: {open:?}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the journal tells of orders.
#[derive(Debug, Default)]
struct Story {
    /// Working as far as it knows, by the id that the venue shows.
    open: BTreeMap<String, Purpose>,
    qty: BTreeMap<String, Qty>,
    /// Trade ids, each once.
    trades: Vec<u64>,
}

impl Story {
    fn read(records: &[Rec]) -> Self {
        let mut story = Self::default();
        for record in records {
            match record.kind {
                RecordKind::Output => {
                    let output = codec::decode::<Output<NewOrder>>(&record.payload).unwrap();
                    if let Output::NewOrder(order) = output {
                        story.open.insert(order.client_order_id.to_string(), order.purpose);
                        story.qty.insert(order.client_order_id.to_string(), order.qty);
                    }
                }
                RecordKind::Input => {
                    let event: Event = codec::decode(&record.payload).unwrap();
                    let EventBody::Order(update) = event.body else { continue };
                    let id = update.client_order_id.to_string();
                    match update.kind {
                        OrderUpdateKind::Fill { trade_id, cum_qty, .. } => {
                            story.trades.push(trade_id);
                            if story.qty.get(&id).is_some_and(|&qty| cum_qty >= qty) {
                                story.open.remove(&id);
                            }
                        }
                        OrderUpdateKind::Canceled { .. }
                        | OrderUpdateKind::Reject { .. }
                        | OrderUpdateKind::Expired { .. }
                        | OrderUpdateKind::NotFound => _ = story.open.remove(&id),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        story.trades.sort_unstable();
        story.trades.dedup();
        story
    }
}

/// The files of the engine and its watchdog.
struct Desk {
    home: PathBuf,
    config: PathBuf,
    journal: PathBuf,
}

/// A watchdog and what it has said.
struct Dog {
    _process: Child,
    log: PathBuf,
}

impl Dog {
    fn told(&self) -> Vec<Value> {
        let told = std::fs::read_to_string(&self.log).unwrap();
        assert!(!told.contains("panicked"), "{told}");
        let whole = told.lines().take(told.matches('\n').count());
        whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How often it said `word`.
    fn words(&self, word: &str) -> usize {
        self.told().iter().filter(|line| line["word"] == word).count()
    }

    /// Orders that its cancels ended.
    fn canceled(&self) -> usize {
        self.told().iter().filter(|line| line["detail"]["how"] == "canceled").count()
    }
}

impl Desk {
    fn new(home: &Path, sim: &SimProcess) -> Self {
        let (config, journal) = (home.join("smc.toml"), home.join("journal"));
        std::fs::write(&config, resting_config_text(sim)).unwrap();
        Self { home: home.to_owned(), config, journal }
    }

    fn engine(&self, name: &str) -> Child {
        let control = self.home.join("control");
        let args = ["run", "--config", text(&self.config), "--journal", text(&self.journal), "--control"];
        Child::smc(&[&args[..], &[text(&control)]].concat(), &self.home.join(name))
    }

    fn watchdog(&self, name: &str) -> Dog {
        let log = self.home.join(name);
        let files = ["--config", text(&self.config), "--journal", text(&self.journal)];
        let args = [&["watchdog"], &files[..], &["--silence-ms", SILENCE_MS, "--json"]].concat();
        Dog { _process: Child::smc_told(&args, &log), log }
    }

    /// Follows the journal until an entry was accepted by the venue and waits.
    fn wait_until_entry_waits(&self) {
        wait_until("an entry waits", || {
            smc_journal::Tail::open(&self.journal).is_ok() && {
                let story = Story::read(&records_of(&self.journal));
                story.open.values().any(|purpose| *purpose == Purpose::Entry)
            }
        });
    }
}
