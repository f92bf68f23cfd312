//! Messages that others recorded, and requests that others sent.

use super::describe::describe;
use super::desk::{ACCOUNT, TOKEN, instrument, order, settings};
use super::encode::{Ask, Encoder, Spec};
use super::message::{Body, Line, Piece};
use super::settings::SendError;
use super::tape::{Scratch, decode_any, decode_line};
use crate::testing::lines;
use crate::vectors::Tally;
use serde_json::Value;
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, SCALE, Side};
use smc_net::Method;
use std::collections::BTreeMap;

const FILES: [&str; 15] = [
    "rest_account_changes",
    "rest_accounts",
    "rest_errors",
    "rest_order_cancel",
    "rest_order_create",
    "rest_order_replace",
    "rest_orders",
    "rest_position_close",
    "rest_positions",
    "rest_trade_close",
    "rest_trade_orders",
    "rest_trades",
    "rest_transactions",
    "stream_transactions",
    "synthetic_transactions",
];

fn corpus(name: &str) -> Vec<(String, String)> {
    let row = |line: &String| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row["msg"].to_string())
    };
    lines(&format!("data/oanda/{name}.jsonl")).iter().map(row).collect()
}

fn all() -> Vec<(String, String)> {
    FILES.iter().chain(&["synthetic_orders"]).flat_map(|name| corpus(name)).collect()
}

#[test]
fn every_line_about_an_account_is_told() {
    let mut kinds = BTreeMap::<&str, u32>::new();
    for (id, message) in all() {
        let told = describe(&mut message.clone().into_bytes());
        let told = told.unwrap_or_else(|| panic!("{id} is not understood: {message}"));
        for (kind, json) in told {
            assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["kind"], kind, "{json}");
            assert_ne!(kind, "refused", "{id}: {json}");
            *kinds.entry(kind).or_default() += 1;
        }
    }
    println!("{kinds:?}");
    assert!(
        kinds.is_empty() || kinds["fill"] >= 7 && kinds["order"] >= 10 && kinds["cash"] >= 4,
        "{kinds:?}"
    );
}

/// What a recorded fill says, checked against the recording by another reader.
#[test]
fn recorded_fills_are_read_field_by_field() {
    let mut seen = 0;
    for (id, message) in all().iter().filter(|(id, _)| !id.starts_with("synthetic")) {
        let whole: Value = serde_json::from_str(message).unwrap();
        let rows = whole.as_object().unwrap().values().filter(|value| value["type"] == "ORDER_FILL");
        for fill in rows {
            let mut bytes = fill.to_string().into_bytes();
            let read = decode_line(&mut bytes, &mut Scratch::new(), |line| {
                let Line::Transaction(transaction) = line else { panic!("{id}") };
                let Body::Filled(read) = &transaction.body else { panic!("{id}") };
                let number = |text: &Value| Qty::parse(text.as_str().unwrap().as_bytes()).unwrap().0;
                assert_eq!(transaction.id.to_string(), fill["id"]);
                assert_eq!(
                    (read.instrument, read.units.0),
                    (fill["instrument"].as_str().unwrap(), number(&fill["units"]))
                );
                assert_eq!(read.price.0, number(&fill["price"]), "{id}");
                assert_eq!(read.client_id, fill["clientOrderID"].as_str().unwrap_or_default());
                assert_eq!(
                    read.opened.map(|(id, _)| id.to_string()).as_deref(),
                    fill["tradeOpened"]["tradeID"].as_str()
                );
                assert!(read.is_balanced, "{id}: trades add up to the units");
            });
            read.unwrap();
            seen += 1;
        }
    }
    assert!(seen == 0 || seen >= 6, "{seen}");
}

