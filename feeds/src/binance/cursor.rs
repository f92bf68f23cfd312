//! A place in a message whose shape is known: literal bytes, numbers, texts, levels.
//!
//! Every step checks what it passes over and gives up with `None` at the first byte that it does not expect; the
//! message then goes over the tape. No allocation, no `unsafe`.

use smc_core::event::{Bar, Level};
use smc_core::words::{Price, Qty, Side, Timeframe, TsNs};

use super::message::{Decoded, TimeUnit};
use crate::{number, text};

/// A place in the message. Every step checks what it passes over.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    unit: TimeUnit,
}

impl<'a> Cursor<'a> {
    /// At the front of a message.
    #[inline]
    pub const fn new(bytes: &'a [u8], unit: TimeUnit) -> Self {
        Self { bytes, at: 0, unit }
    }

    /// Everything was read.
    #[inline]
    pub const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next byte, not taken.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Takes exactly these bytes, if they come next.
    #[inline]
    pub fn try_eat<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        let is_here = self.rest().first_chunk::<N>() == Some(literal);
        if is_here {
            self.at += N;
        }
        is_here
    }

    /// Takes exactly these bytes.
    #[inline]
    pub fn eat<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        self.try_eat(literal).then_some(())
    }

    /// An unsigned integer.
    #[inline]
    pub fn integer(&mut self) -> Option<u64> {
        let (value, len) = number::integer(self.rest())?;
        self.at += len;
        Some(value)
    }

    /// A stamp of the venue.
    #[inline]
    pub fn stamp(&mut self) -> Option<TsNs> {
        let value = self.integer()?;
        self.unit.stamp(value)
    }

    /// Decimal text whose opening quote has been passed; takes the closing one.
    #[inline]
    pub fn decimal(&mut self) -> Option<i64> {
        let (value, len) = number::quoted_decimal(self.rest())?;
        self.at += len;
        Some(value)
    }

    /// The same, and not 0.
    #[inline]
    pub fn positive_decimal(&mut self) -> Option<i64> {
        self.decimal().filter(|&value| value > 0)
    }

    /// Text whose opening quote has been passed, up to and with the closing one. Only printable ASCII
    /// without escapes, so that the bytes are the text.
    #[inline]
    pub fn plain_text(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let len = text::short_len(rest)?;
        self.at += len + 1;
        rest.get(..len)
    }

    /// True or false.
    #[inline]
    pub fn flag(&mut self) -> Option<bool> {
        if self.try_eat(b"true") {
            return Some(true);
        }
        self.eat(b"false").map(|()| false)
    }

    /// `,"m":…,"M":…}`, where `M` may be absent. The buyer resting means that the seller came to him.
    #[inline]
    pub fn aggressor_and_end(&mut self) -> Option<Side> {
        self.eat(b",\"m\":")?;
        let is_buyer_maker = self.flag()?;
        if self.try_eat(b",\"M\":") {
            self.flag()?;
        }
        self.eat(b"}")?;
        Some(if is_buyer_maker { Side::Sell } else { Side::Buy })
    }

    /// What newer futures messages end with, `,"ps":…,"st":…}`, each of which may be absent.
    #[inline]
    pub fn futures_end(&mut self) -> Option<()> {
        if self.try_eat(b",\"ps\":\"") {
            self.plain_text()?;
        }
        if self.try_eat(b",\"st\":") {
            self.integer()?;
        }
        self.eat(b"}")
    }

    /// Levels whose opening bracket has been passed, up to and with the closing one.
    #[inline]
    pub fn levels(&mut self, out: &mut Vec<Level>, max: usize) -> Option<()> {
        if self.try_eat(b"]") {
            return Some(());
        }
        loop {
            self.eat(b"[\"")?;
            let price = Price(self.positive_decimal()?);
            self.eat(b",\"")?;
            let qty = Qty(self.decimal()?);
            self.eat(b"]")?;
            if out.len() == max {
                return None;
            }
            out.push(Level { price, qty });
            if self.try_eat(b"]") {
                return Some(());
            }
            self.eat(b",")?;
        }
    }
}

/// A candle, from the name of its event on; the same on both markets.
pub fn kline<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
) -> Option<Decoded<'static, S>> {
    cursor.eat(b"kline\",\"E\":")?;
    let ts = cursor.stamp()?;
    cursor.eat(b",\"s\":\"")?;
    let symbol_text = cursor.plain_text()?;
    let symbol = resolve(symbol_text)?;
    cursor.eat(b",\"k\":{\"t\":")?;
    let open_ts = cursor.stamp()?;
    cursor.eat(b",\"T\":")?;
    let ts_close = cursor.stamp()?;
    cursor.eat(b",\"s\":\"")?;
    if cursor.plain_text()? != symbol_text {
        return None;
    }
    cursor.eat(b",\"i\":\"")?;
    let timeframe = Timeframe::parse(std::str::from_utf8(cursor.plain_text()?).ok()?);
    cursor.eat(b",\"f\":")?;
    cursor.integer()?;
    cursor.eat(b",\"L\":")?;
    cursor.integer()?;
    cursor.eat(b",\"o\":\"")?;
    let open = Price(cursor.positive_decimal()?);
    cursor.eat(b",\"c\":\"")?;
    let close = Price(cursor.positive_decimal()?);
    cursor.eat(b",\"h\":\"")?;
    let high = Price(cursor.positive_decimal()?);
    cursor.eat(b",\"l\":\"")?;
    let low = Price(cursor.positive_decimal()?);
    cursor.eat(b",\"v\":\"")?;
    let volume = Qty(cursor.decimal()?);
    cursor.eat(b",\"n\":")?;
    let trades = u32::try_from(cursor.integer()?).ok()?;
    cursor.eat(b",\"x\":")?;
    let is_closed = cursor.flag()?;
    for key in [b",\"q\":\"", b",\"V\":\"", b",\"Q\":\"", b",\"B\":\""] {
        cursor.eat(key)?;
        cursor.plain_text()?;
    }
    cursor.eat(b"}}")?;
    let bar = Bar { open_ts, open, high, low, close, volume, trades };
    Some(Decoded::Kline { symbol, ts, timeframe, ts_close, bar, is_closed })
}
