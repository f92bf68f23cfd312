//! Special functions behind risk figures: distributions, their tails and their quantiles.
//!
//! Pure, bounded loops, no allocation. Only sums, products, quotients and `libm` in a fixed order, so a figure has the
//! same bits on every machine of one build. Outside of its domain a function gives NaN; whoever shows a figure to
//! people turns that into "undefined". Errors stay below 1e-12 of the value; most are some 1e-15.

pub mod beta;
pub mod binomial;
pub mod chi_squared;
pub mod gamma;
pub mod normal;
pub mod student;
