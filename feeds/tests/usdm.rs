//! Futures: the corpus, the recorded capture, the recorded book and every edit that must break a client.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use std::collections::BTreeMap;
use std::io::Read;

use common::{Chance, Line, lines_of, settings, shared};
use smc_core::event::{Event, EventBody, FeedState, Level};
use smc_core::instrument::TradingStatus;
use smc_core::words::{InstrumentId, Name, Price, Qty, TsNs};
use smc_feeds::binance_spot::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};
use smc_feeds::binance_usdm::{
    BinanceUsdmFeed, Decoded, Decoder, Describer, FeedError, FeedSettings, Market, Notes, candle_interval,
    candles_path, instrument_spec, server_time,
};

fn futures() -> FeedSettings {
    let spot = settings();
    FeedSettings::futures(spot.stream, spot.rest)
}

fn instruments() -> Vec<(InstrumentId, Name)> {
    let symbols = ["BTCUSDT", "BNBUSDT", "CTKUSDT", "SUSHIUSDT", "AKROUSDT", "ETHUSDT", "IOTAUSDT"];
    (0u16..).zip(symbols).map(|(at, symbol)| (InstrumentId(at), Name::new(symbol).unwrap())).collect()
}

fn corpus() -> Vec<Line> {
    let Some(folder) = shared("data/binance/usdm/stream") else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| lines_of(file)).collect()
}

fn described(raw: &str) -> (String, String) {
    let description = Describer::new().describe(&mut raw.as_bytes().to_vec());
    let mut out = String::new();
    description.write_json(1, &mut out);
    (description.kind.to_owned(), out)
}

#[test]
fn every_corpus_line_decodes_or_is_refused_by_name() {
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    let lines = corpus();
    if lines.is_empty() {
        return;
    }
    for line in lines {
        let (kind, told) = described(&line.raw);
        let json: serde_json::Value = serde_json::from_str(&told).unwrap();
        let reason = json["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
        assert!(
            kind != "refused" || line.class != "capture",
            "recorded line {} of {}: {told}",
            line.number,
            line.file
        );
        *outcomes.entry(format!("{}: {kind}{reason}", line.file)).or_default() += 1;
    }
    let found: Vec<String> = outcomes.iter().map(|(outcome, count)| format!("{outcome}: {count}")).collect();
    assert_eq!(found, EXPECTED);
}

// The lines of one cell a level are examples of the documents, not of the wire.
const EXPECTED: [&str; 17] = [
    "24hrMiniTicker: ignored: 3",
    "24hrTicker: ignored: 4",
    "aggTrade: agg_trade: 63",
    "bookTicker: quote: 104",
    "contractInfo: contract: 3",
    "control.error: control_error: 8",
    "control.request: refused: a client's request, not a venue's message: 4",
    "control.response: control_ack: 4",
    "depthUpdate.partial: depth: 1",
    "depthUpdate: depth: 103",
    "depthUpdate: refused: field b has the wrong type or range: 2",
    "depthUpdate: snapshot: 1",
    "forceOrder: ignored: 4",
    "kline: bar: 47",
    "markPriceUpdate.array: ignored: 2",
    "markPriceUpdate: mark: 3",
    "trade: trade: 43",
];

#[test]
fn scanner_and_tape_agree_on_every_line_and_on_every_damage() {
    let (mut quick, mut slow) = (Decoder::new(&instruments()), Decoder::new(&instruments()));
    let mut chance = Chance(0x5eed_0f07_0001);
    for line in corpus() {
        let (mut scanned, raw) = (0, line.raw.as_bytes());
        let mut check = |bytes: &[u8]| {
            let by_tape = slow.decode_by_tape(&mut bytes.to_vec()).map(|decoded| format!("{decoded:?}"));
            if let Some(found) = quick.scan(bytes) {
                scanned += 1;
                assert_eq!(Ok(format!("{found:?}")), by_tape, "{}", String::from_utf8_lossy(bytes));
            }
        };
        check(raw);
        for cut in 0..raw.len() {
            check(&raw[..cut]);
        }
        for _ in 0..60 {
            let mut bytes = raw.to_vec();
            for _ in 0..=chance.below(3) {
                chance.damage(&mut bytes);
            }
            check(&bytes);
        }
        let is_hot =
            ["aggTrade", "bookTicker", "depthUpdate", "kline", "trade"].contains(&line.file.as_str());
        let is_known = |decoder: &mut Decoder| decoder.decode(&mut raw.to_vec()).is_ok();
        assert!(scanned > 0 || !is_hot || line.class != "capture" || !is_known(&mut slow), "{}", line.raw);
    }
}

/// The counts of `data/market/README.md`.
#[test]
fn the_recorded_capture_is_described_whole() {
    let Some(path) = shared("data/market/binance/usdm_btcusdt_20240808.gz") else { return };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let (mut describer, mut decoder) = (Describer::new(), Decoder::new(&instruments()));
    let (mut kinds, mut by_scanner, mut spoken): (BTreeMap<&str, u32>, u32, u32) = Default::default();
    for line in text.lines() {
        let message = line.split_once(' ').unwrap().1;
        *kinds.entry(describer.describe(&mut message.as_bytes().to_vec()).kind).or_default() += 1;
        spoken += u32::from(message.starts_with("{\"stream"));
        by_scanner += u32::from(decoder.scan(message.as_bytes()).is_some());
    }
    let found: Vec<_> = kinds.into_iter().collect();
    assert_eq!(found, [("depth", 6_551), ("quote", 66_089), ("snapshot", 1), ("trade", 21_313)]);
    assert_eq!(by_scanner, spoken, "messages of streams that took the detour");
}

struct Row {
    number: u64,
    kind: String,
    raw: String,
}

fn rows() -> Option<Vec<Row>> {
    let path = shared("data/binance/book_sync/usdm_btcusdt_20240808.jsonl")?;
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        Row { number: value["n"].as_u64().unwrap(), kind: text("kind"), raw: text("raw") }
    };
    Some(std::fs::read_to_string(path).unwrap().lines().map(row).collect())
}

