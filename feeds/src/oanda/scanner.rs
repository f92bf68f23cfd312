//! The quick way through a line: a checked scanner that knows the venue's present key order.
//!
//! Reads straight from the receive buffer, in one pass, and compares every literal byte. It either returns exactly what the
//! tape decoder would return, or `None`, which means "not my shape" and costs only the detour over the tape. So it never
//! refuses a line and never guesses. No allocation, no `unsafe`.

use smc_core::event::Level;
use smc_core::words::{Price, Qty, SCALE};
use smc_net::date;

use super::message::{Decoded, Tick};
use crate::{number, text};

/// Scans one line. `resolve` names the instrument; an unknown one is left to the tape, which refuses it by name.
#[inline]
pub(super) fn scan<S>(line: &[u8], resolve: impl Fn(&[u8]) -> Option<S>) -> Option<Decoded<S>> {
    let mut cursor = Cursor { bytes: line, at: 0 };
    cursor.eat(b"{\"type\":\"")?;
    if cursor.try_eat(b"HEARTBEAT\",\"time\":\"") {
        let ts = cursor.moment()?;
        cursor.eat(b"}")?;
        return (cursor.at == line.len()).then_some(Decoded::Heartbeat { ts });
    }
    cursor.eat(b"PRICE\",\"time\":\"")?;
    let ts = cursor.moment()?;
    cursor.eat(b",\"bids\":[")?;
    let bid = cursor.ladder()?;
    cursor.eat(b",\"asks\":[")?;
    let ask = cursor.ladder()?;
    cursor.eat(b",\"closeoutBid\":\"")?;
    let closeout_bid = cursor.price()?;
    cursor.eat(b",\"closeoutAsk\":\"")?;
    let closeout_ask = cursor.price()?;
    let is_tradeable = cursor.try_eat(b",\"status\":\"tradeable\",\"tradeable\":true");
    if !is_tradeable {
        cursor.eat(b",\"status\":\"non-tradeable\",\"tradeable\":false")?;
    }
    cursor.eat(b",\"instrument\":\"")?;
    let symbol = resolve(cursor.text()?)?;
    cursor.eat(b"}")?;
    let tick = Tick { symbol, ts, is_tradeable, bid, ask, closeout_bid, closeout_ask };
    (cursor.at == line.len()).then_some(Decoded::Price(tick))
}

/// A place in the line. Every method takes what it names and moves behind it, or gives none.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn try_eat(&mut self, literal: &[u8]) -> bool {
        let is_there = self.rest().starts_with(literal);
        self.at += if is_there { literal.len() } else { 0 };
        is_there
    }

    #[inline]
    fn eat(&mut self, literal: &[u8]) -> Option<()> {
        self.try_eat(literal).then_some(())
    }

    /// Text without escapes, up to and with its quote.
    #[inline]
    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let len = text::short_len(rest)?;
        self.at += len + 1;
        rest.get(..len)
    }

    /// RFC 3339 alone: other forms are the tape's.
    #[inline]
    fn moment(&mut self) -> Option<smc_core::TsNs> {
        let rest = self.rest();
        let len = text::long_len(rest)?;
        self.at += len + 1;
        date::rfc3339_ns(rest.get(..len)?).map(smc_core::TsNs)
    }

    #[inline]
    fn price(&mut self) -> Option<Price> {
        let (value, used) = number::quoted_decimal(self.rest())?;
        self.at += used;
        Some(Price(value))
    }

    /// A side up to its bracket; its first bucket. The others are looked over and not kept.
    #[inline]
    fn ladder(&mut self) -> Option<Option<Level>> {
        if self.try_eat(b"]") {
            return Some(None);
        }
        let best = self.bucket()?;
        while !self.try_eat(b"]") {
            self.eat(b",")?;
            self.bucket()?;
        }
        Some(Some(best))
    }

    #[inline]
    fn bucket(&mut self) -> Option<Level> {
        self.eat(b"{\"price\":\"")?;
        let price = self.price().filter(|&price| price > Price::ZERO)?;
        self.eat(b",\"liquidity\":")?;
        let (units, used) = number::integer(self.rest())?;
        self.at += used;
        self.eat(b"}")?;
        Some(Level { price, qty: Qty(i64::try_from(units).ok()?.checked_mul(SCALE)?) })
    }
}
