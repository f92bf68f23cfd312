//! Closed candles from `GET /fapi/v1/klines`, and the venue's clock. Cold: at start.

use simd_json::prelude::*;
use smc_core::words::{Name, Timeframe, TsNs};

use super::decode::KLINE_SECS;
use crate::binance::history;
pub use crate::binance::history::{CANDLES_MAX, HistoryError, candles};

/// Path of the venue's clock.
pub const SERVER_TIME_PATH: &str = "/fapi/v1/time";

/// The venue's longest interval that divides `timeframe`: candles of it make bars of `timeframe`. Where
/// none divides it, it is given back: the venue has no candles of it.
pub fn candle_interval(timeframe: Timeframe) -> Timeframe {
    history::candle_interval(&KLINE_SECS, timeframe)
}

/// The request for the newest candles; the last of the answer may still be forming.
pub fn candles_path(symbol: Name, interval: Timeframe, limit: u16) -> String {
    history::candles_path("/fapi/v1/klines", symbol, interval, limit)
}

/// Reads the venue's clock, whose body may be changed; none where it does not tell it.
pub fn server_time(body: &mut [u8]) -> Option<TsNs> {
    let tape = simd_json::to_tape(body).ok()?;
    let ms = tape.as_value().into_object()?.get("serverTime")?.as_u64()?;
    ms.checked_mul(1_000_000).map(TsNs)
}
