//! Rate limits: what each client has used of the venue's patience.
//!
//! Pure. Intervals are aligned to the venue's clock. Weight counts for all clients together, as they share one address.
//! On spot an order counts while it is unfilled: its first fill takes it off. On futures the requests count, whatever
//! becomes of them.

use crate::exchange::reject::Reject;
use crate::settings::LimitSettings;
use serde::Serialize;
use smc_core::TsNs;

const SECOND_NS: u64 = 1_000_000_000;

/// One line of `rateLimits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    rate_limit_type: &'static str,
    interval: &'static str,
    interval_num: u32,
    limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    interval_ns: u64,
    limit: u32,
    window: u64,
    count: u32,
}

impl Counter {
    const fn new(interval_ns: u64, limit: u32) -> Self {
        Self { interval_ns, limit, window: 0, count: 0 }
    }

    fn roll(&mut self, now: TsNs) {
        let window = now.0 / self.interval_ns;
        if window != self.window {
            self.window = window;
            self.count = 0;
        }
    }

    fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    fn has_room(&self, more: u32) -> bool {
        self.count.saturating_add(more) <= self.limit
    }

    fn window_end_ms(&self) -> u64 {
        (self.window + 1).saturating_mul(self.interval_ns) / 1_000_000
    }
}

#[derive(Clone, Copy, Debug)]
struct OrderCounters {
    ten_seconds: Counter,
    /// Of a day on spot, of a minute on futures.
    long: Counter,
}

/// All counters.
pub struct Limits {
    weight: Counter,
    orders: Vec<OrderCounters>,
    /// What the longer interval of the order counts is called.
    long_name: &'static str,
}

impl Limits {
    /// Counters at zero for a number of accounts.
    pub fn new(settings: &LimitSettings, accounts: usize) -> Self {
        let day = Counter::new(86_400 * SECOND_NS, settings.orders_per_day);
        Self::with_long(settings, accounts, day, "DAY")
    }

    /// The same for futures, whose longer interval is a minute.
    pub fn futures(settings: &LimitSettings, accounts: usize) -> Self {
        let minute = Counter::new(60 * SECOND_NS, settings.orders_per_minute);
        Self::with_long(settings, accounts, minute, "MINUTE")
    }

    fn with_long(settings: &LimitSettings, accounts: usize, long: Counter, long_name: &'static str) -> Self {
        let orders =
            OrderCounters { ten_seconds: Counter::new(10 * SECOND_NS, settings.orders_per_10s), long };
        Self {
            weight: Counter::new(60 * SECOND_NS, settings.weight_per_minute),
            orders: vec![orders; accounts],
            long_name,
        }
    }

    /// Counts weight; refuses when the minute's share was used up before.
    pub fn charge(&mut self, now: TsNs, weight: u32) -> Result<(), Reject> {
        self.weight.roll(now);
        if self.weight.is_full() {
            return Err(Reject::weight(self.weight.limit, self.weight.window_end_ms()));
        }
        self.weight.count = self.weight.count.saturating_add(weight);
        Ok(())
    }

    /// Gives weight back: successful order requests are free.
    pub fn refund(&mut self, weight: u32) {
        self.weight.count = self.weight.count.saturating_sub(weight);
    }

    /// Counts one new order; refuses when the account has too many unfilled ones.
    pub fn count_order(&mut self, now: TsNs, account: usize) -> Result<(), Reject> {
        self.count_orders(now, account, 1)
    }

    /// Counts new orders that come together: all or none.
    pub fn count_orders(&mut self, now: TsNs, account: usize, orders: u32) -> Result<(), Reject> {
        let Some(counters) = self.orders.get_mut(account) else { return Ok(()) };
        counters.ten_seconds.roll(now);
        counters.long.roll(now);
        if !counters.ten_seconds.has_room(orders) {
            let (limit, end) = (counters.ten_seconds.limit, counters.ten_seconds.window_end_ms());
            return Err(Reject::order_rate(limit, "10 SECOND", end));
        }
        if !counters.long.has_room(orders) {
            let interval = format!("1 {}", self.long_name);
            return Err(Reject::order_rate(counters.long.limit, &interval, counters.long.window_end_ms()));
        }
        counters.ten_seconds.count += orders;
        counters.long.count += orders;
        Ok(())
    }

