//! When the confluence strategy may ask for a trade and when it must be out: sessions, trading days, counts.
//!
//! Pure: reads wall clocks from the calendar's tables and the time it is given. A quote costs one comparison
//! with the next instant at which anything could end; a look for a setup costs a few steps per session named.
//! No allocation after the constructor. The windows are those of `smc/sessions.rs`; here they are asked about
//! the time of the decision, there about the open time of a bar.

use crate::calendar::{Calendar, DAY_SECS, SESSIONS_MAX, SessionWindow, WallClock};
use crate::state::{StateError, StateIo};
use crate::strategy::{ConfluenceParams, SessionSet};
use crate::words::{InstrumentId, TsNs};
use alloc::vec::Vec;

const DAY: i64 = DAY_SECS as i64;

/// Clocks of all sessions, and what each instrument has used up.
pub(super) struct Hours {
    entry_sessions: SessionSet,
    exit_sessions: SessionSet,
    entry_margin_secs: i64,
    exit_margin_secs: i64,
    signals_per_session_max: u32,
    signals_per_day_max: u32,
    /// In the order of the calendar.
    windows: Vec<Window>,
    /// The roll's clock; its trading days are those of this clock shifted.
    day_clock: WallClock,
    day_shift_secs: i64,
    /// One per instrument.
    used: Vec<Used>,
}

/// A daily window on its wall clock.
struct Window {
    clock: WallClock,
    start_secs: i64,
    /// Up to a day after `start_secs`.
    end_secs: i64,
}

/// Where a window stands at an instant.
struct Standing {
    /// The date whose window is open.
    date: Option<i64>,
    now_secs: i64,
    /// Local time of the next end, later than now.
    end_secs: i64,
}

/// What one instrument has had.
#[derive(Clone)]
struct Used {
    day: Option<i64>,
    day_signals: u32,
    /// By session: the date of its last signal, and how many then.
    sessions: [(i64, u32); SESSIONS_MAX],
    /// Local time at which the next exit is due, by session; none until first looked at.
    exits_secs: [Option<i64>; SESSIONS_MAX],
    /// Nothing is due before.
    look_at: TsNs,
}

impl Hours {
    pub fn new(params: &ConfluenceParams, calendar: &Calendar, instruments: usize) -> Self {
        let look_at = TsNs(if params.exit_sessions.is_empty() { u64::MAX } else { 0 });
        let unused = Used {
            day: None,
            day_signals: 0,
            sessions: [(i64::MIN, 0); SESSIONS_MAX],
            exits_secs: [None; SESSIONS_MAX],
            look_at,
        };
        Self {
            entry_sessions: params.entry_sessions,
            exit_sessions: params.exit_sessions,
            entry_margin_secs: i64::from(params.entry_margin_min) * 60,
            exit_margin_secs: i64::from(params.exit_margin_min) * 60,
            signals_per_session_max: params.signals_per_session_max,
            signals_per_day_max: params.signals_per_day_max,
            windows: calendar.sessions.iter().take(SESSIONS_MAX).map(Window::new).collect(),
            day_clock: WallClock::new(&calendar.roll.offsets),
            day_shift_secs: calendar.roll.shift_secs(),
            used: alloc::vec![unused; instruments],
        }
    }

    /// May a signal be made now?
    pub fn may_enter(&mut self, instrument: InstrumentId, now: TsNs) -> bool {
        self.is_open(instrument, now) && !self.is_exit_near(now) && self.has_day_left(instrument, now)
    }

    /// Was an entry session open at that time?
    pub fn is_entry_time(&mut self, ts: TsNs) -> bool {
        let sessions = self.entry_sessions;
        let windows = self.windows.iter_mut().enumerate().filter(|(index, _)| sessions.has(*index));
        windows.map(|(_, window)| window.at(ts)).any(|standing| standing.date.is_some())
    }

