//! Previous highs and lows: of the day, the week, the month, or of buckets of some minutes (PDH, PDL and
//! kin).
//!
//! Pure; a bar inside its periods costs one comparison with the next boundary and four per period, a roll a
//! few steps more; no allocation. A bar belongs to the period of its open time. Days begin where the
//! calendar's [`Roll`] says, weeks with Monday's day, months with the day of the first; minute buckets are
//! counted from the epoch in UTC. Local times are those of [`WallClock`]: a roll that clocks leap over is
//! at the leap, of two equal ones the first counts. Periods without a bar are skipped: Friday is the day
//! before Monday.
//!
//! * `PeriodRolled {id, bar = known = first bar of the new period, top / bottom = high and low of the one
//!   before, extra = code, direction Up}`: the first bar of a new period, before anything else is said
//!   about the bar. Not said while there is no period before. The id stands for this pair of levels.
//! * `PeriodLevelBroken {id, direction = side, bar = first bar of the period, top = bottom = level, extra =
//!   code}`: the first bar with `high > level` (`low < level`), once per side; the first bar of the period
//!   may be it.
//! * `LevelSwept {id, direction, bar, top, bottom, extra = depth beyond the level, value = code}`: after
//!   it, when that bar closed back at or inside the level.
//!
//! Codes: 1 day, 2 week, 3 month, 4 minutes; several at one bar speak in this order, each high before low.

use alloc::boxed::Box;

use super::levels::LevelSweeps;
use super::params::{Periods, SmcParams};
use super::snapshot::{self, sound};
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::calendar::{DAY_SECS, Roll, WallClock, month_of, week_of};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price, TsNs};

/// Which period; the numbers are the events' codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PeriodKind {
    /// From roll to roll.
    Day = 1,
    /// From Monday's roll.
    Week = 2,
    /// From the roll of the first.
    Month = 3,
    /// So many minutes, counted from the epoch.
    Minutes = 4,
}

impl PeriodKind {
    const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Minutes];
}

/// High and low of the period before the running one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousPeriod {
    /// Its object id.
    pub id: u32,
    /// First bar of the running period.
    pub bar: u32,
    /// The high.
    pub high: Price,
    /// The low.
    pub low: Price,
    /// The running period has been above the high.
    pub is_high_broken: bool,
    /// The running period has been below the low.
    pub is_low_broken: bool,
}

/// Running and previous periods of one engine.
pub(super) struct PeriodLevels {
    /// Those that are kept, in the order of their codes.
    kept: Box<[Period]>,
    roll_shift_secs: i64,
    clock: WallClock,
    bucket_ns: u64,
    /// The first instant at which any kept period may roll. A cache: 0 after loading.
    next: TsNs,
}

/// One period as it runs.
struct Period {
    kind: PeriodKind,
    /// Its number; periods only ever go up.
    label: Option<i64>,
    /// Greatest high and greatest mirrored low so far.
    extremes: Sides<i64>,
    /// The unbroken levels of the period before, as their sides see them; [`NEVER`] where there is none.
    watched: Sides<i64>,
    previous: Option<PreviousPeriod>,
}

/// A level that no price exceeds.
const NEVER: i64 = i64::MAX;

impl PeriodLevels {
    pub fn new(params: &SmcParams, roll: &Roll) -> Self {
        let Periods { day, week, month, minutes } = params.periods;
        let is_kept = [day, week, month, minutes > 0];
        let kinds = PeriodKind::ALL.into_iter().zip(is_kept).filter(|(_, is_kept)| *is_kept);
        let kept: Box<[Period]> = kinds.map(|(kind, _)| Period::unborn(kind)).collect();
        Self {
            roll_shift_secs: roll.shift_secs(),
            clock: WallClock::new(&roll.offsets),
            bucket_ns: u64::from(minutes) * 60 * 1_000_000_000,
            next: TsNs(if kept.is_empty() { u64::MAX } else { 0 }),
            kept,
        }
    }

    /// A bar opens: periods that are over roll.
    #[inline]
    pub fn open<F: FnMut(Structure)>(&mut self, ts: TsNs, candle: &Candle, say: &mut Say<'_, F>) {
        if self.next <= ts {
            self.roll(ts, candle, say);
        }
    }

    /// Highs and lows run on, and the levels before them are tested.
    #[inline]
    pub fn take<F: FnMut(Structure)>(
        &mut self,
        seen: &Sides<Candle>,
        sweeps: &mut LevelSweeps,
        say: &mut Say<'_, F>,
    ) {
        for period in &mut self.kept {
            period.extremes.up = period.extremes.up.max(seen.up.high);
            period.extremes.down = period.extremes.down.max(seen.down.high);
            if period.watched.up < seen.up.high {
                period.tell_broken(Direction::Up, &seen.up, sweeps, say);
            }
            if period.watched.down < seen.down.high {
                period.tell_broken(Direction::Down, &seen.down, sweeps, say);
            }
        }
    }

