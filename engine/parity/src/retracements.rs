//! `retracements`: how far price has come back into the last leg, in per cent. O(n).

use crate::bars::Bars;
use crate::error::ParityError;
use crate::swings::Swings;
use crate::table::Table;

/// Per cent of the last leg that price has taken back, now and at most since the direction changed.
///
/// `Direction` is the side of the last swing: 1 after a high, then the low is measured down from it; -1 after a
/// low, then the high is measured up from it. A leg without height counts as 0.
///
/// Quirks: directions come from swings that nobody knew yet, bookends included; top and bottom are 0 before
/// there is one. A swing high is measured from the bar after it on, a swing low from its own bar on. Rounded to
/// one decimal, half to even. All three columns are moved down by one row, the last row onto the first, and rows
/// are zeroed from the first to one after the third change of direction (all but the last when there are fewer). In
/// a file of one bar a swing high counts as the row before itself.
///
/// Columns `Direction`, `CurrentRetracement%`, `DeepestRetracement%`, all double.
pub fn retracements(bars: &Bars, swings: &Swings) -> Result<Table, ParityError> {
    let swings = swings.of(bars)?;
    let rows = bars.len();
    let [mut direction, mut current, mut deepest] = [0; 3].map(|_| vec![0.0f64; rows]);
    let (mut top, mut bottom) = (0.0, 0.0);
    let mut swings = swings.into_iter().peekable();
    for row in 0..rows {
        direction[row] = if row == 0 { 0.0 } else { direction[row - 1] };
        if let Some(swing) = swings.next_if(|swing| swing.row == row) {
            direction[row] = if swing.is_high { 1.0 } else { -1.0 };
            *(if swing.is_high { &mut top } else { &mut bottom }) = swing.level;
        }
        // In Python the row before the first is the last: still 0, but in a file of one bar it is the bar itself.
        let before = row.checked_sub(1).unwrap_or(rows - 1);
        let before = (direction[before], deepest[before]);
        let deepest_of = |side: f64| if before.0 == side { before.1 } else { 0.0 };
        if before.0 == 1.0 {
            current[row] = taken_back(bars.low[row] - bottom, top - bottom);
            deepest[row] = current[row].max(deepest_of(1.0));
        }
        if direction[row] == -1.0 {
            current[row] = taken_back(bars.high[row] - top, bottom - top);
            deepest[row] = current[row].max(deepest_of(-1.0));
        }
    }
    for column in [&mut direction, &mut current, &mut deepest] {
        column.rotate_right(usize::from(rows > 0));
    }
    let until = unsettled(&direction);
    for column in [&mut direction, &mut current, &mut deepest] {
        column[..until].fill(0.0);
    }
    Ok(Table::default()
        .with("Direction", direction)
        .with("CurrentRetracement%", current)
        .with("DeepestRetracement%", deepest))
}

/// Per cent to one decimal.
fn taken_back(left: f64, leg: f64) -> f64 {
    if leg == 0.0 {
        return 0.0;
    }
    ((100.0 - left / leg * 100.0) * 10.0).round_ties_even() / 10.0
}

/// Rows before this one say 0: the third change of direction and what comes before it.
fn unsettled(direction: &[f64]) -> usize {
    let mut changes = direction.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
    changes.nth(2).map_or(direction.len().saturating_sub(1), |(row, _)| row + 2)
}
