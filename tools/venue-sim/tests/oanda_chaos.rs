//! Random clients at the simulated Oanda: whatever they send is answered, and the log alone explains the account.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::oanda::{Desk, EUR_USD, HEDGE, NET, Script, USD_JPY, accounts, amount, halted, quote, text};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use venue_sim::dialect::oanda::{Oanda, OandaSettings};

const START_BALANCE: i64 = 1_000_000_000_000;

/// One wish of a client, made of small numbers.
#[derive(Clone, Copy, Debug)]
struct Wish {
    kind: u8,
    a: u8,
    b: u8,
    c: u8,
}

fn wish() -> impl Strategy<Value = Wish> {
    (0..14_u8, any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(kind, a, b, c)| Wish { kind, a, b, c })
}

/// Quotes every 100 ms that walk up and down, with a halt now and then.
fn quotes(steps: &[u8]) -> Vec<venue_sim::market::fx::FxQuote> {
    let mut mid = 110_000_i64;
    let mut all = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let ms = 100 * (n as u64 + 1);
        mid += (i64::from(*step) - 128) * if step % 7 == 0 { 30 } else { 3 };
        mid = mid.clamp(50_000, 200_000);
        let price = |value: i64| format!("{}.{:05}", value / 100_000, value % 100_000);
        let (bid, ask) = (price(mid - 5), price(mid + 5));
        let units = 1 + i64::from(*step) * 40;
        all.push(if step % 19 == 0 {
            halted(ms, EUR_USD, &bid, &ask)
        } else {
            quote(ms, EUR_USD, &bid, &ask, units)
        });
        if step % 3 == 0 {
            let yen = format!("{}.000", 140 + i64::from(*step) / 10);
            let more = format!("{}.020", 140 + i64::from(*step) / 10);
            all.push(quote(ms, USD_JPY, &yen, &more, units));
        }
    }
    all
}

fn act(desk: &mut Desk, it: Wish) {
    let instrument = if it.a.is_multiple_of(4) { "USD_JPY" } else { "EUR_USD" };
    let big = if it.c.is_multiple_of(5) { 1_000 } else { 1 };
    let units = ((i64::from(it.b) - 128) * big * 10).to_string();
    let price = if instrument == "USD_JPY" {
        format!("{}.{:03}", 140 + it.c / 10, it.b)
    } else {
        format!("1.{:05}", 8_000 + i64::from(it.c) * 16)
    };
    let fill = ["DEFAULT", "REDUCE_FIRST", "REDUCE_ONLY", "OPEN_ONLY"][usize::from(it.c % 4)];
    let life = ["GTC", "IOC", "FOK", "GFD"][usize::from(it.a % 4)];
    let name = json!({"id": format!("c{}", it.a % 8)});
    let order = |kind: &str| json!({"type": kind, "instrument": instrument, "units": units, "price": price, "positionFill": fill});
    let newest = |desk: &mut Desk, list: &str| {
        let found = desk.get(&format!("/{list}"));
        let found = found[if list == "openTrades" { "trades" } else { "orders" }].as_array().unwrap().clone();
        let len = found.len().max(1);
        found.get(usize::from(it.b) % len).map_or("7".to_owned(), |it| text(it, "/id").to_owned())
    };
    let (status, body) = match it.kind {
        0..=2 => {
            let mut order = order("MARKET");
            order["timeInForce"] = json!(if it.a.is_multiple_of(2) { "IOC" } else { "FOK" });
            if it.c.is_multiple_of(3) {
                order["takeProfitOnFill"] = json!({"price": price});
                order["stopLossOnFill"] = json!({"distance": "0.005"});
                order["trailingStopLossOnFill"] = json!({"distance": "0.010"});
            }
            desk.order(order)
        }
        3 | 4 => {
            let mut order = order("LIMIT");
            order["timeInForce"] = json!(life);
            order["clientExtensions"] = name;
            desk.order(order)
        }
        5 => desk.order(order("STOP")),
        6 => desk.order(order("MARKET_IF_TOUCHED")),
        7 => {
            let trade = newest(desk, "openTrades");
            desk.order(json!({"type": "STOP_LOSS", "tradeID": trade, "distance": "0.01"}))
        }
        8 => {
            let id = newest(desk, "pendingOrders");
            desk.call("PUT", &format!("/orders/{id}"), json!({"order": order("LIMIT")}))
        }
        9 => {
            let id = newest(desk, "pendingOrders");
            desk.call("PUT", &format!("/orders/{id}/cancel"), Value::Null)
        }
        10 => {
            let id = newest(desk, "openTrades");
            desk.call(
                "PUT",
                &format!("/trades/{id}/close"),
                json!({"units": if it.a.is_multiple_of(2) { "ALL".into() } else { units.clone() }}),
            )
        }
        11 => desk.call(
            "PUT",
            &format!("/positions/{instrument}/close"),
            json!({"longUnits": "ALL", "shortUnits": if it.a.is_multiple_of(2) { "NONE" } else { "ALL" }}),
        ),
        12 => {
            let id = newest(desk, "openTrades");
            let stop = if it.a.is_multiple_of(3) { Value::Null } else { json!({"price": price}) };
            desk.call(
                "PUT",
                &format!("/trades/{id}/orders"),
                json!({"stopLoss": stop, "takeProfit": {"price": price}}),
            )
        }
        _ => desk.call("PUT", "/orders/@c1/clientExtensions", json!({"clientExtensions": name})),
    };
    assert!(matches!(status, 200 | 201 | 400 | 404), "{status} {body}");
    assert!(body["lastTransactionID"].is_string() || body["errorMessage"].is_string(), "{body}");
}

