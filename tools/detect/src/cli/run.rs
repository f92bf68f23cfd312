//! One pass over the file: rows in, lines, counts and a picture out.

use super::settings::Settings;
use super::summary::{File, Summary};
use super::{Args, Failure, failure};
use crate::chart::{Scene, Title, draw};
use crate::columns;
use crate::csv::{CsvError, Iso, Row, Rows, open};
use crate::json;
use crate::live::{Event, Live, Said};
use smc_core::calendar::Calendar;
use smc_core::output::StructureKind;
use smc_core::smc::{SmcParams, Tolerance};
use smc_core::words::{Timeframe, TsNs};
use smc_parity::Bars;
use smc_settings::text::{DepthText, ToleranceText};
use std::collections::HashMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

/// Rows looked at to find the file's timeframe.
const SAMPLE: usize = 1_000;
/// Rows between two signs of life on a terminal.
const PROGRESS_ROWS: u64 = 1 << 17;

/// Does what the flags say; results go to `out`, words for people to `notes`.
pub fn run(args: &Args, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    let Settings { params, calendar, tables } = Settings::of(args, notes)?;
    let mut sinks = Sinks::new(args, &calendar)?;
    let name = args.csv.display();
    let csv = |error: CsvError| match error.line {
        0 => failure(&name, error.fault),
        line => failure(format_args!("{name}:{line}"), error.fault),
    };
    let source = open(&args.csv).map_err(|error| failure(&name, error))?;
    let mut rows = Rows::new(source).map_err(csv)?;
    let sample = sample(&mut rows);
    let base = match args.base {
        Some(base) => base,
        None => base_of(&sample).map_err(|reason| failure(&name, reason))?,
    };
    let timeframes = if args.timeframes.is_empty() { vec![base] } else { args.timeframes.clone() };
    let mut live = Live::new(base, &timeframes, &params, &calendar).map_err(|error| failure(&name, error))?;
    let mut scene = Scene::new(timeframes.iter().min().copied().unwrap_or(base));
    let (mut first, mut last) = (None, TsNs(0));
    let (mut bars, mut refused) = (Bars::default(), Vec::new());
    for row in sample.into_iter().chain(rows) {
        let row = row.map_err(csv)?;
        let is_bar = live.on_row(&row, &mut |said| match said {
            Said::Bar(timeframe, bar) => {
                sinks.summary.on_bar(timeframe);
                if args.svg.is_some() {
                    scene.on_bar(timeframe, bar);
                }
                first.get_or_insert(bar.open_ts);
                last = last.max(bar.open_ts);
            }
            Said::Event(event) => {
                if args.svg.is_some() && args.to.is_none_or(|to| event.ts <= to) {
                    scene.on_event(event);
                }
                sinks.on_event(event);
            }
        });
        if args.columns.is_some() {
            match is_bar {
                true => bars.push(columns::bar(&row)),
                false => refused.push(row.line),
            }
        }
        if sinks.flush(out)? == Flow::ReaderGone {
            return Ok(());
        }
        sinks.sign_of_life(notes);
    }
    sinks.finish(notes);
    let told = |error: io::Error| failure("output", error);
    if args.summary {
        let file = File {
            name: &name.to_string(),
            holes: live.holes(),
            from: Iso(first.unwrap_or_default()).to_string(),
            to: Iso(last).to_string(),
        };
        let text = if args.json { sinks.summary.json(&file) } else { sinks.summary.table(&file) };
        out.write_all(text.as_bytes()).map_err(told)?;
    }
    if let Some(dir) = &args.columns {
        if let [line, rest @ ..] = refused.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let _ = writeln!(notes, "smc: {name}:{line}{more}: no bars, not in the tables");
        }
        columns::write(dir, &bars, &tables).map_err(|error| Failure(error.to_string()))?;
    }
    if let Some(path) = &args.svg {
        picture(args, path, &scene, &params, &calendar)?;
    }
    out.flush().or_else(gone).map_err(told)
}

/// The first rows; reading ends at a fault, which is kept.
fn sample(rows: &mut Rows<Box<dyn BufRead>>) -> Vec<Result<Row, CsvError>> {
    rows.by_ref().take(SAMPLE).collect()
}

/// The most common distance between rows; of two as common, the shorter.
fn base_of(sample: &[Result<Row, CsvError>]) -> Result<Timeframe, String> {
    let times: Vec<TsNs> = sample.iter().flatten().map(|row| row.time).collect();
    let mut counts = HashMap::<u64, u32>::new();
    for pair in times.windows(2).filter(|pair| pair[0] < pair[1]) {
        *counts.entry(pair[1].since(pair[0])).or_default() += 1;
    }
    let distance = counts.into_iter().max_by_key(|&(distance, count)| (count, std::cmp::Reverse(distance)));
    let Some((distance, _)) = distance else {
        // One bar, or a file that is malformed at once: any timeframe will do to say so.
        return Timeframe::from_secs(60).ok_or_else(String::new);
    };
    const SECOND: u64 = 1_000_000_000;
    let secs = (distance % SECOND == 0).then(|| u32::try_from(distance / SECOND).ok()).flatten();
    secs.and_then(Timeframe::from_secs).ok_or_else(|| {
        let secs = distance as f64 / SECOND as f64;
        format!("rows are {secs} s apart, which divides no day; say --base 1d or what they are")
    })
}

