//! The session against a venue that books the truth: no socket, no clock.

use super::desk::{Desk, SOON, bracketed, market, order};
use super::fake::Fate;
use super::session::SECOND;
use super::settings::{Recalled, SendError};
use serde_json::json;
use smc_core::event::{CashKind, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, SCALE, Side};

#[test]
fn the_way_to_ready_tells_key_and_a_whole_round_as_of_one_transaction() {
    let mut desk = Desk::new();
    let id = ClientOrderId::new(7, 1, 3);
    let resting = json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "-50", "price": "1.2",
        "timeInForce": "GTC", "clientExtensions": {"id": id.to_string()}});
    desk.venue.create(
        json!({"type": "MARKET", "instrument": "EUR_USD", "units": "30", "timeInForce": "FOK",
        "stopLossOnFill": {"price": "1.05"}}),
        None,
    );
    desk.venue.create(resting, None);
    desk.connect();
    let bodies: Vec<(InstrumentId, EventBody)> = desk.events.iter().map(|e| (e.instrument, e.body)).collect();
    let at = |is: fn(&EventBody) -> bool| bodies.iter().position(|(_, body)| is(body)).unwrap();
    let begin = at(|body| matches!(body, EventBody::Round(round) if !round.is_end && round.number == 1));
    let end = at(|body| matches!(body, EventBody::Round(round) if round.is_end && round.is_complete));
    assert!(at(|body| matches!(body, EventBody::Key(key) if key.can_trade && !key.can_withdraw)) < begin);
    let rows: Vec<_> = bodies[begin..end]
        .iter()
        .filter_map(|(_, body)| match body {
            EventBody::VenueOrder(o) => Some((o.client_order_id, o.side, o.kind, o.price, o.qty)),
            _ => None,
        })
        .collect();
    // Another hand's stop has no units of its own: it closes its trade.
    assert_eq!(
        rows,
        [
            (ClientOrderId::NONE, Side::Sell, OrderKind::StopLimit, Price(105_000_000), Qty(30 * SCALE)),
            (id, Side::Sell, OrderKind::Limit, Price(120_000_000), Qty(50 * SCALE)),
        ]
    );
    let held: Vec<_> = bodies[begin..end]
        .iter()
        .filter_map(|(instrument, body)| match body {
            EventBody::VenuePosition(p) => Some((instrument.0, p.qty.0, p.average.0)),
            _ => None,
        })
        .collect();
    assert_eq!(held, [(0, 30 * SCALE, 110_000_000), (1, 0, 0)], "flat ones too");
    assert!(bodies.iter().any(|(_, body)| matches!(body, EventBody::Margin(m) if m.free.0 == 900 * SCALE)));
    assert!(
        bodies.iter().any(|(_, body)| matches!(body, EventBody::Balance(b) if b.asset.as_str() == "USD"))
    );
    assert_eq!(bodies.last().map(|b| b.1), Some(EventBody::Gateway(GatewayState::Ready)));
}

#[test]
fn a_bracket_is_told_part_by_part_and_once_whichever_way_it_comes() {
    for is_stream_first in [false, true] {
        let mut desk = Desk::ready();
        desk.place(&bracketed(10)).unwrap();
        let call = desk.calls.remove(0);
        let (status, body) = desk.venue.handle(&call);
        if is_stream_first {
            desk.stream();
            desk.answer(&call, status, &body);
        } else {
            desk.answer(&call, status, &body);
            desk.stream();
        }
        assert_eq!(desk.words(), ["10 Buy 100 of 100", "12 Ack", "11 Ack"]);
        let stop = desk.venue.pending.iter().find(|order| order.wish["type"] == "STOP_LOSS").unwrap().id;
        desk.venue.fill(stop, 0);
        desk.stream();
        assert_eq!(desk.words(), ["11 Sell 100 of 100", "12 Canceled 0"]);
        assert_eq!(desk.session.orders.iter().count(), 0);
    }
}

#[test]
fn a_fill_that_opens_no_trade_brings_no_stop_and_says_so() {
    let mut desk = Desk::ready();
    desk.venue.create(
        json!({"type": "MARKET", "instrument": "EUR_USD", "units": "-150", "timeInForce": "FOK"}),
        None,
    );
    desk.stream();
    assert_eq!(desk.words(), ["foreign Sell 150 of 150"]);
    desk.place(&bracketed(10)).unwrap();
    desk.serve();
    assert_eq!(desk.words(), ["10 Buy 100 of 100", "11 Reject NO_TRADE_OPENED", "12 Reject NO_TRADE_OPENED"]);
}

