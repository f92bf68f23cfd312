//! What a journal tells, read without the engine: orders and what became of them, fills, position, books, states.

use super::at::At;
use crate::Rec;
use smc_core::codec;
use smc_core::event::{
    Balance, BookUpdate, Cash, CashKind, Command, Event, EventBody, FeedState, GatewayState, KeyScope,
    Margin, OrderUpdate, OrderUpdateKind, Quote, RiskScope,
};
use smc_core::instrument::InstrumentSpec;
use smc_core::output::{
    Alert, Control, NewOrder, OrderKind, OrderTerms, Output, Purpose, StateChange, TradingState,
};
use smc_core::words::{ClientOrderId, Money, Name, Price, Qty, Side, TsNs};
use smc_journal::RecordKind;
use std::collections::{BTreeMap, BTreeSet};
use venue_sim::TrueBook;

/// A price or quantity that is so many times the first one seen is nobody's.
const ABSURD_FACTOR: i64 = 10;

/// The venue's book as it was at some of its numbers.
pub type Witness = BTreeMap<u64, TrueBook>;

/// How an order ended, as far as the engine was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not yet.
    Open,
    /// It comes with another order, when that fills.
    Coming,
    /// Filled, cancelled or expired.
    Done,
    /// Refused by the venue or before it.
    Refused,
    /// Proved not to have arrived.
    Never,
}

/// One order of the engine.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// As it was decided.
    pub order: NewOrder,
    /// What became of it.
    pub fate: Fate,
    /// Filled of it.
    pub filled: i64,
    /// Its outcome was unknown for a time.
    pub was_unknown: bool,
    /// In which life of the engine it was decided, and in which something was last heard of it.
    pub lives: (u32, u32),
    /// The venue makes it when another fills, for as much as that fills.
    pub is_attached: bool,
    /// When it was decided.
    pub at: TsNs,
}

/// One fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldFill {
    /// Of which order.
    pub client_order_id: ClientOrderId,
    /// Which way.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// For which fee.
    pub fee: Money,
    /// In which asset.
    pub fee_asset: Name,
    /// How often the engine put it into the position.
    pub counted: u32,
    /// How often it was told.
    pub told: u32,
}

/// Levels of one side, by price.
pub type Levels = BTreeMap<Price, Qty>;

/// Where the first difference of each side lies, for people.
pub fn differences([bids, asks]: &[Levels; 2], truth: &TrueBook) -> String {
    let first = |ours: &Levels, side, theirs: &[(Price, Qty)]| {
        let pairs = best(ours, side, theirs.len()).zip(theirs).find(|(ours, theirs)| ours != *theirs);
        pairs.map(|(ours, theirs)| format!("{ours:?} for {theirs:?}"))
    };
    format!(
        "{} and {} levels for {} and {}, bid {:?}, ask {:?}",
        bids.len(),
        asks.len(),
        truth.bids.len(),
        truth.asks.len(),
        first(bids, Side::Buy, &truth.bids),
        first(asks, Side::Sell, &truth.asks)
    )
}

/// The best of one side, best first.
pub fn best(levels: &Levels, side: Side, count: usize) -> impl Iterator<Item = (Price, Qty)> + '_ {
    let (rising, falling) = match side {
        Side::Buy => (None, Some(levels.iter().rev())),
        Side::Sell => (Some(levels.iter()), None),
    };
    let pairs = rising.into_iter().flatten().chain(falling.into_iter().flatten());
    pairs.map(|(price, qty)| (*price, *qty)).take(count)
}

