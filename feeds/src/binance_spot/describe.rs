//! Messages in words: what `smc decode` prints, one JSON object a message.
//!
//! Cold: for tools and people. Takes any symbol, uses the tape decoder alone, and says of a message either
//! what it holds or why it is refused. Prices and quantities are exact decimal texts.

use std::fmt::Write;

use smc_core::event::{Level, Trade};
use smc_core::words::{Side, TsNs};

use super::message::{ControlId, DecodeError, Decoded, Levels, TimeUnit};
use super::tape::TapeDecoder;

/// Levels a side that a described message may have.
const LEVELS_MAX: usize = 10_000;

/// One message in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The house's word: `trade`, `agg_trade`, `quote`, `depth`, `snapshot`, `bar`, `server_shutdown`,
    /// `control_ack`, `control_error`, `ignored`, or `refused`.
    pub kind: &'static str,
    /// Further members, in order.
    pub fields: Vec<(&'static str, Value)>,
}

/// A member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text; also exact decimals.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// Yes or no.
    Flag(bool),
    /// Price and quantity pairs.
    Levels(Vec<Level>),
}

/// Describes one message of the venue, whatever its symbol. Never panics.
pub fn describe(payload: &mut [u8]) -> Description {
    Describer::new().describe(payload)
}

/// Describes many messages with the same memory.
pub struct Describer {
    tape: TapeDecoder,
    levels: Levels,
}

impl Default for Describer {
    fn default() -> Self {
        Self::new()
    }
}

impl Describer {
    /// Takes its memory.
    pub fn new() -> Self {
        Self { tape: TapeDecoder::new(0), levels: Levels::new(LEVELS_MAX) }
    }

    /// Describes one message.
    pub fn describe(&mut self, payload: &mut [u8]) -> Description {
        match self.tape.decode(payload, TimeUnit::Millis, Some, &mut self.levels) {
            Ok(decoded) => of(&decoded),
            Err(error) => refusal(error),
        }
    }
}

