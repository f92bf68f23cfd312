//! Which topics, in which requests: all texts are made once, at start.
//!
//! One bad topic refuses its whole request, and the answer names the request alone. So a request never speaks of more
//! than one instrument: what the venue does not know costs nobody else anything.

use smc_core::words::{InstrumentId, Name};

use super::message::interval_of;
use super::settings::{FeedError, FeedSettings, TOPIC_CHARS_MAX, TOPICS_PER_REQUEST};

/// Depths of the venue's books, besides the best prices.
const DEPTHS: [u16; 3] = [50, 200, 1_000];

/// Numbers of requests that ask again: their answers are not waited for.
const AGAIN_ID: u64 = 1_000_000;

/// The ping, sent every 20 s.
pub const PING: &[u8] = b"{\"req_id\":\"0\",\"op\":\"ping\"}";

/// One request of a new connection.
pub struct Request {
    /// Its number, from 1.
    pub id: u64,
    /// Place of its instrument.
    pub place: usize,
    /// What is sent.
    pub frame: Vec<u8>,
}

/// The control frames of one connection.
pub struct Frames {
    /// What every new connection sends.
    pub subscribe: Vec<Request>,
    /// For each instrument, when its book is out of step: unsubscribe, subscribe.
    pub book_again: Vec<[Vec<u8>; 2]>,
    /// For each instrument, when a topic is silent: all its topics, unsubscribed and subscribed.
    pub all_again: Vec<Vec<Vec<u8>>>,
}

impl Frames {
    /// Checks the settings against the venue's limits and makes the texts.
    pub fn new(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<Self, FeedError> {
        check(settings, instruments)?;
        let topics: Vec<Vec<String>> =
            instruments.iter().map(|(_, symbol)| topics(settings, symbol)).collect();
        let needed = topics.iter().flatten().map(String::len).sum();
        if needed == 0 {
            return Err(FeedError::NoStreams);
        }
        if needed > TOPIC_CHARS_MAX {
            return Err(FeedError::TooManyTopics { needed, max: TOPIC_CHARS_MAX });
        }
        let parts = topics
            .iter()
            .enumerate()
            .flat_map(|(place, topics)| topics.chunks(TOPICS_PER_REQUEST).map(move |part| (place, part)));
        let subscribe = (1..)
            .zip(parts)
            .map(|(id, (place, part))| Request { id, place, frame: frame("subscribe", part, id) })
            .collect();
        let both = |part: &[String]| ["unsubscribe", "subscribe"].map(|op| frame(op, part, AGAIN_ID));
        let book_again = instruments
            .iter()
            .map(|(_, symbol)| {
                let book = settings.streams.depth.map(|depth| format!("orderbook.{depth}.{symbol}"));
                both(&Vec::from_iter(book))
            })
            .collect();
        let all_again =
            topics.iter().map(|topics| topics.chunks(TOPICS_PER_REQUEST).flat_map(both).collect()).collect();
        Ok(Self { subscribe, book_again, all_again })
    }
}

fn check(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Result<(), FeedError> {
    if instruments.is_empty() {
        return Err(FeedError::NoInstruments);
    }
    for (at, (_, symbol)) in instruments.iter().enumerate() {
        let is_plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'-';
        if symbol.as_bytes().is_empty() || !symbol.as_bytes().iter().all(is_plain) {
            return Err(FeedError::BadSymbol(*symbol));
        }
        if instruments.iter().take(at).any(|(_, earlier)| earlier == symbol) {
            return Err(FeedError::DuplicateSymbol(*symbol));
        }
    }
    if let Some(depth) = settings.streams.depth.filter(|depth| !DEPTHS.contains(depth)) {
        return Err(FeedError::NoSuchDepth(depth));
    }
    let mut klines = settings.streams.klines.into_iter().flatten();
    match klines.find(|&timeframe| interval_of(timeframe).is_none()) {
        Some(timeframe) => Err(FeedError::NoSuchKline(timeframe)),
        None => Ok(()),
    }
}

fn topics(settings: &FeedSettings, symbol: &Name) -> Vec<String> {
    let streams = &settings.streams;
    let mut topics = Vec::new();
    if let Some(depth) = streams.depth {
        topics.push(format!("orderbook.{depth}.{symbol}"));
    }
    if streams.best {
        topics.push(format!("orderbook.1.{symbol}"));
    }
    if streams.trades {
        topics.push(format!("publicTrade.{symbol}"));
    }
    if streams.ticker {
        topics.push(format!("tickers.{symbol}"));
    }
    for interval in streams.klines.into_iter().flatten().filter_map(interval_of) {
        topics.push(format!("kline.{interval}.{symbol}"));
    }
    topics
}

/// Symbols are plain, so nothing needs escaping.
fn frame(op: &str, topics: &[String], id: u64) -> Vec<u8> {
    let quoted: Vec<String> = topics.iter().map(|topic| format!("\"{topic}\"")).collect();
    format!("{{\"req_id\":\"{id}\",\"op\":\"{op}\",\"args\":[{}]}}", quoted.join(",")).into_bytes()
}
