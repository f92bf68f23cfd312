//! `smc ctl`: the operator's hand.

mod link;
mod tables;
mod watch;

use crate::failure::{Failure, Outcome};
use clap::{Args as ClapArgs, Parser, Subcommand};
use link::{KeyArgs, Link};
use serde_json::{Value, json};
use smc_runtime::account_lock::user_dir;
use std::io::IsTerminal;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Talk to a running engine: see what it does, stop it, change its limits.
///
/// Every change is an event in the engine's journal, with who asked and why. What takes risk on (arm, flatten, kill-flatten,
/// reset-loss, a higher limit) asks for a one-time code where the engine has `process.totp_file`.
#[derive(Parser)]
#[command(disable_help_subcommand = true, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The engine's control socket: what it was given as --control or process.control [default: the usual place; where
    /// nothing is there, a running demo may be looked at]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// JSON instead of a table: one document, or one a line where several come
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

const EXAMPLES: &str = "\
Examples:
  smc ctl status                                    is all well? (of `smc run`, or of the demo in the other terminal)
  smc ctl watch                                     all of it, live; K kills
  smc ctl limits                                    limits, the most used first
  smc ctl why                                       why the last order was sent
  smc ctl pause --reason news                       no new entries
  smc ctl kill --reason 'wrong prices'              cancel everything; nothing is sent until
  smc ctl arm --code 123456                         ... somebody arms again
  smc ctl kill --scope 'instrument BTCUSDT'         only one instrument; also: strategy 1, venue 0
  smc ctl set-limit order_qty_max 0.5 --scope 'instrument BTCUSDT'";

