//! `smc bench wire`: from a message on the wire to the order it causes, beside the machine's own limit.
//!
//! Rounds alternate: an engine round, then a raw TCP echo of the very sizes that round put on the wire. Percentiles are
//! taken per round and the median of the rounds is told; the headline is the ratio, because microseconds mean nothing
//! without the machine.

use super::echo::{Sizes, echo};
use super::machine::{Machine, lost_percent};
use super::rig::{Load, Round, round};
use super::{Figures, head};
use crate::failure::{Failure, Outcome};
use clap::Parser;
use serde::Serialize;
use smc_runtime::idle::Idle;
use smc_runtime::latency::Percentiles;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Wall time of the echo after each round.
const ECHO_LENGTH: Duration = Duration::from_millis(500);

/// A round after which a spinning thread lost more than this shared its cores with others: two threads that spin for
/// each other then wait for the scheduler, and not for each other.
const LOST_PERCENT_MAX: f64 = 3.0;
/// An echo this slow was waiting for a core; no kernel's loopback is.
const ECHO_P50_NS_MAX: u64 = 100_000;

/// What is measured, in words that go with every figure.
const METHOD: &str = "\
closed loop: the simulated venue sends one message over TLS and WebSocket, waits until the engine has dealt with it, and
sends the next. Engine: one thread, feed to gateway, structure on 4 timeframes, all checks, journal on.
tick to order    outside: from before the send of the market message to the receipt of the first bytes of its order
report to order  the same for orders that answer a report (a fill's stop, say)
wire to decision, decision to wire, wire to wire
                 inside, all orders: from the start of the turn that read the bytes, to the journaled decision, to the
                 return of the socket's write
echo             raw TCP on loopback, both ends spinning, same sizes, back to back: hotter than the order's way, which
                 is taken once in a dozen messages
Open loops at fixed rates, bursts, HMAC per order, plain transport and pipelined threads are not measured yet.";

/// From a message on the wire to the order it causes, over TLS on loopback, beside a raw TCP echo.
#[derive(Parser)]
pub struct Args {
    /// Seconds of each engine round
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Engine rounds, each followed by its echoes
    #[arg(long, default_value_t = 6)]
    rounds: u32,
    /// Seed of the generated market; each round adds one
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// What the engine does when idle: spin, yield or park
    #[arg(long, default_value = "spin")]
    idle: String,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// One engine round with its echoes.
#[derive(Serialize)]
struct Measured {
    tick_to_order: Figures,
    report_to_order: Figures,
    wire_to_decision: Figures,
    decision_to_wire: Figures,
    wire_to_wire: Figures,
    echo: Figures,
    /// Medians of the sizes on the wire: cause and order.
    wire_bytes: Sizes,
    /// None where the echo itself waited for the scheduler.
    ratio_p50: Option<f64>,
    orders: u64,
    events: u64,
    seconds: f64,
    switches: Option<u64>,
    /// What a spinning thread lost right after the round, in percent.
    lost_percent: f64,
    is_noisy: bool,
}

/// Runs the rounds and reports.
pub fn wire(args: &Args) -> Outcome {
    let idle: Idle = args.idle.parse().map_err(Failure::Wrong)?;
    if !(0.1..=600.0).contains(&args.seconds) || !(1..=100).contains(&args.rounds) {
        return Err(Failure::Wrong("--seconds must be 0.1 to 600 and --rounds 1 to 100".into()));
    }
    let is_stopped = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&is_stopped).map_err(|error| Failure::wrong("signals", error))?;
    let machine = Machine::look();
    let home = super::rig::Home::new()?;
    let (mut rounds, mut empty) = (Vec::new(), 0);
    for nth in 0..args.rounds {
        let seed = args.seed.wrapping_add(u64::from(nth));
        let load = Load { seed, length: Duration::from_secs_f64(args.seconds), idle };
        let round = round(&home.path().join(format!("round-{nth}")), load, &is_stopped)?;
        if is_stopped.load(Ordering::Relaxed) {
            break;
        }
        match measured(&round)? {
            Some(measured) => rounds.push(measured),
            None => empty += 1,
        }
        if !args.json {
            eprintln!("round {} of {}: {} orders", nth + 1, args.rounds, round.samples.len());
        }
    }
    if rounds.is_empty() {
        return Err(Failure::No("no round brought an order: try more --seconds".into()));
    }
    let noisy = empty + rounds.iter().filter(|round| round.is_noisy).count();
    if rounds.iter().any(|round| !round.is_noisy) {
        rounds.retain(|round| !round.is_noisy);
    }
    report(args, &machine, &rounds, noisy);
    Ok(())
}

/// None when no market message caused an order, which happens where the engine hardly gets a core.
fn measured(round: &Round) -> Result<Option<Measured>, Failure> {
    let ns = |is_market: bool| {
        let samples = round.samples.iter().filter(|sample| sample.is_market == is_market);
        Figures::of(samples.map(|sample| sample.ns).collect())
    };
    let sizes: Vec<Sizes> =
        round.samples.iter().filter(|sample| sample.is_market).map(|sample| sample.sizes).collect();
    if sizes.is_empty() {
        return Ok(None);
    }
    let echo = echo(&sizes, ECHO_LENGTH).map_err(|error| Failure::wrong("echo", error))?;
    let echo = Figures::of(echo);
    let tick_to_order = ns(true);
    let inside = |name: &str| figures(round.status.latency_ns.get(name).copied().unwrap_or_default());
    let lost_percent = lost_percent();
    Ok(Some(Measured {
        lost_percent,
        is_noisy: lost_percent > LOST_PERCENT_MAX || echo.p50_ns >= ECHO_P50_NS_MAX,
        tick_to_order,
        report_to_order: ns(false),
        wire_to_decision: inside("wire_to_decision"),
        decision_to_wire: inside("decision_to_wire"),
        wire_to_wire: inside("wire_to_wire"),
        wire_bytes: (median(sizes.iter().map(|s| s.0)), median(sizes.iter().map(|s| s.1))),
        ratio_p50: (echo.p50_ns < ECHO_P50_NS_MAX)
            .then(|| tick_to_order.p50_ns as f64 / echo.p50_ns.max(1) as f64),
        echo,
        orders: round.status.orders_sent,
        events: round.status.events_in,
        seconds: round.seconds,
        switches: round.switches,
    }))
}

/// The engine's own histograms, under the same rule for tails.
fn figures(of: Percentiles) -> Figures {
    let count = of.count as usize;
    Figures {
        p50_ns: of.p50,
        p99_ns: (count >= super::P99_SAMPLES_MIN).then_some(of.p99),
        p999_ns: (count >= super::P999_SAMPLES_MIN).then_some(of.p999),
        max_ns: of.max,
        samples: count,
    }
}

fn median<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// The median of the percentiles of those rounds that have one, the worst of their worsts, the sum of their samples.
fn over(rounds: &[Measured], pick: fn(&Measured) -> Figures) -> Figures {
    let all = || rounds.iter().map(pick);
    let known = |of: fn(&Figures) -> Option<u64>| {
        let values: Vec<u64> = all().filter_map(|figures| of(&figures)).collect();
        (!values.is_empty()).then(|| median(values.into_iter()))
    };
    Figures {
        p50_ns: median(all().map(|figures| figures.p50_ns)),
        p99_ns: known(|figures| figures.p99_ns),
        p999_ns: known(|figures| figures.p999_ns),
        max_ns: all().map(|figures| figures.max_ns).max().unwrap_or_default(),
        samples: all().map(|figures| figures.samples).sum(),
    }
}

/// Median, smallest and largest ratio of the rounds that have one.
fn spread(rounds: &[Measured]) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = rounds.iter().filter_map(|round| round.ratio_p50).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len().saturating_sub(1) / 2)?;
    Some([*middle, *values.first()?, *values.last()?])
}

