//! Why a file was refused: the line and what is wrong with it.

use std::fmt;
use std::io;

/// A malformed file.
#[derive(Debug)]
pub struct CsvError {
    /// From 1; 0 when no line is to blame.
    pub line: u64,
    /// What is wrong.
    pub fault: CsvFault,
}

/// What is wrong with a line or a file.
#[derive(Debug)]
pub enum CsvFault {
    /// The operating system's or the decompressor's word.
    Io(io::Error),
    /// Nothing in it.
    Empty,
    /// A header and no row.
    HeaderOnly,
    /// Sixteen-bit text.
    Utf16,
    /// Not UTF-8.
    NotText,
    /// Longer than any row of bars.
    LineTooLong,
    /// Neither a header with time, open, high, low and close, nor a bar.
    Header {
        /// What stands there, shortened.
        found: String,
        /// The first thing missing.
        missing: &'static str,
    },
    /// Another number of columns than the first line.
    Columns {
        /// As the first line.
        expected: usize,
        /// Here.
        got: usize,
    },
    /// A time nobody can read.
    Time(String),
    /// Text where a number belongs.
    Number {
        /// Which column.
        column: &'static str,
        /// What stands there, shortened.
        found: String,
    },
}

impl CsvFault {
    /// The rows behind it can still be read.
    pub(super) const fn is_of_one_row(&self) -> bool {
        matches!(self, Self::Columns { .. } | Self::Time(_) | Self::Number { .. } | Self::NotText)
    }
}

impl fmt::Display for CsvFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Empty => f.write_str("the file is empty"),
            Self::HeaderOnly => f.write_str("a header and no bars"),
            Self::Utf16 => f.write_str("UTF-16 text; save it as UTF-8"),
            Self::NotText => f.write_str("not UTF-8 text"),
            Self::LineTooLong => f.write_str("the line is too long for a row of bars"),
            Self::Header { found, missing } => {
                write!(f, "no {missing} column in `{found}`, and it is no bar either")
            }
            Self::Columns { expected, got } => write!(f, "{got} columns where the first line has {expected}"),
            Self::Time(found) => {
                write!(f, "time `{found}` is not readable; write 2024-01-31T09:30:00Z or seconds since 1970")
            }
            Self::Number { column, found } => write!(f, "{column} `{found}` is no number"),
        }
    }
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.fault),
            line => write!(f, "line {line}: {}", self.fault),
        }
    }
}

impl std::error::Error for CsvError {}

/// What stands there, short enough for one line of a terminal.
pub(super) fn shortened(text: &str) -> String {
    const LEN_MAX: usize = 60;
    let plain: String = text.chars().take(LEN_MAX).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(LEN_MAX).is_some() { plain + "..." } else { plain }
}
