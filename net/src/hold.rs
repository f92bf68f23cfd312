//! What a venue said to one part of a client that its other parts must heed as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Until when nothing is asked of a venue from this address. A venue that bans an address counts what any thread of ours
/// still asks, so the feed, the gateway and whoever else speaks to it hold clones of one. Never goes back.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<AtomicU64>);

impl Hold {
    /// Nobody asks before `until_ns` of our clock.
    pub fn raise(&self, until_ns: u64) {
        // Nothing else is published with it.
        self.0.fetch_max(until_ns, Ordering::Relaxed);
    }

    /// The moment, in nanoseconds of our clock; 0 when nothing was ever said.
    pub fn until(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Hold;

    #[test]
    fn what_one_was_told_holds_the_others_and_no_shorter_word_ends_it() {
        let feed = Hold::default();
        let gateway = feed.clone();
        feed.raise(300);
        gateway.raise(200);
        assert_eq!((feed.until(), gateway.until()), (300, 300));
    }
}
