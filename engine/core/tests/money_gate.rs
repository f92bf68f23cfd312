//! Each code of the gate alone, at its limit and one step past it, and in combination; two orders in one
//! event; repeat and runaway; failing closed.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod money_common;

use money_common::*;
use smc_core::event::{KeyScope, OrderUpdateKind, RequestBudget, VenueClock};
use smc_core::instrument::TradingStatus;
use smc_core::output::{NewOrder, OrderKind, Purpose, TradingState};
use smc_core::risk::{AccountLimits, Check, Gate, Limits, Margining, STRATEGIES_MAX, VenueFacts};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Price, Qty, SCALE, Side, TsNs};

const REF: i64 = 65_000 * SCALE;
const TICK: i64 = SCALE / 10;
const LOT: i64 = SCALE / 1000;

/// The desk as `prepare` leaves it, asked about `order`, gives exactly `expected`.
fn check(prepare: impl Fn(&mut Desk), order: impl Fn(&mut Desk) -> NewOrder, expected: &[Check]) {
    let mut desk = Desk::new(2);
    prepare(&mut desk);
    let order = order(&mut desk);
    let codes = desk.codes(&order);
    assert_eq!(codes, set(expected), "got {codes} for {order:?}");
}

fn buy(desk: &mut Desk) -> NewOrder {
    desk.limit(0, Side::Buy, REF - 100 * SCALE, SCALE / 2)
}

/// Holds `qty` of instrument 0, its history forgotten by windows and counters.
fn hold(desk: &mut Desk, side: Side, qty: i64) {
    let order = desk.market(0, side, qty);
    desk.accept(&order);
    desk.fill(&order, REF);
    desk.gate.arm();
    desk.pass(5_000 * MS);
}

fn change_limits(desk: &mut Desk, change: impl Fn(&mut Limits)) {
    let mut limits = limits();
    change(&mut limits);
    for id in 0..2 {
        desk.gate.set_limits(InstrumentId(id), limits).unwrap();
    }
}

fn change_account(desk: &mut Desk, change: impl Fn(&mut AccountLimits)) {
    let mut account = account();
    change(&mut account);
    desk.gate.set_account_limits(account).unwrap();
}

#[test]
fn a_sound_order_passes() {
    check(|_| {}, buy, &[]);
    check(|_| {}, |desk| desk.market(0, Side::Sell, SCALE / 2), &[]);
}

#[test]
fn states_block_at_their_level() {
    for (state, expected) in [
        (TradingState::Normal, &[][..]),
        (TradingState::Warn, &[]),
        (TradingState::ReduceOnly, &[Check::StateReduceOnly]),
        (TradingState::CancelOnly, &[Check::StateBlocked]),
        (TradingState::Halt, &[Check::StateBlocked]),
    ] {
        check(|desk| desk.state = state, buy, expected);
    }
    for (level, expected) in [
        (TradingState::Warn, &[][..]),
        (TradingState::ReduceOnly, &[Check::LossLimit]),
        (TradingState::Halt, &[Check::LossLimit]),
    ] {
        check(|desk| desk.loss_level = level, buy, expected);
    }
}

#[test]
fn an_order_that_only_reduces_passes_where_others_do_not() {
    let prepare = |desk: &mut Desk| {
        hold(desk, Side::Buy, SCALE);
        desk.state = TradingState::ReduceOnly;
        desk.loss_level = TradingState::ReduceOnly;
    };
    check(prepare, |desk| desk.market(0, Side::Sell, SCALE), &[]);
    let both = &[Check::StateReduceOnly, Check::LossLimit];
    check(prepare, |desk| desk.market(0, Side::Sell, SCALE + LOT), both);
    check(prepare, |desk| desk.market(0, Side::Buy, LOT), both);
    // What is already open on the side counts as closing.
    let with_open = |desk: &mut Desk| {
        prepare(desk);
        let order = desk.limit(0, Side::Sell, REF + TICK, SCALE / 2);
        desk.accept(&order);
    };
    check(with_open, |desk| desk.limit(0, Side::Sell, REF, SCALE / 2), &[]);
    check(with_open, |desk| desk.limit(0, Side::Sell, REF, SCALE / 2 + LOT), both);
}

