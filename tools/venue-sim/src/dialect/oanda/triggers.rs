//! What makes an order fill: placing it, a quote, the clock. And what happens to it when it cannot.

use super::account::Account;
use super::dealing::{self, Filled, Want};
use super::figures::Figures;
use super::market::Market;
use super::order::Order;
use super::settings::OandaLimits;
use super::terms::{Kind, Life, PositionFill, Trigger};
use super::wire::{Obj, UNIT};
use crate::market::fx::FxQuote;
use smc_core::{Side, TsNs};
use std::collections::BTreeMap;

/// The transactions of one order, each when there was one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The order's number.
    pub create: u64,
    /// It was filled.
    pub fill: Option<u64>,
    /// It was cancelled.
    pub cancel: Option<u64>,
    /// The rest of it is a new order.
    pub reissue: Option<u64>,
}

/// Adds an order and fills it if it can be filled now.
pub fn place(account: &mut Account, market: &mut Market, limits: &OandaLimits, order: Order) -> Placed {
    let create = dealing::create(account, market, order);
    Placed { create, ..attempt(account, market, limits, create) }
}

/// Fills a waiting order if the quote allows it.
fn attempt(account: &mut Account, market: &mut Market, limits: &OandaLimits, id: u64) -> Placed {
    let mut placed = Placed::default();
    let Some(order) = account.orders.get(&id).filter(|order| order.is_pending()) else { return placed };
    let (kind, life, trade) = (order.kind, order.life, order.trade);
    let is_closing = kind.is_for_trade() || (kind == Kind::Market && trade.is_some());
    let held = trade.filter(|_| is_closing).and_then(|id| account.trades.get(&id)).map_or(0, |it| it.units);
    let units = if kind.is_for_trade() { -held } else { order.units };
    let is_now_or_never = matches!(life, Life::Fok | Life::Ioc);
    let quote = market.quote(order.instrument);
    let side = if units < 0 { Side::Sell } else { Side::Buy };
    let is_triggered = kind == Kind::Market || (quote.is_tradeable && is_triggered(order, side, quote));
    if !is_triggered {
        if is_now_or_never {
            let reason = if quote.is_tradeable { "TIME_IN_FORCE_EXPIRED" } else { "MARKET_HALTED" };
            placed.cancel = Some(dealing::cancel(account, id, reason, None));
        }
        return placed;
    }
    let is_limit = matches!(kind, Kind::Limit | Kind::TakeProfit);
    let want = Want {
        order: id,
        units,
        bound: if is_limit { order.price } else { order.bound },
        must_all: life == Life::Fok,
        trade: trade.filter(|_| is_closing),
        is_closeout: order.reason == "MARGIN_CLOSEOUT",
        reason: fill_reason(order),
    };
    match dealing::fill(account, market, limits, &want) {
        Ok(Filled { id: fill, left }) => {
            placed.fill = Some(fill);
            if left > 0 && !is_now_or_never {
                placed.reissue = Some(reissue(account, market, id, left));
            }
        }
        Err("INSUFFICIENT_LIQUIDITY" | "BOUNDS_VIOLATION")
            if waits_for_liquidity(kind) && !is_now_or_never => {}
        Err(reason) => placed.cancel = Some(dealing::cancel(account, id, reason, None)),
    }
    placed
}

/// Fills a waiting order at once if the quote of the moment allows it, whatever else that quote would trigger.
pub fn tempt(account: &mut Account, market: &mut Market, limits: &OandaLimits, id: u64, now: TsNs) -> bool {
    account.begin(now, None);
    attempt(account, market, limits, id).fill.is_some()
}

/// Orders that a thin quote leaves waiting; the others are cancelled by it.
const fn waits_for_liquidity(kind: Kind) -> bool {
    matches!(kind, Kind::Limit | Kind::TakeProfit | Kind::StopLoss | Kind::Trailing)
}

fn is_triggered(order: &Order, side: Side, quote: &FxQuote) -> bool {
    let (ask, bid) = (quote.ask().0, quote.bid().0);
    let is_buy = side == Side::Buy;
    let price = match order.trigger {
        Trigger::Default => {
            if is_buy {
                ask
            } else {
                bid
            }
        }
        Trigger::Inverse => {
            if is_buy {
                bid
            } else {
                ask
            }
        }
        Trigger::Bid => bid,
        Trigger::Ask => ask,
        Trigger::Mid => quote.mid(),
    };
    let level = match order.kind {
        Kind::Trailing => order.trailing_value,
        _ => order.price,
    };
    let Some(level) = level else { return false };
    match order.kind {
        Kind::Market => true,
        Kind::Limit | Kind::TakeProfit => {
            if is_buy {
                price <= level
            } else {
                price >= level
            }
        }
        Kind::Stop | Kind::StopLoss | Kind::Trailing => {
            if is_buy {
                price >= level
            } else {
                price <= level
            }
        }
        Kind::Touched => {
            if order.initial < level {
                price >= level
            } else {
                price <= level
            }
        }
    }
}

