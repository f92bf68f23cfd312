//! Every key of the recorded answers is in ours with its type; requests that others' clients made are understood.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::oanda::{Desk, EUR_USD, NET, TOKEN, halted, quote};
use common::shared;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use venue_sim::dialect::HttpRequest;

/// Recorded messages of a file by their ids.
fn samples(file: &str) -> BTreeMap<String, Value> {
    let Some(text) = shared(&format!("oanda/{file}.jsonl")) else { return BTreeMap::new() };
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["id"].as_str().unwrap().to_owned(), line["msg"].clone())).collect()
}

/// Names that clients give, and what stands in for values that the corpus does not tell.
fn is_free(path: &str, sample: &Value) -> bool {
    path.ends_with("xtensions")
        || path.contains("xtensionsModify")
        || sample.as_str().is_some_and(|it| it.starts_with('<'))
}

/// Every key of the sample with its type; of lists the first element that both have.
fn check(ours: &Value, sample: &Value, path: &str, optional: &[&str]) {
    let is_alike = match (ours, sample) {
        (Value::Object(mine), Value::Object(theirs)) => {
            for (key, value) in theirs {
                let path = format!("{path}/{key}");
                if is_free(&path, value) || optional.contains(&key.as_str()) {
                    continue;
                }
                let Some(found) = mine.get(key) else { panic!("{path} is missing in {ours}") };
                check(found, value, &path, optional);
            }
            true
        }
        (Value::Array(mine), Value::Array(theirs)) => {
            if let (Some(mine), Some(theirs)) = (mine.first(), theirs.first()) {
                check(mine, theirs, &format!("{path}/0"), optional);
            }
            true
        }
        (Value::String(mine), Value::String(theirs)) => {
            let is_number = |text: &str| text.parse::<f64>().is_ok();
            !is_number(theirs) || is_number(mine)
        }
        (mine, theirs) => std::mem::discriminant(mine) == std::mem::discriminant(theirs),
    };
    assert!(is_alike, "{path}: {ours} is not of the type of {sample}");
}

/// Compares one of our answers with recorded ones; `ids` are those of one file.
fn compare(file: &str, ids: &[u8], ours: &Value, optional: &[&str]) {
    let samples = samples(file);
    for number in ids {
        let id = format!("{file}-{number:02}");
        if let Some(sample) = samples.get(&id) {
            check(ours, sample, &id, optional);
        }
    }
}

fn limit(price: &str) -> Value {
    json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "-100", "price": price,
           "stopLossOnFill": {"price": "1.42", "timeInForce": "GTC"}, "clientExtensions": {"id": "a", "comment": "b"}})
}

fn market(units: &str) -> Value {
    json!({"type": "MARKET", "instrument": "EUR_USD", "units": units, "clientExtensions": {"id": "id", "tag": "tag"}})
}

#[test]
fn accounts_and_changes() {
    let mut desk = Desk::new(&[]);
    let (_, all) = desk.send(&Desk::request("GET", "/v3/accounts", ""));
    compare("rest_accounts", &[1], &all, &[]);
    desk.place(market("100"));
    desk.place(limit("1.20"));
    let (status, _) = desk.call("PUT", "/orders/@a", json!({"order": limit("1.21")}));
    assert_eq!(status, 201);
    compare("rest_accounts", &[2], &desk.get(""), &["tradeIDs", "averagePrice"]);
    compare("rest_accounts", &[3, 6, 7], &desk.get("/summary"), &[]);
    let since = desk.get("/summary")["lastTransactionID"].as_str().unwrap().to_owned();
    desk.place(json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "-100", "price": "1.20",
                      "stopLossOnFill": {"price": "1.22"}}));
    let changes = desk.get(&format!("/changes?sinceTransactionID={since}"));
    compare("rest_account_changes", &[1], &changes, &[]);
    assert_eq!(changes["changes"]["transactions"].as_array().unwrap().len(), 1);
    let (status, configured) = desk.call("PATCH", "/configuration", json!({"marginRate": "0.05"}));
    assert_eq!(status, 200);
    compare("rest_accounts", &[4, 5], &configured, &[]);
}

