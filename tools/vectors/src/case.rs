//! The inputs of a case, field by field, and what can be wrong with them.

use serde_json::{Number, Value};
use smc_core::words::{Price, Side};
use smc_metrics::BadInput;
use std::fmt;

/// A number as JSON; what is undefined, infinite or no number is null.
pub fn number(value: Option<f64>) -> Value {
    value.and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// A figure as JSON; null without a value.
pub fn figure(value: smc_metrics::Value) -> Value {
    number(value.ok())
}

/// The `in` of a case.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a Value);

/// Why a case has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseError {
    /// No function of this name.
    Function {
        /// As the file says it.
        name: String,
    },
    /// A field is missing or of another kind.
    Field {
        /// Its name.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The function refused its input.
    Refused {
        /// What it said.
        reason: String,
    },
}

impl From<BadInput> for CaseError {
    fn from(bad: BadInput) -> Self {
        Self::Refused { reason: bad.to_string() }
    }
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function { name } => write!(f, "no function `{name}`"),
            Self::Field { name, wanted } => write!(f, "field `{name}` is missing or not {wanted}"),
            Self::Refused { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for CaseError {}

impl<'a> Input<'a> {
    /// Over the object of a case.
    pub const fn new(value: &'a Value) -> Self {
        Self(value)
    }

    /// A field as it stands; none when it is absent or null.
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A field that is an object.
    pub fn object(self, name: &'static str) -> Result<Self, CaseError> {
        self.get(name)
            .filter(|value| value.is_object())
            .map(Self)
            .ok_or(CaseError::Field { name, wanted: "an object" })
    }

    /// A number.
    pub fn float(self, name: &'static str) -> Result<f64, CaseError> {
        self.get(name).and_then(Value::as_f64).ok_or(CaseError::Field { name, wanted: "a number" })
    }

    /// A whole number.
    pub fn int(self, name: &'static str) -> Result<i64, CaseError> {
        self.get(name).and_then(Value::as_i64).ok_or(CaseError::Field { name, wanted: "a whole number" })
    }

    /// A whole number that is not negative.
    pub fn count(self, name: &'static str) -> Result<u64, CaseError> {
        self.get(name).and_then(Value::as_u64).ok_or(CaseError::Field { name, wanted: "a count" })
    }

    /// Text.
    pub fn text(self, name: &'static str) -> Result<&'a str, CaseError> {
        self.get(name).and_then(Value::as_str).ok_or(CaseError::Field { name, wanted: "text" })
    }

    /// True or false.
    pub fn claim(self, name: &'static str) -> Result<bool, CaseError> {
        self.get(name).and_then(Value::as_bool).ok_or(CaseError::Field { name, wanted: "true or false" })
    }

    /// A list.
    pub fn list(self, name: &'static str) -> Result<&'a [Value], CaseError> {
        let list = self.get(name).and_then(Value::as_array).map(Vec::as_slice);
        list.ok_or(CaseError::Field { name, wanted: "a list" })
    }

    /// A list of objects.
    pub fn inputs(self, name: &'static str) -> Result<impl Iterator<Item = Self>, CaseError> {
        self.list(name).map(|list| list.iter().map(Self))
    }

    /// A decimal number as text, in 1e-8.
    pub fn decimal(self, name: &'static str) -> Result<i64, CaseError> {
        let price = Price::parse(self.text(name)?.as_bytes());
        price.map(|price| price.0).map_err(|_| CaseError::Field { name, wanted: "a decimal number as text" })
    }

    /// A number that is exact in 1e-8, in 1e-8.
    pub fn decimal_number(self, name: &'static str) -> Result<i64, CaseError> {
        let wanted = "a number with at most eight decimals";
        let text = self.get(name).filter(|value| value.is_number()).map(Value::to_string);
        let price = text.and_then(|text| Price::parse(text.as_bytes()).ok());
        price.map(|price| price.0).ok_or(CaseError::Field { name, wanted })
    }

    /// A list of numbers.
    pub fn floats(self, name: &'static str) -> Result<Vec<f64>, CaseError> {
        let wanted = "a list of numbers";
        self.list(name)?.iter().map(|v| v.as_f64().ok_or(CaseError::Field { name, wanted })).collect()
    }

    /// A list of lists of numbers.
    pub fn rows(self, name: &'static str) -> Result<Vec<Vec<f64>>, CaseError> {
        let wanted = CaseError::Field { name, wanted: "a list of lists of numbers" };
        let row = |row: &Value| row.as_array()?.iter().map(Value::as_f64).collect();
        self.list(name)?.iter().map(row).collect::<Option<_>>().ok_or(wanted)
    }

    /// A list of lists of places, counted from 0.
    pub fn places(self, name: &'static str) -> Result<Vec<Vec<usize>>, CaseError> {
        let wanted = CaseError::Field { name, wanted: "a list of lists of places" };
        let place = |place: &Value| usize::try_from(place.as_u64()?).ok();
        let row = |row: &Value| row.as_array()?.iter().map(place).collect();
        self.list(name)?.iter().map(row).collect::<Option<_>>().ok_or(wanted)
    }

    /// A list of whole numbers.
    pub fn ints(self, name: &'static str) -> Result<Vec<i64>, CaseError> {
        let wanted = "a list of whole numbers";
        self.list(name)?.iter().map(|v| v.as_i64().ok_or(CaseError::Field { name, wanted })).collect()
    }

    /// A list of counts.
    pub fn counts(self, name: &'static str) -> Result<Vec<u64>, CaseError> {
        let wanted = "a list of counts";
        self.list(name)?.iter().map(|v| v.as_u64().ok_or(CaseError::Field { name, wanted })).collect()
    }

    /// A list of 0 and 1, or of false and true.
    pub fn flags(self, name: &'static str) -> Result<Vec<bool>, CaseError> {
        let flag = |value: &Value| match value.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => value.as_bool(),
        };
        let wanted = CaseError::Field { name, wanted: "a list of 0 and 1" };
        self.list(name)?.iter().map(flag).collect::<Option<_>>().ok_or(wanted)
    }

    /// A count of things in memory.
    pub fn size(self, name: &'static str) -> Result<usize, CaseError> {
        usize::try_from(self.count(name)?).map_err(|_| CaseError::Field { name, wanted: "a count" })
    }

    /// The side that 1 or -1 means.
    pub fn side(self, name: &'static str) -> Result<Side, CaseError> {
        match self.int(name)? {
            1 => Ok(Side::Buy),
            -1 => Ok(Side::Sell),
            _ => Err(CaseError::Field { name, wanted: "1 or -1" }),
        }
    }
}