#[test]
fn what_was_made_and_cancelled_at_once_was_refused() {
    let mut desk = Desk::ready();
    for (sequence, is_market) in [(1, true), (2, false)] {
        desk.venue.fate = Fate::Cancel("MARKET_HALTED");
        desk.place(&if is_market { market(sequence) } else { order(sequence) }).unwrap();
        desk.serve();
        desk.stream();
        assert_eq!(desk.words(), [format!("{sequence} Reject MARKET_HALTED")]);
    }
    // Over the stream alone, a resting order has been told to work before its end is seen.
    desk.venue.fate = Fate::Cancel("INSUFFICIENT_MARGIN");
    desk.place(&order(3)).unwrap();
    let call = desk.calls.remove(0);
    let (status, body) = desk.venue.handle(&call);
    desk.stream();
    desk.answer(&call, status, &body);
    assert_eq!(desk.words(), ["3 Ack", "3 Expired 0"]);
    desk.venue.fate = Fate::Cancel("TIME_IN_FORCE_EXPIRED");
    desk.place(&market(4)).unwrap();
    desk.serve();
    assert_eq!(desk.words(), ["4 Expired 0"]);
}

#[test]
fn refusals_are_told_once_with_their_reason_and_unknown_ones_with_their_text() {
    let mut desk = Desk::ready();
    desk.venue.fate = Fate::Refuse("PRICE_PRECISION_EXCEEDED");
    desk.place(&order(1)).unwrap();
    desk.serve();
    desk.stream();
    assert_eq!(desk.words(), ["1 Reject PRICE_PRECISION_EXCEEDED"]);
    desk.venue.fate = Fate::Refuse("MOON_IN_WRONG_HOUSE");
    desk.place(&order(2)).unwrap();
    desk.serve();
    assert_eq!(desk.words(), ["2 Reject 10000"]);
    assert_eq!(desk.session.last_refusal, "MOON_IN_WRONG_HOUSE");
    desk.place(&order(3)).unwrap();
    let call = desk.calls.remove(0);
    desk.answer(&call, 400, &json!({"errorMessage": "Invalid value specified for 'order.instrument'"}));
    assert_eq!(desk.words(), ["3 Reject 10001"]);
    assert_eq!(desk.place(&order(3)), Err(SendError::Duplicate), "no id is used twice");
}

#[test]
fn an_order_whose_answer_is_lost_is_found_by_the_stream_a_list_or_its_name() {
    for way in 0..3 {
        let mut desk = Desk::ready();
        desk.place(&market(1)).unwrap();
        let call = desk.calls.remove(0);
        desk.venue.handle(&call);
        if way == 0 {
            desk.answer(&call, 503, &json!({"errorMessage": "down"}));
        } else {
            desk.lose(&call);
        }
        assert_eq!(desk.words(), ["1 Unknown"]);
        match way {
            0 => desk.stream(),
            1 => {
                desk.calls.clear();
                desk.session.flights.clear();
                desk.heartbeat();
                desk.wait(SOON);
                desk.wait(SECOND);
                desk.serve();
            }
            _ => (0..2).for_each(|_| desk.serve()),
        }
        assert_eq!(desk.words(), ["1 Buy 100 of 100"], "way {way}");
        desk.settle(5);
        assert_eq!(desk.words(), [] as [&str; 0]);
        assert_eq!(desk.venue.made.len(), 1);
    }
}

#[test]
fn an_order_never_arrived_only_when_list_and_name_agree_after_it_could_not_be_under_way() {
    let mut desk = Desk::ready();
    desk.place(&order(1)).unwrap();
    let call = desk.calls.remove(0);
    desk.lose(&call);
    desk.settle(25);
    assert_eq!(desk.words(), ["1 Unknown"], "it may still be under way");
    desk.settle(15);
    assert_eq!(desk.words(), ["1 NotFound"]);
    // One that arrives even later is told as what it is.
    desk.venue.handle(&call);
    desk.settle(1);
    assert_eq!(desk.words(), ["1 Ack"]);
}

#[test]
fn a_late_order_is_taken_for_what_it_is() {
    let mut desk = Desk::ready();
    desk.place(&order(1)).unwrap();
    let call = desk.calls.remove(0);
    desk.lose(&call);
    desk.settle(20);
    desk.venue.handle(&call);
    desk.settle(40);
    assert_eq!(desk.words(), ["1 Unknown", "1 Ack"]);
}

