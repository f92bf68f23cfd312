//! The exchange against a slow twin that keeps one flat list of everything that rests.
#![allow(missing_docs, clippy::unwrap_used)]

use proptest::prelude::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, SCALE};
use smc_core::{Price, Qty, Side, TsNs};
use std::collections::BTreeMap;
use venue_sim::exchange::account::Account;
use venue_sim::exchange::order::{NewOrder, OrderStatus, OrderType, Scope, SelfTradePrevention, TimeInForce};
use venue_sim::exchange::{Exchange, ExchangeEvent};
use venue_sim::market::{MarketOpKind, SymbolInfo};

const PRICES: i64 = 12;

#[derive(Clone, Debug)]
enum Op {
    /// The background's best bid moves to this price, the best ask lies above it; levels across leave.
    Mid(i64),
    /// A level at this distance from the touch.
    Level(Side, i64, i64),
    /// A trade at this distance from the touch.
    Trade(Side, i64, i64),
    Place {
        account: usize,
        side: Side,
        price: i64,
        qty: i64,
        time_in_force: TimeInForce,
    },
    /// Cancels one of the orders placed so far.
    Cancel(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let tif =
        prop_oneof![4 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    let op = prop_oneof![
        2 => (3..PRICES - 2).prop_map(Op::Mid),
        4 => (side(), 0..3i64, 0..9i64).prop_map(|(side, away, qty)| Op::Level(side, away, qty)),
        3 => (side(), 0..3i64, 1..9i64).prop_map(|(side, away, qty)| Op::Trade(side, away, qty)),
        5 => (0..2usize, side(), 1..PRICES, 1..9i64, tif)
            .prop_map(|(account, side, price, qty, time_in_force)| Op::Place { account, side, price, qty, time_in_force }),
        2 => (0..20usize).prop_map(Op::Cancel),
    ];
    prop::collection::vec(op, 1..80)
}

/// One thing that rests: background when it has no order.
#[derive(Clone, Debug)]
struct Entry {
    side: Side,
    price: i64,
    order: Option<usize>,
    qty: i64,
}

#[derive(Default)]
struct Twin {
    entries: Vec<Entry>,
    trades: Vec<(i64, i64, Side)>,
    filled: Vec<i64>,
    open: Vec<bool>,
}

impl Twin {
    fn reaches(side: Side, price: i64, resting: i64) -> bool {
        if side == Side::Buy { price >= resting } else { price <= resting }
    }

    /// Indices of a side's entries in the order in which an aggressor meets them.
    fn priority(&self, side: Side) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.entries.len()).filter(|i| self.entries[*i].side == side).collect();
        all.sort_by_key(|i| (-side.sign() * self.entries[*i].price, *i));
        all
    }

    fn clean(&mut self) {
        self.entries.retain(|entry| entry.qty > 0);
    }

    fn fill(&mut self, order: usize, qty: i64) {
        self.filled[order] += qty;
    }

    fn finish(&mut self, order: usize, qty: i64) {
        self.open[order] &= self.filled[order] < qty;
    }

    fn set_level(&mut self, side: Side, price: i64, qty: i64) {
        let is_it = |e: &Entry| e.side == side && e.price == price && e.order.is_none();
        let have: i64 = self.entries.iter().filter(|e| is_it(e)).map(|e| e.qty).sum();
        if qty > have {
            self.entries.push(Entry { side, price, order: None, qty: qty - have });
        }
        let mut surplus = have - qty;
        for entry in self.entries.iter_mut().rev().filter(|e| is_it(e)) {
            let cut = entry.qty.min(surplus.max(0));
            entry.qty -= cut;
            surplus -= cut;
        }
        self.clean();
    }

    /// Prints trades; neighbouring background at one price is one print.
    fn print(&mut self, price: i64, qty: i64, aggressor: Side, joins: &mut Option<i64>, is_background: bool) {
        if qty == 0 {
            return;
        }
        if is_background && *joins == Some(price) {
            self.trades.last_mut().unwrap().1 += qty;
        } else {
            self.trades.push((price, qty, aggressor));
        }
        *joins = is_background.then_some(price);
    }

