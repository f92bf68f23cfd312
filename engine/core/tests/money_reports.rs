//! reports in any order, repeated at will, give the same position and leave the same reservation; nothing
//! leaks, nothing is counted twice, nothing is lost.

mod money_common;

use money_common::*;
use smc_core::event::{OrderUpdate, OrderUpdateKind};
use smc_core::orders::{Ignored, ORDERS_MAX, OrderEffect, OrderState};
use smc_core::output::{NewOrder, OrderKind, Purpose};
use smc_core::risk::Beside;
use smc_core::words::{ClientOrderId, InstrumentId, Money, Price, Qty, SCALE, Side};

const REF: i64 = 65_000 * SCALE;
const ONE: InstrumentId = InstrumentId(0);
const LOT: i64 = SCALE / 1000;

const ACK: OrderUpdateKind = OrderUpdateKind::Ack;
const UNKNOWN: OrderUpdateKind = OrderUpdateKind::Unknown;
const NOT_FOUND: OrderUpdateKind = OrderUpdateKind::NotFound;
const REJECT: OrderUpdateKind = OrderUpdateKind::Reject { code: -2010 };
const CANCEL_REJECT: OrderUpdateKind = OrderUpdateKind::CancelReject { code: -2011 };

const fn canceled(cum: i64) -> OrderUpdateKind {
    OrderUpdateKind::Canceled { cum_qty: Qty(cum * LOT) }
}

const fn expired(cum: i64) -> OrderUpdateKind {
    OrderUpdateKind::Expired { cum_qty: Qty(cum * LOT) }
}

fn filled(trade: u64, qty: i64, cum: i64) -> OrderUpdateKind {
    fill(trade, REF, qty * LOT, cum * LOT)
}

/// A desk with one accepted order to buy ten lots.
fn one_order() -> (Desk, NewOrder) {
    let mut desk = Desk::new(1);
    let order = desk.limit(0, Side::Buy, REF, 10 * LOT);
    desk.accept(&order);
    (desk, order)
}

/// Position and reservation in lots after these reports.
fn after(reports: &[OrderUpdateKind]) -> (i64, i128) {
    let (mut desk, order) = one_order();
    for &kind in reports {
        desk.report(&order, kind);
    }
    let reserved = desk.orders.reserved(ONE);
    assert_eq!(desk.orders.len() as u32, reserved.orders);
    assert_eq!(reserved.orders == 0, reserved.buy_qty == 0);
    (desk.positions.qty(ONE).0 / LOT, reserved.buy_qty / i128::from(LOT))
}

/// Every order of the reports, alone and with any one of them repeated at the end, gives `expected`.
fn check_all_orders(reports: &[OrderUpdateKind], expected: (i64, i128)) {
    let mut order: Vec<OrderUpdateKind> = reports.to_vec();
    permute(&mut order, 0, &mut |reports| {
        assert_eq!(after(reports), expected, "{reports:?}");
        let mut repeated = reports.to_vec();
        for &kind in reports {
            repeated.push(kind);
            assert_eq!(after(&repeated), expected, "{repeated:?}");
        }
    });
}

fn permute<T>(items: &mut Vec<T>, at: usize, run: &mut impl FnMut(&[T])) {
    if at == items.len() {
        return run(items);
    }
    for other in at..items.len() {
        items.swap(at, other);
        permute(items, at + 1, run);
        items.swap(at, other);
    }
}

#[test]
fn every_order_of_lawful_reports_ends_the_same() {
    let (f1, f2, f3) = (filled(1, 2, 2), filled(2, 3, 5), filled(3, 5, 10));
    check_all_orders(&[ACK], (0, 10));
    check_all_orders(&[REJECT, UNKNOWN], (0, 0));
    check_all_orders(&[NOT_FOUND, UNKNOWN], (0, 0));
    check_all_orders(&[ACK, canceled(0), UNKNOWN], (0, 0));
    check_all_orders(&[ACK, expired(0)], (0, 0));
    check_all_orders(&[ACK, f1, f2, UNKNOWN], (5, 5));
    check_all_orders(&[ACK, f1, f2, f3], (10, 0));
    check_all_orders(&[f1, f2, f3, CANCEL_REJECT], (10, 0));
    check_all_orders(&[ACK, f1, f2, canceled(5)], (5, 0));
    check_all_orders(&[ACK, f1, f2, expired(5), UNKNOWN], (5, 0));
    check_all_orders(&[ACK, f1, f2, canceled(5), CANCEL_REJECT], (5, 0));
}

