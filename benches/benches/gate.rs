//! One order through every check of the gate, accepted; what it reserved is given back between two of them, and that is
//! in the figure (a cancelled order's way back through the table).
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, START, limits, spec};
use criterion::{Criterion, criterion_group, criterion_main};
use smc_core::book::Reference;
use smc_core::event::{OrderUpdate, OrderUpdateKind};
use smc_core::orders::{OrderEffect, Orders};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce, TradingState};
use smc_core::position::PositionBook;
use smc_core::risk::{Check, Gate, GateView, Verdict};
use smc_core::words::{ClientOrderId, Money, Price, Qty, SCALE, Side, TsNs};
use std::hint::black_box;

struct Desk {
    gate: Gate,
    orders: Orders,
    positions: PositionBook,
    nth: u64,
}

impl Desk {
    fn new() -> Self {
        let (account, limits) = limits();
        let mut positions = PositionBook::new(1, spec().quote, Some(Money(1_000_000 * SCALE)));
        positions.set_assets(BTC, spec().base, spec().quote);
        positions.mark(BTC, Price(60_000 * SCALE));
        Self { gate: Gate::new(account, &[Some(limits)]).unwrap(), orders: Orders::new(1), positions, nth: 0 }
    }

    fn check(&mut self, qty: Qty) -> Verdict {
        self.nth += 1;
        let (now, price) = (TsNs(START.0 + self.nth * 1_000_000_000), Price(60_000 * SCALE));
        let order = NewOrder {
            client_order_id: ClientOrderId::new(1, 0, self.nth),
            instrument: BTC,
            side: if self.nth.is_multiple_of(2) { Side::Buy } else { Side::Sell },
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::Gtc,
            price,
            stop_price: Price::ZERO,
            qty,
            purpose: Purpose::Entry,
            signal_id: 0,
            terms: OrderTerms::PLAIN,
        };
        let (state, loss_level, spec) = (TradingState::Normal, TradingState::Normal, spec());
        let reference = Some(Reference { price, ts: now });
        let view =
            GateView { now, state, loss_level, spec: Some(&spec), reference, positions: &self.positions };
        self.gate.check(black_box(&order), &view, &mut self.orders)
    }

    fn cancel(&mut self) {
        let kind = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
        let client_order_id = ClientOrderId::new(1, 0, self.nth);
        let update = OrderUpdate { client_order_id, venue_order_id: self.nth, kind };
        if let OrderEffect::Closed(order) =
            self.orders.on_update(BTC, &update, TsNs(START.0 + self.nth * 1_000_000_000))
        {
            self.gate.on_closed(&order, TsNs(START.0 + self.nth * 1_000_000_000 + 500_000_000));
        }
    }
}

fn bench(c: &mut Criterion) {
    let small = Qty(SCALE / 1_000);
    let refused = Desk::new().check(Qty(3 * SCALE)).outcome.unwrap_err();
    assert!(refused.contains(Check::MaxOrderQty), "{refused}");
    let mut desk = Desk::new();
    c.bench_function("gate/check and cancel", |b| {
        b.iter(|| {
            assert!(desk.check(small).outcome.is_ok());
            desk.cancel();
        });
    });
    assert!(desk.orders.is_empty());
}

criterion_group!(group, bench);
criterion_main!(group);
