//! An account's own trades, newest last, for clients that ask what became of an order while they were away.
//!
//! Bounded: beyond [`TRADES_MAX`] the oldest are forgotten, as are ended orders (see `ENDED_ORDERS_MAX`), so a
//! simulation that runs for days does not grow for ever. Pure.

use super::Fill;
use super::list::ListId;
use super::order::OrderId;
use smc_core::{Side, TsNs};
use std::collections::VecDeque;

/// Trades kept per account.
pub const TRADES_MAX: usize = 100_000;

/// One trade of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTrade {
    /// Index of the symbol.
    pub symbol: usize,
    /// The order that traded.
    pub order: OrderId,
    /// The list that the order belongs to.
    pub list: Option<ListId>,
    /// Its side.
    pub side: Side,
    /// When.
    pub at: TsNs,
    /// Price, quantity, fee.
    pub fill: Fill,
}

/// The trades of one account.
#[derive(Clone, Debug, Default)]
pub struct TradeLog {
    /// Invariant: times never fall; within a symbol neither do trade numbers.
    trades: VecDeque<AccountTrade>,
}

/// Which trades are wanted; what is none does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradeQuery {
    /// Index of the symbol.
    pub symbol: usize,
    /// Of this order.
    pub order: Option<OrderId>,
    /// From this trade number on.
    pub from_id: Option<u64>,
    /// Not before this millisecond.
    pub from_ms: Option<u64>,
    /// Not after this millisecond.
    pub to_ms: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl TradeLog {
    /// Keeps a trade; the oldest makes room.
    pub(super) fn push(&mut self, trade: AccountTrade) {
        if self.trades.len() >= TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back(trade);
    }

    /// The trades asked for, oldest first. A query with a beginning (a trade number, a time, an order) gets the
    /// first ones from there, any other the newest.
    pub fn find(&self, query: &TradeQuery) -> Vec<&AccountTrade> {
        let is_wanted = |trade: &&AccountTrade| {
            let at_ms = trade.at.as_ms();
            trade.symbol == query.symbol
                && query.order.is_none_or(|order| trade.order == order)
                && query.from_id.is_none_or(|id| trade.fill.trade_id >= id)
                && query.from_ms.is_none_or(|from| at_ms >= from)
                && query.to_ms.is_none_or(|to| at_ms <= to)
        };
        let has_beginning = query.order.is_some() || query.from_id.is_some() || query.from_ms.is_some();
        if has_beginning {
            return self.trades.iter().filter(is_wanted).take(query.limit).collect();
        }
        let mut newest: Vec<_> = self.trades.iter().rev().filter(is_wanted).take(query.limit).collect();
        newest.reverse();
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::words::Name;
    use smc_core::{Price, Qty};

    fn trade(n: u64) -> AccountTrade {
        let fill = Fill {
            trade_id: n,
            price: Price(1),
            qty: Qty(1),
            quote: 1,
            commission: 0,
            commission_asset: Name::default(),
            is_maker: false,
            realised: 0,
        };
        AccountTrade { symbol: 0, order: n / 2, list: None, side: Side::Buy, at: TsNs::from_ms(n), fill }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut log = TradeLog::default();
        for n in 0..TRADES_MAX as u64 + 3 {
            log.push(trade(n));
        }
        let first = log.find(&TradeQuery { from_id: Some(0), limit: 1, ..TradeQuery::default() });
        assert_eq!(first, [&trade(3)]);
        let last = log.find(&TradeQuery { limit: 1, ..TradeQuery::default() });
        assert_eq!(last, [&trade(TRADES_MAX as u64 + 2)]);
    }

    #[test]
    fn a_beginning_gives_the_first_from_there_and_none_the_newest() {
        let mut log = TradeLog::default();
        for n in 0..10 {
            log.push(trade(n));
        }
        let ids = |query: TradeQuery| {
            log.find(&query).into_iter().map(|trade| trade.fill.trade_id).collect::<Vec<_>>()
        };
        let all = TradeQuery { limit: 3, ..TradeQuery::default() };
        assert_eq!(ids(all), [7, 8, 9]);
        assert_eq!(ids(TradeQuery { from_id: Some(4), ..all }), [4, 5, 6]);
        assert_eq!(ids(TradeQuery { from_ms: Some(2), ..all }), [2, 3, 4]);
        assert_eq!(ids(TradeQuery { to_ms: Some(5), ..all }), [3, 4, 5]);
        assert_eq!(ids(TradeQuery { order: Some(3), ..all }), [6, 7]);
        assert_eq!(ids(TradeQuery { order: Some(3), from_id: Some(7), ..all }), [7]);
        assert!(ids(TradeQuery { symbol: 1, ..all }).is_empty());
    }
}
