//! Orders at the simulated Oanda: what fills, at which price, what is cancelled, what is refused, and in which words.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::oanda::{Desk, EUR_USD, HEDGE, START_S, USD_JPY, amount, at, halted, quote, text};
use serde_json::{Value, json};
use smc_core::words::SCALE;
use venue_sim::dialect::Dialect;

fn market(units: &str) -> Value {
    json!({"type": "MARKET", "instrument": "EUR_USD", "units": units})
}

fn limit(units: &str, price: &str) -> Value {
    json!({"type": "LIMIT", "instrument": "EUR_USD", "units": units, "price": price})
}

fn with(mut order: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        order[key] = value.clone();
    }
    order
}

fn id(answer: &Value, key: &str) -> u64 {
    text(answer, &format!("/{key}/id")).parse().unwrap_or_else(|_| panic!("no {key}: {answer}"))
}

/// Hours of market time in milliseconds.
const HOUR: u64 = 3_600_000;

#[test]
fn a_bracketed_market_order_tells_its_six_transactions_in_the_captured_order() {
    let mut desk = Desk::new(&[quote(1_000, EUR_USD, "1.09490", "1.09500", 1_000)]);
    desk.stream("/transactions/stream");
    let bracket = json!({"takeProfitOnFill": {"price": "1.10500"}, "stopLossOnFill": {"price": "1.09500"}});
    let answer = desk.place(with(market("100"), bracket));
    let n = id(&answer, "orderCreateTransaction");
    assert_eq!(id(&answer, "orderFillTransaction"), n + 1);
    assert_eq!(text(&answer, "/orderFillTransaction/price"), "1.10010");
    assert_eq!(text(&answer, "/orderFillTransaction/tradeOpened/tradeID"), (n + 1).to_string());
    // The two orders of the trade stand in the list of numbers and on the stream only.
    let related: Vec<String> = (n..n + 4).map(|id| id.to_string()).collect();
    assert_eq!(answer["relatedTransactionIDs"], json!(related));
    assert!(answer.get("takeProfitOrderTransaction").is_none());
    assert!(
        desk.head.contains(&format!("Location: /v3/accounts/{}/orders/{n}", desk.account)),
        "{}",
        desk.head
    );

    desk.run_until(1_000);
    let told: Vec<(u64, String)> = desk.told();
    let expected = [
        (n, "MARKET_ORDER"),
        (n + 1, "ORDER_FILL"),
        (n + 2, "TAKE_PROFIT_ORDER"),
        (n + 3, "STOP_LOSS_ORDER"),
        (n + 4, "ORDER_FILL"),
        (n + 5, "ORDER_CANCEL"),
    ];
    assert_eq!(told, expected.map(|(id, kind)| (id, kind.to_owned())));
    let log = desk.log();
    let of = |id: u64| log[usize::try_from(id).unwrap() - 1].clone();
    assert_eq!((text(&of(n + 4), "/reason"), text(&of(n + 4), "/price")), ("STOP_LOSS_ORDER", "1.09490"));
    assert_eq!(
        (text(&of(n + 5), "/reason"), text(&of(n + 5), "/orderID")),
        ("LINKED_TRADE_CLOSED", (n + 2).to_string().as_str())
    );
    // 100 units, 52 pips lost: 0.52 dollars.
    assert_eq!(text(&of(n + 4), "/pl"), "-0.5200");
    assert_eq!(text(&desk.get("/summary"), "/account/balance"), "9999.4800");
}

#[test]
fn a_market_order_walks_the_ladder_and_the_next_quote_fills_it_again() {
    let mut desk = Desk::new(&[quote(500, EUR_USD, "1.10000", "1.10010", 1_000)]);
    // 1,000 at 1.10010 and 500 at 1.10011: on the grid, against the buyer.
    let answer = desk.place(market("1500"));
    assert_eq!(text(&answer, "/orderFillTransaction/price"), "1.10011");
    // 4,500 are left at the second price.
    let answer = desk.place(market("4501"));
    assert_eq!(text(&answer, "/orderCancelTransaction/reason"), "INSUFFICIENT_LIQUIDITY");
    let answer = desk.place(with(market("4501"), json!({"timeInForce": "IOC"})));
    assert_eq!(text(&answer, "/orderFillTransaction/units"), "4500");
    assert_eq!(text(&answer, "/orderFillTransaction/requestedUnits"), "4501");
    desk.run_until(500);
    assert_eq!(text(&desk.place(market("10")), "/orderFillTransaction/price"), "1.10010");
}

