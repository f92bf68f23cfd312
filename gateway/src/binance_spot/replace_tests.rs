//! Replacements and pairs against a scripted venue.

use super::desk::{Desk, START_MS, TENTH, ack, fill, report, state, venue_id};
use super::session::{MS, SECOND, Sent, Step};
use super::settings::SendError;
use crate::testing::order;
use serde_json::{Value, json};
use smc_core::event::OrderUpdateKind;
use smc_core::output::{CancelOrder, NewOrder, OrderKind, OrderTerms};
use smc_core::words::{ClientOrderId, Price, Qty, SCALE, Side};

fn replace(desk: &mut Desk, old: &NewOrder, new: &NewOrder) -> Result<Value, SendError> {
    let cancel =
        CancelOrder { instrument: old.instrument, client_order_id: old.client_order_id, venue_order_id: 0 };
    let mut bytes = Vec::new();
    let now = desk.now;
    desk.session.replace(now, &cancel, new, &mut |sent| {
        bytes = sent.to_vec();
        Sent::Yes
    })?;
    Ok(serde_json::from_slice(&bytes).unwrap())
}

fn halves(cancel: (&str, Value), new: (&str, Value)) -> Value {
    json!({"cancelResult": cancel.0, "cancelResponse": cancel.1, "newOrderResult": new.0, "newOrderResponse": new.1})
}

fn refusal(code: i32) -> Value {
    json!({"code": code, "msg": ""})
}

fn fail(desk: &mut Desk, request: &Value, status: u16, code: i32, data: Value) {
    let error = json!({"code": code, "msg": "", "data": data});
    desk.hear(&json!({"id": request["id"], "status": status, "error": error}));
}

const ENDED: OrderUpdateKind = OrderUpdateKind::Canceled { cum_qty: Qty(0) };

#[test]
fn the_old_order_ends_and_the_new_one_works() {
    let mut desk = Desk::ready();
    let (old, new) = (desk.working(1), order(0, 2));
    let request = replace(&mut desk, &old, &new).unwrap();
    assert_eq!(request["params"]["cancelOrderId"], venue_id(&old));
    desk.answer(&request, halves(("SUCCESS", state(&old, "CANCELED", "0")), ("SUCCESS", ack(&new))));
    let told = [(old.client_order_id, ENDED), (new.client_order_id, OrderUpdateKind::Ack)];
    assert_eq!(desk.told(), told);
    assert_eq!(desk.session.orders.iter().count(), 1);
}

#[test]
fn a_replacement_that_fails_leaves_the_old_order_or_ends_it_as_the_venue_says() {
    // -2021: the old one is gone and the new one refused.
    let mut desk = Desk::ready();
    let (old, new) = (desk.working(1), order(0, 2));
    let request = replace(&mut desk, &old, &new).unwrap();
    let data = halves(("SUCCESS", state(&old, "CANCELED", "0")), ("FAILURE", refusal(-2010)));
    fail(&mut desk, &request, 409, -2021, data);
    let rejected = OrderUpdateKind::Reject { code: -2010 };
    assert_eq!(desk.told(), [(old.client_order_id, ENDED), (new.client_order_id, rejected)]);

    // -2022: the old one has begun to fill; it works on, and its own state is asked for.
    let (old, new) = (desk.working(3), order(0, 4));
    let request = replace(&mut desk, &old, &new).unwrap();
    fail(
        &mut desk,
        &request,
        400,
        -2022,
        halves(("FAILURE", refusal(-2011)), ("NOT_ATTEMPTED", Value::Null)),
    );
    assert_eq!(desk.told(), [(new.client_order_id, OrderUpdateKind::Reject { code: -2022 })]);
    desk.wait(20 * MS);
    let status = desk.take("order.status");
    desk.answer(&status, state(&old, "NEW", "0"));
    assert_eq!(desk.told(), [(old.client_order_id, OrderUpdateKind::Ack)]);

    // Refused as a whole: nothing was done.
    let new = order(0, 5);
    let request = replace(&mut desk, &old, &new).unwrap();
    desk.refuse(&request, 400, -1013, "Filter failure: PRICE_FILTER");
    assert_eq!(desk.told(), [(new.client_order_id, OrderUpdateKind::Reject { code: -1013 })]);
}

