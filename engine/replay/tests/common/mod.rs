//! Journals of a seeded market and a tiny venue, made in memory and written as the engine thread writes them.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "this is test code, which the lint cannot see"
)]

#[path = "../../../core/tests/engine_harness/mod.rs"]
pub mod engine_harness;

pub use engine_harness::{Manners, World};

use smc_core::codec::Buffer;
use smc_core::config::EngineConfig;
use smc_core::event::{Command, Event};
use smc_core::output::Output;
use smc_core::strategy::{Confluence, ConfluenceParams};
use smc_core::words::TsNs;
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer};
use std::path::Path;

/// A strategy that signals often, and orders that keep clear of the limits.
pub fn config() -> EngineConfig {
    let mut config = engine_harness::config();
    config.strategy = ConfluenceParams {
        require_bias: false,
        require_discount: false,
        accept_higher_sweeps: true,
        stop_distance_ppm_min: 800,
        ..ConfluenceParams::default()
    };
    config.sizing.risk_fraction_ppm = 200;
    config
}

/// A run of so many tenths of a second; from the middle on nothing new may be entered.
pub fn world(seed: u64, ticks: u64, pause: bool) -> World<Confluence> {
    println!("seed {seed}");
    let config = config();
    let strategy = Confluence::for_config(&config);
    let mut world = World::new(seed, config, strategy, Manners { partial: true, ..Manners::default() });
    world.make_ready();
    world.run(ticks / 2);
    if pause {
        world.command(Command::Pause);
    }
    world.run(ticks / 2);
    world
}

pub fn writer(dir: &Path) -> Writer {
    writer_of(dir, 16 << 20, SyncPolicy::Off)
}

pub fn writer_of(dir: &Path, segment_bytes: u64, sync: SyncPolicy) -> Writer {
    let settings = JournalSettings { segment_bytes, sync, ..JournalSettings::new(dir) };
    let header = Header {
        build: [1; 16],
        config_hash: [2; 32],
        instruments_hash: [3; 32],
        account: "tester".into(),
        environment: "sim".into(),
    };
    let mut writer = Writer::create(&settings, &header).unwrap();
    append(&mut writer, RecordKind::Config, TsNs(1), b"a configuration\n");
    writer
}

pub fn append(writer: &mut Writer, kind: RecordKind, ts: TsNs, payload: &[u8]) -> u64 {
    loop {
        match writer.append(kind, ts, payload) {
            Ok(seq) => return seq,
            Err(AppendError::NoSegment) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// One input with what was said to it.
pub fn step(writer: &mut Writer, event: &Event, outputs: &[Output]) {
    let mut buffer = Buffer::default();
    let event = Event { seq: writer.next_seq(), ..*event };
    append(writer, RecordKind::Input, event.ts_recv, buffer.encode(&event));
    for output in outputs {
        append(writer, RecordKind::Output, event.ts_recv, buffer.encode(output));
    }
}

/// The whole run, closed.
pub fn write(dir: &Path, world: &World<Confluence>) -> Reader {
    write_with(writer(dir), dir, world)
}

pub fn write_with(mut writer: Writer, dir: &Path, world: &World<Confluence>) -> Reader {
    world.steps.iter().for_each(|it| step(&mut writer, &it.event, &it.outputs));
    let ts = world.engine.now();
    append(&mut writer, RecordKind::Digest, ts, &world.engine.digest().to_bytes());
    writer.close().unwrap();
    Reader::open(dir).unwrap()
}
