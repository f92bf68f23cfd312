//! Numbers in the venue's texts: decimal strings to 1e-8 units, digits to integers. Exact, or refused.
//!
//! The quick paths read eight digits at a time out of one 64-bit word (SWAR). The idea: a run of digits
//! shifted to the top of a little-endian word has zeros below it, which count as leading zeros; three
//! multiplications then join neighbours to pairs, fours and eight. What the quick path does not recognise
//! goes the slow, complete way, so that both ways give the same answer.

use smc_core::words::{DecimalError, Price};

/// Why a price or quantity was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberError {
    /// Not a number, or too large.
    Bad(DecimalError),
    /// Has a minus sign; no price or quantity of the venue has one, not even before a zero.
    Negative,
}

/// A decimal that cannot be negative, in 1e-8 units. The reference that the quick path must equal.
pub fn decimal(text: &[u8]) -> Result<i64, NumberError> {
    if text.first() == Some(&b'-') {
        return Err(NumberError::Negative);
    }
    Price::parse(text).map(|price| price.0).map_err(NumberError::Bad)
}

/// The decimal text at the front of `bytes`, which must end with `"`. Returns the value in 1e-8 units and
/// the bytes taken, the quote included. None: not for the quick path, or not a number.
#[inline]
pub fn quoted_decimal(bytes: &[u8]) -> Option<(i64, usize)> {
    match quick_decimal(bytes) {
        Some(found) => Some(found),
        None => slow_quoted_decimal(bytes),
    }
}

/// One to seven digits, then a quote, or a point, one to eight digits and a quote: nearly every number a venue sends.
#[inline]
fn quick_decimal(bytes: &[u8]) -> Option<(i64, usize)> {
    let (whole, digits) = leading_digits(word(bytes, 0)?);
    if digits == 0 || digits == 8 {
        return None;
    }
    match *bytes.get(digits)? {
        b'.' => {}
        b'"' => return Some(((whole * 100_000_000) as i64, digits + 1)),
        _ => return None,
    }
    let (fraction, decimals) = leading_digits(word(bytes, digits + 1)?);
    if decimals == 0 || *bytes.get(digits + 1 + decimals)? != b'"' {
        return None;
    }
    // At most 9,999,999 whole: the sum is below 1e15.
    let fraction = fraction * *POWERS.get(8 - decimals)?;
    Some(((whole * 100_000_000 + fraction) as i64, digits + decimals + 2))
}

/// Longest decimal text looked at on the slow way; longer ones are left to the tape.
const DECIMAL_TEXT_MAX: usize = 40;

#[cold]
fn slow_quoted_decimal(bytes: &[u8]) -> Option<(i64, usize)> {
    let end = bytes.iter().take(DECIMAL_TEXT_MAX).position(|&byte| byte == b'"')?;
    decimal(bytes.get(..end)?).ok().map(|value| (value, end + 1))
}

/// An unsigned integer as JSON writes it: no sign, no leading zero, at most 19 digits. Returns value and
/// length; the caller checks what follows.
#[inline]
pub fn integer(bytes: &[u8]) -> Option<(u64, usize)> {
    let (mut value, mut len) = (0u64, 0usize);
    while let Some(word) = word(bytes, len) {
        let (part, digits) = leading_digits(word);
        len += digits;
        if len > 19 {
            return None;
        }
        // 19 digits are below 1e19, which fits.
        value = value.checked_mul(*POWERS.get(digits)?)?.checked_add(part)?;
        if digits < 8 {
            return plain_integer(bytes, value, len);
        }
    }
    while let Some(byte @ b'0'..=b'9') = bytes.get(len).copied() {
        len += 1;
        if len > 19 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
    }
    plain_integer(bytes, value, len)
}

#[inline]
fn plain_integer(bytes: &[u8], value: u64, len: usize) -> Option<(u64, usize)> {
    let is_plain = len == 1 || len > 1 && bytes.first() != Some(&b'0');
    is_plain.then_some((value, len))
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Eight bytes at `at`, first byte lowest; none when fewer are left.
#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let chunk = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(chunk.try_into().ok()?))
}

/// Value and count (0 to 8) of the digits at the front of `word`.
#[inline]
fn leading_digits(word: u64) -> (u64, usize) {
    // A byte is a digit when byte ^ '0' is at most 9. Adding 0x76 to the low seven bits carries into the
    // top bit from 10 on and never into the neighbour.
    let distance = word ^ 0x3030_3030_3030_3030;
    let not_digit =
        (((distance & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | distance) & 0x8080_8080_8080_8080;
    let count = (not_digit.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    (eight_digits(distance << (64 - 8 * count)), count)
}

/// Joins eight digit values (0 to 9 each, first digit lowest) to one number.
#[inline]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2_561) >> 8;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: find the quote, parse the text before it.
    fn twin(bytes: &[u8]) -> Option<(i64, usize)> {
        let end = bytes.iter().position(|&b| b == b'"')?;
        decimal(&bytes[..end]).ok().map(|value| (value, end + 1))
    }

    fn check(text: &str) {
        for tail in ["\"", "\"}", "\",\"B\":\"0.00000000\"}}"] {
            let bytes = format!("{text}{tail}");
            assert_eq!(quoted_decimal(bytes.as_bytes()), twin(bytes.as_bytes()), "{bytes}");
        }
    }

    #[test]
    fn quick_decimals_equal_the_slow_twin() {
        for text in [
            "61685.99000000",
            "0.00000001",
            "9999999.99999999",
            "99999999.00000000",
            "0",
            "1",
            "10",
            "1.5",
            "",
        ] {
            check(text);
        }
        for text in
            [".", "-", "-0", "-1.00000000", "NaN", "1e5", "1.2.3", "1.123456789", "1.1234567800", "+1"]
        {
            check(text);
        }
        for text in
            ["92233720368.54775807", "92233720368.54775808", "1.0000000/", "1.0000000:", "1\u{e9}.00000000"]
        {
            check(text);
        }
        let mut seed = 88_172_645_463_325_252u64;
        for _ in 0..20_000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let whole = seed % 10u64.pow((seed >> 60) as u32 % 12);
            check(&format!("{whole}.{:08}", (seed >> 20) % 100_000_000));
            check(&format!("{whole}.{}", (seed >> 20) % 1_000));
        }
    }

    #[test]
    fn integers_are_plain_json_or_refused() {
        for value in [0u64, 7, 12_345_678, 123_456_789, 1_723_161_255_619, 9_999_999_999_999_999_999] {
            for tail in ["", ",", ",\"s\":\"BTCUSDT\""] {
                let text = format!("{value}{tail}");
                let len = value.to_string().len();
                assert_eq!(integer(text.as_bytes()), Some((value, len)), "{text}");
            }
        }
        for text in ["", "-1", "01", "00", "x", "99999999999999999999", "123456789012345678901234567890"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn each_single_byte_is_digit_or_not() {
        for byte in 0..=255u8 {
            let word = u64::from_le_bytes([byte, b'1', b'2', b'3', b'4', b'5', b'6', b'7']);
            let expected = if byte.is_ascii_digit() { 8 } else { 0 };
            assert_eq!(leading_digits(word).1, expected, "byte {byte}");
        }
    }
}
