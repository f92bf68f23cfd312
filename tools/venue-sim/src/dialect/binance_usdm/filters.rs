//! The symbol's filters with futures' arithmetic: steps count from the least price and the least quantity.
//!
//! Pure. A refusal here leaves no trace but its answer.

use super::refusals;
use crate::exchange::order::NewOrder;
use crate::exchange::reject::Reject;
use crate::market::SymbolInfo;
use smc_core::Price;
use smc_core::instrument::TradingStatus;

/// PERCENT_PRICE: a buy may not lie above, a sell not below the mark price by more than this, in ppm.
pub const MULTIPLIER_UP_PPM: i64 = 1_150_000;
/// As above, downwards.
pub const MULTIPLIER_DOWN_PPM: i64 = 850_000;
/// Conditional orders that one account may have in a symbol.
pub const ALGO_ORDERS_MAX: u32 = 200;

/// What an order is held against.
#[derive(Clone, Copy, Debug)]
pub struct Market {
    /// The mark price; none before there is any price.
    pub mark: Option<Price>,
    /// The best price of the other side.
    pub best_opposite: Option<Price>,
    /// The account's open orders in the symbol.
    pub open_orders: u32,
}

/// Checks an order, or a changed one, against the rules of its symbol.
pub fn check(order: &NewOrder, info: &SymbolInfo, market: Market) -> Result<(), Reject> {
    if info.spec.status != TradingStatus::Trading {
        return Err(refusals::CLOSED);
    }
    let is_market = order.kind.is_market();
    if !is_market {
        price(order.price, info)?;
    }
    if order.kind.sleeps() {
        price(order.stop_price, info)?;
    }
    if !order.scope.closes_position {
        quantity(order, info)?;
    }
    if !order.kind.sleeps() {
        percent_price(order, market)?;
        let value = if is_market { market.mark } else { Some(order.price) };
        let value = value.map_or(i64::MAX, |price| price.notional_floor(order.qty).0);
        if value < info.spec.notional_min.0 && !order.scope.is_reduce_only {
            let least = info.spec.notional_min.to_string();
            return Err(refusals::notional(&least));
        }
        if !is_market && market.open_orders >= info.orders_max {
            return Err(refusals::OPEN_ORDERS);
        }
    }
    Ok(())
}

fn price(price: Price, info: &SymbolInfo) -> Result<(), Reject> {
    if price < info.price_min {
        return Err(refusals::PRICE_TOO_LOW);
    }
    if price > info.price_max {
        return Err(refusals::PRICE_TOO_HIGH);
    }
    let off = (price.0 - info.price_min.0).checked_rem(info.spec.tick.0).unwrap_or(0);
    if off == 0 { Ok(()) } else { Err(refusals::PRICE_OFF_TICK) }
}

fn quantity(order: &NewOrder, info: &SymbolInfo) -> Result<(), Reject> {
    let most = if order.kind.is_market() { info.market_qty_max } else { info.spec.qty_max };
    if order.qty < info.spec.qty_min {
        return Err(refusals::QTY_TOO_SMALL);
    }
    if order.qty > most {
        return Err(refusals::QTY_TOO_LARGE);
    }
    let off = (order.qty.0 - info.spec.qty_min.0).checked_rem(info.spec.lot.0).unwrap_or(0);
    if off == 0 { Ok(()) } else { Err(refusals::QTY_OFF_STEP) }
}

fn percent_price(order: &NewOrder, market: Market) -> Result<(), Reject> {
    use smc_core::Side::{Buy, Sell};
    let Some(mark) = market.mark else { return Ok(()) };
    let bound = |ppm: i64| i128::from(mark.0) * i128::from(ppm) / 1_000_000;
    let is_beyond = |price: Price| match order.side {
        Buy => i128::from(price.0) > bound(MULTIPLIER_UP_PPM),
        Sell => i128::from(price.0) < bound(MULTIPLIER_DOWN_PPM),
    };
    match (order.kind.is_market(), order.side) {
        (true, _) if market.best_opposite.is_some_and(is_beyond) => Err(refusals::COUNTERPARTY),
        (false, Buy) if is_beyond(order.price) => Err(refusals::PRICE_ABOVE_MARK),
        (false, Sell) if is_beyond(order.price) => Err(refusals::PRICE_BELOW_MARK),
        _ => Ok(()),
    }
}
