//! Bybit's public messages: the corpus, the two decoders against each other, damage, and the recorded captures.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;
use smc_core::event::EventBody;
use smc_core::words::{InstrumentId, Name, Price, TsNs};
use smc_feeds::bybit::{
    BookMessage, BookSync, Category, DecodeError, Decoded, Decoder, Describer, FeedSettings, Lane, Market,
    Notes, Step, candles, decode, instrument_spec, server_time,
};

mod common;

fn shared(path: &str) -> Option<PathBuf> {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(path);
    if !file.is_file() {
        println!("skipped: {path} absent");
        return None;
    }
    Some(file)
}

/// The corpus file's lines: id, method's path, message.
fn corpus(name: &str) -> Vec<(String, Value, String)> {
    let Some(file) = shared(&format!("bybit/{name}.jsonl")) else { return Vec::new() };
    let lines = std::fs::read_to_string(file).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        // The keys keep the order they came in.
        let message = line.split_once("\"msg\":").unwrap().1;
        (row["id"].as_str().unwrap().to_owned(), row.clone(), message[..message.len() - 1].to_owned())
    };
    lines.lines().map(row).collect()
}

const SYMBOLS: [&str; 8] =
    ["BTCUSDT", "ETHUSDT", "AAPLUSDT", "MNTUSDT", "ROSEUSDT", "XRPUSDT", "BTC-26DEC25", "SOLUSDT"];

fn instruments() -> Vec<(InstrumentId, Name)> {
    (0..).zip(SYMBOLS).map(|(at, name)| (InstrumentId(at), Name::new(name).unwrap())).collect()
}