#[test]
fn contradictory_reports_end_the_same_in_every_order() {
    let (f1, f2) = (filled(1, 2, 2), filled(2, 3, 5));
    // A refusal does not free an order that is proven to live.
    check_all_orders(&[ACK, REJECT], (0, 10));
    check_all_orders(&[f1, REJECT, NOT_FOUND], (2, 8));
    check_all_orders(&[ACK, NOT_FOUND, f1, canceled(2)], (2, 0));
    // The venue spoke of five when it cancelled: three more fills are still to come and stay reserved.
    check_all_orders(&[f1, canceled(5)], (2, 3));
    check_all_orders(&[f1, canceled(5), f2], (5, 0));
    // Two final words: the larger quantity counts.
    check_all_orders(&[f1, canceled(2), expired(5)], (2, 3));
    // A fill after a final word that denied it is counted all the same.
    check_all_orders(&[ACK, canceled(0), f1], (2, 0));
    check_all_orders(&[REJECT, f1, f2, canceled(5)], (5, 0));
}

/// Several orders at once, long random histories, every report shuffled and repeated; the expectation is added up
/// from the reports alone.
#[test]
fn random_histories_in_random_order_give_the_sum_of_their_fills() {
    let mut rng = Rng::seeded("shuffled reports", 0x5EED_4EF0_0007);
    for round in 0..4_000 {
        let mut desk = Desk::new(1);
        let mut account = account();
        account.net_max = Money(whole(300_000));
        desk.gate.set_account_limits(account).unwrap();
        let (mut reports, mut trade) = (Vec::new(), 0);
        let (mut position, mut reserved) = (0, [0i128; 2]);
        for n in 0..1 + rng.below(5) {
            let qty = rng.between(1, 20);
            let side = rng.side();
            // Buys below sells, so that none meets its own.
            let price = REF + side.sign() * -(100 + n as i64) * SCALE;
            let order = desk.limit(0, side, price, qty * LOT);
            desk.accept(&order);
            let (history, filled, left) = random_history(&mut rng, qty, &mut trade);
            reports.extend(history.into_iter().map(|kind| (order, kind)));
            position += side.sign() * filled;
            reserved[side as usize] += i128::from(left);
        }
        for _ in 0..rng.below(10) {
            let again = reports[rng.below(reports.len() as u64) as usize];
            reports.push(again);
        }
        rng.shuffle(&mut reports);
        for (order, kind) in reports {
            desk.report(&order, kind);
        }
        assert_eq!(desk.positions.qty(ONE).0, position * LOT, "round {round}");
        let held = desk.orders.reserved(ONE);
        let held = [held.buy_qty / i128::from(LOT), held.sell_qty / i128::from(LOT)];
        assert_eq!(held, reserved, "round {round}");
    }
}

/// What a venue may say about an order of `qty` lots, what it filled, and what is left open.
fn random_history(rng: &mut Rng, qty: i64, trade: &mut u64) -> (Vec<OrderUpdateKind>, i64, i64) {
    match rng.below(8) {
        0 => return (vec![REJECT], 0, 0),
        1 => return (vec![UNKNOWN, NOT_FOUND], 0, 0),
        2 => return (vec![UNKNOWN], 0, qty),
        _ => {}
    }
    let mut reports = vec![ACK];
    let (mut cum, end) = (0, rng.between(0, qty));
    while cum < end {
        let part = rng.between(1, end - cum);
        cum += part;
        *trade += 1;
        reports.push(filled(*trade, part, cum));
    }
    if rng.one_in(3) {
        reports.push(CANCEL_REJECT);
    }
    let left = match rng.below(3) {
        0 if cum < qty => {
            reports.push(canceled(cum));
            0
        }
        1 if cum < qty => {
            reports.push(expired(cum));
            0
        }
        _ => qty - cum,
    };
    (reports, cum, left)
}

