//! The exchange: accounts, orders, one book per symbol, price-time matching against a background market.
//!
//! Pure: time is an argument, results are events that the caller takes, ids count up from a start. It knows
//! nothing of the venue's JSON; it knows the venue's rules and its refusals.

pub mod account;
mod amend;
mod background;
pub mod book;
pub mod filters;
pub mod income;
pub mod linear;
pub mod list;
pub mod margin;
mod matching;
pub mod order;
pub mod position;
pub mod reject;
pub mod trade_log;
mod waking;

use crate::market::SymbolInfo;
use account::{Account, Balance};
use book::Book;
use list::{ListId, OrderList};
use margin::Bracket;
use order::{Order, OrderId, OrderStatus};
use position::Position;
use reject::Reject;
use smc_core::instrument::TradingStatus;
use smc_core::words::Name;
use smc_core::{Price, Qty, Side, TsNs};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Ended orders that can still be asked for; the oldest are forgotten.
const ENDED_ORDERS_MAX: usize = 100_000;

/// What happened, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum ExchangeEvent {
    /// An order changed; only its owner hears it.
    Report(Box<Report>),
    /// An account's amounts changed; only its owner hears it.
    Balances {
        /// The account.
        account: usize,
        /// The assets that changed, with their amounts now.
        assets: Vec<(Name, Balance)>,
    },
    /// A margin account's money or positions changed; only its owner hears it.
    Margin {
        /// The account.
        account: usize,
        /// Why.
        reason: MarginReason,
        /// The assets that changed, with their amounts now.
        assets: Vec<(Name, Balance)>,
        /// The symbols whose positions changed, with the positions now.
        positions: Vec<(usize, Position)>,
    },
    /// An order list began or is over; only its owner hears it. After the reports of its orders.
    List(Box<OrderList>),
    /// A trade; everybody hears it.
    Trade(PublicTrade),
}

/// Why a margin account changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarginReason {
    /// An order of it filled.
    Order,
    /// Funding was paid or received.
    Funding,
    /// The venue made good a balance that had fallen below zero.
    InsuranceClear,
}

/// One execution report.
#[derive(Clone, Debug)]
pub struct Report {
    /// The order after the change.
    pub order: Order,
    /// What changed it.
    pub exec: Execution,
    /// Number of the report within the venue.
    pub exec_id: u64,
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Execution {
    /// Accepted, or, for a stop order, triggered.
    New,
    /// Filled in part or in full.
    Trade(Fill),
    /// Cancelled by its owner; the name of the cancel request.
    Canceled(String),
    /// Ended by the venue's rules; why.
    Expired(ExpiryReason),
    /// Ended because it met an order of its own account.
    TradePrevention,
    /// Its owner changed its price or quantity.
    Amended,
    /// The venue took over what a liquidation left: a fill without a trade.
    TakenOver(Fill),
}

/// One fill as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Number of the trade within the symbol.
    pub trade_id: u64,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// Quote amount, 1e-8.
    pub quote: i64,
    /// Fee, in 1e-8 of `commission_asset`.
    pub commission: i64,
    /// The asset the fee is taken in: the one received.
    pub commission_asset: Name,
    /// Whether the order rested.
    pub is_maker: bool,
    /// Profit that it realised, fees apart, in 1e-8 of the quote asset; zero on spot.
    pub realised: i64,
}

/// Why the venue ended an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryReason {
    /// What an immediate-or-cancel order did not fill.
    UnfilledIoc,
    /// A fill-or-kill order that could not fill.
    UnfilledFok,
    /// A market order that emptied the book.
    InsufficientLiquidity,
    /// The other order of its list began to trade, or ended.
    OcoTrigger,
    /// A post-only order that would take.
    WouldTake,
    /// A reducing order with nothing left to reduce.
    NothingToReduce,
    /// A sleeping order that woke and could not be secured.
    InsufficientMargin,
    /// The venue cancelled it because the account is being liquidated.
    Liquidation,
}

/// One public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicTrade {
    /// Index of the symbol.
    pub symbol: usize,
    /// Number of the trade within the symbol.
    pub trade_id: u64,
    /// Number of the taking order: trades of one taker at one price are one aggregate trade.
    pub taker: u64,
    /// Price.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// Side of the order that took.
    pub aggressor: Side,
}

/// One symbol's state.
#[derive(Debug)]
pub struct Market {
    /// The rules.
    pub info: SymbolInfo,
    /// The book.
    pub book: Book,
    /// Price of the last trade.
    pub last_price: Option<Price>,
    next_trade_id: u64,
    /// Stop orders that sleep, oldest first.
    stops: BTreeSet<OrderId>,
    /// Open orders of all accounts.
    open: BTreeSet<OrderId>,
}

