//! `smc bench`: how long things take on this machine, measured beside the machine's own limit in the same run.
//!
//! Says what it measured and how many samples stand behind each figure; never prints a tail that its samples cannot
//! carry. Every run checks the answers of what it timed: a journal that does not replay is no result.

mod cores;
mod echo;
mod engine;
mod journal;
mod limits;
mod machine;
mod market;
mod rig;
mod stages;
mod wire;

use crate::failure::Outcome;
use clap::Subcommand;
use serde::Serialize;

/// What to measure.
#[derive(Subcommand)]
pub enum Command {
    Limits(limits::Args),
    Engine(engine::Args),
    Stages(stages::Args),
    Journal(journal::Args),
    Wire(wire::Args),
    Surge(wire::SurgeArgs),
    #[command(hide = true)]
    WireEngine(wire::EngineArgs),
}

/// Runs one of them.
pub fn bench(command: &Command) -> Outcome {
    match command {
        Command::Limits(args) => limits::limits(args),
        Command::Engine(args) => engine::engine(args),
        Command::Stages(args) => stages::stages(args),
        Command::Journal(args) => journal::journal(args),
        Command::Wire(args) => wire::wire(args),
        Command::Surge(args) => wire::surge(args),
        Command::WireEngine(args) => wire::serve(args),
    }
}

/// A percentile is told when at least two samples lie beyond it; fewer are an accident and not a figure.
const P99_SAMPLES_MIN: usize = 200;
const P999_SAMPLES_MIN: usize = 2_000;

/// What a row of figures says, in nanoseconds. A percentile is absent where too few samples stand behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Median.
    pub p50_ns: u64,
    /// 99 of 100 were at most this.
    pub p99_ns: Option<u64>,
    /// 999 of 1000.
    pub p999_ns: Option<u64>,
    /// The worst.
    pub max_ns: u64,
    /// Samples.
    pub samples: usize,
}

impl Figures {
    /// Of the samples, in any order.
    pub fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let at = |per_mille: usize| {
            samples.get(samples.len().saturating_sub(1) * per_mille / 1_000).copied().unwrap_or_default()
        };
        let count = samples.len();
        Self {
            p50_ns: at(500),
            p99_ns: (count >= P99_SAMPLES_MIN).then(|| at(990)),
            p999_ns: (count >= P999_SAMPLES_MIN).then(|| at(999)),
            max_ns: at(1_000),
            samples: count,
        }
    }

    /// As cells of a table, nanoseconds divided by `unit`.
    pub fn cells(&self, unit: f64, digits: usize) -> String {
        let cell = |ns: Option<u64>| {
            ns.map_or_else(|| format!("{:>10}", "-"), |ns| format!("{:>10.*}", digits, ns as f64 / unit))
        };
        let [p50, p99] = [cell(Some(self.p50_ns)), cell(self.p99_ns)];
        let [p999, max] = [cell(self.p999_ns), cell(Some(self.max_ns))];
        format!("{p50} {p99} {p999} {max} {:>10}", self.samples)
    }
}

/// The head over [`Figures::cells`].
pub fn head(subject: &str) -> String {
    format!("{subject:34} {:>10} {:>10} {:>10} {:>10} {:>10}", "p50", "p99", "p99.9", "max", "samples")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_needs_samples() {
        let few = Figures::of((1..=100).rev().collect());
        assert_eq!((few.p50_ns, few.p99_ns, few.max_ns), (50, None, 100));
        let many = Figures::of((1..=10_001).collect());
        assert_eq!((many.p50_ns, many.p99_ns, many.p999_ns), (5_001, Some(9_901), Some(9_991)));
        assert_eq!(Figures::of(Vec::new()), Figures::default());
    }
}