/// Orders that belong together, and what is said of which.
type Told = [(usize, OrderUpdateKind)];

/// Position, then what is open to buy and to sell, in lots.
fn lots(desk: &Desk) -> (i64, i128, i128) {
    let reserved = desk.orders.reserved(ONE);
    assert_eq!(desk.orders.len() as u32, reserved.orders);
    let lot = i128::from(LOT);
    (desk.positions.qty(ONE).0 / LOT, reserved.buy_qty / lot, reserved.sell_qty / lot)
}

/// Every order of the reports, and any one of them again at the end, gives `expected`.
fn check_family(make: fn() -> (Desk, Vec<NewOrder>), told: &Told, expected: (i64, i128, i128)) {
    let mut nth: Vec<usize> = (0..told.len()).collect();
    permute(&mut nth, 0, &mut |nth| {
        for again in 0..told.len() {
            let (mut desk, orders) = make();
            for &at in nth.iter().chain([&again]) {
                desk.report(&orders[told[at].0], told[at].1);
            }
            assert_eq!(lots(&desk), expected, "{nth:?} and {again} of {told:?}");
        }
    });
}

/// Ten lots held.
fn holding() -> Desk {
    let mut desk = Desk::new(1);
    let entry = desk.limit(0, Side::Buy, REF, 10 * LOT);
    desk.accept(&entry);
    desk.fill(&entry, REF);
    desk
}

fn stop_of(desk: &mut Desk, below: i64) -> NewOrder {
    let stop_price = Price(REF - below * SCALE);
    let order = desk.limit(0, Side::Sell, stop_price.0 - SCALE, 10 * LOT);
    NewOrder { kind: OrderKind::StopLimit, stop_price, purpose: Purpose::Stop, ..order }
}

/// A stop and a target over ten lots held, of which one cancels the other.
fn pair() -> (Desk, Vec<NewOrder>) {
    let mut desk = holding();
    let mut stop = stop_of(&mut desk, 100);
    let mut target = desk.limit(0, Side::Sell, REF + 100 * SCALE, 10 * LOT);
    target.purpose = Purpose::Target;
    stop.terms.oco = target.client_order_id;
    target.terms.oco = stop.client_order_id;
    desk.accept(&target);
    desk.accept_beside(&stop, Beside::Paired(target.client_order_id));
    (desk, vec![stop, target])
}

/// A stop over ten lots held, and one in its place.
fn replacement() -> (Desk, Vec<NewOrder>) {
    let mut desk = holding();
    let (old, new) = (stop_of(&mut desk, 100), stop_of(&mut desk, 50));
    desk.accept(&old);
    desk.accept_beside(&new, Beside::Replaced(old.client_order_id));
    let replaced = desk.orders.begin_replace(old.client_order_id, new.client_order_id);
    assert!(replaced.is_some());
    (desk, vec![old, new])
}

/// An entry over ten lots, with which a stop and a target come.
fn attached() -> (Desk, Vec<NewOrder>) {
    let mut desk = Desk::new(1);
    let mut entry = desk.limit(0, Side::Buy, REF, 10 * LOT);
    entry.terms.stop_on_fill = Price(REF - 100 * SCALE);
    entry.terms.target_on_fill = Price(REF + 100 * SCALE);
    desk.accept(&entry);
    let child =
        |places| NewOrder { client_order_id: entry.client_order_id.after(places), side: Side::Sell, ..entry };
    (desk, vec![entry, child(1), child(2)])
}

