//! Changing a resting order, and cancelling many.

use super::matching::crosses;
use super::order::{NewOrder, Order, OrderId, OrderType};
use super::reject::Reject;
use super::{Exchange, Execution};
use smc_core::{Price, Qty, Side};

impl Exchange {
    /// Changes price and quantity of a resting limit order. It loses its place in the queue, unless only its quantity
    /// falls and `keeps_place`. A quantity that is filled already ends it as cancelled. What a new price reaches trades.
    pub fn amend(&mut self, id: OrderId, price: Price, qty: Qty, keeps_place: bool) -> Result<Order, Reject> {
        let order = self.orders.get(&id).filter(|order| order.status.is_open());
        let Some(order) = order.cloned() else { return Err(Reject::UNKNOWN_ORDER) };
        if order.kind.is_market() || order.kind.sleeps() && order.working.is_none() {
            return Err(Reject::NOT_A_LIMIT_ORDER);
        }
        if price.0 <= 0 || qty.0 <= 0 {
            return Err(Reject::QTY_NOT_POSITIVE);
        }
        if qty <= order.filled_qty {
            return self.cancel(id, None);
        }
        let leaves = qty.0 - order.filled_qty.0;
        let lock = self.lock_of_amended(&order, price, leaves)?;
        let stays = keeps_place && price == order.price && qty < order.qty;
        if stays {
            if let Some(market) = self.markets.get_mut(order.symbol) {
                market.book.reduce(order.side, order.price.0, id, order.qty.0 - qty.0);
            }
        } else {
            self.leave_book(&order);
        }
        if let (Some(asset), Some(owner)) = (self.given_asset(&order), self.accounts.get_mut(order.account)) {
            match lock - order.locked {
                more if more > 0 => owner.lock(asset, more),
                less if less < 0 => owner.unlock(asset, -less),
                _ => {}
            }
        }
        let now = self.now;
        if let Some(order) = self.orders.get_mut(&id) {
            (order.price, order.qty, order.locked) = (price, qty, lock);
            order.amendments += 1;
            order.updated = now;
        }
        self.report(id, Execution::Amended);
        if !stays {
            self.work(id);
        }
        self.finish_request();
        self.orders.get(&id).cloned().ok_or(Reject::UNKNOWN_ORDER)
    }

    /// The funds that the changed order holds back; refused when they are not there.
    fn lock_of_amended(&self, order: &Order, price: Price, leaves: i64) -> Result<i64, Reject> {
        if self.is_linear(order.symbol) {
            let owner = self.accounts.get(order.account).ok_or(Reject::KEY)?;
            if order.is_reducing() {
                let is_held = leaves <= owner.position(order.symbol).reducible(order.side);
                return if is_held { Ok(0) } else { Err(Reject::REDUCE_ONLY) };
            }
            self.can_secure(order.account, order.symbol, order.side, price, leaves, Some(order.id))?;
            return Ok(0);
        }
        let lock = match order.side {
            Side::Buy => price.notional_ceil(Qty(leaves)).0,
            Side::Sell => leaves,
        };
        let asset = self.given_asset(order).ok_or(Reject::SYMBOL)?;
        let owner = self.accounts.get(order.account).ok_or(Reject::KEY)?;
        let has = owner.balance(asset).free.saturating_add(order.locked);
        if lock > has { Err(Reject::BALANCE) } else { Ok(lock) }
    }

    /// Cancels an account's open orders of a symbol, or of all, oldest first; returns them as they ended.
    pub fn cancel_all(&mut self, account: usize, symbol: Option<usize>) -> Vec<Order> {
        let ids: Vec<_> = self.open_orders(account, symbol).iter().map(|order| order.id).collect();
        ids.into_iter().filter_map(|id| self.cancel(id, None).ok()).collect()
    }

    /// Whether a limit order would take at once.
    pub fn would_take(&self, symbol: usize, side: Side, price: Price) -> bool {
        let best = self.markets.get(symbol).and_then(|market| market.book.best(side.opposite()));
        best.is_some_and(|(best, _)| crosses(side, price.0, best))
    }

    /// Whether the book could fill an order whole, by its price and the account's own orders left apart.
    pub fn can_fill_whole(&self, request: &NewOrder) -> bool {
        let Some(market) = self.markets.get(request.symbol) else { return false };
        let is_market = request.kind == OrderType::Market;
        let mut left = request.qty.0;
        for slice in market.book.slices(request.side.opposite()) {
            if left <= 0 || !is_market && !crosses(request.side, request.price.0, slice.price) {
                break;
            }
            if slice.maker.is_none_or(|maker| maker.account != request.account) {
                left -= slice.qty.min(left);
            }
        }
        left <= 0
    }

    /// Whether an order can still fill.
    pub fn is_open(&self, id: OrderId) -> bool {
        self.orders.get(&id).is_some_and(|order| order.status.is_open())
    }
}
