//! Vector files through the shipped code: a case names a function and its inputs, and gets the function's answer.
//!
//! A file is `{"cases": [{"id": …, "fn": …, "in": {…}}, …]}`; what it expects (`out`, `tol`, `default_tol`) is looked at
//! only by who asks for a comparison ([`File::compare`]). Every function is one that the engine or its reports use;
//! nothing is computed only for a vector. Undefined numbers are `null`.

mod breakers;
mod case;
mod compare;
mod fills;
mod gate;
mod luck;
mod models;
mod performance;
mod second_factor;
mod sizing;
mod var;

pub use case::{CaseError, Input};
pub use compare::{Difference, Tolerance};

use serde::Deserialize;
use serde_json::Value;

/// A file of cases.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    /// For cases that name none.
    #[serde(default)]
    pub default_tol: Tolerance,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// One case of a file.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name in the file.
    pub id: String,
    /// The function to call.
    #[serde(rename = "fn")]
    pub function: String,
    /// What it is called with.
    #[serde(default, rename = "in")]
    pub input: Value,
    /// What it should answer, if the file says so.
    #[serde(default, rename = "out")]
    pub expected: Option<Value>,
    /// How near a number must come.
    #[serde(default)]
    pub tol: Option<Tolerance>,
}

/// Each family of functions knows its names: `None` for a name that is not one of them.
type Family = fn(&str, Input<'_>) -> Option<Result<Value, CaseError>>;

const FAMILIES: [Family; 9] = [
    var::evaluate,
    sizing::evaluate,
    gate::evaluate,
    breakers::evaluate,
    second_factor::evaluate,
    performance::evaluate,
    luck::evaluate,
    models::evaluate,
    fills::evaluate,
];

impl File {
    /// Reads a file's text; the error names line and column.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Where an answer differs from what the case expects; nothing where it expects nothing.
    pub fn compare(&self, case: &Case, answer: &Value) -> Option<Difference> {
        let expected = case.expected.as_ref()?;
        compare::difference(answer, expected, case.tol.unwrap_or(self.default_tol))
    }
}

/// The shipped code's answer to one case.
pub fn evaluate(case: &Case) -> Result<Value, CaseError> {
    let input = Input::new(&case.input);
    let answer = FAMILIES.iter().find_map(|family| family(&case.function, input));
    answer.unwrap_or_else(|| Err(CaseError::Function { name: case.function.clone() }))
}
