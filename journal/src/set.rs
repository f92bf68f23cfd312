//! The segments of a journal directory, mapped for reading, and the walk over all their records.
//!
//! The walk decides what the end of the valid records is: a clean end, a torn tail, or damage in the middle.
//! The rule: if anything committed and valid follows the place, it is damage and the walk refuses.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{HEADER_BYTES, LINK_AT};
use crate::lock::Owner;
use crate::map::Region;
use crate::reader::Ending;
use crate::record::{Record, Source};
use crate::segment::{Behind, Head, Step, Walk, behind, read_head};
use crate::snapshot::{self, Place, Snapshot};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const EXTENSION: &str = "smcj";

/// One segment file, mapped; its header checks.
pub(crate) struct Segment {
    pub number: u32,
    pub region: Region,
    pub head: Head,
    /// Device and number of the file: as long as it is mapped no other file has them.
    pub file: (u64, u64),
}

/// All segments of a directory as they were when it was listed.
pub(crate) struct Set {
    pub dir: PathBuf,
    /// What the pruned segments before the first came to; none where the first is segment 1.
    pub base: Option<Snapshot>,
    /// Never empty; numbers run from 1, or from the base's, without a hole.
    pub segments: Vec<Segment>,
}

/// The file of a segment.
pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.{EXTENSION}"))
}

/// Numbers of the segments in a directory, ascending.
pub(crate) fn numbers(dir: &Path) -> Result<Vec<u32>, JournalError> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io("read", dir))? {
        let name = entry.map_err(JournalError::io("read", dir))?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(EXTENSION)?.strip_suffix('.'));
        if let Some(digits) = digits
            && digits.len() == 8
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = digits.parse()
        {
            out.push(number);
        }
    }
    out.sort_unstable();
    Ok(out)
}

impl Segment {
    /// Opens and checks one; `None` if there is no such file.
    pub fn open(dir: &Path, number: u32) -> Result<Option<Self>, JournalError> {
        Self::open_file(&path(dir, number), number)
    }

    /// Opens and checks one under any name.
    pub fn open_file(path: &Path, number: u32) -> Result<Option<Self>, JournalError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(JournalError::io("open", path)(source)),
        };
        let damage = |reason| Damage { segment: number, offset: 0, seq: 0, reason };
        let about = file.metadata().map_err(JournalError::io("read", path))?;
        let found = about.len();
        if found == 0 {
            return Err(damage(Reason::Short { needed: HEADER_BYTES, got: 0 }).into());
        }
        let region = Region::open(&file).map_err(JournalError::io("map", path))?;
        let head = read_head(&region).map_err(damage)?;
        if head.identity.number != number {
            return Err(damage(Reason::Number { found: head.identity.number }).into());
        }
        let stated = head.identity.segment_bytes;
        if stated != found {
            return Err(damage(Reason::Size { stated, found }).into());
        }
        Ok(Some(Self { number, region, head, file: (about.dev(), about.ino()) }))
    }

    /// Names what two segments of one journal must share and do not.
    fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let (a, b) = (&self.head.identity.header, &other.head.identity.header);
        if a.account != b.account {
            return Some("account");
        }
        if a.environment != b.environment {
            return Some("environment");
        }
        (a.instruments_hash != b.instruments_hash).then_some("instrument table")
    }
}

impl Set {
    /// Maps every segment and checks every header.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        match Self::open_prefix(dir)? {
            (_, Some(damage)) => Err(damage.into()),
            (set, None) => Ok(set),
        }
    }

    /// Maps the segments before the first whose header does not check, and names that one. The set may be empty.
    pub fn open_prefix(dir: &Path) -> Result<(Self, Option<Damage>), JournalError> {
        let numbers = numbers(dir)?;
        let base = snapshot::newest_base(dir)?;
        let first = base.as_ref().map_or(1, |base| base.place.segment);
        if numbers.is_empty() && base.is_none() {
            return Err(JournalError::Empty { dir: dir.to_owned() });
        }
        let missing = |segment| Damage { segment, offset: 0, seq: 0, reason: Reason::Missing };
        let mut set = Self { dir: dir.to_owned(), base, segments: Vec::with_capacity(numbers.len()) };
        // What stands before the base is what a prune that was killed had not removed yet.
        for (expected, number) in (first..).zip(numbers.into_iter().skip_while(|&number| number < first)) {
            if number != expected {
                return Ok((set, Some(missing(expected))));
            }
            let segment = match Segment::open(dir, number) {
                Ok(Some(segment)) => segment,
                // Gone between listing and opening: a spare that a closing writer removed, so the last one.
                Ok(None) => break,
                Err(JournalError::Damage(damage)) => return Ok((set, Some(damage))),
                Err(error) => return Err(error),
            };
            if let Some(damage) = set.misfit(&segment) {
                return Ok((set, Some(damage)));
            }
            set.segments.push(segment);
        }
        let next = first + set.segments.len() as u32;
        if set.segments.is_empty() || next <= Owner::read(dir).segment {
            return Ok((set, Some(missing(next))));
        }
        let damage = set.base.as_ref().and_then(|base| {
            let link = set.segments.first().and_then(|first| first.head.link.as_ref());
            snapshot::check_base(base, link).err()
        });
        Ok((set, damage))
    }

    /// Names what a further segment does not share with the first.
    pub fn misfit(&self, segment: &Segment) -> Option<Damage> {
        let name = segment.differs_from(self.segments.first()?)?;
        Some(Damage { segment: segment.number, offset: 0, seq: 0, reason: Reason::Identity { name } })
    }
}