fn fill_reason(order: &Order) -> &'static str {
    match order.kind {
        Kind::Market => match order.reason {
            "TRADE_CLOSE" => "MARKET_ORDER_TRADE_CLOSE",
            "POSITION_CLOSEOUT" => "MARKET_ORDER_POSITION_CLOSEOUT",
            "MARGIN_CLOSEOUT" => "MARKET_ORDER_MARGIN_CLOSEOUT",
            _ => "MARKET_ORDER",
        },
        kind => kind.created(),
    }
}

/// Makes the rest of a partly filled order a new one that waits.
fn reissue(account: &mut Account, market: &Market, id: u64, left: i64) -> u64 {
    let Some(order) = account.orders.get(&id) else { return 0 };
    let mut rest = Order::new(order.kind, order.instrument);
    rest.units = order.units.signum() * left;
    (rest.price, rest.bound, rest.distance) = (order.price, order.bound, order.distance);
    (rest.life, rest.trigger, rest.fill) = (order.life, order.trigger, order.fill);
    (rest.client, rest.trade_client) = (order.client.clone(), order.trade_client.clone());
    rest.take_profit = order.take_profit.clone();
    rest.stop_loss = order.stop_loss.clone();
    rest.trailing = order.trailing.clone();
    (rest.trade, rest.trailing_value) = (order.trade, order.trailing_value);
    rest.replaces = Some(id);
    rest.reason = "REPLACEMENT";
    if rest.kind.is_for_trade() {
        rest.units = 0;
    }
    // A client's name for a trade is spent by the first part.
    rest.trade_client.id.clear();
    let new = dealing::create(account, market, rest);
    if let Some(order) = account.orders.get_mut(&id) {
        order.replaced_by = Some(new);
    }
    new
}

/// Lets a quote trigger what waits for it, and watches the margin. True when anything happened.
pub fn on_quote(
    account: &mut Account,
    market: &mut Market,
    limits: &OandaLimits,
    instrument: usize,
    now: TsNs,
) -> bool {
    let before = account.last_id();
    let waiting: Vec<u64> = account
        .pending_orders()
        .filter(|order| order.instrument == instrument)
        .map(|order| order.id)
        .collect();
    for id in waiting {
        account.begin(now, None);
        let is_trailing = |it: &&Order| it.kind == Kind::Trailing && market.quote(instrument).is_tradeable;
        if let Some(mut order) = account.orders.get(&id).filter(is_trailing).cloned() {
            dealing::trail(account, market, &mut order);
            account.orders.insert(id, order);
        }
        attempt(account, market, limits, id);
    }
    if !account.open.is_empty() || account.margin_call.is_some() {
        watch_margin(account, market, limits, now);
    }
    account.last_id() != before
}

/// Enters and leaves margin calls, and closes everything that can be dealt once half the margin is not covered.
fn watch_margin(account: &mut Account, market: &mut Market, limits: &OandaLimits, now: TsNs) {
    let figures = Figures::of(account, market);
    let is_called = figures.call_share() >= UNIT;
    if is_called != account.margin_call.is_some() {
        account.begin(now, None);
        account.log(if is_called { "MARGIN_CALL_ENTER" } else { "MARGIN_CALL_EXIT" }, String::new());
        account.margin_call = is_called.then_some(now);
    }
    if figures.closeout_share() < UNIT {
        return;
    }
    let mut held: BTreeMap<(usize, bool), i64> = BTreeMap::new();
    for trade in account.open_trades() {
        *held.entry((trade.instrument, trade.units > 0)).or_default() += trade.units;
    }
    for ((instrument, _), units) in held {
        if market.quote(instrument).is_tradeable {
            account.begin(now, None);
            let why = Obj::new().raw("marginCloseout", "{\"reason\":\"MARGIN_CHECK_VIOLATION\"}").members();
            place(account, market, limits, closing(instrument, -units, "MARGIN_CLOSEOUT", why));
        }
    }
}

/// A market order of the venue's own that only closes. `why`: the further members of its transaction.
pub fn closing(instrument: usize, units: i64, reason: &'static str, why: String) -> Order {
    let mut order = Order::new(Kind::Market, instrument);
    order.units = units;
    order.fill = PositionFill::ReduceOnly;
    order.reason = reason;
    order.closeout = why;
    order
}

/// The first instant at which an order of the account ends by itself.
pub fn next_expiry(account: &Account) -> Option<TsNs> {
    let until = |order: &Order| match order.life {
        Life::Gtd(until) => Some(until),
        _ => None,
    };
    account.pending_orders().filter_map(until).min()
}

/// Ends the orders whose time is over. `is_roll`: it is 17:00 in New York.
pub fn expire(account: &mut Account, now: TsNs, is_roll: bool) {
    let is_over = |order: &&Order| match order.life {
        Life::Gtd(until) => until <= now,
        Life::Gfd => is_roll && order.created < now,
        _ => false,
    };
    let over: Vec<u64> = account.pending_orders().filter(is_over).map(|order| order.id).collect();
    for id in over {
        account.begin(now, None);
        dealing::cancel(account, id, "TIME_IN_FORCE_EXPIRED", None);
    }
}

/// The price of a stop at a distance from where a trade would be closed now.
pub fn stop_at(market: &Market, instrument: usize, is_long: bool, distance: i64) -> i64 {
    let quote = market.quote(instrument);
    if is_long { quote.bid().0 - distance } else { quote.ask().0 + distance }
}
