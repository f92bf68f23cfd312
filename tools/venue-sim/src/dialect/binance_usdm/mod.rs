//! Binance USDⓈ-M futures: REST, WebSocket API, market streams and private streams by listen key.
//!
//! [`UsdmVenue`] holds the exchange, the background market and every session. One-way mode and cross margin only; what
//! the simulator does not offer is refused by name, never ignored.

mod account;
mod algo;
mod api;
mod feed;
pub mod filters;
mod info;
mod listen_keys;
mod market_data;
mod orders;
mod private;
mod refusals;
mod rest;
pub mod streams;
mod trouble;

use super::binance_spot::auth::Keys;
use super::binance_spot::limits::Limits;
use super::binance_spot::streams::{Stream, StreamSession};
use super::binance_spot::trouble as binance;
use super::{
    Asked, ConnId, Deed, Dialect, Farewell, Frame, HttpRequest, Lane, Request, Said, SeenOrder, Summary,
    Trouble, Truth, WsRules, answer,
};
use crate::exchange::account::Account;
use crate::exchange::{Exchange, ExchangeEvent, Execution};
use crate::market::{MarketOp, MarketSource, SymbolInfo};
use crate::settings::{AccountSettings, LimitSettings, SimError};
use algo::Algos;
use api::ApiSession;
use feed::SymbolFeed;
use listen_keys::ListenKeys;
use smc_core::TsNs;
use smc_core::instrument::{Contract, ContractKind};
use smc_core::words::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use streams::{ALL_SYMBOLS, Route, StreamKind, UserEvents};

/// The server pings so often, and cuts off who has not answered for so long.
const PING_EVERY: Duration = Duration::from_secs(180);
const PONG_WITHIN: Duration = Duration::from_secs(600);

/// Market time between two ticks: what all speeds of the streams are counted in.
const TICK_NS: u64 = 50_000_000;

/// One stream connection.
struct StreamConn {
    route: Route,
    session: StreamSession<StreamKind>,
    /// Which private events the URL asked for; all when it named none.
    events: UserEvents,
}

/// The whole venue without its sockets.
pub struct UsdmVenue {
    exchange: Exchange,
    source: Box<dyn MarketSource>,
    /// The source's next operation.
    pending: Option<MarketOp>,
    feeds: Vec<SymbolFeed>,
    keys: Keys,
    listen_keys: ListenKeys,
    algos: Algos,
    /// When the venue cancels an account's orders of a symbol unless it hears from the client again.
    countdowns: BTreeMap<(usize, usize), TsNs>,
    limits: Limits,
    limit_settings: LimitSettings,
    streams: BTreeMap<ConnId, StreamConn>,
    /// Stream connections by purpose, so that the order of frames does not hang on who connected first.
    stream_order: Vec<ConnId>,
    api_sessions: BTreeMap<ConnId, ApiSession>,
    outbox: VecDeque<(ConnId, Frame)>,
    seen: Vec<SeenOrder>,
    /// Orders in `seen` that the audit file has.
    audited: usize,
    summary: Summary,
    now: TsNs,
    /// Length of a tick; the streams' speeds are counted in them.
    tick_ns: u64,
    next_tick: u64,
}

impl UsdmVenue {
    /// A venue that has taken the opening book and waits at its start.
    pub fn new(
        mut source: Box<dyn MarketSource>,
        accounts: &[AccountSettings],
        limits: LimitSettings,
        seed: u64,
    ) -> Result<Self, SimError> {
        let symbols: Vec<SymbolInfo> = source.symbols().iter().map(linear).collect();
        if symbols.is_empty() {
            return Err(SimError::Settings("the market has no symbol".to_owned()));
        }
        let start = source.start_ts();
        let owners = accounts.iter().map(account).collect::<Result<Vec<_>, _>>()?;
        let mut exchange = Exchange::new(&symbols, owners, seed);
        exchange.set_now(start);
        exchange.on_clock();
        let feeds = symbols
            .iter()
            .enumerate()
            .map(|(index, info)| SymbolFeed::new(&info.spec, source.klines(index), start, seed % 1_000_000))
            .collect();
        let mut pending = source.next();
        while let Some(op) = pending.filter(|op| op.at <= start) {
            exchange.open_market(op.symbol, op.kind, start);
            pending = source.next();
        }
        Ok(Self {
            exchange,
            source,
            pending,
            feeds,
            keys: Keys::new(accounts),
            listen_keys: ListenKeys::new(accounts.len(), seed),
            algos: Algos::new(seed),
            countdowns: BTreeMap::new(),
            limits: Limits::futures(&limits, accounts.len()),
            limit_settings: limits,
            streams: BTreeMap::new(),
            stream_order: Vec::new(),
            api_sessions: BTreeMap::new(),
            outbox: VecDeque::new(),
            seen: Vec::new(),
            audited: 0,
            summary: Summary::default(),
            now: start,
            tick_ns: TICK_NS,
            next_tick: start.0 / TICK_NS + 1,
        })
    }

