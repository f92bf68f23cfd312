//! Wall clocks for a core that has none: offsets of time zones and daily windows, resolved outside.
//!
//! Plain data. Whoever builds the configuration asks a time-zone library; the core gets tables and needs no
//! rule of any country. The tables are part of the configuration: the same build resolves the same ones.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::words::{Name, TsNs};

/// Sessions one calendar can hold.
pub const SESSIONS_MAX: usize = 16;
/// Seconds of a day.
pub const DAY_SECS: u32 = 86_400;

/// What daily life looks like where an instrument trades.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Calendar {
    /// When a trading day begins.
    pub roll: Roll,
    /// Sessions and kill zones, at most [`SESSIONS_MAX`].
    pub sessions: Vec<SessionWindow>,
}

/// When a trading day begins: at this local time. From noon on it begins the day that follows (forex: 17:00 in
/// New York begins Monday on Sunday evening).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roll {
    /// The zone's offsets.
    pub offsets: ZoneOffsets,
    /// Local time of day in seconds, below [`DAY_SECS`]; 0 is midnight.
    pub at_secs: u32,
}

/// A daily window on the wall clock of a zone: `[start, end)`, over midnight when `end <= start`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionWindow {
    /// What traders call it.
    pub name: Name,
    /// The zone's offsets.
    pub offsets: ZoneOffsets,
    /// Local start in seconds of the day, below [`DAY_SECS`].
    pub start_secs: u32,
    /// Local end in seconds of the day, below [`DAY_SECS`]; equal to the start means a whole day.
    pub end_secs: u32,
}

/// Offset of a zone from UTC as time goes on. Shared, immutable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ZoneOffsets {
    /// Ascending by instant; the first one holds since ever. Never empty.
    steps: Arc<[OffsetStep]>,
}

/// From `since` on the zone's clocks show UTC plus `offset_secs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetStep {
    /// First instant of it.
    pub since: TsNs,
    /// Seconds east of UTC, within a day either way.
    pub offset_secs: i32,
}

/// A stretch of time with one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetSpan {
    /// First instant.
    pub since: TsNs,
    /// First instant after it.
    pub until: TsNs,
    /// Seconds east of UTC.
    pub offset_secs: i32,
}

impl Default for ZoneOffsets {
    fn default() -> Self {
        Self::fixed(0)
    }
}

impl ZoneOffsets {
    /// A zone that never changes its clocks.
    pub fn fixed(offset_secs: i32) -> Self {
        Self { steps: Arc::new([OffsetStep { since: TsNs(0), offset_secs }]) }
    }

    /// From steps in ascending order; none when there is no step, the order is broken or an offset is a day or
    /// more.
    pub fn new(steps: &[OffsetStep]) -> Option<Self> {
        let is_sane = |step: &OffsetStep| step.offset_secs.unsigned_abs() < DAY_SECS;
        let is_ascending = steps.is_sorted_by(|a, b| a.since < b.since);
        (!steps.is_empty() && is_ascending && steps.iter().all(is_sane)).then(|| Self { steps: steps.into() })
    }

    /// The stretch that `ts` lies in. A binary search: keep the answer until `until`.
    pub fn span_at(&self, ts: TsNs) -> OffsetSpan {
        let at = self.steps.partition_point(|step| step.since <= ts).saturating_sub(1);
        let until = self.steps.get(at + 1).map_or(TsNs(u64::MAX), |step| step.since);
        let since = if at == 0 { TsNs(0) } else { self.steps[at].since };
        OffsetSpan { since, until, offset_secs: self.steps[at].offset_secs }
    }
}

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;
/// Clocks of two offsets are less than this apart.
const OFFSETS_APART_NS: u64 = 2 * DAY_SECS as u64 * SECOND_NS;

/// A wall clock that never runs back: it reads the latest local time that the zone's clocks have shown.
///
/// So every local time has one instant, the first at which the zone's clocks showed it or a later one. What
/// begins at a local time that clocks put forward leap over begins with the leap; what begins at one that
/// clocks put back show twice begins at the first; while an hour is repeated, this clock stands.
#[derive(Clone, Debug)]
pub(crate) struct WallClock {
    offsets: ZoneOffsets,
    /// The stretch read last. A copy: valid for instants inside it.
    span: OffsetSpan,
    /// The latest local time shown before it.
    floor_secs: i64,
}

impl WallClock {
    pub fn new(offsets: &ZoneOffsets) -> Self {
        let span = OffsetSpan { since: TsNs(0), until: TsNs(0), offset_secs: 0 };
        Self { offsets: offsets.clone(), span, floor_secs: i64::MIN }
    }

    /// Local seconds since 1970 began there.
    pub fn read(&mut self, ts: TsNs) -> i64 {
        if ts < self.span.since || self.span.until <= ts {
            self.change_span(ts);
        }
        (secs(ts) + i64::from(self.span.offset_secs)).max(self.floor_secs)
    }

    /// The instant at which `local_secs`, later than what was read last, will be reached; never beyond the next
    /// change of the offset, where the question must be asked again.
    pub fn when(&self, local_secs: i64) -> TsNs {
        let utc_secs = u64::try_from(local_secs - i64::from(self.span.offset_secs)).unwrap_or(0);
        TsNs(utc_secs.saturating_mul(SECOND_NS)).min(self.span.until)
    }

    #[cold]
    fn change_span(&mut self, ts: TsNs) {
        self.span = self.offsets.span_at(ts);
        self.floor_secs = i64::MIN;
        let mut until = self.span.since;
        // Older stretches than these two days cannot have shown a later time.
        while until.0 > 0 && self.span.since.since(until) < OFFSETS_APART_NS {
            let last = TsNs(until.0 - 1);
            let before = self.offsets.span_at(last);
            self.floor_secs = self.floor_secs.max(secs(last) + i64::from(before.offset_secs));
            until = before.since;
        }
    }
}

