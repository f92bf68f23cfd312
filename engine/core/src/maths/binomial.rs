//! The binomial distribution.

use super::beta::regularised;

/// Probability of at most `hits` in `n` trials that each hit with probability `p`; NaN unless `0 <= p <= 1`.
pub fn cdf(n: u64, hits: u64, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if hits >= n {
        return 1.0;
    }
    // More than `hits` happen exactly when the (hits + 1)-th smallest of n uniform draws lies below p.
    regularised((n - hits) as f64, hits as f64 + 1.0, 1.0 - p, p)
}
