//! Conditions and what is said of them: one message when one begins, reminders until somebody acknowledges it, one when it is
//! over. Pure; time is an argument, any clock that only goes forward.

use crate::notice::{Notice, Phase, Severity};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// After its beginning, when reminders are due; then every hour.
const REMINDERS: [Duration; 3] =
    [Duration::from_secs(5 * 60), Duration::from_secs(15 * 60), Duration::from_secs(60 * 60)];
const HOUR: Duration = Duration::from_secs(60 * 60);
/// What happens in moments is over when it has not happened for so long.
const QUIET: Duration = Duration::from_secs(120);
/// Conditions that are kept at one time.
const OPEN_MAX: usize = 1_024;
/// Key of the condition that others wait.
const FLOOD: &str = "alerts/flood";

/// Something that holds or has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Names it.
    pub key: String,
    /// How much it matters.
    pub severity: Severity,
    /// How bad it is among conditions of the same key and severity: HALT is more than CANCEL_ONLY, though both are critical.
    pub rank: u8,
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// Journal record that it rests on.
    pub seq: Option<u64>,
    /// When, in ns since the epoch.
    pub at: u64,
    /// Page of `tools/monitoring/runbooks` that says what to do; empty for none.
    pub runbook: &'static str,
    /// How long it holds.
    pub lasts: Lasts,
}

/// How long a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Until it is said to be over. Nothing is said of one that is over within `patience`.
    UntilOver {
        /// How long it may hold before it matters.
        patience: Duration,
    },
    /// It happened; when it happens again soon, that is the same condition.
    Moment,
}

/// A condition that has not ended.
#[derive(Clone, Debug)]
struct Open {
    condition: Condition,
    began: Duration,
    last: Duration,
    count: u32,
    /// When it was said, as it stands now.
    said: Option<Duration>,
    /// The worst that was said of it, perhaps another than now: whoever was told that is told the end.
    told: Option<Severity>,
    reminders: u32,
    acknowledged: Option<String>,
    /// The newest records that said it, the latest last.
    records: VecDeque<u64>,
}

/// Records of one condition that it can be acknowledged by.
const RECORDS_MAX: usize = 64;

impl Open {
    fn say(&mut self, now: Duration) {
        self.said = Some(now);
        self.told = self.told.max(Some(self.condition.severity));
    }

    fn note(&mut self, record: Option<u64>) {
        let Some(seq) = record else { return };
        if self.records.len() >= RECORDS_MAX {
            self.records.pop_front();
        }
        self.records.push_back(seq);
    }
}

/// See the module.
pub struct Desk {
    open: BTreeMap<String, Open>,
    plain: Bucket,
    critical: Bucket,
    source: String,
    runbooks: String,
    ready: Vec<Notice>,
    dropped: u64,
    /// Notices made so far: each has a number of its own.
    made: u64,
}

/// So many at once, and as many again in a minute.
struct Bucket {
    most: u64,
    /// Messages times 60,000: a millisecond brings `most`.
    level: u64,
    at: Duration,
}

const WHOLE: u64 = 60_000;

impl Bucket {
    fn take(&mut self, now: Duration) -> bool {
        let ms = u64::try_from(now.saturating_sub(self.at).as_millis()).unwrap_or(u64::MAX);
        if ms > 0 {
            self.at = now;
            self.level = self.level.saturating_add(ms.saturating_mul(self.most)).min(self.most * WHOLE);
        }
        let is_there = self.level >= WHOLE;
        if is_there {
            self.level -= WHOLE;
        }
        is_there
    }
}

impl Desk {
    /// Nothing is open. `runbooks` is put before the names of pages.
    pub fn new(source: &str, runbooks: &str, per_minute_max: u32) -> Self {
        let most = u64::from(per_minute_max.max(1));
        let bucket = || Bucket { most, level: most * WHOLE, at: Duration::ZERO };
        Self {
            open: BTreeMap::new(),
            plain: bucket(),
            critical: bucket(),
            source: source.into(),
            runbooks: runbooks.into(),
            ready: Vec::new(),
            dropped: 0,
            made: 0,
        }
    }

