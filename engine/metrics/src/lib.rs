//! What a record of trading says, and whether it is luck.
//!
//! Pure, batch, for reports: floating point in a fixed order through `libm`, so the same input gives the same bits on
//! every machine. Random draws come from a seed and the number of the run ([`Random::of_run`]), so results do not
//! depend on how many workers share the runs. Never used between a price and an order.
//!
//! Rules of the house:
//! - Sums are Neumaier's compensated ones ([`sum::Sum`]), from the first value to the last.
//! - A figure is a number or the reason why there is none ([`Undefined`]); never NaN, never an infinity.
//! - What cannot be an input at all (empty, not finite, of another length) is refused by name ([`BadInput`]).
//! - Shown figures carry formula, sample size and, where one was asked for, a bootstrap interval ([`Figure`]).
//!
//! Formula identifiers are `SECTION.name` of the project's reference on validation; `own.name` is not in it.
#![forbid(unsafe_code)]

pub mod accounting;
pub mod activity;
pub mod benchmark;
pub mod bootstrap;
pub mod bracket;
pub mod calibration;
pub mod combinations;
pub mod cpcv;
pub mod decimal;
pub mod drawdown;
pub mod drift;
pub mod figure;
pub mod folds;
pub mod input;
pub mod labels;
pub mod moments;
pub mod overfitting;
pub mod permutation;
pub mod promotion;
pub mod queue;
pub mod random;
pub mod reality_check;
pub mod resampling;
pub mod returns;
pub mod scores;
pub mod sharpe;
pub mod stability;
pub mod sum;
pub mod trades;
pub mod walk_forward;

pub use figure::{Figure, Interval, Undefined, Value};
pub use input::{BadInput, Panel, PeriodsPerYear, Series};
pub use random::Random;
