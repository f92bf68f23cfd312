//! The futures dialect: what it takes, what it refuses, what it tells, and to whom.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::desk::{level, trade};
use common::usdm::{Desk, market};
use serde_json::{Value, json};
use smc_core::Side;
use venue_sim::LimitSettings;
use venue_sim::dialect::Dialect;

const HOUR_MS: u64 = 3_600_000;

fn texts<'a>(events: &[&'a Value], pointer: &str) -> Vec<&'a str> {
    events.iter().map(|event| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-")).collect()
}

#[test]
fn an_answer_is_an_acknowledgement_unless_the_result_is_asked_for() {
    let mut desk = Desk::new(&[]);
    let answer = desk.place(market(json!({})));
    let result = &answer["result"];
    assert_eq!((&result["status"], &result["executedQty"]), (&json!("NEW"), &json!("0.00000")), "{answer}");
    let answer = desk.place(market(json!({"newOrderRespType": "RESULT"})));
    assert_eq!(answer["result"]["status"], "FILLED");
    assert_eq!(answer["result"]["avgPrice"], "101.00");
    assert_eq!(answer["rateLimits"][0]["count"], 2);
}

#[test]
fn a_fill_is_told_short_then_long_with_the_account() {
    let mut desk = Desk::new(&[trade(1_000, Side::Sell, "99.5", "0.4")]);
    desk.place(json!({"newClientOrderId": "a.b:c/d_1"}));
    desk.run_until(1_000);
    let kinds = texts(&desk.events.iter().collect::<Vec<_>>(), "/e");
    assert_eq!(kinds, ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]);
    let (lite, fill) = (desk.events[1].clone(), desk.events[2]["o"].clone());
    assert_eq!((&lite["t"], &lite["l"], &lite["c"]), (&fill["t"], &fill["l"], &fill["c"]));
    assert_eq!((fill["x"].as_str(), fill["X"].as_str()), (Some("TRADE"), Some("PARTIALLY_FILLED")));
    assert_eq!((fill["z"].as_str(), fill["n"].as_str()), (Some("0.40000"), Some("0.00796000")));
    assert!(desk.events[0]["o"].get("n").is_none());
    let update = desk.events[3]["a"].clone();
    assert_eq!((update["m"].as_str(), update["P"][0]["pa"].as_str()), (Some("ORDER"), Some("0.40000")));
    assert_eq!(update["B"][0]["wb"], "9999.99204000");
    let trades = desk.get("/fapi/v1/userTrades", "symbol=BTCUSDT");
    assert_eq!((&trades[0]["id"], &trades[0]["maker"]), (&lite["t"], &json!(true)));
}

#[test]
fn futures_filters_have_futures_codes() {
    let mut desk = Desk::new(&[]);
    for (with, code) in [
        (json!({"price": "99.505"}), -4014),
        (json!({"price": "0.005"}), -4013),
        (json!({"price": "1000001"}), -4002),
        (json!({"quantity": "0.000015"}), -4023),
        (json!({"quantity": "0.000001"}), -4004),
        (json!({"quantity": "99999"}), -4005),
        (json!({"price": "116"}), -4016),
        (json!({"side": "SELL", "price": "85"}), -4024),
        (json!({"quantity": "0.01"}), -4164),
        (json!({"quantity": "0"}), -1102),
        (json!({"quantity": "-1"}), -1100),
        (json!({"timeInForce": null}), -1102),
        (json!({"timeInForce": "GTD"}), -1115),
        (json!({"type": "STOP_MARKET"}), -4120),
        (json!({"type": "NOTHING"}), -1116),
        (json!({"symbol": "NOSUCH"}), -1121),
        (json!({"positionSide": "LONG"}), -4061),
        (json!({"reduceOnly": "true"}), -2022),
        (json!({"timeInForce": "GTX", "price": "101"}), -5022),
        (json!({"timeInForce": "FOK", "price": "101", "quantity": "6"}), -5021),
        (json!({"selfTradePreventionMode": "SOME"}), -5039),
        (json!({"newOrderRespType": "FULL"}), -1136),
        (json!({"newClientOrderId": "no spaces"}), -1100),
        (json!({"priceMatch": "QUEUE"}), -1020),
        (json!({"quantity": "3000"}), -2019),
        (market(json!({"timeInForce": "GTC"})), -1114),
        (json!({"newClientOrderId": "x"}), 0),
        (json!({"newClientOrderId": "x"}), -4116),
        (json!({}), 0),
        (json!({}), 0),
        (json!({}), -2025),
    ] {
        assert_eq!(desk.refusal(with.clone()), code, "{with}");
    }
    let cancelled = desk.rest("DELETE", "/fapi/v1/allOpenOrders", Some("symbol=BTCUSDT")).1;
    assert_eq!(cancelled["code"], 200);
    assert_eq!(desk.get("/fapi/v1/openOrders", "symbol=BTCUSDT"), json!([]));
    assert_eq!(desk.venue.summary().cancels, 3);
}

