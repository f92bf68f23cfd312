//! Stop and target as a pair that the venue keeps (`native_pairs`): through real sockets at the simulated Binance spot, the engine in
//! a process of its own. The swarm's checker holds the promises P1 to P6, and that no pair fills on both sides nor works on half
//! of itself once the other has begun; each test adds what it is about.

#![allow(missing_docs, clippy::unwrap_used, reason = "a step that fails is a failed test")]

use smc_core::output::{AlertKind, OrderKind, Purpose, TradingState};
use smc_core::words::{ClientOrderId, Qty};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::swarm::rows::well;
use tests::swarm::{Fate, Outcome, Scene, Told};
use venue_sim::{Fault, FaultPlan, TrueOrder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_swarm-engine");
const PLACE: &str = "orderList.place.oco";

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn scene(plan: FaultPlan) -> Scene {
    Scene { has_pairs: true, ..Scene::of(plan, secs(120)) }
}

fn plain(seed: u64) -> Scene {
    scene(FaultPlan::none(seed))
}

fn with(seed: u64, faults: &[(Fault, u32)]) -> Scene {
    scene(faults.iter().fold(FaultPlan::none(seed), |plan, (fault, ppm)| plan.with(*fault, *ppm)))
}

/// One pair as the venue has it in the end, with what the journal tells of each order.
struct Pair<'a> {
    stop: (&'a TrueOrder, &'a Told),
    target: (&'a TrueOrder, &'a Told),
}

impl<'a> Pair<'a> {
    fn of(orders: Vec<(&'a TrueOrder, &'a Told)>) -> Self {
        let is_stop = |(_, told): &(&TrueOrder, &Told)| told.order.kind == OrderKind::StopLimit;
        let (stops, targets): (Vec<_>, Vec<_>) = orders.into_iter().partition(is_stop);
        Self { stop: stops[0], target: targets[0] }
    }
}

fn pairs(outcome: &Outcome) -> Vec<Pair<'_>> {
    let mut lists: BTreeMap<u64, Vec<(&TrueOrder, &Told)>> = BTreeMap::new();
    for order in &outcome.evidence.end.orders {
        if let Some(list) = order.list {
            let id = ClientOrderId::parse(order.client_order_id.as_bytes()).unwrap();
            lists.entry(list).or_default().push((order, &outcome.story.orders[&id]));
        }
    }
    lists.into_values().map(Pair::of).collect()
}

fn has_filled((order, _): &(&TrueOrder, &Told)) -> bool {
    order.filled_qty > Qty::ZERO
}

/// Each entry that fills is followed by one request for both, and whichever of both fills ends the other.
#[test]
fn an_entry_is_followed_by_one_pair_of_which_one_ends_the_other() {
    let (mut targets, mut stops) = (0, 0);
    for seed in 22_000..22_004 {
        let outcome = well(PROGRAM, &plain(seed));
        let pairs = pairs(&outcome);
        let placed = outcome.evidence.seen.iter().filter(|seen| seen.method == PLACE && seen.outcome.is_ok());
        assert_eq!(placed.count(), 2 * pairs.len(), "seed {seed}");
        for Pair { stop, target } in &pairs {
            let are_alike = stop.0.qty == target.0.qty && stop.0.side == target.0.side;
            assert!(are_alike, "seed {seed}: {stop:?} {target:?}");
            if has_filled(target) || has_filled(stop) {
                assert_eq!([stop.1.fate, target.1.fate], [Fate::Done; 2], "seed {seed}: {stop:?} {target:?}");
            }
        }
        targets += pairs.iter().filter(|pair| pair.target.0.filled_qty == pair.target.0.qty).count();
        stops += pairs.iter().filter(|pair| has_filled(&pair.stop)).count();
        // The venue closes the trade: where the target filled whole, no market order did.
        let exits = outcome.story.orders.values().filter(|told| told.order.purpose == Purpose::Target);
        let by_market = exits.filter(|told| told.order.kind == OrderKind::Market).count();
        println!("seed {seed}: {} pairs, {by_market} targets at the market", pairs.len());
    }
    println!("{targets} targets, {stops} stops");
    assert!(targets > 3 && stops > 3, "{targets} targets, {stops} stops");
}

/// The venue ends the stop as soon as a part of the target fills: what is left is cancelled, and covered anew or closed.
#[test]
fn what_a_target_leaves_is_not_left_bare() {
    let (mut parts, mut again, mut alone) = (0, 0, 0);
    for seed in 22_100..22_104 {
        let outcome = well(PROGRAM, &with(seed, &[(Fault::PartFill, 40_000)]));
        for Pair { stop, target } in pairs(&outcome) {
            if !has_filled(&target) || target.0.filled_qty == target.0.qty {
                continue;
            }
            parts += 1;
            assert!(!target.0.is_open && !has_filled(&stop), "seed {seed}: {target:?}");
            // The next closing order of the same trade, which there is unless only dust was left.
            let next = outcome.story.orders.values().find(|told| {
                told.order.signal_id == target.1.order.signal_id
                    && told.at >= target.1.at
                    && told.order.client_order_id > stop.1.order.client_order_id
                    && told.order.purpose != Purpose::Entry
            });
            again += u32::from(next.is_some());
        }
        let refused = |seen: &&venue_sim::SeenOrder| seen.method == PLACE && seen.outcome.is_err();
        let names: Vec<_> =
            outcome.evidence.seen.iter().filter(refused).map(|seen| &seen.client_order_id).collect();
        let sent = outcome.evidence.seen.iter().filter(|seen| seen.method == "order.place");
        alone += sent.filter(|seen| names.contains(&&seen.client_order_id)).count();
        assert_eq!(outcome.alerts(AlertKind::Unprotected), 0, "seed {seed}: {:?}", outcome.story.alerts);
    }
    println!(
        "{parts} parts, {again} followed by another closing order, {alone} stops alone after a refused pair"
    );
    assert!(parts > 3 && again > 3, "{parts} parts, {again} times something followed");
}

