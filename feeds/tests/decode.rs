//! Decoding against the conformance corpus and the recorded capture: every line decodes or is refused by
//! name, and the scanner and the tape never disagree, on good messages and on damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use std::collections::BTreeMap;

use common::{Chance, capture, instruments, lines_of, shared, stream_lines};
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{Decoded, Decoder, Describer, TimeUnit, decode, describe};

fn decoder() -> Decoder {
    Decoder::new(&instruments(), TimeUnit::Millis)
}

fn kind(decoded: &Decoded<'_>) -> &'static str {
    match decoded {
        Decoded::Trade { .. } => "trade",
        Decoded::AggTrade { .. } => "aggTrade",
        Decoded::BookTicker { .. } => "bookTicker",
        Decoded::Depth { .. } => "depthUpdate",
        Decoded::Kline { .. } => "kline",
        Decoded::PartialDepth { .. } => "partialDepth",
        Decoded::Mark { .. } => "markPriceUpdate",
        Decoded::Contract { .. } => "contractInfo",
        Decoded::ServerShutdown { .. } => "serverShutdown",
        Decoded::ControlAck { .. } => "control.response",
        Decoded::ControlError { .. } => "control.error",
        Decoded::Ignored { event } => event,
    }
}

#[test]
fn every_corpus_line_decodes_or_is_refused_by_name() {
    let lines = stream_lines();
    if lines.is_empty() {
        return;
    }
    let mut decoder = decoder();
    let mut outcomes: BTreeMap<(String, String), u32> = BTreeMap::new();
    for line in &lines {
        let mut payload = line.raw.clone().into_bytes();
        let outcome = match decode(&mut payload, &mut decoder) {
            Ok(decoded) => {
                assert_eq!(kind(&decoded), line.file, "line {} of {}", line.number, line.file);
                "decoded".to_owned()
            }
            Err(error) => {
                assert_ne!(line.class, "capture", "recorded line {} of {}: {error}", line.number, line.file);
                error.to_string()
            }
        };
        *outcomes.entry((line.file.clone(), outcome)).or_default() += 1;
    }
    let found: Vec<String> =
        outcomes.iter().map(|((file, outcome), count)| format!("{file}: {outcome}: {count}")).collect();
    // The one-field-short lines are examples of an official SDK's documentation, not of the wire.
    assert_eq!(found, EXPECTED);
}

const EXPECTED: [&str; 20] = [
    "1hTicker: decoded: 3",
    "24hrMiniTicker: decoded: 3",
    "24hrTicker: decoded: 3",
    "aggTrade: decoded: 3",
    "aggTrade: field p is missing: 1",
    "avgPrice: decoded: 2",
    "blockTrade: decoded: 1",
    "bookTicker: decoded: 99",
    "control.error: decoded: 5",
    "control.request: a client's request, not a venue's message: 4",
    "control.response: decoded: 4",
    "depthUpdate: decoded: 122",
    "kline: decoded: 3",
    "kline: field o is missing: 1",
    "partialDepth: decoded: 2",
    "referencePrice: decoded: 1",
    "serverShutdown: decoded: 3",
    "trade: decoded: 43",
    "trade: field m has the wrong type or range: 1",
    "trade: field p is missing: 1",
];

#[test]
fn the_capture_decodes_whole_by_the_scanner_and_equally_by_the_tape() {
    let lines = capture();
    if lines.is_empty() {
        return;
    }
    let (mut by_scanner, mut by_tape) = (decoder(), decoder());
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, (_, message)) in lines.iter().enumerate() {
        let mut copy = message.clone();
        let scanned = by_scanner.scan(message).unwrap_or_else(|| panic!("line {}: not scanned", number + 1));
        assert_eq!(Ok(scanned), by_tape.decode_by_tape(&mut copy), "line {}", number + 1);
        *counts.entry(kind(&scanned)).or_default() += 1;
    }
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [("bookTicker", 45_134), ("depthUpdate", 3_044), ("trade", 10_147)]
    );
}

/// Scanner and tape on the same bytes: equal, or the scanner stands back.
fn check_twins(bytes: &[u8], scanner: &mut Decoder, tape: &mut Decoder) -> bool {
    let mut copy = bytes.to_vec();
    let Some(scanned) = scanner.scan(bytes) else {
        // Whatever it is, it must not panic.
        let _ = tape.decode_by_tape(&mut copy);
        return false;
    };
    assert_eq!(Ok(scanned), tape.decode_by_tape(&mut copy), "{:?}", String::from_utf8_lossy(bytes));
    true
}

#[test]
fn scanner_and_tape_agree_on_damaged_messages() {
    let mut samples: Vec<Vec<u8>> = stream_lines().into_iter().map(|line| line.raw.into_bytes()).collect();
    samples.extend(capture().into_iter().step_by(500).map(|(_, message)| message));
    let (mut scanner, mut tape) = (decoder(), decoder());
    let seed = 0x5eed_0001;
    println!("seed {seed:#x}");
    let mut chance = Chance(seed);
    let (mut both, mut detours) = (0u32, 0u32);
    for sample in &samples {
        check_twins(sample, &mut scanner, &mut tape);
        for _ in 0..150 {
            let mut bytes = sample.clone();
            for _ in 0..=chance.below(3) {
                chance.damage(&mut bytes);
            }
            if check_twins(&bytes, &mut scanner, &mut tape) { both += 1 } else { detours += 1 }
        }
    }
    // The test is only worth something while both outcomes are common.
    assert!(samples.is_empty() || both > 1_000 && detours > 1_000, "{both} scanned, {detours} detours");
}