#[test]
fn a_lost_replacement_leaves_both_in_doubt_until_the_venue_has_told() {
    for is_cut in [false, true] {
        let mut desk = Desk::ready();
        let (old, new) = (desk.working(1), order(0, 2));
        let (old_id, new_id) = (old.client_order_id, new.client_order_id);
        replace(&mut desk, &old, &new).unwrap();
        let unknown = [(new_id, OrderUpdateKind::Unknown), (old_id, OrderUpdateKind::Unknown)];
        if is_cut {
            desk.cut();
            assert_eq!(desk.told(), unknown);
            desk.connect(json!([state(&new, "NEW", "0")]));
            assert_eq!(desk.told(), [(new_id, OrderUpdateKind::Ack)]);
            let status = desk.take("order.status");
            desk.answer(&status, state(&old, "CANCELED", "0"));
        } else {
            desk.wait(2_100 * MS);
            assert_eq!(desk.told(), unknown);
            for request in std::mem::take(&mut desk.sent) {
                let is_old = request["params"]["origClientOrderId"] == old_id.to_string();
                let said = if is_old { state(&old, "CANCELED", "0") } else { state(&new, "NEW", "0") };
                desk.answer(&request, said);
            }
            assert_eq!(desk.told().len(), 2);
        }
        assert_eq!(desk.session.step, Step::Ready);
        let kept: Vec<ClientOrderId> = desk.session.orders.iter().map(|order| order.id).collect();
        assert_eq!(kept, [new_id], "cut: {is_cut}");
    }
}

