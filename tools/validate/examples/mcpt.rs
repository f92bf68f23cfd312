//! How long a permutation test of a configuration over bars takes, with nothing else of the referee.
//!
//! `cargo run --release -p smc-validate --example mcpt -- [PERMUTATIONS]`: of the year of one-minute bars, and under the
//! configuration, of the example `year` of `smc-backtest`; 1,000 unless told otherwise, on all cores.
//! `… --example mcpt -- CONFIG BARS [PERMUTATIONS]`: of a file of bars, under a configuration.
#![allow(clippy::unwrap_used, reason = "an example that cannot begin says why")]

#[path = "../../../engine/backtest/tests/common/mod.rs"]
mod common;

use smc_history::data::load;
use smc_history::{Loaded, venue};
use smc_import::Known;
use smc_settings::file::FileConfig;
use smc_validate::engine::{EnginePipeline, plain};
use smc_validate::permute::{Permuting, in_sample};
use smc_validate::pipeline::{Conditions, Grid};
use smc_validate::workers::Workers;
use std::path::{Path, PathBuf};
use std::time::Instant;

const MINUTES: usize = 525_600;

/// What the example `year` makes by hand.
const YEAR: &str = r#"
[engine]
instance = 1
quote_asset = "USDT"
timeframes = ["1m", "5m", "15m", "1h"]

[[instruments]]
symbol = "BTCUSDT"
order_qty_max = "1000"
order_notional_max = "10000000"
collar_ppm = 500000
collar_passive_ppm = 900000
reference_age_max_ms = 3600000
reference_skew_max_ms = 60000
position_qty_max = "1000"
open_orders_max = 10
duplicate_window_ms = 1
repeat_max = 1000

[risk]
gross_max = "100000000"
net_max = "100000000"
leverage_max_milli = 20000
open_orders_max = 50
messages_max = 1000
messages_window_ms = 1000
runaway_denials_max = 1000
runaway_window_ms = 1000
entry_forgiven_after_ms = 1
margin_use_ppm_max = 1000000

[sizing]
risk_fraction_ppm = 1000
notional_fraction_ppm_max = 2000000
fee_ppm = 400

[breakers]
daily_loss_ppm = 500000
drawdown_ppm = 500000
loss_streak_max = 1000
flash_move_ppm = 900000
fills_per_minute_max = 100

[backtest]
maker_fee_ppm = 200
taker_fee_ppm = 400
"#;

/// Configuration, where its files are, data.
fn of_year() -> (String, PathBuf, Loaded) {
    let config = FileConfig::parse(YEAR).unwrap().engine().unwrap();
    let mut wanted = common::config(&["1m", "5m", "15m", "1h"]);
    // A file counts in milliseconds.
    wanted.instruments[0].limits.duplicate_window_ns = 1_000_000;
    wanted.account_limits.entry_forgiven_after_ns = 1_000_000;
    assert_eq!(format!("{config:?}"), format!("{wanted:?}"));
    let market = common::market(&common::walk(1, MINUTES));
    (YEAR.into(), PathBuf::from("."), Loaded { market, sources: Vec::new(), refused: Vec::new() })
}

fn of_file(config: &str, bars: &str) -> (String, PathBuf, Loaded) {
    let text = std::fs::read_to_string(config).unwrap();
    let file = FileConfig::parse(&text).unwrap();
    let mut loaded = load(&file, &[PathBuf::from(bars)], &Known::default()).unwrap();
    for (at, spec) in loaded.market.instruments.iter_mut().enumerate() {
        venue::rules(&file, spec, at).unwrap();
    }
    (text, Path::new(config).parent().unwrap_or(Path::new(".")).into(), loaded)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let ((text, base, loaded), permutations) = match args.as_slice() {
        [] => (of_year(), 1_000),
        [permutations] => (of_year(), permutations.parse().unwrap()),
        [config, bars] => (of_file(config, bars), 1_000),
        [config, bars, permutations, ..] => (of_file(config, bars), permutations.parse().unwrap()),
    };
    let (markets, timeframe) = plain(&loaded).unwrap();
    let grid = Grid::new(Vec::new()).unwrap();
    let pipeline = EnginePipeline::new("mcpt", &text, &base, grid, &loaded, timeframe).unwrap();
    let started = Instant::now();
    let how = Permuting {
        seed: 1,
        permutations,
        period_ns: 86_400_000_000_000,
        workers: Workers::of_machine(),
        told: &|_| (),
    };
    let found = in_sample(&pipeline, &markets, Conditions::plain(1), how).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} bars, {permutations} permutations: {seconds:.1} s, {:.0} ms each; p {:.4}",
        markets.count(),
        seconds * 1e3 / permutations as f64,
        found.p_value
    );
}