fn json(path: &str) -> Option<serde_json::Value> {
    Some(serde_json::from_str(&std::fs::read_to_string(shared(path)?).unwrap()).unwrap())
}

#[derive(Debug, PartialEq, Eq)]
enum Note {
    Snapshot(u64, SnapshotStep),
    Old(u64),
    Broken(u64, Fault),
}

struct Run {
    book: BookSync,
    notes: Vec<Note>,
    applied: u32,
}

fn run(rows: &[&Row]) -> Run {
    let mut decoder = Decoder::new(&instruments());
    let mut run = Run { book: BookSync::new(&BookLimits::default()), notes: Vec::new(), applied: 0 };
    for row in rows {
        let mut payload = row.raw.clone().into_bytes();
        match decoder.decode(&mut payload).unwrap() {
            Decoded::PartialDepth { last_update_id, bids, asks, .. } => {
                let step = run.book.on_snapshot(last_update_id, bids, asks, 1_000, &mut |_| ());
                run.notes.push(Note::Snapshot(row.number, step));
            }
            Decoded::Depth { first_id, last_id, previous_id, bids, asks, .. } => {
                let delta = Delta { first_id, last_id, previous_id, bids, asks };
                match run.book.on_delta(&delta, &mut |_| ()) {
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
    }
    run
}

fn expect_final_state(run: &Run, expected: &serde_json::Value) {
    let parse = |value: &serde_json::Value| Price::parse(value.as_str().unwrap().as_bytes()).unwrap().0;
    assert_eq!(run.book.id(), expected["final_update_id"].as_u64());
    assert_eq!(run.book.bids().len() as u64, expected["final_bid_levels"].as_u64().unwrap());
    assert_eq!(run.book.asks().len() as u64, expected["final_ask_levels"].as_u64().unwrap());
    for (ladder, key) in [(run.book.bids(), "final_top10_bids"), (run.book.asks(), "final_top10_asks")] {
        let pairs = expected[key].as_array().unwrap().iter();
        let level =
            |pair: &serde_json::Value| Level { price: Price(parse(&pair[0])), qty: Qty(parse(&pair[1])) };
        assert_eq!(
            ladder.best_first().take(10).copied().collect::<Vec<_>>(),
            pairs.map(level).collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_recorded_book_comes_out_as_expected() {
    let (Some(rows), Some(expected)) =
        (rows(), json("data/binance/book_sync/usdm_btcusdt_20240808.expected.json"))
    else {
        return;
    };
    let run = run(&rows.iter().collect::<Vec<_>>());
    let dropped = expected["dropped_event_lines"].as_array().unwrap().len() as u32;
    let [Note::Snapshot(line, SnapshotStep::Live { applied, dropped: found })] = run.notes[..] else {
        panic!("{:?}", run.notes);
    };
    assert_eq!((Some(line), found), (expected["snapshot_line"].as_u64(), dropped));
    assert_eq!(u64::from(run.applied + applied), expected["applied_events"].as_u64().unwrap());
    assert_eq!(run.book.tops_confirmed(), expected["bookTicker_lines_with_matching_u"].as_u64().unwrap());
    expect_final_state(&run, &expected);
}

#[test]
fn every_edit_that_must_break_a_client_is_noticed() {
    let (Some(rows), Some(scenarios), Some(expected)) = (
        rows(),
        json("data/binance/book_sync/scenarios.json"),
        json("data/binance/book_sync/usdm_btcusdt_20240808.expected.json"),
    ) else {
        return;
    };
    let mut checked = 0;
    for scenario in scenarios.as_array().unwrap() {
        let (id, edit) = (scenario["id"].as_str().unwrap(), scenario["edit"].as_str().unwrap());
        let numbers: Vec<u64> =
            edit.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        match id {
            "usdm-gap" => {
                let run = run(&rows.iter().filter(|row| row.number != numbers[0]).collect::<Vec<_>>());
                let at = numbers[0] + 1;
                let is_told =
                    matches!(run.notes[..], [_, Note::Broken(line, Fault::Gap { .. })] if line == at);
                assert!(is_told && run.book.id().is_none(), "{:?}", run.notes);
            }
            "usdm-old-event" => {
                let mut edited: Vec<_> = rows.iter().collect();
                let after = edited.iter().position(|row| row.number == numbers[1]).unwrap();
                edited.insert(after + 1, rows.iter().find(|row| row.number == numbers[0]).unwrap());
                let run = run(&edited);
                assert_eq!(run.notes[1..], [Note::Old(numbers[0])]);
                expect_final_state(&run, &expected);
            }
            "usdm-snapshot-too-old" => {
                let mut edited: Vec<_> =
                    rows.iter().filter(|row| row.kind != "ws_depth" || row.number >= numbers[0]).collect();
                let in_order = run(&edited);
                let is_told = matches!(in_order.notes[..], [_, Note::Broken(line, Fault::Gap { .. })] if line == numbers[0]);
                assert!(is_told && in_order.applied == 0, "{:?}", in_order.notes);
                // The same with the snapshot held until deltas wait.
                let snapshot = edited.iter().position(|row| row.kind == "rest_depth").unwrap();
                let row = edited.remove(snapshot);
                let first = edited.iter().position(|row| row.kind == "ws_depth").unwrap();
                edited.insert(first + 1, row);
                let held = run(&edited);
                assert!(matches!(held.notes[..], [Note::Snapshot(_, SnapshotStep::TooOld { .. })]));
                assert!(!held.book.is_live());
            }
            _ => continue,
        }
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// At whatever line the snapshot arrives after its own time, the book ends the same.
#[test]
fn the_moment_of_the_snapshot_does_not_matter() {
    let (Some(rows), Some(expected)) =
        (rows(), json("data/binance/book_sync/usdm_btcusdt_20240808.expected.json"))
    else {
        return;
    };
    for delay in [1, 5, 50, 200] {
        let mut edited: Vec<_> = rows.iter().collect();
        let at = edited.iter().position(|row| row.kind == "rest_depth").unwrap();
        let row = edited.remove(at);
        edited.insert(at + delay, row);
        expect_final_state(&run(&edited), &expected);
    }
}

/// A market of BTCUSDT and the states it has told.
struct Bench {
    market: Market,
    now: TsNs,
    told: Vec<Event>,
}

impl Bench {
    fn new() -> Self {
        let market = Market::new(&futures(), &instruments()[..1]);
        Self { market, now: TsNs(1_000_000_000), told: Vec::new() }
    }

    fn hear(&mut self, text: &str) -> Notes {
        let mut notes = Notes::default();
        let told = &mut self.told;
        self.market
            .on_message(&mut text.as_bytes().to_vec(), self.now, &mut notes, &mut |event| told.push(event));
        notes
    }

    fn live() -> Self {
        let mut bench = Self::new();
        let told = &mut bench.told;
        let emit = &mut |event| told.push(event);
        for line in 0..2 {
            bench.market.on_down(line, bench.now, emit);
            bench.market.on_open(line, bench.now, emit);
            bench.market.on_subscribed(line, bench.now, emit);
        }
        let body = r#"{"lastUpdateId":100,"E":1,"T":1,"bids":[["10","1"]],"asks":[["12","1"]]}"#;
        assert!(bench.market.on_snapshot(0, &mut body.as_bytes().to_vec(), bench.now, emit));
        assert_eq!(bench.states(), [FeedState::Down, FeedState::Syncing, FeedState::Live]);
        bench
    }

    fn states(&mut self) -> Vec<FeedState> {
        let state = |event: Event| match event.body {
            EventBody::Feed(state) => Some(state),
            _ => None,
        };
        std::mem::take(&mut self.told).into_iter().filter_map(state).collect()
    }
}

const QUOTE: &str =
    r#"{"e":"bookTicker","u":100,"E":7,"T":6,"s":"BTCUSDT","b":"10","B":"1","a":"12","A":"1","st":1}"#;
const MARK: &str =
    r#"{"e":"markPriceUpdate","E":8,"s":"BTCUSDT","p":"11.5","i":"1","P":"1","r":"0.0001","T":9}"#;

#[test]
fn quotes_marks_and_trades_of_the_market_are_told_with_the_venues_time() {
    let mut bench = Bench::live();
    bench.hear(QUOTE);
    bench.hear(MARK);
    let off =
        r#"{"e":"trade","E":7,"T":6,"s":"BTCUSDT","t":5,"p":"99","q":"1","X":"INSURANCE_FUND","m":true}"#;
    bench.hear(off);
    bench.hear(r#"{"e":"aggTrade","E":7,"s":"BTCUSDT","a":5,"p":"11","q":"1","f":1,"l":2,"T":6,"m":true}"#);
    let told: Vec<_> = bench.told.iter().map(|event| (event.ts_event.as_ms(), event.body)).collect();
    assert!(matches!(told[0], (6, EventBody::Quote(quote)) if quote.bid == Price(1_000_000_000)));
    assert!(matches!(told[1], (8, EventBody::Mark(mark)) if mark.price == Price(1_150_000_000)));
    assert!(matches!(told[2], (6, EventBody::Trade(trade)) if trade.trade_id == 5));
    assert_eq!(told.len(), 3);
}

#[test]
fn without_trades_the_book_goes_on_and_the_instrument_is_stale() {
    let mut bench = Bench::live();
    let (now, told) = (bench.now, &mut bench.told);
    let emit = &mut |event| told.push(event);
    bench.market.on_down(1, now, emit);
    bench.market.on_open(1, now, emit);
    assert!(bench.market.book(0).unwrap().is_live());
    bench.market.on_subscribed(1, now, emit);
    bench.market.on_down(0, now, emit);
    assert!(!bench.market.book(0).unwrap().is_live());
    assert_eq!(bench.states(), [FeedState::Stale, FeedState::Live, FeedState::Down]);
}

/// Each silence is looked for on the connection that should have spoken.
#[test]
fn silent_streams_are_asked_for_again_on_their_own_connection() {
    for silent_line in [0, 1] {
        let mut bench = Bench::live();
        let mut mute = None;
        for step in 1..=30 {
            bench.now = TsNs(bench.now.0 + 1_000_000_000);
            if silent_line == 0 {
                bench.hear(MARK);
            } else {
                let (id, before) = (1_000 + step, if step == 1 { 100 } else { 999 + step });
                bench.hear(&QUOTE.replace("100", &(id + 1).to_string()));
                bench.hear(&format!(
                    r#"{{"e":"depthUpdate","E":7,"T":6,"s":"BTCUSDT","U":{id},"u":{id},"pu":{before},"b":[],"a":[]}}"#
                ));
            }
            let told = &mut bench.told;
            mute = mute.or(bench.market.check_silence(bench.now, &mut |event| told.push(event)));
        }
        assert_eq!(mute, Some((silent_line, 0)));
        assert_eq!(bench.states(), [FeedState::Stale]);
    }
}

#[test]
fn changed_terms_are_noticed_and_read_anew() {
    let mut bench = Bench::live();
    let text = r#"{"e":"contractInfo","E":9,"s":"IOTAUSDT","ct":"PERPETUAL","cs":"CLOSE"}"#;
    bench.hear(text);
    assert!(!bench.market.take_wants_rules(), "of another symbol");
    bench.hear(&text.replace("IOTA", "BTC"));
    assert!(bench.market.take_wants_rules() && !bench.market.take_wants_rules());
}

#[test]
fn the_recorded_rules_are_the_contracts_terms() {
    let Some(path) = shared("data/binance/usdm/rest/GET_fapi_v1_exchangeInfo.jsonl") else { return };
    let mut found = Vec::new();
    for line in lines_of(&path) {
        let json: serde_json::Value = serde_json::from_str(&line.raw).unwrap();
        for row in json["symbols"].as_array().unwrap() {
            let symbol = row["symbol"].as_str().unwrap();
            let told = match instrument_spec(&mut line.raw.clone().into_bytes(), symbol) {
                Ok(spec) => {
                    assert!(spec.contract.can_reduce_only && !spec.contract.can_replace);
                    let (initial, kept) =
                        (spec.contract.margin_initial_ppm, spec.contract.margin_maintenance_ppm);
                    let is_trading = spec.status == TradingStatus::Trading;
                    let grid = format!("{} {} {} {}", spec.tick, spec.lot, spec.qty_min, spec.qty_max);
                    format!("{symbol} {grid} {} {initial} {kept} {is_trading}", spec.notional_min)
                }
                Err(error) => error.to_string(),
            };
            found.push(format!("{}: {told}", line.class));
        }
    }
    assert_eq!(found, RULES);
}

/// Tick, lot, smallest and largest quantity, smallest value, initial and maintenance margin in ppm, whether it trades.
const RULES: [&str; 6] = [
    "capture: BTCUSDT 0.01 0.001 0.001 1000 5 50000 25000 true",
    "capture: ETHUSDT 0.01 0.001 0.001 10000 5 50000 25000 true",
    "capture: EOSUSDT 0.001 0.1 0.1 200000 5 50000 25000 true",
    "capture: LTCUSDT 0.01 0.001 0.001 10000 5 50000 25000 true",
    "doc: BLZUSDT 0.0001 1 1 590119 5 50000 25000 true",
    "fixture: BLZUSDT 0.0001 1 1 590119 5 50000 25000 true",
];

#[test]
fn the_cold_side_asks_where_futures_answer() {
    let name = Name::new("BTCUSDT").unwrap();
    let minute = smc_core::words::Timeframe::parse("1m").unwrap();
    assert_eq!(candles_path(name, minute, 5), "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=5");
    let second = smc_core::words::Timeframe::parse("1s").unwrap();
    assert_eq!(candle_interval(second), second);
    assert_eq!(
        server_time(&mut b"{\"serverTime\":1499827319559}".to_vec()),
        Some(TsNs::from_ms(1_499_827_319_559))
    );
    assert_eq!(server_time(&mut b"{}".to_vec()), None);
    let too_deep = FeedSettings { snapshot_limit: 5_000, ..futures() };
    let refused = BinanceUsdmFeed::new(too_deep, &instruments()).err();
    assert_eq!(refused, Some(FeedError::SnapshotLimit { asked: 5_000, max: 1_000 }));
}
