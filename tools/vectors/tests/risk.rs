//! The risk vectors that lie beside the repository, through the shipped code; and inputs that no function expects.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use serde_json::{Value, json};
use smc_vectors::{Case, CaseError, File, evaluate};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const FILE: &str = "shared/data/vectors/risk.json";

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

/// None (and said so) when the file is absent.
fn file() -> Option<File> {
    let dirs = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(path) = dirs.map(|dir| dir.join(FILE)).find(|path| path.exists()) else {
        println!("skipped: {FILE} absent");
        return None;
    };
    Some(File::parse(&std::fs::read_to_string(path).unwrap()).unwrap())
}

#[test]
fn every_case_gives_what_the_file_expects() {
    let Some(file) = file() else { return };
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

fn case(function: &str, input: Value) -> Case {
    Case { id: "x".into(), function: function.into(), input, expected: None, tol: None }
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
    let Some(file) = file() else { return };
    let absurd = [
        json!(null),
        json!(0),
        json!(-1),
        json!(1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.5),
        json!(1e308),
        json!(-1e308),
        json!(5e-324),
        json!(""),
        json!("0"),
        json!("-1"),
        json!("92233720368.54775807"),
        json!([]),
        json!([0]),
        json!([i64::MAX, i64::MIN]),
        json!([1e308, -1e308]),
        json!({}),
        json!(true),
    ];
    let mut tried = 0u32;
    for case in file.cases.iter().filter(|case| FUNCTIONS.contains(&case.function.as_str())) {
        let mut paths = Vec::new();
        leaves(&case.input, String::new(), &mut paths);
        for path in paths {
            for value in &absurd {
                let mut broken = case.clone();
                *broken.input.pointer_mut(&path).unwrap() = value.clone();
                let answer = evaluate(&broken);
                tried += 1;
                let text = answer.map(|answer| answer.to_string()).unwrap_or_default();
                assert!(!text.contains("NaN") && !text.contains("inf"), "{} {path} {value}: {text}", case.id);
            }
        }
    }
    println!("{tried} broken cases");
    assert!(tried > 10_000);
}

/// Places of fields: every key, and the first elements of lists.
fn leaves(value: &Value, at: String, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().take(2).enumerate().map(|(nth, v)| (nth.to_string(), v)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let path = format!("{at}/{name}");
        leaves(child, path.clone(), into);
        into.push(path);
    }
}
