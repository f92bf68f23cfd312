//! The engine: one event in, its outputs out. Read [`Engine::on_event`] to know all it does.
//!
//! Pure: state changes only by events, time is the event's, memory is taken in [`Engine::new`] alone. Every
//! order passes the gate (`risk`), every decision is said aloud, every output is folded into the digest. It
//! never sends anything: the caller journals the outputs, then hands orders to the gateway. Run by the engine
//! thread, one event at a time.
//!
//! Rooms: `market` is one instrument, `bracket` the life of one trade, `trading` everything that asks for or
//! hears of orders, `evidence` what sizing looks at, `guard` what stops it, `reconcile` what the venue has against what we
//! believe, `account` what we own, `seen` what people ask. This file is the way of an event and market data.

mod account;
mod book_risk;
mod bracket;
mod evidence;
mod guard;
mod market;
mod plan;
mod reconcile;
mod seen;
mod snapshot;
mod steps;
mod trading;
mod why;

pub use book_risk::VarParams;
pub use bracket::{Motive, Step};
pub use plan::Plan;
pub use reconcile::ROUNDS_MAX;
pub use seen::Watched;
pub use why::{CAPS, Cap, Ignorance, Ignored, LEGS, Move, Sizing, Why};

use crate::bars::{BarSet, VenueBar};
use crate::book::Book;
use crate::config::{BarSource, ConfigError, EngineConfig};
use crate::digest::Digest;
use crate::event::{
    Balance, Bar, BookUpdate, Cash, Event, EventBody, FeedState, GatewayState, MarkPrice, Quote, RiskScope,
    Trade,
};
use crate::instrument::{InstrumentSpec, TradingStatus};
use crate::orders::{Order, Orders};
use crate::outbox::Outbox;
use crate::output::{AlertKind, Output, Purpose, TradingState};
use crate::position::{CashChange, PositionBook};
use crate::risk::{Gate, VENUES_MAX, VenueFacts};
use crate::smc::{IdSource, SmcEngine};
use crate::strategy::{Intents, Strategy};
use crate::words::{ClientOrderId, InstrumentId, Money, Qty, TsNs};
use account::Account;
use alloc::vec::Vec;
use book_risk::BookVar;
use evidence::Observed;
use guard::Guard;
use market::Market;
use why::Notes;

/// The engine with its strategy.
pub struct Engine<S> {
    config: EngineConfig,
    strategy: S,
    /// In the order of the configuration.
    markets: Vec<Market>,
    structure_ids: IdSource,
    account: Account,
    gateway: [GatewayState; VENUES_MAX],
    gate: Gate,
    orders: Orders,
    positions: PositionBook,
    guard: Guard,
    observed: Observed,
    book_var: BookVar,
    /// The venue listens to nothing before this; 0 when it does.
    banned_until: [TsNs; VENUES_MAX],
    /// By venue: everything up to this number of the account's sequence was told; 0 where none was told.
    told_to: [u64; VENUES_MAX],
    now: TsNs,
    order_sequence: u64,
    /// Sequences left out of `order_sequence`, for the venue knew them already.
    passed_over: u64,
    signal_id: u32,
    digest: Digest,
    counters: Counters,
    /// For who asks why; no part of the state. None until somebody does.
    notes: Option<Notes>,
}

/// What happened since start, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events taken.
    pub events: u64,
    /// Bars closed, on all timeframes.
    pub bars: u64,
    /// Structure events.
    pub structures: u64,
    /// Signals.
    pub signals: u64,
    /// Intents not acted on: a trade was under way, the bar too old, entry, stop and target out of order, or the
    /// market beyond them already.
    pub intents_ignored: u64,
    /// Orders the gate let through.
    pub orders_sent: u64,
    /// Orders the gate denied.
    pub orders_denied: u64,
    /// Ids kept free for stops and targets that come with an entry.
    pub orders_attached: u64,
    /// Cancels asked.
    pub cancels: u64,
    /// Fills counted (each trade id once).
    pub fills: u64,
    /// Refusals by the venue.
    pub rejects: u64,
    /// Reports about orders that nobody here knew.
    pub orders_unknown: u64,
    /// Alerts.
    pub alerts: u64,
}

