//! The feed: sockets around the pure [`Market`], turned by one thread.
//!
//! ```text
//!            ┌─ backoff ◄──────────── lost ◄──────────┐
//!            ▼                                        │
//!  Down ─► connecting ─► open, subscribe ─► confirmed ─► image ─► Live
//!                        (Syncing)             ▲ gap, crossed: subscribe again │
//!                                              └───────────────────────────────┘
//! ```
//!
//! A second connection stands by before the first gets old. It takes over when its own books are in step, so that
//! there is no moment without a valid book. Never blocks, reads no clock.

use smc_core::event::Event;
use smc_core::words::{InstrumentId, Name, TsNs};

use super::market::{Again, Market};
use super::session::{Session, Stage, Turn};
use super::settings::{FeedCounters, FeedError, FeedSettings};
use super::subscribe::Frames;
use crate::backoff::Backoff;

/// How long two connections speak at once before the old one goes.
const OVERLAP_NS: u64 = 1_000_000_000;
/// A second connection that is not in step after this long is given up.
const STANDBY_MAX_NS: u64 = 30_000_000_000;
/// A connection that was good for so long forgives earlier failures.
const STEADY_NS: u64 = 5_000_000_000;
/// How often silence is looked for.
const LOOK_EVERY_NS: u64 = 50_000_000;

/// Market data of one category of the venue for a fixed set of instruments.
pub struct BybitFeed {
    settings: FeedSettings,
    path: String,
    frames: Frames,
    market: Market,
    active: Option<Session>,
    standby: Option<Session>,
    backoff: Backoff,
    standby_backoff: Backoff,
    looked: TsNs,
    /// What is being asked for again, and how many of its frames have left.
    again: Option<(Again, usize)>,
    is_started: bool,
    sessions_started: u64,
    disconnects: u64,
    past_received: u64,
    past_sent: u64,
}

impl BybitFeed {
    /// Checks the settings and takes all memory of the hot path. Connects on the first turn.
    pub fn new(settings: FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<Self, FeedError> {
        Ok(Self {
            path: format!("{}/{}", settings.stream_path, settings.category.word()),
            frames: Frames::new(&settings, instruments)?,
            market: Market::new(&settings, instruments),
            active: None,
            standby: None,
            backoff: Backoff::new(settings.seed),
            standby_backoff: Backoff::new(settings.seed.rotate_left(17)),
            looked: TsNs(0),
            again: None,
            is_started: false,
            sessions_started: 0,
            disconnects: 0,
            past_received: 0,
            past_sent: 0,
            settings,
        })
    }

    /// One bounded turn: poll sockets, decode, synchronise, emit. `now` is the engine's clock, read once by the
    /// caller. Returns the events emitted. With data on an open connection it does not allocate.
    #[inline]
    pub fn turn<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> u32 {
        let mut emitted = 0u32;
        let mut emit = |event: Event| {
            emitted += 1;
            emit(event);
        };
        self.turn_active(now, &mut emit);
        if self.standby.is_some() {
            self.turn_standby(now, &mut emit);
        }
        if now.since(self.looked) >= LOOK_EVERY_NS {
            self.look_after(now, &mut emit);
        }
        emitted
    }

    /// Whether every instrument is subscribed, in step and fresh.
    pub fn is_live(&self) -> bool {
        self.market.is_live()
    }

    /// Whether every topic of the present connection is confirmed; books may still be out of step.
    pub fn is_subscribed(&self) -> bool {
        self.active.as_ref().is_some_and(|session| session.stage() == Stage::Ready)
            && self.market.is_confirmed()
    }

    /// Connections being made; 0 is quiet.
    pub fn in_flight(&self) -> u32 {
        let opening = |session: &Option<Session>| {
            session.as_ref().is_some_and(|session| session.stage() == Stage::Opening) as u32
        };
        opening(&self.active) + opening(&self.standby)
    }

    /// What happened so far.
    pub fn counters(&self) -> FeedCounters {
        FeedCounters {
            disconnects: self.disconnects,
            reconnects: self.sessions_started.saturating_sub(1),
            ..self.market.counters()
        }
    }

    /// Raw bytes read from all sockets so far, dropped ones included.
    pub fn bytes_received(&self) -> u64 {
        let of = |session: &Option<Session>| session.as_ref().map_or(0, Session::bytes_received);
        self.past_received + of(&self.active) + of(&self.standby)
    }

    /// Raw bytes that all sockets took so far, dropped ones included.
    pub fn bytes_sent(&self) -> u64 {
        let of = |session: &Option<Session>| session.as_ref().map_or(0, Session::bytes_sent);
        self.past_sent + of(&self.active) + of(&self.standby)
    }

    /// The pure half, for tools and tests that look inside.
    pub const fn market(&self) -> &Market {
        &self.market
    }

    #[inline]
    fn turn_active<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        let Some(session) = &mut self.active else { return self.connect(now, emit) };
        let (turn, _) = session.turn(&self.settings, &self.frames, &mut self.market, now, emit);
        match turn {
            Turn::Same | Turn::Subscribed => {}
            Turn::Opened => self.market.on_open(now, emit),
            Turn::Lost => self.lose_active(now, emit),
        }
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
        match Session::start(&self.settings, &self.path, &self.frames, self.market.active(), now) {
            Ok(session) => {
                self.sessions_started += 1;
                self.active = Some(session);
            }
            Err(_) => {
                self.backoff.fail(now);
            }
        }
    }

