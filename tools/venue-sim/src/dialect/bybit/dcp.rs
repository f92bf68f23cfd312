//! Disconnect cancel all: when the last connection that subscribed to it is dead for the window, the account's orders
//! of the product are cancelled.

use super::Venue;
use super::params::Params;
use super::refusal::Refusal;
use super::topics::Private;
use super::words::Category;
use smc_core::TsNs;

const SECOND_NS: u64 = 1_000_000_000;
/// How long a new window takes to apply.
const APPLIES_AFTER_NS: u64 = 10 * SECOND_NS;

/// One account's protection of one product.
#[derive(Clone, Copy, Debug)]
pub struct Dcp {
    window_s: u64,
    /// A new window, and when it applies.
    next: Option<(TsNs, u64)>,
    /// Somebody subscribed, and nothing has been cancelled since.
    is_armed: bool,
    dead_since: Option<TsNs>,
}

impl Default for Dcp {
    fn default() -> Self {
        Self { window_s: 10, next: None, is_armed: false, dead_since: None }
    }
}

impl Dcp {
    /// The window, in seconds.
    pub const fn window_s(&self) -> u64 {
        self.window_s
    }

    /// Moves on; true when the window has passed with nobody there.
    fn is_due(&mut self, is_alive: bool, now: TsNs) -> bool {
        if let Some((at, window_s)) = self.next
            && now >= at
        {
            (self.window_s, self.next) = (window_s, None);
        }
        if is_alive {
            (self.is_armed, self.dead_since) = (true, None);
            return false;
        }
        if !self.is_armed {
            return false;
        }
        let since = *self.dead_since.get_or_insert(now);
        let is_due = now.since(since) >= self.window_s * SECOND_NS;
        self.is_armed = !is_due;
        is_due
    }
}

impl Venue {
    /// Sets a window of 3 to 300 seconds.
    pub(super) fn set_dcp(&mut self, account: usize, params: &Params) -> Result<(), Refusal> {
        let category = match params.get("product").unwrap_or("OPTIONS") {
            "DERIVATIVES" => Category::Linear,
            "SPOT" => Category::Spot,
            "OPTIONS" => Category::Option,
            _ => return Err(Refusal::param("product")),
        };
        let window_s = params.whole("timeWindow")?.filter(|window| (3..=300).contains(window));
        let window_s = window_s.ok_or(Refusal::param("timeWindow"))?;
        let applies_at = TsNs(self.now.0 + APPLIES_AFTER_NS);
        self.dcp.entry((account, category)).or_default().next = Some((applies_at, window_s));
        Ok(())
    }

    /// What the clock means for it. True when orders were cancelled.
    pub(super) fn tend_dcp(&mut self) -> bool {
        for session in self.sessions.values() {
            for (topic, category) in &session.private {
                if let (Private::Dcp, Some(category), Some(account)) = (topic, category, session.account) {
                    self.dcp.entry((account, *category)).or_default();
                }
            }
        }
        let now = self.now;
        let mut due = Vec::new();
        for ((account, category), dcp) in &mut self.dcp {
            let is_there = |session: &super::session::Session| {
                session.account == Some(*account)
                    && session.private.contains(&(Private::Dcp, Some(*category)))
            };
            if dcp.is_due(self.sessions.values().any(is_there), now) {
                due.push((*account, *category));
            }
        }
        let mut is_any = false;
        for (account, category) in due {
            let open: Vec<_> = self
                .ledger
                .orders(account, category)
                .filter(|record| record.is_open() && record.order.working.is_some())
                .map(|record| record.order.id)
                .collect();
            for id in open {
                is_any |= self.end_order(id, "CancelByDCP").is_ok();
            }
        }
        is_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reconnect_within_the_window_resets_it() {
        let mut dcp = Dcp::default();
        let at = |seconds: u64| TsNs(seconds * SECOND_NS);
        assert!(!dcp.is_due(false, at(100)), "nobody ever subscribed");
        assert!(!dcp.is_due(true, at(101)));
        assert!(!dcp.is_due(false, at(102)));
        assert!(!dcp.is_due(true, at(111)));
        assert!(!dcp.is_due(false, at(112)));
        assert!(!dcp.is_due(false, at(121)));
        assert!(dcp.is_due(false, at(122)));
        assert!(!dcp.is_due(false, at(300)), "once");
        dcp.next = Some((at(310), 3));
        assert!(!dcp.is_due(true, at(310)));
        assert!(!dcp.is_due(false, at(311)) && dcp.is_due(false, at(314)));
    }
}
