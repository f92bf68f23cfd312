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