#[test]
fn a_request_that_never_left_is_told_so_at_once() {
    let mut desk = Desk::ready();
    desk.place(&order(1)).unwrap();
    let tag = desk.calls.remove(0).tag;
    desk.with(|session, scratch, out| {
        session.on_rest(tag, super::answers::RestOutcome::NotSent, scratch, out)
    });
    assert_eq!(desk.words(), ["1 NotFound"]);
}

#[test]
fn cancels_end_orders_and_one_too_late_is_refused_and_the_fill_told() {
    let mut desk = Desk::ready();
    let first = desk.working(1);
    desk.cancel(first.client_order_id, 0).unwrap();
    assert!(desk.calls[0].path.ends_with("/cancel") && !desk.calls[0].path.contains('@'));
    desk.serve();
    desk.stream();
    assert_eq!(desk.words(), ["1 Canceled 0"]);
    let second = desk.working(2);
    desk.venue.fill(desk.venue.pending[0].id, 100);
    desk.cancel(second.client_order_id, 0).unwrap();
    desk.serve();
    let mut words = desk.words();
    desk.settle(2);
    words.extend(desk.words());
    assert_eq!(words, ["2 CancelReject ORDER_DOESNT_EXIST", "2 Buy 100 of 100"]);
}

#[test]
fn a_cancel_whose_answer_is_lost_is_unknown_until_the_venue_says_what_became_of_it() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.cancel(order.client_order_id, 0).unwrap();
    let call = desk.calls.remove(0);
    desk.lose(&call);
    assert_eq!(desk.words(), ["1 Unknown"]);
    desk.serve();
    assert_eq!(desk.words(), ["1 Ack", "1 CancelReject 10002", "1 Ack"], "it works still");
    desk.cancel(order.client_order_id, 0).unwrap();
    let call = desk.calls.remove(0);
    desk.venue.handle(&call);
    desk.lose(&call);
    desk.settle(2);
    assert_eq!(desk.words(), ["1 Unknown", "1 Canceled 0"]);
}

#[test]
fn a_replacement_is_one_step_and_a_refused_one_leaves_the_old() {
    let mut desk = Desk::ready();
    let old = desk.working(1);
    let new = NewOrder { price: Price(109_500_000), ..order(2) };
    desk.replace(&old, &new).unwrap();
    desk.serve();
    desk.stream();
    assert_eq!(desk.words(), ["1 Canceled 0", "2 Ack"]);
    desk.venue.fate = Fate::Refuse("PRICE_INVALID");
    desk.replace(&new, &order(3)).unwrap();
    desk.serve();
    desk.stream();
    assert_eq!(desk.words(), ["3 Reject PRICE_INVALID"]);
    assert_eq!(desk.session.orders.iter().count(), 1, "the old one works");
    // Filled before it could be replaced.
    desk.venue.fill(desk.venue.pending[0].id, 100);
    desk.replace(&new, &order(4)).unwrap();
    desk.serve();
    desk.settle(2);
    let words = desk.words();
    assert!(words.contains(&"4 Reject ORDER_DOESNT_EXIST".to_owned()), "{words:?}");
    assert_eq!(words.iter().filter(|word| word.contains("2 Buy 100 of 100")).count(), 1, "{words:?}");
    assert_eq!(desk.session.orders.iter().count(), 0);
}

#[test]
fn an_attached_stop_is_replaced_by_a_stop_of_the_same_trade() {
    let mut desk = Desk::ready();
    desk.place(&bracketed(10)).unwrap();
    desk.serve();
    desk.stream();
    desk.told();
    let stop = NewOrder {
        side: Side::Sell,
        kind: OrderKind::StopLimit,
        purpose: Purpose::Stop,
        price: Price(109_900_000),
        stop_price: Price(110_000_000),
        terms: OrderTerms { reduce_only: true, ..OrderTerms::PLAIN },
        ..order(13)
    };
    let attached = order(11);
    desk.replace(&attached, &stop).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&desk.calls[0].body).unwrap();
    let trade = desk.venue.trades[0].id.to_string();
    assert_eq!(body["order"]["type"], "STOP_LOSS");
    assert_eq!((&body["order"]["tradeID"], &body["order"]["price"]), (&json!(trade), &json!("1.10000")));
    desk.serve();
    assert_eq!(desk.words(), ["11 Canceled 0", "13 Ack"]);
    desk.venue.fill(desk.venue.pending.iter().find(|o| o.wish["type"] == "STOP_LOSS").unwrap().id, 0);
    desk.stream();
    assert_eq!(desk.words(), ["13 Sell 100 of 100", "12 Canceled 0"]);
}

