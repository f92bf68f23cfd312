//! Whole runs over files that nobody should write: an answer or a refusal, never a panic.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

use clap::Parser;
use proptest::prelude::*;
use smc_detect::cli::{Args, run};

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (1u32..400).prop_map(|cents| format!("{}.{:02}", cents / 100, cents % 100)),
        1 => Just("NaN".into()),
        1 => Just(String::new()),
        1 => Just("-23058430092".into()),
        1 => Just("23058430092".into()),
        1 => Just("1e300".into()),
        1 => Just("-0.00000001".into()),
        1 => Just("-inf".into()),
    ]
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0u64..200_000).prop_map(|minute| (1_600_000_000 + minute * 60).to_string()),
        1 => Just("0".into()),
        1 => Just("2399-12-31T23:59:59.999Z".into()),
        1 => Just("13569465599999999999".into()),
        1 => Just("2262-04-12".into()),
    ]
}

/// Mostly bars: random prices rarely are, so half of the rows are put in order.
fn row() -> impl Strategy<Value = (String, [String; 5], bool)> {
    (time(), [number(), number(), number(), number(), number()], any::<bool>())
}

fn text(mut rows: Vec<(String, [String; 5], bool)>, is_sorted: bool) -> String {
    if is_sorted {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let mut text = String::from("time,open,high,low,close,volume\n");
    for (time, cells, is_bar) in rows {
        let mut cells = cells;
        let mut prices: Vec<f64> = cells[..4].iter().filter_map(|cell| cell.parse().ok()).collect();
        if is_bar && prices.len() == 4 && prices.iter().all(|price| price.is_finite()) {
            prices.sort_by(f64::total_cmp);
            for (cell, price) in cells.iter_mut().zip([prices[1], prices[3], prices[0], prices[2]]) {
                *cell = price.to_string();
            }
        }
        text.push_str(&format!("{time},{}\n", cells.join(",")));
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_file_panics(rows in proptest::collection::vec(row(), 1..160), is_sorted: bool, length in 1u16..4) {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("bars.csv"), text(rows, is_sorted)).unwrap();
        let (csv, svg, columns, length) = (path("bars.csv"), path("a.svg"), path("out"), length.to_string());
        let words = [
            "detect", "--csv", &csv, "--base", "1m", "--timeframes", "1m,5m,1d", "--svg", &svg, "--columns", &columns,
            "--summary", "--events", "--swing-length", &length, "--pool-tolerance", "1 % of 20 bars", "--periods",
            "day,week,month,7m", "--fvg-join", "true", "--fvg-auto-threshold", "true",
        ];
        let mut out = Vec::new();
        let outcome = run(&Args::try_parse_from(words).unwrap(), &mut out, &mut Vec::new());
        for line in String::from_utf8(out).unwrap().lines().take_while(|line| line.starts_with('{')) {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            prop_assert!(value["seq"].as_u64().is_some());
        }
        if let Err(failure) = outcome {
            // The only things wrong here: nothing to draw, or a time beyond what is read.
            let text = failure.to_string();
            prop_assert!(text.contains("no bars in that time") || text.contains("is not readable"), "{text}");
        }
    }
}
