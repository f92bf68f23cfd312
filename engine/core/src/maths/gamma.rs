//! Ratios of gamma functions without their large logarithms, after C. Loader, "Fast and accurate computation of
//! binomial probabilities" (2000).
//!
//! `ln Γ(n + 1)` of a large `n` has a large error in absolute terms, which becomes a relative error of anything made
//! by `exp` of a difference of two. Loader takes Stirling's formula out of them first and what is left is small.

use libm::{exp, lgamma, log, log1p};

/// `ln sqrt(2 pi)`.
const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_8;

/// What Stirling's formula lacks: `ln Γ(n + 1) - ((n + 1/2) ln n - n + ln sqrt(2 pi))`, for `n > 0`.
pub fn stirling_error(n: f64) -> f64 {
    if n <= 15.0 {
        return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - LN_SQRT_TAU;
    }
    // Bernoulli numbers over j (j + 1): 1/12, 1/360, 1/1260, 1/1680, 1/1188, 691/360360, 1/156.
    let square = n * n;
    let tail = 1.0 / 1188.0 - (691.0 / 360_360.0 - 1.0 / 156.0 / square) / square;
    let tail = 1.0 / 1260.0 - (1.0 / 1680.0 - tail / square) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - tail / square) / square) / n
}

/// `x ln(x / mean) + mean - x`, without cancellation where the two are close.
pub fn deviance(x: f64, mean: f64) -> f64 {
    let gap = x - mean;
    if gap.abs() >= 0.1 * (x + mean) {
        return x * log(x / mean) + mean - x;
    }
    let ratio = gap / (x + mean);
    let (mut sum, mut power) = (gap * ratio, 2.0 * x * ratio);
    for odd in 1..1_000u32 {
        power *= ratio * ratio;
        let next = sum + power / f64::from(2 * odd + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// `Γ(a + b + 1) / (Γ(a + 1) Γ(b + 1)) x^a y^b` for `x + y = 1`: a binomial probability where `a` and `b` are whole.
pub fn binomial_mass(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    if a == 0.0 || b == 0.0 {
        // One factor is left: the n-th power of the other.
        let (kept, other) = if a == 0.0 { (y, x) } else { (x, y) };
        return exp(if other < 0.1 { n * log1p(-other) } else { n * log(kept) });
    }
    let correction = stirling_error(n) - stirling_error(a) - stirling_error(b);
    let exponent = correction - deviance(a, n * x) - deviance(b, n * y);
    exp(exponent - LN_SQRT_TAU - 0.5 * log(a * (b / n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_takes_over_where_it_is_as_good() {
        // ln 20! to seventeen digits.
        let exact = 42.335_616_460_753_485;
        let n = 20.0;
        let stirling = (n + 0.5) * log(n) - n + LN_SQRT_TAU;
        assert!((stirling + stirling_error(n) - exact).abs() < 2e-14);
        let (below, above) = (stirling_error(15.0), stirling_error(15.0 + 1e-12));
        assert!((below - above).abs() < 1e-13, "{below} {above}");
    }
}