#[test]
fn a_limit_order_has_the_better_price_and_waits_with_the_rest() {
    let mut desk = Desk::new(&[
        quote(500, EUR_USD, "1.09900", "1.09910", 1_000),
        quote(900, EUR_USD, "1.09880", "1.09890", 1_000),
    ]);
    let answer = desk.place(limit("100", "1.20000"));
    assert_eq!(text(&answer, "/orderFillTransaction/price"), "1.10010");
    assert_eq!(text(&answer, "/orderFillTransaction/reason"), "LIMIT_ORDER");
    let answer = desk.place(limit("7000", "1.09910"));
    assert!(answer.get("orderFillTransaction").is_none());
    let waiting = id(&answer, "orderCreateTransaction");
    // At 1.09910 only the first bucket is within the limit; the rest is a new order that keeps the price.
    desk.run_until(500);
    let fill = desk.log().pop().unwrap();
    assert_eq!(
        (text(&fill, "/type"), text(&fill, "/replacesOrderID")),
        ("LIMIT_ORDER", waiting.to_string().as_str())
    );
    assert_eq!((text(&fill, "/units"), text(&fill, "/price")), ("6000", "1.09910"));
    desk.run_until(900);
    let pending = desk.get("/pendingOrders");
    assert_eq!(pending["orders"].as_array().unwrap().len(), 0, "{pending}");
    assert_eq!(text(&desk.get("/positions/EUR_USD"), "/position/long/units"), "7100");
}

#[test]
fn the_market_refuses_with_a_cancel_after_the_create() {
    let mut desk = Desk::new(&[halted(500, EUR_USD, "1.10000", "1.10010")]);
    let answer = desk.place(with(market("6000"), json!({"priceBound": "1.10000"})));
    assert_eq!(text(&answer, "/orderCancelTransaction/reason"), "BOUNDS_VIOLATION");
    // 10,000 dollars hold at most 10,000 / 0.0333 of value; the ladder is no matter at an account of so little.
    let answer = desk.place(json!({"type": "MARKET", "instrument": "USD_JPY", "units": "6000", "takeProfitOnFill": {"price": "100.000"}}));
    assert_eq!(text(&answer, "/orderCancelTransaction/reason"), "TAKE_PROFIT_ON_FILL_LOSS");
    desk.run_until(500);
    let answer = desk.place(market("100"));
    let create = id(&answer, "orderCreateTransaction");
    assert_eq!(text(&answer, "/orderCancelTransaction/reason"), "MARKET_HALTED");
    assert_eq!(text(&answer, "/orderCancelTransaction/orderID"), create.to_string());
    assert_eq!(answer["relatedTransactionIDs"], json!([create.to_string(), (create + 1).to_string()]));
    // What waits may be placed while nothing is dealt.
    assert!(desk.place(limit("100", "1.20000")).get("orderCancelTransaction").is_none());
}

#[test]
fn margin_is_asked_for_before_a_trade_opens_and_everything_is_closed_when_it_is_gone() {
    let deep = |ms, bid: &str, ask: &str| quote(ms, EUR_USD, bid, ask, 10_000_000);
    let mut desk = Desk::new(&[
        deep(500, "1.10000", "1.10010"),
        deep(1_000, "1.08000", "1.08010"),
        deep(1_500, "1.06000", "1.06010"),
        halted(2_000, EUR_USD, "1.06000", "1.06010"),
    ]);
    desk.stream("/transactions/stream");
    desk.run_until(500);
    // 3.33 % of 300,000 euros is 10,989 dollars: more than there is.
    assert_eq!(text(&desk.place(market("300000")), "/orderCancelTransaction/reason"), "INSUFFICIENT_MARGIN");
    desk.place(market("250000"));
    desk.run_until(1_000);
    let account = desk.get("/summary");
    // 201 pips on 250,000 and the wider closeout prices: 5,025 dollars are lost, 9,000 are margin.
    assert_eq!(text(&account, "/account/unrealizedPL"), "-5025.0000");
    assert!(amount(&account, "/account/marginCallPercent") > SCALE, "{account}");
    assert!(desk.told().iter().any(|it| it.1 == "MARGIN_CALL_ENTER"));
    desk.run_until(1_500);
    let log = desk.log();
    let closeout = log.iter().find(|it| text(it, "/reason") == "MARKET_ORDER_MARGIN_CLOSEOUT").unwrap();
    // At the closeout bid, whatever the ladder holds.
    assert_eq!(text(closeout, "/price"), "1.05991");
    assert!(log.iter().any(|it| text(it, "/marginCloseout/reason") == "MARGIN_CHECK_VIOLATION"));
    assert!(
        log.iter().any(|it| text(it, "/type") == "MARGIN_CALL_EXIT")
            || desk.get("/summary")["account"]["marginCallEnterTime"].is_string()
    );
    assert_eq!(desk.get("/openTrades")["trades"], json!([]));
}

