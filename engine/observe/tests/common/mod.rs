//! A journal of a seeded market and a tiny venue, traded by the demo's configuration, with the engine that wrote it.
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
use smc_core::strategy::Confluence;
use smc_core::words::TsNs;
use smc_journal::{AppendError, Header, JournalSettings, RecordKind, SyncPolicy, Writer};
use smc_settings::file::FileConfig;
use std::path::Path;

/// The demo's configuration, with breakers that let many losing trades pass.
pub fn file() -> FileConfig {
    let preset = include_str!("../../../../tools/smc/presets/demo.toml");
    let patience = "\n[breakers]\ndaily_loss_ppm = 500000\ndrawdown_ppm = 900000\nloss_streak_max = 1000\n\
                    fills_per_minute_max = 1000\nrejects_max = 1000\n";
    FileConfig::parse(&format!("{preset}{patience}")).unwrap()
}

/// A world that is ready to trade.
pub fn world(seed: u64) -> World<Confluence> {
    println!("seed {seed}");
    let config = file().engine().unwrap();
    let strategy = Confluence::for_config(&config);
    let mut world = World::new(seed, config, strategy, Manners { partial: true, ..Manners::default() });
    world.make_ready();
    world
}

/// A journal under way.
pub struct Book {
    writer: Writer,
    written: usize,
}

impl Book {
    /// Begins one in `dir`.
    pub fn begin(dir: &Path) -> Self {
        let (settings, header) = settings(dir);
        let mut writer = Writer::create(&settings, &header).unwrap();
        append(&mut writer, RecordKind::Config, TsNs(1), file().deciding_text().as_bytes());
        Self { writer, written: 0 }
    }

    /// Goes on with one that was closed, as the next process does.
    pub fn go_on(dir: &Path) -> Self {
        let (settings, header) = settings(dir);
        let (mut writer, _) = Writer::resume(&settings, &header).unwrap();
        append(&mut writer, RecordKind::Run, TsNs(1), &[]);
        Self { writer, written: 0 }
    }

    /// As [`Book::write`], of a world whose first steps stand in the journal already.
    pub fn write_since(&mut self, world: &World<Confluence>, steps: usize) {
        self.written = self.written.max(steps);
        self.write(world);
    }

    /// Number of the next record.
    pub fn next_seq(&self) -> u64 {
        self.writer.next_seq()
    }

    /// Writes what the world has done since the last time, as the engine thread does.
    pub fn write(&mut self, world: &World<Confluence>) {
        let mut buffer = Buffer::default();
        for step in &world.steps[self.written..] {
            let event = smc_core::Event { seq: self.writer.next_seq(), ..step.event };
            append(&mut self.writer, RecordKind::Input, event.ts_recv, buffer.encode(&event));
            for output in &step.outputs {
                append(&mut self.writer, RecordKind::Output, event.ts_recv, buffer.encode(output));
            }
        }
        self.written = world.steps.len();
    }

    /// Writes a digest record.
    pub fn digest(&mut self, bytes: &[u8]) {
        append(&mut self.writer, RecordKind::Digest, TsNs(1), bytes);
    }

    /// Ends it in order.
    pub fn close(self) {
        self.writer.close().unwrap();
    }
}

fn settings(dir: &Path) -> (JournalSettings, Header) {
    let settings =
        JournalSettings { segment_bytes: 16 << 20, sync: SyncPolicy::Off, ..JournalSettings::new(dir) };
    let header = Header {
        build: smc_core::build_hash(),
        config_hash: [2; 32],
        instruments_hash: [3; 32],
        account: "tester".into(),
        environment: "sim".into(),
    };
    (settings, header)
}

fn append(writer: &mut Writer, kind: RecordKind, ts: TsNs, payload: &[u8]) {
    loop {
        match writer.append(kind, ts, payload) {
            Ok(_) => return,
            Err(AppendError::NoSegment) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}