/// Whole seconds since the epoch; fits, for a u64 of nanoseconds has fewer than 2^35 of them.
const fn secs(ts: TsNs) -> i64 {
    (ts.0 / SECOND_NS) as i64
}

impl Roll {
    /// From noon on the roll belongs to the next date.
    const NOON_SECS: u32 = DAY_SECS / 2;

    /// Seconds to add to the local clock so that its midnights are the rolls.
    pub(crate) fn shift_secs(&self) -> i64 {
        let at_secs = i64::from(self.at_secs % DAY_SECS);
        if self.at_secs % DAY_SECS < Self::NOON_SECS { -at_secs } else { i64::from(DAY_SECS) - at_secs }
    }
}

/// Week of a day counted from 1970-01-01, a Thursday; weeks begin on Monday.
pub(crate) const fn week_of(day: i64) -> i64 {
    (day + 3).div_euclid(7)
}

/// Month of a day counted from 1970-01-01, as months since the year 0 of the Gregorian calendar.
///
/// The year is taken to begin in March, so that the leap day is its last one and the lengths of the months
/// before it follow `(153 m + 2) / 5`.
pub(crate) const fn month_of(day: i64) -> i64 {
    // Days since 0000-03-01, cut into eras of 400 years, which are all alike.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    // March is month 2 when January is 0.
    (era * 400 + year) * 12 + month + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const HOUR: i64 = 3_600;

    fn clock(steps: &[(u64, i64)]) -> WallClock {
        let steps: Vec<_> = steps
            .iter()
            .map(|&(hour, offset)| OffsetStep {
                since: TsNs(hour * 3_600 * SECOND_NS),
                offset_secs: (offset * HOUR) as i32,
            })
            .collect();
        WallClock::new(&ZoneOffsets::new(&steps).unwrap())
    }

    /// Hour after hour, what the clock reads, in hours.
    fn hours(clock: &mut WallClock, from: u64, to: u64) -> Vec<i64> {
        (from..to).map(|hour| clock.read(TsNs(hour * 3_600 * SECOND_NS)) / HOUR).collect()
    }

    #[test]
    fn a_clock_put_forward_leaps_and_one_put_back_stands() {
        let mut clock = clock(&[(0, 0), (30, 1), (40, 0)]);
        assert_eq!(hours(&mut clock, 28, 32), [28, 29, 31, 32]);
        // The last second shown before the change at hour 40 was 40:59:59.
        assert_eq!(hours(&mut clock, 38, 43), [39, 40, 40, 41, 42]);
        let at = |clock: &mut WallClock, now: u64, local: i64| {
            clock.read(TsNs(now * 3_600 * SECOND_NS));
            clock.when(local * HOUR).0 / (3_600 * SECOND_NS)
        };
        assert_eq!(at(&mut clock, 28, 30), 30, "the hour that is left out begins with the leap");
        assert_eq!(at(&mut clock, 35, 40), 39, "of two the first");
        assert_eq!(at(&mut clock, 35, 41), 40, "asked again at the change");
        assert_eq!(at(&mut clock, 40, 41), 41);
    }

    #[test]
    fn the_clock_never_runs_back_whatever_the_offsets() {
        let mut random = 9u64;
        for _ in 0..300 {
            let mut since = 0;
            let mut steps = vec![];
            for _ in 0..12 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                steps.push((since, (random >> 33) as i64 % 47 - 23));
                since += 1 + (random >> 55) % 60;
            }
            let mut clock = clock(&steps);
            let mut most = i64::MIN;
            for hour in 0..700u64 {
                let step = steps.iter().rfind(|step| step.0 <= hour).unwrap();
                // The last second of the hour before a change counts; full hours alone would miss it.
                let shown = hour as i64 * HOUR + step.1 * HOUR;
                most = most.max(shown);
                assert_eq!(clock.read(TsNs(hour * 3_600 * SECOND_NS)), most, "{steps:?} hour {hour}");
                most = most.max(shown + HOUR - 1);
            }
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let (mut year, mut month, mut of_month) = (1970, 0, 0);
        let (mut weekday, mut week) = (3, 0);
        for day in 0..80_000i64 {
            assert_eq!((month_of(day), week_of(day)), (year * 12 + month, week), "day {day}");
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let lens = [31, 28 + i64::from(is_leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            of_month += 1;
            if of_month == lens[month as usize] {
                (of_month, month) = (0, month + 1);
            }
            if month == 12 {
                (month, year) = (0, year + 1);
            }
            weekday = (weekday + 1) % 7;
            week += i64::from(weekday == 0);
        }
        assert_eq!((month_of(-1), week_of(-4)), (1969 * 12 + 11, -1));
    }

    #[test]
    fn offsets_hold_from_their_step_to_the_next() {
        let step = |since, offset_secs| OffsetStep { since: TsNs(since), offset_secs };
        let zone = ZoneOffsets::new(&[step(100, -3_600), step(200, 0), step(300, 3_600)]).unwrap();
        let span = |ts| {
            let OffsetSpan { since, until, offset_secs } = zone.span_at(TsNs(ts));
            (since.0, until.0, offset_secs)
        };
        assert_eq!([span(0), span(100), span(199)], [(0, 200, -3_600); 3]);
        assert_eq!([span(200), span(299)], [(200, 300, 0); 2]);
        assert_eq!(span(u64::MAX - 1), (300, u64::MAX, 3_600));
        assert!(ZoneOffsets::new(&[]).is_none());
        assert!(ZoneOffsets::new(&[step(2, 0), step(1, 0)]).is_none());
        assert!(ZoneOffsets::new(&[step(2, 86_400)]).is_none());
    }
}