impl Description {
    /// Appends `{"line":N,"kind":…,…}`, without a line end.
    pub fn write_json(&self, line: u64, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{{\"line\":{line},\"kind\":\"{}\"", self.kind);
        for (name, value) in &self.fields {
            let _ = write!(out, ",\"{name}\":");
            value.write_json(out);
        }
        out.push('}');
    }
}

impl Value {
    fn write_json(&self, out: &mut String) {
        let _ = match self {
            Self::Text(text) => {
                write_text(text, out);
                Ok(())
            }
            Self::Integer(value) => write!(out, "{value}"),
            Self::Flag(value) => write!(out, "{value}"),
            Self::Levels(levels) => {
                out.push('[');
                for (at, level) in levels.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    let _ = write!(out, "{comma}[\"{}\",\"{}\"]", level.price, level.qty);
                }
                out.push(']');
                Ok(())
            }
        };
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

fn refusal(error: DecodeError) -> Description {
    Description { kind: "refused", fields: vec![("reason", Value::Text(error.to_string()))] }
}

fn of(decoded: &Decoded<'_, &str>) -> Description {
    let (kind, fields) = match *decoded {
        Decoded::Trade { symbol, ts_sent, ts, trade } => {
            ("trade", event("trade", symbol).into_iter().chain(trade_fields(&trade, ts_sent, ts)).collect())
        }
        Decoded::AggTrade { symbol, ts_sent, ts, trade, first_trade_id, last_trade_id } => {
            let mut fields = event("aggTrade", symbol);
            fields.extend(trade_fields(&trade, ts_sent, ts));
            fields.push(("first_trade_id", integer(first_trade_id)));
            fields.push(("last_trade_id", integer(last_trade_id)));
            ("agg_trade", fields)
        }
        Decoded::BookTicker { symbol, quote } => {
            let mut fields = event("bookTicker", symbol);
            fields.push(("update_id", integer(quote.update_id)));
            fields.push(("bid", decimal(quote.bid)));
            fields.push(("bid_qty", decimal(quote.bid_qty)));
            fields.push(("ask", decimal(quote.ask)));
            fields.push(("ask_qty", decimal(quote.ask_qty)));
            ("quote", fields)
        }
        Decoded::Depth { symbol, ts, first_id, last_id, bids, asks } => {
            let mut fields = event("depthUpdate", symbol);
            fields.push(("ts_event_ns", integer(ts.0)));
            fields.push(("first_update_id", integer(first_id)));
            fields.push(("last_update_id", integer(last_id)));
            fields.push(("bids", Value::Levels(bids.to_vec())));
            fields.push(("asks", Value::Levels(asks.to_vec())));
            ("depth", fields)
        }
        Decoded::PartialDepth { symbol, last_update_id, bids, asks } => {
            let mut fields = vec![("event", Value::Text("partialDepth".to_owned()))];
            fields.extend(symbol.map(|lower| ("symbol", Value::Text(lower.to_uppercase()))));
            fields.push(("last_update_id", integer(last_update_id)));
            fields.push(("bids", Value::Levels(bids.to_vec())));
            fields.push(("asks", Value::Levels(asks.to_vec())));
            ("snapshot", fields)
        }
        Decoded::Kline { symbol, ts, timeframe, ts_close, bar, is_closed } => {
            let mut fields = event("kline", symbol);
            fields.push(("ts_event_ns", integer(ts.0)));
            fields.extend(timeframe.map(|length| ("timeframe", Value::Text(length.to_string()))));
            fields.push(("ts_open_ns", integer(bar.open_ts.0)));
            fields.push(("ts_close_ns", integer(ts_close.0)));
            for (name, price) in
                [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)]
            {
                fields.push((name, decimal(price)));
            }
            fields.push(("volume", decimal(bar.volume)));
            fields.push(("trades", integer(bar.trades.into())));
            fields.push(("is_closed", Value::Flag(is_closed)));
            ("bar", fields)
        }
        Decoded::ServerShutdown { ts } => {
            let event = ("event", Value::Text("serverShutdown".to_owned()));
            ("server_shutdown", vec![event, ("ts_event_ns", integer(ts.0))])
        }
        Decoded::ControlAck { id } => ("control_ack", control_id(id)),
        Decoded::ControlError { id, code, message } => {
            let mut fields = control_id(id);
            fields.push(("code", Value::Integer(code.into())));
            fields.push(("message", Value::Text(message.to_owned())));
            ("control_error", fields)
        }
        Decoded::Ignored { event } => ("ignored", vec![("event", Value::Text(event.to_owned()))]),
    };
    Description { kind, fields }
}

fn event(name: &str, symbol: &str) -> Vec<(&'static str, Value)> {
    vec![("event", Value::Text(name.to_owned())), ("symbol", Value::Text(symbol.to_owned()))]
}

fn trade_fields(trade: &Trade, ts_sent: TsNs, ts: TsNs) -> [(&'static str, Value); 6] {
    let aggressor = match trade.aggressor {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    [
        ("ts_event_ns", integer(ts.0)),
        ("ts_sent_ns", integer(ts_sent.0)),
        ("trade_id", integer(trade.trade_id)),
        ("price", decimal(trade.price)),
        ("qty", decimal(trade.qty)),
        ("aggressor", Value::Text(aggressor.to_owned())),
    ]
}

fn control_id(id: ControlId<'_>) -> Vec<(&'static str, Value)> {
    match id {
        ControlId::None => Vec::new(),
        ControlId::Number(number) => vec![("id", integer(number))],
        ControlId::Text(text) => vec![("id", Value::Text(text.to_owned()))],
    }
}

fn integer(value: u64) -> Value {
    Value::Integer(value.into())
}

fn decimal(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let mut out = String::new();
        describe(&mut text.as_bytes().to_vec()).write_json(7, &mut out);
        out
    }

    #[test]
    fn a_message_is_told_exactly() {
        assert_eq!(
            line(r#"{"u":400900217,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}"#),
            concat!(
                r#"{"line":7,"kind":"quote","event":"bookTicker","symbol":"BNBUSDT","update_id":400900217,"#,
                r#""bid":"25.35","bid_qty":"31.21","ask":"25.36","ask_qty":"40.66"}"#
            )
        );
        assert_eq!(line(r#"{"result":null,"id":312}"#), r#"{"line":7,"kind":"control_ack","id":312}"#);
        assert_eq!(
            line(r#"{"stream":"btcusdt@depth5","data":{"lastUpdateId":1,"bids":[["2","3"]],"asks":[]}}"#),
            concat!(
                r#"{"line":7,"kind":"snapshot","event":"partialDepth","symbol":"BTCUSDT","last_update_id":1,"#,
                r#""bids":[["2","3"]],"asks":[]}"#
            )
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "not JSON at byte 0"),
            ("[1]", "not a JSON object"),
            ("{}", "an object without any known mark"),
            (r#"{"e":"nonsense"}"#, "unknown event nonsense"),
            (r#"{"method":"SUBSCRIBE","id":1}"#, "a client's request, not a venue's message"),
        ] {
            assert_eq!(line(text), format!(r#"{{"line":7,"kind":"refused","reason":"{reason}"}}"#));
        }
    }
}
