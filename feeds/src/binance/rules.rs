//! The venue's rules for an instrument, from `exchangeInfo`. Cold: at start and on reload.
//!
//! Every number is exact or the instrument is refused by name: nothing is rounded to fit, and an absent
//! filter is not taken for "no limit".

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::Object;
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{DecimalError, Name};

use super::message::short_name;
use crate::number::{self, NumberError};

/// Why an instrument's rules cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up.
        at: usize,
    },
    /// JSON, but not an `exchangeInfo` answer.
    NoSymbols,
    /// The symbol is not listed.
    UnknownSymbol(Name),
    /// A filter or field is absent, or is not what it must be.
    Missing {
        /// The instrument.
        symbol: Name,
        /// The venue's name of it.
        what: &'static str,
    },
    /// A number does not fit 1e-8 units.
    BadNumber {
        /// The instrument.
        symbol: Name,
        /// The venue's name of the field.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// Zero or negative where a value is needed, or a minimum above its maximum.
    BadRange {
        /// The instrument.
        symbol: Name,
        /// The venue's name of the field.
        field: &'static str,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "not JSON at byte {at}"),
            Self::NoSymbols => f.write_str("not an exchangeInfo answer: no symbols"),
            Self::UnknownSymbol(symbol) => write!(f, "{symbol}: not listed"),
            Self::Missing { symbol, what } => write!(f, "{symbol}: {what} is missing or of the wrong kind"),
            Self::BadNumber { symbol, field, error } => write!(f, "{symbol}: {field}: {error}"),
            Self::BadRange { symbol, field } => write!(f, "{symbol}: {field} is out of range"),
        }
    }
}

impl std::error::Error for SpecError {}

/// Finds the row of one symbol in an `exchangeInfo` answer, whose body may be changed, and has `read` make rules of it.
pub fn read_rules(
    exchange_info_json: &mut [u8],
    symbol: &str,
    read: impl FnOnce(&Rules<'_, '_>) -> Result<InstrumentSpec, SpecError>,
) -> Result<InstrumentSpec, SpecError> {
    let tape =
        simd_json::to_tape(exchange_info_json).map_err(|error| SpecError::BadJson { at: error.index() })?;
    let root = tape.as_value().into_object().ok_or(SpecError::NoSymbols)?;
    let symbols = root.get("symbols").and_then(|value| value.into_array()).ok_or(SpecError::NoSymbols)?;
    let row = symbols
        .iter()
        .filter_map(|row| row.into_object())
        .find(|row| text(row, "symbol") == Some(symbol))
        .ok_or(SpecError::UnknownSymbol(short_name(symbol)))?;
    let name = Name::new(symbol).ok_or(SpecError::UnknownSymbol(short_name(symbol)))?;
    read(&Rules { symbol: name, row })
}

/// The row of one symbol.
pub struct Rules<'t, 'a> {
    /// Its symbol.
    pub symbol: Name,
    /// Its row.
    pub row: Object<'t, 'a>,
}

impl<'t, 'a> Rules<'t, 'a> {
    /// The refusal for what is absent.
    pub fn missing(&self, what: &'static str) -> SpecError {
        SpecError::Missing { symbol: self.symbol, what }
    }

    /// A filter by its kind.
    pub fn find_filter(&self, kind: &str) -> Option<Object<'t, 'a>> {
        let filters = self.row.get("filters")?.into_array()?;
        filters.iter().filter_map(|row| row.into_object()).find(|row| text(row, "filterType") == Some(kind))
    }

    /// A filter that must be there.
    pub fn filter(&self, kind: &'static str) -> Result<Object<'t, 'a>, SpecError> {
        self.find_filter(kind).ok_or(self.missing(kind))
    }

    /// A decimal that is not negative.
    pub fn number(&self, filter: &Object<'t, 'a>, field: &'static str) -> Result<i64, SpecError> {
        let text = text(filter, field).ok_or(self.missing(field))?;
        number::decimal(text.as_bytes()).map_err(|error| match error {
            NumberError::Bad(error) => SpecError::BadNumber { symbol: self.symbol, field, error },
            NumberError::Negative => SpecError::BadRange { symbol: self.symbol, field },
        })
    }

    /// A decimal that is positive.
    pub fn positive(&self, filter: &Object<'t, 'a>, field: &'static str) -> Result<i64, SpecError> {
        match self.number(filter, field)? {
            0 => Err(SpecError::BadRange { symbol: self.symbol, field }),
            value => Ok(value),
        }
    }

    /// An asset.
    pub fn name(&self, field: &'static str) -> Result<Name, SpecError> {
        text(&self.row, field)
            .and_then(Name::new)
            .filter(|name| !name.as_str().is_empty())
            .ok_or(self.missing(field))
    }
}

/// Text of a field.
pub fn text<'a>(row: &Object<'_, 'a>, field: &str) -> Option<&'a str> {
    row.get(field)?.into_string()
}
