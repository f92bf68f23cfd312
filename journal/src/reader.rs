//! Reading a journal: zero-copy iteration over every record, each one checked.
//!
//! Maps read-only and never writes. Works on a journal at rest and, as a snapshot, on a live one; to follow a
//! live one use [`Tail`](crate::Tail).

use crate::error::{Damage, JournalError};
use crate::format::Header;
use crate::record::{Record, Source};
use crate::set::{Set, Walker};
use crate::snapshot::{self, Place, Snapshot};
use std::path::Path;

/// A journal opened for reading.
pub struct Reader {
    set: Set,
}

/// Iterates over the records in order. Yields one `Err` and nothing after it if the journal is damaged.
pub struct Records<'a> {
    walker: Walker<'a>,
    /// A first segment that is no beginning, to be told first.
    refusal: Option<Damage>,
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
        Ok(Self { set: Set::open(dir.as_ref())? })
    }

    /// All records from the first.
    pub fn records(&self) -> Records<'_> {
        let walker = Walker::new(&self.set);
        let refusal = walker.begin().err();
        Records { walker, refusal }
    }

    /// The records behind `place`, if the journal has the very record that it names: at once, without a look at what
    /// is before. That is then taken as good; [`verify`](crate::verify) looks at everything.
    pub fn records_after(&self, place: &Place) -> Result<Records<'_>, Damage> {
        let offset = snapshot::behind_place(&self.set, place)?;
        Ok(Records { walker: Walker::after(&self.set, place, offset), refusal: None })
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
        self.walker.ending.as_ref()
    }

    pub(crate) fn walker(&self) -> &Walker<'a> {
        &self.walker
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Damage>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(damage) = self.refusal.take() {
            self.walker.ending = Some(Ending::Damaged(damage.clone()));
            return Some(Err(damage));
        }
        self.walker.next()
    }
}
