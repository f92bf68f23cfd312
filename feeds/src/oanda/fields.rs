//! The fields of a JSON object, read by the venue's names: exact, or refused by the field's name.

use simd_json::prelude::*;
use simd_json::tape::{Array, Object, Value};
use smc_core::event::Level;
use smc_core::words::{Price, Qty, SCALE, TsNs};

use super::message::{DecodeError, Tick, moment, short_name};
use crate::number::{self, NumberError};

/// One object.
pub(super) struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    pub fn of(value: Value<'t, 'a>) -> Result<Self, DecodeError> {
        value.into_object().map(Self).ok_or(DecodeError::NotAnObject)
    }

    /// None where the field is absent or null: the venue sends both for "not told".
    pub fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub fn get(&self, field: &'static str) -> Result<Value<'t, 'a>, DecodeError> {
        self.find(field).ok_or(DecodeError::Missing { field })
    }

    pub fn text(&self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.get(field)?.into_string().ok_or(DecodeError::WrongType { field })
    }

    pub fn flag(&self, field: &'static str) -> Result<bool, DecodeError> {
        self.get(field)?.as_bool().ok_or(DecodeError::WrongType { field })
    }

    pub fn list(&self, field: &'static str) -> Result<Array<'t, 'a>, DecodeError> {
        self.get(field)?.into_array().ok_or(DecodeError::WrongType { field })
    }

    /// A whole number, bare or as text.
    pub fn integer(&self, field: &'static str) -> Result<i64, DecodeError> {
        let value = self.get(field)?;
        let parsed = value.as_i64().or_else(|| value.into_string()?.parse().ok());
        parsed.ok_or(DecodeError::WrongType { field })
    }

    pub fn moment(&self, field: &'static str) -> Result<TsNs, DecodeError> {
        moment(self.text(field)?.as_bytes()).ok_or(DecodeError::BadTime { field })
    }

    /// A decimal that cannot be negative, in 1e-8 units.
    pub fn decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        decimal(self.text(field)?, field)
    }

    pub fn positive(&self, field: &'static str) -> Result<i64, DecodeError> {
        match self.decimal(field)? {
            0 => Err(DecodeError::Zero { field }),
            value => Ok(value),
        }
    }

    /// A price of the stream or of an answer.
    pub fn tick<S>(&self, resolve: impl Fn(&'a str) -> Option<S>) -> Result<Tick<S>, DecodeError> {
        let name = self.text("instrument")?;
        let optional = |field| if self.find(field).is_some() { self.decimal(field) } else { Ok(0) };
        let is_tradeable = match self.find("tradeable") {
            Some(_) => self.flag("tradeable")?,
            None => self.text("status")? == "tradeable",
        };
        Ok(Tick {
            symbol: resolve(name).ok_or(DecodeError::UnknownInstrument(short_name(name)))?,
            ts: self.moment("time")?,
            is_tradeable,
            bid: self.best("bids")?,
            ask: self.best("asks")?,
            closeout_bid: Price(optional("closeoutBid")?),
            closeout_ask: Price(optional("closeoutAsk")?),
        })
    }

    /// The first bucket of a side.
    fn best(&self, field: &'static str) -> Result<Option<Level>, DecodeError> {
        let Some(bucket) = self.list(field)?.iter().next() else { return Ok(None) };
        let bucket = Self::of(bucket).map_err(|_| DecodeError::WrongType { field })?;
        Ok(Some(Level { price: Price(bucket.positive("price")?), qty: bucket.liquidity()? }))
    }

    /// Units: a whole number, or a decimal as text.
    fn liquidity(&self) -> Result<Qty, DecodeError> {
        let field = "liquidity";
        let value = self.get(field)?;
        if let Some(text) = value.into_string() {
            return decimal(text, field).map(Qty);
        }
        let units = value.as_u64().and_then(|units| i64::try_from(units).ok()?.checked_mul(SCALE));
        units.map(Qty).ok_or(DecodeError::WrongType { field })
    }
}

pub(super) fn decimal(text: &str, field: &'static str) -> Result<i64, DecodeError> {
    number::decimal(text.as_bytes()).map_err(|error| match error {
        NumberError::Bad(error) => DecodeError::BadNumber { field, error },
        NumberError::Negative => DecodeError::Negative { field },
    })
}
