//! Where a trade has paid: the nearest liquidity on its side that is worth the risk.
//!
//! Steps are bounded by the pools that the structure engine keeps.

use super::place::Place;
use super::search::Search;
use crate::output::Scope;
use crate::smc::{PeriodKind, Strength};
use crate::words::{Direction, Price, ppm_of};

/// Distances in price that a target is measured by.
pub(super) struct Pay {
    /// Fees and slippage of both fills.
    pub cost: i64,
    /// To the stop, and the costs.
    pub risk: i64,
    /// The least the target pays, costs taken off.
    pub reward_min: i64,
    /// The most.
    pub reward_max: i64,
}

impl Search<'_> {
    /// The nearest liquidity that pays enough, else a multiple of the risk where that is allowed.
    pub fn target(&self, place: &Place) -> Option<(Price, u32)> {
        let Pay { cost, risk, reward_min, reward_max } = self.pay(place);
        let reward = |price: Price| self.signed_by(price.0 - place.entry.0).saturating_sub(cost);
        let payable = self.liquidity().map(|found| (reward(found.0), found));
        let payable = payable.filter(|(reward, _)| (reward_min..=reward_max).contains(reward));
        let liquidity = payable.min_by_key(|(reward, _)| *reward).map(|(_, found)| found);
        if liquidity.is_some() || self.params.require_liquidity_target {
            return liquidity;
        }
        let distance = ppm_of(risk, self.params.target_risk_ppm).saturating_add(cost);
        Some((Price(place.entry.0.saturating_add(self.signed_by(distance))), 0))
    }

    /// What a target from that place has to pay.
    pub fn pay(&self, place: &Place) -> Pay {
        let cost = ppm_of(place.entry.0, self.params.round_trip_cost_ppm);
        let risk = (place.entry.0 - place.stop.0).abs().saturating_add(cost);
        let reward_min = ppm_of(risk, self.params.reward_to_risk_ppm_min);
        let reward_max = ppm_of(risk, self.params.reward_to_risk_ppm_max);
        Pay { cost, risk, reward_min, reward_max }
    }

    /// Everything of the kinds asked for on the trade's side, with the ids of the structures.
    pub fn liquidity(&self) -> impl Iterator<Item = (Price, u32)> {
        let params = self.params;
        let pools = self
            .smc
            .pools()
            .filter(|pool| params.target_pools && pool.direction == self.direction)
            .map(|pool| (pool.level, pool.id));
        let swing =
            self.smc.last_swing(self.direction).filter(|_| params.target_swings && self.is_swing_due());
        let day = self.period_level(PeriodKind::Day).filter(|_| params.target_day);
        let week = self.period_level(PeriodKind::Week).filter(|_| params.target_week);
        let sessions = params.target_sessions.indices();
        let sessions = sessions.filter_map(|index| self.smc.untaken_session_level(index, self.direction));
        pools.chain(swing.map(|swing| (swing.price, swing.id))).chain(day).chain(week).chain(sessions)
    }

    /// A weak swing is expected to be taken; a strong one is where the other side comes from.
    fn is_swing_due(&self) -> bool {
        let strength = self.smc.strength(Scope::Swing, self.direction);
        !self.params.require_weak_target || strength == Some(Strength::Weak)
    }

    /// The previous period's level on the trade's side, while unbroken.
    fn period_level(&self, kind: PeriodKind) -> Option<(Price, u32)> {
        let period = self.smc.previous_period(kind)?;
        match self.direction {
            Direction::Up if !period.is_high_broken => Some((period.high, period.id)),
            Direction::Down if !period.is_low_broken => Some((period.low, period.id)),
            _ => None,
        }
    }
}
