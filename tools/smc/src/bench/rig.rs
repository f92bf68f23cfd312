//! One run in lock step: venue and engine from start to end, with the load of the bench's own preset.
//!
//! The venue is the simulator in lock step, as in the demo; the engine is launched as `smc run` launches it: real
//! sockets, TLS, feed, structure, strategy, gate, journal, gateway.

use super::market::Walk;
use crate::demo::LockStep;
use crate::failure::Failure;
use crate::replay::{replay_dir, sound};
use crate::sim::{API_KEY, account, private_dir, private_file};
use smc_core::event::Command;
use smc_runtime::clock::Clock;
use smc_runtime::config::{AccountSection, FileConfig, VenueKind, VenueSection};
use smc_runtime::idle::Idle;
use smc_runtime::launch::{Options, Topology, launch};
use smc_runtime::progress::Progress;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use venue_sim::credentials::Credentials;
use venue_sim::market::MarketSource;
use venue_sim::{Sim, SimSettings};

const PRESET: &str = include_str!("../../presets/bench.toml");
/// Market time without end: the wall clock ends a round.
const FOREVER: Duration = Duration::from_secs(10_000_000);

/// How a round is run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Seed of the market.
    pub seed: u64,
    /// Wall time.
    pub length: Duration,
    /// What the engine does when idle.
    pub idle: Idle,
}

/// A directory of the run's own, gone when the run is.
pub struct Home(PathBuf);

impl Home {
    /// Makes it in the system's temporary directory.
    pub fn new() -> Result<Self, Failure> {
        Self::within(None)
    }

    /// Makes it in a directory, on the disk that is to be measured.
    pub fn within(dir: Option<&Path>) -> Result<Self, Failure> {
        let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("smc-bench-{}-{}", std::process::id(), nanos.as_nanos());
        let home = Self(dir.map_or_else(std::env::temp_dir, Path::to_owned).join(name));
        private_dir(&home.0)?;
        Ok(home)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs one round in `home`, which must not exist; gives its journal, which must replay to the same answers.
pub fn round(home: &Path, load: Load, is_stopped: &AtomicBool) -> Result<PathBuf, Failure> {
    private_dir(home)?;
    let journal = home.join("journal");
    let credentials = Credentials::generate().map_err(|error| Failure::wrong("credentials", error))?;
    let source = Walk::new(load.seed);
    let start = source.start_ts();
    let mut settings = SimSettings::new(Box::new(source), vec![account(&credentials)]);
    settings.seed = load.seed;
    settings.limits.orders_per_day = u32::MAX;
    let mut sim = Sim::bind(settings).map_err(|error| Failure::Wrong(error.to_string()))?;
    private_file(&home.join("ca.pem"), sim.ca_pem())?;
    private_file(&home.join("key.pem"), credentials.private_pem())?;

    let (clock, handle) = Clock::virtual_at(start);
    let progress = Arc::new(Progress::default());
    let address = sim.local_addr().to_string();
    let peer = LockStep { progress: progress.clone(), clock: handle, preamble: OnceLock::new() };
    let peer = Arc::new(peer);
    let mut config = FileConfig::parse(PRESET).map_err(|error| Failure::wrong("preset", error))?;
    config.venue = Some(VenueSection {
        name: None,
        kind: VenueKind::BinanceSpot,
        market: address.clone(),
        orders: address.clone(),
        rest: address,
        ca_file: Some(home.join("ca.pem")),
        speed: 1.0,
        silence_max_ms: None,
        sbe: None,
        native_pairs: false,
        plain: false,
    });
    config.process.unsynced_max_ms = Some(0);
    config.process.snapshot_records = Some(0);
    config.account = Some(AccountSection {
        api_key: API_KEY.into(),
        key_file: home.join("key.pem"),
        recv_window_ms: 5_000,
        dead_man_ms: 0,
    });

    let stop = Arc::new(AtomicBool::new(false));
    let venue = {
        let (peer, stop) = (peer.clone(), stop.clone());
        std::thread::spawn(move || {
            let result = sim.run_lock_step(&*peer, FOREVER, None, &stop);
            (sim, result)
        })
    };
    let options = Options {
        config,
        clock: Some(clock),
        journal: journal.clone(),
        control: None,
        topology: Topology::Inline,
        idle: load.idle,
        kill: Arc::default(),
        speed: 1.0,
        set_log_level: None,
        progress: progress.clone(),
    };
    let mut running = launch(options).map_err(|error| {
        stop.store(true, Ordering::Release);
        Failure::Wrong(error.to_string())
    })?;
    let _ = peer.preamble.set(running.preamble);

    let started = Instant::now();
    while started.elapsed() < load.length
        && !venue.is_finished()
        && !running.is_over()
        && !is_stopped.load(Ordering::Relaxed)
    {
        std::thread::sleep(Duration::from_millis(20));
        running.status.latencies.collect();
    }
    stop.store(true, Ordering::Release);
    let (mut sim, result) = venue.join().map_err(|_| Failure::No("the simulator panicked".into()))?;
    // The venue answers the last cancels in market time that stands still.
    if !running.is_over() && running.command(Command::Shutdown) {
        let settled = sim.settle(&*peer, is_stopped);
        settled.map_err(|error| Failure::No(format!("{error}; {}", progress.describe())))?;
    }
    result.map_err(|error| Failure::No(format!("{error}; {}", progress.describe())))?;
    let ended = running.stop().map_err(Failure::No)?;
    if let Some(error) = ended.error {
        return Err(Failure::No(error));
    }
    sound(&journal)?;
    if let Some(difference) = replay_dir(&journal, None, u64::MAX)?.replay.difference {
        return Err(Failure::No(format!("the replay differs from the run: {difference}")));
    }
    Ok(journal)
}
