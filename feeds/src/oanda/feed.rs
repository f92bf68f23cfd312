//! The feed: an endless answer and a few questions around the pure [`Market`], turned by one thread.
//!
//! ```text
//!            ┌─ backoff, never two streams within a second ◄── lost, silent, refused ◄──┐
//!            ▼                                                                          │
//!  Down ─► connecting ─► 200 (Syncing) ─► first price of each instrument ─► Live ───────┘
//! ```
//!
//! Rules and the worth of currencies are asked for over a connection of their own. Never blocks, reads no clock.

use smc_core::event::Event;
use smc_core::words::{InstrumentId, Name, TsNs};
use smc_net::{Call, Caller, Method, NetError, Outcome, StreamClient};

use super::market::Market;
use super::pricing::{joined, pricing_path};
use super::settings::{FeedCounters, FeedError, FeedSettings, INSTRUMENTS_MAX};
use super::spec::instruments_path;
use crate::backoff::Backoff;

/// Least time between two streams begun: the venue refuses more than two new connections a second, and others of ours
/// count as well.
const SPACING_NS: u64 = 1_000_000_000;
/// After a refusal that time alone does not mend (wrong token, account or instrument).
const REFUSED_NS: u64 = 30_000_000_000;
/// A stream that was good for so long forgives earlier failures.
const STEADY_NS: u64 = 5_000_000_000;
/// How often silence is looked for.
const LOOK_EVERY_NS: u64 = 50_000_000;
/// First pause after a question that failed.
const ASK_AGAIN_NS: u64 = 2_000_000_000;

const TAG_RULES: u64 = 1;
const TAG_PRICING: u64 = 2;

/// Market data of one Oanda account for a fixed set of instruments.
pub struct OandaFeed {
    settings: FeedSettings,
    stream_path: String,
    rules_path: String,
    pricing_path: String,
    authorization: String,
    market: Market,
    stream: Option<StreamClient>,
    /// When the present stream was begun, when it opened, and when it last said something.
    begun: TsNs,
    opened: Option<TsNs>,
    heard: TsNs,
    backoff: Backoff,
    caller: Caller,
    rules: Question,
    pricing: Question,
    looked: TsNs,
    is_started: bool,
    streams_started: u64,
    disconnects: u64,
    requests_failed: u64,
    past_received: u64,
    past_sent: u64,
    last_error: Option<NetError>,
}

/// Something that is asked for again and again.
#[derive(Clone, Copy, Default)]
struct Question {
    is_asked: bool,
    next: TsNs,
}

impl OandaFeed {
    /// Checks the settings and takes all memory of the hot path. Connects on the first turn.
    pub fn new(settings: FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<Self, FeedError> {
        check(&settings, instruments)?;
        let names = || instruments.iter().map(|(_, name)| name);
        let account = &settings.account;
        Ok(Self {
            stream_path: format!(
                "/v3/accounts/{account}/pricing/stream?instruments={}&snapshot=true",
                joined(names())
            ),
            rules_path: instruments_path(account, names()),
            pricing_path: pricing_path(account, names()),
            authorization: format!("Bearer {}", settings.token.expose()),
            market: Market::new(&settings, instruments),
            stream: None,
            begun: TsNs(0),
            opened: None,
            heard: TsNs(0),
            backoff: Backoff::new(settings.seed),
            caller: Caller::new(settings.rest.clone(), 1, settings.request_timeout_ns),
            rules: Question::default(),
            pricing: Question::default(),
            looked: TsNs(0),
            is_started: false,
            streams_started: 0,
            disconnects: 0,
            requests_failed: 0,
            past_received: 0,
            past_sent: 0,
            last_error: None,
            settings,
        })
    }

    /// One bounded turn: poll sockets, decode, emit. `now` is the engine's clock, read once by the caller. Returns the
    /// events emitted. With data on an open stream it does not allocate.
    #[inline]
    pub fn turn<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> u32 {
        let mut emitted = 0u32;
        let mut emit = |event: Event| {
            emitted += 1;
            emit(event);
        };
        match &mut self.stream {
            None => self.connect(now, &mut emit),
            Some(stream) => {
                let market = &mut self.market;
                let is_open = self.opened.is_some();
                if !is_open && stream.is_open() {
                    self.opened = Some(now);
                    market.on_open(now, &mut emit);
                }
                match stream.poll(&mut |line: &mut [u8]| market.on_line(line, now, &mut emit)) {
                    Ok(0) => {}
                    Ok(_) => self.heard = now,
                    Err(error) => self.lose(error, now, &mut emit),
                }
            }
        }
        if self.caller.open() > 0 || now.since(self.looked) >= LOOK_EVERY_NS {
            self.look_after(now, &mut emit);
        }
        emitted
    }

    /// Whether every instrument is fresh.
    pub fn is_live(&self) -> bool {
        self.market.is_live()
    }

    /// Whether the venue has begun to answer; prices may still be missing.
    pub fn is_subscribed(&self) -> bool {
        self.opened.is_some()
    }

    /// Connections being made, and requests that have not left yet; 0 is quiet. An answer that has not begun does not
    /// count: the byte counts show the request.
    pub fn in_flight(&self) -> u32 {
        let is_sending = self.stream.as_ref().is_some_and(|stream| stream.pending_send() > 0);
        u32::from(is_sending) + self.caller.in_flight()
    }

    /// What happened so far.
    pub fn counters(&self) -> FeedCounters {
        FeedCounters {
            disconnects: self.disconnects,
            reconnects: self.streams_started.saturating_sub(1),
            requests_failed: self.requests_failed,
            ..self.market.counters()
        }
    }

    /// Raw bytes read from all sockets so far, dropped ones included.
    pub fn bytes_received(&self) -> u64 {
        let stream = self.stream.as_ref().map_or(0, StreamClient::bytes_received);
        self.past_received + stream + self.caller.bytes_received()
    }

    /// Raw bytes that all sockets took so far, dropped ones included.
    pub fn bytes_sent(&self) -> u64 {
        let stream = self.stream.as_ref().map_or(0, StreamClient::bytes_sent);
        self.past_sent + stream + self.caller.bytes_sent()
    }

    /// The pure half, for tools and tests that look inside.
    pub const fn market(&self) -> &Market {
        &self.market
    }

    /// Why the last stream ended or could not be made.
    pub const fn last_error(&self) -> Option<&NetError> {
        self.last_error.as_ref()
    }

    #[cold]
    fn connect<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        if !self.is_started {
            self.is_started = true;
            self.market.on_down(now, emit);
        }
        let is_spaced = self.streams_started == 0 || now.since(self.begun) >= SPACING_NS;
        if !is_spaced || !self.backoff.is_due(now) {
            return;
        }
        self.begun = now;
        self.heard = now;
        self.streams_started += 1;
        let headers = [("Authorization", self.authorization.as_str()), ("Accept-Datetime-Format", "RFC3339")];
        match StreamClient::connect(&self.settings.stream, &self.stream_path, &headers, self.settings.limits)
        {
            Ok(stream) => self.stream = Some(stream),
            Err(error) => {
                self.backoff.fail(now);
                self.last_error = Some(error);
            }
        }
    }

