//! How much of the venue's limits is used, and until when we must keep still.
//!
//! Pure, fixed size. The venue counts in windows aligned to its clock and tells the count with every answer; in
//! between we add what we sent ourselves. Orders stop one step below each limit and leave weight for queries and
//! cancels. Cancels never ask here: they always pass.

use super::message::{LimitKind, RateLimits};
use smc_core::event::RequestBudget;
use smc_core::words::TsNs;
use smc_net::Hold;

/// Windows of orders kept apart (the venue has two: ten seconds and a day).
const ORDER_WINDOWS_MAX: usize = 4;

/// Before the venue has told its limits: the smallest it is known to have.
const ORDERS_DEFAULT: Window = Window::new(10, 50);
const WEIGHT_DEFAULT: Window = Window::new(60, 6_000);

/// Weight that orders leave to queries and cancels.
const WEIGHT_RESERVE: u32 = 100;

/// The limits of one account and address.
pub(super) struct Budget {
    orders: [Option<Window>; ORDER_WINDOWS_MAX],
    weight: Window,
    /// Nothing but cancels before this moment of our clock.
    blocked_until: TsNs,
    /// Nothing at all by REST before this one; what the feed was told counts as well.
    pub ban: Hold,
    /// The venue's clock minus ours, in nanoseconds.
    offset_ns: i64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    interval_s: u32,
    limit: u32,
    used: u32,
    /// Number of the window since the epoch that `used` belongs to.
    bucket: u64,
}

impl Window {
    const fn new(interval_s: u32, limit: u32) -> Self {
        Self { interval_s, limit, used: 0, bucket: 0 }
    }

    const fn interval_ns(&self) -> u64 {
        (if self.interval_s == 0 { 1 } else { self.interval_s }) as u64 * 1_000_000_000
    }

    /// Starts a new window when the venue's clock has left the old one.
    fn roll(&mut self, venue_now: u64) {
        let bucket = venue_now / self.interval_ns();
        if bucket != self.bucket {
            self.bucket = bucket;
            self.used = 0;
        }
    }

    const fn end(&self) -> u64 {
        self.bucket.saturating_add(1).saturating_mul(self.interval_ns())
    }
}

impl Budget {
    pub fn new() -> Self {
        Self {
            orders: [Some(ORDERS_DEFAULT), None, None, None],
            weight: WEIGHT_DEFAULT,
            blocked_until: TsNs(0),
            ban: Hold::default(),
            offset_ns: 0,
        }
    }

    /// Keeps the venue's clock minus ours.
    pub fn set_offset_ms(&mut self, offset_ms: i64) {
        self.offset_ns = offset_ms.saturating_mul(1_000_000);
    }

    /// Our moment of a moment of the venue.
    pub fn ours(&self, venue_ns: u64) -> TsNs {
        TsNs(venue_ns.saturating_add_signed(self.offset_ns.saturating_neg()))
    }

    fn venue(&self, now: TsNs) -> u64 {
        now.0.saturating_add_signed(self.offset_ns)
    }

    /// Nothing but cancels before `until`.
    pub fn block(&mut self, until: TsNs) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// Until when nothing but cancels may be sent.
    pub fn blocked_until(&self) -> TsNs {
        self.blocked_until.max(self.banned_until())
    }

    /// Takes over the weight that a REST answer's header tells.
    pub fn learn_weight(&mut self, used: u32, now: TsNs) {
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        self.weight.used = used;
    }

    /// The address is banned until then: not even a cancel by REST goes out.
    pub fn ban(&mut self, until: TsNs) {
        self.ban.raise(until.0);
    }

    /// Until when the address is banned.
    pub fn banned_until(&self) -> TsNs {
        TsNs(self.ban.until())
    }

    /// Whether so many orders may be sent now; else when they may.
    pub fn orders(&mut self, now: TsNs, orders: u32) -> Result<(), TsNs> {
        let blocked_until = self.blocked_until();
        if now < blocked_until {
            return Err(blocked_until);
        }
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        let reserve = WEIGHT_RESERVE.min(self.weight.limit / 4);
        if self.weight.used.saturating_add(reserve) >= self.weight.limit {
            return Err(self.ours(self.weight.end()));
        }
        for window in self.orders.iter_mut().flatten() {
            window.roll(venue_now);
            if window.used.saturating_add(orders) >= window.limit {
                let end = window.end();
                return Err(self.ours(end));
            }
        }
        Ok(())
    }

    /// Counts an order that was sent.
    pub fn count_order(&mut self) {
        for window in self.orders.iter_mut().flatten() {
            window.used = window.used.saturating_add(1);
        }
    }

