//! The session against a scripted venue.

use super::desk::{Desk, START_MS, TENTH, ack, fill, report, state, trade, venue_id};
use super::session::{MS, SECOND, Sent, Step};
use super::settings::SendError;
use crate::testing::{INSTANCE, order};
use serde_json::{Value, json};
use smc_core::event::{Balance, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::NewOrder;
use smc_core::words::{ClientOrderId, InstrumentId, Name, Qty, SCALE, TsNs};

#[test]
fn the_way_to_ready_is_told() {
    let mut desk = Desk::new();
    desk.connect(json!([]));
    let balances: Vec<Balance> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Balance(balance) => Some(balance),
            _ => None,
        })
        .collect();
    let balance = |asset, free, locked| Balance {
        asset: Name::new(asset).unwrap(),
        free: Qty(free),
        locked: Qty(locked),
    };
    assert_eq!(
        balances,
        [
            balance("USDT", 100_050_000_000, SCALE),
            balance("BNB", 0, 0),
            balance("BTC", 0, 0),
            balance("ETH", 0, 0),
        ]
    );
    assert_eq!(desk.states(), [GatewayState::Syncing, GatewayState::Ready], "down is where it begins");
}

#[test]
fn requests_carry_the_venues_time() {
    let mut desk = Desk::new();
    desk.session.on_open(desk.now);
    desk.turn();
    let time = desk.take("time");
    desk.now = TsNs(desk.now.0 + 20 * MS);
    desk.answer(&time, json!({"serverTime": START_MS + 10 + 5_000}));
    assert_eq!(desk.take("session.logon")["params"]["timestamp"], START_MS + 20 + 5_000);
}

#[test]
fn an_order_lives_and_dies() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    desk.hear(&report(&order, "NEW", "NEW", "0", None));
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.hear(&report(&order, "TRADE", "FILLED", "0.5", Some((71, "0.4"))));
    assert_eq!(
        desk.told(),
        [(id, OrderUpdateKind::Ack), (id, fill(70, TENTH, TENTH)), (id, fill(71, 4 * TENTH, 5 * TENTH))]
    );
    assert!(desk.session.orders.iter().next().is_none(), "finished orders leave the table");
    let event = report(&order, "TRADE", "FILLED", "0.5", Some((71, "0.4")));
    desk.hear(&event);
    assert_eq!(desk.told(), [], "the same trade twice");
}

#[test]
fn a_fill_before_the_answer_is_no_doubt() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let id = order.client_order_id;
    let request = desk.place(&order).unwrap();
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.wait(3 * SECOND);
    assert_eq!(desk.told(), [(id, fill(70, TENTH, TENTH))], "a report settles what an answer would");
    desk.answer(&request, ack(&order));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Ack)]);
}

#[test]
fn answers_come_in_any_order() {
    let mut desk = Desk::ready();
    let orders: Vec<NewOrder> = (1..=20).map(|n| order(0, n)).collect();
    let requests: Vec<Value> = orders.iter().map(|order| desk.place(order).unwrap()).collect();
    for (n, (order, request)) in orders.iter().zip(&requests).enumerate().rev() {
        if n % 2 == 0 {
            desk.answer(request, ack(order));
            assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        } else {
            desk.refuse(request, 400, -2010, "Account has insufficient balance for requested action.");
            assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Reject { code: -2010 })]);
        }
    }
    assert_eq!(desk.session.counters.rejects, 10);
}

#[test]
fn no_answer_is_unknown_until_the_venue_proves_it() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let id = order.client_order_id;
    desk.place(&order).unwrap();
    desk.wait(1_999 * MS);
    assert_eq!(desk.told(), []);
    desk.wait(20 * MS);
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    let query = desk.take("order.status");
    assert_eq!(query["params"]["origClientOrderId"], id.to_string());
    desk.answer(&query, state(&order, "NEW", "0"));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Ack)]);
    assert_eq!(desk.place(&order), Err(SendError::Duplicate), "never sent twice");
}

#[test]
fn a_late_answer_ends_the_doubt() {
    let mut desk = Desk::ready();
    let (first, second) = (order(0, 1), order(0, 2));
    let requests = [desk.place(&first).unwrap(), desk.place(&second).unwrap()];
    desk.wait(3 * SECOND);
    assert_eq!(desk.told().len(), 2);
    desk.answer(&requests[0], ack(&first));
    desk.refuse(&requests[1], 400, -1013, "Filter failure: LOT_SIZE");
    assert_eq!(
        desk.told(),
        [
            (first.client_order_id, OrderUpdateKind::Ack),
            (second.client_order_id, OrderUpdateKind::Reject { code: -1013 }),
        ]
    );
}

