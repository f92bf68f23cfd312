//! Student's t distribution with `nu` degrees of freedom, `nu > 0` and not necessarily whole.

use libm::{exp, log1p, sqrt};

use super::gamma::{deviance, stirling_error};
use super::{beta, normal};

/// `1 / sqrt(2 pi)`.
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;
/// Corrections of the first guess; each doubles its digits.
const STEPS_MAX: u32 = 8;

/// Density at `t`.
pub fn pdf(nu: f64, t: f64) -> f64 {
    if !(nu > 0.0 && nu.is_finite()) {
        return f64::NAN;
    }
    let (half, more) = (0.5 * nu, 0.5 * (nu + 1.0));
    let constant = stirling_error(more) - stirling_error(half) - deviance(half, more);
    let spread = 0.5 * log1p(t * t / nu);
    exp(constant - nu * spread) * exp(-spread) * DENSITY_AT_ZERO
}

/// Probability of a value of at most `t`, with its relative precision kept in the lower tail.
pub fn cdf(nu: f64, t: f64) -> f64 {
    let all = nu + t * t;
    let outside = beta::regularised(0.5 * nu, 0.5, nu / all, t * t / all);
    if t <= 0.0 { 0.5 * outside } else { 1.0 - 0.5 * outside }
}

/// The value that is not exceeded with probability `p`; NaN unless `0 < p < 1` and `nu > 0`.
pub fn quantile(nu: f64, p: f64) -> f64 {
    let is_inside = p > 0.0 && p < 1.0 && nu > 0.0 && nu.is_finite();
    if !is_inside {
        return f64::NAN;
    }
    if p > 0.5 {
        return -quantile(nu, 1.0 - p);
    }
    let mut t = guess(nu, p);
    for _ in 0..STEPS_MAX {
        let step = (cdf(nu, t) - p) / pdf(nu, t);
        if !step.is_finite() {
            break;
        }
        t = (t - step).min(0.0);
        if step.abs() <= 1e-15 * t.abs() {
            break;
        }
    }
    t
}

/// From the incomplete beta function, on the side where the answer is not a small difference.
fn guess(nu: f64, p: f64) -> f64 {
    if nu > 1e7 {
        return normal::quantile(p);
    }
    let (x, y) = if p < 0.25 {
        let x = beta::beta_quantile(0.5 * nu, 0.5, 2.0 * p);
        (x, 1.0 - x)
    } else {
        let y = beta::beta_quantile(0.5, 0.5 * nu, 1.0 - 2.0 * p);
        (1.0 - y, y)
    };
    -sqrt(nu * y / x)
}