    /// It holds, or has happened. Said again it is the same; said worse it is told anew. Only another record is another time:
    /// what is seen to go on has not happened again.
    pub fn raise(&mut self, condition: Condition, now: Duration) {
        if let Some(open) = self.open.get_mut(&condition.key) {
            let badness = |condition: &Condition| (condition.severity, condition.rank);
            if badness(&condition) > badness(&open.condition) {
                (open.said, open.acknowledged, open.reminders) = (None, None, 0);
                open.began = now;
            }
            let is_other = condition.seq.is_some() && condition.seq != open.condition.seq;
            let (seq, at) = match is_other {
                true => (condition.seq, condition.at),
                false => (open.condition.seq, open.condition.at),
            };
            if is_other {
                open.count = open.count.saturating_add(1);
                open.note(seq);
            }
            (open.last, open.condition) = (now, Condition { seq, at, ..condition });
            return;
        }
        // That others wait always has a place: a desk without one is when it must be told.
        if self.open.len() >= OPEN_MAX && condition.key != FLOOD {
            let least = self.open.iter().filter(|(key, _)| *key != FLOOD);
            let least = least.min_by_key(|(_, open)| open.condition.severity);
            match least.map(|(key, open)| (key.clone(), open.condition.severity)) {
                Some((key, severity)) if severity < condition.severity => _ = self.open.remove(&key),
                _ => {
                    self.dropped += 1;
                    return;
                }
            }
            self.dropped += 1;
        }
        let mut open = Open {
            began: now,
            last: now,
            count: 1,
            said: None,
            told: None,
            reminders: 0,
            acknowledged: None,
            records: VecDeque::new(),
            condition,
        };
        open.note(open.condition.seq);
        self.open.insert(open.condition.key.clone(), open);
    }

    /// Takes over what another desk has open, as if it had been raised here: what the past of a journal came to.
    pub fn adopt(&mut self, other: Self, now: Duration) {
        for (key, found) in other.open {
            let Open { condition, count, acknowledged, records, .. } = found;
            self.raise(condition, now);
            let Some(open) = self.open.get_mut(&key) else { continue };
            open.count = open.count.max(count);
            if acknowledged.is_some() {
                open.acknowledged = acknowledged;
            }
            open.records = records;
        }
    }

    /// Forgets without a word what `is_kept` does not name.
    pub fn keep(&mut self, is_kept: impl Fn(&Condition) -> bool) {
        self.open.retain(|_, open| is_kept(&open.condition));
    }

    /// It no longer holds: said if its beginning was.
    pub fn over(&mut self, key: &str, text: &str) {
        let Some(mut open) = self.open.remove(key) else { return };
        if open.told.is_some() {
            open.condition.text = text.into();
            let notice = self.notice(&open, Phase::Over);
            self.ready.push(notice);
        }
    }

    /// Everything that holds until it is over, is: another engine begins, or none is there.
    pub fn all_over(&mut self, text: &str, is_it: impl Fn(&str) -> bool) {
        let lasting = |open: &Open| matches!(open.condition.lasts, Lasts::UntilOver { .. });
        let keys: Vec<String> = self
            .open
            .iter()
            .filter(|(key, open)| lasting(open) && is_it(key))
            .map(|(key, _)| key.clone())
            .collect();
        keys.iter().for_each(|key| self.over(key, text));
    }

    /// Somebody has seen it: no more reminders. False when there is no such condition.
    pub fn acknowledge(&mut self, key: &str, who: &str) -> bool {
        let open = self.open.get_mut(key);
        open.map(|open| open.acknowledged = Some(who.into())).is_some()
    }

    /// Somebody has seen what a record of the journal says.
    pub fn acknowledge_record(&mut self, seq: u64, who: &str) {
        for open in self.open.values_mut().filter(|open| open.records.contains(&seq)) {
            open.acknowledged = Some(who.into());
        }
    }

    /// What holds now: key, severity, title, and who has acknowledged it.
    pub fn open(&self) -> impl Iterator<Item = (&str, Severity, &str, Option<&str>)> {
        self.open.values().map(|open| {
            let Condition { key, severity, title, .. } = &open.condition;
            (key.as_str(), *severity, title.as_str(), open.acknowledged.as_deref())
        })
    }

    /// Conditions that there was no room for.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Says what is due.
    pub fn turn(&mut self, now: Duration, say: &mut impl FnMut(Notice)) {
        std::mem::take(&mut self.ready).into_iter().for_each(&mut *say);
        let waiting = self.begin(now, say);
        self.forget(now, say);
        self.remind(now, say);
        self.tell_flood(waiting, now, say);
        std::mem::take(&mut self.ready).into_iter().for_each(&mut *say);
    }