    /// A signal was made: it counts for the day and for every entry session that is open.
    pub fn count(&mut self, instrument: InstrumentId, now: TsNs) {
        let day = self.day(now);
        let Some(used) = self.used.get_mut(instrument.index()) else { return };
        used.day_signals = if used.day == Some(day) { used.day_signals.saturating_add(1) } else { 1 };
        used.day = Some(day);
        for index in self.entry_sessions.indices() {
            let Some(window) = self.windows.get_mut(index) else { return };
            let (Some(date), Some(slot)) = (window.at(now).date, used.sessions.get_mut(index)) else {
                continue;
            };
            *slot = (date, if slot.0 == date { slot.1.saturating_add(1) } else { 1 });
        }
    }

    /// Has the moment to be flat come since the last question?
    #[inline]
    pub fn must_leave(&mut self, instrument: InstrumentId, now: TsNs) -> bool {
        match self.used.get(instrument.index()) {
            Some(used) if used.look_at <= now => self.look(instrument, now),
            _ => false,
        }
    }

    /// Is an entry session open, not in its last minutes and not used up?
    pub fn is_open(&mut self, instrument: InstrumentId, now: TsNs) -> bool {
        if self.entry_sessions.is_empty() {
            return true;
        }
        let Some(used) = self.used.get(instrument.index()) else { return false };
        let most = self.signals_per_session_max;
        let margin = self.entry_margin_secs;
        let windows = self.windows.iter_mut().enumerate().zip(&used.sessions);
        let sessions = self.entry_sessions;
        windows.filter(|((index, _), _)| sessions.has(*index)).any(|((_, window), &(last, count))| {
            let standing = window.at(now);
            let is_full = most > 0 && standing.date == Some(last) && count >= most;
            standing.date.is_some() && margin < standing.end_secs - standing.now_secs && !is_full
        })
    }

    /// What opens now would have to be closed at once.
    pub fn is_exit_near(&mut self, now: TsNs) -> bool {
        let margin = self.exit_margin_secs;
        let sessions = self.exit_sessions;
        let windows = self.windows.iter_mut().enumerate().filter(|(index, _)| sessions.has(*index));
        windows.map(|(_, window)| window.at(now)).any(|at| at.end_secs - at.now_secs <= margin)
    }

    /// Has the trading day a signal left?
    pub fn has_day_left(&mut self, instrument: InstrumentId, now: TsNs) -> bool {
        if self.signals_per_day_max == 0 {
            return true;
        }
        let day = self.day(now);
        let used = self.used.get(instrument.index());
        used.is_some_and(|used| used.day != Some(day) || used.day_signals < self.signals_per_day_max)
    }

    fn day(&mut self, now: TsNs) -> i64 {
        (self.day_clock.read(now) + self.day_shift_secs).div_euclid(DAY)
    }

    /// Exits that have come due, and when to look again. A clock change is such a time: the answer is asked anew.
    #[cold]
    fn look(&mut self, instrument: InstrumentId, now: TsNs) -> bool {
        let Some(used) = self.used.get_mut(instrument.index()) else { return false };
        let (mut is_due, mut look_at) = (false, TsNs(u64::MAX));
        for index in self.exit_sessions.indices() {
            let Some((window, due)) = self.windows.get_mut(index).zip(used.exits_secs.get_mut(index)) else {
                continue;
            };
            let standing = window.at(now);
            is_due |= due.is_some_and(|due| due <= standing.now_secs);
            let next = standing.end_secs - self.exit_margin_secs;
            // Between the margin and the end, the next one is tomorrow's.
            let next = if standing.now_secs < next { next } else { next + DAY };
            *due = Some(next);
            look_at = look_at.min(window.clock.when(next));
        }
        used.look_at = look_at;
        is_due
    }
}

