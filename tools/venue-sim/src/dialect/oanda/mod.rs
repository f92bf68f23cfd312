//! Oanda v20: REST and chunked streams over HTTP, accounts that hold trades, a dealer instead of an order book.
//!
//! [`Oanda`] holds the accounts, the quotes and every stream. Orders fill against the dealer's ladders; there is no
//! matching between clients.

mod account;
mod booking;
mod candles;
mod dealing;
mod faults;
mod figures;
mod financing;
mod history;
mod limits;
mod market;
mod order;
mod orders;
mod price_calls;
mod prices;
mod query;
mod refusal;
mod report;
mod request;
mod rest;
mod settings;
mod streams;
mod terms;
mod ticket;
mod trades;
mod triggers;
mod trouble;
mod wire;

pub use settings::{OandaFaults, OandaLimits, OandaSettings};

use super::{
    Asked, ConnId, Deed, Dialect, Farewell, Frame, HttpRequest, Lane, Request, Said, SeenOrder, Summary,
    Trouble, Truth, WsRules, answer,
};
use crate::market::fx::calendar;
use crate::market::fx::{FxQuote, QuoteSource};
use crate::settings::{AccountSettings, Credential, SimError};
use account::Account;
use faults::Dice;
use limits::Budget;
use market::Market;
use smc_core::TsNs;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use streams::Stream;
use wire::Obj;

/// Streams have a heartbeat so often, prices or not.
const HEARTBEAT_NS: u64 = 5_000_000_000;
/// A price stream has at most one price of an instrument in this time.
const WINDOW_NS: u64 = 250_000_000;

/// The whole venue without its sockets.
pub struct Oanda {
    accounts: Vec<Account>,
    market: Market,
    source: Box<dyn QuoteSource>,
    /// The source's next quote.
    pending: Option<FxQuote>,
    streams: BTreeMap<ConnId, Stream>,
    /// Stream connections by purpose, so that the order of frames does not hang on who connected first.
    stream_order: Vec<ConnId>,
    outbox: VecDeque<(ConnId, Frame)>,
    seen: Vec<SeenOrder>,
    /// Orders in `seen` that the audit file has.
    audited: usize,
    summary: Summary,
    limits: OandaLimits,
    /// The venue knows no token any more.
    is_withdrawn: bool,
    budget: Budget,
    faults: OandaFaults,
    dice: Dice,
    /// Requests so far, and the number of the first.
    requests: u64,
    first_request: u64,
    now: TsNs,
    heartbeat_ns: u64,
    window_ns: u64,
    next_heartbeat: TsNs,
    /// The next 17:00 in New York.
    next_roll: TsNs,
}

