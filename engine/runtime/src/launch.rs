//! From a configuration to a running engine: rules fetched, journal opened, threads started.
//!
//! The order matters: nothing is written before the configuration is checked and the venue has answered with the
//! rules of every instrument; nothing is sent before the configuration and the rules are in the journal.

pub mod check;
pub(crate) mod links;
mod questions;

use crate::account_lock::{AccountError, AccountLock};
use crate::clock::{Clock, mono_ns};
use crate::config::{FileConfig, FileError, VenueKind};
use crate::control::desk::{Desk, Factor};
use crate::control::people::People;
use crate::control::{ControlError, ControlPort, Operators, Services, StatusSource, act_event};
use crate::counters::{Counters, CountersView, FILE_NAME, Slot};
use crate::engine_thread::{EngineThread, Outbound};
use crate::idle::{Idle, cores, keep_off};
use crate::journal_watch::JournalWatch;
use crate::latency::Latencies;
use crate::progress::Progress;
use crate::resume::{self, Opened, ResumeError};
use crate::topology::{self, Commands, RunError, Shared};
use crate::triggers::Triggers;
use crate::venue::{Unlinked, not_sent};
use crate::warm_up::Candle;
use links::Links;
use smc_core::codec::Buffer;
use smc_core::config::ConfigError;
use smc_core::digest::Digest;
use smc_core::engine::Engine;
use smc_core::event::{Command, Event, EventBody, FeedState, GatewayState, REJECT_NOT_SENT};
use smc_core::instrument::InstrumentSpec;
use smc_core::state::StateError;
use smc_core::strategy::Confluence;
use smc_core::words::InstrumentId;
use smc_journal::{Header, JournalSettings, Recovery, SyncPolicy};
use smc_observe::{Names, Observer, View};
use smc_replay::{Shadow, Under};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long working entries may take to be cancelled at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// Records between two snapshots unless the configuration says otherwise.
const SNAPSHOT_RECORDS: u64 = 1_000_000;
/// How long the observer sleeps when nothing came.
const OBSERVER_IDLE: Duration = Duration::from_millis(5);
/// How often the observer's thread takes what the probes left.
const COLLECT_EVERY: Duration = Duration::from_millis(50);

/// Which way the threads are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// One thread.
    Inline,
    /// One thread each for feed, engine and gateway.
    Pipelined,
}

/// Everything a launch needs besides the configuration file.
pub struct Options {
    /// The configuration.
    pub config: FileConfig,
    /// Where "now" comes from; none asks the venue for its time (a simulated one lives in a time of its own).
    pub clock: Option<Clock>,
    /// Directory of the journal. One that holds a journal of the same configuration is continued.
    pub journal: PathBuf,
    /// Path of the control socket; none for no control port.
    pub control: Option<PathBuf>,
    /// Which way the threads are joined.
    pub topology: Topology,
    /// What idle threads do.
    pub idle: Idle,
    /// Set by a signal: kill.
    pub kill: Arc<AtomicBool>,
    /// How far the threads are; shared with a simulator in lock step.
    pub progress: Arc<Progress>,
    /// Market seconds per second, for people who look.
    pub speed: f64,
    /// Sets the level of the log, 1 (error) to 5 (trace), where the process has one.
    pub set_log_level: Option<fn(u8)>,
}

