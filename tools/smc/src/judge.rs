//! `smc optimize` and `smc validate`: their rooms are libraries; here is where they meet the terminal.

use crate::failure::{Failure, Outcome};
use smc_optimize::OptimizeError;
use std::io::{IsTerminal, stderr, stdout};

/// Searches.
pub fn optimize(args: &smc_optimize::cli::Args) -> Outcome {
    let now = || u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0);
    let done = smc_optimize::cli::run(args, &now, &mut stdout(), &mut stderr(), stderr().is_terminal());
    done.map_err(|error: OptimizeError| Failure::Wrong(error.to_string()))
}

/// Judges.
pub fn validate(args: &smc_validate::cli::Args) -> Outcome {
    use smc_validate::cli::Failure as Theirs;
    smc_validate::cli::run(args, &mut stdout(), &mut stderr()).map_err(|failure| match failure {
        Theirs::No(text) => Failure::No(text),
        Theirs::Wrong(text) => Failure::Wrong(text),
    })
}
