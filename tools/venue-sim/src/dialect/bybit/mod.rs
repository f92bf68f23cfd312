//! Bybit v5, spot and linear: market data by category, private topics, order entry over WebSocket, REST.
//!
//! [`Venue`] holds the exchange, the background market and every session. One unified account trades both categories.

mod account;
mod auth;
mod dcp;
mod depth;
mod feed;
mod guards;
mod ledger;
mod limits;
mod market_data;
mod orders;
mod params;
mod place;
mod publish;
mod refusal;
mod reports;
mod rest;
mod session;
mod ticker;
mod topics;
mod trade;
mod trouble;
mod words;

use super::binance_spot::account as account_of_settings;
use super::{
    Asked, ConnId, Deed, Dialect, Farewell, Frame, HttpRequest, Request, Said, SeenOrder, Summary, Trouble,
    Truth, WsRules, answer,
};
use crate::exchange::{Exchange, PublicTrade};
use crate::market::{MarketOp, MarketSource};
use crate::settings::{AccountSettings, LimitSettings, SimError};
use auth::Keys;
use dcp::Dcp;
use feed::{SymbolFeed, TopicEvent};
use guards::GuardOrders;
use ledger::Ledger;
use limits::Limits;
use session::{Lane, Session};
use smc_core::TsNs;
use smc_core::words::SCALE;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use ticker::Quote;
use topics::{DEPTHS, Public};
use words::{Category, scatter};

/// Market time between two ticks: the finest push interval of the venue.
const TICK_NS: u64 = 10_000_000;
/// The venue never pings; a client that says nothing is cut by market time instead.
const RULES: WsRules =
    WsRules { ping_every: None, pong_within: Duration::from_secs(60), messages_per_second: None };

