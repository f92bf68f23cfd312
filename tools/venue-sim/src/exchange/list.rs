//! Order lists: pairs of which one order ends the other (OCO).
//!
//! A limit order that only makes and a stop stand on both sides of the last price and hold back their funds once, for one
//! of them alone can ever trade. The limit order fills first and then the stop ends; a stop that wakes ends the limit
//! order before it works. What either leaves works on alone. Cancelling one cancels both.

use super::order::{NewOrder, Order, OrderId, OrderStatus};
use super::reject::Reject;
use super::{Exchange, ExchangeEvent, Execution, ExpiryReason};
use smc_core::{Price, Qty, Side, TsNs};

/// The venue's number of a list.
pub type ListId = u64;

/// Lists that one account may have open in a symbol.
pub const OPEN_LISTS_MAX: usize = 20;
/// Lists that can still be asked for; the oldest are forgotten.
const LISTS_MAX: usize = 100_000;

/// One list, open or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderList {
    /// The venue's number.
    pub id: ListId,
    /// Index of the account.
    pub account: usize,
    /// Index of the symbol.
    pub symbol: usize,
    /// The client's name for the list.
    pub client_order_id: String,
    /// The stop, then the limit order.
    pub orders: [OrderId; 2],
    /// Nothing of it works any more.
    pub is_done: bool,
    /// When it last changed.
    pub updated: TsNs,
}

impl OrderList {
    fn other(&self, id: OrderId) -> Option<OrderId> {
        self.orders.into_iter().find(|order| *order != id)
    }
}

impl Exchange {
    /// Takes a stop and a limit order that only makes, both or neither. Returns the list's number.
    pub fn place_list(
        &mut self,
        stop: NewOrder,
        limit: NewOrder,
        name: Option<String>,
    ) -> Result<ListId, Reject> {
        let (account, symbol) = (stop.account, stop.symbol);
        let locks = self.check_list(&stop, &limit, name.as_deref())?;
        self.next_list_id += 1;
        let id = self.next_list_id;
        let client_order_id = name.unwrap_or_else(|| self.make_name());
        // The dearer of both holds the funds of both.
        let [stop_lock, limit_lock] = if locks[0] >= locks[1] { [locks[0], 0] } else { [0, locks[1]] };
        let (stop_qty, limit_qty) = (stop.qty, limit.qty);
        let orders = [self.accept(stop, stop_qty, stop_lock), self.accept(limit, limit_qty, limit_lock)];
        for order in orders {
            if let Some(order) = self.orders.get_mut(&order) {
                order.list = Some(id);
            }
        }
        let updated = self.now;
        let list = OrderList { id, account, symbol, client_order_id, orders, is_done: false, updated };
        self.lists.insert(id, list);
        self.forget_oldest_list();
        for order in orders {
            self.report(order, Execution::New);
        }
        self.tell_list(id);
        self.work(orders[1]);
        self.finish_request();
        Ok(id)
    }

    /// All checks; returns what each order would hold back alone.
    fn check_list(&self, stop: &NewOrder, limit: &NewOrder, name: Option<&str>) -> Result<[i64; 2], Reject> {
        let market = self.markets.get(stop.symbol).ok_or(Reject::SYMBOL)?;
        let is_same = |list: &&OrderList| list.account == stop.account && list.symbol == stop.symbol;
        let open: Vec<&OrderList> =
            self.lists.values().filter(|list| !list.is_done).filter(is_same).collect();
        if open.len() >= OPEN_LISTS_MAX {
            return Err(Reject::filter("MAX_NUM_ORDER_LISTS"));
        }
        let working = self.open_orders(stop.account, Some(stop.symbol)).len();
        if working + 2 > market.info.orders_max as usize {
            return Err(Reject::filter("MAX_NUM_ORDERS"));
        }
        let is_named_alike = stop.client_order_id.is_some() && stop.client_order_id == limit.client_order_id;
        if is_named_alike || name.is_some_and(|name| open.iter().any(|list| list.client_order_id == name)) {
            return Err(Reject::DUPLICATE);
        }
        let best = market.book.best(limit.side.opposite()).map(|(price, _)| Price(price));
        let straddles = |last: Price| match limit.side {
            Side::Sell => limit.price > last && last > stop.stop_price,
            Side::Buy => limit.price < last && last < stop.stop_price,
        };
        let is_straddling = market.last_price.or(best).is_some_and(straddles);
        // A filter speaks first, then the last price, then the book.
        let is_of_book = |reject: &Reject| [Reject::WOULD_TRIGGER, Reject::WOULD_MATCH].contains(reject);
        let mut locks = [0; 2];
        for (lock, order) in locks.iter_mut().zip([stop, limit]) {
            *lock = match self.check(order) {
                Err(reject) if !is_straddling && is_of_book(&reject) => return Err(Reject::OCO_PRICES),
                checked => checked?.1,
            };
        }
        if is_straddling { Ok(locks) } else { Err(Reject::OCO_PRICES) }
    }

