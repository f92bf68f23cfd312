//! Where a bar and a price lie in the chart.

use super::super::model::{Candle, Chart};
use smc_core::words::{Price, TsNs};

/// The part of a chart that is seen.
pub struct Scale {
    /// Bars seen, oldest first.
    pub candles: Vec<Candle>,
    /// Number of the first of them.
    pub first_bar: i64,
    /// Columns from one bar to the next.
    pub pitch: i64,
    /// Columns of a body.
    pub body: i64,
    /// Highest price seen.
    top: i64,
    /// Lowest; below `top`.
    bottom: i64,
    /// Pixel rows.
    pixels: i64,
}

impl Scale {
    /// The newest bars that fit `columns`, and a price range that holds them and those `wanted` prices that are
    /// not too far. None without a bar.
    pub fn new(chart: &Chart, columns: i64, rows: i64, pitch: i64, wanted: &[Price]) -> Option<Self> {
        let fits = usize::try_from(columns / pitch.max(1)).unwrap_or(0).max(1);
        let total = chart.bars.len() + usize::from(chart.forming.is_some());
        let skipped = total.saturating_sub(fits);
        let candles: Vec<Candle> = chart.bars.iter().chain(&chart.forming).skip(skipped).copied().collect();
        let high = candles.iter().map(|candle| candle.high.0).max()?;
        let low = candles.iter().map(|candle| candle.low.0).min()?;
        let reach = high.saturating_sub(low).saturating_mul(3) / 5;
        let near = wanted
            .iter()
            .map(|price| price.0)
            .filter(|price| (low.saturating_sub(reach)..=high.saturating_add(reach)).contains(price));
        let (low, high) = near.fold((low, high), |(low, high), price| (low.min(price), high.max(price)));
        let pad = (high.saturating_sub(low) / 24).max(1);
        let oldest = chart.next_bar - chart.bars.len() as i64;
        Some(Self {
            candles,
            first_bar: oldest.saturating_add(skipped as i64),
            pitch: pitch.max(1),
            body: if pitch >= 4 { 3 } else { 1 },
            top: high.saturating_add(pad),
            bottom: low.saturating_sub(pad),
            pixels: rows * 2,
        })
    }

    /// Column of a bar's wick; may lie outside.
    pub const fn x_of(&self, bar: i64) -> i64 {
        bar.saturating_sub(self.first_bar).saturating_mul(self.pitch).saturating_add(self.body / 2)
    }

    /// Pixel row of a price; may lie outside.
    pub fn y_of(&self, price: Price) -> i64 {
        let span = (i128::from(self.top) - i128::from(self.bottom)).max(1);
        let from_top = i128::from(self.top) - i128::from(price.0);
        smc_core::words::clamp_i64((from_top * i128::from(self.pixels)).div_euclid(span))
    }

    /// Row of cells of a price; may lie outside.
    pub fn row_of(&self, price: Price) -> i64 {
        self.y_of(price).div_euclid(2)
    }

    /// Price at the upper edge of a row of cells.
    pub fn price_at(&self, row: i64) -> Price {
        let span = i128::from(self.top) - i128::from(self.bottom);
        let down = span * i128::from(row) * 2 / i128::from(self.pixels.max(1));
        Price(smc_core::words::clamp_i64(i128::from(self.top) - down))
    }

    /// Whether a price is in the range.
    pub const fn is_seen(&self, price: Price) -> bool {
        self.bottom <= price.0 && price.0 <= self.top
    }

    /// Whether any price of a zone is in the range.
    pub const fn overlaps(&self, bottom: Price, top: Price) -> bool {
        bottom.0 <= self.top && self.bottom <= top.0
    }

    /// The bar seen that holds a time, with its number; the newest for later times, none for earlier ones.
    pub fn bar_at(&self, ts: TsNs) -> Option<(i64, &Candle)> {
        let after = self.candles.partition_point(|candle| candle.open_ts <= ts);
        let at = after.checked_sub(1)?;
        Some((self.first_bar + at as i64, self.candles.get(at)?))
    }

    /// A candle by its number.
    pub fn candle(&self, bar: i64) -> Option<&Candle> {
        self.candles.get(usize::try_from(bar.checked_sub(self.first_bar)?).ok()?)
    }
}
