//! Rows of the fault reference (M: market data, O: orders and account) at a simulated Binance spot venue: the real engine
//! in its own process, real TLS sockets, one kind of trouble at a time, and the swarm's checker at the end of each run.
//!
//! The checker holds the promises P1 to P6 for every row: each fill once, no order twice or without its cause, replay
//! exact, sums and every book seen equal to the venue's, no entry while blind, all well a minute after the trouble. A
//! test adds that the trouble struck and had the effect that the row is about.
//!
//! The same rows at the other venues are in `venue_faults_elsewhere.rs`; what no request asks for in `venue_deeds.rs`.

#![allow(missing_docs)]

use tests::swarm::At;
use tests::swarm::rows::Sum;
use venue_sim::Fault;

/// Runs of each row; their seeds count up from one of the row's own.
const RUNS: u64 = 3;

/// The row at Binance spot.
#[track_caller]
fn row(first_seed: u64, faults: &[(Fault, u32)], kills: u32) -> Sum {
    let program = env!("CARGO_BIN_EXE_swarm-engine");
    tests::swarm::rows::row(program, At::Spot, first_seed..first_seed + RUNS, faults, kills)
}

#[test]
fn m1_a_disconnect_at_any_byte_ends_in_a_book_that_is_the_venues() {
    let sum = row(1_000, &[(Fault::Cut, 5_000), (Fault::SlowHandshake, 200_000)], 0);
    assert!(sum.feed_losses > 5 && u64::from(sum.ready) > RUNS, "{sum:?}");
}

#[test]
fn m2_a_gap_is_never_stepped_over() {
    let sum = row(1_100, &[(Fault::Gap, 20_000)], 0);
    assert!(sum.feed_losses > 5, "{sum:?}");
}

#[test]
fn m2_duplicates_and_old_messages_do_not_move_the_book() {
    let sum = row(1_200, &[(Fault::Duplicate, 50_000)], 0);
    assert_eq!(sum.feed_losses, 0, "{sum:?}");
}

#[test]
fn m2_messages_in_the_wrong_order_are_a_gap_or_old() {
    let sum = row(1_300, &[(Fault::Reorder, 50_000)], 0);
    assert!(sum.feed_losses > 5, "{sum:?}");
}

#[test]
fn m3_an_old_snapshot_never_becomes_the_book() {
    let sum = row(1_400, &[(Fault::StaleSnapshot, 700_000), (Fault::Gap, 20_000)], 0);
    assert!(sum.feed_losses > 5, "{sum:?}");
}

#[test]
fn m4_a_mute_connection_is_left_and_the_order_path_stays() {
    let sum = row(1_500, &[(Fault::Mute, 4_000)], 0);
    assert!(sum.feed_losses > 0, "{sum:?}");
    assert_eq!(u64::from(sum.ready), RUNS, "the order path was ready once a run and stayed: {sum:?}");
}

#[test]
fn m5_garbage_and_frames_of_ten_megabytes_change_no_price() {
    row(1_600, &[(Fault::Malformed, 5_000), (Fault::Huge, 1_000)], 0);
}

#[test]
fn m7_what_was_held_back_comes_at_once_and_is_dealt_with() {
    row(1_700, &[(Fault::Clog, 10_000)], 0);
}

#[test]
fn m9_a_shutdown_that_was_announced_costs_no_moment_of_the_book() {
    let sum = row(1_800, &[(Fault::Shutdown, 4_000)], 0);
    assert_eq!(sum.feed_losses, 0, "{sum:?}");
    assert!(u64::from(sum.ready) > RUNS, "the order path was made anew: {sum:?}");
}

#[test]
fn m9_the_end_of_private_events_is_noticed_and_nothing_of_them_lost() {
    let sum = row(1_900, &[(Fault::LoggedOut, 10_000), (Fault::PartFill, 30_000)], 0);
    assert!(sum.fills > 10, "{sum:?}");
}

#[test]
fn o1_a_lost_answer_is_unknown_until_the_venue_proves_it_and_is_not_sent_again() {
    let lost = [Fault::LostAnswer, Fault::UnknownOutcome, Fault::ServerError, Fault::DroppedRequest];
    let sum = row(2_000, &lost.map(|fault| (fault, 60_000)), 0);
    assert!(sum.unknown > 5, "{sum:?}");
}

#[test]
fn o2_an_answer_that_comes_after_all_patience_makes_no_second_order() {
    row(2_100, &[(Fault::Clog, 20_000), (Fault::LateReport, 200_000)], 0);
}

#[test]
fn o3_a_fill_told_by_stream_query_and_restart_counts_once() {
    let sum = row(2_200, &[(Fault::RepeatedReport, 1_000_000), (Fault::PartFill, 50_000)], 3);
    assert!(sum.kills > 3 && sum.fills > 10, "{sum:?}");
}

#[test]
fn o4_fills_before_acks_and_after_cancels_are_all_counted() {
    let late = [(Fault::LateReport, 500_000), (Fault::SwappedReport, 300_000)];
    let sum =
        row(2_300, &[late[0], late[1], (Fault::FillBeforeCancel, 500_000), (Fault::PartFill, 20_000)], 0);
    assert!(sum.fills > 10, "{sum:?}");
}

#[test]
fn o5_a_cancel_that_loses_against_a_fill_loses_no_fill() {
    let sum = row(2_400, &[(Fault::FillBeforeCancel, 1_000_000)], 0);
    assert!(sum.fills > 10, "{sum:?}");
}

#[test]
fn o6_partial_fills_across_reconnects_sum_to_the_venues_quantity() {
    let faults = [(Fault::PartFill, 80_000), (Fault::Cut, 4_000), (Fault::LoggedOut, 10_000)];
    let sum = row(2_500, &faults, 0);
    assert!(sum.in_parts > 5 && u64::from(sum.ready) > RUNS, "{sum:?}");
}

#[test]
fn o8_orders_that_outlive_the_engine_are_taken_up_again() {
    let sum = row(2_600, &[(Fault::PartFill, 20_000)], 4);
    assert!(sum.kills > 6 && sum.outlived > 0, "{sum:?}");
}

#[test]
fn o13_after_429_nothing_is_asked_before_the_time() {
    let sum = row(2_700, &[(Fault::RateLimited, 100_000)], 0);
    assert_eq!(sum.too_early, 0, "{sum:?}");
}

#[test]
fn o14_a_ban_stops_all_requests_until_its_end() {
    let sum = row(2_800, &[(Fault::Banned, 100_000)], 0);
    assert_eq!(sum.too_early, 0, "{sum:?}");
}

#[test]
fn o14_the_firewalls_403_ends_and_trading_resumes() {
    row(2_850, &[(Fault::Forbidden, 60_000)], 0);
}

#[test]
fn o15_maintenance_ends_and_trading_resumes() {
    row(2_900, &[(Fault::Maintenance, 4_000)], 1);
}
