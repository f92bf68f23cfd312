//! Every request to Bybit that other clients sent: ours says the same, field by field, or is not made, and why. Theirs went
//! over REST; our orders go over the trade socket in the same words.

use super::encode::Encoder;
use super::orders::VenueId;
use super::rest::{Ask, Rest, time, wallet};
use super::settings::Category;
use super::sign::Signer;
use crate::sign::Secret;
use crate::testing::{instrument, lines, order};
use crate::vectors::{Tally, Vector, pairs};
use serde_json::{Map, Value};
use smc_core::output::{NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, Name, Side};

const SYMBOLS: [(&str, &str, &str); 4] = [
    ("BTCUSDT", "0.1", "0.001"),
    ("ADAUSDT", "0.0001", "1"),
    ("LTCUSDT", "0.01", "0.1"),
    ("TRXUSDT", "0.00001", "1"),
];
const ID: u64 = 6_000_000_000_000_001;
const TIME: u64 = 1_700_000_000_000;

/// The order's name, and the number of rows of a page.
const OWN: [&str; 2] = ["orderLinkId", "limit"];
/// What we say and they leave to the venue's default: its value.
const DEFAULTS: [(&str, &str); 4] =
    [("timeInForce", "GTC"), ("positionIdx", "0"), ("triggerBy", "LastPrice"), ("openOnly", "0")];

fn vector(line: &str) -> Vector {
    let row: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let fields = match row["body"].as_str() {
        Some(body) => serde_json::from_str::<Value>(body).unwrap().as_object().unwrap().clone(),
        None => pairs(row["query"].as_str().unwrap_or_default()),
    };
    Vector {
        id: text(&row["id"]),
        call: text(&row["call"]),
        alg: text(&row["secret"]),
        rest: Some((text(&row["method"]), text(&row["path"]))),
        fields,
    }
}

fn category(vector: &Vector) -> Category {
    if vector.text("category") == "spot" { Category::Spot } else { Category::Linear }
}

/// What they wish, in our words.
fn wish(vector: &Vector) -> Result<NewOrder, &'static str> {
    if vector.text("category") == "inverse" {
        return Err("a contract paid in its coin: spot and linear are spoken");
    }
    if ["takeProfit", "stopLoss"].iter().any(|name| vector.has(name)) {
        return Err("exits that the venue attaches: exits are orders of their own");
    }
    if vector.has("smpType") {
        return Err("a way of self-trade prevention: the account's default stands");
    }
    if vector.fields.get("positionIdx").is_some_and(|index| *index != 0) {
        return Err("two positions of an instrument: hedge mode is refused");
    }
    let place = SYMBOLS.iter().position(|row| row.0 == vector.text("symbol")).unwrap();
    let side = if vector.text("side") == "Buy" { Side::Buy } else { Side::Sell };
    let has_trigger = vector.has("triggerPrice");
    let is_rise = vector.fields.get("triggerDirection").is_some_and(|direction| *direction == 1);
    let kind = match (vector.text("orderType"), vector.text("timeInForce"), has_trigger) {
        ("Market", _, true) => return Err("a trigger without a limit: ours have one"),
        ("Limit", _, true) if is_rise != (side == Side::Buy) => {
            return Err("a trigger against the order's side: ours are stops");
        }
        ("Limit", _, true) => OrderKind::StopLimit,
        ("Limit", "PostOnly", false) => OrderKind::LimitMaker,
        ("Limit", _, false) => OrderKind::Limit,
        ("Market", _, false) => OrderKind::Market,
        other => panic!("{}: {other:?}", vector.id),
    };
    let mut wish = order(place as u16, 77);
    (wish.side, wish.kind, wish.qty) = (side, kind, vector.qty("qty"));
    (wish.price, wish.stop_price) = (vector.price("price"), vector.price("triggerPrice"));
    let is_short = vector.text("timeInForce") == "IOC";
    wish.time_in_force = if is_short { TimeInForce::Ioc } else { TimeInForce::Gtc };
    wish.terms.reduce_only = vector.fields.get("reduceOnly").is_some_and(|flag| *flag == true);
    Ok(wish)
}

fn placed(vector: &Vector) -> Result<Map<String, Value>, &'static str> {
    let instruments: Vec<_> =
        (0..).zip(SYMBOLS).map(|(id, (symbol, tick, lot))| instrument(id, symbol, tick, lot)).collect();
    let mut encoder = Encoder::new(category(vector), &instruments, 5_000).unwrap();
    let sent: Value = serde_json::from_slice(encoder.place(ID, TIME, &wish(vector)?).unwrap()).unwrap();
    assert_eq!((&sent["op"], sent["args"].as_array().unwrap().len()), (&"order.create".into(), 1));
    Ok(sent["args"][0].as_object().unwrap().clone())
}

