//! From an edge to a share of equity: how much of Kelly's fraction is taken, and when nothing is.
//!
//! `min(cap, phi × k × f) × max(0, 1 - drawdown / limit) × min(1, target / volatility)`, and only while the edge holds
//! at the lower bound of what may be believed. A strategy that has not traded enough to show an edge trades its
//! probation size, which is small; one that has and shows none does not trade.

use super::Rate;
use super::kelly::Bet;
use super::posterior::Posterior;
use super::record::TradeRecord;

/// How Kelly sizing decides. Shares are of equity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KellyParams {
    /// Part of Kelly's fraction that is taken.
    pub fraction_ppm: u32,
    /// So many trades at the break-even rate are believed before the first one.
    pub prior_strength: u32,
    /// No trade risks more than this.
    pub cap_ppm: u32,
    /// The win rate must be above break-even with this much doubt left.
    pub lower_quantile_ppm: u32,
    /// Nothing is risked once equity is this far below its highest.
    pub drawdown_limit_ppm: u32,
    /// Round trips during which an edge need not be shown; 0 trades nothing without one.
    pub probation_trades: u32,
    /// What a trade risks meanwhile.
    pub probation_ppm: u32,
    /// Standard deviation of a return on the lowest timeframe, above which less is risked; none does not look.
    pub volatility_target_ppm: Option<u32>,
}

impl Default for KellyParams {
    fn default() -> Self {
        Self {
            fraction_ppm: 250_000,
            prior_strength: 20,
            cap_ppm: 10_000,
            lower_quantile_ppm: 50_000,
            drawdown_limit_ppm: 100_000,
            probation_trades: 30,
            probation_ppm: 1_000,
            volatility_target_ppm: None,
        }
    }
}

/// What is known when a trade is sized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Round trips that made money.
    pub wins: u32,
    /// Round trips that did not.
    pub losses: u32,
    /// What they made and lost, in R.
    pub record: TradeRecord,
    /// Distance of this trade's target in distances of its stop.
    pub reward: f64,
    /// Fees of this trade, in R.
    pub cost: f64,
    /// How far equity is below its highest, as a share of it.
    pub drawdown: f64,
    /// Standard deviation of a return on the lowest timeframe, as a share of the price; none while unknown.
    pub volatility: Option<f64>,
}

/// The share of equity to risk, and what it was made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stake {
    /// Share of equity that the stop may cost, fees included; 0 unless the verdict trades.
    pub risk_fraction: Rate,
    /// What decided it.
    pub verdict: Verdict,
    /// What is known.
    pub evidence: Evidence,
    /// The bet as it may be believed, after costs.
    pub bet: Bet,
    /// What is believed of the win rate; none for a bet that cannot win.
    pub posterior: Option<Posterior>,
    /// The quantile at which an edge must hold.
    pub lower_q: f64,
    /// Kelly's fraction at the mean win rate.
    pub fraction: f64,
    /// How much of it the uncertainty leaves.
    pub shrink_factor: f64,
    /// How much the drawdown leaves.
    pub drawdown_factor: f64,
    /// How much the volatility leaves.
    pub volatility_factor: f64,
}

/// What decided a stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The edge.
    Edge,
    /// The cap on one trade.
    Capped,
    /// Too few trades to show an edge: the probation size.
    Probation,
    /// No edge at the lower bound of the win rate, or a target that does not pay its costs.
    NoEdge,
    /// Equity is too far below its highest.
    Drawdown,
    /// A volatility target is set and the volatility is not known yet.
    NoVolatility,
}

impl Verdict {
    /// Something may be risked.
    pub const fn is_traded(self) -> bool {
        matches!(self, Self::Edge | Self::Capped | Self::Probation)
    }
}

impl Stake {
    /// The win rate that the true one is above, but for the doubt that is allowed. Takes a while: for explanations.
    pub fn win_rate_lower(&self) -> Option<f64> {
        self.posterior?.quantile(self.lower_q)
    }
}

/// Decides how much of equity to risk. Numbers that make no sense risk nothing.
pub fn stake(params: &KellyParams, evidence: &Evidence) -> Stake {
    let prior = f64::from(params.prior_strength);
    let planned = Bet::net(evidence.reward, evidence.cost);
    let bet = Bet {
        win: evidence.record.believed_win(planned.win, prior),
        loss: evidence.record.believed_loss(planned.loss, prior),
    };
    let (wins, losses) = (f64::from(evidence.wins), f64::from(evidence.losses));
    let odds = bet.odds().filter(|_| evidence.cost >= 0.0);
    let posterior = odds.and_then(|odds| Posterior::new(wins, losses, odds, prior));
    let mut stake = Stake {
        risk_fraction: Rate::default(),
        verdict: Verdict::NoEdge,
        evidence: *evidence,
        bet,
        posterior,
        lower_q: share(params.lower_quantile_ppm),
        fraction: 0.0,
        shrink_factor: 0.0,
        drawdown_factor: drawdown_factor(params, evidence.drawdown),
        volatility_factor: volatility_factor(params, evidence.volatility).unwrap_or(0.0),
    };
    let (Some(odds), Some(posterior)) = (odds, posterior) else { return stake };
    stake.fraction = bet.fraction(posterior.mean()).unwrap_or(0.0);
    stake.shrink_factor = posterior.shrink_factor(odds);

    let wanted = share(params.fraction_ppm) * stake.shrink_factor * stake.fraction;
    let cap = share(params.cap_ppm);
    let is_sure = posterior.is_above(1.0 / (1.0 + odds), stake.lower_q);
    let is_new = evidence.wins.saturating_add(evidence.losses) < params.probation_trades;
    let (unscaled, verdict) = match (is_sure, is_new) {
        (true, _) if wanted > cap => (cap, Verdict::Capped),
        (true, _) => (wanted, Verdict::Edge),
        (false, true) => (share(params.probation_ppm), Verdict::Probation),
        (false, false) => return stake,
    };
    stake.verdict = match volatility_factor(params, evidence.volatility) {
        None => Verdict::NoVolatility,
        Some(_) if stake.drawdown_factor <= 0.0 => Verdict::Drawdown,
        Some(_) => verdict,
    };
    if stake.verdict.is_traded() {
        let scaled = unscaled * stake.drawdown_factor * stake.volatility_factor;
        stake.risk_fraction = rate_down(scaled).min(Rate::from_ppm(params.cap_ppm));
    }
    stake
}

