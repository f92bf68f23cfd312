//! The observer: follows a journal with a second core and publishes pictures of it.
//!
//! One [`Observer::turn`] is bounded. A picture is published when the tail is reached, at most every 50 ms and never for
//! more than a twentieth of a core; while it is behind, once a second. Owns nothing that the engine waits for.

use crate::draw::{self, Described, JournalAt};
use crate::names::Names;
use crate::picture::Picture;
use crate::tally::Tally;
use crate::view::{Over, View};
use smc_core::config::ConfigError;
use smc_core::engine::Engine;
use smc_core::state::State;
use smc_core::strategy::{Confluence, Strategy};
use smc_journal::{Damage, JournalError, Reader, RecordKind, snapshots};
use smc_replay::{RebuildError, Shadow, ShadowError, Under, rebuild};
use smc_settings::file::{FileConfig, FileError};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two pictures when nothing is left to read.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// Between two pictures while there is.
const PUBLISH_EVERY_BEHIND: Duration = Duration::from_secs(1);
/// A picture is followed by this many times the time it took without another: a twentieth of a core at most.
const REST_FACTOR: u32 = 19;

/// See the module.
pub struct Observer<S> {
    shadow: Shadow<S>,
    tally: Tally,
    strategy: Described,
    view: View,
    unsynced: Option<Unsynced>,
    /// Number of the record before the first that is followed.
    began_after: u64,
    published_seq: u64,
    /// The picture says that the journal is closed.
    published_closed: bool,
    next_at: Instant,
    next_behind_at: Instant,
}

/// Says how long the oldest record that is not on the disk has waited, ns.
type Unsynced = Box<dyn Fn() -> Option<u64> + Send>;

/// Why a journal is not observed.
#[derive(Debug)]
pub enum ObserverError {
    /// The journal cannot be read.
    Journal(JournalError),
    /// Its configuration does not read.
    Config(FileError),
    /// It does not begin with one.
    NoConfig,
    /// It does not lead to an engine.
    Rebuild(RebuildError),
    /// It cannot be followed any more.
    Shadow(ShadowError),
}