#[test]
fn what_is_understood_and_refused_is_in_the_log_and_what_is_malformed_is_not() {
    let mut desk = Desk::new(&[]);
    let on_fill = |kind: &str, body: Value| with(market("1"), json!({kind: body}));
    let cases = [
        (limit("0", "1.1"), "UNITS_INVALID"),
        (limit("1.5", "1.1"), "UNITS_PRECISION_EXCEEDED"),
        (limit("100000001", "1.1"), "UNITS_LIMIT_EXCEEDED"),
        (limit("1", "1.33687666666666"), "PRICE_PRECISION_EXCEEDED"),
        (limit("1", "0"), "PRICE_INVALID"),
        (json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "1"}), "PRICE_MISSING"),
        (json!({"type": "MARKET", "instrument": "EUR_USD"}), "UNITS_MISSING"),
        (json!({"type": "MARKET", "instrument": "EUR_XXX", "units": "1"}), "INSTRUMENT_UNKNOWN"),
        (with(market("1"), json!({"timeInForce": "GTC"})), "TIME_IN_FORCE_INVALID"),
        (with(market("1"), json!({"priceBound": "1.123456"})), "PRICE_BOUND_PRECISION_EXCEEDED"),
        (with(limit("1", "1.0"), json!({"timeInForce": "GTD"})), "TIME_IN_FORCE_GTD_TIMESTAMP_MISSING"),
        (
            with(limit("1", "1.0"), json!({"timeInForce": "GTD", "gtdTime": "2020-01-01T00:00:00Z"})),
            "TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST",
        ),
        (
            with(limit("1", "1.0"), json!({"clientExtensions": {"id": "x".repeat(129)}})),
            "CLIENT_ORDER_ID_INVALID",
        ),
        (on_fill("stopLossOnFill", json!({})), "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_MISSING"),
        (
            on_fill("stopLossOnFill", json!({"price": "1.0", "distance": "0.1"})),
            "STOP_LOSS_ON_FILL_PRICE_AND_DISTANCE_BOTH_SPECIFIED",
        ),
        (
            on_fill("stopLossOnFill", json!({"price": "1.0000001"})),
            "STOP_LOSS_ON_FILL_PRICE_PRECISION_EXCEEDED",
        ),
        (on_fill("takeProfitOnFill", json!({"price": "-1"})), "TAKE_PROFIT_ON_FILL_PRICE_INVALID"),
        (on_fill("trailingStopLossOnFill", json!({"distance": "0.00001"})), "PRICE_DISTANCE_MINIMUM_NOT_MET"),
        (json!({"type": "STOP_LOSS", "tradeID": "77", "price": "1.0"}), "TRADE_DOESNT_EXIST"),
    ];
    for (order, code) in cases {
        let before = desk.log().len();
        let (status, body) = desk.order(order.clone());
        assert_eq!(status, if code.ends_with("DOESNT_EXIST") { 404 } else { 400 }, "{code}: {body}");
        assert_eq!(
            (text(&body, "/errorCode"), text(&body, "/orderRejectTransaction/rejectReason")),
            (code, code)
        );
        assert!(!text(&body, "/errorMessage").is_empty());
        let kind = format!("{}_ORDER_REJECT", text(&order, "/type"));
        assert_eq!(text(&body, "/orderRejectTransaction/type"), kind);
        assert_eq!(desk.log().len(), before + 1);
    }
    for (order, path) in [
        (with(market("1"), json!({"instrument": "EURUSD"})), "order.instrument"),
        (market("one"), "order.units"),
        (with(market("1"), json!({"units": {}})), "order.units"),
        (with(market("1"), json!({"type": "ICEBERG"})), "order.type"),
        (with(market("1"), json!({"positionFill": "SOMETIMES"})), "order.positionFill"),
        (on_fill("stopLossOnFill", json!("1.0")), "order.stopLossOnFill"),
    ] {
        let before = desk.log().len();
        let (status, body) = desk.order(order);
        assert_eq!(
            (status, body),
            (400, json!({"errorMessage": format!("Invalid value specified for '{path}'")}))
        );
        assert_eq!(desk.log().len(), before);
    }
}

