//! The beta distribution: its cumulative probability and the way back.

/// Terms of the continued fraction at most; near the mean it needs about the square root of the larger parameter.
const TERMS_MAX: u32 = 100_000;
/// A denominator of the continued fraction is kept this far from zero.
const TINY: f64 = 1e-300;
/// Halvings and Newton steps of the quantile at most; halving alone needs about 1,100 for the smallest number.
const STEPS_MAX: u32 = 1_200;

/// Probability that a beta variable is at most `x`: the regularised incomplete beta function. NaN unless both
/// parameters are positive and finite and `x` is within 0 to 1.
pub fn beta_regularised(a: f64, b: f64, x: f64) -> f64 {
    if !is_shape(a) || !is_shape(b) || !(0.0..=1.0).contains(&x) {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    // The fraction converges fast below the mean; above it the mirrored one does.
    if x <= (a + 1.0) / (a + b + 2.0) {
        front(a, b, x) * fraction(a, b, x) / a
    } else {
        1.0 - front(b, a, 1.0 - x) * fraction(b, a, 1.0 - x) / b
    }
}

/// The smallest `x` whose cumulative probability is `p`. NaN unless both parameters are positive and finite and `p`
/// is within 0 to 1.
///
/// Newton's steps inside a bracket; one that leaves it, or that gains little, is a halving instead.
pub fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    if !is_shape(a) || !is_shape(b) || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return p;
    }
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = a / (a + b);
    for _ in 0..STEPS_MAX {
        let error = beta_regularised(a, b, x) - p;
        if error == 0.0 {
            return x;
        }
        if error > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = front(a, b, x) / (x * (1.0 - x));
        let newton = x - error / density;
        let next = if newton > low && newton < high { newton } else { low + (high - low) / 2.0 };
        if next == x || next <= low || next >= high || libm::fabs(next - x) <= 1e-16 * x {
            return next;
        }
        x = next;
    }
    x
}

fn is_shape(parameter: f64) -> bool {
    parameter.is_finite() && parameter > 0.0
}

/// `x^a (1 - x)^b / B(a, b)`.
fn front(a: f64, b: f64, x: f64) -> f64 {
    let log_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    libm::exp(a * libm::log(x) + b * libm::log1p(-x) - log_beta)
}

/// The continued fraction of the incomplete beta function by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let away = |d: f64| if libm::fabs(d) < TINY { TINY } else { d };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let step = d * c;
        value *= step;
        if libm::fabs(step - 1.0) < 1e-16 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole parameters: the probability of at least `a` successes in `a + b - 1` trials, term by term.
    fn slow(a: u32, b: u32, x: f64) -> f64 {
        let trials = a + b - 1;
        let mut sum = 0.0;
        for successes in a..=trials {
            let mut term = 1.0;
            for k in 0..successes {
                term *= f64::from(trials - k) / f64::from(k + 1) * x;
            }
            for _ in successes..trials {
                term *= 1.0 - x;
            }
            sum += term;
        }
        sum
    }

    #[test]
    fn probabilities_are_those_of_the_binomial() {
        for (a, b) in [(1, 1), (2, 3), (7, 14), (30, 11), (1, 40)] {
            for percent in 1..100 {
                let x = f64::from(percent) / 100.0;
                let (fast, slow) = (beta_regularised(a.into(), b.into(), x), slow(a, b, x));
                assert!((fast - slow).abs() <= 1e-12 * slow.max(1e-3), "{a} {b} {x}: {fast} {slow}");
            }
        }
    }

    #[test]
    fn a_quantile_has_its_probability() {
        for a in [0.05, 0.5, 1.0, 6.7, 20.0, 333.3, 50_000.0] {
            for b in [0.05, 0.5, 1.0, 13.3, 40.0, 777.0, 30_000.0] {
                for p in [1e-9, 0.01, 0.05, 0.5, 0.9, 0.999_999] {
                    let x = beta_quantile(a, b, p);
                    let back = beta_regularised(a, b, x);
                    // Where one step of `x` is worth more than the tolerance, a neighbour is as near as one can be.
                    let near = beta_regularised(a, b, (x * (1.0 + 1e-14)).min(1.0))
                        - beta_regularised(a, b, x * (1.0 - 1e-14));
                    let is_edge = !(1e-300..1.0 - 1e-15).contains(&x);
                    assert!(is_edge || (back - p).abs() <= 1e-9 * p + near.abs(), "{a} {b} {p}: {x} {back}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_distribution_has_no_number() {
        for (a, b, p) in [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, 1.0, 1.5), (f64::NAN, 1.0, 0.5)] {
            assert!(beta_regularised(a, b, p).is_nan() && beta_quantile(a, b, p).is_nan());
        }
        assert_eq!((beta_quantile(2.0, 3.0, 0.0), beta_quantile(2.0, 3.0, 1.0)), (0.0, 1.0));
    }
}
