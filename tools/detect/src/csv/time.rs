//! Times as files write them, and ISO 8601 as we write them. Without a zone a time is UTC.
//!
//! Read: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by magnitude, with a fraction if
//! need be; `2024-01-31`, `2024.01.31`, `2024/01/31`, `20240131`, `31.01.2024`, each alone or followed by
//! `T` or spaces and `9:30`, `09:30:00.250`, `0930`, `093000`, then nothing, `Z`, `UTC`, `GMT` or an offset such as `+02:00`.
//! Not read: `01/31/2024`, where nobody knows which number is the month; years before 1970.

use smc_core::words::TsNs;
use std::fmt;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;
const YEAR_MAX: i64 = 2400;

/// Reads a time; none when nobody can.
pub fn parse(text: &str) -> Option<TsNs> {
    let text = text.trim();
    compact(text).or_else(|| epoch(text)).or_else(|| calendar(text))
}

/// A date alone or a clock alone make a time together.
pub(super) fn parse_split(date: &str, clock: &str) -> Option<TsNs> {
    calendar_parts(date.trim(), clock.trim())
}

/// Whether a text is a time of day, as the second column of split dates has it.
pub(super) fn is_clock(text: &str) -> bool {
    clock_and_zone(text).is_some_and(|(_, zone)| zone == 0)
}

/// `YYYYMMDD`, `YYYYMMDDHHMM`, `YYYYMMDDHHMMSS`: digits that make a date of this era.
fn compact(text: &str) -> Option<TsNs> {
    if !matches!(text.len(), 8 | 12 | 14) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, clock) = text.split_at(8);
    let year: i64 = date[..4].parse().ok()?;
    (1970..=2100)
        .contains(&year)
        .then(|| calendar_parts(date, if clock.is_empty() { "0000" } else { clock }))?
}

fn epoch(text: &str) -> Option<TsNs> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    // Twenty digits are past every unit; fractions are cut at the nanosecond.
    if whole.is_empty() || whole.len() > 19 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let count: u64 = whole.parse().ok()?;
    let unit = match count {
        ..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    let ns = count.checked_mul(unit)?;
    let mut part = 0;
    let mut weight = unit / 10;
    for digit in fraction.bytes() {
        part += u64::from(digit - b'0') * weight;
        weight /= 10;
    }
    let ns = ns.checked_add(part)?;
    (ns / SECOND / DAY < days_of(YEAR_MAX, 1, 1) as u64).then_some(TsNs(ns))
}

fn calendar(text: &str) -> Option<TsNs> {
    let at = text.find(['T', 't', ' ']).unwrap_or(text.len());
    let clock = text.get(at + 1..).unwrap_or("").trim_start();
    calendar_parts(&text[..at], if clock.is_empty() { "00:00" } else { clock })
}

fn calendar_parts(date: &str, clock: &str) -> Option<TsNs> {
    let days = date_of(date)?;
    let (clock_ns, zone_secs) = clock_and_zone(clock)?;
    let secs = days.checked_mul(DAY as i64)?.checked_sub(zone_secs)?;
    u64::try_from(secs).ok()?.checked_mul(SECOND)?.checked_add(clock_ns).map(TsNs)
}

/// Days since 1970.
fn date_of(text: &str) -> Option<i64> {
    let number = |text: &str, lens: std::ops::RangeInclusive<usize>| {
        (lens.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<i64>().ok())?
    };
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return valid_days(
            number(&text[..4], 4..=4)?,
            number(&text[4..6], 2..=2)?,
            number(&text[6..], 2..=2)?,
        );
    }
    let separator = text.chars().find(|c| matches!(c, '-' | '.' | '/'))?;
    let mut parts = text.split(separator);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    match (a.len(), c.len()) {
        (4, _) => valid_days(number(a, 4..=4)?, number(b, 1..=2)?, number(c, 1..=2)?),
        (_, 4) if separator == '.' => valid_days(number(c, 4..=4)?, number(b, 1..=2)?, number(a, 1..=2)?),
        _ => None,
    }
}

fn valid_days(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_len = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    ((1970..YEAR_MAX).contains(&year) && (1..=month_len).contains(&day)).then(|| days_of(year, month, day))
}

/// Days since 1970 of a date of the Gregorian calendar. March is the first month of a year that ends with
/// February, so that the leap day comes last.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// Nanoseconds of the day, seconds east of UTC.
fn clock_and_zone(text: &str) -> Option<(u64, i64)> {
    let at = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    Some((clock_of(&text[..at])?, zone_of(text[at..].trim())?))
}

