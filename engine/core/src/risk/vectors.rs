//! Evaluates single cases of the risk vectors with the shipped code. For tools and tests: it builds tables, so it
//! allocates.

use crate::book::Reference;
use crate::instrument::{InstrumentSpec, TradingStatus};
use crate::orders::Orders;
use crate::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce, TradingState};
use crate::risk::approved::ApprovedOrder;
use crate::risk::check::Violations;
use crate::risk::facts::{Exposure, Facts, Margining};
use crate::risk::limits::{AccountLimits, Limits};
use crate::risk::windows::{RecentOrders, Throttle, WINDOW_MESSAGES_MAX};
use crate::sizing::Rate;
use crate::words::{ClientOrderId, InstrumentId, Money, Price, Qty, Side, TsNs};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// One `pretrade_gate` case. Fields as in the vector file; a case has one instrument and one strategy.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "names and meanings are the vector file's")]
pub struct GateCase {
    pub is_allowed: bool,
    pub spec: InstrumentSpec,
    pub limits: Limits,
    pub account: AccountLimits,
    pub state: TradingState,
    pub loss_level: TradingState,
    pub now: TsNs,
    pub reference: Reference,
    pub position: Qty,
    pub open: Vec<CaseOrder>,
    pub other_gross: Money,
    pub other_net: Money,
    pub equity: Money,
    pub messages: Vec<TsNs>,
    pub recent: Vec<(TsNs, CaseOrder)>,
    pub repeats: u32,
    pub order: CaseOrder,
}

/// An order of a case; `price` 0 or whatever the case says when it is a market order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names and meanings are the vector file's")]
pub struct CaseOrder {
    pub side: Side,
    pub is_market: bool,
    pub price: Price,
    pub qty: Qty,
}

const ONE: InstrumentId = InstrumentId(0);

/// The codes the gate gives.
pub fn evaluate_gate(case: &GateCase) -> Violations {
    let mut sequence = 0;
    let mut next = |order: &CaseOrder| {
        sequence += 1;
        order.word(sequence)
    };
    let mut orders = Orders::new(1);
    for open in &case.open {
        let approved = ApprovedOrder::approve(next(open));
        if !orders.reserve(&approved, case.now) {
            break; // More than the table holds: the count alone already violates.
        }
    }
    let mut throttle = Throttle::new(WINDOW_MESSAGES_MAX);
    let mut messages = case.messages.clone();
    messages.sort_unstable();
    messages.into_iter().for_each(|ts| throttle.record(ts));
    let mut recent = RecentOrders::default();
    let mut earlier = case.recent.clone();
    earlier.sort_by_key(|(ts, _)| *ts);
    earlier.iter().for_each(|(ts, order)| recent.record(&next(order), *ts));

    let order = next(&case.order);
    let reserved = orders.reserved(ONE);
    let own_price = if case.order.is_market { case.reference.price } else { order.price };
    let facts = Facts {
        state: case.state,
        loss_level: case.loss_level,
        is_allowed: case.is_allowed,
        status: case.spec.status,
        tick: case.spec.tick,
        lot: case.spec.lot,
        qty_min: case.spec.qty_min,
        notional_min: case.spec.notional_min,
        limits: case.limits,
        account: case.account,
        now: case.now,
        reference: Some(case.reference),
        unit_at_reference: Some(case.reference.price),
        unit_at_price: Some(own_price),
        unit_in_quote: own_price,
        position: case.position,
        base_fee: Rate::default(),
        same_side_qty: reserved.qty(order.side),
        other_side_qty: reserved.qty(order.side.opposite()),
        others: Some(Exposure { gross: case.other_gross.0.into(), net: case.other_net.0.into() }),
        equity: case.equity,
        open_orders: u32::try_from(case.open.len()).unwrap_or(u32::MAX),
        open_orders_all: 0,
        is_throttled: throttle.is_full(case.now, case.account.messages_max, case.account.messages_window_ns),
        is_duplicate: recent.contains(&order, case.now, case.limits.duplicate_window_ns),
        repeats: case.repeats,
        is_repeat_latched: false,
        is_self_trade: orders.would_self_trade(&order),
        open_orders_scope: None,
        margin: Margining::Whole { needed: 0, free: 0 },
        parent_left: None,
        requests: None,
        clock_offset_ns: None,
        is_key_fit: true,
        var_ppm: None,
    };
    facts.violations(&order)
}

/// Which of the messages at these times a `throttle_sliding` case accepts.
pub fn evaluate_throttle(times: &[TsNs], messages_max: u32, window_ns: u64) -> Vec<bool> {
    let mut throttle = Throttle::new(WINDOW_MESSAGES_MAX);
    let mut accept = |now: &TsNs| {
        let is_accepted = !throttle.is_full(*now, messages_max, window_ns);
        if is_accepted {
            throttle.record(*now);
        }
        is_accepted
    };
    times.iter().map(&mut accept).collect()
}

/// The venue status of a case's word; unknown words are `Unknown`.
pub fn status_of(word: &str) -> TradingStatus {
    match word {
        "TRADING" => TradingStatus::Trading,
        "CANCEL_ONLY" => TradingStatus::CancelOnly,
        "HALTED" | "HALT" | "BREAK" | "AUCTION" | "MAINTENANCE" => TradingStatus::Halted,
        _ => TradingStatus::Unknown,
    }
}

/// The trading state of a case's word; none for a word that is no state.
pub fn state_of(word: &str) -> Option<TradingState> {
    Some(match word {
        "NORMAL" => TradingState::Normal,
        "WARN" => TradingState::Warn,
        "REDUCE_ONLY" => TradingState::ReduceOnly,
        "CANCEL_ONLY" => TradingState::CancelOnly,
        "HALT" => TradingState::Halt,
        _ => return None,
    })
}

/// The state of a case's loss level: 0 NORMAL, 1 WARN, 2 REDUCE_ONLY, 3 (and beyond) HALT.
pub const fn loss_level_of(level: i64) -> TradingState {
    match level {
        i64::MIN..=0 => TradingState::Normal,
        1 => TradingState::Warn,
        2 => TradingState::ReduceOnly,
        _ => TradingState::Halt,
    }
}

impl CaseOrder {
    fn word(&self, sequence: u64) -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId::new(1, 0, sequence),
            instrument: ONE,
            side: self.side,
            kind: if self.is_market { OrderKind::Market } else { OrderKind::Limit },
            time_in_force: TimeInForce::Gtc,
            price: self.price,
            stop_price: Price::ZERO,
            qty: self.qty,
            purpose: Purpose::Entry,
            signal_id: 0,
            terms: OrderTerms::PLAIN,
        }
    }
}

/// An amount in 1e-24 as decimal text without superfluous zeros: how a case prints `loss_per_unit`.
pub fn decimal_e24(value: i128) -> String {
    let (whole, fraction) = (value / E24, (value % E24).unsigned_abs());
    let sign = if value < 0 && whole == 0 { "-" } else { "" };
    let mut text = format!("{sign}{whole}.{fraction:024}");
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}

const E24: i128 = 1_000_000_000_000_000_000_000_000;
