//! Limits that are missing, zero, negative or absurd are refused by name, and good ones change at run
//! time.

mod money_common;

use money_common::*;
use smc_core::risk::{AccountLimits, Check, Gate, LimitReason, Limits};
use smc_core::words::{InstrumentId, Money, Qty, SCALE, Side};

/// missing (zero), negative and absurd limits are refused by the field's name.
#[test]
fn wrong_limits_are_refused_by_name() {
    let refused = |change: fn(&mut Limits), field: &str| {
        let mut limits = limits();
        change(&mut limits);
        let error = limits.validate().unwrap_err();
        assert_eq!(error.field, field);
        assert!(error.to_string().contains(field));
        let error = Gate::new(account(), &[None, Some(limits)]).err().unwrap();
        assert_eq!((error.field, error.instrument), (field, Some(InstrumentId(1))));
    };
    refused(|l| l.order_qty_max = Qty::ZERO, "order_qty_max");
    refused(|l| l.order_qty_max = Qty(-1), "order_qty_max");
    refused(|l| l.order_qty_max = Qty(i64::MAX), "order_qty_max");
    refused(|l| l.order_notional_max = Money::ZERO, "order_notional_max");
    refused(|l| l.order_notional_max = Money(-5), "order_notional_max");
    refused(|l| l.collar_ppm = 0, "collar_ppm");
    refused(|l| l.collar_ppm = 500_001, "collar_ppm");
    refused(|l| l.collar_passive_ppm = 1_000_000, "collar_passive_ppm");
    refused(|l| l.reference_age_max_ns = 0, "reference_age_max_ns");
    refused(|l| l.reference_age_max_ns = u64::MAX, "reference_age_max_ns");
    refused(|l| l.reference_skew_max_ns = 0, "reference_skew_max_ns");
    refused(|l| l.position_qty_max = Qty(-1), "position_qty_max");
    refused(|l| l.open_orders_max = 0, "open_orders_max");
    refused(|l| l.open_orders_max = 257, "open_orders_max");
    refused(|l| l.duplicate_window_ns = 0, "duplicate_window_ns");
    refused(|l| l.repeat_max = 0, "repeat_max");
    refused(|l| l.repeat_max = 1_001, "repeat_max");

    let refused = |change: fn(&mut AccountLimits), field: &str| {
        let mut account = account();
        change(&mut account);
        assert_eq!(account.validate().unwrap_err().field, field);
        assert_eq!(Gate::new(account, &[]).err().unwrap().field, field);
    };
    refused(|a| a.gross_max = Money::ZERO, "gross_max");
    refused(|a| a.net_max = Money(-1), "net_max");
    refused(|a| a.leverage_max_milli = 125_001, "leverage_max_milli");
    refused(|a| a.open_orders_max = 257, "open_orders_max");
    refused(|a| a.messages_max = 0, "messages_max");
    refused(|a| a.messages_max = 1_025, "messages_max");
    refused(|a| a.messages_window_ns = 0, "messages_window_ns");
    refused(|a| a.runaway_denials_max = 0, "runaway_denials_max");
    refused(|a| a.runaway_window_ns = 0, "runaway_window_ns");
    refused(|a| a.entry_forgiven_after_ns = u64::MAX, "entry_forgiven_after_ns");
}

#[test]
fn a_duplicate_window_longer_than_the_gates_memory_is_refused() {
    let busy = AccountLimits { messages_max: 512, messages_window_ns: 100 * MS, ..account() };
    let error = Gate::new(busy, &[Some(limits())]).err().unwrap();
    assert_eq!(error.field, "duplicate_window_ns");
    assert_eq!(error.reason, LimitReason::Absurd { value: 250 * MS, max: 200 * MS - 1 });
    let fits = Limits { duplicate_window_ns: 200 * MS - 1, ..limits() };
    assert!(Gate::new(busy, &[Some(fits)]).is_ok());
}

/// a lower limit acts on the next order; a wrong one changes nothing.
#[test]
fn limits_change_at_run_time() {
    let mut desk = Desk::new(1);
    let order = desk.limit(0, Side::Buy, whole(64_900), SCALE);
    desk.accept(&order);
    desk.gate.set_account_limits(AccountLimits { open_orders_max: 1, ..account() }).unwrap();
    let order = desk.limit(0, Side::Buy, whole(65_000), SCALE);
    assert_eq!(desk.codes(&order), set(&[Check::MaxOpenOrders]));
    let wrong = Limits { repeat_max: 0, ..limits() };
    assert!(desk.gate.set_limits(InstrumentId(0), wrong).is_err());
    assert_eq!(desk.gate.limits(InstrumentId(0)), Some(&limits()));
    assert!(desk.gate.set_limits(InstrumentId(9), limits()).is_err());
}
