//! Prices and bars into places on the picture, and where the axes have their ticks.

use super::{HEIGHT, WIDTH};
use crate::csv::civil;
use smc_core::event::Bar;
use smc_core::words::{Timeframe, TsNs};

/// Edges of the plot.
pub(super) const LEFT: f64 = 16.0;
pub(super) const RIGHT: f64 = WIDTH - 84.0;
pub(super) const TOP: f64 = 74.0;
pub(super) const BOTTOM: f64 = HEIGHT - 46.0;
/// Room right of the last bar, for levels and their names.
const ROOM: f64 = 78.0;

/// Which bars and prices are seen, and where.
pub(super) struct Scale {
    /// Index of the first bar seen.
    pub first: u32,
    /// Index of the last bar seen.
    pub last: u32,
    /// Pixels of a bar.
    pub step: f64,
    /// Pixel of the highest price.
    pub top: f64,
    pub high: f64,
    pub low: f64,
}

impl Scale {
    /// `bars` are those seen, the first of them with index `first`; `head` pixels at the top stay free of them.
    pub fn new(first: u32, bars: &[Bar], head: f64) -> Self {
        let price = super::scene::float;
        let high = bars.iter().map(|bar| price(bar.high)).fold(f64::NEG_INFINITY, f64::max);
        let low = bars.iter().map(|bar| price(bar.low)).fold(f64::INFINITY, f64::min);
        // A market that stands still still has a height.
        let room = ((high - low) * 0.05).max(high.abs().max(low.abs()) * 1e-6).max(1e-8);
        let count = bars.len().max(1);
        let last = first + count as u32 - 1;
        let step = (RIGHT - ROOM - LEFT) / count as f64;
        Self { first, last, step: step.min(24.0), top: TOP + head, high: high + room, low: low - room }
    }

    /// Middle of a bar; bars out of sight lie at the edge.
    pub fn x(&self, bar: u32) -> f64 {
        let offset = f64::from(bar) - f64::from(self.first) + 0.5;
        (LEFT + offset * self.step).clamp(LEFT, RIGHT)
    }

    /// Left edge of a bar.
    pub fn x_left(&self, bar: u32) -> f64 {
        (self.x(bar) - self.step / 2.0).clamp(LEFT, RIGHT)
    }

    /// Prices out of sight lie at the edge.
    pub fn y(&self, price: f64) -> f64 {
        let part = (self.high - price) / (self.high - self.low);
        (self.top + part * (BOTTOM - self.top)).clamp(self.top, BOTTOM)
    }

    /// Whether a price is in sight.
    pub fn sees(&self, price: f64) -> bool {
        self.low <= price && price <= self.high
    }

    /// Round prices at a readable distance, and their decimals.
    pub fn price_ticks(&self) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / 12.0;
        let magnitude = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 2.5, 5.0, 10.0].map(|unit| unit * magnitude).into_iter().find(|step| rough <= *step);
        let step = step.unwrap_or(10.0 * magnitude);
        let is_quarter = (step / magnitude - 2.5).abs() < 0.01;
        let decimals =
            (-magnitude.log10().floor() + f64::from(u8::from(is_quarter))).clamp(0.0, 8.0) as usize;
        let from = (self.low / step).ceil();
        let count = ((self.high / step).floor() - from).clamp(0.0, 40.0) as u32;
        ((0..=count).map(|n| (from + f64::from(n)) * step).collect(), decimals)
    }
}

/// A tick of the time axis.
pub(super) struct TimeTick {
    pub bar: u32,
    pub text: String,
    /// A new day, or for long bars a new month: a line through the plot.
    pub is_major: bool,
}

const HOUR: u64 = 3_600_000_000_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days and, where there is room, hours between them; months for bars of a day.
pub(super) fn time_ticks(scale: &Scale, timeframe: Timeframe, bars: &[Bar]) -> Vec<TimeTick> {
    let is_daily = timeframe.secs() >= 86_400;
    // Hours whose ticks stand at least this far apart.
    const DISTANCE: f64 = 56.0;
    let px_of_hour = scale.step * 3_600.0 / f64::from(timeframe.secs());
    let minutes = [5u32, 10, 15, 30, 60, 120, 180, 240, 360, 720].into_iter();
    let minutes = minutes.into_iter().find(|minutes| px_of_hour * f64::from(*minutes) / 60.0 >= DISTANCE);
    let mut ticks = Vec::new();
    let mut before: Option<TsNs> = None;
    for (bar, at) in bars.iter().zip(scale.first..) {
        let ts = bar.open_ts;
        let (year, month, day) = civil(ts);
        let month_name = MONTHS[(month as usize - 1).min(11)];
        let is_new =
            |bucket: fn(TsNs) -> (i64, u32, u32)| before.is_some_and(|before| bucket(before) != bucket(ts));
        if is_daily {
            if is_new(|ts| (civil(ts).0, civil(ts).1, 0)) {
                let text = if month == 1 { year.to_string() } else { month_name.to_string() };
                ticks.push(TimeTick { bar: at, text, is_major: true });
            }
        } else if is_new(civil) || (before.is_none() && ts.0 % (24 * HOUR) == 0) {
            let weekday =
                ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(ts.0 / (24 * HOUR) % 7) as usize];
            ticks.push(TimeTick { bar: at, text: format!("{weekday} {day} {month_name}"), is_major: true });
        } else if let Some(minutes) = minutes
            && ts.0 % (u64::from(minutes) * HOUR / 60) == 0
        {
            let minute_of_day = ts.0 / (HOUR / 60) % 1_440;
            let text = format!("{:02}:{:02}", minute_of_day / 60, minute_of_day % 60);
            ticks.push(TimeTick { bar: at, text, is_major: false });
        }
        before = Some(ts);
    }
    ticks
}
