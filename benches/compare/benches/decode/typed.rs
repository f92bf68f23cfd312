//! The structs that a user of serde would write for these messages, as cheap as it allows: prices and quantities stay text.
#![allow(dead_code, reason = "what a user would read")]

use serde::Deserialize;
use std::hint::black_box;

/// Reads a message into a struct and forgets it; whether it could.
pub type Read = fn(&mut [u8]) -> bool;

/// A message by simd-json and by sonic-rs.
pub struct Others {
    pub simd_json: Read,
    pub sonic: Read,
}

/// A message of a combined stream of Binance.
#[derive(Deserialize)]
struct Envelope<'a, T> {
    #[serde(borrow)]
    stream: &'a str,
    data: T,
}

/// A message of Bybit's public socket.
#[derive(Deserialize)]
struct Topic<'a, T> {
    #[serde(borrow)]
    topic: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    ts: u64,
    data: T,
}

macro_rules! others {
    ($($name:ident: $read:ty;)*) => {$(
        pub const $name: Others = Others {
            simd_json: |text| simd_json::serde::from_slice::<$read>(text).map(|told| _ = black_box(&told)).is_ok(),
            sonic: |text| sonic_rs::from_slice::<$read>(text).map(|told| _ = black_box(&told)).is_ok(),
        };
    )*};
}

others! {
    SPOT_TRADE: Envelope<'_, Trade<'_>>;
    SPOT_TICKER: Envelope<'_, BookTicker<'_>>;
    SPOT_DEPTH: Envelope<'_, Depth<'_>>;
    USDM_TRADE: Envelope<'_, Trade<'_>>;
    USDM_AGG_TRADE: Envelope<'_, AggTrade<'_>>;
    USDM_TICKER: Envelope<'_, TimedTicker<'_>>;
    USDM_DEPTH: Envelope<'_, ChainedDepth<'_>>;
    USDM_MARK: Envelope<'_, MarkPrice<'_>>;
    BYBIT_TRADES: Topic<'_, Vec<PublicTrade<'_>>>;
    BYBIT_BOOK: Topic<'_, Book<'_>>;
    BYBIT_TICKER: Topic<'_, Ticker<'_>>;
    OANDA_PRICE: ClientPrice<'_>;
}

#[derive(Deserialize)]
struct Trade<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "T")]
    trade_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "t")]
    id: u64,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    qty: &'a str,
    #[serde(rename = "m")]
    is_buyer_maker: bool,
}

#[derive(Deserialize)]
struct AggTrade<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "T")]
    trade_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "a")]
    id: u64,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    qty: &'a str,
    #[serde(rename = "f")]
    first_id: u64,
    #[serde(rename = "l")]
    last_id: u64,
    #[serde(rename = "m")]
    is_buyer_maker: bool,
}

#[derive(Deserialize)]
struct BookTicker<'a> {
    #[serde(rename = "u")]
    update_id: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

/// The futures' one tells when.
#[derive(Deserialize)]
struct TimedTicker<'a> {
    #[serde(rename = "u")]
    update_id: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
    #[serde(rename = "T")]
    trade_ms: u64,
    #[serde(rename = "E")]
    event_ms: u64,
}

#[derive(Deserialize)]
struct Depth<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first_id: u64,
    #[serde(rename = "u")]
    last_id: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

/// The futures' one names the message before.
#[derive(Deserialize)]
struct ChainedDepth<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "T")]
    trade_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first_id: u64,
    #[serde(rename = "u")]
    last_id: u64,
    #[serde(rename = "pu")]
    previous_id: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
struct MarkPrice<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "p")]
    mark: &'a str,
    #[serde(rename = "i")]
    index: &'a str,
    #[serde(rename = "r")]
    funding: &'a str,
    #[serde(rename = "T")]
    funding_ms: u64,
}

#[derive(Deserialize)]
struct PublicTrade<'a> {
    #[serde(rename = "T")]
    trade_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "S")]
    side: &'a str,
    #[serde(rename = "v")]
    qty: &'a str,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "i")]
    id: &'a str,
    #[serde(rename = "BT")]
    is_block: bool,
    seq: u64,
}

#[derive(Deserialize)]
struct Book<'a> {
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
    #[serde(rename = "u")]
    update_id: u64,
    seq: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    symbol: &'a str,
    mark_price: Option<&'a str>,
    last_price: Option<&'a str>,
    funding_rate: Option<&'a str>,
    next_funding_time: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientPrice<'a> {
    time: &'a str,
    #[serde(borrow)]
    bids: Vec<Bucket<'a>>,
    #[serde(borrow)]
    asks: Vec<Bucket<'a>>,
    closeout_bid: &'a str,
    closeout_ask: &'a str,
    tradeable: bool,
    instrument: &'a str,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    price: &'a str,
    liquidity: u64,
}
