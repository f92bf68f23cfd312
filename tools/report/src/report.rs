//! A report before it is written: everything that page, JSON and CSV say, computed once.

use crate::cause::Causes;
use crate::curve::Curve;
use crate::figures::{Group, Shown, figures};
use crate::meta::Meta;
use crate::monthly::{Year, years};
use smc_backtest::Outcome;
use smc_metrics::BadInput;
use std::fmt;
use std::path::PathBuf;

/// A run, and what is to be said of it. A function of its two inputs alone.
pub struct Report<'a> {
    /// What the run came to.
    pub outcome: &'a Outcome,
    /// What it does not know of itself.
    pub meta: &'a Meta,
    /// All figures, by group.
    pub figures: Vec<Shown>,
    /// Returns by month.
    pub years: Vec<Year>,
    /// The account over time.
    pub curve: Curve,
    /// What was told of structures.
    pub causes: Causes<'a>,
    /// What is left of the change of equity when all trades are taken away, in 1e-8.
    pub unexplained: i64,
}

impl<'a> Report<'a> {
    /// Refuses what no run can come to, and a benchmark of another length than the returns.
    pub fn of(meta: &'a Meta, outcome: &'a Outcome) -> Result<Self, ReportError> {
        let returns = meta.benchmark.as_ref().map(|benchmark| benchmark.returns.as_slice());
        let curve = Curve::of(outcome, returns);
        let figures = figures(outcome, &curve, meta).map_err(ReportError::Input)?;
        let trades = outcome.trades.iter().chain(&outcome.open);
        let net = trades.fold(0i64, |sum, trade| sum.saturating_add(trade.net.0));
        let change = outcome.equity.0.saturating_sub(outcome.starting_equity.0);
        Ok(Self {
            outcome,
            meta,
            figures,
            years: years(outcome),
            curve,
            causes: Causes::new(&outcome.record.structures),
            unexplained: change.saturating_sub(net),
        })
    }

    /// A figure by its name.
    pub fn figure(&self, group: Group, name: &str) -> Option<&Shown> {
        self.figures.iter().find(|figure| figure.group == group && figure.name == name)
    }
}

/// Why there is no report.
#[derive(Debug)]
pub enum ReportError {
    /// The outcome or what was said beside it cannot be.
    Input(BadInput),
    /// Numbers that JSON cannot hold.
    Json(serde_json::Error),
    /// A file that cannot be written.
    Io(PathBuf, std::io::Error),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => write!(f, "{error}"),
            Self::Json(error) => write!(f, "{error}"),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for ReportError {}
