//! From the parameters of a new order to what the exchange is asked for.
//!
//! Pure. Parameters with a meaning that the simulator does not offer are refused, never ignored.

use super::ledger::Asked;
use super::params::Params;
use super::refusal::Refusal;
use super::words::Category;
use crate::exchange::Exchange;
use crate::exchange::order::{NewOrder, OrderType, Scope, SelfTradePrevention, TimeInForce, TriggerBy};
use crate::market::SymbolInfo;
use smc_core::instrument::TradingStatus;
use smc_core::{Price, Qty, Side};

/// Parameters that the venue has and the simulator has not.
const UNSUPPORTED: [&str; 10] = [
    "slippageToleranceType",
    "slippageTolerance",
    "bboSideType",
    "bboLevel",
    "orderIv",
    "mmp",
    "tpLimitPrice",
    "slLimitPrice",
    "trailingStop",
    "activePrice",
];

/// Reads a new order of an account, in the order in which the venue complains.
pub fn new_order(
    exchange: &Exchange,
    account: usize,
    symbol: usize,
    category: Category,
    params: &Params,
) -> Result<(NewOrder, Asked), Refusal> {
    let market = exchange.market(symbol).ok_or(Refusal::symbol(category))?;
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| params.get(name).is_some()) {
        return Err(Refusal::param(name));
    }
    refuse_other_modes(category, params)?;
    let side = match params.required("side")? {
        "Buy" => Side::Buy,
        "Sell" => Side::Sell,
        _ => return Err(Refusal::param("side")),
    };
    let is_market = match params.required("orderType")? {
        "Market" => true,
        "Limit" => false,
        _ => return Err(Refusal::param("orderType")),
    };
    let (tif_word, tif) = time_in_force(params, is_market)?;
    let price = params.price("price")?;
    if !is_market && price.is_none() {
        return Err(Refusal::price_step(category));
    }
    let price = if is_market { Price::ZERO } else { price.unwrap_or(Price::ZERO) };
    let by_quote = category.is_spot()
        && is_market
        && match params.get("marketUnit") {
            Some("quoteCoin") => true,
            Some("baseCoin") => false,
            Some(_) => return Err(Refusal::param("marketUnit")),
            None => side == Side::Buy,
        };
    let amount = params.amount("qty")?.ok_or(Refusal::param("qty"))?;
    let last = market.last_price.or(exchange.mark_price(symbol)).unwrap_or(Price::ZERO);
    let trigger = trigger(category, params, side, is_market, last)?;
    let (stp, smp_type) = self_match(params)?;
    let is_reduce_only = !category.is_spot() && params.flag("reduceOnly")?;
    let is_close_on_trigger = !category.is_spot() && params.flag("closeOnTrigger")?;
    let (take_profit, stop_loss) = (params.price("takeProfit")?, params.price("stopLoss")?);
    if is_reduce_only && (take_profit.is_some() || stop_loss.is_some()) {
        return Err(Refusal::new(10001, "Reduce-only orders cannot carry take profit or stop loss"));
    }
    if category.is_spot() && (take_profit.is_some() || stop_loss.is_some()) {
        return Err(Refusal::param("takeProfit")); // only contracts have positions to guard here
    }
    let mut qty = if by_quote { 0 } else { amount };
    if is_reduce_only && trigger.is_none() {
        qty = reduced(exchange, account, symbol, side, qty, is_close_on_trigger)?;
    }
    let order = NewOrder {
        account,
        symbol,
        side,
        kind: match (&trigger, is_market) {
            (Some(trigger), _) => trigger.kind,
            (None, true) => OrderType::Market,
            (None, false) => OrderType::Limit,
        },
        time_in_force: tif,
        price,
        qty: Qty(qty),
        quote_qty: if by_quote { amount } else { 0 },
        stop_price: trigger.as_ref().map_or(Price::ZERO, |trigger| trigger.price),
        client_order_id: params.link_id()?.map(str::to_owned),
        stp,
        scope: Scope {
            is_reduce_only,
            closes_position: false,
            trigger_by: trigger.as_ref().map_or(TriggerBy::Last, |trigger| trigger.by),
        },
    };
    check_grid(&order, category, &market.info, last)?;
    let asked = Asked {
        time_in_force: tif_word,
        is_market,
        market_unit: match (category.is_spot() && is_market, by_quote) {
            (false, _) => "",
            (true, true) => "quoteCoin",
            (true, false) => "baseCoin",
        },
        trigger_direction: trigger.as_ref().map_or(0, |trigger| trigger.direction),
        trigger_by: trigger.as_ref().map_or("", |trigger| trigger.word),
        stop_order_type: trigger.as_ref().map_or("UNKNOWN", |trigger| trigger.stop_order_type),
        create_type: "CreateByUser",
        smp_type,
        is_close_on_trigger,
        take_profit: take_profit.unwrap_or(Price::ZERO),
        stop_loss: stop_loss.unwrap_or(Price::ZERO),
        tpsl_trigger_by: [trigger_word(params, "tpTriggerBy")?, trigger_word(params, "slTriggerBy")?],
        last_price: last,
    };
    Ok((order, asked))
}