#[test]
fn no_such_order_is_proof_only_after_the_margin() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let id = order.client_order_id;
    let request = desk.place(&order).unwrap();
    desk.refuse(&request, 503, -1007, "Timeout waiting for response from backend server.");
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    let sent = desk.now;
    let mut queries = 0;
    while desk.now.since(sent) <= 11 * SECOND {
        desk.wait(50 * MS);
        while !desk.sent.is_empty() {
            if desk.sent[0]["method"] == "order.status" {
                assert_eq!(desk.told(), [], "{} ms after sending", desk.now.since(sent) / MS);
                let query = desk.take("order.status");
                desk.refuse(&query, 400, -2013, "Order does not exist.");
                queries += 1;
            } else {
                desk.take("time");
            }
        }
    }
    assert_eq!(desk.told(), [(id, OrderUpdateKind::NotFound)]);
    assert!((4..12).contains(&queries), "{queries} queries");
    assert_eq!(desk.session.counters.orders_sent, 1);
}

#[test]
fn a_cut_leaves_orders_in_doubt_and_the_next_connection_resolves_them() {
    let mut desk = Desk::ready();
    let (lost, filled, open) = (order(0, 1), desk.working(2), desk.working(3));
    desk.hear(&report(&filled, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.told();
    desk.place(&lost).unwrap();
    desk.cut();
    assert_eq!(desk.told(), [(lost.client_order_id, OrderUpdateKind::Unknown)]);
    assert_eq!(desk.place(&order(0, 4)), Err(SendError::NotReady));

    desk.connect(json!([state(&open, "NEW", "0")]));
    assert_eq!(desk.told(), [(open.client_order_id, OrderUpdateKind::Ack)]);
    assert_eq!(desk.session.step, Step::Reconciling);
    assert_eq!(desk.place(&order(0, 4)), Err(SendError::NotReady), "not before all is known");
    let queries = [desk.take("order.status"), desk.take("order.status")];
    for query in queries {
        let asked = query["params"]["origClientOrderId"].as_str().unwrap().to_owned();
        if asked == lost.client_order_id.to_string() {
            desk.answer(&query, state(&lost, "EXPIRED", "0.00000000"));
            assert_eq!(desk.told(), [(lost.client_order_id, OrderUpdateKind::Expired { cum_qty: Qty(0) })]);
        } else {
            desk.answer(&query, state(&filled, "FILLED", "0.50000000"));
            assert_eq!(desk.told(), [], "fills first");
        }
    }
    let trades = desk.take("myTrades");
    assert_eq!(trades["params"]["orderId"], venue_id(&filled));
    desk.answer(&trades, json!([trade(&filled, 70, "0.1"), trade(&filled, 75, "0.4")]));
    assert_eq!(desk.told(), [(filled.client_order_id, fill(75, 4 * TENTH, 5 * TENTH))]);
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn a_cancel_fetches_missed_fills_before_it_is_final() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    let mut canceled = report(&order, "CANCELED", "CANCELED", "0.2", None);
    canceled["event"]["C"] = canceled["event"]["c"].clone();
    canceled["event"]["c"] = json!("the-id-of-the-cancel");
    desk.hear(&canceled);
    assert_eq!(desk.told(), []);
    desk.wait(300 * MS);
    let trades = desk.take("myTrades");
    desk.answer(&trades, json!([]));
    desk.wait(SECOND);
    let trades = desk.take("myTrades");
    desk.answer(&trades, json!([trade(&order, 70, "0.1"), trade(&order, 71, "0.1")]));
    assert_eq!(
        desk.told(),
        [
            (id, fill(70, TENTH, TENTH)),
            (id, fill(71, TENTH, 2 * TENTH)),
            (id, OrderUpdateKind::Canceled { cum_qty: Qty(2 * TENTH) }),
        ]
    );
}

#[test]
fn a_late_fill_completes_a_cancel_without_a_question() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    let request = desk.cancel(id).unwrap();
    desk.answer(&request, state(&order, "CANCELED", "0.1"));
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    assert_eq!(
        desk.told(),
        [(id, fill(70, TENTH, TENTH)), (id, OrderUpdateKind::Canceled { cum_qty: Qty(TENTH) }),]
    );
    desk.wait(SECOND);
    assert_eq!(desk.sent, Vec::<Value>::new());
}

#[test]
fn missing_fills_are_given_up_after_a_bounded_number_of_questions() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.hear(&report(&order, "EXPIRED", "EXPIRED", "0.2", None));
    let mut questions = 0;
    for _ in 0..4_000 {
        desk.wait(10 * MS);
        for request in std::mem::take(&mut desk.sent) {
            match request["method"].as_str().unwrap() {
                "myTrades" => {
                    questions += 1;
                    desk.answer(&request, json!([]));
                }
                _ => desk.answer(&request, json!({"serverTime": START_MS})),
            }
        }
    }
    assert_eq!(questions, 5);
    let cum_qty = Qty(2 * TENTH);
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Expired { cum_qty })]);
    assert_eq!(desk.session.counters.fills_missing, 1);
}

