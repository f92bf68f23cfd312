//! Events of one timeframe folded into things with a beginning and an end.

use crate::live::{Event, What};
use smc_core::event::Bar;
use smc_core::output::{Scope, Structure, StructureKind};
use smc_core::words::{Direction, Price, Timeframe};
use std::collections::HashMap;

/// Everything that may be drawn of one timeframe.
pub struct Scene {
    pub(super) timeframe: Timeframe,
    pub(super) bars: Vec<Bar>,
    pub(super) zones: Vec<Zone>,
    pub(super) breaks: Vec<Break>,
    pub(super) swings: Vec<Swing>,
    pub(super) pools: Vec<Pool>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) periods: Vec<Period>,
    pub(super) sessions: Vec<Session>,
    pub(super) ranges: Vec<Range>,
    zone_by_id: HashMap<u32, usize>,
    pool_by_id: HashMap<u32, usize>,
}

/// A gap or an order block.
pub(super) struct Zone {
    pub is_gap: bool,
    pub scope: Scope,
    pub direction: Direction,
    pub top: f64,
    pub bottom: f64,
    /// Its own bar; `known` is when it could first be drawn.
    pub bar: u32,
    pub known: u32,
    pub touched: Option<u32>,
    pub flipped: Option<u32>,
    pub ended: Option<u32>,
}

/// A structure break: from the bar of the level to the bar that broke it.
pub(super) struct Break {
    pub kind: StructureKind,
    pub scope: Scope,
    pub direction: Direction,
    pub level: f64,
    pub bar: u32,
    pub known: u32,
}

pub(super) struct Swing {
    pub direction: Direction,
    pub price: f64,
    pub bar: u32,
    pub known: u32,
    pub label: &'static str,
}

/// Equal highs or lows.
pub(super) struct Pool {
    pub direction: Direction,
    pub level: f64,
    pub bar: u32,
    pub known: u32,
    pub members: i64,
    pub ended: Option<(u32, StructureKind)>,
}

/// A single level taken and left.
pub(super) struct Sweep {
    pub direction: Direction,
    pub level: f64,
    pub bar: u32,
    pub known: u32,
    /// A pivot's, rather than a period's or session's.
    pub is_pivot: bool,
}

/// High and low of the period before, from its first bar on until the next one.
pub(super) struct Period {
    pub code: i64,
    pub high: f64,
    pub low: f64,
    pub from: u32,
    pub until: Option<u32>,
}

pub(super) struct Session {
    pub index: i64,
    pub from: u32,
    /// First bar outside.
    pub until: Option<u32>,
}

/// The dealing range from a bar on.
pub(super) struct Range {
    pub top: f64,
    pub bottom: f64,
    pub from: u32,
}

/// For drawing only: nothing is decided by it.
pub(super) fn float(price: Price) -> f64 {
    price.0 as f64 / 1e8
}

impl Scene {
    /// Nothing yet.
    pub fn new(timeframe: Timeframe) -> Self {
        Self {
            timeframe,
            bars: Vec::new(),
            zones: Vec::new(),
            breaks: Vec::new(),
            swings: Vec::new(),
            pools: Vec::new(),
            sweeps: Vec::new(),
            periods: Vec::new(),
            sessions: Vec::new(),
            ranges: Vec::new(),
            zone_by_id: HashMap::new(),
            pool_by_id: HashMap::new(),
        }
    }

    /// Takes a closed bar; those of other timeframes do not belong here.
    pub fn on_bar(&mut self, timeframe: Timeframe, bar: &Bar) {
        if timeframe == self.timeframe {
            self.bars.push(*bar);
        }
    }

    /// The bars so far.
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// Takes what was said; other timeframes and rejections do not belong here.
    pub fn on_event(&mut self, event: &Event) {
        use StructureKind as Kind;
        let What::Structure(s) = &event.what else { return };
        if event.timeframe != self.timeframe {
            return;
        }
        let Structure { direction, bar, known_bar: known, scope, extra, value, .. } = *s;
        let (top, bottom) = (float(s.top), float(s.bottom));
        match s.kind {
            Kind::FvgCreated | Kind::FvgJoined | Kind::ObCreated => {
                if s.kind == Kind::FvgJoined
                    && let Some(joined) = self.zone(s.cause_id)
                {
                    joined.ended.get_or_insert(known);
                }
                self.zone_by_id.insert(s.id, self.zones.len());
                let is_gap = s.kind != Kind::ObCreated;
                let (touched, flipped, ended) = (None, None, None);
                self.zones.push(Zone {
                    is_gap,
                    scope,
                    direction,
                    top,
                    bottom,
                    bar,
                    known,
                    touched,
                    flipped,
                    ended,
                });
            }
            Kind::FvgMitigated | Kind::ObTested => {
                self.zone(s.id).map(|zone| zone.touched.get_or_insert(known));
            }
            Kind::FvgInverted | Kind::ObBroken => {
                self.zone(s.id).map(|zone| zone.flipped.get_or_insert(known));
            }
            Kind::IfvgInvalidated | Kind::BreakerInvalidated => {
                self.zone(s.id).map(|zone| zone.ended.get_or_insert(known));
            }
            Kind::Expired => {
                self.zone(s.id).map(|zone| zone.ended.get_or_insert(known));
                self.pool(s.id).map(|pool| pool.ended.get_or_insert((known, s.kind)));
            }
            Kind::Bos | Kind::Choch | Kind::Mss => {
                self.breaks.push(Break { kind: s.kind, scope, direction, level: top, bar, known });
            }
            Kind::SwingLocked if scope == Scope::Swing => {
                let label = crate::json::label(extra).unwrap_or("");
                self.swings.push(Swing { direction, price: top, bar, known, label });
            }
            Kind::PoolFormed => {
                self.pool_by_id.insert(s.id, self.pools.len());
                let level = pool_level(s);
                self.pools.push(Pool { direction, level, bar, known, members: extra, ended: None });
            }
            Kind::PoolExtended => {
                let level = pool_level(s);
                if let Some(pool) = self.pool(s.id) {
                    (pool.level, pool.members) = (level, extra);
                }
            }
            Kind::PoolSwept | Kind::PoolRun => {
                self.pool(s.id).map(|pool| pool.ended.get_or_insert((known, s.kind)));
            }
            Kind::LevelSwept => {
                self.sweeps.push(Sweep { direction, level: top, bar, known, is_pivot: value == 0 });
            }
            Kind::PeriodRolled => {
                let before = self.periods.iter_mut().rev().find(|period| period.code == extra);
                if let Some(period) = before {
                    period.until = Some(known);
                }
                self.periods.push(Period { code: extra, high: top, low: bottom, from: known, until: None });
            }
            Kind::SessionOpened => self.sessions.push(Session { index: extra, from: known, until: None }),
            Kind::SessionClosed => {
                let open = self.sessions.iter_mut().rev().find(|session| session.index == extra);
                if let Some(session) = open {
                    session.until.get_or_insert(known);
                }
            }
            Kind::RangeChanged => self.ranges.push(Range { top, bottom, from: known }),
            _ => {}
        }
    }

    fn zone(&mut self, id: u32) -> Option<&mut Zone> {
        self.zones.get_mut(*self.zone_by_id.get(&id)?)
    }

    fn pool(&mut self, id: u32) -> Option<&mut Pool> {
        self.pools.get_mut(*self.pool_by_id.get(&id)?)
    }
}

/// The mean of the members; the middle of the band where the event does not say it.
fn pool_level(s: &Structure) -> f64 {
    if s.value == 0 { f64::midpoint(float(s.top), float(s.bottom)) } else { float(Price(s.value)) }
}
