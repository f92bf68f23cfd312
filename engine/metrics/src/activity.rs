//! What stands beside every result: how many trades, how long in the market, how much turned over, what it cost.

use crate::figure::{Figure, Undefined, Value, finite, ratio};
use crate::{BadInput, PeriodsPerYear};

/// Totals of a run. Money in one currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activity {
    /// Closed trades.
    pub trades: usize,
    /// Periods of the run.
    pub periods: usize,
    /// Periods in which something was held.
    pub periods_held: usize,
    /// Notional of all fills.
    pub traded: f64,
    /// Mean equity over the periods.
    pub equity_mean: f64,
    /// Profit of trades that made some, before costs.
    pub gross_profit: f64,
    /// Fees, slippage against the mid and financing, positive when paid.
    pub costs: f64,
}

impl Activity {
    /// All as a report shows them; refuses what cannot be totals of a run.
    pub fn figures(&self, per_year: PeriodsPerYear) -> Result<[Figure; 4], BadInput> {
        let Self { trades, periods, periods_held, traded, equity_mean, gross_profit, costs } = *self;
        let amounts = [
            ("traded", traded),
            ("mean equity", equity_mean),
            ("gross profit", gross_profit),
            ("costs", costs),
        ];
        for (what, amount) in amounts {
            // Rebates make costs negative; nothing else is.
            if !amount.is_finite() || (amount < 0.0 && what != "costs" && what != "mean equity") {
                return Err(BadInput::Domain { what, wanted: "a total" });
            }
        }
        if periods_held > periods {
            return Err(BadInput::Domain { what: "periods held", wanted: "among the periods" });
        }
        let years = periods as f64 / per_year.get();
        let turnover: Value = if equity_mean > 0.0 && periods > 0 {
            finite(traded / equity_mean / years)
        } else {
            Err(Undefined::WipedOut)
        };
        Ok([
            Figure::new("trades", "6.trades", Ok(trades as f64), trades),
            Figure::new(
                "exposure",
                "6.exposure",
                ratio(periods_held as f64, periods as f64, Undefined::TooFew { needed: 1, got: 0 }),
                periods,
            ),
            Figure::new("turnover_ann", "6.turnover", turnover, periods).yearly(per_year),
            Figure::new("cost_share", "6.cost_share", ratio(costs, gross_profit, Undefined::NoGains), trades),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_become_shares() {
        let run = Activity {
            trades: 40,
            periods: 730,
            periods_held: 365,
            traded: 400.0,
            equity_mean: 100.0,
            gross_profit: 50.0,
            costs: 10.0,
        };
        let values =
            |run: Activity| run.figures(PeriodsPerYear::CRYPTO_DAYS).unwrap().map(|figure| figure.value);
        assert_eq!(values(run), [Ok(40.0), Ok(0.5), Ok(2.0), Ok(0.2)]);
        assert_eq!(values(Activity { gross_profit: 0.0, ..run })[3], Err(Undefined::NoGains));
        assert_eq!(values(Activity { equity_mean: -1.0, ..run })[2], Err(Undefined::WipedOut));
        assert!(Activity { periods_held: 731, ..run }.figures(PeriodsPerYear::CRYPTO_DAYS).is_err());
        assert!(Activity { traded: f64::NAN, ..run }.figures(PeriodsPerYear::CRYPTO_DAYS).is_err());
    }
}
