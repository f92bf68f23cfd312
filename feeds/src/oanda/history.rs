//! The venue's candles, for warm-up. Cold: asked at start.
//!
//! They are made of prices, not of trades: `trades` counts prices, and `volume` is that count. Days are asked for on the UTC
//! grid, not on the venue's own, which begins at 17:00 in New York. Times without a price have no candle.

use std::fmt;

use smc_core::event::Bar;
use smc_core::words::{Name, Price, Qty, SCALE, Timeframe};

use super::fields::Fields;
use super::message::DecodeError;

/// Candles of one answer.
pub const CANDLES_MAX: u16 = 5_000;

/// Lengths that the venue has, with its names.
const GRANULARITIES: [(u32, &str); 19] = [
    (5, "S5"),
    (10, "S10"),
    (15, "S15"),
    (30, "S30"),
    (60, "M1"),
    (120, "M2"),
    (240, "M4"),
    (300, "M5"),
    (600, "M10"),
    (900, "M15"),
    (1_800, "M30"),
    (3_600, "H1"),
    (7_200, "H2"),
    (10_800, "H3"),
    (14_400, "H4"),
    (21_600, "H6"),
    (28_800, "H8"),
    (43_200, "H12"),
    (86_400, "D"),
];

/// Which price a candle is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PriceSide {
    /// The middle of bid and ask.
    #[default]
    Mid,
    /// The bid.
    Bid,
    /// The ask.
    Ask,
}

impl PriceSide {
    /// As the request and as the answer name it.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Mid => ("M", "mid"),
            Self::Bid => ("B", "bid"),
            Self::Ask => ("A", "ask"),
        }
    }
}

/// Why an answer's candles cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// Not an answer with candles.
    Answer(DecodeError),
    /// A candle's field is not what it must be.
    BadField {
        /// Number of the candle, from 0.
        row: usize,
        /// What is wrong.
        error: DecodeError,
    },
    /// Prices that cannot belong together, a time off the grid, or candles out of order.
    BadCandle {
        /// Number of the candle, from 0.
        row: usize,
    },
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(error) => write!(f, "not an answer with candles: {error}"),
            Self::BadField { row, error } => write!(f, "candle {row}: {error}"),
            Self::BadCandle { row } => write!(f, "candle {row} contradicts itself or the one before"),
        }
    }
}

impl std::error::Error for HistoryError {}

/// The longest candles of the venue that `timeframe` can be made of; itself where there are none.
pub fn candle_interval(timeframe: Timeframe) -> Timeframe {
    let fits = |&&(secs, _): &&(u32, &str)| timeframe.secs().is_multiple_of(secs);
    let longest = GRANULARITIES.iter().rev().find(fits);
    longest.and_then(|&(secs, _)| Timeframe::from_secs(secs)).unwrap_or(timeframe)
}

/// The request for the newest candles; the last of the answer may still be forming. None for a length that the venue does
/// not have.
pub fn candles_path(
    account: &str,
    symbol: Name,
    interval: Timeframe,
    count: u16,
    side: PriceSide,
) -> Option<String> {
    let (_, granularity) = GRANULARITIES.iter().find(|&&(secs, _)| secs == interval.secs())?;
    let count = count.clamp(1, CANDLES_MAX);
    Some(format!(
        "/v3/accounts/{account}/instruments/{symbol}/candles?granularity={granularity}&count={count}&price={}\
         &dailyAlignment=0&alignmentTimezone=UTC",
        side.names().0
    ))
}

/// Reads the answer's body, which may be changed: complete candles, oldest first.
pub fn candles(body: &mut [u8], interval: Timeframe, side: PriceSide) -> Result<Vec<Bar>, HistoryError> {
    let tape = simd_json::to_tape(body)
        .map_err(|error| HistoryError::Answer(DecodeError::BadJson { at: error.index() }))?;
    let list =
        Fields::of(tape.as_value()).and_then(|root| root.list("candles")).map_err(HistoryError::Answer)?;
    let mut bars = Vec::with_capacity(list.len());
    let mut before = None;
    for (row, value) in list.iter().enumerate() {
        let read = Fields::of(value).and_then(|fields| candle(&fields, side));
        let Some(bar) = read.map_err(|error| HistoryError::BadField { row, error })? else { continue };
        let is_sound = bar.low <= bar.open.min(bar.close)
            && bar.open.max(bar.close) <= bar.high
            && interval.open_of(bar.open_ts) == bar.open_ts
            && before < Some(bar.open_ts);
        if !is_sound {
            return Err(HistoryError::BadCandle { row });
        }
        before = Some(bar.open_ts);
        bars.push(bar);
    }
    Ok(bars)
}

