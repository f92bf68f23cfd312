//! One fill: against what is left of the quote, through the account's open trades, into the log.
//!
//! All or nothing: a fill that is refused has changed neither the account nor the quote.

use super::account::{Account, Trade};
use super::booking;
use super::figures::{self, Figures};
use super::market::Market;
use super::order::{Order, State};
use super::settings::OandaLimits;
use super::terms::{Kind, OnFill, PositionFill};
use super::wire::{Obj, UNIT};
use smc_core::{Side, TsNs};

/// What is to be filled.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// For this order.
    pub order: u64,
    /// Signed units.
    pub units: i64,
    /// No worse than this.
    pub bound: Option<i64>,
    /// All of it or nothing.
    pub must_all: bool,
    /// Only this trade is closed.
    pub trade: Option<u64>,
    /// At the closeout price, whatever its liquidity.
    pub is_closeout: bool,
    /// The fill's reason.
    pub reason: &'static str,
}

/// What was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The fill's transaction.
    pub id: u64,
    /// Units asked for and not had.
    pub left: i64,
}

/// A trade that the fill closes or reduces, and by how much.
#[derive(Clone, Copy)]
pub struct Part {
    /// Its number.
    pub trade: u64,
    /// Units closed, more than zero.
    pub units: i64,
}

/// A fill that may be done.
pub struct Plan {
    /// What it closes, oldest first.
    pub parts: Vec<Part>,
    /// Signed units filled.
    pub units: i64,
    /// Units that open a trade, signed as `units`.
    pub opening: i64,
    /// Average price.
    pub price: i64,
    /// Units asked for and not had.
    pub left: i64,
}

/// Fills what is wanted as far as quote, account and order allow; else says why the venue would cancel.
pub fn fill(
    account: &mut Account,
    market: &mut Market,
    limits: &OandaLimits,
    want: &Want,
) -> Result<Filled, &'static str> {
    let order = account.orders.get(&want.order).ok_or("INTERNAL_SERVER_ERROR")?.clone();
    let quote = *market.quote(order.instrument);
    let plan = plan(account, market, limits, want, &order)?;
    let id = booking::book(account, market, want, &order, &plan, &quote);
    // Only now: the fill itself is valued at the prices that it met.
    if !want.is_closeout {
        market.take(order.instrument, side_of(plan.units), plan.units.abs());
    }
    if plan.opening != 0 {
        for (kind, on_fill) in [
            (Kind::TakeProfit, &order.take_profit),
            (Kind::StopLoss, &order.stop_loss),
            (Kind::Trailing, &order.trailing),
        ] {
            if let Some(on_fill) = on_fill {
                add_on_fill(account, market, &order, id, plan.price, kind, on_fill);
            }
        }
    }
    let closed: Vec<u64> = account.orders.get(&want.order).map(|it| it.closed.clone()).unwrap_or_default();
    for trade in closed {
        let linked: Vec<u64> =
            account.pending_orders().filter(|it| it.trade == Some(trade)).map(|it| it.id).collect();
        for order in linked {
            cancel(account, order, "LINKED_TRADE_CLOSED", None);
        }
    }
    Ok(Filled { id, left: plan.left })
}

const fn side_of(units: i64) -> Side {
    if units < 0 { Side::Sell } else { Side::Buy }
}

