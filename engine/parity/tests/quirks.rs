//! What nobody would guess about the tables, one small file each. Every expected cell was said by the real package.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod common;

use common::compare;
use smc_parity::{
    Bars, ParityError, Period, Row, Session, Swings, Table, bos_choch, bos_choch_unrounded, fvg, liquidity,
    liquidity_within, ob, previous_high_low, retracements, sessions, swing_highs_lows,
};

const HOUR_NS: i64 = 3_600_000_000_000;

/// Hourly bars `(low, high, close)` that open in their middle; the volumes are 1, 2, 4, 8, ..
fn bars(rows: &[(f64, f64, f64)]) -> Bars {
    let row = |(nth, &(low, high, close)): (usize, &(f64, f64, f64))| Row {
        time_ns: nth as i64 * HOUR_NS,
        open: (low + high) / 2.0,
        high,
        low,
        close,
        volume: (1u64 << nth) as f64,
    };
    rows.iter().enumerate().map(row).collect()
}

/// Bars that open and close at a price and reach half a point to both sides, at the given stamps.
fn around(prices: &[f64], stamps: impl IntoIterator<Item = String>) -> Bars {
    let row = |(&price, stamp): (&f64, String)| Row {
        time_ns: stamp.parse::<jiff::Timestamp>().unwrap().as_nanosecond().try_into().unwrap(),
        open: price,
        high: price + 0.5,
        low: price - 0.5,
        close: price,
        volume: 1.0,
    };
    prices.iter().zip(stamps).map(row).collect()
}

/// As many stamps as asked for from the first on.
fn every(hours: i64, first: &str) -> impl Iterator<Item = String> {
    let first: jiff::Timestamp = first.parse().unwrap();
    (0..).map(move |nth| (first + jiff::SignedDuration::from_hours(hours * nth)).to_string())
}

/// A swing table from the rows that say something.
fn swings(rows: usize, said: &[(usize, f64, f64)]) -> Swings {
    let cells = |row| said.iter().find(|(at, ..)| *at == row).map_or((f64::NAN, f64::NAN), |s| (s.1, s.2));
    Swings::from_rows((0..rows).map(cells))
}

/// The rows that say something, and what all the others say.
fn check(table: &Table, others: &str, said: &[(usize, &str)]) {
    let names: Vec<_> = table.columns().iter().map(|column| column.name).collect();
    let line = |row| said.iter().find(|(at, _)| *at == row).map_or(others, |(_, cells)| cells);
    let lines = (0..table.len()).map(line);
    compare(table, std::iter::once(names.join(",").as_str()).chain(lines)).unwrap();
}

fn column(table: &Table, name: &str) -> Vec<f64> {
    let cells = table.column(name).unwrap();
    (0..cells.len()).map(|row| cells.at(row)).collect()
}

#[test]
fn the_first_and_last_row_are_swings_that_nobody_made() {
    let prices = [5.0, 7.0, 9.0, 8.0, 9.0, 4.0, 2.0, 3.0, 2.0, 6.0, 8.0, 7.0];
    let bars = around(&prices, every(1, "2024-01-01T00:00Z"));
    let table = swing_highs_lows(&bars, 2);
    let inner = [(4, "1,9.5"), (6, "-1,1.5")];
    check(&table.clone().into_table(), ",", &[(0, "-1,4.5"), inner[0], inner[1], (11, "1,7.5")]);
    check(&table.without_bookends().into_table(), ",", &inner);
}

/// Rows 2 and 3 are equal highs. Rows 4 and 5 are flat: the first of them is high and low, which is a high.
#[test]
fn the_first_of_equal_swings_survives_and_a_flat_bar_is_a_high() {
    let prices = [5.0, 7.0, 9.0, 9.0, 4.0, 4.0, 6.0];
    let bars = around(&prices, every(1, "2024-01-01T00:00Z"));
    let said = [(0, "1,5.5"), (1, "-1,6.5"), (2, "1,9.5"), (5, "-1,3.5"), (6, "1,6.5")];
    check(&swing_highs_lows(&bars, 1).into_table(), ",", &said);
}

