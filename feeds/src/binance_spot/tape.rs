//! The complete way through a message: any key order, unknown keys, escapes, missing optional fields.
//!
//! Takes what the scanner does not recognise, and is the scanner's twin in the tests.

use simd_json::prelude::*;
use smc_core::event::Quote;
use smc_core::words::{Price, Qty};

use crate::binance::fields::{Context, Fields, Parser, control, kline, unwrapped};
use crate::binance::message::{DecodeError, Decoded, Levels, TimeUnit, short_name};

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

/// The parser and what spot's events mean.
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
        unit: TimeUnit,
        resolve: impl Fn(&'a str) -> Option<S>,
        levels: &'a mut Levels,
    ) -> Result<Decoded<'a, S>, DecodeError> {
        self.0.parse(payload, |value| {
            let (fields, stream) = unwrapped(value)?;
            event(&fields, stream, &Context { unit, resolve }, levels)
        })
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
        is_market: true,
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
    Ok(Decoded::BookTicker { symbol: fields.symbol(context)?, ts: None, quote })
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
        previous_id: None,
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
        ts: None,
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
