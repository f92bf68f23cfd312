//! The pure half of the feed: messages and snapshots in, events out.
//!
//! Knows no socket. Keeps per instrument the book in step, drops what only repeats the past, and says of
//! each instrument whether its data can be trusted. Runs on the feed's thread for every message and does
//! not allocate there. Time is an argument.

use smc_core::event::{Bar, Event, EventBody, FeedState, MarkPrice, Quote, Trade};
use smc_core::words::{InstrumentId, Name, Price, Timeframe, TsNs};

use super::dialect::{Dialect, LINES_MAX};
use super::message::{ControlId, DecodeError, Decoded};
use super::settings::{FeedCounters, FeedSettings, KLINES_MAX, Silence, Streams, TradeStream};
use super::sync::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};

/// A book that breaks again within this time makes the next snapshot wait.
const HASTY_NS: u64 = 10_000_000_000;

/// What messages of one poll said about the connection itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Answers `result` to numbered requests.
    pub acks: u32,
    /// A request was refused.
    pub is_refused: bool,
    /// The venue announced that it will cut the connection.
    pub is_shutdown: bool,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LineState {
    Down,
    Open,
    Subscribed,
    /// Nothing is wanted of it.
    Unused,
}

/// All instruments of one feed.
pub struct Market<D> {
    decoder: D,
    /// The decoder names instruments by their place here.
    books: Vec<Instrument>,
    streams: Streams,
    silence: Silence,
    snapshot_limit: usize,
    /// By number; the first carries quotes and books. Beyond the dialect's own they are unused.
    lines: [LineState; LINES_MAX],
    /// The venue said that the rules of an instrument changed.
    wants_rules: bool,
    /// A book broke soon after it had come into step.
    is_hasty: bool,
    counters: FeedCounters,
    last_refusal: Option<DecodeError>,
    last_fault: Option<Fault>,
}

struct Instrument {
    id: InstrumentId,
    sync: BookSync,
    state: Option<FeedState>,
    needs_snapshot: bool,
    live_since: TsNs,
    quote_id: u64,
    trade_id: u64,
    last_bar: [Option<Bar>; KLINES_MAX],
    /// When each kind of stream last said something new.
    heard_trade: TsNs,
    heard_quote: TsNs,
    heard_depth: TsNs,
    heard_mark: TsNs,
    /// Depth messages since the last new one that only repeated the past.
    repeats: u32,
    /// When its streams were last asked for again.
    asked: TsNs,
}

