//! The eight tables of the open Python package, one file each.
//!
//! Rows that cannot be bars are left out, as they are for live events, so that row numbers here are bar indices
//! there. The tables look ahead, as the package does; live events never do.

use crate::csv::Row;
use smc_parity::{
    Bars, ParityError, Period, Session, Table, bos_choch, fvg, liquidity, ob, previous_high_low,
    retracements, sessions, swing_highs_lows,
};
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The package's parameters; the defaults are its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Bars after a swing, one less before.
    pub swing_length: usize,
    /// A break needs the close.
    pub close_break: bool,
    /// A block is broken by its body.
    pub close_mitigation: bool,
    /// Consecutive gaps are one.
    pub join_consecutive: bool,
    /// Tolerance of pools as a part of the file's range.
    pub range_percent: f64,
    /// Which session.
    pub session: Session,
    /// The zone of the file's stamps.
    pub time_zone: String,
    /// Whose previous highs and lows.
    pub period: Period,
}

/// Why a table is missing.
#[derive(Debug)]
pub enum ColumnsError {
    /// The package would refuse it too.
    Parity(ParityError),
    /// A file that cannot be written.
    Io(PathBuf, io::Error),
}

impl fmt::Display for ColumnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parity(error) => write!(f, "{error}"),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ColumnsError {}

impl From<ParityError> for ColumnsError {
    fn from(error: ParityError) -> Self {
        Self::Parity(error)
    }
}

/// A row as the tables take it: the floats nearest to the file's text.
pub fn bar(row: &Row) -> smc_parity::Row {
    smc_parity::Row {
        // Times end in the year 2400, the signed count in 2262; what lies between is as good as its end.
        time_ns: i64::try_from(row.time.0).unwrap_or(i64::MAX),
        open: row.open.float(),
        high: row.high.float(),
        low: row.low.float(),
        close: row.close.float(),
        volume: row.volume.float(),
    }
}

/// Makes the directory and writes the tables.
pub fn write(dir: &Path, bars: &Bars, params: &Params) -> Result<(), ColumnsError> {
    std::fs::create_dir_all(dir).map_err(|error| ColumnsError::Io(dir.into(), error))?;
    let save = |name: &str, table: &Table| {
        let path = dir.join(name).with_extension("csv");
        let written = File::create(&path).and_then(|file| {
            let mut out = BufWriter::new(file);
            table.write_csv(&mut out)?;
            out.flush()
        });
        written.map_err(|error| ColumnsError::Io(path, error))
    };
    let swings = swing_highs_lows(bars, params.swing_length);
    save("fvg", &fvg(bars, params.join_consecutive))?;
    save("bos_choch", &bos_choch(bars, &swings, params.close_break)?)?;
    save("ob", &ob(bars, &swings, params.close_mitigation)?)?;
    save("liquidity", &liquidity(bars, &swings, params.range_percent)?)?;
    save("previous_high_low", &previous_high_low(bars, params.period))?;
    save("sessions", &sessions(bars, params.session, &params.time_zone)?)?;
    save("retracements", &retracements(bars, &swings)?)?;
    save("swing_highs_lows", &swings.into_table())
}
