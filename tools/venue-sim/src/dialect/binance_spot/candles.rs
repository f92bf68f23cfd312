//! Candles of every interval the venue offers, built from the public trades.
//!
//! Pure. A bar ends with the clock, not with the next trade; a bar without trades repeats the last price.

use crate::market::Kline;
use smc_core::{Price, Qty, Side, TsNs};
use std::collections::VecDeque;

/// Bars kept per interval: the most that one `klines` request returns.
const BARS_MAX: usize = 1_000;

/// The intervals, by the venue's name, in seconds. Weeks and months are not offered.
pub const INTERVALS: [(&str, u64); 14] = [
    ("1s", 1),
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("2h", 7_200),
    ("4h", 14_400),
    ("6h", 21_600),
    ("8h", 28_800),
    ("12h", 43_200),
    ("1d", 86_400),
    ("3d", 259_200),
];

/// Index of an interval by name.
pub fn interval_index(name: &str) -> Option<usize> {
    INTERVALS.iter().position(|(known, _)| *known == name)
}

/// A candle with the trades it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Prices and quantities.
    pub kline: Kline,
    /// First trade; −1 when there was none.
    pub first_trade: i64,
    /// Last trade; −1 when there was none.
    pub last_trade: i64,
}

/// The bars of one interval.
#[derive(Clone, Debug)]
struct Series {
    interval_ns: u64,
    closed: VecDeque<Bar>,
    forming: Option<Bar>,
    is_changed: bool,
}

/// All intervals of one symbol.
#[derive(Clone, Debug)]
pub struct Candles {
    series: Vec<Series>,
}

impl Candles {
    /// Candles with a history of one-minute bars, oldest first.
    pub fn new(history: &[Kline], start: TsNs) -> Self {
        let series = INTERVALS.iter().map(|(_, seconds)| Series::new(seconds * 1_000_000_000));
        let mut candles = Self { series: series.collect() };
        for series in candles.series.iter_mut().filter(|series| series.interval_ns >= 60_000_000_000) {
            for kline in history {
                series.merge(kline);
            }
            series.roll(start);
        }
        candles
    }

    /// Takes one trade.
    pub fn on_trade(&mut self, at: TsNs, price: Price, qty: Qty, aggressor: Side, trade_id: u64) {
        let quote = price.notional_floor(qty).0;
        let is_buy = aggressor == Side::Buy;
        let trade = Kline {
            open_ts: at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: qty,
            quote_volume: quote,
            taker_buy_volume: if is_buy { qty } else { Qty::ZERO },
            taker_buy_quote_volume: if is_buy { quote } else { 0 },
            trades: 1,
        };
        let id = i64::try_from(trade_id).unwrap_or(i64::MAX);
        for series in &mut self.series {
            series.merge(&trade);
            series.number(id);
        }
    }

    /// Ends the bars that are over at `now`; returns them with the index of their interval.
    pub fn roll(&mut self, now: TsNs) -> Vec<(usize, Bar)> {
        let mut ended = Vec::new();
        for (interval, series) in self.series.iter_mut().enumerate() {
            ended.extend(series.roll(now).map(|bar| (interval, bar)));
        }
        ended
    }

    /// The forming bar of an interval, if it changed since the last call.
    pub fn take_changed(&mut self, interval: usize) -> Option<Bar> {
        let series = self.series.get_mut(interval)?;
        let is_changed = std::mem::take(&mut series.is_changed);
        series.forming.filter(|_| is_changed)
    }

    /// The bars of an interval, oldest first, the forming one last.
    pub fn bars(&self, interval: usize) -> impl DoubleEndedIterator<Item = &Bar> + '_ {
        let series = self.series.get(interval);
        series.into_iter().flat_map(|series| series.closed.iter().chain(series.forming.as_ref()))
    }
}

impl Series {
    fn new(interval_ns: u64) -> Self {
        Self { interval_ns, closed: VecDeque::new(), forming: None, is_changed: false }
    }

    fn open_of(&self, at: TsNs) -> TsNs {
        TsNs(at.0 - at.0 % self.interval_ns)
    }

