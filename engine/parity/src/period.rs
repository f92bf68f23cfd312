//! Periods by their pandas names ("4h", "1D", "W-MON", "QS-FEB"), and the bucket that a moment falls into.
//!
//! Two families, as in pandas' `resample` with its defaults. Lengths in s, min, h, D (and shorter) and starts of
//! months, quarters, years: a bucket holds its first moment and is labelled with it. Weeks and ends of months,
//! quarters, years: a bucket is labelled with 00:00 of its last **day** and holds that whole day. Multiples are
//! counted from the first bar of the file: lengths from that day's midnight, the rest from its bucket.

use jiff::civil::Date;

use crate::error::ParityError;

const DAY_NS: i128 = 86_400_000_000_000;
const DAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// How time is cut into buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A fixed length.
    Length { ns: i64 },
    /// Weeks that end with a day, 0 for Monday.
    Weeks { count: i64, last_day: i64 },
    /// Months, 1, 3 or 12 to a unit, one of which starts (or ends) in month `anchor`, 0 for January.
    Months { count: i64, unit: i64, anchor: i64, by_end: bool },
}

impl Period {
    /// Reads a name: lengths in ns, us, ms, s, min, h, D, with decimals and in sums ("1.5h", "1D12h"); weeks,
    /// months, quarters and years with a whole count before and a day or month behind ("2W-TUE", "QE-JAN").
    pub fn parse(text: &str) -> Result<Self, ParityError> {
        let kind = length(text).or_else(|| calendar(text));
        kind.map(Self).ok_or_else(|| ParityError::Period(text.into()))
    }

    /// Where the buckets lie for a file whose earliest bar has this stamp.
    pub(crate) fn grid(self, first_ns: i64) -> Grid {
        let first_day = day_of(first_ns);
        let origin = match self.0 {
            Kind::Length { .. } => first_day,
            // The last end strictly before the first day, one unit further back for each more in the count.
            Kind::Weeks { count, last_day } => {
                first_day - 1 - (first_day - 1 + 3 - last_day).rem_euclid(7) - 7 * (count - 1)
            }
            Kind::Months { count, unit, anchor, by_end } => {
                let month = month_of(first_day);
                let begun = month - (month - anchor).rem_euclid(unit);
                // As with weeks: an end in the first bar's own month is not before its first day.
                let ended = if begun == month { month - unit } else { begun };
                if by_end { ended - unit * (count - 1) } else { begun }
            }
        };
        Grid { kind: self.0, origin }
    }
}

/// The buckets of one file.
pub struct Grid {
    kind: Kind,
    /// Day number of the first bucket's start, or of the end before the first; for months the month's number.
    origin: i64,
}

impl Grid {
    /// The label of the bucket that a moment falls into, in nanoseconds since 1970.
    pub fn label_ns(&self, time_ns: i64) -> i128 {
        let origin = self.origin;
        match self.kind {
            Kind::Length { ns } => {
                let start = i128::from(origin) * DAY_NS;
                start + (i128::from(time_ns) - start).div_euclid(ns.into()) * i128::from(ns)
            }
            Kind::Weeks { count, .. } => i128::from(stepped_up(origin, day_of(time_ns), 7 * count)) * DAY_NS,
            Kind::Months { count, unit, by_end, .. } => {
                let month = month_of(day_of(time_ns));
                let day = if by_end {
                    last_day_of(stepped_up(origin, month, unit * count))
                } else {
                    first_day_of(origin + (month - origin).div_euclid(unit * count) * unit * count)
                };
                i128::from(day) * DAY_NS
            }
        }
    }
}

/// The first of `origin`, `origin + step`, .. that is not below `at`.
const fn stepped_up(origin: i64, at: i64, step: i64) -> i64 {
    origin - (origin - at).div_euclid(step) * step
}

/// "4h", "1.5h", "1D12h": a sum of one or more lengths.
fn length(text: &str) -> Option<Kind> {
    let mut ns = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        let (unit, after) =
            after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        ns = ns.checked_add(times(number, unit_ns(unit)?)?)?;
        rest = after;
    }
    (ns > 0).then_some(Kind::Length { ns })
}

fn unit_ns(unit: &str) -> Option<i64> {
    // pandas tells the others by their case: `ms` and `MS`.
    let is = |name: &str| unit.eq_ignore_ascii_case(name);
    Some(match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ if is("min") => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ if is("D") => 86_400_000_000_000,
        _ => return None,
    })
}

/// `number` x `unit_ns` when that is whole; no number is 1.
fn times(number: &str, unit_ns: i64) -> Option<i64> {
    if number.is_empty() {
        return Some(unit_ns);
    }
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let product = digits.parse::<i128>().ok()?.checked_mul(unit_ns.into())?;
    let scale = 10i128.checked_pow(decimals.len().try_into().ok()?)?;
    (product % scale == 0).then(|| i64::try_from(product / scale).ok()).flatten()
}

/// "W", "2W-TUE", "MS", "3QE-JAN".
fn calendar(text: &str) -> Option<Kind> {
    let (count, name) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let count = if count.is_empty() { 1 } else { i64::from(count.parse::<u16>().ok()?) };
    if count == 0 {
        return None;
    }
    let (name, anchor) = name.split_once('-').map_or((name, None), |(name, anchor)| (name, Some(anchor)));
    let is_weeks = name.eq_ignore_ascii_case("W");
    let anchor = anchor.map(|anchor| if is_weeks { anchor.to_ascii_uppercase() } else { anchor.to_owned() });
    let place = |names: &[&str], default: i64| match &anchor {
        None => Some(default),
        Some(anchor) => Some(names.iter().position(|name| *name == anchor)? as i64),
    };
    let months = |unit, by_end| {
        let anchor = match unit {
            1 if anchor.is_some() => return None,
            unit => place(&MONTHS, if by_end { 11 } else { 0 })? % unit,
        };
        Some(Kind::Months { count, unit, anchor, by_end })
    };
    match name {
        _ if is_weeks => Some(Kind::Weeks { count, last_day: place(&DAYS, 6)? }),
        "MS" => months(1, false),
        "ME" => months(1, true),
        "QS" => months(3, false),
        "QE" => months(3, true),
        "YS" => months(12, false),
        "YE" => months(12, true),
        _ => None,
    }
}

/// Days since 1970-01-01, a Thursday.
const fn day_of(time_ns: i64) -> i64 {
    time_ns.div_euclid(86_400_000_000_000)
}

/// Months since January of the year 0.
fn month_of(day: i64) -> i64 {
    let date = Date::constant(1970, 1, 1).saturating_add(jiff::Span::new().days(day));
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// The day number of a month's first. Months reach a few thousand years beyond those that a stamp can name.
fn first_day_of(month: i64) -> i64 {
    // Civil calendar, March first so that the leap day comes last.
    let (year, from_march) = ((month - 2).div_euclid(12), (month - 2).rem_euclid(12));
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * from_march + 2) / 5 - 719_468
}

fn last_day_of(month: i64) -> i64 {
    first_day_of(month + 1) - 1
}
