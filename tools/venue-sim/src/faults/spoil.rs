//! Damage to a text that no reader may take for true: broken, impossible, absurd; and a frame too long for anybody.
//!
//! Damage that could be true (a digit of a price) is left out: TLS and TCP do not let it happen, and no check of
//! either venue's protocol would show it.

use crate::market::random::Random;

/// Bytes that the long frame announces.
const HUGE_BYTES: u64 = 10 << 20;

/// The head of a WebSocket text frame of ten megabytes, of which nothing follows.
pub(super) fn huge_header() -> Vec<u8> {
    let mut bytes = vec![0x81, 127];
    bytes.extend_from_slice(&HUGE_BYTES.to_be_bytes());
    bytes
}

/// The head of a chunk as long, of which nothing follows.
pub(super) fn huge_chunk() -> Vec<u8> {
    format!("{HUGE_BYTES:x}\r\n").into_bytes()
}

/// A damaged copy of a JSON text.
pub(super) fn spoil(text: &str, random: &mut Random) -> String {
    // Quoted numbers are where prices and quantities stand.
    let numbers: Vec<(usize, usize)> = quoted_numbers(text);
    let pick = |random: &mut Random| numbers.get(random.bits() as usize % numbers.len().max(1)).copied();
    let absurd = ["NaN", "-1.00000000", "1e400", "99999999999999999999999999.9", "", "Infinity", "0x10"];
    match (random.bits() % 4, pick(random)) {
        (0, _) => {
            let cut = random.bits() as usize % text.len().max(1);
            text.chars().take(cut).collect()
        }
        (1, _) => format!("{text}}}"),
        (_, None) => text.replacen(':', "", 1),
        (_, Some((from, to))) => {
            let word = absurd.get(random.bits() as usize % absurd.len()).copied().unwrap_or("NaN");
            let (head, tail) = (text.get(..from).unwrap_or(""), text.get(to..).unwrap_or(""));
            format!("{head}{word}{tail}")
        }
    }
}

/// A damaged copy of a binary frame: cut, longer than it says, or of a schema that nobody knows.
pub(super) fn spoil_bytes(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    const SCHEMA_AT: usize = 4;
    match random.bits() % 3 {
        0 => bytes.truncate(random.bits() as usize % bytes.len().max(1)),
        1 => bytes.push(0),
        _ => {
            if let Some(schema) = bytes.get_mut(SCHEMA_AT) {
                *schema = !*schema;
            }
        }
    }
    bytes
}

/// Where texts that are decimal numbers lie, without their quotes.
fn quoted_numbers(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    for part in text.split('"') {
        let is_number = part.contains('.') && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_number {
            found.push((from, from + part.len()));
        }
        from += part.len() + 1;
    }
    found
}
