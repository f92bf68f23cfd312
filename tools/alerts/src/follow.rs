//! Follows a journal: what its records say, and what their absence says.
//!
//! Reads on a thread of its own, for a disk may hang: [`Follower::turn`] does all the reading and gives back words; whoever holds
//! the desk applies them, and judges by the [`Pulse`] what no word says.

use crate::desk::{Condition, Desk, Lasts};
use crate::notice::Severity;
use crate::rules::{Names, Rules, STATE, Word};
use smc_journal::{JournalError, Reader, Tail};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Between two looks at the disk.
const DISK_EVERY: Duration = Duration::from_secs(5);
/// Between two looks whether another journal lies where ours did.
const REPLACED_EVERY: Duration = Duration::from_secs(1);
/// A journal that cannot be read for so long is told.
const BLIND_PATIENCE: Duration = Duration::from_secs(15);
/// After a journal could not be read, so long until the next try; doubled each time, up to the most.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// Records of one turn, so that what is due is said in between.
const RECORDS_PER_TURN_MAX: usize = 4_096;

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

/// How the following goes, for who cannot wait for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// When a new record was seen last; none before the first.
    pub heard_at: Option<Duration>,
    /// When a look at the journal came back last.
    pub looked_at: Duration,
    /// The last record is that of an orderly end.
    pub is_closed: bool,
    /// Processes that went on with the journal, as far as was seen.
    pub lives: u64,
}

/// What one turn found.
#[derive(Debug, Default)]
pub struct Found {
    /// There is more to read at once.
    pub is_more: bool,
    /// The past of a journal, where its present was reached just now: to be taken in before the words.
    pub past: Option<Past>,
    /// In their order.
    pub words: Vec<Word>,
}

/// See the module.
pub struct Follower {
    watched: Watched,
    rules: Rules,
    tail: Option<Tail>,
    /// Of the past, until the present is reached.
    past: Option<Past>,
    /// The newest record seen, also by a tail that is gone: what is read again is not heard again.
    seen_seq: u64,
    pulse: Pulse,
    retry: Duration,
    retry_at: Duration,
    disk_at: Option<Duration>,
    replaced_at: Duration,
}

impl Follower {
    /// Opens nothing yet.
    pub fn new(watched: Watched, now: Duration) -> Self {
        let rules = Rules::new(watched.names.clone());
        Self {
            watched,
            rules,
            tail: None,
            past: None,
            seen_seq: 0,
            pulse: Pulse { looked_at: now, ..Pulse::default() },
            retry: RETRY,
            retry_at: now,
            disk_at: None,
            replaced_at: now,
        }
    }

    /// How it goes, as of the last turn.
    pub const fn pulse(&self) -> Pulse {
        self.pulse
    }

    /// One look, bounded in records but not in time: the disk may hang.
    pub fn turn(&mut self, now: Duration) -> Found {
        let mut found = Found::default();
        self.look_at_disk(now, &mut found.words);
        if now >= self.retry_at {
            if self.is_replaced(now) {
                (self.tail, self.past, self.seen_seq) = (None, None, 0);
                found.words.push(Word::Replaced);
                found.is_more = true;
                return found;
            }
            match self.read(now, &mut found) {
                Ok(is_more) => found.is_more = is_more,
                Err(reason) => self.fail(reason, now, &mut found),
            }
        }
        self.pulse.looked_at = now;
        found
    }

    /// What was read of a past that ends in damage is told all the same.
    fn fail(&mut self, reason: String, now: Duration, found: &mut Found) {
        (self.tail, self.retry_at) = (None, now + self.retry);
        self.retry = (self.retry * 2).min(RETRY_MAX);
        self.reach_present(now, found);
        found.words.push(Word::Raise(own(
            "journal/blind",
            Severity::Warning,
            "the journal cannot be read",
            reason,
            "SmcEngineDown.md",
            BLIND_PATIENCE,
        )));
    }

