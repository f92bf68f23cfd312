//! A row of the fault reference as a few runs: one kind of trouble at a time, judged by the checker, and what the runs came to
//! together.

use super::at::At;
use super::run::{Outcome, Scene, run};
use smc_core::output::{AlertKind, Control, TradingState};
use std::path::Path;
use std::time::Duration;
use venue_sim::faults::Counts;
use venue_sim::{Fault, FaultPlan};

/// Market time with faults.
const FAULTY: Duration = Duration::from_secs(120);
/// Market time without, where the venue keeps an address out for ten minutes.
const SHUT_OUT: Duration = Duration::from_secs(700);
/// Books and quotes that a run must at least have held against the venue's.
const COMPARED_MIN: u32 = 60;

/// What the runs of a row came to, together.
#[derive(Debug, Default)]
pub struct Sum {
    /// How many there were.
    pub runs: u64,
    /// How often market data were lost.
    pub feed_losses: u32,
    /// How often the order path was ready.
    pub ready: u32,
    /// Books and quotes that were held against the venue's.
    pub compared: u32,
    /// Kills that hit a running engine.
    pub kills: u32,
    /// Orders decided.
    pub orders: usize,
    /// Fills told.
    pub fills: usize,
    /// Fills that were told more than once.
    pub told_again: usize,
    /// Orders whose outcome was unknown for a time.
    pub unknown: usize,
    /// Orders that something was heard of in a later life of the engine than decided them.
    pub outlived: usize,
    /// Orders with more than one fill.
    pub in_parts: usize,
    /// Requests made before the time that the venue had told.
    pub too_early: u64,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        let story = &outcome.story;
        let orders = story.orders.values();
        self.runs += 1;
        self.feed_losses += story.feed_losses;
        self.ready += story.ready;
        self.compared += story.compared;
        self.kills += outcome.kills;
        self.orders += story.orders.len();
        self.fills += story.fills.len();
        self.told_again += story.fills.values().filter(|fill| fill.told > 1).count();
        self.unknown += orders.clone().filter(|told| told.was_unknown).count();
        self.outlived += orders.filter(|told| told.lives.1 > told.lives.0).count();
        let of = |id| story.fills.values().filter(|fill| fill.client_order_id == id).count();
        self.in_parts += story.orders.keys().filter(|id| of(**id) > 1).count();
        self.too_early += outcome.faults.too_early;
    }
}

/// Runs with these faults, each at its chance in ppm, and with kills of the engine. Every fault must have struck.
#[track_caller]
pub fn row(program: &str, at: At, seeds: std::ops::Range<u64>, faults: &[(Fault, u32)], kills: u32) -> Sum {
    let mut sum = Sum::default();
    let mut struck = Counts::default();
    for seed in seeds {
        let plan = faults.iter().fold(FaultPlan::none(seed), |plan, (fault, ppm)| plan.with(*fault, *ppm));
        let mut scene = Scene { kills, at, ..Scene::of(plan, FAULTY) };
        let is_shut_out = |(fault, _): &(Fault, u32)| matches!(fault, Fault::Banned | Fault::Forbidden);
        if at.is_shut_long() && faults.iter().any(is_shut_out) {
            scene.calm = SHUT_OUT;
        }
        let outcome = well(program, &scene);
        struck.add(&outcome.faults);
        sum.add(&outcome);
    }
    let list: Vec<_> = faults.iter().map(|(fault, _)| (fault.name(), struck.of(*fault))).collect();
    println!("{} {list:?} {sum:?}", at.word());
    assert!(list.iter().all(|(_, count)| *count > 0), "{}: {list:?}", at.word());
    assert!(u64::from(sum.compared) > sum.runs * u64::from(COMPARED_MIN), "hardly seen: {sum:?}");
    sum
}

/// One run that must keep every promise; the files of one that does not are kept for a look.
#[track_caller]
pub fn well(program: &str, scene: &Scene) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    match run(scene, Path::new(program), home.path()) {
        Ok(outcome) if outcome.wrong.is_empty() => outcome,
        bad => {
            let kept = home.keep();
            let wrong = bad.map(|outcome| outcome.wrong);
            let (at, seed) = (scene.at.word(), scene.seed);
            panic!("{at}, seed {seed}: {wrong:#?}; kept in {}", kept.display());
        }
    }
}

impl Outcome {
    /// How often a person was told of something.
    pub fn alerts(&self, kind: AlertKind) -> usize {
        self.story.alerts.iter().filter(|alert| alert.kind == kind).count()
    }

    /// Whether anything was ever held at a level by a control.
    pub fn was_held(&self, level: TradingState, control: Control) -> bool {
        self.story.states.iter().any(|change| change.to == level && change.cause == control)
    }
}
