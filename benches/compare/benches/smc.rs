//! Nanoseconds a bar, ours beside another crate's, round after round in one run so that the machine's moods hit both.
//!
//! `cargo bench` in this directory. Medians of 61 rounds. What the others leave out is said in the README.
#![allow(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

use compare::{Contender, calendar, engine, full, lean, race, recorded, run};
use quantwave_core::indicators::market_structure::MarketStructure;
use quantwave_core::traits::Next;
use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::smc::SmcParams;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let files = [
        ("EURUSD 15m", "smc/EURUSD_15M.csv"),
        ("BTC 1m", "market/crypto-1m/btc-perp-20211231-20220201_1m.csv.gz"),
    ];
    println!("{:<12} {:<46} {:>9} {:>9} {:>9}", "bars", "what", "best", "median", "ratio");
    for (name, file) in files {
        if let Some(bars) = recorded(file) {
            compare(name, &bars);
        }
    }
}

fn compare(name: &str, bars: &[Bar]) {
    let (none, calendar) = (Calendar::default(), calendar());
    let highs_lows: Vec<(f64, f64)> = bars.iter().map(|bar| (float(bar.high.0), float(bar.low.0))).collect();
    let mut contenders: [Contender<'_>; 4] = [
        ("quantwave-core: swings, bias, flips", Box::new(|| theirs(&highs_lows))),
        ("ours: pivots, swings, BOS/CHoCH, labels", Box::new(|| ours(bars, &lean(), &none))),
        ("ours: and order blocks, gaps, liquidity", Box::new(|| ours(bars, &SmcParams::default(), &none))),
        ("ours: everything, with sessions and levels", Box::new(|| ours(bars, &full(), &calendar))),
    ];
    let times = race(&mut contenders, bars.len());
    let mut yardstick = None;
    for ((what, _), (best, median)) in contenders.iter().zip(times) {
        let ratio = median / *yardstick.get_or_insert(median);
        println!("{name:<12} {what:<46} {best:>6.1} ns {median:>6.1} ns {ratio:>8.1}x");
    }
}

fn float(units: i64) -> f64 {
    units as f64 / 1e8
}

/// Nanoseconds of one run over all bars.
fn ours(bars: &[Bar], params: &SmcParams, calendar: &Calendar) -> f64 {
    let mut engine = engine(params, calendar);
    let started = Instant::now();
    let said = run(&mut engine, bars);
    let took = started.elapsed();
    assert!(black_box(said).0 > 0, "a run that says nothing measures nothing");
    took.as_nanos() as f64
}

fn theirs(highs_lows: &[(f64, f64)]) -> f64 {
    let mut structure = MarketStructure::new(3);
    let started = Instant::now();
    for &bar in highs_lows {
        black_box(structure.next(bar));
    }
    started.elapsed().as_nanos() as f64
}
