//! What may be believed of a win rate after some wins and losses.
//!
//! A beta distribution, whose prior is centred on the rate at which the bet breaks even: with no data at all there is
//! no edge. A prior of one half would claim a quarter of the account for a bet that pays two to one.

use crate::maths::beta::{beta_quantile, beta_regularised};

/// What is believed of a win rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Wins, and the prior's share of them; positive.
    alpha: f64,
    /// Losses, and the prior's share of them; positive.
    beta: f64,
}

impl Posterior {
    /// After `wins` and `losses` of a bet that pays `odds` for one, with a prior worth `prior_strength` trades. None
    /// for numbers that are negative, and where nothing is known of one side.
    pub fn new(wins: f64, losses: f64, odds: f64, prior_strength: f64) -> Option<Self> {
        let is_sound = [wins, losses, odds, prior_strength].iter().all(|n| n.is_finite() && *n >= 0.0);
        let alpha = prior_strength / (1.0 + odds) + wins;
        let beta = prior_strength * odds / (1.0 + odds) + losses;
        let is_known = alpha > 0.0 && beta > 0.0 && alpha.is_finite() && beta.is_finite();
        (is_sound && is_known).then_some(Self { alpha, beta })
    }

    /// Mean win rate.
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// Variance of the win rate.
    pub fn variance(&self) -> f64 {
        let sum = self.alpha + self.beta;
        self.alpha * self.beta / (sum * sum * (sum + 1.0))
    }

    /// The win rate that the true one exceeds with probability `1 - q`.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rate = beta_quantile(self.alpha, self.beta, q);
        (!rate.is_nan()).then_some(rate)
    }

    /// Does the `q` quantile lie above `rate`? The same question as comparing [`quantile`](Self::quantile), at the
    /// price of one evaluation.
    pub fn is_above(&self, rate: f64, q: f64) -> bool {
        rate < 1.0 && beta_regularised(self.alpha, self.beta, rate) < q
    }

    /// How much of Kelly's fraction the uncertainty leaves: the maximiser of expected growth in second order. Within 0
    /// to 1; 0 where the mean shows no edge.
    pub fn shrink_factor(&self, odds: f64) -> f64 {
        let edge = (odds + 1.0) * self.mean() - 1.0;
        if edge > 0.0 {
            let square = edge * edge;
            let spread = (odds + 1.0) * (odds + 1.0) * self.variance();
            let factor = square / (square + spread);
            if factor.is_finite() { factor } else { 0.0 }
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizing::kelly::Bet;

    #[test]
    fn no_data_is_no_edge() {
        for odds in [0.3, 1.0, 2.0, 3.7] {
            let posterior = Posterior::new(0.0, 0.0, odds, 20.0).unwrap();
            let bet = Bet { win: odds, loss: 1.0 };
            let rate = bet.break_even_rate().unwrap();
            assert!((posterior.mean() - rate).abs() < 1e-15);
            assert!(bet.fraction(posterior.mean()).unwrap() < 1e-15);
            assert!(posterior.shrink_factor(odds) < 1e-15);
            assert!(!posterior.is_above(rate, 0.05));
        }
    }

    #[test]
    fn the_gate_is_the_quantile_compared() {
        for wins in 0..60 {
            let posterior = Posterior::new(f64::from(wins), 30.0, 1.5, 20.0).unwrap();
            let lower = posterior.quantile(0.05).unwrap();
            assert!((beta_regularised(posterior.alpha, posterior.beta, lower) - 0.05).abs() < 1e-12);
            assert_eq!(posterior.is_above(0.4, 0.05), lower > 0.4, "{wins} wins");
        }
    }

    #[test]
    fn more_of_the_same_is_believed_more() {
        let of = |scale: f64| Posterior::new(6.0 * scale, 4.0 * scale, 1.5, 20.0).unwrap();
        assert!(of(10.0).variance() < of(1.0).variance());
        assert!(of(10.0).shrink_factor(1.5) > of(1.0).shrink_factor(1.5));
        assert!(of(10.0).quantile(0.05) > of(1.0).quantile(0.05));
    }

    #[test]
    fn what_is_no_evidence_is_refused() {
        assert!(Posterior::new(-1.0, 0.0, 1.0, 20.0).is_none());
        assert!(Posterior::new(0.0, 0.0, 1.0, 0.0).is_none());
        assert!(Posterior::new(3.0, 0.0, 1.0, 0.0).is_none());
        assert!(Posterior::new(3.0, 2.0, 0.0, 20.0).is_some(), "losses alone speak for that side");
        assert!(Posterior::new(0.0, 0.0, f64::NAN, 20.0).is_none());
    }
}
