//! How long each table takes for a random walk: `cargo run --release -p smc-parity --example speed [BARS]`.

use std::time::Instant;

use smc_parity::{
    Bars, ParityError, Period, Row, Session, bos_choch, fvg, liquidity, ob, previous_high_low, retracements,
    sessions, swing_highs_lows,
};

/// One-minute bars on a grid of 1e-5, the same ones for the same count.
fn walk(count: usize) -> Bars {
    let mut state = 1u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % n) as i64
    };
    let mut last = 110_000;
    let row = |nth: usize| {
        let open = last;
        last += below(41) - 20;
        let (high, low) = (open.max(last) + below(10), open.min(last) - below(10));
        let [open, high, low, close] = [open, high, low, last].map(|ticks| ticks as f64 / 1e5);
        Row { time_ns: nth as i64 * 60_000_000_000, open, high, low, close, volume: below(1_000) as f64 }
    };
    (0..count).map(row).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let bars = walk(count);
    let (day, london) = (Period::parse("1D")?, Session::named("London")?);
    timed("swing_highs_lows", || Ok(swing_highs_lows(&bars, 5).into_table().len()))?;
    let swings = swing_highs_lows(&bars, 5);
    timed("fvg", || Ok(fvg(&bars, false).len()))?;
    timed("fvg, joined", || Ok(fvg(&bars, true).len()))?;
    timed("bos_choch", || Ok(bos_choch(&bars, &swings, true)?.len()))?;
    timed("ob", || Ok(ob(&bars, &swings, false)?.len()))?;
    timed("liquidity 0.01", || Ok(liquidity(&bars, &swings, 0.01)?.len()))?;
    timed("liquidity 0.0001", || Ok(liquidity(&bars, &swings, 0.0001)?.len()))?;
    timed("previous_high_low", || Ok(previous_high_low(&bars, day).len()))?;
    timed("sessions", || Ok(sessions(&bars, london, "UTC")?.len()))?;
    timed("sessions, New York", || Ok(sessions(&bars, london, "America/New_York")?.len()))?;
    timed("retracements", || Ok(retracements(&bars, &swings)?.len()))?;
    Ok(())
}

/// The best of five.
fn timed(name: &str, table: impl Fn() -> Result<usize, ParityError>) -> Result<(), ParityError> {
    let mut best = f64::INFINITY;
    let mut rows = 0;
    for _ in 0..5 {
        let started = Instant::now();
        rows = table()?;
        best = best.min(started.elapsed().as_secs_f64());
    }
    println!("{name:<20} {:>9.2} ms  {:>6.0} ns a bar", best * 1e3, best * 1e9 / rows.max(1) as f64);
    Ok(())
}
