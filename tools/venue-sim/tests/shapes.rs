//! What the simulator writes has the same keys as what the live venue's documents and captures show.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::corpus;
use common::desk::{Desk, order, trade};
use serde_json::{Value, json};
use smc_core::Side;
use std::collections::BTreeSet;

/// The sample messages of a file of the corpus that `wanted` accepts.
fn samples(file: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let text = corpus(file).unwrap_or_default();
    let raw = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        serde_json::from_str::<Value>(line["raw"].as_str().unwrap()).unwrap()
    };
    let found: Vec<Value> = text.lines().map(raw).filter(wanted).collect();
    assert!(text.is_empty() || !found.is_empty(), "no such sample in {file}");
    found
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The same keys, apart from those named, and the same JSON type under each.
fn check(ours: &Value, sample: Option<&Value>, apart_from: &[&str]) {
    let Some(sample) = sample else { return };
    let without = |value: &Value| {
        let mut all = keys(value);
        for key in apart_from {
            all.remove(*key);
        }
        all
    };
    assert_eq!(without(ours), without(sample), "\nours   {ours}\nsample {sample}");
    for key in without(sample) {
        let (our, theirs) = (&ours[&key], &sample[&key]);
        let is_nullable = our.is_null() || theirs.is_null();
        assert!(is_nullable || kind(our) == kind(theirs), "{key}: ours {our}, sample {theirs}");
    }
}

fn result_sample(method: &str, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    samples(&format!("spot/wsapi/{method}.response.jsonl"), |m| wanted(&m["result"])).into_iter().next()
}

#[test]
fn answers_to_new_orders() {
    let mut desk = Desk::new(&[]);
    for (response, is_it) in [
        ("ACK", (|r: &Value| r["orderId"].is_u64() && r.get("status").is_none()) as fn(&Value) -> bool),
        ("RESULT", |r| r["status"].is_string() && r.get("fills").is_none()),
        ("FULL", |r| r.get("fills").is_some()),
    ] {
        let market =
            json!({"type": "MARKET", "price": null, "timeInForce": null, "newOrderRespType": response});
        let answer = desk.place(order(market));
        // The WebSocket document's FULL example predates self-trade prevention; REST's has it.
        let rest = || samples("spot/rest/POST_api_v3_order.jsonl", is_it).into_iter().next();
        let sample = if response == "FULL" {
            rest().map(|r| json!({ "result": r }))
        } else {
            result_sample("order.place", is_it)
        };
        check(&answer["result"], sample.as_ref().map(|s| &s["result"]), &[]);
        if response == "FULL" {
            check(&answer["result"]["fills"][0], sample.as_ref().map(|s| &s["result"]["fills"][0]), &[]);
        }
        let sample = result_sample("order.place", |r| r["status"] == "NEW");
        check(&answer, sample.as_ref(), &[]);
        check(&answer["rateLimits"][0], sample.as_ref().map(|s| &s["rateLimits"][0]), &[]);
    }
}

#[test]
fn answers_to_cancels_and_queries() {
    // Fields of features that the simulator does not offer.
    let other = ["trailingDelta", "trailingTime", "icebergQty", "strategyId", "strategyType", "stopPrice"];
    let prevented = ["preventedMatchId", "preventedQuantity"];
    let mut desk = Desk::new(&[]);
    let id = desk.place(order(json!({})))["result"]["orderId"].clone();
    let answer = desk.signed("openOrders.status", json!({"symbol": "BTCUSDT"}));
    let sample = result_sample("openOrders.status", |r| r.is_array());
    check(&answer["result"][0], sample.as_ref().map(|s| &s["result"][0]), &[]);
    let answer = desk.signed("order.status", json!({"symbol": "BTCUSDT", "orderId": id}));
    let sample = result_sample("order.status", |r| r["orderId"].is_u64());
    let apart = [&other[..], &prevented].concat();
    check(&answer["result"], sample.as_ref().map(|s| &s["result"]), &apart);
    let sample = samples("spot/rest/GET_api_v3_order.jsonl", |_| true).into_iter().next();
    check(&answer["result"], sample.as_ref(), &[]);
    let answer = desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "orderId": id}));
    let sample = result_sample("order.cancel", |r| r["orderId"].is_u64());
    check(&answer["result"], sample.as_ref().map(|s| &s["result"]), &other);
    desk.place(order(json!({})));
    let answer = desk.signed("openOrders.cancelAll", json!({"symbol": "BTCUSDT"}));
    let sample = result_sample("openOrders.cancelAll", |r| r.is_array());
    check(&answer["result"][0], sample.as_ref().map(|s| &s["result"][0]), &other);
    let answer = desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "orderId": 1}));
    let sample = samples("spot/wsapi/error.jsonl", |m| m["rateLimits"].is_array()).into_iter().next();
    check(&answer, sample.as_ref(), &[]);
    check(&answer["error"], sample.as_ref().map(|s| &s["error"]), &[]);
}

