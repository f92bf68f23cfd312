//! Market streams: names, subscriptions of a connection, control requests.
//!
//! Pure. What a stream carries is made by `feed`; this file only knows who wants what.

use super::candles::{INTERVALS, interval_index};
use crate::dialect::json::to_text;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Streams one connection may hold.
const STREAMS_MAX: usize = 1_024;

/// What a stream carries, without its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Every trade.
    Trade,
    /// Trades of one taker at one price.
    AggTrade,
    /// Best bid and ask.
    BookTicker,
    /// Changes of the book, every so many ticks of 100 ms.
    Depth(u64),
    /// The best levels, every so many ticks of 100 ms.
    PartialDepth(usize, u64),
    /// Candles of one interval, by index.
    Kline(usize),
    /// Every trade, in binary.
    BinaryTrade,
    /// Best bid and ask, in binary.
    BinaryBest,
    /// Changes of the book, in binary.
    BinaryDepth,
    /// The best twenty levels, in binary.
    BinaryDepth20,
}

/// What streams of a market carry. The control protocol is the same on spot and futures; the names are not.
pub trait Kind: Copy + PartialEq {
    /// Splits a stream name into its symbol and what it carries; none when it is malformed.
    fn parse(name: &str) -> Option<(&str, Self)>;

    /// Whether the symbol stands for itself in any case, and is no lower-case symbol.
    fn is_exact(self) -> bool {
        false
    }
}

impl Kind for StreamKind {
    fn parse(name: &str) -> Option<(&str, Self)> {
        parse_name(name)
    }
}

/// One stream: a symbol's index and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream<K = StreamKind> {
    /// Index of the symbol.
    pub symbol: usize,
    /// What it carries.
    pub kind: K,
}

/// Splits a stream name into its lower-case symbol and what it carries; none when it is malformed.
pub fn parse_name(name: &str) -> Option<(&str, StreamKind)> {
    let (symbol, what) = name.split_once('@')?;
    let kind = match what.split_once('@').unwrap_or((what, "")) {
        ("trade", "") => StreamKind::Trade,
        ("aggTrade", "") => StreamKind::AggTrade,
        ("bookTicker", "") => StreamKind::BookTicker,
        ("depth", speed) => StreamKind::Depth(ticks(speed)?),
        ("depth5", speed) => StreamKind::PartialDepth(5, ticks(speed)?),
        ("depth10", speed) => StreamKind::PartialDepth(10, ticks(speed)?),
        ("depth20", speed) => StreamKind::PartialDepth(20, ticks(speed)?),
        (kline, "") => StreamKind::Kline(interval_index(kline.strip_prefix("kline_")?)?),
        _ => return None,
    };
    (!symbol.is_empty()).then_some((symbol, kind))
}

fn ticks(speed: &str) -> Option<u64> {
    match speed {
        "" | "1000ms" => Some(10),
        "100ms" => Some(1),
        _ => None,
    }
}

/// The name of a stream as the venue writes it.
pub fn stream_name(symbol: &str, kind: StreamKind) -> String {
    let symbol = symbol.to_lowercase();
    let speed = |ticks: u64| if ticks == 1 { "@100ms" } else { "" };
    match kind {
        StreamKind::Trade => format!("{symbol}@trade"),
        StreamKind::AggTrade => format!("{symbol}@aggTrade"),
        StreamKind::BookTicker => format!("{symbol}@bookTicker"),
        StreamKind::Depth(every) => format!("{symbol}@depth{}", speed(every)),
        StreamKind::PartialDepth(levels, every) => format!("{symbol}@depth{levels}{}", speed(every)),
        StreamKind::Kline(interval) => {
            format!("{symbol}@kline_{}", INTERVALS.get(interval).map_or("", |(name, _)| name))
        }
        StreamKind::BinaryTrade => format!("{symbol}@trade"),
        StreamKind::BinaryBest => format!("{symbol}@bestBidAsk"),
        StreamKind::BinaryDepth => format!("{symbol}@depth"),
        StreamKind::BinaryDepth20 => format!("{symbol}@depth20"),
    }
}

/// Splits a stream name into its symbol and what it carries.
pub type Parse<K> = fn(&str) -> Option<(&str, K)>;

/// One market stream connection.
#[derive(Clone, Debug)]
pub struct StreamSession<K = StreamKind> {
    /// Names as subscribed, in order; none where the venue has no such symbol: it stays silent.
    subscriptions: Vec<(String, Option<Stream<K>>)>,
    /// How the names of its streams are read.
    parse: Parse<K>,
    /// Whether events come in an envelope with the stream's name.
    pub is_combined: bool,
}

/// The answer to one control request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlAnswer<K = StreamKind> {
    /// The text to send.
    pub text: String,
    /// Streams added by the request.
    pub added: Vec<Stream<K>>,
}

impl<K: Kind> StreamSession<K> {
    /// A session without streams.
    pub const fn empty(is_combined: bool) -> Self {
        Self { subscriptions: Vec::new(), parse: K::parse, is_combined }
    }

