//! The swarm's checker is no rubber stamp: one good run, then lies in its evidence, each of which must be found under the
//! promise that it breaks.

#![allow(missing_docs, clippy::unwrap_used, reason = "a step that fails is a failed test")]

use smc_core::Qty;
use smc_core::codec;
use smc_core::event::{Event, EventBody, OrderUpdateKind};
use smc_core::output::{NewOrder, Output};
use smc_journal::RecordKind;
use std::path::Path;
use tests::swarm::{At, Evidence, Scene, check, run};
use venue_sim::{FaultPlan, TrueOrder};

/// What is told at the top of a lie, and the lie.
type Lie = (&'static str, fn(&mut Evidence));

fn is_fill(payload: &[u8]) -> bool {
    let event = codec::decode::<Event>(payload);
    event.is_ok_and(|event| {
        matches!(event.body, EventBody::Order(update) if matches!(update.kind, OrderUpdateKind::Fill { .. }))
    })
}

fn is_decision(payload: &[u8]) -> bool {
    matches!(codec::decode::<Output<NewOrder>>(payload), Ok(Output::NewOrder(_)))
}

fn forget(evidence: &mut Evidence, kind: RecordKind, is_it: fn(&[u8]) -> bool) {
    let found = evidence.records.iter().rposition(|record| record.kind == kind && is_it(&record.payload));
    evidence.records.remove(found.unwrap());
}

const LIES: [Lie; 13] = [
    ("P1 the venue's trade is not in the journal", |told| forget(told, RecordKind::Input, is_fill)),
    ("P1 trade", |told| told.end.trades.truncate(told.end.trades.len() - 1)),
    ("P1 a fill is not as the venue has it", |told| told.end.trades[0].fee.0 += 1),
    ("P1 filled", |told| told.end.orders.iter_mut().for_each(|order| order.filled_qty.0 += 1)),
    ("P1 amounts", |told| told.calm.balances[0].free.0 += 1),
    ("P1 position", |told| told.first[0].1.0 += 1),
    ("P1 money", |told| told.first[1].1.0 -= 1),
    ("P2 asked for twice", |told| told.seen.push(told.seen[0].clone())),
    ("P2 an order that was told to be over works on", |told| told.end.orders[0].is_open = true),
    ("P3 no cause in the journal", |told| forget(told, RecordKind::Output, is_decision)),
    ("P3 the venue's order is not the decision's", |told| told.end.orders[0].qty.0 += 1),
    ("P6 the book (", |told| {
        told.witness.values_mut().for_each(|book| book.bids[1].1 = Qty(1));
    }),
    ("P6 the book is another", |told| told.calm.books[0].asks[2].0.0 += 1),
];

/// Where a position is held, and where prices alone are told.
const HELD_LIES: [Lie; 7] = [
    ("P1 the venue's trade is not in the journal", |told| forget(told, RecordKind::Input, is_fill)),
    ("P1 a fill is not as the venue has it", |told| told.end.trades[0].fee.0 += 1),
    ("P1 filled", |told| told.end.orders.iter_mut().for_each(|order| order.filled_qty.0 += 1)),
    ("P1 position", |told| told.calm.positions[0].qty.0 += 1),
    ("P1 money", |told| told.first[1].1.0 -= 10_000_000),
    ("P2 two orders under one id", |told| {
        let twice = told.end.orders.iter().find(|order| order.filled_qty == Qty(0)).unwrap().clone();
        told.end.orders.push(twice);
    }),
    ("P3 the venue's order is not the decision's", |told| told.end.orders[0].qty.0 += 1),
];

#[test]
fn every_lie_is_found() {
    find(At::Spot, &LIES);
}

#[test]
fn every_lie_is_found_where_contracts_are_held() {
    find(At::Usdm, &HELD_LIES);
    find(At::BybitLinear, &HELD_LIES);
}

#[test]
fn every_lie_is_found_where_prices_alone_are_told() {
    // Two orders under one name may be one here: what a part left, and the rest.
    let prices: Lie = ("P6 the prices are others", |told| told.calm.books[0].asks[0].0.0 += 1);
    let quotes: Lie = ("P6 the quote", |told| {
        told.witness.values_mut().for_each(|book| book.bids[0].0.0 += 1);
    });
    let lies: Vec<Lie> =
        HELD_LIES.into_iter().filter(|(what, _)| !what.starts_with("P2")).chain([prices, quotes]).collect();
    find(At::Oanda, &lies);
}

/// Where stop and target are a pair of which one ends the other.
const PAIR_LIES: [Lie; 5] = [
    ("P1 both orders of list", |told| other_of_filled(told).filled_qty.0 += 1),
    ("P2 an order of list", |told| other_of_filled(told).is_open = true),
    ("P2 list", |told| other_of_filled(told).list = None),
    ("P3 the pair of list", |told| {
        // Two targets change places.
        let lists: Vec<_> = told.end.orders.iter().filter_map(|order| order.list).collect();
        let (one, other) = (lists[0], *lists.iter().find(|list| **list != lists[0]).unwrap());
        let of = |list| told.end.orders.iter().rposition(|order| order.list == Some(list)).unwrap();
        let (a, b) = (of(one), of(other));
        (told.end.orders[a].list, told.end.orders[b].list) = (Some(other), Some(one));
    }),
    ("P2 asked for again after its pair was refused", |told| {
        let mut seen = told.seen.iter().find(|seen| seen.method == "orderList.place.oco").unwrap().clone();
        seen.outcome = Err(-2010);
        told.seen.insert(0, seen);
    }),
];

/// The order that ended because the other of its pair filled.
fn other_of_filled(told: &mut Evidence) -> &mut TrueOrder {
    let filled = told.end.orders.iter().find(|order| order.list.is_some() && order.filled_qty > Qty(0));
    let (list, id) = filled.map(|order| (order.list, order.venue_order_id)).unwrap();
    let is_other = |order: &&mut TrueOrder| order.list == list && order.venue_order_id != id;
    told.end.orders.iter_mut().find(is_other).unwrap()
}

#[test]
fn every_lie_about_a_pair_is_found() {
    find_in(Scene { has_pairs: true, ..scene(At::Spot) }, &PAIR_LIES);
}

fn scene(at: At) -> Scene {
    Scene { at, ..Scene::of(FaultPlan::none(4), std::time::Duration::from_secs(60)) }
}

fn find(at: At, lies: &[Lie]) {
    find_in(scene(at), lies);
}

fn find_in(scene: Scene, lies: &[Lie]) {
    let at = scene.at;
    let home = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_swarm-engine"));
    let good = run(&scene, program, home.path()).unwrap();
    assert_eq!(good.wrong, [""; 0], "{}", at.word());
    assert!(good.story.compared > 30, "{} books and quotes compared", good.story.compared);
    for (expected, lie) in lies {
        let mut evidence = good.evidence.clone();
        lie(&mut evidence);
        let wrong = check(&evidence);
        assert!(
            wrong.iter().any(|found| found.starts_with(expected)),
            "{}, {expected}: {wrong:#?}",
            at.word()
        );
    }
    damaged(&good.evidence);
}

/// P4: a byte of the journal's middle.
fn damaged(evidence: &Evidence) {
    let middle = &evidence.records[evidence.records.len() / 2];
    let mut files: Vec<_> =
        std::fs::read_dir(&evidence.journal).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "smcj"));
    files.sort();
    let segment = &files[0];
    let mut bytes = std::fs::read(segment).unwrap();
    let at = usize::try_from(middle.offset).unwrap() + 40;
    bytes[at] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    let wrong = check(evidence);
    assert!(wrong.iter().any(|found| found.starts_with("P4")), "{wrong:?}");
}
