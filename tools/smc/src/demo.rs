//! `smc demo`: the main job end to end, on one machine, over real sockets.
//!
//! A simulated venue (own thread, TLS on loopback) and the engine run in lock step: the venue sends one message, waits
//! until nobody has work left, and goes on. Market time is therefore part of the run and not of the machine: a seed
//! gives the same decisions, the same orders and the same digest everywhere, at any speed.

use crate::ctl::demo_socket;
use crate::failure::{Failure, Outcome};
use crate::presets::{self, Scene};
use crate::replay::{replay_dir, sound};
use crate::sim::{API_KEY, market, private_dir, private_file};
use crate::view;
use clap::Parser;
use serde_json::json;
use smc_core::TsNs;
use smc_core::event::Command;
use smc_runtime::account_lock::user_dir;
use smc_runtime::clock::Clock;
use smc_runtime::config::{AccountSection, FileConfig, VenueKind, VenueSection};
use smc_runtime::control::{Status, directory_is_ours};
use smc_runtime::launch::{Options, Topology, automatic, launch};
use smc_runtime::progress::Progress;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use venue_sim::credentials::Credentials;
use venue_sim::{LockStepError, Peer, Sim, SimSettings};

/// Length of a run that nobody sets, in seconds.
const SECONDS: u64 = 60;