#[test]
fn a_client_id_is_unique_among_open_orders_and_free_again_afterwards() {
    let mut desk = Desk::new(&[]);
    let named = || with(limit("1", "1.0"), json!({"clientExtensions": {"id": "eng-1", "tag": "t"}}));
    let first = id(&desk.place(named()), "orderCreateTransaction");
    let (status, body) = desk.order(named());
    assert_eq!((status, text(&body, "/errorCode")), (400, "CLIENT_ORDER_ID_ALREADY_EXISTS"));
    let order = desk.get("/orders/@eng-1");
    assert_eq!(text(&order, "/order/id"), first.to_string());
    let (status, body) = desk.call("PUT", "/orders/@eng-1/cancel", Value::Null);
    assert_eq!((status, text(&body, "/orderCancelTransaction/clientOrderID")), (200, "eng-1"));
    let (status, body) = desk.call("PUT", "/orders/@eng-1/cancel", Value::Null);
    assert_eq!((status, text(&body, "/errorCode")), (404, "ORDER_DOESNT_EXIST"));
    assert_eq!(text(&body, "/orderCancelRejectTransaction/type"), "ORDER_CANCEL_REJECT");
    let second = id(&desk.place(named()), "orderCreateTransaction");
    assert_eq!(text(&desk.get("/orders/@eng-1"), "/order/id"), second.to_string());
    // An order that was renamed answers to its new name.
    let (status, body) =
        desk.call("PUT", "/orders/@eng-1/clientExtensions", json!({"clientExtensions": {"id": "eng-2"}}));
    assert_eq!(status, 200, "{body}");
    let order = desk.get("/orders/@eng-2");
    assert_eq!(
        (text(&order, "/order/id"), text(&order, "/order/clientExtensions/tag")),
        (second.to_string().as_str(), "t")
    );
}

#[test]
fn a_replacement_is_one_step_and_an_invalid_one_leaves_the_old_order() {
    let mut desk = Desk::new(&[quote(500, EUR_USD, "1.09000", "1.09010", 1_000)]);
    let old = id(
        &desk.place(with(limit("10", "1.05"), json!({"clientExtensions": {"id": "a"}}))),
        "orderCreateTransaction",
    );
    let path = format!("/orders/{old}");
    let (status, body) = desk.call("PUT", &path, json!({"order": limit("0", "1.06")}));
    assert_eq!(
        (status, text(&body, "/orderRejectTransaction/intendedReplacesOrderID")),
        (400, old.to_string().as_str())
    );
    assert_eq!(text(&desk.get(&path), "/order/state"), "PENDING");
    let other = json!({"type": "LIMIT", "instrument": "USD_JPY", "units": "1", "price": "100"});
    let (status, body) = desk.call("PUT", &path, json!({"order": other}));
    assert_eq!((status, text(&body, "/errorCode")), (400, "REPLACING_ORDER_INVALID"));

    let (status, body) = desk.call("PUT", &path, json!({"order": limit("20", "1.08")}));
    assert_eq!(status, 201, "{body}");
    let new = id(&body, "orderCreateTransaction");
    assert_eq!(text(&body, "/orderCancelTransaction/reason"), "CLIENT_REQUEST_REPLACED");
    assert_eq!(text(&body, "/orderCancelTransaction/replacedByOrderID"), new.to_string());
    assert_eq!(text(&body, "/orderCreateTransaction/reason"), "REPLACEMENT");
    assert_eq!(text(&body, "/orderCreateTransaction/replacesOrderID"), old.to_string());
    assert_eq!(text(&body, "/orderCreateTransaction/clientExtensions/id"), "a");
    assert_eq!(text(&desk.get(&path), "/order/replacedByOrderID"), new.to_string());
    // The race: filled before the replacement came.
    let raced = id(&desk.place(limit("1", "1.09010")), "orderCreateTransaction");
    desk.run_until(500);
    let (status, body) = desk.call("PUT", &format!("/orders/{raced}"), json!({"order": limit("2", "1.05")}));
    assert_eq!((status, text(&body, "/errorCode")), (404, "ORDER_DOESNT_EXIST"));
    assert!(body["orderCancelRejectTransaction"].is_object() && body.get("orderCreateTransaction").is_none());
    // A replacement that can be filled is.
    let (_, body) = desk.call("PUT", &format!("/orders/{new}"), json!({"order": limit("20", "1.10")}));
    assert_eq!(text(&body, "/orderFillTransaction/price"), "1.09010");
}

