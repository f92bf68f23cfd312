//! The complete way through a message: any key order, unknown keys, escapes, missing optional fields.
//!
//! Takes what the scanner does not recognise, and is the scanner's twin in the tests. The JSON is parsed by
//! simd-json onto a tape whose memory is kept from message to message. Parsing unescapes in place, so the
//! payload is changed. Of equal keys the first counts.

use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use simd_json::{Buffers, Tape};
use smc_core::event::{Bar, Level, Trade};
use smc_core::words::{Price, Qty, Side, TsNs, number_of_text};

use super::message::{
    DecodeError, Decoded, IGNORED_TOPICS, Rows, TRADES_MAX, TradeRow, short_name, timeframe_of,
};
use crate::number::{self, NumberError};

/// Deepest nesting accepted; the venue's messages have five.
const DEPTH_MAX: usize = 32;

/// The parser and its kept memory.
pub struct TapeDecoder {
    buffers: Buffers,
    /// Always empty between messages; only its memory is of use.
    nodes: Tape<'static>,
}

impl TapeDecoder {
    /// Takes memory for messages of about `bytes_max` bytes, and parses once, so that the parser chooses its
    /// instruction set now and not on the first message.
    pub fn new(bytes_max: usize) -> Self {
        let mut this =
            Self { buffers: Buffers::with_max_depth(bytes_max, DEPTH_MAX), nodes: Tape(Vec::new()) };
        // The densest document of that length sizes the parser's index and the tape once.
        let mut warm_up = b"[".to_vec();
        warm_up.extend(b"0,".repeat(bytes_max / 2));
        warm_up.extend(b"0]");
        let mut rows = Rows::new(0);
        let outcome = this.decode(&mut warm_up, |_| Some(()), &mut rows);
        debug_assert_eq!(outcome, Err(DecodeError::NotAnObject));
        this
    }

    /// Decodes one message. `resolve` names a symbol; none refuses the message by the symbol's name.
    pub fn decode<'a, S: Copy>(
        &mut self,
        payload: &'a mut [u8],
        resolve: impl Fn(&'a str) -> Option<S>,
        rows: &'a mut Rows,
    ) -> Result<Decoded<'a, S>, DecodeError> {
        let mut tape = std::mem::replace(&mut self.nodes, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(payload, &mut self.buffers, &mut tape);
        let outcome = match parsed {
            Ok(()) => message(tape.as_value(), resolve, rows),
            Err(error) => Err(DecodeError::BadJson { at: error.index() }),
        };
        self.nodes = tape.reset();
        outcome
    }
}

fn message<'a, S: Copy>(
    value: Value<'_, 'a>,
    resolve: impl Fn(&'a str) -> Option<S>,
    rows: &'a mut Rows,
) -> Result<Decoded<'a, S>, DecodeError> {
    let outer = Fields::of(value)?;
    let Some(topic) = outer.find("topic") else { return control(&outer) };
    let topic = topic.into_string().ok_or(DecodeError::WrongType { field: "topic" })?;
    if let Some(topic) = IGNORED_TOPICS.into_iter().find(|known| is_topic(topic, known)) {
        return Ok(Decoded::Ignored { topic });
    }
    let unknown = DecodeError::UnknownTopic(short_name(topic));
    let (kind, rest) = topic.split_once('.').ok_or(unknown)?;
    let named = |symbol: &'a str| resolve(symbol).ok_or(DecodeError::UnknownSymbol(short_name(symbol)));
    match kind {
        "orderbook" => {
            let (depth, symbol) = rest.split_once('.').ok_or(unknown)?;
            let depth = depth.parse().map_err(|_| unknown)?;
            book(&outer, depth, symbol, named(symbol)?, rows)
        }
        "publicTrade" => trades(&outer, rest, named(rest)?, rows),
        "tickers" => ticker(&outer, rest, named(rest)?),
        "kline" => {
            let (interval, symbol) = rest.split_once('.').ok_or(unknown)?;
            kline(&outer, interval, named(symbol)?)
        }
        _ => Err(unknown),
    }
}

/// `known` itself, or `known` and a symbol.
fn is_topic(topic: &str, known: &str) -> bool {
    topic.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn book<'a, S>(
    outer: &Fields<'_, 'a>,
    depth: u16,
    symbol_text: &str,
    symbol: S,
    rows: &'a mut Rows,
) -> Result<Decoded<'a, S>, DecodeError> {
    rows.clear();
    let data = Fields::of(outer.get("data")?)?;
    data.same_symbol("s", symbol_text)?;
    let max = rows.levels_max();
    data.levels("b", &mut rows.bids, max)?;
    data.levels("a", &mut rows.asks, max)?;
    let ts_sent = outer.stamp("ts")?;
    Ok(Decoded::Book {
        symbol,
        depth,
        is_snapshot: outer.is_snapshot()?,
        ts: if outer.has("cts") { outer.stamp("cts")? } else { ts_sent },
        update_id: data.integer("u")?,
        seq: data.integer("seq")?,
        bids: &rows.bids,
        asks: &rows.asks,
    })
}

