//! What the venue says of an account: summary, trades and positions, as of the current quotes.

use super::account::{Account, Earned, Trade};
use super::figures::{self, Figures};
use super::market::Market;
use super::terms::Kind;
use super::wire::{Obj, UNIT, decimal};

/// Decimals of a share of margin.
const SHARE_DECIMALS: u32 = 5;

/// Everything about an account but its lists.
pub fn summary(account: &Account, market: &Market) -> Obj {
    let figures = Figures::of(account, market);
    let margin_rate = account.margin_ppm.unwrap_or(20_000);
    Obj::new()
        .text("guaranteedStopLossOrderMode", "DISABLED")
        .raw("hedgingEnabled", if account.is_hedging { "true" } else { "false" })
        .text("id", &account.id)
        .time("createdTime", account.created)
        .text("currency", &account.currency)
        .raw("createdByUserID", &account.user().to_string())
        .text("alias", &account.alias)
        .text("marginRate", &super::wire::plain(i64::from(margin_rate) * (UNIT / 1_000_000)))
        .id("lastTransactionID", account.last_id())
        .cash("balance", account.balance)
        .raw("openTradeCount", &account.open.len().to_string())
        .raw("openPositionCount", &open_positions(account).count().to_string())
        .raw("pendingOrderCount", &account.pending.len().to_string())
        .cash("pl", account.pl)
        .cash("resettablePL", account.pl)
        .text("resettablePLTime", "0")
        .cash("financing", account.financing)
        .cash("commission", 0)
        .text("dividendAdjustment", "0")
        .cash("guaranteedExecutionFees", 0)
        .with(account.last_fill, |o, at| o.time("lastOrderFillTimestamp", at))
        .with(account.margin_call, |o, at| o.time("marginCallEnterTime", at))
        .join(&worth(&figures).members())
        .cash("marginCloseoutPositionValue", figures.position_value)
        .cash("withdrawalLimit", figures.margin_available.min(account.balance.max(0)))
}

/// What changes with the quotes.
fn worth(figures: &Figures) -> Obj {
    let share = |value| decimal(value, SHARE_DECIMALS);
    Obj::new()
        .cash("unrealizedPL", figures.unrealized)
        .cash("NAV", figures.nav)
        .cash("marginUsed", figures.margin_used)
        .cash("marginAvailable", figures.margin_available)
        .cash("positionValue", figures.position_value)
        .cash("marginCloseoutUnrealizedPL", figures.closeout_unrealized)
        .cash("marginCloseoutNAV", figures.closeout_nav)
        .cash("marginCloseoutMarginUsed", figures.margin_used)
        .text("marginCloseoutPercent", &share(figures.closeout_share()))
        .cash("marginCallMarginUsed", figures.margin_used)
        .text("marginCallPercent", &share(figures.call_share()))
}

/// Summary and lists.
pub fn details(account: &Account, market: &Market) -> Obj {
    summary(account, market)
        .list("orders", account.pending_orders().map(|order| order.json(market)))
        .list("trades", account.open_trades().map(|it| trade(account, market, it, true)))
        .list("positions", account.earned.keys().map(|it| position(account, market, *it)))
}

/// The state part of the changes: what depends on the quotes and has no transaction of its own.
pub fn state(account: &Account, market: &Market) -> Obj {
    let figures = Figures::of(account, market);
    let price = |instrument: usize, value| decimal(value, market.rules(instrument).price_decimals);
    let trailing = account.pending_orders().filter_map(|order| {
        let value = order.trailing_value?;
        Some(Obj::new().id("id", order.id).text("trailingStopValue", &price(order.instrument, value)).done())
    });
    let trades = account.open_trades().map(|trade| {
        Obj::new()
            .id("id", trade.id)
            .cash("unrealizedPL", figures::unrealized(account, market, trade, false))
            .cash("marginUsed", figures::margin(account, market, trade.instrument, trade.units))
            .done()
    });
    let positions = open_positions(account).map(|instrument| {
        let [long, short] = [true, false].map(|is_long| unrealized(account, market, instrument, is_long));
        Obj::new()
            .text("instrument", market.rules(instrument).name.as_str())
            .cash("netUnrealizedPL", long + short)
            .cash("longUnrealizedPL", long)
            .cash("shortUnrealizedPL", short)
            .cash("marginUsed", figures::margin_of(account, market, instrument, 0, 0))
            .done()
    });
    worth(&figures)
        .cash("withdrawalLimit", figures.margin_available.min(account.balance.max(0)))
        .list("orders", trailing)
        .list("trades", trades)
        .list("positions", positions)
}