/// Goes over all records of a set.
pub(crate) struct Walker<'a> {
    set: &'a Set,
    /// The segment the walk is in.
    pub index: usize,
    pub walk: Walk,
    /// Where the next segment says this one ends; `u64::MAX` if it says nothing.
    limit: u64,
    /// Where the records of each segment left so far end.
    pub used: Vec<u64>,
    /// Set once there is nothing more.
    pub ending: Option<Ending>,
}

impl<'a> Walker<'a> {
    pub fn new(set: &'a Set) -> Self {
        let walk = set.base.as_ref().map_or(Walk::new(1, 1, Some(0)), |base| {
            Walk::new(base.place.segment, base.place.seq.saturating_add(1), Some(base.place.crc))
        });
        let mut walker = Self {
            set,
            index: 0,
            walk,
            limit: u64::MAX,
            used: Vec::with_capacity(set.segments.len()),
            ending: None,
        };
        walker.limit = walker.limit_of(0);
        walker
    }

    /// From the record behind `place`, which stands before `offset`; what is before it is not looked at.
    pub fn after(set: &'a Set, place: &Place, offset: u64) -> Self {
        let before = set.segments.iter().take_while(|segment| segment.number < place.segment);
        let mut walk = Walk::new(place.segment, place.seq.saturating_add(1), Some(place.crc));
        walk.offset = offset;
        Self::at(set, before.count(), walk)
    }

    /// From a walk in segment `index`; what is before it is not looked at.
    pub fn at(set: &'a Set, index: usize, walk: Walk) -> Self {
        let mut walker = Self { index, walk, ..Self::new(set) };
        // Where the segments passed over end is what their next ones say.
        walker.used.extend((0..index).map(|index| walker.limit_of(index)).collect::<Vec<_>>());
        walker.limit = walker.limit_of(index);
        walker
    }

