//! The words everybody speaks: prices, quantities, money, times, identifiers.
//!
//! Decimal integers scaled by 1e8 behind newtypes; no float carries a price, a quantity or money.
//! Products go through `i128`; where a result must be rounded the caller names the direction.

use core::fmt;

use crate::state::{State, StateError, StateIo};

/// Units in one whole: every `Price`, `Qty` and `Money` is an integer number of 1e-8.
pub const SCALE: i64 = 100_000_000;

macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub i64);

        /// As decimal text: dumps are for people.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Parses decimal text exactly: optional minus, digits, at most one point, at most eight
            /// decimals that are not zero. Anything else, and anything beyond `i64`, is an error.
            pub fn parse(text: &[u8]) -> Result<Self, DecimalError> {
                parse_decimal(text).map(Self)
            }

            /// Absolute value; saturates at `i64::MAX`.
            pub const fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0u8; DECIMAL_TEXT_MAX];
                let len = write_decimal(self.0, &mut text);
                f.pad(core::str::from_utf8(&text[..len]).unwrap_or("?"))
            }
        }
    };
}

decimal! {
    /// Price of one base unit in quote currency, in 1e-8.
    Price
}
decimal! {
    /// Quantity in base units, in 1e-8; signed where it is a position.
    Qty
}
decimal! {
    /// Amount of quote currency, in 1e-8; signed.
    Money
}

/// Why decimal text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// No digit at all.
    Empty,
    /// A byte that is neither digit, point nor leading minus; its offset.
    BadByte {
        /// Offset of the byte in the text.
        at: usize,
    },
    /// More than eight decimals, and one beyond the eighth is not zero.
    TooPrecise,
    /// Does not fit an `i64` of 1e-8 units.
    TooLarge,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no digits"),
            Self::BadByte { at } => write!(f, "not a decimal number at byte {at}"),
            Self::TooPrecise => f.write_str("more than eight decimals"),
            Self::TooLarge => f.write_str("number too large"),
        }
    }
}

/// Longest text `write_decimal` makes: sign, 11 digits, point, 8 decimals.
pub const DECIMAL_TEXT_MAX: usize = 24;

fn parse_decimal(text: &[u8]) -> Result<i64, DecimalError> {
    let (is_negative, digits_at) = match text.first() {
        Some(b'-') => (true, 1),
        _ => (false, 0),
    };
    let mut value: i64 = 0;
    let mut decimals: Option<u32> = None;
    let mut digits = 0u32;
    for (at, &byte) in text.iter().enumerate().skip(digits_at) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                match decimals {
                    Some(8) if byte == b'0' => continue,
                    Some(8) => return Err(DecimalError::TooPrecise),
                    Some(ref mut n) => *n += 1,
                    None => {}
                }
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i64::from(byte - b'0')))
                    .ok_or(DecimalError::TooLarge)?;
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return Err(DecimalError::BadByte { at }),
        }
    }
    if digits == 0 {
        return Err(DecimalError::Empty);
    }
    let missing = 8 - decimals.unwrap_or(0);
    let value = value.checked_mul(10i64.pow(missing)).ok_or(DecimalError::TooLarge)?;
    Ok(if is_negative { -value } else { value })
}

/// Writes `value` (1e-8 units) as decimal text without superfluous zeros; returns the length.
pub fn write_decimal(value: i64, out: &mut [u8; DECIMAL_TEXT_MAX]) -> usize {
    let mut at = 0;
    if value < 0 {
        out[at] = b'-';
        at += 1;
    }
    let magnitude = value.unsigned_abs();
    let (mut whole, mut fraction) = (magnitude / SCALE as u64, magnitude % SCALE as u64);
    let mut digits = [0u8; 20];
    let mut n = 0;
    loop {
        digits[n] = b'0' + (whole % 10) as u8;
        whole /= 10;
        n += 1;
        if whole == 0 {
            break;
        }
    }
    while n > 0 {
        n -= 1;
        out[at] = digits[n];
        at += 1;
    }
    if fraction != 0 {
        out[at] = b'.';
        at += 1;
        let mut unit = SCALE as u64 / 10;
        while fraction != 0 {
            out[at] = b'0' + (fraction / unit) as u8;
            fraction %= unit;
            unit = (unit / 10).max(1);
            at += 1;
        }
    }
    at
}

impl Price {
    /// `price × qty`, rounded up (away from zero for positive factors): what a purchase can cost us.
    pub fn notional_ceil(self, qty: Qty) -> Money {
        Money(clamp_i64(scale_ceil(i128::from(self.0) * i128::from(qty.0))))
    }