    /// The exchange, to look at.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    fn tick(&mut self) {
        let (tick, now) = (self.next_tick, self.now);
        self.next_tick += 1;
        self.exchange.on_clock();
        self.run_countdowns();
        self.expire_listen_keys();
        self.publish();
        let mut marks = Vec::new();
        for symbol in 0..self.feeds.len() {
            let mut events = Vec::new();
            let mark = self.exchange.mark_price(symbol);
            if let (Some(feed), Some(market)) = (self.feeds.get_mut(symbol), self.exchange.market(symbol)) {
                feed.on_tick(&market.book, now, tick, &mut events);
                marks.extend(mark.map(|mark| feed.mark_price(mark, now)));
            }
            self.route(symbol, events);
        }
        for (kind, every) in streams::MARK_SPEEDS {
            if tick.is_multiple_of(every) {
                self.route(ALL_SYMBOLS, vec![(kind, format!("[{}]", marks.join(",")))]);
                for (symbol, text) in marks.iter().enumerate() {
                    self.route(symbol, vec![(kind, text.clone())]);
                }
            }
        }
    }

    /// Applies all operations of one stamp, then publishes what they did.
    fn apply_due(&mut self) {
        let mut touched = BTreeSet::new();
        while let Some(op) = self.pending.filter(|op| op.at <= self.now) {
            self.exchange.apply(op.symbol, op.kind);
            touched.insert(op.symbol);
            self.pending = self.source.next();
        }
        for symbol in touched {
            self.exchange.finish_step(symbol);
        }
        self.publish();
    }

    /// Cancels the orders of clients that were not heard from in time.
    fn run_countdowns(&mut self) {
        let now = self.now;
        let due: Vec<_> =
            self.countdowns.iter().filter(|(_, at)| **at <= now).map(|(whose, _)| *whose).collect();
        for (account, symbol) in due {
            self.countdowns.remove(&(account, symbol));
            self.summary.cancels += self.exchange.cancel_all(account, Some(symbol)).len() as u64;
        }
    }

    /// Ends listen keys that nobody kept alive, and says so to who listens.
    fn expire_listen_keys(&mut self) {
        for (account, key) in self.listen_keys.expire(self.now) {
            let event = private::listen_key_expired(&key, self.now);
            self.tell(account, "listenKeyExpired", &key, &event);
        }
    }

    /// Turns what the exchange did into frames, until nothing more follows from it.
    fn publish(&mut self) {
        loop {
            for event in self.exchange.take_events() {
                self.publish_event(event);
            }
            if !self.trigger_algos() {
                break;
            }
        }
        let now = self.now;
        for symbol in 0..self.feeds.len() {
            let mut events = Vec::new();
            if let (Some(feed), Some(book)) = (self.feeds.get_mut(symbol), self.exchange.book_mut(symbol)) {
                feed.finish(book, now, &mut events);
            }
            self.route(symbol, events);
        }
    }

    fn publish_event(&mut self, event: ExchangeEvent) {
        let now = self.now;
        match event {
            ExchangeEvent::Report(report) => {
                if let Execution::Trade(_) | Execution::TakenOver(_) = report.exec {
                    self.summary.fills += 1;
                }
                let account = report.order.account;
                self.follow_algo(&report.order);
                let grid = self.grid(report.order.symbol);
                if let Execution::Trade(fill) = &report.exec {
                    let text = private::trade_lite(&grid, &report.order, fill, now);
                    self.tell_account(account, "TRADE_LITE", &text);
                }
                let notionals = self.exchange.symbol_margin(account, report.order.symbol);
                let text = private::order_trade_update(&grid, &report, &notionals, now);
                self.tell_account(account, "ORDER_TRADE_UPDATE", &text);
            }
            ExchangeEvent::Margin { account, reason, assets, positions } => {
                let text = self.account_update(account, reason, &assets, &positions);
                self.tell_account(account, "ACCOUNT_UPDATE", &text);
            }
            ExchangeEvent::List(_) => {}         // no order lists either
            ExchangeEvent::Balances { .. } => {} // no spot balance changes here
            ExchangeEvent::Trade(trade) => {
                let mut events = Vec::new();
                if let Some(feed) = self.feeds.get_mut(trade.symbol) {
                    feed.on_trade(trade, now, &mut events);
                }
                self.route(trade.symbol, events);
            }
        }
    }

    /// Queues stream events for the connections that want them and whose path carries them.
    fn route(&mut self, symbol: usize, events: Vec<feed::StreamEvent>) {
        for (kind, text) in events {
            for conn in &self.stream_order {
                let Some(to) = self.streams.get(conn).filter(|to| to.route.carries(kind)) else { continue };
                let Some(name) = to.session.name_of(Stream { symbol, kind }) else { continue };
                self.outbox.push_back((*conn, Frame::Text(to.session.wrap(name, &text))));
                self.summary.frames_out += 1;
            }
        }
    }

    /// Queues a private event for whoever listens to an account by its present listen key.
    fn tell_account(&mut self, account: usize, name: &str, event: &str) {
        if let Some(key) = self.listen_keys.key(account).map(str::to_owned) {
            self.tell(account, name, &key, event);
        }
    }

    fn tell(&mut self, account: usize, name: &str, key: &str, event: &str) {
        let stream = Stream { symbol: account, kind: StreamKind::User };
        for conn in &self.stream_order {
            let Some(to) = self.streams.get(conn) else { continue };
            let hears = to.route.carries(StreamKind::User) && to.events.includes(name);
            if hears && to.session.name_of(stream) == Some(key) {
                self.outbox.push_back((*conn, Frame::Text(to.session.wrap(key, event))));
                self.summary.frames_out += 1;
            }
        }
    }

    fn send(&mut self, conn: ConnId, frame: Frame) {
        self.outbox.push_back((conn, frame));
        self.summary.frames_out += 1;
    }

    fn grid(&self, symbol: usize) -> info::Grid {
        self.exchange.market(symbol).map(|market| info::Grid::of(&market.info.spec)).unwrap_or_default()
    }

    fn sort_streams(&mut self) {
        let mut order: Vec<(String, ConnId)> =
            self.streams.iter().map(|(conn, stream)| (stream.session.purpose(), *conn)).collect();
        order.sort();
        self.stream_order = order.into_iter().map(|(_, conn)| conn).collect();
    }

    /// Gives a new subscriber something to begin with, as the busy live venue does within milliseconds: the best
    /// bid again as a depth change, and the top of book.
    fn greet(&mut self, conn: ConnId, streams: &[Stream<StreamKind>]) {
        let now = self.now;
        for stream in streams {
            let Some(feed) = self.feeds.get_mut(stream.symbol) else { continue };
            let Some(book) = self.exchange.book_mut(stream.symbol) else { continue };
            let Some(to) = self.streams.get(&conn).filter(|to| to.route.carries(stream.kind)) else {
                continue;
            };
            let mut events = Vec::new();
            match stream.kind {
                StreamKind::Depth(_) => {
                    if let Some((price, _)) = book.best(smc_core::Side::Buy) {
                        book.touch(smc_core::Side::Buy, price);
                    }
                    feed.finish(book, now, &mut events);
                    feed.flush_all_depth(book, now, &mut events);
                    self.route(stream.symbol, events);
                }
                StreamKind::BookTicker => {
                    let text = feed.book_ticker(book, now);
                    let Some(name) = to.session.name_of(*stream) else { continue };
                    let frame = Frame::Text(to.session.wrap(name, &text));
                    self.send(conn, frame);
                }
                _ => {}
            }
        }
    }
}