#[test]
fn a_stop_ends_with_its_trade_whatever_was_left_of_it() {
    let mut desk = Desk::ready();
    desk.place(&bracketed(10)).unwrap();
    desk.serve();
    let close = NewOrder { side: Side::Sell, qty: Qty(60 * SCALE), ..market(20) };
    desk.place(&close).unwrap();
    desk.serve();
    desk.stream();
    desk.told();
    desk.venue.fill(desk.venue.pending.iter().find(|o| o.wish["type"] == "STOP_LOSS").unwrap().id, 0);
    desk.stream();
    assert_eq!(desk.words(), ["11 Sell 40 of 40", "11 Expired 40", "12 Canceled 0"]);
}

#[test]
fn what_a_part_leaves_goes_on_under_the_same_name_or_expires() {
    let mut desk = Desk::ready();
    desk.venue.fate = Fate::Part(30);
    desk.place(&market(1)).unwrap();
    desk.serve();
    assert_eq!(desk.words(), ["1 Buy 30 of 30", "1 Expired 30"]);
    desk.venue.fate = Fate::Part(30);
    desk.place(&order(2)).unwrap();
    desk.serve();
    desk.stream();
    assert_eq!(desk.words(), ["2 Ack", "2 Buy 30 of 30"]);
    desk.settle(3);
    desk.venue.fill(desk.venue.pending[0].id, 70);
    desk.settle(3);
    assert_eq!(desk.words(), ["2 Buy 70 of 100"]);
}

#[test]
fn a_cut_stream_loses_and_doubles_nothing() {
    let mut desk = Desk::ready();
    desk.venue.page = 2;
    let order = desk.working(1);
    desk.cut();
    assert_eq!(desk.place(&super::desk::order(2)), Err(SendError::NotReady));
    desk.venue.fill(desk.venue.pending[0].id, 100);
    desk.venue.note(json!({"type": "CLIENT_CONFIGURE", "alias": "x"}));
    desk.venue.note(json!({"type": "DAILY_FINANCING", "financing": "-0.3000", "positionFinancings": [
        {"instrument": "EUR_USD", "financing": "-0.2000"}, {"instrument": "GBP_USD", "financing": "-0.1000"}]}));
    desk.connect();
    assert!(desk.session.is_ready());
    let events = desk.events.clone();
    assert_eq!(desk.words(), ["1 Buy 100 of 100"]);
    assert!(desk.session.orders.get(order.client_order_id).is_none());
    let cash: Vec<_> = events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Cash(cash) => Some((event.instrument, cash.kind, cash.amount.0, cash.booking_id)),
            _ => None,
        })
        .collect();
    assert_eq!(cash.len(), 2);
    assert_eq!((cash[0].0, cash[0].1, cash[0].2), (InstrumentId(0), CashKind::Financing, -SCALE / 5));
    assert_eq!((cash[1].0, cash[1].2), (InstrumentId::NONE, -SCALE / 10));
    assert_ne!(cash[0].3, cash[1].3, "each booking has a number of its own");
    // The fill was told before the position that shows it.
    let fill = events.iter().position(
        |e| matches!(e.body, EventBody::Order(o) if matches!(o.kind, OrderUpdateKind::Fill { .. })),
    );
    let position = events.iter().position(|e| matches!(e.body, EventBody::VenuePosition(_)));
    assert!(fill < position && fill.is_some());
}

