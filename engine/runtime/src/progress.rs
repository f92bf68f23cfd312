//! How far each thread has come, for a simulator that moves time only when nobody has work left.
//!
//! Every thread publishes, at the end of the second turn at one time in which it did nothing, how much it has taken in and
//! put out: what an answer brings up may be sent only in the turn after it.
//! When, over all channels, what was sent equals what was received, and everybody has seen the present time,
//! nothing can happen until the outside sends something: the first thread to go on would need an input that
//! nobody has sent.
//!
//! ```text
//!   simulator ══bytes══► feed ──events──► engine ──orders──► gateway ══bytes══► simulator
//!             ══bytes══► gateway ─events─►
//! ```

use crate::counters::{Counters, Slot};
use crossbeam_utils::CachePadded;
use smc_core::TsNs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where a feed's tallies and conflated quotes go, in the order of [`MarketFeed::tallies`](crate::venue::MarketFeed::tallies).
const FEED_SLOTS: [Slot; 6] = [
    Slot::FeedMessages,
    Slot::FeedRefused,
    Slot::FeedGaps,
    Slot::FeedResyncs,
    Slot::FeedReconnects,
    Slot::RingFull,
];

/// What one thread says of itself. Written by that thread alone.
#[derive(Default)]
pub struct Stage {
    received: AtomicU64,
    popped: [AtomicU64; 3],
    sent: AtomicU64,
    pushed: AtomicU64,
    busy: AtomicU64,
    now: AtomicU64,
}

/// One reading of a [`Stage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes read from sockets.
    pub received: u64,
    /// Ring items taken, per inbound ring.
    pub popped: [u64; 3],
    /// Bytes written to sockets.
    pub sent: u64,
    /// Ring items given.
    pub pushed: u64,
    /// Things begun whose end the counts do not show: connects, HTTP requests.
    pub busy: u64,
    /// The time the thread acted on.
    pub now: u64,
}

/// Whether a thread's turns change nothing any more. In real time they always might, and nobody has to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stillness(Option<Counts>);

impl Stillness {
    /// True when the last turn ended with the same counts at the same time.
    pub fn holds(&mut self, counts: &Counts) -> bool {
        self.0.replace(*counts) == Some(*counts)
    }
}

impl Stage {
    /// Publishes after an empty turn: outputs first, inputs last, so that a reader who sees an input count
    /// also sees every output it caused.
    pub fn publish(&self, counts: &Counts) {
        self.busy.store(counts.busy, Ordering::Relaxed);
        self.sent.store(counts.sent, Ordering::Relaxed);
        self.pushed.store(counts.pushed, Ordering::Relaxed);
        for (cell, count) in self.popped.iter().zip(counts.popped) {
            cell.store(count, Ordering::Release);
        }
        self.received.store(counts.received, Ordering::Release);
        self.now.store(counts.now, Ordering::Release);
    }

    /// Reads inputs first, outputs last.
    pub fn read(&self) -> Counts {
        Counts {
            now: self.now.load(Ordering::Acquire),
            received: self.received.load(Ordering::Acquire),
            popped: std::array::from_fn(|ring| self.popped[ring].load(Ordering::Acquire)),
            pushed: self.pushed.load(Ordering::Acquire),
            sent: self.sent.load(Ordering::Acquire),
            busy: self.busy.load(Ordering::Acquire),
        }
    }
}

/// All threads of one engine.
#[derive(Default)]
pub struct Progress {
    /// The market-data thread.
    pub feed: CachePadded<Stage>,
    /// The engine thread; `popped` counts the feed's ring, the gateway's, and the process's commands.
    pub engine: CachePadded<Stage>,
    /// The order thread; `popped[0]` counts the engine's ring.
    pub gateway: CachePadded<Stage>,
    /// Subscribed and logged on: the market may begin.
    pub is_started: AtomicBool,
    /// The engine has ended: nobody will publish again.
    pub is_over: AtomicBool,
    /// Orders may be sent, as the order thread sees it.
    pub gateway_ready: AtomicBool,
    /// Commands the process itself has given the engine; counted before they are.
    pub commands: AtomicU64,
    /// The feed's tallies and its conflated quotes, for the engine thread to put into the counters.
    tallies: [AtomicU64; 6],
}

impl Progress {
    /// The feed thread's tallies.
    pub fn note_feed(&self, tallies: [u64; 5], conflated: u64) {
        for (cell, value) in self.tallies.iter().zip(tallies.into_iter().chain([conflated])) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// Puts what other threads noted into the counters; the engine thread is their only writer.
    pub fn tell(&self, counters: &Counters) {
        for (cell, slot) in self.tallies.iter().zip(FEED_SLOTS) {
            counters.set(slot, cell.load(Ordering::Relaxed));
        }
        counters.set(Slot::GatewayReady, u64::from(self.gateway_ready.load(Ordering::Relaxed)));
    }

    /// Where everybody is, for the message when somebody does not get on.
    pub fn describe(&self) -> String {
        let (feed, engine, gateway) = (self.feed.read(), self.engine.read(), self.gateway.read());
        format!("feed {feed:?}, engine {engine:?}, gateway {gateway:?}")
    }

    /// True when every thread has acted on `now` and no channel holds anything.
    pub fn is_quiet(&self, now: TsNs, outside_sent: u64, outside_received: u64) -> bool {
        let (feed, gateway, engine) = (self.feed.read(), self.gateway.read(), self.engine.read());
        feed.now == now.0
            && gateway.now == now.0
            && engine.now == now.0
            && feed.busy + gateway.busy == 0
            && feed.received + gateway.received == outside_sent
            && engine.popped == [feed.pushed, gateway.pushed, self.commands.load(Ordering::Acquire)]
            && gateway.popped[0] == engine.pushed
            && feed.sent + gateway.sent == outside_received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_under_way_is_not_quiet() {
        let progress = Progress::default();
        let now = TsNs(5);
        let idle = Counts { now: 5, ..Counts::default() };
        progress.feed.publish(&Counts { received: 10, pushed: 2, ..idle });
        progress.engine.publish(&Counts { popped: [2, 1, 0], pushed: 1, ..idle });
        progress.gateway.publish(&Counts { received: 7, popped: [1, 0, 0], pushed: 1, sent: 4, ..idle });
        assert!(progress.is_quiet(now, 17, 4));
        assert!(!progress.is_quiet(TsNs(6), 17, 4), "nobody has seen the new time");
        assert!(!progress.is_quiet(now, 18, 4), "a byte is in the socket");
        assert!(!progress.is_quiet(now, 17, 3), "the simulator has not read everything");
        progress.engine.publish(&Counts { popped: [2, 1, 0], pushed: 2, ..idle });
        assert!(!progress.is_quiet(now, 17, 4), "an order is in the ring");
        progress.engine.publish(&Counts { popped: [1, 1, 0], pushed: 1, ..idle });
        assert!(!progress.is_quiet(now, 17, 4), "an event is in the ring");
    }
}
