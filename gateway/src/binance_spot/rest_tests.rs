//! REST beside the connection, without a socket: what is asked, and what its answers and silences mean.

use super::decode::Scratch;
use super::desk::{Desk, state, venue_id};
use super::session::{MS, Out, SECOND, Step};
use super::settings::SendError;
use serde_json::json;
use smc_core::event::{EventBody, KeyScope, OrderUpdateKind};
use smc_core::words::{Qty, TsNs};
use smc_net::{Call, HttpResponse, Method, NetError, Outcome};

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let body = body.as_bytes().to_vec().into();
    Outcome::Answer(HttpResponse { status, headers, body, is_keep_alive: true })
}

/// Lets time pass without a connection.
fn wait(desk: &mut Desk, nanos: u64) {
    desk.now = TsNs(desk.now.0 + nanos);
    let now = desk.now;
    desk.session.drive_rest(now);
}

/// The request that waits, which must be this one.
fn take(desk: &mut Desk, method: Method, path: &str) -> Call {
    assert_eq!(desk.session.rest.calls.len(), 1, "{:?}", desk.session.rest.calls);
    let call = desk.session.rest.calls.remove(0);
    assert_eq!((call.method, call.path.split('?').next().unwrap()), (method, path));
    assert!(call.path.contains("&signature="));
    assert_eq!(call.headers, [("X-MBX-APIKEY".to_owned(), "KEY".to_owned())]);
    call
}

fn hear(desk: &mut Desk, call: &Call, outcome: Outcome) {
    let events = &mut desk.events;
    let mut emit = |event| events.push(event);
    let mut out = Out::new(desk.now, &mut emit);
    desk.session.on_rest(call.tag, outcome, &mut Scratch::new(), &mut out);
}

/// Ready, with the key's rights told, then cut off with one order working.
fn cut_off() -> (Desk, smc_core::output::NewOrder) {
    let mut desk = Desk::ready();
    desk.session.rest.is_open = true;
    wait(&mut desk, MS);
    let rights = take(&mut desk, Method::Get, "/sapi/v1/account/apiRestrictions");
    hear(&mut desk, &rights, response(404, &[], "<html>"));
    let order = desk.working(1);
    desk.cut();
    desk.session.rest.offline_since = Some(desk.now);
    desk.events.clear();
    (desk, order)
}

#[test]
fn what_the_key_may_do_is_told() {
    let mut desk = Desk::ready();
    desk.session.rest.is_open = true;
    wait(&mut desk, MS);
    let rights = take(&mut desk, Method::Get, "/sapi/v1/account/apiRestrictions");
    let body = json!({"ipRestrict": false, "createTime": 1, "enableReading": true, "enableWithdrawals": true,
        "enableSpotAndMarginTrading": true});
    hear(&mut desk, &rights, response(200, &[], &body.to_string()));
    let keys: Vec<KeyScope> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Key(scope) => Some(scope),
            _ => None,
        })
        .collect();
    assert_eq!(keys, [KeyScope { can_trade: true, can_withdraw: true }]);
    wait(&mut desk, 30 * SECOND);
    assert!(desk.session.rest.calls.is_empty(), "it is known now");
}