    /// One list by number.
    pub fn list(&self, id: ListId) -> Option<&OrderList> {
        self.lists.get(&id)
    }

    /// Every list of an account, by number.
    pub fn lists_of(&self, account: usize) -> impl DoubleEndedIterator<Item = &OrderList> + '_ {
        self.lists.values().filter(move |list| list.account == account)
    }

    /// An account's list by number, or the latest by name.
    pub fn find_list(&self, account: usize, id: Option<ListId>, name: Option<&str>) -> Option<&OrderList> {
        match (id, name) {
            (Some(id), _) => self.lists.get(&id).filter(|list| list.account == account),
            (None, Some(name)) => self.lists_of(account).rev().find(|list| list.client_order_id == name),
            (None, None) => None,
        }
    }

    /// The orders of the list of an order that still work, as long as the list is not over.
    pub fn working_of_list(&self, id: OrderId) -> Vec<OrderId> {
        let list = self.orders.get(&id).and_then(|order| order.list).and_then(|id| self.lists.get(&id));
        let Some(list) = list.filter(|list| !list.is_done) else { return Vec::new() };
        list.orders.into_iter().filter(|order| self.is_open(*order)).collect()
    }

    /// The order begins to trade: what is held back for the list is its own from now on, and no more than it needs.
    pub(super) fn claim_funds(&mut self, id: OrderId) {
        let Some(other) = self.other_of(id) else { return };
        let given = self.orders.get(&id).and_then(|order| self.given_asset(order));
        let lent = self.orders.get_mut(&other).map_or(0, |other| std::mem::take(&mut other.locked));
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.locked += lent;
        let needed = match order.side {
            Side::Sell => order.leaves_qty(),
            Side::Buy => order.price.notional_ceil(Qty(order.leaves_qty())).0,
        };
        let spare = order.locked - needed;
        assert!(spare >= 0, "a list holds back less than one of its orders needs");
        order.locked = needed;
        if let (Some(asset), Some(owner)) = (given, self.accounts.get_mut(order.account))
            && spare > 0
        {
            owner.unlock(asset, spare);
        }
    }

    /// What became of one order of a list, for the other and for the list: one that has begun, or is over, ends the other.
    pub(super) fn settle_list(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id) else { return };
        let is_over = !order.status.is_open();
        let has_begun = order.filled_qty > Qty::ZERO || order.kind.sleeps() && order.working.is_some();
        let Some(list_id) = order.list.filter(|_| is_over || has_begun) else { return };
        if let Some(other) = self.other_of(id) {
            self.expire_other(other);
        }
        self.end_list_if_over(list_id);
    }

    fn expire_other(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id).cloned() else { return };
        self.leave_book(&order);
        self.end(id, OrderStatus::Expired);
        self.report(id, Execution::Expired(ExpiryReason::OcoTrigger));
    }

    /// A list none of whose orders works is over, and told so once.
    pub(super) fn end_list_if_over(&mut self, id: ListId) {
        let Some(list) = self.lists.get(&id).filter(|list| !list.is_done) else { return };
        if list.orders.into_iter().any(|order| self.is_open(order)) {
            return;
        }
        let now = self.now;
        if let Some(list) = self.lists.get_mut(&id) {
            (list.is_done, list.updated) = (true, now);
        }
        self.tell_list(id);
    }

    /// The other order of the list, while both work.
    fn other_of(&self, id: OrderId) -> Option<OrderId> {
        let list = self.lists.get(&self.orders.get(&id)?.list?)?;
        list.other(id).filter(|other| self.is_open(*other))
    }

    fn tell_list(&mut self, id: ListId) {
        if let Some(list) = self.lists.get(&id) {
            self.events.push(ExchangeEvent::List(Box::new(list.clone())));
        }
    }

    fn forget_oldest_list(&mut self) {
        if self.lists.len() > LISTS_MAX
            && let Some(id) = self.lists.values().find(|list| list.is_done).map(|list| list.id)
        {
            self.lists.remove(&id);
        }
    }

    /// An order as the exchange has it now, for those that were just changed together.
    pub fn orders_now(&self, ids: &[OrderId]) -> Vec<Order> {
        ids.iter().filter_map(|id| self.orders.get(id)).cloned().collect()
    }
}
