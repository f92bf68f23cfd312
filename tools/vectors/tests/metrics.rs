//! The metrics vectors that lie beside the repository, through the shipped code; edges that the file does not have; and
//! inputs that no function expects.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::case;
use serde_json::{Value, json};
use smc_vectors::{CaseError, evaluate};
use std::collections::BTreeMap;

const FILE: &str = "metrics.json";

/// Cases of each function of the file.
const CASES: [(&str, u32); 24] = [
    ("benchmark_metrics", 2),
    ("bracket_on_bars", 36),
    ("cpcv", 5),
    ("dsr", 5),
    ("funding_payment", 3),
    ("isotonic", 2),
    ("ks_two_sample", 3),
    ("label_uniqueness", 2),
    ("mc_drawdown_shuffle", 2),
    ("pbo_cscv", 3),
    ("permutation_p_value", 3),
    ("platt_fit", 2),
    ("pnl_average_cost", 8),
    ("probability_scores", 2),
    ("psi", 3),
    ("psr", 3),
    ("purged_kfold", 2),
    ("queue_probability", 4),
    ("queue_risk_averse", 3),
    ("return_metrics", 13),
    ("trade_metrics", 2),
    ("triple_barrier", 4),
    ("walk_forward", 4),
    ("white_reality_check", 2),
];

#[test]
fn every_case_gives_what_the_file_expects() {
    let Some(file) = common::file(FILE) else { return };
    let mut passed = BTreeMap::<&str, u32>::new();
    for case in &file.cases {
        let answer = evaluate(case).unwrap();
        let difference = file.compare(case, &answer);
        assert!(case.expected.is_some() && difference.is_none(), "{}: {}", case.id, difference.unwrap());
        *passed.entry(&case.function).or_default() += 1;
    }
    assert_eq!(passed, BTreeMap::from(CASES));
    assert_eq!(passed.values().sum::<u32>(), 118);
}

/// A comparison that lets everything through would pass the test above.
#[test]
fn a_spoilt_answer_does_not_pass() {
    let Some(file) = common::file(FILE) else { return };
    for case in &file.cases {
        let mut answer = evaluate(case).unwrap();
        spoil(&mut answer);
        assert!(file.compare(case, &answer).is_some(), "{}", case.id);
    }
}

/// Changes the first leaf that is there by more than any tolerance.
fn spoil(answer: &mut Value) {
    match answer {
        Value::Object(fields) => fields.values_mut().next().into_iter().for_each(spoil),
        Value::Array(items) if !items.is_empty() => spoil(&mut items[0]),
        Value::Number(number) => {
            let value = number.as_f64().unwrap();
            *answer = json!(value + 1e-4 + 1e-3 * value.abs());
        }
        Value::String(text) => text.push('1'),
        other => *other = json!(-7),
    }
}

fn answer(function: &str, input: Value) -> Value {
    evaluate(&case(function, input)).unwrap()
}

#[test]
fn edges_are_null_and_not_zero() {
    let of = |returns: Value| {
        answer("return_metrics", json!({"returns": returns, "periods_per_year": 365, "rf_per_period": 0.0}))
    };
    let one = of(json!([0.01]));
    for name in ["ann_vol", "sharpe", "skew", "excess_kurt", "calmar", "omega_0"] {
        assert_eq!(one[name], Value::Null, "{name}");
    }
    let gone = of(json!([0.1, -1.0, 0.5]));
    assert_eq!((gone["cagr"].as_f64(), gone["total_return"].as_f64()), (Some(-1.0), Some(-1.0)));
    assert_eq!(of(json!([-0.1, -0.2]))["payoff"], Value::Null);
    assert_eq!(of(json!([-0.1, -0.2]))["profit_factor"].as_f64(), Some(0.0));
    let flat = json!([0.01, 0.01, 0.01]);
    let input = json!({"returns": [0.01, 0.02, 0.0], "benchmark": flat, "periods_per_year": 252});
    let against = answer("benchmark_metrics", input);
    assert_eq!((&against["beta"], &against["correlation"]), (&Value::Null, &Value::Null));
    let lost = answer("trade_metrics", json!({"r_multiples": [-1.0, 0.0]}));
    assert_eq!(
        (&lost["avg_win"], &lost["payoff"], lost["sqn"] != Value::Null),
        (&Value::Null, &Value::Null, true)
    );
    assert_eq!((lost["avg_loss"].as_f64(), lost["max_consecutive_losses"].as_u64()), (Some(-0.5), Some(2)));
    let few = answer("psr", json!({"returns": [0.1, 0.2, 0.1], "sr_benchmark": 0.0, "confidence": 0.95}));
    assert!(few.as_object().unwrap().values().all(Value::is_null));
    let nobody = json!({"front": 0, "back": 0, "power_n": 2, "decrease": 1, "new_qty": 1});
    assert!(answer("queue_probability", nobody).as_object().unwrap().values().all(Value::is_null));
    let one_class = json!({"y": [1, 1], "p": [0.5, 0.6], "ece_bins": 10});
    assert_eq!(answer("probability_scores", one_class)["auc"], Value::Null);
    let flat = json!({"inverse": true, "fills": [], "mark": "1"});
    assert_eq!(
        answer("pnl_average_cost", flat),
        json!({"position": "0", "avg_price": null, "realized": "0", "unrealized": "0", "fees": "0"})
    );
    let nothing = json!({"n": 5, "train": 4, "test": 3, "gap": 0, "anchored": false});
    assert_eq!(answer("walk_forward", nothing), json!({"splits": []}));
    let parts = json!({"queue_ahead": 0.5, "qty": 1, "events": [{"t": "trade", "qty": 0.75}]});
    let parts = answer("queue_risk_averse", parts);
    assert_eq!(parts, json!({"fills": [0.25], "queue_ahead": 0, "remaining": 0.75}));
}