#[test]
fn files_of_no_bar_to_three_bars_give_tables() {
    for rows in 0..=3 {
        let bars = around(&[5.0, 6.0, 5.0][..rows], every(1, "2024-01-01T00:00Z"));
        let swings = swing_highs_lows(&bars, 1);
        let full = rows == 3;
        let said: &[_] = if full { &[(0, "-1,4.5"), (1, "1,6.5"), (2, "-1,4.5")] } else { &[] };
        check(&swings.clone().into_table(), ",", said);
        check(&fvg(&bars, true), ",,,", &[]);
        check(&bos_choch(&bars, &swings, true).unwrap(), ",,,", &[]);
        check(&ob(&bars, &swings, false).unwrap(), ",,,,,", &[]);
        let pool: &[_] = if full { &[(0, "-1,4.5,2,0")] } else { &[] };
        check(&liquidity(&bars, &swings, 0.01).unwrap(), ",,,", pool);
        let turned: &[_] = if full { &[(2, "1,0,0")] } else { &[] };
        check(&retracements(&bars, &swings).unwrap(), "0,0,0", turned);
        let shown: &[_] = if full { &[(2, "5.5,4.5,0,0")] } else { &[] };
        check(&previous_high_low(&bars, Period::parse("1h").unwrap()), ",,0,0", shown);
        let sydney = sessions(&bars, Session::named("Sydney").unwrap(), "UTC").unwrap();
        check(&sydney, "1,6.5,4.5", &[(0, "1,5.5,4.5")]);
    }
}

#[test]
fn joined_gaps_stand_on_the_last_of_their_run() {
    let row = |(nth, [open, high, low, close]): (usize, [f64; 4])| Row {
        time_ns: nth as i64 * HOUR_NS,
        open,
        high,
        low,
        close,
        volume: 1.0,
    };
    let rows = [
        [5.0, 6.0, 4.0, 5.0],
        [5.0, 8.0, 5.0, 8.0],
        [8.0, 10.0, 7.0, 9.0],
        [9.0, 12.0, 9.0, 12.0],
        [12.0, 14.0, 11.0, 13.0],
        [13.0, 13.0, 9.0, 9.0],
        [9.0, 9.0, 7.0, 7.0],
    ];
    let bars: Bars = rows.into_iter().enumerate().map(row).collect();
    let last = (5, "-1,11,9,0");
    check(&fvg(&bars, false), ",,,", &[(1, "1,7,6,6"), (2, "1,9,8,5"), (3, "1,11,10,5"), last]);
    check(&fvg(&bars, true), ",,,", &[(3, "1,11,6,5"), last]);
}

/// 0.7 lies above its single-precision neighbour, 1.1 below it; both closes equal their level.
#[test]
fn a_close_on_the_level_breaks_it_when_rounding_moved_the_level_away() {
    for (level, said) in [(0.7, &[(1, "1,,0.7,3")][..]), (1.1, &[])] {
        let prices = [0.1, 0.5, 0.2, level, 0.1, 0.1];
        let bars = bars(&prices.map(|price| (price, price, price)));
        let swings = swings(6, &[(0, -1.0, 0.1), (1, 1.0, level), (2, -1.0, 0.2), (3, 1.0, 1.9)]);
        check(&bos_choch(&bars, &swings, true).unwrap(), ",,,", said);
        check(&bos_choch_unrounded(&bars, &swings, true).unwrap(), ",,,", &[]);
    }
}

#[test]
fn a_cancelled_break_keeps_its_broken_index() {
    let prices = [1.0, 5.0, 2.0, 3.0, 3.0, 3.0, 8.0, 8.0];
    let bars = bars(&prices.map(|price| (price, price, price)));
    let rising =
        [(0, -1.0, 1.0), (1, 1.0, 5.0), (2, -1.0, 2.0), (3, 1.0, 6.0), (4, -1.0, 3.0), (5, 1.0, 7.0)];
    let swings = swings(8, &rising);
    check(&bos_choch(&bars, &swings, true).unwrap(), ",,,", &[(1, ",,,6"), (3, "1,,6,6")]);
}