/// The exchange.
#[derive(Debug)]
pub struct Exchange {
    markets: Vec<Market>,
    accounts: Vec<Account>,
    orders: BTreeMap<OrderId, Order>,
    /// The latest order of an account in a symbol under a client order id.
    by_client_id: HashMap<(usize, usize, String), OrderId>,
    /// Ended orders, oldest first.
    ended: VecDeque<OrderId>,
    lists: BTreeMap<ListId, OrderList>,
    next_order_id: OrderId,
    next_list_id: ListId,
    next_exec_id: u64,
    next_taker: u64,
    next_name: u64,
    events: Vec<ExchangeEvent>,
    /// Time of the operation in progress.
    now: TsNs,
    /// What a linear position of each size must secure.
    brackets: Vec<Bracket>,
    /// When funding is next due.
    next_funding: Option<TsNs>,
}

impl Exchange {
    /// An exchange with empty books. All ids count up from numbers made of `seed`.
    pub fn new(symbols: &[SymbolInfo], accounts: Vec<Account>, seed: u64) -> Self {
        let base = 1_000_000 + (seed % 1_000_000) * 1_000;
        let market = |info: &SymbolInfo| Market {
            info: *info,
            book: Book::new(base),
            last_price: None,
            next_trade_id: base,
            stops: BTreeSet::new(),
            open: BTreeSet::new(),
        };
        Self {
            markets: symbols.iter().map(market).collect(),
            accounts,
            orders: BTreeMap::new(),
            by_client_id: HashMap::new(),
            ended: VecDeque::new(),
            lists: BTreeMap::new(),
            next_order_id: base,
            next_list_id: base,
            next_exec_id: base,
            next_taker: 1,
            next_name: base,
            events: Vec::new(),
            now: TsNs(0),
            brackets: margin::BRACKETS.to_vec(),
            next_funding: None,
        }
    }

    /// Sets the time of what follows. The caller's clock never goes back.
    pub fn set_now(&mut self, now: TsNs) {
        self.now = now;
    }

    /// Whether a symbol is a linear contract, held by margin.
    fn is_linear(&self, symbol: usize) -> bool {
        self.markets.get(symbol).is_some_and(|market| !market.info.spec.contract.is_spot())
    }

    /// The symbols' states.
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// One symbol's state.
    pub fn market(&self, symbol: usize) -> Option<&Market> {
        self.markets.get(symbol)
    }

    /// One symbol's book, to take its changes.
    pub fn book_mut(&mut self, symbol: usize) -> Option<&mut Book> {
        self.markets.get_mut(symbol).map(|market| &mut market.book)
    }

    /// Index of a symbol by name.
    pub fn symbol_index(&self, symbol: &str) -> Option<usize> {
        self.markets.iter().position(|market| market.info.spec.symbol.as_str() == symbol)
    }

    /// One account.
    pub fn account(&self, account: usize) -> Option<&Account> {
        self.accounts.get(account)
    }

    /// Money that came, or went where it is negative; false when there is not so much.
    pub fn transfer(&mut self, account: usize, asset: Name, amount: i64) -> bool {
        let Some(owner) = self.accounts.get_mut(account) else { return false };
        if owner.balance(asset).free.saturating_add(amount) < 0 {
            return false;
        }
        owner.receive(asset, amount);
        self.settle_balances();
        true
    }

    /// Other rules for a market; what works there stays. False when there is none.
    pub fn set_rules(&mut self, symbol: usize, status: TradingStatus, tick_times: i64) -> bool {
        let Some(market) = self.markets.get_mut(symbol).filter(|_| tick_times > 0) else { return false };
        let spec = &mut market.info.spec;
        spec.status = status;
        spec.tick = Price(spec.tick.0.saturating_mul(tick_times));
        true
    }

