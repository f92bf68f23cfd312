//! `smc journal restore`: the tables of an export back into the same journal.

use crate::beside;
use crate::failure::{Failure, Outcome};
use smc_export::args::RestoreArgs;
use smc_export::csv::CsvTables;
use std::ffi::OsString;

/// Restores from whichever format the directory holds.
pub fn restore(args: &RestoreArgs) -> Outcome {
    if args.dir.join("segments.parquet").exists() {
        return beside::start("parquet", [OsString::from("import")].into_iter().chain(args.words()));
    }
    args.run(&mut CsvTables::new(&args.dir)).map_err(|error| {
        let text = error.to_string();
        if error.is_answer() { Failure::No(text) } else { Failure::Wrong(text) }
    })
}
