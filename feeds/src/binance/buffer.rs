//! Room for the deltas that come before their snapshot. Pure, of fixed size.

use smc_core::event::Level;

use super::sync::Delta;

/// Deltas waiting for a snapshot: heads in one array, levels in another, both of fixed size.
pub struct DeltaBuffer {
    heads: Vec<Head>,
    levels: Vec<Level>,
    deltas_max: usize,
    levels_max: usize,
}

#[derive(Clone, Copy)]
struct Head {
    first_id: u64,
    last_id: u64,
    previous_id: Option<u64>,
    /// Where its bids start in `levels`; its asks follow.
    start: usize,
    bids: usize,
    asks: usize,
}

impl DeltaBuffer {
    /// Takes its memory.
    pub fn new(deltas_max: usize, levels_max: usize) -> Self {
        Self {
            heads: Vec::with_capacity(deltas_max),
            levels: Vec::with_capacity(levels_max),
            deltas_max,
            levels_max,
        }
    }

    /// Keeps a delta. One that does not join onto the last starts the buffer again: only a snapshot behind
    /// the hole is of use. False when there was no room: the buffer is then empty.
    pub fn push(&mut self, delta: &Delta<'_>) -> bool {
        if let Some(last) = self.heads.last() {
            if delta.last_id <= last.last_id {
                return true;
            }
            if !delta.follows(last.last_id) {
                self.clear();
            }
        }
        let needed = delta.bids.len() + delta.asks.len();
        if self.heads.len() == self.deltas_max || self.levels.len() + needed > self.levels_max {
            self.clear();
            return false;
        }
        let (start, bids, asks) = (self.levels.len(), delta.bids.len(), delta.asks.len());
        self.levels.extend_from_slice(delta.bids);
        self.levels.extend_from_slice(delta.asks);
        let Delta { first_id, last_id, previous_id, .. } = *delta;
        self.heads.push(Head { first_id, last_id, previous_id, start, bids, asks });
        true
    }

    /// The delta at a place, oldest first.
    pub fn get(&self, at: usize) -> Option<Delta<'_>> {
        let head = self.heads.get(at)?;
        let middle = head.start + head.bids;
        Some(Delta {
            first_id: head.first_id,
            last_id: head.last_id,
            previous_id: head.previous_id,
            bids: self.levels.get(head.start..middle)?,
            asks: self.levels.get(middle..middle + head.asks)?,
        })
    }

    /// Deltas held.
    pub const fn len(&self) -> usize {
        self.heads.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.levels.clear();
    }
}
