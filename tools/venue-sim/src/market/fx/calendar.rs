//! New York's clock, and when currencies are dealt: Sunday 17:05 to Friday 16:59, with a pause around 17:00 each day.
//!
//! Pure arithmetic on UTC nanoseconds. Daylight saving follows the rule of 2007: from the second Sunday in March to
//! the first Sunday in November, at two o'clock local time.

use smc_core::TsNs;

/// Nanoseconds of one second.
pub const SECOND_NS: u64 = 1_000_000_000;
/// Seconds of one day.
pub const DAY_S: i64 = 86_400;
/// Seconds into New York's day at which a trading day ends.
pub const ROLL_S: i64 = 17 * 3_600;
/// The pause around the roll, in seconds of New York's day.
const PAUSE_FROM_S: i64 = 16 * 3_600 + 59 * 60;
const PAUSE_TO_S: i64 = 17 * 3_600 + 5 * 60;

/// Days since 1970-01-01 of a date (eras of 400 years that begin on 1 March; Hinnant).
pub const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a count of days since 1970-01-01.
pub const fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + (month <= 2) as i64, month, day)
}

/// Day of the week, Sunday is 0.
pub const fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// What New York's clock is ahead of UTC, in seconds: -14400 in summer, -18000 in winter.
pub fn new_york_offset_s(utc_s: i64) -> i64 {
    let (year, _, _) = date_of(utc_s.div_euclid(DAY_S));
    let first_sunday = |month: i64| {
        let first = days_of(year, month, 1);
        first + (7 - weekday(first)) % 7
    };
    let summer = (first_sunday(3) + 7) * DAY_S + 7 * 3_600;
    let winter = first_sunday(11) * DAY_S + 6 * 3_600;
    if (summer..winter).contains(&utc_s) { -4 * 3_600 } else { -5 * 3_600 }
}

/// UTC seconds of a second of New York's local count.
pub fn from_new_york_s(local_s: i64) -> i64 {
    // The offset at a first guess is right except within hours of a change; the second look corrects it.
    let guess = local_s - new_york_offset_s(local_s + 5 * 3_600);
    local_s - new_york_offset_s(guess)
}

/// Whole seconds of a stamp.
pub fn seconds(ts: TsNs) -> i64 {
    i64::try_from(ts.0 / SECOND_NS).unwrap_or(i64::MAX)
}

/// Whether currencies are dealt at an instant.
pub fn is_open(ts: TsNs) -> bool {
    let local = seconds(ts) + new_york_offset_s(seconds(ts));
    let (day, second) = (weekday(local.div_euclid(DAY_S)), local.rem_euclid(DAY_S));
    match day {
        6 => false,
        0 => second >= PAUSE_TO_S,
        5 => second < PAUSE_FROM_S,
        _ => !(PAUSE_FROM_S..PAUSE_TO_S).contains(&second),
    }
}

/// Seconds between an instant and the nearest 17:00 in New York, either way.
pub fn seconds_from_roll(ts: TsNs) -> i64 {
    let local = seconds(ts) + new_york_offset_s(seconds(ts));
    let away = (local.rem_euclid(DAY_S) - ROLL_S).abs();
    away.min(DAY_S - away)
}

/// The first 17:00 in New York after an instant.
pub fn next_roll(ts: TsNs) -> TsNs {
    let now = seconds(ts);
    let local = now + new_york_offset_s(now);
    let today = local.div_euclid(DAY_S);
    let at = |day: i64| from_new_york_s(day * DAY_S + ROLL_S);
    let next = if at(today) > now { at(today) } else { at(today + 1) };
    TsNs(u64::try_from(next).unwrap_or(0) * SECOND_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: (i64, i64, i64), hour: i64, minute: i64) -> TsNs {
        let s = days_of(date.0, date.1, date.2) * DAY_S + hour * 3_600 + minute * 60;
        TsNs(s as u64 * SECOND_NS)
    }

    #[test]
    fn dates_and_days_are_each_others_inverse() {
        assert_eq!(
            (days_of(1970, 1, 1), days_of(2026, 7, 22), weekday(days_of(2026, 7, 22))),
            (0, 20_656, 3)
        );
        for days in -1_000..40_000 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
    }

    #[test]
    fn new_york_changes_its_clock_on_the_second_sunday_of_march_and_the_first_of_november() {
        let offset = |date, hour, minute| new_york_offset_s(seconds(at(date, hour, minute))) / 3_600;
        assert_eq!((offset((2026, 3, 8), 6, 59), offset((2026, 3, 8), 7, 0)), (-5, -4));
        assert_eq!((offset((2026, 11, 1), 5, 59), offset((2026, 11, 1), 6, 0)), (-4, -5));
    }

    #[test]
    fn a_week_opens_on_sunday_evening_pauses_daily_and_closes_on_friday() {
        let is = |date, hour, minute| is_open(at(date, hour, minute));
        assert!(!is((2026, 1, 4), 22, 4) && is((2026, 1, 4), 22, 5), "Sunday, winter");
        assert!(is((2026, 1, 5), 21, 58) && !is((2026, 1, 5), 22, 0) && is((2026, 1, 5), 22, 5));
        assert!(is((2026, 1, 9), 21, 58) && !is((2026, 1, 9), 21, 59) && !is((2026, 1, 10), 12, 0));
        assert!(is((2026, 7, 5), 21, 5), "Sunday, summer: an hour earlier by UTC");
    }

    #[test]
    fn the_roll_is_at_five_in_new_york_across_the_change_of_clocks() {
        assert_eq!(next_roll(at((2026, 3, 7), 21, 0)), at((2026, 3, 7), 22, 0));
        assert_eq!(next_roll(at((2026, 3, 7), 22, 0)), at((2026, 3, 8), 21, 0));
        assert_eq!(seconds_from_roll(at((2026, 7, 22), 21, 2)), 120);
    }
}
