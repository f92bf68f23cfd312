//! How it stood, and why: every record of a run can be asked about, and the answers are those of the run.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::{config, engine_harness, step, world, write, writer};
use smc_core::engine::Engine;
use smc_core::outbox::Outbox;
use smc_core::output::{Output, Purpose};
use smc_core::risk::Violations;
use smc_core::strategy::{Confluence, Standing};
use smc_journal::{Reader, RecordKind};
use smc_replay::{Content, Explanation, Question, ReplayError, content, explain, replay, until};
use std::collections::BTreeMap;

fn why(reader: &Reader, question: Question) -> Explanation {
    explain(reader, config(), question).unwrap()
}

/// A sample of every sort of record; every decision and every cancel.
#[test]
fn every_record_can_be_explained() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(5, 12_000, true);
    let reader = write(dir.path(), &world);
    let mut sample: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in reader.records() {
        let record = record.unwrap();
        let content = content(&record).unwrap();
        let name = format!("{} {}", record.kind.name(), content.name());
        sample.entry(name).or_default().push(record.seq);
    }
    println!("{:?}", sample.iter().map(|(name, all)| (name, all.len())).collect::<Vec<_>>());
    for name in ["output decision", "output cancel", "output signal", "output order", "output structure"] {
        assert!(sample.contains_key(name), "the run has no {name}");
    }
    let (mut refusals, mut steps) = (0, 0);
    for (name, all) in &sample {
        let is_rare = name.ends_with("decision") || name.ends_with("cancel");
        let every = if is_rare { 1 } else { all.len() / 8 + 1 };
        for &seq in all.iter().step_by(every) {
            let it = why(&reader, Question::Record(seq));
            assert_eq!((it.target.seq, &it.difference), (Some(seq), &None), "{name}");
            match &it.target.content {
                Content::Output(Output::Decision(decision)) => {
                    let [made] = &it.decisions[..] else { panic!("{name} {seq}: {:?}", it.decisions) };
                    assert_eq!(made.asked.order.client_order_id, decision.client_order_id);
                    let mut set = Violations::NONE;
                    made.asked.findings().iter().for_each(|f| set.note(f.check, f.is_violated));
                    assert_eq!(set.bits(), decision.codes);
                    assert_eq!(made.decision, Some(seq));
                    refusals += u32::from(decision.codes != 0);
                }
                Content::Output(Output::NewOrder(order)) => {
                    assert_eq!(it.decisions.len(), 1);
                    assert_eq!(it.decisions[0].sizing.is_some(), order.purpose == Purpose::Entry);
                    assert_eq!(it.moves.is_empty(), order.purpose == Purpose::Entry, "{name} {seq}");
                    assert!(!it.signals.is_empty() || it.trade.is_some());
                }
                Content::Output(Output::Cancel(_)) => {
                    assert_eq!(it.moves.len(), 1, "{name} {seq}");
                    assert!(it.trade.is_some());
                    steps += 1;
                }
                Content::Output(Output::Signal(signal)) => {
                    let reasons = &it.signals[0].reasons;
                    for (id, reason) in signal.reasons.iter().zip(reasons) {
                        assert_eq!(reason.as_ref().map_or(0, |cause| cause.structure.id), *id);
                    }
                    let look = it.looks.iter().find(|seen| seen.look.is_met()).unwrap();
                    assert_eq!(look.look.direction, signal.direction);
                }
                Content::Output(Output::Structure(said)) => {
                    let [cause] = &it.structures[..] else { panic!("{name} {seq}") };
                    assert_eq!(cause.structure, *said);
                    let known = cause.known.unwrap();
                    assert!(known.index == said.known_bar && known.seq < seq);
                }
                _ => {}
            }
        }
    }
    assert!(refusals > 0 && steps > 0, "{refusals} refusals, {steps} cancels");
}

/// An order may be named by its id, by the text the venue sees, and by its sequence; a signal by its number.
#[test]
fn orders_and_signals_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 6_000, false));
    let of = |text: &str| why(&reader, Question::parse(text).unwrap()).target.seq;
    let first = of("signal:1").unwrap();
    let order = of("order:1");
    assert_eq!(order, Some(first + 2), "signal, decision, order");
    assert_eq!(of("order:x0001010000000001"), order);
    assert_eq!(of("x0001010000000001"), order);
    assert_eq!(of(&format!("order:{}", 0x0001_0100_0000_0001_u64)), order);
    assert!(Question::parse("order:").is_none() && Question::parse("-1").is_none());
    let missing = explain(&reader, config(), Question::Signal(9_999)).unwrap_err();
    assert!(matches!(missing, ReplayError::NotFound(_)), "{missing}");
}

