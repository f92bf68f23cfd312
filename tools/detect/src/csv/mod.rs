//! Bars from CSV files as people have them: any common header or none, any common time, gzip or plain.
//!
//! A small reader of its own rather than a general one: a bar is one line, so the line number of a fault is
//! the file's, and separators, decimal commas and missing headers are guessed from the first line anyway.
//! Rows are streamed; memory does not grow with the file. Nothing in a file can panic.
//!
//! Two kinds of trouble are kept apart:
//!
//! * a **malformed file** ([`CsvError`]): no header and no row that looks like a bar, text where a number
//!   belongs, another number of columns, a time nobody can read. Reading ends there.
//! * a **bad bar**: a row that reads well and says something no bar can be (NaN, high under low, time going
//!   back). It is a [`Row`] like any other; who takes it refuses it and goes on.
//!
//! Times without a zone are UTC. A missing volume column or an empty volume is 0; a volume beyond the exact
//! range is the largest there is. Prices keep eight decimals, what lies beyond is rounded.

mod error;
mod fields;
mod layout;
mod number;
mod rows;
mod source;
mod time;

pub use error::{CsvError, CsvFault};
pub use number::Cell;
pub use rows::{Row, Rows};
pub use source::open;
pub use time::{Iso, civil, parse as parse_time};

/// A line that is a header of bars, or a bar.
pub fn is_bars(line: &str) -> bool {
    layout::Layout::of(line).is_ok()
}
