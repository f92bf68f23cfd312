//! Binance spot: WebSocket API, REST and market streams.
//!
//! [`Venue`] holds the exchange, the background market and every session.

pub mod api;
pub mod auth;
pub mod candles;
pub mod feed;
mod info;
pub mod limits;
mod list_reports;
mod lists;
mod orders;
pub mod params;
mod replacing;
mod reports;
pub mod rest;
mod sbe;
pub mod streams;
pub mod trouble;

use super::{
    Asked, ConnId, Deed, Dialect, Farewell, Frame, HttpRequest, Lane, Request, Said, SeenOrder, Summary,
    Trouble, Truth, WsRules, answer,
};
use crate::exchange::account::Account;
use crate::exchange::{Exchange, ExchangeEvent, Execution};
use crate::market::{MarketOp, MarketSource};
use crate::settings::{AccountSettings, LimitSettings, SimError};
use api::ApiSession;
use auth::Keys;
use feed::{StreamEvent, SymbolFeed};
use limits::Limits;
use smc_core::TsNs;
use smc_core::words::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use streams::{Stream, StreamKind, StreamSession};

/// The server pings so often, and cuts off who has not answered for so long.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(60);

/// Market time between two ticks: the finest speed of the depth streams.
const TICK_NS: u64 = 100_000_000;

/// The whole venue without its sockets.
pub struct Venue {
    exchange: Exchange,
    source: Box<dyn MarketSource>,
    /// The source's next operation.
    pending: Option<MarketOp>,
    feeds: Vec<SymbolFeed>,
    keys: Keys,
    limits: Limits,
    limit_settings: LimitSettings,
    stream_sessions: BTreeMap<ConnId, StreamSession>,
    /// Stream connections by purpose, so that the order of frames does not hang on who connected first.
    stream_order: Vec<ConnId>,
    api_sessions: BTreeMap<ConnId, ApiSession>,
    outbox: VecDeque<(ConnId, Frame)>,
    seen: Vec<SeenOrder>,
    /// Orders in `seen` that the audit file has.
    audited: usize,
    summary: Summary,
    start: TsNs,
    now: TsNs,
    /// Length of a tick; the streams' speeds are counted in them.
    tick_ns: u64,
    next_tick: u64,
}

