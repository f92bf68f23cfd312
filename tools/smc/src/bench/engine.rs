//! `smc bench engine`: events a second through the whole engine in memory, on one core, and whether an hour of market makes
//! it slower.
//!
//! Trades and best prices of a recording (or of a generated market) run through structure on four timeframes, strategy,
//! sizing and gate; an order is answered as by a venue where it finds nothing to take. The recording is gone through again
//! and again, each time later, until an hour is full.

use super::machine::Machine;
use super::market::{recorded_messages, spec};
use super::{Figures, head};
use crate::failure::{Failure, Outcome};
use clap::Parser;
use smc_core::config::EngineConfig;
use smc_core::event::{
    Balance, Event, EventBody, FeedState, GatewayState, OrderUpdate, OrderUpdateKind, ReconcileRound,
};
use smc_core::output::{Output, TradingState};
use smc_core::strategy::Confluence;
use smc_core::words::{InstrumentId, Name, Qty, SCALE, TsNs};
use smc_core::{Engine, Outbox};
use smc_feeds::binance_spot::{Decoded, Decoder, TimeUnit, decode};
use smc_runtime::config::FileConfig;
use std::path::PathBuf;
use std::time::Instant;
use venue_sim::LimitSettings;
use venue_sim::dialect::{Dialect, Frame, Venue};

const PRESET: &str = include_str!("../../presets/bench.toml");
const TIMEFRAMES: [&str; 4] = ["1m", "5m", "15m", "1h"];
const MINUTE_NS: u64 = 60_000_000_000;
/// Messages of a generated market.
const MESSAGES: usize = 60_000;
/// Events whose ordering answers may still have to be put between.
const ANSWERS_MAX: usize = 64;

