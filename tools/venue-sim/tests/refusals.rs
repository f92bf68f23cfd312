//! Every refusal with the venue's code, message and status.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::desk::{API, Desk, level, order, trade};
use serde_json::{Value, json};
use smc_core::Side;
use venue_sim::LimitSettings;
use venue_sim::dialect::Dialect;

fn check(answer: &Value, code: i64, msg: &str) {
    assert_eq!(answer["error"]["code"], code, "{answer}");
    assert_eq!(answer["error"]["msg"], msg, "{answer}");
    assert_eq!(answer["status"], 400, "{answer}");
}

/// Places one order on a fresh desk, and expects a refusal that leaves no trace.
fn refused(with: Value, code: i64, msg: &str) {
    let mut desk = Desk::new(&[]);
    let answer = desk.place(order(with));
    check(&answer, code, msg);
    assert!(desk.events.is_empty());
    let seen = desk.venue.orders_seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].outcome.unwrap_err(), i32::try_from(code).unwrap());
}

#[test]
fn filters_refuse_by_name() {
    for with in [
        json!({"price": "99.505"}),
        json!({"price": "1000000.01"}),
        json!({"type": "STOP_LOSS_LIMIT", "stopPrice": "150.001"}),
    ] {
        refused(with, -1013, "Filter failure: PRICE_FILTER");
    }
    refused(json!({"quantity": "0.000011"}), -1013, "Filter failure: LOT_SIZE");
    refused(json!({"quantity": "9000.00001"}), -1013, "Filter failure: LOT_SIZE");
    refused(json!({"quantity": "0.05025"}), -1013, "Filter failure: NOTIONAL"); // 4.999875
    let market = json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": "0.00001"});
    refused(market, -1013, "Filter failure: NOTIONAL");
    let by_quote =
        json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": null, "quoteOrderQty": "4"});
    refused(by_quote, -1013, "Filter failure: NOTIONAL");
}

#[test]
fn the_fourth_open_order_is_one_too_many() {
    let mut desk = Desk::new(&[]);
    for _ in 0..3 {
        assert_eq!(desk.place(order(json!({})))["status"], 200);
    }
    check(&desk.place(order(json!({}))), -1013, "Filter failure: MAX_NUM_ORDERS");
    let market = json!({"type": "MARKET", "price": null, "timeInForce": null});
    assert_eq!(desk.place(order(market))["status"], 200, "a market order is never open");
}

#[test]
fn the_engine_refuses_with_2010() {
    refused(json!({"quantity": "1100"}), -2010, "Account has insufficient balance for requested action.");
    let sell = json!({"side": "SELL", "quantity": "2.00001", "price": "110"});
    refused(sell, -2010, "Account has insufficient balance for requested action.");
    let maker = json!({"type": "LIMIT_MAKER", "timeInForce": null, "price": "101.00"});
    refused(maker, -2010, "Order would immediately match and take.");
    let mut desk = Desk::new(&[]);
    assert_eq!(desk.place(order(json!({"newClientOrderId": "a"})))["status"], 200);
    check(&desk.place(order(json!({"newClientOrderId": "a"}))), -2010, "Duplicate order sent.");
    desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "origClientOrderId": "a"}));
    assert_eq!(
        desk.place(order(json!({"newClientOrderId": "a"})))["status"],
        200,
        "names are free after the end"
    );
    let mut desk = Desk::new(&[trade(1, Side::Buy, "101", "1")]);
    desk.run_until(1);
    let stop = json!({"type": "STOP_LOSS_LIMIT", "stopPrice": "101.00"});
    check(&desk.place(order(stop)), -2010, "Order would trigger immediately.");
    refused(json!({"icebergQty": "0.5"}), -2010, "Iceberg orders are not supported for this symbol.");
}