/// A bar without a signal says which condition failed, for both sides of each entry timeframe.
#[test]
fn a_bar_without_a_signal_names_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 3_000, false));
    let bars: Vec<u64> = reader
        .records()
        .map(Result::unwrap)
        .filter(|record| matches!(content(record), Ok(Content::Output(Output::BarClosed(..)))))
        .map(|record| record.seq)
        .collect();
    let mut silent = 0;
    for &seq in bars.iter().rev().take(30) {
        let it = why(&reader, Question::Record(seq));
        assert!(
            it.bar.is_some() && it.looks.len() >= 2 && it.looks.len().is_multiple_of(2),
            "{:?}",
            it.looks
        );
        let has_failed = |seen: &smc_replay::SeenLook| {
            seen.look.conditions.iter().any(|condition| condition.standing == Standing::Failed)
        };
        if it.signals.is_empty() && it.ignored.is_empty() {
            assert!(it.looks.iter().all(has_failed));
            silent += 1;
        }
    }
    assert!(silent > 5);
}

/// The state after a record is that of an engine that was told so much and no more.
#[test]
fn the_state_after_a_record_is_that_of_the_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(5, 4_000, false);
    let reader = write(dir.path(), &world);
    let mut engine = Engine::new(config(), Confluence::for_config(&config())).unwrap();
    let mut outbox = Outbox::new();
    let mut seq = 1;
    for (nth, it) in world.steps.iter().enumerate() {
        engine.on_event(&it.event, &mut outbox);
        outbox.clear();
        seq += 1 + it.outputs.len() as u64;
        if nth % 1_499 == 0 {
            let state = until(&reader, config(), seq).unwrap();
            assert_eq!(state.digest, engine.digest().to_string());
            assert_eq!((state.equity, state.counters), (engine.equity(), engine.counters()));
            assert_eq!(state.instruments[0].position, engine.position(engine_harness::BTC));
            assert_eq!(state.open_orders.len(), engine.open_orders().count());
            assert_eq!(
                state.instruments[0].charts[1].bars,
                engine.structure(engine_harness::BTC)[1].bar_count()
            );
        }
    }
    let error = until(&reader, config(), seq + 9).unwrap_err();
    assert!(matches!(error, ReplayError::NoRecord { .. }), "{error}");
}

/// A killed process leaves outputs out; the next one goes on. Both before and after can be asked about.
#[test]
fn a_killed_and_continued_journal_answers() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(5, 6_000, false);
    let decided =
        |it: &common::engine_harness::Step| it.outputs.iter().any(|o| matches!(o, Output::NewOrder(_)));
    let at = world.steps.iter().rposition(decided).unwrap();
    let mut writer = writer(dir.path());
    world.steps[..at].iter().for_each(|it| step(&mut writer, &it.event, &it.outputs));
    let cut = writer.next_seq();
    step(&mut writer, &world.steps[at].event, &[]);
    common::append(&mut writer, RecordKind::Run, world.steps[at].event.ts_recv, &[]);
    world.steps[at + 1..].iter().for_each(|it| step(&mut writer, &it.event, &it.outputs));
    drop(writer); // Killed again: no close record.
    let reader = Reader::open(dir.path()).unwrap();
    let mut core = Engine::new(config(), Confluence::for_config(&config())).unwrap();
    let result = replay(&reader, &mut core).unwrap();
    assert_eq!((result.difference, result.runs, result.is_closed), (None, 1, false));
    let it = why(&reader, Question::Record(cut));
    assert!(!it.outputs.is_empty() && it.outputs.iter().all(|said| said.seq.is_none()));
    assert!(!it.decisions.is_empty() && it.decisions[0].decision.is_none());
    for seq in [cut + 1, cut + 2, cut + 40] {
        assert_eq!(why(&reader, Question::Record(seq)).difference, None);
    }
    assert_eq!(until(&reader, config(), cut + 1).unwrap().kind, RecordKind::Run);
}

/// Damage is named; a journal that this build decides differently about says so.
#[test]
fn damage_and_another_configuration_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 3_000, false));
    let last = reader.records().count() as u64;
    let mut other = config();
    other.strategy.stop_distance_ppm_min = 900;
    let it = explain(&reader, other.clone(), Question::Record(last - 2)).unwrap();
    assert!(it.difference.is_some());
    assert!(until(&reader, other, last).unwrap().difference.is_some());
    drop(reader);
    let segment = std::fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().path());
    let segment = segment.filter(|path| path.metadata().unwrap().len() > 1 << 20).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[200_000] ^= 0x40;
    std::fs::write(&segment, bytes).unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    let error = explain(&reader, config(), Question::Record(last)).unwrap_err();
    assert!(matches!(error, ReplayError::Damage(_)), "{error}");
    assert!(matches!(until(&reader, config(), last), Err(ReplayError::Damage(_))));
}
