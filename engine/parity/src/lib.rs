//! The batch tables of the open Python package `smartmoneyconcepts` 0.0.27, to the cell.
//!
//! Batch, over full arrays, and looking ahead **on purpose**: a swing is stamped before it could be known, a
//! pool's tolerance is measured on the whole file, rows vanish when later bars contradict them. Never used live;
//! it exists so that the engine's own events can be held against tables that anybody can make again.
//!
//! One function a table, one file a function. All take [`Bars`], those that build on swings also [`Swings`], and
//! return a [`Table`]: one row per bar, NaN where the package says nothing. The package computes some columns in
//! single precision; these are `f32` here too, rounded where it rounds. Its quirks are kept and named in each
//! function's doc. What it computes depends on finite prices; other prices give tables without a promise, but
//! never a panic.

mod bars;
mod bos_choch;
mod crossings;
mod error;
mod fvg;
mod liquidity;
mod ob;
mod period;
mod previous_high_low;
mod retracements;
mod sessions;
mod swings;
mod table;

pub use bars::{Bars, Row};
pub use bos_choch::{bos_choch, bos_choch_unrounded};
pub use error::ParityError;
pub use fvg::fvg;
pub use liquidity::{liquidity, liquidity_within};
pub use ob::ob;
pub use period::Period;
pub use previous_high_low::previous_high_low;
pub use retracements::retracements;
pub use sessions::{Session, sessions};
pub use swings::{Swings, swing_highs_lows};
pub use table::{Cells, Column, Table};
