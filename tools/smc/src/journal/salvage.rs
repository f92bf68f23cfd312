//! `smc journal salvage`: the valid beginning of a damaged journal, as a new one.

use super::{as_place, hex};
use crate::failure::{Failure, Outcome};
use crate::replay::unusable;
use clap::Args;
use smc_journal::{JournalError, Salvaged};
use std::path::PathBuf;

/// From where, to where.
#[derive(Args)]
pub struct Salvage {
    /// The journal's directory; only read
    journal: PathBuf,
    /// Directory of the new journal
    out: PathBuf,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command. That the journal was damaged is no failure: what could be saved is.
pub fn salvage(which: &Salvage) -> Outcome {
    let saved = smc_journal::salvage(&which.journal, &which.out).map_err(|error| match &error {
        JournalError::NotEmpty { .. } => Failure::wrong(which.out.display(), &error),
        _ => unusable(&which.journal, &error),
    })?;
    if which.json {
        println!("{}", as_json(&saved));
        return Ok(());
    }
    let Salvaged { first_seq, last_seq, segments, behind, chain, .. } = &saved;
    println!("records {first_seq} to {last_seq} in {segments} segments, chain {}", hex(chain));
    match &saved.damage {
        None => println!("nothing is wrong with the journal; all of it was copied"),
        Some(damage) => {
            println!("ends at {damage}\nbehind it {behind} records check by themselves; not copied")
        }
    }
    Ok(())
}

fn as_json(saved: &Salvaged) -> serde_json::Value {
    serde_json::json!({
        "first_seq": saved.first_seq, "last_seq": saved.last_seq, "segments": saved.segments,
        "damage": as_place(saved.damage.as_ref()), "records_behind": saved.behind, "chain": hex(&saved.chain),
        "note": saved.note,
    })
}
