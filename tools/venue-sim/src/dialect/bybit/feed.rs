//! What the public topics of one instrument carry, in the venue's JSON.
//!
//! Pure. The key order is the live venue's, so that scanners written for it find what they expect.

use super::depth::{BookTopic, Paper};
use super::ticker::{Facts, Quote, Ticker};
use super::topics::{DEPTHS, Public, interval_word};
use super::words::{Category, Stepped, id_text, plain, side_word};
use crate::dialect::binance_spot::candles::{Bar, Candles, INTERVALS};
use crate::exchange::PublicTrade;
use crate::exchange::book::Book;
use crate::market::{Kline, SymbolInfo};
use smc_core::{Price, Side, TsNs};
use std::collections::VecDeque;
use std::fmt::Write;

/// Trades kept for `market/recent-trade`: the most that one request returns.
const TRADES_MAX: usize = 1_000;
/// Most trades in one message.
const TRADES_IN_MESSAGE: usize = 1_024;
/// A candle that changed is sent every so many ticks of 10 ms.
const KLINE_TICKS: u64 = 100;
/// The price limits are sent every so many ticks.
const PRICE_LIMIT_TICKS: u64 = 30;

/// One event of one topic.
pub type TopicEvent = (Public, String);

/// A public trade as it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Printed {
    /// When.
    pub at: TsNs,
    /// The trade.
    pub trade: PublicTrade,
    /// The book's number when it happened.
    pub seq: u64,
    /// How its price moved.
    tick_direction: &'static str,
}

/// The topic state of one instrument.
pub struct SymbolFeed {
    category: Category,
    symbol: String,
    tick: i64,
    lot: i64,
    books: [BookTopic; DEPTHS.len()],
    /// Which topics somebody reads; books that nobody reads are not compared.
    is_read: [bool; DEPTHS.len()],
    candles: Candles,
    ticker: Ticker,
    trades: VecDeque<Printed>,
    /// Trades of the action in progress.
    fresh: Vec<Printed>,
    last: Option<(Price, &'static str)>,
    /// When the book last changed.
    changed_at: TsNs,
    /// The price limits as last sent.
    price_limit: Option<(i64, i64)>,
}

impl SymbolFeed {
    /// A feed with a history of one-minute candles.
    pub fn new(category: Category, info: &SymbolInfo, history: &[Kline], start: TsNs, first_id: u64) -> Self {
        Self {
            category,
            symbol: info.spec.symbol.as_str().to_owned(),
            tick: info.spec.tick.0,
            lot: info.spec.lot.0,
            books: std::array::from_fn(|index| BookTopic::new(index, first_id)),
            is_read: [false; DEPTHS.len()],
            candles: Candles::new(history, start),
            ticker: Ticker::default(),
            trades: VecDeque::new(),
            fresh: Vec::new(),
            last: None,
            changed_at: start,
            price_limit: None,
        }
    }

    /// Category, symbol and steps.
    pub fn paper(&self) -> Paper<'_> {
        Paper { category: self.category, symbol: &self.symbol, tick: self.tick, lot: self.lot }
    }

    /// The candles.
    pub fn candles(&self) -> &Candles {
        &self.candles
    }

    /// The last public trades, oldest first.
    pub fn trades(&self) -> impl DoubleEndedIterator<Item = &Printed> + ExactSizeIterator {
        self.trades.iter()
    }

    /// When the book last changed.
    pub fn changed_at(&self) -> TsNs {
        self.changed_at
    }

    /// Takes one public trade; it is sent when the action is over.
    pub fn on_trade(&mut self, trade: PublicTrade, seq: u64, now: TsNs) {
        self.candles.on_trade(now, trade.price, trade.qty, trade.aggressor, trade.trade_id);
        let tick_direction = match self.last {
            Some((last, _)) if trade.price > last => "PlusTick",
            Some((last, _)) if trade.price < last => "MinusTick",
            Some((_, "PlusTick" | "ZeroPlusTick")) => "ZeroPlusTick",
            Some((_, _)) => "ZeroMinusTick",
            None => "PlusTick",
        };
        self.last = Some((trade.price, tick_direction));
        if self.trades.len() == TRADES_MAX {
            self.trades.pop_front();
        }
        let printed = Printed { at: now, trade, seq, tick_direction };
        self.trades.push_back(printed);
        self.fresh.push(printed);
    }

