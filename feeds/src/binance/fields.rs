//! The complete way into a message: simd-json's tape, read by the venue's names of its fields.
//!
//! Any key order, unknown keys, escapes, missing optional fields. The tape's memory is kept from message to message.
//! Parsing unescapes in place, so the payload is changed. Of equal keys the first counts.

use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use simd_json::{Buffers, Tape};
use smc_core::event::{Bar, Level, Trade};
use smc_core::words::{Price, Qty, Side, Timeframe, TsNs};

use super::message::{ControlId, DecodeError, Decoded, TimeUnit, short_name};
use crate::number::{self, NumberError};

/// Deepest nesting accepted; the venue's messages have five.
const DEPTH_MAX: usize = 32;

/// The parser and its kept memory.
pub struct Parser {
    buffers: Buffers,
    /// Always empty between messages; only its memory is of use.
    nodes: Tape<'static>,
}

impl Parser {
    /// Takes memory for messages of about `bytes_max` bytes, and parses once, so that the parser chooses
    /// its instruction set now and not on the first message.
    pub fn new(bytes_max: usize) -> Self {
        let mut this =
            Self { buffers: Buffers::with_max_depth(bytes_max, DEPTH_MAX), nodes: Tape(Vec::new()) };
        // The densest document of that length sizes the parser's index and the tape once.
        let mut warm_up = b"[".to_vec();
        warm_up.extend(b"0,".repeat(bytes_max / 2));
        warm_up.extend(b"0]");
        let outcome = this.parse(&mut warm_up, |value| Fields::of(value).map(|_| ()));
        debug_assert_eq!(outcome, Err(DecodeError::NotAnObject));
        this
    }

    /// Parses one message and has `read` make something of it.
    pub fn parse<'a, T>(
        &mut self,
        payload: &'a mut [u8],
        read: impl FnOnce(Value<'_, 'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut tape = std::mem::replace(&mut self.nodes, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(payload, &mut self.buffers, &mut tape);
        let outcome = match parsed {
            Ok(()) => read(tape.as_value()),
            Err(error) => Err(DecodeError::BadJson { at: error.index() }),
        };
        self.nodes = tape.reset();
        outcome
    }
}

/// What every event needs besides its own fields.
pub struct Context<F> {
    /// Unit of its stamps.
    pub unit: TimeUnit,
    /// Names a symbol; none refuses the message by the symbol's name.
    pub resolve: F,
}

/// The event, out of the combined streams' envelope where it is in one, with the stream's name.
pub fn unwrapped<'t, 'a>(value: Value<'t, 'a>) -> Result<(Fields<'t, 'a>, Option<&'a str>), DecodeError> {
    let outer = Fields::of(value)?;
    match (outer.find("stream"), outer.find("data")) {
        (Some(stream), Some(data)) => {
            let stream = stream.into_string().ok_or(DecodeError::WrongType { field: "stream" })?;
            Ok((Fields::of(data)?, Some(stream)))
        }
        _ => Ok((outer, None)),
    }
}

/// A candle; the same on both markets.
pub fn kline<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
) -> Result<Decoded<'a, S>, DecodeError> {
    let inner = Fields::of(fields.find("k").ok_or(DecodeError::Missing { field: "k" })?)?;
    let bar = Bar {
        open_ts: inner.stamp("t", context.unit)?,
        open: Price(inner.positive_decimal("o")?),
        high: Price(inner.positive_decimal("h")?),
        low: Price(inner.positive_decimal("l")?),
        close: Price(inner.positive_decimal("c")?),
        volume: Qty(inner.decimal("v")?),
        trades: u32::try_from(inner.integer("n")?).map_err(|_| DecodeError::WrongType { field: "n" })?,
    };
    Ok(Decoded::Kline {
        symbol: fields.symbol(context)?,
        ts: fields.stamp("E", context.unit)?,
        timeframe: Timeframe::parse(inner.text("i")?),
        ts_close: inner.stamp("T", context.unit)?,
        bar,
        is_closed: inner.flag("x")?,
    })
}

