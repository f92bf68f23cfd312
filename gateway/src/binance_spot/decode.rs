//! Bytes of the WebSocket API connection to [`Message`]s.
//!
//! Two ways in, one meaning: the hot messages (`executionReport`, the answer to `order.place`) go through a
//! scanner that understands the venue's plain style; everything else, and everything the scanner does not fully
//! understand, goes through simd-json's tape. Both fill the same slots and finish in the same functions, and a
//! property test holds them equal. Neither allocates once [`Scratch`] has grown to the largest message, and no
//! input can make either panic: what cannot be used is a named [`Refusal`].

use super::message::*;
use super::scan::Scanner;
use super::slots::{Slots, limit, order, report};
use super::tape::message;
use simd_json::Buffers;
use simd_json::tape::Tape;

/// The parser's memory, reused from message to message.
pub struct Scratch {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Room for messages of some kilobytes; grows with the largest one seen.
    pub fn new() -> Self {
        Self { buffers: Buffers::new(16 * 1024), tape: Tape(Vec::with_capacity(4 * 1024)) }
    }
}

/// Reads one message and hands it to `read`. The payload may be changed (escapes are resolved in place).
pub fn decode<R>(
    payload: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(Message<'_, '_>) -> R,
) -> Result<R, Refusal> {
    if let Some(message) = scan(payload) {
        return Ok(read(message));
    }
    decode_tape(payload, scratch, read)
}

/// Reads the body of a REST answer. Cold.
pub(super) fn decode_body<R>(
    body: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(Outcome<'_, '_>) -> R,
) -> Result<R, Refusal> {
    let mut tape = std::mem::replace(&mut scratch.tape, Tape(Vec::new())).reset();
    let result = match simd_json::fill_tape(body, &mut scratch.buffers, &mut tape) {
        Ok(()) => super::tape::body(tape.as_value()).map(read),
        Err(_) => Err(Refusal::NotJson),
    };
    scratch.tape = tape.reset();
    result
}

/// The general way, for every message.
fn decode_tape<R>(
    payload: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(Message<'_, '_>) -> R,
) -> Result<R, Refusal> {
    let mut tape = std::mem::replace(&mut scratch.tape, Tape(Vec::new())).reset();
    let result = match simd_json::fill_tape(payload, &mut scratch.buffers, &mut tape) {
        Ok(()) => message(tape.as_value()).map(read),
        Err(_) => Err(Refusal::NotJson),
    };
    scratch.tape = tape.reset();
    result
}

/// Reads the message if it is one of the hot ones in the venue's plain style.
fn scan(payload: &[u8]) -> Option<Message<'_, '_>> {
    let mut scanner = Scanner::new(payload);
    scanner.take(b"{")?;
    let message = if scanner.take(b"\"subscriptionId\":").is_some() {
        scanner.integer()?;
        scanner.take(b",\"event\":{")?;
        let report = scan_report(&mut scanner)?;
        scanner.take(b"}")?;
        Message::Execution(report)
    } else if scanner.take(b"\"id\":").is_some() {
        Message::Answer(scan_answer(&mut scanner)?)
    } else {
        Message::Execution(scan_report(&mut scanner)?)
    };
    scanner.is_at_end().then_some(message)
}

/// The inside of an `executionReport`, whose opening brace is read.
fn scan_report<'a>(scanner: &mut Scanner<'a>) -> Option<ExecutionReport<'a>> {
    scanner.take(b"\"e\":\"executionReport\",")?;
    let mut slots = Slots::<{ report::COUNT }>::new();
    loop {
        let key = scanner.key()?;
        // These could give the message another meaning; leave that to the tape.
        if matches!(key, b"e" | b"event" | b"data") {
            return None;
        }
        slots.set(report::slot(key), scanner.scalar()?);
        if !scanner.has_more(b'}')? {
            break;
        }
    }
    report::finish(&slots).ok()
}

