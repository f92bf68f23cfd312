//! Taking an order: acceptance, matching by price and time, what becomes of the rest.

use super::book::{Resting, Slice};
use super::order::{NewOrder, Order, OrderId, OrderStatus, OrderType, SelfTradePrevention, TimeInForce};
use super::reject::Reject;
use super::trade_log::AccountTrade;
use super::{Exchange, ExchangeEvent, Execution, ExpiryReason, Fill, PublicTrade, filters};
use smc_core::words::clamp_i64;
use smc_core::{Price, Qty, Side};

/// Basis points in one.
const BPS: i128 = 10_000;

impl Exchange {
    /// Checks an order as [`place`](Self::place) would, without placing it.
    pub fn test(&self, request: &NewOrder) -> Result<(), Reject> {
        self.check(request).map(|_| ())
    }

    /// Takes an order: refuses it, or accepts, matches and rests it. Returns its number.
    pub fn place(&mut self, request: NewOrder) -> Result<OrderId, Reject> {
        let (qty, lock) = self.check(&request)?;
        let id = self.accept(request, qty, lock);
        self.report(id, Execution::New);
        let is_asleep = self.orders.get(&id).is_some_and(|order| order.working.is_none());
        if !is_asleep {
            self.work(id);
        }
        self.finish_request();
        Ok(id)
    }

    /// What a request may have set off: sleeping orders wake, amounts are told, what cannot be secured is closed.
    pub(super) fn finish_request(&mut self) {
        self.wake_stops();
        self.settle_balances();
        self.liquidate();
    }

    /// All checks in the venue's order; returns the base quantity and the funds to hold back.
    pub(super) fn check(&self, request: &NewOrder) -> Result<(Qty, i64), Reject> {
        let market = self.markets.get(request.symbol).ok_or(Reject::SYMBOL)?;
        let owner = self.accounts.get(request.account).ok_or(Reject::KEY)?;
        let open = self.open_orders(request.account, Some(request.symbol));
        let open_count = u32::try_from(open.len()).unwrap_or(u32::MAX);
        let best = market.book.best(request.side.opposite()).map(|(price, _)| Price(price));
        let is_taken = |name: &String| open.iter().any(|order| order.client_order_id == *name);
        if self.is_linear(request.symbol) {
            // The grid of a contract is the dialect's to check: venues differ in its arithmetic and its codes.
            if request.client_order_id.as_ref().is_some_and(is_taken) {
                return Err(Reject::DUPLICATE_NAME);
            }
            self.check_linear(request)?;
            return Ok((request.qty, 0));
        }
        filters::check(request, &market.info, open_count, market.last_price.or(best))?;
        if request.client_order_id.as_ref().is_some_and(is_taken) {
            return Err(Reject::DUPLICATE);
        }
        match request.kind {
            OrderType::LimitMaker
                if best.is_some_and(|best| crosses(request.side, request.price.0, best.0)) =>
            {
                return Err(Reject::WOULD_MATCH);
            }
            kind if kind.sleeps() && self.has_reached(request) => return Err(Reject::WOULD_TRIGGER),
            _ => {}
        }
        let (qty, lock) = self.needs(request)?;
        let given = if request.side == Side::Buy { market.info.spec.quote } else { market.info.spec.base };
        if owner.balance(given).free < lock {
            return Err(Reject::BALANCE);
        }
        Ok((qty, lock))
    }

    /// The base quantity an order stands for, and the funds it holds back.
    fn needs(&self, request: &NewOrder) -> Result<(Qty, i64), Reject> {
        if request.kind.is_market() && request.kind.sleeps() {
            // Nobody knows yet what it will cost; the asset sold is held back, the price paid is not.
            let lock = if request.side == Side::Sell { request.qty.0 } else { 0 };
            return Ok((request.qty, lock));
        }
        if request.kind != OrderType::Market {
            let lock = match request.side {
                Side::Buy => request.price.notional_ceil(request.qty).0,
                Side::Sell => request.qty.0,
            };
            return if lock > 0 { Ok((request.qty, lock)) } else { Err(Reject::NO_VALUE) };
        }
        let (base, quote) = self.sweep(request);
        match (request.side, request.qty.0) {
            (Side::Buy, 0) => Ok((Qty(base), request.quote_qty)),
            (Side::Buy, _) => Ok((request.qty, quote)),
            (Side::Sell, 0) => Ok((Qty(base), base)),
            (Side::Sell, qty) => Ok((request.qty, qty)),
        }
    }