impl<S: Strategy> Engine<S> {
    /// An engine that knows its configuration and nothing of the world. Takes all the memory it will use.
    pub fn new(config: EngineConfig, strategy: S) -> Result<Self, ConfigError> {
        config.check()?;
        let markets = (0..config.instruments.len() as u16).map(|id| Market::new(InstrumentId(id), &config));
        Ok(Self {
            markets: markets.collect(),
            structure_ids: IdSource::default(),
            account: Account::new(),
            gateway: [GatewayState::Down; VENUES_MAX],
            gate: trading::gate(&config)?,
            orders: Orders::new(config.instruments.len()),
            positions: trading::positions(&config),
            guard: Guard::new(&config),
            book_var: BookVar::new(&config).ok_or(ConfigError::Senseless { field: "risk.var" })?,
            observed: Observed::new(config.instruments.len(), &config.sizing.heat),
            banned_until: [TsNs(0); VENUES_MAX],
            told_to: [0; VENUES_MAX],
            passed_over: 0,
            now: TsNs(0),
            order_sequence: config.order_sequence_first,
            signal_id: 0,
            digest: Digest::default(),
            counters: Counters::default(),
            notes: None,
            config,
            strategy,
        })
    }

    /// Takes one event; its outputs are in `outbox` afterwards, in order, and folded into the digest.
    ///
    /// The outbox must be empty: what the last event said has to be journaled and handed on first.
    pub fn on_event(&mut self, event: &Event, outbox: &mut Outbox) {
        self.answer(event, outbox);
        self.fold(outbox);
    }

    /// As [`Engine::on_event`] without the digest, for a caller who hands the outputs on first: [`Engine::fold`] has to follow
    /// before the next event, and before anybody asks for the digest.
    #[inline(always)]
    pub fn answer(&mut self, event: &Event, outbox: &mut Outbox) {
        assert!(outbox.is_empty(), "the last event's outputs were not taken");
        self.now = self.now.max(event.ts_recv);
        self.counters.events += 1;
        let at = event.instrument.index();
        match &event.body {
            EventBody::Trade(trade) => self.on_trade(at, event.ts_event, trade, outbox),
            EventBody::Quote(quote) => self.on_quote(at, event.ts_event, quote, outbox),
            EventBody::Book(update) => self.on_book(at, update, outbox),
            EventBody::Bar(timeframe, bar) => self.on_venue_bar(at, timeframe, bar, outbox),
            EventBody::Order(update) => self.on_order(event.instrument, update, outbox),
            EventBody::Timer => self.on_timer(outbox),
            EventBody::Operator(act) => self.on_act(act, outbox),
            EventBody::Clock(clock) => self.facts_of(event).clock = Some(*clock),
            EventBody::Budget(budget) => {
                self.on_budget(self.config.venue_of(event.instrument), budget, outbox)
            }
            EventBody::Key(key) => self.facts_of(event).key = Some(*key),
            EventBody::Margin(margin) => {
                self.positions.on_margin_at(self.config.venue_of(event.instrument), margin)
            }
            EventBody::Mark(mark) => self.on_mark(at, mark),
            EventBody::Rate(rate) => self.on_rate(event.instrument, rate),
            EventBody::Cash(cash) => self.on_cash(event.instrument, cash, outbox),
            EventBody::Round(round) => self.on_round(event.instrument, round, outbox),
            EventBody::VenueOrder(row) => self.on_venue_order(event.instrument, row, outbox),
            EventBody::VenuePosition(row) => self.on_venue_position(event.instrument, row),
            EventBody::Sequence(sequence) => {
                let venue = usize::from(self.config.venue_of(event.instrument));
                if let Some(told_to) = self.told_to.get_mut(venue) {
                    *told_to = sequence.told_to;
                }
            }
            EventBody::Journal(state) => self.on_journal(*state, outbox),
            EventBody::Feed(state) => self.on_feed(event.instrument, *state, outbox),
            EventBody::Gateway(state) => self.on_gateway(event.instrument, *state, outbox),
            EventBody::Instrument(spec) => self.on_instrument(at, spec, outbox),
            EventBody::Balance(balance) => self.on_balance(event.instrument, balance),
        }
    }

    /// Folds an event's outputs into the digest.
    #[inline]
    pub fn fold(&mut self, outbox: &Outbox) {
        // Most events say nothing.
        if !outbox.is_empty() {
            outbox.encoded().for_each(|(_, bytes)| self.digest.fold(bytes));
        }
    }
}

