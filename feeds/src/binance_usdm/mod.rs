//! Binance USD-M futures market data: the complete decoder of its JSON messages.
//!
//! Pure and cold: reads recorded feeds. The live feed of this venue is not here yet. Takes single messages and the
//! combined streams' envelope, old messages without the newer keys and new ones with keys that it does not know.

use simd_json::BorrowedValue;
use simd_json::prelude::*;
use smc_core::event::{Level, Quote, Trade};
use smc_core::words::{DecimalError, Name, Price, Qty, Side, TsNs};
use std::fmt;

/// Reads messages of one symbol.
pub struct Decoder {
    symbol: Name,
    bytes: Vec<u8>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

/// What a message says. Levels live in the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A trade of the market (`X` is MARKET or absent).
    Trade {
        /// When it happened (`T`).
        ts: TsNs,
        /// The trade.
        trade: Trade,
        /// Of the stream of aggregate trades: the same trades as the other stream's, together.
        is_aggregate: bool,
    },
    /// Best bid and ask.
    Quote {
        /// When they came to be (`T`).
        ts: TsNs,
        /// The prices.
        quote: Quote,
    },
    /// Changes of the book, absolute quantities. Follows on the message whose `last_id` is `previous_id`.
    Depth {
        /// When the venue made it (`T`).
        ts: TsNs,
        /// `pu`.
        previous_id: u64,
        /// `u`.
        last_id: u64,
        /// Changed bids.
        bids: &'a [Level],
        /// Changed asks.
        asks: &'a [Level],
    },
    /// A REST depth snapshot.
    Snapshot {
        /// When the venue made it (`T`).
        ts: TsNs,
        /// `lastUpdateId`.
        last_id: u64,
        /// Bids, best first.
        bids: &'a [Level],
        /// Asks, best first.
        asks: &'a [Level],
    },
    /// A message that is none of these.
    Other,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not a JSON object.
    Json,
    /// Neither an event nor a snapshot.
    UnknownShape,
    /// Of another symbol.
    OtherSymbol,
    /// A field that must be there is not, or has another type.
    Field(&'static str),
    /// Decimal text that is no number, does not fit, or is out of range for its field.
    Number(&'static str, Option<DecimalError>),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("not a JSON object"),
            Self::UnknownShape => f.write_str("an object without any known mark"),
            Self::OtherSymbol => f.write_str("of another symbol"),
            Self::Field(name) => write!(f, "field {name} is missing or of the wrong type"),
            Self::Number(name, Some(error)) => write!(f, "field {name}: {error}"),
            Self::Number(name, None) => write!(f, "field {name} is out of range"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl Decoder {
    /// For one symbol, in capitals.
    pub const fn new(symbol: Name) -> Self {
        Self { symbol, bytes: Vec::new(), bids: Vec::new(), asks: Vec::new() }
    }

    /// Reads one message.
    pub fn decode(&mut self, message: &[u8]) -> Result<Message<'_>, DecodeError> {
        self.bytes.clear();
        self.bytes.extend_from_slice(message);
        let Self { symbol, bytes, bids, asks } = self;
        let value = simd_json::to_borrowed_value(bytes).map_err(|_| DecodeError::Json)?;
        let body = value.get("data").unwrap_or(&value);
        if !body.is_object() {
            return Err(DecodeError::Json);
        }
        let Some(event) = text(body, "e") else {
            let last_id = number(body, "lastUpdateId").ok_or(DecodeError::UnknownShape)?;
            levels(body, "bids", bids)?;
            levels(body, "asks", asks)?;
            let ts = millis(body, "T").or_else(|_| millis(body, "E"))?;
            return Ok(Message::Snapshot { ts, last_id, bids, asks });
        };
        if !matches!(event, "trade" | "aggTrade" | "bookTicker" | "depthUpdate") {
            return Ok(Message::Other);
        }
        if text(body, "s").ok_or(DecodeError::Field("s"))?.as_bytes() != symbol.as_bytes() {
            return Err(DecodeError::OtherSymbol);
        }
        let ts = millis(body, "T")?;
        match event {
            "bookTicker" => {
                let quote = Quote {
                    bid: Price(positive(body, "b")?),
                    bid_qty: Qty(quantity(body, "B")?),
                    ask: Price(positive(body, "a")?),
                    ask_qty: Qty(quantity(body, "A")?),
                    update_id: number(body, "u").ok_or(DecodeError::Field("u"))?,
                };
                Ok(Message::Quote { ts, quote })
            }
            "depthUpdate" => {
                levels(body, "b", bids)?;
                levels(body, "a", asks)?;
                let previous_id = number(body, "pu").ok_or(DecodeError::Field("pu"))?;
                let last_id = number(body, "u").ok_or(DecodeError::Field("u"))?;
                Ok(Message::Depth { ts, previous_id, last_id, bids, asks })
            }
            // Insurance fund and other movements are told as trades at no price.
            _ if text(body, "X").is_some_and(|kind| kind != "MARKET") => Ok(Message::Other),
            _ => {
                let id = if event == "trade" { "t" } else { "a" };
                let is_maker = body.get_bool("m").ok_or(DecodeError::Field("m"))?;
                let trade = Trade {
                    price: Price(positive(body, "p")?),
                    qty: Qty(quantity(body, "q")?),
                    aggressor: if is_maker { Side::Sell } else { Side::Buy },
                    trade_id: number(body, id).ok_or(DecodeError::Field("t"))?,
                };
                Ok(Message::Trade { ts, trade, is_aggregate: event == "aggTrade" })
            }
        }
    }
}

fn text<'a>(body: &'a BorrowedValue<'_>, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

fn number(body: &BorrowedValue<'_>, name: &str) -> Option<u64> {
    body.get(name)?.as_u64()
}

fn millis(body: &BorrowedValue<'_>, name: &'static str) -> Result<TsNs, DecodeError> {
    let ms = number(body, name).ok_or(DecodeError::Field(name))?;
    ms.checked_mul(1_000_000).map(TsNs).ok_or(DecodeError::Number(name, None))
}

fn decimal(text: &str, name: &'static str) -> Result<i64, DecodeError> {
    Price::parse(text.as_bytes()).map(|price| price.0).map_err(|error| DecodeError::Number(name, Some(error)))
}

fn positive(body: &BorrowedValue<'_>, name: &'static str) -> Result<i64, DecodeError> {
    let units = decimal(text(body, name).ok_or(DecodeError::Field(name))?, name)?;
    if units > 0 { Ok(units) } else { Err(DecodeError::Number(name, None)) }
}

fn quantity(body: &BorrowedValue<'_>, name: &'static str) -> Result<i64, DecodeError> {
    let units = decimal(text(body, name).ok_or(DecodeError::Field(name))?, name)?;
    if units >= 0 { Ok(units) } else { Err(DecodeError::Number(name, None)) }
}

fn levels(body: &BorrowedValue<'_>, name: &'static str, out: &mut Vec<Level>) -> Result<(), DecodeError> {
    out.clear();
    for level in body.get_array(name).ok_or(DecodeError::Field(name))? {
        let pair = level.as_array().ok_or(DecodeError::Field(name))?;
        let cell = |at: usize| pair.get(at).and_then(|cell| cell.as_str()).ok_or(DecodeError::Field(name));
        let (price, qty) = (decimal(cell(0)?, name)?, decimal(cell(1)?, name)?);
        if price <= 0 || qty < 0 {
            return Err(DecodeError::Number(name, None));
        }
        out.push(Level { price: Price(price), qty: Qty(qty) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256671,"T":1723161256670,"s":"BTCUSDT","t":5266583941,"p":"61800.20","q":"0.244","X":"MARKET","m":true}}"#;

    #[test]
    fn every_cut_and_every_changed_byte_is_an_answer_and_never_a_panic() {
        let mut decoder = Decoder::new(Name::new("BTCUSDT").unwrap());
        let trade = Trade {
            price: Price(6_180_020_000_000),
            qty: Qty(24_400_000),
            aggressor: Side::Sell,
            trade_id: 5_266_583_941,
        };
        let ts = TsNs(1_723_161_256_670_000_000);
        assert_eq!(decoder.decode(TRADE.as_bytes()), Ok(Message::Trade { ts, trade, is_aggregate: false }));
        for cut in 0..TRADE.len() {
            assert!(decoder.decode(&TRADE.as_bytes()[..cut]).is_err());
        }
        for at in 0..TRADE.len() {
            for byte in [0, b'"', b'9', b'{', 0xff] {
                let mut broken = TRADE.as_bytes().to_vec();
                broken[at] = byte;
                let _ = decoder.decode(&broken);
            }
        }
    }
}
