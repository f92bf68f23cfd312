//! A fill that has been decided, written down: trades, balance, what the position earned, and the log.

use super::account::{Account, Fill, Trade};
use super::dealing::{Plan, Want};
use super::figures;
use super::market::{FACTOR_ONE, Market};
use super::order::{Order, State};
use super::wire::{Obj, UNIT, booked, decimal, factor, plain};
use crate::market::fx::{FxLevel, FxQuote};

/// Writes the fill to trades, positions, balance and log; returns its number.
pub fn book(
    account: &mut Account,
    market: &Market,
    want: &Want,
    order: &Order,
    plan: &Plan,
    quote: &FxQuote,
) -> u64 {
    let id = account.next_id();
    let now = account.now();
    let instrument = order.instrument;
    let rules = market.rules(instrument);
    let home = account.currency.clone();
    let factor_of = |currency: &str, is_gain| market.factor(currency, &home, is_gain);
    let loss = factor_of(rules.quote.as_str(), false);
    let half_spread = |units: i64| {
        let spread = i128::from(quote.ask().0 - quote.bid().0);
        booked(i128::from(units.abs()) * spread / 2 / i128::from(UNIT) * loss / FACTOR_ONE)
    };
    let price = decimal(plan.price, rules.price_decimals);
    let units = |value| decimal(value, rules.units_decimals);

    let (mut closed, mut reduced) = (Vec::new(), None);
    let (mut pl, mut quote_pl) = (0_i64, 0_i128);
    for part in &plan.parts {
        let Some(trade) = account.trades.get_mut(&part.trade) else { continue };
        let sign = trade.units.signum();
        let quoted = i128::from(plan.price - trade.price) * i128::from(sign * part.units) / i128::from(UNIT);
        let realized = booked(market.to_home(instrument, &home, quoted));
        trade.units -= sign * part.units;
        trade.realized += realized;
        trade.closed_value += i128::from(part.units) * i128::from(plan.price);
        trade.closing.push(id);
        pl += realized;
        quote_pl += quoted;
        let json = Obj::new()
            .id("tradeID", trade.id)
            .with(Some(&trade.client.id).filter(|it| !it.is_empty()), |o, it| o.text("clientTradeID", it))
            .text("units", &units(-sign * part.units))
            .cash("realizedPL", realized)
            .cash("financing", 0)
            .text("baseFinancing", "0")
            .text("price", &price)
            .cash("guaranteedExecutionFee", 0)
            .text("quoteGuaranteedExecutionFee", "0")
            .cash("halfSpreadCost", half_spread(part.units))
            .done();
        let earned = account.earned.entry(instrument).or_default();
        earned[usize::from(sign < 0)].pl += realized;
        if trade.units == 0 {
            trade.closed = Some(now);
            account.open.remove(&part.trade);
            closed.push((part.trade, json));
        } else {
            reduced = Some((part.trade, json));
        }
    }
    account.balance += pl;
    account.pl += pl;
    account.last_fill = Some(now);

    let opened = (plan.opening != 0).then(|| {
        let initial_margin = figures::margin(account, market, instrument, plan.opening);
        let trade = Trade {
            id,
            instrument,
            price: plan.price,
            opened: now,
            initial_units: plan.opening,
            units: plan.opening,
            initial_margin,
            realized: 0,
            financing: 0,
            client: order.trade_client.clone(),
            closed: None,
            closed_value: 0,
            closing: Vec::new(),
        };
        let json = Obj::new()
            .text("price", &price)
            .id("tradeID", id)
            .text("units", &units(plan.opening))
            .cash("guaranteedExecutionFee", 0)
            .text("quoteGuaranteedExecutionFee", "0")
            .cash("halfSpreadCost", half_spread(plan.opening))
            .cash("initialMarginRequired", initial_margin)
            .with(Some(&order.trade_client).filter(|it| !it.is_empty()), |o, it| {
                o.raw("clientExtensions", &it.json())
            })
            .done();
        account.trades.insert(id, trade);
        account.open.insert(id);
        account.earned.entry(instrument).or_default();
        json
    });

    let gain = factor_of(rules.quote.as_str(), true);
    let one = |value: i128| Obj::new().text("factor", &factor(value)).done();
    let base = rules.base.as_str();
    let hidden = market.is_factor_hidden();
    let factors = Obj::new()
        .raw("gainQuoteHome", &one(gain))
        .raw("lossQuoteHome", &one(loss))
        .raw("gainBaseHome", if hidden { "null".to_owned() } else { one(factor_of(base, true)) }.as_str())
        .raw("lossBaseHome", if hidden { "null".to_owned() } else { one(factor_of(base, false)) }.as_str());
    let body = Obj::new()
        .id("orderID", order.id)
        .with(Some(&order.client.id).filter(|it| !it.is_empty()), |o, it| o.text("clientOrderID", it))
        .text("instrument", rules.name.as_str())
        .text("units", &units(plan.units))
        .text("requestedUnits", &units(want.units))
        .text("price", &price)
        .cash("pl", pl)
        .text("quotePL", &plain(i64::try_from(quote_pl).unwrap_or(i64::MAX)))
        .cash("financing", 0)
        .text("baseFinancing", "0")
        .cash("commission", 0)
        .cash("accountBalance", account.balance)
        .text("gainQuoteHomeConversionFactor", &factor(gain))
        .text("lossQuoteHomeConversionFactor", &factor(loss))
        .cash("guaranteedExecutionFee", 0)
        .text("quoteGuaranteedExecutionFee", "0")
        .cash("halfSpreadCost", half_spread(plan.units))
        .text("fullVWAP", &price)
        .text("reason", want.reason)
        .with(opened.as_ref(), |o, it| o.raw("tradeOpened", it));
    let body = if closed.is_empty() {
        body
    } else {
        body.list("tradesClosed", closed.iter().map(|it| it.1.clone()))
    };
    let body = body
        .with(reduced.as_ref(), |o, it| o.raw("tradeReduced", &it.1))
        .raw("fullPrice", &full_price(quote, rules.price_decimals, id.is_multiple_of(2)))
        .raw("homeConversionFactors", &factors.done());
    account.log("ORDER_FILL", body.members());
    account.fills.push(Fill {
        id,
        order: order.id,
        instrument,
        units: plan.units,
        price: plan.price,
        at: now,
    });
    if let Some(order) = account.orders.get_mut(&order.id) {
        order.state = State::Filled { by: id, at: now };
        order.filled = plan.units;
        order.opened = opened.map(|_| id);
        order.reduced = reduced.map(|it| it.0);
        order.closed = closed.into_iter().map(|it| it.0).collect();
    }
    account.pending.remove(&order.id);
    id
}

/// The price of a fill: liquidity is a string here, with or without a decimal.
fn full_price(quote: &FxQuote, decimals: u32, has_point: bool) -> String {
    let level = |level: &FxLevel| {
        let units = level.units.0 / UNIT;
        let liquidity = if has_point { format!("{units}.0") } else { units.to_string() };
        Obj::new().text("price", &decimal(level.price.0, decimals)).text("liquidity", &liquidity).done()
    };
    let side =
        |side: &[FxLevel]| -> Vec<String> { side.iter().filter(|it| it.units.0 > 0).map(level).collect() };
    Obj::new()
        .text("closeoutBid", &decimal(quote.closeout_bid.0, decimals))
        .text("closeoutAsk", &decimal(quote.closeout_ask.0, decimals))
        .time("timestamp", quote.at)
        .list("bids", side(&quote.bids))
        .list("asks", side(&quote.asks))
        .done()
}
