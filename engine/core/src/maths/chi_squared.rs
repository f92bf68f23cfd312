//! The chi-squared distribution, for the degrees of freedom of the likelihood ratio tests.

use libm::{erfc, exp, sqrt};

/// Probability of more than `x` with one degree of freedom.
pub fn survival_1(x: f64) -> f64 {
    erfc(sqrt(0.5 * x))
}

/// Probability of more than `x` with two degrees of freedom.
pub fn survival_2(x: f64) -> f64 {
    exp(-0.5 * x)
}
