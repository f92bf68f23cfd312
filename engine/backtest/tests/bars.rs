//! Runs over bars alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod common;

use common::{coin, config, market, venue, walk};
use smc_backtest::{Ended, Outcome, Wanted, run};
use smc_core::risk::Check;
use smc_core::strategy::EntryKind;

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
}