/// Every cut is refused or says less, and damage of any single byte is an answer and never a panic.
#[test]
fn damaged_messages_never_panic() {
    for (_, message) in all() {
        let mut scratch = Scratch::new();
        let step = message.len() / 700 + 1;
        for at in (0..message.len()).step_by(step) {
            let mut cut = message.as_bytes()[..at].to_vec();
            assert!(decode_any(&mut cut, &mut scratch, |_: &Piece<'_>| ()).is_err());
            for byte in [b'"', b'-', b'}', b'9', 0xff] {
                let mut bytes = message.clone().into_bytes();
                bytes[at] = byte;
                let _ = decode_any(&mut bytes, &mut scratch, |_: &Piece<'_>| ());
            }
        }
    }
}

#[test]
fn what_cannot_be_used_is_refused_by_name() {
    let check = |text: &str, expected: &str| {
        let error = decode_line(&mut text.as_bytes().to_vec(), &mut Scratch::new(), |_| ()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    };
    check("[]", "an object without any known mark");
    check("{", "not JSON");
    check("{}", "field type is missing");
    check(r#"{"type":"ORDER_FILL"}"#, "field id is missing");
    check(r#"{"type":"ORDER_FILL","id":"0"}"#, "field id is missing");
    check(r#"{"type":"ORDER_FILL","id":"99999999999999999999"}"#, "field id has the wrong type or range");
    check(r#"{"type":"ORDER_FILL","id":"5","units":"1e5"}"#, "field units: not a decimal number at byte 1");
    check(r#"{"type":"ORDER_FILL","id":"5","units":"0"}"#, "field units is not positive");
    check(r#"{"type":"ORDER_FILL","id":"5","units":"1","price":"-1"}"#, "field price is not positive");
    check(r#"{"type":"ORDER_FILL","id":"5","units":"1","price":"1"}"#, "field instrument is missing");
    check(r#"{"type":"ORDER_FILL","id":"5","time":"noon"}"#, "field time has the wrong type or range");
    check(r#"{"type":"BARRIER_ORDER","id":"5"}"#, "field type holds an unknown word");
    check(r#"{"type":"HEARTBEAT","time":"0"}"#, "field lastTransactionID is missing");
}

/// What they wish, in our words.
fn wish(vector: &Value) -> Result<NewOrder, &'static str> {
    let body: Value = serde_json::from_str(vector["body"].as_str().unwrap()).unwrap();
    let text = |field: &str| body["order"][field].as_str().unwrap_or_default();
    let price = |field: &str| match text(field) {
        "" => Price::ZERO,
        text => Price::parse(text.as_bytes()).unwrap(),
    };
    let (kind, purpose) = match text("type") {
        "MARKET" => (OrderKind::Market, Purpose::Entry),
        "LIMIT" => (OrderKind::Limit, Purpose::Entry),
        "STOP" => (OrderKind::StopLimit, Purpose::Stop),
        "MARKET_IF_TOUCHED" => (OrderKind::StopLimit, Purpose::Target),
        "STOP_LOSS" | "TRAILING_STOP_LOSS" => return Err("an exit by its distance: ours name a price"),
        other => panic!("{}: {other}", vector["id"]),
    };
    let units = Qty::parse(text("units").as_bytes()).unwrap();
    let is_waiting = kind == OrderKind::StopLimit;
    let bound = if price("priceBound") == Price::ZERO { price("price") } else { price("priceBound") };
    let place = SYMBOLS.iter().position(|row| row.0 == text("instrument")).unwrap();
    Ok(NewOrder {
        instrument: InstrumentId(place as u16),
        side: if units < Qty::ZERO { Side::Sell } else { Side::Buy },
        kind,
        time_in_force: if text("timeInForce") == "FOK" { TimeInForce::Fok } else { TimeInForce::Gtc },
        price: if is_waiting { bound } else { price("price") },
        stop_price: if is_waiting { price("price") } else { Price::ZERO },
        qty: units.abs(),
        purpose,
        ..order(1)
    })
}

const SYMBOLS: [(&str, i64); 3] = [("EUR_USD", 1_000), ("GBP_USD", 1_000), ("XAU_USD", 100_000)];

/// Ours, or why there is none.
fn asked(vector: &Value, encoder: &Encoder) -> Result<Ask, &'static str> {
    Ok(match vector["call"].as_str().unwrap() {
        "OrderCreate" | "order.market" | "order.limit" => encoder.place(&wish(vector)?).unwrap(),
        "OrderCancel" => encoder.cancel(Spec::Venue(6_372)),
        "OrderCancel by client id" | "order.cancel" => encoder.cancel(Spec::Client(order(1).client_order_id)),
        "OrderDetails" => encoder.details(Spec::Venue(6_372)),
        "AccountDetails" => encoder.account(),
        "AccountSummary" | "account.summary" => encoder.summary(),
        "TransactionsSinceID" => encoder.since(2_306),
        "TransactionIDRange" => encoder.range(2_304, 2_306),
        "transaction.stream" => {
            let path = encoder.stream_path().replacen(&format!("/v3/accounts/{ACCOUNT}"), "", 1);
            Ask { method: Method::Get, path, body: String::new() }
        }
        "OrdersPending" | "OrderList" | "OpenTrades" => {
            return Err("a list by itself: the account's holds all");
        }
        "AccountList" => return Err("all accounts: one is named in the settings"),
        "AccountChanges" | "account.changes" => {
            return Err("changes by polling: the stream and its lists tell");
        }
        "AccountConfiguration" => return Err("a setting of the account: a person's"),
        "PositionClose" => return Err("a close without an order: ours are orders"),
        call if call.starts_with("Pricing") || call.starts_with("pricing") => {
            return Err("market data: the feed asks");
        }
        call if call.to_lowercase().contains("candles") => return Err("market data: the feed asks"),
        call => panic!("{}: {call}", vector["id"]),
    })
}

/// Method, path, headers and body.
fn assert_equal(vector: &Value, encoder: &Encoder, ours: Ask) {
    let call = encoder.call(1, ours);
    let id = &vector["id"];
    let (path, query) = call.path.split_once('?').map_or((&*call.path, None), |(p, q)| (p, Some(q)));
    // The order's name is ours.
    let path = path.replace(&format!("@{}/", order(1).client_order_id), "@NAME/");
    let theirs = ["@eng-1/", "@eng-9/"]
        .iter()
        .fold(vector["path"].as_str().unwrap().to_owned(), |path, name| path.replace(name, "@NAME/"));
    assert_eq!(format!("{:?}", call.method).to_uppercase(), vector["method"].as_str().unwrap(), "{id}");
    assert_eq!((path, query), (theirs, vector["query"].as_str()), "{id}");
    for (name, value) in &call.headers {
        assert_eq!(vector["headers"][name], *value, "{id}");
    }
    let Some(theirs) = vector["body"].as_str() else {
        assert!(call.body.is_empty(), "{id}");
        return;
    };
    let mut theirs: Value = serde_json::from_str(theirs).unwrap();
    let mut said: Value = serde_json::from_slice(&call.body).unwrap();
    let (theirs, said) = (theirs["order"].as_object_mut().unwrap(), said["order"].as_object_mut().unwrap());
    // Our own names, defaults in words, and day orders, which we do not have.
    let client_id = said.remove("clientExtensions").unwrap();
    assert_eq!(client_id["id"], order(1).client_order_id.to_string());
    theirs.remove("clientExtensions");
    theirs.remove("triggerCondition");
    if theirs["timeInForce"] == "GFD" {
        theirs.insert("timeInForce".into(), "GTC".into());
    }
    if theirs["type"] == "MARKET_IF_TOUCHED" {
        said.remove("priceBound");
    }
    assert_eq!(said, theirs, "{id}");
}

/// Requests that other clients sent with the same wishes, field by field.
#[test]
fn every_request_equals_theirs_field_by_field_or_is_not_ours() {
    let instruments: Vec<_> =
        (0..).zip(SYMBOLS).map(|(id, (name, tick))| instrument(id, name, tick)).collect();
    let encoder = Encoder::new(&settings(), &instruments);
    let mut tally = Tally::default();
    for line in lines("data/oanda/request_vectors.jsonl") {
        let vector: Value = serde_json::from_str(&line).unwrap();
        tally.count(asked(&vector, &encoder).map(|ours| assert_equal(&vector, &encoder, ours)));
    }
    let not_ours = [
        ("a close without an order: ours are orders", 1),
        ("a list by itself: the account's holds all", 3),
        ("a setting of the account: a person's", 1),
        ("all accounts: one is named in the settings", 1),
        ("an exit by its distance: ours name a price", 2),
        ("changes by polling: the stream and its lists tell", 2),
        ("market data: the feed asks", 6),
    ];
    tally.expect("oanda/request_vectors", 15, &not_ours);
}

#[test]
fn an_order_is_said_exactly_or_not_at_all() {
    let encoder = Encoder::new(&settings(), &[instrument(0, "EUR_USD", 1_000)]);
    let body = |order: &NewOrder| encoder.place(order).map(|ask| ask.body);
    let terms = OrderTerms {
        stop_on_fill: Price(109_000_000),
        target_on_fill: Price(112_345_000),
        ..OrderTerms::PLAIN
    };
    let bracket = NewOrder { terms, side: Side::Sell, ..order(1) };
    assert_eq!(
        body(&bracket).unwrap(),
        "{\"order\":{\"type\":\"LIMIT\",\"instrument\":\"EUR_USD\",\"units\":\"-100\",\"price\":\"1.10000\",\
         \"timeInForce\":\"GTC\",\"positionFill\":\"DEFAULT\",\"stopLossOnFill\":{\"price\":\"1.09000\",\
         \"timeInForce\":\"GTC\",\"clientExtensions\":{\"id\":\"x0007010000000002\"}},\"takeProfitOnFill\":{\
         \"price\":\"1.12345\",\"timeInForce\":\"GTC\",\"clientExtensions\":{\"id\":\"x0007010000000003\"}},\
         \"clientExtensions\":{\"id\":\"x0007010000000001\"}}}"
    );
    let terms = OrderTerms { reduce_only: true, ..OrderTerms::PLAIN };
    let close = NewOrder { terms, kind: OrderKind::Market, time_in_force: TimeInForce::Ioc, ..order(1) };
    let close = body(&close).unwrap();
    assert!(
        close.contains("\"timeInForce\":\"IOC\",\"positionFill\":\"REDUCE_ONLY\"")
            && !close.contains("price")
    );
    for (order, error) in [
        (NewOrder { kind: OrderKind::LimitMaker, ..order(1) }, SendError::Unsupported),
        (NewOrder { price: Price(110_000_001), ..order(1) }, SendError::BadPrice),
        (NewOrder { price: Price::ZERO, ..order(1) }, SendError::BadPrice),
        (NewOrder { price: Price(-110_000_000), ..order(1) }, SendError::BadPrice),
        (NewOrder { qty: Qty(SCALE / 2), ..order(1) }, SendError::BadQty),
        (NewOrder { qty: Qty(-SCALE), ..order(1) }, SendError::BadQty),
        (NewOrder { instrument: InstrumentId(9), ..order(1) }, SendError::UnknownInstrument),
        (
            NewOrder { terms: OrderTerms { oco: ClientOrderId(5), ..OrderTerms::PLAIN }, ..order(1) },
            SendError::Unsupported,
        ),
        // A stop to buy that may fill at no price at or beyond its trigger.
        (
            NewOrder { kind: OrderKind::StopLimit, stop_price: Price(111_000_000), ..order(1) },
            SendError::BadPrice,
        ),
    ] {
        assert_eq!(encoder.place(&order).map(|_| ()), Err(error), "{order:?}");
    }
}

#[test]
fn the_token_is_in_the_header_alone_and_orders_are_never_repeated() {
    let encoder = Encoder::new(&settings(), &[instrument(0, "EUR_USD", 1_000)]);
    let call = encoder.call(1, encoder.place(&order(1)).unwrap());
    assert_eq!(call.headers[0], ("Authorization".to_owned(), format!("Bearer {TOKEN}")));
    assert!(!call.is_repeatable && call.method == Method::Post);
    assert!(!encoder.call(2, encoder.cancel(Spec::Client(order(1).client_order_id))).is_repeatable);
    assert!(encoder.call(3, encoder.account()).is_repeatable);
    assert_eq!(encoder.call(3, encoder.account()).path, format!("/v3/accounts/{ACCOUNT}"));
    let shown = format!("{call:?} {:?}", settings());
    assert!(!shown.contains("aaaa1111") && shown.contains("path"), "{shown}");
}