/// Modes of account and order that the simulator has not.
fn refuse_other_modes(category: Category, params: &Params) -> Result<(), Refusal> {
    if params.get("positionIdx").is_some_and(|index| index != "0") {
        return Err(Refusal::new(10001, "position idx not match position mode"));
    }
    if params.get("tpslMode").is_some_and(|mode| mode != "Full") {
        return Err(Refusal::param("tpslMode"));
    }
    let is_limit = |name: &str| params.get(name).is_some_and(|kind| kind != "Market");
    if is_limit("tpOrderType") || is_limit("slOrderType") {
        return Err(Refusal::param("tpOrderType"));
    }
    if category.is_spot() && params.get("isLeverage").is_some_and(|leverage| leverage != "0") {
        return Err(Refusal::param("isLeverage"));
    }
    Ok(())
}

fn time_in_force(params: &Params, is_market: bool) -> Result<(&'static str, TimeInForce), Refusal> {
    // A market order is an immediate one, whatever it says.
    Ok(match params.get("timeInForce") {
        Some("GTC" | "IOC" | "FOK" | "PostOnly") | None if is_market => ("IOC", TimeInForce::Ioc),
        Some("GTC") | None => ("GTC", TimeInForce::Gtc),
        Some("IOC") => ("IOC", TimeInForce::Ioc),
        Some("FOK") => ("FOK", TimeInForce::Fok),
        Some("PostOnly") => ("PostOnly", TimeInForce::Gtx),
        Some(_) => return Err(Refusal::param("timeInForce")),
    })
}

fn self_match(params: &Params) -> Result<(SelfTradePrevention, &'static str), Refusal> {
    Ok(match params.get("smpType") {
        None | Some("None") => (SelfTradePrevention::None, "None"),
        Some("CancelMaker") => (SelfTradePrevention::ExpireMaker, "CancelMaker"),
        Some("CancelTaker") => (SelfTradePrevention::ExpireTaker, "CancelTaker"),
        Some("CancelBoth") => (SelfTradePrevention::ExpireBoth, "CancelBoth"),
        Some(_) => return Err(Refusal::param("smpType")),
    })
}

/// The venue's word for what triggers something.
pub fn trigger_word(params: &Params, name: &str) -> Result<&'static str, Refusal> {
    Ok(match params.get(name) {
        None => "",
        Some("LastPrice") => "LastPrice",
        Some("MarkPrice") => "MarkPrice",
        Some("IndexPrice") => "IndexPrice",
        Some(_) => return Err(Refusal::param(name)),
    })
}

/// What wakes an order: the simulator's index is its mark.
pub const fn trigger_by(word: &str) -> TriggerBy {
    match word.as_bytes() {
        b"MarkPrice" | b"IndexPrice" => TriggerBy::Mark,
        _ => TriggerBy::Last,
    }
}

/// What a conditional order waits for.
struct Trigger {
    price: Price,
    direction: u8,
    word: &'static str,
    by: TriggerBy,
    kind: OrderType,
    stop_order_type: &'static str,
}

