//! Runs over bars alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod common;

use common::{START, coin, config, market, venue, walk};
use smc_backtest::{Ended, Outcome, VenueSettings, Wanted, run};
use smc_core::risk::Check;
use smc_core::strategy::EntryKind;
use smc_core::words::TsNs;

fn outcome(seed: u64, kind: EntryKind) -> Outcome {
    let bars = walk(seed, 20_000);
    run(&config(&["1m", "5m", "15m", "1h"]), coin(seed, kind), &market(&bars), &venue(), Wanted::default())
        .unwrap()
}

/// Money is neither made nor lost in the telling: what trades say adds up to what equity says, to the rounding of each.
#[test]
fn trades_add_up_to_the_equity() {
    for (seed, kind) in [(1, EntryKind::Take), (2, EntryKind::Rest), (3, EntryKind::RestMakerOnly)] {
        let outcome = outcome(seed, kind);
        assert_eq!(outcome.ended, Ended::EndOfData);
        assert!(outcome.trades.len() > 200, "{:?} {} trades", kind, outcome.trades.len());
        let made: i64 = outcome.trades.iter().chain(&outcome.open).map(|trade| trade.net.0).sum();
        let off = outcome.starting_equity.0 + made - outcome.equity.0;
        assert!(off.abs() <= 4 * outcome.trades.len() as i64, "{off}");
        let fees: i64 = outcome.trades.iter().chain(&outcome.open).map(|trade| trade.fees.0).sum();
        let costs = outcome.costs;
        assert!((fees - costs.maker_fees.0 - costs.taker_fees.0).abs() <= 4 * outcome.trades.len() as i64);
        let slipped: i64 = outcome.trades.iter().chain(&outcome.open).map(|trade| trade.slippage.0).sum();
        assert!(slipped > 0 && slipped == costs.spread.0 + costs.impact.0, "{slipped}");
        for trade in &outcome.trades {
            assert!((trade.gross.0 - trade.fees.0 + trade.cash.0 - trade.net.0).abs() <= 4);
            assert!(trade.mae.0 >= 0 && trade.mfe.0 >= trade.gross.0 && -trade.mae.0 <= trade.gross.0);
            assert!(trade.risked.0 > 0 && trade.signal.is_some() && trade.exit_by.is_some());
        }
    }
}

#[test]
fn the_same_run_twice_is_the_same_run() {
    assert_eq!(outcome(5, EntryKind::Take), outcome(5, EntryKind::Take));
    assert_ne!(outcome(5, EntryKind::Take).digest, outcome(6, EntryKind::Take).digest);
}

/// Between two bars a price is as old as a bar. That is no reason to withdraw what works, or to leave alone what is held.
#[test]
fn the_age_of_a_bar_is_no_dead_feed() {
    let mut config = config(&["1m", "5m"]);
    config.instruments[0].limits.reference_age_max_ns = 5_000_000_000;
    let bars = market(&walk(9, 5_000));
    let outcome = run(&config, coin(4, EntryKind::Rest), &bars, &venue(), Wanted::default()).unwrap();
    let denied = |check: Check| outcome.denied[check as usize - 1];
    assert_eq!((denied(Check::StaleData), denied(Check::MaxOrderLifetime)), (0, 0));
    assert!(outcome.trades.len() > 50);
}

/// A year of returns is counted once for every command: by whether anything is told on Saturdays.
#[test]
fn a_market_that_rests_at_weekends_has_a_shorter_year() {
    let days = |bars: &[smc_core::event::Bar], period_ns| {
        let wanted = Wanted { period_ns, ..Wanted::default() };
        let outcome =
            run(&config(&["1m"]), coin(1, EntryKind::Rest), &market(bars), &venue(), wanted).unwrap();
        outcome.days_per_year()
    };
    let (day_ns, whole) = (86_400_000_000_000, walk(3, 20_000));
    let is_weekday = |bar: &&smc_core::event::Bar| !matches!((bar.open_ts.0 / day_ns + 3) % 7, 5 | 6);
    let week: Vec<_> = whole.iter().filter(is_weekday).copied().collect();
    for period_ns in [day_ns, day_ns / 24] {
        assert_eq!((days(&whole, period_ns), days(&week, period_ns)), (365.0, 252.0));
    }
    assert_eq!(days(&week[..2_000], day_ns / 24), 365.0, "less than a week does not tell");
    // Currencies by UTC: closed from Friday 22:00 to Sunday 22:00. Six days a week have a period.
    let is_open = |bar: &&smc_core::event::Bar| {
        let minute = (bar.open_ts.0 / 60_000_000_000 + 3 * 1_440) % (7 * 1_440);
        !(4 * 1_440 + 1_320..6 * 1_440 + 1_320).contains(&minute)
    };
    let currency: Vec<_> = whole.iter().filter(is_open).copied().collect();
    let by_day = days(&currency, day_ns);
    assert!((by_day - 252.0 * 12.0 / 10.0).abs() < 1e-9, "ten weekdays and two Sundays: {by_day}");
    assert_eq!(days(&currency, day_ns / 24), 252.0);
}

