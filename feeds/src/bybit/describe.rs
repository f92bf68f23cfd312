//! Messages in words: what `smc decode` prints, one JSON object a statement.
//!
//! Cold: for tools and people. Takes any symbol, uses the tape decoder alone, and says of a message either what it
//! holds or why it is refused. A message with several trades is several statements. Rows of the venue's trade archives
//! are understood as well. Prices and quantities are exact decimal texts.

use smc_core::event::Trade;
use smc_core::words::{Price, Qty, Side, TsNs, number_of_text};

use super::message::{DecodeError, Decoded, Rows};
use super::tape::{TapeDecoder, stamp};
use crate::binance_spot::{Description, Value};
use crate::number::decimal as parse;

/// Levels a side that a described message may have.
const LEVELS_MAX: usize = 10_000;

/// Describes one message of the venue, whatever its symbol. Never panics.
pub fn describe(payload: &mut [u8]) -> Vec<Description> {
    Describer::new().describe(payload)
}

/// Describes many messages with the same memory.
pub struct Describer {
    tape: TapeDecoder,
    rows: Rows,
}

impl Default for Describer {
    fn default() -> Self {
        Self::new()
    }
}

impl Describer {
    /// Takes its memory.
    pub fn new() -> Self {
        Self { tape: TapeDecoder::new(0), rows: Rows::new(LEVELS_MAX) }
    }

    /// Describes one message: one statement at least.
    pub fn describe(&mut self, payload: &mut [u8]) -> Vec<Description> {
        if let Some(trade) = archive_trade(payload) {
            return vec![trade];
        }
        match self.tape.decode(payload, Some, &mut self.rows) {
            Ok(decoded) => of(&decoded),
            Err(error) => vec![refusal(error)],
        }
    }
}

fn refusal(error: DecodeError) -> Description {
    Description { kind: "refused", fields: vec![("reason", text(error))] }
}

fn of(decoded: &Decoded<'_, &str>) -> Vec<Description> {
    let one = |kind, fields| vec![Description { kind, fields }];
    match *decoded {
        Decoded::Book { symbol, depth: 1, ts, update_id, seq, bids, asks, is_snapshot: true } => {
            let mut fields = event("orderbook.1", symbol, ts);
            fields.push(("update_id", integer(update_id)));
            fields.push(("seq", integer(seq)));
            for (price, qty, side) in [("bid", "bid_qty", bids), ("ask", "ask_qty", asks)] {
                if let Some(best) = side.first() {
                    fields.push((price, text(best.price)));
                    fields.push((qty, text(best.qty)));
                }
            }
            one("quote", fields)
        }
        Decoded::Book { symbol, depth, is_snapshot, ts, update_id, seq, bids, asks } => {
            let mut fields = event("orderbook", symbol, ts);
            fields.push(("depth", integer(depth.into())));
            fields.push(("update_id", integer(update_id)));
            fields.push(("seq", integer(seq)));
            fields.push(("bids", Value::Levels(bids.to_vec())));
            fields.push(("asks", Value::Levels(asks.to_vec())));
            // The venue's service has restarted: an image, whatever it is called.
            one(if is_snapshot || update_id == 1 { "snapshot" } else { "depth" }, fields)
        }
        Decoded::Trades { symbol, trades: [], ts_sent } => {
            one("ignored", event("publicTrade", symbol, ts_sent))
        }
        Decoded::Trades { symbol, trades, .. } => trades
            .iter()
            .map(|row| {
                let mut fields = event("publicTrade", symbol, row.ts);
                fields.extend(trade_fields(&row.trade));
                fields.push(("seq", integer(row.seq)));
                fields.push(("is_block", Value::Flag(row.is_block)));
                Description { kind: "trade", fields }
            })
            .collect(),
        Decoded::Ticker { symbol, is_snapshot, ts, mark, last, funding_e8, funding_at } => {
            let mut fields = event("tickers", symbol, ts);
            fields.push(("is_snapshot", Value::Flag(is_snapshot)));
            fields.extend(mark.map(|price| ("mark", text(price))));
            fields.extend(last.map(|price| ("last", text(price))));
            fields.extend(funding_e8.map(|rate| ("funding", text(Price(rate)))));
            fields.extend(funding_at.map(|at| ("funding_ts_ns", integer(at.0))));
            one("ticker", fields)
        }
        Decoded::Kline { symbol, ts, timeframe, bar, is_closed } => {
            let mut fields = event("kline", symbol, ts);
            fields.extend(timeframe.map(|length| ("timeframe", text(length))));
            fields.push(("ts_open_ns", integer(bar.open_ts.0)));
            for (name, price) in
                [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)]
            {
                fields.push((name, text(price)));
            }
            fields.push(("volume", text(bar.volume)));
            fields.push(("is_closed", Value::Flag(is_closed)));
            one("bar", fields)
        }
        Decoded::ControlAck { op, req_id } => {
            one("control_ack", vec![("op", text(op)), ("id", text(req_id))])
        }
        Decoded::ControlError { req_id, message } => {
            one("control_error", vec![("id", text(req_id)), ("message", text(message))])
        }
        Decoded::Pong => one("pong", Vec::new()),
        Decoded::Ignored { topic } => one("ignored", vec![("event", text(topic))]),
    }
}

/// A row of a trade archive: of contracts (`timestamp` in seconds) or of spot (in milliseconds). The header is refused.
fn archive_trade(line: &[u8]) -> Option<Description> {
    if !line.first()?.is_ascii_digit() {
        return None;
    }
    let cells: Vec<&str> = std::str::from_utf8(line).ok()?.trim_end().split(',').collect();
    let (ts, symbol, side, qty, price, id) = match *cells.as_slice() {
        [seconds, symbol, side, qty, price, _, id, _, _, _]
        | [seconds, symbol, side, qty, price, _, id, _, _, _, _] => {
            // Up to nine decimals of a second: 1e-8 units are ten nanoseconds.
            let ts = TsNs(u64::try_from(parse(seconds.as_bytes()).ok()?).ok()?.checked_mul(10)?);
            (ts, Some(symbol), side, qty, price, id)
        }
        [id, ms, price, qty, side] | [id, ms, price, qty, side, _] => {
            (stamp(ms.parse().ok()?)?, None, side, qty, price, id)
        }
        _ => return None,
    };
    let aggressor = match side {
        "Buy" | "buy" => Side::Buy,
        "Sell" | "sell" => Side::Sell,
        _ => return None,
    };
    let trade = Trade {
        price: Price(parse(price.as_bytes()).ok().filter(|&price| price > 0)?),
        qty: Qty(parse(qty.as_bytes()).ok().filter(|&qty| qty > 0)?),
        aggressor,
        trade_id: number_of_text(id.as_bytes()),
    };
    let mut fields = vec![("event", text("archive"))];
    fields.extend(symbol.map(|symbol| ("symbol", text(symbol))));
    fields.push(("ts_event_ns", integer(ts.0)));
    fields.extend(trade_fields(&trade));
    Some(Description { kind: "trade", fields })
}

fn event(name: &str, symbol: &str, ts: TsNs) -> Vec<(&'static str, Value)> {
    vec![("event", text(name)), ("symbol", text(symbol)), ("ts_event_ns", integer(ts.0))]
}

fn trade_fields(trade: &Trade) -> [(&'static str, Value); 4] {
    let aggressor = match trade.aggressor {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    [
        ("trade_id", integer(trade.trade_id)),
        ("price", text(trade.price)),
        ("qty", text(trade.qty)),
        ("aggressor", text(aggressor)),
    ]
}

fn integer(value: u64) -> Value {
    Value::Integer(value.into())
}

fn text(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}
