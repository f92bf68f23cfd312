//! Golden: value at risk and its backtests in the vectors that lie beside the repository; and what a file may say that
//! has no answer.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use serde_json::{Value, json};
use smc_vectors::{Case, evaluate};
use std::path::Path;

const FILE: &str = "shared/data/vectors/risk.json";
const FUNCTIONS: [&str; 12] = [
    "var_historical",
    "var_sliding",
    "var_normal",
    "var_student_t",
    "cornish_fisher_z",
    "var_cornish_fisher",
    "var_ewma",
    "var_filtered_historical",
    "kupiec_pof",
    "christoffersen",
    "basel_zone",
    "acerbi_szekely_z2",
];

/// How far floats may be apart.
#[derive(Clone, Copy)]
struct Tolerance {
    abs: f64,
    rel: f64,
}

impl Tolerance {
    fn of(value: &Value) -> Option<Self> {
        Some(Self { abs: value["abs"].as_f64()?, rel: value["rel"].as_f64()? })
    }

    /// Floats within reach, everything else equal, down to the leaves; all fields of both.
    fn holds(self, actual: &Value, expected: &Value) -> bool {
        match (actual, expected) {
            (Value::Object(actual), Value::Object(expected)) => {
                actual.len() == expected.len()
                    && expected
                        .iter()
                        .all(|(key, value)| actual.get(key).is_some_and(|got| self.holds(got, value)))
            }
            (Value::Array(actual), Value::Array(expected)) => {
                actual.len() == expected.len() && actual.iter().zip(expected).all(|(a, e)| self.holds(a, e))
            }
            (_, Value::Number(number)) if number.is_f64() => {
                let expected = number.as_f64().unwrap();
                let reach = self.abs.max(self.rel * expected.abs());
                actual.as_f64().is_some_and(|actual| (actual - expected).abs() <= reach)
            }
            _ => actual == expected,
        }
    }
}

fn answer(function: &str, input: Value) -> Value {
    evaluate(&Case { id: String::new(), function: function.to_owned(), input, expected: None, tol: None })
        .unwrap()
}

#[test]
fn every_case_of_the_file_comes_out() {
    let found =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join(FILE)).find(|f| f.exists());
    let Some(path) = found else { return println!("skipped: {FILE} absent") };
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let usual = Tolerance::of(&file["default_tol"]).unwrap();
    for function in FUNCTIONS {
        let cases = file["cases"].as_array().unwrap().iter().filter(|case| case["fn"] == function);
        let mut count = 0;
        for case in cases {
            let actual = answer(function, case["in"].clone());
            let tolerance = Tolerance::of(&case["tol"]).unwrap_or(usual);
            assert!(tolerance.holds(&actual, &case["out"]), "{}: {actual}\nnot {}", case["id"], case["out"]);
            count += 1;
        }
        println!("{function}: {count} cases");
        assert!(count > 0, "no case of {function}");
    }
}