/// What a stream name may speak of: a symbol, all symbols, or an account by its listen key.
fn resolve(exchange: &Exchange, listen_keys: &ListenKeys, text: &str) -> Option<usize> {
    if text == streams::ALL_NAME {
        return Some(ALL_SYMBOLS);
    }
    exchange.symbol_index(text).or_else(|| listen_keys.account(text))
}

impl Dialect for UsdmVenue {
    fn set_tick(&mut self, tick: Duration) {
        self.tick_ns = u64::try_from(tick.as_nanos()).unwrap_or(u64::MAX).max(1);
        self.next_tick = self.now.0 / self.tick_ns + 1;
    }

    fn now(&self) -> TsNs {
        self.now
    }

    fn next_due(&self) -> TsNs {
        let tick = TsNs(self.next_tick.saturating_mul(self.tick_ns));
        self.pending.map_or(tick, |op| tick.min(op.at))
    }

    fn is_market_over(&self) -> bool {
        self.pending.is_none()
    }

    fn set_now(&mut self, now: TsNs) {
        self.now = self.now.max(now.min(self.next_due()));
        self.exchange.set_now(self.now);
    }

    fn step(&mut self) -> bool {
        let due = self.next_due();
        self.set_now(due);
        let is_tick = due.0 >= self.next_tick.saturating_mul(self.tick_ns);
        if is_tick {
            self.tick()
        } else {
            self.apply_due()
        }
        is_tick
    }

