//! A simulated Oanda without sockets, and a client's desk at it.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use serde_json::Value;
use smc_core::words::SCALE;
use smc_core::{Price, Qty, TsNs};
use venue_sim::dialect::oanda::{Oanda, OandaSettings};
use venue_sim::dialect::{Dialect, Frame, HttpRequest};
use venue_sim::market::QuoteSource;
use venue_sim::market::fx::{FxInstrument, FxLevel, FxQuote, LEVELS};
use venue_sim::{AccountSettings, Credential};

/// Wednesday 2026-01-07 08:00 UTC: nine hours before the roll, in winter.
pub const START_S: u64 = 1_767_772_800;
pub const NET: &str = "101-004-1234567-001";
pub const HEDGE: &str = "101-004-1234567-002";
pub const TOKEN: &str = "0000aaaa1111bbbb2222cccc3333dddd-4444eeee5555ffff6666aaaa7777bbbb";
/// The connection of requests, and that of the first stream.
pub const REST: u64 = 1;
pub const STREAM: u64 = 2;

pub const EUR_USD: usize = 0;
pub const USD_JPY: usize = 1;

/// Market time in milliseconds after the start.
pub fn at(ms: u64) -> TsNs {
    TsNs((START_S * 1_000 + ms) * 1_000_000)
}

/// One quote with two levels a side: `units` at the best price, five times as many one tick further.
pub fn quote(ms: u64, instrument: usize, bid: &str, ask: &str, units: i64) -> FxQuote {
    let price = |text: &str| Price::parse(text.as_bytes()).unwrap();
    let tick = if instrument == USD_JPY { 100_000 } else { 1_000 };
    let side = |best: Price, sign: i64| {
        let mut ladder = [FxLevel::default(); LEVELS];
        ladder[0] = FxLevel { price: best, units: Qty(units * SCALE) };
        ladder[1] = FxLevel { price: Price(best.0 + sign * tick), units: Qty(5 * units * SCALE) };
        ladder
    };
    let (bid, ask) = (price(bid), price(ask));
    FxQuote {
        at: at(ms),
        instrument,
        bids: side(bid, -1),
        asks: side(ask, 1),
        closeout_bid: Price(bid.0 - 9 * tick),
        closeout_ask: Price(ask.0 + 9 * tick),
        is_tradeable: true,
    }
}

/// The same, not tradeable.
pub fn halted(ms: u64, instrument: usize, bid: &str, ask: &str) -> FxQuote {
    FxQuote { is_tradeable: false, ..quote(ms, instrument, bid, ask, 1_000) }
}

/// Quotes that a test writes down, after the opening ones: EUR_USD 1.10000 / 1.10010, USD_JPY 150.000 / 150.010.
pub struct Script {
    instruments: Vec<FxInstrument>,
    quotes: std::vec::IntoIter<FxQuote>,
}

impl Script {
    pub fn new(script: &[FxQuote]) -> Self {
        let instruments = ["EUR_USD", "USD_JPY"].map(|name| FxInstrument::named(name).unwrap()).to_vec();
        let mut quotes = vec![
            quote(0, EUR_USD, "1.10000", "1.10010", 1_000),
            quote(0, USD_JPY, "150.000", "150.010", 1_000),
        ];
        quotes.extend_from_slice(script);
        Self { instruments, quotes: quotes.into_iter() }
    }
}

impl QuoteSource for Script {
    fn instruments(&self) -> &[FxInstrument] {
        &self.instruments
    }

    fn start_ts(&self) -> TsNs {
        at(0)
    }

    fn next(&mut self) -> Option<FxQuote> {
        self.quotes.next()
    }
}

/// A netting and a hedging account of 10,000 dollars.
pub fn accounts() -> Vec<AccountSettings> {
    let account =
        |id| AccountSettings::new(id, Credential::Token(TOKEN.to_owned()), &[("USD", Qty(10_000 * SCALE))]);
    vec![account(NET), account(HEDGE)]
}

pub struct Desk {
    pub venue: Oanda,
    /// The account of the calls.
    pub account: &'static str,
    /// Lines of the stream, and when each came.
    pub lines: Vec<(TsNs, Value)>,
    /// Bytes of the stream that are no whole chunk yet; chunks so far.
    bytes: Vec<u8>,
    text: String,
    pub chunks: usize,
    pub is_stream_closed: bool,
    /// The head of the last answer.
    pub head: String,
}

impl Desk {
    pub fn new(script: &[FxQuote]) -> Self {
        Self::with(script, |_| {})
    }