#[test]
fn what_has_begun_to_fill_or_is_not_known_to_work_is_not_replaced() {
    let mut desk = Desk::ready();
    let old = desk.working(1);
    desk.hear(&report(&old, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    assert_eq!(desk.told(), [(old.client_order_id, fill(70, TENTH, TENTH))]);
    assert_eq!(replace(&mut desk, &old, &order(0, 2)), Err(SendError::CannotReplace));
    let underway = order(0, 3);
    desk.place(&underway).unwrap();
    assert_eq!(replace(&mut desk, &underway, &order(0, 4)), Err(SendError::CannotReplace));
    assert_eq!(replace(&mut desk, &order(0, 9), &order(0, 4)), Err(SendError::CannotReplace));
}

/// A stop and a target that name each other.
fn pair() -> (NewOrder, NewOrder) {
    let (stop, target) = (order(0, 11), order(0, 10));
    let with = |other: &NewOrder| OrderTerms { oco: other.client_order_id, ..OrderTerms::PLAIN };
    let stop_terms = with(&target);
    let target_terms = with(&stop);
    let stop = NewOrder {
        side: Side::Sell,
        kind: OrderKind::StopLimit,
        stop_price: Price(49_000 * SCALE),
        terms: stop_terms,
        ..stop
    };
    let target = NewOrder { side: Side::Sell, price: Price(60_000 * SCALE), terms: target_terms, ..target };
    (stop, target)
}

/// Places an order; none is sent while it waits for its pair.
fn place(desk: &mut Desk, order: &NewOrder) -> Result<Option<Value>, SendError> {
    let mut bytes = Vec::new();
    let now = desk.now;
    desk.session.place(now, order, &mut |sent| {
        bytes = sent.to_vec();
        Sent::Yes
    })?;
    Ok((!bytes.is_empty()).then(|| serde_json::from_slice(&bytes).unwrap()))
}

fn list(stop: &NewOrder, target: &NewOrder) -> Value {
    let row = |order: &NewOrder| json!({"symbol": "BTCUSDT", "orderId": venue_id(order), "clientOrderId": order.client_order_id.to_string()});
    json!({"orderListId": 3, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED",
        "listOrderStatus": "EXECUTING", "listClientOrderId": "x", "transactionTime": 1, "symbol": "BTCUSDT",
        "orders": [row(target), row(stop)]})
}

#[test]
fn a_pair_leaves_as_one_request_and_each_order_lives_its_own_life() {
    let mut desk = Desk::ready();
    let (stop, target) = pair();
    assert_eq!(place(&mut desk, &stop), Ok(None), "waits for the other");
    let request = place(&mut desk, &target).unwrap().unwrap();
    assert_eq!(request["method"], "orderList.place.oco");
    desk.answer(&request, list(&stop, &target));
    let (stop_id, target_id) = (stop.client_order_id, target.client_order_id);
    assert_eq!(desk.told(), [(stop_id, OrderUpdateKind::Ack), (target_id, OrderUpdateKind::Ack)]);
    desk.hear(&report(&target, "TRADE", "FILLED", "0.5", Some((70, "0.5"))));
    desk.hear(&ended_by_pair(&stop));
    let told = desk.told();
    assert_eq!(told[1], (stop_id, ENDED));
    assert_eq!(desk.session.orders.iter().count(), 0);
    assert_eq!(desk.session.counters.orders_sent, 2);
}

#[test]
fn a_pair_lost_by_a_cut_leaves_both_in_doubt() {
    let (stop, target) = pair();
    let (stop_id, target_id) = (stop.client_order_id, target.client_order_id);
    let mut desk = Desk::ready();
    place(&mut desk, &stop).unwrap();
    place(&mut desk, &target).unwrap();
    desk.cut();
    assert_eq!(desk.told(), [(stop_id, OrderUpdateKind::Unknown), (target_id, OrderUpdateKind::Unknown)]);
}

#[test]
fn an_order_whose_pair_does_not_come_leaves_alone_and_the_other_is_refused() {
    let mut desk = Desk::ready();
    let (stop, target) = pair();
    assert_eq!(place(&mut desk, &stop), Ok(None));
    desk.wait(4 * MS);
    assert!(desk.sent.is_empty());
    desk.wait(2 * MS);
    let alone = desk.take("order.place");
    assert_eq!(alone["params"]["stopPrice"], "49000.00");
    assert_eq!(place(&mut desk, &target), Err(SendError::PairBroken));
    desk.answer(&alone, ack(&stop));
    assert_eq!(desk.told(), [(stop.client_order_id, OrderUpdateKind::Ack)]);
}

#[test]
fn a_held_order_can_be_cancelled_and_does_not_survive_a_cut() {
    let mut desk = Desk::ready();
    let (stop, target) = pair();
    place(&mut desk, &stop).unwrap();
    let cancel =
        CancelOrder { instrument: stop.instrument, client_order_id: stop.client_order_id, venue_order_id: 0 };
    let now = desk.now;
    desk.session.cancel(now, &cancel, &mut |_| panic!("nothing is there to cancel")).unwrap();
    assert_eq!(place(&mut desk, &target), Err(SendError::PairBroken));
    desk.turn();
    assert_eq!(desk.told(), [(stop.client_order_id, ENDED)]);

    let mut desk = Desk::ready();
    place(&mut desk, &stop).unwrap();
    desk.cut();
    assert_eq!(desk.told(), [(stop.client_order_id, OrderUpdateKind::Reject { code: -1 })]);
    desk.wait(SECOND);
    assert!(desk.sent.is_empty());
}

/// The venue would place them only once the whole entry has filled; until then the core would think it protected.
#[test]
fn stop_and_target_along_with_an_entry_are_refused() {
    let mut desk = Desk::ready();
    let terms = OrderTerms { stop_on_fill: Price(49_000 * SCALE), ..OrderTerms::PLAIN };
    assert_eq!(place(&mut desk, &NewOrder { terms, ..order(0, 1) }), Err(SendError::CannotAttach));
}

#[test]
fn everything_on_a_symbol_can_be_ended_with_one_request() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let mut bytes = Vec::new();
    let now = desk.now;
    let all = &mut |sent: &[u8]| {
        bytes = sent.to_vec();
        Sent::Yes
    };
    desk.session.cancel_all(now, order.instrument, all).unwrap();
    let request: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        (&request["method"], &request["params"]["symbol"]),
        (&json!("openOrders.cancelAll"), &json!("BTCUSDT"))
    );
    desk.hear(&report(&order, "CANCELED", "CANCELED", "0", None));
    desk.answer(&request, json!([state(&order, "CANCELED", "0")]));
    assert_eq!(desk.told(), [(order.client_order_id, ENDED)]);
    // An answer that is lost says nothing: a look at everything follows.
    let all = &mut |_: &[u8]| Sent::Yes;
    desk.session.cancel_all(now, order.instrument, all).unwrap();
    desk.wait(2_100 * MS);
    desk.turn();
    desk.take("account.status");
}

