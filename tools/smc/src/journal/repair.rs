//! `smc journal repair`: damaged segments taken from the mirror.

use super::{as_place, hex};
use crate::failure::{Failure, Outcome};
use crate::replay::unusable;
use clap::Args;
use smc_journal::{JournalError, RepairError, Repaired};
use std::path::PathBuf;

/// What, from where.
#[derive(Args)]
pub struct Repair {
    /// The journal's directory
    journal: PathBuf,
    /// The mirror's directory
    #[arg(long)]
    from: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command: exit 0 repaired or nothing to do, 1 it cannot be, 2 wrong use.
pub fn repair(which: &Repair) -> Outcome {
    let done = smc_journal::repair(&which.journal, &which.from, which.dry_run)
        .map_err(|error| failure(which, &error))?;
    if which.json {
        println!("{}", as_json(which, &done));
        return Ok(());
    }
    for replaced in &done.segments {
        let did = if which.dry_run { "would be taken" } else { "taken" };
        let kept =
            replaced.kept.as_ref().map_or(String::new(), |kept| format!("; kept as {}", kept.display()));
        println!("segment {:08} {did} from the mirror: {}{kept}", replaced.number, replaced.damage);
    }
    if done.segments.is_empty() {
        println!("nothing to repair");
    }
    let then = if which.dry_run && !done.segments.is_empty() { "then " } else { "" };
    println!("{then}sound: {} records, chain {}", done.records, hex(&done.chain));
    Ok(())
}

fn failure(which: &Repair, error: &RepairError) -> Failure {
    match error {
        RepairError::Journal(JournalError::Locked { .. } | JournalError::Damage(_)) => {
            Failure::No(format!("{}: cannot be repaired: {error}", which.journal.display()))
        }
        RepairError::Journal(error) => unusable(&which.journal, error),
        _ => Failure::No(format!("{}: cannot be repaired: {error}", which.journal.display())),
    }
}

fn as_json(which: &Repair, done: &Repaired) -> serde_json::Value {
    let segments = done.segments.iter().map(|replaced| {
        serde_json::json!({
            "number": replaced.number, "damage": as_place(Some(&replaced.damage)), "kept": replaced.kept,
        })
    });
    serde_json::json!({
        "dry_run": which.dry_run, "segments": segments.collect::<Vec<_>>(), "records": done.records,
        "chain": hex(&done.chain),
    })
}
