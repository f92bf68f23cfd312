//! Kelly's criterion: the share of equity whose risk makes the account grow fastest.
//!
//! A bet is told in units of risk: R is the planned distance to the stop. A win pays `b` R, a loss costs `a` R. The
//! fraction is the share of equity for one R. Costs make it worse both ways. These are bare formulas; what may be
//! believed of a win rate is `posterior`'s, and what is done with the number is `policy`'s. None means undefined.

/// A trade that ends at its target or at its stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bet {
    /// What a win pays, in R.
    pub win: f64,
    /// What a loss costs, in R; 1 without costs.
    pub loss: f64,
}

impl Bet {
    /// With `cost` R of fees and slippage taken from the win and added to the loss of 1 R.
    pub fn net(win: f64, cost: f64) -> Self {
        Self { win: win - cost, loss: 1.0 + cost }
    }

    /// Both sides are amounts, the win may be nothing or less.
    fn is_sound(&self) -> bool {
        self.win.is_finite() && self.loss.is_finite() && self.loss > 0.0
    }

    /// Kelly's fraction as the formula gives it, negative where the bet loses. None without a positive win.
    pub fn fraction_raw(&self, win_rate: f64) -> Option<f64> {
        if !self.is_sound() || self.win <= 0.0 || !is_probability(win_rate) {
            return None;
        }
        finite(win_rate / self.loss - (1.0 - win_rate) / self.win)
    }

    /// Share of equity to risk for one R: 0 for a bet that loses or that cannot win.
    pub fn fraction(&self, win_rate: f64) -> Option<f64> {
        if self.is_sound() && self.win <= 0.0 && is_probability(win_rate) {
            return Some(0.0);
        }
        // Written so that the zero of a losing bet has no sign.
        self.fraction_raw(win_rate).map(|raw| if raw > 0.0 { raw } else { 0.0 })
    }

    /// Expected logarithm of what one bet does to the account when `fraction` of it is risked for one R. None where
    /// a loss that can happen would take everything.
    pub fn growth(&self, win_rate: f64, fraction: f64) -> Option<f64> {
        if !self.is_sound() || !is_probability(win_rate) || !fraction.is_finite() {
            return None;
        }
        let won = weighted_log(win_rate, self.win * fraction)?;
        let lost = weighted_log(1.0 - win_rate, -(self.loss * fraction))?;
        finite(won + lost)
    }

    /// The win rate at which the bet neither wins nor loses; above 1 is never reached. None without a positive win.
    pub fn break_even_rate(&self) -> Option<f64> {
        if !self.is_sound() || self.win <= 0.0 {
            return None;
        }
        finite(self.loss / (self.loss + self.win))
    }

    /// What a win pays for each unit that a loss costs.
    pub fn odds(&self) -> Option<f64> {
        if !self.is_sound() || self.win <= 0.0 {
            return None;
        }
        finite(self.win / self.loss).filter(|odds| *odds > 0.0)
    }
}

/// `weight × ln(1 + gain)`; what cannot happen weighs nothing, however bad it is.
fn weighted_log(weight: f64, gain: f64) -> Option<f64> {
    if weight == 0.0 {
        return Some(0.0);
    }
    if gain > -1.0 { Some(weight * libm::log1p(gain)) } else { None }
}

/// Halvings of the bracket around the root: a double has no more.
const HALVINGS_MAX: u32 = 1_200;

