//! One connection from connecting to its end: subscribes instrument by instrument, pings, notes what came when.
//!
//! A refused request costs its instrument alone; it is asked again from time to time, since what the venue does not
//! list now it may list later.

use smc_core::event::Event;
use smc_core::words::TsNs;
use smc_net::{NetError, WsClient};

use super::market::{Lane, Market, Notes};
use super::settings::FeedSettings;
use super::subscribe::{Frames, PING};

/// Between two control frames.
pub const CONTROL_SPACING_NS: u64 = 50_000_000;
/// How often the venue wants to be pinged.
const PING_EVERY_NS: u64 = 20_000_000_000;
/// After a ping something has to be heard within this time.
const PONG_WITHIN_NS: u64 = 10_000_000_000;
/// A refused request is made again after this time.
const REFUSED_PAUSE_NS: u64 = 30_000_000_000;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, shaking hands, upgrading.
    Opening,
    /// Open; not every request is sent and answered.
    Subscribing,
    /// Every request is answered.
    Ready,
}

/// What a turn of the session means for the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing new.
    Same,
    /// The connection is open now.
    Opened,
    /// Every request is answered now.
    Subscribed,
    /// The connection is of no more use.
    Lost,
}

/// One connection.
pub struct Session {
    ws: WsClient,
    lane: Lane,
    stage: Stage,
    started: TsNs,
    ready_since: TsNs,
    /// Anything, and market data.
    heard: TsNs,
    heard_data: TsNs,
    control_at: Option<TsNs>,
    pinged: TsNs,
    /// Of each request of [`Frames::subscribe`].
    asked: Vec<Asked>,
    notes: Notes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    NotYet,
    At(TsNs),
    Confirmed,
    /// Not asked again before this.
    Refused(TsNs),
}

impl Session {
    /// Starts to connect.
    pub fn start(
        settings: &FeedSettings,
        path: &str,
        frames: &Frames,
        lane: Lane,
        now: TsNs,
    ) -> Result<Self, NetError> {
        Ok(Self {
            ws: WsClient::connect(&settings.stream, path, settings.ws_limits)?,
            lane,
            stage: Stage::Opening,
            started: now,
            ready_since: now,
            heard: now,
            heard_data: now,
            control_at: None,
            pinged: now,
            asked: vec![Asked::NotYet; frames.subscribe.len()],
            notes: Notes { answers: Vec::with_capacity(frames.subscribe.len()), data: 0 },
        })
    }

    /// How far it has come.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Which books are its own.
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// When the last request was answered. Means something once ready.
    pub const fn ready_since(&self) -> TsNs {
        self.ready_since
    }

    /// Whether it should be replaced because it is old.
    pub const fn wants_successor(&self, settings: &FeedSettings, now: TsNs) -> bool {
        now.since(self.started) > settings.renew_after_ns
    }

    /// One bounded pass over the socket; every message goes to the market.
    #[inline]
    pub fn turn<E: FnMut(Event)>(
        &mut self,
        settings: &FeedSettings,
        frames: &Frames,
        market: &mut Market,
        now: TsNs,
        emit: &mut E,
    ) -> (Turn, u32) {
        let (notes, lane) = (&mut self.notes, self.lane);
        notes.data = 0;
        let polled =
            self.ws.poll(&mut |payload: &mut [u8]| market.on_message(lane, payload, now, notes, emit));
        let messages = match polled {
            Ok(messages) => messages,
            Err(_) => return (Turn::Lost, 0),
        };
        if messages > 0 {
            self.heard = now;
        }
        if self.notes.data > 0 {
            self.heard_data = now;
        }
        if !self.notes.answers.is_empty() {
            self.take_answers(frames, market, now, emit);
        }
        let turn = match self.stage {
            Stage::Ready if self.is_mute(settings, now) => Turn::Lost,
            Stage::Ready => Turn::Same,
            _ => self.advance(settings, frames, now),
        };
        (turn, messages)
    }