/// Market data.
impl<S: Strategy> Engine<S> {
    /// A trade makes bars, lower timeframes first, and may show that the stop's price was reached.
    fn on_trade(&mut self, at: usize, ts_event: TsNs, trade: &Trade, outbox: &mut Outbox) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(at) else { return };
        market.book.on_trade(trade, now);
        self.positions.mark(market.id, market.book.mark());
        if market.bracket.is_stop_reached(trade.price) {
            market.bracket.stop_reached.get_or_insert(now);
        }
        if market.bar_source == BarSource::Trades {
            self.feed_bars(at, outbox, |bars| bars.on_trade(ts_event, trade.price, trade.qty));
        }
    }

    fn on_quote(&mut self, at: usize, ts_event: TsNs, quote: &Quote, outbox: &mut Outbox) {
        let now = self.now;
        let Some(market) = self.markets.get_mut(at) else { return };
        market.book.on_quote(quote, now);
        self.positions.mark(market.id, market.book.mark());
        if market.bar_source == BarSource::QuoteMid && market.book.is_trusted() {
            self.feed_bars(at, outbox, |bars| bars.on_quote(ts_event, quote.bid, quote.ask));
        }
        self.check_target(at, outbox);
        let mut intents = Intents::default();
        if let Some(market) = self.markets.get(at) {
            let view = market.view(now, &self.positions, &self.config.timeframes);
            self.strategy.on_quote(&view, quote, &mut intents);
        }
        self.check_flash(at, outbox);
        self.act(at, now, &intents, outbox);
    }

    fn on_book(&mut self, at: usize, update: &BookUpdate, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        market.book.on_update(update, self.now);
        self.positions.mark(market.id, market.book.mark());
        if update.is_last {
            self.check_target(at, outbox);
            self.check_flash(at, outbox);
        }
    }

    /// The venue's fair price: a second source of the same thing.
    fn on_mark(&mut self, at: usize, mark: &MarkPrice) {
        if let Some(market) = self.markets.get_mut(at) {
            self.positions.mark_by_venue(market.id, mark.price);
            market.flash.on_mark(mark.price);
        }
    }

    /// A venue's candle, for warm-up: structure is told as if we had watched it being made. One of a bucket already closed
    /// changes nothing; where it differs from what was told, that is said.
    fn on_venue_bar(&mut self, at: usize, timeframe: &crate::Timeframe, bar: &Bar, outbox: &mut Outbox) {
        let Some(slot) = self.config.timeframes.iter().position(|known| known == timeframe) else { return };
        let Some(market) = self.markets.get_mut(at) else { return };
        match market.bars.on_venue_bar(*timeframe, bar) {
            VenueBar::Closes => self.close_bar(at, slot, bar, outbox),
            // A candle of all prices is another than our bar of those that were streamed, and no second thought.
            VenueBar::Revises if market.bar_source == BarSource::Trades => {
                let (instrument, opened) = (market.id, bar.open_ts.0.cast_signed());
                self.alert(AlertKind::BarRevised, instrument, ClientOrderId::NONE, opened, outbox);
            }
            VenueBar::Revises | VenueBar::Nothing => {}
        }
    }

    /// Lower timeframes first: what they say at this instant must not know the higher bar.
    #[inline]
    fn feed_bars(&mut self, at: usize, outbox: &mut Outbox, feed: impl FnOnce(&mut BarSet) -> bool) {
        if self.markets.get_mut(at).is_some_and(|market| feed(&mut market.bars)) {
            self.close_bars(at, outbox);
        }
    }

    #[cold]
    fn close_bars(&mut self, at: usize, outbox: &mut Outbox) {
        for slot in 0..self.config.timeframes.len() {
            if let Some(bar) = self.markets.get_mut(at).and_then(|market| market.bars.closed(slot)) {
                self.close_bar(at, slot, &bar, outbox);
            }
        }
    }

    /// A closed bar: said aloud, then structure, then the strategy, which sees both.
    fn close_bar(&mut self, at: usize, slot: usize, bar: &Bar, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        let Some(timeframe) = self.config.timeframes.get(slot).copied() else { return };
        let Some(smc) = market.smc.get_mut(slot) else { return };
        outbox.push(Output::BarClosed(market.id, timeframe, *bar));
        if slot == 0 {
            self.observed.on_bar(at, bar);
        }
        let first = outbox.len();
        smc.on_bar(bar, &mut self.structure_ids, &mut |structure| outbox.push(Output::Structure(structure)));
        let structures = outbox.outputs().get(first..).unwrap_or_default();
        self.counters.bars += 1;
        self.counters.structures += structures.len() as u64;

        let view = market.view(self.now, &self.positions, &self.config.timeframes);
        let mut intents = Intents::default();
        for output in structures {
            if let Output::Structure(structure) = output {
                self.strategy.on_structure(&view, structure, &mut intents);
            }
        }
        self.strategy.on_bar(&view, timeframe, bar, &mut intents);
        self.on_risk_bar(at, slot, bar, outbox);
        let known_at = TsNs(bar.open_ts.0.saturating_add(timeframe.nanos()));
        self.act(at, known_at, &intents, outbox);
    }

    /// Targets that do not rest at the venue are held here, and so is the place of the stop: the market reaching one
    /// starts an exit, the market moving on moves the other.
    fn check_target(&mut self, at: usize, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        if market.bracket.plan.is_some() && market.watch(&self.positions, self.config.sizing.fee_ppm) {
            self.manage(at, outbox);
        }
    }
}

