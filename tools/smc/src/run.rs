//! `smc run`: the engine against a venue that is already there.

use crate::alerts::Inside;
use crate::failure::{Failure, Outcome};
use crate::service::Service;
use crate::sim::private_dir;
use clap::Parser;
use smc_alerts::{Names, Opened};
use smc_core::TsNs;
use smc_exporter::{Exporter, Port};
use smc_observe::Over;
use smc_runtime::clock::Clock;
use smc_runtime::config::{AlertsSection, FileConfig, VenueSection};
use smc_runtime::counters::{CountersView, Slot};
use smc_runtime::idle::keep_off;
use smc_runtime::launch::{Options, Running, Topology, automatic, launch};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two words about a start that takes long; a service manager is asked for more time with each.
const MOST_BETWEEN_WORDS: Duration = Duration::from_secs(40);

/// Run the engine against a venue.
///
/// Orders are real for the venue that the configuration names; without --live only a venue on this machine (the
/// simulator) is accepted. SIGUSR1 is the kill switch; SIGINT and SIGTERM end in order; SIGHUP opens the log file anew.
/// Under systemd it says when orders can be sent and that it makes progress (Type=notify, WatchdogSec).
#[derive(Parser)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Allow a venue that is not on this machine: real orders, real money
    #[arg(long)]
    live: bool,
    /// Directory of the journal, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Path of the control socket, instead of the configuration's
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Serve metrics over HTTP here: a port of this machine, or IP:PORT; instead of the configuration's
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// Stop after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// One JSON document at the end
    #[arg(long)]
    json: bool,
}

/// Runs until interrupted. Why it ended goes into the log, where that is more than lines for people on standard error.
pub fn run(args: &Args) -> Outcome {
    let outcome = run_logged(args);
    match outcome {
        Err(failure) => Err(crate::log::told(failure)),
        Ok(()) => Ok(()),
    }
}

