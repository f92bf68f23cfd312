//! The background market acting on the book, and what that does to the orders resting in it.
//!
//! Rules, in short: a background trade at a resting order's price takes the background ahead of it first, one
//! beyond its price takes the order at once; what the orders take of a trade is theirs, the rest of it prints as
//! background. A background level that arrives at or beyond a resting order's price trades against it.

use super::Exchange;
use super::matching::crosses;
use super::order::OrderId;
use crate::market::MarketOpKind;
use smc_core::{Side, TsNs};

impl Exchange {
    /// Applies one operation. After the last one of its stamp, call [`finish_step`](Self::finish_step).
    pub fn apply(&mut self, symbol: usize, kind: MarketOpKind) {
        match kind {
            MarketOpKind::Level { side, price, qty } => {
                if let Some(market) = self.markets.get_mut(symbol) {
                    market.book.set_background(side, price.0, qty.0.max(0));
                }
            }
            MarketOpKind::Trade { price, qty, aggressor } => {
                if price.0 > 0 && qty.0 > 0 {
                    self.background_trade(symbol, price.0, qty.0, aggressor);
                }
            }
        }
    }

    /// Ends one step of the market: trades what now crosses, wakes stop orders, tells amounts.
    pub fn finish_step(&mut self, symbol: usize) {
        self.uncross(symbol, Side::Buy);
        self.uncross(symbol, Side::Sell);
        self.finish_request();
    }

    /// Applies the opening book without publishing anything.
    pub fn open_market(&mut self, symbol: usize, kind: MarketOpKind, start: TsNs) {
        self.set_now(start);
        let Some(market) = self.markets.get_mut(symbol) else { return };
        match kind {
            MarketOpKind::Level { side, price, qty } => {
                market.book.set_background(side, price.0, qty.0.max(0))
            }
            MarketOpKind::Trade { price, .. } => market.last_price = Some(price),
        }
        market.book.take_changes();
    }

    fn background_trade(&mut self, symbol: usize, price: i64, qty: i64, aggressor: Side) {
        self.next_taker += 1;
        let taker = self.next_taker;
        let side = aggressor.opposite();
        let mut left = qty;
        // Orders at better prices are met first, whatever the source still shows ahead of them.
        while let Some((own_price, resting)) = self.best_own(symbol, side) {
            if left == 0 || own_price == price || !crosses(side, own_price, price) {
                break;
            }
            let taken = left.min(resting.leaves);
            self.take_resting(symbol, side, taker, own_price, resting.order, taken);
            left -= taken;
        }
        self.trade_at_level(symbol, side, taker, price, left);
    }

    /// A background order of `left` walks the queue of one level: background, orders, background.
    fn trade_at_level(&mut self, symbol: usize, side: Side, taker: u64, price: i64, left: i64) {
        let mut left = left;
        let mut background = 0;
        let queue: Vec<_> =
            self.markets.get(symbol).map_or_else(Vec::new, |market| market.book.queue(side, price).collect());
        for resting in queue {
            let ahead = (resting.ahead - background).clamp(0, left);
            self.print_background(symbol, taker, price, ahead, side);
            background += ahead;
            left -= ahead;
            let taken = left.min(resting.leaves);
            // A fill ahead of it may have ended an order that may only reduce.
            if taken > 0 && self.is_open(resting.order) {
                self.take_resting(symbol, side, taker, price, resting.order, taken);
                left -= taken;
            }
        }
        self.print_background(symbol, taker, price, left, side);
        if let Some(market) = self.markets.get_mut(symbol) {
            market.book.advance_queue(side, price, background + left);
        }
    }

    fn print_background(&mut self, symbol: usize, taker: u64, price: i64, qty: i64, side: Side) {
        if qty > 0 {
            self.print(symbol, taker, price, qty, side.opposite());
        }
    }

    /// A background order takes `qty` of a client's resting order.
    fn take_resting(&mut self, symbol: usize, side: Side, taker: u64, price: i64, order: OrderId, qty: i64) {
        let trade_id = self.print(symbol, taker, price, qty, side.opposite());
        if let Some(market) = self.markets.get_mut(symbol) {
            market.book.reduce(side, price, order, qty);
        }
        self.fill(order, trade_id, price, qty, true);
        self.after_fill(order);
    }

    /// A background order takes `qty` of one resting order at its price, whatever stands before it. False when it does
    /// not rest or has less left.
    pub fn fill_resting(&mut self, id: OrderId, qty: i64) -> bool {
        let Some(order) = self.resting().find(|order| order.id == id) else { return false };
        let (symbol, side, price, leaves) = (order.symbol, order.side, order.price.0, order.leaves_qty());
        if qty <= 0 || qty > leaves {
            return false;
        }
        self.next_taker += 1;
        self.take_resting(symbol, side, self.next_taker, price, id, qty);
        self.finish_step(symbol);
        true
    }

    /// A background order takes a share of what an order that rests has left; of the first that rests when none is
    /// named. False when there is none.
    pub fn fill_share(&mut self, id: Option<OrderId>, share_ppm: u32) -> bool {
        let Some(id) = id.or_else(|| self.resting().next().map(|order| order.id)) else { return false };
        self.share_of_rest(id, share_ppm).is_some_and(|qty| self.fill_resting(id, qty))
    }

    /// A share of what an order has left, on its symbol's grid: at least one lot, at most all.
    fn share_of_rest(&self, id: OrderId, share_ppm: u32) -> Option<i64> {
        let order = self.orders.get(&id)?;
        let lot = self.markets.get(order.symbol)?.info.spec.lot.0.max(1);
        let share = i128::from(order.leaves_qty()) * i128::from(share_ppm.min(1_000_000)) / 1_000_000;
        let share = i64::try_from(share).ok()?;
        Some((share - share % lot).max(lot).min(order.leaves_qty()))
    }

    /// Background quantity that came to stand across clients' orders of `side` trades against them.
    fn uncross(&mut self, symbol: usize, side: Side) {
        while let Some((price, resting)) = self.best_own(symbol, side) {
            let other = side.opposite();
            let crossing = self.markets.get(symbol).and_then(|market| market.book.best_background(other));
            let Some((level, qty)) = crossing.filter(|(level, _)| crosses(side, price, *level)) else {
                return;
            };
            if resting.ahead > 0 {
                return; // the source still shows background ahead of it: its book is crossed, not ours
            }
            self.next_taker += 1;
            let taken = qty.min(resting.leaves);
            if let Some(market) = self.markets.get_mut(symbol) {
                market.book.take_background(other, level, taken);
            }
            self.take_resting(symbol, side, self.next_taker, price, resting.order, taken);
        }
    }

    fn best_own(&self, symbol: usize, side: Side) -> Option<(i64, super::book::Resting)> {
        self.markets.get(symbol)?.book.best_own(side)
    }
}