#[test]
fn a_restart_finds_what_became_of_orders_by_name_or_in_the_past() {
    for forgets_names in [false, true] {
        let mut desk = Desk::new();
        desk.venue.forgets_names = forgets_names;
        let wish = |sequence: u64, stop: bool| {
            let mut wish = json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "100", "price": "1.1",
                "timeInForce": "GTC", "clientExtensions": {"id": order(sequence).client_order_id.to_string()}});
            if stop {
                let id = order(sequence + 1).client_order_id.to_string();
                wish["stopLossOnFill"] = json!({"price": "1.05", "clientExtensions": {"id": id}});
            }
            wish
        };
        for sequence in [1, 2, 3] {
            desk.venue.create(wish(sequence, false), None);
        }
        let ids: Vec<u64> = desk.venue.pending.iter().map(|order| order.id).collect();
        desk.venue.fill(ids[0], 100);
        desk.venue.end(ids[1], "CLIENT_REQUEST");
        desk.venue.fate = Fate::Fill;
        desk.venue.create(wish(10, true), None);
        let stop = desk.venue.pending.iter().find(|order| order.trade != 0).unwrap().id;
        desk.venue.fill(stop, 0);
        for sequence in [1, 2, 3, 4, 10] {
            let id = order(sequence).client_order_id;
            assert!(desk.session.resolve(desk.now, InstrumentId(0), id, Qty::ZERO));
        }
        desk.connect();
        desk.settle(5);
        assert!(desk.session.is_ready());
        let mut words = desk.words();
        assert!(words.iter().all(|word| !word.contains("NotFound")), "it may still be under way: {words:?}");
        desk.settle(35);
        words.extend(desk.words());
        words.sort();
        let expected =
            ["1 Buy 100 of 100", "10 Buy 100 of 100", "11 Sell 100 of 100", "2 Canceled 0", "4 NotFound"];
        let ours: Vec<String> = words.into_iter().filter(|word| word != "3 Ack").collect();
        assert_eq!(ours, expected, "names forgotten: {forgets_names}");
        assert!(desk.session.is_ready());
        assert_eq!(desk.session.orders.iter().map(|o| o.id.sequence()).collect::<Vec<_>>(), [3]);
    }
}

#[test]
fn a_transaction_that_cannot_be_read_is_counted_and_the_round_shows_what_it_did() {
    let mut desk = Desk::ready();
    desk.hear(&json!({"type": "ORDER_FILL", "id": (desk.venue.last() + 1).to_string(), "units": "NaN"}));
    assert_eq!(desk.session.counters.refused, 1);
    desk.settle(2);
    let rounds = desk.events.iter().filter(|e| matches!(e.body, EventBody::Round(r) if r.is_end));
    assert!(rounds.count() >= 1);
    assert!(desk.session.is_ready());
}

#[test]
fn foreign_orders_are_told_followed_and_can_be_cancelled() {
    let mut desk = Desk::ready();
    let wish = json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "-40", "price": "1.2", "timeInForce": "GTC"});
    desk.venue.create(wish, None);
    let id = desk.venue.last();
    desk.stream();
    assert!(desk.events.iter().any(|e| matches!(e.body, EventBody::VenueOrder(o) if o.venue_order_id == id
        && o.client_order_id == ClientOrderId::NONE && o.side == Side::Sell && o.qty == Qty(40 * SCALE))));
    desk.cancel(ClientOrderId::NONE, id).unwrap();
    desk.serve();
    desk.stream();
    assert_eq!(desk.words(), ["foreign Canceled 0"]);
    desk.cancel(ClientOrderId::NONE, id).unwrap();
    desk.serve();
    assert_eq!(desk.words(), ["foreign CancelReject ORDER_DOESNT_EXIST"]);
}

#[test]
fn silence_ends_the_stream_and_a_hole_is_filled_by_a_list() {
    let mut desk = Desk::ready();
    desk.venue
        .create(json!({"type": "MARKET", "instrument": "EUR_USD", "units": "7", "timeInForce": "FOK"}), None);
    desk.streamed += 1;
    desk.stream();
    assert_eq!(desk.words(), ["foreign Buy 7 of 7"], "what is beyond the hole is told at once");
    assert_eq!(desk.session.ledger.applied_to() + 2, desk.venue.last());
    desk.wait(SOON);
    desk.wait(SECOND);
    desk.serve();
    assert_eq!(desk.session.ledger.applied_to(), desk.venue.last());
    assert_eq!(desk.words(), [] as [&str; 0]);
    desk.now = smc_core::words::TsNs(desk.now.0 + 12 * SECOND);
    desk.turn();
    assert!(!desk.session.link.is_open && !desk.session.is_ready());
}

