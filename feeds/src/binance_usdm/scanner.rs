//! The quick way through a message: a checked scanner that knows the venue's key orders, that of recordings and that of
//! the documents.
//!
//! Reads straight from the receive buffer, in one pass, and compares every literal byte. It either returns exactly what
//! the tape decoder would return, or `None`, which means "not my shape" and costs only the detour over the tape. So it
//! never refuses a message and never guesses. No allocation, no `unsafe`.

use smc_core::event::{Quote, Trade};
use smc_core::words::{Price, Qty, Side, TsNs};

use super::tape::is_partial;
use crate::binance::cursor::{Cursor, kline};
use crate::binance::message::{Decoded, Levels, TimeUnit};

/// What the scanner found. Levels of a depth message are in the [`Levels`] it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan<S> {
    /// A message without levels.
    Plain(Decoded<'static, S>),
    /// A depth update.
    Depth {
        /// Of which instrument.
        symbol: S,
        /// When it happened.
        ts: TsNs,
        /// First update in it.
        first_id: u64,
        /// Last update in it.
        last_id: u64,
        /// Last update of the message before.
        previous_id: u64,
    },
}

impl<S> Scan<S> {
    /// Joins the scan with the levels it left behind.
    #[inline]
    pub fn with(self, levels: &Levels) -> Decoded<'_, S> {
        match self {
            Self::Plain(decoded) => decoded,
            Self::Depth { symbol, ts, first_id, last_id, previous_id } => Decoded::Depth {
                symbol,
                ts,
                first_id,
                last_id,
                previous_id: Some(previous_id),
                bids: &levels.bids,
                asks: &levels.asks,
            },
        }
    }
}

/// Scans one message, raw or in the combined-stream envelope. `resolve` names the symbol; an unknown one is left to the
/// tape, which refuses it by name.
#[inline]
pub fn scan<S: Copy>(
    payload: &[u8],
    resolve: impl Fn(&[u8]) -> Option<S>,
    levels: &mut Levels,
) -> Option<Scan<S>> {
    let mut cursor = Cursor::new(payload, TimeUnit::Millis);
    let mut stream: &[u8] = b"";
    let is_combined = cursor.try_eat(b"{\"stream\":\"");
    if is_combined {
        stream = cursor.plain_text()?;
        cursor.eat(b",\"data\":")?;
    }
    cursor.eat(b"{\"e\":\"")?;
    let found = match cursor.peek()? {
        b'b' => Scan::Plain(book_ticker(&mut cursor, resolve)?),
        b't' => Scan::Plain(trade(&mut cursor, resolve)?),
        b'a' => Scan::Plain(agg_trade(&mut cursor, resolve)?),
        b'd' if !is_partial(stream) => depth(&mut cursor, resolve, levels)?,
        b'k' => Scan::Plain(kline(&mut cursor, resolve)?),
        _ => return None,
    };
    if is_combined {
        cursor.eat(b"}")?;
    }
    cursor.is_at_end().then_some(found)
}

fn book_ticker<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
) -> Option<Decoded<'static, S>> {
    cursor.eat(b"bookTicker\",\"u\":")?;
    let update_id = cursor.integer()?;
    let mut ts = None;
    if cursor.try_eat(b",\"E\":") {
        cursor.stamp()?;
        cursor.eat(b",\"T\":")?;
        ts = Some(cursor.stamp()?);
    }
    cursor.eat(b",\"s\":\"")?;
    let symbol = resolve(cursor.plain_text()?)?;
    cursor.eat(b",\"b\":\"")?;
    let bid = Price(cursor.decimal()?);
    cursor.eat(b",\"B\":\"")?;
    let bid_qty = Qty(cursor.decimal()?);
    cursor.eat(b",\"a\":\"")?;
    let ask = Price(cursor.decimal()?);
    cursor.eat(b",\"A\":\"")?;
    let ask_qty = Qty(cursor.decimal()?);
    if ts.is_none() {
        cursor.eat(b",\"T\":")?;
        ts = Some(cursor.stamp()?);
        cursor.eat(b",\"E\":")?;
        cursor.stamp()?;
    }
    cursor.futures_end()?;
    Some(Decoded::BookTicker { symbol, ts, quote: Quote { bid, bid_qty, ask, ask_qty, update_id } })
}

