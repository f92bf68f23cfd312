//! What one line of the price stream says, and why one is refused.
//!
//! Shared by the scanner and the tape decoder, so that the two can be compared. Prices and quantities are exact; times are
//! nanoseconds. `S` is how an instrument is named: the engine's id on the way in, its text where a tool describes lines.

use std::fmt;

use smc_core::event::Level;
use smc_core::words::{DecimalError, InstrumentId, Name, Price, TsNs};
use smc_net::date;

/// One decoded line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<S = InstrumentId> {
    /// The price of an instrument.
    Price(Tick<S>),
    /// The stream lives; every five seconds.
    Heartbeat {
        /// The venue's time.
        ts: TsNs,
    },
}

/// The price of an instrument at a moment: the best of each side of its ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick<S = InstrumentId> {
    /// Of which instrument.
    pub symbol: S,
    /// When the venue made it.
    pub ts: TsNs,
    /// The market is open. Nothing else says so: no clock knows the venue's hours.
    pub is_tradeable: bool,
    /// Best bid and the units that can be sold at it; none while there is no bid.
    pub bid: Option<Level>,
    /// Best ask and the units that can be bought at it.
    pub ask: Option<Level>,
    /// What positions are valued and closed at where there is no liquidity; 0 where it is not told.
    pub closeout_bid: Price,
    /// The same of the other side.
    pub closeout_ask: Price,
}

/// Why a line or a document was refused. Fields carry the venue's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up; 0 where it does not know.
        at: usize,
    },
    /// JSON, but not an object.
    NotAnObject,
    /// An object without any mark that we know.
    UnknownShape,
    /// A `type` that we do not know.
    UnknownType(Name),
    /// An instrument that was not asked for.
    UnknownInstrument(Name),
    /// A field that must be there is not.
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field has another JSON type than it must have, or is out of range for it.
    WrongType {
        /// Its name.
        field: &'static str,
    },
    /// Decimal text that is no number or does not fit.
    BadNumber {
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// A price or quantity that is negative.
    Negative {
        /// The name of the field.
        field: &'static str,
    },
    /// Zero where a value must be.
    Zero {
        /// The name of the field.
        field: &'static str,
    },
    /// Text that is no moment.
    BadTime {
        /// The name of the field.
        field: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "not JSON at byte {at}"),
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::UnknownShape => f.write_str("an object without any known mark"),
            Self::UnknownType(name) => write!(f, "unknown type {name}"),
            Self::UnknownInstrument(name) => write!(f, "unknown instrument {name}"),
            Self::Missing { field } => write!(f, "field {field} is missing"),
            Self::WrongType { field } => write!(f, "field {field} has the wrong type or range"),
            Self::BadNumber { field, error } => write!(f, "field {field}: {error}"),
            Self::Negative { field } => write!(f, "field {field} is negative"),
            Self::Zero { field } => write!(f, "field {field} is zero"),
            Self::BadTime { field } => write!(f, "field {field} is no moment"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A moment as the venue writes it: RFC 3339, or Unix seconds where those were asked for. `0` is the epoch.
#[inline]
pub(super) fn moment(text: &[u8]) -> Option<TsNs> {
    date::rfc3339_ns(text).or_else(|| date::unix_ns(text)).map(TsNs)
}

/// The part of `text` that fits a [`Name`], for error messages.
pub(super) fn short_name(text: &str) -> Name {
    let mut end = text.len().min(Name::MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).and_then(Name::new).unwrap_or_default()
}
