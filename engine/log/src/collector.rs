//! The callers' side: which events are taken, and what happens when too many come.

use crate::line::{Line, Parts};
use crate::writer::{self, Output};
use crate::{LINES_WAITING_MAX, LogError, Settings};
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Takes events and never waits.
pub struct Collector {
    shared: Arc<Shared>,
    lines: SyncSender<Line>,
    per_second_max: u32,
}

/// What callers, writer and handle share.
pub(crate) struct Shared {
    level: AtomicU8,
    /// Given to the writer.
    taken: AtomicU64,
    /// Written, or given up by the writer.
    pub done: AtomicU64,
    /// Not given to the writer, whose queue was full; or not written, because the sink refused.
    pub lost: AtomicU64,
    /// Held back by the limit of their place.
    held_back: AtomicU64,
    pub wants_reopen: AtomicBool,
    /// Held for a moment, never while anything is written.
    places: Mutex<HashMap<Identifier, Window>>,
}

/// A second of one place in the code.
struct Window {
    metadata: &'static Metadata<'static>,
    began: Instant,
    said: u32,
    held_back: u64,
}

/// What was held back of a place in a second.
pub(crate) struct HeldBack {
    pub metadata: &'static Metadata<'static>,
    pub count: u64,
}

const SECOND: Duration = Duration::from_secs(1);

impl Shared {
    /// False when its place has said enough for this second.
    fn admits(&self, metadata: &'static Metadata<'static>, now: Instant, most: u32) -> bool {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let window = places.entry(metadata.callsite()).or_insert_with(|| Window {
            metadata,
            began: now,
            said: 0,
            held_back: 0,
        });
        // What was held back is told before the count begins anew.
        if window.held_back == 0 && now.saturating_duration_since(window.began) >= SECOND {
            (window.began, window.said) = (now, 0);
        }
        if window.said < most {
            window.said += 1;
            return true;
        }
        window.held_back += 1;
        self.held_back.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// What was held back in seconds that are over; they begin anew.
    pub fn take_held_back(&self, now: Instant) -> Vec<HeldBack> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = Vec::new();
        for window in places.values_mut() {
            if window.held_back > 0 && now.saturating_duration_since(window.began) >= SECOND {
                told.push(HeldBack { metadata: window.metadata, count: window.held_back });
                (window.began, window.said, window.held_back) = (now, 0, 0);
            }
        }
        told
    }
}

impl Collector {
    /// Starts the writer. For tests and for those who install a subscriber themselves; others want [`init`](crate::init).
    pub fn start(settings: Settings) -> Result<(Self, Handle), LogError> {
        let output = Output::open(&settings)?;
        Self::with(settings, output)
    }

    /// As [`Collector::start`], into any sink, which may block for ever.
    pub fn into_sink(
        settings: Settings,
        sink: impl Write + Send + 'static,
    ) -> Result<(Self, Handle), LogError> {
        let output = Output::of(&settings, Box::new(sink));
        Self::with(settings, output)
    }

    fn with(settings: Settings, output: Output) -> Result<(Self, Handle), LogError> {
        let shared = Arc::new(Shared {
            level: AtomicU8::new(rank(settings.level)),
            taken: AtomicU64::new(0),
            done: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            held_back: AtomicU64::new(0),
            wants_reopen: AtomicBool::new(false),
            places: Mutex::default(),
        });
        let (lines, waiting) = sync_channel(LINES_WAITING_MAX);
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("log".into());
        thread.spawn(move || writer::run(&theirs, &waiting, output)).map_err(LogError::Thread)?;
        let collector = Self { shared: shared.clone(), lines, per_second_max: settings.per_second_max };
        Ok((collector, Handle(shared)))
    }
}

/// Higher says more.
fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Collector {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        // The level may change: every event is asked about.
        tracing::subscriber::Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && rank(*metadata.level()) <= self.shared.level.load(Ordering::Relaxed)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        if !self.shared.admits(metadata, Instant::now(), self.per_second_max) {
            return;
        }
        let mut parts = Parts::default();
        event.record(&mut parts);
        let line = Line {
            at: jiff::Timestamp::now(),
            level: *metadata.level(),
            target: metadata.target(),
            thread: std::thread::current().name().unwrap_or("").to_owned(),
            message: parts.message,
            fields: parts.fields,
        };
        match self.lines.try_send(line) {
            Ok(()) => _ = self.shared.taken.fetch_add(1, Ordering::Release),
            Err(_) => _ = self.shared.lost.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What can be changed while it runs, and what became of it. Clones are the same log.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Nothing below `level` is said from now on.
    pub fn set_level(&self, level: Level) {
        self.0.level.store(rank(level), Ordering::Relaxed);
    }

    /// The present level.
    pub fn level(&self) -> Level {
        let rank_now = self.0.level.load(Ordering::Relaxed);
        let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        all.into_iter().find(|level| rank(*level) == rank_now).unwrap_or(Level::INFO)
    }

    /// The file was renamed by another hand (SIGHUP): the next line goes into a new one.
    pub fn reopen(&self) {
        self.0.wants_reopen.store(true, Ordering::Release);
    }

    /// Lines that nobody will read: the queue was full, or the sink refused.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Lines held back because their place said too much in a second.
    pub fn held_back(&self) -> u64 {
        self.0.held_back.load(Ordering::Relaxed)
    }

    /// Waits until everything said so far is written, at most `patience`. True when it is. For the end of a process.
    pub fn flush(&self, patience: Duration) -> bool {
        let (started, wanted) = (Instant::now(), self.0.taken.load(Ordering::Acquire));
        while self.0.done.load(Ordering::Acquire) < wanted {
            if started.elapsed() >= patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}