#[test]
fn prices_candles_and_instruments() {
    let mut desk = Desk::new(&[
        quote(61_000, EUR_USD, "1.10000", "1.10010", 1_000),
        halted(62_000, EUR_USD, "1.10000", "1.10010"),
    ]);
    compare("rest_pricing", &[1, 2], &desk.get("/pricing?instruments=EUR_USD%2CUSD_JPY"), &[]);
    compare("rest_instruments", &[1, 2], &desk.get("/instruments"), &[]);
    desk.run_until(65_000);
    compare("rest_candles", &[1], &desk.get("/instruments/EUR_USD/candles?granularity=M1"), &[]);
    compare("rest_candles", &[2], &desk.get("/instruments/EUR_USD/candles?granularity=D&price=A"), &[]);
    let (status, body) = desk.call("GET", "/instruments/EUR_USD/candles?count=5001", Value::Null);
    assert_eq!(status, 400);
    compare("rest_errors", &[7], &body, &[]);
}

#[test]
fn streams() {
    let mut desk = Desk::new(&[halted(1_000, EUR_USD, "1.10000", "1.10010")]);
    desk.stream("/pricing/stream?instruments=EUR_USD&snapshot=True");
    desk.run_until(6_000);
    let [live, closed, beat] = [0, 1, 2].map(|at| desk.lines[at].1.clone());
    compare("stream_pricing", &[1, 3, 4, 5], &live, &[]);
    compare("stream_pricing", &[7], &closed, &[]);
    compare("stream_pricing", &[2, 6], &beat, &[]);
    assert_eq!(closed["tradeable"], false);
    let mut desk = Desk::new(&[]);
    desk.stream("/transactions/stream");
    desk.run_until(6_000);
    compare("stream_transactions", &[1, 2, 3, 4], &desk.lines[0].1, &[]);
}

#[test]
fn orders() {
    let mut desk = Desk::new(&[]);
    let waiting = desk.place(limit("1.20"));
    compare("rest_order_create", &[1], &waiting, &[]);
    let (_, renamed) =
        desk.call("PUT", "/orders/@a/clientExtensions", json!({"clientExtensions": {"id": "b"}}));
    compare("rest_order_replace", &[2, 3], &renamed, &[]);
    let (_, replaced) = desk.call("PUT", "/orders/@b", json!({"order": limit("1.25")}));
    compare("rest_order_replace", &[1, 4], &replaced, &[]);
    compare("rest_orders", &[1], &desk.get("/orders"), &["replacesOrderID"]);
    compare("rest_orders", &[2], &desk.get("/orders/@a"), &[]);
    let (_, cancelled) = desk.call("PUT", "/orders/@a/cancel", Value::Null);
    compare("rest_order_cancel", &[1], &cancelled, &[]);
    compare("rest_order_create", &[2], &desk.place(market("100")), &[]);
    compare(
        "rest_order_create",
        &[4],
        &desk.place(json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "2", "price": "1.2",
        "takeProfitOnFill": {"price": "1.3"}, "stopLossOnFill": {"price": "1.0"}})),
        &[],
    );
    compare(
        "rest_order_create",
        &[5],
        &desk.place(json!({"type": "LIMIT", "instrument": "USD_JPY", "units": "-1", "price": "101"})),
        &[],
    );
    let trade = desk.get("/openTrades")["trades"].as_array().unwrap().last().unwrap()["id"].clone();
    compare(
        "rest_order_create",
        &[3],
        &desk.place(
            json!({"type": "STOP_LOSS", "tradeID": trade, "price": "1.05", "clientExtensions": {"id": "s"}}),
        ),
        &[],
    );
    let touched =
        json!({"type": "MARKET_IF_TOUCHED", "instrument": "EUR_USD", "units": "101", "price": "1.2"});
    let touched = desk.place(touched)["orderCreateTransaction"]["id"].as_str().unwrap().to_owned();
    compare("rest_orders", &[3], &desk.get(&format!("/orders/{touched}")), &[]);
    desk.place(market("-100"));
    // The newest of all is a market order that closed a trade.
    compare("rest_orders", &[4], &desk.get("/orders?state=ALL"), &["positionFill"]);
}

