//! Why a ledger cannot be used.

use std::{fmt, io};

/// What is wrong with a ledger, or with an entry that should go into it.
#[derive(Debug)]
pub enum LedgerError {
    /// The file system said no.
    Io(io::Error),
    /// A line is not `HASH JSON`, or its JSON is no entry.
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A line's hash is not that of its text after the line before: something here or before was changed.
    Chain {
        /// Which, from 1.
        line: u64,
    },
    /// The first line is not that of a ledger, or a later one is.
    NotALedger {
        /// Where, from 1.
        line: u64,
    },
    /// A ledger of another format.
    Format {
        /// Its number.
        found: u32,
    },
    /// The last line has no end: a crash while it was written. [`Ledger::mend`](crate::Ledger::mend) cuts it off.
    Torn {
        /// Which, from 1.
        line: u64,
        /// Its length.
        bytes: u64,
    },
    /// Fewer entries than the head says: the end was cut off.
    Truncated {
        /// Entries that are there.
        has: u64,
        /// Entries that there were.
        had: u64,
    },
    /// As many entries as the head says or more, but not those: the ledger was rewritten.
    Rewritten {
        /// The entry whose hash is another one.
        line: u64,
    },
    /// The file with the head is missing or does not say one.
    Head {
        /// What is wrong with it.
        reason: String,
    },
    /// An entry that cannot be written: too long, or a score that is not a number.
    Entry {
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Line { line, reason } => write!(f, "line {line}: {reason}"),
            Self::Chain { line } => {
                write!(f, "line {line} or one before it was changed: its hash is another")
            }
            Self::NotALedger { line } => write!(f, "line {line}: not a ledger of trials"),
            Self::Format { found } => write!(f, "format {found} of a ledger is not known here"),
            Self::Torn { line, bytes } => {
                write!(f, "line {line} is half written ({bytes} bytes): a crash; mend it first")
            }
            Self::Truncated { has, had } => {
                write!(f, "{has} entries where there were {had}: the end was cut off")
            }
            Self::Rewritten { line } => {
                write!(f, "entry {line} is not the one that the head knows: rewritten")
            }
            Self::Head { reason } => write!(f, "head of the ledger: {reason}"),
            Self::Entry { reason } => write!(f, "entry cannot be kept: {reason}"),
        }
    }
}

impl std::error::Error for LedgerError {}

impl From<io::Error> for LedgerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why the hold-out stays closed.
#[derive(Debug)]
pub enum HoldOutError {
    /// It was opened before: for this version, or for another one on some of the same data. The refusal is in the ledger now.
    Opened {
        /// When, in nanoseconds since the epoch.
        at_ns: u64,
    },
    /// Nothing could be logged, so nothing is opened.
    Ledger(LedgerError),
}

impl fmt::Display for HoldOutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened { at_ns } => {
                write!(f, "the hold-out of this version or a part of its data was opened at {at_ns} ns")
            }
            Self::Ledger(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HoldOutError {}

impl From<LedgerError> for HoldOutError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
