//! What the tests of vector files share.
#![allow(dead_code, reason = "each test file takes what it needs")]

use serde_json::{Value, json};
use smc_vectors::{Case, File, evaluate};
use std::path::Path;

/// A file of `shared/data/vectors`; none (and said so) when it is absent.
pub fn file(name: &str) -> Option<File> {
    let name = Path::new("shared/data/vectors").join(name);
    let dirs = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(path) = dirs.map(|dir| dir.join(&name)).find(|path| path.exists()) else {
        println!("skipped: {} absent", name.display());
        return None;
    };
    Some(File::parse(&std::fs::read_to_string(path).unwrap()).unwrap())
}

/// A case of a function.
pub fn case(function: &str, input: Value) -> Case {
    Case { id: "x".into(), function: function.into(), input, expected: None, tol: None }
}

/// Every field of every case is replaced by what is absurd: an answer or an error, never a panic, never NaN. Returns
/// how many were tried.
pub fn break_every_field<'a>(cases: impl Iterator<Item = &'a Case>) -> u32 {
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
    let mut tried = 0;
    for case in cases {
        let mut paths = Vec::new();
        leaves(&case.input, String::new(), &mut paths);
        for path in paths {
            for value in &absurd {
                let mut broken = case.clone();
                *broken.input.pointer_mut(&path).unwrap() = value.clone();
                let answer = evaluate(&broken);
                tried += 1;
                let is_sound = answer.as_ref().is_ok_and(has_only_numbers) || answer.is_err();
                assert!(is_sound, "{} {path} {value}: {answer:?}", case.id);
            }
        }
    }
    tried
}

/// JSON has no NaN or infinity, but text has.
fn has_only_numbers(answer: &Value) -> bool {
    match answer {
        Value::Object(fields) => fields.values().all(has_only_numbers),
        Value::Array(items) => items.iter().all(has_only_numbers),
        Value::String(text) => !text.contains("NaN") && !text.contains("inf"),
        _ => true,
    }
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