/// Events a second through the whole engine, in memory.
#[derive(Parser)]
pub struct Args {
    /// A recording of Binance's streams (gzip or text, one timed message a line) instead of a generated market
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Minutes of market
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// Passes over all of it; the median is told
    #[arg(long, default_value_t = 5)]
    passes: u32,
    /// Seed of the generated market
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// Measures and reports.
pub fn engine(args: &Args) -> Outcome {
    if !(2..=1_440).contains(&args.minutes) || !(1..=100).contains(&args.passes) {
        return Err(Failure::Wrong("--minutes must be 2 to 1440 and --passes 1 to 100".into()));
    }
    let machine = Machine::look();
    let config = config()?;
    let one = recorded(args)?;
    let events = repeated(&one, u64::from(args.minutes) * MINUTE_NS);
    let mut passes = Vec::new();
    let mut digests = Vec::new();
    for _ in 0..args.passes {
        let (minutes, digest, orders) = pass(&config, &events)?;
        digests.push((digest, orders));
        passes.push(minutes);
    }
    if digests.windows(2).any(|pair| pair.first() != pair.last()) {
        return Err(Failure::No("two passes over the same events differ".into()));
    }
    let orders = digests.first().map_or(0, |(_, orders)| *orders);
    report(args, &machine, &passes, events.len(), orders);
    Ok(())
}

/// One minute of market: its events, and how long they took.
#[derive(Clone, Copy, Default)]
struct Minute {
    events: u64,
    ns: u64,
}

fn config() -> Result<EngineConfig, Failure> {
    let mut config = FileConfig::parse(PRESET).map_err(|error| Failure::wrong("preset", error))?;
    config.engine.timeframes = TIMEFRAMES.map(str::to_owned).to_vec();
    config.engine().map_err(|error| Failure::wrong("preset", error))
}

/// The market once, from its own beginning.
fn recorded(args: &Args) -> Result<Vec<Event>, Failure> {
    let (mut at, mut events) = (TsNs(0), Vec::new());
    let symbols = [(InstrumentId(0), Name::new("BTCUSDT").unwrap_or_default())];
    let mut decoder = Decoder::new(&symbols, TimeUnit::Millis);
    let messages = match &args.data {
        Some(path) => recorded_messages(path)?,
        None => generated(args.seed)?,
    };
    for mut message in messages {
        // Best prices carry no time of their own: they are told between trades.
        let body = match decode(&mut message, &mut decoder) {
            Ok(Decoded::Trade { ts, trade, .. }) => {
                at = at.max(ts);
                EventBody::Trade(trade)
            }
            Ok(Decoded::BookTicker { quote, .. }) if at.0 > 0 => EventBody::Quote(quote),
            _ => continue,
        };
        events.push(Event { seq: 0, ts_event: at, ts_recv: at, instrument: InstrumentId(0), body });
    }
    match events.len() {
        0 => Err(Failure::Wrong("no trades of BTCUSDT in the recording".into())),
        _ => Ok(events),
    }
}

fn generated(seed: u64) -> Result<Vec<Vec<u8>>, Failure> {
    let venue = Venue::new(crate::sim::market(None, seed)?, &[], LimitSettings::default(), seed);
    let mut venue = venue.map_err(|error| Failure::Wrong(error.to_string()))?;
    venue.open(1, "/stream?streams=btcusdt@trade/btcusdt@bookTicker");
    let mut messages = Vec::with_capacity(MESSAGES);
    while messages.len() < MESSAGES && !venue.is_market_over() {
        venue.step();
        while let Some((_, frame)) = venue.pop_frame() {
            if let Frame::Text(text) = frame {
                messages.push(text.into_bytes());
            }
        }
    }
    Ok(messages)
}

/// Again and again, each time later, until `length` is full.
fn repeated(one: &[Event], length: u64) -> Vec<Event> {
    let (Some(first), Some(last)) = (one.first(), one.last()) else { return Vec::new() };
    let span = last.ts_recv.since(first.ts_recv) + 1_000_000;
    let times = length.div_ceil(span).max(1);
    let later = |event: &Event, by: u64| {
        let [ts_event, ts_recv] = [event.ts_event, event.ts_recv].map(|ts| TsNs(ts.0 + by));
        Event { ts_event, ts_recv, ..*event }
    };
    let all = (0..times).flat_map(|nth| one.iter().map(move |event| later(event, nth * span)));
    let end = TsNs(first.ts_recv.0 + length);
    let mut events: Vec<Event> = all.take_while(|event| event.ts_recv < end).collect();
    (1..).zip(&mut events).for_each(|(seq, event)| event.seq = seq);
    events
}

/// What makes an engine ready to trade.
fn readied(config: &EngineConfig, now: TsNs) -> Result<Engine<Confluence>, Failure> {
    let engine = Engine::new(config.clone(), Confluence::for_config(config));
    let mut engine = engine.map_err(|error| Failure::Wrong(error.to_string()))?;
    let mut outbox = Outbox::new();
    let owned = |asset, amount: i64| {
        EventBody::Balance(Balance { asset, free: Qty(amount * SCALE), locked: Qty::ZERO })
    };
    let round = |number, is_end| EventBody::Round(ReconcileRound { number, is_end, is_complete: true });
    let bodies = [
        EventBody::Instrument(spec()),
        EventBody::Gateway(GatewayState::Syncing),
        round(1, false),
        owned(spec().quote, 1_000_000),
        owned(spec().base, 20),
        round(1, true),
        EventBody::Gateway(GatewayState::Ready),
        EventBody::Feed(FeedState::Live),
        round(2, false),
        owned(spec().quote, 1_000_000),
        owned(spec().base, 20),
        round(2, true),
    ];
    for body in bodies {
        let event = Event { seq: 0, ts_event: now, ts_recv: now, instrument: InstrumentId(0), body };
        engine.on_event(&event, &mut outbox);
        outbox.clear();
    }
    if engine.state() != TradingState::Normal {
        return Err(Failure::No(format!("the engine did not become ready: {:?}", engine.state())));
    }
    Ok(engine)
}

fn pass(config: &EngineConfig, events: &[Event]) -> Result<(Vec<Minute>, String, u64), Failure> {
    let Some(first) = events.first() else { return Ok((Vec::new(), String::new(), 0)) };
    let mut engine = readied(config, first.ts_recv)?;
    let mut outbox = Outbox::new();
    let mut answers: Vec<Event> = Vec::with_capacity(ANSWERS_MAX);
    let mut minutes = Vec::new();
    let mut rest = events;
    let mut orders = 0;
    while let Some(begin) = rest.first().map(|event| event.ts_recv) {
        let count = rest.partition_point(|event| event.ts_recv.since(begin) < MINUTE_NS);
        let (minute, later) = rest.split_at(count);
        rest = later;
        let started = Instant::now();
        for event in minute {
            engine.on_event(event, &mut outbox);
            if outbox.is_empty() {
                continue;
            }
            answer(&mut outbox, event, &mut answers);
            orders += answers.len() as u64;
            for answer in answers.drain(..) {
                engine.on_event(&answer, &mut outbox);
                outbox.clear();
            }
        }
        minutes.push(Minute { events: minute.len() as u64, ns: started.elapsed().as_nanos() as u64 });
    }
    Ok((minutes, engine.digest().to_string(), orders))
}

/// Every order finds nothing to take and ends.
fn answer(outbox: &mut Outbox, cause: &Event, answers: &mut Vec<Event>) {
    for output in outbox.outputs() {
        let Output::NewOrder(order) = output else { continue };
        let (id, kind) = (order.order().client_order_id, OrderUpdateKind::Expired { cum_qty: Qty::ZERO });
        let update = OrderUpdate { client_order_id: id, venue_order_id: cause.seq, kind };
        answers.push(Event { body: EventBody::Order(update), ..*cause });
    }
    outbox.clear();
}

fn report(args: &Args, machine: &Machine, passes: &[Vec<Minute>], events: usize, orders: u64) {
    let rate = |minutes: &[Minute]| {
        let (events, ns) =
            minutes.iter().fold((0, 0), |(events, ns), minute| (events + minute.events, ns + minute.ns));
        events as f64 * 1e9 / ns.max(1) as f64
    };
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
    };
    let all = median(passes.iter().map(|minutes| rate(minutes)).collect());
    // The last may be cut short, and the first has cold caches in it: like is compared with like.
    let tenth = |minutes: &[Minute]| (minutes.len() / 10).max(1);
    let early = median(
        passes.iter().map(|minutes| rate(minutes.get(..tenth(minutes)).unwrap_or_default())).collect(),
    );
    let late = |minutes: &[Minute]| {
        let whole = minutes.len().saturating_sub(1);
        rate(minutes.get(whole.saturating_sub(tenth(minutes))..whole).unwrap_or_default())
    };
    let late = median(passes.iter().map(|minutes| late(minutes)).collect());
    let each = passes.iter().flatten().filter(|minute| minute.events > 0);
    let each = Figures::of(each.map(|minute| minute.ns / minute.events).collect());
    if args.json {
        let document = serde_json::json!({
            "machine": machine, "events": events, "orders": orders, "minutes": args.minutes, "passes": args.passes,
            "timeframes": TIMEFRAMES, "events_per_second": all, "early_events_per_second": early,
            "late_events_per_second": late, "late_to_early_time": early / late.max(1.0), "ns_per_event": each,
        });
        println!("{document}");
        return;
    }
    println!("{}", machine.line());
    println!(
        "trades and best prices, structure on {}, strategy, gate; one core, in memory\n",
        TIMEFRAMES.join(", ")
    );
    println!("{}", head("nanoseconds an event, by minute"));
    println!("{:34} {}", "all passes", each.cells(1.0, 0));
    println!(
        "\n{:.1} million events/s over {} minutes ({events} events, {orders} orders); time of an event late to early: {:.3}",
        all / 1e6,
        args.minutes,
        early / late.max(1.0)
    );
}
