//! Fills of linear contracts, orders that may only reduce, funding, liquidation.
//!
//! Pure. Funding falls due by market time; an account is liquidated at the end of the step of the market that took it
//! below its maintenance: its orders are cancelled, its positions are sold into the book by orders that nobody sent,
//! and what the book does not take the venue takes over at the mark price.

use super::account::Account;
use super::income::{Income, IncomeKind};
use super::order::{
    NewOrder, Order, OrderId, OrderStatus, OrderType, Scope, SelfTradePrevention, TimeInForce,
};
use super::{Exchange, Execution, ExpiryReason, Fill, MarginReason};
use smc_core::words::{Name, clamp_i64};
use smc_core::{Price, Qty, TsNs};

/// Time between two fundings.
pub const FUNDING_EVERY_NS: u64 = 8 * 3_600 * 1_000_000_000;
/// What longs pay shorts at each funding, in ppm of the position's worth.
pub const FUNDING_PPM: i64 = 100;
/// Fee in basis points.
const BPS: i128 = 10_000;

/// When funding is next due after `now`.
pub const fn next_funding(now: TsNs) -> TsNs {
    TsNs((now.0 / FUNDING_EVERY_NS + 1).saturating_mul(FUNDING_EVERY_NS))
}

/// The funding rate as decimal text.
pub fn funding_rate_text() -> String {
    format!("0.{:08}", FUNDING_PPM * 100)
}

impl Exchange {
    /// Books one fill of a linear contract: position, profit, fee, report. The book is the caller's.
    pub(super) fn fill_linear(&mut self, id: OrderId, trade_id: u64, price: i64, qty: i64, is_maker: bool) {
        let Some(fill) = self.book_linear(id, trade_id, price, qty, is_maker) else { return };
        self.report(id, Execution::Trade(fill));
    }