/// 1 at the highest equity, 0 at the limit and beyond, and where the drawdown is no number.
fn drawdown_factor(params: &KellyParams, drawdown: f64) -> f64 {
    let left = 1.0 - drawdown / share(params.drawdown_limit_ppm);
    if left > 0.0 { if left < 1.0 { left } else { 1.0 } } else { 0.0 }
}

/// None while a target is set and the volatility unknown.
fn volatility_factor(params: &KellyParams, volatility: Option<f64>) -> Option<f64> {
    let Some(target) = params.volatility_target_ppm.map(share) else { return Some(1.0) };
    let volatility = volatility.filter(|volatility| *volatility >= 0.0)?;
    Some(if volatility > target { target / volatility } else { 1.0 })
}

fn share(ppm: u32) -> f64 {
    f64::from(ppm) / 1e6
}

/// Rounded down to 1e-8; what is no number is nothing.
fn rate_down(share: f64) -> Rate {
    if share > 0.0 { Rate(libm::floor(share * 1e8) as i64) } else { Rate::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Money;

    fn evidence(wins: u32, losses: u32) -> Evidence {
        let record = TradeRecord::default();
        Evidence { wins, losses, record, reward: 2.0, cost: 0.1, drawdown: 0.0, volatility: None }
    }

    fn of(evidence: &Evidence) -> (Verdict, i64) {
        let stake = stake(&KellyParams::default(), evidence);
        (stake.verdict, stake.risk_fraction.0)
    }

    #[test]
    fn an_edge_must_be_shown_after_probation() {
        assert_eq!(of(&evidence(0, 0)), (Verdict::Probation, 100_000));
        assert_eq!(of(&evidence(9, 20)), (Verdict::Probation, 100_000));
        assert_eq!(of(&evidence(10, 20)), (Verdict::NoEdge, 0));
        assert_eq!(of(&evidence(60, 40)), (Verdict::Capped, 1_000_000));
        let (verdict, rate) = of(&Evidence { reward: 1.1, ..evidence(1_090, 910) });
        assert!(verdict == Verdict::Edge && (700_000..900_000).contains(&rate), "{verdict:?} {rate}");
    }

    #[test]
    fn a_target_that_does_not_pay_its_costs_is_not_even_tried() {
        assert_eq!(of(&Evidence { reward: 0.1, ..evidence(0, 0) }), (Verdict::NoEdge, 0));
        assert_eq!(of(&Evidence { cost: f64::INFINITY, ..evidence(60, 40) }), (Verdict::NoEdge, 0));
        assert_eq!(of(&Evidence { reward: f64::NAN, ..evidence(60, 40) }), (Verdict::NoEdge, 0));
        assert_eq!(of(&Evidence { cost: -0.5, ..evidence(60, 40) }), (Verdict::NoEdge, 0));
    }

    #[test]
    fn drawdown_and_volatility_only_take_away() {
        let full = evidence(60, 40);
        assert_eq!(of(&Evidence { drawdown: 0.025, ..full }), (Verdict::Capped, 750_000));
        assert_eq!(of(&Evidence { drawdown: 0.1, ..full }), (Verdict::Drawdown, 0));
        assert_eq!(of(&Evidence { drawdown: f64::NAN, ..full }), (Verdict::Drawdown, 0));
        assert_eq!(of(&Evidence { drawdown: -1.0, ..full }), (Verdict::Capped, 1_000_000));
        let params = KellyParams { volatility_target_ppm: Some(1_000), ..KellyParams::default() };
        let at = |volatility| stake(&params, &Evidence { volatility, ..full });
        assert_eq!((at(None).verdict, at(None).risk_fraction), (Verdict::NoVolatility, Rate(0)));
        assert_eq!(at(Some(f64::NAN)).verdict, Verdict::NoVolatility);
        assert_eq!(at(Some(0.004)).risk_fraction, Rate(250_000));
        assert_eq!(at(Some(0.0)).risk_fraction, Rate(1_000_000));
    }

    /// A plan of two to one that in fact pays a half has no edge at six wins of ten.
    #[test]
    fn what_trades_really_paid_outweighs_the_plan() {
        let mut record = TradeRecord::default();
        (0..600).for_each(|_| record.count(Money(5), Money(10)));
        (0..400).for_each(|_| record.count(Money(-11), Money(10)));
        assert_eq!(of(&evidence(600, 400)).0, Verdict::Capped);
        assert_eq!(of(&Evidence { record, ..evidence(600, 400) }), (Verdict::NoEdge, 0));
    }
}
