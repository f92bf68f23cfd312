//! Machines that take a bar at a time, by induction over their saved states.
//!
//! Rebuilding a machine from every prefix of 50,000 bars would cost a thousand million bars. It is not needed. Let `S(t)` be
//! the state saved after bar `t` of a machine that was built with all data in sight, and `said(t)` what it said at bar `t`;
//! let a *blind* machine be one that was built with no data in sight at all. Tested is
//!
//! 1. **start**: a blind machine that has taken nothing has the state `S(-1)`;
//! 2. **step**, for every `t`: a blind machine with the state `S(t - 1)` that takes bar `t`, and nothing else, says
//!    `said(t)` and then has the state `S(t)`.
//!
//! By induction a blind machine that takes bars `0..=t` says `said(0..=t)` and has the state `S(t)`, for every `t`: what the
//! machine with all data in sight said is what one says that cannot have seen more than its prefix. That is the truncation
//! law. It holds for what can be read as well as for what was said, because the state is in the comparison; and nothing can be
//! repainted, because what was said at `t` was compared as it was handed out.
//!
//! What the induction rests on is tested beside it, since a state that leaves out a field would make the step prove too little:
//! machines rebuilt from scratch on sampled prefixes have the same states and said the same, and machines that are given wildly
//! other bars behind sampled cuts did so up to the cut.

use super::{Found, Searched, Test};
use crate::market::wild;
use crate::workers::Workers;
use smc_core::codec::Buffer;
use smc_core::digest::Digest;
use smc_core::event::Bar;
use smc_core::output::{Output, Structure};
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::state::StateIo;
use smc_core::words::{InstrumentId, Price, Qty, Timeframe};
use smc_metrics::Random;

/// A machine over closed bars.
pub trait Machine {
    /// Takes a bar; appends what it says as bytes.
    fn on_bar(&mut self, bar: &Bar, said: &mut Vec<u8>);

    /// Appends all that it remembers.
    fn save(&mut self, to: &mut Vec<u8>);

    /// Brings back what was saved; false when the bytes are refused.
    fn load(&mut self, bytes: &[u8]) -> bool;
}

/// Makes machines. `in_sight` is data that the machine may look at while it is built: an honest one does not.
pub trait Build: Sync {
    /// What it makes.
    type Machine: Machine;

    /// Its name.
    fn name(&self) -> &str;

    /// A machine that has taken nothing.
    fn build(&self, in_sight: &[Bar]) -> Self::Machine;
}

/// What is sampled beside the induction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Samples {
    /// Prefixes that are rebuilt from scratch.
    pub prefixes: usize,
    /// Cuts behind which the bars are others.
    pub perturbed: usize,
    /// Of the cuts and the other bars.
    pub seed: u64,
}

/// What a machine said at a bar and how it stood after it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    said: Digest,
    state: Digest,
}

/// Pieces into which the bars are cut for the workers.
const PIECE: usize = 512;

/// The induction over every bar, and the samples.
pub fn search<B: Build>(build: &B, bars: &[Bar], samples: Samples, workers: Workers) -> Searched {
    // The whole run, with everything in sight: a mark a bar, and the state at the head of each piece.
    let mut sighted = build.build(bars);
    let (mut marks, mut heads) = (Vec::with_capacity(bars.len()), Vec::new());
    let start = state_of(&mut sighted);
    let mut scratch = Vec::new();
    for (nth, bar) in bars.iter().enumerate() {
        if nth % PIECE == 0 {
            heads.push(state_of(&mut sighted));
        }
        marks.push(take(&mut sighted, bar, &mut scratch));
    }
    let by_truncation = |last: usize| Found { by: Test::Truncation, last, at: last };
    let is_blind_at_start = state_of(&mut build.build(&[])) == start;

    // Each piece goes from its head by itself; the states between its bars are those of the blind machine itself, which
    // were just found to be those of the sighted one, so that saving and loading at each bar loses nothing.
    let piece = |nth: usize| {
        let from = nth * PIECE;
        let mut state = heads[nth].clone();
        let mut scratch = Vec::new();
        for (at, bar) in bars.iter().enumerate().skip(from).take(PIECE) {
            let mut blind = build.build(&[]);
            if !blind.load(&state) || take(&mut blind, bar, &mut scratch) != marks[at] {
                return Some(by_truncation(at));
            }
            state = state_of(&mut blind);
        }
        None
    };
    let induction = if is_blind_at_start {
        workers.first(heads.len(), piece).map(|(_, found)| found)
    } else {
        Some(by_truncation(0))
    };

    let mut random = Random::new(samples.seed);
    let mut cuts = |count: usize| -> Vec<usize> {
        let mut cuts: Vec<usize> = (0..count).map(|_| random.below(bars.len())).collect();
        cuts.sort_unstable();
        cuts
    };
    let (prefixes, perturbed) = (cuts(samples.prefixes), cuts(samples.perturbed));
    let rebuilt = || {
        let look = |nth: usize| {
            let last = prefixes[nth];
            differs(build, &bars[..=last], &marks[..=last], Test::Truncation)
        };
        workers.first(prefixes.len(), look).map(|(_, found)| found)
    };
    let other = || {
        let look = |nth: usize| {
            let last = perturbed[nth];
            let mut other = bars[..=last].to_vec();
            replace_future(&mut other, &bars[last + 1..], &mut Random::of_run(samples.seed, nth as u64));
            differs(build, &other, &marks[..=last], Test::Perturbation)
        };
        workers.first(perturbed.len(), look).map(|(_, found)| found)
    };
    let found = induction.or_else(rebuilt).or_else(other);
    Searched {
        name: build.name().into(),
        bars: bars.len(),
        cuts: bars.len(),
        perturbed: perturbed.len(),
        found,
    }
}

