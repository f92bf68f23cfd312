//! The command line: what it reads, says and refuses.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use clap::Parser;
use common::{CONFIG, Hill};
use smc_optimize::cli::{Args, Opened, run_on};
use smc_trials::Data;
use std::fs;
use std::path::Path;

/// Standard output and standard error, or the refusal.
fn cli(dir: &Path, words: &[&str]) -> Result<(String, String), String> {
    fs::write(dir.join("config.toml"), CONFIG).unwrap();
    let path = |name: &str| dir.join(name).display().to_string();
    let (config, out, ledger) = (path("config.toml"), path("out"), path("ledger"));
    let mut all =
        vec!["optimize", "--config", &config, "--data", "bars.csv", "--out", &out, "--ledger", &ledger];
    all.extend(words);
    let args = Args::try_parse_from(all).map_err(|error| error.to_string())?;
    let (mut said, mut notes) = (Vec::new(), Vec::new());
    let open = |_: &_| {
        let data = Data { source: "bars".into(), from_ns: 0, to_ns: 1 };
        Ok(Opened { evaluate: Box::new(Hill), data, version: "1".into() })
    };
    run_on(&args, open, &|| 5, &mut said, &mut notes, true).map_err(|error| error.to_string())?;
    Ok((String::from_utf8(said).unwrap(), String::from_utf8(notes).unwrap()))
}

#[test]
fn a_search_by_flags_and_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("space.toml");
    let text = "[space]\n\"smc.pivot_left\" = \"2..4\"\nstrategy.entry_kind = [\"take\", \"rest\"]\n[space.smc]\npatterns = [true, false]\n";
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let words = ["--space", &file, "--vary", "smc.pivot_left=3..5", "--method", "grid", "--workers", "2"];
    let (planned, _) = cli(dir.path(), &[&words[..], &["--plan"]].concat()).unwrap();
    assert!(planned.contains("12 points; grid tries 12"), "the flag wins over the file: {planned}");
    assert!(!dir.path().join("out").exists(), "a plan makes nothing");
    let (said, notes) = cli(dir.path(), &words).unwrap();
    assert!(
        said.contains("height") && said.contains("smc.pivot_left=4") && said.contains("Luck: 12 trials"),
        "{said}"
    );
    assert!(notes.contains("of 12 trials, best "), "{notes}");
    for name in ["result.json", "trials.csv", "result.html", "chosen.toml", "trials.jsonl"] {
        assert!(dir.path().join("out").join(name).exists(), "{name}");
    }
    // Again: all is there already, and the ledger does not grow.
    let (again, notes) = cli(dir.path(), &words).unwrap();
    assert_eq!(again, said);
    assert!(notes.contains("going on: 12 of 12 trials were made before"), "{notes}");
    let (json, _) = cli(dir.path(), &[&words[..], &["--json"]].concat()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["luck"]["trials_in_ledger"], 12);
}

#[test]
fn refusals_name_file_flag_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (unknown, typed) = (file("a.toml", "[space]\nx = 3\n"), file("b.toml", "[spaces]\n"));
    let broken = file("c.toml", "[space\n");
    for (words, expected) in [
        (vec!["--vary", "smc.pivot_left"], vec!["--vary", "PATH=SPEC"]),
        (vec!["--vary", "smc.pivot_left=3"], vec!["--vary smc.pivot_left:", "varies nothing"]),
        (vec!["--vary", "smc pivot=2..3"], vec!["`smc pivot`", "SECTION.KEY"]),
        (vec!["--vary", "smc.pivots=2..3"], vec!["smc.pivots:", "unknown field"]),
        (vec!["--space", "/does/not/exist.toml"], vec!["/does/not/exist.toml:"]),
        (vec!["--space", &unknown], vec!["a.toml: x:", "one value"]),
        (vec!["--space", &typed], vec!["b.toml:", "`spaces`"]),
        (vec!["--space", &broken], vec!["c.toml:"]),
        (vec![], vec!["--vary", "--space"]),
        (vec!["--vary", "smc.pivot_left=2..3", "--trials", "0"], vec!["no trials"]),
        (vec!["--vary", "smc.pivot_left=2..3", "--workers", "0"], vec!["--workers"]),
    ] {
        let reason = cli(dir.path(), &words).unwrap_err();
        for part in expected {
            assert!(reason.contains(part), "{words:?}: {reason}");
        }
    }
}
