//! Streams, limits and what goes wrong at the simulated Oanda.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::oanda::{Desk, EUR_USD, NET, START_S, STREAM, USD_JPY, accounts, at, quote, text};
use serde_json::{Value, json};
use smc_core::TsNs;
use std::collections::BTreeSet;
use venue_sim::dialect::oanda::{Oanda, OandaSettings};
use venue_sim::dialect::{Dialect, Frame};
use venue_sim::market::{FxGenerator, FxGeneratorSettings};
use venue_sim::{OandaFaults, OandaLimits};

/// A chance that always comes.
const ALWAYS: u32 = 1_000_000;

fn market(units: &str) -> Value {
    json!({"type": "MARKET", "instrument": "EUR_USD", "units": units})
}

#[test]
fn heartbeats_come_every_five_seconds_and_prices_at_most_four_times_a_second() {
    let quotes: Vec<_> = (1..200).map(|n| quote(n * 37, EUR_USD, "1.10000", "1.10010", n as i64)).collect();
    let mut desk = Desk::new(&quotes);
    desk.stream("/pricing/stream?instruments=EUR_USD,USD_JPY");
    assert_eq!(desk.lines.len(), 2, "the snapshot");
    desk.run_until(20_000);
    let beats: Vec<TsNs> =
        desk.lines.iter().filter(|it| it.1["type"] == "HEARTBEAT").map(|it| it.0).collect();
    assert_eq!(beats, [5_000, 10_000, 15_000, 20_000].map(at));
    let prices: Vec<&(TsNs, Value)> = desk.lines[2..].iter().filter(|it| it.1["type"] == "PRICE").collect();
    for pair in prices.windows(2) {
        assert!(pair[1].0.0 - pair[0].0.0 >= 250_000_000);
    }
    // Each window tells the last price in it: 249 ms hold six of them.
    assert_eq!(prices[0].1["bids"][0]["liquidity"], 6);
    assert_eq!(prices.last().unwrap().1["bids"][0]["liquidity"], 199);
    assert!(desk.chunks > 4 + prices.len(), "some chunks end inside a line");
}

#[test]
fn a_stream_that_names_an_unknown_instrument_or_has_no_token_is_an_ordinary_error() {
    let mut desk = Desk::new(&[]);
    let path = format!("/v3/accounts/{NET}/pricing/stream?instruments=EUR_USD,EUR_XXX");
    assert_eq!(desk.send(&Desk::request("GET", &path, "")).0, 400);
    let mut request = Desk::request("GET", &path, "");
    request.headers.clear();
    assert_eq!(desk.send(&request).0, 401);
    let other = Desk::request("GET", "/v3/accounts/101-004-1234567-009/summary", "");
    assert_eq!(desk.send(&other).0, 404);
    assert_eq!(desk.call("DELETE", "/orders", Value::Null).0, 405);
    assert_eq!(desk.call("GET", "/nothing", Value::Null).0, 404);
}

#[test]
fn a_fill_is_on_the_stream_before_its_answer_unless_the_answer_is_first() {
    for (answer_first, expected) in [(0, [STREAM, 1]), (ALWAYS, [1, STREAM])] {
        let mut desk = Desk::with(&[], |it| it.faults.answer_first = answer_first);
        desk.stream("/transactions/stream");
        let body = json!({"order": market("1")}).to_string();
        desk.venue.on_http(1, &Desk::request("POST", &format!("/v3/accounts/{NET}/orders"), &body));
        let mut order: Vec<u64> = Vec::new();
        while let Some((conn, _)) = desk.venue.pop_frame() {
            order.push(conn);
        }
        order.dedup();
        assert_eq!(order, expected);
    }
}