    /// Says what is not said yet, the worst first. How many have to wait.
    fn begin(&mut self, now: Duration, say: &mut impl FnMut(Notice)) -> usize {
        let is_due = |open: &Open| match open.condition.lasts {
            Lasts::UntilOver { patience } => now.saturating_sub(open.began) >= patience,
            Lasts::Moment => true,
        };
        let due = self.open.values().filter(|open| open.said.is_none() && is_due(open));
        let mut due: Vec<(Severity, Duration, String)> =
            due.map(|open| (open.condition.severity, open.began, open.condition.key.clone())).collect();
        due.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut waiting = 0;
        for (severity, _, key) in due {
            if !self.may_say(&key, severity, now) {
                waiting += 1;
                continue;
            }
            if let Some(open) = self.open.get_mut(&key) {
                open.say(now);
                let open = open.clone();
                say(self.notice(&open, Phase::Began));
            }
        }
        waiting
    }

    fn may_say(&mut self, key: &str, severity: Severity, now: Duration) -> bool {
        match severity {
            _ if key == FLOOD => true,
            Severity::Critical => self.critical.take(now),
            _ => self.plain.take(now),
        }
    }

    fn remind(&mut self, now: Duration, say: &mut impl FnMut(Notice)) {
        let is_due = |open: &Open| {
            let nth = open.reminders as usize;
            let further = u32::try_from(nth.saturating_sub(REMINDERS.len() - 1)).unwrap_or(u32::MAX);
            let after = REMINDERS.get(nth).copied().unwrap_or_else(|| HOUR.saturating_mul(further + 1));
            let said = open.said.filter(|_| open.acknowledged.is_none());
            open.condition.severity > Severity::Info
                && said.is_some_and(|said| now.saturating_sub(said) >= after)
        };
        let due = self.open.values().filter(|open| is_due(open));
        let keys: Vec<(String, Severity)> =
            due.map(|open| (open.condition.key.clone(), open.condition.severity)).collect();
        for (key, severity) in keys {
            if !self.may_say(&key, severity, now) {
                continue;
            }
            if let Some(open) = self.open.get_mut(&key) {
                open.reminders += 1;
                open.told = open.told.max(Some(open.condition.severity));
                let open = open.clone();
                say(self.notice(&open, Phase::Reminder));
            }
        }
    }

    /// Moments that do not come back. Said only of those that came more than once.
    fn forget(&mut self, now: Duration, say: &mut impl FnMut(Notice)) {
        let is_past = |open: &Open| {
            open.condition.lasts == Lasts::Moment
                && open.said.is_some()
                && now.saturating_sub(open.last) >= QUIET
        };
        let past: Vec<String> =
            self.open.iter().filter(|(_, open)| is_past(open)).map(|(key, _)| key.clone()).collect();
        for key in past {
            if let Some(open) = self.open.remove(&key)
                && open.count > 1
            {
                say(self.notice(&open, Phase::Over));
            }
        }
    }

    fn tell_flood(&mut self, waiting: usize, now: Duration, say: &mut impl FnMut(Notice)) {
        if waiting == 0 {
            return self.over(FLOOD, "none waits any more");
        }
        let text = format!("{waiting} wait; the worst come first");
        if let Some(open) = self.open.get_mut(FLOOD) {
            open.condition.text = text;
            return;
        }
        // As of the newest of those that wait: the desk has no calendar.
        let at = self.open.values().map(|open| open.condition.at).max().unwrap_or(0);
        self.raise(
            Condition {
                key: FLOOD.into(),
                severity: Severity::Warning,
                rank: 0,
                title: "more messages than are allowed in a minute".into(),
                text,
                seq: None,
                at,
                runbook: "",
                lasts: Lasts::UntilOver { patience: Duration::ZERO },
            },
            now,
        );
        if let Some(open) = self.open.get_mut(FLOOD) {
            open.say(now);
            let open = open.clone();
            say(self.notice(&open, Phase::Began));
        }
    }

