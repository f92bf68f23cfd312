//! Pattern events, folded, against the batch table of the same patterns.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use std::collections::BTreeMap;

use smc_common::{golden_bars, of_kind, roomy, run, shared, walks};
use smc_core::event::Bar;
use smc_core::output::{Structure, StructureKind as Kind};
use smc_core::smc::{PATTERNS_MAX, SmcParams};
use smc_core::words::Direction;
use smc_core::{Price, Qty, TsNs};

/// What a row of the table holds: tag and level unless a later row dropped them, and the bar of the break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    kept: Option<(i64, i64, i64)>,
    broken: usize,
}

type Table = BTreeMap<usize, Row>;

fn params() -> SmcParams {
    SmcParams { patterns: true, ..roomy() }
}

/// Bar, side, price of the locked swings and the last provisional one.
fn swings(said: &[Structure]) -> Vec<(usize, i64, i64)> {
    let last = said.iter().rfind(|fact| matches!(fact.kind, Kind::SwingStarted | Kind::SwingExtended));
    of_kind(said, Kind::SwingLocked)
        .chain(last)
        .map(|fact| (fact.bar as usize, sign(fact), fact.top.0))
        .collect()
}

fn sign(fact: &Structure) -> i64 {
    if fact.direction == Direction::Up { 1 } else { -1 }
}

/// The whole history at once: four swings in a row, the first break from two bars after the second of them on,
/// and every row dropped that a later one broke before.
fn table(bars: &[Bar], swings: &[(usize, i64, i64)], is_close_break: bool) -> Table {
    let mut rows: Vec<(usize, (i64, i64, i64), usize)> = vec![];
    for four in swings.windows(4) {
        let side = four[3].1;
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| side * four[at].2);
        let tag = if a < c && c < b && b < d {
            0
        } else if c < a && a < b && b < d {
            1
        } else {
            continue;
        };
        let source = |bar: &Bar| match (is_close_break, side) {
            (true, _) => bar.close.0,
            (false, 1) => bar.high.0,
            (false, _) => bar.low.0,
        };
        let (bar, level) = (four[1].0, four[1].2);
        let broken = (bar + 2..bars.len()).find(|&j| side * source(&bars[j]) > side * level);
        rows.extend(broken.map(|broken| (bar, (side, tag, level), broken)));
    }
    let is_dropped = |at: usize| rows[at + 1..].iter().any(|later| later.2 <= rows[at].2);
    let row = |at: usize| {
        let (bar, content, broken) = rows[at];
        (bar, Row { kept: (!is_dropped(at)).then_some(content), broken })
    };
    (0..rows.len()).map(row).collect()
}

fn fold(said: &[Structure]) -> Table {
    let (mut table, mut confirmed) = (Table::new(), BTreeMap::new());
    for fact in said {
        let content = (sign(fact), fact.extra, fact.top.0);
        match fact.kind {
            Kind::PatternConfirmed => assert_eq!(confirmed.insert(fact.id, (fact.bar, content)), None),
            Kind::PatternBroken => {
                assert_eq!(confirmed[&fact.id], (fact.bar, content));
                let row = Row { kept: Some(content), broken: fact.value as usize };
                assert_eq!(table.insert(fact.bar as usize, row), None, "a pattern broke twice");
            }
            Kind::PatternSuperseded => {
                let row = table.get_mut(&(fact.bar as usize)).unwrap();
                assert_eq!((row.kept.take(), row.broken), (Some(content), fact.value as usize));
            }
            _ => {}
        }
    }
    table
}

fn check(bars: &[Bar], params: &SmcParams) -> Table {
    let said = run(bars, params);
    let table = table(bars, &swings(&said), params.close_break);
    assert_eq!(fold(&said), table, "{params:?}");
    table
}

