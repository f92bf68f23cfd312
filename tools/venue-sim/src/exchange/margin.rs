//! What linear positions and orders must secure, and whether an account can.
//!
//! Pure. One-way mode and cross margin: all contracts of one quote asset share that asset's wallet. The larger a
//! position, the higher the bracket it falls into: less leverage, more maintenance.

use super::Exchange;
use super::order::{NewOrder, Order, OrderId, TimeInForce};
use super::reject::Reject;
use smc_core::words::{Name, SCALE, clamp_i64, div_ceil};
use smc_core::{Price, Qty, Side};

const PPM: i128 = 1_000_000;

/// One bracket of position values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// Values above this belong to it, 1e-8 of the quote asset.
    pub floor: i64,
    /// Values up to this belong to it.
    pub cap: i64,
    /// Most leverage that a position of this size may have.
    pub leverage_max: u32,
    /// Part of the value that must stay secured, in ppm.
    pub maintenance_ppm: u32,
    /// Taken off the maintenance, so that it does not jump between brackets, 1e-8.
    pub deduction: i64,
}

const fn bracket(floor: i64, cap: i64, leverage_max: u32, maintenance_ppm: u32, deduction: i64) -> Bracket {
    Bracket {
        floor: floor * SCALE,
        cap: cap * SCALE,
        leverage_max,
        maintenance_ppm,
        deduction: deduction * SCALE,
    }
}

/// The brackets of every symbol, unless the dialect sets others.
pub const BRACKETS: [Bracket; 5] = [
    bracket(0, 50_000, 125, 4_000, 0),
    bracket(50_000, 600_000, 100, 5_000, 50),
    bracket(600_000, 3_000_000, 75, 6_500, 950),
    bracket(3_000_000, 12_000_000, 50, 10_000, 11_450),
    bracket(12_000_000, 70_000_000, 20, 20_000, 131_450),
];

/// What one symbol asks of an account. Amounts in 1e-8 of the quote asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SymbolMargin {
    /// Worth of the position at the mark price; negative when sold short.
    pub notional: i64,
    /// Profit if it were closed at the mark price.
    pub unrealised: i64,
    /// Secured to hold the position.
    pub position_initial: i64,
    /// Secured for open orders on top of that.
    pub order_initial: i64,
    /// What must stay secured.
    pub maintenance: i64,
    /// Worth of open buy orders that may open a position, at their prices.
    pub bid_notional: i64,
    /// Worth of open sell orders that may open a position.
    pub ask_notional: i64,
}

/// What an account has and must have in one asset. Amounts in 1e-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountMargin {
    /// Money, without open profit.
    pub wallet: i64,
    /// Open profit of all positions.
    pub unrealised: i64,
    /// Secured for positions.
    pub position_initial: i64,
    /// Secured for open orders.
    pub order_initial: i64,
    /// What must stay secured.
    pub maintenance: i64,
}

impl AccountMargin {
    /// What secures everything: money and open profit.
    pub const fn balance(&self) -> i64 {
        self.wallet.saturating_add(self.unrealised)
    }

    /// Secured in all.
    pub const fn initial(&self) -> i64 {
        self.position_initial.saturating_add(self.order_initial)
    }

    /// What new orders can use.
    pub fn available(&self) -> i64 {
        self.balance().saturating_sub(self.initial()).max(0)
    }
}

impl Exchange {
    /// Sets what positions of each size must secure. Ascending, contiguous, not empty; else nothing changes.
    pub fn set_brackets(&mut self, brackets: &[Bracket]) {
        let is_contiguous = brackets
            .windows(2)
            .all(|pair| matches!(pair, [low, high] if low.cap == high.floor && high.floor < high.cap));
        if !brackets.is_empty() && is_contiguous {
            self.brackets = brackets.to_vec();
        }
    }

    /// What positions of each size must secure.
    pub fn brackets(&self) -> &[Bracket] {
        &self.brackets
    }