    /// What a market order would take from the book now: base quantity, and quote amount rounded up.
    fn sweep(&self, request: &NewOrder) -> (i64, i64) {
        let Some(market) = self.markets.get(request.symbol) else { return (0, 0) };
        let step = i128::from(market.info.spec.lot.0.max(1));
        let (mut base, mut quote) = (0i64, 0i64);
        for slice in market.book.slices(request.side.opposite()) {
            let wanted = if request.qty.0 > 0 {
                request.qty.0 - base
            } else {
                let left = i128::from(request.quote_qty - quote) * i128::from(smc_core::words::SCALE);
                let affordable = left / i128::from(slice.price.max(1));
                clamp_i64(affordable - affordable % step)
            };
            let qty = wanted.min(slice.qty);
            if qty <= 0 {
                break;
            }
            base = base.saturating_add(qty);
            quote = quote.saturating_add(Price(slice.price).notional_ceil(Qty(qty)).0);
        }
        (base, quote)
    }

    pub(super) fn accept(&mut self, request: NewOrder, qty: Qty, lock: i64) -> OrderId {
        self.next_order_id += 1;
        let id = self.next_order_id;
        let client_order_id = request.client_order_id.unwrap_or_else(|| self.make_name());
        let sleeps = request.kind.sleeps();
        let order = Order {
            id,
            account: request.account,
            symbol: request.symbol,
            client_order_id: client_order_id.clone(),
            side: request.side,
            kind: request.kind,
            time_in_force: request.time_in_force,
            price: request.price,
            qty,
            quote_qty: request.quote_qty,
            stop_price: request.stop_price,
            filled_qty: Qty::ZERO,
            filled_quote: 0,
            status: OrderStatus::New,
            locked: lock,
            stp: request.stp,
            prevented_qty: Qty::ZERO,
            created: self.now,
            updated: self.now,
            working: (!sleeps).then_some(self.now),
            scope: request.scope,
            amendments: 0,
            is_liquidation: false,
            list: None,
        };
        let given = self.given_asset(&order).filter(|_| !self.is_linear(order.symbol));
        if let (Some(asset), Some(owner)) = (given, self.accounts.get_mut(order.account)) {
            owner.lock(asset, lock);
        }
        if let Some(market) = self.markets.get_mut(order.symbol) {
            market.open.insert(id);
            if sleeps {
                market.stops.insert(id);
            }
        }
        self.by_client_id.insert((order.account, order.symbol, client_order_id), id);
        self.orders.insert(id, order);
        id
    }