/// A bar that closes at midnight is of the day before, with what happened inside of it: a day's point says what the account was worth
/// when the day's last bar was known.
#[test]
fn a_day_ends_with_the_bar_that_closes_at_midnight() {
    const DAY_NS: u64 = 86_400_000_000_000;
    let (config, bars) = (config(&["1m"]), market(&walk(4, 10_000)));
    let whole = run(&config, coin(4, EntryKind::Rest), &bars, &venue(), Wanted::default()).unwrap();
    let days = whole.points.split_last().unwrap().1;
    assert_eq!(days.len(), 6);
    let mut held = 0;
    for (nth, point) in (1..).zip(days) {
        let midnight = START.0 + nth * DAY_NS;
        assert_eq!(point.ts.0, midnight);
        let part = bars.between(TsNs(0), TsNs(midnight + 1));
        let part = run(&config, coin(4, EntryKind::Rest), &part, &venue(), Wanted::default()).unwrap();
        assert_eq!(
            (part.points.len() as u64, part.equity, part.points.last()),
            (nth, point.equity, Some(point))
        );
        held += usize::from(point.exposure.0 > 0);
    }
    assert!(held > 0, "nothing was held at any midnight: nothing was tested");
    let turnover: i64 = whole.points.iter().map(|point| point.turnover.0).sum();
    assert!((turnover - whole.costs.turnover.0).abs() <= 4 * whole.trades.len() as i64);
}

/// Entries that take are lost to bad luck like those that rest.
#[test]
fn an_entry_that_takes_can_be_missed() {
    let bars = market(&walk(6, 5_000));
    let outcome = |missed_fills_ppm| {
        let settings = VenueSettings { missed_fills_ppm, ..venue() };
        run(&config(&["1m"]), coin(6, EntryKind::Take), &bars, &settings, Wanted::default()).unwrap()
    };
    let opened = |missed_fills_ppm| {
        let trades = outcome(missed_fills_ppm).trades;
        trades.iter().map(|trade| trade.opened.0).collect::<std::collections::BTreeSet<_>>()
    };
    // Whoever missed one is free for the next: there are as many, but not the same.
    let (all, some) = (opened(0), opened(200_000));
    assert!(
        some.len() > 50 && all.difference(&some).count() * 10 > all.len(),
        "{} {}",
        all.len(),
        some.len()
    );
    assert!(opened(1_000_000).is_empty());
}

/// Who comes late pays the worse of two prices, and never gets the better.
#[test]
fn who_comes_late_pays_for_it() {
    let bars = walk(8, 5_000);
    let of = |late_ppm| {
        let settings = VenueSettings { late_ppm, ..venue() };
        let all = market(&bars);
        run(&config(&["1m"]), coin(8, EntryKind::Take), &all, &settings, Wanted::default()).unwrap()
    };
    let (soon, late) = (of(0), of(500_000));
    let first = |outcome: &Outcome| outcome.trades[0];
    let bar = bars.iter().find(|bar| bar.open_ts == first(&soon).opened).unwrap();
    let sign = first(&soon).direction.side().sign();
    assert_eq!(first(&soon).entry, bar.open);
    let against = (sign * (bar.close.0 - bar.open.0)).max(0);
    let paid = sign * (first(&late).entry.0 - bar.open.0);
    assert!((against / 2..=against / 2 + 1_000_000).contains(&paid), "{against} {paid}");
    assert!(late.equity < soon.equity, "{} {}", late.equity.0, soon.equity.0);
}