/// A pair on its way, and its request.
fn sent_pair(desk: &mut Desk) -> (NewOrder, NewOrder, Value) {
    let (stop, target) = pair();
    place(desk, &stop).unwrap();
    let request = place(desk, &target).unwrap().unwrap();
    (stop, target, request)
}

/// A pair that works.
fn working_pair(desk: &mut Desk) -> (NewOrder, NewOrder) {
    let (stop, target, request) = sent_pair(desk);
    desk.answer(&request, list(&stop, &target));
    assert_eq!(desk.told().len(), 2);
    (stop, target)
}

/// The venue's end of an order because of the other: `EXPIRED`, and why.
fn ended_by_pair(order: &NewOrder) -> Value {
    let mut report = report(order, "EXPIRED", "EXPIRED", "0", None);
    report["event"]["eR"] = json!("OCO_TRIGGER");
    report
}

/// What the venue answers to the cancel of one of a pair: the list, with a report of each order that it ended.
fn ended_list(stop: &NewOrder, target: &NewOrder, ended: &[&NewOrder]) -> Value {
    let mut answer = list(stop, target);
    answer["listOrderStatus"] = json!("ALL_DONE");
    let row = |order: &&NewOrder| {
        let mut row = state(order, "CANCELED", "0");
        row["origClientOrderId"] = row["clientOrderId"].take();
        row["clientOrderId"] = json!("the-cancel");
        row
    };
    answer["orderReports"] = ended.iter().map(row).collect();
    answer
}

#[test]
fn the_cancel_of_one_ends_both_and_is_no_surprise() {
    // The answer alone, the reports alone, and both in either order.
    for ways in [&["answer"][..], &["reports", "answer"], &["answer", "reports"]] {
        let mut desk = Desk::ready();
        let (stop, target) = working_pair(&mut desk);
        let request = desk.cancel(stop.client_order_id).unwrap();
        let mut told = Vec::new();
        for way in ways {
            if *way == "answer" {
                desk.answer(&request, ended_list(&stop, &target, &[&stop, &target]));
            } else {
                desk.hear(&report(&stop, "CANCELED", "CANCELED", "0", None));
                desk.hear(&report(&target, "CANCELED", "CANCELED", "0", None));
            }
            told.append(&mut desk.told());
        }
        for order in [stop, target] {
            assert!(told.contains(&(order.client_order_id, ENDED)), "{ways:?}: {told:?}");
        }
        assert!(told.iter().all(|(_, kind)| *kind == ENDED), "{ways:?}: {told:?}");
        assert_eq!(desk.session.orders.iter().count(), 0);
        desk.wait(3_000 * MS);
        assert!(desk.sent.is_empty(), "nothing is in doubt: {:?}", desk.sent);
    }
}

