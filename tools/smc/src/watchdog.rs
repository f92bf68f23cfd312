//! `smc watchdog`: withdraw the entries of an engine that does not live.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use serde_json::json;
use smc_runtime::config::FileConfig;
use smc_runtime::watchdog::{Rules, Watchdog, Word};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Withdraw the entries of an engine that does not live.
///
/// Runs beside the engine, best as a service of its own. Follows its journal; when that does not grow for a while, logs on
/// to the venues with the engine's key, cancels every entry that the journal says may be waiting, and goes on until the
/// venues have proved them gone. Stops and targets stay: they protect what is held. Stands back as soon as the engine is
/// heard again. Ends by SIGTERM or SIGINT; exit code 0.
#[derive(Parser)]
pub struct Args {
    /// The engine's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The engine's journal
    #[arg(long, value_name = "DIR")]
    journal: PathBuf,
    /// A journal that does not grow for so long belongs to an engine that does not live; at least twice its timer
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    silence_ms: u64,
    /// Cancel stops and targets too: what is held is then without protection
    #[arg(long)]
    all: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Between two looks while there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same while venues are spoken with.
const TALK_EVERY: Duration = Duration::from_millis(1);

/// Watches until it is told to end.
pub fn watchdog(args: &Args) -> Outcome {
    let named = |error: &dyn std::fmt::Display| Failure::wrong(args.config.display(), error);
    let text = std::fs::read_to_string(&args.config).map_err(|error| named(&error))?;
    let file = FileConfig::parse(&text).map_err(|error| named(&error))?;
    let rules = Rules { silence_max: Duration::from_millis(args.silence_ms), all: args.all };
    let least = file.engine.timer_ms.saturating_mul(2);
    if args.silence_ms < least {
        let reason = format!("the engine writes every {} ms: at least {least}", file.engine.timer_ms);
        return Err(Failure::wrong("--silence-ms", reason));
    }
    let mut dog =
        Watchdog::new(file, args.journal.clone(), rules, Instant::now()).map_err(|error| named(&error))?;
    let end = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&end).map_err(|error| Failure::wrong("signals", error))?;
    while !end.load(Ordering::Relaxed) {
        dog.turn(Instant::now(), &mut |word| tell(&word, args.json));
        std::thread::sleep(if dog.is_acting() { TALK_EVERY } else { LOOK_EVERY });
    }
    Ok(())
}

fn tell(word: &Word, as_json: bool) {
    if !as_json {
        return println!("{word}");
    }
    let (what, detail) = match word {
        Word::Watching { orders } => ("watching", json!({ "orders": orders })),
        Word::Blind(reason) => ("blind", json!({ "reason": reason })),
        Word::Silent { silence, unwanted } => {
            ("silent", json!({ "silence_ms": silence.as_millis() as u64, "unwanted": unwanted }))
        }
        Word::Cancel(id) => ("cancel", json!({ "client_order_id": id.to_string() })),
        Word::Gone(id, ending) => {
            ("gone", json!({ "client_order_id": id.to_string(), "how": ending.word() }))
        }
        Word::Failed(reason) => ("failed", json!({ "reason": reason })),
        Word::Clear => ("clear", json!({})),
        Word::Alive => ("alive", json!({})),
    };
    println!("{}", json!({ "word": what, "detail": detail }));
}