/// Why an engine did not start. Each names what to mend.
#[derive(Debug)]
pub enum LaunchError {
    /// The configuration.
    Config(FileError),
    /// A section the engine cannot run without.
    Section(&'static str),
    /// The core refuses its configuration.
    Core(ConfigError),
    /// A file that cannot be read.
    File(PathBuf, std::io::Error),
    /// An address that is no `host:port`.
    Address(&'static str, String),
    /// The certificate authority's file.
    Tls(PathBuf, String),
    /// The venue's rules could not be fetched.
    Rules(String),
    /// The venue does not know a symbol, or its rules do not fit.
    Symbol(String, String),
    /// A name that no venue has.
    Venue(String),
    /// `dead_man_ms` where the venue has no such switch.
    NoDeadMan(VenueKind),
    /// The API key.
    Key(PathBuf, String),
    /// Another engine trades on the account.
    Account(AccountError),
    /// More open orders in the journal than the gateway can ask about.
    Orders,
    /// The feed.
    Feed(String),
    /// The journal.
    Journal(PathBuf, ResumeError),
    /// The control socket.
    Control(ControlError),
    /// A state that was just saved does not load.
    State(StateError),
    /// The secret of the second factor.
    Factor(PathBuf, String),
    /// Who may do what at the control socket.
    People(String),
    /// A thread could not be started.
    Thread(std::io::Error),
}

impl std::fmt::Display for LaunchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Section(name) => write!(f, "section [{name}] is missing"),
            Self::Core(error) => write!(f, "{error}"),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Address(key, text) => write!(f, "venue.{key}: `{text}` is no host:port"),
            Self::Tls(path, reason) | Self::Key(path, reason) | Self::Factor(path, reason) => {
                write!(f, "{}: {reason}", path.display())
            }
            Self::Rules(reason) => write!(f, "the venue's rules could not be fetched: {reason}"),
            Self::Symbol(symbol, reason) => write!(f, "symbol {symbol}: {reason}"),
            Self::Venue(name) => {
                write!(f, "there is no venue `{name}`: a [venue] or [[venues]] section names it")
            }
            Self::NoDeadMan(kind) => write!(
                f,
                "account.dead_man_ms: {kind} cannot cancel by itself when it no longer hears us; run `smc watchdog` instead"
            ),
            Self::Account(error) => write!(f, "{error}"),
            Self::Orders => f.write_str("more open orders in the journal than the gateway can ask about"),
            Self::Feed(reason) => write!(f, "market data: {reason}"),
            Self::Journal(dir, error) => write!(f, "journal {}: {error}", dir.display()),
            Self::Control(error) => write!(f, "{error}"),
            Self::People(error) => f.write_str(error),
            Self::State(error) => write!(f, "a second engine for snapshots: {error}"),
            Self::Thread(error) => write!(f, "a thread could not be started: {error}"),
        }
    }
}

impl std::error::Error for LaunchError {}

/// What is left of an engine when it has ended.
#[derive(Debug)]
pub struct Ended {
    /// Digest of everything it said.
    pub digest: Digest,
    /// Why it ended, when it was not asked to.
    pub error: Option<String>,
}

/// A running engine. Dropping it without [`Running::end`] leaves the threads to the process's end.
pub struct Running {
    /// How far the threads are.
    pub progress: Arc<Progress>,
    /// Numbers for people.
    pub status: StatusSource,
    /// What was found, when an old journal goes on.
    pub recovery: Option<Recovery>,
    /// Bytes read from and written to the connection that fetched the rules.
    pub preamble: (u64, u64),
    /// The engine seen from outside; none where nobody asks (neither control nor metrics port, no snapshots).
    pub view: Option<View>,
    stop: Arc<AtomicBool>,
    commands: rtrb::Producer<Event>,
    engine: JoinHandle<Result<Ended, String>>,
    control: Option<JoinHandle<std::io::Result<()>>>,
    triggers: JoinHandle<()>,
    observer: Option<JoinHandle<()>>,
    /// Kept open: a simulator in lock step counts its bytes.
    _links: Links,
    _accounts: Vec<AccountLock>,
}

