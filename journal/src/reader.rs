//! Reading a journal: zero-copy iteration over every record, each one checked.
//!
//! Maps read-only and never writes. Works on a journal at rest and, as a snapshot, on a live one; to follow a
//! live one use [`Tail`](crate::Tail).

use crate::error::{Damage, JournalError};
use crate::format::Header;
use crate::index::Indexes;
use crate::record::{Record, Source};
use crate::segment::Walk;
use crate::set::{Set, Walker};
use crate::snapshot::{self, Place, Snapshot};
use smc_core::TsNs;
use std::path::Path;

/// A journal opened for reading.
pub struct Reader {
    set: Set,
    indexes: Indexes,
}

/// Iterates over the records in order. Yields one `Err` and nothing after it if the journal is damaged.
pub struct Records<'a> {
    walker: Walker<'a>,
    /// Given before what the walker gives next: the record sought, or why there is none.
    held: Option<Result<Record<'a>, Damage>>,
}

/// What a segment's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHead {
    /// Its number, from 1.
    pub number: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// Who wrote it.
    pub header: Header,
    /// Number of its first record; `None` while it is not tied to the segment before.
    pub first_seq: Option<u64>,
    /// A run begins here: the journal was created or resumed.
    pub is_run_start: bool,
    /// Records below this offset were synced; 0 if nothing is known.
    pub synced_bytes: u64,
}

/// How the records of a journal end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a Close record.
    Closed,
    /// Without one: being written, or the writer was killed between two records.
    Open,
    /// With something that is no record, behind which nothing valid follows.
    Torn {
        /// Where and what.
        at: Damage,
        /// Bytes from there that are not zero, up to the last.
        dropped_bytes: u64,
    },
    /// With damage that valid records follow: the journal is to be refused.
    Damaged(Damage),
}

impl Reader {
    /// Opens every segment and checks every header; records are checked as they are read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, JournalError> {
        Ok(Self::of(Set::open(dir.as_ref())?))
    }

    pub(crate) fn of(set: Set) -> Self {
        Self { indexes: Indexes::of(&set), set }
    }

    /// All records from the first.
    pub fn records(&self) -> Records<'_> {
        let walker = Walker::new(&self.set);
        let mut records = Records { walker, held: None };
        if let Err(damage) = records.walker.begin() {
            records.refuse(damage);
        }
        records
    }

    /// The records from the first one numbered at least `seq`, in a step per doubling of the segments and one stretch of
    /// about 64 KiB, where segments have their index (a segment that has none, and the newest ones, are walked).
    /// What is passed over is not checked: [`verify`](crate::verify) looks at everything.
    pub fn seek(&self, seq: u64) -> Records<'_> {
        self.records_from(self.indexes.place_of_seq(&self.set, seq), |record| record.seq >= seq)
    }

    /// The records from the first one whose time is at least `ts`, wherever it stands: the first at which the running
    /// maximum of the times reaches `ts`. As times may go back, records behind it may be earlier again. Found as
    /// [`seek`](Reader::seek) finds; what is passed over is not checked.
    pub fn seek_time(&self, ts: TsNs) -> Records<'_> {
        self.records_from(self.indexes.place_of_ts(&self.set, ts.0), |record| record.ts >= ts)
    }

    fn records_from(
        &self,
        place: Option<(usize, Walk)>,
        is_wanted: impl Fn(&Record<'_>) -> bool,
    ) -> Records<'_> {
        let mut records = self.records();
        if records.held.is_some() {
            return records;
        }
        if let Some((index, walk)) = place {
            records.walker = Walker::at(&self.set, index, walk);
        }
        while let Some(next) = records.walker.next() {
            if next.as_ref().map_or(true, &is_wanted) {
                records.held = Some(next);
                break;
            }
        }
        records
    }

    /// The records behind `place`, if the journal has the very record that it names: at once, without a look at what
    /// is before. That is then taken as good; [`verify`](crate::verify) looks at everything.
    pub fn records_after(&self, place: &Place) -> Result<Records<'_>, Damage> {
        let offset = snapshot::behind_place(&self.set, place)?;
        Ok(Records { walker: Walker::after(&self.set, place, offset), held: None })
    }

    /// The beginnings of the segments, oldest first: places to start at. Newest ones may be left out while the writer's
    /// helper has not tied them yet.
    pub fn segment_places(&self) -> Vec<Place> {
        let numbers = self.set.segments.iter().map(|segment| segment.number);
        numbers.filter_map(|number| snapshot::place_at(&self.set, number)).collect()
    }

    /// What the pruned segments before the first record came to; none where nothing was pruned.
    pub fn base(&self) -> Option<&Snapshot> {
        self.set.base.as_ref()
    }

    /// Number of the first record kept: 1, or more in a pruned journal.
    pub fn first_seq(&self) -> u64 {
        self.set.base.as_ref().map_or(1, |base| base.place.seq.saturating_add(1))
    }

    /// Where `record`, given by this reader, stands: what a snapshot of the state behind it needs.
    pub fn place_of(&self, record: &Record<'_>) -> Option<Place> {
        let segment = self.set.segments.iter().find(|segment| segment.number == record.segment)?;
        let crc = segment.region.word(record.offset)? as u32;
        let prev_chain = segment.head.link.map_or([0; 32], |link| link.prev_chain);
        Some(Place { seq: record.seq, segment: record.segment, offset: record.offset, crc, prev_chain })
    }

    /// Who wrote it: the newest segment's header.
    pub fn header(&self) -> &Header {
        // A set is never empty; the default is for the compiler.
        static NOBODY: Header = Header {
            build: [0; 16],
            config_hash: [0; 32],
            instruments_hash: [0; 32],
            account: String::new(),
            environment: String::new(),
        };
        self.set.segments.last().map_or(&NOBODY, |last| &last.head.identity.header)
    }

    /// The headers of all segments, spares of a live or killed writer behind the last used one among them.
    pub fn segments(&self) -> impl Iterator<Item = SegmentHead> {
        self.set.segments.iter().map(|segment| SegmentHead {
            number: segment.number,
            bytes: segment.region.len(),
            header: segment.head.identity.header.clone(),
            first_seq: segment.head.link.map(|link| link.first_seq),
            is_run_start: segment.head.link.is_some_and(|link| link.is_run_start),
            synced_bytes: segment.head.synced,
        })
    }

    /// Segment files, spares of a live or killed writer among them.
    pub fn segment_count(&self) -> usize {
        self.set.segments.len()
    }

    pub(crate) fn set(&self) -> &Set {
        &self.set
    }
}

impl<'a> Records<'a> {
    /// How the records ended; `None` until the iterator has.
    pub fn ending(&self) -> Option<&Ending> {
        self.walker.ending.as_ref().filter(|_| self.held.is_none())
    }

    fn refuse(&mut self, damage: Damage) {
        self.walker.ending = Some(Ending::Damaged(damage.clone()));
        self.held = Some(Err(damage));
    }

    #[cold]
    fn take_held(&mut self) -> Option<Result<Record<'a>, Damage>> {
        self.held.take()
    }

    /// The segment that the iterator is in; at the end, the last one that is used.
    pub fn segment(&self) -> u32 {
        self.walker.walk.segment
    }

    pub(crate) fn walker(&self) -> &Walker<'a> {
        &self.walker
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Damage>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.held.is_some() {
            return self.take_held();
        }
        self.walker.next()
    }
}