fn trigger(
    category: Category,
    params: &Params,
    side: Side,
    is_market: bool,
    last: Price,
) -> Result<Option<Trigger>, Refusal> {
    let filter = params.get("orderFilter");
    if !matches!(filter, None | Some("Order" | "StopOrder" | "tpslOrder")) {
        return Err(Refusal::param("orderFilter"));
    }
    let Some(price) = params.price("triggerPrice")? else { return Ok(None) };
    // On spot the direction follows from where the price is; a contract says it.
    let direction = match (category.is_spot(), params.get("triggerDirection")) {
        (true, _) => {
            if price > last {
                1
            } else {
                2
            }
        }
        (false, Some("1")) => 1,
        (false, Some("2")) => 2,
        (false, _) => return Err(Refusal::param("triggerDirection")),
    };
    let word = match trigger_word(params, "triggerBy")? {
        "" => "LastPrice",
        word => word,
    };
    // A stop follows the price, a take profit waits for it to come back: the exchange's two ways to sleep.
    let is_stop = (direction == 1) == (side == Side::Buy);
    let kind = match (is_stop, is_market) {
        (true, true) => OrderType::StopMarket,
        (true, false) => OrderType::StopLossLimit,
        (false, true) => OrderType::TakeProfitMarket,
        (false, false) => OrderType::TakeProfitLimit,
    };
    let stop_order_type =
        if category.is_spot() && filter != Some("StopOrder") { "tpslOrder" } else { "Stop" };
    Ok(Some(Trigger { price, direction, word, by: trigger_by(word), kind, stop_order_type }))
}

/// A reducing order takes no more than there is: it is cut to the position, and refused without one.
fn reduced(
    exchange: &Exchange,
    account: usize,
    symbol: usize,
    side: Side,
    qty: i64,
    closes_all: bool,
) -> Result<i64, Refusal> {
    let held = exchange.account(account).map_or(0, |owner| owner.position(symbol).reducible(side));
    if held == 0 {
        return Err(Refusal::REDUCE_ONLY);
    }
    Ok(if qty == 0 && closes_all { held } else { qty.min(held) })
}

/// Price and quantity against the instrument's rules.
pub fn check_grid(
    order: &NewOrder,
    category: Category,
    info: &SymbolInfo,
    last: Price,
) -> Result<(), Refusal> {
    if info.spec.status != TradingStatus::Trading {
        return Err(Refusal::closed(category));
    }
    for price in [order.price, order.stop_price] {
        if price != Price::ZERO {
            check_price(price, category, info)?;
        }
    }
    if order.qty.0 == 0 && order.quote_qty > 0 {
        let is_enough = order.quote_qty >= info.spec.notional_min.0;
        return if is_enough { Ok(()) } else { Err(Refusal::notional(category)) };
    }
    let most = if order.kind.is_market() { info.market_qty_max } else { info.spec.qty_max };
    check_qty(order.qty, most, category, info)?;
    let price = if order.price == Price::ZERO { last } else { order.price };
    let is_small = price != Price::ZERO && price.notional_floor(order.qty).0 < info.spec.notional_min.0;
    if is_small && !order.scope.is_reduce_only { Err(Refusal::notional(category)) } else { Ok(()) }
}

/// A price against the instrument's rules.
pub fn check_price(price: Price, category: Category, info: &SymbolInfo) -> Result<(), Refusal> {
    if price.0 % info.spec.tick.0.max(1) != 0 {
        return Err(Refusal::price_step(category));
    }
    if price > info.price_max {
        return Err(Refusal::price_high(category));
    }
    if price < info.price_min { Err(Refusal::price_low(category)) } else { Ok(()) }
}

/// A quantity against the instrument's rules.
pub fn check_qty(qty: Qty, most: Qty, category: Category, info: &SymbolInfo) -> Result<(), Refusal> {
    if qty < info.spec.qty_min || qty.0 == 0 {
        return Err(Refusal::qty_low(category));
    }
    if qty.0 % info.spec.lot.0.max(1) != 0 {
        return Err(Refusal::qty_step(category));
    }
    if qty > most { Err(Refusal::qty_high(category)) } else { Ok(()) }
}