impl<D: Dialect> Market<D> {
    /// Takes all memory it will use on the hot path.
    pub fn new(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Self {
        let places: Vec<_> =
            (0u16..).zip(instruments).map(|(at, &(_, name))| (InstrumentId(at), name)).collect();
        // A view deeper than the snapshot would count as thin for ever.
        let view_levels_max = settings.book.view_levels_max.min(settings.snapshot_limit.into());
        let limits = BookLimits { view_levels_max, ..settings.book };
        let books = instruments.iter().map(|&(id, _)| Instrument {
            id,
            sync: BookSync::new(&limits),
            state: None,
            needs_snapshot: false,
            live_since: TsNs(0),
            quote_id: 0,
            trade_id: 0,
            last_bar: [None; KLINES_MAX],
            heard_trade: TsNs(0),
            heard_quote: TsNs(0),
            heard_depth: TsNs(0),
            heard_mark: TsNs(0),
            repeats: 0,
            asked: TsNs(0),
        });
        let is_used = |line: usize| {
            line < D::LINES
                && (instruments.iter().any(|_| !D::streams(&settings.streams, line, "x").is_empty())
                    || !D::common_streams(&settings.streams, line).is_empty())
        };
        let mut lines = [LineState::Unused; LINES_MAX];
        for (_, state) in lines.iter_mut().enumerate().filter(|&(line, _)| is_used(line)) {
            *state = LineState::Down;
        }
        Self {
            decoder: D::new(&places, settings.time_unit),
            books: books.collect(),
            streams: settings.streams,
            silence: settings.silence,
            snapshot_limit: settings.snapshot_limit.into(),
            lines,
            wants_rules: false,
            is_hasty: false,
            counters: FeedCounters::default(),
            last_refusal: None,
            last_fault: None,
        }
    }

    /// Takes one message of a stream connection.
    #[inline]
    pub fn on_message<E: FnMut(Event)>(
        &mut self,
        payload: &mut [u8],
        now: TsNs,
        notes: &mut Notes,
        emit: &mut E,
    ) {
        self.counters.messages += 1;
        let Self { decoder, books, streams, counters, wants_rules, .. } = self;
        let mut listener = Listener { books, streams, counters, wants_rules, notes, now };
        let mut touched = None;
        let decoded = decoder.decode(payload, &mut |decoded| touched = listener.take(&decoded, emit));
        if let Err(error) = decoded {
            self.counters.refused += 1;
            self.last_refusal = Some(error);
            return;
        }
        let Some((place, fault)) = touched else { return };
        if let Some(fault) = fault {
            self.on_fault(place, fault, now, emit);
        } else if self.books.get(place).is_some_and(|book| book.state == Some(FeedState::Stale)) {
            self.settle(place, now, emit);
        }
    }

    /// Takes the body of the snapshot of the instrument at `place`. Whether the book is in step now.
    pub fn on_snapshot<E: FnMut(Event)>(
        &mut self,
        place: usize,
        body: &mut [u8],
        now: TsNs,
        emit: &mut E,
    ) -> bool {
        let Some(book) = self.books.get_mut(place) else { return false };
        let snapshot = match self.decoder.snapshot(body) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                self.counters.refused += 1;
                self.last_refusal = Some(error);
                return false;
            }
        };
        let id = book.id;
        let mut show = |update| emit(event(id, now, now, EventBody::Book(update)));
        let (bids, asks) = (snapshot.bids, snapshot.asks);
        match book.sync.on_snapshot(snapshot.last_update_id, bids, asks, self.snapshot_limit, &mut show) {
            SnapshotStep::Live { .. } => {
                book.needs_snapshot = false;
                book.live_since = now;
                book.heard_depth = now;
                book.repeats = 0;
                self.counters.resyncs += 1;
                self.settle(place, now, emit);
                true
            }
            SnapshotStep::TooOld { .. } => false,
            SnapshotStep::Broken(fault) => {
                self.on_fault(place, fault, now, emit);
                false
            }
        }
    }

    /// A connection is gone, or being made for the first time. Without the one that carries the books instruments are
    /// down; without the other they are stale, and their books go on.
    pub fn on_down<E: FnMut(Event)>(&mut self, line: usize, now: TsNs, emit: &mut E) {
        self.set_line(line, LineState::Down);
        let (has_books, has_trades) = (line == 0, line == D::TRADES_LINE);
        for book in &mut self.books {
            // A new connection may be to a venue that counts anew.
            if has_books {
                book.sync.reset();
                book.needs_snapshot = false;
                book.quote_id = 0;
            }
            if has_trades {
                book.trade_id = 0;
            }
        }
        self.settle_all(now, emit);
    }

    /// The connection is open, the subscription not yet confirmed.
    pub fn on_open<E: FnMut(Event)>(&mut self, line: usize, now: TsNs, emit: &mut E) {
        self.set_line(line, LineState::Open);
        self.settle_all(now, emit);
    }

    /// Every stream of a connection is confirmed: silence counts from now, books want their snapshots.
    pub fn on_subscribed<E: FnMut(Event)>(&mut self, line: usize, now: TsNs, emit: &mut E) {
        self.set_line(line, LineState::Subscribed);
        let (has_books, has_trades) = (line == 0, line == D::TRADES_LINE);
        for book in &mut self.books {
            if has_books {
                book.heard_quote = now;
                book.heard_depth = now;
                book.needs_snapshot = self.streams.depth && !book.sync.is_live();
            }
            if has_trades {
                book.heard_trade = now;
                book.heard_mark = now;
            }
            book.asked = now;
        }
        self.settle_all(now, emit);
    }

    /// Looks for silent streams. Returns the connection and the place of an instrument whose streams should be asked for
    /// again on it.
    pub fn check_silence<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> Option<(usize, usize)> {
        let mut mute = None;
        for place in 0..self.books.len() {
            self.settle(place, now, emit);
            let Some(book) = self.books.get_mut(place) else { break };
            if book.state != Some(FeedState::Stale) {
                continue;
            }
            let (streams, silence) = (&self.streams, &self.silence);
            let has_books = book.are_books_silent(streams, silence, now);
            let line = if has_books { 0 } else { D::TRADES_LINE };
            if self.lines.get(line) != Some(&LineState::Subscribed) {
                continue;
            }
            let patience = self.silence.depth_ns.max(self.silence.book_ticker_ns);
            if book.repeats > 0 && now.since(book.heard_depth) > self.silence.depth_ns {
                // Depth speaks, but only of the past: the venue's ids have gone back.
                self.on_fault(place, Fault::Repeats, now, emit);
            } else if now.since(book.asked) > patience {
                book.asked = now;
                mute = Some((line, place));
            }
        }
        mute
    }

    /// Places of instruments that wait for a snapshot, the next one at or after `from`, going round.
    pub fn next_wanted(&self, from: usize) -> Option<usize> {
        let count = self.books.len();
        (0..count)
            .map(|step| (from + step) % count)
            .find(|&at| self.books.get(at).is_some_and(|book| book.needs_snapshot))
    }

    /// Whether a book broke soon after its last snapshot, since the last call.
    pub const fn take_hasty(&mut self) -> bool {
        std::mem::replace(&mut self.is_hasty, false)
    }

    /// Whether the venue has said, since the last call, that the rules of an instrument changed.
    pub const fn take_wants_rules(&mut self) -> bool {
        std::mem::replace(&mut self.wants_rules, false)
    }

    /// Whether every instrument is live.
    pub fn is_live(&self) -> bool {
        self.books.iter().all(|book| book.state == Some(FeedState::Live))
    }

    /// The book of the instrument at `place`.
    pub fn book(&self, place: usize) -> Option<&BookSync> {
        self.books.get(place).map(|book| &book.sync)
    }

    /// What was counted here; connections and snapshots are counted by the feed.
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
    fn on_fault<E: FnMut(Event)>(&mut self, place: usize, fault: Fault, now: TsNs, emit: &mut E) {
        match fault {
            Fault::Gap { .. } => self.counters.gaps += 1,
            _ => self.counters.invalid_books += 1,
        }
        self.last_fault = Some(fault);
        let Some(book) = self.books.get_mut(place) else { return };
        if fault == Fault::Repeats {
            book.sync.reset();
            book.repeats = 0;
        }
        self.is_hasty |= now.since(book.live_since) < HASTY_NS;
        book.needs_snapshot = self.lines[0] == LineState::Subscribed && self.streams.depth;
        self.settle(place, now, emit);
    }

    fn set_line(&mut self, line: usize, to: LineState) {
        if let Some(state) = self.lines.get_mut(line).filter(|state| **state != LineState::Unused) {
            *state = to;
        }
    }

    /// How far the connections have come that do not carry the books.
    fn rest(&self) -> LineState {
        self.lines.iter().skip(1).copied().min().unwrap_or(LineState::Unused)
    }

    fn settle_all<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        for place in 0..self.books.len() {
            self.settle(place, now, emit);
        }
    }

    /// Works out the instrument's state and tells it when it has changed.
    fn settle<E: FnMut(Event)>(&mut self, place: usize, now: TsNs, emit: &mut E) {
        let (books, rest) = (self.lines[0], self.rest());
        let Some(book) = self.books.get_mut(place) else { return };
        let has_books = books >= LineState::Subscribed && (!self.streams.depth || book.sync.is_live());
        let was_up = matches!(book.state, Some(FeedState::Live | FeedState::Stale));
        let state = if books == LineState::Down || books == LineState::Unused && rest == LineState::Down {
            FeedState::Down
        } else if !has_books || rest < LineState::Subscribed && !was_up {
            FeedState::Syncing
        } else if rest < LineState::Subscribed || book.is_silent(&self.streams, &self.silence, now) {
            FeedState::Stale
        } else {
            FeedState::Live
        };
        if book.state == Some(state) {
            return;
        }
        if state == FeedState::Stale {
            self.counters.stale += 1;
            book.asked = now;
        }
        book.state = Some(state);
        emit(event(book.id, now, now, EventBody::Feed(state)));
    }
}

