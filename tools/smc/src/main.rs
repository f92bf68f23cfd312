//! `smc`: the face of the engine.
//!
//! Human output by default, `--json` for one JSON document on standard output, messages on standard error.
//! Exit codes: 0 done, 1 the answer is no (verification failed, order refused), 2 wrong use or bad input.

mod alerts;
mod backtest;
mod bench;
mod beside;
mod ctl;
mod decode;
mod demo;
mod detect;
mod doctor;
mod exporter;
mod failure;
mod journal;
mod judge;
mod log;
mod memory;
mod presets;
mod replay;
mod risk;
mod run;
mod service;
mod signals;
mod sim;
mod support;
mod vectors;
mod venue;
mod view;
mod watchdog;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static MEMORY: memory::Faulted = memory::Faulted;

/// A trading engine for Smart Money Concepts: deterministic, journaled, measured in microseconds.
#[derive(Parser)]
#[command(name = "smc", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Run(run::Args),
    Sim(sim::Args),
    Decode(decode::Args),
    Detect(Box<detect::Args>),
    Replay(replay::Args),
    Backtest(Box<backtest::Args>),
    Optimize(Box<smc_optimize::cli::Args>),
    Validate(Box<smc_validate::cli::Args>),
    /// Look after journals
    #[command(subcommand)]
    Journal(journal::Command),
    /// Look at what watches over the orders
    #[command(subcommand)]
    Risk(risk::Command),
    /// Look at the configured venues
    #[command(subcommand)]
    Venue(venue::Command),
    Watchdog(watchdog::Args),
    Alerts(alerts::Args),
    Doctor(doctor::Args),
    SupportBundle(support::Args),
    /// Measure this machine: stages, wire to order
    #[command(subcommand)]
    Bench(bench::Command),
    Ctl(ctl::Args),
    Exporter(exporter::Args),
    Vectors(vectors::Args),
    /// Print completions for a shell: `smc completions bash > /etc/bash_completion.d/smc`
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// A program of its own, `smc-NAME`, beside this one
    #[command(external_subcommand)]
    Beside(Vec<String>),
}

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let command = Cli::parse().command;
    if matches!(command, Command::Demo(_) | Command::Bench(_) | Command::Venue(_) | Command::Watchdog(_)) {
        log::start_plain();
    }
    let outcome = match command {
        Command::Demo(args) => demo::demo(&args),
        Command::Run(args) => run::run(&args),
        Command::Sim(args) => sim::sim(&args),
        Command::Decode(args) => decode::decode(&args),
        Command::Detect(args) => detect::detect(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Backtest(args) => backtest::backtest(&args),
        Command::Optimize(args) => judge::optimize(&args),
        Command::Validate(args) => judge::validate(&args),
        Command::Journal(command) => journal::journal(&command),
        Command::Risk(command) => risk::risk(&command),
        Command::Venue(command) => venue::venue(&command),
        Command::Watchdog(args) => watchdog::watchdog(&args),
        Command::Alerts(args) => alerts::alerts(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::SupportBundle(args) => support::support_bundle(&args),
        Command::Bench(command) => bench::bench(&command),
        Command::Ctl(args) => ctl::ctl(&args),
        Command::Exporter(args) => exporter::exporter(&args),
        Command::Vectors(args) => vectors::vectors(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "smc", &mut std::io::stdout());
            Ok(())
        }
        Command::Beside(words) => match words.split_first() {
            Some((name, args)) => beside::start(name, args),
            None => Ok(()),
        },
    };
    if let Some(log) = smc_log::handle() {
        log.flush(log::PATIENCE);
    }
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