#[test]
fn symbols_and_venue_status_must_be_known_good() {
    check(|desk| change_limits(desk, |l| l.strategies_allowed = 0b10), buy, &[Check::SymbolNotAllowed]);
    for status in [TradingStatus::Unknown, TradingStatus::Halted, TradingStatus::CancelOnly] {
        check(|desk| desk.specs[0].status = status, buy, &[Check::InstrumentNotTrading]);
    }
}

#[test]
fn prices_and_quantities_must_be_on_the_grid() {
    check(|_| {}, |desk| desk.limit(0, Side::Buy, REF + 1, SCALE), &[Check::BadTick]);
    check(|_| {}, |desk| desk.limit(0, Side::Buy, REF, SCALE + 1), &[Check::BadLot]);
    check(|_| {}, |desk| desk.limit(0, Side::Buy, REF, 0), &[Check::BadLot, Check::MinNotional]);
    check(|_| {}, |desk| desk.limit(0, Side::Buy, REF, -SCALE), &[Check::BadLot, Check::MinNotional]);
    let small = |desk: &mut Desk| desk.specs[0].qty_min = Qty(2 * LOT);
    check(small, |desk| desk.limit(0, Side::Buy, REF, 2 * LOT), &[]);
    check(small, |desk| desk.limit(0, Side::Buy, REF, LOT), &[Check::BadLot]);
    let all = &[Check::BadTick, Check::MinNotional, Check::PriceCollar];
    check(|_| {}, |desk| desk.limit(0, Side::Buy, 0, SCALE), all);
    check(|_| {}, |desk| desk.limit(0, Side::Buy, -TICK, SCALE), all);
}

#[test]
fn order_sizes_hold_at_the_limit_and_not_one_step_past() {
    let cheap = |desk: &mut Desk| desk.specs[0].notional_min = Money(65 * SCALE);
    check(cheap, |desk| desk.limit(0, Side::Buy, REF, LOT), &[]);
    check(cheap, |desk| desk.limit(0, Side::Buy, REF - TICK, LOT), &[Check::MinNotional]);
    let low = |desk: &mut Desk| desk.price(0, whole(10));
    check(low, |desk| desk.limit(0, Side::Buy, whole(10), 2 * SCALE), &[]);
    check(low, |desk| desk.limit(0, Side::Buy, whole(10), 2 * SCALE + LOT), &[Check::MaxOrderQty]);
    // The venue's own maximum counts where it is the smaller.
    let venue = |desk: &mut Desk| desk.specs[0].qty_max = Qty(SCALE);
    check(venue, |desk| desk.limit(0, Side::Buy, REF, SCALE), &[]);
    check(venue, |desk| desk.limit(0, Side::Buy, REF, SCALE + LOT), &[Check::MaxOrderQty]);
    let notional = |desk: &mut Desk| change_limits(desk, |l| l.order_notional_max = Money(65_000 * SCALE));
    check(notional, |desk| desk.limit(0, Side::Buy, REF, SCALE), &[]);
    check(notional, |desk| desk.limit(0, Side::Buy, REF + TICK, SCALE), &[Check::MaxOrderNotional]);
    // A cheap limit is still worth the reference.
    check(notional, |desk| desk.limit(0, Side::Buy, REF - TICK, SCALE + LOT), &[Check::MaxOrderNotional]);
}

#[test]
fn values_round_up_against_their_limits() {
    // A thousandth at one 1e-8 above the round price: the value is not a whole number of units.
    let floor = 65 * SCALE;
    let prepare = |max: i64| {
        move |desk: &mut Desk| {
            desk.price(0, REF + 1);
            change_limits(desk, |l| l.order_notional_max = Money(max));
            change_account(desk, |a| (a.gross_max, a.net_max) = (Money(max), Money(max)));
        }
    };
    let order = |desk: &mut Desk| desk.market(0, Side::Buy, LOT);
    check(prepare(floor + 1), order, &[]);
    check(prepare(floor), order, &[Check::MaxOrderNotional, Check::MaxGross, Check::MaxNet]);
    // And down against the venue's minimum.
    let minimum = |min: i64| {
        move |desk: &mut Desk| {
            desk.price(0, REF + 1);
            desk.specs[0].notional_min = Money(min);
        }
    };
    check(minimum(floor), order, &[]);
    check(minimum(floor + 1), order, &[Check::MinNotional]);
}

