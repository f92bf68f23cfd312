//! The venue around a venue: state, the clock's share of the faults, and what passes through untouched.

use super::frames::{Hold, Outgoing};
use super::lines::Lines;
use super::plan::FaultPlan;
use super::requests::Trouble;
use super::{Counts, Fault};
use crate::dialect::{
    Asked, ConnId, Deed, Dialect, Farewell, Frame, HttpRequest, Lane, Request, Said, SeenOrder, Summary,
    Truth, WsRules,
};
use crate::market::random::Random;
use smc_core::TsNs;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What begins by itself may begin so often, however often the venue's own clock ticks.
const BEAT_NS: u64 = 100_000_000;
/// Old pictures of the book are taken this many beats apart, and so many of them kept.
const PICTURE_BEATS: u64 = 20;
pub(super) const PICTURES_MAX: usize = 8;
/// Connection numbers that no client has, since the server counts up from 1: under one pictures are taken, answers to the
/// other are thrown away.
pub(super) const PAINTER: ConnId = ConnId::MAX;
pub(super) const NOBODY: ConnId = ConnId::MAX - 1;
/// How long a connection lives on after the venue announced its end, in market nanoseconds.
const NOTICE_NS: u64 = 3_000_000_000;

/// A venue at which things go wrong.
pub struct FaultyVenue {
    pub(super) inner: Box<dyn Dialect>,
    pub(super) plan: FaultPlan,
    pub(super) random: Random,
    pub(super) counts: Counts,
    /// When the market opened.
    start: TsNs,
    pub(super) is_held: bool,
    /// The beat of the last step, counted from the epoch, and beats so far.
    last_beat: u64,
    beats: u64,
    /// Connections that carry streams or orders, by whom they serve.
    pub(super) lanes: BTreeMap<ConnId, Lane>,
    /// Of those on which a stream comes in chunks over HTTP: what is no whole line yet.
    pub(super) lines: BTreeMap<ConnId, Lines>,
    pub(super) out: Outgoing,
    /// Connections whose next answer is lost.
    pub(super) loses_answer: Option<ConnId>,
    /// What every request meets for now.
    pub(super) trouble: Option<Trouble>,
    pub(super) refused_upgrade: u16,
    /// A request for the book as clients make it, and old answers to it.
    pub(super) picture_request: Option<HttpRequest>,
    pub(super) pictures: VecDeque<(TsNs, Vec<u8>)>,
    /// Connections that end at a moment that was announced.
    ending: Vec<(TsNs, ConnId)>,
}

impl FaultyVenue {
    /// Puts a plan around a venue.
    pub fn new(inner: Box<dyn Dialect>, plan: FaultPlan) -> Self {
        Self {
            random: Random::new(plan.seed ^ 0x000f_a017),
            start: inner.now(),
            last_beat: inner.now().0 / BEAT_NS,
            inner,
            plan,
            counts: Counts::default(),
            is_held: false,
            beats: 0,
            lanes: BTreeMap::new(),
            lines: BTreeMap::new(),
            out: Outgoing::default(),
            loses_answer: None,
            trouble: None,
            refused_upgrade: 404,
            picture_request: None,
            pictures: VecDeque::new(),
            ending: Vec::new(),
        }
    }

    /// Whether a fault strikes at this opportunity; counted by [`struck`](Self::struck) once it has had an effect.
    pub(super) fn rolls(&mut self, fault: Fault) -> bool {
        let chance = self.plan.chance_ppm(fault);
        let since = Duration::from_nanos(self.inner.now().since(self.start));
        if chance == 0 || self.is_held || !self.plan.is_in_time(fault, since) {
            return false;
        }
        self.random.bits() % 1_000_000 < u64::from(chance)
    }

    pub(super) fn struck(&mut self, fault: Fault) {
        self.counts.count(fault);
    }

    /// A market time between the two many milliseconds from now.
    pub(super) fn later(&mut self, least_ms: u64, most_ms: u64) -> TsNs {
        let ms = least_ms + self.random.bits() % (most_ms - least_ms).max(1);
        TsNs(self.inner.now().0.saturating_add(ms * 1_000_000))
    }

    /// Any connection that serves a lane; any at all with none.
    fn any_conn(&mut self, lane: Option<Lane>) -> Option<ConnId> {
        let count = self.lanes.values().filter(|of| lane.is_none_or(|lane| lane == **of)).count();
        let nth = self.random.bits() as usize % count.max(1);
        self.lanes
            .iter()
            .filter(|(_, of)| lane.is_none_or(|lane| lane == **of))
            .map(|(conn, _)| *conn)
            .nth(nth)
    }

    /// What begins by itself.
    fn on_beat(&mut self) {
        self.beats += 1;
        if self.rolls(Fault::Clog)
            && let Some(conn) = self.any_conn(None)
        {
            let until = self.later(50, 5_000);
            self.out.hold(conn, Hold::All, until);
            self.struck(Fault::Clog);
        }
        if self.rolls(Fault::Mute)
            && let Some(conn) = self.any_conn(Some(Lane::Market))
        {
            let until = self.later(5_000, 30_000);
            self.out.mute(conn, until);
            self.struck(Fault::Mute);
        }
        if self.rolls(Fault::Maintenance) {
            self.begin_maintenance();
        }
        if self.rolls(Fault::LoggedOut)
            && let Some(conn) = self.any_conn(Some(Lane::Orders))
            && self.inner.announce_end(conn, Farewell::LoggedOut)
        {
            self.struck(Fault::LoggedOut);
        }
        if self.rolls(Fault::Shutdown)
            && let Some(conn) = self.any_conn(None)
            && self.inner.announce_end(conn, Farewell::Shutdown)
        {
            self.ending.push((TsNs(self.inner.now().0 + NOTICE_NS), conn));
            self.struck(Fault::Shutdown);
        }
        if self.rolls(Fault::PartFill) {
            let share = self.share_ppm(100_000, 900_000);
            if self.inner.fill_resting(None, share) {
                self.struck(Fault::PartFill);
            }
        }
        if self.beats.is_multiple_of(PICTURE_BEATS) && self.plan.chance_ppm(Fault::StaleSnapshot) > 0 {
            self.take_picture();
        }
    }