    fn open(&mut self, conn: ConnId, target: &str) -> Option<WsRules> {
        let rules = |messages_per_second| WsRules {
            ping_every: Some(PING_EVERY),
            pong_within: PONG_WITHIN,
            messages_per_second,
        };
        if target.split('?').next() == Some("/ws-fapi/v1") {
            self.api_sessions.insert(conn, ApiSession::open(target, self.now));
            let _ = self.limits.charge(self.now, 5); // connecting costs weight, but is never refused for it
            return Some(rules(None));
        }
        let (exchange, listen_keys) = (&self.exchange, &self.listen_keys);
        let (route, session, events) = streams::open(target, &|text| resolve(exchange, listen_keys, text))?;
        let wanted: Vec<_> = session.streams().collect();
        self.streams.insert(conn, StreamConn { route, session, events });
        self.sort_streams();
        self.greet(conn, &wanted);
        Some(rules(Some(self.limit_settings.stream_messages_per_second)))
    }

    fn on_text(&mut self, conn: ConnId, text: &str) {
        if self.api_sessions.contains_key(&conn) {
            self.on_api_request(conn, text);
            return;
        }
        let (exchange, listen_keys) = (&self.exchange, &self.listen_keys);
        let Some(stream) = self.streams.get_mut(&conn) else { return };
        let answer = stream.session.control(text, &|text| resolve(exchange, listen_keys, text));
        self.send(conn, Frame::Text(answer.text));
        self.sort_streams();
        self.greet(conn, &answer.added);
    }

    fn on_http(&mut self, conn: ConnId, request: &HttpRequest) {
        self.answer_http(conn, request);
    }

    fn refusal(&self, status: u16) -> Vec<u8> {
        answer(status, "Connection: close\r\n", "{\"code\":-1000,\"msg\":\"Bad request.\"}")
    }

    fn close(&mut self, conn: ConnId) {
        self.api_sessions.remove(&conn);
        self.streams.remove(&conn);
        self.outbox.retain(|(to, _)| *to != conn);
        self.sort_streams();
    }

    fn pop_frame(&mut self) -> Option<(ConnId, Frame)> {
        self.outbox.pop_front()
    }

    fn orders_seen(&self) -> &[SeenOrder] {
        &self.seen
    }

    fn take_unaudited(&mut self) -> &[SeenOrder] {
        let from = std::mem::replace(&mut self.audited, self.seen.len());
        self.seen.get(from..).unwrap_or_default()
    }

    fn summary(&self) -> Summary {
        self.summary
    }

    fn truth(&self, account: usize) -> Truth {
        let mut truth = Truth::of(&self.exchange, account);
        truth.orders.extend(self.waiting_algos(account));
        truth.books.iter_mut().for_each(|book| book.update_id = feed::book_id(book.update_id));
        truth
    }

    fn lane(&self, target: &str) -> Lane {
        trouble::lane(target)
    }

    fn said(&self, text: &str) -> Said {
        trouble::said(text)
    }

    fn asked(&self, request: Request<'_>) -> Asked {
        binance::asked(request)
    }

    fn is_snapshot(&self, request: &HttpRequest) -> bool {
        trouble::is_snapshot(request)
    }

    fn refuse_text(&self, _conn: ConnId, text: &str, trouble: Trouble) -> Option<String> {
        binance::text_refusal(text, trouble, self.now)
    }

    fn refuse_http(&self, trouble: Trouble) -> Vec<u8> {
        binance::http_refusal(trouble, self.now)
    }

    fn announce_end(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        self.say_farewell(conn, farewell)
    }

    fn stage(&mut self, deed: &Deed) -> bool {
        let is_done = self.do_deed(deed);
        self.publish();
        is_done
    }

    fn fill_resting(&mut self, cancel: Option<Request<'_>>, share_ppm: u32) -> bool {
        let is_filled = binance::fill_one(&mut self.exchange, cancel, share_ppm);
        self.publish();
        is_filled
    }
}

/// A symbol of the background market as a linear perpetual: the market of a spot symbol does for it too.
fn linear(info: &SymbolInfo) -> SymbolInfo {
    let contract = Contract {
        kind: ContractKind::Linear,
        margin_initial_ppm: 8_000,
        margin_maintenance_ppm: 4_000,
        can_replace: true,
        can_reduce_only: true,
        ..Contract::SPOT
    };
    let spec = smc_core::instrument::InstrumentSpec { contract, ..info.spec };
    SymbolInfo { spec, ..*info }
}

fn account(settings: &AccountSettings) -> Result<Account, SimError> {
    let balance = |(asset, qty): &(String, smc_core::Qty)| {
        let name = Name::new(asset).ok_or_else(|| {
            SimError::Settings(format!("asset name {asset} is longer than {} bytes", Name::MAX))
        })?;
        if qty.0 < 0 {
            return Err(SimError::Settings(format!("balance of {asset} is negative: {qty}")));
        }
        Ok((name, qty.0))
    };
    let balances = settings.balances.iter().map(balance).collect::<Result<Vec<_>, _>>()?;
    Ok(Account::new(&balances, settings.maker_fee_bps, settings.taker_fee_bps))
}
