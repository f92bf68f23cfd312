//! What a stop and a target do inside bars when the way within a bar is not known: always the worse.
//!
//! Generic over the price: exact prices in a backtest, fractions in a report.

use smc_core::words::Side;

/// One bar, as far as a bracket looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar<P> {
    /// First price.
    pub open: P,
    /// Highest.
    pub high: P,
    /// Lowest.
    pub low: P,
}

/// Stop and target of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket<P> {
    /// That opened the position.
    pub side: Side,
    /// Stop price.
    pub stop: P,
    /// Target price.
    pub target: P,
    /// A touch of the target fills it; otherwise the price must go through.
    pub touch_fills: bool,
}

/// Why a position ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The bar opened at the stop or beyond: at the open.
    StopGap,
    /// At the stop, also when the target was reached in the same bar.
    Stop,
    /// At the target, never better.
    Target,
}

impl<P: PartialOrd + Copy> Bracket<P> {
    /// The exit in one bar, and its price before slippage. In the bar of the entry the order of things is not known:
    /// it may stop out, but its open came before the entry and its best price may have, too.
    pub fn on_bar(&self, bar: &Bar<P>, is_entry_bar: bool) -> Option<(Exit, P)> {
        let (worst, best) = match self.side {
            Side::Buy => (bar.low, bar.high),
            Side::Sell => (bar.high, bar.low),
        };
        if !is_entry_bar && self.is_at_or_worse(bar.open, self.stop) {
            return Some((Exit::StopGap, bar.open));
        }
        if !is_entry_bar && self.is_better(bar.open, self.target) {
            return Some((Exit::Target, self.target));
        }
        if self.is_at_or_worse(worst, self.stop) {
            return Some((Exit::Stop, self.stop));
        }
        let reaches = self.is_better(best, self.target) || (self.touch_fills && best == self.target);
        (!is_entry_bar && reaches).then_some((Exit::Target, self.target))
    }

    /// The first exit, its bar and its price; none while the position is open. All bars come after that of the entry.
    pub fn on_bars(&self, bars: &[Bar<P>]) -> Option<(usize, Exit, P)> {
        let mut exits = bars.iter().enumerate().map(|(nth, bar)| (nth, self.on_bar(bar, false)));
        exits.find_map(|(nth, exit)| exit.map(|(exit, price)| (nth, exit, price)))
    }

    fn is_at_or_worse(&self, price: P, than: P) -> bool {
        match self.side {
            Side::Buy => price <= than,
            Side::Sell => price >= than,
        }
    }

    fn is_better(&self, price: P, than: P) -> bool {
        match self.side {
            Side::Buy => price > than,
            Side::Sell => price < than,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Bracket<i64> = Bracket { side: Side::Buy, stop: 98, target: 105, touch_fills: false };

    #[test]
    fn the_bar_of_the_entry_may_stop_out_and_not_take_profit() {
        let wild = Bar { open: 90, high: 110, low: 97 };
        assert_eq!(LONG.on_bar(&wild, true), Some((Exit::Stop, 98)));
        assert_eq!(LONG.on_bar(&wild, false), Some((Exit::StopGap, 90)));
        assert_eq!(LONG.on_bar(&Bar { open: 100, high: 110, low: 99 }, true), None);
    }

    /// Turned upside down it is the same.
    #[test]
    fn short_is_the_mirror_of_long() {
        let flip = |price: i64| 200 - price;
        for touch_fills in [false, true] {
            let long = Bracket { touch_fills, ..LONG };
            let short = Bracket { side: Side::Sell, stop: flip(98), target: flip(105), touch_fills };
            for open in 94..110 {
                for (up, down) in [(0, 0), (1, 0), (0, 1), (3, 9), (9, 3), (12, 12)] {
                    let bar = Bar { open, high: open + up, low: open - down };
                    let mirrored = Bar { open: flip(open), high: flip(bar.low), low: flip(bar.high) };
                    for is_entry in [false, true] {
                        let exit = long.on_bar(&bar, is_entry).map(|(exit, price)| (exit, flip(price)));
                        assert_eq!(short.on_bar(&mirrored, is_entry), exit);
                    }
                }
            }
        }
    }
}