    /// `price × qty`, rounded down: what a sale can bring us.
    pub fn notional_floor(self, qty: Qty) -> Money {
        Money(clamp_i64(scale_floor(i128::from(self.0) * i128::from(qty.0))))
    }
}

/// Quotient rounded towards zero. `divisor > 0`. Most amounts fit the processor's own division, a fraction of the general
/// one's work.
pub const fn quotient(dividend: i128, divisor: i128) -> i128 {
    let (short, short_divisor) = (dividend as i64, divisor as i64);
    if short as i128 == dividend && short_divisor as i128 == divisor {
        short.wrapping_div(short_divisor) as i128
    } else {
        dividend / divisor
    }
}

/// `value × factor ÷ divisor`, rounded towards zero and saturated. `divisor > 0`.
pub const fn mul_div(value: i64, factor: i64, divisor: i64) -> i64 {
    clamp_i64(quotient(value as i128 * factor as i128, divisor as i128))
}

/// `value × ppm ÷ 1 000 000`, rounded towards zero and saturated.
pub const fn ppm_of(value: i64, ppm: u32) -> i64 {
    mul_div(value, ppm as i64, 1_000_000)
}

/// Quotient rounded towards plus infinity. `divisor > 0`.
pub const fn div_ceil(dividend: i128, divisor: i128) -> i128 {
    let cut = quotient(dividend, divisor);
    cut + if dividend > 0 && cut.wrapping_mul(divisor) != dividend { 1 } else { 0 }
}

/// `value ÷ SCALE`, rounded towards minus infinity. The hot path divides products by nothing else, and a general
/// division of 128 bits costs a call and twenty times a multiplication.
#[inline]
pub const fn scale_floor(value: i128) -> i128 {
    if value >= 0 { scale_down(value.unsigned_abs()) as i128 } else { !(scale_down(!value as u128) as i128) }
}

/// `value ÷ SCALE`, rounded towards plus infinity.
#[inline]
pub const fn scale_ceil(value: i128) -> i128 {
    if value > 0 {
        scale_down((value - 1).unsigned_abs()) as i128 + 1
    } else {
        -(scale_down(value.unsigned_abs()) as i128)
    }
}

/// `value ÷ SCALE` by multiplications: a shift by the scale's eight twos, then long division by its eight fives,
/// 32 bits at a time.
#[inline]
const fn scale_down(value: u128) -> u128 {
    const FIVES: u64 = 390_625;
    const { assert!(FIVES << 8 == SCALE as u64) };
    let value = value >> 8;
    let (high, low) = ((value >> 64) as u64, value as u64);
    if high == 0 {
        return (low / FIVES) as u128;
    }
    let middle = ((high % FIVES) << 32) | (low >> 32);
    let rest = ((middle % FIVES) << 32) | (low & 0xffff_ffff);
    (((high / FIVES) as u128) << 64) | (((middle / FIVES) << 32) | (rest / FIVES)) as u128
}

/// Saturates to the range of `i64`.
pub const fn clamp_i64(value: i128) -> i64 {
    if value > i64::MAX as i128 {
        i64::MAX
    } else if value < i64::MIN as i128 {
        i64::MIN
    } else {
        value as i64
    }
}

/// Nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TsNs(pub u64);

