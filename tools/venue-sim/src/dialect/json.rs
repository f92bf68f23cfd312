//! How the venue writes numbers, and small helpers to write its JSON in its own key order.

use serde::{Serialize, Serializer};
use smc_core::words::{Name, SCALE};
use smc_core::{Price, Qty};
use std::fmt;

/// An amount in 1e-8 that is written as the venue does: a string with eight decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct D8(pub i64);

impl From<Price> for D8 {
    fn from(price: Price) -> Self {
        Self(price.0)
    }
}

impl From<Qty> for D8 {
    fn from(qty: Qty) -> Self {
        Self(qty.0)
    }
}

impl fmt::Display for D8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let scale = SCALE.unsigned_abs();
        let units = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:08}", units / scale, units % scale)
    }
}

impl Serialize for D8 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A [`Name`] that is written as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(pub Name);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

/// The JSON text of a value that always has one.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> String {
    // Our own structs have string keys and finite numbers, so serialising them cannot fail.
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_eight_decimals() {
        assert_eq!(to_text(&D8(6_168_599_000_000)), "\"61685.99000000\"");
        assert_eq!(to_text(&D8(1)), "\"0.00000001\"");
        assert_eq!(to_text(&D8(-150_000_000)), "\"-1.50000000\"");
        assert_eq!(to_text(&D8(i64::MIN)), "\"-92233720368.54775808\"");
    }
}
