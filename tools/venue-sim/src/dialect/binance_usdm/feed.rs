//! What the market streams of futures carry: the events of one symbol, in the venue's JSON.
//!
//! Pure. Book numbers leave holes, as the live venue's do: only `pu` tells whether an event follows another.

use super::info::Grid;
use super::streams::StreamKind;
use crate::dialect::binance_spot::candles::{Bar, Candles, INTERVALS};
use crate::exchange::PublicTrade;
use crate::exchange::book::Book;
use crate::exchange::linear;
use crate::market::Kline;
use smc_core::instrument::InstrumentSpec;
use smc_core::{Price, Side, TsNs};
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;

/// Trades kept for queries: the most that one request returns.
const TRADES_MAX: usize = 1_000;
/// Speeds of the depth streams, in ticks of 50 ms; zero is at once.
const DEPTH_TICKS: [u64; 4] = [0, 2, 5, 10];
/// A candle that changed is sent every so many ticks.
const KLINE_TICKS: u64 = 5;
/// Levels of the partial depth streams.
const PARTIAL_LEVELS: [usize; 3] = [5, 10, 20];
/// A book number of the venue for each change of the book.
const ID_STRIDE: u64 = 3;

/// One event of one stream.
pub type StreamEvent = (StreamKind, String);

/// Best price and quantity of one side; zeros when it is empty.
type Top = (i64, i64);

/// The venue's number of a change of the book.
pub const fn book_id(update_id: u64) -> u64 {
    update_id.saturating_mul(ID_STRIDE)
}

/// The changes of the book since the last depth event of one speed.
#[derive(Clone, Debug, Default)]
struct DepthWindow {
    first_id: Option<u64>,
    /// Number of the last event sent; zero before the first.
    last_sent: u64,
    changed: BTreeSet<(bool, i64)>,
    /// Whether the book changed since the last partial depth event.
    is_partial_due: bool,
}

/// Trades of one taker at one price.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate {
    /// Its number.
    pub id: u64,
    taker: u64,
    /// Base quantity of all, 1e-8.
    pub qty: i64,
    /// The first of them.
    pub first: PublicTrade,
    /// Number of the last.
    pub last_id: u64,
    /// When the first traded.
    pub at: TsNs,
}

/// The stream state of one symbol.
pub struct SymbolFeed {
    symbol: String,
    grid: Grid,
    windows: [DepthWindow; 4],
    candles: Candles,
    top: Option<(Top, Top)>,
    aggregate: Option<Aggregate>,
    next_aggregate_id: u64,
    trades: VecDeque<(TsNs, PublicTrade)>,
    aggregates: VecDeque<Aggregate>,
}

