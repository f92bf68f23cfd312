//! Levels that the calendar draws: previous periods and sessions together, and their last sweeps.
//!
//! Pure; see `periods.rs` and `sessions.rs` for the rules and the costs. One struct with two hooks per bar:
//! [`CalendarLevels::open`] first of all, [`CalendarLevels::take`] where levels are swept.

use super::params::SmcParams;
use super::periods::PeriodLevels;
use super::sessions::Sessions;
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::calendar::Calendar;
use crate::output::{Structure, StructureKind};
use crate::state::{State, StateError, StateIo};
use crate::words::{Direction, Price, TsNs};

/// Value of the first session's `LevelSwept`; the session's index is added.
pub(super) const SESSION_CODE: i64 = 16;

/// The last time a previous period's or a session's level was taken and price closed back inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelSweep {
    /// The period or session.
    pub id: u32,
    /// The event's `value`: 1 day, 2 week, 3 month, 4 minutes, 16 + index for a session.
    pub code: i64,
    /// `Up` when a high was taken.
    pub direction: Direction,
    /// The level that was taken.
    pub level: Price,
    /// How far price went: the high of the bar (`Up`) or its low.
    pub extreme: Price,
    /// The bar that did it; known at its close.
    pub known_bar: u32,
}

/// Everything the calendar draws on one chart.
pub(super) struct CalendarLevels {
    pub periods: PeriodLevels,
    pub sessions: Sessions,
    sweeps: LevelSweeps,
}

impl CalendarLevels {
    pub fn new(params: &SmcParams, calendar: &Calendar) -> Self {
        Self {
            periods: PeriodLevels::new(params, &calendar.roll),
            sessions: Sessions::new(calendar),
            sweeps: LevelSweeps::default(),
        }
    }

    /// A bar opens: periods roll, sessions close and open.
    #[inline]
    pub fn open<F: FnMut(Structure)>(&mut self, ts: TsNs, candle: &Candle, say: &mut Say<'_, F>) {
        self.periods.open(ts, candle, say);
        self.sessions.open(ts, candle, say);
    }

    /// The bar's high and low: they run on and may take levels.
    #[inline]
    pub fn take<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        self.periods.take(seen, &mut self.sweeps, say);
        self.sessions.take(seen, &mut self.sweeps, say);
    }

    pub const fn last_sweep(&self, direction: Direction) -> Option<LevelSweep> {
        *self.sweeps.last.of(direction)
    }
}

impl State for CalendarLevels {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        self.periods.state(io)?;
        self.sessions.state(io)?;
        self.sweeps.state(io)
    }
}

/// Says sweeps and remembers the last one of each side; of one bar's, the one said last.
#[derive(Default)]
pub(super) struct LevelSweeps {
    last: Sides<Option<LevelSweep>>,
}

impl LevelSweeps {
    /// `level` and `candle` as the side sees them; `bar` is the level's.
    #[allow(clippy::too_many_arguments, reason = "the fields of one fact")]
    pub fn tell<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        id: u32,
        code: i64,
        bar: u32,
        level: i64,
        candle: &Candle,
        say: &mut Say<'_, F>,
    ) {
        let kind = StructureKind::LevelSwept;
        let extra = candle.high - level;
        say.fact(
            direction,
            Fact { kind, id, cause_id: 0, bar, top: level, bottom: level, extra, value: code },
        );
        *self.last.of_mut(direction) = Some(LevelSweep {
            id,
            code,
            direction,
            level: Price(seen_from(direction, level)),
            extreme: Price(seen_from(direction, candle.high)),
            known_bar: say.known,
        });
    }
}

impl State for LevelSweeps {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        for direction in [Direction::Up, Direction::Down] {
            let nothing =
                LevelSweep { id: 0, code: 0, direction, level: Price(0), extreme: Price(0), known_bar: 0 };
            io.option(
                self.last.of_mut(direction),
                || nothing,
                |io, sweep| {
                    io.number(&mut sweep.id)?;
                    io.number(&mut sweep.code)?;
                    io.number(&mut sweep.level)?;
                    io.number(&mut sweep.extreme)?;
                    io.number(&mut sweep.known_bar)
                },
            )?;
        }
        Ok(())
    }
}
