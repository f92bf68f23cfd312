//! Is an answer the expected one? Numbers within a tolerance, everything else equal.

use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// How near a number must come: within `abs`, or within `rel` of the expected one, whichever is more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Tolerance {
    /// Absolute.
    pub abs: f64,
    /// Relative to the expected number.
    pub rel: f64,
}

/// The first place at which an answer is not the expected one.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: `var[3]`; empty for the answer itself.
    pub at: String,
    /// What was answered; none where there is nothing.
    pub got: Option<Value>,
    /// What was expected; none where nothing should be.
    pub expected: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), Value::to_string);
        let at = if self.at.is_empty() { "out" } else { &self.at };
        write!(f, "{at}: {}, expected {}", text(&self.got), text(&self.expected))
    }
}

/// The first difference, if there is one.
pub fn difference(got: &Value, expected: &Value, tol: Tolerance) -> Option<Difference> {
    find(got, expected, tol, String::new())
}

fn find(got: &Value, expected: &Value, tol: Tolerance, at: String) -> Option<Difference> {
    match (got, expected) {
        (Value::Object(mine), Value::Object(theirs)) => {
            let missing = theirs.iter().filter(|(name, _)| !mine.contains_key(*name));
            let spare = mine.iter().filter(|(name, _)| !theirs.contains_key(*name));
            let missing = missing.map(|(name, value)| (name, None, Some(value.clone())));
            let mut lonely = missing.chain(spare.map(|(name, value)| (name, Some(value.clone()), None)));
            let lonely = lonely.next();
            let lonely =
                lonely.map(|(name, got, expected)| Difference { at: below(&at, name), got, expected });
            let both = || theirs.iter().filter_map(|(name, value)| Some((name, mine.get(name)?, value)));
            lonely.or_else(|| both().find_map(|(name, got, value)| find(got, value, tol, below(&at, name))))
        }
        (Value::Array(mine), Value::Array(theirs)) if mine.len() == theirs.len() => {
            let both = mine.iter().zip(theirs).enumerate();
            both.into_iter().find_map(|(nth, (got, value))| find(got, value, tol, format!("{at}[{nth}]")))
        }
        _ if is_equal(got, expected, tol) || is_same_decimal(&at, got, expected) => None,
        _ => Some(Difference { at, got: Some(got.clone()), expected: Some(expected.clone()) }),
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.into() } else { format!("{at}.{name}") }
}

fn is_equal(got: &Value, expected: &Value, tol: Tolerance) -> bool {
    let is_float = got.is_f64() || expected.is_f64();
    match (got.as_f64(), expected.as_f64()) {
        (Some(got), Some(expected)) if is_float => {
            (got - expected).abs() <= tol.abs.max(tol.rel * expected.abs())
        }
        _ => got == expected,
    }
}

/// A loss per unit is text but means a number: `1064.5` is `1064.5000`.
fn is_same_decimal(at: &str, got: &Value, expected: &Value) -> bool {
    let plain = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    match (got.as_str(), expected.as_str()) {
        (Some(got), Some(expected)) if at == "loss_per_unit" => plain(got) == plain(expected),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(got: Value, expected: Value, wanted: Option<&str>) {
        let found = difference(&got, &expected, Tolerance { abs: 1e-3, rel: 1e-2 });
        assert_eq!(found.map(|found| found.to_string()).as_deref(), wanted, "{got} {expected}");
    }

    #[test]
    fn numbers_may_be_near_and_the_rest_is_equal() {
        check(json!({"f": 1.009}), json!({"f": 1.0}), None);
        check(json!({"f": 0.0009}), json!({"f": 0.0}), None);
        check(json!({"f": 1.0}), json!({"f": 1}), None);
        check(json!({"f": 1.02}), json!({"f": 1.0}), Some("f: 1.02, expected 1.0"));
        check(json!({"n": 1000}), json!({"n": 1001}), Some("n: 1000, expected 1001"));
        check(json!({"f": null}), json!({"f": 0.0}), Some("f: null, expected 0.0"));
        check(json!({"f": 0.0}), json!({"f": null}), Some("f: 0.0, expected null"));
        check(json!({"f": null}), json!({}), Some("f: null, expected nothing"));
        check(json!({}), json!({"f": null}), Some("f: nothing, expected null"));
        check(json!({"v": [1.0, 2.0]}), json!({"v": [1.0, 3.0]}), Some("v[1]: 2.0, expected 3.0"));
        check(json!({"v": [true]}), json!({"v": []}), Some("v: [true], expected []"));
        check(json!({"loss_per_unit": "1.5"}), json!({"loss_per_unit": "1.50"}), None);
        check(json!({"qty": "1.5"}), json!({"qty": "1.50"}), Some("qty: \"1.5\", expected \"1.50\""));
    }
}
