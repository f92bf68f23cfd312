//! Ways to people. Each has a thread and a bounded queue of its own, so that none waits for another.

mod http;
mod mail;
mod telegram;
mod webhook;

use crate::notice::{Notice, Phase, Severity};
use smc_net::{NetError, TlsSettings};
use smc_settings::file::ChannelSection;
use std::cmp::Reverse;
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
const BACKOFF_FACTOR_MAX: u32 = 60;
/// After so many tries, some two minutes, a notice lets the others go first: it may be the only one that is not taken. Nothing is
/// given up that may arrive later; that the queue is bounded is the bound.
const TRIES_IN_A_ROW: u32 = 8;
/// Longer than that nobody is waited for, whatever the other side asks.
const WAIT_MAX: Duration = Duration::from_secs(300);

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

/// One way to tell. Blocks, but hardly longer than `within`.
pub(crate) trait Transport: Send {
    /// How many of its receivers did not take what others took.
    fn deliver(&mut self, notice: &Notice, within: Duration) -> Result<u64, Fault>;
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
    /// Refused by the other side, or by one of several receivers.
    pub refused: u64,
    /// Thrown away because too many waited, or at the end.
    pub dropped: u64,
    /// Waiting.
    pub waiting: usize,
}

/// A notice that waits.
struct Waiting {
    notice: Notice,
    tries: u32,
}

/// Which goes next: the worst, and of a condition the oldest notice, so that none is over before it began. One that was tried
/// often without luck goes after the others.
fn next(queue: &VecDeque<Waiting>) -> Option<usize> {
    let rank = |waiting: &Waiting| (waiting.tries / TRIES_IN_A_ROW, Reverse(waiting.notice.told));
    // `min_by_key` gives the first of equals: the oldest.
    let worst = queue.iter().min_by_key(|waiting| rank(waiting))?;
    queue.iter().position(|waiting| waiting.notice.key == worst.notice.key)
}

