//! What is so at the venue, for a checker that trusts no client: orders, trades, balances, books.

use crate::exchange::order::Order;
use crate::exchange::trade_log::TradeQuery;
use crate::exchange::{Exchange, Market};
use smc_core::words::Name;
use smc_core::{Money, Price, Qty, Side, TsNs};

/// All of one account, and the books.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Every order the venue took, by its number.
    pub orders: Vec<TrueOrder>,
    /// Every trade of the account, oldest first.
    pub trades: Vec<TrueTrade>,
    /// Every asset the account ever had.
    pub balances: Vec<TrueBalance>,
    /// One book for each symbol.
    pub books: Vec<TrueBook>,
}

/// An order the venue took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueOrder {
    /// The venue's number.
    pub venue_order_id: u64,
    /// The client's name for it.
    pub client_order_id: String,
    /// Its symbol.
    pub symbol: Name,
    /// Direction.
    pub side: Side,
    /// Limit price; zero for market orders.
    pub price: Price,
    /// Quantity asked for.
    pub qty: Qty,
    /// Quantity filled.
    pub filled_qty: Qty,
    /// It can still fill.
    pub is_open: bool,
}

/// A trade of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrueTrade {
    /// Number within the symbol.
    pub trade_id: u64,
    /// Its symbol.
    pub symbol: Name,
    /// The venue's number of the order.
    pub venue_order_id: u64,
    /// Direction of the order.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// Fee in `fee_asset`.
    pub fee: Money,
    /// Asset the fee was taken in.
    pub fee_asset: Name,
    /// When.
    pub at: TsNs,
}

/// What the account has of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrueBalance {
    /// The asset.
    pub asset: Name,
    /// Free to use.
    pub free: Qty,
    /// Held back for open orders.
    pub locked: Qty,
}

/// The visible book of a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrueBook {
    /// Its symbol.
    pub symbol: Name,
    /// Number of the last change.
    pub update_id: u64,
    /// Bids, best first.
    pub bids: Vec<(Price, Qty)>,
    /// Asks, best first.
    pub asks: Vec<(Price, Qty)>,
}

impl Truth {
    /// What is so at an exchange.
    pub fn of(exchange: &Exchange, account: usize) -> Self {
        let symbol =
            |index: usize| exchange.market(index).map(|market| market.info.spec.symbol).unwrap_or_default();
        let order = |order: &Order| TrueOrder {
            venue_order_id: order.id,
            client_order_id: order.client_order_id.clone(),
            symbol: symbol(order.symbol),
            side: order.side,
            price: order.price,
            qty: order.qty,
            filled_qty: order.filled_qty,
            is_open: order.status.is_open(),
        };
        let orders = exchange.orders().filter(|order| order.account == account).map(order).collect();
        let owner = exchange.account(account);
        let all =
            |symbol| TradeQuery { symbol, from_id: Some(0), limit: usize::MAX, ..TradeQuery::default() };
        let mut trades = Vec::new();
        for index in 0..exchange.markets().len() {
            let found = owner.map_or_else(Vec::new, |owner| owner.trades().find(&all(index)));
            trades.extend(found.into_iter().map(|trade| TrueTrade {
                trade_id: trade.fill.trade_id,
                symbol: symbol(index),
                venue_order_id: trade.order,
                side: trade.side,
                price: trade.fill.price,
                qty: trade.fill.qty,
                fee: Money(trade.fill.commission),
                fee_asset: trade.fill.commission_asset,
                at: trade.at,
            }));
        }
        let balances = owner.into_iter().flat_map(|owner| owner.balances());
        let balances = balances.map(|(asset, balance)| TrueBalance {
            asset,
            free: Qty(balance.free),
            locked: Qty(balance.locked),
        });
        let side = |market: &Market, side| {
            market.book.levels(side).map(|(price, qty)| (Price(price), Qty(qty))).collect()
        };
        let books = exchange.markets().iter().map(|market| TrueBook {
            symbol: market.info.spec.symbol,
            update_id: market.book.update_id(),
            bids: side(market, Side::Buy),
            asks: side(market, Side::Sell),
        });
        Self { orders, trades, balances: balances.collect(), books: books.collect() }
    }
}
