//! The thread that follows, decides and hands on.

use crate::channel::{Channel, ChannelState, Transport, transport};
use crate::desk::{Condition, Desk};
use crate::follow::{self, Follower, Pulse, Watched, own};
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

/// Channels with their secrets read, which tell nothing yet: what cannot be used is known before an engine starts.
pub struct Opened {
    desk: Desk,
    transports: Vec<(String, Severity, Box<dyn Transport>)>,
}

/// Alerts at work. Ends when it is told to.
pub struct Alerts {
    handle: Handle,
    stop: Arc<AtomicBool>,
    reader: JoinHandle<()>,
    thread: JoinHandle<()>,
}

/// For those who see what the journal does not show, and for those who acknowledge. Clones are the same desk.
#[derive(Clone)]
pub struct Handle {
    /// Never held while anybody waits for a disk or a socket.
    desk: Arc<Mutex<Desk>>,
    pulse: Arc<Mutex<Pulse>>,
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

    /// Conditions that there was no room for, since the start.
    pub fn conditions_dropped(&self) -> u64 {
        self.desk().dropped()
    }

    /// How the following of the journal goes.
    pub fn pulse(&self) -> Pulse {
        *self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the channels fare.
    pub fn channels(&self) -> Vec<ChannelState> {
        self.channels.iter().map(Channel::state).collect()
    }
}

impl Opened {
    /// Reads secrets and certificates; connects to nobody.
    pub fn read(section: &AlertsSection) -> Result<Self, StartError> {
        if section.channels.is_empty() {
            return Err(StartError::NoChannel);
        }
        let runbooks = section.runbooks.as_deref().unwrap_or(RUNBOOKS);
        let desk = Desk::new(&source(), runbooks, section.per_minute_max);
        let opened = section.channels.iter().map(|channel| {
            let name = channel.name().to_owned();
            match transport(channel) {
                Ok(transport) => Ok((name, min_of(channel), transport)),
                Err(reason) => Err(StartError::Channel(name, reason)),
            }
        });
        Ok(Self { desk, transports: opened.collect::<Result<_, _>>()? })
    }

    /// Starts the threads: one that reads the journal, one that says what is due, one for each channel.
    pub fn start(self, watched: Watched) -> Result<Alerts, StartError> {
        let started = Instant::now();
        let channels = self.transports.into_iter();
        let channels = channels.map(|(name, min, transport)| Channel::start(&name, min, transport));
        let channels = channels.collect::<Result<Vec<_>, _>>().map_err(StartError::Thread)?;
        let (desk, pulse, channels) =
            (Arc::new(Mutex::new(self.desk)), Arc::<Mutex<Pulse>>::default(), Arc::new(channels));
        let handle = Handle { desk, pulse, channels, started };
        let stop = Arc::new(AtomicBool::new(false));
        let silence_max = watched.silence_max;
        let reader = {
            let (handle, stop) = (handle.clone(), stop.clone());
            let thread = std::thread::Builder::new().name("alerts-read".into());
            let follower = Follower::new(watched, Duration::ZERO);
            thread.spawn(move || read(&handle, follower, &stop)).map_err(StartError::Thread)?
        };
        let thread = {
            let (handle, stop) = (handle.clone(), stop.clone());
            let thread = std::thread::Builder::new().name("alerts".into());
            thread.spawn(move || watch(&handle, silence_max, &stop)).map_err(StartError::Thread)?
        };
        Ok(Alerts { handle, stop, reader, thread })
    }
}

impl Alerts {
    /// [`Opened::read`] and [`Opened::start`] in one.
    pub fn start(section: &AlertsSection, watched: Watched) -> Result<Self, StartError> {
        Opened::read(section)?.start(watched)
    }

    /// For conditions from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Looks at the journal once more, then waits up to `patience` for what is under way. What is not told then never is: it is
    /// counted, and stands in the log.
    pub fn end(self, patience: Duration) {
        self.stop.store(true, Ordering::Release);
        let started = Instant::now();
        // A reader whose disk hangs is left behind.
        while !self.reader.is_finished() && started.elapsed() < patience.max(LOOK_EVERY * 5) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.thread.join();
        self.handle.say_what_is_due();
        let is_waiting = || self.handle.channels.iter().any(|channel| channel.state().waiting > 0);
        while is_waiting() && started.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.handle.channels.iter().for_each(Channel::stop);
    }
}

impl Handle {
    fn say_what_is_due(&self) {
        let now = self.started.elapsed();
        self.desk().turn(now, &mut |notice| {
            let Notice { key, title, text, .. } = &notice;
            tracing::info!(key, severity = notice.severity.word(), phase = ?notice.phase, title, text, "alert");
            self.channels.iter().for_each(|channel| channel.push(&notice));
        });
    }
}

/// Reads. Whatever the disk does, it does it to this thread.
fn read(handle: &Handle, mut follower: Follower, stop: &AtomicBool) {
    loop {
        let is_last = stop.load(Ordering::Acquire);
        let found = follower.turn(handle.started.elapsed());
        let (is_more, now) = (found.is_more, handle.started.elapsed());
        let is_news = found.past.is_some() || !found.words.is_empty();
        let pulse = Pulse { looked_at: now, ..follower.pulse() };
        follow::tell(found, now, &mut handle.desk());
        *handle.pulse.lock().unwrap_or_else(PoisonError::into_inner) = pulse;
        if is_news {
            handle.say_what_is_due();
        }
        if is_last && !is_more {
            return;
        }
        if !is_more {
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Says what is due, and what the reader's silence means.
fn watch(handle: &Handle, silence_max: Duration, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        let pulse = handle.pulse();
        follow::judge(pulse, silence_max, handle.started.elapsed(), &mut handle.desk());
        handle.say_what_is_due();
        std::thread::sleep(LOOK_EVERY);
    }
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
        told: condition.severity,
        number: 0,
    };
    let tried = section.channels.iter().map(|channel| {
        let name = channel.name().to_owned();
        match transport(channel) {
            Err(reason) => (name, String::new(), Err(reason)),
            Ok(mut transport) => {
                let (started, place) = (Instant::now(), transport.place());
                let outcome = match transport.deliver(&notice, within) {
                    Ok(0) => Ok(started.elapsed()),
                    Ok(refused) => Err(format!("{refused} of its receivers did not take it")),
                    Err(crate::Fault::Later(reason, _) | crate::Fault::Refused(reason)) => Err(reason),
                };
                (name, place, outcome)
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