    /// A desk at a venue whose settings a test changes.
    pub fn with(script: &[FxQuote], change: impl FnOnce(&mut OandaSettings)) -> Self {
        let mut settings = OandaSettings::new(Box::new(Script::new(script)));
        settings.hedging = vec![HEDGE.to_owned()];
        settings.limits.requests_per_second = None;
        change(&mut settings);
        Self::at(Oanda::new(settings, &accounts(), 1).unwrap())
    }

    pub fn at(venue: Oanda) -> Self {
        Self {
            venue,
            account: NET,
            lines: Vec::new(),
            bytes: Vec::new(),
            text: String::new(),
            chunks: 0,
            is_stream_closed: false,
            head: String::new(),
        }
    }

    pub fn request(method: &str, target: &str, body: &str) -> HttpRequest {
        let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))];
        let (method, target, body) = (method.to_owned(), target.to_owned(), body.to_owned());
        HttpRequest { method, target, headers, body }
    }

    /// Sends a request; the status and the body, or none when the connection was cut instead.
    pub fn try_send(&mut self, request: &HttpRequest) -> Option<(u16, Value)> {
        self.venue.on_http(REST, request);
        let bytes = self.drain()?;
        let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
        self.head = head.to_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))))
    }

    pub fn send(&mut self, request: &HttpRequest) -> (u16, Value) {
        self.try_send(request).unwrap()
    }

    /// A call below the account.
    pub fn call(&mut self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let target = format!("/v3/accounts/{}{path}", self.account);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(&Self::request(method, &target, &body))
    }

    pub fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, Value::Null);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub fn order(&mut self, order: Value) -> (u16, Value) {
        self.call("POST", "/orders", serde_json::json!({ "order": order }))
    }

    /// Places an order that is taken.
    pub fn place(&mut self, order: Value) -> Value {
        let (status, body) = self.order(order);
        assert_eq!(status, 201, "{body}");
        body
    }

    pub fn stream(&mut self, path: &str) {
        let target = format!("/v3/accounts/{}{path}", self.account);
        self.venue.on_http(STREAM, &Self::request("GET", &target, ""));
        assert!(self.drain().is_none());
    }

    /// Runs the market until a time after its start.
    pub fn run_until(&mut self, ms: u64) {
        while self.venue.next_due() <= at(ms) {
            self.venue.step();
            self.drain();
        }
        self.venue.set_now(at(ms));
        self.drain();
    }

    /// Takes all frames; the answer to a request when there is one.
    fn drain(&mut self) -> Option<String> {
        let mut answer = None;
        while let Some((conn, frame)) = self.venue.pop_frame() {
            match (conn, frame) {
                (REST, Frame::Http(bytes)) => answer = Some(String::from_utf8(bytes).unwrap()),
                (STREAM, Frame::Part(bytes)) => self.read(&bytes),
                (STREAM, Frame::Close) => self.is_stream_closed = true,
                _ => {}
            }
        }
        answer
    }

    /// Undoes the chunks of the stream.
    fn read(&mut self, bytes: &[u8]) {
        if bytes.starts_with(b"HTTP/1.1 200") {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        while let Some(end) = self.bytes.windows(2).position(|it| it == b"\r\n") {
            let len = usize::from_str_radix(std::str::from_utf8(&self.bytes[..end]).unwrap(), 16).unwrap();
            if self.bytes.len() < end + len + 4 {
                break;
            }
            self.text.push_str(std::str::from_utf8(&self.bytes[end + 2..end + 2 + len]).unwrap());
            self.bytes.drain(..end + len + 4);
            self.chunks += 1;
        }
        while let Some((line, rest)) = self.text.split_once('\n') {
            self.lines.push((self.venue.now(), serde_json::from_str(line).unwrap()));
            self.text = rest.to_owned();
        }
    }

    /// Types of the transactions on the stream, heartbeats left out, with their numbers.
    pub fn told(&self) -> Vec<(u64, String)> {
        let word = |value: &Value, key: &str| value[key].as_str().unwrap_or("").to_owned();
        let lines = self.lines.iter().map(|(_, line)| line).filter(|line| line["type"] != "HEARTBEAT");
        lines.map(|line| (word(line, "id").parse().unwrap_or(0), word(line, "type"))).collect()
    }

    /// All transactions of the account, asked for in steps.
    pub fn log(&mut self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let since = all.last().map_or("0".to_owned(), |it| it["id"].as_str().unwrap().to_owned());
            let more = self.get(&format!("/transactions/sinceid?id={since}"));
            let more = more["transactions"].as_array().unwrap().clone();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }
}

/// Text of a member, by its path.
pub fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or("")
}

/// An amount in 1e-8.
pub fn amount(value: &Value, path: &str) -> i64 {
    Qty::parse(text(value, path).trim_start_matches('-').as_bytes()).map_or(0, |it| it.0)
        * if text(value, path).starts_with('-') { -1 } else { 1 }
}
