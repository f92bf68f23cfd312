//! A message's levels as events: four a piece, one side each, the last one marked. Pure.

use smc_core::event::{BOOK_LEVELS_PER_EVENT, BookUpdate, Level};
use smc_core::words::Side;

/// Packs levels into events of four of one side. Holds one back, so that the last can say that it is.
pub struct Chunks {
    held: BookUpdate,
}

impl Chunks {
    /// Starts one message.
    pub fn new(update_id: u64, is_snapshot_start: bool) -> Self {
        let held = BookUpdate {
            update_id,
            is_snapshot_start,
            is_last: false,
            side: Side::Buy,
            len: 0,
            levels: Default::default(),
        };
        Self { held }
    }

    /// Adds one level; shows the held event when it is full or of the other side.
    #[inline]
    pub fn add(&mut self, side: Side, level: Level, show: &mut impl FnMut(BookUpdate)) {
        let is_full = usize::from(self.held.len) == BOOK_LEVELS_PER_EVENT;
        if is_full || self.held.side != side && self.held.len > 0 {
            show(self.held);
            self.held = BookUpdate { is_snapshot_start: false, ..self.held };
            self.held.len = 0;
            self.held.levels = Default::default();
        }
        self.held.side = side;
        if let Some(slot) = self.held.levels.get_mut(usize::from(self.held.len)) {
            *slot = level;
            self.held.len += 1;
        }
    }

    /// The last event may be empty: also a message that changed nothing visible says that the book is fresh.
    pub fn finish(mut self, show: &mut impl FnMut(BookUpdate)) {
        self.held.is_last = true;
        show(self.held);
    }
}
