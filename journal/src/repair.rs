//! Repair: segments that are damaged, short or gone are taken from the mirror.
//!
//! Decided first, done afterwards. Every segment of the journal is examined by itself and against its neighbours; for
//! those that do not hold the mirror's stand in; and the journal as it would then be is judged whole, as `verify` judges
//! one: records, linkage, chain blocks, chain hashes. Only if that is sound, hangs together with something that the journal
//! still has, and loses no record that the damaged files seem to hold, is anything done. A segment that holds is never
//! touched.
//!
//! Done so: the mirror's records are copied to drafts, which are judged again in their places; then each damaged file gets
//! a second name, `….smcj.damagedN`, and its first name is given to the draft in one step of the file system. Killed between
//! any two steps, every segment is as it was or repaired, and another run ends the work. If the repaired journal is not what
//! was planned, the files are put back.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{HEADER_BYTES, IDENTITY_BYTES, LINK_AT, Link};
use crate::helper::chain_hasher;
use crate::lock::{Lock, Owner};
use crate::map::Region;
use crate::mirror::MirrorFault;
use crate::reader::Reader;
use crate::record::Source;
use crate::salvage::{copy_segment, valid_records};
use crate::segment::{Step, Walk, behind};
use crate::set::{self, Segment, Set};
use crate::snapshot;
use crate::verify::{Verdict, judge, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What was done, or with a dry run would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Segments taken from the mirror, in order; none where nothing was wrong.
    pub segments: Vec<Replaced>,
    /// Records the journal then has.
    pub records: u64,
    /// Chain hash over all of them.
    pub chain: [u8; 32],
}

/// One segment taken from the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its number.
    pub number: u32,
    /// What was wrong with it.
    pub damage: Damage,
    /// Under which name the damaged file is kept; none where there was none, or in a dry run.
    pub kept: Option<PathBuf>,
}

/// Why nothing was repaired. The journal is as it was.
#[derive(Debug)]
pub enum RepairError {
    /// A directory cannot be used: absent, no journal, in use, refused by the operating system.
    Journal(JournalError),
    /// The mirror has no sound segment for a damaged one.
    NoSegment {
        /// What is wrong in the journal.
        damage: Damage,
        /// What is wrong in the mirror.
        mirror: Damage,
    },
    /// Also with the mirror's segments in their places the journal would not hold.
    Unsound(Damage),
    /// The damaged files seem to hold records that the mirror does not have.
    Behind {
        /// Last record of the journal after such a repair.
        mirror_seq: u64,
        /// Last record that checks by itself in a damaged file.
        journal_seq: u64,
    },
    /// Nothing is left of the journal by which to know that the mirror is of it.
    NothingInCommon,
    /// The repaired journal was not what was planned; everything was put back.
    PutBack(Box<Verdict>),
}

/// Takes from `mirror` the segments that do not hold in the journal `dir`. A dry run only says which.
pub fn repair(
    dir: impl AsRef<Path>,
    mirror: impl AsRef<Path>,
    is_dry_run: bool,
) -> Result<Repaired, RepairError> {
    let (dir, mirror) = (dir.as_ref(), mirror.as_ref());
    refuse_same(dir, mirror)?;
    let _locks = (Lock::hold(dir)?, Lock::hold(mirror)?);
    let mut plan = Plan::of(dir, mirror)?;
    let mut wanted = plan.judge(|number| plan.source(number))?;
    // What only the chain hash over the newest segment, in its Close record, can tell.
    while let Some(damage) = &wanted.damage
        && matches!(damage.reason, Reason::Chain | Reason::Close)
        && plan.doubt(damage)
    {
        wanted = plan.judge(|number| plan.source(number))?;
    }
    if let Some(damage) = wanted.damage.clone().or_else(|| wanted.torn.clone()) {
        return Err(RepairError::Unsound(damage));
    }
    let mut done = Repaired { segments: plan.replaced(), records: wanted.records, chain: wanted.chain };
    if plan.wrong.is_empty() {
        return Ok(done);
    }
    plan.check_kinship()?;
    plan.check_loss(&wanted)?;
    if !is_dry_run {
        plan.carry_out(&wanted, &mut done.segments)?;
    }
    Ok(done)
}

