//! Ways to people. Each has a thread and a bounded queue of its own, so that none waits for another.

mod http;
mod mail;
mod telegram;
mod webhook;

use crate::notice::{Notice, Severity};
use smc_net::{NetError, TlsSettings};
use smc_settings::file::ChannelSection;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Notices that wait in one channel. When there are more, the oldest of the least severity goes, and is counted.
const QUEUE_MAX: usize = 256;
/// How long one try may take.
const TRY_TIME: Duration = Duration::from_secs(10);
/// Between two tries: doubled each time, up to the most.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// After so many tries a notice is given up: some twelve minutes.
const TRIES_MAX: u32 = 16;

/// Why a notice did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It may arrive later, not before a while where the other side says so.
    Later(String, Option<Duration>),
    /// It was refused: the same words will be refused again.
    Refused(String),
}

impl From<NetError> for Fault {
    fn from(error: NetError) -> Self {
        Self::Later(error.to_string(), None)
    }
}

/// One way to tell. Blocks, but never longer than `within`.
pub(crate) trait Transport: Send {
    fn deliver(&mut self, notice: &Notice, within: Duration) -> Result<(), Fault>;
    /// `host:port`, for people.
    fn place(&self) -> String;
}

/// A channel as the configuration wants it, with its secrets read.
pub(crate) fn transport(section: &ChannelSection) -> Result<Box<dyn Transport>, String> {
    Ok(match section {
        ChannelSection::Webhook { url, url_file, secret_file, ca_file, .. } => {
            let url = match (url, url_file) {
                (Some(url), None) => url.expose().to_owned(),
                (None, Some(path)) => crate::secret::read(path)?.expose().clone(),
                _ => return Err("a webhook wants `url` or `url_file`, one of them".into()),
            };
            let secret = secret_file.as_deref().map(crate::secret::read).transpose()?;
            Box::new(webhook::Webhook::new(http::Target::parse(&url, ca_file.as_deref())?, secret.as_ref()))
        }
        ChannelSection::Telegram { url, token_file, chat_id, ca_file, .. } => {
            let url = url.as_ref().map_or("https://api.telegram.org", |url| url.expose());
            let target = http::Target::parse(url, ca_file.as_deref())?;
            Box::new(telegram::Telegram::new(target, crate::secret::read(token_file)?, chat_id)?)
        }
        ChannelSection::Mail { host, tls, user, password_file, from, to, ca_file, .. } => {
            let password = password_file.as_deref().map(crate::secret::read).transpose()?;
            let login = match (user, password) {
                (None, None) => None,
                (Some(user), Some(password)) => Some((user.clone(), password)),
                _ => return Err("mail: `user` and `password_file` go together".into()),
            };
            Box::new(mail::Mail::new(host, *tls, trust(ca_file.as_ref())?, login, from, to)?)
        }
    })
}

fn trust(ca_file: Option<&PathBuf>) -> Result<TlsSettings, String> {
    match ca_file {
        None => TlsSettings::system_roots().map_err(|error| error.to_string()),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| error.to_string())
            .and_then(|pem| TlsSettings::from_ca_pem(&pem).map_err(|error| error.to_string()))
            .map_err(|error| format!("{}: {error}", path.display())),
    }
}

/// How a channel fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// What people call it.
    pub name: String,
    /// Arrived.
    pub sent: u64,
    /// Tries that failed and were made again.
    pub retried: u64,
    /// Given up: refused by the other side, or tried too often.
    pub refused: u64,
    /// Thrown away because too many waited.
    pub dropped: u64,
    /// Waiting.
    pub waiting: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<VecDeque<Notice>>,
    came: Condvar,
    stop: AtomicBool,
    /// The thread is telling one.
    is_busy: AtomicBool,
    sent: AtomicU64,
    retried: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Notice>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps, unless it is told to stop.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut queue = self.queue();
        while !self.stop.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = self.came.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One channel at work.
#[derive(Clone)]
pub(crate) struct Channel {
    name: String,
    min: Severity,
    shared: Arc<Shared>,
}

impl Channel {
    pub fn start(name: &str, min: Severity, transport: Box<dyn Transport>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let channel = Self { name: name.into(), min, shared: shared.clone() };
        let thread = std::thread::Builder::new().name(format!("alert-{name}"));
        let name = channel.name.clone();
        thread.spawn(move || tell_all(&name, &shared, transport))?;
        Ok(channel)
    }

    /// Never waits for the channel.
    pub fn push(&self, notice: &Notice) {
        if notice.severity < self.min {
            return;
        }
        let mut queue = self.shared.queue();
        if queue.len() >= QUEUE_MAX {
            // `min_by_key` gives the first of equals: the oldest.
            let least = queue.iter().enumerate().min_by_key(|(_, waiting)| waiting.severity);
            if let Some(at) = least.map(|(at, _)| at) {
                queue.remove(at);
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        queue.push_back(notice.clone());
        drop(queue);
        self.shared.came.notify_all();
    }

    pub fn state(&self) -> ChannelState {
        let Shared { sent, retried, refused, dropped, .. } = &*self.shared;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ChannelState {
            name: self.name.clone(),
            sent: get(sent),
            retried: get(retried),
            refused: get(refused),
            dropped: get(dropped),
            waiting: self.shared.queue().len() + usize::from(self.shared.is_busy.load(Ordering::Acquire)),
        }
    }

    /// Gives the thread up. It ends after the try that it is at.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.came.notify_all();
    }
}

fn tell_all(name: &str, shared: &Shared, mut transport: Box<dyn Transport>) {
    loop {
        let mut queue = shared.queue();
        let notice = loop {
            if shared.stop.load(Ordering::Acquire) {
                return;
            }
            match queue.pop_front() {
                Some(notice) => break notice,
                None => queue = shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        };
        shared.is_busy.store(true, Ordering::Release);
        drop(queue);
        tell(name, shared, transport.as_mut(), &notice);
        shared.is_busy.store(false, Ordering::Release);
    }
}

/// Tells one, however often it takes.
fn tell(name: &str, shared: &Shared, transport: &mut dyn Transport, notice: &Notice) {
    let mut pause = BACKOFF;
    for tried in 1..=TRIES_MAX {
        let (reason, wait) = match transport.deliver(notice, TRY_TIME) {
            Ok(()) => {
                shared.sent.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(Fault::Later(reason, wait)) if tried < TRIES_MAX => (reason, wait),
            Err(Fault::Later(reason, _) | Fault::Refused(reason)) => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(channel = name, key = notice.key, %reason, "an alert was given up");
                return;
            }
        };
        shared.retried.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(channel = name, key = notice.key, tried, %reason, "an alert did not arrive, tried again");
        shared.pause(wait.unwrap_or(pause).min(BACKOFF_MAX * 5));
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        pause = (pause * 2).min(BACKOFF_MAX);
    }
}
