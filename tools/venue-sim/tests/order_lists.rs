//! Order lists (OCO): prices, names, funds, what one order does to the other, and every way to ask and to cancel.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::desk::{Desk, order, trade};
use serde_json::{Value, json};
use smc_core::Side;
use venue_sim::LimitSettings;

/// A pair that sells one coin at 103, or at 97 when the price has fallen to 98; changed by `with`.
fn pair(with: Value) -> Value {
    let mut pair = json!({
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "1.00000", "listClientOrderId": "both",
        "aboveType": "LIMIT_MAKER", "aboveClientOrderId": "target", "abovePrice": "103.00",
        "belowType": "STOP_LOSS_LIMIT", "belowClientOrderId": "stop", "belowPrice": "97.00",
        "belowStopPrice": "98.00", "belowTimeInForce": "GTC",
    });
    for (name, value) in with.as_object().unwrap() {
        if value.is_null() {
            pair.as_object_mut().unwrap().remove(name);
        } else {
            pair[name] = value.clone();
        }
    }
    pair
}

/// A pair that buys one coin at 99.50, or at 105 when the price has risen to 104.
fn buying() -> Value {
    pair(json!({
        "side": "BUY", "aboveType": "STOP_LOSS_LIMIT", "abovePrice": "105.00", "aboveStopPrice": "104.00",
        "aboveTimeInForce": "GTC", "belowType": "LIMIT_MAKER", "belowPrice": "99.50", "belowStopPrice": null,
        "belowTimeInForce": null, "aboveClientOrderId": "stop", "belowClientOrderId": "target",
    }))
}

/// A desk at a market whose last price is 100, and then the script.
fn desk(script: &[venue_sim::market::MarketOp]) -> Desk {
    let mut ops = vec![trade(1, Side::Sell, "100", "1")];
    ops.extend_from_slice(script);
    let mut desk = Desk::new(&ops);
    desk.run_until(1);
    desk
}

fn place(desk: &mut Desk, pair: Value) -> Value {
    desk.signed("orderList.place.oco", pair)
}

/// What was told of orders and lists, oldest first: `name x X` and why it expired, or `list l L`.
fn told(desk: &mut Desk) -> Vec<String> {
    let events = std::mem::take(&mut desk.events);
    let line = |message: &Value| {
        let event = &message["event"];
        let text = |key: &str| event[key].as_str().unwrap_or("").to_owned();
        match event["e"].as_str().unwrap() {
            "executionReport" => {
                let name = if text("C").is_empty() { text("c") } else { text("C") };
                Some(format!("{name} {} {} {}", text("x"), text("X"), text("eR")).trim_end().to_owned())
            }
            "listStatus" => Some(format!("list {} {}", text("l"), text("L"))),
            _ => None,
        }
    };
    events.iter().filter_map(line).collect()
}

/// Free and locked of an asset.
fn balance(desk: &mut Desk, asset: &str) -> (String, String) {
    let answer = desk.signed("account.status", json!({}));
    let rows = answer["result"]["balances"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["asset"] == asset).unwrap();
    (row["free"].as_str().unwrap().to_owned(), row["locked"].as_str().unwrap().to_owned())
}

fn open_names(desk: &mut Desk) -> Vec<String> {
    let answer = desk.signed("openOrders.status", json!({"symbol": "BTCUSDT"}));
    let rows = answer["result"].as_array().unwrap().clone();
    rows.iter().map(|row| row["clientOrderId"].as_str().unwrap().to_owned()).collect()
}

fn status(desk: &mut Desk, name: &str) -> Value {
    desk.signed("order.status", json!({"symbol": "BTCUSDT", "origClientOrderId": name}))["result"].clone()
}