#[test]
fn stops_and_touched_orders_fill_at_the_price_after_the_trigger() {
    let mut desk = Desk::new(&[
        quote(500, EUR_USD, "1.10500", "1.10510", 1_000),
        quote(1_000, EUR_USD, "1.09500", "1.09510", 1_000),
    ]);
    let stop = |units: &str, price: &str, more: Value| {
        with(json!({"type": "STOP", "instrument": "EUR_USD", "units": units, "price": price}), more)
    };
    desk.place(stop("10", "1.10200", json!({"clientExtensions": {"id": "gap"}})));
    desk.place(stop("10", "1.10200", json!({"priceBound": "1.10300", "clientExtensions": {"id": "bound"}})));
    desk.place(stop("10", "1.10505", json!({"triggerCondition": "BID", "clientExtensions": {"id": "bid"}})));
    let touched = json!({"type": "MARKET_IF_TOUCHED", "instrument": "EUR_USD", "units": "-10", "price": "1.10400",
                         "clientExtensions": {"id": "touched"}});
    desk.place(touched);
    desk.run_until(500);
    let state =
        |desk: &mut Desk, name: &str| text(&desk.get(&format!("/orders/@{name}")), "/order/state").to_owned();
    assert_eq!(state(&mut desk, "gap"), "FILLED");
    assert_eq!(state(&mut desk, "bound"), "CANCELLED");
    assert_eq!(state(&mut desk, "bid"), "PENDING", "the bid is 1.10500");
    assert_eq!(state(&mut desk, "touched"), "FILLED");
    let prices: Vec<(String, String)> = desk
        .log()
        .iter()
        .filter(|it| text(it, "/type") == "ORDER_FILL")
        .map(|it| (text(it, "/clientOrderID").to_owned(), text(it, "/price").to_owned()))
        .collect();
    let expected = [("gap", "1.10510"), ("touched", "1.10500")];
    assert_eq!(prices, expected.map(|(name, price)| (name.to_owned(), price.to_owned())));
}

#[test]
fn a_trailing_stop_follows_the_price_and_never_goes_back() {
    let mut desk = Desk::new(&[
        quote(500, EUR_USD, "1.10500", "1.10510", 1_000),
        quote(1_000, EUR_USD, "1.10410", "1.10420", 1_000),
        quote(1_500, EUR_USD, "1.10400", "1.10410", 1_000),
    ]);
    desk.place(with(market("10"), json!({"trailingStopLossOnFill": {"distance": "0.00100"}})));
    let value = |desk: &mut Desk| text(&desk.get("/pendingOrders"), "/orders/0/trailingStopValue").to_owned();
    assert_eq!(value(&mut desk), "1.09900");
    desk.run_until(500);
    assert_eq!(value(&mut desk), "1.10400");
    desk.run_until(1_000);
    assert_eq!(value(&mut desk), "1.10400");
    let changes = desk.get("/changes?sinceTransactionID=5");
    assert_eq!(text(&changes, "/state/orders/0/trailingStopValue"), "1.10400");
    desk.run_until(1_500);
    let fill = desk.log().pop().unwrap();
    assert_eq!((text(&fill, "/reason"), text(&fill, "/price")), ("TRAILING_STOP_LOSS_ORDER", "1.10400"));
}

#[test]
fn orders_end_at_their_time_and_good_for_the_day_at_five_in_new_york() {
    let mut desk = Desk::new(&[]);
    let gtd = format!("{}", START_S + 90);
    desk.place(with(limit("1", "1.0"), json!({"timeInForce": "GTD", "gtdTime": gtd})));
    desk.place(with(limit("1", "1.0"), json!({"timeInForce": "GFD"})));
    desk.place(limit("1", "1.0"));
    let ends = |desk: &mut Desk| {
        let log = desk.log();
        let ended = log.iter().filter(|it| text(it, "/reason") == "TIME_IN_FORCE_EXPIRED");
        ended.map(|it| text(it, "/time").to_owned()).collect::<Vec<_>>()
    };
    desk.run_until(89_999);
    assert_eq!(ends(&mut desk).len(), 0);
    desk.run_until(90_000);
    assert_eq!(ends(&mut desk), ["2026-01-07T08:01:30.000000000Z"]);
    desk.run_until(15 * HOUR);
    assert_eq!(ends(&mut desk)[1..], ["2026-01-07T22:00:00.000000000Z"]);
    assert_eq!(desk.get("/pendingOrders")["orders"].as_array().unwrap().len(), 1);
}

