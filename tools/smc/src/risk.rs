//! `smc risk`: what watches over the orders.

use crate::failure::{Failure, Outcome};
use crate::presets::PRESETS;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use smc_core::event::ScopeKind;
use smc_core::output::TradingState;
use smc_core::risk::{Amount, Entry, EntryKind, inventory};
use smc_core::words::{Money, clamp_i64};
use smc_runtime::config::FileConfig;
use std::path::PathBuf;

/// Look at what watches over the orders.
#[derive(Subcommand)]
pub enum Command {
    Controls(Args),
}

/// Print the inventory of controls, from the code that runs them.
///
/// A limit denies an order before it leaves; a trigger acts on what has happened, down to the state it says. Without
/// --config the values are those of the demo.
#[derive(Parser)]
pub struct Args {
    /// The configuration whose values are printed
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Runs one of them.
pub fn risk(command: &Command) -> Outcome {
    match command {
        Command::Controls(args) => controls(args),
    }
}

fn controls(args: &Args) -> Outcome {
    let (name, text) = match &args.config {
        None => ("demo".to_owned(), PRESETS[0].text.to_owned()),
        Some(path) => {
            let text =
                std::fs::read_to_string(path).map_err(|error| Failure::wrong(path.display(), error))?;
            (path.display().to_string(), text)
        }
    };
    let config = FileConfig::parse(&text).and_then(|file| file.engine());
    let entries = inventory(&config.map_err(|error| Failure::wrong(&name, error))?);
    if args.json {
        let rows: Vec<Value> = entries.iter().map(row).collect();
        println!("{}", json!({ "build": smc_core::BUILD, "config": name, "controls": rows }));
        return Ok(());
    }
    println!("{:<22} {:<8} {:<12} {:<11} {:<10} set to", "control", "kind", "acts by", "scope", "of");
    for entry in &entries {
        let values: Vec<String> =
            entry.values.iter().map(|(field, amount)| format!("{field} {}", text_of(*amount))).collect();
        println!(
            "{:<22} {:<8} {:<12} {:<11} {:<10} {}",
            entry.id,
            kind(entry),
            acts(entry),
            scope(entry.scope),
            entry.instrument.map_or_else(|| "-".into(), |symbol| symbol.to_string()),
            values.join(", ")
        );
    }
    Ok(())
}

fn row(entry: &Entry) -> Value {
    let values = entry.values.iter().map(|(field, amount)| ((*field).to_owned(), number_of(*amount)));
    json!({
        "id": entry.id,
        "kind": kind(entry),
        "is_acting": is_acting(entry),
        "acts_by": acts(entry),
        "scope": scope(entry.scope),
        "instrument": entry.instrument.map(|symbol| symbol.to_string()),
        "values": values.collect::<serde_json::Map<_, _>>(),
    })
}

const fn kind(entry: &Entry) -> &'static str {
    match entry.kind {
        EntryKind::Limit => "limit",
        EntryKind::Trigger => "trigger",
    }
}

/// Does it change what may be sent, or does it only tell?
fn is_acting(entry: &Entry) -> bool {
    entry.kind == EntryKind::Limit || entry.holds > TradingState::Warn
}

const fn acts(entry: &Entry) -> &'static str {
    match (entry.kind, entry.holds) {
        (EntryKind::Limit, _) => "denying",
        (_, TradingState::Normal) => "nothing yet",
        (_, TradingState::Warn) => "telling",
        (_, TradingState::ReduceOnly) => "REDUCE_ONLY",
        (_, TradingState::CancelOnly) => "CANCEL_ONLY",
        (_, TradingState::Halt) => "HALT",
    }
}

const fn scope(scope: ScopeKind) -> &'static str {
    match scope {
        ScopeKind::Engine => "engine",
        ScopeKind::Venue => "venue",
        ScopeKind::Instrument => "instrument",
        ScopeKind::Strategy => "strategy",
    }
}

fn text_of(amount: Amount) -> String {
    match amount {
        Amount::Nothing => "none".into(),
        Amount::Claim(is) => is.to_string(),
        Amount::State(state) => format!("{state:?}"),
        Amount::Status(status) => status.to_string(),
        Amount::Price(n) | Amount::Qty(n) | Amount::Money(n) => Money(clamp_i64(n)).to_string(),
        Amount::Count(n) => n.to_string(),
        Amount::Nanos(n) => format!("{} ms", n as f64 / 1e6),
        Amount::Milli(n) => format!("{} times", n as f64 / 1e3),
        Amount::Ppm(n) => format!("{} %", n as f64 / 1e4),
    }
}

/// In the field's own unit: decimal text for money and quantities, whole numbers for the rest.
fn number_of(amount: Amount) -> Value {
    match amount {
        Amount::Nothing => Value::Null,
        Amount::Claim(is) => is.into(),
        Amount::State(state) => format!("{state:?}").into(),
        Amount::Status(status) => status.into(),
        Amount::Price(n) | Amount::Qty(n) | Amount::Money(n) => Money(clamp_i64(n)).to_string().into(),
        Amount::Count(n) | Amount::Nanos(n) => n.into(),
        Amount::Milli(n) | Amount::Ppm(n) => clamp_i64(n).into(),
    }
}
