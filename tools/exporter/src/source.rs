//! Where the numbers come from: within the engine's process, or from its files.

use crate::host;
use crate::metrics::{ChannelReading, Reading};
use smc_core::event::JournalState;
use smc_observe::{Observer, ObserverError, View};
use smc_replay::ShadowError;
use smc_runtime::counters::{self, CountersView, Slot};
use smc_runtime::latency::{self, LatencyView};
use smc_runtime::mapped::Process;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An engine writes a timer many times a second: one whose journal stands still for so long does not live, whatever its
/// process does.
const STALL_MAX: Duration = Duration::from_secs(10);
/// How often the journal's directory is added up.
const ADD_UP_EVERY: Duration = Duration::from_secs(5);
/// How long an observer sleeps when nothing came.
const IDLE: Duration = Duration::from_millis(10);
/// Between two looks whether another journal lies where ours did.
const REPLACED_EVERY: Duration = Duration::from_secs(1);
/// After a journal could not be observed, so long until the next try.
const RETRY: Duration = Duration::from_secs(5);

/// Is the engine well?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It lives, and its journal keeps what happens.
    Good,
    /// No process writes its counters.
    Dead,
    /// Its journal does not grow.
    Stalled,
    /// Its journal was closed: it has ended in order.
    Closed,
    /// HALT, because the journal was lost.
    JournalLost,
    /// The engine lives, and nobody looks whether it does what it should.
    Unobserved,
    /// The engine does not do what its inputs say.
    Diverged,
}

impl Health {
    /// In a word, for who asks.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Dead => "dead: no process writes the counters",
            Self::Stalled => "stalled: the journal does not grow",
            Self::Closed => "closed: the journal has ended in order",
            Self::JournalLost => "journal lost: HALT",
            Self::Unobserved => {
                "unobserved: nobody follows the journal, and nothing is known of the engine's state"
            }
            Self::Diverged => "diverged: the engine's digest is not that of its inputs; smc replay --verify",
        }
    }
}

/// Says how the channels of the alerts fare, and how many conditions they had no room for.
type Told = Box<dyn Fn() -> (Vec<ChannelReading>, u64) + Send>;

/// What observers found in the journals of another process, one after the other.
#[derive(Default)]
struct Found {
    /// Digests that were wrong, ever.
    mismatches: AtomicU64,
    /// The journal of now holds one.
    is_wrong: AtomicBool,
}

/// Gathers readings.
pub struct Source {
    journal: PathBuf,
    view: Arc<Mutex<Option<View>>>,
    /// What observers of another process's journal found.
    found: Arc<Found>,
    told: Option<Told>,
    /// Within the process: the maps that stay. Outside they are opened for each reading, for another process may have
    /// made the files anew.
    inside: Option<(Arc<CountersView>, Option<Arc<LatencyView>>)>,
    stop: Arc<AtomicBool>,
    bytes: Option<u64>,
    bytes_at: Option<Instant>,
    seq: u64,
    grown_at: Instant,
}

impl Source {
    /// Of this process's engine, whose journal is in `journal`.
    pub fn inside(journal: &Path, counters: Arc<CountersView>, view: Option<View>) -> Self {
        // Without it the page has no latencies, and says so by leaving them out.
        let latencies = LatencyView::open(&journal.join(latency::FILE_NAME)).ok().map(Arc::new);
        let mut source = Self::over(journal, view);
        source.inside = Some((counters, latencies));
        source
    }

    /// Of an engine in another process, by the files in `journal`; a thread begins to follow them. What goes wrong with that
    /// is said on standard error, and tried again.
    pub fn outside(journal: &Path) -> std::io::Result<Self> {
        let source = Self::over(journal, None);
        let (dir, view, stop) = (journal.to_owned(), source.view.clone(), source.stop.clone());
        let found = source.found.clone();
        let body = move || observe(&dir, &view, &found, &stop);
        std::thread::Builder::new().name("observer".into()).spawn(body)?;
        Ok(source)
    }

    fn over(journal: &Path, view: Option<View>) -> Self {
        Self {
            journal: journal.to_owned(),
            view: Arc::new(Mutex::new(view)),
            found: Arc::default(),
            told: None,
            inside: None,
            stop: Arc::default(),
            bytes: None,
            bytes_at: None,
            seq: 0,
            grown_at: Instant::now(),
        }
    }

    /// Has the page show how people are told, where this process tells them.
    pub fn with_channels(mut self, told: impl Fn() -> (Vec<ChannelReading>, u64) + Send + 'static) -> Self {
        self.told = Some(Box::new(told));
        self
    }