    fn background_trade(&mut self, price: i64, qty: i64, aggressor: Side, sizes: &[i64]) {
        let side = aggressor.opposite();
        let mut left = qty;
        for i in self.priority(side) {
            let Entry { price: own, order: Some(order), qty, .. } = self.entries[i] else { continue };
            if own != price && Self::reaches(side, own, price) && left > 0 {
                let taken = qty.min(left);
                self.entries[i].qty -= taken;
                left -= taken;
                self.fill(order, taken);
                self.finish(order, sizes[order]);
                self.trades.push((own, taken, aggressor));
            }
        }
        let mut joins = None;
        let mut put_back = 0;
        let at_level: Vec<usize> =
            self.priority(side).into_iter().filter(|i| self.entries[*i].price == price).collect();
        for i in at_level {
            let taken = self.entries[i].qty.min(left);
            left -= taken;
            self.entries[i].qty -= taken;
            match self.entries[i].order {
                None => put_back += taken,
                Some(order) => {
                    self.fill(order, taken);
                    self.finish(order, sizes[order]);
                }
            }
            let is_background = self.entries[i].order.is_none();
            self.print(price, taken, aggressor, &mut joins, is_background);
        }
        self.print(price, left, aggressor, &mut joins, true);
        if put_back > 0 {
            self.entries.push(Entry { side, price, order: None, qty: put_back });
        }
        self.clean();
    }

    fn uncross(&mut self, side: Side, sizes: &[i64]) {
        loop {
            let own = self.priority(side).into_iter().find(|i| self.entries[*i].order.is_some());
            let other = self.priority(side.opposite()).into_iter().find(|i| self.entries[*i].order.is_none());
            let (Some(own), Some(other)) = (own, other) else { return };
            let price = self.entries[own].price;
            if !Self::reaches(side, price, self.entries[other].price) {
                return;
            }
            // All background at that price together, as one print.
            let level: i64 = self
                .entries
                .iter()
                .filter(|e| {
                    e.order.is_none() && e.side == side.opposite() && e.price == self.entries[other].price
                })
                .map(|e| e.qty)
                .sum();
            let taken = level.min(self.entries[own].qty);
            let (other_side, other_price) = (self.entries[other].side, self.entries[other].price);
            let mut left = taken;
            for entry in &mut self.entries {
                if entry.order.is_none() && entry.side == other_side && entry.price == other_price {
                    let cut = entry.qty.min(left);
                    entry.qty -= cut;
                    left -= cut;
                }
            }
            self.entries[own].qty -= taken;
            let order = self.entries[own].order.unwrap();
            self.fill(order, taken);
            self.finish(order, sizes[order]);
            self.trades.push((price, taken, side.opposite()));
            self.clean();
        }
    }

    fn place(&mut self, side: Side, price: i64, qty: i64, tif: TimeInForce, sizes: &[i64]) {
        let id = self.filled.len();
        self.filled.push(0);
        self.open.push(true);
        let reach: Vec<usize> = self
            .priority(side.opposite())
            .into_iter()
            .filter(|i| Self::reaches(side, price, self.entries[*i].price))
            .collect();
        let available: i64 = reach.iter().map(|i| self.entries[*i].qty).sum();
        let mut left = qty;
        let mut joins = None;
        if tif != TimeInForce::Fok || available >= qty {
            for i in reach {
                let taken = self.entries[i].qty.min(left);
                let at = self.entries[i].price;
                left -= taken;
                self.entries[i].qty -= taken;
                self.fill(id, taken);
                if let Some(maker) = self.entries[i].order {
                    self.fill(maker, taken);
                    self.finish(maker, sizes[maker]);
                }
                let is_background = self.entries[i].order.is_none();
                self.print(at, taken, side, &mut joins, is_background);
            }
        }
        self.finish(id, qty);
        if self.open[id] && tif == TimeInForce::Gtc {
            self.entries.push(Entry { side, price, order: Some(id), qty: left });
        } else {
            self.open[id] = false;
        }
        self.clean();
    }

    fn cancel(&mut self, order: usize) {
        self.open[order] = false;
        self.entries.retain(|entry| entry.order != Some(order));
    }

    fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let mut levels = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.side == side) {
            *levels.entry(-side.sign() * entry.price).or_insert(0) += entry.qty;
        }
        levels.into_iter().map(|(key, qty)| (-side.sign() * key, qty)).collect()
    }
}

fn symbol() -> SymbolInfo {
    let name = |text| Name::new(text).unwrap();
    SymbolInfo::new(InstrumentSpec {
        symbol: name("AB"),
        base: name("A"),
        quote: name("B"),
        tick: Price(SCALE),
        lot: Qty(SCALE),
        qty_min: Qty(SCALE),
        qty_max: Qty(100 * SCALE),
        notional_min: Money(0),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    })
}