impl fmt::Display for ObserverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "{error}"),
            Self::Config(error) => write!(f, "its configuration: {error}"),
            Self::NoConfig => f.write_str("the journal does not begin with a configuration"),
            Self::Rebuild(error) => write!(f, "{error}"),
            Self::Shadow(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ObserverError {}

impl From<Damage> for ObserverError {
    fn from(damage: Damage) -> Self {
        Self::Journal(damage.into())
    }
}

impl From<ConfigError> for ObserverError {
    fn from(error: ConfigError) -> Self {
        Self::Rebuild(RebuildError::Core(error))
    }
}

impl Observer<Confluence> {
    /// Observes the journal in `dir` from outside its process. Counts begin at the newest snapshot, or else at the beginning;
    /// takes no snapshots and writes nothing.
    pub fn open(dir: &Path) -> Result<Self, ObserverError> {
        let reader = Reader::open(dir).map_err(ObserverError::Journal)?;
        let text = config_text(&reader)?;
        let file = FileConfig::parse(&text).map_err(ObserverError::Config)?;
        let config = file.engine().map_err(ObserverError::Config)?;
        let under = Under { text: &text, build: smc_core::build_hash() };
        let make = || Engine::new(config.clone(), Confluence::for_config(&config));
        // Up to a snapshot nobody looks on; what comes after it is followed as if it were happening.
        let until = snapshots(dir).map_err(ObserverError::Journal)?.last().copied().unwrap_or(0);
        let rebuilt = rebuild(dir, &reader, &under, Some(until), make).map_err(ObserverError::Rebuild)?;
        let next = rebuilt.last_seq + 1;
        let shadow = Shadow::new(dir, next, rebuilt.core, &under, 0).map_err(ObserverError::Journal)?;
        Ok(Self::new(shadow, &file, next))
    }
}

fn config_text(reader: &Reader) -> Result<String, ObserverError> {
    if let Some(base) = reader.base() {
        return Ok(String::from_utf8_lossy(&base.config).into_owned());
    }
    match reader.records().next().transpose()? {
        Some(record) if record.kind == RecordKind::Config => {
            Ok(String::from_utf8_lossy(record.payload).into_owned())
        }
        _ => Err(ObserverError::NoConfig),
    }
}

impl<S: Strategy + State> Observer<S> {
    /// Observes by a shadow whose next record is `next`.
    pub fn new(mut shadow: Shadow<S>, file: &FileConfig, next: u64) -> Self {
        let tally = Tally::new(shadow.core().config(), Names::of(file));
        let strategy = Described { name: "confluence".into(), parameters: parameters(file) };
        let began_after = next.saturating_sub(1);
        let journal = JournalAt { seq: began_after, ..JournalAt::default() };
        let first = draw::picture(shadow.core_mut(), &tally, &strategy, journal);
        let now = Instant::now();
        Self {
            shadow,
            tally,
            strategy,
            view: View::new(first),
            unsynced: None,
            began_after,
            published_seq: began_after,
            published_closed: false,
            next_at: now,
            next_behind_at: now + PUBLISH_EVERY_BEHIND,
        }
    }

    /// Has the picture tell how long records wait for the disk; only the engine's own process knows.
    pub fn with_unsynced(mut self, unsynced: impl Fn() -> Option<u64> + Send + 'static) -> Self {
        self.unsynced = Some(Box::new(unsynced));
        self
    }

    /// The reader's end.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// One bounded pass; how many records it took. An error is for good: the last picture stays, and says no more.
    pub fn turn(&mut self) -> Result<usize, ObserverError> {
        if self.view.take_wish() {
            self.shadow.ask_snapshot();
        }
        let taken = self.shadow.turn_seen(&mut self.tally);
        let now = Instant::now();
        let is_behind = taken.as_ref().is_ok_and(|&taken| taken == smc_replay::RECORDS_PER_TURN_MAX);
        let is_due = now >= if is_behind { self.next_behind_at } else { self.next_at };
        // Once: a journal that stays closed has one last picture.
        let is_last = taken.is_err() || self.shadow.is_closed() != self.published_closed;
        if is_last || is_due && self.seq() != self.published_seq {
            self.publish(now);
        }
        if let Err(error) = &taken {
            let is_mismatch = matches!(error, ShadowError::Digest { .. });
            self.view.end(Over { reason: error.to_string(), is_mismatch });
        }
        taken.map_err(ObserverError::Shadow)
    }

    /// Another journal lies where this one was opened, or none: no newer picture comes of it.
    pub fn is_replaced(&self) -> bool {
        self.shadow.is_replaced()
    }

    /// The journal was closed and nobody has gone on with it.
    pub const fn is_closed(&self) -> bool {
        self.shadow.is_closed()
    }

    /// The engine as far as it has come.
    pub const fn core(&self) -> &Engine<S> {
        self.shadow.core()
    }

    fn seq(&self) -> u64 {
        self.shadow.last().map_or(self.began_after, |step| step.seq)
    }

    fn publish(&mut self, now: Instant) {
        let journal = JournalAt {
            seq: self.seq(),
            segment: self.shadow.last().map_or(0, |step| step.segment),
            unsynced_ns: self.unsynced.as_ref().and_then(|unsynced| unsynced()),
            checked: self.shadow.checked(),
            is_closed: self.shadow.is_closed(),
        };
        let picture: Picture = draw::picture(self.shadow.core_mut(), &self.tally, &self.strategy, journal);
        (self.published_seq, self.published_closed) = (picture.seq, picture.journal.is_closed);
        self.view.publish(picture);
        let took = now.elapsed();
        self.next_at = Instant::now() + PUBLISH_EVERY.max(took * REST_FACTOR);
        self.next_behind_at = now + PUBLISH_EVERY_BEHIND;
    }
}

impl<S> Drop for Observer<S> {
    fn drop(&mut self) {
        self.view.end(Over { reason: "it was ended".into(), is_mismatch: false });
    }
}

/// What `[strategy]` sets, flat, by key.
fn parameters(file: &FileConfig) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    if let Ok(value) = serde_json::to_value(&file.strategy) {
        flatten("", &value, &mut pairs);
    }
    pairs
}

fn flatten(key: &str, value: &serde_json::Value, pairs: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if key.is_empty() { "" } else { "." };
                flatten(&format!("{key}{dot}{name}"), value, pairs);
            }
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => drop(pairs.insert(key.into(), text.clone())),
        other => drop(pairs.insert(key.into(), other.to_string())),
    }
}
