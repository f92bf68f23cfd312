//! What the venue shows about itself and our key: its clock, what may still be asked, what the key may do.

use super::session::{Out, SECOND, Session};
use super::settings::GatewayFatal;
use smc_core::event::{EventBody, KeyScope, RequestBudget, VenueClock};
use smc_core::words::{InstrumentId, TsNs};

/// Refusals of key, signature or address, one after another, that stop a gateway which had been ready.
const REFUSALS_MAX: u32 = 3;
/// Budgets are told no more often than this, but for bans.
const BUDGET_EVERY: u64 = SECOND;

impl Session {
    pub(super) fn tell_clock(&self, out: &mut Out<'_>) {
        let offset_ns = self.offset_ms.saturating_mul(1_000_000);
        out.event(None, InstrumentId::NONE, EventBody::Clock(VenueClock { offset_ns }));
    }

    /// Says what may still be asked: a ban at once, else once a second.
    pub(super) fn tell_budget(&mut self, out: &mut Out<'_>) {
        let budget = self.budget.told(out.now);
        let (before, at) = self.budget_told;
        let is_ban = budget.banned_until != before.banned_until;
        let is_due = budget != before && out.now.since(at) >= BUDGET_EVERY;
        if is_ban || is_due {
            self.budget_told = (budget, out.now);
            out.event(None, InstrumentId::NONE, EventBody::Budget(budget));
        }
    }

    /// A ban that somebody else heard of is told as well.
    pub(super) fn tell_ban(&mut self, out: &mut Out<'_>) {
        if self.budget.blocked_until() != self.budget_told.0.banned_until {
            self.tell_budget(out);
        }
    }

    pub(super) fn tell_key(&self, can_trade: bool, out: &mut Out<'_>) {
        let scope = KeyScope { can_trade, can_withdraw: self.can_withdraw };
        out.event(None, InstrumentId::NONE, EventBody::Key(scope));
    }

    /// Key, signature or address was refused. At start that is for good; later the third time in a row is.
    pub(super) fn on_key_refused(&mut self, step: &'static str, code: i32, message: &str, out: &mut Out<'_>) {
        self.wants_cut = true;
        self.refusals += 1;
        if self.was_ready && self.refusals < REFUSALS_MAX {
            return;
        }
        self.tell_key(false, out);
        self.fatal = Some(GatewayFatal { code, step, message: message.to_owned() });
    }
}

/// Before anything was told.
pub(super) const NOTHING_TOLD: (RequestBudget, TsNs) =
    (RequestBudget { left: u32::MAX, limit: 0, banned_until: TsNs(0), resets_at: TsNs(0) }, TsNs(0));