#[derive(Subcommand)]
enum Action {
    /// Show state, positions, profit, orders, latencies
    Status,
    /// Full-screen view of everything, with a kill switch; plain lines where there is no terminal
    Watch,
    /// Show what is held, at which price, with which profit
    Positions,
    /// Show what works at the venues
    Orders,
    /// Show every limit with its use, the most used first
    Limits,
    /// Show strategies, their states and parameters
    Strategies,
    /// Show venues: order path, prices, request budget, clock
    Venues,
    /// Show the newest alerts
    Alerts,
    /// Show what people did last, and why
    Acts,
    /// Show how long it takes from wire to wire
    Latency,
    /// Explain the last order (or another record's decision) from the journal
    Why {
        /// Number of a record, `order:ID` or `signal:N` [default: the newest order]
        what: Option<String>,
    },
    /// Follow what the engine is told and says; without kinds everything but prices
    Events {
        /// Only these kinds: order, signal, structure, alert, "state change", "order update", …
        kinds: Vec<String>,
    },
    /// Show who you are to this engine and what you may do
    Whoami,
    /// Halt: cancel everything, stops too; no new order until armed again
    Kill(Scoped),
    /// No new entries; exits and stops go on
    Pause(Scoped),
    /// The same as pause: only what reduces a position is sent
    ReduceOnly(Scoped),
    /// Back to normal after a pause
    Resume(Scoped),
    /// Cancel entries and close positions
    Flatten(Scoped),
    /// Leave a halt
    Arm(Scoped),
    /// Kill, then close what is held, of the whole engine
    KillFlatten(Why),
    /// Start the loss breakers anew from the equity of now
    ResetLoss(Why),
    /// Change one limit, from the next order on; lowering one needs no code
    SetLimit(SetLimit),
    /// Stop a strategy: no new entries from it
    Disable(Strategy),
    /// Let a strategy trade again
    Enable(Strategy),
    /// Withdraw entries at a venue, then close its connections
    Disconnect(Venue),
    /// Use a venue again
    Connect(Venue),
    /// Say that you have seen an alert
    Acknowledge {
        /// Its number, as `smc ctl alerts` shows it
        alert: u64,
        #[command(flatten)]
        why: Why,
    },
    /// Let the journal go on in a new segment
    Rotate(Why),
    /// Take a snapshot, from which a start goes on
    Snapshot(Why),
    /// Say more or less in the log
    LogLevel {
        /// error, warn, info, debug or trace
        level: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(ClapArgs)]
struct Why {
    /// Why, in at most fifteen letters; it goes into the journal
    #[arg(long)]
    reason: Option<String>,
    /// One-time code, where the engine asks for one
    #[arg(long)]
    code: Option<String>,
}

#[derive(ClapArgs)]
struct Scoped {
    /// On what: `engine`, `venue 0`, `instrument BTCUSDT` or `strategy 1`
    #[arg(long, default_value = "engine")]
    scope: String,
    #[command(flatten)]
    why: Why,
}

#[derive(ClapArgs)]
struct SetLimit {
    /// Which, as `smc ctl limits` names it: order_qty_max, daily_loss_ppm, …
    #[arg(value_name = "LIMIT", required_unless_present = "limit")]
    name: Option<String>,
    /// Its new value: quantities and money as decimals, the rest as whole numbers
    #[arg(value_name = "VALUE", required_unless_present = "value")]
    new: Option<String>,
    /// The same as LIMIT
    #[arg(long, hide = true, conflicts_with = "name")]
    limit: Option<String>,
    /// The same as VALUE
    #[arg(long, hide = true, conflicts_with = "new")]
    value: Option<String>,
    #[command(flatten)]
    scoped: Scoped,
}

#[derive(ClapArgs)]
struct Strategy {
    /// Its number, as `smc ctl strategies` shows it
    number: u8,
    #[command(flatten)]
    why: Why,
}

#[derive(ClapArgs)]
struct Venue {
    /// Its number, as `smc ctl venues` shows it
    number: u8,
    #[command(flatten)]
    why: Why,
}

/// Where engines of this user listen unless told otherwise.
pub fn default_socket() -> PathBuf {
    user_dir().join("control.sock")
}

/// Where a demo of this user listens unless told otherwise. Not where engines do.
pub fn demo_socket() -> PathBuf {
    user_dir().join("demo.sock")
}

/// The socket that was named, or the usual one. What a dead engine left there still stands for that engine; where nothing is, a demo
/// may be looked at. Whoever acts says on what: the engine that was meant may listen elsewhere, and a kill that a demo took would look
/// as if it had been killed. The full screen acts too, and hides what is said here.
fn socket(named: Option<&PathBuf>, action: &Action) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return Ok(named.clone());
    }
    let (usual, demo) = (default_socket(), demo_socket());
    if usual.try_exists().unwrap_or(true) || UnixStream::connect(&demo).is_err() {
        return Ok(usual);
    }
    let (missing, here) = (format!("no engine at {}", usual.display()), demo.display());
    if matches!(action, Action::Watch) || change(action).is_some() {
        return Err(Failure::Wrong(format!("{missing}; for the demo that is running say --socket {here}")));
    }
    eprintln!("smc: {missing}; this is the demo at {here}");
    Ok(demo)
}

/// A request that changes something.
fn act(cmd: &str, scope: Option<&str>, why: &Why) -> Value {
    let mut request = json!({ "cmd": cmd });
    let fields = [("scope", scope), ("reason", why.reason.as_deref()), ("code", why.code.as_deref())];
    for (name, value) in fields {
        if let Some(value) = value {
            request[name] = value.into();
        }
    }
    request
}

fn scoped(cmd: &str, scoped: &Scoped) -> Value {
    act(cmd, Some(&scoped.scope), &scoped.why)
}

fn with_value(mut request: Value, value: impl Into<Value>) -> Value {
    request["value"] = value.into();
    request
}

