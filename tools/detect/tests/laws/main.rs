//! The laws of market structure on recorded markets and on random ones.
//!
//! | file | claim |
//! |---|---|
//! | `prefix.rs` | nothing looks ahead, and a snapshot at any bar goes on with the same bytes |
//! | `folds.rs` | the events, folded, are the batch tables |
//! | `timeframes.rs` | bars folded from minutes say what bars read directly say, and never early |
//! | `properties.rs` | the invariants, on random bars under random settings |
//!
//! Two variables of the environment make a long run of it (`cargo xtask smc`): `SMC_LAWS_CUTS` cuts, and
//! `SMC_LAWS_CASES` random cases a law. Every test that draws lots says its seed; `SMC_LAWS_SEED` repeats it.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod folds;
mod invariants;
mod market;
mod prefix;
mod properties;
mod random;
mod record;
mod timeframes;

use std::time::{SystemTime, UNIX_EPOCH};

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// The seed of a test: another one each time unless told otherwise.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("SMC_LAWS_SEED", now.as_nanos() as u64);
    println!("SMC_LAWS_SEED={seed}");
    seed
}
