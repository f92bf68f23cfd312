//! `smc bench stages`: each stage by itself, in memory, on what a real run put on the wire and in the journal.
//!
//! The market messages come from the simulator's dialect (or a recording), the engine's events from the journal of a
//! short run over TLS. Every stage's answer is checked before it is timed: scanner against tape, engine against the
//! digest of its own run, order against the gate's verdict.

use super::machine::Machine;
use super::market::spec;
use super::rig::{Home, Load, round};
use super::{Figures, head};
use crate::failure::{Failure, Outcome};
use crate::run::config_of;
use clap::Parser;
use serde::Serialize;
use smc_core::book::Reference;
use smc_core::config::EngineConfig;
use smc_core::event::{Event, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::orders::{OrderEffect, Orders};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Output, Purpose, TimeInForce, TradingState};
use smc_core::position::PositionBook;
use smc_core::risk::{Gate, GateView, Margining, VenueFacts};
use smc_core::strategy::Confluence;
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, TsNs};
use smc_core::{Engine, Outbox, codec};
use smc_feeds::binance_spot::{Decoded, Decoder, TimeUnit, decode};
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use smc_runtime::idle::Idle;
use std::hint::black_box;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use venue_sim::LimitSettings;
use venue_sim::dialect::{Dialect, Frame, Venue};

/// Steps of a few nanoseconds are timed this many at a time; their percentiles are of such groups.
const GROUP: usize = 32;
const GROUPS: usize = 20_000;
/// Market messages decoded.
const MESSAGES: usize = 20_000;
/// Passes over messages and events.
const PASSES: usize = 3;
/// Times that an empty socket is asked between two events.
const LOOKS: u32 = 8;