#[test]
fn collars_hold_on_both_sides() {
    let (one, ten) = (REF / 100, REF / 10);
    for (side, price, expected) in [
        (Side::Buy, REF + one, &[][..]),
        (Side::Buy, REF + one + TICK, &[Check::PriceCollar]),
        (Side::Buy, REF - ten, &[]),
        (Side::Buy, REF - ten - TICK, &[Check::PriceCollar]),
        (Side::Sell, REF - one, &[]),
        (Side::Sell, REF - one - TICK, &[Check::PriceCollar]),
        (Side::Sell, REF + ten, &[]),
        (Side::Sell, REF + ten + TICK, &[Check::PriceCollar]),
    ] {
        check(|_| {}, |desk| desk.limit(0, side, price, SCALE / 10), expected);
    }
}

#[test]
fn a_stop_is_collared_around_its_trigger() {
    let stop = |trigger: i64, price: i64| {
        move |desk: &mut Desk| NewOrder {
            kind: OrderKind::StopLimit,
            stop_price: Price(trigger),
            ..desk.limit(0, Side::Sell, price, SCALE / 10)
        }
    };
    let trigger = REF - REF / 10;
    let lowest = trigger - trigger / 100;
    check(|_| {}, stop(trigger, lowest), &[]);
    check(|_| {}, stop(trigger, lowest - TICK), &[Check::PriceCollar]);
    check(|_| {}, stop(trigger - TICK, trigger - TICK), &[Check::PriceCollar]);
    check(|_| {}, stop(trigger + 1, trigger), &[Check::BadTick]);
}

#[test]
fn data_must_be_fresh_and_not_from_the_future() {
    let aged = |ns: u64| move |desk: &mut Desk| desk.now.0 += ns;
    check(aged(500 * MS), buy, &[]);
    check(aged(500 * MS + 1), buy, &[Check::StaleData]);
    let ahead = |ns: u64| move |desk: &mut Desk| desk.references[0].as_mut().unwrap().ts.0 += ns;
    check(ahead(50 * MS), buy, &[]);
    check(ahead(50 * MS + 1), buy, &[Check::StaleData]);
}

#[test]
fn positions_hold_at_the_limit_counting_open_orders() {
    let prepare = |desk: &mut Desk| {
        hold(desk, Side::Buy, SCALE);
        change_account(desk, |a| a.net_max = Money(whole(300_000)));
        let order = desk.limit(0, Side::Buy, REF - 200 * SCALE, SCALE);
        desk.accept(&order);
    };
    check(prepare, |desk| desk.limit(0, Side::Buy, REF, SCALE), &[]);
    check(prepare, |desk| desk.limit(0, Side::Buy, REF, SCALE + LOT), &[Check::MaxPosition]);
}

#[test]
fn exposures_hold_at_the_limit_and_count_the_other_instruments() {
    // 1 held in the other instrument is 65 000 gross and net.
    let prepare = |desk: &mut Desk| {
        let other = desk.market(1, Side::Buy, SCALE);
        desk.accept(&other);
        desk.fill(&other, REF);
    };
    let gross = |max: i64| {
        move |desk: &mut Desk| {
            prepare(desk);
            change_account(desk, |a| a.gross_max = Money(max));
        }
    };
    let one = |side| move |desk: &mut Desk| desk.limit(0, side, REF, SCALE);
    check(gross(whole(130_000)), one(Side::Buy), &[]);
    check(gross(whole(130_000) - 1), one(Side::Buy), &[Check::MaxGross]);
    check(gross(whole(130_000) - 1), one(Side::Sell), &[Check::MaxGross]);
    let net = |max: i64| {
        move |desk: &mut Desk| {
            prepare(desk);
            change_account(desk, |a| a.net_max = Money(max));
        }
    };
    check(net(whole(130_000)), one(Side::Buy), &[]);
    check(net(whole(130_000) - 1), one(Side::Buy), &[Check::MaxNet]);
    check(net(whole(1)), one(Side::Sell), &[]);
    let leverage = |milli: u32| {
        move |desk: &mut Desk| {
            prepare(desk);
            change_account(desk, |a| a.leverage_max_milli = milli);
        }
    };
    check(leverage(1_300), one(Side::Buy), &[]);
    check(leverage(1_299), one(Side::Buy), &[Check::MaxLeverage]);
}

