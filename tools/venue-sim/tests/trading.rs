//! Orders of every type against a market that a test writes down: fills, funds, fees, events.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::desk::{Desk, level, order, trade};
use serde_json::{Value, json};
use smc_core::Side;

/// `[execution type, status, last quantity, cumulative quantity]` of each report so far.
fn reports(desk: &Desk) -> Vec<Value> {
    let event = |message: &Value| {
        let event = &message["event"];
        (event["e"] == "executionReport").then(|| json!([event["x"], event["X"], event["l"], event["z"]]))
    };
    desk.events.iter().filter_map(event).collect()
}

fn balance(desk: &mut Desk, asset: &str) -> (String, String) {
    let answer = desk.signed("account.status", json!({}));
    let lines = answer["result"]["balances"].as_array().unwrap().clone();
    let line = lines.iter().find(|line| line["asset"] == asset).unwrap();
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (text("free"), text("locked"))
}

#[test]
fn a_market_order_walks_the_book_and_pays_the_taker_fee() {
    let mut desk = Desk::new(&[]);
    let answer =
        desk.place(order(json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": "7"})));
    let result = &answer["result"];
    assert_eq!(result["fills"][0]["price"], "101.00000000");
    assert_eq!(result["fills"][1]["qty"], "2.00000000");
    assert_eq!(result["fills"][1]["commission"], "0.00200000");
    assert_eq!(result["cummulativeQuoteQty"], "709.00000000");
    assert_eq!(balance(&mut desk, "USDT"), ("99291.00000000".into(), "0.00000000".into()));
    assert_eq!(balance(&mut desk, "BTC"), ("8.99300000".into(), "0.00000000".into()));
    let (_, depth) = desk.rest("GET", "/api/v3/depth?symbol=BTCUSDT");
    assert_eq!(depth["asks"], json!([["102.00000000", "3.00000000"]]));
}

#[test]
fn a_market_order_by_quote_amount_buys_whole_steps() {
    let mut desk = Desk::new(&[]);
    let by_quote = json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": null, "quoteOrderQty": "100"});
    let answer = desk.place(order(by_quote));
    let result = &answer["result"];
    assert_eq!((&result["status"], &result["executedQty"]), (&json!("FILLED"), &json!("0.99009000")));
    assert_eq!(result["origQuoteOrderQty"], "100.00000000");
    assert_eq!(balance(&mut desk, "USDT").1, "0.00000000");
    let by_quote = json!({"side": "SELL", "type": "MARKET", "price": null, "timeInForce": null, "quantity": null, "quoteOrderQty": "100"});
    assert_eq!(desk.place(order(by_quote))["result"]["executedQty"], "1.00000000");
}

#[test]
fn a_resting_order_waits_behind_the_background_then_fills_as_maker() {
    let script = [
        trade(1, Side::Sell, "100", "4"),
        level(1, Side::Buy, "100", "1"),
        trade(2, Side::Sell, "100", "1.5"),
        level(2, Side::Buy, "100", "0"),
        trade(3, Side::Sell, "99.90", "2"),
    ];
    let mut desk = Desk::new(&script);
    desk.subscribe("btcusdt@trade/btcusdt@aggTrade");
    desk.place(order(json!({"price": "100.00", "newClientOrderId": "a"})));
    assert_eq!(balance(&mut desk, "USDT"), ("99900.00000000".into(), "100.00000000".into()));
    desk.run_until(1);
    assert_eq!(reports(&desk), [json!(["NEW", "NEW", "0.00000000", "0.00000000"])]);
    desk.run_until(2);
    assert_eq!(reports(&desk)[1], json!(["TRADE", "PARTIALLY_FILLED", "0.50000000", "0.50000000"]));
    desk.run_until(3);
    assert_eq!(reports(&desk)[2], json!(["TRADE", "FILLED", "0.50000000", "1.00000000"]));
    let last = desk.events.iter().rfind(|m| m["event"]["x"] == "TRADE").unwrap();
    assert_eq!((&last["event"]["L"], &last["event"]["m"]), (&json!("100.00000000"), &json!(true)));
    assert_eq!(last["event"]["n"], "0.00050000");
    assert_eq!(balance(&mut desk, "USDT"), ("99900.00000000".into(), "0.00000000".into()));
    assert_eq!(balance(&mut desk, "BTC").0, "2.99900000");
    // The public sees the same: what the order took, and the rest of each background trade.
    let printed = |kind: &str| {
        let of_kind = desk.streamed.iter().filter(|m| m["e"] == kind);
        of_kind.map(|m| json!([m["p"], m["q"], m["m"]])).collect::<Vec<_>>()
    };
    let expected = [
        json!(["100.00000000", "4.00000000", true]),
        json!(["100.00000000", "1.00000000", true]),
        json!(["100.00000000", "0.50000000", true]),
        json!(["100.00000000", "0.50000000", true]),
        json!(["99.90000000", "1.50000000", true]),
    ];
    assert_eq!(printed("trade"), expected);
    assert_eq!(printed("aggTrade").len(), 4);
    assert_eq!(printed("aggTrade")[1], json!(["100.00000000", "1.50000000", true]));
}

#[test]
fn a_background_level_across_a_resting_order_fills_it() {
    let script = [
        level(1, Side::Buy, "100", "0"),
        level(1, Side::Sell, "99.40", "0.3"),
        level(1, Side::Sell, "101", "5"),
    ];
    let mut desk = Desk::new(&script);
    desk.subscribe("btcusdt@bookTicker");
    desk.place(order(json!({})));
    desk.run_until(1);
    assert_eq!(reports(&desk)[1], json!(["TRADE", "PARTIALLY_FILLED", "0.30000000", "0.30000000"]));
    let top = desk.streamed.last().unwrap();
    assert_eq!(
        (&top["b"], &top["B"], &top["a"]),
        (&json!("99.50000000"), &json!("0.70000000"), &json!("101.00000000"))
    );
}

#[test]
fn immediate_orders_end_at_once() {
    let mut desk = Desk::new(&[]);
    let ioc = desk.place(order(json!({"timeInForce": "IOC", "price": "101.00", "quantity": "6"})));
    assert_eq!(
        (&ioc["result"]["status"], &ioc["result"]["executedQty"]),
        (&json!("EXPIRED"), &json!("5.00000000"))
    );
    assert_eq!(
        desk.events.iter().rfind(|m| m["event"]["x"] == "EXPIRED").unwrap()["event"]["eR"],
        "UNFILLED_IOC_QUANTITY_EXPIRED"
    );
    let fok = desk.place(order(json!({"timeInForce": "FOK", "price": "102.00", "quantity": "6"})));
    assert_eq!(
        (&fok["result"]["status"], &fok["result"]["executedQty"]),
        (&json!("EXPIRED"), &json!("0.00000000"))
    );
    let fok = desk.place(order(json!({"timeInForce": "FOK", "price": "102.00", "quantity": "5"})));
    assert_eq!(fok["result"]["status"], "FILLED");
    assert_eq!(balance(&mut desk, "USDT").1, "0.00000000");
}

#[test]
fn a_stop_order_sleeps_until_the_last_price_reaches_it() {
    let script = [trade(1, Side::Buy, "101", "1"), trade(2, Side::Buy, "102", "1")];
    let mut desk = Desk::new(&script);
    desk.run_until(1);
    let stop =
        json!({"type": "STOP_LOSS_LIMIT", "stopPrice": "102.00", "price": "103.00", "newClientOrderId": "s"});
    let answer = desk.place(order(stop));
    assert!(answer["result"].get("status").is_none(), "stop orders answer ACK by default: {answer}");
    let status = desk.signed("order.status", json!({"symbol": "BTCUSDT", "origClientOrderId": "s"}));
    assert_eq!(
        (&status["result"]["isWorking"], &status["result"]["workingTime"]),
        (&json!(false), &json!(-1))
    );
    assert_eq!(balance(&mut desk, "USDT").1, "103.00000000");
    desk.run_until(2);
    let words: Vec<_> = reports(&desk).iter().map(|r| r[1].clone()).collect();
    assert_eq!(words, ["NEW", "NEW", "FILLED"]);
    assert_eq!(balance(&mut desk, "USDT").1, "0.00000000");
}

#[test]
fn orders_of_one_account_do_not_trade_with_each_other() {
    let mut desk = Desk::new(&[]);
    desk.place(order(json!({"price": "100.50", "newClientOrderId": "rest"})));
    let sell =
        |mode: Value| order(json!({"side": "SELL", "price": "100.50", "selfTradePreventionMode": mode}));
    let answer = desk.place(sell(Value::Null));
    assert_eq!(answer["result"]["status"], "EXPIRED_IN_MATCH");
    assert_eq!(answer["result"]["selfTradePreventionMode"], "EXPIRE_TAKER");
    assert_eq!(
        desk.events.iter().rfind(|m| m["event"]["e"] == "executionReport").unwrap()["event"]["x"],
        "TRADE_PREVENTION"
    );
    let answer = desk.place(sell(json!("EXPIRE_MAKER")));
    assert_eq!(answer["result"]["status"], "NEW");
    let status = desk.signed("order.status", json!({"symbol": "BTCUSDT", "origClientOrderId": "rest"}));
    assert_eq!(status["result"]["status"], "EXPIRED_IN_MATCH");
    let buy = order(json!({"price": "100.50", "selfTradePreventionMode": "NONE"}));
    assert_eq!(desk.place(buy)["result"]["status"], "FILLED", "mode NONE lets them trade");
    for asset in ["BTC", "USDT"] {
        assert_eq!(balance(&mut desk, asset).1, "0.00000000");
    }
}

#[test]
fn candles_close_with_the_clock() {
    let script = [trade(1_000, Side::Buy, "101", "1"), trade(2_000, Side::Sell, "100", "2")];
    let mut desk = Desk::new(&script);
    desk.subscribe("btcusdt@kline_1m");
    desk.run_until(130_000);
    let bars: Vec<_> = desk
        .streamed
        .iter()
        .filter(|m| m["k"]["x"] == true)
        .map(|m| json!([m["k"]["o"], m["k"]["c"], m["k"]["v"], m["k"]["n"]]))
        .collect();
    assert_eq!(bars[0], json!(["101.00000000", "100.00000000", "3.00000000", 2]));
    assert_eq!(bars[1], json!(["100.00000000", "100.00000000", "0.00000000", 0]));
    let answer = desk.ask("klines", json!({"symbol": "BTCUSDT", "interval": "1m", "limit": 2}));
    assert_eq!(answer["result"].as_array().unwrap().len(), 2);
}

/// Percent-encodes the three characters of base64 that a query cannot hold.
fn in_query(signature: &str) -> String {
    signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[test]
fn own_trades_can_be_asked_for_afterwards_over_both_ways() {
    let mut desk = Desk::new(&[trade(1_000, Side::Sell, "99.5", "0.4")]);
    let taken =
        desk.place(order(json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": "7"})));
    let resting = desk.place(order(json!({})))["result"]["orderId"].clone();
    desk.run_until(2_000);
    let all = desk.signed("myTrades", json!({"symbol": "BTCUSDT"}))["result"].clone();
    assert_eq!(all.as_array().unwrap().len(), 3);
    for (row, fill) in all.as_array().unwrap().iter().zip(taken["result"]["fills"].as_array().unwrap()) {
        assert_eq!(
            (&row["id"], &row["price"], &row["qty"]),
            (&fill["tradeId"], &fill["price"], &fill["qty"])
        );
        assert_eq!(row["commission"], fill["commission"]);
        assert_eq!((&row["isBuyer"], &row["isMaker"]), (&json!(true), &json!(false)));
    }
    let of_order = desk.signed("myTrades", json!({"symbol": "BTCUSDT", "orderId": resting}));
    assert_eq!(of_order["result"], json!([all[2]]));
    let expected = json!({"symbol": "BTCUSDT", "id": all[2]["id"], "orderId": resting, "orderListId": -1,
        "price": "99.50000000", "qty": "0.40000000", "quoteQty": "39.80000000", "commission": "0.00040000",
        "commissionAsset": "BTC", "time": desk.now_ms() - 1_000, "isBuyer": true, "isMaker": true,
        "isBestMatch": true});
    assert_eq!(all[2], expected);
    let before = of_order["rateLimits"][0]["count"].as_u64().unwrap();
    let newest = desk.signed("myTrades", json!({"symbol": "BTCUSDT", "limit": 1}));
    assert_eq!(newest["result"], json!([all[2]]));
    assert_eq!(newest["rateLimits"][0]["count"].as_u64().unwrap() - before, 20, "5 only with an order");
    let first = desk.signed("myTrades", json!({"symbol": "BTCUSDT", "fromId": all[1]["id"], "limit": 1}));
    assert_eq!(first["result"], json!([all[1]]));
    let none = desk.signed("myTrades", json!({"symbol": "BTCUSDT", "orderId": 1}));
    assert_eq!(none["result"], json!([]));

    let query = format!("symbol=BTCUSDT&orderId={resting}&timestamp={}", desk.now_ms());
    let signature = in_query(&desk.key.sign(&query));
    let (_, body) = desk.rest("GET", &format!("/api/v3/myTrades?{query}&signature={signature}"));
    assert_eq!(body, json!([all[2]]));
}

#[test]
fn each_half_of_a_cancel_replace_is_told_of() {
    let mut desk = Desk::new(&[]);
    let mut replace = |with: Value| {
        let mut params = order(with);
        params["cancelReplaceMode"] =
            params.get("cancelReplaceMode").cloned().unwrap_or("STOP_ON_FAILURE".into());
        desk.signed("order.cancelReplace", params)
    };
    let gone = replace(json!({"cancelOrigClientOrderId": "a", "newClientOrderId": "b"}));
    assert_eq!((&gone["status"], &gone["error"]["code"]), (&json!(400), &json!(-2022)));
    let data = &gone["error"]["data"];
    assert_eq!(
        (&data["cancelResult"], &data["newOrderResult"]),
        (&json!("FAILURE"), &json!("NOT_ATTEMPTED"))
    );
    assert_eq!((&data["cancelResponse"]["code"], &data["newOrderResponse"]), (&json!(-2011), &Value::Null));

    let allowed = json!({"cancelOrigClientOrderId": "a", "newClientOrderId": "b", "cancelReplaceMode": "ALLOW_FAILURE"});
    let half = replace(allowed);
    assert_eq!((&half["status"], &half["error"]["code"]), (&json!(409), &json!(-2021)));
    assert_eq!(half["error"]["data"]["newOrderResponse"]["clientOrderId"], "b");

    let both = replace(json!({"cancelOrigClientOrderId": "b", "newClientOrderId": "c", "quantity": "2"}));
    let result = &both["result"];
    assert_eq!((&result["cancelResult"], &result["newOrderResult"]), (&json!("SUCCESS"), &json!("SUCCESS")));
    assert_eq!(result["cancelResponse"]["origClientOrderId"], "b");
    assert_eq!(result["newOrderResponse"]["origQty"], "2.00000000");

    // What cannot be paid for comes too late: the old order is gone by then.
    let poor = replace(json!({"cancelOrigClientOrderId": "c", "newClientOrderId": "d", "quantity": "5000"}));
    let data = &poor["error"]["data"];
    assert_eq!((&poor["error"]["code"], &data["cancelResult"]), (&json!(-2021), &json!("SUCCESS")));
    assert_eq!(
        (&data["newOrderResult"], &data["newOrderResponse"]["code"]),
        (&json!("FAILURE"), &json!(-2010))
    );

    // A request that makes no sense does nothing.
    let senseless = replace(json!({"cancelOrigClientOrderId": "d", "price": null}));
    assert_eq!(senseless["error"]["code"], -1102);
    assert_eq!(desk.signed("openOrders.status", json!({}))["result"], json!([]));
}
