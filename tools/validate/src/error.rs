//! Why there is no verdict.

use smc_metrics::BadInput;
use smc_trials::LedgerError;
use std::fmt;

/// Why a validation ended without one.
#[derive(Debug)]
pub enum ValidateError {
    /// A setting or the data cannot be used.
    Input(BadInput),
    /// The pipeline failed, or broke its promise.
    Pipeline(String),
    /// Not enough data for a test.
    TooShort {
        /// Which.
        what: &'static str,
        /// Periods that it needs.
        needed: usize,
        /// Periods that there are.
        got: usize,
    },
    /// The ledger of trials cannot be read or written.
    Ledger(LedgerError),
    /// A key, a report or a signature is not what it should be.
    Signature(String),
}

impl fmt::Display for ValidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(bad) => bad.fmt(f),
            Self::Pipeline(reason) | Self::Signature(reason) => f.write_str(reason),
            Self::TooShort { what, needed, got } => {
                write!(f, "{what} needs {needed} periods, there are {got}")
            }
            Self::Ledger(error) => write!(f, "ledger of trials: {error}"),
        }
    }
}

impl std::error::Error for ValidateError {}

impl From<BadInput> for ValidateError {
    fn from(bad: BadInput) -> Self {
        Self::Input(bad)
    }
}

impl From<LedgerError> for ValidateError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
