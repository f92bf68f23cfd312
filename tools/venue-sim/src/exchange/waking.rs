//! Sleeping orders: what wakes them, and whether their account can still afford them then.

use super::Exchange;
use super::ExpiryReason::{InsufficientMargin, NothingToReduce};
use super::margin::trigger_of;
use super::order::{Order, OrderId};
use super::{Execution, ExpiryReason};
use smc_core::{Price, Qty, Side};

impl Exchange {
    /// Wakes the sleeping orders whose price has been reached, until none is left to wake.
    pub(super) fn wake_stops(&mut self) {
        for symbol in 0..self.markets.len() {
            while let Some(id) = self.next_triggered(symbol) {
                if let Some(market) = self.markets.get_mut(symbol) {
                    market.stops.remove(&id);
                }
                if let Some(order) = self.orders.get_mut(&id) {
                    order.working = Some(self.now);
                    order.updated = self.now;
                }
                self.wake(id);
            }
        }
    }

    fn next_triggered(&self, symbol: usize) -> Option<OrderId> {
        let market = self.markets.get(symbol)?;
        let reached = |id: &&OrderId| {
            self.orders.get(*id).is_some_and(|order| self.is_reached(symbol, &trigger_of(order)))
        };
        market.stops.iter().find(reached).copied()
    }

    /// Lets a woken order work, if its account can still afford it.
    fn wake(&mut self, id: OrderId) {
        // The other of its list ends before it works.
        self.claim_funds(id);
        self.settle_list(id);
        let Some(order) = self.orders.get(&id) else { return };
        if order.scope.closes_position {
            let qty = self.reducible(order);
            if let Some(order) = self.orders.get_mut(&id) {
                order.qty = Qty(qty);
            }
        }
        let refused = self.refusal_on_waking(id);
        if refused.is_none() {
            self.lock_on_waking(id);
        }
        self.report(id, Execution::New);
        match refused {
            None => self.work(id),
            Some(reason) => self.expire(id, reason),
        }
    }

    /// Why an order cannot work now that it is awake; none when it can.
    fn refusal_on_waking(&self, id: OrderId) -> Option<ExpiryReason> {
        let order = self.orders.get(&id)?;
        let market = self.markets.get(order.symbol)?;
        if !self.is_linear(order.symbol) {
            let free = self.accounts.get(order.account)?.balance(market.info.spec.quote).free;
            return (self.unlocked_cost(order) > free).then_some(InsufficientMargin);
        }
        if order.is_reducing() {
            let reducible = self.reducible(order);
            let is_too_much = !order.kind.is_market() && order.leaves_qty() > reducible;
            let is_idle = reducible == 0 || order.leaves_qty() == 0;
            return (is_idle || is_too_much).then_some(NothingToReduce);
        }
        let best = market.book.best(order.side.opposite()).map(|(price, _)| Price(price));
        let price = if order.kind.is_market() { best } else { Some(order.price) };
        let (account, symbol, side, qty) = (order.account, order.symbol, order.side, order.leaves_qty());
        let secured = self.can_secure(account, symbol, side, price?, qty, Some(id));
        secured.is_err().then_some(InsufficientMargin)
    }

    /// A spot order that buys at whatever price holds back what the book asks for it now.
    fn lock_on_waking(&mut self, id: OrderId) {
        let Some((cost, asset)) = self
            .orders
            .get(&id)
            .and_then(|order| Some((self.unlocked_cost(order), self.given_asset(order)?)))
        else {
            return;
        };
        if let Some(order) = self.orders.get_mut(&id).filter(|_| cost > 0)
            && let Some(owner) = self.accounts.get_mut(order.account)
        {
            owner.lock(asset, cost);
            order.locked += cost;
        }
    }

    /// What a spot order that buys at whatever price would pay for its rest, rounded up; nothing for any other.
    fn unlocked_cost(&self, order: &Order) -> i64 {
        let is_unlocked = order.kind.is_market() && order.side == Side::Buy && !self.is_linear(order.symbol);
        let Some(market) = self.markets.get(order.symbol).filter(|_| is_unlocked) else { return 0 };
        let (mut left, mut cost) = (order.leaves_qty(), 0i64);
        for slice in market.book.slices(Side::Sell) {
            let qty = slice.qty.min(left);
            if qty == 0 {
                break;
            }
            left -= qty;
            cost = cost.saturating_add(Price(slice.price).notional_ceil(Qty(qty)).0);
        }
        cost
    }
}
