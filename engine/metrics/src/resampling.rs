//! What the same trades could have done in another order, or drawn again: drawdowns and ends that must be survived.

use crate::drawdown::max_drawdown;
use crate::{BadInput, Random, Series, bootstrap, input};
use smc_core::var::Tail;

/// The worst part of resamples that is looked at: 5 %.
const WORST: u64 = 500;

/// Deepest drawdown of the returns in each of some orders, and the one at rank `ceil(0.05 n)` from the worst.
#[derive(Clone, Debug, PartialEq)]
pub struct Shuffled {
    /// In the order of the orders.
    pub max_drawdowns: Vec<f64>,
    /// None without orders.
    pub p95_worst: Option<f64>,
}

/// Over given orders; each must be an order of all returns.
pub fn drawdowns_of<O: AsRef<[usize]>>(returns: Series<'_>, orders: &[O]) -> Result<Shuffled, BadInput> {
    let n = returns.count();
    for (at, order) in orders.iter().enumerate() {
        let order = order.as_ref();
        input::check_length("permutation", order.len(), n)?;
        let mut is_seen = vec![false; n];
        let is_new =
            |index: &usize| is_seen.get_mut(*index).is_some_and(|seen| !std::mem::replace(seen, true));
        if !order.iter().all(is_new) {
            return Err(BadInput::Element { what: "permutations", at, wanted: "an order of all returns" });
        }
    }
    let deepest = |order: &O| max_drawdown(order.as_ref().iter().map(|index| returns.values()[*index]));
    let max_drawdowns: Vec<f64> = orders.iter().map(deepest).collect();
    let p95_worst = worst(&max_drawdowns);
    Ok(Shuffled { max_drawdowns, p95_worst })
}

/// The value at rank `ceil(0.05 n)` from the lowest.
fn worst(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let rank = Tail::from_basis_points(WORST)?.rank(sorted.len());
    sorted.get(rank.checked_sub(1)?).copied()
}

/// How trades are drawn again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeResampling {
    /// Of the generator; resample `k` is drawn by run `k`.
    pub seed: u64,
    /// Shuffles, and as many bootstraps; 10,000 is the usual number.
    pub resamples: usize,
    /// Trades in a block of the bootstrap; 5 is the usual number.
    pub block: usize,
    /// Share of equity that one R is.
    pub risk_fraction: f64,
    /// Drawdown that must not be reached, as a positive fraction.
    pub drawdown_limit: f64,
}

/// What resamples of one kind did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paths {
    /// Drawdown at the 5 % rank from the worst; 0 or less.
    pub worst_drawdown: f64,
    /// Share of resamples that reached the drawdown limit.
    pub limit_risk: f64,
    /// Equity at the end at the 5 % rank from the worst, from 1.
    pub worst_equity: f64,
    /// Trades in each resample.
    pub trades: usize,
    /// Resamples.
    pub resamples: usize,
}

impl TradeResampling {
    /// Shuffles (the same trades in another order) and block bootstraps (other trades of the same kind).
    pub fn run(&self, trades: Series<'_>) -> Result<[Paths; 2], BadInput> {
        let is_share = |value: f64| value > 0.0 && value <= 1.0;
        if !is_share(self.risk_fraction) || !is_share(self.drawdown_limit) {
            let what = if is_share(self.risk_fraction) { "drawdown limit" } else { "risk fraction" };
            return Err(BadInput::Domain { what, wanted: "above 0 and at most 1" });
        }
        if self.resamples == 0 || self.block == 0 {
            let what = if self.block == 0 { "block" } else { "resamples" };
            return Err(BadInput::Domain { what, wanted: "1 or more" });
        }
        let returns: Vec<f64> = trades.iter().map(|r| r * self.risk_fraction).collect();
        input::check_numbers("trades", &returns)?;
        let shuffled = |indices: &mut [usize], random: &mut Random| {
            indices.iter_mut().enumerate().for_each(|(nth, index)| *index = nth);
            random.shuffle(indices);
        };
        let blocks =
            |indices: &mut [usize], random: &mut Random| bootstrap::blocks(indices, self.block, random);
        // Seeds of their own: the two kinds do not share draws.
        Ok([self.paths(&returns, 0, shuffled), self.paths(&returns, self.resamples as u64, blocks)])
    }

