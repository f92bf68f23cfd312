//! The thread that follows, decides and hands on.

use crate::channel::{Channel, ChannelState, transport};
use crate::desk::{Condition, Desk};
use crate::follow::{Follower, Watched, own};
use crate::notice::{Notice, Phase, Severity};
use smc_settings::file::{AlertsSection, ChannelSection};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the pages are, unless the configuration says.
const RUNBOOKS: &str = "tools/monitoring/runbooks/";

/// Why nobody would be told.
#[derive(Debug)]
pub enum StartError {
    /// A channel, and what is wrong with it.
    Channel(String, String),
    /// There is none.
    NoChannel,
    /// A thread could not be started.
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name, reason) => write!(f, "alerts.channel {name}: {reason}"),
            Self::NoChannel => f.write_str("alerts: no [[alerts.channel]]"),
            Self::Thread(error) => write!(f, "a thread could not be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Alerts at work. Ends when it is told to.
pub struct Alerts {
    handle: Handle,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// For those who see what the journal does not show, and for those who acknowledge. Clones are the same desk.
#[derive(Clone)]
pub struct Handle {
    desk: Arc<Mutex<Desk>>,
    channels: Arc<Vec<Channel>>,
    started: Instant,
}

impl Handle {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something holds, or has happened, that no record shows.
    pub fn raise(&self, condition: Condition) {
        self.desk().raise(condition, self.started.elapsed());
    }

    /// As [`Handle::raise`], of something that holds from now on.
    pub fn raise_own(&self, key: &str, severity: Severity, title: &str, text: String, runbook: &'static str) {
        self.raise(own(key, severity, title, text, runbook, Duration::ZERO));
    }

    /// It no longer holds.
    pub fn over(&self, key: &str, text: &str) {
        self.desk().over(key, text);
    }

    /// Somebody has seen it. False when there is no such condition.
    pub fn acknowledge(&self, key: &str, who: &str) -> bool {
        self.desk().acknowledge(key, who)
    }

    /// What holds now: key, severity, title, and who has acknowledged it.
    pub fn open(&self) -> Vec<(String, Severity, String, Option<String>)> {
        let desk = self.desk();
        let open = desk
            .open()
            .map(|(key, severity, title, who)| (key.into(), severity, title.into(), who.map(Into::into)));
        open.collect()
    }

    /// How the channels fare.
    pub fn channels(&self) -> Vec<ChannelState> {
        self.channels.iter().map(Channel::state).collect()
    }
}

impl Alerts {
    /// Reads the secrets and starts the threads: one that follows, one for each channel.
    pub fn start(section: &AlertsSection, watched: Watched) -> Result<Self, StartError> {
        let runbooks = section.runbooks.as_deref().unwrap_or(RUNBOOKS);
        let desk = Desk::new(&source(), runbooks, section.per_minute_max);
        let started = Instant::now();
        let channels = Arc::new(open(&section.channels)?);
        let handle = Handle { desk: Arc::new(Mutex::new(desk)), channels, started };
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (handle, stop) = (handle.clone(), stop.clone());
            let thread = std::thread::Builder::new().name("alerts".into());
            let follower = Follower::new(watched, Duration::ZERO);
            thread.spawn(move || watch(&handle, follower, &stop)).map_err(StartError::Thread)?
        };
        Ok(Self { handle, stop, thread })
    }

    /// For conditions from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Looks at the journal once more, then waits up to `patience` for what is under way.
    pub fn end(self, patience: Duration) {
        self.stop.store(true, Ordering::Release);
        let started = Instant::now();
        let _ = self.thread.join();
        let is_waiting = || self.handle.channels.iter().any(|channel| channel.state().waiting > 0);
        while is_waiting() && started.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.handle.channels.iter().for_each(Channel::stop);
    }
}

fn watch(handle: &Handle, mut follower: Follower, stop: &AtomicBool) {
    loop {
        let is_last = stop.load(Ordering::Acquire);
        let is_more = {
            let mut desk = handle.desk();
            let now = handle.started.elapsed();
            let is_more = follower.turn(now, &mut desk);
            desk.turn(now, &mut |notice| {
                let Notice { key, title, text, .. } = &notice;
                tracing::info!(key, severity = notice.severity.word(), phase = ?notice.phase, title, text, "alert");
                handle.channels.iter().for_each(|channel| channel.push(&notice));
            });
            is_more
        };
        if is_last && !is_more {
            return;
        }
        if !is_more {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn open(sections: &[ChannelSection]) -> Result<Vec<Channel>, StartError> {
    if sections.is_empty() {
        return Err(StartError::NoChannel);
    }
    let opened = sections.iter().map(|section| {
        let transport =
            transport(section).map_err(|reason| StartError::Channel(section.name().into(), reason))?;
        Channel::start(section.name(), min_of(section), transport).map_err(StartError::Thread)
    });
    opened.collect()
}

fn min_of(section: &ChannelSection) -> Severity {
    match section {
        ChannelSection::Webhook { min_severity, .. }
        | ChannelSection::Telegram { min_severity, .. }
        | ChannelSection::Mail { min_severity, .. } => (*min_severity).into(),
    }
}

/// Sends one message over each channel, whatever its least severity, and says how that went: name, place, outcome.
pub fn test_channels(
    section: &AlertsSection,
    within: Duration,
) -> Vec<(String, String, Result<Duration, String>)> {
    let condition = own(
        "test",
        Severity::Info,
        "a test of the alerts",
        "nothing has happened".into(),
        "",
        Duration::ZERO,
    );
    let notice = Notice {
        key: condition.key,
        severity: condition.severity,
        phase: Phase::Began,
        title: condition.title,
        text: condition.text,
        seq: None,
        at: condition.at,
        runbook: String::new(),
        count: 1,
        source: source(),
    };
    let tried = section.channels.iter().map(|channel| {
        let name = channel.name().to_owned();
        match transport(channel) {
            Err(reason) => (name, String::new(), Err(reason)),
            Ok(mut transport) => {
                let (started, place) = (Instant::now(), transport.place());
                let outcome = transport.deliver(&notice, within).map(|()| started.elapsed());
                let reason = |fault| match fault {
                    crate::Fault::Later(reason, _) | crate::Fault::Refused(reason) => reason,
                };
                (name, place, outcome.map_err(reason))
            }
        }
    });
    tried.collect()
}

/// `host:port` of each channel, or why it cannot be used: nothing is connected to.
pub fn places(section: &AlertsSection) -> Vec<(String, Result<String, String>)> {
    let of = |channel: &ChannelSection| {
        (channel.name().into(), transport(channel).map(|transport| transport.place()))
    };
    section.channels.iter().map(of).collect()
}

/// The machine's name.
fn source() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    smc_log::inert(name.trim())
}
