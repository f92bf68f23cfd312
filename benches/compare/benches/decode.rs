//! Nanoseconds a market message, ours beside typed structs of simd-json and sonic-rs and beside a copy of the same bytes,
//! round after round in one run.
//!
//! `cargo bench --bench decode` in this directory. Ours ends with checked numbers in the engine's words; theirs with text
//! fields in a struct, as cheap as serde allows: prices stay text. All begin with a copy of the message into one buffer, as
//! a socket would leave it; the first row is that copy alone.
#![allow(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

use compare::{Contender, captured, race};
use serde::Deserialize;
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{Decoded, Decoder, TimeUnit, decode};
use std::hint::black_box;
use std::time::Instant;

/// Distinct messages of a kind, at most.
const MESSAGES: usize = 4_096;

#[derive(Deserialize)]
struct Envelope<'a, T> {
    #[serde(borrow)]
    stream: &'a str,
    data: T,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what a user would read")]
struct Trade<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "T")]
    trade_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "t")]
    id: u64,
    #[serde(rename = "p")]
    price: &'a str,
    #[serde(rename = "q")]
    qty: &'a str,
    #[serde(rename = "m")]
    is_buyer_maker: bool,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what a user would read")]
struct BookTicker<'a> {
    #[serde(rename = "u")]
    update_id: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "b")]
    bid: &'a str,
    #[serde(rename = "B")]
    bid_qty: &'a str,
    #[serde(rename = "a")]
    ask: &'a str,
    #[serde(rename = "A")]
    ask_qty: &'a str,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "what a user would read")]
struct Depth<'a> {
    #[serde(rename = "E")]
    event_ms: u64,
    #[serde(rename = "s")]
    symbol: &'a str,
    #[serde(rename = "U")]
    first_id: u64,
    #[serde(rename = "u")]
    last_id: u64,
    #[serde(rename = "b", borrow)]
    bids: Vec<(&'a str, &'a str)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(&'a str, &'a str)>,
}

fn main() {
    let Some(messages) = captured("market/binance/spot_btcusdt_20240809.gz") else { return };
    let mut kinds: [Vec<Vec<u8>>; 3] = Default::default();
    let mut decoder = spot();
    for mut message in messages {
        let copy = message.clone();
        let kind = match decode(&mut message, &mut decoder) {
            Ok(Decoded::Trade { .. }) => 0,
            Ok(Decoded::BookTicker { .. }) => 1,
            Ok(Decoded::Depth { .. }) => 2,
            _ => continue,
        };
        if kinds[kind].len() < MESSAGES {
            kinds[kind].push(copy);
        }
    }
    println!("{:<12} {:<34} {:>9} {:>9} {:>9}", "message", "what", "best", "median", "ratio");
    let [trades, tickers, depths] = &kinds;
    compare::<Trade<'_>>("trade", trades);
    compare::<BookTicker<'_>>("bookTicker", tickers);
    compare::<Depth<'_>>("depth", depths);
}

fn spot() -> Decoder {
    Decoder::new(&[(InstrumentId(0), Name::new("BTCUSDT").expect("a name"))], TimeUnit::Millis)
}

/// `T` is the typed struct of these messages; its lifetime is the buffer's.
fn compare<'x, T: Typed + 'x>(name: &str, messages: &[Vec<u8>]) {
    let mut decoder = spot();
    let mut contenders: [Contender<'_>; 4] = [
        ("the copy of the bytes", Box::new(|| timed(messages, |_| ()))),
        (
            "ours: checked numbers",
            Box::new(|| timed(messages, |text| _ = black_box(decode(text, &mut decoder).is_ok()))),
        ),
        ("simd-json, serde struct, text", Box::new(|| timed(messages, T::by_simd_json))),
        ("sonic-rs, serde struct, text", Box::new(|| timed(messages, T::by_sonic))),
    ];
    let times = race(&mut contenders, messages.len());
    let ours = times[1].1;
    let bytes: usize = messages.iter().map(Vec::len).sum();
    for ((what, _), (best, median)) in contenders.iter().zip(&times) {
        println!("{name:<12} {what:<34} {best:>6.1} ns {median:>6.1} ns {:>8.1}x", median / ours);
    }
    println!("{name:<12} {} messages of {} bytes on average", messages.len(), bytes / messages.len().max(1));
}

/// Nanoseconds of one run over all messages.
fn timed(messages: &[Vec<u8>], mut read: impl FnMut(&mut [u8])) -> f64 {
    let mut buffer = vec![0; 1 << 20];
    let started = Instant::now();
    for message in messages {
        let text = &mut buffer[..message.len()];
        text.copy_from_slice(message);
        read(black_box(text));
    }
    started.elapsed().as_nanos() as f64
}

/// Decodes a message into its struct and forgets it.
trait Typed {
    fn by_simd_json(text: &mut [u8]);
    fn by_sonic(text: &mut [u8]);
}

macro_rules! typed {
    ($name:ident) => {
        impl Typed for $name<'_> {
            fn by_simd_json(text: &mut [u8]) {
                let envelope: Envelope<'_, $name<'_>> =
                    simd_json::serde::from_slice(text).expect("it decodes");
                black_box((envelope.stream, &envelope.data));
            }

            fn by_sonic(text: &mut [u8]) {
                let envelope: Envelope<'_, $name<'_>> = sonic_rs::from_slice(text).expect("it decodes");
                black_box((envelope.stream, &envelope.data));
            }
        }
    };
}

typed!(Trade);
typed!(BookTicker);
typed!(Depth);