#[test]
fn a_pair_works_as_two_orders_that_hold_their_coins_back_once() {
    let mut desk = desk(&[]);
    let answer = place(&mut desk, pair(json!({})));
    let list = &answer["result"];
    let words = ["contingencyType", "listStatusType", "listOrderStatus", "listClientOrderId", "symbol"];
    assert_eq!(
        words.map(|word| list[word].as_str().unwrap()),
        ["OCO", "EXEC_STARTED", "EXECUTING", "both", "BTCUSDT"]
    );
    let names: Vec<_> = list["orders"].as_array().unwrap().iter().map(|row| &row["clientOrderId"]).collect();
    assert_eq!(names, ["stop", "target"]);
    assert!(list["orderReports"][0]["orderListId"] == list["orderListId"] && list["orderListId"].is_u64());
    // Without another wish the reports are short, as for these types of orders.
    assert!(list["orderReports"][0].get("status").is_none(), "{list}");
    assert_eq!(answer["rateLimits"][0]["count"], 2, "two orders are counted");
    assert_eq!(told(&mut desk), ["stop NEW NEW", "target NEW NEW", "list EXEC_STARTED EXECUTING"]);
    assert_eq!(balance(&mut desk, "BTC"), ("1.00000000".into(), "1.00000000".into()));
    let (stop, target) = (status(&mut desk, "stop"), status(&mut desk, "target"));
    assert_eq!((&stop["isWorking"], &target["isWorking"]), (&json!(false), &json!(true)));
    assert_eq!((&stop["orderListId"], &target["type"]), (&list["orderListId"], &json!("LIMIT_MAKER")));
    // A market order for the other coin is no more than is free; another for this one is.
    let sell = |qty: &str| order(json!({"side": "SELL", "price": "104.00", "quantity": qty}));
    assert_eq!(desk.place(sell("1.00001"))["error"]["code"], -2010);
    assert_eq!(desk.place(sell("1.00000"))["status"], 200);
}

#[test]
fn the_target_fills_before_the_stop_ends_and_its_rest_works_on_alone() {
    let mut desk = desk(&[trade(2, Side::Buy, "103", "0.4"), trade(3, Side::Buy, "103", "0.6")]);
    place(&mut desk, pair(json!({})));
    desk.events.clear();
    desk.run_until(2);
    assert_eq!(told(&mut desk), ["target TRADE PARTIALLY_FILLED", "stop EXPIRED EXPIRED OCO_TRIGGER"]);
    assert_eq!(balance(&mut desk, "BTC"), ("1.00000000".into(), "0.60000000".into()));
    assert_eq!(open_names(&mut desk), ["target"]);
    let open = desk.signed("openOrderLists.status", json!({}))["result"].clone();
    assert_eq!((open.as_array().unwrap().len(), &open[0]["listOrderStatus"]), (1, &json!("EXECUTING")));
    // The stop is no more to be cancelled.
    let gone = desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "origClientOrderId": "stop"}));
    assert_eq!(gone["error"]["code"], -2011);
    desk.run_until(3);
    assert_eq!(told(&mut desk), ["target TRADE FILLED", "list ALL_DONE ALL_DONE"]);
    assert_eq!(balance(&mut desk, "BTC"), ("1.00000000".into(), "0.00000000".into()));
    let trades = desk.signed("myTrades", json!({"symbol": "BTCUSDT"}))["result"].clone();
    assert!(trades[0]["orderListId"] == open[0]["orderListId"], "{trades}");
}

#[test]
fn a_stop_that_wakes_ends_the_target_before_it_works() {
    let mut desk = desk(&[trade(2, Side::Sell, "98", "1")]);
    place(&mut desk, pair(json!({})));
    desk.events.clear();
    desk.run_until(2);
    assert_eq!(
        told(&mut desk),
        ["target EXPIRED EXPIRED OCO_TRIGGER", "stop NEW NEW", "stop TRADE FILLED", "list ALL_DONE ALL_DONE"]
    );
    assert_eq!(balance(&mut desk, "BTC"), ("1.00000000".into(), "0.00000000".into()));
    let (_, depth) = desk.rest("GET", "/api/v3/depth?symbol=BTCUSDT");
    assert_eq!(depth["asks"][0], json!(["101.00000000", "5.00000000"]), "nothing of the target is left");
}

#[test]
fn a_buying_pair_holds_back_what_the_dearer_order_costs() {
    let mut desk = desk(&[trade(2, Side::Sell, "99.50", "0.5"), trade(3, Side::Buy, "104", "1")]);
    place(&mut desk, buying());
    assert_eq!(balance(&mut desk, "USDT"), ("99895.00000000".into(), "105.00000000".into()));
    desk.run_until(2);
    // The cheaper one goes on and holds back its own.
    assert_eq!(balance(&mut desk, "USDT"), ("99900.50000000".into(), "49.75000000".into()));
    desk.run_until(3);
    assert_eq!(status(&mut desk, "stop")["status"], "EXPIRED", "it sleeps no more");
}