/// What an independent reader of the log thinks of the account.
fn check(desk: &mut Desk) {
    let log = desk.log();
    let (mut cash, mut positions): (i64, BTreeMap<String, i64>) = (START_BALANCE, BTreeMap::new());
    let mut trades: BTreeMap<String, i64> = BTreeMap::new();
    let mut open: BTreeMap<String, String> = BTreeMap::new();
    for (n, it) in log.iter().enumerate() {
        assert_eq!(text(it, "/id"), (n + 1).to_string(), "one rising sequence");
        let kind = text(it, "/type");
        if kind.ends_with("_ORDER") {
            open.insert(text(it, "/id").to_owned(), text(it, "/clientExtensions/id").to_owned());
        }
        if kind == "ORDER_CANCEL" {
            assert!(open.remove(text(it, "/orderID")).is_some(), "cancelled what was not open: {it}");
        }
        if kind != "ORDER_FILL" {
            continue;
        }
        assert!(open.remove(text(it, "/orderID")).is_some(), "filled what was not open: {it}");
        cash += amount(it, "/pl");
        assert_eq!(cash, amount(it, "/accountBalance"), "{it}");
        *positions.entry(text(it, "/instrument").to_owned()).or_default() += amount(it, "/units");
        let mut parts = 0;
        let closed = it["tradesClosed"].as_array().cloned().unwrap_or_default();
        for part in closed.iter().chain(it.get("tradeReduced")) {
            let left = trades.get_mut(text(part, "/tradeID")).unwrap();
            *left += amount(part, "/units");
            parts += amount(part, "/units");
            assert_eq!(*left == 0, it["tradeReduced"] != *part, "closed is nothing left: {it}");
        }
        if let Some(opened) = it.get("tradeOpened") {
            assert_eq!(text(opened, "/tradeID"), text(it, "/id"));
            trades.insert(text(it, "/id").to_owned(), amount(opened, "/units"));
            parts += amount(opened, "/units");
        }
        assert_eq!(parts, amount(it, "/units"), "{it}");
        assert!(amount(it, "/units").abs() <= amount(it, "/requestedUnits").abs());
    }
    trades.retain(|_, units| *units != 0);
    let account = desk.get("");
    let account = &account["account"];
    assert_eq!(amount(account, "/balance"), cash);
    let shown: BTreeMap<String, i64> = account["trades"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (text(it, "/id").to_owned(), amount(it, "/currentUnits")))
        .collect();
    assert_eq!(shown, trades);
    for position in account["positions"].as_array().unwrap() {
        let net = amount(position, "/long/units") + amount(position, "/short/units");
        assert_eq!(net, positions.get(text(position, "/instrument")).copied().unwrap_or(0));
        if desk.account == NET {
            assert!(
                amount(position, "/long/units") == 0 || amount(position, "/short/units") == 0,
                "{position}"
            );
        }
    }
    let pending: Vec<&str> = account["orders"].as_array().unwrap().iter().map(|it| text(it, "/id")).collect();
    assert_eq!(pending.len(), open.len());
    assert!(pending.iter().all(|id| open.contains_key(*id)));
    // Orders of trades that are gone are gone.
    for order in account["orders"].as_array().unwrap().iter().filter(|it| it.get("tradeID").is_some()) {
        assert!(trades.contains_key(text(order, "/tradeID")), "{order}");
    }
    let mut names: Vec<&str> =
        account["orders"].as_array().unwrap().iter().map(|it| text(it, "/clientExtensions/id")).collect();
    names.retain(|name| !name.is_empty());
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two open orders of one name");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_log_alone_explains_the_account(
        steps in prop::collection::vec(any::<u8>(), 40),
        wishes in prop::collection::vec(wish(), 80),
        is_hedging in any::<bool>(),
    ) {
        let mut settings = OandaSettings::new(Box::new(Script::new(&quotes(&steps))));
        settings.hedging = vec![HEDGE.to_owned()];
        settings.limits.requests_per_second = None;
        let mut desk = Desk::at(Oanda::new(settings, &accounts(), 1).unwrap());
        desk.account = if is_hedging { HEDGE } else { NET };
        desk.stream("/transactions/stream");
        for (n, wish) in wishes.iter().enumerate() {
            act(&mut desk, *wish);
            desk.run_until(50 * (n as u64 + 1));
        }
        check(&mut desk);
        let told: Vec<u64> = desk.told().iter().map(|it| it.0).collect();
        let last = desk.log().len() as u64;
        prop_assert_eq!(told, (3..=last).collect::<Vec<u64>>());
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_a_request_is_answered(
        at in 0..400_usize, byte in any::<u8>(), is_cut in any::<bool>(), which in 0..4_usize,
    ) {
        let body = json!({"order": {"type": "LIMIT", "instrument": "EUR_USD", "units": "-100", "price": "1.2", "timeInForce": "GTD",
            "gtdTime": "2026-07-22T07:01:01.229030006Z", "stopLossOnFill": {"price": "1.22"}, "trailingStopLossOnFill": {"distance": "0.01"},
            "clientExtensions": {"id": "a"}}}).to_string();
        let targets = [
            ("POST", "/orders".to_owned()),
            ("GET", "/instruments/EUR_USD/candles?from=2026-01-07T08:00:00Z&granularity=H4&price=MBA&dailyAlignment=17&count=5".to_owned()),
            ("GET", "/transactions?from=2026-01-01&to=2026-01-08T00:00:00.5Z&pageSize=100&type=ORDER".to_owned()),
            ("PUT", "/orders/@a+b%20c/clientExtensions".to_owned()),
        ];
        let (method, target) = &targets[which];
        let spoil = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len().max(1);
            if is_cut { bytes.truncate(at) } else if let Some(it) = bytes.get_mut(at) { *it = byte }
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let mut desk = Desk::new(&[]);
        for (target, body) in [(spoil(target), body.clone()), (target.clone(), spoil(&body))] {
            let request = Desk::request(method, &format!("/v3/accounts/{NET}{target}"), &body);
            let answered = desk.try_send(&request);
            prop_assert!(answered.is_some_and(|(status, _)| (200..500).contains(&status)));
        }
    }
}
