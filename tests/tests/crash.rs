//! `kill -9` of a trading engine at random instants: the journal recovers, replays, and explains every order that the
//! venue ever saw.
//!
//! The venue is `smc sim` in its own process and goes on while engines die and are started anew, each with its own
//! instance number and journal, all on one account. The simulator writes every order request it has read into its
//! audit file; each must stand in the journal of the instance that its id names. `SMC_CRASH_RUNS` sets how many
//! engines are killed; a seed is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use smc_core::event::{Event, EventBody};
use smc_core::{ClientOrderId, codec};
use smc_journal::{JournalSettings, RecordKind, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::{Child, Random, Rec, SimProcess, config_text, orders_of, records_of, smc};

/// Engines killed against one simulator before it is stopped and its audit file read.
const RUNS_PER_SIM: u64 = 10;
/// Market seconds per second: bars of one second close this often.
const SPEED: f64 = 120.0;

/// What the killed engines left.
#[derive(Default, Debug)]
struct Tally {
    runs: u64,
    records: u64,
    torn: u64,
    empty: u64,
    /// Orders in journals.
    journaled: u64,
    /// Order requests the venue read.
    seen: u64,
    accepted: u64,
    /// Journaled orders that had no answer when their engine was killed.
    unanswered: u64,
    /// Journaled orders that the venue never saw: cause first, bytes after.
    unsent: u64,
}

#[test]
fn no_order_without_a_journaled_cause_and_every_journal_replays() {
    let runs = std::env::var("SMC_CRASH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(50);
    let mut random = Random::from_env(2);
    let dir = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    let mut instance = 0;
    while tally.runs < runs {
        let group = RUNS_PER_SIM.min(runs - tally.runs);
        let home = dir.path().join(format!("sim-{}", tally.runs));
        crash_against_one_sim(&home, group, &mut instance, &mut random, &mut tally);
        std::fs::remove_dir_all(&home).unwrap();
    }
    println!("{tally:?}");
    assert!(tally.seen >= 2 * runs, "too few orders to prove anything: {tally:?}");
    assert!(runs < 50 || tally.seen > 100, "{tally:?}");
}

fn crash_against_one_sim(home: &Path, runs: u64, instance: &mut u16, random: &mut Random, tally: &mut Tally) {
    let sim = SimProcess::start(home, SPEED, random.below(1 << 32));
    let mut journals = BTreeMap::new();
    for _ in 0..runs {
        *instance += 1;
        let journal = crash_one(home, &sim, *instance, random);
        journals.insert(*instance, journal);
        tally.runs += 1;
    }
    let audit = sim.end();
    let causes: BTreeMap<u16, BTreeSet<ClientOrderId>> =
        journals.iter().map(|(instance, dir)| (*instance, judge(dir, tally))).collect();
    let mut seen = BTreeSet::new();
    for line in audit {
        // ts_ns symbol client_order_id method accepted ID, or … refused CODE
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, name, method, outcome, _] = words[..] else { panic!("audit line: {line}") };
        let id = ClientOrderId::parse(name.as_bytes()).unwrap_or_else(|| panic!("foreign id: {line}"));
        let journal = causes.get(&id.instance()).unwrap_or_else(|| panic!("nobody's order: {line}"));
        assert!(journal.contains(&id), "the venue saw an order without a journaled cause: {line}");
        assert_eq!(method, "order.place", "{line}");
        assert!(seen.insert(id), "sent twice: {line}");
        tally.seen += 1;
        tally.accepted += u64::from(outcome == "accepted");
    }
    tally.unsent += causes.values().flatten().filter(|id| !seen.contains(id)).count() as u64;
}

/// Starts an engine, kills it, and gives its journal.
fn crash_one(home: &Path, sim: &SimProcess, instance: u16, random: &mut Random) -> PathBuf {
    let topology = if instance.is_multiple_of(2) { "pipelined" } else { "inline" };
    let path = |name: &str| home.join(format!("{name}-{instance}"));
    let config = path("config");
    std::fs::write(&config, config_text(sim, instance, topology, "yield")).unwrap();
    let journal = path("journal");
    let args =
        ["run", "--config", text(&config), "--journal", text(&journal), "--control", text(&path("control"))]
            .map(String::from);
    let log = path("log");
    let mut engine = Child::smc(&args, &log);
    std::thread::sleep(Duration::from_micros(300_000 + random.below(1_200_000)));
    let told = || std::fs::read_to_string(&log).unwrap_or_default();
    assert!(!engine.is_over(), "engine {instance} ended before it was killed: {}", told());
    engine.kill();
    assert!(!told().contains("panicked"), "engine {instance}: {}", told());
    journal
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Checks one journal and gives the ids of its orders.
fn judge(journal: &Path, tally: &mut Tally) -> BTreeSet<ClientOrderId> {
    if !journal.join("00000001.smcj").exists() {
        tally.empty += 1;
        return BTreeSet::new();
    }
    let verdict =
        smc_journal::verify(journal).unwrap_or_else(|error| panic!("{}: {error}", journal.display()));
    assert_eq!(verdict.damage, None, "{}", journal.display());
    tally.records += verdict.records;
    tally.torn += u64::from(verdict.torn.is_some());
    if verdict.records == 0 {
        tally.empty += 1;
        return BTreeSet::new();
    }
    let done = smc(&["replay", "--json", text(journal)]);
    assert_eq!(done.code, 0, "{}: {}", journal.display(), done.tail());
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(document["replay"], "identical", "{document}");
    let records = records_of(journal);
    let ids: BTreeSet<_> = orders_of(&records).iter().map(|order| order.client_order_id).collect();
    let answered = answered(&records);
    tally.journaled += ids.len() as u64;
    tally.unanswered += ids.iter().filter(|id| !answered.contains(id)).count() as u64;
    resume(journal, records.len() as u64);
    ids
}

/// Orders that any answer of the venue was journaled for.
fn answered(records: &[Rec]) -> BTreeSet<ClientOrderId> {
    let inputs = records.iter().filter(|record| record.kind == RecordKind::Input);
    let ids = inputs.filter_map(|record| match codec::decode::<Event>(&record.payload).unwrap().body {
        EventBody::Order(update) => Some(update.client_order_id),
        _ => None,
    });
    ids.collect()
}

/// A next process can go on with the journal: nothing that was committed is lost, and it ends soundly.
fn resume(journal: &Path, records: u64) {
    let header = smc_journal::Reader::open(journal).unwrap().header().clone();
    let mut settings = JournalSettings::new(journal);
    settings.segment_bytes = 8 << 20;
    let (writer, _) = Writer::resume(&settings, &header)
        .unwrap_or_else(|error| panic!("{} does not resume: {error}", journal.display()));
    assert!(writer.next_seq() > records, "{}", journal.display());
    writer.close().unwrap();
    let verdict = smc_journal::verify(journal).unwrap();
    assert!(verdict.is_sound() && verdict.is_closed, "{}: {verdict:?}", journal.display());
    assert!(verdict.records > records);
}
