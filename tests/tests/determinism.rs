//! The same seed and data give the same outputs, whichever way the threads are joined and however fast it runs.
//!
//! Engine and simulator are in lock step over real TLS sockets; the journals of two runs must agree record by
//! record, not only in their digests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use smc_core::codec;
use smc_core::event::Event;
use smc_core::output::{NewOrder, Output};
use smc_journal::RecordKind;
use tests::{BUSY, CAPTURE, Random, Rec, demo, records_of, shared};

/// Compares two journals and names the first record that differs.
#[track_caller]
fn assert_same(name: &str, left: &[Rec], right: &[Rec]) {
    let told = |record: Option<&Rec>| match record {
        None => "nothing".to_string(),
        Some(record) if record.kind == RecordKind::Input => {
            format!("{record:?} = {:?}", codec::decode::<Event>(&record.payload))
        }
        Some(record) => format!("{record:?}"),
    };
    for at in 0..left.len().max(right.len()) {
        let (a, b) = (left.get(at), right.get(at));
        assert!(a == b, "{name}: journals part at record {}: {} <> {}", at + 1, told(a), told(b));
    }
}

#[track_caller]
fn check(document: &Value) {
    assert_eq!(document["replay"], "identical", "{document}");
    assert!(document["fills"].as_u64().unwrap() > 0, "{document}");
}

#[test]
fn both_topologies_and_any_pace_give_one_journal() {
    let dir = tempfile::tempdir().unwrap();
    let seed = "7";
    println!("seed {seed}");
    let fast =
        |topology| vec!["--fast", "--seconds", "10", "--speed", "60", "--seed", seed, "--topology", topology];
    let runs = [
        ("inline", fast("inline")),
        ("pipelined", fast("pipelined")),
        ("inline again", fast("inline")),
        ("pipelined again", fast("pipelined")),
        // The same ten minutes of market, paced by the wall clock.
        ("paced", vec!["--seconds", "5", "--speed", "120", "--seed", seed, "--topology", "pipelined"]),
    ];
    let mut first: Option<(Value, Vec<Rec>)> = None;
    for (nth, (name, args)) in runs.iter().enumerate() {
        let home = dir.path().join(nth.to_string());
        let document = demo(&home, args);
        check(&document);
        println!("{name}: digest {} fills {}", document["digest"], document["fills"]);
        let records = records_of(&home.join("journal"));
        match &first {
            None => first = Some((document, records)),
            Some((other, others)) => {
                // The record tells more than the digest.
                assert_same(name, others, &records);
                assert_eq!(document["digest"], other["digest"], "{name}");
            }
        }
    }
    let other = demo(
        &dir.path().join("other"),
        &["--fast", "--seconds", "10", "--speed", "60", "--seed", "8", "--topology", "inline"],
    );
    assert_ne!(other["digest"], first.unwrap().0["digest"], "another seed is another market");
}

/// Orders every second or two, market orders, stops and cancels among them: whatever chance there is between the
/// threads would show here.
#[test]
fn a_busy_strategy_gives_one_journal_on_any_seed() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("busy.toml");
    std::fs::write(&config, BUSY).unwrap();
    let config = config.to_str().unwrap();
    let mut random = Random::from_env(1);
    for _ in 0..3 {
        let seed = random.below(1 << 32).to_string();
        let run = |topology: &str| {
            let home = dir.path().join(format!("{seed}-{topology}"));
            let market = ["--fast", "--seconds", "3", "--speed", "60", "--seed", &seed];
            let document =
                demo(&home, &[&market[..], &["--config", config, "--topology", topology]].concat());
            check(&document);
            (document, records_of(&home.join("journal")))
        };
        let ((inline, records), (pipelined, others)) = (run("inline"), run("pipelined"));
        println!("market {seed}: {} orders, {} fills", inline["orders_out"], inline["fills"]);
        assert_same(&seed, &records, &others);
        assert_eq!(inline["digest"], pipelined["digest"]);
    }
}

/// The same market by the venue's binary streams: what the engine says is what it says by JSON, whatever else differs
/// between the two (stamps to the microsecond, trades and books in other frames).
#[test]
fn binary_streams_give_the_decisions_that_json_gives() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("busy.toml");
    std::fs::write(&config, BUSY).unwrap();
    let config = config.to_str().unwrap();
    let capture = shared(CAPTURE);
    let mut markets = vec![
        vec!["--seconds", "3", "--speed", "60", "--seed", "11", "--config", config],
        vec!["--seconds", "5", "--speed", "60", "--seed", "7"],
    ];
    if let Some(capture) = &capture {
        markets.push(vec!["--seconds", "30", "--data", capture.to_str().unwrap()]);
    }
    for (nth, market) in markets.iter().enumerate() {
        let run = |name: &str, more: &[&str]| {
            let home = dir.path().join(format!("{nth}-{name}"));
            let document = demo(&home, &[&["--fast", "--topology", "inline"], &market[..], more].concat());
            check(&document);
            let mut records = records_of(&home.join("journal"));
            records.retain(|record| record.kind == RecordKind::Output);
            (document, records.into_iter().map(|record| record.payload).collect::<Vec<_>>())
        };
        let ((json, said), (binary, also)) = (run("json", &[]), run("binary", &["--sbe"]));
        println!("market {nth}: {} orders, {} outputs by JSON", json["orders_out"], said.len());
        for (at, (left, right)) in said.iter().zip(&also).enumerate() {
            let told = |bytes: &[u8]| format!("{:?}", codec::decode::<Output<NewOrder>>(bytes));
            assert!(left == right, "market {nth}, output {at}: {} <> {}", told(left), told(right));
        }
        assert_eq!((said.len(), &json["fills"]), (also.len(), &binary["fills"]), "market {nth}");
    }
}

#[test]
fn a_recorded_market_gives_one_journal() {
    let Some(capture) = shared(CAPTURE) else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut first: Option<(Value, Vec<Rec>)> = None;
    for topology in ["inline", "pipelined"] {
        let home = dir.path().join(topology);
        let data = capture.to_str().unwrap();
        let document = demo(&home, &["--fast", "--seconds", "30", "--data", data, "--topology", topology]);
        println!("{topology}: digest {} fills {}", document["digest"], document["fills"]);
        check(&document);
        let records = records_of(&home.join("journal"));
        match &first {
            None => first = Some((document, records)),
            Some((other, others)) => {
                assert_eq!(document["digest"], other["digest"]);
                assert_same(topology, others, &records);
            }
        }
    }
}
