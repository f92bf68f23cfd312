//! One account: balance, transactions in one rising sequence, orders, trades and what its positions have earned.
//!
//! Pure state. Every number of an order or a trade is that of the transaction that made it.

use super::order::Order;
use super::terms::{ClientExtensions, Kind};
use super::wire::Obj;
use smc_core::TsNs;
use std::collections::{BTreeMap, BTreeSet};

/// One entry of the account's log; never changes.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Its number, counted from 1.
    pub id: u64,
    /// The first transaction of the same request.
    pub batch: u64,
    /// The venue's number of the request; none when no request caused it.
    pub request: Option<u64>,
    /// When.
    pub time: TsNs,
    /// `ORDER_FILL` and the like.
    pub kind: &'static str,
    /// Its other members.
    pub body: String,
}

/// A position of one instrument on one side that a fill opened.
#[derive(Clone, Debug)]
pub struct Trade {
    /// Its number: that of the fill.
    pub id: u64,
    /// Index of the instrument.
    pub instrument: usize,
    /// Price of the fill.
    pub price: i64,
    /// When it was opened.
    pub opened: TsNs,
    /// Signed units at the start and now.
    pub initial_units: i64,
    /// See `initial_units`.
    pub units: i64,
    /// Margin the fill asked for.
    pub initial_margin: i64,
    /// Cash booked by closing parts of it.
    pub realized: i64,
    /// Financing booked so far.
    pub financing: i64,
    /// What the client calls it.
    pub client: ClientExtensions,
    /// When it was closed.
    pub closed: Option<TsNs>,
    /// Units closed times their prices, for the average.
    pub closed_value: i128,
    /// The fills that reduced or closed it.
    pub closing: Vec<u64>,
}

impl Trade {
    /// Whether any of it is left.
    pub fn is_open(&self) -> bool {
        self.closed.is_none()
    }
}

/// One fill, as the log has it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Its transaction.
    pub id: u64,
    /// The order that it filled.
    pub order: u64,
    /// Index of the instrument.
    pub instrument: usize,
    /// Signed units in 1e-8.
    pub units: i64,
    /// Average price in 1e-8.
    pub price: i64,
    /// When.
    pub at: TsNs,
}

/// What an instrument has earned on one side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Earned {
    /// Booked by closing.
    pub pl: i64,
    /// Financing booked.
    pub financing: i64,
}

/// One account.
pub struct Account {
    /// `101-004-1234567-001`.
    pub id: String,
    /// The bearer token that opens it.
    pub token: String,
    /// The currency of its balance.
    pub currency: String,
    /// Whether it may hold both sides of an instrument.
    pub is_hedging: bool,
    /// Its own margin in millionths, when set.
    pub margin_ppm: Option<u32>,
    /// What the owner calls it.
    pub alias: String,
    /// Cash.
    pub balance: i64,
    /// Booked by closing, in all.
    pub pl: i64,
    /// Financing booked, in all.
    pub financing: i64,
    /// When it was made.
    pub created: TsNs,
    /// When its last fill was.
    pub last_fill: Option<TsNs>,
    /// Whether it is in a margin call.
    pub margin_call: Option<TsNs>,
    /// The log; number `n` is at `n - 1`.
    pub transactions: Vec<Transaction>,
    /// Every fill ever, oldest first.
    pub fills: Vec<Fill>,
    /// Every order ever.
    pub orders: BTreeMap<u64, Order>,
    /// Those that wait.
    pub pending: BTreeSet<u64>,
    /// Every trade ever.
    pub trades: BTreeMap<u64, Trade>,
    /// Those that are open.
    pub open: BTreeSet<u64>,
    /// What each instrument has earned, long and short; only those ever traded.
    pub earned: BTreeMap<usize, [Earned; 2]>,
    /// Transactions not yet handed to streams begin after this one.
    pub streamed: u64,
    batch: Option<u64>,
    request: Option<u64>,
    now: TsNs,
}

