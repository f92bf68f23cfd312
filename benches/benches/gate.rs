//! One order through every check of the gate, accepted: alone, and together with a cancelled order's way back through the
//! table. The equity was counted before, as it is in the engine, where the size of the order is made from it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may crash")]

use benches::{BTC, START, limits, spec};
use criterion::{Criterion, criterion_group, criterion_main};
use smc_core::book::Reference;
use smc_core::event::{KeyScope, OrderUpdate, OrderUpdateKind, RequestBudget, VenueClock};
use smc_core::instrument::InstrumentSpec;
use smc_core::orders::{OrderEffect, Orders};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce, TradingState};
use smc_core::position::PositionBook;
use smc_core::risk::{AccountLimits, Check, Gate, GateView, Margining, VenueFacts, Verdict};
use smc_core::words::{ClientOrderId, Money, Price, Qty, SCALE, Side, TsNs};
use std::hint::black_box;
use std::time::{Duration, Instant};

struct Desk {
    gate: Gate,
    orders: Orders,
    positions: PositionBook,
    venue: VenueFacts,
    spec: InstrumentSpec,
    nth: u64,
}

impl Desk {
    fn new() -> Self {
        let (account, limits) = limits();
        let mut positions = PositionBook::new(1, spec().quote, Some(Money(1_000_000 * SCALE)));
        positions.set_assets(BTC, spec().base, spec().quote);
        positions.mark(BTC, Price(60_000 * SCALE));
        let account = AccountLimits { var_ppm_max: Some(50_000), ..account };
        let resets_at = TsNs(u64::MAX);
        let venue = VenueFacts {
            clock: Some(VenueClock { offset_ns: 1_000_000 }),
            budget: Some(RequestBudget { left: 5_000, limit: 6_000, banned_until: TsNs(0), resets_at }),
            key: Some(KeyScope { can_trade: true, can_withdraw: false }),
        };
        let mut gate = Gate::new(account, &[Some(limits)]).unwrap();
        gate.open_parent(BTC, 1, Qty(i64::MAX));
        Self { gate, orders: Orders::new(1), positions, venue, spec: spec(), nth: 0 }
    }

    fn check(&mut self, qty: Qty) -> Verdict {
        self.nth += 1;
        let (now, price) = (TsNs(START.0 + self.nth * 1_000_000_000), Price(60_000 * SCALE));
        let order = NewOrder {
            client_order_id: ClientOrderId::new(1, 0, self.nth),
            instrument: BTC,
            side: Side::Buy,
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::Gtc,
            price,
            stop_price: Price::ZERO,
            qty,
            purpose: Purpose::Entry,
            signal_id: 1,
            terms: OrderTerms::PLAIN,
        };
        let (state, loss_level) = (TradingState::Normal, TradingState::Normal);
        let reference = Some(Reference { price, ts: now });
        // Every check has something to look at: clock, budget, key, margin, value at risk.
        let (venue, spec, positions) = (&self.venue, Some(&self.spec), &self.positions);
        let margin = Margining::Part { needed: Money(1), free: Money(SCALE) };
        let var_ppm = Some(1_000);
        let view = GateView { now, state, loss_level, spec, reference, positions, venue, margin, var_ppm };
        self.gate.check(black_box(&order), &view, &mut self.orders)
    }

    fn cancel(&mut self) {
        self.cancel_nth(self.nth);
    }

    fn cancel_nth(&mut self, nth: u64) {
        let kind = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
        let client_order_id = ClientOrderId::new(1, 0, nth);
        let update = OrderUpdate { client_order_id, venue_order_id: nth, kind };
        let now = TsNs(START.0 + self.nth * 1_000_000_000);
        if let OrderEffect::Closed(order) = self.orders.on_update(BTC, &update, now) {
            self.gate.on_closed(&order, TsNs(now.0 + 500_000_000));
        }
    }

    /// Time that `count` accepted orders take at the gate, a few at a time; what they reserved is given back outside
    /// of it.
    fn time(&mut self, count: u64, qty: Qty) -> Duration {
        let mut total = Duration::ZERO;
        let mut left = count;
        while left > 0 {
            let few = left.min(AT_A_TIME);
            let first = self.nth + 1;
            let started = Instant::now();
            for _ in 0..few {
                assert!(self.check(qty).outcome.is_ok());
            }
            total += started.elapsed();
            (first..=self.nth).for_each(|nth| self.cancel_nth(nth));
            left -= few;
        }
        total
    }
}

/// Orders that are open together: the first of them meets none, the last seven.
const AT_A_TIME: u64 = 8;

fn bench(c: &mut Criterion) {
    let small = Qty(SCALE / 1_000);
    let refused = Desk::new().check(Qty(3 * SCALE)).outcome.unwrap_err();
    assert!(refused.contains(Check::MaxOrderQty), "{refused}");
    let mut desk = Desk::new();
    c.bench_function("gate/check", |b| b.iter_custom(|count| desk.time(count, small)));
    assert!(desk.orders.is_empty());
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
