//! Numbers, times and texts as they are written: the same bytes for the same input, nothing of it markup.

use smc_core::words::{Money, SCALE, TsNs};
use smc_detect::csv::civil;
use std::fmt::{self, Display, Write};

/// Text that can be no markup, in elements and in quoted attributes.
pub struct Escaped<T>(pub T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escape(f), "{}", self.0)
    }
}

struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                // A page must not hold them at all.
                c if c.is_control() && c != '\n' && c != '\t' => self.0.write_char('\u{fffd}')?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// JSON that can end no `<script>` element.
pub fn script_safe(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// A number with so many decimals, thousands apart; a minus that is one; never a negative zero.
pub fn grouped(value: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), ""), |parts| parts);
    let is_zero = plain.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let mut out = String::new();
    if value < 0.0 && !is_zero {
        out.push('−');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A fraction as percent.
pub fn percent(value: f64, decimals: usize) -> String {
    grouped(value * 100.0, decimals) + " %"
}

/// With a plus where it is one.
pub fn signed(text: String, value: f64) -> String {
    let is_zero = !text.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    if value > 0.0 && !is_zero { format!("+{text}") } else { text }
}

/// A decimal of 1e-8 as the nearest number; for pictures and statistics alone.
pub fn float(scaled: i64) -> f64 {
    scaled as f64 / SCALE as f64
}

/// A decimal of 1e-8 with so many decimals, rounded half away from zero.
pub fn fixed(scaled: i64, decimals: u8) -> String {
    let step = 10i128.pow(8 - u32::from(decimals.min(8)));
    let sign = if scaled < 0 { -1 } else { 1 };
    let rounded = (i128::from(scaled) + sign * step / 2) / step * step;
    let (whole, part) = (rounded.abs() / i128::from(SCALE), rounded.abs() % i128::from(SCALE));
    let minus = if rounded < 0 { "-" } else { "" };
    let part = format!("{part:08}");
    match usize::from(decimals.min(8)) {
        0 => format!("{minus}{whole}"),
        decimals => format!("{minus}{whole}.{}", &part[..decimals]),
    }
}

/// An amount of the account's currency.
pub fn money(amount: Money, decimals: usize) -> String {
    grouped(float(amount.0), decimals)
}

/// Decimals at which an account of this size is read.
pub fn money_decimals(equity: Money) -> usize {
    match equity.0.saturating_abs() / SCALE {
        100.. => 2,
        1..=99 => 4,
        _ => 8,
    }
}

const NS: u64 = 1_000_000_000;

/// `2024-03-05`.
pub fn day(ts: TsNs) -> String {
    let (year, month, day) = civil(ts);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2024-03-05 14:05`, in UTC.
pub fn minute(ts: TsNs) -> String {
    let minutes = ts.0 / NS / 60 % 1_440;
    format!("{} {:02}:{:02}", day(ts), minutes / 60, minutes % 60)
}

/// A length of time in its two largest units.
pub fn duration(ns: u64) -> String {
    let secs = ns / NS;
    let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{secs} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, ..) => format!("{hours} h {minutes:02} min"),
        (_, 0, 0) => format!("{days} d"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let text = "<b a=\"x\" b='y'>&\u{1}";
        assert_eq!(Escaped(text).to_string(), "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;\u{fffd}");
        assert_eq!(script_safe("\"</script>&\u{2028}\""), "\"\\u003c/script\\u003e\\u0026\\u2028\"");
    }

    #[test]
    fn numbers_are_read_by_people() {
        assert_eq!(grouped(1_234_567.891, 2), "1,234,567.89");
        assert_eq!((grouped(-0.001, 2), grouped(-999.5, 1)), ("0.00".into(), "−999.5".into()));
        assert_eq!(grouped(0.0, 0), "0");
        assert_eq!(
            (signed(percent(0.25, 1), 0.25), signed(percent(0.0, 1), 0.0)),
            ("+25.0 %".into(), "0.0 %".into())
        );
        assert_eq!((fixed(-123_456_789, 2), fixed(199_999_999, 0)), ("-1.23".into(), "2".into()));
        assert_eq!((fixed(-1, 2), fixed(i64::MIN, 8)), ("0.00".into(), "-92233720368.54775808".into()));
        assert_eq!(minute(TsNs(1_706_693_400 * NS)), "2024-01-31 09:30");
        assert_eq!([59, 3_600, 90_000].map(|secs| duration(secs * NS)), ["59 s", "1 h", "1 d 1 h"]);
    }
}
