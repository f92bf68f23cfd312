//! The past, told to the core before the present: the venue's closed candles as the first market events.
//!
//! Cold, pure once the candles are here. What closed first comes first, of one instant the shorter timeframe
//! first: the order in which someone who watched would have seen the bars close.

use smc_core::TsNs;
use smc_core::bars::BarBuilder;
use smc_core::event::Bar;
use smc_core::words::{InstrumentId, Timeframe};

/// A candle to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candle {
    pub instrument: InstrumentId,
    pub timeframe: Timeframe,
    pub bar: Bar,
}

impl Candle {
    /// When it closed.
    pub fn closed_at(&self) -> TsNs {
        end_of(&self.bar, self.timeframe)
    }
}

fn end_of(bar: &Bar, timeframe: Timeframe) -> TsNs {
    TsNs(bar.open_ts.0.saturating_add(timeframe.nanos()))
}

/// Bars of `timeframe` that were over at `now`, from candles of `interval`, which divides it. The first bucket is
/// left out where its first candles are not here.
pub(crate) fn bars(candles: &[Bar], interval: Timeframe, timeframe: Timeframe, now: TsNs) -> Vec<Bar> {
    let closed = candles.iter().filter(|bar| end_of(bar, interval) <= now);
    let mut builder = BarBuilder::new(timeframe);
    let mut bars: Vec<Bar> = closed.filter_map(|bar| builder.on_bar(bar)).collect();
    bars.extend(builder.on_clock(now));
    // An interval of its own is whole; a bucket made of shorter ones may have begun before the first of them.
    let is_cut =
        |bar: &Bar| interval < timeframe && candles.first().is_some_and(|first| bar.open_ts < first.open_ts);
    if bars.first().is_some_and(is_cut) {
        bars.remove(0);
    }
    bars
}

/// Puts the candles of all instruments and timeframes in the order of their telling.
pub(crate) fn in_order(candles: &mut [Candle]) {
    candles.sort_by_key(|candle| (candle.closed_at(), candle.timeframe, candle.instrument));
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::{Price, Qty};

    fn bar(second: u64) -> Bar {
        let price = Price(100 + second as i64);
        let open_ts = TsNs(second * 1_000_000_000);
        Bar { open_ts, open: price, high: price, low: price, close: price, volume: Qty(1), trades: 1 }
    }

    fn tf(text: &str) -> Timeframe {
        Timeframe::parse(text).unwrap()
    }

    #[test]
    fn shorter_candles_make_whole_bars_only() {
        let candles: Vec<Bar> = (7..23).map(bar).collect();
        let now = TsNs(21_500_000_000);
        let made = bars(&candles, tf("1s"), tf("5s"), now);
        assert_eq!(made.iter().map(|bar| bar.open_ts.0 / 1_000_000_000).collect::<Vec<_>>(), [10, 15]);
        assert_eq!((made[0].open, made[0].close, made[0].volume), (Price(110), Price(114), Qty(5)));
        let same = bars(&candles, tf("1s"), tf("1s"), now);
        assert_eq!((same.len(), same[0]), (14, bar(7)), "the one still forming is left out");
        assert_eq!(bars(&[], tf("1s"), tf("5s"), now), []);
    }

    #[test]
    fn what_closed_first_is_told_first_and_shorter_before_longer() {
        let candle = |timeframe: &str, second, id| Candle {
            instrument: InstrumentId(id),
            timeframe: tf(timeframe),
            bar: bar(second),
        };
        let mut candles = [candle("5s", 0, 0), candle("1s", 4, 1), candle("1s", 4, 0), candle("1s", 3, 0)];
        in_order(&mut candles);
        assert_eq!(candles, [candle("1s", 3, 0), candle("1s", 4, 0), candle("1s", 4, 1), candle("5s", 0, 0)]);
    }
}
