//! `smc ctl`: the operator's hand.

use crate::failure::{Failure, Outcome};
use clap::{Parser, ValueEnum};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Talk to a running engine.
#[derive(Parser)]
pub struct Args {
    /// What to do
    #[arg(value_enum)]
    action: Action,
    /// The engine's control socket
    #[arg(long, default_value_os_t = default_socket())]
    socket: PathBuf,
    /// One JSON document a line instead of a table
    #[arg(long)]
    json: bool,
    /// On what: `engine`, `venue 0`, `instrument BTCUSDT` or `strategy 1`
    #[arg(long, default_value = "engine")]
    scope: String,
    /// Of set-limit: which, as in the configuration without its unit: order_qty_max, daily_loss_ppm
    #[arg(long)]
    limit: Option<String>,
    /// Of set-limit: its new value
    #[arg(long)]
    value: Option<String>,
    /// Why, in at most fifteen letters; it goes into the journal
    #[arg(long)]
    reason: Option<String>,
    /// One-time code, where the engine asks for one
    #[arg(long)]
    code: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Show state, positions, orders, profit, latency
    Status,
    /// Show a line twice a second until interrupted
    Watch,
    /// Halt: cancel everything, no new order until re-armed
    Kill,
    /// No new entries; exits go on
    Pause,
    /// Back to normal after a pause
    Resume,
    /// Cancel entries and close positions
    Flatten,
    /// Leave a halt
    Arm,
    /// Kill, then close what is held
    KillFlatten,
    /// Start the loss breakers anew from the equity of now
    ResetLoss,
    /// Change one limit, from the next order on
    SetLimit,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Watch => "watch",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Flatten => "flatten",
            Self::Arm => "arm",
            Self::KillFlatten => "kill-flatten",
            Self::ResetLoss => "reset-loss",
            Self::SetLimit => "set-limit",
        }
    }
}

/// Where engines of this user listen unless told otherwise.
pub fn default_socket() -> PathBuf {
    smc_runtime::account_lock::user_dir().join("control.sock")
}

fn request(args: &Args) -> Value {
    let mut request = serde_json::json!({ "cmd": args.action.word() });
    if !matches!(args.action, Action::Status | Action::Watch) {
        let fields = [
            ("scope", Some(&args.scope)),
            ("limit", args.limit.as_ref()),
            ("value", args.value.as_ref()),
            ("reason", args.reason.as_ref()),
            ("code", args.code.as_ref()),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                request[name] = value.as_str().into();
            }
        }
    }
    request
}

/// Sends the request and prints the answer.
pub fn ctl(args: &Args) -> Outcome {
    let fail = |error: std::io::Error| {
        Failure::wrong(
            args.socket.display(),
            format!("no engine answers there ({error}); is `smc run` or `smc demo` running?"),
        )
    };
    let mut stream = UnixStream::connect(&args.socket).map_err(fail)?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(fail)?;
    stream.write_all(format!("{}\n", request(args)).as_bytes()).map_err(fail)?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut is_first = true;
    loop {
        line.clear();
        if reader.read_line(&mut line).map_err(fail)? == 0 {
            // A watcher whose engine ends has seen all there is.
            return if is_first {
                Err(Failure::No("the engine closed the connection".into()))
            } else {
                Ok(())
            };
        }
        let answer: Value = serde_json::from_str(&line).map_err(|error| Failure::wrong("answer", error))?;
        if let Some(error) = answer.get("error") {
            return Err(Failure::No(error.to_string()));
        }
        match (args.json, args.action) {
            (true, _) => print!("{line}"),
            (false, Action::Status) => print_status(&answer),
            (false, Action::Watch) => println!("{}", watch_line(&answer)),
            (false, _) => println!("queued: {}", answer["queued"].as_str().unwrap_or("?")),
        }
        if !matches!(args.action, Action::Watch) {
            return Ok(());
        }
        is_first = false;
    }
}

fn print_status(status: &Value) {
    let text = |key: &str| match &status[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    println!("state         {}   journal record {}", text("state"), text("seq"));
    for held in status["held"].as_array().into_iter().flatten() {
        let text = |key: &str| held[key].as_str().unwrap_or("?");
        println!("held          {} {} by {}", text("scope"), text("state"), text("control"));
    }
    println!("gateway       {}", if status["gateway_ready"] == true { "ready" } else { "not ready" });
    let map = |key: &str| status[key].as_object().cloned().unwrap_or_default();
    for (symbol, qty) in map("positions") {
        let price = status["last_prices"][&symbol].as_str().unwrap_or("-").to_owned();
        println!("position      {symbol} {}   last price {price}", qty.as_str().unwrap_or("?"));
    }
    println!("equity        {}   realised {}", text("equity"), text("realised_pnl"));
    println!(
        "orders        sent {}, open {}, denied {}, cancels {}, fills {}, signals {}",
        text("orders_sent"),
        text("open_orders"),
        text("orders_denied"),
        text("cancels_sent"),
        text("fills"),
        text("signals")
    );
    let feed: Vec<String> = map("feed").iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("feed          {}", feed.join(", "));
    println!("latency (us)        p50       p99     p99.9       max     count");
    for (name, p) in map("latency_ns") {
        let micros = |key: &str| p[key].as_f64().unwrap_or(0.0) / 1_000.0;
        println!(
            "  {name:<16}{:>8.2}{:>10.2}{:>10.2}{:>10.2}{:>10}",
            micros("p50"),
            micros("p99"),
            micros("p999"),
            micros("max"),
            p["count"].as_u64().unwrap_or(0)
        );
    }
    println!("digest        {}", text("digest"));
}

fn watch_line(status: &Value) -> String {
    let positions = status["positions"].as_object().cloned().unwrap_or_default();
    let positions: Vec<String> =
        positions.iter().map(|(symbol, qty)| format!("{symbol} {}", qty.as_str().unwrap_or("?"))).collect();
    format!(
        "{:<11} seq {:>9}  {}  open {:>2}  fills {:>4}  realised {:>12}  equity {}",
        status["state"].as_str().unwrap_or("?"),
        status["seq"],
        positions.join(" "),
        status["open_orders"],
        status["fills"],
        status["realised_pnl"].as_str().unwrap_or("?"),
        status["equity"].as_str().unwrap_or("?"),
    )
}