    pub fn previous(&self, kind: PeriodKind) -> Option<PreviousPeriod> {
        self.kept.iter().find(|period| period.kind == kind)?.previous
    }

    #[inline(never)]
    fn roll<F: FnMut(Structure)>(&mut self, ts: TsNs, candle: &Candle, say: &mut Say<'_, F>) {
        let local_secs = self.clock.read(ts) + self.roll_shift_secs;
        let day = local_secs.div_euclid(i64::from(DAY_SECS));
        let bucket = ts.0.checked_div(self.bucket_ns).unwrap_or(0);
        // Fewer than 2^63 buckets of a minute fit.
        let labels = [day, week_of(day), month_of(day), bucket as i64];
        self.next = TsNs(u64::MAX);
        for period in &mut self.kept {
            let label = labels[period.kind as usize - 1];
            if period.label.is_none_or(|before| before < label) {
                period.begin(label, candle, say);
            }
            // Weeks and months begin with a day, so the next day is soon enough for all three.
            let next = match period.kind {
                PeriodKind::Minutes => TsNs((bucket + 1).saturating_mul(self.bucket_ns)),
                _ => self.clock.when((day + 1) * i64::from(DAY_SECS) - self.roll_shift_secs),
            };
            self.next = self.next.min(next);
        }
    }
}

impl Period {
    const fn unborn(kind: PeriodKind) -> Self {
        Self {
            kind,
            label: None,
            extremes: Sides { up: 0, down: 0 },
            watched: Sides { up: NEVER, down: NEVER },
            previous: None,
        }
    }

    fn begin<F: FnMut(Structure)>(&mut self, label: i64, candle: &Candle, say: &mut Say<'_, F>) {
        if self.label.replace(label).is_some() {
            let (id, bar) = (say.new_id(), say.known);
            let (high, low) = (self.extremes.up, -self.extremes.down);
            self.watched = self.extremes;
            self.previous = Some(PreviousPeriod {
                id,
                bar,
                high: Price(high),
                low: Price(low),
                is_high_broken: false,
                is_low_broken: false,
            });
            let extra = self.kind as i64;
            let kind = StructureKind::PeriodRolled;
            say.fact(
                Direction::Up,
                Fact { kind, id, cause_id: 0, bar, top: high, bottom: low, extra, value: 0 },
            );
        }
        self.extremes = Sides { up: candle.high, down: -candle.low };
    }

    #[inline(never)]
    fn tell_broken<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        candle: &Candle,
        sweeps: &mut LevelSweeps,
        say: &mut Say<'_, F>,
    ) {
        let level = core::mem::replace(self.watched.of_mut(direction), NEVER);
        let Some(previous) = &mut self.previous else { return };
        match direction {
            Direction::Up => previous.is_high_broken = true,
            Direction::Down => previous.is_low_broken = true,
        }
        let PreviousPeriod { id, bar, .. } = *previous;
        let fact = Fact {
            kind: StructureKind::PeriodLevelBroken,
            id,
            cause_id: 0,
            bar,
            top: level,
            bottom: level,
            extra: self.kind as i64,
            value: 0,
        };
        say.fact(direction, fact);
        if candle.close <= level {
            sweeps.tell(direction, id, self.kind as i64, bar, level, candle, say);
        }
    }
}

impl PeriodLevels {
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.kept.iter_mut().try_for_each(|period| period.state(io, count))?;
        if io.is_loading() && !self.kept.is_empty() {
            self.next = TsNs(0);
        }
        Ok(())
    }
}

impl Period {
    fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        io.option(&mut self.label, || 0, |io, label| io.number(label))?;
        snapshot::price(io, &mut self.extremes.up)?;
        snapshot::price(io, &mut self.extremes.down)?;
        let nothing = PreviousPeriod {
            id: 0,
            bar: 0,
            high: Price(0),
            low: Price(0),
            is_high_broken: false,
            is_low_broken: false,
        };
        io.option(
            &mut self.previous,
            || nothing,
            |io, previous| {
                io.number(&mut previous.id)?;
                snapshot::bar(io, &mut previous.bar, count)?;
                snapshot::price(io, &mut previous.high.0)?;
                snapshot::price(io, &mut previous.low.0)?;
                io.flag(&mut previous.is_high_broken)?;
                io.flag(&mut previous.is_low_broken)
            },
        )?;
        self.check(io)
    }

    /// After loading: the levels make sense, and what is derived from them is made again.
    fn check(&mut self, io: &StateIo<'_>) -> Result<(), StateError> {
        if !io.is_loading() {
            return Ok(());
        }
        let mut is_sound = -self.extremes.down <= self.extremes.up;
        self.watched = Sides { up: NEVER, down: NEVER };
        if let Some(previous) = &self.previous {
            is_sound &= self.label.is_some() && previous.id > 0 && previous.low <= previous.high;
            if !previous.is_high_broken {
                self.watched.up = previous.high.0;
            }
            if !previous.is_low_broken {
                self.watched.down = seen_from(Direction::Down, previous.low.0);
            }
        }
        sound(io, is_sound)
    }
}
