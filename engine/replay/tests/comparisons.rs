//! What if, and what is different: two runs over one market, two journals.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::engine_harness::Step;
use common::{config, step, world, write, writer};
use smc_core::config::EngineConfig;
use smc_core::event::{EventBody, FeedState};
use smc_core::output::Output;
use smc_journal::Reader;
use smc_replay::what_if::{Choice, Made, WhatIf, compare, run, what_if};
use smc_replay::{Diff, DiffOptions, Value, diff};
use std::path::Path;

fn ask(reader: &Reader, change: impl Fn(&mut EngineConfig)) -> WhatIf {
    let mut other = config();
    change(&mut other);
    what_if(reader, config(), other).unwrap()
}

#[test]
fn the_same_configuration_decides_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 12_000, false));
    let it = ask(&reader, |_| {});
    assert!(it.differences.is_empty() && it.same > 20, "{:?}", it.differences.first());
    assert_eq!(it.own, it.other);
    assert!(it.own.signals > 3 && it.own.fills > 3 && it.own.exposure_ns > 0, "{:?}", it.own);
    assert!(it.recorded.orders > 3 && it.recorded.realised.0 != 0, "{:?}", it.recorded);
    assert!(it.own.drawdown_max.0 > 0 && it.own.fees.0 > 0);
    assert_eq!(ask(&reader, |_| {}).own, it.own, "a run is a function of journal and configuration");
}

#[test]
fn another_risk_means_the_same_signals_and_other_quantities() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 12_000, false));
    let it = ask(&reader, |other| other.sizing.risk_fraction_ppm = 100);
    assert_eq!(it.own.signals, it.other.signals);
    assert!(it.same >= it.own.signals && it.differences.len() as u64 >= it.own.signals);
    for difference in &it.differences {
        let (Some(Choice::Order(own)), Some(Choice::Order(other))) = (difference.own, difference.other)
        else {
            panic!("{difference:?}");
        };
        assert!(own.qty > other.qty && (own.price, own.stop_price) == (other.price, other.stop_price));
    }
}

#[test]
fn a_changed_strategy_differs_first_where_a_plain_comparison_says() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 12_000, false));
    let mut other = config();
    other.strategy.sweep_age_bars_max = 6;
    let it = what_if(&reader, config(), other.clone()).unwrap();
    assert!(!it.differences.is_empty());
    assert!(it.differences.is_sorted_by_key(|difference| difference.seq));
    // Plain: the first place at which the two lists of decisions part, ids apart.
    let (own, other) = (run(&reader, config()).unwrap().1, run(&reader, other).unwrap().1);
    let is_same = |(a, b): &(&Made, &Made)| a.seq == b.seq && a.choice.is_same(&b.choice);
    let alike = own.iter().zip(&other).take_while(is_same).count();
    let parted = own.get(alike).into_iter().chain(other.get(alike)).map(|made| made.seq).min();
    assert_eq!(it.differences.first().map(|first| first.seq), parted);
    // Plain: every decision that has no equal at its input on the other side, counted.
    let lone = |these: &[Made], those: &[Made]| {
        let has_equal = |made: &&Made| {
            let count = |all: &[Made]| {
                all.iter().filter(|it| it.seq == made.seq && it.choice.is_same(&made.choice)).count()
            };
            count(those) >= count(these)
        };
        these.iter().filter(|made| !has_equal(made)).count()
    };
    let told = |side: fn(&smc_replay::what_if::DecisionDifference) -> bool| {
        it.differences.iter().filter(|difference| side(difference)).count()
    };
    assert_eq!(told(|difference| difference.own.is_some()), lone(&own, &other));
    assert_eq!(told(|difference| difference.other.is_some()), lone(&other, &own));
    assert_eq!(compare(&own, &own).1, []);
}

#[test]
fn other_instruments_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 200, false));
    let mut other = config();
    other.instruments[0].symbol = smc_core::words::Name::new("ETHUSDT").unwrap();
    let error = what_if(&reader, config(), other).unwrap_err();
    assert!(error.to_string().contains("instruments"), "{error}");
}

