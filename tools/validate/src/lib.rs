//! The referee: is a strategy's result more than luck, and may it move up.
//!
//! `smc validate` runs a [`pipeline::Pipeline`] (a strategy together with the search for its parameters) through every test of the
//! project's reference on validation, with the formulas of `smc-metrics` and the ledger of `smc-trials`, and signs what it found.
//!
//! | module | does |
//! |---|---|
//! | [`pipeline`] | what is judged: bars in, a record for every candidate out |
//! | [`engine`] | the engine itself as one, over bars against the simulated exchange |
//! | [`market`] | bars: cut, permuted, jittered, perturbed; periods of returns |
//! | [`choice`] | the search: scores over the grid, the centre of the best plateau |
//! | [`walk_forward`], [`cross_validation`] | what the search's choices did where it had not looked |
//! | [`luck`], [`permute`] | deflated Sharpe ratio, overfitting, reality check; permutations of the whole pipeline |
//! | [`robustness`] | trades in another order, a worse world |
//! | [`look_ahead`] | truncation, perturbation, warm-up |
//! | [`hold_out`] | the latest part, opened once a version |
//! | [`referee`] | all of it in order, and the gate |
//! | [`report`], [`signature`] | what was found, as JSON and text; signed |
//! | [`fixtures`] | strategies whose truth is known: a planted edge, coins, ten ways to know the future |
//! | [`plan`] | what a validation is asked to do, as a file |
//! | [`cli`] | the command |
//!
//! Results do not depend on the count of workers: everything drawn comes from a seed and a number.
#![forbid(unsafe_code)]

pub mod choice;
pub mod cli;
pub mod cross_validation;
pub mod engine;
mod error;
pub mod fixtures;
pub mod hold_out;
pub mod look_ahead;
pub mod luck;
pub mod market;
pub mod permute;
pub mod pipeline;
pub mod plan;
pub mod referee;
pub mod report;
pub mod robustness;
pub mod signature;
pub mod walk_forward;
pub mod workers;

pub use error::ValidateError;
