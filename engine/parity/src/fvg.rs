//! `fvg`: fair value gaps and the bar that traded back into each. O(n log n).

use crate::bars::Bars;
use crate::crossings::Crossings;
use crate::table::Table;

/// Fair value gaps, stamped on their middle bar (one bar before they could be known).
///
/// Bullish (1): the high before is below the low after and the middle bar closes above its open; the zone lies
/// between those two prices. Bearish (-1) mirrored. `MitigatedIndex` is the first row from two after the stamp
/// on that touches the near edge, 0 (not NaN) when there is none.
///
/// `join_consecutive`: of two gaps of one side on neighbouring rows the later keeps the union, the earlier row
/// vanishes; runs collapse onto their last row.
///
/// Columns `FVG`, `Top`, `Bottom`, `MitigatedIndex`, all double.
pub fn fvg(bars: &Bars, join_consecutive: bool) -> Table {
    let rows = bars.len();
    let mut sides = vec![f64::NAN; rows];
    let mut tops = vec![f64::NAN; rows];
    let mut bottoms = vec![f64::NAN; rows];
    let mut mitigated = vec![f64::NAN; rows];
    for row in 1..rows.saturating_sub(1) {
        let (before, after) = (row - 1, row + 1);
        if bars.high[before] < bars.low[after] && bars.open[row] < bars.close[row] {
            (sides[row], tops[row], bottoms[row]) = (1.0, bars.low[after], bars.high[before]);
        } else if bars.low[before] > bars.high[after] && bars.open[row] > bars.close[row] {
            (sides[row], tops[row], bottoms[row]) = (-1.0, bars.low[before], bars.high[after]);
        }
    }
    if join_consecutive {
        for row in 1..rows {
            // NaN equals nothing, so two empty rows are not joined.
            if sides[row - 1] == sides[row] {
                tops[row] = tops[row].max(tops[row - 1]);
                bottoms[row] = bottoms[row].min(bottoms[row - 1]);
                for column in [&mut sides, &mut tops, &mut bottoms] {
                    column[row - 1] = f64::NAN;
                }
            }
        }
    }
    let (lows, highs) = (Crossings::falling(&bars.low), Crossings::rising(&bars.high));
    for row in 0..rows {
        let touched = match sides[row] {
            1.0 => lows.first_at(row + 2, tops[row]),
            -1.0 => highs.first_at(row + 2, bottoms[row]),
            _ => continue,
        };
        mitigated[row] = touched.unwrap_or(0) as f64;
    }
    Table::default()
        .with("FVG", sides)
        .with("Top", tops)
        .with("Bottom", bottoms)
        .with("MitigatedIndex", mitigated)
}
