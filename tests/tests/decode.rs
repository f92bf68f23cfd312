//! `smc decode`: every captured message gives a line, known or refused with a reason.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{CAPTURE, Finished, binary, finish, only_line, shared, smc};

/// Runs the decoder and gives its lines, each checked for what every line must have.
fn decode(file: &str, input: &[u8]) -> Vec<Value> {
    let args = ["decode", "--venue", "binance-spot", file];
    let done: Finished = finish(Command::new(binary()).args(args), input);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{file}");
    let lines: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert!(line["line"].is_u64(), "{line}");
        let kind = line["kind"].as_str().unwrap_or_else(|| panic!("{line}"));
        if kind == "refused" {
            assert!(line["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{line}");
        }
    }
    lines
}

fn counts(lines: &[Value]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line["kind"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

/// Every one of `count` input lines is told of, in order, at least once.
#[track_caller]
fn assert_covers(lines: &[Value], count: usize) {
    let mut numbers: Vec<u64> = lines.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted());
    numbers.dedup();
    assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>());
}

#[test]
fn recorded_futures_decode_to_the_last_message() {
    let Some(capture) = shared("data/market/binance/usdm_btcusdt_20240808.gz") else { return };
    let done = smc(&["decode", "--venue", "binance-usdm", "--count", capture.to_str().unwrap()]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    let kinds = serde_json::json!({ "quote": 66_089, "trade": 21_313, "depth": 6_551, "snapshot": 1 });
    assert_eq!(told, serde_json::json!({ "lines": 93_954, "kinds": kinds }));
}

#[test]
fn recorded_oanda_prices_decode_to_the_last_line() {
    let Some(file) = shared("data/oanda/stream_pricing.jsonl") else { return };
    let done = smc(&["decode", "--venue", "oanda", "--count", file.to_str().unwrap()]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    let told: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(told, serde_json::json!({ "lines": 7, "kinds": { "quote": 5, "heartbeat": 2 } }));
}

#[test]
fn a_recorded_market_decodes_to_the_last_message() {
    let Some(capture) = shared(CAPTURE) else { return };
    let lines = decode(capture.to_str().unwrap(), b"");
    let counts = counts(&lines);
    println!("{counts:?}");
    assert_covers(&lines, lines.len());
    let of = |kinds: [&str; 2]| kinds.iter().filter_map(|kind| counts.get(*kind)).sum::<u64>();
    assert_eq!(of(["bookTicker", "quote"]), 45_134);
    assert_eq!(of(["trade", "trades"]), 10_147);
    assert_eq!(of(["depthUpdate", "depth"]), 3_044);
    assert_eq!(counts.get("refused"), None);

    // The same without the leading times, from standard input.
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(&capture).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let bare: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(decode("-", bare.join("\n").as_bytes()), lines);
}

/// Files of the corpus, a message as the venue sent it in the key `raw` of each line.
fn corpus(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn raw_of(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    match &value["raw"] {
        Value::String(text) => Some(text.replace(['\n', '\r'], " ")),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

#[test]
fn every_captured_spot_message_decodes_or_is_refused_by_name() {
    let mut all = 0;
    for part in ["stream", "user"] {
        let Some(dir) = shared(&format!("data/binance/spot/{part}")) else { return };
        for file in corpus(&dir) {
            let text = std::fs::read_to_string(&file).unwrap();
            let messages: Vec<String> = text.lines().filter_map(raw_of).collect();
            assert!(!messages.is_empty(), "{}: no message", file.display());
            let lines = decode("-", messages.join("\n").as_bytes());
            assert_covers(&lines, messages.len());
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            println!("{part}/{name}: {} messages {:?}", messages.len(), counts(&lines));
            all += messages.len();
        }
    }
    println!("{all} messages");
    assert!(all > 0);
}

#[test]
fn garbage_is_refused_line_by_line() {
    let trade = r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#;
    let long = format!("{{\"e\":\"{}\"}}", "x".repeat(100_000));
    let deep = "[".repeat(50_000);
    let mut lines: Vec<Vec<u8>> = vec![
        b"not json".to_vec(),
        b"{".to_vec(),
        b"".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"123".to_vec(),
        b"1723161255829841000 ".to_vec(),
        vec![0xff, 0xfe, 0x00, 0x80],
        trade.as_bytes()[..trade.len() / 2].to_vec(),
        trade.replace("0.001", "-0.001").into_bytes(),
        trade.replace("0.001", "1e3").into_bytes(),
        trade.replace("0.001", "99999999999999999999").into_bytes(),
        trade.replace("\"0.001\"", "{}").into_bytes(),
        long.into_bytes(),
        deep.into_bytes(),
    ];
    let bad = lines.len();
    lines.push(trade.into());
    lines.push(format!("1723161255829841000 {trade}").into_bytes());
    lines.push(format!("{trade}\r").into_bytes());
    let out = decode("-", &lines.join(&b'\n'));
    assert_covers(&out, lines.len());
    for line in &out[..bad] {
        assert_eq!(line["kind"], "refused", "{line}");
    }
    for line in &out[bad..] {
        assert_eq!(line["kind"], "trade", "{line}");
    }
}

#[test]
fn an_absent_file_and_an_unknown_venue_are_wrong_use() {
    let done = smc(&["decode", "--venue", "binance-spot", "/no/such/file"]);
    assert_eq!(done.code, 2);
    assert!(only_line(&done).contains("/no/such/file"));
    assert_eq!(smc(&["decode", "--venue", "mt-gox", "-"]).code, 2);
}
