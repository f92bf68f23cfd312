//! The binary market streams of spot: who may have them, and every byte of what they carry.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::desk::{Desk, order};
use common::{API_KEY, START};
use serde_json::json;
use venue_sim::dialect::{Dialect, Frame};

const BINARY: u64 = 7;
const PATH: &str = "/ws/btcusdt@trade/btcusdt@bestBidAsk/btcusdt@depth/btcusdt@depth20";

fn key(key: &str) -> [(String, String); 1] {
    [("x-mbx-apikey".to_owned(), key.to_owned())]
}

fn frames(desk: &mut Desk) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((conn, frame)) = desk.venue.pop_frame() {
        if let (BINARY, Frame::Binary(bytes)) = (conn, frame) {
            frames.push(bytes);
        }
    }
    frames
}

/// A frame from its parts, each number little-endian.
fn frame(header: [u16; 2], parts: &[&[u8]]) -> Vec<u8> {
    let words = [header[0], header[1], 1, 0];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.extend_from_slice(b"\x07BTCUSDT");
    bytes
}

fn numbers(numbers: &[i64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn only_a_known_ed25519_key_reads_them_and_without_one_the_names_are_json() {
    let mut desk = Desk::new(&[]);
    assert!(desk.venue.open_with(BINARY, PATH, &key("nobody")).is_none());
    assert!(desk.venue.open_with(BINARY, PATH, &[]).is_none(), "no JSON stream has such a name");
    assert!(desk.venue.open_with(BINARY, "/ws/btcusdt@bookTicker", &key(API_KEY)).is_none());
    assert!(desk.venue.open_with(BINARY, PATH, &key(API_KEY)).is_some());
    desk.venue.on_text(BINARY, r#"{"method":"LIST_SUBSCRIPTIONS","id":4}"#);
    let answer = std::iter::from_fn(|| desk.venue.pop_frame()).find_map(|(conn, frame)| match frame {
        Frame::Text(text) if conn == BINARY => Some(text),
        _ => None,
    });
    let names = r#"["btcusdt@trade","btcusdt@bestBidAsk","btcusdt@depth","btcusdt@depth20"]"#;
    assert_eq!(answer.unwrap(), format!(r#"{{"result":{names},"id":4}}"#));
}

/// A client takes two levels: a frame for each trade, the new best prices, then the change of the book.
#[test]
fn frames_are_laid_out_as_the_schema_says() {
    let mut desk = Desk::new(&[]);
    assert!(desk.venue.open_with(BINARY, PATH, &key(API_KEY)).is_some());
    frames(&mut desk);
    let update = desk.venue.exchange().market(0).unwrap().book.update_id() as i64;
    let now = desk.now_ms() as i64 * 1_000;
    let wanted = json!({"type": "MARKET", "price": null, "timeInForce": null, "quantity": "7.00000"});
    let mut request = order(wanted);
    request["timestamp"] = json!(desk.now_ms());
    let text = json!({"id": "q", "method": "order.place", "params": request}).to_string();
    desk.venue.on_text(common::desk::API, &text);
    let took = frames(&mut desk);
    assert_eq!(took.len(), 3, "{took:?}");
    let first_trade = i64::from_le_bytes(took[0][32..40].try_into().unwrap());
    let unit = 100_000_000;
    let eights = [0xf8, 0xf8];
    let trade = |id: i64, price: i64, qty: i64| [numbers(&[id, price * unit, qty * unit]), vec![0]].concat();
    let trades = [trade(first_trade, 101, 5), trade(first_trade + 1, 102, 2)];
    let group = [25, 0, 1, 0, 0, 0];
    for (took, trade) in took.iter().zip(&trades) {
        assert_eq!(*took, frame([18, 10_000], &[&numbers(&[now, now]), &eights, &group, trade]));
    }
    let tops = numbers(&[100 * unit, 5 * unit, 102 * unit, 3 * unit]);
    let ids = numbers(&[now, update + 2]);
    assert_eq!(took[2], frame([50, 10_001], &[&ids, &eights, &tops]));

    while desk.venue.now().0 <= START.0 {
        desk.venue.step();
    }
    let ticked = frames(&mut desk);
    let now = desk.now_ms() as i64 * 1_000;
    let none = [16, 0, 0, 0];
    let asks = numbers(&[101 * unit, 0, 102 * unit, 3 * unit]);
    let ids = numbers(&[now, update + 1, update + 2]);
    let changes = frame([26, 10_003], &[&ids, &eights, &none, &[16, 0, 2, 0], &asks]);
    assert_eq!(ticked.first(), Some(&changes));
    let sides = [numbers(&[100 * unit, 5 * unit, 99 * unit, 5 * unit]), numbers(&[102 * unit, 3 * unit])];
    let ids = numbers(&[now, update + 2]);
    let best = frame([18, 10_002], &[&ids, &eights, &[16, 0, 2, 0], &sides[0], &[16, 0, 1, 0], &sides[1]]);
    assert_eq!(ticked.get(1), Some(&best));
}