#[test]
fn a_changed_order_keeps_its_number_and_says_so() {
    let mut desk = Desk::new(&[]);
    let id = desk.place(json!({"timeInForce": "GTX"}))["result"]["orderId"].clone();
    let mut modify = |with: Value| {
        let mut params =
            json!({"symbol": "BTCUSDT", "side": "BUY", "orderId": id, "price": "99.50", "quantity": "1"});
        for (name, value) in with.as_object().unwrap() {
            params[name] = value.clone();
        }
        desk.signed("order.modify", params)
    };
    assert_eq!(modify(json!({}))["error"]["code"], -5027);
    assert_eq!(modify(json!({"side": "SELL"}))["error"]["code"], -1130);
    assert_eq!(modify(json!({"price": "99.505"}))["error"]["code"], -4014);
    assert_eq!(modify(json!({"orderId": "1"}))["error"]["code"], -2013);
    let answer = modify(json!({"price": "98", "quantity": "2", "orderId": id.to_string()}));
    assert_eq!((&answer["result"]["orderId"], &answer["result"]["price"]), (&id, &json!("98.00")));
    // A post-only order that would take by its new price ends.
    assert_eq!(modify(json!({"price": "101"}))["result"]["status"], "CANCELED");
    let words = texts(&desk.events_of("ORDER_TRADE_UPDATE"), "/o/x");
    assert_eq!(words, ["NEW", "AMENDMENT", "CANCELED"]);
    let cancel = desk.signed("order.cancel", json!({"symbol": "BTCUSDT", "orderId": id}));
    assert_eq!(cancel["error"]["code"], -2011);
    let status = desk.signed("order.status", json!({"symbol": "BTCUSDT", "orderId": id}));
    assert_eq!(status["result"]["status"], "CANCELED");
    desk.run_until(73 * HOUR_MS);
    let status = desk.signed("order.status", json!({"symbol": "BTCUSDT", "orderId": id}));
    assert_eq!(status["error"]["code"], -2013);
}

#[test]
fn a_conditional_order_becomes_a_plain_one_when_its_price_comes() {
    let script = [
        level(1_000, Side::Buy, "100", "0"),
        level(1_000, Side::Buy, "99", "0"),
        level(1_000, Side::Buy, "90", "9"),
        trade(1_000, Side::Sell, "90", "1"),
    ];
    let mut desk = Desk::new(&script);
    desk.place(market(json!({"quantity": "2"})));
    let stop = json!({"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET",
                      "triggerPrice": "95", "closePosition": "true", "clientAlgoId": "stop-1"});
    let mut wrong = stop.clone();
    wrong["triggerPrice"] = "101.5".into();
    assert_eq!(desk.signed("algoOrder.place", wrong)["error"]["code"], -2021);
    let mut wrong = stop.clone();
    wrong["quantity"] = "1".into();
    assert_eq!(desk.signed("algoOrder.place", wrong)["error"]["code"], -4137);
    let placed = desk.signed("algoOrder.place", stop.clone());
    assert_eq!(placed["result"]["algoStatus"], "NEW", "{placed}");
    assert_eq!(desk.signed("algoOrder.place", stop)["error"]["code"], -4116);
    assert_eq!(desk.get("/fapi/v1/openOrders", ""), json!([]));
    assert_eq!(desk.get("/fapi/v1/openAlgoOrders", "")[0]["algoId"], placed["result"]["algoId"]);
    desk.events.clear();
    desk.run_until(1_000);
    let words = texts(&desk.events_of("ALGO_UPDATE"), "/o/X");
    assert_eq!(words, ["TRIGGERING", "TRIGGERED", "FINISHED"]);
    let fill = desk.events_of("ORDER_TRADE_UPDATE").last().copied().unwrap()["o"].clone();
    assert_eq!(
        (fill["X"].as_str(), fill["c"].as_str(), fill["cp"].as_bool()),
        (Some("FILLED"), Some("stop-1"), Some(true))
    );
    assert_eq!(fill["rp"], "-22.00000000");
    let finished = desk.events_of("ALGO_UPDATE")[2]["o"].clone();
    assert_eq!(finished["ai"], fill["i"].to_string());
    assert_eq!(desk.get("/fapi/v3/positionRisk", ""), json!([]));
    let gone = desk.rest("DELETE", "/fapi/v1/algoOrder", Some("clientAlgoId=stop-1")).1;
    assert_eq!(gone["code"], -2011);
}