#[test]
fn what_cannot_be_a_pair_is_refused_whole_and_by_the_venues_words() {
    let mut desk = desk(&[]);
    let relation = "The relationship of the prices for the orders is not correct.";
    let mandatory =
        |name: &str| format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    let surplus = |name: &str| format!("Parameter '{name}' sent when not required.");
    let cases: Vec<(Value, i32, String)> = vec![
        (json!({"abovePrice": "100.00"}), -2010, relation.into()),
        (json!({"belowStopPrice": "100.00", "belowPrice": "99.00"}), -2010, relation.into()),
        (json!({"belowStopPrice": "101.00", "belowPrice": "99.00"}), -2010, relation.into()),
        (json!({"aboveType": "LIMIT"}), -1158, "Order type not supported in OCO.".into()),
        (json!({"belowType": "LIMIT_MAKER"}), -1168, "At least one OCO order must be contingent.".into()),
        (
            json!({"aboveType": "STOP_LOSS_LIMIT"}),
            -1197,
            "A stop loss order in a sell OCO must be below.".into(),
        ),
        (
            json!({"aboveType": "STOP_LOSS_LIMIT", "belowType": "LIMIT_MAKER"}),
            -1166,
            "A limit order in a sell OCO must be above.".into(),
        ),
        (json!({"side": "BUY"}), -1165, "A limit order in a buy OCO must be below.".into()),
        (
            json!({"side": "BUY", "aboveType": "STOP_LOSS_LIMIT"}),
            -1196,
            "A stop loss order in a buy OCO must be above.".into(),
        ),
        (json!({"abovePrice": null}), -1102, mandatory("abovePrice")),
        (json!({"belowStopPrice": null}), -1102, mandatory("belowStopPrice")),
        (json!({"belowTimeInForce": null}), -1102, mandatory("belowTimeInForce")),
        (json!({"aboveTimeInForce": "GTC"}), -1106, surplus("aboveTimeInForce")),
        (json!({"aboveStopPrice": "99.00"}), -1106, surplus("aboveStopPrice")),
        (json!({"quantity": null}), -1102, mandatory("quantity")),
        (
            json!({"quantity": "2.00001"}),
            -2010,
            "Account has insufficient balance for requested action.".into(),
        ),
        (json!({"quantity": "0.000001"}), -1013, "Filter failure: LOT_SIZE".into()),
        (json!({"aboveClientOrderId": "stop"}), -2010, "Duplicate order sent.".into()),
        (
            json!({"belowTrailingDelta": "10"}),
            -2010,
            "Trailing stop orders are not supported for this symbol.".into(),
        ),
    ];
    for (with, code, msg) in cases {
        let answer = place(&mut desk, pair(with.clone()));
        let error = &answer["error"];
        assert_eq!((&error["code"], &error["msg"]), (&json!(code), &json!(msg)), "{with}: {answer}");
    }
    // Above the last price and yet reached by a bid: the limit order would take.
    desk.place(order(json!({"price": "100.90"})));
    let answer = place(&mut desk, pair(json!({"abovePrice": "100.80"})));
    assert_eq!(answer["error"]["msg"], "Order would immediately match and take.");
    assert_eq!(open_names(&mut desk).len(), 1, "both or neither");
    assert_eq!(balance(&mut desk, "BTC").1, "0.00000000");
    let counts = desk.signed("account.rateLimits.orders", json!({}))["result"].clone();
    assert_eq!(counts[0]["count"], 1, "what was refused is not counted");
    assert_eq!(told(&mut desk).len(), 1);
}

