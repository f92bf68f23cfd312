//! The gate between research, paper and money: what must hold before a strategy version moves up (section 10).
//!
//! Fails closed: evidence that is missing or undefined does not hold. The verdict lists every criterion with what was
//! asked and what was found, so that a report can be read without this code.

use crate::figure::{Undefined, Value};
use crate::input::BadInput;
use crate::moments::Moments;
use crate::stability::Plateau;
use crate::{Panel, Series};
use smc_core::var::quantile_linear;

/// The step that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// From research to paper trading. There is no paper record yet to compare with.
    ToPaper,
    /// From paper to a tenth of the size.
    ToProbation,
    /// To the full size.
    ToFull,
}

/// What is known about a strategy version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Closed trades out of sample.
    pub trades: usize,
    /// Periods out of sample.
    pub periods: usize,
    /// Minimum track record in periods, at 95 %.
    pub min_track_record: Value,
    /// Deflated Sharpe ratio, with the ledger's count of trials.
    pub dsr: Value,
    /// Probability of overfitting.
    pub pbo: Value,
    /// Reality check.
    pub reality_check_p: Value,
    /// Permutation test in sample.
    pub mcpt_in_sample_p: Value,
    /// Permutation test of the walk-forward.
    pub mcpt_walk_forward_p: Value,
    /// Histories of combinatorial cross-validation.
    pub histories: Histories,
    /// Walk-forward efficiency.
    pub walk_forward_efficiency: Value,
    /// Parameters around the chosen ones; none when no map was made.
    pub plateau: Option<Plateau>,
    /// Least profit among the noise tests.
    pub noise_profit_least: Value,
    /// Truncation and perturbation found nothing; none when they were not run.
    pub is_free_of_look_ahead: Option<bool>,
    /// Earlier trials and openings that looked at what is kept back as the hold-out; none when nobody counted.
    pub hold_out_seen: Option<usize>,
    /// Share of costs in gross profit.
    pub cost_share: Value,
    /// Drawdown at the 5 % rank of resamples, as a positive fraction.
    pub drawdown_resampled: Value,
    /// Drawdown that the account may have, as a positive fraction.
    pub drawdown_limit: f64,
    /// Share of paper entries at the time of simulated ones; none before there was paper trading.
    pub paper_entries_matched: Value,
    /// Relative error of simulated slippage against paper's.
    pub paper_slippage_error: Value,
}

/// What the histories of combinatorial cross-validation did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Histories {
    /// Share of histories that made money.
    pub profitable: Value,
    /// 5 % quantile of their Sharpe ratios, per period. A history that never varies counts as 0.
    pub sharpe_low: Value,
    /// How many there are.
    pub count: usize,
}

impl Histories {
    /// Of returns over the same periods: a column a history.
    pub fn of(returns: &Panel) -> Self {
        let mut profitable = 0u32;
        let mut ratios: Vec<f64> = (0..returns.columns())
            .map(|nth| {
                let column: Vec<f64> = returns.column(nth).collect();
                let series = Series::drawn(&column);
                let end = crate::drawdown::Drawdown::of(series);
                profitable += u32::from(!end.is_wiped_out && end.equity.is_ok_and(|equity| equity > 1.0));
                Moments::of(series).sharpe().unwrap_or(0.0)
            })
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        Self {
            profitable: Ok(f64::from(profitable) / returns.columns() as f64),
            sharpe_low: quantile_linear(&ratios, 0.05).ok_or(Undefined::Overflow),
            count: returns.columns(),
        }
    }
}

/// What a criterion asks of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// More than this.
    Above(f64),
    /// Less than this.
    Below(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Above(limit) => value > limit,
            Self::Below(limit) => value < limit,
        }
    }
}

/// One criterion and what was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    /// Its name in reports.
    pub name: &'static str,
    /// What was found.
    pub value: Value,
    /// What was asked.
    pub bound: Bound,
}

impl Criterion {
    /// It holds. What is undefined does not.
    pub fn holds(&self) -> bool {
        self.value.is_ok_and(|value| self.bound.holds(value))
    }
}