#[test]
fn a_pair_reserves_once_whatever_its_reports_say_first() {
    let (f4, f6) = (filled(11, 4, 4), filled(12, 6, 10));
    check_family(pair, &[(0, ACK), (1, ACK)], (10, 0, 10));
    check_family(pair, &[(0, ACK), (1, ACK), (1, f4)], (6, 0, 6));
    check_family(pair, &[(0, ACK), (1, f4), (0, canceled(0))], (6, 0, 6));
    check_family(pair, &[(1, f4), (1, f6), (0, canceled(0)), (0, ACK)], (0, 0, 0));
    // Both were cancelled, and the fills that one had are still to come.
    check_family(pair, &[(0, canceled(4)), (1, canceled(0))], (10, 0, 4));
    check_family(pair, &[(0, canceled(4)), (1, canceled(0)), (0, f4)], (6, 0, 0));
    // A race: both fill, and both are counted.
    check_family(pair, &[(0, filled(13, 10, 10)), (1, f4), (1, f6)], (-10, 0, 0));
    check_family(pair, &[(0, REJECT), (1, REJECT)], (10, 0, 0));
    check_family(pair, &[(0, ACK), (1, REJECT)], (10, 0, 10));
}

#[test]
fn a_replacement_reserves_twice_until_one_of_the_two_is_gone() {
    let f4 = filled(21, 4, 4);
    check_family(replacement, &[(0, ACK)], (10, 0, 20));
    check_family(replacement, &[(0, ACK), (1, ACK)], (10, 0, 20));
    check_family(replacement, &[(1, ACK), (0, canceled(0))], (10, 0, 10));
    check_family(replacement, &[(0, ACK), (1, REJECT)], (10, 0, 10));
    check_family(replacement, &[(0, f4), (1, REJECT), (1, UNKNOWN)], (6, 0, 6));
    check_family(replacement, &[(0, f4), (0, canceled(4)), (1, ACK)], (6, 0, 10));
    check_family(replacement, &[(1, NOT_FOUND), (0, ACK), (0, canceled(0))], (10, 0, 0));
}

#[test]
fn a_refused_replacement_leaves_the_old_order_working() {
    let (mut desk, orders) = replacement();
    desk.report(&orders[0], ACK);
    assert_eq!(desk.orders.find(orders[0].client_order_id).unwrap().state(), OrderState::PendingCancel);
    desk.report(&orders[1], REJECT);
    assert_eq!(desk.orders.find(orders[0].client_order_id).unwrap().state(), OrderState::Working);
}

#[test]
fn what_came_with_an_entry_covers_what_that_has_filled() {
    let (f4, f6) = (filled(31, 4, 4), filled(32, 6, 10));
    let (s4, s6) = (filled(33, 4, 4), filled(34, 6, 10));
    check_family(attached, &[(0, ACK), (0, f4)], (4, 6, 4));
    check_family(attached, &[(0, f4), (1, ACK), (2, ACK)], (4, 6, 4));
    check_family(attached, &[(0, f4), (0, canceled(4)), (2, ACK)], (4, 0, 4));
    check_family(attached, &[(0, f4), (1, s4), (2, canceled(0)), (0, canceled(4))], (0, 0, 0));
    check_family(attached, &[(0, f4), (0, f6), (1, s4), (1, s6), (2, canceled(0))], (0, 0, 0));
    // What the stop has closed had been opened: the entry's own report of it is still to come, and stays reserved.
    check_family(attached, &[(1, s4), (0, canceled(4))], (-4, 4, 0));
    check_family(attached, &[(1, s4), (2, canceled(0))], (-4, 10, 0));
    check_family(attached, &[(1, s4), (0, canceled(0))], (-4, 4, 0));
    check_family(attached, &[(0, canceled(0)), (1, ACK)], (0, 0, 0));
}

