//! Book synchronisation against the recorded sequence and every edit that must break a client.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use std::collections::BTreeMap;

use common::{instruments, shared};
use smc_core::event::{BookUpdate, Level};
use smc_core::words::{Price, Qty, Side};
use smc_feeds::binance_spot::{
    BookLimits, BookSync, Decoded, Decoder, Delta, Fault, QuoteStep, SnapshotStep, Step, TimeUnit, decode,
};

struct Row {
    number: u64,
    kind: String,
    raw: String,
}

fn rows() -> Option<Vec<Row>> {
    let path = shared("data/binance/book_sync/spot_btcusdt_20240808.jsonl")?;
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        Row {
            number: value["n"].as_u64().unwrap(),
            kind: value["kind"].as_str().unwrap().to_owned(),
            raw: value["raw"].as_str().unwrap().to_owned(),
        }
    };
    Some(text.lines().map(row).collect())
}

fn json(path: &str) -> Option<serde_json::Value> {
    Some(serde_json::from_str(&std::fs::read_to_string(shared(path)?).unwrap()).unwrap())
}

/// What the engine would hold, from the shown events alone.
#[derive(Default)]
struct EngineBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    id: u64,
    is_trusted: bool,
}

impl EngineBook {
    fn on(&mut self, update: &BookUpdate) {
        if update.is_snapshot_start {
            self.bids.clear();
            self.asks.clear();
        }
        let (levels, sign) = match update.side {
            Side::Buy => (&mut self.bids, -1),
            Side::Sell => (&mut self.asks, 1),
        };
        for level in &update.levels[..usize::from(update.len)] {
            if level.qty.0 == 0 {
                levels.remove(&(sign * level.price.0));
            } else {
                levels.insert(sign * level.price.0, level.qty.0);
            }
        }
        self.is_trusted = update.is_last;
        self.id = update.update_id;
    }

    fn top(&self, side: Side) -> Vec<Level> {
        let levels = if side == Side::Buy { &self.bids } else { &self.asks };
        levels.iter().map(|(&key, &qty)| Level { price: Price(key.abs()), qty: Qty(qty) }).collect()
    }
}

/// What happened at which line of the recording.
#[derive(Debug, PartialEq, Eq)]
enum Note {
    Snapshot(u64, SnapshotStep),
    Old(u64),
    Broken(u64, Fault),
}

struct Run {
    book: BookSync,
    engine: EngineBook,
    notes: Vec<Note>,
    applied: u32,
}

fn run(rows: &[&Row]) -> Run {
    let mut decoder = Decoder::new(&instruments(), TimeUnit::Millis);
    let mut run = Run {
        book: BookSync::new(&BookLimits::default()),
        engine: EngineBook::default(),
        notes: Vec::new(),
        applied: 0,
    };
    for row in rows {
        let mut payload = row.raw.clone().into_bytes();
        let engine = &mut run.engine;
        if row.kind == "rest_depth" {
            let snapshot = decoder.snapshot(&mut payload).unwrap();
            let step = run.book.on_snapshot(
                snapshot.last_update_id,
                snapshot.bids,
                snapshot.asks,
                1_000,
                &mut |update| engine.on(&update),
            );
            run.notes.push(Note::Snapshot(row.number, step));
            continue;
        }
        match decode(&mut payload, &mut decoder).unwrap() {
            Decoded::Depth { first_id, last_id, bids, asks, .. } => {
                let delta = Delta { first_id, last_id, previous_id: None, bids, asks };
                match run.book.on_delta(&delta, &mut |update| engine.on(&update)) {
                    Step::Applied => run.applied += 1,
                    Step::Buffered => {}
                    Step::Old => run.notes.push(Note::Old(row.number)),
                    Step::Broken(fault) => run.notes.push(Note::Broken(row.number, fault)),
                }
            }
            Decoded::BookTicker { quote, .. } => {
                if let QuoteStep::Broken(fault) = run.book.on_quote(&quote) {
                    run.notes.push(Note::Broken(row.number, fault));
                }
            }
            other => panic!("line {}: {other:?}", row.number),
        }
        if run.book.is_live() {
            assert!(run.engine.is_trusted);
            assert_eq!(Some(run.engine.id), run.book.id());
        }
    }
    run
}

fn expect_final_state(run: &Run, expected: &serde_json::Value) {
    let levels = |key: &str| -> Vec<Level> {
        let parse = |value: &serde_json::Value| Price::parse(value.as_str().unwrap().as_bytes()).unwrap().0;
        expected[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| Level { price: Price(parse(&pair[0])), qty: Qty(parse(&pair[1])) })
            .collect()
    };
    assert_eq!(run.book.id(), expected["final_update_id"].as_u64());
    assert_eq!(run.book.bids().len() as u64, expected["final_bid_levels"].as_u64().unwrap());
    assert_eq!(run.book.asks().len() as u64, expected["final_ask_levels"].as_u64().unwrap());
    for (side, ladder, key) in
        [(Side::Buy, run.book.bids(), "final_top10_bids"), (Side::Sell, run.book.asks(), "final_top10_asks")]
    {
        assert_eq!(ladder.best_first().take(10).copied().collect::<Vec<_>>(), levels(key));
        // The engine's copy is the top of the same side, level by level.
        let seen = run.engine.top(side);
        assert!((50..=100).contains(&seen.len()), "{} levels shown", seen.len());
        assert_eq!(seen, ladder.best_first().take(seen.len()).copied().collect::<Vec<_>>());
    }
}

