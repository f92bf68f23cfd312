//! `swing_highs_lows`: highs and lows that alternate, each the extreme of its run. O(n).

use std::collections::VecDeque;

use crate::bars::Bars;
use crate::error::ParityError;
use crate::table::Table;

/// The table that the structure tables build on; theirs is any with 1, -1 or nothing in `high_low`.
#[derive(Clone, Debug, Default)]
pub struct Swings {
    /// Invariant: as long as `level`.
    high_low: Vec<f64>,
    level: Vec<f64>,
}

/// One row of a swing table that says something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    pub row: usize,
    pub is_high: bool,
    pub level: f64,
}

impl Swings {
    /// Rows of `(high_low, level)`: 1 for a high, -1 for a low, anything else is no swing.
    pub fn from_rows(rows: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (high_low, level) = rows.into_iter().unzip();
        Self { high_low, level }
    }

    /// How many rows, that is, bars.
    pub const fn len(&self) -> usize {
        self.high_low.len()
    }

    /// No row at all.
    pub const fn is_empty(&self) -> bool {
        self.high_low.is_empty()
    }

    /// 1 on a swing high, -1 on a swing low, NaN elsewhere.
    pub fn high_low(&self) -> &[f64] {
        &self.high_low
    }

    /// The swing's price, NaN elsewhere.
    pub fn level(&self) -> &[f64] {
        &self.level
    }

    /// The same table with nothing in the first and the last row: only swings that the bars themselves made.
    pub fn without_bookends(mut self) -> Self {
        for column in [&mut self.high_low, &mut self.level] {
            for end in [0, column.len().saturating_sub(1)] {
                column.get_mut(end).into_iter().for_each(|cell| *cell = f64::NAN);
            }
        }
        self
    }

    /// Columns `HighLow`, `Level`, both double.
    pub fn into_table(self) -> Table {
        Table::default().with("HighLow", self.high_low).with("Level", self.level)
    }

    /// The rows that say something, in order; an error when the table belongs to other bars.
    pub(crate) fn of(&self, bars: &Bars) -> Result<Vec<Swing>, ParityError> {
        if self.len() != bars.len() {
            return Err(ParityError::SwingsLength { bars: bars.len(), swings: self.len() });
        }
        let rows = self.high_low.iter().zip(&self.level).enumerate();
        let swings = rows.filter(|(_, (side, _))| **side == 1.0 || **side == -1.0);
        Ok(swings.map(|(row, (&side, &level))| Swing { row, is_high: side == 1.0, level }).collect())
    }
}

/// Swing highs and lows of `swing_length` L.
///
/// A bar is a pivot high when its high is the largest of the L - 1 bars before it, itself and the L bars after
/// it; equal ones are pivots too, and what is both high and low counts as a high. The first bar that can be one
/// is 2L - 1. Among pivots of one side in a row the most extreme survives, the first of equals.
///
/// Quirk: the first and the last row are invented ("bookends"), the opposite side of the first and of the last
/// survivor at that bar's own high or low. Without a survivor there are none. L = 0 gives no swings.
pub fn swing_highs_lows(bars: &Bars, swing_length: usize) -> Swings {
    let rows = bars.len();
    let mut survivors: Vec<Swing> = Vec::new();
    for pivot in pivots(bars, swing_length) {
        match survivors.last_mut() {
            Some(last) if last.is_high == pivot.is_high => {
                if if last.is_high { last.level < pivot.level } else { pivot.level < last.level } {
                    *last = pivot;
                }
            }
            _ => survivors.push(pivot),
        }
    }
    let mut table = Swings { high_low: vec![f64::NAN; rows], level: vec![f64::NAN; rows] };
    let (Some(first), Some(last)) = (survivors.first(), survivors.last()) else { return table };
    let bookends = [bookend(bars, 0, first), bookend(bars, rows - 1, last)];
    for swing in survivors.iter().chain(&bookends) {
        table.high_low[swing.row] = if swing.is_high { 1.0 } else { -1.0 };
        table.level[swing.row] = swing.level;
    }
    table
}

fn bookend(bars: &Bars, row: usize, beside: &Swing) -> Swing {
    let is_high = !beside.is_high;
    Swing { row, is_high, level: if is_high { bars.high[row] } else { bars.low[row] } }
}

fn pivots(bars: &Bars, length: usize) -> Vec<Swing> {
    let (mut highs, mut lows) = (Window::default(), Window::default());
    let Some(span) = length.checked_mul(2).filter(|&span| 0 < span && span <= bars.len()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for newest in 0..bars.len() {
        let highest = highs.push(newest, bars.high[newest], span);
        let lowest = lows.push(newest, -bars.low[newest], span);
        // The bar in question lies L back; its window is full, and so is the first one the package looks at.
        let Some(row) = newest.checked_sub(length).filter(|&row| row + 1 >= span) else { continue };
        if highest == Some(bars.high[row]) {
            found.push(Swing { row, is_high: true, level: bars.high[row] });
        } else if lowest == Some(-bars.low[row]) {
            found.push(Swing { row, is_high: false, level: bars.low[row] });
        }
    }
    found
}

/// The largest value of the last `span` rows, amortised O(1).
#[derive(Default)]
struct Window {
    /// Rows ascending, values strictly descending: each is the largest of all that came after the one before it.
    falling: VecDeque<(usize, f64)>,
    /// One past the last row whose value is no number; a window that holds one has no largest value.
    broken_until: usize,
}

impl Window {
    fn push(&mut self, row: usize, value: f64, span: usize) -> Option<f64> {
        if value.is_finite() {
            while self.falling.back().is_some_and(|&(_, last)| last <= value) {
                self.falling.pop_back();
            }
            self.falling.push_back((row, value));
        } else {
            self.broken_until = row + 1;
        }
        let first = (row + 1).checked_sub(span)?;
        while self.falling.front().is_some_and(|&(row, _)| row < first) {
            self.falling.pop_front();
        }
        if first < self.broken_until { None } else { self.falling.front().map(|&(_, value)| value) }
    }
}