#[test]
fn each_report_says_what_it_did() {
    let (mut desk, order) = one_order();
    let id = order.client_order_id;
    assert_eq!(desk.orders.get(id).unwrap().state(), OrderState::PendingNew);
    assert!(matches!(desk.report(&order, UNKNOWN), OrderEffect::Unknown(_)));
    assert!(matches!(desk.report(&order, ACK), OrderEffect::Working(o) if o.venue_order_id == id.0));
    assert_eq!(desk.report(&order, ACK), OrderEffect::Ignored(Ignored::Stale));
    let OrderEffect::Filled(first) = desk.report(&order, filled(1, 2, 2)) else { panic!("not filled") };
    assert_eq!((first.qty, first.is_closing, first.is_late), (Qty(2 * LOT), false, false));
    assert_eq!(first.order.state(), OrderState::PartiallyFilled);
    assert_eq!(desk.report(&order, filled(1, 2, 2)), OrderEffect::Ignored(Ignored::DuplicateFill));
    let cancel = desk.orders.begin_cancel(id).unwrap();
    assert_eq!((cancel.venue_order_id, cancel.instrument), (id.0, ONE));
    assert_eq!(desk.orders.get(id).unwrap().state(), OrderState::PendingCancel);
    let rejected = desk.report(&order, CANCEL_REJECT);
    assert!(matches!(rejected, OrderEffect::CancelRejected(o, -2011) if o.state() == OrderState::Unknown));
    assert!(desk.orders.begin_cancel(id).is_some());
    let awaiting = desk.report(&order, canceled(5));
    assert!(matches!(awaiting, OrderEffect::AwaitingFills(o) if o.state() == OrderState::AwaitingFills));
    assert!(desk.orders.begin_cancel(id).is_none(), "over at the venue");
    let OrderEffect::Filled(last) = desk.report(&order, filled(2, 3, 5)) else { panic!("not filled") };
    assert!(last.is_closing);
    assert_eq!(last.order.state(), OrderState::Canceled);
    assert_eq!(desk.report(&order, canceled(5)), OrderEffect::Ignored(Ignored::Stale));
    let OrderEffect::Filled(late) = desk.report(&order, filled(3, 1, 6)) else { panic!("not filled") };
    assert!(late.is_late && !late.is_closing);
    assert_eq!(desk.positions.qty(ONE), Qty(6 * LOT));
    assert!(desk.orders.is_empty());
}

#[test]
fn closings_say_how() {
    for (kind, state) in [
        (REJECT, OrderState::Rejected(-2010)),
        (NOT_FOUND, OrderState::NotFound),
        (canceled(0), OrderState::Canceled),
        (expired(0), OrderState::Expired),
    ] {
        let (mut desk, order) = one_order();
        assert!(matches!(desk.report(&order, kind), OrderEffect::Closed(o) if o.state() == state));
        assert!(desk.orders.is_empty());
        assert_eq!(desk.orders.find(order.client_order_id).unwrap().state(), state);
    }
    let (mut desk, order) = one_order();
    let released = desk.orders.release_unsent(order.client_order_id).unwrap();
    assert_eq!(released.state(), OrderState::Unsent);
    assert!(desk.orders.is_empty());
    assert!(desk.orders.release_unsent(order.client_order_id).is_none());
    let (mut desk, order) = one_order();
    desk.report(&order, ACK);
    assert!(desk.orders.release_unsent(order.client_order_id).is_none(), "it was sent after all");
    assert_eq!(desk.orders.len(), 1);
}

#[test]
fn an_order_thought_refused_that_lives_is_reserved_again() {
    let (mut desk, order) = one_order();
    desk.report(&order, NOT_FOUND);
    assert!(desk.orders.is_empty());
    assert!(matches!(desk.report(&order, ACK), OrderEffect::Working(_)));
    assert_eq!(desk.orders.reserved(ONE).buy_qty, i128::from(10 * LOT));
    desk.fill(&order, REF);
    assert!(desk.orders.is_empty());
}

#[test]
fn more_than_asked_for_is_counted_and_flagged() {
    let (mut desk, order) = one_order();
    let OrderEffect::Filled(fill) = desk.report(&order, filled(1, 12, 12)) else { panic!("not filled") };
    assert!(fill.overfill > Qty::ZERO && fill.is_closing);
    assert_eq!(desk.positions.qty(ONE), Qty(12 * LOT));
}