/// A question or a cancel as we ask it over REST.
fn asked(vector: &Vector, rest: &Rest) -> Result<Ask, &'static str> {
    let name = |field: &str| Name::new(vector.text(field)).unwrap_or_default();
    let id = ClientOrderId::new(7, 1, 1);
    Ok(match vector.rest.as_ref().unwrap().1.as_str() {
        "/v5/order/realtime" if vector.has("settleCoin") => {
            rest.open_orders(Some(name("settleCoin")), vector.text("cursor"))
        }
        "/v5/order/history" if vector.has("orderLinkId") => rest.past_order(name("symbol"), id),
        "/v5/position/list" if vector.has("settleCoin") => rest.positions(name("settleCoin"), ""),
        "/v5/account/wallet-balance" if !vector.has("coin") => wallet(),
        "/v5/market/time" => time(),
        "/v5/order/cancel" if vector.has("clientOrderId") => {
            return Err("a client's mistake: the venue's field is another");
        }
        "/v5/order/cancel" if vector.has("orderFilter") => {
            return Err("a filter that is the default: not said");
        }
        "/v5/order/cancel" => {
            rest.cancel_foreign(name("symbol"), &VenueId::new(vector.text("orderId")).unwrap())
        }
        "/v5/order/cancel-all" if !vector.has("orderFilter") => rest.cancel_all(name("symbol")),
        "/v5/order/cancel-all" => return Err("a cancel of some kinds: ours are of one order or of all"),
        "/v5/order/realtime" | "/v5/order/history" | "/v5/position/list" => {
            return Err("a list by symbol or time: ours are by order or by settlement coin");
        }
        "/v5/execution/list" => return Err("fills by symbol and time: ours are by order or of all"),
        "/v5/account/wallet-balance" => return Err("balances of some coins: ours are of all"),
        "/v5/account/info" => return Err("the account's kind: the key's rights are asked"),
        "/v5/order/amend" => return Err("an amendment: an order is cancelled and made anew"),
        "/v5/order/create-batch" | "/v5/order/cancel-batch" => return Err("a batch: ours go one by one"),
        "/v5/position/set-leverage" | "/v5/position/switch-mode" | "/v5/position/trading-stop" => {
            return Err("a setting of a position: a person's");
        }
        path if path.starts_with("/v5/market/") => return Err("market data: the feed asks"),
        path => panic!("{}: {path}", vector.id),
    })
}

fn ours(vector: &Vector) -> Result<Map<String, Value>, &'static str> {
    let (method, path) = vector.rest.as_ref().unwrap();
    if path == "/v5/order/create" {
        return placed(vector);
    }
    let secret = if vector.alg.is_empty() { "test_secret" } else { &vector.alg };
    let rest = Rest {
        category: category(vector),
        api_key: "testApiKey0000001".to_owned(),
        signer: Signer::new(&Secret::new(secret)).unwrap(),
        recv_window_ms: 5_000,
    };
    let ask = asked(vector, &rest)?;
    let call = rest.call(1, &ask, TIME);
    assert_eq!((&format!("{:?}", call.method).to_uppercase(), ask.path), (method, &**path), "{}", vector.id);
    let sign = call.headers.iter().find(|(name, _)| name == "X-BAPI-SIGN").map(|(_, sign)| sign.clone());
    assert_eq!(sign, Some(rest.signer.rest(TIME, &rest.api_key, 5_000, &ask.text)));
    Ok(match call.body.is_empty() {
        true => pairs(call.path.split_once('?').map_or("", |(_, query)| query)),
        false => serde_json::from_slice(&call.body).unwrap(),
    })
}

#[test]
fn every_request_equals_theirs_field_by_field_or_is_not_ours() {
    let mut tally = Tally::default();
    for vector in lines("data/bybit/request_vectors.jsonl").iter().map(|line| vector(line)) {
        tally.count(ours(&vector).map(|ours| {
            for (name, value) in ours.iter().filter(|(name, _)| !vector.has(name)) {
                let default = DEFAULTS.iter().find(|row| row.0 == name).map(|row| row.1.to_owned());
                let is_default = default == Some(crate::vectors::plain(value));
                assert!(is_default || OWN.contains(&name.as_str()), "{}: {name}: {value}", vector.id);
            }
            vector.assert_equal(&ours, &OWN, &DEFAULTS.map(|row| row.0));
        }));
    }
    let not_ours = [
        ("a batch: ours go one by one", 4),
        ("a cancel of some kinds: ours are of one order or of all", 1),
        ("a client's mistake: the venue's field is another", 1),
        ("a contract paid in its coin: spot and linear are spoken", 1),
        ("a filter that is the default: not said", 1),
        ("a list by symbol or time: ours are by order or by settlement coin", 5),
        ("a setting of a position: a person's", 6),
        ("a trigger against the order's side: ours are stops", 1),
        ("a trigger without a limit: ours have one", 1),
        ("a way of self-trade prevention: the account's default stands", 1),
        ("an amendment: an order is cancelled and made anew", 2),
        ("balances of some coins: ours are of all", 1),
        ("exits that the venue attaches: exits are orders of their own", 3),
        ("fills by symbol and time: ours are by order or of all", 2),
        ("market data: the feed asks", 8),
        ("the account's kind: the key's rights are asked", 1),
        ("two positions of an instrument: hedge mode is refused", 2),
    ];
    tally.expect("bybit/request_vectors", 14, &not_ours);
}