    /// A session from the path and query of its upgrade request; none when the venue has no such path.
    pub fn open(target: &str, symbol_index: &dyn Fn(&str) -> Option<usize>) -> Option<Result<Self, String>> {
        Self::open_by(K::parse, target, symbol_index)
    }

    /// The same for streams of other names.
    pub fn open_by(
        parse: Parse<K>,
        target: &str,
        symbol_index: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Result<Self, String>> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let names: Vec<&str> = if path == "/stream" {
            let streams = query.split('&').find_map(|pair| pair.strip_prefix("streams="));
            streams.unwrap_or("").split('/').collect()
        } else {
            path.strip_prefix("/ws")
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))?
                .split('/')
                .collect()
        };
        let mut session = Self { subscriptions: Vec::new(), parse, is_combined: path == "/stream" };
        for name in names.into_iter().filter(|name| !name.is_empty()) {
            let name = super::params::percent_decode(name);
            if session.subscribe(&name, symbol_index).is_none() {
                return Some(Err(name));
            }
        }
        Some(Ok(session))
    }

    /// What the session wants, in order.
    pub fn streams(&self) -> impl Iterator<Item = Stream<K>> + '_ {
        self.subscriptions.iter().filter_map(|(_, stream)| *stream)
    }

    /// The name under which the session wants a stream.
    pub fn name_of(&self, wanted: Stream<K>) -> Option<&str> {
        let is_it = |(_, stream): &&(String, Option<Stream<K>>)| *stream == Some(wanted);
        self.subscriptions.iter().find(is_it).map(|(name, _)| name.as_str())
    }

    /// The event as this session receives it.
    pub fn wrap(&self, name: &str, event: &str) -> String {
        if self.is_combined {
            format!("{{\"stream\":{},\"data\":{event}}}", to_text(name))
        } else {
            event.to_owned()
        }
    }

    /// A text that sorts connections by purpose: what they are subscribed to.
    pub fn purpose(&self) -> String {
        let names: Vec<&str> = self.subscriptions.iter().map(|(name, _)| name.as_str()).collect();
        names.join("/")
    }

    /// Adds a stream; none when the name is malformed or the connection is full.
    pub fn subscribe(
        &mut self,
        name: &str,
        symbol_index: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Option<Stream<K>>> {
        let (symbol, kind) = (self.parse)(name)?;
        // Symbols in stream names are lower case; in any other case the live venue stays silent too.
        let is_lower = symbol.chars().all(|c| !c.is_uppercase());
        let index = match kind.is_exact() {
            true => symbol_index(symbol),
            false => is_lower.then(|| symbol_index(&symbol.to_uppercase())).flatten(),
        };
        let stream = index.map(|symbol| Stream { symbol, kind });
        if self.subscriptions.iter().all(|(known, _)| known != name) {
            if self.subscriptions.len() >= STREAMS_MAX {
                return None;
            }
            self.subscriptions.push((name.to_owned(), stream));
        }
        Some(stream)
    }

    /// Answers one control request.
    pub fn control(&mut self, text: &str, symbol_index: &dyn Fn(&str) -> Option<usize>) -> ControlAnswer<K> {
        let mut added = Vec::new();
        let text = match self.try_control(text, symbol_index, &mut added) {
            Ok((result, id)) => format!("{{\"result\":{result},\"id\":{id}}}"),
            Err(Refusal { code, msg, id: Some(id) }) => {
                format!("{{\"error\":{{\"code\":{code},\"msg\":{}}},\"id\":{id}}}", to_text(&msg))
            }
            Err(Refusal { code, msg, id: None }) => format!("{{\"code\":{code},\"msg\":{}}}", to_text(&msg)),
        };
        ControlAnswer { text, added }
    }

    fn try_control(
        &mut self,
        text: &str,
        symbol_index: &dyn Fn(&str) -> Option<usize>,
        added: &mut Vec<Stream<K>>,
    ) -> Result<(String, String), Refusal> {
        let request: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| Refusal {
            code: 3,
            msg: format!("Invalid JSON: {error}"),
            id: None,
        })?;
        let id = request.get("id").map_or("null", |id| id.get()).to_owned();
        let refuse = |code, msg: &str| Refusal { code, msg: msg.to_owned(), id: Some(id.clone()) };
        let method =
            request.get("method").ok_or_else(|| refuse(2, "Invalid request: missing field `method`"))?;
        let method: String = serde_json::from_str(method.get())
            .map_err(|_| refuse(2, "Invalid request: method must be a string"))?;
        let params = request.get("params").map_or("[]", |params| params.get());
        let names = || {
            serde_json::from_str::<Vec<String>>(params)
                .map_err(|_| refuse(2, "Invalid request: params must be a list of stream names"))
        };
        let result = match method.as_str() {
            "SUBSCRIBE" => {
                for name in names()? {
                    let stream = self
                        .subscribe(&name, symbol_index)
                        .ok_or_else(|| refuse(2, "Invalid request: invalid stream"))?;
                    added.extend(stream);
                }
                "null".to_owned()
            }
            "UNSUBSCRIBE" => {
                let names = names()?;
                self.subscriptions.retain(|(name, _)| !names.contains(name));
                "null".to_owned()
            }
            "LIST_SUBSCRIPTIONS" => {
                let names: Vec<&str> = self.subscriptions.iter().map(|(name, _)| name.as_str()).collect();
                to_text(&names)
            }
            "SET_PROPERTY" => {
                let (name, value) = property(params)
                    .ok_or_else(|| refuse(2, "Invalid request: property name must be a string"))?;
                self.set_property(&name, &value).map_err(|(code, msg)| refuse(code, msg))?;
                "null".to_owned()
            }
            "GET_PROPERTY" => {
                let (name, _) = property(params)
                    .ok_or_else(|| refuse(2, "Invalid request: property name must be a string"))?;
                if name != "combined" {
                    return Err(refuse(0, "Unknown property"));
                }
                self.is_combined.to_string()
            }
            other => {
                let msg = format!(
                    "Invalid request: unknown variant `{other}`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
                );
                return Err(refuse(2, &msg));
            }
        };
        Ok((result, id))
    }

    fn set_property(&mut self, name: &str, value: &str) -> Result<(), (i32, &'static str)> {
        match (name, value) {
            ("combined", "true") => self.is_combined = true,
            ("combined", "false") => self.is_combined = false,
            ("combined", _) => return Err((1, "Invalid value type: expected Boolean")),
            _ => return Err((0, "Unknown property")),
        }
        Ok(())
    }
}