    /// The next record, the damage that ends the walk, or nothing more: then `ending` says how it ended.
    #[inline]
    pub fn next(&mut self) -> Option<Result<Record<'a>, Damage>> {
        while self.ending.is_none() {
            let segment: &'a Segment = self.set.segments.get(self.index)?;
            if self.walk.offset >= self.limit {
                if let Err(damage) = self.enter_linked() {
                    return self.refuse(damage);
                }
                continue;
            }
            match self.walk.step(&segment.region) {
                Ok(Step::Record(record)) => return Some(Ok(record)),
                Ok(Step::End) => {
                    if self.limit == u64::MAX
                        && let Err(damage) = self.enter_unlinked()
                    {
                        return self.refuse(damage);
                    }
                }
                Ok(Step::Nothing) => {
                    if let Err(damage) = self.stop(segment, None) {
                        return self.refuse(damage);
                    }
                }
                Err(damage) => {
                    if let Err(damage) = self.stop(segment, Some(damage)) {
                        return self.refuse(damage);
                    }
                }
            }
        }
        None
    }

    /// Checks that the first segment is a beginning. One behind a base was checked when the set was opened.
    pub fn begin(&self) -> Result<(), Damage> {
        let Some(first) = self.set.segments.first().filter(|_| self.set.base.is_none()) else {
            return Ok(());
        };
        let at_link = |reason| Damage { segment: 1, offset: LINK_AT, seq: 1, reason };
        match first.head.link {
            None => Err(at_link(Reason::LinkAbsent)),
            Some(link) if link.first_seq != 1 => Err(at_link(Reason::FirstSeq { found: link.first_seq })),
            Some(link) if link.prev_chain != [0; 32] || link.prev_crc != 0 || link.prev_used != 0 => {
                Err(at_link(Reason::Chain))
            }
            Some(_) => Ok(()),
        }
    }

    fn limit_of(&self, index: usize) -> u64 {
        let next = self.set.segments.get(index + 1);
        next.and_then(|next| next.head.link).map_or(u64::MAX, |link| link.prev_used)
    }

    /// Goes on to the next segment, which says how it hangs on this one.
    fn enter_linked(&mut self) -> Result<(), Damage> {
        let Some(next) = self.set.segments.get(self.index + 1) else { return Ok(()) };
        let Some(link) = next.head.link else { return Ok(()) };
        let before = self.walk;
        if before.offset != link.prev_used || !(before.is_ended || link.is_run_start) {
            return Err(before.damage(Reason::PreviousEnd { stated: link.prev_used }));
        }
        let seq = before.next_seq;
        let at_link = |reason| Damage { segment: next.number, offset: LINK_AT, seq, reason };
        if link.first_seq != seq {
            return Err(at_link(Reason::FirstSeq { found: link.first_seq }));
        }
        if let Some(expected) = before.prev_crc
            && link.prev_crc != expected
        {
            return Err(at_link(Reason::Linkage { found: link.prev_crc, expected }));
        }
        self.enter(next.number);
        Ok(())
    }

    /// Goes on to the next segment, which the helper had not tied to this one yet.
    fn enter_unlinked(&mut self) -> Result<(), Damage> {
        let number = self.walk.segment.saturating_add(1);
        let seq = self.walk.next_seq;
        let Some(next) = self.set.segments.get(self.index + 1) else {
            if path(&self.set.dir, number).exists() {
                // A live journal that went on after we listed the directory.
                self.end(Ending::Open);
                return Ok(());
            }
            return Err(Damage { segment: number, offset: 0, seq, reason: Reason::Missing });
        };
        let rest = self.set.segments.get(self.index + 2..).unwrap_or_default();
        // Looked at again: in a live journal the helper may have written it since the headers were read.
        let is_tied = next.region.word(LINK_AT).is_some_and(|commit| commit != 0);
        if !is_tied && rest.iter().any(|later| later.head.link.is_some()) {
            let reason = Reason::LinkAbsent;
            return Err(Damage { segment: next.number, offset: LINK_AT, seq, reason });
        }
        self.enter(next.number);
        Ok(())
    }

    fn enter(&mut self, number: u32) {
        self.used.push(self.walk.offset);
        self.index += 1;
        self.walk = Walk::new(number, self.walk.next_seq, self.walk.prev_crc);
        self.limit = self.limit_of(self.index);
    }

    /// No expected record stands here: is this the end, a torn tail, or damage?
    #[cold]
    fn stop(&mut self, segment: &Segment, damage: Option<Damage>) -> Result<(), Damage> {
        let walk = self.walk;
        let later = self.set.segments.get(self.index + 1..).unwrap_or_default();
        let is_followed = later.iter().any(|later| {
            later.head.link.is_some() || behind(&later.region, HEADER_BYTES, walk.next_seq).is_valid
        });
        let Behind { is_valid, bytes } = behind(&segment.region, walk.offset, walk.next_seq);
        // Asked last: looking is what finds out.
        if segment.region.is_torn() {
            return Err(walk.damage(Reason::Cut));
        }
        if is_followed || is_valid {
            // In a live journal the record may have come while we looked behind it.
            if damage.is_none() && segment.region.word(walk.offset).is_some_and(|word| word != 0) {
                return Ok(());
            }
            return Err(damage.unwrap_or_else(|| walk.damage(Reason::Unwritten)));
        }
        self.end(match damage {
            Some(at) => Ending::Torn { at, dropped_bytes: bytes },
            None if bytes > 0 => Ending::Torn { at: walk.damage(Reason::Unwritten), dropped_bytes: bytes },
            None if walk.is_closed => Ending::Closed,
            None => Ending::Open,
        });
        Ok(())
    }

    fn end(&mut self, ending: Ending) {
        self.used.push(self.walk.offset);
        self.ending = Some(ending);
    }

    #[cold]
    fn refuse(&mut self, damage: Damage) -> Option<Result<Record<'a>, Damage>> {
        self.end(Ending::Damaged(damage.clone()));
        Some(Err(damage))
    }
}
