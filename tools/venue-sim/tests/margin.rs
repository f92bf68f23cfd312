//! The linear margin account: positions, what they secure, orders that only reduce, stops, funding, liquidation.
#![allow(missing_docs, clippy::unwrap_used)]

use proptest::prelude::*;
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, SCALE};
use smc_core::{Price, Qty, Side, TsNs};
use venue_sim::exchange::account::Account;
use venue_sim::exchange::income::IncomeKind;
use venue_sim::exchange::order::{
    NewOrder, OrderStatus, OrderType, Scope, SelfTradePrevention, TimeInForce, TriggerBy,
};
use venue_sim::exchange::{Exchange, ExchangeEvent, Execution, ExpiryReason, MarginReason};
use venue_sim::market::{MarketOpKind, SymbolInfo};

const HOUR: u64 = 3_600_000_000_000;

fn usdt() -> Name {
    Name::new("USDT").unwrap()
}

fn symbol() -> SymbolInfo {
    SymbolInfo::new(InstrumentSpec {
        symbol: Name::new("BTCUSDT").unwrap(),
        base: Name::new("BTC").unwrap(),
        quote: usdt(),
        tick: Price(SCALE),
        lot: Qty(SCALE / 1_000),
        qty_min: Qty(SCALE / 1_000),
        qty_max: Qty(1_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract { kind: ContractKind::Linear, margin_initial_ppm: 8_000, ..Contract::SPOT },
    })
}

/// A book 100.. below 101.., 20 at each level, and an account with `wallet` USDT; no fees.
fn exchange(wallet: i64) -> Exchange {
    let account = Account::new(&[(usdt(), wallet * SCALE)], 0, 0);
    let mut exchange = Exchange::new(&[symbol()], vec![account.clone(), account], 1);
    exchange.set_now(TsNs(HOUR));
    for step in 0..5 {
        level(&mut exchange, Side::Buy, 100 - step, 20);
        level(&mut exchange, Side::Sell, 101 + step, 20);
    }
    exchange.finish_step(0);
    exchange.take_events();
    exchange
}

fn level(exchange: &mut Exchange, side: Side, price: i64, qty: i64) {
    exchange.apply(0, MarketOpKind::Level { side, price: Price(price * SCALE), qty: Qty(qty * SCALE) });
}

/// The whole background market moves: best bid `bid`, best ask one above, 10 at each of five levels.
fn move_to(exchange: &mut Exchange, bid: i64) {
    let book = exchange.market(0).unwrap();
    let levels: Vec<_> = [Side::Buy, Side::Sell]
        .into_iter()
        .flat_map(|side| book.book.levels(side).map(move |(price, _)| (side, price)).collect::<Vec<_>>())
        .collect();
    for (side, price) in levels {
        level(exchange, side, price / SCALE, 0);
    }
    for step in 0..5 {
        level(exchange, Side::Buy, bid - step, 10);
        level(exchange, Side::Sell, bid + 1 + step, 10);
    }
    exchange.apply(0, MarketOpKind::Trade { price: Price(bid * SCALE), qty: Qty(1), aggressor: Side::Sell });
    exchange.finish_step(0);
}

fn limit(side: Side, price: i64, qty: i64) -> NewOrder {
    NewOrder {
        account: 0,
        symbol: 0,
        side,
        kind: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price(price * SCALE),
        qty: Qty(qty * SCALE),
        quote_qty: 0,
        stop_price: Price::ZERO,
        client_order_id: None,
        stp: SelfTradePrevention::None,
        scope: Scope::default(),
    }
}

fn market(side: Side, qty: i64) -> NewOrder {
    NewOrder { kind: OrderType::Market, price: Price::ZERO, ..limit(side, 0, qty) }
}

fn reducing(order: NewOrder) -> NewOrder {
    NewOrder { scope: Scope { is_reduce_only: true, ..order.scope }, ..order }
}

fn held(exchange: &Exchange) -> i64 {
    exchange.account(0).unwrap().position(0).qty / SCALE
}

fn wallet(exchange: &Exchange) -> i64 {
    exchange.account(0).unwrap().balance(usdt()).free
}

fn status(exchange: &Exchange, id: u64) -> OrderStatus {
    exchange.order(id).unwrap().status
}

#[test]
fn a_position_is_secured_by_leverage_and_what_cannot_be_secured_is_refused() {
    let mut exchange = exchange(1_000);
    assert_eq!(exchange.set_leverage(0, 0, 126).unwrap_err().code, -4028);
    exchange.set_leverage(0, 0, 10).unwrap();
    exchange.place(market(Side::Buy, 10)).unwrap();
    assert_eq!((held(&exchange), wallet(&exchange)), (10, 1_000 * SCALE));
    let margin = exchange.account_margin(0, usdt());
    // 10 at the mark of 100.5, a tenth of it; bought half above the mark.
    assert_eq!((margin.position_initial, margin.unrealised), (1_005 * SCALE / 10, -5 * SCALE));
    assert_eq!(margin.maintenance, 402 * SCALE / 100);
    let resting = exchange.place(limit(Side::Buy, 90, 80)).unwrap();
    assert_eq!(exchange.account_margin(0, usdt()).order_initial, 720 * SCALE);
    assert_eq!(exchange.place(limit(Side::Buy, 90, 80)).unwrap_err().code, -2019);
    // An order that closes needs nothing more; a cancel gives back what was secured.
    exchange.place(limit(Side::Sell, 120, 10)).unwrap();
    assert_eq!(exchange.account_margin(0, usdt()).order_initial, 720 * SCALE);
    exchange.cancel(resting, None).unwrap();
    assert_eq!(exchange.account_margin(0, usdt()).order_initial, 0);
    assert_eq!(exchange.set_leverage(0, 0, 1).unwrap_err().code, -2028);
    assert_eq!(exchange.account(0).unwrap().leverage(0), 10);
}

#[test]
fn profit_fees_and_the_position_are_told() {
    let mut exchange = exchange(10_000);
    exchange.place(market(Side::Buy, 10)).unwrap();
    exchange.take_events();
    exchange.place(market(Side::Sell, 4)).unwrap();
    let events = exchange.take_events();
    let fill = events.iter().find_map(|event| match event {
        ExchangeEvent::Report(report) => match report.exec {
            Execution::Trade(fill) => Some(fill),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(fill.unwrap().realised, -4 * SCALE);
    let told = events.iter().find_map(|event| match event {
        ExchangeEvent::Margin { reason, assets, positions, .. } => Some((*reason, assets, positions)),
        _ => None,
    });
    let (reason, assets, positions) = told.unwrap();
    assert_eq!((reason, assets[0].1.free), (MarginReason::Order, 9_996 * SCALE));
    assert_eq!((positions[0].1.qty, positions[0].1.realised), (6 * SCALE, -4 * SCALE));
}

#[test]
fn an_order_that_only_reduces_never_turns_the_position() {
    let mut exchange = exchange(10_000);
    assert_eq!(exchange.place(reducing(market(Side::Sell, 1))).unwrap_err().code, -2022);
    exchange.place(market(Side::Buy, 5)).unwrap();
    assert_eq!(exchange.place(reducing(limit(Side::Sell, 110, 6))).unwrap_err().code, -2022);
    assert_eq!(exchange.place(reducing(market(Side::Buy, 1))).unwrap_err().code, -2022);
    let first = exchange.place(reducing(limit(Side::Sell, 110, 5))).unwrap();
    let second = exchange.place(reducing(limit(Side::Sell, 110, 5))).unwrap();
    // One trade that would fill both: the first closes the position, the second has nothing left to reduce.
    exchange.apply(
        0,
        MarketOpKind::Trade { price: Price(110 * SCALE), qty: Qty(99 * SCALE), aggressor: Side::Buy },
    );
    exchange.finish_step(0);
    assert_eq!(held(&exchange), 0);
    assert_eq!(
        (status(&exchange, first), status(&exchange, second)),
        (OrderStatus::Filled, OrderStatus::Expired)
    );
    exchange.place(market(Side::Buy, 5)).unwrap();
    let id = exchange.place(reducing(market(Side::Sell, 9))).unwrap();
    assert_eq!((held(&exchange), exchange.order(id).unwrap().filled_qty), (0, Qty(5 * SCALE)));
    assert_eq!(status(&exchange, id), OrderStatus::Expired);
}

#[test]
fn stops_and_targets_wake_by_the_last_or_the_mark_price() {
    let mut exchange = exchange(10_000);
    exchange.place(market(Side::Buy, 5)).unwrap();
    let sleeping = |kind, stop: i64, scope| NewOrder {
        kind,
        stop_price: Price(stop * SCALE),
        scope,
        qty: Qty::ZERO,
        price: Price::ZERO,
        ..limit(Side::Sell, 0, 0)
    };
    let closes = Scope { closes_position: true, ..Scope::default() };
    let by_mark = Scope { trigger_by: TriggerBy::Mark, ..closes };
    let at_once = exchange.place(sleeping(OrderType::StopMarket, 101, by_mark));
    assert_eq!(at_once.unwrap_err().code, -2021);
    let stop = exchange.place(sleeping(OrderType::StopMarket, 91, by_mark)).unwrap();
    let target = exchange.place(sleeping(OrderType::TakeProfitMarket, 110, closes)).unwrap();
    move_to(&mut exchange, 111);
    assert_eq!((held(&exchange), status(&exchange, target)), (0, OrderStatus::Filled));
    assert_eq!(exchange.order(target).unwrap().qty, Qty(5 * SCALE));
    // The stop is still there and finds nothing to close when it wakes.
    assert_eq!(status(&exchange, stop), OrderStatus::New);
    move_to(&mut exchange, 90);
    assert_eq!((held(&exchange), status(&exchange, stop)), (0, OrderStatus::Expired));
}

#[test]
fn a_changed_order_goes_to_the_end_of_the_queue_unless_only_its_quantity_falls() {
    let mut exchange = exchange(10_000);
    let id = exchange.place(limit(Side::Buy, 99, 4)).unwrap();
    let ahead = |exchange: &Exchange, price: i64| {
        exchange
            .market(0)
            .unwrap()
            .book
            .queue(Side::Buy, price * SCALE)
            .next()
            .map(|resting| (resting.ahead, resting.leaves))
    };
    level(&mut exchange, Side::Buy, 99, 3);
    assert_eq!(ahead(&exchange, 99), Some((3 * SCALE, 4 * SCALE)));
    level(&mut exchange, Side::Buy, 99, 8);
    exchange.amend(id, Price(99 * SCALE), Qty(2 * SCALE), true).unwrap();
    assert_eq!(ahead(&exchange, 99), Some((3 * SCALE, 2 * SCALE)));
    exchange.amend(id, Price(99 * SCALE), Qty(SCALE), false).unwrap();
    assert_eq!(ahead(&exchange, 99), Some((8 * SCALE, SCALE)));
    exchange.amend(id, Price(101 * SCALE), Qty(30 * SCALE), false).unwrap();
    assert_eq!((held(&exchange), ahead(&exchange, 101)), (20, Some((0, 10 * SCALE))));
    // No more than is filled already: it ends.
    exchange.amend(id, Price(101 * SCALE), Qty(20 * SCALE), false).unwrap();
    assert_eq!(status(&exchange, id), OrderStatus::Canceled);
    assert_eq!(exchange.amend(id, Price(101 * SCALE), Qty(SCALE), false).unwrap_err().code, -2011);
    let poor = exchange.place(limit(Side::Buy, 99, 1)).unwrap();
    assert_eq!(exchange.amend(poor, Price(99 * SCALE), Qty(99_000 * SCALE), false).unwrap_err().code, -2019);
    assert_eq!(exchange.order(poor).unwrap().qty, Qty(SCALE));
    assert_eq!(exchange.cancel_all(0, Some(0)).len(), 1);
}

#[test]
fn longs_pay_funding_every_eight_hours() {
    let mut exchange = exchange(10_000);
    exchange.on_clock();
    exchange.place(market(Side::Buy, 10)).unwrap();
    exchange.set_now(TsNs(8 * HOUR - 1));
    exchange.on_clock();
    assert_eq!(wallet(&exchange), 10_000 * SCALE);
    exchange.take_events();
    exchange.set_now(TsNs(8 * HOUR + 5));
    exchange.on_clock();
    exchange.on_clock();
    // 0.01 % of 10 at 100.5.
    assert_eq!(wallet(&exchange), 10_000 * SCALE - 1_005 * SCALE / 10_000);
    let events = exchange.take_events();
    assert!(
        matches!(&events[..], [ExchangeEvent::Margin { reason: MarginReason::Funding, positions, .. }] if positions.is_empty())
    );
    exchange.set_now(TsNs(16 * HOUR));
    exchange.on_clock();
    let paid = exchange
        .account(0)
        .unwrap()
        .income()
        .entries()
        .filter(|(_, income)| income.kind == IncomeKind::Funding);
    assert_eq!(paid.count(), 2);
}

#[test]
fn what_cannot_be_secured_any_more_is_closed_by_an_order_that_nobody_sent() {
    let mut exchange = exchange(60);
    exchange.place(market(Side::Buy, 10)).unwrap();
    let resting = exchange.place(limit(Side::Buy, 50, 1)).unwrap();
    let at = exchange.liquidation_price(0, 0);
    assert!(Price(95 * SCALE) < at && at < Price(96 * SCALE), "{at}");
    move_to(&mut exchange, 96);
    assert_eq!(held(&exchange), 10);
    exchange.take_events();
    move_to(&mut exchange, 94);
    assert_eq!((held(&exchange), status(&exchange, resting)), (0, OrderStatus::Expired));
    let events = exchange.take_events();
    let reports: Vec<_> = events
        .iter()
        .filter_map(|event| if let ExchangeEvent::Report(report) = event { Some(report) } else { None })
        .collect();
    assert_eq!(reports[0].exec, Execution::Expired(ExpiryReason::Liquidation));
    assert!(reports[1].order.is_liquidation && reports[1].order.client_order_id.starts_with("autoclose-"));
    assert!(matches!(reports.last().unwrap().exec, Execution::Trade(_)));
    assert_eq!(exchange.account_margin(0, usdt()).wallet, wallet(&exchange));
    // 60 less the loss of 7 on each of 10: the venue makes good what is owed.
    assert_eq!(wallet(&exchange), 0);
    let cleared = exchange.account(0).unwrap().income().entries().last().unwrap().1;
    assert_eq!((cleared.kind, cleared.amount), (IncomeKind::InsuranceClear, 10 * SCALE));
}

#[test]
fn the_venue_takes_over_what_the_book_does_not_take() {
    let mut exchange = exchange(200);
    exchange.place(market(Side::Buy, 30)).unwrap();
    exchange.take_events();
    for step in 0..5 {
        level(&mut exchange, Side::Buy, 100 - step, 0);
        level(&mut exchange, Side::Sell, 101 + step, 0);
    }
    level(&mut exchange, Side::Buy, 94, 10);
    level(&mut exchange, Side::Sell, 96, 10);
    exchange.finish_step(0);
    assert_eq!(held(&exchange), 0);
    let events = exchange.take_events();
    let taken = events.iter().find_map(|event| match event {
        ExchangeEvent::Report(report) => match report.exec {
            Execution::TakenOver(fill) => Some((fill.qty, fill.price, report.order.status)),
            _ => None,
        },
        _ => None,
    });
    // Half sold into the book took its best bid away; the mark is then the last trade.
    assert_eq!(taken, Some((Qty(20 * SCALE), Price(94 * SCALE), OrderStatus::Filled)));
}

#[derive(Clone, Debug)]
enum Op {
    Place { side: Side, price: i64, qty: i64, kind: u8, reduces: bool },
    Cancel(usize),
    Amend(usize, i64, i64),
    Move(i64),
    Trade(Side, i64, i64),
    Hours(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    prop::collection::vec(
        prop_oneof![
            6 => (side(), 85..115i64, 1..30i64, 0..6u8, any::<bool>())
                .prop_map(|(side, price, qty, kind, reduces)| Op::Place { side, price, qty, kind, reduces }),
            1 => (0..20usize).prop_map(Op::Cancel),
            2 => (0..20usize, 85..115i64, 1..30i64).prop_map(|(which, price, qty)| Op::Amend(which, price, qty)),
            2 => (80..120i64).prop_map(Op::Move),
            2 => (side(), 85..115i64, 1..40i64).prop_map(|(side, price, qty)| Op::Trade(side, price, qty)),
            1 => (1..9u64).prop_map(Op::Hours),
        ],
        1..60,
    )
}

proptest! {
    /// Whatever happens: the position is the sum of the fills, the wallet is the sum of the notes, an order that only
    /// reduces never turns the position, what is open after a step is secured, and nothing panics.
    #[test]
    fn money_and_positions_add_up(ops in ops(), wallet_start in 50..5_000i64) {
        let mut exchange = exchange(wallet_start);
        let mut ids = Vec::new();
        let mut now = HOUR;
        let mut from_fills = 0i64;
        for op in &ops {
            match op {
                Op::Place { side, price, qty, kind, reduces } => {
                    let mut order = limit(*side, *price, *qty);
                    order.scope.is_reduce_only = *reduces;
                    match kind {
                        0 => (order.kind, order.price) = (OrderType::Market, Price::ZERO),
                        1 => order.time_in_force = TimeInForce::Ioc,
                        2 => order.time_in_force = TimeInForce::Gtx,
                        3 => {
                            order.kind = OrderType::StopMarket;
                            order.stop_price = std::mem::take(&mut order.price);
                        }
                        4 => (order.kind, order.stop_price) = (OrderType::TakeProfitLimit, order.price),
                        _ => {}
                    }
                    if let Ok(id) = exchange.place(order) {
                        ids.push(id);
                    }
                }
                Op::Cancel(which) => {
                    if let Some(id) = ids.get(*which) {
                        let _ = exchange.cancel(*id, None);
                    }
                }
                Op::Amend(which, price, qty) => {
                    if let Some(id) = ids.get(*which) {
                        let _ = exchange.amend(*id, Price(price * SCALE), Qty(qty * SCALE), *qty % 2 == 0);
                    }
                }
                Op::Move(bid) => move_to(&mut exchange, *bid),
                Op::Trade(aggressor, price, qty) => {
                    exchange.apply(0, MarketOpKind::Trade { price: Price(price * SCALE), qty: Qty(qty * SCALE), aggressor: *aggressor });
                    exchange.finish_step(0);
                }
                Op::Hours(hours) => {
                    now += hours * HOUR;
                    exchange.set_now(TsNs(now));
                    exchange.on_clock();
                }
            }
            for event in exchange.take_events() {
                if let ExchangeEvent::Report(report) = event
                    && let Execution::Trade(fill) | Execution::TakenOver(fill) = report.exec
                {
                    let before = from_fills;
                    from_fills += report.order.side.sign() * fill.qty.0;
                    if report.order.is_reducing() {
                        prop_assert!(before.signum() * from_fills.signum() >= 0 && from_fills.abs() <= before.abs());
                    }
                }
            }
            let owner = exchange.account(0).unwrap();
            prop_assert_eq!(owner.position(0).qty, from_fills);
            let noted: i64 = owner.income().entries().map(|(_, income)| income.amount).sum();
            prop_assert_eq!(owner.balance(usdt()).free, wallet_start * SCALE + noted);
            prop_assert!(owner.balance(usdt()).free >= 0);
            let margin = exchange.account_margin(0, usdt());
            prop_assert!(margin.maintenance == 0 || margin.balance() >= margin.maintenance);
            for order in exchange.open_orders(0, None) {
                if order.is_reducing() && order.working.is_some() {
                    prop_assert!(order.leaves_qty() <= owner.position(0).reducible(order.side));
                }
            }
        }
    }
}
