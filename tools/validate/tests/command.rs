//! `smc validate` as people call it: files in, a signed report out.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use clap::Parser;
use smc_metrics::Random;
use smc_trials::Ledger;
use smc_validate::cli::{Args, Failure, run};
use std::fmt::Write as _;
use std::path::Path;

mod config;

const PLAN: &str = r#"
periods_per_year = 365
drawdown_limit = 0.2
permutations_in_sample = 6
permutations_walk_forward = 4
cuts = 6

[grid]
"strategy.target_risk_ppm" = [1000000, 1500000]
"#;

/// Four hours a bar, a walk of a thousand days.
fn bars() -> String {
    let mut random = Random::new(23);
    let mut last = 30_000.0;
    let mut text = String::from("time,open,high,low,close,volume\n");
    for nth in 0..6_000u64 {
        let open: f64 = last;
        let close = open * (0.008 * random.normal()).exp();
        let (high, low) = (
            open.max(close) * (1.0 + 0.004 * random.unit()),
            open.min(close) * (1.0 - 0.004 * random.unit()),
        );
        let time = 1_640_995_200 + nth * 14_400;
        writeln!(text, "{time},{open:.2},{high:.2},{low:.2},{close:.2},10").unwrap();
        last = close;
    }
    text
}

fn call(words: &[&str]) -> (Result<(), Failure>, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = Args::try_parse_from([&["validate"], words].concat()).unwrap();
    let done = run(&args, &mut out, &mut err);
    (done, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_load_on_a_random_walk_is_rejected_and_the_report_holds() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let config = file("load.toml", &config::TEXT.replace("[\"1h\", \"4h\"]", "[\"4h\"]"));
    let (plan, data) = (file("plan.toml", PLAN), file("BTCUSDT-4h.csv", &bars()));
    let [key, report] = ["referee.pem", "report.jsonl"].map(|name| home.path().join(name));
    let public = home.path().join("referee.pem.pub");
    call(&["--new-key", text(&key)]).0.unwrap();
    assert!(
        matches!(call(&["--new-key", text(&key)]).0, Err(Failure::Wrong(_))),
        "keys are not written over"
    );

    let asked = [
        "--config",
        text(&config),
        "--plan",
        text(&plan),
        "--data",
        text(&data),
        "--symbol",
        "BTCUSDT",
        "--key",
        text(&key),
        "--out",
        text(&report),
        "--open-hold-out",
        "--at",
        "5",
    ];
    let (done, shown, told) = call(&asked);
    assert!(matches!(&done, Err(Failure::No(reason)) if reason == "rejected"), "{done:?}\n{told}");
    assert!(shown.contains("load ") && shown.contains("REJECTED") && shown.contains("NO dsr"), "{shown}");
    assert!(shown.contains("closed: a criterion does not hold"), "{shown}");
    assert!(told.contains("permutations in sample 6 of 6"), "{told}");

    // Every look is in the ledger beside the configuration; the report knows it and proves it.
    let ledger = home.path().join("load.trials");
    assert_eq!(Ledger::open(&ledger).unwrap().trials("load").count(), 4);
    let checked = ["--verify", text(&report), "--key", text(&public), "--ledger", text(&ledger)];
    let (done, again, _) = call(&checked);
    done.unwrap();
    assert_eq!(again, shown, "what is shown is what was signed");
    let signed = std::fs::read_to_string(&report).unwrap();
    std::fs::write(&report, signed.replacen("\"is_accepted\":false", "\"is_accepted\":true", 1)).unwrap();
    assert!(matches!(call(&checked).0, Err(Failure::No(_))));
}
