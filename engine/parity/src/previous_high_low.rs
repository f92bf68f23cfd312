//! `previous_high_low`: high and low of an earlier period, and whether price has been beyond them. O(n log n).

use crate::bars::Bars;
use crate::period::Period;
use crate::table::Table;

/// High and low of the period before, and whether they are broken (1) or not (0).
///
/// Periods without bars do not exist: Friday is the day before Monday. A row shows the last but one of the
/// periods whose label is strictly before the bar's stamp; no such two, NaN and 0. `BrokenHigh` turns 1 with the
/// first bar of a run on one period whose high is strictly above the level, and stays until the run ends.
///
/// Quirks: labels are starts, so the bar that opens a period still shows the period before the previous one.
/// Weeks and the `ME`, `QE`, `YE` families are labelled with their last day, so every bar before that
/// day (its 00:00 bar too) shows the period before the previous one.
///
/// Columns `PreviousHigh`, `PreviousLow` single, `BrokenHigh`, `BrokenLow` double.
pub fn previous_high_low(bars: &Bars, period: Period) -> Table {
    let rows = bars.len();
    let (mut highs, mut lows) = (vec![f32::NAN; rows], vec![f32::NAN; rows]);
    let (mut high_broken, mut low_broken) = (vec![0.0; rows], vec![0.0; rows]);
    let buckets = buckets(bars, period);
    let mut run = Run::default();
    for row in 0..rows {
        let time = i128::from(bars.time_ns[row]);
        let before = buckets.partition_point(|bucket| bucket.label_ns < time);
        let shown = before.checked_sub(2);
        run.take(shown, bars.high[row], bars.low[row]);
        let Some(shown) = shown else { continue };
        highs[row] = buckets[shown].high as f32;
        lows[row] = buckets[shown].low as f32;
        high_broken[row] = f64::from(u8::from(run.high > f64::from(highs[row])));
        low_broken[row] = f64::from(u8::from(run.low < f64::from(lows[row])));
    }
    Table::default()
        .with("PreviousHigh", highs)
        .with("PreviousLow", lows)
        .with("BrokenHigh", high_broken)
        .with("BrokenLow", low_broken)
}

/// A period that has bars.
struct Bucket {
    label_ns: i128,
    high: f64,
    low: f64,
}

/// By label, ascending.
fn buckets(bars: &Bars, period: Period) -> Vec<Bucket> {
    let Some(&first_ns) = bars.time_ns.iter().min() else { return Vec::new() };
    let grid = period.grid(first_ns);
    let of_row = |row: usize| Bucket {
        label_ns: grid.label_ns(bars.time_ns[row]),
        high: bars.high[row],
        low: bars.low[row],
    };
    let mut all: Vec<Bucket> = (0..bars.len()).map(of_row).collect();
    all.sort_by_key(|bucket| bucket.label_ns);
    all.dedup_by(|next, kept| {
        let is_same = next.label_ns == kept.label_ns;
        if is_same {
            (kept.high, kept.low) = (kept.high.max(next.high), kept.low.min(next.low));
        }
        is_same
    });
    all
}

/// Neighbouring rows that show the same period.
#[derive(Default)]
struct Run {
    shown: Option<usize>,
    high: f64,
    low: f64,
}

impl Run {
    fn take(&mut self, shown: Option<usize>, high: f64, low: f64) {
        if shown == self.shown {
            (self.high, self.low) = (self.high.max(high), self.low.min(low));
        } else {
            *self = Self { shown, high, low };
        }
    }
}
