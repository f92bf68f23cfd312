//! `smc detect`: bars from a file into structure events, tables and charts.

use crate::failure::{Failure, Outcome};
use std::io::{self, BufWriter};

pub use smc_detect::cli::Args;

/// Prints, writes and draws what the flags ask for.
pub fn detect(args: &Args) -> Outcome {
    let mut out = BufWriter::new(io::stdout().lock());
    smc_detect::cli::run(args, &mut out, &mut io::stderr()).map_err(|failure| Failure::Wrong(failure.0))
}
