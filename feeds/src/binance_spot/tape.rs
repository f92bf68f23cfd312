//! The complete way through a message: any key order, unknown keys, escapes, missing optional fields.
//!
//! Takes what the scanner does not recognise, and is the scanner's twin in the tests. The JSON is parsed by
//! simd-json onto a tape whose memory is kept from message to message. Parsing unescapes in place, so the
//! payload is changed. Of equal keys the first counts.

use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use simd_json::{Buffers, Tape};
use smc_core::event::{Bar, Level, Quote, Trade};
use smc_core::words::{Price, Qty, Side, Timeframe, TsNs};

use super::message::{ControlId, DecodeError, Decoded, Levels, TimeUnit, short_name};
use crate::number::{self, NumberError};

/// Deepest nesting accepted; the venue's messages have five.
const DEPTH_MAX: usize = 32;

/// Events that we know and have no use for.
const IGNORED_EVENTS: [&str; 9] = [
    "24hrTicker",
    "24hrMiniTicker",
    "1hTicker",
    "4hTicker",
    "1dTicker",
    "avgPrice",
    "referencePrice",
    "blockTrade",
    "tradingSession",
];

/// The parser and its kept memory.
pub struct TapeDecoder {
    buffers: Buffers,
    /// Always empty between messages; only its memory is of use.
    nodes: Tape<'static>,
}

impl TapeDecoder {
    /// Takes memory for messages of about `bytes_max` bytes, and parses once, so that the parser chooses
    /// its instruction set now and not on the first message.
    pub fn new(bytes_max: usize) -> Self {
        let mut this =
            Self { buffers: Buffers::with_max_depth(bytes_max, DEPTH_MAX), nodes: Tape(Vec::new()) };
        // The densest document of that length sizes the parser's index and the tape once.
        let mut warm_up = b"[".to_vec();
        warm_up.extend(b"0,".repeat(bytes_max / 2));
        warm_up.extend(b"0]");
        let mut levels = Levels::new(0);
        let outcome = this.decode(&mut warm_up, TimeUnit::Millis, |_| Some(()), &mut levels);
        debug_assert_eq!(outcome, Err(DecodeError::NotAnObject));
        this
    }

    /// Decodes one message. `resolve` names a symbol; none refuses the message by the symbol's name.
    pub fn decode<'a, S: Copy>(
        &mut self,
        payload: &'a mut [u8],
        unit: TimeUnit,
        resolve: impl Fn(&'a str) -> Option<S>,
        levels: &'a mut Levels,
    ) -> Result<Decoded<'a, S>, DecodeError> {
        let mut tape = std::mem::replace(&mut self.nodes, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(payload, &mut self.buffers, &mut tape);
        let outcome = match parsed {
            Ok(()) => message(tape.as_value(), &Context { unit, resolve }, levels),
            Err(error) => Err(DecodeError::BadJson { at: error.index() }),
        };
        self.nodes = tape.reset();
        outcome
    }
}

/// What every event needs besides its own fields.
struct Context<F> {
    unit: TimeUnit,
    resolve: F,
}

fn message<'a, S: Copy, F: Fn(&'a str) -> Option<S>>(
    value: Value<'_, 'a>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    let outer = Fields::of(value)?;
    match (outer.find("stream"), outer.find("data")) {
        (Some(stream), Some(data)) => {
            let stream = stream.into_string().ok_or(DecodeError::WrongType { field: "stream" })?;
            event(&Fields::of(data)?, Some(stream), context, levels)
        }
        _ => event(&outer, None, context, levels),
    }
}

/// Tells the event apart by `e`, and where there is none, by the fields that only one kind has.
fn event<'a, S: Copy, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    stream: Option<&'a str>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    if let Some(name) = fields.find("e") {
        let name = name.into_string().ok_or(DecodeError::WrongType { field: "e" })?;
        return named_event(name, fields, context, levels);
    }
    if stream.is_some_and(|name| name.ends_with("@bookTicker"))
        || fields.has("u") && fields.has("B") && fields.has("A")
    {
        return book_ticker(fields, context);
    }
    if fields.has("lastUpdateId") {
        return partial_depth(fields, stream, context, levels);
    }
    if let Some(inner) = fields.find("event") {
        let inner = Fields::of(inner)?;
        return named_event(inner.text("e")?, &inner, context, levels);
    }
    control(fields)
}

fn named_event<'a, S: Copy, F: Fn(&'a str) -> Option<S>>(
    name: &'a str,
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    match name {
        "trade" => trade(fields, context),
        "aggTrade" => agg_trade(fields, context),
        "bookTicker" => book_ticker(fields, context),
        "depthUpdate" => depth(fields, context, levels),
        "kline" => kline(fields, context),
        "serverShutdown" => Ok(Decoded::ServerShutdown { ts: fields.stamp("E", context.unit)? }),
        _ => match IGNORED_EVENTS.iter().find(|&&known| known == name) {
            Some(event) => Ok(Decoded::Ignored { event }),
            None => Err(DecodeError::UnknownEvent(short_name(name))),
        },
    }
}