#[test]
fn no_garbage_makes_the_tools_panic() {
    let mut describer = Describer::new();
    let mut chance = Chance(0x5eed_0002);
    for line in stream_lines() {
        for _ in 0..40 {
            let mut bytes = line.raw.clone().into_bytes();
            for _ in 0..=chance.below(8) {
                chance.damage(&mut bytes);
            }
            let mut out = String::new();
            describer.describe(&mut bytes).write_json(1, &mut out);
            let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert!(parsed["kind"].is_string());
        }
    }
}

/// Sorting the keys and adding unknown ones changes nothing, except the way it is read.
#[test]
fn key_order_and_unknown_keys_do_not_matter() {
    let (mut scanner, mut tape) = (decoder(), decoder());
    let mut compared = 0;
    for line in stream_lines() {
        let Some(scanned) = scanner.scan(line.raw.as_bytes()) else { continue };
        let mut value: serde_json::Value = serde_json::from_str(&line.raw).unwrap();
        let event = if value.get("data").is_some() { &mut value["data"] } else { &mut value };
        event["0unknown"] = serde_json::json!({"deep": [1, {"er": null}]});
        event["zz"] = serde_json::json!("\"\\u0041\u{e9}");
        let mut sorted = serde_json::to_vec(&value).unwrap();
        assert_eq!(Ok(scanned), decode(&mut sorted, &mut tape));
        compared += 1;
    }
    assert!(compared > 100 || stream_lines().is_empty());
}

#[test]
fn snapshots_decode_by_both_ways() {
    let Some(path) = shared("data/binance/spot/rest/GET_api_v3_depth.jsonl") else { return };
    let (mut one, mut other) = (decoder(), decoder());
    for line in lines_of(&path) {
        let mut body = line.raw.clone().into_bytes();
        let snapshot = one.snapshot(&mut body).unwrap();
        let mut spaced =
            serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&line.raw).unwrap())
                .unwrap()
                .into_bytes();
        assert_eq!(snapshot, other.snapshot(&mut spaced).unwrap());
        assert!(!snapshot.bids.is_empty() && !snapshot.asks.is_empty());
    }
}

#[test]
fn what_cannot_be_trusted_is_refused_by_name() {
    let btc = [(InstrumentId(0), Name::new("BTCUSDT").unwrap())];
    let mut decoder = Decoder::new(&btc, TimeUnit::Millis);
    let mut check = |text: &str, reason: &str| {
        let mut payload = text.as_bytes().to_vec();
        let error = decode(&mut payload, &mut decoder).expect_err(text);
        assert_eq!(error.to_string(), reason, "{text}");
    };
    let quote =
        |b: &str, size: &str| format!(r#"{{"u":1,"s":"BTCUSDT","b":"{b}","B":"{size}","a":"2","A":"1"}}"#);
    check(&quote("NaN", "1"), "field b: not a decimal number at byte 0");
    check(&quote("-1", "1"), "field b is negative");
    check(&quote("1", "-0"), "field B is negative");
    check(&quote("99999999999999", "1"), "field b: number too large");
    check(&quote("1e3", "1"), "field b: not a decimal number at byte 1");
    check(&quote("1.123456789", "1"), "field b: more than eight decimals");
    check(&quote("", "1"), "field b: no digits");
    check(r#"{"u":1,"s":"ETHUSDT","b":"1","B":"1","a":"2","A":"1"}"#, "unknown symbol ETHUSDT");
    check(
        r#"{"u":1,"s":"AVERYLONGSYMBOLNAME","b":"1","B":"1","a":"2","A":"1"}"#,
        "unknown symbol AVERYLONGSYMBOL",
    );
    check(r#"{"u":-1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}"#, "field u has the wrong type or range");
    check(r#"{"u":1,"s":"BTCUSDT","b":1,"B":"1","a":"2","A":"1"}"#, "field b has the wrong type or range");
    check(
        r#"{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"0","q":"1","T":1,"m":true,"M":true}"#,
        "field p is zero",
    );
    check(
        r#"{"e":"trade","E":18446744073709551615,"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1,"m":true}"#,
        "field E has the wrong type or range",
    );
    check(
        r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1","-1"]],"a":[]}"#,
        "field b is negative",
    );
    check(
        r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1"]],"a":[]}"#,
        "field b has the wrong type or range",
    );
    check("", "not JSON at byte 0");
    check(r#"[{"e":"24hrTicker"}]"#, "not a JSON object");
    check(&format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), "not JSON at byte 32");
}

#[test]
fn extreme_numbers_and_symbols_are_exact() {
    let mut out = String::new();
    describe(
        &mut r#"{"u":9223372036854775807,"s":"币安人生USDT","b":"0.00000001","B":"0","a":"99999999.00000000","A":"3"}"#
            .as_bytes()
            .to_vec(),
    )
    .write_json(1, &mut out);
    assert_eq!(
        out,
        concat!(
            r#"{"line":1,"kind":"quote","event":"bookTicker","symbol":"币安人生USDT","#,
            r#""update_id":9223372036854775807,"bid":"0.00000001","bid_qty":"0","ask":"99999999","ask_qty":"3"}"#
        )
    );
}

#[test]
fn microsecond_stamps_are_a_setting_and_not_a_guess() {
    let text = br#"{"e":"trade","E":1723161255619000,"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1723161255617001,"m":true}"#;
    let mut decoder = Decoder::new(&instruments(), TimeUnit::Micros);
    let Some(Decoded::Trade { ts, ts_sent, .. }) = decoder.scan(text) else { panic!("not scanned") };
    assert_eq!((ts.0, ts_sent.0), (1_723_161_255_617_001_000, 1_723_161_255_619_000_000));
}
