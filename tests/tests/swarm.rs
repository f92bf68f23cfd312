//! The swarm: two hundred runs of the real engine at a venue that goes wrong from a seed, each judged by the
//! independent checker (promises P1 to P6 of the fault reference).
//!
//! `SMC_SWARM_RUNS` sets how many, `SMC_SWARM_FIRST` the first seed; `cargo xtask swarm` sets both. A run that fails
//! prints its seed and leaves its files; a fault that never struck in a full swarm fails it. `SMC_SWARM_PAIRS=1` has every run at
//! Binance spot, with stop and target resting there as pairs of which one ends the other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use smc_core::output::{OrderKind, TradingState};
use smc_core::words::{ClientOrderId, Qty};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tests::swarm::{At, Outcome, Scene, run};
use venue_sim::faults::Counts;
use venue_sim::{Fault, SeenOrder};

/// From this many runs on every fault must have struck.
const FULL: u64 = 200;

#[derive(Default)]
struct Tally {
    faults: Counts,
    runs: u64,
    at: BTreeMap<At, [u64; 3]>,
    kills: u64,
    orders: u64,
    unknown: u64,
    fills: u64,
    told_again: u64,
    records: u64,
    feed_losses: u64,
    compared: u64,
    not_normal: BTreeMap<String, u64>,
    pairs: Pairs,
    failures: Vec<String>,
}

/// What became of the pairs at the venue.
#[derive(Debug, Default)]
struct Pairs {
    taken: u64,
    /// Filled whole.
    targets: u64,
    /// Filled in part and no further.
    parts: u64,
    stops: u64,
    unknown: u64,
    /// Refused by the venue's own rules.
    refused: u64,
    /// Stops that were placed alone after that.
    alone: u64,
}

impl Pairs {
    fn add(&mut self, outcome: &Outcome) {
        let Outcome { evidence, story, .. } = outcome;
        let of_list = evidence.end.orders.iter().filter(|order| order.list.is_some());
        for order in of_list {
            let id = ClientOrderId::parse(order.client_order_id.as_bytes());
            let Some(told) = id.and_then(|id| story.orders.get(&id)) else { continue };
            let (is_stop, filled) = (told.order.kind == OrderKind::StopLimit, order.filled_qty);
            self.taken += u64::from(is_stop);
            self.stops += u64::from(is_stop && filled > Qty::ZERO);
            self.targets += u64::from(!is_stop && filled == order.qty);
            self.parts += u64::from(!is_stop && filled > Qty::ZERO && filled < order.qty);
            self.unknown += u64::from(told.was_unknown);
        }
        let refused: BTreeSet<&str> = evidence
            .seen
            .iter()
            .filter(|seen| seen.method == "orderList.place.oco" && seen.outcome.is_err())
            .map(|seen| seen.client_order_id.as_str())
            .collect();
        self.refused += refused.len() as u64 / 2;
        let alone = |seen: &&SeenOrder| {
            seen.method == "order.place" && refused.contains(seen.client_order_id.as_str())
        };
        self.alone += evidence.seen.iter().filter(alone).count() as u64;
    }
}

impl Tally {
    fn add(&mut self, scene: &Scene, done: Result<Outcome, String>) {
        self.runs += 1;
        match done {
            Err(error) => {
                self.failures.push(format!("seed {} at {}: {error}", scene.seed, scene.at.word()));
            }
            Ok(outcome) => {
                let story = &outcome.story;
                self.faults.add(&outcome.faults);
                self.pairs.add(&outcome);
                let at = self.at.entry(scene.at).or_default();
                let counted = [1, story.orders.len() as u64, story.fills.len() as u64];
                at.iter_mut().zip(counted).for_each(|(sum, count)| *sum += count);
                self.kills += u64::from(outcome.kills);
                self.orders += story.orders.len() as u64;
                self.unknown += story.orders.values().filter(|told| told.was_unknown).count() as u64;
                self.fills += story.fills.len() as u64;
                self.told_again += story.fills.values().map(|fill| u64::from(fill.told - 1)).sum::<u64>();
                self.records += outcome.evidence.records.len() as u64;
                self.feed_losses += u64::from(story.feed_losses);
                self.compared += u64::from(story.compared);
                let state = story.state.filter(|(state, _)| *state > TradingState::Warn);
                if let Some((state, cause)) = state {
                    *self.not_normal.entry(format!("{state:?} by {cause:?}")).or_default() += 1;
                }
                if !outcome.wrong.is_empty() {
                    let wrong = outcome.wrong.join("\n  ");
                    let plan = scene.plan.describe();
                    let at = scene.at.word();
                    self.failures.push(format!("seed {} at {at} ({plan}):\n  {wrong}", scene.seed));
                }
            }
        }
    }

