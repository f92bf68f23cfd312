//! What the venue says of its instruments: their rules, and the dealer's current price.

use super::account::Account;
use super::figures::Figures;
use super::market::Market;
use super::wire::{Obj, UNIT, decimal, factor};
use crate::market::fx::{FxInstrument, FxLevel, FxQuote};
use std::collections::BTreeSet;

/// The rules of an instrument.
pub fn instrument(rules: &FxInstrument, margin_ppm: Option<u32>) -> String {
    let price = |value| decimal(value, rules.price_decimals);
    let units = |value| decimal(value, rules.units_decimals);
    let ppm = margin_ppm.unwrap_or(0).max(rules.margin_ppm);
    let rate = |ppm: i32| decimal(i64::from(ppm) * (UNIT / 1_000_000), 4);
    const DAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
    let day = |(at, name): (usize, &&str)| {
        let charged = super::financing::days_charged((at as i64 + 1) % 7);
        Obj::new().text("dayOfWeek", name).raw("daysCharged", &charged.to_string()).done()
    };
    let financing = Obj::new()
        .text("longRate", &rate(rules.long_rate_ppm))
        .text("shortRate", &rate(rules.short_rate_ppm))
        .list("financingDaysOfWeek", DAYS.iter().enumerate().map(day));
    let class = Obj::new().text("type", "ASSET_CLASS").text("name", rules.kind);
    Obj::new()
        .text("name", rules.name.as_str())
        .text("type", rules.kind)
        .text("displayName", &rules.name.as_str().replace('_', "/"))
        .raw("pipLocation", &rules.pip_location.to_string())
        .raw("displayPrecision", &rules.price_decimals.to_string())
        .raw("tradeUnitsPrecision", &rules.units_decimals.to_string())
        .text("minimumTradeSize", &units(rules.units_min))
        .text("maximumTrailingStopDistance", &price(rules.trailing_max))
        .text("minimumTrailingStopDistance", &price(rules.trailing_min))
        .text("maximumPositionSize", "0")
        .text("maximumOrderUnits", &units(rules.units_max))
        .text("marginRate", &super::wire::plain(i64::from(ppm) * (UNIT / 1_000_000)))
        .text("guaranteedStopLossOrderMode", "DISABLED")
        .list("tags", [class.done()])
        .raw("financing", &financing.done())
        .done()
}

/// A price as the stream has it.
pub fn price(market: &Market, quote: &FxQuote) -> Obj {
    let rules = market.rules(quote.instrument);
    let text = |value| decimal(value, rules.price_decimals);
    let level = |it: &FxLevel| {
        let units = (it.units.0 / UNIT).to_string();
        Obj::new().text("price", &text(it.price.0)).raw("liquidity", &units).done()
    };
    let side =
        |side: &[FxLevel]| -> Vec<String> { side.iter().filter(|it| it.units.0 > 0).map(level).collect() };
    Obj::new()
        .text("type", "PRICE")
        .time("time", quote.at)
        .list("bids", side(&quote.bids))
        .list("asks", side(&quote.asks))
        .text("closeoutBid", &text(quote.closeout_bid.0))
        .text("closeoutAsk", &text(quote.closeout_ask.0))
        .text("status", if quote.is_tradeable { "tradeable" } else { "non-tradeable" })
        .raw("tradeable", if quote.is_tradeable { "true" } else { "false" })
        .text("instrument", rules.name.as_str())
}

/// A price as an account asks for it: with its conversion and with the units its margin allows.
pub fn polled(account: &Account, market: &Market, quote: &FxQuote) -> String {
    let rules = market.rules(quote.instrument);
    let of = |is_gain| rate(market.factor(rules.quote.as_str(), &account.currency, is_gain));
    let factors = Obj::new().text("positiveUnits", &of(true)).text("negativeUnits", &of(false));
    let free = Figures::of(account, market).margin_available;
    let one = super::figures::margin(account, market, quote.instrument, UNIT).max(1);
    let most =
        decimal(i64::try_from(i128::from(free) * i128::from(UNIT) / i128::from(one)).unwrap_or(i64::MAX), 0);
    let units = |long: &str, short: &str| Obj::new().text("long", long).text("short", short).done();
    let [long, short] = [true, false]
        .map(|is_long| decimal(account.units(quote.instrument, is_long).abs(), rules.units_decimals));
    let available = Obj::new()
        .raw("default", &units(&most, &most))
        .raw("reduceFirst", &units(&most, &most))
        .raw("reduceOnly", &units(&short, &long))
        .raw("openOnly", &units(&most, &most));
    price(market, quote)
        .raw("quoteHomeConversionFactors", &factors.done())
        .raw("unitsAvailable", &available.done())
        .done()
}

/// A factor with the eight decimals that prices have.
fn rate(value: i128) -> String {
    decimal(i64::try_from(value / 10_000).unwrap_or(i64::MAX), 8)
}

/// What amounts of every currency among the instruments are worth at home.
pub fn home_conversions(account: &Account, market: &Market, instruments: &[usize]) -> Vec<String> {
    let names = instruments.iter().map(|it| market.rules(*it)).flat_map(|it| [it.base, it.quote]);
    let currencies: BTreeSet<String> = names.map(|name| name.as_str().to_owned()).collect();
    let home = account.currency.as_str();
    let known = currencies.iter().filter(|it| market.converts(it, home));
    known
        .map(|currency| {
            Obj::new()
                .text("currency", currency)
                .text("accountGain", &factor(market.factor(currency, home, true)))
                .text("accountLoss", &factor(market.factor(currency, home, false)))
                .text("positionValue", &factor(market.rate(currency, home).unwrap_or(0)))
                .done()
        })
        .collect()
}
