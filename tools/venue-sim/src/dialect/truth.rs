//! What is so at the venue, for a checker that trusts no client: orders, trades, balances, books.

use crate::exchange::order::Order;
use crate::exchange::trade_log::TradeQuery;
use crate::exchange::{Exchange, Market};
use smc_core::instrument::ContractKind;
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
    /// Every contract that the account holds, and what it once held.
    pub positions: Vec<TruePosition>,
    /// One book for each symbol.
    pub books: Vec<TrueBook>,
}

/// An order the venue took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueOrder {
    /// The venue's number.
    pub venue_order_id: u64,
    /// The same as clients read it.
    pub venue_order_name: String,
    /// The client's name for it.
    pub client_order_id: String,
    /// Its symbol.
    pub symbol: Name,
    /// What is traded under the symbol: a venue may have several under one.
    pub kind: ContractKind,
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
    /// The venue's number of the list that it belongs to.
    pub list: Option<u64>,
}

/// A trade of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueTrade {
    /// Number within the symbol.
    pub trade_id: u64,
    /// The same as clients read it.
    pub trade_name: String,
    /// Its symbol.
    pub symbol: Name,
    /// What is traded under the symbol.
    pub kind: ContractKind,
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

/// What the account holds of a contract; where both sides can be held, one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruePosition {
    /// Its symbol.
    pub symbol: Name,
    /// What is traded under the symbol.
    pub kind: ContractKind,
    /// Quantity; negative when sold short, zero when nothing is left.
    pub qty: Qty,
    /// Mean price of what is held; zero when nothing is.
    pub entry_price: Price,
    /// Profit booked by closing, fees apart, in the money that it is settled in.
    pub realised: Money,
}

/// The visible book of a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueBook {
    /// Its symbol.
    pub symbol: Name,
    /// What is traded under the symbol.
    pub kind: ContractKind,
    /// Number of the last change, as clients read it; 0 while they have not been told of it.
    pub update_id: u64,
    /// Bids, best first.
    pub bids: Vec<(Price, Qty)>,
    /// Asks, best first.
    pub asks: Vec<(Price, Qty)>,
}

impl Truth {
    /// What is so at an exchange, ids written as numbers.
    pub fn of(exchange: &Exchange, account: usize) -> Self {
        let listed = |index: usize| {
            let spec = exchange.market(index).map(|market| market.info.spec);
            spec.map_or((Name::default(), ContractKind::Spot), |spec| (spec.symbol, spec.contract.kind))
        };
        let order = |order: &Order| {
            let (symbol, kind) = listed(order.symbol);
            TrueOrder {
                venue_order_id: order.id,
                venue_order_name: order.id.to_string(),
                client_order_id: order.client_order_id.clone(),
                symbol,
                kind,
                side: order.side,
                price: order.price,
                qty: order.qty,
                filled_qty: order.filled_qty,
                is_open: order.status.is_open(),
                list: order.list,
            }
        };
        let orders = exchange.orders().filter(|order| order.account == account).map(order).collect();
        let books = exchange.markets().iter().map(book).collect();
        let Some(owner) = exchange.account(account) else {
            return Self { orders, books, ..Self::default() };
        };
        let trades = (0..exchange.markets().len()).flat_map(|index| {
            let all =
                TradeQuery { symbol: index, from_id: Some(0), limit: usize::MAX, ..TradeQuery::default() };
            let (symbol, kind) = listed(index);
            owner.trades().find(&all).into_iter().map(move |trade| TrueTrade {
                trade_id: trade.fill.trade_id,
                trade_name: trade.fill.trade_id.to_string(),
                symbol,
                kind,
                venue_order_id: trade.order,
                side: trade.side,
                price: trade.fill.price,
                qty: trade.fill.qty,
                fee: Money(trade.fill.commission),
                fee_asset: trade.fill.commission_asset,
                at: trade.at,
            })
        });
        let balances = owner.balances().map(|(asset, balance)| TrueBalance {
            asset,
            free: Qty(balance.free),
            locked: Qty(balance.locked),
        });
        let positions = owner.positions().map(|(index, position)| {
            let (symbol, kind) = listed(index);
            let (qty, realised) = (Qty(position.qty), Money(position.realised));
            TruePosition { symbol, kind, qty, entry_price: position.average_price(), realised }
        });
        Self {
            orders,
            trades: trades.collect(),
            balances: balances.collect(),
            positions: positions.collect(),
            books,
        }
    }
}

fn book(market: &Market) -> TrueBook {
    let side = |side| market.book.levels(side).map(|(price, qty)| (Price(price), Qty(qty))).collect();
    TrueBook {
        symbol: market.info.spec.symbol,
        kind: market.info.spec.contract.kind,
        update_id: market.book.update_id(),
        bids: side(Side::Buy),
        asks: side(Side::Sell),
    }
}