fn plan(
    account: &Account,
    market: &Market,
    limits: &OandaLimits,
    want: &Want,
    order: &Order,
) -> Result<Plan, &'static str> {
    let instrument = order.instrument;
    let quote = market.quote(instrument);
    if !quote.is_tradeable {
        return Err("MARKET_HALTED");
    }
    let side = side_of(want.units);
    let mut asked = want.units.abs();
    let reducible = reducible(account, want, order)?;
    let most: i64 = reducible.iter().map(|part| part.units).sum();
    let only_reduces = want.trade.is_some() || order.fill == PositionFill::ReduceOnly;
    if only_reduces {
        asked = asked.min(most);
        if asked == 0 {
            return Err("POSITION_CLOSEOUT_FAILED");
        }
    }
    let (filled, price) = if want.is_closeout {
        (asked, if side == Side::Buy { quote.closeout_ask.0 } else { quote.closeout_bid.0 })
    } else {
        let walk = market.walk(instrument, side, asked, want.bound);
        if walk.units == 0 || (want.must_all && walk.units < asked) {
            return Err(if walk.is_bound { "BOUNDS_VIOLATION" } else { "INSUFFICIENT_LIQUIDITY" });
        }
        (walk.units, average(walk.cash, walk.units, market.rules(instrument).tick(), side))
    };
    let mut left_to_close = filled.min(most);
    let opening = filled - left_to_close;
    let mut parts = Vec::new();
    for part in reducible {
        let units = part.units.min(left_to_close);
        left_to_close -= units;
        if units > 0 {
            parts.push(Part { units, ..part });
        }
    }
    let sign = side.sign();
    let plan = Plan { parts, units: sign * filled, opening: sign * opening, price, left: asked - filled };
    if opening > 0 {
        may_open(account, market, limits, order, &plan)?;
    }
    Ok(plan)
}

/// The open trades that the fill closes before it opens anything, oldest first.
fn reducible(account: &Account, want: &Want, order: &Order) -> Result<Vec<Part>, &'static str> {
    let opposite =
        |trade: &&Trade| trade.instrument == order.instrument && (trade.units > 0) != (want.units > 0);
    let part = |trade: &Trade| Part { trade: trade.id, units: trade.units.abs() };
    if let Some(id) = want.trade {
        return Ok(account.open_trades().filter(|trade| trade.id == id).filter(opposite).map(part).collect());
    }
    let opens_only = match order.fill {
        PositionFill::OpenOnly => true,
        PositionFill::Default => account.is_hedging,
        PositionFill::ReduceFirst | PositionFill::ReduceOnly => false,
    };
    let parts: Vec<Part> = account.open_trades().filter(opposite).map(part).collect();
    match (opens_only, account.is_hedging) {
        (false, _) => Ok(parts),
        (true, true) => Ok(Vec::new()),
        // A netting account cannot hold both sides, so an order that may only open cannot be filled.
        (true, false) if parts.is_empty() => Ok(parts),
        (true, false) => Err("FIFO_VIOLATION"),
    }
}

/// Price of all units together on the instrument's grid, rounded against the client.
fn average(cash: i128, units: i64, tick: i64, side: Side) -> i64 {
    let (tick, exact) = (i128::from(tick), cash * i128::from(UNIT));
    let step = i128::from(units) * tick;
    let ticks = match side {
        Side::Buy => (exact + step - 1).div_euclid(step),
        Side::Sell => exact.div_euclid(step),
    };
    i64::try_from(ticks * tick).unwrap_or(i64::MAX)
}

fn may_open(
    account: &Account,
    market: &Market,
    limits: &OandaLimits,
    order: &Order,
    plan: &Plan,
) -> Result<(), &'static str> {
    let is_long = plan.opening > 0;
    if account.open.len() - plan.parts.len().min(account.open.len()) >= limits.open_trades {
        return Err("OPEN_TRADES_ALLOWED_EXCEEDED");
    }
    let name = &order.trade_client.id;
    if !name.is_empty() && account.open_trades().any(|trade| &trade.client.id == name) {
        return Err("CLIENT_TRADE_ID_ALREADY_EXISTS");
    }
    let on_fills = [
        (&order.take_profit, "TAKE_PROFIT_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS"),
        (&order.stop_loss, "STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS"),
        (&order.trailing, "TRAILING_STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS"),
    ];
    let mut names: Vec<&str> = Vec::new();
    for (name, reason) in
        on_fills.iter().filter_map(|(it, reason)| Some((it.as_ref()?.client.id.as_str(), *reason)))
    {
        let is_taken = |it: &Order| it.client.id == name && it.id != order.id;
        if !name.is_empty() && (names.contains(&name) || account.pending_orders().any(is_taken)) {
            return Err(reason);
        }
        names.push(name);
    }
    let quote = market.quote(order.instrument);
    let beyond = |price: i64, against: i64| if is_long { price >= against } else { price <= against };
    if let Some(price) = order.stop_loss.as_ref().and_then(|it| it.price) {
        let closing = if is_long { quote.bid().0 } else { quote.ask().0 };
        if beyond(price, closing) {
            return Err("STOP_LOSS_ON_FILL_LOSS");
        }
    }
    if let Some(price) = order.take_profit.as_ref().and_then(|it| it.price)
        && !beyond(price, plan.price)
    {
        return Err("TAKE_PROFIT_ON_FILL_LOSS");
    }
    let closed: i64 = plan.parts.iter().map(|part| part.units).sum();
    let (long, short) = if is_long { (plan.opening, -closed) } else { (-closed, -plan.opening) };
    let before = figures::margin_of(account, market, order.instrument, 0, 0);
    let after = figures::margin_of(account, market, order.instrument, long, short);
    let now = Figures::of(account, market);
    if after > before && now.margin_used - before + after > now.nav {
        return Err("INSUFFICIENT_MARGIN");
    }
    Ok(())
}

