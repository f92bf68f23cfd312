//! Oanda market data: recorded messages, both ways of decoding, broken lines, and what the market makes of it all.
#![allow(clippy::unwrap_used)] // a test may crash

use std::path::Path;

use smc_core::event::{AssetRate, Event, EventBody, FeedState};
use smc_core::instrument::TradingStatus;
use smc_core::words::{InstrumentId, Name, Price, Qty, SCALE, Timeframe, TsNs};
use smc_feeds::oanda::{
    Decoded, Decoder, Describer, FeedError, FeedSettings, Market, OandaFeed, PriceSide, candles,
};
use smc_net::{Endpoint, Secret, TlsSettings};

const LINE: &str = r#"{"type":"PRICE","time":"2026-07-22T07:01:01.229030006Z","bids":[{"price":"1.14108","liquidity":500000},{"price":"1.14107","liquidity":500000}],"asks":[{"price":"1.14123","liquidity":500000},{"price":"1.14125","liquidity":2500000}],"closeoutBid":"1.14099","closeoutAsk":"1.14133","status":"tradeable","tradeable":true,"instrument":"EUR_USD"}"#;
const RULES: &str = r#"{"instruments":[{"name":"EUR_USD","displayPrecision":5,"tradeUnitsPrecision":0,"minimumTradeSize":"1","maximumOrderUnits":"100000000","marginRate":"0.05"}]}"#;

/// The notes of a corpus file, with their `msg`; says so and gives none when it is absent.
fn corpus(file: &str) -> Vec<(String, serde_json::Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/oanda").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} absent", path.display());
        return Vec::new();
    };
    let note = |line: &str| {
        let note: serde_json::Value = serde_json::from_str(line).unwrap();
        (line.to_owned(), note["msg"].clone())
    };
    text.lines().map(note).collect()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn instruments() -> Vec<(InstrumentId, Name)> {
    vec![(InstrumentId(4), name("EUR_USD"))]
}

fn settings() -> FeedSettings {
    let authority = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let tls = TlsSettings::from_ca_pem(&authority.cert.pem()).unwrap();
    let endpoint = Endpoint { host: "localhost".into(), port: 1, address: None, tls };
    FeedSettings::new(endpoint.clone(), endpoint, "101-004-1234567-001", Secret::new("0000aaaa-4444eeee\n"))
}

/// A market with every event that came out of it.
struct Desk {
    market: Market,
    now: TsNs,
    events: Vec<Event>,
}

impl Desk {
    fn new(settings: &FeedSettings) -> Self {
        Self {
            market: Market::new(settings, &instruments()),
            now: TsNs(1_000_000_000_000),
            events: Vec::new(),
        }
    }

    fn open(mut self) -> Self {
        self.market.on_open(self.now, &mut |event| self.events.push(event));
        self.market.on_rules(RULES.as_bytes(), self.now, &mut |event| self.events.push(event));
        self.events.clear();
        self
    }

    fn line(&mut self, line: &str) {
        self.market.on_line(&mut line.as_bytes().to_vec(), self.now, &mut |event| self.events.push(event));
    }

    fn wait(&mut self, secs: u64) -> bool {
        self.now = TsNs(self.now.0 + secs * 1_000_000_000);
        self.market.check_silence(self.now, &mut |event| self.events.push(event))
    }

    /// What was said since the last look, in short.
    fn told(&mut self) -> Vec<String> {
        let word = |event: Event| match event.body {
            EventBody::Feed(state) => format!("{state:?}"),
            EventBody::Instrument(spec) => format!("{:?}", spec.status),
            EventBody::Quote(quote) => {
                format!("{} {} {} {}", quote.bid_qty, quote.bid, quote.ask, quote.ask_qty)
            }
            EventBody::Mark(mark) => format!("mark {}", mark.price),
            EventBody::Rate(AssetRate { asset, price }) => format!("{asset} {price}"),
            other => format!("{other:?}"),
        };
        self.events.drain(..).map(word).collect()
    }
}