/// Start a simulated venue and the engine, trade, verify the journal by replay.
#[derive(Parser)]
pub struct Args {
    /// Worked example to run: demo, crypto-intraday, forex-session-sweep or swing; `help` tells about each
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    preset: Option<String>,
    /// Length of the run in seconds, market time is that times the speed [default: the preset's hours, or 60]
    #[arg(long)]
    seconds: Option<u64>,
    /// Recorded market instead of a generated one (gzip or text, one timed message a line)
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Seed of the generated market [default: the preset's, or 7]
    #[arg(long)]
    seed: Option<u64>,
    /// Market seconds per second [default: the preset's, or 100; a recording: as fast as fits it into the run]
    #[arg(long)]
    speed: Option<f64>,
    /// Do not wait for the wall clock: as fast as the machine can
    #[arg(long)]
    fast: bool,
    /// Timeframes, ascending, such as 5s,15s,1m [default: 5s,15s,1m; a recording: 1s,5s]
    #[arg(long, value_delimiter = ',')]
    timeframes: Vec<String>,
    /// Quotes, trades and the book from the venue's binary streams instead of JSON
    #[arg(long)]
    sbe: bool,
    /// auto, inline or pipelined
    #[arg(long, default_value = "auto")]
    topology: String,
    /// No full-screen view: plain lines
    #[arg(long)]
    headless: bool,
    /// One JSON document at the end, on standard output
    #[arg(long)]
    json: bool,
    /// Keep the journal here instead of in a temporary directory
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Path of the control socket [default: where `smc ctl` looks for a demo; of a second demo beside its journal]
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Serve metrics over HTTP here: a port of this machine, or IP:PORT
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// Strategy, structure, limits and market from this file instead of a built-in preset
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What the simulator sees of our process.
pub struct LockStep {
    /// How far the threads are.
    pub progress: Arc<Progress>,
    /// The engine's virtual clock.
    pub clock: Arc<AtomicU64>,
    /// Bytes of the connection that fetched the rules, which no thread counts; set when the launch is done.
    pub preamble: OnceLock<(u64, u64)>,
}

impl Peer for LockStep {
    fn set_now(&self, now: TsNs) {
        self.clock.store(now.0, Ordering::Release);
    }

    fn is_started(&self) -> bool {
        self.preamble.get().is_some() && self.progress.is_started.load(Ordering::Acquire)
    }

    fn is_quiet(&self, sim_sent: u64, sim_received: u64) -> bool {
        let (received, sent) = self.preamble.get().copied().unwrap_or_default();
        let now = TsNs(self.clock.load(Ordering::Acquire));
        self.progress.is_over.load(Ordering::Acquire)
            || self.progress.is_quiet(now, sim_sent - received, sim_received - sent)
    }
}

/// Everything the summary is made of.
struct Summary {
    status: Status,
    digest: String,
    replay: String,
    journal_records: u64,
    wall_seconds: f64,
    market_seconds: f64,
    topology: Topology,
    error: Option<String>,
}

/// The place where `smc ctl` finds a demo, and what keeps it from a second one.
struct Usual {
    socket: PathBuf,
    _lock: File,
}

/// None where another demo has it, or the directory is not ours alone.
fn usual_place() -> Option<Usual> {
    let dir = user_dir();
    private_dir(&dir).ok()?;
    directory_is_ours(&dir, None).ok()?;
    let lock = File::create(dir.join("demo.lock")).ok()?;
    lock.try_lock().ok()?;
    Some(Usual { socket: demo_socket(), _lock: lock })
}

/// Runs the demo.
pub fn demo(args: &Args) -> Outcome {
    if args.preset.as_deref() == Some("help") {
        println!("{}", presets::list());
        return Ok(());
    }
    let (name, text) = text(args)?;
    let config = FileConfig::parse(&text).map_err(|error| Failure::wrong(&name, error))?;
    let scene = Scene::of(&config, args.seed);
    let home = args.journal.clone().unwrap_or_else(default_home);
    private_dir(&home)?;
    let journal = home.join("journal");
    if journal.exists() {
        return Err(Failure::wrong(
            journal.display(),
            "is already there; choose another --journal directory",
        ));
    }
    let credentials = Credentials::generate().map_err(|error| Failure::wrong("credentials", error))?;
    let source = match &args.data {
        Some(_) => market(args.data.as_deref(), scene.seed())?,
        None => scene.market()?,
    };
    let start = source.start_ts();
    let speed = speed(args, &scene)?;
    let mut settings = SimSettings::new(source, vec![scene.account(&credentials)]);
    settings.seed = scene.seed();
    let mut sim = Sim::bind(settings).map_err(|error| Failure::Wrong(error.to_string()))?;
    sim.set_tick(scene.heartbeat());
    private_file(&home.join("ca.pem"), sim.ca_pem())?;
    private_file(&home.join("key.pem"), credentials.private_pem())?;

    let (topology, idle) = automatic(Some(&args.topology), None).map_err(Failure::Wrong)?;
    let (clock, handle) = Clock::virtual_at(start);
    let progress = Arc::new(Progress::default());
    let peer = Arc::new(LockStep { progress: progress.clone(), clock: handle, preamble: OnceLock::new() });
    let stop = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&stop).map_err(|error| Failure::wrong("signals", error))?;
    let mut config = at_venue(args, &name, config, &scene, &home, &sim.local_addr().to_string())?;
    let length = length(args, &scene, speed);
    let pace = (!args.fast).then_some(speed);
    config.process.metrics = args.metrics.clone().or(config.process.metrics);
    let metrics = crate::exporter::open(config.process.metrics.as_deref())?;
    let venue = start_venue(sim, peer.clone(), length, pace, stop.clone());

    let usual = args.control.is_none().then(usual_place).flatten();
    let own = || usual.as_ref().map_or_else(|| home.join("control.sock"), |usual| usual.socket.clone());
    let control = args.control.clone().unwrap_or_else(own);
    let options = Options {
        config,
        clock: Some(clock),
        journal: journal.clone(),
        control: Some(control.clone()),
        topology,
        idle,
        kill: Arc::default(),
        speed,
        set_log_level: None,
        progress: progress.clone(),
    };
    let mut running = match launch(options) {
        Ok(running) => running,
        Err(error) => {
            stop.store(true, Ordering::Release);
            return Err(Failure::Wrong(error.to_string()));
        }
    };
    let _ = peer.preamble.set(running.preamble);
    let _metrics = crate::exporter::serve(metrics, &journal, &running, None)?;
    let started = Instant::now();
    let is_over = || venue.is_finished() || running.is_over() || stop.load(Ordering::Acquire);
    if args.json || args.headless || !std::io::stdout().is_terminal() {
        // With --json standard output belongs to the document.
        let mut out: Box<dyn Write> =
            if args.json { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
        let _ = writeln!(
            out,
            "from another terminal: smc ctl --socket {} status|why|limits|watch|kill",
            control.display()
        );
        view::plain(&journal, &running.status, &is_over, &mut out);
    } else {
        let mut here = view::Here { status: &running.status, view: running.view.clone() };
        let screen = view::Screen { journal: &journal, source: &mut here };
        let quit = view::screen(screen, &is_over).map_err(|error| Failure::wrong("terminal", error))?;
        if quit {
            stop.store(true, Ordering::Release);
        }
    }

    let market_end = TsNs(peer.clock.load(Ordering::Acquire));
    // The venue answers the last cancels in market time that stands still.
    let (sim, venue_end) = join(venue, &mut running, &peer, &stop);
    let status = running.status.clone();
    let ended = running.stop().map_err(Failure::No)?;
    // Not before: the engine would see its connections cut, which is no part of the run.
    drop(sim);
    let summary = Summary {
        status: status.status(),
        digest: ended.digest.to_string(),
        replay: verdict(&journal),
        journal_records: smc_journal::verify(&journal).map_or(0, |verdict| verdict.records),
        wall_seconds: started.elapsed().as_secs_f64(),
        market_seconds: market_end.since(start) as f64 / 1e9,
        topology,
        error: venue_end.err().map(|error| format!("{error}; {}", progress.describe())).or(ended.error),
    };
    report(args, &scene, &summary, &journal);
    match (&summary.error, summary.replay.as_str()) {
        (Some(error), _) => Err(Failure::No(error.clone())),
        (None, "identical") => Ok(()),
        (None, _) => Err(Failure::No("the replay differs from the run".into())),
    }
}

fn default_home() -> PathBuf {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    std::env::temp_dir().join(format!("smc-demo-{}-{nanos}", std::process::id()))
}

/// A recording of 305 s fits into the run; a generated market has no end.
fn speed(args: &Args, scene: &Scene) -> Result<f64, Failure> {
    const RECORDING_SECONDS: f64 = 300.0;
    let default = match args.data {
        Some(_) => (RECORDING_SECONDS / args.seconds.unwrap_or(SECONDS).max(1) as f64).max(1.0),
        None => scene.speed(),
    };
    let speed = args.speed.unwrap_or(default);
    if speed > 0.0 && speed <= 100_000.0 {
        Ok(speed)
    } else {
        Err(Failure::Wrong("--speed: must be above 0 and at most 100000".into()))
    }
}

/// Market time of the run.
fn length(args: &Args, scene: &Scene, speed: f64) -> Duration {
    match (args.seconds, scene.hours().filter(|_| args.data.is_none())) {
        (None, Some(hours)) => Duration::from_secs_f64(hours * 3_600.0),
        (seconds, _) => Duration::from_secs_f64(seconds.unwrap_or(SECONDS) as f64 * speed),
    }
}

/// The configuration's text and what to call it.
fn text(args: &Args) -> Result<(String, String), Failure> {
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::wrong(path.display(), error))?;
        return Ok((path.display().to_string(), text));
    }
    let wanted = args.preset.as_deref().unwrap_or("demo");
    let preset = presets::find(wanted).ok_or_else(|| {
        Failure::Wrong(format!("--preset {wanted}: there is no such preset\n{}", presets::list()))
    })?;
    Ok((format!("preset {wanted}"), preset.text.into()))
}