fn run(ops: &[Op]) -> Result<(), TestCaseError> {
    let name = |text| Name::new(text).unwrap();
    let owner = || Account::new(&[(name("A"), 1_000 * SCALE), (name("B"), 10_000 * SCALE)], 0, 0);
    let mut exchange = Exchange::new(&[symbol()], vec![owner(), owner()], 1);
    exchange.set_now(TsNs(1));
    let mut twin = Twin::default();
    let (mut ids, mut sizes, mut trades) = (Vec::new(), Vec::new(), Vec::new());
    let mut mid = 6;
    for op in ops {
        match op {
            Op::Mid(to) => {
                for price in 1..=PRICES {
                    for (side, is_across) in [(Side::Buy, price > *to), (Side::Sell, price <= *to)] {
                        if is_across {
                            let kind =
                                MarketOpKind::Level { side, price: Price(price * SCALE), qty: Qty::ZERO };
                            exchange.apply(0, kind);
                            twin.set_level(side, price, 0);
                        }
                    }
                }
                mid = *to;
            }
            Op::Level(side, away, qty) => {
                let price = if *side == Side::Buy { mid - away } else { mid + 1 + away };
                let kind =
                    MarketOpKind::Level { side: *side, price: Price(price * SCALE), qty: Qty(qty * SCALE) };
                exchange.apply(0, kind);
                twin.set_level(*side, price, *qty);
            }
            Op::Trade(aggressor, away, qty) => {
                let price = if *aggressor == Side::Sell { mid - away } else { mid + 1 + away };
                let kind = MarketOpKind::Trade {
                    price: Price(price * SCALE),
                    qty: Qty(qty * SCALE),
                    aggressor: *aggressor,
                };
                exchange.apply(0, kind);
                twin.background_trade(price, *qty, *aggressor, &sizes);
            }
            Op::Place { account, side, price, qty, time_in_force } => {
                let placed = exchange.place(NewOrder {
                    account: *account,
                    symbol: 0,
                    side: *side,
                    kind: OrderType::Limit,
                    time_in_force: *time_in_force,
                    price: Price(price * SCALE),
                    qty: Qty(qty * SCALE),
                    quote_qty: 0,
                    stop_price: Price::ZERO,
                    client_order_id: None,
                    stp: SelfTradePrevention::None,
                    scope: Scope::default(),
                });
                ids.push(placed.unwrap());
                sizes.push(*qty);
                twin.place(*side, *price, *qty, *time_in_force, &sizes);
            }
            Op::Cancel(which) => {
                if ids.is_empty() {
                    continue;
                }
                let which = which % ids.len();
                let is_canceled = exchange.cancel(ids[which], None).is_ok();
                prop_assert_eq!(is_canceled, twin.open[which], "cancel");
                twin.cancel(which);
            }
        }
        if matches!(op, Op::Mid(_) | Op::Level(..) | Op::Trade(..)) {
            exchange.finish_step(0);
            twin.uncross(Side::Buy, &sizes);
            twin.uncross(Side::Sell, &sizes);
        }
        for event in exchange.take_events() {
            if let ExchangeEvent::Trade(trade) = event {
                trades.push((trade.price.0 / SCALE, trade.qty.0 / SCALE, trade.aggressor));
            }
        }
        prop_assert_eq!(&trades, &twin.trades, "trades after {:?}", op);
        let book = &exchange.market(0).unwrap().book;
        for side in [Side::Buy, Side::Sell] {
            let levels: Vec<_> = book.levels(side).map(|(price, qty)| (price / SCALE, qty / SCALE)).collect();
            prop_assert_eq!(levels, twin.levels(side), "{:?} levels after {:?}", side, op);
        }
        let mut locked = [[0i64; 2]; 2];
        for (index, id) in ids.iter().enumerate() {
            let order = exchange.order(*id).unwrap();
            prop_assert_eq!(order.filled_qty.0 / SCALE, twin.filled[index], "order {}", index);
            prop_assert_eq!(order.status.is_open(), twin.open[index], "order {}", index);
            prop_assert_eq!(order.status == OrderStatus::Filled, twin.filled[index] == sizes[index]);
            locked[order.account][usize::from(order.side == Side::Buy)] += order.locked;
        }
        for (account, locked) in locked.iter().enumerate() {
            let owner = exchange.account(account).unwrap();
            prop_assert_eq!(owner.balance(name("A")).locked, locked[0]);
            prop_assert_eq!(owner.balance(name("B")).locked, locked[1]);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_exchange_agrees_with_its_slow_twin(ops in ops()) {
        run(&ops)?;
    }
}
