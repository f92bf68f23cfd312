//! Would it survive other luck and a worse world: trades in another order, prices a tick away, slower, dearer, thinner.

use crate::ValidateError;
use crate::market::{Markets, Periods};
use crate::pipeline::{Conditions, Pipeline, Trade, run_checked};
use crate::workers::Workers;
use smc_metrics::resampling::{Paths, TradeResampling};
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::{PeriodsPerYear, Series, Undefined, Value};

/// How trades are drawn again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Of the generator.
    pub seed: u64,
    /// Shuffles, and as many bootstraps.
    pub resamples: usize,
    /// Trades in a block of the bootstrap.
    pub block: usize,
    /// Drawdown that must not be reached, as a positive fraction.
    pub drawdown_limit: f64,
}

/// What the same trades could have done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampled {
    /// The same trades in other orders.
    pub shuffled: Paths,
    /// Other trades of the same kind, in blocks.
    pub drawn: Paths,
}

impl Resampled {
    /// The deeper of the two drawdowns at the 5 % rank, as a positive fraction.
    pub fn drawdown(&self) -> f64 {
        -self.shuffled.worst_drawdown.min(self.drawn.worst_drawdown)
    }
}

/// Resamples trades, each with the share of equity that it won or lost in truth; undefined without any.
pub fn resample(trades: &[Trade], how: Drawn) -> Result<Result<Resampled, Undefined>, ValidateError> {
    if trades.is_empty() {
        return Ok(Err(Undefined::TooFew { needed: 1, got: 0 }));
    }
    let Drawn { seed, resamples, block, drawdown_limit } = how;
    // What is drawn are shares of equity already.
    let how = TradeResampling { seed, resamples, block, risk_fraction: 1.0, drawdown_limit };
    let net: Vec<f64> = trades.iter().map(Trade::net).collect();
    let [shuffled, drawn] = how.run(Series::new("trades", &net)?)?;
    Ok(Ok(Resampled { shuffled, drawn }))
}

/// One noise test.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// What was done.
    pub name: &'static str,
    /// Total return of the chosen candidate under it.
    pub profit: Value,
    /// Trades that closed.
    pub trades: usize,
}

/// The four worlds of the reference: prices a tick away, latency twice, fees half as much again, a fifth of the fills lost.
/// The candidate is the one that was chosen in the real world.
pub fn noise_tests(
    pipeline: &dyn Pipeline,
    markets: &Markets,
    period_ns: u64,
    candidate: usize,
    seed: u64,
    workers: Workers,
) -> Result<Vec<Noise>, ValidateError> {
    let plain = Conditions::plain(seed);
    let worlds = [
        ("prices ± 1 tick", plain),
        ("latency × 2", Conditions { latency: 2.0, ..plain }),
        ("fees × 1.5", Conditions { fees: 1.5, ..plain }),
        ("fills - 20 %", Conditions { fills: 0.8, ..plain }),
    ];
    let periods = Periods::of(markets, period_ns)?;
    workers.try_map(worlds.len(), |nth| {
        let (name, under) = worlds[nth];
        let moved = (nth == 0).then(|| markets.jittered(seed));
        let markets = moved.as_ref().unwrap_or(markets);
        let mut records = run_checked(pipeline, markets, &periods, &[candidate], under)?;
        let Some(record) = records.pop() else {
            return Err(ValidateError::Pipeline("the pipeline gave no record".into()));
        };
        let returns = Series::new("returns", &record.returns)?;
        let profit = ReturnMetrics::of(returns, 0.0, PeriodsPerYear::CRYPTO_DAYS)?.total_return;
        Ok(Noise { name, profit, trades: record.trades.len() })
    })
}

/// The least profit; undefined as soon as one is.
pub fn profit_least(tests: &[Noise]) -> Value {
    let none = Err(Undefined::TooFew { needed: 1, got: 0 });
    let less = |least: Value, test: &Noise| match (least, test.profit) {
        (Ok(least), Ok(profit)) => Ok(f64::min(least, profit)),
        (_, Err(reason)) => Err(reason),
        (Err(_), profit) => profit,
    };
    let Some((first, rest)) = tests.split_first() else { return none };
    rest.iter().try_fold(first.profit?, |least, test| less(Ok(least), test))
}

/// Share of costs, those in the prices of fills too, in the gross profit of trades that made some; as reports of backtests have it.
pub fn cost_share(trades: &[Trade]) -> Value {
    let costs = smc_metrics::sum::sum(trades.iter().map(Trade::paid));
    let gross = smc_metrics::sum::sum(trades.iter().map(|trade| trade.gross.max(0.0)));
    if gross > 0.0 { Ok(costs / gross) } else { Err(Undefined::NoGains) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(gross: f64, costs: f64, slippage: f64) -> Trade {
        // An R that says nothing of the share of equity: a stop a hair away, say.
        Trade { decided_ns: 1, opened_ns: 1, closed_ns: 2, r: 1.0, gross, costs, slippage }
    }

    #[test]
    fn drawdowns_are_those_of_the_account() {
        let trades: Vec<Trade> =
            (0..40).map(|nth| trade(if nth % 2 == 0 { 0.03 } else { -0.02 }, 0.001, 0.0)).collect();
        let how = Drawn { seed: 1, resamples: 200, block: 5, drawdown_limit: 0.2 };
        let resampled = resample(&trades, how).unwrap().unwrap();
        let end: f64 = trades.iter().map(|trade| 1.0 + trade.net()).product();
        assert!((resampled.shuffled.worst_equity / end - 1.0).abs() < 1e-12);
        assert!(resampled.drawdown() > 0.021, "{}", resampled.drawdown());
        assert!(resample(&[], how).unwrap().is_err());
    }

    #[test]
    fn what_prices_cost_is_a_cost() {
        let trades = [trade(0.03, 0.002, 0.004), trade(-0.01, 0.002, 0.004)];
        let share = cost_share(&trades).unwrap();
        assert!((share - 0.012 / 0.03).abs() < 1e-12, "{share}");
    }
}