#[test]
fn trades_and_positions() {
    let mut desk = Desk::new(&[]);
    desk.place(json!({"type": "MARKET", "instrument": "EUR_USD", "units": "100", "stopLossOnFill": {"price": "1.0"}}));
    compare("rest_trades", &[1, 5], &desk.get("/trades"), &[]);
    compare("rest_trades", &[2, 6], &desk.get("/openTrades"), &[]);
    let trade = desk.get("/openTrades")["trades"][0]["id"].as_str().unwrap().to_owned();
    compare("rest_trades", &[3], &desk.get(&format!("/trades/{trade}")), &[]);
    let (_, renamed) = desk.call(
        "PUT",
        &format!("/trades/{trade}/clientExtensions"),
        json!({"clientExtensions": {"id": "t"}}),
    );
    compare("rest_trade_orders", &[1], &renamed, &[]);
    let (_, closed) = desk.call("PUT", &format!("/trades/{trade}/close"), json!({"units": "2"}));
    compare("rest_trade_close", &[2], &closed, &[]);
    compare("rest_trades", &[4], &desk.get(&format!("/trades/{trade}")), &[]);
    compare("rest_positions", &[1, 4], &desk.get("/positions"), &["tradeIDs", "averagePrice"]);
    compare("rest_positions", &[2], &desk.get("/openPositions"), &["tradeIDs", "averagePrice"]);
    compare("rest_positions", &[3], &desk.get("/positions/EUR_USD"), &["tradeIDs", "averagePrice"]);
    let (_, closed) = desk.call("PUT", &format!("/trades/{trade}/close"), json!({"units": "98"}));
    compare("rest_trade_close", &[1], &closed, &[]);
    desk.place(market("5"));
    let (_, closed) = desk.call("PUT", "/positions/EUR_USD/close", json!({"longUnits": "ALL"}));
    compare("rest_position_close", &[1], &closed, &[]);
}

#[test]
fn transactions_and_errors() {
    let mut desk = Desk::new(&[halted(1_000, EUR_USD, "1.10000", "1.10010")]);
    desk.place(limit("1.2"));
    compare("rest_transactions", &[1, 6, 8], &desk.get("/transactions"), &[]);
    let typed = desk.get("/transactions?type=CREATE&from=2026-01-01&to=2026-02-01&pageSize=100");
    compare("rest_transactions", &[7], &typed, &[]);
    assert_eq!(typed["count"], 1);
    compare("rest_transactions", &[5], &desk.get("/transactions/1"), &["requestID"]);
    compare("rest_transactions", &[2], &desk.get("/transactions/3"), &[]);
    compare("rest_transactions", &[3], &desk.get("/transactions/sinceid?id=2"), &["replacesOrderID"]);
    let (_, rejected) =
        desk.call("PUT", "/positions/EUR_USD/close", json!({"shortUnits": "ALL", "longUnits": "NONE"}));
    assert!(rejected["shortOrderRejectTransaction"].is_object());
    compare("rest_transactions", &[4], &desk.get("/transactions/sinceid?id=3"), &[]);

    let (_, body) = desk.order(json!({"type": "MARKET_IF_TOUCHED", "instrument": "EUR_USD", "units": "101", "price": "1.33687666666666"}));
    compare("rest_errors", &[2], &body, &[]);
    let (_, body) = desk.call("GET", "/trades/99", Value::Null);
    compare("rest_errors", &[3], &body, &[]);
    let (_, body) =
        desk.order(json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "0", "price": "1212"}));
    compare("rest_errors", &[4], &body, &[]);
    let (_, body) = desk.order(json!({"type": "LIMIT", "instrument": "?", "units": "1", "price": "1"}));
    compare("rest_errors", &[6], &body, &[]);
    let (status, body) = desk.call("PUT", "/orders/42/cancel", Value::Null);
    assert_eq!(status, 404);
    compare("rest_errors", &[8], &body, &[]);
    desk.run_until(1_000);
    compare("rest_errors", &[1], &desk.place(market("1000")), &[]);
    let mut request = Desk::request("GET", "/v3/accounts", "");
    request.headers.clear();
    let (status, body) = desk.send(&request);
    assert_eq!(status, 401);
    compare("rest_errors", &[5], &body, &[]);
}

