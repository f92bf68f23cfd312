//! Shared fixtures of the cross-room tests: the binary, simulators in their own process, journals as lists.
//!
//! Everything here fails loudly: a fixture that cannot do its work is a failed test. Child processes end with the
//! value that holds them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a fixture that fails is a failed test")]

mod config;
mod process;
mod records;
pub mod swarm;
mod venue_account;

pub use config::{BUSY, config_text, resting_config_text, venue_config_text};
pub use process::{
    Child, Finished, SimProcess, binary, finish, only_line, smc, wait_until, wait_until_within,
};
pub use records::{Rec, orders_of, records_of};
pub use venue_account::{VenueAccount, VenueTrade};

use serde_json::Value;
use std::path::{Path, PathBuf};

/// The recorded market that the repository does not carry.
pub const CAPTURE: &str = "data/market/binance/spot_btcusdt_20240809.gz";

/// A file of the material beside the repository; prints why and gives none when it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = ancestors.map(|dir| dir.join("shared").join(path)).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: shared/{path} absent");
    }
    found
}

/// Runs `smc demo --headless --json` to a good end, its journal under `home`, and gives the document.
pub fn demo(home: &Path, args: &[&str]) -> Value {
    let mut all = vec!["demo", "--headless", "--json", "--journal", home.to_str().expect("UTF-8 path")];
    all.extend(args);
    let done = smc(&all);
    assert_eq!(done.code, 0, "smc {}: {}", all.join(" "), done.tail());
    serde_json::from_str(&done.stdout).expect("one JSON document")
}

/// Repeatable random numbers: SplitMix64.
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts from `SMC_TEST_SEED`, or from `default`; printed, so that a failure can be had again.
    pub fn from_env(default: u64) -> Self {
        let seed = std::env::var("SMC_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(default);
        println!("seed: SMC_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}
