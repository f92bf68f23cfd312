//! How much of the venue's limits is used, and until when we must keep still.
//!
//! Pure, fixed size. The venue counts in windows aligned to its clock and tells the counts with its answers; in between we
//! add what we sent ourselves. Orders stop one step below each limit. Cancels never ask here: they always pass.

use smc_core::event::RequestBudget;
use smc_core::words::TsNs;
use smc_net::Hold;

const SECOND: u64 = 1_000_000_000;
/// Weight that everything else leaves to cancels and questions about orders in doubt.
const WEIGHT_RESERVE: u32 = 200;

/// The limits of one account and address.
pub(super) struct Budget {
    /// Orders in ten seconds and in a minute.
    orders: [Window; 2],
    weight: Window,
    /// No orders before this moment of our clock.
    blocked_until: TsNs,
    /// Nothing but cancels before this one; what the feed was told counts as well.
    pub ban: Hold,
    /// That moment as it was last told.
    told_ban: u64,
    /// The venue's clock minus ours, in nanoseconds.
    pub offset_ns: i64,
    /// Something changed that was not told yet.
    is_news: bool,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    interval_s: u64,
    limit: u32,
    used: u32,
    /// Number of the window since the epoch that `used` belongs to.
    bucket: u64,
}

impl Window {
    const fn new(interval_s: u64, limit: u32) -> Self {
        Self { interval_s, limit, used: 0, bucket: 0 }
    }

    /// Starts a new window when the venue's clock has left the old one.
    fn roll(&mut self, venue_now: u64) {
        let bucket = venue_now / (self.interval_s * SECOND);
        if bucket != self.bucket {
            (self.bucket, self.used) = (bucket, 0);
        }
    }

    const fn end(&self) -> u64 {
        self.bucket.saturating_add(1).saturating_mul(self.interval_s * SECOND)
    }
}

impl Budget {
    /// What the venue was last known to allow: 300 orders in 10 s, 1200 in a minute, a weight of 2400 in a minute.
    pub fn new() -> Self {
        Self {
            orders: [Window::new(10, 300), Window::new(60, 1_200)],
            weight: Window::new(60, 2_400),
            blocked_until: TsNs(0),
            ban: Hold::default(),
            told_ban: 0,
            offset_ns: 0,
            is_news: false,
        }
    }

    /// Our moment of a moment of the venue.
    pub fn ours(&self, venue_ns: u64) -> TsNs {
        TsNs(venue_ns.saturating_add_signed(self.offset_ns.saturating_neg()))
    }

    const fn venue(&self, now: TsNs) -> u64 {
        now.0.saturating_add_signed(self.offset_ns)
    }

    /// Nothing but cancels before `until`.
    pub fn block(&mut self, until: TsNs) {
        self.blocked_until = self.blocked_until.max(until);
        self.is_news = true;
    }

    /// Until when nothing but cancels may be sent.
    pub fn blocked_until(&self) -> TsNs {
        self.blocked_until.max(TsNs(self.ban.until()))
    }

    /// Whether an order may be sent now, which counts it; else when it may.
    pub fn order(&mut self, now: TsNs) -> Result<(), TsNs> {
        let blocked_until = self.blocked_until();
        if now < blocked_until {
            return Err(blocked_until);
        }
        let venue_now = self.venue(now);
        for at in 0..self.orders.len() {
            let Some(window) = self.orders.get_mut(at) else { break };
            window.roll(venue_now);
            if window.used.saturating_add(1) >= window.limit {
                let end = window.end();
                return Err(self.ours(end));
            }
        }
        self.orders.iter_mut().for_each(|window| window.used += 1);
        Ok(())
    }

    /// Whether a question of this weight may be asked now, which counts it.
    pub fn ask(&mut self, now: TsNs, weight: u32) -> bool {
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        let reserve = WEIGHT_RESERVE.min(self.weight.limit / 4);
        let is_fine = now >= self.blocked_until()
            && self.weight.used.saturating_add(weight).saturating_add(reserve) < self.weight.limit;
        if is_fine {
            self.weight.used += weight;
        }
        is_fine
    }

    /// The venue's count of weight in this minute.
    pub fn learn_weight(&mut self, used: u32, now: TsNs) {
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        self.weight.used = used;
        self.is_news = true;
    }

    /// A limit as the venue tells it with an answer. Other kinds and intervals are not kept.
    pub fn learn(&mut self, kind: &str, interval_s: u64, limit: u32, used: u32, now: TsNs) {
        let venue_now = self.venue(now);
        let window = match kind {
            "REQUEST_WEIGHT" if interval_s == 60 => &mut self.weight,
            "ORDERS" => match self.orders.iter_mut().find(|window| window.interval_s == interval_s) {
                Some(window) => window,
                None => return,
            },
            _ => return,
        };
        window.roll(venue_now);
        // Orders under way are not in the venue's count yet: the larger number is the safer one.
        window.used = if kind == "ORDERS" { window.used.max(used) } else { used };
        window.limit = limit;
        self.is_news |= kind == "REQUEST_WEIGHT";
    }

    /// Weight used in the venue's minute.
    pub const fn weight_used(&self) -> u32 {
        self.weight.used
    }

    /// What is left, once after each change.
    pub fn news(&mut self, now: TsNs) -> Option<RequestBudget> {
        let ban = self.ban.until();
        if !std::mem::take(&mut self.is_news) && ban == std::mem::replace(&mut self.told_ban, ban) {
            return None;
        }
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        let banned_until = Some(self.blocked_until()).filter(|&until| now < until).unwrap_or_default();
        Some(RequestBudget {
            left: self.weight.limit.saturating_sub(self.weight.used),
            limit: self.weight.limit,
            banned_until,
            resets_at: self.ours(self.weight.end()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_stop_one_below_the_limit_and_go_on_in_the_next_window() {
        let mut budget = Budget::new();
        let now = TsNs(1_700_000_001 * SECOND);
        let sent = (0..400).filter(|_| budget.order(now).is_ok()).count();
        assert_eq!((sent, budget.order(now)), (299, Err(TsNs(1_700_000_010 * SECOND))));
        assert!(budget.order(TsNs(1_700_000_010 * SECOND)).is_ok());
        budget.learn("ORDERS", 10, 300, 299, TsNs(1_700_000_011 * SECOND));
        assert!(budget.order(TsNs(1_700_000_011 * SECOND)).is_err());
    }

    #[test]
    fn a_ban_holds_whatever_the_counts_say_and_is_told_once() {
        let mut budget = Budget::new();
        let (now, until) = (TsNs(1_700_000_000 * SECOND), TsNs(1_700_000_100 * SECOND));
        budget.block(until);
        assert_eq!((budget.order(now), budget.ask(now, 1)), (Err(until), false));
        assert_eq!(budget.news(now).map(|news| news.banned_until), Some(until));
        assert_eq!(budget.news(now), None);
        assert!(budget.ask(until, 1) && budget.order(until).is_ok());
    }

    #[test]
    fn questions_leave_a_reserve() {
        let mut budget = Budget::new();
        let now = TsNs(1_700_000_000 * SECOND);
        budget.learn_weight(2_190, now);
        assert!(budget.ask(now, 5) && !budget.ask(now, 5));
        assert_eq!(budget.news(now).map(|news| (news.left, news.limit)), Some((205, 2_400)));
    }
}
