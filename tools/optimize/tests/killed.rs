//! A search that is killed without warning, again and again, ends with the result of one that was left alone.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::{Hill, in_ledger, results, search, search_of, space};
use smc_optimize::{Evaluate, Method, Score};
use smc_settings::file::FileConfig;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const METHOD: Method = Method::Tpe { trials: 40, batch: 4, startup: 8 };
const SPACE: &[(&str, &str)] = &[("smc.pivot_left", "2..9"), ("sizing.risk_fraction_ppm", "log 500..10000")];
const SEED: u64 = 11;
/// Where the child searches; without it this process is no child.
const DIR: &str = "SMC_OPTIMIZE_TEST_DIR";

/// A hill that takes its time, so that a kill meets trials under way.
struct Slow;

impl Evaluate for Slow {
    fn score(&self, config: &FileConfig, seed: u64) -> Result<Score, String> {
        std::thread::sleep(Duration::from_millis(8));
        Hill.score(config, seed)
    }
}

/// Not a test of its own: what is killed.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(DIR) {
        search_of(&Slow, &space(SPACE), METHOD, SEED, 3, Path::new(&dir)).unwrap();
    }
}

#[test]
fn kills_change_nothing() {
    let (alone, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    search(&space(SPACE), METHOD, SEED, 2, alone.path()).unwrap();
    let mut kills = 0;
    let mut random = smc_metrics::Random::new(1);
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--test-threads=1"])
            .env(DIR, killed.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(5 + random.below(60) as u64));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "after {kills} kills");
            break;
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(kills < 400, "it never comes to an end");
    }
    println!("killed {kills} times");
    assert!(kills > 0, "nothing was killed");
    assert_eq!(results(killed.path()), results(alone.path()));
    assert_eq!(in_ledger(killed.path()), in_ledger(alone.path()));
}
