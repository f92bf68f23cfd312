//! `smc decode`: captured venue messages into JSON lines.

use crate::failure::{Failure, Outcome};
use crate::sim::Venue;
use clap::Parser;
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

/// Decodes line by line.
pub fn decode(args: &Args) -> Outcome {
    if args.venue == Venue::Oanda {
        return Err(Failure::Wrong("--venue: oanda messages are not decoded here yet".into()));
    }
    let named = |error: io::Error| Failure::wrong(args.file.display(), error);
    let mut lines = open(&args.file).map_err(named)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut decoder = Decoder::new();
    let mut counts = std::collections::BTreeMap::<String, u64>::new();
    let (mut line, mut number, mut text) = (Vec::new(), 0, String::new());
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(named)? == 0 {
            break;
        }
        number += 1;
        text.clear();
        let kind = decoder.describe(number, message_of(&mut line), &mut text);
        if args.count {
            *counts.entry(kind).or_default() += 1;
            continue;
        }
        text.push('\n');
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

/// Market data first, then the private stream; what neither knows is refused with the market's reason.
struct Decoder {
    market: smc_feeds::binance_spot::Describer,
    private: smc_gateway::binance_spot::Scratch,
    copy: Vec<u8>,
}

impl Decoder {
    fn new() -> Self {
        Self {
            market: smc_feeds::binance_spot::Describer::new(),
            private: smc_gateway::binance_spot::Scratch::new(),
            copy: Vec::new(),
        }
    }

    /// Appends the JSON line and gives the kind.
    fn describe(&mut self, number: u64, message: &mut [u8], out: &mut String) -> String {
        self.copy.clear();
        self.copy.extend_from_slice(message);
        let market = self.market.describe(message);
        if market.kind == "refused" {
            let mut body = String::new();
            let private = smc_gateway::binance_spot::decode(&mut self.copy, &mut self.private, |message| {
                message.write_json(&mut body);
                message.kind()
            });
            if let Ok(kind) = private {
                // The line number goes first, as in every line.
                out.push_str(&format!("{{\"line\":{number},"));
                out.push_str(body.strip_prefix('{').unwrap_or(&body));
                return kind.into();
            }
        }
        market.write_json(number, out);
        market.kind.into()
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