fn refuse_same(dir: &Path, mirror: &Path) -> Result<(), JournalError> {
    let identity = |dir: &Path| {
        let found = fs::metadata(dir).map_err(JournalError::io("read", dir))?;
        Ok::<_, JournalError>((found.dev(), found.ino()))
    };
    if identity(dir)? == identity(mirror)? {
        return Err(JournalError::Mirror { dir: mirror.to_owned(), fault: MirrorFault::SameDirectory });
    }
    Ok(())
}

/// The segment files of a directory, each opened by itself.
struct Side {
    dir: PathBuf,
    files: BTreeMap<u32, Result<Segment, Damage>>,
}

/// What a segment holds, walked and hashed from its own chain block.
struct Exam {
    /// Behind the last record, in front of an end mark.
    records_end: u64,
    /// Behind the end mark, if there is one.
    used: u64,
    link: Link,
    /// What the next segment's chain block must say.
    next: Link,
    is_ended: bool,
}

/// What is wrong, and what stands in for it.
struct Plan {
    journal: Side,
    mirror: Side,
    first: u32,
    last: u32,
    /// Segments to be taken from the mirror.
    wrong: BTreeMap<u32, Damage>,
}

impl Side {
    fn open(dir: &Path, first: u32) -> Result<Self, JournalError> {
        let mut files = BTreeMap::new();
        for number in set::numbers(dir)?.into_iter().filter(|&number| number >= first) {
            match Segment::open(dir, number) {
                Ok(Some(segment)) => files.insert(number, Ok(segment)),
                Ok(None) => None,
                Err(JournalError::Damage(damage)) => files.insert(number, Err(damage)),
                Err(error) => return Err(error),
            };
        }
        Ok(Self { dir: dir.to_owned(), files })
    }

    fn last(&self) -> u32 {
        self.files.last_key_value().map_or(0, |(&number, _)| number)
    }

    fn segment(&self, number: u32) -> Option<&Segment> {
        self.files.get(&number)?.as_ref().ok()
    }

    fn link(&self, number: u32) -> Option<Link> {
        self.segment(number)?.head.link
    }

    /// Examines a segment. `before` is what the one before says of it, for those without a chain block of their own;
    /// `limit` is where it ends if its next one is not there to say.
    fn examine(&self, number: u32, before: Option<&Exam>, limit: Option<u64>) -> Result<Exam, Damage> {
        let at = |offset, reason| Damage { segment: number, offset, seq: 0, reason };
        let segment = match self.files.get(&number) {
            None => return Err(at(0, Reason::Missing)),
            Some(Err(damage)) => return Err(damage.clone()),
            Some(Ok(segment)) => segment,
        };
        let is_followed = self.files.range(number + 1..).any(|(&later, _)| self.link(later).is_some());
        let link = match (segment.head.link, before) {
            (Some(link), _) => link,
            (None, Some(before)) if !is_followed => before.next,
            (None, _) => return Err(at(LINK_AT, Reason::LinkAbsent)),
        };
        let next = self.segment(number.saturating_add(1)).map(|next| next.head.link);
        let stated = next.map_or(limit, |link| link.map(|link| link.prev_used));
        examine(segment, link, stated)
    }
}

