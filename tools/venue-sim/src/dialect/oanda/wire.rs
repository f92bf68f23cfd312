//! How the venue writes and reads: decimal strings, times, and JSON objects in its own key order.
//!
//! Pure. Amounts are `i64` in 1e-8 inside; nothing that a client sent can make a reader here panic.

use crate::market::fx::calendar::{self, DAY_S, SECOND_NS};
use smc_core::TsNs;
use std::fmt::Write;

/// One unit in 1e-8.
pub const UNIT: i64 = 100_000_000;
/// Decimals of cash.
pub const CASH_DECIMALS: u32 = 4;

/// An amount with so many decimals (at most 8), rounded half away from zero.
pub fn decimal(value: i64, decimals: u32) -> String {
    let step = 10_u64.pow(8 - decimals.min(8));
    let rounded = (value.unsigned_abs() + step / 2) / step;
    let scale = 10_u64.pow(decimals.min(8));
    let sign = if value < 0 && rounded > 0 { "-" } else { "" };
    match decimals {
        0 => format!("{sign}{rounded}"),
        _ => {
            format!("{sign}{}.{:0width$}", rounded / scale, rounded % scale, width = decimals.min(8) as usize)
        }
    }
}

/// Cash with four decimals.
pub fn cash(value: i64) -> String {
    decimal(value, CASH_DECIMALS)
}

/// Cash as it is booked: rounded half away from zero to four decimals, so that balances add up exactly.
pub fn booked(value: i128) -> i64 {
    let step = 10_000;
    let rounded = (value.abs() + step / 2) / step * step;
    i64::try_from(rounded * value.signum()).unwrap_or(i64::MAX)
}