#[test]
fn an_account_that_nets_reduces_oldest_first_and_one_that_hedges_holds_both_sides() {
    let mut desk = Desk::new(&[]);
    let first = id(&desk.place(market("100")), "orderFillTransaction");
    let second = id(&desk.place(market("50")), "orderFillTransaction");
    let answer = desk.place(market("-120"));
    assert_eq!(text(&answer, "/orderFillTransaction/tradesClosed/0/tradeID"), first.to_string());
    assert_eq!(text(&answer, "/orderFillTransaction/tradeReduced/tradeID"), second.to_string());
    assert_eq!(text(&answer, "/orderFillTransaction/tradeReduced/units"), "-20");
    assert!(answer["orderFillTransaction"].get("tradeOpened").is_none());
    // Through zero: the rest opens the other way.
    let answer = desk.place(market("-100"));
    assert_eq!(text(&answer, "/orderFillTransaction/tradeOpened/units"), "-70");
    let position = desk.get("/positions/EUR_USD");
    assert_eq!(
        (text(&position, "/position/short/units"), text(&position, "/position/long/units")),
        ("-70", "0")
    );
    let answer = desk.place(with(market("500"), json!({"positionFill": "REDUCE_ONLY"})));
    assert_eq!(text(&answer, "/orderFillTransaction/units"), "70");

    desk.account = HEDGE;
    desk.place(market("100"));
    desk.place(market("-40"));
    let position = desk.get("/positions/EUR_USD");
    assert_eq!(
        (text(&position, "/position/long/units"), text(&position, "/position/short/units")),
        ("100", "-40")
    );
    // Margin is that of the larger side.
    assert_eq!(
        amount(&position, "/position/marginUsed"),
        amount(&json!({"m": "3.6632"}), "/m"),
        "{position}"
    );
    let (status, body) =
        desk.call("PUT", "/positions/EUR_USD/close", json!({"longUnits": "30", "shortUnits": "ALL"}));
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&body, "/longOrderFillTransaction/units"), "-30");
    assert_eq!(text(&body, "/shortOrderFillTransaction/units"), "40");
    let (status, body) =
        desk.call("PUT", "/positions/EUR_USD/close", json!({"longUnits": "NONE", "shortUnits": "ALL"}));
    assert_eq!((status, text(&body, "/errorCode")), (404, "CLOSEOUT_POSITION_DOESNT_EXIST"));
    assert!(body["shortOrderRejectTransaction"].is_object());
    // A side that is not named and holds nothing is left alone.
    let (status, body) = desk.call("PUT", "/positions/EUR_USD/close", json!({"longUnits": "ALL"}));
    assert_eq!((status, body.get("shortOrderRejectTransaction")), (200, None));
}