impl Venue {
    /// A venue that has taken the opening book and waits at its start.
    pub fn new(
        mut source: Box<dyn MarketSource>,
        accounts: &[AccountSettings],
        limits: LimitSettings,
        seed: u64,
    ) -> Result<Self, SimError> {
        let symbols = source.symbols().to_vec();
        if symbols.is_empty() {
            return Err(SimError::Settings("the market has no symbol".to_owned()));
        }
        let start = source.start_ts();
        let owners = accounts.iter().map(account).collect::<Result<Vec<_>, _>>()?;
        let mut exchange = Exchange::new(&symbols, owners, seed);
        exchange.set_now(start);
        let feeds = symbols
            .iter()
            .enumerate()
            .map(|(index, info)| {
                SymbolFeed::new(info.spec.symbol.as_str(), source.klines(index), start, seed % 1_000_000)
            })
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
            limits: Limits::new(&limits, accounts.len()),
            limit_settings: limits,
            stream_sessions: BTreeMap::new(),
            stream_order: Vec::new(),
            api_sessions: BTreeMap::new(),
            outbox: VecDeque::new(),
            seen: Vec::new(),
            audited: 0,
            summary: Summary::default(),
            start,
            now: start,
            tick_ns: TICK_NS,
            next_tick: start.0 / TICK_NS + 1,
        })
    }

    /// Market time at which the market opened.
    pub fn start(&self) -> TsNs {
        self.start
    }

    fn tick(&mut self) {
        let (tick, now) = (self.next_tick, self.now);
        self.next_tick += 1;
        for symbol in 0..self.feeds.len() {
            let mut events = Vec::new();
            if let (Some(feed), Some(market)) = (self.feeds.get_mut(symbol), self.exchange.market(symbol)) {
                feed.on_tick(&market.book, now, tick, &mut events);
            }
            self.route(symbol, events);
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

    /// Turns what the exchange did into frames.
    fn publish(&mut self) {
        let now = self.now;
        for event in self.exchange.take_events() {
            match event {
                ExchangeEvent::Report(report) => {
                    let order = &report.order;
                    if let Execution::Trade(fill) = &report.exec {
                        self.summary.fills += 1;
                        if order.filled_qty == fill.qty {
                            self.limits.order_done(now, order.account);
                        }
                    }
                    let text = reports::execution_report(self.symbol_name(order.symbol), &report, now);
                    self.tell_account(order.account, &text);
                }
                ExchangeEvent::Balances { account, assets } => {
                    self.tell_account(account, &reports::account_position(&assets, now));
                }
                ExchangeEvent::List(list) => {
                    let text =
                        list_reports::list_status(self.symbol_name(list.symbol), &list, &self.exchange, now);
                    self.tell_account(list.account, &text);
                }
                // Spot accounts hold nothing by margin.
                ExchangeEvent::Margin { .. } => {}
                ExchangeEvent::Trade(trade) => {
                    let mut events = Vec::new();
                    if let Some(feed) = self.feeds.get_mut(trade.symbol) {
                        feed.on_trade(trade, now, &mut events);
                    }
                    self.route(trade.symbol, events);
                }
            }
        }
        for symbol in 0..self.feeds.len() {
            let mut events = Vec::new();
            if let (Some(feed), Some(book)) = (self.feeds.get_mut(symbol), self.exchange.book_mut(symbol)) {
                feed.finish(book, now, &mut events);
            }
            self.route(symbol, events);
        }
    }

    /// Queues stream events for the connections that want them.
    pub(super) fn route(&mut self, symbol: usize, events: Vec<StreamEvent>) {
        for (kind, event) in events {
            for conn in &self.stream_order {
                let Some(session) = self.stream_sessions.get(conn) else { continue };
                let Some(name) = session.name_of(Stream { symbol, kind }) else { continue };
                let frame = match &event {
                    Frame::Text(text) => Frame::Text(session.wrap(name, text)),
                    frame => frame.clone(),
                };
                self.outbox.push_back((*conn, frame));
                self.summary.frames_out += 1;
            }
        }
    }

    /// Queues a private event for the connections subscribed to an account.
    fn tell_account(&mut self, account: usize, event: &str) {
        let frames: Vec<_> = self
            .api_sessions
            .iter()
            .flat_map(|(conn, session)| session.subscriptions_of(account).map(|id| (*conn, id)))
            .collect();
        for (conn, id) in frames {
            self.send(conn, Frame::Text(format!("{{\"subscriptionId\":{id},\"event\":{event}}}")));
        }
    }

    fn send(&mut self, conn: ConnId, frame: Frame) {
        self.outbox.push_back((conn, frame));
        self.summary.frames_out += 1;
    }

    fn symbol_name(&self, symbol: usize) -> &str {
        self.exchange.market(symbol).map_or("", |market| market.info.spec.symbol.as_str())
    }

    fn sort_streams(&mut self) {
        let mut order: Vec<(String, ConnId)> =
            self.stream_sessions.iter().map(|(conn, session)| (session.purpose(), *conn)).collect();
        order.sort();
        self.stream_order = order.into_iter().map(|(_, conn)| conn).collect();
    }

    /// Gives a new subscriber something to begin with, as the busy live venue does within milliseconds: the best
    /// bid again as a depth change, and the top of book.
    fn greet(&mut self, conn: ConnId, streams: &[Stream]) {
        let now = self.now;
        for stream in streams {
            let Some(feed) = self.feeds.get_mut(stream.symbol) else { continue };
            let Some(book) = self.exchange.book_mut(stream.symbol) else { continue };
            let mut events = Vec::new();
            match stream.kind {
                StreamKind::Depth(_) | StreamKind::BinaryDepth => {
                    if let Some((price, _)) = book.best(smc_core::Side::Buy) {
                        book.touch(smc_core::Side::Buy, price);
                    }
                    feed.finish(book, now, &mut events);
                    feed.flush_all_depth(book, now, &mut events);
                    self.route(stream.symbol, events);
                }
                StreamKind::BookTicker => {
                    let text = feed.book_ticker(book);
                    let Some(session) = self.stream_sessions.get(&conn) else { continue };
                    let Some(name) = session.name_of(*stream) else { continue };
                    let frame = Frame::Text(session.wrap(name, &text));
                    self.send(conn, frame);
                }
                StreamKind::BinaryBest => {
                    let frame = feed.binary_best(book, now);
                    self.send(conn, frame);
                }
                _ => {}
            }
        }
    }

    /// Whether a key may ask for binary streams.
    fn reads_binary(&self, api_key: &str) -> bool {
        self.keys.account(api_key).is_ok_and(|account| self.keys.may_log_on(account))
    }

    /// The exchange, to look at.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }
}

impl Dialect for Venue {
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
        self.open_with(conn, target, &[])
    }

    fn open_with(&mut self, conn: ConnId, target: &str, headers: &[(String, String)]) -> Option<WsRules> {
        let rules = |messages_per_second| WsRules {
            ping_every: Some(PING_EVERY),
            pong_within: PONG_WITHIN,
            messages_per_second,
        };
        let path = target.split('?').next().unwrap_or("");
        if path == "/ws-api/v3" {
            self.api_sessions.insert(conn, ApiSession::open(target, self.now));
            let _ = self.limits.charge(self.now, 2); // connecting costs weight, but is never refused for it
            return Some(rules(None));
        }
        let key = headers.iter().find(|(name, _)| name == sbe::KEY_HEADER).map(|(_, key)| key);
        if key.is_some_and(|key| !self.reads_binary(key)) {
            return None;
        }
        let parse = if key.is_some() { sbe::parse_name } else { streams::parse_name };
        let exchange = &self.exchange;
        let index = |symbol: &str| exchange.symbol_index(symbol);
        let Some(Ok(session)) = StreamSession::open_by(parse, target, &index) else { return None };
        let streams: Vec<Stream> = session.streams().collect();
        self.stream_sessions.insert(conn, session);
        self.sort_streams();
        self.greet(conn, &streams);
        Some(rules(Some(self.limit_settings.stream_messages_per_second)))
    }

    fn on_text(&mut self, conn: ConnId, text: &str) {
        if self.api_sessions.contains_key(&conn) {
            self.on_api_request(conn, text);
            return;
        }
        let exchange = &self.exchange;
        let Some(session) = self.stream_sessions.get_mut(&conn) else { return };
        let answer = session.control(text, &|symbol| exchange.symbol_index(symbol));
        self.send(conn, Frame::Text(answer.text));
        self.sort_streams();
        self.greet(conn, &answer.added);
    }

    fn close(&mut self, conn: ConnId) {
        self.api_sessions.remove(&conn);
        self.stream_sessions.remove(&conn);
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

    fn on_http(&mut self, conn: ConnId, request: &HttpRequest) {
        self.answer_http(conn, request);
    }

    fn refusal(&self, status: u16) -> Vec<u8> {
        answer(status, "Connection: close\r\n", "{\"code\":-1000,\"msg\":\"Bad request.\"}")
    }

    fn truth(&self, account: usize) -> Truth {
        Truth::of(&self.exchange, account)
    }

    fn lane(&self, target: &str) -> Lane {
        trouble::lane(target)
    }

    fn said(&self, text: &str) -> Said {
        trouble::said(text)
    }

    fn asked(&self, request: Request<'_>) -> Asked {
        trouble::asked(request)
    }

    fn is_snapshot(&self, request: &HttpRequest) -> bool {
        trouble::is_snapshot(request)
    }

    fn refuse_text(&self, _conn: ConnId, text: &str, trouble: Trouble) -> Option<String> {
        trouble::text_refusal(text, trouble, self.now)
    }

    fn refuse_http(&self, trouble: Trouble) -> Vec<u8> {
        trouble::http_refusal(trouble, self.now)
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
        self.fill_one(cancel, share_ppm)
    }
}

/// An account of the exchange as it opens.
pub(super) fn account(settings: &AccountSettings) -> Result<Account, SimError> {
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
