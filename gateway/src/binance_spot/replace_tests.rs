//! Replacements and pairs against a scripted venue.

use super::desk::{Desk, TENTH, ack, fill, report, state, venue_id};
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
    desk.hear(&report(&stop, "EXPIRED", "EXPIRED", "0", None));
    let told = desk.told();
    assert_eq!(told[1], (stop_id, OrderUpdateKind::Expired { cum_qty: Qty(0) }));
    assert_eq!(desk.session.orders.iter().count(), 0);
    assert_eq!(desk.session.counters.orders_sent, 2);
}

#[test]
fn a_refused_pair_refuses_both_and_a_lost_one_leaves_both_in_doubt() {
    let (stop, target) = pair();
    let (stop_id, target_id) = (stop.client_order_id, target.client_order_id);
    let mut desk = Desk::ready();
    place(&mut desk, &stop).unwrap();
    let request = place(&mut desk, &target).unwrap().unwrap();
    desk.refuse(&request, 400, -2010, "The relationship of the prices for the orders is not correct.");
    let rejected = OrderUpdateKind::Reject { code: -2010 };
    assert_eq!(desk.told(), [(stop_id, rejected), (target_id, rejected)]);

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