#[test]
fn the_fold_of_pattern_events_is_the_batch_table_on_walks() {
    let (mut rows, mut dropped) = (0, 0);
    for length in [1, 2, 5] {
        for close_break in [true, false] {
            let params = SmcParams { close_break, ..params().with_swing_length(length) };
            for bars in walks() {
                for n in [40, 200, bars.len()] {
                    let table = check(&bars[..n], &params);
                    rows += table.len();
                    dropped += table.values().filter(|row| row.kept.is_none()).count();
                }
            }
        }
    }
    assert!(rows > 2_000 && dropped > 200, "too quiet to prove anything: {rows} rows, {dropped} dropped");
}

#[test]
fn the_fold_of_pattern_events_is_the_batch_table_on_real_bars() {
    let Some(bars) = golden_bars() else { return };
    for params in [params(), params().with_swing_length(2), SmcParams { close_break: false, ..params() }] {
        assert!(check(&bars, &params).len() > 1_000);
    }
}

/// The public table differs by its two invented end swings and by levels rounded before the break test; no
/// more than the reference counts.
#[test]
fn the_golden_table_differs_by_rounding_and_bookends_only() {
    let (Some(bars), Some(golden)) = (golden_bars(), shared("smc/bos_choch_result_data.csv")) else { return };
    let ours = check(&bars, &params());
    let mut theirs = Table::new();
    for (bar, line) in golden.lines().skip(1).enumerate() {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap_or(0.0)).collect();
        if cells[3] > 0.0 {
            let level = (cells[2] * 1e5).round() as i64 * 1_000;
            let side = cells[0] + cells[1];
            let kept = (side != 0.0).then_some((side as i64, i64::from(cells[1] != 0.0), level));
            theirs.insert(bar, Row { kept, broken: cells[3] as usize });
        }
    }
    let differing = ours.iter().filter(|(bar, row)| theirs.get(bar) != Some(row)).count()
        + theirs.keys().filter(|bar| !ours.contains_key(bar)).count();
    assert!(theirs.len() > 1_000);
    println!("{} rows, {differing} differ", theirs.len());
    assert!(differing <= 34, "{differing} of {} rows differ", theirs.len());
}

/// More patterns than there is room for: the oldest of the side leaves, and all others live on as before.
#[test]
fn a_full_house_of_patterns_lets_the_oldest_go() {
    let bars = falling_stairs(600);
    let said = run(&bars, &params().with_swing_length(2));
    let mut waiting: [Vec<u32>; 2] = Default::default();
    let mut expired = 0;
    for fact in &said {
        let side = &mut waiting[fact.direction as usize];
        match fact.kind {
            Kind::PatternConfirmed => side.push(fact.id),
            Kind::PatternBroken => side.retain(|id| *id != fact.id),
            Kind::Expired => {
                // The newcomer was said before it took the place.
                assert_eq!((side.remove(0), side.len()), (fact.id, usize::from(PATTERNS_MAX)));
                expired += 1;
            }
            _ => {}
        }
    }
    assert!((60..=88).contains(&expired), "{expired} left");
}

/// A staircase down. Every step says a bullish pattern whose last high goes beyond the one before it by its
/// wick alone, so its level waits for ever, and a bearish one that breaks.
fn falling_stairs(steps: i64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = vec![];
    for step in 0..steps {
        let base = 100_000 - 30 * step;
        // Where each leg goes: three bars to its end, and the wick of the last of them.
        for (end, wick) in [(0, 0), (10, 0), (3, 0), (9, 3)] {
            let start = bars.last().map_or(base, |bar| bar.close.0);
            for part in 1..=3 {
                let open = bars.last().map_or(base, |bar| bar.close.0);
                let close = start + (base + end - start) * part / 3;
                let high = open.max(close) + if part == 3 { wick } else { 0 };
                bars.push(Bar {
                    open_ts: TsNs(bars.len() as u64 + 1),
                    open: Price(open),
                    high: Price(high),
                    low: Price(open.min(close)),
                    close: Price(close),
                    volume: Qty(1),
                    trades: 1,
                });
            }
        }
    }
    bars
}