    /// The largest position value that a leverage allows, 1e-8; none when no bracket allows the leverage.
    pub fn notional_max(&self, leverage: u32) -> Option<i64> {
        let allowed = self.brackets.iter().filter(|bracket| (1..=bracket.leverage_max).contains(&leverage));
        allowed.map(|bracket| bracket.cap).max()
    }

    /// The mark price: the middle of the background's best bid and ask, so that a client's own orders do not move it;
    /// the last trade while a side is empty.
    pub fn mark_price(&self, symbol: usize) -> Option<Price> {
        let market = self.markets.get(symbol)?;
        let best = |side| market.book.best_background(side).map(|(price, _)| price);
        match (best(Side::Buy), best(Side::Sell)) {
            (Some(bid), Some(ask)) => Some(Price(bid + (ask - bid) / 2)),
            _ => market.last_price,
        }
    }

    /// What a symbol asks of an account, as if `with` were open too and `without` were not.
    fn symbol_margin_if(
        &self,
        account: usize,
        symbol: usize,
        with: Option<(Side, i64)>,
        without: Option<OrderId>,
    ) -> SymbolMargin {
        let Some(owner) = self.accounts.get(account) else { return SymbolMargin::default() };
        let position = owner.position(symbol);
        let mark = self.mark_price(symbol).unwrap_or(position.average_price());
        let (mut bids, mut asks) = (0i64, 0i64);
        let mut add = |side: Side, value: i64| match side {
            Side::Buy => bids = bids.saturating_add(value),
            Side::Sell => asks = asks.saturating_add(value),
        };
        for order in self.open_orders(account, Some(symbol)) {
            if order.working.is_some() && !order.is_reducing() && Some(order.id) != without {
                add(order.side, order.price.notional_ceil(Qty(order.leaves_qty())).0);
            }
        }
        if let Some((side, value)) = with {
            add(side, value);
        }
        let notional = position.notional(mark);
        let leverage = i128::from(owner.leverage(symbol).max(1));
        let secured = |value: i64| clamp_i64(div_ceil(i128::from(value.saturating_abs()), leverage));
        let worst = notional
            .saturating_add(bids)
            .saturating_abs()
            .max(notional.saturating_sub(asks).saturating_abs());
        let position_initial = secured(notional);
        SymbolMargin {
            notional,
            unrealised: position.unrealised(mark),
            position_initial,
            order_initial: (secured(worst) - position_initial).max(0),
            maintenance: self.maintenance(notional),
            bid_notional: bids,
            ask_notional: asks,
        }
    }

    /// What a symbol asks of an account.
    pub fn symbol_margin(&self, account: usize, symbol: usize) -> SymbolMargin {
        self.symbol_margin_if(account, symbol, None, None)
    }

    fn bracket_of(&self, notional: i64) -> Option<&Bracket> {
        let value = notional.saturating_abs();
        self.brackets.iter().find(|bracket| value <= bracket.cap).or(self.brackets.last())
    }

    fn maintenance(&self, notional: i64) -> i64 {
        let Some(bracket) = self.bracket_of(notional) else { return 0 };
        let value = i128::from(notional.saturating_abs());
        let part = div_ceil(value * i128::from(bracket.maintenance_ppm), PPM);
        clamp_i64((part - i128::from(bracket.deduction)).max(0))
    }

    /// What an account has and must have in one asset.
    pub fn account_margin(&self, account: usize, asset: Name) -> AccountMargin {
        self.account_margin_if(account, asset, None)
    }