#[test]
fn exposure_that_cannot_be_valued_is_too_much() {
    let mut desk = Desk::new(2);
    let order = desk.limit(1, Side::Buy, REF, LOT);
    desk.accept(&order);
    // The same order seen by a book of positions that never had a price for instrument 1.
    desk.positions = smc_core::position::PositionBook::new(2, name("USDT"), Some(Money(whole(100_000))));
    desk.positions.set_assets(InstrumentId(0), spec().base, spec().quote);
    let order = buy(&mut desk);
    assert_eq!(desk.codes(&order), set(&[Check::MaxGross, Check::MaxNet, Check::MaxLeverage]));
}

#[test]
fn unknown_equity_permits_no_new_risk() {
    let mut desk = Desk::with(1, limits(), account(), 0);
    let order = buy(&mut desk);
    assert_eq!(desk.codes(&order), set(&[Check::MaxLeverage]));
}

#[test]
fn open_orders_are_counted_per_instrument_and_overall() {
    let mut desk = Desk::new(2);
    change_limits(&mut desk, |l| (l.open_orders_max, l.repeat_max) = (3, 100));
    change_account(&mut desk, |a| a.open_orders_max = 5);
    let mut open = |instrument: u16, n: i64| {
        let order = desk.limit(instrument, Side::Buy, REF - n * TICK, LOT);
        desk.codes(&order)
    };
    for n in 0..3 {
        assert!(open(0, n).is_empty());
    }
    assert_eq!(open(0, 3), set(&[Check::MaxOpenOrders]));
    assert!(open(1, 4).is_empty());
    assert!(open(1, 5).is_empty());
    assert_eq!(open(1, 6), set(&[Check::MaxOpenOrders]), "five are open overall");
}

#[test]
fn the_throttle_counts_accepted_orders_only_and_slides() {
    let mut desk = Desk::new(2);
    change_limits(&mut desk, |l| l.repeat_max = 100);
    change_account(&mut desk, |a| a.messages_max = 3);
    let send = |desk: &mut Desk, n: i64| {
        let order = desk.limit(0, Side::Buy, REF - n * TICK, LOT);
        desk.codes(&order)
    };
    for n in 0..3 {
        assert!(send(&mut desk, n).is_empty());
        desk.pass(100 * MS);
    }
    desk.pass(700 * MS - 1);
    assert_eq!(send(&mut desk, 3), set(&[Check::Throttle]));
    desk.pass(1);
    assert!(send(&mut desk, 4).is_empty(), "exactly a window later the first has left");
    assert_eq!(send(&mut desk, 5), set(&[Check::Throttle]));
}

#[test]
fn the_same_order_again_is_a_duplicate_until_its_window_has_passed() {
    let again = |ns: u64| {
        move |desk: &mut Desk| {
            let order = buy(desk);
            desk.accept(&order);
            desk.pass(ns);
        }
    };
    check(again(0), buy, &[Check::Duplicate]);
    check(again(250 * MS), buy, &[Check::Duplicate]);
    check(again(250 * MS + 1), buy, &[]);
    check(again(0), |desk| NewOrder { instrument: InstrumentId(1), ..buy(desk) }, &[]);
    check(again(0), |desk| NewOrder { qty: Qty(LOT), ..buy(desk) }, &[]);
}

#[test]
fn an_id_is_used_once_for_ever() {
    let mut desk = Desk::new(1);
    let first = buy(&mut desk);
    desk.accept(&first);
    desk.report(&first, OrderUpdateKind::Reject { code: -1 });
    desk.pass(60_000 * MS);
    assert_eq!(desk.codes(&first), set(&[Check::Duplicate]));
    let nameless = NewOrder { client_order_id: ClientOrderId::NONE, ..first };
    assert_eq!(desk.codes(&nameless), set(&[Check::Duplicate]));
}