/// Kelly's fraction over several exits (stop, break-even, first and second target): the root in `f` of
/// `Σ p x / (1 + f x)`. 0 when the mean is not positive. None for an empty list, for lists of different lengths, for
/// weights that are no probabilities, and where nothing can be lost. Only proportions of the weights matter.
pub fn multi_outcome(probabilities: &[f64], multiples: &[f64]) -> Option<f64> {
    let is_sound = !probabilities.is_empty()
        && probabilities.len() == multiples.len()
        && probabilities.iter().all(|p| p.is_finite() && *p >= 0.0)
        && multiples.iter().all(|x| x.is_finite());
    let happening = || probabilities.iter().copied().zip(multiples.iter().copied()).filter(|(p, _)| *p > 0.0);
    if !is_sound || happening().next().is_none() {
        return None;
    }
    let slope = |f: f64| happening().fold(0.0, |sum, (p, x)| sum + p * x / (1.0 + f * x));
    if slope(0.0) <= 0.0 {
        return Some(0.0);
    }
    let worst = happening().fold(0.0, |worst, (_, x)| if x < worst { x } else { worst });
    if worst >= 0.0 {
        return None;
    }
    // The slope falls from a positive mean to minus infinity, where the worst loss would take everything.
    let (mut low, mut high) = (0.0, -1.0 / worst);
    for _ in 0..HALVINGS_MAX {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    finite(low)
}

/// Leverage on a return with mean `mu` and standard deviation `sigma` over a riskless `r`: negative where shorting it
/// would pay.
pub fn continuous_raw(mu: f64, r: f64, sigma: f64) -> Option<f64> {
    if !mu.is_finite() || !r.is_finite() || !sigma.is_finite() || sigma <= 0.0 {
        return None;
    }
    finite((mu - r) / (sigma * sigma))
}

/// Expected growth at leverage `f`.
pub fn continuous_growth(mu: f64, r: f64, sigma: f64, f: f64) -> Option<f64> {
    finite(r + f * (mu - r) - f * f * (sigma * sigma) / 2.0)
}

/// Assets that the portfolio form takes at most.
pub const PORTFOLIO_MAX: usize = 8;

/// Returns of several assets: their means and how they move together.
#[derive(Clone, Copy, Debug)]
pub struct Portfolio<'a> {
    /// Mean return less the riskless one, by asset; at most [`PORTFOLIO_MAX`].
    pub excess: &'a [f64],
    /// Covariances; row and column in the order of `excess`, the rest is not looked at.
    pub covariance: &'a [[f64; PORTFOLIO_MAX]; PORTFOLIO_MAX],
    /// How much of the covariance is replaced by the mean variance on the diagonal: above 0, at most 1.
    pub shrinkage: f64,
}

impl Portfolio<'_> {
    /// Leverage by asset, the rest 0: `C⁻¹ (mu - r)` with `C` shrunk towards equal, independent variances as Ledoit
    /// and Wolf do, by a constant amount.
    ///
    /// This is advice for a person, not a size: an inverse of estimated covariances bets most where the estimate is
    /// worst. So there is no unshrunk form. None without shrinkage, and where the matrix has no inverse.
    pub fn leverage(&self) -> Option<[f64; PORTFOLIO_MAX]> {
        let n = self.excess.len();
        let is_sound = (1..=PORTFOLIO_MAX).contains(&n)
            && self.shrinkage > 0.0
            && self.shrinkage <= 1.0
            && self.excess.iter().all(|mean| mean.is_finite())
            && self.covariance.iter().take(n).flat_map(|row| row.iter().take(n)).all(|c| c.is_finite());
        if !is_sound {
            return None;
        }
        let root = cholesky(&self.shrunk(n), n)?;
        let mut solved = [0.0; PORTFOLIO_MAX];
        for row in 0..n {
            let known = (0..row).fold(0.0, |sum, k| sum + root[row][k] * solved[k]);
            solved[row] = (self.excess[row] - known) / root[row][row];
        }
        for row in (0..n).rev() {
            let known = (row + 1..n).fold(0.0, |sum, k| sum + root[k][row] * solved[k]);
            solved[row] = (solved[row] - known) / root[row][row];
        }
        solved.iter().all(|leverage| leverage.is_finite()).then_some(solved)
    }

    fn shrunk(&self, n: usize) -> [[f64; PORTFOLIO_MAX]; PORTFOLIO_MAX] {
        let mut shrunk = *self.covariance;
        let mean = (0..n).fold(0.0, |sum, at| sum + shrunk[at][at]) / n as f64;
        for (at, row) in shrunk.iter_mut().enumerate().take(n) {
            row.iter_mut().for_each(|covariance| *covariance *= 1.0 - self.shrinkage);
            row[at] += self.shrinkage * mean;
        }
        shrunk
    }
}

/// Lower root of a symmetric matrix. None unless it is positive definite.
#[allow(clippy::needless_range_loop, reason = "rows and columns are what the formula speaks of")]
fn cholesky(
    matrix: &[[f64; PORTFOLIO_MAX]; PORTFOLIO_MAX],
    n: usize,
) -> Option<[[f64; PORTFOLIO_MAX]; PORTFOLIO_MAX]> {
    let mut root = [[0.0; PORTFOLIO_MAX]; PORTFOLIO_MAX];
    for row in 0..n {
        for column in 0..=row {
            let known = (0..column).fold(0.0, |sum, k| sum + root[row][k] * root[column][k]);
            let rest: f64 = matrix[row][column] - known;
            if row != column {
                root[row][column] = rest / root[column][column];
            } else if rest > 0.0 {
                root[row][row] = libm::sqrt(rest);
            } else {
                return None;
            }
        }
    }
    Some(root)
}

