//! One of the feed's connections and the one that stands by for it.
//!
//! A second connection is opened before the first is cut (announced, or close to its 24 hours); both may speak at once,
//! since the market drops what only repeats the past. Never blocks, reads no clock.

use smc_core::event::Event;
use smc_core::words::TsNs;

use super::dialect::Dialect;
use super::market::Market;
use super::session::{Place, Session, Stage, Turn};
use super::settings::FeedSettings;
use super::subscribe::Frames;
use crate::backoff::Backoff;

/// How long two connections speak at once before the old one goes.
const OVERLAP_NS: u64 = 1_000_000_000;
/// A connection that was good for so long forgives earlier failures.
const STEADY_NS: u64 = 5_000_000_000;

/// A connection that is made again when it breaks.
pub struct Line {
    /// Its number at the market.
    number: usize,
    place: Place,
    frames: Frames,
    active: Option<Session>,
    standby: Option<Session>,
    backoff: Backoff,
    standby_backoff: Backoff,
    /// A SUBSCRIBE that has to follow its UNSUBSCRIBE once the spacing allows.
    ask_again: Option<(usize, usize)>,
    is_started: bool,
    sessions_started: u64,
    disconnects: u64,
    past_received: u64,
    past_sent: u64,
}

/// What a turn of a line did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTurn {
    /// Messages taken.
    pub messages: u32,
    /// The connection is gone, and none stood by for it.
    pub is_lost: bool,
}

impl Line {
    /// Connects on the first turn. Equal seeds wait equally.
    pub const fn new(number: usize, place: Place, frames: Frames, seed: u64) -> Self {
        Self {
            number,
            place,
            frames,
            active: None,
            standby: None,
            backoff: Backoff::new(seed),
            standby_backoff: Backoff::new(seed.rotate_left(17)),
            ask_again: None,
            is_started: false,
            sessions_started: 0,
            disconnects: 0,
            past_received: 0,
            past_sent: 0,
        }
    }

    /// Its number at the market.
    pub const fn number(&self) -> usize {
        self.number
    }

    /// One bounded pass over the active connection.
    #[inline]
    pub fn turn<D: Dialect, E: FnMut(Event)>(
        &mut self,
        settings: &FeedSettings,
        market: &mut Market<D>,
        now: TsNs,
        emit: &mut E,
    ) -> LineTurn {
        let Some(session) = &mut self.active else {
            self.connect(settings, market, now, emit);
            return LineTurn { messages: 0, is_lost: false };
        };
        let (turn, messages) = session.turn(settings, &self.frames, market, now, emit);
        let mut is_lost = false;
        match turn {
            Turn::Same => {}
            Turn::Opened => market.on_open(self.number, now, emit),
            Turn::Subscribed => {
                market.on_open(self.number, now, emit);
                market.on_subscribed(self.number, now, emit);
            }
            Turn::Lost => is_lost = self.lose_active(market, now, emit),
        }
        LineTurn { messages, is_lost }
    }

    /// Whether a second connection has to be turned too.
    pub const fn has_standby(&self) -> bool {
        self.standby.is_some()
    }

    /// One bounded pass over the connection that stands by; it takes over once it is ready.
    #[cold]
    pub fn turn_standby<D: Dialect, E: FnMut(Event)>(
        &mut self,
        settings: &FeedSettings,
        market: &mut Market<D>,
        now: TsNs,
        emit: &mut E,
    ) {
        let Some(standby) = &mut self.standby else { return };
        let (turn, _) = standby.turn(settings, &self.frames, market, now, emit);
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

    /// Renewal, and what the control budget held back. `mute` is the place of an instrument whose streams are silent.
    #[cold]
    pub fn look_after(&mut self, settings: &FeedSettings, mute: Option<usize>, now: TsNs) {
        let Some(session) = self.active.as_mut().filter(|session| session.stage() == Stage::Ready) else {
            return;
        };
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
        let wants = session.wants_successor(settings, now);
        if wants && self.standby.is_none() && self.standby_backoff.is_due(now) {
            match Session::start(settings, &self.place, now) {
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

    /// Whether every stream of the present connection is confirmed.
    pub fn is_ready(&self) -> bool {
        self.active.as_ref().is_some_and(|session| session.stage() == Stage::Ready)
    }

    /// Connections being made.
    pub fn opening(&self) -> u32 {
        let is_opening = |session: &&Session| session.stage() == Stage::Opening;
        [&self.active, &self.standby].into_iter().flatten().filter(is_opening).count() as u32
    }

    /// Connections lost or given up, and those started after the first.
    pub const fn counts(&self) -> (u64, u64) {
        (self.disconnects, self.sessions_started.saturating_sub(1))
    }

    /// Raw bytes read, over all connections.
    pub fn bytes_received(&self) -> u64 {
        let of = |session: &Option<Session>| session.as_ref().map_or(0, Session::bytes_received);
        self.past_received + of(&self.active) + of(&self.standby)
    }

    /// Raw bytes sent, over all connections.
    pub fn bytes_sent(&self) -> u64 {
        let of = |session: &Option<Session>| session.as_ref().map_or(0, Session::bytes_sent);
        self.past_sent + of(&self.active) + of(&self.standby)
    }

    #[cold]
    fn connect<D: Dialect, E: FnMut(Event)>(
        &mut self,
        settings: &FeedSettings,
        market: &mut Market<D>,
        now: TsNs,
        emit: &mut E,
    ) {
        if !self.is_started {
            self.is_started = true;
            market.on_down(self.number, now, emit);
        }
        if !self.backoff.is_due(now) {
            return;
        }
        match Session::start(settings, &self.place, now) {
            Ok(session) => {
                self.sessions_started += 1;
                self.active = Some(session);
            }
            Err(_) => {
                self.backoff.fail(now);
            }
        }
    }

    /// The active connection is gone. A ready standby takes over without a gap; otherwise the line is down.
    #[cold]
    fn lose_active<D: Dialect, E: FnMut(Event)>(
        &mut self,
        market: &mut Market<D>,
        now: TsNs,
        emit: &mut E,
    ) -> bool {
        let Some(lost) = self.active.take() else { return false };
        self.disconnects += 1;
        if lost.stage() == Stage::Ready && now.since(lost.ready_since()) > STEADY_NS {
            self.backoff.succeed();
        }
        self.retire(lost);
        self.ask_again = None;
        match self.standby.take() {
            Some(standby) if standby.stage() == Stage::Ready => {
                self.active = Some(standby);
                false
            }
            other => {
                market.on_down(self.number, now, emit);
                if let Some(unready) = other {
                    self.retire(unready);
                }
                self.backoff.fail(now);
                true
            }
        }
    }

    /// Closes both connections. Whoever does not want another one does not call [`turn`](Self::turn) any more.
    #[cold]
    pub fn hang_up<D: Dialect, E: FnMut(Event)>(&mut self, market: &mut Market<D>, now: TsNs, emit: &mut E) {
        if let Some(standby) = self.standby.take() {
            self.retire(standby);
        }
        self.lose_active(market, now, emit);
    }

    fn retire(&mut self, mut session: Session) {
        session.close();
        self.past_received += session.bytes_received();
        self.past_sent += session.bytes_sent();
    }
}