#[test]
fn names_and_numbers_of_open_orders_are_limited() {
    let mut desk = desk(&[]);
    place(&mut desk, pair(json!({"quantity": "0.50000"})));
    let other = json!({"quantity": "0.50000", "aboveClientOrderId": "a", "belowClientOrderId": "b",
                       "listClientOrderId": "another"});
    // The symbol takes three orders of an account, and two work already.
    let answer = place(&mut desk, pair(other));
    assert_eq!(answer["error"]["msg"], "Filter failure: MAX_NUM_ORDERS");
    desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "origClientOrderId": "target"}));
    assert_eq!(place(&mut desk, pair(json!({})))["status"], 200, "the names are free again");
    let info = desk.ask("exchangeInfo", json!({"symbol": "BTCUSDT"}))["result"]["symbols"][0].clone();
    assert_eq!(info["ocoAllowed"], true);
    let filters = info["filters"].as_array().unwrap();
    assert!(filters.contains(&json!({"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20})));
}

#[test]
fn two_orders_count_against_the_limit_or_none_does() {
    let limits = LimitSettings { orders_per_10s: 3, ..LimitSettings::default() };
    let mut desk = Desk::with_limits(&[trade(1, Side::Sell, "100", "1")], limits);
    desk.run_until(1);
    assert_eq!(place(&mut desk, pair(json!({})))["status"], 200);
    desk.signed("orderList.cancel", json!({"symbol": "BTCUSDT", "listClientOrderId": "both"}));
    let answer = place(&mut desk, pair(json!({})));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(429), &json!(-1015)));
    assert_eq!(desk.place(order(json!({})))["status"], 200, "there is room for one");
}

#[test]
fn cancelling_one_cancels_both_in_whichever_way_it_is_asked() {
    let ways: [(&str, Value); 6] = [
        ("order.cancel", json!({"origClientOrderId": "stop"})),
        ("order.cancel", json!({"origClientOrderId": "target"})),
        ("orderList.cancel", json!({"listClientOrderId": "both"})),
        ("orderList.cancel", json!({"orderListId": 0})),
        ("orderList.cancel", json!({"orderListId": 0, "listClientOrderId": "both"})),
        ("openOrders.cancelAll", json!({})),
    ];
    for (method, mut params) in ways {
        let mut desk = desk(&[]);
        let list = place(&mut desk, pair(json!({})))["result"].clone();
        params["symbol"] = json!("BTCUSDT");
        if params.get("orderListId").is_some() {
            params["orderListId"] = list["orderListId"].clone();
        }
        desk.events.clear();
        let answer = desk.signed(method, params);
        let rows = if method == "openOrders.cancelAll" { &answer["result"][0] } else { &answer["result"] };
        let ended = rows["orderReports"].as_array().unwrap();
        let of = |key: &str| ended.iter().map(|row| row[key].as_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(of("origClientOrderId"), ["stop", "target"], "{method}: {answer}");
        assert_eq!(of("status"), ["CANCELED", "CANCELED"]);
        assert_eq!(rows["listOrderStatus"], "ALL_DONE");
        assert_eq!(
            told(&mut desk),
            ["stop CANCELED CANCELED", "target CANCELED CANCELED", "list ALL_DONE ALL_DONE"]
        );
        assert_eq!(balance(&mut desk, "BTC"), ("2.00000000".into(), "0.00000000".into()));
        let again =
            desk.signed("orderList.cancel", json!({"symbol": "BTCUSDT", "listClientOrderId": "both"}));
        assert_eq!(again["error"]["code"], -2011);
    }
    let mut desk = desk(&[]);
    let list = place(&mut desk, pair(json!({})))["result"].clone();
    let other =
        json!({"symbol": "BTCUSDT", "orderListId": list["orderListId"], "listClientOrderId": "another"});
    assert_eq!(desk.signed("orderList.cancel", other)["error"]["code"], -2011, "the two must agree");
    let nameless = desk.signed("orderList.cancel", json!({"symbol": "BTCUSDT"}));
    assert_eq!(nameless["error"]["code"], -1102);
}

/// One order of a list cannot be replaced by itself: the venue cancels the whole list and places the new order alone.
#[test]
fn replacing_one_cancels_the_list() {
    let mut desk = desk(&[]);
    place(&mut desk, pair(json!({})));
    let params = json!({"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": "stop", "side": "SELL",
                        "price": "104.00", "newClientOrderId": "alone"});
    let answer = desk.signed("order.cancelReplace", order(params));
    let both = &answer["result"];
    assert_eq!((&both["cancelResult"], &both["newOrderResult"]), (&json!("SUCCESS"), &json!("SUCCESS")));
    assert_eq!(both["cancelResponse"]["listOrderStatus"], "ALL_DONE");
    assert_eq!(open_names(&mut desk), ["alone"]);
}

#[test]
fn the_rest_of_a_target_is_cancelled_with_its_list() {
    let mut desk = desk(&[trade(2, Side::Buy, "103", "0.4")]);
    place(&mut desk, pair(json!({})));
    desk.run_until(2);
    desk.events.clear();
    let answer = desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "origClientOrderId": "target"}));
    let ended = answer["result"]["orderReports"].as_array().unwrap();
    assert_eq!((ended.len(), &ended[0]["executedQty"]), (1, &json!("0.40000000")), "{answer}");
    assert_eq!(told(&mut desk), ["target CANCELED CANCELED", "list ALL_DONE ALL_DONE"]);
}

