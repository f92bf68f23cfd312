//! `smc journal prune`: old segments go; what they came to stays, so that the rest can still be replayed and continued.

use crate::failure::{Failure, Outcome};
use crate::replay::{own_config, unusable};
use clap::Args;
use smc_core::TsNs;
use smc_core::engine::Engine;
use smc_core::strategy::Confluence;
use smc_journal::{Kept, PrunePlan, Reader, Retention, Snapshot, plan_prune, prune as remove};
use smc_replay::{Under, rebuild};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Remove old segments and keep what they came to.
///
/// Never the newest segments, and never one that is not wholly on the disk.
#[derive(Args)]
pub struct PruneArgs {
    /// The journal's directory; it may be in use
    journal: PathBuf,
    /// Segments whose last record is older: 90m, 12h, 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<u64>,
    /// The oldest segments while all together are larger: 500MiB, 20GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep: Option<u64>,
    /// Say what would go, and let it stay
    #[arg(long)]
    dry_run: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Plans, works out the state, removes.
pub fn prune(args: &PruneArgs) -> Outcome {
    if args.older_than.is_none() && args.keep.is_none() {
        return Err(Failure::Wrong("prune: say what may go: --older-than AGE, --keep SIZE, or both".into()));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    let from = args.older_than.map(|age| TsNs(now.saturating_sub(age)));
    let retention = Retention { from, bytes_max: args.keep };
    let plan = plan_prune(&args.journal, &retention).map_err(|error| unusable(&args.journal, &error))?;
    let plan = match plan {
        Ok(plan) => plan,
        Err(kept) => return nothing(args, kept),
    };
    if !args.dry_run {
        let base = base(args, &plan)?;
        remove(&args.journal, &base).map_err(|error| unusable(&args.journal, &error))?;
    }
    let (first, last) = (plan.segments.first().unwrap_or(&0), plan.segments.last().unwrap_or(&0));
    if args.json {
        let document = serde_json::json!({
            "segments": plan.segments, "bytes": plan.bytes, "last_seq": plan.last_seq, "pruned": !args.dry_run,
        });
        println!("{document}");
    } else {
        let what = if args.dry_run { "would go" } else { "removed" };
        let mib = plan.bytes as f64 / f64::from(1 << 20);
        println!("{what}: segments {first} to {last}, records up to {}, {mib:.0} MiB", plan.last_seq);
        println!(
            "the journal {} with record {}",
            if args.dry_run { "would begin" } else { "begins" },
            plan.last_seq + 1
        );
    }
    Ok(())
}

fn nothing(args: &PruneArgs, kept: Kept) -> Outcome {
    let why = match kept {
        Kept::Young => "nothing is old or large enough".to_string(),
        Kept::Newest => "only the newest segments are left".to_string(),
        Kept::Unsynced(segment) => {
            format!(
                "segment {segment} is not known to be on the disk; the next start of the engine sees to that"
            )
        }
    };
    if args.json {
        println!("{}", serde_json::json!({ "segments": [], "bytes": 0, "pruned": false, "why": why }));
    } else {
        println!("nothing to remove: {why}");
    }
    Ok(())
}

/// What the segments that go come to: the engine, run over them.
fn base(args: &PruneArgs, plan: &PrunePlan) -> Result<Snapshot, Failure> {
    let dir = &args.journal;
    let reader = Reader::open(dir).map_err(|error| unusable(dir, &error))?;
    let file = own_config(dir, &reader)?;
    let text = file.deciding_text();
    let config = file.engine().map_err(|error| Failure::wrong(dir.display(), error))?;
    let build = smc_core::build_hash();
    let make = || Engine::new(config.clone(), Confluence::for_config(&config));
    let rebuilt = rebuild(dir, &reader, &Under { text: &text, build }, Some(plan.last_seq), make);
    let mut core = rebuilt.map_err(|error| Failure::No(format!("{}: {error}", dir.display())))?.core;
    let mut state = Vec::new();
    core.save(&mut state);
    Ok(Snapshot { place: plan.place, ts: core.now(), build, config: text.into_bytes(), state })
}

/// Nanoseconds of an age such as `12h`.
fn age(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    counted(text, &UNITS)
        .and_then(|secs| secs.checked_mul(1_000_000_000))
        .ok_or_else(|| "expected an age such as 90m, 12h or 30d".into())
}

/// Bytes of a size such as `20GiB`.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    counted(text, &UNITS).ok_or_else(|| "expected a size such as 500MiB or 20GiB".into())
}

fn counted(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (count, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    count.trim().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sizes_are_read_or_refused() {
        assert_eq!(age("90m"), Ok(5_400_000_000_000));
        assert_eq!(size("20GiB"), Ok(20 << 30));
        for wrong in ["", "5", "d", "-1d", "1.5h", "99999999999999999999d", "18446744073709551615d"] {
            assert!(age(wrong).is_err() && size(wrong).is_err(), "{wrong}");
        }
    }
}
