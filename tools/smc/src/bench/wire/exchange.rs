//! The exchange of a wire run: the simulator until the engine has connected and logged on; from then on its two sockets in
//! the hands of the load generator, which seals what the simulator would say ahead of time and stamps what passes.

use super::engine::Engine;
use super::{Auth, Setup};
use crate::bench::market::Walk;
use crate::failure::Failure;
use crate::sim::{API_KEY, private_dir, private_file};
use smc_core::{Qty, TsNs, words::SCALE};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Instant;
use venue_sim::credentials::{Credentials, Secret};
use venue_sim::dialect::{Dialect, Frame, Venue};
use venue_sim::market::MarketSource;
use venue_sim::{AccountSettings, LimitSettings, Sim, SimSettings, Taken};

const PRESET: &str = include_str!("../../../presets/bench.toml");
const STREAMS: &str = "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms";
const MARKET_PATH: &str = "/stream";
const ORDERS_PATH: &str = "/ws-api";

/// More orders than any venue would take.
const LIMIT: u32 = 4_000_000_000;

/// An order, as it came out of the socket.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The engine's name for it.
    pub client_order_id: String,
    /// When the read that brought it returned.
    pub at: u64,
    /// Bytes on the wire, TLS and all, of the read that brought it.
    pub bytes: usize,
}

/// A market message, sealed.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it lies in the sealed bytes.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// Venue's stamp of the trade it tells, in milliseconds; none for other messages. Every trade has one of its own.
    pub trade_ms: Option<u64>,
}

/// What the market says, from where the simulator stands still.
struct Script {
    venue: Venue,
    ready: VecDeque<String>,
    /// What comes before all that.
    prepared: VecDeque<String>,
}

impl Script {
    /// Thinks out the first messages.
    fn prepare(&mut self, count: usize) {
        let texts = std::iter::from_fn(|| self.next()).take(count);
        let texts = texts.collect();
        self.prepared = texts;
    }

    /// The next message: one trade, one best price and one change of the book in turn.
    fn next(&mut self) -> Option<String> {
        if let Some(text) = self.prepared.pop_front() {
            return Some(text);
        }
        while self.ready.is_empty() {
            if self.venue.is_market_over() {
                return None;
            }
            self.venue.step();
            let mut best = None;
            while let Some((_, frame)) = self.venue.pop_frame() {
                let Frame::Text(text) = frame else { continue };
                // Of the best prices of one step only the last counts.
                if text.contains("bookTicker") {
                    best = Some(text);
                } else {
                    self.ready.push_back(text);
                }
            }
            self.ready.extend(best);
        }
        self.ready.pop_front()
    }
}

/// The venue's end of both connections.
pub struct Exchange {
    sim: Sim,
    market: Taken,
    orders: Taken,
    script: Script,
    buffer: Vec<u8>,
    reply: Vec<u8>,
    /// The market's time at its start, and when that was.
    start: TsNs,
    started: Instant,
    /// Orders since the last slice began.
    pub arrivals: Vec<Arrival>,
    /// Orders ever.
    pub orders_seen: u64,
    /// Requests that were none of those a run makes.
    pub unexpected: Vec<String>,
    next_order_id: u64,
}

