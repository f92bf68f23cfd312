//! The ledger of trials: every look at performance, so that the count of trials behind a chosen strategy is honest.
//!
//! The deflated Sharpe ratio needs to know how many trials were made before one was chosen. Nobody remembers that, so
//! every run that reads performance appends an entry before it shows anything. The file is append-only and hash-chained
//! (`FORMAT.md`); a ledger that was changed or cut is refused by name, and nothing is appended to it.
//!
//! Also here, because it is the same promise: the hold-out, which opens once a strategy version.
//!
//! Reads no clock: the caller says what time it is.
#![forbid(unsafe_code)]

mod chain;
mod entry;
mod error;
mod ledger;

pub use chain::Head;
pub use entry::{Data, Entry, Format, HoldOut, Mended, Trial};
pub use error::{HoldOutError, LedgerError};
pub use ledger::Ledger;
