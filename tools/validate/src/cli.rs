//! `smc validate`: keys and reports.

use crate::signature::{Signer, verify};
use crate::{ValidateError, report};
use clap::Parser;
use smc_trials::{Head, Ledger};
use std::io::Write;
use std::path::PathBuf;

/// Judge a strategy: is its result more than luck, and may it move up
#[derive(Debug, Parser)]
pub struct Args {
    /// Make an Ed25519 key: FILE, readable by its owner alone, and FILE.pub
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_key: Option<PathBuf>,
    /// Check a signed report and print it
    #[arg(long, value_name = "REPORT", requires = "key")]
    verify: Option<PathBuf>,
    /// The key: private to sign, public to verify
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The ledger of trials; with --verify, it must still hold the entries that the report knew
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Print the report's JSON instead of text
    #[arg(long)]
    json: bool,
}

/// How it ended.
#[derive(Debug)]
pub enum Failure {
    /// The answer is no: rejected, or not what was signed. Exit 1.
    No(String),
    /// Wrong use or bad input. Exit 2.
    Wrong(String),
}

impl From<ValidateError> for Failure {
    fn from(error: ValidateError) -> Self {
        Self::Wrong(error.to_string())
    }
}

/// Does what the flags ask for; results go to `out`.
pub fn run(args: &Args, out: &mut impl Write) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::Wrong(error.to_string());
    if let Some(path) = &args.new_key {
        let public = Signer::create(path)?;
        return writeln!(out, "{}\n{}", path.display(), public.display()).map_err(wrong);
    }
    let (Some(path), Some(key)) = (&args.verify, &args.key) else {
        return Err(Failure::Wrong("nothing to do: --new-key FILE, or --verify REPORT --key PUB".into()));
    };
    let signed = std::fs::read_to_string(path)
        .map_err(|error| Failure::Wrong(format!("{}: {error}", path.display())))?;
    let line = verify(&signed, key).map_err(|error| Failure::No(error.to_string()))?;
    let document: serde_json::Value =
        serde_json::from_str(line).map_err(|error| Failure::No(format!("not a report: {error}")))?;
    if let Some(ledger) = &args.ledger {
        let known = Head {
            entries: document["ledger"]["entries"].as_u64().unwrap_or(0),
            hash: document["ledger"]["head"].as_str().unwrap_or_default().to_owned(),
        };
        Ledger::verify(ledger, Some(&known)).map_err(|error| Failure::No(format!("ledger: {error}")))?;
    }
    let shown = if args.json { format!("{line}\n") } else { report::text(&document) };
    out.write_all(shown.as_bytes()).map_err(wrong)
}
