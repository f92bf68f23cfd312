//! The pure half of the feed: messages in, events out.
//!
//! Knows no socket. Keeps per instrument the book in step, drops what only repeats the past, and says of each
//! instrument whether its data can be trusted. Runs on the feed's thread for every message and does not allocate
//! there. Time is an argument.
//!
//! Two connections may speak at once while one is renewed. Each has a **lane** with books of its own, because nothing
//! says that two connections number alike. Only the active lane's books, quotes and marks are shown; trades are taken
//! from both and counted once by their number.

use smc_core::event::{Bar, Event, EventBody, FeedState, MarkPrice, Quote};
use smc_core::words::{InstrumentId, Name, Price, Timeframe, TsNs};

use super::decode::{Decoder, decode};
use super::message::{DecodeError, Decoded, TradeRow};
use super::settings::{FeedCounters, FeedSettings, KLINES_MAX, Silence, Streams};
use super::sync::{BookMessage, BookSync, Fault, Step};

/// Trades remembered against repetition for each instrument; a power of two.
const TRADES_SEEN: usize = 1_024;
/// First pause before a book that stays out of step is asked for again; doubles up to the longest.
const AGAIN_FIRST_NS: u64 = 2_000_000_000;
const AGAIN_LONGEST_NS: u64 = 32_000_000_000;
/// What was good for so long forgives earlier failures.
const STEADY_NS: u64 = 10_000_000_000;

/// What messages of one poll said about the connection itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Numbered requests that were answered, and whether with yes.
    pub answers: Vec<(u64, bool)>,
    /// Messages with market data, pongs and answers not counted.
    pub data: u32,
}

/// Which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The first, third, fifth …
    Odd = 0,
    /// The second, fourth …
    Even = 1,
}

impl Lane {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Odd => Self::Even,
            Self::Even => Self::Odd,
        }
    }
}

/// What should be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The book of the instrument at this place.
    Book(usize),
    /// Every topic of the instrument at this place.
    All(usize),
}

/// Funding of a perpetual contract, as last told. No event: the engine books it when it is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funding {
    /// In 1e-8 of the position's value; positive: longs pay.
    pub rate_e8: i64,
    /// When it is booked next.
    pub at: TsNs,
}

/// All instruments of one feed.
pub struct Market {
    decoder: Decoder,
    /// The decoder names instruments by their place here.
    books: Vec<Instrument>,
    streams: Streams,
    silence: Silence,
    active: Lane,
    is_connected: bool,
    counters: FeedCounters,
    last_refusal: Option<DecodeError>,
    last_fault: Option<Fault>,
}

struct Instrument {
    id: InstrumentId,
    /// One of each connection.
    lanes: [LaneState; 2],
    state: Option<FeedState>,
    /// The newest best prices' number across topics.
    quote_seq: u64,
    mark: Price,
    funding: Funding,
    trades_seen: Vec<u64>,
    last_bar: [Option<Bar>; KLINES_MAX],
    /// When each kind of topic last said something new.
    heard_trade: TsNs,
    heard_best: TsNs,
    heard_depth: TsNs,
    heard_ticker: TsNs,
    /// When topics are next asked for again, and after which pause.
    again_at: TsNs,
    again_pause: u64,
}

struct LaneState {
    sync: BookSync,
    /// Every topic is confirmed.
    is_confirmed: bool,
}

