//! A search of real backtests: bars from a file, the engine, the exchange.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use clap::Parser;
use smc_core::words::{Price, Qty, Timeframe, TsNs};
use smc_history::Study;
use smc_import::Known;
use smc_metrics::Random;
use smc_metrics::figure::Value;
use smc_metrics::{PeriodsPerYear, Series};
use smc_optimize::cli::{Args, run};
use smc_optimize::{Backtest, Evaluate, Judgement, Metric};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Nineteen days of minutes: waves with noise, so that there is structure to trade.
fn bars() -> String {
    let mut random = Random::new(5);
    let mut text = String::from("time,open,high,low,close,volume\n");
    let mut last = 25_000.0_f64;
    for nth in 0..27_000_u64 {
        let open = last;
        let wave = (nth as f64 / 70.0).sin() * 6.0 + (nth as f64 / 611.0).sin() * 3.0;
        let close = open + wave + 14.0 * random.normal();
        let high = open.max(close) + 6.0 * random.unit();
        let low = open.min(close) - 6.0 * random.unit();
        let time = 1_700_006_400 + nth * 60;
        writeln!(text, "{time},{open:.2},{high:.2},{low:.2},{close:.2},12").unwrap();
        last = (close * 100.0).round() / 100.0;
    }
    text
}

fn config() -> String {
    let demo = include_str!("../../smc/presets/demo.toml");
    demo.replace("[\"5s\", \"15s\", \"1m\"]", "[\"1m\", \"5m\", \"15m\"]")
        .replace("reference_age_max_ms = 5000", "reference_age_max_ms = 120000")
        + "require_sweep = false\nrequire_discount = false\nrequire_liquidity_target = false\n\n[backtest]\nseed = 3\nmaker_fee_ppm = 0\ntaker_fee_ppm = 0\n"
}

fn optimize(dir: &Path, out: &str, workers: &str) {
    let path = |name: &str| dir.join(name).display().to_string();
    let words = [
        "optimize",
        "--config",
        &path("waves.toml"),
        "--data",
        &path("BTCUSDT.csv"),
        "--out",
        &path(out),
        "--ledger",
        &path(&format!("{out}.trials")),
        "--workers",
        workers,
        "--method",
        "tpe",
        "--trials",
        "14",
        "--startup",
        "6",
        "--batch",
        "4",
        "--trades-min",
        "3",
        "--vary",
        "smc.pivot_left=2..6",
        "--vary",
        "strategy.reward_to_risk_ppm_min=1000000..2000000 step 250000",
        "--vary",
        "backtest.slippage_ticks=1,5",
    ];
    let args = Args::try_parse_from(words).unwrap();
    run(&args, &|| 9, &mut Vec::new(), &mut Vec::new(), false).unwrap();
}

#[test]
fn the_chosen_configuration_trades_as_its_trial_did() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("waves.toml"), config()).unwrap();
    fs::write(dir.path().join("BTCUSDT.csv"), bars()).unwrap();
    optimize(dir.path(), "one", "1");
    optimize(dir.path(), "two", "2");
    for name in ["result.json", "trials.csv", "result.html", "chosen.toml"] {
        let read = |out: &str| fs::read_to_string(dir.path().join(out).join(name)).unwrap();
        assert_eq!(read("one"), read("two"), "{name}");
    }
    let result: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("one/result.json")).unwrap()).unwrap();
    assert_eq!((&result["metric"], &result["search"]["strategy"]), (&"sharpe".into(), &"waves".into()));
    assert!(result["trials"]["scored"].as_u64().unwrap() >= 5, "{}", result["trials"]);
    assert_eq!(result["luck"]["trials_in_ledger"], 14);
    println!("chosen: {}", result["chosen"]);

    // The same by the library of `smc backtest`, from the file that was written.
    let (config, data) = (dir.path().join("one/chosen.toml"), [dir.path().join("BTCUSDT.csv")]);
    let study = Study::open(&config, &data, &smc_import::Known::default()).unwrap();
    let hour_ns = 3_600_000_000_000;
    let outcome = study.run(smc_backtest::Wanted { period_ns: hour_ns, record: false }).unwrap();
    assert!(outcome.trades.len() >= 3, "{} trades", outcome.trades.len());
    assert_eq!(result["chosen"]["trades"], outcome.trades.len());
    let returns = outcome.returns();
    let per_year = PeriodsPerYear::new(365.0 * 24.0).unwrap();
    let metrics =
        smc_metrics::returns::ReturnMetrics::of(Series::new("returns", &returns).unwrap(), 0.0, per_year);
    let sharpe: Value = metrics.unwrap().sharpe;
    assert_eq!(result["chosen"]["score"].as_f64().unwrap(), sharpe.unwrap());
}

/// Data that is read with other steps or as bars of another length is other data: a search of it does not go on from this one's record.
#[test]
fn an_evaluation_knows_how_its_files_were_read() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("BTCUSDT.csv");
    fs::write(&data, bars()).unwrap();
    let base = smc_settings::file::FileConfig::parse(&config()).unwrap();
    let judgement = Judgement { metric: Metric::default(), trades_min: 1, period_ns: None };
    let identity = |known: Known| {
        let span = (TsNs(0), TsNs(u64::MAX));
        Backtest::open(&base, dir.path(), std::slice::from_ref(&data), &known, span, judgement)
            .unwrap()
            .identity()
    };
    let plain = Known::default();
    let all = [
        plain,
        Known { steps: (Some(Price(100_000)), None), ..plain },
        Known { steps: (None, Some(Qty(100_000))), ..plain },
        Known { timeframe: Timeframe::parse("1m"), ..plain },
        Known { symbol: smc_core::words::Name::new("BTCUSDT"), ..plain },
    ]
    .map(identity);
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:?}");
}