#[test]
fn the_rest_of_a_target_that_lost_its_stop_is_cancelled_by_either_answer() {
    for is_list in [true, false] {
        let mut desk = Desk::ready();
        let (stop, target) = working_pair(&mut desk);
        desk.hear(&report(&target, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
        desk.hear(&ended_by_pair(&stop));
        let (stop_id, target_id) = (stop.client_order_id, target.client_order_id);
        assert_eq!(desk.told()[1], (stop_id, ENDED));
        let request = desk.cancel(target_id).unwrap();
        let mut answer =
            if is_list { ended_list(&stop, &target, &[&target]) } else { state(&target, "CANCELED", "0.1") };
        if is_list {
            answer["orderReports"][0]["executedQty"] = json!("0.1");
        }
        desk.answer(&request, answer);
        assert_eq!(desk.told(), [(target_id, OrderUpdateKind::Canceled { cum_qty: Qty(TENTH) })]);
    }
}

/// The venue takes no pair whose target the market has reached while it was on its way.
#[test]
fn the_stop_of_a_refused_pair_leaves_once_more_and_alone() {
    let mut desk = Desk::ready();
    let (stop, target, request) = sent_pair(&mut desk);
    let (stop_id, target_id) = (stop.client_order_id, target.client_order_id);
    desk.refuse(&request, 400, -2010, "The relationship of the prices for the orders is not correct.");
    assert_eq!(desk.told(), [(target_id, OrderUpdateKind::Reject { code: -2010 })]);
    let alone = desk.take("order.place");
    assert_eq!(alone["params"]["newClientOrderId"], stop_id.to_string());
    assert_eq!(alone["params"]["stopPrice"], "49000.00");
    desk.answer(&alone, ack(&stop));
    assert_eq!(desk.told(), [(stop_id, OrderUpdateKind::Ack)]);

    // Alone it is an order like any other: refused, it is refused, and lost, it is asked about.
    let mut desk = Desk::ready();
    let (_, _, request) = sent_pair(&mut desk);
    desk.refuse(&request, 400, -2010, "The relationship of the prices for the orders is not correct.");
    desk.told();
    let alone = desk.take("order.place");
    desk.refuse(&alone, 400, -2010, "Order would trigger immediately.");
    assert_eq!(desk.told(), [(stop_id, OrderUpdateKind::Reject { code: -2010 })]);
    assert!(desk.sent.is_empty());
}

#[test]
fn a_pair_that_may_have_been_taken_is_never_followed_by_its_stop() {
    // A 503, a silence that ends in a refusal, and a refusal while a cancel is under way.
    let mut desk = Desk::ready();
    let (stop, target, request) = sent_pair(&mut desk);
    let (stop_id, target_id) = (stop.client_order_id, target.client_order_id);
    let unknown = [(stop_id, OrderUpdateKind::Unknown), (target_id, OrderUpdateKind::Unknown)];
    desk.refuse(&request, 503, -1000, "Unknown error, please check your request or try again later.");
    assert_eq!(desk.told(), unknown);
    assert!(desk.sent.iter().all(|request| request["method"] == "order.status"), "{:?}", desk.sent);

    let mut desk = Desk::ready();
    let (_, _, request) = sent_pair(&mut desk);
    desk.wait(2_100 * MS);
    assert_eq!(desk.told(), unknown);
    desk.refuse(&request, 400, -2010, "Order would immediately match and take.");
    let rejected = OrderUpdateKind::Reject { code: -2010 };
    assert_eq!(desk.told(), [(stop_id, rejected), (target_id, rejected)]);
    assert!(desk.sent.iter().all(|request| request["method"] == "order.status"), "{:?}", desk.sent);

    let mut desk = Desk::ready();
    let (_, _, request) = sent_pair(&mut desk);
    desk.cancel(stop_id).unwrap();
    desk.refuse(&request, 400, -2010, "Order would immediately match and take.");
    assert_eq!(desk.told(), [(stop_id, rejected), (target_id, rejected)]);
    assert!(desk.sent.is_empty(), "{:?}", desk.sent);
}

/// Each of a pair is asked about by its own name, and a list that the venue has is found.
#[test]
fn a_lost_answer_to_a_pair_is_found_out_order_by_order() {
    let mut desk = Desk::ready();
    let (stop, target, _) = sent_pair(&mut desk);
    desk.wait(2_100 * MS);
    desk.told();
    for request in std::mem::take(&mut desk.sent) {
        let is_stop = request["params"]["origClientOrderId"] == stop.client_order_id.to_string();
        desk.answer(&request, state(if is_stop { &stop } else { &target }, "NEW", "0"));
    }
    let mut told = desk.told();
    told.sort_by_key(|(id, _)| *id);
    let ack = OrderUpdateKind::Ack;
    assert_eq!(told, [(target.client_order_id, ack), (stop.client_order_id, ack)]);
}

/// The second half finds no room at the venue: the first is told at once that it goes alone, and time need not pass.
#[test]
fn a_pair_for_which_there_is_no_room_leaves_its_stop() {
    let mut desk = Desk::ready();
    let (stop, target) = pair();
    place(&mut desk, &stop).unwrap();
    desk.wire = Sent::No;
    let now = desk.now;
    assert_eq!(desk.session.place(now, &target, &mut |_| Sent::No), Err(SendError::Backpressure));
    desk.wire = Sent::Yes;
    desk.turn();
    assert_eq!(desk.take("order.place")["params"]["stopPrice"], "49000.00");
}

/// Words that the list of orders has for a pair: both are adopted, each by itself.
#[test]
fn a_pair_that_works_is_found_again_as_two_orders() {
    let (stop, target) = pair();
    let mut desk = Desk::new();
    let row = |order: &NewOrder, kind: &str| {
        let mut row = state(order, "NEW", "0");
        row["orderListId"] = json!(3);
        row["type"] = json!(kind);
        row["side"] = json!("SELL");
        row["price"] = json!(order.price.to_string());
        row["stopPrice"] = json!(order.stop_price.to_string());
        row
    };
    desk.connect(json!([row(&stop, "STOP_LOSS_LIMIT"), row(&target, "LIMIT_MAKER")]));
    let rows = |event: &smc_core::Event| match event.body {
        smc_core::event::EventBody::VenueOrder(row) => Some((row.client_order_id, row.kind)),
        _ => None,
    };
    let rows: Vec<_> = desk.events.iter().filter_map(rows).collect();
    assert_eq!(
        rows,
        [(stop.client_order_id, OrderKind::StopLimit), (target.client_order_id, OrderKind::LimitMaker)]
    );
    assert_eq!(desk.session.step, Step::Ready);
    assert_eq!(desk.session.orders.iter().count(), 2);
}

/// What ended one of a pair is not said by its state: it ended with the other. An order of no list did expire.
#[test]
fn one_of_a_pair_that_expired_unseen_counts_as_cancelled() {
    for (list, expected) in [(json!(3), ENDED), (json!(-1), OrderUpdateKind::Expired { cum_qty: Qty::ZERO })]
    {
        let mut desk = Desk::ready();
        let (stop, _) = working_pair(&mut desk);
        desk.cut();
        desk.connect(json!([]));
        let asked = std::mem::take(&mut desk.sent);
        let is_stop =
            |asked: &&Value| asked["params"]["origClientOrderId"] == stop.client_order_id.to_string();
        let mut row = state(&stop, "EXPIRED", "0");
        row["orderListId"] = list;
        desk.told();
        desk.answer(asked.iter().find(is_stop).unwrap(), row);
        assert_eq!(desk.told(), [(stop.client_order_id, expected)]);
    }
}

/// A stop that was refused as it woke is no end of a pair.
#[test]
fn a_stop_of_a_pair_that_expired_by_itself_expired() {
    let mut desk = Desk::ready();
    let (stop, _) = working_pair(&mut desk);
    let mut told = report(&stop, "EXPIRED", "EXPIRED", "0", None);
    told["event"]["eR"] = json!("REJECTED");
    desk.hear(&told);
    assert_eq!(desk.told(), [(stop.client_order_id, OrderUpdateKind::Expired { cum_qty: Qty::ZERO })]);
}

#[test]
fn news_of_a_list_is_no_news() {
    let mut desk = Desk::ready();
    let (stop, _) = working_pair(&mut desk);
    let refused = desk.session.counters.refused;
    desk.hear(
        &json!({"subscriptionId": 0, "event": {"e": "listStatus", "E": START_MS, "s": "BTCUSDT", "g": 3,
        "c": "OCO", "l": "ALL_DONE", "L": "ALL_DONE", "r": "NONE", "C": "x", "T": START_MS,
        "O": [{"s": "BTCUSDT", "i": venue_id(&stop), "c": stop.client_order_id.to_string()}]}}),
    );
    assert_eq!((desk.told(), desk.session.counters.refused), (vec![], refused));
}
