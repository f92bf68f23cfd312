//! The venue's public archives: one layout a kind, spot and USD-M alike but for trailing columns and a header.

use super::{Draft, LineRow, Taken, fields, is_header, needed};
use crate::number::{decimal, stamp, truth};
use smc_core::event::{Bar, EventBody, Quote, Trade};
use smc_core::words::{Price, Qty, Side, Timeframe, TsNs};

fn price(text: &str) -> Result<Price, String> {
    needed(decimal(text).filter(|units| *units > 0).map(Price), "price", text)
}

fn qty(text: &str) -> Result<Qty, String> {
    needed(decimal(text).filter(|units| *units >= 0).map(Qty), "quantity", text)
}

fn id(text: &str) -> Result<u64, String> {
    needed(text.parse().ok(), "id", text)
}

fn time(text: &str) -> Result<TsNs, String> {
    needed(stamp(text), "time", text)
}

/// The buyer was the resting side, so the seller crossed the spread.
fn aggressor(is_buyer_maker: &str) -> Result<Side, String> {
    let is_maker = needed(truth(is_buyer_maker), "is_buyer_maker", is_buyer_maker)?;
    Ok(if is_maker { Side::Sell } else { Side::Buy })
}

/// `id, price, qty, quote_qty, time, is_buyer_maker[, is_best_match]`
pub struct Trades;

impl LineRow for Trades {
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        if is_first && is_header(line) {
            return Ok(Taken::Nothing);
        }
        let [trade_id, at, size, _, ts, is_buyer_maker] = fields(line)?;
        let (trade_id, ts) = (id(trade_id)?, time(ts)?);
        let trade =
            Trade { price: price(at)?, qty: qty(size)?, aggressor: aggressor(is_buyer_maker)?, trade_id };
        out.push(Draft::at(ts, EventBody::Trade(trade)));
        Ok(Taken::Events)
    }
}

/// `agg_trade_id, price, quantity, first_trade_id, last_trade_id, time, is_buyer_maker[, is_best_match]`: one trade of
/// the whole quantity, numbered by the aggregate.
pub struct AggTrades;

impl LineRow for AggTrades {
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        if is_first && is_header(line) {
            return Ok(Taken::Nothing);
        }
        let [trade_id, at, size, _, _, ts, is_buyer_maker] = fields(line)?;
        let (trade_id, ts) = (id(trade_id)?, time(ts)?);
        let trade =
            Trade { price: price(at)?, qty: qty(size)?, aggressor: aggressor(is_buyer_maker)?, trade_id };
        out.push(Draft::at(ts, EventBody::Trade(trade)));
        Ok(Taken::Events)
    }
}

/// `id, side, quantity, price, ms`: a collector's layout of aggregate trades.
pub struct SidedTrades;

impl LineRow for SidedTrades {
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        if is_first && is_header(line) {
            return Ok(Taken::Nothing);
        }
        let [trade_id, side, size, at, ts] = fields(line)?;
        let aggressor = match side {
            "buy" | "BUY" => Side::Buy,
            "sell" | "SELL" => Side::Sell,
            other => return needed(None, "side", other),
        };
        let trade = Trade { price: price(at)?, qty: qty(size)?, aggressor, trade_id: id(trade_id)? };
        out.push(Draft::at(time(ts)?, EventBody::Trade(trade)));
        Ok(Taken::Events)
    }
}

/// `open_time, open, high, low, close, volume, close_time, quote_volume, count, …`. A candle without trades is skipped:
/// who watched the trades would have seen no bar.
pub struct Klines;

impl LineRow for Klines {
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        if is_first && is_header(line) {
            return Ok(Taken::Nothing);
        }
        let [opened, open, high, low, close, volume, closed, _, count] = fields(line)?;
        let (open_ts, close_ts) = (time(opened)?, time(closed)?);
        // The close is the last stamp that still belongs to it, in the file's own unit.
        let unit = if closed.len() >= 16 { 1_000 } else { 1_000_000 };
        let nanos = close_ts.0.saturating_add(unit).checked_sub(open_ts.0);
        let secs =
            nanos.filter(|ns| ns % 1_000_000_000 == 0).and_then(|ns| u32::try_from(ns / 1_000_000_000).ok());
        let timeframe =
            needed(secs.and_then(Timeframe::from_secs), "length from open to close time", closed)?;
        let trades: u32 = needed(count.parse().ok(), "count", count)?;
        if trades == 0 {
            return Ok(Taken::Skipped("candles without trades"));
        }
        let bar = Bar {
            open_ts,
            open: price(open)?,
            high: price(high)?,
            low: price(low)?,
            close: price(close)?,
            volume: qty(volume)?,
            trades,
        };
        out.push(closed_bar(timeframe, bar)?);
        Ok(Taken::Events)
    }
}

/// A closed bar, told when it closed; one whose prices cannot belong together is refused.
pub(super) fn closed_bar(timeframe: Timeframe, bar: Bar) -> Result<Draft, String> {
    let Bar { open, high, low, close, .. } = bar;
    if low > open.min(close) || high < open.max(close) {
        return Err(format!("open {open}, high {high}, low {low}, close {close} are no bar"));
    }
    if !bar.open_ts.0.is_multiple_of(timeframe.nanos()) && timeframe.nanos() <= 86_400_000_000_000 {
        return Err(format!("opens {} ns into a bar of that length", bar.open_ts.0 % timeframe.nanos()));
    }
    let ts = TsNs(bar.open_ts.0.saturating_add(timeframe.nanos()));
    Ok(Draft::at(ts, EventBody::Bar(timeframe, bar)))
}

/// `update_id, best_bid_price, best_bid_qty, best_ask_price, best_ask_qty, transaction_time, event_time`
pub struct BookTicker;

impl LineRow for BookTicker {
    fn row(&mut self, line: &str, is_first: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        if is_first && is_header(line) {
            return Ok(Taken::Nothing);
        }
        let [update_id, bid, bid_qty, ask, ask_qty, ts] = fields(line)?;
        let quote = Quote {
            bid: price(bid)?,
            bid_qty: qty(bid_qty)?,
            ask: price(ask)?,
            ask_qty: qty(ask_qty)?,
            update_id: id(update_id)?,
        };
        out.push(Draft::at(time(ts)?, EventBody::Quote(quote)));
        Ok(Taken::Events)
    }
}
