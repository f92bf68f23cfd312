//! A book from snapshots and deltas, shown to the engine only while it is in step.

use super::{Draft, Taken};
use smc_core::TsNs;
use smc_core::event::{BookUpdate, EventBody, FeedState, Level, Quote};
use smc_feeds::binance_spot::{BookLimits, BookSync, Delta, Fault, QuoteStep, SnapshotStep, Step};

/// One book and whether the engine was told that it may be trusted.
pub struct Book {
    sync: BookSync,
    is_live: bool,
}

/// When a message was sent and seen.
#[derive(Clone, Copy)]
pub struct Stamps {
    pub ts_event: TsNs,
    pub ts_recv: TsNs,
}

impl Stamps {
    pub const fn draft(self, body: EventBody) -> Draft {
        Draft { ts_event: self.ts_event, ts_recv: self.ts_recv, body }
    }
}

impl Book {
    pub fn new() -> Self {
        Self { sync: BookSync::new(&BookLimits::default()), is_live: false }
    }

    /// The rule is the spot venue's; others name `first_id` so that a delta fits when it follows its predecessor.
    pub fn delta(&mut self, delta: &Delta<'_>, at: Stamps, out: &mut Vec<Draft>) -> Result<Taken, String> {
        let before = out.len();
        let step =
            self.sync.on_delta(delta, &mut |update: BookUpdate| out.push(at.draft(EventBody::Book(update))));
        match step {
            Step::Applied => Ok(Taken::Events),
            Step::Buffered => Ok(Taken::Skipped("book changes before a snapshot")),
            Step::Old => Ok(Taken::Skipped("book changes that a snapshot contains")),
            Step::Broken(fault) => {
                out.truncate(before);
                if std::mem::replace(&mut self.is_live, false) {
                    // What is known is not the book any more: the engine hears so before anything else.
                    out.push(at.draft(EventBody::Feed(FeedState::Syncing)));
                }
                match fault {
                    Fault::BufferFull => Ok(Taken::Skipped("book changes before a snapshot")),
                    Fault::Gap { .. } => Ok(Taken::Skipped("gaps in the book's changes")),
                    Fault::Thin => Ok(Taken::Skipped("books whose market left what the snapshot told")),
                    Fault::TopDiffers { .. } => Ok(Taken::Skipped("books that best bid and ask contradict")),
                    other => Err(format!("the book is out of step: {other:?}")),
                }
            }
        }
    }

    /// Best bid and ask; at the book's own update they must say the same.
    pub fn quote(&mut self, quote: &Quote, at: Stamps, out: &mut Vec<Draft>) -> Taken {
        if let QuoteStep::Broken(_) = self.sync.on_quote(quote)
            && std::mem::replace(&mut self.is_live, false)
        {
            out.push(at.draft(EventBody::Feed(FeedState::Syncing)));
        }
        out.push(at.draft(EventBody::Quote(*quote)));
        Taken::Events
    }

    /// `limit` is how many levels a side the venue tells at most; fewer are all there are.
    pub fn snapshot(
        &mut self,
        id: u64,
        sides: [&[Level]; 2],
        limit: usize,
        at: Stamps,
        out: &mut Vec<Draft>,
    ) -> Result<Taken, String> {
        let before = out.len();
        let [bids, asks] = sides;
        let mut show = |update: BookUpdate| out.push(at.draft(EventBody::Book(update)));
        match self.sync.on_snapshot(id, bids, asks, limit, &mut show) {
            SnapshotStep::Live { .. } => {
                if !std::mem::replace(&mut self.is_live, true) {
                    out.push(at.draft(EventBody::Feed(FeedState::Live)));
                }
                Ok(Taken::Events)
            }
            SnapshotStep::TooOld { .. } => Ok(Taken::Skipped("snapshots older than the changes")),
            SnapshotStep::Broken(fault) => {
                out.truncate(before);
                self.is_live = false;
                Err(format!("a snapshot that cannot be: {fault:?}"))
            }
        }
    }
}