#[test]
fn the_bar_after_a_swing_cannot_break_it() {
    let said = [(1, "1,,5,3")];
    for (third, said) in [(5.0, &[][..]), (9.0, &said)] {
        let bars = bars(&[1.0, 5.0, 9.0, third, 5.0, 5.0].map(|price| (price, price, price)));
        let swings = swings(6, &[(0, -1.0, 1.0), (1, 1.0, 5.0), (2, -1.0, 2.0), (3, 1.0, 6.0)]);
        check(&bos_choch(&bars, &swings, true).unwrap(), ",,,", said);
    }
}

#[test]
fn a_break_of_the_level_zero_shows_no_level() {
    let bars = bars(&[-3.0, 0.0, -2.0, 2.0, 2.0, 2.0].map(|price| (price, price, price)));
    let swings = swings(6, &[(0, -1.0, -3.0), (1, 1.0, 0.0), (2, -1.0, -2.0), (3, 1.0, 2.0)]);
    check(&bos_choch(&bars, &swings, true).unwrap(), ",,,", &[(1, "1,,,3")]);
}

/// The block of row 2 breaks at row 4 and price comes back over its top at row 6.
const BROKEN_THEN_CROSSED: [(f64, f64, f64); 7] = [
    (8.0, 10.0, 9.0),
    (5.0, 7.0, 6.0),
    (5.0, 9.0, 8.0),
    (8.0, 12.0, 11.0),
    (4.0, 9.0, 6.0),
    (4.0, 9.0, 6.0),
    (5.0, 9.5, 6.0),
];

#[test]
fn a_broken_block_is_erased_when_price_crosses_it_again() {
    let high = [(0, 1.0, 10.0)];
    check(&ob(&bars(&BROKEN_THEN_CROSSED), &swings(7, &high), false).unwrap(), ",,,,,", &[]);
    let head = ob(&bars(&BROKEN_THEN_CROSSED[..6]), &swings(6, &high), false).unwrap();
    check(&head, ",,,,,", &[(2, "1,9,5,14,3,16.666668")]);
}

/// The same bars upside down: both blocks break at row 4.
#[test]
fn a_bullish_block_is_mitigated_one_row_early_and_a_bearish_one_is_not() {
    let mirrored: Vec<_> =
        BROKEN_THEN_CROSSED[..6].iter().map(|&(low, high, close)| (-high, -low, -close)).collect();
    let table = ob(&bars(&mirrored), &swings(6, &[(0, -1.0, -10.0)]), false).unwrap();
    check(&table, ",,,,,", &[(2, "-1,-5,-9,14,4,16.666668")]);
}

#[test]
fn a_bearish_block_on_the_row_of_a_bullish_one_inherits_its_mitigation() {
    let rows = [
        (8.0, 10.0, 9.0),
        (8.0, 10.0, 9.0),
        (1.0, 20.0, 9.0),
        (12.0, 16.0, 15.0),
        (0.5, 3.0, 0.625),
        (2.0, 3.0, 2.5),
    ];
    let table = ob(&bars(&rows), &swings(6, &[(0, 1.0, 10.0), (1, -1.0, 8.0)]), false).unwrap();
    check(&table, ",,,,,", &[(2, "-1,20,1,28,3,16.666668")]);
}

/// The bullish block is broken at row 4 and erased at row 5. The bearish one on its row is a breaker from its
/// first moment: never mitigated, and erased by the first low below its bottom.
#[test]
fn a_bearish_block_on_the_row_of_an_erased_one_is_born_broken() {
    let mut rows = [
        (8.0, 10.0, 9.0),
        (8.0, 10.0, 9.0),
        (1.0, 20.0, 9.0),
        (12.0, 16.0, 15.0),
        (0.5, 3.0, 0.625),
        (2.0, 21.0, 9.0),
        (2.0, 3.0, 2.5),
    ];
    let swings = swings(7, &[(0, 1.0, 10.0), (1, -1.0, 8.0)]);
    check(&ob(&bars(&rows), &swings, false).unwrap(), ",,,,,", &[(2, "-1,20,1,28,0,16.666668")]);
    rows[6].0 = 0.5;
    check(&ob(&bars(&rows), &swings, false).unwrap(), ",,,,,", &[]);
}

