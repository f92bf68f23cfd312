//! The regularised incomplete beta function and its inverse: what binomial, Student and Beta tails are made of.

use libm::{exp, expm1, log, log1p};

use super::gamma::binomial_mass;

/// Terms of the continued fraction and of the series; some `sqrt(max(a, b))` of them are needed, so with shapes beyond
/// 1e10 there may be no answer near the mean.
const TERMS_MAX: u32 = 100_000;
/// Steps of the search for a quantile. Newton needs about eight, halving about sixty.
const STEPS_MAX: u32 = 200;
/// Below the smallest number that a double distinguishes from 0: `exp` of it is 0.
const LN_SMALLEST: f64 = -746.0;

/// `I_x(a, b)`: the probability that a Beta(a, b) variable is at most `x`. NaN unless `a, b > 0` and finite, and
/// `0 <= x <= 1`.
pub fn beta_regularised(a: f64, b: f64, x: f64) -> f64 {
    regularised(a, b, x, 1.0 - x)
}

/// [`beta_regularised`] for callers who know `y = 1 - x` better than a subtraction does.
pub fn regularised(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let is_inside = is_shape(a) && is_shape(b) && x >= 0.0 && y >= 0.0;
    if !is_inside {
        return f64::NAN;
    }
    if x == 0.0 || y == 0.0 {
        return if x == 0.0 { 0.0 } else { 1.0 };
    }
    // The fraction converges quickly below the mean; above it the mirror image is below.
    if a * y >= b * x { lower(a, b, x, y) } else { 1.0 - lower(b, a, y, x) }
}

/// Density of Beta(a, b) at `x`, `y = 1 - x`.
pub fn density(a: f64, b: f64, x: f64, y: f64) -> f64 {
    power(a, b, x, y) / (x * y)
}

/// The `x` at which `I_x(a, b) = p`. NaN unless `a, b > 0` and finite, and `0 <= p <= 1`.
///
/// Exact to some 1e-14 of `x` itself also where it is tiny; close to 1 it can only be as exact as `1 - x` is there.
pub fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let is_inside = is_shape(a) && is_shape(b) && (0.0..=1.0).contains(&p);
    if !is_inside {
        f64::NAN
    } else if p == 0.0 || p == 1.0 {
        p
    } else if p <= regularised(a, b, 0.5, 0.5) {
        exp(lower_quantile(a, b, p, false))
    } else {
        // `1 - exp(u)`: the distance from 1 is found, from the side on which it is small.
        -expm1(lower_quantile(b, a, p, true))
    }
}

const fn is_shape(a: f64) -> bool {
    a > 0.0 && a.is_finite()
}

/// `x^a y^b / B(a, b)`.
fn power(a: f64, b: f64, x: f64, y: f64) -> f64 {
    // `a b / (a + b)` without overflow.
    a * (b / (a + b)) * binomial_mass(a, b, x, y)
}

/// `I_x(a, b)` where that is the lower tail.
fn lower(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let power = power(a, b, x, y);
    if power == 0.0 {
        // Smaller than doubles can be.
        return 0.0;
    }
    // Close to 1 the fraction needs some `1 / sqrt(y)` terms and the series of the other tail a few.
    if y < 1e-3 {
        let rest = power / b * series(b, a, y);
        if rest < 0.99 {
            return 1.0 - rest;
        }
    }
    power * fraction(a, b, x, y)
}

/// `I_x(a, b) a / power`: a power series in `x` whose terms are all positive. NaN if it takes too long.
fn series(a: f64, b: f64, x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 0..TERMS_MAX {
        let n = f64::from(n);
        term *= (a + b + n) / (a + 1.0 + n) * x;
        sum += term;
        if term <= 1e-17 * sum {
            return sum;
        }
    }
    f64::NAN
}

/// The continued fraction of DiDonato and Morris (TOMS 708, BFRAC): in `x` or in `y`, whichever is smaller, so that
/// nothing cancels. NaN if it takes too long. Numerators and denominators are scaled so that the last denominator is 1.
fn fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let c = 1.0 + if a > b { (a + b) * y - b } else { a - (a + b) * x };
    let first = 1.0 + 1.0 / a;
    let (mut above_before, mut below_before) = (0.0, 1.0);
    let (mut above, mut below) = (1.0, c / first);
    let mut fraction = first / c;
    for n in 1..TERMS_MAX {
        let n = f64::from(n);
        let (before, s) = ((n - 1.0) / a + 1.0, a + 2.0 * n - 1.0);
        let w = n * (b - n) * x;
        let e = a / s;
        let alpha = before * (before + b / a) * e * e * (w * x);
        let beta = n + w / s + (n / a + 1.0) / (first + 2.0 * n / a) * (c + n * (1.0 + y));
        (above_before, above) = (above, alpha * above_before + beta * above);
        (below_before, below) = (below, alpha * below_before + beta * below);
        let last = fraction;
        fraction = above / below;
        if (fraction - last).abs() <= 2e-16 * fraction.abs() {
            return fraction;
        }
        above_before /= below;
        below_before /= below;
        (above, below) = (fraction, 1.0);
    }
    f64::NAN
}

/// `ln x` of the quantile, for quantiles of at most one half; of `1 - p` when `is_upper`.
///
/// Newton's method on `ln I` over `ln x`, where a lower tail is almost a straight line, kept inside a bracket: a step
/// that would leave it is a halving instead.
fn lower_quantile(a: f64, b: f64, p: f64, is_upper: bool) -> f64 {
    let (mut low, mut high) = (LN_SMALLEST, -core::f64::consts::LN_2);
    // The tail that is known without rounding, as a distance from what is wanted; positive when x is too large.
    let wanted = if is_upper { log1p(-p) } else { log(p) };
    let mut u = ((wanted + log(a) - ln_power_at_one(a, b)) / a).clamp(low, high);
    for _ in 0..STEPS_MAX {
        let x = exp(u);
        let y = -expm1(u);
        let tail = regularised(a, b, x, y);
        if tail.is_nan() {
            return tail;
        }
        let slope = density(a, b, x, y) * x / tail;
        let gap = if is_upper && tail > 0.5 {
            // The other tail is `p` and is the smaller one.
            let other = regularised(b, a, y, x);
            log1p((p - other) / (1.0 - p))
        } else {
            log(tail) - wanted
        };
        if gap > 0.0 {
            high = u;
        } else {
            low = u;
        }
        let newton = u - gap / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        let is_done = (next - u).abs() <= 2e-16 * u.abs().max(0.5);
        u = next;
        if is_done {
            break;
        }
    }
    u
}

/// `-ln B(a, b)`.
fn ln_power_at_one(a: f64, b: f64) -> f64 {
    // At x = y = 1/2 the power is 2^-(a + b) / B(a, b); far out it underflows, and any first guess will do.
    let at_half = power(a, b, 0.5, 0.5);
    if at_half > 0.0 { log(at_half) + (a + b) * core::f64::consts::LN_2 } else { 0.0 }
}