    fn account_margin_if(
        &self,
        account: usize,
        asset: Name,
        instead: Option<(usize, SymbolMargin)>,
    ) -> AccountMargin {
        let Some(owner) = self.accounts.get(account) else { return AccountMargin::default() };
        let mut all = AccountMargin { wallet: owner.balance(asset).free, ..AccountMargin::default() };
        for (symbol, market) in self.markets.iter().enumerate() {
            if market.info.spec.quote != asset || !self.is_linear(symbol) {
                continue;
            }
            let one = match instead {
                Some((other, margin)) if other == symbol => margin,
                _ => self.symbol_margin(account, symbol),
            };
            all.unrealised = all.unrealised.saturating_add(one.unrealised);
            all.position_initial = all.position_initial.saturating_add(one.position_initial);
            all.order_initial = all.order_initial.saturating_add(one.order_initial);
            all.maintenance = all.maintenance.saturating_add(one.maintenance);
        }
        all
    }

    /// The mark price at which the account would be liquidated for this position; zero when none would.
    pub fn liquidation_price(&self, account: usize, symbol: usize) -> Price {
        let (Some(owner), Some(market)) = (self.accounts.get(account), self.markets.get(symbol)) else {
            return Price::ZERO;
        };
        let position = owner.position(symbol);
        let one = self.symbol_margin(account, symbol);
        let all = self.account_margin(account, market.info.spec.quote);
        let Some(bracket) = self.bracket_of(one.notional).filter(|_| position.qty != 0) else {
            return Price::ZERO;
        };
        // What the rest of the account leaves for this position to lose.
        let spare = i128::from(all.wallet) + i128::from(all.unrealised - one.unrealised)
            - i128::from(all.maintenance - one.maintenance)
            + i128::from(bracket.deduction);
        let cost = i128::from(position.cost());
        let (value, part) = if position.qty > 0 {
            (cost - spare, PPM - i128::from(bracket.maintenance_ppm))
        } else {
            (cost + spare, PPM + i128::from(bracket.maintenance_ppm))
        };
        let held = i128::from(position.qty.abs());
        let price = value.max(0) * PPM / part * i128::from(SCALE) / held;
        Price(clamp_i64(price))
    }

    /// Changes an account's leverage in a symbol; refused when a bracket or its money does not allow it.
    pub fn set_leverage(&mut self, account: usize, symbol: usize, leverage: u32) -> Result<(), Reject> {
        let cap = self.notional_max(leverage).ok_or_else(|| Reject::leverage(leverage))?;
        let quote = self.markets.get(symbol).ok_or(Reject::SYMBOL)?.info.spec.quote;
        let before = self.accounts.get(account).ok_or(Reject::KEY)?.leverage(symbol);
        if self.symbol_margin(account, symbol).notional.saturating_abs() > cap {
            return Err(Reject::POSITION_LIMIT);
        }
        let set = |exchange: &mut Self, leverage| {
            if let Some(owner) = exchange.accounts.get_mut(account) {
                owner.set_leverage(symbol, leverage);
            }
        };
        set(self, leverage);
        let margin = self.account_margin(account, quote);
        if leverage < before && margin.initial() > margin.balance() {
            set(self, before);
            return Err(Reject::LEVERAGE_MARGIN);
        }
        Ok(())
    }

    /// All checks of an order for a linear contract that concern the account rather than the symbol's grid.
    pub(super) fn check_linear(&self, request: &NewOrder) -> Result<(), Reject> {
        let owner = self.accounts.get(request.account).ok_or(Reject::KEY)?;
        let is_sized = request.qty.0 > 0 || request.scope.closes_position;
        if !is_sized || (!request.kind.is_market() && request.price.0 <= 0) {
            return Err(Reject::QTY_NOT_POSITIVE);
        }
        let position = owner.position(request.symbol);
        if request.kind.sleeps() {
            return if self.is_reached(request.symbol, &trigger(request)) {
                Err(Reject::TRIGGERS_AT_ONCE)
            } else {
                Ok(())
            };
        }
        if request.scope.is_reduce_only || request.scope.closes_position {
            let reducible = position.reducible(request.side);
            let rests = matches!(request.time_in_force, TimeInForce::Gtc | TimeInForce::Gtx);
            let is_too_much = rests && !request.kind.is_market() && request.qty.0 > reducible;
            return if reducible == 0 || is_too_much { Err(Reject::REDUCE_ONLY) } else { Ok(()) };
        }
        let price = if request.kind.is_market() { self.taking_price(request) } else { Some(request.price) };
        // Without any price there is no book to take from either.
        price.map_or(Ok(()), |price| {
            self.can_secure(request.account, request.symbol, request.side, price, request.qty.0, None)
        })
    }

