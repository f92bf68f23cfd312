//! How long a permutation test of a configuration over bars takes, with nothing else of the referee.
//!
//! `cargo run --release -p smc-validate --example mcpt -- CONFIG BARS [PERMUTATIONS]`: 1,000 unless told otherwise, on all cores.
#![allow(clippy::unwrap_used, reason = "an example that cannot begin says why")]

use smc_history::data::load;
use smc_history::venue;
use smc_import::Known;
use smc_settings::file::FileConfig;
use smc_validate::engine::{EnginePipeline, plain};
use smc_validate::permute::{Permuting, in_sample};
use smc_validate::pipeline::{Conditions, Grid};
use smc_validate::workers::Workers;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [config, bars, rest @ ..] = args.as_slice() else {
        eprintln!("CONFIG BARS [PERMUTATIONS]");
        std::process::exit(2);
    };
    let permutations = rest.first().map_or(1_000, |text| text.parse().unwrap());
    let text = std::fs::read_to_string(config).unwrap();
    let file = FileConfig::parse(&text).unwrap();
    let mut loaded = load(&file, &[PathBuf::from(bars)], &Known::default()).unwrap();
    for (at, spec) in loaded.market.instruments.iter_mut().enumerate() {
        venue::rules(&file, spec, at).unwrap();
    }
    let (markets, timeframe) = plain(&loaded).unwrap();
    let base = Path::new(config).parent().unwrap_or(Path::new("."));
    let grid = Grid::new(Vec::new()).unwrap();
    let pipeline = EnginePipeline::new("mcpt", &text, base, grid, &loaded, timeframe).unwrap();
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