fn trades<'a, S>(
    outer: &Fields<'_, 'a>,
    symbol_text: &str,
    symbol: S,
    rows: &'a mut Rows,
) -> Result<Decoded<'a, S>, DecodeError> {
    rows.clear();
    let list = outer.get("data")?.into_array().ok_or(DecodeError::WrongType { field: "data" })?;
    for row in &list {
        let row = Fields::of(row)?;
        row.same_symbol("s", symbol_text)?;
        if rows.trades.len() == TRADES_MAX {
            return Err(DecodeError::TooManyRows { max: TRADES_MAX });
        }
        rows.trades.push(TradeRow {
            ts: row.stamp("T")?,
            trade: Trade {
                price: Price(row.positive_decimal("p")?),
                qty: Qty(row.positive_decimal("v")?),
                aggressor: row.side("S")?,
                trade_id: number_of_text(row.text("i")?.as_bytes()),
            },
            seq: if row.has("seq") { row.integer("seq")? } else { 0 },
            is_block: row.has("BT") && row.flag("BT")?,
        });
    }
    Ok(Decoded::Trades { symbol, ts_sent: outer.stamp("ts")?, trades: &rows.trades })
}

fn ticker<'a, S>(
    outer: &Fields<'_, 'a>,
    symbol_text: &str,
    symbol: S,
) -> Result<Decoded<'a, S>, DecodeError> {
    let data = Fields::of(outer.get("data")?)?;
    data.same_symbol("symbol", symbol_text)?;
    Ok(Decoded::Ticker {
        symbol,
        is_snapshot: outer.is_snapshot()?,
        ts: outer.stamp("ts")?,
        mark: data.optional_price("markPrice")?,
        last: data.optional_price("lastPrice")?,
        funding_e8: data.optional_signed("fundingRate")?,
        funding_at: data.optional_stamp("nextFundingTime")?,
    })
}

/// The venue sends one candle a message.
fn kline<'a, S>(outer: &Fields<'_, 'a>, interval: &str, symbol: S) -> Result<Decoded<'a, S>, DecodeError> {
    let list = outer.get("data")?.into_array().ok_or(DecodeError::WrongType { field: "data" })?;
    let row = Fields::of(list.get(0).ok_or(DecodeError::Missing { field: "data" })?)?;
    let volume = Qty(row.decimal("volume")?);
    let bar = Bar {
        open_ts: row.stamp("start")?,
        open: Price(row.positive_decimal("open")?),
        high: Price(row.positive_decimal("high")?),
        low: Price(row.positive_decimal("low")?),
        close: Price(row.positive_decimal("close")?),
        volume,
        trades: u32::from(volume > Qty::ZERO),
    };
    Ok(Decoded::Kline {
        symbol,
        ts: outer.stamp("ts")?,
        timeframe: timeframe_of(interval),
        bar,
        is_closed: row.flag("confirm")?,
    })
}

/// Answers to our requests and pings, in every shape that the venue's sockets are known to have.
fn control<'a, S>(fields: &Fields<'_, 'a>) -> Result<Decoded<'a, S>, DecodeError> {
    let req_id = match fields.find("req_id") {
        Some(value) => value.into_string().ok_or(DecodeError::WrongType { field: "req_id" })?,
        None => "",
    };
    let op = match fields.find("op") {
        Some(value) => value.into_string().ok_or(DecodeError::WrongType { field: "op" })?,
        None => "",
    };
    if op == "pong" || op == "ping" && fields.optional_text("ret_msg") == Some("pong") {
        return Ok(Decoded::Pong);
    }
    match fields.find("success").map(|value| value.as_bool()) {
        Some(Some(true)) => {
            let op = ["subscribe", "unsubscribe", "auth"].into_iter().find(|&known| known == op);
            // The option socket names its answers by type alone.
            let is_command = fields.optional_text("type") == Some("COMMAND_RESP");
            let op = op.or(is_command.then_some("subscribe")).ok_or(DecodeError::UnknownShape)?;
            Ok(Decoded::ControlAck { op, req_id })
        }
        Some(Some(false)) => Ok(Decoded::ControlError { req_id, message: fields.text("ret_msg")? }),
        Some(None) => Err(DecodeError::WrongType { field: "success" }),
        None => Err(if op.is_empty() { DecodeError::UnknownShape } else { DecodeError::ClientRequest }),
    }
}