/// Starts an engine, on a new journal or on the one a former process left. With `process.first_core` the calling thread, and
/// whatever it starts from then on, keeps off the cores of the threads that spin.
pub fn launch(mut options: Options) -> Result<Running, LaunchError> {
    if let Some(first) = options.config.process.first_core {
        let spinning = if options.topology == Topology::Inline { 1 } else { 3 };
        keep_off(first, spinning);
    }
    let journal_settings = journal_settings(&options);
    let no_journal = |error| LaunchError::Journal(journal_settings.dir.clone(), error);
    let former = resume::agree(&journal_settings, &mut options.config).map_err(no_journal)?;
    let options = options;
    let config = options.config.engine().map_err(LaunchError::Config)?;
    let mut links = Links::open(&options.config, &config)?;
    if matches!(options.clock, Some(Clock::Virtual(_))) {
        links.wait_longer();
    }
    let specs = links.instruments(&config)?;
    let clock = match options.clock.clone() {
        Some(clock) => clock,
        None => links.clock()?,
    };
    let candles = links.candles(&config, options.config.engine.warm_up_bars, clock.now())?;
    let mut feeds = links.feeds(&options.config, &config)?;
    let mut gateways = links.gateways(&config, &specs)?;
    let make = || Engine::new(config.clone(), Confluence::for_config(&config));
    let text = options.config.deciding_text();
    let account_locks = links.lock_accounts(&options.journal)?;
    let header = header(&text, &specs, links.account_name(), links.environment());
    let under = Under { text: &text, build: header.build };
    let (opened, mut core) = match former {
        None => {
            let core = make().map_err(LaunchError::Core)?;
            let opened = resume::create(&journal_settings, &header, &text, clock.now());
            (opened.map_err(no_journal)?, core)
        }
        Some(_) => resume::resume(&journal_settings, &header, &under, make).map_err(no_journal)?,
    };
    let Opened { journal, recovery } = opened;
    let snapshot_records = options.config.process.snapshot_records.unwrap_or(SNAPSHOT_RECORDS);
    let is_asked = options.control.is_some() || options.config.process.metrics.is_some();
    let observer = if is_asked || snapshot_records > 0 {
        let mut copy = make().map_err(LaunchError::Core)?;
        copy_state(&mut core, &mut copy).map_err(LaunchError::State)?;
        let next = journal.next_seq();
        let shadow = Shadow::new(&options.journal, next, copy, &under, snapshot_records);
        let shadow = shadow.map_err(|error| no_journal(ResumeError::Journal(error)))?;
        Some(Observer::new(shadow, &options.config, next))
    } else {
        None
    };
    if !gateways.hand_over(&core, clock.now()) {
        return Err(LaunchError::Feed(
            "more open orders in the journal than the gateway can ask about".into(),
        ));
    }
    let fail = |error| LaunchError::File(options.journal.join(FILE_NAME), error);
    let counters = patiently(|| Counters::create(&options.journal.join(FILE_NAME))).map_err(fail)?;
    let counted = Arc::new(CountersView::open(&options.journal.join(FILE_NAME)).map_err(fail)?);

    let latencies = Latencies::new();
    let latency_file = options.journal.join(crate::latency::FILE_NAME);
    let mapped = patiently(|| latencies.map_to(&latency_file));
    mapped.map_err(|error| LaunchError::File(latency_file.clone(), error))?;
    let symbols = Names::of(&options.config).symbols;
    let status = StatusSource {
        counters: counted,
        latencies: latencies.clone(),
        symbols,
        journal: options.journal.clone(),
        speed: options.speed,
        topology: match options.topology {
            Topology::Inline => "inline",
            Topology::Pipelined => "pipelined",
        },
    };
    let (commands, mut command_ring) = rtrb::RingBuffer::new(64);
    let (operator, mut operator_ring) = rtrb::RingBuffer::<Event>::new(64);
    let operators = Operators::new(operator);
    let stop = Arc::new(AtomicBool::new(false));
    let progress = options.progress.clone();
    let counters_seen = status.counters.clone();
    let unsynced = move || Some(counters_seen.get(Slot::JournalUnsyncedNs)).filter(|&ns| ns < u64::MAX);
    let observer = observer.map(|observer| observer.with_unsynced(unsynced));
    let view = observer.as_ref().map(Observer::view);
    let control = match &options.control {
        None => None,
        Some(path) => {
            let desk = desk(&options, &status.symbols)?;
            let people = People::read(&options.config.control).map_err(LaunchError::People)?;
            let (source, operators) = (status.clone(), operators.clone());
            let services = Services {
                source,
                desk,
                people,
                operators,
                view: view.clone(),
                set_log_level: options.set_log_level,
            };
            let port = ControlPort::open(path, services).map_err(LaunchError::Control)?;
            let stop = stop.clone();
            let thread = std::thread::Builder::new().name("control".into());
            Some(thread.spawn(move || port.serve(&stop)).map_err(LaunchError::Thread)?)
        }
    };

    let triggers = Triggers { flag: options.config.process.kill_flag.clone() };
    let triggers = {
        let (stop, view) = (stop.clone(), status.counters.clone());
        let thread = std::thread::Builder::new().name("triggers".into());
        let state = move || view.get(Slot::State);
        thread.spawn(move || triggers.watch(&operators, &state, &stop)).map_err(LaunchError::Thread)?
    };

    let shared = Shared {
        clock,
        progress: progress.clone(),
        stop: stop.clone(),
        idle: options.idle,
        unlinked: Unlinked::default(),
        first_core: options.config.process.first_core,
    };
    feeds.follow(&shared.unlinked);
    gateways.follow(&shared.unlinked);
    let kill = options.kill.clone();
    let mut probe = latencies.probe();
    let mut engine = EngineThread::new(core, journal, counters, latencies.probe(), config.timer_interval_ns)
        .watched_by(JournalWatch::new(unsynced_ns_max(&options)));
    let topology = options.topology;
    let is_resumed = recovery.is_some();
    let thread = std::thread::Builder::new().name("engine".into());
    let body = move || {
        let begun = begin(&mut engine, &shared.clock, &specs, &candles, is_resumed);
        let result = begun.and_then(|()| {
            let said =
                Commands { process: &mut command_ring, people: &mut operator_ring, kill: &kill, taken: 0 };
            match topology {
                Topology::Inline => {
                    topology::inline(&shared, &mut feeds, &mut engine, &mut gateways, said, &mut probe)
                }
                Topology::Pipelined => {
                    topology::pipelined(&shared, &mut feeds, &mut engine, &mut gateways, said, &mut probe)
                }
            }
        });
        shared.progress.is_over.store(true, Ordering::Release);
        shared.stop.store(true, Ordering::Release);
        let error = result.err().map(|error| error.to_string());
        match (engine.close(), error) {
            (Ok(core), error) => Ok(Ended { digest: core.digest(), error }),
            (Err(_), Some(error)) => Err(error),
            (Err(close), None) => Err(close.to_string()),
        }
    };
    let engine = thread.spawn(body).map_err(LaunchError::Thread)?;
    let observer = match observer {
        None => None,
        Some(observer) => {
            let (stop, latencies) = (stop.clone(), latencies.clone());
            let thread = std::thread::Builder::new().name("observer".into());
            let body = move || follow(observer, &latencies, &stop);
            Some(thread.spawn(body).map_err(LaunchError::Thread)?)
        }
    };
    let preamble = links.bytes();
    Ok(Running {
        progress,
        status,
        recovery,
        preamble,
        stop,
        commands,
        engine,
        control,
        triggers,
        observer,
        view,
        _links: links,
        _accounts: account_locks,
    })
}

