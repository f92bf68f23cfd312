//! Reading a journal: zero-copy iteration over every record, each one checked.
//!
//! Maps read-only and never writes. Works on a journal at rest and, as a snapshot, on a live one; to follow a
//! live one use [`Tail`](crate::Tail).

use crate::error::{Damage, JournalError};
use crate::format::Header;
use crate::record::{Record, Source};
use crate::set::{Set, Walker};
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
        Ok(Self { set: Set::open(dir.as_ref())? })
    }

    /// All records from the first.
    pub fn records(&self) -> Records<'_> {
        let walker = Walker::new(&self.set);
        let refusal = walker.begin().err();
        Records { walker, refusal }
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
        self.walker.ending.as_ref()
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
        if let Some(damage) = self.refusal.take() {
            self.walker.ending = Some(Ending::Damaged(damage.clone()));
            return Some(Err(damage));
        }
        self.walker.next()
    }
}
