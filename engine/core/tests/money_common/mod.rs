//! What the money tests share: a seeded generator, sane rules and limits, and a desk that does the engine's glue.
#![allow(clippy::unwrap_used, dead_code, missing_docs, reason = "test helpers; each file uses its part")]

use smc_core::book::Reference;
use smc_core::event::{OrderUpdate, OrderUpdateKind};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::orders::{OrderEffect, Orders};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce, TradingState};
use smc_core::position::PositionBook;
use smc_core::risk::{
    AccountLimits, Beside, Check, Gate, GateView, Limits, Margining, VenueFacts, Verdict, Violations,
};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, TsNs};

pub const MS: u64 = 1_000_000;
pub const START: TsNs = TsNs(1_700_000_000_000_000_000);

/// A reproducible generator; the seed is printed so that a failure can be repeated.
pub struct Rng(pub u64);

impl Rng {
    pub fn seeded(test: &str, seed: u64) -> Self {
        println!("{test}: seed {seed:#x}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n.max(1)
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn side(&mut self) -> Side {
        if self.one_in(2) { Side::Buy } else { Side::Sell }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn whole(n: i64) -> i64 {
    n * SCALE
}

pub fn spec() -> InstrumentSpec {
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(SCALE / 10),
        lot: Qty(SCALE / 1000),
        qty_min: Qty(SCALE / 1000),
        qty_max: Qty(whole(9000)),
        notional_min: Money(whole(5)),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    }
}

pub fn limits() -> Limits {
    Limits {
        strategies_allowed: 1,
        order_qty_max: Qty(whole(2)),
        order_notional_max: Money(whole(100_000)),
        collar_ppm: 10_000,
        collar_passive_ppm: 100_000,
        reference_age_max_ns: 500 * MS,
        reference_skew_max_ns: 50 * MS,
        position_qty_max: Qty(whole(3)),
        open_orders_max: 10,
        duplicate_window_ns: 250 * MS,
        repeat_max: 5,
    }
}

pub fn account() -> AccountLimits {
    AccountLimits {
        gross_max: Money(whole(300_000)),
        net_max: Money(whole(200_000)),
        leverage_max_milli: 3000,
        open_orders_max: 25,
        messages_max: 20,
        messages_window_ns: 1000 * MS,
        runaway_denials_max: 20,
        runaway_window_ns: 10_000 * MS,
        entry_forgiven_after_ns: 0,
        margin_use_ppm_max: 800_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60_000_000_000,
        clock_offset_ns_max: 500_000_000,
        budget_reserve_ppm: 200_000,
    }
}

/// Gate, orders and positions with the engine's glue, and the knobs of a view.
pub struct Desk {
    pub gate: Gate,
    pub orders: Orders,
    pub positions: PositionBook,
    pub specs: Vec<InstrumentSpec>,
    pub references: Vec<Option<Reference>>,
    pub now: TsNs,
    pub state: TradingState,
    pub loss_level: TradingState,
    pub sequence: u64,
    pub trade_id: u64,
    pub venue: VenueFacts,
    pub margin: Margining,
    pub var_ppm: Option<u32>,
}

impl Desk {
    /// `instruments` equal instruments at 65 000, equity 100 000, everything sane.
    pub fn new(instruments: usize) -> Self {
        Self::with(instruments, limits(), account(), whole(100_000))
    }

    pub fn with(instruments: usize, limits: Limits, account: AccountLimits, equity: i64) -> Self {
        let mut positions = PositionBook::new(instruments, name("USDT"), Some(Money(equity)));
        for id in 0..instruments {
            assert!(positions.set_assets(InstrumentId(id as u16), name("BTC"), name("USDT")));
        }
        let mut desk = Self {
            gate: Gate::new(account, &vec![Some(limits); instruments]).unwrap(),
            orders: Orders::new(instruments),
            positions,
            specs: vec![spec(); instruments],
            references: vec![None; instruments],
            now: START,
            state: TradingState::Normal,
            loss_level: TradingState::Normal,
            sequence: 0,
            trade_id: 0,
            venue: VenueFacts::default(),
            margin: Margining::Whole { needed: 0, free: 0 },
            var_ppm: None,
        };
        for id in 0..instruments {
            desk.price(id as u16, whole(65_000));
        }
        desk
    }

    /// A fresh reference and mark.
    pub fn price(&mut self, instrument: u16, price: i64) {
        self.references[usize::from(instrument)] = Some(Reference { price: Price(price), ts: self.now });
        self.positions.mark(InstrumentId(instrument), Price(price));
    }

    /// Time passes and the references stay fresh.
    pub fn pass(&mut self, ns: u64) {
        self.now.0 += ns;
        for reference in self.references.iter_mut().flatten() {
            reference.ts = self.now;
        }
    }

    pub fn limit(&mut self, instrument: u16, side: Side, price: i64, qty: i64) -> NewOrder {
        self.sequence += 1;
        NewOrder {
            client_order_id: ClientOrderId::new(7, 0, self.sequence),
            instrument: InstrumentId(instrument),
            side,
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Price(price),
            stop_price: Price::ZERO,
            qty: Qty(qty),
            purpose: Purpose::Entry,
            signal_id: 0,
            terms: OrderTerms::PLAIN,
        }
    }

    pub fn market(&mut self, instrument: u16, side: Side, qty: i64) -> NewOrder {
        NewOrder { kind: OrderKind::Market, price: Price::ZERO, ..self.limit(instrument, side, 0, qty) }
    }

    pub fn check(&mut self, order: &NewOrder) -> Verdict {
        self.ask(order, None)
    }

    /// The codes of one check.
    pub fn codes(&mut self, order: &NewOrder) -> Violations {
        let verdict = self.check(order);
        let codes = verdict.outcome.err().unwrap_or_default();
        assert_eq!(verdict.decision.codes, codes.bits());
        assert_eq!(verdict.outcome.is_ok(), codes.is_empty());
        codes
    }

    pub fn accept(&mut self, order: &NewOrder) {
        let codes = self.codes(order);
        assert!(codes.is_empty(), "refused: {codes}");
    }

    fn ask(&mut self, order: &NewOrder, beside: Option<Beside>) -> Verdict {
        let view = GateView {
            now: self.now,
            state: self.state,
            loss_level: self.loss_level,
            spec: self.specs.get(order.instrument.index()),
            reference: self.references.get(order.instrument.index()).copied().flatten(),
            positions: &self.positions,
            venue: &self.venue,
            margin: self.margin,
            var_ppm: self.var_ppm,
        };
        match beside {
            None => self.gate.check(order, &view, &mut self.orders),
            Some(beside) => self.gate.check_beside(order, beside, &view, &mut self.orders),
        }
    }

    /// The same beside an open order.
    pub fn accept_beside(&mut self, order: &NewOrder, beside: Beside) {
        let verdict = self.ask(order, Some(beside));
        assert!(verdict.outcome.is_ok(), "refused: {verdict:?}");
    }

    /// A fill is reported with the order's side.
    pub fn report(&mut self, order: &NewOrder, mut kind: OrderUpdateKind) -> OrderEffect {
        if let OrderUpdateKind::Fill { side, .. } = &mut kind {
            *side = order.side;
        }
        let update = OrderUpdate {
            client_order_id: order.client_order_id,
            venue_order_id: order.client_order_id.0,
            kind,
        };
        self.update(order.instrument, &update)
    }

    pub fn update(&mut self, instrument: InstrumentId, update: &OrderUpdate) -> OrderEffect {
        let effect = self.orders.on_update(instrument, update, self.now);
        match &effect {
            OrderEffect::Filled(fill) => {
                let change = self.positions.on_fill(fill, Qty::ZERO);
                self.gate.on_fill(fill, &change);
            }
            OrderEffect::Closed(order) => self.gate.on_closed(order, self.now),
            _ => {}
        }
        effect
    }

    /// Fills all of an order at `price`.
    pub fn fill(&mut self, order: &NewOrder, price: i64) -> OrderEffect {
        self.trade_id += 1;
        self.report(order, fill(self.trade_id, price, order.qty.0, order.qty.0))
    }
}

pub fn fill(trade_id: u64, price: i64, qty: i64, cum_qty: i64) -> OrderUpdateKind {
    OrderUpdateKind::Fill {
        trade_id,
        side: Side::Buy,
        price: Price(price),
        qty: Qty(qty),
        cum_qty: Qty(cum_qty),
        fee: Money::ZERO,
        fee_asset: name("USDT"),
        is_maker: false,
    }
}

pub fn set(checks: &[Check]) -> Violations {
    let mut set = Violations::NONE;
    checks.iter().for_each(|&check| set.note(check, true));
    set
}
