//! Where the numbers come from: within the engine's process, or from its files.

use crate::host;
use crate::metrics::Reading;
use smc_core::event::JournalState;
use smc_observe::{Observer, View};
use smc_runtime::counters::{self, CountersView, Slot};
use smc_runtime::latency::{self, LatencyView};
use smc_runtime::mapped::Process;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An engine writes a timer many times a second: one whose journal stands still for so long does not live, whatever its
/// process does.
const STALL_MAX: Duration = Duration::from_secs(10);
/// How often the journal's directory is added up.
const ADD_UP_EVERY: Duration = Duration::from_secs(5);
/// How long an observer sleeps when nothing came.
const IDLE: Duration = Duration::from_millis(10);
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
        }
    }
}

/// Gathers readings.
pub struct Source {
    journal: PathBuf,
    view: Arc<Mutex<Option<View>>>,
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
        let body = move || observe(&dir, &view, &stop);
        std::thread::Builder::new().name("observer".into()).spawn(body)?;
        Ok(source)
    }

    fn over(journal: &Path, view: Option<View>) -> Self {
        Self {
            journal: journal.to_owned(),
            view: Arc::new(Mutex::new(view)),
            inside: None,
            stop: Arc::default(),
            bytes: None,
            bytes_at: None,
            seq: 0,
            grown_at: Instant::now(),
        }
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
        Reading {
            picture: view.map(|view| view.picture()),
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

    /// What a reading says of the engine's health.
    pub fn health(&self, reading: &Reading) -> Health {
        let journal = reading.picture.as_ref().map(|picture| &picture.journal);
        if !reading.is_alive {
            Health::Dead
        } else if journal.is_some_and(|journal| journal.is_closed) {
            Health::Closed
        } else if journal.is_some_and(|journal| journal.state == JournalState::Lost) {
            Health::JournalLost
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
fn observe(dir: &Path, view: &Mutex<Option<View>>, stop: &AtomicBool) {
    crate::server::step_back();
    let mut said = String::new();
    while !stop.load(Ordering::Acquire) {
        let writer = writer_of(dir);
        let error = match Observer::open(dir) {
            Ok(mut observer) => {
                let own = observer.view();
                let mut is_shown = false;
                loop {
                    let taken = observer.turn();
                    // A journal's past is read before it is shown.
                    if !is_shown && !matches!(taken, Ok(taken) if taken > 0) {
                        is_shown = true;
                        *view.lock().unwrap_or_else(PoisonError::into_inner) = Some(own.clone());
                    }
                    match taken {
                        _ if stop.load(Ordering::Acquire) => return,
                        Ok(0) => std::thread::sleep(IDLE),
                        Ok(_) => {}
                        Err(error) => break Some(error.to_string()),
                    }
                    if observer.is_closed() && writer_of(dir) != writer {
                        break None;
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