/// The first inputs: after a restart, that every connection is gone; then the rules and the past, so that a replay
/// needs no venue.
fn begin(
    engine: &mut EngineThread<Confluence>,
    clock: &Clock,
    specs: &[InstrumentSpec],
    candles: &[Candle],
    is_resumed: bool,
) -> Result<(), RunError> {
    let now = clock.now();
    let mut take = |instrument, ts_event, body| {
        let event = Event { seq: 0, ts_event, ts_recv: now, instrument, body };
        // The gateway is not connected yet: whatever a rebuilt core asks for is refused, and it knows.
        let mut refused = Vec::new();
        let mut refuse = |out: Outbound| refused.extend(not_sent(now, &out.output, REJECT_NOT_SENT));
        engine.take(event, mono_ns(), &mut refuse).map_err(RunError::Journal)?;
        for event in refused {
            engine.take(event, mono_ns(), &mut |_| {}).map_err(RunError::Journal)?;
        }
        Ok(())
    };
    if is_resumed {
        take(InstrumentId::NONE, now, EventBody::Operator(Command::Start.into()))?;
        take(InstrumentId::NONE, now, EventBody::Gateway(GatewayState::Down))?;
        take(InstrumentId::NONE, now, EventBody::Feed(FeedState::Down))?;
    }
    for (index, spec) in specs.iter().enumerate() {
        take(InstrumentId(index as u16), now, EventBody::Instrument(*spec))?;
    }
    for candle in candles {
        take(candle.instrument, candle.closed_at(), EventBody::Bar(candle.timeframe, candle.bar))?;
    }
    Ok(())
}