    fn book_linear(
        &mut self,
        id: OrderId,
        trade_id: u64,
        price: i64,
        qty: i64,
        is_maker: bool,
    ) -> Option<Fill> {
        let now = self.now;
        let order = self.orders.get_mut(&id)?;
        let quote_asset = self.markets.get(order.symbol)?.info.spec.quote;
        let owner = self.accounts.get_mut(order.account)?;
        let quote = Price(price).notional_floor(Qty(qty)).0;
        order.filled_qty = Qty(order.filled_qty.0 + qty);
        order.filled_quote = order.filled_quote.saturating_add(quote);
        order.updated = now;
        assert!(order.leaves_qty() >= 0, "fills more than was asked for");
        let is_done = order.leaves_qty() == 0;
        order.status = if is_done { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let (symbol, side) = (order.symbol, order.side);
        let realised = owner.change_position(symbol, MarginReason::Order).take(side, Price(price), qty, now);
        let fee_bps = if is_maker { owner.maker_fee_bps } else { owner.taker_fee_bps };
        let commission = clamp_i64(i128::from(quote) * i128::from(fee_bps) / BPS);
        let income = |kind, amount| Income {
            kind,
            symbol: Some(symbol),
            asset: quote_asset,
            amount,
            at: now,
            trade_id: Some(trade_id),
        };
        owner.pay(income(IncomeKind::RealisedProfit, realised), MarginReason::Order);
        owner.pay(income(IncomeKind::Commission, -commission), MarginReason::Order);
        let fill = Fill {
            trade_id,
            price: Price(price),
            qty: Qty(qty),
            quote,
            commission,
            commission_asset: quote_asset,
            is_maker,
            realised,
        };
        owner.log_trade(super::trade_log::AccountTrade {
            symbol,
            order: id,
            list: None,
            side,
            at: now,
            fill,
        });
        if is_done {
            self.end(id, OrderStatus::Filled);
        }
        Some(fill)
    }

    /// Ends resting orders that may only reduce and would now do more: one filled before them, or the position turned.
    pub(super) fn drop_reducers(&mut self, account: usize, symbol: usize) {
        let Some(position) = self.accounts.get(account).map(|owner| owner.position(symbol)) else { return };
        let is_too_much = |order: &&Order| {
            order.working.is_some()
                && order.is_reducing()
                && !order.kind.is_market()
                && order.time_in_force != TimeInForce::Ioc
                && order.leaves_qty() > position.reducible(order.side)
        };
        let ids: Vec<_> = self
            .open_orders(account, Some(symbol))
            .into_iter()
            .filter(is_too_much)
            .map(|order| order.id)
            .collect();
        for id in ids {
            self.expire_resting(id, ExpiryReason::NothingToReduce);
        }
    }

    fn expire_resting(&mut self, id: OrderId, reason: ExpiryReason) {
        if let Some(order) = self.orders.get(&id).cloned() {
            self.leave_book(&order);
            self.expire(id, reason);
        }
    }

    /// What follows from the clock: funding. Call it whenever time has passed; it does nothing until something is due.
    pub fn on_clock(&mut self) {
        let due = *self.next_funding.get_or_insert(next_funding(self.now));
        if self.now < due {
            return;
        }
        self.next_funding = Some(next_funding(self.now));
        self.settle_balances();
        for symbol in 0..self.markets.len() {
            self.fund(symbol);
        }
        self.settle_balances();
        self.liquidate();
    }

    fn fund(&mut self, symbol: usize) {
        let Some(mark) = self.mark_price(symbol).filter(|_| self.is_linear(symbol)) else { return };
        let Some(asset) = self.markets.get(symbol).map(|market| market.info.spec.quote) else { return };
        let at = self.now;
        for owner in &mut self.accounts {
            let notional = owner.position(symbol).notional(mark);
            // Rounded down both ways: who pays pays the rest, who receives goes without it.
            let amount = (-i128::from(notional) * i128::from(FUNDING_PPM)).div_euclid(1_000_000);
            if notional != 0 {
                let amount = clamp_i64(amount);
                let income = Income {
                    kind: IncomeKind::Funding,
                    symbol: Some(symbol),
                    asset,
                    amount,
                    at,
                    trade_id: None,
                };
                owner.pay(income, MarginReason::Funding);
            }
        }
    }

    /// Closes what accounts can no longer secure.
    pub(super) fn liquidate(&mut self) {
        for account in 0..self.accounts.len() {
            for asset in self.margin_assets(account) {
                let margin = self.account_margin(account, asset);
                if margin.maintenance > 0 && margin.balance() < margin.maintenance {
                    self.liquidate_account(account, asset);
                }
            }
            self.clear_debts(account);
        }
    }

    /// A position that closed at a loss beyond its wallet leaves a debt even without a liquidation.
    fn clear_debts(&mut self, account: usize) {
        let owner = self.accounts.get(account);
        let debts: Vec<Name> = owner
            .into_iter()
            .flat_map(Account::balances)
            .filter(|(_, balance)| balance.free < 0)
            .map(|(asset, _)| asset)
            .collect();
        for asset in debts {
            if self.account_margin(account, asset).maintenance == 0 {
                self.clear_debt(account, asset);
            }
        }
    }

    /// Quote assets of the contracts an account holds.
    fn margin_assets(&self, account: usize) -> Vec<Name> {
        let held = self.accounts.get(account).into_iter().flat_map(Account::positions);
        let mut assets: Vec<Name> = held
            .filter(|(_, position)| position.qty != 0)
            .filter_map(|(symbol, _)| self.markets.get(symbol).map(|market| market.info.spec.quote))
            .collect();
        assets.dedup();
        assets
    }

    fn liquidate_account(&mut self, account: usize, asset: Name) {
        let is_secured_by = |exchange: &Self, symbol: usize| {
            exchange.is_linear(symbol)
                && exchange.markets.get(symbol).is_some_and(|market| market.info.spec.quote == asset)
        };
        let open: Vec<_> =
            self.open_orders(account, None).iter().map(|order| (order.id, order.symbol)).collect();
        for (id, symbol) in open {
            if is_secured_by(self, symbol) {
                self.expire_resting(id, ExpiryReason::Liquidation);
            }
        }
        let held: Vec<_> = self.accounts.get(account).into_iter().flat_map(Account::positions).collect();
        for (symbol, position) in held {
            if let Some(side) = position.closing_side().filter(|_| is_secured_by(self, symbol)) {
                self.close_by_force(account, symbol, side, position.qty.abs());
            }
        }
        self.settle_balances();
    }

    /// An order that nobody sent takes what the book offers; the venue takes over the rest.
    fn close_by_force(&mut self, account: usize, symbol: usize, side: smc_core::Side, qty: i64) {
        self.next_name += 1;
        let request = NewOrder {
            account,
            symbol,
            side,
            kind: OrderType::Market,
            time_in_force: TimeInForce::Ioc,
            price: Price::ZERO,
            qty: Qty(qty),
            quote_qty: 0,
            stop_price: Price::ZERO,
            client_order_id: Some(format!("autoclose-{}", self.next_name)),
            stp: SelfTradePrevention::None,
            scope: Scope { is_reduce_only: true, ..Scope::default() },
        };
        let id = self.accept(request, Qty(qty), 0);
        if let Some(order) = self.orders.get_mut(&id) {
            order.is_liquidation = true;
        }
        self.report(id, Execution::New);
        self.work(id);
    }

    /// What the book did not take of a liquidation goes over to the venue at the mark price.
    pub(super) fn take_over(&mut self, id: OrderId) {
        let Some(order) = self.orders.get(&id) else { return };
        let (symbol, leaves) = (order.symbol, order.leaves_qty());
        let mark = self.mark_price(symbol).or(self.markets.get(symbol).and_then(|market| market.last_price));
        let Some(mark) = mark.filter(|_| leaves > 0) else { return };
        if let Some(market) = self.markets.get_mut(symbol) {
            market.next_trade_id += 1;
            let trade_id = market.next_trade_id;
            if let Some(fill) = self.book_linear(id, trade_id, mark.0, leaves, false) {
                self.report(id, Execution::TakenOver(fill));
            }
        }
    }

    /// The venue makes good what an account owes when nothing is left to sell.
    fn clear_debt(&mut self, account: usize, asset: Name) {
        let at = self.now;
        let Some(owner) = self.accounts.get_mut(account) else { return };
        let debt = owner.balance(asset).free;
        if debt < 0 {
            let income = Income {
                kind: IncomeKind::InsuranceClear,
                symbol: None,
                asset,
                amount: -debt,
                at,
                trade_id: None,
            };
            owner.pay(income, MarginReason::InsuranceClear);
            self.settle_balances();
        }
    }
}
