//! Bars from trades, from quotes' mids, or from shorter bars.
//!
//! Pure. A bar is the half-open bucket `[open_ts, open_ts + timeframe)` since the epoch, UTC. It closes when
//! a price of a later bucket arrives or when the clock says that the bucket is over, never by peeking.
//! Buckets without a price are not invented. A price that comes too late never changes a closed bar: it is
//! counted and dropped. One engine thread runs it; no allocation outside [`BarSet::new`].

use alloc::vec::Vec;

use crate::event::Bar;
use crate::words::{Price, Qty, Timeframe, TsNs};

/// Builds the bars of one instrument and timeframe.
#[derive(Clone, Copy, Debug)]
pub struct BarBuilder {
    timeframe: Timeframe,
    grace_ns: u64,
    /// The bar that is still moving.
    forming: Option<Bar>,
    /// Prices before this belong to closed bars.
    closed_until: TsNs,
    late: u64,
    refused: u64,
}

impl BarBuilder {
    /// A builder that has seen nothing.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, grace_ns: 0, forming: None, closed_until: TsNs(0), late: 0, refused: 0 }
    }

    /// Lets the clock close a bar only `grace_ns` after its end, so that trades still under way are not late.
    /// A price of a later bucket closes it at once all the same.
    pub const fn with_grace(mut self, grace_ns: u64) -> Self {
        self.grace_ns = grace_ns;
        self
    }

    /// Takes one trade; returns the bar that it closes. A price or quantity that is not positive is refused.
    pub fn on_trade(&mut self, ts: TsNs, price: Price, qty: Qty) -> Option<Bar> {
        if price.0 <= 0 || qty.0 <= 0 {
            self.refused += 1;
            return None;
        }
        let open_ts = self.timeframe.open_of(ts);
        self.merge(Bar {
            open_ts,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: qty,
            trades: 1,
        })
    }

    /// Takes the mid of a quote as a price without volume (rounded down); returns the bar that it closes.
    /// An empty or crossed quote is refused.
    pub fn on_quote(&mut self, ts: TsNs, bid: Price, ask: Price) -> Option<Bar> {
        if bid.0 <= 0 || ask < bid {
            self.refused += 1;
            return None;
        }
        let mid = Price(bid.0 + (ask.0 - bid.0) / 2);
        let open_ts = self.timeframe.open_of(ts);
        self.merge(Bar { open_ts, open: mid, high: mid, low: mid, close: mid, volume: Qty(0), trades: 0 })
    }

    /// Takes a closed bar of a shorter timeframe; returns the bar that it closes. It belongs to the bucket of
    /// its open time.
    pub fn on_bar(&mut self, shorter: &Bar) -> Option<Bar> {
        self.merge(Bar { open_ts: self.timeframe.open_of(shorter.open_ts), ..*shorter })
    }

    /// Takes the time; returns the bar whose bucket is over.
    pub fn on_clock(&mut self, now: TsNs) -> Option<Bar> {
        let end = self.end_of(self.forming?.open_ts);
        if now.0 < end.0.saturating_add(self.grace_ns) {
            return None;
        }
        self.closed_until = end;
        self.forming.take()
    }

    /// The bar that is still moving. Nothing that decides may read it.
    pub const fn forming(&self) -> Option<&Bar> {
        self.forming.as_ref()
    }

    /// Length of the bars.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Prices dropped because their bar was closed already.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Prices refused because they cannot be prices.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Folds one piece, whose `open_ts` is its bucket, into the forming bar.
    fn merge(&mut self, piece: Bar) -> Option<Bar> {
        if piece.open_ts < self.closed_until {
            self.late += 1;
            return None;
        }
        match &mut self.forming {
            Some(bar) if bar.open_ts == piece.open_ts => {
                bar.high = bar.high.max(piece.high);
                bar.low = bar.low.min(piece.low);
                bar.close = piece.close;
                bar.volume = Qty(bar.volume.0.saturating_add(piece.volume.0));
                bar.trades = bar.trades.saturating_add(piece.trades);
                None
            }
            Some(bar) if piece.open_ts < bar.open_ts => {
                self.late += 1;
                None
            }
            forming => {
                let closed = forming.replace(piece);
                // Everything before the new bucket is history, the empty buckets between included.
                self.closed_until = piece.open_ts;
                closed
            }
        }
    }

    fn end_of(&self, open_ts: TsNs) -> TsNs {
        TsNs(open_ts.0.saturating_add(self.timeframe.nanos()))
    }
}

/// Builders for several timeframes of one instrument. What closes at one instant is handed on with the
/// shorter timeframe first, so that nothing of a longer bar is visible before its own close.
#[derive(Clone, Debug)]
pub struct BarSet {
    /// Ascending, each timeframe once.
    builders: Vec<BarBuilder>,
}

impl BarSet {
    /// One builder per timeframe; order and repetition do not matter.
    pub fn new(timeframes: &[Timeframe]) -> Self {
        let mut sorted = Vec::from(timeframes);
        sorted.sort_unstable();
        sorted.dedup();
        Self { builders: sorted.into_iter().map(BarBuilder::new).collect() }
    }

    /// The same with [`BarBuilder::with_grace`] on each.
    pub fn with_grace(mut self, grace_ns: u64) -> Self {
        for builder in &mut self.builders {
            builder.grace_ns = grace_ns;
        }
        self
    }

    /// Takes one trade; hands on each bar that it closes.
    pub fn on_trade(&mut self, ts: TsNs, price: Price, qty: Qty, closed: &mut impl FnMut(Timeframe, Bar)) {
        self.each(|builder| builder.on_trade(ts, price, qty), closed);
    }