/// Two journals of the same steps, the second with these changes.
fn differ(change: impl Fn(&mut Vec<Step>), options: DiffOptions) -> Diff {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (home.path().join("a"), home.path().join("b"));
    let write_steps = |dir: &Path, steps: &[Step]| {
        std::fs::create_dir(dir).unwrap();
        let mut writer = writer(dir);
        steps.iter().for_each(|it| step(&mut writer, &it.event, &it.outputs));
        drop(writer); // Not closed: a close record would differ by its hash.
        Reader::open(dir).unwrap()
    };
    let mut steps = world(5, 3_000, false).steps;
    let first = write_steps(&a, &steps);
    change(&mut steps);
    diff(&first, &write_steps(&b, &steps), options).unwrap()
}

fn totals(it: &Diff) -> [u64; 3] {
    it.counts.values().fold([0; 3], |sum, counts| [0, 1, 2].map(|column| sum[column] + counts[column]))
}

const ALL: DiffOptions = DiffOptions { ignore_time: false, list_max: 100 };

#[test]
fn equal_journals_are_equal() {
    let it = differ(|_| {}, ALL);
    assert!(it.is_equal() && it.changes.is_empty() && it.same == it.records_a && it.records_a > 8_000);
    assert_eq!(it.is_closed, [false, false]);
}

#[test]
fn one_changed_record_is_found_with_its_field() {
    let change = |steps: &mut Vec<Step>| {
        let trade = steps[4_000..].iter_mut().find_map(|it| match &mut it.event.body {
            EventBody::Trade(trade) => Some(trade),
            _ => None,
        });
        trade.unwrap().qty.0 += 7;
    };
    let it = differ(change, ALL);
    assert_eq!(totals(&it), [1, 0, 0]);
    assert_eq!(it.same, it.records_a - 1);
    let fields = it.changes[0].fields();
    let [(name, Some(Value::Qty(a)), Some(Value::Qty(b)))] = &fields[..] else { panic!("{fields:?}") };
    assert_eq!((name.as_str(), b.0 - a.0), ("qty", 7));
}

#[test]
fn one_inserted_and_one_missing_record_move_the_rest() {
    let extra = |at: usize| {
        move |steps: &mut Vec<Step>| {
            let mut event = steps[at].event;
            event.body = EventBody::Feed(FeedState::Live);
            steps.insert(at, Step { event, outputs: vec![] });
        }
    };
    let it = differ(extra(5_000), ALL);
    assert_eq!(totals(&it), [0, 0, 1], "{:?}", it.counts);
    assert_eq!((it.same, it.records_b), (it.records_a, it.records_a + 1));
    let it = differ(|steps| drop(steps.remove(5_000)), ALL);
    assert_eq!((totals(&it)[0], totals(&it)[2]), (0, 0), "{:?}", it.counts);
    assert_eq!(it.same, it.records_b);
    // Both, and an output that is gone, far apart.
    let it = differ(
        |steps| {
            let said = steps.iter_mut().skip(1_000).find(|it| it.outputs.len() > 1).unwrap();
            said.outputs.remove(0);
            extra(6_000)(steps);
        },
        ALL,
    );
    assert_eq!(totals(&it), [0, 1, 1], "{:?}", it.counts);
}

#[test]
fn time_is_ignored_when_asked() {
    let later = |steps: &mut Vec<Step>| {
        for it in steps.iter_mut().skip(2_000) {
            it.event.ts_recv.0 += 1_000;
            it.event.ts_event.0 += 1_000;
            for output in &mut it.outputs {
                if let Output::Alert(alert) = output {
                    alert.ts.0 += 1_000;
                }
            }
        }
    };
    assert!(differ(later, DiffOptions { ignore_time: true, ..ALL }).is_equal());
    let it = differ(later, ALL);
    let fields: Vec<String> = it.changes[0].fields().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(fields, ["record time", "ts_event", "ts_recv"]);
    assert!(it.changes.len() == 100 && totals(&it)[0] > 5_000);
}