#[test]
fn refused_tokens_hedging_and_bans_stop_what_they_must() {
    let mut desk = Desk::ready();
    for n in 1..=3 {
        assert!(desk.session.fatal.is_none(), "two may be bad luck");
        desk.wait(15 * SECOND);
        desk.calls.clear();
        desk.place(&order(n)).unwrap();
        let call = desk.calls.remove(0);
        desk.answer(&call, 401, &json!({"errorMessage": "Insufficient authorization to perform request."}));
        assert_eq!(desk.words(), [format!("{n} Reject 20401")]);
    }
    assert_eq!(desk.session.fatal.as_ref().map(|fatal| fatal.code), Some(401));
    assert_eq!(desk.place(&order(4)), Err(SendError::NotReady));
    assert!(desk.cancel(order(1).client_order_id, 0).is_ok(), "cancels pass");

    let mut desk = Desk::new();
    desk.venue.hedging = true;
    desk.connect();
    assert_eq!(desk.session.fatal.as_ref().map(|fatal| fatal.step), Some("the account's mode"));

    let mut desk = Desk::ready();
    desk.place(&order(1)).unwrap();
    let call = desk.calls.remove(0);
    desk.answer(&call, 429, &json!({"errorMessage": "too many"}));
    let until = smc_core::words::TsNs(desk.now.0 + SECOND);
    desk.wait(SOON);
    assert!(desk.events.iter().any(|e| matches!(e.body, EventBody::Budget(b) if b.banned_until == until)));
    assert_eq!(desk.words(), ["1 Reject 20429"]);
    assert_eq!(desk.place(&order(2)), Err(SendError::RateLimited { until }));
    assert!(desk.cancel(order(9).client_order_id, 0).is_ok(), "cancels pass");
    // One unlucky read is no reason to stop.
    let mut desk = Desk::ready();
    desk.session.want_round();
    desk.wait(SECOND);
    let call = desk.calls.remove(0);
    desk.answer(&call, 401, &json!({"errorMessage": "?"}));
    assert!(desk.session.fatal.is_none());
    desk.settle(3);
    assert!(desk.session.is_ready());
}

#[test]
fn a_sequence_that_the_venue_has_lost_is_looked_at_anew() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.session.wants_list = true;
    desk.wait(SOON);
    let at = desk.calls.iter().position(|call| call.path.contains("sinceid")).unwrap();
    let call = desk.calls.remove(at);
    desk.answer(&call, 416, &json!({"errorMessage": "out of range"}));
    assert!(!desk.session.is_ready());
    desk.serve();
    desk.settle(3);
    assert!(desk.session.is_ready());
    assert!(desk.session.orders.get(order.client_order_id).is_some());
    assert_eq!(desk.words(), [] as [&str; 0], "it has worked all the time");
}

#[test]
fn what_could_not_be_read_proves_nothing_absent() {
    let mut desk = Desk::ready();
    desk.place(&order(1)).unwrap();
    let call = desk.calls.remove(0);
    desk.lose(&call);
    desk.settle(2);
    desk.venue.note(json!({"type": "ORDER_FILL", "units": "a lot"}));
    desk.settle(60);
    assert_eq!(desk.words(), ["1 Unknown"], "the fill may have been its");
    // A page of a proxy is no word of the venue.
    desk.place(&order(2)).unwrap();
    let call = desk.calls.remove(0);
    desk.answer(&call, 404, &json!({"html": "not found"}));
    assert_eq!(desk.words(), ["2 Unknown"]);
}

/// Lines change places on their way: that target and stop are over comes before they are made.
#[test]
fn an_end_that_is_heard_before_its_order_is_told_with_it() {
    for is_late_fill in [false, true] {
        let mut desk = Desk::ready();
        desk.place(&bracketed(10)).unwrap();
        let call = desk.calls.remove(0);
        desk.venue.handle(&call);
        let stop = desk.venue.pending.iter().find(|order| order.wish["type"] == "STOP_LOSS").unwrap().id;
        desk.venue.fill(stop, 0);
        let lines = desk.take_lines();
        let is_end = |line: &serde_json::Value| line["type"] == "ORDER_CANCEL";
        let is_fill = |line: &serde_json::Value| line["type"] == "ORDER_FILL";
        if is_late_fill {
            lines.iter().rev().for_each(|line| desk.hear(line));
        } else {
            let (ends, others): (Vec<_>, Vec<_>) = lines.iter().partition(|line| is_end(line));
            let first = others.iter().position(|line| is_fill(line)).unwrap();
            let (before, after) = others.split_at(first + 1);
            before.iter().chain(&ends).chain(after).for_each(|line| desk.hear(line));
        }
        let words = desk.words();
        let count = |word: &str| words.iter().filter(|told| *told == word).count();
        assert_eq!((count("11 Sell 100 of 100"), count("12 Canceled 0")), (1, 1), "{words:?}");
        assert!(!words.contains(&"12 Ack".to_owned()), "{words:?}");
    }
}