/// Each order is asked about by its own name, and none is placed twice.
#[test]
fn a_pair_whose_answer_is_lost_is_found_out_order_by_order() {
    let (mut unknown, mut never) = (0, 0);
    let faults = [
        (Fault::LostAnswer, 60_000),
        (Fault::DroppedRequest, 40_000),
        (Fault::LateReport, 400_000),
        (Fault::Cut, 2_000),
    ];
    for seed in 22_200..22_208 {
        let outcome = well(PROGRAM, &with(seed, &faults));
        let of_pairs = |told: &&Told| told.order.terms.oco != ClientOrderId::NONE && told.was_unknown;
        let lost: Vec<_> = outcome.story.orders.values().filter(of_pairs).collect();
        unknown += lost.len();
        never += lost.iter().filter(|told| told.fate == Fate::Never).count();
    }
    println!("{unknown} orders of pairs unknown for a time, {never} of them never there");
    assert!(never > 0 && unknown > never, "{unknown} unknown, {never} never");
}

/// A cancel meets a pair of which one fills meanwhile, reports come late, twice and in the wrong order.
#[test]
fn a_cancel_that_crosses_a_fill_ends_every_order_once() {
    let faults = [
        (Fault::FillBeforeCancel, 500_000),
        (Fault::LateReport, 200_000),
        (Fault::RepeatedReport, 200_000),
        (Fault::SwappedReport, 200_000),
    ];
    let mut raced = 0;
    for seed in 22_300..22_304 {
        let outcome = well(PROGRAM, &with(seed, &faults));
        raced += outcome.faults.of(Fault::FillBeforeCancel);
    }
    assert!(raced > 3, "{raced}");
}

/// Killed and started again with a pair at work: both orders are the same ones, and what becomes of them is heard.
#[test]
fn a_pair_outlives_the_engine_as_two_orders_and_nothing_is_doubled() {
    let (mut left, mut outlived) = (0, 0);
    for seed in 22_400..22_406 {
        let kill_at = vec![secs(30), secs(55), secs(80), secs(105)];
        let outcome = well(PROGRAM, &Scene { kill_at, ..with(seed, &[(Fault::Cut, 1_000)]) });
        let pairs = pairs(&outcome);
        let names =
            |pair: &Pair<'_>| [&pair.stop, &pair.target].map(|(order, _)| order.client_order_id.clone());
        for working in &outcome.left {
            left += pairs.iter().filter(|pair| names(pair).iter().all(|name| working.contains(name))).count();
        }
        let is_older = |(_, told): &(&TrueOrder, &Told)| told.lives.1 > told.lives.0;
        outlived += pairs.iter().filter(|pair| is_older(&pair.stop) && is_older(&pair.target)).count();
    }
    println!("{left} pairs worked on without an engine, {outlived} were heard of again");
    assert!(left > 0 && outlived > 0, "{left} left, {outlived} outlived");
}

/// The kill switch takes both away, by the cancel of one.
#[test]
fn the_kill_switch_leaves_no_pair() {
    let mut met = 0;
    for seed in 22_500..22_506 {
        let outcome = well(PROGRAM, &Scene { halts: vec![secs(47)], ..plain(seed) });
        let pairs = pairs(&outcome);
        let is_working = |pair: &&Pair<'_>| {
            let names = [pair.stop.0, pair.target.0].map(|order| &order.client_order_id);
            outcome.dying.iter().any(|working| names.iter().all(|name| working.contains(name)))
        };
        met += pairs.iter().filter(is_working).count();
        assert!(outcome.evidence.calm.orders.iter().all(|order| !order.is_open), "seed {seed}");
        assert!(outcome.story.states.iter().any(|change| change.to == TradingState::Halt), "seed {seed}");
    }
    println!("{met} pairs met by the kill switch");
    assert!(met > 0, "no pair worked when the switch was thrown");
}

/// Without the setting nothing of all this happens, whatever the venue offers.
#[test]
fn without_the_setting_no_pair_is_placed() {
    let outcome = well(PROGRAM, &Scene { has_pairs: false, ..plain(22_600) });
    assert!(outcome.evidence.seen.iter().all(|seen| seen.method == "order.place"));
    assert!(outcome.story.orders.len() > 10);
}
