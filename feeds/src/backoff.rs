//! How long to wait before the next attempt: doubling, bounded, jittered.
//!
//! Pure: time is an argument and the jitter comes from a seeded generator, so that a run can be repeated.

use smc_core::words::TsNs;

/// First wait after a failure: 0.25 s.
pub const FIRST_NS: u64 = 250_000_000;
/// Longest wait: 30 s.
pub const LONGEST_NS: u64 = 30_000_000_000;

/// The waits of one retried thing.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// xorshift64 state; never 0.
    random: u64,
    /// Failures in a row.
    failures: u32,
    /// No attempt before this.
    not_before: TsNs,
}

impl Backoff {
    /// Ready at once. Equal seeds give equal waits.
    pub const fn new(seed: u64) -> Self {
        Self {
            random: if seed == 0 { 0x9e37_79b9_7f4a_7c15 } else { seed },
            failures: 0,
            not_before: TsNs(0),
        }
    }

    /// Whether the next attempt may start.
    pub const fn is_due(&self, now: TsNs) -> bool {
        self.not_before.0 <= now.0
    }

    /// Notes a failure and returns the wait it costs: between half and the whole of 0.25 s × 2^failures,
    /// at most 30 s. The jitter keeps many clients from coming back in step.
    pub fn fail(&mut self, now: TsNs) -> u64 {
        let ceiling = FIRST_NS.checked_shl(self.failures.min(32)).unwrap_or(LONGEST_NS).min(LONGEST_NS);
        self.failures = self.failures.saturating_add(1);
        let wait = ceiling / 2 + self.next_random() % (ceiling / 2 + 1);
        self.wait_until(TsNs(now.0.saturating_add(wait)));
        wait
    }

    /// Forbids attempts before `ts`, for example because the venue said `Retry-After`.
    pub fn wait_until(&mut self, ts: TsNs) {
        self.not_before = self.not_before.max(ts);
    }

    /// Success: the next failure starts from the short wait again.
    pub const fn succeed(&mut self) {
        self.failures = 0;
    }

    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_thirty_seconds_and_start_again() {
        let mut backoff = Backoff::new(7);
        assert!(backoff.is_due(TsNs(0)));
        let mut ceiling = FIRST_NS;
        for _ in 0..200 {
            let now = TsNs(1);
            let wait = backoff.fail(now);
            assert!(wait >= ceiling / 2 && wait <= ceiling, "{wait} outside half to whole of {ceiling}");
            ceiling = (ceiling * 2).min(LONGEST_NS);
        }
        assert!(!backoff.is_due(TsNs(2)));
        assert!(backoff.is_due(TsNs(1 + LONGEST_NS)));
        backoff.succeed();
        assert!(backoff.fail(TsNs(0)) <= FIRST_NS);
    }

    #[test]
    fn equal_seeds_wait_equally_and_others_do_not() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            [0; 8].map(|_| backoff.fail(TsNs(0)))
        };
        assert_eq!(waits(3), waits(3));
        assert_ne!(waits(3), waits(4));
    }
}
