//! What the venue lets us ask: 120 requests a second for each address. Pure, fixed size; time is an argument.
//!
//! The venue tells nothing of what is left, so that we count ourselves. Orders stop first, questions before them; what is
//! left is for cancels, which always pass. After a refusal for too many, half of it is used for a minute.

use smc_core::words::TsNs;

const SECOND: u64 = 1_000_000_000;
/// Requests in a second, as the venue advises.
const LIMIT: usize = 100;
/// Of these, kept for cancels.
const RESERVE: usize = 20;
/// Questions in a second.
const QUESTIONS: usize = 20;
/// Half of it is used for so long after a refusal.
const CAUTION: u64 = 60 * SECOND;
/// Where the venue does not say how long to wait.
pub(super) const WAIT: u64 = SECOND;

/// The limits of one address.
pub(super) struct Budget {
    /// When the last requests were sent: a ring.
    stamps: [TsNs; LIMIT],
    questions: [TsNs; QUESTIONS],
    count: usize,
    asked: usize,
    banned_until: TsNs,
    careful_until: TsNs,
    /// What was told last, and when.
    told: Option<(u32, TsNs, TsNs)>,
}

impl Budget {
    pub const fn new() -> Self {
        Self {
            stamps: [TsNs(0); LIMIT],
            questions: [TsNs(0); QUESTIONS],
            count: 0,
            asked: 0,
            banned_until: TsNs(0),
            careful_until: TsNs(0),
            told: None,
        }
    }

    /// Whether an order may be sent now; else when it may.
    pub fn order(&self, now: TsNs) -> Result<(), TsNs> {
        if now < self.banned_until {
            return Err(self.banned_until);
        }
        let may = self.limit(now) - RESERVE;
        let back = self.count.checked_sub(may).and_then(|at| self.stamps.get(at % LIMIT));
        let free = TsNs(back.map_or(0, |stamp| stamp.0.saturating_add(SECOND)));
        if free <= now { Ok(()) } else { Err(free) }
    }

    /// Whether a question may be asked now. Counts it if so.
    pub fn question(&mut self, now: TsNs) -> bool {
        let slot = self.questions.get_mut(self.asked % QUESTIONS);
        let Some(slot) = slot.filter(|stamp| now.since(**stamp) >= SECOND || stamp.0 == 0) else {
            return false;
        };
        if now < self.banned_until {
            return false;
        }
        *slot = now;
        self.asked = self.asked.wrapping_add(1);
        self.count(now);
        true
    }

    /// Counts a request that was sent.
    pub fn count(&mut self, now: TsNs) {
        if let Some(stamp) = self.stamps.get_mut(self.count % LIMIT) {
            *stamp = now;
        }
        self.count = self.count.wrapping_add(1);
    }

    /// The venue refused for too many.
    pub fn ban(&mut self, until: TsNs, now: TsNs) {
        self.banned_until = self.banned_until.max(until);
        self.careful_until = TsNs(now.0.saturating_add(CAUTION));
    }

    pub const fn banned_until(&self) -> TsNs {
        self.banned_until
    }

    /// What is to be told of it: left, limit, ban, reset. A new ban at once, the rest at most once a second, and nothing
    /// that was told already.
    pub fn news(&mut self, now: TsNs) -> Option<(u32, u32, TsNs, TsNs)> {
        let recent = self.stamps.iter().filter(|stamp| stamp.0 > 0 && now.since(**stamp) < SECOND).count();
        let limit = self.limit(now);
        let left = limit.saturating_sub(recent) as u32;
        let ban = if self.banned_until > now { self.banned_until } else { TsNs(0) };
        if let Some((told, ban_told, at)) = self.told {
            let is_same = told == left && ban_told == ban;
            if is_same || ban_told == ban && now.since(at) < SECOND {
                return None;
            }
        }
        self.told = Some((left, ban, now));
        Some((left, limit as u32, ban, TsNs(now.0.saturating_add(SECOND)).max(ban)))
    }

    const fn limit(&self, now: TsNs) -> usize {
        if now.0 < self.careful_until.0 { LIMIT / 2 } else { LIMIT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000 * SECOND;

    #[test]
    fn orders_leave_the_reserve_for_cancels_in_every_second() {
        let mut budget = Budget::new();
        let (mut sent, mut now) = (Vec::new(), START);
        for step in 0..20_000u64 {
            now += (step * 7_919) % 5 * 2_000_000;
            if budget.order(TsNs(now)).is_ok() {
                budget.count(TsNs(now));
                sent.push(now);
            }
        }
        assert!(sent.len() > 1_000);
        assert!(
            sent.windows(LIMIT - RESERVE + 1).all(|stretch| stretch[LIMIT - RESERVE] - stretch[0] >= SECOND)
        );
    }

    #[test]
    fn a_ban_stops_everything_is_told_at_once_and_halves_the_budget() {
        let mut budget = Budget::new();
        let now = TsNs(START);
        assert!(budget.question(now));
        assert_eq!(budget.news(now).map(|news| news.0), Some(99));
        assert_eq!(budget.news(now), None);
        let until = TsNs(START + 3 * SECOND);
        budget.ban(until, now);
        assert_eq!(budget.news(now).map(|news| (news.1, news.2)), Some((50, until)));
        assert!(!budget.question(now));
        assert_eq!(budget.order(now), Err(until));
        assert!(budget.question(until) && budget.order(until).is_ok());
        assert_eq!(budget.news(until).map(|news| news.1), Some(50));
        let later = TsNs(START + CAUTION);
        assert_eq!(budget.news(later).map(|news| news.1), Some(100));
    }

    #[test]
    fn questions_leave_room_for_orders() {
        let mut budget = Budget::new();
        let asked = (0..200).filter(|_| budget.question(TsNs(START))).count();
        assert_eq!(asked, QUESTIONS);
        assert!(budget.order(TsNs(START)).is_ok());
    }
}
