//! The risk vectors that lie beside the repository, through the shipped code; and inputs that no function expects.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::case;
use serde_json::{Value, json};
use smc_vectors::{CaseError, evaluate};
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "risk.json";

/// Functions of this crate's families that are told here; the others have tests of their own.
const FUNCTIONS: [&str; 11] = [
    "kelly_bracket",
    "kelly_bracket_net",
    "kelly_continuous",
    "kelly_multi_outcome",
    "kelly_shrunk",
    "size_from_risk",
    "throttle_sliding",
    "throttle_token_bucket",
    "pretrade_gate",
    "totp",
    "loss_breaker",
];

#[test]
fn every_case_gives_what_the_file_expects() {
    let Some(file) = common::file(FILE) else { return };
    let mut passed = BTreeMap::<&str, u32>::new();
    let mut codes = BTreeSet::new();
    for case in file.cases.iter().filter(|case| FUNCTIONS.contains(&case.function.as_str())) {
        let answer = evaluate(case).unwrap();
        let difference = file.compare(case, &answer);
        assert!(case.expected.is_some() && difference.is_none(), "{}: {}", case.id, difference.unwrap());
        *passed.entry(&case.function).or_default() += 1;
        codes.extend(answer["violations"].as_array().into_iter().flatten().map(Value::to_string));
    }
    println!("{passed:?}");
    assert_eq!(passed.len(), FUNCTIONS.len());
    assert_eq!(codes.len(), 21, "the cases produce every code of the gate");
}

fn check(function: &str, input: Value, wanted: Value) {
    assert_eq!(evaluate(&case(function, input.clone())), Ok(wanted), "{function} {input}");
}

#[test]
fn the_edges_are_defined_or_null() {
    let bracket = |p, b, a| json!({"p": p, "b": b, "a": a});
    let nothing = json!({"f_raw": null, "f": null, "growth": null});
    check("kelly_bracket", bracket(0.0, 2.0, 1.0), json!({"f_raw": -0.5, "f": 0.0, "growth": 0.0}));
    let all = json!({"f_raw": 1.0, "f": 1.0, "growth": 2f64.ln()});
    check("kelly_bracket", bracket(1.0, 1.0, 1.0), all);
    check("kelly_bracket", bracket(0.5, 0.0, 1.0), json!({"f_raw": null, "f": 0.0, "growth": 0.0}));
    check("kelly_bracket", bracket(0.5, 1.0, 0.0), nothing.clone());
    check("kelly_bracket", bracket(1.5, 1.0, 1.0), nothing.clone());
    check("kelly_bracket", bracket(-0.5, 1.0, 1.0), nothing.clone());
    check("kelly_continuous", json!({"mu": 0.1, "r": 0.0, "sigma": 0.0}), nothing);
    for (probs, multiples) in
        [(json!([]), json!([])), (json!([1.0]), json!([2.0])), (json!([0.5, 0.5]), json!([1.0]))]
    {
        check("kelly_multi_outcome", json!({"probs": probs, "r_multiples": multiples}), json!({"f": null}));
    }
    let shrunk = |wins: i64, b: f64, prior: f64| {
        let input = json!({"wins": wins, "losses": 0, "b": b, "prior_strength": prior, "lower_q": 0.05});
        evaluate(&case("kelly_shrunk", input)).unwrap()
    };
    assert!(shrunk(-1, 1.0, 20.0).as_object().unwrap().values().all(Value::is_null));
    assert!(shrunk(0, 1.0, 0.0).as_object().unwrap().values().all(Value::is_null));
    assert_eq!(
        shrunk(0, 0.0, 20.0)["p_mean"],
        Value::Null,
        "a bet that pays nothing has no break-even rate below 1"
    );
    check("throttle_sliding", json!({"ts_ms": [], "max": 5, "window_ms": 10}), json!({"accept": []}));
    check(
        "throttle_sliding",
        json!({"ts_ms": [1, 1], "max": 5000, "window_ms": 10}),
        json!({"accept": [true, true]}),
    );
    check("throttle_sliding", json!({"ts_ms": [1], "max": -1, "window_ms": -10}), json!({"accept": [false]}));
    check(
        "throttle_sliding",
        json!({"ts_ms": [-9, 1], "max": 1, "window_ms": 10}),
        json!({"accept": [true, true]}),
    );
    let bucket = |rate| json!({"ts_ms": [0, 399, 400], "capacity": 1, "rate_per_s": rate});
    check("throttle_token_bucket", bucket(json!(2.5)), json!({"accept": [true, false, true]}));
    check("throttle_token_bucket", bucket(json!(0)), json!({"accept": [true, false, false]}));
    check("throttle_token_bucket", bucket(json!(-1)), json!({"accept": [true, false, false]}));
    let totp = |key: &str, digits| json!({"key_hex": key, "unix_s": -1, "algo": "sha1", "digits": digits, "step_s": 0});
    check("totp", totp("31", 8), json!({"code": null}));
    check("totp", totp("", 99), json!({"code": null}));
    assert!(matches!(evaluate(&case("totp", totp("3", 8))), Err(CaseError::Field { name: "key_hex", .. })));
    assert!(matches!(evaluate(&case("kelly", json!({}))), Err(CaseError::Function { .. })));
}

/// Every field of every case is replaced by what is absurd, and left out: an answer or an error, never a panic.
#[test]
fn no_field_can_break_a_function() {
    let Some(file) = common::file(FILE) else { return };
    let cases = file.cases.iter().filter(|case| FUNCTIONS.contains(&case.function.as_str()));
    let tried = common::break_every_field(cases);
    println!("{tried} broken cases");
    assert!(tried > 10_000);
}
