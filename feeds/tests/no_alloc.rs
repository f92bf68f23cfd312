//! The hot path takes no memory: counted by the allocator itself, over recorded messages.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{capture, settings, shared};
use smc_core::TsNs;
use smc_core::event::{EventBody, FeedState};
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{BookLimits, FeedSettings, Market, Notes};

struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a thread-local cell
// that needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = TAKEN.try_with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken() -> u64 {
    TAKEN.with(Cell::get)
}

fn market(settings: &FeedSettings) -> Market {
    let mut market = Market::new(settings, &[(InstrumentId(3), Name::new("BTCUSDT").unwrap())]);
    market.on_open(0, TsNs(1), &mut |_| ());
    market.on_subscribed(0, TsNs(1), &mut |_| ());
    market
}

#[test]
fn the_recorded_book_is_followed_without_taking_memory() {
    let Some(path) = shared("data/binance/book_sync/spot_btcusdt_20240808.jsonl") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut messages: Vec<(bool, Vec<u8>)> = rows
        .iter()
        .map(|row| (row["kind"] == "rest_depth", row["raw"].as_str().unwrap().as_bytes().to_vec()))
        .collect();
    let settings = settings();
    let mut market = market(&settings);
    let (mut books, mut quotes, mut last_state) = (0u32, 0u32, FeedState::Down);
    let before = taken();
    for (at, (is_snapshot, message)) in messages.iter_mut().enumerate() {
        let now = TsNs(1_000_000_000 + at as u64);
        let mut emit = |event: smc_core::Event| match event.body {
            EventBody::Book(_) => books += 1,
            EventBody::Quote(_) => quotes += 1,
            EventBody::Feed(state) => last_state = state,
            _ => {}
        };
        if *is_snapshot {
            assert!(market.on_snapshot(0, message, now, &mut emit));
        } else {
            market.on_message(message, now, &mut Notes::default(), &mut emit);
        }
    }
    assert_eq!(taken() - before, 0, "allocations");
    assert_eq!(last_state, FeedState::Live);
    assert!(books > 400 && quotes > 30, "{books} book events, {quotes} quotes");
    assert_eq!(market.counters().refused, 0);
    assert_eq!(market.counters().tape_uses, 0);
}

#[test]
fn a_whole_capture_passes_without_taking_memory() {
    let mut lines = capture();
    if lines.is_empty() {
        return;
    }
    // The capture has no snapshot: its book grows from nothing, so its top is not the market's.
    let book = BookLimits { verify_top: false, ..BookLimits::default() };
    let mut market = market(&FeedSettings { book, ..settings() });
    let first = lines.iter().find_map(|(_, line)| {
        let message: serde_json::Value = serde_json::from_slice(line).unwrap();
        message["data"]["U"].as_u64()
    });
    let body = format!(r#"{{"lastUpdateId":{},"bids":[],"asks":[]}}"#, first.unwrap() - 1);
    assert!(market.on_snapshot(0, &mut body.into_bytes(), TsNs(1), &mut |_| ()));
    let (mut trades, mut quotes, mut books) = (0u32, 0u32, 0u32);
    let before = taken();
    for (now, message) in &mut lines {
        market.on_message(message, TsNs(*now), &mut Notes::default(), &mut |event| match event.body {
            EventBody::Trade(_) => trades += 1,
            EventBody::Quote(_) => quotes += 1,
            EventBody::Book(update) => books += u32::from(update.is_last),
            _ => {}
        });
    }
    assert_eq!(taken() - before, 0, "allocations");
    let counters = market.counters();
    assert_eq!((counters.messages, counters.refused, counters.tape_uses), (58_325, 0, 0));
    assert_eq!(
        (counters.gaps, counters.invalid_books, counters.trade_gaps),
        (0, 0, 0),
        "{:?}",
        market.last_fault()
    );
    assert_eq!((trades, books), (10_147, 3_044));
    // The rest is older than the book at its moment.
    assert_eq!(u64::from(quotes) + counters.old, 45_134);
}

#[test]
fn lines_of_oandas_stream_take_no_memory_by_either_way_of_decoding() {
    use smc_feeds::oanda::Decoder;
    let mut decoder = Decoder::new(&[(InstrumentId(3), Name::new("EUR_USD").unwrap())]);
    let quick = r#"{"type":"PRICE","time":"2026-07-22T07:01:01.229030006Z","bids":[{"price":"1.14108","liquidity":500000}],"asks":[{"price":"1.14123","liquidity":500000}],"closeoutBid":"1.14099","closeoutAsk":"1.14133","status":"tradeable","tradeable":true,"instrument":"EUR_USD"}"#;
    let slow = quick.replace("{\"type\"", "{\"fresh\":null,\"type\"");
    let mut lines = [quick.as_bytes().to_vec(), slow.into_bytes()];
    let before = taken();
    for _ in 0..100 {
        for line in &mut lines {
            assert!(decoder.decode(line).is_ok());
        }
    }
    assert_eq!(taken() - before, 0, "allocations");
    assert_eq!(decoder.tape_uses(), 100);
}
