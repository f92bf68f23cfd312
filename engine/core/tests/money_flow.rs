//! R-02 (a million orders; `cargo xtask risk-campaign` ten): random orders and reports over three instruments, against an independent slow model that
//! keeps every order for ever and adds everything up anew each time. No accepted sequence breaks a limit, the gate's
//! codes are the model's, and nothing is left reserved when all is over.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod money_common;

use money_common::*;
use smc_core::event::OrderUpdateKind;
use smc_core::output::{NewOrder, OrderKind, TradingState};
use smc_core::risk::{Check, Violations};
use smc_core::words::{InstrumentId, Money, Price, Qty, SCALE, Side, TsNs};

/// Orders of one run; more are several runs of other seeds.
const ORDERS: u32 = 1_000_000;
const INSTRUMENTS: u16 = 3;
const LOT: i64 = SCALE / 1000;
const TICK: i64 = SCALE / 10;

/// One order as the venue knows it.
struct Sent {
    order: NewOrder,
    filled: i64,
    is_over: bool,
    accepted: TsNs,
}

impl Sent {
    fn left(&self) -> i128 {
        if self.is_over { 0 } else { i128::from(self.order.qty.0 - self.filled) }
    }
}

/// The slow model: all orders of all time, nothing incremental but the cash.
#[derive(Default)]
struct Model {
    sent: Vec<Sent>,
    /// Orders before this index are over; only speed, every sum could start at 0.
    first_open: usize,
    position: [i128; INSTRUMENTS as usize],
    /// Money paid (negative) and received, 1e-16.
    cash: i128,
}

fn ceil(value: i128, by: i128) -> i128 {
    value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
}

impl Model {
    fn open(&self) -> impl Iterator<Item = &Sent> {
        self.sent[self.first_open..].iter().filter(|sent| sent.left() > 0)
    }

    fn left(&self, instrument: u16, side: Side) -> i128 {
        let on = |sent: &&Sent| sent.order.instrument.0 == instrument && sent.order.side == side;
        self.open().filter(on).map(Sent::left).sum()
    }

    fn longest(&self, instrument: u16) -> i128 {
        self.position[usize::from(instrument)] + self.left(instrument, Side::Buy)
    }

    fn shortest(&self, instrument: u16) -> i128 {
        self.position[usize::from(instrument)] - self.left(instrument, Side::Sell)
    }

    /// Worst gross, and worst net in one direction, at these prices.
    fn exposure(&self, side: Side, prices: &[i64], except: Option<u16>) -> (i128, i128) {
        let (mut gross, mut net) = (0, 0);
        for id in (0..INSTRUMENTS).filter(|&id| Some(id) != except) {
            let price = i128::from(prices[usize::from(id)]);
            let (long, short) = (self.longest(id), self.shortest(id));
            gross += ceil(long.abs().max(short.abs()) * price, SCALE.into());
            let way = if side == Side::Buy { long } else { short };
            net += ceil(way.abs() * price, SCALE.into()) * way.signum();
        }
        (gross, net)
    }

    fn equity(&self, start: i128, prices: &[i64]) -> i128 {
        let held: i128 =
            (0..usize::from(INSTRUMENTS)).map(|id| self.position[id] * i128::from(prices[id])).sum();
        (start * i128::from(SCALE) + self.cash + held).div_euclid(SCALE.into())
    }