/// Makes the order that a fill asks for on the trade it opened.
fn add_on_fill(
    account: &mut Account,
    market: &Market,
    cause: &Order,
    trade: u64,
    price: i64,
    kind: Kind,
    on_fill: &OnFill,
) {
    let mut order = Order::new(kind, cause.instrument);
    let sign = account.trades.get(&trade).map_or(1, |trade| trade.units.signum());
    order.trade = Some(trade);
    order.distance = on_fill.distance;
    order.price = on_fill.price.or_else(|| {
        on_fill.distance.filter(|_| kind == Kind::StopLoss).map(|distance| price - sign * distance)
    });
    order.life = on_fill.life;
    order.trigger = on_fill.trigger;
    order.client = on_fill.client.clone();
    order.reason = "ON_FILL";
    order.closeout = Obj::new().id("orderFillTransactionID", trade).members();
    create(account, market, order);
}

/// Adds an order that waits; returns its number.
pub fn create(account: &mut Account, market: &Market, mut order: Order) -> u64 {
    order.id = account.next_id();
    order.created = account.now();
    order.initial = market.quote(order.instrument).mid();
    if order.kind == Kind::Trailing {
        trail(account, market, &mut order);
    }
    account.log(order.kind.created(), order.transaction(market));
    let id = order.id;
    account.pending.insert(id);
    account.orders.insert(id, order);
    id
}

/// Moves a trailing stop after the price, never back.
pub fn trail(account: &Account, market: &Market, order: &mut Order) {
    let Some(trade) = order.trade.and_then(|id| account.trades.get(&id)) else { return };
    let (quote, distance) = (market.quote(order.instrument), order.distance.unwrap_or(0));
    order.trailing_value = Some(match (trade.units > 0, order.trailing_value) {
        (true, before) => (quote.bid().0 - distance).max(before.unwrap_or(i64::MIN)),
        (false, before) => (quote.ask().0 + distance).min(before.unwrap_or(i64::MAX)),
    });
}

/// Takes an order out; returns the transaction. `replaced_by`: the order that takes its place.
pub fn cancel(account: &mut Account, id: u64, reason: &str, replaced_by: Option<u64>) -> u64 {
    let client = account.orders.get(&id).map(|order| order.client.id.clone()).unwrap_or_default();
    let body = Obj::new()
        .id("orderID", id)
        .with(Some(client).filter(|it| !it.is_empty()), |o, it| o.text("clientOrderID", &it))
        .with(replaced_by, |o, by| o.id("replacedByOrderID", by))
        .text("reason", reason);
    let by = account.log("ORDER_CANCEL", body.members());
    let at: TsNs = account.now();
    if let Some(order) = account.orders.get_mut(&id) {
        order.state = State::Cancelled { by, at };
        order.replaced_by = replaced_by;
    }
    account.pending.remove(&id);
    by
}