impl Running {
    /// Queues an operator's act; false when the ring is full.
    pub fn command(&mut self, command: Command) -> bool {
        self.progress.commands.fetch_add(1, Ordering::AcqRel);
        let is_queued = self.commands.push(act_event(command.into())).is_ok();
        if !is_queued {
            self.progress.commands.fetch_sub(1, Ordering::AcqRel);
        }
        is_queued
    }

    /// True when the engine has ended by itself.
    pub fn is_over(&self) -> bool {
        self.engine.is_finished()
    }

    /// Cancels working entries, waits a little for the venue's word, closes the journal, joins the threads.
    pub fn end(mut self) -> Result<Ended, String> {
        if !self.is_over() && self.command(Command::Shutdown) {
            let started = Instant::now();
            let is_open = |status: &StatusSource| status.counters.get(Slot::OpenOrders) > 0;
            std::thread::sleep(Duration::from_millis(20));
            while is_open(&self.status) && started.elapsed() < SHUTDOWN_TIMEOUT && !self.is_over() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.stop()
    }

    /// Stops the threads where they are and closes the journal.
    pub fn stop(self) -> Result<Ended, String> {
        self.stop.store(true, Ordering::Release);
        let ended = self.engine.join().map_err(|_| "the engine thread panicked".to_string())?;
        if let Some(control) = self.control {
            let _ = control.join();
        }
        let _ = self.triggers.join();
        if let Some(observer) = self.observer {
            let _ = observer.join();
        }
        ended
    }
}

/// Runs the observer until the journal is closed, or until well after the engine was told to stop; and keeps the rings of the
/// probes empty, whether somebody asks for latencies or not.
fn follow(observer: Observer<Confluence>, latencies: &Latencies, stop: &AtomicBool) {
    let mut observer = Some(observer);
    let (mut stopped_at, mut collect_at): (Option<Instant>, _) = (None, Instant::now());
    while stopped_at.is_none_or(|at| at.elapsed() < SHUTDOWN_TIMEOUT) {
        let now = Instant::now();
        if now >= collect_at {
            collect_at = now + COLLECT_EVERY;
            latencies.collect();
        }
        let taken = match &mut observer {
            Some(observer) if observer.is_closed() => break,
            Some(observer) => observer.turn(),
            None => Ok(0),
        };
        match taken {
            Ok(0) => std::thread::sleep(OBSERVER_IDLE),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "snapshots, picture and metrics of the engine's state end here");
                observer = None;
            }
        }
        if stop.load(Ordering::Acquire) {
            if observer.is_none() {
                break;
            }
            stopped_at.get_or_insert_with(Instant::now);
        }
    }
    latencies.collect();
}

/// What the control port needs to make acts of requests.
fn desk(options: &Options, symbols: &[String]) -> Result<Desk, LaunchError> {
    let process = &options.config.process;
    // Beside the journal: whoever goes on with it knows which codes were used.
    let note = options.journal.join("operator.codes");
    let factor = process.totp_file.as_ref().map(|path| {
        Factor::read(path, Some(note)).map_err(|reason| LaunchError::Factor(path.clone(), reason))
    });
    Ok(Desk {
        symbols: symbols.to_vec(),
        factor: factor.transpose()?,
        kill_flag: process.kill_flag.clone(),
        set: BTreeMap::new(),
    })
}