/// The inside of a successful answer about one order, read up to `"id":`.
fn scan_answer<'a>(scanner: &mut Scanner<'a>) -> Option<Answer<'a, 'a>> {
    let id = AnswerId::Number(scanner.integer()?);
    scanner.take(b",\"status\":200,\"result\":{")?;
    let mut slots = Slots::<{ order::COUNT }>::new();
    loop {
        let key = scanner.key()?;
        if !order::is_plain(key) {
            return None;
        }
        slots.set(order::slot(key), scanner.scalar()?);
        if !scanner.has_more(b'}')? {
            break;
        }
    }
    let order = order::finish(&slots).ok()?;
    let mut limits = RateLimits::default();
    if scanner.take(b",\"rateLimits\":[").is_some() {
        loop {
            scanner.take(b"{")?;
            let mut slots = Slots::<{ limit::COUNT }>::new();
            loop {
                let key = scanner.key()?;
                slots.set(limit::slot(key), scanner.scalar()?);
                if !scanner.has_more(b'}')? {
                    break;
                }
            }
            limits.push(limit::finish(&slots).ok()?);
            if !scanner.has_more(b']')? {
                break;
            }
        }
    }
    scanner.take(b"}")?;
    Some(Answer { id, status: 200, outcome: Outcome::Order(order), limits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::messages;
    use proptest::prelude::*;
    use smc_core::words::{Money, Price, Qty, Side};

    /// Everything that is decoded, as text; the refusal where it is refused.
    fn told(raw: &str, way: Way) -> Result<String, Refusal> {
        let mut payload = raw.as_bytes().to_vec();
        let mut scratch = Scratch::new();
        let tell = |message: Message<'_, '_>| {
            let mut text = String::new();
            message.write_json(&mut text);
            format!("{message:?} {text}")
        };
        match way {
            Way::Both => decode(&mut payload, &mut scratch, tell),
            Way::Tape => decode_tape(&mut payload, &mut scratch, tell),
        }
    }

    enum Way {
        Both,
        Tape,
    }

    fn corpus() -> Vec<(String, String)> {
        let user = ["balanceUpdate", "eventStreamTerminated", "executionReport", "externalLockUpdate"]
            .into_iter()
            .chain(["listStatus", "outboundAccountPosition"])
            .map(|name| format!("spot/user/{name}"));
        let answers = ["order.place", "order.cancel", "order.status", "openOrders.status", "account.status"]
            .into_iter()
            .chain([
                "session.logon",
                "session.status",
                "userDataStream.subscribe",
                "time",
                "ping",
                "myTrades",
            ])
            .map(|name| format!("spot/wsapi/{name}.response"));
        user.chain(answers)
            .chain(["spot/wsapi/error".to_owned(), "spot/stream/serverShutdown".to_owned()])
            .flat_map(|name| {
                let path = format!("data/binance/{name}.jsonl");
                messages(&path).into_iter().map(move |raw| (name.clone(), raw)).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn every_line_of_the_corpus_is_understood() {
        let corpus = corpus();
        assert!(corpus.is_empty() || corpus.len() > 50, "{} lines", corpus.len());
        for (name, raw) in corpus {
            let told = told(&raw, Way::Both).unwrap_or_else(|refusal| panic!("{name}: {refusal}: {raw}"));
            let kind = name.rsplit('/').next().unwrap();
            let json: serde_json::Value =
                serde_json::from_str(&told[told.find("{\"kind\"").unwrap()..]).unwrap();
            let expected = if name.contains("wsapi") { "answer" } else { kind };
            assert_eq!(json["kind"], expected, "{raw}");
            assert_ne!(json["outcome"], "other", "{raw}");
        }
    }

    #[test]
    fn a_report_tells_what_the_venue_wrote() {
        let raw = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"ETHBTC","c":"cancel-1",
"S":"SELL","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,
"C":"x0001020000000005","x":"CANCELED","X":"CANCELED","r":"NONE","i":9223372036854775807,"l":"0.00000000",
"z":"0.25000001","L":"0.00000000","n":"0","N":null,"T":1499405658657,"t":-1,"w":true,"m":false,"O":1499405658657,
"Z":"0.00000000","Y":"0.00000000","Q":"0.00000000","W":1499405658657,"V":"NONE"}}"#
            .replace('\n', "");
        assert!(scan(raw.as_bytes()).is_some(), "the hot way must take the venue's own style");
        let mut payload = raw.clone().into_bytes();
        decode(&mut payload, &mut Scratch::new(), |message| {
            let Message::Execution(report) = message else { panic!("{message:?}") };
            assert_eq!(report.client_order_id, "x0001020000000005");
            assert_eq!(report.own_client_id, "cancel-1");
            assert_eq!(report.order_id, 9_223_372_036_854_775_807);
            assert_eq!((report.price, report.cum_qty), (Price(10_264_410), Qty(25_000_001)));
            assert_eq!((report.execution, report.status), (Execution::Canceled, OrderStatus::Canceled));
            assert_eq!((report.side, report.trade_id, report.fee), (Side::Sell, None, Money::ZERO));
            assert_eq!(report.time_ms, 1_499_405_658_657);
        })
        .unwrap();
        let finer = raw.replace("0.25000001", "0.250000001");
        assert!(matches!(told(&finer, Way::Both), Err(Refusal::BadDecimal { field: "z", .. })));
        let unknown = raw.replace("\"x\":\"CANCELED\"", "\"x\":\"BORED\"");
        assert_eq!(told(&unknown, Way::Both), Err(Refusal::UnknownWord { field: "x" }));
    }

    #[test]
    fn odd_messages_are_refused_by_name() {
        let refused = |raw: &str| told(raw, Way::Both).unwrap_err();
        assert_eq!(refused(""), Refusal::NotJson);
        assert_eq!(refused("{"), Refusal::NotJson);
        assert_eq!(refused("[1]"), Refusal::UnknownShape);
        assert_eq!(refused("{}"), Refusal::UnknownShape);
        assert_eq!(refused("{\"event\":3}"), Refusal::UnknownShape);
        assert!(matches!(refused("{\"e\":\"kline\",\"E\":1}"), Refusal::UnknownEvent { .. }));
        assert_eq!(refused("{\"e\":\"serverShutdown\"}"), Refusal::Missing { field: "E" });
        assert_eq!(refused("{\"id\":1,\"status\":200}"), Refusal::Missing { field: "result" });
        assert_eq!(
            refused("{\"id\":1,\"status\":70000,\"result\":{}}"),
            Refusal::WrongType { field: "status" }
        );
    }

    /// A message of the corpus with a few bytes changed, cut or doubled.
    fn damaged() -> impl Strategy<Value = String> {
        let corpus: Vec<String> = corpus().into_iter().map(|(_, raw)| raw).collect();
        let fallback = vec!["{\"e\":\"serverShutdown\",\"E\":1}".to_owned()];
        let corpus = if corpus.is_empty() { fallback } else { corpus };
        let edits = proptest::collection::vec((any::<prop::sample::Index>(), 0u8..6, any::<u8>()), 0..4);
        (prop::sample::select(corpus), edits).prop_map(|(raw, edits)| {
            let mut bytes = raw.into_bytes();
            for (at, edit, byte) in edits {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match edit {
                    0 => bytes[at] = byte & 0x7f,
                    1 => bytes[at] = b"0123456789-.,:{}[]\"\\e"[usize::from(byte) % 21],
                    2 => drop(bytes.remove(at)),
                    3 => bytes.insert(at, b"0123456789-.,:{}[]\" "[usize::from(byte) % 20]),
                    4 => bytes.truncate(at),
                    _ => {
                        let end = (at + usize::from(byte)).min(bytes.len());
                        let piece = bytes[at..end].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_scanner_agrees_with_the_parser_and_nothing_panics(raw in damaged()) {
            let both = told(&raw, Way::Both);
            prop_assert_eq!(both, told(&raw, Way::Tape));
        }
    }
}