/// One trade. A list inside the account names its orders by number, any other list has them whole.
pub fn trade(account: &Account, market: &Market, trade: &Trade, is_summary: bool) -> String {
    let rules = market.rules(trade.instrument);
    let units = |value| decimal(value, rules.units_decimals);
    let price = |value| decimal(value, rules.price_decimals);
    let closed = trade.initial_units.abs() - trade.units.abs();
    let average =
        (closed > 0).then(|| i64::try_from(trade.closed_value / i128::from(closed)).unwrap_or(i64::MAX));
    let mut object = Obj::new()
        .id("id", trade.id)
        .text("instrument", rules.name.as_str())
        .text("price", &price(trade.price))
        .time("openTime", trade.opened)
        .text("initialUnits", &units(trade.initial_units))
        .cash("initialMarginRequired", trade.initial_margin)
        .text("state", if trade.is_open() { "OPEN" } else { "CLOSED" })
        .text("currentUnits", &units(trade.units))
        .cash("realizedPL", trade.realized)
        .cash("financing", trade.financing)
        .cash("dividendAdjustment", 0)
        .with(Some(&trade.client).filter(|it| !it.is_empty()), |o, it| o.raw("clientExtensions", &it.json()))
        .with(average, |o, value| o.text("averageClosePrice", &price(value)));
    if !trade.closing.is_empty() {
        object = object.ids("closingTransactionIDs", trade.closing.iter().copied());
    }
    if let Some(at) = trade.closed {
        return object.time("closeTime", at).done();
    }
    object = object
        .cash("unrealizedPL", figures::unrealized(account, market, trade, false))
        .cash("marginUsed", figures::margin(account, market, trade.instrument, trade.units));
    for (kind, key) in [
        (Kind::TakeProfit, "takeProfitOrder"),
        (Kind::StopLoss, "stopLossOrder"),
        (Kind::Trailing, "trailingStopLossOrder"),
    ] {
        if let Some(order) = account.order_of_trade(trade.id, kind) {
            object = match is_summary {
                true => object.id(&format!("{key}ID"), order.id),
                false => object.raw(key, &order.json(market)),
            };
        }
    }
    object.done()
}

/// Instruments with an open trade.
pub fn open_positions(account: &Account) -> impl Iterator<Item = usize> {
    account
        .earned
        .keys()
        .copied()
        .filter(|instrument| account.open_trades().any(|trade| trade.instrument == *instrument))
}

fn unrealized(account: &Account, market: &Market, instrument: usize, is_long: bool) -> i64 {
    side(account, instrument, is_long).map(|trade| figures::unrealized(account, market, trade, false)).sum()
}

fn side(account: &Account, instrument: usize, is_long: bool) -> impl Iterator<Item = &Trade> {
    account.open_trades().filter(move |trade| trade.instrument == instrument && (trade.units > 0) == is_long)
}

/// One position.
pub fn position(account: &Account, market: &Market, instrument: usize) -> String {
    let earned = account.earned.get(&instrument).copied().unwrap_or_default();
    let [long, short] = earned;
    let unrealized = [true, false].map(|is_long| unrealized(account, market, instrument, is_long));
    let results = |earned: Earned, unrealized: i64| {
        Obj::new()
            .cash("pl", earned.pl)
            .cash("resettablePL", earned.pl)
            .cash("financing", earned.financing)
            .cash("dividendAdjustment", 0)
            .cash("guaranteedExecutionFees", 0)
            .cash("unrealizedPL", unrealized)
    };
    let both = Earned { pl: long.pl + short.pl, financing: long.financing + short.financing };
    let part = |is_long: bool, earned, unrealized| {
        held(account, market, instrument, is_long).join(&results(earned, unrealized).members()).done()
    };
    Obj::new()
        .text("instrument", market.rules(instrument).name.as_str())
        .raw("long", &part(true, long, unrealized[0]))
        .raw("short", &part(false, short, unrealized[1]))
        .join(&results(both, unrealized[0] + unrealized[1]).members())
        .cash("commission", 0)
        .cash("marginUsed", figures::margin_of(account, market, instrument, 0, 0))
        .done()
}

/// Units of one side, with their average price and trades when there are any.
fn held(account: &Account, market: &Market, instrument: usize, is_long: bool) -> Obj {
    let rules = market.rules(instrument);
    let units = account.units(instrument, is_long);
    let object = Obj::new().text("units", &decimal(units, rules.units_decimals));
    if units == 0 {
        return object;
    }
    let paid: i128 =
        side(account, instrument, is_long).map(|it| i128::from(it.price) * i128::from(it.units)).sum();
    let average = i64::try_from(paid / i128::from(units)).unwrap_or(i64::MAX);
    object
        .text("averagePrice", &decimal(average, rules.price_decimals))
        .ids("tradeIDs", side(account, instrument, is_long).map(|trade| trade.id))
}
