//! The feed: sockets around the pure [`Market`], turned by one thread.
//!
//! ```text
//!            ┌─ backoff ◄──────────── lost ◄──────────┐
//!            ▼                                        │
//!  Down ─► connecting ─► open, SUBSCRIBE ─► confirmed ─► snapshots, one by one ─► Live
//!                        (Syncing)                        ▲ gap, crossed, contradicted │
//!                                                         └────────────────────────────┘
//! ```
//!
//! A second connection stands by before the first is cut (announced, or close to its 24 hours); both may
//! speak at once, since the market drops what only repeats the past. Never blocks, reads no clock.

use smc_core::event::Event;
use smc_core::words::{InstrumentId, Name, TsNs};

use super::market::Market;
use super::message::TimeUnit;
use super::session::{Session, Stage, Turn};
use super::settings::{FeedCounters, FeedError, FeedSettings};
use super::snapshots::Snapshots;
use super::subscribe::Frames;
use crate::backoff::Backoff;

/// How long two connections speak at once before the old one goes.
const OVERLAP_NS: u64 = 1_000_000_000;
/// A connection that was good for so long forgives earlier failures.
const STEADY_NS: u64 = 5_000_000_000;
/// How often silence is looked for.
const SILENCE_EVERY_NS: u64 = 50_000_000;

/// Market data of one Binance spot venue for a fixed set of instruments.
pub struct BinanceSpotFeed {
    settings: FeedSettings,
    path: String,
    frames: Frames,
    market: Market,
    active: Option<Session>,
    standby: Option<Session>,
    backoff: Backoff,
    standby_backoff: Backoff,
    snapshots: Snapshots,
    snapshot_from: usize,
    silence_checked: TsNs,
    /// A SUBSCRIBE that has to follow its UNSUBSCRIBE once the spacing allows.
    ask_again: Option<(usize, usize)>,
    is_started: bool,
    sessions_started: u64,
    disconnects: u64,
    past_received: u64,
    past_sent: u64,
}

impl BinanceSpotFeed {
    /// Checks the settings and takes all memory of the hot path. Connects on the first turn.
    pub fn new(settings: FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<Self, FeedError> {
        let frames = Frames::new(&settings, instruments)?;
        let path = match settings.time_unit {
            TimeUnit::Millis => settings.stream_path.clone(),
            TimeUnit::Micros => format!("{}?timeUnit=MICROSECOND", settings.stream_path),
        };
        Ok(Self {
            path,
            frames,
            market: Market::new(&settings, instruments),
            active: None,
            standby: None,
            backoff: Backoff::new(settings.seed),
            standby_backoff: Backoff::new(settings.seed.rotate_left(17)),
            snapshots: Snapshots::new(&settings, instruments.iter().map(|&(_, name)| name)),
            snapshot_from: 0,
            silence_checked: TsNs(0),
            ask_again: None,
            is_started: false,
            sessions_started: 0,
            disconnects: 0,
            past_received: 0,
            past_sent: 0,
            settings,
        })
    }

    /// One bounded turn: poll sockets, decode, synchronise, emit. `now` is the engine's clock, read once by
    /// the caller. Returns the events emitted. With data on an open connection it does not allocate.
    #[inline]
    pub fn turn<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> u32 {
        let mut emitted = 0u32;
        let mut emit = |event: Event| {
            emitted += 1;
            emit(event);
        };
        let messages = self.turn_active(now, &mut emit);
        if messages == 0 || self.snapshots.is_in_flight() {
            self.turn_snapshots(now, &mut emit);
        }
        if let Some(place) = self.market.next_wanted(self.snapshot_from) {
            self.ask_snapshot(place, now);
        }
        if self.standby.is_some() {
            self.turn_standby(now, &mut emit);
        }
        if now.since(self.silence_checked) >= SILENCE_EVERY_NS {
            self.look_after(now, &mut emit);
        }
        emitted
    }

    /// Whether every instrument is subscribed, in step and fresh.
    pub fn is_live(&self) -> bool {
        self.market.is_live()
    }

    /// Whether every stream of the present connection is confirmed; books may still be out of step.
    pub fn is_subscribed(&self) -> bool {
        self.active.as_ref().is_some_and(|session| session.stage() == Stage::Ready)
    }

    /// Connections being made, and requests that have not left yet; 0 is quiet. A request under way does not
    /// count: the byte counts show it.
    pub fn in_flight(&self) -> u32 {
        let opening = |session: &Option<Session>| {
            session.as_ref().is_some_and(|session| session.stage() == Stage::Opening) as u32
        };
        opening(&self.active) + opening(&self.standby) + u32::from(self.snapshots.is_sending())
    }

    /// What happened so far.
    pub fn counters(&self) -> FeedCounters {
        let (snapshots, snapshots_failed) = self.snapshots.counts();
        FeedCounters {
            snapshots,
            snapshots_failed,
            disconnects: self.disconnects,
            reconnects: self.sessions_started.saturating_sub(1),
            ..self.market.counters()
        }
    }

    /// Raw bytes read from all sockets so far, dropped ones included.
    pub fn bytes_received(&self) -> u64 {
        let of = |session: &Option<Session>| session.as_ref().map_or(0, Session::bytes_received);
        self.past_received + of(&self.active) + of(&self.standby) + self.snapshots.bytes_received()
    }

    /// Raw bytes that all sockets took so far, dropped ones included.
    pub fn bytes_sent(&self) -> u64 {
        let of = |session: &Option<Session>| session.as_ref().map_or(0, Session::bytes_sent);
        self.past_sent + of(&self.active) + of(&self.standby) + self.snapshots.bytes_sent()
    }

    /// The pure half, for tools and tests that look inside.
    pub const fn market(&self) -> &Market {
        &self.market
    }

    /// Returns the messages taken.
    #[inline]
    fn turn_active<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> u32 {
        let Some(session) = &mut self.active else {
            self.connect(now, emit);
            return 0;
        };
        let (turn, messages) = session.turn(&self.settings, &self.frames, &mut self.market, now, emit);
        match turn {
            Turn::Same => {}
            Turn::Opened => self.market.on_open(now, emit),
            Turn::Subscribed => {
                self.market.on_open(now, emit);
                self.market.on_subscribed(now, emit);
            }
            Turn::Lost => self.lose_active(now, emit),
        }
        messages
    }

    #[cold]
    fn connect<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        if !self.is_started {
            self.is_started = true;
            self.market.on_down(now, emit);
        }
        if !self.backoff.is_due(now) {
            return;
        }
        match Session::start(&self.settings, &self.path, now) {
            Ok(session) => {
                self.sessions_started += 1;
                self.active = Some(session);
            }
            Err(_) => {
                self.backoff.fail(now);
            }
        }
    }

