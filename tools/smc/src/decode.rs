//! `smc decode`: captured venue messages into JSON lines.

use crate::failure::{Failure, Outcome};
use clap::{Parser, ValueEnum};
use smc_feeds::binance_spot::Description;
use smc_feeds::{binance_spot, binance_usdm, bybit, oanda};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

/// Decode captured venue messages.
///
/// A message a line, with or without a leading receive time; gzip is recognised. Every input line gives at least one
/// output line; one that cannot be used gives kind "refused" with the reason.
#[derive(Parser)]
pub struct Args {
    /// Whose messages
    #[arg(long, value_enum)]
    venue: Venue,
    /// The file; - reads standard input
    file: PathBuf,
    /// Print counts per kind instead of lines
    #[arg(long)]
    count: bool,
}

/// Venues whose messages can be read.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Venue {
    /// Binance spot: market and private streams
    BinanceSpot,
    /// Binance USD-M futures: market and private streams, snapshots
    BinanceUsdm,
    /// Bybit v5: public and private topics
    Bybit,
    /// Oanda v20: price and transaction streams
    Oanda,
}

/// Decodes line by line.
pub fn decode(args: &Args) -> Outcome {
    let named = |error: io::Error| Failure::wrong(args.file.display(), error);
    let mut lines = open(&args.file).map_err(named)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut decoder = Decoder::new(args.venue);
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    let (mut line, mut number, mut text) = (Vec::new(), 0, String::new());
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(named)? == 0 {
            break;
        }
        number += 1;
        text.clear();
        decoder.describe(number, message_of(&mut line), &mut text, &mut |kind| {
            if args.count {
                *counts.entry(kind.to_owned()).or_default() += 1;
            }
        });
        if args.count {
            continue;
        }
        match out.write_all(text.as_bytes()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::wrong("output", error)),
        }
    }
    if args.count {
        let document = serde_json::json!({ "lines": number, "kinds": counts });
        writeln!(out, "{document}").map_err(|error| Failure::wrong("output", error))?;
    }
    Ok(())
}

/// Reads one venue's messages: market data first, then the private stream and the answers to orders and questions; what
/// neither knows is refused with the market's reason.
struct Decoder {
    market: Market,
    private: Private,
    copy: Vec<u8>,
}

enum Market {
    BinanceSpot(Box<binance_spot::Describer>),
    BinanceUsdm(Box<binance_usdm::Describer>),
    Bybit(Box<bybit::Describer>),
    Oanda(Box<oanda::Describer>),
}

enum Private {
    BinanceSpot(Box<smc_gateway::binance_spot::Scratch>),
    BinanceUsdm(Box<smc_gateway::binance_usdm::Scratch>),
    Bybit,
    Oanda,
}

impl Decoder {
    fn new(venue: Venue) -> Self {
        let (market, private) = match venue {
            Venue::BinanceSpot => (
                Market::BinanceSpot(Box::new(binance_spot::Describer::new())),
                Private::BinanceSpot(Box::new(smc_gateway::binance_spot::Scratch::new())),
            ),
            Venue::BinanceUsdm => (
                Market::BinanceUsdm(Box::new(binance_usdm::Describer::new())),
                Private::BinanceUsdm(Box::new(smc_gateway::binance_usdm::Scratch::new())),
            ),
            Venue::Bybit => (Market::Bybit(Box::new(bybit::Describer::new())), Private::Bybit),
            Venue::Oanda => (Market::Oanda(Box::new(oanda::Describer::new())), Private::Oanda),
        };
        Self { market, private, copy: Vec::new() }
    }

    /// Appends a JSON line for each thing that the message says, and gives the kind of each.
    fn describe(&mut self, number: u64, message: &mut [u8], out: &mut String, kind: &mut impl FnMut(&str)) {
        self.copy.clear();
        self.copy.extend_from_slice(message);
        let said: Vec<Description> = match &mut self.market {
            Market::BinanceSpot(spot) => vec![spot.describe(message)],
            Market::BinanceUsdm(usdm) => vec![usdm.describe(message)],
            Market::Bybit(bybit) => bybit.describe(message),
            Market::Oanda(oanda) => vec![oanda.describe(message)],
        };
        let is_refused = said.iter().all(|said| said.kind == "refused");
        // An answer to an order or a question looks to the market like one to a subscription.
        let is_answer = said.iter().all(|said| said.kind.starts_with("control_"));
        let rows = if is_refused || is_answer { self.private.describe(&mut self.copy) } else { None };
        let is_answer = |rows: &Vec<(&str, String)>| rows.first().is_some_and(|(kind, _)| *kind == "answer");
        let Some(rows) = rows.filter(|rows| is_refused || is_answer(rows)) else {
            for said in &said {
                said.write_json(number, out);
                out.push('\n');
                kind(said.kind);
            }
            return;
        };
        for (name, json) in rows {
            // The line number goes first, as in every line.
            out.push_str(&format!("{{\"line\":{number},{}\n", json.strip_prefix('{').unwrap_or(&json)));
            kind(name);
        }
    }
}

impl Private {
    /// Kinds and JSON objects; none for what is not known here.
    fn describe(&mut self, message: &mut [u8]) -> Option<Vec<(&'static str, String)>> {
        match self {
            Self::BinanceSpot(scratch) => {
                let read = smc_gateway::binance_spot::decode(message, scratch, |message| {
                    let mut json = String::new();
                    message.write_json(&mut json);
                    (message.kind(), json)
                });
                Some(vec![read.ok()?])
            }
            Self::BinanceUsdm(scratch) => {
                Some(vec![smc_gateway::binance_usdm::describe(message, scratch).ok()?])
            }
            Self::Bybit => smc_gateway::bybit::describe(message),
            Self::Oanda => smc_gateway::oanda::describe(message),
        }
    }
}

/// The line without its end and without a leading receive time.
fn message_of(line: &mut Vec<u8>) -> &mut [u8] {
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = if digits > 0 && line.get(digits) == Some(&b' ') { digits + 1 } else { 0 };
    &mut line[start..]
}

fn open(path: &PathBuf) -> io::Result<Box<dyn BufRead>> {
    let mut source: Box<dyn Read> =
        if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut magic = Vec::new();
    source.by_ref().take(2).read_to_end(&mut magic)?;
    let is_gzip = magic == [0x1f, 0x8b];
    let whole = io::Cursor::new(magic).chain(source);
    Ok(if is_gzip {
        Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(whole)))
    } else {
        Box::new(BufReader::new(whole))
    })
}