/// What a journal tells.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Orders by id.
    pub orders: BTreeMap<ClientOrderId, Told>,
    /// Fills by trade number.
    pub fills: BTreeMap<u64, ToldFill>,
    /// Position after the last fill.
    pub position: i64,
    /// Its mean price.
    pub average: Price,
    /// The last word about the market data.
    pub feed: Option<FeedState>,
    /// The last word about the order path.
    pub gateway: Option<GatewayState>,
    /// The last word about the engine's state, and which control had it.
    pub state: Option<(TradingState, Control)>,
    /// Every change of a level, of the engine and of its parts.
    pub states: Vec<StateChange>,
    /// The rules as told, each with when.
    pub rules: Vec<(TsNs, InstrumentSpec)>,
    /// What the venue counted the account's margin to be, each with when.
    pub margins: Vec<(TsNs, Margin)>,
    /// What was said of the key.
    pub keys: Vec<(TsNs, KeyScope)>,
    /// Rounds of reconciliation that ended.
    pub rounds: u32,
    /// Working orders that were to be replaced in one step.
    pub replaced: u32,
    /// Entries that followed the end of a loop of entries.
    pub repeated: u32,
    /// Time of the last input.
    now: TsNs,
    /// Amounts as last told.
    pub balances: BTreeMap<Name, Balance>,
    /// Bids and asks as the engine was told them.
    pub books: [Levels; 2],
    /// Number of the book's last change.
    pub book_id: u64,
    /// Best prices as last told.
    pub quote: Option<Quote>,
    /// Money that came and went without a fill.
    pub cash: i64,
    /// Numbers of its bookings.
    bookings: BTreeSet<u64>,
    /// Where the run was.
    at: At,
    /// Times that a process was started.
    pub lives: u32,
    /// How often the feed lost what it had.
    pub feed_losses: u32,
    /// How often the order path was ready.
    pub ready: u32,
    /// Books and quotes that the engine was told and the witness knows.
    pub compared: u32,
    /// The first price that was told.
    first_price: i64,
    /// Everything that a person was told.
    pub alerts: Vec<Alert>,
    /// What is not as promised by the journal alone, or by the witness, each with its promise's number.
    pub faults: Vec<String>,
    /// The engine was told to shut down.
    pub is_shut_down: bool,
}

impl Story {
    /// Reads records up to an operator's `Shutdown`, or all of them, and holds the market data against the witness.
    pub fn read(records: &[Rec], until_shutdown: bool, witness: &Witness, at: At) -> Self {
        let mut story = Self { lives: 1, at, ..Self::default() };
        // The trade that the last input told of.
        let mut fill = None;
        for record in records {
            match record.kind {
                RecordKind::Run => story.lives += 1,
                RecordKind::Input => match codec::decode::<Event>(&record.payload) {
                    Ok(event) => {
                        story.is_shut_down |= matches!(event.body, EventBody::Operator(act) if act.command == Command::Shutdown);
                        if story.is_shut_down && until_shutdown {
                            return story;
                        }
                        fill = story.input(&event, witness);
                    }
                    Err(error) => story.faults.push(format!("P5 record {}: {error}", record.seq)),
                },
                RecordKind::Output => match codec::decode::<Output<NewOrder>>(&record.payload) {
                    Ok(output) => story.output(record.seq, &output, &mut fill),
                    Err(error) => story.faults.push(format!("P5 record {}: {error}", record.seq)),
                },
                _ => {}
            }
        }
        story
    }

    /// Ids of orders that the engine takes to be working.
    pub fn open(&self) -> Vec<ClientOrderId> {
        self.orders.iter().filter(|(_, told)| told.fate == Fate::Open).map(|(id, _)| *id).collect()
    }

    fn input(&mut self, event: &Event, witness: &Witness) -> Option<u64> {
        self.now = event.ts_recv;
        match event.body {
            EventBody::Feed(state) => {
                self.feed_losses += u32::from(self.feed == Some(FeedState::Live) && state != FeedState::Live);
                self.feed = Some(state);
                // A silent stream leaves the book as it was.
                if matches!(state, FeedState::Down | FeedState::Syncing) {
                    self.books = Default::default();
                    self.book_id = 0;
                }
            }
            EventBody::Gateway(state) => {
                self.ready += u32::from(state == GatewayState::Ready);
                self.gateway = Some(state);
            }
            EventBody::Balance(balance) => {
                self.balances.insert(balance.asset, balance);
            }
            EventBody::Book(update) => self.book(&update, witness),
            EventBody::Trade(trade) => self.market_price(trade.price, trade.qty),
            EventBody::Quote(quote) => self.quote(&quote, witness),
            EventBody::Cash(cash) => self.cash(&cash),
            EventBody::Instrument(spec) => self.rules.push((event.ts_recv, spec)),
            EventBody::Margin(margin) => self.margins.push((event.ts_recv, margin)),
            EventBody::Key(key) => self.keys.push((event.ts_recv, key)),
            EventBody::Round(round) => self.rounds += u32::from(round.is_end),
            EventBody::Order(update) => return self.update(&update),
            _ => {}
        }
        None
    }

    /// Prices are positive and of this market, quantities are not negative.
    fn market_price(&mut self, price: Price, qty: Qty) {
        if self.first_price == 0 {
            self.first_price = price.0;
        }
        let range = self.first_price / ABSURD_FACTOR..=self.first_price.saturating_mul(ABSURD_FACTOR);
        if price.0 <= 0 || qty.0 < 0 || !range.contains(&price.0) {
            self.faults.push(format!("P6 market data that cannot be true: {price:?}, {qty:?}"));
        }
    }