    /// Another journal at the same path is another engine's: ours would be silent for ever.
    fn is_replaced(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.replaced_at) < REPLACED_EVERY {
            return false;
        }
        self.replaced_at = now;
        self.tail.as_ref().is_some_and(Tail::is_replaced)
    }

    fn read(&mut self, now: Duration, found: &mut Found) -> Result<bool, String> {
        let text = |error: JournalError| error.to_string();
        if self.tail.is_none() {
            // The newest segment tells how things stand; a long journal is not read for it.
            let reader = Reader::open(&self.watched.journal).map_err(text)?;
            let from = reader.segment_places().last().map_or(1, |place| place.seq.saturating_add(1));
            self.tail = Some(Tail::open_from(&self.watched.journal, from).map_err(text)?);
            self.rules.forget();
            self.past = Some(Past::new(self.seen_seq, self.watched.is_inside));
        }
        for _ in 0..RECORDS_PER_TURN_MAX {
            let Self { tail: Some(tail), rules, past, pulse, seen_seq, .. } = self else { return Ok(false) };
            let Some(record) = tail.poll().map_err(text)? else {
                self.retry = RETRY;
                pulse.is_closed = tail.is_closed();
                self.reach_present(now, found);
                found.words.push(Word::Over("journal/blind".into(), "the journal can be read".into()));
                return Ok(false);
            };
            let seq = record.seq;
            let taken = rules.take(&record, &mut |word| match past {
                None => {
                    pulse.lives += u64::from(matches!(word, Word::Begun(_)));
                    found.words.push(word);
                }
                Some(past) => past.take(word, now),
            });
            taken.map_err(|error| format!("record {seq}: {error}"))?;
            if seq > *seen_seq {
                (*seen_seq, pulse.heard_at, pulse.is_closed) = (seq, Some(now), false);
            }
        }
        Ok(true)
    }

    /// Gives the past away, if there is one that was not.
    fn reach_present(&mut self, now: Duration, found: &mut Found) {
        let Some(past) = self.past.take() else { return };
        self.pulse.lives += u64::from(past.begun.is_some());
        // How long it has been silent before we came nobody knows.
        if past.known_seq == 0 && self.seen_seq > 0 {
            self.pulse.heard_at = Some(now);
        }
        found.past = Some(past);
    }

    fn look_at_disk(&mut self, now: Duration, words: &mut Vec<Word>) {
        if self.disk_at.is_some_and(|at| now.saturating_sub(at) < DISK_EVERY) {
            return;
        }
        self.disk_at = Some(now);
        let Ok(found) = rustix::fs::statvfs(&self.watched.journal) else { return };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        let least = self.watched.disk_free_min;
        if free >= least {
            return words.push(Word::Over("disk".into(), "there is room again".into()));
        }
        let severity = if free < least / 4 { Severity::Critical } else { Severity::Warning };
        let text = format!("{} MiB free where {} are wanted", free >> 20, least >> 20);
        words.push(Word::Raise(own(
            "disk",
            severity,
            "the journal's disk fills up",
            text,
            "SmcJournalDiskLow.md",
            Duration::ZERO,
        )));
    }
}

/// What the records before the present came to: a condition that is over is gone, one that was said often is one. Bounded by what
/// there is to have conditions, however long the past is.
pub struct Past {
    desk: Desk,
    /// Over, and not begun again.
    over: BTreeSet<String>,
    begun: Option<u64>,
    closed: Option<u64>,
    /// What was known before: this part of the journal was read already, up to here.
    known_seq: u64,
    is_inside: bool,
}

impl std::fmt::Debug for Past {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open: Vec<_> = self.desk.open().map(|(key, ..)| key).collect();
        write!(f, "Past({open:?}, begun {:?}, closed {:?})", self.begun, self.closed)
    }
}

impl Past {
    fn new(known_seq: u64, is_inside: bool) -> Self {
        let (desk, over) = (Desk::new("", "", 1), BTreeSet::new());
        Self { desk, over, begun: None, closed: None, known_seq, is_inside }
    }