/// The shortest text of an amount.
pub fn plain(value: i64) -> String {
    let text = decimal(value, 8);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A factor in 1e-12, with at most twelve decimals.
pub fn factor(value: i128) -> String {
    let text = format!("{}.{:012}", value / 1_000_000_000_000, value % 1_000_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number as a client wrote it: its value in 1e-8 (further digits cut) and its decimals. None when it is no number.
pub fn number(text: &str) -> Option<(i64, u32)> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 10 || part.len() > 40 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let mut value: i64 = whole.parse().ok()?;
    for at in 0..8 {
        let digit = part.as_bytes().get(at).map_or(0, |b| i64::from(b - b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some((if is_negative { -value } else { value }, part.len() as u32))
}

/// `2026-07-22T07:01:01.229030006Z`.
pub fn time(ts: TsNs) -> String {
    let s = calendar::seconds(ts);
    let (year, month, day) = calendar::date_of(s.div_euclid(DAY_S));
    let (hour, minute, second) = (s % DAY_S / 3_600, s % 3_600 / 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", ts.0 % SECOND_NS)
}

/// Reads an RFC 3339 time in UTC, a date, or seconds since the epoch with a fraction.
pub fn parse_time(text: &str) -> Option<TsNs> {
    if text.is_empty() || text.len() > 40 || !text.is_ascii() {
        return None;
    }
    let (body, nanos) = match text.trim_end_matches('Z').trim_end_matches("+00:00").split_once('.') {
        Some((body, fraction)) => (body, fraction_ns(fraction)?),
        None => (text.trim_end_matches('Z').trim_end_matches("+00:00"), 0),
    };
    let seconds: i64 = match body.split_once(['T', ' ']) {
        None if body.bytes().all(|b| b.is_ascii_digit()) => body.parse().ok()?,
        None => date(body)? * DAY_S,
        Some((day, clock)) => {
            let mut parts = clock.split(':').map(|part| part.parse::<u32>().ok());
            let (hour, minute) = (parts.next()??, parts.next()??);
            let second = parts.next().unwrap_or(Some(0))?;
            if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
                return None;
            }
            date(day)? * DAY_S + i64::from(hour * 3_600 + minute * 60 + second)
        }
    };
    let ns = u64::try_from(seconds).ok()?.checked_mul(SECOND_NS)?.checked_add(nanos)?;
    (ns < i64::MAX as u64).then_some(TsNs(ns))
}

fn fraction_ns(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = text.parse().ok()?;
    Some(value * 10_u64.pow(9 - text.len() as u32))
}

fn date(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_date = (1970..2200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then(|| calendar::days_of(year, month, day))
}

/// Turns every RFC 3339 string value of a JSON text into seconds since the epoch, for clients that ask for `UNIX`.
pub fn unix_times(text: &str) -> String {
    const LEN: usize = "2026-07-22T07:01:01.229030006Z".len();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (before, from) = rest.split_at(at + 1);
        out.push_str(before);
        rest = from;
        let Some(value) = from.get(..LEN) else { continue };
        let is_time = value.ends_with('Z') && from.as_bytes().get(LEN) == Some(&b'"');
        if let Some(ts) = parse_time(value).filter(|_| is_time) {
            let _ = write!(out, "{}.{:09}", ts.0 / SECOND_NS, ts.0 % SECOND_NS);
            rest = from.get(LEN..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// A JSON object that is written member by member.
#[derive(Clone, Debug, Default)]
pub struct Obj(String);

impl Obj {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// A member whose value is JSON already.
    pub fn raw(mut self, key: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        let _ = write!(self.0, "\"{key}\":{value}");
        self
    }

    /// A string member.
    pub fn text(self, key: &str, value: &str) -> Self {
        let quoted = serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned());
        self.raw(key, &quoted)
    }

    /// An id, which is a number in a string.
    pub fn id(self, key: &str, id: u64) -> Self {
        self.raw(key, &format!("\"{id}\""))
    }

    /// Cash with four decimals.
    pub fn cash(self, key: &str, value: i64) -> Self {
        self.raw(key, &format!("\"{}\"", cash(value)))
    }

    /// A time.
    pub fn time(self, key: &str, ts: TsNs) -> Self {
        self.raw(key, &format!("\"{}\"", time(ts)))
    }

    /// Ids as strings.
    pub fn ids(self, key: &str, ids: impl IntoIterator<Item = u64>) -> Self {
        self.list(key, ids.into_iter().map(|id| format!("\"{id}\"")))
    }

    /// A list of values that are JSON already.
    pub fn list(self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().collect();
        self.raw(key, &format!("[{}]", values.join(",")))
    }

    /// Runs a step only when there is a value for it.
    pub fn with<T>(self, value: Option<T>, step: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => step(self, value),
            None => self,
        }
    }

    /// Adds the members of another object.
    pub fn join(mut self, members: &str) -> Self {
        if !self.0.is_empty() && !members.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(members);
        self
    }

    /// The members without braces.
    pub fn members(self) -> String {
        self.0
    }

    /// The whole object.
    pub fn done(self) -> String {
        format!("{{{}}}", self.0)
    }
}

/// Undoes percent encoding and `+`; none when it is malformed.
pub fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = rest.get(2..)?;
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_decimals_and_refuse_what_is_none() {
        assert_eq!(number("1.33687666666666"), Some((133_687_666, 14)));
        assert_eq!((number("-100"), number("0.5")), (Some((-100 * UNIT, 0)), Some((UNIT / 2, 1))));
        for text in ["", "-", ".5", "1e5", "1,5", "0x1", "99999999999", "NaN", "+1", "--1", "1.-5"] {
            assert_eq!(number(text), None, "{text}");
        }
        assert_eq!(
            (decimal(-1, 4), decimal(-5_000, 4), cash(123_456_789)),
            ("0.0000".into(), "-0.0001".into(), "1.2346".into())
        );
        assert_eq!(
            (plain(UNIT), plain(3_330_000), factor(8_664_945_317)),
            ("1".into(), "0.0333".into(), "0.008664945317".into())
        );
        assert_eq!((booked(123_456), booked(-125_000), booked(4_999)), (120_000, -130_000, 0));
    }

    #[test]
    fn times_are_read_as_written_and_as_other_clients_write_them() {
        let ts = TsNs(1_784_703_661_229_030_006);
        assert_eq!(time(ts), "2026-07-22T07:01:01.229030006Z");
        assert_eq!(parse_time(&time(ts)), Some(ts));
        assert_eq!(parse_time("1784703661.229030006"), Some(ts));
        assert_eq!(parse_time("2024-10-01"), Some(TsNs(1_727_740_800 * SECOND_NS)));
        assert_eq!(parse_time("2024-10-01T00:00:00Z"), parse_time("2024-10-01 00:00"));
        for text in [
            "",
            "x",
            "2024-13-01",
            "2024-10-01T25:00:00Z",
            "1.",
            "9999999999999",
            "-5",
            "2024-10-01T00:00:00.x",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        let text = format!("{{\"time\":\"{}\",\"t\":\"0\",\"c\":\"Z\"}}", time(ts));
        assert_eq!(unix_times(&text), "{\"time\":\"1784703661.229030006\",\"t\":\"0\",\"c\":\"Z\"}");
    }

    #[test]
    fn queries_are_unescaped_or_refused() {
        assert_eq!(unescape("EUR_USD%2CUSD_JPY+x").as_deref(), Some("EUR_USD,USD_JPY x"));
        assert_eq!((unescape("%2"), unescape("%zz"), unescape("%ff")), (None, None, None));
    }
}
