//! Every way a journal can say no, with the numbers in it.

use crate::mirror::MirrorFault;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a journal could not be opened, created, resumed, followed or closed.
#[derive(Debug)]
pub enum JournalError {
    /// The operating system refused.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// Another writer has the journal.
    Locked {
        /// The directory.
        dir: PathBuf,
        /// What the other wrote about itself.
        owner: String,
    },
    /// A new journal was asked for where one is already.
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// No segment is there.
    Empty {
        /// The directory.
        dir: PathBuf,
    },
    /// A setting cannot work.
    Setting {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The journal belongs to another account, environment or instrument table.
    Mismatch {
        /// Which.
        name: &'static str,
        /// In the journal.
        found: String,
        /// As asked.
        expected: String,
    },
    /// A directory cannot be this journal's mirror.
    Mirror {
        /// The directory.
        dir: PathBuf,
        /// Why.
        fault: MirrorFault,
    },
    /// The bytes are damaged, or of an unknown version.
    Damage(Damage),
    /// The helper thread failed to sync or died: what it was, as [`Health`](crate::Health) prints it.
    Unhealthy(crate::Health),
}

/// Why a record was not appended. Nothing can be read there and the sequence number is still free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The segment is full and no prepared one is ready: disk full, or the helper thread is held up.
    NoSegment,
    /// The payload would not fit an empty segment.
    TooLong {
        /// Its length.
        len: usize,
        /// The longest that fits.
        max: usize,
    },
    /// [`Close`](crate::RecordKind::Close) and [`Unknown`](crate::RecordKind::Unknown) are not the caller's to write.
    ReservedKind,
    /// Someone cut or deleted the segment under the writer. Stays.
    Cut,
}

/// One place in a journal that does not hold, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Segment number.
    pub segment: u32,
    /// Byte offset in the segment.
    pub offset: u64,
    /// Sequence number of the record expected there; 0 if that is not known.
    pub seq: u64,
    /// What does not hold.
    pub reason: Reason,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file ends inside the header.
    Short {
        /// Bytes needed.
        needed: u64,
        /// Bytes there.
        got: u64,
    },
    /// Not a journal segment.
    Magic,
    /// Written by a version this program does not read.
    Version {
        /// Which.
        found: u32,
    },
    /// The header's checksum does not match.
    HeaderChecksum {
        /// In the file.
        stored: u32,
        /// Over the bytes.
        computed: u32,
    },
    /// A header field holds what no writer writes.
    HeaderField {
        /// Which.
        name: &'static str,
    },
    /// The file is named after another number than its header says.
    Number {
        /// In the header.
        found: u32,
    },
    /// The file is not as long as its header says.
    Size {
        /// In the header.
        stated: u64,
        /// Of the file.
        found: u64,
    },
    /// Another account, environment or instrument table than the segment before.
    Identity {
        /// Which.
        name: &'static str,
    },
    /// A segment that must be there is not.
    Missing,
    /// The block that ties a segment to the one before does not check.
    LinkChecksum {
        /// In the file.
        stored: u32,
        /// Over the bytes.
        computed: u32,
    },
    /// The block that ties a segment to the one before is absent though a later one is there.
    LinkAbsent,
    /// The segment says its first record has another number.
    FirstSeq {
        /// In the header.
        found: u64,
    },
    /// The segment before is said to end elsewhere.
    PreviousEnd {
        /// In the header.
        stated: u64,
    },
    /// The chain hash does not match: bytes were changed and their checksums repaired.
    Chain,
    /// Nothing is written here, though something valid follows.
    Unwritten,
    /// A length that cannot be.
    Length {
        /// In the record.
        found: u64,
        /// Bytes left in the segment.
        room: u64,
    },
    /// The record's checksum does not match.
    Checksum {
        /// In the record.
        stored: u32,
        /// Over its bytes.
        computed: u32,
    },
    /// A valid record with the wrong number.
    Sequence {
        /// In the record.
        found: u64,
    },
    /// A valid record that does not follow the one before it: from another or an older journal.
    Linkage {
        /// Checksum of the record before, as this record has it.
        found: u32,
        /// As it is.
        expected: u32,
    },
    /// A record where none can be: behind a Close record or an end mark.
    AfterEnd,
    /// A Close record whose content is not what a writer writes.
    Close,
    /// The file was cut while it was being read.
    Cut,
    /// What stands for pruned segments does not agree with the first segment that is kept.
    Base,
    /// A snapshot of a record that this journal does not have.
    Snapshot,
}

