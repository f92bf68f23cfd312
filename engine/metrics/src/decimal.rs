//! Decimal numbers with forty decimals: what accounts are kept in, to be shown with eighteen.
//!
//! Sums and products of inputs with at most eighteen decimals are exact; quotients are rounded at the fortieth, half to
//! even, so a million of them are still far from the eighteenth.

use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// Decimals that are kept.
const KEPT: u32 = 40;
/// Decimals that inputs may have and that are shown.
const SHOWN: u32 = 18;
/// Most digits before the point of an input.
const WHOLE_MAX: usize = 20;

/// A decimal number.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal {
    /// In 1e-40.
    units: BigInt,
}

/// Why text is no decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// No digits.
    Empty,
    /// Something that is neither a digit, nor the point, nor a minus in front.
    BadByte {
        /// Where, in bytes.
        at: usize,
    },
    /// More than twenty digits before the point or eighteen behind it.
    TooLong,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no digits"),
            Self::BadByte { at } => write!(f, "byte {at} is no digit"),
            Self::TooLong => f.write_str("more than 20 digits before the point or 18 behind it"),
        }
    }
}

impl std::error::Error for DecimalError {}

fn power(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// `above / below`, half to even; `below` is not zero.
fn divide(above: &BigInt, below: &BigInt) -> BigInt {
    let (quotient, rest) = (above / below, above % below);
    let twice = rest.magnitude() * 2u32;
    let away = match twice.cmp(below.magnitude()) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => quotient.bit(0),
    };
    match (away, above.sign() == below.sign()) {
        (false, _) => quotient,
        (true, true) => quotient + 1,
        (true, false) => quotient - 1,
    }
}

impl Decimal {
    /// Parses plain decimal text: `-12.5`.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let offset = text.len() - digits.len();
        let stray = digits.bytes().enumerate().position(|(at, byte)| {
            let is_point = byte == b'.' && at == whole.len();
            !byte.is_ascii_digit() && !is_point
        });
        if let Some(at) = stray {
            return Err(DecimalError::BadByte { at: at + offset });
        }
        if whole.is_empty() && part.is_empty() {
            return Err(DecimalError::Empty);
        }
        if whole.len() > WHOLE_MAX || part.len() > SHOWN as usize {
            return Err(DecimalError::TooLong);
        }
        // At most 38 digits.
        let number =
            whole.bytes().chain(part.bytes()).fold(0i128, |n, digit| n * 10 + i128::from(digit - b'0'));
        let number = if offset == 1 { -number } else { number };
        Ok(Self { units: BigInt::from(number) * power(KEPT - part.len() as u32) })
    }

    /// Nothing.
    pub fn zero() -> Self {
        Self::default()
    }

    /// -1, 0 or 1.
    pub fn signum(&self) -> i8 {
        match self.units.sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        }
    }

    /// Without sign.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self { units: BigInt::from(self.units.magnitude().clone()) }
    }

    /// The product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        Self { units: divide(&(&self.units * &other.units), &power(KEPT)) }
    }

    /// The quotient; none by zero.
    pub fn over(&self, other: &Self) -> Option<Self> {
        let is_zero = other.signum() == 0;
        (!is_zero).then(|| Self { units: divide(&(&self.units * power(KEPT)), &other.units) })
    }
}

impl Add<&Decimal> for Decimal {
    type Output = Self;
    fn add(mut self, other: &Self) -> Self {
        self += other;
        self
    }
}

impl Sub<&Decimal> for Decimal {
    type Output = Self;
    fn sub(mut self, other: &Self) -> Self {
        self -= other;
        self
    }
}

impl AddAssign<&Decimal> for Decimal {
    fn add_assign(&mut self, other: &Self) {
        self.units += &other.units;
    }
}

impl SubAssign<&Decimal> for Decimal {
    fn sub_assign(&mut self, other: &Self) {
        self.units -= &other.units;
    }
}

impl Neg for Decimal {
    type Output = Self;
    fn neg(self) -> Self {
        Self { units: -self.units }
    }
}

/// With at most eighteen decimals, half to even, without trailing zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = divide(&self.units, &power(KEPT - SHOWN));
        let digits = format!("{:0>width$}", shown.magnitude().to_string(), width = SHOWN as usize + 1);
        let (whole, part) = digits.split_at(digits.len() - SHOWN as usize);
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        f.pad_integral(shown.sign() != Sign::Minus, "", &format!("{whole}{point}{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn text_goes_in_and_comes_out() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("007.50", "7.5"),
            (".5", "0.5"),
            ("3.", "3"),
            ("-0.000000000000000001", "-0.000000000000000001"),
            ("12345678901234567890.123456789012345678", "12345678901234567890.123456789012345678"),
        ] {
            assert_eq!(decimal(text).to_string(), shown);
        }
        for (text, error) in [
            ("", DecimalError::Empty),
            ("-", DecimalError::Empty),
            (".", DecimalError::Empty),
            ("--1", DecimalError::BadByte { at: 1 }),
            ("1.2.3", DecimalError::BadByte { at: 3 }),
            ("1e3", DecimalError::BadByte { at: 1 }),
            (" 1", DecimalError::BadByte { at: 0 }),
            ("123456789012345678901", DecimalError::TooLong),
            ("0.1234567890123456789", DecimalError::TooLong),
        ] {
            assert_eq!(Decimal::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let tiny = decimal("0.000000000000000001");
        let half = tiny.over(&decimal("2")).unwrap();
        for (halves, shown) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3), (7, 4)] {
            let count = decimal(&halves.to_string());
            let expected = tiny.times(&decimal(&shown.to_string())).to_string();
            assert_eq!(half.times(&count).to_string(), expected);
            assert_eq!(
                (-half.times(&count)).to_string(),
                (-tiny.times(&decimal(&shown.to_string()))).to_string()
            );
        }
        assert_eq!(decimal("2").over(&decimal("3")).unwrap().to_string(), "0.666666666666666667");
        assert_eq!(decimal("-2").over(&decimal("3")).unwrap().to_string(), "-0.666666666666666667");
        assert_eq!(decimal("1").over(&Decimal::zero()), None);
    }
}
