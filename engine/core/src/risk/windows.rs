//! What the gate remembers of the recent past: a sliding throttle and the orders just accepted.
//!
//! Fixed rings; memory is taken in the constructors. `now` never decreases; a stamp from the future counts as
//! recent, which refuses rather than permits.

use crate::output::NewOrder;
use crate::state::{StateError, StateIo};
use crate::words::{InstrumentId, Price, Qty, Side, TsNs};
use alloc::vec;
use alloc::vec::Vec;

/// Messages a window remembers at most; limits that need more are refused.
pub const WINDOW_MESSAGES_MAX: usize = 1024;

/// At most so many messages in `(now - window, now]`.
pub struct Throttle {
    /// Ring of accepted stamps; slot `next` holds the oldest once the ring has gone round.
    accepted: Vec<TsNs>,
    next: usize,
    /// Stamps recorded so far, up to the ring's length.
    len: usize,
}

impl Throttle {
    /// Remembers up to `messages` messages, at most [`WINDOW_MESSAGES_MAX`].
    pub fn new(messages: usize) -> Self {
        Self { accepted: vec![TsNs(0); messages.clamp(1, WINDOW_MESSAGES_MAX)], next: 0, len: 0 }
    }

    /// Were `messages_max` already accepted within `window_ns`?
    ///
    /// One look suffices: stamps do not decrease, so the window is full exactly when the stamp that lies
    /// `messages_max` back is still inside.
    pub fn is_full(&self, now: TsNs, messages_max: u32, window_ns: u64) -> bool {
        let back = messages_max as usize;
        if back == 0 || back > self.accepted.len() {
            return true; // Asked for more than we can prove: closed.
        }
        if self.len < back {
            return false;
        }
        let room = if self.next < back { self.accepted.len() } else { 0 };
        let at = self.next + room - back;
        self.accepted.get(at).is_none_or(|&oldest| now.since(oldest) < window_ns)
    }

    /// How many were accepted within `window_ns`, as far as is remembered. One look at each: for people, not for the gate.
    pub fn count(&self, now: TsNs, window_ns: u64) -> u32 {
        let room = self.accepted.len();
        let newest_first =
            (1..=self.len).filter_map(|back| self.accepted.get((self.next + room - back) % room));
        let inside = newest_first.take_while(|&&stamp| now.since(stamp) < window_ns);
        u32::try_from(inside.count()).unwrap_or(u32::MAX)
    }

    /// Counts one accepted message.
    pub fn record(&mut self, now: TsNs) {
        if let Some(slot) = self.accepted.get_mut(self.next) {
            *slot = now;
        }
        self.next = if self.next + 1 < self.accepted.len() { self.next + 1 } else { 0 };
        self.len = (self.len + 1).min(self.accepted.len());
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

/// The orders accepted last, to notice the same one again.
pub struct RecentOrders {
    ring: Vec<Recent>,
    next: usize,
}

#[derive(Clone, Copy)]
struct Recent {
    ts: TsNs,
    instrument: InstrumentId,
    side: Side,
    price: Price,
    qty: Qty,
}

impl Default for RecentOrders {
    fn default() -> Self {
        Self { ring: Vec::with_capacity(WINDOW_MESSAGES_MAX), next: 0 }
    }
}

impl RecentOrders {
    /// Was an order with equal instrument, side, price and quantity accepted at most `window_ns` ago?
    /// Looks from the newest backwards and stops at the first that is too old.
    pub fn contains(&self, order: &NewOrder, now: TsNs, window_ns: u64) -> bool {
        let (older, newer) = self.ring.split_at(self.next.min(self.ring.len()));
        let newest_first = older.iter().rev().chain(newer.iter().rev());
        newest_first.take_while(|recent| now.since(recent.ts) <= window_ns).any(|recent| {
            recent.instrument == order.instrument
                && recent.side == order.side
                && recent.price == order.price
                && recent.qty == order.qty
        })
    }

    /// Remembers an accepted order in place of the oldest.
    pub fn record(&mut self, order: &NewOrder, now: TsNs) {
        let recent = Recent {
            ts: now,
            instrument: order.instrument,
            side: order.side,
            price: order.price,
            qty: order.qty,
        };
        match self.ring.get_mut(self.next) {
            Some(slot) => *slot = recent,
            None => self.ring.push(recent), // Within the capacity taken by the constructor.
        }
        self.next = (self.next + 1) % WINDOW_MESSAGES_MAX;
    }
}

impl Throttle {
    /// Messages it can remember.
    pub(super) fn room(&self) -> usize {
        self.accepted.len()
    }

    /// Oldest first; `now` is the time of the last event.
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { accepted, next, len } = self;
        let room = accepted.len();
        accepted.rotate_left((*next + room - *len) % room);
        io.len(len, room)?;
        *next = *len % room;
        let mut last = TsNs(0);
        for stamp in accepted.iter_mut().take(*len) {
            io.past(stamp, now)?;
            io.sound(last <= *stamp)?;
            last = *stamp;
        }
        Ok(())
    }
}

impl RecentOrders {
    /// Oldest first; `now` is the time of the last event.
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { ring, next } = self;
        if ring.len() == WINDOW_MESSAGES_MAX {
            ring.rotate_left(*next);
        }
        io.list(ring, WINDOW_MESSAGES_MAX, || Recent::BLANK, |io, recent| recent.state(io, now))?;
        *next = ring.len() % WINDOW_MESSAGES_MAX;
        io.sound(ring.is_sorted_by_key(|recent| recent.ts))
    }
}

impl Recent {
    /// What loading starts from.
    const BLANK: Self =
        Self { ts: TsNs(0), instrument: InstrumentId::NONE, side: Side::Buy, price: Price(0), qty: Qty(0) };

    fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { ts, instrument, side, price, qty } = self;
        io.past(ts, now)?;
        io.number(instrument)?;
        io.choice(side, &Side::BOTH)?;
        io.unsigned(&mut price.0)?;
        io.unsigned(&mut qty.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow twin: count what is inside.
    fn is_full_slow(accepted: &[u64], now: u64, max: u32, window: u64) -> bool {
        accepted.iter().filter(|&&t| t + window > now).count() >= max as usize
    }

    #[test]
    fn the_window_agrees_with_its_slow_twin() {
        let mut state = 0x5EED_0001u64;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for _ in 0..200 {
            let (max, window) = (1 + random(20) as u32, 1 + random(100));
            let mut throttle = Throttle::new(max as usize + random(3) as usize);
            let mut accepted = Vec::new();
            let mut now = 0;
            for _ in 0..300 {
                now += random(2 * window / u64::from(max) + 2);
                let is_full = throttle.is_full(TsNs(now), max, window);
                assert_eq!(is_full, is_full_slow(&accepted, now, max, window), "at {now}");
                let inside = accepted.iter().filter(|&&t| t + window > now).count().min(throttle.room());
                assert_eq!(throttle.count(TsNs(now), window) as usize, inside, "counted at {now}");
                if !is_full {
                    throttle.record(TsNs(now));
                    accepted.push(now);
                }
            }
        }
    }

    #[test]
    fn a_window_that_cannot_be_proven_is_full() {
        let throttle = Throttle::new(4);
        assert!(throttle.is_full(TsNs(1), 0, 1));
        assert!(throttle.is_full(TsNs(1), 5, 1));
        assert!(!throttle.is_full(TsNs(1), 4, 1));
    }
}