    fn quote(&mut self, quote: &Quote, witness: &Witness) {
        self.market_price(quote.bid, quote.bid_qty);
        self.market_price(quote.ask, quote.ask_qty);
        self.quote = Some(*quote);
        let Some(book) = witness.get(&quote.update_id).filter(|_| self.at.has_numbered_quotes()) else {
            return;
        };
        self.compare(is_top(quote, book, self.at), "quote", quote.update_id);
    }

    /// Each booking counts once, as the word's own doc says; one without a number always.
    fn cash(&mut self, cash: &Cash) {
        let is_new = cash.booking_id == 0 || self.bookings.insert(cash.booking_id);
        if is_new && cash.kind != CashKind::Transfer {
            self.cash += cash.amount.0;
        }
    }

    fn compare(&mut self, is_equal: bool, what: &str, update_id: u64) {
        self.compared += 1;
        if !is_equal {
            self.faults.push(format!("P6 the {what} of number {update_id} is not the venue's"));
        }
    }

    fn book(&mut self, update: &BookUpdate, witness: &Witness) {
        if update.is_snapshot_start {
            self.books = Default::default();
        }
        let [bids, asks] = &mut self.books;
        let side = if update.side == Side::Buy { bids } else { asks };
        for level in update.levels.iter().take(update.len.into()) {
            if level.qty.0 == 0 {
                side.remove(&level.price);
            } else {
                side.insert(level.price, level.qty);
            }
        }
        self.book_id = update.update_id;
        for level in update.levels.iter().take(update.len.into()) {
            self.market_price(level.price, level.qty);
        }
        if let Some(truth) = witness.get(&update.update_id).filter(|_| update.is_last) {
            let ([bids, asks], count) = (&self.books, self.at.levels());
            let is_equal = best(bids, Side::Buy, count).eq(truth.bids.iter().copied().take(count))
                && best(asks, Side::Sell, count).eq(truth.asks.iter().copied().take(count));
            let what =
                if is_equal { String::new() } else { format!("book ({})", differences(&self.books, truth)) };
            self.compare(is_equal, &what, update.update_id);
        }
    }

    fn update(&mut self, update: &OrderUpdate) -> Option<u64> {
        let id = update.client_order_id;
        if id == ClientOrderId::NONE {
            return self.foreign(update);
        }
        let Some(told) = self.orders.get_mut(&id) else {
            // A kill between an input and its outputs: the engine decided, nothing was journaled and so nothing sent,
            // and the next life asks until the venue says that it has no such order.
            let denies =
                matches!(update.kind, OrderUpdateKind::CancelReject { .. } | OrderUpdateKind::NotFound);
            if denies && self.lives > 1 {
                return None;
            }
            self.faults.push(format!("P1 a report about {id:?}, which was never decided: {update:?}"));
            return None;
        };
        told.lives.1 = self.lives;
        let is_sign_of_life = matches!(update.kind, OrderUpdateKind::Ack | OrderUpdateKind::Fill { .. });
        if told.fate == Fate::Coming && is_sign_of_life {
            told.fate = Fate::Open;
        }
        match update.kind {
            OrderUpdateKind::Fill { trade_id, side, price, qty, fee, fee_asset, .. } => {
                let fill =
                    ToldFill { client_order_id: id, side, price, qty, fee, fee_asset, counted: 0, told: 1 };
                match self.fills.get_mut(&trade_id) {
                    None => {
                        told.filled += qty.0;
                        if told.filled >= told.order.qty.0 {
                            told.fate = Fate::Done;
                        }
                        let (parent, filled) = (told.order, told.filled);
                        self.fills.insert(trade_id, fill);
                        self.grow_attached(&parent, filled);
                    }
                    Some(first) => {
                        first.told += 1;
                        if (ToldFill { counted: first.counted, told: first.told, ..fill }) != *first {
                            self.faults
                                .push(format!("P1 trade {trade_id} was told otherwise before: {fill:?}"));
                        }
                    }
                }
                return Some(trade_id);
            }
            OrderUpdateKind::Canceled { .. } | OrderUpdateKind::Expired { .. } => told.fate = Fate::Done,
            OrderUpdateKind::Reject { .. } => told.fate = Fate::Refused,
            OrderUpdateKind::NotFound => told.fate = Fate::Never,
            OrderUpdateKind::Unknown => told.was_unknown = true,
            OrderUpdateKind::Ack | OrderUpdateKind::CancelReject { .. } => {}
        }
        None
    }

