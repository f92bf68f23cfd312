//! `smc vectors`: a line a case; a bad file is refused by place, a wrong answer found with `--check`.

#![allow(clippy::unwrap_used, reason = "helpers of a test fail it")]

use std::fs;
use std::path::PathBuf;
use tests::{only_line, smc};

const CASES: &str = r#"{"default_tol": {"abs": 1e-12, "rel": 1e-10}, "cases": [
{"id": "good", "fn": "kelly_bracket", "in": {"p": 0.55, "b": 1.0, "a": 1.0},
 "out": {"f_raw": 0.1, "f": 0.1, "growth": 0.005008366846356846}},
{"id": "undefined", "fn": "kelly_continuous", "in": {"mu": 0.1, "r": 0.0, "sigma": 0.0}},
{"id": "near", "fn": "kelly_multi_outcome", "in": {"probs": [0.6, 0.4], "r_multiples": [-1, 2]},
 "out": {"f": 0.11}, "tol": {"abs": 0.02}}
]}"#;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cases.json");
    fs::write(&path, text).unwrap();
    (home, path)
}

fn run(text: &str, flags: &[&str]) -> tests::Finished {
    let (_home, path) = file(text);
    smc(&[&["vectors", path.to_str().unwrap()], flags].concat())
}

#[test]
fn every_case_gives_a_line_and_undefined_is_null() {
    let done = run(CASES, &[]);
    let lines: Vec<_> = done.stdout.lines().collect();
    assert_eq!((done.code, done.stderr.as_str(), lines.len()), (0, "", 3));
    let good = r#"{"id":"good","out":{"f":0.10000000000000009,"f_raw":0.10000000000000009,"growth":0.005008366846356846}}"#;
    assert_eq!(lines[0], good);
    assert_eq!(lines[1], r#"{"id":"undefined","out":{"f":null,"f_raw":null,"growth":null}}"#);
    let checked = run(CASES, &["--check"]);
    assert_eq!((checked.code, checked.stdout), (0, done.stdout), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("kelly_continuous            0 passed,   0 failed, 1 without"),
        "{}",
        checked.stderr
    );
}

#[test]
fn a_wrong_answer_and_a_case_without_one_are_told() {
    let wrong = CASES.replace("\"abs\": 0.02", "\"abs\": 0.002");
    assert_eq!(run(&wrong, &[]).code, 0, "without --check nothing is expected");
    let done = run(&wrong, &["--check"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.starts_with("near: f: 0.1"), "{}", done.stderr);
    assert!(done.stderr.ends_with("smc: 1 of 3 cases fail\n"), "{}", done.stderr);

    let unknown = CASES.replace("kelly_continuous", "kelly_contagious").replace("\"probs\"", "\"props\"");
    let done = run(&unknown, &[]);
    let lines: Vec<_> = done.stdout.lines().collect();
    assert_eq!((done.code, lines.len()), (1, 3));
    assert_eq!(lines[1], r#"{"id":"undefined","error":"no function `kelly_contagious`"}"#);
    assert_eq!(lines[2], r#"{"id":"near","error":"field `probs` is missing or not a list"}"#);
    assert_eq!(only_line(&done), "smc: 2 of 3 cases cannot be evaluated");
}

#[test]
fn a_bad_file_is_refused_by_its_place() {
    for (text, place) in [
        (&CASES[..CASES.len() - 4], "line 6 column"),
        (&CASES.replace("\"fn\"", "\"fun\""), "line 3 column"),
        (&CASES.replace("\"near\"", "7"), "line 5 column"),
        ("", "line 1 column 0"),
        ("{}", "`cases`"),
        ("[]", "line 1"),
        ("{\"cases\": NaN}", "line 1 column 11"),
    ] {
        let done = run(text, &[]);
        let line = only_line(&done);
        assert!(done.code == 2 && line.contains("cases.json") && line.contains(place), "{line}");
    }
    let done = smc(&["vectors", "/nowhere.json"]);
    assert!(done.code == 2 && only_line(&done).contains("/nowhere.json"));
}
