//! One pass over the file: rows in; lines, counts, tables and a picture out.

use super::picture::picture;
use super::settings::Settings;
use super::sinks::{Flow, Sinks};
use super::{Args, Failure, failure};
use crate::columns;
use crate::csv::{CsvError, Row, Rows, open};
use crate::live::Live;
use smc_core::words::{Timeframe, TsNs};
use std::collections::HashMap;
use std::io::Write;

/// Rows looked at to find the file's timeframe.
const SAMPLE: usize = 1_000;

/// The longest timeframe there is.
const DAY: Timeframe = match Timeframe::from_secs(86_400) {
    Some(day) => day,
    None => unreachable!(),
};

/// Does what the flags say; results go to `out`, words for people to `notes`.
pub fn run(args: &Args, out: &mut dyn Write, notes: &mut dyn Write) -> Result<(), Failure> {
    let Settings { params, calendar, tables } = Settings::of(args, notes)?;
    let mut sinks = Sinks::new(args, &calendar)?;
    let name = match args.csv.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => args.csv.display().to_string(),
    };
    let csv = |error: CsvError| match error.line {
        0 => failure(&name, error.fault),
        line => failure(format_args!("{name}:{line}"), error.fault),
    };
    let source = open(&args.csv).map_err(|error| failure(&name, error))?;
    let mut rows = Rows::new(source).map_err(csv)?;
    // Reading ends at a fault, which keeps its place among the rows.
    let sample: Vec<Result<Row, CsvError>> = rows.by_ref().take(SAMPLE).collect();
    let base = match args.base.ok_or(()).or_else(|()| base_of(&sample)) {
        Ok(base) => base,
        // Tables count in rows: for them alone, weeks and months are as good as anything.
        Err(_) if !sinks.has_events && args.svg.is_none() && !args.summary => DAY,
        Err(reason) => return Err(failure(&name, reason)),
    };
    let timeframes = if args.timeframes.is_empty() { vec![base] } else { args.timeframes.clone() };
    let mut live = Live::new(base, &timeframes, &params, &calendar).map_err(|error| failure(&name, error))?;
    sinks.draw(timeframes.iter().min().copied().unwrap_or(base));
    for row in sample.into_iter().chain(rows) {
        let row = row.map_err(csv)?;
        let is_bar = live.on_row(&row, &mut |said| sinks.on_said(said));
        if sinks.on_row(&row, is_bar, out, notes)? == Flow::ReaderGone {
            return Ok(());
        }
    }
    sinks.finish(&name, live.holes(), out, notes)?;
    if let Some((dir, bars)) = args.columns.as_ref().zip(sinks.bars.as_ref()) {
        columns::write(dir, bars, &tables).map_err(|error| Failure(error.to_string()))?;
    }
    if let Some((path, scene)) = args.svg.as_ref().zip(sinks.scene.as_ref()) {
        picture(args, path, scene, &params, &calendar)?;
    }
    Ok(())
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