#[test]
fn own_orders_do_not_trade_with_each_other() {
    let resting = |side, price| {
        move |desk: &mut Desk| {
            let order = desk.limit(0, side, price, LOT);
            desk.accept(&order);
        }
    };
    let ask = REF + 10 * SCALE;
    check(resting(Side::Sell, ask), |desk| desk.limit(0, Side::Buy, ask - TICK, LOT), &[]);
    check(resting(Side::Sell, ask), |desk| desk.limit(0, Side::Buy, ask, LOT), &[Check::SelfTrade]);
    check(resting(Side::Sell, ask), |desk| desk.market(0, Side::Buy, LOT), &[Check::SelfTrade]);
    check(resting(Side::Sell, ask), |desk| desk.market(1, Side::Buy, LOT), &[]);
    check(resting(Side::Buy, REF), |desk| desk.limit(0, Side::Sell, REF + TICK, LOT), &[]);
    check(resting(Side::Buy, REF), |desk| desk.limit(0, Side::Sell, REF, LOT), &[Check::SelfTrade]);
    // Over at the venue, only its last fills are still under way: nothing rests there to be met.
    let ended = |desk: &mut Desk| {
        let order = desk.limit(0, Side::Sell, ask, 2 * LOT);
        desk.accept(&order);
        desk.report(&order, OrderUpdateKind::Canceled { cum_qty: Qty(LOT) });
        assert_eq!(desk.orders.len(), 1);
    };
    check(ended, |desk| desk.limit(0, Side::Buy, ask, LOT), &[]);
    let market = |desk: &mut Desk| {
        let order = desk.market(0, Side::Buy, LOT);
        desk.accept(&order);
    };
    check(market, |desk| desk.limit(0, Side::Sell, REF + 100 * SCALE, LOT), &[Check::SelfTrade]);
}

#[test]
fn a_dormant_stop_meets_only_prices_it_can_wake_up_to() {
    let stop = |desk: &mut Desk| {
        let order = NewOrder {
            kind: OrderKind::StopLimit,
            stop_price: Price(REF - 100 * SCALE),
            purpose: Purpose::Stop,
            ..desk.limit(0, Side::Sell, REF - 110 * SCALE, LOT)
        };
        desk.accept(&order);
    };
    check(stop, |desk| desk.limit(0, Side::Buy, REF, LOT), &[]);
    check(stop, |desk| desk.limit(0, Side::Buy, REF - 100 * SCALE, LOT), &[Check::SelfTrade]);
    check(stop, |desk| desk.limit(0, Side::Buy, REF - 110 * SCALE, LOT), &[Check::SelfTrade]);
    check(stop, |desk| desk.limit(0, Side::Buy, REF - 110 * SCALE - TICK, LOT), &[]);
}

#[test]
fn a_strategy_that_keeps_entering_is_disabled_until_armed() {
    let mut desk = Desk::new(2);
    let mut reached_venue = 0;
    for n in 0..50 {
        let order = desk.limit(0, Side::Buy, REF, LOT);
        let codes = desk.codes(&order);
        if codes.is_empty() {
            desk.fill(&order, REF);
            reached_venue += 1;
        } else {
            assert_eq!(codes, set(&[Check::RepeatExec]), "entry {n}");
        }
        desk.pass(1_000 * MS);
    }
    assert_eq!(reached_venue, 5);
    assert!(desk.gate.is_disabled(0));
    // Disabled everywhere, but the way out stays open, and an exit alone does not re-enable.
    let elsewhere = desk.limit(1, Side::Sell, REF, LOT);
    assert_eq!(desk.codes(&elsewhere), set(&[Check::RepeatExec]));
    let exit = desk.market(0, Side::Sell, 5 * LOT);
    desk.accept(&exit);
    desk.fill(&exit, REF);
    let entry = desk.limit(0, Side::Buy, REF, LOT);
    assert_eq!(desk.codes(&entry), set(&[Check::RepeatExec]));
    desk.gate.arm();
    let entry = desk.limit(0, Side::Buy, REF, LOT);
    desk.accept(&entry);
}

