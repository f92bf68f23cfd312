//! Nanoseconds a market message of every venue, ours beside typed structs of simd-json and sonic-rs and beside a copy of
//! the same bytes, round after round in one run.
//!
//! `cargo bench --bench decode` in this directory. Ours ends with checked numbers in the engine's words; theirs with text
//! fields in a struct, as cheap as serde allows: prices stay text. All begin with a copy of the message into one buffer, as
//! a socket would leave it; the first figure is that copy alone, and the others contain it. Every message is read by all
//! three before anything is timed. Binance's JSON messages are recorded ones but for `aggTrade` and `markPrice`; where no
//! long recording is at hand the message is spelled with recorded numbers (`spelled`).
#![allow(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

#[path = "../../../spelled.rs"]
#[allow(dead_code, reason = "binance's own JSON is recorded here; `stages` spells it too")]
mod spelled;
mod typed;

use compare::{Contender, captured, race};
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{SbeDecoder, TimeUnit, decode};
use smc_feeds::{binance_spot, binance_usdm, bybit, oanda};
use spelled::Numbers;
use std::hint::black_box;
use std::time::Instant;
use typed::Others;

/// Distinct messages of a kind, at most.
const MESSAGES: usize = 4_096;

fn main() {
    let Some(spot) = captured("market/binance/spot_btcusdt_20240809.gz") else { return };
    let Some(usdm) = captured("market/binance/usdm_btcusdt_20240808.gz") else { return };
    println!("medians; ours and theirs contain the copy");
    println!(
        "{:<20} {:>5} {:>6} {:>18} {:>18} {:>20} {:>20}",
        "message", "count", "bytes", "copy", "ours / copy", "simd-json / ours", "sonic-rs / ours"
    );
    binance_spot_rows(&spot);
    let numbers = binance_usdm_rows(&usdm);
    bybit_rows(&numbers);
    oanda_rows(&numbers);
}

fn binance_spot_rows(messages: &[Vec<u8>]) {
    let [trades, tickers, depths] = ["trade", "bookTicker", "depth"].map(|name| of_stream(messages, name));
    let mut decoder = binance_spot::Decoder::new(&names("BTCUSDT"), TimeUnit::Millis);
    let mut numbers = Numbers::default();
    for message in [&trades, &tickers, &depths].into_iter().flatten() {
        numbers.take(decode(&mut message.clone(), &mut decoder).expect("a recorded message"));
    }
    let mut ours = |text: &mut [u8]| decode(text, &mut decoder).map(|told| _ = black_box(told)).is_ok();
    row("spot trade", &trades, &mut ours, Some(typed::SPOT_TRADE));
    row("spot bookTicker", &tickers, &mut ours, Some(typed::SPOT_TICKER));
    row("spot depth", &depths, &mut ours, Some(typed::SPOT_DEPTH));
    assert_eq!(decoder.tape_uses(), 0, "the scanner knows the venue's own form");

    let mut frames = SbeDecoder::new(&names("BTCUSDT"));
    let mut ours = |frame: &mut [u8]| {
        frames.decode(frame, &mut |told| _ = black_box(told)).is_ok_and(|count| count == 1)
    };
    row("spot SBE trade", &numbers.trade_frames(), &mut ours, None);
    row("spot SBE bestBidAsk", &numbers.quote_frames(), &mut ours, None);
    row("spot SBE depth", &numbers.depth_frames(), &mut ours, None);
}

/// Gives what the recorded messages say.
fn binance_usdm_rows(messages: &[Vec<u8>]) -> Numbers {
    let [trades, tickers, depths] = ["trade", "bookTicker", "depth"].map(|name| of_stream(messages, name));
    let mut decoder = binance_usdm::Decoder::new(&names("BTCUSDT"));
    let mut numbers = Numbers::default();
    for message in [&trades, &tickers, &depths].into_iter().flatten() {
        numbers.take(decoder.scan(message).expect("the scanner knows the venue's own form"));
    }
    let mut ours = |text: &mut [u8]| decoder.decode(text).map(|told| _ = black_box(told)).is_ok();
    row("usdm aggTrade", &numbers.agg_trades(), &mut ours, Some(typed::USDM_AGG_TRADE));
    row("usdm trade", &trades, &mut ours, Some(typed::USDM_TRADE));
    row("usdm bookTicker", &tickers, &mut ours, Some(typed::USDM_TICKER));
    row("usdm depth", &depths, &mut ours, Some(typed::USDM_DEPTH));
    row("usdm markPrice", &numbers.mark_prices(), &mut ours, Some(typed::USDM_MARK));
    numbers
}