impl Market {
    /// Takes all memory it will use on the hot path.
    pub fn new(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Self {
        let places: Vec<_> =
            (0u16..).zip(instruments).map(|(at, &(_, name))| (InstrumentId(at), name)).collect();
        let depth = settings.streams.depth.unwrap_or(1);
        let lane = || LaneState { sync: BookSync::new(depth, settings.view_levels_max), is_confirmed: false };
        let books = instruments.iter().map(|&(id, _)| Instrument {
            id,
            lanes: [lane(), lane()],
            state: None,
            quote_seq: 0,
            mark: Price::ZERO,
            funding: Funding::default(),
            trades_seen: vec![0; TRADES_SEEN],
            last_bar: [None; KLINES_MAX],
            heard_trade: TsNs(0),
            heard_best: TsNs(0),
            heard_depth: TsNs(0),
            heard_ticker: TsNs(0),
            again_at: TsNs(0),
            again_pause: AGAIN_FIRST_NS,
        });
        Self {
            decoder: Decoder::new(&places),
            books: books.collect(),
            streams: settings.streams,
            silence: settings.silence,
            active: Lane::Odd,
            is_connected: false,
            counters: FeedCounters::default(),
            last_refusal: None,
            last_fault: None,
        }
    }

    /// Takes one message of a connection.
    #[inline]
    pub fn on_message<E: FnMut(Event)>(
        &mut self,
        lane: Lane,
        payload: &mut [u8],
        now: TsNs,
        notes: &mut Notes,
        emit: &mut E,
    ) {
        self.counters.messages += 1;
        let decoded = match decode(payload, &mut self.decoder) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.counters.refused += 1;
                self.last_refusal = Some(error);
                return;
            }
        };
        let counters = &mut self.counters;
        let place = match decoded {
            Decoded::Book { symbol, .. }
            | Decoded::Trades { symbol, .. }
            | Decoded::Ticker { symbol, .. }
            | Decoded::Kline { symbol, .. } => symbol.index(),
            Decoded::ControlAck { req_id, .. } => return notes.answer(req_id, true),
            Decoded::ControlError { req_id, .. } => {
                counters.control_errors += 1;
                return notes.answer(req_id, false);
            }
            Decoded::Pong | Decoded::Ignored { .. } => return,
        };
        notes.data += 1;
        let is_active = lane == self.active;
        let Some(book) = self.books.get_mut(place) else { return };
        let mut fault = None;
        match decoded {
            Decoded::Book { depth: 1, ts, update_id, seq, bids, asks, .. } if is_active => {
                let top = (bids.first(), asks.first());
                let (bid, ask) = (top.0.copied().unwrap_or_default(), top.1.copied().unwrap_or_default());
                let quote =
                    Quote { bid: bid.price, bid_qty: bid.qty, ask: ask.price, ask_qty: ask.qty, update_id };
                book.on_quote(quote, seq, ts, now, counters, emit);
            }
            Decoded::Book { depth, is_snapshot, ts, update_id, bids, asks, .. }
                if Some(depth) == self.streams.depth =>
            {
                let message = BookMessage { is_snapshot, update_id, bids, asks };
                let is_shown = is_active.then_some(ts);
                fault = book.on_book(lane, &message, is_shown, now, counters, emit);
            }
            Decoded::Trades { trades, .. } => book.on_trades(trades, now, counters, emit),
            Decoded::Ticker { ts, mark, funding_e8, funding_at, .. } if is_active => {
                book.heard_ticker = now;
                book.funding.rate_e8 = funding_e8.unwrap_or(book.funding.rate_e8);
                book.funding.at = funding_at.unwrap_or(book.funding.at);
                if let Some(price) = mark.filter(|&price| price != book.mark) {
                    book.mark = price;
                    emit(event(book.id, ts, now, EventBody::Mark(MarkPrice { price })));
                }
            }
            Decoded::Kline { timeframe: Some(timeframe), bar, is_closed: true, .. } => {
                let place = self.streams.klines.iter().position(|&wanted| wanted == Some(timeframe));
                if let Some(place) = place {
                    book.on_bar(place, timeframe, bar, now, counters, emit);
                }
            }
            _ => {}
        }
        let is_settling = matches!(book.state, Some(FeedState::Stale | FeedState::Syncing));
        if let Some(fault) = fault {
            self.on_fault(lane, place, fault, now, emit);
        } else if is_settling {
            self.settle(place, now, emit);
        }
    }

    /// Everything is down, whatever a connection said is void.
    pub fn on_down<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.is_connected = false;
        self.reset_lane(Lane::Odd);
        self.reset_lane(Lane::Even);
        for book in &mut self.books {
            // A new connection may be to a venue that counts anew.
            book.quote_seq = 0;
            book.mark = Price::ZERO;
        }
        self.settle_all(now, emit);
    }

    /// The active connection is open, its subscriptions not yet confirmed.
    pub fn on_open<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.is_connected = true;
        self.settle_all(now, emit);
    }

    /// A request about the instrument at `place` was answered; the last one of the instrument says whether all are
    /// confirmed. Silence counts from now.
    pub fn on_confirmed<E: FnMut(Event)>(&mut self, lane: Lane, place: usize, now: TsNs, emit: &mut E) {
        let Some(book) = self.books.get_mut(place) else { return };
        if let Some(state) = book.lanes.get_mut(lane as usize) {
            state.is_confirmed = true;
        }
        if lane == self.active {
            book.hear_all(now);
            // The image follows its confirmation at once, or was lost.
            book.again_at = TsNs(now.0.saturating_add(AGAIN_FIRST_NS));
            self.settle(place, now, emit);
        }
    }

    /// Forgets what a connection said: it is gone, or a new one takes its lane.
    pub fn reset_lane(&mut self, lane: Lane) {
        for state in self.books.iter_mut().filter_map(|book| book.lanes.get_mut(lane as usize)) {
            state.sync.reset();
            state.is_confirmed = false;
        }
    }

    /// Whether every instrument is confirmed on this connection and its book, where one is wanted, in step.
    pub fn is_in_step(&self, lane: Lane) -> bool {
        let wants_book = self.streams.depth.is_some();
        let is_good = |state: &LaneState| state.is_confirmed && (!wants_book || state.sync.is_live());
        self.books.iter().all(|book| book.lanes.get(lane as usize).is_some_and(is_good))
    }

    /// Whether every topic of every instrument is confirmed on the active connection.
    pub fn is_confirmed(&self) -> bool {
        let lane = self.active as usize;
        self.books.iter().all(|book| book.lanes.get(lane).is_some_and(|state| state.is_confirmed))
    }

    /// Shows this connection's books from now on, in place of the other's, without a moment between.
    pub fn switch_to<E: FnMut(Event)>(&mut self, lane: Lane, now: TsNs, emit: &mut E) {
        self.active = lane;
        for book in &mut self.books {
            let id = book.id;
            book.hear_all(now);
            let Some(state) = book.lanes.get_mut(lane as usize) else { continue };
            if state.sync.is_live() {
                state.sync.show_all(&mut |update| emit(event(id, now, now, EventBody::Book(update))));
            }
        }
        self.reset_lane(lane.other());
        self.settle_all(now, emit);
    }

    /// The connection whose books are shown.
    pub const fn active(&self) -> Lane {
        self.active
    }

    /// Looks for silent topics and books out of step. Returns what should be asked for again.
    pub fn check<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> Option<Again> {
        let mut again = None;
        for place in 0..self.books.len() {
            self.settle(place, now, emit);
            let lane = self.active as usize;
            let Some(book) = self.books.get_mut(place) else { break };
            let is_confirmed = book.lanes.get(lane).is_some_and(|state| state.is_confirmed);
            let is_bad = matches!(book.state, Some(FeedState::Stale | FeedState::Syncing));
            if !is_confirmed || !is_bad {
                if now.since(book.again_at) > STEADY_NS {
                    book.again_pause = AGAIN_FIRST_NS;
                }
                continue;
            }
            if again.is_none() && now >= book.again_at {
                book.again_at = TsNs(now.0.saturating_add(book.again_pause));
                book.again_pause = (book.again_pause * 2).min(AGAIN_LONGEST_NS);
                self.counters.asked_again += 1;
                book.quote_seq = 0;
                again = Some(match book.state {
                    Some(FeedState::Syncing) => Again::Book(place),
                    _ => Again::All(place),
                });
            }
        }
        again
    }

    /// Whether every instrument is live.
    pub fn is_live(&self) -> bool {
        self.books.iter().all(|book| book.state == Some(FeedState::Live))
    }

    /// The shown book of the instrument at `place`.
    pub fn book(&self, place: usize) -> Option<&BookSync> {
        self.books.get(place)?.lanes.get(self.active as usize).map(|state| &state.sync)
    }

    /// Funding of the instrument at `place`, as last told.
    pub fn funding(&self, place: usize) -> Option<Funding> {
        self.books.get(place).map(|book| book.funding)
    }

    /// What was counted here; connections are counted by the feed.
    pub fn counters(&self) -> FeedCounters {
        FeedCounters { tape_uses: self.decoder.tape_uses(), ..self.counters }
    }

    /// Why the last refused message was refused.
    pub const fn last_refusal(&self) -> Option<DecodeError> {
        self.last_refusal
    }

    /// Why a book was last declared invalid.
    pub const fn last_fault(&self) -> Option<Fault> {
        self.last_fault
    }

    #[cold]
    fn on_fault<E: FnMut(Event)>(&mut self, lane: Lane, place: usize, fault: Fault, now: TsNs, emit: &mut E) {
        match fault {
            Fault::Gap { .. } => self.counters.gaps += 1,
            _ => self.counters.invalid_books += 1,
        }
        self.last_fault = Some(fault);
        let Some(book) = self.books.get_mut(place) else { return };
        if lane == self.active && book.again_pause == AGAIN_FIRST_NS {
            // The first time at once; a book that breaks over and over waits.
            book.again_at = now;
        }
        self.settle(place, now, emit);
    }

    fn settle_all<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        for place in 0..self.books.len() {
            self.settle(place, now, emit);
        }
    }

    /// Works out the instrument's state and tells it when it has changed.
    fn settle<E: FnMut(Event)>(&mut self, place: usize, now: TsNs, emit: &mut E) {
        let Some(book) = self.books.get_mut(place) else { return };
        let Some(lane) = book.lanes.get(self.active as usize) else { return };
        let state = if !self.is_connected {
            FeedState::Down
        } else if !lane.is_confirmed || self.streams.depth.is_some() && !lane.sync.is_live() {
            FeedState::Syncing
        } else if book.is_silent(&self.streams, &self.silence, now) {
            FeedState::Stale
        } else {
            FeedState::Live
        };
        if book.state == Some(state) {
            return;
        }
        if state == FeedState::Stale {
            self.counters.stale += 1;
            book.again_at = now;
        }
        book.state = Some(state);
        emit(event(book.id, now, now, EventBody::Feed(state)));
    }
}