#[test]
fn an_exit_ends_a_run_of_entries() {
    let mut desk = Desk::new(1);
    for _ in 0..20 {
        let entry = desk.limit(0, Side::Buy, REF, LOT);
        desk.accept(&entry);
        desk.fill(&entry, REF);
        let exit = NewOrder { purpose: Purpose::Target, ..desk.limit(0, Side::Sell, REF, LOT) };
        desk.accept(&exit);
        desk.fill(&exit, REF);
        desk.pass(1_000 * MS);
    }
}

#[test]
fn patient_entries_are_forgiven_only_when_configured() {
    let run = |forgiven_after_ns: u64, lived_ns: u64| {
        let mut desk = Desk::new(1);
        change_account(&mut desk, |a| a.entry_forgiven_after_ns = forgiven_after_ns);
        let mut accepted = 0;
        for _ in 0..20 {
            let entry = desk.limit(0, Side::Buy, REF, LOT);
            accepted += u32::from(desk.codes(&entry).is_empty());
            desk.pass(lived_ns);
            desk.report(&entry, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
            desk.pass(1_000 * MS);
        }
        accepted
    };
    assert_eq!(run(0, 60_000 * MS), 5);
    assert_eq!(run(10_000 * MS, 60_000 * MS), 20);
    assert_eq!(run(10_000 * MS, 10 * MS), 5);
}

#[test]
fn a_runaway_strategy_is_halted() {
    let mut desk = Desk::new(2);
    hold(&mut desk, Side::Buy, SCALE);
    change_limits(&mut desk, |l| l.repeat_max = 100);
    change_account(&mut desk, |a| (a.messages_max, a.runaway_denials_max) = (1, 20));
    let order = desk.limit(0, Side::Buy, REF - TICK, LOT);
    desk.accept(&order);
    for n in 0..20 {
        assert!(!desk.gate.is_disabled(0), "after {n} denials");
        let order = desk.limit(0, Side::Buy, REF - (n + 2) * TICK, LOT);
        assert_eq!(desk.codes(&order), set(&[Check::Throttle]));
    }
    assert!(desk.gate.is_disabled(0));
    desk.pass(60_000 * MS);
    let entry = buy(&mut desk);
    assert_eq!(desk.codes(&entry), set(&[Check::StateBlocked]));
    let exit = NewOrder { purpose: Purpose::Stop, ..desk.limit(0, Side::Sell, REF, LOT) };
    desk.accept(&exit);
}

/// the second is denied when together they exceed, although each alone would pass.
#[test]
fn two_orders_in_one_event_see_each_other() {
    let mut desk = Desk::new(2);
    let first = desk.limit(0, Side::Buy, REF, SCALE * 3 / 2);
    let second = desk.limit(0, Side::Buy, REF - TICK, SCALE * 3 / 2 + LOT);
    desk.accept(&first);
    assert_eq!(desk.codes(&second), set(&[Check::MaxPosition]));
    // A reject gives exactly the first one's room back.
    desk.report(&first, OrderUpdateKind::Reject { code: -2010 });
    desk.accept(&second);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let mut desk = Desk::new(2);
    desk.state = TradingState::Halt;
    desk.loss_level = TradingState::Halt;
    desk.specs[0].status = TradingStatus::Halted;
    change_account(&mut desk, |a| a.gross_max = Money(whole(1)));
    desk.now.0 += 10_000 * MS;
    let order = desk.limit(0, Side::Sell, REF / 2 + 1, 9 * SCALE + 1);
    let expected = [
        Check::StateBlocked,
        Check::InstrumentNotTrading,
        Check::BadTick,
        Check::BadLot,
        Check::MaxOrderQty,
        Check::MaxOrderNotional,
        Check::PriceCollar,
        Check::StaleData,
        Check::MaxPosition,
        Check::MaxGross,
        Check::MaxNet,
        Check::MaxLeverage,
        Check::LossLimit,
    ];
    assert_eq!(desk.codes(&order), set(&expected));
    assert!(desk.orders.is_empty(), "a denied order reserves nothing");
}

#[test]
fn what_the_gate_does_not_know_it_refuses() {
    let mut desk = Desk::new(2);
    desk.gate = Gate::new(account(), &[None]).unwrap();
    for id in [0, 1, 2, u16::MAX] {
        let order = NewOrder { instrument: InstrumentId(id), ..buy(&mut desk) };
        let codes = desk.codes(&order);
        assert!(codes.contains(Check::SymbolNotAllowed), "instrument {id}: {codes}");
        assert!(codes.contains(Check::MaxOrderQty), "instrument {id}: {codes}");
    }
    let mut desk = Desk::new(1);
    desk.references[0] = None;
    let order = buy(&mut desk);
    assert_eq!(desk.codes(&order), set(&[Check::StaleData, Check::PriceCollar]));
    let order = desk.market(0, Side::Buy, LOT);
    assert_eq!(desk.codes(&order), set(&[Check::StaleData, Check::MinNotional]));
    let mut desk = Desk::new(1);
    desk.specs.clear();
    let order = buy(&mut desk);
    let grid = [Check::InstrumentNotTrading, Check::BadTick, Check::BadLot];
    assert_eq!(desk.codes(&order), set(&grid));
    let mut desk = Desk::new(1);
    let order = buy(&mut desk);
    let stranger = ClientOrderId::new(7, STRATEGIES_MAX as u8, 99);
    let codes = desk.codes(&NewOrder { client_order_id: stranger, ..order });
    assert_eq!(codes, set(&[Check::StateBlocked, Check::SymbolNotAllowed, Check::RepeatExec]));
}

#[test]
fn huge_numbers_are_refused_not_wrapped() {
    let mut desk = Desk::new(2);
    for qty in [i64::MAX, i64::MIN, i64::MAX / 2] {
        for price in [i64::MAX, i64::MIN, 1] {
            for reference in [i64::MAX, 1, REF] {
                desk.price(0, reference);
                let order = desk.limit(0, Side::Buy, price, qty);
                assert!(!desk.codes(&order).is_empty(), "{qty} at {price}");
                let order = NewOrder { kind: OrderKind::Market, side: Side::Sell, ..order };
                assert!(!desk.codes(&order).is_empty(), "{qty} at {price}");
            }
        }
    }
    assert!(desk.orders.is_empty());
    desk.now = TsNs(u64::MAX);
    let order = buy(&mut desk);
    assert!(desk.codes(&order).contains(Check::StaleData));
}

/// The seven beyond the table, each at its limit and one step past it, alone; what only reduces passes those that
/// are about new risk.
#[test]
fn margin_parent_budget_clock_key_and_value_at_risk_at_their_limits() {
    let part = |needed: i64| {
        move |desk: &mut Desk| {
            desk.margin = Margining::Part { needed: Money(needed), free: Money(1_000) };
        }
    };
    check(part(800), buy, &[]);
    check(part(801), buy, &[Check::Margin]);
    let whole_of =
        |needed: i128| move |desk: &mut Desk| desk.margin = Margining::Whole { needed, free: 1_000 };
    check(whole_of(1_000), buy, &[]);
    check(whole_of(1_001), buy, &[Check::Margin]);
    check(|desk| desk.margin = Margining::Unknown, buy, &[Check::Margin]);

    // Half a coin; the parent's quantity is half a coin, or one lot less.
    let parent = |qty| move |desk: &mut Desk| desk.gate.open_parent(InstrumentId(0), 9, Qty(qty));
    let child = |desk: &mut Desk| NewOrder { signal_id: 9, ..buy(desk) };
    check(parent(SCALE / 2), child, &[]);
    check(parent(SCALE / 2 - SCALE / 1_000), child, &[Check::ParentQty]);
    check(|_| {}, child, &[Check::ParentQty]);

    let resets_at = TsNs(u64::MAX);
    let budget = |left| {
        move |desk: &mut Desk| {
            desk.venue.budget = Some(RequestBudget { left, limit: 100, banned_until: TsNs(0), resets_at });
        }
    };
    check(budget(21), buy, &[]);
    check(budget(20), buy, &[Check::VenueBudget]);

    let clock = |offset_ns| move |desk: &mut Desk| desk.venue.clock = Some(VenueClock { offset_ns });
    check(clock(500 * MS as i64), buy, &[]);
    check(clock(-500 * MS as i64), buy, &[]);
    check(clock(500 * MS as i64 + 1), buy, &[Check::Clock]);
    check(clock(-500 * MS as i64 - 1), buy, &[Check::Clock]);

    let key = |can_trade, can_withdraw| {
        move |desk: &mut Desk| {
            desk.venue.key = Some(KeyScope { can_trade, can_withdraw });
        }
    };
    check(key(true, false), buy, &[]);
    check(key(true, true), buy, &[Check::WithdrawScope]);
    check(key(false, false), buy, &[Check::WithdrawScope]);

    let risk = |var_ppm| {
        move |desk: &mut Desk| {
            desk.gate.set_account_limits(AccountLimits { var_ppm_max: Some(20_000), ..account() }).unwrap();
            desk.var_ppm = var_ppm;
        }
    };
    check(risk(Some(20_000)), buy, &[]);
    check(risk(Some(20_001)), buy, &[Check::VarLimit]);
    check(risk(None), buy, &[Check::VarLimit]);
    check(|desk| desk.var_ppm = None, buy, &[]);
}

/// All of them at once are all told; a way out needs none of what new risk needs, only the venue's ear and clock.
#[test]
fn everything_beyond_the_table_at_once_and_what_of_it_stops_a_way_out() {
    let ruin = |desk: &mut Desk| {
        desk.gate.set_account_limits(AccountLimits { var_ppm_max: Some(1), ..account() }).unwrap();
        desk.margin = Margining::Unknown;
        desk.venue.key = Some(KeyScope { can_trade: true, can_withdraw: true });
        let resets_at = TsNs(u64::MAX);
        desk.venue.budget = Some(RequestBudget { left: 1, limit: 100, banned_until: TsNs(0), resets_at });
        desk.venue.clock = Some(VenueClock { offset_ns: 1 << 40 });
    };
    let child = |desk: &mut Desk| NewOrder { signal_id: 9, ..buy(desk) };
    let all = [
        Check::Margin,
        Check::ParentQty,
        Check::VenueBudget,
        Check::Clock,
        Check::WithdrawScope,
        Check::VarLimit,
    ];
    check(ruin, child, &all);
    let out = |desk: &mut Desk| NewOrder { purpose: Purpose::Stop, ..desk.market(0, Side::Sell, SCALE) };
    let hold_and_ruin = |desk: &mut Desk| {
        hold(desk, Side::Buy, SCALE);
        ruin(desk);
    };
    check(hold_and_ruin, out, &[Check::Clock]);
    let last = |desk: &mut Desk| {
        hold_and_ruin(desk);
        desk.venue = VenueFacts::default();
        let resets_at = TsNs(u64::MAX);
        desk.venue.budget = Some(RequestBudget { left: 0, limit: 100, banned_until: TsNs(0), resets_at });
    };
    check(last, out, &[Check::VenueBudget]);
}

/// what a signal was sized for is never exceeded, though its fills come twice, late, and after the order's end.
#[test]
fn children_never_exceed_their_parent_however_their_fills_are_told() {
    let mut rng = Rng::seeded("children of a parent", 0x5EED_0011);
    for _ in 0..500 {
        let mut desk = Desk::new(1);
        let lots = rng.between(10, 400);
        desk.gate.open_parent(InstrumentId(0), 3, Qty(lots * SCALE / 1_000));
        let (mut told, mut filled) = (Vec::new(), 0);
        for _ in 0..60 {
            desk.pass(rng.below(900) * MS);
            desk.gate.arm();
            let qty = rng.between(1, 60) * SCALE / 1_000;
            let order = NewOrder { signal_id: 3, ..desk.limit(0, Side::Buy, REF, qty) };
            if desk.check(&order).outcome.is_ok() {
                let part = rng.between(0, qty / (SCALE / 1_000)) * SCALE / 1_000;
                filled += part;
                desk.trade_id += 1;
                if part > 0 {
                    told.push((order, fill(desk.trade_id, REF, part, part)));
                }
                if part < qty {
                    told.push((order, OrderUpdateKind::Canceled { cum_qty: Qty(part) }));
                }
            }
            while rng.one_in(2) && !told.is_empty() {
                let (order, kind) = told[rng.below(told.len() as u64) as usize];
                desk.report(&order, kind);
            }
            assert!(filled <= lots * SCALE / 1_000, "{filled} of {lots}");
        }
        assert!(filled > 0);
    }
}