    fn notice(&mut self, open: &Open, phase: Phase) -> Notice {
        self.made += 1;
        let Condition { key, severity, title, text, seq, at, runbook, .. } = &open.condition;
        let runbook = if runbook.is_empty() { String::new() } else { format!("{}{runbook}", self.runbooks) };
        Notice {
            key: key.clone(),
            severity: *severity,
            phase,
            title: title.clone(),
            text: text.clone(),
            seq: *seq,
            at: *at,
            runbook,
            count: open.count,
            source: self.source.clone(),
            told: open.told.unwrap_or(*severity),
            number: self.made,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60;

    fn condition(key: &str, severity: Severity, lasts: Lasts) -> Condition {
        let (title, text) = (format!("title of {key}"), "text".into());
        Condition {
            key: key.into(),
            severity,
            rank: 0,
            title,
            text,
            seq: Some(7),
            at: 1,
            runbook: "page",
            lasts,
        }
    }

    fn lasting(key: &str) -> Condition {
        condition(key, Severity::Warning, Lasts::UntilOver { patience: Duration::ZERO })
    }

    struct Rig(Desk, Vec<String>);

    impl Rig {
        fn new(per_minute_max: u32) -> Self {
            Self(Desk::new("here", "https://w/", per_minute_max), Vec::new())
        }

        fn at(&mut self, second: u64) -> Vec<String> {
            let mut said = Vec::new();
            self.0.turn(Duration::from_secs(second), &mut |notice| {
                assert_eq!(notice.source, "here");
                said.push(format!("{:?} {} {}", notice.phase, notice.key, notice.count));
            });
            self.1.extend(said.clone());
            said
        }

        fn raise(&mut self, condition: Condition, second: u64) {
            self.0.raise(condition, Duration::from_secs(second));
        }
    }

    #[test]
    fn one_message_reminders_until_acknowledged_and_one_at_the_end() {
        let mut rig = Rig::new(20);
        for second in 0..10 {
            rig.raise(Condition { seq: Some(second), ..lasting("a") }, second);
            rig.at(second);
        }
        assert_eq!(rig.1, ["Began a 1"]);
        let minutes: Vec<u64> = (1..200).filter(|minute| !rig.at(minute * MINUTE).is_empty()).collect();
        assert_eq!(minutes, [5, 15, 60, 120, 180]);
        assert!(rig.0.acknowledge("a", "eva") && !rig.0.acknowledge("b", "eva"));
        assert_eq!(rig.0.open().next(), Some(("a", Severity::Warning, "title of a", Some("eva"))));
        assert!((200..400).all(|minute| rig.at(minute * MINUTE).is_empty()));
        rig.0.over("a", "gone");
        rig.0.over("a", "gone");
        assert_eq!(rig.at(401 * MINUTE), ["Over a 10"]);
    }

    #[test]
    fn a_record_that_was_seen_acknowledges_what_it_says_and_nothing_else() {
        let mut rig = Rig::new(20);
        for (key, seq) in [("a", 7), ("a", 9), ("b", 8)] {
            rig.raise(Condition { seq: Some(seq), ..lasting(key) }, 0);
        }
        rig.at(0);
        rig.0.acknowledge_record(7, "user 5");
        rig.0.acknowledge_record(10, "user 6");
        let seen: Vec<_> =
            rig.0.open().map(|(key, _, _, who)| (key.to_owned(), who.map(str::to_owned))).collect();
        assert_eq!(seen, [("a".to_owned(), Some("user 5".to_owned())), ("b".to_owned(), None)]);
        assert_eq!(rig.at(5 * MINUTE), ["Reminder b 1"]);
    }

    #[test]
    fn what_is_over_before_it_matters_is_not_said_and_what_grows_worse_is_said_anew() {
        let mut rig = Rig::new(20);
        let patient = Lasts::UntilOver { patience: Duration::from_secs(5) };
        rig.raise(condition("a", Severity::Warning, patient), 0);
        assert!(rig.at(4).is_empty());
        rig.0.over("a", "");
        assert!(rig.at(60).is_empty());
        rig.raise(condition("a", Severity::Warning, patient), 100);
        assert_eq!(rig.at(105), ["Began a 1"]);
        rig.0.acknowledge("a", "eva");
        let worse = condition("a", Severity::Critical, Lasts::UntilOver { patience: Duration::ZERO });
        rig.raise(Condition { seq: Some(8), ..worse.clone() }, 106);
        assert_eq!(rig.at(106), ["Began a 2"]);
        assert_eq!(rig.at(106 + 5 * MINUTE), ["Reminder a 2"], "what was acknowledged was less");
        // HALT after CANCEL_ONLY: as critical, and yet another thing.
        rig.0.acknowledge("a", "eva");
        rig.raise(Condition { seq: Some(9), rank: 4, ..worse.clone() }, 500);
        assert_eq!(rig.at(500), ["Began a 3"], "worse within its severity");
        rig.0.acknowledge("a", "eva");
        rig.raise(Condition { seq: Some(10), rank: 3, ..worse }, 501);
        assert_eq!(rig.at(501 + 20 * MINUTE), Vec::<String>::new(), "better is no news");
    }

    /// Who looks many times a second at what goes on sees it once; and the end goes to whoever was told the worst.
    #[test]
    fn what_goes_on_is_counted_once_and_its_end_is_as_bad_as_its_worst() {
        let mut rig = Rig::new(20);
        for (nth, second) in (0..1_000).zip(100..) {
            let seen = Condition { seq: None, at: nth, ..lasting("silent") };
            rig.raise(seen, second);
        }
        let (mut notices, now) = (Vec::new(), Duration::from_secs(1_100));
        rig.0.turn(now, &mut |notice| notices.push(notice));
        assert_eq!((notices[0].count, notices[0].at), (1, 0), "as of its beginning");
        let halt = condition("s", Severity::Critical, Lasts::UntilOver { patience: Duration::ZERO });
        rig.raise(halt, 1_101);
        rig.0.turn(now, &mut |notice| notices.push(notice));
        rig.raise(Condition { seq: Some(8), severity: Severity::Info, ..lasting("s") }, 1_102);
        rig.0.over("s", "armed");
        rig.0.turn(now, &mut |notice| notices.push(notice));
        let last = notices.last().unwrap();
        assert_eq!((last.phase, last.severity, last.told), (Phase::Over, Severity::Info, Severity::Critical));
        let mut numbers: Vec<u64> = notices.iter().map(|notice| notice.number).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), notices.len());
    }