impl Oanda {
    /// A venue that has taken the first quotes and waits at its start.
    pub fn new(settings: OandaSettings, accounts: &[AccountSettings], seed: u64) -> Result<Self, SimError> {
        let OandaSettings { quotes: mut source, hedging, conversion_ppm, limits, faults } = settings;
        if source.instruments().is_empty() {
            return Err(SimError::Settings("the dealer has no instrument".to_owned()));
        }
        let start = source.start_ts();
        let mut market = Market::new(source.as_ref(), conversion_ppm);
        let mut pending = source.next();
        while let Some(quote) = pending.filter(|quote| quote.at <= start) {
            market.on_quote(&quote);
            pending = source.next();
        }
        let accounts = accounts
            .iter()
            .map(|settings| account(settings, &market, &hedging, start))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            accounts,
            market,
            source,
            pending,
            streams: BTreeMap::new(),
            stream_order: Vec::new(),
            outbox: VecDeque::new(),
            seen: Vec::new(),
            audited: 0,
            summary: Summary::default(),
            limits,
            is_withdrawn: false,
            budget: Budget::default(),
            faults,
            dice: Dice::new(seed),
            requests: 0,
            first_request: 20_000_000_000_000_000 + seed % 1_000_000 * 1_000_000_000,
            now: start,
            heartbeat_ns: HEARTBEAT_NS,
            window_ns: WINDOW_NS,
            next_heartbeat: after(start, HEARTBEAT_NS),
            next_roll: calendar::next_roll(start),
        })
    }

    /// The first expiry of an order.
    fn next_expiry(&self) -> Option<TsNs> {
        self.accounts.iter().filter_map(triggers::next_expiry).min()
    }

    /// Takes every quote that is due, each with all that it triggers.
    fn take_quotes(&mut self) {
        while let Some(quote) = self.pending.filter(|quote| quote.at <= self.now) {
            self.market.on_quote(&quote);
            let is_factor_hidden = self.dice.falls(self.faults.null_factor);
            self.market.hide_factor(is_factor_hidden);
            for account in &mut self.accounts {
                triggers::on_quote(account, &mut self.market, &self.limits, quote.instrument, self.now);
            }
            for stream in self.streams.values_mut() {
                stream.on_quote(quote.instrument, self.now);
            }
            self.pending = self.source.next();
        }
    }

    /// The end of a trading day: interest is booked, orders good for the day end.
    fn roll(&mut self) {
        self.next_roll = calendar::next_roll(self.now);
        for account in &mut self.accounts {
            financing::book(account, &self.market, self.now);
            triggers::expire(account, self.now, true);
        }
    }

    /// Tells the prices of windows that have ended.
    fn close_windows(&mut self) {
        for conn in &self.stream_order {
            let Some(stream) = self.streams.get_mut(conn) else { continue };
            for instrument in stream.close_window(self.now) {
                let mut line = prices::price(&self.market, self.market.quote(instrument)).done();
                if self.dice.falls(self.faults.extra_field) {
                    line = rest::with_extra_field(&line);
                }
                stream.say(&line);
            }
        }
    }

    fn beat(&mut self) {
        self.next_heartbeat = after(self.now, self.heartbeat_ns);
        for conn in &self.stream_order {
            let Some(stream) = self.streams.get_mut(conn) else { continue };
            if self.dice.falls(self.faults.mute_stream) {
                stream.mute();
            }
            let body = Obj::new().text("type", "HEARTBEAT");
            let body = match (&stream.kind, self.accounts.get(stream.account)) {
                (streams::Kind::Transactions, Some(account)) => {
                    body.id("lastTransactionID", account.last_id())
                }
                _ => body,
            };
            stream.say(&body.time("time", self.now).done());
        }
    }

    /// Hands the accounts' new transactions to their streams and counts them.
    fn tell(&mut self) {
        for index in 0..self.accounts.len() {
            let Some(account) = self.accounts.get_mut(index) else { continue };
            let last = account.last_id();
            let from = std::mem::replace(&mut account.streamed, last);
            let Some(account) = self.accounts.get(index) else { continue };
            for id in from + 1..=last {
                let Some(transaction) = account.transaction(id) else { continue };
                self.summary.fills += u64::from(transaction.kind == "ORDER_FILL");
                self.summary.cancels += u64::from(transaction.kind == "ORDER_CANCEL");
                let line = account.transaction_json(transaction);
                for conn in &self.stream_order {
                    let Some(stream) = self.streams.get_mut(conn).filter(|it| it.tells(index)) else {
                        continue;
                    };
                    let is_lost = self.dice.falls(self.faults.lose_line);
                    let is_twice = self.dice.falls(self.faults.repeat_line);
                    let is_wide = self.dice.falls(self.faults.extra_field);
                    let line = if is_wide { rest::with_extra_field(&line) } else { line.clone() };
                    for _ in 0..u8::from(!is_lost) + u8::from(is_twice) {
                        stream.say(&line);
                    }
                }
            }
        }
        self.flush_streams();
    }

    fn flush_streams(&mut self) {
        let mut frames = Vec::new();
        for conn in &self.stream_order {
            let Some(stream) = self.streams.get_mut(conn) else { continue };
            frames.extend(stream.flush(&mut self.dice, &self.faults).into_iter().map(|frame| (*conn, frame)));
        }
        for (conn, frame) in frames {
            self.send(conn, frame);
        }
    }

    fn send(&mut self, conn: ConnId, frame: Frame) {
        self.outbox.push_back((conn, frame));
        self.summary.frames_out += 1;
    }

    fn sort_streams(&mut self) {
        let mut order: Vec<(&str, ConnId)> =
            self.streams.iter().map(|(conn, stream)| (stream.purpose.as_str(), *conn)).collect();
        order.sort_unstable();
        self.stream_order = order.into_iter().map(|(_, conn)| conn).collect();
    }
}

impl Dialect for Oanda {
    fn set_tick(&mut self, tick: Duration) {
        let tick_ns = u64::try_from(tick.as_nanos()).unwrap_or(u64::MAX);
        self.heartbeat_ns = HEARTBEAT_NS.max(tick_ns);
        self.window_ns = WINDOW_NS.max(tick_ns);
        self.next_heartbeat = after(self.now, self.heartbeat_ns);
    }

