//! Rounds of reconciliation against a scripted venue: what is told, in which order, and what is missing.

use super::desk::{Desk, START_MS, TENTH, ack, fill, report, state, trade, venue_id};
use super::session::{MS, SECOND, Step};
use super::settings::SendError;
use crate::testing::order;
use serde_json::{Value, json};
use smc_core::event::{EventBody, GatewayState, OrderUpdateKind, ReconcileRound, VenueOrder};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, SCALE, TsNs};

/// What was told of rounds, rows and orders since the last look, in short.
fn told(desk: &mut Desk) -> Vec<String> {
    let events = std::mem::take(&mut desk.events);
    events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Round(ReconcileRound { number, is_end: false, .. }) => Some(format!("begin {number}")),
            EventBody::Round(ReconcileRound { number, is_complete, .. }) => {
                Some(format!("end {number} {is_complete}"))
            }
            EventBody::VenueOrder(row) => {
                Some(format!("row {} {}", row.client_order_id.sequence(), row.venue_order_id))
            }
            EventBody::Order(update) => {
                let id = update.client_order_id.sequence();
                Some(match update.kind {
                    OrderUpdateKind::Fill { trade_id, .. } => format!("fill {id} {trade_id}"),
                    OrderUpdateKind::Ack => format!("ack {id}"),
                    other => format!("{other:?} {id}"),
                })
            }
            EventBody::Gateway(state) => Some(format!("{state:?}")),
            _ => None,
        })
        .collect()
}

fn row(order: &NewOrder, status: &str, executed: &str) -> Value {
    let mut row = state(order, status, executed);
    row["side"] = json!("BUY");
    row["type"] = json!("LIMIT");
    row["price"] = json!(order.price.to_string());
    row["stopPrice"] = json!("0.00000000");
    row
}

/// Answers the requests of a round beside the trading.
fn round(desk: &mut Desk, open_orders: Value) {
    desk.session.want_round();
    desk.turn();
    let account = desk.take("account.status");
    desk.answer(&account, json!({"canTrade": true, "updateTime": 9, "balances": []}));
    let open = desk.take("openOrders.status");
    desk.answer(&open, open_orders);
    desk.no_new_trades();
}

#[test]
fn a_round_is_told_from_its_beginning_to_its_end_with_rows_before_acks() {
    let mut desk = Desk::new();
    let (ours, other) = (order(0, 5), order(0, 6));
    let mut foreign = row(&other, "PARTIALLY_FILLED", "0.1");
    foreign["clientOrderId"] = json!("web_1234");
    foreign["type"] = json!("STOP_LOSS_LIMIT");
    foreign["stopPrice"] = json!("49000.5");
    desk.connect(json!([row(&ours, "NEW", "0"), foreign]));
    let rows: Vec<VenueOrder> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::VenueOrder(row) => Some(row),
            _ => None,
        })
        .collect();
    assert_eq!(rows[1].client_order_id, ClientOrderId::NONE);
    assert_eq!((rows[1].stop_price, rows[1].filled_qty), (Price(4_900_050_000_000), Qty(TENTH)));
    assert_eq!(
        told(&mut desk),
        ["Syncing", "begin 1", "row 5 9005", "ack 5", "row 0 9006", "end 1 true", "Ready"]
    );
    assert_eq!(desk.session.step, Step::Ready);
    round(&mut desk, json!([row(&ours, "NEW", "0")]));
    assert_eq!(told(&mut desk), ["begin 2", "row 5 9005", "ack 5", "end 2 true"]);
    desk.wait(SECOND);
    assert_eq!(desk.sent, Vec::<Value>::new(), "none is asked for");
    desk.cut();
    desk.connect(json!([]));
    assert_eq!(told(&mut desk)[..3], ["Down", "Syncing", "begin 1"], "each connection counts anew");
}