    fn table(&self, seconds: f64) -> String {
        let mut text = format!(
            "{} runs in {seconds:.1} s: {} orders, {} of them unknown for a time, {} fills, {} told again, {} kills, \
             {} times without market data, {} records, {} books and quotes compared; ended otherwise than normal: {:?}\n",
            self.runs,
            self.orders,
            self.unknown,
            self.fills,
            self.told_again,
            self.kills,
            self.feed_losses,
            self.records,
            self.compared,
            self.not_normal
        );
        if self.pairs.taken > 0 {
            text += &format!("          {:?}\n", self.pairs);
        }
        for (at, [runs, orders, fills]) in &self.at {
            text += &format!("{runs:>8}  runs at {}: {orders} orders, {fills} fills\n", at.word());
        }
        for fault in Fault::ALL {
            text += &format!("{:>8}  {}\n", self.faults.of(fault), fault.name());
        }
        text
    }
}

/// So many runs from the first seed on, of which none may break a promise.
fn swarm(first: u64, runs: u64, scene_of: fn(u64) -> Scene) -> Tally {
    let program = Path::new(env!("CARGO_BIN_EXE_swarm-engine"));
    let dir = tempfile::tempdir().unwrap();
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let started = Instant::now();
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get()).max(2);
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    std::thread::scope(|scope| {
        for nth in 0..workers {
            let core = cores.get(nth % cores.len().max(1)).copied();
            let (next, tally, dir) = (&next, &tally, &dir);
            scope.spawn(move || {
                // A venue and its engines on one core, which they hand to each other: a fifth faster than on two.
                core.map(core_affinity::set_for_current);
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs || tally.lock().unwrap().failures.len() >= 5 {
                        return;
                    }
                    let scene = scene_of(seed);
                    let home = dir.path().join(seed.to_string());
                    std::fs::create_dir_all(&home).unwrap();
                    let done = run(&scene, program, &home);
                    let is_good = done.as_ref().is_ok_and(|outcome| outcome.wrong.is_empty());
                    tally.lock().unwrap().add(&scene, done);
                    if is_good {
                        std::fs::remove_dir_all(&home).unwrap();
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{}", tally.table(started.elapsed().as_secs_f64()));
    if !tally.failures.is_empty() {
        let kept = dir.keep();
        panic!(
            "{} of {} runs failed; again with cargo xtask swarm --seed N; files in {}\n{}",
            tally.failures.len(),
            tally.runs,
            kept.display(),
            tally.failures.join("\n")
        );
    }
    tally
}

#[test]
fn no_promise_is_broken_at_a_venue_that_goes_wrong() {
    let number = |key: &str| std::env::var(key).ok().and_then(|text| text.parse::<u64>().ok());
    let runs = number("SMC_SWARM_RUNS").unwrap_or(FULL);
    let first = number("SMC_SWARM_FIRST").unwrap_or(1);
    let has_pairs = number("SMC_SWARM_PAIRS") == Some(1);
    let tally = swarm(first, runs, if has_pairs { Scene::with_pairs } else { Scene::from_seed });
    let places = if has_pairs { 1 } else { At::ALL.len() };
    let silent = Fault::ALL.into_iter().filter(|fault| tally.faults.of(*fault) == 0).map(Fault::name);
    let silent = silent.collect::<Vec<_>>();
    assert!(runs < FULL || silent.is_empty(), "never struck: {}", silent.join(", "));
    assert!(runs < FULL || tally.at.len() == places, "{:?}", tally.at);
    assert!(runs < FULL || tally.kills > 50, "{} kills", tally.kills);
}

/// The short form of `SMC_SWARM_PAIRS=1`.
#[test]
fn no_promise_about_a_pair_is_broken() {
    let Pairs { taken, targets, parts, stops, refused, alone, .. } = swarm(1, 12, Scene::with_pairs).pairs;
    for (count, what) in
        [(taken, "taken"), (targets, "filled"), (parts, "filled in part"), (stops, "stopped")]
    {
        assert!(count > 0, "no pair was {what}");
    }
    assert!(refused > 0 && alone > 0, "{refused} refused, {alone} stops of them alone");
}

/// Seeds that found a bug and need no kill for it: an answer to a client that had just given up, and a further part of an
/// Oanda entry that the account's list told first. 2899 and 5710 have a kill and fail without its luck: a simulated futures venue
/// that did what it said it could not do, and an Oanda entry that filled in part while no engine lived and worked on.
#[test]
fn seeds_that_once_failed_pass() {
    for seed in [5_043, 20_123, 2_899, 5_710] {
        let (scene, home) = (Scene::from_seed(seed), tempfile::tempdir().unwrap());
        let outcome = run(&scene, Path::new(env!("CARGO_BIN_EXE_swarm-engine")), home.path());
        let outcome = outcome.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(outcome.wrong.is_empty(), "seed {seed}: {}", outcome.wrong.join("\n  "));
    }
}
