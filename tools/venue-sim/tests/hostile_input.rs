//! Whatever a client sends, the venue answers or refuses; it never panics, and its funds stay whole.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::desk::{API, Desk, STREAM, trade};
use proptest::prelude::*;
use serde_json::{Value, json};
use smc_core::Side;
use venue_sim::dialect::{Dialect, HttpRequest};

fn word() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("BTCUSDT")),
        Just(json!("BUY")),
        Just(json!("SELL")),
        Just(json!("LIMIT")),
        Just(json!("MARKET")),
        Just(json!("STOP_LOSS_LIMIT")),
        Just(json!("GTC")),
        Just(json!("FOK")),
        Just(json!("1m")),
        Just(json!("0.01")),
        Just(json!("1")),
        Just(json!("5")),
        Just(json!("100")),
        Just(json!("100.5")),
        Just(json!("102")),
        Just(json!("92233720368.54775807")),
        Just(json!("-1")),
        Just(json!(u64::MAX)),
        Just(json!(1_001_001u64)),
        Just(json!(1e300)),
        Just(json!(null)),
        Just(json!([])),
        Just(json!({"a": 1})),
        Just(json!("")),
        ".{0,12}".prop_map(|text| json!(text)),
    ]
}

fn params() -> impl Strategy<Value = Value> {
    let names = [
        "symbol",
        "side",
        "type",
        "timeInForce",
        "price",
        "quantity",
        "quoteOrderQty",
        "stopPrice",
        "newClientOrderId",
        "orderId",
        "origClientOrderId",
        "interval",
        "limit",
        "startTime",
        "recvWindow",
        "symbols",
        "subscriptionId",
        "apiKey",
        "signature",
        "selfTradePreventionMode",
    ];
    prop::collection::vec((prop::sample::select(names.to_vec()), word()), 0..10).prop_map(|pairs| {
        // Half-way to a good order, so that what follows gets past the first checks.
        let mut map = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                             "price": "101", "quantity": "1"});
        for (name, value) in pairs {
            map[name] = value;
        }
        map
    })
}

fn methods() -> Vec<&'static str> {
    vec![
        "order.place",
        "order.place",
        "order.place",
        "order.test",
        "order.cancel",
        "order.status",
        "openOrders.status",
        "openOrders.cancelAll",
        "account.status",
        "klines",
        "depth",
        "trades.recent",
        "ticker.book",
        "exchangeInfo",
        "userDataStream.unsubscribe",
        "userDataStream.subscribe",
        "session.logon",
        "session.status",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests_of_any_kind_are_answered(
        requests in prop::collection::vec((prop::sample::select(methods()), params()), 1..30),
    ) {
        let mut desk = Desk::new(&[trade(1, Side::Sell, "100", "3"), trade(2, Side::Buy, "102", "50")]);
        for (index, (method, mut params)) in requests.into_iter().enumerate() {
            if index == 15 {
                desk.run_until(2);
            }
            if params.get("timestamp").is_none() {
                params["timestamp"] = json!(desk.now_ms());
            }
            let answer = desk.ask(method, params);
            prop_assert!(answer["status"].is_u64(), "{}", answer);
        }
        let exchange = desk.venue.exchange();
        let open = exchange.open_orders(0, None);
        for (asset, side) in [("USDT", Side::Buy), ("BTC", Side::Sell)] {
            let balance = exchange.account(0).unwrap().balance(smc_core::words::Name::new(asset).unwrap());
            let locked: i64 = open.iter().filter(|order| order.side == side).map(|order| order.locked).sum();
            prop_assert!(balance.free >= 0);
            prop_assert_eq!(balance.locked, locked);
        }
    }

    #[test]
    fn texts_of_any_kind_are_answered(texts in prop::collection::vec(".{0,60}", 1..20), target in "/[a-z@/?=&%]{0,30}") {
        let mut desk = Desk::new(&[]);
        desk.subscribe("btcusdt@trade");
        desk.venue.open(77, &target);
        let with_method = |text: &String| json!({"method": "SUBSCRIBE", "params": [text], "id": 1}).to_string();
        for text in texts {
            desk.venue.on_text(API, &text);
            desk.venue.on_text(STREAM, &text);
            desk.venue.on_text(STREAM, &with_method(&text));
            let request = HttpRequest {
                method: "GET".to_owned(),
                target: format!("/api/v3/klines?symbol=BTCUSDT&{text}"),
                headers: vec![("x-mbx-apikey".to_owned(), text.clone())],
                body: text.clone(),
            };
            desk.venue.on_http(78, &request);
        }
        while desk.venue.pop_frame().is_some() {}
    }
}