#[test]
fn order_lists() {
    let mut desk = Desk::new(&[trade(1, Side::Sell, "100", "1")]);
    desk.run_until(1);
    let pair = json!({"symbol": "BTCUSDT", "side": "SELL", "quantity": "1.00000", "aboveType": "LIMIT_MAKER",
                      "abovePrice": "103.00", "belowType": "STOP_LOSS_LIMIT", "belowPrice": "97.00",
                      "belowStopPrice": "98.00", "belowTimeInForce": "GTC", "newOrderRespType": "RESULT"});
    let placed = desk.signed("orderList.place.oco", pair)["result"].clone();
    let sample = samples("spot/user/listStatus.jsonl", |_| true).into_iter().next();
    let sample = sample.as_ref().map(|s| &s["event"]);
    let ours = desk.events.iter().find(|m| m["event"]["e"] == "listStatus").unwrap();
    check(&ours["event"], sample, &[]);
    check(&ours["event"]["O"][0], sample.map(|s| &s["O"][0]), &[]);
    let id = placed["orderListId"].clone();
    let answer = desk.signed("orderList.cancel", json!({"symbol": "BTCUSDT", "orderListId": id}));
    let sample = result_sample("order.cancel", |r| r["orderReports"].is_array());
    let sample = sample.as_ref().map(|s| &s["result"]);
    check(&answer["result"], sample, &[]);
    check(&answer["result"]["orders"][0], sample.map(|s| &s["orders"][0]), &[]);
    for at in [0, 1] {
        check(&answer["result"]["orderReports"][at], sample.map(|s| &s["orderReports"][at]), &[]);
    }
    // The list that is placed has the keys of one that is cancelled; its orders say since when they work.
    check(&placed, sample, &[]);
    let working = |row: &Value| row["workingTime"].clone();
    assert_eq!(working(&placed["orderReports"][0]), json!(-1));
    assert!(working(&placed["orderReports"][1]).is_u64());
}

#[test]
fn lists_of_own_trades() {
    let mut desk = Desk::new(&[]);
    let market = json!({"type": "MARKET", "price": null, "timeInForce": null, "newOrderRespType": "FULL"});
    desk.place(order(market));
    let answer = desk.signed("myTrades", json!({"symbol": "BTCUSDT"}));
    let sample = result_sample("myTrades", |r| r.is_array());
    check(&answer, sample.as_ref(), &[]);
    check(&answer["result"][0], sample.as_ref().map(|s| &s["result"][0]), &[]);
}

#[test]
fn answers_about_accounts_sessions_and_symbols() {
    let mut desk = Desk::new(&[]);
    let answer = desk.signed("account.status", json!({}));
    let sample = result_sample("account.status", |r| r.is_object());
    let sample = sample.as_ref().map(|s| &s["result"]);
    check(&answer["result"], sample, &[]);
    check(&answer["result"]["commissionRates"], sample.map(|s| &s["commissionRates"]), &[]);
    check(&answer["result"]["balances"][0], sample.map(|s| &s["balances"][0]), &[]);
    let answer = desk.ask("session.status", json!({}));
    let sample = result_sample("session.status", |r| r.is_object());
    check(&answer["result"], sample.as_ref().map(|s| &s["result"]), &[]);
    let answer = desk.ask("exchangeInfo", json!({"symbols": ["BTCUSDT"]}));
    let sample = result_sample("exchangeInfo", |r| r.is_object());
    let sample = sample.as_ref().map(|s| &s["result"]);
    check(&answer["result"], sample, &["sors"]);
    check(&answer["result"]["symbols"][0], sample.map(|s| &s["symbols"][0]), &[]);
    check(&answer["result"]["rateLimits"][0], sample.map(|s| &s["rateLimits"][0]), &[]);
    for filter in answer["result"]["symbols"][0]["filters"].as_array().unwrap() {
        let name = &filter["filterType"];
        let sample = samples("spot/rest/filter.jsonl", |m| m["filterType"] == *name).into_iter().next();
        check(filter, sample.as_ref(), &[]);
    }
    let answer = desk.signed("account.rateLimits.orders", json!({}));
    let sample = result_sample("account.rateLimits.orders", |r| r.is_array());
    check(&answer["result"][0], sample.as_ref().map(|s| &s["result"][0]), &[]);
    let (_, body) = desk.rest("GET", "/api/v3/ticker/bookTicker?symbol=BTCUSDT");
    let sample = samples("spot/rest/GET_api_v3_ticker_bookTicker.jsonl", Value::is_object).into_iter().next();
    check(&body, sample.as_ref(), &[]);
    let (_, body) = desk.rest("GET", "/api/v3/depth?symbol=BTCUSDT");
    let sample = samples("spot/rest/GET_api_v3_depth.jsonl", |_| true).into_iter().next();
    check(&body, sample.as_ref(), &[]);
}

