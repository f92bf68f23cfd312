//! What a line of the ledger says.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first line, and only the first.
    Ledger(Format),
    /// A look at performance.
    Trial(Trial),
    /// The hold-out of a version was opened.
    HoldOutOpened(HoldOut),
    /// Somebody asked to open it again.
    HoldOutRefused(HoldOut),
    /// A half-written line was cut off.
    Mended(Mended),
}

/// The format of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    /// [`FORMAT`] is the one that this build reads.
    pub format: u32,
}

/// The format of this build.
pub const FORMAT: u32 = 1;

/// One run that read performance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// When, in nanoseconds since the epoch.
    pub at_ns: u64,
    /// Family of strategies that were searched together.
    pub strategy: String,
    /// Its code and rules: a hash or a release.
    pub version: String,
    /// The parameters that were tried.
    pub parameters: BTreeMap<String, String>,
    /// On what.
    pub data: Data,
    /// Which test read it: `backtest`, `walk_forward`, …
    pub stage: String,
    /// What the score is: `sharpe_per_period`, …
    pub metric: String,
    /// The score; none when it is undefined.
    pub score: Option<f64>,
    /// Observations behind it.
    pub periods: u64,
}

/// A span of data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// What identifies it: the chain hash of a journal, the hash of a file.
    pub source: String,
    /// First moment, in nanoseconds since the epoch.
    pub from_ns: u64,
    /// First moment behind it.
    pub to_ns: u64,
}

impl Data {
    /// Both have some moment.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.from_ns < other.to_ns && other.from_ns < self.to_ns
    }

    /// Both were read from some file, among others perhaps. Sources of several files are joined by `+`.
    pub fn shares_source(&self, other: &Self) -> bool {
        self.source.split('+').any(|source| other.source.split('+').any(|theirs| theirs == source))
    }
}

/// A question for the hold-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOut {
    /// When, in nanoseconds since the epoch.
    pub at_ns: u64,
    /// Family of strategies.
    pub strategy: String,
    /// The version that is to be judged.
    pub version: String,
    /// The data that was kept back.
    pub data: Data,
}

impl HoldOut {
    /// A look at `data` for `strategy` was a look at this: it has some of these moments, and it was for this family of strategies
    /// (of whatever files: the same market may be in another one, or in one of which a byte was changed) or at these files.
    pub fn has_seen(&self, strategy: &str, data: &Data) -> bool {
        self.data.overlaps(data) && (strategy == self.strategy || self.data.shares_source(data))
    }
}

/// A cut that made a ledger whole again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mended {
    /// When, in nanoseconds since the epoch.
    pub at_ns: u64,
    /// How much was cut off.
    pub bytes: u64,
    /// BLAKE3 of it, in hexadecimal digits.
    pub hash: String,
}