    fn now(&self) -> TsNs {
        self.now
    }

    fn next_due(&self) -> TsNs {
        let quote = self.pending.map(|quote| quote.at);
        let window = self.streams.values().filter_map(Stream::due).min();
        let others = [quote, window, self.next_expiry()];
        let clock = self.next_heartbeat.min(self.next_roll);
        others.into_iter().flatten().min().map_or(clock, |due| due.min(clock))
    }

    fn is_market_over(&self) -> bool {
        self.pending.is_none()
    }

    fn set_now(&mut self, now: TsNs) {
        self.now = self.now.max(now.min(self.next_due()));
    }

    fn step(&mut self) -> bool {
        self.set_now(self.next_due());
        let is_tick = self.next_heartbeat <= self.now;
        // A window ends before the quote that opens the next one.
        self.close_windows();
        if self.next_roll <= self.now {
            self.roll();
        }
        let now = self.now;
        for account in &mut self.accounts {
            triggers::expire(account, now, false);
        }
        self.take_quotes();
        self.tell();
        if is_tick {
            self.beat();
            self.flush_streams();
        }
        is_tick
    }

    fn open(&mut self, _conn: ConnId, _target: &str) -> Option<WsRules> {
        None
    }

    fn on_text(&mut self, _conn: ConnId, _text: &str) {}

    fn on_http(&mut self, conn: ConnId, request: &HttpRequest) {
        self.answer_http(conn, request);
    }

    fn refusal(&self, status: u16) -> Vec<u8> {
        answer(status, "Connection: close\r\n", "{\"errorMessage\":\"Malformed request\"}")
    }

    fn close(&mut self, conn: ConnId) {
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

    fn connections_per_second(&self) -> Option<u32> {
        self.limits.connections_per_second
    }

    fn truth(&self, account: usize) -> Truth {
        self.truth_of(account)
    }

    fn said(&self, text: &str) -> Said {
        trouble::said(text)
    }

    fn line_stream(&self, conn: ConnId) -> Option<Lane> {
        self.streams.get(&conn).map(Stream::lane)
    }

    fn takes_orders_by_http(&self) -> bool {
        true
    }

    fn asked(&self, request: Request<'_>) -> Asked {
        trouble::asked(request)
    }

    fn tells_when(&self, _status: u16) -> bool {
        false
    }

    fn is_snapshot(&self, request: &HttpRequest) -> bool {
        trouble::is_snapshot(request)
    }

    fn refuse_http(&self, trouble: Trouble) -> Vec<u8> {
        trouble::http_refusal(trouble)
    }

    fn announce_end(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        self.say_farewell(conn, farewell)
    }

    fn stage(&mut self, deed: &Deed) -> bool {
        self.do_deed(deed)
    }

    fn fill_resting(&mut self, cancel: Option<Request<'_>>, share_ppm: u32) -> bool {
        self.fill_one(cancel, share_ppm)
    }
}

/// The first multiple of a period after an instant.
fn after(now: TsNs, period_ns: u64) -> TsNs {
    TsNs((now.0 / period_ns.max(1)).saturating_add(1).saturating_mul(period_ns.max(1)))
}

fn account(
    settings: &AccountSettings,
    market: &Market,
    hedging: &[String],
    now: TsNs,
) -> Result<Account, SimError> {
    let id = &settings.api_key;
    let wrong = |what: &str| Err(SimError::Settings(format!("account {id}: {what}")));
    let Credential::Token(token) = &settings.credential else { return wrong("must have a token") };
    let is_id = id.split('-').count() == 4
        && id
            .split('-')
            .all(|part| !part.is_empty() && part.len() < 10 && part.bytes().all(|b| b.is_ascii_digit()));
    if !is_id {
        return wrong("the id must be like 101-004-1234567-001");
    }
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return wrong("the token must be of printable letters");
    }
    let [(currency, balance)] = settings.balances.as_slice() else {
        return wrong("has a balance of one currency");
    };
    for instrument in 0..market.len() {
        let rules = market.rules(instrument);
        if !market.converts(rules.quote.as_str(), currency) {
            return wrong(&format!("{} cannot be converted to {currency}", rules.quote.as_str()));
        }
    }
    Ok(Account::new(id, token, currency, balance.0, hedging.contains(id), now))
}
