//! A token bucket: so many at once, and so many in the long run. The shape of a venue's request budget.
//!
//! Exact: what flows in during a nanosecond is a whole number of drops, and a token is a whole number of drops, so
//! nothing is rounded however long it runs. Not lenient with time: `now` never decreases, and a stamp from the past
//! adds nothing.

use crate::state::{StateError, StateIo};
use crate::words::TsNs;

/// Tokens that are taken, and flow back at a steady rate up to a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// Drops it holds when full.
    capacity: u128,
    /// Drops that flow in each nanosecond.
    inflow: u64,
    /// Drops that make a token.
    token: u64,
    /// Drops now. Invariant: at most the capacity.
    level: u128,
    /// Up to when inflow is counted; none before the first event, at which it is full.
    at: Option<TsNs>,
}

impl TokenBucket {
    /// Holds up to `capacity` tokens; `tokens` of them flow in every `interval_ns`. An interval of 0 gives nothing
    /// back, ever.
    pub const fn new(capacity: u64, tokens: u64, interval_ns: u64) -> Self {
        // A token of no drops would be free.
        let (token, inflow) = if interval_ns == 0 { (1, 0) } else { (interval_ns, tokens) };
        let capacity = capacity as u128 * token as u128;
        Self { capacity, inflow, token, level: capacity, at: None }
    }

    /// Takes `tokens` if so many are there. Time and inflow are counted either way.
    pub fn take(&mut self, now: TsNs, tokens: u64) -> bool {
        self.refill(now);
        let wanted = u128::from(tokens) * u128::from(self.token);
        match self.level.checked_sub(wanted) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }

    /// Whole tokens that could be taken now.
    pub fn available(&mut self, now: TsNs) -> u64 {
        self.refill(now);
        u64::try_from(self.level / u128::from(self.token)).unwrap_or(u64::MAX)
    }

    fn refill(&mut self, now: TsNs) {
        let since = self.at.map_or(0, |at| now.since(at));
        let inflow = u128::from(since) * u128::from(self.inflow);
        self.level = self.level.saturating_add(inflow).min(self.capacity);
        self.at = self.at.max(Some(now));
    }

    /// Capacity and rate are settings. `now` is the time of the last event.
    pub fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { capacity, inflow: _, token: _, level, at } = self;
        let (mut low, mut high) = (*level as u64, (*level >> 64) as u64);
        io.number(&mut low)?;
        io.number(&mut high)?;
        *level = u128::from(high) << 64 | u128::from(low);
        io.sound(*level <= *capacity)?;
        io.option(at, || TsNs(0), |io, at| io.past(at, now))?;
        io.sound(at.is_some() || *level == *capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The slow twin: a fraction of whole numbers, `level / interval`, from the first event on.
    fn slow(capacity: u64, tokens: u64, interval: u64, times: &[u64]) -> Vec<bool> {
        let (mut taken, mut lost, mut last) = (0u128, 0u128, None);
        let mut accept = |&now: &u64| {
            let first = *last.get_or_insert(now);
            let (full, unit) = (u128::from(capacity * interval), u128::from(interval));
            let inflow = u128::from((now - first) * tokens);
            // What flowed over the brim is lost for good.
            lost += (full + inflow - lost - taken * unit).saturating_sub(full);
            let is_accepted = full + inflow - lost - taken * unit >= unit;
            taken += u128::from(is_accepted);
            is_accepted
        };
        times.iter().map(&mut accept).collect()
    }

    #[test]
    fn it_agrees_with_its_slow_twin() {
        let mut state = 3u64;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for _ in 0..300 {
            let (capacity, tokens, interval) = (random(6), random(5), 1 + random(90));
            let mut bucket = TokenBucket::new(capacity, tokens, interval);
            let (mut now, mut times) = (random(1_000), Vec::new());
            for _ in 0..200 {
                times.push(now);
                now += random(2 * interval / (tokens + 1) + 2);
            }
            let accepted: Vec<_> = times.iter().map(|&now| bucket.take(TsNs(now), 1)).collect();
            assert_eq!(accepted, slow(capacity, tokens, interval, &times), "{capacity} {tokens} {interval}");
        }
    }

    #[test]
    fn the_largest_numbers_overflow_nothing() {
        let mut bucket = TokenBucket::new(u64::MAX, u64::MAX, u64::MAX);
        assert!(bucket.take(TsNs(0), u64::MAX));
        assert!(!bucket.take(TsNs(0), 1));
        assert!(bucket.take(TsNs(u64::MAX), u64::MAX));
        assert_eq!(bucket.available(TsNs(0)), 0, "time does not run back");
        let mut closed = TokenBucket::new(1, 1, 0);
        assert!(closed.take(TsNs(5), 1));
        assert!(!closed.take(TsNs(u64::MAX), 1));
    }
}
