//! Every fault strikes at every venue, and the truth that a checker reads holds together through all of them.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use aws_lc_rs::hmac;
use common::{API_KEY, Key, START, account, oanda};
use serde_json::{Value, json};
use smc_core::instrument::{Contract, ContractKind};
use smc_core::words::SCALE;
use smc_core::{Price, Qty};
use std::collections::BTreeMap;
use venue_sim::dialect::oanda::{Oanda, OandaSettings};
use venue_sim::dialect::{ConnId, Dialect, Frame, HttpRequest, UsdmVenue, Venue, bybit};
use venue_sim::faults::{Counts, FaultyVenue};
use venue_sim::market::{FxGenerator, FxGeneratorSettings, MarketSource, Merged, PERPETUAL, RandomWalk};
use venue_sim::{AccountSettings, Credential, Fault, FaultPlan, LimitSettings, Truth};

/// Wishes of the client in one run, half a second apart.
const ROUNDS: u64 = 240;
const BYBIT_KEY: &str = "testApiKey0000001";
const BYBIT_SECRET: &str = "testApiSecret000000000000000000000001";

/// One venue, and a client that knows its words.
struct Case {
    name: &'static str,
    venue: fn(&Key) -> Box<dyn Dialect>,
    /// Opens, logs on and subscribes on connections that count up from a number.
    connect: fn(&mut Desk),
    /// One wish: a new order, a cancel, a look at the book.
    act: fn(&mut Desk, u64),
}

const CASES: [Case; 4] = [
    Case { name: "binance-spot", venue: spot, connect: connect_spot, act: act_spot },
    Case { name: "binance-usdm", venue: usdm, connect: connect_usdm, act: act_usdm },
    Case { name: "bybit", venue: bybit, connect: connect_bybit, act: act_bybit },
    Case { name: "oanda", venue: oanda_venue, connect: connect_oanda, act: act_oanda },
];

/// A client's desk at a venue at which things go wrong.
struct Desk {
    venue: FaultyVenue,
    key: Key,
    /// The connections count up from here; others after each disaster.
    base: ConnId,
    /// Everything the venue sent, as text.
    heard: Vec<String>,
    is_cut: bool,
}

impl Desk {
    fn now_ms(&self) -> u64 {
        self.venue.now().as_ms()
    }

    /// Half of the best bid, on the grid of a tenth: an order there rests.
    fn low_price(&self) -> String {
        let book = &self.venue.truth(0).books[0];
        let half = book.bids.first().map_or(SCALE, |(price, _)| price.0 * 9 / 10);
        Price(half - half % (SCALE / 10)).to_string()
    }

    fn say(&mut self, nth: ConnId, message: &Value) {
        self.venue.on_text(self.base + nth, &message.to_string());
        self.drain();
    }

    fn http(&mut self, nth: ConnId, method: &str, target: &str, body: &str, header: (&str, &str)) {
        let (method, target, body) = (method.to_owned(), target.to_owned(), body.to_owned());
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        self.venue.on_http(self.base + nth, &HttpRequest { method, target, headers, body });
        self.drain();
    }