/// The stop is made before the fill that it belongs to, as far as we hear; then the target fills.
#[test]
fn an_order_that_is_made_before_the_fill_it_came_with_still_ends() {
    let mut desk = Desk::ready();
    desk.place(&bracketed(10)).unwrap();
    let call = desk.calls.remove(0);
    desk.venue.handle(&call);
    let made = desk.take_lines();
    let (fills, others): (Vec<_>, Vec<_>) = made.iter().partition(|line| line["type"] == "ORDER_FILL");
    others.iter().chain(&fills).for_each(|line| desk.hear(line));
    let stop = desk.venue.pending.iter().find(|order| order.wish["type"] == "STOP_LOSS").unwrap().id;
    desk.venue.fill(stop, 0);
    desk.take_lines().iter().for_each(|line| desk.hear(line));
    let words = desk.words();
    let count = |word: &str| words.iter().filter(|told| *told == word).count();
    assert_eq!((count("11 Sell 100 of 100"), count("12 Canceled 0")), (1, 1), "{words:?}");
}

/// The engine knows an order that we do not: it hears what the venue says to its cancel, and then what became of it.
#[test]
fn a_cancel_of_an_order_that_only_the_engine_knows_is_answered() {
    let mut desk = Desk::ready();
    desk.cancel(order(7).client_order_id, 0).unwrap();
    desk.settle(60);
    let words = desk.words();
    assert!(words.iter().any(|told| told.starts_with("7 CancelReject")), "{words:?}");
    assert!(words.last().is_some_and(|told| !told.starts_with("7 CancelReject")), "{words:?}");
}

/// Two parts of an entry, a target for each under one name: what the second target fills comes on top of the first's, even
/// where its making was heard before the trade that it is for.
#[test]
fn targets_of_two_parts_fill_under_one_name_and_add_up() {
    for is_early in [false, true] {
        let mut desk = Desk::ready();
        desk.place(&NewOrder { terms: bracketed(10).terms, ..order(10) }).unwrap();
        let call = desk.calls.remove(0);
        desk.venue.handle(&call);
        for units in [60, 40] {
            let of = |desk: &Desk, kind: &str| {
                desk.venue.pending.iter().find(|order| order.wish["type"] == kind).unwrap().id
            };
            let entry = of(&desk, "LIMIT");
            desk.venue.fill(entry, units);
            let target = of(&desk, "TAKE_PROFIT");
            desk.venue.fill(target, 0);
            let lines = desk.take_lines();
            let is_target = |line: &&serde_json::Value| line["type"] == "TAKE_PROFIT_ORDER";
            let (targets, others): (Vec<_>, Vec<_>) = lines.iter().partition(is_target);
            match is_early {
                true => targets.iter().chain(&others).for_each(|line| desk.hear(line)),
                false => lines.iter().for_each(|line| desk.hear(line)),
            }
        }
        let words = desk.words();
        for told in ["10 Buy 60 of 60", "12 Sell 60 of 60", "10 Buy 40 of 100", "12 Sell 40 of 100"] {
            assert_eq!(words.iter().filter(|word| *word == told).count(), 1, "{is_early}: {told}: {words:?}");
        }
    }
}

