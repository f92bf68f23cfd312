//! A report of a made run, to look at: `cargo run --release -p smc-report --example sample -- DIR [BARS]`.

#[path = "../tests/made/mod.rs"]
mod made;

use smc_metrics::figure::Undefined;
use smc_metrics::promotion::{Bound, Criterion};
use smc_report::{Benchmark, Instrument, Meta, Source, TrialCount, Verdict};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("where to?")?);
    let bars = arguments.next().map_or(Ok(49_000), |text| text.parse())?;
    let instruments = vec![(27_400.0, 0.1), (1_830.0, 0.01)];
    let outcome = made::outcome(&made::Wish { seed: 11, secs: 900, bars, instruments, edge: 0.08 });
    let mut random = smc_metrics::Random::new(5);
    let returns = outcome.returns().iter().map(|_| 0.0012 + 0.021 * random.normal()).collect();
    let instrument =
        |symbol: &str, price_decimals| Instrument { symbol: symbol.into(), price_decimals, qty_decimals: 4 };
    let criterion = |name, value, bound, n| (Criterion { name, value, bound }, n);
    let meta = Meta {
        strategy: "Confluence: sweep, shift, order block".into(),
        version: "0.1.0, build 9f2c41d07ab3".into(),
        configuration:
            "[strategy]\nrequire_sweep = true\nrequire_shift = true\nrequire_zone = true\nrisk = \"0.5 %\"\n"
                .into(),
        sources: vec![Source {
            name: "made by a seed, no market".into(),
            hash: format!("seed 11, {bars} bars"),
        }],
        instruments: vec![instrument("BTCUSDT", 1), instrument("ETHUSDT", 2)],
        sessions: made::calendar().sessions.iter().map(|session| session.name.to_string()).collect(),
        seed: 11,
        trials: Some(TrialCount { made: 64, independent: Some((12, 0.0009)) }),
        generated_by: "smc-report, example sample".into(),
        benchmark: Some(Benchmark { name: "Buy and hold (made)".into(), returns }),
        verdict: Some(Verdict {
            step: "from research to paper:".into(),
            rows: vec![
                criterion(
                    "trades",
                    Ok(outcome.trades.len() as f64),
                    Bound::AtLeast(200.0),
                    outcome.trades.len(),
                ),
                criterion("dsr", Ok(0.93), Bound::AtLeast(0.95), outcome.points.len()),
                criterion("pbo", Err(Undefined::TooFew { needed: 1, got: 0 }), Bound::AtMost(0.1), 0),
            ],
        }),
        ..Meta::new("Liquidity sweeps on two perpetuals")
    };
    println!(
        "{} trades, {} open, {} bars",
        outcome.trades.len(),
        outcome.open.len(),
        outcome.record.bars.len()
    );
    smc_report::write(&dir, &meta, &outcome)?;
    Ok(())
}