    fn drain(&mut self) {
        while let Some((conn, frame)) = self.venue.pop_frame() {
            self.is_cut |= matches!(frame, Frame::Close | Frame::Torn(..)) && conn > self.base;
            let text = match frame {
                Frame::Text(text) => text,
                Frame::Http(bytes) | Frame::Part(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                other => format!("{other:?}"),
            };
            self.heard.push(format!("{} {text}", conn - self.base.min(conn)));
        }
    }

    /// Drops all connections and makes them anew, nothing going wrong meanwhile.
    fn connect(&mut self, connect: fn(&mut Desk)) {
        (self.base..self.base + 9).for_each(|conn| self.venue.close(conn));
        self.base += 10;
        self.is_cut = false;
        let _ = self.venue.handshake_delay();
        self.venue.hold_faults(true);
        connect(self);
        self.venue.hold_faults(false);
    }
}

/// The venue after a run, and all that it said.
fn run(case: &Case, plan: FaultPlan) -> (Truth, Counts, Vec<String>) {
    let key = Key::generate();
    let venue = FaultyVenue::new((case.venue)(&key), plan);
    let mut desk = Desk { venue, key, base: 0, heard: Vec::new(), is_cut: true };
    for round in 0..ROUNDS {
        if desk.is_cut || round % 40 == 0 {
            desk.connect(case.connect);
        }
        (case.act)(&mut desk, round);
        let until = smc_core::TsNs(desk.venue.now().0 + 500_000_000);
        while desk.venue.next_due() <= until {
            desk.venue.step();
            desk.drain();
        }
        desk.venue.set_now(until);
    }
    (desk.venue.truth(0), *desk.venue.faults().unwrap(), desk.heard)
}

fn spot(key: &Key) -> Box<dyn Dialect> {
    let market = Box::new(RandomWalk::new(7, START, 100_000));
    Box::new(Venue::new(market, &[account(key)], LimitSettings::default(), 1).unwrap())
}

fn usdm(key: &Key) -> Box<dyn Dialect> {
    let market = Box::new(RandomWalk::new(7, START, 100_000));
    Box::new(UsdmVenue::new(market, &[account(key)], LimitSettings::binance_usdm(), 1).unwrap())
}

fn bybit(_: &Key) -> Box<dyn Dialect> {
    let walk = || -> Box<dyn MarketSource> { Box::new(RandomWalk::new(7, START, 100_000)) };
    let both = Merged::new(vec![(walk(), Contract::SPOT), (walk(), PERPETUAL)]);
    let balances = [("BTC", Qty(2 * SCALE)), ("USDT", Qty(100_000 * SCALE))];
    let account = AccountSettings::new(BYBIT_KEY, Credential::Hmac(BYBIT_SECRET.to_owned()), &balances);
    Box::new(bybit::Venue::new(Box::new(both), &[account], LimitSettings::default(), 1).unwrap())
}

fn oanda_venue(_: &Key) -> Box<dyn Dialect> {
    let quotes = FxGenerator::new(FxGeneratorSettings::default()).unwrap();
    Box::new(Oanda::new(OandaSettings::new(Box::new(quotes)), &oanda::accounts(), 1).unwrap())
}

fn log_on(desk: &mut Desk, path: &str) {
    let (conn, now) = (desk.base + 1, desk.now_ms());
    assert!(desk.venue.open(conn, path).is_some());
    let signature = desk.key.sign(&format!("apiKey={API_KEY}&timestamp={now}"));
    let params = json!({"apiKey": API_KEY, "timestamp": now, "signature": signature});
    desk.say(1, &json!({"id": 1, "method": "session.logon", "params": params}));
}

fn connect_spot(desk: &mut Desk) {
    log_on(desk, "/ws-api/v3");
    desk.say(1, &json!({"id": 2, "method": "userDataStream.subscribe"}));
    let conn = desk.base + 2;
    assert!(desk.venue.open(conn, "/ws/btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker").is_some());
    desk.drain();
}

fn connect_usdm(desk: &mut Desk) {
    log_on(desk, "/ws-fapi/v1");
    let from = desk.heard.len();
    desk.say(1, &json!({"id": 2, "method": "userDataStream.start", "params": {"apiKey": API_KEY}}));
    let answer = desk.heard[from..].iter().find_map(|text| text.split_once("\"listenKey\":\"")).unwrap().1;
    let path = format!("/private/ws/{}", answer.split('"').next().unwrap());
    let base = desk.base;
    assert!(desk.venue.open(base + 2, &path).is_some());
    assert!(desk.venue.open(base + 3, "/public/ws/btcusdt@depth@100ms/btcusdt@bookTicker").is_some());
    desk.drain();
}

/// Orders, cancels and looks of both Binance venues.
fn act_binance(desk: &mut Desk, round: u64, depth: &str) {
    let (price, now) = (desk.low_price(), desk.now_ms());
    let call = |method: &str, mut params: Value| {
        (params["symbol"], params["timestamp"]) = (json!("BTCUSDT"), json!(now));
        json!({"id": round, "method": method, "params": params})
    };
    let side = if round % 4 == 1 { "BUY" } else { "SELL" };
    let wish = match round % 3 {
        0 => call(
            "order.place",
            json!({"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": price, "quantity": "0.010",
                   "newClientOrderId": format!("n{round}")}),
        ),
        1 => call("order.place", json!({"side": side, "type": "MARKET", "quantity": "0.002"})),
        _ => call("order.cancel", json!({"origClientOrderId": format!("n{}", round / 6 * 6)})),
    };
    desk.say(1, &wish);
    if round.is_multiple_of(4) {
        desk.http(5, "GET", depth, "", ("host", "localhost"));
    }
}

fn act_spot(desk: &mut Desk, round: u64) {
    act_binance(desk, round, "/api/v3/depth?symbol=BTCUSDT&limit=50");
}

fn act_usdm(desk: &mut Desk, round: u64) {
    act_binance(desk, round, "/fapi/v1/depth?symbol=BTCUSDT&limit=50");
}

fn bybit_signature(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, BYBIT_SECRET.as_bytes());
    hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn connect_bybit(desk: &mut Desk) {
    let (base, expires) = (desk.base, desk.now_ms() + 1_000);
    let signature = bybit_signature(&format!("GET/realtime{expires}"));
    let auth = json!({"op": "auth", "args": [BYBIT_KEY, expires, signature]});
    assert!(desk.venue.open(base + 1, "/v5/trade").is_some());
    assert!(desk.venue.open(base + 2, "/v5/private").is_some());
    assert!(desk.venue.open(base + 3, "/v5/public/linear").is_some());
    desk.say(1, &auth);
    desk.say(2, &auth);
    desk.say(2, &json!({"op": "subscribe", "args": ["order", "execution", "position", "wallet"]}));
    let topics = ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT"];
    desk.say(3, &json!({"op": "subscribe", "args": topics}));
}

fn act_bybit(desk: &mut Desk, round: u64) {
    let (price, now) = (desk.low_price(), desk.now_ms().to_string());
    let ask = |op: &str, mut args: Value| {
        (args["category"], args["symbol"]) = (json!("linear"), json!("BTCUSDT"));
        json!({"reqId": format!("{round}-{now}"), "header": {"X-BAPI-TIMESTAMP": now}, "op": op, "args": [args]})
    };
    let side = if round % 4 == 1 { "Buy" } else { "Sell" };
    let wish = match round % 3 {
        0 => ask(
            "order.create",
            json!({"side": "Buy", "orderType": "Limit", "price": price, "qty": "0.010", "timeInForce": "GTC",
                   "orderLinkId": format!("n{round}")}),
        ),
        1 => ask("order.create", json!({"side": side, "orderType": "Market", "qty": "0.002"})),
        _ => ask("order.cancel", json!({"orderLinkId": format!("n{}", round / 6 * 6)})),
    };
    desk.say(1, &wish);
    if round.is_multiple_of(4) {
        let book = "/v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=50";
        desk.http(5, "GET", book, "", ("host", "localhost"));
    }
}

fn call_oanda(desk: &mut Desk, nth: ConnId, method: &str, path: &str, body: &str) {
    let target = format!("/v3/accounts/{}{path}", oanda::NET);
    desk.http(nth, method, &target, body, ("authorization", &format!("Bearer {}", oanda::TOKEN)));
}

fn connect_oanda(desk: &mut Desk) {
    call_oanda(desk, 2, "GET", "/pricing/stream?instruments=EUR_USD", "");
    call_oanda(desk, 3, "GET", "/transactions/stream", "");
}

fn act_oanda(desk: &mut Desk, round: u64) {
    let order = |order: Value| json!({ "order": order }).to_string();
    let units = if round % 4 == 1 { "100" } else { "-100" };
    match round % 3 {
        0 => {
            let body =
                order(json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "500", "price": "0.90000",
                                    "clientExtensions": {"id": format!("n{round}")}}));
            call_oanda(desk, 1, "POST", "/orders", &body);
        }
        1 => {
            let body = order(json!({"type": "MARKET", "instrument": "EUR_USD", "units": units}));
            call_oanda(desk, 1, "POST", "/orders", &body);
        }
        _ => call_oanda(desk, 1, "PUT", &format!("/orders/@n{}/cancel", round / 6 * 6), ""),
    }
    if round.is_multiple_of(4) {
        call_oanda(desk, 1, "GET", "/pricing?instruments=EUR_USD", "");
    }
}

