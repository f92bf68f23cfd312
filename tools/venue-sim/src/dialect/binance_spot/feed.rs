//! What the market streams carry: the events of one symbol, in the venue's JSON and in its binary form.
//!
//! Pure. The key order is the live venue's, so that scanners written for it find what they expect.

use super::candles::{Bar, Candles, INTERVALS};
use super::sbe;
use super::streams::StreamKind;
use crate::dialect::Frame;
use crate::dialect::json::D8;
use crate::exchange::PublicTrade;
use crate::exchange::book::Book;
use crate::market::Kline;
use smc_core::words::Price;
use smc_core::{Side, TsNs};
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

/// Trades kept for `GET /api/v3/trades`: the most that one request returns.
const TRADES_MAX: usize = 1_000;
/// Speeds of the depth streams, in ticks of 100 ms; the last is that of the binary ones.
const DEPTH_TICKS: [u64; 3] = [1, 10, 1];
/// Place of the binary streams' speed.
const BINARY: usize = 2;
/// A candle that changed is sent every so many ticks; the one-second candle more often.
const KLINE_TICKS: u64 = 20;
const KLINE_1S_TICKS: u64 = 10;
/// Levels of the partial depth streams.
const PARTIAL_LEVELS: [usize; 3] = [5, 10, 20];

/// One event of one stream: a text without its envelope, or a whole binary message.
pub type StreamEvent = (StreamKind, Frame);

/// Best price and quantity of one side; zeros when it is empty.
type Top = (i64, i64);

