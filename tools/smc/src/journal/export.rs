//! `smc journal export`: a journal as tables. CSV is written here, Parquet by a program of its own.

use crate::beside;
use crate::failure::{Failure, Outcome};
use clap::Args;
use smc_export::args::ExportArgs;
use smc_export::csv::CsvSink;
use std::ffi::OsString;

/// Which journal, and how.
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    what: ExportArgs,
    #[command(flatten)]
    format: Format,
}

/// One of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Format {
    /// CSV files
    #[arg(long)]
    csv: bool,
    /// Parquet files, by smc-parquet
    #[arg(long)]
    parquet: bool,
}

/// Exports and reports.
pub fn export(args: &Export) -> Outcome {
    if args.format.parquet {
        return beside::start("parquet", [OsString::from("export")].into_iter().chain(args.what.words()));
    }
    args.what.run("csv", CsvSink::new).map_err(|error| {
        let text = error.to_string();
        if error.is_answer() { Failure::No(text) } else { Failure::Wrong(text) }
    })
}
