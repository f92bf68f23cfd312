//! Levels that the calendar draws: previous periods and sessions together, and their last sweeps.
//!
//! Pure; see `periods.rs` and `sessions.rs` for the rules and the costs. One struct with two hooks per bar:
//! [`CalendarLevels::open`] first of all, [`CalendarLevels::take`] where levels are swept.

use super::params::{Periods, SmcParams};
use super::periods::PeriodLevels;
use super::sessions::Sessions;
use super::snapshot;
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::calendar::Calendar;
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
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
    /// Something is kept at all.
    is_kept: bool,
}

impl CalendarLevels {
    pub fn new(params: &SmcParams, calendar: &Calendar) -> Self {
        Self {
            periods: PeriodLevels::new(params, &calendar.roll),
            sessions: Sessions::new(calendar),
            sweeps: LevelSweeps::default(),
            is_kept: params.periods != Periods::default() || !calendar.sessions.is_empty(),
        }
    }

    /// A bar opens: periods roll, sessions close and open.
    #[inline]
    pub fn open<F: FnMut(Structure)>(&mut self, ts: TsNs, candle: &Candle, say: &mut Say<'_, F>) {
        if self.is_kept {
            self.periods.open(ts, candle, say);
            self.sessions.open(ts, candle, say);
        }
    }

    /// The bar's high and low: they run on and may take levels.
    #[inline]
    pub fn take<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        if self.is_kept {
            self.periods.take(seen, &mut self.sweeps, say);
            self.sessions.take(seen, &mut self.sweeps, say);
        }
    }

    pub const fn last_sweep(&self, direction: Direction) -> Option<LevelSweep> {
        *self.sweeps.last.of(direction)
    }
}

impl CalendarLevels {
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.periods.state(io, count)?;
        self.sessions.state(io, count)?;
        self.sweeps.state(io, count)
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

impl LevelSweeps {
    fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        for direction in [Direction::Up, Direction::Down] {
            let nothing =
                LevelSweep { id: 0, code: 0, direction, level: Price(0), extreme: Price(0), known_bar: 0 };
            io.option(
                self.last.of_mut(direction),
                || nothing,
                |io, sweep| {
                    io.number(&mut sweep.id)?;
                    io.number(&mut sweep.code)?;
                    snapshot::price(io, &mut sweep.level.0)?;
                    snapshot::price(io, &mut sweep.extreme.0)?;
                    snapshot::bar(io, &mut sweep.known_bar, count)
                },
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{OffsetStep, Roll, SessionWindow, ZoneOffsets};
    use crate::output::Scope;
    use crate::smc::params::Periods;
    use crate::smc::{IdSource, PeriodKind};
    use crate::state::State;
    use crate::words::{InstrumentId, Name, Timeframe};
    use alloc::vec;
    use alloc::vec::Vec;

    const HOUR_NS: u64 = 3_600_000_000_000;

    /// A zone whose clocks change three times within the bars of these tests.
    fn calendar() -> Calendar {
        let step = |hour, offset_secs| OffsetStep { since: TsNs(hour * HOUR_NS), offset_secs };
        let offsets =
            ZoneOffsets::new(&[step(0, 3_600), step(300, 7_200), step(711, 3_600), step(900, -1_800)]);
        let window = |start_secs, end_secs| SessionWindow {
            name: Name::default(),
            offsets: offsets.clone().unwrap(),
            start_secs,
            end_secs,
        };
        let sessions = vec![window(3_600, 36_000), window(72_000, 7_200), window(0, 0), window(5_400, 9_000)];
        Calendar { roll: Roll { offsets: offsets.clone().unwrap(), at_secs: 17 * 3_600 }, sessions }
    }

    /// Bars are not counted here.
    impl State for CalendarLevels {
        fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
            CalendarLevels::state(self, io, u32::MAX)
        }
    }

    fn levels() -> CalendarLevels {
        let periods = Periods { minutes: 240, ..Periods::CALENDAR };
        CalendarLevels::new(&SmcParams { periods, ..SmcParams::default() }, &calendar())
    }

    fn candles() -> Vec<(TsNs, Candle)> {
        let (mut random, mut close, mut ts) = (3u64, 0i64, 0u64);
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        (0..1_500)
            .map(|_| {
                ts += (1 + if next(40) == 0 { next(90) } else { 0 }) * HOUR_NS / 2;
                let open = close;
                close += next(21) as i64 - 10;
                let (high, low) = (open.max(close) + next(8) as i64, open.min(close) - next(8) as i64);
                (TsNs(ts), Candle { open, high, low, close, ..Candle::default() })
            })
            .collect()
    }

    fn run(
        levels: &mut CalendarLevels,
        candles: &[(TsNs, Candle)],
        known: usize,
        ids: &mut IdSource,
    ) -> Vec<Structure> {
        let mut said = vec![];
        for (at, (ts, candle)) in candles.iter().enumerate() {
            let seen = Sides::new(|direction| candle.seen_from(direction));
            let mut say = Say {
                instrument: InstrumentId(0),
                timeframe: Timeframe::from_secs(1_800).unwrap(),
                known: (known + at) as u32,
                scope: Scope::Swing,
                ids,
                emit: &mut |fact| said.push(fact),
            };
            levels.open(*ts, &seen.up, &mut say);
            levels.take(&seen, &mut say);
        }
        said
    }

    #[test]
    fn a_loaded_state_goes_on_as_if_nothing_had_happened() {
        let candles = candles();
        let whole = run(&mut levels(), &candles, 0, &mut IdSource::new());
        assert!(whole.len() > 500 && whole.iter().any(|fact| fact.value >= SESSION_CODE));
        for cut in (0..candles.len()).step_by(13) {
            let (mut before, mut after, mut ids) = (levels(), levels(), IdSource::new());
            let mut said = run(&mut before, &candles[..cut], 0, &mut ids);
            let mut bytes = vec![];
            StateIo::save(&mut before, &mut bytes);
            assert_eq!(StateIo::load(&mut after, &bytes), Ok(()));
            let mut again = vec![];
            StateIo::save(&mut after, &mut again);
            assert_eq!(again, bytes);
            for direction in [Direction::Up, Direction::Down] {
                assert_eq!(after.last_sweep(direction), before.last_sweep(direction));
            }
            assert_eq!(after.periods.previous(PeriodKind::Day), before.periods.previous(PeriodKind::Day));
            said.extend(run(&mut after, &candles[cut..], cut, &mut ids));
            assert_eq!(said, whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_broken_state_is_refused_or_harmless() {
        let candles = candles();
        let (mut before, mut ids) = (levels(), IdSource::new());
        run(&mut before, &candles[..700], 0, &mut ids);
        let mut bytes = vec![];
        StateIo::save(&mut before, &mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(StateIo::load(&mut levels(), &bytes[..len]), Err(StateError::Short { at: len }));
        }
        let mut refused = 0;
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xFF] {
                let mut broken = bytes.clone();
                broken[at] ^= flip;
                let mut after = levels();
                match StateIo::load(&mut after, &broken) {
                    Ok(()) => drop(run(&mut after, &candles[700..900], 700, &mut ids.clone())),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 20, "{refused}");
    }
}