fn run_logged(args: &Args) -> Outcome {
    let named = |error: &dyn std::fmt::Display| Failure::wrong(args.config.display(), error);
    let text = std::fs::read_to_string(&args.config).map_err(|error| named(&error))?;
    let mut config = FileConfig::parse(&text).map_err(|error| named(&error))?;
    if !is_local(&config) && !args.live {
        return Err(named(&"a venue is not on this machine: pass --live to trade real money"));
    }
    let Start { speed, is_local } = startable(&config).map_err(|error| named(&error))?;
    if config.engine.order_sequence_first == 1 {
        config.engine.order_sequence_first = sequence_now();
    }
    let (topology, idle) = automatic(config.process.topology.as_deref(), config.process.idle.as_deref())
        .map_err(|error| named(&error))?;
    let journal = args.journal.clone().or_else(|| config.process.journal.clone());
    let journal = journal
        .ok_or_else(|| named(&"process.journal: no directory for the journal; or pass --journal DIR"))?;
    private_dir(&journal)?;
    if let Some(first) = config.process.first_core {
        // The log's thread too: `launch` keeps off only what starts later.
        keep_off(first, if topology == Topology::Inline { 1 } else { 3 });
    }
    let log = crate::log::start(&config.process)?;
    let (file_alerts, names) = (config.alerts.clone(), crate::alerts::names(&config));
    let control = args.control.clone().or_else(|| config.process.control.clone());
    let control = control.unwrap_or_else(crate::ctl::default_socket);
    config.process.metrics = args.metrics.clone().or(config.process.metrics);
    let metrics = crate::exporter::open(config.process.metrics.as_deref())?;
    let alerts = crate::alerts::open(&file_alerts)?;
    let kill = Arc::new(AtomicBool::new(false));
    let options = Options {
        config,
        // A venue on this machine is simulated and lives in its own time.
        clock: (!is_local).then_some(Clock::System),
        journal: journal.clone(),
        control: Some(control.clone()),
        topology,
        idle,
        kill: kill.clone(),
        speed,
        set_log_level: Some(crate::log::set_level),
        progress: Arc::default(),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let signals = crate::signals::stop_on_signal(&stop).and_then(|()| crate::signals::kill_on_signal(&kill));
    let hang_up = signals.and_then(|()| crate::signals::hang_up(&stop));
    let hang_up = hang_up.map_err(|error| Failure::wrong("signals", error))?;
    let mut service = Service::from_env(Instant::now());
    service.starting("starting: the venues' rules, the journal's past");
    let running = launch(options).map_err(|error| named(&error))?;
    let beside = Beside::start(alerts, &names, metrics, &journal, &running);
    // Never without its end: what works at the venue would be left there.
    let Beside { mut alerts, exporter: _exporter } = match beside {
        Ok(beside) => beside,
        Err(failure) => {
            let _ = running.end();
            return Err(failure);
        }
    };
    if let Some(found) = &running.recovery {
        let (records, dropped_bytes) = (found.records, found.dropped_bytes);
        tracing::info!(records, dropped_bytes, "continuing a journal");
    }
    let place = Place { journal: &journal, control: &control };
    wait(&running, &stop, args.seconds, &place, &mut service, || {
        if hang_up.swap(false, Ordering::AcqRel) {
            log.reopen();
        }
        if let (Some(alerts), Some(over)) = (&mut alerts, observer_over(&running)) {
            alerts.observer_ended(over);
        }
    });
    if let Some(alerts) = &alerts
        && running.is_over()
    {
        alerts.engine_ended();
    }
    service.stopping();
    // One that has ended by itself has a reason, which follows.
    if !running.is_over() {
        tracing::info!("stopping: no new entries, working ones are cancelled, then the journal is closed");
    }
    let status = running.status.clone();
    let ended = running.end();
    if let Some(alerts) = alerts {
        alerts
            .end(ended.as_ref().map_or_else(|reason| Some(reason.as_str()), |ended| ended.error.as_deref()));
    }
    let ended = ended.map_err(Failure::No)?;
    if args.json {
        let status =
            serde_json::to_string(&status.status()).map_err(|error| Failure::wrong("status", error))?;
        println!("{status}");
    } else if ended.error.is_none() {
        println!("stopped; digest {}; verify with `smc replay --verify {}`", ended.digest, journal.display());
    }
    match ended.error {
        None => Ok(()),
        Some(error) => Err(named(&error)),
    }
}

/// What an engine is started with.
pub struct Start {
    /// Market seconds per second.
    pub speed: f64,
    /// As [`is_local`] says.
    pub is_local: bool,
}

/// All venues are on this machine: simulated, in a time of their own.
pub fn is_local(config: &FileConfig) -> bool {
    let is_here = |venue: &VenueSection| {
        [&venue.market, &venue.orders, &venue.rest].iter().all(|address| is_loopback(address))
    };
    config.all_venues().all(is_here)
}

/// Whether an engine of this configuration can be started at all, as far as the configuration alone tells.
pub fn startable(config: &FileConfig) -> Result<Start, &'static str> {
    let speed = config.all_venues().next().ok_or("section [venue] is missing")?.speed;
    let is_local = is_local(config);
    if !(speed > 0.0 && speed <= 100_000.0) {
        return Err("venue.speed: must be above 0 and at most 100000");
    }
    if config.all_venues().any(|venue| venue.speed != speed) {
        return Err("venue.speed: one engine has one clock, so all venues need the same");
    }
    if speed != 1.0 && !is_local {
        return Err("venue.speed: only a simulated venue can run faster than life");
    }
    Ok(Start { speed, is_local })
}

/// Why nobody observes an engine that goes on; none where somebody does, where nobody was to, and where it has ended.
fn observer_over(running: &Running) -> Option<&Over> {
    let view = running.view.as_ref()?;
    let over = view.over()?;
    (!running.is_over() && !view.picture().journal.is_closed).then_some(over)
}

/// What runs in the engine's process and serves others.
struct Beside {
    alerts: Option<Inside>,
    exporter: Option<Exporter>,
}

impl Beside {
    fn start(
        alerts: Option<(AlertsSection, Opened)>,
        names: &Names,
        metrics: Option<Port>,
        journal: &Path,
        running: &Running,
    ) -> Result<Self, Failure> {
        let alerts = crate::alerts::beside_engine(alerts, names, journal)?;
        let handle = alerts.as_ref().map(Inside::handle);
        let exporter = crate::exporter::serve(metrics, journal, running, handle)?;
        Ok(Self { alerts, exporter })
    }
}

