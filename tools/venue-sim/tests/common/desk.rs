//! A venue without sockets, and a client's desk at it.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use super::{API_KEY, Key, START, account};
use serde_json::{Value, json};
use smc_core::{Price, Qty, Side, TsNs};
use venue_sim::LimitSettings;
use venue_sim::dialect::HttpRequest;
use venue_sim::dialect::{Dialect, Frame, Venue};
use venue_sim::market::{MarketOp, MarketOpKind, MarketSource, RandomWalk, SymbolInfo};

/// The API connection, and the first stream connection.
pub const API: u64 = 1;
pub const STREAM: u64 = 2;

/// A market that a test writes down: bids 100.00 × 5, 99.00 × 5, asks 101.00 × 5, 102.00 × 5, then the script.
pub struct Script {
    symbols: [SymbolInfo; 1],
    ops: std::vec::IntoIter<MarketOp>,
}

pub fn units(text: &str) -> i64 {
    Qty::parse(text.as_bytes()).unwrap().0
}

pub fn level(at_ms: u64, side: Side, price: &str, qty: &str) -> MarketOp {
    let kind = MarketOpKind::Level { side, price: Price(units(price)), qty: Qty(units(qty)) };
    MarketOp { at: TsNs(START.0 + at_ms * 1_000_000), symbol: 0, kind }
}

pub fn trade(at_ms: u64, aggressor: Side, price: &str, qty: &str) -> MarketOp {
    let kind = MarketOpKind::Trade { price: Price(units(price)), qty: Qty(units(qty)), aggressor };
    MarketOp { at: TsNs(START.0 + at_ms * 1_000_000), symbol: 0, kind }
}

impl Script {
    pub fn new(script: &[MarketOp]) -> Self {
        let mut symbol = *RandomWalk::new(1, START, 0).symbols().first().unwrap();
        symbol.orders_max = 3;
        let mut ops = vec![
            level(0, Side::Buy, "100", "5"),
            level(0, Side::Buy, "99", "5"),
            level(0, Side::Sell, "101", "5"),
            level(0, Side::Sell, "102", "5"),
        ];
        ops.extend_from_slice(script);
        Self { symbols: [symbol], ops: ops.into_iter() }
    }
}

impl MarketSource for Script {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        START
    }

    fn next(&mut self) -> Option<MarketOp> {
        self.ops.next()
    }
}

pub struct Desk {
    pub venue: Venue,
    pub key: Key,
    /// Frames of the stream connection and events of the API connection, as they came.
    pub streamed: Vec<Value>,
    pub events: Vec<Value>,
    /// The text of every frame of the stream connection.
    pub raw: Vec<String>,
}

impl Desk {
    /// Logged on and subscribed to private events.
    pub fn new(script: &[MarketOp]) -> Self {
        Self::with_limits(script, LimitSettings::default())
    }

    pub fn with_limits(script: &[MarketOp], limits: LimitSettings) -> Self {
        let key = Key::generate();
        let venue = Venue::new(Box::new(Script::new(script)), &[account(&key)], limits, 1).unwrap();
        let mut desk = Self { venue, key, streamed: Vec::new(), events: Vec::new(), raw: Vec::new() };
        assert!(desk.venue.open(API, "/ws-api/v3").is_some());
        let now = desk.now_ms();
        let signature = desk.key.sign(&format!("apiKey={API_KEY}&timestamp={now}"));
        let params = json!({"apiKey": API_KEY, "timestamp": now, "signature": signature});
        assert_eq!(desk.ask("session.logon", params)["status"], 200);
        assert_eq!(desk.ask("userDataStream.subscribe", json!({}))["status"], 200);
        desk
    }

    pub fn now_ms(&self) -> u64 {
        self.venue.now().as_ms()
    }

    /// Sends one request as it is; returns the answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.ask_text(&json!({"id": "q", "method": method, "params": params}).to_string())
    }

    pub fn ask_text(&mut self, text: &str) -> Value {
        self.venue.on_text(API, text);
        let mut answer = Value::Null;
        self.drain(&mut answer);
        answer
    }

    /// Sends a request with the current timestamp.
    pub fn signed(&mut self, method: &str, mut params: Value) -> Value {
        params["timestamp"] = json!(self.now_ms());
        self.ask(method, params)
    }

    pub fn place(&mut self, params: Value) -> Value {
        self.signed("order.place", params)
    }

    /// Runs the market until a time in milliseconds after its start.
    pub fn run_until(&mut self, ms: u64) {
        let end = TsNs(START.0 + ms * 1_000_000);
        while self.venue.next_due() <= end {
            self.venue.step();
        }
        self.venue.set_now(end);
        self.drain(&mut Value::Null);
    }

    fn drain(&mut self, answer: &mut Value) {
        while let Some((conn, frame)) = self.venue.pop_frame() {
            let Frame::Text(text) = frame else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            match conn {
                API if message.get("status").is_some() => *answer = message,
                API => self.events.push(message),
                _ => {
                    self.streamed.push(message);
                    self.raw.push(text);
                }
            }
        }
    }

    pub fn subscribe(&mut self, streams: &str) {
        assert!(self.venue.open(STREAM, &format!("/ws/{streams}")).is_some());
        self.drain(&mut Value::Null);
    }

    /// One REST request: the head and the body.
    pub fn rest(&mut self, method: &str, target: &str) -> (String, Value) {
        let headers = vec![("x-mbx-apikey".to_owned(), API_KEY.to_owned())];
        let request = HttpRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: String::new(),
        };
        self.venue.on_http(9, &request);
        let mut answer = None;
        while let Some((conn, frame)) = self.venue.pop_frame() {
            match frame {
                Frame::Http(bytes) if conn == 9 => answer = Some(String::from_utf8(bytes).unwrap()),
                Frame::Text(text) if conn == API => self.events.push(serde_json::from_str(&text).unwrap()),
                _ => {}
            }
        }
        let answer = answer.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }
}

/// A limit order for the bid side of the book, changed by `with`.
pub fn order(with: Value) -> Value {
    let mut order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                           "price": "99.50", "quantity": "1.00000"});
    for (name, value) in with.as_object().unwrap() {
        if value.is_null() {
            order.as_object_mut().unwrap().remove(name);
        } else {
            order[name] = value.clone();
        }
    }
    order
}