/// The fields of one object, read by the venue's names.
pub(super) struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    pub fn of(value: Value<'t, 'a>) -> Result<Self, DecodeError> {
        value.into_object().map(Self).ok_or(DecodeError::NotAnObject)
    }

    pub fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field)
    }

    fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    pub fn get(&self, field: &'static str) -> Result<Value<'t, 'a>, DecodeError> {
        self.find(field).ok_or(DecodeError::Missing { field })
    }

    pub fn text(&self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.get(field)?.into_string().ok_or(DecodeError::WrongType { field })
    }

    fn optional_text(&self, field: &str) -> Option<&'a str> {
        self.find(field)?.into_string()
    }

    fn integer(&self, field: &'static str) -> Result<u64, DecodeError> {
        self.get(field)?.as_u64().ok_or(DecodeError::WrongType { field })
    }

    fn flag(&self, field: &'static str) -> Result<bool, DecodeError> {
        self.get(field)?.as_bool().ok_or(DecodeError::WrongType { field })
    }

    /// Milliseconds.
    fn stamp(&self, field: &'static str) -> Result<TsNs, DecodeError> {
        stamp(self.integer(field)?).ok_or(DecodeError::WrongType { field })
    }

    fn decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        decimal(self.text(field)?, field)
    }

    fn positive_decimal(&self, field: &'static str) -> Result<i64, DecodeError> {
        match self.decimal(field)? {
            0 => Err(DecodeError::Zero { field }),
            value => Ok(value),
        }
    }

    /// None where the field is absent or empty: unchanged, or not of this instrument.
    fn optional_price(&self, field: &'static str) -> Result<Option<Price>, DecodeError> {
        match self.find(field) {
            None => Ok(None),
            Some(_) if self.text(field)?.is_empty() => Ok(None),
            Some(_) => self.positive_decimal(field).map(|value| Some(Price(value))),
        }
    }

    fn optional_signed(&self, field: &'static str) -> Result<Option<i64>, DecodeError> {
        match self.find(field) {
            None => Ok(None),
            Some(_) => match self.text(field)? {
                "" => Ok(None),
                text => Price::parse(text.as_bytes())
                    .map(|price| Some(price.0))
                    .map_err(|error| DecodeError::BadNumber { field, error }),
            },
        }
    }

    fn optional_stamp(&self, field: &'static str) -> Result<Option<TsNs>, DecodeError> {
        match self.find(field) {
            None => Ok(None),
            Some(_) => match self.text(field)? {
                "" | "0" => Ok(None),
                text => text.parse().ok().and_then(stamp).map(Some).ok_or(DecodeError::WrongType { field }),
            },
        }
    }

    fn side(&self, field: &'static str) -> Result<Side, DecodeError> {
        match self.text(field)? {
            "Buy" => Ok(Side::Buy),
            "Sell" => Ok(Side::Sell),
            _ => Err(DecodeError::WrongType { field }),
        }
    }

    fn is_snapshot(&self) -> Result<bool, DecodeError> {
        match self.text("type")? {
            "snapshot" => Ok(true),
            "delta" => Ok(false),
            _ => Err(DecodeError::WrongType { field: "type" }),
        }
    }

    fn same_symbol(&self, field: &'static str, symbol: &str) -> Result<(), DecodeError> {
        if self.text(field)? == symbol { Ok(()) } else { Err(DecodeError::OtherSymbol) }
    }

    fn levels(&self, field: &'static str, out: &mut Vec<Level>, max: usize) -> Result<(), DecodeError> {
        let wrong = DecodeError::WrongType { field };
        for pair in &self.get(field)?.into_array().ok_or(wrong)? {
            let pair = pair.into_array().ok_or(wrong)?;
            let mut values = pair.iter();
            let mut next = || values.next().and_then(|value| value.into_string()).ok_or(wrong);
            let price = match decimal(next()?, field)? {
                0 => return Err(DecodeError::Zero { field }),
                price => Price(price),
            };
            let qty = Qty(decimal(next()?, field)?);
            if values.next().is_some() {
                return Err(wrong);
            }
            if out.len() == max {
                return Err(DecodeError::TooManyRows { max });
            }
            out.push(Level { price, qty });
        }
        Ok(())
    }
}

/// Milliseconds to nanoseconds; none when it does not fit.
pub(super) fn stamp(ms: u64) -> Option<TsNs> {
    ms.checked_mul(1_000_000).map(TsNs)
}

fn decimal(text: &str, field: &'static str) -> Result<i64, DecodeError> {
    number::decimal(text.as_bytes()).map_err(|error| match error {
        NumberError::Bad(error) => DecodeError::BadNumber { field, error },
        NumberError::Negative => DecodeError::Negative { field },
    })
}
