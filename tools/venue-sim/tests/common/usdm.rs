//! A futures venue without sockets, and a client's desk at it.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use super::desk::Script;
use super::{API_KEY, Key, START};
use serde_json::{Value, json};
use smc_core::words::SCALE;
use smc_core::{Qty, TsNs};
use venue_sim::dialect::{Dialect, Frame, HttpRequest, UsdmVenue};
use venue_sim::market::MarketOp;
use venue_sim::{AccountSettings, Credential, LimitSettings};

pub const API: u64 = 1;
pub const PRIVATE: u64 = 2;
const REST: u64 = 9;

/// Logged on to the WebSocket API, listening to private events; every other connection's frames go to `streamed`.
pub struct Desk {
    pub venue: UsdmVenue,
    pub key: Key,
    pub listen_key: String,
    pub events: Vec<Value>,
    pub streamed: Vec<(u64, Value)>,
    /// The text of every frame of streams and events.
    pub raw: Vec<String>,
}

impl Desk {
    /// With 10,000 USDT and the script's market (see [`Script`]).
    pub fn new(script: &[MarketOp]) -> Self {
        Self::with(script, "10000", LimitSettings::binance_usdm())
    }

    pub fn with(script: &[MarketOp], usdt: &str, limits: LimitSettings) -> Self {
        let key = Key::generate();
        let balances = [("USDT", Qty::parse(usdt.as_bytes()).unwrap()), ("BNB", Qty(SCALE))];
        let account = AccountSettings {
            maker_fee_bps: 2,
            taker_fee_bps: 5,
            ..AccountSettings::new(API_KEY, Credential::Ed25519(key.public()), &balances)
        };
        let venue = UsdmVenue::new(Box::new(Script::new(script)), &[account], limits, 1).unwrap();
        let mut desk =
            Self { venue, key, listen_key: String::new(), events: vec![], streamed: vec![], raw: vec![] };
        assert!(desk.venue.open(API, "/ws-fapi/v1").is_some());
        let now = desk.now_ms();
        let signature = desk.key.sign(&format!("apiKey={API_KEY}&timestamp={now}"));
        let params = json!({"apiKey": API_KEY, "timestamp": now, "signature": signature});
        assert_eq!(desk.ask("session.logon", params)["status"], 200);
        let started = desk.ask("userDataStream.start", json!({"apiKey": API_KEY}));
        desk.listen_key = started["result"]["listenKey"].as_str().unwrap().to_owned();
        assert!(desk.venue.open(PRIVATE, &format!("/private/ws/{}", desk.listen_key)).is_some());
        desk
    }

    pub fn now_ms(&self) -> u64 {
        self.venue.now().as_ms()
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.venue.on_text(API, &json!({"id": "q", "method": method, "params": params}).to_string());
        let mut answer = Value::Null;
        self.drain(&mut answer);
        answer
    }

    /// Sends a request with the current timestamp.
    pub fn signed(&mut self, method: &str, mut params: Value) -> Value {
        params["timestamp"] = json!(self.now_ms());
        self.ask(method, params)
    }

    pub fn place(&mut self, with: Value) -> Value {
        self.signed("order.place", order(with))
    }

    /// Code of the refusal of a new order; zero when it was taken.
    pub fn refusal(&mut self, with: Value) -> i64 {
        self.place(with)["error"]["code"].as_i64().unwrap_or(0)
    }

    /// Opens a stream connection.
    pub fn open(&mut self, conn: u64, target: &str) {
        assert!(self.venue.open(conn, target).is_some(), "{target}");
        self.drain(&mut Value::Null);
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
            let text = match frame {
                Frame::Text(text) => text,
                Frame::Http(bytes) => {
                    *answer = Value::String(String::from_utf8(bytes).unwrap());
                    continue;
                }
                _ => continue,
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            match conn {
                API if message.get("status").is_some() => *answer = message,
                PRIVATE => self.events.push(message),
                _ => self.streamed.push((conn, message)),
            }
            self.raw.push(text);
        }
    }

    /// One REST request, signed when `query` is given: the head and the body.
    pub fn rest(&mut self, method: &str, path: &str, query: Option<&str>) -> (String, Value) {
        let target = match query {
            None => path.to_owned(),
            Some(query) => {
                let separator = if query.is_empty() { "" } else { "&" };
                let payload = format!("{query}{separator}timestamp={}", self.now_ms());
                let signature = self.key.sign(&payload);
                let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
                format!("{path}?{payload}&signature={signature}")
            }
        };
        let headers = vec![("x-mbx-apikey".to_owned(), API_KEY.to_owned())];
        let request = HttpRequest { method: method.to_owned(), target, headers, ..HttpRequest::default() };
        self.venue.on_http(REST, &request);
        let mut answer = Value::Null;
        self.drain(&mut answer);
        let answer = answer.as_str().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    /// The body of a signed request that succeeds.
    pub fn get(&mut self, path: &str, query: &str) -> Value {
        let (head, body) = self.rest("GET", path, Some(query));
        assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
        body
    }

    /// The events of a kind, oldest first.
    pub fn events_of(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["e"] == kind).collect()
    }
}

/// A limit order for the bid side of the book, changed by `with`; null takes a key away.
pub fn order(with: Value) -> Value {
    let mut order = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                           "price": "99.50", "quantity": "1"});
    for (name, value) in with.as_object().unwrap() {
        if value.is_null() {
            order.as_object_mut().unwrap().remove(name);
        } else {
            order[name] = value.clone();
        }
    }
    order
}

/// What turns the limit order of [`order`] into a market order.
pub fn market(with: Value) -> Value {
    let mut order = json!({"type": "MARKET", "price": null, "timeInForce": null});
    for (name, value) in with.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}