fn is_probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden-section search: the slow twin that knows no formula.
    fn argmax(growth: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
        let golden = 0.618_033_988_749_894_9;
        for _ in 0..200 {
            let (left, right) = (high - golden * (high - low), low + golden * (high - low));
            if growth(left) < growth(right) { low = left } else { high = right }
        }
        (low + high) / 2.0
    }

    #[test]
    fn the_formula_is_where_growth_is_greatest() {
        for win_rate in [0.0, 0.2, 0.35, 0.4, 0.5, 0.6, 0.75, 0.95] {
            for (win, cost) in [(0.3, 0.0), (1.0, 0.05), (2.0, 0.1), (3.3, 0.0), (7.0, 0.4)] {
                let bet = Bet::net(win, cost);
                let fraction = bet.fraction(win_rate).unwrap();
                let growth = |f: f64| bet.growth(win_rate, f).unwrap();
                let best = argmax(growth, 0.0, 1.0 / bet.loss * (1.0 - 1e-12));
                // Growth is flat at its top: half the digits is what a search can know.
                assert!((fraction - best).abs() < 1e-6, "{win_rate} {bet:?}: {fraction} {best}");
                assert!(growth(fraction) >= growth(best) - 1e-15);
                let exits = multi_outcome(&[1.0 - win_rate, win_rate], &[-bet.loss, bet.win]).unwrap();
                assert!((fraction - exits).abs() < 1e-12, "{fraction} {exits}");
            }
        }
    }

    #[test]
    fn several_exits_have_their_root_where_growth_is_greatest() {
        let (weights, multiples) = ([0.45, 0.15, 0.25, 0.15], [-1.0, 0.0, 1.5, 3.0]);
        let growth = |f: f64| weights.iter().zip(multiples).map(|(p, x)| p * libm::log1p(f * x)).sum();
        let root = multi_outcome(&weights, &multiples).unwrap();
        assert!((root - argmax(growth, 0.0, 1.0 - 1e-9)).abs() < 1e-6, "{root}");
        assert_eq!(multi_outcome(&[0.7, 0.3], &[-1.0, 1.0]), Some(0.0));
    }

    #[test]
    fn what_is_undefined_has_no_number() {
        let one = Bet { win: 1.0, loss: 1.0 };
        assert_eq!(one.fraction(1.0), Some(1.0));
        assert_eq!(one.growth(1.0, 1.0), Some(libm::log(2.0)));
        assert_eq!(one.growth(0.5, 1.0), None, "a loss takes everything");
        assert_eq!((one.fraction(0.0), one.fraction(1.1), one.fraction(f64::NAN)), (Some(0.0), None, None));
        assert_eq!(Bet { win: 0.0, loss: 1.0 }.fraction(0.5), Some(0.0));
        assert_eq!(Bet { win: 0.0, loss: 1.0 }.fraction_raw(0.5), None);
        assert_eq!(Bet { win: 1.0, loss: 0.0 }.fraction(0.5), None);
        for (weights, multiples) in [
            (&[][..], &[][..]),
            (&[1.0], &[1.0]),
            (&[0.5, 0.5], &[1.0]),
            (&[-0.5, 1.5], &[-1.0, 1.0]),
            (&[0.0], &[-1.0]),
            (&[0.5, 0.5], &[-1.0, f64::INFINITY]),
        ] {
            assert_eq!(multi_outcome(weights, multiples), None, "{weights:?} {multiples:?}");
        }
        assert_eq!(continuous_raw(0.1, 0.0, 0.0), None);
    }

    #[test]
    fn a_portfolio_solves_its_shrunk_covariances() {
        let mut covariance = [[0.0; PORTFOLIO_MAX]; PORTFOLIO_MAX];
        (covariance[0][0], covariance[1][1]) = (0.04, 0.09);
        (covariance[0][1], covariance[1][0]) = (0.03, 0.03);
        let of = |shrinkage| Portfolio { excess: &[0.05, 0.02], covariance: &covariance, shrinkage };
        let leverage = of(0.25).leverage().unwrap();
        let shrunk = of(0.25).shrunk(2);
        for (row, excess) in shrunk.iter().zip([0.05, 0.02]) {
            assert!((row[0] * leverage[0] + row[1] * leverage[1] - excess).abs() < 1e-12);
        }
        assert_eq!((shrunk[0][1], shrunk[0][0]), (0.0225, 0.04 * 0.75 + 0.25 * 0.065));
        assert!(of(0.0).leverage().is_none(), "never without shrinkage");
        covariance = [[1.0; PORTFOLIO_MAX]; PORTFOLIO_MAX];
        let alike = Portfolio { excess: &[0.1; 8], covariance: &covariance, shrinkage: 1e-18 };
        assert!(alike.leverage().is_none(), "no inverse");
    }
}