#[test]
fn every_recorded_line_of_the_price_stream_decodes() {
    let lines = corpus("stream_pricing.jsonl");
    let all = ["EUR_JPY", "EUR_USD", "EUR_GBP"].map(|text| (InstrumentId(0), name(text)));
    let mut decoder = Decoder::new(&all);
    let (mut prices, mut heartbeats, mut closed) = (0, 0, 0);
    for (line, message) in &lines {
        match decoder.decode(&mut message.to_string().into_bytes()) {
            Ok(Decoded::Price(tick)) => {
                prices += 1;
                closed += u32::from(!tick.is_tradeable);
                let best = |side: &str| message[side][0]["price"].as_str().unwrap().to_owned();
                let read = |side| Price::parse(best(side).as_bytes()).unwrap();
                assert_eq!(tick.bid.unwrap().price, read("bids"));
                assert_eq!(tick.ask.unwrap().price, read("asks"));
                let liquidity = message["bids"][0]["liquidity"].as_i64().unwrap();
                assert_eq!(tick.bid.unwrap().qty, Qty(liquidity * SCALE));
            }
            Ok(Decoded::Heartbeat { .. }) => heartbeats += 1,
            Err(error) => panic!("{error}: {line}"),
        }
    }
    assert!(lines.is_empty() || (prices, heartbeats, closed) == (5, 2, 1));
}

/// What the decoder of market data does not know is the gateway's, and is refused by name here.
#[test]
fn every_recorded_answer_is_described_or_refused_by_name() {
    let mut describer = Describer::new();
    for (file, expected) in [
        ("stream_pricing.jsonl", &["heartbeat", "quote"][..]),
        ("stream_transactions.jsonl", &["refused"]),
        ("rest_pricing.jsonl", &["snapshot"]),
        ("rest_candles.jsonl", &["bars"]),
        ("rest_instruments.jsonl", &["instruments"]),
        ("rest_books.jsonl", &["ignored"]),
        ("rest_errors.jsonl", &["refused"]),
        ("rest_orders.jsonl", &["refused"]),
        ("rest_transactions.jsonl", &["refused"]),
    ] {
        for (line, message) in corpus(file) {
            for text in [line, message.to_string()] {
                let description = describer.describe(&mut text.clone().into_bytes());
                assert!(expected.contains(&description.kind), "{file}: {description:?}");
                if description.kind == "instruments" {
                    let refused = description.fields.iter().find(|(field, _)| *field == "refused").unwrap();
                    assert_eq!(refused.1, smc_feeds::binance_spot::Value::Integer(0));
                }
            }
        }
    }
}

#[test]
fn recorded_candles_of_every_side_are_read() {
    let expected = [(PriceSide::Mid, 5, "5m"), (PriceSide::Ask, 20, "1d")];
    for ((_, message), (side, count, length)) in corpus("rest_candles.jsonl").iter().zip(expected) {
        let body = message.to_string().into_bytes();
        let bars = candles(&mut body.clone(), Timeframe::parse(length).unwrap(), side).unwrap();
        let told = message["candles"].as_array().unwrap().len();
        assert!(bars.len() == told && told <= count, "{}", bars.len());
    }
}