/// Sums that hold whatever went wrong on the way to the client.
fn check(truth: &Truth, context: &str) {
    let mut filled: BTreeMap<u64, i64> = BTreeMap::new();
    let mut held: BTreeMap<_, i64> = BTreeMap::new();
    let mut names: Vec<_> =
        truth.trades.iter().map(|it| (it.symbol, it.kind as u8, &it.trade_name)).collect();
    for trade in &truth.trades {
        *filled.entry(trade.venue_order_id).or_default() += trade.qty.0;
        *held.entry((trade.symbol, trade.kind as u8)).or_default() += trade.side.sign() * trade.qty.0;
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), truth.trades.len(), "{context}: a trade has a name of its own");
    for order in &truth.orders {
        let sum = filled.remove(&order.venue_order_id).unwrap_or(0);
        assert_eq!(sum, order.filled_qty.0, "{context}: {order:?}");
        assert!(order.filled_qty <= order.qty, "{context}: {order:?}");
    }
    assert!(filled.is_empty(), "{context}: trades without an order: {filled:?}");
    for position in &truth.positions {
        let sum = held.get(&(position.symbol, position.kind as u8)).copied().unwrap_or(0);
        assert_eq!(sum, position.qty.0, "{context}: {position:?}");
        assert_eq!(position.qty == Qty::ZERO, position.entry_price == Price::ZERO, "{context}: {position:?}");
    }
    let is_contract = |trade: &&venue_sim::TrueTrade| trade.kind != ContractKind::Spot;
    assert!(truth.trades.iter().find(is_contract).is_none() || !truth.positions.is_empty(), "{context}");
    assert!(truth.books.iter().all(|book| !book.bids.is_empty() && !book.asks.is_empty()), "{context}");
}