#[test]
fn what_cannot_be_an_input_is_refused_by_name() {
    let refused = |function: &str, input: Value, name: &str| {
        let error = evaluate(&case(function, input)).unwrap_err().to_string();
        assert!(error.contains(name), "{function}: {error}");
    };
    let year = |per_year: f64| json!({"returns": [0.1], "periods_per_year": per_year, "rf_per_period": 0.0});
    refused("return_metrics", year(0.0), "periods per year");
    refused("return_metrics", json!({"returns": [], "periods_per_year": 1, "rf_per_period": 0}), "returns");
    refused(
        "return_metrics",
        json!({"returns": [1e61], "periods_per_year": 1, "rf_per_period": 0}),
        "returns[0]",
    );
    refused(
        "return_metrics",
        json!({"returns": ["1"], "periods_per_year": 1, "rf_per_period": 0}),
        "returns",
    );
    refused(
        "benchmark_metrics",
        json!({"returns": [0.1], "benchmark": [0.1, 0.2], "periods_per_year": 1}),
        "benchmark",
    );
    refused("psr", json!({"returns": [0.1], "sr_benchmark": 0, "confidence": 1.0}), "confidence");
    refused(
        "dsr",
        json!({"sr": 0.1, "n_obs": 9, "skew": 0, "kurt": 3, "n_trials": 0, "var_trials": 1}),
        "trials",
    );
    refused("pbo_cscv", json!({"matrix": [[1, 2], [3]], "blocks": 2}), "matrix");
    refused("pbo_cscv", json!({"matrix": [[1, 2], [3, 4], [5, 6], [7, 8]], "blocks": 3}), "blocks");
    refused(
        "white_reality_check",
        json!({"diffs": [[1], [2]], "bootstrap_indices": [[0, 2]]}),
        "resamples[0]",
    );
    refused(
        "mc_drawdown_shuffle",
        json!({"returns": [0.1, 0.2], "permutations": [[0, 1], [1, 1]]}),
        "permutations[1]",
    );
    refused("walk_forward", json!({"n": 5, "train": 0, "test": 3, "gap": 0, "anchored": false}), "train");
    refused("cpcv", json!({"n": 9, "folds": 3, "test_folds": 3, "purge": 0, "embargo": 0}), "test groups");
    refused(
        "purged_kfold",
        json!({"t_start": [2, 1], "t_end": [1, 2], "folds": 2, "embargo": 0}),
        "spans[0]",
    );
    refused("label_uniqueness", json!({"n": 3, "spans": [[0, 3]]}), "spans[0]");
    refused("probability_scores", json!({"y": [1], "p": [1.5], "ece_bins": 10}), "p[0]");
    refused("probability_scores", json!({"y": [2], "p": [0.5], "ece_bins": 10}), "y");
    refused("psi", json!({"expected_counts": [0], "actual_counts": [1], "floor": 1e-4}), "expected counts");
    refused(
        "queue_probability",
        json!({"front": -1, "back": 1, "power_n": 2, "decrease": 0, "new_qty": 0}),
        "front",
    );
    let fill = |side: i64, qty: &str, px: &str| {
        let fill = json!({"side": side, "qty": qty, "px": px, "fee_rate": "0"});
        json!({"inverse": false, "fills": [fill], "mark": "1"})
    };
    refused("pnl_average_cost", fill(0, "1", "1"), "side");
    refused("pnl_average_cost", fill(1, "0", "1"), "quantity");
    refused("pnl_average_cost", fill(1, "1", "-1"), "price");
    refused("pnl_average_cost", fill(1, "1,5", "1"), "qty");
    refused(
        "bracket_on_bars",
        json!({"side": 1, "sl": 1, "tp": 2, "touch_fills": true, "bars_ohlc": [[1, 2]]}),
        "bars_ohlc",
    );
    let unknown = evaluate(&case("psr2", json!({}))).unwrap_err();
    assert_eq!(unknown, CaseError::Function { name: "psr2".into() });
}

#[test]
fn no_field_can_break_a_function() {
    let Some(file) = common::file(FILE) else { return };
    // Of each function the smaller cases: the large ones have the same fields.
    let mut taken = BTreeMap::<&str, u32>::new();
    let mut cases: Vec<_> = file.cases.iter().collect();
    cases.sort_by_key(|case| case.input.to_string().len());
    cases.retain(|case| {
        let count = taken.entry(&case.function).or_default();
        *count += 1;
        *count <= 3
    });
    let tried = common::break_every_field(cases.into_iter());
    println!("{tried} broken cases");
    assert!(tried > 5_000);
}
