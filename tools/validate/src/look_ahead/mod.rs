//! Does anything know the future: truncation and perturbation, for every bar.
//!
//! | module | judges |
//! |---|---|
//! | [`feature`] | whole columns made from whole slices of bars, rebuilt on every prefix |
//! | [`stream`] | machines that take a bar at a time, by induction over their saved states |
//! | [`run`] | pipelines: returns and trades of a run that ended earlier |

pub mod feature;
pub mod run;
pub mod stream;

/// Something that was said about bar `at` was not the same when the data behind bar `last` was missing or another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How it was found.
    pub by: Test,
    /// Last bar that both had.
    pub last: usize,
    /// First bar about which they differ; of a pipeline the decision, the trade or the period.
    pub at: usize,
}

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The data ended earlier.
    Truncation,
    /// Other data came later.
    Perturbation,
}

/// What was looked at and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Searched {
    /// Of what.
    pub name: String,
    /// Bars of the data.
    pub bars: usize,
    /// Bars behind which the data was cut.
    pub cuts: usize,
    /// Bars behind which the data was another.
    pub perturbed: usize,
    /// The first thing that was found; none is good.
    pub found: Option<Found>,
}
