//! Binary market frames: the corpus against its JSON twins, every cut and every changed byte, random bytes.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use serde_json::Value;
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{DecodeError, Decoder, FrameFault, SbeDecoder, TimeUnit, decode, is_frame};
use std::path::Path;

fn symbols() -> Vec<(InstrumentId, Name)> {
    let name = |text| Name::new(text).unwrap();
    vec![(InstrumentId(0), name("BTCUSDT")), (InstrumentId(1), name("PEPEUSDT"))]
}

fn corpus() -> Option<Value> {
    let path = "../../shared/data/binance/sbe/stream_frames.json";
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|at| at.join(&path[6..]))
        .find(|candidate| candidate.is_file());
    match found {
        Some(file) => serde_json::from_str(&std::fs::read_to_string(file).unwrap()).ok(),
        None => {
            println!("skipped: {path} absent");
            None
        }
    }
}

fn bytes(frame: &Value) -> Vec<u8> {
    let hex = frame["hex"].as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Everything a frame says, as text.
fn told(frame: &[u8]) -> Result<Vec<String>, DecodeError> {
    let mut told = Vec::new();
    let count = SbeDecoder::new(&symbols()).decode(frame, &mut |said| told.push(format!("{said:?}")))?;
    assert_eq!(count as usize, told.len());
    Ok(told)
}

/// Mantissa and exponent as the venue's JSON writes the number.
fn decimal(mantissa: &Value, exponent: &Value) -> String {
    let (mantissa, decimals) = (mantissa.as_i64().unwrap(), exponent.as_i64().unwrap().unsigned_abs() as u32);
    let unit = 10i64.pow(decimals);
    format!("{}.{:0width$}", mantissa / unit, mantissa % unit, width = decimals as usize)
}

/// The same messages as the JSON streams would write them.
fn twins(decoded: &Value) -> Vec<String> {
    let price = |value: &Value| decimal(value, &decoded["priceExponent"]);
    let qty = |value: &Value| decimal(value, &decoded["qtyExponent"]);
    let levels = |side: &str| {
        let rows = decoded[side].as_array().unwrap().iter();
        let rows = rows.map(|row| format!("[\"{}\",\"{}\"]", price(&row["price"]), qty(&row["qty"])));
        rows.collect::<Vec<_>>().join(",")
    };
    let (symbol, sent) = (&decoded["symbol"], &decoded["eventTime"]);
    match decoded["_template"].as_str().unwrap() {
        "TradesStreamEvent" => decoded["trades"]
            .as_array()
            .unwrap()
            .iter()
            .map(|trade| {
                let is_maker = trade["isBuyerMaker"].as_str().unwrap().to_lowercase();
                format!(
                    "{{\"e\":\"trade\",\"E\":{sent},\"s\":{symbol},\"t\":{},\"p\":\"{}\",\"q\":\"{}\",\"T\":{},\
                     \"m\":{is_maker},\"M\":true}}",
                    trade["id"],
                    price(&trade["price"]),
                    qty(&trade["qty"]),
                    decoded["transactTime"],
                )
            })
            .collect(),
        "BestBidAskStreamEvent" => vec![format!(
            "{{\"u\":{},\"s\":{symbol},\"b\":\"{}\",\"B\":\"{}\",\"a\":\"{}\",\"A\":\"{}\"}}",
            decoded["bookUpdateId"],
            price(&decoded["bidPrice"]),
            qty(&decoded["bidQty"]),
            price(&decoded["askPrice"]),
            qty(&decoded["askQty"]),
        )],
        "DepthDiffStreamEvent" => vec![format!(
            "{{\"e\":\"depthUpdate\",\"E\":{sent},\"s\":{symbol},\"U\":{},\"u\":{},\"b\":[{}],\"a\":[{}]}}",
            decoded["firstBookUpdateId"],
            decoded["lastBookUpdateId"],
            levels("bids"),
            levels("asks"),
        )],
        _ => {
            let name = symbol.as_str().unwrap().to_lowercase();
            vec![format!(
                "{{\"stream\":\"{name}@depth20\",\"data\":{{\"lastUpdateId\":{},\"bids\":[{}],\"asks\":[{}]}}}}",
                decoded["bookUpdateId"],
                levels("bids"),
                levels("asks"),
            )]
        }
    }
}

#[test]
fn every_frame_of_the_corpus_says_what_its_json_twin_says() {
    let Some(corpus) = corpus() else { return };
    let frames = corpus["frames"].as_array().unwrap();
    println!("binance/sbe/stream_frames: {} frames decode to what their JSON twins say", frames.len());
    assert_eq!(frames.len(), 9);
    for frame in frames {
        let mut json = Decoder::new(&symbols(), TimeUnit::Micros);
        let expected: Vec<String> = twins(&frame["decoded"])
            .into_iter()
            .map(|twin| {
                let mut twin = twin.into_bytes();
                assert!(!is_frame(&twin));
                format!("{:?}", decode(&mut twin, &mut json).unwrap())
            })
            .collect();
        let frame_bytes = bytes(frame);
        assert!(is_frame(&frame_bytes));
        assert_eq!(told(&frame_bytes), Ok(expected), "{}", frame["id"]);
    }
}

#[test]
fn every_frame_that_must_be_refused_is_refused_by_name() {
    let Some(corpus) = corpus() else { return };
    let frames = corpus["must_reject"].as_array().unwrap();
    println!("binance/sbe/stream_frames: {} frames are refused by name", frames.len());
    assert_eq!(frames.len(), 6);
    for frame in frames {
        let error = told(&bytes(frame)).unwrap_err();
        let is_named = match frame["id"].as_str().unwrap() {
            "wrong-schema-id" => error == FrameFault::Schema(3).into(),
            "unknown-template" => matches!(error, DecodeError::Frame(FrameFault::Template(_))),
            _ => matches!(error, DecodeError::Frame(FrameFault::Short { .. })),
        };
        assert!(is_named, "{}: {error:?}", frame["id"]);
    }
}

#[test]
fn every_cut_is_refused_and_every_changed_byte_has_an_answer() {
    let Some(corpus) = corpus() else { return };
    for frame in corpus["frames"].as_array().unwrap() {
        let whole = bytes(frame);
        let version = u16::from_le_bytes([whole[6], whole[7]]);
        for cut in 0..whole.len() {
            assert!(told(&whole[..cut]).is_err(), "{} cut at {cut}", frame["id"]);
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(told(&longer).is_err(), version == 0, "{}: one byte more", frame["id"]);
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut changed = whole.clone();
                changed[at] = byte;
                // What belongs to no version but ours is refused; all else is said or refused, and nothing panics.
                let said = told(&changed);
                if matches!(at, 4 | 5) && byte != whole[at] {
                    assert!(
                        matches!(said, Err(DecodeError::Frame(FrameFault::Schema(_)))),
                        "{} byte {at}",
                        frame["id"]
                    );
                }
            }
        }
    }
}

/// Headers that get far, random bytes behind them, from one seed.
#[test]
fn no_bytes_make_it_panic() {
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |sides: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice >> 11) % sides
    };
    for _ in 0..100_000 {
        let header = [roll(60), 10_000 + roll(4), 1, roll(2)];
        let mut bytes: Vec<u8> = header.iter().flat_map(|&word| (word as u16).to_le_bytes()).collect();
        for _ in 0..roll(200) {
            let byte = roll(512) as u8;
            bytes.push(if roll(2) == 0 { 0 } else { byte });
        }
        let _ = told(&bytes);
    }
}