    /// An order of the account filled for the first time, or was refused after it was counted.
    pub fn order_done(&mut self, now: TsNs, account: usize) {
        let Some(counters) = self.orders.get_mut(account) else { return };
        for counter in [&mut counters.ten_seconds, &mut counters.long] {
            counter.roll(now);
            counter.count = counter.count.saturating_sub(1);
        }
    }

    /// Weight used in the current minute.
    pub fn weight_used(&mut self, now: TsNs) -> u32 {
        self.weight.roll(now);
        self.weight.count
    }

    /// Orders of an account in the current ten seconds, and in the longer interval.
    pub fn orders_used(&mut self, now: TsNs, account: usize) -> Option<(u32, u32)> {
        let counters = self.orders.get_mut(account)?;
        counters.ten_seconds.roll(now);
        counters.long.roll(now);
        Some((counters.ten_seconds.count, counters.long.count))
    }

    /// The `rateLimits` of an answer: the account's order counts when it was about orders, and the weight.
    pub fn usage(&mut self, now: TsNs, account: Option<usize>) -> Vec<RateLimit> {
        self.weight.roll(now);
        let mut lines = Vec::with_capacity(3);
        if let Some(counters) = account.and_then(|account| self.orders.get_mut(account)) {
            counters.ten_seconds.roll(now);
            counters.long.roll(now);
            lines.push(line(
                "ORDERS",
                "SECOND",
                10,
                counters.ten_seconds.limit,
                Some(counters.ten_seconds.count),
            ));
            let (limit, count) = (counters.long.limit, counters.long.count);
            lines.push(line("ORDERS", self.long_name, 1, limit, Some(count)));
        }
        lines.push(line("REQUEST_WEIGHT", "MINUTE", 1, self.weight.limit, Some(self.weight.count)));
        lines
    }

    /// The limits of futures, as `exchangeInfo` announces them.
    pub fn announced_futures(settings: &LimitSettings) -> Vec<RateLimit> {
        vec![
            line("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_per_minute, None),
            line("ORDERS", "MINUTE", 1, settings.orders_per_minute, None),
            line("ORDERS", "SECOND", 10, settings.orders_per_10s, None),
        ]
    }

    /// The limits themselves, as `exchangeInfo` announces them.
    pub fn announced(settings: &LimitSettings) -> Vec<RateLimit> {
        vec![
            line("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_per_minute, None),
            line("ORDERS", "SECOND", 10, settings.orders_per_10s, None),
            line("ORDERS", "DAY", 1, settings.orders_per_day, None),
            line("RAW_REQUESTS", "MINUTE", 5, 300_000, None),
        ]
    }
}

const fn line(
    rate_limit_type: &'static str,
    interval: &'static str,
    interval_num: u32,
    limit: u32,
    count: Option<u32>,
) -> RateLimit {
    RateLimit { rate_limit_type, interval, interval_num, limit, count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_refuses_until_it_ends() {
        let settings = LimitSettings { orders_per_10s: 2, weight_per_minute: 3, ..LimitSettings::default() };
        let mut limits = Limits::new(&settings, 1);
        let at = |ms| TsNs::from_ms(ms);
        assert_eq!(limits.count_order(at(1_000), 0), Ok(()));
        assert_eq!(limits.count_order(at(2_000), 0), Ok(()));
        let refused = limits.count_order(at(3_000), 0).unwrap_err();
        assert_eq!((refused.code, refused.status, refused.retry_after_ms), (-1015, 429, Some(10_000)));
        limits.order_done(at(3_000), 0);
        assert_eq!(limits.count_order(at(3_000), 0), Ok(()));
        assert_eq!(limits.count_order(at(10_000), 0), Ok(()));
        assert_eq!(limits.charge(at(1), 3), Ok(()));
        let refused = limits.charge(at(2), 1).unwrap_err();
        assert_eq!((refused.code, refused.retry_after_ms), (-1003, Some(60_000)));
        assert_eq!(limits.charge(at(60_000), 1), Ok(()));
    }
}
