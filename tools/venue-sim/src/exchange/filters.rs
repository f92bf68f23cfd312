//! The symbol's filters, each with the venue's code and message.
//!
//! Pure. Filters speak before the matching engine sees the order, so a refusal here leaves no trace but its answer.

use super::order::{NewOrder, OrderType};
use super::reject::Reject;
use crate::market::SymbolInfo;
use smc_core::Price;
use smc_core::instrument::TradingStatus;

/// Checks an order against the rules of its symbol. `reference` stands for the price of a market order.
pub fn check(
    order: &NewOrder,
    info: &SymbolInfo,
    open_orders: u32,
    reference: Option<Price>,
) -> Result<(), Reject> {
    if info.spec.status != TradingStatus::Trading {
        return Err(Reject::CLOSED);
    }
    if !order.kind.is_market() {
        price_filter(order.price, info)?;
    }
    if order.kind.sleeps() {
        price_filter(order.stop_price, info)?;
    }
    lot_size(order, info)?;
    notional(order, info, reference)?;
    if order.kind != OrderType::Market && open_orders >= info.orders_max {
        return Err(Reject::filter("MAX_NUM_ORDERS"));
    }
    Ok(())
}

fn price_filter(price: Price, info: &SymbolInfo) -> Result<(), Reject> {
    let in_range = info.price_min <= price && price <= info.price_max;
    let on_tick = price.0.checked_rem(info.spec.tick.0).unwrap_or(0) == 0;
    if in_range && on_tick { Ok(()) } else { Err(Reject::filter("PRICE_FILTER")) }
}

fn lot_size(order: &NewOrder, info: &SymbolInfo) -> Result<(), Reject> {
    if order.qty.0 == 0 {
        return Ok(()); // a market order by quote amount: its quantity follows from the book
    }
    let in_range = info.spec.qty_min <= order.qty && order.qty <= info.spec.qty_max;
    let on_step = order.qty.0.checked_rem(info.spec.lot.0).unwrap_or(0) == 0;
    if !in_range || !on_step {
        return Err(Reject::filter("LOT_SIZE"));
    }
    if order.kind.is_market() && order.qty > info.market_qty_max {
        return Err(Reject::filter("MARKET_LOT_SIZE"));
    }
    Ok(())
}

fn notional(order: &NewOrder, info: &SymbolInfo, reference: Option<Price>) -> Result<(), Reject> {
    let value = if order.qty.0 == 0 {
        order.quote_qty
    } else {
        let price = if order.kind.is_market() { reference } else { Some(order.price) };
        // Without any price yet there is nothing to hold the order against; it will find no book either.
        let Some(price) = price else { return Ok(()) };
        price.notional_floor(order.qty).0
    };
    if value < info.spec.notional_min.0 { Err(Reject::filter("NOTIONAL")) } else { Ok(()) }
}