#[test]
fn parameters_are_refused_by_their_own_codes() {
    let missing = |name| format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    for name in ["symbol", "side", "type", "timeInForce", "quantity", "price"] {
        refused(
            order(json!({ name: null })).as_object().map(|_| json!({ name: null })).unwrap(),
            -1102,
            &missing(name),
        );
    }
    refused(json!({"symbol": "NOSUCH"}), -1121, "Invalid symbol.");
    refused(json!({"side": "HOLD"}), -1117, "Invalid side.");
    refused(json!({"type": "GUESS"}), -1116, "Invalid orderType.");
    refused(json!({"timeInForce": "DAY"}), -1115, "Invalid timeInForce.");
    refused(json!({"price": "99.123456789"}), -1111, "Parameter 'price' has too much precision.");
    let range = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";
    let illegal = format!("Illegal characters found in parameter 'quantity'; legal range is '{range}'.");
    refused(json!({"quantity": "-1"}), -1100, &illegal);
    let range = "^[a-zA-Z0-9-_]{1,36}$";
    let illegal =
        format!("Illegal characters found in parameter 'newClientOrderId'; legal range is '{range}'.");
    refused(json!({"newClientOrderId": "a b"}), -1100, &illegal);
    refused(json!({"stopPrice": "90"}), -1106, "Parameter 'stopPrice' sent when not required.");
    let both = json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": null});
    refused(both, -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!");
    refused(
        json!({"selfTradePreventionMode": "X"}),
        -1130,
        "Data sent for parameter 'selfTradePreventionMode' is not valid.",
    );
}

#[test]
fn time_and_queries_are_refused_by_their_own_codes() {
    let mut desk = Desk::new(&[]);
    let now = desk.now_ms();
    let mut ask =
        |method: &str, params: Value, code: i64, msg: &str| check(&desk.ask(method, params), code, msg);
    let mandatory = "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.";
    ask("account.status", json!({}), -1102, mandatory);
    let old = "Timestamp for this request is outside of the recvWindow.";
    ask("account.status", json!({"timestamp": now - 5_001}), -1021, old);
    ask("account.status", json!({"timestamp": now - 101, "recvWindow": 100}), -1021, old);
    let ahead = "Timestamp for this request was 1000ms ahead of the server's time.";
    ask("account.status", json!({"timestamp": now + 1_000}), -1021, ahead);
    let unknown = "Unknown order sent.";
    ask("order.cancel", json!({"symbol": "BTCUSDT", "orderId": 5, "timestamp": now}), -2011, unknown);
    ask("openOrders.cancelAll", json!({"symbol": "BTCUSDT", "timestamp": now}), -2011, unknown);
    ask(
        "order.status",
        json!({"symbol": "BTCUSDT", "orderId": 5, "timestamp": now}),
        -2013,
        "Order does not exist.",
    );
    let either = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
    ask("order.cancel", json!({"symbol": "BTCUSDT", "timestamp": now}), -1102, either);
    ask("klines", json!({"symbol": "BTCUSDT", "interval": "7m"}), -1120, "Invalid interval.");
    ask("nothing", json!({}), -1020, "This operation is not supported.");
    ask("userDataStream.subscribe", json!({}), -2035, "User Data Stream subscription already active.");
    let answer = desk.ask_text("{");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-1135)));
}

#[test]
fn queries_for_trades_are_refused_by_their_own_codes() {
    let mut desk = Desk::new(&[]);
    let day = 86_400_000;
    for (params, code, msg) in [
        (json!({}), -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        (json!({"symbol": "NOSUCH"}), -1121, "Invalid symbol."),
        (
            json!({"symbol": "BTCUSDT", "orderId": 1, "startTime": 1}),
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            json!({"symbol": "BTCUSDT", "fromId": 1, "endTime": 1}),
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            json!({"symbol": "BTCUSDT", "startTime": 1, "endTime": day + 2}),
            -1127,
            "More than 24 hours between startTime and endTime.",
        ),
    ] {
        check(&desk.signed("myTrades", params), code, msg);
    }
    let fitting = json!({"symbol": "BTCUSDT", "startTime": 1, "endTime": day + 1});
    assert_eq!(desk.signed("myTrades", fitting)["status"], 200);
    let mut stranger = Desk::new(&[]);
    stranger.ask("session.logout", json!({}));
    assert_eq!(stranger.signed("myTrades", json!({"symbol": "BTCUSDT"}))["error"]["code"], -1102);
}

#[test]
fn a_cancel_needs_names_that_agree_and_the_right_state() {
    let mut desk = Desk::new(&[trade(1, Side::Sell, "99.5", "0.4")]);
    let first = desk.place(order(json!({"newClientOrderId": "a"})))["result"]["orderId"].clone();
    desk.place(order(json!({"newClientOrderId": "b", "price": "99.40"})));
    let mismatch = json!({"symbol": "BTCUSDT", "orderId": first, "origClientOrderId": "b"});
    check(
        &desk.signed("order.cancel", mismatch),
        -2011,
        "Cancel order is invalid. Check origClOrdId and orderId.",
    );
    desk.run_until(1);
    let restricted =
        json!({"symbol": "BTCUSDT", "orderId": first.to_string(), "cancelRestrictions": "ONLY_NEW"});
    check(
        &desk.signed("order.cancel", restricted),
        -2011,
        "Order was not canceled due to cancel restrictions.",
    );
    let answer = desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "orderId": first.to_string()}));
    assert_eq!(answer["result"]["executedQty"], "0.40000000", "an order id may be a string");
}

#[test]
fn limits_answer_429_with_the_time_to_wait_for() {
    let limits = LimitSettings { orders_per_10s: 1, ..LimitSettings::default() };
    let mut desk = Desk::with_limits(&[], limits);
    assert_eq!(desk.place(order(json!({})))["rateLimits"][0]["count"], 1);
    let answer = desk.place(order(json!({})));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(429), &json!(-1015)));
    assert_eq!(answer["error"]["data"]["retryAfter"], (desk.now_ms() / 10_000 + 1) * 10_000);
    let limits = LimitSettings { weight_per_minute: 100, ..LimitSettings::default() };
    let mut desk = Desk::with_limits(&[], limits);
    let (head, _) = desk.rest("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("X-MBX-USED-WEIGHT-1M: 25"), "{head}");
    let (head, body) = desk.rest("GET", "/api/v3/time");
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nRetry-After: "), "{head}");
    assert_eq!(body["code"], -1003);
}

#[test]
fn a_halted_connection_forgets_its_subscriptions() {
    let mut desk = Desk::new(&[level(1, Side::Buy, "100", "6")]);
    desk.venue.close(API);
    desk.run_until(1);
    assert!(desk.events.is_empty());
}