/// The changes of the book since the last depth event of one speed.
#[derive(Clone, Debug, Default)]
struct DepthWindow {
    first_id: Option<u64>,
    changed: BTreeSet<(bool, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Aggregate {
    taker: u64,
    qty: i64,
    first: PublicTrade,
    last_id: u64,
    at: TsNs,
}

/// The stream state of one symbol.
pub struct SymbolFeed {
    symbol: String,
    windows: [DepthWindow; 3],
    /// Whether the book changed since the last partial depth event of each speed.
    is_partial_due: [bool; 3],
    candles: Candles,
    top: Option<(Top, Top)>,
    aggregate: Option<Aggregate>,
    next_aggregate_id: u64,
    trades: VecDeque<(TsNs, PublicTrade)>,
}

impl SymbolFeed {
    /// A feed with a history of one-minute candles.
    pub fn new(symbol: &str, history: &[Kline], start: TsNs, first_aggregate_id: u64) -> Self {
        Self {
            symbol: symbol.to_owned(),
            windows: Default::default(),
            is_partial_due: [false; 3],
            candles: Candles::new(history, start),
            top: None,
            aggregate: None,
            next_aggregate_id: first_aggregate_id,
            trades: VecDeque::new(),
        }
    }

    /// The candles.
    pub fn candles(&self) -> &Candles {
        &self.candles
    }

    /// The last public trades, oldest first.
    pub fn trades(&self) -> impl DoubleEndedIterator<Item = &(TsNs, PublicTrade)> + ExactSizeIterator {
        self.trades.iter()
    }

    /// Takes one public trade.
    pub fn on_trade(&mut self, trade: PublicTrade, now: TsNs, out: &mut Vec<StreamEvent>) {
        self.candles.on_trade(now, trade.price, trade.qty, trade.aggressor, trade.trade_id);
        if self.trades.len() == TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back((now, trade));
        let frame = sbe::trades(&self.symbol, &[trade], now, now);
        out.push((StreamKind::BinaryTrade, Frame::Binary(frame)));
        let ms = now.as_ms();
        out.push((
            StreamKind::Trade,
            Frame::Text(format!(
                r#"{{"e":"trade","E":{ms},"s":"{}","t":{},"p":"{}","q":"{}","T":{ms},"m":{},"M":true}}"#,
                self.symbol,
                trade.trade_id,
                D8::from(trade.price),
                D8::from(trade.qty),
                trade.aggressor == Side::Sell,
            )),
        ));
        match &mut self.aggregate {
            Some(open) if open.taker == trade.taker && open.first.price == trade.price => {
                open.qty = open.qty.saturating_add(trade.qty.0);
                open.last_id = trade.trade_id;
            }
            _ => {
                self.finish_aggregate(now, out);
                self.aggregate = Some(Aggregate {
                    taker: trade.taker,
                    qty: trade.qty.0,
                    first: trade,
                    last_id: trade.trade_id,
                    at: now,
                });
            }
        }
    }

    /// Ends one action on the symbol: the aggregate trade is whole, the top of book is final.
    pub fn finish(&mut self, book: &mut Book, now: TsNs, out: &mut Vec<StreamEvent>) {
        self.finish_aggregate(now, out);
        let changes = book.take_changes();
        let first_id = book.update_id() + 1 - changes.len() as u64;
        if changes.is_empty() {
            return;
        }
        for window in &mut self.windows {
            window.first_id.get_or_insert(first_id);
            window.changed.extend(changes.iter().map(|(side, price)| (*side == Side::Sell, *price)));
        }
        self.is_partial_due = [true; 3];
        let top = (book.best(Side::Buy).unwrap_or_default(), book.best(Side::Sell).unwrap_or_default());
        if self.top != Some(top) {
            self.top = Some(top);
            out.push((StreamKind::BookTicker, Frame::Text(self.book_ticker(book))));
            out.push((StreamKind::BinaryBest, self.binary_best(book, now)));
        }
    }

    /// The top of book as the ticker stream sends it.
    pub fn book_ticker(&self, book: &Book) -> String {
        let (bid, bid_qty) = book.best(Side::Buy).unwrap_or_default();
        let (ask, ask_qty) = book.best(Side::Sell).unwrap_or_default();
        format!(
            r#"{{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
            book.update_id(),
            self.symbol,
            D8(bid),
            D8(bid_qty),
            D8(ask),
            D8(ask_qty),
        )
    }

    /// The top of book as the binary stream sends it.
    pub fn binary_best(&self, book: &Book, now: TsNs) -> Frame {
        let [bid, ask] = [Side::Buy, Side::Sell].map(|side| book.best(side).unwrap_or_default());
        Frame::Binary(sbe::best(&self.symbol, book.update_id(), bid, ask, now))
    }

    /// What is due at a tick of 100 ms. `tick` counts them since the epoch.
    pub fn on_tick(&mut self, book: &Book, now: TsNs, tick: u64, out: &mut Vec<StreamEvent>) {
        for (index, every) in DEPTH_TICKS.into_iter().enumerate() {
            if tick.is_multiple_of(every) {
                self.flush_depth(index, book, now, out);
                self.flush_partial(index, book, now, out);
            }
        }
        for (interval, bar) in self.candles.roll(now) {
            let event = self.kline(interval, &bar, true, now);
            out.push((StreamKind::Kline(interval), Frame::Text(event)));
        }
        for interval in 0..INTERVALS.len() {
            let every = if interval == 0 { KLINE_1S_TICKS } else { KLINE_TICKS };
            if tick.is_multiple_of(every)
                && let Some(bar) = self.candles.take_changed(interval)
            {
                let event = self.kline(interval, &bar, false, now);
                out.push((StreamKind::Kline(interval), Frame::Text(event)));
            }
        }
    }

    /// Sends the changes so far at once: a client that just subscribed may wait for a first event.
    pub fn flush_all_depth(&mut self, book: &Book, now: TsNs, out: &mut Vec<StreamEvent>) {
        for index in 0..DEPTH_TICKS.len() {
            self.flush_depth(index, book, now, out);
        }
    }

    fn flush_depth(&mut self, index: usize, book: &Book, now: TsNs, out: &mut Vec<StreamEvent>) {
        let (Some(window), Some(every)) = (self.windows.get_mut(index), DEPTH_TICKS.get(index)) else {
            return;
        };
        let Some(first_id) = window.first_id.take() else { return };
        let changed = std::mem::take(&mut window.changed);
        let levels = |side: Side| {
            changed
                .iter()
                .filter(move |(is_ask, _)| *is_ask == (side == Side::Sell))
                .map(move |(_, price)| (*price, book.visible(side, *price)))
        };
        let mut bids: Vec<_> = levels(Side::Buy).collect();
        bids.reverse();
        let asks: Vec<_> = levels(Side::Sell).collect();
        if index == BINARY {
            let frame = sbe::depth(&self.symbol, [first_id, book.update_id()], [&bids, &asks], now);
            out.push((StreamKind::BinaryDepth, Frame::Binary(frame)));
            return;
        }
        let event = format!(
            r#"{{"e":"depthUpdate","E":{},"s":"{}","U":{first_id},"u":{},"b":{},"a":{}}}"#,
            now.as_ms(),
            self.symbol,
            book.update_id(),
            levels_text(bids.into_iter()),
            levels_text(asks.into_iter()),
        );
        out.push((StreamKind::Depth(*every), Frame::Text(event)));
    }

    fn flush_partial(&mut self, index: usize, book: &Book, now: TsNs, out: &mut Vec<StreamEvent>) {
        let (Some(is_due), Some(every)) = (self.is_partial_due.get_mut(index), DEPTH_TICKS.get(index)) else {
            return;
        };
        if !std::mem::take(is_due) {
            return;
        }
        if index == BINARY {
            let [bids, asks] =
                [Side::Buy, Side::Sell].map(|side| book.levels(side).take(20).collect::<Vec<_>>());
            let frame = sbe::depth20(&self.symbol, book.update_id(), [&bids, &asks], now);
            out.push((StreamKind::BinaryDepth20, Frame::Binary(frame)));
            return;
        }
        for levels in PARTIAL_LEVELS {
            out.push((StreamKind::PartialDepth(levels, *every), Frame::Text(depth_text(book, levels))));
        }
    }

    fn finish_aggregate(&mut self, now: TsNs, out: &mut Vec<StreamEvent>) {
        let Some(aggregate) = self.aggregate.take() else { return };
        self.next_aggregate_id += 1;
        out.push((
            StreamKind::AggTrade,
            Frame::Text(format!(
                r#"{{"e":"aggTrade","E":{},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{},"m":{},"M":true}}"#,
                now.as_ms(),
                self.symbol,
                self.next_aggregate_id,
                D8::from(aggregate.first.price),
                D8(aggregate.qty),
                aggregate.first.trade_id,
                aggregate.last_id,
                aggregate.at.as_ms(),
                aggregate.first.aggressor == Side::Sell,
            )),
        ));
    }

    /// The newest closed candle of a second as the venue would tell it after a second thought.
    pub fn revision(&self, now: TsNs) -> Option<StreamEvent> {
        let mut bar = *self.candles.bars(0).rev().nth(1)?;
        bar.kline.high = Price(bar.kline.high.0 + bar.kline.high.0 / 1_000);
        Some((StreamKind::Kline(0), Frame::Text(self.kline(0, &bar, true, now))))
    }

    fn kline(&self, interval: usize, bar: &Bar, is_closed: bool, now: TsNs) -> String {
        let (name, seconds) = INTERVALS.get(interval).copied().unwrap_or(("", 1));
        let kline = &bar.kline;
        let open_ms = kline.open_ts.as_ms();
        format!(
            r#"{{"e":"kline","E":{},"s":"{s}","k":{{"t":{open_ms},"T":{},"s":"{s}","i":"{name}","f":{},"L":{},"o":"{}","c":"{}","h":"{}","l":"{}","v":"{}","n":{},"x":{is_closed},"q":"{}","V":"{}","Q":"{}","B":"0"}}}}"#,
            now.as_ms(),
            open_ms + seconds * 1_000 - 1,
            bar.first_trade,
            bar.last_trade,
            D8::from(kline.open),
            D8::from(kline.close),
            D8::from(kline.high),
            D8::from(kline.low),
            D8::from(kline.volume),
            kline.trades,
            D8(kline.quote_volume),
            D8::from(kline.taker_buy_volume),
            D8(kline.taker_buy_quote_volume),
            s = self.symbol,
        )
    }
}

/// The book as `depth` requests and partial depth streams return it.
pub fn depth_text(book: &Book, limit: usize) -> String {
    format!(
        r#"{{"lastUpdateId":{},"bids":{},"asks":{}}}"#,
        book.update_id(),
        levels_text(book.levels(Side::Buy).take(limit)),
        levels_text(book.levels(Side::Sell).take(limit)),
    )
}

/// One candle as `klines` requests return it.
pub fn kline_row(bar: &Bar, seconds: u64) -> String {
    let kline = &bar.kline;
    let open_ms = kline.open_ts.as_ms();
    format!(
        r#"[{open_ms},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]"#,
        D8::from(kline.open),
        D8::from(kline.high),
        D8::from(kline.low),
        D8::from(kline.close),
        D8::from(kline.volume),
        open_ms + seconds * 1_000 - 1,
        D8(kline.quote_volume),
        kline.trades,
        D8::from(kline.taker_buy_volume),
        D8(kline.taker_buy_quote_volume),
    )
}

fn levels_text(levels: impl Iterator<Item = (i64, i64)>) -> String {
    let mut text = String::from("[");
    for (index, (price, qty)) in levels.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, r#"{comma}["{}","{}"]"#, D8(price), D8(qty));
    }
    text.push(']');
    text
}