/// After a restart: the venue says the order filled, and answers the question for its fills in one of the ways
/// that tell none. The session must become ready, with no fill made up.
fn restart_without_fills(status: &str, answer: impl Fn(&mut Desk, &Value)) -> (Desk, NewOrder) {
    let order = order(0, 1);
    let mut desk = Desk::new();
    let (now, id) = (desk.now, order.client_order_id);
    assert!(desk.session.resolve(now, order.instrument, id, Qty(TENTH)));
    desk.connect(json!([]));
    let query = desk.take("order.status");
    desk.answer(&query, state(&order, status, "0.50000000"));
    let (mut questions, mut turns) = (0, 0);
    while desk.session.step != Step::Ready {
        assert_eq!(desk.told(), [], "nothing is final while it is being asked");
        turns += 1;
        assert!(turns < 10_000, "the session hangs");
        for request in std::mem::take(&mut desk.sent) {
            match request["method"].as_str().unwrap() {
                "myTrades" => {
                    questions += 1;
                    answer(&mut desk, &request);
                }
                "time" => {
                    let server_time = desk.now.as_ms();
                    desk.answer(&request, json!({"serverTime": server_time}));
                }
                other => panic!("{other}"),
            }
            if desk.session.step == Step::Ready {
                break;
            }
        }
        if desk.session.step != Step::Ready {
            desk.wait(10 * MS);
        }
    }
    assert_eq!((questions, desk.session.counters.fills_missing), (5, 1));
    desk.sent.clear();
    (desk, order)
}

#[test]
fn fills_that_the_venue_will_not_tell_do_not_hold_up_a_restart_and_are_not_made_up() {
    let ended = OrderUpdateKind::Expired { cum_qty: Qty(5 * TENTH) };
    let refuse = |desk: &mut Desk, request: &Value| desk.refuse(request, 400, -1020, "Not supported.");
    let (mut desk, order) = restart_without_fills("FILLED", refuse);
    assert_eq!(desk.told(), [(order.client_order_id, ended)]);
    // A late report of such a fill still counts.
    desk.hear(&report(&order, "TRADE", "FILLED", "0.5", Some((70, "0.4"))));
    assert_eq!(desk.told(), [(order.client_order_id, fill(70, 4 * TENTH, 5 * TENTH))]);
    desk.wait(10 * SECOND);
    assert!(desk.sent.iter().all(|request| request["method"] == "time"), "{:?}", desk.sent);

    let strange = |desk: &mut Desk, request: &Value| desk.answer(request, json!({"some": "thing"}));
    let (mut desk, order) = restart_without_fills("FILLED", strange);
    assert_eq!(desk.told(), [(order.client_order_id, ended)]);

    let silent = |_: &mut Desk, _: &Value| {};
    let (mut desk, order) = restart_without_fills("FILLED", silent);
    assert_eq!(desk.told(), [(order.client_order_id, ended)]);

    let (mut desk, order) = restart_without_fills("CANCELED", refuse);
    let canceled = OrderUpdateKind::Canceled { cum_qty: Qty(5 * TENTH) };
    assert_eq!(desk.told(), [(order.client_order_id, canceled)]);
}

#[test]
fn an_order_that_works_on_after_its_fills_were_given_up_is_told_over_when_it_fills() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    // A fill without a number: it cannot be counted, and the list of trades stays empty.
    desk.hear(&report(&order, "NEW", "PARTIALLY_FILLED", "0.2", None));
    for _ in 0..4_000 {
        desk.wait(10 * MS);
        for request in std::mem::take(&mut desk.sent) {
            match request["method"].as_str().unwrap() {
                "myTrades" => desk.answer(&request, json!([])),
                _ => desk.answer(&request, json!({"serverTime": START_MS})),
            }
        }
    }
    assert_eq!(desk.session.counters.fills_missing, 1);
    desk.told();
    desk.hear(&report(&order, "TRADE", "FILLED", "0.5", Some((71, "0.3"))));
    let ended = OrderUpdateKind::Expired { cum_qty: Qty(5 * TENTH) };
    assert_eq!(desk.told(), [(id, fill(71, 3 * TENTH, 5 * TENTH)), (id, ended)]);
}