    /// Closes the stream; the next [`turn`](Self::turn) makes a new one.
    #[cold]
    pub fn hang_up<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.lose(NetError::Closed { code: None }, now, emit);
    }

    #[cold]
    fn lose<E: FnMut(Event)>(&mut self, error: NetError, now: TsNs, emit: &mut E) {
        let Some(lost) = self.stream.take() else { return };
        self.past_received += lost.bytes_received();
        self.past_sent += lost.bytes_sent();
        self.disconnects += 1;
        if self.opened.take().is_some_and(|opened| now.since(opened) > STEADY_NS) {
            self.backoff.succeed();
        }
        self.backoff.fail(now);
        if let NetError::StreamRefused { status: 400..=404 | 429, .. } = error {
            self.backoff.wait_until(TsNs(now.0.saturating_add(REFUSED_NS)));
        }
        self.last_error = Some(error);
        self.market.on_down(now, emit);
    }

    /// Silence, and the questions that are asked now and then.
    #[cold]
    fn look_after<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.looked = now;
        let is_over = match self.opened {
            None => self.stream.is_some() && now.since(self.begun) > self.settings.connect_timeout_ns,
            Some(_) => {
                let limit = self.settings.silence.connection_ns;
                let is_mute = limit != 0 && now.since(self.heard) > limit;
                is_mute | self.market.check_silence(now, emit)
            }
        };
        if is_over {
            self.lose(NetError::TimedOut, now, emit);
        }
        self.ask(now);
        let (market, rules, pricing) = (&mut self.market, &mut self.rules, &mut self.pricing);
        let (settings, failed) = (&self.settings, &mut self.requests_failed);
        self.caller.turn(now.0, &mut |tag, outcome| {
            let is_rules = tag == TAG_RULES;
            let is_good = match outcome {
                Outcome::Answer(response) if response.status == 200 => match is_rules {
                    true => market.on_rules(&response.body, now, emit),
                    false => market.on_pricing(&mut response.body.to_vec(), now, emit),
                },
                _ => false,
            };
            let (question, every) = match is_rules {
                true => (&mut *rules, settings.rules_every_ns),
                false => (&mut *pricing, settings.rates_every_ns),
            };
            *failed += u64::from(!is_good);
            question.is_asked = false;
            question.next = TsNs(now.0.saturating_add(if is_good { every } else { ASK_AGAIN_NS }));
        });
    }

    /// Sends the questions that are due; they go on while the stream is down.
    fn ask(&mut self, now: TsNs) {
        let due = |question: &Question| !question.is_asked && question.next <= now;
        let questions = [
            (TAG_RULES, &mut self.rules, &self.rules_path),
            (TAG_PRICING, &mut self.pricing, &self.pricing_path),
        ];
        for (tag, question, path) in questions {
            if due(question) {
                let headers = vec![
                    ("Authorization".to_owned(), self.authorization.clone()),
                    ("Accept-Datetime-Format".to_owned(), "RFC3339".to_owned()),
                ];
                let (path, body) = (path.clone(), Vec::new());
                let call = Call { tag, method: Method::Get, path, headers, body, is_repeatable: true };
                question.is_asked = self.caller.call(now.0, call);
            }
        }
    }
}

fn check(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<(), FeedError> {
    let is_word = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if instruments.is_empty() {
        return Err(FeedError::NoInstruments);
    }
    if instruments.len() > INSTRUMENTS_MAX {
        return Err(FeedError::TooManyInstruments { needed: instruments.len(), max: INSTRUMENTS_MAX });
    }
    for (at, &(_, name)) in instruments.iter().enumerate() {
        if !is_word(name.as_str()) {
            return Err(FeedError::BadSymbol(name));
        }
        if instruments.iter().skip(at + 1).any(|&(_, other)| other == name) {
            return Err(FeedError::DuplicateSymbol(name));
        }
    }
    if !is_word(&settings.account) {
        return Err(FeedError::BadAccount);
    }
    if !is_word(settings.token.expose()) {
        return Err(FeedError::BadToken);
    }
    Ok(())
}
