//! What happens at a venue that no client's request asks for: another hand trades on the account, money comes and goes, the
//! rules change, the key is withdrawn. For tests of what an engine makes of it.
//!
//! Pure. A dialect does a deed by the means that it serves its clients with, so that it is told as it always tells.

use crate::exchange::Exchange;
use crate::exchange::order::{NewOrder, OrderType, Scope, SelfTradePrevention, TimeInForce};
use smc_core::instrument::{ContractKind, TradingStatus};
use smc_core::words::Name;
use smc_core::{Price, Qty, Side};

/// One such thing. All are about the first account and the first market of a kind.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Another hand sends an order.
    Order(HandOrder),
    /// Money comes, or goes where the amount is negative.
    Transfer {
        /// Of which asset.
        asset: Name,
        /// How much.
        amount: Qty,
    },
    /// The rules of a market are others from now on.
    Rules {
        /// Of the first market of this kind.
        kind: ContractKind,
        /// Whether orders are taken.
        status: TradingStatus,
        /// The price step is so many times the old one.
        tick_times: i64,
    },
    /// The owner sets another leverage.
    Leverage {
        /// For the first market of this kind.
        kind: ContractKind,
        /// So many times.
        times: u32,
    },
    /// The newest closed candle of a second is sent again, with a higher high.
    Revision,
    /// The venue knows the key no more, or knows it again; connections that it opened are closed.
    Key {
        /// It is taken.
        is_good: bool,
    },
}

/// An order of another hand.
#[derive(Clone, Debug)]
pub struct HandOrder {
    /// In the first market of this kind.
    pub kind: ContractKind,
    /// Which way.
    pub side: Side,
    /// How much.
    pub qty: Qty,
    /// How far behind the best price of its own side it waits, in ppm of that; without it it takes what is there.
    pub behind_ppm: Option<u32>,
    /// The client's name for it.
    pub name: String,
}

impl HandOrder {
    /// Its limit price on a grid, by the best price of its own side; none for one that takes.
    pub fn price(&self, best: Price, tick: Price) -> Option<Price> {
        let away = i128::from(best.0) * i128::from(self.behind_ppm?) / 1_000_000;
        let away = i64::try_from(away).unwrap_or(0);
        let price = best.0 - self.side.sign() * away;
        Some(Price(price - price % tick.0.max(1)))
    }
}

/// Does a deed at an exchange; false when it cannot be done there.
pub fn stage(exchange: &mut Exchange, deed: &Deed) -> bool {
    match deed {
        Deed::Order(order) => place(exchange, order).is_some(),
        Deed::Transfer { asset, amount } => exchange.transfer(0, *asset, amount.0),
        Deed::Rules { kind, status, tick_times } => {
            market_of(exchange, *kind).is_some_and(|market| exchange.set_rules(market, *status, *tick_times))
        }
        Deed::Leverage { kind, times } => {
            market_of(exchange, *kind).is_some_and(|market| exchange.set_leverage(0, market, *times).is_ok())
        }
        Deed::Key { .. } | Deed::Revision => false,
    }
}

/// The first market of a kind.
pub fn market_of(exchange: &Exchange, kind: ContractKind) -> Option<usize> {
    exchange.markets().iter().position(|market| market.info.spec.contract.kind == kind)
}

/// The price at which another hand's order waits; zero for one that takes.
pub fn price_of(exchange: &Exchange, market: usize, order: &HandOrder) -> Option<Price> {
    let market = exchange.market(market)?;
    let (best, _) = market.book.best(order.side)?;
    Some(order.price(Price(best), market.info.spec.tick).unwrap_or(Price::ZERO))
}

fn place(exchange: &mut Exchange, order: &HandOrder) -> Option<u64> {
    let symbol = market_of(exchange, order.kind)?;
    let price = price_of(exchange, symbol, order)?;
    let request = NewOrder {
        account: 0,
        symbol,
        side: order.side,
        kind: if price == Price::ZERO { OrderType::Market } else { OrderType::Limit },
        time_in_force: TimeInForce::Gtc,
        price,
        qty: order.qty,
        quote_qty: 0,
        stop_price: Price::ZERO,
        client_order_id: Some(order.name.clone()),
        stp: SelfTradePrevention::ExpireTaker,
        scope: Scope::default(),
    };
    exchange.place(request).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::words::SCALE;

    #[test]
    fn a_waiting_order_lies_behind_its_own_side_and_on_the_grid() {
        let order = |side, behind_ppm| HandOrder {
            kind: ContractKind::Spot,
            side,
            qty: Qty(SCALE),
            behind_ppm,
            name: "hand-1".to_owned(),
        };
        let (best, tick) = (Price(60_000 * SCALE), Price(SCALE / 10));
        assert_eq!(order(Side::Buy, Some(1_000)).price(best, tick), Some(Price(59_940 * SCALE)));
        assert_eq!(order(Side::Sell, Some(1_000)).price(best, tick), Some(Price(60_060 * SCALE)));
        assert_eq!(order(Side::Sell, None).price(best, tick), None);
    }
}