fn clock_of(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let two = |text: &str, limit: u64| {
        let is_two = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| text.parse::<u64>().ok().filter(|&value| value < limit))?
    };
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
        (hours, Some(minutes), seconds, None) => (hours, minutes, seconds.unwrap_or("0")),
        (clock, None, None, None) if clock.is_ascii() && clock.len() == 4 => (&clock[..2], &clock[2..], "0"),
        (clock, None, None, None) if clock.is_ascii() && clock.len() == 6 => {
            (&clock[..2], &clock[2..4], &clock[4..])
        }
        _ => return None,
    };
    let secs = (two(hours, 24)? * 60 + two(minutes, 60)?) * 60 + two(seconds, 60)?;
    let (mut ns, mut weight) = (secs * SECOND, SECOND / 10);
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        ns += u64::from(digit - b'0') * weight;
        weight /= 10;
    }
    Some(ns)
}

fn zone_of(text: &str) -> Option<i64> {
    let name =
        text.get(..3).filter(|name| name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("gmt"));
    let offset = if name.is_some() { text[3..].trim() } else { text };
    if offset.is_empty() || offset.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 1 | 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(digits.len().min(2));
    let hours: i64 = hours.parse().ok()?;
    let minutes: i64 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

/// Year, month, day.
pub fn civil(ts: TsNs) -> (i64, u32, u32) {
    let days = (ts.0 / SECOND / DAY) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u32, day as u32)
}

/// A time as ISO 8601 in UTC: `2024-01-31T09:30:00Z`, with a fraction where there is one.
pub struct Iso(pub TsNs);

impl fmt::Display for Iso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0);
        let secs = self.0.0 / SECOND % DAY;
        let (hours, minutes, seconds) = (secs / 3_600, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}")?;
        let fraction = self.0.0 % SECOND;
        if fraction > 0 {
            let digits = format!("{fraction:09}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_in_every_spelling() {
        const MOMENT: &str = "2024-01-31T09:30:00Z";
        let spellings = [
            "1706693400",
            "1706693400.0",
            "1706693400000",
            "1706693400000000",
            "1706693400000000000",
            "2024-01-31T09:30:00Z",
            "2024-01-31T09:30:00",
            "2024-01-31 09:30",
            "2024-01-31 09:30:00+00:00",
            "2024-01-31 11:30:00.000+0200",
            "2024-01-31T04:30:00-05",
            "2024-01-31 09:30:00 UTC",
            "2024.01.31 09:30:00",
            "2024/1/31 9:30",
            "31.01.2024 09:30:00.000",
            "31.01.2024 10:30:00.000 GMT+0100",
            "20240131 093000",
            "20240131 0930",
            "20240131093000",
            "202401310930",
            " 2024-01-31  09:30 ",
        ];
        for spelling in spellings {
            assert_eq!(parse(spelling).map(|ts| Iso(ts).to_string()).as_deref(), Some(MOMENT), "{spelling}");
        }
        assert_eq!(parse_split("2024.01.31", "09:30").map(|ts| Iso(ts).to_string()).as_deref(), Some(MOMENT));
        assert_eq!(parse("20240131").map(|ts| Iso(ts).to_string()).as_deref(), Some("2024-01-31T00:00:00Z"));
        assert_eq!(
            parse("1706693400.25").map(|ts| Iso(ts).to_string()).as_deref(),
            Some("2024-01-31T09:30:00.25Z")
        );
    }

    #[test]
    fn what_nobody_can_read_is_refused() {
        let texts = [
            "",
            "time",
            "01/31/2024",
            "31-01-2024",
            "2024-02-30",
            "2023-02-29",
            "2024-13-01",
            "2024-01-31 24:00",
            "2024-01-31 09:60",
            "1969-12-31",
            "-1",
            "99999999999999999999",
            "2024-01-31T09:30:00+99:00",
            "2024-01",
            "2024-01-31 09:30 PM",
            "é",
            "2024-01-31 é",
            "18446744073709551615",
            "2024-01-31 +",
        ];
        for text in texts {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (0..150_000).step_by(13) {
            let (year, month, day) = civil(TsNs(days * DAY * SECOND));
            assert_eq!(days_of(year, month.into(), day.into()), days as i64);
        }
    }
}
