//! Vector files through the shipped code: a case names a function and its inputs, and gets the function's answer.
//!
//! A file is `{"cases": [{"id": …, "fn": …, "in": {…}}, …]}`; what else it says (expected outputs, tolerances) is not
//! looked at here. Every function is one that the engine or its reports use; nothing is computed only for a vector.
//! Undefined numbers are `null`.

mod case;
mod sizing;
mod var;

pub use case::{CaseError, Input};

use serde::Deserialize;
use serde_json::Value;

/// One case of a file.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name in the file.
    pub id: String,
    /// The function to call.
    #[serde(rename = "fn")]
    pub function: String,
    /// What it is called with.
    #[serde(rename = "in")]
    pub input: Value,
}

/// Each family of functions knows its names: `None` for a name that is not one of them.
type Family = fn(&str, Input<'_>) -> Option<Result<Value, CaseError>>;

const FAMILIES: [Family; 2] = [var::evaluate, sizing::evaluate];

/// The shipped code's answer to one case.
pub fn evaluate(case: &Case) -> Result<Value, CaseError> {
    let input = Input::new(&case.input);
    let answer = FAMILIES.iter().find_map(|family| family(&case.function, input));
    answer.unwrap_or_else(|| Err(CaseError::Function { name: case.function.clone() }))
}
