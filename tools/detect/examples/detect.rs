//! `smc detect` without the rest of `smc`: builds in seconds.

use clap::Parser;
use smc_detect::cli::{Args, run};
use std::io::{self, BufWriter};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    match run(&Args::parse(), &mut out, &mut io::stderr()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("smc: {failure}");
            ExitCode::from(2)
        }
    }
}