    pub(super) fn share_ppm(&mut self, least: u32, most: u32) -> u32 {
        least + (self.random.bits() % u64::from((most - least).max(1))) as u32
    }

    fn begin_maintenance(&mut self) {
        let until = self.later(1_000, 10_000);
        self.trouble = Some(Trouble { status: 503, until, is_told_when: false, told_at: [None; 3] });
        self.struck(Fault::Maintenance);
        if self.random.chance(0.5) {
            for conn in self.lanes.keys() {
                self.out.push(*conn, Frame::Close);
            }
        }
    }

    fn end_what_was_announced(&mut self) {
        let now = self.inner.now();
        let (over, waiting) = self.ending.iter().partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.ending = waiting;
        for (_, conn) in over {
            self.out.push(conn, Frame::Close);
        }
    }

    /// Takes over what the venue has queued.
    pub(super) fn sift(&mut self) {
        while let Some((conn, frame)) = self.inner.pop_frame() {
            self.sift_one(conn, frame);
        }
    }
}

impl Dialect for FaultyVenue {
    fn set_tick(&mut self, tick: Duration) {
        self.inner.set_tick(tick);
    }

    fn now(&self) -> TsNs {
        self.inner.now()
    }

    fn next_due(&self) -> TsNs {
        self.inner.next_due()
    }

    fn is_market_over(&self) -> bool {
        self.inner.is_market_over()
    }

    fn set_now(&mut self, now: TsNs) {
        self.inner.set_now(now);
    }

    fn step(&mut self) -> bool {
        let is_tick = self.inner.step();
        self.sift();
        let beat = self.inner.now().0 / BEAT_NS;
        if beat > self.last_beat {
            self.last_beat = beat;
            self.on_beat();
            self.sift();
            self.end_what_was_announced();
        }
        self.out.release(self.inner.now());
        is_tick
    }

    fn open(&mut self, conn: ConnId, target: &str) -> Option<WsRules> {
        self.open_with(conn, target, &[])
    }

    fn open_with(&mut self, conn: ConnId, target: &str, headers: &[(String, String)]) -> Option<WsRules> {
        if let Some(status) = self.refuses_upgrade() {
            self.refused_upgrade = status;
            return None;
        }
        self.refused_upgrade = self.inner.refused_upgrade();
        let rules = self.inner.open_with(conn, target, headers)?;
        self.lanes.insert(conn, self.inner.lane(target));
        self.sift();
        Some(rules)
    }

    fn on_text(&mut self, conn: ConnId, text: &str) {
        self.meet_text(conn, text);
    }

    fn on_http(&mut self, conn: ConnId, request: &HttpRequest) {
        self.meet_http(conn, request);
    }

    fn refusal(&self, status: u16) -> Vec<u8> {
        self.inner.refusal(status)
    }

    fn close(&mut self, conn: ConnId) {
        self.inner.close(conn);
        self.lanes.remove(&conn);
        self.lines.remove(&conn);
        self.out.forget(conn);
        self.ending.retain(|(_, ending)| *ending != conn);
    }

    fn pop_frame(&mut self) -> Option<(ConnId, Frame)> {
        self.out.pop()
    }

    fn orders_seen(&self) -> &[SeenOrder] {
        self.inner.orders_seen()
    }

    fn take_unaudited(&mut self) -> &[SeenOrder] {
        self.inner.take_unaudited()
    }

    fn summary(&self) -> Summary {
        self.inner.summary()
    }

    fn stage(&mut self, deed: &Deed) -> bool {
        let is_done = self.inner.stage(deed);
        self.sift();
        is_done
    }

    fn truth(&self, account: usize) -> Truth {
        self.inner.truth(account)
    }

    fn lane(&self, target: &str) -> Lane {
        self.inner.lane(target)
    }

    fn said(&self, text: &str) -> Said {
        self.inner.said(text)
    }

    fn asked(&self, request: Request<'_>) -> Asked {
        self.inner.asked(request)
    }

    fn connections_per_second(&self) -> Option<u32> {
        self.inner.connections_per_second()
    }

    fn handshake_delay(&mut self) -> Duration {
        if !self.rolls(Fault::SlowHandshake) {
            return Duration::ZERO;
        }
        self.struck(Fault::SlowHandshake);
        // Now and then longer than any client waits.
        Duration::from_millis(if self.random.chance(0.2) { 12_000 } else { 100 + self.random.bits() % 3_000 })
    }

    fn refused_upgrade(&self) -> u16 {
        self.refused_upgrade
    }

    fn hold_faults(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    fn faults(&self) -> Option<&Counts> {
        Some(&self.counts)
    }
}
