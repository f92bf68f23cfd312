//! What an account is worth now: unrealised results, margin, and how near a closeout is.
//!
//! Recomputed on demand from the trades and the current quotes; nothing here is stored.

use super::account::{Account, Trade};
use super::market::Market;
use super::wire::{UNIT, booked};
use std::collections::BTreeSet;

/// The figures of an account in its home currency, in 1e-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// At the prices at which trades would be closed.
    pub unrealized: i64,
    /// The same at the closeout prices.
    pub closeout_unrealized: i64,
    /// Balance and `unrealized`.
    pub nav: i64,
    /// Balance and `closeout_unrealized`.
    pub closeout_nav: i64,
    /// Margin of all positions.
    pub margin_used: i64,
    /// What is left of `nav`; never below zero.
    pub margin_available: i64,
    /// Value of all positions at the middle.
    pub position_value: i64,
}

impl Figures {
    /// Of an account at the current quotes.
    pub fn of(account: &Account, market: &Market) -> Self {
        let mut figures = Self::default();
        for trade in account.open_trades() {
            figures.unrealized += unrealized(account, market, trade, false);
            figures.closeout_unrealized += unrealized(account, market, trade, true);
            figures.position_value += booked(market.value(trade.instrument, &account.currency, trade.units));
        }
        let instruments: BTreeSet<usize> = account.open_trades().map(|trade| trade.instrument).collect();
        figures.margin_used = instruments.iter().map(|it| margin_of(account, market, *it, 0, 0)).sum();
        figures.nav = account.balance + figures.unrealized;
        figures.closeout_nav = account.balance + figures.closeout_unrealized;
        figures.margin_available = (figures.nav - figures.margin_used).max(0);
        figures
    }

    /// Half the margin over the closeout value, in 1e-8: at one, everything is closed.
    pub fn closeout_share(&self) -> i64 {
        share(i128::from(self.margin_used) / 2, self.closeout_nav)
    }

    /// The margin over the closeout value, in 1e-8: at one, the account is in a margin call.
    pub fn call_share(&self) -> i64 {
        share(i128::from(self.margin_used), self.closeout_nav)
    }
}

/// One number over another in 1e-8. Nothing left to hold a margin with counts as two.
fn share(part: i128, whole: i64) -> i64 {
    if part == 0 {
        return 0;
    }
    if whole <= 0 {
        return 2 * UNIT;
    }
    i64::try_from(part * i128::from(UNIT) / i128::from(whole)).unwrap_or(i64::MAX)
}

/// What a trade would bring if it were closed now, in the home currency.
pub fn unrealized(account: &Account, market: &Market, trade: &Trade, is_closeout: bool) -> i64 {
    let quote = market.quote(trade.instrument);
    let price = match (trade.units > 0, is_closeout) {
        (true, false) => quote.bid(),
        (false, false) => quote.ask(),
        (true, true) => quote.closeout_bid,
        (false, true) => quote.closeout_ask,
    };
    let quoted = i128::from(price.0 - trade.price) * i128::from(trade.units) / i128::from(UNIT);
    booked(market.to_home(trade.instrument, &account.currency, quoted))
}

/// Margin of units at the current middle price, in the home currency.
pub fn margin(account: &Account, market: &Market, instrument: usize, units: i64) -> i64 {
    let ppm = account.margin_ppm.unwrap_or(0).max(market.rules(instrument).margin_ppm);
    booked(market.value(instrument, &account.currency, units) * i128::from(ppm) / 1_000_000)
}

/// Margin of a whole position if so many units more were held long and short: that of its larger side.
pub fn margin_of(account: &Account, market: &Market, instrument: usize, long: i64, short: i64) -> i64 {
    let long = account.units(instrument, true) + long;
    let short = -account.units(instrument, false) + short;
    margin(account, market, instrument, long.max(short))
}
