//! Inputs, checked once: after that they cannot be wrong.

use std::fmt;

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq)]
pub enum BadInput {
    /// Nothing to measure.
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// A value is not a number, or absurdly large.
    Number {
        /// Of what.
        what: &'static str,
        /// Which one, from 0.
        at: usize,
    },
    /// Two inputs that belong together are of different lengths.
    Length {
        /// The one that does not fit.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The length that it should have.
        wanted: usize,
    },
    /// A setting or value outside of its domain.
    Domain {
        /// Which one.
        what: &'static str,
        /// Its domain.
        wanted: &'static str,
    },
    /// An element of a list outside of its domain.
    Element {
        /// Of what.
        what: &'static str,
        /// Which one, from 0.
        at: usize,
        /// Its domain.
        wanted: &'static str,
    },
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { what } => write!(f, "{what}: nothing there"),
            Self::Number { what, at } => write!(f, "{what}[{at}] is not a number within 1e60"),
            Self::Length { what, got, wanted } => write!(f, "{what}: {got} of them, {wanted} expected"),
            Self::Domain { what, wanted } => write!(f, "{what} is not {wanted}"),
            Self::Element { what, at, wanted } => write!(f, "{what}[{at}] is not {wanted}"),
        }
    }
}

impl std::error::Error for BadInput {}

/// Largest value of a series. Fourth powers of such values and their sums stay finite; no record has larger ones.
pub const VALUE_MAX: f64 = 1e60;

/// Values in time: at least one, all numbers within [`VALUE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Series<'a> {
    values: &'a [f64],
}

impl<'a> Series<'a> {
    /// Checks; `what` names them in an error.
    pub fn new(what: &'static str, values: &'a [f64]) -> Result<Self, BadInput> {
        if values.is_empty() {
            return Err(BadInput::Empty { what });
        }
        check_numbers(what, values)?;
        Ok(Self { values })
    }

    /// Values that were drawn from a checked series.
    pub(crate) const fn drawn(values: &'a [f64]) -> Self {
        Self { values }
    }

    /// The values.
    pub const fn values(self) -> &'a [f64] {
        self.values
    }

    /// How many, at least 1.
    pub const fn count(self) -> usize {
        self.values.len()
    }

    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = f64> + 'a {
        self.values.iter().copied()
    }
}

pub(crate) fn check_numbers(what: &'static str, values: &[f64]) -> Result<(), BadInput> {
    values
        .iter()
        .position(|value| value.is_nan() || value.abs() > VALUE_MAX)
        .map_or(Ok(()), |at| Err(BadInput::Number { what, at }))
}

pub(crate) const fn check_length(what: &'static str, got: usize, wanted: usize) -> Result<(), BadInput> {
    if got == wanted { Ok(()) } else { Err(BadInput::Length { what, got, wanted }) }
}

/// How many periods make a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeriodsPerYear(f64);

impl PeriodsPerYear {
    /// Days of markets that never close.
    pub const CRYPTO_DAYS: Self = Self(365.0);
    /// Trading days of currencies.
    pub const FX_DAYS: Self = Self(252.0);

    /// Positive and finite.
    pub fn new(count: f64) -> Result<Self, BadInput> {
        let is_sound = count.is_finite() && count > 0.0;
        let bad = BadInput::Domain { what: "periods per year", wanted: "a positive number" };
        if is_sound { Ok(Self(count)) } else { Err(bad) }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Several series over the same periods: a row a period, a column a strategy or trial. At least one value, all
/// within [`VALUE_MAX`].
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    columns: usize,
    /// Row by row; a whole number of rows.
    values: Vec<f64>,
}

impl Panel {
    /// From rows of one length.
    pub fn from_rows<R: AsRef<[f64]>>(what: &'static str, rows: &[R]) -> Result<Self, BadInput> {
        let columns = rows.first().map_or(0, |row| row.as_ref().len());
        if columns == 0 {
            return Err(BadInput::Empty { what });
        }
        for row in rows {
            check_length(what, row.as_ref().len(), columns)?;
        }
        let values: Vec<f64> = rows.iter().flat_map(|row| row.as_ref()).copied().collect();
        check_numbers(what, &values)?;
        Ok(Self { columns, values })
    }

    /// Periods.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Strategies or trials.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// One period.
    pub fn row(&self, nth: usize) -> &[f64] {
        &self.values[nth * self.columns..][..self.columns]
    }

    /// One strategy.
    pub fn column(&self, nth: usize) -> impl Iterator<Item = f64> {
        self.values.iter().skip(nth).step_by(self.columns).copied()
    }
}
