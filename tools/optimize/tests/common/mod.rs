//! A search over functions that are known, so that its answer is known.
#![allow(dead_code, reason = "each test uses its part")]

use smc_optimize::{
    Base, Evaluate, Method, OptimizeError, Outcome, Path as Key, Score, Search, Space, Spec, Subject,
};
use smc_settings::file::FileConfig;
use smc_trials::{Data, Entry, Ledger};
use std::num::NonZeroUsize;
use std::path::Path;

pub const CONFIG: &str = include_str!("../../../smc/presets/demo.toml");

pub fn space(specs: &[(&str, &str)]) -> Space {
    try_space(specs).unwrap()
}

pub fn try_space(specs: &[(&str, &str)]) -> Result<Space, OptimizeError> {
    let parsed = specs.iter().map(|(path, spec)| (Key::parse(path).unwrap(), Spec::parse(spec).unwrap()));
    Space::new(Base::parse(CONFIG).unwrap(), parsed.collect())
}

/// A hill over pivot, risk and buffer, with its top at 4, 2,000 and 300,000; the words of the entry move it a little. Where the
/// pivot is 9 nothing is traded.
pub struct Hill;

impl Evaluate for Hill {
    fn score(&self, config: &FileConfig, seed: u64) -> Result<Score, String> {
        let pivot = f64::from(config.smc.pivot_left.unwrap_or(4));
        if pivot == 7.0 {
            return Err("seven pivots bring bad luck".into());
        }
        let risk = f64::from(config.sizing.risk_fraction_ppm.unwrap_or(2_000));
        let buffer = f64::from(config.strategy.stop_buffer_atr_ppm.unwrap_or(300_000));
        let takes = config.strategy.entry_kind.is_some_and(|kind| format!("{kind:?}") == "Take");
        let away = ((pivot - 4.0) / 4.0).powi(2)
            + (risk / 2_000.0).ln().powi(2) / 4.0
            + ((buffer - 300_000.0) / 300_000.0).powi(2);
        let value = 1.0 - away + if takes { 0.05 } else { 0.0 };
        let mut random = smc_metrics::Random::of_run(seed, risk as u64 ^ (pivot as u64) << 32);
        let returns: Vec<f64> = (0..64).map(|_| value * 0.01 + 0.02 * random.normal()).collect();
        let value = (pivot != 9.0).then_some(value);
        Ok(Score { value, metric: "height".into(), periods: 64, returns, trades: pivot as u64 })
    }
}

pub fn subject() -> Subject {
    let data = Data { source: "a hill".into(), from_ns: 0, to_ns: 64 };
    Subject { strategy: "hill".into(), version: "1".into(), data }
}

pub fn search(
    space: &Space,
    method: Method,
    seed: u64,
    workers: usize,
    dir: &Path,
) -> Result<Outcome, OptimizeError> {
    search_of(&Hill, space, method, seed, workers, dir)
}

pub fn search_of(
    evaluate: &dyn Evaluate,
    space: &Space,
    method: Method,
    seed: u64,
    workers: usize,
    dir: &Path,
) -> Result<Outcome, OptimizeError> {
    let out = dir.join("out");
    let outcome = Search {
        space,
        method,
        seed,
        workers: NonZeroUsize::new(workers).unwrap(),
        subject: subject(),
        evaluate,
        out: &out,
        ledger: &dir.join("ledger"),
        clock: &|| 1_700_000_000_000_000_000,
    }
    .run(&mut |_| {})?;
    smc_optimize::write_files(&outcome, &out, 10)?;
    Ok(outcome)
}

/// The result files, one after the other.
pub fn results(dir: &Path) -> Vec<String> {
    let read = |name| std::fs::read_to_string(dir.join("out").join(name)).unwrap();
    ["result.json", "trials.csv", "result.html", "chosen.toml"].map(read).to_vec()
}

/// Trials in the ledger, as parameters and score.
pub fn in_ledger(dir: &Path) -> Vec<String> {
    let ledger = Ledger::open(&dir.join("ledger")).unwrap();
    let trials = ledger.entries().iter().filter_map(|entry| match entry {
        Entry::Trial(trial) => Some(format!("{:?} {:?}", trial.parameters, trial.score)),
        _ => None,
    });
    let mut trials: Vec<String> = trials.collect();
    trials.sort();
    trials
}
