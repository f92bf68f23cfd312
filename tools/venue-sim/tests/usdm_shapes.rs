//! What the futures dialect writes has every key that the venue's documents and captures show, with its type.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::corpus;
use common::desk::{level, trade};
use common::usdm::{Desk, market};
use serde_json::{Value, json};
use smc_core::Side;
use venue_sim::dialect::Dialect;

/// Keys of features that the simulator does not offer: trailing stops, and answers of the venue's other pages.
const ABSENT: [&str; 4] = ["activatePrice", "priceRate", "AP", "cr"];

fn samples(file: &str) -> Vec<Value> {
    let text = corpus(&format!("usdm/{file}.jsonl")).unwrap_or_default();
    let raw = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let message: Value = serde_json::from_str(line["raw"].as_str().unwrap()).unwrap();
        if message.get("stream").is_some() { message["data"].clone() } else { message }
    };
    text.lines().map(raw).collect()
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// Every key of the sample is in ours with its type, all the way down; of lists the first lines are compared.
fn covers(ours: &Value, sample: &Value, at: &str, missing: &mut Vec<String>) {
    match (ours, sample) {
        (Value::Object(ours), Value::Object(sample)) => {
            for (key, theirs) in sample.iter().filter(|(key, _)| !ABSENT.contains(&key.as_str())) {
                match ours.get(key) {
                    None => missing.push(format!("{at}.{key}")),
                    Some(our) => covers(our, theirs, &format!("{at}.{key}"), missing),
                }
            }
        }
        (Value::Array(ours), Value::Array(sample)) => {
            if let (Some(our), Some(theirs)) = (ours.first(), sample.first()) {
                covers(our, theirs, &format!("{at}[0]"), missing);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ if kind(ours) != kind(sample) => missing.push(format!("{at}: ours {ours}, sample {sample}")),
        _ => {}
    }
}

/// Ours covers every sample of the file but for the keys named.
#[track_caller]
fn check(file: &str, ours: &Value, apart_from: &[&str]) {
    for sample in samples(file) {
        let mut missing = Vec::new();
        covers(ours, &sample, "", &mut missing);
        missing.retain(|path| !apart_from.iter().any(|known| path.starts_with(known)));
        assert!(missing.is_empty(), "{file}: {missing:?}\nours {ours}\nsample {sample}");
    }
}

fn script() -> Vec<venue_sim::market::MarketOp> {
    vec![
        trade(500, Side::Buy, "101", "1"),
        trade(600, Side::Sell, "99.5", "0.4"),
        level(900, Side::Buy, "98", "3"),
        trade(3_100, Side::Sell, "100", "1"),
    ]
}

#[test]
fn rest_answers() {
    let mut desk = Desk::new(&script());
    desk.run_until(1_000);
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=99.5&quantity=1";
    let placed = desk.rest("POST", "/fapi/v1/order", Some(limit)).1;
    check("rest/POST_fapi_v1_order", &placed, &[]);
    let id = placed["orderId"].clone();
    desk.rest("POST", "/fapi/v1/order", Some("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1"));
    let modify = format!("symbol=BTCUSDT&side=BUY&orderId={id}&price=99&quantity=2");
    check("rest/PUT_fapi_v1_order", &desk.rest("PUT", "/fapi/v1/order", Some(&modify)).1, &[]);
    let named = format!("symbol=BTCUSDT&orderId={id}");
    check("rest/GET_fapi_v1_order", &desk.get("/fapi/v1/order", &named), &[]);
    check("rest/GET_fapi_v1_openOrder", &desk.get("/fapi/v1/openOrder", &named), &[]);
    check("rest/GET_fapi_v1_openOrders", &desk.get("/fapi/v1/openOrders", ""), &[]);
    check("rest/GET_fapi_v1_allOrders", &desk.get("/fapi/v1/allOrders", "symbol=BTCUSDT"), &[]);
    check("rest/GET_fapi_v1_userTrades", &desk.get("/fapi/v1/userTrades", "symbol=BTCUSDT"), &[]);
    check("rest/GET_fapi_v2_account", &desk.get("/fapi/v2/account", ""), &[]);
    check("rest/GET_fapi_v3_account", &desk.get("/fapi/v3/account", ""), &[]);
    check("rest/GET_fapi_v2_balance", &desk.get("/fapi/v2/balance", ""), &[]);
    check("rest/GET_fapi_v2_positionRisk", &desk.get("/fapi/v2/positionRisk", ""), &[]);
    check("rest/GET_fapi_v3_positionRisk", &desk.get("/fapi/v3/positionRisk", ""), &[]);
    check("rest/GET_fapi_v1_accountConfig", &desk.get("/fapi/v1/accountConfig", ""), &[]);
    // The pages disagree on whether this is a truth value or its text.
    check("rest/GET_fapi_v1_symbolConfig", &desk.get("/fapi/v1/symbolConfig", ""), &["[0].isAutoAddMargin:"]);
    check("rest/GET_fapi_v1_commissionRate", &desk.get("/fapi/v1/commissionRate", "symbol=BTCUSDT"), &[]);
    check("rest/GET_fapi_v1_multiAssetsMargin", &desk.get("/fapi/v1/multiAssetsMargin", ""), &[]);
    check("rest/GET_fapi_v1_positionSide_dual", &desk.get("/fapi/v1/positionSide/dual", ""), &[]);
    check("rest/GET_fapi_v1_rateLimit_order", &desk.get("/fapi/v1/rateLimit/order", ""), &[]);
    // The venue answers with one line or with a list of one; both are documented, ours is the list.
    let brackets = desk.get("/fapi/v1/leverageBracket", "symbol=BTCUSDT");
    check("rest/GET_fapi_v1_leverageBracket", &brackets, &[":"]);
    check("rest/DELETE_fapi_v1_order", &desk.rest("DELETE", "/fapi/v1/order", Some(&named)).1, &[]);
    let post = |desk: &mut Desk, path: &str, query: &str| desk.rest("POST", path, Some(query)).1;
    let set = post(&mut desk, "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=21");
    check("rest/POST_fapi_v1_leverage", &set, &[]);
    let countdown = post(&mut desk, "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=9000");
    check("rest/POST_fapi_v1_countdownCancelAll", &countdown, &[]);
    let key = desk.rest("POST", "/fapi/v1/listenKey", None).1;
    check("rest/POST_fapi_v1_listenKey", &key, &[]);
    check("rest/PUT_fapi_v1_listenKey", &desk.rest("PUT", "/fapi/v1/listenKey", None).1, &[]);
    check("rest/error", &desk.rest("GET", "/fapi/v1/depth?symbol=NOSUCH", None).1, &[]);
}

#[test]
fn conditional_orders() {
    let mut desk = Desk::new(&script());
    let query = "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=TAKE_PROFIT&triggerPrice=110&price=110&quantity=1&timeInForce=GTC";
    let placed = desk.rest("POST", "/fapi/v1/algoOrder", Some(query)).1;
    check("rest/POST_fapi_v1_algoOrder", &placed, &[]);
    let named = format!("algoId={}", placed["algoId"]);
    check("rest/GET_fapi_v1_algoOrder", &desk.get("/fapi/v1/algoOrder", &named), &[]);
    check("rest/GET_fapi_v1_openAlgoOrders", &desk.get("/fapi/v1/openAlgoOrders", ""), &[]);
    check("rest/GET_fapi_v1_allAlgoOrders", &desk.get("/fapi/v1/allAlgoOrders", "symbol=BTCUSDT"), &[]);
    let update = desk.events_of("ALGO_UPDATE")[0].clone();
    check("user/ALGO_UPDATE", &update, &[".o.rm"]);
    // One fixture holds the whole order, which the venue's own page does not.
    let gone = desk.rest("DELETE", "/fapi/v1/algoOrder", Some(&named)).1;
    let documented = samples("rest/DELETE_fapi_v1_algoOrder").into_iter().next();
    let mut missing = Vec::new();
    covers(&gone, &documented.unwrap_or_default(), "", &mut missing);
    assert!(missing.is_empty(), "{missing:?}");
    let all = desk.rest("DELETE", "/fapi/v1/algoOpenOrders", Some("symbol=BTCUSDT")).1;
    check("rest/DELETE_fapi_v1_algoOpenOrders", &all, &[]);
}

#[test]
fn public_answers() {
    let mut desk = Desk::new(&script());
    desk.run_until(61_000);
    let mut get = |path: &str| desk.rest("GET", path, None).1;
    check("rest/GET_fapi_v1_depth", &get("/fapi/v1/depth?symbol=BTCUSDT"), &[]);
    check("rest/GET_fapi_v1_klines", &get("/fapi/v1/klines?symbol=BTCUSDT&interval=1m"), &[]);
    check("rest/GET_fapi_v1_trades", &get("/fapi/v1/trades?symbol=BTCUSDT"), &[]);
    check("rest/GET_fapi_v1_aggTrades", &get("/fapi/v1/aggTrades?symbol=BTCUSDT"), &[]);
    check("rest/GET_fapi_v1_time", &get("/fapi/v1/time"), &[]);
    let one = get("/fapi/v1/premiumIndex?symbol=BTCUSDT");
    check("rest/GET_fapi_v1_premiumIndex", &one, &[":"]);
    check("rest/GET_fapi_v1_premiumIndex", &get("/fapi/v1/premiumIndex"), &[":"]);
    check("rest/GET_fapi_v1_ticker_bookTicker", &get("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT"), &[":"]);
    check("rest/GET_fapi_v1_ticker_bookTicker", &get("/fapi/v1/ticker/bookTicker"), &[":"]);
    let info = get("/fapi/v1/exchangeInfo");
    // The pages disagree on whether `autoAssetExchange` and `multiplierDecimal` are numbers; captures have strings.
    check("rest/GET_fapi_v1_exchangeInfo", &info, &[".assets[0].autoAssetExchange:"]);
    for sample in samples("rest/filter") {
        let ours = info["symbols"][0]["filters"].as_array().unwrap().iter();
        let ours = ours.clone().find(|filter| filter["filterType"] == sample["filterType"]).unwrap();
        let mut missing = Vec::new();
        covers(ours, &sample, "", &mut missing);
        missing.retain(|path| !path.starts_with(".multiplierDecimal:"));
        assert!(missing.is_empty(), "{missing:?}");
    }
    desk.run_until(6_460_000);
    let rates = desk.rest("GET", "/fapi/v1/fundingRate?symbol=BTCUSDT", None).1;
    assert_eq!(rates.as_array().unwrap().len(), 1);
    check("rest/GET_fapi_v1_fundingRate", &rates, &[]);
}

#[test]
fn websocket_api_answers() {
    let mut desk = Desk::new(&script());
    let placed = desk.place(json!({}));
    check("wsapi/order.place.response", &placed, &[]);
    let id = placed["result"]["orderId"].clone();
    let modify = json!({"symbol": "BTCUSDT", "side": "BUY", "orderId": id, "price": "99", "quantity": "2"});
    check("wsapi/order.modify.response", &desk.signed("order.modify", modify), &[]);
    let named = json!({"symbol": "BTCUSDT", "orderId": id});
    check("wsapi/order.status.response", &desk.signed("order.status", named.clone()), &[]);
    check("wsapi/order.cancel.response", &desk.signed("order.cancel", named), &[]);
    desk.place(market(json!({})));
    for method in [
        "account.status",
        "account.position",
        "v2/account.status",
        "v2/account.position",
        "v2/account.balance",
    ] {
        let answer = desk.signed(method, json!({}));
        check(&format!("wsapi/{}.response", method.replace('/', "_")), &answer, &[]);
    }
    check("wsapi/depth.response", &desk.ask("depth", json!({"symbol": "BTCUSDT"})), &[]);
    check(
        "wsapi/ticker.book.response",
        &desk.ask("ticker.book", json!({"symbol": "BTCUSDT"})),
        &[".result:"],
    );
    check("wsapi/session.response", &desk.ask("session.status", json!({})), &[]);
    check("wsapi/userDataStream.ping.response", &desk.ask("userDataStream.ping", json!({})), &[]);
    check("wsapi/userDataStream.start.response", &desk.ask("userDataStream.start", json!({})), &[]);
    check("wsapi/userDataStream.stop.response", &desk.ask("userDataStream.stop", json!({})), &[]);
    let algo = json!({"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL", "type": "TAKE_PROFIT",
                      "triggerPrice": "110", "price": "110", "quantity": "1", "clientAlgoId": "t"});
    check("wsapi/algoOrder.place.response", &desk.signed("algoOrder.place", algo), &[]);
    let gone = desk.signed("algoOrder.cancel", json!({"clientAlgoId": "t"}));
    check("wsapi/algoOrder.cancel.response", &gone, &[]);
    let error = desk.place(json!({"quantity": null}));
    let sample = samples("wsapi/error").into_iter().next().unwrap_or_default();
    let mut missing = Vec::new();
    covers(&error, &sample, "", &mut missing);
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn private_events() {
    let mut desk = Desk::new(&script());
    desk.place(json!({}));
    desk.run_until(700);
    desk.rest("POST", "/fapi/v1/leverage", Some("symbol=BTCUSDT&leverage=21"));
    let fill = desk.events_of("ORDER_TRADE_UPDATE")[1].clone();
    // A key of some fixtures, always null.
    check("user/ORDER_TRADE_UPDATE", &fill, &[".o.W"]);
    check("user/TRADE_LITE", desk.events_of("TRADE_LITE")[0], &[]);
    check("user/ACCOUNT_UPDATE", desk.events_of("ACCOUNT_UPDATE")[0], &[]);
    check("user/ACCOUNT_CONFIG_UPDATE", desk.events_of("ACCOUNT_CONFIG_UPDATE")[0], &[".ai"]);
    desk.run_until(3_601_000);
    check("user/listenKeyExpired", desk.events_of("listenKeyExpired")[0], &[]);
}

#[test]
fn stream_events() {
    let mut desk = Desk::new(&script());
    desk.open(3, "/public/ws/btcusdt@bookTicker/btcusdt@depth@100ms");
    desk.open(4, "/market/ws/btcusdt@aggTrade/btcusdt@trade/btcusdt@markPrice@1s/btcusdt@kline_1m");
    desk.open(5, "/market/ws/!markPrice@arr@1s");
    desk.open(6, "/public/ws/btcusdt@depth5@500ms");
    desk.run_until(5_000);
    let ours = |conn: u64, kind: &str| {
        let is_it = |(to, message): &&(u64, Value)| *to == conn && (kind.is_empty() || message["e"] == kind);
        desk.streamed.iter().find(is_it).unwrap().1.clone()
    };
    // `m` of a bookTicker capture's neighbours and `ps` of some pages' samples are the venue's newer keys.
    for (conn, name) in [
        (3, "bookTicker"),
        (3, "depthUpdate"),
        (4, "aggTrade"),
        (4, "trade"),
        (4, "kline"),
        (4, "markPriceUpdate"),
    ] {
        check(&format!("stream/{name}"), &ours(conn, name), &[]);
    }
    check("stream/markPriceUpdate.array", &ours(5, ""), &[]);
    check("stream/depthUpdate.partial", &ours(6, ""), &[]);
    for text in ["SUBSCRIBE", "LIST_SUBSCRIPTIONS"] {
        desk.venue.on_text(3, &json!({"method": text, "params": ["btcusdt@depth"], "id": 3}).to_string());
    }
}

/// Scanners made for the live venue's bytes rely on its key order, so the captured events set it.
#[test]
fn stream_events_keep_the_captured_key_order() {
    fn keys(text: &str) -> Vec<String> {
        // The keys of the outer object: what stands before a colon at depth one, outside strings.
        let (mut depth, mut keys, mut rest) = (0, Vec::new(), text);
        while let Some(at) = rest.find(['{', '}', '[', ']', '"']) {
            let (byte, after) = (rest.as_bytes()[at], &rest[at + 1..]);
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {
                    let (word, after) = after.split_once('"').unwrap();
                    if depth == 1 && after.starts_with(':') {
                        keys.push(word.to_owned());
                    }
                    rest = after;
                    continue;
                }
            }
            rest = after;
        }
        keys
    }
    let mut desk = Desk::new(&script());
    desk.open(3, "/public/ws/btcusdt@bookTicker/btcusdt@depth@100ms");
    desk.open(4, "/market/ws/btcusdt@aggTrade/btcusdt@trade/btcusdt@kline_1m");
    desk.run_until(5_000);
    for name in ["trade", "aggTrade", "depthUpdate", "kline", "bookTicker"] {
        let Some(text) = corpus(&format!("usdm/stream/{name}.jsonl")) else { return };
        let captured = text.lines().find(|line| line.contains("\"capture\"")).unwrap();
        let line: Value = serde_json::from_str(captured).unwrap();
        let raw = line["raw"].as_str().unwrap();
        let event = raw.split_once("\"data\":").map_or(raw, |(_, data)| &data[..data.len() - 1]);
        let ours = desk.raw.iter().find(|text| text.contains(&format!("\"e\":\"{name}\""))).unwrap();
        let known = keys(event);
        // Keys that came after the capture may stand anywhere.
        let ours: Vec<_> = keys(ours).into_iter().filter(|key| known.contains(key)).collect();
        assert_eq!(ours, known, "{name}");
    }
}
