//! `smc`: the face of the engine.
//!
//! Human output by default, `--json` for one JSON document on standard output, messages on standard error.
//! Exit codes: 0 done, 1 the answer is no (verification failed, order refused), 2 wrong use or bad input.

mod bench;
mod beside;
mod ctl;
mod decode;
mod demo;
mod detect;
mod failure;
mod journal;
mod presets;
mod replay;
mod risk;
mod run;
mod signals;
mod sim;
mod vectors;
mod venue;
mod view;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A trading engine for Smart Money Concepts: deterministic, journaled, measured in microseconds.
#[derive(Parser)]
#[command(name = "smc", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a simulated venue and the engine, trade, verify the journal by replay
    Demo(demo::Args),
    /// Run the engine against a venue
    Run(run::Args),
    /// Run the venue simulator alone
    Sim(sim::Args),
    /// Decode captured venue messages into JSON lines
    Decode(decode::Args),
    /// Find market structure in a CSV of bars: events, tables, a chart
    Detect(Box<detect::Args>),
    /// Run the engine again over a journal
    Replay(replay::Args),
    /// Look after journals
    #[command(subcommand)]
    Journal(journal::Command),
    /// Look at what watches over the orders
    #[command(subcommand)]
    Risk(risk::Command),
    /// Look at the configured venues
    #[command(subcommand)]
    Venue(venue::Command),
    /// Measure this machine: stages, wire to order
    #[command(subcommand)]
    Bench(bench::Command),
    /// Talk to a running engine
    Ctl(ctl::Args),
    /// Evaluate a file of test vectors with the shipped code
    Vectors(vectors::Args),
    /// A program of its own, `smc-NAME`, beside this one
    #[command(external_subcommand)]
    Beside(Vec<String>),
}

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let outcome = match Cli::parse().command {
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::Decode(args) => decode::decode(&args),
        Command::Detect(args) => detect::detect(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Journal(command) => journal::journal(&command),
        Command::Risk(command) => risk::risk(&command),
        Command::Venue(command) => venue::venue(&command),
        Command::Bench(command) => bench::bench(&command),
        Command::Ctl(args) => ctl::ctl(&args),
        Command::Vectors(args) => vectors::vectors(&args),
        Command::Beside(words) => match words.split_first() {
            Some((name, args)) => beside::start(name, args),
            None => Ok(()),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Whoever reads our output through a pipe may stop at any line; that is an end, not a fault.
fn end_quietly_when_nobody_reads() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        before(info);
    }));
}
