//! The receive buffer: bytes arrive at its end, are opened in place, and leave at its front.
//!
//! ```text
//!  0        plain        plain_end      cipher        filled            capacity
//!  |  used  | opened, not yet | headers, | received, not | free: the socket |
//!  |        | consumed        | tags     | yet opened    | reads here       |
//! ```
//!
//! Bytes move only when a frame spans records (the later part closes the gap of header and tag) and when the free end
//! runs short. Pure, and it never grows.

/// The longest record TLS 1.2 may send, header included: less free space than this asks for compaction.
pub(crate) const RECORD_BYTES_MAX: usize = 5 + 16_384 + 2_048;

/// Bytes touched when the buffer is made, so that the first messages find mapped pages.
const PREFAULT_BYTES: usize = 128 * 1024;

/// One buffer for the bytes of one connection.
///
/// Invariant: `plain <= plain_end <= cipher <= filled <= bytes.len()`.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    plain: usize,
    plain_end: usize,
    cipher: usize,
    filled: usize,
}

impl Inbox {
    /// A buffer in which an unconsumed piece of `plain_bytes_max` still leaves room for whole records.
    pub(crate) fn new(plain_bytes_max: usize) -> Self {
        let capacity = plain_bytes_max.saturating_add(2 * RECORD_BYTES_MAX).next_multiple_of(4096);
        let mut bytes = vec![0; capacity];
        bytes.iter_mut().take(PREFAULT_BYTES).step_by(4096).for_each(|b| *b = 1);
        Self { bytes, plain: 0, plain_end: 0, cipher: 0, filled: 0 }
    }

    /// The free end, made roomy enough for a record; empty only when nothing was consumed for too long.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.plain == self.plain_end && self.cipher == self.filled {
            // Nothing held: start at the front again, where the cache lines are warm.
            (self.plain, self.plain_end, self.cipher, self.filled) = (0, 0, 0, 0);
        } else if self.bytes.len() - self.filled < RECORD_BYTES_MAX {
            self.compact();
        }
        self.bytes.get_mut(self.filled..).unwrap_or_default()
    }

    /// Takes over `count` bytes that were written to [`Inbox::space`].
    pub(crate) fn received(&mut self, count: usize) {
        self.filled = self.filled.saturating_add(count).min(self.bytes.len());
    }

    /// What was received and not opened.
    pub(crate) fn cipher(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.cipher..self.filled).unwrap_or_default()
    }

    /// Drops the first `count` bytes of what was received: the handshake has used them.
    pub(crate) fn discard_cipher(&mut self, count: usize) {
        self.cipher = self.cipher.saturating_add(count).min(self.filled);
    }

    /// The first `record_len` received bytes were opened; their payload at `at..at + len` joins the opened bytes.
    pub(crate) fn opened(&mut self, record_len: usize, at: usize, len: usize) {
        let start = self.cipher.saturating_add(at);
        let end = start.saturating_add(len);
        self.discard_cipher(record_len);
        assert!(end <= self.cipher, "a payload lies inside its record");
        if self.plain == self.plain_end {
            (self.plain, self.plain_end) = (start, end);
        } else {
            self.bytes.copy_within(start..end, self.plain_end);
            self.plain_end += len;
        }
    }

    /// Everything received is plain already: without TLS.
    pub(crate) fn opened_all(&mut self) {
        let len = self.filled - self.cipher;
        self.opened(len, 0, len);
    }

    /// What was opened and not consumed.
    pub(crate) fn plain(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.plain..self.plain_end).unwrap_or_default()
    }

    /// True when every opened byte was consumed.
    pub(crate) fn is_plain_empty(&self) -> bool {
        self.plain == self.plain_end
    }

    /// Drops the first `count` opened bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.plain = self.plain.saturating_add(count).min(self.plain_end);
    }

    #[cold]
    fn compact(&mut self) {
        if self.plain == 0 && self.plain_end == self.cipher {
            return; // nothing to gain
        }
        let plain_len = self.plain_end - self.plain;
        let cipher_len = self.filled - self.cipher;
        self.bytes.copy_within(self.plain..self.plain_end, 0);
        self.bytes.copy_within(self.cipher..self.filled, plain_len);
        (self.plain, self.plain_end) = (0, plain_len);
        (self.cipher, self.filled) = (plain_len, plain_len + cipher_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// A step in a buffer's life. A record is a gap for its header, the payload, and the same gap for its tag.
    #[derive(Debug, Clone)]
    enum Step {
        Receive(usize),
        Open(usize, usize),
        Consume(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1usize..60_000).prop_map(Step::Receive),
            (1usize..30, 0usize..9000).prop_map(|(gap, len)| Step::Open(gap, len)),
            (0usize..9000).prop_map(Step::Consume),
        ]
    }

    proptest! {
        /// The slow twin: two queues, one of received and one of opened bytes.
        #[test]
        fn behaves_as_two_queues(steps in proptest::collection::vec(step(), 1..200)) {
            let mut inbox = Inbox::new(20_000);
            let (mut cipher, mut plain) = (VecDeque::new(), VecDeque::new());
            let mut next = 0u8;
            for step in steps {
                match step {
                    Step::Receive(count) => {
                        let space = inbox.space();
                        let count = count.min(space.len());
                        for byte in &mut space[..count] {
                            next = next.wrapping_mul(5).wrapping_add(113);
                            *byte = next;
                            cipher.push_back(next);
                        }
                        inbox.received(count);
                    }
                    Step::Open(gap, len) => {
                        let record_len = gap + len + gap;
                        // As a reader of frames does, which refuses what is too long before it has come.
                        if record_len <= cipher.len() && plain.len() + len <= 20_000 {
                            inbox.opened(record_len, gap, len);
                            let record: Vec<u8> = cipher.drain(..record_len).collect();
                            plain.extend(&record[gap..gap + len]);
                        }
                    }
                    Step::Consume(count) => {
                        inbox.consume(count);
                        plain.drain(..count.min(plain.len()));
                    }
                }
                prop_assert!(inbox.plain() == plain.make_contiguous());
                prop_assert!(inbox.cipher() == cipher.make_contiguous());
                prop_assert_eq!(inbox.is_plain_empty(), plain.is_empty());
                // Always room for a record, unless whole ones wait to be opened.
                prop_assert!(cipher.len() >= RECORD_BYTES_MAX || !inbox.space().is_empty());
            }
        }
    }
}