impl TsNs {
    /// From the venue's milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// In whole milliseconds, rounded down.
    pub const fn as_ms(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Nanoseconds from `earlier` to `self`; 0 when `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Direction of an order, or of the aggressor in a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Buys base for quote.
    Buy = 0,
    /// Sells base for quote.
    Sell = 1,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Buy, Self::Sell];

    /// Where a position opened by it wants the price to go.
    pub const fn direction(self) -> Direction {
        match self {
            Self::Buy => Direction::Up,
            Self::Sell => Direction::Down,
        }
    }

    /// +1 for a buy, −1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// Direction of a market structure: bullish or bearish, buy side (highs) or sell side (lows).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Bullish; of a pivot or pool: at the highs.
    Up = 0,
    /// Bearish; of a pivot or pool: at the lows.
    Down = 1,
}

impl Direction {
    /// The other direction.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    /// The side of an order that goes with the direction.
    pub const fn side(self) -> Side {
        match self {
            Self::Up => Side::Buy,
            Self::Down => Side::Sell,
        }
    }
}

/// Index of an instrument in the engine's table, in the order of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct InstrumentId(pub u16);

impl InstrumentId {
    /// For events that concern no single instrument.
    pub const NONE: Self = Self(u16::MAX);

    /// Position in the table.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Length of a bar in seconds, 1 to 86 400. Bars start at multiples of it since the epoch (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Timeframe(u32);

impl Timeframe {
    /// A timeframe of `seconds`; none unless it divides a day, so that buckets never straddle midnight.
    pub const fn from_secs(seconds: u32) -> Option<Self> {
        if seconds >= 1 && seconds <= 86_400 && 86_400 % seconds == 0 { Some(Self(seconds)) } else { None }
    }

    /// Parses `5s`, `15m`, `4h`, `1d`.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = match text.as_bytes().last()? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return None,
        };
        let count: u32 = text[..text.len() - 1].parse().ok()?;
        Self::from_secs(count.checked_mul(unit)?)
    }

    /// Length in seconds.
    pub const fn secs(self) -> u32 {
        self.0
    }

    /// Length in nanoseconds.
    pub const fn nanos(self) -> u64 {
        self.0 as u64 * 1_000_000_000
    }

    /// Start of the bar that `ts` falls into.
    pub const fn open_of(self, ts: TsNs) -> TsNs {
        TsNs(ts.0 - ts.0 % self.nanos())
    }
}

impl fmt::Debug for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s % 86_400 == 0 => write!(f, "{}d", s / 86_400),
            s if s % 3_600 == 0 => write!(f, "{}h", s / 3_600),
            s if s % 60 == 0 => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

/// Our identifier of an order: engine instance, strategy, sequence, so that any venue report maps back.
///
/// ```text
/// 63        48 47       40 39                        0
/// | instance  | strategy  | sequence                 |
/// ```
///
/// On the wire it is `x` and sixteen hexadecimal digits: constant length, allowed by every venue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ClientOrderId(pub u64);

impl ClientOrderId {
    /// No order.
    pub const NONE: Self = Self(0);
    /// Bytes of the text form.
    pub const TEXT_LEN: usize = 17;

    /// Joins the parts; the sequence keeps its low 40 bits.
    pub const fn new(instance: u16, strategy: u8, sequence: u64) -> Self {
        Self((instance as u64) << 48 | (strategy as u64) << 40 | sequence & ((1 << 40) - 1))
    }

    /// The engine instance that made it.
    pub const fn instance(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The strategy that asked for it.
    pub const fn strategy(self) -> u8 {
        (self.0 >> 40) as u8
    }

    /// Its number within the instance.
    pub const fn sequence(self) -> u64 {
        self.0 & ((1 << 40) - 1)
    }

    /// The id so many places after it, of the same instance and strategy.
    pub const fn after(self, places: u64) -> Self {
        Self::new(self.instance(), self.strategy(), self.sequence() + places)
    }

    /// The text the venue sees.
    pub fn text(self) -> [u8; Self::TEXT_LEN] {
        let mut out = [b'x'; Self::TEXT_LEN];
        for (digit, byte) in out[1..].iter_mut().enumerate() {
            *byte = b"0123456789abcdef"[(self.0 >> (60 - 4 * digit)) as usize & 15];
        }
        out
    }

    /// Reads the text form back; none for ids that we did not make.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (b'x', digits) = text.split_first()? else { return None };
        if digits.len() != 16 {
            return None;
        }
        let mut value = 0u64;
        for &byte in digits {
            let nibble = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return None,
            };
            value = value << 4 | u64::from(nibble);
        }
        Some(Self(value))
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.text()).unwrap_or("?"))
    }
}

/// The number that our words carry for what a venue names by a text: its orders and trades. Always the same for the
/// same text, and never 0.
///
/// A plain number stands for itself. Of a UUID, 122 of whose bits are as good as random, both halves are folded onto
/// each other: among a million names two share a number with a chance of one in 37 million. Other texts are hashed
/// (FNV-1a).
pub fn number_of_text(text: &[u8]) -> u64 {
    plain_number(text).or_else(|| folded_uuid(text)).unwrap_or_else(|| fnv_1a(text)).max(1)
}

/// At most 19 digits without a leading zero.
fn plain_number(text: &[u8]) -> Option<u64> {
    let is_plain = !text.is_empty() && text.len() <= 19 && text.first() != Some(&b'0');
    if !is_plain {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => Some(value * 10 + u64::from(byte - b'0')),
        _ => None,
    })
}