    /// The active connection is gone. A ready standby takes over without a gap; otherwise everything is down.
    #[cold]
    fn lose_active<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        let Some(lost) = self.active.take() else { return };
        self.disconnects += 1;
        if lost.stage() == Stage::Ready && now.since(lost.ready_since()) > STEADY_NS {
            self.backoff.succeed();
        }
        self.retire(lost);
        self.ask_again = None;
        match self.standby.take() {
            Some(standby) if standby.stage() == Stage::Ready => self.active = Some(standby),
            other => {
                self.snapshots.void_flight();
                self.market.on_down(now, emit);
                if let Some(unready) = other {
                    self.retire(unready);
                }
                self.backoff.fail(now);
            }
        }
    }

    fn retire(&mut self, mut session: Session) {
        session.close();
        self.past_received += session.bytes_received();
        self.past_sent += session.bytes_sent();
    }

    fn turn_snapshots<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        if let Some((place, mut body)) = self.snapshots.turn(now) {
            let is_good = self.market.on_snapshot(place, &mut body, now, emit);
            self.snapshots.on_outcome(is_good, now);
            self.snapshot_from = place + 1;
        }
    }

    #[cold]
    fn ask_snapshot(&mut self, place: usize, now: TsNs) {
        if self.market.take_hasty() {
            self.snapshots.hold_back(now);
        }
        if self.snapshots.is_due(now) {
            self.snapshots.ask(place, now);
        }
    }

    #[cold]
    fn turn_standby<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        let Some(standby) = &mut self.standby else { return };
        let (turn, _) = standby.turn(&self.settings, &self.frames, &mut self.market, now, emit);
        let is_ready = standby.stage() == Stage::Ready && now.since(standby.ready_since()) >= OVERLAP_NS;
        if turn == Turn::Lost {
            self.standby_backoff.fail(now);
            if let Some(lost) = self.standby.take() {
                self.retire(lost);
            }
        } else if is_ready {
            self.standby_backoff.succeed();
            let old = std::mem::replace(&mut self.active, self.standby.take());
            if let Some(old) = old {
                self.retire(old);
            }
        }
    }

    /// Silence, renewal, and what the control budget held back.
    #[cold]
    fn look_after<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.silence_checked = now;
        let Some(session) = self.active.as_mut().filter(|session| session.stage() == Stage::Ready) else {
            return;
        };
        let mute = self.market.check_silence(now, emit);
        if self.ask_again.is_none() {
            self.ask_again = mute.map(|place| (place, 0));
        }
        if let Some((place, step)) = self.ask_again {
            match self.frames.again.get(place).and_then(|frames| frames.get(step)) {
                Some(frame) if session.send_control(frame, now) => self.ask_again = Some((place, step + 1)),
                Some(_) => {}
                None => self.ask_again = None,
            }
        }
        let wants = session.wants_successor(&self.settings, now);
        if wants && self.standby.is_none() && self.standby_backoff.is_due(now) {
            match Session::start(&self.settings, &self.path, now) {
                Ok(standby) => {
                    self.sessions_started += 1;
                    self.standby = Some(standby);
                }
                Err(_) => {
                    self.standby_backoff.fail(now);
                }
            }
        }
    }
}
