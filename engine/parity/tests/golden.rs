//! The tables of the real package for a year of EURUSD, cell by cell.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod common;

use common::{compare, shared};
use smc_parity::{
    Bars, Period, Row, Session, Table, bos_choch, fvg, liquidity, ob, previous_high_low, retracements,
    sessions, swing_highs_lows,
};

fn golden_bars() -> Option<Bars> {
    Some(shared("smc/EURUSD_15M.csv")?.lines().skip(1).map(row_of_line).collect())
}

fn row_of_line(line: &str) -> Row {
    let cells: Vec<&str> = line.split(',').collect();
    let number = |at: usize| cells[at].parse().unwrap();
    let stamp = cells[0].replacen('.', "-", 2) + "Z";
    Row {
        time_ns: stamp.parse::<jiff::Timestamp>().unwrap().as_nanosecond().try_into().unwrap(),
        open: number(1),
        high: number(2),
        low: number(3),
        close: number(4),
        volume: number(6),
    }
}

#[test]
fn all_eleven_golden_tables_are_equal_in_every_cell() {
    let Some(bars) = golden_bars() else { return };
    let swings = swing_highs_lows(&bars, 5);
    let previous = |period: &str| previous_high_low(&bars, Period::parse(period).unwrap());
    let tables: [(&str, Table); 11] = [
        ("fvg", fvg(&bars, false)),
        ("fvg_consecutive", fvg(&bars, true)),
        ("bos_choch", bos_choch(&bars, &swings, true).unwrap()),
        ("ob", ob(&bars, &swings, false).unwrap()),
        ("liquidity", liquidity(&bars, &swings, 0.01).unwrap()),
        ("retracements", retracements(&bars, &swings).unwrap()),
        ("previous_high_low_4h", previous("4h")),
        ("previous_high_low_1D", previous("1D")),
        ("previous_high_low_W", previous("W")),
        ("sessions", sessions(&bars, Session::named("London").unwrap(), "UTC").unwrap()),
        ("swing_highs_lows", swings.into_table()),
    ];
    let mut outcomes = Vec::new();
    for (name, table) in &tables {
        let file = match name.split_once("low_") {
            Some((_, period)) => format!("smc/previous_high_low_result_data_{period}.csv"),
            None => format!("smc/{name}_result_data.csv"),
        };
        let golden = shared(&file).unwrap();
        let outcome = compare(table, golden.lines());
        println!("{name}: {outcome:?}");
        outcomes.push(outcome);
    }
    assert!(outcomes.iter().all(Result::is_ok));
}