/// All criteria of a step, those that hold too. The version moves up when all do.
pub fn judge(step: Step, evidence: &Evidence) -> Result<Vec<Criterion>, BadInput> {
    let Evidence { drawdown_limit, .. } = *evidence;
    if !(drawdown_limit > 0.0 && drawdown_limit <= 1.0) {
        return Err(BadInput::Domain { what: "drawdown limit", wanted: "above 0 and at most 1" });
    }
    let unknown = Err(Undefined::TooFew { needed: 1, got: 0 });
    let claim = |claim: Option<bool>| claim.map_or(unknown, |claim| Ok(f64::from(u8::from(claim))));
    let kept = |plateau: Plateau| plateau.kept.ok_or(Undefined::NoGains);
    let track = evidence.min_track_record.map(|least| evidence.periods as f64 - least);
    let mut all = vec![
        criterion("trades", Ok(evidence.trades as f64), Bound::AtLeast(200.0)),
        criterion("periods_beyond_min_track_record", track, Bound::AtLeast(0.0)),
        criterion("dsr", evidence.dsr, Bound::AtLeast(0.95)),
        criterion("pbo", evidence.pbo, Bound::AtMost(0.10)),
        criterion("reality_check_p", evidence.reality_check_p, Bound::AtMost(0.05)),
        criterion("mcpt_in_sample_p", evidence.mcpt_in_sample_p, Bound::Below(0.01)),
        criterion("mcpt_walk_forward_p", evidence.mcpt_walk_forward_p, Bound::Below(0.05)),
        criterion("cpcv_profitable", evidence.histories.profitable, Bound::AtLeast(0.90)),
        criterion("cpcv_sharpe_low", evidence.histories.sharpe_low, Bound::Above(0.0)),
        criterion("walk_forward_efficiency", evidence.walk_forward_efficiency, Bound::AtLeast(0.5)),
        criterion(
            "neighbours_kept",
            evidence.plateau.map_or(unknown, kept),
            Bound::AtLeast(crate::stability::KEPT_MIN),
        ),
        criterion(
            "cells_profitable",
            evidence.plateau.map_or(unknown, |plateau| Ok(plateau.profitable)),
            Bound::AtLeast(crate::stability::PROFITABLE_MIN),
        ),
        criterion("noise_profit_least", evidence.noise_profit_least, Bound::Above(0.0)),
        criterion("free_of_look_ahead", claim(evidence.is_free_of_look_ahead), Bound::AtLeast(1.0)),
        criterion(
            "hold_out_seen",
            evidence.hold_out_seen.map_or(unknown, |seen| Ok(seen as f64)),
            Bound::AtMost(0.0),
        ),
        criterion("cost_share", evidence.cost_share, Bound::AtMost(0.40)),
        criterion("drawdown_resampled", evidence.drawdown_resampled, Bound::Below(drawdown_limit)),
    ];
    if step != Step::ToPaper {
        all.push(criterion("paper_entries_matched", evidence.paper_entries_matched, Bound::AtLeast(0.99)));
        all.push(criterion("paper_slippage_error", evidence.paper_slippage_error, Bound::AtMost(0.20)));
    }
    Ok(all)
}