#[test]
fn a_silent_client_loses_its_orders_and_never_its_position() {
    let mut desk = Desk::new(&[]);
    desk.place(market(json!({})));
    desk.place(json!({}));
    let (_, answer) =
        desk.rest("POST", "/fapi/v1/countdownCancelAll", Some("symbol=BTCUSDT&countdownTime=1000"));
    assert_eq!(answer, json!({"symbol": "BTCUSDT", "countdownTime": "1000"}));
    desk.run_until(900);
    desk.rest("POST", "/fapi/v1/countdownCancelAll", Some("symbol=BTCUSDT&countdownTime=1000"));
    desk.run_until(1_800);
    assert_eq!(desk.get("/fapi/v1/openOrders", "").as_array().unwrap().len(), 1);
    desk.run_until(1_950);
    assert_eq!(desk.get("/fapi/v1/openOrders", ""), json!([]));
    assert_eq!(desk.get("/fapi/v2/positionRisk", "symbol=BTCUSDT")[0]["positionAmt"], "1.00000");
}

#[test]
fn a_listen_key_ends_after_an_hour_without_a_sign_of_life() {
    let mut desk = Desk::new(&[]);
    desk.run_until(HOUR_MS / 2);
    assert_eq!(desk.rest("POST", "/fapi/v1/listenKey", None).1["listenKey"], json!(desk.listen_key));
    assert_eq!(desk.rest("PUT", "/fapi/v1/listenKey", None).1["listenKey"], json!(desk.listen_key));
    desk.run_until(HOUR_MS + 1_000);
    assert!(desk.events.is_empty());
    desk.place(json!({}));
    assert_eq!(desk.events.len(), 1);
    desk.run_until(HOUR_MS / 2 * 3 + 1_000);
    let expired = desk.events_of("listenKeyExpired");
    assert_eq!(expired[0]["listenKey"], json!(desk.listen_key));
    desk.place(json!({"price": "98"}));
    assert_eq!(desk.events.len(), 2, "nobody listens by a key that has ended");
    assert_eq!(desk.rest("PUT", "/fapi/v1/listenKey", None).1["code"], -1125);
    let anew = desk.rest("POST", "/fapi/v1/listenKey", None).1["listenKey"].clone();
    assert_ne!(anew, json!(desk.listen_key));
    // The URL may name the key and the events it wants, and a subscription may name it too.
    let anew = anew.as_str().unwrap().to_owned();
    desk.open(3, &format!("/private/stream?listenKey={anew}&events=ACCOUNT_UPDATE/TRADE_LITE"));
    desk.open(4, "/private/stream");
    desk.venue.on_text(4, &json!({"method": "SUBSCRIBE", "params": [anew], "id": "u"}).to_string());
    desk.streamed.clear();
    desk.place(market(json!({})));
    let heard = |conn: u64| {
        desk.streamed.iter().filter(|(to, message)| *to == conn && message["stream"] == *anew).count()
    };
    assert_eq!((heard(3), heard(4)), (2, 4));
}

#[test]
fn a_stream_on_the_wrong_path_is_silent() {
    let mut desk = Desk::new(&[trade(500, Side::Buy, "101", "1"), level(600, Side::Buy, "100", "7")]);
    let all = "btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@aggTrade/btcusdt@trade/btcusdt@markPrice@1s/btcusdt@kline_1m";
    for (conn, path) in [(3, "/public"), (4, "/market"), (5, "")] {
        desk.open(conn, &format!("{path}/stream?streams={all}"));
    }
    desk.run_until(2_000);
    let heard = |conn: u64| -> std::collections::BTreeSet<&str> {
        desk.streamed
            .iter()
            .filter(|(to, _)| *to == conn)
            .filter_map(|(_, m)| m["data"]["e"].as_str())
            .collect()
    };
    assert_eq!(heard(3), ["bookTicker", "depthUpdate"].into());
    assert_eq!(heard(5), heard(3));
    assert_eq!(heard(4), ["aggTrade", "kline", "markPriceUpdate", "trade"].into());
}