/// O6, O11: trades of the time without a stream are read by their numbers, page by page; each is handed on once, and
/// whose it is the venue says.
#[test]
fn trades_missed_while_the_connection_was_gone_are_read_in_pages() {
    let mut desk = Desk::ready();
    desk.session.trades.read_to(InstrumentId(0), 100);
    let ours = desk.working(1);
    desk.hear(&report(&ours, "TRADE", "PARTIALLY_FILLED", "0.1", Some((150, "0.1"))));
    desk.told();
    desk.cut();
    desk.session.on_open(desk.now);
    desk.turn();
    let time = desk.take("time");
    desk.answer(&time, json!({"serverTime": START_MS}));
    let logon = desk.take("session.logon");
    desk.answer(&logon, json!({"authorizedSince": 1, "serverTime": START_MS}));
    let subscribe = desk.take("userDataStream.subscribe");
    desk.answer(&subscribe, json!({"subscriptionId": 1}));
    let account = desk.take("account.status");
    desk.answer(&account, json!({"canTrade": true, "updateTime": 5, "balances": []}));
    let open = desk.take("openOrders.status");
    desk.answer(&open, json!([row(&ours, "PARTIALLY_FILLED", "0.2")]));
    desk.events.clear();

    let page = desk.take("myTrades");
    assert_eq!(page["params"]["fromId"], 100);
    let mut rows = vec![trade(&ours, 150, "0.1"), trade(&ours, 151, "0.1")];
    // Two trades of another hand's order, in a page that is full.
    for id in 200..1_198 {
        rows.push(trade(&order(0, 1), 150, "0.1"));
        rows.last_mut().unwrap()["time"] = json!(id);
    }
    rows[998] = trade(&order(0, 70), 1_300, "0.3");
    rows[999] = trade(&order(0, 70), 1_301, "0.2");
    desk.answer(&page, Value::Array(rows));
    let page = desk.take("myTrades");
    assert_eq!(page["params"]["fromId"], 1_302, "the next page");
    desk.answer(&page, json!([]));
    let other = desk.take("myTrades");
    assert_eq!((&other["params"]["symbol"], &other["params"]["fromId"]), (&json!("ETHUSDT"), &json!(0)));
    desk.answer(&other, json!([]));
    let whose = desk.take("order.status");
    assert_eq!(whose["params"]["orderId"], 9_070);
    let mut stranger = row(&order(0, 70), "FILLED", "0.5");
    stranger["clientOrderId"] = json!("web_1");
    desk.answer(&whose, stranger);
    assert_eq!(
        told(&mut desk),
        ["fill 1 151", "fill 0 1300", "fill 0 1301", "end 1 true", "Ready"],
        "trade 150 was handed on before"
    );
    // The order's own record is complete: nothing is asked for.
    desk.wait(SECOND);
    assert!(desk.sent.is_empty(), "{:?}", desk.sent);
}

#[test]
fn more_than_a_page_of_one_orders_trades_is_read_to_the_end() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let mut canceled = report(&order, "CANCELED", "CANCELED", "0.1001", None);
    canceled["event"]["C"] = canceled["event"]["c"].clone();
    desk.hear(&canceled);
    desk.wait(300 * MS);
    let page = desk.take("myTrades");
    assert_eq!(page["params"].get("fromId"), None);
    let rows: Vec<Value> = (0..1_000).map(|n| trade(&order, 70 + n, "0.0001")).collect();
    desk.answer(&page, Value::Array(rows));
    assert_eq!(desk.told().len(), 1_000);
    desk.wait(20 * MS);
    let page = desk.take("myTrades");
    assert_eq!(page["params"]["fromId"], 1_070);
    desk.answer(&page, json!([trade(&order, 1_070, "0.0001")]));
    let cum_qty = Qty(SCALE / 10_000 * 1_001);
    let told = desk.told();
    assert_eq!(told.last(), Some(&(order.client_order_id, OrderUpdateKind::Canceled { cum_qty })));
    assert_eq!(told.len(), 2);
}

#[test]
fn a_round_waits_for_what_is_in_doubt_and_is_incomplete_when_it_never_ends() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    round(&mut desk, json!([]));
    assert_eq!(told(&mut desk), ["begin 2"]);
    desk.wait(10 * MS);
    let status = desk.take("order.status");
    desk.answer(&status, row(&order, "CANCELED", "0"));
    assert_eq!(told(&mut desk), ["Canceled { cum_qty: 0 } 1", "end 2 true"]);

    let lost = desk.working(2);
    round(&mut desk, json!([]));
    desk.events.clear();
    for _ in 0..2_100 {
        desk.wait(10 * MS);
        for request in std::mem::take(&mut desk.sent) {
            if request["method"] == "time" {
                desk.answer(&request, json!({"serverTime": START_MS}));
            }
        }
    }
    assert_eq!(told(&mut desk), ["end 3 false"], "{}", lost.client_order_id);
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn a_round_beside_the_trading_that_is_refused_is_incomplete_and_cuts_nothing() {
    let mut desk = Desk::ready();
    desk.session.want_round();
    desk.turn();
    let account = desk.take("account.status");
    desk.refuse(&account, 400, -1008, "Server is busy");
    assert_eq!(told(&mut desk), ["begin 2", "end 2 false"]);
    assert_eq!(desk.session.step, Step::Ready);
}