#[test]
fn scanner_and_tape_agree_on_everything_the_scanner_takes() {
    let mut decoder = Decoder::new(&instruments());
    let closed = LINE.replace("\"tradeable\",\"tradeable\":true", "\"non-tradeable\",\"tradeable\":false");
    let empty =
        LINE.replace(r#"{"price":"1.14108","liquidity":500000},{"price":"1.14107","liquidity":500000}"#, "");
    let heartbeat = r#"{"type":"HEARTBEAT","time":"2026-07-22T07:01:05.000000000Z"}"#;
    for line in [LINE, &closed, &empty, heartbeat] {
        let scanned = decoder.scan(line.as_bytes()).expect("the present form is the scanner's");
        assert_eq!(decoder.decode_by_tape(&mut line.as_bytes().to_vec()), Ok(scanned));
    }
    // The old order of keys, numbers as text, members that are new or null: the tape's, and the same price.
    let expected = decoder.scan(LINE.as_bytes());
    let text = LINE.replace(":500000}", ":\"500000.0\"}");
    let old =
        LINE.replace("\"type\":\"PRICE\",", "").replace("\"EUR_USD\"}", "\"EUR_USD\",\"type\":\"PRICE\"}");
    let new = LINE.replace("{\"type\"", "{\"fresh\":{\"a\":[1,null]},\"type\"");
    let null = LINE.replace(
        "\"status\":\"tradeable\",\"tradeable\":true",
        "\"status\":\"tradeable\",\"tradeable\":null",
    );
    for line in [text, old, new, null] {
        assert_eq!(decoder.scan(line.as_bytes()), None);
        assert_eq!(decoder.decode(&mut line.clone().into_bytes()).ok(), expected, "{line}");
    }
}

/// Each cut and each changed byte of a line gives an answer, the same one both ways where the scanner gives any.
#[test]
fn broken_lines_are_answered_and_never_crash() {
    let mut decoder = Decoder::new(&instruments());
    let mut check = |line: &[u8]| {
        let scanned = decoder.scan(line);
        let taped = decoder.decode_by_tape(&mut line.to_vec());
        assert!(scanned.is_none() || scanned == taped.ok(), "{}", String::from_utf8_lossy(line));
    };
    for at in 0..LINE.len() {
        check(&LINE.as_bytes()[..at]);
        for byte in [0, b'"', b'\\', b'{', b'}', b'0', b'9', b'-', b'.', b',', b' ', 0x80, 0xff] {
            let mut changed = LINE.as_bytes().to_vec();
            changed[at] = byte;
            check(&changed);
        }
    }
}

#[test]
fn an_instrument_is_live_with_its_first_price_and_halted_by_prices_alone() {
    let mut desk = Desk::new(&settings()).open();
    desk.line(LINE);
    // The process before us may have told a mark.
    assert_eq!(desk.told(), ["Trading", "Live", "mark 0", "500000 1.14108 1.14123 500000"]);
    let closed = LINE
        .replace("\"tradeable\",\"tradeable\":true", "\"non-tradeable\",\"tradeable\":false")
        .replace(":01.229", ":02.229");
    desk.line(&closed);
    assert_eq!(desk.told(), ["Halted", "mark 1.14116"], "nobody can trade on the price of a closed market");
    // A weekend of heartbeats is no silence.
    assert!(!desk.wait(48 * 3_600));
    assert!(desk.told().is_empty());
    desk.line(&LINE.replace("07:01:01", "08:01:01"));
    assert_eq!(
        desk.told(),
        ["Trading", "mark 0", "500000 1.14108 1.14123 500000"],
        "the book's price counts again"
    );
    desk.line(&LINE.replace("07:01:01", "08:01:02"));
    assert_eq!(desk.told(), ["500000 1.14108 1.14123 500000"]);
}

#[test]
fn a_price_of_the_past_is_dropped_until_another_stream_says_it() {
    let mut desk = Desk::new(&settings()).open();
    desk.line(LINE);
    desk.told();
    desk.line(LINE);
    desk.line(&LINE.replace("07:01:01", "07:00:59"));
    assert!(desk.told().is_empty());
    assert_eq!(desk.market.counters().old, 2);
    desk.market.on_down(desk.now, &mut |event| desk.events.push(event));
    desk.market.on_open(desk.now, &mut |event| desk.events.push(event));
    desk.line(LINE);
    assert_eq!(desk.told(), ["Down", "Syncing", "Live", "500000 1.14108 1.14123 500000"]);
}

#[test]
fn impossible_prices_are_counted_and_not_told() {
    let mut desk = Desk::new(&settings()).open();
    desk.line(LINE);
    desk.told();
    let later = |n: u32| LINE.replace(":01.229", &format!(":{:02}.229", 2 + n));
    let crossed = later(0).replace("1.14123", "1.14108");
    let one_sided = later(1)
        .replace(r#"{"price":"1.14123","liquidity":500000},{"price":"1.14125","liquidity":2500000}"#, "");
    let nothing = later(2).replace("500000", "0");
    let negative = later(3).replace("1.14108", "-1.14108");
    let huge = later(4).replace("1.14108", "99999999999999");
    let strange = later(5).replace("EUR_USD", "EUR_GBP");
    for line in [crossed, one_sided, nothing, negative, huge, strange] {
        desk.line(&line);
    }
    assert!(desk.told().is_empty());
    assert_eq!(desk.market.counters().refused, 6);
}

#[test]
fn silence_of_an_open_market_is_stale_and_in_the_end_another_stream_is_wanted() {
    let mut desk = Desk::new(&settings()).open();
    desk.line(LINE);
    desk.told();
    assert!(!desk.wait(61));
    assert_eq!(desk.told(), ["Stale"]);
    assert!(desk.wait(120));
    desk.line(&LINE.replace(":01.229", ":09.229"));
    assert_eq!(desk.told(), ["Live", "500000 1.14108 1.14123 500000"]);
    // One that only speaks of the past, say after a wrong stamp, is silent.
    desk.line(&LINE.replace("2026", "2036"));
    assert_eq!(desk.told(), ["500000 1.14108 1.14123 500000"]);
    desk.wait(40);
    desk.line(&LINE.replace(":01.229", ":11.229"));
    desk.wait(40);
    assert_eq!(desk.told(), ["Stale"]);
    // A stream that opens and brings no price at all is no better.
    let mut desk = Desk::new(&settings()).open();
    assert!(desk.wait(181));
}

#[test]
fn rules_are_told_with_the_status_and_again_when_they_change() {
    let mut desk = Desk::new(&settings()).open();
    desk.line(LINE);
    assert_eq!(desk.told()[0], "Trading");
    let mut rules = |text: &str| {
        let is_whole = desk.market.on_rules(text.as_bytes(), desk.now, &mut |event| desk.events.push(event));
        let told = desk.events.drain(..).map(|event| match event.body {
            EventBody::Instrument(spec) => (spec.contract.margin_initial_ppm, spec.status),
            other => panic!("{other:?}"),
        });
        (is_whole, told.collect::<Vec<_>>())
    };
    assert_eq!(rules(RULES), (true, vec![]));
    assert_eq!(rules(&RULES.replace("0.05", "0.1")), (true, vec![(100_000, TradingStatus::Trading)]));
    assert_eq!(rules(&RULES.replace("EUR_USD", "EUR_GBP")), (false, vec![]));
    assert_eq!(rules("<html>"), (false, vec![]));
}

/// Where orders go elsewhere, this venue's rules are nobody's, and its closed market is data that cannot be trusted.
#[test]
fn rules_of_a_venue_without_orders_stay_untold() {
    let mut desk = Desk::new(&FeedSettings { tells_rules: false, ..settings() }).open();
    desk.line(LINE);
    assert_eq!(desk.told(), ["Live", "500000 1.14108 1.14123 500000"]);
    desk.line(&LINE.replace("\"tradeable\":true", "\"tradeable\":false").replace(":01.229", ":02.229"));
    assert_eq!(desk.told(), [""; 0], "nothing that is held is valued by it");
    desk.wait(1);
    assert_eq!(desk.told(), ["Stale"]);
}

#[test]
fn recorded_prices_by_rest_bring_the_worth_of_currencies_once() {
    let all = corpus("rest_pricing.jsonl");
    let both = [(InstrumentId(0), name("EUR_USD")), (InstrumentId(1), name("EUR_JPY"))];
    let mut desk = Desk { market: Market::new(&settings(), &both), now: TsNs(1), events: Vec::new() };
    for (_, message) in &all {
        for expected in [true, false] {
            let mut body = message.to_string().into_bytes();
            assert!(desk.market.on_pricing(&mut body, desk.now, &mut |event| desk.events.push(event)));
            assert_eq!(!desk.told().is_empty(), expected, "what is known is not told again");
        }
    }
    desk.market = Market::new(&FeedSettings { tells_rules: false, ..settings() }, &both);
    desk.told();
    for (_, message) in &all {
        let mut body = message.to_string().into_bytes();
        assert!(desk.market.on_pricing(&mut body, desk.now, &mut |event| desk.events.push(event)));
        assert_eq!(desk.told(), [""; 0], "worth in the currency of an account that nothing is traded on");
    }
    // A stream that is down must not be made up for by answers.
    assert!(!desk.events.iter().any(|event| matches!(event.body, EventBody::Feed(FeedState::Live))));
}

#[test]
fn settings_that_cannot_work_are_refused_and_tokens_stay() {
    let new = |settings: FeedSettings, instruments: &[(InstrumentId, Name)]| {
        OandaFeed::new(settings, instruments).err()
    };
    assert_eq!(new(settings(), &instruments()), None);
    assert_eq!(new(settings(), &[]), Some(FeedError::NoInstruments));
    let bad = name("EUR/USD");
    assert_eq!(new(settings(), &[(InstrumentId(0), bad)]), Some(FeedError::BadSymbol(bad)));
    let twice = [instruments(), instruments()].concat();
    assert_eq!(new(settings(), &twice), Some(FeedError::DuplicateSymbol(name("EUR_USD"))));
    let token = Secret::new("abc\r\nX: y");
    assert_eq!(new(FeedSettings { token, ..settings() }, &instruments()), Some(FeedError::BadToken));
    let account = "../x".to_owned();
    assert_eq!(new(FeedSettings { account, ..settings() }, &instruments()), Some(FeedError::BadAccount));
    assert!(!format!("{:?}", settings()).contains("4444eeee"));
}