/// The whole venue without its sockets.
pub struct Venue {
    exchange: Exchange,
    source: Box<dyn MarketSource>,
    /// The source's next operation.
    pending: Option<MarketOp>,
    feeds: Vec<SymbolFeed>,
    keys: Keys,
    limits: Limits,
    sessions: BTreeMap<ConnId, Session>,
    /// Connections by purpose, so that the order of frames does not hang on who connected first.
    session_order: Vec<ConnId>,
    ledger: Ledger,
    guards: BTreeMap<(usize, usize), GuardOrders>,
    dcp: BTreeMap<(usize, Category), Dcp>,
    /// What each account holds of each contract, as far as told.
    held: BTreeMap<(usize, usize), i64>,
    /// Positions to tell, changed or not.
    touched_positions: BTreeSet<(usize, usize)>,
    outbox: VecDeque<(ConnId, Frame)>,
    seen: Vec<SeenOrder>,
    /// Orders in `seen` that the audit file has.
    audited: usize,
    summary: Summary,
    seed: u64,
    next_trace: u64,
    next_message: u64,
    start: TsNs,
    now: TsNs,
    /// Length of a tick; the push intervals are counted in them.
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
        let owners = accounts.iter().map(account_of_settings).collect::<Result<Vec<_>, _>>()?;
        let mut exchange = Exchange::new(&symbols, owners, seed);
        exchange.set_now(start);
        let feeds = symbols
            .iter()
            .enumerate()
            .map(|(index, info)| {
                let category = category_of(&info.spec.contract);
                SymbolFeed::new(category, info, source.klines(index), start, 1_000 + seed % 1_000_000)
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
            limits: Limits::new(limits.orders_per_10s),
            sessions: BTreeMap::new(),
            session_order: Vec::new(),
            ledger: Ledger::default(),
            guards: BTreeMap::new(),
            dcp: BTreeMap::new(),
            held: BTreeMap::new(),
            touched_positions: BTreeSet::new(),
            outbox: VecDeque::new(),
            seen: Vec::new(),
            audited: 0,
            summary: Summary::default(),
            seed,
            next_trace: 0,
            next_message: 0,
            start,
            now: start,
            tick_ns: TICK_NS,
            next_tick: start.0 / TICK_NS + 1,
        })
    }

    /// The exchange, to look at.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    fn category_of(&self, symbol: usize) -> Category {
        self.exchange
            .market(symbol)
            .map_or(Category::Option, |market| category_of(&market.info.spec.contract))
    }

    /// An instrument by category and name: spot and linear ones share names.
    fn symbol_index(&self, category: Category, name: &str) -> Option<usize> {
        symbol_index(&self.exchange, category, name)
    }

    /// Prices that do not come from the book.
    fn quote(&self, symbol: usize) -> Quote {
        quote(&self.exchange, symbol, self.now)
    }

    /// Half of the time, from the seed: whether what an order did is told before its request is answered.
    fn is_told_first(&mut self) -> bool {
        self.next_trace += 1;
        scatter(self.seed ^ self.next_trace.rotate_left(32)).is_multiple_of(2)
    }

    fn tick(&mut self) {
        let (tick, now) = (self.next_tick, self.now);
        self.next_tick += 1;
        for symbol in 0..self.feeds.len() {
            let quote = self.quote(symbol);
            let mut events = Vec::new();
            if let (Some(feed), Some(market)) = (self.feeds.get_mut(symbol), self.exchange.market(symbol)) {
                feed.on_tick(&market.book, &quote, now, tick, &mut events);
            }
            self.route(symbol, events);
        }
        self.exchange.on_clock();
        self.tend_dcp();
        self.cut_stale();
        self.publish();
    }

    fn cut_stale(&mut self) {
        let now = self.now;
        let stale: Vec<ConnId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_stale(now))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in stale {
            self.sessions.remove(&conn);
            self.outbox.push_back((conn, Frame::Close));
            self.sort_sessions();
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

    /// Queues public events for the connections that want them.
    fn route(&mut self, symbol: usize, events: Vec<TopicEvent>) {
        for (topic, text) in events {
            for conn in &self.session_order {
                let Some(session) = self.sessions.get_mut(conn) else { continue };
                if session.topics.iter().any(|known| known.topic == (symbol, topic)) {
                    session.spoken_at = self.now;
                    self.outbox.push_back((*conn, Frame::Text(text.clone())));
                    self.summary.frames_out += 1;
                }
            }
        }
    }

    fn send(&mut self, conn: ConnId, frame: Frame) {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.spoken_at = self.now;
        }
        self.outbox.push_back((conn, frame));
        self.summary.frames_out += 1;
    }

    fn sort_sessions(&mut self) {
        let mut order: Vec<(String, ConnId)> =
            self.sessions.iter().map(|(conn, session)| (session.purpose(), *conn)).collect();
        order.sort();
        self.session_order = order.into_iter().map(|(_, conn)| conn).collect();
        for symbol in 0..self.feeds.len() {
            let is_read = std::array::from_fn(|index: usize| {
                debug_assert!(index < DEPTHS.len());
                let topic = (symbol, Public::Book(index));
                self.sessions.values().any(|session| session.topics.iter().any(|known| known.topic == topic))
            });
            if let Some(feed) = self.feeds.get_mut(symbol) {
                feed.set_read(is_read);
            }
        }
    }

    /// Gives a new reader of topics what it begins with.
    fn greet(&mut self, conn: ConnId, topics: &[(usize, Public)]) {
        for (symbol, topic) in topics {
            let quote = self.quote(*symbol);
            let (Some(feed), Some(market)) = (self.feeds.get_mut(*symbol), self.exchange.market(*symbol))
            else {
                continue;
            };
            if let Some(text) = feed.greeting(*topic, &market.book, &quote, self.now) {
                self.send(conn, Frame::Text(text));
            }
        }
    }

    fn on_control(&mut self, conn: ConnId, text: &str) {
        let (exchange, keys, now) = (&self.exchange, &self.keys, self.now);
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let index = |category: Category, name: &str| symbol_index(exchange, category, name);
        let controlled = session.control(text, keys, &index, now);
        self.send(conn, Frame::Text(controlled.text));
        self.greet(conn, &controlled.added);
        self.sort_sessions();
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
        let session = Session::open(target, self.seed.wrapping_mul(1_000_003).wrapping_add(conn), self.now)?;
        if !self.limits.may_connect(self.now) {
            return None;
        }
        self.sessions.insert(conn, session);
        self.sort_sessions();
        Some(RULES)
    }

    fn on_text(&mut self, conn: ConnId, text: &str) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.spoken_at = self.now;
        match session.lane {
            Lane::Trade => self.on_trade_request(conn, text),
            _ => self.on_control(conn, text),
        }
    }

    fn close(&mut self, conn: ConnId) {
        self.sessions.remove(&conn);
        self.outbox.retain(|(to, _)| *to != conn);
        self.sort_sessions();
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
        let now = self.now.as_ms();
        let body = format!(
            r#"{{"retCode":10017,"retMsg":"Route not found.","result":{{}},"retExtInfo":{{}},"time":{now}}}"#
        );
        answer(status, "Connection: close\r\n", &body)
    }

    fn truth(&self, account: usize) -> Truth {
        self.truth_of(account)
    }

    fn lane(&self, target: &str) -> super::Lane {
        trouble::lane(target)
    }

    fn said(&self, text: &str) -> Said {
        trouble::said(text)
    }

    fn asked(&self, request: Request<'_>) -> Asked {
        trouble::asked(request)
    }

    fn tells_when(&self, status: u16) -> bool {
        status == 429
    }

    fn keeps_limits_apart(&self) -> bool {
        true
    }

    fn is_snapshot(&self, request: &HttpRequest) -> bool {
        trouble::is_snapshot(request)
    }

    fn refuse_text(&self, conn: ConnId, text: &str, trouble: Trouble) -> Option<String> {
        self.refusal_of(conn, text, trouble)
    }

    fn refuse_http(&self, trouble: Trouble) -> Vec<u8> {
        self.http_refusal_of(trouble)
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

const fn category_of(contract: &smc_core::instrument::Contract) -> Category {
    if contract.is_spot() { Category::Spot } else { Category::Linear }
}

fn symbol_index(exchange: &Exchange, category: Category, name: &str) -> Option<usize> {
    exchange.markets().iter().position(|market| {
        market.info.spec.symbol.as_str() == name && category_of(&market.info.spec.contract) == category
    })
}

/// The number that a public trade's id is made of. Trades count within their symbol.
fn public_trade_number(trade: &PublicTrade) -> u64 {
    execution_number(trade.symbol, trade.trade_id, false)
}

/// The number that an execution's id is made of: the taker's is the public trade's.
fn execution_number(symbol: usize, trade_id: u64, is_maker: bool) -> u64 {
    trade_id.wrapping_mul(64).wrapping_add(2 * symbol as u64 + u64::from(is_maker))
}

fn quote(exchange: &Exchange, symbol: usize, now: TsNs) -> Quote {
    let Some(market) = exchange.market(symbol) else { return Quote::default() };
    let mark = exchange.mark_price(symbol).or(market.last_price).map_or(0, |price| price.0);
    let tick = market.info.spec.tick.0.max(1);
    let part = i128::from(mark) * i128::from(market_data::PRICE_LIMIT_PPM) / 1_000_000;
    let part = smc_core::words::clamp_i64(part) / tick * tick;
    let on_tick = mark / tick * tick;
    Quote {
        mark,
        index: mark,
        funding_ppm: crate::exchange::linear::FUNDING_PPM,
        funding_at: crate::exchange::linear::next_funding(now),
        open_interest: 50_000 * SCALE,
        price_limit: (mark > 0).then_some((on_tick.saturating_add(part), on_tick - part)),
    }
}