impl Notes {
    #[cold]
    fn answer(&mut self, req_id: &str, is_yes: bool) {
        if let Ok(id) = req_id.parse() {
            self.answers.push((id, is_yes));
        }
    }
}

impl Instrument {
    /// `is_shown` is the venue's time of what the engine is to see; none on a connection that stands by.
    #[inline]
    fn on_book<E: FnMut(Event)>(
        &mut self,
        lane: Lane,
        message: &BookMessage<'_>,
        is_shown: Option<TsNs>,
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) -> Option<Fault> {
        let id = self.id;
        let state = self.lanes.get_mut(lane as usize)?;
        let mut show = |update| {
            if let Some(ts) = is_shown {
                emit(event(id, ts, now, EventBody::Book(update)));
            }
        };
        match state.sync.on_message(message, &mut show) {
            Step::Loaded => counters.resyncs += 1,
            Step::Applied => {}
            Step::Old | Step::Waiting => {
                counters.old += 1;
                return None;
            }
            Step::Broken(fault) => return Some(fault),
        }
        if is_shown.is_some() {
            self.heard_depth = now;
        }
        None
    }

    #[inline]
    fn on_quote<E: FnMut(Event)>(
        &mut self,
        quote: Quote,
        seq: u64,
        ts: TsNs,
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) {
        // After a restart the venue's numbers may begin anew.
        if seq < self.quote_seq && quote.update_id != 1 {
            counters.old += 1;
            return;
        }
        self.heard_best = now;
        if seq == self.quote_seq {
            // The venue repeats itself in quiet times.
            counters.old += 1;
            return;
        }
        self.quote_seq = seq;
        // One side empty, or crossed: true or not, nothing to trade on.
        if quote.bid <= Price::ZERO || quote.bid_qty.0 <= 0 || quote.ask_qty.0 <= 0 || quote.ask <= quote.bid
        {
            counters.refused += 1;
            return;
        }
        // While the book is out of step no quote is taken for good.
        if matches!(self.state, Some(FeedState::Live | FeedState::Stale)) {
            emit(event(self.id, ts, now, EventBody::Quote(quote)));
        }
    }