/// What one message may change while the decoder holds it.
struct Listener<'m> {
    books: &'m mut [Instrument],
    streams: &'m Streams,
    counters: &'m mut FeedCounters,
    wants_rules: &'m mut bool,
    notes: &'m mut Notes,
    now: TsNs,
}

impl Listener<'_> {
    /// Takes one thing that was said. Gives the place of the instrument that it is about, and what it breaks there: of
    /// things said together only the book's can break anything, and they come alone.
    #[inline]
    fn take<E: FnMut(Event)>(
        &mut self,
        decoded: &Decoded<'_>,
        emit: &mut E,
    ) -> Option<(usize, Option<Fault>)> {
        let Self { streams, counters, now, .. } = self;
        let now = *now;
        let place = match *decoded {
            Decoded::BookTicker { symbol, .. }
            | Decoded::Trade { symbol, .. }
            | Decoded::AggTrade { symbol, .. }
            | Decoded::Depth { symbol, .. }
            | Decoded::Kline { symbol, .. }
            | Decoded::Mark { symbol, .. } => symbol.index(),
            Decoded::PartialDepth { .. } | Decoded::Ignored { .. } => return None,
            _ => {
                self.control(decoded);
                return None;
            }
        };
        let book = self.books.get_mut(place)?;
        let fault = match *decoded {
            Decoded::BookTicker { ts, quote, .. } => {
                book.on_quote(quote, ts.unwrap_or(now), now, counters, emit)
            }
            Decoded::Trade { ts, trade, is_market, .. } => {
                if streams.trades == TradeStream::Single && is_market {
                    book.on_trade(trade, ts, now, counters, emit);
                }
                None
            }
            Decoded::AggTrade { ts, trade, .. } => {
                if streams.trades == TradeStream::Aggregate {
                    book.on_trade(trade, ts, now, counters, emit);
                }
                None
            }
            Decoded::Depth { ts, first_id, last_id, previous_id, bids, asks, .. } => {
                let delta = Delta { first_id, last_id, previous_id, bids, asks };
                book.on_delta(&delta, ts, now, counters, emit)
            }
            Decoded::Kline { timeframe: Some(timeframe), bar, is_closed: true, .. } => {
                let place = streams.klines.iter().position(|&wanted| wanted == Some(timeframe));
                if let Some(place) = place {
                    book.on_bar(place, timeframe, bar, now, counters, emit);
                }
                None
            }
            Decoded::Mark { ts, price, .. } => {
                book.on_mark(price, ts, now, emit);
                None
            }
            _ => None,
        };
        Some((place, fault))
    }

    /// What is said of the connection, and of the venue's rules.
    #[cold]
    fn control(&mut self, decoded: &Decoded<'_>) {
        match decoded {
            Decoded::Contract { .. } => *self.wants_rules = true,
            Decoded::ControlAck { id: ControlId::Number(_) } => self.notes.acks += 1,
            Decoded::ControlError { .. } => {
                self.counters.control_errors += 1;
                self.notes.is_refused = true;
            }
            Decoded::ServerShutdown { .. } => self.notes.is_shutdown = true,
            _ => {}
        }
    }
}