    /// Ends one action on the instrument: its trades are sent.
    pub fn finish(&mut self, book: &mut Book, now: TsNs, out: &mut Vec<TopicEvent>) {
        if !book.take_changes().is_empty() {
            self.changed_at = now;
        }
        let fresh = std::mem::take(&mut self.fresh);
        for part in fresh.chunks(TRADES_IN_MESSAGE) {
            out.push((Public::Trade, self.trades_message(part, now)));
        }
    }

    /// What is due at a tick of 10 ms. `tick` counts them since the epoch.
    pub fn on_tick(&mut self, book: &Book, quote: &Quote, now: TsNs, tick: u64, out: &mut Vec<TopicEvent>) {
        for index in 0..self.books.len() {
            if let Some(text) = self.book_update(index, book, now, tick) {
                out.push((Public::Book(index), text));
            }
        }
        let is_ticker_due = tick.is_multiple_of(if self.category.is_spot() { 5 } else { 10 });
        if is_ticker_due {
            let mut ticker = std::mem::take(&mut self.ticker);
            out.extend(ticker.update(&facts(self, book), quote, now).map(|text| (Public::Ticker, text)));
            self.ticker = ticker;
        }
        for (interval, bar) in self.candles.roll(now) {
            self.kline(interval, &bar, true, now, out);
        }
        if tick.is_multiple_of(KLINE_TICKS) {
            for interval in 0..INTERVALS.len() {
                if let Some(bar) = self.candles.take_changed(interval) {
                    self.kline(interval, &bar, false, now, out);
                }
            }
        }
        if tick.is_multiple_of(PRICE_LIMIT_TICKS) && self.price_limit != quote.price_limit {
            self.price_limit = quote.price_limit;
            out.extend(self.price_limit_message(quote, now).map(|text| (Public::PriceLimit, text)));
        }
    }

    fn book_update(&mut self, index: usize, book: &Book, now: TsNs, tick: u64) -> Option<String> {
        let is_read = self.is_read.get(index).copied().unwrap_or(false);
        let paper = Paper { category: self.category, symbol: &self.symbol, tick: self.tick, lot: self.lot };
        let topic = self.books.get_mut(index).filter(|topic| is_read && topic.is_tick(tick))?;
        topic.update(paper, book, self.changed_at, now)
    }

    /// The number under which a book is known to those who read so many levels; 0 while they do not know it.
    pub fn number_of(&self, depth: u16, book_id: u64) -> u64 {
        let at = DEPTHS.iter().position(|(levels, _)| *levels == usize::from(depth));
        at.and_then(|at| self.books.get(at)).map_or(0, |topic| topic.number_of(book_id))
    }

    /// Notes which topics are read.
    pub fn set_read(&mut self, is_read: [bool; DEPTHS.len()]) {
        self.is_read = is_read;
    }

    /// What a new reader of a topic gets at once. Call it before [`set_read`](Self::set_read) counts the reader.
    pub fn greeting(&mut self, topic: Public, book: &Book, quote: &Quote, now: TsNs) -> Option<String> {
        match topic {
            Public::Book(index) => {
                let is_read = self.is_read.get(index).copied().unwrap_or(false);
                let paper =
                    Paper { category: self.category, symbol: &self.symbol, tick: self.tick, lot: self.lot };
                let changed_at = self.changed_at;
                Some(self.books.get_mut(index)?.snapshot(paper, book, is_read, changed_at, now))
            }
            Public::Ticker => Some(Ticker::snapshot(&facts(self, book), quote, now)),
            Public::PriceLimit => self.price_limit_message(quote, now),
            Public::Kline(seconds) => {
                let interval = INTERVALS.iter().position(|(_, known)| *known == seconds)?;
                let bar = *self.candles.bars(interval).next_back()?;
                Some(self.kline_message(seconds, &bar, false, now))
            }
            Public::Trade | Public::Liquidation => None,
        }
    }

    /// Fields and values of `market/tickers`.
    pub fn ticker_fields(&self, book: &Book, quote: &Quote) -> Vec<(&'static str, String)> {
        Ticker::rest_fields(&facts(self, book), quote)
    }

