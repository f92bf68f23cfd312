//! One fill on its way through the order table into the positions: found by its order, counted once, and booked for the
//! account and its strategy. The table holds eight open orders, a full history and a full memory of trades.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, START, limits, spec};
use criterion::{Criterion, criterion_group, criterion_main};
use smc_core::book::Reference;
use smc_core::event::{OrderUpdate, OrderUpdateKind};
use smc_core::instrument::InstrumentSpec;
use smc_core::orders::{OrderEffect, Orders};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Position, Purpose, TimeInForce, TradingState};
use smc_core::position::PositionBook;
use smc_core::risk::{AccountLimits, Gate, GateView, Limits, Margining, VenueFacts};
use smc_core::words::{ClientOrderId, Money, Price, Qty, SCALE, Side, TsNs};
use std::hint::black_box;

/// Open orders; the last two are filled over and over, being larger than all the fills of a run.
const ORDERS: u64 = 8;
/// Larger than anything here.
const PLENTY: i64 = 1_000_000_000_000_000_000;

struct Desk {
    orders: Orders,
    positions: PositionBook,
    trade_id: u64,
}

impl Desk {
    fn new() -> Self {
        let (account, limits) = limits();
        let account = AccountLimits { gross_max: Money(PLENTY), net_max: Money(PLENTY), ..account };
        let (order_qty_max, order_notional_max) = (Qty(PLENTY), Money(PLENTY));
        let limits = Limits { order_qty_max, order_notional_max, position_qty_max: order_qty_max, ..limits };
        let mut gate = Gate::new(account, &[Some(limits)]).unwrap();
        let mut orders = Orders::new(1);
        let mut positions = PositionBook::new(1, spec().quote, Some(Money(PLENTY)));
        positions.set_assets(BTC, spec().base, spec().quote);
        positions.mark(BTC, Price(60_000 * SCALE));
        for nth in 1..=ORDERS {
            let now = TsNs(START.0 + nth * 1_000_000_000);
            let side = if nth.is_multiple_of(2) { Side::Buy } else { Side::Sell };
            let price = Price((60_000 - 50 * side.sign()) * SCALE);
            let order = NewOrder {
                client_order_id: ClientOrderId::new(1, 0, nth),
                instrument: BTC,
                side,
                kind: OrderKind::Limit,
                time_in_force: TimeInForce::Gtc,
                price,
                stop_price: Price::ZERO,
                qty: Qty(2_000_000_000_000),
                purpose: Purpose::Entry,
                signal_id: 0,
                terms: OrderTerms::PLAIN,
            };
            let (state, loss_level) = (TradingState::Normal, TradingState::Normal);
            let spec = InstrumentSpec { qty_max: Qty(PLENTY), ..spec() };
            let reference = Some(Reference { price: Price(60_000 * SCALE), ts: now });
            let (venue, margin) = (VenueFacts::default(), Margining::Whole { needed: 0, free: 0 });
            let (spec, positions) = (Some(&spec), &positions);
            let (venue, var_ppm) = (&venue, None);
            let view =
                GateView { now, state, loss_level, spec, reference, positions, venue, margin, var_ppm };
            gate.check(&order, &view, &mut orders).outcome.unwrap();
        }
        Self { orders, positions, trade_id: 0 }
    }

    /// Small fills that build a position up, take it down in parts and turn it.
    fn fill(&mut self) -> Position {
        self.trade_id += 1;
        let nth = self.trade_id;
        let side = if nth % 16 < 8 { Side::Buy } else { Side::Sell };
        let client_order_id = ClientOrderId::new(1, 0, if side == Side::Buy { ORDERS } else { ORDERS - 1 });
        let kind = OrderUpdateKind::Fill {
            trade_id: nth,
            side,
            price: Price(60_000 * SCALE + (nth as i64 * 7_919) % (100 * SCALE)),
            qty: Qty(1_000 + (nth as i64 * 104_729) % 10_000),
            cum_qty: Qty::ZERO,
            fee: Money(1_234),
            fee_asset: spec().quote,
            is_maker: true,
        };
        let update = OrderUpdate { client_order_id, venue_order_id: 0, kind };
        let OrderEffect::Filled(fill) = self.orders.on_update(BTC, black_box(&update), START) else {
            panic!("no fill")
        };
        self.positions.on_fill(&fill, Qty::ZERO).position
    }
}

fn bench(c: &mut Criterion) {
    let mut desk = Desk::new();
    for _ in 0..4_096 {
        black_box(desk.fill());
    }
    assert_eq!(desk.positions.stats(BTC).fills, 4_096);
    c.bench_function("fill/order table and positions", |b| b.iter(|| desk.fill()));
}

criterion_group!(group, bench);
criterion_main!(group);