impl Instrument {
    #[inline]
    fn on_quote<E: FnMut(Event)>(
        &mut self,
        quote: Quote,
        ts: TsNs,
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) -> Option<Fault> {
        if quote.update_id <= self.quote_id {
            counters.old += 1;
            return None;
        }
        match self.sync.on_quote(&quote) {
            QuoteStep::Fresh => {}
            QuoteStep::Old => {
                counters.old += 1;
                return None;
            }
            QuoteStep::Broken(fault) => return Some(fault),
        }
        self.quote_id = quote.update_id;
        self.heard_quote = now;
        // One side empty, or crossed: true or not, nothing to trade on.
        if quote.bid <= Price::ZERO || quote.bid_qty.0 <= 0 || quote.ask_qty.0 <= 0 || quote.ask <= quote.bid
        {
            counters.refused += 1;
            return None;
        }
        // While the book is out of step no quote is taken for good.
        if matches!(self.state, Some(FeedState::Live | FeedState::Stale)) {
            emit(event(self.id, ts, now, EventBody::Quote(quote)));
        }
        None
    }

    #[inline]
    fn on_trade<E: FnMut(Event)>(
        &mut self,
        trade: Trade,
        ts: TsNs,
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) {
        if trade.trade_id <= self.trade_id {
            counters.old += 1;
            return;
        }
        if self.trade_id != 0 && trade.trade_id != self.trade_id + 1 {
            counters.trade_gaps += 1;
        }
        self.trade_id = trade.trade_id;
        self.heard_trade = now;
        emit(event(self.id, ts, now, EventBody::Trade(trade)));
    }