/// Each stage by itself, in memory: nanoseconds.
#[derive(Parser)]
pub struct Args {
    /// Decode this recording (gzip or text, one timed message a line) instead of the simulator's messages
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Seconds of the run over TLS that the engine's events come from
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Seed of the markets
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// One row.
#[derive(Serialize)]
struct Stage {
    name: &'static str,
    /// How many steps one sample times; the figures are for one step.
    group: usize,
    #[serde(flatten)]
    figures: Figures,
}

/// Measures and reports.
pub fn stages(args: &Args) -> Outcome {
    if !(0.1..=60.0).contains(&args.seconds) {
        return Err(Failure::Wrong("--seconds must be 0.1 to 60".into()));
    }
    let machine = Machine::look();
    let home = Home::new()?;
    let mut rows = vec![clock_read(), copy()];
    rows.push(append(&home.path().join("append"))?);
    rows.extend(decoding(&messages(args)?)?);
    let load = Load { seed: args.seed, length: Duration::from_secs_f64(args.seconds), idle: Idle::Yield };
    let run = round(&home.path().join("round"), load, &Arc::new(AtomicBool::new(false)))?;
    let (config, events) = recorded(&run)?;
    rows.push(gate(&config)?);
    rows.extend(engine(&config, &events)?);
    report(args, &machine, &rows, events.len());
    Ok(())
}

fn report(args: &Args, machine: &Machine, rows: &[Stage], events: usize) {
    if args.json {
        let document =
            serde_json::json!({ "machine": machine, "stages": rows, "events": events, "seed": args.seed });
        println!("{document}");
        return;
    }
    println!("{}", machine.line());
    println!(
        "steps marked x{GROUP} are timed {GROUP} at a time; the others one by one, two clock reads included\n"
    );
    println!("{}", head("nanoseconds"));
    for row in rows {
        let name = if row.group > 1 { format!("{} x{}", row.name, row.group) } else { row.name.into() };
        println!("{name:34} {}", row.figures.cells(1.0, 0));
    }
}

/// Times `step` in groups.
fn grouped(name: &'static str, mut step: impl FnMut(u64)) -> Stage {
    let mut samples = Vec::with_capacity(GROUPS);
    for group in 0..GROUPS + GROUPS / 10 {
        let started = Instant::now();
        for nth in 0..GROUP {
            step((group * GROUP + nth) as u64);
        }
        let ns = started.elapsed().as_nanos() as u64 / GROUP as u64;
        if group >= GROUPS / 10 {
            samples.push(ns);
        }
    }
    Stage { name, group: GROUP, figures: Figures::of(samples) }
}

fn clock_read() -> Stage {
    grouped("clock read", |_| _ = black_box(Instant::now()))
}

/// The limit of the journal: the same bytes to plain memory, without checksum.
fn copy() -> Stage {
    const SIZE: usize = 128 + 32;
    let payload = [7u8; SIZE];
    let mut memory = vec![1u8; 8 << 20];
    let slots = memory.len() / SIZE;
    grouped("copy of 160 B to memory", |seq| {
        let at = (seq as usize % slots) * SIZE;
        if let Some(slot) = memory.get_mut(at..at + SIZE) {
            slot.copy_from_slice(black_box(&payload));
            black_box(slot);
        }
    })
}

fn append(dir: &Path) -> Result<Stage, Failure> {
    let fail = |error| Failure::wrong(dir.display(), error);
    let settings = JournalSettings { sync: SyncPolicy::Off, ..JournalSettings::new(dir) };
    let mut writer = Writer::create(&settings, &Header::default()).map_err(fail)?;
    let payload = [7u8; 128];
    let mut failed = None;
    let stage = grouped("journal append, 128 B", |seq| {
        while let Err(error) = writer.append(RecordKind::Input, TsNs(seq), black_box(&payload)) {
            if error != AppendError::NoSegment {
                failed = Some(error);
                break;
            }
            std::thread::yield_now();
        }
    });
    writer.close().map_err(fail)?;
    let records = smc_journal::verify(dir).map_err(fail)?.records;
    match failed {
        Some(error) => Err(Failure::No(format!("append: {error}"))),
        None if records < (GROUP * GROUPS) as u64 => {
            Err(Failure::No(format!("{records} records in the journal")))
        }
        None => Ok(stage),
    }
}

/// Market messages: recorded ones, or what the simulator says.
fn messages(args: &Args) -> Result<Vec<Vec<u8>>, Failure> {
    if let Some(path) = &args.data {
        let mut messages = super::market::recorded_messages(path)?;
        messages.truncate(MESSAGES);
        return Ok(messages);
    }
    let market = crate::sim::market(None, args.seed)?;
    let venue = Venue::new(market, &[], LimitSettings::default(), args.seed);
    let mut venue = venue.map_err(|error| Failure::Wrong(error.to_string()))?;
    venue.open(1, "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms");
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

fn decoding(messages: &[Vec<u8>]) -> Result<Vec<Stage>, Failure> {
    let symbols = [(InstrumentId(0), Name::new("BTCUSDT").unwrap_or_default())];
    let mut decoder = Decoder::new(&symbols, TimeUnit::Millis);
    let mut other = Decoder::new(&symbols, TimeUnit::Millis);
    let kinds = ["decode trade", "decode bookTicker", "decode depth"];
    let mut samples = [(); 3].map(|()| Vec::new());
    for pass in 0..PASSES {
        for message in messages {
            let (mut copy, mut twin) = (message.clone(), message.clone());
            let started = Instant::now();
            let decoded = black_box(decode(&mut copy, &mut decoder));
            let ns = started.elapsed().as_nanos() as u64;
            let kind = match decoded {
                Ok(Decoded::Trade { .. }) => 0,
                Ok(Decoded::BookTicker { .. }) => 1,
                Ok(Decoded::Depth { .. }) => 2,
                _ => continue,
            };
            if pass == 0 && decoded != other.decode_by_tape(&mut twin) {
                let text = String::from_utf8_lossy(message).into_owned();
                return Err(Failure::No(format!("scanner and tape differ on {text}")));
            }
            samples[kind].push(ns);
        }
    }
    let rows = kinds.into_iter().zip(samples);
    Ok(rows.map(|(name, samples)| Stage { name, group: 1, figures: Figures::of(samples) }).collect())
}

/// The inputs of a journal and the configuration they were decided under.
fn recorded(journal: &Path) -> Result<(EngineConfig, Vec<Event>), Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::wrong(journal.display(), error);
    let reader = Reader::open(journal).map_err(|error| fail(&error))?;
    let (mut config, mut events) = (None, Vec::new());
    for record in reader.records() {
        let record = record.map_err(|error| fail(&error))?;
        match record.kind {
            RecordKind::Config => config = Some(config_of(journal, record.payload)?),
            RecordKind::Input => events.push(codec::decode(record.payload).map_err(|error| fail(&error))?),
            _ => {}
        }
    }
    let config = config.ok_or_else(|| fail(&"no configuration record"))?;
    Ok((config.engine().map_err(|error| fail(&error))?, events))
}

fn engine(config: &EngineConfig, events: &[Event]) -> Result<Vec<Stage>, Failure> {
    const KINDS: [&str; 6] = [
        "engine: quote",
        "engine: book level",
        "engine: trade, no bar closed",
        "engine: trade closing bars",
        "engine: event that orders",
        "engine: the same, socket asked before",
    ];
    const ORDERS: usize = 4;
    let mut samples = [(); KINDS.len()].map(|()| Vec::new());
    let mut digests = Vec::new();
    let mut outbox = Outbox::new();
    let nobody = UdpSocket::bind("127.0.0.1:0").and_then(|socket| {
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    let nobody = nobody.map_err(|error| Failure::wrong("a socket", error))?;
    for pass in 0..2 * PASSES {
        let engine = Engine::new(config.clone(), Confluence::for_config(config));
        let mut engine = engine.map_err(|error| Failure::Wrong(error.to_string()))?;
        let is_live = pass >= PASSES;
        for event in events {
            if is_live {
                // As between two messages of a live feed, whose code leaves the processor's first cache meanwhile.
                (0..LOOKS).for_each(|_| _ = black_box(nobody.recv(&mut [0; 64])));
            }
            let started = Instant::now();
            engine.on_event(event, &mut outbox);
            let ns = started.elapsed().as_nanos() as u64;
            let said = outbox.outputs();
            let kind = match event.body {
                _ if said.iter().any(Output::is_for_venue) => ORDERS + usize::from(is_live),
                _ if is_live => KINDS.len(),
                _ if said.iter().any(|o| matches!(o, Output::BarClosed(..))) => 3,
                EventBody::Trade(_) => 2,
                EventBody::Book(_) => 1,
                EventBody::Quote(_) => 0,
                _ => KINDS.len(),
            };
            if let Some(samples) = samples.get_mut(kind) {
                samples.push(ns);
            }
            outbox.clear();
        }
        digests.push(engine.digest());
    }
    if digests.windows(2).any(|pair| pair.first() != pair.last()) {
        return Err(Failure::No("two runs of the engine over the same events differ".into()));
    }
    let rows = KINDS.into_iter().zip(samples);
    Ok(rows.map(|(name, samples)| Stage { name, group: 1, figures: Figures::of(samples) }).collect())
}

/// One order through all checks; what it reserved is given back before the next, outside of the timing.
fn gate(config: &EngineConfig) -> Result<Stage, Failure> {
    let limits: Vec<_> = config.instruments.iter().map(|instrument| Some(instrument.limits)).collect();
    let gate = Gate::new(config.account_limits, &limits);
    let mut gate = gate.map_err(|error| Failure::Wrong(error.to_string()))?;
    let (spec, id) = (spec(), InstrumentId(0));
    let mut positions = PositionBook::new(1, spec.quote, Some(Money(1_000_000 * SCALE)));
    positions.set_assets(id, spec.base, spec.quote);
    let price = Price(60_000 * SCALE);
    positions.mark(id, price);
    let mut orders = Orders::new(1);
    let mut samples = Vec::with_capacity(GROUPS);
    for nth in 1..=(GROUPS + GROUPS / 10) as u64 {
        let now = TsNs(1_767_225_600_000_000_000 + nth * 1_000_000_000);
        let order = NewOrder {
            client_order_id: ClientOrderId::new(1, 0, nth),
            instrument: id,
            side: if nth % 2 == 0 { Side::Buy } else { Side::Sell },
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::Gtc,
            price,
            stop_price: Price::ZERO,
            qty: Qty(SCALE / 1_000),
            purpose: Purpose::Entry,
            signal_id: 0,
            terms: OrderTerms::PLAIN,
        };
        let reference = Some(Reference { price, ts: now });
        let (state, loss_level) = (TradingState::Normal, TradingState::Normal);
        let (venue, margin) = (VenueFacts::default(), Margining::Whole { needed: 1, free: 1 });
        let spec = Some(&spec);
        let positions = &positions;
        let view = GateView {
            now,
            state,
            loss_level,
            spec,
            reference,
            positions,
            venue: &venue,
            margin,
            var_ppm: None,
        };
        let started = Instant::now();
        let verdict = black_box(gate.check(black_box(&order), &view, &mut orders));
        let ns = started.elapsed().as_nanos() as u64;
        if let Err(violations) = verdict.outcome {
            return Err(Failure::No(format!("the gate refused the bench's order: {violations}")));
        }
        let kind = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
        let update = OrderUpdate { client_order_id: order.client_order_id, venue_order_id: nth, kind };
        if let OrderEffect::Closed(closed) = orders.on_update(id, &update, now) {
            gate.on_closed(&closed, TsNs(now.0 + 100_000_000));
        }
        if nth > GROUPS as u64 / 10 {
            samples.push(ns);
        }
    }
    Ok(Stage { name: "gate: one order, all checks", group: 1, figures: Figures::of(samples) })
}
