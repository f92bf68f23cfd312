//! Why a search cannot be made. Each message names the file or the key, and what to do.

use smc_trials::LedgerError;
use std::path::PathBuf;
use std::{fmt, io};

/// Why there is no result.
#[derive(Debug)]
pub enum OptimizeError {
    /// The base configuration is refused as it stands.
    Base(String),
    /// A parameter: its path is no key, or its values are none.
    Parameter {
        /// Path in the configuration.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The space as a whole, or a file of one.
    Space(String),
    /// The market data.
    Data(String),
    /// The method does not fit the space.
    Method(String),
    /// A line of the record of finished trials.
    Record {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The record is that of another search.
    Another {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the record says.
        before: String,
        /// What was asked for.
        now: String,
    },
    /// The ledger of trials.
    Ledger {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: LedgerError,
    },
    /// The file system said no.
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Not one trial has a score.
    NoScore {
        /// Trials that were made.
        trials: usize,
        /// Why the first of them has none.
        reason: String,
    },
}

impl OptimizeError {
    pub(crate) fn parameter(path: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::Parameter { path: path.to_string(), reason: reason.into() }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}

impl fmt::Display for OptimizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base(reason) => write!(f, "base configuration: {reason}"),
            Self::Parameter { path, reason } => write!(f, "{path}: {reason}"),
            Self::Space(reason) | Self::Data(reason) | Self::Method(reason) => f.write_str(reason),
            Self::Record { path, line, reason } => write!(
                f,
                "{}:{line}: {reason}; remove the line to have that trial made again, or choose another --out",
                path.display()
            ),
            Self::Another { path, what, before, now } => write!(
                f,
                "{}: belongs to another search: {what} was {before}, now {now}; choose another --out, or go on with what it \
                 was begun with",
                path.display()
            ),
            Self::Ledger { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoScore { trials, reason } => {
                write!(f, "none of {trials} trials has a score; the first one: {reason}")
            }
        }
    }
}

impl std::error::Error for OptimizeError {}