    #[inline]
    fn on_delta<E: FnMut(Event)>(
        &mut self,
        delta: &Delta<'_>,
        ts: TsNs,
        now: TsNs,
        counters: &mut FeedCounters,
        emit: &mut E,
    ) -> Option<Fault> {
        let id = self.id;
        match self.sync.on_delta(delta, &mut |update| emit(event(id, ts, now, EventBody::Book(update)))) {
            Step::Applied | Step::Buffered => {
                self.heard_depth = now;
                self.repeats = 0;
                None
            }
            Step::Old => {
                counters.old += 1;
                self.repeats = self.repeats.saturating_add(1);
                None
            }
            Step::Broken(fault) => Some(fault),
        }
    }

    fn on_mark<E: FnMut(Event)>(&mut self, price: Price, ts: TsNs, now: TsNs, emit: &mut E) {
        self.heard_mark = now;
        emit(event(self.id, ts, now, EventBody::Mark(MarkPrice { price })));
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
        let ts_close = bar.open_ts.0.checked_add(timeframe.nanos());
        match ts_close {
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

    fn is_silent(&self, streams: &Streams, silence: &Silence, now: TsNs) -> bool {
        let has_trades = streams.trades != TradeStream::None;
        is_over(has_trades, self.heard_trade, silence.trade_ns, now)
            || is_over(streams.mark, self.heard_mark, silence.mark_ns, now)
            || self.are_books_silent(streams, silence, now)
    }

    fn are_books_silent(&self, streams: &Streams, silence: &Silence, now: TsNs) -> bool {
        is_over(streams.book_ticker, self.heard_quote, silence.book_ticker_ns, now)
            || is_over(streams.depth, self.heard_depth, silence.depth_ns, now)
    }
}

/// A stream that is wanted has been silent for too long; a limit of 0 is none.
fn is_over(is_wanted: bool, heard: TsNs, limit: u64, now: TsNs) -> bool {
    is_wanted && limit != 0 && now.since(heard) > limit
}

#[inline]
fn event(instrument: InstrumentId, ts_event: TsNs, ts_recv: TsNs, body: EventBody) -> Event {
    Event { seq: 0, ts_event, ts_recv, instrument, body }
}
