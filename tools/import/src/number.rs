//! Numbers and stamps as archives write them: exact in 1e-8 units and nanoseconds, or refused.

use smc_core::TsNs;

/// Most digits of a number that is looked at.
const DIGITS_MAX: usize = 40;

/// Decimal text, also with an exponent, in 1e-8 units. None when it is no number, does not fit, or has more than eight
/// decimals that are not zero.
pub fn decimal(text: &str) -> Option<i64> {
    let text = text.trim();
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (is_negative, digits) = match mantissa.as_bytes().first()? {
        b'-' => (true, &mantissa[1..]),
        b'+' => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > DIGITS_MAX {
        return None;
    }
    // What is left to the right of the point after moving it, and how many places that has.
    let mut value: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    let mut places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    while places < 8 && value != 0 {
        value = value.checked_mul(10)?;
        places += 1;
    }
    while places > 8 {
        if value % 10 != 0 {
            return None;
        }
        value /= 10;
        places -= 1;
        if value == 0 {
            break;
        }
    }
    i64::try_from(if is_negative { -value } else { value }).ok()
}

/// A whole stamp since 1970 in seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude: the archives
/// went from milli- to microseconds in 2025 and say so nowhere else. Before 1973 nobody traded here.
pub fn stamp(text: &str) -> Option<TsNs> {
    let value: u64 = text.trim().parse().ok()?;
    let unit = match value {
        0..100_000_000 => return None,
        100_000_000..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    value.checked_mul(unit).map(TsNs)
}

/// Seconds since 1970 with a fraction.
pub fn seconds(text: &str) -> Option<TsNs> {
    let units = decimal(text)?;
    u64::try_from(units).ok()?.checked_mul(10).map(TsNs)
}

/// `true`, `True`, `1`, and their opposites.
pub fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "True" | "TRUE" | "1" => Some(true),
        "false" | "False" | "FALSE" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        for (text, units) in [
            ("1", 100_000_000),
            ("0.00000001", 1),
            ("-2.5", -250_000_000),
            ("+.5", 50_000_000),
            ("5.", 500_000_000),
            ("1.2300000000000", 123_000_000),
            ("4.50554e+02", 45_055_400_000),
            ("1e-8", 1),
            ("25e-9", 0),
            ("0e-999", 0),
            ("0", 0),
            ("92233720368.54775807", i64::MAX),
        ] {
            let expected = if text == "25e-9" { None } else { Some(units) };
            assert_eq!(decimal(text), expected, "{text}");
        }
        for text in [
            "",
            ".",
            "-",
            "1.123456789",
            "1e",
            "e5",
            "1,5",
            "0x1",
            "nan",
            "inf",
            "1e30",
            "1 2",
            "٣",
            "92233720368.54775808",
            "1e-2147483648",
            "1e2147483647",
            "--1",
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }

    #[test]
    fn stamps_are_told_apart_by_magnitude() {
        let ns = 1_735_689_600_010_866_000;
        assert_eq!(stamp("1735689600010866"), Some(TsNs(ns)));
        assert_eq!(stamp("1735689600010"), Some(TsNs(1_735_689_600_010_000_000)));
        assert_eq!(stamp("1735689600"), Some(TsNs(1_735_689_600_000_000_000)));
        assert_eq!(stamp("1735689600010866000"), Some(TsNs(ns)));
        assert_eq!(seconds("1696982287.4922"), Some(TsNs(1_696_982_287_492_200_000)));
        for text in ["", "12", "-5", "1.5", "99999999999999999999"] {
            assert_eq!(stamp(text), None, "{text}");
        }
    }
}