/// One part of an entry and its target had filled when the process before us died; the next part fills while we live.
#[test]
fn a_part_that_fills_after_a_restart_comes_on_top_of_the_one_before() {
    let mut desk = Desk::new();
    let [entry, stop, target] = [10, 11, 12].map(|sequence| order(sequence).client_order_id);
    let on_fill =
        |price: &str, id: ClientOrderId| json!({"price": price, "clientExtensions": {"id": id.to_string()}});
    desk.venue.create(
        json!({"type": "LIMIT", "instrument": "EUR_USD", "units": "100", "price": "1.1", "timeInForce": "GTC",
            "clientExtensions": {"id": entry.to_string()}, "stopLossOnFill": on_fill("1.05", stop),
            "takeProfitOnFill": on_fill("1.15", target)}),
        None,
    );
    let fill = |desk: &mut Desk, kind: &str, units: i64| {
        let of_kind = desk.venue.pending.iter().find(|order| order.wish["type"] == kind);
        let id = of_kind.unwrap().id;
        desk.venue.fill(id, units);
    };
    fill(&mut desk, "LIMIT", 60);
    fill(&mut desk, "TAKE_PROFIT", 0);
    let (asked, filled) = (Qty(100 * SCALE), Qty(60 * SCALE));
    assert!(desk.session.resolve(desk.now, InstrumentId(0), entry, filled));
    for client_order_id in [entry, target] {
        let (is_immediate, has_attached) = (false, client_order_id == entry);
        let (has_stop, has_target) = (has_attached, has_attached);
        let told = Recalled { client_order_id, asked, filled, is_immediate, has_stop, has_target };
        desk.session.recall(&told);
    }
    desk.connect();
    desk.settle(5);
    assert!(desk.session.is_ready());
    fill(&mut desk, "LIMIT", 40);
    fill(&mut desk, "TAKE_PROFIT", 0);
    desk.stream();
    let words = desk.words();
    for told in ["10 Buy 40 of 100", "12 Sell 40 of 100"] {
        assert_eq!(words.iter().filter(|word| *word == told).count(), 1, "{told}: {words:?}");
    }
}

/// What filled while no process of ours lived is told by the next one, part by part, whether the order still works, has ended,
/// or was made anew for what was left; what the process before had told is not told again.
#[test]
fn every_part_that_filled_while_the_process_was_down_is_told_once() {
    let parts: [(&[i64], &str); 3] = [(&[30], "works"), (&[30, 20], "works"), (&[30, 20, 50], "over")];
    for (nth, (parts, state)) in parts.into_iter().enumerate() {
        for (page, was_begun) in [(1_000, false), (1, false), (1, true)] {
            let mut desk = Desk::new();
            desk.connect();
            desk.venue.page = page;
            let entry = NewOrder { terms: bracketed(10).terms, ..order(10) };
            desk.place(&entry).unwrap();
            desk.serve();
            desk.stream();
            let work = |desk: &Desk| {
                let of_entry = desk.venue.pending.iter().find(|order| order.wish["type"] == "LIMIT");
                of_entry.map(|order| order.id)
            };
            let mut filled = 0;
            for (at, &units) in parts.iter().enumerate() {
                let id = work(&desk).unwrap();
                desk.venue.fill(id, units);
                filled += units;
                if at == 0 && was_begun {
                    // The first part was told; how far the account was told is older.
                    desk.stream();
                }
            }
            let journal = std::mem::take(&mut desk.events);
            desk.restart(&journal, &[entry]);
            desk.connect();
            desk.settle(3);
            assert!(desk.session.is_ready());
            let held: Vec<_> = desk
                .events
                .iter()
                .filter_map(|event| match event.body {
                    EventBody::VenuePosition(held) if event.instrument == InstrumentId(0) => Some(held.qty),
                    _ => None,
                })
                .collect();
            assert!(!held.is_empty() && held.iter().all(|qty| *qty == Qty(filled * SCALE)));
            let first_round = desk.events.iter().position(|event| matches!(event.body, EventBody::Round(_)));
            let last_fill = desk.events.iter().rposition(
                |e| matches!(e.body, EventBody::Order(o) if matches!(o.kind, OrderUpdateKind::Fill { .. })),
            );
            assert!(last_fill < first_round, "a position is told after what explains it");
            let words = desk.words();
            let (mut expected, mut sum) = (Vec::new(), 0);
            for units in parts {
                sum += units;
                expected.push(format!("10 Buy {units} of {sum}"));
            }
            expected.drain(..usize::from(was_begun));
            let fills: Vec<&String> = words.iter().filter(|word| word.contains(" of ")).collect();
            assert_eq!(fills, expected.iter().collect::<Vec<_>>(), "{nth} {page} {was_begun}: {words:?}");
            assert_eq!(work(&desk).is_some(), state == "works");
            assert!(
                !words.iter().any(|word| word.contains("Expired") || word.contains("Canceled")),
                "{words:?}"
            );
            if let Some(id) = work(&desk) {
                desk.venue.fill(id, 100 - filled);
                desk.stream();
                let words = desk.words();
                assert!(words.contains(&format!("10 Buy {} of 100", 100 - filled)), "{words:?}");
            }
            let of_entry = |order: &&super::orders::Order| order.id == entry.client_order_id;
            assert_eq!(desk.session.orders.iter().filter(of_entry).count(), 0);
        }
    }
}