#[test]
fn a_bullish_block_on_the_swing_itself_is_upside_down() {
    let row = |(nth, (low, high, close, volume)): (usize, (f64, f64, f64, f64))| Row {
        time_ns: nth as i64 * HOUR_NS,
        open: close,
        high,
        low,
        close,
        volume,
    };
    let rising = [(1.0, 2.0, 1.5, 7.0), (2.0, 4.0, 3.0, 9.0), (2.0, 4.0, 3.0, 1.0)];
    let bars: Bars = rising.into_iter().enumerate().map(row).collect();
    check(&ob(&bars, &swings(3, &[(0, 1.0, 2.0)]), false).unwrap(), ",,,,,", &[(0, "1,1,2,16,0,0")]);
    let falling = [(3.0, 4.0, 3.5, 7.0), (1.0, 3.0, 2.0, 9.0), (1.0, 3.0, 2.0, 1.0)];
    let bars: Bars = falling.into_iter().enumerate().map(row).collect();
    check(&ob(&bars, &swings(3, &[(0, -1.0, 3.0)]), false).unwrap(), ",,,,,", &[(0, "-1,4,3,16,0,0")]);
}

#[test]
fn with_no_tolerance_an_equal_high_sweeps_and_joins_nothing() {
    let bars = bars(&[10.0, 5.0, 10.0, 5.0, 10.5, 5.0, 12.0].map(|price| (price, price, price)));
    let highs = [(0, 1.0, 10.0), (2, 1.0, 10.0), (4, 1.0, 10.5), (6, 1.0, 12.0)];
    let lows = [(1, -1.0, 5.0), (3, -1.0, 5.0), (5, -1.0, 5.0)];
    let swings = swings(7, &[&highs[..], &lows].concat());
    check(&liquidity(&bars, &swings, 0.0).unwrap(), ",,,", &[]);
    let pools = [(0, "1,10.166667,4,6"), (1, "-1,5,5,0")];
    check(&liquidity(&bars, &swings, 0.1).unwrap(), ",,,", &pools);
    check(&liquidity_within(&bars, &swings, 0.7).unwrap(), ",,,", &pools);
}

/// The mean is a plain sum from the first member on: a cleverer one would keep the ones between the giants.
#[test]
fn the_level_of_a_pool_is_summed_from_first_to_last() {
    let mut levels = vec![1.0; 40];
    (levels[0], levels[39]) = (1e16, -1e16);
    let bars = bars(&[(-1e16, 1e16, 0.0); 40]);
    let swings = Swings::from_rows(levels.into_iter().map(|level| (1.0, level)));
    check(&liquidity(&bars, &swings, 2.0).unwrap(), ",,,", &[(0, "1,0,39,0")]);
}

#[test]
fn the_bar_that_opens_a_period_still_shows_the_one_before_the_previous() {
    let prices: Vec<f64> = (1..=12).map(f64::from).collect();
    let bars = around(&prices, every(8, "2024-01-01T00:00Z"));
    let (first, second, third) = ("3.5,0.5,1,0", "6.5,3.5,1,0", "9.5,6.5,1,0");
    let said =
        [(4, first), (5, first), (6, first), (7, second), (8, second), (9, second), (10, third), (11, third)];
    check(&previous_high_low(&bars, Period::parse("1D").unwrap()), ",,0,0", &said);
}

#[test]
fn a_week_is_labelled_with_its_last_day_so_most_of_it_shows_the_week_before_last() {
    let prices: Vec<f64> = (1..=16).map(f64::from).collect();
    let bars = around(&prices, every(24, "2024-01-05T00:00Z"));
    let said: Vec<_> = (10..16).map(|row| (row, "3.5,0.5,1,0")).collect();
    check(&previous_high_low(&bars, Period::parse("W").unwrap()), ",,0,0", &said);
    check(&previous_high_low(&bars, Period::parse("2W-TUE").unwrap()), ",,0,0", &[]);
}