    /// Everything as it is now. What stands in no file of the engine's (lateness, scrapes) is left to the caller.
    pub fn read(&mut self) -> Reading {
        let (counters, latencies) = match &self.inside {
            Some((counters, latencies)) => (Some(counters.clone()), latencies.clone()),
            None => (
                CountersView::open(&self.journal.join(counters::FILE_NAME)).ok().map(Arc::new),
                LatencyView::open(&self.journal.join(latency::FILE_NAME)).ok().map(Arc::new),
            ),
        };
        let writer = counters.as_ref().map(|counters| counters.writer()).filter(Process::is_alive);
        if let Some(counters) = &counters {
            let seq = counters.get(Slot::JournalSeq);
            if seq != self.seq {
                (self.seq, self.grown_at) = (seq, Instant::now());
            }
        }
        if self.bytes_at.is_none_or(|at| at.elapsed() >= ADD_UP_EVERY) {
            (self.bytes, self.bytes_at) = (host::disk_used(&self.journal), Some(Instant::now()));
        }
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let picture = view.as_ref().map(View::picture);
        let over = view.as_ref().and_then(View::over);
        // One that has ended without the journal shows a past that looks like a present.
        let is_observed = picture.as_ref().is_some_and(|picture| over.is_none() || picture.journal.is_closed);
        let own = over.is_some_and(|over| over.is_mismatch) && self.inside.is_some();
        let (channels, conditions_dropped) = match &self.told {
            None => (Vec::new(), None),
            Some(told) => {
                let (channels, dropped) = told();
                (channels, Some(dropped))
            }
        };
        Reading {
            picture: picture.filter(|_| is_observed),
            is_observed,
            digest_mismatches: self.found.mismatches.load(Ordering::Relaxed) + u64::from(own),
            channels,
            conditions_dropped,
            counters,
            latencies,
            is_alive: writer.is_some(),
            process: writer.and_then(host::process_use),
            disk_free: host::disk_free(&self.journal),
            journal_bytes: self.bytes,
            load1: host::load1(),
            ..Reading::default()
        }
    }

    /// There was an observer at least once: where none is wanted, or it has still to read the past, its absence says nothing.
    fn has_view(&self) -> bool {
        self.view.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Within the process there is one journal, and what was wrong in it stays so; outside another may have taken its place.
    fn is_diverged(&self, reading: &Reading) -> bool {
        match self.inside {
            Some(_) => reading.digest_mismatches > 0,
            None => self.found.is_wrong.load(Ordering::Relaxed),
        }
    }

    /// What a reading says of the engine's health.
    pub fn health(&self, reading: &Reading) -> Health {
        let journal = reading.picture.as_ref().map(|picture| &picture.journal);
        if !reading.is_alive {
            Health::Dead
        } else if journal.is_some_and(|journal| journal.is_closed) {
            Health::Closed
        } else if journal.is_some_and(|journal| journal.state == JournalState::Lost) {
            Health::JournalLost
        } else if self.is_diverged(reading) {
            Health::Diverged
        } else if self.inside.is_some() && !reading.is_observed && self.has_view() {
            Health::Unobserved
        } else if self.grown_at.elapsed() > STALL_MAX {
            Health::Stalled
        } else {
            Health::Good
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// Follows whatever engine writes the journal in `dir`; the last picture stays while there is none.
fn observe(dir: &Path, view: &Mutex<Option<View>>, found: &Found, stop: &AtomicBool) {
    crate::server::step_back();
    let (mut said, mut wrong_at) = (String::new(), None);
    while !stop.load(Ordering::Acquire) {
        let writer = writer_of(dir);
        let error = match Observer::open(dir) {
            Ok(mut observer) => {
                let own = observer.view();
                let (mut is_shown, mut look_at) = (false, Instant::now() + REPLACED_EVERY);
                loop {
                    let taken = observer.turn();
                    // A journal's past is read before it is shown.
                    if !is_shown && !matches!(taken, Ok(taken) if taken > 0) {
                        is_shown = true;
                        // Read to its end and not only to where it could not be read: no digest of this one is wrong.
                        if taken.is_ok() {
                            found.is_wrong.store(false, Ordering::Relaxed);
                        }
                        *view.lock().unwrap_or_else(PoisonError::into_inner) = Some(own.clone());
                    }
                    match taken {
                        _ if stop.load(Ordering::Acquire) => return,
                        Ok(0) => std::thread::sleep(IDLE),
                        Ok(_) => {}
                        Err(error) => {
                            // Read anew, the same one is found again.
                            if let ObserverError::Shadow(ShadowError::Digest { seq }) = error {
                                found.is_wrong.store(true, Ordering::Relaxed);
                                if wrong_at.replace(seq) != Some(seq) {
                                    found.mismatches.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                            break Some(error.to_string());
                        }
                    }
                    if observer.is_closed() && writer_of(dir) != writer {
                        break None;
                    }
                    if Instant::now() >= look_at {
                        look_at = Instant::now() + REPLACED_EVERY;
                        if observer.is_replaced() {
                            break None;
                        }
                    }
                }
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = error {
            if error != said {
                eprintln!("smc: {}: {error}; tried again", dir.display());
                said = error;
            }
            let until = Instant::now() + RETRY;
            while Instant::now() < until && !stop.load(Ordering::Acquire) {
                std::thread::sleep(IDLE);
            }
        }
    }
}

fn writer_of(dir: &Path) -> Option<Process> {
    CountersView::open(&dir.join(counters::FILE_NAME)).ok().map(|counters| counters.writer())
}