    /// Whether a query of this weight may be sent now. Counts it if so.
    pub fn query(&mut self, now: TsNs, weight: u32) -> bool {
        if now < self.blocked_until() {
            return false;
        }
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        let used = self.weight.used.saturating_add(weight);
        if used >= self.weight.limit {
            return false;
        }
        self.weight.used = used;
        true
    }

    /// Takes over the venue's own counts. `orders_waiting` were sent and are not answered: the count may or may
    /// not hold them, so they are added.
    pub fn learn(&mut self, limits: &RateLimits, now: TsNs, orders_waiting: u32) {
        let venue_now = self.venue(now);
        for told in limits.iter() {
            let window = match told.kind {
                LimitKind::RequestWeight if told.interval_s == self.weight.interval_s => &mut self.weight,
                LimitKind::Orders => match slot(&mut self.orders, told.interval_s) {
                    Some(window) => window,
                    None => continue,
                },
                _ => continue,
            };
            window.roll(venue_now);
            window.limit = told.limit;
            window.used = match told.kind {
                LimitKind::Orders => told.count.saturating_add(orders_waiting),
                _ => told.count,
            };
        }
    }

    /// What may still be asked, in the core's words.
    pub fn told(&mut self, now: TsNs) -> RequestBudget {
        let venue_now = self.venue(now);
        self.weight.roll(venue_now);
        RequestBudget {
            left: self.weight.limit.saturating_sub(self.weight.used),
            limit: self.weight.limit,
            banned_until: self.blocked_until(),
            resets_at: self.ours(self.weight.end()),
        }
    }

    /// Weight used in this window, as far as we know.
    pub const fn weight_used(&self) -> u32 {
        self.weight.used
    }

    /// Orders used in the shortest window, as far as we know.
    pub fn orders_used(&self) -> u32 {
        self.orders.iter().flatten().min_by_key(|w| w.interval_s).map_or(0, |w| w.used)
    }
}

/// The window of this length, made if there is room.
fn slot(windows: &mut [Option<Window>], interval_s: u32) -> Option<&mut Window> {
    let at = windows
        .iter()
        .position(|w| w.is_some_and(|w| w.interval_s == interval_s))
        .or_else(|| windows.iter().position(Option::is_none))?;
    windows.get_mut(at).map(|window| window.get_or_insert(Window::new(interval_s, 0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance_spot::message::RateLimit;

    const SECOND: u64 = 1_000_000_000;
    const START: u64 = 1_700_000_000 * SECOND;

    fn told(kind: LimitKind, interval_s: u32, limit: u32, count: u32) -> RateLimits {
        let mut limits = RateLimits::default();
        limits.push(RateLimit { kind, interval_s, limit, count });
        limits
    }

    #[test]
    fn orders_stop_one_below_the_limit_and_start_again_with_the_window() {
        let mut budget = Budget::new();
        let now = TsNs(START + 3 * SECOND);
        budget.learn(&told(LimitKind::Orders, 10, 5, 2), now, 0);
        assert_eq!(budget.orders(now, 1), Ok(()));
        budget.count_order();
        budget.count_order();
        assert_eq!(budget.orders(now, 1), Err(TsNs(START + 10 * SECOND)));
        assert_eq!(budget.orders(TsNs(START + 10 * SECOND), 1), Ok(()));
    }

    #[test]
    fn windows_are_the_venues_not_ours() {
        let mut budget = Budget::new();
        budget.set_offset_ms(4_000);
        let now = TsNs(START + 3 * SECOND);
        budget.learn(&told(LimitKind::Orders, 10, 3, 2), now, 0);
        // The venue's clock says START + 7 s, so its window ends at START + 6 s of ours.
        assert_eq!(budget.orders(now, 1), Err(TsNs(START + 6 * SECOND)));
    }

    #[test]
    fn a_told_wait_is_kept_and_weight_is_left_for_queries() {
        let mut budget = Budget::new();
        let now = TsNs(START);
        budget.block(TsNs(START + SECOND));
        assert_eq!(budget.orders(now, 1), Err(TsNs(START + SECOND)));
        assert!(!budget.query(now, 1));
        let later = TsNs(START + SECOND);
        budget.learn(&told(LimitKind::RequestWeight, 60, 1_000, 950), later, 0);
        assert!(budget.orders(later, 1).is_err(), "orders leave the reserve alone");
        assert!(budget.query(later, 4));
        assert!(!budget.query(later, 80));
    }
}
