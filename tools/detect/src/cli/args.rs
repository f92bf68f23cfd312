//! The flags of `smc detect`.

use clap::Parser;
use smc_core::words::{Timeframe, TsNs};
use smc_settings::calendar::{SessionEntry, WindowSection};
use smc_settings::smc::SmcSection;
use std::path::PathBuf;

/// Find market structure in a CSV of bars.
///
/// Prints one JSON object a line for each thing that became known, in the order it became known; nothing looks
/// ahead. By default everything that can be said is said: swings and internal structure, breaks, patterns, order blocks,
/// gaps, liquidity, previous highs and lows, sessions, range and retracement. A row that cannot be a bar gives an InputRejected line and changes nothing; a malformed file ends with its line
/// number and exit code 2. With --columns, --svg or --summary those are made instead.
#[derive(Parser, Clone, Debug)]
#[command(name = "detect")]
pub struct Args {
    /// Bars: time, open, high, low, close and perhaps volume, with or without header, plain or gzip; - reads
    /// standard input
    #[arg(long, value_name = "FILE")]
    pub csv: PathBuf,
    /// The file's own timeframe, such as 1m, 4h or 1d; by default the most common distance of its
    /// first thousand rows
    #[arg(long, value_name = "TF", value_parser = timeframe)]
    pub base: Option<Timeframe>,
    /// Timeframes to read structure on, folded from the file's; by default the file's alone
    #[arg(long, value_name = "TF,...", value_delimiter = ',', value_parser = timeframe)]
    pub timeframes: Vec<Timeframe>,
    /// Settings: [smc] and [calendar] of an engine's configuration; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print only these kinds, such as Bos,Choch,FvgCreated
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Print and draw only from this time on; what came before still counts
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<TsNs>,
    /// Print and draw only up to this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<TsNs>,
    /// Print events although --columns, --svg or --summary is given
    #[arg(long)]
    pub events: bool,
    /// Print counts per kind and timeframe
    #[arg(long)]
    pub summary: bool,
    /// The summary as one JSON document
    #[arg(long, requires = "summary")]
    pub json: bool,

    /// Draw the last bars of the shortest timeframe with their structures
    #[arg(long, value_name = "FILE", help_heading = "Chart")]
    pub svg: Option<PathBuf>,
    /// Bars to draw when --from is not given
    #[arg(long, value_name = "N", default_value_t = 500, help_heading = "Chart")]
    pub last: u32,

    /// Write the eight tables of the open Python package smartmoneyconcepts, a row a bar, into this directory; they
    /// look ahead, as the package does
    #[arg(long, value_name = "DIR", help_heading = "Tables")]
    pub columns: Option<PathBuf>,
    /// A block is broken by its body rather than its wick (live: --ob-mitigation body)
    #[arg(long, value_name = "BOOL", help_heading = "Tables")]
    pub close_mitigation: Option<bool>,
    /// Consecutive gaps of one side are one (live: --fvg-join)
    #[arg(long, value_name = "BOOL", help_heading = "Tables")]
    pub join_consecutive: Option<bool>,
    /// Tolerance of pools, as a part of the whole file's range; tables only, it looks ahead
    #[arg(long, value_name = "PART", default_value_t = 0.01, help_heading = "Tables")]
    pub range_percent: f64,
    /// Session of the table: Sydney, Tokyo, London, "New York", a kill zone, or Custom
    #[arg(long, value_name = "NAME", default_value = "London", help_heading = "Tables")]
    pub session: String,
    /// Start of a Custom session
    #[arg(long, value_name = "HH:MM", help_heading = "Tables")]
    pub session_start: Option<String>,
    /// End of a Custom session
    #[arg(long, value_name = "HH:MM", help_heading = "Tables")]
    pub session_end: Option<String>,
    /// Zone of the file's stamps for the session table: UTC, an IANA name, or UTC+3, which the package reads as
    /// three hours behind
    #[arg(long, value_name = "ZONE", default_value = "UTC", help_heading = "Tables")]
    pub time_zone: String,
    /// Period of the previous highs and lows, such as 4h, 1D, W, MS
    #[arg(long, value_name = "PERIOD", default_value = "1D", help_heading = "Tables")]
    pub period: String,

    /// Sessions: names such as london,ict-ny-am, a window of one's own as lunch=12:00-13:30@Europe/London, or none;
    /// by default sydney,tokyo,london,new-york
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = session, help_heading = "Calendar")]
    pub sessions: Option<Vec<SessionEntry>>,
    /// When a trading day begins, such as "17:00 America/New_York"; by default 00:00 UTC
    #[arg(long, value_name = "HH:MM ZONE", help_heading = "Calendar")]
    pub roll: Option<String>,

    /// How structure is read, live and on the chart.
    #[command(flatten)]
    pub smc: SmcSection,
}

fn timeframe(text: &str) -> Result<Timeframe, String> {
    // Traders write 4H and 1D; a timeframe of months there is not.
    Timeframe::parse(&text.trim().to_ascii_lowercase())
        .ok_or_else(|| "write 5s, 15m, 4h or 1d, dividing a day".into())
}

/// A preset's name, or `name=start-end@zone`.
fn session(text: &str) -> Result<SessionEntry, String> {
    let Some((name, window)) = text.split_once('=') else {
        return Ok(SessionEntry::Preset(text.trim().into()));
    };
    let parts = window.split_once('@').and_then(|(hours, zone)| Some((hours.split_once('-')?, zone)));
    let ((start, end), zone) = parts.ok_or("write name=12:00-13:30@Europe/London")?;
    let [name, start, end, zone] = [name, start, end, zone].map(|part| part.trim().to_owned());
    Ok(SessionEntry::Window(WindowSection { name, start, end, zone }))
}

fn time(text: &str) -> Result<TsNs, String> {
    crate::csv::parse_time(text).ok_or_else(|| "write 2024-01-31 or 2024-01-31T09:30:00Z".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