impl Exchange {
    /// A venue and an engine that is connected to it and logged on.
    /// The first `prepared` messages are thought out before the engine starts: sealing them is then quick enough that it does
    /// not take the market for silent.
    pub fn open(
        home: &Path,
        setup: &Setup,
        (seed, prepared): (u64, usize),
        prices: &[i64],
    ) -> Result<(Self, Engine), Failure> {
        private_dir(home)?;
        let wrong = |error: &dyn std::fmt::Display| Failure::Wrong(error.to_string());
        let key = Credentials::generate().map_err(|error| wrong(&error))?;
        let secret = Secret::generate().map_err(|error| wrong(&error))?;
        let (credential, key_text) = match setup.auth {
            Auth::Session => (key.credential(), key.private_pem()),
            Auth::Hmac => (secret.credential(), secret.text()),
        };
        let owned = [("USDT", Qty(1_000_000 * SCALE)), ("BTC", Qty(50 * SCALE))];
        let account = AccountSettings::new(API_KEY, credential, &owned);
        let most = u32::MAX;
        let limits = LimitSettings {
            weight_per_minute: most,
            orders_per_10s: most,
            orders_per_day: most,
            orders_per_minute: most,
            ..LimitSettings::default()
        };
        let source = || Walk::along(seed, prices);
        let start = source().start_ts();
        let venue = Venue::new(Box::new(source()), std::slice::from_ref(&account), limits, seed);
        let mut venue = venue.map_err(|error| wrong(&error))?;
        venue.open(1, STREAMS);
        let mut script = Script { venue, ready: VecDeque::new(), prepared: VecDeque::new() };
        script.prepare(prepared);
        let mut settings = SimSettings::new(Box::new(source()), vec![account]);
        (settings.seed, settings.limits, settings.plain) = (seed, limits, setup.transport.is_plain());
        let mut sim = Sim::bind(settings).map_err(|error| wrong(&error))?;
        private_file(&home.join("ca.pem"), sim.ca_pem())?;
        private_file(&home.join("key"), key_text)?;
        let config = config(home, setup, &sim.local_addr().to_string());
        let started = Instant::now();
        let engine = Engine::start(home, &config, || {
            sim.serve_once();
        })?;
        let missing = |what: &str| Failure::No(format!("the engine has no {what} connection"));
        let market = sim.take(MARKET_PATH).ok_or_else(|| missing("market"))?;
        let orders = sim.take(ORDERS_PATH).ok_or_else(|| missing("order"))?;
        let exchange = Self {
            sim,
            market,
            orders,
            script,
            buffer: vec![0; 1 << 18],
            reply: Vec::with_capacity(1 << 14),
            start,
            started,
            arrivals: Vec::with_capacity(1 << 16),
            orders_seen: 0,
            unexpected: Vec::new(),
            next_order_id: 1,
        };
        Ok((exchange, engine))
    }

    /// Seals the next `count` messages into `wire`.
    pub fn seal(&mut self, count: usize, wire: &mut Vec<u8>) -> Result<Vec<Message>, Failure> {
        let mut messages = Vec::with_capacity(count);
        wire.clear();
        for _ in 0..count {
            let Some(text) = self.script.next() else { break };
            let from = wire.len();
            self.market.seal(text.as_bytes(), wire).map_err(|error| Failure::wrong("sealing", error))?;
            messages.push(Message { from, to: wire.len(), trade_ms: trade_ms(&text) });
        }
        Ok(messages)
    }