/// The venue's own rule for a local book, followed to the letter, gives the venue's book.
#[test]
fn a_book_kept_by_the_venues_rule_is_the_venues() {
    let changes = |n: u64| {
        let (side, prices) = match n % 3 {
            0 => (Side::Sell, ["103", "104"]),
            _ => (Side::Buy, ["98", "97.5"]),
        };
        level(n * 37, side, prices[n as usize % 2], ["0", "2", "5.5"][n as usize % 3])
    };
    let script: Vec<_> = (1..200).map(changes).collect();
    let mut desk = Desk::new(&script);
    desk.open(3, "/public/ws/btcusdt@depth@100ms");
    desk.run_until(1_234);
    let (_, snapshot) = desk.rest("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None);
    desk.place(json!({}));
    desk.run_until(8_000);
    let mut book = std::collections::BTreeMap::new();
    let mut set = |side: &str, levels: &Value| {
        for pair in levels.as_array().unwrap() {
            let key = (side.to_owned(), pair[0].as_str().unwrap().to_owned());
            if pair[1].as_str().unwrap().parse::<f64>().unwrap() == 0.0 {
                book.remove(&key)
            } else {
                book.insert(key, pair[1].clone())
            };
        }
    };
    set("b", &snapshot["bids"]);
    set("a", &snapshot["asks"]);
    let last_id = snapshot["lastUpdateId"].as_u64().unwrap();
    let (mut previous, mut contiguous) = (None, 0);
    for (_, event) in desk.streamed.iter().filter(|(conn, _)| *conn == 3) {
        let id = |name: &str| event[name].as_u64().unwrap();
        if id("u") < last_id {
            continue;
        }
        match previous {
            None => assert!(id("U") <= last_id, "no event to begin with: {event}"),
            Some(previous) => {
                assert_eq!(id("pu"), previous);
                contiguous += u32::from(id("U") == previous + 1);
            }
        }
        previous = Some(id("u"));
        set("b", &event["b"]);
        set("a", &event["a"]);
    }
    assert_eq!(contiguous, 0, "`U` tells nothing on futures");
    let (_, now) = desk.rest("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None);
    assert_eq!(Some(now["lastUpdateId"].as_u64().unwrap()), previous);
    let mut truth = std::collections::BTreeMap::new();
    for (side, name) in [("b", "bids"), ("a", "asks")] {
        for pair in now[name].as_array().unwrap() {
            truth.insert((side.to_owned(), pair[0].as_str().unwrap().to_owned()), pair[1].clone());
        }
    }
    assert_eq!(book, truth);
}

#[test]
fn leverage_is_told_and_modes_that_are_not_offered_are_refused() {
    let mut desk = Desk::new(&[]);
    let mut post = |path: &str, query: &str| desk.rest("POST", path, Some(query)).1;
    let set = post("/fapi/v1/leverage", "symbol=BTCUSDT&leverage=50");
    assert_eq!(set, json!({"symbol": "BTCUSDT", "leverage": 50, "maxNotionalValue": "12000000"}));
    assert_eq!(post("/fapi/v1/leverage", "symbol=BTCUSDT&leverage=126")["code"], -4028);
    assert_eq!(post("/fapi/v1/marginType", "symbol=BTCUSDT&marginType=CROSSED")["code"], -4046);
    assert_eq!(post("/fapi/v1/marginType", "symbol=BTCUSDT&marginType=ISOLATED")["code"], -1020);
    assert_eq!(post("/fapi/v1/positionSide/dual", "dualSidePosition=false")["code"], -4059);
    assert_eq!(post("/fapi/v1/positionSide/dual", "dualSidePosition=true")["code"], -1020);
    assert_eq!(desk.events_of("ACCOUNT_CONFIG_UPDATE")[0]["ac"], json!({"s": "BTCUSDT", "l": 50}));
    assert_eq!(desk.get("/fapi/v1/positionSide/dual", ""), json!({"dualSidePosition": false}));
}

#[test]
fn funding_and_liquidation_reach_the_account() {
    // 2023-11-14 22:13:20; the next funding is at midnight.
    let midnight = 6_400_000;
    let script = [
        level(midnight + 1_000, Side::Buy, "100", "0"),
        level(midnight + 1_000, Side::Buy, "99", "0"),
        level(midnight + 1_000, Side::Sell, "101", "0"),
        level(midnight + 1_000, Side::Sell, "102", "0"),
        level(midnight + 1_000, Side::Buy, "85", "50"),
        level(midnight + 1_000, Side::Sell, "86", "50"),
    ];
    let mut desk = Desk::with(&script, "50", LimitSettings::binance_usdm());
    desk.place(market(json!({"quantity": "4"})));
    desk.events.clear();
    desk.run_until(HOUR_MS - 1_000);
    desk.rest("PUT", "/fapi/v1/listenKey", None);
    desk.run_until(midnight);
    let funding = desk.events_of("ACCOUNT_UPDATE")[0]["a"].clone();
    assert_eq!((funding["m"].as_str(), funding["P"].as_array().unwrap().len()), (Some("FUNDING_FEE"), 0));
    assert_eq!(funding["B"][0]["bc"], "-0.04020000");
    let paid = desk.get("/fapi/v1/income", "incomeType=FUNDING_FEE");
    assert_eq!((paid[0]["income"].as_str(), paid.as_array().unwrap().len()), (Some("-0.04020000"), 1));
    desk.events.clear();
    desk.run_until(midnight + 1_000);
    let orders = desk.events_of("ORDER_TRADE_UPDATE");
    assert!(texts(&orders, "/o/c").iter().all(|name| name.starts_with("autoclose-")), "{orders:?}");
    assert_eq!(texts(&orders, "/o/x"), ["NEW", "TRADE"]);
    let reasons = texts(&desk.events_of("ACCOUNT_UPDATE"), "/a/m");
    assert_eq!(reasons, ["ORDER", "INSURANCE_CLEAR"]);
    assert_eq!(desk.get("/fapi/v3/account", "")["totalWalletBalance"], "0.00000000");
}

#[test]
fn requests_are_counted_and_limited() {
    let limits = LimitSettings { orders_per_10s: 3, weight_per_minute: 40, ..LimitSettings::binance_usdm() };
    let mut desk = Desk::with(&[], "10000", limits);
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=99.5&quantity=1";
    let (head, _) = desk.rest("POST", "/fapi/v1/order", Some(query));
    assert!(head.contains("X-MBX-ORDER-COUNT-10S: 1\r\nX-MBX-ORDER-COUNT-1M: 1"), "{head}");
    desk.rest("POST", "/fapi/v1/order", Some("symbol=BTCUSDT"));
    // A refused request counts as well.
    let (head, _) = desk.rest("POST", "/fapi/v1/order", Some(query));
    assert!(head.contains("X-MBX-ORDER-COUNT-10S: 3"), "{head}");
    let (head, body) = desk.rest("POST", "/fapi/v1/order", Some(query));
    assert!(head.starts_with("HTTP/1.1 429") && head.contains("Retry-After: "), "{head}");
    assert_eq!(body["code"], -1015);
    let (_, body) = desk.rest("DELETE", "/fapi/v1/allOpenOrders", Some("symbol=BTCUSDT"));
    assert_eq!(body["code"], 200, "a cancel still passes");
    desk.rest("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None);
    let (head, _) = desk.rest("GET", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None);
    assert!(head.contains("X-MBX-USED-WEIGHT-1M: "), "{head}");
    let (head, body) = desk.rest("GET", "/fapi/v1/time", None);
    assert!(head.starts_with("HTTP/1.1 429"), "{head}");
    assert_eq!(body["code"], -1003);
}

#[test]
fn what_the_websocket_api_lacks_is_refused_there() {
    let mut desk = Desk::new(&[]);
    for method in ["ping", "time", "openOrders", "allOpenOrders.cancel", "exchangeInfo", "nothing"] {
        assert_eq!(desk.signed(method, json!({"symbol": "BTCUSDT"}))["error"]["code"], -1020, "{method}");
    }
    assert_eq!(desk.ask("session.logout", json!({}))["result"]["apiKey"], Value::Null);
    assert_eq!(desk.signed("v2/account.status", json!({}))["error"]["code"], -1102);
    let (head, _) = desk.rest("GET", "/fapi/v1/nothing", None);
    assert!(head.starts_with("HTTP/1.1 404"));
    let (head, body) = desk.rest("GET", "/fapi/v3/account?timestamp=1&signature=x", None);
    assert!(head.starts_with("HTTP/1.1 400"), "{body}");
    assert_eq!(body["code"], -1022);
}
