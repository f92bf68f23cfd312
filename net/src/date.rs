//! How the Internet writes a moment: RFC 3339, the `Date` of HTTP, and decimal Unix seconds. Pure, exact, UTC alone.

const SECOND: u64 = 1_000_000_000;
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// `2026-07-22T07:01:01.229030006Z` in nanoseconds since the epoch; up to nine decimals, no offset but `Z`. None for
/// anything else, and before 1970.
pub fn rfc3339_ns(text: &[u8]) -> Option<u64> {
    let (date, rest) = text.split_at_checked(19)?;
    let &[y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1] = date
    else {
        return None;
    };
    let secs = unix_secs(
        number(&[y0, y1, y2, y3])?,
        number(&[mo0, mo1])?,
        number(&[d0, d1])?,
        [number(&[h0, h1])?, number(&[mi0, mi1])?, number(&[s0, s1])?],
    )?;
    let fraction = rest.strip_suffix(b"Z")?;
    join(secs, if fraction.is_empty() { 0 } else { decimals(fraction.strip_prefix(b".")?)? })
}

/// `Wed, 22 Jul 2026 07:01:01 GMT` in nanoseconds since the epoch. The name of the day is not looked at.
pub fn http_date_ns(text: &[u8]) -> Option<u64> {
    let &[
        _,
        _,
        _,
        b',',
        b' ',
        d0,
        d1,
        b' ',
        m0,
        m1,
        m2,
        b' ',
        y0,
        y1,
        y2,
        y3,
        b' ',
        h0,
        h1,
        b':',
        mi0,
        mi1,
        b':',
        s0,
        s1,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = text
    else {
        return None;
    };
    let month = MONTHS.iter().position(|name| **name == [m0, m1, m2])?;
    let secs = unix_secs(
        number(&[y0, y1, y2, y3])?,
        month as u64 + 1,
        number(&[d0, d1])?,
        [number(&[h0, h1])?, number(&[mi0, mi1])?, number(&[s0, s1])?],
    )?;
    join(secs, 0)
}

/// `1784703661.229030006` in nanoseconds since the epoch.
pub fn unix_ns(text: &[u8]) -> Option<u64> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = text.split_at_checked(point.unwrap_or(text.len()))?;
    join(number(whole)?, if fraction.is_empty() { 0 } else { decimals(fraction.strip_prefix(b".")?)? })
}

fn join(secs: u64, nanos: u64) -> Option<u64> {
    secs.checked_mul(SECOND)?.checked_add(nanos)
}

/// One to eighteen digits.
fn number(digits: &[u8]) -> Option<u64> {
    let is_number = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
}

/// The digits behind a point as nanoseconds.
fn decimals(digits: &[u8]) -> Option<u64> {
    let missing = 9u32.checked_sub(u32::try_from(digits.len()).ok()?)?;
    Some(number(digits)? * 10u64.pow(missing))
}

/// Seconds since the epoch of a moment of the Gregorian calendar. A leap second is the first of the next minute.
fn unix_secs(year: u64, month: u64, day: u64, [hour, minute, second]: [u64; 3]) -> Option<u64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of_month = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if year < 1970 || !(1..=days_of_month).contains(&day) || !is_time {
        return None;
    }
    // A year that begins in March has its leap day at its end, so that the days before a month are a line.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_exact_or_refused() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-07-22T07:01:01.229030006Z", Some(1_784_703_661_229_030_006)),
            ("2000-02-29T23:59:59.9Z", Some(951_868_799_900_000_000)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000_000_000)),
            ("2100-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-04-31T00:00:00Z", None),
            ("2026-01-01T24:00:00Z", None),
            ("2026-01-01T00:00:00", None),
            ("2026-01-01T00:00:00.Z", None),
            ("2026-01-01T00:00:00.0000000001Z", None),
            ("2026-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59Z", None), // beyond 64 bits of nanoseconds
            ("0", None),
            ("", None),
        ] {
            assert_eq!(rfc3339_ns(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(http_date_ns(b"Wed, 22 Jul 2026 07:01:01 GMT"), Some(1_784_703_661_000_000_000));
        assert_eq!(http_date_ns(b"Wed, 22 Xul 2026 07:01:01 GMT"), None);
        assert_eq!(unix_ns(b"1784703661.229030006"), Some(1_784_703_661_229_030_006));
        assert_eq!(unix_ns(b"0"), Some(0));
        assert_eq!(
            (unix_ns(b"-1"), unix_ns(b"1."), unix_ns(b""), unix_ns(b"99999999999999999")),
            (None, None, None, None)
        );
    }

    /// The slow twin counts days one by one.
    #[test]
    fn every_day_of_two_centuries_is_one_after_the_last() {
        let mut expected = 0;
        for year in 1970..2170 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(secs) = unix_secs(year, month, day, [0; 3]) {
                        assert_eq!(secs, expected, "{year}-{month}-{day}");
                        expected += 86_400;
                    }
                }
            }
        }
    }
}
