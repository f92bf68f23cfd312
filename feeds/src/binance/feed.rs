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
//! Spot has one such connection, futures two: quotes and books on the one, everything else on the other. Spot in binary has
//! a second one for candles. Never blocks, reads no clock.

use smc_core::event::{Event, EventBody};
use smc_core::words::{InstrumentId, Name, TsNs};

use super::dialect::Dialect;
use super::line::Line;
use super::market::Market;
use super::message::TimeUnit;
use super::session::Place;
use super::settings::{FeedCounters, FeedError, FeedSettings};
use super::snapshots::Snapshots;
use super::subscribe::Frames;

/// How often silence is looked for.
const SILENCE_EVERY_NS: u64 = 50_000_000;

/// Market data of one Binance venue for a fixed set of instruments.
pub struct Feed<D> {
    settings: FeedSettings,
    instruments: Vec<(InstrumentId, Name)>,
    /// Those of which something is wanted.
    lines: Vec<Line>,
    market: Market<D>,
    snapshots: Snapshots,
    snapshot_from: usize,
    /// The rules are to be read anew.
    wants_rules: bool,
    silence_checked: TsNs,
}

impl<D: Dialect> Feed<D> {
    /// Checks the settings and takes all memory of the hot path. Connects on the first turn.
    pub fn new(settings: FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<Self, FeedError> {
        let paths = [&settings.stream_path, &settings.market_path];
        let lines = Frames::new::<D>(&settings, instruments)?.into_iter().zip(paths).enumerate();
        let lines = lines.filter(|(_, (frames, _))| !frames.subscribe.is_empty());
        let lines = lines.map(|(number, (frames, path))| {
            let place = match &settings.binary {
                // Binary frames count in microseconds, asked or not.
                Some(binary) if D::IS_BINARY && number == 0 => Place {
                    endpoint: binary.endpoint.clone(),
                    path: path.clone(),
                    api_key: Some(binary.api_key.clone()),
                },
                _ => Place {
                    endpoint: settings.stream.clone(),
                    path: match settings.time_unit {
                        TimeUnit::Millis => path.clone(),
                        TimeUnit::Micros => format!("{path}?timeUnit=MICROSECOND"),
                    },
                    api_key: None,
                },
            };
            Line::new(number, place, frames, settings.seed.wrapping_add(number as u64))
        });
        Ok(Self {
            lines: lines.collect(),
            instruments: instruments.to_vec(),
            market: Market::new(&settings, instruments),
            snapshots: Snapshots::new(&settings, instruments.iter().map(|&(_, name)| name)),
            snapshot_from: 0,
            wants_rules: false,
            silence_checked: TsNs(0),
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
        let mut messages = 0;
        for line in &mut self.lines {
            let turn = line.turn(&self.settings, &mut self.market, now, &mut emit);
            messages += turn.messages;
            if turn.is_lost && line.number() == 0 {
                self.snapshots.void_flight();
            }
        }
        if messages == 0 || self.snapshots.is_in_flight() {
            self.turn_snapshots(now, &mut emit);
        }
        if let Some(place) = self.market.next_wanted(self.snapshot_from) {
            self.ask_snapshot(place, now);
        } else if self.wants_rules {
            self.ask_rules(now);
        }
        for line in self.lines.iter_mut().filter(|line| line.has_standby()) {
            line.turn_standby(&self.settings, &mut self.market, now, &mut emit);
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

    /// Whether every stream of the present connections is confirmed; books may still be out of step.
    pub fn is_subscribed(&self) -> bool {
        self.lines.iter().all(Line::is_ready)
    }

    /// Closes every connection; the next [`turn`](Self::turn) makes new ones.
    #[cold]
    pub fn hang_up<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        for line in &mut self.lines {
            line.hang_up(&mut self.market, now, emit);
        }
        self.snapshots.void_flight();
    }

    /// Connections being made, and requests that have not left yet; 0 is quiet. A request under way does not
    /// count: the byte counts show it.
    pub fn in_flight(&self) -> u32 {
        self.lines.iter().map(Line::opening).sum::<u32>() + u32::from(self.snapshots.is_sending())
    }

    /// What happened so far.
    pub fn counters(&self) -> FeedCounters {
        let (snapshots, snapshots_failed) = self.snapshots.counts();
        let (disconnects, reconnects) =
            self.lines.iter().map(Line::counts).fold((0, 0), |(lost, again), (more_lost, more_again)| {
                (lost + more_lost, again + more_again)
            });
        FeedCounters { snapshots, snapshots_failed, disconnects, reconnects, ..self.market.counters() }
    }

    /// Raw bytes read from all sockets so far, dropped ones included.
    pub fn bytes_received(&self) -> u64 {
        self.lines.iter().map(Line::bytes_received).sum::<u64>() + self.snapshots.bytes_received()
    }

    /// Raw bytes that all sockets took so far, dropped ones included.
    pub fn bytes_sent(&self) -> u64 {
        self.lines.iter().map(Line::bytes_sent).sum::<u64>() + self.snapshots.bytes_sent()
    }

    /// The pure half, for tools and tests that look inside.
    pub const fn market(&self) -> &Market<D> {
        &self.market
    }

    fn turn_snapshots<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        let Some((place, mut body)) = self.snapshots.turn(now) else { return };
        if place == self.instruments.len() {
            self.on_rules(&body, now, emit);
            return;
        }
        let is_good = self.market.on_snapshot(place, &mut body, now, emit);
        self.snapshots.on_outcome(is_good, now);
        self.snapshot_from = place + 1;
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
    fn ask_rules(&mut self, now: TsNs) {
        if self.snapshots.is_due(now) {
            self.snapshots.ask(self.instruments.len(), now);
        }
    }

    /// The rules as they are now. What cannot be used is asked for again, and leaves the old rules in force.
    #[cold]
    fn on_rules<E: FnMut(Event)>(&mut self, body: &[u8], now: TsNs, emit: &mut E) {
        let specs: Vec<_> =
            self.instruments.iter().map(|(_, name)| D::rules(&mut body.to_vec(), name.as_str())).collect();
        let is_whole = specs.iter().all(Option::is_some);
        self.wants_rules = !is_whole;
        self.snapshots.on_outcome(is_whole, now);
        for (&(instrument, _), spec) in self.instruments.iter().zip(specs) {
            if let Some(spec) = spec {
                let body = EventBody::Instrument(spec);
                emit(Event { seq: 0, ts_event: now, ts_recv: now, instrument, body });
            }
        }
    }

    /// Silence, renewal, changed rules, and what the control budget held back.
    #[cold]
    fn look_after<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.silence_checked = now;
        self.wants_rules |= self.market.take_wants_rules() && !self.settings.rules_path.is_empty();
        let mute = self.market.check_silence(now, emit);
        for line in &mut self.lines {
            let ours = mute.filter(|&(number, _)| line.number() == number).map(|(_, place)| place);
            line.look_after(&self.settings, ours, now);
        }
    }
}