/// Time, state of the world, operator.
impl<S: Strategy> Engine<S> {
    fn on_timer(&mut self, outbox: &mut Outbox) {
        let now = self.now;
        self.on_guard_timer(outbox);
        self.reconcile_on_timer(outbox);
        for at in 0..self.markets.len() {
            self.feed_bars(at, outbox, |bars| bars.on_clock(now));
            self.check_stop_filled(at);
            self.manage(at, outbox);
            self.check_protection(at, outbox);
        }
        self.check_answers(outbox);
    }

    fn on_feed(&mut self, instrument: InstrumentId, state: FeedState, outbox: &mut Outbox) {
        for at in 0..self.markets.len() {
            let Some(market) = self.markets.get_mut(at) else { return };
            if instrument != market.id && instrument != InstrumentId::NONE {
                continue;
            }
            let was_live = market.book.feed() == FeedState::Live;
            market.book.on_feed(state, self.now);
            if state == FeedState::Live && !market.is_watched {
                market.bars.watch_from(self.now);
            }
            market.is_watched = state == FeedState::Live || market.is_watched && state != FeedState::Down;
            let id = market.id;
            if was_live && state != FeedState::Live && market.is_holding(&self.positions) {
                let kind = AlertKind::BlindWithPosition;
                self.alert(kind, id, ClientOrderId::NONE, state as i64, outbox);
            }
            self.manage(at, outbox);
        }
    }

    /// Of the instrument's venue, or of all with [`InstrumentId::NONE`].
    fn on_gateway(&mut self, instrument: InstrumentId, state: GatewayState, outbox: &mut Outbox) {
        let only = (instrument != InstrumentId::NONE).then(|| self.config.venue_of(instrument));
        for venue in (0..VENUES_MAX as u8).filter(|&venue| only.is_none_or(|only| only == venue)) {
            if let Some(known) = self.gateway.get_mut(usize::from(venue)) {
                *known = state;
            }
            if state == GatewayState::Down {
                self.reconcile_on_cut(venue);
            }
        }
        self.manage_all(outbox);
    }

    /// What a venue says of itself and of us.
    fn facts_of(&mut self, event: &Event) -> &mut VenueFacts {
        let venue = usize::from(self.config.venue_of(event.instrument)).min(VENUES_MAX - 1);
        &mut self.guard.venues[venue]
    }

    fn is_path_up(&self, instrument: InstrumentId) -> bool {
        let venue = usize::from(self.config.venue_of(instrument));
        self.gateway.get(venue) == Some(&GatewayState::Ready)
    }

    /// The venue's rules. A set that makes no sense stops the instrument's orders; the last good one still says
    /// what is held and how small an order may be, so that a working stop stays.
    fn on_instrument(&mut self, at: usize, spec: &InstrumentSpec, outbox: &mut Outbox) {
        let Some(config) = self.config.instruments.get(at) else { return };
        let fault = spec.fault(config.symbol);
        let Some(market) = self.markets.get_mut(at) else { return };
        market.spec = match fault {
            None => Some(*spec),
            Some(_) => market.spec.map(|good| InstrumentSpec { status: TradingStatus::Unknown, ..good }),
        };
        if fault.is_none() {
            self.positions.set_contract(market.id, spec.base, spec.quote, spec.contract);
        }
        if let Some(rule) = fault {
            let id = InstrumentId(at as u16);
            self.alert(AlertKind::Instrument, id, ClientOrderId::NONE, rule as i64, outbox);
        }
        self.manage(at, outbox);
    }

    fn on_balance(&mut self, instrument: InstrumentId, balance: &Balance) {
        let venue = self.config.venue_of(instrument);
        self.account.set(venue, balance);
        self.positions.on_balance_at(venue, balance);
    }

    /// Funding, financing, commission, transfers: money that moved without a fill.
    fn on_cash(&mut self, instrument: InstrumentId, cash: &Cash, outbox: &mut Outbox) {
        let before = self.positions.transferred();
        if let CashChange::Position(position) = self.positions.on_cash(instrument, cash) {
            outbox.push(Output::Position(position));
        }
        let moved = Money(self.positions.transferred().0.saturating_sub(before.0));
        self.guard.loss.on_transfer(moved);
        self.check_loss(outbox);
    }
}