    /// What is due in between: pings, and requests that were refused before. Called now and then.
    pub fn look_after(&mut self, frames: &Frames, now: TsNs) {
        if self.stage == Stage::Opening {
            return;
        }
        if now.since(self.pinged) >= PING_EVERY_NS && self.ws.send_text(PING).is_ok() {
            self.pinged = now;
        }
        let is_due = |asked: &Asked| matches!(asked, Asked::Refused(at) if *at <= now);
        if let Some(at) = self.asked.iter().position(is_due) {
            self.ask(frames, at, now);
        }
    }

    /// Sends a control frame if the spacing allows; false when it does not.
    pub fn send_control(&mut self, frame: &[u8], now: TsNs) -> bool {
        if self.control_at.is_some_and(|last| now.since(last) < CONTROL_SPACING_NS) {
            return false;
        }
        let is_sent = self.ws.send_text(frame).is_ok();
        if is_sent {
            self.control_at = Some(now);
        }
        is_sent
    }

    /// Says goodbye, best effort.
    pub fn close(&mut self) {
        self.ws.close();
    }

    /// Raw bytes read.
    pub fn bytes_received(&self) -> u64 {
        self.ws.bytes_received()
    }

    /// Raw bytes sent.
    pub fn bytes_sent(&self) -> u64 {
        self.ws.bytes_sent()
    }

    /// Answered pings prove a connection, not a market.
    fn is_mute(&self, settings: &FeedSettings, now: TsNs) -> bool {
        let limit = settings.silence.connection_ns;
        let speaks_always = settings.streams.best || settings.streams.ticker;
        let is_without_data = speaks_always && limit != 0 && now.since(self.heard_data) > limit;
        is_without_data || now.since(self.heard) > PING_EVERY_NS + PONG_WITHIN_NS
    }

    #[cold]
    fn take_answers<E: FnMut(Event)>(
        &mut self,
        frames: &Frames,
        market: &mut Market,
        now: TsNs,
        emit: &mut E,
    ) {
        while let Some((id, is_yes)) = self.notes.answers.pop() {
            let Some(at) = frames.subscribe.iter().position(|request| request.id == id) else { continue };
            let Some(asked) = self.asked.get_mut(at) else { continue };
            *asked = match is_yes {
                true => Asked::Confirmed,
                false => Asked::Refused(TsNs(now.0.saturating_add(REFUSED_PAUSE_NS))),
            };
            let Some(place) = frames.subscribe.get(at).map(|request| request.place) else { continue };
            let mut own =
                frames.subscribe.iter().zip(&self.asked).filter(|(request, _)| request.place == place);
            if own.all(|(_, asked)| *asked == Asked::Confirmed) {
                market.on_confirmed(self.lane, place, now, emit);
            }
        }
    }

    #[cold]
    fn advance(&mut self, settings: &FeedSettings, frames: &Frames, now: TsNs) -> Turn {
        let is_late = |since: TsNs| now.since(since) > settings.connect_timeout_ns;
        if !self.ws.is_open() {
            return if is_late(self.started) { Turn::Lost } else { Turn::Same };
        }
        let was_opening = std::mem::replace(&mut self.stage, Stage::Subscribing) == Stage::Opening;
        if let Some(at) = self.asked.iter().position(|asked| *asked == Asked::NotYet) {
            self.ask(frames, at, now);
        }
        if self.asked.iter().any(|asked| matches!(asked, Asked::At(since) if is_late(*since))) {
            return Turn::Lost;
        }
        let is_answered = |asked: &Asked| matches!(asked, Asked::Confirmed | Asked::Refused(_));
        if self.asked.iter().all(is_answered) {
            self.stage = Stage::Ready;
            self.ready_since = now;
            self.heard = now;
            self.heard_data = now;
            return Turn::Subscribed;
        }
        if was_opening { Turn::Opened } else { Turn::Same }
    }

    fn ask(&mut self, frames: &Frames, at: usize, now: TsNs) {
        if let Some(request) = frames.subscribe.get(at)
            && self.send_control(&request.frame, now)
            && let Some(asked) = self.asked.get_mut(at)
        {
            *asked = Asked::At(now);
        }
    }
}