struct Refusal {
    code: i32,
    msg: String,
    /// The request's id as sent, when it could be read.
    id: Option<String>,
}

/// Name and raw value of a property request: `["combined",true]`.
fn property(params: &str) -> Option<(String, String)> {
    let parts: Vec<&RawValue> = serde_json::from_str(params).ok()?;
    let name = serde_json::from_str(parts.first()?.get()).ok()?;
    Some((name, parts.get(1).map_or("", |value| value.get()).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(symbol: &str) -> Option<usize> {
        (symbol == "BTCUSDT").then_some(0)
    }

    #[test]
    fn names_read_back() {
        for name in [
            "btcusdt@trade",
            "btcusdt@aggTrade",
            "btcusdt@bookTicker",
            "btcusdt@depth",
            "btcusdt@depth@100ms",
            "btcusdt@depth5@100ms",
            "btcusdt@kline_15m",
        ] {
            let (symbol, kind) = parse_name(name).unwrap();
            assert_eq!(stream_name(symbol, kind), name);
        }
        for name in ["btcusdt", "@trade", "btcusdt@depth@10ms", "btcusdt@kline_7m", "btcusdt@nothing", ""] {
            assert_eq!(parse_name(name), None, "{name}");
        }
    }

    #[test]
    fn paths_open_sessions() {
        let open = |target| StreamSession::<StreamKind>::open(target, &index);
        assert!(open("/api/v3/time").is_none());
        assert!(open("/wsx").is_none());
        assert!(open("/ws/btcusdt@nothing").unwrap().is_err());
        let raw = open("/ws/btcusdt@trade/ethusdt@trade").unwrap().unwrap();
        assert_eq!((raw.is_combined, raw.streams().count()), (false, 1));
        let combined = open("/stream?streams=btcusdt@trade/btcusdt@depth@100ms&timeUnit=X").unwrap().unwrap();
        assert_eq!((combined.is_combined, combined.streams().count()), (true, 2));
        assert!(open("/stream").unwrap().unwrap().is_combined);
    }

    #[test]
    fn control_requests_are_answered_in_the_venues_shape() {
        let mut session = StreamSession::<StreamKind>::empty(false);
        let mut ask = |text: &str| session.control(text, &index).text;
        assert_eq!(
            ask(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#),
            r#"{"result":null,"id":1}"#
        );
        assert_eq!(
            ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":"x"}"#),
            r#"{"result":["btcusdt@trade"],"id":"x"}"#
        );
        assert_eq!(
            ask(r#"{"method":"SET_PROPERTY","params":["combined",true],"id":5}"#),
            r#"{"result":null,"id":5}"#
        );
        assert_eq!(
            ask(r#"{"method":"GET_PROPERTY","params":["combined"],"id":2}"#),
            r#"{"result":true,"id":2}"#
        );
        assert!(
            ask(r#"{"method":"SET_PROPERTY","params":["combined",5],"id":2}"#).contains("expected Boolean")
        );
        assert!(ask("{").starts_with(r#"{"code":3,"#));
        assert_eq!(
            ask(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":6}"#),
            r#"{"result":null,"id":6}"#
        );
        assert_eq!(ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":7}"#), r#"{"result":[],"id":7}"#);
    }
}
