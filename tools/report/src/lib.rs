//! What a run came to, as people and programs read it: a page, JSON and CSV.
//!
//! Pure but for [`write()`]: the bytes are a function of outcome and [`Meta`]. The page is one file that asks no network for
//! anything. Nothing is shown without formula and sample size; a figure that is not defined shows why. `REPORT.md` has
//! the files field by field.
//!
//! | module | does |
//! |---|---|
//! | [`meta`] | what an outcome does not know of itself |
//! | [`report`] | everything that is said, computed once |
//! | [`figures`] | figures of `smc-metrics` with their intervals and words |
//! | [`monthly`], [`curve`] | returns by month, the account over time, and as much of it as a picture can show |
//! | [`cause`] | why a trade was made, in words |
//! | [`chart`] | which bars and structures are drawn |
//! | [`json`], [`csv`], [`page`] | how it is written |
#![forbid(unsafe_code)]

pub mod cause;
pub mod chart;
pub mod csv;
pub mod curve;
pub mod figures;
pub mod json;
pub mod meta;
pub mod monthly;
pub mod page;
pub mod report;
mod text;

pub use meta::{Benchmark, Instrument, Meta, Source, TrialCount, Verdict};
pub use report::{Report, ReportError};

use smc_backtest::Outcome;
use std::path::Path;

/// Makes the directory and writes `report.html`, `report.json`, `trades.csv`, `equity.csv`, `metrics.csv` and
/// `monthly.csv` into it.
pub fn write(dir: &Path, meta: &Meta, outcome: &Outcome) -> Result<(), ReportError> {
    for (name, text) in files(meta, outcome)? {
        let path = dir.join(name);
        let io = |error| ReportError::Io(path.clone(), error);
        std::fs::create_dir_all(dir).map_err(io)?;
        std::fs::write(&path, text).map_err(io)?;
    }
    Ok(())
}

/// The same files, by name, not written.
pub fn files(meta: &Meta, outcome: &Outcome) -> Result<Vec<(&'static str, String)>, ReportError> {
    let report = Report::of(meta, outcome)?;
    Ok(vec![
        ("report.html", page::html(&report)?),
        ("report.json", json::json(&report)?),
        ("trades.csv", csv::trades(&report)),
        ("equity.csv", csv::equity(&report)),
        ("metrics.csv", csv::metrics(&report)),
        ("monthly.csv", csv::monthly(&report)),
    ])
}