    fn paths(&self, returns: &[f64], first_run: u64, draw: impl Fn(&mut [usize], &mut Random)) -> Paths {
        let mut indices = vec![0; returns.len()];
        let (mut falls, mut ends) = (Vec::new(), Vec::new());
        let mut hits = 0u32;
        for nth in 0..self.resamples as u64 {
            draw(&mut indices, &mut Random::of_run(self.seed, first_run + nth));
            let drawn = || indices.iter().map(|index| returns[*index]);
            // An account that is gone stays gone: a loss beyond it is not earned back.
            let fall = max_drawdown(drawn()).max(-1.0);
            hits += u32::from(-fall >= self.drawdown_limit);
            falls.push(fall);
            ends.push(drawn().fold(1.0, |equity: f64, value| (equity * (1.0 + value)).clamp(0.0, f64::MAX)));
        }
        Paths {
            worst_drawdown: worst(&falls).unwrap_or(0.0),
            limit_risk: f64::from(hits) / self.resamples as f64,
            worst_equity: worst(&ends).unwrap_or(1.0),
            trades: returns.len(),
            resamples: self.resamples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_is_exact() {
        // 0.05 times 140 is a hair more than 7 in floating point.
        let values: Vec<f64> = (1..=140).map(f64::from).collect();
        assert_eq!(worst(&values), Some(7.0));
        assert_eq!((worst(&values[..20]), worst(&values[..21]), worst(&[])), (Some(1.0), Some(2.0), None));
    }

    #[test]
    fn what_is_no_order_is_refused() {
        let returns = [0.1, -0.1, 0.2];
        let series = Series::new("returns", &returns).unwrap();
        for order in [&[0, 1][..], &[0, 1, 1], &[0, 1, 3], &[0, 1, 2, 2]] {
            assert!(drawdowns_of(series, &[order]).is_err(), "{order:?}");
        }
        let none: [[usize; 3]; 0] = [];
        assert_eq!(drawdowns_of(series, &none).unwrap().p95_worst, None);
    }

    #[test]
    fn shuffles_end_where_the_trades_did_and_bootstraps_do_not() {
        let trades: Vec<f64> = (0..50).map(|nth| if nth % 3 == 0 { 2.0 } else { -0.8 }).collect();
        let series = Series::new("trades", &trades).unwrap();
        let how =
            TradeResampling { seed: 3, resamples: 500, block: 5, risk_fraction: 0.01, drawdown_limit: 0.05 };
        let [shuffled, drawn] = how.run(series).unwrap();
        let end = trades.iter().fold(1.0, |equity, r| equity * (1.0 + 0.01 * r));
        assert!((shuffled.worst_equity / end - 1.0).abs() < 1e-12);
        assert!(drawn.worst_equity < end);
        assert!(shuffled.worst_drawdown < -0.05 && shuffled.limit_risk > 0.05);
        let [cautious, _] = TradeResampling { risk_fraction: 0.001, ..how }.run(series).unwrap();
        assert_eq!(cautious.limit_risk, 0.0);
        for broken in [
            TradeResampling { risk_fraction: 0.0, ..how },
            TradeResampling { drawdown_limit: f64::NAN, ..how },
            TradeResampling { resamples: 0, ..how },
            TradeResampling { block: 0, ..how },
        ] {
            assert!(broken.run(series).is_err());
        }
    }

    /// A trade that takes more than there is ends the path.
    #[test]
    fn an_account_that_is_gone_stays_gone() {
        let trades = [-3.0, -3.0, 5.0];
        let how =
            TradeResampling { seed: 1, resamples: 20, block: 1, risk_fraction: 0.5, drawdown_limit: 1.0 };
        let [shuffled, _] = how.run(Series::new("trades", &trades).unwrap()).unwrap();
        assert_eq!((shuffled.worst_drawdown, shuffled.limit_risk, shuffled.worst_equity), (-1.0, 1.0, 0.0));
    }
}
