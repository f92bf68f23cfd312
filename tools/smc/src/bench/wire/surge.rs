//! `smc bench surge`: ten times the messages for a minute. Is anything lost, and how soon is all as before?
//!
//! One engine in its own process, real sockets, messages due at times of a Poisson process: calm, surge, calm. What the
//! engine's feed took is held against what was sent, and every order against the tick that caused it, from when that was
//! due.

use super::cause::causes;
use super::exchange::Exchange;
use super::load::{Load, ToEngine, drive};
use super::{Auth, LAST_WORDS, Setup, Transport, WARM_UP_PART, check};
use crate::bench::cores::{leave, stay_on};
use crate::bench::machine::Machine;
use crate::bench::market::Random;
use crate::bench::rig::Home;
use crate::bench::{Figures, head};
use crate::failure::{Failure, Outcome};
use crate::replay::{replay_dir, sound};
use clap::Parser;
use serde::Serialize;
use smc_runtime::counters::{CountersView, FILE_NAME, Slot};
use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

/// After the surge this much may still be another than before it.
const RECOVERY_NS: u64 = 1_000_000_000;

/// Ten times the messages for a while: what is lost, and how soon latency is as before.
#[derive(Parser)]
pub struct Args {
    /// Seconds of the surge
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Seconds before it and after it
    #[arg(long, default_value_t = 10.0)]
    calm: f64,
    /// Messages a second in the calm
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// How many times as many in the surge
    #[arg(long, default_value_t = 10)]
    times: u32,
    /// Seed of the market and of the pacing
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// What came of it. Latencies are from when a tick was due to its order, in nanoseconds.
#[derive(Serialize)]
struct Report {
    machine: Machine,
    messages: usize,
    /// Messages that the engine's feed did not take.
    lost: i64,
    /// Numbers that the feed missed.
    gaps: u64,
    /// New snapshots.
    resyncs: u64,
    /// New connections.
    reconnects: u64,
    orders: u64,
    before: Figures,
    surge: Figures,
    first_second_after: Figures,
    after: Figures,
    /// Of `after` to `before`.
    ratio_p999: Option<f64>,
}

/// The feed's counts.
#[derive(Clone, Copy)]
struct Fed {
    messages: u64,
    gaps: u64,
    resyncs: u64,
    reconnects: u64,
}

impl Fed {
    fn read(journal: &Path) -> Result<Self, Failure> {
        let path = journal.join(FILE_NAME);
        let view = CountersView::open(&path).map_err(|error| Failure::wrong(path.display(), error))?;
        let [messages, gaps, resyncs, reconnects] =
            [Slot::FeedMessages, Slot::FeedGaps, Slot::FeedResyncs, Slot::FeedReconnects]
                .map(|slot| view.get(slot));
        Ok(Self { messages, gaps, resyncs, reconnects })
    }
}

/// Measures and reports.
pub fn surge(args: &Args) -> Outcome {
    let is_sound = (0.1..=600.0).contains(&args.seconds)
        && (0.5..=600.0).contains(&args.calm)
        && (100..=100_000).contains(&args.rate)
        && (2..=100).contains(&args.times);
    if !is_sound {
        return Err(Failure::Wrong(
            "--seconds must be 0.1 to 600, --calm 0.5 to 600, --rate 100 to 100000, --times 2 to 100".into(),
        ));
    }
    let home = Home::new()?;
    let report = run(args, &home.path().join("surge"))?;
    let Report { messages, lost, gaps, resyncs, reconnects, orders, .. } = &report;
    let is_whole = (*lost, *gaps, *resyncs, *reconnects) == (0, 0, 0, 0);
    let verdict = || if is_whole { Ok(()) } else { Err(Failure::No("the feed lost messages".into())) };
    if args.json {
        println!("{}", serde_json::json!(report));
        return verdict();
    }
    println!("{}", report.machine.line());
    println!(
        "{messages} messages, {lost} lost, {gaps} gaps, {resyncs} new snapshots, {reconnects} new connections; {orders} \
         orders, each at the venue, the journal replays\n"
    );
    println!("{}", head("microseconds from due"));
    let rows = [
        ("before", report.before),
        ("surge", report.surge),
        ("first second after", report.first_second_after),
        ("after that", report.after),
    ];
    for (name, figures) in rows {
        println!("{name:34} {}", figures.cells(1e3, 1));
    }
    verdict()
}

fn run(args: &Args, dir: &Path) -> Result<Report, Failure> {
    let failed = |error| Failure::wrong("loopback", error);
    let machine = Machine::look();
    let setup = Setup {
        transport: Transport::Tls,
        auth: Auth::Session,
        topology: "inline".into(),
        idle: "spin".into(),
    };
    let calm = (f64::from(args.rate) * args.calm) as usize;
    let surge = (f64::from(args.rate) * f64::from(args.times) * args.seconds) as usize;
    let total = calm + surge + calm;
    // The engine's process inherits where we may run.
    leave();
    let (mut exchange, mut engine) = Exchange::open(dir, &setup, (args.seed, total), &[])?;
    stay_on(0);
    let load = Load::Surge { per_second: args.rate, times: args.times, from: calm, to: calm + surge };
    exchange.serve_rest();
    let mut bytes = Vec::new();
    let messages = exchange.seal(total, &mut bytes)?;
    let journal = engine.journal();
    engine.take()?;
    let before = Fed::read(&journal)?;
    let mut random = Random(args.seed);
    let mut draw = || random.below(1 << 53) as f64 / (1_u64 << 53) as f64;
    let mut wire =
        ToEngine { exchange: &mut exchange, bytes: &bytes, messages: &messages, after: Vec::new(), last: 0 };
    let clock = Instant::now();
    let due_at = drive(&mut wire, messages.len(), load, clock, &mut draw).map_err(failed)?;
    let last = Instant::now();
    while last.elapsed() < LAST_WORDS {
        exchange.poll(clock).map_err(failed)?;
    }
    let ended = engine.end()?;
    if let Some(error) = ended.error {
        return Err(Failure::No(format!("the engine ended: {error}")));
    }
    let after = Fed::read(&journal)?;
    let causes = causes(&journal)?;
    check(&exchange, &causes)?;
    sound(&journal)?;
    if let Some(difference) = replay_dir(&journal, None, u64::MAX)?.replay.difference {
        return Err(Failure::No(format!("the replay differs from the run: {difference}")));
    }
    let due: HashMap<u64, u64> =
        messages.iter().zip(&due_at).filter_map(|(message, due)| Some((message.trade_ms?, *due))).collect();
    let edge = |nth: usize| due_at.get(nth).copied().unwrap_or(u64::MAX);
    // The way is cold at first.
    let (warm, begin, end) = (edge(calm / WARM_UP_PART), edge(calm), edge(calm + surge));
    let mut parts = [const { Vec::new() }; 4];
    for arrival in &exchange.arrivals {
        let cause = causes.get(&arrival.client_order_id).copied().flatten();
        let Some(&due) = cause.and_then(|cause| due.get(&cause)) else { continue };
        let part = match due {
            _ if due < warm => continue,
            _ if due < begin => 0,
            _ if due < end => 1,
            _ if due < end.saturating_add(RECOVERY_NS) => 2,
            _ => 3,
        };
        if let Some(part) = parts.get_mut(part) {
            part.push(arrival.at.saturating_sub(due));
        }
    }
    let [before_it, in_it, right_after, later] = parts.map(Figures::of);
    let taken = after.messages.saturating_sub(before.messages);
    Ok(Report {
        machine,
        messages: messages.len(),
        lost: messages.len() as i64 - taken as i64,
        gaps: after.gaps - before.gaps,
        resyncs: after.resyncs - before.resyncs,
        reconnects: after.reconnects - before.reconnects,
        orders: exchange.orders_seen,
        before: before_it,
        surge: in_it,
        first_second_after: right_after,
        after: later,
        ratio_p999: later.p999_ns.zip(before_it.p999_ns).map(|(after, before)| after as f64 / before as f64),
    })
}
