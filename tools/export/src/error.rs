//! Why an export or a restore said no, with the place.

use smc_journal::{AppendError, Damage, JournalError};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a journal was not exported.
#[derive(Debug)]
pub enum ExportError {
    /// The journal cannot be opened.
    Journal {
        /// Which.
        path: PathBuf,
        /// Why.
        error: JournalError,
    },
    /// The journal is damaged within the range asked for.
    Damaged {
        /// Where and how.
        damage: Damage,
        /// Records from 1 that hold.
        kept: u64,
    },
    /// No record has such a number.
    NoRange {
        /// The first asked for.
        from: u64,
        /// The last asked for.
        to: u64,
    },
    /// There is no table of that name.
    NoTable {
        /// The name.
        name: String,
    },
    /// The place for the tables is taken.
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// The operating system refused.
    Io {
        /// To which file.
        path: PathBuf,
        /// Its answer.
        error: io::Error,
    },
}

/// Why an export was not restored.
#[derive(Debug)]
pub enum RestoreError {
    /// The export left something out, or is none.
    NotWhole {
        /// The directory.
        path: PathBuf,
        /// The file that would say that it is whole.
        file: String,
    },
    /// A row is not one of its table.
    Row {
        /// The file.
        path: PathBuf,
        /// Line or row number, from 1.
        at: u64,
        /// What is wrong.
        problem: String,
    },
    /// No table has the record.
    Missing {
        /// Its number.
        seq: u64,
    },
    /// The restored journal is not the one that was exported.
    Differs {
        /// How.
        problem: String,
    },
    /// The place for the journal is taken.
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// The operating system refused.
    Io {
        /// To which file.
        path: PathBuf,
        /// Its answer.
        error: io::Error,
    },
    /// The new journal cannot be written.
    Journal(JournalError),
    /// A record cannot be written.
    Append {
        /// Its number.
        seq: u64,
        /// Why.
        error: AppendError,
    },
}

impl ExportError {
    /// The answer is no (exit 1); otherwise the question was wrong (exit 2).
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Journal { error: JournalError::Damage(_), .. })
    }
}

impl RestoreError {
    /// As [`ExportError::is_answer`].
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Differs { .. })
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Damaged { damage, kept: 0 } => write!(f, "damaged: {damage}; no record before it holds"),
            Self::Damaged { damage, kept } => {
                write!(
                    f,
                    "damaged: {damage}; nothing was exported. Records 1 to {kept} hold: add --to {kept}"
                )
            }
            Self::NoRange { from, to } => write!(f, "--from {from} --to {to}: no record is between them"),
            Self::NoTable { name } => {
                let names: Vec<_> = crate::schema::TABLES.iter().map(|table| table.name).collect();
                write!(f, "no table `{name}`; there are {}", names.join(", "))
            }
            Self::NotEmpty { path } => taken(f, path),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWhole { path, file } => write!(
                f,
                "{}: no {file}; a journal can be restored from an export that leaves nothing out, \
                 not from one made with --from, --to or --tables",
                path.display()
            ),
            Self::Row { path, at, problem } => write!(f, "{}: row {at}: {problem}", path.display()),
            Self::Missing { seq } => write!(f, "record {seq} is in no table"),
            Self::Differs { problem } => {
                write!(f, "{problem}; the tables are not those of the journal that was exported")
            }
            Self::NotEmpty { path } => taken(f, path),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Journal(error) => error.fmt(f),
            Self::Append { seq, error } => write!(f, "record {seq}: {error}"),
        }
    }
}

fn taken(f: &mut fmt::Formatter<'_>, path: &std::path::Path) -> fmt::Result {
    write!(f, "{} exists and is not empty; name a new directory", path.display())
}

impl std::error::Error for ExportError {}
impl std::error::Error for RestoreError {}

impl From<JournalError> for RestoreError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