fn examine(segment: &Segment, link: Link, limit: Option<u64>) -> Result<Exam, Damage> {
    let region = &segment.region;
    let mut walk = Walk::new(segment.number, link.first_seq, Some(link.prev_crc));
    let mut records_end = walk.offset;
    while walk.offset < limit.unwrap_or(u64::MAX) {
        match walk.step(region)? {
            Step::Record(_) => records_end = walk.offset,
            Step::End => {}
            Step::Nothing => break,
        }
    }
    let used = walk.offset;
    match limit {
        Some(stated) if stated != used => return Err(walk.damage(Reason::PreviousEnd { stated })),
        None if behind(region, used, walk.next_seq).bytes > 0 => return Err(walk.damage(Reason::Unwritten)),
        _ => {}
    }
    let mut hasher = chain_hasher(&blake3::Hash::from_bytes(link.prev_chain), region);
    hasher.update(region.bytes(HEADER_BYTES, used - HEADER_BYTES).unwrap_or_default());
    let next = Link {
        first_seq: walk.next_seq,
        prev_used: used,
        prev_crc: walk.prev_crc.unwrap_or(0),
        is_run_start: false,
        prev_chain: *hasher.finalize().as_bytes(),
    };
    Ok(Exam { records_end, used, link, next, is_ended: walk.is_ended })
}

impl Exam {
    fn has_records(&self) -> bool {
        self.records_end > HEADER_BYTES
    }

    /// Whether a segment with this chain block can follow.
    fn leads_to(&self, link: &Link) -> bool {
        (self.is_ended || link.is_run_start) && Link { is_run_start: false, ..*link } == self.next
    }
}

impl Plan {
    fn of(dir: &Path, mirror: &Path) -> Result<Self, RepairError> {
        let first = snapshot::base_numbers(dir)?.pop().unwrap_or(1);
        let journal = Side::open(dir, first)?;
        let mirror = Side::open(mirror, first)?;
        if mirror.files.is_empty() {
            return Err(JournalError::Empty { dir: mirror.dir }.into());
        }
        let newest = Owner::read(dir).segment;
        if journal.files.is_empty() && newest == 0 {
            return Err(JournalError::Empty { dir: journal.dir }.into());
        }
        let last = journal.last().max(newest);
        let mut plan = Self { journal, mirror, first, last, wrong: BTreeMap::new() };
        let theirs = plan.examine_mirror();
        let ours = plan.find_wrong(&theirs)?;
        plan.find_short(&ours, &theirs);
        Ok(plan)
    }

    fn examine_mirror(&self) -> BTreeMap<u32, Result<Exam, Damage>> {
        let mut out: BTreeMap<u32, Result<Exam, Damage>> = BTreeMap::new();
        for number in self.first..=self.last.max(self.mirror.last()) {
            let before = out.get(&(number - 1)).and_then(|exam| exam.as_ref().ok());
            let exam = self.mirror.examine(number, before, None);
            out.insert(number, exam);
        }
        out
    }

    /// Segments that do not hold by themselves, or not beside their neighbours. Returns what holds.
    fn find_wrong(
        &mut self,
        theirs: &BTreeMap<u32, Result<Exam, Damage>>,
    ) -> Result<BTreeMap<u32, Exam>, RepairError> {
        let mut ours: BTreeMap<u32, Exam> = BTreeMap::new();
        let mut misfits = BTreeMap::new();
        for number in self.first..=self.last {
            let stand_in = || theirs.get(&(number - 1)).and_then(|exam| exam.as_ref().ok());
            let before = ours.get(&(number - 1)).or_else(stand_in);
            let limit = self.mirror.link(number.saturating_add(1)).map(|next| next.prev_used);
            match self.journal.examine(number, before, limit) {
                Ok(exam) => {
                    let own = self.journal.link(number);
                    if let (Some(before), Some(link)) = (ours.get(&(number - 1)), own)
                        && !before.leads_to(&link)
                    {
                        // One of the two is wrong; the mirror knows which.
                        let at = |segment, offset| Damage { segment, offset, seq: 0, reason: Reason::Chain };
                        misfits.insert(number - 1, at(number - 1, HEADER_BYTES));
                        misfits.insert(number, at(number, LINK_AT));
                    }
                    ours.insert(number, exam);
                }
                Err(damage) => match theirs.get(&number) {
                    Some(Ok(_)) => {
                        self.wrong.insert(number, damage);
                    }
                    Some(Err(mirror)) => {
                        return Err(RepairError::NoSegment { damage, mirror: mirror.clone() });
                    }
                    None => return Err(RepairError::Unsound(damage)),
                },
            }
        }
        for (number, damage) in misfits {
            if let Some(Ok(exam)) = theirs.get(&number)
                && !self.is_same(number, exam.used)
            {
                self.wrong.insert(number, damage);
                ours.remove(&number);
            }
        }
        Ok(ours)
    }

