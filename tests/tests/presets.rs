//! Each worked preset runs on the market it asks for, and its journal replays to the same answers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use tests::{demo, smc};

/// Runs so many market hours.
fn run(preset: &str, hours: u64) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let (seconds, speed) = (hours.to_string(), "3600");
    let document = demo(dir.path(), &["--preset", preset, "--fast", "--seconds", &seconds, "--speed", speed]);
    println!("{preset}: {document}");
    assert_eq!(document["replay"], "identical", "{document}");
    assert_eq!(document["error"], Value::Null, "{document}");
    document
}

fn number(document: &Value, key: &str) -> u64 {
    document[key].as_u64().unwrap()
}

#[test]
fn crypto_intraday_trades_within_the_day() {
    let document = run("crypto-intraday", 6);
    assert!(number(&document, "signals") >= 3 && number(&document, "fills") >= 3, "{document}");
}

/// Longer than a connection of the venue lives, so the feed and the gateway have made theirs anew.
#[test]
fn forex_session_sweep_outlives_its_connections() {
    let document = run("forex-session-sweep", 72);
    assert!(number(&document, "signals") >= 1, "{document}");
    assert_eq!(document["market_seconds"].as_f64().unwrap(), 72.0 * 3_600.0);
}

#[test]
fn swing_trades_over_days() {
    let document = run("swing", 120);
    assert!(number(&document, "signals") >= 3 && number(&document, "fills") >= 1, "{document}");
}

#[test]
fn presets_are_listed_and_unknown_ones_refused() {
    let help = smc(&["demo", "--preset", "help"]);
    assert_eq!(help.code, 0);
    for name in ["crypto-intraday", "forex-session-sweep", "swing"] {
        assert!(help.stdout.contains(name), "{}", help.stdout);
    }
    let unknown = smc(&["demo", "--preset", "scalp"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.tail().contains("crypto-intraday"), "{}", unknown.tail());
}