/// None for the one that is still forming.
fn candle(fields: &Fields<'_, '_>, side: PriceSide) -> Result<Option<Bar>, DecodeError> {
    if !fields.flag("complete")? {
        return Ok(None);
    }
    let prices = Fields::of(fields.get(side.names().1)?)?;
    let prices_seen = fields.integer("volume")?;
    let wrong = DecodeError::WrongType { field: "volume" };
    let trades = u32::try_from(prices_seen).map_err(|_| wrong)?;
    Ok(Some(Bar {
        open_ts: fields.moment("time")?,
        open: Price(prices.positive("o")?),
        high: Price(prices.positive("h")?),
        low: Price(prices.positive("l")?),
        close: Price(prices.positive("c")?),
        volume: Qty(prices_seen.checked_mul(SCALE).ok_or(wrong)?),
        trades: trades.max(1),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tf(text: &str) -> Timeframe {
        Timeframe::parse(text).unwrap()
    }

    fn row(time: &str, high: &str, complete: bool) -> String {
        format!(
            r#"{{"complete":{complete},"volume":7,"time":"{time}","mid":{{"o":"5","h":"{high}","l":"4","c":"5.5"}}}}"#
        )
    }

    fn read(rows: &[String]) -> Result<Vec<Bar>, HistoryError> {
        let body = format!(r#"{{"instrument":"EUR_USD","granularity":"M1","candles":[{}]}}"#, rows.join(","));
        candles(&mut body.into_bytes(), tf("1m"), PriceSide::Mid)
    }

    #[test]
    fn only_complete_candles_in_order_are_taken() {
        let first = row("2026-07-22T07:01:00.000000000Z", "7", true);
        let second = row("2026-07-22T07:03:00.000000000Z", "8", true);
        let forming = row("2026-07-22T07:04:00.000000000Z", "3", false);
        let bars = read(&[first.clone(), second.clone(), forming]).unwrap();
        assert_eq!((bars.len(), bars[1].high, bars[1].trades), (2, Price(8 * SCALE), 7));
        assert_eq!(read(&[second, first.clone()]), Err(HistoryError::BadCandle { row: 1 }));
        assert_eq!(read(&[first.clone(), first]), Err(HistoryError::BadCandle { row: 1 }));
        let impossible = row("2026-07-22T07:01:00.000000000Z", "3", true);
        assert_eq!(read(&[impossible]), Err(HistoryError::BadCandle { row: 0 }));
        let off_grid = row("2026-07-22T07:01:01.000000000Z", "7", true);
        assert_eq!(read(&[off_grid]), Err(HistoryError::BadCandle { row: 0 }));
        let no_bid = candles(&mut br#"{"candles":[{"complete":true}]}"#.to_vec(), tf("1m"), PriceSide::Bid);
        let error = DecodeError::Missing { field: "bid" };
        assert_eq!(no_bid, Err(HistoryError::BadField { row: 0, error }));
    }

    #[test]
    fn lengths_the_venue_lacks_are_made_of_shorter_ones() {
        for (wanted, interval) in
            [("5s", "5s"), ("20s", "10s"), ("3m", "1m"), ("20m", "10m"), ("1d", "1d"), ("1s", "1s")]
        {
            assert_eq!(candle_interval(tf(wanted)), tf(interval), "{wanted}");
        }
        let name = Name::new("EUR_USD").unwrap();
        assert_eq!(candles_path("1", name, tf("1s"), 5, PriceSide::Mid), None);
        assert_eq!(
            candles_path("1-2", name, tf("4h"), 9_999, PriceSide::Bid).unwrap(),
            "/v3/accounts/1-2/instruments/EUR_USD/candles?granularity=H4&count=5000&price=B\
             &dailyAlignment=0&alignmentTimezone=UTC"
        );
    }
}