#[test]
fn senseless_reports_change_nothing() {
    let (mut desk, order) = one_order();
    for kind in [
        fill(1, REF, 0, 0),
        fill(1, REF, -LOT, LOT),
        fill(1, 0, LOT, LOT),
        fill(1, -REF, LOT, LOT),
        fill(1, REF, LOT, -1),
    ] {
        assert_eq!(desk.report(&order, kind), OrderEffect::Ignored(Ignored::Malformed));
    }
    let elsewhere = OrderUpdate { client_order_id: order.client_order_id, venue_order_id: 0, kind: ACK };
    let effect = desk.update(InstrumentId(3), &elsewhere);
    assert_eq!(effect, OrderEffect::Ignored(Ignored::Malformed));
    let stranger = OrderUpdate { client_order_id: ClientOrderId::new(9, 9, 9), ..elsewhere };
    assert_eq!(desk.update(ONE, &stranger), OrderEffect::UnknownOrder);
    let nobody = OrderUpdate { client_order_id: ClientOrderId::NONE, ..elsewhere };
    assert_eq!(desk.update(ONE, &nobody), OrderEffect::UnknownOrder);
    assert_eq!(desk.orders.reserved(ONE).buy_qty, i128::from(10 * LOT));
    desk.report(&order, fill(7, i64::MAX, i64::MAX, i64::MAX));
    desk.report(&order, fill(8, i64::MAX, i64::MAX, i64::MAX));
    desk.report(&order, OrderUpdateKind::Canceled { cum_qty: Qty(i64::MIN) });
}

/// The ring forgets old trade ids; the venue's cumulative quantity still catches their duplicates.
#[test]
fn a_duplicate_older_than_the_memory_is_not_counted() {
    let (mut desk, order) = one_order();
    desk.report(&order, filled(1, 2, 2));
    let busy = desk.limit(0, Side::Buy, REF - SCALE, SCALE);
    desk.accept(&busy);
    for n in 0..900 {
        desk.report(&busy, fill(1_000 + n, REF, LOT, (n as i64 + 1) * LOT));
    }
    let more = desk.limit(0, Side::Buy, REF - 2 * SCALE, SCALE);
    desk.accept(&more);
    for n in 0..900 {
        desk.report(&more, fill(9_000 + n, REF, LOT, (n as i64 + 1) * LOT));
    }
    let before = desk.positions.qty(ONE);
    assert_eq!(desk.report(&order, filled(1, 2, 2)), OrderEffect::Ignored(Ignored::DuplicateFill));
    assert_eq!(desk.positions.qty(ONE), before);
}

#[test]
fn the_same_trade_number_in_two_instruments_is_two_trades() {
    let mut desk = Desk::new(2);
    for id in 0..2 {
        let order = desk.limit(id, Side::Buy, REF, LOT);
        desk.accept(&order);
        assert!(matches!(desk.report(&order, fill(1, REF, LOT, LOT)), OrderEffect::Filled(_)));
    }
}

/// The table is full at its capacity, says so, and is empty again after as many endings.
#[test]
fn a_full_table_refuses_and_recovers() {
    let limits = smc_core::risk::Limits { open_orders_max: 256, repeat_max: 1_000, ..limits() };
    let account = smc_core::risk::AccountLimits { open_orders_max: 256, messages_max: 300, ..account() };
    let mut desk = Desk::with(1, limits, account, whole(100_000));
    let mut sent = Vec::new();
    for n in 0..ORDERS_MAX as i64 {
        let order = desk.limit(0, Side::Buy, REF - n * SCALE / 10, LOT);
        desk.accept(&order);
        sent.push(order);
    }
    assert!(desk.orders.is_full());
    let one_more = desk.limit(0, Side::Buy, REF - 300 * SCALE, LOT);
    assert_eq!(desk.codes(&one_more).to_string(), "MAX_OPEN_ORDERS");
    for order in &sent {
        desk.report(order, canceled(0));
    }
    assert!(desk.orders.is_empty());
    assert_eq!(desk.orders.lost(), 0);
}