impl JournalError {
    pub(crate) fn io<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

impl From<Damage> for JournalError {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl std::error::Error for AppendError {}
impl std::error::Error for Damage {}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, path, source } => write!(f, "cannot {doing} {}: {source}", path.display()),
            Self::Locked { dir, owner } => {
                write!(f, "journal {} is being written by another process ({owner})", dir.display())
            }
            Self::NotEmpty { dir } => write!(f, "{} already holds a journal", dir.display()),
            Self::Empty { dir } => write!(f, "{} holds no journal", dir.display()),
            Self::Setting { name, problem } => write!(f, "journal setting {name}: {problem}"),
            Self::Mismatch { name, found, expected } => {
                write!(f, "journal is of {name} {found}, not {expected}")
            }
            Self::Mirror { dir, fault } => write!(f, "mirror {} {fault}", dir.display()),
            Self::Damage(damage) => damage.fmt(f),
            Self::Unhealthy(health) => write!(f, "journal helper: {health}"),
        }
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSegment => f.write_str("segment full and no prepared one ready"),
            Self::TooLong { len, max } => write!(f, "payload of {len} bytes, at most {max} fit a segment"),
            Self::ReservedKind => f.write_str("record kind is reserved for the journal itself"),
            Self::Cut => f.write_str("segment file was cut or deleted while being written"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {:08} offset {}", self.segment, self.offset)?;
        if self.seq != 0 {
            write!(f, " record {}", self.seq)?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, got } => write!(f, "file ends in the header ({got} of {needed} bytes)"),
            Self::Magic => f.write_str("not a journal segment"),
            Self::Version { found } => write!(f, "format version {found} is not known here"),
            Self::HeaderChecksum { stored, computed } => {
                write!(f, "header checksum mismatch (stored {stored:08x}, computed {computed:08x})")
            }
            Self::HeaderField { name } => write!(f, "header field {name} makes no sense"),
            Self::Number { found } => write!(f, "file holds segment {found:08}"),
            Self::Size { stated, found } => write!(f, "file has {found} bytes, header says {stated}"),
            Self::Identity { name } => write!(f, "{name} differs from the segment before"),
            Self::Missing => f.write_str("segment is missing"),
            Self::LinkChecksum { stored, computed } => {
                write!(f, "chain block checksum mismatch (stored {stored:08x}, computed {computed:08x})")
            }
            Self::LinkAbsent => f.write_str("chain block is absent though a later segment has one"),
            Self::FirstSeq { found } => write!(f, "segment says it starts with record {found}"),
            Self::PreviousEnd { stated } => write!(f, "the next segment says this one ends at {stated}"),
            Self::Chain => f.write_str("chain hash mismatch"),
            Self::Unwritten => f.write_str("nothing written here, though valid records follow"),
            Self::Length { found, room } => write!(f, "impossible length {found} ({room} bytes left)"),
            Self::Checksum { stored, computed } => {
                write!(f, "checksum mismatch (stored {stored:08x}, computed {computed:08x})")
            }
            Self::Sequence { found } => write!(f, "record {found} stands here"),
            Self::Linkage { found, expected } => {
                write!(f, "record follows another one (link {found:08x}, expected {expected:08x})")
            }
            Self::AfterEnd => f.write_str("record behind the end"),
            Self::Close => f.write_str("close record makes no sense"),
            Self::Base => f.write_str("the base of a pruned journal does not agree with its first segment"),
            Self::Snapshot => f.write_str("a snapshot of a record that this journal does not have"),
            Self::Cut => f.write_str("the file was cut while it was being read"),
        }
    }
}