    /// The codes by the words of the table, one by one.
    fn codes(&self, order: &NewOrder, now: TsNs, state: TradingState, prices: &[i64]) -> Violations {
        let (limits, account) = (limits_here(), account_here());
        let mut found = Violations::NONE;
        let id = order.instrument.0;
        let reference = i128::from(prices[usize::from(id)]);
        let position = self.position[usize::from(id)];
        let (side, qty, px) =
            (i128::from(order.side.sign()), i128::from(order.qty.0), i128::from(order.price.0));
        let is_market = order.kind == OrderKind::Market;
        let same = self.left(id, order.side);
        let reducing = position * side < 0 && qty + same <= position.abs();
        let npx = if is_market { reference } else { px.max(reference) };
        let own = if is_market { reference } else { px };

        found.note(Check::StateBlocked, matches!(state, TradingState::CancelOnly | TradingState::Halt));
        found.note(Check::StateReduceOnly, state == TradingState::ReduceOnly && !reducing);
        found.note(Check::BadTick, !is_market && (px <= 0 || px % i128::from(TICK) != 0));
        found.note(Check::BadLot, qty <= 0 || qty % i128::from(LOT) != 0);
        found.note(
            Check::MinNotional,
            (qty * own).div_euclid(SCALE.into()) < 5 * i128::from(SCALE) && !reducing,
        );
        found.note(Check::MaxOrderQty, qty > i128::from(limits.order_qty_max.0));
        found.note(
            Check::MaxOrderNotional,
            ceil(qty * npx, SCALE.into()) > i128::from(limits.order_notional_max.0),
        );
        let (up, down) = if order.side == Side::Buy { (10_000, 100_000) } else { (100_000, 10_000) };
        let outside =
            px * 1_000_000 > reference * (1_000_000 + up) || px * 1_000_000 < reference * (1_000_000 - down);
        found.note(Check::PriceCollar, !is_market && outside);
        let worst_here = position + side * (same + qty);
        let worst_there = match order.side {
            Side::Buy => self.shortest(id),
            Side::Sell => self.longest(id),
        };
        if !reducing {
            let (other_gross, other_net) = self.exposure(order.side, prices, Some(id));
            let gross = other_gross + ceil(worst_here.abs().max(worst_there.abs()) * reference, SCALE.into());
            let net = other_net + ceil(worst_here.abs() * reference, SCALE.into()) * worst_here.signum();
            let equity = self.equity(START_EQUITY.into(), prices);
            found.note(Check::MaxPosition, worst_here.abs() > i128::from(limits.position_qty_max.0));
            found.note(Check::MaxGross, gross > i128::from(account.gross_max.0));
            found.note(Check::MaxNet, net.abs() > i128::from(account.net_max.0));
            found.note(Check::MaxLeverage, gross * 1000 > equity * i128::from(account.leverage_max_milli));
        }
        let open_here = self.open().filter(|sent| sent.order.instrument.0 == id).count();
        let crowded = open_here + 1 > limits.open_orders_max as usize
            || self.open().count() + 1 > account.open_orders_max as usize;
        found.note(Check::MaxOpenOrders, crowded);
        let recent = || self.sent.iter().rev().take_while(|sent| now.0 - sent.accepted.0 <= 2_000 * MS);
        let in_window = recent().filter(|sent| sent.accepted.0 + account.messages_window_ns > now.0).count();
        found.note(Check::Throttle, in_window >= account.messages_max as usize);
        let is_same = |sent: &Sent| {
            let o = &sent.order;
            (o.instrument, o.side, o.price, o.qty) == (order.instrument, order.side, order.price, order.qty)
                && now.0 - sent.accepted.0 <= limits.duplicate_window_ns
        };
        found.note(Check::Duplicate, recent().any(is_same));
        let crosses = |sent: &Sent| {
            let o = &sent.order;
            let touch = if order.side == Side::Buy { order.price >= o.price } else { order.price <= o.price };
            o.instrument == order.instrument
                && o.side != order.side
                && (is_market || o.kind == OrderKind::Market || touch)
        };
        found.note(Check::SelfTrade, self.open().any(crosses));
        found
    }
}

const START_EQUITY: i64 = 60_000 * SCALE;

/// Tight enough that every limit bites.
fn limits_here() -> smc_core::risk::Limits {
    smc_core::risk::Limits {
        order_notional_max: Money(whole(40_000)),
        open_orders_max: 6,
        repeat_max: 1_000,
        ..limits()
    }
}

fn account_here() -> smc_core::risk::AccountLimits {
    smc_core::risk::AccountLimits {
        gross_max: Money(whole(125_000)),
        net_max: Money(whole(80_000)),
        leverage_max_milli: 2_050,
        open_orders_max: 11,
        messages_max: 8,
        runaway_denials_max: 1_024,
        runaway_window_ns: 1,
        ..account()
    }
}

