//! `smc backtest` as a person meets it: a year from a CSV file, a journal that replays, a demo that decides the same again.

#![allow(clippy::unwrap_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tests::{only_line, records_of, smc};

const PRESET: &str = include_str!("../../tools/smc/presets/crypto-intraday.toml");
const SECTION: &str = "
[backtest]
maker_fee_ppm = 200
taker_fee_ppm = 500
funding_rate = \"0.0001\"
spread = \"1\"
queue = \"log\"
missed_fills_ppm = 100000

[backtest.rules.BTCUSDT]
kind = \"linear\"
tick = \"1\"
lot = \"0.001\"
";

/// One-minute bars of a seeded walk, as people keep them.
fn bars(path: &Path, seed: u64, count: u64) {
    let (mut state, mut close) = (seed, 60_000i64);
    let mut below = |bound: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % bound as u64) as i64
    };
    let mut text = "timestamp,open,high,low,close,volume\n".to_owned();
    for nth in 0..count {
        let open = close;
        close += below(121) - 60;
        let (high, low) = (open.max(close) + below(30), open.min(close) - below(30));
        let ms = 1_767_225_600_000 + nth * 60_000;
        writeln!(text, "{ms},{open},{high},{low},{close},{}", 1 + below(90)).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let preset = PRESET.split("\n[demo]").next().unwrap();
        std::fs::write(home.path("c.toml"), format!("{preset}{SECTION}")).unwrap();
        bars(&home.path("BTCUSDT-1m.csv"), 5, 30_000);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn run(&self, more: &[&str]) -> Value {
        let (config, data) = (self.text("c.toml"), self.text("BTCUSDT-1m.csv"));
        let done = smc(&[&["backtest", "--config", &config, "--data", &data, "--json"], more].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }
}

#[test]
fn the_same_files_and_seed_give_the_same_journal_and_it_replays() {
    let home = Home::new();
    let [a, b, c] = ["a", "b", "c"].map(|name| home.text(name));
    let first = home.run(&["--journal", &a]);
    assert!(first["trades"].as_u64().unwrap() > 30, "{first}");
    assert!(first["costs"]["funding"] != "0" && first["costs"]["maker_fills"].as_u64() > Some(0));
    let second = home.run(&["--journal", &b]);
    assert_eq!(records_of(&home.path("a")), records_of(&home.path("b")));
    assert_eq!(first["figures"], second["figures"]);
    // Another seed draws other luck in the queue.
    let other = home.run(&["--journal", &c, "--seed", "2"]);
    assert_ne!(first["digest"], other["digest"]);
    let done = smc(&["replay", &a, "--verify", "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let replay: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&replay["replay"], &replay["digest"]), (&"identical".into(), &first["digest"]));
    // A run over the journal's market is that run again.
    let config = home.text("c.toml");
    let done = smc(&["backtest", "--config", &config, "--data", &a, "--recorded", "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let again: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&again["digest"], &again["trades"], &again["equity"]),
        (&first["digest"], &first["trades"], &first["equity"])
    );
    // Each look was counted before it was shown.
    let ledger = std::fs::read_to_string(home.path("c.trials")).unwrap();
    assert_eq!(ledger.lines().filter(|line| line.contains("\"stage\":\"backtest\"")).count(), 4);
}

/// What a live demo recorded decides the same in a backtest, bit for bit.
#[test]
fn a_demo_decides_the_same_again() {
    let home = Home::new();
    let journal = home.text("demo");
    let done = smc(&["demo", "--fast", "--headless", "--seconds", "8", "--journal", &journal, "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let demo: Value = serde_json::from_str(&done.stdout).unwrap();
    let dir = [home.text("demo"), home.text("demo/journal")]
        .into_iter()
        .find(|dir| smc(&["journal", "ls", dir]).code == 0);
    let dir = dir.unwrap();
    let done = smc(&["backtest", "--data", &dir, "--recorded", "--json", "--ledger", &home.text("l.trials")]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let again: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(again["digest"], demo["digest"], "{demo}");
    assert!(done.stderr.contains("every one the journal's"));
    assert!(again["fills"].as_u64() > Some(0));
    // And its market can be traded anew.
    let config = home.text("own.toml");
    let preset = include_str!("../../tools/smc/presets/demo.toml").split("\n[demo]").next().unwrap();
    std::fs::write(&config, preset).unwrap();
    let done = smc(&["backtest", "--config", &config, "--data", &dir, "--json"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let anew: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(anew["orders_sent"].as_u64() > Some(0), "{anew}");
}

#[test]
fn refusals_are_one_line_with_what_to_do() {
    let home = Home::new();
    let (config, data) = (home.text("c.toml"), home.text("BTCUSDT-1m.csv"));
    let text = std::fs::read_to_string(&config).unwrap();
    let with = |from: &str, to: &str| {
        std::fs::write(home.path("d.toml"), text.replace(from, to)).unwrap();
        let done = smc(&["backtest", "--config", &home.text("d.toml"), "--data", &data]);
        assert_eq!(done.code, 2, "{}", done.stdout);
        only_line(&done).to_owned()
    };
    assert!(with("queue = \"log\"", "queue = \"long\"").contains("log2"));
    assert!(with("maker_fee_ppm = 200", "maker_fee_ppm = 900000").contains("backtest.fees"));
    assert!(with("funding_rate", "funding_file = \"none.csv\"\nfunding_rate").contains("funding_file"));
    assert!(with("tick = \"1\"", "tick = \"-1\"").contains("backtest.rules.BTCUSDT"));
    assert!(with("spread", "spraed").contains("spraed"));
    let done = smc(&["backtest", "--config", &config, "--data", &home.text("none.csv")]);
    assert!(done.code == 2 && only_line(&done).contains("none.csv"));
    let done = smc(&["backtest", "--config", &config, "--data", &data, "--from", "2031-01-01"]);
    assert!(done.code == 2 && only_line(&done).contains("no data between"));
    assert!(!home.path("c.trials").exists(), "nothing was looked at");
}