    /// The active connection is gone. A standby in step takes over without a gap; otherwise everything is down.
    #[cold]
    fn lose_active<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        let Some(lost) = self.active.take() else { return };
        self.disconnects += 1;
        if lost.stage() == Stage::Ready && now.since(lost.ready_since()) > STEADY_NS {
            self.backoff.succeed();
        }
        self.retire(lost);
        self.again = None;
        match self.standby.take() {
            Some(standby) if self.market.is_in_step(standby.lane()) => {
                self.market.switch_to(standby.lane(), now, emit);
                self.active = Some(standby);
            }
            other => {
                self.market.on_down(now, emit);
                if let Some(unready) = other {
                    self.retire(unready);
                }
                self.backoff.fail(now);
            }
        }
    }

    /// Closes every connection; the next [`turn`](Self::turn) makes a new one.
    #[cold]
    pub fn hang_up<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        if let Some(standby) = self.standby.take() {
            self.market.reset_lane(standby.lane());
            self.retire(standby);
        }
        self.lose_active(now, emit);
    }

    fn retire(&mut self, mut session: Session) {
        session.close();
        self.past_received += session.bytes_received();
        self.past_sent += session.bytes_sent();
    }

    #[cold]
    fn turn_standby<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        let Some(standby) = &mut self.standby else { return };
        let (turn, _) = standby.turn(&self.settings, &self.frames, &mut self.market, now, emit);
        let lane = standby.lane();
        let age = now.since(standby.ready_since());
        let is_ready = standby.stage() == Stage::Ready;
        if turn == Turn::Lost || is_ready && age >= STANDBY_MAX_NS {
            self.standby_backoff.fail(now);
            self.market.reset_lane(lane);
            if let Some(lost) = self.standby.take() {
                self.retire(lost);
            }
        } else if is_ready && age >= OVERLAP_NS && self.market.is_in_step(lane) {
            self.standby_backoff.succeed();
            self.again = None;
            self.market.switch_to(lane, now, emit);
            let old = std::mem::replace(&mut self.active, self.standby.take());
            if let Some(old) = old {
                self.retire(old);
            }
        }
    }

    /// Pings, silence, renewal, and what has to be asked for again.
    #[cold]
    fn look_after<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.looked = now;
        if let Some(standby) = &mut self.standby {
            standby.look_after(&self.frames, now);
        }
        let Some(session) = &mut self.active else { return };
        session.look_after(&self.frames, now);
        if session.stage() == Stage::Opening {
            return;
        }
        if self.again.is_none() {
            self.again = self.market.check(now, emit).map(|again| (again, 0));
        }
        if let Some((again, step)) = self.again {
            let frame = match again {
                Again::Book(place) => self.frames.book_again.get(place).and_then(|two| two.get(step)),
                Again::All(place) => self.frames.all_again.get(place).and_then(|all| all.get(step)),
            };
            match frame {
                Some(frame) if session.send_control(frame, now) => self.again = Some((again, step + 1)),
                Some(_) => {}
                None => self.again = None,
            }
        }
        let wants = session.stage() == Stage::Ready && session.wants_successor(&self.settings, now);
        if wants && self.standby.is_none() && self.standby_backoff.is_due(now) {
            let lane = session.lane().other();
            self.market.reset_lane(lane);
            match Session::start(&self.settings, &self.path, &self.frames, lane, now) {
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