    /// Adds a trade, or a smaller bar, to the bar it falls into.
    fn merge(&mut self, part: &Kline) {
        self.roll(part.open_ts);
        let open_ts = self.open_of(part.open_ts);
        self.is_changed = true;
        match &mut self.forming {
            Some(bar) if bar.kline.trades > 0 => {
                let kline = &mut bar.kline;
                kline.high = kline.high.max(part.high);
                kline.low = kline.low.min(part.low);
                kline.close = part.close;
                kline.volume = Qty(kline.volume.0.saturating_add(part.volume.0));
                kline.quote_volume = kline.quote_volume.saturating_add(part.quote_volume);
                kline.taker_buy_volume =
                    Qty(kline.taker_buy_volume.0.saturating_add(part.taker_buy_volume.0));
                kline.taker_buy_quote_volume =
                    kline.taker_buy_quote_volume.saturating_add(part.taker_buy_quote_volume);
                kline.trades = kline.trades.saturating_add(part.trades);
            }
            forming => {
                *forming = Some(Bar { kline: Kline { open_ts, ..*part }, first_trade: -1, last_trade: -1 });
            }
        }
    }

    fn number(&mut self, trade_id: i64) {
        if let Some(bar) = &mut self.forming {
            if bar.first_trade < 0 {
                bar.first_trade = trade_id;
            }
            bar.last_trade = trade_id;
        }
    }

    /// Ends the forming bar when its time is over, and opens the one that `now` falls into.
    ///
    /// Returns the bar that ended last; a clock that jumps over several bars fills the gap with flat ones.
    fn roll(&mut self, now: TsNs) -> Option<Bar> {
        let mut ended = None;
        while let Some(bar) = self.forming {
            let next_open = bar.kline.open_ts.0.saturating_add(self.interval_ns);
            if now.0 < next_open {
                break;
            }
            self.closed.push_back(bar);
            if self.closed.len() > BARS_MAX {
                self.closed.pop_front();
            }
            ended = Some(bar);
            // A gap longer than all the bars kept leaves nothing of its first part.
            let gap_start = now.0.saturating_sub(self.interval_ns.saturating_mul(BARS_MAX as u64));
            let open_ts = self.open_of(TsNs(next_open.max(gap_start)));
            self.forming = Some(flat(bar.kline.close, open_ts));
            self.is_changed = true;
        }
        ended
    }
}

fn flat(price: Price, open_ts: TsNs) -> Bar {
    let kline = Kline {
        open_ts,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: Qty::ZERO,
        quote_volume: 0,
        taker_buy_volume: Qty::ZERO,
        taker_buy_quote_volume: 0,
        trades: 0,
    };
    Bar { kline, first_trade: -1, last_trade: -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    fn closes(candles: &Candles, interval: &str) -> Vec<(u64, i64, u32)> {
        let interval = interval_index(interval).unwrap();
        candles
            .bars(interval)
            .map(|bar| (bar.kline.open_ts.0 / MINUTE, bar.kline.close.0, bar.kline.trades))
            .collect()
    }

    #[test]
    fn bars_end_with_the_clock_and_empty_ones_repeat_the_price() {
        let mut candles = Candles::new(&[], TsNs(0));
        candles.on_trade(TsNs(1), Price(5), Qty(1), Side::Buy, 7);
        candles.on_trade(TsNs(2), Price(6), Qty(1), Side::Sell, 8);
        assert_eq!(candles.take_changed(1).map(|bar| bar.first_trade), Some(7));
        assert_eq!(candles.take_changed(1), None);
        let ended = candles.roll(TsNs(MINUTE));
        assert!(ended.iter().any(|(interval, bar)| *interval == 1 && bar.last_trade == 8));
        candles.roll(TsNs(3 * MINUTE));
        assert_eq!(closes(&candles, "1m"), [(0, 6, 2), (1, 6, 0), (2, 6, 0), (3, 6, 0)]);
        candles.on_trade(TsNs(3 * MINUTE + 1), Price(9), Qty(1), Side::Buy, 9);
        let last = candles.bars(1).next_back().copied().unwrap();
        assert_eq!((last.kline.open, last.kline.trades), (Price(9), 1));
    }

    #[test]
    fn history_folds_into_longer_intervals() {
        let bar = |minute: u64, price| Kline { trades: 2, ..flat(Price(price), TsNs(minute * MINUTE)).kline };
        let history: Vec<Kline> = (0..12).map(|minute| bar(minute, 10 + minute as i64)).collect();
        let candles = Candles::new(&history, TsNs(12 * MINUTE));
        assert_eq!(closes(&candles, "5m"), [(0, 14, 10), (5, 19, 10), (10, 21, 4)]);
        assert_eq!(closes(&candles, "1m").len(), 13);
        assert_eq!(closes(&candles, "1s"), []);
    }
}
