//! One round: venue, tap and engine from start to end, with the load of the bench's own preset.
//!
//! The venue is the simulator in lock step, as in the demo; the engine is launched as `smc run` launches it: real
//! sockets, TLS, feed, structure, strategy, gate, journal, gateway.

use super::market::Walk;
use super::tap::{Sample, Tap};
use crate::failure::Failure;
use crate::replay::{replay_dir, sound};
use crate::sim::{API_KEY, account, private_dir, private_file};
use smc_core::event::Command;
use smc_runtime::clock::Clock;
use smc_runtime::config::{AccountSection, FileConfig, VenueKind, VenueSection};
use smc_runtime::control::Status;
use smc_runtime::idle::Idle;
use smc_runtime::launch::{Options, Topology, launch};
use smc_runtime::progress::Progress;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// What a round gave.
pub struct Round {
    /// Orders with their causes, the first tenth left out.
    pub samples: Vec<Sample>,
    /// The engine's own figures.
    pub status: Status,
    /// Wall seconds of the market.
    pub seconds: f64,
    /// Times the kernel took the engine's thread off its core against its will; none where it does not say.
    pub switches: Option<u64>,
    /// The journal, in the round's directory.
    pub journal: PathBuf,
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

/// Runs one round in `home`, which must not exist. Its journal must replay to the same answers.
pub fn round(home: &Path, load: Load, is_stopped: &AtomicBool) -> Result<Round, Failure> {
    private_dir(home)?;
    let journal = home.join("journal");
    let wrong = |error: std::io::Error| Failure::wrong("loopback", error);
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
    let address = sim.local_addr();
    let tap = Arc::new(Tap::new(address, progress.clone(), handle).map_err(wrong)?);
    let [market, orders] = tap.addresses().map_err(wrong)?.map(|address| address.to_string());
    let mut config = FileConfig::parse(PRESET).map_err(|error| Failure::wrong("preset", error))?;
    config.venue = Some(VenueSection {
        name: None,
        kind: VenueKind::BinanceSpot,
        market,
        orders,
        rest: address.to_string(),
        ca_file: Some(home.join("ca.pem")),
        speed: 1.0,
        silence_max_ms: None,
        sbe: None,
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
        let (tap, stop) = (tap.clone(), stop.clone());
        std::thread::spawn(move || {
            let result = sim.run_lock_step(&*tap, FOREVER, None, &stop);
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
        progress: progress.clone(),
    };
    let mut running = launch(options).map_err(|error| {
        stop.store(true, Ordering::Release);
        Failure::Wrong(error.to_string())
    })?;
    let _ = tap.preamble.set(running.preamble);

    let started = Instant::now();
    while started.elapsed() < load.length
        && !venue.is_finished()
        && !running.is_over()
        && !is_stopped.load(Ordering::Relaxed)
    {
        std::thread::sleep(Duration::from_millis(20));
        running.status.latencies.collect();
    }
    let seconds = started.elapsed().as_secs_f64();
    let switches = engine_switches();
    stop.store(true, Ordering::Release);
    let (mut sim, result) = venue.join().map_err(|_| Failure::No("the simulator panicked".into()))?;
    let mut samples = tap.take_samples();
    // The venue answers the last cancels in market time that stands still.
    if !running.is_over() && running.command(Command::Shutdown) {
        let settled = sim.settle(&*tap, is_stopped);
        settled.map_err(|error| Failure::No(format!("{error}; {}", progress.describe())))?;
    }
    result.map_err(|error| Failure::No(format!("{error}; {}", progress.describe())))?;
    let status = running.status.status();
    let ended = running.stop().map_err(Failure::No)?;
    if let Some(error) = ended.error {
        return Err(Failure::No(error));
    }
    sound(&journal)?;
    if let Some(difference) = replay_dir(&journal, None, u64::MAX)?.replay.difference {
        return Err(Failure::No(format!("the replay differs from the run: {difference}")));
    }
    samples.drain(..samples.len() / 10);
    Ok(Round { samples, status, seconds, switches, journal })
}

/// Involuntary switches of the thread called `engine`, as Linux counts them.
fn engine_switches() -> Option<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let mut paths = tasks.filter_map(|task| Some(task.ok()?.path()));
    let engine = paths
        .find(|path| std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "engine"))?;
    let status = std::fs::read_to_string(engine.join("status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:")?.trim().parse().ok())
}