    /// Where the journal ends before the mirror does, and the mirror goes on from there.
    fn find_short(&mut self, ours: &BTreeMap<u32, Exam>, theirs: &BTreeMap<u32, Result<Exam, Damage>>) {
        let their = |number: u32| theirs.get(&number).and_then(|exam| exam.as_ref().ok());
        let is_written =
            |number: &u32| self.wrong.contains_key(number) || ours.get(number).is_some_and(Exam::has_records);
        let newest = (self.first..=self.last).rev().find(is_written).unwrap_or(self.first);
        let short = |segment, exam: &Exam| Damage {
            segment,
            offset: exam.records_end,
            seq: exam.next.first_seq,
            reason: Reason::Unwritten,
        };
        if let (Some(our), Some(their)) = (ours.get(&newest), their(newest)) {
            if !self.is_same(newest, our.records_end) || their.used < our.used {
                return;
            }
            if our.used < their.used {
                self.wrong.insert(newest, short(newest, our));
            }
        }
        for number in newest + 1.. {
            let Some(exam) = their(number).filter(|exam| exam.has_records()) else { break };
            let missing =
                Damage { segment: number, offset: 0, seq: exam.link.first_seq, reason: Reason::Missing };
            let damage = ours.get(&number).map_or(missing, |our| short(number, our));
            self.wrong.entry(number).or_insert(damage);
            self.last = self.last.max(number);
        }
    }

    /// Whether journal and mirror have the same identity, chain block (where both have one) and records up to `used`.
    fn is_same(&self, number: u32, used: u64) -> bool {
        let (Some(ours), Some(theirs)) = (self.journal.segment(number), self.mirror.segment(number)) else {
            return false;
        };
        let is_equal = |from, len| ours.region.bytes(from, len) == theirs.region.bytes(from, len);
        let is_linked_so =
            ours.head.link.is_none() || theirs.head.link.is_none() || ours.head.link == theirs.head.link;
        is_linked_so && is_equal(0, IDENTITY_BYTES as u64) && is_equal(HEADER_BYTES, used - HEADER_BYTES)
    }

    /// The file that a segment is taken from.
    fn source(&self, number: u32) -> PathBuf {
        let home = if self.wrong.contains_key(&number) { &self.mirror.dir } else { &self.journal.dir };
        set::path(home, number)
    }

    /// Takes a segment from the mirror too, if that has another.
    fn doubt(&mut self, damage: &Damage) -> bool {
        let number = damage.segment;
        let theirs = self.mirror.segment(number).map(|segment| segment.region.len());
        let is_other = theirs.is_some_and(|len| !self.is_same(number, len));
        is_other && self.wrong.insert(number, damage.clone()).is_none()
    }

    fn replaced(&self) -> Vec<Replaced> {
        let list = self.wrong.iter();
        list.map(|(&number, damage)| Replaced { number, damage: damage.clone(), kept: None }).collect()
    }

    /// The judgement on the journal as it would be with the files that `path` gives.
    fn judge(&self, path: impl Fn(u32) -> PathBuf) -> Result<Verdict, RepairError> {
        let base = snapshot::newest_base(&self.journal.dir)?;
        let mut set = Set { dir: self.journal.dir.clone(), base, segments: Vec::new() };
        for number in self.first..=self.last {
            let missing = || Damage { segment: number, offset: 0, seq: 0, reason: Reason::Missing };
            let segment = match Segment::open_file(&path(number), number) {
                Ok(segment) => segment.ok_or_else(|| RepairError::Unsound(missing()))?,
                Err(JournalError::Damage(damage)) => return Err(RepairError::Unsound(damage)),
                Err(error) => return Err(error.into()),
            };
            if let Some(damage) = set.misfit(&segment) {
                return Err(RepairError::Unsound(damage));
            }
            set.segments.push(segment);
        }
        if let Some(base) = &set.base {
            let link = set.segments.first().and_then(|first| first.head.link.as_ref());
            snapshot::check_base(base, link).map_err(RepairError::Unsound)?;
        }
        Ok(judge(&Reader::of(set)))
    }