    fn take(&mut self, word: Word, now: Duration) {
        match word {
            Word::Raise(condition) => {
                let is_moment = condition.lasts == Lasts::Moment;
                // Of what happened in moments only the engine's own process tells, and once.
                if is_moment && (!self.is_inside || condition.seq.is_some_and(|seq| seq <= self.known_seq)) {
                    return;
                }
                self.over.remove(&condition.key);
                self.desk.raise(condition, now);
            }
            Word::Over(key, text) => {
                self.desk.over(&key, &text);
                self.over.insert(key);
            }
            Word::Seen(seq, who) => self.desk.acknowledge_record(seq, &who),
            // A new life: what the former one lived through is no news, and what it was held by still holds.
            Word::Begun(seq) => {
                self.desk.keep(|condition| condition.key.starts_with(STATE));
                (self.begun, self.closed) = (Some(seq), None);
            }
            Word::Closed(seq) => self.closed = Some(seq),
            Word::Replaced => {}
        }
    }

    /// Tells a desk of it.
    fn tell(self, now: Duration, desk: &mut Desk) {
        let Self { desk: found, over, begun, closed, known_seq, is_inside } = self;
        let is_again = known_seq > 0;
        if let Some(seq) = begun.filter(|&seq| seq > known_seq && (is_inside || is_again)) {
            apply(Word::Begun(seq), now, desk);
        }
        over.iter().for_each(|key| desk.over(key, "over while nobody could look"));
        desk.adopt(found, now);
        if let Some(seq) = closed.filter(|&seq| seq > known_seq) {
            apply(Word::Closed(seq), now, desk);
        }
    }
}

/// Tells a desk what was found.
pub fn tell(found: Found, now: Duration, desk: &mut Desk) {
    if let Some(past) = found.past {
        past.tell(now, desk);
    }
    found.words.into_iter().for_each(|word| apply(word, now, desk));
}

/// Tells a desk what no record says: that none comes, and that nobody can look.
pub fn judge(pulse: Pulse, silence_max: Duration, now: Duration, desk: &mut Desk) {
    let silence = pulse.heard_at.map(|at| now.saturating_sub(at));
    match silence.filter(|&silence| !pulse.is_closed && silence >= silence_max) {
        Some(silence) => {
            let text =
                format!("no record for {:.0} s: dead, hung, or its disk is gone", silence.as_secs_f64());
            let title = "the engine is silent";
            desk.raise(
                own("engine/silent", Severity::Critical, title, text, "SmcEngineStalled.md", Duration::ZERO),
                now,
            );
        }
        None => desk.over("engine/silent", "the engine is heard again"),
    }
    let away = now.saturating_sub(pulse.looked_at);
    if away >= BLIND_PATIENCE {
        let text = format!("a look at it has not come back for {:.0} s: its disk hangs", away.as_secs_f64());
        let title = "the journal cannot be read";
        desk.raise(
            own("journal/blind", Severity::Critical, title, text, "SmcEngineDown.md", Duration::ZERO),
            now,
        );
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
            // Not what is held down: that is state, and the new process goes on with it.
            desk.all_over("a new process goes on with the journal", is_the_process_own);
            desk.raise(event("the engine goes on with its journal", Some(seq)), now);
        }
        Word::Closed(seq) => {
            desk.all_over("the engine has ended in order; what held is told again when it goes on", |key| {
                is_the_process_own(key) || key.starts_with(STATE)
            });
            desk.raise(event("the engine has ended in order", Some(seq)), now);
        }
        Word::Replaced => {
            desk.all_over("another journal lies in its place", |key| {
                is_the_process_own(key) || key.starts_with(STATE)
            });
            desk.raise(event("another journal lies in place of the one that was followed", None), now);
        }
    }
}

/// What ends with the process that has it.
fn is_the_process_own(key: &str) -> bool {
    ["gateway/", "venue/"].iter().any(|kind| key.starts_with(kind)) || key == "feed" || key == "journal"
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
    Condition { key: key.into(), severity, rank: 0, title: title.into(), text, seq: None, at, runbook, lasts }
}
