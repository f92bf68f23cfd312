//! Which streams, in which control frames: all texts are made once, at start.

use smc_core::words::{InstrumentId, Name};

use super::dialect::Dialect;
use super::settings::{FeedError, FeedSettings, STREAMS_MAX, TradeStream};

/// Streams named in one SUBSCRIBE; small enough for any venue's frame limit.
const STREAMS_PER_FRAME: usize = 200;

/// Numbers of the frames that ask for silent streams again: their answers are not waited for.
const AGAIN_ID: u64 = 1_000_000;

/// The control frames of one connection.
pub struct Frames {
    /// What every new connection sends, numbered from 1. Empty where nothing is wanted of this connection.
    pub subscribe: Vec<Vec<u8>>,
    /// For each instrument, to be sent when one of its streams is silent: unsubscribe, subscribe.
    pub again: Vec<[Vec<u8>; 2]>,
}

impl Frames {
    /// Checks the settings against the venue's limits and makes the texts, those of each connection.
    pub fn new<D: Dialect>(
        settings: &FeedSettings,
        instruments: &[(InstrumentId, Name)],
    ) -> Result<Vec<Self>, FeedError> {
        check::<D>(settings, instruments)?;
        let lines = (0..D::LINES).map(|line| Self::of_line::<D>(settings, instruments, line));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        if lines.iter().all(|frames| frames.subscribe.is_empty()) {
            return Err(FeedError::NoStreams);
        }
        Ok(lines)
    }

    fn of_line<D: Dialect>(
        settings: &FeedSettings,
        instruments: &[(InstrumentId, Name)],
        line: usize,
    ) -> Result<Self, FeedError> {
        let streams = &settings.streams;
        let lower = |symbol: &Name| symbol.as_str().to_lowercase();
        let of = |(_, symbol): &(InstrumentId, Name)| D::streams(streams, line, &lower(symbol));
        let per_instrument: Vec<Vec<String>> = instruments.iter().map(of).collect();
        let mut all: Vec<String> = per_instrument.concat();
        all.extend(D::common_streams(streams, line));
        if all.len() > STREAMS_MAX {
            return Err(FeedError::TooManyStreams { needed: all.len(), max: STREAMS_MAX });
        }
        let subscribe =
            (1..).zip(all.chunks(STREAMS_PER_FRAME)).map(|(id, part)| frame("SUBSCRIBE", part, id));
        let again = per_instrument
            .iter()
            .map(|names| ["UNSUBSCRIBE", "SUBSCRIBE"].map(|method| frame(method, names, AGAIN_ID)));
        Ok(Self { subscribe: subscribe.collect(), again: again.collect() })
    }
}

fn check<D: Dialect>(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<(), FeedError> {
    if instruments.is_empty() {
        return Err(FeedError::NoInstruments);
    }
    for (at, (_, symbol)) in instruments.iter().enumerate() {
        if symbol.as_bytes().is_empty() {
            return Err(FeedError::EmptySymbol);
        }
        if instruments.iter().take(at).any(|(_, earlier)| earlier == symbol) {
            return Err(FeedError::DuplicateSymbol(*symbol));
        }
    }
    let (asked, max) = (settings.snapshot_limit, D::SNAPSHOT_LIMIT_MAX);
    if !(1..=max).contains(&asked) {
        return Err(FeedError::SnapshotLimit { asked, max });
    }
    if D::IS_BINARY && settings.binary.is_none() {
        return Err(FeedError::NoBinaryStream);
    }
    if D::IS_BINARY && settings.streams.trades == TradeStream::Aggregate {
        return Err(FeedError::NoAggregates);
    }
    let mut klines = settings.streams.klines.into_iter().flatten();
    match klines.find(|timeframe| !D::KLINE_SECS.contains(&timeframe.secs())) {
        Some(timeframe) => Err(FeedError::NoSuchKline(timeframe)),
        None => Ok(()),
    }
}

fn frame(method: &str, names: &[String], id: u64) -> Vec<u8> {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{}\"", json_escaped(name))).collect();
    format!("{{\"method\":\"{method}\",\"params\":[{}],\"id\":{id}}}", quoted.join(",")).into_bytes()
}

fn json_escaped(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).fold(String::new(), |mut out, character| {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
        out
    })
}

/// The symbol as a URL's query takes it: some of the venue's symbols are not ASCII.
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