    /// Takes one quote; hands on each bar that it closes.
    pub fn on_quote(&mut self, ts: TsNs, bid: Price, ask: Price, closed: &mut impl FnMut(Timeframe, Bar)) {
        self.each(|builder| builder.on_quote(ts, bid, ask), closed);
    }

    /// Takes the time; hands on each bar whose bucket is over.
    pub fn on_clock(&mut self, now: TsNs, closed: &mut impl FnMut(Timeframe, Bar)) {
        self.each(|builder| builder.on_clock(now), closed);
    }

    /// The builders, shortest timeframe first.
    pub fn builders(&self) -> &[BarBuilder] {
        &self.builders
    }

    fn each(
        &mut self,
        mut step: impl FnMut(&mut BarBuilder) -> Option<Bar>,
        closed: &mut impl FnMut(Timeframe, Bar),
    ) {
        for builder in &mut self.builders {
            if let Some(bar) = step(builder) {
                closed(builder.timeframe, bar);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    const SECOND: u64 = 1_000_000_000;

    fn tf(text: &str) -> Timeframe {
        Timeframe::parse(text).unwrap()
    }

    fn at(builder: &mut BarBuilder, seconds: u64, price: i64) -> Option<Bar> {
        builder.on_trade(TsNs(seconds * SECOND), Price(price), Qty(2))
    }

    #[test]
    fn a_later_bucket_closes_the_bar_and_empty_buckets_are_not_invented() {
        let mut builder = BarBuilder::new(tf("1m"));
        assert_eq!(at(&mut builder, 60, 10), None);
        assert_eq!(at(&mut builder, 119, 12), None);
        assert_eq!(at(&mut builder, 90, 7), None, "out of order inside the bucket still counts");
        let bar = at(&mut builder, 400, 9).unwrap();
        assert_eq!((bar.open_ts, bar.trades, bar.volume), (TsNs(60 * SECOND), 3, Qty(6)));
        assert_eq!((bar.open.0, bar.high.0, bar.low.0, bar.close.0), (10, 12, 7, 7));
        assert_eq!(builder.forming().map(|bar| bar.open_ts), Some(TsNs(360 * SECOND)));
    }

    #[test]
    fn the_clock_closes_once_and_late_trades_change_nothing() {
        let mut builder = BarBuilder::new(tf("1s"));
        at(&mut builder, 5, 10);
        assert_eq!(builder.on_clock(TsNs(6 * SECOND - 1)), None);
        assert!(builder.on_clock(TsNs(6 * SECOND)).is_some());
        assert_eq!(builder.on_clock(TsNs(7 * SECOND)), None);
        assert_eq!((at(&mut builder, 5, 99), builder.forming(), builder.late()), (None, None, 1));
        at(&mut builder, 9, 11);
        assert_eq!((at(&mut builder, 7, 99), builder.late()), (None, 2), "an empty bucket that is past");
        assert_eq!(at(&mut builder, 10, 12).map(|bar| bar.close), Some(Price(11)));
    }

    #[test]
    fn grace_waits_for_trades_under_way() {
        let mut builder = BarBuilder::new(tf("1s")).with_grace(100);
        at(&mut builder, 5, 10);
        assert_eq!(builder.on_clock(TsNs(6 * SECOND + 99)), None);
        builder.on_trade(TsNs(6 * SECOND - 1), Price(8), Qty(1));
        assert_eq!(builder.on_clock(TsNs(6 * SECOND + 100)).map(|bar| bar.low), Some(Price(8)));
    }

    #[test]
    fn prices_that_cannot_be_are_refused_and_extremes_do_not_overflow() {
        let mut builder = BarBuilder::new(tf("1d"));
        builder.on_trade(TsNs(1), Price(0), Qty(1));
        builder.on_trade(TsNs(1), Price(1), Qty(0));
        builder.on_quote(TsNs(1), Price(5), Price(4));
        assert_eq!((builder.refused(), builder.forming()), (3, None));
        builder.on_quote(TsNs(u64::MAX), Price(i64::MAX - 1), Price(i64::MAX));
        builder.on_trade(TsNs(u64::MAX), Price(i64::MAX), Qty(i64::MAX));
        builder.on_trade(TsNs(u64::MAX), Price(i64::MAX), Qty(i64::MAX));
        assert_eq!(builder.forming().map(|bar| bar.volume), Some(Qty(i64::MAX)));
        assert!(builder.on_clock(TsNs(u64::MAX)).is_some());
    }

    /// A long bar folded from short ones is the long bar built from the trades.
    #[test]
    fn longer_bars_from_shorter_ones_equal_direct_bars_and_come_after_them() {
        let (short, long) = (tf("1m"), tf("5m"));
        let mut set = BarSet::new(&[long, short, long]);
        assert_eq!(set.builders().len(), 2);
        let (mut closed, mut folded, mut folder) = (vec![], vec![], BarBuilder::new(long));
        let mut random = 1u64;
        for step in 0..2_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let price = Price(1_000 + (random >> 58) as i64);
            set.on_trade(TsNs(step * 7 * SECOND), price, Qty(1), &mut |tf, bar| closed.push((tf, bar)));
        }
        set.on_clock(TsNs(u64::MAX), &mut |tf, bar| closed.push((tf, bar)));
        for (_, bar) in closed.iter().filter(|(tf, _)| *tf == short) {
            folded.extend(folder.on_bar(bar));
        }
        folded.extend(folder.on_clock(TsNs(u64::MAX)));
        let direct: vec::Vec<_> = closed.iter().filter(|(tf, _)| *tf == long).map(|(_, bar)| *bar).collect();
        assert_eq!(direct, folded);
        for pair in closed.windows(2).filter(|pair| pair[0].0 == long && pair[1].0 == short) {
            assert!(
                pair[0].1.open_ts < pair[1].1.open_ts,
                "a long bar went before a short one of its instant"
            );
        }
    }
}
