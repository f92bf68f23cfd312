//! Rows of the fault reference (M: market data, O: orders and account) at simulated Binance futures, Bybit and Oanda: each row
//! where the way it is met is another than at Binance spot. As there, the swarm's checker holds the promises P1 to P6.
//!
//! Oanda numbers nothing and sends whole prices, so that there is no gap to find and no snapshot to be old; Bybit sends its
//! snapshots in the stream itself, which no request can age.

#![allow(missing_docs)]

use tests::swarm::At;
use tests::swarm::rows::Sum;
use venue_sim::Fault;

/// Runs of each row at each venue; their seeds count up from one of the row's own.
const RUNS: u64 = 2;
const CONTRACTS: [At; 3] = [At::Usdm, At::BybitLinear, At::Oanda];

/// The row at some venues, one after another.
#[track_caller]
fn row<const N: usize>(at: [At; N], first_seed: u64, faults: &[(Fault, u32)], kills: u32) -> [Sum; N] {
    let program = env!("CARGO_BIN_EXE_swarm-engine");
    at.map(|at| tests::swarm::rows::row(program, at, first_seed..first_seed + RUNS, faults, kills))
}

#[test]
fn m1_a_disconnect_at_any_byte_ends_in_a_book_that_is_the_venues() {
    let faults = [(Fault::Cut, 10_000), (Fault::SlowHandshake, 400_000)];
    for sum in row([At::Usdm, At::BybitSpot, At::BybitLinear, At::Oanda], 11_000, &faults, 0) {
        assert!(sum.feed_losses > 1 && u64::from(sum.ready) > RUNS, "{sum:?}");
    }
}

/// Futures chain their changes by `pu`, Bybit by consecutive numbers and a snapshot on the stream.
#[test]
fn m2_a_gap_is_never_stepped_over() {
    for sum in row([At::Usdm, At::BybitSpot, At::BybitLinear], 11_100, &[(Fault::Gap, 20_000)], 0) {
        assert!(sum.feed_losses > 5, "{sum:?}");
    }
}

#[test]
fn m2_duplicates_and_old_messages_do_not_move_the_book() {
    for sum in row(CONTRACTS, 11_200, &[(Fault::Duplicate, 50_000)], 0) {
        assert_eq!(sum.feed_losses, 0, "{sum:?}");
    }
}

#[test]
fn m2_messages_in_the_wrong_order_are_a_gap_or_old() {
    row(CONTRACTS, 11_300, &[(Fault::Reorder, 50_000)], 0);
}

#[test]
fn m3_an_old_snapshot_never_becomes_the_book() {
    let faults = [(Fault::StaleSnapshot, 700_000), (Fault::Gap, 20_000)];
    for sum in row([At::Usdm], 11_400, &faults, 0) {
        assert!(sum.feed_losses > 5, "{sum:?}");
    }
}

#[test]
fn m4_a_mute_connection_is_left_and_the_order_path_stays() {
    for sum in row(CONTRACTS, 11_500, &[(Fault::Mute, 4_000)], 0) {
        assert!(sum.feed_losses > 0, "{sum:?}");
        assert_eq!(u64::from(sum.ready), RUNS, "the order path was ready once a run and stayed: {sum:?}");
    }
}

#[test]
fn m5_garbage_and_frames_of_ten_megabytes_change_no_price() {
    row(CONTRACTS, 11_600, &[(Fault::Malformed, 15_000), (Fault::Huge, 1_000)], 0);
}

#[test]
fn m7_what_was_held_back_comes_at_once_and_is_dealt_with() {
    row(CONTRACTS, 11_700, &[(Fault::Clog, 10_000)], 0);
}

/// Futures tell the end of a listen key; elsewhere the connection is closed.
#[test]
fn m9_the_end_of_private_events_is_noticed_and_nothing_of_them_lost() {
    for sum in row(CONTRACTS, 11_900, &[(Fault::LoggedOut, 10_000), (Fault::Shutdown, 3_000)], 0) {
        assert!(u64::from(sum.ready) > RUNS, "{sum:?}");
    }
}

#[test]
fn o1_a_lost_answer_is_unknown_until_the_venue_proves_it_and_is_not_sent_again() {
    let lost = [Fault::LostAnswer, Fault::UnknownOutcome, Fault::ServerError, Fault::DroppedRequest];
    for sum in row(CONTRACTS, 12_000, &lost.map(|fault| (fault, 60_000)), 0) {
        assert!(sum.unknown > 0, "{sum:?}");
    }
}

#[test]
fn o3_a_fill_told_by_stream_query_and_restart_counts_once() {
    let faults = [(Fault::RepeatedReport, 1_000_000), (Fault::PartFill, 50_000)];
    for sum in row([At::Usdm, At::BybitSpot, At::BybitLinear, At::Oanda], 12_200, &faults, 3) {
        assert!(sum.kills > 1 && sum.fills > 5, "{sum:?}");
    }
}

#[test]
fn o4_fills_before_acks_and_after_cancels_are_all_counted() {
    let faults = [
        (Fault::LateReport, 500_000),
        (Fault::SwappedReport, 300_000),
        (Fault::FillBeforeCancel, 500_000),
        (Fault::PartFill, 20_000),
    ];
    for sum in row(CONTRACTS, 12_300, &faults, 0) {
        assert!(sum.fills > 5, "{sum:?}");
    }
}

#[test]
fn o5_a_cancel_that_loses_against_a_fill_loses_no_fill() {
    for sum in row(CONTRACTS, 12_400, &[(Fault::FillBeforeCancel, 1_000_000)], 0) {
        assert!(sum.fills > 5, "{sum:?}");
    }
}

#[test]
fn o6_partial_fills_across_reconnects_sum_to_the_venues_quantity() {
    let faults = [(Fault::PartFill, 80_000), (Fault::Cut, 4_000), (Fault::LoggedOut, 10_000)];
    let [usdm, bybit, oanda] = row(CONTRACTS, 12_500, &faults, 0);
    for sum in [&usdm, &bybit, &oanda] {
        assert!(u64::from(sum.ready) > RUNS, "{sum:?}");
    }
    // At Oanda the rest of an order is mostly taken back before it fills as well.
    assert!(usdm.in_parts > 0 && bybit.in_parts > 0, "{usdm:?} {bybit:?}");
}

#[test]
fn o8_orders_that_outlive_the_engine_are_taken_up_again() {
    for sum in
        row([At::Usdm, At::BybitSpot, At::BybitLinear, At::Oanda], 12_600, &[(Fault::PartFill, 20_000)], 4)
    {
        assert!(sum.kills > 2 && sum.outlived > 0, "{sum:?}");
    }
}

/// Bybit says it with code 10006 and a time; Oanda tells none.
#[test]
fn o13_after_too_many_requests_nothing_is_asked_before_the_time() {
    for sum in row(CONTRACTS, 12_700, &[(Fault::RateLimited, 60_000)], 0) {
        assert_eq!(sum.too_early, 0, "{sum:?}");
    }
}

/// Bybit shuts an address out with 403 and 10403, futures with 418 and 403.
#[test]
fn o14_a_ban_stops_all_requests_until_its_end() {
    for sum in
        row([At::Usdm, At::BybitLinear], 12_800, &[(Fault::Banned, 60_000), (Fault::Forbidden, 100_000)], 0)
    {
        assert_eq!(sum.too_early, 0, "{sum:?}");
    }
}

#[test]
fn o15_maintenance_ends_and_trading_resumes() {
    row(CONTRACTS, 12_900, &[(Fault::Maintenance, 4_000)], 1);
}
