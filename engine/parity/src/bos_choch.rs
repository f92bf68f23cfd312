//! `bos_choch`: breaks of structure and changes of character from patterns of four swings. O(n + s log n).

use crate::bars::Bars;
use crate::crossings::Crossings;
use crate::error::ParityError;
use crate::swings::{Swing, Swings};
use crate::table::Table;

/// A pattern of four swings a, b, c, d, stamped on b.
struct Pattern {
    row: usize,
    is_up: bool,
    is_change: bool,
    level: f64,
}

/// Breaks of structure (`BOS`) and changes of character (`CHOCH`), 1 up and -1 down.
///
/// Of four swings a, b, c, d on neighbouring rows of the swing table, sides alternating and d a high: a BOS when
/// a < c < b < d, a CHoCH when c < a < b < d, stamped on b at b's price. Mirrored when d is a low. `BrokenIndex`
/// is the first row from two after b on whose close (`close_break`) or high lies strictly beyond the level.
///
/// Quirks: the level is rounded to single precision before that test, so that a close equal to it breaks it when
/// it was rounded towards the close. Rows that are never broken vanish. A row is cancelled when a later row was
/// broken no later than it: it loses everything but its `BrokenIndex`. A level of exactly 0 shows as nothing.
///
/// Columns `BOS`, `CHOCH`, `BrokenIndex` double, `Level` single.
pub fn bos_choch(bars: &Bars, swings: &Swings, close_break: bool) -> Result<Table, ParityError> {
    let patterns = patterns(&swings.of(bars)?, |level| f64::from(level as f32));
    let (bos, choch, level, broken) = judged(bars, &patterns, close_break);
    let level: Vec<f32> = level.into_iter().map(|level| level as f32).collect();
    Ok(Table::default()
        .with("BOS", bos)
        .with("CHOCH", choch)
        .with("Level", level)
        .with("BrokenIndex", broken))
}

/// The same rule with levels in full precision; for comparison with a live engine, whose prices are exact.
///
/// Give it swings [without bookends](Swings::without_bookends). All four columns are double.
pub fn bos_choch_unrounded(bars: &Bars, swings: &Swings, close_break: bool) -> Result<Table, ParityError> {
    let patterns = patterns(&swings.of(bars)?, |level| level);
    let (bos, choch, level, broken) = judged(bars, &patterns, close_break);
    Ok(Table::default()
        .with("BOS", bos)
        .with("CHOCH", choch)
        .with("Level", level)
        .with("BrokenIndex", broken))
}

fn patterns(swings: &[Swing], rounded: impl Fn(f64) -> f64) -> Vec<Pattern> {
    let of_four = |four: &[Swing]| {
        let is_up = four[3].is_high;
        let alternate = four[2].is_high != is_up && four[1].is_high == is_up && four[0].is_high != is_up;
        // A falling pattern is a rising one seen in a mirror.
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| if is_up { four[at].level } else { -four[at].level });
        let is_bos = a < c && c < b && b < d;
        let is_change = c < a && a < b && b < d;
        let level = rounded(four[1].level);
        (alternate && (is_bos || is_change)).then_some(Pattern { row: four[1].row, is_up, is_change, level })
    };
    swings.windows(4).filter_map(of_four).collect()
}

type Columns = (Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>);

fn judged(bars: &Bars, patterns: &[Pattern], close_break: bool) -> Columns {
    let nothing = || vec![f64::NAN; bars.len()];
    let (mut bos, mut choch, mut level, mut broken) = (nothing(), nothing(), nothing(), nothing());
    let up = Crossings::rising(if close_break { &bars.close } else { &bars.high });
    let down = Crossings::falling(if close_break { &bars.close } else { &bars.low });
    let mut earliest_later_break = usize::MAX;
    for pattern in patterns.iter().rev() {
        let side = if pattern.is_up { &up } else { &down };
        let Some(at) = side.first_beyond(pattern.row + 2, pattern.level) else { continue };
        broken[pattern.row] = at as f64;
        if at < earliest_later_break {
            let said = if pattern.is_change { &mut choch } else { &mut bos };
            said[pattern.row] = if pattern.is_up { 1.0 } else { -1.0 };
            level[pattern.row] = if pattern.level == 0.0 { f64::NAN } else { pattern.level };
            earliest_later_break = at;
        }
    }
    (bos, choch, level, broken)
}