#[test]
fn every_fault_strikes_at_every_venue() {
    let mut missing = Vec::new();
    for case in &CASES {
        for (nth, fault) in Fault::ALL.into_iter().enumerate() {
            // What strikes always would leave nothing to strike at.
            let chance = match fault {
                Fault::Cut | Fault::Maintenance | Fault::LoggedOut | Fault::Shutdown => 20_000,
                Fault::RateLimited | Fault::Banned | Fault::Forbidden => 100_000,
                _ => 300_000,
            };
            let context = format!("{} with {}", case.name, fault.name());
            let (truth, counts, heard) = run(case, FaultPlan::none(nth as u64).with(fault, chance));
            check(&truth, &context);
            assert!(!heard.is_empty() && !truth.orders.is_empty(), "{context}");
            if counts.of(fault) == 0 {
                missing.push(context);
            }
        }
    }
    assert!(missing.is_empty(), "never struck: {missing:?}");
}

#[test]
fn a_seed_goes_wrong_the_same_way_at_every_venue() {
    for case in &CASES {
        for seed in 0..6 {
            let (first, second) =
                (run(case, FaultPlan::from_seed(seed)), run(case, FaultPlan::from_seed(seed)));
            check(&first.0, &format!("{} with seed {seed}", case.name));
            assert_eq!(first.1, second.1, "{} with seed {seed}", case.name);
            // The keys that a venue hands out are the same; only ours differ, and nobody repeats them.
            assert!(first.2 == second.2, "{} with seed {seed}: what was said differs", case.name);
        }
    }
}

#[test]
fn nothing_goes_wrong_without_a_plan() {
    for case in &CASES {
        let (truth, counts, _) = run(case, FaultPlan::none(1));
        check(&truth, case.name);
        assert_eq!(counts, Counts::default(), "{}", case.name);
        assert!(truth.trades.len() > 20, "{}: {} trades", case.name, truth.trades.len());
    }
}
