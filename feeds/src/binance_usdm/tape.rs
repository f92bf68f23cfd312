//! The complete way through a message: any key order, unknown keys, escapes, missing optional fields.
//!
//! Takes what the scanner does not recognise, and is the scanner's twin in the tests.

use simd_json::prelude::*;
use simd_json::tape::Value;
use smc_core::event::Quote;
use smc_core::words::{Price, Qty};

use crate::binance::fields::{Context, Fields, Parser, control, kline, unwrapped};
use crate::binance::message::{DecodeError, Decoded, Levels, TimeUnit, short_name};

/// Events that we know and have no use for.
const IGNORED_EVENTS: [&str; 8] = [
    "24hrTicker",
    "24hrMiniTicker",
    "forceOrder",
    "continuous_kline",
    "compositeIndex",
    "assetIndexUpdate",
    "tradingSession",
    "markPriceUpdate",
];

/// The parser and what the venue's events mean.
pub struct TapeDecoder(Parser);

impl TapeDecoder {
    /// Takes memory for messages of about `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self(Parser::new(bytes_max))
    }

    /// Decodes one message. `resolve` names a symbol; none refuses the message by the symbol's name.
    pub fn decode<'a, S: Copy>(
        &mut self,
        payload: &'a mut [u8],
        resolve: impl Fn(&'a str) -> Option<S>,
        levels: &'a mut Levels,
    ) -> Result<Decoded<'a, S>, DecodeError> {
        self.0.parse(payload, |value| {
            if let Some(event) = array_event(&value) {
                return Ok(Decoded::Ignored { event });
            }
            let (fields, stream) = unwrapped(value)?;
            event(&fields, stream, &Context { unit: TimeUnit::Millis, resolve }, levels)
        })
    }
}

/// Streams of the top levels carry whole images in the shape of changes; only their names tell.
pub fn is_partial(stream: &[u8]) -> bool {
    let mark = b"@depth";
    let at = stream.windows(mark.len()).position(|window| window == mark);
    at.and_then(|at| stream.get(at + mark.len())).is_some_and(u8::is_ascii_digit)
}

/// The streams of all symbols send arrays. We ask for none of them.
fn array_event(value: &Value<'_, '_>) -> Option<&'static str> {
    let rows = value.as_array()?;
    let name = rows.iter().next()?.into_object()?.get("e")?.into_string()?;
    IGNORED_EVENTS.into_iter().find(|&known| known == name)
}

fn event<'a, S: Copy, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    stream: Option<&'a str>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    let Some(name) = fields.find("e") else {
        if fields.has("lastUpdateId") {
            return snapshot(fields, levels);
        }
        return control(fields);
    };
    match name.into_string().ok_or(DecodeError::WrongType { field: "e" })? {
        "trade" => trade(fields, context),
        "aggTrade" => agg_trade(fields, context),
        "bookTicker" => book_ticker(fields, context),
        "depthUpdate" if stream.is_some_and(|name| is_partial(name.as_bytes())) => {
            partial(fields, context, levels)
        }
        "depthUpdate" => depth(fields, context, levels),
        "kline" => kline(fields, context),
        "markPriceUpdate" => mark(fields, context),
        "contractInfo" => {
            Ok(Decoded::Contract { symbol: fields.symbol(context)?, ts: fields.stamp("E", context.unit)? })
        }
        name => match IGNORED_EVENTS.into_iter().find(|&known| known == name) {
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
        is_market: !fields.has("X") || fields.text("X")? == "MARKET",
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
    let ts = Some(fields.stamp("T", context.unit)?);
    Ok(Decoded::BookTicker { symbol: fields.symbol(context)?, ts, quote })
}

fn depth<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    fill(fields, ["b", "a"], levels)?;
    Ok(Decoded::Depth {
        symbol: fields.symbol(context)?,
        ts: fields.stamp("T", context.unit)?,
        first_id: fields.integer("U")?,
        last_id: fields.integer("u")?,
        previous_id: Some(fields.integer("pu")?),
        bids: &levels.bids,
        asks: &levels.asks,
    })
}

fn partial<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
    levels: &'a mut Levels,
) -> Result<Decoded<'a, S>, DecodeError> {
    fill(fields, ["b", "a"], levels)?;
    Ok(Decoded::PartialDepth {
        symbol: Some(fields.symbol(context)?),
        ts: Some(fields.stamp("T", context.unit)?),
        last_update_id: fields.integer("u")?,
        bids: &levels.bids,
        asks: &levels.asks,
    })
}

/// The body of a REST answer, which names no symbol.
fn snapshot<'a, S>(fields: &Fields<'_, 'a>, levels: &'a mut Levels) -> Result<Decoded<'a, S>, DecodeError> {
    fill(fields, ["bids", "asks"], levels)?;
    let stamp = ["T", "E"].into_iter().find(|&field| fields.has(field));
    let ts = stamp.map(|field| fields.stamp(field, TimeUnit::Millis)).transpose()?;
    Ok(Decoded::PartialDepth {
        symbol: None,
        ts,
        last_update_id: fields.integer("lastUpdateId")?,
        bids: &levels.bids,
        asks: &levels.asks,
    })
}

fn fill(
    fields: &Fields<'_, '_>,
    [bids, asks]: [&'static str; 2],
    levels: &mut Levels,
) -> Result<(), DecodeError> {
    levels.clear();
    let max = levels.max();
    fields.levels(bids, &mut levels.bids, max)?;
    fields.levels(asks, &mut levels.asks, max)
}

fn mark<'a, S, F: Fn(&'a str) -> Option<S>>(
    fields: &Fields<'_, 'a>,
    context: &Context<F>,
) -> Result<Decoded<'a, S>, DecodeError> {
    let rate = if fields.has("r") { fields.text("r")? } else { "" };
    let funding_rate = match rate {
        "" => None,
        text => {
            let rate = Price::parse(text.as_bytes());
            Some(rate.map_err(|error| DecodeError::BadNumber { field: "r", error })?.0)
        }
    };
    Ok(Decoded::Mark {
        symbol: fields.symbol(context)?,
        ts: fields.stamp("E", context.unit)?,
        price: Price(fields.positive_decimal("p")?),
        funding_rate,
        funding_ts: fields.stamp("T", context.unit)?,
    })
}
