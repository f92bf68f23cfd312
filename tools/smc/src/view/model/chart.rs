//! One timeframe of one instrument: the last bars, the zones and pools that are open, the breaks and sweeps.
//!
//! Bars are numbered as the engine numbers them: a structure says which bar its news is from, and that
//! is the last bar closed, so numbers stay right even when a reader joined late.

use smc_core::event::Bar;
use smc_core::output::{Scope, Structure, StructureKind};
use smc_core::words::{Direction, Price, Timeframe, TsNs};
use std::collections::VecDeque;

/// Closed bars kept.
const BARS_MAX: usize = 400;
/// Open zones kept, and pools.
const ZONES_MAX: usize = 512;
/// Breaks and sweeps kept.
const MARKS_MAX: usize = 96;

/// One timeframe.
pub struct Chart {
    /// Length of its bars.
    pub timeframe: Timeframe,
    /// Closed bars, oldest first.
    pub bars: VecDeque<Candle>,
    /// Number of the bar that closes next.
    pub next_bar: i64,
    /// The bar that is still moving.
    pub forming: Option<Candle>,
    /// Order blocks and gaps that are open, oldest first.
    pub zones: VecDeque<Zone>,
    /// Pools nobody has taken yet, oldest first.
    pub pools: VecDeque<Pool>,
    /// Breaks and sweeps, oldest first.
    pub marks: VecDeque<Mark>,
    /// Direction of the last break.
    pub bias: Option<Direction>,
}

/// A bar as it is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// Start of its bucket.
    pub open_ts: TsNs,
    /// First price.
    pub open: Price,
    /// Highest.
    pub high: Price,
    /// Lowest.
    pub low: Price,
    /// Last.
    pub close: Price,
}

/// What a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneKind {
    /// Order block.
    OrderBlock,
    /// Fair value gap.
    Gap,
}

/// A zone that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its object.
    pub id: u32,
    /// What it is.
    pub kind: ZoneKind,
    /// As it was born.
    pub direction: Direction,
    /// Tested or mitigated.
    pub is_touched: bool,
    /// A breaker or an inverted gap: it speaks for the other side now.
    pub is_flipped: bool,
    /// Upper edge.
    pub top: Price,
    /// Lower edge.
    pub bottom: Price,
    /// The bar it stands on.
    pub bar: i64,
}

/// Equal highs or lows that nobody has taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its object.
    pub id: u32,
    /// `Up` at the highs.
    pub direction: Direction,
    /// The first member's price.
    pub level: Price,
    /// Pivots in it.
    pub members: i64,
    /// Bar of the first member.
    pub bar: i64,
}

/// Something that happened between two bars at one level: a break or a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// `Bos`, `Choch`, `LevelSwept`, `PoolSwept`, `PoolRun`.
    pub kind: StructureKind,
    /// `Up`: through highs.
    pub direction: Direction,
    /// The level.
    pub level: Price,
    /// Where the level comes from.
    pub from_bar: i64,
    /// The bar that did it.
    pub bar: i64,
}