fn trade<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
) -> Option<Decoded<'static, S>> {
    cursor.eat(b"trade\",\"E\":")?;
    let ts_sent = cursor.stamp()?;
    cursor.eat(b",\"T\":")?;
    let ts = cursor.stamp()?;
    cursor.eat(b",\"s\":\"")?;
    let symbol = resolve(cursor.plain_text()?)?;
    cursor.eat(b",\"t\":")?;
    let trade_id = cursor.integer()?;
    cursor.eat(b",\"p\":\"")?;
    let price = Price(cursor.positive_decimal()?);
    cursor.eat(b",\"q\":\"")?;
    let qty = Qty(cursor.positive_decimal()?);
    // What was not made in the market is rare, and may be at no price at all: the tape's.
    cursor.eat(b",\"X\":\"MARKET\",\"m\":")?;
    let aggressor = aggressor(cursor)?;
    cursor.futures_end()?;
    let trade = Trade { price, qty, aggressor, trade_id };
    Some(Decoded::Trade { symbol, ts_sent, ts, trade, is_market: true })
}

fn agg_trade<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
) -> Option<Decoded<'static, S>> {
    cursor.eat(b"aggTrade\",\"E\":")?;
    let ts_sent = cursor.stamp()?;
    let mut trade_id = None;
    if cursor.try_eat(b",\"a\":") {
        trade_id = Some(cursor.integer()?);
    }
    cursor.eat(b",\"s\":\"")?;
    let symbol = resolve(cursor.plain_text()?)?;
    let trade_id = match trade_id {
        Some(id) => id,
        None => {
            cursor.eat(b",\"a\":")?;
            cursor.integer()?
        }
    };
    cursor.eat(b",\"p\":\"")?;
    let price = Price(cursor.positive_decimal()?);
    cursor.eat(b",\"q\":\"")?;
    let qty = Qty(cursor.positive_decimal()?);
    if cursor.try_eat(b",\"nq\":\"") {
        cursor.plain_text()?;
    }
    cursor.eat(b",\"f\":")?;
    let first_trade_id = cursor.integer()?;
    cursor.eat(b",\"l\":")?;
    let last_trade_id = cursor.integer()?;
    cursor.eat(b",\"T\":")?;
    let ts = cursor.stamp()?;
    cursor.eat(b",\"m\":")?;
    let aggressor = aggressor(cursor)?;
    cursor.futures_end()?;
    let trade = Trade { price, qty, aggressor, trade_id };
    Some(Decoded::AggTrade { symbol, ts_sent, ts, trade, first_trade_id, last_trade_id })
}

fn depth<S: Copy>(
    cursor: &mut Cursor<'_>,
    resolve: impl Fn(&[u8]) -> Option<S>,
    levels: &mut Levels,
) -> Option<Scan<S>> {
    cursor.eat(b"depthUpdate\",\"E\":")?;
    cursor.stamp()?;
    cursor.eat(b",\"T\":")?;
    let ts = cursor.stamp()?;
    cursor.eat(b",\"s\":\"")?;
    let symbol = resolve(cursor.plain_text()?)?;
    cursor.eat(b",\"U\":")?;
    let first_id = cursor.integer()?;
    cursor.eat(b",\"u\":")?;
    let last_id = cursor.integer()?;
    cursor.eat(b",\"pu\":")?;
    let previous_id = cursor.integer()?;
    levels.clear();
    let max = levels.max();
    cursor.eat(b",\"b\":[")?;
    cursor.levels(&mut levels.bids, max)?;
    cursor.eat(b",\"a\":[")?;
    cursor.levels(&mut levels.asks, max)?;
    cursor.futures_end()?;
    Some(Scan::Depth { symbol, ts, first_id, last_id, previous_id })
}

/// The buyer resting means that the seller came to him.
#[inline]
fn aggressor(cursor: &mut Cursor<'_>) -> Option<Side> {
    cursor.flag().map(|is_buyer_maker| if is_buyer_maker { Side::Sell } else { Side::Buy })
}