/// A machine that has these bars in sight, run over them, against the marks of another.
fn differs<B: Build>(build: &B, bars: &[Bar], marks: &[Mark], by: Test) -> Option<Found> {
    let mut machine = build.build(bars);
    let mut scratch = Vec::new();
    let at = bars.iter().zip(marks).position(|(bar, mark)| take(&mut machine, bar, &mut scratch) != *mark)?;
    Some(Found { by, last: marks.len() - 1, at })
}

fn take(machine: &mut impl Machine, bar: &Bar, scratch: &mut Vec<u8>) -> Mark {
    let (mut said, mut state) = (Digest::default(), Digest::default());
    scratch.clear();
    machine.on_bar(bar, scratch);
    said.fold(scratch);
    scratch.clear();
    machine.save(scratch);
    state.fold(scratch);
    Mark { said, state }
}

fn state_of(machine: &mut impl Machine) -> Vec<u8> {
    let mut bytes = Vec::new();
    machine.save(&mut bytes);
    bytes
}

/// Wildly other bars at the same times.
fn replace_future(bars: &mut Vec<Bar>, future: &[Bar], random: &mut Random) {
    const UNIT: f64 = 1e8;
    for bar in future {
        let from = bars.last().map_or(100.0, |last| last.close.0 as f64 / UNIT);
        let prices = wild(from.max(1e-3), random);
        let price = |value: f64| Price((value * UNIT) as i64);
        bars.push(Bar {
            open_ts: bar.open_ts,
            open: price(prices.open),
            high: price(prices.high),
            low: price(prices.low),
            close: price(prices.close),
            volume: Qty((random.unit() * UNIT) as i64),
            trades: bar.trades,
        });
    }
}

/// Market structure: everything that [`SmcEngine`] says and remembers.
#[derive(Clone, Debug)]
pub struct Structures {
    name: String,
    timeframe: Timeframe,
    params: SmcParams,
}

impl Structures {
    /// With these settings.
    pub fn new(name: impl Into<String>, timeframe: Timeframe, params: SmcParams) -> Self {
        Self { name: name.into(), timeframe, params }
    }
}

/// The engine and its ids.
pub struct StructureMachine {
    engine: SmcEngine,
    ids: IdSource,
    buffer: Buffer,
    is_early: bool,
}

impl Build for Structures {
    type Machine = StructureMachine;

    fn name(&self) -> &str {
        &self.name
    }

    fn build(&self, _in_sight: &[Bar]) -> StructureMachine {
        let engine = SmcEngine::new(InstrumentId(0), self.timeframe, &self.params);
        StructureMachine { engine, ids: IdSource::new(), buffer: Buffer::default(), is_early: false }
    }
}

impl StructureMachine {
    /// A structure was said at another bar than the one that made it known, or about a bar behind it.
    pub const fn is_early(&self) -> bool {
        self.is_early
    }
}

impl Machine for StructureMachine {
    fn on_bar(&mut self, bar: &Bar, said: &mut Vec<u8>) {
        let now = self.engine.bar_count();
        let (is_early, buffer) = (&mut self.is_early, &mut self.buffer);
        self.engine.on_bar(bar, &mut self.ids, &mut |structure: Structure| {
            // `confirmed_at` of the reference: the bar at whose close it is said, and never one to come.
            *is_early |= structure.known_bar != now || structure.bar > structure.known_bar;
            said.extend_from_slice(buffer.encode(&<Output>::Structure(structure)));
        });
    }

    fn save(&mut self, to: &mut Vec<u8>) {
        StateIo::save(&mut self.ids, to);
        self.engine.save(to);
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        // The ids are one number of four bytes.
        let Some((ids, engine)) = bytes.split_at_checked(4) else { return false };
        StateIo::load(&mut self.ids, ids).is_ok() && self.engine.load(engine).is_ok()
    }
}