#[test]
fn months_are_labelled_by_end_or_start_and_counted_from_the_first_bar() {
    let prices: Vec<f64> = (1..=12).map(f64::from).collect();
    let bars = around(&prices, every(240, "2023-12-31T00:00Z"));
    let rows = |groups: &[(std::ops::Range<usize>, &'static str)]| -> Vec<(usize, &'static str)> {
        groups.iter().flat_map(|(rows, cells)| rows.clone().map(|row| (row, *cells))).collect()
    };
    let table = |period: &str| previous_high_low(&bars, Period::parse(period).unwrap());
    let (one, two, three, four) = ("1.5,0.5,1,0", "4.5,1.5,1,0", "7.5,4.5,1,0", "10.5,7.5,1,0");
    check(&table("ME"), ",,0,0", &rows(&[(4..7, one), (7..10, two), (10..12, three)]));
    check(&table("MS"), ",,0,0", &rows(&[(1..4, one), (4..7, two), (7..10, three), (10..12, four)]));
    check(&table("2ME"), ",,0,0", &rows(&[(7..12, one)]));
    check(&table("QS-FEB"), ",,0,0", &rows(&[(4..12, "4.5,0.5,1,0")]));
}

#[test]
fn a_session_holds_its_end_and_windows_without_a_bar_between_are_one() {
    let stamps = [
        "2024-01-01T06:59Z",
        "2024-01-01T07:00Z",
        "2024-01-01T16:00:59Z",
        "2024-01-01T16:01Z",
        "2024-01-02T12:00Z",
        "2024-01-03T12:00Z",
        "2024-01-03T13:00Z",
    ];
    let bars = around(&[5.0, 6.0, 7.0, 8.0, 9.0, -1.0, -2.0], stamps.map(str::to_owned));
    let table = sessions(&bars, Session::named("London").unwrap(), "UTC").unwrap();
    let first_day = [(1, "1,6.5,5.5"), (2, "1,7.5,5.5")];
    let merged = [(4, "1,9.5,8.5"), (5, "1,9.5,-1.5"), (6, "1,9.5,-2.5")];
    check(&table, "0,0,0", &[&first_day[..], &merged].concat());
}

#[test]
fn a_session_high_below_zero_shows_as_zero() {
    let bars = around(&[-3.0, -4.0, -2.0], every(1, "2024-01-01T08:00Z"));
    let table = sessions(&bars, Session::named("London").unwrap(), "UTC").unwrap();
    check(&table, "1,0,-4.5", &[(0, "1,0,-3.5")]);
}

#[test]
fn an_offset_named_utc_counts_the_other_way() {
    let stamps = ["01:30", "03:30", "07:30", "10:30", "11:30"].map(|time| format!("2024-07-01T{time}Z"));
    let bars = around(&[1.0, 2.0, 3.0, 4.0, 5.0], stamps);
    let session = Session::custom("7:00", "08:00").unwrap();
    let active = |zone: &str| column(&sessions(&bars, session, zone).unwrap(), "Active");
    assert_eq!(active("UTC"), [0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(active("UTC+3"), [0.0; 5]);
    assert_eq!(active("UTC-3"), [0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(active("+03:00"), [0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(active("America/New_York"), [0.0, 1.0, 0.0, 0.0, 0.0]);
}

/// The package throws; a skipped hour is read with the offset before it, a repeated one as its first.
#[test]
fn stamps_that_a_clock_change_skips_or_repeats_still_have_a_session() {
    let bars = around(&[1.0, 2.0], ["2024-03-10T02:30Z", "2024-11-03T01:30Z"].map(str::to_owned));
    let active = |start: &str, end: &str| {
        let session = Session::custom(start, end).unwrap();
        column(&sessions(&bars, session, "America/New_York").unwrap(), "Active")
    };
    assert_eq!(active("07:30", "07:31"), [1.0, 0.0]);
    assert_eq!(active("05:30", "05:31"), [0.0, 1.0]);
}

#[test]
fn retracements_are_moved_down_a_row_and_begin_after_the_third_turn() {
    let prices = [5.0, 7.0, 9.0, 8.0, 6.0, 4.0, 6.0, 8.0, 10.0, 9.0, 7.0, 5.0, 6.0, 7.0, 8.0, 7.0, 6.0, 5.0];
    let bars = around(&prices, every(1, "2024-01-01T00:00Z"));
    let said = [
        (4, "1,66.7,66.7"),
        (5, "1,133.3,133.3"),
        (6, "-1,16.7,16.7"),
        (7, "-1,50,50"),
        (8, "-1,83.3,83.3"),
        (9, "1,0,0"),
        (10, "1,28.6,28.6"),
        (11, "1,57.1,57.1"),
        (12, "-1,16.7,16.7"),
        (13, "-1,33.3,33.3"),
        (14, "-1,50,50"),
        (15, "1,0,0"),
        (16, "1,50,50"),
        (17, "1,75,75"),
    ];
    check(&retracements(&bars, &swing_highs_lows(&bars, 1)).unwrap(), "0,0,0", &said);
}

#[test]
fn a_single_bar_that_is_a_swing_high_is_measured_against_itself() {
    let table = retracements(&bars(&[(3992.0, 4002.0, 3996.0)]), &swings(1, &[(0, 1.0, 4003.0)])).unwrap();
    check(&table, "1,0.3,0.3", &[]);
}

/// 6.25 and 18.75 per cent, both exact.
#[test]
fn a_half_is_rounded_to_the_even_side() {
    for (low, said) in [(15.0, "1,6.2,6.2"), (13.0, "1,18.8,18.8")] {
        let table = retracements(&bars(&[(low, 16.0, 15.5)]), &swings(1, &[(0, 1.0, 16.0)])).unwrap();
        check(&table, said, &[]);
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for text in [
        "",
        "h30",
        "1M",
        "1H",
        "15T",
        "15m",
        "0h",
        "-1h",
        "1e1h",
        "0W",
        "1.5W",
        "MS-JAN",
        "W-FOO",
        "QS-feb",
        "B",
        "99999999999h",
        "0.1ns",
    ] {
        assert_eq!(Period::parse(text), Err(ParityError::Period(text.into())));
    }
    for text in ["24:00", "01:60", "0100", " 1:00", "1:+5", "001:00", "é1:00"] {
        assert_eq!(Session::custom(text, "02:00"), Err(ParityError::TimeOfDay(text.into())));
    }
    assert_eq!(Session::custom("01:00", ""), Err(ParityError::CustomNeedsTimes));
    assert_eq!(Session::named("Custom"), Err(ParityError::CustomNeedsTimes));
    assert_eq!(Session::named("london"), Err(ParityError::Session("london".into())));
    let bars = around(&[1.0], every(1, "2024-01-01T00:00Z"));
    let london = Session::named("London").unwrap();
    for zone in ["", "Nope/X", "UTC+15", "+25:00", "local"] {
        assert_eq!(sessions(&bars, london, zone).err(), Some(ParityError::TimeZone(zone.into())));
    }
    let wrong = ParityError::SwingsLength { bars: 1, swings: 2 };
    assert_eq!(ob(&bars, &swings(2, &[]), true).err(), Some(wrong));
}

/// Nothing of a file can make a table panic, whatever it then says.
#[test]
fn prices_that_are_no_numbers_and_stamps_at_the_ends_of_time_give_tables() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e308, -1e308];
    let mut random = common::Random(3);
    let bars: Bars = (0..300)
        .map(|_| Row {
            time_ns: random.pick(&[i64::MIN, i64::MAX, 0, -1, 1 << 60]),
            open: random.pick(&odd),
            high: random.pick(&odd),
            low: random.pick(&odd),
            close: random.pick(&odd),
            volume: random.pick(&odd),
        })
        .collect();
    let made_up = Swings::from_rows((0..300).map(|_| (random.pick(&[1.0, -1.0, 0.5]), random.pick(&odd))));
    for swings in [swing_highs_lows(&bars, 1), made_up, swing_highs_lows(&bars, usize::MAX)] {
        for flag in [true, false] {
            assert_eq!(bos_choch(&bars, &swings, flag).unwrap().len(), 300);
            assert_eq!(ob(&bars, &swings, flag).unwrap().len(), 300);
            assert_eq!(fvg(&bars, flag).len(), 300);
        }
        for tolerance in odd {
            assert_eq!(liquidity_within(&bars, &swings, tolerance).unwrap().len(), 300);
        }
        assert_eq!(retracements(&bars, &swings).unwrap().len(), 300);
    }
    for period in ["1ns", "7h", "100000D", "W", "65535W", "65535ME", "65535YE", "65535YS", "QS-NOV"] {
        assert_eq!(previous_high_low(&bars, Period::parse(period).unwrap()).len(), 300);
    }
    for zone in ["UTC", "America/New_York", "+14:00"] {
        assert_eq!(sessions(&bars, Session::named("Sydney").unwrap(), zone).unwrap().len(), 300);
    }
}