#[test]
fn a_refused_cancel_asks_what_became_of_the_order() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    let request = desk.cancel(id).unwrap();
    desk.refuse(&request, 400, -2011, "Unknown order sent.");
    assert_eq!(desk.told(), [(id, OrderUpdateKind::CancelReject { code: -2011 })]);
    desk.wait(10 * MS);
    let query = desk.take("order.status");
    desk.answer(&query, state(&order, "CANCELED", "0"));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Canceled { cum_qty: Qty(0) })]);
}

#[test]
fn a_lost_cancel_is_unknown_and_then_refused_if_the_order_still_works() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    desk.cancel(id).unwrap();
    desk.cut();
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    desk.connect(json!([state(&order, "NEW", "0")]));
    assert_eq!(
        desk.told(),
        [(id, OrderUpdateKind::Ack), (id, OrderUpdateKind::CancelReject { code: -1007 })]
    );
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn limits_stop_orders_and_let_cancels_pass() {
    let mut desk = Desk::ready();
    let working = desk.working(1);
    let request = desk.place(&order(0, 2)).unwrap();
    let until_ms = desk.now.as_ms() + 3_000;
    desk.hear(&json!({"id": request["id"], "status": 429, "error": {"code": -1003, "msg": "Too much",
        "data": {"serverTime": 1, "retryAfter": until_ms}}}));
    assert_eq!(desk.told(), [(order(0, 2).client_order_id, OrderUpdateKind::Reject { code: -1003 })]);
    // Half a second more: the venue's clock is not known that well.
    let until = TsNs::from_ms(until_ms + 500);
    assert_eq!(desk.place(&order(0, 3)), Err(SendError::RateLimited { until }));
    assert_eq!(desk.cancel(working.client_order_id).unwrap()["method"], "order.cancel");
    desk.now = until;
    assert!(desk.place(&order(0, 3)).is_ok());
}

#[test]
fn the_venues_order_count_is_obeyed() {
    let mut desk = Desk::ready();
    let first = order(0, 1);
    let request = desk.place(&first).unwrap();
    desk.hear(&json!({"id": request["id"], "status": 200, "result": ack(&first), "rateLimits": [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 4, "count": 1}]}));
    assert!(desk.place(&order(0, 2)).is_ok());
    assert!(desk.place(&order(0, 3)).is_ok());
    let until = TsNs::from_ms(START_MS + 10_000);
    assert_eq!(desk.place(&order(0, 4)), Err(SendError::RateLimited { until }));
    assert_eq!(desk.session.counters.rate_limited, 1);
}

#[test]
fn a_wrong_key_is_fatal_and_says_so() {
    let mut desk = Desk::new();
    desk.session.on_open(desk.now);
    desk.turn();
    let time = desk.take("time");
    desk.answer(&time, json!({"serverTime": START_MS}));
    let logon = desk.take("session.logon");
    desk.refuse(&logon, 400, -2015, "Invalid API-key, IP, or permissions for action.");
    let fatal = desk.session.fatal.clone().unwrap();
    let expected = "the venue refused session.logon: Invalid API-key, IP, or permissions for action. (-2015)";
    assert_eq!(fatal.to_string(), expected);
    assert_eq!(desk.states(), [], "it was down and stays down");
}

#[test]
fn a_passing_trouble_at_logon_is_not_fatal() {
    for (status, code) in [(400, -1021), (503, -1007), (429, -1003), (400, -1008), (401, -1016)] {
        let mut desk = Desk::new();
        desk.session.on_open(desk.now);
        desk.turn();
        let time = desk.take("time");
        desk.answer(&time, json!({"serverTime": START_MS}));
        let logon = desk.take("session.logon");
        desk.refuse(&logon, status, code, "later");
        assert_eq!((desk.session.fatal.clone(), desk.session.step), (None, Step::Offline), "{status} {code}");
    }
}

