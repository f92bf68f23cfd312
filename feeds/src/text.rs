//! Where a text ends: a text of printable ASCII without escapes, so that its bytes are the text.
//!
//! A name of a few bytes is looked at byte by byte: the processor guesses its length and reads on. Measured, eight bytes at a
//! time are slower there (`spot bookTicker` 75 ns and 91 ns), because what follows must wait for where the text ends; they win
//! from about thirty bytes on, which are time stamps and UUIDs (`benches/compare`).
//!
//! The idea of the long way: every test for a byte is done for eight of them in one word, and leaves the top bit of each byte
//! that passes it. A borrow can make such a bit only above one that is right, so the lowest bit of all tests is exact.

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Bytes before the closing quote of a short text whose opening quote has been passed. None where anything else but printable
/// ASCII without escapes comes before a quote.
#[inline]
pub fn short_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|&byte| is_stop(byte))?;
    (bytes.get(end) == Some(&b'"')).then_some(end)
}

/// The same of a long text.
#[inline]
pub fn long_len(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    while let Some(chunk) = bytes.get(len..).and_then(|rest| rest.first_chunk::<8>()) {
        let stops = stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            len += (stops.trailing_zeros() / 8) as usize;
            return (bytes.get(len) == Some(&b'"')).then_some(len);
        }
        len += 8;
    }
    Some(len + short_len(bytes.get(len..)?)?)
}

/// The byte ends a plain text, well or badly.
const fn is_stop(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20 | 0x7f..)
}

/// Top bits; the lowest is that of the first byte that ends a plain text.
#[inline]
const fn stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let escape = word ^ (ONES * b'\\' as u64);
    let is_zero = (quote.wrapping_sub(ONES) & !quote) | (escape.wrapping_sub(ONES) & !escape);
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    let is_beyond = ((word & !TOPS) + ONES) | word;
    (is_zero | is_control | is_beyond) & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of texts of every length around a word's.
    #[test]
    fn the_long_way_ends_where_the_short_one_does() {
        for len in 0..20 {
            for fill in [b'0', b'~', b' ', b'!', b'#', b'['] {
                let mut bytes = vec![fill; len];
                assert_eq!(long_len(&bytes), None);
                bytes.extend_from_slice(b"\",\"x\":\"\\");
                for at in 0..bytes.len() {
                    for byte in 0..=255 {
                        let mut changed = bytes.clone();
                        changed[at] = byte;
                        assert_eq!(long_len(&changed), short_len(&changed), "{changed:?}");
                    }
                }
            }
        }
    }
}