    /// A mirror of another journal with the same header would fit itself: something of ours must be in it. A segment of
    /// ours that stays is enough, as the whole was judged with it.
    fn check_kinship(&self) -> Result<(), RepairError> {
        let stays = |number: u32| {
            !self.wrong.contains_key(&number)
                && self.journal.segment(number).is_some_and(|segment| {
                    segment.region.word(HEADER_BYTES).is_some_and(|commit| commit != 0)
                })
        };
        if (self.first..=self.last).any(stays) || self.wrong.keys().any(|&number| self.shares_record(number))
        {
            return Ok(());
        }
        Err(RepairError::NothingInCommon)
    }

    /// Whether a record of the mirror's segment stands in the damaged file, at the same place.
    fn shares_record(&self, number: u32) -> bool {
        let (Some(ours), Some(theirs)) = (self.file(number), self.mirror.segment(number)) else {
            return false;
        };
        let Some(link) = theirs.head.link else { return false };
        let mut walk = Walk::new(number, link.first_seq, Some(link.prev_crc));
        loop {
            let from = walk.offset;
            match walk.step(&theirs.region) {
                Ok(Step::Record(_)) => {}
                Ok(Step::End | Step::Nothing) | Err(_) => return false,
            }
            let record = ours.bytes(from, walk.offset - from);
            if record.is_some() && record == theirs.region.bytes(from, walk.offset - from) {
                return true;
            }
        }
    }

    /// No record that seems to be in a damaged file may be missing afterwards.
    fn check_loss(&self, wanted: &Verdict) -> Result<(), RepairError> {
        let mirror_seq = wanted.list.iter().map(|info| info.last_seq).max().unwrap_or(0);
        let seen = |&number: &u32| valid_records(&self.file(number)?, HEADER_BYTES, 1).1.into();
        let journal_seq = self.wrong.keys().filter_map(seen).max().unwrap_or(0);
        if journal_seq > mirror_seq {
            return Err(RepairError::Behind { mirror_seq, journal_seq });
        }
        Ok(())
    }

    /// The bytes of a segment of the journal, whatever they are.
    fn file(&self, number: u32) -> Option<Region> {
        let file = File::open(set::path(&self.journal.dir, number)).ok()?;
        if file.metadata().ok()?.len() == 0 { None } else { Region::open(&file).ok() }
    }

    fn carry_out(&self, wanted: &Verdict, segments: &mut [Replaced]) -> Result<(), RepairError> {
        let numbers: BTreeSet<u32> = self.wrong.keys().copied().collect();
        let drafted = numbers.iter().try_for_each(|&number| self.draft(number, wanted)).and_then(|()| {
            let path =
                |number| if numbers.contains(&number) { self.draft_path(number) } else { self.path(number) };
            let again = self.judge(path)?;
            if again.is_sound() && again.chain == wanted.chain {
                return Ok(());
            }
            Err(RepairError::PutBack(Box::new(again)))
        });
        let mut swapped = 0;
        let done = drafted.and_then(|()| {
            for replaced in segments.iter_mut() {
                replaced.kept = self.swap(replaced.number)?;
                swapped += 1;
            }
            step(|| File::open(&self.journal.dir)?.sync_all())
                .map_err(JournalError::io("sync", &self.journal.dir))?;
            let found = verify(&self.journal.dir)?;
            if found.is_sound() && found.chain == wanted.chain {
                return Ok(());
            }
            Err(RepairError::PutBack(Box::new(found)))
        });
        if done.is_err() {
            for replaced in segments.iter().take(swapped).rev() {
                self.put_back(replaced);
            }
            for &number in &numbers {
                let _ = fs::remove_file(self.draft_path(number));
            }
        }
        done
    }

