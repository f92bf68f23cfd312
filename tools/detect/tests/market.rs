//! Recorded markets, where they are: every file reads, and the tables are the package's, to the cell.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

use clap::Parser;
use smc_detect::cli::{Args, run};
use std::path::{Path, PathBuf};

/// A shared file, or a word that it is not there.
fn shared(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|at| at.join("shared/data").join(name)).find(|path| path.exists());
    if found.is_none() {
        println!("skipped: shared/data/{name} absent");
    }
    found
}

fn detect(path: &Path, flags: &[&str]) -> String {
    let words = ["detect", "--csv", path.to_str().unwrap()].into_iter().chain(flags.iter().copied());
    let mut out = Vec::new();
    run(&Args::try_parse_from(words).unwrap(), &mut out, &mut Vec::new()).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn recorded_bars_are_all_bars() {
    let files = [
        ("smc/EURUSD_15M.csv", "15m", 24_424),
        ("market/crypto-1m/btc-perp-20211231-20220201_1m.csv.gz", "1m", 45_031),
        ("market/fxcm/gbpusd-m1-bid-2012.csv.gz", "1m", 30_117),
        ("market/fxcm/gbpusd-m1-ask-2012.csv.gz", "1m", 30_117),
        ("binance/history/spot_klines_1s_us.csv", "1s", 0),
        ("binance/history/usdm_klines_noheader.csv", "1m", 0),
    ];
    for (name, tf, count) in files {
        let Some(path) = shared(name) else { continue };
        let summary = detect(&path, &["--summary", "--json"]);
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        let bars = summary["bars"][tf].as_u64().unwrap_or_else(|| panic!("{name}: {summary}"));
        assert!(if count == 0 { bars > 0 } else { bars == count }, "{name}: {bars} bars");
        assert_eq!(summary["kinds"]["InputRejected"], serde_json::Value::Null, "{name}");
    }
}

/// Columns that the package computes in single precision.
const SINGLE: [(&str, &[&str]); 5] = [
    ("bos_choch", &["Level"]),
    ("ob", &["Top", "Bottom", "OBVolume", "Percentage"]),
    ("liquidity", &["Liquidity", "Level", "End", "Swept"]),
    ("previous_high_low", &["PreviousHigh", "PreviousLow"]),
    ("sessions", &["High", "Low"]),
];

#[test]
fn the_tables_are_the_golden_ones() {
    let Some(csv) = shared("smc/EURUSD_15M.csv") else { return };
    let mut tables = vec![("previous_high_low", "previous_high_low_result_data_1D", vec![])];
    for period in ["4h", "W"] {
        let golden = if period == "W" {
            "previous_high_low_result_data_W"
        } else {
            "previous_high_low_result_data_4h"
        };
        tables.push(("previous_high_low", golden, vec!["--period", period]));
    }
    for (name, golden) in [
        ("swing_highs_lows", "swing_highs_lows_result_data"),
        ("fvg", "fvg_result_data"),
        ("bos_choch", "bos_choch_result_data"),
        ("ob", "ob_result_data"),
        ("liquidity", "liquidity_result_data"),
        ("sessions", "sessions_result_data"),
        ("retracements", "retracements_result_data"),
    ] {
        tables.push((name, golden, vec![]));
    }
    tables.push(("fvg", "fvg_consecutive_result_data", vec!["--join-consecutive", "true"]));
    for (name, golden, extra) in tables {
        let Some(golden) = shared(&format!("smc/{golden}.csv")) else { continue };
        let dir = tempfile::tempdir().unwrap();
        let mut flags = vec!["--swing-length", "5", "--columns", dir.path().to_str().unwrap()];
        flags.extend(extra);
        detect(&csv, &flags);
        let ours = std::fs::read_to_string(dir.path().join(name).with_extension("csv")).unwrap();
        let theirs = std::fs::read_to_string(&golden).unwrap();
        compare(name, &ours, &theirs);
    }
}

fn compare(name: &str, ours: &str, theirs: &str) {
    let head: Vec<&str> = theirs.lines().next().unwrap().trim().split(',').collect();
    assert_eq!(ours.lines().next().unwrap().split(',').collect::<Vec<_>>(), head, "{name}");
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{name}");
    let single = SINGLE.iter().find(|(table, _)| *table == name).map_or(&[][..], |(_, columns)| columns);
    for (row, (ours, theirs)) in ours.lines().zip(theirs.lines()).enumerate().skip(1) {
        for ((column, ours), theirs) in head.iter().zip(ours.split(',')).zip(theirs.trim().split(',')) {
            let number = |text: &str| if text.is_empty() { f64::NAN } else { text.parse::<f64>().unwrap() };
            let (a, b) = (number(ours), number(theirs));
            let is_equal = (a.is_nan() && b.is_nan())
                || a == b
                || (single.contains(column) && (a as f32).to_bits() == (b as f32).to_bits());
            assert!(is_equal, "{name} row {row} {column}: {ours} is not {theirs}");
        }
    }
}
