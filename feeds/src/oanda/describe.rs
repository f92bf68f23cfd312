//! Lines and answers in words: what `smc decode` prints, one JSON object a line.
//!
//! Cold: for tools and people. Takes any instrument, and says either what there is or why it is refused.

use simd_json::prelude::*;
use smc_core::event::Bar;
use smc_core::words::Timeframe;

use super::fields::Fields;
use super::history::{PriceSide, candles};
use super::message::{DecodeError, Decoded, Tick};
use super::pricing::pricing;
use super::spec::instrument_spec;
use crate::binance_spot::{Description, Value};

/// Describes many messages.
#[derive(Default)]
pub struct Describer {
    copy: Vec<u8>,
}

impl Describer {
    /// Ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Describes one line of a stream or one answer. A recorded one may stand as `msg` inside a note about the request.
    pub fn describe(&mut self, payload: &mut [u8]) -> Description {
        self.copy.clear();
        self.copy.extend_from_slice(payload);
        let described = match simd_json::to_tape(payload) {
            Ok(tape) => {
                let root = Fields::of(tape.as_value());
                root.and_then(|root| match root.find("msg") {
                    Some(inner) => of(&Fields::of(inner)?, &value_text(inner)),
                    None => of(&root, &self.copy),
                })
            }
            Err(error) => Err(DecodeError::BadJson { at: error.index() }),
        };
        described.unwrap_or_else(refusal)
    }
}

/// A part of a document as text of its own.
fn value_text(value: simd_json::tape::Value<'_, '_>) -> Vec<u8> {
    value.encode().into_bytes()
}

fn of(root: &Fields<'_, '_>, text: &[u8]) -> Result<Description, DecodeError> {
    let mut copy = text.to_vec();
    if root.find("prices").is_some() {
        let all = pricing(&mut copy, Some)?;
        let mut fields = vec![("prices", integer(all.ticks.len() as u64))];
        let names: Vec<&str> = all.ticks.iter().map(|tick| tick.symbol).collect();
        fields.push(("instruments", Value::Text(names.join(","))));
        fields.extend(
            all.rates.iter().map(|rate| ("rate", Value::Text(format!("{} {}", rate.asset, rate.price)))),
        );
        return Ok(Description { kind: "snapshot", fields });
    }
    if root.find("candles").is_some() {
        return bars(root, &mut copy);
    }
    if root.find("instruments").is_some() {
        return instruments(root, text);
    }
    for (field, event) in
        [("orderBook", "orderBook"), ("positionBook", "positionBook"), ("accounts", "accounts")]
    {
        if root.find(field).is_some() {
            return Ok(Description {
                kind: "ignored",
                fields: vec![("event", Value::Text(event.to_owned()))],
            });
        }
    }
    let mut tape = super::decode::TapeDecoder::new(64);
    match tape.decode(&mut copy, Some)? {
        Decoded::Price(tick) => Ok(price(&tick)),
        Decoded::Heartbeat { ts } => {
            let event = ("event", Value::Text("HEARTBEAT".to_owned()));
            Ok(Description { kind: "heartbeat", fields: vec![event, ("ts_event_ns", integer(ts.0))] })
        }
    }
}

fn price(tick: &Tick<&str>) -> Description {
    let mut fields = vec![
        ("event", Value::Text("PRICE".to_owned())),
        ("symbol", Value::Text(tick.symbol.to_owned())),
        ("ts_event_ns", integer(tick.ts.0)),
        ("is_tradeable", Value::Flag(tick.is_tradeable)),
    ];
    for (price, qty, level) in [("bid", "bid_qty", tick.bid), ("ask", "ask_qty", tick.ask)] {
        if let Some(level) = level {
            fields.push((price, decimal(level.price)));
            fields.push((qty, decimal(level.qty)));
        }
    }
    Description { kind: "quote", fields }
}

fn bars(root: &Fields<'_, '_>, copy: &mut [u8]) -> Result<Description, DecodeError> {
    let list = root.list("candles")?;
    let first = list.iter().next().map(Fields::of).transpose()?;
    let has = |field| first.as_ref().is_some_and(|candle| candle.find(field).is_some());
    let side = match (has("mid"), has("bid")) {
        (true, _) => PriceSide::Mid,
        (false, true) => PriceSide::Bid,
        (false, false) => PriceSide::Ask,
    };
    // Any grid: recorded days begin where their asker wanted.
    let one_second = Timeframe::from_secs(1).ok_or(DecodeError::UnknownShape)?;
    let bars: Vec<Bar> =
        candles(copy, one_second, side).map_err(|_| DecodeError::WrongType { field: "candles" })?;
    let mut fields = vec![
        ("symbol", Value::Text(root.text("instrument")?.to_owned())),
        ("granularity", Value::Text(root.text("granularity")?.to_owned())),
        ("bars", integer(bars.len() as u64)),
    ];
    if let (Some(first), Some(last)) = (bars.first(), bars.last()) {
        fields.push(("first_open_ns", integer(first.open_ts.0)));
        fields.push(("last_open_ns", integer(last.open_ts.0)));
        fields.push(("close", decimal(last.close)));
    }
    Ok(Description { kind: "bars", fields })
}

fn instruments(root: &Fields<'_, '_>, text: &[u8]) -> Result<Description, DecodeError> {
    let list = root.list("instruments")?;
    let mut names = Vec::new();
    let mut refused = 0;
    for row in list.iter() {
        let name = Fields::of(row)?.text("name")?;
        match instrument_spec(&mut text.to_vec(), name) {
            Ok(_) => names.push(name),
            Err(_) => refused += 1,
        }
    }
    let fields = vec![
        ("instruments", integer(names.len() as u64)),
        ("refused", integer(refused)),
        ("names", Value::Text(names.join(","))),
    ];
    Ok(Description { kind: "instruments", fields })
}

fn refusal(error: DecodeError) -> Description {
    Description { kind: "refused", fields: vec![("reason", Value::Text(error.to_string()))] }
}

fn integer(value: u64) -> Value {
    Value::Integer(value.into())
}

fn decimal(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}