/// An order of our own that would meet the target ends it, and with it the stop.
#[test]
fn a_target_that_must_not_meet_its_owner_takes_the_stop_along() {
    let mut desk = desk(&[]);
    place(&mut desk, pair(json!({"abovePrice": "100.50"})));
    desk.events.clear();
    desk.place(order(
        json!({"price": "100.50", "selfTradePreventionMode": "EXPIRE_MAKER", "newClientOrderId": "buy"}),
    ));
    assert_eq!(
        told(&mut desk),
        [
            "buy NEW NEW",
            "target TRADE_PREVENTION EXPIRED_IN_MATCH",
            "stop EXPIRED EXPIRED OCO_TRIGGER",
            "list ALL_DONE ALL_DONE"
        ]
    );
    assert_eq!(balance(&mut desk, "BTC").1, "0.00000000");
}

#[test]
fn lists_are_asked_for_by_number_by_name_and_by_time() {
    let mut desk = desk(&[]);
    let first = place(&mut desk, pair(json!({})))["result"]["orderListId"].clone();
    desk.signed("orderList.cancel", json!({"symbol": "BTCUSDT", "orderListId": first}));
    let second = place(&mut desk, pair(json!({})))["result"]["orderListId"].clone();
    let ask = |desk: &mut Desk, params: Value| desk.signed("orderList.status", params);
    let of_first = ask(&mut desk, json!({"orderListId": first}));
    assert_eq!(of_first["result"]["listStatusType"], "ALL_DONE");
    assert!(of_first["result"].get("orderReports").is_none());
    let by_name = ask(&mut desk, json!({"orderListId": first, "origClientOrderId": "both"}));
    assert_eq!(by_name["result"]["orderListId"], second, "of both the name alone counts");
    assert_eq!(ask(&mut desk, json!({"orderListId": 1}))["error"]["code"], -2013);
    assert_eq!(ask(&mut desk, json!({}))["error"]["code"], -1102);
    let ids = |answer: Value| {
        let rows = answer["result"].as_array().unwrap().clone();
        rows.iter().map(|row| row["orderListId"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(desk.signed("openOrderLists.status", json!({}))), std::slice::from_ref(&second));
    assert_eq!(ids(desk.signed("allOrderLists", json!({}))), [first.clone(), second.clone()]);
    assert_eq!(ids(desk.signed("allOrderLists", json!({"limit": 1}))), std::slice::from_ref(&second));
    assert_eq!(
        ids(desk.signed("allOrderLists", json!({"fromId": first, "limit": 1}))),
        std::slice::from_ref(&first)
    );
    let now = desk.now_ms();
    assert_eq!(ids(desk.signed("allOrderLists", json!({"startTime": now + 1}))), [Value::Null; 0]);
    let long = desk.signed("allOrderLists", json!({"startTime": 1, "endTime": now}));
    assert_eq!(long["error"]["code"], -1127);
}

/// Percent-encodes the three characters of base64 that a query cannot hold.
fn in_query(signature: &str) -> String {
    signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[test]
fn rest_knows_lists_as_well() {
    let mut desk = desk(&[]);
    let mut call = |method: &str, path: &str, params: &str| {
        let query =
            format!("{params}{}timestamp={}", if params.is_empty() { "" } else { "&" }, desk.now_ms());
        let signature = in_query(&desk.key.sign(&query));
        desk.rest(method, &format!("/api/v3/{path}?{query}&signature={signature}")).1
    };
    let params: Vec<String> = pair(json!({}))
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
        .collect();
    let placed = call("POST", "orderList/oco", &params.join("&"));
    let id = placed["orderListId"].as_u64().unwrap();
    assert_eq!(call("GET", "orderList", &format!("orderListId={id}"))["listOrderStatus"], "EXECUTING");
    assert_eq!(call("GET", "openOrderList", "")[0]["orderListId"], id);
    let gone = call("DELETE", "orderList", &format!("symbol=BTCUSDT&orderListId={id}"));
    assert_eq!(gone["orderReports"].as_array().unwrap().len(), 2);
    assert_eq!(call("GET", "allOrderList", "")[0]["listStatusType"], "ALL_DONE");
    call("POST", "orderList/oco", &params.join("&"));
    let gone = call("DELETE", "order", "symbol=BTCUSDT&origClientOrderId=stop");
    assert_eq!(gone["listStatusType"], "ALL_DONE");
}