/// Read-only views.
impl<S> Engine<S> {
    /// Trading state of the whole engine; its parts may be held further down, see [`Engine::held`].
    pub fn state(&self) -> TradingState {
        self.guard.scopes.state(RiskScope::ENGINE)
    }

    /// Time of the last event.
    pub fn now(&self) -> TsNs {
        self.now
    }

    /// Signed position.
    pub fn position(&self, instrument: InstrumentId) -> Qty {
        self.positions.qty(instrument)
    }

    /// The trade planned or under way.
    pub fn plan(&self, instrument: InstrumentId) -> Option<Plan> {
        self.markets.get(instrument.index())?.bracket.plan
    }

    /// Book of an instrument.
    pub fn book(&self, instrument: InstrumentId) -> Option<&Book> {
        Some(&self.markets.get(instrument.index())?.book)
    }

    /// Market structure of an instrument, one per timeframe.
    pub fn structure(&self, instrument: InstrumentId) -> &[SmcEngine] {
        self.markets.get(instrument.index()).map_or(&[], |market| &market.smc)
    }

    /// Positions, profit, fees, equity and trade statistics.
    pub fn positions(&self) -> &PositionBook {
        &self.positions
    }

    /// Profit taken since start over all instruments, after fees and with all cash, in the account's currency.
    pub fn realised(&self) -> Money {
        Money(self.total(|id| self.positions.realised(id)).0.saturating_add(self.positions.cash().0))
    }

    /// Fees since start over all instruments, in the account's currency.
    pub fn fees(&self) -> Money {
        self.total(|id| self.positions.fees(id))
    }

    /// What the account is worth: starting equity and transfers plus all profit, taken and open; 0 while unknown.
    pub fn equity(&self) -> Money {
        self.positions.equity()
    }

    fn total(&self, amount: impl Fn(InstrumentId) -> Money) -> Money {
        Money(self.positions.instruments().fold(0, |sum: i64, id| sum.saturating_add(amount(id).0)))
    }

    /// An order by its id, open or in recent history.
    pub fn order(&self, id: ClientOrderId) -> Option<Order> {
        self.orders.find(id)
    }

    /// Orders that may still fill.
    pub fn open_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter()
    }

    /// Orders that are over, as far as they are remembered.
    pub fn ended_orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.ended()
    }

    /// The venue's numbers of the trades that were counted last, of one instrument; as many as are remembered.
    pub fn trades_counted(&self, instrument: InstrumentId) -> impl Iterator<Item = u64> {
        self.orders.trades_counted(instrument)
    }

    /// How far the numbering of a venue's account has been told; 0 where nothing of the kind was.
    pub fn told_to(&self, venue: u8) -> u64 {
        self.told_to.get(usize::from(venue)).copied().unwrap_or(0)
    }

    /// The highest that the account was worth, as far as it was looked at: at fills, timers and entries.
    pub fn equity_high(&self) -> Money {
        self.guard.loss.high()
    }

    /// Fingerprint of all outputs so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Orders the gate let through.
    pub fn orders_sent(&self) -> u64 {
        self.counters.orders_sent
    }

    /// Fills counted.
    pub fn fills(&self) -> u64 {
        self.counters.fills
    }

    /// Everything counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// From now on it is noted down what orders, cancels and refusals are decided from. Changes no output and no
    /// state; takes memory, so it is for replays.
    pub fn note_why(&mut self) {
        self.notes.get_or_insert_with(Notes::new);
        self.gate.keep_asked();
    }

    /// What the last event's orders, cancels and refusals were decided from; nothing without
    /// [`Engine::note_why`].
    pub fn why(&self) -> Why<'_> {
        self.notes.as_ref().map_or(Why::NOTHING, |notes| notes.read(self.counters.events, self.gate.asked()))
    }

    /// State of the order path; of several the worst.
    pub fn gateway(&self) -> GatewayState {
        let used = self.config.instruments.iter().map(|instrument| usize::from(instrument.venue));
        let states = used.filter_map(|venue| self.gateway.get(venue).copied());
        states.min_by_key(|&state| state as u8).unwrap_or(GatewayState::Down)
    }

    /// Why the position of an instrument is being closed at the market, if it is.
    pub fn leaving(&self, instrument: InstrumentId) -> Option<Purpose> {
        self.markets.get(instrument.index())?.bracket.leaving
    }

    /// The venue's rules for an instrument, once told.
    pub fn spec(&self, instrument: InstrumentId) -> Option<&InstrumentSpec> {
        self.markets.get(instrument.index())?.spec.as_ref()
    }

    /// The configuration.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// The strategy.
    pub fn strategy(&self) -> &S {
        &self.strategy
    }
}