impl Window {
    fn new(window: &SessionWindow) -> Self {
        let (start_secs, end_secs) = (window.start_secs % DAY_SECS, window.end_secs % DAY_SECS);
        let over_midnight = if end_secs <= start_secs { DAY_SECS } else { 0 };
        Self {
            clock: WallClock::new(&window.offsets),
            start_secs: i64::from(start_secs),
            end_secs: i64::from(end_secs + over_midnight),
        }
    }

    fn at(&mut self, now: TsNs) -> Standing {
        let now_secs = self.clock.read(now);
        // The last date whose window has begun.
        let date = (now_secs - self.start_secs).div_euclid(DAY);
        let end_secs = date * DAY + self.end_secs;
        if now_secs < end_secs {
            Standing { date: Some(date), now_secs, end_secs }
        } else {
            Standing { date: None, now_secs, end_secs: end_secs + DAY }
        }
    }
}

impl Hours {
    /// Clocks are no state: they are read anew from the calendar.
    pub fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let (sessions, never_looks) = (self.windows.len(), self.exit_sessions.is_empty());
        for used in &mut self.used {
            used.state(io, sessions)?;
            io.sound(!never_looks || used.look_at == TsNs(u64::MAX))?;
        }
        Ok(())
    }
}

impl Used {
    /// Sessions that the calendar does not have are not used.
    fn state(&mut self, io: &mut StateIo<'_>, sessions: usize) -> Result<(), StateError> {
        let Self { day, day_signals, sessions: used, exits_secs, look_at } = self;
        io.option(day, || 0, |io, day| io.number(day))?;
        io.number(day_signals)?;
        for ((date, signals), exit_secs) in used.iter_mut().zip(exits_secs).take(sessions) {
            io.number(date)?;
            io.number(signals)?;
            io.option(exit_secs, || 0, |io, secs| io.number(secs))?;
        }
        io.number(look_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{OffsetStep, Roll, ZoneOffsets};
    use crate::event::Bar;
    use crate::smc::{IdSource, SmcEngine, SmcParams};
    use crate::words::{Name, Price, Qty, Timeframe};
    use alloc::vec;

    const MINUTE: u64 = 60_000_000_000;
    const ONE: InstrumentId = InstrumentId(0);

    /// A zone whose clocks go forward on the second day at 07:00 UTC and back on the fourth at 06:00.
    fn calendar() -> Calendar {
        let step = |hour: u64, offset_secs| OffsetStep { since: TsNs(hour * 60 * MINUTE), offset_secs };
        let zone = ZoneOffsets::new(&[step(0, -18_000), step(31, -14_400), step(78, -18_000)]).unwrap();
        let window = |name, (start, end): (u32, u32)| SessionWindow {
            name: Name::new(name).unwrap(),
            offsets: zone.clone(),
            start_secs: start * 60,
            end_secs: end * 60,
        };
        let sessions =
            vec![window("night", (1_200, 170)), window("dawn", (90, 150)), window("day", (420, 1_020))];
        Calendar { roll: Roll { offsets: zone.clone(), at_secs: 61_200 }, sessions }
    }

    fn hours(params: ConfluenceParams) -> Hours {
        Hours::new(&params, &calendar(), 1)
    }

    /// The twin is the chart's own sessions, which are told of bars.
    #[test]
    fn a_session_is_open_here_when_it_is_open_on_the_chart() {
        let calendar = calendar();
        let timeframe = Timeframe::parse("1m").unwrap();
        let mut smc = SmcEngine::with_calendar(ONE, timeframe, &SmcParams::default(), &calendar);
        let mut ids = IdSource::new();
        let mut hours: vec::Vec<Hours> = (0..3)
            .map(|index| {
                let entry_sessions = SessionSet::of(index);
                hours(ConfluenceParams { entry_sessions, ..ConfluenceParams::default() })
            })
            .collect();
        let mut open = [0; 3];
        for minute in 0..6 * 1_440 {
            let (open_ts, price) = (TsNs(minute * MINUTE), Price(100));
            let volume = Qty(1);
            let bar = Bar { open_ts, open: price, high: price, low: price, close: price, volume, trades: 1 };
            smc.on_bar(&bar, &mut ids, &mut |_| {});
            for (index, hours) in hours.iter_mut().enumerate() {
                let is_open = smc.is_in_session(index);
                assert_eq!(hours.is_entry_time(open_ts), is_open, "session {index}, minute {minute}");
                assert_eq!(hours.may_enter(ONE, open_ts), is_open);
                open[index] += u32::from(is_open);
            }
        }
        assert!(open.iter().all(|&minutes| minutes > 200), "{open:?}");
    }

    /// Once a day at 16:30 on the zone's clocks, through both changes; and a clock that jumps over the moment
    /// makes it late, not forgotten.
    #[test]
    fn the_moment_to_leave_comes_once_a_day_on_the_wall_clock() {
        let exit_sessions = SessionSet::of(2);
        let params = ConfluenceParams { exit_sessions, exit_margin_min: 30, ..ConfluenceParams::default() };
        let mut every_minute = hours(params);
        let left: vec::Vec<u64> =
            (0..6 * 1_440).filter(|minute| every_minute.must_leave(ONE, TsNs(minute * MINUTE))).collect();
        let at = |day: u64, utc_hour: u64| day * 1_440 + utc_hour * 60 + 30;
        assert_eq!(left, [at(0, 21), at(1, 20), at(2, 20), at(3, 21), at(4, 21), at(5, 21)]);
        let mut rarely = hours(params);
        let left =
            (0..6 * 1_440).step_by(1_000).filter(|minute| rarely.must_leave(ONE, TsNs(minute * MINUTE)));
        assert_eq!(left.collect::<vec::Vec<u64>>(), [2_000, 3_000, 5_000, 6_000, 8_000]);
        let mut never = hours(ConfluenceParams::default());
        assert!(!(0..6 * 1_440).any(|minute| never.must_leave(ONE, TsNs(minute * MINUTE))));
    }

    /// The trading day of the calendar, not that of Greenwich: it begins at 17:00 on the zone's clocks.
    #[test]
    fn a_day_is_used_up_until_the_roll() {
        let mut hours = hours(ConfluenceParams { signals_per_day_max: 1, ..ConfluenceParams::default() });
        let at = |hour: u64| TsNs(hour * 60 * MINUTE);
        hours.count(ONE, at(23));
        assert!(!hours.may_enter(ONE, at(23)) && !hours.may_enter(ONE, at(24 + 20)));
        assert!(hours.may_enter(ONE, at(24 + 21)), "17:00 in summer");
    }

    /// Neither what is used up nor the moment to leave is forgotten.
    #[test]
    fn a_load_brings_back_what_is_used_up_and_what_is_due() {
        let params = ConfluenceParams {
            entry_sessions: SessionSet::of(2),
            signals_per_session_max: 2,
            signals_per_day_max: 5,
            exit_sessions: SessionSet::of(2),
            ..ConfluenceParams::default()
        };
        let noon = TsNs(17 * 60 * MINUTE);
        let mut first = hours(params);
        assert!(!first.must_leave(ONE, noon));
        first.count(ONE, noon);
        let mut bytes = vec![];
        first.state(&mut StateIo::Save(&mut bytes)).unwrap();
        let mut second = hours(params);
        second.state(&mut StateIo::Load { bytes: &bytes, at: 0 }).unwrap();
        for hours in [&mut first, &mut second] {
            assert!(hours.may_enter(ONE, noon));
            hours.count(ONE, noon);
            assert!(!hours.may_enter(ONE, noon), "two a session");
            let used = &hours.used[0];
            assert_eq!((used.day_signals, used.sessions[2].1), (2, 2));
            assert!(hours.must_leave(ONE, TsNs(23 * 60 * MINUTE)));
        }
    }
}
