//! What the venue lets us ask: so many requests a second for each endpoint and account, rolling, and so many for each
//! address.
//!
//! An order is denied here before the venue would; a cancel, which has a limit of its own, always passes. Limits are
//! learned from the answers. Pure, fixed size; time is an argument.

use smc_core::words::TsNs;

const SECOND: u64 = 1_000_000_000;
/// The largest limit that is kept apart; more than any account has.
const STAMPS_MAX: usize = 256;

/// A limit of so many requests in any stretch of time so long.
#[derive(Debug)]
pub(super) struct Rolling {
    stamps: [u64; STAMPS_MAX],
    /// Requests so far.
    count: usize,
    limit: usize,
    span_ns: u64,
    /// The venue said so.
    closed_until: TsNs,
}

impl Rolling {
    const fn new(limit: usize, span_ns: u64) -> Self {
        Self { stamps: [0; STAMPS_MAX], count: 0, limit, span_ns, closed_until: TsNs(0) }
    }

    /// From when one more may be sent; at or before `now` when it may.
    pub fn free_at(&self) -> TsNs {
        let oldest = self.count.checked_sub(self.limit).and_then(|at| self.stamps.get(at % STAMPS_MAX));
        let free = oldest.map_or(0, |stamp| stamp.saturating_add(self.span_ns));
        TsNs(free).max(self.closed_until)
    }

    /// Counts one that was sent.
    pub fn count(&mut self, now: TsNs) {
        if let Some(stamp) = self.stamps.get_mut(self.count % STAMPS_MAX) {
            *stamp = now.0;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Requests left now.
    pub fn left(&self, now: TsNs) -> u32 {
        if now < self.closed_until {
            return 0;
        }
        let since = now.0.saturating_sub(self.span_ns);
        let recent = (1..=self.limit.min(self.count))
            .filter(|back| {
                self.stamps.get((self.count - back) % STAMPS_MAX).is_some_and(|stamp| *stamp > since)
            })
            .count();
        (self.limit - recent) as u32
    }

    /// Nothing of this before `until`.
    pub fn close(&mut self, until: TsNs) {
        self.closed_until = self.closed_until.max(until);
    }

    fn learn(&mut self, limit: u32) {
        self.limit = (limit as usize).clamp(1, STAMPS_MAX - 1);
    }
}

/// What an answer says about its endpoint's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Requests a second.
    pub limit: u32,
    /// Left of them.
    pub left: u32,
    /// The venue's clock when all are there again.
    pub reset_ms: u64,
}

/// The limits of one account and address.
pub(super) struct Budget {
    pub create: Rolling,
    pub query: Rolling,
    /// Nothing over REST, and no order, before this moment.
    banned_until: TsNs,
    /// The ban and the time last told.
    told: (TsNs, TsNs),
}

impl Budget {
    pub const fn new() -> Self {
        Self {
            // The smallest that an account has; spot has twice as many.
            create: Rolling::new(10, SECOND),
            // Queries share fifty a second for each endpoint; half is enough.
            query: Rolling::new(25, SECOND),
            banned_until: TsNs(0),
            told: (TsNs(0), TsNs(0)),
        }
    }

    /// Whether an order may be sent now; else when it may.
    pub fn order(&self, now: TsNs) -> Result<(), TsNs> {
        let at = self.create.free_at().max(self.banned_until);
        if at <= now { Ok(()) } else { Err(at) }
    }

    /// Whether a query may be sent now. Counts it if so.
    pub fn query(&mut self, now: TsNs) -> bool {
        let is_free = self.query.free_at().max(self.banned_until) <= now;
        if is_free {
            self.query.count(now);
        }
        is_free
    }

    /// Takes over what an answer about an order says; `reset` is our clock's moment.
    pub fn learn(&mut self, told: Limit, reset: TsNs) {
        if told.limit == 0 {
            return;
        }
        self.create.learn(told.limit);
        if told.left == 0 {
            self.create.close(reset);
        }
    }

    /// Nothing before `until`.
    pub fn ban(&mut self, until: TsNs) {
        self.banned_until = self.banned_until.max(until);
    }

    pub const fn banned_until(&self) -> TsNs {
        self.banned_until
    }

    /// What is to be told of it: a new ban at once, everything else at most once a second.
    pub fn news(&mut self, now: TsNs) -> Option<(u32, u32, TsNs, TsNs)> {
        let (ban, at) = self.told;
        if ban == self.banned_until && now.since(at) < SECOND {
            return None;
        }
        self.told = (self.banned_until, now);
        let ban = if self.banned_until > now { self.banned_until } else { TsNs(0) };
        let resets = TsNs(now.0.saturating_add(SECOND)).max(self.create.closed_until);
        Some((self.create.left(now), self.create.limit as u32, ban, resets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000 * SECOND;

    #[test]
    fn in_no_second_are_there_more_orders_than_the_limit() {
        let mut budget = Budget::new();
        let (mut sent, mut now) = (Vec::new(), START);
        for step in 0..3_000u64 {
            now += (step * 7_919) % 23 * 3_000_000;
            if budget.order(TsNs(now)).is_ok() {
                budget.create.count(TsNs(now));
                sent.push(now);
            }
        }
        assert!(sent.len() > 100);
        for pair in sent.windows(11) {
            assert!(pair[10] - pair[0] >= SECOND);
        }
    }

    #[test]
    fn a_larger_limit_is_learned_and_a_used_up_one_waits_for_its_reset() {
        let mut budget = Budget::new();
        let now = TsNs(START);
        for _ in 0..10 {
            budget.create.count(now);
        }
        assert_eq!(budget.order(now), Err(TsNs(START + SECOND)));
        budget.learn(Limit { limit: 20, left: 9, reset_ms: 0 }, now);
        assert_eq!(budget.order(now), Ok(()));
        assert_eq!(budget.create.left(now), 10);
        budget.learn(Limit { limit: 20, left: 0, reset_ms: 0 }, TsNs(START + 5));
        assert_eq!(budget.order(now), Err(TsNs(START + 5)));
    }

    #[test]
    fn a_ban_stops_orders_and_queries_and_is_told_at_once() {
        let mut budget = Budget::new();
        let now = TsNs(START);
        assert!(budget.query(now));
        budget.news(now);
        assert_eq!(budget.news(now), None);
        budget.ban(TsNs(START + 600 * SECOND));
        assert_eq!(budget.news(now).map(|news| news.2), Some(TsNs(START + 600 * SECOND)));
        assert!(!budget.query(now));
        assert!(budget.order(now).is_err());
        assert!(budget.query(TsNs(START + 600 * SECOND)));
    }
}
