//! A pruned journal begins where a segment begins, and that may be between an input and what was said to it.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::{config, world, write_with, writer_of};
use smc_core::engine::Engine;
use smc_core::strategy::Confluence;
use smc_journal::{Reader, Record, RecordKind, Retention, Snapshot, SyncPolicy, plan_prune, prune};
use smc_replay::{Question, ReplayError, Under, explain, rebuild, replay, until};
use std::time::Duration;

fn core() -> Engine<Confluence> {
    Engine::new(config(), Confluence::for_config(&config())).unwrap()
}

fn outputs_from(reader: &Reader) -> u64 {
    reader.records().filter(|record| record.as_ref().unwrap().kind == RecordKind::Output).count() as u64
}

#[test]
fn a_beginning_between_an_input_and_its_outputs_replays() {
    const SEGMENT: u64 = 64 << 10;
    let dir = tempfile::tempdir().unwrap();
    let sync = SyncPolicy::Every(Duration::from_millis(1));
    let reader = write_with(writer_of(dir.path(), SEGMENT, sync), dir.path(), &world(5, 12_000, false));
    let places = reader.segment_places();
    let full = replay(&reader, &mut core()).unwrap();
    assert_eq!(full.difference, None);
    let mut between = 0;
    for index in 1..places.len() - 2 {
        let bytes_max = Some(SEGMENT * (places.len() - index) as u64);
        let Ok(plan) = plan_prune(dir.path(), &Retention { from: None, bytes_max }).unwrap() else {
            continue;
        };
        assert_eq!(plan.place, places[index]);
        let reader = Reader::open(dir.path()).unwrap();
        let under = Under { text: "", build: [1; 16] };
        let mut base = rebuild(dir.path(), &reader, &under, Some(plan.last_seq), || Ok(core())).unwrap().core;
        let mut state = Vec::new();
        base.save(&mut state);
        let base = Snapshot { place: plan.place, ts: base.now(), build: [1; 16], config: Vec::new(), state };
        prune(dir.path(), &base).unwrap();

        let reader = Reader::open(dir.path()).unwrap();
        let after = replay(&reader, &mut core()).unwrap();
        assert_eq!((after.difference, &after.digest), (None, &full.digest), "segment {index}");
        let leads = |record: &Record<'_>| record.kind == RecordKind::Output;
        let leading = reader.records().map(Result::unwrap).take_while(leads).count() as u64;
        assert_eq!(after.of_pruned_inputs, leading, "segment {index}");
        assert_eq!(
            after.outputs + leading,
            outputs_from(&reader),
            "segment {index}: all others are compared"
        );
        if leading > 0 {
            between += 1;
            let seq = plan.last_seq + 1;
            assert_eq!(until(&reader, config(), seq).unwrap().difference, None);
            let why = explain(&reader, config(), Question::Record(seq));
            assert!(matches!(why, Err(ReplayError::Pruned)), "its cause is gone");
        }
    }
    assert!(between > 2, "{between} of {} segments began with an output", places.len());
}