impl Account {
    /// An account that was made and funded at `now`.
    pub fn new(id: &str, token: &str, currency: &str, balance: i64, is_hedging: bool, now: TsNs) -> Self {
        let mut account = Self {
            id: id.to_owned(),
            token: token.to_owned(),
            currency: currency.to_owned(),
            is_hedging,
            margin_ppm: None,
            alias: "Primary".to_owned(),
            balance,
            pl: 0,
            financing: 0,
            created: now,
            last_fill: None,
            margin_call: None,
            transactions: Vec::new(),
            fills: Vec::new(),
            orders: BTreeMap::new(),
            pending: BTreeSet::new(),
            trades: BTreeMap::new(),
            open: BTreeSet::new(),
            earned: BTreeMap::new(),
            streamed: 0,
            batch: None,
            request: None,
            now,
        };
        let number = |at: usize| id.split('-').nth(at).and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
        let user = account.user();
        let made = Obj::new()
            .raw("divisionID", &number(1).to_string())
            .raw("siteID", &number(0).to_string())
            .raw("accountUserID", &user.to_string())
            .raw("accountNumber", &number(3).to_string())
            .text("homeCurrency", currency);
        account.begin(now, None);
        account.log("CREATE", made.members());
        account.begin(now, None);
        let funded = Obj::new()
            .cash("amount", balance)
            .text("fundingReason", "ADJUSTMENT")
            .cash("accountBalance", balance);
        account.log("TRANSFER_FUNDS", funded.members());
        account.streamed = account.last_id();
        account
    }

    /// The number of its owner.
    pub fn user(&self) -> u64 {
        self.id.split('-').nth(2).and_then(|part| part.parse().ok()).unwrap_or(0)
    }

    /// The number of the last transaction.
    pub fn last_id(&self) -> u64 {
        self.transactions.len() as u64
    }

    /// The number that the next transaction will have.
    pub fn next_id(&self) -> u64 {
        self.last_id() + 1
    }

    /// Starts a batch: what follows belongs to one request or one event.
    pub fn begin(&mut self, now: TsNs, request: Option<u64>) {
        self.batch = None;
        self.request = request;
        self.now = now;
    }

    /// The time of the batch.
    pub fn now(&self) -> TsNs {
        self.now
    }

    /// Appends to the log; returns the new number.
    pub fn log(&mut self, kind: &'static str, body: String) -> u64 {
        let id = self.next_id();
        let batch = *self.batch.get_or_insert(id);
        self.transactions.push(Transaction { id, batch, request: self.request, time: self.now, kind, body });
        id
    }

    /// A transaction by its number.
    pub fn transaction(&self, id: u64) -> Option<&Transaction> {
        self.transactions.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }

    /// A transaction as the venue writes it.
    pub fn transaction_json(&self, transaction: &Transaction) -> String {
        Obj::new()
            .id("id", transaction.id)
            .text("accountID", &self.id)
            .raw("userID", &self.user().to_string())
            .id("batchID", transaction.batch)
            .with(transaction.request, |o, request| o.id("requestID", request))
            .time("time", transaction.time)
            .text("type", transaction.kind)
            .join(&transaction.body)
            .done()
    }

    /// The same by number; `{}` for one that is not there.
    pub fn json(&self, id: u64) -> String {
        self.transaction(id).map_or_else(|| "{}".to_owned(), |it| self.transaction_json(it))
    }

    /// Orders that wait, oldest first.
    pub fn pending_orders(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.pending.iter().filter_map(|id| self.orders.get(id))
    }

    /// Trades that are open, oldest first.
    pub fn open_trades(&self) -> impl DoubleEndedIterator<Item = &Trade> {
        self.open.iter().filter_map(|id| self.trades.get(id))
    }

    /// The order of a kind that waits to close a trade.
    pub fn order_of_trade(&self, trade: u64, kind: Kind) -> Option<&Order> {
        self.pending_orders().find(|order| order.kind == kind && order.trade == Some(trade))
    }

    /// An order by number or `@client-id`: one that waits before one that is done, the newest of those.
    pub fn find_order(&self, specifier: &str) -> Option<u64> {
        match specifier.strip_prefix('@') {
            None => specifier.parse().ok().filter(|id| self.orders.contains_key(id)),
            Some(name) => {
                let is_it = |order: &&Order| !name.is_empty() && order.client.id == name;
                let waiting = self.pending_orders().find(is_it);
                waiting.or_else(|| self.orders.values().rev().find(is_it)).map(|order| order.id)
            }
        }
    }

    /// A trade by number or `@client-id`: one that is open before one that is closed.
    pub fn find_trade(&self, specifier: &str) -> Option<u64> {
        match specifier.strip_prefix('@') {
            None => specifier.parse().ok().filter(|id| self.trades.contains_key(id)),
            Some(name) => {
                let is_it = |trade: &&Trade| !name.is_empty() && trade.client.id == name;
                let open = self.open_trades().find(is_it);
                open.or_else(|| self.trades.values().rev().find(is_it)).map(|trade| trade.id)
            }
        }
    }

    /// Signed units of all open trades of an instrument on one side.
    pub fn units(&self, instrument: usize, is_long: bool) -> i64 {
        self.open_trades()
            .filter(|trade| trade.instrument == instrument && (trade.units > 0) == is_long)
            .map(|trade| trade.units)
            .sum()
    }
}