/// Of the quiet rounds, where there are any.
fn report(args: &Args, machine: &Machine, rounds: &[Measured], noisy: usize) {
    type Row = (&'static str, &'static str, fn(&Measured) -> Figures);
    let rows: [Row; 6] = [
        ("tick_to_order", "tick to order", |round| round.tick_to_order),
        ("report_to_order", "report to order", |round| round.report_to_order),
        ("wire_to_decision", "wire to decision (inside)", |round| round.wire_to_decision),
        ("decision_to_wire", "decision to wire (inside)", |round| round.decision_to_wire),
        ("wire_to_wire", "wire to wire (inside)", |round| round.wire_to_wire),
        ("echo", "raw TCP echo of the same sizes", |round| round.echo),
    ];
    let ratio = spread(rounds);
    if args.json {
        let figures: serde_json::Map<String, serde_json::Value> = rows
            .iter()
            .map(|(key, _, pick)| (key.to_string(), serde_json::json!(over(rounds, *pick))))
            .collect();
        let document = serde_json::json!({
            "machine": machine, "transport": "tls", "load": "closed", "auth": "session", "topology": "inline",
            "idle": args.idle, "figures": figures, "ratio_p50": ratio,
            "rounds": rounds, "noisy_rounds": noisy, "seed": args.seed, "method": METHOD,
        });
        println!("{document}");
        return;
    }
    println!("{}", machine.line());
    println!("{METHOD}\n");
    println!("{}", head("microseconds, median of the rounds"));
    for (_, name, pick) in rows {
        println!("{name:34} {}", over(rounds, pick).cells(1_000.0, 2));
    }
    let ratio = ratio.map_or("unknown: the echo had no core to itself".into(), |[median, low, high]| {
        format!("{median:.2} (rounds {low:.2} to {high:.2})")
    });
    println!("\nratio of medians, tick to order / echo: {ratio}");
    let is_all_noisy = rounds.iter().all(|round| round.is_noisy);
    match (noisy, is_all_noisy) {
        (0, _) => {}
        (_, false) => println!("{noisy} noisy rounds left out: others were using the cores"),
        (_, true) => println!(
            "ALL ROUNDS NOISY: others were using the cores; the tails are theirs, the medians doubtful"
        ),
    }
    let (orders, seconds) =
        (rounds.iter().map(|r| r.orders).sum::<u64>(), rounds.iter().map(|r| r.seconds).sum::<f64>());
    let events = rounds.iter().map(|round| round.events).sum::<u64>();
    let bytes = rounds.first().map(|round| round.wire_bytes).unwrap_or_default();
    let switches: Option<u64> = rounds.iter().map(|round| round.switches).sum();
    println!(
        "{} rounds, {seconds:.1} s, {events} events, {orders} orders; {} B there, {} B back; every journal replays; {}",
        rounds.len(),
        bytes.0,
        bytes.1,
        switches.map_or("switches unknown".into(), |n| format!(
            "the engine's thread was pushed off its core {n} times"
        ))
    );
}
