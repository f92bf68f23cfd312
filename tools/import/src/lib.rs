//! Recorded markets into journals: venue archives, captured feeds, candles, bars.
//!
//! Live, paper, backtest and replay read one thing: a journal. This room turns what others recorded into its input
//! records. `FORMATS.md` says for each format how it is recognised and what becomes what.
//!
//! | module | does |
//! |---|---|
//! | [`format`] | which format a file has |
//! | [`source`] | bytes of a file, unpacked, line by line |
//! | [`rows`] | a row into events, one file a format |
//! | [`sink`] | events into the journal; where an interrupted import goes on |
//! | [`gather`] | a file's events in memory |
//! | [`job`] | a list of files from start to end |
//!
//! Numbers are exact or refused; nothing in a file can panic. What cannot be used is told by file and line and counted.

pub mod format;
pub mod gather;
pub mod job;
pub mod number;
pub mod rows;
pub mod sink;
pub mod source;

pub use format::Format;
pub use gather::{Gathered, Known, gather};
pub use job::{FileReport, ImportError, Job, Progress, Report, import};