#[test]
fn private_events() {
    let script = [trade(1, Side::Sell, "99.5", "0.4")];
    let mut desk = Desk::new(&script);
    desk.place(order(json!({})));
    desk.run_until(1);
    let sample = samples("spot/user/executionReport.jsonl", |m| m["event"]["x"] == "NEW").into_iter().next();
    for word in ["NEW", "TRADE"] {
        let ours = desk.events.iter().find(|m| m["event"]["x"] == word).unwrap();
        check(ours, sample.as_ref(), &[]);
        // The document's sample carries `v`, which belongs to self-trade prevention.
        check(&ours["event"], sample.as_ref().map(|s| &s["event"]), &["v"]);
    }
    let ours = desk.events.iter().find(|m| m["event"]["e"] == "outboundAccountPosition").unwrap();
    let sample =
        samples("spot/user/outboundAccountPosition.jsonl", |m| m.get("event").is_some()).into_iter().next();
    check(ours, sample.as_ref(), &[]);
    check(&ours["event"], sample.as_ref().map(|s| &s["event"]), &[]);
    check(&ours["event"]["B"][0], sample.as_ref().map(|s| &s["event"]["B"][0]), &[]);
    desk.ask("session.logout", json!({}));
    let ours = desk.events.last().unwrap();
    let sample = samples("spot/user/eventStreamTerminated.jsonl", |_| true).into_iter().next();
    check(&ours["event"], sample.as_ref().map(|s| &s["event"]), &[]);
}

#[test]
fn stream_events() {
    let script = [trade(1, Side::Sell, "100", "1"), trade(3_000, Side::Sell, "100", "1")];
    let mut desk = Desk::new(&script);
    desk.subscribe(
        "btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@kline_1m/btcusdt@depth5",
    );
    desk.place(order(json!({})));
    desk.run_until(5_000);
    let ours = |is_it: &dyn Fn(&Value) -> bool| desk.streamed.iter().find(|m| is_it(m)).cloned().unwrap();
    // Captures come in an envelope; the event is the same.
    let bare = |m: Value| if m.get("data").is_some() { m["data"].clone() } else { m };
    let capture =
        |file: &str| samples(&format!("spot/stream/{file}.jsonl"), |_| true).into_iter().next().map(bare);
    for name in ["trade", "aggTrade", "depthUpdate", "kline"] {
        let ours = ours(&|m| m["e"] == name);
        check(&ours, capture(name).as_ref(), &[]);
        if name == "kline" {
            check(&ours["k"], capture(name).as_ref().map(|s| &s["k"]), &[]);
        }
    }
    check(&ours(&|m| m.get("B").is_some()), capture("bookTicker").as_ref(), &[]);
    check(&ours(&|m| m.get("bids").is_some()), capture("partialDepth").as_ref(), &[]);
}

/// The keys of an object in the order in which they stand in its text.
struct KeyOrder(Vec<String>);

impl<'de> serde::Deserialize<'de> for KeyOrder {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = KeyOrder;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<KeyOrder, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                    keys.push(key);
                }
                Ok(KeyOrder(keys))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Scanners made for the live venue's bytes rely on its key order, so the captured events set it.
#[test]
fn stream_events_keep_the_captured_key_order() {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    let script = [trade(1, Side::Sell, "100", "1")];
    let mut desk = Desk::new(&script);
    desk.subscribe("btcusdt@trade/btcusdt@aggTrade/btcusdt@bookTicker/btcusdt@depth@100ms/btcusdt@kline_1m");
    desk.place(order(json!({})));
    desk.run_until(5_000);
    for (file, mark) in [
        ("trade", "\"e\":\"trade\""),
        ("aggTrade", "\"e\":\"aggTrade\""),
        ("depthUpdate", "\"e\":\"depthUpdate\""),
        ("kline", "\"e\":\"kline\""),
        ("bookTicker", "\"B\":"),
    ] {
        let Some(text) = corpus(&format!("spot/stream/{file}.jsonl")) else { return };
        let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let capture: Envelope<'_> = serde_json::from_str(line["raw"].as_str().unwrap()).unwrap();
        let order = |text: &str| serde_json::from_str::<KeyOrder>(text).unwrap().0;
        let ours = desk.raw.iter().find(|text| text.contains(mark)).unwrap();
        assert_eq!(order(ours), order(capture.data.get()), "{file}");
    }
}