fn copy_state(from: &mut Engine<Confluence>, to: &mut Engine<Confluence>) -> Result<(), StateError> {
    let mut state = Vec::new();
    from.save(&mut state);
    to.load(&state)
}

fn journal_settings(options: &Options) -> JournalSettings {
    let process = &options.config.process;
    let mut settings = JournalSettings::new(&options.journal);
    settings.mirror.clone_from(&process.mirror);
    if let Some(mib) = process.segment_mib {
        settings.segment_bytes = mib.saturating_mul(1 << 20);
    }
    if let Some(ms) = process.sync_ms {
        settings.sync = if ms == 0 { SyncPolicy::Off } else { SyncPolicy::Every(Duration::from_millis(ms)) };
    }
    settings
}

/// None where nobody syncs, or nobody wants it watched.
fn unsynced_ns_max(options: &Options) -> Option<u64> {
    let process = &options.config.process;
    let ms = process.unsynced_max_ms.unwrap_or(1_000);
    (ms > 0 && process.sync_ms != Some(0)).then(|| ms.saturating_mul(1_000_000))
}

/// Who writes: build, configuration, instruments, for whom.
fn header(config_text: &str, specs: &[InstrumentSpec], account: String, environment: &str) -> Header {
    let mut instruments = Digest::default();
    for spec in specs {
        instruments.fold(Buffer::default().encode(spec));
    }
    let mut config = Digest::default();
    config.fold(config_text.as_bytes());
    let wide = |digest: Digest| {
        let mut out = [0; 32];
        out[..16].copy_from_slice(&digest.to_bytes());
        out
    };
    Header {
        build: smc_core::build_hash(),
        config_hash: wide(config),
        instruments_hash: wide(instruments),
        account,
        environment: environment.into(),
    }
}

/// What `auto` means on this machine.
pub fn automatic(topology: Option<&str>, idle: Option<&str>) -> Result<(Topology, Idle), String> {
    let is_roomy = cores() >= 4;
    let topology = match topology.unwrap_or("auto") {
        "auto" if is_roomy => Topology::Pipelined,
        "auto" | "inline" => Topology::Inline,
        "pipelined" => Topology::Pipelined,
        other => return Err(format!("topology `{other}`: expected auto, inline or pipelined")),
    };
    let idle = match idle.unwrap_or("auto") {
        "auto" if is_roomy => Idle::Spin,
        "auto" => Idle::Yield,
        other => other.parse()?,
    };
    Ok((topology, idle))
}

/// Creates a mapped file. The journal's helper may at this moment be trying to get a whole segment from a nearly full disk,
/// which takes the rest of it until the attempt has failed: a full disk is believed when it stays full.
fn patiently<T>(create: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
    for _ in 0..20 {
        match create() {
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                std::thread::sleep(Duration::from_millis(50));
            }
            done => return done,
        }
    }
    create()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProcessSection;

    /// The map of the host holds a `[process]` section that stands in the engine's configuration as it is.
    #[test]
    fn the_hosts_map_speaks_the_engines_words() {
        let expected = [(Topology::Inline, 3), (Topology::Pipelined, 5)];
        let maps =
            [include_str!("../../../tuning/host.toml"), include_str!("../../../tuning/tests/host.toml")];
        for (text, (topology, first_core)) in maps.into_iter().zip(expected) {
            let map: toml::Table = text.parse().unwrap();
            let process: ProcessSection = map["process"].clone().try_into().unwrap();
            let words = automatic(process.topology.as_deref(), process.idle.as_deref());
            assert_eq!(words, Ok((topology, Idle::Spin)));
            assert_eq!(process.first_core, Some(first_core));
        }
    }
}