/// `8-4-4-4-12` hexadecimal digits.
fn folded_uuid(text: &[u8]) -> Option<u64> {
    let text: &[u8; 36] = text.try_into().ok()?;
    if [8, 13, 18, 23].iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let eight = |from: usize, then: usize| {
        let mut digits = [0; 8];
        digits[..4].copy_from_slice(&text[from..from + 4]);
        digits[4..].copy_from_slice(&text[then..then + 4]);
        hexadecimal(u64::from_le_bytes(digits))
    };
    let high = eight(0, 4)? << 32 | eight(9, 14)?;
    let low = eight(19, 24)? << 32 | eight(28, 32)?;
    Some(high ^ low)
}

/// The number of eight hexadecimal digits, first digit in the lowest byte. All are looked at at once: a sum carries into a
/// byte's top bit from the bound on, and never into its neighbour.
fn hexadecimal(digits: u64) -> Option<u64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let reach = |bytes: u64, bound: u8| (bytes & !TOPS) + ONES * u64::from(0x80 - bound);
    let small = digits | (ONES * 0x20);
    let is_decimal = reach(digits, b'0') & !reach(digits, b'9' + 1);
    let is_letter = reach(small, b'a') & !reach(small, b'f' + 1) & TOPS;
    if (is_decimal | is_letter) & !digits & TOPS != TOPS {
        return None;
    }
    let nibbles = (digits & (ONES * 0x0f)) + 9 * (is_letter >> 7);
    let pairs = (nibbles << 4 | nibbles >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs << 8 | pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some((fours << 16 | fours >> 32) & 0xffff_ffff)
}

