//! `liquidity`: pools of swings at nearly one price, and the bar that swept each. O(n + s log n).

use std::collections::BTreeMap;

use crate::bars::Bars;
use crate::crossings::Crossings;
use crate::error::ParityError;
use crate::swings::{Swing, Swings};
use crate::table::Table;

/// Pools of equal highs (1) and equal lows (-1), stamped on their first swing.
///
/// A swing joins the earliest unswept pool of its side whose first price it lies within the tolerance of, ends
/// included; otherwise it starts a pool. A pool of one says nothing. `Level` is the mean of the members, `End`
/// the row of the last, `Swept` the first row after the first member that reaches the far end of the band, 0
/// when there is none. Members come before that row.
///
/// Quirk: the tolerance is `range_percent` (a fraction: 0.01 is one per cent) of the range of **all** bars, so it
/// looks ahead as far as there is data.
///
/// Columns `Liquidity`, `Level`, `End`, `Swept`, all single.
pub fn liquidity(bars: &Bars, swings: &Swings, range_percent: f64) -> Result<Table, ParityError> {
    let highest = bars.high.iter().copied().fold(f64::NAN, f64::max);
    let lowest = bars.low.iter().copied().fold(f64::NAN, f64::min);
    liquidity_within(bars, swings, (highest - lowest) * range_percent)
}

/// The same rule with a tolerance in units of price; for comparison with a live engine.
pub fn liquidity_within(bars: &Bars, swings: &Swings, tolerance: f64) -> Result<Table, ParityError> {
    let swings = swings.of(bars)?;
    let mut columns = [0; 4].map(|_| vec![f32::NAN; bars.len()]);
    let mut say = |pool: &Pool, side: f32| {
        let [liquidity, level, end, swept] = &mut columns;
        if pool.members.len() > 1 {
            liquidity[pool.row] = side;
            level[pool.row] = pool.level() as f32;
            end[pool.row] = pool.last_row as f32;
            swept[pool.row] = pool.swept.unwrap_or(0) as f32;
        }
    };
    let highs = Crossings::rising(&bars.high);
    let tops = swings.iter().filter(|swing| swing.is_high);
    pools(tops, tolerance, |swing| highs.first_at(swing.row + 1, swing.level + tolerance))
        .iter()
        .for_each(|pool| say(pool, 1.0));
    let lows = Crossings::falling(&bars.low);
    let bottoms = swings.iter().filter(|swing| !swing.is_high);
    pools(bottoms, tolerance, |swing| lows.first_at(swing.row + 1, swing.level - tolerance))
        .iter()
        .for_each(|pool| say(pool, -1.0));
    let [liquidity, level, end, swept] = columns;
    Ok(Table::default()
        .with("Liquidity", liquidity)
        .with("Level", level)
        .with("End", end)
        .with("Swept", swept))
}

struct Pool {
    row: usize,
    last_row: usize,
    members: Vec<f64>,
    swept: Option<usize>,
}

impl Pool {
    fn is_open_at(&self, row: usize) -> bool {
        self.swept.is_none_or(|swept| row < swept)
    }

    fn level(&self) -> f64 {
        self.members.iter().sum::<f64>() / self.members.len() as f64
    }
}

/// All pools of one side, in the order of their first members.
///
/// The open pools are kept by price. Two open ones lie further apart than the tolerance (the later would have
/// joined the earlier), so only a few neighbours of a price have to be looked at, swept ones leave when met.
fn pools<'a>(
    swings: impl Iterator<Item = &'a Swing>,
    tolerance: f64,
    sweep: impl Fn(&Swing) -> Option<usize>,
) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    if tolerance.is_nan() || tolerance < 0.0 {
        return pools;
    }
    let mut open: BTreeMap<Price, usize> = BTreeMap::new();
    for swing in swings.filter(|swing| !swing.level.is_nan()) {
        let price = Price(swing.level);
        let below = open.range(..=price).rev().take_while(|(seed, _)| swing.level <= seed.0 + tolerance);
        let above = open.range(price..).take_while(|(seed, _)| seed.0 - tolerance <= swing.level);
        let near: Vec<(Price, usize)> = below.chain(above).map(|(&seed, &pool)| (seed, pool)).collect();
        let (alive, swept): (Vec<_>, Vec<_>) =
            near.into_iter().partition(|&(_, pool)| pools[pool].is_open_at(swing.row));
        for (seed, _) in swept {
            open.remove(&seed);
        }
        if let Some(&(_, pool)) = alive.iter().min_by_key(|&&(_, pool)| pool) {
            pools[pool].members.push(swing.level);
            pools[pool].last_row = swing.row;
        } else {
            open.insert(price, pools.len());
            pools.push(Pool {
                row: swing.row,
                last_row: swing.row,
                members: vec![swing.level],
                swept: sweep(swing),
            });
        }
    }
    pools
}

/// A price in the order of numbers; never NaN.
#[derive(Clone, Copy)]
struct Price(f64);

impl Ord for Price {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Adding 0 makes both zeros one.
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}

impl PartialOrd for Price {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Price {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Price {}
