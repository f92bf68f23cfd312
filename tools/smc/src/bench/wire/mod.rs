//! `smc bench wire`: from a message on the wire to the order it causes, beside the machine's own limit.
//!
//! ```text
//!  load generator (core 0)                         engine (core 1), a process of its own
//!    t0, market socket ──sealed tick──► recv ─ open ─ decode ─ book, bars, structure ─ strategy ─ gate ─ journal
//!    t1, order socket  ◄─sealed order── send ◄─ seal ◄─ sign ◄─ encode ◄──────────────────────────────┘
//! ```
//!
//! Rounds alternate: a slice of each load against the engine, then the same against a raw TCP echo that has the engine's
//! core meanwhile. The headline is the ratio of the medians of a round, because microseconds mean nothing without the
//! machine. Which order answers which tick is read in the engine's journal, which also must replay.

mod cause;
mod engine;
mod exchange;
mod load;
mod mirror;
mod report;
mod surge;

use super::cores::{leave, stay_on};
use super::machine::{Machine, lost_percent};
use super::market::{Random, recorded_prices};
use super::rig::Home;
use crate::failure::{Failure, Outcome};
use crate::replay::{replay_dir, sound};
use clap::{Parser, ValueEnum};
pub use engine::{Args as EngineArgs, serve};
use exchange::{Exchange, Message};
use load::{Load, ToEngine, drive};
use mirror::{Exchanged, mirror};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
pub use surge::{Args as SurgeArgs, surge};

/// A round after which a spinning thread lost more than this shared its cores with others: two threads that spin for
/// each other then wait for the scheduler, and not for each other.
const LOST_PERCENT_MAX: f64 = 3.0;
/// An echo this slow was waiting for a core; no kernel's loopback is.
const ECHO_P50_NS_MAX: u64 = 100_000;
/// How long the hiccup meter looks after each slice.
const METER_MS: u64 = 40;
/// How long orders may still come after the last slice.
const LAST_WORDS: Duration = Duration::from_millis(50);
/// Part of each slice that is not counted: the way is cold after a stop.
const WARM_UP_PART: usize = 10;

/// What is measured, in words that go with every figure.
const METHOD: &str = "\
Load generator on the first core, engine in its own process on the second, spinning; structure on 4 timeframes, strategy,
all checks, journal on. Every third message is a trade that closes a bar of the lowest timeframe, every fifth of those one
of the next; strategy told to want something at nearly every bar. Messages are sealed ahead; t0 before the send (closed) or
when it was due (open, burst), t1 at the return of the read that brought the order, before it is opened. Orders are answered
with acknowledgement, new, expired. In process: from the return of the read to the sealed order, before its send.
Echo: raw TCP, same sizes, same pacing, answering as many messages with as many bytes; engine stopped meanwhile.
Ratio: of the medians of each round; the median of the rounds. The first tenth of each slice is not counted.";

/// From a message on the wire to the order it causes, beside a raw TCP echo of the same sizes.
#[derive(Parser)]
pub struct Args {
    /// Seconds of each slice: one load, once
    #[arg(long, default_value_t = 0.25)]
    seconds: f64,
    /// Rounds of each case
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Only this transport
    #[arg(long)]
    transport: Option<Transport>,
    /// Only this way to sign
    #[arg(long)]
    auth: Option<Auth>,
    /// Only this load: closed, open_20k, open_2k or burst_10
    #[arg(long)]
    load: Option<String>,
    /// How the engine's threads are joined: inline, or pipelined where there are cores for three of them
    #[arg(long, default_value = "inline")]
    topology: String,
    /// What the engine does when idle: spin, yield or park
    #[arg(long, default_value = "spin")]
    idle: String,
    /// Prices of a recording (gzip or text, one timed message a line) instead of generated ones
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Seed of the market and of the pacing
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Writes percentiles as a picture
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// What lies between us and the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// TLS 1.3.
    Tls,
    /// None.
    Plain,
}

impl Transport {
    fn is_plain(self) -> bool {
        self == Self::Plain
    }

    fn name(self) -> &'static str {
        if self.is_plain() { "plain" } else { "tls" }
    }
}

/// How orders are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// The connection logs on once, with Ed25519.
    Session,
    /// Every order with HMAC-SHA256.
    Hmac,
}

impl Auth {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Hmac => "hmac",
        }
    }
}

/// One engine.
#[derive(Clone, Debug)]
struct Setup {
    transport: Transport,
    auth: Auth,
    topology: String,
    idle: String,
}