fn fnv_1a(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Up to fifteen bytes of text: symbol and asset names, inline so that events stay plain memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name {
    len: u8,
    bytes: [u8; 15],
}

impl Name {
    /// Longest name kept.
    pub const MAX: usize = 15;
    /// No text.
    pub const EMPTY: Self = Self { len: 0, bytes: [0; 15] };

    /// None when longer than [`Name::MAX`] bytes.
    pub fn new(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// None when longer than [`Name::MAX`] bytes or not UTF-8.
    pub fn from_bytes(text: &[u8]) -> Option<Self> {
        if text.len() > Self::MAX || core::str::from_utf8(text).is_err() {
            return None;
        }
        let mut bytes = [0; 15];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { len: text.len() as u8, bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("?")
    }

    /// The text's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl State for Name {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let mut name = *self;
        io.number(&mut name.len)?;
        io.sound(usize::from(name.len) <= Self::MAX)?;
        for (at, byte) in name.bytes.iter_mut().enumerate() {
            if at < usize::from(name.len) {
                io.number(byte)?;
            } else {
                *byte = 0;
            }
        }
        io.sound(core::str::from_utf8(name.as_bytes()).is_ok())?;
        *self = name;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn decimal_text_is_exact_or_refused() {
        let parse = |text: &str| Price::parse(text.as_bytes()).map(|p| p.0);
        assert_eq!(parse("61685.99000000"), Ok(6_168_599_000_000));
        assert_eq!(parse("0.00000001"), Ok(1));
        assert_eq!(parse("99999999.00000000"), Ok(9_999_999_900_000_000));
        assert_eq!(parse("-5"), Ok(-500_000_000));
        assert_eq!(parse("1.5"), Ok(150_000_000));
        assert_eq!(parse("1.1234567800"), Ok(112_345_678));
        assert_eq!(parse("1.123456789"), Err(DecimalError::TooPrecise));
        assert_eq!(parse("1e5"), Err(DecimalError::BadByte { at: 1 }));
        assert_eq!(parse("1.2.3"), Err(DecimalError::BadByte { at: 3 }));
        assert_eq!(parse(""), Err(DecimalError::Empty));
        assert_eq!(parse("."), Err(DecimalError::Empty));
        assert_eq!(parse("-"), Err(DecimalError::Empty));
        assert_eq!(parse("99999999999999999999"), Err(DecimalError::TooLarge));
        assert_eq!(parse("92233720369"), Err(DecimalError::TooLarge));
    }

    #[test]
    fn the_short_way_to_a_quotient_is_the_long_one() {
        const EDGES: [i128; 9] = [0, 1, 2, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64, 1 << 100];
        let dividends = EDGES.into_iter().flat_map(|n| [n - 1, n, n + 1, -n - 1, -n, 1 - n]);
        let divisors = || EDGES.into_iter().flat_map(|n| [n, n + 1]).filter(|n| *n > 0);
        for dividend in dividends {
            for divisor in divisors() {
                let cut = dividend / divisor;
                assert_eq!(quotient(dividend, divisor), cut, "{dividend} by {divisor}");
                let up = dividend.div_euclid(divisor) + i128::from(dividend.rem_euclid(divisor) > 0);
                assert_eq!(div_ceil(dividend, divisor), up, "{dividend} by {divisor}");
            }
        }
        assert_eq!(mul_div(i64::MAX, i64::MAX, 1), i64::MAX);
        assert_eq!(mul_div(i64::MIN, i64::MAX, 7), i64::MIN);
        assert_eq!((ppm_of(-7, 500_000), ppm_of(i64::MAX, 1_000_000)), (-3, i64::MAX));
    }

    #[test]
    fn division_by_the_scale_is_division() {
        let scale = i128::from(SCALE);
        let mut value = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
        let mut some: std::vec::Vec<i128> = std::vec![0, i128::MAX, i128::MIN, i128::MIN + 1];
        for shift in 0..127 {
            value = value.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            let (power, whole) = (1i128 << shift, (value as i128 >> shift) / scale * scale);
            some.extend([power, whole, value as i128 >> shift]);
        }
        for near in some {
            for value in [near.saturating_sub(1), near, near.saturating_add(1), near.saturating_neg()] {
                assert_eq!(scale_floor(value), value.div_euclid(scale), "{value}");
                let is_whole = value.rem_euclid(scale) == 0;
                assert_eq!(scale_ceil(value), value.div_euclid(scale) + i128::from(!is_whole), "{value}");
                assert_eq!(scale_ceil(value), div_ceil(value, scale), "{value}");
            }
        }
    }

    #[test]
    fn written_decimals_read_back() {
        for value in [0, 1, -1, 10, SCALE, -SCALE, 6_168_599_000_000, 123_456_789, i64::MAX, i64::MIN + 1] {
            assert_eq!(Price::parse(Price(value).to_string().as_bytes()), Ok(Price(value)));
        }
        assert_eq!(Price(6_168_599_000_000).to_string(), "61685.99");
        assert_eq!(Price(i64::MIN).to_string(), "-92233720368.54775808");
    }

    #[test]
    fn rounding_goes_against_us() {
        let third = Qty(33_333_333);
        assert_eq!(Price(1).notional_ceil(third), Money(1));
        assert_eq!(Price(1).notional_floor(third), Money(0));
        assert_eq!(Price(i64::MAX).notional_ceil(Qty(i64::MAX)), Money(i64::MAX));
    }

    #[test]
    fn client_order_id_text_maps_back() {
        let id = ClientOrderId::new(7, 3, 123_456);
        assert_eq!(ClientOrderId::parse(&id.text()), Some(id));
        assert_eq!((id.instance(), id.strategy(), id.sequence()), (7, 3, 123_456));
        assert_eq!(ClientOrderId::parse(b"autoclose-1234567"), None);
    }

    #[test]
    fn timeframes_divide_the_day() {
        assert_eq!(Timeframe::parse("15m").map(Timeframe::secs), Some(900));
        assert_eq!(Timeframe::parse("7s"), None);
        assert_eq!(Timeframe::parse("é"), None);
        assert_eq!(Timeframe::parse("4h").unwrap().to_string(), "4h");
    }

    /// Every byte at every place of a UUID in both cases.
    #[test]
    fn a_uuid_folds_as_its_slow_twin_does() {
        let twin = |text: &[u8]| {
            let is_dash = |at: &usize| matches!(at, 8 | 13 | 18 | 23);
            let (mut value, mut digits) = (0u128, 0);
            for (at, &byte) in text.iter().enumerate() {
                match char::from(byte).to_digit(16) {
                    None if byte == b'-' && is_dash(&at) => {}
                    Some(digit) if !is_dash(&at) => {
                        (value, digits) = (value << 4 | u128::from(digit), digits + 1)
                    }
                    _ => return None,
                }
            }
            (digits == 32 && text.len() == 36).then_some((value >> 64) as u64 ^ value as u64)
        };
        for text in ["68bc1c35-dcc0-58e8-a4c5-f59a6b790814", "09AFaf5E-C0DE-9999-FFFF-0123456789aB"] {
            assert_eq!(number_of_text(text.as_bytes()), twin(text.as_bytes()).unwrap());
            for at in 0..text.len() {
                assert_eq!(folded_uuid(&text.as_bytes()[..at]), None);
                for byte in 0..=255 {
                    let mut changed = text.as_bytes().to_vec();
                    changed[at] = byte;
                    assert_eq!(folded_uuid(&changed), twin(&changed), "{changed:?}");
                }
            }
        }
    }
}
