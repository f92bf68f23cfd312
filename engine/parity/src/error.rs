//! What can be wrong with what was asked.

use std::fmt;

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParityError {
    /// A swing table of other bars.
    SwingsLength {
        /// Rows of the bars.
        bars: usize,
        /// Rows of the swings.
        swings: usize,
    },
    /// A period that is not understood or not supported.
    Period(String),
    /// A session of no known name.
    Session(String),
    /// The session `Custom` was asked for without both of its times.
    CustomNeedsTimes,
    /// Not a time of day as `H:MM` or `HH:MM`.
    TimeOfDay(String),
    /// A time zone of no known name.
    TimeZone(String),
}

impl fmt::Display for ParityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SwingsLength { bars, swings } => {
                write!(f, "the swing table has {swings} rows for {bars} bars")
            }
            Self::Period(text) => write!(
                f,
                "period `{text}` is not supported; known are counts of s, min, h, D (\"15min\", \"1D12h\") and of \
                 W, W-MON, MS, ME, QS, QE, YS, YE, the last four with a month (\"QS-FEB\")"
            ),
            Self::Session(text) => write!(f, "no session is called `{text}`"),
            Self::CustomNeedsTimes => write!(f, "the session `Custom` needs a start and an end time"),
            Self::TimeOfDay(text) => write!(f, "`{text}` is not a time of day (HH:MM)"),
            Self::TimeZone(text) => write!(f, "no time zone is called `{text}`"),
        }
    }
}

impl std::error::Error for ParityError {}
