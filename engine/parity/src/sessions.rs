//! `sessions`: which bars lie in a trading session, with its running high and low. O(n).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::bars::Bars;
use crate::error::ParityError;
use crate::table::Table;

/// A window of the day by its UTC minutes, both ends included; it may wrap midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    start_min: u16,
    end_min: u16,
}

/// Names and windows of the package, as it spells them.
const NAMED: [(&str, &str, &str); 8] = [
    ("Sydney", "21:00", "06:00"),
    ("Tokyo", "00:00", "09:00"),
    ("London", "07:00", "16:00"),
    ("New York", "13:00", "22:00"),
    ("Asian kill zone", "00:00", "04:00"),
    ("London open kill zone", "06:00", "09:00"),
    ("New York kill zone", "11:00", "14:00"),
    ("london close kill zone", "14:00", "16:00"),
];

impl Session {
    /// A session of the package by its name. `Custom` takes its times from [`Session::custom`].
    pub fn named(name: &str) -> Result<Self, ParityError> {
        if name == "Custom" {
            return Err(ParityError::CustomNeedsTimes);
        }
        let found = NAMED.iter().find(|(known, ..)| *known == name);
        let (_, start, end) = found.ok_or_else(|| ParityError::Session(name.into()))?;
        Self::custom(start, end)
    }

    /// From `H:MM` to `H:MM`, in UTC. A window that ends where it starts is the whole day.
    pub fn custom(start: &str, end: &str) -> Result<Self, ParityError> {
        if start.is_empty() || end.is_empty() {
            return Err(ParityError::CustomNeedsTimes);
        }
        Ok(Self { start_min: minute_of(start)?, end_min: minute_of(end)? })
    }

    const fn holds(self, minute: u16) -> bool {
        if self.start_min < self.end_min {
            self.start_min <= minute && minute <= self.end_min
        } else {
            self.start_min <= minute || minute <= self.end_min
        }
    }
}

/// Whether each bar lies in the session (1 or 0), and the session's high and low so far (0 outside).
///
/// `time_zone` is the zone that the file's stamps are in; they are turned into UTC, in which the session is
/// meant: an IANA name, "UTC", "GMT", "UTC+3" or "+03:00".
///
/// Quirks: the bar that starts at the end is in. Seconds do not count. The running high goes on from the row
/// before whatever day that was, so two windows with no bar between them are one; and because it is compared
/// with 0 at first, a high below 0 shows as 0. "UTC+3" is read as the zone Etc/GMT+3, three hours **behind** UTC.
///
/// Where the package gives up we do not: an hour that a clock change skips is read with the offset before it,
/// one that comes twice as its first, and names that it cannot read ("Etc/UTC") mean what they say.
///
/// Columns `Active` double, `High`, `Low` single.
pub fn sessions(bars: &Bars, session: Session, time_zone: &str) -> Result<Table, ParityError> {
    let zone = zone_of(time_zone)?;
    let rows = bars.len();
    let mut active = vec![0.0; rows];
    let (mut highs, mut lows) = (vec![0.0f32; rows], vec![0.0f32; rows]);
    let (mut high, mut low) = (0.0f32, 0.0f32);
    for row in 0..rows {
        if session.holds(minute_in_utc(bars.time_ns[row], &zone)) {
            active[row] = 1.0;
            let (bar_high, bar_low) = (bars.high[row] as f32, bars.low[row] as f32);
            high = bar_high.max(high);
            low = if low == 0.0 { bar_low } else { bar_low.min(low) };
        } else {
            (high, low) = (0.0, 0.0);
        }
        (highs[row], lows[row]) = (high, low);
    }
    Ok(Table::default().with("Active", active).with("High", highs).with("Low", lows))
}

fn minute_of(text: &str) -> Result<u16, ParityError> {
    let error = || ParityError::TimeOfDay(text.into());
    let number = |digits: &str, below: u16| {
        let is_plain = matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&number: &u16| is_plain && number < below).ok_or_else(error)
    };
    let (hours, minutes) = text.split_once(':').ok_or_else(error)?;
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// The package's way with names first, then the name as it stands.
fn zone_of(name: &str) -> Result<TimeZone, ParityError> {
    let renamed = name.replace("GMT", "Etc/GMT").replace("UTC", "Etc/GMT");
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    let by_name = TimeZone::get(&renamed).or_else(|_| TimeZone::get(name)).ok();
    by_name.or_else(|| fixed_offset(name)).ok_or_else(|| ParityError::TimeZone(name.into()))
}

/// "+03:00", ahead of UTC.
fn fixed_offset(text: &str) -> Option<TimeZone> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let minutes = minute_of(text.get(1..)?).ok()?;
    Some(TimeZone::fixed(Offset::from_seconds(sign * i32::from(minutes) * 60).ok()?))
}

fn minute_in_utc(time_ns: i64, zone: &TimeZone) -> u16 {
    let as_utc = Timestamp::from_nanosecond(time_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    let instant = if *zone == TimeZone::UTC { as_utc } else { moved(as_utc, zone) };
    // Nanoseconds round down before 1970 too, where whole seconds round up. Below 1440, so it fits.
    (instant.as_nanosecond().div_euclid(60_000_000_000).rem_euclid(1_440)) as u16
}

/// The instant at which a clock in that zone shows what a UTC clock shows at `as_utc`.
fn moved(as_utc: Timestamp, zone: &TimeZone) -> Timestamp {
    let shown: DateTime = TimeZone::UTC.to_datetime(as_utc);
    zone.to_timestamp(shown).unwrap_or(as_utc)
}
