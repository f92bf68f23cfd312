//! Value at risk, expected shortfall and their backtests.

use crate::{CaseError, Input};
use serde_json::Value;

/// `None` for a function that is not of this family.
pub fn evaluate(_function: &str, _input: Input<'_>) -> Option<Result<Value, CaseError>> {
    None
}