#[test]
fn no_accepted_sequence_breaks_a_limit_or_leaks_a_reservation() {
    #[allow(clippy::disallowed_methods, reason = "the core reads no environment, its tests may")]
    let runs: u64 = std::env::var("SMC_GATE_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    (0..runs).for_each(|run| random_flow(0x5EED_F10A_0001 + run));
}

fn random_flow(seed: u64) {
    let mut rng = Rng::seeded("random order flow", seed);
    let mut desk = Desk::with(INSTRUMENTS.into(), limits_here(), account_here(), START_EQUITY);
    let mut model = Model::default();
    let mut prices = [whole(20_000); INSTRUMENTS as usize];
    let mut seen = [0u32; 32];
    let mut accepted = 0u32;
    for n in 0..ORDERS {
        // Two kinds of weather: large orders in a hurry, and many small ones that rest.
        let is_calm = (n / 1_000) % 2 == 1;
        desk.pass(rng.below(if is_calm { 600 } else { 80 }) * MS);
        let moved = rng.below(INSTRUMENTS.into()) as u16;
        let price = &mut prices[usize::from(moved)];
        *price = (*price + rng.between(-300, 300) * TICK).clamp(whole(15_000), whole(40_000));
        desk.price(moved, *price);
        for id in 0..INSTRUMENTS {
            desk.price(id, prices[usize::from(id)]);
        }
        desk.state = match rng.below(40) {
            0 => TradingState::ReduceOnly,
            1 => TradingState::Halt,
            2 => TradingState::CancelOnly,
            3 => TradingState::Warn,
            _ => TradingState::Normal,
        };
        if n % 500 == 0 {
            desk.gate.arm(); // Entries are not under test here.
        }
        let order = random_order(&mut rng, &mut desk, &model, &prices, is_calm);
        let expected = model.codes(&order, desk.now, desk.state, &prices);
        let codes = desk.codes(&order);
        assert_eq!(codes, expected, "order {n}: {codes} but the model says {expected}; {order:?}");
        codes.iter().for_each(|check| seen[check as usize] += 1);
        if codes.is_empty() {
            accepted += 1;
            model.sent.push(Sent { order, filled: 0, is_over: false, accepted: desk.now });
            assert_within_limits(&model, &order, desk.now, &prices);
        }
        for _ in 0..if is_calm { rng.below(2) * rng.below(2) } else { rng.below(3) } {
            random_report(&mut rng, &mut desk, &mut model);
        }
        assert_same_books(&desk, &model);
        while model.sent.get(model.first_open).is_some_and(|sent| sent.left() == 0) {
            model.first_open += 1;
        }
    }
    println!("{accepted} of {ORDERS} accepted");
    assert!(accepted > ORDERS / 20, "too few accepted to mean anything: {accepted}");
    for check in Check::ALL {
        println!("{:>7} {}", seen[check as usize], check.name());
    }
    for check in
        [Check::MaxPosition, Check::MaxGross, Check::MaxNet, Check::MaxLeverage, Check::MaxOpenOrders]
    {
        assert!(seen[check as usize] > 100, "{} hardly fired", check.name());
    }
    end_everything(&mut desk, &mut model);
    assert!(desk.orders.is_empty());
    assert_same_books(&desk, &model);
}

fn random_order(rng: &mut Rng, desk: &mut Desk, model: &Model, prices: &[i64], is_small: bool) -> NewOrder {
    let id = rng.below(INSTRUMENTS.into()) as u16;
    let reference = prices[usize::from(id)];
    let position = model.position[usize::from(id)];
    let mut side = rng.side();
    let mut qty = LOT * rng.between(1, 2_100);
    if is_small && !rng.one_in(10) {
        qty = LOT * rng.between(1, 40);
    } else if rng.one_in(2) {
        // Sizes around what the limits leave, and around closing.
        let room = i128::from(3 * SCALE) - position.abs() - model.left(id, side);
        qty = (room as i64 + LOT * rng.between(-2, 2)).min(2 * SCALE + LOT);
    }
    if position != 0 && !is_small && rng.one_in(2) {
        side = if position > 0 { Side::Sell } else { Side::Buy };
        qty = (position.abs() - model.left(id, side)) as i64 + LOT * rng.between(-1, 1);
    }
    if rng.one_in(50) {
        qty += rng.between(-LOT, LOT);
    }
    let mut price = reference / TICK * TICK + rng.between(-400, 400) * TICK;
    if rng.one_in(20) {
        let far = if rng.one_in(2) { 1_000_000 + 10_000 } else { 1_000_000 - 100_000 };
        price = (i128::from(reference) * far / 1_000_000) as i64 / TICK * TICK + rng.between(-2, 2) * TICK;
    }
    if rng.one_in(50) {
        price += rng.between(-TICK, TICK);
    }
    if rng.one_in(15)
        && let Some(last) = model.sent.last()
    {
        let fresh = desk.limit(0, side, price, qty);
        return NewOrder { client_order_id: fresh.client_order_id, ..last.order };
    }
    if rng.one_in(8) { desk.market(id, side, qty) } else { desk.limit(id, side, price, qty) }
}

/// What the venue might say about any order, in its own lawful order; repeated now and then.
fn random_report(rng: &mut Rng, desk: &mut Desk, model: &mut Model) {
    let open: Vec<usize> =
        (model.first_open..model.sent.len()).filter(|&n| model.sent[n].left() > 0).collect();
    if open.is_empty() {
        return;
    }
    let at = open[rng.below(open.len() as u64) as usize];
    let sent = &mut model.sent[at];
    let order = sent.order;
    let cum_qty = Qty(sent.filled);
    let kind = match rng.below(10) {
        0 | 1 => OrderUpdateKind::Ack,
        2 if sent.filled == 0 && desk.orders.get(order.client_order_id).unwrap().venue_order_id == 0 => {
            sent.is_over = true;
            if rng.one_in(2) { OrderUpdateKind::Reject { code: -2010 } } else { OrderUpdateKind::NotFound }
        }
        3 | 4 => {
            sent.is_over = true;
            OrderUpdateKind::Canceled { cum_qty }
        }
        5 => {
            sent.is_over = true;
            OrderUpdateKind::Expired { cum_qty }
        }
        6 => OrderUpdateKind::Unknown,
        7 => OrderUpdateKind::CancelReject { code: -2011 },
        _ => {
            let left = sent.left() as i64;
            let qty = if rng.one_in(2) { left } else { LOT * rng.between(1, left / LOT) };
            sent.filled += qty;
            let price = desk.references[usize::from(order.instrument.0)].unwrap().price.0;
            let signed = i128::from(qty * order.side.sign());
            model.position[usize::from(order.instrument.0)] += signed;
            model.cash -= signed * i128::from(price);
            desk.trade_id += 1;
            fill(desk.trade_id, price, qty, sent.filled)
        }
    };
    desk.report(&order, kind);
    if rng.one_in(5) {
        desk.report(&order, kind);
    }
}

/// Straight from the limits' own words, over everything that is open.
fn assert_within_limits(model: &Model, order: &NewOrder, now: TsNs, prices: &[i64]) {
    let (limits, account) = (limits_here(), account_here());
    for id in 0..INSTRUMENTS {
        let max = i128::from(limits.position_qty_max.0);
        assert!(model.longest(id) <= max, "worst long of {id}");
        assert!(model.shortest(id) >= -max, "worst short of {id}");
        let open = model.open().filter(|sent| sent.order.instrument.0 == id).count();
        assert!(open <= limits.open_orders_max as usize);
    }
    assert!(model.open().count() <= account.open_orders_max as usize);
    let sent =
        model.sent.iter().rev().take_while(|sent| sent.accepted.0 + account.messages_window_ns > now.0);
    assert!(sent.count() <= account.messages_max as usize);
    // A reducing order may pass while prices have carried the exposure over its limit.
    let held = model.position[order.instrument.index()];
    let reducing =
        held * i128::from(order.side.sign()) < 0 && model.left(order.instrument.0, order.side) <= held.abs();
    if !reducing {
        let (gross, net) = model.exposure(order.side, prices, None);
        assert!(gross <= i128::from(account.gross_max.0));
        assert!(net.abs() <= i128::from(account.net_max.0));
        let equity = model.equity(START_EQUITY.into(), prices);
        assert!(gross * 1000 <= equity * i128::from(account.leverage_max_milli));
    }
}

fn assert_same_books(desk: &Desk, model: &Model) {
    for id in 0..INSTRUMENTS {
        let reserved = desk.orders.reserved(InstrumentId(id));
        assert_eq!(reserved.buy_qty, model.left(id, Side::Buy));
        assert_eq!(reserved.sell_qty, model.left(id, Side::Sell));
        assert_eq!(i128::from(desk.positions.qty(InstrumentId(id)).0), model.position[usize::from(id)]);
    }
    assert_eq!(desk.orders.len(), model.open().count());
    let prices: Vec<i64> = desk.references.iter().map(|r| r.map_or(Price::ZERO, |r| r.price).0).collect();
    assert_eq!(i128::from(desk.positions.equity().0), model.equity(START_EQUITY.into(), &prices));
}

fn end_everything(desk: &mut Desk, model: &mut Model) {
    for at in model.first_open..model.sent.len() {
        let sent = &mut model.sent[at];
        if sent.left() > 0 {
            sent.is_over = true;
            desk.report(&sent.order, OrderUpdateKind::Canceled { cum_qty: Qty(sent.filled) });
        }
    }
}
