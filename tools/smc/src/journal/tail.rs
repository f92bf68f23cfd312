//! `smc journal tail`: the last records of a journal, and with `-f` those that come.

use super::describe;
use crate::failure::{Failure, Outcome};
use crate::replay::unusable;
use clap::Args;
use smc_journal::{JournalError, Reader, Record, Tail};
use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Between two looks while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Print the last records, and with -f those that come.
#[derive(Args)]
pub struct TailArgs {
    /// The journal's directory
    journal: PathBuf,
    /// How many of the last records
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: usize,
    /// Go on with the records that come, until interrupted; a journal that is being written is not disturbed
    #[arg(short, long)]
    follow: bool,
    /// Only this kind: config, input, output, digest, snapshot, close, run or source
    #[arg(long)]
    kind: Option<String>,
    /// One JSON document a line
    #[arg(long)]
    json: bool,
}

/// Shows and follows.
pub fn tail(args: &TailArgs) -> Outcome {
    let fail = |error: &JournalError| unusable(&args.journal, error);
    let mut out = BufWriter::new(io::stdout().lock());
    let stop = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&stop).map_err(|error| Failure::wrong("signals", error))?;
    let next = match print_last(args, &mut out)? {
        Some(next) if args.follow => next,
        _ => return Ok(()),
    };
    let mut tail = Tail::open_from(&args.journal, next).map_err(|error| fail(&error))?;
    while !stop.load(Ordering::Acquire) {
        match tail.poll().map_err(|error| fail(&error))? {
            Some(record) if is_wanted(args, &record) => {
                if !print(args.json, &record, &mut out)? {
                    return Ok(());
                }
            }
            Some(_) => {}
            None => {
                if !written(out.flush())? {
                    return Ok(());
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
    Ok(())
}

/// Prints the last records; the number of the next one, or none when our reader has seen enough.
fn print_last(args: &TailArgs, out: &mut impl Write) -> Result<Option<u64>, Failure> {
    let reader = Reader::open(&args.journal).map_err(|error| unusable(&args.journal, &error))?;
    // The newest segments are looked at first: a long journal is not walked for its last lines.
    let mut last: VecDeque<Record<'_>> = VecDeque::new();
    let mut next = reader.first_seq();
    for place in reader.segment_places().iter().rev() {
        last.clear();
        let records = reader.records_after(place);
        for record in records.map_err(|damage| unusable(&args.journal, &damage.into()))? {
            let record = record.map_err(|damage| unusable(&args.journal, &damage.into()))?;
            next = record.seq + 1;
            if is_wanted(args, &record) {
                last.push_back(record);
            }
            if last.len() > args.lines {
                last.pop_front();
            }
        }
        if last.len() == args.lines {
            break;
        }
    }
    for record in &last {
        if !print(args.json, record, out)? {
            return Ok(None);
        }
    }
    Ok(written(out.flush())?.then_some(next))
}

fn is_wanted(args: &TailArgs, record: &Record<'_>) -> bool {
    args.kind.as_deref().is_none_or(|kind| kind == record.kind.name())
}

/// One record on a line; false when the reader of our output has gone.
pub(super) fn print(as_json: bool, record: &Record<'_>, out: &mut impl Write) -> Result<bool, Failure> {
    written(if as_json {
        let (kind, body) = (record.kind.name(), describe(record));
        let line = serde_json::json!({ "seq": record.seq, "ts_ns": record.ts.0, "kind": kind, "body": body });
        writeln!(out, "{line}")
    } else {
        out.write_all(super::line(record).as_bytes())
    })
}

/// False when the reader of our output has gone.
pub(super) fn written(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::wrong("output", error)),
    }
}