    /// Whether an account can secure an order, besides what it has open; `without` is the order it takes the place of.
    pub(super) fn can_secure(
        &self,
        account: usize,
        symbol: usize,
        side: Side,
        price: Price,
        qty: i64,
        without: Option<OrderId>,
    ) -> Result<(), Reject> {
        let (Some(owner), Some(market)) = (self.accounts.get(account), self.markets.get(symbol)) else {
            return Err(Reject::SYMBOL);
        };
        let value = price.notional_ceil(Qty(qty)).0;
        let before = self.symbol_margin_if(account, symbol, None, without);
        let after = self.symbol_margin_if(account, symbol, Some((side, value)), without);
        if after.order_initial <= before.order_initial {
            return Ok(());
        }
        let exposure = match side {
            Side::Buy => after.notional.saturating_add(after.bid_notional),
            Side::Sell => after.ask_notional.saturating_sub(after.notional),
        };
        if self.notional_max(owner.leverage(symbol)).is_none_or(|cap| exposure > cap) {
            return Err(Reject::POSITION_LIMIT);
        }
        // A price worse than the mark loses the difference at once.
        let mark = self.mark_price(symbol).unwrap_or(price);
        let loss = Price((side.sign() * (price.0 - mark.0)).max(0)).notional_ceil(Qty(qty)).0;
        let margin = self.account_margin_if(account, market.info.spec.quote, Some((symbol, after)));
        if margin.initial().saturating_add(loss) > margin.balance() {
            return Err(Reject::MARGIN);
        }
        Ok(())
    }

    /// The price that a market order is secured at: the best of the other side.
    fn taking_price(&self, request: &NewOrder) -> Option<Price> {
        let market = self.markets.get(request.symbol)?;
        market.book.best(request.side.opposite()).map(|(price, _)| Price(price)).or(market.last_price)
    }

    /// Whether the price that an order sleeps for has been reached.
    pub(super) fn is_reached(&self, symbol: usize, trigger: &Trigger) -> bool {
        use super::order::TriggerBy;
        let price = match trigger.by {
            TriggerBy::Last => self.markets.get(symbol).and_then(|market| market.last_price),
            TriggerBy::Mark => self.mark_price(symbol),
        };
        // A take-profit order waits on the other side of the price: it is woken as a stop of the other side would be.
        let side = if trigger.is_take_profit { trigger.side.opposite() } else { trigger.side };
        price.is_some_and(|price| super::matching::is_triggered(side, trigger.price, price))
    }

    /// Whether the price that a sleeping order waits for has been reached. For dialects that keep such orders apart.
    pub fn has_reached(&self, request: &NewOrder) -> bool {
        self.is_reached(request.symbol, &trigger(request))
    }
}

/// What wakes a sleeping order.
pub(super) struct Trigger {
    side: Side,
    price: Price,
    is_take_profit: bool,
    by: super::order::TriggerBy,
}

const fn trigger(request: &NewOrder) -> Trigger {
    Trigger {
        side: request.side,
        price: request.stop_price,
        is_take_profit: request.kind.is_take_profit(),
        by: request.scope.trigger_by,
    }
}

/// What wakes an order that sleeps.
pub(super) const fn trigger_of(order: &Order) -> Trigger {
    Trigger {
        side: order.side,
        price: order.stop_price,
        is_take_profit: order.kind.is_take_profit(),
        by: order.scope.trigger_by,
    }
}