/// One load, once, against engine and echo.
struct Slice {
    load: usize,
    /// When each trade was due, by its stamp.
    due: HashMap<u64, u64>,
    /// Orders and when they came.
    arrivals: Vec<exchange::Arrival>,
    echo: Vec<u64>,
    inside: engine::Inside,
    lost_percent: f64,
}

/// One slice, once the journal has said what caused what.
pub struct Round {
    /// From the tick that was due to its order.
    pub tick_to_order: Vec<u64>,
    /// From the message that was due to its answer.
    pub echo: Vec<u64>,
    /// In process: value and count.
    pub inside: Vec<(u64, u64)>,
    /// What a spinning thread lost right after it, in percent.
    pub lost_percent: f64,
    /// Page faults of the engine's thread in it.
    pub faults: u64,
    /// How often the engine's thread was pushed off its core in it.
    pub switches: u64,
}

impl Round {
    /// Others had the cores.
    pub fn is_noisy(&self) -> bool {
        self.lost_percent > LOST_PERCENT_MAX || self.switches > 0 || median(&self.echo) > ECHO_P50_NS_MAX
    }
}

/// All rounds of one load at one engine.
pub struct Case {
    /// What lies between us and the socket.
    pub transport: &'static str,
    /// How orders are signed.
    pub auth: &'static str,
    /// How the messages are paced.
    pub load: &'static str,
    /// How the engine's threads are joined.
    pub topology: String,
    /// Its rounds, in order.
    pub rounds: Vec<Round>,
}

/// Runs all cases and reports.
pub fn wire(args: &Args) -> Outcome {
    if !(0.02..=600.0).contains(&args.seconds) || !(1..=1_000).contains(&args.rounds) {
        return Err(Failure::Wrong("--seconds must be 0.02 to 600 and --rounds 1 to 1000".into()));
    }
    if args.topology == "pipelined" && smc_runtime::idle::cores() < 4 {
        return Err(Failure::Wrong("pipelined needs four cores: three spinning threads and the load".into()));
    }
    let is_wanted = |name: &str| args.load.as_deref().is_none_or(|only| only == name);
    let loads: Vec<(Load, &str)> = Load::ALL.into_iter().filter(|(_, name)| is_wanted(name)).collect();
    if loads.is_empty() {
        return Err(Failure::Wrong("--load is closed, open_20k, open_2k or burst_10".into()));
    }
    let prices = args.data.as_deref().map(recorded_prices).transpose()?.unwrap_or_default();
    let is_stopped = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&is_stopped).map_err(|error| Failure::wrong("signals", error))?;
    let machine = Machine::look();
    let home = Home::new()?;
    let mut cases = Vec::new();
    for transport in [Transport::Tls, Transport::Plain] {
        for auth in [Auth::Session, Auth::Hmac] {
            let is_left_out = args.transport.is_some_and(|only| only != transport)
                || args.auth.is_some_and(|only| only != auth);
            if is_left_out || is_stopped.load(Ordering::Relaxed) {
                continue;
            }
            let (topology, idle) = (args.topology.clone(), args.idle.clone());
            let setup = Setup { transport, auth, topology, idle };
            let dir = home.path().join(format!("{}-{}", transport.name(), auth.name()));
            if !args.json {
                eprintln!("{}, {}", transport.name(), auth.name());
            }
            cases.extend(life(&dir, &setup, args, &loads, &prices, &is_stopped)?);
        }
    }
    report::report(args, &machine, &cases)
}