/// Every line of the corpus, in words.
#[test]
fn each_public_line_is_what_its_topic_says_or_refused_by_name() {
    let mut seen = 0;
    let mut kinds = BTreeMap::<String, u32>::new();
    for file in ["orderbook", "trade", "kline", "ticker", "liquidation", "misc"] {
        for (id, row, message) in corpus(&format!("ws_public_{file}")) {
            seen += 1;
            let mut decoder = Decoder::new(&instruments());
            let mut payload = message.into_bytes();
            let told = decode(&mut payload, &mut decoder);
            let (topic, data) = (row["msg"]["topic"].as_str().unwrap(), &row["msg"]["data"]);
            let kind = match (topic.split('.').next().unwrap(), told) {
                (
                    "orderbook",
                    Ok(Decoded::Book { depth, is_snapshot, update_id, seq, bids, asks, ts, .. }),
                ) => {
                    assert_eq!(topic.split('.').nth(1).unwrap(), depth.to_string(), "{id}");
                    assert_eq!(is_snapshot, row["msg"]["type"] == "snapshot", "{id}");
                    assert_eq!(
                        (update_id, seq),
                        (data["u"].as_u64().unwrap(), data["seq"].as_u64().unwrap())
                    );
                    let ms = row["msg"]["cts"].as_u64().or(row["msg"]["ts"].as_u64()).unwrap();
                    assert_eq!(ts, TsNs::from_ms(ms), "{id}");
                    for (levels, side) in [(bids, &data["b"]), (asks, &data["a"])] {
                        assert_eq!(levels.len(), side.as_array().unwrap().len(), "{id}");
                        for (level, pair) in levels.iter().zip(side.as_array().unwrap()) {
                            let price = Price::parse(pair[0].as_str().unwrap().as_bytes()).unwrap();
                            let qty = Price::parse(pair[1].as_str().unwrap().as_bytes()).unwrap();
                            assert_eq!((level.price, level.qty.0), (price, qty.0), "{id}");
                        }
                    }
                    "book"
                }
                ("orderbook", Ok(Decoded::Ignored { .. })) if !topic.as_bytes()[10].is_ascii_digit() => {
                    "ignored"
                }
                ("publicTrade", Ok(Decoded::Trades { trades, .. })) => {
                    assert_eq!(trades.len(), data.as_array().unwrap().len());
                    assert_eq!(trades[0].ts, TsNs::from_ms(data[0]["T"].as_u64().unwrap()));
                    assert_eq!(trades[0].seq, data[0]["seq"].as_u64().unwrap());
                    "trades"
                }
                ("tickers", Ok(Decoded::Ticker { mark, .. })) => {
                    let expected =
                        data["markPrice"].as_str().map(|text| Price::parse(text.as_bytes()).unwrap());
                    assert_eq!(mark, expected, "{id}");
                    "ticker"
                }
                ("tickers", Err(DecodeError::UnknownSymbol(_))) => "of an option",
                ("kline", Ok(Decoded::Kline { is_closed: false, timeframe: Some(_), .. })) => "kline",
                (_, Ok(Decoded::Ignored { .. })) => "ignored",
                (_, told) => panic!("{id}: {topic} gives {told:?}"),
            };
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    println!("{kinds:?}");
    assert!(seen == 0 || seen == 25, "{seen} public messages");
}

#[test]
fn each_control_line_is_an_answer_or_a_clients_request() {
    let mut counts = BTreeMap::<&str, u32>::new();
    for (id, row, message) in corpus("ws_control") {
        let mut decoder = Decoder::new(&instruments());
        let mut payload = message.into_bytes();
        let kind = match decode(&mut payload, &mut decoder) {
            Ok(Decoded::Pong) => "pong",
            Ok(Decoded::ControlAck { .. }) => "ack",
            Ok(Decoded::ControlError { .. }) => "error",
            Err(DecodeError::ClientRequest) => "request",
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!(row["dir"] == "c2s", kind == "request", "{id}");
        *counts.entry(kind).or_default() += 1;
    }
    let expected = BTreeMap::from([("ack", 10), ("error", 4), ("pong", 6), ("request", 12)]);
    assert!(counts.is_empty() || counts == expected, "{counts:?}");
}

/// Every pong shape of the protocol, the trade socket's among them.
#[test]
fn all_four_pongs_are_understood() {
    for text in [
        r#"{"success":true,"ret_msg":"pong","conn_id":"0970e817","req_id":"","op":"ping"}"#,
        r#"{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"cfcb"}"#,
        r#"{"args":["1672916271846"],"op":"pong"}"#,
        r#"{"retCode":0,"retMsg":"OK","op":"pong","data":["1711002002529"],"connId":"cnt5"}"#,
    ] {
        let mut decoder = Decoder::new(&instruments());
        assert_eq!(decode(&mut text.as_bytes().to_vec(), &mut decoder), Ok(Decoded::Pong), "{text}");
    }
}

/// Messages that the scanner is for, in each key order.
fn hot() -> Vec<String> {
    let own = [
        r#"{"topic":"orderbook.1.BTCUSDT","ts":1786639170499,"type":"snapshot","data":{"s":"BTCUSDT","b":[["63040.8","3.323"]],"a":[],"u":1,"seq":763537012912},"cts":1786639170498}"#,
        r#"{"topic":"publicTrade.ETHUSDT","type":"snapshot","ts":1,"data":[{"T":1,"s":"ETHUSDT","S":"Sell","v":"1","p":"2.5","L":"PlusTick","i":"68bc1c35-dcc0-58e8-a4c5-f59a6b790814","BT":true,"RPI":false,"seq":8},{"T":2,"s":"ETHUSDT","S":"Buy","v":"0.00000001","p":"92233720368","i":"7","BT":false,"seq":9}]}"#,
    ];
    let mut all: Vec<String> = own.iter().map(|&text| text.to_owned()).collect();
    all.extend(corpus("ws_public_orderbook").into_iter().chain(corpus("ws_public_trade")).map(|row| row.2));
    all
}

#[test]
fn the_scanner_and_the_tape_agree_on_whatever_the_scanner_takes() {
    let mut taken = 0;
    for text in hot() {
        let (mut one, mut two) = (Decoder::new(&instruments()), Decoder::new(&instruments()));
        let is_own = !text.contains("orderbook.rpi") && !text.contains("orderbook.full");
        let scanned = one.scan(text.as_bytes());
        assert_eq!(scanned.is_some(), is_own, "{text}");
        let Some(scanned) = scanned else { continue };
        taken += 1;
        assert_eq!(Ok(scanned), two.decode_by_tape(&mut text.clone().into_bytes()), "{text}");
    }
    assert!(taken >= 2);
}

#[test]
fn every_cut_and_every_changed_byte_is_an_answer_and_never_a_panic() {
    let mut damaged = 0u32;
    for text in hot().into_iter().filter(|text| text.len() < 700) {
        let (mut one, mut two) = (Decoder::new(&instruments()), Decoder::new(&instruments()));
        for cut in 0..text.len() {
            assert!(decode(&mut text.as_bytes()[..cut].to_vec(), &mut one).is_err(), "{cut} of {text}");
        }
        for at in 0..text.len() {
            for byte in [0, b'"', b'9', b'-', b'{', b'}', b',', 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                let mut copy = bytes.clone();
                if let Some(scanned) = one.scan(&bytes) {
                    assert_eq!(
                        Ok(scanned),
                        two.decode_by_tape(&mut copy),
                        "{}",
                        String::from_utf8_lossy(&bytes)
                    );
                } else {
                    let _ = two.decode_by_tape(&mut copy);
                }
                damaged += 1;
            }
        }
    }
    assert!(damaged > 1_000);
}

/// The only member of the recorded archive, unpacked.
fn recorded_book() -> Option<Vec<u8>> {
    let file = std::fs::read(shared("market/bybit/xrpusdt-ob500.data.zip")?).unwrap();
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
    assert_eq!(&file[..4], b"PK\x03\x04");
    let body = &file[30 + u16_at(26) + u16_at(28)..];
    let mut text = Vec::new();
    match u16_at(8) {
        0 => text.extend_from_slice(&body[..u16_at(18) | u16_at(20) << 16]),
        _ => drop(flate2::read::DeflateDecoder::new(body).read_to_end(&mut text).unwrap()),
    }
    Some(text)
}

#[test]
fn the_recorded_captures_give_the_counts_of_their_readme() {
    let mut describer = Describer::new();
    let mut count = |text: &[u8]| {
        let mut kinds = BTreeMap::<&str, u32>::new();
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            for told in describer.describe(&mut line.to_vec()) {
                *kinds.entry(told.kind).or_default() += 1;
            }
        }
        kinds
    };
    if let Some(book) = recorded_book() {
        assert_eq!(count(&book), BTreeMap::from([("snapshot", 1), ("depth", 49)]));
    }
    if let Some(file) = shared("market/bybit/FXSUSDT-ticks-2023-10-10.csv") {
        assert_eq!(count(&std::fs::read(file).unwrap()), BTreeMap::from([("refused", 1), ("trade", 15)]));
    }
    for (name, trades) in [
        ("history_trading_futures_2025", 1),
        ("history_trading_inverse_2026", 1),
        ("history_spot_daily", 3),
        ("history_spot_monthly", 3),
    ] {
        if let Some(file) = shared(&format!("bybit/{name}.csv")) {
            assert_eq!(count(&std::fs::read(file).unwrap()).get("trade"), Some(&trades), "{name}");
        }
    }
}

/// The venue numbers without a hole, and the book stays sound over the whole recording.
#[test]
fn the_recorded_book_stays_in_step() {
    let Some(text) = recorded_book() else { return };
    let mut decoder = Decoder::new(&instruments());
    let mut book = BookSync::new(500, 100);
    for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let mut line = line.to_vec();
        let Ok(Decoded::Book { is_snapshot, update_id, bids, asks, .. }) = decode(&mut line, &mut decoder)
        else {
            panic!("not a book message")
        };
        let step = book.on_message(&BookMessage { is_snapshot, update_id, bids, asks }, &mut |_| ());
        assert!(matches!(step, Step::Loaded | Step::Applied), "{step:?}");
        assert!(book.bids().len() <= 500 && book.asks().len() <= 500);
    }
    assert!(book.is_live() && book.bids().len() > 400);
}

#[test]
fn instrument_rules_are_exact_or_refused_by_name() {
    for (id, row, message) in corpus("rest_instruments") {
        let category = if row["msg"]["result"]["list"][0]["lotSizeFilter"]["basePrecision"].is_string() {
            Category::Spot
        } else {
            Category::Linear
        };
        for listed in row["msg"]["result"]["list"].as_array().unwrap() {
            let symbol = listed["symbol"].as_str().unwrap();
            let told = instrument_spec(&mut message.clone().into_bytes(), category, symbol);
            let is_linear = listed["contractType"].as_str().is_some_and(|kind| kind.starts_with("Linear"));
            let is_ours = category == Category::Spot || is_linear;
            // An engine's name of a symbol has fifteen bytes.
            let fits = symbol.len() <= Name::MAX && listed["baseCoin"].as_str().unwrap().len() <= Name::MAX;
            assert_eq!(told.is_ok(), is_ours && fits, "{id} {symbol}: {told:?}");
            if let Ok(spec) = told {
                let tick = listed["priceFilter"]["tickSize"].as_str().unwrap();
                assert_eq!(spec.tick, Price::parse(tick.as_bytes()).unwrap());
                assert_eq!(spec.contract.is_spot(), category == Category::Spot);
            }
        }
    }
}

#[test]
fn candles_and_time_of_the_corpus_are_read() {
    for (id, row, message) in corpus("rest_market") {
        let hour = smc_core::Timeframe::from_secs(3_600).unwrap();
        match row["path"].as_str().unwrap() {
            "/v5/market/kline" => {
                assert_eq!(candles(&mut message.into_bytes(), hour).unwrap().len(), 3, "{id}")
            }
            "/v5/market/time" => drop(server_time(&mut message.into_bytes()).unwrap()),
            _ => {}
        }
    }
}

fn market() -> Market {
    Market::new(&FeedSettings::new(common::settings().stream, Category::Linear), &instruments())
}

struct Desk {
    market: Market,
    now: TsNs,
    told: Vec<EventBody>,
}

impl Desk {
    fn connected() -> Self {
        let mut desk = Self { market: market(), now: TsNs::from_ms(1_000_000), told: Vec::new() };
        desk.with(|market, now, told| {
            let mut emit = |event: smc_core::Event| told.push(event.body);
            market.on_down(now, &mut emit);
            market.on_open(now, &mut emit);
            for place in 0..SYMBOLS.len() {
                market.on_confirmed(Lane::Odd, place, now, &mut emit);
            }
        });
        desk
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Market, TsNs, &mut Vec<EventBody>) -> R) -> R {
        act(&mut self.market, self.now, &mut self.told)
    }

    fn hear(&mut self, lane: Lane, text: &str) {
        self.with(|market, now, told| {
            let mut notes = Notes::default();
            let mut bytes = text.as_bytes().to_vec();
            market.on_message(lane, &mut bytes, now, &mut notes, &mut |event| told.push(event.body));
        });
    }

    fn book(&mut self, lane: Lane, kind: &str, u: u64, bids: &str, asks: &str) {
        let text = format!(
            r#"{{"topic":"orderbook.50.BTCUSDT","type":"{kind}","ts":9,"data":{{"s":"BTCUSDT","b":[{bids}],"a":[{asks}],"u":{u},"seq":5}},"cts":8}}"#
        );
        self.hear(lane, &text);
    }

    fn take(&mut self) -> Vec<EventBody> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn a_gap_stops_the_book_at_once_and_asks_for_it_again() {
    let mut desk = Desk::connected();
    desk.book(Lane::Odd, "snapshot", 100, r#"["10","1"]"#, r#"["12","1"]"#);
    assert!(desk.take().contains(&EventBody::Feed(smc_core::event::FeedState::Live)));
    desk.book(Lane::Odd, "delta", 102, r#"["11","1"]"#, "");
    assert_eq!(desk.take(), [EventBody::Feed(smc_core::event::FeedState::Syncing)]);
    let again = desk.with(|market, now, _| market.check(now, &mut |_| ()));
    assert_eq!(again, Some(smc_feeds::bybit::Again::Book(0)));
    desk.book(Lane::Odd, "delta", 103, r#"["11","1"]"#, "");
    assert_eq!(desk.take(), [], "nothing of a book without its image is shown");
    desk.book(Lane::Odd, "snapshot", 7, r#"["10","1"]"#, r#"["12","1"]"#);
    assert!(desk.take().contains(&EventBody::Feed(smc_core::event::FeedState::Live)));
    assert_eq!((desk.market.counters().gaps, desk.market.counters().resyncs), (1, 2));
}

/// After a restart the venue may number from the beginning again.
#[test]
fn quotes_go_on_after_the_venue_has_restarted() {
    let mut desk = Desk::connected();
    desk.book(Lane::Odd, "snapshot", 100, r#"["10","1"]"#, r#"["12","1"]"#);
    desk.take();
    let mut quotes = |u: u64, seq: u64| {
        desk.hear(
            Lane::Odd,
            &format!(
                r#"{{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":9,"data":{{"s":"BTCUSDT","b":[["10","1"]],"a":[["12","1"]],"u":{u},"seq":{seq}}},"cts":8}}"#
            ),
        );
        desk.take().len()
    };
    assert_eq!(quotes(7, 900), 1);
    assert_eq!(quotes(7, 900), 0, "repeated in quiet times");
    assert_eq!(quotes(6, 800), 0, "older");
    assert_eq!(quotes(1, 3), 1, "restarted");
    assert_eq!(quotes(2, 4), 1);
}

#[test]
fn a_connection_that_stands_by_is_not_shown_until_it_takes_over() {
    let mut desk = Desk::connected();
    desk.book(Lane::Odd, "snapshot", 100, r#"["10","1"]"#, r#"["12","1"]"#);
    desk.take();
    desk.book(Lane::Even, "snapshot", 5, r#"["10.5","1"]"#, r#"["12","1"]"#);
    desk.book(Lane::Even, "delta", 9, r#"["11","1"]"#, "");
    desk.book(Lane::Even, "snapshot", 9, r#"["11","1"]"#, r#"["12","1"]"#);
    assert_eq!(desk.take(), [], "the other connection's hole costs ours nothing");
    desk.with(|market, now, told| market.switch_to(Lane::Even, now, &mut |event| told.push(event.body)));
    let told = desk.take();
    assert!(matches!(told[0], EventBody::Book(update) if update.is_snapshot_start && update.update_id == 9));
    assert!(
        !told.iter().any(|body| matches!(body, EventBody::Feed(state)
        if *state != smc_core::event::FeedState::Syncing)),
        "{told:?}"
    );
    desk.book(Lane::Even, "delta", 10, r#"["11","2"]"#, "");
    assert!(matches!(desk.take()[0], EventBody::Book(update) if update.is_last));
}

#[test]
fn trades_count_once_over_both_connections_and_blocks_not_at_all() {
    let mut desk = Desk::connected();
    desk.take();
    let trades = hot().swap_remove(1);
    desk.hear(Lane::Odd, &trades);
    desk.hear(Lane::Even, &trades);
    desk.hear(Lane::Odd, &trades);
    let told = desk.take();
    assert!(matches!(told[..], [EventBody::Trade(trade)] if trade.trade_id == 7), "{told:?}");
    assert_eq!(desk.market.counters().old, 4);
}

#[test]
fn a_mark_is_told_when_it_changes_and_what_is_missing_is_unchanged() {
    let mut desk = Desk::connected();
    desk.take();
    let mut tell = |data: &str| {
        let text = format!(
            r#"{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"symbol":"BTCUSDT"{data}}},"ts":7}}"#
        );
        desk.hear(Lane::Odd, &text);
        desk.take().len()
    };
    assert_eq!(tell(r#","markPrice":"100.5","fundingRate":"-0.0001","nextFundingTime":"1760342400000""#), 1);
    assert_eq!(tell(r#","markPrice":"100.50""#), 0);
    assert_eq!(tell(r#","indexPrice":"100.50""#), 0);
    assert_eq!(tell(r#","markPrice":"100.4""#), 1);
    let funding = desk.market.funding(0).unwrap();
    assert_eq!((funding.rate_e8, funding.at), (-10_000, TsNs::from_ms(1_760_342_400_000)));
}
