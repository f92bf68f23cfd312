//! One stream connection from connecting to its end: subscribes in one go, notes what came when.
//!
//! Never sends more than a few control frames a second: the venue cuts at five, pongs included.

use smc_core::event::Event;
use smc_core::words::TsNs;
use smc_net::{Endpoint, NetError, WsClient};

use super::dialect::Dialect;
use super::market::{Market, Notes};
use super::settings::FeedSettings;
use super::subscribe::Frames;

/// Between two control frames: at most three a second, which leaves room for pongs.
pub const CONTROL_SPACING_NS: u64 = 350_000_000;

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, shaking hands, upgrading.
    Opening,
    /// Open; not every SUBSCRIBE is sent and confirmed.
    Subscribing,
    /// Every stream is confirmed.
    Ready,
}

/// What a turn of the session means for the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing new.
    Same,
    /// The connection is open now.
    Opened,
    /// Every stream is confirmed now.
    Subscribed,
    /// The connection is of no more use.
    Lost,
}

/// Where a connection goes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host.
    pub endpoint: Endpoint,
    /// Path and query.
    pub path: String,
    /// Name of the key that the venue wants to see, where it does.
    pub api_key: Option<String>,
}

/// One connection.
pub struct Session {
    ws: WsClient,
    stage: Stage,
    started: TsNs,
    ready_since: TsNs,
    heard: TsNs,
    control_at: Option<TsNs>,
    frames_sent: usize,
    acks: u32,
    /// The venue announced the end of this connection.
    is_ending: bool,
}

impl Session {
    /// Starts to connect.
    pub fn start(settings: &FeedSettings, place: &Place, now: TsNs) -> Result<Self, NetError> {
        let key = place.api_key.as_deref().map(|key| ("X-MBX-APIKEY", key));
        let headers = key.as_slice();
        Ok(Self {
            ws: WsClient::connect_with(&place.endpoint, &place.path, headers, settings.ws_limits)?,
            stage: Stage::Opening,
            started: now,
            ready_since: now,
            heard: now,
            control_at: None,
            frames_sent: 0,
            acks: 0,
            is_ending: false,
        })
    }

    /// How far it has come.
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// When the last stream was confirmed. Means something once ready.
    pub const fn ready_since(&self) -> TsNs {
        self.ready_since
    }

    /// Whether it should be replaced: announced by the venue, or old.
    pub const fn wants_successor(&self, settings: &FeedSettings, now: TsNs) -> bool {
        self.is_ending || now.since(self.started) > settings.renew_after_ns
    }

    /// One bounded pass over the socket; every message goes to the market.
    #[inline]
    pub fn turn<D: Dialect, E: FnMut(Event)>(
        &mut self,
        settings: &FeedSettings,
        frames: &Frames,
        market: &mut Market<D>,
        now: TsNs,
        emit: &mut E,
    ) -> (Turn, u32) {
        let mut notes = Notes::default();
        let polled =
            self.ws.poll(&mut |payload: &mut [u8]| market.on_message(payload, now, &mut notes, emit));
        let messages = match polled {
            Ok(messages) => messages,
            Err(_) => return (Turn::Lost, 0),
        };
        if messages > 0 {
            self.heard = now;
        }
        self.is_ending |= notes.is_shutdown;
        if self.stage == Stage::Ready {
            let is_mute =
                settings.silence.connection_ns != 0 && now.since(self.heard) > settings.silence.connection_ns;
            return (if is_mute { Turn::Lost } else { Turn::Same }, messages);
        }
        (self.advance(settings, frames, notes, now), messages)
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

    #[cold]
    fn advance(&mut self, settings: &FeedSettings, frames: &Frames, notes: Notes, now: TsNs) -> Turn {
        self.acks += notes.acks;
        if notes.is_refused || now.since(self.started) > settings.connect_timeout_ns {
            return Turn::Lost;
        }
        if !self.ws.is_open() {
            return Turn::Same;
        }
        let was_opening = self.stage == Stage::Opening;
        self.stage = Stage::Subscribing;
        if let Some(frame) = frames.subscribe.get(self.frames_sent)
            && self.send_control(frame, now)
        {
            self.frames_sent += 1;
        }
        if self.frames_sent == frames.subscribe.len() && self.acks as usize >= self.frames_sent {
            self.stage = Stage::Ready;
            self.ready_since = now;
            self.heard = now;
            return Turn::Subscribed;
        }
        if was_opening { Turn::Opened } else { Turn::Same }
    }
}