#[test]
fn the_first_logon_waits_until_the_rights_are_settled_however() {
    let answers = [
        response(200, &[], r#"{"enableWithdrawals": false, "enableSpotAndMarginTrading": true}"#),
        response(404, &[], "<html>"),
        response(500, &[], "<html>"),
        Outcome::NotSent(NetError::TimedOut),
        Outcome::Unknown(NetError::TimedOut),
    ];
    for answer in answers {
        let mut desk = Desk::new();
        desk.session.rest.is_open = true;
        desk.session.on_open(desk.now);
        wait(&mut desk, 0);
        assert!(desk.session.rest.calls.is_empty(), "the clock is compared first, over one connection");
        desk.turn();
        let time = desk.take("time");
        desk.answer(&time, json!({"serverTime": desk.now.as_ms()}));
        wait(&mut desk, 0);
        desk.turn();
        assert!(desk.sent.is_empty(), "{:?}", desk.sent);
        let rights = take(&mut desk, Method::Get, "/sapi/v1/account/apiRestrictions");
        hear(&mut desk, &rights, answer);
        desk.turn();
        desk.take("session.logon");
    }
}

#[test]
fn a_ban_that_the_question_about_rights_brings_is_honoured() {
    let mut desk = Desk::ready();
    desk.session.rest.is_open = true;
    wait(&mut desk, MS);
    let rights = take(&mut desk, Method::Get, "/sapi/v1/account/apiRestrictions");
    let until = TsNs(desk.now.0 + 300 * SECOND);
    let body = r#"{"code": -1003, "msg": "Way too much request weight used; IP banned."}"#;
    hear(&mut desk, &rights, response(418, &[("retry-after", "300")], body));
    let told = desk.events.iter().find_map(|event| match event.body {
        EventBody::Budget(budget) => Some(budget.banned_until),
        _ => None,
    });
    assert!(told.is_some_and(|told| told.0.abs_diff(until.0) <= SECOND), "{told:?}, {until:?}");
    wait(&mut desk, 299 * SECOND);
    assert!(desk.session.rest.calls.is_empty(), "nothing is asked before the time");
    wait(&mut desk, 2 * SECOND);
    take(&mut desk, Method::Get, "/sapi/v1/account/apiRestrictions");
}

#[test]
fn a_cancel_goes_by_rest_while_there_is_no_connection_and_is_told_like_any_other() {
    let (mut desk, order) = cut_off();
    let id = order.client_order_id;
    desk.cancel_silently(id).unwrap();
    let call = take(&mut desk, Method::Delete, "/api/v3/order");
    assert!(call.path.contains(&format!("origClientOrderId={id}")) && !call.is_repeatable);
    assert!(call.path.contains(&format!("orderId={}", venue_id(&order))));
    hear(&mut desk, &call, response(200, &[], &state(&order, "CANCELED", "0").to_string()));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Canceled { cum_qty: Qty(0) })]);
    assert_eq!(desk.session.step, Step::Offline);
}

#[test]
fn a_lost_cancel_is_unknown_and_one_that_never_left_is_refused() {
    let (mut desk, order) = cut_off();
    let id = order.client_order_id;
    desk.cancel_silently(id).unwrap();
    let call = take(&mut desk, Method::Delete, "/api/v3/order");
    hear(&mut desk, &call, Outcome::NotSent(NetError::TimedOut));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::CancelReject { code: -1 })]);
    for lost in [Outcome::Unknown(NetError::TimedOut), response(502, &[], "<html>"), response(200, &[], "{")]
    {
        desk.cancel_silently(id).unwrap();
        let call = take(&mut desk, Method::Delete, "/api/v3/order");
        hear(&mut desk, &call, lost);
        assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    }
    // A second without a connection: the venue is asked by REST, and its word decides.
    wait(&mut desk, SECOND);
    let call = take(&mut desk, Method::Get, "/api/v3/order");
    hear(&mut desk, &call, response(200, &[], &state(&order, "CANCELED", "0").to_string()));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Canceled { cum_qty: Qty(0) })]);
}

/// O14: nothing goes out before a ban is over.
#[test]
fn a_ban_stops_rest() {
    let (mut desk, order) = cut_off();
    desk.cancel_silently(order.client_order_id).unwrap();
    let call = take(&mut desk, Method::Delete, "/api/v3/order");
    let body = json!({"code": -1003, "msg": "banned"}).to_string();
    hear(&mut desk, &call, response(418, &[("retry-after", "120")], &body));
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::CancelReject { code: -1003 })]);
    wait(&mut desk, 119 * SECOND);
    assert_eq!(desk.cancel_silently(order.client_order_id), Err(SendError::NotReady));
    assert!(desk.session.rest.calls.is_empty());
    wait(&mut desk, 2 * SECOND);
    assert!(desk.cancel_silently(order.client_order_id).is_ok());
}

#[test]
fn without_rest_nothing_changes() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.cut();
    wait(&mut desk, 10 * SECOND);
    assert_eq!(desk.cancel_silently(order.client_order_id), Err(SendError::NotReady));
    assert!(desk.session.rest.calls.is_empty());
}
