//! CRC32C (Castagnoli) of a record, by the processor's own instruction where there is one.
//!
//! Pure. Runs on the hot thread once per append and on every reader once per record. The record's checksum
//! covers the payload with its zero padding first and the four header words after it, so that the link to the
//! record before enters last and consecutive records do not wait for each other.

/// Checksum of a record: payload, padding, then `words` (the commit word with its checksum half zero, sequence,
/// time, and kind with flags and link).
#[inline]
pub(crate) fn record(words: [u64; 4], payload: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // The standard library detects once and caches: later calls are one load and a test.
    if std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has SSE4.2, as just checked; that is the function's only requirement.
        return unsafe { record_sse42(words, payload) };
    }
    record_portable(words, payload)
}

/// Copies a record's bytes to plain memory with its checksum, and does nothing else that a journal does: the machine's
/// own limit, beside which an append is measured. False if the slot is too small.
#[inline]
pub fn copy_with_checksum(slot: &mut [u8], seq: u64, payload: &[u8]) -> bool {
    let words = crate::record::header_words(payload.len(), seq, seq, 2, 0, seq as u32);
    let crc = record(words, payload);
    let Some((head, body)) = slot.split_at_mut_checked(32) else { return false };
    let Some(body) = body.get_mut(..payload.len()) else { return false };
    body.copy_from_slice(payload);
    let (chunks, _) = head.as_chunks_mut::<8>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    head[..4].copy_from_slice(&crc.to_le_bytes());
    true
}

/// Checksum of plain bytes: headers and other cold blocks.
pub(crate) fn bytes(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
#[inline]
fn record_sse42(words: [u64; 4], payload: &[u8]) -> u32 {
    use core::arch::x86_64::_mm_crc32_u64;
    let mut crc = u64::from(u32::MAX);
    let (chunks, rest) = payload.as_chunks::<8>();
    for chunk in chunks {
        crc = _mm_crc32_u64(crc, u64::from_le_bytes(*chunk));
    }
    if !rest.is_empty() {
        crc = _mm_crc32_u64(crc, last_word(rest));
    }
    for word in words {
        crc = _mm_crc32_u64(crc, word);
    }
    !(crc as u32)
}

/// The twin, for other processors and for the test that the two agree.
fn record_portable(words: [u64; 4], payload: &[u8]) -> u32 {
    let (chunks, rest) = payload.as_chunks::<8>();
    let mut crc = crc32c::crc32c(chunks.as_flattened());
    if !rest.is_empty() {
        crc = crc32c::crc32c_append(crc, &last_word(rest).to_le_bytes());
    }
    for word in words {
        crc = crc32c::crc32c_append(crc, &word.to_le_bytes());
    }
    crc
}

/// Fewer than eight bytes, zero-padded.
#[inline]
fn last_word(rest: &[u8]) -> u64 {
    rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_check_value() {
        assert_eq!(bytes(b"123456789"), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn the_instruction_and_the_library_agree(
            words in any::<[u64; 4]>(),
            payload in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut plain = payload.clone();
            plain.resize(payload.len().next_multiple_of(8), 0);
            for word in words {
                plain.extend(word.to_le_bytes());
            }
            prop_assert_eq!(record(words, &payload), bytes(&plain));
            prop_assert_eq!(record_portable(words, &payload), bytes(&plain));
        }
    }
}
