//! Which streams, in which control frames: all texts are made once, at start.

use smc_core::words::{InstrumentId, Name};

use super::settings::{FeedError, FeedSettings, STREAMS_MAX, TradeStream};

/// Streams named in one SUBSCRIBE; small enough for any venue's frame limit.
const STREAMS_PER_FRAME: usize = 200;

/// Candle lengths in seconds that the venue has and the engine can use.
pub const KLINE_SECS: [u32; 13] =
    [1, 60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400];

/// Numbers of the frames that ask for silent streams again: their answers are not waited for.
const AGAIN_ID: u64 = 1_000_000;

/// The control frames of one connection.
pub struct Frames {
    /// What every new connection sends, numbered from 1.
    pub subscribe: Vec<Vec<u8>>,
    /// For each instrument, to be sent when one of its streams is silent: unsubscribe, subscribe.
    pub again: Vec<[Vec<u8>; 2]>,
}

impl Frames {
    /// Checks the settings against the venue's limits and makes the texts.
    pub fn new(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<Self, FeedError> {
        check(settings, instruments)?;
        let per_instrument: Vec<Vec<String>> =
            instruments.iter().map(|(_, symbol)| streams(settings, symbol)).collect();
        let all: Vec<String> = per_instrument.concat();
        if all.is_empty() {
            return Err(FeedError::NoStreams);
        }
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

fn check(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<(), FeedError> {
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
    if !(1..=5_000).contains(&settings.snapshot_limit) {
        return Err(FeedError::SnapshotLimit(settings.snapshot_limit));
    }
    let mut klines = settings.streams.klines.into_iter().flatten();
    match klines.find(|timeframe| !KLINE_SECS.contains(&timeframe.secs())) {
        Some(timeframe) => Err(FeedError::NoSuchKline(timeframe)),
        None => Ok(()),
    }
}

fn streams(settings: &FeedSettings, symbol: &Name) -> Vec<String> {
    let lower = symbol.as_str().to_lowercase();
    let mut names = Vec::new();
    match settings.streams.trades {
        TradeStream::None => {}
        TradeStream::Single => names.push(format!("{lower}@trade")),
        TradeStream::Aggregate => names.push(format!("{lower}@aggTrade")),
    }
    if settings.streams.book_ticker {
        names.push(format!("{lower}@bookTicker"));
    }
    if settings.streams.depth {
        names.push(format!("{lower}@depth@100ms"));
    }
    for timeframe in settings.streams.klines.into_iter().flatten() {
        names.push(format!("{lower}@kline_{timeframe}"));
    }
    names
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
