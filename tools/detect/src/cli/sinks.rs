//! Where everything goes that a file says: lines, counts, tables, the chart.

use super::kinds::Kinds;
use super::summary::{File, Summary};
use super::{Args, Failure, failure};
use crate::chart::Scene;
use crate::columns;
use crate::csv::{Iso, Row};
use crate::json;
use crate::live::{Event, Reason, Said, What};
use smc_core::calendar::Calendar;
use smc_core::words::{Timeframe, TsNs};
use smc_parity::Bars;
use std::io::{self, IsTerminal, Write};

/// Rows between two signs of life on a terminal.
const PROGRESS_ROWS: u64 = 1 << 17;

/// Whether anybody still reads us.
#[derive(PartialEq, Eq)]
pub(super) enum Flow {
    GoesOn,
    /// Whoever read our output has left: nothing to do, and nothing wrong.
    ReaderGone,
}

/// Where everything goes. What was not asked for is not kept.
pub(super) struct Sinks<'a> {
    args: &'a Args,
    calendar: &'a Calendar,
    kinds: Kinds,
    pub has_events: bool,
    /// Lines not yet written.
    text: String,
    summary: Summary,
    pub scene: Option<Scene>,
    pub bars: Option<Bars>,
    /// Stamps of the first and the last bar.
    span: Option<(TsNs, TsNs)>,
    rows: u64,
    refused: u64,
    first_refused: Option<(u64, Reason)>,
    is_watched: bool,
}

impl<'a> Sinks<'a> {
    /// What the flags ask for; the chart shows `timeframe`.
    pub fn new(args: &'a Args, calendar: &'a Calendar) -> Result<Self, Failure> {
        let has_other = args.columns.is_some() || args.svg.is_some() || args.summary;
        Ok(Self {
            args,
            calendar,
            kinds: Kinds::new(&args.kinds)?,
            has_events: args.events || !has_other,
            text: String::new(),
            summary: Summary::default(),
            scene: None,
            bars: args.columns.is_some().then(Bars::default),
            span: None,
            rows: 0,
            refused: 0,
            first_refused: None,
            is_watched: io::stderr().is_terminal() && !io::stdout().is_terminal(),
        })
    }

    /// The timeframe that the chart shows is known only after the first rows.
    pub fn draw(&mut self, timeframe: Timeframe) {
        self.scene = self.args.svg.is_some().then(|| Scene::new(timeframe));
    }

    /// What a row made of itself.
    pub fn on_said(&mut self, said: Said<'_>) {
        match said {
            Said::Bar(timeframe, bar) => {
                self.summary.on_bar(timeframe);
                if let Some(scene) = &mut self.scene {
                    scene.on_bar(timeframe, bar);
                }
                let (_, last) = self.span.get_or_insert((bar.open_ts, bar.open_ts));
                *last = bar.open_ts.max(*last);
            }
            Said::Event(event) => self.on_event(event),
        }
    }

    fn on_event(&mut self, event: &Event) {
        let Args { from, to, .. } = self.args;
        if let What::Rejected(rejection) = &event.what {
            self.refused += 1;
            self.first_refused.get_or_insert((rejection.line, rejection.reason));
        }
        let is_before_end = to.is_none_or(|to| event.ts <= to);
        // The chart needs what began before it.
        if let Some(scene) = self.scene.as_mut().filter(|_| is_before_end) {
            scene.on_event(event);
        }
        let is_in_time = is_before_end && from.is_none_or(|from| from <= event.ts);
        if !is_in_time || !self.kinds.pass(&json::kind_name(&event.what)) {
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

    /// After each row: tables take it, lines are written.
    pub fn on_row(
        &mut self,
        row: &Row,
        is_bar: bool,
        out: &mut dyn Write,
        notes: &mut dyn Write,
    ) -> Result<Flow, Failure> {
        if let Some(bars) = self.bars.as_mut().filter(|_| is_bar) {
            bars.push(columns::bar(row));
        }
        self.rows += 1;
        if self.is_watched && self.rows.is_multiple_of(PROGRESS_ROWS) {
            let _ = write!(notes, "\r{} rows", self.rows);
        }
        let written = out.write_all(self.text.as_bytes());
        self.text.clear();
        flow(written)
    }

    /// A word about rows that are no bars, and the summary.
    pub fn finish(
        &mut self,
        name: &str,
        holes: u64,
        out: &mut dyn Write,
        notes: &mut dyn Write,
    ) -> Result<Flow, Failure> {
        if self.is_watched && self.rows >= PROGRESS_ROWS {
            let _ = writeln!(notes, "\r{} rows", self.rows);
        }
        if let Some((line, reason)) = self.first_refused {
            let rows = match self.refused {
                1 => "one row is no bar".into(),
                count => format!("{count} rows are no bars, the first"),
            };
            let _ = writeln!(notes, "smc: {name}:{line}: {rows}: {reason}");
        }
        if self.args.summary {
            let (from, to) = self.span.unwrap_or_default();
            let file = File { name, holes, from: Iso(from).to_string(), to: Iso(to).to_string() };
            self.text = if self.args.json { self.summary.json(&file) } else { self.summary.table(&file) };
        }
        flow(out.write_all(self.text.as_bytes()).and_then(|()| out.flush()))
    }
}

fn flow(written: io::Result<()>) -> Result<Flow, Failure> {
    match written {
        Ok(()) => Ok(Flow::GoesOn),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Flow::ReaderGone),
        Err(error) => Err(failure("output", error)),
    }
}
