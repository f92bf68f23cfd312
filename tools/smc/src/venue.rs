//! `smc venue`: look at the configured venues.

use crate::failure::{Failure, Outcome};
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use smc_runtime::config::FileConfig;
use smc_runtime::launch::check::{Finding, Verdict, check};
use std::path::PathBuf;

/// Look at the configured venues.
#[derive(Subcommand)]
pub enum Command {
    Check(Args),
}

/// Prove keys, scopes, clock, limits and instruments at every venue, without an order.
///
/// Connects as `smc run` would, logs on, listens until the account and the first prices are told, and prints what it found. Exit
/// code 1 when something would keep the engine from trading.
#[derive(Parser)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
pub fn venue(command: &Command) -> Outcome {
    let Command::Check(args) = command;
    let named = |error: &dyn std::fmt::Display| Failure::wrong(args.config.display(), error);
    let text = std::fs::read_to_string(&args.config).map_err(|error| named(&error))?;
    let file = FileConfig::parse(&text).map_err(|error| named(&error))?;
    let findings = check(&file).map_err(|error| named(&error))?;
    let is_bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    if args.json {
        let rows: Vec<Value> = findings.iter().map(row).collect();
        println!("{}", json!({ "is_fit": !is_bad, "findings": rows }));
    } else {
        print(&findings);
    }
    if is_bad {
        Err(Failure::No("the engine would not trade with this configuration".into()))
    } else {
        Ok(())
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Doubtful => "look",
        Verdict::Bad => "NO",
    }
}

fn row(finding: &Finding) -> Value {
    json!({
        "venue": finding.venue, "what": finding.what, "verdict": word(finding.verdict), "detail": finding.detail,
    })
}

fn print(findings: &[Finding]) {
    let width = findings.iter().map(|finding| finding.venue.len()).max().unwrap_or(0).max(5);
    println!("{:<width$}  {:<11} {:<5} found", "venue", "of", "is");
    for Finding { venue, what, verdict, detail } in findings {
        println!("{venue:<width$}  {what:<11} {:<5} {detail}", word(*verdict));
    }
}