impl Chart {
    /// Nothing known yet.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self {
            timeframe,
            bars: VecDeque::new(),
            next_bar: 0,
            forming: None,
            zones: VecDeque::new(),
            pools: VecDeque::new(),
            marks: VecDeque::new(),
            bias: None,
        }
    }

    /// A trade moves the bar that is forming.
    pub fn on_trade(&mut self, ts: TsNs, price: Price) {
        let open_ts = self.timeframe.open_of(ts);
        if self.bars.back().is_some_and(|last| open_ts <= last.open_ts) {
            return;
        }
        match &mut self.forming {
            Some(candle) if candle.open_ts == open_ts => {
                candle.high = candle.high.max(price);
                candle.low = candle.low.min(price);
                candle.close = price;
            }
            Some(candle) if open_ts < candle.open_ts => {}
            forming => {
                *forming = Some(Candle { open_ts, open: price, high: price, low: price, close: price })
            }
        }
    }

    /// The engine closed a bar: its word replaces ours.
    pub fn on_bar_closed(&mut self, bar: &Bar) {
        let &Bar { open_ts, open, high, low, close, .. } = bar;
        push_bounded(&mut self.bars, BARS_MAX, Candle { open_ts, open, high, low, close });
        self.next_bar = self.next_bar.saturating_add(1);
        self.forming = self.forming.filter(|candle| candle.open_ts > open_ts);
    }

    /// The engine told something about the bar it has just closed.
    pub fn on_structure(&mut self, structure: &Structure) {
        use StructureKind as Kind;
        self.next_bar = i64::from(structure.known_bar) + 1;
        // A screen of characters has room for one scope.
        if structure.scope == Scope::Internal {
            return;
        }
        match structure.kind {
            Kind::Bos | Kind::Choch | Kind::Mss => {
                self.bias = Some(structure.direction);
                self.mark(structure, structure.top);
            }
            Kind::FvgCreated => self.open_zone(structure, ZoneKind::Gap),
            Kind::FvgJoined => {
                self.drop_object(structure.cause_id);
                self.open_zone(structure, ZoneKind::Gap);
            }
            Kind::ObCreated => self.open_zone(structure, ZoneKind::OrderBlock),
            Kind::FvgMitigated | Kind::ObTested => {
                self.with_zone(structure.id, |zone| zone.is_touched = true)
            }
            Kind::FvgInverted | Kind::ObBroken => self.with_zone(structure.id, |zone| {
                zone.is_touched = true;
                zone.is_flipped = true;
            }),
            Kind::IfvgInvalidated | Kind::BreakerInvalidated => self.drop_object(structure.id),
            Kind::PoolFormed | Kind::PoolExtended => self.pool(structure),
            Kind::PoolSwept | Kind::PoolRun => {
                self.drop_object(structure.id);
                self.mark(structure, middle(structure));
            }
            Kind::LevelSwept => self.mark(structure, structure.top),
            Kind::Expired => self.drop_object(structure.id),
            Kind::PivotConfirmed
            | Kind::SwingStarted
            | Kind::SwingExtended
            | Kind::SwingLocked
            | Kind::PatternConfirmed
            | Kind::PatternBroken
            | Kind::PatternSuperseded
            | Kind::PeriodRolled
            | Kind::PeriodLevelBroken
            | Kind::SessionOpened
            | Kind::SessionClosed
            | Kind::RangeChanged
            | Kind::ZoneChanged
            | Kind::OteEntered
            | Kind::OteLeft
            | Kind::RetracementReached
            | Kind::InputRejected => {}
        }
    }

    /// Open zones of a kind: those in their first role, and those that changed sides.
    pub fn zone_counts(&self, kind: ZoneKind) -> (usize, usize) {
        let of_kind = self.zones.iter().filter(|zone| zone.kind == kind);
        of_kind.fold((0, 0), |(first, flipped), zone| match zone.is_flipped {
            false => (first + 1, flipped),
            true => (first, flipped + 1),
        })
    }

    fn open_zone(&mut self, structure: &Structure, kind: ZoneKind) {
        let zone = Zone {
            id: structure.id,
            kind,
            direction: structure.direction,
            is_touched: false,
            is_flipped: false,
            top: structure.top.max(structure.bottom),
            bottom: structure.top.min(structure.bottom),
            bar: i64::from(structure.bar),
        };
        push_bounded(&mut self.zones, ZONES_MAX, zone);
    }

    fn with_zone(&mut self, id: u32, change: impl FnOnce(&mut Zone)) {
        if let Some(zone) = self.zones.iter_mut().find(|zone| zone.id == id) {
            change(zone);
        }
    }

    fn pool(&mut self, structure: &Structure) {
        let pool = Pool {
            id: structure.id,
            direction: structure.direction,
            level: middle(structure),
            members: structure.extra,
            bar: i64::from(structure.bar),
        };
        match self.pools.iter_mut().find(|known| known.id == pool.id) {
            Some(known) => *known = pool,
            None => push_bounded(&mut self.pools, ZONES_MAX, pool),
        }
    }

    fn drop_object(&mut self, id: u32) {
        self.zones.retain(|zone| zone.id != id);
        self.pools.retain(|pool| pool.id != id);
    }

    fn mark(&mut self, structure: &Structure, level: Price) {
        let mark = Mark {
            kind: structure.kind,
            direction: structure.direction,
            level,
            from_bar: i64::from(structure.bar),
            bar: i64::from(structure.known_bar),
        };
        push_bounded(&mut self.marks, MARKS_MAX, mark);
    }
}

/// A pool's edges lie as far above its first member as below it.
const fn middle(structure: &Structure) -> Price {
    Price(structure.bottom.0.saturating_add(structure.top.0.saturating_sub(structure.bottom.0) / 2))
}

/// Appends; the oldest leaves when full.
pub(super) fn push_bounded<T>(list: &mut VecDeque<T>, max: usize, item: T) {
    if list.len() >= max {
        list.pop_front();
    }
    list.push_back(item);
}