    fn path(&self, number: u32) -> PathBuf {
        set::path(&self.journal.dir, number)
    }

    fn draft_path(&self, number: u32) -> PathBuf {
        self.path(number).with_extension("smcj.repair")
    }

    fn draft(&self, number: u32, wanted: &Verdict) -> Result<(), RepairError> {
        let Some(segment) = self.mirror.segment(number) else { return Ok(()) };
        let info = wanted.list.iter().find(|info| info.number == number);
        let used = info.map_or(HEADER_BYTES, |info| info.bytes_used);
        let draft = self.draft_path(number);
        step(|| copy_segment(segment, used, &draft)).map_err(JournalError::io("write", &draft))?;
        Ok(())
    }

    /// Gives the damaged file its second name, then its first to the draft.
    fn swap(&self, number: u32) -> Result<Option<PathBuf>, RepairError> {
        let (path, draft) = (self.path(number), self.draft_path(number));
        let kept = match fs::metadata(&path) {
            Ok(damaged) => Some(keep(&path, &damaged).map_err(JournalError::io("keep", &path))?),
            Err(_) => None,
        };
        step(|| fs::rename(&draft, &path)).map_err(JournalError::io("replace", &path))?;
        Ok(kept)
    }

    fn put_back(&self, replaced: &Replaced) {
        let path = self.path(replaced.number);
        let _ = match &replaced.kept {
            Some(kept) => fs::rename(kept, &path),
            None => fs::remove_file(&path),
        };
    }
}

/// A second name for a damaged file: the first that is free, or the one that a killed repair has given it.
fn keep(path: &Path, damaged: &fs::Metadata) -> io::Result<PathBuf> {
    let mut nth = 1u32;
    loop {
        let kept = path.with_extension(format!("smcj.damaged{nth}"));
        match fs::metadata(&kept) {
            Ok(found) if (found.dev(), found.ino()) == (damaged.dev(), damaged.ino()) => return Ok(kept),
            Ok(_) => nth = nth.saturating_add(1),
            Err(_) => {
                step(|| fs::hard_link(path, &kept))?;
                return Ok(kept);
            }
        }
    }
}

/// Every operation that changes a file goes through here, so that a test can end the process before any of them.
fn step<T>(operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    #[cfg(test)]
    tests::perhaps_killed();
    operation()
}

impl From<JournalError> for RepairError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl std::error::Error for RepairError {}