#[test]
fn what_is_not_defined_is_null() {
    let none = Value::Null;
    let historical = |returns: Value, tail_bp: u64| {
        answer("var_historical", json!({ "returns": returns, "tail_bp": tail_bp }))
    };
    assert_eq!(historical(json!([]), 500), json!({ "k": 0, "var": none, "es": none, "var_linear": none }));
    assert_eq!(
        historical(json!([-0.1, 0.2]), 0),
        json!({ "k": 0, "var": none, "es": none, "var_linear": 0.1 })
    );
    assert_eq!(historical(json!([-0.1]), 1), json!({ "k": 1, "var": 0.1, "es": 0.1, "var_linear": 0.1 }));
    assert_eq!(historical(json!([0.0]), 10_000), json!({ "k": 1, "var": 0.0, "es": 0.0, "var_linear": 0.0 }));
    assert_eq!(
        historical(json!([0.1]), 10_001),
        json!({ "k": none, "var": none, "es": none, "var_linear": none })
    );

    let sliding = |window: u64, tail_bp: u64| {
        answer("var_sliding", json!({ "returns": [-0.1, 0.1, -0.3], "window": window, "tail_bp": tail_bp }))
    };
    assert_eq!(sliding(1, 5_000), json!({ "var": [0.1, -0.1, 0.3], "es": [0.1, -0.1, 0.3] }));
    assert_eq!(sliding(2, 0), json!({ "var": [none, none], "es": [none, none] }));
    for window in [0, 4, u64::MAX] {
        assert_eq!(sliding(window, 100), json!({ "var": [], "es": [] }));
    }

    for tail in [0.0, 1.0, -0.1, 2.0] {
        let normal = answer("var_normal", json!({ "mu": 0, "sigma": 0.1, "tail": tail }));
        assert_eq!(normal, json!({ "z": none, "var": none, "es": none }));
        let student = answer("var_student_t", json!({ "nu": 4, "scale": 0.1, "tail": tail }));
        assert_eq!(student, json!({ "var": none, "es": none }));
    }
    let student = answer("var_student_t", json!({ "nu": 1, "scale": 1, "tail": 0.25 }));
    assert!((student["var"].as_f64().unwrap() - 1.0).abs() < 1e-14 && student["es"].is_null(), "{student}");
    assert!(answer("var_student_t", json!({ "nu": 0, "scale": 1, "tail": 0.25 }))["var"].is_null());

    let constant = answer("var_cornish_fisher", json!({ "returns": [0.25, 0.25, 0.25], "tail": 0.05 }));
    assert_eq!(constant, json!({ "skew": none, "excess_kurt": none, "monotone": false, "var": -0.25 }));
    let single = answer("var_cornish_fisher", json!({ "returns": [0.25], "tail": 0.05 }));
    assert_eq!(single, json!({ "skew": none, "excess_kurt": none, "monotone": false, "var": none }));

    let ewma = |returns: Value, lambda: f64| {
        answer("var_ewma", json!({ "returns": returns, "lambda": lambda, "tail": 0.05 }))
    };
    assert_eq!(ewma(json!([]), 0.94), json!({ "sigma_first": none, "sigma_last": none, "var": none }));
    assert_eq!(ewma(json!([0.0, 0.0]), 0.94), json!({ "sigma_first": 0.0, "sigma_last": 0.0, "var": 0.0 }));
    assert!(ewma(json!([0.1]), 1.5)["var"].is_null() && ewma(json!([1e300]), 0.9)["var"].is_null());

    let filtered = |returns: Value, burn_in: u64| {
        let input = json!({ "returns": returns, "lambda": 0.5, "tail_bp": 5_000, "burn_in": burn_in });
        answer("var_filtered_historical", input)
    };
    let nothing = json!({ "sigma_next": none, "n_resid": 0, "k": 0, "var": none, "es": none });
    assert_eq!(filtered(json!([]), 0), nothing);
    let dropped = filtered(json!([0.5]), 1);
    assert_eq!(dropped, json!({ "sigma_next": 0.5, "n_resid": 0, "k": 0, "var": none, "es": none }));
    let still = filtered(json!([0.0, 0.5]), 0);
    assert!(still["var"].is_null() && still["k"] == 1, "0 / 0 is no residual: {still}");

    let kupiec =
        |n: u64, hits: u64, p: f64| answer("kupiec_pof", json!({ "n": n, "exceptions": hits, "p": p }));
    let (unknown, certain) = (json!({ "lr": none, "p_value": none }), json!({ "lr": 0.0, "p_value": 1.0 }));
    for (n, hits, p) in [(0, 0, 0.01), (3, 4, 0.01), (3, 1, 0.0), (3, 1, 1.0), (3, 1, -1.0)] {
        assert_eq!(kupiec(n, hits, p), unknown);
    }
    assert_eq!((kupiec(9, 0, 0.0), kupiec(9, 9, 1.0)), (certain.clone(), certain));

    let empty = answer("christoffersen", json!({ "hits": [], "p": 0.01 }));
    assert!(empty["lr_uc"].is_null() && empty["lr_cc"].is_null() && empty["n00"] == 0, "{empty}");
    let single = answer("christoffersen", json!({ "hits": [true], "p": 0.5 }));
    assert!(single["lr_ind"] == 0.0 && single["p_ind"] == 1.0 && single["lr_uc"].is_f64(), "{single}");

    let zone =
        |n: u64, hits: u64, p: f64| answer("basel_zone", json!({ "n": n, "exceptions": hits, "p": p }));
    for (n, hits, p) in [(0, 0, 0.01), (3, 4, 0.01), (3, 1, 7.0)] {
        assert_eq!(zone(n, hits, p), json!({ "zone": none, "cum_prob": none }));
    }
    assert_eq!(zone(3, 3, 0.01), json!({ "zone": "red", "cum_prob": 1.0 }));

    let z2 = |returns: Value, es: Value, p: f64| {
        answer("acerbi_szekely_z2", json!({ "returns": returns, "var": 0.1, "es": es, "p": p }))["z2"].clone()
    };
    assert_eq!(z2(json!([]), json!(0.2), 0.5), none);
    assert_eq!((z2(json!([-0.5]), json!(0), 0.5), z2(json!([-0.5]), json!(0.5), 0.0)), (none.clone(), none));
    assert_eq!(z2(json!([-0.5, 0.5]), json!(0.5), 0.5), 0.0);
    assert_eq!(z2(json!([-0.5, -0.1]), json!([0.5, 1.0]), 0.5), 0.0, "one ES a day; equal is no hit");
}

/// Nothing panics and nothing but numbers comes out, whatever finite numbers come in.
#[test]
fn absurd_numbers_give_numbers_or_null() {
    let values = [0.0, -0.0, 1e-320, -1e-300, 0.5, -1.0, 1e9, -1e155, 1.7e308, -1.7e308];
    let mut random = 3u64;
    let mut pick = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        values[(random >> 40) as usize % values.len()]
    };
    for nth in 0..3_000u64 {
        let returns: Vec<f64> = (0..nth % 7).map(|_| pick()).collect();
        let hits: Vec<u64> = returns.iter().map(|value| u64::from(*value < 0.0)).collect();
        let input = json!({
            "returns": returns, "hits": hits, "tail_bp": nth * 37 % 10_100, "window": nth % 5, "burn_in": nth % 4,
            "mu": pick(), "sigma": pick(), "tail": pick(), "lambda": pick(), "nu": pick(), "scale": pick(),
            "skew": pick(), "excess_kurt": pick(), "var": pick(), "es": pick(), "p": pick(),
            "n": nth * nth * nth * nth % 1_000_003, "exceptions": nth * 7,
        });
        for function in FUNCTIONS {
            let answer = answer(function, input.clone());
            assert!(answer.is_object(), "{function}");
        }
    }
}

#[test]
fn a_field_of_another_kind_is_named() {
    for function in FUNCTIONS {
        let case = Case {
            id: String::new(),
            function: function.to_owned(),
            input: json!({}),
            expected: None,
            tol: None,
        };
        let error = evaluate(&case).unwrap_err();
        assert!(error.to_string().starts_with("field `"), "{function}: {error}");
    }
}
