//! How long a message takes: the checked scanner against the simd-json tape, on the recorded capture.
//!
//! `cargo run --release --example decode_speed -p smc-feeds [FILE.gz]`. First checks that the two agree on
//! every line, then times each kind by itself: the best of several passes over all its messages, each pass
//! on fresh copies, so that the tape, which changes its input, has no advantage or harm from that.

use std::hint::black_box;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{Decoded, Decoder, TimeUnit, decode};

const PASSES: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("shared/data/market/binance/spot_btcusdt_20240809.gz"))
        .find(|path| path.exists());
    let Some(path) = std::env::args_os().nth(1).map(Into::into).or(default) else {
        println!("skipped: shared/data/market/binance/spot_btcusdt_20240809.gz absent");
        return Ok(());
    };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
    let messages: Vec<&[u8]> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(_, message)| message.as_bytes()).collect();

    let symbols = [(InstrumentId(0), Name::new("BTCUSDT").unwrap_or_default())];
    let mut decoder = Decoder::new(&symbols, TimeUnit::Millis);
    let mut other = Decoder::new(&symbols, TimeUnit::Millis);
    let mut kinds: [(&str, Vec<&[u8]>); 3] =
        [("bookTicker", vec![]), ("trade", vec![]), ("depthUpdate", vec![])];
    for message in &messages {
        let mut copy = message.to_vec();
        let scanned = decoder.scan(message);
        if scanned != other.decode_by_tape(&mut copy).ok() || scanned.is_none() {
            return Err(format!("scanner and tape differ on {}", String::from_utf8_lossy(message)).into());
        }
        let slot = match scanned {
            Some(Decoded::BookTicker { .. }) => 0,
            Some(Decoded::Trade { .. }) => 1,
            _ => 2,
        };
        kinds[slot].1.push(message);
    }
    println!("{} messages, scanner and tape agree on all", messages.len());
    println!("{:12} {:>8} {:>10} {:>12} {:>12}", "kind", "count", "bytes", "scanner ns", "tape ns");
    for (name, messages) in &kinds {
        let bytes: usize = messages.iter().map(|message| message.len()).sum();
        let scanner = best(messages, |message| _ = black_box(decode(message, &mut decoder)));
        let tape = best(messages, |message| _ = black_box(decoder.decode_by_tape(message)));
        let count = messages.len().max(1);
        println!("{name:12} {:>8} {:>10} {scanner:>12.1} {tape:>12.1}", messages.len(), bytes / count);
    }
    println!("detours of the scanner to the tape: {}", decoder.tape_uses());
    Ok(())
}

/// Nanoseconds per message in the best pass.
fn best(messages: &[&[u8]], mut step: impl FnMut(&mut [u8])) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..PASSES {
        let mut copies: Vec<Vec<u8>> = messages.iter().map(|message| message.to_vec()).collect();
        let start = Instant::now();
        for copy in &mut copies {
            step(copy);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / messages.len().max(1) as f64);
    }
    best
}