    /// Lets a working order match, then rests or ends what is left.
    pub(super) fn work(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id).cloned() else { return };
        if order.time_in_force == TimeInForce::Fok && !self.can_fill(&order) {
            self.expire(id, ExpiryReason::UnfilledFok);
            return;
        }
        if order.time_in_force == TimeInForce::Gtx && self.would_take(order.symbol, order.side, order.price) {
            self.expire(id, ExpiryReason::WouldTake);
            return;
        }
        self.next_taker += 1;
        let taker = self.next_taker;
        // Counted from the start: against orders of its own account it would find as much to reduce again each time.
        let mut allowed = if order.is_reducing() { self.reducible(&order) } else { i64::MAX };
        while let Some(slice) = self.next_slice(id, allowed) {
            if let Some(maker) = slice.maker
                && self.prevents(id, &slice, maker)
            {
                continue;
            }
            allowed -= slice.qty;
            self.trade(id, taker, &slice);
        }
        let Some(order) = self.orders.get(&id).filter(|order| order.status.is_open()) else { return };
        let (side, price, leaves, account) = (order.side, order.price.0, order.leaves_qty(), order.account);
        let is_idle = order.is_reducing() && self.reducible(order) == 0;
        match (order.kind, order.time_in_force) {
            _ if order.is_liquidation => self.take_over(id),
            _ if is_idle => self.expire(id, ExpiryReason::NothingToReduce),
            (kind, _) if kind.is_market() => self.expire(id, ExpiryReason::InsufficientLiquidity),
            (_, TimeInForce::Gtc | TimeInForce::Gtx) => {
                if let Some(market) = self.markets.get_mut(order.symbol) {
                    market.book.rest(side, price, id, account, leaves);
                }
            }
            _ => self.expire(id, ExpiryReason::UnfilledIoc),
        }
    }

    /// The next piece of the book that an order may take, `allowed` at most; none when it is done.
    fn next_slice(&self, id: OrderId, allowed: i64) -> Option<Slice> {
        let order = self.orders.get(&id).filter(|order| order.status.is_open())?;
        let front = self.markets.get(order.symbol)?.book.front(order.side.opposite())?;
        let is_in_reach = order.kind.is_market() || crosses(order.side, order.price.0, front.price);
        let reducible = if order.is_reducing() { self.reducible(order) } else { i64::MAX };
        let left = order.leaves_qty().min(allowed).min(reducible);
        (is_in_reach && left > 0).then(|| Slice { qty: front.qty.min(left), ..front })
    }

    /// What a reducing order still finds to reduce.
    pub(super) fn reducible(&self, order: &Order) -> i64 {
        self.accounts.get(order.account).map_or(0, |owner| owner.position(order.symbol).reducible(order.side))
    }

    /// Whether a fill-or-kill order finds its whole quantity.
    fn can_fill(&self, order: &Order) -> bool {
        let Some(market) = self.markets.get(order.symbol) else { return false };
        let mut left = order.leaves_qty();
        for slice in market.book.slices(order.side.opposite()) {
            if !crosses(order.side, order.price.0, slice.price) {
                break;
            }
            match slice.maker {
                Some(maker) if maker.account == order.account && order.stp != SelfTradePrevention::None => {
                    if order.stp != SelfTradePrevention::ExpireMaker {
                        break;
                    }
                }
                _ => left -= slice.qty.min(left),
            }
        }
        left == 0
    }

    /// Applies self-trade prevention between a taker and the maker it meets; true when it did something.
    fn prevents(&mut self, taker: OrderId, slice: &Slice, maker: Resting) -> bool {
        let Some(order) = self.orders.get(&taker) else { return false };
        if order.account != maker.account || order.stp == SelfTradePrevention::None {
            return false;
        }
        let mode = order.stp;
        if matches!(mode, SelfTradePrevention::ExpireMaker | SelfTradePrevention::ExpireBoth) {
            self.prevent(maker.order, slice.qty, true);
        }
        if matches!(mode, SelfTradePrevention::ExpireTaker | SelfTradePrevention::ExpireBoth) {
            self.prevent(taker, slice.qty, false);
        }
        true
    }

    fn prevent(&mut self, id: OrderId, qty: i64, is_resting: bool) {
        if is_resting && let Some(order) = self.orders.get(&id).cloned() {
            self.leave_book(&order);
        }
        if let Some(order) = self.orders.get_mut(&id) {
            order.prevented_qty = Qty(qty);
        }
        self.end(id, OrderStatus::ExpiredInMatch);
        self.report(id, Execution::TradePrevention);
        self.settle_list(id);
    }

    pub(super) fn expire(&mut self, id: OrderId, reason: ExpiryReason) {
        self.end(id, OrderStatus::Expired);
        self.report(id, Execution::Expired(reason));
        self.settle_list(id);
    }

    /// A client's order takes a piece of the book.
    fn trade(&mut self, id: OrderId, taker: u64, slice: &Slice) {
        let Some(order) = self.orders.get(&id) else { return };
        let (symbol, side) = (order.symbol, order.side);
        let trade_id = self.print(symbol, taker, slice.price, slice.qty, side);
        let Some(market) = self.markets.get_mut(symbol) else { return };
        match slice.maker {
            Some(maker) => market.book.reduce(side.opposite(), slice.price, maker.order, slice.qty),
            None => market.book.take_background(side.opposite(), slice.price, slice.qty),
        }
        self.fill(id, trade_id, slice.price, slice.qty, false);
        if let Some(maker) = slice.maker {
            self.fill(maker.order, trade_id, slice.price, slice.qty, true);
            self.after_fill(maker.order);
        }
        self.after_fill(id);
    }

    /// What a fill means for the account's other orders; after all fills of its trade.
    pub(super) fn after_fill(&mut self, id: OrderId) {
        let Some((account, symbol)) = self.orders.get(&id).map(|order| (order.account, order.symbol)) else {
            return;
        };
        if self.is_linear(symbol) {
            self.drop_reducers(account, symbol);
        }
    }

    /// Publishes a trade; returns its number.
    pub(super) fn print(&mut self, symbol: usize, taker: u64, price: i64, qty: i64, aggressor: Side) -> u64 {
        let Some(market) = self.markets.get_mut(symbol) else { return 0 };
        market.next_trade_id += 1;
        market.last_price = Some(Price(price));
        let trade_id = market.next_trade_id;
        self.events.push(ExchangeEvent::Trade(PublicTrade {
            symbol,
            trade_id,
            taker,
            price: Price(price),
            qty: Qty(qty),
            aggressor,
        }));
        trade_id
    }

    /// Books one fill of a client's order: quantities, funds, fee, report. The book is the caller's.
    pub(super) fn fill(&mut self, id: OrderId, trade_id: u64, price: i64, qty: i64, is_maker: bool) {
        if self.orders.get(&id).is_some_and(|order| self.is_linear(order.symbol)) {
            return self.fill_linear(id, trade_id, price, qty, is_maker);
        }
        let Some((base, quote_asset)) = self.orders.get(&id).and_then(|order| self.assets(order)) else {
            return;
        };
        self.claim_funds(id);
        let now = self.now;
        let quote = Price(price).notional_floor(Qty(qty)).0;
        let Some(order) = self.orders.get_mut(&id) else { return };
        let Some(owner) = self.accounts.get_mut(order.account) else { return };
        order.filled_qty = Qty(order.filled_qty.0 + qty);
        order.filled_quote = order.filled_quote.saturating_add(quote);
        order.updated = now;
        assert!(order.leaves_qty() >= 0, "fills more than was asked for");
        let is_done = order.leaves_qty() == 0;
        order.status = if is_done { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let (given, spent, got, received) = match order.side {
            Side::Buy => (quote_asset, quote, base, qty),
            Side::Sell => (base, qty, quote_asset, quote),
        };
        owner.spend(given, spent);
        order.locked -= spent;
        // A limit order that fills better than its price needs less for its rest.
        if order.side == Side::Buy && !order.kind.is_market() {
            let needed = order.price.notional_ceil(Qty(order.leaves_qty())).0;
            let spare = order.locked - needed;
            owner.unlock(given, spare);
            order.locked = needed;
        }
        let fee_bps = if is_maker { owner.maker_fee_bps } else { owner.taker_fee_bps };
        let commission = clamp_i64(i128::from(received) * i128::from(fee_bps) / BPS);
        owner.receive(got, received - commission);
        let fill = Fill {
            trade_id,
            price: Price(price),
            qty: Qty(qty),
            quote,
            commission,
            commission_asset: got,
            is_maker,
            realised: 0,
        };
        let (symbol, side) = (order.symbol, order.side);
        let list = order.list;
        owner.log_trade(AccountTrade { symbol, order: id, list, side, at: now, fill });
        if is_done {
            self.end(id, OrderStatus::Filled);
        }
        self.report(id, Execution::Trade(fill));
        self.settle_list(id);
    }
}

/// Whether an order at `price` reaches a resting price of the other side.
pub(super) fn crosses(side: Side, price: i64, resting: i64) -> bool {
    match side {
        Side::Buy => price >= resting,
        Side::Sell => price <= resting,
    }
}

/// Whether the last price wakes a stop order.
pub(super) fn is_triggered(side: Side, stop_price: Price, last: Price) -> bool {
    match side {
        Side::Buy => last >= stop_price,
        Side::Sell => last <= stop_price,
    }
}
