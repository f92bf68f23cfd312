//! Messages in words: what `smc decode` prints, one JSON object a message.
//!
//! Cold: for tools and people. Says of a message either what it holds or why it is refused. Prices and quantities are
//! exact decimal texts.

use std::fmt::Write;

use smc_core::event::{Level, Trade};
use smc_core::words::{Price, Side, TsNs};

use super::message::{ControlId, DecodeError, Decoded};

/// Levels a side that a described message may have.
pub const LEVELS_MAX: usize = 10_000;

/// One message in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The house's word: `trade`, `agg_trade`, `quote`, `depth`, `snapshot`, `bar`, `mark`, `contract`,
    /// `server_shutdown`, `control_ack`, `control_error`, `ignored`, or `refused`.
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

/// Of a message, decoded with its symbol as text, or of its refusal.
pub fn describe(decoded: Result<Decoded<'_, &str>, DecodeError>) -> Description {
    match decoded {
        Ok(decoded) => of(&decoded),
        Err(error) => {
            Description { kind: "refused", fields: vec![("reason", Value::Text(error.to_string()))] }
        }
    }
}

fn of(decoded: &Decoded<'_, &str>) -> Description {
    let (kind, fields) = match *decoded {
        Decoded::Trade { symbol, ts_sent, ts, trade, is_market } => {
            let mut fields = event("trade", symbol);
            fields.extend(trade_fields(&trade, ts_sent, ts));
            if !is_market {
                fields.push(("is_market", Value::Flag(false)));
            }
            ("trade", fields)
        }
        Decoded::AggTrade { symbol, ts_sent, ts, trade, first_trade_id, last_trade_id } => {
            let mut fields = event("aggTrade", symbol);
            fields.extend(trade_fields(&trade, ts_sent, ts));
            fields.push(("first_trade_id", integer(first_trade_id)));
            fields.push(("last_trade_id", integer(last_trade_id)));
            ("agg_trade", fields)
        }
        Decoded::BookTicker { symbol, ts, quote } => {
            let mut fields = event("bookTicker", symbol);
            fields.extend(ts.map(|ts| ("ts_event_ns", integer(ts.0))));
            fields.push(("update_id", integer(quote.update_id)));
            fields.push(("bid", decimal(quote.bid)));
            fields.push(("bid_qty", decimal(quote.bid_qty)));
            fields.push(("ask", decimal(quote.ask)));
            fields.push(("ask_qty", decimal(quote.ask_qty)));
            ("quote", fields)
        }
        Decoded::Depth { symbol, ts, first_id, last_id, previous_id, bids, asks } => {
            let mut fields = event("depthUpdate", symbol);
            fields.push(("ts_event_ns", integer(ts.0)));
            fields.push(("first_update_id", integer(first_id)));
            fields.push(("last_update_id", integer(last_id)));
            fields.extend(previous_id.map(|id| ("previous_update_id", integer(id))));
            fields.push(("bids", Value::Levels(bids.to_vec())));
            fields.push(("asks", Value::Levels(asks.to_vec())));
            ("depth", fields)
        }
        Decoded::PartialDepth { symbol, ts, last_update_id, bids, asks } => {
            let mut fields = vec![("event", Value::Text("partialDepth".to_owned()))];
            fields.extend(symbol.map(|lower| ("symbol", Value::Text(lower.to_uppercase()))));
            fields.extend(ts.map(|ts| ("ts_event_ns", integer(ts.0))));
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
        Decoded::Mark { symbol, ts, price, funding_rate, funding_ts } => {
            let mut fields = event("markPriceUpdate", symbol);
            fields.push(("ts_event_ns", integer(ts.0)));
            fields.push(("price", decimal(price)));
            fields.extend(funding_rate.map(|rate| ("funding_rate", decimal(Price(rate)))));
            fields.push(("funding_ts_ns", integer(funding_ts.0)));
            ("mark", fields)
        }
        Decoded::Contract { symbol, ts } => {
            let mut fields = event("contractInfo", symbol);
            fields.push(("ts_event_ns", integer(ts.0)));
            ("contract", fields)
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