#[test]
fn a_trade_is_closed_in_parts_and_carries_orders_that_come_and_go() {
    let mut desk = Desk::new(&[]);
    let trade = id(
        &desk.place(with(market("100"), json!({"tradeClientExtensions": {"id": "t1"}}))),
        "orderFillTransaction",
    );
    let (status, body) = desk.call("PUT", "/trades/@t1/close", json!({"units": "101"}));
    assert_eq!((status, text(&body, "/errorCode")), (400, "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE"));
    let (status, body) = desk.call("PUT", "/trades/@t1/close", json!({"units": 40}));
    assert_eq!((status, text(&body, "/orderCreateTransaction/tradeClose/units")), (200, "40"), "{body}");
    assert_eq!(text(&body, "/orderFillTransaction/reason"), "MARKET_ORDER_TRADE_CLOSE");

    let path = format!("/trades/{trade}/orders");
    let (status, body) =
        desk.call("PUT", &path, json!({"takeProfit": {"price": "1.2"}, "stopLoss": {"distance": "0.01"}}));
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&body, "/stopLossOrderTransaction/price"), "1.09000");
    let (_, body) = desk.call("PUT", &path, json!({"takeProfit": {"price": "1.3"}, "stopLoss": null}));
    assert_eq!(text(&body, "/takeProfitOrderCancelTransaction/reason"), "CLIENT_REQUEST_REPLACED");
    assert_eq!(text(&body, "/takeProfitOrderTransaction/reason"), "REPLACEMENT");
    assert_eq!(text(&body, "/stopLossOrderCancelTransaction/reason"), "CLIENT_REQUEST");
    let shown = desk.get(&format!("/trades/{trade}"));
    assert_eq!(text(&shown, "/trade/takeProfitOrder/price"), "1.30000");
    assert!(shown["trade"].get("stopLossOrder").is_none());
    // Nothing of a request is done when a part of it is refused.
    let before = desk.log().len();
    let (status, body) = desk.call("PUT", &path, json!({"takeProfit": null, "stopLoss": {"price": "0"}}));
    assert_eq!((status, text(&body, "/stopLossOrderRejectTransaction/rejectReason")), (400, "PRICE_INVALID"));
    assert_eq!(desk.log().len(), before + 1);

    let (_, body) = desk.call("PUT", "/trades/@t1/close", json!({}));
    assert_eq!(text(&body, "/orderFillTransaction/tradesClosed/0/units"), "-60");
    let closed = desk.get("/trades?state=CLOSED");
    assert_eq!(text(&closed, "/trades/0/state"), "CLOSED");
    assert_eq!(text(&closed, "/trades/0/averageClosePrice"), "1.10000");
    let (status, body) = desk.call("PUT", "/trades/@t1/close", json!({}));
    assert_eq!((status, text(&body, "/errorCode")), (404, "TRADE_DOESNT_EXIST"));
    let (status, body) = desk.call("GET", "/trades/9999", Value::Null);
    assert_eq!((status, text(&body, "/errorCode")), (404, "NO_SUCH_TRADE"));
}

#[test]
fn results_come_home_with_the_markup_against_the_client() {
    let mut desk = Desk::new(&[quote(500, USD_JPY, "151.500", "151.510", 1_000)]);
    desk.place(json!({"type": "MARKET", "instrument": "USD_JPY", "units": "1000"}));
    desk.run_until(500);
    let fill = desk.place(json!({"type": "MARKET", "instrument": "USD_JPY", "units": "-1000"}));
    // 1,490 yen at the middle of 151.505 are 9.8347 dollars; a gain is converted half a percent lower.
    assert_eq!(text(&fill, "/orderFillTransaction/quotePL"), "1490");
    assert_eq!(text(&fill, "/orderFillTransaction/pl"), "9.7855");
    let factors = &fill["orderFillTransaction"]["homeConversionFactors"];
    let of = |name: &str| text(factors, &format!("/{name}/factor")).parse::<f64>().unwrap();
    assert!((of("gainQuoteHome") - 0.995 / 151.505).abs() < 1e-9, "{factors}");
    assert!((of("lossQuoteHome") - 1.005 / 151.505).abs() < 1e-9, "{factors}");
}

#[test]
fn financing_is_booked_at_five_in_new_york_three_days_on_a_wednesday() {
    let mut desk = Desk::new(&[]);
    desk.place(market("1000"));
    let before = amount(&desk.get("/summary"), "/account/balance");
    desk.run_until(15 * HOUR);
    let log = desk.log();
    let financing = log.iter().find(|it| text(it, "/type") == "DAILY_FINANCING").unwrap();
    assert_eq!(text(financing, "/time"), "2026-01-07T22:00:00.000000000Z");
    // 1,000 euros at 1.10005 are 1,100.05 dollars; -2.03 % a year, three days of 365.
    assert_eq!(text(financing, "/financing"), "-0.1835");
    assert_eq!(text(financing, "/positionFinancings/0/openTradeFinancings/0/financing"), "-0.1835");
    let after = amount(&desk.get("/summary"), "/account/balance");
    assert_eq!(after - before, amount(financing, "/financing"));
    assert_eq!(after, amount(financing, "/accountBalance"));
    desk.run_until(39 * HOUR);
    let log = desk.log();
    let all: Vec<&str> = log
        .iter()
        .filter(|it| text(it, "/type") == "DAILY_FINANCING")
        .map(|it| text(it, "/financing"))
        .collect();
    assert_eq!(all, ["-0.1835", "-0.0612"], "Thursday has one day");
    assert!(desk.venue.now() >= at(39 * HOUR));
}
