//! Closed candles from `GET /api/v3/klines`. Cold: at start.

use crate::binance::history;
pub use crate::binance::history::{CANDLES_MAX, HistoryError, candles};
use smc_core::words::{Name, Timeframe};

use super::decode::KLINE_SECS;

/// The venue's longest interval that divides `timeframe`: candles of it make bars of `timeframe`.
pub fn candle_interval(timeframe: Timeframe) -> Timeframe {
    history::candle_interval(&KLINE_SECS, timeframe)
}

/// The request for the newest candles; the last of the answer may still be forming.
pub fn candles_path(symbol: Name, interval: Timeframe, limit: u16) -> String {
    history::candles_path("/api/v3/klines", symbol, interval, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tf(text: &str) -> Timeframe {
        Timeframe::parse(text).unwrap()
    }

    #[test]
    fn timeframes_the_venue_lacks_are_made_of_shorter_ones() {
        for (wanted, interval) in [("5s", "1s"), ("15s", "1s"), ("1m", "1m"), ("10m", "5m"), ("1d", "1d")] {
            assert_eq!(candle_interval(tf(wanted)), tf(interval));
        }
    }
}
