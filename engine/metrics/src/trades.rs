//! Metrics of closed trades, in multiples of what each risked (R).
//!
//! A trade with R > 0 is a win, every other one a loss: one that brings nothing has cost the risk for nothing.

use crate::figure::{Figure, Undefined, Value, at_least, finite, ratio};
use crate::input::{check_length, check_numbers};
use crate::moments::Moments;
use crate::sum::{Sum, sum};
use crate::{BadInput, Series};
use libm::sqrt;

/// What section 6 says of trades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeMetrics {
    /// Trades.
    pub n: usize,
    /// Share of wins.
    pub win_rate: Value,
    /// Mean R of wins.
    pub avg_win: Value,
    /// Mean R of losses; 0 or less.
    pub avg_loss: Value,
    /// Mean win per mean loss.
    pub payoff: Value,
    /// Mean R.
    pub expectancy_r: Value,
    /// Sum of wins per sum of losses.
    pub profit_factor: Value,
    /// System quality number: mean R per deviation (n - 1), times the root of n.
    pub sqn: Value,
    /// Longest run of losses.
    pub max_consecutive_losses: usize,
    /// Longest run of wins.
    pub max_consecutive_wins: usize,
    /// Deepest fall of the sum of R below its peak, which starts at 0; 0 or less.
    pub max_drawdown_r: Value,
}

impl TradeMetrics {
    /// Of the R multiples of trades in the order in which they closed.
    pub fn of(trades: Series<'_>) -> Self {
        let n = trades.count();
        let wins = trades.iter().filter(|r| *r > 0.0).count();
        let won = sum(trades.iter().filter(|r| *r > 0.0));
        let lost = sum(trades.iter().filter(|r| *r <= 0.0));
        let losses = n - wins;
        let avg_win = if wins == 0 { Err(Undefined::NoGains) } else { finite(won / wins as f64) };
        let avg_loss = if losses == 0 { Err(Undefined::NoLosses) } else { finite(lost / losses as f64) };
        let payoff = |win: f64, loss: f64| ratio(win, loss.abs(), Undefined::NoLosses);
        let moments = Moments::of(trades);
        Self {
            n,
            win_rate: finite(wins as f64 / n as f64),
            avg_win,
            avg_loss,
            payoff: avg_win.and_then(|win| payoff(win, avg_loss?)),
            expectancy_r: finite(moments.mean),
            profit_factor: ratio(won, lost.abs(), Undefined::NoLosses),
            sqn: moments.sharpe().and_then(|ratio| finite(ratio * sqrt(n as f64))),
            max_consecutive_losses: longest_run(trades, |r| r <= 0.0),
            max_consecutive_wins: longest_run(trades, |r| r > 0.0),
            max_drawdown_r: drawdown_r(trades),
        }
    }

    /// All of them as a report shows them.
    pub fn figures(&self) -> [Figure; 10] {
        let figure = |name, value| Figure::new(name, "6.trade_metrics", value, self.n);
        [
            figure("win_rate", self.win_rate),
            figure("avg_win", self.avg_win),
            figure("avg_loss", self.avg_loss),
            figure("payoff", self.payoff),
            figure("expectancy_r", self.expectancy_r),
            figure("profit_factor", self.profit_factor),
            figure("sqn", self.sqn),
            figure("max_consecutive_losses", Ok(self.max_consecutive_losses as f64)),
            Figure {
                formula: "own.max_consecutive_wins",
                ..figure("max_consecutive_wins", Ok(self.max_consecutive_wins as f64))
            },
            figure("max_drawdown_r", self.max_drawdown_r),
        ]
    }
}

fn longest_run(trades: Series<'_>, counts: impl Fn(f64) -> bool) -> usize {
    let step = |(run, longest): (usize, usize), r| {
        let run = if counts(r) { run + 1 } else { 0 };
        (run, longest.max(run))
    };
    trades.iter().fold((0, 0), step).1
}

fn drawdown_r(trades: Series<'_>) -> Value {
    let mut total = Sum::default();
    let (mut peak, mut deepest) = (0.0, 0.0);
    for r in trades.iter() {
        total.add(r);
        peak = f64::max(peak, total.value());
        deepest = f64::min(deepest, total.value() - peak);
    }
    finite(total.value()).and(finite(deepest))
}

/// How far trades went against us (MAE) and for us (MFE) before they closed, in R. Not in the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excursions {
    /// Trades.
    pub n: usize,
    /// Mean of the worst excursions; 0 or more.
    pub mae_mean: Value,
    /// Mean of the best excursions.
    pub mfe_mean: Value,
    /// Mean worst excursion of wins: how much room they needed.
    pub mae_mean_of_wins: Value,
    /// Mean best excursion of losses: what was there to be taken.
    pub mfe_mean_of_losses: Value,
    /// Best per worst excursion, of the means: above 1 the entry has an edge of its own.
    pub edge_ratio: Value,
    /// Share of the best excursions that was kept: sum of R per sum of MFE.
    pub kept: Value,
}

impl Excursions {
    /// `mae` and `mfe` are distances, 0 or more, one of each a trade.
    pub fn of(trades: Series<'_>, mae: &[f64], mfe: &[f64]) -> Result<Self, BadInput> {
        for (what, distances) in [("mae", mae), ("mfe", mfe)] {
            check_length(what, distances.len(), trades.count())?;
            check_numbers(what, distances)?;
            if let Some(at) = distances.iter().position(|distance| *distance < 0.0) {
                return Err(BadInput::Element { what, at, wanted: "a distance" });
            }
        }
        let n = trades.count();
        let mean_where = |values: &[f64], counts: &dyn Fn(f64) -> bool| {
            let chosen: Vec<f64> =
                trades.iter().zip(values).filter(|(r, _)| counts(*r)).map(|(_, v)| *v).collect();
            at_least(1, chosen.len()).and(finite(sum(chosen.iter().copied()) / chosen.len() as f64))
        };
        let (against, favour) = (sum(mae.iter().copied()), sum(mfe.iter().copied()));
        Ok(Self {
            n,
            mae_mean: finite(against / n as f64),
            mfe_mean: finite(favour / n as f64),
            mae_mean_of_wins: mean_where(mae, &|r| r > 0.0),
            mfe_mean_of_losses: mean_where(mfe, &|r| r <= 0.0),
            edge_ratio: ratio(favour, against, Undefined::NoLosses),
            kept: ratio(sum(trades.iter()), favour, Undefined::NoGains),
        })
    }

    /// All of them as a report shows them.
    pub fn figures(&self) -> [Figure; 6] {
        let figure = |name, formula, value| Figure::new(name, formula, value, self.n);
        [
            figure("mae_mean", "own.mae_mean", self.mae_mean),
            figure("mfe_mean", "own.mfe_mean", self.mfe_mean),
            figure("mae_mean_of_wins", "own.mae_mean_of_wins", self.mae_mean_of_wins),
            figure("mfe_mean_of_losses", "own.mfe_mean_of_losses", self.mfe_mean_of_losses),
            figure("edge_ratio", "own.edge_ratio", self.edge_ratio),
            figure("kept", "own.kept", self.kept),
        ]
    }
}