fn bybit_rows(numbers: &Numbers) {
    let mut decoder = bybit::Decoder::new(&names("BTCUSDT"));
    let mut ours =
        |text: &mut [u8]| bybit::decode(text, &mut decoder).map(|told| _ = black_box(told)).is_ok();
    row("bybit publicTrade", &numbers.bybit_trades(), &mut ours, Some(typed::BYBIT_TRADES));
    row("bybit orderbook.1", &numbers.bybit_quotes(), &mut ours, Some(typed::BYBIT_BOOK));
    row("bybit orderbook.50", &numbers.bybit_deltas(50, 4), &mut ours, Some(typed::BYBIT_BOOK));
    row("bybit orderbook.200", &numbers.bybit_deltas(200, 16), &mut ours, Some(typed::BYBIT_BOOK));
    assert_eq!(decoder.tape_uses(), 0, "the scanner knows the venue's own form");
    let mut ours =
        |text: &mut [u8]| bybit::decode(text, &mut decoder).map(|told| _ = black_box(told)).is_ok();
    row("bybit tickers", &numbers.bybit_tickers(), &mut ours, Some(typed::BYBIT_TICKER));
}

fn oanda_rows(numbers: &Numbers) {
    let mut decoder = oanda::Decoder::new(&names("EUR_USD"));
    let mut ours = |text: &mut [u8]| decoder.decode(text).map(|told| _ = black_box(told)).is_ok();
    row("oanda PRICE", &numbers.oanda_prices(), &mut ours, Some(typed::OANDA_PRICE));
    assert_eq!(decoder.tape_uses(), 0, "the scanner knows the venue's own form");
}

fn names(symbol: &str) -> [(InstrumentId, Name); 1] {
    [(InstrumentId(0), Name::new(symbol).expect("a name"))]
}

/// The first messages of one stream.
fn of_stream(messages: &[Vec<u8>], name: &str) -> Vec<Vec<u8>> {
    let head = format!("{{\"stream\":\"btcusdt@{name}");
    messages.iter().filter(|text| text.starts_with(head.as_bytes())).take(MESSAGES).cloned().collect()
}

/// One line of the table.
fn row(name: &str, messages: &[Vec<u8>], mut ours: impl FnMut(&mut [u8]) -> bool, others: Option<Others>) {
    for message in messages {
        let text = String::from_utf8_lossy(message);
        assert!(ours(&mut message.clone()), "{text}");
        for read in others.iter().flat_map(|others| [others.simd_json, others.sonic]) {
            assert!(read(&mut message.clone()), "{text}");
        }
    }
    let mut contenders: Vec<Contender<'_>> = vec![
        ("copy", Box::new(|| timed(messages, |_| true))),
        ("ours", Box::new(|| timed(messages, &mut ours))),
    ];
    if let Some(Others { simd_json, sonic }) = others {
        contenders.push(("simd-json", Box::new(move || timed(messages, simd_json))));
        contenders.push(("sonic-rs", Box::new(move || timed(messages, sonic))));
    }
    let medians: Vec<f64> = race(&mut contenders, messages.len()).iter().map(|&(_, median)| median).collect();
    let bytes = messages.iter().map(Vec::len).sum::<usize>() as f64 / messages.len() as f64;
    let (copy, ours) = (medians[0], medians[1]);
    print!("{name:<20} {:>5} {bytes:>6.0} {copy:>6.1} ns {:>4.0} GB/s", messages.len(), bytes / copy);
    print!(" {ours:>8.1} ns {:>5.1}x", ours / copy);
    for theirs in &medians[2..] {
        print!(" {theirs:>10.1} ns {:>5.1}x", theirs / ours);
    }
    println!();
}

/// Nanoseconds of one run over all messages.
fn timed(messages: &[Vec<u8>], mut read: impl FnMut(&mut [u8]) -> bool) -> f64 {
    let mut buffer = vec![0; 1 << 20];
    let started = Instant::now();
    for message in messages {
        let text = &mut buffer[..message.len()];
        text.copy_from_slice(message);
        black_box(read(black_box(text)));
    }
    started.elapsed().as_nanos() as f64
}