    /// Another hand's order: its fills count as well.
    fn foreign(&mut self, update: &OrderUpdate) -> Option<u64> {
        let OrderUpdateKind::Fill { trade_id, side, price, qty, fee, fee_asset, .. } = update.kind else {
            return None;
        };
        let client_order_id = ClientOrderId::NONE;
        let fill = ToldFill { client_order_id, side, price, qty, fee, fee_asset, counted: 0, told: 0 };
        self.fills.entry(trade_id).or_insert(fill).told += 1;
        Some(trade_id)
    }

    fn output(&mut self, seq: u64, output: &Output<NewOrder>, fill: &mut Option<u64>) {
        match output {
            Output::NewOrder(order) => self.decided(seq, *order),
            Output::Replace(replace) => {
                self.replaced += 1;
                self.decided(seq, replace.order);
            }
            Output::Position(position) if position.fill_qty.0 == 0 => {
                (self.position, self.average) = (position.qty.0, position.average);
            }
            Output::Position(position) => {
                (self.position, self.average) = (position.qty.0, position.average);
                let counted = fill.take().and_then(|trade_id| self.fills.get_mut(&trade_id));
                match counted {
                    Some(counted) => counted.counted += 1,
                    None => self.faults.push(format!("P1 record {seq}: a position changed without a fill")),
                }
            }
            Output::State(change) => {
                if change.scope == RiskScope::ENGINE {
                    self.state = Some((change.to, change.cause));
                }
                self.states.push(*change);
            }
            Output::Alert(alert) => self.alerts.push(*alert),
            _ => {}
        }
    }

    fn decided(&mut self, seq: u64, order: NewOrder) {
        let (feed, gateway) = (self.feed, self.gateway);
        let sees_and_reaches = feed == Some(FeedState::Live) && gateway == Some(GatewayState::Ready);
        if order.purpose == Purpose::Entry && !sees_and_reaches {
            self.faults
                .push(format!("P6 record {seq}: an entry with data {feed:?} and order path {gateway:?}"));
        }
        let is_looping = self.states.iter().any(|change| change.cause == Control::RepeatExec);
        self.repeated += u32::from(is_looping && order.purpose == Purpose::Entry);
        let attached = attached(&order).map(|order| (order, Fate::Coming));
        for (order, fate) in std::iter::once((order, Fate::Open)).chain(attached) {
            let lives = (self.lives, self.lives);
            let is_attached = fate == Fate::Coming;
            let (at, filled, was_unknown) = (self.now, 0, false);
            let told = Told { order, fate, filled, was_unknown, lives, is_attached, at };
            if self.orders.insert(order.client_order_id, told).is_some() {
                let id = order.client_order_id;
                self.faults.push(format!("P2 record {seq}: the id {id:?} was used before"));
            }
        }
    }

    /// What comes with an order comes for as much as that has filled.
    fn grow_attached(&mut self, parent: &NewOrder, filled: i64) {
        for child in attached(parent) {
            if let Some(told) = self.orders.get_mut(&child.client_order_id) {
                told.order.qty.0 = told.order.qty.0.max(filled);
                if told.fate == Fate::Coming {
                    told.fate = Fate::Open;
                }
            }
        }
    }
}

/// Stop and target that the venue makes when an order fills; of what quantity, its fills tell.
fn attached(order: &NewOrder) -> impl Iterator<Item = NewOrder> + use<> {
    let (order, terms) = (*order, order.terms);
    let wanted = [(terms.stop_on_fill, 1, Purpose::Stop), (terms.target_on_fill, 2, Purpose::Target)];
    wanted.into_iter().filter(|(at, ..)| *at > Price::ZERO).map(move |(price, places, purpose)| NewOrder {
        client_order_id: order.client_order_id.after(places),
        side: order.side.opposite(),
        kind: if purpose == Purpose::Stop { OrderKind::StopLimit } else { OrderKind::Limit },
        price,
        stop_price: if purpose == Purpose::Stop { price } else { Price::ZERO },
        qty: Qty::ZERO,
        purpose,
        terms: OrderTerms::PLAIN,
        ..order
    })
}

/// Whether best prices are a book's, as far as the venue means them so.
pub fn is_top(quote: &Quote, book: &TrueBook, at: At) -> bool {
    let best = |side: &[(Price, Qty)]| side.first().copied();
    let told = [(quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)].map(Some);
    let truth = [best(&book.bids), best(&book.asks)];
    match at.has_true_quantities() {
        true => told == truth,
        false => told.map(|one| one.map(|(price, _)| price)) == truth.map(|one| one.map(|(price, _)| price)),
    }
}