#[derive(PartialEq, Eq)]
enum Flow {
    GoesOn,
    /// Whoever read our output has left: nothing to do, and nothing wrong.
    ReaderGone,
}

/// Where events go.
struct Sinks<'a> {
    args: &'a Args,
    calendar: &'a Calendar,
    has_events: bool,
    /// As people write kinds: without case and signs.
    kinds: Vec<String>,
    text: String,
    summary: Summary,
    rows: u64,
    is_watched: bool,
}

impl<'a> Sinks<'a> {
    fn new(args: &'a Args, calendar: &'a Calendar) -> Result<Self, Failure> {
        let kinds: Vec<String> = args.kinds.iter().map(|kind| plain(kind)).collect();
        for (kind, written) in kinds.iter().zip(&args.kinds) {
            if !KINDS.iter().any(|known| plain(&format!("{known:?}")) == *kind) {
                let known: Vec<String> = KINDS.iter().map(|kind| format!("{kind:?}")).collect();
                return Err(failure(
                    "--kinds",
                    format_args!("no kind is `{written}`; there are {}", known.join(", ")),
                ));
            }
        }
        let has_other = args.columns.is_some() || args.svg.is_some() || args.summary;
        Ok(Self {
            args,
            calendar,
            has_events: args.events || !has_other,
            kinds,
            text: String::new(),
            summary: Summary::default(),
            rows: 0,
            is_watched: io::stderr().is_terminal() && !io::stdout().is_terminal(),
        })
    }

    fn on_event(&mut self, event: &Event) {
        let Args { from, to, .. } = self.args;
        let is_in_time = from.is_none_or(|from| from <= event.ts) && to.is_none_or(|to| event.ts <= to);
        if !is_in_time
            || !(self.kinds.is_empty() || self.kinds.contains(&plain(&json::kind_name(&event.what))))
        {
            return;
        }
        if self.args.summary {
            self.summary.on_event(event);
        }
        if self.has_events {
            json::write(event, self.calendar, &mut self.text);
            self.text.push('\n');
        }
    }

    fn flush(&mut self, out: &mut dyn Write) -> Result<Flow, Failure> {
        let written = out.write_all(self.text.as_bytes());
        self.text.clear();
        match written {
            Ok(()) => Ok(Flow::GoesOn),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Flow::ReaderGone),
            Err(error) => Err(failure("output", error)),
        }
    }

    fn sign_of_life(&mut self, notes: &mut dyn Write) {
        self.rows += 1;
        if self.is_watched && self.rows.is_multiple_of(PROGRESS_ROWS) {
            let _ = write!(notes, "\r{} rows", self.rows);
        }
    }

    fn finish(&self, notes: &mut dyn Write) {
        if self.is_watched && self.rows >= PROGRESS_ROWS {
            let _ = writeln!(notes, "\r{} rows", self.rows);
        }
    }
}

fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// Without case and signs.
fn plain(kind: &str) -> String {
    kind.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

/// All there are; `every_kind_has_its_name` holds the list complete.
const KINDS: [StructureKind; 35] = {
    use StructureKind as Kind;
    [
        Kind::PivotConfirmed,
        Kind::SwingStarted,
        Kind::SwingExtended,
        Kind::SwingLocked,
        Kind::Bos,
        Kind::Choch,
        Kind::Mss,
        Kind::PatternConfirmed,
        Kind::PatternBroken,
        Kind::PatternSuperseded,
        Kind::FvgCreated,
        Kind::FvgMitigated,
        Kind::FvgInverted,
        Kind::IfvgInvalidated,
        Kind::FvgJoined,
        Kind::ObCreated,
        Kind::ObTested,
        Kind::ObBroken,
        Kind::BreakerInvalidated,
        Kind::PoolFormed,
        Kind::PoolExtended,
        Kind::PoolSwept,
        Kind::PoolRun,
        Kind::LevelSwept,
        Kind::PeriodRolled,
        Kind::PeriodLevelBroken,
        Kind::SessionOpened,
        Kind::SessionClosed,
        Kind::Expired,
        Kind::InputRejected,
        Kind::RangeChanged,
        Kind::ZoneChanged,
        Kind::OteEntered,
        Kind::OteLeft,
        Kind::RetracementReached,
    ]
};

fn picture(
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
    let name = args.csv.file_name().unwrap_or(args.csv.as_os_str()).to_string_lossy();
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
        smc_core::smc::PivotProfile::Window => format!("swings {}+{}", params.pivot_left, params.pivot_right),
        smc_core::smc::PivotProfile::Leg => format!("swing legs {}", params.pivot_right),
    };
    let breaks = if params.close_break { "breaks by close" } else { "breaks by wick" };
    let depth = DepthText(params.fvg_mitigation);
    let pools = match params.pool_tolerance {
        Tolerance::FixedTicks(price) => format!("{price}"),
        other => ToleranceText(other).to_string(),
    };
    format!("{swings}  ·  {breaks}  ·  gaps to the {depth}  ·  equal within {pools}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_however_they_are_written() {
        assert_eq!(plain("fvg_created"), plain("FvgCreated"));
        assert_eq!(plain("fvg-created"), plain("FVGCREATED"));
    }

    /// The numbers of the kinds are sparse; each number that names one must be in the list.
    #[test]
    fn every_kind_has_its_name() {
        let mut numbers: Vec<u8> = KINDS.iter().map(|kind| *kind as u8).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), KINDS.len());
        assert!(numbers.is_sorted());
    }
}