    #[test]
    fn moments_are_one_while_they_come_back_and_their_number_is_told() {
        let mut rig = Rig::new(20);
        for second in 0..100 {
            let moment = condition("m", Severity::Warning, Lasts::Moment);
            rig.raise(Condition { seq: Some(second), ..moment }, second);
            rig.at(second);
        }
        assert!(rig.at(150).is_empty());
        assert_eq!(rig.at(300), ["Over m 100"]);
        rig.raise(condition("m", Severity::Warning, Lasts::Moment), 400);
        assert_eq!((rig.at(400), rig.at(900)), (vec!["Began m 1".to_owned()], vec![]));
        assert_eq!(rig.1, ["Began m 1", "Over m 100", "Began m 1"]);
    }

    #[test]
    fn a_flood_waits_its_turn_and_never_holds_up_what_is_critical() {
        let mut rig = Rig::new(10);
        for nth in 0..50 {
            rig.raise(lasting(&format!("w{nth:02}")), 0);
        }
        rig.raise(condition("bad", Severity::Critical, Lasts::Moment), 0);
        let said = rig.at(0);
        assert_eq!(said.len(), 12, "ten, the critical one, and that the rest waits: {said:?}");
        assert_eq!((said[0].as_str(), said[11].as_str()), ("Began bad 1", "Began alerts/flood 1"));
        // Six seconds bring one more.
        let later: usize = (1..=240).map(|second| rig.at(second).len()).sum();
        assert_eq!(later, 41, "all of them in the end, and that no one waits any more");
        assert_eq!(rig.1.iter().filter(|line| line.contains(" w")).count(), 50);
        assert_eq!(rig.1.last().map(String::as_str), Some("Over alerts/flood 1"), "{:?}", rig.1);
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_least_goes_first() {
        let mut rig = Rig::new(10);
        for nth in 0..2_000 {
            rig.raise(lasting(&format!("w{nth}")), 0);
        }
        rig.raise(condition("bad", Severity::Critical, Lasts::Moment), 0);
        assert_eq!(rig.0.open().count(), OPEN_MAX);
        assert_eq!(rig.0.dropped(), 2_000 - OPEN_MAX as u64 + 1);
        assert!(rig.0.open().any(|(key, ..)| key == "bad"));
        // All of the same severity, and none of them gives way: that they wait is told nevertheless, and when.
        let mut floods = Vec::new();
        rig.0.turn(Duration::from_secs(1), &mut |notice| floods.push((notice.key, notice.at)));
        assert!(floods.contains(&(FLOOD.to_owned(), 1)), "{floods:?}");
    }
}