/// The configuration with the simulated venue and the account there filled in.
fn at_venue(
    args: &Args,
    name: &str,
    mut config: FileConfig,
    scene: &Scene,
    home: &std::path::Path,
    address: &str,
) -> Result<FileConfig, Failure> {
    if !args.timeframes.is_empty() {
        config.engine.timeframes.clone_from(&args.timeframes);
        config.engine().map_err(|error| Failure::wrong("--timeframes", error))?;
    } else if args.data.is_some() && args.preset.is_none() {
        config.engine.timeframes = vec!["1s".into(), "5s".into()];
    }
    config.engine().map_err(|error| Failure::wrong(name, error))?;
    config.venue = Some(VenueSection {
        name: None,
        kind: VenueKind::BinanceSpot,
        market: address.into(),
        orders: address.into(),
        rest: address.into(),
        ca_file: Some(home.join("ca.pem")),
        speed: 1.0,
        silence_max_ms: scene.silence_max_ms(),
        sbe: args.sbe.then(|| address.into()),
        native_pairs: false,
        plain: false,
    });
    // Neither a full nor a slow disk may change what a demonstration shows.
    config.process.unsynced_max_ms = Some(0);
    config.process.snapshot_records = Some(0);
    config.account = Some(AccountSection {
        api_key: API_KEY.into(),
        key_file: home.join("key.pem"),
        recv_window_ms: 5_000,
        dead_man_ms: 0,
    });
    Ok(config)
}

