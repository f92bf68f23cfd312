//! The quick way through a message: a checked scanner for books and trades.
//!
//! Reads straight from the receive buffer, in one pass, and checks every byte it passes over. It either returns
//! exactly what the tape decoder would return, or `None`, which means "not my shape" and costs only the detour over
//! the tape. So it never refuses a message and never guesses. The venue's two orders of `ts` and `type` are known;
//! a trade's fields may come in any order, since those of spot and futures differ. No allocation, no `unsafe`.

use smc_core::event::{Level, Trade};
use smc_core::words::{Price, Qty, Side, TsNs, number_of_text};

use super::message::{Decoded, Rows, TRADES_MAX, TradeRow};
use super::tape::stamp;
use crate::{number, text};

/// What the scanner found; the rows are in the [`Rows`] it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan<S> {
    /// A book message.
    Book { symbol: S, depth: u16, is_snapshot: bool, ts: TsNs, update_id: u64, seq: u64 },
    /// Trades.
    Trades { symbol: S, ts_sent: TsNs },
}

impl<S> Scan<S> {
    /// Joins the scan with the rows it left behind.
    #[inline]
    pub fn with(self, rows: &Rows) -> Decoded<'_, S> {
        match self {
            Self::Book { symbol, depth, is_snapshot, ts, update_id, seq } => {
                let (bids, asks) = (&rows.bids, &rows.asks);
                Decoded::Book { symbol, depth, is_snapshot, ts, update_id, seq, bids, asks }
            }
            Self::Trades { symbol, ts_sent } => Decoded::Trades { symbol, ts_sent, trades: &rows.trades },
        }
    }
}

/// Scans one message. `resolve` names the symbol; an unknown one is left to the tape, which refuses it by name.
#[inline]
pub fn scan<S: Copy>(
    payload: &[u8],
    resolve: impl Fn(&[u8]) -> Option<S>,
    rows: &mut Rows,
) -> Option<Scan<S>> {
    let mut cursor = Cursor { bytes: payload, at: 0 };
    cursor.eat(b"{\"topic\":\"")?;
    let found = match cursor.peek()? {
        b'o' => book(&mut cursor, resolve, rows)?,
        b'p' => trades(&mut cursor, resolve, rows)?,
        _ => return None,
    };
    (cursor.at == payload.len()).then_some(found)
}

fn book<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
    rows: &mut Rows,
) -> Option<Scan<S>> {
    cursor.eat(b"orderbook.")?;
    let depth = u16::try_from(cursor.integer()?).ok()?;
    cursor.eat(b".")?;
    let symbol_text = cursor.plain_text()?;
    let symbol = resolve(symbol_text)?;
    let (ts_sent, is_snapshot) = cursor.head()?;
    cursor.eat(b",\"data\":{\"s\":\"")?;
    if cursor.plain_text()? != symbol_text {
        return None;
    }
    rows.clear();
    let max = rows.levels_max();
    cursor.eat(b",\"b\":[")?;
    cursor.levels(&mut rows.bids, max)?;
    cursor.eat(b",\"a\":[")?;
    cursor.levels(&mut rows.asks, max)?;
    cursor.eat(b",\"u\":")?;
    let update_id = cursor.integer()?;
    cursor.eat(b",\"seq\":")?;
    let seq = cursor.integer()?;
    cursor.eat(b"}")?;
    let ts = if cursor.try_eat(b",\"cts\":") { cursor.stamp()? } else { ts_sent };
    cursor.eat(b"}")?;
    Some(Scan::Book { symbol, depth, is_snapshot, ts, update_id, seq })
}

fn trades<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
    rows: &mut Rows,
) -> Option<Scan<S>> {
    cursor.eat(b"publicTrade.")?;
    let symbol_text = cursor.plain_text()?;
    let symbol = resolve(symbol_text)?;
    let (ts_sent, _) = cursor.head()?;
    rows.clear();
    cursor.eat(b",\"data\":[")?;
    loop {
        if rows.trades.len() == TRADES_MAX {
            return None;
        }
        rows.trades.push(trade(cursor, symbol_text)?);
        if cursor.try_eat(b"]") {
            break;
        }
        cursor.eat(b",")?;
    }
    cursor.eat(b"}")?;
    Some(Scan::Trades { symbol, ts_sent })
}

/// The fields that every trade has, as bits.
const EVERY_FIELD: u8 = 0b11_1111;

/// One trade.
fn trade(cursor: &mut Cursor<'_>, symbol: &[u8]) -> Option<TradeRow> {
    let start = cursor.at;
    contract_trade(cursor, symbol).or_else(|| {
        cursor.at = start;
        any_trade(cursor, symbol)
    })
}

/// A contract's trade, its fields in the order in which the venue writes them.
#[inline]
fn contract_trade(cursor: &mut Cursor<'_>, symbol: &[u8]) -> Option<TradeRow> {
    cursor.eat(b"{\"T\":")?;
    let ts = cursor.stamp()?;
    cursor.eat(b",\"s\":\"")?;
    (cursor.plain_text()? == symbol).then_some(())?;
    cursor.eat(b",\"S\":")?;
    let aggressor = cursor.side()?;
    cursor.eat(b",\"v\":")?;
    let qty = Qty(cursor.quoted_positive()?);
    cursor.eat(b",\"p\":")?;
    let price = Price(cursor.quoted_positive()?);
    cursor.eat(b",\"L\":\"")?;
    cursor.plain_text()?;
    cursor.eat(b",\"i\":")?;
    let trade_id = cursor.trade_id()?;
    cursor.eat(b",\"BT\":")?;
    let is_block = cursor.flag()?;
    if cursor.try_eat(b",\"RPI\":") {
        cursor.flag()?;
    }
    cursor.eat(b",\"seq\":")?;
    let seq = cursor.integer()?;
    cursor.eat(b"}")?;
    Some(TradeRow { ts, trade: Trade { price, qty, aggressor, trade_id }, seq, is_block })
}