const fn criterion(name: &'static str, value: Value, bound: Bound) -> Criterion {
    Criterion { name, value, bound }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Evidence = Evidence {
        trades: 200,
        periods: 1_000,
        min_track_record: Ok(1_000.0),
        dsr: Ok(0.95),
        pbo: Ok(0.10),
        reality_check_p: Ok(0.05),
        mcpt_in_sample_p: Ok(0.009),
        mcpt_walk_forward_p: Ok(0.049),
        histories: Histories { profitable: Ok(0.9), sharpe_low: Ok(0.001), count: 9 },
        walk_forward_efficiency: Ok(0.5),
        plateau: Some(Plateau { score: 1.0, kept: Some(0.7), neighbours: 2, profitable: 0.6, cells: 9 }),
        noise_profit_least: Ok(0.01),
        is_free_of_look_ahead: Some(true),
        hold_out_seen: Some(0),
        cost_share: Ok(0.4),
        drawdown_resampled: Ok(0.19),
        drawdown_limit: 0.2,
        paper_entries_matched: Ok(0.99),
        paper_slippage_error: Ok(0.2),
    };

    fn failing(step: Step, evidence: Evidence) -> Vec<&'static str> {
        let all = judge(step, &evidence).unwrap();
        all.iter().filter(|criterion| !criterion.holds()).map(|criterion| criterion.name).collect()
    }

    #[test]
    fn every_criterion_stops_a_version_by_itself() {
        let none = Err(Undefined::NoVariation);
        assert!(failing(Step::ToFull, GOOD).is_empty());
        let plateau = |kept, profitable| Some(Plateau { kept, profitable, ..GOOD.plateau.unwrap() });
        let histories = |profitable, sharpe_low| Histories { profitable, sharpe_low, count: 9 };
        let cases = [
            ("trades", Evidence { trades: 199, ..GOOD }),
            ("periods_beyond_min_track_record", Evidence { periods: 999, ..GOOD }),
            ("periods_beyond_min_track_record", Evidence { min_track_record: none, ..GOOD }),
            ("dsr", Evidence { dsr: Ok(0.949), ..GOOD }),
            ("dsr", Evidence { dsr: none, ..GOOD }),
            ("pbo", Evidence { pbo: Ok(0.11), ..GOOD }),
            ("reality_check_p", Evidence { reality_check_p: Ok(0.051), ..GOOD }),
            ("mcpt_in_sample_p", Evidence { mcpt_in_sample_p: Ok(0.01), ..GOOD }),
            ("mcpt_walk_forward_p", Evidence { mcpt_walk_forward_p: Ok(0.05), ..GOOD }),
            ("cpcv_profitable", Evidence { histories: histories(Ok(0.89), Ok(0.1)), ..GOOD }),
            ("cpcv_sharpe_low", Evidence { histories: histories(Ok(0.9), Ok(0.0)), ..GOOD }),
            ("walk_forward_efficiency", Evidence { walk_forward_efficiency: Ok(0.49), ..GOOD }),
            ("neighbours_kept", Evidence { plateau: plateau(Some(0.69), 0.6), ..GOOD }),
            ("neighbours_kept", Evidence { plateau: plateau(None, 0.6), ..GOOD }),
            ("cells_profitable", Evidence { plateau: plateau(Some(0.7), 0.59), ..GOOD }),
            ("noise_profit_least", Evidence { noise_profit_least: Ok(0.0), ..GOOD }),
            ("free_of_look_ahead", Evidence { is_free_of_look_ahead: Some(false), ..GOOD }),
            ("free_of_look_ahead", Evidence { is_free_of_look_ahead: None, ..GOOD }),
            ("hold_out_seen", Evidence { hold_out_seen: Some(1), ..GOOD }),
            ("hold_out_seen", Evidence { hold_out_seen: None, ..GOOD }),
            ("cost_share", Evidence { cost_share: Ok(0.41), ..GOOD }),
            ("drawdown_resampled", Evidence { drawdown_resampled: Ok(0.2), ..GOOD }),
            ("paper_entries_matched", Evidence { paper_entries_matched: Ok(0.98), ..GOOD }),
            ("paper_slippage_error", Evidence { paper_slippage_error: Ok(0.21), ..GOOD }),
        ];
        for (name, evidence) in cases {
            assert_eq!(failing(Step::ToProbation, evidence), [name]);
        }
        let named: std::collections::BTreeSet<_> = cases.iter().map(|(name, _)| *name).collect();
        assert_eq!(named.len(), judge(Step::ToFull, &GOOD).unwrap().len());
        let before_paper = Evidence { paper_entries_matched: none, paper_slippage_error: none, ..GOOD };
        assert!(failing(Step::ToPaper, before_paper).is_empty());
        assert_eq!(failing(Step::ToProbation, before_paper).len(), 2);
        assert!(judge(Step::ToPaper, &Evidence { drawdown_limit: 0.0, ..GOOD }).is_err());
        assert_eq!(failing(Step::ToPaper, Evidence { plateau: None, ..GOOD }).len(), 2);
    }

    #[test]
    fn histories_are_counted_and_flat_ones_are_no_gain() {
        let rows = [[0.01, -0.01, 0.0], [0.02, 0.005, 0.0], [-0.01, -0.01, 0.0], [0.01, 0.0, 0.0]];
        let histories = Histories::of(&Panel::from_rows("returns", &rows).unwrap());
        assert_eq!((histories.profitable, histories.count), (Ok(1.0 / 3.0), 3));
        assert!(histories.sharpe_low.unwrap() < 0.0);
    }
}