#[derive(Default)]
struct Shared {
    queue: Mutex<VecDeque<Waiting>>,
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
    fn queue(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_one(&self, name: &str, notice: &Notice, why: &str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let Notice { key, title, .. } = notice;
        tracing::error!(channel = name, key, title, why, "an alert was dropped");
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
        thread.spawn(move || tell_all(&name, &shared, transport, BACKOFF))?;
        Ok(channel)
    }

    /// Never waits for the channel.
    pub fn push(&self, notice: &Notice) {
        // Whoever was told the beginning is told the end, though it may have become better meanwhile.
        let severity = if notice.phase == Phase::Over { notice.told } else { notice.severity };
        if severity < self.min || self.shared.stop.load(Ordering::Acquire) {
            return;
        }
        let mut queue = self.shared.queue();
        if queue.len() >= QUEUE_MAX {
            // `min_by_key` gives the first of equals: the oldest.
            let least = queue.iter().enumerate().min_by_key(|(_, waiting)| waiting.notice.told);
            if let Some(gone) = least.map(|(at, _)| at).and_then(|at| queue.remove(at)) {
                self.shared.drop_one(&self.name, &gone.notice, "too many wait");
            }
        }
        queue.push_back(Waiting { notice: notice.clone(), tries: 0 });
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

    /// Gives the thread up. It ends after the try that it is at; what waits is told by the log alone.
    pub fn stop(&self) {
        let mut queue = self.shared.queue();
        self.shared.stop.store(true, Ordering::Release);
        for gone in queue.drain(..) {
            self.shared.drop_one(&self.name, &gone.notice, "the process ends");
        }
        drop(queue);
        if self.shared.is_busy.load(Ordering::Acquire) {
            tracing::warn!(
                channel = self.name,
                "an alert is under way at the end; nobody will know whether it arrives"
            );
        }
        self.shared.came.notify_all();
    }
}

fn tell_all(name: &str, shared: &Shared, mut transport: Box<dyn Transport>, backoff: Duration) {
    // Of the channel, not of a notice: what is down is down for the next one too.
    let mut pause = backoff;
    loop {
        let mut queue = shared.queue();
        let mut waiting = loop {
            if shared.stop.load(Ordering::Acquire) {
                return;
            }
            match next(&queue).and_then(|at| queue.remove(at)) {
                Some(waiting) => break waiting,
                None => queue = shared.came.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        };
        shared.is_busy.store(true, Ordering::Release);
        drop(queue);
        let outcome = transport.deliver(&waiting.notice, TRY_TIME);
        let key = &waiting.notice.key;
        let mut wait = None;
        match outcome {
            Ok(refused) => {
                shared.sent.fetch_add(1, Ordering::Relaxed);
                shared.refused.fetch_add(refused, Ordering::Relaxed);
            }
            Err(Fault::Refused(reason)) => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(channel = name, key, %reason, "an alert was refused");
            }
            Err(Fault::Later(reason, asked)) => {
                waiting.tries = waiting.tries.saturating_add(1);
                let tried = waiting.tries;
                tracing::warn!(channel = name, key, tried, %reason, "an alert did not arrive, tried again");
                let mut queue = shared.queue();
                if shared.stop.load(Ordering::Acquire) {
                    shared.drop_one(name, &waiting.notice, "the process ends");
                } else {
                    shared.retried.fetch_add(1, Ordering::Relaxed);
                    // In front: it is older than all that wait, also of its own condition.
                    queue.push_front(waiting);
                    wait = Some(pause_before(asked, pause));
                }
            }
        }
        shared.is_busy.store(false, Ordering::Release);
        match wait {
            None => pause = backoff,
            Some(wait) => {
                shared.pause(wait);
                pause = (pause * 2).min(backoff * BACKOFF_FACTOR_MAX);
            }
        }
    }
}

/// How long until the next try: what the other side asks for, but never less than our own patience.
fn pause_before(asked: Option<Duration>, pause: Duration) -> Duration {
    asked.map_or(pause, |asked| asked.max(pause)).min(WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(key: &str, told: Severity, phase: Phase, tries: u32) -> Waiting {
        let notice = Notice {
            key: key.into(),
            severity: told,
            phase,
            title: String::new(),
            text: String::new(),
            seq: None,
            at: 0,
            runbook: String::new(),
            count: 1,
            source: String::new(),
            told,
            number: 0,
        };
        Waiting { notice, tries }
    }

    #[test]
    fn the_worst_goes_first_and_nothing_is_over_before_it_began() {
        use Severity::{Critical, Warning};
        let mut queue = VecDeque::from([
            waiting("a", Warning, Phase::Began, 0),
            waiting("b", Warning, Phase::Began, 0),
            waiting("c", Critical, Phase::Began, 0),
            waiting("b", Critical, Phase::Over, 0),
            waiting("d", Critical, Phase::Began, TRIES_IN_A_ROW),
        ]);
        let mut order = Vec::new();
        while let Some(at) = next(&queue) {
            let Waiting { notice, .. } = queue.remove(at).unwrap();
            order.push(format!("{} {:?}", notice.key, notice.phase));
        }
        assert_eq!(order, ["c Began", "b Began", "b Over", "a Began", "d Began"]);
    }

    /// Fails so often, then takes everything.
    struct Down(u32);

    impl Transport for Down {
        fn deliver(&mut self, _: &Notice, _: Duration) -> Result<u64, Fault> {
            self.0 = self.0.saturating_sub(1);
            if self.0 > 0 { Err(Fault::Later("down".into(), None)) } else { Ok(0) }
        }

        fn place(&self) -> String {
            String::new()
        }
    }

    /// Forty tries were, at the pace of a real channel, over half an hour.
    #[test]
    fn nothing_is_given_up_that_may_arrive_later() {
        let shared = Arc::new(Shared::default());
        let channel = Channel { name: "down".into(), min: Severity::Info, shared: shared.clone() };
        for nth in 0..3 {
            let Waiting { notice, .. } = waiting(&nth.to_string(), Severity::Warning, Phase::Began, 0);
            channel.push(&notice);
        }
        let thread = std::thread::spawn(move || {
            tell_all("down", &shared, Box::new(Down(40)), Duration::from_micros(10));
        });
        let until = Instant::now() + Duration::from_secs(20);
        while channel.state().sent < 3 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        channel.stop();
        thread.join().unwrap();
        let ChannelState { sent, retried, refused, dropped, waiting, .. } = channel.state();
        assert_eq!((sent, retried, refused, dropped, waiting), (3, 39, 0, 0, 0));
    }

    #[test]
    fn who_asks_for_no_patience_is_given_some() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(pause_before(Some(Duration::ZERO), minute), minute);
        assert_eq!((pause_before(Some(minute), second), pause_before(None, second)), (minute, second));
        assert_eq!(pause_before(Some(minute * 600), second), WAIT_MAX);
    }
}
