//! A cell of numbers: exact in 1e-8 units for the live engine, as a float for the tables.

use smc_core::words::Price;

/// What a price or volume cell says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// A number: in 1e-8 units, rounded to the nearest, and as the float nearest to the text.
    Number(Price, f64),
    /// Empty, NaN, null.
    Missing,
    /// Infinite either way.
    Infinite,
    /// Beyond what 1e-8 units can hold; the float nearest to the text.
    Huge(f64),
}

impl Cell {
    /// The number as a float, NaN where there is none.
    pub const fn float(self) -> f64 {
        match self {
            Self::Number(_, float) | Self::Huge(float) => float,
            Self::Missing | Self::Infinite => f64::NAN,
        }
    }

    /// Reads a cell; none when it is text. A decimal comma is one where commas do not separate.
    pub(super) fn parse(text: &str, has_decimal_comma: bool) -> Option<Self> {
        if is_missing(text) {
            return Some(Self::Missing);
        }
        let pointed;
        let text = match has_decimal_comma && text.contains(',') && !text.contains('.') {
            true => {
                pointed = text.replace(',', ".");
                pointed.as_str()
            }
            false => text,
        };
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if unsigned.eq_ignore_ascii_case("inf") || unsigned.eq_ignore_ascii_case("infinity") {
            return Some(Self::Infinite);
        }
        let price = scaled(unsigned)?;
        let float: f64 = text.parse().ok()?;
        let is_negative = text.starts_with('-');
        Some(match price.map(|units| if is_negative { -units } else { units }) {
            Some(units) => Self::Number(Price(units), float),
            None if float.is_infinite() => Self::Infinite,
            None => Self::Huge(float),
        })
    }
}

const MISSING: [&str; 6] = ["nan", "null", "none", "na", "n/a", "<na>"];

fn is_missing(text: &str) -> bool {
    text.is_empty() || text == "-" || MISSING.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Digits with an optional point and exponent, in 1e-8 units rounded half away from zero. The outer none is
/// "no number", the inner one "too large".
fn scaled(text: &str) -> Option<Option<i64>> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?.clamp(-1_000, 1_000)),
        None => (text, 0),
    };
    let (mut value, mut digits, mut point) = (0u128, 0, None);
    for byte in mantissa.bytes() {
        match byte {
            b'0'..=b'9' => {
                // What is past 1e37 is far beyond any price and only stays huge.
                value = value.saturating_mul(10).saturating_add(u128::from(byte - b'0')).min(10u128.pow(37));
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    let decimals = point.map_or(0, |point| digits - point);
    let shift = exponent - decimals + 8;
    // More digits than the value can hold were cut at the cap; a long fraction is then read again, shorter.
    if value == 10u128.pow(37) && decimals > 18 {
        let keep = mantissa.len() - (decimals as usize - 18);
        return scaled(&format!("{}e{exponent}", &mantissa[..keep]));
    }
    let units = match shift.unsigned_abs() {
        steps if shift >= 0 => 10u128
            .checked_pow(steps)
            .and_then(|factor| value.checked_mul(factor))
            .or((value == 0).then_some(0)),
        steps => Some(10u128.checked_pow(steps).map_or(0, |factor| (value + factor / 2) / factor)),
    };
    Some(units.and_then(|units| i64::try_from(units).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Option<i64> {
        match Cell::parse(text, true)? {
            Cell::Number(price, _) => Some(price.0),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn numbers_are_exact_and_rounded_past_the_eighth_decimal() {
        assert_eq!(units("0.97369"), Some(97_369_000));
        assert_eq!(units("1,5"), Some(150_000_000));
        assert_eq!(units("-2"), Some(-200_000_000));
        assert_eq!(units("+.5"), Some(50_000_000));
        assert_eq!(units("5."), Some(500_000_000));
        assert_eq!(units("1.05230000000000013"), Some(105_230_000));
        assert_eq!(units("0.000000015"), Some(2));
        assert_eq!(units("1.5e-05"), Some(1_500));
        assert_eq!(units("2.3E3"), Some(230_000_000_000));
        assert_eq!(units("0e99"), Some(0));
        assert_eq!(units("0.1000000000000000055511151231257827021181583404541015625"), Some(10_000_000));
        assert_eq!(Cell::parse("1.0523", false), Some(Cell::Number(Price(105_230_000), 1.0523)));
    }

    #[test]
    fn what_is_missing_infinite_or_huge_is_told_apart_from_text() {
        for text in ["", "NaN", "null", "-", "None"] {
            assert_eq!(Cell::parse(text, false), Some(Cell::Missing), "{text}");
        }
        for text in ["inf", "-Infinity", "1e999"] {
            assert_eq!(Cell::parse(text, false), Some(Cell::Infinite), "{text}");
        }
        assert_eq!(Cell::parse("1e12", false), Some(Cell::Huge(1e12)));
        assert_eq!(
            Cell::parse("99999999999999999999999999999999999999999999", false),
            Some(Cell::Huge(1e44))
        );
        for text in ["abc", "1.2.3", "1e", "--1", "1,5", ".", "1_000", "0x10", "1e5e5"] {
            assert_eq!(Cell::parse(text, false), None, "{text}");
        }
        assert!(matches!(Cell::parse(&"1".repeat(400), false), Some(Cell::Infinite)));
    }
}