    fn trades_message(&self, trades: &[Printed], now: TsNs) -> String {
        let is_spot = self.category.is_spot();
        let mut rows = String::new();
        for (index, printed) in trades.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let trade = &printed.trade;
            let price = Stepped { value: trade.price.0, step: self.tick };
            let qty = Stepped { value: trade.qty.0, step: self.lot };
            let (id, at, side) = (
                id_text(self.category, super::public_trade_number(trade)),
                printed.at.as_ms(),
                side_word(trade.aggressor),
            );
            let _ = if is_spot {
                write!(
                    rows,
                    r#"{comma}{{"i":"{id}","T":{at},"p":"{price}","v":"{qty}","S":"{side}","seq":{},"s":"{}","BT":false,"RPI":false}}"#,
                    printed.seq, self.symbol,
                )
            } else {
                write!(
                    rows,
                    r#"{comma}{{"T":{at},"s":"{}","S":"{side}","v":"{qty}","p":"{price}","L":"{}","i":"{id}","BT":false,"RPI":false,"seq":{}}}"#,
                    self.symbol, printed.tick_direction, printed.seq,
                )
            };
        }
        let (symbol, ts) = (&self.symbol, now.as_ms());
        if is_spot {
            format!(r#"{{"topic":"publicTrade.{symbol}","ts":{ts},"type":"snapshot","data":[{rows}]}}"#)
        } else {
            format!(r#"{{"topic":"publicTrade.{symbol}","type":"snapshot","ts":{ts},"data":[{rows}]}}"#)
        }
    }

    fn kline(&self, interval: usize, bar: &Bar, is_closed: bool, now: TsNs, out: &mut Vec<TopicEvent>) {
        let seconds = INTERVALS.get(interval).map_or(0, |(_, seconds)| *seconds);
        if !interval_word(seconds).is_empty() {
            out.push((Public::Kline(seconds), self.kline_message(seconds, bar, is_closed, now)));
        }
    }

    fn kline_message(&self, seconds: u64, bar: &Bar, is_closed: bool, now: TsNs) -> String {
        let kline = &bar.kline;
        let (word, start, price) = (interval_word(seconds), kline.open_ts.as_ms(), self.price_text());
        let last_ms = self.trades.back().map_or(start, |printed| printed.at.as_ms());
        format!(
            r#"{{"topic":"kline.{word}.{}","data":[{{"start":{start},"end":{end},"interval":"{word}","open":"{}","close":"{}","high":"{}","low":"{}","volume":"{}","turnover":"{}","confirm":{is_closed},"timestamp":{}}}],"ts":{},"type":"snapshot"}}"#,
            self.symbol,
            price(kline.open),
            price(kline.close),
            price(kline.high),
            price(kline.low),
            plain(kline.volume.0),
            plain(kline.quote_volume),
            last_ms.clamp(start, end_ms(start, seconds)),
            now.as_ms(),
            end = end_ms(start, seconds),
        )
    }

    /// One candle as `market/kline` returns it.
    pub fn kline_row(&self, bar: &Bar) -> String {
        let (kline, price) = (&bar.kline, self.price_text());
        format!(
            r#"["{}","{}","{}","{}","{}","{}","{}"]"#,
            kline.open_ts.as_ms(),
            price(kline.open),
            price(kline.high),
            price(kline.low),
            price(kline.close),
            plain(kline.volume.0),
            plain(kline.quote_volume),
        )
    }

    fn price_limit_message(&self, quote: &Quote, now: TsNs) -> Option<String> {
        let (buy, sell) = quote.price_limit?;
        let price = self.price_text();
        Some(format!(
            r#"{{"topic":"priceLimit.{s}","data":{{"symbol":"{s}","buyLmt":"{}","sellLmt":"{}"}},"ts":{}}}"#,
            price(Price(buy)),
            price(Price(sell)),
            now.as_ms(),
            s = self.symbol,
        ))
    }

    fn price_text(&self) -> impl Fn(Price) -> Stepped {
        let step = self.tick;
        move |price| Stepped { value: price.0, step }
    }
}

const fn end_ms(start_ms: u64, seconds: u64) -> u64 {
    start_ms + seconds * 1_000 - 1
}

/// What a ticker is made of besides the quote.
fn facts<'a>(feed: &'a SymbolFeed, book: &Book) -> Facts<'a> {
    let best = |side| book.best(side).unwrap_or_default();
    Facts {
        paper: feed.paper(),
        seq: book.update_id(),
        bid: best(Side::Buy),
        ask: best(Side::Sell),
        last: feed.last,
        candles: &feed.candles,
    }
}