/// One trade, its fields in any order, none twice.
fn any_trade(cursor: &mut Cursor<'_>, symbol: &[u8]) -> Option<TradeRow> {
    let mut row = TradeRow {
        ts: TsNs(0),
        trade: Trade { price: Price::ZERO, qty: Qty::ZERO, aggressor: Side::Buy, trade_id: 0 },
        seq: 0,
        is_block: false,
    };
    let (mut seen, mut seen_others) = (0u8, 0u8);
    cursor.eat(b"{")?;
    loop {
        cursor.eat(b"\"")?;
        let (bit, other) = match cursor.plain_text()? {
            b"T" => (1, 0),
            b"s" => (2, 0),
            b"S" => (4, 0),
            b"v" => (8, 0),
            b"p" => (16, 0),
            b"i" => (32, 0),
            b"seq" => (0, 1),
            b"BT" => (0, 2),
            b"L" => (0, 4),
            b"RPI" => (0, 8),
            _ => return None,
        };
        if seen & bit != 0 || seen_others & other != 0 {
            return None;
        }
        seen |= bit;
        seen_others |= other;
        cursor.eat(b":")?;
        match (bit, other) {
            (1, _) => row.ts = cursor.stamp()?,
            (2, _) => (cursor.quoted()? == symbol).then_some(())?,
            (4, _) => row.trade.aggressor = cursor.side()?,
            (8, _) => row.trade.qty = Qty(cursor.quoted_positive()?),
            (16, _) => row.trade.price = Price(cursor.quoted_positive()?),
            (32, _) => row.trade.trade_id = cursor.trade_id()?,
            (_, 1) => row.seq = cursor.integer()?,
            (_, 2) => row.is_block = cursor.flag()?,
            (_, 4) => drop(cursor.quoted()?),
            _ => drop(cursor.flag()?),
        }
        if cursor.try_eat(b"}") {
            return (seen == EVERY_FIELD).then_some(row);
        }
        cursor.eat(b",")?;
    }
}

/// A place in the message. Every step checks what it passes over.
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
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn try_eat<const N: usize>(&mut self, literal: &[u8; N]) -> bool {
        let is_here = self.rest().first_chunk::<N>() == Some(literal);
        if is_here {
            self.at += N;
        }
        is_here
    }

    #[inline]
    fn eat<const N: usize>(&mut self, literal: &[u8; N]) -> Option<()> {
        self.try_eat(literal).then_some(())
    }

    /// `,"type":…,"ts":…` in either order.
    #[inline]
    fn head(&mut self) -> Option<(TsNs, bool)> {
        if self.try_eat(b",\"ts\":") {
            let ts = self.stamp()?;
            self.eat(b",\"type\":\"")?;
            return Some((ts, self.is_snapshot()?));
        }
        self.eat(b",\"type\":\"")?;
        let is_snapshot = self.is_snapshot()?;
        self.eat(b",\"ts\":")?;
        Some((self.stamp()?, is_snapshot))
    }

    #[inline]
    fn is_snapshot(&mut self) -> Option<bool> {
        if self.try_eat(b"delta\"") {
            return Some(false);
        }
        self.eat(b"snapshot\"").map(|()| true)
    }

    #[inline]
    fn integer(&mut self) -> Option<u64> {
        let (value, len) = number::integer(self.rest())?;
        self.at += len;
        Some(value)
    }

    #[inline]
    fn stamp(&mut self) -> Option<TsNs> {
        stamp(self.integer()?)
    }

    /// Decimal text whose opening quote has been passed; takes the closing one.
    #[inline]
    fn decimal(&mut self) -> Option<i64> {
        let (value, len) = number::quoted_decimal(self.rest())?;
        self.at += len;
        Some(value)
    }

    #[inline]
    fn quoted_positive(&mut self) -> Option<i64> {
        self.eat(b"\"")?;
        self.decimal().filter(|&value| value > 0)
    }

    #[inline]
    fn side(&mut self) -> Option<Side> {
        if self.try_eat(b"\"Buy\"") {
            return Some(Side::Buy);
        }
        self.eat(b"\"Sell\"").map(|()| Side::Sell)
    }

    #[inline]
    fn quoted(&mut self) -> Option<&'a [u8]> {
        self.eat(b"\"")?;
        self.plain_text()
    }

    /// Text whose opening quote has been passed, up to and with the closing one. Only printable ASCII without
    /// escapes, so that the bytes are the text.
    #[inline]
    fn plain_text(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let len = text::short_len(rest)?;
        self.at += len + 1;
        rest.get(..len)
    }

    /// A trade's name: a UUID, or a number on spot.
    #[inline]
    fn trade_id(&mut self) -> Option<u64> {
        self.eat(b"\"")?;
        let rest = self.rest();
        let len = text::long_len(rest)?;
        self.at += len + 1;
        rest.get(..len).map(number_of_text)
    }

    #[inline]
    fn flag(&mut self) -> Option<bool> {
        if self.try_eat(b"true") {
            return Some(true);
        }
        self.eat(b"false").map(|()| false)
    }

    /// Levels whose opening bracket has been passed, up to and with the closing one.
    #[inline]
    fn levels(&mut self, out: &mut Vec<Level>, max: usize) -> Option<()> {
        if self.try_eat(b"]") {
            return Some(());
        }
        loop {
            self.eat(b"[\"")?;
            let price = Price(self.decimal().filter(|&price| price > 0)?);
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