fn trade<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
) -> Result<Decoded<'a, S>, DecodeError> {
    Ok(Decoded::Trade {
        symbol: fields.symbol(context)?,
        ts_sent: fields.stamp("E", context.unit)?,
        ts: fields.stamp("T", context.unit)?,
        trade: fields.trade("t")?,
    })
}

fn agg_trade<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
) -> Result<Decoded<'a, S>, DecodeError> {
    Ok(Decoded::AggTrade {
        symbol: fields.symbol(context)?,
        ts_sent: fields.stamp("E", context.unit)?,
        ts: fields.stamp("T", context.unit)?,
        trade: fields.trade("a")?,
        first_trade_id: fields.integer("f")?,
        last_trade_id: fields.integer("l")?,
    })
}

fn book_ticker<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
) -> Result<Decoded<'a, S>, DecodeError> {
    let quote = Quote {
        bid: Price(fields.decimal("b")?),
        bid_qty: Qty(fields.decimal("B")?),
        ask: Price(fields.decimal("a")?),
        ask_qty: Qty(fields.decimal("A")?),
        update_id: fields.integer("u")?,
    };
    Ok(Decoded::BookTicker { symbol: fields.symbol(context)?, quote })
}

fn depth<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    levels.clear();
    let max = levels.max();
    fields.levels("b", &mut levels.bids, max)?;
    fields.levels("a", &mut levels.asks, max)?;
    Ok(Decoded::Depth {
        symbol: fields.symbol(context)?,
        ts: fields.stamp("E", context.unit)?,
        first_id: fields.integer("U")?,
        last_id: fields.integer("u")?,
        bids: &levels.bids,
        asks: &levels.asks,
    })
}

fn partial_depth<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    stream: Option<&'a str>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    levels.clear();
    let max = levels.max();
    fields.levels("bids", &mut levels.bids, max)?;
    fields.levels("asks", &mut levels.asks, max)?;
    // The message names no symbol; the stream does, in lower case.
    let symbol = match stream.and_then(|name| name.split_once("@depth")) {
        Some((lower, _)) => Some(resolve_lower(lower, context)?),
        None => None,
    };
    Ok(Decoded::PartialDepth {
        symbol,
        last_update_id: fields.integer("lastUpdateId")?,
        bids: &levels.bids,
        asks: &levels.asks,
    })
}

fn resolve_lower<'a, S, F: Fn(&'a str) -> Option<S>>(
    lower: &'a str,
    context: &Context<F>,
) -> Result<S, DecodeError> {
    (context.resolve)(lower).ok_or(DecodeError::UnknownSymbol(short_name(lower)))
}

fn kline<'a, S, F: Fn(&'a str) -> Option<S>>(
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
fn control<'a, S>(fields: &Fields<'_, 'a>) -> Result<Decoded<'a, S>, DecodeError> {
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
struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    fn of(value: Value<'t, 'a>) -> Result<Self, DecodeError> {
        value.into_object().map(Self).ok_or(DecodeError::NotAnObject)
    }

    fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field)
    }

    fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    fn get(&self, field: &'static str) -> Result<Value<'t, 'a>, DecodeError> {
        self.find(field).ok_or(DecodeError::Missing { field })
    }

    fn text(&self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.get(field)?.into_string().ok_or(DecodeError::WrongType { field })
    }

    fn integer(&self, field: &'static str) -> Result<u64, DecodeError> {
        self.get(field)?.as_u64().ok_or(DecodeError::WrongType { field })
    }

    fn flag(&self, field: &'static str) -> Result<bool, DecodeError> {
        self.get(field)?.as_bool().ok_or(DecodeError::WrongType { field })
    }

    fn stamp(&self, field: &'static str, unit: TimeUnit) -> Result<TsNs, DecodeError> {
        unit.stamp(self.integer(field)?).ok_or(DecodeError::WrongType { field })
    }

    fn decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        decimal(self.text(field)?, field)
    }

    fn positive_decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        positive(self.decimal(field)?, field)
    }

    fn symbol<S, F: Fn(&'a str) -> Option<S>>(&self, context: &Context<F>) -> Result<S, DecodeError> {
        let text = self.text("s")?;
        (context.resolve)(text).ok_or(DecodeError::UnknownSymbol(short_name(text)))
    }

    /// The buyer resting (`m`) means that the seller came to him.
    fn trade(&self, id_field: &'static str) -> Result<Trade, DecodeError> {
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

    fn levels(&self, field: &'static str, out: &mut Vec<Level>, max: usize) -> Result<(), DecodeError> {
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
