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

/// An amount in 1e-8 that is written as a string with so many decimals; what lies beyond them is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dec(pub i64, pub u32);

impl Dec {
    /// Decimals that a step needs: of a tick, of a lot.
    pub fn places(step: i64) -> u32 {
        (0..8).find(|places| step % (SCALE / 10_i64.pow(*places)) == 0).unwrap_or(8)
    }
}

impl fmt::Display for Dec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, places) = *self;
        let cut = 10_i64.pow(8 - places.min(8));
        let sign = if value / cut < 0 { "-" } else { "" };
        let scale = SCALE.unsigned_abs();
        let units = value.unsigned_abs();
        if places == 0 {
            return write!(f, "{sign}{}", units / scale);
        }
        let part = units % scale / cut.unsigned_abs();
        write!(f, "{sign}{}.{part:0width$}", units / scale, width = places.min(8) as usize)
    }
}

impl Serialize for Dec {
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
    fn amounts_have_the_decimals_of_their_step() {
        assert_eq!(Dec(6_168_599_000_000, 1).to_string(), "61685.9");
        assert_eq!(Dec(-150_000_000, 3).to_string(), "-1.500");
        assert_eq!(Dec(-1, 3).to_string(), "0.000");
        assert_eq!(Dec(700_000_000, 0).to_string(), "7");
        assert_eq!(Dec(i64::MIN, 8).to_string(), "-92233720368.54775808");
        assert_eq!([SCALE, SCALE / 10, 50_000, 1].map(Dec::places), [0, 1, 4, 8]);
    }

    #[test]
    fn amounts_have_eight_decimals() {
        assert_eq!(to_text(&D8(6_168_599_000_000)), "\"61685.99000000\"");
        assert_eq!(to_text(&D8(1)), "\"0.00000001\"");
        assert_eq!(to_text(&D8(-150_000_000)), "\"-1.50000000\"");
        assert_eq!(to_text(&D8(i64::MIN)), "\"-92233720368.54775808\"");
    }
}