/// The request that becomes an act; none for what only looks.
fn change(action: &Action) -> Option<Value> {
    Some(match action {
        Action::Kill(at) => scoped("kill", at),
        Action::Pause(at) => scoped("pause", at),
        Action::ReduceOnly(at) => scoped("reduce-only", at),
        Action::Resume(at) => scoped("resume", at),
        Action::Flatten(at) => scoped("flatten", at),
        Action::Arm(at) => scoped("arm", at),
        Action::KillFlatten(why) => act("kill-flatten", None, why),
        Action::ResetLoss(why) => act("reset-loss", None, why),
        Action::SetLimit(set) => {
            let mut request = scoped("set-limit", &set.scoped);
            request["limit"] = json!(set.name.as_ref().or(set.limit.as_ref()));
            with_value(request, json!(set.new.as_ref().or(set.value.as_ref())))
        }
        Action::Disable(at) => act("pause", Some(&format!("strategy {}", at.number)), &at.why),
        Action::Enable(at) => act("resume", Some(&format!("strategy {}", at.number)), &at.why),
        Action::Disconnect(at) => act("disconnect", Some(&format!("venue {}", at.number)), &at.why),
        Action::Connect(at) => act("connect", Some(&format!("venue {}", at.number)), &at.why),
        Action::Acknowledge { alert, why } => with_value(act("acknowledge", None, why), alert.to_string()),
        Action::Rotate(why) => act("rotate", None, why),
        Action::Snapshot(why) => act("snapshot", None, why),
        Action::LogLevel { level, why } => with_value(act("log-level", None, why), level.as_str()),
        _ => return None,
    })
}

/// Sends the request and prints the answer.
pub fn ctl(args: &Args) -> Outcome {
    let mut link = Link::open(&socket(args.socket.as_ref(), &args.action)?, &args.keys)?;
    if let Some(request) = change(&args.action) {
        let answer = link.ask(&request)?;
        return print_taken(args.json, &answer);
    }
    let (cmd, table): (&str, fn(&Value) -> Outcome) = match &args.action {
        Action::Status => ("status", tables::status),
        Action::Positions => ("positions", tables::positions),
        Action::Orders => ("orders", tables::orders),
        Action::Limits => ("limits", tables::limits),
        Action::Strategies => ("strategies", tables::strategies),
        Action::Venues => ("venues", tables::venues),
        Action::Alerts => ("alerts", tables::alerts),
        Action::Acts => ("acts", tables::acts),
        Action::Latency => ("status", tables::latency),
        Action::Whoami => ("hello", tables::whoami),
        Action::Watch => return watch::watch(link, args.json),
        Action::Events { kinds } => return events(&mut link, kinds, args.json),
        Action::Why { what } => return why(&mut link, what.as_deref(), args.json),
        // Whatever changes something has been answered.
        _ => return Ok(()),
    };
    let answer = link.ask(&json!({ "cmd": cmd }))?;
    if args.json {
        println!("{answer}");
        return Ok(());
    }
    table(&answer)
}

/// Done when the engine has taken it; an engine that has not is a no, though it may still come to it.
fn print_taken(as_json: bool, answer: &Value) -> Outcome {
    if as_json {
        println!("{answer}");
    }
    let text = |key: &str| answer[key].as_str().unwrap_or("?");
    if answer["taken"] == true {
        if !as_json {
            let seq = answer["seq"].as_u64().map(|seq| format!(" as record {seq}")).unwrap_or_default();
            println!("{} taken{seq}; the engine is {}", text("queued"), text("state"));
        }
        return Ok(());
    }
    Err(Failure::No(text("warning").into()))
}

/// One line a record, until interrupted or the engine ends.
fn events(link: &mut Link, kinds: &[String], as_json: bool) -> Outcome {
    let subscribed = link.ask(&json!({ "cmd": "subscribe", "kinds": kinds }))?;
    link.wait_for_ever()?;
    if !as_json && std::io::stderr().is_terminal() {
        eprintln!("smc: following; Ctrl-C ends");
    }
    drop(subscribed);
    while let Some(line) = link.hear()? {
        if as_json {
            println!("{line}");
        } else {
            println!("{}", tables::record(&line));
        }
    }
    Ok(())
}

/// The journal is asked, not the engine: it knows all causes.
fn why(link: &mut Link, what: Option<&str>, as_json: bool) -> Outcome {
    let status = link.ask(&json!({ "cmd": "status" }))?;
    let journal = PathBuf::from(status["journal"].as_str().unwrap_or_default());
    let what = match what {
        Some(what) => what.to_owned(),
        None => {
            let orders = link.ask(&json!({ "cmd": "orders" }))?;
            let last = orders["last_order"].as_u64();
            last.ok_or_else(|| Failure::No("no order was sent yet".into()))?.to_string()
        }
    };
    crate::replay::explain_live(&journal, &what, as_json)
}
