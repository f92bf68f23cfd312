//! Follows a journal for the desk: what its records say, and what their absence says.

use crate::desk::{Condition, Desk, Lasts};
use crate::notice::Severity;
use crate::rules::{Names, Rules, Word};
use smc_journal::{JournalError, Reader, Tail};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Between two looks at the disk.
const DISK_EVERY: Duration = Duration::from_secs(5);
/// A journal that cannot be read for so long is told.
const BLIND_PATIENCE: Duration = Duration::from_secs(15);
/// Records of one turn, so that what is due is said in between.
const RECORDS_PER_TURN_MAX: usize = 20_000;
/// Words of the past that are kept until the present is reached.
const PAST_MAX: usize = 4_096;

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The journal's directory.
    pub journal: PathBuf,
    /// Names of what is traded.
    pub names: Names,
    /// An engine that journals nothing for so long is told of.
    pub silence_max: Duration,
    /// Free bytes of the journal's disk below which is warned.
    pub disk_free_min: u64,
    /// In the engine's own process: the moments since its beginning are news. Beside it only what still holds is.
    pub is_inside: bool,
}

/// See the module.
pub struct Follower {
    watched: Watched,
    rules: Rules,
    tail: Option<Tail>,
    /// Of the past, until the present is reached for the first time.
    past: Option<VecDeque<Word>>,
    heard_at: Duration,
    disk_at: Option<Duration>,
    was_heard: bool,
}

impl Follower {
    /// Opens nothing yet.
    pub fn new(watched: Watched, now: Duration) -> Self {
        let rules = Rules::new(watched.names.clone());
        Self { watched, rules, tail: None, past: None, heard_at: now, disk_at: None, was_heard: false }
    }

    /// One bounded look. True when there is more to read at once.
    pub fn turn(&mut self, now: Duration, desk: &mut Desk) -> bool {
        self.look_at_disk(now, desk);
        let is_more = match self.read(now, desk) {
            Ok(is_more) => {
                desk.over("journal/blind", "the journal can be read");
                is_more
            }
            Err(reason) => {
                self.tail = None;
                desk.raise(
                    own(
                        "journal/blind",
                        Severity::Warning,
                        "the journal cannot be read",
                        reason,
                        "SmcEngineDown.md",
                        BLIND_PATIENCE,
                    ),
                    now,
                );
                false
            }
        };
        let silence = now.saturating_sub(self.heard_at);
        let is_closed = self.tail.as_ref().is_some_and(Tail::is_closed);
        if self.was_heard && !is_closed && silence >= self.watched.silence_max {
            let text =
                format!("no record for {:.0} s: dead, hung, or its disk is gone", silence.as_secs_f64());
            let title = "the engine is silent";
            desk.raise(
                own("engine/silent", Severity::Critical, title, text, "SmcEngineStalled.md", Duration::ZERO),
                now,
            );
        } else {
            desk.over("engine/silent", "the engine is heard again");
        }
        is_more
    }

    fn read(&mut self, now: Duration, desk: &mut Desk) -> Result<bool, String> {
        let text = |error: JournalError| error.to_string();
        if self.tail.is_none() {
            // The newest segment tells how things stand; a long journal is not read for it.
            let reader = Reader::open(&self.watched.journal).map_err(text)?;
            let from = reader.segment_places().last().map_or(1, |place| place.seq.saturating_add(1));
            self.tail = Some(Tail::open_from(&self.watched.journal, from).map_err(text)?);
            self.rules.forget();
            self.past = Some(VecDeque::new());
        }
        let Self { tail: Some(tail), rules, past, .. } = self else { return Ok(false) };
        for _ in 0..RECORDS_PER_TURN_MAX {
            let Some(record) = tail.poll().map_err(text)? else {
                if let Some(past) = past.take() {
                    let is_inside = self.watched.is_inside;
                    past.into_iter().for_each(|word| begin_with(word, is_inside, now, desk));
                    // How long it has been silent before we came nobody knows.
                    self.heard_at = now;
                }
                return Ok(false);
            };
            (self.heard_at, self.was_heard) = (now, true);
            let seq = record.seq;
            let taken = rules.take(&record, &mut |word| match past {
                None => apply(word, now, desk),
                Some(past) => {
                    if past.len() >= PAST_MAX {
                        past.pop_front();
                    }
                    // A new life: what the former one lived through is no news.
                    if matches!(word, Word::Begun(_)) {
                        past.clear();
                    }
                    past.push_back(word);
                }
            });
            taken.map_err(|error| format!("record {seq}: {error}"))?;
        }
        Ok(true)
    }

    fn look_at_disk(&mut self, now: Duration, desk: &mut Desk) {
        if self.disk_at.is_some_and(|at| now.saturating_sub(at) < DISK_EVERY) {
            return;
        }
        self.disk_at = Some(now);
        let Ok(found) = rustix::fs::statvfs(&self.watched.journal) else { return };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let least = self.watched.disk_free_min;
        if free >= least {
            return desk.over("disk", "there is room again");
        }
        let severity = if free < least / 4 { Severity::Critical } else { Severity::Warning };
        let text = format!("{} MiB free where {} are wanted", free >> 20, least >> 20);
        desk.raise(
            own(
                "disk",
                severity,
                "the journal's disk fills up",
                text,
                "SmcJournalDiskLow.md",
                Duration::ZERO,
            ),
            now,
        );
    }
}

/// A word of before we looked.
fn begin_with(word: Word, is_inside: bool, now: Duration, desk: &mut Desk) {
    let is_moment = matches!(&word, Word::Raise(condition) if condition.lasts == Lasts::Moment);
    let is_news = !is_moment && !matches!(word, Word::Begun(_) | Word::Closed);
    if is_inside || is_news || matches!(word, Word::Closed) {
        apply(word, now, desk);
    }
}

fn apply(word: Word, now: Duration, desk: &mut Desk) {
    let event = |title: &str, seq: Option<u64>| Condition {
        lasts: Lasts::Moment,
        seq,
        ..own("engine/life", Severity::Info, title, String::new(), "", Duration::ZERO)
    };
    match word {
        Word::Raise(condition) => desk.raise(condition, now),
        Word::Over(key, text) => desk.over(&key, &text),
        Word::Seen(seq, who) => desk.acknowledge_record(seq, &who),
        Word::Begun(seq) => {
            desk.all_over("a new process goes on with the journal", is_the_engines);
            desk.raise(event("the engine goes on with its journal", Some(seq)), now);
        }
        Word::Closed => {
            desk.all_over("the engine has ended in order", is_the_engines);
            desk.raise(event("the engine has ended in order", None), now);
        }
    }
}

/// What only a running engine can have.
fn is_the_engines(key: &str) -> bool {
    ["state/", "gateway/", "venue/"].iter().any(|kind| key.starts_with(kind)) || key == "feed"
}

/// A condition that no record names.
pub(crate) fn own(
    key: &str,
    severity: Severity,
    title: &str,
    text: String,
    runbook: &'static str,
    patience: Duration,
) -> Condition {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
    let lasts = Lasts::UntilOver { patience };
    Condition { key: key.into(), severity, title: title.into(), text, seq: None, at, runbook, lasts }
}