    /// One order by the venue's number.
    pub fn order(&self, id: OrderId) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// Every order, by number.
    pub fn orders(&self) -> impl Iterator<Item = &Order> + '_ {
        self.orders.values()
    }

    /// The orders that rest in a book, by number.
    pub fn resting(&self) -> impl Iterator<Item = &Order> + '_ {
        let open = self.markets.iter().flat_map(|market| &market.open).filter_map(|id| self.orders.get(id));
        open.filter(|order| order.working.is_some() && !order.kind.is_market())
    }

    /// An account's order by number, by client order id, or by both, which must then agree.
    pub fn find(
        &self,
        account: usize,
        symbol: usize,
        id: Option<OrderId>,
        client_order_id: Option<&str>,
    ) -> Option<&Order> {
        let by_name = |name: &str| {
            self.by_client_id.get(&(account, symbol, name.to_owned())).and_then(|id| self.orders.get(id))
        };
        let order = match (id, client_order_id) {
            (Some(id), _) => self.orders.get(&id)?,
            (None, Some(name)) => by_name(name)?,
            (None, None) => return None,
        };
        let is_named = client_order_id.is_none_or(|name| order.client_order_id == name);
        (order.account == account && order.symbol == symbol && is_named).then_some(order)
    }

    /// An account's open orders, oldest first; of one symbol or of all.
    pub fn open_orders(&self, account: usize, symbol: Option<usize>) -> Vec<&Order> {
        let mut open: Vec<&Order> = self
            .markets
            .iter()
            .enumerate()
            .filter(|(index, _)| symbol.is_none_or(|symbol| symbol == *index))
            .flat_map(|(_, market)| &market.open)
            .filter_map(|id| self.orders.get(id))
            .filter(|order| order.account == account)
            .collect();
        open.sort_by_key(|order| order.id);
        open
    }

    /// All orders of an account in a symbol that the venue still knows, oldest first.
    pub fn orders_of(&self, account: usize, symbol: usize) -> impl DoubleEndedIterator<Item = &Order> + '_ {
        self.orders.values().filter(move |order| order.account == account && order.symbol == symbol)
    }

    /// Cancels an open order under a name for the cancel, and with it the other of its list; returns the order as it
    /// ended.
    pub fn cancel(&mut self, id: OrderId, cancel_name: Option<String>) -> Result<Order, Reject> {
        let order = self.orders.get(&id).filter(|order| order.status.is_open());
        let Some(list) = order.map(|order| order.list) else { return Err(Reject::UNKNOWN_ORDER) };
        let name = cancel_name.unwrap_or_else(|| self.make_name());
        let together = self.working_of_list(id);
        let alone = [id];
        for &one in if together.is_empty() { &alone[..] } else { &together } {
            let Some(order) = self.orders.get(&one).cloned() else { continue };
            self.leave_book(&order);
            self.end(one, OrderStatus::Canceled);
            self.report(one, Execution::Canceled(name.clone()));
        }
        if let Some(list) = list {
            self.end_list_if_over(list);
        }
        self.settle_balances();
        self.orders.get(&id).cloned().ok_or(Reject::UNKNOWN_ORDER)
    }

    /// A name for a request whose client gave none: 22 characters, as the venue makes them.
    pub fn make_name(&mut self) -> String {
        self.next_name += 1;
        format!("sim{:019}", self.next_name)
    }

    /// What happened since [`take_events`](Self::take_events) was last called.
    pub fn events(&self) -> &[ExchangeEvent] {
        &self.events
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<ExchangeEvent> {
        std::mem::take(&mut self.events)
    }

    fn assets(&self, order: &Order) -> Option<(Name, Name)> {
        let spec = &self.markets.get(order.symbol)?.info.spec;
        Some((spec.base, spec.quote))
    }

    /// The asset an order gives away.
    fn given_asset(&self, order: &Order) -> Option<Name> {
        let (base, quote) = self.assets(order)?;
        Some(if order.side == Side::Buy { quote } else { base })
    }

    /// Takes an open order's rest off the book or out of the sleeping stops.
    fn leave_book(&mut self, order: &Order) {
        let Some(market) = self.markets.get_mut(order.symbol) else { return };
        market.stops.remove(&order.id);
        if order.working.is_some() && !order.kind.is_market() {
            market.book.reduce(order.side, order.price.0, order.id, order.leaves_qty());
        }
    }

    /// Ends an order: releases its funds and takes it off the open list.
    fn end(&mut self, id: OrderId, status: OrderStatus) -> Option<Order> {
        let given = self.orders.get(&id).and_then(|order| self.given_asset(order))?;
        let order = self.orders.get_mut(&id)?;
        order.status = status;
        order.updated = self.now;
        let locked = std::mem::take(&mut order.locked);
        let ended = order.clone();
        if locked > 0
            && let Some(account) = self.accounts.get_mut(ended.account)
        {
            account.unlock(given, locked);
        }
        if let Some(market) = self.markets.get_mut(ended.symbol) {
            market.open.remove(&id);
            market.stops.remove(&id);
        }
        self.ended.push_back(id);
        self.forget_oldest();
        Some(ended)
    }

    fn forget_oldest(&mut self) {
        while self.ended.len() > ENDED_ORDERS_MAX {
            let Some(id) = self.ended.pop_front() else { return };
            let Some(order) = self.orders.remove(&id) else { continue };
            let key = (order.account, order.symbol, order.client_order_id);
            if self.by_client_id.get(&key) == Some(&id) {
                self.by_client_id.remove(&key);
            }
        }
    }

    fn report(&mut self, id: OrderId, exec: Execution) {
        let Some(order) = self.orders.get(&id).cloned() else { return };
        self.next_exec_id += 1;
        let exec_id = self.next_exec_id;
        self.events.push(ExchangeEvent::Report(Box::new(Report { order, exec, exec_id })));
    }

    /// Tells every account what changed in its amounts.
    fn settle_balances(&mut self) {
        for (account, owner) in self.accounts.iter_mut().enumerate() {
            let assets = owner.take_touched();
            if let Some(reason) = owner.take_reason() {
                let positions = owner.take_touched_positions();
                self.events.push(ExchangeEvent::Margin { account, reason, assets, positions });
            } else if !assets.is_empty() {
                self.events.push(ExchangeEvent::Balances { account, assets });
            }
        }
    }
}