#[test]
fn a_revoked_session_goes_down() {
    let mut desk = Desk::ready();
    let error = json!({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."});
    desk.hear(&json!({"id": null, "status": 401, "error": error}));
    assert_eq!(desk.states(), [GatewayState::Down]);
    assert_eq!(desk.session.fatal, None, "only a refused logon is for good");
}

#[test]
fn a_wrong_time_stamp_rejects_and_measures_the_clocks() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.refuse(&request, 400, -1021, "Timestamp for this request is outside of the recvWindow.");
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Reject { code: -1021 })]);
    desk.wait(10 * MS);
    let time = desk.take("time");
    desk.answer(&time, json!({"serverTime": desk.now.as_ms() + 700}));
    assert_eq!(desk.session.offset_ms, 700);
}

#[test]
fn a_shutdown_is_left_after_the_answers_under_way() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.hear(&json!({"event": {"e": "serverShutdown", "E": 1}}));
    assert_eq!(desk.place(&crate::testing::order(0, 2)), Err(SendError::NotReady));
    desk.wait(500 * MS);
    assert_eq!(desk.states(), [GatewayState::Syncing]);
    desk.answer(&request, ack(&order));
    desk.wait(20 * MS);
    assert_eq!(desk.states(), [GatewayState::Down]);
    assert_eq!(desk.session.counters.unknown, 0);
}

#[test]
fn reports_of_others_are_told_as_theirs() {
    let mut desk = Desk::ready();
    let mut stranger = report(&order(0, 1), "NEW", "NEW", "0", None);
    stranger["event"]["c"] = json!("autoclose-1");
    desk.hear(&stranger);
    stranger["event"]["c"] = json!(ClientOrderId::new(INSTANCE + 1, 1, 1).to_string());
    desk.hear(&stranger);
    let mut elsewhere = report(&order(0, 1), "NEW", "NEW", "0", None);
    elsewhere["event"]["s"] = json!("DOGEUSDT");
    desk.hear(&elsewhere);
    let told: Vec<_> = desk.told().into_iter().map(|(id, kind)| (id.0, kind)).collect();
    assert_eq!(told, [(0, OrderUpdateKind::Ack), (0, OrderUpdateKind::Ack)], "by the venue's id alone");
    assert_eq!(desk.session.counters.foreign, 3);
}

#[test]
fn an_older_list_does_not_bring_a_finished_order_back() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
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
    desk.hear(&report(&order, "CANCELED", "CANCELED", "0", None));
    desk.told();
    desk.answer(&open, json!([state(&order, "NEW", "0")]));
    desk.no_new_trades();
    assert_eq!(desk.told(), []);
    assert!(desk.session.orders.iter().next().is_none());
}

#[test]
fn a_restart_asks_about_what_the_engine_remembers_and_adopts_what_is_open() {
    let mut desk = Desk::new();
    let (remembered, forgotten) = (order(0, 1), order(0, 2));
    assert!(desk.session.resolve(desk.now, InstrumentId(0), remembered.client_order_id, Qty(TENTH)));
    desk.connect(json!([state(&forgotten, "PARTIALLY_FILLED", "0.3")]));
    assert_eq!(desk.told(), [(forgotten.client_order_id, OrderUpdateKind::Ack)]);
    for request in std::mem::take(&mut desk.sent) {
        match request["method"].as_str().unwrap() {
            "order.status" => desk.answer(&request, state(&remembered, "CANCELED", "0.1")),
            _ => desk.answer(&request, json!([trade(&forgotten, 80, "0.3")])),
        }
    }
    assert_eq!(
        desk.told(),
        [
            (remembered.client_order_id, OrderUpdateKind::Canceled { cum_qty: Qty(TENTH) }),
            (forgotten.client_order_id, fill(80, 3 * TENTH, 3 * TENTH)),
        ]
    );
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn a_wire_that_takes_nothing_refuses_and_one_that_breaks_is_unknown() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    desk.wire = Sent::No;
    assert_eq!(desk.place(&order), Err(SendError::Backpressure));
    desk.wire = Sent::Cut;
    assert!(desk.place(&order).is_ok(), "a part of it may be on its way");
    desk.turn();
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
    assert_eq!(desk.session.step, Step::Offline);
}

#[test]
fn a_silent_connection_is_noticed() {
    let mut desk = Desk::ready();
    desk.wait(20 * SECOND);
    desk.take("time");
    desk.wait(10 * SECOND);
    assert_eq!(desk.states(), [GatewayState::Down]);
}

#[test]
fn a_duplicate_refusal_means_the_first_one_arrived() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.refuse(&request, 400, -2010, "Duplicate order sent.");
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
    desk.wait(10 * MS);
    let query = desk.take("order.status");
    desk.answer(&query, state(&order, "NEW", "0"));
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
}
