//! The send buffer: sealed records wait here for the socket. Fixed size; what does not fit is refused, never dropped.

use crate::error::NetError;

/// Kept free of data so that pongs, closes and alerts still fit when data fills the rest.
const CONTROL_BYTES: usize = 2048;

/// Invariant: `start <= end <= bytes.len()`; `start..end` waits for the socket.
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// Who asks for room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The caller's messages.
    Data,
    /// Pongs, closes, alerts and key updates.
    Control,
}

impl Outbox {
    pub(crate) fn new(data_bytes_max: usize) -> Self {
        // Touched now (written, not only reserved), so that no send pays for a page fault.
        let mut bytes = vec![0; data_bytes_max.saturating_add(CONTROL_BYTES)];
        bytes.iter_mut().step_by(4096).for_each(|b| *b = 1);
        Self { bytes, start: 0, end: 0 }
    }

    /// Checks that `needed` bytes fit, moving what waits to the front if that helps.
    pub(crate) fn reserve(&mut self, needed: usize, lane: Lane) -> Result<(), NetError> {
        let kept = if lane == Lane::Data { CONTROL_BYTES } else { 0 };
        let free = self.bytes.len().saturating_sub(self.pending()).saturating_sub(kept);
        if free < needed {
            return Err(NetError::SendBufferFull { needed, free });
        }
        if self.bytes.len() - self.end < needed {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        Ok(())
    }

    /// Appends `count` bytes and returns them for writing; the caller has reserved them.
    pub(crate) fn append(&mut self, count: usize) -> &mut [u8] {
        let at = self.end;
        self.end = at.saturating_add(count).min(self.bytes.len());
        self.bytes.get_mut(at..self.end).unwrap_or_default()
    }

    /// What waits for the socket.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The socket took the first `count` bytes.
    pub(crate) fn sent(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Bytes that wait for the socket.
    pub(crate) fn pending(&self) -> usize {
        self.end - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_leaves_room_for_control_and_is_refused_with_numbers() {
        let mut outbox = Outbox::new(100);
        assert_eq!(outbox.reserve(101, Lane::Data), Err(NetError::SendBufferFull { needed: 101, free: 100 }));
        outbox.reserve(100, Lane::Data).unwrap();
        outbox.append(100).fill(7);
        assert_eq!(outbox.reserve(1, Lane::Data), Err(NetError::SendBufferFull { needed: 1, free: 0 }));
        outbox.reserve(CONTROL_BYTES, Lane::Control).unwrap();
    }

    #[test]
    fn waiting_bytes_move_to_the_front_unchanged() {
        let mut outbox = Outbox::new(1000);
        let all = outbox.bytes.len();
        outbox.append(all - 10).fill(1);
        outbox.append(10).copy_from_slice(b"0123456789");
        outbox.sent(all - 6);
        outbox.reserve(500, Lane::Data).unwrap();
        outbox.append(2).copy_from_slice(b"ab");
        assert_eq!(outbox.unsent(), b"456789ab");
    }
}