/// One engine from start to end: every load in turn, in every round.
fn life(
    dir: &Path,
    setup: &Setup,
    args: &Args,
    loads: &[(Load, &'static str)],
    prices: &[i64],
    is_stopped: &AtomicBool,
) -> Result<Vec<Case>, Failure> {
    // The engine's process inherits where we may run.
    leave();
    let (mut exchange, mut engine) = Exchange::open(dir, setup, (args.seed, 0), prices)?;
    stay_on(0);
    let mut random = Random(args.seed);
    let mut slices = Vec::new();
    // The first is for caches and branch predictors alone.
    slice(&mut exchange, &mut engine, Load::Closed, args.seconds / 2.0, &mut random)?;
    for _ in 0..args.rounds {
        for (place, (load, _)) in loads.iter().enumerate() {
            if is_stopped.load(Ordering::Relaxed) {
                break;
            }
            let mut measured = slice(&mut exchange, &mut engine, *load, args.seconds, &mut random)?;
            measured.load = place;
            slices.push(measured);
        }
    }
    // What was decided last has to arrive before it is counted.
    let (failed, clock) = (|error| Failure::wrong("loopback", error), Instant::now());
    while clock.elapsed() < LAST_WORDS {
        exchange.poll(clock).map_err(failed)?;
    }
    let journal = engine.journal();
    let ended = engine.end()?;
    if let Some(error) = ended.error {
        return Err(Failure::No(format!("the engine ended: {error}")));
    }
    let causes = cause::causes(&journal)?;
    check(&exchange, &causes)?;
    sound(&journal)?;
    if let Some(difference) = replay_dir(&journal, None, u64::MAX)?.replay.difference {
        return Err(Failure::No(format!("the replay differs from the run: {difference}")));
    }
    let mut cases: Vec<Case> = loads
        .iter()
        .map(|&(_, load)| Case {
            transport: setup.transport.name(),
            auth: setup.auth.name(),
            load,
            topology: setup.topology.clone(),
            rounds: Vec::new(),
        })
        .collect();
    for slice in slices {
        if let Some(case) = cases.get_mut(slice.load) {
            case.rounds.push(round(slice, &causes));
        }
    }
    Ok(cases)
}

/// Every order that was decided came, once, and nothing else was asked.
fn check(exchange: &Exchange, causes: &HashMap<String, Option<u64>>) -> Outcome {
    if let Some(text) = exchange.unexpected.first() {
        return Err(Failure::No(format!("the engine asked for something else than orders: {text}")));
    }
    if exchange.orders_seen != causes.len() as u64 {
        let (seen, told) = (exchange.orders_seen, causes.len());
        return Err(Failure::No(format!("{told} orders in the journal, {seen} on the wire")));
    }
    Ok(())
}

fn slice(
    exchange: &mut Exchange,
    engine: &mut engine::Engine,
    load: Load,
    seconds: f64,
    random: &mut Random,
) -> Result<Slice, Failure> {
    let failed = |error: std::io::Error| Failure::wrong("loopback", error);
    exchange.serve_rest();
    let mut bytes = Vec::new();
    let messages = exchange.seal(load.messages(seconds), &mut bytes)?;
    let before = engine.take()?;
    exchange.arrivals.clear();
    let seed = random.0;
    let mut wire = ToEngine { exchange, bytes: &bytes, messages: &messages, after: Vec::new(), last: 0 };
    let mut draw = || random.below(1 << 53) as f64 / (1_u64 << 53) as f64;
    let due_at = drive(&mut wire, messages.len(), load, Instant::now(), &mut draw).map_err(failed)?;
    let after = std::mem::take(&mut wire.after);
    let arrivals = std::mem::take(&mut exchange.arrivals);
    let mut inside = engine.take()?;
    (inside.faults, inside.switches) = (inside.faults - before.faults, inside.switches - before.switches);

    let unanswered = |message: &Message| Exchanged {
        from: message.from,
        there: message.to - message.from,
        back: None,
        may_answer: message.trade_ms.is_some(),
    };
    let mut plan: Vec<Exchanged> = messages.iter().map(unanswered).collect();
    for (nth, arrival) in after.iter().zip(&arrivals) {
        // Of two orders after one message the second is that of a message before it that has none.
        let free = (0..=*nth).rev().find(|&at| {
            plan.get(at).is_some_and(|message| message.back.is_none())
                && messages.get(at).is_some_and(|message| message.trade_ms.is_some())
        });
        if let Some(message) = free.and_then(|at| plan.get_mut(at)) {
            message.back = Some(arrival.bytes);
        }
    }
    engine.stop()?;
    // The same gaps as before.
    let mut again = Random(seed);
    let mut draw = || again.below(1 << 53) as f64 / (1_u64 << 53) as f64;
    let echo = mirror(&plan, &bytes, load, &mut draw);
    engine.go_on()?;
    let echo = echo.map_err(failed)?;
    let due = messages.iter().zip(&due_at).filter_map(|(message, due)| Some((message.trade_ms?, *due)));
    let due = due.skip(messages.len() / 3 / WARM_UP_PART).collect();
    let lost_percent = lost_percent(METER_MS);
    Ok(Slice { load: 0, due, arrivals, echo, inside, lost_percent })
}

fn round(slice: Slice, causes: &HashMap<String, Option<u64>>) -> Round {
    let tick_to_order = slice.arrivals.iter().filter_map(|arrival| {
        let cause = (*causes.get(&arrival.client_order_id)?)?;
        Some(arrival.at.saturating_sub(*slice.due.get(&cause)?))
    });
    let mut echo = slice.echo;
    echo.drain(..echo.len() / WARM_UP_PART);
    Round {
        tick_to_order: tick_to_order.collect(),
        echo,
        inside: slice.inside.wire_to_wire,
        lost_percent: slice.lost_percent,
        faults: slice.inside.faults,
        switches: slice.inside.switches,
    }
}

/// The middle one, the lower of two.
fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}