impl SymbolFeed {
    /// A feed with a history of one-minute candles.
    pub fn new(spec: &InstrumentSpec, history: &[Kline], start: TsNs, first_aggregate_id: u64) -> Self {
        Self {
            symbol: spec.symbol.as_str().to_owned(),
            grid: Grid::of(spec),
            windows: Default::default(),
            candles: Candles::new(history, start),
            top: None,
            aggregate: None,
            next_aggregate_id: first_aggregate_id,
            trades: VecDeque::new(),
            aggregates: VecDeque::new(),
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

    /// The last aggregate trades, oldest first.
    pub fn aggregates(&self) -> impl DoubleEndedIterator<Item = &Aggregate> + ExactSizeIterator {
        self.aggregates.iter()
    }

    /// Takes one public trade.
    pub fn on_trade(&mut self, trade: PublicTrade, now: TsNs, out: &mut Vec<StreamEvent>) {
        self.candles.on_trade(now, trade.price, trade.qty, trade.aggressor, trade.trade_id);
        if self.trades.len() == TRADES_MAX {
            self.trades.pop_front();
        }
        self.trades.push_back((now, trade));
        let ms = now.as_ms();
        let text = format!(
            r#"{{"e":"trade","E":{ms},"T":{ms},"s":"{}","t":{},"p":"{}","q":"{}","X":"MARKET","m":{}}}"#,
            self.symbol,
            trade.trade_id,
            self.grid.price(trade.price.0),
            self.grid.qty(trade.qty.0),
            trade.aggressor == Side::Sell,
        );
        out.push((StreamKind::Trade, text));
        match &mut self.aggregate {
            Some(open) if open.taker == trade.taker && open.first.price == trade.price => {
                open.qty = open.qty.saturating_add(trade.qty.0);
                open.last_id = trade.trade_id;
            }
            _ => {
                self.finish_aggregate(now, out);
                self.next_aggregate_id += 1;
                self.aggregate = Some(Aggregate {
                    id: self.next_aggregate_id,
                    taker: trade.taker,
                    qty: trade.qty.0,
                    first: trade,
                    last_id: trade.trade_id,
                    at: now,
                });
            }
        }
    }

    fn finish_aggregate(&mut self, now: TsNs, out: &mut Vec<StreamEvent>) {
        let Some(aggregate) = self.aggregate.take() else { return };
        let text = format!(
            r#"{{"e":"aggTrade","E":{},"a":{},"s":"{}","p":"{}","q":"{q}","nq":"{q}","f":{},"l":{},"T":{},"m":{},"st":1}}"#,
            now.as_ms(),
            aggregate.id,
            self.symbol,
            self.grid.price(aggregate.first.price.0),
            aggregate.first.trade_id,
            aggregate.last_id,
            aggregate.at.as_ms(),
            aggregate.first.aggressor == Side::Sell,
            q = self.grid.qty(aggregate.qty),
        );
        out.push((StreamKind::AggTrade, text));
        if self.aggregates.len() == TRADES_MAX {
            self.aggregates.pop_front();
        }
        self.aggregates.push_back(aggregate);
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
            window.is_partial_due = true;
        }
        self.flush_depth(0, book, now, out);
        let top = (book.best(Side::Buy).unwrap_or_default(), book.best(Side::Sell).unwrap_or_default());
        if self.top != Some(top) {
            self.top = Some(top);
            out.push((StreamKind::BookTicker, self.book_ticker(book, now)));
        }
    }

    /// The top of book as the ticker stream sends it.
    pub fn book_ticker(&self, book: &Book, now: TsNs) -> String {
        let (bid, bid_qty) = book.best(Side::Buy).unwrap_or_default();
        let (ask, ask_qty) = book.best(Side::Sell).unwrap_or_default();
        format!(
            r#"{{"e":"bookTicker","u":{},"s":"{s}","b":"{}","B":"{}","a":"{}","A":"{}","T":{ms},"E":{ms},"ps":"{s}","st":1}}"#,
            book_id(book.update_id()),
            self.grid.price(bid),
            self.grid.qty(bid_qty),
            self.grid.price(ask),
            self.grid.qty(ask_qty),
            s = self.symbol,
            ms = now.as_ms(),
        )
    }

    /// Mark price and funding as their stream sends them.
    pub fn mark_price(&self, mark: Price, now: TsNs) -> String {
        format!(
            r#"{{"e":"markPriceUpdate","E":{},"s":"{}","p":"{p}","i":"{p}","P":"{p}","r":"{}","ap":"{p}","T":{},"st":1}}"#,
            now.as_ms(),
            self.symbol,
            linear::funding_rate_text(),
            linear::next_funding(now).as_ms(),
            p = crate::dialect::json::D8(mark.0),
        )
    }

    /// What is due at a tick of 50 ms. `tick` counts them since the epoch.
    pub fn on_tick(&mut self, book: &Book, now: TsNs, tick: u64, out: &mut Vec<StreamEvent>) {
        for (index, every) in DEPTH_TICKS.into_iter().enumerate() {
            if every > 0 && tick.is_multiple_of(every) {
                self.flush_partial(index, book, now, out);
                self.flush_depth(index, book, now, out);
            }
        }
        for (interval, bar) in self.candles.roll(now) {
            let event = self.kline(interval, &bar, true, now);
            out.push((StreamKind::Kline(interval), event));
        }
        if tick.is_multiple_of(KLINE_TICKS) {
            for interval in 0..INTERVALS.len() {
                if let Some(bar) = self.candles.take_changed(interval) {
                    let event = self.kline(interval, &bar, false, now);
                    out.push((StreamKind::Kline(interval), event));
                }
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
        let last_id = book_id(book.update_id());
        let previous = std::mem::replace(&mut window.last_sent, last_id);
        // One less than the number of the change before it, and more than the one before that: no event's `U` is
        // one more than the last `u`.
        let first_id = book_id(first_id) - 1;
        let previous = if previous == 0 { first_id.saturating_sub(2) } else { previous };
        let levels = |side: Side| {
            changed
                .iter()
                .filter(move |(is_ask, _)| *is_ask == (side == Side::Sell))
                .map(move |(_, price)| (*price, book.visible(side, *price)))
        };
        let mut bids: Vec<_> = levels(Side::Buy).collect();
        bids.reverse();
        let asks: Vec<_> = levels(Side::Sell).collect();
        let ids = (first_id, last_id, previous);
        let event = self.depth_event(ids, &bids, &asks, now);
        out.push((StreamKind::Depth(*every), event));
    }

    fn flush_partial(&mut self, index: usize, book: &Book, now: TsNs, out: &mut Vec<StreamEvent>) {
        let (Some(window), Some(every)) = (self.windows.get_mut(index), DEPTH_TICKS.get(index)) else {
            return;
        };
        if !std::mem::take(&mut window.is_partial_due) {
            return;
        }
        let last_id = book_id(book.update_id());
        let first_id = window.first_id.map_or(last_id, |id| book_id(id) - 1);
        let ids = (first_id, last_id, window.last_sent);
        for count in PARTIAL_LEVELS {
            let bids: Vec<_> = book.levels(Side::Buy).take(count).collect();
            let asks: Vec<_> = book.levels(Side::Sell).take(count).collect();
            out.push((StreamKind::PartialDepth(count, *every), self.depth_event(ids, &bids, &asks, now)));
        }
    }

    fn depth_event(&self, ids: (u64, u64, u64), bids: &[Top], asks: &[Top], now: TsNs) -> String {
        let (first, last, previous) = ids;
        format!(
            r#"{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"{s}","U":{first},"u":{last},"pu":{previous},"b":{},"a":{},"ps":"{s}","st":1}}"#,
            levels_text(&self.grid, bids.iter().copied()),
            levels_text(&self.grid, asks.iter().copied()),
            s = self.symbol,
            ms = now.as_ms(),
        )
    }

    fn kline(&self, interval: usize, bar: &Bar, is_closed: bool, now: TsNs) -> String {
        let (name, seconds) = INTERVALS.get(interval).copied().unwrap_or(("", 1));
        let (kline, grid) = (&bar.kline, &self.grid);
        let open_ms = kline.open_ts.as_ms();
        format!(
            r#"{{"e":"kline","E":{},"s":"{s}","k":{{"t":{open_ms},"T":{},"s":"{s}","i":"{name}","f":{},"L":{},"o":"{}","c":"{}","h":"{}","l":"{}","v":"{}","n":{},"x":{is_closed},"q":"{}","V":"{}","Q":"{}","B":"0"}}}}"#,
            now.as_ms(),
            open_ms + seconds * 1_000 - 1,
            bar.first_trade,
            bar.last_trade,
            grid.price(kline.open.0),
            grid.price(kline.close.0),
            grid.price(kline.high.0),
            grid.price(kline.low.0),
            grid.qty(kline.volume.0),
            kline.trades,
            grid.quote(kline.quote_volume),
            grid.qty(kline.taker_buy_volume.0),
            grid.quote(kline.taker_buy_quote_volume),
            s = self.symbol,
        )
    }
}

/// One candle as `klines` requests return it.
pub fn kline_row(grid: &Grid, bar: &Bar, seconds: u64) -> String {
    let kline = &bar.kline;
    let open_ms = kline.open_ts.as_ms();
    format!(
        r#"[{open_ms},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]"#,
        grid.price(kline.open.0),
        grid.price(kline.high.0),
        grid.price(kline.low.0),
        grid.price(kline.close.0),
        grid.qty(kline.volume.0),
        open_ms + seconds * 1_000 - 1,
        grid.quote(kline.quote_volume),
        kline.trades,
        grid.qty(kline.taker_buy_volume.0),
        grid.quote(kline.taker_buy_quote_volume),
    )
}

/// Levels as pairs of strings.
pub fn levels_text(grid: &Grid, levels: impl Iterator<Item = (i64, i64)>) -> String {
    let mut text = String::from("[");
    for (index, (price, qty)) in levels.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, r#"{comma}["{}","{}"]"#, grid.price(price), grid.qty(qty));
    }
    text.push(']');
    text
}