impl fmt::Display for RepairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(error) => error.fmt(f),
            Self::NoSegment { damage, mirror } => {
                write!(f, "damaged: {damage}; and the mirror has no sound one: {mirror}")
            }
            Self::Unsound(damage) => {
                write!(f, "with the mirror's segments it would not hold either: {damage}")
            }
            Self::Behind { mirror_seq, journal_seq } => write!(
                f,
                "the mirror ends with record {mirror_seq}, and the damaged files seem to hold records up to {journal_seq}"
            ),
            Self::NothingInCommon => {
                f.write_str("no record is left by which to know that the mirror is of this journal")
            }
            Self::PutBack(verdict) => {
                write!(f, "repaired it was not what was planned, and was put back: {verdict}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Header, JournalSettings, RecordKind, SyncPolicy, Writer};
    use smc_core::TsNs;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    thread_local! {
        /// Operations that still go through; then the process ends, as it were.
        static LIFE: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    pub(super) fn perhaps_killed() {
        let life = LIFE.get();
        // Unwinding runs no code of the repair: what is on the disk is what a kill leaves.
        assert!(life > 0, "killed");
        LIFE.set(life - 1);
    }

    fn make(dir: &Path, mirror: &Path) -> Verdict {
        let settings = JournalSettings {
            segment_bytes: 4096,
            sync: SyncPolicy::Off,
            mirror: Some(mirror.to_owned()),
            ..JournalSettings::new(dir)
        };
        let mut writer = Writer::create(&settings, &Header::default()).unwrap();
        while writer.segment() < 5 {
            if writer.append(RecordKind::Input, TsNs(1), &[7; 100]).is_err() {
                std::thread::yield_now();
            }
        }
        writer.close().unwrap();
        verify(dir).unwrap()
    }

    fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Killed before each of its operations in turn, repair leaves every segment as it was or repaired, and another
    /// run ends the work.
    #[test]
    fn j03_j04_repair_killed_at_any_step_leaves_the_old_or_the_repaired_segments() {
        let home = tempfile::tempdir().unwrap();
        let (dir, mirror) = (home.path().join("journal"), home.path().join("mirror"));
        let sound = make(&dir, &mirror);
        let (one, two, four) = (set::path(&dir, 1), set::path(&dir, 2), set::path(&dir, 4));
        let whole = files(&dir);
        for life in 0.. {
            for (path, bytes) in &whole {
                fs::write(path, bytes).unwrap();
            }
            let mut bytes = whole[&one].clone();
            bytes[700] ^= 1;
            fs::write(&one, &bytes).unwrap();
            fs::remove_file(&two).unwrap();
            let mut cut = whole[&four].clone();
            cut.truncate(3000);
            fs::write(&four, &cut).unwrap();
            LIFE.set(life);
            let end = catch_unwind(AssertUnwindSafe(|| repair(&dir, &mirror, false)));
            LIFE.set(u32::MAX);
            for (path, was) in [(&one, Some(&bytes)), (&two, None), (&four, Some(&cut))] {
                let now = fs::read(path).ok();
                let is_repaired = now.as_ref().is_some_and(|now| now[512..] == whole[path][512..]);
                assert!(now.as_ref() == was || is_repaired, "{} after {life} steps", path.display());
            }
            let is_over = end.is_ok();
            let done = end.unwrap_or_else(|_| repair(&dir, &mirror, false)).unwrap();
            assert_eq!(done.chain, sound.chain);
            assert_eq!(verify(&dir).unwrap().chain, sound.chain);
            let kept = files(&dir).into_keys().filter(|path| path.to_string_lossy().contains("damaged"));
            assert_eq!(kept.count(), 2, "each damaged file once, after {life} steps");
            for path in files(&dir).into_keys().filter(|path| !whole.contains_key(path)) {
                fs::remove_file(path).unwrap();
            }
            if is_over {
                assert!(life > 7, "{life} steps");
                break;
            }
        }
    }

    /// A disk that refuses in the middle: what was done is put back.
    #[test]
    fn a_repair_that_cannot_go_on_puts_everything_back() {
        let home = tempfile::tempdir().unwrap();
        let (dir, mirror) = (home.path().join("journal"), home.path().join("mirror"));
        make(&dir, &mirror);
        let (one, three) = (set::path(&dir, 1), set::path(&dir, 3));
        for path in [&one, &three] {
            let mut bytes = fs::read(path).unwrap();
            bytes[700] ^= 1;
            fs::write(path, bytes).unwrap();
        }
        let before = files(&dir);
        let plan = Plan::of(&dir, &mirror).unwrap();
        let wanted = plan.judge(|number| plan.source(number)).unwrap();
        let wrong = Verdict { chain: [0; 32], ..wanted.clone() };
        assert!(matches!(plan.carry_out(&wrong, &mut plan.replaced()), Err(RepairError::PutBack(_))));
        assert_eq!(files(&dir), before);
        let mut segments = plan.replaced();
        plan.draft(1, &wanted).unwrap();
        segments[0].kept = plan.swap(1).unwrap();
        assert_ne!(files(&dir), before);
        plan.put_back(&segments[0]);
        assert_eq!(files(&dir), before);
    }
}