type Venue = JoinHandle<(Sim, Result<(), LockStepError>)>;

fn start_venue(
    mut sim: Sim,
    peer: Arc<LockStep>,
    length: Duration,
    pace: Option<f64>,
    stop: Arc<AtomicBool>,
) -> Venue {
    std::thread::spawn(move || {
        let result = sim.run_lock_step(&*peer, length, pace, &stop);
        (sim, result)
    })
}

/// Joins the venue, then lets it answer the cancels of the shutdown.
fn join(
    venue: Venue,
    running: &mut smc_runtime::launch::Running,
    peer: &LockStep,
    stop: &AtomicBool,
) -> (Option<Sim>, Result<(), String>) {
    let Ok((mut sim, mut result)) = venue.join() else { return (None, Err("the simulator panicked".into())) };
    if result.is_ok() && !running.is_over() && running.command(Command::Shutdown) {
        result = sim.settle(peer, stop);
    }
    (Some(sim), result.map_err(|error| error.to_string()))
}

fn verdict(journal: &std::path::Path) -> String {
    let records = match sound(journal) {
        Ok(records) => records,
        Err(Failure::No(text) | Failure::Wrong(text)) => return text,
    };
    match replay_dir(journal, None, records) {
        Ok(timed) => timed.replay.difference.map_or("identical".into(), |difference| difference.to_string()),
        Err(Failure::No(text) | Failure::Wrong(text)) => text,
    }
}

fn report(args: &Args, scene: &Scene, summary: &Summary, journal: &std::path::Path) {
    let status = &summary.status;
    let wire = status.latency_ns.get("wire_to_wire").copied().unwrap_or_default();
    if args.json {
        let document = json!({
            "events_in": status.events_in, "orders_out": status.orders_sent, "cancels_out": status.cancels_sent,
            "orders_denied": status.orders_denied, "fills": status.fills, "signals": status.signals,
            "structures": status.structures, "realised_pnl": status.realised_pnl, "equity": status.equity,
            "positions": status.positions, "latency_ns": wire, "latencies_ns": status.latency_ns,
            "journal_records": summary.journal_records, "journal": journal, "replay": summary.replay,
            "digest": summary.digest, "seed": scene.seed(), "topology": format!("{:?}", summary.topology).to_lowercase(),
            "market_seconds": summary.market_seconds, "wall_seconds": summary.wall_seconds,
            "state": status.state, "error": summary.error,
        });
        println!("{document}");
        return;
    }
    let micros = |nanos: u64| nanos as f64 / 1_000.0;
    println!();
    println!(
        "{:.0} s of market in {:.1} s: {} events, {} structures, {} signals",
        summary.market_seconds, summary.wall_seconds, status.events_in, status.structures, status.signals
    );
    println!(
        "{} orders, {} cancels, {} fills; realised {}, equity {}",
        status.orders_sent, status.cancels_sent, status.fills, status.realised_pnl, status.equity
    );
    println!(
        "in process, read of the tick to sealed order: p50 {:.1} us, p99 {:.1} us, max {:.1} us ({} orders)",
        micros(wire.p50),
        micros(wire.p99),
        micros(wire.max),
        wire.count
    );
    println!(
        "journal {} records, replay {}, digest {}",
        summary.journal_records, summary.replay, summary.digest
    );
    println!(
        "\nlook again: smc replay --verify {0}\n            smc journal dump {0} | less",
        journal.display()
    );
}