/// Answers to our requests come in two shapes each: the documented one and the one users report.
pub fn control<'a, S>(fields: &Fields<'_, 'a>) -> Result<Decoded<'a, S>, DecodeError> {
    let error = match fields.find("error") {
        Some(inner) => Some(Fields::of(inner)?),
        None => None,
    };
    let has_code = fields.has("code") && fields.has("msg");
    if error.is_some() || has_code {
        let place = error.as_ref().unwrap_or(fields);
        let code = place.find("code").ok_or(DecodeError::Missing { field: "code" })?;
        let code = code.as_i64().ok_or(DecodeError::WrongType { field: "code" })?;
        return Ok(Decoded::ControlError { id: fields.control_id()?, code, message: place.text("msg")? });
    }
    if fields.has("result") {
        return Ok(Decoded::ControlAck { id: fields.control_id()? });
    }
    Err(if fields.has("method") { DecodeError::ClientRequest } else { DecodeError::UnknownShape })
}

/// The fields of one object, read by the venue's names.
pub struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    /// Of an object.
    pub fn of(value: Value<'t, 'a>) -> Result<Self, DecodeError> {
        value.into_object().map(Self).ok_or(DecodeError::NotAnObject)
    }

    /// A field that may be absent.
    pub fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field)
    }

    /// Whether it is there.
    pub fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    fn get(&self, field: &'static str) -> Result<Value<'t, 'a>, DecodeError> {
        self.find(field).ok_or(DecodeError::Missing { field })
    }

    /// Text.
    pub fn text(&self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.get(field)?.into_string().ok_or(DecodeError::WrongType { field })
    }

    /// An unsigned integer.
    pub fn integer(&self, field: &'static str) -> Result<u64, DecodeError> {
        self.get(field)?.as_u64().ok_or(DecodeError::WrongType { field })
    }

    /// True or false.
    pub fn flag(&self, field: &'static str) -> Result<bool, DecodeError> {
        self.get(field)?.as_bool().ok_or(DecodeError::WrongType { field })
    }

    /// A stamp of the venue.
    pub fn stamp(&self, field: &'static str, unit: TimeUnit) -> Result<TsNs, DecodeError> {
        unit.stamp(self.integer(field)?).ok_or(DecodeError::WrongType { field })
    }

    /// A decimal that is not negative.
    pub fn decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        decimal(self.text(field)?, field)
    }

    /// A decimal that is positive.
    pub fn positive_decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        positive(self.decimal(field)?, field)
    }

    /// The symbol (`s`).
    pub fn symbol<S, F: Fn(&'a str) -> Option<S>>(&self, context: &Context<F>) -> Result<S, DecodeError> {
        let text = self.text("s")?;
        (context.resolve)(text).ok_or(DecodeError::UnknownSymbol(short_name(text)))
    }

    /// The buyer resting (`m`) means that the seller came to him.
    pub fn trade(&self, id_field: &'static str) -> Result<Trade, DecodeError> {
        Ok(Trade {
            price: Price(self.positive_decimal("p")?),
            qty: Qty(self.positive_decimal("q")?),
            aggressor: if self.flag("m")? { Side::Sell } else { Side::Buy },
            trade_id: self.integer(id_field)?,
        })
    }

    fn control_id(&self) -> Result<ControlId<'a>, DecodeError> {
        let Some(value) = self.find("id") else { return Ok(ControlId::None) };
        if value.is_null() {
            return Ok(ControlId::None);
        }
        match (value.as_u64(), value.into_string()) {
            (Some(number), _) => Ok(ControlId::Number(number)),
            (None, Some(text)) => Ok(ControlId::Text(text)),
            (None, None) => Err(DecodeError::WrongType { field: "id" }),
        }
    }

    /// Price and quantity pairs.
    pub fn levels(&self, field: &'static str, out: &mut Vec<Level>, max: usize) -> Result<(), DecodeError> {
        let wrong = DecodeError::WrongType { field };
        for pair in &self.get(field)?.into_array().ok_or(wrong)? {
            let pair = pair.into_array().ok_or(wrong)?;
            let mut values = pair.iter();
            let mut next = || values.next().and_then(|value| value.into_string()).ok_or(wrong);
            let price = Price(positive(decimal(next()?, field)?, field)?);
            let qty = Qty(decimal(next()?, field)?);
            if out.len() == max {
                return Err(DecodeError::TooManyLevels { max });
            }
            out.push(Level { price, qty });
        }
        Ok(())
    }
}

fn decimal(text: &str, field: &'static str) -> Result<i64, DecodeError> {
    number::decimal(text.as_bytes()).map_err(|error| match error {
        NumberError::Bad(error) => DecodeError::BadNumber { field, error },
        NumberError::Negative => DecodeError::Negative { field },
    })
}

fn positive(value: i64, field: &'static str) -> Result<i64, DecodeError> {
    if value == 0 { Err(DecodeError::Zero { field }) } else { Ok(value) }
}