/// Compares the types of what both have; the number of members compared.
fn agree(ours: &Value, sample: &Value, path: &str) -> usize {
    match (ours, sample) {
        (Value::Object(mine), Value::Object(theirs)) => mine
            .iter()
            .filter_map(|(key, value)| Some(agree(value, theirs.get(key)?, &format!("{path}/{key}"))))
            .sum(),
        (Value::Array(mine), Value::Array(theirs)) => match (mine.first(), theirs.first()) {
            (Some(mine), Some(theirs)) => agree(mine, theirs, path),
            _ => 0,
        },
        (mine, theirs) => {
            assert_eq!(std::mem::discriminant(mine), std::mem::discriminant(theirs), "{path}: {mine}");
            1
        }
    }
}

/// The members of our transactions that the generated samples of their types have, have their types.
#[test]
fn transactions_have_the_documented_types() {
    let mut desk = Desk::new(&[quote(1_000, EUR_USD, "1.05", "1.05010", 1_000)]);
    desk.place(
        json!({"type": "MARKET", "instrument": "EUR_USD", "units": "100", "stopLossOnFill": {"price": "1.06"},
                      "takeProfitOnFill": {"price": "1.2"}, "trailingStopLossOnFill": {"distance": "0.2"}}),
    );
    desk.place(
        json!({"type": "STOP", "instrument": "EUR_USD", "units": "100", "price": "1.3", "timeInForce": "GTD",
                      "gtdTime": "2026-01-09T00:00:00Z"}),
    );
    desk.place(
        json!({"type": "MARKET_IF_TOUCHED", "instrument": "EUR_USD", "units": "100", "price": "1.01"}),
    );
    desk.place(limit("1.3"));
    desk.order(limit("0"));
    desk.call("PUT", "/orders/7777/cancel", Value::Null);
    desk.run_until(1_000);
    desk.run_until(16 * 3_600_000);
    let samples = samples("synthetic_transactions");
    let mut compared = 0;
    for ours in desk.log() {
        for sample in samples.values().filter(|it| it["type"] == ours["type"]) {
            compared += agree(&ours, sample, "");
        }
    }
    assert!(samples.is_empty() || compared > 50, "{compared}");
}

#[test]
fn requests_of_other_clients_are_understood() {
    let Some(lines) = shared("oanda/request_vectors.jsonl") else { return };
    let mut understood = 0;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or("");
        let headers = line["headers"].as_object().unwrap();
        let query = if text("query").is_empty() { String::new() } else { format!("?{}", text("query")) };
        let request = HttpRequest {
            method: text("method").to_owned(),
            target: format!("{}{query}", text("path")),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
                .collect(),
            body: text("body").to_owned(),
        };
        assert!(request.target.contains(NET) || !request.target.contains("/accounts/"), "{line}");
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        let mut desk = Desk::new(&[]);
        let is_stream = text("path").ends_with("/stream");
        let Some((status, body)) = desk.try_send(&request) else {
            assert!(is_stream, "{line}");
            understood += 1;
            continue;
        };
        // What is refused is refused for what it names: instruments, orders, trades and numbers that are not there.
        let named = [
            "INSTRUMENT_UNKNOWN",
            "TRADE_DOESNT_EXIST",
            "ORDER_DOESNT_EXIST",
            "NO_SUCH_ORDER",
            "CLOSEOUT_POSITION_DOESNT_EXIST",
        ];
        let is_named = body["errorCode"].as_str().is_some_and(|code| named.contains(&code));
        assert!(matches!(status, 200 | 201 | 416) || is_named, "{}: {status} {body}", text("id"));
        understood += 1;
    }
    println!("understood {understood} requests");
    assert_eq!(understood, 31);
}
