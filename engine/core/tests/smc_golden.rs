//! The event stream, folded, against tables that another program made from the same bars.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use std::collections::BTreeMap;

use smc_common::{golden_bars, of_kind, roomy, run, shared};
use smc_core::output::StructureKind as Kind;
use smc_core::smc::SmcParams;
use smc_core::words::Direction;
use smc_core::{Price, output::Structure};

/// A row that says something: index, side, and the cells behind it.
type Row = (usize, i8, Vec<String>);

fn rows(table: &str) -> Vec<Row> {
    let mut rows = vec![];
    for (index, line) in table.lines().skip(1).enumerate() {
        let mut cells = line.split(',').map(str::to_owned);
        match cells.next().as_deref() {
            Some("1.0") => rows.push((index, 1, cells.collect())),
            Some("-1.0") => rows.push((index, -1, cells.collect())),
            Some("" | "0.0") => {}
            other => panic!("row {index} starts with {other:?}"),
        }
    }
    rows
}

fn price(cell: &str) -> Price {
    Price::parse(cell.as_bytes()).unwrap()
}

fn sign(fact: &Structure) -> i8 {
    match fact.direction {
        Direction::Up => 1,
        Direction::Down => -1,
    }
}

/// Locked swings and the last provisional one are the table without its two invented end rows.
#[test]
fn swings_are_the_golden_table_without_its_bookends() {
    let (Some(bars), Some(table)) = (golden_bars(), shared("smc/swing_highs_lows_result_data.csv")) else {
        return;
    };
    let said = run(&bars, &roomy().with_swing_length(5));
    let last = said.iter().rfind(|fact| matches!(fact.kind, Kind::SwingStarted | Kind::SwingExtended));
    let ours: Vec<_> = of_kind(&said, Kind::SwingLocked)
        .chain(last)
        .map(|fact| (fact.bar as usize, sign(fact), fact.top))
        .collect();
    let golden: Vec<_> =
        rows(&table).into_iter().map(|(index, side, cells)| (index, side, price(&cells[0]))).collect();
    assert_eq!((golden[0].0, golden[golden.len() - 1].0), (0, bars.len() - 1), "bookends");
    assert_eq!(ours, golden[1..golden.len() - 1]);
    println!("{} swings equal", ours.len());
}

/// Index, side, top, bottom, bar that mitigated it or 0.
fn gap_of_row((index, side, cells): Row) -> (usize, i8, Price, Price, u32) {
    let at = cells[2].strip_suffix(".0").unwrap().parse().unwrap();
    (index, side, price(&cells[0]), price(&cells[1]), at)
}

/// Created gaps and the bar that mitigated each are the table, to the cell.
#[test]
fn gaps_are_the_golden_table() {
    let (Some(bars), Some(table)) = (golden_bars(), shared("smc/fvg_result_data.csv")) else { return };
    let said = run(&bars, &roomy());
    let mut mitigated = vec![0; said.iter().map(|fact| fact.id as usize + 1).max().unwrap()];
    for fact in of_kind(&said, Kind::FvgMitigated) {
        mitigated[fact.id as usize] = fact.known_bar;
    }
    let ours: Vec<_> = of_kind(&said, Kind::FvgCreated)
        .map(|fact| (fact.bar as usize, sign(fact), fact.top, fact.bottom, mitigated[fact.id as usize]))
        .collect();
    let golden: Vec<_> = rows(&table).into_iter().map(gap_of_row).collect();
    assert_eq!(ours.len(), golden.len());
    for (ours, golden) in ours.iter().zip(&golden) {
        assert_eq!(ours, golden);
    }
    println!("{} gaps equal", ours.len());
}

/// With joining on, gaps that another took in are no rows; the rest is the table, to the cell.
#[test]
fn joined_gaps_are_the_golden_table() {
    let (Some(bars), Some(table)) = (golden_bars(), shared("smc/fvg_consecutive_result_data.csv")) else {
        return;
    };
    let said = run(&bars, &SmcParams { fvg_join: true, ..roomy() });
    let (mut folded, mut joined) = (BTreeMap::new(), 0);
    for fact in &said {
        match fact.kind {
            Kind::FvgCreated | Kind::FvgJoined => {
                joined += usize::from(folded.remove(&fact.cause_id).is_some());
                folded.insert(fact.id, (fact.bar as usize, sign(fact), fact.top, fact.bottom, 0));
            }
            Kind::FvgMitigated => folded.get_mut(&fact.id).unwrap().4 = fact.known_bar,
            _ => {}
        }
    }
    let mut ours: Vec<_> = folded.into_values().collect();
    ours.sort();
    let golden: Vec<_> = rows(&table).into_iter().map(gap_of_row).collect();
    assert!(joined > 100 && ours.len() == golden.len(), "{joined} joined, {} stay", ours.len());
    for (ours, golden) in ours.iter().zip(&golden) {
        assert_eq!(ours, golden);
    }
}

/// The reference counts 1,259 order blocks in live mode on this file; so do we.
#[test]
fn live_order_blocks_are_as_many_as_the_reference_counts() {
    let Some(bars) = golden_bars() else { return };
    let said = run(&bars, &roomy().with_swing_length(5));
    assert_eq!(of_kind(&said, Kind::ObCreated).count(), 1_259);
}

/// The reference measures how long a swing waits for its lock: median 12, p90 21, at most 51 bars.
#[test]
fn swings_lock_as_late_as_the_reference_measures() {
    let Some(bars) = golden_bars() else { return };
    let said = run(&bars, &roomy().with_swing_length(5));
    let mut waits: Vec<_> = of_kind(&said, Kind::SwingLocked).map(|fact| fact.known_bar - fact.bar).collect();
    waits.sort_unstable();
    let at = |part: usize| waits[waits.len() * part / 100];
    assert_eq!((at(50), at(90), waits[waits.len() - 1]), (12, 21, 51));
}
