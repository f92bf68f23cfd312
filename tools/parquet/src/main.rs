//! `smc-parquet`: journals as Parquet files and back, and flat Parquet files as CSV.
//!
//! A program of its own, started by `smc`: the Parquet library takes longer to build than the binary may. The tables
//! and columns are those of `smc-export`; here is only how they lie in Parquet files. Exit codes are those of `smc`:
//! 0 done, 1 the answer is no, 2 wrong use or bad input.

mod flat;
mod layout;
mod reader;
mod sink;
mod tables;

use clap::{Parser, Subcommand};
use smc_export::args::{ExportArgs, RestoreArgs};
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

/// Journals as Parquet files and back, and flat Parquet files as CSV.
#[derive(Parser)]
#[command(name = "smc-parquet", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a journal as a directory of Parquet files
    Export(ExportArgs),
    /// Make the same journal of a directory that `export` wrote
    Import(RestoreArgs),
    /// Print a flat Parquet file as CSV: times in nanoseconds since 1970, numbers exact
    Csv {
        /// The file
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    reader::quiet_guarded_panics();
    match Cli::parse().command {
        Command::Export(args) => match args.run("parquet", sink::ParquetSink::new) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, error.is_answer()),
        },
        Command::Import(args) => match args.run(&mut tables::ParquetTables::new(&args.dir)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&error, error.is_answer()),
        },
        Command::Csv { file } => match flat::print(&file) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&format!("{}: {error}", file.display()), false),
        },
    }
}

/// One clear line, and the exit code people can rely on.
fn refuse(error: &dyn Display, is_answer: bool) -> ExitCode {
    eprintln!("smc-parquet: {error}");
    ExitCode::from(if is_answer { 1 } else { 2 })
}
