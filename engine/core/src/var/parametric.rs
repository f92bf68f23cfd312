//! VaR and ES of distributions that are given by a few numbers.

use libm::sqrt;

use super::TailRisk;
use crate::maths::{normal, student};

/// The lower tail of the standard normal distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NormalTail {
    p: f64,
    z: f64,
    density: f64,
}

impl NormalTail {
    /// The tail of probability `p`, strictly between 0 and 1.
    pub fn new(p: f64) -> Option<Self> {
        let z = normal::quantile(p);
        z.is_finite().then(|| Self { p, z, density: normal::pdf(z) })
    }

    /// Where the tail ends, in deviations.
    pub const fn z(&self) -> f64 {
        self.z
    }

    /// VaR and ES of returns with this mean and deviation.
    pub fn risk(&self, mean: f64, sigma: f64) -> Option<TailRisk> {
        let es = sigma * self.density / self.p - mean;
        TailRisk { var: -(mean + sigma * self.z), es }.finite().filter(|_| sigma >= 0.0)
    }
}

/// VaR and ES of `scale` times Student's t with `nu` degrees of freedom, around 0, for the tail of probability `p`.
/// The second is `None` when there is no mean (`nu <= 1`).
pub fn student_t(nu: f64, scale: f64, p: f64) -> Option<(f64, Option<f64>)> {
    let t = student::quantile(nu, p);
    let var = -scale * t;
    let es = scale * student::pdf(nu, t) / p * ((nu + t * t) / (nu - 1.0));
    let is_sound = scale >= 0.0 && var.is_finite();
    is_sound.then(|| (var, Some(es).filter(|es| nu > 1.0 && es.is_finite())))
}

/// A normal quantile corrected for skew and excess kurtosis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CornishFisher {
    /// The corrected quantile, also where it is not valid.
    pub z: f64,
    /// The correction keeps the order of quantiles; otherwise it is not valid and the normal one stands.
    pub is_monotone: bool,
}

/// The Cornish-Fisher expansion at the normal quantile `z`. `skew` and `kurtosis` (excess) are its parameters and not
/// the moments that come out, so with fat tails it is a figure for reports and not for a limit.
pub fn cornish_fisher(z: f64, skew: f64, kurtosis: f64) -> CornishFisher {
    let (square, cube) = (z * z, z * z * z);
    let corrected = z + (square - 1.0) * skew / 6.0 + (cube - 3.0 * z) * kurtosis / 24.0
        - (2.0 * cube - 5.0 * z) * skew * skew / 36.0;
    // Its slope is a parabola in z, which must not go below 0 anywhere.
    let leading = kurtosis / 8.0 - skew * skew / 6.0;
    let constant = 1.0 - kurtosis / 8.0 + 5.0 * skew * skew / 36.0;
    let is_monotone = leading >= 0.0 && skew * skew / 9.0 - 4.0 * leading * constant <= 0.0;
    CornishFisher { z: corrected, is_monotone }
}

/// The moments that Cornish-Fisher takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation over `n - 1`; `None` for one return.
    pub sigma: Option<f64>,
    /// Population (biased) skew; `None` when nothing varies.
    pub skew: Option<f64>,
    /// Population (biased) excess kurtosis; `None` when nothing varies.
    pub kurtosis: Option<f64>,
}

impl Moments {
    /// `None` without returns, or if their sums are not finite.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let first = *returns.first()?;
        let n = returns.len() as f64;
        // Equal returns have exactly their own mean, which a rounded sum would miss.
        let is_flat = returns.iter().all(|value| *value == first);
        let mean = if is_flat { first } else { returns.iter().sum::<f64>() / n };
        let (mut second, mut third, mut fourth) = (0.0, 0.0, 0.0);
        for value in returns {
            let gap = value - mean;
            let square = gap * gap;
            second += square;
            third += square * gap;
            fourth += square * square;
        }
        if !second.is_finite() {
            return None;
        }
        let variance = second / n;
        // What rounding alone leaves is no variation.
        let varies = variance > (f64::EPSILON * mean) * (f64::EPSILON * mean);
        let shape = |value: f64| Some(value).filter(|value| varies && value.is_finite());
        Some(Self {
            mean,
            sigma: (returns.len() > 1).then(|| sqrt(second / (n - 1.0))),
            skew: shape(third / n / (variance * sqrt(variance))),
            kurtosis: shape(fourth / n / (variance * variance) - 3.0),
        })
    }

    /// The VaR, and whether the correction was valid: otherwise it is the normal one.
    pub fn cornish_fisher_var(&self, tail: &NormalTail) -> (Option<f64>, bool) {
        let corrected =
            self.skew.zip(self.kurtosis).map(|(skew, kurtosis)| cornish_fisher(tail.z, skew, kurtosis));
        let valid = corrected.filter(|corrected| corrected.is_monotone);
        let z = valid.map_or(tail.z, |corrected| corrected.z);
        let var = self.sigma.map(|sigma| -(self.mean + sigma * z));
        (var.filter(|var| var.is_finite()), valid.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_validity_rule_is_the_slope_on_a_grid() {
        for skew in -30..=30 {
            for kurtosis in -10..=100 {
                let (skew, kurtosis) = (f64::from(skew) / 10.0 + 0.013, f64::from(kurtosis) / 10.0 + 0.007);
                let at = |nth: i32| cornish_fisher(f64::from(nth) / 200.0, skew, kurtosis).z;
                let rises = (-8_000..8_000).all(|nth| at(nth) <= at(nth + 1));
                assert_eq!(cornish_fisher(-2.0, skew, kurtosis).is_monotone, rises, "{skew} {kurtosis}");
            }
        }
    }

    #[test]
    fn returns_that_do_not_vary_have_no_shape_and_fall_back() {
        let tail = NormalTail::new(0.05).unwrap();
        for n in [2, 3, 10, 77] {
            let moments = Moments::of(&alloc::vec![0.1; n]).unwrap();
            assert_eq!((moments.skew, moments.kurtosis), (None, None));
            let (var, is_valid) = moments.cornish_fisher_var(&tail);
            assert_eq!((var, is_valid), (Some(-0.1), false));
        }
        assert_eq!(Moments::of(&[0.1]).unwrap().cornish_fisher_var(&tail), (None, false));
        assert_eq!(Moments::of(&[]), None);
    }
}