/// What a start is told with.
struct Place<'a> {
    journal: &'a Path,
    control: &'a Path,
}

/// Waits for the end; says once that orders can be sent, and now and then that they still cannot.
fn wait(
    running: &Running,
    stop: &AtomicBool,
    seconds: Option<u64>,
    place: &Place<'_>,
    service: &mut Service,
    mut look: impl FnMut(),
) {
    let started = Instant::now();
    let is_due = || seconds.is_some_and(|seconds| started.elapsed() >= Duration::from_secs(seconds));
    let counters = &running.status.counters;
    let (journal, control_socket) = (place.journal.display(), place.control.display());
    let (mut is_greeted, mut next_word) = (false, Duration::from_secs(10));
    while !stop.load(Ordering::Acquire) && !running.is_over() && !is_due() {
        std::thread::sleep(Duration::from_millis(20));
        look();
        service.turn(Instant::now(), counters.get(Slot::EventsIn), || status_line(counters));
        if is_greeted {
            continue;
        }
        is_greeted = counters.get(Slot::GatewayReady) == 1;
        if is_greeted {
            tracing::info!(%journal, %control_socket, "ready");
            service.ready();
        } else if started.elapsed() >= next_word {
            let after_s = next_word.as_secs();
            tracing::warn!(after_s, %journal, %control_socket, "still connecting to the order path");
            service.starting(&format!("still connecting to the order path after {after_s} s"));
            next_word = (next_word * 2).min(MOST_BETWEEN_WORDS);
        }
    }
}

/// What a service manager shows of a running engine.
fn status_line(counters: &CountersView) -> String {
    const STATES: [&str; 5] = ["NORMAL", "WARN", "REDUCE_ONLY", "CANCEL_ONLY", "HALT"];
    let state = usize::try_from(counters.get(Slot::State)).ok().and_then(|state| STATES.get(state));
    let path = if counters.get(Slot::GatewayReady) == 1 { "ready" } else { "not connected" };
    format!(
        "{}, order path {path}, {} open orders, {} fills",
        state.unwrap_or(&"?"),
        counters.get(Slot::OpenOrders),
        counters.get(Slot::Fills)
    )
}

/// Unique over restarts: milliseconds since November 2023, far below the forty bits an id has.
fn sequence_now() -> u64 {
    const EPOCH_S: u64 = 1_700_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TsNs(now.as_nanos() as u64).as_ms().saturating_sub(EPOCH_S * 1_000).max(1)
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Reads the journal's own configuration; used by every command that builds an engine from a journal.
pub fn config_of(journal: &Path, text: &[u8]) -> Result<FileConfig, Failure> {
    let text = std::str::from_utf8(text).map_err(|error| Failure::wrong(journal.display(), error))?;
    FileConfig::parse(text).map_err(|error| Failure::wrong(journal.display(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No venue is asked and no journal begun: an engine that runs would have to be ended again, with orders under way.
    #[test]
    fn a_secret_that_cannot_be_read_is_found_before_anything_is_started() {
        let dir = tempfile::tempdir().unwrap();
        let (config, journal) = (dir.path().join("smc.toml"), dir.path().join("journal"));
        let preset = crate::presets::find("demo").unwrap().text;
        let here = "127.0.0.1:1";
        let text = format!(
            "{preset}\n[venue]\nkind = \"binance-spot\"\nmarket = \"{here}\"\norders = \"{here}\"\nrest = \"{here}\"\n\
             [[alerts.channel]]\nkind = \"webhook\"\nurl = \"http://{here}/\"\nsecret_file = \"{}/none\"\n",
            dir.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let words = ["run", "--config", config.to_str().unwrap(), "--journal", journal.to_str().unwrap()];
        let failure = run_logged(&Args::parse_from(words)).unwrap_err();
        let told = match failure {
            Failure::Wrong(text) | Failure::No(text) => text,
        };
        assert!(told.contains("alerts.channel"), "{told}");
        assert!(!journal.join(smc_runtime::counters::FILE_NAME).exists());
    }
}
