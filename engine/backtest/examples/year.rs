//! How long a year of one-minute bars takes with market structure on four timeframes and the built-in strategy.
//!
//! `cargo run --release -p smc-backtest --example year [RUNS]` prints each run and the fastest.
#![allow(clippy::unwrap_used, reason = "an example that cannot begin says why")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{config, market, venue, walk};
use smc_backtest::{Wanted, run};
use smc_core::strategy::Confluence;
use std::time::Instant;

const MINUTES: usize = 525_600;

fn main() {
    let runs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let bars = walk(1, MINUTES);
    let (market, venue) = (market(&bars), venue());
    let config = config(&["1m", "5m", "15m", "1h"]);
    let mut fastest = f64::INFINITY;
    for _ in 0..runs {
        let started = Instant::now();
        let outcome =
            run(&config, Confluence::for_config(&config), &market, &venue, Wanted::default()).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        fastest = fastest.min(seconds);
        println!(
            "{MINUTES} bars, {} events, {} structures, {} signals, {} trades: {seconds:.3} s, {:.0} ns a bar",
            outcome.inputs,
            outcome.counters.structures,
            outcome.counters.signals,
            outcome.trades.len(),
            seconds * 1e9 / MINUTES as f64
        );
    }
    println!("fastest {fastest:.3} s");
}