/// The list of open orders is not asked for while an order is under way, which may or may not be in it.
#[test]
fn a_list_waits_for_orders_under_way() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.session.want_round();
    desk.turn();
    let account = desk.take("account.status");
    desk.answer(&account, json!({"canTrade": true, "updateTime": 9, "balances": []}));
    assert!(desk.sent.is_empty(), "{:?}", desk.sent);
    desk.answer(&request, ack(&order));
    desk.take("openOrders.status");
}

#[test]
fn another_hands_order_is_told_and_can_be_cancelled_by_the_venues_id() {
    let mut desk = Desk::ready();
    let theirs = order(0, 9);
    let mut event = report(&theirs, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1")));
    event["event"]["c"] = json!("android_1");
    desk.hear(&event);
    desk.hear(&event);
    assert_eq!(desk.told(), [(ClientOrderId::NONE, fill(70, TENTH, TENTH))], "once");
    let cancel = CancelOrder {
        instrument: InstrumentId(0),
        client_order_id: ClientOrderId::NONE,
        venue_order_id: venue_id(&theirs),
    };
    let mut sent = Vec::new();
    let now = desk.now;
    let mut wire = |bytes: &[u8]| {
        sent = bytes.to_vec();
        super::session::Sent::Yes
    };
    desk.session.cancel(now, &cancel, &mut wire).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["params"]["orderId"], venue_id(&theirs));
    assert_eq!(sent["params"].get("origClientOrderId"), None);
    desk.refuse(&sent, 400, -2011, "Unknown order sent.");
    let told = desk.events.iter().find_map(|event| match event.body {
        EventBody::Order(update) => Some((update.venue_order_id, update.kind)),
        _ => None,
    });
    assert_eq!(told, Some((venue_id(&theirs), OrderUpdateKind::CancelReject { code: -2011 })));
    desk.wait(SECOND);
    assert!(desk.sent.is_empty(), "nothing of ours is in doubt");
}

/// O17: at run time the third refusal in a row stops the gateway, and says why.
#[test]
fn three_refusals_of_the_key_at_run_time_stop_the_gateway() {
    let mut desk = Desk::ready();
    for n in 1..=3 {
        assert_eq!(desk.session.fatal, None);
        let request = desk.place(&order(0, n)).unwrap();
        desk.events.clear();
        desk.refuse(&request, 400, -2015, "Invalid API-key, IP, or permissions for action.");
        assert_eq!(desk.session.step, Step::Offline);
        if n < 3 {
            desk.connect(json!([]));
        }
    }
    assert_eq!(desk.session.fatal.clone().unwrap().code, -2015);
    let keys: Vec<bool> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Key(scope) => Some(scope.can_trade),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [false]);
    assert_eq!(desk.states().last(), Some(&GatewayState::Down));
}

#[test]
fn clock_budget_and_ban_are_told() {
    let mut desk = Desk::ready();
    desk.wait(SECOND);
    let first = order(0, 1);
    let request = desk.place(&first).unwrap();
    desk.hear(&json!({"id": request["id"], "status": 200, "result": ack(&first), "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 70}]}));
    let request = desk.place(&order(0, 2)).unwrap();
    let until_ms = desk.now.as_ms() + 90_000;
    desk.hear(&json!({"id": request["id"], "status": 418, "error": {"code": -1003, "msg": "banned",
        "data": {"serverTime": 1, "retryAfter": until_ms}}}));
    let budgets: Vec<(u32, TsNs)> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Budget(budget) => Some((budget.left, budget.banned_until)),
            _ => None,
        })
        .collect();
    assert_eq!(budgets, [(5_930, TsNs(0)), (5_930, TsNs::from_ms(until_ms + 500))]);
    assert!(matches!(desk.place(&order(0, 3)), Err(SendError::RateLimited { .. })));
}