#[test]
fn the_recorded_book_comes_out_as_expected() {
    let (Some(rows), Some(expected)) =
        (rows(), json("data/binance/book_sync/spot_btcusdt_20240808.expected.json"))
    else {
        return;
    };
    let run = run(&rows.iter().collect::<Vec<_>>());
    let dropped = expected["dropped_event_lines"].as_array().unwrap().len() as u32;
    let snapshot_line = expected["snapshot_line"].as_u64().unwrap();
    let buffered = snapshot_line as u32 - 1 - dropped;
    let live = SnapshotStep::Live { applied: buffered, dropped };
    assert_eq!(run.notes, [Note::Snapshot(snapshot_line, live)]);
    assert_eq!(u64::from(run.applied + buffered), expected["applied_events"].as_u64().unwrap());
    assert_eq!(
        run.book.tops_confirmed(),
        expected["bookTicker_lines_with_matching_u"].as_u64().unwrap(),
        "tops compared"
    );
    expect_final_state(&run, &expected);
}

/// Every spot scenario of the corpus, edited as it says.
#[test]
fn every_edit_that_must_break_a_client_is_noticed() {
    let (Some(rows), Some(scenarios), Some(expected)) = (
        rows(),
        json("data/binance/book_sync/scenarios.json"),
        json("data/binance/book_sync/spot_btcusdt_20240808.expected.json"),
    ) else {
        return;
    };
    let mut checked = 0;
    for scenario in scenarios.as_array().unwrap() {
        let (id, edit) = (scenario["id"].as_str().unwrap(), scenario["edit"].as_str().unwrap());
        if !id.starts_with("spot-") {
            continue;
        }
        let numbers: Vec<u64> =
            edit.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        let line = |number: u64| rows.iter().find(|row| row.number == number).unwrap();
        match id {
            "spot-gap" => {
                let edited: Vec<_> = rows.iter().filter(|row| row.number != numbers[0]).collect();
                let run = run(&edited);
                let at = numbers[0] + 1;
                assert!(
                    matches!(run.notes[..], [_, Note::Broken(line, Fault::Gap { .. })] if line == at),
                    "{:?}",
                    run.notes
                );
                assert!(!run.book.is_live());
                assert_eq!(run.book.id(), None);
            }
            "spot-old-event" => {
                let mut edited: Vec<_> = rows.iter().collect();
                let after = edited.iter().position(|row| row.number == numbers[1]).unwrap();
                edited.insert(after + 1, line(numbers[0]));
                let run = run(&edited);
                assert_eq!(run.notes[1..], [Note::Old(numbers[0])]);
                expect_final_state(&run, &expected);
            }
            "spot-snapshot-too-old" => {
                // The recording's snapshot comes first in the edited file, so hold it until deltas wait.
                let mut edited: Vec<_> =
                    rows.iter().filter(|row| row.kind != "ws_depth" || row.number >= numbers[0]).collect();
                let snapshot = edited.iter().position(|row| row.kind == "rest_depth").unwrap();
                let in_order = run(&edited);
                assert!(
                    matches!(in_order.notes[..], [_, Note::Broken(line, Fault::Gap { .. })] if line == numbers[0]),
                    "{:?}",
                    in_order.notes
                );
                assert_eq!(in_order.applied, 0);
                let row = edited.remove(snapshot);
                let first = edited.iter().position(|row| row.kind == "ws_depth").unwrap();
                edited.insert(first + 1, row);
                let held = run(&edited);
                assert!(
                    matches!(held.notes[..], [Note::Snapshot(_, SnapshotStep::TooOld { .. })]),
                    "{:?}",
                    held.notes
                );
                assert!(!held.book.is_live());
                assert_eq!(held.applied, 0);
            }
            other => panic!("a scenario without a test: {other}"),
        }
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// The prefix law of the buffer: at whatever line the snapshot arrives after its own time, the book ends
/// the same.
#[test]
fn the_moment_of_the_snapshot_does_not_matter() {
    let (Some(rows), Some(expected)) =
        (rows(), json("data/binance/book_sync/spot_btcusdt_20240808.expected.json"))
    else {
        return;
    };
    for delay in [1, 5, 50, 200, 300] {
        let mut edited: Vec<_> = rows.iter().collect();
        let at = edited.iter().position(|row| row.kind == "rest_depth").unwrap();
        let row = edited.remove(at);
        edited.insert(at + delay, row);
        expect_final_state(&run(&edited), &expected);
    }
}
