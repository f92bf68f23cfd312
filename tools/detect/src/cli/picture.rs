//! `--svg`: which bars, and what stands above them.

use super::{Args, Failure, failure};
use crate::chart::{Scene, Title, draw};
use smc_core::calendar::Calendar;
use smc_core::smc::{PivotProfile, SmcParams};
use smc_settings::text::{DepthText, ToleranceText};
use std::path::Path;

/// Draws the bars that were asked for.
pub(super) fn picture(
    args: &Args,
    path: &Path,
    scene: &Scene,
    params: &SmcParams,
    calendar: &Calendar,
) -> Result<(), Failure> {
    let bars = scene.bars();
    let until = args.to.map_or(bars.len(), |to| bars.partition_point(|bar| bar.open_ts <= to));
    let from = match args.from {
        Some(from) => bars.partition_point(|bar| bar.open_ts < from),
        None => until.saturating_sub(args.last.max(1) as usize),
    };
    let name = match args.csv.file_name() {
        Some(name) if name != "-" => name.to_string_lossy(),
        _ => "standard input".into(),
    };
    let title = Title {
        name: name.trim_end_matches(".gz").trim_end_matches(".csv").into(),
        params: words(params),
        sessions: calendar.sessions.iter().map(|session| session.name.to_string()).collect(),
    };
    let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let last = until.checked_sub(1).filter(|last| from <= *last);
    let svg = last.and_then(|last| draw(scene, index(from), index(last), &title));
    let svg = svg.ok_or_else(|| failure(path.display(), "no bars in that time"))?;
    std::fs::write(path, svg).map_err(|error| failure(path.display(), error))
}

/// The settings that change what a reader sees.
fn words(params: &SmcParams) -> String {
    let swings = match params.pivot_profile {
        PivotProfile::Window => format!("swings {}+{}", params.pivot_left, params.pivot_right),
        PivotProfile::Leg => format!("swing legs {}", params.pivot_right),
    };
    let breaks = if params.close_break { "breaks by close" } else { "breaks by wick" };
    let depth = DepthText(params.fvg_mitigation);
    let pools = ToleranceText(params.pool_tolerance);
    format!("{swings}  ·  {breaks}  ·  gaps to the {depth}  ·  equal within {pools}")
}