    /// Gives the market's socket these sealed bytes.
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        crate::bench::echo::write_all(&mut self.market.tcp, bytes)
    }

    /// Looks at the order socket; answers what came. How many orders that was.
    #[inline]
    pub fn poll(&mut self, clock: Instant) -> std::io::Result<u32> {
        let count = match self.orders.tcp.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        };
        let at = clock.elapsed().as_nanos() as u64;
        self.take_orders(count, at)
    }

    fn take_orders(&mut self, bytes: usize, at: u64) -> std::io::Result<u32> {
        let mut asked = Vec::new();
        let read = self.buffer.get(..bytes).unwrap_or_default();
        self.orders.open(read, |text| asked.push(String::from_utf8_lossy(text).into_owned()))?;
        let mut orders = 0;
        self.reply.clear();
        for text in asked {
            let (id, method) = (field(&text, "\"id\":"), field(&text, "\"method\":"));
            let name = field(&text, "\"newClientOrderId\":");
            match (method, name) {
                ("order.place", name) if !name.is_empty() => {
                    orders += 1;
                    self.arrivals.push(Arrival { client_order_id: name.to_owned(), at, bytes });
                    self.expire(id, name, &text)?;
                }
                // It has ended before the cancel came.
                ("order.cancel", _) => {
                    let answer = format!(
                        "{{\"id\":{id},\"status\":400,\"error\":{{\"code\":-2011,\"msg\":\"Unknown order sent.\"}}}}"
                    );
                    self.orders.seal(answer.as_bytes(), &mut self.reply)?;
                }
                // An order of another kind would change what the simulator holds.
                (method, _) if method.starts_with("order.") => self.unexpected.push(text),
                _ => {
                    self.sim.advance(TsNs(self.now_ms() * 1_000_000));
                    for answer in self.sim.answer(&self.orders, &text) {
                        self.orders.seal(answer.as_bytes(), &mut self.reply)?;
                    }
                }
            }
        }
        self.orders_seen += u64::from(orders);
        crate::bench::echo::write_all(&mut self.orders.tcp, &self.reply)?;
        Ok(orders)
    }

    /// What the venue says to an order that finds nothing to take: acknowledged, new, expired.
    fn expire(&mut self, id: &str, name: &str, order: &str) -> std::io::Result<()> {
        let (number, ms) = (self.next_order_id, self.now_ms());
        let count = number % 10_000;
        self.next_order_id += 1;
        let ack = format!(
            "{{\"id\":{id},\"status\":200,\"result\":{{\"symbol\":\"BTCUSDT\",\"orderId\":{number},\"orderListId\":-1,\
             \"clientOrderId\":\"{name}\",\"transactTime\":{ms}}},\"rateLimits\":[{{\"rateLimitType\":\"ORDERS\",\
             \"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":{LIMIT},\"count\":{count}}},{{\"rateLimitType\":\"ORDERS\",\
             \"interval\":\"DAY\",\"intervalNum\":1,\"limit\":{LIMIT},\"count\":{number}}},{{\"rateLimitType\":\"REQUEST_WEIGHT\",\
             \"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":6000,\"count\":80}}]}}"
        );
        self.orders.seal(ack.as_bytes(), &mut self.reply)?;
        let [side, price, qty] = ["\"side\":", "\"price\":", "\"quantity\":"].map(|key| field(order, key));
        for (what, status) in [("NEW", "NEW"), ("EXPIRED", "EXPIRED")] {
            let report = format!(
                "{{\"subscriptionId\":0,\"event\":{{\"e\":\"executionReport\",\"E\":{ms},\"s\":\"BTCUSDT\",\"c\":\"{name}\",\
                 \"S\":\"{side}\",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"{qty}\",\"p\":\"{price}\",\"P\":\"0.00000000\",\
                 \"F\":\"0.00000000\",\"g\":-1,\"C\":\"\",\"x\":\"{what}\",\"X\":\"{status}\",\"r\":\"NONE\",\"i\":{number},\
                 \"l\":\"0.00000000\",\"z\":\"0.00000000\",\"L\":\"0.00000000\",\"n\":\"0\",\"N\":null,\"T\":{ms},\"t\":-1,\
                 \"I\":{number},\"w\":false,\"m\":false,\"M\":false,\"O\":{ms},\"Z\":\"0.00000000\",\"Y\":\"0.00000000\",\
                 \"Q\":\"0.00000000\",\"V\":\"NONE\"}}}}"
            );
            self.orders.seal(report.as_bytes(), &mut self.reply)?;
        }
        Ok(())
    }

    /// Answers what the engine asks by REST; between slices.
    pub fn serve_rest(&mut self) {
        self.sim.advance(TsNs(self.now_ms() * 1_000_000));
        self.sim.serve_once();
    }

    fn now_ms(&self) -> u64 {
        self.start.0 / 1_000_000 + self.started.elapsed().as_millis() as u64
    }
}

/// The stamp of the trade that a message tells.
fn trade_ms(text: &str) -> Option<u64> {
    text.contains("\"e\":\"trade\"").then(|| field(text, "\"T\":").parse().ok()).flatten()
}

/// The value behind a key of a flat text, without its quotes; empty where there is none.
fn field<'a>(text: &'a str, key: &str) -> &'a str {
    let Some((_, rest)) = text.split_once(key) else { return "" };
    let rest = rest.trim_start();
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => rest.split([',', '}', ']']).next().unwrap_or_default(),
    }
}

fn config(home: &Path, setup: &Setup, address: &str) -> String {
    let Setup { topology, .. } = setup;
    let (plain, home) = (setup.transport.is_plain(), home.display());
    // The load generator has the first core.
    let core = if smc_runtime::idle::cores() > 1 { "first_core = 1\n" } else { "" };
    format!(
        "{PRESET}\n[process]\ntopology = \"{topology}\"\nidle = \"{}\"\n{core}unsynced_max_ms = 0\nsnapshot_records = 0\n\n\
         [venue]\nkind = \"binance-spot\"\nmarket = \"{address}\"\norders = \"{address}\"\nrest = \"{address}\"\n\
         ca_file = \"{home}/ca.pem\"\nplain = {plain}\n\n\
         [account]\napi_key = \"{API_KEY}\"\nkey_file = \"{home}/key\"\nrecv_window_ms = 60000\n",
        setup.idle
    )
}
