//! Interest on open trades, booked once a day at 17:00 in New York.

use super::account::Account;
use super::market::Market;
use super::wire::{Obj, booked};
use crate::market::fx::calendar::{self, DAY_S};
use smc_core::TsNs;
use std::collections::BTreeMap;

/// What one position is paid or charged, in 1e-8 of the home currency.
#[derive(Default)]
struct Position {
    total: i64,
    /// Trades and their parts.
    trades: Vec<(u64, i64)>,
}

/// Days of interest that one roll charges: three on Wednesday, none at the weekend. Sunday is 0.
pub const fn days_charged(weekday: i64) -> i64 {
    match weekday {
        0 | 6 => 0,
        3 => 3,
        _ => 1,
    }
}

/// Books the day's financing on every open trade.
pub fn book(account: &mut Account, market: &Market, now: TsNs) {
    let utc_s = calendar::seconds(now);
    let local_s = utc_s + calendar::new_york_offset_s(utc_s);
    let days = days_charged(calendar::weekday(local_s.div_euclid(DAY_S)));
    if days == 0 || account.open.is_empty() {
        return;
    }
    let mut positions: BTreeMap<usize, Position> = BTreeMap::new();
    for trade in account.open_trades() {
        let rules = market.rules(trade.instrument);
        let ppm = if trade.units > 0 { rules.long_rate_ppm } else { rules.short_rate_ppm };
        let value = market.value(trade.instrument, &account.currency, trade.units);
        let financing = booked(value * i128::from(ppm) * i128::from(days) / 365 / 1_000_000);
        let position = positions.entry(trade.instrument).or_default();
        position.total += financing;
        position.trades.push((trade.id, financing));
    }
    for (instrument, position) in &positions {
        for (id, financing) in &position.trades {
            let Some(trade) = account.trades.get_mut(id) else { continue };
            trade.financing += financing;
            let earned = account.earned.entry(*instrument).or_default();
            earned[usize::from(trade.units < 0)].financing += financing;
        }
    }
    let total: i64 = positions.values().map(|it| it.total).sum();
    account.balance += total;
    account.financing += total;
    let of_trade =
        |(id, financing): &(u64, i64)| Obj::new().id("tradeID", *id).cash("financing", *financing).done();
    let of_position = |(instrument, position): (&usize, &Position)| {
        Obj::new()
            .text("instrument", market.rules(*instrument).name.as_str())
            .cash("financing", position.total)
            .list("openTradeFinancings", position.trades.iter().map(of_trade))
            .text("accountFinancingMode", "DAILY")
            .done()
    };
    let body = Obj::new()
        .cash("financing", total)
        .cash("accountBalance", account.balance)
        .text("accountFinancingMode", "DAILY")
        .list("positionFinancings", positions.iter().map(of_position));
    account.begin(now, None);
    account.log("DAILY_FINANCING", body.members());
}