#[test]
fn an_order_whose_answer_is_cut_off_is_found_by_number_and_by_name() {
    let mut desk = Desk::with(&[], |it| it.faults.cut_after_order = ALWAYS);
    let order = json!({"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "7", "clientExtensions": {"id": "lost"}}});
    let request = Desk::request("POST", &format!("/v3/accounts/{NET}/orders"), &order.to_string());
    desk.venue.on_http(1, &request);
    assert_eq!(desk.venue.pop_frame(), Some((1, Frame::Close)));
    let found = desk.get("/orders/@lost");
    assert_eq!(text(&found, "/order/state"), "FILLED");
    let missed = desk.get("/transactions/sinceid?id=2");
    assert_eq!(missed["transactions"].as_array().unwrap().len(), 2);
    assert_eq!(desk.venue.orders_seen().len(), 1);
}

#[test]
fn lines_that_are_lost_or_repeated_are_told_by_their_numbers_and_made_good_by_the_log() {
    let faults = OandaFaults {
        lose_line: 300_000,
        repeat_line: 300_000,
        extra_field: 300_000,
        null_factor: 500_000,
        ..OandaFaults::default()
    };
    let mut desk = Desk::with(&[], |it| it.faults = faults);
    desk.stream("/transactions/stream");
    for n in 0..60 {
        desk.order(market(if n % 2 == 0 { "1" } else { "-1" }));
    }
    let told: Vec<u64> = desk.told().iter().map(|it| it.0).collect();
    let unique: BTreeSet<u64> = told.iter().copied().collect();
    assert!(told.is_sorted() && unique.len() < told.len(), "some lines twice");
    assert!((unique.len() as u64) < 120, "some lines lost");
    let log = desk.log();
    let ids: Vec<u64> = log.iter().map(|it| text(it, "/id").parse().unwrap()).collect();
    assert_eq!(ids, (1..=122).collect::<Vec<u64>>());
    let nulls =
        log.iter().filter(|it| it["homeConversionFactors"].get("gainBaseHome").is_some_and(Value::is_null));
    assert!(nulls.count() > 10);
    assert!(desk.lines.iter().any(|it| it.1.get("fieldOfTomorrow").is_some()));
}

#[test]
fn streams_are_cut_inside_a_line_or_fall_silent() {
    let quotes: Vec<_> = (1..9).map(|n| quote(n * 1_000, EUR_USD, "1.10000", "1.10010", 1_000)).collect();
    let mut desk = Desk::with(&quotes, |it| it.faults.cut_stream = ALWAYS);
    desk.stream("/pricing/stream?instruments=EUR_USD");
    assert!(desk.is_stream_closed && desk.lines.is_empty());
    let mut desk = Desk::with(&quotes, |it| it.faults.mute_stream = ALWAYS);
    desk.stream("/pricing/stream?instruments=EUR_USD");
    desk.run_until(60_000);
    assert!(!desk.is_stream_closed);
    assert!(desk.lines.iter().all(|it| it.0 < at(5_000)), "nothing after the first heartbeat was due");
    assert_eq!(desk.get("/summary")["account"]["id"], NET, "requests are answered all the same");
}

#[test]
fn too_many_requests_of_one_second_and_bad_luck_are_answered_without_doing_anything() {
    let limits =
        OandaLimits { requests_per_second: Some(3), streams: 1, changes_back: 1, ..OandaLimits::default() };
    let mut desk = Desk::with(&[], |it| it.limits = limits);
    let statuses: Vec<u16> = (0..5).map(|_| desk.order(market("1")).0).collect();
    assert_eq!(statuses, [201, 201, 201, 429, 429]);
    desk.run_until(1_000);
    assert_eq!(desk.get("/openTrades")["trades"].as_array().unwrap().len(), 3);
    assert_eq!(desk.call("GET", "/changes?sinceTransactionID=3", Value::Null).0, 416);
    desk.run_until(2_000);
    desk.stream("/transactions/stream");
    assert_eq!(desk.call("GET", "/transactions/stream", Value::Null).0, 400, "one stream is allowed");

    let mut desk = Desk::with(&[], |it| it.faults.unavailable = ALWAYS);
    assert_eq!(desk.order(market("1")).0, 503);
    assert_eq!(desk.venue.orders_seen().len(), 0);
}

/// A run is its seed: what goes wrong goes wrong again.
#[test]
fn the_same_requests_bring_the_same_bytes() {
    let run = || {
        let quotes: Vec<_> = (1..40).map(|n| quote(n * 100, EUR_USD, "1.10000", "1.10010", 1_000)).collect();
        let faults = OandaFaults {
            cut_after_order: 200_000,
            unavailable: 100_000,
            too_many: 100_000,
            answer_first: 500_000,
            repeat_line: 200_000,
            lose_line: 200_000,
            extra_field: 200_000,
            ..OandaFaults::default()
        };
        let mut desk = Desk::with(&quotes, |it| it.faults = faults);
        let mut bytes = Vec::new();
        for (conn, path) in [(STREAM, "/pricing/stream?instruments=EUR_USD"), (3, "/transactions/stream")] {
            desk.venue.on_http(conn, &Desk::request("GET", &format!("/v3/accounts/{NET}{path}"), ""));
        }
        let order = json!({"order": market("1")}).to_string();
        for _ in 0..40 {
            desk.venue.step();
            desk.venue.on_http(1, &Desk::request("POST", &format!("/v3/accounts/{NET}/orders"), &order));
            while let Some(frame) = desk.venue.pop_frame() {
                bytes.push(frame);
            }
        }
        bytes
    };
    let first = run();
    assert!(first.len() > 60, "{}", first.len());
    assert_eq!(first, run());
}

#[test]
fn candles_hold_exactly_the_prices_of_their_time() {
    let quotes: Vec<_> = [(1_000, "1.10020"), (4_000, "1.09980"), (6_000, "1.10040"), (61_000, "1.10100")]
        .map(|(ms, bid)| {
            let ask = format!("{:.5}", bid.parse::<f64>().unwrap() + 0.0001);
            quote(ms, EUR_USD, bid, &ask, 1_000)
        })
        .to_vec();
    let mut desk = Desk::new(&quotes);
    desk.run_until(65_000);
    let all = desk.get("/instruments/EUR_USD/candles?granularity=S5&price=BM&count=10");
    let first = json!({"complete": true, "volume": 3, "time": "2026-01-07T08:00:00.000000000Z",
                       "mid": {"o": "1.10005", "h": "1.10025", "l": "1.09985", "c": "1.09985"},
                       "bid": {"o": "1.10000", "h": "1.10020", "l": "1.09980", "c": "1.09980"}});
    assert_eq!(all["candles"][0], first);
    // 07:00:10 to 08:01:00 saw nothing and has no candle.
    let times: Vec<&str> = all["candles"].as_array().unwrap().iter().map(|it| text(it, "/time")).collect();
    assert_eq!(times, ["00:00", "00:05", "01:00"].map(|at| format!("2026-01-07T08:{at}.000000000Z")));
    let minutes = desk.get("/instruments/EUR_USD/candles?granularity=M1");
    let flags: Vec<&Value> =
        minutes["candles"].as_array().unwrap().iter().map(|it| &it["complete"]).collect();
    assert_eq!(flags, [&json!(true), &json!(false)]);
    assert_eq!(
        (text(&minutes, "/candles/0/mid/h"), &minutes["candles"][0]["volume"]),
        ("1.10045", &json!(4))
    );
    let since = |first: &str| {
        format!("/instruments/EUR_USD/candles?granularity=M1&from=2026-01-07T08:00:30Z&includeFirst={first}")
    };
    assert_eq!(desk.get(&since("True"))["candles"].as_array().unwrap().len(), 2);
    assert_eq!(desk.get(&since("False"))["candles"].as_array().unwrap().len(), 1);
    let before = desk.get("/instruments/EUR_USD/candles?granularity=M1&to=2026-01-07T08:01:00Z");
    assert_eq!(before["candles"].as_array().unwrap().len(), 1);
    let latest = desk.get("/candles/latest?candleSpecifications=EUR_USD:S10:BM,USD_JPY:M1:A");
    assert_eq!(text(&latest, "/latestCandles/1/candles/0/ask/o"), "150.010");
    let unix = {
        let mut request =
            Desk::request("GET", &format!("/v3/accounts/{NET}/instruments/USD_JPY/candles"), "");
        request.headers.push(("accept-datetime-format".to_owned(), "UNIX".to_owned()));
        desk.send(&request).1
    };
    assert_eq!(text(&unix, "/candles/0/time"), format!("{START_S}.000000000"));
    assert_eq!(USD_JPY, 1);
}

/// A generated week: history for the warm-up, the weekend on the stream, orders refused while it lasts.
#[test]
fn a_weekend_is_one_price_that_is_not_tradeable_and_then_heartbeats() {
    let friday = TsNs(1_767_992_100_000_000_000); // 2026-01-09 20:55 UTC, 64 minutes before the close
    let generator = FxGenerator::new(FxGeneratorSettings {
        start_ts: friday,
        step_ns: 30_000_000_000,
        history_minutes: 600,
        ..FxGeneratorSettings::default()
    });
    let mut settings = OandaSettings::new(Box::new(generator.unwrap()));
    settings.limits.requests_per_second = None;
    let mut desk = Desk::at(Oanda::new(settings, &accounts(), 1).unwrap());
    let history = desk.get("/instruments/EUR_USD/candles?granularity=M5&count=120");
    assert_eq!(history["candles"].as_array().unwrap().len(), 120);
    desk.stream("/pricing/stream?instruments=EUR_USD");
    let close = TsNs(friday.0 + 65 * 60_000_000_000);
    let later = TsNs(close.0 + 3_600_000_000_000);
    while desk.venue.next_due() <= later {
        desk.run_until((desk.venue.next_due().0 - at(0).0) / 1_000_000 + 1);
    }
    let closed: Vec<_> = desk.lines.iter().filter(|it| it.1["tradeable"] == false).collect();
    assert_eq!(closed.len(), 1);
    let after = desk.lines.iter().filter(|it| it.0 > closed[0].0);
    assert!(after.clone().count() > 700 && after.clone().all(|it| it.1["type"] == "HEARTBEAT"));
    let answer = desk.place(market("1"));
    assert_eq!(text(&answer, "/orderCancelTransaction/reason"), "MARKET_HALTED");
}