    #[inline]
    fn on_trades<E: FnMut(Event)>(
        &mut self,
        rows: &[TradeRow],
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) {
        for row in rows {
            let id = row.trade.trade_id;
            let Some(seen) = self.trades_seen.get_mut((id % TRADES_SEEN as u64) as usize) else { return };
            if *seen == id {
                counters.old += 1;
                continue;
            }
            *seen = id;
            self.heard_trade = now;
            // What was arranged outside the book says nothing about prices in it.
            if !row.is_block {
                emit(event(self.id, row.ts, now, EventBody::Trade(row.trade)));
            }
        }
    }

    fn on_bar<E: FnMut(Event)>(
        &mut self,
        place: usize,
        timeframe: Timeframe,
        bar: Bar,
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) {
        let Some(last) = self.last_bar.get_mut(place) else { return };
        let is_old = |last: Bar| bar.open_ts < last.open_ts || bar == last;
        let is_sound = bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close);
        match bar.open_ts.0.checked_add(timeframe.nanos()) {
            // A second telling is dropped, unless it is a second thought.
            Some(_) if last.is_some_and(is_old) => counters.old += 1,
            Some(ts_close) if is_sound && timeframe.open_of(bar.open_ts) == bar.open_ts => {
                *last = Some(bar);
                // Without a trade the venue repeats the last price; nobody who watched would have seen a bar.
                if bar.trades > 0 {
                    emit(event(self.id, TsNs(ts_close), now, EventBody::Bar(timeframe, bar)));
                }
            }
            _ => counters.refused += 1,
        }
    }

    fn hear_all(&mut self, now: TsNs) {
        self.heard_trade = now;
        self.heard_best = now;
        self.heard_depth = now;
        self.heard_ticker = now;
    }

    fn is_silent(&self, streams: &Streams, silence: &Silence, now: TsNs) -> bool {
        let over = |is_on: bool, heard: TsNs, limit: u64| is_on && limit != 0 && now.since(heard) > limit;
        over(streams.trades, self.heard_trade, silence.trade_ns)
            || over(streams.best, self.heard_best, silence.best_ns)
            || over(streams.depth.is_some(), self.heard_depth, silence.depth_ns)
            || over(streams.ticker, self.heard_ticker, silence.ticker_ns)
    }
}

#[inline]
fn event(instrument: InstrumentId, ts_event: TsNs, ts_recv: TsNs, body: EventBody) -> Event {
    Event { seq: 0, ts_event, ts_recv, instrument, body }
}
